"""What is each ingredient of a recipe worth? Real deepfakes, as many passes over pictures; only one thing differs.

    python tests/benchmarks/dfdc.py FOLDER                       # every variant, one seed, judged on validation
    python tests/benchmarks/dfdc.py FOLDER --recipes cpu course --seeds 0 1 2    # these, three seeds
    python tests/benchmarks/dfdc.py FOLDER --final cpu course --out docs/benchmarks    # the same, and the page

FOLDER holds face crops of the Deepfake Detection Challenge and `labels.csv` (path; label, 1 is fake; source_video).
Each real crop has one fake of the same frame. Videos, not crops, are dealt to training (70 %), validation (10 %) and
test (20 %); actors may recur. The epoch and the recipe are chosen on validation, and the test crops are looked at for
`--final` alone. A run that is there is not made again, whatever seed it has, and one that was killed goes on. No crop
leaves the machine.
"""

import argparse
import glob
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.evaluation.evaluate import score
from torchfakes_utils.metrics.bootstrap import percentiles
from torchfakes_utils.metrics.paired import Statistic, auc, comparisons, pairs_right, resampled, whole
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.run import train

from common import dfdc_table, machine

EPOCHS = 5
# What the other rows begin from: pairs of a real crop and its own fake, mirrored together, and
# weights that know pictures. Half precision is slower for its depthwise convolutions.
BASE: dict[str, Any] = {
    "architecture": "EfficientNet-Lite0", "pretrained": "imagenet", "epochs": EPOCHS, "image_size": 128,
    "batch_size": 16, "learning_rate": 3e-4, "augmentation": "mirror", "sampling": "paired", "shared_draws": True,
    "val_frames_per_clip": None, "mixed_precision": "off", "device": "cpu",
}  # fmt: skip
# The recipe cpu: twice as long, and crops that are changed so much that it does not learn them by heart.
CPU = BASE | {"epochs": 2 * EPOCHS, "augmentation": "strong"}
# The first project's network, from random weights, as nothing better is at hand without a network.
COURSE: dict[str, Any] = BASE | {
    "architecture": "InceptionResnetV1", "pretrained": None, "learning_rate": 1e-3, "mixed_precision": "auto",
}  # fmt: skip
# One thing at a time: after "cpu, " from CPU on, else from BASE.
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
    "twice the passes": BASE | {"epochs": 2 * EPOCHS},
    "cpu, mild augmentation": CPU | {"augmentation": "mild"},
    "cpu, no pairs": CPU | {"sampling": "uniform"},
    "cpu, balanced draws": CPU | {"sampling": "balanced"},
    "cpu, 160 px": CPU | {"image_size": 160},
    "cpu, rate 1e-3": CPU | {"learning_rate": 1e-3},
    "cpu, twice the passes": CPU | {"epochs": 4 * EPOCHS},
    "cpu, constant rate and average": CPU | {"schedule": "constant", "average": 0.998, "patience": 20},
}
REPLICATES = 2000


