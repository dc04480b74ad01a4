"""Find the faces in frames (MTCNN), and cut a square round one of them.

The detector is the cascade of Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks" (2016), in facenet-pytorch's implementation. Training and prediction cut their crops by the
same function, `square_crop`: a network that meets other crops than it was trained on answers nonsense.
"""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import DEFAULTS, ExtractionConfig
from torchfakes_utils.io.machine import torch_device

# Boxes, probabilities and landmarks of a frame as MTCNN gives them; None where it finds nothing.
_Found = tuple[ArrayLike | None, ArrayLike | None, ArrayLike | None]

# A picture's shorter side: in less, the cascade finds no face.
LEAST_SIDE = 20

# The cascade's first network sees squares of so many pixels: smaller faces it would find only in a picture enlarged.
_SEEN = 12

# What it costs is bounded, whatever the picture: pixels of one that is shown to the cascade, of all that are shown
# together, and of the copy on which the first network works, scaled so that the smallest face has `_SEEN` pixels (a
# picture seven times as long as wide has them at the usual settings).
_MOST_SHOWN, _MOST_TOGETHER, _MOST_SEARCHED = 24_000_000, 32_000_000, 400_000


@dataclass(frozen=True)
class Detections:
    """The faces of one frame, the surest first; K may be 0.

    Attributes:
        boxes: (K, 4) float32, x1 y1 x2 y2 in pixels of the full frame; may reach over its edge.
        probabilities: (K,) float32, the detector's confidence that this is a face.
        landmarks: (K, 5, 2) float32, x y of left eye, right eye, nose, left and right corner of the mouth (left and
            right as seen in the picture), in pixels of the full frame.
    """

    boxes: np.ndarray
    probabilities: np.ndarray
    landmarks: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    def only(self, keep: Sequence[int] | np.ndarray) -> "Detections":
        """Some of them, by their places."""
        return Detections(self.boxes[keep], self.probabilities[keep], self.landmarks[keep])


class FaceDetector:
    """MTCNN on batches of frames; build it once, it loads three networks.

    Attributes:
        config: of which `face_pixels`, `min_face` and `batch` count here.
        until: when to give up, by `time.monotonic`.
    """

    def __init__(self, device: str = "auto", config: ExtractionConfig = DEFAULTS) -> None:
        """Load the networks onto a device; of `config`, `face_pixels`, `min_face` and `batch` count here.

        Raises:
            InputError: there is no such device.
        """
        import torch
        from facenet_pytorch import MTCNN  # 4 s: what else is in this module does not need it

        self.config = config
        self.until = math.inf
        # keep_all and no own cropping: MTCNN's choice of one face fails on a batch in which one frame has none.
        self._mtcnn = MTCNN(keep_all=True, device=torch_device(device))
        # Half the time on a CPU: pooling is most of the work, and goes faster with a pixel's channels side by side.
        self._mtcnn.to(memory_format=torch.channels_last)

    def detect(self, frames: Sequence[np.ndarray] | np.ndarray, finer: float = 1.0) -> list[Detections]:
        """Find the faces in frames of one size.

        Args:
            frames: N of (H, W, 3) uint8, RGB; a list, or one array (N, H, W, 3).
            finer: look at so many times the lines that the configuration says; for a second look.

        Returns:
            N results, with every face of which the last of the three networks is sure by 0.7 or more; which of them
            to believe is for `faces.tracking.follow` to say. A frame without a face gives an empty one, and so does one
            too small for any.

        Raises:
            InputError: it is later than `until`.
        """
        if not len(frames):
            return []
        shape = frames[0].shape
        if len(shape) != 3 or shape[2] != 3 or any(f.shape != shape or f.dtype != np.uint8 for f in frames):
            raise ValueError(f"frames (N, H, W, 3) of uint8 are needed, not {len(frames)} of {shape} {frames[0].dtype}")
        if min(shape[:2]) < LEAST_SIDE:
            return [_detections((None, None, None), np.ones(2, np.float32)) for _ in frames]
        size, self._mtcnn.min_face_size = shown_size(shape[0], shape[1], self.config, finer)
        together = max(1, min(self.config.batch, _MOST_TOGETHER // (size[0] * size[1])))
        # Width and height are rounded separately when scaled.
        back = np.array([shape[1] / size[0], shape[0] / size[1]], np.float32)
        results = []
        for start in range(0, len(frames), together):
            if time.monotonic() > self.until:
                raise InputError("takes longer to look at than it may; give fewer frames, or cut out a part")
            some = frames[start : start + together]
            batch = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in some])
            results += [_detections(found, back) for found in self._run(batch)]
        return results

    def offsets(self, views: np.ndarray) -> np.ndarray:
        """What the last network says of views (N, 48, 48, 3) uint8 RGB: how far a face's ends lie from theirs, (N, 4).

        As shares of a view's edge; for `steadying.steadied`.
        """
        import torch

        pixels = torch.from_numpy(views).to(self._mtcnn.device).permute(0, 3, 1, 2).float()
        with torch.inference_mode():
            found: np.ndarray = self._mtcnn.onet((pixels - 127.5) * 0.0078125)[0].cpu().numpy()
        return found

    def _run(self, batch: np.ndarray) -> Iterable[_Found]:
        try:
            boxes, probabilities, landmarks = self._mtcnn.detect(batch, landmarks=True)
            return zip(boxes, probabilities, landmarks, strict=True)
        except (IndexError, RuntimeError, ValueError) as error:
            # facenet-pytorch stumbles where a candidate lies outside the frame altogether; and a batch can be too
            # much for a small GPU. Either way single frames may still go through.
            if len(batch) > 1:
                return (found for frame in batch for found in self._run(frame[None]))
            if "memory" in str(error):
                raise
            return [(None, None, None)]


