"""Take a detector along: ONNX files, ExecuTorch programs for phones, or a web page; checked before they are kept.

A folder of an export is whole: it is made beside its place, checked against the detector, and then takes the place of
what was there before.
"""

import dataclasses
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.export import check
from torchfakes_utils.export import parity as parity_page
from torchfakes_utils.export.check import CheckData
from torchfakes_utils.export.config import FP32, INT8, PRECISIONS, ExportConfig, Say
from torchfakes_utils.export.graph import FACE_NETWORKS, check_same, describe
from torchfakes_utils.export.mtcnn_numpy import CascadeDetector, FaceNetworks
from torchfakes_utils.export.parity import Checked
from torchfakes_utils.faces.config import DEFAULTS, ExtractionConfig
from torchfakes_utils.io.files import atomic_write, sha256_of
from torchfakes_utils.models.detector import Detector, load
from torchfakes_utils.models.run_files import DETECTOR_FILE, EXPORT_FOLDER, PARITY_FILE, PARITY_PAGE_FILE, TRAINING_FILE

logger = logging.getLogger(__name__)


# Where a table of faces lies, seen from a folder above the run or the one that the command runs in.
_TABLES = ("data/*/faces/faces.csv", "data/*/faces.csv", "*/faces/faces.csv", "*/faces.csv", "faces.csv")


class Network(Protocol):
    """An exported detector that can be run: crops (B, 3, S, S) uint8 to logits (B,)."""

    path: Path
    description: dict[str, Any]

    def __call__(self, crops: torch.Tensor | np.ndarray) -> torch.Tensor | np.ndarray:
        """A tensor for a tensor, an array for an array."""


def export(run: Path | str, config: ExportConfig = ExportConfig()) -> Checked:
    """Export a run's best detector, and check what came out; as `make`, but a file that is refused is an error.

    Raises:
        InputError: as of `make`, and where int8 is refused; what passed is then in the folder.
    """
    made = make(run, config)
    if made.refused:
        kept = ", ".join(one.file for one in made.files)
        raise InputError(f"{'; '.join(made.refused.values())} ({kept} is in {made.folder})")
    return made


def make(run: Path | str, config: ExportConfig = ExportConfig()) -> Checked:
    """Export a run's best detector, and check what came out.

    Args:
        run: its folder, or a detector's own.
        config: what and how.

    Returns:
        The figures of every file. An int8 file that did not pass is in `refused`, with the reason, and not in the
        folder.

    Raises:
        InputError: the detector, the table or a package is not there, or no file passed, or float32 did not; what was
            exported before is then as it was.
    """
    run = Path(run)
    detector = load(run)
    out = config.out or run / EXPORT_FOLDER / config.format
    _check_out(out)
    if config.format == "web":  # what is missing is missed before minutes have gone by
        from torchfakes_utils.export import web_runtime

        web_runtime.fetch_package()
    data = _data(run, detector, config)
    data = dataclasses.replace(data, notes=(*data.notes, *detector.decision.cautions))
    for note in data.notes:
        logger.warning("%s", note)
    checked = _replace(out, lambda folder: _fill(folder, run, detector, config, data))
    checked.folder = out
    return checked


def load_network(path: Path | str, threads: int | None = None, detector: Detector | None = None) -> Network:
    """An exported detector, to be run in the place of the detector itself.

    Args:
        path: a .onnx or .pte file of an export.
        threads: that compute one crop; None is as many as PyTorch takes.
        detector: what it has to be made from, where that matters.

    Raises:
        InputError: no such file, not a detector of ours, made from other weights, or a package is not installed.
    """
    network = _open(path, threads)
    if detector is not None:
        check_same(network.description, detector, path)
    return network


def load_face_detector(
    folder: Path | str, config: ExtractionConfig = DEFAULTS, threads: int | None = None
) -> CascadeDetector:
    """The exported face networks of a folder, for `inference.Predictor.face_detectors`.

    Args:
        folder: of an export, with pnet, rnet and onet as .onnx or .pte.
        config: how faces are looked for.
        threads: that compute; None is as many as PyTorch takes.

    Raises:
        InputError: they are not there, or cannot be run.
    """
    folder = Path(folder)
    suffix = ".pte" if (folder / "pnet.pte").is_file() else ".onnx"
    paths = [folder / f"{name}{suffix}" for name in FACE_NETWORKS]
    return CascadeDetector(FaceNetworks(*(_runtime(path).face_callable(path, threads) for path in paths)), config)


def find_faces(run: Path) -> Path | None:
    """The table that a run was trained on, if it still lies near: known by its SHA-256, not by its name."""
    wanted = _trained_on(run)
    if wanted is None:
        return None
    here = run.resolve()
    for folder in dict.fromkeys([*here.parents[:3], Path.cwd()]):
        for path in (found for pattern in _TABLES for found in sorted(folder.glob(pattern))):
            if sha256_of(path) == wanted:
                return path
    return None


def _trained_on(run: Path) -> str | None:
    """SHA-256 of the table that a run was trained on."""
    for folder in (run, run.parent):  # a detector's own folder lies in its run's
        for name in (TRAINING_FILE, DETECTOR_FILE):
            try:
                known = json.loads((folder / name).read_text(encoding="utf-8"))
                found = known.get("faces_sha256") or known["extra"]["run"]["faces_sha256"]
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue
            if isinstance(found, str):
                return found
    return None


