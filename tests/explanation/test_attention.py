"""Attention is measured clip by clip, at one size of map, and says which masks are lacking."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.explanation import attention
from torchfakes_utils.explanation.attention import landmarks_at_size, measure_attention, whole_clips
from torchfakes_utils.explanation.config import ExplanationConfig
from torchfakes_utils.explanation.regions import landmarks_of
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.detectors import opinionated


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 20))
def test_spans_are_whole_clips_and_as_few_as_fit(sizes, most):
    names = [f"{clip:02d}" for clip, size in enumerate(sizes) for _ in range(size)]
    spans = whole_clips(pd.DataFrame({"method": "m", "compression": "c", "clip_id": names}), most)
    assert [row for start, end in spans for row in range(start, end)] == list(range(len(names)))
    held = [set(names[start:end]) for start, end in spans]
    assert sum(map(len, held)) == len(set(names)), "no clip is in two spans"
    assert all(end - start <= most or len(clips) == 1 for (start, end), clips in zip(spans, held, strict=True))
    lengths = [end - start for start, end in spans]
    following = [sizes[int(names[end])] for _, end in spans[:-1]]
    assert all(length + size > most for length, size in zip(lengths, following, strict=False)), "one more would not fit"


def test_landmarks_are_brought_to_the_size_of_the_maps():
    faces = pd.DataFrame({"landmarks": ["16 8 4 0 2 2 1 1 3 3"] * 2, "crop_size": ["64", ""]})
    scaled = landmarks_at_size(faces)
    assert landmarks_of(scaled["landmarks"][0]) == pytest.approx(landmarks_of(faces["landmarks"][0]) * 2.5)
    assert landmarks_of(scaled["landmarks"][1]) == pytest.approx(landmarks_of(faces["landmarks"][1]))


def test_landmarks_that_are_none_are_said():
    with pytest.raises(InputError, match="landmarks '1 2 x': ten numbers"):
        landmarks_at_size(pd.DataFrame({"landmarks": ["1 2 x"], "crop_size": ["64"]}))


def test_what_is_measured_does_not_depend_on_how_many_clips_go_together(tiny_faces, tmp_path, monkeypatch):
    torch.manual_seed(0)
    detector = opinionated(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=64, crop_size=64)))
    faces = load_faces(tiny_faces / "faces.csv", "test").sample(frac=1, random_state=0)
    config = ExplanationConfig(controls=0)
    expected = measure_attention(detector, faces, tmp_path, config)
    monkeypatch.setattr(attention, "TOGETHER", 1)
    found = measure_attention(detector, faces, tmp_path, config)
    assert list(found.mask_problems.values()) == [4], "each fake that lacks its mask is counted once"
    numbers = ["crops", "clips", "area", "ratio", "low", "high"]
    assert np.allclose(found.regions[numbers], expected.regions[numbers], atol=1e-4, equal_nan=True)
