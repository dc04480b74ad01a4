"""The faces of one original and of its fakes: decode, detect, follow, cut, remember.

This is the work that `faces` shares out, one group of clips at a time. A clip that is done leaves its crops and, last
of all, a *part*: a small JSON file that holds its rows of `faces.csv`. Whatever was stopped before its part was
written is done again from the start, so that a crash leaves nothing half-done behind that counts as done.
"""

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.detection import FaceDetector, square_crop
from torchfakes_utils.faces.quality import variance_of_laplacian
from torchfakes_utils.faces.tracking import (
    DETECTED,
    FINER,
    INTERPOLATED,
    REUSED,
    Track,
    aligned,
    detect_twice,
    face_near,
    thumbnail,
    track_face,
)
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.io.video import frames_at, length, spread

logger = logging.getLogger(__name__)

Clip = dict[str, object]
Part = dict[str, object]

# A fake may be this much shorter or longer than its original and still share its frames: a method that takes a frame of
# the source for each of the target's ends with the shorter of the two films.
_LENGTHS = (0.5, 1.1)

# Frames of a fake that are compared with its original's, spread over the clip.
_COMPARED = 8


@dataclass(frozen=True)
class Job:
    """What is the same for every clip of an extraction.

    Attributes:
        root: the data set's folder; clips' paths are relative to it.
        out: the folder of crops and parts.
        config: how faces are found and cut.
        decoders: threads that decode one video, 0 for as many as there are cores.
    """

    root: Path
    out: Path
    config: ExtractionConfig
    decoders: int = 1


@dataclass(frozen=True)
class Group:
    """Clips that show the same film.

    Attributes:
        original: the real clip, whose face serves the others; None where there is none, or reuse is not wanted.
        todo: the clips to do, the original among them if it is not done.
    """

    original: Clip | None
    todo: list[Clip]


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
    reference = None
    todo = list(group.todo)
    if group.original is not None and group.original in todo:
        todo.remove(group.original)
        part, reference = _extract_clip(group.original, group, None, job, detector)
        yield part
    elif group.original is not None and todo:
        reference = _recall(group.original, job)
    for clip in todo:
        yield _extract_clip(clip, group, reference, job, detector)[0]


def part_path(out: Path, clip: Clip) -> Path:
    """Where a clip's part lies."""
    return out / ".parts" / str(clip["method"]) / str(clip["compression"]) / f"{clip['clip_id']}.json"


