"""Exported detectors take and give what the detector itself does, and int8 is calibrated on enough."""

import numpy as np
import pytest
import torch

from torchfakes_utils.export.graph import WholeDetector, calibration_set, quiet
from torchfakes_utils.export.onnx_format import OnnxRuntime
from torchfakes_utils.export.runtimes import load_network

from helpers.export import acquainted, answers_of, build, logits_of, noise


def test_calibration_crops_are_spread_and_shown_with_more_contrast_too():
    crops = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 4, 4), np.uint8)
    chosen = calibration_set(crops)
    plain, strong = chosen[:64, 0, 0, 0].astype(int), chosen[64:, 0, 0, 0].astype(int)
    assert len(chosen) == 128 and plain[0] < 3 and plain[-1] > 196 and (np.diff(plain) > 0).all()
    assert (strong == np.clip((plain - 128) * 1.3 + 128, 0, 255).astype(int)).all()


def test_what_exporters_print_is_not_among_our_answers(capfd):
    """onnxscript 0.6 prints what it has rewritten; what we print ourselves may be JSON."""
    with quiet():
        print("Applied 1 of general pattern rewrite rules.")
    print("{}")
    assert capfd.readouterr().out == "{}\n"


@pytest.mark.slow
def test_tensors_give_tensors_and_arrays_arrays_and_none_none(exported):
    network = load_network(exported[0] / "detector.fp32.onnx")
    crops = noise(40)  # more than go through at once
    as_array, as_tensor = network(crops), network(torch.from_numpy(crops))
    assert isinstance(as_array, np.ndarray) and isinstance(as_tensor, torch.Tensor)
    assert as_array.dtype == np.float32 and (as_tensor.numpy() == as_array).all() and as_array.shape == (40, 2)
    assert network(crops[:0]).shape == (0, 2)


@pytest.mark.slow
def test_crops_as_they_are_cut_are_brought_to_size_as_the_detector_does(tmp_path):
    detector = build(size=48, crop_size=72)
    network = load_network(OnnxRuntime().export_detector(detector, tmp_path / "detector.onnx"))
    crops = noise(3, 72)
    expected = logits_of(detector, detector.preprocessing.resize(torch.from_numpy(crops)))
    assert np.allclose(network(crops)[:, 0], expected, rtol=0, atol=1e-5)


def test_a_crop_and_its_mirror_image_get_the_same_answer():
    """As `Detector.answers` gives it, and whichever of the two comes first."""
    detector = acquainted(build(), noise(40))
    crops = torch.from_numpy(noise(3))
    crops[..., :16] //= 8  # the sides have to differ
    with torch.inference_mode():
        logit, probability, distance = WholeDetector(detector)(crops)
        mirrored = WholeDetector(detector)(crops.flip(3))
        once = detector(detector.preprocessing.normalise(crops))
    expected = answers_of(detector, crops)
    assert np.allclose(np.stack([logit, distance], 1), expected, rtol=1e-5)
    assert torch.allclose(logit, mirrored[0], atol=1e-6) and torch.allclose(distance, mirrored[2], atol=1e-6)
    assert torch.allclose(probability, (logit / detector.decision.temperature).sigmoid())
    assert (once - logit).abs().min() > 1e-5 and distance.min() > 0
    detector.likeness = None
    assert (WholeDetector(detector)(crops)[2] == 0).all()
