"""What lesson 06 needs beside the package: what errors cost, the same scores in another world, figures, exercises."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.special import expit
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, precision_recall_curve

from torchfakes_utils.course import exercises, plots
from torchfakes_utils.evaluation.results import Bin
from torchfakes_utils.metrics.band import fit_band
from torchfakes_utils.metrics.calibration import class_weights, fit_threshold, reliability
from torchfakes_utils.metrics.people import units
from torchfakes_utils.report import figures

ROWS = ("real", "fake")


@dataclass(frozen=True)
class Desk:
    """Who uses the detector, and what its errors cost there, in points that we made up.

    Attributes:
        name: for titles.
        fakes: share of fakes among the clips that arrive.
        miss: a fake that passes as real.
        alarm: a real clip that is called fake.
        look: somebody's look at a clip of which the detector cannot tell.
    """

    name: str
    fakes: float
    miss: float
    alarm: float
    look: float = 1


# A missed fake still meets an editor before it is on air; a witness who was called a liar does not come back.
NEWSROOM = Desk("newsroom", fakes=0.10, miss=5, alarm=50)
# A fake face that opens an account empties it; a customer who is asked for a second photo sighs.
BANK = Desk("bank", fakes=0.02, miss=2000, alarm=5, look=3)
DESKS = {desk.name: desk for desk in (NEWSROOM, BANK)}


def error_rates(labels: plots.Labels, scores: plots.Numbers, threshold: float) -> tuple[float, float]:
    """The share of reals called fake, and the share of fakes called real; both classes have to be there."""
    labels, called_fake = np.asarray(labels), np.asarray(scores, float) >= threshold
    return float(called_fake[labels == 0].mean()), float((~called_fake[labels == 1]).mean())


def cost(labels: plots.Labels, scores: plots.Numbers, threshold: float, desk: Desk, clips: int = 100) -> float:
    """What the errors at a threshold cost a desk on so many clips, on average."""
    return points(*error_rates(labels, scores, threshold), desk, clips)


def points(alarms: float, misses: float, desk: Desk, clips: int = 100) -> float:
    """What two error rates cost a desk on so many clips, on average."""
    return clips * ((1 - desk.fakes) * alarms * desk.alarm + desk.fakes * misses * desk.miss)


def best_threshold(labels: plots.Labels, scores: plots.Numbers, desk: Desk) -> float:
    """The threshold that costs a desk least; between two scores, the middle of the widest gap among the cheapest.

    The ends count as well: 0 calls everything fake, and a threshold above the highest score calls nothing fake.
    """
    found = np.unique(np.concatenate([[0.0], np.asarray(scores, float), [1.0]]))
    below, above = found[:-1], found[1:]
    middles = (below + above) / 2
    middles = np.where(middles > below, middles, above)  # neighbouring floats have nothing between them
    middles = np.concatenate([[0.0], middles, [np.nextafter(1.0, 2.0)]])
    widths = np.concatenate([[0.0], above - below, [0.0]])
    costs = np.array([cost(labels, scores, threshold, desk) for threshold in middles])
    cheapest = np.flatnonzero(np.isclose(costs, costs.min()))
    return float(middles[cheapest[np.argmax(widths[cheapest])]])


def at_desk(labels: plots.Labels, scores: plots.Numbers, threshold: float, desk: Desk) -> Figure:
    """One threshold at one desk: the scores that it parts, the four counts, and what the errors cost.

    Args:
        labels: of the clips, 0 or 1, both present.
        scores: P(fake) of each.
        threshold: from here on a clip is called fake.
        desk: whose costs.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, float)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10.2, 3.3), width_ratios=[1.25, 0.95, 1.25])
    rng = np.random.default_rng(0)
    for label in (0, 1):
        own = scores[labels == label]
        left.plot(own, label + rng.uniform(-0.25, 0.25, len(own)), plots.MARKERS[label], color=plots.COLOURS[label],
                  markersize=6, alpha=0.7, markeredgecolor="white", clip_on=False)  # fmt: skip
    left.axvline(threshold, color="black", linestyle="--", linewidth=1.5)
    left.set(yticks=[0, 1], yticklabels=ROWS, ylim=(-0.6, 1.6), xlim=(0, 1.0), xlabel="P(fake) of a clip")
    left.set_title(f"Called fake from {threshold:.2f} on", fontsize=10)

    called_fake = scores >= threshold
    for row in (0, 1):
        for column in (0, 1):
            count, right_call = int(((labels == row) & (called_fake == column)).sum()), row == column
            middle.add_patch(
                Rectangle(
                    (column, row),
                    1,
                    1,
                    facecolor=plots.COLOURS[row],
                    alpha=0.28 if right_call else 0.08,
                    hatch="" if right_call else "//",
                    edgecolor="white",
                )
            )
            word = ("left alone", "false alarms", "missed", "found")[2 * row + column]
            middle.text(column + 0.5, row + 0.42, count, ha="center", va="center", fontsize=17, fontweight="bold")
            middle.text(column + 0.5, row + 0.8, word, ha="center", va="center", fontsize=9)
    middle.set(xlim=(0, 2), ylim=(2, 0), xticks=[0.5, 1.5], xticklabels=["called real", "called fake"],
               yticks=[0.5, 1.5], yticklabels=ROWS)  # fmt: skip
    middle.tick_params(length=0)
    middle.spines[:].set_visible(False)
    middle.set_title(f"These {len(labels)} clips", fontsize=10)

    grid = np.linspace(0, 1, 201)
    costs = np.array([cost(labels, scores, each, desk) for each in grid])
    now = cost(labels, scores, threshold, desk)
    right.plot(grid, costs, color=plots.NEUTRAL, drawstyle="steps-post")
    best = best_threshold(labels, scores, desk)
    lowest, top = cost(labels, scores, best, desk), costs.max() * 1.15
    right.axvline(best, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
    right.annotate(
        " cheapest ", (best, top), va="top", ha="left" if best < 0.6 else "right", color=plots.NEUTRAL, fontsize=9
    )
    right.plot(threshold, now, "o", color="black", markersize=9, markeredgecolor="white", clip_on=False, zorder=3)
    right.set(xlim=(0, 1), ylim=(0, top), xlabel="threshold")
    right.set_title(f"Points lost on 100 clips: {now:,.0f} (least {lowest:,.0f})", fontsize=10)
    figure.suptitle(
        f"The {desk.name}: {desk.fakes:.0%} fakes, a miss costs {desk.miss:,g}, a false alarm {desk.alarm:,g}",
        x=0.01, ha="left", fontsize=11, fontweight="bold",
    )  # fmt: skip
    return plots.finish(figure)


@dataclass(frozen=True)
class Bill:
    """What a desk loses on 100 clips, on average, in points.

    Attributes:
        alarms: by reals that are called fake.
        misses: by fakes that are called real.
        looks: by people who look where there is no answer; they are taken to be right.
    """

    alarms: float
    misses: float
    looks: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.alarms + self.misses + self.looks


def bill(labels: plots.Labels, answers: plots.Numbers, desk: Desk) -> Bill:
    """What answers cost a desk: 1 for fake, 0 for real, NaN for "cannot tell"; both classes have to be there."""
    labels, answers = np.asarray(labels), np.asarray(answers, float)
    shares = np.where(labels == 1, desk.fakes / (labels == 1).sum(), (1 - desk.fakes) / (labels == 0).sum())
    alarms, misses, looks = (labels == 0) & (answers == 1), (labels == 1) & (answers == 0), np.isnan(answers)
    return Bill(*(100 * float(shares[kind].sum()) * price
                  for kind, price in ((alarms, desk.alarm), (misses, desk.miss), (looks, desk.look))))  # fmt: skip


# What a desk can do that has no detector.
_BLIND = {"all is believed": 0.0, "nothing is believed": 1.0, "somebody looks at all": np.nan}


def without_detector(labels: plots.Labels, desk: Desk) -> tuple[str, Bill]:
    """The cheapest way to look at no score, in words, and its bill."""
    found = {name: bill(labels, np.full(len(labels), answer), desk) for name, answer in _BLIND.items()}
    name = min(found, key=lambda name: found[name].total)
    return name, found[name]


# From P(fake) (N,) to answers (N,): 1 for fake, 0 for real, NaN for neither.
Answers = Callable[[np.ndarray], np.ndarray]


def by_threshold(clips: pd.DataFrame, desk: Desk) -> Answers:
    """Answers by the one threshold that is cheapest for a desk on some clips."""
    threshold = best_threshold(clips["label"], clips["probability_fake"], desk)
    return lambda scores: (scores >= threshold).astype(float)


def by_band(clips: pd.DataFrame) -> Answers:
    """Answers by the two limits that some clips show, at the usual rates."""
    return fit_band(clips, fit_threshold(clips["label"], clips["probability_fake"])[0]).answers


def judged_by_others(clips: pd.DataFrame, fix: Callable[[pd.DataFrame], Answers]) -> np.ndarray:
    """Answers to clips (N,), each by what was fixed on clips of other people alone.

    Args:
        clips: from `by_clip`, with people where they are known.
        fix: makes the answers of what it sees.
    """
    whose, answers = units(clips), np.empty(len(clips))
    for unit in np.unique(whose):
        own = whose == unit
        answers[own] = fix(clips[~own])(clips.loc[own, "probability_fake"].to_numpy(float))
    return answers


def bills(clips: pd.DataFrame, desk: Desk) -> dict[str, Bill]:
    """What a desk loses without a detector, with one threshold and with two limits, fixed on other people's clips."""
    labels = clips["label"].to_numpy()
    how, blind = without_detector(labels, desk)
    ways = {"one threshold": lambda rest: by_threshold(rest, desk), "two limits": by_band}
    return {f"no detector: {how}": blind} | {
        name: bill(labels, judged_by_others(clips, fix), desk) for name, fix in ways.items()
    }


def bills_figure(found: Mapping[str, Bill], desk: Desk) -> Figure:
    """Bills as bars, of which each part is named; the title says which is the lowest.

    Args:
        found: by the way to decide.
        desk: whose.
    """
    figure, ax = plt.subplots(figsize=(8.2, 0.55 * len(found) + 1.2))
    most = max(max(one.total for one in found.values()), 1e-9)
    for row, one in enumerate(found.values()):
        parts = {"false alarms": (one.alarms, plots.REAL, "//"), "misses": (one.misses, plots.FAKE, "xx"),
                 "looks": (one.looks, plots.NEUTRAL, "")}  # fmt: skip
        start = 0.0
        for name, (value, colour, hatch) in parts.items():
            ax.barh(row, value, left=start, color=colour, alpha=0.45, hatch=hatch, edgecolor="white", height=0.7)
            if value > 0.13 * most:
                ax.text(start + value / 2, row, name, ha="center", va="center", fontsize=9, fontweight="bold")
            start += value
        ax.annotate(f" {one.total:,.0f}", (one.total, row), va="center", fontweight="bold", annotation_clip=False)
    ax.set(yticks=range(len(found)), yticklabels=list(found), ylim=(len(found) - 0.5, -0.5), xlim=(0, most * 1.05),
           xlabel=f"points lost on 100 clips (a miss {desk.miss:,g}, a false alarm {desk.alarm:,g}, a look "
                  f"{desk.look:,g})")  # fmt: skip
    least = min(found, key=lambda name: found[name].total).partition(":")[0]
    figure.suptitle(f"The {desk.name}, where {share_text(desk.fakes)} are fake: “{least}” costs least", x=0.01,
                    ha="left", fontsize=11, fontweight="bold")  # fmt: skip
    return plots.finish(figure)


def made_up(people: int, rng: np.random.Generator) -> pd.DataFrame:
    """Clips of so many real people, and as many fakes, one each: normal log-odds, 1.2 to either side of zero."""
    labels = np.repeat([0, 1], people)
    scores = expit(rng.normal(1.2 * (2 * labels - 1), 1))
    names = [f"{number:03d}" for number in range(2 * people)]
    return pd.DataFrame({"method": "made up", "compression": "", "clip_id": names, "label": labels,
                         "probability_fake": scores})  # fmt: skip


def limits_of_sets(people: int, sets: int = 12, new: int = 2000) -> pd.DataFrame:
    """The two limits that made-up validation sets of so many people give, and what they do to new people.

    Args:
        people: of each class.
        sets: how many validation sets.
        new: people of each class that nobody has seen.

    Returns:
        A row a set: `real_to`, `fake_from`; `false_alarms` of new reals, `silent` of all that are new.
    """
    rng = np.random.default_rng(0)
    others = made_up(new, rng)
    rows = []
    for _ in range(sets):
        band = fit_band(made_up(people, rng), 0.5)
        answers = band.answers(others["probability_fake"].to_numpy())
        rows.append((band.real_to, band.from_of(), (answers[:new] == 1).mean(), np.isnan(answers).mean()))
    return pd.DataFrame(rows, columns=["real_to", "fake_from", "false_alarms", "silent"])


def few_people_figure(tables: Mapping[int, pd.DataFrame], title: str) -> Figure:
    """What lies between the two limits, a line a validation set, for small and large ones.

    Args:
        tables: from `limits_of_sets`, by the number of people.
        title: the figure's one message.
    """
    figure, axes = plt.subplots(len(tables), 1, figsize=(7.6, 1.75 * len(tables) + 0.5), sharex=True, squeeze=False)
    for ax, (people, table) in zip(axes[:, 0], tables.items(), strict=True):
        rows = range(len(table))
        ax.hlines(rows, table["real_to"], table["fake_from"], color=plots.NEUTRAL, linewidth=4, alpha=0.5)
        for label, column in enumerate(("real_to", "fake_from")):
            ax.plot(table[column], rows, plots.MARKERS[label], color=plots.COLOURS[label], markersize=6,
                    markeredgecolor="white", clip_on=False)  # fmt: skip
        ax.set(yticks=[], xlim=(0, 1), ylabel=f"{people} people")
        ax.set_title(f"no answer for {table['silent'].mean():.0%} of new people; "
                     f"{table['false_alarms'].mean():.1%} false alarms", fontsize=9, fontweight="normal")  # fmt: skip
    axes[-1, 0].set_xlabel(
        "P(fake): called real up to the circle, fake from the cross on; the grey line is “cannot tell”"
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def pair_table(labels: plots.Labels, scores: plots.Numbers, title: str) -> Figure:
    """Every pair of a real and a fake clip as a cell; the edge of the rightly ordered ones is the ROC curve.

    Args:
        labels: 0 or 1, both present.
        scores: the higher, the more fake.
        title: the figure's one message.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, float)
    reals, fakes = (np.sort(scores[labels == label])[::-1] for label in (0, 1))  # the most fake-looking first
    right = (fakes[:, None] > reals[None, :]) + 0.5 * (fakes[:, None] == reals[None, :])  # (fakes, reals)
    figure, ax = plt.subplots(figsize=(6.4, 4.2))
    greys = LinearSegmentedColormap.from_list("pairs", ["#E6E6E6", "#6A6A6A"])
    ax.imshow(
        1 - right, origin="lower", extent=(0, len(reals), 0, len(fakes)), aspect="auto", cmap=greys, vmin=0, vmax=1
    )
    for x in range(1, len(reals)):
        ax.axvline(x, color="white", linewidth=0.8)
    for y in range(1, len(fakes)):
        ax.axhline(y, color="white", linewidth=0.5)
    found = right.sum(axis=0)  # for each real clip, the fakes that look more fake than it
    ax.step(np.arange(len(reals) + 1), np.append(found, found[-1]), where="post", color=plots.FAKE, linewidth=2.5)
    note = "light: right order\ndark: wrong order\nline between: ROC curve"
    ax.text(len(reals) * 0.55, len(fakes) * 0.3, note, ha="center", fontweight="bold", linespacing=1.6)
    ax.set(
        xlabel=f"{len(reals)} real clips, the most fake-looking first", xticks=[0, len(reals)],
        ylabel=f"{len(fakes)} fakes, the most fake-looking first", yticks=[0, len(fakes)],
    )  # fmt: skip
    ax.set_title(title)
    return plots.finish(figure)


def accuracies(hits: float, correct_reals: float) -> Figure:
    """Accuracy of a detector, and of two that look at nothing, against the share of fakes.

    Args:
        hits: share of fakes called fake.
        correct_reals: share of reals called real.
    """
    share = np.linspace(0, 1, 201)
    own = hits * share + correct_reals * (1 - share)
    figure, ax = plt.subplots(figsize=(7.2, 3.5))
    ax.fill_between(share, np.maximum(share, 1 - share), own, where=own > np.maximum(share, 1 - share),
                    color=plots.NEUTRAL, alpha=0.2, linewidth=0)  # fmt: skip
    ax.plot(share, 1 - share, color=plots.REAL, linestyle=":")
    ax.plot(share, share, color=plots.FAKE, linestyle="--")
    ax.plot(share, own, color="black")
    ax.annotate("always “real”", (0.03, 0.97), (0.04, 0.62), color=plots.REAL, fontweight="bold", ha="left")
    ax.annotate("always “fake”", (0.9, 0.9), (0.96, 0.62), color=plots.FAKE, fontweight="bold", ha="right")
    ax.annotate("a detector", (0.5, (hits + correct_reals) / 2), (0, 8), textcoords="offset points", ha="center",
                fontweight="bold")  # fmt: skip
    ax.axvline(0.8, color=plots.NEUTRAL, linewidth=0.8)
    ax.annotate("Mini-FF++", (0.8, 0.02), (4, 0), textcoords="offset points", color=plots.NEUTRAL, fontsize=9)
    ax.set(xlabel="share of fakes among all clips", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    ax.xaxis.set_major_formatter("{x:.0%}")
    ax.yaxis.set_major_formatter("{x:.0%}")
    ax.set_title("Where fakes are rare, looking at nothing wins")
    return plots.finish(figure)


def reliability_figure(
    labels: plots.Labels, scores: plots.Numbers, worlds: Sequence[float], high: float = 0.8
) -> Figure:
    """Two looks at the same scores: do they keep their word here, and what is a high one worth elsewhere?

    Args:
        labels: 0 or 1, both present.
        scores: P(fake).
        worlds: shares of fakes, a bar each.
        high: from here on a score is called high; there has to be one.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, float)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.7), width_ratios=[1.15, 1])
    bins = msgspec.convert(reliability(labels, scores, bins=5).rows(), list[Bin])
    figures.reliability_curve(left, bins)
    left.annotate("dotted: keeps its word", (0.98, 0.04), ha="right", color=plots.NEUTRAL, fontsize=9)
    for row in bins:
        # Above a dot near the axis, the text would run into it.
        place, across, along = ((7, -1), "left", "center") if row.predicted < 0.12 else ((0, 7), "center", "baseline")
        left.annotate(f"{row.count} crops", (row.predicted, row.fake), place,
                      textcoords="offset points", ha=across, va=along, fontsize=8, color=plots.NEUTRAL,
                      annotation_clip=False)  # fmt: skip
    left.set(xlim=(0, 1), ylim=(0, 1.08), xlabel="what the detector says: P(fake)", ylabel="share that is fake")
    left.set_yticks(np.linspace(0, 1, 6))
    left.set_title(f"Here, where {labels.mean():.0%} are fake", fontsize=10)
    shares = [
        (weights * labels)[scores >= high].sum() / weights[scores >= high].sum()
        for weights in (class_weights(labels, world) for world in worlds)
    ]
    x = np.arange(len(worlds))
    right.bar(x, shares, color=plots.FAKE, hatch="///", edgecolor="white")
    right.bar(x, 1 - np.asarray(shares), bottom=shares, color=plots.REAL, edgecolor="white")
    for index, share in enumerate(shares):
        text = f"{share:.0%}" if share > 0.005 else f"{share:.1%}"
        right.annotate(text, (index, 1.02), ha="center", color=plots.FAKE, fontweight="bold")
    right.set(xticks=x, xticklabels=[f"{world:.0%}" if world >= 0.01 else f"{world:.1%}" for world in worlds],
              yticks=[], ylim=(0, 1.08), xlabel="share of fakes among all crops")  # fmt: skip
    right.spines["left"].set_visible(False)
    right.set_title(f"Of scores from {high:g} up, the share that is fake", fontsize=10)
    figure.suptitle("The same score means something else where fakes are rare", x=0.01, ha="left", fontsize=11,
                    fontweight="bold")  # fmt: skip
    return plots.finish(figure)


