"""Lesson 06b's exercises teach: a bootstrap of clips, the calibration error, one line that can be checked."""

from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from torchfakes_utils.course import lesson_06b, practice
from torchfakes_utils.course import lesson_06b_figures as figures
from torchfakes_utils.course.lesson_06 import auc_by_pairs
from torchfakes_utils.course.lesson_06b_bootstrap import interval_difference
from torchfakes_utils.metrics.calibration import reliability

from helpers.exercises import assert_line, assert_teaches

matplotlib.use("Agg")


def drawn(labels, scores, rows, replicates, replace=True, seed=5):
    """AUCs of data sets drawn in another way than the lesson's."""
    generator = np.random.default_rng(seed)
    for _ in range(replicates):
        own = np.concatenate([rows[i] for i in generator.choice(len(rows), len(rows), replace=replace)])
        yield auc_by_pairs(labels[own], scores[own])


def rows_of(units):
    return [np.flatnonzero(units == unit) for unit in np.unique(units)]


def by_percentile(labels, scores, units, replicates):
    return np.percentile(list(drawn(labels, scores, rows_of(units), replicates)), [2.5, 97.5]).tolist()


def sorted_by_hand(labels, scores, units, replicates):
    values = sorted(drawn(labels, scores, rows_of(units), replicates, seed=9))
    return values[round(0.025 * replicates)], values[round(0.975 * replicates) - 1]


def with_torch(labels, scores, units, replicates):
    values = torch.tensor(list(drawn(labels, scores, rows_of(units), replicates, seed=3)))
    return torch.quantile(values, torch.tensor([0.025, 0.975], dtype=values.dtype))


def with_pandas(labels, scores, units, replicates):
    groups = [own.index.to_numpy() for _, own in pd.DataFrame({"unit": units}).groupby("unit")]
    return pd.Series(drawn(labels, scores, groups, replicates, seed=2)).quantile([0.025, 0.975])


def crops(labels, scores, units, replicates):
    return np.quantile(list(drawn(labels, scores, rows_of(np.arange(len(labels))), replicates)), [0.025, 0.975])


def once_each(labels, scores, units, replicates):
    return np.quantile(list(drawn(labels, scores, rows_of(units), 20, replace=False)), [0.025, 0.975])


def one_deviation(labels, scores, units, replicates):
    values = list(drawn(labels, scores, rows_of(units), replicates))
    return np.mean(values) - np.std(values), np.mean(values) + np.std(values)


def of_the_normal(labels, scores, units, replicates):
    values = list(drawn(labels, scores, rows_of(units), replicates))
    return np.mean(values) - 1.96 * np.std(values), np.mean(values) + 1.96 * np.std(values)


def middle(low, high):
    return lambda labels, scores, units, replicates: np.quantile(
        list(drawn(labels, scores, rows_of(units), replicates)), [low, high]
    )


def quantiles(values):
    return np.quantile(list(values), [0.025, 0.975])


def auc_of(labels, scores, rows, units):
    own = np.concatenate([rows[unit] for unit in units])
    return auc_by_pairs(labels[own], scores[own])


def once_at_most(labels, scores, units, replicates):
    generator, names = np.random.default_rng(5), np.unique(units)
    inside = (np.isin(units, generator.choice(names, len(names))) for _ in range(replicates))
    return quantiles(auc_by_pairs(labels[own], scores[own]) for own in inside)


def as_many_as_rows(labels, scores, units, replicates):
    generator, rows = np.random.default_rng(5), rows_of(units)
    return quantiles(auc_of(labels, scores, rows, generator.integers(0, len(rows), len(units)))
                     for _ in range(replicates))  # fmt: skip


def mean_first(labels, scores, units, replicates):
    rows = rows_of(units)
    first, means = (np.array(each) for each in zip(*[(labels[own[0]], scores[own].mean()) for own in rows],
                                                   strict=True))  # fmt: skip
    return quantiles(drawn(first, means, np.arange(len(rows))[:, None], replicates, seed=9))


def classes_apart(labels, scores, units, replicates):
    generator, rows = np.random.default_rng(5), rows_of(units)
    parts = [[i for i, own in enumerate(rows) if labels[own[0]] == label] for label in (0, 1)]
    return quantiles(auc_of(labels, scores, rows, np.concatenate([generator.choice(p, len(p)) for p in parts]))
                     for _ in range(replicates))  # fmt: skip


