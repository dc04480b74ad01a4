"""Lesson 00: the ten faces, the game, its figures, what learners write, and the detector that is trained meanwhile."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.course import lesson_00, lesson_00_model, lesson_00_people, plots
from torchfakes_utils.course.lesson_00 import GAMES_AT_LEAST, POSSIBLE_SKILLS, RIGHT_ALARMS
from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.datasets.mini import render
from torchfakes_utils.datasets.mini.build import plan
from torchfakes_utils.datasets.mini.config import MiniConfig
from torchfakes_utils.errors import InputError
from torchfakes_utils.models.detector import load_detector

from helpers.exercises import assert_teaches

matplotlib.use("Agg")


@pytest.fixture
def faces(tiny_faces):
    return load_faces(tiny_faces / "faces.csv")


@pytest.fixture
def game(faces):
    return lesson_00.Game(lesson_00.ten_faces(faces, count=6))


# --- who comes in the game


@pytest.fixture
def table():
    """Sixteen people who forge each other in pairs, four ways; two frames of each clip, the second sharper."""
    names = [f"{number:03d}" for number in range(16)]
    loans = [(name, names[number ^ 1]) for number, name in enumerate(names)]
    clips = [(0, "youtube", name, name, "") for name in names]
    methods = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
    clips += [(1, method, f"{a}_{b}", a, b) for method in methods for a, b in loans]
    columns = ["label", "method", "clip_id", "target_id", "source_id"]
    found = pd.DataFrame(clips, columns=columns).assign(compression="c23", original_id="", split="test")
    frames = [found.assign(frame=frame, sharpness=10.0 * frame) for frame in (1, 2)]
    return pd.concat(frames, ignore_index=True)


def people_seen(ten):
    return [name for _, face in ten.iterrows() for name in lesson_00_people.shown(face)]


@pytest.mark.parametrize("seed", range(20))
def test_nobody_is_in_a_game_twice_neither_by_film_nor_by_face(table, seed):
    ten = lesson_00.ten_faces(table, seed)
    seen = people_seen(ten)
    assert len(seen) == len(set(seen)) >= len(ten) == 10
    assert 3 <= ten["label"].sum() <= 7
    assert (ten["frame"] == 2).all()  # the sharper one
    assert ten.loc[ten["label"] == 1, "method"].value_counts().max() <= 3
    assert ten.equals(lesson_00.ten_faces(table, seed))


def test_how_many_are_fake_and_where_they_stand_is_left_to_chance(table):
    labels = [tuple(lesson_00.ten_faces(table, seed)["label"]) for seed in range(40)]
    assert {sum(one) for one in labels} == {3, 4, 5, 6, 7}
    assert 0.35 < np.mean([one[0] for one in labels]) < 0.65 and 0.35 < np.mean([one[-1] for one in labels]) < 0.65


def test_the_real_faces_are_among_those_that_are_bent_least(table):
    people = sorted(set(table["target_id"]), reverse=True)
    bent = {person: float(place) for place, person in enumerate(people)}
    for seed in range(20):
        ten = lesson_00.ten_faces(table, seed, bent=bent)
        assert set(ten.loc[ten["label"] == 0, "target_id"]) <= set(people[:10])


def test_ten_faces_takes_what_there_is(faces):
    few = faces[faces["split"] == "test"]
    assert 1 <= len(lesson_00.ten_faces(few)) <= few["target_id"].nunique()


def test_a_field_is_the_one_that_bends_the_person():
    """Where a landmark of the portrait comes to lie, its own field leads back to it."""
    config = MiniConfig()
    for person in plan(config)[:4]:
        identity = render.make_identity(person.portrait, np.random.default_rng([config.seed, 1 + int(person.id), 0]))
        original = render.canonical_portrait(person.portrait)[2]
        mirrored = (np.array([render.CANON - 1, 0]) + original * [-1, 1])[[1, 0, 2, 4, 3]]
        column, row = identity.landmarks.round().astype(int).T
        back = identity.landmarks + lesson_00_people.bend(config, person)[row, column]
        assert min(np.abs(back - points).max() for points in (original, mirrored)) < 0.5


def test_what_moves_turns_or_scales_a_face_as_a_whole_does_not_bend_it():
    x, y = np.moveaxis(render.grid().astype(float), -1, 0)
    moved = np.stack([0.1 * x - 0.2 * y + 5, 0.2 * x + 0.1 * y - 3], axis=-1)
    stretched = np.stack([0.3 * x, 0 * y], axis=-1)
    waves = np.stack([7 * np.sin(y / 12), 0 * x], axis=-1)
    kinds = [lesson_00_people.unevenness(field) for field in (0 * moved, moved, stretched, waves)]
    assert kinds[:2] == pytest.approx([0, 0], abs=1e-9)
    assert 0.1 < kinds[2] < kinds[3]


def test_only_mini_ffpp_knows_how_its_people_are_bent(tmp_path):
    people = [person.id for person in plan(MiniConfig(identities=6))][:2]
    assert lesson_00.distortions(people, tmp_path) == {}
    (tmp_path / "mini.json").write_text(json.dumps(asdict(MiniConfig(identities=6)) | {"made_by": "torchfakes mini"}))
    found = lesson_00.distortions(people, tmp_path)
    assert set(found) == set(people) and all(0.05 < value < 1 for value in found.values())


def test_the_making_of_shows_both_portraits_and_what_becomes_of_them():
    axes = lesson_00.making_figure().axes
    titles = [ax.get_title("center") for ax in axes]
    assert titles[0] == "Eileen Collins" and titles[4] == "Grace Hopper"
    pictures = [ax.images[0].get_array().astype(float) for ax in axes]
    for step in range(3):  # each step changes something, and the fake is not its original
        for first in (0, 4):
            assert np.abs(pictures[first + step] - pictures[first + step + 1]).mean() > 0.5


# --- the game


def test_marks_count_what_was_answered():
    assert lesson_00.marks([0, 1, 1, 0], [None] * 4) == (0, 0)
    assert lesson_00.marks([0, 1, 1, 0], [0, 1, 0, None]) == (2, 3)


def test_the_game_tells_the_truth_when_all_are_answered(game):
    assert game.show().png.startswith(b"\x89PNG") and "Which of these ten" in game.show().alt
    truth = game.faces["label"].tolist()
    count = len(truth)
    for number, buttons in enumerate(game._buttons[:-1]):
        buttons.value = truth[number] if number else 1 - truth[number]
    assert not game.done and f"{count - 1} of {count}" in game._line.value and "real" not in game._captions[0].value
    assert not any(buttons.disabled for buttons in game._buttons)
    game._buttons[-1].value = truth[-1]
    assert game.done and game.right == count - 1 and f"{count - 1} times out of {count}" in game._line.value
    assert "✗" in game._captions[0].value and "✓" in game._captions[1].value
    assert all(buttons.disabled for buttons in game._buttons)


def test_an_answer_may_be_changed_before_the_end(game):
    game._buttons[0].value = 0
    game._buttons[0].value = 1
    assert game.answers[0] == 1 and "1 of " in game._line.value


def test_figures_of_the_game_keep_and_tell_the_secret(game):
    asked, told = game.figure("?"), game.figure("!", solved=True)
    assert all("real" not in ax.get_title() for ax in asked.axes)
    reals = len(game.faces) - game.faces["label"].sum()
    assert sum("real" in ax.get_title() for ax in told.axes) == reals
    fold = lesson_00.folded(told, "The answers").data
    assert fold.startswith("<details>") and "data:image/jpeg;base64," in fold


def test_the_same_faces_are_the_same_game_with_its_answers(faces):
    lesson_00.play(lesson_00.ten_faces(faces, count=6))._buttons[0].value = 1
    again, other = (lesson_00.play(lesson_00.ten_faces(faces, count=count)) for count in (6, 5))
    assert again.answers[0] == 1 and again._buttons[0].value == 1
    assert other.answers == [None] * len(other.answers)


def test_no_game_shows_a_film_of_an_earlier_one(table):
    games = [lesson_00.ten_faces(table), *(lesson_00_people.another_ten(table, number) for number in (1, 2))]
    films = [tuple(film) for ten in games for film in ten[["method", "clip_id"]].to_numpy()]
    assert len(set(films)) == len(films) == 30
    assert all(3 <= ten["label"].sum() <= 7 for ten in games)


def test_when_no_real_film_is_left_there_is_no_other_game(table):
    with pytest.raises(InputError, match="too few films are left"):
        lesson_00_people.another_ten(table, 6)


# --- what learners write


def test_games_of_a_coin_are_counted():
    def looped(games, right):
        count = 0
        for game in games:
            if sum(game) >= right:
                count += 1
        return count / len(games)

    assert_teaches(
        GAMES_AT_LEAST,
        right=[
            looped,
            lambda games, right: np.mean(np.sum(games, axis=1) >= right),
            lambda games, right: (torch.as_tensor(games).sum(dim=1) >= right).float().mean(),
            lambda games, right: sum(sum(game) >= right for game in games.tolist()) / len(games),
        ],
        wrong={
            "in the place of": lambda games, right: sum(sum(game) > right for game in games) / len(games),
            "at least so many are asked for": lambda games, right: np.mean(games.sum(1) == right),
            "divide by their number": lambda games, right: sum(sum(game) >= right for game in games),
            "first count the right ones": lambda games, right: games.sum() / games.size,
            "a row is a game": lambda games, right: np.mean(games.sum(0) >= right),
        },
    )


def at_ends(scores, right, beyond=0):
    """The shares of games that end so high and so low, or by `beyond` more so."""
    high = sum(score >= right + beyond for score in scores) / len(scores)
    return high, sum(score <= right - beyond for score in scores) / len(scores)


def test_skills_that_could_have_given_a_score_are_kept():
    def with_arrays(results, right):
        kept = [
            skill
            for skill, scores in results.items()
            if np.mean(np.array(scores) >= right) >= 0.025 and np.mean(np.array(scores) <= right) >= 0.025
        ]
        return [min(kept), max(kept)]

    def first_and_last(results, right):
        kept = [
            skill
            for skill, scores in results.items()
            if min(sum(s >= right for s in scores), sum(s <= right for s in scores)) >= len(scores) / 40
        ]
        return kept[0], kept[-1]

    assert_teaches(
        POSSIBLE_SKILLS,
        right=[with_arrays],
        wrong={
            "high scores only": lambda results, right: (
                min(k for k, v in results.items() if sum(s >= right for s in v) / len(v) >= 0.025),
                max(k for k, v in results.items() if sum(s >= right for s in v) / len(v) >= 0.025),
            ),
            "low scores only": lambda results, right: (
                min(k for k, v in results.items() if sum(s <= right for s in v) / len(v) >= 0.025),
                max(k for k, v in results.items() if sum(s <= right for s in v) / len(v) >= 0.025),
            ),
            "exactly this score": lambda results, right: (
                min(k for k, v in results.items() if v.count(right) / len(v) >= 0.025),
                max(k for k, v in results.items() if v.count(right) / len(v) >= 0.025),
            ),
            "never gave it": lambda results, right: (
                min(k for k, v in results.items() if right in v),
                max(k for k, v in results.items() if right in v),
            ),
            "in no order": first_and_last,
            "“and”, not “or”": lambda results, right: (
                min(k for k, v in results.items() if max(at_ends(v, right)) >= 0.025),
                max(k for k, v in results.items() if max(at_ends(v, right)) >= 0.025),
            ),
            "not `>` and `<`": lambda results, right: (
                min(k for k, v in results.items() if min(at_ends(v, right, 1)) >= 0.025),
                max(k for k, v in results.items() if min(at_ends(v, right, 1)) >= 0.025),
            ),
            "Divide it by": lambda results, right: (
                min(k for k, v in results.items() if len(v) * min(at_ends(v, right)) >= 0.025),
                max(k for k, v in results.items() if len(v) * min(at_ends(v, right)) >= 0.025),
            ),
        },
    )


def test_alarms_are_counted_and_not_fakes():
    def looped(truth, said):
        right = alarms = 0
        for fact, answer in zip(truth, said, strict=True):
            alarms += answer
            right += fact and answer
        return right / alarms

    assert_teaches(
        RIGHT_ALARMS,
        right=[
            looped,
            lambda truth, said: truth[said == 1].mean(),
            lambda truth, said: (torch.tensor(truth) & torch.tensor(said)).sum() / torch.tensor(said).sum(),
            lambda truth, said: sum(t for t, s in zip(truth.tolist(), said.tolist(), strict=True) if s) / sum(said),
        ],
        wrong={
            "the share of the fakes that raise": lambda truth, said: sum(truth * said) / sum(truth),
            "alarm or not": lambda truth, said: sum(truth == said) / len(truth),
            "alarms that is false": lambda truth, said: sum((1 - truth) * said) / sum(said),
            "Class order": lambda truth, said: sum((1 - truth) * (1 - said)) / sum(1 - said),
            "how many alarms are right": lambda truth, said: sum(truth * said),
            "the number of films": lambda truth, said: sum(truth * said) / len(truth),
        },
    )


# --- the figures


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
@pytest.mark.parametrize("one_in", [2, 1000, 100_000])
def test_the_figure_of_alarms_is_drawn_for_every_place_of_the_slider(one_in):
    figure = lesson_00.alarms(99.9, one_in)
    title = "".join(figure.axes[0].get_title(place) for place in ("left", "center"))  # where the style has it
    assert f"1 film in {one_in:,} fake" in title
    assert lesson_00.prevalence_slider().value == 1000
    assert one_in in dict(lesson_00.prevalence_slider().options).values()


def test_a_coins_games_are_shown_as_shares_that_make_one():
    games = np.random.default_rng(0).random((400, 10)) < 0.5
    ax = lesson_00.coin_figure(games, 7).axes[0]
    heights = [bar.get_height() for bar in ax.patches]
    assert sum(heights) == pytest.approx(1) and len(heights) == 11
    title = ax.get_title("left") or ax.get_title()
    assert f"in {100 * sum(heights[7:]):.0f} games of 100" in title


def test_score_card_and_strips_name_their_rows():
    rows = [("you", 7, 10, "black"), ("the model", 10, 10, plots.NEUTRAL)]
    card = lesson_00.score_card(rows, "a title").axes[0]
    assert [text.get_text() for text in card.get_yticklabels()] == ["you", "the model"]
    assert [text.get_text() for text in card.texts] == ["skill of a coin", "7 of 10", "10 of 10"]
    strips = lesson_00.strips([("the ten", [0.1, 0.9], [0, 1])], "a title").axes[0]
    assert [text.get_text() for text in strips.texts] == ["1 real", "1 fake"]


def test_heat_leaves_the_face_visible_and_has_a_key():
    photo = np.full((40, 40, 3), 120, np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[:2] = 1
    figure = lesson_00.heat_figure([photo, photo, photo], [None, heat, 0 * heat], ["a", "b", "c"], [0, 1, 1], "?", 2)
    plain, warm, cold = (figure.axes[place].images[0].get_array() for place in range(3))
    assert (plain == photo).all() and (cold == photo).all()
    assert (warm[-1] == photo[-1]).all() and (warm[0] != photo[0]).any() and warm.min() > 30
    assert any("supported the answer most" in text.get_text() for ax in figure.axes for text in ax.get_xticklabels())
    assert [bool(ax.collections) for ax in figure.axes[:3]] == [False, True, False]  # the line at half


@pytest.mark.parametrize(
    ("part", "x", "y"),
    [
        ("eyes and forehead", 62, 60),
        ("nose and cheeks", 80, 82),
        ("mouth and chin", 80, 108),
        ("beside the face", 5, 5),
    ],
)
def test_the_brightest_part_is_where_the_heat_is(part, x, y):
    heat = np.zeros((80, 80), np.float32)
    heat[y // 2 - 2 : y // 2 + 2, x // 2 - 2 : x // 2 + 2] = 1
    assert lesson_00.brightest(heat, "60 60 100 60 80 85 65 105 95 105") == part


# --- the detector


@pytest.mark.slow
def test_the_first_detector_is_trained_once_and_kept(tiny_faces, tmp_path, monkeypatch):
    config = replace(lesson_00_model.CONFIG, epochs=1, crops_per_epoch=8, batch_size=4, image_size=64)
    monkeypatch.setattr(lesson_00_model, "CONFIG", config)
    monkeypatch.setattr(lesson_00_model, "ensure", lambda name, progress: tiny_faces / "faces.csv")
    monkeypatch.setattr(lesson_00_model, "first_run", lambda: tmp_path / "first")
    out = lesson_00_model.train_first()
    assert load_detector(out).preprocessing.size == 64 and lesson_00_model.epochs_done(out) == 1
    before = {file.name: file.stat().st_mtime_ns for file in out.iterdir()}
    assert lesson_00_model.train_first() == out
    assert {file.name: file.stat().st_mtime_ns for file in out.iterdir()} == before


def test_training_goes_on_in_a_process_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_HOME", str(tmp_path))
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: started.append((command, options)))
    lesson_00.train_meanwhile()
    ((command, options),) = started
    assert command == [sys.executable, "-m", "torchfakes_utils.course.lesson_00_model"]
    assert options["env"]["TORCHFAKES_HOME"] == str(tmp_path) and options["start_new_session"]


def test_waiting_ends_with_the_training_and_gives_the_detector(tmp_path, monkeypatch):
    class Training:
        looks = iter([None, None, 0])

        def poll(self):
            return next(self.looks, 0)

    detector = torch.nn.Linear(1, 1)
    monkeypatch.setattr(lesson_00_model, "first_run", lambda: tmp_path)
    monkeypatch.setattr(lesson_00_model, "train_first", lambda: tmp_path)
    monkeypatch.setattr(lesson_00_model, "load_detector", lambda run: detector)
    training = Training()
    assert lesson_00.first_detector(training, seconds=0) is detector
    assert training.poll() == 0 and not detector.training


def test_nobody_waits_for_a_detector_that_is_there(tmp_path, monkeypatch):
    (tmp_path / "detector.json").write_text("{}")
    monkeypatch.setattr(lesson_00_model, "first_run", lambda: tmp_path)
    monkeypatch.setattr(lesson_00_model, "load_detector", lambda run: torch.nn.Linear(1, 1))
    assert not lesson_00.first_detector(training=None).training


def test_another_table_of_faces_is_another_run(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_HOME", str(tmp_path))
    table = tmp_path / "data" / "mini" / "faces" / "faces.csv"
    table.parent.mkdir(parents=True)
    names = set()
    for text in ("one", "another"):
        table.write_text(text)
        names.add(lesson_00_model.first_run().name)
    assert len(names) == 2 and all(name.startswith("mini-first-") for name in names)


def test_epochs_are_read_from_the_run(tmp_path):
    assert lesson_00_model.epochs_done(tmp_path) == 0
    (tmp_path / lesson_00_model.EPOCHS_FILE).write_text("2")
    assert lesson_00_model.epochs_done(tmp_path) == 2
