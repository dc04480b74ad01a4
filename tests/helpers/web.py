"""The web page's modules in node; photos; the page in a browser."""

import base64
import functools
import http.server
import io
import json
import re
import socketserver
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from torchfakes_utils.export import web_page
from torchfakes_utils.export.parity import Exported, Parity

from helpers.browser import node
from helpers.pixels import noisy

TEMPLATES = Path(web_page.__file__).parent / "web"
READY = "html[data-state=ready]"


def passed(precision):
    """A file that passed its check."""
    auc, own, points = {"crop": 0.9, "clip": 0.95}, {"crop": 0.91, "clip": 0.95}, {"crop": -1.0, "clip": 0.0}
    return Parity(f"detector.{precision}.onnx", precision, 1.0, 9, 3, 0.0, 0.0, auc, own, points, 1.0, 1.0, 2.0, 2.0)


FP32_ONLY = Exported([passed("fp32")])


def in_node(modules: Path, code: str, given: object) -> object:
    """What a function in JavaScript, `(given) => …`, gives; modules are imported with `load(name)`."""
    program = (
        'import fs from "node:fs";\n'
        "const load = (name) => import(`./${name}`);\n"
        'const given = JSON.parse(fs.readFileSync(0, "utf8"));\n'
        f"const result = await ({code})(given);\n"
        "process.stdout.write(JSON.stringify(result));\n"
    )
    (modules / "program.js").write_text(program)
    done = subprocess.run(
        [node(), modules / "program.js"], input=json.dumps(given), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def people(portraits) -> list[np.ndarray]:
    """Portraits, (192, 192, 3), in other light and colours."""
    rng = np.random.default_rng(0)
    return [
        np.clip(portraits[number % 2] * rng.uniform(0.6, 1.2, 3) + rng.uniform(-10, 30), 0, 255).astype(np.uint8)
        for number in range(8)
    ]


def listed(folder: Path) -> dict[str, str]:
    """What the service worker knows: digests by file."""
    return dict(re.findall(r'^  "([^"]+)": "([0-9a-f]{64})",$', (folder / "sw.js").read_text(), re.MULTILINE))


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Python's own static server, without its log: what README.txt tells users to run."""

    def log_message(self, *arguments) -> None:
        pass


@contextmanager
def served(folder: Path):
    """The address of a server of `folder`, and a function that stops it."""

    class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address) -> None:
            """A page that is closed while it loads is nothing to report."""

    server = Server(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    try:
        yield f"http://localhost:{server.server_port}/", stop
    finally:
        stop()


@contextmanager
def opened(chromium, site: Path, *flags: str, ready: str = READY, expected: str = "", query: str = "", **options):
    """The page, ready; in the end nothing was asked of another host, and nothing went wrong unnoticed.

    Args:
        flags: of the browser.
        ready: what is waited for.
        expected: part of the only errors that may be in the console.
        query: part of the address.
        options: of the browser's context.
    """
    with served(site) as (address, stop):
        context = chromium(*flags).new_context(**options)
        asked, problems = [], []
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address + query)
        page.wait_for_selector(ready, timeout=60_000, state="attached")
        page.stop_server = stop
        yield page
        context.close()
        assert asked and all(url.startswith((address, f"blob:{address}")) for url in asked), asked
        assert not [problem for problem in problems if not expected or expected not in problem], problems


def until(page, condition: str, seconds: float = 60) -> None:
    """Wait for a condition in JavaScript. (Playwright's own way evaluates text, which the page's policy forbids.)"""
    for _ in range(int(seconds * 10)):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"still not so after {seconds} s: {condition}; {page.inner_text('main')}")


def until_error(page, message: str) -> None:
    until(page, f"document.querySelector('#error').textContent.includes({json.dumps(message)})")


def png(picture: np.ndarray, **options) -> bytes:
    return saved(Image.fromarray(picture), "PNG", **options)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photos(portraits) -> dict[str, tuple[bytes, float]]:
    """Photos of all kinds, each with what P(fake) may differ by: browsers decode JPEG and WebP a little differently."""
    first, second = portraits
    large = cv2.resize(first, (900, 900), interpolation=cv2.INTER_CUBIC)
    exact, lossy = 0.01, 0.06
    found = {f"person {number}": (png(one), exact) for number, one in enumerate(people(portraits))}
    crowd = np.full((400, 700, 3), 200, np.uint8)
    crowd[20:212, 20:212], crowd[100:292, 250:442] = first, second
    crowd[210:390, 500:680] = cv2.resize(first, (180, 180), interpolation=cv2.INTER_AREA) // 5
    far = np.full((900, 1200, 3), 120, np.uint8)
    far[400:500, 700:800] = cv2.resize(second, (100, 100), interpolation=cv2.INTER_AREA)
    holes = np.dstack([first, np.where(np.hypot(*np.ogrid[-96:96, -96:96]) < 90, 170, 0).astype(np.uint8)])
    turned = Image.Exif()
    turned[0x0112] = 6
    image = Image.fromarray(large)
    found |= {
        "large": (png(large), exact),
        "three people": (png(crowd), exact),
        "far away": (png(far), exact),
        "too small": (png(cv2.resize(first, (100, 100), interpolation=cv2.INTER_AREA)), exact),
        "cut off": (png(np.ascontiguousarray(first[:, 40:120])), exact),
        "dark": (png((first * 0.2).astype(np.uint8)), exact),
        "blurred": (png(cv2.GaussianBlur(large, (0, 0), 14)), exact),
        "nobody": (png(noisy(first, 200, 300, 3)[:, ::-1] // 8 * 0 + 90), exact),
        "tiny": (png(first[:3, :5]), exact),
        "grey": (saved(Image.fromarray(first).convert("L"), "PNG"), exact),
        "with holes": (png(holes), 0.02),
        "palette": (saved(Image.fromarray(second).quantize(64), "PNG"), exact),
        "JPEG": (saved(image, "JPEG", quality=95, subsampling=0), lossy),
        "turned JPEG": (saved(image.rotate(90), "JPEG", quality=95, subsampling=0, exif=turned), lossy),
        "WebP": (saved(image, "WEBP", lossless=True), exact),
    }
    return found


JUDGE = """async ({ data, type, name }) => {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  return torchfakes.judge(new File([bytes], name, { type }));
}"""


def judged(page, data: bytes, name: str = "photo.png", kind: str = "image/png") -> dict:
    return page.evaluate(JUDGE, {"data": base64.b64encode(data).decode(), "type": kind, "name": name})


def choose(page, data: bytes, name: str = "photo.png", kind: str = "image/png", shown: bool = True) -> None:
    page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": data})
    if shown:
        page.wait_for_selector("html[data-state=shown]", timeout=60_000)
