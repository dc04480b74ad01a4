"""Self-blended images: what stays, what changes, and that every step can be seen by itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data, transform

from torchfakes_utils.crops.augmentation import joined, part
from torchfakes_utils.crops.self_blending import (
    BLENDED,
    DEFAULTS,
    RATIOS,
    TARGET,
    UNTOUCHED,
    SelfBlending,
    are_faces,
    areas,
    as_roles,
    draw_blends,
    face_mask,
    filled,
    self_blend,
    source_and_target,
)
from torchfakes_utils.faces.outline import outlines

EDGE = 96
LANDMARKS = np.array([[35.0, 38], [61, 38], [48, 54], [38, 67], [58, 67]]) / EDGE
# Nothing is changed, moved or bent; the mask is as sharp as it gets.
STILL = SelfBlending(
    deformation=0, softness=(0.002, 0.002), shift_x=0, shift_y=0, zoom=0, colour=0, hue=0, saturation=0, brightness=0,
    contrast=0, rescale=(1, 1), sharpen=0,
)  # fmt: skip


def around(count=4):
    both = [outlines(np.stack([LANDMARKS] * count), forehead) for forehead in (False, True)]
    return torch.from_numpy(np.stack(both, 1)).float()


@pytest.fixture(scope="module")
def faces():
    """Four crops of a face, (4, 3, 96, 96) uint8."""
    face = data.astronaut()[0:200, 120:320]
    crops = [
        np.round(255 * transform.resize(face, (EDGE, EDGE), anti_aliasing=True)) * share for share in (1, 0.9, 0.8, 0.7)
    ]
    return torch.from_numpy(np.stack(crops).astype(np.uint8)).permute(0, 3, 1, 2)


def drawn(recipe=DEFAULTS, count=4, seed=0):
    return draw_blends(recipe, count, torch.Generator().manual_seed(seed))


@given(st.integers(0, 2**31), st.integers(24, 70), st.integers(24, 70))
@settings(max_examples=30, deadline=None)
def test_a_fake_lies_between_its_copies_and_is_the_target_outside_the_mask(seed, height, width):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (3, 3, height, width), dtype=torch.uint8, generator=generator)
    found = self_blend(images, around(3), drawn(count=3, seed=seed))
    assert found.mask.shape == (3, 1, height, width) and found.mask.min() >= 0 and found.mask.max() <= 1
    outside = (found.mask == 0).expand(-1, 3, -1, -1)
    assert outside.any() and torch.equal(found.fakes[outside], found.target[outside])
    low, high = torch.minimum(found.source, found.target), torch.maximum(found.source, found.target)
    assert (low <= found.fakes).all() and (found.fakes <= high).all()
    assert all(part.dtype == torch.uint8 and part.shape == images.shape for part in (found.source, found.target))


def test_the_same_draw_gives_the_same_fakes_and_another_seed_others(faces):
    once, again, other = (self_blend(faces, around(), drawn(seed=seed)).fakes for seed in (1, 1, 2))
    assert torch.equal(once, again) and not torch.equal(once, other)
    assert all(not torch.equal(fake, face) for fake, face in zip(once, faces, strict=True))


@given(st.integers(0, 1000), st.integers(1, 7))
@settings(max_examples=10, deadline=None)
def test_a_part_of_a_batch_is_blended_as_in_the_whole(seed, cut):
    images = torch.randint(0, 256, (8, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    what, outline = drawn(count=8, seed=seed), around(8)
    parts = [self_blend(images[rows], outline[rows], part(what, rows)).fakes for rows in (slice(0, cut), slice(cut, 8))]
    # Sums of floats may differ in their last bit, which rounding makes visible in a few pixels.
    assert (torch.cat(parts).int() - self_blend(images, outline, what).fakes.int()).abs().max() <= 2
    halves = joined(part(what, slice(0, cut)), part(what, slice(cut, 8)))
    assert all(torch.equal(halves[name], what[name]) for name in what)


def test_where_nothing_is_pulled_apart_the_fake_is_the_face(faces):
    found = self_blend(faces, around(), drawn(STILL))
    for copy in (found.source, found.target, found.fakes):
        assert torch.equal(copy, faces)


@pytest.mark.parametrize(
    "change", [{"colour": 20}, {"hue": 0.05}, {"saturation": 0.5}, {"brightness": 0.3}, {"contrast": 0.3},
               {"rescale": (3, 3)}, {"sharpen": 1.0}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_each_change_is_of_one_copy_alone(faces, change):
    """Whether it is the source or the target that is changed, both happen: the other is the crop as it was."""
    what = drawn(replace(STILL, **change), seed=3)
    if next(iter(change)) in ("rescale", "sharpen"):  # which of the two a copy gets, is drawn
        what |= {"rescale": torch.full((4,), 3.0 if "rescale" in change else 1.0)}
        what |= {"sharpen": torch.full((4,), 1.0 if "sharpen" in change else 0.0)}
    what["source_changed"] = torch.tensor([True, False, True, False])
    source, target = source_and_target(faces, what)
    assert torch.equal(source[1::2], faces[1::2]) and torch.equal(target[::2], faces[::2])
    assert not torch.equal(source[0], faces[0]) and not torch.equal(target[1], faces[1])


def test_sharpening_adds_what_rescaling_takes_away(faces):
    def edges(images):
        return (images[..., 1:].float() - images[..., :-1].float()).abs().mean()

    what = drawn(STILL) | {"source_changed": torch.ones(4, dtype=torch.bool)}
    sharper, _ = source_and_target(faces, what | {"sharpen": torch.ones(4)})
    softer, _ = source_and_target(faces, what | {"rescale": torch.full((4,), 4.0)})
    assert edges(softer) < 0.8 * edges(faces) and edges(sharper) > 1.2 * edges(faces)


def test_the_source_is_moved_and_the_mask_with_it(faces):
    what = drawn(STILL)
    what["move"] = torch.tensor([[0.125, 0.0]] * 4)
    source, target = source_and_target(faces, what)
    assert torch.equal(target, faces)
    assert (source[..., :-12].int() - faces[..., 12:].int()).abs().max() <= 1, "an eighth to the left"
    before, after = face_mask(around(), drawn(STILL), (EDGE, EDGE)), face_mask(around(), what, (EDGE, EDGE))
    assert torch.allclose(after[..., :-12], before[..., 12:], atol=0.02)


def test_a_mask_is_a_hull_and_fades_inside_of_it():
    sharp = filled(around(1)[:, 1], (EDGE, EDGE))
    assert sharp.mean() == pytest.approx(float(areas(around(1)[:, 1])), abs=0.002), "as large as the polygon"
    soft = face_mask(
        around(1), drawn(replace(STILL, softness=(0.02, 0.02)), 1) | {"forehead": torch.tensor([True])}, (EDGE, EDGE)
    )
    assert soft.max() == 1 and ((soft > 0.01) & (soft < 0.99)).float().mean() > 0.05
    assert (soft[sharp == 0] < 0.02).all(), "what the second blur spreads, the erosion has made room for"
    bent = face_mask(around(1), drawn(replace(STILL, deformation=0.05), 1), (EDGE, EDGE))
    assert ((bent > 0.5) != (face_mask(around(1), drawn(STILL, 1), (EDGE, EDGE)) > 0.5)).float().mean() > 0.01


def test_polygons_either_way_round_and_such_as_are_none():
    one = around(1)[:, 1]
    assert torch.allclose(filled(one, (32, 48)), filled(one.flip(1), (32, 48)), atol=1e-4)
    nothing = torch.cat([torch.full_like(one, 0.4), torch.full_like(one, float("nan")), one[:, :1].expand_as(one)])
    assert torch.equal(filled(nothing, (32, 48)), torch.zeros(3, 1, 32, 48))
    both = torch.stack([nothing, nothing], 1)
    assert not are_faces(both).any() and are_faces(around(2)).all()
    blended = self_blend(torch.randint(0, 256, (3, 3, 32, 48), dtype=torch.uint8), both, drawn(STILL, 3))
    assert blended.mask.max() == 0 and torch.equal(blended.fakes, blended.target), "and no number that is none"


def test_shares_and_ranges():
    what = drawn(count=20_000)
    assert what["source_changed"].float().mean() == pytest.approx(0.5, abs=0.02)
    assert what["forehead"].float().mean() == pytest.approx(DEFAULTS.forehead, abs=0.02)
    for ratio in set(RATIOS):
        assert (what["ratio"] == ratio).float().mean() == pytest.approx(RATIOS.count(ratio) / len(RATIOS), abs=0.02)
    rescaled, sharpened = what["rescale"] > 1, what["sharpen"] > 0
    assert not (rescaled & sharpened).any() and rescaled.float().mean() == pytest.approx(0.5, abs=0.02)
    assert what["rescale"][rescaled].min() >= DEFAULTS.rescale[0] and what["rescale"].max() <= DEFAULTS.rescale[1]
    assert what["move"].abs().amax(0).tolist() == pytest.approx([DEFAULTS.shift_x, DEFAULTS.shift_y], rel=0.01)
    assert what["rgb"].abs().max() <= DEFAULTS.colour


def test_a_real_partner_is_the_target_of_its_fake(faces):
    """Both crops of a pair from one draw: outside of the mask they are the same, to the last bit."""
    images, outline = torch.cat([faces, faces]), torch.cat([around(), around()])
    what = drawn(seed=5) | {"source_changed": torch.tensor([True, False, True, False])}
    roles = torch.tensor([TARGET] * 4 + [BLENDED] * 4)
    pairs = as_roles(images, outline, joined(what, what), roles)
    alone = self_blend(faces, around(), what)
    assert torch.equal(pairs[:4], alone.target) and torch.equal(pairs[4:], alone.fakes)
    assert torch.equal(pairs[0], faces[0]) and not torch.equal(pairs[1], faces[1])
    assert torch.equal(as_roles(images, outline, joined(what, what), torch.full((8,), UNTOUCHED)), images)