def two_curves(labels: plots.Labels, scores: plots.Numbers, fakes: float) -> Figure:
    """ROC and precision–recall of the same scores in a world with another share of fakes.

    Args:
        labels: 0 or 1, both present.
        scores: P(fake).
        fakes: share of fakes in that world; the classes are weighted to it.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, float)
    weights = class_weights(labels, fakes)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.9))
    plots.roc(left, labels, scores, colour="black")
    left.set_title("ROC: the same in every world", fontsize=10)
    precision, recall, _ = precision_recall_curve(labels, scores, sample_weight=weights)
    average = average_precision_score(labels, scores, sample_weight=weights)
    right.plot(recall[:-1], precision[:-1], color="black")
    right.axhline(fakes, color=plots.NEUTRAL, linestyle=":", linewidth=1)
    right.annotate("calling everything fake", (0.02, fakes), va="bottom", color=plots.NEUTRAL, fontsize=9)
    right.set(
        xlabel="fakes found (recall)", ylabel="of those called fake, fake (precision)", xlim=(0, 1), ylim=(0, 1.02)
    )
    right.set_title(f"Where {share_text(fakes)} are fake: average precision {average:.2f}", fontsize=10)
    figure.suptitle("Where fakes are rare, the ROC curve hides what it costs to find them", x=0.01, ha="left",
                    fontsize=11, fontweight="bold")  # fmt: skip
    return plots.finish(figure)


def share_text(share: float) -> str:
    """A share in per cent, with a decimal where it needs one."""
    return f"{share:.0%}" if share >= 0.01 else f"{share:.1%}"


def matrix_figure(table: pd.DataFrame, title: str) -> Figure:
    """Who was trained on what, tested on what: AUC by clip in every cell.

    Args:
        table: matrix.csv.
        title: the figure's one message.
    """
    names = list(dict.fromkeys(table["trained_on"]))
    cells = table.set_index(["trained_on", "tested_on"])
    values = np.array([[float(cells.loc[(row, column), "auc"]) for column in names] for row in names])
    figure, ax = plt.subplots(figsize=(7.6, 4.4))
    greys = LinearSegmentedColormap.from_list("matrix", ["#FFFFFF", "#6A6A6A"])
    ax.imshow(values, cmap=greys, vmin=0.5, vmax=1, aspect="auto")
    for y, row in enumerate(names):
        for x, column in enumerate(names):
            low, high = (float(cells.loc[(row, column), end]) for end in ("low", "high"))
            dark = values[y, x] > 0.95  # below it, black is the easier one to read
            ax.text(x, y - 0.08, f"{values[y, x]:.2f}", ha="center", va="center", fontsize=13, fontweight="bold",
                    color="white" if dark else "black")  # fmt: skip
            ax.text(x, y + 0.24, f"{low:.2f} to {high:.2f}", ha="center", va="center", fontsize=8,
                    color="white" if dark else "black")  # fmt: skip
    ax.set(xticks=range(len(names)), yticks=range(len(names)), xticklabels=names, yticklabels=names,
           xlabel="tested on", ylabel="trained on")  # fmt: skip
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    return plots.finish(figure)


def wilson(count: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a share (1927), which is sensible even at 0 of 4."""
    low, high = binomtest(count, of).proportion_ci(method="wilson")
    return float(low), float(high)


