"""What lesson 00 needs beside the package: the game of ten faces; the rest is in the modules named after it."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import ipywidgets
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure
from PIL import Image

from torchfakes_utils.course import plots, widgets
from torchfakes_utils.course.lesson_00_exercises import GAMES_AT_LEAST, POSSIBLE_SKILLS, RIGHT_ALARMS
from torchfakes_utils.course.lesson_00_figures import (
    PARTS,
    alarm_is_right,
    alarms,
    brightest,
    coin_figure,
    heat_figure,
    interval,
    interval_length,
    prevalence_slider,
    score_card,
    strips,
)
from torchfakes_utils.course.lesson_00_model import LEARNED_FROM, first_detector, train_meanwhile
from torchfakes_utils.course.lesson_00_people import another_ten, distortions, making_figure, ten_faces
from torchfakes_utils.language import tr

# What the notebook calls; the rest is in this module.
__all__ = [
    "GAMES_AT_LEAST", "LEARNED_FROM", "PARTS", "POSSIBLE_SKILLS", "RIGHT_ALARMS", "Game", "alarm_is_right", "alarms",
    "another_game", "brightest", "coin_figure", "distortions", "first_detector", "folded", "heat_figure", "interval",
    "interval_length", "making_figure", "marks", "play", "prevalence_slider", "score_card", "strips", "ten_faces",
    "train_meanwhile",
]  # fmt: skip


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
        return widgets.with_picture(self.widget, self.figure(tr("Which of these ten are fake?")))

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
        return plots.images(pictures, titles, 4, title, list(self.faces["label"]) if solved else None, 1.75)

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
            score = tr("You were right {right} times out of {all}.", right=right, all=len(self.answers))
            return f"<b>{score}</b> {tr('Click the next cell, then Shift + Enter.')}"
        return tr("{given} of {all} answered", given=given, all=len(self.answers))

    def _reveal(self) -> None:
        truths = _truths(self.faces)
        for number, (label, answer) in enumerate(zip(self.faces["label"], self.answers, strict=True)):
            self._buttons[number].disabled = True  # a second guess would not be one
            colour, sign = plots.label_colour(label), "✓" if answer == label else "✗"
            text = f"<b>{number + 1} {sign} <span style='color:{colour}'>{truths[number]}</span></b>"
            self._captions[number].value = text


_GAMES: dict[tuple[str, ...], Game] = {}  # by the files of their faces


def play(faces: pd.DataFrame) -> Game:
    """The game of these faces. The same faces again are the same game, so a cell that runs twice keeps the answers.

    Args:
        faces: rows with the column `file`, from `ten_faces`.
    """
    key = tuple(map(str, faces["file"]))
    if key not in _GAMES:
        _GAMES[key] = Game(faces)
    return _GAMES[key]


def another_game(number: int) -> Game:
    """The lesson's `number`-th game after the first; none shows a film that an earlier one showed.

    Raises:
        InputError: too few films are left.
    """
    from torchfakes_utils import course

    faces = course.faces_table()
    return play(another_ten(faces[faces["split"] != "train"], number, distortions(faces["target_id"])))


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


def _truths(faces: pd.DataFrame) -> list[str]:
    return ["real" if row.label == 0 else row.method for row in faces.itertuples()]
