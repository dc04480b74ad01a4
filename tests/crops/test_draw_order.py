"""Which crops a pass draws where some of its fakes are made from real ones."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from torchfakes_utils.crops.samplers import SAMPLERS, draw_order
from torchfakes_utils.errors import InputError

METHODS = ("youtube", "Deepfakes", "FaceSwap")


def table(clips=6, frames=3, methods=METHODS):
    rows = [
        (f"{clip:03d}" if method == "youtube" else f"{clip:03d}_{clip + 1:03d}", int(method != "youtube"), method,
         "c23", f"{clip:03d}", frame, f"{clip:03d}")
        for clip in range(clips) for method in methods for frame in range(frames)
    ]  # fmt: skip
    columns = ["clip_id", "label", "method", "compression", "target_id", "frame", "original_id"]
    return pd.DataFrame(rows, columns=columns)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("sampling", SAMPLERS)
def test_without_self_blends_it_is_the_sampler(sampling):
    faces = table()
    order = draw_order(sampling, faces, 40, seeded())
    assert order.rows.tolist() == list(SAMPLERS[sampling](faces, 40, seeded()))
    assert not order.blended.any() and not order.partners.any()


@given(st.integers(0, 999), st.sampled_from([0.2, 0.5, 0.9]), st.sampled_from(sorted(SAMPLERS)))
@settings(max_examples=25, deadline=None)
def test_a_blend_is_made_of_a_real_crop_and_replaces_a_fake(seed, share, sampling):
    faces = table()
    real = (faces["label"] == 0).to_numpy()
    order = draw_order(sampling, faces, 60, seeded(seed), share)
    plain = np.array(list(SAMPLERS[sampling](faces, 60, seeded(seed))))
    assert real[order.rows[order.blended]].all() and not real[plain[order.blended]].any()
    assert (order.rows == plain)[~order.blended].all(), "all else is drawn as it would be"
    film = faces["original_id"].to_numpy()
    assert (film[order.rows] == film[plain]).all() and (
        faces["frame"].to_numpy()[order.rows] == faces["frame"][plain]
    ).all()
    assert real[order.rows[order.partners]].all() and not (order.partners & order.blended).any()


def test_a_pair_is_one_picture():
    order = draw_order("paired", table(), 60, seeded(), 0.5)
    second = np.flatnonzero(order.blended)
    assert 5 < len(second) < 25 and (second % 2 == 1).all()
    assert (order.rows[second] == order.rows[second - 1]).all()
    assert (np.flatnonzero(order.partners) == second - 1).all(), "and only such a partner is changed as the target is"


@pytest.mark.parametrize("share", [0.3, 0.7])
@pytest.mark.parametrize("sampling", ["paired", "balanced"])
def test_the_share_is_kept(sampling, share):
    order = draw_order(sampling, table(), 8000, seeded(), share)
    assert order.blended.mean() == pytest.approx(share / 2, abs=0.02)
    assert order.partners.mean() == pytest.approx(share / 2, abs=0.02)


@pytest.mark.parametrize("sampling", SAMPLERS)
@pytest.mark.parametrize("count", [1, 2, 7, 30])
def test_reals_alone_are_enough(sampling, count):
    reals = table(methods=("youtube",))
    order = draw_order(sampling, reals, count, seeded(), 1.0)
    assert len(order.rows) == count and order.blended.tolist() == [place % 2 == 1 for place in range(count)]
    assert (order.partners == ~order.blended).all()
    if sampling == "paired":
        assert (order.rows[1::2] == order.rows[: count - count % 2 : 2]).all()
    with_fakes = draw_order(sampling, table(), count, seeded(), 1.0)
    assert (table()["label"].to_numpy()[with_fakes.rows] == 0).all(), "fakes that are there are not drawn"


def test_every_real_crop_comes_before_any_comes_again():
    reals = table(methods=("youtube",))
    order = draw_order("paired", reals, 4 * len(reals), seeded(), 1.0)
    assert (np.bincount(order.rows) == 4).all()


def test_faces_without_landmarks_are_not_blended():
    faces = table()
    able = np.arange(len(faces)) % 2 == 0
    for sampling in SAMPLERS:
        for share in (0.5, 1.0):
            order = draw_order(sampling, faces, 200, seeded(), share, able)
            assert order.blended.any() and able[order.rows[order.blended]].all()
        with pytest.raises(InputError, match="no real training crop has landmarks.*run `torchfakes extract`"):
            draw_order(sampling, faces, 20, seeded(), 0.5, np.zeros(len(faces), bool))
