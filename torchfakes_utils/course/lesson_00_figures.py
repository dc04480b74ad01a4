"""The figures of lesson 00: a coin's games, intervals, opinions, heat maps with a key, and what alarms are made of."""

from collections.abc import Sequence
from typing import Any

import ipywidgets
import numpy as np
from matplotlib import patheffects
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from torchfakes_utils.course import plots
from torchfakes_utils.explanation.regions import REGIONS, face_regions, landmarks_of
from torchfakes_utils.language import mark, tr

# From common to rare: one fake among how many films.
ONE_IN = (2, 5, 10, 50, 100, 500, 1000, 10_000, 100_000)

GLOW = "#2EE66B"  # of heat maps: no colour of skin, hair or walls, and neither real's nor fake's
CROP = 160  # px, the edge by which landmarks are told

# Parts of a picture by what `explanation.regions` calls them.
PARTS = {
    mark("eyes and forehead"): ("eyes", "forehead"),
    mark("nose and cheeks"): ("nose", "cheeks"),
    mark("mouth and chin"): ("mouth", "chin"),
    mark("beside the face"): ("outside",),
}
STAGGER = (0.0, -0.11, 0.11, -0.055, 0.055)  # heights of neighbouring marks, in rows
STRONGEST = 0.7  # how much of the hottest place is glow; the face shines through everywhere


def coin_figure(games: NDArray[np.bool_], right: int) -> Figure:
    """How many games of a coin end with how many right answers; those with at least `right` stand out.

    Args:
        games: (G, N), a row a game, True where the coin was right.
        right: from how many on.
    """
    faces = games.shape[1]
    share = np.bincount(games.sum(axis=1), minlength=faces + 1) / len(games)
    figure, ax = plt.subplots(figsize=(7.0, 2.6))
    for count, height in enumerate(share):
        high = count >= right
        ax.bar(count, height, color="black" if high else plots.NEUTRAL, alpha=1 if high else 0.5, width=0.85)
        ax.text(count, height + 0.005, f"{height:.0%}", ha="center", va="bottom")
    ax.annotate(
        tr("{right} or more: {share:.0%}", right=right, share=share[right:].sum()),
        (faces - 0.2, share.max() * 0.75),
        ha="right",
        fontweight="bold",
    )
    ax.set(
        xticks=range(faces + 1),
        yticks=[],
        xlabel=tr("right answers of {faces}", faces=faces),
        ylabel=tr("share of the games"),
    )
    ax.set_ylim(0, share.max() * 1.18)
    ax.spines["left"].set_visible(False)
    said = "A coin gets {right} or more of {faces} in {games:.0f} games of 100"
    ax.set_title(tr(said, right=right, faces=faces, games=100 * share[right:].sum()))
    return plots.finish(figure)


def interval(right: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's interval for a share: which true shares could well have given this count."""
    from scipy.stats import binomtest

    found = binomtest(right, of).proportion_ci(level, method="exact")
    return float(found.low), float(found.high)


def interval_length(right: int, of: int) -> float:
    """How long the 95 % interval is."""
    low, high = interval(right, of)
    return high - low


def score_card(rows: Sequence[tuple[str, int, int, str]], title: str) -> Figure:
    """Shares of right answers, each with its 95 % interval.

    Args:
        rows: (who, right answers, answers, colour) of each, from top to bottom.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(7.0, 0.5 * len(rows) + 1.1))
    ax.axvline(0.5, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
    ax.annotate(tr("skill of a coin"), (0.49, -0.45), ha="right", va="center", color=plots.NEUTRAL)
    for y, (_, right, of, colour) in enumerate(rows):
        ax.hlines(y, *interval(right, of), color=colour, linewidth=4, alpha=0.6)
        ax.plot(right / of, y, "o", color=colour, markersize=9, markeredgecolor="white")
        count = tr("{right} of {of}", right=right, of=of)
        ax.annotate(count, (1.03, y), va="center", color=colour, fontweight="bold", annotation_clip=False)
    ax.set(
        yticks=range(len(rows)), yticklabels=[row[0] for row in rows], xlim=(0, 1.01), ylim=(len(rows) - 0.5, -0.7),
        xlabel=tr("share of right answers (dot), and its 95 % interval (line)"), xticks=np.linspace(0, 1, 6),
    )  # fmt: skip
    ax.xaxis.set_major_formatter("{x:.0%}")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_title(title)
    return plots.finish(figure)


def strips(rows: Sequence[tuple[str, Sequence[float], Sequence[int]]], title: str) -> Figure:
    """P(fake) of faces or clips: a row a group, real as circles above, fake as crosses below.

    Args:
        rows: (name, scores, labels) of each.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(7.0, 1.4 * len(rows) + 0.9))
    ax.axvline(0.5, color=plots.NEUTRAL, linestyle="--", linewidth=1)
    for y, (_, scores, labels) in enumerate(rows):
        for label, offset in ((0, -0.2), (1, 0.2)):
            values = np.sort(np.asarray(scores, float)[np.asarray(labels) == label])
            # Neighbours stand at other heights, so that two alike are seen as two.
            heights = y + offset + np.resize(STAGGER, len(values))
            ax.plot(
                values, heights, plots.MARKERS[label], color=plots.COLOURS[label],
                markersize=9, alpha=0.65, markeredgecolor="white", clip_on=False,
            )  # fmt: skip
            ax.annotate(
                f"{len(values)} {plots.NAMES[label]}", (1.04, y + offset), va="center", color=plots.COLOURS[label],
                fontweight="bold", annotation_clip=False,
            )  # fmt: skip
    ax.set(
        yticks=range(len(rows)), yticklabels=[row[0] for row in rows], xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5),
        xlabel=tr("the model's P(fake); from 0.5 on it says “fake”"),
    )  # fmt: skip
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_title(title)
    return plots.finish(figure)


