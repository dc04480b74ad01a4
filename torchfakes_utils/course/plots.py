"""One look for every figure: real is blue, fake is vermilion, all else grey; and never colour alone.

Figures are small and in PNG, since notebooks carry them. Each helper draws on axes it is given or returns a figure;
one that returns a figure has closed it (`finish`), so that a cell which ends with the call shows it once, not twice.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

from torchfakes_utils.course import alt_text
from torchfakes_utils.report import figures

REAL, FAKE, NEUTRAL = figures.REAL, figures.FAKE, figures.NEUTRAL

Labels = Sequence[int] | NDArray[Any]  # 0 is real, 1 is fake
Numbers = Sequence[float] | NDArray[Any]

COLOURS = (REAL, FAKE)  # by label: 0 is real, 1 is fake
NAMES = ("real", "fake")
_POWERS = ("$10^", r"$\mathdefault{")  # how ticks are written, ours and those of logarithmic axes
MARKERS = ("o", "X")
HATCHES = ("", "///")

FACE_INCHES = 1.6  # 160 pixels at 100 dots an inch: the size a crop is stored in


def use_style() -> None:
    """Set the course's style for every figure that follows; in a notebook, each has its alt text."""
    alt_text.speak()
    plt.switch_backend(plt.get_backend())  # else a notebook shows no figure before pyplot has made one
    plt.rcdefaults()
    plt.rcParams.update(
        {
            "figure.dpi": 100,
            "savefig.dpi": 100,
            "figure.figsize": (6.0, 3.4),
            "figure.constrained_layout.use": True,
            "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure on every machine
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=[NEUTRAL, REAL, FAKE]),
            "axes.grid": False,
            "image.cmap": "gray",
            "image.interpolation": "nearest",
            "legend.frameon": False,
            "lines.linewidth": 2.0,
        }
    )


def finish(figure: Figure, alt: str = "") -> Figure:
    """The figure, closed: a notebook shows it where a cell ends with it, and not a second time of its own accord.

    Args:
        figure: to be shown.
        alt: what it shows, in a sentence, for those who do not see it; made from its title, axes and names by default.
    """
    alt_text.give(figure, alt)
    for text in figure.findobj(Text):
        if isinstance(text, Text) and "$" in text.get_text() and not text.get_text().startswith(_POWERS):
            text.set_parse_math(False)  # a name, such as $x$, which need not be mathematics
    plt.close(figure)
    return figure


def label_colour(label: int) -> str:
    """The colour of a label: 0 is real, 1 is fake."""
    return COLOURS[int(label)]


