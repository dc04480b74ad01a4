"""Lesson 00: the ten faces, the game, its score card, what an alarm is worth, and the wait for the model."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from torchfakes_utils.course import lesson_00, plots
from torchfakes_utils.crops.table import load_faces

matplotlib.use("Agg")


@pytest.fixture
def faces(tiny_faces):
    return load_faces(tiny_faces / "faces.csv")


@pytest.fixture
def game(faces):
    return lesson_00.Game(lesson_00.ten_faces(faces))


def test_ten_faces_are_half_real_and_as_varied_as_can_be(faces):
    ten = lesson_00.ten_faces(faces)
    assert ten["label"].tolist().count(0) == ten["label"].tolist().count(1) == 5
    assert not ten.duplicated(["method", "clip_id"]).any()
    assert ten.loc[ten["label"] == 1, "method"].value_counts().max() == 3  # of two methods
    assert set(ten["target_id"]) == set(faces["target_id"])
    assert ten.equals(lesson_00.ten_faces(faces))
    assert not ten["path"].equals(lesson_00.ten_faces(faces, seed=1)["path"])


def test_ten_faces_takes_what_there_is(faces):
    few = faces[faces["split"] == "test"]
    assert len(lesson_00.ten_faces(few)) == 6  # two real clips, four fakes


def test_marks_count_what_was_answered():
    assert lesson_00.marks([0, 1, 1, 0], [None] * 4) == (0, 0)
    assert lesson_00.marks([0, 1, 1, 0], [0, 1, 0, None]) == (2, 3)


def test_the_game_tells_the_truth_when_all_are_answered(game):
    assert game.show().png.startswith(b"\x89PNG") and "Which of these ten" in game.show().alt
    truth = game.faces["label"].tolist()
    for number, buttons in enumerate(game._buttons[:-1]):
        buttons.value = truth[number] if number else 1 - truth[number]
    assert not game.done and "9 of 10" in game._line.value and "real" not in game._captions[0].value
    assert not any(buttons.disabled for buttons in game._buttons)
    game._buttons[-1].value = truth[-1]
    assert game.done and game.right == 9 and "9 times out of 10" in game._line.value
    assert "✗" in game._captions[0].value and "✓" in game._captions[1].value
    assert all(buttons.disabled for buttons in game._buttons)


def test_an_answer_may_be_changed_before_the_end(game):
    game._buttons[0].value = 0
    game._buttons[0].value = 1
    assert game.answers[0] == 1 and "1 of 10" in game._line.value


def test_figures_of_the_game_keep_and_tell_the_secret(game):
    asked = game.figure("?")
    told = game.figure("!", solved=True, scores=np.linspace(0, 1, 10))
    assert all("real" not in ax.get_title() for ax in asked.axes)
    assert sum("real" in ax.get_title() for ax in told.axes) == 5
    fold = lesson_00.folded(told, "The answers").data
    assert fold.startswith("<details>") and "data:image/jpeg;base64," in fold


def test_interval_holds_every_skill_for_which_the_count_is_no_surprise():
    assert lesson_00.interval(7, 10) == pytest.approx((0.348, 0.933), abs=1e-3)
    assert lesson_00.interval(10, 10)[1] == 1 and lesson_00.interval(0, 10)[0] == 0
    low, high = lesson_00.interval(70, 100)
    assert 0.6 < low < 0.7 < high < 0.8


def test_an_alarm_is_worth_what_the_mix_makes_it():
    assert lesson_00.alarm_is_right(0.95, 0.95, 0.5) == pytest.approx(0.95)
    assert lesson_00.alarm_is_right(0.95, 0.95, 0.001) == pytest.approx(95 / (95 + 4995))
    assert lesson_00.alarm_is_right(1, 1, 0.001) == 1
    assert np.isnan(lesson_00.alarm_is_right(0, 1, 0.001))


@pytest.mark.slow
@pytest.mark.parametrize("one_in", lesson_00.ONE_IN)
def test_the_figure_of_alarms_is_drawn_for_every_place_of_the_slider(one_in):
    figure = lesson_00.alarms(99.9, one_in)
    title = "".join(figure.axes[0].get_title(place) for place in ("left", "center"))  # where the style has it
    assert f"1 film in {one_in:,} fake" in title
    assert lesson_00.prevalence_slider().value == 1000


def test_score_card_and_strips_name_their_rows():
    rows = [("you", 7, 10, "black"), ("the model", 10, 10, plots.NEUTRAL)]
    card = lesson_00.score_card(rows, "a title").axes[0]
    assert [text.get_text() for text in card.get_yticklabels()] == ["a coin", "you", "the model"]
    assert [text.get_text() for text in card.texts] == ["2 to 8 of 10", "7 of 10", "10 of 10"]
    strips = lesson_00.strips([("the ten", [0.1, 0.9], [0, 1])], "a title").axes[0]
    assert [text.get_text() for text in strips.texts] == ["real", "fake"]


def test_training_goes_on_in_a_process_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_HOME", str(tmp_path))
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: started.append((command, options)))
    lesson_00.train_meanwhile()
    ((command, options),) = started
    assert command[0] == sys.executable and "ensure('scores'" in command[-1]
    assert options["env"]["TORCHFAKES_HOME"] == str(tmp_path) and options["start_new_session"]


def test_waiting_ends_with_the_training(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_HOME", str(tmp_path))

    class Training:
        looks = iter([None, None, 0])

        def poll(self):
            return next(self.looks, 0)

    lesson_00.wait(Training(), seconds=0)
    lesson_00.wait(Training(), seconds=0)


def test_epochs_are_read_from_the_run(tmp_path):
    assert lesson_00.epochs_done(tmp_path) == (0, None)
    (tmp_path / "config.json").write_text('{"epochs": 8}')
    assert lesson_00.epochs_done(tmp_path) == (0, 8)
    (tmp_path / "history.csv").write_text("epoch,seconds\n1,20\n2,21\n")
    assert lesson_00.epochs_done(tmp_path) == (2, 8)
