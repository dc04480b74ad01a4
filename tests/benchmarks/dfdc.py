"""What is each ingredient of a recipe worth? Real deepfakes, as many passes over pictures; only one thing differs.

    python tests/benchmarks/dfdc.py FOLDER                            # every variant, one seed, judged on validation
    python tests/benchmarks/dfdc.py FOLDER --seeds 0 1 2 --final cpu course --out docs/benchmarks

FOLDER holds face crops of the Deepfake Detection Challenge and `labels.csv` (path; label, 1 is fake; source_video).
Each real crop has one fake of the same frame. Videos, not crops, are dealt to training (70 %), validation (10 %) and
test (20 %); actors may recur. The epoch and the recipe are chosen on validation, and the test crops are looked at for
`--final` alone. Every run has the passes of five epochs over all training crops. A run that is there is not made again,
and one that was killed goes on. No crop leaves the machine.
"""

import argparse
import hashlib
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.evaluation.evaluate import score
from torchfakes_utils.io.tables import FACE_COLUMNS, write_table
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.run import train

from common import command, machine

EPOCHS = 5
# What two cores train in minutes: pairs of a real crop and its own fake, mirrored together, and weights that know
# pictures. Half precision is slower for its depthwise convolutions.
CPU: dict[str, Any] = {
    "architecture": "EfficientNet-Lite0", "pretrained": "imagenet", "epochs": EPOCHS, "image_size": 128,
    "batch_size": 16, "learning_rate": 3e-4, "augmentation": "mirror", "sampling": "paired", "shared_draws": True,
    "val_frames_per_clip": None, "patience": EPOCHS, "mixed_precision": "off", "device": "cpu",
}  # fmt: skip
# The first project's network, from random weights, as nothing better is at hand without a network.
COURSE: dict[str, Any] = CPU | {
    "architecture": "InceptionResnetV1", "pretrained": None, "learning_rate": 1e-3, "mixed_precision": "auto",
}  # fmt: skip
# One thing at a time, from CPU on.
VARIANTS: dict[str, dict[str, Any]] = {
    "cpu": CPU,
    "random weights": CPU | {"pretrained": None, "learning_rate": 1e-3},
    "classifier alone": CPU | {"tune": "head"},
    "norms alone": CPU | {"tune": "norms"},
    "no pairs": CPU | {"sampling": "uniform"},
    "draws not shared": CPU | {"shared_draws": False},
    "no mirror": CPU | {"augmentation": "none"},
    "mild JPEG and blur": CPU | {"augmentation": "mild"},
    "average of weights": CPU | {"average": 0.99},
    "rate 1e-4": CPU | {"learning_rate": 1e-4},
    "rate 1e-3": CPU | {"learning_rate": 1e-3},
    "160 px": CPU | {"image_size": 160},
    "224 px": CPU | {"image_size": 224},
    "twice the passes": CPU | {"epochs": 2 * EPOCHS},
    "twice the passes, mild JPEG and blur": CPU | {"epochs": 2 * EPOCHS, "augmentation": "mild"},
    "course": COURSE,
}
STORED = 224  # pixels, as the crops were published
COLUMNS = [*FACE_COLUMNS, "original_id"]


