"""Heat maps and scoring, measured side by side in one run.

Heat maps: the library as its manual has it, a call for every crop, against `heat_maps.grad_cam` on the same crops and
layer. Scoring: `scoring.score`, from files to a table, against the network alone on tensors that are there.

    python tests/benchmarks/explanation.py --out docs/benchmarks
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchfakes_utils.crops.table import load_faces, read_crop
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.explanation.heat_maps import METHODS, grad_cam
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.models.detector import Detector, load_detector

from common import command, machine, write_page

LAYERS = ("repeat_1", "repeat_2", "block8")


def seconds(work: Callable[[], Any], device: torch.device) -> float:
    """How long something takes, what was given to a GPU included."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def one_by_one(detector: Detector, images: torch.Tensor, layer: str, method: str) -> np.ndarray:
    """The library, called for every crop."""
    from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, LayerCAM
    from pytorch_grad_cam.utils.model_targets import BinaryClassifierOutputTarget

    kind = dict(zip(METHODS, (GradCAM, GradCAMPlusPlus, LayerCAM), strict=True))[method]
    with kind(detector, [detector.feature_layers[layer]]) as cam:
        maps = [cam(image[None], [BinaryClassifierOutputTarget(1)])[0] for image in images]
    detector.zero_grad(set_to_none=True)
    return np.array(maps)


def heat(detector: Detector, images: torch.Tensor, rounds: int) -> list[dict[str, Any]]:
    """Maps a second in both ways, by layer and method; the two take turns, and the median ratio counts."""
    device, rows = detector.device, []
    grad_cam(detector, images[:8])
    one_by_one(detector, images[:2], LAYERS[0], METHODS[0])
    for layer in LAYERS:
        for method in METHODS if layer == "repeat_2" else METHODS[:1]:
            took, kept = [], {}

            def usual(layer: str = layer, method: str = method, kept: dict = kept) -> None:
                kept["usual"] = one_by_one(detector, images, layer, method)

            def ours(layer: str = layer, method: str = method, kept: dict = kept) -> None:
                kept["ours"] = grad_cam(detector, images, layer, "fake", method)

            for _ in range(rounds):
                took.append((seconds(usual, device), seconds(ours, device)))
            rows.append({
                "layer": layer, "method": method, "crops": len(images),
                "usual_seconds": round(statistics.median(pair[0] for pair in took), 2),
                "our_seconds": round(statistics.median(pair[1] for pair in took), 2),
                "times": round(statistics.median(usual / ours for usual, ours in took), 2),
                "largest_difference": float(np.abs(kept["usual"] - kept["ours"]).max()),
            })  # fmt: skip
            print(f"  {rows[-1]}", flush=True)
    return rows


def scoring_overhead(detector: Detector, faces: Any, rounds: int) -> dict[str, Any]:
    """Of scoring a table, the share that is not the network's own time."""
    device, batch = detector.device, 64
    images = torch.stack([detector.preprocessing.apply(read_crop(file)) for file in faces["file"]]).to(device)

    def alone() -> None:
        with torch.inference_mode():
            for chunk in images.split(batch):
                detector(chunk).cpu()

    def whole() -> None:
        score(detector, faces, Scoring(batch, str(device)))

    alone(), whole()
    shares, rates = [], []
    for _ in range(rounds):
        before, own, after = seconds(alone, device), seconds(whole, device), seconds(alone, device)
        shares.append(own / ((before + after) / 2) - 1)
        rates.append(len(faces) / own)
    return {
        "crops": len(faces),
        "crops_per_second": round(statistics.median(rates), 1),
        "overhead": round(statistics.median(shares), 4),
        "rounds": [round(share, 4) for share in shares],
    }


def report(results: dict[str, Any], arguments: argparse.Namespace) -> str:
    """The tables as Markdown."""
    lines = [
        "# Evaluation and explanation", "",
        f"Measured by `{command('explanation.py', arguments.out)}` on", f"{results['machine']}.", "",
        "## Heat maps", "",
        "InceptionResnetV1 at 160 px. The usual way is a call of `pytorch-grad-cam` for every crop. Ours goes through",
        "the same library in batches of 32, and begins the way back at the layer: what lies before it is run forwards",
        "only. The two take turns in one process; medians.", "",
        "| layer | method | crops | usual, s | ours, s | times | largest difference of the maps |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in results["heat_maps"]:
        lines.append(f"| {row['layer']} | {row['method']} | {row['crops']} | {row['usual_seconds']} "
                     f"| {row['our_seconds']} | {row['times']} | {row['largest_difference']:.1e} |")  # fmt: skip
    own = results["scoring"]
    lines += [
        "", "## Scoring", "",
        f"`scoring.score`, from files of {own['crops']} crops to a table: {own['crops_per_second']} crops a second.",
        "Over the network alone, on tensors that are there (before and after, in turns), that is "
        f"{own['overhead']:+.1%}; by round", f"{', '.join(f'{share:+.1%}' for share in own['rounds'])}.", "",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, and write the report where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", nargs="?", type=Path, help="a run folder (default: the course's)")
    parser.add_argument("faces", nargs="?", type=Path, help="a faces.csv (default: Mini-FF++'s)")
    parser.add_argument("--crops", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, help="folder for explanation.md and explanation.json")
    arguments = parser.parse_args(argv)
    if arguments.run is None or arguments.faces is None:
        from torchfakes_utils import course

        arguments.run, arguments.faces = course.ensure("run"), course.ensure("faces")
    detector = load_detector(arguments.run, torch_device(arguments.device))
    faces = load_faces(arguments.faces, "test")
    crops = [read_crop(file) for file in faces["file"].head(arguments.crops)]
    images = torch.stack([detector.preprocessing.apply(crop) for crop in crops]).to(detector.device)
    print(machine())
    results: dict[str, Any] = {"machine": machine(), "device": str(detector.device)}
    results["heat_maps"] = heat(detector, images, arguments.rounds)
    results["scoring"] = scoring_overhead(detector, faces, arguments.rounds + 2)
    print(f"  {results['scoring']}", flush=True)
    print(report(results, arguments))
    if arguments.out:
        write_page(arguments.out, "explanation", report(results, arguments), results)


if __name__ == "__main__":
    main()
