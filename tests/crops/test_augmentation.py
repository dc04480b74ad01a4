import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data, transform

from torchfakes_utils.crops.augmentation import AUGMENTATIONS, Augmentation, augment, augmentation, draw, jpeg, part
from torchfakes_utils.errors import InputError

# One degradation each, at full strength, for every crop.
ALONE = {
    "rotation": Augmentation(rotation=10), "shift": Augmentation(shift=0.1), "zoom": Augmentation(zoom=0.2),
    "brightness": Augmentation(brightness=0.3), "contrast": Augmentation(contrast=0.3),
    "saturation": Augmentation(saturation=0.5), "hue": Augmentation(hue=0.1),
    "rescale": Augmentation(rescale=4.0, share=1), "blur": Augmentation(blur=3.0, share=1),
    "noise": Augmentation(noise=10.0, share=1), "jpeg": Augmentation(jpeg=30, share=1),
    "cutout": Augmentation(cutout=0.5, share=1),
}  # fmt: skip


@pytest.fixture(scope="module")
def faces():
    """Four crops of a face, (4, 3, 96, 96) uint8."""
    face = data.astronaut()[0:200, 120:320]
    sizes = (96, 110, 128, 150)
    crops = [np.round(255 * transform.resize(face, (size, size), anti_aliasing=True))[:96, :96] for size in sizes]
    return torch.from_numpy(np.stack(crops).astype(np.uint8)).permute(0, 3, 1, 2)


def drawn(recipe, count=4, seed=0):
    return draw(recipe, count, torch.Generator().manual_seed(seed))


def test_nothing_drawn_changes_nothing(faces):
    assert torch.equal(augment(faces, drawn(Augmentation())), faces)
    assert torch.equal(augment(faces, drawn(augmentation("none"))), faces)


def test_an_unknown_recipe():
    with pytest.raises(InputError, match="no augmentation 'mixup'; choose one of none, mirror, first-project, modern"):
        augmentation("mixup")


@pytest.mark.parametrize("name", list(ALONE))
def test_each_change_changes_the_crops_and_repeats(faces, name):
    once = augment(faces, drawn(ALONE[name]))
    assert once.shape == faces.shape and once.dtype == torch.uint8
    assert all(not torch.equal(before, after) for before, after in zip(faces, once, strict=True))
    assert torch.equal(once, augment(faces, drawn(ALONE[name])))
    assert not torch.equal(once, augment(faces, drawn(ALONE[name], seed=1)))


