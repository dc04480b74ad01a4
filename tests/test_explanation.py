"""Heat maps: against Grad-CAM done by hand, on a frozen network, in batches; overlays; the files of `explain`."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.nn import functional

from torchfakes_utils import explanation
from torchfakes_utils.dataset import Preprocessing
from torchfakes_utils.detector import Detector, DetectorConfig, save
from torchfakes_utils.errors import InputError
from torchfakes_utils.explanation import choose, explain, grad_cam, overlay, usual_layer
from torchfakes_utils.tables import FACE_COLUMNS, read_table, write_table

SIZE = 80


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(1)
    return Detector(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=SIZE))).eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand((2, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(2)) * 2 - 1


# Of this untrained network: everything at the layer speaks for "real", so that the maps for "fake" are all zeros.
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


def faces_of(groups):
    rows = [
        dict.fromkeys(FACE_COLUMNS, "")
        | {"clip_id": f"{number:03d}", "path": f"{method}-{number}-{frame}.png", "label": int(method != "youtube")}
        | {"method": method, "compression": "c23", "split": "test", "frame": frame, "probability": 1, "sharpness": 50}
        for method, clips in groups.items()
        for number in range(clips)
        for frame in (0, 5, 10)
    ]
    return pd.DataFrame(rows)


def test_choice_takes_the_methods_in_turn_and_one_crop_a_clip():
    faces = faces_of({"youtube": 5, "Deepfakes": 5, "FaceSwap": 1})
    chosen = choose(faces.sample(frac=1, random_state=0), limit=7)
    assert chosen["method"].value_counts().to_dict() == {"youtube": 3, "Deepfakes": 3, "FaceSwap": 1}
    assert set(chosen["frame"]) == {5}
    assert not chosen.duplicated(["method", "clip_id"]).any()
    pd.testing.assert_frame_equal(chosen, choose(faces, limit=7))


def test_explain_writes_pictures_maps_and_a_table(detector, tmp_path):
    save(detector, tmp_path / "run" / "best")
    faces = faces_of({"youtube": 2, "Deepfakes": 2})
    generator = np.random.default_rng(0)
    for path in faces["path"]:
        Image.fromarray(generator.integers(0, 256, (90, 90, 3), dtype=np.uint8)).save(tmp_path / path)
    table = write_table(faces, tmp_path / "faces.csv", FACE_COLUMNS)
    out = explain(tmp_path / "run", table, limit=3)
    assert out == tmp_path / "run" / "explanations"
    rows = read_table(out / "explanations.csv", explanation.EXPLANATION_COLUMNS)
    assert len(rows) == 3
    stored = np.load(out / "maps.npz")
    assert stored["maps"].shape == (3, SIZE, SIZE)
    assert stored["path"].tolist() == rows["path"].tolist()
    with Image.open(out / rows["overlay"][0]) as picture, Image.open(tmp_path / rows["path"][0]) as crop:
        assert picture.size == (180, 90)
        assert (np.asarray(picture)[:, :90] == np.asarray(crop)).all()


@pytest.mark.parametrize(("change", "message"), [({"split": "train"}, "train"), ({"limit": 0}, "at least one")])
def test_explain_refuses_what_it_cannot_do(tmp_path, change, message, monkeypatch):
    monkeypatch.setattr(explanation, "load", lambda run, device: torch.nn.Identity())
    faces = faces_of({"youtube": 1})
    table = write_table(faces, tmp_path / "faces.csv", FACE_COLUMNS)
    with pytest.raises(InputError, match=message):
        explain(tmp_path, table, **change)


def test_other_architectures_have_a_usual_layer_too(tmp_path):
    small = Detector(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=64))).eval()
    assert usual_layer(small) in small.feature_layers
    crops = torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(3)) * 2 - 1
    assert grad_cam(small, crops).shape == (2, 64, 64)
