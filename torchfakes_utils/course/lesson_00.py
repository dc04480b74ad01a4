"""What lesson 00 needs beside the package: the game of ten faces, its score card, what an alarm is worth, the wait."""

import base64
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import ipywidgets
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image
from tqdm.auto import tqdm

from torchfakes_utils.course import folders, plots, widgets
from torchfakes_utils.crops.table import limit_frames
from torchfakes_utils.models.run_files import HISTORY_FILE, TRAINING_FILE

# From common to rare: one fake among how many films.
ONE_IN = (2, 5, 10, 50, 100, 500, 1000, 10_000, 100_000)


def ten_faces(faces: pd.DataFrame, seed: int = 0, count: int = 10) -> pd.DataFrame:
    """Faces for the game: half of them real, at most one a clip, as many people and manipulations as there are.

    Args:
        faces: rows of faces.csv, from `course.faces_table("test")`.
        seed: another seed, another game.
        count: how many.

    Returns:
        The rows, in the order in which they are shown.
    """
    rng = np.random.default_rng(seed)
    middles = limit_frames(faces, 1)
    middles = middles.iloc[rng.permutation(len(middles))].reset_index(drop=True)
    chosen = middles[middles["label"] == 0].drop_duplicates("target_id").head(count // 2)
    left = middles[middles["label"] == 1]
    while len(chosen) < count and len(left):
        # Next comes the fake whose manipulation, and then whose person, has been seen least.
        seen = [left[name].map(chosen[name].value_counts()).fillna(0) for name in ("method", "target_id")]
        best = left.index[np.lexsort([seen[1], seen[0]])[0]]
        chosen, left = pd.concat([chosen, left.loc[[best]]]), left.drop(best)
    return chosen.iloc[rng.permutation(len(chosen))].reset_index(drop=True)


def marks(truth: Sequence[int], answers: Sequence[int | None]) -> tuple[int, int]:
    """How many answers are right, and how many were given (None is not yet)."""
    given = [(fact, answer) for fact, answer in zip(truth, answers, strict=True) if answer is not None]
    return sum(fact == answer for fact, answer in given), len(given)


class Game:
    """Ten faces, two buttons each; the truth comes out when all are answered.

    Attributes:
        faces: the rows shown.
        answers: 0, 1, or None (not yet) for each.
    """

    def __init__(self, faces: pd.DataFrame) -> None:
        self.faces = faces
        self.answers: list[int | None] = [None] * len(faces)
        self._captions = [ipywidgets.HTML(f"<b>{number}</b>") for number in range(1, len(faces) + 1)]
        self._buttons = [self._pair(number) for number in range(len(faces))]
        self._line = ipywidgets.HTML(self._progress())
        cells = []
        for file, caption, buttons in zip(faces["file"], self._captions, self._buttons, strict=True):
            with Path(file).open("rb") as picture:
                image = ipywidgets.Image(value=picture.read(), format="png", width=168, height=168)
            cells.append(ipywidgets.VBox([caption, image, buttons], layout=ipywidgets.Layout(width="180px")))
        grid = ipywidgets.Layout(grid_template_columns="repeat(auto-fill, 184px)", grid_gap="8px 0px", width="100%")
        self.widget = ipywidgets.VBox([ipywidgets.GridBox(cells, layout=grid), self._line])

    @property
    def done(self) -> bool:
        """Whether every face has been answered."""
        return None not in self.answers

    @property
    def right(self) -> int:
        """How many answers are right."""
        return marks(self.faces["label"], self.answers)[0]

    def show(self) -> widgets.Shown:
        """What a cell ends with: the game, with the ten faces as a picture for those who read."""
        return widgets.with_picture(self.widget, self.figure("Which of these ten are fake?"))

    def figure(self, title: str, solved: bool = False, scores: Sequence[float] | None = None) -> Figure:
        """The ten faces.

        Args:
            title: the figure's one message.
            solved: tell what each is.
            scores: P(fake) of each, written beside its number.
        """
        titles = [str(number) for number in range(1, len(self.faces) + 1)]
        if solved:
            titles = [f"{number}: {name}" for number, name in zip(titles, _truths(self.faces), strict=True)]
        if scores is not None:
            titles = [f"{text}, P(fake) {score:.2f}" for text, score in zip(titles, scores, strict=True)]
        pictures = [plots.face(file) for file in self.faces["file"]]
        return plots.images(pictures, titles, 5, title, list(self.faces["label"]) if solved else None, 1.75)

    def _pair(self, number: int) -> ipywidgets.ToggleButtons:
        buttons = ipywidgets.ToggleButtons(
            options=[("real", 0), ("fake", 1)], value=None, layout=ipywidgets.Layout(width="180px")
        )
        buttons.style.button_width = "76px"

        def answered(change: dict[str, int]) -> None:
            self.answers[number] = change["new"]
            self._line.value = self._progress()
            if self.done:
                self._reveal()

        buttons.observe(answered, names="value")
        return buttons

    def _progress(self) -> str:
        right, given = marks(self.faces["label"], self.answers)
        if self.done:
            return f"<b>You were right {right} times out of {len(self.answers)}.</b> Now run the next cells."
        return f"{given} of {len(self.answers)} answered"

    def _reveal(self) -> None:
        truths = _truths(self.faces)
        for number, (label, answer) in enumerate(zip(self.faces["label"], self.answers, strict=True)):
            self._buttons[number].disabled = True  # a second guess would not be one
            colour, sign = plots.label_colour(label), "✓" if answer == label else "✗"
            text = f"<b>{number + 1} {sign} <span style='color:{colour}'>{truths[number]}</span></b>"
            self._captions[number].value = text


def folded(figure: Figure, summary: str) -> HTML:
    """A figure behind a fold that opens at a click, in a notebook and on a page alike."""
    with Image.open(io.BytesIO(widgets.png(figure))) as image:
        picture = io.BytesIO()
        image.convert("RGB").save(picture, "jpeg", quality=88)
    data = base64.b64encode(picture.getvalue()).decode()
    return HTML(
        f"<details><summary><b>{summary}</b></summary>"
        f'<img src="data:image/jpeg;base64,{data}" alt="{summary}" style="max-width:100%"></details>'
    )


def interval(right: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's interval for a share: which true shares could well have given this count."""
    from scipy.stats import binomtest

    found = binomtest(right, of).proportion_ci(level, method="exact")
    return float(found.low), float(found.high)


def score_card(rows: Sequence[tuple[str, int, int, str]], title: str, tosses: int = 10) -> Figure:
    """Shares of right answers with their intervals, below what a coin would reach, all on one axis.

    Args:
        rows: (who, right answers, answers, colour) of each, from top to bottom.
        title: the figure's one message.
        tosses: of the coin.
    """
    from scipy.stats import binom

    low, high = binom.ppf([0.025, 0.975], tosses, 0.5)
    coin = (0.5, low / tosses, high / tosses, f"{low:.0f} to {high:.0f} of {tosses}", plots.NEUTRAL)
    lines = [coin] + [(right / of, *interval(right, of), f"{right} of {of}", hue) for _, right, of, hue in rows]
    names = ["a coin", *(row[0] for row in rows)]
    figure, ax = plt.subplots(figsize=(7.6, 0.55 * len(lines) + 1.1))
    ax.axvline(0.5, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
    for y, (share, low, high, text, colour) in enumerate(lines):
        ax.hlines(y, low, high, color=colour, linewidth=3, alpha=0.6)
        ax.plot(share, y, "o", color=colour, markersize=9, markeredgecolor="white")
        ax.annotate(text, (1.03, y), va="center", color=colour, fontweight="bold", annotation_clip=False)
    ax.set(
        yticks=range(len(lines)), yticklabels=names, xlim=(0, 1.01), ylim=(len(lines) - 0.5, -0.5),
        xlabel="share of right answers, with its 95 % interval", xticks=np.linspace(0, 1, 6),
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
    figure, ax = plt.subplots(figsize=(7.6, 1.25 * len(rows) + 0.9))
    ax.axvline(0.5, color=plots.NEUTRAL, linestyle="--", linewidth=1)
    for y, (_, scores, labels) in enumerate(rows):
        for label, offset in ((0, -0.2), (1, 0.2)):
            values = np.asarray(scores, float)[np.asarray(labels) == label]
            ax.plot(
                values, np.full(len(values), y + offset), plots.MARKERS[label], color=plots.COLOURS[label],
                markersize=9, alpha=0.65, markeredgecolor="white", clip_on=False,
            )  # fmt: skip
            ax.annotate(
                plots.NAMES[label], (1.04, y + offset), va="center", color=plots.COLOURS[label], fontweight="bold",
                annotation_clip=False,
            )  # fmt: skip
    ax.set(
        yticks=range(len(rows)), yticklabels=[row[0] for row in rows], xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5),
        xlabel="the model's P(fake); from 0.5 on it says “fake”",
    )  # fmt: skip
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_title(title)
    return plots.finish(figure)


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
    figure, (ax, curve) = plt.subplots(2, 1, figsize=(7.6, 4.4), height_ratios=[1, 2.6])
    ax.barh(0, true_alarms, color=plots.FAKE, hatch="///", edgecolor="white")
    ax.barh(0, false_alarms, left=true_alarms, color=plots.REAL, edgecolor="white")
    ax.annotate(f"{true_alarms:,.0f} fake", (0, 0.47), va="bottom", color=plots.FAKE, fontweight="bold")
    ax.annotate(
        f"{false_alarms:,.0f} real", (true_alarms + false_alarms, 0.47), va="bottom", ha="right", color=plots.REAL,
        fontweight="bold",
    )  # fmt: skip
    ax.set(yticks=[], ylim=(-0.4, 0.9), xlabel=f"films called fake, of {films:,} judged")
    ax.spines["left"].set_visible(False)
    share = alarm_is_right(right, right, 1 / one_in)
    ax.set_title(f"{percent_right:g} % right, 1 film in {one_in:,} fake: an alarm is right {share:.1%} of the time")
    rare = np.geomspace(0.5, 1 / ONE_IN[-1], 200)
    curve.plot(rare, [alarm_is_right(right, right, value) for value in rare], color=plots.NEUTRAL)
    curve.plot(1 / one_in, share, "o", color="black", markersize=9)
    curve.annotate("  you are here", (1 / one_in, share), va="bottom", fontweight="bold")
    curve.set(xscale="log", ylim=(-0.02, 1.02), xlabel="fakes among all films", ylabel="alarms that are right")
    curve.invert_xaxis()
    curve.set_xticks([1 / n for n in ONE_IN if n != 5 and str(n)[0] != "5"])
    curve.set_xticklabels([f"1 in {n:,}" for n in ONE_IN if n != 5 and str(n)[0] != "5"])
    curve.yaxis.set_major_formatter("{x:.0%}")
    return plots.finish(figure)


def prevalence_slider() -> ipywidgets.SelectionSlider:
    """The control for `one_in`: from every second film to one in a hundred thousand."""
    return ipywidgets.SelectionSlider(
        options=[(f"1 in {n:,}", n) for n in ONE_IN], value=1000, description="fakes among all films",
        style={"description_width": "initial"}, layout=ipywidgets.Layout(width="420px", max_width="100%"),
    )  # fmt: skip


def train_meanwhile() -> subprocess.Popen[bytes]:
    """Let the detector be trained and tried in a process of its own, so that this one is free for the game.

    It does what `course.ensure("scores")` does, at once where that is done already. Should it fail, the lesson's own
    call of `course.ensure` does the work again and says what is wrong.
    """
    code = "from torchfakes_utils import course; course.ensure('scores', progress=False)"
    home = {"TORCHFAKES_HOME": str(folders.paths().home)}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **home},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the notebook's stop button stops a cell, not the training
    )


def wait(training: subprocess.Popen[bytes], seconds: float = 1.0) -> None:
    """Wait until training is done, with a bar of its epochs; looks at the run's folder every so many seconds."""
    run = folders.paths().run
    if training.poll() is not None:
        return
    with tqdm(desc="the model is training", unit="epoch", leave=False, delay=3) as bar:
        while training.poll() is None:
            bar.n, bar.total = epochs_done(run)
            bar.refresh()
            time.sleep(seconds)


def epochs_done(run: Path) -> tuple[int, int | None]:
    """How many epochs a run has done, and of how many (None before it has begun)."""
    try:
        total = int(json.loads((run / TRAINING_FILE).read_text(encoding="utf-8"))["epochs"])
    except (OSError, ValueError, KeyError):
        return 0, None
    try:
        return len(pd.read_csv(run / HISTORY_FILE)), total
    except (OSError, ValueError):  # the first epoch is not over
        return 0, total


def _truths(faces: pd.DataFrame) -> list[str]:
    return ["real" if row.label == 0 else row.method for row in faces.itertuples()]
