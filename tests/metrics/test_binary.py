"""Metrics, against answers worked out by hand, against their definitions, and what has to hold for any scores."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from torchfakes_utils.errors import InputError
from torchfakes_utils.metrics.binary import AGGREGATIONS, binary_metrics, by_clip

from helpers.scores import simulated
from helpers.strategies import both_classes, scored_pairs

quick = settings(max_examples=60)

pairs = scored_pairs(2)


def test_a_case_worked_out_by_hand():
    # Reals .1 .4 .6, fakes .35 .8: of the six pairs the fake is higher in .35>.1, .8>.1, .8>.4, .8>.6: 4/6.
    result = binary_metrics([0, 0, 0, 1, 1], [0.1, 0.4, 0.6, 0.35, 0.8])
    assert result["auc"] == pytest.approx(4 / 6)
    assert result["confusion"] == {"tn": 2, "fp": 1, "fn": 1, "tp": 1}
    assert result["accuracy"] == pytest.approx(3 / 5)
    assert result["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert result["always_fake_accuracy"] == pytest.approx(2 / 5)
    assert result["predicted_fake_rate"] == pytest.approx(2 / 5)
    assert result["loss"] == pytest.approx(-np.log([0.9, 0.6, 0.4, 0.35, 0.8]).mean())
    # Missed fakes stay at 1/2 from one false fake of three to two of three: the curve meets the diagonal at 1/2.
    assert result["eer"] == pytest.approx(1 / 2)
    assert (result["n"], result["n_real"], result["n_fake"]) == (5, 3, 2)
    assert result["brier"] == pytest.approx((0.1**2 + 0.4**2 + 0.6**2 + 0.65**2 + 0.2**2) / 5)
    assert (result["fpr"], result["fnr"]) == (pytest.approx(1 / 3), 0.5)
    # Fakes come first and fourth of the five, from the highest score down: precision 1/1 and 2/4.
    assert result["average_precision"] == pytest.approx((1 + 2 / 4) / 2)
    assert set(result["reasons"]) == {"tpr_at_fpr_1pct", "tpr_at_fpr_5pct"}


def test_the_first_projects_balance_makes_always_fake_look_good():
    labels = np.repeat([0, 1], [5500, 21000])
    result = binary_metrics(labels, np.full(len(labels), 0.9))
    assert result["accuracy"] == result["always_fake_accuracy"] == pytest.approx(0.792, abs=1e-3)
    assert result["balanced_accuracy"] == result["auc"] == result["eer"] == 0.5


def test_a_score_at_the_threshold_is_called_fake():
    assert binary_metrics([1], [0.5])["confusion"]["tp"] == 1
    assert binary_metrics([1], [0.5], threshold=0.51)["confusion"]["fn"] == 1


@pytest.mark.parametrize(("label", "word"), [(0, "real"), (1, "fake")])
def test_one_class_gives_null_with_a_reason_never_a_half(label, word):
    result = binary_metrics([label] * 3, [0.2, 0.5, 0.9])
    for name in ("auc", "average_precision", "eer", "balanced_accuracy", "tpr_at_fpr_1pct"):
        assert result[name] is None
        assert word in result["reasons"][name]
    assert result["loss"] is not None
    assert result["accuracy"] is not None


def test_no_scores_at_all():
    result = binary_metrics([], [])
    assert result["n"] == 0
    assert result["accuracy"] is None
    assert result["reasons"]["loss"] == "there are no scores"


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.5, np.nan], "1 of 2 scores"),
        ([0, 1], [0.5, 1.5], "between 0 and 1"),
        ([0, 2], [0.5, 0.5], "1 for fake"),
        ([0, 1], [0.5], "2 labels for 1 scores"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_line(labels, scores, message):
    with pytest.raises(InputError, match=message) as caught:
        binary_metrics(labels, scores)
    assert "\n" not in str(caught.value)


def rates(labels, scores):
    """Threshold by threshold from the highest down, and before them one that nothing reaches: precision, TPR, FPR."""
    called = [scores >= threshold for threshold in [np.inf, *sorted(set(scores), reverse=True)]]
    return [
        (
            labels[which].mean() if which.any() else 1.0,
            (which & (labels == 1)).sum() / (labels == 1).sum(),
            (which & (labels == 0)).sum() / (labels == 0).sum(),
        )
        for which in called
    ]


@quick
@given(pairs)
def test_metrics_are_what_their_definitions_say_and_json(rows):
    labels, scores = both_classes(rows)
    result = json.loads(json.dumps(binary_metrics(labels, scores), allow_nan=False))
    right = [(score >= 0.5) == (label == 1) for label, score in zip(labels, scores, strict=True)]
    assert result["accuracy"] == pytest.approx(np.mean(right))
    wrong = [sum(label == kind and not good for label, good in zip(labels, right, strict=True)) for kind in (0, 1)]
    assert [result["confusion"][name] for name in ("fp", "fn")] == wrong
    assert result["fpr"] == pytest.approx(wrong[0] / result["n_real"])
    assert result["fnr"] == pytest.approx(wrong[1] / result["n_fake"])
    assert sum(result["confusion"].values()) == result["n"] == len(rows)
    # Average precision: the area under precision over recall, in steps.
    steps = itertools.pairwise(rates(labels, scores))
    area = sum(precision * (recall - before) for (_, before, _), (precision, recall, _) in steps)
    assert result["average_precision"] == pytest.approx(area)
    of_the_truth = np.clip(np.where(labels == 1, scores, 1 - scores), 1e-300, 1)
    if of_the_truth.min() > 1e-9:
        assert result["loss"] == pytest.approx(-np.log(of_the_truth).mean())
    assert result["brier"] == pytest.approx(((1 - of_the_truth) ** 2).mean())


def test_fakes_found_at_few_false_alarms():
    # Twenty reals: 5 % of them is one. Above the highest real but one lie three of four fakes, above the highest two.
    reals = [*np.linspace(0.05, 0.6, 19).tolist(), 0.9]
    labels, scores = [0] * 20 + [1] * 4, [*reals, 0.95, 0.92, 0.7, 0.3]
    measured = binary_metrics(labels, scores)
    assert measured["tpr_at_fpr_5pct"] == 0.75
    assert measured["tpr_at_fpr_1pct"] is None, "less than one of twenty cannot be told from none"
    assert "it takes 100" in measured["reasons"]["tpr_at_fpr_1pct"]


@pytest.mark.parametrize("seed", range(5))
def test_fakes_found_at_a_rate_are_the_most_that_any_threshold_finds(seed):
    table = simulated(np.random.default_rng(seed), 100 + 7 * seed, 60)
    labels, scores = table["label"].to_numpy(), table["probability_fake"].round(2).to_numpy()
    measured = binary_metrics(labels, scores)
    for name, level in (("tpr_at_fpr_1pct", 0.01), ("tpr_at_fpr_5pct", 0.05)):
        most = max(tpr for _, tpr, fpr in rates(labels, scores) if fpr <= level + 1e-12)
        assert measured[name] == pytest.approx(most)


@quick
@given(pairs)
def test_auc_is_the_share_of_pairs_in_the_right_order(rows):
    labels, scores = both_classes(rows)
    fakes, reals = scores[labels == 1][:, None], scores[labels == 0]
    share = ((fakes > reals) + 0.5 * (fakes == reals)).mean()
    assert binary_metrics(labels, scores)["auc"] == pytest.approx(share)


def eer(labels, scores):
    return binary_metrics(labels, scores)["eer"]


def test_equal_error_rates_by_hand():
    # From 0.7 on no real and three of four fakes are called fake, from 0.6 on one real of three: between the two, a
    # quarter of the fakes is missed, and somewhere a quarter of the reals called fake.
    assert eer([0, 0, 0, 1, 1, 1, 1], [0.1, 0.2, 0.6, 0.5, 0.7, 0.8, 0.9]) == pytest.approx(1 / 4)
    # A tie takes the curve from (0, 1/2) to (1/2, 1) in one go; it meets the diagonal half-way.
    assert eer([0, 0, 1, 1], [0.1, 0.5, 0.5, 0.9]) == pytest.approx(1 / 4)
    assert eer([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == 0
    assert eer([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]) == 1


@pytest.mark.slow
@quick
@given(pairs)
@example([(0, 0.25)] * 4 + [(0, 0.5), (1, 0.0)])
def test_equal_error_rate_properties(rows):
    labels, scores = both_classes(rows)
    scores = np.round(scores, 6)  # what differs, differs also when it is turned round and stretched
    rate = eer(labels, scores)
    assert 0 <= rate <= 1
    # Exchanging the classes and turning the scores round is the same question.
    assert eer(1 - labels, 1 - scores) == pytest.approx(rate)
    # Turning only the scores round mirrors the ROC curve.
    assert eer(labels, 1 - scores) == pytest.approx(1 - rate)
    # Only the order counts.
    assert eer(labels, (scores + 1) / 3) == pytest.approx(rate)
    if scores[labels == 1].min() > scores[labels == 0].max():
        assert rate == 0


def scores_table(**changed):
    table = pd.DataFrame(
        {
            "clip_id": ["000_003"] * 4 + ["000"],
            "method": ["Deepfakes", "Deepfakes", "FaceSwap", "FaceSwap", "youtube"],
            "compression": ["c23", "c23", "c23", "c40", "c23"],
            "split": "test",
            "label": [1, 1, 1, 1, 0],
            "probability_fake": [0.2, 0.6, 0.9, 0.7, 0.1],
        }
    )
    return table.assign(**changed)


def test_clips_of_one_name_but_another_method_or_compression_stay_apart():
    clips = by_clip(scores_table())
    key = clips.set_index(["method", "compression", "clip_id"])
    assert len(clips) == 4
    assert key.loc[("Deepfakes", "c23", "000_003"), "probability_fake"] == pytest.approx(0.4)
    assert key.loc[("Deepfakes", "c23", "000_003"), "frames"] == 2
    assert key.loc[("FaceSwap", "c40", "000_003"), "probability_fake"] == pytest.approx(0.7)
    assert clips["split"].tolist() == ["test"] * 4


def test_by_clip_does_not_depend_on_the_order_of_rows():
    shuffled = scores_table().sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(by_clip(shuffled), by_clip(scores_table()))


@pytest.mark.parametrize("column", ["label", "split"])
def test_frames_that_disagree_about_their_clip_are_refused(column):
    values = {"label": [1, 0, 1, 1, 0], "split": ["train", "test", "test", "test", "test"]}[column]
    with pytest.raises(InputError, match=f"Deepfakes/c23/000_003.*{column}"):
        by_clip(scores_table(**{column: values}))


def test_by_clip_of_nothing_is_an_empty_table():
    assert by_clip(scores_table().iloc[:0]).empty


def test_ways_to_score_a_clip():
    table = pd.DataFrame({"clip_id": "a", "method": "m", "compression": "c", "label": 1,
                          "probability_fake": [0.1, 0.2, 0.2, 0.3, 0.9, 0.8, 0.5, 0.4]})  # fmt: skip
    scores = {how: by_clip(table, how)["probability_fake"].item() for how in AGGREGATIONS}
    assert scores["mean"] == pytest.approx(3.4 / 8)
    assert scores["median"] == pytest.approx(0.35)
    assert scores["top quarter"] == pytest.approx((0.9 + 0.8) / 2)
    # Odds of 9 to 1 and 1 to 1: their geometric mean is 3 to 1.
    assert by_clip(table.head(2).assign(probability_fake=[0.9, 0.5]), "mean logit")["probability_fake"].item() == (
        pytest.approx(0.75)
    )
    with pytest.raises(InputError, match="mean, median, top quarter, mean logit"):
        by_clip(table, "max")


@quick
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from(list(AGGREGATIONS)))
def test_a_clip_scores_between_its_frames_and_frames_have_no_order(values, how):
    table = pd.DataFrame({"clip_id": "a", "method": "m", "compression": "c", "label": 1, "probability_fake": values})
    score = by_clip(table, how)["probability_fake"].item()
    assert min(values) - 1e-9 <= score <= max(values) + 1e-9
    assert by_clip(table.iloc[::-1], how)["probability_fake"].item() == pytest.approx(score)


def test_a_score_that_is_no_number_is_said_and_not_left_out():
    with pytest.raises(InputError, match="1 of 5 scores are not numbers"):
        by_clip(scores_table(probability_fake=[0.2, np.nan, 0.9, 0.7, 0.1]))
