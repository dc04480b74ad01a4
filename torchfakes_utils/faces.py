"""From clips to face crops: `faces.csv`, and the crops that its rows name.

How a face is found, followed and cut is in `face_detection`; its names can be had from here too. This module goes
through the clips with it: it remembers each clip that is done, so that a run which was stopped, or to which new
clips were added, goes on where it was.
"""

import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from torchfakes_utils.errors import InputError
from torchfakes_utils.face_detection import (
    DEFAULTS,
    Detections,
    ExtractionConfig,
    FaceDetector,
    follow,
    square_crop,
)
from torchfakes_utils.faceforensics import COMPRESSIONS, with_reals
from torchfakes_utils.sharpness import variance_of_laplacian
from torchfakes_utils.tables import (
    CLIP_COLUMNS,
    CLIP_KEY,
    FACE_COLUMNS,
    FAILURE_COLUMNS,
    atomic_write,
    read_table,
    write_table,
)
from torchfakes_utils.video import read_frames

logger = logging.getLogger(__name__)

__all__ = [
    "DEFAULTS",
    "Detections",
    "ExtractionConfig",
    "ExtractionReport",
    "FaceDetector",
    "extract",
    "follow",
    "square_crop",
]

# Fields that choose clips or hardware: they may differ between two runs into one folder. All others change the crops.
_FREE_FIELDS = ("compression", "methods", "device", "batch")


@dataclass(frozen=True)
class ExtractionReport:
    """What an extraction came to: clips looked at, crops written in all, clips that gave none, seconds it took."""

    clips: int
    faces: int
    failures: int
    seconds: float


def extract(
    root: Path | str,
    out: Path | str,
    config: ExtractionConfig = DEFAULTS,
    workers: int = 1,
    progress: bool = True,
    overwrite: bool = False,
) -> ExtractionReport:
    """Cut the faces out of a data set's clips.

    Writes `faces.csv`, `failures.csv` (the clips that gave no crop, and why), `extraction.json` (the configuration)
    and `crops/<method>/<compression>/<clip>/<frame>.png` into `out`. A second run does only what is not done yet: new
    clips, and clips whose file has changed since.

    Args:
        root: the data set's folder, with its `clips.csv`.
        out: the folder to write to.
        config: how to find and cut.
        workers: processes; more than one is worth while when there are hundreds of clips.
        progress: show a bar, on a terminal and in a notebook.
        overwrite: start again, where `out` holds an extraction with another configuration.

    Raises:
        InputError: no usable `clips.csv`, nothing in it fits the configuration, `out` cannot be written to or holds
            crops that were cut otherwise, or not one face was found.
    """
    start = time.perf_counter()
    root, out = Path(root), Path(out)
    clips = _select(root, config)
    _claim(out, config, overwrite)
    parts = {clip["path"]: _read_part(root, out, clip) for clip in clips}
    todo = [clip for clip in clips if parts[clip["path"]] is None]
    results = _run_all(todo, _Job(root, out, config), min(workers, len(todo)))
    with tqdm(total=len(clips), initial=len(clips) - len(todo), unit="clip", disable=None if progress else True) as bar:
        for clip, part in zip(todo, results, strict=True):
            parts[clip["path"]] = part
            bar.update()
    faces = [clip | row for clip in clips for row in parts[clip["path"]]["faces"]]
    failures = [clip | {"reason": parts[clip["path"]]["reason"]} for clip in clips if not parts[clip["path"]]["faces"]]
    write_table(pd.DataFrame(faces, columns=FACE_COLUMNS), out / "faces.csv", FACE_COLUMNS)
    write_table(pd.DataFrame(failures, columns=FAILURE_COLUMNS), out / "failures.csv", FAILURE_COLUMNS)
    if not faces:
        raise InputError(f"{root}: not one face in {len(clips)} clips; the reasons are in {out / 'failures.csv'}")
    return ExtractionReport(len(clips), len(faces), len(failures), round(time.perf_counter() - start, 3))


@dataclass(frozen=True)
class _Job:
    """What is the same for every clip of an extraction."""

    root: Path
    out: Path
    config: ExtractionConfig


def _select(root: Path, config: ExtractionConfig) -> list[dict]:
    """The rows of `clips.csv` that the configuration asks for."""
    if not (root / "clips.csv").is_file():
        raise InputError(f"{root}: holds no clips.csv; make it with `torchfakes clips {root}`")
    clips = read_table(root / "clips.csv", CLIP_COLUMNS)
    if clips.duplicated(CLIP_KEY).any() or clips.duplicated("path").any():
        raise InputError(f"{root / 'clips.csv'}: names a video twice; make it again with `torchfakes clips {root}`")
    there = [name for name in COMPRESSIONS if (clips["compression"] == name).any()]
    compression = config.compression or ("c23" if "c23" in there else next(iter(there), ""))
    chosen = clips[clips["compression"] == compression]
    if config.methods is not None:
        chosen = chosen[chosen["method"].isin(with_reals(config.methods))]
    if chosen.empty:
        asked = ", ".join([compression or "any compression", *(config.methods or ())])
        held = ", ".join([*there, *sorted(set(clips["method"]))]) or "no clips"
        raise InputError(f"{root / 'clips.csv'}: no clips for {asked}; it holds {held}")
    return chosen[CLIP_COLUMNS].to_dict("records")


