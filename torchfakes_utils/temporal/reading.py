"""A clip as a network for films is shown it: pictures at the ticks of a clock, of a face or of the whole frame."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from torchfakes_utils.errors import InputError
from torchfakes_utils.io import video
from torchfakes_utils.io.clips import is_picture
from torchfakes_utils.io.decoding import listing
from torchfakes_utils.io.passages import clock_of
from torchfakes_utils.io.shots import Shots, find_shots, glance_at
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.temporal.camera import calm_path, cut
from torchfakes_utils.temporal.config import View

# Where no picture could be had: no window reaches over it.
_NOWHERE = -1


@dataclass(frozen=True)
class Known:
    """Where a clip's face is now and then.

    Attributes:
        frames: (N,) indices, increasing.
        squares: (N, 4) x1 y1 x2 y2 of its crops, pixels.
    """

    frames: np.ndarray
    squares: np.ndarray


@dataclass(frozen=True)
class Ticks:
    """A clip, tick by tick.

    Attributes:
        times: (T,) seconds from the clip's first frame.
        shots: (T,) which unbroken part of it each belongs to; -1 where there is no picture.
        pictures: (T, S, S, 3) uint8 RGB.
    """

    times: np.ndarray
    shots: np.ndarray
    pictures: np.ndarray


def known_faces(faces: pd.DataFrame) -> dict[tuple[str, ...], Known]:
    """Of every clip in a table of faces where its face is, by `CLIP_KEY`."""
    found = {}
    for key, rows in faces.sort_values("frame", kind="stable").groupby(CLIP_KEY):
        rows = rows.drop_duplicates("frame")
        found[tuple(map(str, key))] = Known(rows["frame"].to_numpy(int), rows[["x1", "y1", "x2", "y2"]].to_numpy(float))
    return found


def read_clip(path: Path, view: View, known: Known | None = None, most_seconds: float | None = None) -> Ticks:
    """Read a clip of a data set.

    Args:
        path: a film.
        view: what of it is shown.
        known: where its face is; needed where the view is of faces.
        most_seconds: of the clip, round its middle; None is all of it.

    Raises:
        InputError: it is no film, cannot be read, has fewer frames a second than the view, is shorter than a window, or
            a face is needed and not known.
    """
    if path.is_dir() or is_picture(path):
        what = "a photo" if is_picture(path) else "a folder of pictures, whose times nobody knows"
        raise InputError(f"{path}: {what}; a detector of films looks at films")
    times = video.frame_times(path, listing(path))
    ticks = chosen_ticks(times, view, str(path), most_seconds)
    frames = video.frames_at(path, np.unique(ticks).tolist(), threads=1)
    return assembled(frames, ticks, times, view, known, str(path))


def chosen_ticks(times: np.ndarray, view: View, name: str, most_seconds: float | None = None) -> np.ndarray:
    """The frames that a view shows, (T,) indices of frames, see `sampling.clock`.

    Args:
        times: (N,) of all frames of the film, seconds.
        view: what is shown.
        name: of the film, for messages.
        most_seconds: round the middle; None is all.

    Raises:
        InputError: the film is one picture, shorter than a window, or has too few frames a second.
    """
    ticks = clock_of(times, view.rate, view.ticks, name)
    if most_seconds is not None and len(ticks) > (most := max(view.ticks, round(most_seconds * view.rate))):
        start = (len(ticks) - most) // 2
        ticks = ticks[start : start + most]
    return ticks


def assembled(
    frames: Iterable[tuple[int, np.ndarray]],
    ticks: np.ndarray,
    times: np.ndarray,
    view: View,
    known: Known | None,
    name: str,
) -> Ticks:
    """Ticks from frames that are read one after the other, so that a long film needs no more memory than its crops.

    Args:
        frames: index and frame, (H, W, 3) uint8 RGB, as far as they can be read.
        ticks: (T,) the indices that are shown.
        times: (N,) of all frames of the film, seconds.
        view: what is shown.
        known: where the face is.
        name: of the film, for messages.

    Raises:
        InputError: a face is needed and not known, or no frame could be read.
    """
    shown = times[ticks] - times[0]
    way = None
    if view.faces:
        if known is None or not len(known.frames):
            raise InputError(f"{name}: no face is known in it, and this network looks at one")
        at = times[np.minimum(known.frames, len(times) - 1)] - times[0]
        way = calm_path(at, known.squares, shown, view.wider)
    pictures = np.zeros((len(ticks), view.size, view.size, 3), np.uint8)
    glances: dict[int, np.ndarray] = {}
    for index, frame in frames:
        for tick in np.flatnonzero(ticks == index).tolist():
            pictures[tick] = (
                _shrunk(frame, view.size) if way is None else cut(frame, way.centres[tick], way.edge, view.size)
            )
        glances[index] = glance_at(Image.fromarray(frame))
    if not glances:
        raise InputError(f"{name}: not one of its frames can be read; download or copy it again")
    shots = _shots(glances, ticks, view.rate)
    if way is not None:  # another place of the face is another part
        shots = np.where(shots == _NOWHERE, _NOWHERE, shots * (way.parts.max() + 1) + way.parts)
    return Ticks(shown, shots, pictures)


def _shots(glances: Mapping[int, np.ndarray], ticks: np.ndarray, rate: float) -> np.ndarray:
    """Which shot each tick belongs to, (T,); -1 in a fade, and where there is no picture."""
    indices = np.array(sorted(glances))
    there = np.isin(ticks, indices)
    ends = find_shots(np.arange(len(indices)), np.stack([glances[index] for index in indices.tolist()]), rate)
    places = Shots(ends, len(indices)).shot_of(np.searchsorted(indices, ticks).clip(max=len(indices) - 1))
    return np.where(there, places, _NOWHERE)


def _shrunk(frame: np.ndarray, size: int) -> np.ndarray:
    """The whole frame as a square, its sides squeezed."""
    picture: np.ndarray = cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA)
    return picture


def whole_windows(starts: np.ndarray, length: int, shots: np.ndarray) -> np.ndarray:
    """Those of the windows that no cut divides.

    Args:
        starts: (W,) ticks.
        length: of a window, in ticks.
        shots: (T,) which shot each tick belongs to; -1 in a fade between two.
    """
    parts = [shots[start : start + length] for start in starts.tolist()]
    kept = [bool(len(part) == length and part[0] >= 0 and (part == part[0]).all()) for part in parts]
    return np.asarray(starts)[np.array(kept, bool)] if len(parts) else np.asarray(starts)


def ticks_of(
    pictures: Sequence[np.ndarray], times: np.ndarray, places: np.ndarray, view: View, known: Known | None
) -> Ticks:
    """One window of a film whose pictures are at hand.

    Args:
        pictures: N of (H, W, 3) uint8 RGB.
        times: (N,) seconds.
        places: (T,) which picture is shown at each tick.
        view: what is shown.
        known: where the face is now and then, its `frames` counted as `places` are; None for whole frames.
    """
    shown = times[places] - times[places[0]]
    if known is None:
        seen = [_shrunk(pictures[place], view.size) for place in places.tolist()]
    else:
        way = calm_path(times[known.frames] - times[places[0]], known.squares, shown, view.wider)
        seen = [
            cut(pictures[place], way.centres[tick], way.edge, view.size) for tick, place in enumerate(places.tolist())
        ]
    return Ticks(shown, np.zeros(len(places), int), np.stack(seen))
