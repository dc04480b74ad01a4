"""A prediction is a variable and a control, and its answer says in a line how far off it was."""

import sys

import nbformat
import numpy as np
import pytest
import torch

from torchfakes_utils.course import build, predictions
from torchfakes_utils.course.predictions import Prediction, predict

from helpers.lessons import twin


def number(**more):
    return Prediction("Of 100 alarms, how many are right?", 0, 100, unit="%", **more)


def either():
    return Prediction("Which is the sharpest?", options=["80 px", "160 px", "320 px"])


@pytest.mark.parametrize(
    ("guess", "actual", "line"),
    [
        (None, 42, "You made no guess: it was 42 %."),
        (30, 42.4, "You said 30 %; it was 42 %: 12 percentage points too low."),
        ("60 %", np.float32(42), "You said 60 %; it was 42 %: 18 percentage points too high."),
        (42, torch.tensor([42.2]), "You said 42 %, and 42 % it is."),
        (12.5, 42.4, "You said 12.5 %; it was 42.4 %: 29.9 percentage points too low."),
        (42.5, 42.5, "You said 42.5 %, and 42.5 % it is."),
        (43, 42.4, "You said 43 %; it was 42 %: 1 percentage point too high."),
        (100 / 3, 42.4, "You said 33 %; it was 42 %: 9 percentage points too low."),
        (42.25, 42, "You said 42.25 %; it was 42 %: 0.25 percentage points too high."),
        ("0.3 %", 0.34, "You said 0.3 %, and 0.3 % it is."),
    ],
)
def test_a_number_is_told_with_its_distance(guess, actual, line, capsys):
    asked = number()
    asked.value = guess
    asked.answer(actual)
    assert capsys.readouterr().out == line + "\n"


@pytest.mark.parametrize(
    ("low", "high", "unit", "guess", "actual", "line"),
    [
        (0, 1, "", 0.5, 0.9162, "You said 0.50; it was 0.92: 0.42 too low."),
        (0.0, 0.2, "", 0.1, 0.05, "You said 0.100; it was 0.050: 0.050 too high."),
        (0, 20000, "boxes", 12000, 9954, "You said 12,000 boxes; it was 9,954 boxes: 2,046 boxes too high."),
        (0, 10, "s", 2.5, 30, "You said 2.5 s; it was 30 s: 27.5 s too low."),
        (0, 120, "s", 2, 3, "You said 2 s; it was 3 s: 1 s too low."),
        (1, 56, "values", 22.5, 23, "You said 22.5 values; it was 23 values: 0.5 values too low."),
        (1, 56, "values", 22, 23, "You said 22 values; it was 23 values: 1 value too low."),
    ],
)
def test_numbers_are_as_fine_as_their_range(low, high, unit, guess, actual, line):
    asked = Prediction("How many?", low, high, unit=unit)
    asked.value = guess
    assert asked.told(actual) == line


def test_an_option_is_right_or_not():
    asked = either()
    assert asked.told("80 px") == "You made no guess: it was 80 px."
    asked.value = " 160 PX"
    assert asked.value == "160 px"
    assert asked.told("80 px") == "You said 160 px; it was 80 px."
    assert asked.told("160 px") == "You said 160 px: right."


@pytest.mark.parametrize(
    ("guess", "option"),
    [
        ("8x8", "8 × 8"), ("8 X 8", "8 × 8"), ("8", "8 × 8"), ("a", "row A"), ("newsroom", "the newsroom"),
        ("the newsroom", "the newsroom"), ("the right labels’ alone", "the right labels' alone"), (3.0, "3"), (3, "3"),
        (np.float64(3), "3"), ("about 4000", "about 4,000"), ("4,000", "about 4,000"), ("fake", "fake"),
        ("not", "not fake"),
    ],
)  # fmt: skip
def test_an_option_may_be_written_a_little_differently(guess, option):
    options = ["8 × 8", "row A", "row B", "the newsroom", "the right labels' alone", "3", "about 4,000", "about 0.5",
               "fake", "not fake"]  # fmt: skip
    asked = Prediction("Which?", options=options)
    asked.value = guess
    assert asked.value == option


@pytest.mark.parametrize("guess", ["row", "about", "", " ", "the", "5", "ake", 3.5, "real"])
def test_what_may_mean_several_options_or_none_is_refused(guess, capsys):
    asked = Prediction("Which?", options=["row A", "row B", "about 0.5", "about 4", "the fake", "not fake"])
    asked.value = guess
    assert asked.value is None and "is none of the answers" in capsys.readouterr().out


