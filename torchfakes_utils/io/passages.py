"""Passages of a film: frames that follow each other at a rate of their own, by the times at which they are seen.

Films have 24, 25, 29.97 or 60 frames a second, and phones as many as the light allows. A network that has learned how
fast a head moves has to be shown one rate, so that frames are chosen by their times and not counted.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from torchfakes_utils.errors import InputError
from torchfakes_utils.io import photos
from torchfakes_utils.io.decoding import Source, listing, name_of
from torchfakes_utils.io.limits import MOST_FRAME_PIXELS, Limits
from torchfakes_utils.io.media import VIDEO, Media, head_of
from torchfakes_utils.io.shots import Shots, find_shots, glance_at
from torchfakes_utils.io.video import frame_times, frames_at

# A film whose frames lie farther apart than this many steps of the network's clock shows it less than it needs.
_LARGEST_STEP = 1.3


def clock(times: np.ndarray, rate: float) -> np.ndarray:
    """The frames of a film that are seen at the ticks of a clock.

    Args:
        times: (N,) when each frame is shown, seconds, increasing; N is 1 or more.
        rate: ticks a second.

    Returns:
        (T,) indices of frames, not decreasing: of each tick from the first frame to the last the frame that is nearest
        in time. A frame that is shown for long comes several times.
    """
    ticks = times[0] + np.arange(ticks_in(float(times[-1] - times[0]), rate)) / rate
    after = np.clip(np.searchsorted(times, ticks), 1, len(times) - 1) if len(times) > 1 else np.zeros(1, int)
    before = np.maximum(after - 1, 0)
    nearer = ticks - times[before] <= times[after] - ticks
    return np.asarray(np.where(nearer, before, after), np.int64)


def check_rate_of(times: np.ndarray, rate: float, name: str) -> None:
    """Refuse a film of fewer frames a second than a network has learned from.

    Raises:
        InputError: it is one.
    """
    if len(times) < 2:
        return
    own = 1 / max(float(np.median(np.diff(times))), 1e-6)
    if own * _LARGEST_STEP < rate:
        raise InputError(
            f"{name}: {own:.3g} frames a second, and this network looks at {rate:g}; give the film as it was recorded"
        )


def window_starts(ticks: int, length: int, step: int, most: int | None = None) -> np.ndarray:
    """Where windows of a clip begin, in ticks: every `step`, the last one at the clip's end.

    Args:
        ticks: of the clip.
        length: of a window, in ticks.
        step: from one to the next; as long as they are, they do not overlap.
        most: windows at most, evenly spread then; None is all.

    Returns:
        (W,) increasing; none where the clip is shorter than a window.
    """
    last = ticks - length
    if last < 0:
        return np.zeros(0, np.int64)
    count = 1 + -(-last // step) if last else 1
    count = count if most is None else min(count, most)
    return np.unique(np.linspace(0, last, count).round().astype(np.int64)) if count > 1 else np.array([last // 2])


@dataclass(frozen=True)
class Pace:
    """What of a film is looked at.

    Attributes:
        seconds: of a window.
        rate: frames a second.
        most: windows at most, evenly spread over the film; without need they overlap by no more than half.
    """

    seconds: float
    rate: float
    most: int

    @property
    def ticks(self) -> int:
        """Frames of a window."""
        return round(self.seconds * self.rate)

    def starts(self, ticks: int) -> np.ndarray:
        """Where windows begin in a film of so many ticks, (W,) ticks."""
        return window_starts(ticks, self.ticks, max(1, self.ticks // 2), self.most)

    def windows(self, duration: float) -> np.ndarray:
        """When windows of a film of so many seconds, from its first to its last frame, begin; (W,) seconds."""
        return self.starts(ticks_in(duration, self.rate)) / self.rate

    def frames(self, times: np.ndarray, name: str) -> np.ndarray:
        """The frames of a film that are in some window, (N,) indices, increasing.

        Args:
            times: (M,) when each frame is shown, seconds.
            name: of the film, for messages.

        Raises:
            InputError: it is one picture, shorter than a window, or has too few frames a second.
        """
        ticks = clock_of(times, self.rate, self.ticks, name)
        inside = self.starts(len(ticks))[:, None] + np.arange(self.ticks)
        return np.unique(ticks[inside.ravel()])


def ticks_in(seconds: float, rate: float) -> int:
    """Ticks of a clock from the first frame of a film to its last, so many seconds later."""
    return int(seconds * rate + 1e-3) + 1  # a hair more: times of frames are rounded to a film's own units


def clock_of(times: np.ndarray, rate: float, least: int, name: str) -> np.ndarray:
    """`clock` of a film that is long enough and has enough frames a second.

    Args:
        times: (N,) when each frame is shown, seconds.
        rate: ticks a second.
        least: ticks that are needed.
        name: of the film, for messages.

    Raises:
        InputError: it is one picture, shorter, or has too few frames a second.
    """
    needed = f"this detector looks at {least / rate:g} s at a time"
    if len(times) < 2:
        raise InputError(f"{name}: a film of one frame; {needed}")
    check_rate_of(times, rate, name)
    ticks = clock(times, rate)
    if len(ticks) < least:
        raise InputError(f"{name}: {float(times[-1] - times[0]):.2g} s long, and {needed}; give a longer film")
    return ticks


def open_passages(
    source: Source, pace: Pace, limits: Limits = Limits(), pictures: list[np.ndarray] | None = None
) -> Media:
    """Read passages of a film, in this process; `io.reader` does so in one of its own.

    Args:
        source: a file, or what is in one.
        pace: what of it is looked at.
        limits: what is refused; of frames that are too large for the memory, smaller ones are made.
        pictures: to which they are added; the result has it, too, and `Media.in_order` is left to the caller.

    Raises:
        InputError: it is absent, no film, damaged, beyond the limits, or has nothing that the pace asks for; one line.
        MemoryError: it asks for more than there is.
    """
    if pictures is None:
        return open_passages(source, pace, limits, []).in_order()
    name, head = name_of(source), head_of(source, limits)
    if what := photos.no_media(head):
        raise InputError(f"{name}: {what}")
    if _is_picture(source):
        raise InputError(f"{name}: a photo or an animation, and this detector looks at films; take one of face crops")
    known = listing(source)
    times = frame_times(source, known)
    seconds = float(times[-1])
    if limits.seconds is not None and seconds > limits.seconds:
        raise InputError(f"{name}: {seconds:.0f} s long, and {limits.seconds:.0f} s are the most; cut out a part")
    wanted = pace.frames(times, name)
    most = min(MOST_FRAME_PIXELS, max(1, limits.memory // (3 * len(wanted))))
    found, glances = [], []
    for index, picture in frames_at(source, wanted.tolist(), known=known, most=most):
        found.append(index)
        glances.append(glance_at(Image.fromarray(picture)))
        pictures.append(picture)
    indices = np.asarray(found)
    lost = len(wanted) - len(found)
    notes = (f"{lost} of {len(wanted)} frames do not decode",) if lost else ()
    ends = find_shots(np.arange(len(found)), np.stack(glances), pace.rate)
    shots = Shots(ends, len(found)).shot_of(np.arange(len(found)))
    return Media(name, VIDEO, indices, times[np.minimum(indices, len(times) - 1)], pictures, seconds, notes, shots)


def _is_picture(source: Source) -> bool:
    """Whether it is a photo or an animation, by its first bytes; nothing of it is decoded."""
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else Path(source), formats=photos.formats()):
            return True
    except UnidentifiedImageError:
        return False
    except Exception:  # noqa: BLE001 - a damaged one is a picture all the same, whatever its codec raises
        return True
