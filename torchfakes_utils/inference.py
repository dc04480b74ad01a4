"""Any photo or video in, a verdict out: the one way to the detector for the command line, the app and the exports.

A face goes through the same steps as in training: found and followed by the same functions, cut by the same
`square_crop`, normalised by the `Preprocessing` that is stored with the weights. Of a clip of the training set the very
pixels come out that `torchfakes extract` has stored (a test holds that).
"""

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchfakes_utils.decision import light
from torchfakes_utils.detector import Detector, load, torch_device
from torchfakes_utils.errors import InputError
from torchfakes_utils.face_detection import ExtractionConfig, FaceDetector, square_crop
from torchfakes_utils.heat_maps import grad_cam
from torchfakes_utils.media import Limits, Media, files_in, open_media
from torchfakes_utils.sharpness import variance_of_laplacian
from torchfakes_utils.tracking import Track, detect_twice, look, track_everyone
from torchfakes_utils.video import Source, name_of

FAKE, REAL, CANNOT_TELL = "fake", "real", "cannot tell"

# How many frames of a video are looked at unless told otherwise: more hardly change the mean of a clip.
FRAMES = 16

# Faces are first looked for as in training. Where there is none, once more for small ones: a phone's photo shows people
# from farther away than the clips of FaceForensics++ do.
CLOSE_UP = ExtractionConfig()
FAR_AWAY = dataclasses.replace(CLOSE_UP, min_face=0.05)

# Crops that the network is given at once; and for how long files wait for others to be given along with, in seconds.
_BATCH, _PATIENCE = 32, 1.0

# For an interval over frames: fewer say nothing of how much they differ.
_LEAST_FRAMES, _DRAWS = 3, 2000

# Crops (B, 3, S, S) uint8, as they are cut, to logits (B,).
Network = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class FrameVerdict:
    """One face in one frame.

    Attributes:
        frame: index of the frame, counted from 0; 0 for a photo.
        time: when it is shown, seconds from the start; 0 for a photo.
        box: x1, y1, x2, y2 of the face in pixels of the picture as displayed.
        probability: the face detector's certainty that this is a face.
        probability_fake: P(fake) in [0, 1], calibrated.
        cannot_tell: why this crop lies outside of what the detector was trained on; "" where it does not.
    """

    frame: int
    time: float
    box: tuple[float, float, float, float]
    probability: float
    probability_fake: float
    cannot_tell: str = ""


@dataclass(frozen=True)
class FaceVerdict:
    """One person, followed through a file.

    Attributes:
        face: which, counted from 0, the most prominent first.
        verdict: "fake", "real" or "cannot tell".
        probability_fake: the mean of P(fake) over the frames that count; None where none does.
        interval: 95 % interval of that mean, from drawing frames (percentile bootstrap); None for fewer than three. It
            tells how much the frames differ, not how often the detector is wrong.
        reason: what the verdict rests on, or why there is none; one line.
        frames: each in which the face was judged, in order.
    """

    face: int
    verdict: str
    probability_fake: float | None
    interval: tuple[float, float] | None
    reason: str
    frames: list[FrameVerdict]