def crops_again(labels, scores, units, replicates):
    generator, rows = np.random.default_rng(5), rows_of(units)
    again = (
        [generator.choice(rows[unit], len(rows[unit])) for unit in generator.integers(0, len(rows), len(rows))]
        for _ in range(replicates)
    )
    return quantiles(auc_of(labels, scores, own, range(len(own))) for own in again)


def never_the_last(labels, scores, units, replicates):
    generator, rows = np.random.default_rng(5), rows_of(units)
    return quantiles(auc_of(labels, scores, rows, generator.integers(0, len(rows) - 1, len(rows)))
                     for _ in range(replicates))  # fmt: skip


def not_joined(labels, scores, units, replicates):
    generator, rows, values = np.random.default_rng(5), rows_of(units), []
    for _ in range(replicates):
        own = [rows[unit] for unit in generator.integers(0, len(rows), len(rows))]
        values.append(auc_by_pairs(labels[own], scores[own]))
    return quantiles(values)


def with_tables(labels, scores, units, replicates):  # slow, and likely
    table, generator, values = pd.DataFrame({"label": labels, "score": scores}), np.random.default_rng(1), []
    tables = [own for _, own in table.groupby(units)]
    for _ in range(replicates):
        own = pd.concat([tables[unit] for unit in generator.choice(len(tables), len(tables))])
        values.append(roc_auc_score(own["label"], own["score"]))
    return np.quantile(values, [0.025, 0.975])


@pytest.mark.slow
def test_the_bootstrap_teaches():
    for seed in range(2):  # as narrow as the middle 90 %, so that both are asked about
        assert_line(lesson_06b.BOOTSTRAP, once_at_most, seed, practice.State.WRONG, "drawn twice count twice?")
    assert practice.judge(lesson_06b.BOOTSTRAP, with_tables).state is practice.State.RIGHT
    assert_teaches(
        lesson_06b.BOOTSTRAP,
        right=[by_percentile, sorted_by_hand, with_torch, with_pandas],
        wrong={
            "1.96 standard deviations": of_the_normal,
            "twice count twice? And": middle(0.05, 0.95),
            "Much too narrow. Are your": middle(0.25, 0.75),
            "Much too narrow. Do you": as_many_as_rows,
            "average the crops": mean_first,
            "that are fake apart": classes_apart,
            "again inside each unit": crops_again,
            "is never drawn": never_the_last,
            "to be one index": not_joined,
            "more than the middle 95 %": middle(0.01, 0.99),
            "You draw single crops": crops,
            "Draw with replacement": once_each,
            "one standard deviation": one_deviation,
            "yours is a single number": lambda labels, scores, *_: auc_by_pairs(labels, scores),
            "and about": lambda *words: np.array(by_percentile(*words)) - 0.5,
        },
        seeds=range(2),
    )


def test_few_right_bootstraps_are_refused():
    """Of ones that draw other sets, below one in two hundred."""
    refused, generator = 0, np.random.default_rng(0)
    for seed in range(4):
        for labels, scores, units, replicates in lesson_06b.BOOTSTRAP.inputs(seed):
            exact = lesson_06b.BOOTSTRAP.exact(labels, scores, units, replicates)
            for _ in range(100):
                values = generator.choice(exact.values, replicates)
                refused += bool(exact.difference(*np.quantile(values, [0.025, 0.975])))
    assert refused <= 5, f"{refused} of 400"


def test_the_lessons_own_bootstrap_is_the_loop_that_its_solution_shows():
    labels, scores, units, _ = lesson_06b.BOOTSTRAP.inputs()[0]
    scores = scores.round(1)  # ties count half
    low, high = np.quantile(list(drawn(labels, scores, rows_of(units), 4000)), [0.025, 0.975])
    found = lesson_06b.bootstrap(labels, scores, [f"clip {unit}" for unit in units], 4000)
    assert found == pytest.approx((low, high), abs=0.06 * (high - low))


