"""Any photo or video in, a verdict out: the one way to the detector for the command line, the app and the exports.

A face goes through the same steps as in training: found by the same network, cut by the same `square_crop`, normalised
by the `Preprocessing` that is stored with the weights.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from torchfakes_utils.decision import light
from torchfakes_utils.detector import Detector, load, torch_device
from torchfakes_utils.errors import InputError
from torchfakes_utils.face_detection import Detections, ExtractionConfig, FaceDetector, square_crop
from torchfakes_utils.sharpness import variance_of_laplacian
from torchfakes_utils.tracking import follow
from torchfakes_utils.video import probe, read_frames, spread

FAKE, REAL, CANNOT_TELL = "fake", "real", "cannot tell"

# How many frames of a video are looked at unless told otherwise: more hardly change the mean of a clip.
FRAMES = 16

# Faces are first looked for as in training. Where there is none, once more for small ones: a phone's photo shows people
# from farther away than the clips of FaceForensics++ do.
_CLOSE_UP = ExtractionConfig()
_FAR_AWAY = dataclasses.replace(_CLOSE_UP, min_face=0.05)

# Pillow knows many more, but "opens" MPEG videos that it cannot decode, and hands PostScript to an interpreter that a
# stranger's file should not reach. Whatever is not of these goes to FFmpeg, which also reads photos such as AVIF.
_PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "JPEG2000", "PPM")

# A face that shows in fewer frames than this share of the most constant one's is taken for a false alarm of the face
# detector: the verdict goes by the most fake-looking face, and a poster or a hand must not decide it.
_LEAST_PRESENCE = 0.25


@dataclass(frozen=True)
class FaceVerdict:
    """One face in one frame.

    Attributes:
        frame: index of the frame, counted from 0; 0 for a photo.
        time: of the frame, seconds from the start; 0 for a photo.
        box: x1, y1, x2, y2 of the face in pixels of the picture as displayed.
        probability: the face detector's certainty that this is a face.
        probability_fake: P(fake) in [0, 1].
        face: which person, counted from 0; the same number in every frame.
        cannot_tell: why this crop lies outside of what the detector was trained on; "" where it does not.
    """

    frame: int
    time: float
    box: tuple[float, float, float, float]
    probability: float
    probability_fake: float
    face: int = 0
    cannot_tell: str = ""


@dataclass(frozen=True)
class Prediction:
    """What can be said about one file.

    Attributes:
        path: the file, as it was given.
        verdict: "fake", "real" or "cannot tell".
        probability_fake: the mean P(fake) over the frames of the most fake-looking face; None when it cannot be told.
        reason: one line: what the verdict rests on, or why there is none.
        faces: every face that was judged, by person and frame.
    """

    path: str
    verdict: str
    probability_fake: float | None
    reason: str
    faces: list[FaceVerdict] = field(default_factory=list)

    def to_json(self) -> dict:
        """A dictionary that `json.dumps` takes."""
        faces = [dataclasses.asdict(face) | {"box": list(face.box)} for face in self.faces]
        return dataclasses.asdict(self) | {"faces": faces}


class Predictor:
    """A detector that is ready for photos and videos; made once, used for many."""

    def __init__(self, detector: Detector, device: str = "auto") -> None:
        """Put `detector` on `device` ("auto", "cpu", "cuda", …) and load the face detector beside it."""
        self.device = torch_device(device)
        self.detector = detector.to(self.device).eval()
        self.threshold = detector.decision.threshold
        self.face_detectors = [FaceDetector(str(self.device), config) for config in (_CLOSE_UP, _FAR_AWAY)]

    @classmethod
    def from_run(cls, run: Path | str, device: str = "auto") -> "Predictor":
        """The best detector of a run folder.

        Raises:
            InputError: no detector there, or one that cannot be trusted.
        """
        return cls(load(run), device)

    def predict_many(self, paths: Iterable[Path | str], frames: int = FRAMES) -> Iterator[Prediction]:
        """Judge one file after another; a bad one becomes "cannot tell" and the rest goes on."""
        for path in paths:
            yield self.predict(path, frames)

    def predict(self, path: Path | str, frames: int = FRAMES) -> Prediction:
        """Judge a photo or a video, told apart by their content.

        Every person is judged who shows in a fair share of the frames, by those crops that look like crops of training
        (size, sharpness, light); whoever has none is not judged. The file is as fake as its most fake-looking face: one
        swapped face among three real ones makes a fake.

        Args:
            path: a photo (EXIF orientation honoured; transparent, grey, CMYK and 16-bit ones too), an animation or
                a video.
            frames: how many frames of a video are looked at, evenly spread.

        Returns:
            The verdict; "cannot tell", with the reason, where nothing can be read, no face is found, or none is like
            those that the detector was trained on.
        """
        try:
            indices, pictures, fps = read_any(path, frames)
        except InputError as error:
            reason = str(error).removeprefix(f"{path}: ")
            return Prediction(str(path), CANNOT_TELL, None, reason)
        people, detections = self._find(pictures)
        if not people:
            where = "in this photo" if len(pictures) == 1 else f"in any of {len(pictures)} frames"
            reason = f"no face found {where}; one is needed that is upright, turned to the camera and not too small"
            return Prediction(str(path), CANNOT_TELL, None, reason)
        faces = self._judge(people, detections, indices, pictures, fps)
        usable = [face for face in faces if not face.cannot_tell]
        if not usable:
            return Prediction(str(path), CANNOT_TELL, None, _unlike_training(faces), faces)
        means = {
            who: float(np.mean([face.probability_fake for face in usable if face.face == who]))
            for who in sorted({face.face for face in usable})
        }
        worst = max(means, key=means.get)
        mean = means[worst]
        verdict = FAKE if mean >= self.threshold else REAL
        looked_at = sum(face.face == worst for face in usable)
        reason = f"P(fake) is {mean:.2f}" + (f" on average over {looked_at} frames" if looked_at > 1 else "")
        if len(people) > 1:
            reason += f", for face {worst + 1} of {len(people)}, the most fake-looking one"
        reason += f"; from {self.threshold:.2f} on it is called fake"
        left_out = len(faces) - len(usable)
        reason += f" ({left_out} crops unlike those of training are left out)" if left_out else ""
        return Prediction(str(path), verdict, mean, reason, faces)

    def _find(self, pictures: np.ndarray) -> tuple[list[list[int | None]], list[Detections]]:
        """People, each with the index of their detection in every frame (None where lost), and the detections."""
        for face_detector in self.face_detectors:
            detections = face_detector.detect(pictures)
            people = follow_all(detections)
            if people:
                return people, detections
        return [], detections

    def _judge(
        self,
        people: list[list[int | None]],
        detections: list[Detections],
        indices: np.ndarray,
        pictures: np.ndarray,
        fps: float,
    ) -> list[FaceVerdict]:
        """P(fake) of every person in every frame."""
        preprocessing = self.detector.preprocessing
        seen = [
            (who, at, index) for who, track in enumerate(people) for at, index in enumerate(track) if index is not None
        ]
        crops = [
            square_crop(pictures[at], detections[at].boxes[index], preprocessing.crop_scale, preprocessing.crop_size)[0]
            for _, at, index in seen
        ]
        images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
        with torch.inference_mode():
            chunks = [self.detector.probability(chunk.to(self.device)).cpu() for chunk in images.split(64)]
        boxes = [detections[at].boxes[index] for _, at, index in seen]
        outside = [self._outside(crop, box) for crop, box in zip(crops, boxes, strict=True)]
        return [
            FaceVerdict(
                frame=int(indices[at]),
                time=round(float(indices[at] / fps), 3),
                box=tuple(round(float(edge), 1) for edge in detections[at].boxes[index]),
                probability=float(detections[at].probabilities[index]),
                probability_fake=float(fake),
                face=who,
                cannot_tell=why,
            )
            for (who, at, index), fake, why in zip(seen, torch.cat(chunks), outside, strict=True)
        ]

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


def _unlike_training(faces: list[FaceVerdict]) -> str:
    """One line about faces none of which is like those of training: the most frequent reason, by its first example."""
    kinds = [face.cannot_tell.partition(" (")[0] for face in faces]
    kind = max(dict.fromkeys(kinds), key=kinds.count)
    example = faces[kinds.index(kind)].cannot_tell
    return f"a face was found, but it is {example}: unlike those that the detector was trained on"


def follow_all(detections: list[Detections]) -> list[list[int | None]]:
    """Everyone in a clip, the most prominent first: `follow`, again and again, on what it has not followed yet.

    Args:
        detections: one for each frame.

    Returns:
        A list for each person: the index of their detection in every frame, None where they do not show. People who
        show in less than a quarter as many frames as the most constant one are left out.
    """
    left = [list(range(len(frame.boxes))) for frame in detections]
    tracks = []
    while any(left):
        track = follow([_only(frame, keep) for frame, keep in zip(detections, left, strict=True)])
        if all(index is None for index in track):
            break
        tracks.append([None if index is None else keep[index] for index, keep in zip(track, left, strict=True)])
        left = [[i for i in keep if i != used] for keep, used in zip(left, tracks[-1], strict=True)]
    presence = [sum(index is not None for index in track) for track in tracks]
    return [track for track, frames in zip(tracks, presence, strict=True) if frames >= _LEAST_PRESENCE * max(presence)]


def _only(frame: Detections, keep: list[int]) -> Detections:
    return Detections(frame.boxes[keep], frame.probabilities[keep], frame.landmarks[keep])


def read_any(path: Path | str, frames: int = FRAMES) -> tuple[np.ndarray, np.ndarray, float]:
    """The pictures in a photo, an animation or a video, as displayed.

    Args:
        path: the file; its content, not its name, says what it is.
        frames: how many of a video's, evenly spread.

    Returns:
        Frame indices (N,), pictures (N, H, W, 3) uint8 RGB, frames a second. A photo is one picture.

    Raises:
        InputError: the file is absent or neither a photo nor a video that can be read.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: a folder; give the photos and videos in it")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with Image.open(path, formats=_PHOTO_FORMATS) as image:
            return _read_photo(image, frames)
    except UnidentifiedImageError:
        pass  # no photo, so perhaps a video
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        # Pillow calls a broken PNG a SyntaxError.
        raise InputError(f"{path}: this photo cannot be read ({error}); is it cut off, or far too large?") from error
    indices, pictures = read_frames(path, count=frames)
    return indices, pictures, probe(path).fps


def _read_photo(image: Image.Image, frames: int) -> tuple[np.ndarray, np.ndarray, float]:
    # A phone's MPO or a scanner's TIFF holds several pictures, too, but not a scene that moves.
    if not (getattr(image, "is_animated", False) and image.format in ("GIF", "PNG", "WEBP")):
        return np.zeros(1, int), to_rgb(image)[None], 1.0
    indices = spread(frames, image.n_frames)
    pictures = []
    for index in indices:
        image.seek(int(index))
        pictures.append(to_rgb(image))
    return indices, np.stack(pictures), 1000 / (image.info.get("duration") or 100)


def to_rgb(image: Image.Image) -> np.ndarray:
    """A photo as people see it: (H, W, 3) uint8, RGB, turned as its EXIF data say, on white where it is transparent."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        # Pillow would clip 16 bits to 8 instead of scaling them: nearly all of the photo would turn white.
        levels = np.asarray(image, np.float32)
        peak = 65535 if levels.max() > 255 else 255
        grey = np.clip(levels * (255 / peak), 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(background, image)
    return np.array(image.convert("RGB"))
