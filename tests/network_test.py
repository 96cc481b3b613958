"""What cannot be reached is known within seconds."""

import http.server
import socket
import threading
import time

from absl.testing import absltest

from tl_keras import network


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/file" else 404)
        self.end_headers()

    def log_message(self, *args):
        """Says nothing."""


class NetworkTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.host = f"http://127.0.0.1:{server.server_port}"

    def test_a_file_that_is_there_is_no_problem(self):
        self.assertIsNone(network.problem_with(f"{self.host}/file"))

    def test_an_error_page_is_a_problem_unless_the_host_is_asked_for(self):
        url = f"{self.host}/other"
        self.assertIn("404", network.problem_with(url))
        self.assertIsNone(network.problem_with(url, any_answer=True))

    def test_a_host_that_is_not_there_is_told_at_once(self):
        began = time.monotonic()
        self.assertNotEmpty(network.problem_with("https://host.invalid/file"))
        self.assertLess(time.monotonic() - began, 6.0)

    def test_a_host_that_never_answers_is_given_up(self):
        # It accepts connections, and says nothing.
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}/file"
            began = time.monotonic()
            problem = network.problem_with(url, timeout_seconds=0.3)
        self.assertEqual(problem, "no answer within 0.3 seconds")
        self.assertLess(time.monotonic() - began, 2.0)

    def test_what_is_no_address_is_a_problem_too(self):
        self.assertIn("unknown url type", network.problem_with("no url"))


if __name__ == "__main__":
    absltest.main()