@pytest.mark.parametrize("guess", [101, -1, "many", float("nan"), [1, 2], object()])
def test_what_is_no_guess_is_said_and_forgotten(guess, capsys):
    asked = number()
    asked.value = guess
    said = capsys.readouterr().out
    assert asked.value is None and said.count("\n") == 1 and said.endswith("is no number from 0 to 100 %.\n")
    other = either()
    other.value = guess
    assert other.value is None and "They are: 80 px; 160 px; 320 px" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("guess", "line"),
    [
        (0.3, "0.3 %? For 30 % type 30.\n"), ("0,29", "0.29 %? For 29 % type 29.\n"), ("0.3 %", ""), (0, ""),
        (1, ""), (30, ""),
    ],
)  # fmt: skip
def test_a_share_where_per_cent_are_asked_for_is_doubted(guess, line, capsys):
    asked = number()
    asked.value = guess
    assert capsys.readouterr().out == line and asked.value is not None
    of_a_range = Prediction("Which share?", 0.0, 1.0)
    of_a_range.value = 0.3
    assert not capsys.readouterr().out


def test_the_unit_stands_once_behind_the_range():
    assert Prediction("How many?", 1, 56, unit="values").text == "Predict: How many? (1 to 56 values)"


@pytest.mark.parametrize(
    "words",
    [{}, {"low": 0, "high": 1, "options": ["a", "b"]}, {"options": ["a"]}, {"options": ["a", "a"]}, {"low": 1}],
)
def test_a_question_without_answers_is_refused(words):
    with pytest.raises(ValueError, match="give options, or a range|two options at least"):
        Prediction("What?", **words)


def test_an_answer_that_is_none_is_the_lessons_fault():
    with pytest.raises(ValueError, match="none of the answers"):
        either().answer("40 px")
    with pytest.raises(ValueError, match="not a number"):
        number().answer(np.nan)


def test_the_control_is_the_guess():
    asked = number()
    title, slider, said = asked.widget.children
    assert "100 alarms" in title.value and said.value == "no guess yet" and asked.value is None
    assert (type(slider).__name__, slider.min, slider.max, slider.value) == ("IntSlider", 0, 100, 50)
    slider.value = 30
    assert asked.value == 30 and said.value == "your guess: 30 %" and asked.widget.children[1] is slider
    share = Prediction("Which share?", 0.0, 1.0)
    assert type(share.widget.children[1]).__name__ == "FloatSlider" and share.widget.children[1].step == 0.01
    asked = either()
    radio = asked.widget.children[1]
    assert radio.value is None
    radio.value = "320 px"
    assert asked.value == "320 px" and asked.widget.children[2].value == "your guess: 320 px"


def test_without_ipywidgets_there_is_text(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    asked = either()
    assert asked.widget is None and set(asked._repr_mimebundle_()) == {"text/plain", "text/html"}
    assert predict("Which?", options=["a", "b"], value="b").value == "b"
    assert capsys.readouterr().out == "Predict: Which? (a; b)\n"


@pytest.mark.slow
def test_in_a_saved_notebook_the_question_is_text_and_the_answer_folded(home):
    cells = (
        "from torchfakes_utils import course\nguess = course.predict('How many < 50?', 0, 100, unit='%')",
        "guess.answer(42)",
        "guess.value = 40\nguess.answer(42)",
        "course.predict('Which?', options=['a', 'b']);",
        "course.quiz('03')",
    )
    (home / "notebooks" / "source").mkdir(parents=True)
    (home / "notebooks" / "source" / "01_x.py").write_text(twin(*cells))
    (target,) = build.build(home / "notebooks")
    outputs = [cell.outputs for cell in nbformat.read(target, as_version=4).cells]
    assert all(len(each) == 1 for each in outputs)
    asked, folded, told, other, quiz = (each[0] for each in outputs)
    assert asked.data == {
        "text/plain": "Predict: How many < 50? (0 to 100 %)",
        "text/html": "<b>Predict:</b> How many &lt; 50? (0 to 100 %)",
    }
    assert folded.data["text/html"].startswith("<details><summary>The answer</summary>You made no guess: it was 42 %.")
    assert told.text == "You said 40 %; it was 42 %: 2 percentage points too low.\n"
    assert "<li>a</li>" in other.data["text/html"] and predictions.VIEW not in other.data
    assert quiz.data["text/html"].count("<details>") >= 9 and quiz.data["text/plain"].startswith("1. ")


def test_a_guess_is_kept_when_its_cell_runs_again():
    asked = predictions.predict("How many are kept?", 0, 100)
    asked.value = 30
    assert predictions.predict("How many are kept?", 0, 100).value == 30
    assert predictions.predict("How many are lost?", 0, 100).value is None
    assert predictions.predict("How many are kept?", 0, 100, value=20).value == 20
    asked.value = None
    assert predictions.predict("How many are kept?", 0, 100).value is None


@pytest.mark.parametrize(
    ("low", "high", "step", "middle"),
    [(0.3, 1.0, 0.01, 0.65), (-0.1, 0.5, 0.01, 0.2), (0.0, 1.0, 0.01, 0.5), (0, 7, 1, 4), (0.0, 30.0, 0.5, 15.0)],
)
def test_a_slider_stands_on_its_own_grid(low, high, step, middle):
    """Else the front end moves it there, and that would count as a guess."""
    asked = Prediction("Where?", low, high)
    assert asked.step == step
    slider = asked.widget.children[1]
    assert slider.value == pytest.approx(middle) and asked.value is None
    assert abs((slider.value - low) / step - round((slider.value - low) / step)) < 1e-6
