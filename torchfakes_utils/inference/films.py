"""Any film in, a verdict out, by a detector of films: every person in it, or the whole frame, window by window."""

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.detection import check_size, squares
from torchfakes_utils.faces.search import face_detectors, find_people
from torchfakes_utils.faces.tracking import Track
from torchfakes_utils.inference.verdict import Prediction, digits_apart, frame_interval, refused
from torchfakes_utils.io.decoding import Source
from torchfakes_utils.io.limits import Limits
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.media import Media, files_in
from torchfakes_utils.io.passages import Pace
from torchfakes_utils.io.reader import Reader
from torchfakes_utils.models.decision import CANNOT_TELL, DISTANCE, FAKE, REAL, Decision
from torchfakes_utils.temporal.config import WINDOWS
from torchfakes_utils.temporal.detector import VideoDetector, load_video
from torchfakes_utils.temporal.reading import Known, ticks_of
from torchfakes_utils.temporal.store import Described

logger = logging.getLogger(__name__)

# Frames of a window in which faces are looked for: its ends and its middle; between them a face does not get lost.
_SEARCHED = 3
# People who are judged in one film, the most prominent.
_MOST_PEOPLE = 8


@dataclass(frozen=True)
class WindowVerdict:
    """One window of a film, of one person in it, or of the whole frame."""

    face: int | None  # which person, counted from 0, the most prominent first; None of the whole frame
    start: float  # seconds from the first frame
    end: float
    probability_fake: float  # in [0, 1], calibrated
    cannot_tell: str = ""  # why this window lies outside of what the detector was trained on
    distance: float | None = None  # from the windows of training; None where none is measured


