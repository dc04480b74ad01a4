"""Where a film is cut, and which of its frames are looked at, so that everybody is seen who shows.

The frames that are decoded on the way to the wanted ones are compared with each other, as pictures of 32 x 18 grey
points: that costs 3 % of the time that extraction takes. PySceneDetect would do it, too, but it decodes every frame for
itself, which costs 31 % (tests/benchmarks/shots.py).
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from PIL import Image

from torchfakes_utils.io.decoding import Listing, Source, decode, listing
from torchfakes_utils.io.insets import find_inset_cuts
from torchfakes_utils.io.limits import MOST_FRAME_PIXELS
from torchfakes_utils.io.video import frames_at, spread

# Frames that a shot gets where it is long enough: a face is believed that is seen twice, and one may be missed.
BURST = 3
# How many times the frames that were asked for a film may get: for its length (one in so many seconds), for its shots.
GROWTH, SECONDS_EACH = 4, 10.0

_ROWS, _COLUMNS = 18, 32
# Where the decoder passes by more frames than this, only every second one is kept, then every fourth, …
_MOST_GLANCES = 20_000

# Mean difference of two pictures, grey levels, each less its own mean: from this on there may be a cut between them (a
# moving head makes 1 to 2 within a frame, half a picture that changes 20 and more), …
_LEAST_CHANGE = 6.0
# … if it is so many times what changes from picture to picture around it.
_SUDDEN, _AROUND = 4.0, 6
# … and so many times what changes right before and after it: whoever runs out of the picture takes a few frames.
_ALONE = 2.0
# Of two pictures that are farther apart than this, seconds, nothing is known of what lies between; from this difference
# on, a cut is believed where it is not found out.
_APART, _APART_CHANGE = 0.5, 12.0
# What is over within so many seconds is a flash, no shot, unless there is something to see: a picture with more than
# this share of the variance of those around it, and correlated with them by less than this.
_FLASH, _FAINT, _SAME = 0.35, 0.25, 0.5
# One shot fades into another within so many seconds. On the way each picture is a mixture of the two, but for this
# share of their difference.
_FADES, _NO_MIXTURE = (0.5, 1.0, 2.0), 0.12
# Of a fade, movement explains less than all but this share of the difference.
_UNEXPLAINED = 0.2
# Pixels that are decoded to find out where in a gap between two key frames a cut is.
_MOST_SEARCHED = 2 * 10**9


@dataclass(frozen=True)
class Shots:
    """The shots of a film.

    Attributes:
        ends: first and last frame of each, in order; what lies between two of them is a cut or a fade.
        total: how many frames there are.
    """

    ends: list[tuple[int, int]]
    total: int

    def __post_init__(self) -> None:
        """The last shot ends with the film, wherever the last frame lies that was decoded."""
        start, end = self.ends[-1] if self.ends else (0, 0)
        object.__setattr__(self, "ends", [*self.ends[:-1], (start, max(end, self.total - 1))])

    def shot_of(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Which shot frames belong to, (N,); -1 for those in a fade. All are in one shot where all would be in none."""
        first, last = np.array(self.ends).T
        shot = np.searchsorted(first, indices, "right") - 1
        found = np.where((shot >= 0) & (np.asarray(indices) <= last[shot]), shot, -1)
        return found if (found >= 0).any() else np.zeros(len(found), int)


