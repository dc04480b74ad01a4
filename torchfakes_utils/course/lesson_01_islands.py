"""Figures of lesson 01 that show people as a graph: who lent whom a face, and what a split leaks."""

from collections.abc import Iterable, Mapping, Sequence

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from torchfakes_utils.course import plots

# Splits have colours of their own (Okabe and Ito's green and purple), since blue and vermilion mean real and fake here;
# and each its shape, since colour never stands alone.
SPLIT_COLOURS = {"train": plots.NEUTRAL, "val": "#CC79A7", "test": "#009E73", "": "#DDDDDD"}
SPLIT_SHAPES = {"train": "o", "val": "D", "test": "s", "": "o"}
COLUMNS = 6  # islands side by side


def draw_islands(
    ax: Axes,
    islands: Sequence[Sequence[str]],
    arrows: Iterable[tuple[str, str, str]],
    side: Mapping[str, str],
    columns: int = COLUMNS,
    same: Iterable[tuple[str, str]] = (),
) -> None:
    """People as shapes, loans of a face as arrows from source to target, on the colours of their splits.

    Args:
        ax: where to draw.
        islands: groups of ids; each is drawn as a row of its own place.
        arrows: (source, target, split of the fake clip); those to people who are not drawn are left out.
        side: the split of each person's own clip.
        columns: how many islands side by side.
        same: pairs of ids filmed in one video, joined by a dotted line.
    """
    width = max(len(island) for island in islands) + 0.6
    places = {
        name: ((number % columns) * width + step, -(number // columns))
        for number, island in enumerate(islands)
        for step, name in enumerate(island)
    }
    for source, target, split in arrows:
        if source not in places or target not in places:
            continue  # not all islands are drawn
        ax.add_patch(
            FancyArrowPatch(
                places[source], places[target], connectionstyle="arc3,rad=-0.32", arrowstyle="-|>", mutation_scale=11,
                shrinkA=9, shrinkB=9, color=SPLIT_COLOURS[split], linewidth=1.8,
            )
        )  # fmt: skip
    for first, second in same:
        ax.plot(*zip(places[first], places[second], strict=True), color="black", linestyle=":", linewidth=1.6, zorder=0)
    for name, (x, y) in places.items():
        split = side.get(name, "")  # a real clip may not have been downloaded
        ax.plot(x, y, SPLIT_SHAPES[split], color=SPLIT_COLOURS[split], markersize=17)
        ax.text(x, y - 0.02, name, ha="center", va="center", fontsize=8, fontweight="bold")  # dark: seen on each colour
    rows = -(-len(islands) // columns)
    ax.set(xlim=(-0.6, columns * width - 1), ylim=(-rows + 0.45, 0.5), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def islands_figure(
    islands: Sequence[Sequence[str]], panels: Mapping[str, tuple[Iterable[tuple[str, str, str]], Mapping[str, str]]]
) -> Figure:
    """The same people under several ways of splitting, one panel above the other: title to (arrows, side)."""
    rows = -(-len(islands) // COLUMNS)
    size = (7.0, (0.62 * rows + 0.4) * len(panels) + 0.4)
    figure, axes = plt.subplots(len(panels), 1, figsize=size, squeeze=False)
    for ax, (title, (arrows, side)) in zip(axes[:, 0], panels.items(), strict=True):
        draw_islands(ax, islands, arrows, side)
        ax.set_title(title)
    figure.legend(handles=split_key(), loc="outside lower center", ncols=3, handletextpad=0.2)
    return plots.finish(figure)


def split_key() -> list[Line2D]:
    """What the shapes and colours of `draw_islands` stand for."""
    return [
        Line2D([], [], marker=SPLIT_SHAPES[split], color=SPLIT_COLOURS[split], linestyle="", markersize=9, label=split)
        for split in ("train", "val", "test")
    ]


def leak_figure(shares: Mapping[str, float], title: str) -> Figure:
    """A bar for each way of splitting: the share of test fakes that show somebody from training.

    Args:
        shares: way -> share, 0 to 1.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(7.0, 0.45 * len(shares) + 0.6))
    for place, share in enumerate(shares.values()):
        ax.barh(place, share, 0.7, color=plots.NEUTRAL)
        ax.text(share + 0.01, place, f"{share:.0%}", va="center", fontweight="bold")
    ax.set(yticks=range(len(shares)), yticklabels=list(shares), xlim=(0, 1.1), xticks=[])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    ax.invert_yaxis()
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")  # longer than the axes are wide
    return plots.finish(figure)
