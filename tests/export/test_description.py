"""What is written for programs in other languages is how it is done here."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.description import check_same, describe
from torchfakes_utils.export.executorch_format import BATCH, LEAST_EDGE, MOST_EDGE, PATCHES
from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.faces.quality import brightness_and_contrast, variance_of_laplacian
from torchfakes_utils.models.likeness import digest, fit_likeness

from helpers.export import build


def by_description(crop):
    """Qualities of a crop (H, W, 3) in plain arithmetic, as `decision.measures` and docs/phone.md say."""
    luma = crop.astype(float) @ [0.299, 0.587, 0.114]
    some, grey = luma[::2, ::2], np.pad(np.rint(luma), 1, mode="reflect")
    edges = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return {"brightness": some.mean(), "contrast": some.std(), "sharpness": edges.var()}


def test_what_the_description_says_of_measures_is_how_they_are_measured(portraits):
    for portrait in portraits:
        crop = portrait[10:170, 20:180]
        brightness, contrast = brightness_and_contrast(crop.transpose(2, 0, 1)[None])
        expected = {"brightness": brightness[0], "contrast": contrast[0], "sharpness": variance_of_laplacian(crop)}
        for name, value in by_description(crop).items():
            assert value == pytest.approx(expected[name], rel=0.01), name


@pytest.mark.parametrize(("edge", "size"), [(231, 160), (97, 160)])
def test_what_the_description_says_of_the_crop_is_how_it_is_cut(portraits, edge, size):
    """The square by hand, as in docs/phone.md: by areas where it shrinks, bicubic with a = -0.75 where it grows."""
    box = np.array([-20.0, 30.0, -20 + edge / 1.3, 30 + edge / 1.5])  # reaches over the left edge
    crop, square = square_crop(portraits[0], box, 1.3, size)
    edge = max(1, round(1.3 * (box[2:] - box[:2]).max()))
    left, top = (round((low + high - edge) / 2) for low, high in zip(box[:2], box[2:], strict=True))
    assert square == (left, top, left + edge, top + edge)
    rows, columns = (np.clip(np.arange(edge) + start, 0, len(portraits[0]) - 1) for start in (top, left))
    weights = np.zeros((size, edge))
    for new in range(size):
        if edge > size:
            start, stop = new * edge / size, (new + 1) * edge / size
            covered = np.clip(np.minimum(stop, np.arange(edge) + 1) - np.maximum(start, np.arange(edge)), 0, None)
            weights[new] = covered * size / edge
            continue
        place, a = (new + 0.5) * edge / size - 0.5, -0.75
        for old in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            d = abs(place - old)
            near = ((a + 2) * d - (a + 3)) * d * d + 1
            weights[new, np.clip(old, 0, edge - 1)] += near if d <= 1 else ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    by_hand = np.einsum("yr,rcd,xc->yxd", weights, portraits[0][rows][:, columns].astype(float), weights, optimize=True)
    assert np.abs(np.clip(np.rint(by_hand), 0, 255) - crop).max() <= 1


def test_the_recipe_for_phones_names_the_bounds_that_there_are():
    text = (Path(__file__).parents[2] / "docs/phone.md").read_text(encoding="utf-8")
    assert f"B from 1 to {BATCH};" in text and f"N from 1 to {PATCHES} |" in text
    assert f"H and W from {LEAST_EDGE} to {MOST_EDGE} |" in text


def test_a_file_of_another_likeness_is_refused_and_one_that_measures_nothing_is_too():
    """Weights alone do not say whom a detector refuses: `torchfakes calibrate` leaves them as they are."""
    blind, detector, other = build(), build(), build()
    for seed, one in enumerate((detector, other)):
        one.likeness = fit_likeness(np.random.default_rng(seed).normal(size=(40, 8)))
    files = {name: describe(one, "fp32", ()) for name, one in (("own", detector), ("blind", blind), ("other", other))}
    check_same(files["own"], detector, "detector.onnx")
    check_same(files["blind"], blind, "detector.onnx")
    for made, used in (("blind", detector), ("other", detector), ("own", blind)):
        with pytest.raises(InputError, match="made of another likeness.*; export the run again") as refused:
            check_same(files[made], used, "detector.onnx")
        assert "\n" not in str(refused.value)
    detector.decision = dataclasses.replace(detector.decision, likeness=digest(detector.likeness))
    check_same(files["own"], detector, "detector.onnx")
