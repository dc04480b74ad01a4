"""A data set of a few seconds in FaceForensics++'s layout, for every test that needs real faces in real videos.

The faces are the two public-domain portraits that ship in scikit-image and matplotlib. The folders are shared by all
tests: whoever wants to change one copies it first.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

# Tests must not depend on the network: nothing in here downloads, and Gradio or the hub should not try either.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

TINY_PAIRS = {"train": [("000", "001")], "val": [("002", "003")], "test": [("004", "005")]}
TINY_METHODS = ("Deepfakes", "FaceSwap")
TINY_FRAMES = 8
TINY_SIZE = 192
TINY_MASK = (slice(40, 136), slice(40, 144))  # rows and columns in which the fakes of the first frame are forged


@pytest.fixture(scope="session")
def portraits() -> list[np.ndarray]:
    """Two portraits, (192, 192, 3) uint8, each with one face of some 60 px."""
    import cv2
    import matplotlib.cbook
    import skimage.data
    from PIL import Image

    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        hopper = np.asarray(Image.open(file).convert("RGB"))
    cuts = [skimage.data.astronaut()[:320, 64:384], hopper[:512, :512]]
    return [cv2.resize(cut, (TINY_SIZE, TINY_SIZE), interpolation=cv2.INTER_AREA) for cut in cuts]


def scored_pairs(least: int):
    """A strategy: at least so many labels with scores; few distinct ones, so that ties, the usual trap of ranking
    metrics, come up all the time."""
    from hypothesis import strategies as st

    score = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1))
    return st.lists(st.tuples(st.integers(0, 1), score), min_size=least, max_size=40)


def both_classes(rows, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of pairs in which each class occurs at least so often; others are not looked at."""
    from hypothesis import assume

    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    assume(min(labels.sum(), (1 - labels).sum()) >= least)
    return labels, scores


def person(portraits: list[np.ndarray], number: int) -> np.ndarray:
    """One of many different "people": a portrait, mirrored or not, lighter or darker."""
    image = portraits[number % 2]
    image = image[:, ::-1] if number % 4 >= 2 else image
    return np.clip(image * (0.8 + 0.06 * number), 0, 255).astype(np.uint8)


def moving(image: np.ndarray, frames: int = TINY_FRAMES) -> list[np.ndarray]:
    """A clip of an image that drifts to the right, two pixels a frame."""
    return [np.roll(image, 2 * step, axis=1) for step in range(frames)]


@pytest.fixture(scope="session")
def tiny_ffpp(tmp_path_factory: pytest.TempPathFactory, portraits: list[np.ndarray]) -> Path:
    """Six people, two methods, one compression, with masks and split files: 18 clips of 8 frames."""
    import cv2

    from torchfakes_utils.video import write_video

    root = tmp_path_factory.mktemp("ffpp")
    people = {f"{number:03d}": person(portraits, number) for number in range(6)}
    for name, image in people.items():
        write_video(root / f"original_sequences/youtube/c23/videos/{name}.mp4", moving(image), preset="ultrafast")
    mask = np.zeros((TINY_SIZE, TINY_SIZE), np.uint8)
    mask[TINY_MASK] = 255
    for first, second in (pair for pairs in TINY_PAIRS.values() for pair in pairs):
        for target, source in ((first, second), (second, first)):
            # Not a swap, but a fake that a network can learn at once: the colours of the source, and blur.
            toned = people[target] * 0.8 + people[source].mean(axis=(0, 1)) * 0.2
            forged = cv2.GaussianBlur(toned.astype(np.uint8), (0, 0), 1.5)
            fake = np.where(mask[:, :, None] > 0, forged, people[target])  # what is round the face stays
            for method in TINY_METHODS:
                folder = root / "manipulated_sequences" / method
                write_video(folder / f"c23/videos/{target}_{source}.mp4", moving(fake), preset="ultrafast")
                write_video(folder / f"masks/videos/{target}_{source}.mp4", moving(mask), gray=True)
    (root / "splits").mkdir()
    for split, pairs in TINY_PAIRS.items():
        (root / f"splits/{split}.json").write_text(json.dumps(pairs), encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def tiny_faces(tiny_ffpp: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the crops of `tiny_ffpp` (64 px, four a clip) and their `faces.csv`."""
    from torchfakes_utils.faceforensics import write_clips
    from torchfakes_utils.faces import ExtractionConfig, extract

    write_clips(tiny_ffpp)
    out = tmp_path_factory.mktemp("faces")
    extract(tiny_ffpp, out, ExtractionConfig(frames=4, size=64), progress=False)
    return out
