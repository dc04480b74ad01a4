"""Heat maps: against Grad-CAM done by hand and the library used crop by crop, on a frozen network; overlays."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from torchfakes_utils.crops.table import load_faces, read_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.explanation.heat_maps import METHODS, fitted, grad_cam, of_faces, overlay, usual_layer
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.detectors import opinionated

SIZE = 80


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(2)
    return opinionated(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=SIZE)))


@pytest.fixture(scope="module")
def images():
    return torch.rand((2, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(2)) * 2 - 1


# Of this untrained network, parts of the layer speak for either class, so that both have a map.
TARGET = "real"


@pytest.fixture(scope="module")
def maps(detector, images):
    return grad_cam(detector, images, target=TARGET)


def by_hand(detector, images, layer, sign=1):
    """Grad-CAM as the paper has it, by a hook: mean gradient of a channel times its activation, summed, rectified."""
    kept = []
    handle = detector.feature_layers[layer].register_forward_hook(lambda module, inputs, output: kept.append(output))
    logits = detector(images.clone().requires_grad_())
    handle.remove()
    (gradient,) = torch.autograd.grad(sign * logits.sum(), kept[0])
    heat = functional.relu((gradient.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1, keepdim=True))
    low, high = heat.amin(dim=(2, 3), keepdim=True), heat.amax(dim=(2, 3), keepdim=True)
    heat = (heat - low) / (high - low + 1e-7)
    heat = functional.interpolate(heat, size=images.shape[-2:], mode="bilinear", align_corners=False)
    return (heat / heat.amax(dim=(2, 3), keepdim=True).clamp_min(1e-7))[:, 0].detach().numpy()


def test_the_library_agrees_with_grad_cam_by_hand(detector, images, maps):
    # Up to how maps are enlarged: OpenCV here, torch there.
    assert (maps.max(axis=(1, 2)) > 0.9).all()
    assert maps == pytest.approx(by_hand(detector, images, usual_layer(detector), sign=-1), abs=2e-2)
    assert grad_cam(detector, images) == pytest.approx(by_hand(detector, images, usual_layer(detector)), abs=2e-2)


def test_maps_have_the_shape_and_range_promised(maps):
    assert maps.shape == (2, SIZE, SIZE)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_maps_do_not_depend_on_the_batch(detector, images, maps):
    assert grad_cam(detector, images, target=TARGET, batch=1) == pytest.approx(maps, abs=1e-4)


def test_a_frozen_network_is_explained_alike_and_left_as_it_was(detector, images, maps):
    try:
        for parameter in detector.parameters():
            parameter.requires_grad_(False)
        with torch.no_grad():
            frozen = grad_cam(detector, images, target=TARGET)
        assert not any(parameter.requires_grad for parameter in detector.parameters())
    finally:
        for parameter in detector.parameters():
            parameter.requires_grad_(True)
    assert frozen == pytest.approx(maps, abs=1e-4)
    assert frozen.max() > 0.9


def test_explaining_leaves_no_gradients_and_no_other_mode(detector, images):
    detector.train()
    try:
        grad_cam(detector, images[:1])
        assert detector.training
    finally:
        detector.eval()
    assert all(parameter.requires_grad and parameter.grad is None for parameter in detector.parameters())
    assert not images.requires_grad
    assert not detector.feature_layers[usual_layer(detector)]._forward_hooks


def test_shallow_and_deep_layers_give_maps(detector, images):
    for name in list(detector.feature_layers)[::3]:
        assert grad_cam(detector, images[:1], name, method="layer-cam").shape == (1, SIZE, SIZE)


def test_no_images_give_no_maps(detector, images):
    assert grad_cam(detector, images[:0]).shape == (0, SIZE, SIZE)


@pytest.mark.parametrize("wrong", [{"layer": "conv9"}, {"target": "maybe"}, {"method": "magic"}])
def test_what_does_not_exist_is_refused_with_the_choices(detector, images, wrong):
    with pytest.raises(InputError, match="choose one of"):
        grad_cam(detector, images, **wrong)


def test_overlay_is_the_photo_where_alpha_is_nought_and_glows_where_the_heat_is():
    photo = np.full((30, 40, 3), 100, np.uint8)
    heat = np.zeros((6, 8))
    heat[:, 4:] = 1
    assert (overlay(photo, heat, alpha=0) == photo).all()
    result = overlay(photo, heat)
    assert result.shape == photo.shape
    assert result.dtype == np.uint8
    assert result[:, 30:].mean() > 100 > result[:, :10].mean()
    # The hot end of the scale is yellow: much red, less blue. Swapped channels would show here.
    assert result[0, 39, 0] > result[0, 39, 2]


def one_by_one(detector, images, layer, method, category=1):
    """The library as its manual has it: a call for every crop."""
    from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, LayerCAM
    from pytorch_grad_cam.utils.model_targets import BinaryClassifierOutputTarget

    kind = dict(zip(METHODS, (GradCAM, GradCAMPlusPlus, LayerCAM), strict=True))[method]
    with kind(detector, [detector.feature_layers[layer]]) as cam:
        found = [cam(image[None], [BinaryClassifierOutputTarget(category)])[0] for image in images]
    for parameter in detector.parameters():
        parameter.grad = None
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layer", ["conv2d_4b", "repeat_1", "repeat_2"])
def test_starting_at_the_layer_gives_the_library_s_own_maps(detector, images, method, layer):
    hottest = 0
    for category, target in enumerate(("real", "fake")):
        expected = one_by_one(detector, images, layer, method, category)
        hottest = max(hottest, expected.max())
        assert grad_cam(detector, images, layer, target, method) == pytest.approx(expected, abs=2e-3)
    assert hottest > 0.9, "not all of them are dark"


def test_each_crop_may_be_asked_its_own_question(detector, images):
    both = grad_cam(detector, images, target=["real", "fake"])
    assert both[0] == pytest.approx(grad_cam(detector, images[:1], target="real")[0], abs=1e-4)
    assert both[1] == pytest.approx(grad_cam(detector, images[1:], target="fake")[0], abs=1e-4)
    with pytest.raises(InputError, match="1 targets for 2 crops"):
        grad_cam(detector, images, target=["real"])


def test_a_detector_s_own_answer_is_the_side_that_it_is_on(detector, images):
    with torch.no_grad():
        answers = ["fake" if logit >= 0 else "real" for logit in detector(images)]
    assert grad_cam(detector, images, target="own") == pytest.approx(
        grad_cam(detector, images, target=answers), abs=1e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Meso4", "MesoInception4", "timm:resnet10t"])
def test_other_architectures_have_maps_too(name):
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    torch.manual_seed(0)
    small = opinionated(DetectorConfig(name, None, preprocessing=Preprocessing(size=64)))
    assert usual_layer(small) in small.feature_layers
    crops = torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(3)) * 2 - 1
    for layer in small.feature_layers:
        for method in METHODS:
            found = grad_cam(small, crops, layer, "own", method)
            assert found.shape == (2, 64, 64) and np.isfinite(found).all()


def test_crops_on_disk_get_maps_of_their_own_size(detector, tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv").iloc[[0, 1, -1]]
    maps = of_faces(detector, faces, ["real", "fake", "real"], batch=2)
    crops = torch.stack([detector.preprocessing.apply(read_crop(file)) for file in faces["file"]])
    for index, target in ((0, "real"), (1, "fake"), (2, "real")):
        expected = grad_cam(detector, crops[[index]], target=target)[0]
        assert maps[index].shape == (64, 64)  # the stored crop's size, not the network's
        assert maps[index] == pytest.approx(fitted(expected, (64, 64)), abs=1e-3)