@dataclass(frozen=True)
class Prediction:
    """What can be said about one file.

    Attributes:
        path: the file, as it was given.
        verdict: "fake", "real" or "cannot tell".
        probability_fake: that of the most fake-looking face; None when it cannot be told.
        reason: one line: what the verdict rests on, or why there is none.
        faces: every person that was judged, the most prominent first.
        interval: that of the same face.
        kind: "photo", "animation" or "video"; "" where it could not be opened.
        notes: what else has to be known, a line each.
    """

    path: str
    verdict: str
    probability_fake: float | None
    reason: str
    faces: list[FaceVerdict] = field(default_factory=list)
    interval: tuple[float, float] | None = None
    kind: str = ""
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes; in it `face` counts from 1."""
        # A name need not be text at all: on disk it is bytes.
        path = self.path.encode("utf-8", "backslashreplace").decode()
        # People count from 1, in the reasons as in all that is shown.
        faces = [dataclasses.asdict(face) | {"face": face.face + 1} for face in self.faces]
        return dataclasses.asdict(self) | {"path": path, "faces": faces}


@dataclass(frozen=True)
class Look:
    """A prediction, and what there is to see.

    Attributes:
        prediction: the verdict.
        media: the pictures that were looked at, with their times.
        crops: (S, S, 3) uint8 RGB, as the detector was given them, by face and frame.
    """

    prediction: Prediction
    media: Media
    crops: dict[tuple[int, int], np.ndarray]

    def picture(self, frame: int) -> np.ndarray:
        """One of the frames that were looked at, (H, W, 3) uint8 RGB, as displayed."""
        return self.media.pictures[self.media.indices.tolist().index(frame)]


@dataclass(frozen=True)
class _Found:
    """The faces of a file, not judged yet."""

    media: Media
    tracks: list[Track]
    crops: list[np.ndarray]  # of all tracks, one after the other

    @property
    def boxes(self) -> np.ndarray:
        """(N, 4), as the crops."""
        return np.concatenate([track.boxes for track in self.tracks]) if self.tracks else np.zeros((0, 4))


class Predictor:
    """A detector that is ready for photos and videos; made once, used for many.

    Attributes:
        detector: in evaluation mode, on `device`.
        threshold: the P(fake) from which a face is called fake.
        limits: what is refused.
        face_detectors: tried in turn, until one finds somebody.
    """

    def __init__(
        self,
        detector: Detector,
        device: str = "auto",
        limits: Limits | None = None,
        network: Network | None = None,
    ) -> None:
        """Put `detector` on `device` and load the face detector beside it.

        Args:
            detector: any.
            device: "auto", "cpu", "cuda", …
            limits: the usual ones where not given.
            network: what computes the logits; the detector itself where not given, else an export of it.
        """
        self.device = torch_device(device)
        self.detector = detector.to(self.device).eval()
        self.threshold = detector.decision.threshold
        self.limits = limits or Limits()
        self.network = network
        self.face_detectors = [FaceDetector(str(self.device), config) for config in (CLOSE_UP, FAR_AWAY)]

    @classmethod
    def from_run(cls, run: Path | str, device: str = "auto", **options: Any) -> "Predictor":
        """The best detector of a run folder; `options` as above.

        Raises:
            InputError: no detector there, or one that cannot be trusted.
        """
        return cls(load(run), device, **options)

    @classmethod
    def from_hub(cls, name: str, revision: str | None = None, device: str = "auto", **options: Any) -> "Predictor":
        """A detector that somebody has pushed to the Hugging Face Hub.

        Args:
            name: "owner/name".
            revision: a branch, tag or commit; a commit is the one thing that does not change.
            device, options: as above.

        Raises:
            InputError: it cannot be fetched, or is not what it says.
        """
        from torchfakes_utils.hub import pull

        return cls.from_run(pull(name, revision), device, **options)

    def predict(self, source: Source, frames: int = FRAMES) -> Prediction:
        """Judge a photo or a video, told apart by their content.

        Every person is judged who shows in a fair share of the frames, by those crops that look like crops of training
        (size, sharpness, light); whoever has none is not judged. The file is as fake as its most fake-looking face: one
        swapped face among three real ones makes a fake.

        Args:
            source: a photo (EXIF orientation honoured; transparent, grey, CMYK and 16-bit ones too), an animation or
                a video; its path, or its bytes.
            frames: how many frames of a video are looked at, evenly spread.

        Returns:
            The verdict; "cannot tell", with the reason, where nothing can be read, no face is found, or none is like
            those that the detector was trained on.
        """
        try:
            return self.look(source, frames).prediction
        except InputError as error:
            return _refused(source, error)

    def look(self, source: Source, frames: int = FRAMES) -> Look:
        """As `predict`, and keep what there is to see.

        Raises:
            InputError: nothing can be read.
        """
        found = self._find(open_media(source, frames, self.limits))
        prediction = self._verdict(found, self._probabilities(found.crops))
        places = [(face.face, frame.frame) for face in prediction.faces for frame in face.frames]
        return Look(prediction, found.media, dict(zip(places, found.crops, strict=True)))

    def predict_many(self, sources: Iterable[Source], frames: int = FRAMES) -> Iterator[Prediction]:
        """Judge files, and those in folders, in order; a bad one becomes "cannot tell" and the rest goes on.

        The next file is read while this one is judged, and the faces of several go through the network together.

        Args:
            sources: files (paths or bytes) and folders.
            frames: how many frames of a video are looked at.
        """
        waiting: list[_Found | Prediction] = []
        since = time.monotonic()
        for opened in self._open_ahead(sources, frames):
            waiting.append(opened if isinstance(opened, Prediction) else self._find(opened))
            crops = sum(len(found.crops) for found in waiting if isinstance(found, _Found))
            if crops >= _BATCH or not crops or time.monotonic() - since > _PATIENCE:
                yield from self._judge_together(waiting)
                waiting, since = [], time.monotonic()
        yield from self._judge_together(waiting)

    def heat_map(self, crop: np.ndarray, layer: str | None = None, method: str = "grad-cam") -> np.ndarray:
        """Which places of a crop spoke for "fake".

        Args:
            crop: (S, S, 3) uint8 RGB, from `Look.crops`.
            layer, method: see `heat_maps.grad_cam`.

        Returns:
            (s, s) float32 in [0, 1], over the crop at the size of the network's input.

        Raises:
            InputError: an unknown layer or method.
        """
        image = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))[None].to(self.device)
        return grad_cam(self.detector, self.detector.preprocessing.apply(image), layer, "fake", method)[0]

    def _open_ahead(self, sources: Iterable[Source], frames: int) -> Iterator[Media | Prediction]:
        """Every file, opened, one ahead of the one that is asked for."""

        def opened(source: Source, why_not: str) -> Media | Prediction:
            try:
                if why_not:
                    raise InputError(why_not)
                return open_media(source, frames, self.limits)
            except InputError as error:
                return _refused(source, error)

        with ThreadPoolExecutor(1) as pool:
            ahead = None
            for source, why_not in files_in(sources):
                following = pool.submit(opened, source, why_not)
                if ahead is not None:
                    yield ahead.result()
                ahead = following
            if ahead is not None:
                yield ahead.result()

    def _judge_together(self, waiting: Sequence[_Found | Prediction]) -> Iterator[Prediction]:
        founds = [found for found in waiting if isinstance(found, _Found)]
        probabilities = self._probabilities([crop for found in founds for crop in found.crops])
        start = 0
        for found in waiting:
            if isinstance(found, Prediction):
                yield found
                continue
            yield self._verdict(found, probabilities[start : start + len(found.crops)])
            start += len(found.crops)

    def _find(self, media: Media) -> _Found:
        """Everybody in it, each followed through the frames, and their crops."""
        looks = [look(picture) for picture in media.pictures]
        tracks: list[Track] = []
        for detector in self.face_detectors:
            detections = detect_twice(detector, media.pictures)
            tracks = track_everyone(media.indices, detections, looks, media.pictures[0].shape[:2])
            if tracks:
                break
        picture = dict(zip(media.indices.tolist(), media.pictures, strict=True))
        preprocessing = self.detector.preprocessing
        crops = [
            square_crop(picture[int(frame)], box, preprocessing.crop_scale, preprocessing.crop_size)[0]
            for track in tracks
            for frame, box in zip(track.frames, track.boxes, strict=True)
        ]
        return _Found(media, tracks, crops)

    def _probabilities(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """P(fake) of crops as they are cut, (N,)."""
        if not crops:
            return np.zeros(0)
        images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()
        if self.network is not None:
            logits = [self.network(chunk) for chunk in images.split(_BATCH)]
            return self.detector.decision.probability(torch.cat(logits).cpu().numpy())
        chunks = [self.detector.probability(chunk.to(self.device)).cpu() for chunk in images.split(_BATCH)]
        return torch.cat(chunks).double().numpy()

    def _verdict(self, found: _Found, probabilities: np.ndarray) -> Prediction:
        media = found.media
        if not found.tracks:
            where = "in this photo" if len(media.pictures) == 1 else f"in any of {len(media.pictures)} frames"
            reason = f"no face found {where}; one is needed that is upright, turned to the camera and not too small"
            return Prediction(media.name, CANNOT_TELL, None, reason, kind=media.kind, notes=media.notes)
        outside = [self._outside(crop, box) for crop, box in zip(found.crops, found.boxes, strict=True)]
        time_of = dict(zip(media.indices.tolist(), media.times.tolist(), strict=True))
        faces, start = [], 0
        for number, track in enumerate(found.tracks):
            part = slice(start, start := start + len(track))
            faces.append(self._face(number, track, probabilities[part], outside[part], time_of))
        return self._overall(media, faces)

    def _face(
        self, number: int, track: Track, fake: np.ndarray, outside: list[str], time_of: dict[int, float]
    ) -> FaceVerdict:
        """The verdict on one person."""
        frames = [
            FrameVerdict(
                frame=int(frame),
                time=round(time_of[int(frame)], 3),
                box=tuple(round(float(edge), 1) for edge in box),
                probability=float(sure),
                probability_fake=float(score),
                cannot_tell=why,
            )
            for frame, box, sure, score, why in zip(
                track.frames, track.boxes, track.probabilities, fake, outside, strict=True
            )
        ]
        usable = np.array([frame.probability_fake for frame in frames if not frame.cannot_tell])
        if not len(usable):
            return FaceVerdict(number, CANNOT_TELL, None, None, _unlike_training(frames), frames)
        mean = float(usable.mean())
        over = f" on average over {len(usable)} frames" if len(usable) > 1 else ""
        reason = f"P(fake) is {mean:.2f}{over}; from {self.threshold:.2f} on it is called fake"
        left_out = len(frames) - len(usable)
        reason += f" ({left_out} crops unlike those of training are left out)" if left_out else ""
        verdict = FAKE if mean >= self.threshold else REAL
        return FaceVerdict(number, verdict, mean, frame_interval(usable), reason, frames)

    def _overall(self, media: Media, faces: list[FaceVerdict]) -> Prediction:
        """The verdict on the file: that on the most fake-looking face."""
        judged = [face for face in faces if face.probability_fake is not None]
        if not judged:
            reason = _unlike_training([frame for face in faces for frame in face.frames])
            return Prediction(media.name, CANNOT_TELL, None, reason, faces, None, media.kind, media.notes)
        worst = max(judged, key=lambda face: face.probability_fake)
        who = f"face {worst.face + 1} of {len(faces)}, the most fake-looking one: " if len(faces) > 1 else ""
        return Prediction(
            media.name,
            worst.verdict,
            worst.probability_fake,
            who + worst.reason,
            faces,
            worst.interval,
            media.kind,
            media.notes,
        )

    def _outside(self, crop: np.ndarray, box: np.ndarray) -> str:
        """Why a crop (H, W, 3) is unlike those of training, or ""."""
        brightness, contrast = light(crop.transpose(2, 0, 1)[None])
        qualities = {
            "face": float(max(box[2] - box[0], box[3] - box[1])),
            "sharpness": variance_of_laplacian(crop),
            "brightness": float(brightness[0]),
            "contrast": float(contrast[0]),
        }
        return self.detector.decision.outside(qualities)


def _refused(source: Source, error: InputError) -> Prediction:
    name = name_of(source)
    return Prediction(name, CANNOT_TELL, None, str(error).removeprefix(f"{name}: "))


def _unlike_training(frames: Sequence[FrameVerdict]) -> str:
    """One line about crops none of which is like those of training: the most frequent reason, by its first example."""
    kinds = [frame.cannot_tell.partition(" (")[0] for frame in frames]
    kind = max(dict.fromkeys(kinds), key=kinds.count)
    example = frames[kinds.index(kind)].cannot_tell
    return f"a face was found, but it is {example}: unlike those that the detector was trained on"


def frame_interval(probabilities: np.ndarray) -> tuple[float, float] | None:
    """95 % percentile bootstrap of the mean over frames (Efron, Annals of Statistics 1979); the same each time."""
    if len(probabilities) < _LEAST_FRAMES:
        return None
    drawn = np.random.default_rng(0).choice(probabilities, (_DRAWS, len(probabilities))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
