"""Intervals keep their promise: of many simulated experiments with a known truth, 95 of a hundred hold it.

Every experiment films new people, each in several clips. What makes a person look fake is shared by all clips of
theirs, some of it by real and fake alike, and comes on top of what each clip has of its own.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from torchfakes_utils.metrics.intervals import intervals, sampling

from helpers.scores import clip_table, simulated

# Variances: of a person, real and fake alike; of a person's reals, or fakes; of a clip.
SHARED, OWN, CLIP = 0.3, 1.0, 1.0
EXPERIMENTS, REPLICATES = 500, 500


def quick(table, seed):
    """The intervals of two metrics, drawn and made as `intervals` does it, without the nine others."""
    how, _ = sampling(table, REPLICATES, seed)
    scores = table["probability_fake"].to_numpy()
    order = np.argsort(-scores, kind="stable")
    fake, called = table["label"].to_numpy()[order] == 1, scores[order] >= 0.5
    counts = np.concatenate(list(how.counts()))[:, how.units[order]]
    fakes, reals = counts @ fake, counts @ ~fake
    above = np.cumsum(counts * ~fake, axis=1)
    auc = 1 - np.einsum("rn,rn->r", counts * fake, above) / fakes / reals
    balanced = (counts @ (fake & called) / fakes + counts @ (~fake & ~called) / reals) / 2
    return {"auc": how.interval(auc), "balanced_accuracy": how.interval(balanced)}


def held(make, truth):
    """How often an interval holds the truth, by metric."""
    hits = {name: [] for name in truth}
    for experiment in range(EXPERIMENTS):
        found = quick(make(), experiment)
        for name, value in truth.items():
            hits[name].append(found[name][0] <= value <= found[name][1])
    return {name: float(np.mean(own)) for name, own in hits.items()}


def true_values(distance, spread):
    """AUC, and balanced accuracy half-way, of two normal distributions; `spread` is their standard deviation."""
    return {"auc": norm.cdf(distance / np.sqrt(2) / spread), "balanced_accuracy": norm.cdf(distance / 2 / spread)}


def pairs(people, _):
    """FaceForensics++: pairs of people, each with two real films and eight fakes of four methods."""
    return np.repeat(np.arange(people // 2), 10), np.tile([0, 0, *[1] * 8], people // 2)


def groups(people, generator):
    """People of whom one has few clips and another many, a third of them real."""
    count = generator.poisson(4, people) + 2
    units = np.repeat(np.arange(people), count)
    return units, (generator.random(len(units)) < 2 / 3).astype(int)


def strangers(people, generator):
    """People with real clips alone, and others with fakes alone."""
    units = np.repeat(np.arange(people), generator.poisson(4, people) + 1)
    return units, np.repeat([0, 1], [people // 3, people - people // 3])[units]


def film(generator, units, labels, distance):
    """A table of clips, in which one person, or pair, recurs."""
    count = units.max() + 1
    person = generator.normal(0, np.sqrt(SHARED), count)[units]
    person += generator.normal(0, np.sqrt(OWN), (count, 2))[units, labels]
    logits = distance * (labels - 0.5) + person + generator.normal(0, np.sqrt(CLIP), len(units))
    names = pd.Series(units).astype(str)
    return clip_table(labels, 1 / (1 + np.exp(-logits))).assign(target_id=names, source_id="")


def test_what_is_tried_here_are_the_intervals_of_the_package():
    generator = np.random.default_rng(1)
    table = film(generator, *groups(20, generator), 2.0)
    whole = intervals(table, replicates=REPLICATES, seed=3)
    for name, ends in quick(table, 3).items():
        assert whole[name] == pytest.approx(ends), name


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "people", "distance"), [(pairs, 100, 3.5), (groups, 60, 2.4), (strangers, 80, 2.4)])
def test_intervals_by_person_hold_the_truth_and_those_by_clip_do_not(layout, people, distance):
    truth = true_values(distance, np.sqrt(SHARED + OWN + CLIP))
    generator = np.random.default_rng(0)
    by_person = held(lambda: film(generator, *layout(people, generator), distance), truth)
    generator = np.random.default_rng(0)
    by_clip = held(lambda: film(generator, *layout(people, generator), distance).assign(target_id=""), truth)
    print(layout.__name__, people, distance, by_person, by_clip)
    for name in truth:
        assert 0.93 <= by_person[name] <= 0.97, by_person
        assert by_clip[name] < 0.9, by_clip


@pytest.mark.slow
@pytest.mark.parametrize(("reals", "fakes"), [(40, 160), (30, 30)])
def test_intervals_by_clip_hold_the_truth_where_nobody_recurs(reals, fakes):
    generator = np.random.default_rng(0)
    found = held(lambda: simulated(generator, reals, fakes, 1.5), true_values(1.5, 1))
    print(reals, fakes, found)
    assert all(0.93 <= value <= 0.97 for value in found.values()), found