def _data(run: Path, detector: Detector, config: ExportConfig) -> CheckData:
    faces = config.faces or find_faces(run)
    if faces is not None:
        config.say(f"crops are those of {faces}")
        return check.read_data(detector, faces, _trained_on(run), INT8 in config.precisions)
    if INT8 in config.precisions:
        raise InputError(
            f"{run}: int8 needs validation and test crops, and the run's table is not near it; give --faces FACES.CSV, "
            "or export --precision fp32 alone"
        )
    return check.noise_data(detector)


def _fill(folder: Path, run: Path, detector: Detector, config: ExportConfig, data: CheckData) -> Checked:
    """Make and check everything in a folder of its own."""
    suffix = ".pte" if config.format == "executorch" else ".onnx"
    paths = {name: folder / f"detector.{name}{suffix}" for name in PRECISIONS if name in config.precisions}
    runtime = _runtime(folder / f"detector{suffix}")
    checked = Checked(notes=list(data.notes), threads=config.threads)
    config.say("face networks")
    faces = runtime.export_face_networks(folder)
    checked.face_networks = check.compare_faces(
        {name: runtime.face_callable(path, config.threads) for name, path in faces.items()}
    )
    _make(runtime, detector, paths, data, checked, config.say)
    config.say("checking")
    _judge(detector, paths, data, checked)
    _write_texts(folder, detector, checked, runtime.made_with())
    if config.format == "web":
        from torchfakes_utils.export import web_page

        config.say("web page")
        web_page.write_web(run, folder, detector, data, tuple(one.precision for one in checked.files))
    return checked


def _make(
    runtime: ModuleType, detector: Detector, paths: dict[str, Path], data: CheckData, checked: Checked, say: Say
) -> None:
    """The detector's files. That int8 cannot be made is noted, where float32 is there."""
    if FP32 in paths:
        say(paths[FP32].name)
        runtime.export_detector(detector, paths[FP32])
    if INT8 in paths:
        say(paths[INT8].name)
        try:
            runtime.export_int8(detector, data.calibration, paths[INT8])
        except InputError as error:
            if FP32 not in paths:
                raise
            checked.refused[INT8] = str(error)


def _judge(detector: Detector, paths: dict[str, Path], data: CheckData, checked: Checked) -> None:
    """Keep what passes its check, and delete what does not.

    Raises:
        InputError: float32 does not pass, or nothing does.
    """
    networks = {name: (path, _open(path, checked.threads)) for name, path in paths.items() if path.is_file()}
    for parity in check.compare(networks, detector, data, checked.threads):
        why = parity_page.why_refused(parity)
        if why and parity.precision == FP32:
            raise InputError(why)
        if why:
            checked.refused[parity.precision] = why
            checked.rejected.append(parity)
            paths[parity.precision].unlink()
        else:
            checked.files.append(parity)
    if not checked.files:
        raise InputError("; ".join(checked.refused.values()))


def _write_texts(folder: Path, detector: Detector, checked: Checked, made_with: dict[str, str]) -> None:
    description = describe(detector, " and ".join(one.precision for one in checked.files)) | {"made_with": made_with}
    title = f"Exported {detector.config.architecture} beside the detector"
    texts = {
        DETECTOR_FILE: json.dumps(description, indent=2, ensure_ascii=False) + "\n",
        PARITY_FILE: json.dumps(checked.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        PARITY_PAGE_FILE: parity_page.page(checked, title),
    }
    for name, text in texts.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _runtime(path: Path | str) -> ModuleType:
    """What makes and runs files of this kind: `export_onnx` or `export_executorch`.

    Raises:
        InputError: neither does.
    """
    from torchfakes_utils.export import executorch_format, onnx_format

    known = {".onnx": onnx_format, ".pte": executorch_format}
    if Path(path).suffix not in known:
        raise InputError(f"{path}: neither .onnx nor .pte; give a file that `torchfakes export` made")
    return known[Path(path).suffix]


def _open(path: Path | str, threads: int | None) -> Network:
    runtime = _runtime(path)
    return (runtime.PteNetwork if Path(path).suffix == ".pte" else runtime.OnnxNetwork)(path, threads)


def _check_out(out: Path) -> None:
    """Refuse to replace what is no export.

    Raises:
        InputError: a file, or a folder with other things in it.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: a file; choose another --out")
    if out.is_dir() and any(out.iterdir()) and not (out / PARITY_FILE).is_file():
        raise InputError(f"{out}: holds other things than an export, and is left alone; choose another --out")


def _replace(out: Path, fill: Callable[[Path], Checked]) -> Checked:
    """Fill a folder beside `out`, then let it take its place; an error, or a crash, leaves `out` as it was.

    Raises:
        InputError: what `fill` raises, or there is no room or right to write.
    """
    place = out.absolute()  # "." has no name
    fresh, old = (place.with_name(f".{place.name}.{word}") for word in ("fresh", "old"))
    try:
        if old.is_dir() and not out.exists():  # a run was killed just between the two steps below
            old.rename(out)
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh.mkdir(parents=True)
        checked = fill(fresh)
        if out.exists():
            out.rename(old)
        try:
            fresh.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if error.errno is None:
            raise
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return checked
