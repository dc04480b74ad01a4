"""How much is in the recipe? The same network, the same crops, as many passes over pictures; only the way differs.

    python tests/benchmarks/dfdc.py FOLDER                            # every recipe, one seed, judged on validation
    python tests/benchmarks/dfdc.py FOLDER --final plain paired --seeds 0 1 2 --out docs/benchmarks

FOLDER holds face crops of the Deepfake Detection Challenge and `labels.csv` (path; label, 1 is fake; source_video).
Real crops and the fakes made from them share a source video. Videos, not crops, are dealt to training
(70 %), validation (10 %) and test (20 %); actors may recur. The epoch and the recipe are chosen on validation, and
the test crops are looked at by `--final` alone. Every run has the passes of five epochs over all training crops, from
random weights. A run that is there is not made again. No crop leaves the machine.
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

EPOCHS, SIZE = 5, 128
# AdamW, one cycle to 1e-3, mirror images, every crop once an epoch: what most people would begin with.
PLAIN: dict[str, Any] = {
    "epochs": EPOCHS, "image_size": SIZE, "batch_size": 32, "pretrained": None, "augmentation": "mirror",
    "sampling": "uniform", "min_sharpness": 0.0, "val_frames_per_clip": None, "learning_rate": 1e-3,
    "patience": 5,
}  # fmt: skip
RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "paired": {"sampling": "paired"},
    "paired, 16 a batch": {"sampling": "paired", "batch_size": 16},
    "paired, 16 a batch, modern augmentation": {"sampling": "paired", "batch_size": 16, "augmentation": "modern"},
    "paired, averaged weights": {"sampling": "paired", "average": 0.98},
    "paired, 160 px": {"sampling": "paired", "image_size": 160},
    "paired, 224 px": {"sampling": "paired", "image_size": 224},
}

ABOUT = """\
InceptionResnetV1 from random weights on 4,052 face crops of the Deepfake Detection Challenge at {size} px: 2,026
real ones, each with a fake of the same frame. Videos are dealt to training (70 %), validation (10 %) and test (20
%), so that no video is on two sides; actors may be. The epoch is chosen on validation. *Plain* shuffles all
training crops; *paired* draws each real crop together with its own fake, so that within a pair nothing differs but
the forgery. Everything else is the same. Brackets hold the range of the seeds; the interval (95 %, mean of the
seeds) is by bootstrap over videos; *pairs in the right order* are those whose fake scores higher than its own
original.
"""


def main() -> None:
    """Train what is not there yet, print the table, write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark/dfdc"))
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=RECIPES, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--final", nargs="+", default=[], choices=RECIPES, metavar="NAME", help="judge these on test")
    parser.add_argument("--out", type=Path, help="write dfdc.md and dfdc.json there")
    args = parser.parse_args()
    faces_csv = make_table(args.folder, args.work / "faces")
    rows = []
    for name in args.final or args.recipes:
        for seed in args.seeds:
            run = args.work / f"{name.replace(', ', '-').replace(' ', '_')}-{seed}"
            row = {"recipe": name, "seed": seed} | measure(faces_csv, run, name, seed)
            if args.final:
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
            "split": video.map(side),
            "frame": 0,
            "landmarks": "",
            "probability": 1.0,
            "sharpness": 0.0,
        }
    ).reindex(columns=FACE_COLUMNS)
    faces[["x1", "y1", "x2", "y2"]] = (0, 0, 224, 224)
    write_table(faces, work / "faces.csv", FACE_COLUMNS)
    (work / "extraction.json").write_text(json.dumps({"format": 2, "size": 224}), encoding="utf-8")
    return work / "faces.csv"


def side(video: str) -> str:
    """The same video is always on the same side, whatever else is there."""
    tenth = int(hashlib.sha256(video.encode()).hexdigest(), 16) % 10
    return "test" if tenth < 2 else "val" if tenth < 3 else "train"


def measure(faces_csv: Path, run: Path, name: str, seed: int) -> dict[str, Any]:
    """Train, or take up again; validation AUC of the chosen epoch."""
    crops = int((load_faces(faces_csv)["split"] == "train").sum())
    config = TrainingConfig(**PLAIN | {"crops_per_epoch": crops, "seed": seed} | RECIPES[name])
    result = train(faces_csv, run, config)
    batches = crops // config.batch_size
    return {
        "passes": batches * config.batch_size * config.epochs,
        "val_auc": result.best["val_auc"],
        "epoch": int(result.best["epoch"]),
        "train_loss": float(result.history["train_loss"].iloc[-1]),
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


def report(rows: pd.DataFrame, args: argparse.Namespace) -> str:
    """The table, for people."""
    lines = [
        "# The same passes over DFDC crops, another recipe",
        "",
        f"Measured by `{command('dfdc.py', args.out).replace(str(args.folder), 'FOLDER')}` on",
        f"{machine()}.",
        "",
        ABOUT.format(size=SIZE),
        "| recipe | seeds | pictures shown | validation AUC | test AUC | pairs in the right order |",
        "|---|---|---|---|---|---|",
    ]
    for name, part in rows.groupby("recipe", sort=False):
        test = pairs = "-"
        if "test_auc" in part:
            low, high = np.array(part["test_interval"].tolist()).mean(0)
            test = f"{spread_of(part['test_auc'])}, interval {low:.3f} to {high:.3f}"
            pairs = f"{part['test_pairs_right'].mean():.1%}"
        lines.append(
            f"| {name} | {len(part)} | {part['passes'].iloc[0]:,} | {spread_of(part['val_auc'])} | {test} | {pairs} |"
        )
    return "\n".join(lines) + "\n"


def spread_of(values: pd.Series) -> str:
    """Mean, and the range of the seeds where there are several."""
    if len(values) == 1:
        return f"{values.iloc[0]:.3f}"
    return f"{statistics.mean(values):.3f} ({values.min():.3f} to {values.max():.3f})"


if __name__ == "__main__":
    main()