def pairs_of_people(clip_ids: Sequence[str]) -> list[str]:
    """For every clip the two people who swapped faces, from the names: "000_003", "003_000", "000" and "003" are one.

    A name that belongs to no pair (a real clip without fakes) stands for itself.
    """
    pairs = {tuple(sorted(name.split("_"))) for name in clip_ids if name.count("_") == 1}
    of_person = {person: "_".join(pair) for pair in sorted(pairs) for person in pair}
    return [of_person.get(name.split("_")[0], name) for name in clip_ids]


# --- exercises


@exercises.check
def check_ece(ece: Callable[[np.ndarray, np.ndarray], float | None]) -> None:
    """Try a learner's expected calibration error (ten ranges of equal width) on scores whose answer is known.

    Args:
        ece: gets labels (N,) and P(fake) (N,).
    """
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 0])
    scores = np.array([0.05, 0.05, 0.05, 0.05, 0.35, 0.38, 0.95, 0.95, 0.95, 0.92, 1.0])
    found = exercises.attempt(ece, labels.copy(), scores.copy())
    if found is None:
        print("Not attempted yet: your function returns nothing.")
        return
    bins = reliability(labels, scores)
    gaps = bins.predicted - bins.fake
    wrong = {
        float(np.abs(gaps).mean()): "Each range counts alike in yours. Weight it by the scores that it holds.",
        abs(float((bins.weight * gaps).sum())): "Your gaps cancel out: too high here, too low there. Take their size.",
        float(np.abs(scores - labels).mean()): "That compares each score with its own label. Compare ranges: what they "
        "say on average, and what share is fake.",
        float(bins.ece or 0): "Right. It is zero for a detector that always says the share of fakes - and knows "
        "nothing.",
    }  # fmt: skip
    for value, text in wrong.items():
        if np.isclose(float(found), value):
            print(text)
            return
    print(
        f"Not yet: {float(found):.3f}. Mean distance between said and so over ten ranges, each by its share of scores."
    )