def main() -> None:
    """Train what is not there yet, print the tables, write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark/dfdc"))
    parser.add_argument("--recipes", nargs="*", default=list(VARIANTS), choices=VARIANTS, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--final", nargs="+", default=[], choices=VARIANTS, metavar="NAME", help="judge these on test")
    parser.add_argument("--out", type=Path, help="write dfdc.md and dfdc.json there; rows that are there are kept")
    args = parser.parse_args()
    faces_csv = dfdc_table(args.folder, args.work / "faces")
    rows = {} if args.out is None else kept(args.out / "dfdc.json")
    for name in args.recipes:
        for seed in {*args.seeds, *made(name, args.work)}:
            run = folder_of(name, seed, args.work)
            row = {"recipe": name, "seed": seed, "settings": VARIANTS[name]} | measure(faces_csv, run, name, seed)
            if name in args.final:
                row["test"] = logits(faces_csv, run, "test")
            rows[name, seed] = row
            print(json.dumps({key: value for key, value in row.items() if key not in ("val", "test")}), flush=True)
    in_order = sorted(rows.values(), key=lambda row: (list(VARIANTS).index(row["recipe"]), row["seed"]))
    text = report(pd.DataFrame(in_order), "" if args.out is None else reading_of(args.out / "dfdc.md"))
    print(text)
    if args.out:
        (args.out / "dfdc.md").write_text(text, encoding="utf-8")
        plot(pd.DataFrame(in_order), args.out / "dfdc.svg")
        lines = ",\n".join(json.dumps(row) for row in in_order)
        (args.out / "dfdc.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def kept(page: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """What was measured before, as far as the settings are still these, by recipe and seed."""
    rows = json.loads(page.read_text(encoding="utf-8")) if page.is_file() else []
    return {(row["recipe"], row["seed"]): row for row in rows if row.get("settings") == VARIANTS.get(row["recipe"])}


def folder_of(name: str, seed: int, work: Path) -> Path:
    """Where a run lies."""
    return work / f"{name.replace(' ', '_')}-{seed}"


def made(name: str, work: Path) -> list[int]:
    """Seeds with which a variant was trained to its end before."""
    stem = f"{name.replace(' ', '_')}-"
    return [int(file.parent.name.removeprefix(stem)) for file in work.glob(f"{glob.escape(stem)}[0-9]*/val.csv")]


def measure(faces_csv: Path, run: Path, name: str, seed: int) -> dict[str, Any]:
    """Train, or take up again; AUC of the chosen epoch on validation crops."""
    crops = int((load_faces(faces_csv)["split"] == "train").sum())
    config = TrainingConfig(**VARIANTS[name], crops_per_epoch=crops, seed=seed)
    result = train(faces_csv, run, config)
    found = logits(faces_csv, run, "val")
    return {
        "pictures": crops // config.batch_size * config.batch_size * config.epochs,
        "epoch": int(result.best["epoch"]),
        "train_loss": round(float(result.history["train_loss"].iloc[-1]), 4),
        "val_auc": round(whole(comparisons(*found), auc), 5),
        "val": found,
    }


def logits(faces_csv: Path, run: Path, split: str) -> list[list[float]]:
    """By a run's chosen epoch: of the real crops of a split, and of their fakes, video by video in the same order."""
    file = run / f"{split}.csv"
    if not file.is_file():
        faces = load_faces(faces_csv, split)
        scores = score(load_detector(run / "best"), faces).assign(video=faces["target_id"])
        scores[["video", "label", "logit"]].to_csv(file, index=False)
    table = pd.read_csv(file).pivot(index="video", columns="label", values="logit")
    return [table[label].round(4).tolist() for label in (0, 1)]


def squares(runs: pd.Series) -> list[np.ndarray]:
    """The comparisons of each run: each video has one crop of either kind."""
    return [comparisons(*one) for one in runs]


def values(runs: pd.Series, statistic: Statistic) -> pd.Series:
    """A statistic of each run, from its logits."""
    return pd.Series([whole(one, statistic) for one in squares(runs)], runs.index)


ABOUT = """\
4,052 face crops of the Deepfake Detection Challenge: 2,026 real ones, each with a fake of the same frame; FOLDER
holds them and a `labels.csv` (`path`, `label`, `source_video`). Videos are dealt to training (70 %), validation (10
%) and test (20 %), so that no video is on two sides; actors may be. Of each run the epoch with the best validation
AUC is kept, and the recipe was chosen on validation; test was looked at once, for the rows of the first table.
Brackets hold the range of the seeds, *interval* is 95 % by bootstrap over videos, of the mean of the seeds. *Pairs*
are the fakes that score higher than their own original.
"""
BASE_IS = """\
*base* is EfficientNet-Lite0 with ImageNet weights, its classifier at zero, 128 px, pairs of a real crop and its own
fake that share every draw, mirror images, AdamW at 3e-4 in one cycle over five passes, all weights trained. Each
other row changes what it names, and nothing else, but for random weights, which take the higher rate that they need;
the classifier and the norms alone would want a higher one as well, and do not get it here. Rows that begin with
*cpu,* change one thing of *cpu*. *kept* is the epoch that was kept, of how many; *training loss* is that of the last.
*gain* is the difference to *base*, or to *cpu*, of the same seeds (in brackets, how many). Where its interval holds
zero, these 178 validation videos do not tell the two apart; and it does not hold what another seed would have
changed.
"""
CPU_IS = """\
*cpu* is the recipe of that name: *base* with twice the passes and the strong augmentation. *course* is
InceptionResnetV1 from random weights, as the first project used it, with *base*'s five passes, at 1e-3. *Logits
averaged* is what several runs say together, which takes as many times as long, in training and in use; no command
does it.
"""
READING = "## What we take from it"