@given(st.integers(0, 10_000), st.integers(1, 7))
@settings(max_examples=25, deadline=None)
def test_a_part_of_a_batch_is_changed_as_in_the_whole(seed, cut):
    """Several processes, each with its part of a batch, make the crops that one process would make."""
    images = torch.randint(0, 256, (8, 3, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    recipe = replace(AUGMENTATIONS["modern"], share=0.6)
    what = drawn(recipe, 8, seed)
    parts = [augment(images[rows], part(what, rows)) for rows in (slice(0, cut), slice(cut, 8))]
    different = torch.cat(parts) != augment(images, what)
    # Sums of floats may differ in their last bit, which rounding, and then JPEG's, makes visible in a few pixels.
    assert different.float().mean() < 0.05


def test_shares_and_ranges():
    recipe = AUGMENTATIONS["modern"]
    what = drawn(recipe, 20_000)
    assert what["flip"].float().mean() == pytest.approx(0.5, abs=0.02)
    for name, nothing in (("rescale", 1), ("blur", 0), ("noise", 0), ("jpeg", 0), ("cutout", 0)):
        assert (what[name] != nothing).float().mean() == pytest.approx(recipe.share, abs=0.02), name
    assert what["rotation"].abs().max() <= recipe.rotation and what["rotation"].abs().mean() > recipe.rotation / 3
    happened = what["jpeg"][what["jpeg"] > 0]
    assert happened.min() == recipe.jpeg and happened.max() == 100


def test_flip_is_a_mirror(faces):
    assert torch.equal(augment(faces, drawn(Augmentation(flip=1.0))), faces.flip(-1))


def test_rotation_and_zoom_turn_about_the_middle_in_the_right_sense(faces):
    what = drawn(Augmentation())
    what["rotation"] = torch.full((4,), 90.0)
    turned = augment(faces, what).int()
    assert min((turned - torch.rot90(faces, k, (2, 3)).int()).abs().max() for k in (1, -1)) <= 1
    what = drawn(Augmentation())
    what["zoom"] = torch.full((4,), 2.0)
    middle = augment(faces, what)[..., 40:56, 40:56].float().mean((2, 3))
    torch.testing.assert_close(middle, faces[..., 44:52, 44:52].float().mean((2, 3)), atol=3, rtol=0)


def test_colour_leaves_grey_alone_where_it_should():
    grey = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    for name in ("saturation", "hue", "contrast"):
        what = drawn(ALONE[name], 1)
        assert (augment(grey, what).int() - 100).abs().max() <= 1, name
    what = drawn(Augmentation(), 1)
    what["brightness"] = torch.tensor([1.5])
    assert (augment(grey, what) == 150).all()


def test_a_turn_of_the_colour_circle_by_a_third_exchanges_the_primaries():
    red = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    red[:, 0] = 200
    what = drawn(Augmentation(), 1)
    what["hue"] = torch.tensor([1 / 3])
    assert augment(red, what)[0, :, 0, 0].tolist() == [0, 200, 0]


def test_blur_is_a_gaussian(faces):
    from scipy.ndimage import gaussian_filter

    what = drawn(Augmentation())
    what["blur"] = torch.tensor([0.7, 1.5, 0.0, 2.5])
    blurred = augment(faces, what)
    assert torch.equal(blurred[2], faces[2])
    for crop, image, sigma in zip(faces, blurred, what["blur"].tolist(), strict=True):
        if sigma:
            expected = gaussian_filter(crop.numpy().astype(float), (0, sigma, sigma), mode="mirror")
            assert np.abs(image.numpy() - expected).max() < 2


def test_rescaling_takes_detail_away(faces):
    what = drawn(Augmentation())
    what["rescale"] = torch.tensor([1.0, 1.5, 2.0, 4.0])
    detail = augment(faces, what).float().diff(dim=-1).abs().mean((1, 2, 3)) / faces.float().diff(dim=-1).abs().mean(
        (1, 2, 3)
    )
    assert detail[0] == 1 and (detail.diff() < 0).all()


def test_cutout_is_one_grey_square_of_the_drawn_size(faces):
    what = drawn(ALONE["cutout"])
    cut = augment(faces, what)
    for before, after, share in zip(faces, cut, what["cutout"].tolist(), strict=True):
        changed = (before != after).any(0)
        rows, columns = changed.any(1).nonzero(), changed.any(0).nonzero()
        edge = round(share * 96)
        assert rows.max() - rows.min() < edge and columns.max() - columns.min() < edge
        assert (after[:, changed] == 127).all() and changed.sum() > 0.9 * edge * edge


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90, 100])
@pytest.mark.parametrize("grey", [True, False])
def test_jpeg_gives_what_a_file_would(faces, quality, grey):
    """As far as rounding lets it: libjpeg calculates in whole numbers."""
    if grey:
        faces = faces.float().mean(1, keepdim=True).round().to(torch.uint8).expand(-1, 3, -1, -1)
    ours = jpeg(faces.float(), torch.full((4,), float(quality)))
    for crop, image in zip(faces, ours, strict=True):
        file = io.BytesIO()
        Image.fromarray(crop.permute(1, 2, 0).numpy()).save(file, "jpeg", quality=quality, subsampling="4:2:0")
        theirs = np.asarray(Image.open(file), dtype=int)
        lost = np.abs(theirs - crop.permute(1, 2, 0).numpy().astype(int)).mean()
        apart = np.abs(theirs - image.permute(1, 2, 0).numpy()).mean()
        assert apart < (0.3 if grey else 0.2 + 0.25 * lost), (apart, lost)


def test_jpeg_of_an_odd_size():
    images = torch.randint(0, 256, (2, 3, 75, 61)).float()
    assert jpeg(images, torch.tensor([100.0, 50.0])).shape == images.shape
