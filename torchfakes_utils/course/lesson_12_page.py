"""Lesson 12's page: the detector in a browser of this machine, asked again once it is offline."""

import base64
import functools
import http.server
import importlib
import importlib.util
import io
import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from torchfakes_utils.errors import InputError
from torchfakes_utils.export import web_page, web_runtime
from torchfakes_utils.export.parity import Distances, Exported, Parity
from torchfakes_utils.io.downloads import cache_folder
from torchfakes_utils.models.detector import Detector

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE = 120_000  # milliseconds for one step of the page
_ASK = """async (data) => {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const started = performance.now();
  const found = await torchfakes.judge(new File([bytes], "photo.png", { type: "image/png" }));
  return [found, performance.now() - started];
}"""


@dataclass(frozen=True)
class Unplugged:
    """What the page said, online and offline.

    Attributes:
        before, after: P(fake) of the photo.
        verdict: what the page calls it offline.
        milliseconds: for the photo offline, from file to verdict.
        elsewhere: addresses of other machines that the page asked for.
        picture: the page offline, (H, W, 3) uint8.
    """

    before: float
    after: float
    verdict: str
    milliseconds: float
    elsewhere: tuple[str, ...]
    picture: np.ndarray


def write_page(onnx: Path, out: Path, run: Path, detector: Detector) -> Path:
    """The page's folder, from files that were exported and checked before.

    Args:
        onnx: the folder of an ONNX export.
        out: a folder that is not there yet.
        run: of which the export is.
        detector: that was exported.

    Raises:
        InputError: the page's runtime is not kept on this machine.
    """
    kept = cache_folder() / f"{web_runtime.PACKAGE}-{web_runtime.VERSION}.tgz"
    if not kept.is_file():
        raise InputError(
            "the page's runtime is not here yet: run `torchfakes export RUN --format web` once, and this cell again"
        )
    shutil.copytree(onnx, out)
    web_page.write_web(run, out, detector, _checked(onnx))
    return out


def _checked(onnx: Path) -> Exported:
    """What the export's check found, as it was written beside the files."""
    written = json.loads((onnx / "parity.json").read_text(encoding="utf-8"))
    files = [Parity(**(one | {"distances": one["distances"] and Distances(**one["distances"])}))
             for one in written["files"]]  # fmt: skip
    return Exported(files, refused=written["refused"])


def unplugged(folder: Path, photo: np.ndarray) -> Unplugged | str:
    """Open the page in Chromium, judge a photo, go offline, open it again and judge once more.

    Args:
        folder: the page's.
        photo: (H, W, 3) uint8.

    Returns:
        What was seen; or why nothing could be, in a line.
    """
    browser = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        return "no Chromium is on this machine"
    if importlib.util.find_spec("playwright") is None:
        return "Playwright, which drives a browser, is not installed here"
    # In a thread of its own: Playwright's plain interface does not run beside a notebook's event loop.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_unplugged, folder, photo, browser).result()


def _unplugged(folder: Path, photo: np.ndarray, browser: str) -> Unplugged | str:
    # Not by an import, which would have to be declared: the course works without it, and the tests bring it.
    playwright = importlib.import_module("playwright.sync_api")
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    data, asked = base64.b64encode(file.getvalue()).decode(), list[str]()
    try:
        with playwright.sync_playwright() as driver, _served(folder) as (address, stop):
            started = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            context = started.new_context(viewport={"width": 700, "height": 1050})
            context.on("request", lambda request: asked.append(request.url))
            page = context.new_page()
            page.goto(address)
            _until(page, "html[data-state=ready]")
            before, _ = page.evaluate(_ASK, data)
            _until(page, "html[data-offline=yes]")
            context.set_offline(True)  # no request leaves the browser any more
            stop()  # and nobody would answer one
            page.reload()
            _until(page, "html[data-state=ready]")
            page.evaluate(_ASK, data)  # the first answer takes longer
            after, milliseconds = page.evaluate(_ASK, data)
            page.set_input_files("#file", {"name": "photo.png", "mimeType": "image/png", "buffer": file.getvalue()})
            _until(page, "html[data-state=shown]")
            picture = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
            started.close()
    except playwright.Error as error:
        return f"the browser gave up: {str(error).splitlines()[0]}"
    ours = (address, f"blob:{address}", "data:")
    return Unplugged(
        before["probability_fake"], after["probability_fake"], after["verdict"], milliseconds,
        tuple(url for url in asked if not url.startswith(ours)), picture,
    )  # fmt: skip


def _until(page: Any, selector: str) -> None:
    page.wait_for_selector(selector, timeout=_PATIENCE, state="attached")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Python's own static server, without its log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, Any]]:
    """The address of a server of `folder`, and a function that stops it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stopped = threading.Event()

    def stop() -> None:
        if not stopped.is_set():
            stopped.set()
            server.shutdown()
            server.server_close()

    try:
        yield f"http://localhost:{server.server_port}/", stop
    finally:
        stop()
        thread.join(timeout=5)