class ShotReader:
    """Reads frames of a film, spread over it and over its shots.

    Attributes:
        shots: of the film, once all is read.
        insets: where a part of the picture is cut, see `insets.find_inset_cuts`; of the pictures as they are stored.
        unseen: how many of them are too many to be looked at.
        lost: how many of the evenly spread frames do not decode.
    """

    def __init__(
        self,
        path: Source,
        frames: int,
        most: int,
        threads: int = 0,
        known: Listing | None = None,
        most_pixels: int = MOST_FRAME_PIXELS,
    ) -> None:
        """Read nothing yet.

        Args:
            path: the film.
            frames: that are wanted, evenly spread (see `video.spread`).
            most: frames that may be read in all, so that shots which get none of these get `BURST`.
            threads: that decode; 0 for as many as there are cores.
            known: the film's `listing`, where it has been made already.
            most_pixels: of a frame; larger ones are made smaller.
        """
        self.path, self.threads, self.most_pixels = path, threads, most_pixels
        self.known = known or listing(path)
        self.frames, self.most = min(frames, most), most
        self.shots = Shots([], 0)
        self.insets = np.zeros((0, 1 + _ROWS), np.int64)
        self.unseen = self.lost = 0
        self._glances: dict[int, np.ndarray] = {}
        self._reformatter = VideoReformatter()
        self._every = 1

    def read(self, total: int) -> Iterator[tuple[int, np.ndarray]]:
        """Index and frame, (H, W, 3) uint8 RGB, of a film of so many frames; in no order, and see `video.frames_at`.

        Raises:
            InputError: as `video.frames_at`.
        """
        given = set()
        wanted = spread(self.frames, total).tolist()
        for index, picture in frames_at(
            self.path, wanted, self.threads, True, self.known, self._glance, self.most_pixels
        ):
            given.add(index)
            yield index, picture
        self.lost = len(wanted) - len(given)
        self._search_gaps()
        indices, pictures = self._seen()
        self.shots = Shots(find_shots(indices, pictures, self.known.rate), total)
        if len(indices):
            self.insets = find_inset_cuts(indices, pictures.reshape(-1, _ROWS, _COLUMNS), self.known.rate)
        more = self._more(given)
        self._glances = {}
        if more:
            yield from frames_at(self.path, more, self.threads, known=self.known, most=self.most_pixels)

    def _glance(self, index: int, frame: av.VideoFrame) -> None:
        if index % self._every:
            return
        self._glances[index] = _small(frame, self._reformatter)
        if len(self._glances) > _MOST_GLANCES:
            self._every *= 2
            self._glances = {at: one for at, one in self._glances.items() if at % self._every == 0}

    def _seen(self) -> tuple[np.ndarray, np.ndarray]:
        indices = np.array(sorted(self._glances), int)
        if not len(indices):
            return indices, np.zeros((0, _ROWS * _COLUMNS), np.float32)
        return indices, np.stack([self._glances[index] for index in indices.tolist()])

    def _search_gaps(self) -> None:
        """Look between key frames that differ, those first that differ most."""
        indices, pictures = self._seen()
        gaps = np.diff(indices)
        change = _difference(pictures[1:], pictures[:-1])
        doubtful = np.flatnonzero((gaps > _APART * self.known.rate) & (change >= _LEAST_CHANGE))
        left = _MOST_SEARCHED
        for at in doubtful[np.argsort(-change[doubtful], kind="stable")]:
            for index, frame, _ in decode(self.path, range(indices[at] + 1, indices[at + 1]), self.threads, self.known):
                left -= frame.decoded.width * frame.decoded.height
                if indices[at] < index < indices[at + 1]:
                    self._glance(index, frame.decoded)
            if left <= 0:
                return

    def _more(self, given: set[int]) -> list[int]:
        """Frames to be read beside those that are given, so that each shot has `BURST`; new sights first."""
        if len(self.shots.ends) == 1:
            return []
        shots = self.shots.shot_of(sorted(given))
        counts = np.bincount(shots[shots >= 0], minlength=len(self.shots.ends))
        order = self._new_first(counts)
        places = [[first + at for at in spread(BURST, last - first + 1).tolist()] for first, last in self.shots.ends]
        more: set[int] = set()
        for least in range(1, BURST + 1):
            for shot in order:
                free = [place for place in places[shot] if place not in given | more]
                if counts[shot] < least and free and len(given) + len(more) < self.most:
                    more.add(free[len(free) // 2])
                    counts[shot] += 1
        self.unseen = int((counts == 0).sum())
        return sorted(more)

    def _new_first(self, counts: np.ndarray) -> list[int]:
        """The shots that lack frames, first those that look least like any that comes before."""
        indices, pictures = self._seen()
        middle = [pictures[np.searchsorted(indices[:-1], (first + last) // 2)] for first, last in self.shots.ends]
        lacking = np.flatnonzero(counts < BURST)
        if len(lacking) <= self.most or not len(lacking):
            return lacking.tolist()
        sights = np.stack(middle)
        near = np.full(len(sights), np.inf)
        for shot in np.flatnonzero(counts).tolist():
            near = np.minimum(near, _difference(sights, sights[shot]))
        order: list[int] = []
        while len(order) < self.most:
            shot = int(lacking[np.argmax(near[lacking])])
            order.append(shot)
            near = np.minimum(near, _difference(sights, sights[shot]))
            near[order] = -1
        return order


def glance_at(image: Image.Image) -> np.ndarray:
    """A picture as `find_shots` compares it, (P,) float32."""
    points = np.asarray(image.convert("L").resize((_COLUMNS, _ROWS), Image.Resampling.BOX), np.float32).ravel()
    return np.asarray(points - points.mean())


def enough_frames(frames: int, seconds: float) -> int:
    """How many frames of a film are looked at, where so many are asked for: more of one that is long."""
    return min(GROWTH * frames, max(frames, round(seconds / SECONDS_EACH)))


def find_shots(indices: np.ndarray, pictures: np.ndarray, rate: float) -> list[tuple[int, int]]:
    """Where a film is cut.

    Args:
        indices: (N,) frames that were decoded, increasing.
        pictures: (N, P) float32, P points of each in grey, of mean 0.
        rate: frames a second.

    Returns:
        First and last of these frames in each shot, in order.
    """
    if not len(indices):
        return []
    fading = _fades(indices, pictures, rate)
    ends = [at for at in _cuts(indices, pictures, rate) if not fading[at : at + 2].all()]
    starts = np.concatenate([[0], np.asarray(ends, int) + 1, [len(indices)]])
    shots = []
    for start, end in itertools.pairwise(starts.tolist()):
        # What a fade leaves of a part, run by run.
        still = np.flatnonzero(~fading[start:end]) + start
        runs = np.split(still, np.flatnonzero(np.diff(still) > 1) + 1)
        shots += [(int(indices[run[0]]), int(indices[run[-1]])) for run in runs if len(run)]
    return shots


def _cuts(indices: np.ndarray, pictures: np.ndarray, rate: float) -> list[int]:
    """Places after which there is a cut."""
    change = _difference(pictures[1:], pictures[:-1])
    apart = np.diff(indices) > _APART * rate
    steady = np.where(apart, np.nan, change)
    cuts = []
    for at in np.flatnonzero(change >= _LEAST_CHANGE).tolist():
        if apart[at]:
            if change[at] >= _APART_CHANGE:
                cuts.append(at)
            continue
        around = np.delete(steady[max(at - _AROUND, 0) : at + _AROUND + 1], min(at, _AROUND))
        usual = float(np.median(around[np.isfinite(around)])) if np.isfinite(around).any() else 0.0
        beside = [*change[max(at - 2, 0) : at], *change[at + 1 : at + 3]]
        moment = _moment(at, indices, pictures, rate)
        if moment is None:
            usual = max(_SUDDEN * usual, _ALONE * max(beside, default=0.0))
        elif not _is_sight(*moment):
            continue  # a flash
        else:
            usual *= _SUDDEN
        if change[at] >= usual:
            cuts.append(at)
    return cuts


def _moment(at: int, indices: np.ndarray, pictures: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray] | None:
    """What begins or ends after a place, over so soon that all is as before, and what was before it; else None."""
    for first, count in ((at, 1), (at + 1, 1), (at - 1, 2), (at + 1, 2)):
        before, after = first - 1, first + count
        if before < 0 or after >= len(indices) or indices[after] - indices[before] > _FLASH * rate:
            continue
        if float(_difference(pictures[before], pictures[after])) < _LEAST_CHANGE:
            return pictures[first], pictures[before]
    return None


def _is_sight(picture: np.ndarray, before: np.ndarray) -> bool:
    """Whether a picture shows something else than the one before it, rather than the same, blanched or gone."""
    strength, usual = float(picture @ picture), float(before @ before)
    alike = float(picture @ before) / max((strength * usual) ** 0.5, 1e-9)
    return strength >= _FAINT * usual and alike < _SAME


def _fades(indices: np.ndarray, pictures: np.ndarray, rate: float) -> np.ndarray:
    """(N,) whether one shot turns into another there, bit by bit; the last and the first of the two are not in it."""
    fading = np.zeros(len(indices), bool)
    for seconds in _FADES:
        wide = seconds * rate
        starts = np.flatnonzero(np.diff(indices // max(1, int(wide / 8)), prepend=-1))
        ends = np.minimum(np.searchsorted(indices, indices[starts] + wide), len(indices) - 1)
        far = _difference(pictures[ends], pictures[starts]) >= _LEAST_CHANGE * 2
        for start, end in zip(starts[far].tolist(), ends[far].tolist(), strict=True):
            shares = _shares(pictures[start : end + 1]) if end - start >= 4 else None
            if shares is not None:
                fading[start : end + 1] |= (shares > 0.03) & (shares < 0.97)
    return fading


def _shares(pictures: np.ndarray) -> np.ndarray | None:
    """How much of the last of some pictures is in each, where all are mixtures of the first and the last; else None."""
    way = pictures[-1] - pictures[0]
    shares = np.asarray((pictures - pictures[0]) @ way / float(way @ way))
    quarters = shares[np.linspace(0, len(pictures) - 1, 5).round().astype(int)]
    left = np.abs(pictures - pictures[0] - shares[:, None] * way).mean(axis=1)
    mixed = 0.2 < quarters[2] < 0.8 and (np.diff(quarters)[1:-1] > 0.05).all()
    mixed = mixed and (left <= _NO_MIXTURE * np.abs(way).mean()).all()
    return shares if mixed and not _is_movement(pictures[0], pictures[-1]) else None


def _is_movement(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether what one picture shows has moved, by a tile at most, in the other: that, too, looks like a mixture."""
    padded = np.pad(before.reshape(_ROWS, _COLUMNS), 1, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).reshape(len(before), 9)
    unexplained = np.maximum(0, np.maximum(around.min(axis=1) - after, after - around.max(axis=1)))
    return float(unexplained.mean()) < _UNEXPLAINED * float(_difference(before, after))


def _difference(pictures: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(pictures - others).mean(axis=-1))


def _small(frame: av.VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
    """A frame as a few grey points of mean 0, (P,) float32; as it is stored, whichever way it is displayed."""
    form = frame.format
    if form.is_planar and not form.is_rgb and form.components[0].bits == 8:
        plane = frame.planes[0]
        luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        # Some points of each tile: a mean over all pixels takes as long as to decode them.
        rows, columns = (
            (np.arange(4 * count) * side) // (4 * count)
            for count, side in ((_ROWS, frame.height), (_COLUMNS, frame.width))
        )
        points = luma[np.ix_(rows, columns)].reshape(_ROWS, 4, _COLUMNS, 4).mean(axis=(1, 3), dtype=np.float32).ravel()
    else:
        grey = reformatter.reformat(frame, _COLUMNS, _ROWS, "gray", interpolation="AREA")
        points = grey.to_ndarray().astype(np.float32).ravel()
    return np.asarray(points - points.mean())
