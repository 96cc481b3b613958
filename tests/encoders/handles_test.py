"""From a handle to a folder: archives, addresses, and what is wrong."""

import http.server
import io
import os
import pathlib
import sys
import tarfile
import threading
import time
from unittest import mock

import modules_for_tests
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import network
from tl_keras.encoders import handles


class HandlesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.enter_context(
            mock.patch.dict(
                os.environ,
                {
                    "TL_KERAS_CACHE": f"{self.folder}/cache",
                    "TFHUB_CACHE_DIR": f"{self.folder}/hub",
                },
            )
        )

    def archive(self, name="module.tar.gz", inside="module"):
        modules_for_tests.signature_module(self.folder / "made")
        with tarfile.open(self.folder / name, "w:gz") as packed:
            packed.add(self.folder / "made", inside)
        return self.folder / name

    @parameterized.parameters(
        ("https://tfhub.dev/google/nnlm-en-dim50/2", "nnlm-en-dim50"),
        (
            "https://www.kaggle.com/models/google/yamnet/tensorFlow2/yamnet/1",
            "yamnet",
        ),
        (
            "https://tfhub.dev/g/imagenet/resnet_50/feature_vector/5",
            "resnet_50",
        ),
        ("models/my model.tar.gz", "my_model"),
        ("models/bert/", "bert"),
        ("/5/4", "module"),
    )
    def test_a_module_is_called_by_what_says_most(self, handle, name):
        self.assertEqual(handles.short_name(handle), name)

    @parameterized.parameters("module", ".", "deep/down/module")
    def test_an_archive_is_unpacked_once_wherever_the_module_lies(self, inside):
        archive = self.archive(inside=inside)
        found = handles.resolve(archive)
        self.assertTrue((found / "saved_model.pb").is_file())
        written = (found / "saved_model.pb").stat().st_mtime_ns
        again = handles.resolve(str(archive))
        self.assertEqual(again, found)
        self.assertEqual((found / "saved_model.pb").stat().st_mtime_ns, written)

    @parameterized.parameters("../escaped", "/tmp/escaped", "a/../../escaped")
    def test_a_path_that_leads_out_is_refused_and_nothing_is_written(
        self, name
    ):
        path = self.folder / "hostile.tar.gz"
        with tarfile.open(path, "w:gz") as packed:
            member = tarfile.TarInfo(name)
            member.size = 4
            packed.addfile(member, io.BytesIO(b"evil"))
        with self.assertRaisesRegex(ValueError, "leads out of it.*escaped"):
            handles.resolve(path)
        self.assertEmpty(list(self.folder.rglob("escaped")))
        self.assertFalse(os.path.exists("/tmp/escaped"))

    def test_a_link_is_refused(self):
        path = self.folder / "link.tar.gz"
        with tarfile.open(path, "w:gz") as packed:
            member = tarfile.TarInfo("saved_model.pb")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            packed.addfile(member)
        with self.assertRaisesRegex(ValueError, "a link or a device"):
            handles.resolve(path)

    def test_a_cut_archive_is_named(self):
        archive = self.archive()
        content = archive.read_bytes()
        archive.write_bytes(content[: len(content) // 2])
        with self.assertRaisesRegex(ValueError, "module.tar.gz.*unpacked"):
            handles.resolve(archive)
        archive.write_bytes(b"no archive")
        with self.assertRaisesRegex(ValueError, "module.tar.gz.*unpacked"):
            handles.resolve(archive)

    def test_a_damaged_archive_is_named(self):
        path = self.archive(inside=".")
        content = bytearray(path.read_bytes())
        # Behind the last block that tar reads, before gzip's checksum.
        content[-8] ^= 0xFF
        path.write_bytes(content)
        with self.assertRaisesRegex(ValueError, "cannot be unpacked.*CRC"):
            handles.resolve(str(path))
        self.assertEmpty(list((self.folder / "cache").rglob("*.pb")))

    def test_a_cache_that_cannot_be_written_is_told(self):
        path = self.archive(inside=".")
        (self.folder / "file").write_text("")
        with mock.patch.dict(
            os.environ, {"TL_KERAS_CACHE": f"{self.folder}/file"}
        ):
            with self.assertRaisesRegex(OSError, "TL_KERAS_CACHE"):
                handles.resolve(str(path))

    def test_an_archive_without_a_module_is_named(self):
        path = self.folder / "empty.tar.gz"
        with tarfile.open(path, "w:gz") as packed:
            packed.add(__file__, "notes.txt")
        with self.assertRaisesRegex(FileNotFoundError, "holds 0 SavedModels"):
            handles.resolve(path)
        # What is no module is not kept.
        self.assertEmpty(list(self.folder.glob("cache/archives/*/notes.txt")))

    def test_a_kaggle_name_without_its_prefix_gets_it_proposed(self):
        with self.assertRaisesRegex(FileNotFoundError, "hub:kaggle:google/"):
            handles.resolve("google/nnlm/tensorFlow2/en-dim50/1")

    def test_no_network_is_a_sentence_within_seconds(self):
        began = time.monotonic()
        with self.assertRaisesRegex(
            ConnectionError, "host.invalid/module.*TFHUB_CACHE_DIR"
        ):
            handles.resolve("https://host.invalid/module/1")
        self.assertLess(time.monotonic() - began, 20.0)

    def test_kaggle_is_asked_at_its_address(self):
        with mock.patch.object(
            network, "problem_with", return_value="no route"
        ) as asked:
            with self.assertRaisesRegex(ConnectionError, "no route"):
                handles.resolve("kaggle:google/yamnet/tensorFlow2/yamnet/1")
        asked.assert_called_once_with(
            "https://www.kaggle.com/models/google/yamnet/tensorFlow2/yamnet/1"
        )

    def test_an_import_that_fails_names_what_to_install(self):
        # None makes the import fail, as a missing pkg_resources does.
        with mock.patch.dict(sys.modules, {"tensorflow_hub": None}):
            with self.assertRaisesRegex(
                ImportError, 'install .*"setuptools<81"'
            ):
                handles.resolve("https://host.invalid/module/1")

    def test_what_is_fetched_comes_through_tensorflow_hub_and_its_cache(self):
        archive = self.archive(inside=".")

        class Handler(http.server.BaseHTTPRequestHandler):
            asked = []

            def do_GET(self):
                self.asked.append(self.path)
                found = self.path.startswith("/module")
                self.send_response(200 if found else 404)
                self.end_headers()
                if found:
                    self.wfile.write(archive.read_bytes())

            def log_message(self, *args):
                """Says nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        host = f"http://127.0.0.1:{server.server_port}"
        found = handles.resolve(f"{host}/module/1")
        self.assertTrue((found / "saved_model.pb").is_file())
        self.assertIn("/module/1?tf-hub-format=compressed", Handler.asked)
        self.assertIn(str(self.folder / "hub"), str(found))
        Handler.asked.clear()
        self.assertEqual(handles.resolve(f"{host}/module/1"), found)
        self.assertEmpty(Handler.asked)
        with self.assertRaisesRegex(ConnectionError, "404"):
            handles.resolve(f"{host}/other/1")


if __name__ == "__main__":
    absltest.main()