def report(rows: pd.DataFrame, reading: str) -> str:
    """Both tables, for people, and what somebody has written below them."""
    groups = list(rows.groupby("recipe", sort=False))
    judged = [(name, part) for name, part in groups if "test" in part and part["test"].notna().all()]
    lines = [
        "# What a recipe is worth on real deepfakes, and each of its ingredients",
        "",
        f"Measured on {machine()}, one thread a run, by",
        "",
        "    python tests/benchmarks/dfdc.py FOLDER --final cpu course --out docs/benchmarks",
        "    python tests/benchmarks/dfdc.py FOLDER --recipes cpu --seeds 1 2 --final cpu --out docs/benchmarks",
        "",
        "`dfdc.json` beside this page has the settings of each row, and the logits of each run by video.",
        "",
        ABOUT,
        "## The recipes",
        "",
        CPU_IS,
        "| recipe | seeds | passes | validation AUC | test AUC | interval | pairs | interval |",
        "|---|---|---|---|---|---|---|---|",
        *(row for name, part in judged for row in final_lines(name, part)),
        "",
        "## One thing at a time",
        "",
        BASE_IS,
        "![Validation AUC row by row, with intervals](dfdc.svg)",
        "",
        "| | seeds | passes | kept | training loss | validation AUC | gain | interval |",
        "|---|---|---|---|---|---|---|---|",
        *(line(name, part, rows) for name, part in groups),
    ]
    return "\n".join(lines) + "\n" + (f"\n{READING}{reading}" if reading else "")


def reading_of(page: Path) -> str:
    """What stands below the tables of a page, and is not computed."""
    return page.read_text(encoding="utf-8").partition(READING)[2] if page.is_file() else ""


def final_lines(name: str, part: pd.DataFrame) -> Iterator[str]:
    """A recipe's rows of the first table: its runs, and where there are several what they say together."""
    yield final_line(name, part)
    if len(part) > 1:
        together = {split: [np.mean(part[split].tolist(), axis=0).tolist()] for split in ("val", "test")}
        yield final_line(f"{name}, logits averaged", part.head(1).assign(**together), of=len(part))


def final_line(name: str, part: pd.DataFrame, of: int = 0) -> str:
    """A row of the first table, of as many runs together as `of` says."""
    cells = [name, f"{of or len(part)}", f"{part['settings'].iloc[0]['epochs']}", spread(values(part["val"], auc))]
    for statistic, digits in ((auc, ".3f"), (pairs_right, ".1%")):
        low, high = percentiles(resampled(squares(part["test"]), statistic, REPLICATES))
        cells += [spread(values(part["test"], statistic), digits), f"{low:{digits}} to {high:{digits}}"]
    return f"| {' | '.join(cells)} |"


def line(name: str, part: pd.DataFrame, rows: pd.DataFrame) -> str:
    """A row of the second table."""
    gain = between = "-"
    base = rows[rows["recipe"] == ("cpu" if name.startswith("cpu, ") else "base")]
    shared = sorted({*part["seed"]} & {*base["seed"]})
    if name != "base" and shared:
        one, other = (some.set_index("seed").loc[shared, "val"] for some in (part, base))
        gain = f"{(values(one, auc) - values(other, auc)).mean():+.3f} ({len(shared)})"
        drawn, theirs = (resampled(squares(some), auc, REPLICATES) for some in (one, other))
        low, high = percentiles(drawn - theirs)
        between = f"{low:+.3f} to {high:+.3f}"
    passes, epochs = part["settings"].iloc[0]["epochs"], ", ".join(map(str, part["epoch"]))
    return (
        f"| {name} | {len(part)} | {passes} | {epochs} | {part['train_loss'].mean():.3f} | "
        f"{spread(values(part['val'], auc))} | {gain} | {between} |"
    )


def plot(rows: pd.DataFrame, path: Path) -> None:
    """Validation AUC row by row: the seeds, their mean, and its interval by video."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "dfdc"  # the same figure, the same file
    from matplotlib import pyplot as plt

    groups = list(rows.groupby("recipe", sort=False))
    figure, ax = plt.subplots(figsize=(8, 0.28 * len(groups) + 0.9))
    for place, (name, part) in enumerate(groups):
        found = values(part["val"], auc)
        colour = "#0072B2" if name.startswith("cpu") else "#D55E00" if name == "course" else "#666666"
        band = percentiles(resampled(squares(part["val"]), auc, REPLICATES))
        ax.plot(band, [place] * 2, color=colour, linewidth=5, alpha=0.3)
        ax.plot(found, [place] * len(found), "o", color=colour, markersize=4)
        ax.plot(found.mean(), place, "|", color="black", markersize=12, markeredgewidth=2)
    ax.set_yticks(range(len(groups)), [name for name, _ in groups])
    ax.invert_yaxis()
    ax.set(xlabel="validation AUC (dots: seeds; bar: their mean; band: 95 % by video)")
    ax.grid(axis="x", alpha=0.4)
    ax.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def spread(values: pd.Series, digits: str = ".3f") -> str:
    """Mean, and the range of the seeds where there are several."""
    if len(values) == 1:
        return f"{values.iloc[0]:{digits}}"
    return f"{values.mean():{digits}} ({values.min():{digits}} to {values.max():{digits}})"


if __name__ == "__main__":
    main()
