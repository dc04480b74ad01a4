"""What it costs to find out where a film is cut: `python tests/benchmarks/shots.py [--rounds 5]`.

Ten seconds of 1280x720, three people one after the other; the ways take turns in one process, medians, decoding in as
many threads as each likes. The frames that extraction wants are read with and without a look at those that are passed
on the way; beside it stand the whole extraction of that film, the whole of `predict`, and PySceneDetect where it is
installed (it is none of our dependencies). Then ten minutes of 1920x1080 in mkv, which says no count of frames, and
the same packets in mp4.
"""

import argparse
import importlib.util
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from torchfakes_utils.datasets.layouts import index_clips
from torchfakes_utils.faces.config import DEFAULTS
from torchfakes_utils.faces.extraction import extract_faces
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.io.shots import ShotReader
from torchfakes_utils.io.video import frames_at, length, spread
from torchfakes_utils.models.detector import Detector, DetectorConfig

from common import in_turns, machine

sys.path.insert(0, str(Path(__file__).parents[1]))  # the cases

MINUTES = 10


def wanted(path: Path) -> None:
    """Only the frames that are asked for."""
    for _ in frames_at(path, spread(DEFAULTS.frames, length(path)).tolist()):
        pass


def wanted_and_shots(path: Path) -> None:
    """These, and where the film is cut."""
    reader = ShotReader(path, DEFAULTS.frames, DEFAULTS.frames)
    for _ in reader.read(length(path)):
        pass


def extraction(path: Path) -> None:
    """The faces of a data set of this film alone."""
    out = path.parents[1] / "faces"
    shutil.rmtree(out, ignore_errors=True)
    extract_faces(path.parents[1], out, progress=False)


def medians(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds of each, the median of so many rounds after one to warm up."""
    return {name: statistics.median(taken) / 1000 for name, taken in in_turns(ways, rounds, warm=1).items()}


def ten_seconds(folder: Path, rounds: int) -> None:
    """The first table."""
    from cases.encode import Coding, film, shot

    path = folder / "set" / "real" / "film.mp4"
    path.parent.mkdir(parents=True)
    film(path, [shot(10 / 3, person, size=0.6) for person in range(3)], 1280, 720, Coding(options={"crf": "23"}))
    index_clips(folder / "set", None, "labelled", None, None, "official")
    torch.manual_seed(0)
    predictor = Predictor(Detector(DetectorConfig(pretrained=None)), "cpu")
    ways = {
        "the wanted frames": partial(wanted, path),
        "the wanted frames, and the shots": partial(wanted_and_shots, path),
        "extraction as a whole": partial(extraction, path),
        "predict as a whole": partial(predictor.predict, path),
    }
    if importlib.util.find_spec("scenedetect"):
        other = importlib.import_module("scenedetect")
        ways["PySceneDetect, ContentDetector"] = lambda: other.detect(str(path), other.ContentDetector())
    else:
        print("PySceneDetect is not installed: its line is left out\n")
    seconds = medians(ways, rounds)
    cost = seconds["the wanted frames, and the shots"] - seconds["the wanted frames"]
    print("| ten seconds of 1280x720 | seconds |\n|---|--:|")
    for name, taken in seconds.items():
        print(f"| {name} | {taken:.3f} |")
    print(f"\nShots cost {cost / seconds['extraction as a whole']:.1%} of extraction; ", end="")
    print(f"`predict` takes {seconds['predict as a whole'] / 10:.1%} of the film's length.\n")


def ten_minutes(folder: Path, rounds: int) -> None:
    """The second table."""
    from cases.encode import Coding, film, remuxed, shot

    part = film(folder / "part.mp4", [shot(1, 0, size=0.9)], 1920, 1080, Coding(options={"g": "25", "bf": "0"}))
    paths = {name: remuxed(folder / f"film.{name}", part, 60 * MINUTES) for name in ("mkv", "mp4")}
    ways = {name: partial(wanted_and_shots, path) for name, path in paths.items()}
    print(f"| {MINUTES} minutes of 1920x1080 | seconds |\n|---|--:|")
    for name, taken in medians(ways, rounds).items():
        print(f"| {DEFAULTS.frames} frames and the shots, from {name} | {taken:.3f} |")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{machine()}, {rounds} rounds\n")
    with tempfile.TemporaryDirectory() as folder:
        ten_seconds(Path(folder), rounds)
        ten_minutes(Path(folder), rounds)


if __name__ == "__main__":
    main()
