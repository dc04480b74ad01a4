"""The faces of one original and of its fakes: decode, detect, follow, cut, remember.

This is the work that `workers` share, one group of clips at a time. A clip that is done leaves its crops and, last of
all, its part.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.detection import FaceDetector, square_crop
from torchfakes_utils.faces.parts import Clip, Part, load_part, new_part, write_part
from torchfakes_utils.faces.quality import percent_outside, variance_of_laplacian
from torchfakes_utils.faces.thumbnails import aligned, thumbnail
from torchfakes_utils.faces.tracking import FINER, Track, detect_twice, face_near, track_face
from torchfakes_utils.io.clips import frames_at, length, read_spread
from torchfakes_utils.io.folders import remove_files
from torchfakes_utils.io.names import path_below
from torchfakes_utils.io.video import spread

logger = logging.getLogger(__name__)

# A crop (S, S, 3) uint8, with its columns of `faces.csv`.
Crop = tuple[np.ndarray, dict[str, Any]]

# A fake may be this much shorter or longer than its original and still share its frames: a method that takes a frame of
# the source for each of the target's ends with the shorter of the two films.
_LENGTHS = (0.5, 1.1)

# What a crop is called: nothing else is ever removed from where crops lie.
CROP_NAME = re.compile(r"[0-9]{5,}\.(png|jpg|webp)")

# Frames of a fake that are compared with its original's, spread over the clip.
_COMPARED = 8


@dataclass(frozen=True)
class Job:
    """What is the same for every clip of an extraction."""

    root: Path  # the data set's folder; clips' paths are relative to it
    out: Path  # of crops and parts
    config: ExtractionConfig
    decoders: int = 1  # threads that decode one video, 0 for as many as there are cores


@dataclass(frozen=True)
class Group:
    """Clips that show the same film."""

    original: Clip | None  # whose face serves the others; None for a fake whose original is not there or not wanted
    todo: list[Clip]  # the original among them if it is not done


@dataclass(frozen=True)
class _Reference:
    """What an original lends to its fakes."""

    indices: np.ndarray  # (N,) frames that were looked at
    thumbnails: list[np.ndarray]  # of each of them
    track: Track
    size: tuple[int, int]  # of its frames: height, width
    length: int  # how many frames the clip has


def extract_group(group: Group, job: Job, detector: FaceDetector) -> Iterator[Part]:
    """Do the clips of a group, the original first; a clip that cannot be used gives a part with a reason.

    Yields:
        A part for each of `group.todo`, as soon as it is written.

    Raises:
        InputError: the output folder cannot be written to.
    """
    original, reference = group.original, None
    if original is not None and original not in group.todo:
        reference = _recall(original, job)
    for clip in sorted(group.todo, key=lambda clip: clip != original):
        part, found = _extract_clip(clip, original, reference, job, detector)
        reference = found if clip == original else reference
        yield part


def _extract_clip(
    clip: Clip, original: Clip | None, reference: _Reference | None, job: Job, detector: FaceDetector
) -> tuple[Part, _Reference | None]:
    """A clip's part, and what the clip can lend to others."""
    path = job.root / clip["path"]
    part = new_part(job.root, clip, original)
    _clear(clip, job)
    found = None
    try:
        crops = _cut_as_in(reference, path, job, detector) if reference else None
        if crops is None:
            found, crops = _find(path, job, detector)
            part["track"] = found.track.to_json() | {"looked_at": found.indices.tolist(), "length": found.length}
        part["faces"] = [_write_crop(crop, row, clip, job) for crop, row in crops]
        looked_at = job.config.frames if found is None else len(found.indices)
        frames = "frame" if looked_at == 1 else f"{looked_at} frames"
        part["reason"] = "" if part["faces"] else f"no face in the {frames} looked at"
    except _OutputError:
        raise
    except InputError as error:
        part |= {"reason": str(error).removeprefix(f"{path}: "), "faces": []}
    except Exception as error:  # one strange clip must not end a night's run; it is tried again next time
        logger.warning("%s: %s", path, error, exc_info=True)
        part |= {"reason": f"unexpected {type(error).__name__}: {error}", "faces": []}
        return part, None
    write_part(job.out, clip, part)
    return part, found


def _clear(clip: Clip, job: Job) -> None:
    """Remove the crops of an earlier version of a clip."""
    try:
        remove_files(path_below(job.out, _crop_folder(clip)), CROP_NAME)
    except InputError as error:
        raise _OutputError(str(error)) from error


def _find(path: Path, job: Job, detector: FaceDetector) -> tuple[_Reference, list[Crop]]:
    """Look for a clip's face, follow it and cut it out."""
    indices, frames, shots = read_spread(path, job.config.frames, job.decoders)
    thumbnails, size = [thumbnail(frame) for frame in frames], frames[0].shape[:2]
    detections = detect_twice(detector, frames, job.config.min_probability, shots)
    track = track_face(indices, detections, thumbnails, size, job.config.min_probability, shots)
    by_index = dict(zip(indices.tolist(), frames, strict=True))
    crops = [_crop(by_index[index], track, at, job.config) for at, index in enumerate(track.frames.tolist())]
    return _Reference(indices, thumbnails, track, size, length(path)), crops


