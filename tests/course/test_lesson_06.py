"""Lesson 06's exercises teach: pairs in order, a desk's bill, a threshold chosen here and billed there."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from torchfakes_utils.course import lesson_06, lesson_06_desks

from helpers.exercises import assert_teaches

LABELS = [0, 0, 0, 0, 1, 1, 1, 1]
SCORES = [0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9]


def looped_auc(labels, scores):
    right = pairs = 0
    for fake, is_fake in zip(scores, labels, strict=True):
        for real, other in zip(scores, labels, strict=True):
            if is_fake == 1 and other == 0:
                right += 1 if fake > real else 0.5 if fake == real else 0
                pairs += 1
    return right / pairs


def torch_auc(labels, scores):
    fakes, reals = (torch.tensor(scores[labels == label]) for label in (1, 0))
    return (torch.sign(fakes[:, None] - reals[None, :]).mean() + 1) / 2


def in_one_order(labels, scores, first):
    right = []
    for i in range(len(labels)):
        for j in range(i + 1, len(labels)):
            if labels[i] == first and labels[j] != first:
                gap = scores[i] - scores[j] if first else scores[j] - scores[i]
                right.append(1 if gap > 0 else 0.5 if gap == 0 else 0)
    return np.mean(right)


def test_auc_by_pairs_teaches():
    assert_teaches(
        lesson_06.AUC,
        right=[looped_auc, torch_auc, roc_auc_score, lambda labels, scores: [looped_auc(labels, scores)][0]],
        wrong={
            "A tie counts as a whole pair":
                lambda labels, scores: np.mean(scores[labels == 1][:, None] >= scores[labels == 0]),
            "A tie counts nothing": lambda labels, scores: np.mean(scores[labels == 1][:, None] > scores[labels == 0]),
            "have changed places": lambda labels, scores: looped_auc(1 - labels, scores),
            "how many pairs": lambda labels, scores: looped_auc(labels, scores) * sum(labels == 1) * sum(labels == 0),
            "the fake clip comes first": lambda labels, scores: in_one_order(labels, scores, 0),
            "the real clip comes first": lambda labels, scores: in_one_order(labels, scores, 1),
            "That is 0.5 for any scores": lambda labels, scores: (
                (scores[:, None] > scores).mean() + (scores[:, None] == scores).mean() / 2),
            "in per cent": lambda labels, scores: 100 * roc_auc_score(labels, scores),
            "accuracy at 0.5": lambda labels, scores: ((scores >= 0.5) == (labels == 1)).mean(),
            "a single number is expected": lambda labels, scores: scores[labels == 1][:, None] > scores[labels == 0],
        },
    )  # fmt: skip


def looped_cost(labels, scores, threshold, fakes, miss, alarm):
    reals = [score for score, label in zip(scores, labels, strict=True) if label == 0]
    others = [score for score, label in zip(scores, labels, strict=True) if label == 1]
    alarms = sum(score >= threshold for score in reals) / len(reals)
    misses = sum(score < threshold for score in others) / len(others)
    return 100 * (1 - fakes) * alarms * alarm + 100 * fakes * misses * miss


def test_a_desks_cost_teaches():
    def by_sklearn(labels, scores, threshold, fakes, miss, alarm):
        from sklearn.metrics import confusion_matrix

        tn, fp, fn, tp = confusion_matrix(labels, scores >= threshold).ravel()
        return 100 * ((1 - fakes) * fp / (fp + tn) * alarm + fakes * fn / (fn + tp) * miss)

    def with_torch(labels, scores, *rest):
        return torch.tensor(looped_cost(labels, scores, *rest))

    def ours(labels, scores, threshold, fakes, miss, alarm):
        wrong = (scores >= threshold) != (labels == 1)
        return 100 * np.mean(wrong * np.where(labels == 1, miss, alarm))

    def of_all(labels, scores, threshold, fakes, miss, alarm):
        called = scores >= threshold
        alarms, misses = (called & (labels == 0)).mean(), (~called & (labels == 1)).mean()
        return 100 * ((1 - fakes) * alarms * alarm + fakes * misses * miss)

    assert_teaches(
        lesson_06.COST,
        right=[looped_cost, by_sklearn, with_torch],
        wrong={
            "*our* mix of clips": ours,
            "shares of all clips": of_all,
            "two costs have changed places": lambda *words: looped_cost(*words[:4], words[5], words[4]),
            ">= and not >": lambda labels, scores, threshold, *rest:
                looped_cost(labels, scores, threshold + 1e-9, *rest),
            "Each error rate counts in full": lambda labels, scores, threshold, fakes, miss, alarm:
                2 * looped_cost(labels, scores, threshold, 0.5, miss, alarm),
            "two shares have changed": lambda labels, scores, threshold, fakes, *rest:
                looped_cost(labels, scores, threshold, 1 - fakes, *rest),
            "misses are forgotten": lambda *words: looped_cost(*words[:4], 0, words[5]),
            "alarms are forgotten": lambda *words: looped_cost(*words[:5], 0),
            "for one clip": lambda *words: looped_cost(*words) / 100,
            "is expected": lambda *words: -looped_cost(*words),
        },
    )  # fmt: skip


def test_a_bill_on_other_people_teaches():
    def looped(labels, scores, people, half, choose, cost):
        own = np.array([person in list(half) for person in people])
        threshold = choose(labels[own], scores[own])
        return [cost(labels[part], scores[part], threshold) for part in (own, ~own)]

    def with_rows(labels, scores, people, half, choose, cost):
        own, others = (np.flatnonzero(np.isin(people, half) == wanted) for wanted in (True, False))
        threshold = choose(labels[own], scores[own])
        both = [cost(labels[rows], scores[rows], threshold) for rows in (own, others)]
        return torch.tensor(both, dtype=torch.float64)

    def on_all(labels, scores, people, half, choose, cost):
        own, threshold = np.isin(people, half), choose(labels, scores)
        return cost(labels[own], scores[own], threshold), cost(labels[~own], scores[~own], threshold)

    def twice(labels, scores, people, half, choose, cost):
        own = np.isin(people, half)
        return [cost(labels[part], scores[part], choose(labels[part], scores[part])) for part in (own, ~own)]

    def bill_of_all(labels, scores, people, half, choose, cost):
        own = np.isin(people, half)
        threshold = choose(labels[own], scores[own])
        return cost(labels[own], scores[own], threshold), cost(labels, scores, threshold)

    def threshold_of(labels, scores, people, half, choose, cost):
        own = np.isin(people, half)
        return choose(labels[own], scores[own])

    assert_teaches(
        lesson_06.CHOICE,
        right=[looped, with_rows],
        wrong={
            "has seen everybody's clips": on_all,
            "You choose anew": twice,
            "holds the clips that the threshold was chosen on": bill_of_all,
            "promise them the bill": lambda labels, scores, people, half, *rest:
                looped(labels, scores, people, sorted(set(people) - set(half)), *rest),
            "two numbers have changed places": lambda *words: looped(*words)[::-1],
            "That is the threshold": threshold_of,
            "The first number is the threshold": lambda *words: (threshold_of(*words), looped(*words)[1]),
            "the bill alone": lambda *words: looped(*words)[1],
            "yours is a single number, and two numbers are expected": lambda *words: sum(looped(*words)),
        },
    )  # fmt: skip


def test_the_lessons_auc_is_scikit_learns_and_takes_lists():
    assert lesson_06.auc_by_pairs(LABELS, SCORES) == pytest.approx(roc_auc_score(LABELS, SCORES))


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        (None, "Not attempted yet"),
        (..., "Not attempted yet"),
        (2.0, "no number between 0 and 1"),
        ("high", "no number between 0 and 1"),
        (float("nan"), "no number between 0 and 1"),
        ([0.3, 0.4], "no number between 0 and 1"),
        (0.65, "Right, on these clips"),
        (np.float32(0.65), "Right, on these clips"),
        (torch.tensor(0.65), "Right, on these clips"),
        ("0,65", "Right, on these clips"),
        (" 65 % ", "Right, on these clips"),
        (np.array([0.65]), "Right, on these clips"),
        (torch.tensor([0.65]), "Right, on these clips"),
        ("65", "no number between 0 and 1"),
        ("%", "no number between 0 and 1"),
        (0.0, "no better than no detector. Your false alarms cost most"),
        (1.0, "no better than no detector. Your misses cost most"),
        (0.85, "Most of what is lost are misses. A little down?"),
    ],
)
def test_a_threshold_is_judged_beside_the_cheapest_and_beside_no_detector(capsys, threshold, said):
    lesson_06.check_threshold(threshold, LABELS, SCORES, lesson_06_desks.NEWSROOM)
    assert said in capsys.readouterr().out


def test_as_much_as_no_detector_is_no_better_than_that(capsys):
    """Calling nothing fake costs what believing everybody costs: 500 of 500 points."""
    desk = lesson_06_desks.Desk("dating site", fakes=0.05, miss=100, alarm=20, look=10)
    lesson_06.check_threshold(1.0, LABELS, SCORES, desk)
    assert "loses 500 points" in (said := capsys.readouterr().out) and "no better than no detector" in said
