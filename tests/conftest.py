"""A data set of a few seconds in FaceForensics++'s layout, for every test that needs real faces in real videos.

The faces are the two public-domain portraits that ship in scikit-image and matplotlib. The folders are shared by all
tests: whoever wants to change one copies it first.
"""

import json
import os
import signal
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from xdist.scheduler import LoadFileScheduling

from helpers.browser import browsers
from helpers.scenes import TINY_MASK, TINY_METHODS, TINY_PAIRS, TINY_SIZE, moving, person

# Whatever a script starts in its background, or nohup, is deaf to these, and so would be what tests start and stop.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("here")

# Tests must not depend on the network: nothing in here downloads, and Gradio or the hub should not try either.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


class _Scheduling(LoadFileScheduling):
    """A file at a time, and all notebooks by one process: while it makes what they need, another would only wait.

    The same process goes through them in JupyterLab afterwards, and packs them: by then, what they need is there.
    """

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return (
            "notebooks"
            if file.startswith(("notebooks/", "tests/course/test_jupyterlab_lessons", "tests/course/test_bundle_off"))
            else file
        )


def pytest_xdist_make_scheduler(config, log):
    """Where several processes share the tests."""
    return _Scheduling(config, log)


def pytest_collection_modifyitems(items):
    """What is not marked as slow is quick, and ends early where it hangs."""
    for item in items:
        marked = any(item.get_closest_marker(name) for name in ("slow", "browser", "timeout"))
        if not marked and item.path.suffix == ".py":
            item.add_marker(pytest.mark.timeout(120))


# A library that makes its caller's thread one in real time (SVT-AV1 does, as root) starves every other process here.
SCHEDULED = getattr(os, "sched_getscheduler", lambda process: None)


BEFORE = SCHEDULED(0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    """No test changes how its process, and all that it starts from then on, is scheduled."""
    yield
    if SCHEDULED(0) != BEFORE:
        os.sched_setscheduler(0, BEFORE, os.sched_param(0))
        pytest.fail(f"{item.nodeid} has changed how this process is scheduled", pytrace=False)


# Not for the session: it would leave an event loop running, in which other files' tests cannot work.
@pytest.fixture(scope="module")
def chromium():
    """Starts a Chromium, with more options."""
    with browsers() as start:
        yield start


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


@pytest.fixture(scope="session")
def tiny_ffpp(tmp_path_factory: pytest.TempPathFactory, portraits: list[np.ndarray]) -> Path:
    """Six people, two methods, one compression, with masks and split files: 18 clips of 8 frames."""
    import cv2

    from torchfakes_utils.io.video import write_video

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
                write_video(folder / f"masks/videos/{target}_{source}.mp4", moving(mask))
    (root / "splits").mkdir()
    for split, pairs in TINY_PAIRS.items():
        (root / f"splits/{split}.json").write_text(json.dumps(pairs), encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def tiny_faces(tiny_ffpp: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the crops of `tiny_ffpp` (64 px, four a clip) and their `faces.csv`."""
    from torchfakes_utils.datasets.faceforensics import write_clips
    from torchfakes_utils.faces.config import ExtractionConfig
    from torchfakes_utils.faces.extraction import extract_faces

    write_clips(tiny_ffpp)
    out = tmp_path_factory.mktemp("faces")
    extract_faces(tiny_ffpp, out, ExtractionConfig(frames=4, size=64), progress=False)
    return out
