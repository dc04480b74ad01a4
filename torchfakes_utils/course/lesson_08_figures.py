"""The figures of lesson 08: one message each, readable at 700 pixels."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_08 import same_files, score_summary
from torchfakes_utils.course.patients import Patient


def screen(patient: Patient, count: int = 4) -> Figure:
    """Test crops as a test program shows them: real ones above, fakes below, each with its word."""
    rows = pd.concat(
        patient.test[patient.test["label"] == label]
        .sample(frac=1, random_state=0)
        .drop_duplicates("target_id")
        .sort_values("target_id")
        .head(count)
        for label in (0, 1)
    )
    words = [f"it says {'fake' if score >= 0.5 else 'real'}, {score:.2f}" for score in rows["probability_fake"]]
    accuracy = score_summary(patient.validation)["accuracy"]
    missed = int(((rows["label"] == 1) & (rows["probability_fake"] < 0.5)).sum())
    title = f"{accuracy:.0%} right in validation, yet {missed} of {count} fakes (lower row) are called real"
    return plots.images([plots.face(file) for file in rows["file"]], words, count, title, rows["label"].tolist())


def _scores(ax: Axes, scores: pd.DataFrame, title: str) -> None:
    """Both classes' scores, outlined in steps; names stand above the axes, where no bar is."""
    edges = np.linspace(0, 1, 21)
    for label in (0, 1):
        values = scores.loc[scores["label"] == label, "probability_fake"]
        ax.hist(
            values, list(edges), weights=np.full(len(values), 1 / max(len(values), 1)), color=plots.COLOURS[label],
            alpha=0.5, edgecolor=plots.COLOURS[label], hatch=plots.HATCHES[label], histtype="stepfilled",
        )  # fmt: skip
        text = ("■ real", "▨ fake")[label]
        ax.text(
            (0.0, 1.0)[label], 1.01, text, ha=("left", "right")[label], va="bottom", color=plots.COLOURS[label],
            fontweight="bold", transform=ax.transAxes,
        )  # fmt: skip
    ax.axvline(0.5, color=plots.NEUTRAL, linestyle="--", linewidth=1)
    ax.set_title(title, fontsize=10, fontweight="normal", pad=20)
    ax.set(xlim=(0, 1), xticks=[0, 0.5, 1], yticks=[], xlabel="P(fake), as the program says")


def histograms(patient: Patient) -> Figure:
    """What a detector says of real and fake crops, in its team's validation and at test."""
    figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.0))
    for ax, stage in zip(axes, ("validation", "test"), strict=True):
        scores = getattr(patient, stage)
        seen = score_summary(scores)
        _scores(ax, scores, f"{stage}: AUC {seen['AUC']:.2f}, called fake {seen['called fake']:.0%}")
    axes[0].set_ylabel("share of the class")
    figure.suptitle(f"Detector {patient.number}", x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def histograms_at_test(patients: Mapping[int, Patient], title: str) -> Figure:
    """What some detectors say at test, side by side."""
    figure, axes = plt.subplots(1, len(patients), figsize=(7.0, 3.0), squeeze=False)
    for ax, (number, patient) in zip(axes[0], patients.items(), strict=True):
        _scores(ax, patient.test, f"detector {number}: AUC {score_summary(patient.test)['AUC']:.2f}")
    axes[0, 0].set_ylabel("share of the class")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def through_the_stages(patient: Patient, label: int) -> Figure:
    """One training file as training and as the test program feeds it to the network, and the difference."""
    row = same_files(patient, label, 1)
    training, test = (patient.inputs(stage, row)[0].permute(1, 2, 0).numpy() for stage in ("training", "test"))
    # One scale for both, the one that training means: -1 is black, 1 is white.
    shown = [np.clip(127.5 * (1 + values), 0, 255).astype(np.uint8) for values in (training, test)]
    difference = np.abs(training - test).mean(2)
    stretched = 255 * difference / max(difference.max(), 1e-6)  # even a faint grain is to be seen
    titles = [f"in {name}: {values.min():.1f} to {values.max():.1f}" for name, values in zip(
        ("training", "test"), (training, test), strict=True)]  # fmt: skip
    title = f"Detector {patient.number}: one {plots.NAMES[label]} training file, twice"
    size = f"difference: {np.abs(training - test).mean():.3f}"
    return plots.images([*shown, stretched.astype(np.uint8)], [*titles, size], title=title, inches=2.3)


def answers(table: pd.DataFrame, title: str) -> Figure:
    """The share of fakes that each candidate calls real, sorted, with the lowest and highest seed.

    Args:
        table: as `lesson_08.symptoms` gives it.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(7.0, 0.36 * len(table) + 1.0))
    y = np.arange(len(table))
    ax.barh(y, table["fakes called real"], height=0.62, color=plots.FAKE, alpha=0.35)
    ax.hlines(y, table["lowest"], table["highest"], color=plots.FAKE, linewidth=2)
    ax.plot(table["fakes called real"], y, "X", color=plots.FAKE, markersize=8, markeredgecolor="white")
    ax.axvline(0.5, color=plots.NEUTRAL, linestyle="--", linewidth=1)
    ax.set(yticks=y, yticklabels=table["what is done"], ylim=(len(table) - 0.4, -0.6), xlim=(0, 1),
           xlabel="share of test fakes that are called real")  # fmt: skip
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)
