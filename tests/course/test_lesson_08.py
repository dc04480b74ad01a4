"""What lesson 08 measures, draws and checks, on a lab of noise."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.course import lesson_08, lesson_08_figures
from torchfakes_utils.course.lab import LAB_COLUMNS
from torchfakes_utils.course.patients import PATIENTS
from torchfakes_utils.course.practice import State
from torchfakes_utils.course.teams import CANDIDATES

from helpers.exercises import assert_line, assert_teaches

matplotlib.use("Agg")

RIGHT = {1: "range", 2: "split", 3: "labels", 4: "healthy", 5: "blur", 6: "imbalance", 7: "mode", 8: "augmentation"}


@pytest.fixture(scope="module")
def ward(patients):
    return {number: patients[name] for number, name in enumerate(PATIENTS, 1)}


def test_what_scores_say():
    scores = pd.DataFrame({"label": [0, 0, 1, 1, 1, 1], "probability_fake": [0.1, 0.6, 0.7, 0.8, 0.9, 0.2]})
    told = lesson_08.score_summary(scores)
    assert told["accuracy"] == pytest.approx(4 / 6) and told["balanced"] == pytest.approx((1 / 2 + 3 / 4) / 2)
    assert told["AUC"] == pytest.approx(7 / 8) and told["called fake"] == pytest.approx(4 / 6)


@pytest.mark.slow
def test_every_illness_shows_in_its_own_measurement(ward):
    seen = {name: lesson_08.measured(ward[number]) for number, name in RIGHT.items()}
    table = pd.DataFrame(seen).T
    assert (table["alone or together"] > 1e-3).sum() == 1 and seen["mode"]["alone or together"] > 1e-3
    assert (table["known clips"] > 0).sum() == 1 and seen["split"]["known clips"] > 0.5
    assert (table["fakes drawn"] > 0.6).sum() == 1 and seen["imbalance"]["fakes drawn"] > 0.6
    assert set(table.index[table["training and test differ"] > 0]) == {"range", "blur", "augmentation"}
    assert table["drift"].idxmax() == "range"


@pytest.mark.slow
def test_what_changed_tells_the_teams_programs_apart(ward):
    files = {number: [lesson_08.same_files(patient, label) for label in (0, 1)] for number, patient in ward.items()}
    said = {
        name: [
            lesson_08.WHAT_CHANGED.reference(ward[number].inputs("training", own), ward[number].inputs("test", own))
            for own in files[number]
        ]
        for number, name in RIGHT.items()
    }
    assert said["range"] == ["range", "range"]
    assert said["blur"] == ["nothing", "content"] and said["augmentation"] == ["content", "nothing"]
    assert all(said[name] == ["nothing", "nothing"] for name in ("healthy", "labels", "mode", "split", "imbalance"))
    swapped = ward[4].with_program(test=lesson_08.colours_swapped)
    rows = files[4][0]
    assert lesson_08.WHAT_CHANGED.reference(swapped.inputs("training", rows), swapped.inputs("test", rows)) == "colours"


@pytest.mark.slow
def test_drift_is_counted_in_standard_deviations(ward):
    """Averages set to those of the test inputs drift by nought; moved by two deviations, by two."""
    patient = ward[4]
    norm = next(m for m in patient.detector.modules() if isinstance(m, torch.nn.BatchNorm2d))
    arriving, mean, variance = lesson_08.before_norms(patient)["block1"]
    assert torch.equal(mean, norm.running_mean) and torch.equal(variance, norm.running_var)
    assert len(arriving) == len(patient.tested_on)
    remembered = arriving.mean((0, 2, 3))
    assert lesson_08.usual_drift(arriving, remembered, variance) == pytest.approx(0, abs=1e-5)
    off = remembered + 2 * (variance + norm.eps).sqrt()
    assert lesson_08.usual_drift(arriving, off, variance) == pytest.approx(2, abs=1e-4)
    assert not norm._forward_pre_hooks
    assert lesson_08.largest_drift(patient, lambda arriving, mean, variance: 7) == 7


def made_up_scores():
    rng, rows = np.random.default_rng(0), []
    for candidate in ("healthy", "labels"):
        for seed in (0, 1):
            for stage in ("validation", "test"):
                for label in (0, 1, 1):
                    score = 0.2 + 0.6 * label if candidate == "healthy" or stage == "validation" else 0.8 - 0.6 * label
                    rows.append([candidate, seed, stage, "m", "c23", "x", 0, label, score + rng.uniform(-0.1, 0.1)])
    return pd.DataFrame(rows, columns=LAB_COLUMNS)


def test_symptoms_are_means_and_ranges_over_seeds_and_sorted_by_outcome():
    table = lesson_08.symptoms(made_up_scores())
    assert list(table.index) == ["labels", "healthy"]
    assert table["what is done"].tolist() == [CANDIDATES[name].name for name in ("labels", "healthy")]
    assert table["test AUC"].tolist() == [0.0, 1.0] and table["validation accuracy"].tolist() == [1.0, 1.0]
    assert table["fakes called real"].tolist() == [1.0, 0.0] == table["reals called fake"].tolist()
    assert (table["lowest"] <= table["fakes called real"]).all() and (table["highest"] >= table["lowest"]).all()


def test_a_row_names_what_it_does_by_itself():
    assert lesson_08.name_of("imbalance and labels") == "four fakes to a real, and ImageFolder's labels"
    assert lesson_08.name_of("colours") == "red and blue swapped at test"


@pytest.mark.slow
def test_suspects_without_training_of_their_own_are_the_healthy_weights(ward, monkeypatch):
    monkeypatch.setattr(lesson_08, "team", lambda candidate, seed: ward[4])
    scores = lesson_08.further_scores(seeds=[0])
    assert set(scores["candidate"]) == {"colours", "threshold"} and list(scores.columns) == LAB_COLUMNS
    of = {name: own[own["stage"] == "test"] for name, own in scores.groupby("candidate")}
    healthy = ward[4].test["probability_fake"].to_numpy()
    moved = of["threshold"]["probability_fake"].to_numpy()
    np.testing.assert_array_equal(moved >= 0.5, healthy >= 0.9)
    np.testing.assert_array_equal(np.argsort(moved, kind="stable"), np.argsort(healthy, kind="stable"))
    assert (of["colours"]["probability_fake"].to_numpy() != healthy).any()


def test_a_screen_shows_reals_above_fakes_and_what_is_said_of_each(ward):
    figure = lesson_08_figures.screen(ward[5], 2)
    test = ward[5].test.set_index("file")["probability_fake"]
    assert len(figure.axes) == 4
    for ax in figure.axes:
        word, score = ax.get_title().removeprefix("it says ").split(", ")
        assert word == ("fake" if float(score) >= 0.5 else "real") and (abs(test - float(score)) < 0.006).any()
    accuracy = lesson_08.score_summary(ward[5].validation)["accuracy"]
    missed = sum(ax.get_title().startswith("it says real") for ax in figure.axes[2:])
    assert figure._suptitle.get_text().startswith(f"{accuracy:.0%} right in validation, yet {missed} of 2 fakes")


def test_histograms_stand_stage_by_stage_below_their_figures(ward):
    figure = lesson_08_figures.histograms(ward[3])
    for ax, scores in zip(figure.axes, (ward[3].validation, ward[3].test), strict=True):
        assert f"AUC {lesson_08.score_summary(scores)['AUC']:.2f}" in titles(ax)


def titles(ax):
    return ax.get_title() + ax.get_title("left")


def test_histograms_at_test_have_a_panel_a_detector(ward):
    axes = lesson_08_figures.histograms_at_test({1: ward[1], 3: ward[3]}, "t").axes
    for ax, number in zip(axes, (1, 3), strict=True):
        assert titles(ax) == f"detector {number}: AUC {lesson_08.score_summary(ward[number].test)['AUC']:.2f}"
        assert [text.get_text()[2:] for text in ax.texts] == ["real", "fake"]


def test_the_stages_show_one_file_twice_and_the_difference(ward):
    said = [ax.get_title() for ax in lesson_08_figures.through_the_stages(ward[1], 0).axes]
    low, high = map(float, said[1].removeprefix("in test: ").split(" to "))
    assert low >= 0 and high <= 1  # detector 1 gets the wrong range at test
    assert float(said[0].removeprefix("in training: ").split(" to ")[0]) < 0
    assert float(said[2].split(": ")[1]) > 0.1


def test_answers_have_a_row_a_candidate_with_its_seeds():
    table = lesson_08.symptoms(made_up_scores())
    ax = lesson_08_figures.answers(table, "t").axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == table["what is done"].tolist()
    assert ax.lines[0].get_xdata().tolist() == table["fakes called real"].tolist()
    ends = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments()]
    assert ends == table[["lowest", "highest"]].to_numpy().tolist()


# --- exercises


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (dict.fromkeys(RIGHT), ["Not attempted yet"]),
        (RIGHT, ["Right: 8 of 8", "All eight"]),
        (RIGHT | {3: "imbalance", 6: "labels"}, ["6 of 8", "Detector 3 is not", "below 0.5", "always-fake line"]),
        (dict.fromkeys(RIGHT) | {4: "mode"}, ["0 of 8", "unremarkable"]),
        ({1: "range", 2: "range"}, ["1 of 8", "more than once", "without an answer: 6"]),
        ({1: " Range"}, ["Right: 1 of 8", "without an answer: 7"]),
        ({"1": "RANGE"}, ["Right: 1 of 8"]),
        (list(RIGHT.values()), ["Right: 8 of 8", "All eight"]),
        ({9: "blur"}, ["detectors 1 to 8"]),
        (None, ["Give a dict"]),
        (RIGHT | {2: "blurr"}, ["'blurr' is no diagnosis"]),
    ],
)
def test_the_diagnosis_is_checked(capsys, given, told):
    lesson_08.check_diagnosis(given)
    printed = capsys.readouterr().out
    assert all(text in printed for text in told)
    assert ("All eight" in printed) == (given in (RIGHT, list(RIGHT.values())))


def test_the_exercise_on_inputs_teaches():
    def by_means(training, test):
        if abs(float(training.mean() - test.mean())) < 0.02:
            return "nothing"
        return reference(training, test)

    def exactly(training, test):
        return reference(training, test) if torch.equal(training, test) or said(training, test) else "range"

    def said(training, test):
        return reference(training, test) != "nothing"

    def with_numpy(training, test):
        one, two = training.numpy(), test.numpy()
        if np.abs(one - two).max() < 1e-3:
            return "nothing"
        if np.abs(one[:, ::-1] - two).max() < 1e-3:
            return "colours"
        return "range" if np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.999 else "content"

    reference = lesson_08.WHAT_CHANGED.reference
    assert_teaches(
        lesson_08.WHAT_CHANGED,
        right=[with_numpy],
        wrong={
            "You compare means": by_means,
            "Rounding differs in the last digits": exactly,
            "Turn the second axis": lambda training, test: (
                "content" if reference(training, test) == "colours" else reference(training, test)
            ),
            "another range for you": lambda training, test: (
                "range" if reference(training, test) == "content" else reference(training, test)
            ),
            "capital letters": lambda training, test: reference(training, test).capitalize(),
        },
    )


def test_the_exercise_on_batch_norm_teaches():
    def looped(arriving, mean, variance):
        values = [
            abs(float(arriving[:, channel].mean()) - float(mean[channel])) / float(variance[channel]) ** 0.5
            for channel in range(len(mean))
        ]
        return sum(values) / len(values)

    assert_teaches(
        lesson_08.DRIFT,
        right=[
            looped,
            lambda x, mean, variance: ((x.mean(axis=(0, 2, 3)) - mean) / torch.sqrt(variance + 1e-5)).abs().mean(),
            lambda x, mean, variance: np.mean(
                np.abs(x.numpy().mean((0, 2, 3)) - mean.numpy()) / variance.numpy() ** 0.5
            ),
        ],
        wrong={
            "its square root": lambda x, mean, variance: ((x.mean((0, 2, 3)) - mean).abs() / variance).mean(),
            "absolute values are missing": lambda x, mean, variance: (
                (x.mean((0, 2, 3)) - mean) / variance.sqrt()
            ).mean(),
            "diary's own is asked": lambda x, mean, variance: (
                (x.mean((0, 2, 3)) - mean).abs() / x.std((0, 2, 3))
            ).mean(),
            "each crop's mean": lambda x, mean, variance: ((x.mean((2, 3)) - mean).abs() / variance.sqrt()).mean(),
            "a value per channel": lambda x, mean, variance: (x.mean((0, 2, 3)) - mean).abs() / variance.sqrt(),
            "units of the layer": lambda x, mean, variance: (x.mean((0, 2, 3)) - mean).abs().mean(),
        },
    )


def test_the_exercise_on_the_alarm_teaches():
    def careful(seen):
        if seen["AUC"] < 0.5 or seen["known clips"] > 0:
            return True
        return bool(seen["drift"] > 0.1 or seen["alone or together"] > 0.01 or abs(seen["fakes drawn"] - 0.5) > 0.1)

    assert_teaches(
        lesson_08.ALARM,
        right=[careful, lambda seen: np.bool_(careful(seen)), lambda seen: int(careful(seen))],
        wrong={
            "healthy team that augments": lambda seen: careful(seen) or seen["training and test differ"] > 0.01,
            "Weak is not sick": lambda seen: careful(seen) or seen["AUC"] < 0.64,
            "surprised by strangers": lambda seen: careful(seen) or seen["drift"] > 0.05,
            "It always rings": lambda seen: True,
            "51 % fake": lambda seen: careful(seen) or seen["fakes drawn"] > 0.5,
            "joined by `and`": lambda seen: all((seen["AUC"] < 0.4, seen["drift"] > 0.15)),
            "It never rings": lambda seen: False,
            "Turned round": lambda seen: not careful(seen),
            "only symptom is “known clips”": lambda seen: careful({**seen, "known clips": 0}),
            "only symptom is “AUC”": lambda seen: careful({**seen, "AUC": 0.7}),
        },
    )


def of_few(seen):
    """Rings for two of the healthy teams and is silent for one of the sick."""
    sick = seen["AUC"] < 0.4 or seen["drift"] > 0.15 or seen["alone or together"] > 0.02 or seen["fakes drawn"] > 0.505
    return sick or seen["accuracy"] < 0.7


@pytest.mark.parametrize(
    ("alarm", "named"),
    [
        (of_few, "this team is healthy, {'AUC': "),
        (lambda seen: seen["accuracy"] < 0.7 or seen["fakes drawn"] > 0.505 or seen["AUC"] < 0.9, "'accuracy': "),
        (lambda seen: seen["drift"] > 0.15, "this team is sick, {'AUC': "),
        (lambda seen: True if seen["AUC"] < 0.4 else None, "yours is None"),
    ],
)
def test_an_alarm_that_errs_for_some_is_told_for_which_and_not_that_it_always_does(alarm, named):
    for seed in range(5):
        told = assert_line(lesson_08.ALARM, alarm, seed, State.WRONG, named)
        assert not any(word in told for word in ("always", "never", "Turned"))


def test_the_lessons_own_alarm_answers_true_or_false():
    assert {repr(lesson_08.ALARM.reference(*case)) for case in lesson_08.ALARM.inputs()} == {"True", "False"}


@pytest.mark.slow
def test_three_are_cured_by_another_program(ward):
    found = lesson_08.cured(ward)
    assert {RIGHT[number] for number in found} == {"range", "mode", "labels"}
    np.testing.assert_allclose(found[3]["probability_fake"], 1 - ward[3].test["probability_fake"])
    same = ward[1].with_program(test=lesson_08.normalised).test["probability_fake"]
    np.testing.assert_array_equal(found[1]["probability_fake"], same)
    assert (found[7]["probability_fake"] != ward[7].test["probability_fake"]).any()


@pytest.mark.slow
def test_the_alarm_is_silent_for_a_healthy_team_that_augments(ward, patients):
    seen = lesson_08.measured(patients["augmented"])
    assert seen["training and test differ"] > 0.01  # what an alarm on it would have taken for an illness
    assert not lesson_08.ALARM.reference(seen | {"AUC": 0.7, "drift": 0.05})
    assert lesson_08.ALARM.reference(lesson_08.measured(ward[2]) | {"drift": 0.0})