def test_intervals_are_alike_within_the_luck_of_the_draw():
    assert interval_difference((0.8, 0.9), [0.805, 0.893]) == ""
    assert "from 0.820 to 0.900" in interval_difference((0.8, 0.9), [0.82, 0.9])
    assert "from nan to" in interval_difference((0.8, 0.9), [float("nan"), 0.9])
    for strange in (None, 0.8, "0.8 to 0.9", [0.8, 0.9, 1.0], {"low": 0.8}, [[0.8], [0.9]]):
        assert "expected" in interval_difference((0.8, 0.9), strange)


def looped_ece(labels, scores):
    error = 0.0
    for low in range(10):
        own = [i for i, s in enumerate(scores) if low / 10 <= s < (low + 1) / 10 or (low == 9 and s == 1)]
        if own:
            said, fake = sum(scores[i] for i in own) / len(own), sum(labels[i] for i in own) / len(own)
            error += len(own) / len(scores) * abs(said - fake)
    return error


def test_the_calibration_error_teaches():
    def with_pandas(labels, scores):
        table = pd.DataFrame({"labels": labels, "scores": scores, "range": np.digitize(scores, np.arange(1, 10) / 10)})
        means, share = table.groupby("range").mean(), table["range"].value_counts(normalize=True)
        return ((means["labels"] - means["scores"]).abs() * share).sum()

    def with_torch(labels, scores):
        labels, scores = torch.tensor(labels, dtype=torch.float64), torch.tensor(scores)
        which = (scores * 10).long().clamp(max=9)
        return sum(abs((scores[which == b] - labels[which == b]).sum()) for b in range(10)) / len(scores)

    def by_confidence(labels, scores):
        return looped_ece((scores >= 0.5) == labels, np.where(scores >= 0.5, scores, 1 - scores))

    def midpoints(labels, scores):
        which = np.minimum((scores * 10).astype(int), 9)
        return sum(abs((b + 0.5) / 10 - labels[which == b].mean()) * (which == b).mean() for b in set(which))

    def lost(labels, scores):
        counts, _ = np.histogram(scores[scores < 1], np.linspace(0, 1, 11))
        said, _ = np.histogram(scores[scores < 1], np.linspace(0, 1, 11), weights=scores[scores < 1])
        fake, _ = np.histogram(scores[scores < 1], np.linspace(0, 1, 11), weights=labels[scores < 1])
        return np.abs(said - fake)[counts > 0].sum() / len(scores)

    def with_nan(labels, scores):
        which = np.minimum((scores * 10).astype(int), 9)
        return np.sum([(which == b).mean() * abs(np.mean(scores[which == b]) - np.mean(labels[which == b]))
                       for b in range(10)])  # fmt: skip

    def alike(labels, scores):
        which = np.minimum((scores * 10).astype(int), 9)
        return np.mean([abs(scores[which == b].mean() - labels[which == b].mean()) for b in np.unique(which)])

    assert_teaches(
        lesson_06b.ECE,
        right=[looped_ece, with_pandas, with_torch,
               lambda labels, scores: looped_ece(labels.tolist(), scores.tolist()),
               lambda labels, scores: reliability(labels, scores).ece],
        wrong={
            "how sure an answer is": by_confidence,
            "the middle of a range": midpoints,
            "A score of exactly 1 falls": lost,
            "gives NaN": with_nan,
            "counts alike": alike,
            "cancel out": lambda labels, scores: abs(np.mean(scores - labels)),
            "with its own label": lambda labels, scores: np.mean(np.abs(labels - scores)),
            "stopped with": lambda labels, scores: labels + "a",
            "a single number is expected": lambda labels, scores: [looped_ece(labels, scores)] * 10,
        },
    )  # fmt: skip


CLIP = SimpleNamespace(n_real=16, n_fake=64, auc=0.979, auc_interval=(0.938, 1.0), balanced_accuracy=0.898,
                       always_fake_accuracy=0.8)  # fmt: skip
LINE = "On Mini-FF++, {} real and 64 fake clips: AUC {}; balanced accuracy 0.90."
DATA = "On Mini-FF++, 16 real and 64 fake clips: "


