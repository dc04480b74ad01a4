import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data, transform

from torchfakes_utils.crops.augmentation import (
    AUGMENTATIONS,
    Augmentation,
    augment,
    augmentation,
    draw,
    joined,
    jpeg,
    part,
)
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
    with pytest.raises(
        InputError, match="no augmentation .mixup.; choose one of none, mirror, .*modern, mild, strong, gend"
    ):
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


def step_at(images):
    """Column of the grid, 0 to 7, after which neighbouring pixels differ most, of crops (B, 3, H, W): (B,)."""
    steps = images.float().mean(1).diff(dim=-1).abs().mean(1)  # (B, W - 1)
    folded = torch.stack([steps[:, start : start + steps.shape[1] // 8 * 8 - 8 : 8].mean(1) for start in range(8)], 1)
    return (folded.argmax(1) + 1) % 8


def test_the_grid_of_blocks_lies_anywhere():
    """Along rows and columns alike, each place of the grid as often as any other."""
    noise = torch.randn(1600, 1, 1, 72, generator=torch.Generator().manual_seed(0)).expand(-1, 3, 72, -1)
    slopes = (128 + 60 * torch.sin(torch.arange(72) / 11) + 6 * noise).clamp(0, 255).to(torch.uint8)
    what = drawn(Augmentation(jpeg=10, share=1), 1600)
    what["jpeg"] = torch.full((1600,), 3.0)
    for turned in (False, True):
        images = augment(slopes.transpose(-1, -2) if turned else slopes, what)
        found = step_at(images.transpose(-1, -2) if turned else images)
        expected = -what["jpeg_at"][:, 0 if turned else 1] % 8
        assert (found == expected).float().mean() > 0.9
        # Six standard errors of a share of an eighth.
        assert (found.bincount(minlength=8) / 1600 - 0.125).abs().max() < 0.05
    assert (what["jpeg_at"].flatten().bincount(minlength=16) / 3200 - 1 / 16).abs().max() < 0.03


@pytest.mark.parametrize("at", [(0, 0), (5, 5), (8, 3), (15, 12)])
def test_a_crop_is_as_if_cut_out_of_a_file(at):
    picture = data.astronaut()[: 160 + at[0], 60 : 220 + at[1]]
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "jpeg", quality=50, subsampling="4:2:0")
    theirs = np.asarray(Image.open(file), dtype=int)[at[0] : at[0] + 128, at[1] : at[1] + 128]
    crop = torch.from_numpy(picture[at[0] : at[0] + 128, at[1] : at[1] + 128].copy()).permute(2, 0, 1)[None].float()
    ours = jpeg(crop, torch.tensor([50.0]), torch.tensor([at]))[0].permute(1, 2, 0).numpy()
    inside = np.abs(ours - theirs)[16:-16, 16:-16]  # blocks that the crop's edge cuts in two know less than the file
    assert inside.mean() < 0.6
    corner = jpeg(crop, torch.tensor([50.0]))[0].permute(1, 2, 0).numpy()
    assert (np.abs(corner - theirs)[16:-16, 16:-16].mean() > 2) == (at != (0, 0))


@given(st.integers(17, 90), st.integers(17, 90), st.integers(0, 15), st.integers(0, 15))
@settings(max_examples=20, deadline=None)
def test_wherever_the_grid_lies_the_crop_keeps_its_size_and_at_full_quality_its_look(height, width, down, right):
    crop = data.astronaut()[20 : 20 + height, 200 : 200 + width]
    images = torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].float()
    grey = images.mean(1, keepdim=True).round().expand(-1, 3, -1, -1)
    back = jpeg(grey, torch.tensor([100.0]), torch.tensor([[down, right]]))
    assert back.shape == images.shape and (back - grey).abs().max() <= 3


def test_shares_of_their_own():
    what = drawn(Augmentation(blur=1, noise=1, jpeg=40, blur_share=0.1, jpeg_share=1.0), 20_000)
    shares = {name: (what[name] > 0).float().mean().item() for name in ("blur", "noise", "jpeg")}
    assert shares == pytest.approx({"blur": 0.1, "noise": 0.3, "jpeg": 1.0}, abs=0.02)


def test_gend_is_what_its_program_sets():
    """github.com/yermandy/GenD, src/config.py: flip, affine, blur, brightness and contrast, JPEG."""
    what = drawn(augmentation("gend"), 20_000)
    assert what["flip"].float().mean() == pytest.approx(0.5, abs=0.02)
    ranges = {"rotation": (-10, 10), "shift": (-0.1, 0.1), "zoom": (0.9, 1.1), "brightness": (0.9, 1.1),
              "contrast": (0.9, 1.1), "jpeg": (40, 100), "blur": (0, 2)}  # fmt: skip
    for name, (low, high) in ranges.items():
        span = (what[name].min().item(), what[name].max().item())
        assert span == pytest.approx((low, high), abs=0.02 * (high - low)), name
    assert (what["blur"] > 0).float().mean() == pytest.approx(0.1, abs=0.02)
    assert (what["jpeg"] > 0).all() and all((what[name] == 0).all() for name in ("noise", "cutout", "hue"))


def test_mild_leaves_most_of_a_face_as_it_is(faces):
    """Half of the crops come as they are, or mirrored; those that are changed, by a grey level or two on average."""
    many = faces.repeat(100, 1, 1, 1)
    off = {}
    for name in ("mild", "gend", "modern"):
        what = drawn(augmentation(name), len(many)) | {"flip": torch.zeros(len(many), dtype=torch.bool)}
        off[name] = (augment(many, what).float() - many.float()).abs().mean((1, 2, 3))
    assert (off["mild"] == 0).float().mean() > 0.5 and off["mild"].max() < 8
    assert off["mild"].mean() < off["modern"].mean() and off["mild"].mean() < off["gend"].mean()


def test_what_is_joined_is_what_was_drawn():
    one, other = drawn(AUGMENTATIONS["modern"], 3), drawn(AUGMENTATIONS["modern"], 2, seed=1)
    both = joined(one, other)
    assert all(torch.equal(part(both, slice(3, None))[name], values) for name, values in other.items())
    assert all(torch.equal(part(both, slice(3))[name], values) for name, values in one.items())


def test_jpeg_of_an_odd_size():
    images = torch.randint(0, 256, (2, 3, 75, 61)).float()
    assert jpeg(images, torch.tensor([100.0, 50.0])).shape == images.shape
