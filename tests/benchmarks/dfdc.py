"""What is each ingredient of a recipe worth? Real deepfakes, as many passes over pictures; only one thing differs.

    python tests/benchmarks/dfdc.py FOLDER                       # every variant, one seed, judged on validation
    python tests/benchmarks/dfdc.py FOLDER --recipes cpu course --seeds 0 1 2    # these, three seeds
    python tests/benchmarks/dfdc.py FOLDER --final cpu course --out docs/benchmarks    # whatever is there, and test

FOLDER holds face crops of the Deepfake Detection Challenge and `labels.csv` (path; label, 1 is fake; source_video).
Each real crop has one fake of the same frame. Videos, not crops, are dealt to training (70 %), validation (10 %) and
test (20 %); actors may recur. The epoch and the recipe are chosen on validation, and the test crops are looked at for
`--final` alone. A run that is there is not made again, whatever seed it has, and one that was killed goes on. No crop
leaves the machine.
"""

import argparse
import glob
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.evaluation.evaluate import score
from torchfakes_utils.io.tables import FACE_COLUMNS, write_table
from torchfakes_utils.metrics.bootstrap import draws, percentiles
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.run import train

from common import command, machine

EPOCHS = 5
# What the other rows begin from: pairs of a real crop and its own fake, mirrored together, and
# weights that know pictures. Half precision is slower for its depthwise convolutions.
BASE: dict[str, Any] = {
    "architecture": "EfficientNet-Lite0", "pretrained": "imagenet", "epochs": EPOCHS, "image_size": 128,
    "batch_size": 16, "learning_rate": 3e-4, "augmentation": "mirror", "sampling": "paired", "shared_draws": True,
    "val_frames_per_clip": None, "mixed_precision": "off", "device": "cpu",
}  # fmt: skip
# The recipe cpu: four times as long, and crops that are changed so much that it does not learn them by heart.
LONG = {"epochs": 4 * EPOCHS}
CPU = BASE | LONG | {"augmentation": "strong"}
# The first project's network, from random weights, as nothing better is at hand without a network.
COURSE: dict[str, Any] = BASE | {
    "architecture": "InceptionResnetV1", "pretrained": None, "learning_rate": 1e-3, "mixed_precision": "auto",
}  # fmt: skip
# One thing at a time, from BASE on.
VARIANTS: dict[str, dict[str, Any]] = {
    "cpu": CPU,
    "base": BASE,
    "course": COURSE,
    "random weights": BASE | {"pretrained": None, "learning_rate": 1e-3},
    "classifier alone": BASE | {"tune": "head"},
    "norms alone": BASE | {"tune": "norms"},
    "no pairs": BASE | {"sampling": "uniform"},
    "draws not shared": BASE | {"shared_draws": False},
    "no mirror": BASE | {"augmentation": "none"},
    "mild JPEG and blur": BASE | {"augmentation": "mild"},
    "strong augmentation": BASE | {"augmentation": "strong"},
    "average of weights": BASE | {"average": 0.99},
    "rate 1e-4": BASE | {"learning_rate": 1e-4},
    "rate 1e-3": BASE | {"learning_rate": 1e-3},
    "160 px": BASE | {"image_size": 160},
    "224 px": BASE | {"image_size": 224},
    "four times the passes": BASE | LONG,
}
STORED = 224  # pixels, as the crops were published
REPLICATES = 2000
COLUMNS = [*FACE_COLUMNS, "original_id"]