def said_of(line, capsys):
    lesson_06b.check_line(line, CLIP)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (None, "Not attempted yet"),
        (0.98, "Not yet: 0.98 is no text"),
        ("AUC 0.98", "of which data?"),
        ("On Mini-FF++: AUC 0.98", "on how many clips? There are 16 real and 64 fake"),
        ("Mini-FF++ 16 64 0.98 0.94 1.00 0.90", "on how many clips?"),
        (LINE.format(16, "is good"), "how good is it? The AUC"),
        (LINE.format(16, 0.98), "how sure are you?"),
        (LINE.format(16, "0.98 (1.00 to 0.94)"), "how sure are you?"),
        (LINE.format(16, "0.98 (0.94 to 1.00)").replace("balanced accuracy 0.90", "good"), "beside what?"),
        (DATA + "AUC 0.98 (0.94 to 1.00), 50 people, a coin", "beside what?"),
        (DATA + "accuracy 0.98, 0.94 to 1.00; balanced accuracy 0.90", "0.98 is there, but not behind “AUC”"),
        (DATA + "AUC 0.94 (0.98 to 1.00), always “fake” has 0.80", "0.98 is there, but not behind “AUC”"),
        (LINE.format(16, "0.98 (0.94 to 1.00), not 90 %"), "it says that something is *not* so"),
        (DATA.replace("On", "Not on") + "AUC 0.98 (0.94 to 1.00); a coin has 0.5", "it says that something is *not*"),
    ],
)
def test_a_line_that_nobody_can_check_is_told_what_it_lacks(capsys, line, said):
    assert said in said_of(line, capsys)


@pytest.mark.parametrize(
    "line",
    [
        LINE.format(16, "0.98 (0.94 to 1.00)"),
        LINE.format(16, "98 % (94 to 100 %)").replace("balanced accuracy 0.90", "always fake: 80 %"),
        DATA + "AUC 0.98 (0.94 to 1.00); a coin has 0.5.",
        DATA + "AUC 0.98 (0.94 to 1.00), where guessing would have 50 %.",
        DATA + "AUC 0.98 (0.94 to 1.00), to be compared with a coin's AUC of 0.50; balanced accuracy 0.90.",
        DATA + "0.94 to 1.00 around 0.98 is the AUC; balanced accuracy 0.90.",
        DATA + "AUC 0.94 to 1.00 around 0.98; balanced accuracy 0.90.",
        DATA + "AUC 95 % CI 0.94–1.00, mean 0.98; balanced accuracy 0.90.",
        DATA + "AUC 0,98 (0,94 bis 1,00); balanced accuracy 0,90.",
        DATA + "AUC between 0.94 and 1.00, 0.98 as measured; balanced accuracy 0.90.",
        DATA + "AUC [0.94, 1.00], 0.98; balanced accuracy 0.90.",
        DATA + "an area under the ROC curve of 0.98 (0.94 to 1.00); balanced accuracy 0.90.",
        DATA + "0.98 AUC (0.94 to 1.00). The accuracies are 0.90 and 0.80.",
        DATA + "AUC 0.98 (0.94 to 1.00); balanced accuracy 0.90; not 96 %.",
        DATA + "AUC 0.98 (0.94 to 1.00); balanced accuracy 0.90, and no 96 %.",
        "On Mini FF++ the AUC of 16 real and 64 fake clips is 0.98 (0.94 to 1.00); balanced accuracy 90 per cent.",
        "MiniFF++, 16 original and 64 forged clips, AUC by clip: 0.979 (0.938 to 1.000), balanced accuracy 0.898",
        "On Mini-FF++ (two portraits), 16 real and 64 fake clips of people not trained on: AUC by clip 0.98 (95 % "
        "interval from drawing people, 0.94 to 1.00); balanced accuracy 0.90 (0.83 to 0.97), where always “fake” has "
        "0.50.",
    ],
)
def test_a_line_that_can_be_checked_is_right(capsys, line):
    assert said_of(line, capsys).startswith("Right: somebody who was not there")


def test_wilson():
    low, high = lesson_06b.wilson(0, 4)
    assert low == pytest.approx(0, abs=1e-9) and high == pytest.approx(0.4899, abs=1e-4)
    low, high = lesson_06b.wilson(50, 100)
    assert (low, high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))