def _cut_as_in(reference: _Reference, path: Path, job: Job, detector: FaceDetector) -> list[Crop] | None:
    """The crops of a fake where its original's face is; None where the two do not correspond."""
    frames_in_all = length(path)
    shortest, longest = (limit * reference.length for limit in _LENGTHS)
    wanted = [int(index) for index in reference.indices if index < frames_in_all]
    if not (shortest <= frames_in_all <= longest and len(reference.track) and wanted):
        return None
    track = reference.track.reused()
    place = {index: at for at, index in enumerate(track.frames.tolist())}
    known = [index for index in wanted if index in place]
    checked = {known[at] for at in spread(_COMPARED, len(known))}
    thumbnails = dict(zip(reference.indices.tolist(), reference.thumbnails, strict=True))
    crops: dict[int, Crop] = {}
    unknown: dict[int, np.ndarray] = {}
    pairs: list[tuple[np.ndarray, np.ndarray]] = []  # thumbnails of the same frame, the original's first
    boxes: list[np.ndarray] = []
    for index, frame in frames_at(path, wanted, job.decoders):
        if frame.shape[:2] != reference.size:
            return None
        if (at := place.get(index)) is None:
            unknown[index] = frame
            continue
        if index in checked:
            pairs.append((thumbnails[index], thumbnail(frame)))
            boxes.append(track.boxes[at] * (thumbnails[index].shape[0] / frame.shape[0]))
        crops[index] = _crop(frame, track, at, job.config)
    if not aligned(pairs, boxes):
        return None
    crops |= _cut_unknown(unknown, track, job.config, detector)
    return [crops[index] for index in sorted(crops)]


def _cut_unknown(
    frames: dict[int, np.ndarray], track: Track, config: ExtractionConfig, detector: FaceDetector
) -> dict[int, Crop]:
    """Crops of a fake's frames in which the original shows no face: the forged one may be found all the same."""
    crops = {}
    for (index, frame), found in zip(frames.items(), detector.detect(list(frames.values()), FINER), strict=True):
        if (face := face_near(track, index, found)) is not None:
            crops[index] = _crop(frame, face, 0, config)
    return crops


def _recall(original: Clip, job: Job) -> _Reference | None:
    """What an original that an earlier run has done lends to its fakes: its part remembers all but the thumbnails."""
    try:
        track = load_part(job.out, original)["track"]
        indices, frames_in_all = track.pop("looked_at"), track.pop("length")
        pictures, sizes = [], set()
        for _, frame in frames_at(job.root / original["path"], indices, job.decoders):
            pictures.append(thumbnail(frame))
            sizes.add(frame.shape[:2])
        (size,) = sizes  # where it changes on the way, each film is searched for itself
        return _Reference(np.asarray(indices), pictures, Track.of(**track), size, frames_in_all)
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return None  # it could not be used itself


def _crop(frame: np.ndarray, track: Track, at: int, config: ExtractionConfig) -> Crop:
    """One crop with its columns of `faces.csv`; `at` is the face's place in the track."""
    crop, square = square_crop(frame, track.boxes[at], config.crop_scale, config.size)
    landmarks = (track.landmarks[at] - square[:2]) * (config.size / (square[2] - square[0]))
    return crop, {
        "frame": int(track.frames[at]),
        **dict(zip(("x1", "y1", "x2", "y2"), square, strict=True)),
        "landmarks": " ".join(f"{value:.1f}" for value in landmarks.ravel()),
        "probability": round(float(track.probabilities[at]), 5),
        "sharpness": round(variance_of_laplacian(crop), 3),
        "found": track.found[at],
        "outside": round(float(percent_outside(np.array([square]), frame.shape[:2])[0]), 2),
    }


class _OutputError(InputError):
    """The output folder is at fault, not the clip."""


def _write_crop(crop: np.ndarray, row: dict[str, Any], clip: Clip, job: Job) -> dict[str, Any]:
    """Write a crop; return its row with `path` and how it is stored."""
    config = job.config
    path = _crop_folder(clip) / f"{row['frame']:05d}.{config.image_format}"
    options = {
        "png": [],  # OpenCV's own choice: its higher levels take twice the time for a seventh of the size
        "jpg": [cv2.IMWRITE_JPEG_QUALITY, config.quality],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, config.quality],
    }[config.image_format]
    # Not cv2.imwrite: it fails silently, and on Windows at names that are not ASCII.
    encoded = cv2.imencode(path.suffix, crop[:, :, ::-1], options)[1]
    try:
        (job.out / path).parent.mkdir(parents=True, exist_ok=True)
        (job.out / path).write_bytes(encoded.tobytes())
    except OSError as error:
        raise _OutputError(f"{job.out}: cannot write there ({error.strerror}); free space or choose another") from error
    quality = "lossless" if config.image_format == "png" else config.quality
    stored = {"crop_size": config.size, "crop_format": config.image_format, "crop_quality": quality}
    return row | {"path": path.as_posix(), **stored}


def _crop_folder(clip: Clip) -> Path:
    return Path("crops", clip["place"])