def read_part(root: Path, out: Path, clip: Clip, original: Clip | None) -> Part | None:
    """What an earlier run remembered of a clip; None where it has to be done (again).

    That is so where the clip or its original has another size than then, or a crop is gone.
    """
    try:
        part = json.loads(part_path(out, clip).read_text(encoding="utf-8"))
        same = all(part[name] == value for name, value in _stamp(root, clip, original).items())
        return part if same and all((out / row["path"]).is_file() for row in part["faces"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _stamp(root: Path, clip: Clip, original: Clip | None) -> dict[str, object]:
    """By which it is noticed that a video was downloaded again, or that the original has come since."""
    lender = None if original is None or original["path"] == clip["path"] else original["path"]
    return {
        "path": clip["path"],
        "bytes": _bytes(root / str(clip["path"])),
        "original": lender,
        "original_bytes": None if lender is None else _bytes(root / str(lender)),
    }


def _bytes(path: Path) -> int:
    """A file's size; -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _extract_clip(
    clip: Clip, group: Group, reference: _Reference | None, job: Job, detector: FaceDetector
) -> tuple[Part, _Reference | None]:
    """A clip's part, and what the clip can lend to others."""
    path = job.root / str(clip["path"])
    part = _stamp(job.root, clip, group.original) | {"reason": "", "faces": []}
    shutil.rmtree(job.out / _crop_folder(clip), ignore_errors=True)  # of an earlier version of this clip
    found = None
    try:
        crops = None if reference is None else _cut_as_in(reference, path, job, detector)
        if crops is None:
            found, frames = _find(path, job, detector)
            part["track"] = found.track.to_json() | {"looked_at": found.indices.tolist(), "length": found.length}
            crops = _cut(found, frames, job.config)
        part["faces"] = [_write_crop(crop, row, clip, job) for crop, row in crops]
        part["reason"] = "" if part["faces"] else f"no face in the {job.config.frames} frames looked at"
    except _OutputError:
        raise
    except InputError as error:
        part |= {"reason": str(error).removeprefix(f"{path}: "), "faces": []}
    except Exception as error:  # one strange clip must not end a night's run; it is tried again next time
        logger.warning("%s: %s", path, error, exc_info=True)
        return part | {"reason": f"unexpected {type(error).__name__}: {error}", "faces": []}, None
    with atomic_write(part_path(job.out, clip)) as temporary:
        temporary.write_text(json.dumps(part), encoding="utf-8")
    return part, found


def _find(path: Path, job: Job, detector: FaceDetector) -> tuple[_Reference, list[np.ndarray]]:
    """Look for a clip's face; the frames come along, to be cut."""
    frames_in_all, _ = length(path)
    wanted = spread(job.config.frames, frames_in_all)
    indices, frames = zip(*frames_at(path, wanted, job.decoders, stand_in=True), strict=True)
    indices, thumbnails, size = np.asarray(indices), [thumbnail(frame) for frame in frames], frames[0].shape[:2]
    detections = detect_twice(detector, frames, job.config.min_probability)
    track = track_face(indices, detections, thumbnails, size, job.config.min_probability)
    return _Reference(indices, thumbnails, track, size, frames_in_all), list(frames)


def _cut(
    found: _Reference, frames: Sequence[np.ndarray], config: ExtractionConfig
) -> Iterator[tuple[np.ndarray, dict]]:
    """The crops of a clip's own track, each with its columns of `faces.csv`."""
    by_index = dict(zip(found.indices.tolist(), frames, strict=True))
    return (_crop(by_index[int(index)], found.track, at, config) for at, index in enumerate(found.track.frames))


def _cut_as_in(
    reference: _Reference, path: Path, job: Job, detector: FaceDetector
) -> list[tuple[np.ndarray, dict]] | None:
    """The crops of a fake where its original's face is; None where the two do not correspond."""
    frames_in_all, _ = length(path)
    shortest, longest = (limit * reference.length for limit in _LENGTHS)
    wanted = [int(index) for index in reference.indices if index < frames_in_all]
    if not (shortest <= frames_in_all <= longest and len(reference.track) and wanted):
        return None
    track = reference.track
    track = replace(track, found=np.where(track.found == INTERPOLATED, INTERPOLATED, REUSED).astype(object))
    place = {int(index): at for at, index in enumerate(track.frames)}
    known = [index for index in wanted if index in place]
    checked = {known[at] for at in spread(_COMPARED, len(known))}
    thumbnails = dict(zip(reference.indices.tolist(), reference.thumbnails, strict=True))
    crops, compared, unknown = {}, [], {}
    for index, frame in frames_at(path, wanted, job.decoders):
        if frame.shape[:2] != reference.size:
            return None
        if index not in place:
            unknown[index] = frame
            continue
        at = place[index]
        if index in checked:
            compared.append(
                (thumbnails[index], thumbnail(frame), track.boxes[at] * (thumbnails[index].shape[0] / frame.shape[0]))
            )
        crops[index] = _crop(frame, track, at, job.config)
    if not compared or not aligned(*zip(*compared, strict=True)):
        return None
    crops |= _cut_unknown(unknown, track, job.config, detector)
    return [crops[index] for index in sorted(crops)]


def _cut_unknown(
    frames: dict[int, np.ndarray], track: Track, config: ExtractionConfig, detector: FaceDetector
) -> dict[int, tuple[np.ndarray, dict]]:
    """Crops of a fake's frames in which the original shows no face: the forged one may be found all the same."""
    crops = {}
    for (index, frame), found in zip(frames.items(), detector.detect(list(frames.values()), FINER), strict=True):
        face = face_near(track, index, found)
        if face is not None:
            single = Track(
                np.array([index]),
                found.boxes[[face]],
                found.landmarks[[face]],
                found.probabilities[[face]],
                np.array([DETECTED], object),
            )
            crops[index] = _crop(frame, single, 0, config)
    return crops


def _recall(original: Clip, job: Job) -> _Reference | None:
    """What an original that an earlier run has done lends to its fakes: its part remembers all but the thumbnails."""
    try:
        track = json.loads(part_path(job.out, original).read_text(encoding="utf-8"))["track"]
        indices = track.pop("looked_at")
        frames_in_all = track.pop("length")
        pictures, size = [], (0, 0)
        for _, frame in frames_at(job.root / str(original["path"]), indices, job.decoders):
            pictures.append(thumbnail(frame))
            size = frame.shape[:2]
        return _Reference(np.asarray(indices), pictures, Track.from_json(track), size, frames_in_all)
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return None  # it could not be used itself


def _crop(frame: np.ndarray, track: Track, at: int, config: ExtractionConfig) -> tuple[np.ndarray, dict]:
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
    }


class _OutputError(InputError):
    """The output folder is at fault, not the clip."""


def _write_crop(crop: np.ndarray, row: dict, clip: Clip, job: Job) -> dict:
    """Write a crop; return its row with `path` and how it is stored."""
    config = job.config
    path = _crop_folder(clip) / f"{row['frame']:05d}.{config.image_format}"
    # Not cv2.imwrite: it fails silently, and on Windows at names that are not ASCII.
    encoded = cv2.imencode(path.suffix, crop[:, :, ::-1], _encoding(config))[1]
    try:
        (job.out / path).parent.mkdir(parents=True, exist_ok=True)
        (job.out / path).write_bytes(encoded.tobytes())
    except OSError as error:
        raise _OutputError(f"{job.out}: cannot write there ({error.strerror}); free space or choose another") from error
    quality = "lossless" if config.image_format == "png" else config.quality
    stored = {"crop_size": config.size, "crop_format": config.image_format, "crop_quality": quality}
    return row | {"path": path.as_posix()} | stored


def _encoding(config: ExtractionConfig) -> list[int]:
    return {
        "png": [],  # OpenCV's own choice: its higher levels take twice the time for a seventh of the size
        "jpg": [cv2.IMWRITE_JPEG_QUALITY, config.quality],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, config.quality],
    }[config.image_format]


def _crop_folder(clip: Clip) -> Path:
    return Path("crops", str(clip["method"]), str(clip["compression"]), str(clip["clip_id"]))
