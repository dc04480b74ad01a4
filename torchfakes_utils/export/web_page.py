"""A web page that judges photos and what a camera sees, in the visitor's browser alone.

The folder that is written here works from any static server, and without a network once it was opened: the page and
its modules (`web/` beside this file), the networks as ONNX files, and onnxruntime-web, which runs them. The modules do
in the browser what `inference` does here, step by step; tests hold the two side by side.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.graph import FACE_NETWORKS
from torchfakes_utils.export.onnx_format import OnnxNetwork
from torchfakes_utils.export.web_runtime import PACKAGE, VERSION, WEBGPU_FILES, write_runtime
from torchfakes_utils.faces.tracking import FINER
from torchfakes_utils.inference.predictor import CLOSE_UP, FAR_AWAY
from torchfakes_utils.io.files import atomic_write, sha256_of
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.models.run_files import DETECTOR_FILE, PARITY_FILE
from torchfakes_utils.report import write
from torchfakes_utils.report.page import headline

_TEMPLATES = Path(__file__).parent / "web"

# Megapixels: what phones take, and what their browsers can hold once it is decoded.
MOST_MEGAPIXELS = 60

# By how much a logit in a browser may differ from ours, as a share of it (of at least 1), and still be right. Other
# processors add in another order, and what an int8 network adds is rounded to 256 levels: a hair may become a step.
_TOLERANCE = {"fp32": 0.01, "int8": 0.05}


def write_web(run: Path, out: Path, detector: Detector, data: Any, precisions: tuple[str, ...]) -> list[Path]:  # noqa: ARG001
    """Complete a folder of exported networks to a page.

    Args:
        run: the run's folder; what its report says of the detector is said on the page.
        out: a folder that holds detector.PRECISION.onnx, the three face networks, detector.json, and, where a precision
            was refused, parity.json with the reason. Detectors that the page does not use are removed from it.
        detector: the one that was exported.
        data: not needed here.
        precisions: those that passed their check, of "int8" and "fp32".

    Returns:
        The files that make the page.

    Raises:
        InputError: the runtime cannot be had, or `out` cannot be written to.
    """
    precision = "int8" if "int8" in precisions else "fp32"
    model = f"detector.{precision}.onnx"
    for other in out.glob("detector.*.onnx"):
        if other.name != model:
            other.unlink()
    runtime = write_runtime(out / "ort")
    for source in sorted(_TEMPLATES.iterdir()):
        if source.name not in ("sw.js", "README.txt"):
            _write(out / source.name, source.read_bytes())
    if_asked = sorted(f"ort/{name}" for name in WEBGPU_FILES.values())
    networks = [f"{name}.onnx" for name in FACE_NETWORKS]
    loaded = [*networks, model, "ort/ort-wasm-simd-threaded.wasm"]
    page = {
        "detector": {"file": model, "precision": precision, "note": _note(out, precision)},
        "looks": looks(),
        "min_probability": CLOSE_UP.min_probability,
        "megapixels": MOST_MEGAPIXELS,
        "bytes": sum((out / name).stat().st_size for name in loaded),
        "self_test": self_test(out / model, detector.preprocessing.size, precision),
        "runtime": f"{PACKAGE} {VERSION}",
        "measured": [*_measured(run, detector), *_cost(out, precision)],
    }
    _write(out / "page.json", json.dumps(page, indent=2).encode())
    names = [source.name for source in _TEMPLATES.iterdir() if source.name not in ("sw.js", "README.txt")]
    names += ["page.json", DETECTOR_FILE, *networks, model, *(f"ort/{name}" for name in runtime)]
    needed = sorted(name for name in names if name not in if_asked)
    _write(out / "sw.js", _worker(out, needed, if_asked).encode())
    readme = (_TEMPLATES / "README.txt").read_text(encoding="utf-8")
    _write(out / "README.txt", readme.replace("@RUNTIME@", page["runtime"]).encode())
    return [out / name for name in [*needed, *if_asked, "sw.js", "README.txt"]]


def looks() -> list[dict[str, float]]:
    """How `inference.Predictor` looks for faces, one way after the other until one finds somebody.

    Each has `minFace`, the smallest face as a share of the picture's shorter side, and `lines`, to which that side is
    scaled down, in pixels.
    """
    return [
        {"minFace": config.min_face, "lines": finer * config.detect_lines}
        for config in (CLOSE_UP, FAR_AWAY)
        for finer in (1, FINER)
    ]


def self_test(model: Path, size: int, precision: str) -> dict[str, Any]:
    """What the detector says of two known pictures: the page trusts no runtime that says something else."""
    logits = OnnxNetwork(model)(test_crops(size))
    scale = max(1.0, float(np.abs(logits).max()))
    return {"logits": [float(logit) for logit in logits], "tolerance": _TOLERANCE[precision] * scale}


def test_crops(size: int) -> np.ndarray:
    """Two pictures of no face, (2, 3, size, size) uint8, which the page can make, too, without a file."""
    channel, y, x = np.ogrid[:3, :size, :size]
    first = (x * (3 + channel) + y * (5 - channel) + (x * y >> 4)) & 255
    return np.stack([first, 255 - first]).astype(np.uint8)


test_crops.__test__ = False  # no test of pytest's


def _note(out: Path, precision: str) -> str:
    """Why the page has to do with the larger network; "" where it does not, or nobody asked for the smaller one."""
    try:
        refused = json.loads((out / PARITY_FILE).read_text(encoding="utf-8"))["refused"]
        return f"int8 was refused: {refused['int8']}" if precision != "int8" else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _measured(run: Path, detector: Detector) -> list[str]:
    """What the run's report says, if it is about these very weights."""
    try:
        known = write.read(run)
    except InputError:
        return []
    same = detector.sha256 and known["detector"]["sha256"] == detector.sha256
    return (
        [f"On “{known['data']['name']}”, split “{known['split']}”: {headline(known)[0]}", *headline(known)[1:]]
        if same
        else []
    )


def _cost(out: Path, precision: str) -> list[str]:
    """What the smaller network costs beside the one that the report measured."""
    try:
        files = json.loads((out / PARITY_FILE).read_text(encoding="utf-8"))["files"]
        one = next(file for file in files if file["precision"] == precision == "int8")
        return [
            f"This page computes in 8 bits: AUC by crop {one['auc']['crop']:.3f}, where the detector that was measured "
            f"has {one['auc_detector']['crop']:.3f}."
        ]
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return []


def _worker(out: Path, needed: list[str], if_asked: list[str]) -> str:
    """The service worker, which knows every file's digest; its version changes whenever one of them does."""
    digests = {name: sha256_of(out / name) for name in [*needed, *if_asked]}
    source = (_TEMPLATES / "sw.js").read_text(encoding="utf-8")
    version = hashlib.sha256(json.dumps([source, digests], sort_keys=True).encode()).hexdigest()[:16]

    def listed(names: list[str]) -> str:
        return "\n" + "".join(f'  "{name}": "{digests[name]}",\n' for name in names)

    source = source.replace("@VERSION@", version)
    return source.replace("/*NEEDED*/", listed(needed)).replace("/*IF_ASKED*/", listed(if_asked))


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
