"""Compress the frames of a film once more, and cut the crops out of what is left: as it happens to films.

A crop is not what is compressed on the way to a viewer. Crops that are encoded as a film of their own, many frames
apart, share little that a codec could predict: H.264 then loses 3 to 7 dB more at the same CRF. And a JPEG's grid
begins at the corner of the picture, not of a crop.

What is encoded is the part of each frame round its crop, in whole blocks; a JPEG's crop then is exactly that of the
whole frame. H.264 gets eight frames before and eight after, and 32 px around. On four films of Mini-FF++ (320 x 320, 44
to 54 frames, four crops each), the crops' PSNR against those of the film as it came, less that where the whole film was
encoded, dB:

    CRF                                           18     23     30     37     44
    crops as a film of their own               -4.33  -4.15  -3.68  -3.61  -3.18
    the frame alone, 32 px around              -2.56  -2.86  -2.90  -3.05  -2.76
    4 frames before and after, 32 px around    -0.79  -0.82  -0.70  -0.73  -0.66
    8 frames before and after, 16 px around    -0.34  -0.36  -0.32  -0.41  -0.34
    8 frames before and after, 32 px around    -0.13  -0.20  -0.24  -0.30  -0.38
    12 frames before and after, 32 px around   -0.02  -0.09  -0.13  -0.24  -0.33

A clip there and back for 260 frames, at 480 x 480, has -0.34 to -0.22 in a quarter of the time that the whole film
takes; crops that are a film of their own have -6.9 to -5.9. With x264's macroblock tree, which its preset turns on, the
quantiser of a constant rate factor does not depend on what else is in a frame: a part can stand for the whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd

from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.films import SQUARE, check_crop, check_frames, cut
from torchfakes_utils.io.clips import frames_at, is_picture
from torchfakes_utils.io.video import read_frames, write_video

# Macroblocks of H.264, and blocks of a JPEG whose colour has half the lines, are so many px: parts of a frame begin and
# end where such blocks do, so that they are those of the whole frame.
_BLOCK = 16
# Frames of one run at most: it is held in memory.
_LONGEST = 100


@dataclass(frozen=True)
class Codec:
    """How pictures that follow each other, (H, W, 3) uint8 RGB, are compressed, at a strength.

    Attributes:
        apply: gives as many pictures of the same size.
        around: frames before and after one that are compressed with it.
        margin: px round the crop that are compressed with it.
        of_films: it predicts a frame from others, so that a photo is nothing for it.
    """

    apply: Callable[[Sequence[np.ndarray], float], list[np.ndarray]]
    around: int
    margin: int
    of_films: bool


@dataclass
class _Run:
    """Frames from `first` to `last`, of which crops of some are wanted; `seen` and `parts` grow while they come."""

    first: int
    last: int
    wanted: list[int]
    window: tuple[slice, slice] = (slice(0), slice(0))
    seen: list[int] = field(default_factory=list)
    parts: list[np.ndarray] = field(default_factory=list)


def as_jpeg(pictures: Sequence[np.ndarray], quality: float) -> list[np.ndarray]:
    """Each picture as a JPEG of that quality, by libjpeg, with colour at half the lines."""
    options = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    files = [cv2.imencode(".jpg", picture[..., ::-1], options)[1] for picture in pictures]
    return [np.ascontiguousarray(np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR))[..., ::-1]) for file in files]


def as_h264(pictures: Sequence[np.ndarray], crf: float) -> list[np.ndarray]:
    """Pictures as a film, by x264 at that constant rate factor."""
    height, width = pictures[0].shape[:2]
    # The codec wants even edges.
    padded = [np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge") for picture in pictures]
    with TemporaryDirectory() as folder:
        path = write_video(Path(folder) / "clip.mp4", padded, crf=int(crf), preset="medium")
        frames = read_frames(path)[1]
    return [np.ascontiguousarray(frame[:height, :width]) for frame in frames]


JPEG = Codec(as_jpeg, around=0, margin=_BLOCK, of_films=False)
H264 = Codec(as_h264, around=8, margin=2 * _BLOCK, of_films=True)


def recompress(
    codec: Codec, path: Path, rows: pd.DataFrame, strengths: Sequence[float]
) -> dict[float, list[np.ndarray]]:
    """Crops of a clip, cut from its frames after these were compressed; the film is decoded once.

    Crops that are stored as JPEG or WebP were compressed after they were cut, too; these are not.

    Args:
        codec: how.
        path: the clip's film.
        rows: of `load_faces`, of this clip, in the order of their frames.
        strengths: of the codec.

    Returns:
        For each strength a crop a row, (S, S, 3) uint8 RGB, of the size in which it is stored.

    Raises:
        InputError: the film cannot be read, or is not the one that the crops were cut from.
    """
    if codec.of_films and (path.is_dir() or is_picture(path)):
        raise InputError("pictures, no film")
    total, by_frame = check_frames(path, rows), {int(row["frame"]): row for _, row in rows.iterrows()}
    runs = _runs(sorted(by_frame), total, codec.around)
    wanted = sorted({index for run in runs for index in range(run.first, run.last + 1)})
    edges: dict[int, int] = {}
    found: dict[float, dict[int, np.ndarray]] = {strength: {} for strength in strengths}
    shape: tuple[int, ...] | None = None
    for index, frame in frames_at(path, wanted, threads=1):
        shape = shape or frame.shape
        if frame.shape != shape:
            raise InputError("its frames are of several sizes")
        if index in by_frame:
            edges[index] = check_crop(frame, by_frame[index])
        for run in [run for run in runs if run.first <= index <= run.last]:
            if not run.seen:
                run.window = _window(rows[rows["frame"].isin(run.wanted)], shape, codec.margin)
            run.seen.append(index)
            run.parts.append(frame[run.window].copy())
        for run in [run for run in runs if run.last <= index]:
            _compress(codec, run, by_frame, edges, found)
            runs.remove(run)
    for run in runs:  # the last frames of a film may not decode
        _compress(codec, run, by_frame, edges, found)
    return {strength: [crops[index] for index in sorted(crops)] for strength, crops in found.items()}


def _runs(frames: Sequence[int], total: int, around: int) -> list[_Run]:
    """The frames round each of those that are wanted; those that overlap are one run, as far as memory allows."""
    runs: list[_Run] = []
    for frame in frames:
        first, last = max(0, frame - around), min(total - 1, frame + around)
        if runs and first <= runs[-1].last and last - runs[-1].first < _LONGEST:
            runs[-1].last = last
            runs[-1].wanted.append(frame)
        else:
            runs.append(_Run(first, last, [frame]))
    return runs


def _window(rows: pd.DataFrame, shape: Sequence[int], margin: int) -> tuple[slice, slice]:
    """Rows and columns of a frame that hold all crops of some rows, and what is round them, in whole blocks."""
    low = rows[SQUARE[:2]].to_numpy(float).min(axis=0) - margin
    high = rows[SQUARE[2:]].to_numpy(float).max(axis=0) + margin
    found = []
    for start, end, edge in zip(low, high, (shape[1], shape[0]), strict=True):
        # A face may lie outside of its frame altogether: the outermost block is what its crop repeats.
        start = int(np.clip(start, 0, edge - 1)) // _BLOCK * _BLOCK
        found.append(slice(start, min(edge, max(start + _BLOCK, -int(-end // _BLOCK) * _BLOCK))))
    return found[1], found[0]


def _compress(
    codec: Codec,
    run: _Run,
    by_frame: dict[int, pd.Series],
    edges: dict[int, int],
    found: dict[float, dict[int, np.ndarray]],
) -> None:
    """Compress a run at all strengths, and put the crops of its frames that are wanted into `found`."""
    if lost := sorted(set(run.wanted) - set(run.seen)):
        raise InputError(f"its frame {lost[0]} cannot be decoded")
    top, left = run.window[0].start, run.window[1].start
    for strength, crops in found.items():
        parts = codec.apply(run.parts, strength)
        for frame in run.wanted:
            square = by_frame[frame][SQUARE].to_numpy(float) - [left, top, left, top]
            crops[frame] = cut(parts[run.seen.index(frame)], square, edges[frame])
    run.parts.clear()