def _detections(found: _Found, back: np.ndarray) -> Detections:
    """What MTCNN gives, the surest first, in pixels of the full frame, `back` times as large (x, y)."""
    # They come as arrays of objects; without a face the probabilities are one None.
    boxes, probabilities, landmarks = (np.asarray([] if found[0] is None else part, np.float32) for part in found)
    order = np.argsort(-probabilities, kind="stable")
    boxes, landmarks = boxes.reshape(-1, 4)[order], landmarks.reshape(-1, 5, 2)[order]
    return Detections(boxes * np.tile(back, 2), probabilities[order], landmarks * back)


def shown_size(height: int, width: int, config: ExtractionConfig, finer: float) -> tuple[tuple[int, int], float]:
    """Width and height of what the cascade is shown of a picture, and the smallest face that it looks for there, px."""
    shorter, pixels = min(height, width), height * width
    scale = min(1.0, finer * config.detect_lines / shorter, math.sqrt(_MOST_SHOWN / pixels))
    least = _SEEN * max(1.0, scale * math.sqrt(pixels / _MOST_SEARCHED))
    return (max(1, round(width * scale)), max(1, round(height * scale))), max(config.min_face * shorter * scale, least)


def check_size(picture: np.ndarray, name: str) -> None:
    """See that there is room for a face in a picture (H, W, 3).

    Raises:
        InputError: there is none.
    """
    height, width = picture.shape[:2]
    if min(height, width) < LEAST_SIDE:
        raise InputError(
            f"{name}: has {width} x {height} pixels, too small or too thin for a face; it needs {LEAST_SIDE} a side"
        )


def square_crop(
    frame: np.ndarray, box: Sequence[float] | np.ndarray, scale: float = DEFAULTS.crop_scale, size: int = DEFAULTS.size
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Cut a square round a face and bring it to one size; extraction and prediction both cut here.

    The square may reach over the frame: the frame's outermost pixels are then repeated. (Mirroring would put a
    second eye into a crop, black bars an edge that gives away where a face was.)

    Args:
        frame: (H, W, 3) uint8.
        box: x1, y1, x2, y2 of the face in pixels of the frame.
        scale: edge of the square over the longer edge of the box.
        size: edge of the result, in pixels.

    Returns:
        The crop (size, size, 3) uint8, and the square x1, y1, x2, y2 in pixels of the frame (on whole pixels).
    """
    left, top, edge = _square(box, scale)
    rows, columns = (
        np.clip(np.arange(start, start + edge), 0, length - 1)
        for start, length in zip((top, left), frame.shape[:2], strict=True)
    )
    crop = frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]  # a view: nothing is copied
    if crop.shape[:2] != (edge, edge):
        crop = crop[rows - rows[0]][:, columns - columns[0]]
    # AREA averages over all pixels; sampling single ones would leave a pattern that no camera makes.
    crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if edge > size else cv2.INTER_CUBIC)
    return crop, (float(left), float(top), float(left + edge), float(top + edge))


def squares(boxes: np.ndarray, scale: float = DEFAULTS.crop_scale) -> np.ndarray:
    """Of boxes (N, 4) the squares that `square_crop` cuts, x1, y1, x2, y2, (N, 4)."""
    found = [_square(box, scale) for box in boxes]
    return np.array([(left, top, left + edge, top + edge) for left, top, edge in found], float).reshape(-1, 4)


def _square(box: Sequence[float] | np.ndarray, scale: float) -> tuple[int, int, int]:
    """Left, top and edge."""
    x1, y1, x2, y2 = (float(value) for value in box)
    edge = max(1, round(scale * max(x2 - x1, y2 - y1)))
    return round((x1 + x2 - edge) / 2), round((y1 + y2 - edge) / 2), edge