@dataclass(frozen=True)
class FilmPrediction(Prediction):
    """What can be said about one film, and when in it: a map over time."""

    windows: list[WindowVerdict] = field(default_factory=list)  # in the order of people, then of time

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes; in it `face` counts from 1."""
        people = [
            dataclasses.asdict(one) | {"face": None if one.face is None else one.face + 1} for one in self.windows
        ]
        return super().to_json() | {"windows": people}


class FilmPredictor:
    """A detector that is ready for films; made once, used for many. It is used as `Predictor` is.

    Attributes:
        detector: in evaluation mode, on `device`.
        limits: what is refused.
        reader: opens files, in a process of its own.
    """

    def __init__(self, detector: VideoDetector, device: str = "auto", limits: Limits | None = None) -> None:
        """Put `detector` on `device`, with a face detector beside it where it looks at faces."""
        self.device = torch_device(device)
        self.detector = detector.to(self.device).eval()
        self.limits = limits or Limits()
        self.reader = Reader(self.limits)
        for caution in detector.decision.cautions:
            logger.warning("%s", caution)
        self.face_detectors = face_detectors(str(self.device)) if detector.view.faces else []

    @classmethod
    def from_run(cls, run: Path | str, device: str = "auto", limits: Limits | None = None) -> "FilmPredictor":
        """The best detector of a run of `train-video`.

        Raises:
            InputError: no such detector there, or one that cannot be trusted.
        """
        return cls(load_video(run), device, limits)

    def predict(self, source: Source, windows: int = WINDOWS) -> FilmPrediction:
        """Judge a film.

        Args:
            source: its path, or its bytes.
            windows: how many are looked at, at most, evenly spread.

        Returns:
            The verdict; "cannot tell", with the reason, of a photo, of a film shorter than a window or with too few
            frames a second, of one that cannot be read, in which no face is found that could be followed through a
            window, or whose score lies where neither rate can be kept.
        """
        try:
            return self._predicted(self._opened(source, windows), windows)
        except InputError as error:
            return FilmPrediction(**_shallow(refused(source, error)))

    def predict_many(self, sources: Iterable[Source], windows: int = WINDOWS) -> Iterator[FilmPrediction]:
        """Judge films, and those in folders, in order; a bad one becomes "cannot tell" and the rest goes on."""
        for source, why_not in files_in(sources):
            if why_not:
                yield FilmPrediction(**_shallow(refused(source, InputError(why_not))))
            else:
                yield self.predict(source, windows)

    def _opened(self, source: Source, windows: int) -> Media:
        view = self.detector.view
        media = self.reader.open_passages(source, Pace(view.seconds, view.rate, windows))
        check_size(media.pictures[0], media.name)
        return media

    def _predicted(self, media: Media, windows: int) -> FilmPrediction:
        """Judge passages.

        Raises:
            InputError: they take longer to be searched than they may.
        """
        found = self._windows(media, windows)
        decision = self.detector.decision
        silent = FilmPrediction(
            media.name, CANNOT_TELL, None, "", kind=media.kind, notes=(*media.notes, *decision.cautions),
            scope=decision.scope.line, meaning=decision.meaning, windows=found,
        )  # fmt: skip
        if not found:
            return dataclasses.replace(silent, reason=self._nothing())
        if not all(np.isfinite(one.probability_fake) for one in found):
            reason = "the detector gives no number for it: its weights are of no use; take another detector"
            return dataclasses.replace(silent, reason=reason, windows=[])
        return judged(silent, decision)

    def _nothing(self) -> str:
        length = f"{self.detector.view.seconds:g} s of one piece"
        if self.detector.view.faces:
            return f"no face could be followed through {length}; one is needed that is upright and not too small"
        return f"it is cut so often that no {length} are in it"

    def _windows(self, media: Media, windows: int) -> list[WindowVerdict]:
        """All windows that can be judged, of all people."""
        view = self.detector.view
        begins = Pace(view.seconds, view.rate, windows).windows(media.duration)
        # Which picture is shown at each tick; frames that do not decode lack, and a cut ends a window.
        wanted = begins[:, None] + np.arange(view.ticks) / view.rate  # (W, T) seconds
        times = media.times
        places = np.abs(times[None, None] - wanted[..., None]).argmin(axis=2)
        whole = [bool(np.abs(times[own] - when).max() <= 1.0 / view.rate and len(set(media.shots[own].tolist())) == 1)
                 for own, when in zip(places, wanted, strict=True)]  # fmt: skip
        places, begins = places[whole], begins[whole]
        if not len(places):
            return []
        if not view.faces:
            return self._judged(media, places, begins, None, None)
        found: list[WindowVerdict] = []
        for number, known in enumerate(self._people(media, places)):
            seen = [bool(np.isin(own, known.frames).any()) for own in places]
            if any(seen):
                found += self._judged(media, places[seen], begins[seen], known, number)
        return found

    def _people(self, media: Media, places: np.ndarray) -> list[Known]:
        """Where each person is, as places among the pictures, in the order of how prominent they are."""
        at = np.unique(places[:, np.linspace(0, places.shape[1] - 1, _SEARCHED).round().astype(int)])
        some = dataclasses.replace(
            media, indices=at, times=media.times[at], pictures=[media.pictures[place] for place in at.tolist()],
            shots=media.shots[at],
        )  # fmt: skip
        people = find_people(some, self.face_detectors, patience=self.limits.patience).people[:_MOST_PEOPLE]
        return [_known(person) for person in people]

    def _judged(
        self, media: Media, places: np.ndarray, begins: np.ndarray, known: Known | None, face: int | None
    ) -> list[WindowVerdict]:
        """The verdicts on windows of somebody, or of the whole frame."""
        view, decision, answers = self.detector.view, self.detector.decision, []
        once = np.unique(places)  # windows overlap, and what a picture shows is described once
        values = self.detector.describe(ticks_of(media.pictures, media.times, once, view, known).pictures)
        for own in np.searchsorted(once, places):
            clip = Described(media.times[once[own]], np.zeros(len(own), int), values[own])
            answers.append(self.detector.answers(clip, np.zeros(1, int))[0])
        logits, distances = np.array(answers).T
        return [
            WindowVerdict(face, round(float(start), 3), round(float(start) + view.seconds, 3), float(score),
                          decision.outside({DISTANCE: far}), float(far) if np.isfinite(far) else None)
            for start, score, far in zip(begins, decision.probability(logits), distances, strict=True)
        ]  # fmt: skip


def _known(person: Sequence[Track]) -> Known:
    frames = np.concatenate([track.frames for track in person])
    boxes = np.concatenate([squares(track.boxes) for track in person])
    order = np.argsort(frames, kind="stable")
    return Known(frames[order], boxes[order])


def _shallow(one: Any) -> dict[str, Any]:
    return {each.name: getattr(one, each.name) for each in dataclasses.fields(one)}


def judged(silent: FilmPrediction, decision: Decision) -> FilmPrediction:
    """The verdict on a film from those on its windows: fake where one person is, real where everybody is.

    Each person is judged by the mean over the windows that are like those of training; of several people each is
    another chance of a false alarm, so that the limit from which one is called fake rises with their number.

    Args:
        silent: with windows, all else that is known, and no verdict yet.
        decision: the detector's.
    """
    people = list(dict.fromkeys(one.face for one in silent.windows))
    like = [one for one in silent.windows if not one.cannot_tell]
    usable = {face: np.array([one.probability_fake for one in like if one.face == face]) for face in people}
    scores = {face: float(own.mean()) for face, own in usable.items() if len(own)}
    if not scores:
        kinds = [one.cannot_tell for one in silent.windows]
        return dataclasses.replace(
            silent, reason=f"it is {kinds[0]}: unlike the films that the detector was trained on"
        )
    ends = {face: _ends(decision, len(usable[face]), len(scores)) for face in scores}
    forged = [face for face in scores if scores[face] >= ends[face][1]]
    face = max(forged or scores, key=lambda one: scores[one])
    score, (real_to, fake_from) = scores[face], ends[face]
    if forged:
        verdict = FAKE
    elif len(scores) == len(people) and all(scores[one] <= ends[one][0] for one in scores):
        verdict = REAL
    else:
        verdict = CANNOT_TELL
    return dataclasses.replace(
        silent, verdict=verdict, probability_fake=score, interval=frame_interval(usable[face]),
        reason=_reason(silent, decision, face, usable[face], ends[face], len(people)),
        limits=(real_to if real_to >= 0 else None, fake_from if fake_from <= 1 else None),
        rate=decision.rate(verdict, decision.band(len(usable[face]))),
    )  # fmt: skip


def _ends(decision: Decision, windows: int, people: int) -> tuple[float, float]:
    """Up to where somebody is called real, and from where on fake; beyond 0 and 1: never."""
    band = decision.band(windows)
    return -np.inf if band.real_to is None else band.real_to, band.from_of(people)


def _reason(
    silent: FilmPrediction,
    decision: Decision,
    face: int | None,
    usable: np.ndarray,
    ends: tuple[float, float],
    people: int,
) -> str:
    """What the verdict rests on, in one line: the score, the limits, and where the score is highest."""
    score, finite = float(usable.mean()), [end for end in ends if np.isfinite(end)]
    digits = digits_apart(score, *finite)
    who = f"face {face + 1} of {people}: " if face is not None and people > 1 else ""
    own = [one for one in silent.windows if one.face == face and not one.cannot_tell]
    top = max(own, key=lambda one: one.probability_fake)
    when = f"; highest from {top.start:.1f} to {top.end:.1f} s ({top.probability_fake:.2f})" if len(own) > 1 else ""
    over = f" on average over {len(own)} windows" if len(own) > 1 else " in one window"
    if not finite:
        return f"{who}P(fake) is {score:.{digits}f}{over}, and no verdict is given: {decision.silence}{when}"
    fake = f"fake from {ends[1]:.{digits}f} on" if np.isfinite(ends[1]) else "fake never"
    real = f"real up to {ends[0]:.{digits}f}" if np.isfinite(ends[0]) else "real never"
    return f"{who}P(fake) is {score:.{digits}f}{over}; called {fake}, {real}{when}"
