"""The people and the clips of the tiny data set that tests share (see conftest.py), and films with a face in them."""

import numpy as np

from torchfakes_utils.faces.detection import Detections

TINY_PAIRS = {"train": [("000", "001")], "val": [("002", "003")], "test": [("004", "005")]}


TINY_METHODS = ("Deepfakes", "FaceSwap")


TINY_FRAMES = 8


TINY_SIZE = 192


TINY_MASK = (slice(40, 136), slice(40, 144))  # rows and columns in which the fakes of the first frame are forged


def person(portraits: list[np.ndarray], number: int) -> np.ndarray:
    """One of many different "people": a portrait, mirrored or not, lighter or darker."""
    image = portraits[number % 2]
    image = image[:, ::-1] if number % 4 >= 2 else image
    return np.clip(image * (0.8 + 0.06 * number), 0, 255).astype(np.uint8)


def moving(image: np.ndarray, frames: int = TINY_FRAMES) -> list[np.ndarray]:
    """A clip of an image that drifts to the right, two pixels a frame."""
    return [np.roll(image, 2 * step, axis=1) for step in range(frames)]


def film(portrait: np.ndarray, shifts: list[int]) -> list[np.ndarray]:
    """The portrait, moved to the right by so many pixels in each frame, before a grey wall."""
    wall = np.full((portrait.shape[0], portrait.shape[1] + 200, 3), 120, np.uint8)
    frames = []
    for shift in shifts:
        frame = wall.copy()
        frame[:, shift : shift + portrait.shape[1]] = portrait
        frames.append(frame)
    return frames


def boxed(
    shift: float, box: tuple[float, float, float, float] = (70, 40, 130, 120), probability: float = 0.99
) -> Detections:
    """The face of the portrait when it is moved by `shift`."""
    moved = np.array([box], np.float32) + np.array([shift, 0, shift, 0], np.float32)
    points = moved[:, None, :2] + np.linspace(5, 50, 10, dtype=np.float32).reshape(1, 5, 2)
    return Detections(moved, np.array([probability], np.float32), points)
