"""What the app answers, without any page: an upload in, a verdict or a heat map out, and nothing left of the upload."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from torchfakes_utils.app import pictures, views
from torchfakes_utils.app.asgi import UNEXPECTED, note_unexpected
from torchfakes_utils.app.uploads import Uploads
from torchfakes_utils.audio.judging import VoiceJudge
from torchfakes_utils.errors import InputError
from torchfakes_utils.explanation.heat_maps import check_choice, overlay
from torchfakes_utils.inference.predictor import Examination, Predictor
from torchfakes_utils.metrics.config import FRAMES

# Of a video, for those who call an endpoint.
_MOST_FRAMES = 64

# What the page needs of an examination: the verdict as HTML, and a crop of each face that was judged, by its number
# from 1 on; the one that decides comes first.
Shown = tuple[str, dict[int, np.ndarray]]

P = ParamSpec("P")
R = TypeVar("R")


def _discreet(answer: Callable[P, R]) -> Callable[P, R]:
    """An error that nobody foresaw, as an `InputError` that tells nothing of the upload: its own text may name it."""

    @functools.wraps(answer)
    def guarded(*words: P.args, **named: P.kwargs) -> R:
        try:
            return answer(*words, **named)
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, its text goes nowhere
            note_unexpected(error)
            raise InputError(UNEXPECTED) from None

    return guarded


class Answers:
    """Judges uploads and examples.

    Attributes:
        predictor: whose verdicts they are.
        uploads: where the uploads lie; each is deleted once it is judged.
        frames: of a video, how many are looked at.
        voice: what judges the voice in a file; None where nobody asked.
    """

    def __init__(
        self, predictor: Predictor, uploads: Uploads, frames: int = FRAMES, voice: VoiceJudge | None = None
    ) -> None:
        self.predictor, self.uploads, self.frames, self.voice = predictor, uploads, frames, voice

    @_discreet
    def judge(self, upload: Any, frames: int | None = None) -> dict[str, Any]:
        """The verdict on an upload, as `torchfakes predict --json` prints it; a bad file is "cannot tell".

        Only `path` is called `file` here: whatever has a path, Gradio's clients take for a file to be fetched.

        Raises:
            InputError: there is no such upload, or it cannot be looked at in so many frames.
        """
        with self.uploads.taken(upload) as (path, name):  # whatever else is wrong: it is taken, and then deleted
            answer = self.predictor.predict(path, self.frames if frames is None else _checked(frames)).to_json()
            if self.voice is not None:
                answer["voice"] = self.voice.judge(path).to_json()
        del answer["path"]
        return {"file": name, **answer}

    def show(self, upload: Any) -> Shown:
        """What the page shows of an upload; the reason, where it cannot be judged."""
        try:
            with self.uploads.taken(upload) as (path, name):
                return self.show_file(path, name)
        except InputError as error:
            return views.refusal(str(error), ""), {}

    def show_file(self, path: Path, name: str) -> Shown:
        """The same of a file that stays where it is."""
        try:
            html, crops = self._shown(path, name)
        except InputError as error:
            html, crops = views.refusal(str(error).removeprefix(f"{path}: "), name), {}
        return html + self._heard(path), crops

    @_discreet
    def _heard(self, path: Path) -> str:
        """What is said of the voice in a file, below what is said of its faces."""
        return "" if self.voice is None else views.voice(self.voice.judge(path))

    @_discreet
    def _shown(self, path: Path, name: str) -> Shown:
        examined = self.predictor.examine(path, self.frames)
        return views.result(examined, self.predictor.detector.decision, name), telling_crops(examined)

    @_discreet
    def explain(self, crops: dict[int, np.ndarray] | None, face: int, method: str, layer: str) -> str:
        """A face, by its number in `crops` of `show` (None where they were forgotten), under its heat map, as HTML."""
        if crops is None or face not in crops:
            return views.forgotten()
        heat = self.predictor.heat_map(crops[face], layer, method)
        return views.heat_map(crops[face], heat, face, layer, method)

    @_discreet
    def heat_map(self, upload: Any, face: int, method: str, layer: str) -> dict[str, Any]:
        """A heat map of one face of an upload, as pictures inside JSON.

        Raises:
            InputError: no such upload, face, method or layer, or a file that cannot be judged.
        """
        with self.uploads.taken(upload) as (path, name):
            layer = check_choice(self.predictor.detector, layer or None, method)
            try:
                examined = self.predictor.examine(path, self.frames)
            except InputError as error:
                raise InputError(str(error).replace(str(path), name)) from error
        crops = telling_crops(examined)
        face = face or next(iter(crops), 0)  # the one that decides comes first
        if face not in crops:
            which, known = f"face {face}" if face else "face", ", ".join(map(str, sorted(crops))) or "none"
            raise InputError(f"{name}: there is no {which} that was judged; those that were: {known}")
        heat = self.predictor.heat_map(crops[face], layer, method)
        return {
            "file": name, "face": face, "method": method, "layer": layer,
            "heat": pictures.data_url(np.rint(heat * 255).astype(np.uint8), "png"),
            "overlay": pictures.data_url(overlay(crops[face], heat), "png"),
            "notes": list(examined.prediction.notes),
        }  # fmt: skip

    def warm_up(self) -> None:
        """Judge and explain a picture, so that the first visitor does not wait for what is loaded late."""
        import skimage.data

        size = self.predictor.detector.preprocessing.crop_size
        self.predictor.examine(pictures.encoded(skimage.data.astronaut()))
        self.predictor.heat_map(np.zeros((size, size, 3), np.uint8))


def _checked(frames: Any) -> int:
    if isinstance(frames, bool) or not isinstance(frames, int | float) or not 1 <= frames <= _MOST_FRAMES:
        raise InputError(f"frames {frames!r}: give 1 to {_MOST_FRAMES}")
    return int(frames)


def telling_crops(examined: Examination) -> dict[int, np.ndarray]:
    """Of each face that was judged, by its number from 1, the crop that looks most fake; the deciding face first."""
    crops, deciding = {}, examined.prediction.deciding
    for face in sorted(examined.prediction.faces, key=lambda face: face is not deciding):
        usable = [frame for frame in face.frames if not frame.cannot_tell]
        if usable:
            most = max(usable, key=lambda frame: frame.probability_fake)
            crops[face.face + 1] = examined.crops[face.face, most.frame]
    return crops