def main() -> None:
    """Train what is not there yet, print the table, write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark/dfdc"))
    parser.add_argument("--recipes", nargs="+", default=list(VARIANTS), choices=VARIANTS, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--final", nargs="+", default=[], choices=VARIANTS, metavar="NAME", help="judge these on test")
    parser.add_argument("--out", type=Path, help="write dfdc.md and dfdc.json there")
    args = parser.parse_args()
    faces_csv = make_table(args.folder, args.work / "faces")
    rows = []
    for seed in args.seeds:
        for name in dict.fromkeys([*args.recipes, *args.final]):
            run = args.work / f"{name.replace(',', '').replace(' ', '_')}-{seed}"
            row = {"recipe": name, "seed": seed} | measure(faces_csv, run, name, seed)
            if name in args.final:
                row |= judge(faces_csv, run)
            rows.append(row)
            print(json.dumps(row), flush=True)
    text = report(pd.DataFrame(rows), args)
    print(text)
    if args.out:
        (args.out / "dfdc.md").write_text(text, encoding="utf-8")
        (args.out / "dfdc.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def make_table(folder: Path, work: Path) -> Path:
    """The crops as a `faces.csv`, one clip a crop, split by source video; the pictures are linked to, not copied."""
    labels = pd.read_csv(folder / "labels.csv")
    work.mkdir(parents=True, exist_ok=True)
    for name in {path.split("/")[0] for path in labels["path"]}:
        link = work / name
        if not link.is_symlink():
            link.symlink_to((folder / name).resolve(), target_is_directory=True)
    video = labels["source_video"]
    faces = pd.DataFrame(
        {
            "clip_id": labels["path"].map(lambda path: Path(path).stem),
            "path": labels["path"],
            "label": labels["label"],
            "method": labels["label"].map({0: "original", 1: "DFDC"}),
            "compression": "jpg",
            "target_id": video,
            "source_id": "",
            "original_id": video,
            "split": video.map(side),
            "frame": 0,
            "landmarks": "",
            "probability": 1.0,
            "sharpness": 0.0,
        }
    ).reindex(columns=COLUMNS)
    faces[["x1", "y1", "x2", "y2"]] = (0, 0, STORED, STORED)
    write_table(faces, work / "faces.csv", COLUMNS)
    (work / "extraction.json").write_text(json.dumps({"format": 2, "size": STORED}), encoding="utf-8")
    return work / "faces.csv"


def side(video: str) -> str:
    """The same video is always on the same side, whatever else is there."""
    tenth = int(hashlib.sha256(video.encode()).hexdigest(), 16) % 10
    return "test" if tenth < 2 else "val" if tenth < 3 else "train"


def measure(faces_csv: Path, run: Path, name: str, seed: int) -> dict[str, Any]:
    """Train, or take up again; validation AUC of the chosen epoch."""
    crops = int((load_faces(faces_csv)["split"] == "train").sum())
    config = TrainingConfig(**VARIANTS[name], crops_per_epoch=crops, seed=seed)
    result = train(faces_csv, run, config)
    batches = crops // config.batch_size
    return {
        "passes": batches * config.batch_size * config.epochs,
        "val_auc": result.best["val_auc"],
        "epoch": int(result.best["epoch"]),
        "train_loss": float(result.history["train_loss"].iloc[-1]),
        "minutes": float(result.history["seconds"].sum() / 60),
    }


def judge(faces_csv: Path, run: Path) -> dict[str, Any]:
    """AUC on test crops, with an interval over videos: a real crop and its fakes are drawn together."""
    scores_csv = run / "test.csv"
    if not scores_csv.is_file():
        faces = load_faces(faces_csv, "test")
        scores = score(load_detector(run / "best"), faces).assign(video=faces["target_id"])
        scores.to_csv(scores_csv, index=False)
    scores = pd.read_csv(scores_csv)
    low, high = interval(scores)
    pairs = scores.pivot_table(index="video", columns="label", values="logit")
    return {
        "test_auc": float(roc_auc_score(scores["label"], scores["logit"])),
        "test_interval": [low, high],
        "test_pairs_right": float((pairs[1] > pairs[0]).mean()),
        "test_crops": len(scores),
    }


def interval(scores: pd.DataFrame, replicates: int = 2000) -> tuple[float, float]:
    """95 % by bootstrap over source videos."""
    groups = [part[["label", "logit"]].to_numpy() for _, part in scores.groupby("video")]
    rng, values = np.random.default_rng(0), []
    for _ in range(replicates):
        drawn = np.concatenate([groups[index] for index in rng.integers(len(groups), size=len(groups))])
        values.append(roc_auc_score(drawn[:, 0], drawn[:, 1]))
    return tuple(np.percentile(values, [2.5, 97.5]).round(4).tolist())


ABOUT = """\
4,052 face crops of the Deepfake Detection Challenge: 2,026 real ones, each with a fake of the same frame. Videos are
dealt to training (70 %), validation (10 %) and test (20 %), so that no video is on two sides; actors may be. *cpu* is
EfficientNet-Lite0 with ImageNet weights, its classifier at zero, 128 px, pairs of a real crop and its own fake that
share every draw, mirror images, AdamW at 3e-4 in one cycle, all weights trained, the last ones kept. Each other row
changes what it names, and nothing else. Brackets hold the range of the seeds; *gain* is the mean difference to *cpu*
of the same seed, with the range of these differences. The epoch and the recipe were chosen on validation; test was
looked at once, for the rows that have an interval (95 %, mean of the seeds, by bootstrap over videos). *Pairs* are
those whose fake scores higher than its own original.
"""


def report(rows: pd.DataFrame, args: argparse.Namespace) -> str:
    """The table, for people."""
    base = rows[rows["recipe"] == "cpu"].set_index("seed")["val_auc"]
    lines = [
        "# What each ingredient of a recipe is worth, on DFDC crops",
        "",
        f"Measured by `{command('dfdc.py', args.out).replace(str(args.folder), 'FOLDER')}` on",
        f"{machine()}.",
        "",
        ABOUT,
        "| recipe | seeds | pictures shown | validation AUC | gain | test AUC | pairs | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, part in rows.groupby("recipe", sort=False):
        test = pairs = "-"
        if "test_auc" in part and part["test_auc"].notna().all():
            low, high = np.array(part["test_interval"].tolist()).mean(0)
            test = f"{spread_of(part['test_auc'])}, interval {low:.3f} to {high:.3f}"
            pairs = f"{part['test_pairs_right'].mean():.1%}"
        gains = (part.set_index("seed")["val_auc"] - base).dropna()
        gain = "-" if name == "cpu" or gains.empty else spread_of(gains, "+.3f")
        lines.append(
            f"| {name} | {len(part)} | {part['passes'].iloc[0]:,} | {spread_of(part['val_auc'])} | {gain} | {test} | "
            f"{pairs} | {part['minutes'].mean():.1f} |"
        )
    return "\n".join(lines) + "\n"


def spread_of(values: pd.Series, digits: str = ".3f") -> str:
    """Mean, and the range of the seeds where there are several."""
    if len(values) == 1:
        return f"{values.iloc[0]:{digits}}"
    return f"{statistics.mean(values):{digits}} ({values.min():{digits}} to {values.max():{digits}})"


if __name__ == "__main__":
    main()
