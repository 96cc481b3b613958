"""A headless Chromium, spoken to in the DevTools protocol over two pipes.

The pipes need neither a port nor a package, and the browser ends when they
close. https://chromedevtools.github.io/devtools-protocol/ has the methods.
"""

import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find() -> str | None:
    """Path of the browser, or None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A browser with one page; a context manager.

    Attributes:
        complaints: What the page's console and the browser's log said.
        requests: Addresses that the page asked for, `data:` ones left out.
    """

    def __init__(self, path: str, timeout_seconds: float = 60.0):
        self.complaints = []
        self.requests = []
        self._timeout_seconds = timeout_seconds
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._last_id = 0
        self._buffer = b""
        self._events = []
        self._start(path)
        target = self._call("Target.createTarget", url="about:blank")
        self._session = self._call(
            "Target.attachToTarget", flatten=True, **target
        )["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pipe in (self._to_browser, self._from_browser):
            os.close(pipe)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._profile.cleanup()

    def open(self, path, *, width: int, dark=False, media="screen"):
        """Opens a file in a window of a width in CSS pixels.

        Args:
            path: The file.
            width: Of the window.
            dark: Whether the reader prefers dark pages.
            media: "screen" or "print".
        """
        self.complaints.clear()
        self.requests.clear()
        self._events.clear()
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = "dark" if dark else "light"
        self._call(
            "Emulation.setEmulatedMedia",
            media=media,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self._call("Page.navigate", url=pathlib.Path(path).resolve().as_uri())
        self._wait_for("Page.loadEventFired")

    def run(self, expression: str):
        """The value of a JavaScript expression in the page."""
        answer = self._call(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def screenshot(self, path):
        """Writes a PNG of the whole page."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        shot = self._call(
            "Page.captureScreenshot",
            captureBeyondViewport=True,
            clip={**size, "x": 0, "y": 0, "scale": 1},
        )
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))

    def print_pdf(self, path):
        """Writes what a printer would get."""
        pdf = self._call("Page.printToPDF", preferCSSPageSize=True)
        pathlib.Path(path).write_bytes(base64.b64decode(pdf["data"]))

    def _start(self, path):
        read_by_browser, self._to_browser = os.pipe()
        self._from_browser, written_by_browser = os.pipe()
        # The browser reads from number 3, and writes to number 4.
        redirect = (
            f'exec 3<&{read_by_browser} 4>&{written_by_browser}; exec "$0" "$@"'
        )
        self._process = subprocess.Popen(
            [
                "bash",
                "-c",
                redirect,
                path,
                "--headless=new",
                "--remote-debugging-pipe",
                # As root there is no sandbox to be had.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-extensions",
                "--hide-scrollbars",
                f"--user-data-dir={self._profile.name}",
            ],
            pass_fds=(read_by_browser, written_by_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_by_browser)
        os.close(written_by_browser)

    def _call(self, method: str, **parameters):
        self._last_id += 1
        message = {
            "id": self._last_id,
            "method": method,
            "params": parameters,
        }
        if hasattr(self, "_session"):
            message["sessionId"] = self._session
        _write_all(self._to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._last_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def _wait_for(self, method: str):
        while method not in self._events:
            self._note(self._next())

    def _note(self, event):
        method, parameters = event.get("method"), event.get("params", {})
        self._events.append(method)
        if method == "Runtime.exceptionThrown":
            self.complaints.append(parameters["exceptionDetails"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(parameters["args"])
        elif method == "Log.entryAdded":
            self.complaints.append(parameters["entry"])
        elif method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith("data:"):
                self.requests.append(url)

    def _next(self) -> dict:
        """The next message of the browser."""
        until = time.monotonic() + self._timeout_seconds
        while b"\0" not in self._buffer:
            left = until - time.monotonic()
            ready, _, _ = select.select([self._from_browser], [], [], left)
            chunk = os.read(self._from_browser, 2**16) if ready else b""
            if not chunk:
                raise RuntimeError("The browser does not answer.")
            self._buffer += chunk
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)


def _write_all(pipe: int, content: bytes):
    while content:
        content = content[os.write(pipe, content) :]


def assert_is_well(test, browser: Browser, path):
    """Opens a report wide and narrow, and checks it as a reader would see it.

    Args:
        test: The `TestCase`.
        browser: A `Browser`.
        path: The report.
    """
    address = pathlib.Path(path).resolve().as_uri()
    for width in (1280, 390):
        browser.open(path, width=width)
        test.assertEqual(browser.requests, [address])
        # All are there: those within what is folded, too.
        broken = browser.run(
            "(async () => {"
            "for (const d of document.querySelectorAll('details')) "
            "d.open = true;"
            "const images = [...document.images];"
            "await Promise.all(images.map((i) => i.decode().catch(() => 0)));"
            "return images.filter((i) => !i.naturalWidth).map((i) => i.alt)"
            "})()"
        )
        test.assertEqual(broken, [])
        scrolled = browser.run(
            "document.documentElement.scrollWidth - window.innerWidth"
        )
        test.assertLessEqual(scrolled, 0, f"wider than {width} px")
        test.assertEqual(browser.complaints, [])
