"""What a start is worth, for lesson 05: the runs of `starts` summed up and drawn, and the same on real deepfakes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_05_figures import CUT, KEPT, ON_WHITE, baseline
from torchfakes_utils.course.starts import ALL, HEAD, NORMS, RANDOM
from torchfakes_utils.metrics import paired
from torchfakes_utils.metrics.bootstrap import percentiles
from torchfakes_utils.metrics.config import REPLICATES
from torchfakes_utils.metrics.intervals import compare_runs, over_runs


def mean_auc(runs: Sequence[pd.DataFrame], replicates: int = REPLICATES) -> tuple[float, float, float, list[float]]:
    """AUC over crops, mean of several runs, and how far it depends on who was filmed: `over_runs`, for crops.

    People are drawn, the same for all runs. The runs are not: three say too little about other seeds. They are there to
    be seen.

    Args:
        runs: the same crops in each, with `CLIP_KEY`, `frame`, `label`, `probability_fake`, and `PERSON_COLUMNS` where
            people are known.
        replicates: data sets to draw.

    Returns:
        Mean, low, high (95 %; NaN where a class has fewer than two groups of people), and the AUC of each run.
    """
    found = over_runs(runs, [0.5] * len(runs), replicates)["auc"]
    return found["mean"], *_ends(found), found["values"]


def mean_gain(
    runs: Sequence[pd.DataFrame], others: Sequence[pd.DataFrame], replicates: int = REPLICATES
) -> tuple[float, float, float]:
    """How much larger the AUC over crops of some runs is than that of others: mean, low, high, as from `mean_auc`.

    Both are measured on the same drawn people, so that what is hard in a film counts in neither.

    Args:
        runs, others: as `mean_auc` takes them. With as many of either, the mean of the differences seed by seed.
        replicates: data sets to draw.
    """
    found = compare_runs(runs, others, ([0.5] * len(runs), [0.5] * len(others)), replicates)["auc"]
    return found["difference"], *_ends(found)


def _ends(found: Mapping[str, Any]) -> tuple[float, float]:
    low, high = found["interval"] or (np.nan, np.nan)
    return low, high


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """What each start reached with each number of training crops.

    Args:
        runs: `starts.START_COLUMNS`.

    Returns:
        Columns `start, crops, auc, low, high, seeds`, the last a list of AUCs; in the order of the runs.
    """
    rows = []
    for (start, crops), part in runs.groupby(["start", "crops"], sort=False):
        auc, low, high, seeds = mean_auc([run for _, run in part.groupby("seed")])
        rows.append({"start": start, "crops": crops, "auc": auc, "low": low, "high": high, "seeds": seeds})
    return pd.DataFrame(rows)


def gains(runs: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """How much better one start is than another, with all training crops.

    Args:
        runs: `starts.START_COLUMNS`.
        pairs: the one and the other.

    Returns:
        A row a pair, in their order: columns `start`, `against`, `gain`, `low`, `high` as from `mean_gain`.
    """
    whole = runs[runs["crops"] == 0]
    of = {start: [run for _, run in part.groupby("seed")] for start, part in whole.groupby("start")}
    rows = [(one, other, *mean_gain(of[one], of[other])) for one, other in pairs]
    return pd.DataFrame(rows, columns=["start", "against", "gain", "low", "high"])


def starts_figure(table: pd.DataFrame) -> Figure:
    """What four ways to begin reach with all training crops: each seed, their mean, its interval.

    Args:
        table: from `summary`.
    """
    rows = table[table["crops"] == 0].set_index("start").loc[[RANDOM, HEAD, NORMS, ALL]]
    figure, ax = plt.subplots(figsize=(7.0, 2.9))
    for y, (start, row) in enumerate(rows.iterrows()):
        colour = CUT if start == RANDOM else KEPT
        ax.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=4, alpha=0.35, solid_capstyle="butt")
        ax.plot(row["seeds"], [y] * len(row["seeds"]), "o", color=colour, markersize=5)
        ax.plot(row["auc"], y, "|", color="black", markersize=18, markeredgewidth=2)
        ax.annotate(f"{row['auc']:.2f}", (1.02, y), xycoords=("axes fraction", "data"), va="center", fontweight="bold")
    ax.annotate("mean", (1.02, -0.62), xycoords=("axes fraction", "data"), va="center", color=plots.NEUTRAL)
    ax.axvline(0.5, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
    ax.annotate("a coin", (0.5, -0.55), (3, 0), textcoords="offset points", va="center", color=plots.NEUTRAL)
    low = min(0.45, float(rows["low"].min()) - 0.02)
    ax.set(yticks=range(len(rows)), yticklabels=rows.index, ylim=(len(rows) - 0.5, -0.85), xlim=(low, 1.005),
           xlabel="validation AUC by crop (dots: seeds; light bar: 95 % interval)")  # fmt: skip
    ax.set_title("Same steps, same pictures: the start decides")
    return plots.finish(figure)


def few_figure(table: pd.DataFrame, all_crops: int, title: str = "How many pictures suffice?") -> Figure:
    """How many pictures suffice: AUC against the number of training crops, from random weights and from ImageNet's.

    Args:
        table: from `summary`.
        all_crops: how many training crops there are.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(7.0, 3.1))
    ticks: list[int] = []
    for start, colour, marker, name in ((ALL, KEPT, "o-", "ImageNet"), (RANDOM, CUT, "X--", "random")):
        rows = table[table["start"] == start].assign(crops=lambda part: part["crops"].replace(0, all_crops))
        rows = rows.sort_values("crops")
        ax.fill_between(rows["crops"], rows["low"], rows["high"], color=colour, alpha=0.2, linewidth=0)
        ax.plot(rows["crops"], rows["auc"], marker, color=colour)
        end = (rows["crops"].iloc[-1], rows["auc"].iloc[-1])
        ax.annotate(name, end, (9, 0), textcoords="offset points", va="center", color=colour, fontweight="bold",
                    annotation_clip=False, bbox=ON_WHITE)  # fmt: skip
        ticks = rows["crops"].tolist()
    baseline(ax, 0.5, "a coin", 0.94)
    ax.set(xscale="log", xlim=(min(ticks) * 0.85, max(ticks) * 1.9), ylim=(min(0.4, ax.get_ylim()[0]), 1.02),
           xlabel="training crops (light: 95 % interval, people drawn)", ylabel="validation AUC by crop")  # fmt: skip
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    ax.set_title(title)
    return plots.finish(figure)


