"""The people and the clips of the tiny data set that tests share (see conftest.py)."""

import numpy as np

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
