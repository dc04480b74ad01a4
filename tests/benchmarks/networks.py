"""The small network beside the course's: how fast they train, score a crop, and compute in 8 bits and in a web page.

EfficientNet-Lite0 and InceptionResnetV1, both at 160 px, take turns in every round, so that what slows the machine for
a while slows both; ratios are medians of the ratios within rounds. Training is the whole step (forward, loss, backward,
AdamW) in the type that `--mixed-precision auto` finds for each. Weights are random, on which no time depends. On a GPU
also the recipes *best*, if this version has its network, and *course*: crops a second and peak memory of each.

    python tests/benchmarks/networks.py --out docs/benchmarks
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from torchfakes_utils.errors import InputError
from torchfakes_utils.export import web_page
from torchfakes_utils.export.config import INT8
from torchfakes_utils.export.description import describe
from torchfakes_utils.export.onnx_format import OnnxRuntime
from torchfakes_utils.export.runtimes import load_network
from torchfakes_utils.io.machine import memory_kept
from torchfakes_utils.models.architectures import architecture
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.distributed import World
from torchfakes_utils.training.learner import Learner
from torchfakes_utils.training.precision import autocast
from torchfakes_utils.training.recipes import RECIPES, from_recipe

from common import alone, command, in_turns, machine, write_page
from helpers.browser import browsers
from helpers.web import READY, Exported, passed, served

SMALL, LARGE = "EfficientNet-Lite0", "InceptionResnetV1"
NETWORKS = (SMALL, LARGE)
SIZE, BATCH = 160, 16
# A run of so many steps, of which the timing of both types may take a twentieth.
STEPS = 1000
GIB = 2**30

# What the small network has to reach beside the large one: at least, or at most.
TARGETS = {
    "training": ("images a second", ">=", 1.4),
    "eager": ("times as fast, one crop, eager", ">=", 4.0),
    "int8": ("of its time, one crop, int8", "<=", 0.5),
    "megabytes": ("MB, int8", "<=", 5.0),
    "web": ("of its time, one face in the web page", "<=", 0.5),
}


def build(name: str, size: int = SIZE) -> Detector:
    """A detector of random weights, its classifier included: from zeros there would be nothing to quantise."""
    torch.manual_seed(0)
    wanted = architecture(name).input
    preprocessing = Preprocessing(size, wanted.mean, wanted.std, crop_size=size)
    detector = Detector(DetectorConfig(name, None, preprocessing=preprocessing)).eval()
    with torch.no_grad():
        detector.classifier.weight.normal_(0, 0.1)
    return detector


def device() -> torch.device:
    """The GPU, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def training_step(config: TrainingConfig, size: int) -> tuple[Callable[[], None], str]:
    """A step as a run takes it, on a batch that is there; and in which type."""
    wanted, here = architecture(config.architecture).input, device()
    preprocessing = Preprocessing(size, wanted.mean, wanted.std, crop_size=size)
    learner = Learner(config, preprocessing, World(1, 0, here), STEPS, None)
    learner.detector.train()
    shape = (config.batch_size, 3, size, size)
    images = torch.randn(shape, device=here).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(config.batch_size, device=here).remainder(2).float()

    def step() -> None:
        with autocast(here, learner.precision.dtype):
            logits = learner.network(images)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), labels)
        learner.scaler.scale(loss).backward()
        learner.scaler.step(learner.optimizer)
        learner.scaler.update()
        learner.optimizer.zero_grad()
        if here.type == "cuda":
            torch.cuda.synchronize()

    return step, str(learner.precision)


def eager(detector: Detector) -> Callable[[], torch.Tensor]:
    """One crop to its score, on the CPU."""
    crop = torch.randint(0, 256, (1, 3, SIZE, SIZE), dtype=torch.uint8)
    return lambda: detector.probability(crop)


def int8(detector: Detector, folder: Path) -> tuple[Callable[[], np.ndarray], float]:
    """One crop through the 8-bit file of the export's own way, by ONNX Runtime; and the file's megabytes.

    Calibrated on noise: neither time nor size depends on what it is.
    """
    noise = np.random.default_rng(0).integers(0, 256, (16, 3, SIZE, SIZE), dtype=np.uint8)
    path = OnnxRuntime().export_int8(detector, noise, folder / f"{detector.config.architecture}.int8.onnx")
    network, crop = load_network(path), noise[:1]
    return lambda: network(crop), path.stat().st_size / 1e6


