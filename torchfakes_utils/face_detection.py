"""Find the faces in frames (MTCNN), follow one of them through a clip, cut a square round it.

The detector is the cascade of Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks" (2016), in facenet-pytorch's implementation. Training and prediction cut their crops by the
same function, `square_crop`: a network that meets other crops than it was trained on answers nonsense.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from torchfakes_utils.errors import InputError


@dataclass(frozen=True)
class ExtractionConfig:
    """How faces are found and cut."""

    frames: int = 32  # a clip: neighbouring frames are nearly alike, so more of them add time, not knowledge
    crop_scale: float = 1.3  # edge of the square over the longer edge of the face box: the field's habit since FF++
    size: int = 160  # px, edge of a stored crop: what InceptionResnetV1 was made for
    min_face: float = 0.15  # smallest face looked for, as a share of the frame's shorter side; smaller is slower
    detect_lines: int = 240  # px: detection sees frames of this shorter side; 3 to 5 times faster, same faces
    min_probability: float = 0.9  # MTCNN is sure of real faces; below this it mostly sees faces in curtains
    compression: str | None = None  # None: the only one there is, or c23, on which most results are published
    methods: tuple[str, ...] | None = None  # None: all there are
    image_format: str = "png"  # lossless; JPEG would add traces of its own to the ones that are looked for
    device: str = "auto"
    batch: int = 16  # frames detected at once; 32 is no faster on a CPU

    def __post_init__(self) -> None:
        """Refuse what cannot work, before a long run starts.

        Raises:
            InputError: a value is out of its range.
        """
        checks = {
            "frames must be at least 1": self.frames >= 1,
            "crop_scale must be from 1 to 4": 1 <= self.crop_scale <= 4,
            "size must be from 32 to 1024": 32 <= self.size <= 1024,
            "min_face must be over 0 and at most 1": 0 < self.min_face <= 1,
            "detect_lines must be at least 60": self.detect_lines >= 60,
            "min_probability must be from 0 to 1": 0 <= self.min_probability <= 1,
            "image_format must be png or jpg": self.image_format in ("png", "jpg"),
            "batch must be at least 1": self.batch >= 1,
        }
        for rule, holds in checks.items():
            if not holds:
                raise InputError(f"{rule}; got {getattr(self, rule.split()[0])}")


DEFAULTS = ExtractionConfig()


@dataclass(frozen=True)
class Detections:
    """The faces of one frame, the surest first; K may be 0.

    Attributes:
        boxes: (K, 4) float32, x1 y1 x2 y2 in pixels of the full frame; may reach over its edge.
        probabilities: (K,) float32, how sure the detector is that this is a face.
        landmarks: (K, 5, 2) float32, x y of left eye, right eye, nose, left and right corner of the mouth (left and
            right as seen in the picture), in pixels of the full frame.
    """

    boxes: np.ndarray
    probabilities: np.ndarray
    landmarks: np.ndarray

    def __len__(self) -> int:
        """How many faces there are."""
        return len(self.boxes)


class FaceDetector:
    """MTCNN on batches of frames; build it once, it loads three networks."""

    def __init__(self, device: str = "auto", config: ExtractionConfig = DEFAULTS) -> None:
        """Load the networks.

        Args:
            device: "auto" (a CUDA device if there is one), "cpu", "cuda" or "cuda:1".
            config: of which `detect_lines`, `min_face`, `min_probability` and `batch` count here.

        Raises:
            InputError: there is no such device.
        """
        import torch
        from facenet_pytorch import MTCNN  # 4 s: what else is in this module does not need it

        self.config = config
        # keep_all and no own cropping: MTCNN's choice of one face fails on a batch in which one frame has none.
        self._mtcnn = MTCNN(keep_all=True, device=_torch_device(device))
        # Half the time on a CPU: pooling is most of the work, and goes faster with a pixel's channels side by side.
        self._mtcnn.to(memory_format=torch.channels_last)

    def detect(self, frames: np.ndarray) -> list[Detections]:
        """Find the faces in frames of one size.

        Args:
            frames: (N, H, W, 3) uint8, RGB.

        Returns:
            N results. A frame without a face gives an empty one.
        """
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
            raise ValueError(f"frames (N, H, W, 3) of uint8 are needed, not {frames.shape} of {frames.dtype}")
        shorter = min(frames.shape[1:3])
        scale = min(1.0, self.config.detect_lines / shorter)
        # In pixels of what MTCNN is shown, not of the full frame.
        self._mtcnn.min_face_size = self.config.min_face * shorter * scale
        small = frames if scale == 1 else _resize_all(frames, scale)
        batches = (small[start : start + self.config.batch] for start in range(0, len(small), self.config.batch))
        # Width and height are rounded separately when scaled.
        back = np.array([frames.shape[2] / small.shape[2], frames.shape[1] / small.shape[1]], np.float32)
        return [self._result(*found, back) for batch in batches for found in self._run(batch)]

    def _run(self, batch: np.ndarray) -> Iterable[tuple]:
        """Boxes, probabilities and landmarks of each frame, as MTCNN gives them (None where it finds nothing)."""
        try:
            return zip(*self._mtcnn.detect(batch, landmarks=True), strict=True)
        except (IndexError, RuntimeError, ValueError) as error:
            # facenet-pytorch stumbles where a candidate lies outside the frame altogether; and a batch can be too
            # much for a small GPU. Either way single frames may still go through.
            if len(batch) > 1:
                return (found for frame in batch for found in self._run(frame[None]))
            if "memory" in str(error):
                raise
            return [(None, None, None)]

    def _result(self, boxes: object, probabilities: object, landmarks: object, back: np.ndarray) -> Detections:
        if boxes is None:
            return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))
        # They come as arrays of objects.
        probabilities = np.asarray(probabilities, np.float32)
        order = np.argsort(-probabilities, kind="stable")
        order = order[probabilities[order] >= self.config.min_probability]
        boxes = np.asarray(boxes, np.float32)[order] * np.tile(back, 2)
        return Detections(boxes, probabilities[order], np.asarray(landmarks, np.float32)[order] * back)


def follow(detections: Sequence[Detections]) -> list[int | None]:
    """Choose one face and follow it through a clip.

    The largest face of each frame by itself would jump from one person to the other. So all faces are linked into
    tracks, each to the nearest face seen before, and the track that is largest and surest over the whole clip wins.

    Args:
        detections: of a clip's frames, in order.

    Returns:
        For each frame the index of the followed face among its detections, or None where that face is lost.
    """
    tracks: list[dict[int, int]] = []  # frame -> index of the face in it
    for frame, found in enumerate(detections):
        last = [detections[max(track)].boxes[track[max(track)]] for track in tracks]
        free = set(range(len(found)))
        for track, face in _links(last, found.boxes):
            tracks[track][frame] = face
            free.remove(face)
        tracks += [{frame: face} for face in sorted(free)]
    best = max(tracks, key=lambda track: _weight(track, detections), default={})
    return [best.get(frame) for frame in range(len(detections))]


def square_crop(
    frame: np.ndarray, box: Sequence[float], scale: float = DEFAULTS.crop_scale, size: int = DEFAULTS.size
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
    x1, y1, x2, y2 = (float(value) for value in box)
    edge = max(1, round(scale * max(x2 - x1, y2 - y1)))
    left, top = round((x1 + x2 - edge) / 2), round((y1 + y2 - edge) / 2)
    rows = np.clip(np.arange(top, top + edge), 0, frame.shape[0] - 1)
    columns = np.clip(np.arange(left, left + edge), 0, frame.shape[1] - 1)
    crop = frame[rows[0] : rows[-1] + 1][rows - rows[0]][:, columns]
    if edge != size:
        # AREA averages over all pixels; sampling single ones would leave a pattern that no camera makes.
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if edge > size else cv2.INTER_CUBIC)
    return np.ascontiguousarray(crop), (float(left), float(top), float(left + edge), float(top + edge))


def _torch_device(name: str) -> "torch.device":  # noqa: F821
    import torch

    if name == "auto":  # MPS lacks an operation that MTCNN's pyramid needs
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {name!r} cannot be used here; choose auto, cpu or cuda") from error


def _resize_all(frames: np.ndarray, scale: float) -> np.ndarray:
    size = (round(frames.shape[2] * scale), round(frames.shape[1] * scale))
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def _links(last: list[np.ndarray], boxes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of (track, box) that show the same face, each track and each box at most once, the nearest first.

    Nearness is the distance of the centres over the mean edge: frames are far apart in time, so that a moving head
    may not overlap with itself any more, but it does not change places with its neighbour.
    """
    if not last or not len(boxes):
        return []
    centre_a, edge_a = _centre_and_edge(np.stack(last))
    centre_b, edge_b = _centre_and_edge(boxes)
    edges = (edge_a[:, None] + edge_b[None]) / 2
    distance = np.linalg.norm(centre_a[:, None] - centre_b[None], axis=2) / edges
    ratio = np.maximum(edge_a[:, None] / edge_b[None], edge_b[None] / edge_a[:, None])
    distance[(distance > 0.8) | (ratio > 2)] = np.inf
    links = []
    while np.isfinite(nearest := distance.min()):
        track, box = np.argwhere(distance == nearest)[0]
        links.append((int(track), int(box)))
        distance[track], distance[:, box] = np.inf, np.inf
    return links


def _centre_and_edge(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
    return (boxes[:, :2] + boxes[:, 2:]) / 2, sides.max(axis=1)


def _weight(track: dict[int, int], detections: Sequence[Detections]) -> float:
    """Sum over a track of probability times area."""
    return sum(
        float(
            detections[frame].probabilities[face]
            * np.prod(detections[frame].boxes[face, 2:] - detections[frame].boxes[face, :2])
        )
        for frame, face in track.items()
    )