def _claim(out: Path, config: ExtractionConfig, overwrite: bool) -> None:
    """Make sure that all crops in `out` are cut in one way, and write that way down."""
    record = out / "extraction.json"
    settings = asdict(config)
    if record.exists():
        try:
            before = json.loads(record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = {}
        changed = [name for name in settings if name not in _FREE_FIELDS and before.get(name) != settings[name]]
        if changed and not overwrite:
            was = ", ".join(f"{name} {before.get(name)} instead of {settings[name]}" for name in changed)
            raise InputError(f"{out}: holds crops cut otherwise ({was}); choose another folder, or --overwrite")
        if changed or overwrite:
            shutil.rmtree(out / ".parts", ignore_errors=True)
            shutil.rmtree(out / "crops", ignore_errors=True)
    with atomic_write(record) as temporary:
        temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _run_all(clips: list[dict], job: _Job, workers: int) -> Iterator[dict]:
    """A part for each clip, in order."""
    if not clips:
        return
    if workers <= 1:
        detector = FaceDetector(job.config.device, job.config)
        yield from (_extract_clip(clip, job, detector) for clip in clips)
        return
    # spawn: a forked process would share the locks of torch's threads, and cannot use CUDA.
    threads = max(1, (os.cpu_count() or 1) // workers)
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (job, threads)) as pool:
        try:
            yield from pool.map(_extract_in_worker, clips)
        except BrokenProcessPool as error:
            raise InputError("a worker ended by itself (out of memory?); run again with fewer workers") from error


_worker: tuple[_Job, FaceDetector]


def _start_worker(job: _Job, threads: int) -> None:
    import torch

    global _worker
    torch.set_num_threads(threads)  # or every process would claim every core
    cv2.setNumThreads(threads)
    _worker = job, FaceDetector(job.config.device, job.config)


def _extract_in_worker(clip: dict) -> dict:
    return _extract_clip(clip, *_worker)


def _extract_clip(clip: dict, job: _Job, detector: FaceDetector) -> dict:
    """Do one clip and remember it; a clip that cannot be used gives a part with a reason and no faces."""
    path = job.root / clip["path"]
    shutil.rmtree(job.out / _crop_folder(clip), ignore_errors=True)  # of an earlier version of this clip
    part = {"path": clip["path"], "bytes": _bytes(path), "reason": "", "faces": []}
    try:
        crops = list(_cut(path, job.config, detector))
    except InputError as error:
        part["reason"] = str(error).removeprefix(f"{path}: ")
    except Exception as error:  # one strange clip must not end a night's run; it is tried again next time
        logger.warning("%s: %s", path, error, exc_info=True)
        return part | {"reason": f"unexpected {type(error).__name__}: {error}"}
    else:
        part["faces"] = [_write_crop(crop, row, clip, job) for crop, row in crops]
        part["reason"] = "" if crops else f"no face in the {job.config.frames} frames looked at"
    with atomic_write(_part_path(job.out, clip)) as temporary:
        temporary.write_text(json.dumps(part), encoding="utf-8")
    return part


def _cut(path: Path, config: ExtractionConfig, detector: FaceDetector) -> Iterator[tuple[np.ndarray, dict]]:
    """The crops of a clip's followed face, each with its columns of `faces.csv`."""
    indices, frames = read_frames(path, count=config.frames)
    detections = detector.detect(frames)
    for index, frame, found, face in zip(indices, frames, detections, follow(detections), strict=True):
        if face is None:
            continue
        crop, square = square_crop(frame, found.boxes[face], config.crop_scale, config.size)
        landmarks = (found.landmarks[face] - square[:2]) * (config.size / (square[2] - square[0]))
        yield (
            crop,
            {
                "frame": int(index),
                **dict(zip(("x1", "y1", "x2", "y2"), square, strict=True)),
                "landmarks": " ".join(f"{value:.1f}" for value in landmarks.ravel()),
                "probability": round(float(found.probabilities[face]), 5),
                "sharpness": round(variance_of_laplacian(crop), 3),
            },
        )


def _write_crop(crop: np.ndarray, row: dict, clip: dict, job: _Job) -> dict:
    """Write a crop; return its row with `path`."""
    name = f"{row['frame']:05d}.{job.config.image_format}"
    path = _crop_folder(clip) / name
    # Not cv2.imwrite: it fails silently, and on Windows at names that are not ASCII.
    encoded = cv2.imencode(path.suffix, crop[:, :, ::-1], _ENCODING[path.suffix])[1]
    try:
        (job.out / path).parent.mkdir(parents=True, exist_ok=True)
        (job.out / path).write_bytes(encoded.tobytes())
    except OSError as error:
        raise InputError(f"{job.out}: cannot write there ({error.strerror}); free space or choose another") from error
    return row | {"path": path.as_posix()}


# Level 3 of 9: half the time of the highest level for a few per cent of size.
_ENCODING = {".png": [cv2.IMWRITE_PNG_COMPRESSION, 3], ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95]}


def _crop_folder(clip: dict) -> Path:
    return Path("crops", clip["method"], clip["compression"], clip["clip_id"])


def _part_path(out: Path, clip: dict) -> Path:
    return out / ".parts" / clip["method"] / clip["compression"] / f"{clip['clip_id']}.json"


def _read_part(root: Path, out: Path, clip: dict) -> dict | None:
    """What an earlier run remembered of a clip; None where it has to be done (again)."""
    try:
        part = json.loads(_part_path(out, clip).read_text(encoding="utf-8"))
        unchanged = part["path"] == clip["path"] and part["bytes"] == _bytes(root / clip["path"])
        return part if unchanged and all((out / row["path"]).is_file() for row in part["faces"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _bytes(path: Path) -> int:
    """A file's size; -1 where there is none. With it a clip that was downloaded again is noticed."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