def glowing(photo: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A photo with a glow where a heat map is warm, and as it was where the map is cold.

    Args:
        photo: (H, W, 3) uint8 RGB.
        heat: (h, w) in [0, 1]; brought to the photo's size.
    """
    amount = STRONGEST * _fitted(heat, photo)[..., None]
    mixed = (1 - amount) * photo + amount * 255 * np.array(to_rgb(GLOW))
    return np.asarray(np.rint(mixed), np.uint8)


def heat_figure(
    photos: Sequence[NDArray[np.uint8]],
    maps: Sequence[NDArray[np.float32] | None],
    titles: Sequence[str],
    labels: Sequence[int],
    title: str,
    columns: int = 4,
) -> Figure:
    """Faces with what supported an answer, and the key to it.

    Args:
        photos: (H, W, 3) uint8 RGB.
        maps: (h, w) in [0, 1] of each, None for a face that is shown as it is.
        titles: a few words above each.
        labels: 0 or 1 of each, for its frame.
        title: the figure's one message.
        columns: how many in a row.
    """
    rows, inches = -(-len(photos) // columns), min(3.0, 7.0 / columns)
    figure, axes = plt.subplots(rows, columns, figsize=(inches * columns, (inches + 0.27) * rows + 0.75), squeeze=False)
    for ax in axes.flat[len(photos) :]:
        ax.set_visible(False)
    for ax, photo, heat, text, label in zip(axes.flat, photos, maps, titles, labels, strict=False):
        _face(ax, photo if heat is None else glowing(photo, heat), text, label)
        if heat is not None and heat.max() > 0:
            lines = ax.contour(_fitted(heat, photo), [0.5], colors="white", linewidths=1.2)
            lines.set_path_effects([patheffects.withStroke(linewidth=2.6, foreground="black")])
    key = plt.cm.ScalarMappable(cmap=LinearSegmentedColormap.from_list("glow", ["#DDDDDD", GLOW]))
    bar = figure.colorbar(key, ax=axes, location="bottom", shrink=0.75, aspect=40, pad=0.02, ticks=[0, 0.5, 1])
    bar.ax.set_xticklabels([tr("nothing here"), tr("half (white line)"), tr("supported the answer most")])
    bar.ax.tick_params(labelsize=10)
    bar.outline.set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def brightest(heat: NDArray[np.float32], landmarks: str) -> str:
    """Which part of a face a heat map is brightest on, by heat for each pixel; `PARTS` has the names.

    Args:
        heat: (S, S) in [0, 1].
        landmarks: the column of faces.csv, in pixels of a crop of 160 px.
    """
    import cv2

    regions = face_regions(landmarks_of(landmarks), CROP)
    sized = cv2.resize(np.asarray(heat, np.float32), (CROP, CROP), interpolation=cv2.INTER_LINEAR)
    inside = {part: np.isin(regions, [REGIONS.index(name) for name in names]) for part, names in PARTS.items()}
    return tr(max(PARTS, key=lambda part: float(sized[inside[part]].mean()) if inside[part].any() else 0.0))


def _face(ax: Axes, picture: NDArray[Any], title: str, label: int) -> None:
    ax.imshow(picture)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=10, fontweight="normal")
    for spine in ax.spines.values():
        spine.set(visible=True, color=plots.COLOURS[label], linewidth=2.5, linestyle=("-", "--")[label])


def _fitted(heat: NDArray[np.float32], photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.resize(np.asarray(heat, np.float32), photo.shape[1::-1], interpolation=cv2.INTER_LINEAR))


def alarm_is_right(hits: float, correct_reals: float, prevalence: float) -> float:
    """Of all films called fake, the share that is: Bayes' rule.

    Args:
        hits: share of fakes called fake.
        correct_reals: share of reals called real.
        prevalence: share of fakes among all films.
    """
    true_alarms, false_alarms = hits * prevalence, (1 - correct_reals) * (1 - prevalence)
    return true_alarms / (true_alarms + false_alarms) if true_alarms + false_alarms else float("nan")


def alarms(percent_right: float = 95.0, one_in: int = 1000, films: int = 100_000) -> Figure:
    """What the alarms of a detector are made of when fakes are rare.

    Args:
        percent_right: of the fakes and of the reals alike, in per cent.
        one_in: one film in so many is fake.
        films: how many films are judged.
    """
    right, fakes = percent_right / 100, films / one_in
    true_alarms, false_alarms = right * fakes, (1 - right) * (films - fakes)
    # A slider follows the hand: without a layout to be found, and without small ticks, it takes half the time.
    figure, (ax, curve) = plt.subplots(2, 1, figsize=(7.0, 4.4), height_ratios=[1, 2.6], layout="none")
    figure.subplots_adjust(left=0.11, right=0.97, top=0.93, bottom=0.12, hspace=0.42)
    ax.barh(0, true_alarms, color=plots.FAKE, hatch="///", edgecolor="white")
    ax.barh(0, false_alarms, left=true_alarms, color=plots.REAL, edgecolor="white")
    ax.annotate(f"{true_alarms:,.0f} fake", (0, 0.47), va="bottom", color=plots.FAKE, fontweight="bold")
    ax.annotate(
        f"{false_alarms:,.0f} real", (true_alarms + false_alarms, 0.47), va="bottom", ha="right", color=plots.REAL,
        fontweight="bold",
    )  # fmt: skip
    ax.set(
        yticks=[],
        ylim=(-0.4, 0.9),
        xlabel=tr("films called fake, of {films:,} judged (expected, without luck)", films=films),
    )
    ax.spines["left"].set_visible(False)
    share = alarm_is_right(right, right, 1 / one_in)
    said = "{percent:g} % right, 1 film in {one_in:,} fake: an alarm is right {share:.1%} of the time"
    ax.set_title(tr(said, percent=percent_right, one_in=one_in, share=share))
    rare = np.geomspace(0.5, 1 / ONE_IN[-1], 80)
    curve.plot(rare, [alarm_is_right(right, right, value) for value in rare], color=plots.NEUTRAL)
    curve.plot(1 / one_in, share, "o", color="black", markersize=9)
    curve.annotate(f"  {tr('you are here')}", (1 / one_in, share), va="bottom", fontweight="bold")
    curve.set(xscale="log", ylim=(-0.02, 1.02), xlabel=tr("fakes among all films"), ylabel=tr("alarms that are right"))
    curve.minorticks_off()
    curve.invert_xaxis()
    curve.set_xticks([1 / n for n in ONE_IN if n != 5 and str(n)[0] != "5"])
    curve.set_xticklabels([tr("1 in {n:,}", n=n) for n in ONE_IN if n != 5 and str(n)[0] != "5"])
    curve.yaxis.set_major_formatter("{x:.0%}")
    return plots.finish(figure)


def prevalence_slider() -> ipywidgets.SelectionSlider:
    """The control for `one_in`: from every second film to one in a hundred thousand."""
    return ipywidgets.SelectionSlider(
        options=[(tr("1 in {n:,}", n=n), n) for n in ONE_IN], value=1000, description=tr("fakes among all films"),
        style={"description_width": "initial"}, layout=ipywidgets.Layout(width="420px", max_width="100%"),
    )  # fmt: skip