def main() -> None:
    """Train what is not there yet, print the tables, write them where asked."""
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
    for name in args.recipes:
        for seed in {*args.seeds, *made(name, args.work)}:
            run = folder_of(name, seed, args.work)
            row = {"recipe": name, "seed": seed} | measure(faces_csv, run, name, seed)
            if name in args.final:
                row |= judge(faces_csv, run)
            rows.append(row)
            print(json.dumps(row), flush=True)
    text = report(pd.DataFrame(rows), args)
    print(text)
    if args.out:
        (args.out / "dfdc.md").write_text(text, encoding="utf-8")
        told = [{key: value for key, value in row.items() if not key.endswith("_scores")} for row in rows]
        (args.out / "dfdc.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def folder_of(name: str, seed: int, work: Path) -> Path:
    """Where a run lies."""
    return work / f"{name.replace(' ', '_')}-{seed}"


def made(name: str, work: Path) -> list[int]:
    """Seeds with which a variant was trained to its end before."""
    stem = f"{name.replace(' ', '_')}-"
    return [int(file.parent.name.removeprefix(stem)) for file in work.glob(f"{glob.escape(stem)}[0-9]*/val.csv")]


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
    """Train, or take up again; AUC of the chosen epoch on validation crops."""
    crops = int((load_faces(faces_csv)["split"] == "train").sum())
    config = TrainingConfig(**VARIANTS[name], crops_per_epoch=crops, seed=seed)
    result = train(faces_csv, run, config)
    scores = scored(faces_csv, run, "val")
    return {
        "pictures": crops // config.batch_size * config.batch_size * config.epochs,
        "epoch": int(result.best["epoch"]),
        "train_loss": float(result.history["train_loss"].iloc[-1]),
        "val_auc": float(pairs(scores).mean()),
        "val_scores": str(run / "val.csv"),
    }


def judge(faces_csv: Path, run: Path) -> dict[str, Any]:
    """AUC on test crops, and the share of fakes that score higher than the real crop of the same frame."""
    above = pairs(scored(faces_csv, run, "test"))
    return {
        "test_auc": float(above.mean()),
        "test_pairs": float(above.diagonal().mean()),
        "test_scores": str(run / "test.csv"),
    }


def scored(faces_csv: Path, run: Path, split: str) -> pd.DataFrame:
    """Scores of the crops of a split by a run's chosen epoch, which are kept beside the run."""
    file = run / f"{split}.csv"
    if not file.is_file():
        faces = load_faces(faces_csv, split)
        scores = score(load_detector(run / "best"), faces).assign(video=faces["target_id"])
        scores[["video", "label", "logit"]].to_csv(file, index=False)
    return pd.read_csv(file)


def pairs(scores: pd.DataFrame) -> np.ndarray:
    """(V, V): is the fake of the video v (rows) above the real crop of the video w? Ties count a half.

    Each video has one crop of either kind, so that the mean of it is the AUC, and its diagonal the pairs.
    """
    table = scores.pivot(index="video", columns="label", values="logit")
    fake, real = table[1].to_numpy()[:, None], table[0].to_numpy()[None]
    return (fake > real) + (fake == real) / 2


def auc(above: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """AUC on data sets that hold each video as often as `counts` (R, V) says, (R,)."""
    return np.einsum("rv,vw,rw->r", counts, above, counts, optimize=True) / counts.sum(1) ** 2


def resampled(files: pd.Series, statistic: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """A statistic of the pairs of a run on data sets drawn video by video: the mean over runs, (R,)."""
    values = []
    for file in files:
        above = pairs(pd.read_csv(file))
        every = draws(np.zeros(len(above)), REPLICATES, seed=0)  # the same for all runs
        values.append(np.concatenate([statistic(above, counts) for counts in every]))
    return np.mean(values, axis=0)


def pairs_right(above: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Share of fakes above their own original, in each of the drawn data sets, (R,)."""
    return counts @ above.diagonal() / counts.sum(1)


ABOUT = """\
4,052 face crops of the Deepfake Detection Challenge: 2,026 real ones, each with a fake of the same frame. Videos are
dealt to training (70 %), validation (10 %) and test (20 %), so that no video is on two sides; actors may be. The epoch
and the recipe were chosen on validation; test was looked at once, for the rows of the first table. Brackets hold the
range of the seeds, *interval* is 95 % by bootstrap over videos, of the mean of the seeds. *Pairs* are the fakes that
score higher than their own original.
"""
BASE_IS = """\
*base* is EfficientNet-Lite0 with ImageNet weights, its classifier at zero, 128 px, pairs of a real crop and its own
fake that share every draw, mirror images, AdamW at 3e-4 in one cycle over five passes, all weights trained, the last
ones kept. Each other row changes what it names, and nothing else, but for random weights, which take the higher rate
that they need. *gain* is the difference to *base* of the same seeds. Where its interval holds zero, these 178
validation videos do not tell the two apart.
"""
CPU_IS = """\
*cpu* is the recipe of that name: *base* with four times the passes and the strong augmentation. *course* is
InceptionResnetV1 from random weights, as the first project used it, five passes at 1e-3.
"""


def report(rows: pd.DataFrame, args: argparse.Namespace) -> str:
    """Both tables, for people."""
    lines = [
        "# What a recipe is worth on real deepfakes, and each of its ingredients",
        "",
        f"Measured by `{command('dfdc.py', args.out).replace(str(args.folder), 'FOLDER')}` on",
        f"{machine()}.",
        "",
        ABOUT,
        "## The recipes",
        "",
        CPU_IS,
        "| recipe | seeds | pictures shown | validation AUC | test AUC | interval | pairs | interval |",
        "|---|---|---|---|---|---|---|---|",
        *(final_line(name, part) for name, part in rows.groupby("recipe", sort=False) if name in args.final),
        "",
        "## One thing at a time",
        "",
        BASE_IS,
        "| | seeds | pictures shown | training loss | validation AUC | gain | interval |",
        "|---|---|---|---|---|---|---|",
        *(line(name, part, rows[rows["recipe"] == "base"]) for name, part in rows.groupby("recipe", sort=False)),
    ]
    return "\n".join(lines) + "\n"


def final_line(name: str, part: pd.DataFrame) -> str:
    """A row of the first table."""
    low, high = percentiles(resampled(part["test_scores"], auc))
    least, most = percentiles(resampled(part["test_scores"], pairs_right))
    return (
        f"| {name} | {len(part)} | {part['pictures'].iloc[0]:,} | {spread(part['val_auc'])} | "
        f"{spread(part['test_auc'])} | {low:.3f} to {high:.3f} | {part['test_pairs'].mean():.1%} | "
        f"{least:.1%} to {most:.1%} |"
    )


def line(name: str, part: pd.DataFrame, base: pd.DataFrame) -> str:
    """A row of the second table."""
    gain = between = "-"
    shared = sorted({*part["seed"]} & {*base["seed"]})
    if name != "base" and shared:
        one, other = (rows.set_index("seed").loc[shared] for rows in (part, base))
        gain = spread(one["val_auc"] - other["val_auc"], "+.3f")
        low, high = percentiles(resampled(one["val_scores"], auc) - resampled(other["val_scores"], auc))
        between = f"{low:+.3f} to {high:+.3f}"
    return (
        f"| {name} | {len(part)} | {part['pictures'].iloc[0]:,} | {part['train_loss'].mean():.3f} | "
        f"{spread(part['val_auc'])} | {gain} | {between} |"
    )


def spread(values: pd.Series, digits: str = ".3f") -> str:
    """Mean, and the range of the seeds where there are several."""
    if len(values) == 1:
        return f"{values.iloc[0]:{digits}}"
    return f"{values.mean():{digits}} ({values.min():{digits}} to {values.max():{digits}})"


if __name__ == "__main__":
    main()