# What these starts are called in the benchmark on real deepfakes.
_ON_DFDC = {"random weights": RANDOM, "classifier alone": HEAD, "norms alone": NORMS, "base": ALL}
_DFDC = Path(__file__).parents[2] / "docs" / "benchmarks" / "dfdc.json"


def on_real_deepfakes(path: Path = _DFDC) -> pd.DataFrame | None:
    """The same four starts on DFDC's crops, as docs/benchmarks measured them; None outside of a checkout that has them.

    Args:
        path: the benchmark's rows, a list of objects with `recipe` and `val`, the logits of the real crops and of their
            fakes, video by video.

    Returns:
        A row a start: `seeds` (how many), `AUC` (mean over them on validation), `low` and `high` (95 %, by video); and
        how far it lies `above random`, with `from` and `to`, on the same drawn videos.
    """
    if not path.is_file():
        return None
    rows = json.loads(path.read_text(encoding="utf-8"))
    runs = {start: [paired.comparisons(*row["val"]) for row in rows if row["recipe"] == recipe]
            for recipe, start in _ON_DFDC.items()}  # fmt: skip
    if not all(runs.values()):
        return None
    drawn = {start: paired.resampled(some, paired.auc, REPLICATES) for start, some in runs.items()}
    means = {start: float(np.mean([paired.whole(run, paired.auc) for run in some])) for start, some in runs.items()}
    table = pd.DataFrame({"seeds": {start: len(some) for start, some in runs.items()}, "AUC": means})
    table[["low", "high"]] = [percentiles(drawn[start]) for start in runs]
    table["above random"] = table["AUC"] - means[RANDOM]
    table[["from", "to"]] = [percentiles(drawn[start] - drawn[RANDOM]) for start in runs]
    return table
