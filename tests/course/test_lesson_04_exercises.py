"""What lesson 04's checks say: right solutions however they are written, and the mistakes that learners make."""

import math

import numpy as np
import pandas as pd
import torch
from sklearn import metrics

from torchfakes_utils.course import lesson_04
from torchfakes_utils.course.practice import State

from helpers.exercises import assert_line, assert_teaches


def looped_split(groups, order, share):
    away, train, out = list(order)[: round(share * len(order))], [], []
    for row, group in enumerate(groups):
        (out if group in away else train).append(row)
    return train, out


def by_torch(groups, order, share):
    train, out = looped_split(groups, order, share)
    return torch.tensor(train), torch.tensor(out)


def test_hold_out():
    def chosen(order, share):
        return order[: round(share * len(order))]

    assert_teaches(
        lesson_04.HOLD_OUT,
        right=[
            looped_split,
            by_torch,
            lambda groups, order, share: (
                np.where(~pd.Series(groups).isin(chosen(order, share)))[0],
                np.where(pd.Series(groups).isin(chosen(order, share)))[0],
            ),
            lambda groups, order, share: tuple(map(set, looped_split(groups, order, share))),
        ],
        wrong={
            "hold out rows": lambda groups, order, share: (
                list(range(round(share * len(groups)), len(groups))), list(range(round(share * len(groups)))),
            ),
            "sides are swapped": lambda groups, order, share: looped_split(groups, order, share)[::-1],
            "True and False for each row": lambda groups, order, share: (
                ~np.isin(groups, chosen(order, share)), np.isin(groups, chosen(order, share)),
            ),
            "You give names": lambda groups, order, share: (order[len(chosen(order, share)) :], chosen(order, share)),
            "order of the alphabet": lambda groups, order, share: looped_split(groups, sorted(set(groups)), share),
            "the last names": lambda groups, order, share: looped_split(groups, order[::-1], share),
            "int() cuts off": lambda groups, order, share: (
                np.flatnonzero(~np.isin(groups, order[: int(share * len(order))])),
                np.flatnonzero(np.isin(groups, order[: int(share * len(order))])),
            ),
            "math.ceil() rounds up": lambda groups, order, share: looped_split(
                groups, order, math.ceil(share * len(order)) / len(order)
            ),
            "does not look into a set": lambda groups, order, share: (
                np.flatnonzero(~np.isin(groups, set(chosen(order, share)))),
                np.flatnonzero(np.isin(groups, set(chosen(order, share)))),
            ),
            "np.where gives a tuple": lambda groups, order, share: (
                np.where(~np.isin(groups, chosen(order, share))), np.where(np.isin(groups, chosen(order, share))),
            ),
            "for hold_out(['b', 'a', 'b', 'c'], ['b', 'c', 'a'], 0.3333), of the rows held out, yours": (
                lambda groups, order, share: (looped_split(groups, order, share)[0], [])
            ),
            "two arrays of row numbers are expected": lambda *words: np.array(looped_split(*words)[0]),
        },
    )  # fmt: skip


def by_rows(training, held_out):
    people = {name for row in training.itertuples() for name in (row.target_id, row.source_id) if name}
    known = [row for row in held_out.itertuples() if row.target_id in people or row.source_id in people]
    return len(known) / len(held_out)


def by_array(training, held_out):
    columns = ["target_id", "source_id"]
    people = np.setdiff1d(training[columns].to_numpy().ravel().astype(str), [""])
    return np.isin(held_out[columns].to_numpy().astype(str), people).any(axis=1).mean()


def test_share_known():
    def people_of(rows, nobody=False):
        return (set(rows["target_id"]) | set(rows["source_id"])) - (set() if nobody else {""})

    def known(training, held_out, column, nobody=False):
        return held_out[column].isin(people_of(training, nobody))

    assert_teaches(
        lesson_04.SHARE_KNOWN,
        right=[by_rows, by_array, lambda training, held_out: torch.tensor(by_rows(training, held_out))],
        wrong={
            "for the target alone": lambda training, held_out: known(training, held_out, "target_id").mean(),
            "for the source alone": lambda training, held_out: known(training, held_out, "source_id").mean(),
            "sources with sources": lambda training, held_out: (
                held_out["target_id"].isin(training["target_id"])
                | held_out["source_id"].isin(set(training["source_id"]) - {""})
            ).mean(),
            "targets with targets only": lambda training, held_out: (
                held_out["target_id"].isin(training["target_id"]).mean()
            ),
            "empty name is nobody": lambda training, held_out: (
                known(training, held_out, "target_id", True) | known(training, held_out, "source_id", True)
            ).mean(),
            "not & (and)": lambda training, held_out: (
                known(training, held_out, "target_id") & known(training, held_out, "source_id")
            ).mean(),
            "You count people": lambda training, held_out: (
                len(people_of(held_out) & people_of(training)) / len(people_of(held_out))
            ),
            "number of crops": lambda training, held_out: by_rows(training, held_out) * len(held_out),
            "nobody known": lambda training, held_out: 1 - by_rows(training, held_out),
            "A real clip shows somebody": lambda training, held_out: by_rows(
                training.query("source_id != ''"), held_out
            ),
            "real ones too": lambda training, held_out: by_rows(training, held_out.query("source_id != ''")),
            "for share_known({'target_id': ['000'], 'source_id': ['003']}, {'target_id': ['0": lambda *tables: 0.25,
        },
    )


