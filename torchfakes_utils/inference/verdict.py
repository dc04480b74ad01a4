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
from torchfakes_utils.faces.search import Found
from torchfakes_utils.faces.tracking import Track
from torchfakes_utils.io.decoding import Source, name_of
from torchfakes_utils.io.media import PHOTO
from torchfakes_utils.metrics.bootstrap import percentiles, replicate_means
from torchfakes_utils.models.decision import CANNOT_TELL, DISTANCE, FAKE, REAL, Decision

# For an interval over frames: fewer say nothing of how much they differ.
_LEAST_FRAMES = 3
# Digits after the point tell any two numbers of [0.1, 1] apart.
_MOST_DIGITS = 17


@dataclass(frozen=True)
class FrameVerdict:
    """One face in one frame."""

    frame: int  # its index, counted from 0; 0 for a photo
    time: float  # when it is shown, seconds from the start; 0 for a photo
    box: tuple[float, float, float, float]  # x1, y1, x2, y2 of the face in pixels of the picture as displayed
    face_probability: float  # the face detector's confidence that this is a face
    probability_fake: float  # in [0, 1], calibrated
    cannot_tell: str = ""  # why this crop lies outside of what the detector was trained on; "" where it does not
    distance: float | None = None  # from the faces of training, in the network's features; None where none is measured


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
    """What can be said about one file.

    It is fake where one of its faces is, by a limit that rises with the faces: each is another chance of a false alarm.
    It is real where all faces that were found are: one that could not be judged may be the fake.
    """

    path: str  # the file, as it was given
    verdict: str  # "fake", "real" or "cannot tell"
    probability_fake: float | None  # that of the face that decides; None where no face was judged
    reason: str  # one line: what the verdict rests on, or why there is none
    faces: list[FaceVerdict] = field(default_factory=list)  # every person that was judged, the most prominent first
    interval: tuple[float, float] | None = None  # that of the face that decides
    kind: str = ""  # "photo", "animation" or "video"; "" where it could not be opened
    notes: tuple[str, ...] = ()  # what else has to be known, a line each
    limits: tuple[float | None, float | None] = (None, None)  # P(fake) up to which the face that decides is called
    # real, and from which on fake, among so many faces; None where nothing is
    rate: str = ""  # how often such a verdict was wrong in validation; "" where none is given
    scope: str = ""  # what the detector was trained on, and so what a verdict is about
    meaning: str = ""  # what a verdict means, a sentence

    @property
    def deciding(self) -> FaceVerdict | None:
        """The face whose score is the file's; None where none was judged."""
        if self.probability_fake is None:
            return None
        same = [face for face in self.faces if face.probability_fake == self.probability_fake]
        return next((face for face in same if face.verdict == self.verdict), same[0] if same else None)

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes; in it `face` counts from 1."""
        # A name need not be text at all: on disk it is bytes.
        path = self.path.encode("utf-8", "backslashreplace").decode()
        # People count from 1, in the reasons as in all that is shown.
        faces = [dataclasses.asdict(face) | {"face": face.face + 1} for face in self.faces]
        return dataclasses.asdict(self) | {"path": path, "faces": faces}


@dataclass(frozen=True)
class Answers:
    """What the network says of N crops.

    Attributes:
        probabilities: (N,) P(fake), calibrated.
        distances: (N,) from the faces of training, of `likeness.measured`; NaN where the detector measures none.
    """

    probabilities: np.ndarray
    distances: np.ndarray

    def part(self, start: int, count: int) -> "Answers":
        """Those of some crops."""
        return Answers(*(values[start : start + count] for values in (self.probabilities, self.distances)))


def judge(found: Found, answers: Answers, decision: Decision, crop_scale: float) -> Prediction:
    """The verdict on a file, from those on the people in it.

    Args:
        found: the people in it.
        answers: of its crops.
        decision: the detector's.
        crop_scale: edge of a crop over the longer edge of its face.
    """
    media = found.media
    notes = (*media.notes, *_left_out(found), *decision.cautions)
    silent = Prediction(
        media.name, CANNOT_TELL, None, "", kind=media.kind, notes=notes, scope=decision.scope.line,
        meaning=decision.meaning,
    )  # fmt: skip
    if not found.people:
        looked_at = len(media.indices)
        where = f"in any of {looked_at} frames" if looked_at > 1 else f"in this {media.kind}"
        reason = f"no face found {where}; one is needed that is upright, turned to the camera and not too small"
        return dataclasses.replace(silent, reason=reason)
    if not np.isfinite(answers.probabilities).all():
        reason = "the detector gives no number for a face in it: its weights are of no use; take another detector"
        return dataclasses.replace(silent, reason=reason)
    prediction = dataclasses.replace(silent, faces=_faces(found, answers, decision, crop_scale))
    if all(face.probability_fake is None for face in prediction.faces):
        reason = _unlike_training([frame for face in prediction.faces for frame in face.frames], decision)
        return dataclasses.replace(prediction, reason=reason)
    return _of_the_file(prediction, decision, found.others)


def _faces(found: Found, answers: Answers, decision: Decision, crop_scale: float) -> list[FaceVerdict]:
    """The verdicts on all people, each by itself."""
    scored = iter(zip(found.crops, answers.probabilities.tolist(), answers.distances.tolist(), strict=True))
    faces: list[FaceVerdict] = []
    for person in found.people:
        appearances = [
            _frames(found, track, list(islice(scored, len(track))), decision, crop_scale) for track in person
        ]
        faces += [_face(len(faces) + place, one, decision, found.media.kind)
                  for place, one in enumerate(_apart(appearances, decision.threshold))]  # fmt: skip
    return faces


def _of_the_file(prediction: Prediction, decision: Decision, others: int) -> Prediction:
    """The verdict on a file, some face of which was judged; `others` were found, and not even looked at."""
    judged = [face for face in prediction.faces if face.probability_fake is not None]
    forged = [face for face in judged if _limits(face, decision, len(judged))[1] <= _score(face)]
    # Seen once and seen often have limits of their own: the highest score need not be the one that makes a file fake.
    face = max(forged or judged, key=_score)
    if forged:
        verdict = FAKE
    else:
        verdict = REAL if all(face.verdict == REAL for face in judged) else CANNOT_TELL
    which = "the most fake-looking one" if _score(face) == max(map(_score, judged)) else "which decides"
    who = f"face {face.face + 1} of {len(prediction.faces)}, {which}: "
    reason = face.reason if len(prediction.faces) == 1 else who + _reason(face, decision, len(judged))
    if verdict == REAL and (unknown := len(prediction.faces) - len(judged) + others):
        verdict = CANNOT_TELL
        reason += f"; so far real, but {unknown} of {len(prediction.faces) + others} faces could not be judged"
    band = decision.band(len(_usable(face.frames)))
    real_to, fake_from = _limits(face, decision, len(judged))
    return dataclasses.replace(
        prediction, verdict=verdict, probability_fake=face.probability_fake, reason=reason, interval=face.interval,
        limits=(real_to if real_to >= 0 else None, fake_from if fake_from <= 1 else None),
        rate=decision.rate(verdict, band),
    )  # fmt: skip


def _score(face: FaceVerdict) -> float:
    return face.probability_fake or 0.0


def _limits(face: FaceVerdict, decision: Decision, faces: int) -> tuple[float, float]:
    """Up to where somebody is called real, and from where on fake, as one of so many faces; beyond 0 and 1: never."""
    band = decision.band(len(_usable(face.frames)))
    return -np.inf if band.real_to is None else band.real_to, band.from_of(faces)


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


def digits_apart(score: float, *ends: float) -> int:
    """How many digits after the point show on which side of each end a score lies: two, or as many as it takes.

    And up to five that show that an end can be reached: "fake from 1.00 on" would say that nothing ever is. An end that
    the score is equal to gets five.
    """

    def apart(digits: int, ends: Iterable[float]) -> bool:
        return all(f"{score:.{digits}f}" != f"{end:.{digits}f}" for end in ends)  # as they are shown

    def show(digits: int) -> bool:
        return apart(digits, ends) and all(0 < round(end, digits) < 1 for end in ends if 0 < end < 1)

    if (few := next(filter(show, (2, 3, 4)), None)) is not None:
        return few
    others = [end for end in ends if end != score]
    return next((digits for digits in range(5, _MOST_DIGITS) if apart(digits, others)), _MOST_DIGITS)


def frame_interval(probabilities: np.ndarray) -> tuple[float, float] | None:
    """95 % percentile bootstrap of the mean over frames (Efron, Annals of Statistics 1979); the same each time."""
    if len(probabilities) < _LEAST_FRAMES:
        return None
    return percentiles(replicate_means(probabilities))


def _frames(
    found: Found, track: Track, scored: Sequence[tuple[np.ndarray, float, float]], decision: Decision, crop_scale: float
) -> list[FrameVerdict]:
    """One appearance of a person, frame by frame."""
    media, (crops, fake, distances) = found.media, zip(*scored, strict=True)
    time_of = dict(zip(media.indices.tolist(), media.times.tolist(), strict=True))
    outside = percent_outside(squares(track.boxes, crop_scale), found.size)
    edges = (track.boxes[:, 2:] - track.boxes[:, :2]).max(axis=1)
    qualities = crop_qualities(np.stack(crops).transpose(0, 3, 1, 2), outside, edges).assign(**{DISTANCE: distances})
    boxes = track.boxes.astype(float).round(1).tolist()
    rows = zip(track.frames.tolist(), boxes, track.probabilities.tolist(), fake, qualities.to_dict("records"),
               distances, strict=True)  # fmt: skip
    return [
        FrameVerdict(frame, round(time_of[frame], 3), tuple(box), sure, score, decision.outside(seen),
                     far if np.isfinite(far) else None)
        for frame, box, sure, score, seen, far in rows
    ]  # fmt: skip


def _face(number: int, appearances: list[list[FrameVerdict]], decision: Decision, kind: str) -> FaceVerdict:
    """The verdict on one person, by itself: by the mean over the crops that are like those of training."""
    frames = [frame for one in appearances for frame in one]
    seen = [] if kind == PHOTO else [(one[0].time, one[-1].time) for one in appearances]
    usable = _usable(frames)
    if not len(usable):
        return FaceVerdict(number, CANNOT_TELL, None, None, _unlike_training(frames, decision), frames, seen)
    mean = float(usable.mean())
    answer = decision.band(len(usable)).answers(np.array([mean]))[0]
    verdict = CANNOT_TELL if np.isnan(answer) else FAKE if answer else REAL
    face = FaceVerdict(number, verdict, mean, frame_interval(usable), "", frames, seen)
    return dataclasses.replace(face, reason=_reason(face, decision))


def _reason(face: FaceVerdict, decision: Decision, faces: int = 1) -> str:
    """What the verdict on somebody who was judged rests on, as one of so many faces that were."""
    usable, score = len(_usable(face.frames)), _score(face)
    real_to, fake_from = _limits(face, decision, faces)
    alone = decision.band(usable).from_of()
    ends = [end for end in (real_to, fake_from, alone) if np.isfinite(end)]
    digits = digits_apart(score, *ends)
    over = f" on average over {usable} frames" if usable > 1 else ""
    left_out = len(face.frames) - usable
    rest = f" ({left_out} crops unlike those of training are left out)" if left_out else ""
    if not ends:
        why = decision.silence or "validation has too few clips"
        return f"P(fake) is {score:.{digits}f}{over}, and no verdict is given: {why}{rest}"
    fake = f"fake from {fake_from:.{digits}f} on" if np.isfinite(fake_from) else "fake never"
    if faces > 1 and np.isfinite(fake_from):
        fake += f" among {faces} faces"
        if alone <= score < fake_from:
            fake += f" (from {alone:.{digits}f} on by itself, but each face is another chance of a false alarm)"
    real = f"real up to {real_to:.{digits}f}" if np.isfinite(real_to) else "real never"
    return f"P(fake) is {score:.{digits}f}{over}; called {fake}, {real}{rest}"


def _unlike_training(frames: Sequence[FrameVerdict], decision: Decision) -> str:
    """One line about crops none of which is like those of training: the most frequent reason, by its first example."""
    kinds = [frame.cannot_tell.partition(" (")[0] for frame in frames]
    kind = max(dict.fromkeys(kinds), key=kinds.count)
    example = frames[kinds.index(kind)].cannot_tell
    if decision.scope.practice:
        return f"a practice detector, and this face is not of its data: it is {example}"
    return f"a face was found, but it is {example}: unlike those that the detector was trained on"
