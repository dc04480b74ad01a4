"""Any photo or video in, a verdict out: the one way to the detector for the command line, the app and the exports.

A face goes through the same steps as in training: found and followed by the same functions, cut by the same
`square_crop`, normalised by the `Preprocessing` that is stored with the weights. Of a clip of the training set the very
pixels come out that `torchfakes extract` has stored (a test holds that).
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.explanation.heat_maps import grad_cam
from torchfakes_utils.faces.detection import check_size
from torchfakes_utils.faces.search import Found, face_detectors, find_people
from torchfakes_utils.inference.verdict import Answers, Prediction, judge, refused
from torchfakes_utils.io.decoding import Source
from torchfakes_utils.io.limits import Limits
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.media import Media, files_in
from torchfakes_utils.io.prefetch import read_ahead
from torchfakes_utils.io.reader import Reader
from torchfakes_utils.metrics.config import FRAMES
from torchfakes_utils.models.decision import CANNOT_TELL
from torchfakes_utils.models.detector import Detector, load_detector
from torchfakes_utils.models.likeness import measured

logger = logging.getLogger(__name__)

# Crops that the network is given at once; and for how long files wait for others to be given along with, in seconds.
_BATCH, _PATIENCE = 32, 1.0
_USUAL_SIZE = 384  # pixels; of larger inputs fewer go together
# Bytes of a file's pictures, from which on no other file is read while it is judged.
_MOST_BESIDE = 2**28

# Crops (B, 3, S, S) uint8, as they are cut, to logits and distances (B, 2), as `Detector.answers` gives them.
Network = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Examination:
    """A file that was judged, with what there is to see."""

    prediction: Prediction
    media: Media  # the pictures that were looked at, with their times
    crops: dict[tuple[int, int], np.ndarray]  # (S, S, 3) uint8 RGB, as the detector got them, by face and frame

    def picture(self, frame: int) -> np.ndarray:
        """One of the frames that were looked at, (H, W, 3) uint8 RGB, as displayed."""
        return np.asarray(self.media.pictures[self.media.indices.tolist().index(frame)])


class Predictor:
    """A detector that is ready for photos and videos; made once, used for many.

    Attributes:
        detector: in evaluation mode, on `device`.
        limits: what is refused.
        reader: opens files, in a process of its own.
        face_detectors: for who is near, far, and farther in a large photo; see `search.find_people`.
    """

    def __init__(
        self, detector: Detector, device: str = "auto", limits: Limits | None = None, network: Network | None = None
    ) -> None:
        """Put `detector` on `device` and load the face detector beside it.

        Args:
            detector: any.
            device: "auto", "cpu", "cuda", …
            limits: the usual ones where not given.
            network: what computes logits and distances; the detector itself where not given, else an export of it.
        """
        self.device = torch_device(device)
        self.detector = detector.to(self.device).eval()
        self.limits = limits or Limits()
        self.reader = Reader(self.limits)  # it starts while all else is loaded
        self.network = network
        for caution in detector.decision.cautions:
            logger.warning("%s", caution)
        self.face_detectors = face_detectors(str(self.device))

    @classmethod
    def from_run(cls, run: Path | str, device: str = "auto", **options: Any) -> "Predictor":
        """The best detector of a run folder; `options` as above.

        Raises:
            InputError: no detector there, or one that cannot be trusted.
        """
        return cls(load_detector(run), device, **options)

    @classmethod
    def from_hub(cls, name: str, revision: str | None = None, device: str = "auto", **options: Any) -> "Predictor":
        """A detector, "owner/name", that somebody has pushed to the Hugging Face Hub; `options` as above.

        Its `revision` is a branch, tag or commit; a commit is the one thing that does not change.

        Raises:
            InputError: it cannot be fetched, or is not what it says.
        """
        from torchfakes_utils.hub.pull import pull

        return cls.from_run(pull(name, revision), device, **options)

    def predict(self, source: Source, frames: int = FRAMES) -> Prediction:
        """Judge a photo or a video, told apart by their content.

        Every person is judged, near or far, however short their appearance, by those crops that look like crops of
        training (size, sharpness, light, the whole face in the picture, and what the network sees in it); whoever has
        none is named, not judged. In a film nobody is followed across a cut: who is seen again in another shot is one
        person where nearly all looks the same, and two where it does not. Of a crowd the 32 most prominent are judged.
        One swapped face among three real ones makes a fake; but each face is another chance of a false alarm, so that
        the limit from which the file is called fake rises with their number.

        Args:
            source: a photo (EXIF orientation honoured; transparent, grey, CMYK and 16-bit ones too), an animation or
                a video; its path, or its bytes.
            frames: how many frames of a video are looked at, evenly spread; up to four times as many of a long one (one
                in ten seconds) and of one with short shots (three in each).

        Returns:
            The verdict; "cannot tell", with the reason, where nothing can be read, no face is found, none is like those
            that the detector was trained on, or the score lies where neither rate can be kept.
        """
        try:
            return self.examine(source, frames).prediction
        except InputError as error:
            return refused(source, error)

    def examine(self, source: Source, frames: int = FRAMES) -> Examination:
        """As `predict`, and keep what there is to see.

        Raises:
            InputError: nothing can be read.
        """
        found = self._find(self._opened(source, frames))
        prediction = self._judged(found, self._answers(found.crops))
        places = [(face.face, frame.frame) for face in prediction.faces for frame in face.frames]
        return Examination(prediction, found.media, dict(zip(places, found.crops, strict=bool(places))))

    def predict_many(self, sources: Iterable[Source], frames: int = FRAMES) -> Iterator[Prediction]:
        """Judge files, and those in folders, in order; a bad one becomes "cannot tell" and the rest goes on.

        The next file is read while this one is judged, and the faces of several go through the network together.
        Sources and frames are as for `predict`; a source may also be a folder.
        """
        waiting: list[Found | Prediction] = []
        since = time.monotonic()
        for opened in read_ahead(self._all_opened(sources, frames), 1, _is_large):
            waiting.append(opened if isinstance(opened, Prediction) else self._found(opened))
            del opened  # and its pictures: there is room for those of one file
            crops = sum(len(found.crops) for found in waiting if isinstance(found, Found))
            if crops >= _BATCH or not crops or time.monotonic() - since > _PATIENCE:
                yield from self._judge_together(waiting)
                waiting, since = [], time.monotonic()
        yield from self._judge_together(waiting)

    def heat_map(self, crop: np.ndarray, layer: str | None = None, method: str = "grad-cam") -> np.ndarray:
        """Which places of a crop pointed to "fake".

        Args:
            crop: (S, S, 3) uint8 RGB, from `Examination.crops`.
            layer, method: see `heat_maps.grad_cam`.

        Returns:
            (s, s) float32 in [0, 1], over the crop at the size of the network's input.

        Raises:
            InputError: an unknown layer or method.
        """
        image = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))[None].to(self.device)
        heat: np.ndarray = grad_cam(self.detector, self.detector.preprocessing.apply(image), layer, "fake", method)[0]
        return heat

    def _opened(self, source: Source, frames: int) -> Media:
        media = self.reader.open_media(source, frames)
        check_size(media.pictures[0], media.name)
        return media

    def _all_opened(self, sources: Iterable[Source], frames: int) -> Iterator[Media | Prediction]:
        for source, why_not in files_in(sources):
            try:
                if why_not:
                    raise InputError(why_not)
                yield self._opened(source, frames)
            except InputError as error:
                yield refused(source, error)

    def _judge_together(self, waiting: Sequence[Found | Prediction]) -> Iterator[Prediction]:
        founds = [found for found in waiting if isinstance(found, Found)]
        answers = self._answers([crop for found in founds for crop in found.crops])
        start = 0
        for found in waiting:
            if isinstance(found, Prediction):
                yield found
                continue
            yield self._judged(found, answers.part(start, len(found.crops)))
            start += len(found.crops)

    def _found(self, media: Media) -> Found | Prediction:
        """As `_find`; "cannot tell" where it takes too long."""
        try:
            return self._find(media).without_pictures()
        except InputError as error:
            return Prediction(media.name, CANNOT_TELL, None, str(error), kind=media.kind, notes=media.notes)

    def _find(self, media: Media) -> Found:
        """Everybody in it.

        Raises:
            InputError: it takes longer than it may.
        """
        preprocessing, patience = self.detector.preprocessing, self.limits.patience
        return find_people(media, self.face_detectors, preprocessing.crop_scale, preprocessing.crop_size, patience)

    def _judged(self, found: Found, answers: Answers) -> Prediction:
        return judge(found, answers, self.detector.decision, self.detector.preprocessing.crop_scale)

    def _answers(self, crops: Sequence[np.ndarray]) -> Answers:
        """What the network says of crops as they are cut; NaN where it gives no number."""
        if not crops:
            return Answers(np.zeros(0), np.zeros(0))
        images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()
        # What a network takes goes with the square of its input, and the network may be a stranger's.
        size = self.detector.preprocessing.size
        chunks = images.split(max(1, min(_BATCH, _BATCH * _USUAL_SIZE**2 // size**2)))
        found = torch.cat([self._answer(chunk).cpu() for chunk in chunks]).double().numpy()
        distances = measured(found[:, 1], self.detector.likeness)
        return Answers(self.detector.decision.probability(found[:, 0]), distances)

    def _answer(self, crops: torch.Tensor) -> torch.Tensor:
        if self.network is not None:
            return self.network(crops)
        return self.detector.answers(self.detector.preprocessing.apply(crops.to(self.device)))


def _is_large(opened: Media | Prediction) -> bool:
    return isinstance(opened, Media) and sum(picture.nbytes for picture in opened.pictures) > _MOST_BESIDE