@exercises.check
def check_threshold(threshold: object, labels: plots.Labels, scores: plots.Numbers, desk: Desk) -> None:
    """Say what a learner's threshold costs a desk, beside the cheapest one and beside looking at nothing.

    Args:
        threshold: theirs.
        labels: of the validation clips.
        scores: P(fake) of each.
        desk: whose costs.
    """
    if threshold is None:
        print("Not attempted yet: put a number in place of None.")
        return
    if not isinstance(threshold, (int, float)):
        print(f"{threshold!r} is no number.")
        return
    if not 0 <= threshold <= 1:
        print(f"{threshold}: a threshold lies between 0 and 1.")
        return
    own, least = cost(labels, scores, threshold, desk), cost(labels, scores, best_threshold(labels, scores, desk), desk)
    blind = min(points(1, 0, desk), points(0, 1, desk))
    print(f"{desk.name}: {own:,.0f} points lost on 100 clips at {threshold:g}; the cheapest threshold loses "
          f"{least:,.0f}, looking at nothing {blind:,.0f}.")  # fmt: skip
    alarms, misses = error_rates(labels, scores, threshold)
    by_alarms = (1 - desk.fakes) * alarms * desk.alarm
    dearer = "false alarms" if by_alarms > desk.fakes * misses * desk.miss else "misses"
    if own > blind:
        print(f"They would do better without a detector. Your {dearer} cost most: which way should the threshold go?")
    elif own > least + 0.05 * (blind - least):
        print(f"Better than nothing. Most of what is lost are {dearer}: which way should the threshold go?")
    else:
        print("A good choice - on these clips. Now defend it to somebody who asks how many clips that were.")
