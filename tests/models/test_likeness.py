"""Distances from the faces of training: known answers, strangers, storage, and that all networks can measure them."""

import hashlib

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.architectures import ARCHITECTURES
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import Detector, DetectorConfig, features, load_detector, save
from torchfakes_utils.models.folding import for_scoring
from torchfakes_utils.models.judge import Judge
from torchfakes_utils.models.likeness import FEWEST_CROPS, Likeness, dump, fit_likeness, measured, parse, pooled
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.run_files import LIKENESS_FILE
from torchfakes_utils.models.stored import store_decision

NETWORKS = [*((name, 80) for name in ARCHITECTURES), ("timm:resnet10t", 64), ("timm:vit_tiny_patch16_224", 64)]


def detector_of(name, size, seed=0):
    torch.manual_seed(seed)
    detector = Detector(DetectorConfig(name, None, preprocessing=Preprocessing(size=size, crop_size=size))).eval()
    torch.nn.init.normal_(detector.classifier.weight, std=0.1)
    return detector


def crops(count, size, low=0, high=256, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, (count, 3, size, size), generator=generator, dtype=torch.uint8)


def test_the_distance_is_mahalanobis_s_where_nothing_is_shrunk():
    """All directions kept: with the plain covariance of scaled features, by hand."""
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(6, 6))
    known = generator.normal(size=(4000, 6)) @ mixing + 3
    likeness = fit_likeness(known)
    new = generator.normal(size=(5, 6)) @ mixing * 2
    offsets = new - known.mean(0)
    # The direction of least variance counts as "all others"; its variance is its own.
    expected = np.sqrt(np.einsum("nd,de,ne->n", offsets, np.linalg.inv(np.cov(known.T)), offsets) / 6)
    assert likeness.distance(torch.from_numpy(new).float()).numpy() == pytest.approx(expected, rel=1e-2)


def test_known_ones_lie_near_one_and_strangers_far():
    generator = np.random.default_rng(0)
    known = generator.normal(size=(500, 200))
    likeness = fit_likeness(known[:400])
    near = likeness.distance(torch.from_numpy(known[400:]).float())
    far = likeness.distance(torch.from_numpy(generator.normal(size=(50, 200)) + 1).float())
    assert near.mean() == pytest.approx(1, abs=0.25) and far.min() > near.max()


@settings(max_examples=30, deadline=None)
@given(st.integers(FEWEST_CROPS, 60), st.integers(1, 90), st.integers(0, 5))
def test_any_features_give_distances_that_are_numbers(count, width, flat):
    generator = np.random.default_rng(count)
    known = generator.normal(size=(count, width)) * generator.uniform(0, 9, width)
    known[:, :flat] = 1.0  # features that never vary
    likeness = fit_likeness(known)
    if flat >= width:
        assert likeness is None
        return
    found = likeness.distance(torch.from_numpy(known * 3 + 1).float())
    assert torch.isfinite(found).all() and (found >= 0).all() and likeness.width == width


def test_too_few_crops_and_crops_that_are_all_the_same_have_no_likeness():
    assert fit_likeness(np.zeros((FEWEST_CROPS - 1, 4))) is None
    assert fit_likeness(np.ones((50, 4))) is None


def test_the_four_quarters_are_pooled_by_themselves():
    given_map = torch.zeros(1, 2, 5, 7)
    given_map[0, 0, :3, :4], given_map[0, 1, 3:, 4:] = 1.0, torch.tensor([[2.0, 4.0, 3.0], [4.0, 2.0, 3.0]])
    found = pooled(given_map, 4).reshape(4, 2, 2)  # quarters; mean and spread; channels
    assert found[:, 0, 0].tolist() == [1, 0, 0, 0] and found[:, 0, 1].tolist() == [0, 0, 0, 3]
    assert found[3, 1, 1].item() == pytest.approx(np.std([2, 4, 3, 4, 2, 3]), abs=1e-4)
    assert pooled(torch.randn(3, 10, 4), 3).shape == (3, 8) and pooled(torch.randn(3, 4), 2).shape == (3, 4)