def face(path: Path | str) -> np.ndarray:
    """A crop from its file, as (H, W, 3) uint8 RGB."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def images(
    pictures: Sequence[np.ndarray],
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    title: str = "",
    labels: Sequence[int] | None = None,
    inches: float = FACE_INCHES,
    alt: str = "",
) -> Figure:
    """Pictures side by side.

    Args:
        pictures: (H, W, 3) uint8 RGB or (H, W) grey, any size.
        titles: a few words above each.
        columns: how many in a row; all by default.
        title: the figure's one message.
        labels: 0 or 1 for each; draws a frame in that colour, solid for real and dashed for fake.
        inches: the width of one picture; 100 pixels an inch.
        alt: what they show, in a sentence, for those who do not see them; made from the titles by default.
    """
    columns = columns or len(pictures)
    rows = -(-len(pictures) // columns)
    height = inches + (0.3 if titles else 0.08)
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns * inches, rows * height + 0.35 * bool(title)), squeeze=False
    )
    for index, ax in enumerate(axes.flat):
        ax.set(xticks=[], yticks=[])
        if index >= len(pictures):
            ax.set_visible(False)
            continue
        _frame(ax, None if labels is None else labels[index])
        ax.imshow(pictures[index], **({"vmin": 0, "vmax": 255} if pictures[index].dtype == np.uint8 else {}))
        if titles:
            ax.set_title(titles[index], fontsize=9, fontweight="normal")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return finish(figure, alt)


def faces_grid(
    faces: pd.DataFrame,
    columns: int = 5,
    title: str = "Real above, its fake below",
    seed: int | None = None,
    alt: str = "",
) -> Figure:
    """Real faces above fakes of the same person in the same frame, as near as the table has them.

    Args:
        faces: rows of faces.csv with the column `file`, as `course.faces_table()` gives them.
        columns: how many pairs.
        title: the figure's one message.
        seed: draws the pairs at random; None takes the first, one a person.
        alt: what they show, in a sentence, for those who do not see them; made from the names by default.
    """
    pairs = face_pairs(faces)
    if pairs.empty:
        raise ValueError("no real face in the table has a fake of the same person in the same frame")
    pairs = pairs.sample(frac=1, random_state=seed) if seed is not None else pairs
    people = pairs.drop_duplicates("target_id")
    chosen = pd.concat([people, pairs.drop(people.index)]).head(columns)
    pictures = [face(path) for path in [*chosen["file_real"], *chosen["file_fake"]]]
    titles = [f"real {name}" for name in chosen["clip_id_real"]] + [f"{name}" for name in chosen["method_fake"]]
    labels = [0] * len(chosen) + [1] * len(chosen)
    return images(pictures, titles, columns=len(chosen), title=title, labels=labels, alt=alt)


def face_pairs(faces: pd.DataFrame) -> pd.DataFrame:
    """Every fake beside the real face of its target at the same frame; columns end in `_real` and `_fake`."""
    keys = ["target_id", "compression", "frame"]
    columns = [*keys, "clip_id", "method", "file"]
    real, fake = (faces.loc[faces["label"] == label, columns] for label in (0, 1))
    return real.merge(fake, on=keys, suffixes=("_real", "_fake"))


def histogram(
    ax: Axes,
    values: Numbers,
    labels: Labels,
    bins: int | NDArray[Any] = 30,
    threshold: float | None = None,
) -> None:
    """Two overlaid histograms, real and fake (hatched), each of area 1, named over their medians.

    Args:
        ax: where to draw.
        values: one number a face or clip; its unit belongs on the x axis.
        labels: 0 or 1 for each.
        bins: their number, or the edges.
        threshold: a value to mark by a dashed line.
    """
    values, labels = np.asarray(values, float), np.asarray(labels)
    edges = np.histogram_bin_edges(values, bins)
    medians = [np.median(values[labels == label]) if (labels == label).any() else np.nan for label in (0, 1)]
    for label in (0, 1):
        ax.hist(
            values[labels == label], list(edges), density=True, color=COLOURS[label], alpha=0.5,
            edgecolor=COLOURS[label], hatch=HATCHES[label], histtype="stepfilled",
        )  # fmt: skip
        if np.isfinite(medians[label]):
            # Each name stands over its median and runs away from the other's.
            lower = medians[label] <= np.nanmin(medians) and not (label == 1 and medians[0] == medians[1])
            ax.text(
                medians[label], 0.95, NAMES[label] + " " if lower else " " + NAMES[label], color=COLOURS[label],
                fontweight="bold", ha="right" if lower else "left", transform=ax.get_xaxis_transform(),
            )  # fmt: skip
    if threshold is not None:
        ax.axvline(threshold, color=NEUTRAL, linestyle="--")
    ax.margins(y=0.18)
    ax.set(ylabel="density", yticks=[])


def roc(ax: Axes, labels: Labels, scores: Numbers, name: str = "", colour: str = FAKE) -> float:
    """The ROC curve of P(fake), with chance as a grey diagonal; returns the area under it.

    Args:
        ax: where to draw; call again on the same axes for another curve.
        labels: 0 or 1, both present.
        scores: one a label; the higher, the more fake.
        name: stands beside the curve with its area.
        colour: the curve's.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    alarms, hits, _ = roc_curve(labels, scores)
    area = float(roc_auc_score(labels, scores))
    if not ax.lines:
        ax.plot([0, 1], [0, 1], color=NEUTRAL, linestyle=":", linewidth=1)
        ax.annotate("a coin", (0.62, 0.56), color=NEUTRAL)
    curves = sum(line.get_gid() == "roc" for line in ax.lines)
    ax.plot(alarms, hits, color=colour, gid="roc")
    ax.annotate(
        f"{name} AUC {area:.2f}".strip(), (0.97, 0.05 + 0.09 * curves), ha="right", color=colour, fontweight="bold"
    )
    ax.set(xlabel="reals called fake", ylabel="fakes found", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
    return area


def curves(
    ax: Axes, x: Sequence[float], series: dict[str, Sequence[float]], colours: Sequence[str] | None = None
) -> None:
    """Lines over a common x, each named at its right end instead of in a legend.

    Args:
        ax: where to draw.
        x: common to all.
        series: name to values, one a value of x.
        colours: one a line; the style's by default.
    """
    for index, (name, values) in enumerate(series.items()):
        colour = None if colours is None else colours[index]
        (line,) = ax.plot(x, values, marker="os^Dv"[index % 5], markersize=4, color=colour)
        ax.annotate(
            f" {name}", (np.asarray(x)[-1], np.asarray(values)[-1]), va="center", color=line.get_color(),
            fontweight="bold", annotation_clip=False,
        )  # fmt: skip


def _frame(ax: Axes, label: int | None) -> None:
    for spine in ax.spines.values():
        spine.set_visible(label is not None)
        if label is not None:
            spine.set(color=COLOURS[int(label)], linewidth=2.5, linestyle=("-", "--")[int(label)])