def recall(labels, answers, label):
    return (answers[labels == label] == label).mean()


def test_balanced_accuracy():
    assert_teaches(
        lesson_04.BALANCED_ACCURACY,
        right=[
            metrics.balanced_accuracy_score,
            lambda labels, answers: np.mean([recall(labels, answers, label) for label in (0, 1)]),
            lambda labels, answers: torch.tensor([recall(labels, answers, label) for label in (0, 1)]).mean(),
            lambda labels, answers: sum(
                sum(said == label for truth, said in zip(labels, answers, strict=True) if truth == label)
                / list(labels).count(label)
                for label in (0, 1)
            ) / 2,
        ],
        wrong={
            "is accuracy": metrics.accuracy_score,
            "of the fakes that are found": metrics.recall_score,
            "of the reals that are found": lambda labels, answers: recall(labels, answers, 0),
            "You add the two shares": lambda labels, answers: recall(labels, answers, 0) + recall(labels, answers, 1),
            "precision": lambda labels, answers: metrics.precision_score(labels, answers, average="macro"),
            "divide by all crops": lambda labels, answers: (labels == answers).mean() / 2,
            "share of mistakes": lambda labels, answers: 1 - metrics.balanced_accuracy_score(labels, answers),
            "for balanced_accuracy([0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 0]), yours is 0.75": lambda labels, answers: (
                metrics.f1_score(labels, answers)
            ),
        },
    )  # fmt: skip


def by_method(methods):
    counts = {name: list(methods).count(name) for name in set(methods)}
    return [(0.5 if name == "real" else 0.5 / (len(counts) - 1)) / counts[name] for name in methods]


def in_pandas(methods):
    names = pd.Series(methods)
    counts = names.value_counts()
    share = pd.Series(1 / 2 / (len(counts) - 1), index=counts.index)
    share["real"] = 1 / 2
    return names.map(share) / names.map(counts)


def test_sampler_weights():
    def count(methods):
        return pd.Series(methods).groupby(methods).transform("size").to_numpy()

    assert_teaches(
        lesson_04.SAMPLER_WEIGHTS,
        right=[
            by_method,
            in_pandas,
            lambda methods: torch.tensor(by_method(methods)) * 400,  # only proportions count
        ],
        wrong={
            "share of its whole group": lambda methods: np.where(methods == "real", len(set(methods)) - 1, 1),
            "the manipulations are not": lambda methods: 1 / np.bincount(methods == "real")[(methods == "real") * 1],
            "All groups weigh the same": lambda methods: 1 / count(methods),
            "yours are for each method": lambda methods: [
                (0.5 if name == "real" else 0.5 / (len(set(methods)) - 1)) / list(methods).count(name)
                for name in sorted(set(methods))
            ],
            "You multiply by": lambda methods: np.where(methods == "real", len(set(methods)) - 1, 1) * count(methods),
            "plain shuffle": lambda methods: np.full(len(methods), 1 / len(methods)),
            "Your weight grows": lambda methods: count(methods) / len(methods),
            "for sampler_weights(['real', 'real', 'A', 'B', 'A']), in proportion, yours has": lambda methods: np.arange(
                1, len(methods) + 1
            ),
        },
    )


def test_weights_that_are_none_are_told_apart():
    assert "a single number" in assert_line(lesson_04.SAMPLER_WEIGHTS, lambda methods: 0.5, 0, State.WRONG)
    assert "is expected" in assert_line(lesson_04.SAMPLER_WEIGHTS, lambda methods: "half", 0, State.WRONG)
    assert_line(lesson_04.SAMPLER_WEIGHTS, lambda methods: np.zeros(len(methods)), 0, State.WRONG)
