"""A web page that judges photos and what a camera sees, in the visitor's browser alone.

The folder that is written here works from any static server, and without a network once it was opened: the page and
its modules (`web/` beside this file), the networks as ONNX files, and onnxruntime-web, which runs them. The modules do
in the browser what `inference` does here, step by step; tests hold the two side by side.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.config import BYTES, FP32, INT8
from torchfakes_utils.export.face_networks import FACE_NETWORKS
from torchfakes_utils.export.parity import Exported
from torchfakes_utils.export.runtimes import load_network
from torchfakes_utils.export.web_runtime import PACKAGE, VERSION, WASM_FILES, WEBGPU_FILES, write_runtime
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.models.run_files import DETECTOR_FILE
from torchfakes_utils.report import write
from torchfakes_utils.report.text import headline

_TEMPLATES = Path(__file__).parent / "web"

# Megapixels: what phones take, and what their browsers can hold once it is decoded.
MOST_MEGAPIXELS = 60

# Of a detector: what a visitor loads before the first answer, and what a phone's browser can hold and compute.
MOST_MEGABYTES = 250

# By how much a logit or a distance in a browser may differ from ours, as a share of it (of at least 1), and still be
# right. Other processors add in another order, and what an int8 network adds is rounded to 256 levels: a hair may
# become a step.
_TOLERANCE = {FP32: 0.01, INT8: 0.05}


def write_web(run: Path, out: Path, detector: Detector, exported: Exported) -> None:
    """Complete a folder of exported networks to a page.

    Args:
        run: the run's folder; what its report says of the detector is said on the page.
        out: a folder that holds detector.PRECISION.onnx, the three face networks and detector.json. Detectors that the
            page does not use are removed from it.
        detector: the one that was exported.
        exported: which files passed their check, and why others did not.

    Raises:
        InputError: the runtime cannot be had, or `out` cannot be written to.
    """
    by_precision = {one.precision: one for one in exported.files}
    precision = INT8 if INT8 in by_precision else FP32
    check_size(sum(one.numel() for one in detector.parameters()), (precision,))  # 8 bits may have been refused
    model, why = f"detector.{precision}.onnx", exported.refused.get(INT8)
    for other in out.glob("detector.*.onnx"):
        if other.name != model:
            other.unlink()
    write_runtime(out / "ort")
    sources = [source.name for source in _TEMPLATES.iterdir() if source.name not in ("sw.js", "README.txt")]
    for name in sources:
        shutil.copyfile(_TEMPLATES / name, out / name)
    networks = [*(f"{name}.onnx" for name in FACE_NETWORKS), model]
    runtime = f"{PACKAGE} {VERSION}"
    measured = _measured(run, detector)
    if precision == INT8:
        auc, own = by_precision[INT8].auc["crop"], by_precision[INT8].auc_detector["crop"]
        measured.append(
            f"This page computes in 8 bits: AUC by crop {auc:.3f}, where the detector that was measured has {own:.3f}."
        )
    page = {
        "detector": {"file": model, "precision": precision, "note": f"int8 was refused: {why}" if why else ""},
        "megapixels": MOST_MEGAPIXELS,
        "bytes": sum((out / name).stat().st_size for name in (*networks, "ort/ort-wasm-simd-threaded.wasm")),
        "self_test": self_test(out / model, detector.preprocessing.size, precision),
        "runtime": runtime,
        "measured": measured,
    }
    (out / "page.json").write_bytes(json.dumps(page, indent=2).encode())
    needed, if_asked = ([f"ort/{name}" for name in names] for names in (WASM_FILES, WEBGPU_FILES))
    needed += [*sources, "page.json", DETECTOR_FILE, *networks]
    (out / "sw.js").write_bytes(_worker(out, sorted(needed), sorted(if_asked)).encode())
    readme = (_TEMPLATES / "README.txt").read_text(encoding="utf-8")
    (out / "README.txt").write_bytes(readme.replace("@RUNTIME@", runtime).encode())


def check_size(numbers: int, precisions: tuple[str, ...]) -> None:
    """Refuse a network that is too large for a page, before minutes have gone by.

    Args:
        numbers: its parameters.
        precisions: that are asked for; the page has the smallest.

    Raises:
        InputError: it is.
    """
    least = min(BYTES[name] for name in precisions) * numbers / 1e6
    if least > MOST_MEGABYTES:
        raise InputError(
            f"a page with this detector would load {least:,.0f} MB before it judges a face, and {MOST_MEGABYTES} MB is "
            "the most: show it with `torchfakes app`, or take --format onnx"
        )


def self_test(model: Path, size: int, precision: str) -> dict[str, Any]:
    """What the detector says of two known pictures: the page trusts no runtime that says something else."""
    found, share = load_network(model)(probe_pictures(size)), _TOLERANCE[precision]
    scales = np.maximum(1.0, np.abs(found).max(0))
    logits, distances = found.T.tolist()
    return {
        "logits": logits, "tolerance": float(share * scales[0]),
        "distances": distances, "distance_tolerance": float(share * scales[1]),
    }  # fmt: skip


def probe_pictures(size: int) -> np.ndarray:
    """Two pictures of no face, (2, 3, size, size) uint8, which the page can make, too, without a file."""
    channel, y, x = np.ogrid[:3, :size, :size]
    first = (x * (3 + channel) + y * (5 - channel) + (x * y >> 4)) & 255
    return np.stack([first, 255 - first]).astype(np.uint8)


def _measured(run: Path, detector: Detector) -> list[str]:
    """What the run's report says, if it is about these very weights."""
    try:
        known = write.read(run)
    except InputError:
        return []
    if known.detector.sha256 != detector.sha256:
        return []
    first, *others = headline(known)
    return [f"On “{known.data.name}”, split “{known.split}”: {first}", *others]


def _worker(out: Path, needed: list[str], if_asked: list[str]) -> str:
    """The service worker, which knows every file's digest; its version changes whenever one of them does."""
    digests = {name: sha256_of(out / name) for name in [*needed, *if_asked]}
    source = (_TEMPLATES / "sw.js").read_text(encoding="utf-8")
    version = hashlib.sha256(json.dumps([source, digests], sort_keys=True).encode()).hexdigest()[:16]

    def listed(names: list[str]) -> str:
        return "\n" + "".join(f'  "{name}": "{digests[name]}",\n' for name in names)

    source = source.replace("@VERSION@", version)
    return source.replace("/*NEEDED*/", listed(needed)).replace("/*IF_ASKED*/", listed(if_asked))