@pytest.mark.parametrize(("name", "size"), NETWORKS)
def test_every_network_measures_and_looks_at_the_mirror_image_too(name, size):
    detector = detector_of(name, size)
    known = crops(40, size)
    detector.likeness = fit_likeness(features(detector, known.split(16)))
    answers = detector.answers(detector.preprocessing.apply(known))
    assert torch.allclose(answers, detector.answers(detector.preprocessing.apply(known.flip(3))), atol=1e-4)
    with torch.inference_mode():
        both = [detector(detector.preprocessing.apply(some)) for some in (known, known.flip(3))]
    assert torch.allclose(answers[:, 0], (both[0] + both[1]) / 2, atol=1e-4)
    flat = torch.full((2, 3, size, size), 128, dtype=torch.uint8)
    assert detector.answers(detector.preprocessing.apply(flat))[:, 1].min() > 2 * answers[:, 1].max()
    plain = Judge(detector.ends, detector.likeness)
    with torch.inference_mode():
        assert torch.allclose(plain(detector.preprocessing.apply(known)), answers, rtol=1e-4, atol=1e-4)


def test_what_can_be_folded_is_folded_with_its_distance():
    detector = detector_of("EfficientNet-Lite0", 64)
    detector.likeness = fit_likeness(features(detector, [crops(40, 64)]))
    judge = Judge(detector.ends, detector.likeness)
    assert for_scoring(judge) is not judge


def test_a_likeness_is_stored_with_the_weights_and_read_again(tmp_path):
    detector = detector_of("Meso4", 64)
    detector.likeness = fit_likeness(features(detector, [crops(40, 64)]))
    detector.decision = Decision(0.4, ranges={"distance": (None, 2.0)})
    loaded = load_detector(save(detector, tmp_path / "best"))
    images = detector.preprocessing.apply(crops(3, 64, seed=1))
    assert torch.equal(loaded.answers(images), detector.answers(images)) and loaded.decision.likeness
    store_decision(tmp_path / "best", Decision(0.3))
    assert not (tmp_path / "best" / LIKENESS_FILE).exists() and load_detector(tmp_path / "best").likeness is None


@pytest.mark.parametrize("fault", ["gone", "changed", "another network's", "no numbers"])
def test_a_likeness_that_cannot_be_used_is_refused_in_a_line(tmp_path, fault):
    detector = detector_of("Meso4", 64)
    width = 4 if fault == "another network's" else features(detector, [crops(40, 64)]).shape[1]
    detector.likeness = fit_likeness(np.random.default_rng(0).normal(size=(40, width)))
    best = save(detector, tmp_path / "best")
    file = best / LIKENESS_FILE
    if fault == "gone":
        file.unlink()
    elif fault == "changed":
        file.write_bytes(file.read_bytes()[:-4] + b"abcd")
    elif fault == "no numbers":
        broken = {name: one * float("nan") for name, one in vars(detector.likeness).items()}
        content = safetensors.torch.save(broken)
        text = (best / "detector.json").read_text()
        old = hashlib.sha256(file.read_bytes()).hexdigest()
        file.write_bytes(content)
        (best / "detector.json").write_text(text.replace(old, hashlib.sha256(content).hexdigest()))
    with pytest.raises(InputError, match=r"likeness.*(calibrate|train again)") as refused:
        load_detector(best)
    assert "\n" not in str(refused.value)


def test_what_is_no_likeness_is_refused():
    likeness = fit_likeness(np.random.default_rng(0).normal(size=(40, 8)))
    assert all(
        torch.equal(*both) for both in zip(vars(parse(dump(likeness))).values(), vars(likeness).values(), strict=True)
    )
    for content in (b"", b"bananas", dump(likeness)[:-8]):
        with pytest.raises(InputError, match="not a likeness"):
            parse(content)
    with pytest.raises(InputError, match="other shapes"):
        Likeness(likeness.centre, likeness.scale[:3], likeness.axes, likeness.precision)
    with pytest.raises(InputError, match="numbers that are none"):
        Likeness(likeness.centre, likeness.scale, likeness.axes, -likeness.precision)
    with pytest.raises(InputError, match="other shapes"):
        Likeness(torch.tensor(0.5), torch.tensor(0.5), torch.zeros(2), likeness.precision)


def test_what_makes_a_network_overflow_is_far_away_and_what_is_not_measured_is_not_known():
    likeness = fit_likeness(np.random.default_rng(0).normal(size=(40, 8)))
    given = np.array([1.5, np.nan, np.inf, -np.inf])
    assert measured(given, likeness).tolist() == [1.5, np.inf, np.inf, np.inf]
    assert np.isnan(measured(given, None)).all()
    huge = likeness.distance(torch.full((1, 8), 3e38)).double().numpy()
    assert np.isinf(measured(huge, likeness)).all()
