"""What lesson 08 measures, draws and checks, on a lab of noise."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.course import lesson_08
from torchfakes_utils.course.lab import LAB_COLUMNS
from torchfakes_utils.course.patients import PATIENTS
from torchfakes_utils.course.teams import CANDIDATES

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
def test_every_illness_shows_in_its_own_column(ward):
    chart = lesson_08.chart(ward)
    of = {name: chart.loc[number] for number, name in RIGHT.items()}
    assert (chart["lowest input"] >= 0).sum() == 1 and of["range"]["lowest input"] >= 0
    assert (chart["company"] > 1e-3).sum() == 1 and of["mode"]["company"] > 1e-3
    assert (chart["known clips"] > 0).sum() == 1 and of["split"]["known clips"] > 0.5
    assert (chart["fakes drawn"] > 0.6).sum() == 1 and of["imbalance"]["fakes drawn"] > 0.6
    only_fakes, only_reals = chart["change, reals"] == 0, chart["change, fakes"] == 0
    assert only_fakes[5] and not only_reals[5] and only_reals[8] and not only_fakes[8]
    assert of["healthy"][["change, reals", "change, fakes", "company", "known clips"]].sum() == 0


@pytest.mark.slow
def test_sharpness_of_what_reaches_the_network(ward):
    assert lesson_08.edges(ward[5], "training", 1) < lesson_08.edges(ward[5], "test", 1) / 2
    assert lesson_08.edges(ward[8], "training", 0) > lesson_08.edges(ward[8], "test", 0)
    assert lesson_08.edges(ward[5], "training", 0) == lesson_08.edges(ward[5], "test", 0)


@pytest.mark.slow
def test_drift_is_counted_in_standard_deviations(ward):
    """Averages set to those of the test inputs drift by nought; moved by two deviations, by two."""
    patient = ward[4]
    norm = next(m for m in patient.detector.modules() if isinstance(m, torch.nn.BatchNorm2d))
    seen = []
    hook = norm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        patient.detector(patient.inputs("test", patient.tested_on))
    hook.remove()
    kept = norm.running_mean.clone()
    try:
        norm.running_mean.copy_(seen[0].mean((0, 2, 3)))
        assert lesson_08.drift(patient)["block1"] == pytest.approx(0, abs=1e-5)
        norm.running_mean.add_(2 * (norm.running_var + norm.eps).sqrt())
        assert lesson_08.drift(patient)["block1"] == pytest.approx(2, abs=1e-4)
    finally:
        norm.running_mean.copy_(kept)
    assert not norm._forward_pre_hooks


def made_up_scores():
    rng, rows = np.random.default_rng(0), []
    for candidate in ("healthy", "labels"):
        for seed in (0, 1):
            for stage in ("validation", "test"):
                for label in (0, 1, 1):
                    score = 0.2 + 0.6 * label if candidate == "healthy" or stage == "validation" else 0.8 - 0.6 * label
                    rows.append([candidate, seed, stage, "m", "c23", "x", 0, label, score + rng.uniform(-0.1, 0.1)])
    return pd.DataFrame(rows, columns=LAB_COLUMNS)


def test_symptoms_are_means_and_ranges_over_seeds():
    table = lesson_08.symptoms(made_up_scores())
    assert list(table.index) == [CANDIDATES[name].name for name in ("healthy", "labels")]
    plain = table.map(lambda text: text.replace("\u2060", ""))
    assert plain["test AUC"].tolist() == ["1.00 (1.00–1.00)", "0.00 (0.00–0.00)"]
    assert plain["called fake"].tolist() == ["0.67 (0.67–0.67)", "0.33 (0.33–0.33)"]


def test_a_screen_shows_reals_above_fakes_and_what_is_said_of_each(ward):
    figure = lesson_08.screen(ward[5], 2)
    test = ward[5].test.set_index("file")["probability_fake"]
    assert len(figure.axes) == 4
    for ax in figure.axes:
        word, score = ax.get_title().removeprefix("it says ").split(", ")
        assert word == ("fake" if float(score) >= 0.5 else "real") and (abs(test - float(score)) < 0.006).any()
    accuracy = lesson_08.score_summary(ward[5].validation)["accuracy"]
    assert figure._suptitle.get_text().startswith(f"Validation accuracy {accuracy:.0%}.")


def test_histograms_stand_stage_by_stage_below_their_figures(ward):
    figure = lesson_08.histograms(ward[3])
    for ax, scores in zip(figure.axes, (ward[3].validation, ward[3].test), strict=True):
        assert f"AUC {lesson_08.score_summary(scores)['AUC']:.2f}" in (ax.get_title() or ax.get_title("left"))


def test_the_stages_show_one_file_twice_and_the_difference(ward):
    titles = [ax.get_title() for ax in lesson_08.through_the_stages(ward[1], 0).axes]
    low, high = map(float, titles[1].removeprefix("test: ").split(" to "))
    assert low >= 0 and high <= 1  # detector 1 gets the wrong range at test
    assert float(titles[0].removeprefix("training: ").split(" to ")[0]) < 0
    assert float(titles[2].split(": ")[1]) > 0.1


def test_answers_have_a_row_a_candidate_and_a_point_a_seed():
    ax = lesson_08.answers(made_up_scores()).axes[0]
    names = [CANDIDATES[name].name for name in ("healthy", "labels")]
    assert [text.get_text() for text in ax.get_yticklabels()] == names
    assert [list(line.get_xdata()) for line in ax.lines[:4]] == [[0, 0], [1, 1], [1, 1], [0, 0]]


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
        (RIGHT | {2: "blurr"}, ["'blurr' is no diagnosis"]),
    ],
)
def test_the_diagnosis_is_checked(capsys, given, told):
    lesson_08.check_diagnosis(given)
    printed = capsys.readouterr().out
    assert all(text in printed for text in told)
    assert ("All eight" in printed) == (given == RIGHT)


@pytest.mark.parametrize(
    ("alarm", "told"),
    [
        (lambda patient: None, "Not attempted yet"),
        (lambda patient: True, "always rings is switched off"),
        (lambda patient: False, "0 of 7 sick detectors, and the healthy one is left in peace"),
        (lambda patient: lesson_08.known_clips(patient) == 0, "leave room for that"),  # the wrong way round
        (lambda patient: lesson_08.company(patient) > 0.001, "1 of 7"),
    ],
)
def test_the_alarm_is_tried(ward, capsys, alarm, told):
    lesson_08.check_alarm(alarm, list(ward.values()))
    assert told in capsys.readouterr().out