def test_a_score_moves_with_the_share_of_fakes():
    assert lesson_06b.in_another_world(0.9, 0.5) == pytest.approx(0.9)
    assert lesson_06b.in_another_world(0.9, 0.01) == pytest.approx(9 / (9 + 99))
    assert lesson_06b.in_another_world([0.2, 0.9], 0.1, 0.1) == pytest.approx([0.2, 0.9])


def test_the_most_one_sided_pair_is_the_one_with_the_largest_gap_to_its_reverse():
    auc = {("A", "B"): 0.9, ("B", "A"): 0.6, ("A", "C"): 0.99, ("C", "A"): 0.95, ("B", "C"): 0.5, ("C", "B"): 0.7}
    auc |= {(name, name): 1.0 for name in "ABC"}
    matrix = pd.DataFrame([(*pair, value) for pair, value in auc.items()], columns=["trained_on", "tested_on", "auc"])
    assert lesson_06b.most_one_sided(matrix) == ("A", "B", 0.9, 0.6)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_an_interval_says_how_wide_it_is_and_none_is_made_up():
    (ax,) = figures.interval_bars([("a", 0.9, (0.85, 0.95)), ("b", 0.9, None)], "AUC", "t").axes
    assert texts(ax) == ["0.90 (0.85 to 0.95), 0.100 wide"] and len(ax.get_yticks()) == 1


def test_moved_scores_keep_their_word_where_scores_of_halves_did():
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.02, 0.98, 20000)
    labels = (rng.random(20000) < scores).astype(int)
    figure = figures.kept_word(labels, scores, 0.1)
    (ax,) = figure.axes
    assert "10% are fake, a score of 0.90 means 50%" in figure.get_suptitle()
    said, moved = ax.lines[1:]
    assert np.abs(moved.get_xdata() - moved.get_ydata()).max() < 0.04
    assert (said.get_xdata() - said.get_ydata()).max() > 0.3
    assert all(text.get_position()[1] > 1 for text in ax.texts), "above the axes, where no curve runs"
    title = figures.kept_word(labels, scores, 0.99).get_suptitle()
    assert title == "Where 99% are fake, a score of 0.90 means 99.9%"


def strength(value, auc, coverage=0.9):
    return SimpleNamespace(strength=value, auc=auc, auc_interval=(auc - 0.1, auc), coverage=coverage,
                           auc_change=auc - 0.95, auc_change_interval=(auc - 1, auc - 0.9))  # fmt: skip


FOUND = SimpleNamespace(plain=strength(0, 0.95), perturbations={
    "h264": SimpleNamespace(name="H.264", unit="CRF", strengths=[strength(18, 0.9), strength(44, 0.6)]),
    "rescale": SimpleNamespace(name="scaled", unit="factor", strengths=[strength(2, 0.55, 0.4), strength(6, 0.6, 0.1)]),
})  # fmt: skip


def test_two_changes_begin_with_the_crops_as_they_are():
    axes = figures.two_changes(FOUND, ["h264", "rescale"], "t").axes
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["as is", "18", "44"]
    auc, answered, _ = (line.get_ydata() for line in axes[1].lines)
    assert list(auc) == [0.95, 0.55, 0.6] and list(answered) == [0.9, 0.4, 0.1]


def test_the_worst_strength_is_that_of_the_lowest_auc():
    table = figures.worst_of(FOUND.perturbations)
    assert table["strength"].to_dict() == {"H.264": "44 (CRF)", "scaled": "2 (factor)"}
    assert table.loc["scaled", "answered"] == 0.4


def test_a_cell_of_the_matrix_is_an_auc_with_its_interval():
    matrix = pd.DataFrame([
        {"trained_on": one, "tested_on": two, "auc": 0.9 if one == two else 0.4, "low": 0.3, "high": 1.0}
        for one in ("A", "B") for two in ("A", "B")
    ])  # fmt: skip
    ax = figures.matrix_figure(matrix, "t").axes[0]
    values = texts(ax)
    assert values[::2] == ["0.90", "0.40", "0.40", "0.90"] and set(values[1::2]) == {"0.30 to 1.00"}
    shown = ax.images[0]
    assert (shown.norm.vmin + shown.norm.vmax) / 2 == 0.5, "a coin is white"