def web(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of a face in the web page of each network, as the page itself measures it when it is opened."""
    sites = {}
    for name in NETWORKS:
        sites[name] = site = folder / "web" / name
        site.mkdir(parents=True)
        detector = build(name)
        (folder / f"{name}.int8.onnx").rename(site / "detector.int8.onnx")
        OnnxRuntime().export_face_networks(site)
        (site / "detector.json").write_text(json.dumps(describe(detector, INT8, OnnxRuntime.packages)))
        web_page.write_web(folder / "no run", site, detector, Exported([passed(INT8)]))
    taken: dict[str, list[float]] = {name: [] for name in NETWORKS}
    with browsers() as start:
        for _ in range(rounds):
            for name, site in sites.items():
                with served(site) as (address, _):
                    context = start().new_context()
                    page = context.new_page()
                    page.goto(address)
                    page.wait_for_selector(READY, timeout=60_000, state="attached")
                    taken[name].append(page.evaluate("torchfakes.runtime.milliseconds"))
                    context.close()
    return taken


def compare(rounds: int) -> dict[str, Any]:
    """Both networks side by side: a row each, and how the small one stands to the large one."""
    rows: dict[str, dict[str, Any]] = {name: {} for name in NETWORKS}
    steps = {}
    for name in NETWORKS:
        config = TrainingConfig(architecture=name, pretrained=None, batch_size=BATCH)
        steps[name], rows[name]["precision"] = training_step(config, SIZE)
    with memory_kept():  # as in a run
        taken = {"training": in_turns(steps, max(3, rounds // 4))}
    del steps
    detectors = {name: build(name) for name in NETWORKS}
    taken["eager"] = in_turns({name: eager(one) for name, one in detectors.items()}, 3 * rounds)
    with tempfile.TemporaryDirectory() as folder:
        files = {name: int8(one, Path(folder)) for name, one in detectors.items()}
        taken["int8"] = in_turns({name: work for name, (work, _) in files.items()}, 3 * rounds)
        taken["web"] = web(Path(folder), max(3, rounds // 4))
    for name, row in rows.items():
        row["parameters"] = sum(parameter.numel() for parameter in detectors[name].parameters())
        row["images_per_s"] = 1000 * BATCH / statistics.median(taken["training"][name])
        row["eager_ms"] = statistics.median(taken["eager"][name])
        row["int8_ms"], row["int8_mb"] = statistics.median(taken["int8"][name]), files[name][1]
        row["web_ms"] = statistics.median(taken["web"][name])
        print(name, row, flush=True)

    def share(what: str) -> float:
        return statistics.median(np.divide(taken[what][SMALL], taken[what][LARGE]).tolist())

    ratios = {"training": 1 / share("training"), "eager": 1 / share("eager"), "int8": share("int8"),
              "megabytes": rows[SMALL]["int8_mb"], "web": share("web")}  # fmt: skip
    return {"rows": rows, "ratios": ratios}


def recipe_on_gpu(name: str, batch: int | None) -> dict[str, Any] | None:
    """Crops a second and the peak of memory of a recipe's step on this GPU; None where its network is still to come."""
    try:
        config = from_recipe(name, pretrained=None, **{} if batch is None else {"batch_size": batch})
        step, precision = training_step(config, config.image_size or architecture(config.architecture).input.size)
    except InputError as error:
        print(f"{name}: {error}", flush=True)
        return None
    torch.cuda.reset_peak_memory_stats()
    taken = in_turns({name: step}, 20)[name]
    return {
        "recipe": name, "architecture": config.architecture, "size": config.image_size, "batch": config.batch_size,
        "precision": precision, "images_per_s": 1000 * config.batch_size / statistics.median(taken),
        "peak_gib": torch.cuda.max_memory_allocated() / GIB,
    }  # fmt: skip


def report(found: dict[str, Any], results: dict[str, Any], called: str) -> str:
    """The tables as a page."""
    lines = [
        "# Networks", "",
        f"On {results['machine']}. `{called}`", "",
        f"Both at {SIZE} px, from random weights; medians of rounds in which both took turns. *Training* is a whole "
        f"step with {BATCH} crops, in the type that `--mixed-precision auto` found; *eager* one crop to its score in "
        "PyTorch, *int8* the same by ONNX Runtime from the export's 8-bit file, *web* that file in the web page, in "
        "headless Chromium on the CPU, as the page measures it when it is opened.", "",
        "| network | parameters | training, images/s | in | one crop eager, ms | int8, ms | int8 file, MB | web, ms |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, row in found["rows"].items():
        lines.append(
            f"| {name} | {row['parameters']:,} | {row['images_per_s']:.1f} | {row['precision']} "
            f"| {row['eager_ms']:.1f} | {row['int8_ms']:.1f} | {row['int8_mb']:.1f} | {row['web_ms']:.1f} |"
        )
    lines += ["", f"| {SMALL} beside {LARGE} | measured | wanted | |", "|---|---|---|---|"]
    for name, (what, sign, wanted) in TARGETS.items():
        value = found["ratios"][name]
        reached = value >= wanted if sign == ">=" else value <= wanted
        word = "at least" if sign == ">=" else "at most"
        lines.append(f"| {what} | {value:.2f} | {word} {wanted:g} | {'reached' if reached else '**missed**'} |")
    if results["gpu"]:
        lines += [
            "", "Recipes on this GPU, a step on a batch that is there:", "",
            "| recipe | network | px | batch | images/s | in | peak, GiB |", "|---|---|---|---|---|---|---|",
        ]  # fmt: skip
    for row in results["gpu"]:
        lines.append(
            f"| {row['recipe']} | {row['architecture']} | {row['size']} | {row['batch']} | {row['images_per_s']:.0f} "
            f"| {row['precision']} | {row['peak_gib']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, and write the report where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--batch", type=int, help="on a GPU: crops of a step, where the recipe's do not fit")
    parser.add_argument("--out", type=Path, help="folder for networks.md and networks.json")
    arguments = parser.parse_args(argv)
    results: dict[str, Any] = {"machine": machine()}
    results["networks"] = alone(compare, arguments.rounds)
    recipes = [name for name in RECIPES if torch.cuda.is_available()]
    results["gpu"] = [row for name in recipes if (row := alone(recipe_on_gpu, name, arguments.batch)) is not None]
    text = report(results["networks"], results, command("networks.py", arguments.out))
    print(text)
    if arguments.out:
        write_page(arguments.out, "networks", text, results)


if __name__ == "__main__":
    main()
