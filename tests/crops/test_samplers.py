import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from torchfakes_utils.crops.samplers import PairedSampler, balanced_sampler, uniform_sampler
from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError

from helpers.crops import METHODS, make_faces


@pytest.fixture(scope="module")
def faces_csv(tmp_path_factory):
    return make_faces(tmp_path_factory.mktemp("faces"))


def test_the_sampler_balances_classes_and_methods():
    methods = ["youtube"] * 10 + ["actors"] * 30 + ["Deepfakes"] * 400 + ["FaceSwap"] * 50
    faces = pd.DataFrame({"method": methods, "label": [0] * 40 + [1] * 450}, index=range(1000, 1490))
    drawn = list(balanced_sampler(faces, 20_000, torch.Generator().manual_seed(0)))
    assert len(drawn) == 20_000
    shares = faces.iloc[drawn]["method"].value_counts(normalize=True)
    # The tolerance is six standard errors of a share of one half.
    expected = {"youtube": 0.125, "actors": 0.375, "Deepfakes": 0.25, "FaceSwap": 0.25}
    assert {name: shares[name] for name in expected} == pytest.approx(expected, abs=0.021)
    assert drawn == list(balanced_sampler(faces, 20_000, torch.Generator().manual_seed(0)))


def moments(rows):
    """Rows (method, label, target, frame) as a table of faces, as far as a sampler looks at it."""
    table = pd.DataFrame(rows, columns=["method", "label", "target_id", "frame"])
    # As in FaceForensics++: of each person one film, which has its name.
    return table.assign(compression="c23", clip_id=table["target_id"] + table["label"].map({0: "", 1: "_100"}))


def pairs_of(faces, count, seed=0):
    drawn = list(PairedSampler(faces, 2 * count, torch.Generator().manual_seed(seed)))
    return [(faces.iloc[real], faces.iloc[fake]) for real, fake in zip(drawn[::2], drawn[1::2], strict=True)]


FULL = [
    (method, int(method != "youtube"), person, frame)
    for method in METHODS
    for person in ("000", "001", "002")
    for frame in (0, 10)
]


def test_a_pair_is_a_real_crop_and_a_fake_of_the_same_person_and_frame():
    pairs = pairs_of(moments(FULL), 600)
    assert all((real.label, fake.label) == (0, 1) for real, fake in pairs)
    assert all((real.target_id, real.frame) == (fake.target_id, fake.frame) for real, fake in pairs)
    # Six standard errors of a share of one half.
    assert sum(fake.method == "Deepfakes" for _, fake in pairs) / 600 == pytest.approx(0.5, abs=0.13)


def test_a_crop_without_its_counterpart_is_drawn_all_the_same():
    lonely = [("youtube", 0, "008", 0), ("Deepfakes", 1, "009", 0), ("FaceSwap", 1, "009", 10)]
    pairs = pairs_of(moments(FULL + lonely), 200)
    assert {real.target_id for real, _ in pairs} == {"000", "001", "002", "008"}
    found = {(fake.method, fake.frame) for _, fake in pairs if fake.target_id == "009"}
    assert found == {("Deepfakes", 0), ("FaceSwap", 10)}
    assert all((real.label, fake.label) == (0, 1) for real, fake in pairs)


def test_two_compressions_are_not_mixed_in_a_pair():
    faces = pd.concat([moments(FULL), moments(FULL).assign(compression="c40")], ignore_index=True)
    assert all(real.compression == fake.compression for real, fake in pairs_of(faces, 100))


def films_of_people(fake_name, real_name, methods=("Celeb-real", "Celeb-synthesis"), films=4, frames=3):
    """People who are seen in several films each, and swap faces in every one; the fakes of some films are not there."""
    rows = []
    people = ("01", "02", "03")
    for target, film, frame in itertools.product(people, range(films), range(frames)):
        names = {"target": target, "film": film}
        original = real_name.format(**names)
        rows.append((methods[0], 0, original, target, original, frame))
        for source in sorted({*people} - {target}):
            if (int(target) + int(source) + film) % 3:
                rows.append((methods[1], 1, fake_name.format(source=source, **names), target, original, frame))
    columns = ["method", "label", "clip_id", "target_id", "original_id", "frame"]
    return pd.DataFrame(rows, columns=columns).assign(compression="c23")


@pytest.mark.parametrize(
    "names",
    [
        ("id{target}_id{source}_{film:04d}", "id{target}_{film:04d}"),
        ("{target}_{source}__scene_{film}__ABCDEFGH", "{target}__scene_{film}", ("actors", "DeepFakeDetection")),
    ],
    ids=["Celeb-DF", "DeepFakeDetection"],
)
def test_where_people_are_in_many_films_every_pair_is_of_one(names):
    faces = films_of_people(*names)
    pairs = pairs_of(faces, 500)
    counterparts = faces[faces["label"] == 1].groupby(["original_id", "frame"]).size()
    for real, fake in pairs:
        if (real.clip_id, real.frame) in counterparts.index:
            assert (fake.original_id, fake.frame) == (real.clip_id, real.frame)
    together = [(real.clip_id, real.frame) == (fake.original_id, fake.frame) for real, fake in pairs]
    assert np.mean(together) > 0.9  # a film without fakes is drawn with any of them
    # From a table of before, which says of a fake no more than who is seen, none is taken for a pair.
    blind = pairs_of(faces.drop(columns="original_id"), 200)
    share = np.mean([(real.clip_id, real.frame) == (fake.original_id, fake.frame) for real, fake in (
        (faces.loc[real.name], faces.loc[fake.name]) for real, fake in blind)])  # fmt: skip
    assert share < 0.2


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(METHODS), st.sampled_from(["000", "001"]), st.integers(0, 2)), min_size=1, max_size=20
    ),
    st.integers(1, 50),
)
def test_whatever_there_is_half_of_a_pass_is_real_and_a_seed_repeats_it(rows, count):
    rows = [(method, int(method != "youtube"), person, frame) for method, person, frame in rows]
    faces = moments([*rows, ("youtube", 0, "007", 0), ("FaceSwap", 1, "003", 0)])
    sampler = PairedSampler(faces, count, torch.Generator().manual_seed(3))
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == count
    assert faces["label"].to_numpy()[drawn].tolist() == [place % 2 for place in range(count)]
    assert drawn == list(PairedSampler(faces, count, torch.Generator().manual_seed(3)))


def test_every_real_crop_comes_before_one_comes_again():
    """Pairs that begin with a real crop go through all of them; nothing is drawn twice while others wait."""
    faces = moments(FULL)
    drawn = list(PairedSampler(faces, 4 * 6, torch.Generator().manual_seed(1)))
    assert sorted(drawn[::4]) == sorted(np.flatnonzero(faces["label"] == 0))


def test_one_class_cannot_be_paired():
    with pytest.raises(InputError, match="only one class"):
        PairedSampler(moments(FULL).query("label == 1"), 4)


@pytest.mark.parametrize("count", [5, 84, 200])
def test_uniform_draws_every_crop_before_any_comes_again(faces_csv, count):
    faces = load_faces(faces_csv)  # 84 of them
    drawn = list(uniform_sampler(faces, count, torch.Generator().manual_seed(1)))
    times = np.bincount(drawn, minlength=len(faces))
    assert len(drawn) == count and times.max() - times.min() <= 1
    assert drawn == list(uniform_sampler(faces, count, torch.Generator().manual_seed(1)))
    assert drawn != list(uniform_sampler(faces, count, torch.Generator().manual_seed(2)))
