"""From the scores of crops to what is said of a person and of a file: fake, real, or "cannot tell", and why."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.detection import squares
from torchfakes_utils.faces.quality import crop_qualities, percent_outside
from torchfakes_utils.faces.tracking import Track
from torchfakes_utils.inference.search import Found
from torchfakes_utils.io.decoding import Source, name_of
from torchfakes_utils.io.media import PHOTO
from torchfakes_utils.metrics.bootstrap import percentiles, replicate_means
from torchfakes_utils.models.decision import Decision

FAKE, REAL, CANNOT_TELL = "fake", "real", "cannot tell"

# For an interval over frames: fewer say nothing of how much they differ.
_LEAST_FRAMES = 3


@dataclass(frozen=True)
class FrameVerdict:
    """One face in one frame."""

    frame: int  # its index, counted from 0; 0 for a photo
    time: float  # when it is shown, seconds from the start; 0 for a photo
    box: tuple[float, float, float, float]  # x1, y1, x2, y2 of the face in pixels of the picture as displayed
    face_probability: float  # the face detector's confidence that this is a face
    probability_fake: float  # in [0, 1], calibrated
    cannot_tell: str = ""  # why this crop lies outside of what the detector was trained on; "" where it does not


@dataclass(frozen=True)
class FaceVerdict:
    """One person, followed through a file; in another shot the same one where it looks the same.

    Attributes:
        seen: first and last time, seconds, of each appearance; of a photo none.
        interval: 95 % interval of the mean, from drawing frames (percentile bootstrap); None for fewer than three. It
            tells how much the frames differ, not how often the detector is wrong.
    """

    face: int  # which, counted from 0, the most prominent first
    verdict: str  # "fake", "real" or "cannot tell"
    probability_fake: float | None  # the mean of P(fake) over the frames that count; None where none does
    interval: tuple[float, float] | None
    reason: str  # what the verdict rests on, or why there is none; one line
    frames: list[FrameVerdict]  # each in which the face was judged, in order
    seen: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Prediction:
    """What can be said about one file."""

    path: str  # the file, as it was given
    verdict: str  # "fake", "real" or "cannot tell"
    probability_fake: float | None  # that of the most fake-looking face; None when it cannot be told
    reason: str  # one line: what the verdict rests on, or why there is none
    faces: list[FaceVerdict] = field(default_factory=list)  # every person that was judged, the most prominent first
    interval: tuple[float, float] | None = None  # that of the most fake-looking face
    kind: str = ""  # "photo", "animation" or "video"; "" where it could not be opened
    notes: tuple[str, ...] = ()  # what else has to be known, a line each

    @property
    def deciding(self) -> FaceVerdict | None:
        """The most fake-looking face that was judged, whose verdict is the file's; None where none was."""
        judged = [face for face in self.faces if face.probability_fake is not None]
        return max(judged, key=lambda face: face.probability_fake or 0.0, default=None)

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes; in it `face` counts from 1."""
        # A name need not be text at all: on disk it is bytes.
        path = self.path.encode("utf-8", "backslashreplace").decode()
        # People count from 1, in the reasons as in all that is shown.
        faces = [dataclasses.asdict(face) | {"face": face.face + 1} for face in self.faces]
        return dataclasses.asdict(self) | {"path": path, "faces": faces}


def judge(found: Found, probabilities: np.ndarray, decision: Decision, crop_scale: float) -> Prediction:
    """The verdict on a file: that on its most fake-looking face.

    Args:
        found: the people in it.
        probabilities: (N,) P(fake) of its crops.
        decision: the detector's.
        crop_scale: edge of a crop over the longer edge of its face.
    """
    media = found.media
    notes = (*media.notes, *_left_out(found), *decision.cautions)
    if not found.people:
        looked_at = len(media.indices)
        where = f"in any of {looked_at} frames" if looked_at > 1 else f"in this {media.kind}"
        reason = f"no face found {where}; one is needed that is upright, turned to the camera and not too small"
        return Prediction(media.name, CANNOT_TELL, None, reason, kind=media.kind, notes=notes)
    if not np.isfinite(probabilities).all():
        reason = "the detector gives no number for a face in it: its weights are of no use; take another detector"
        return Prediction(media.name, CANNOT_TELL, None, reason, kind=media.kind, notes=notes)
    scored = iter(zip(found.crops, probabilities.tolist(), strict=True))
    faces: list[FaceVerdict] = []
    for person in found.people:
        appearances = [
            _frames(found, track, list(islice(scored, len(track))), decision, crop_scale) for track in person
        ]
        for one in _apart(appearances, decision.threshold):
            faces.append(_face(len(faces), one, decision.threshold, media.kind))
    prediction = Prediction(media.name, CANNOT_TELL, None, "", faces, kind=media.kind, notes=notes)
    if (face := prediction.deciding) is None:
        reason = _unlike_training([frame for face in faces for frame in face.frames])
        return dataclasses.replace(prediction, reason=reason)
    who = f"face {face.face + 1} of {len(faces)}, the most fake-looking one: " if len(faces) > 1 else ""
    score, interval = face.probability_fake, face.interval
    return Prediction(media.name, face.verdict, score, who + face.reason, faces, interval, media.kind, notes)


def _left_out(found: Found) -> list[str]:
    if not found.others:
        return []
    more = f"{found.others} more face{'s were' if found.others > 1 else ' was'} not judged"
    return [f"{more}: the {len(found.people)} most prominent ones were"]


def _apart(appearances: Sequence[list[FrameVerdict]], threshold: float) -> list[list[list[FrameVerdict]]]:
    """Appearances that look like the same person, put apart again where one is fake and the other is not.

    A forger may have changed one of two shots. They are told apart by their scores, if none of the one's reaches those
    of the other; of a single frame that says little.
    """
    parts: list[list[list[FrameVerdict]]] = []
    for one in appearances:
        for part in parts:
            if not _contrary(_usable(one), _usable(frame for other in part for frame in other), threshold):
                part.append(one)
                break
        else:
            parts.append([one])
    return parts


def _contrary(some: np.ndarray, others: np.ndarray, threshold: float) -> bool:
    if min(len(some), len(others)) < 2 or (some.mean() >= threshold) == (others.mean() >= threshold):
        return False
    return bool(some.min() > others.max() or others.min() > some.max())


def _usable(frames: Iterable[FrameVerdict]) -> np.ndarray:
    return np.array([frame.probability_fake for frame in frames if not frame.cannot_tell])


def refused(source: Source, error: InputError) -> Prediction:
    """Of a file that cannot be read: no verdict, and why."""
    name = name_of(source)
    return Prediction(name, CANNOT_TELL, None, str(error).removeprefix(f"{name}: "))


def seen(face: FaceVerdict, most: int = 6) -> str:
    """When somebody is seen in a film, in words: "0.4 to 3.9 s and at 7.2 s"; of many appearances the first few."""
    times = [f"{start:.1f} to {end:.1f} s" if f"{start:.1f}" != f"{end:.1f}" else f"at {start:.1f} s"
             for start, end in face.seen[:most]]  # fmt: skip
    if len(face.seen) > most:
        times.append(f"{len(face.seen) - most} more times")
    return " and ".join(filter(None, (", ".join(times[:-1]), *times[-1:])))


def digits_apart(score: float, threshold: float) -> int:
    """How many digits after the point show on which side of the threshold a score lies: two, or a few more."""
    return next((digits for digits in (2, 3, 4) if round(score, digits) != round(threshold, digits)), 5)


def frame_interval(probabilities: np.ndarray) -> tuple[float, float] | None:
    """95 % percentile bootstrap of the mean over frames (Efron, Annals of Statistics 1979); the same each time."""
    if len(probabilities) < _LEAST_FRAMES:
        return None
    return percentiles(replicate_means(probabilities))


def _frames(
    found: Found, track: Track, scored: Sequence[tuple[np.ndarray, float]], decision: Decision, crop_scale: float
) -> list[FrameVerdict]:
    """One appearance of a person, frame by frame."""
    media, (crops, fake) = found.media, zip(*scored, strict=True)
    time_of = dict(zip(media.indices.tolist(), media.times.tolist(), strict=True))
    outside = percent_outside(squares(track.boxes, crop_scale), found.size)
    edges = (track.boxes[:, 2:] - track.boxes[:, :2]).max(axis=1)
    qualities = crop_qualities(np.stack(crops).transpose(0, 3, 1, 2), outside, edges).to_dict("records")
    boxes = track.boxes.astype(float).round(1).tolist()
    rows = zip(track.frames.tolist(), boxes, track.probabilities.tolist(), fake, qualities, strict=True)
    return [
        FrameVerdict(frame, round(time_of[frame], 3), tuple(box), sure, score, decision.outside(seen))
        for frame, box, sure, score, seen in rows
    ]


def _face(number: int, appearances: list[list[FrameVerdict]], threshold: float, kind: str) -> FaceVerdict:
    """The verdict on one person: by the mean over the crops that are like those of training."""
    frames = [frame for one in appearances for frame in one]
    seen = [] if kind == PHOTO else [(one[0].time, one[-1].time) for one in appearances]
    usable = _usable(frames)
    if not len(usable):
        return FaceVerdict(number, CANNOT_TELL, None, None, _unlike_training(frames), frames, seen)
    mean = float(usable.mean())
    over = f" on average over {len(usable)} frames" if len(usable) > 1 else ""
    digits = digits_apart(mean, threshold)
    reason = f"P(fake) is {mean:.{digits}f}{over}; from {threshold:.{digits}f} on it is called fake"
    left_out = len(frames) - len(usable)
    reason += f" ({left_out} crops unlike those of training are left out)" if left_out else ""
    verdict = FAKE if mean >= threshold else REAL
    return FaceVerdict(number, verdict, mean, frame_interval(usable), reason, frames, seen)


def _unlike_training(frames: Sequence[FrameVerdict]) -> str:
    """One line about crops none of which is like those of training: the most frequent reason, by its first example."""
    kinds = [frame.cannot_tell.partition(" (")[0] for frame in frames]
    kind = max(dict.fromkeys(kinds), key=kinds.count)
    example = frames[kinds.index(kind)].cannot_tell
    return f"a face was found, but it is {example}: unlike those that the detector was trained on"
