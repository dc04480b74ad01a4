"""How steady verdicts on photos are, and what that costs: one look, the mirror image as well, and steadied boxes.

The photos are frames of Mini-FF++'s test films, changed as `evaluate --stability` changes them. Each way is judged by
the same decision, which was fitted to the mean over both looks. Times are of one photo of 1280x720 with one face, from
the file to its verdict: medians over rounds in which all ways take turns, and of the ratios within rounds.

    python tests/benchmarks/stability.py --out docs/benchmarks
"""

import argparse
import statistics
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import msgspec
import numpy as np
import torch

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.evaluation import stability as measured
from torchfakes_utils.evaluation.config import Scoring, StabilityConfig
from torchfakes_utils.evaluation.films import find_films
from torchfakes_utils.evaluation.results import Stability
from torchfakes_utils.faces import search
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.io.video import read_frames
from torchfakes_utils.models.detector import Detector, load_detector
from torchfakes_utils.models.folding import for_scoring

from common import command, in_turns, machine, wide, write_page

ONE, BOTH, STEADIED = "one look, as found", "and its mirror image, distance", "and steadied boxes"


@contextmanager
def way(name: str, detector: Detector):
    """Everything in a `with` goes one of the ways; the last one is how it is."""

    def one_look(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            logits = for_scoring(detector.backbone)(images)
        return torch.cat([logits, torch.zeros_like(logits)], 1)

    with ExitStack() as changes:
        if name != STEADIED:
            for module in (search, measured):
                changes.enter_context(mock.patch.object(module, "steadied", lambda picture, boxes, offsets: boxes))
        if name == ONE:
            changes.enter_context(mock.patch.object(detector, "answers", one_look))
            changes.enter_context(mock.patch.object(detector, "likeness", None))
        yield


def photo_of(faces_csv: Path, work: Path) -> Path:
    """A photo of 1280x720 with one face, in a folder."""
    clip, film = min(find_films(faces_csv).paths.items())
    frame = read_frames(film)[1][0]
    work.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(work / "photo.jpg"), wide(frame, frame)[:, :, ::-1]):
        raise OSError(f"{work}: the photo of {clip} cannot be written")
    return work / "photo.jpg"


def steadiness(detector: Detector, faces_csv: Path, frames: int, clips: int | None) -> dict[str, Stability]:
    """By way how many verdicts turn."""
    faces = load_faces(faces_csv, "test")
    if clips is not None:
        kept = faces.drop_duplicates(["method", "compression", "clip_id"]).head(clips)
        faces = faces.merge(kept[["method", "compression", "clip_id"]])
    found = {}
    for name in (ONE, BOTH, STEADIED):
        with way(name, detector):
            found[name] = measured.stability(
                detector, faces, find_films(faces_csv), StabilityConfig(frames), Scoring(device="cpu", progress=True)
            )
        print(name, found[name].overall, flush=True)
    return found


def times(detector: Detector, photo: Path, rounds: int) -> dict[str, list[float]]:
    """By way milliseconds from the photo to its verdict."""
    predictor = Predictor(detector, "cpu")

    def judged(name: str) -> None:
        with way(name, detector):
            if predictor.predict(photo).deciding is None:
                raise RuntimeError("the face is not judged")

    return in_turns({name: lambda name=name: judged(name) for name in (ONE, BOTH, STEADIED)}, rounds)


def report(results: dict[str, Any], called: str) -> str:
    """The tables as a page."""
    ways = results["ways"]
    lines = [
        "# Steady answers", "",
        f"On {results['machine']}. `{called}`", "",
        " ".join(__doc__.split("\n\n")[1].split()), "",
        "| way | fake to real or back (95 %) | any other verdict | mean difference of P(fake) | photo, ms "
        "| times one look |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, row in ways.items():
        one = row["stability"]["overall"]
        low, high = one["turned_interval"]
        lines.append(
            f"| {name} | {one['turned']:.1%} ({low:.1%} to {high:.1%}) | {one['turned_any']:.1%} "
            f"| {one['difference']:.4f} | {row['photo_ms']:.0f} | {row['times_one_look']:.2f} |"
        )
    lines += ["", "Verdicts that turn in any way, by change:", "",
              f"| change | {' | '.join(ways)} |", f"|---|{'---|' * len(ways)}"]  # fmt: skip
    for change, one in ways[STEADIED]["stability"]["changes"].items():
        cells = [f"{row['stability']['changes'][change]['turned_any']:.1%}" for row in ways.values()]
        lines.append(f"| {one['name']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, and write the report where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", nargs="?", type=Path, help="a run (default: the course's)")
    parser.add_argument("faces", nargs="?", type=Path, help="its faces.csv, beside the films")
    parser.add_argument("--frames", type=int, default=1, help="photos of each clip")
    parser.add_argument("--clips", type=int, help="the first so many alone")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark/stability"), help="for the photo")
    parser.add_argument("--out", type=Path, help="folder for stability.md and stability.json")
    arguments = parser.parse_args(argv)
    from torchfakes_utils import course

    run, faces_csv = arguments.run or course.ensure("run"), arguments.faces or course.ensure("faces")
    detector = load_detector(run)
    photo = photo_of(faces_csv, arguments.work)
    taken = times(detector, photo, arguments.rounds)
    found = steadiness(detector, faces_csv, arguments.frames, arguments.clips)
    results: dict[str, Any] = {"machine": machine(), "ways": {}}
    for name, one in found.items():
        results["ways"][name] = {
            "stability": msgspec.to_builtins(one),
            "photo_ms": statistics.median(taken[name]),
            "times_one_look": statistics.median(np.divide(taken[name], taken[ONE])),
        }
    text = report(results, command("stability.py", arguments.out))
    print(text)
    if arguments.out:
        write_page(arguments.out, "stability", text, results)


if __name__ == "__main__":
    main()
