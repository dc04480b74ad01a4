"""The figures of lesson 09: verdicts and scores among their limits, and what these mean for people."""

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_09 import Accused, changed, examine_photo
from torchfakes_utils.inference.predictor import Examination, Predictor
from torchfakes_utils.inference.verdict import Prediction
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.decision import CANNOT_TELL, FAKE, REAL

_COLOURS = {FAKE: plots.FAKE, REAL: plots.REAL, CANNOT_TELL: "#333333"}
_LINES = {FAKE: "--", REAL: "-", CANNOT_TELL: ":"}
_LEAST = 0.002  # where an axis of log-odds ends
_WIDTH = 7.0  # inches; 700 pixels
_ROW = 25  # uploads in a column of the picture of a thousand


def verdicts_figure(
    examined: Sequence[Examination], titles: Sequence[str], title: str, columns: int | None = None
) -> Figure:
    """What was looked at, each with its faces boxed, and below it its P(fake) on one axis with the two limits.

    Args:
        examined: one a panel; the frame in the middle is shown.
        titles: above each.
        title: the figure's one message.
        columns: panels in a row; all by default.
    """
    columns = columns or len(examined)
    rows = -(-len(examined) // columns)
    width = min(_WIDTH, 3.4 * columns)
    figure, axes = plt.subplots(
        2 * rows, columns, figsize=(width, rows * (width / columns + 1.0) + 0.3), height_ratios=[5, 1] * rows,
        squeeze=False,
    )  # fmt: skip
    for place in range(rows * columns):
        ax, below = axes[2 * (place // columns), place % columns], axes[2 * (place // columns) + 1, place % columns]
        if place >= len(examined):
            ax.set_visible(False)
            below.set_visible(False)
            continue
        upload = examined[place]
        frame = int(upload.media.indices[len(upload.media.indices) // 2])
        ax.imshow(upload.picture(frame))
        ax.set(xticks=[], yticks=[])
        ax.set_title(titles[place], fontsize=10, fontweight="normal")
        for face in upload.prediction.faces:
            for one in (one for one in face.frames if one.frame == frame):
                _box(ax, one.box, face.verdict)
        _score(below, upload.prediction)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def _box(ax: Axes, box: Sequence[float], verdict: str) -> None:
    x1, y1, x2, y2 = box
    frame = Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, linewidth=2.5)
    frame.set(edgecolor=_COLOURS[verdict], linestyle=_LINES[verdict])
    frame.set_path_effects([withStroke(linewidth=4.5, foreground="white")])  # for photos in the dark
    ax.add_patch(frame)


def _score(ax: Axes, prediction: Prediction) -> None:
    """One score with its interval, among the limits; hollow where nothing rests on it."""
    colour, marker = _COLOURS[prediction.verdict], plots.MARKERS[prediction.verdict == FAKE]
    _limits(ax.axvspan, prediction.limits)
    said = prediction.verdict
    if prediction.probability_fake is not None:
        if prediction.interval is not None:
            ax.hlines(0, *prediction.interval, color=colour, linewidth=5, alpha=0.5)
        ax.plot(prediction.probability_fake, 0, marker, color=colour, markersize=9, markeredgecolor="white")
        said = f"P(fake) {prediction.probability_fake:.2f}: {said}"
    elif refused := [frame.probability_fake for face in prediction.faces for frame in face.frames]:
        ax.plot(np.mean(refused), 0, marker, color="white", markersize=9, markeredgecolor=colour)
        said = f"P(fake) hollow: {said}"
    else:
        said = f"no face: {said}"
    ends = [end for end in prediction.limits if end is not None and 0.1 < end < 0.9]
    ax.set(xlim=(-0.03, 1.03), ylim=(-1, 1), yticks=[])
    ax.set_xticks([0, *ends, 1], ["0", *(f"{end:.2f}" for end in ends), "1"], fontsize=9)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(said, color=colour, fontweight="bold", fontsize=9)


def _limits(span: Callable[..., object], limits: tuple[float | None, float | None]) -> None:
    """Shade where somebody is called real, and where fake, with an axis's `axhspan` or `axvspan`."""
    real_to, fake_from = limits
    if real_to is not None:
        span(-0.03, real_to, facecolor=plots.REAL, alpha=0.2, linewidth=0)
    if fake_from is not None:
        span(fake_from, 1.03, facecolor=plots.FAKE, alpha=0.2, linewidth=0)


def changed_figure(predictor: Predictor, photo: np.ndarray, light: float, blur: float, size: float) -> Figure:
    """A changed photo with its verdict, and why there is none."""
    upload = examine_photo(predictor, changed(photo, light, blur, size))
    # What was measured of the crop, where that is the reason: the sentence round it is the same for all crops.
    refused = [frame.cannot_tell for face in upload.prediction.faces for frame in face.frames if frame.cannot_tell]
    why = (refused or [upload.prediction.reason])[0] if upload.prediction.verdict == CANNOT_TELL else ""
    return verdicts_figure([upload], ["\n".join(textwrap.wrap(why, 44)[:3])], "")


def sizes_figure(table: pd.DataFrame, band: Band, threshold: float, title: str) -> Figure:
    """The score of one photo at several sizes, by one look and by two, among the limits of a photo.

    Args:
        table: from `at_sizes`.
        band: the limits.
        threshold: where an answer would be forced.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(_WIDTH, 3.6))
    ax.set_yscale("logit")  # by log-odds: half a per cent is far from none
    sizes = table["size"].to_numpy()
    if band.real_to:
        ax.axhspan(_LEAST, band.real_to, facecolor=plots.REAL, alpha=0.15, linewidth=0)
    if band.fake_from:
        ax.axhspan(band.from_of(), 1 - _LEAST, facecolor=plots.FAKE, alpha=0.15, linewidth=0)
    ax.axhline(threshold, color="black", linestyle=":", linewidth=1)
    right = ax.get_yaxis_transform()  # x from 0 to 1, y as the data
    ax.text(0.995, threshold, f"one threshold, {threshold:.2f}", va="bottom", ha="right", transform=right)
    if band.fake_from:
        words = f"two limits: fake from {band.from_of():.2f} on"
        ax.text(0.995, band.from_of(), words, va="bottom", ha="right", color=plots.FAKE, transform=right)
    if band.real_to:
        words = f"two limits: real up to {band.real_to:.2f}"
        ax.text(0.995, band.real_to, words, va="top", ha="right", color=plots.REAL, transform=right)
    for name, column, line in (("the photo", "one_look", "o--"), ("its mirror image", "mirrored", "s:"),
                               ("both looks", "both", "^-")):  # fmt: skip
        colour = "black" if column == "both" else plots.NEUTRAL
        ax.plot(sizes, table[column].clip(_LEAST, 1 - _LEAST), line, color=colour, label=name)
    ax.legend(ncols=3, fontsize=10, loc="upper left", bbox_to_anchor=(0, 0.8))
    ticks = [0.01, 0.1, 0.5, 0.9, 0.99]
    ax.set(xlabel="size of the photo (1: as it was given)", ylabel="P(fake), by log-odds", ylim=(_LEAST, 1 - _LEAST))
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    ax.set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    ax.set_yticks([], minor=True)
    ax.set_title(title)
    return plots.finish(figure)


def curves_figure(examined: Sequence[Examination], titles: Sequence[str], title: str) -> Figure:
    """P(fake) over time, frame by frame, with the mean over frames and its interval, among the limits.

    Args:
        examined: of videos.
        titles: beside each curve.
        title: the figure's one message.
    """
    figure, axes = plt.subplots(1, len(examined), figsize=(_WIDTH, 3.1), sharey=True, squeeze=False)
    for ax, upload, name in zip(axes[0], examined, titles, strict=True):
        _limits(ax.axhspan, upload.prediction.limits)
        for face in upload.prediction.faces:
            colour = _COLOURS[face.verdict]
            times = [one.time for one in face.frames]
            ax.plot(times, [one.probability_fake for one in face.frames], color=colour, linewidth=1, marker=".")
            if face.interval is not None:
                ax.axhspan(*face.interval, color=colour, alpha=0.25)
                ax.axhline(face.probability_fake, color=colour)
        left_out = [one for face in upload.prediction.faces for one in face.frames if one.cannot_tell]
        if left_out:
            times, scores = [one.time for one in left_out], [one.probability_fake for one in left_out]
            ax.plot(times, scores, "x", color="black", label="cannot be judged: left out")
            ax.legend(fontsize=9)
        ax.set(xlabel="seconds", ylim=(-0.03, 1.03))
        ax.set_title(f"{name}: {upload.prediction.verdict}", fontsize=10, fontweight="normal")
    axes[0, 0].set_ylabel("P(fake)")
    ends, words = examined[0].prediction.limits, ("called real up to", "called fake from")
    for word, end, place in zip(words, ends, (0.0, 1.0), strict=True):
        if end is not None:
            ax, where = (axes[0, 0], "top") if place else (axes[0, -1], "bottom")  # a real clip's curve is below
            ax.annotate(f"{word} {end:.2f}", (0, place), va=where, fontsize=10)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def spread_figure(table: pd.DataFrame, band: Band, title: str) -> Figure:
    """Every clip's score with the interval over its frames, among the limits; a ring where the verdict is wrong.

    Args:
        table: from `by_clip_and_frame`.
        band: the limits of a film.
        title: the figure's one message.
    """
    figure, axes = plt.subplots(1, 2, figsize=(_WIDTH, 3.6), sharex=True)
    for label, ax in enumerate(axes):
        own = table[table["kind"] == plots.NAMES[label]].sort_values("score")
        places, colour = np.arange(len(own)), plots.COLOURS[label]
        _limits(ax.axvspan, (band.real_to, band.from_of() if band.fake_from else None))
        ax.hlines(places, own["low"], own["high"], color=colour, linewidth=2)
        ax.plot(own["score"], places, plots.MARKERS[label], color=colour, markersize=4)
        wrong = (own["verdict"] == "wrong").to_numpy()
        ax.plot(own["score"][wrong], places[wrong], "o", color="black", fillstyle="none", markersize=12)
        ax.set(xlabel="P(fake)", xlim=(-0.03, 1.03), yticks=[])
        ax.set_title(f"{len(own)} {plots.NAMES[label]} clips, {wrong.sum()} with a wrong verdict", fontsize=10,
                     fontweight="normal", color=colour)  # fmt: skip
    axes[0].set_ylabel("clips, by their score")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def waiting_figure(seconds: Sequence[float], alone: float, title: str) -> Figure:
    """Who waits how long, when many ask at once.

    Args:
        seconds: one a visitor, increasing.
        alone: what one waits who comes alone.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(_WIDTH, 2.8))
    ax.barh(np.arange(1, len(seconds) + 1), seconds, color=plots.NEUTRAL)
    ax.axvline(alone, color="black", linestyle="--", linewidth=1)
    ax.annotate(f" alone: {alone:.1f} s", (alone, -0.4), va="center")
    ax.set_ylim(len(seconds) + 0.8, -1.2)
    ax.set(xlabel="seconds until the answer", ylabel="visitor", yticks=[1, len(seconds)])
    ax.set_title(title)
    return plots.finish(figure)


def accused_figure(found: Accused) -> Figure:
    """A thousand uploads, a mark each: who is honest and who forged, and who of them is called fake.

    Args:
        found: how many there are of each.
    """
    figure, ax = plt.subplots(figsize=(_WIDTH, 4.2))
    kinds = (
        ("honest, left alone", found.honest - found.accused, "o", "none", "#9aa7b0", 3.0),
        ("honest, called fake", found.accused, "o", plots.REAL, plots.REAL, 7.0),
        ("forged, called fake", found.caught, "X", plots.FAKE, plots.FAKE, 7.0),
        ("forged, not found", found.forged - found.caught, "X", "none", plots.FAKE, 7.0),
    )
    start = 0
    for place, (name, count, marker, inside, edge, size) in enumerate(kinds):
        numbers = np.arange(start, start + count)
        style: dict[str, Any] = {"color": edge, "markerfacecolor": inside, "markersize": size, "linestyle": "none"}
        ax.plot(numbers // _ROW, _ROW - 1 - numbers % _ROW, marker, **style)
        at = (0.3 + 20 * (place % 2), -2.6 - 1.9 * (place // 2))  # two lines of two: honest, forged
        ax.plot(*at, marker, **(style | {"markersize": 7}))
        ax.annotate(f"  {count} {name}", at, va="center", color="black" if inside == "none" else edge)
        start += count
    ax.set(xlim=(-0.7, start / _ROW), ylim=(-5.4, _ROW), xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
    called = found.accused + found.caught
    ax.set_title(f"{start:,} uploads, {found.forged} forged: {found.accused} of the {called} called fake are honest")
    return plots.finish(figure)
