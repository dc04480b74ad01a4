"""Fakes made from real faces alone: a face blended with itself, its two copies pulled a little apart.

What face swaps share, whoever makes them, is that a face from elsewhere is laid into a picture: its colours and its
sharpness fit badly, it does not lie quite where the face was, and somewhere there is a seam. All of that a picture can
be given without another person: two copies of it, the source and the target, one of them changed, the source moved, and
the source laid over the target within a mask of the face. Who learns to see that has met no forger's method, and cannot
learn one by heart.

Source: Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022, section 3, with that paper's
ranges where nothing else is said. What differs here: the mask is a template laid over MTCNN's five landmarks
(`faces.outline`) in place of the hull of 81, pictures are blended at the network's size and not in the film's frame,
and for whole batches at a time on any device.

`draw_blends` decides what happens to each crop, as `augmentation.draw` does, and `self_blend` does it; `face_mask` and
`source_and_target` are its steps, one by one.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from torchfakes_utils.crops.augmentation import Augmentation, Draw, augment, draw, gaussian_blur, part

# What a table calls fakes that were made so.
SELF_BLENDED = "self-blended"

# What is done to a crop of a batch: nothing; it becomes the target, and stays real; it is blended with itself.
UNTOUCHED, TARGET, BLENDED = 0, 1, 2

# How strongly a fake's source covers its target, each as often as it stands here (section 3.2).
RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)

# Below it a mask is none, and from so much below 1 on it is eroded.
_NOTHING = 1e-3
# An outline of a smaller share of the crop is that of no face.
_LEAST_AREA = 0.01


@dataclass(frozen=True)
class SelfBlending:
    """How far the copies are pulled apart, and how the mask varies; lengths are shares of the crop's edge.

    Attributes:
        forehead: share of masks that reach up to the hairline; the others end at the brows.
        deformation: largest standard deviation by which the mask is bent. In the paper's program it is small; masks of
            real forgeries differ more, and a network that has learned the template knows nothing.
        waves: of that, across the crop.
        softness: smallest and largest standard deviation of each of the two blurs of the mask.
        shift_x, shift_y: largest move of the source.
        zoom: largest change of its size.
        colour: largest change of each of red, green and blue, in steps of 0…255.
        hue: largest turn of the colour circle, as a share of a full turn; saturation, brightness and contrast: largest
            change, as a share. (The paper gives hue and saturation 0.3 of units that it does not name.)
        rescale: largest factor by which a copy is scaled down and up again, smallest first.
        sharpen: largest strength of sharpening; half of the copies that change are sharpened, the others rescaled.
    """

    forehead: float = 0.75
    deformation: float = 0.03
    waves: int = 5
    softness: tuple[float, float] = (0.005, 0.03)
    shift_x: float = 0.03
    shift_y: float = 0.015
    zoom: float = 0.05
    colour: float = 20.0
    hue: float = 0.02
    saturation: float = 0.1
    brightness: float = 0.1
    contrast: float = 0.1
    rescale: tuple[float, float] = (2.0, 4.0)
    sharpen: float = 1.0


DEFAULTS = SelfBlending()


@dataclass(frozen=True)
class Blends:
    """Self-blended crops, and what they are made of.

    Attributes:
        source, target: the two copies, (B, 3, H, W) uint8. The target is the real partner of the fake: what was done to
            it is no sign of forgery, and a network that saw it in fakes alone would learn it for one.
        mask: (B, 1, H, W) float32 in 0…1; where it is 0 the fake is the target, to the last bit.
        fakes: ratio · mask · source + (1 - ratio · mask) · target, (B, 3, H, W) uint8.
    """

    source: torch.Tensor
    target: torch.Tensor
    mask: torch.Tensor
    fakes: torch.Tensor


def draw_blends(recipe: SelfBlending, count: int, generator: torch.Generator | None = None) -> Draw:
    """Decide how each of `count` crops is blended with itself; a generator, of the CPU, makes the draw repeatable.

    Returns:
        By name, a value for each crop, (count, …), on the CPU; `augmentation.part` and `joined` take them.
    """

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    def one_of(values: tuple[float, ...]) -> torch.Tensor:
        return torch.tensor(values)[torch.randint(len(values), (count,), generator=generator)]

    colours = Augmentation(
        brightness=recipe.brightness, contrast=recipe.contrast, saturation=recipe.saturation, hue=recipe.hue
    )
    drawn = draw(colours, count, generator)
    sharpened = uniform(0, 1) < 0.5
    drawn["rescale"] = torch.where(sharpened, torch.tensor(1.0), uniform(*recipe.rescale))
    bends = torch.randn(count, 2, recipe.waves, recipe.waves, generator=generator)
    return drawn | {
        "sharpen": torch.where(sharpened, uniform(0, recipe.sharpen), torch.tensor(0.0)),
        "rgb": uniform(-recipe.colour, recipe.colour, 3),
        "source_changed": uniform(0, 1) < 0.5,
        "move": uniform(-1, 1, 2) * torch.tensor([recipe.shift_x, recipe.shift_y]),
        "scale": uniform(1 - recipe.zoom, 1 + recipe.zoom),
        "forehead": uniform(0, 1) < recipe.forehead,
        "bend": bends * uniform(0, recipe.deformation)[:, None, None, None],
        "softness": uniform(*recipe.softness, 2),
        "ratio": one_of(RATIOS),
    }


def self_blend(images: torch.Tensor, outlines: torch.Tensor, drawn: Draw) -> Blends:
    """Blend crops with themselves, as `draw_blends` decided.

    Args:
        images: (B, 3, H, W) uint8 RGB, real faces.
        outlines: (B, 2, K, 2) from `faces.outline.outlines` of each, to the brows and up to the hairline; x, y as
            shares of the crop's edge.
        drawn: for each.
    """
    source, target = source_and_target(images, drawn)
    mask = face_mask(outlines, drawn, (images.shape[-2], images.shape[-1]))
    covered = mask * _column(drawn["ratio"], mask)
    fakes = torch.lerp(target.float(), source.float(), covered).round().to(torch.uint8)
    return Blends(source, target, mask, fakes)


def source_and_target(images: torch.Tensor, drawn: Draw) -> tuple[torch.Tensor, torch.Tensor]:
    """Two copies of crops (B, 3, H, W) uint8, of which one is changed, and the source moved; both uint8."""
    changed = other_copies(images, drawn)
    first = drawn["source_changed"].to(images.device)[:, None, None, None]
    source, target = torch.where(first, changed, images), torch.where(first, images, changed)
    grid = F.affine_grid(_source_places(drawn).to(images.device), list(images.shape), align_corners=False)
    moved = F.grid_sample(source.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return moved.round().to(torch.uint8), target


@dataclass(frozen=True)
class SelfBlends:
    """What becomes of the real crops of a batch, some of which are made into fakes.

    Attributes:
        roles: (B,) int, see `as_roles`.
        outlines: (B, 2, K, 2) float32, of each face.
        drawn: how each is blended; the same for both crops of a pair.
    """

    roles: torch.Tensor
    outlines: torch.Tensor
    drawn: Draw

    def apply(self, images: torch.Tensor) -> torch.Tensor:
        """Crops (B, 3, S, S) uint8 as they are trained on, on the same device."""
        return as_roles(images, self.outlines.to(images.device), self.drawn, self.roles)

    def only(self, rows: slice | torch.Tensor) -> "SelfBlends":
        """Of some of the crops."""
        return SelfBlends(self.roles[rows], self.outlines[rows], part(self.drawn, rows))


def as_roles(images: torch.Tensor, outlines: torch.Tensor, drawn: Draw, roles: torch.Tensor) -> torch.Tensor:
    """A batch of real crops as they are trained on.

    Args:
        images, outlines, drawn: as for `self_blend`; a fake and its real partner have the same draw.
        roles: (B,) int, on the CPU: what each becomes, `UNTOUCHED`, `TARGET` or `BLENDED`.

    Returns:
        (B, 3, H, W) uint8.
    """
    changed, blended = (roles == TARGET) & ~drawn["source_changed"], roles == BLENDED  # other targets are as they were
    for places in (rows.nonzero()[:, 0] for rows in (changed, blended) if rows.any()):
        there, what = places.to(images.device), part(drawn, places)
        some = images[there]
        new = self_blend(some, outlines[there], what).fakes if blended[places[0]] else other_copies(some, what)
        images = images.index_copy(0, there, new)
    return images


def other_copies(images: torch.Tensor, drawn: Draw) -> torch.Tensor:
    """Crops (B, 3, H, W) uint8 with other colours, and either sharpened or less sharp: as a face from elsewhere is."""
    changed = augment(images, drawn).float()
    rows = drawn["sharpen"].nonzero()[:, 0]
    if len(rows):
        there, strength = rows.to(images.device), drawn["sharpen"][rows]
        some = changed[there]
        edges = some - gaussian_blur(some, torch.ones(len(rows)))
        changed = changed.index_add(0, there, _column(strength, some) * edges)
    return (changed + drawn["rgb"].to(changed)[:, :, None, None]).round().clamp(0, 255).to(torch.uint8)


def face_mask(outlines: torch.Tensor, drawn: Draw, size: tuple[int, int]) -> torch.Tensor:
    """The masks of faces, moved as the source is, bent, and soft at their edges.

    After the first blur everything below 1 is taken away, so that the second fades out inside of the face's outline and
    not beyond it (section 3.2).

    Args:
        outlines: as for `self_blend`.
        drawn: for each.
        size: height and width of the crops.

    Returns:
        (B, 1, H, W) float32 in 0…1; 0 everywhere where nothing of the face is left.
    """
    device = outlines.device
    chosen = outlines[torch.arange(len(outlines), device=device), drawn["forehead"].long().to(device)]
    hull = filled(chosen, ((size[0] + 1) // 2, (size[1] + 1) // 2))  # what is blurred afterwards need not be finer
    grid = F.affine_grid(_source_places(drawn).to(device), [len(hull), 1, *size], align_corners=False)
    bend = F.interpolate(drawn["bend"].to(device), size, mode="bicubic", align_corners=True)
    grid = grid + 2 * bend.permute(0, 2, 3, 1)
    mask = F.grid_sample(hull, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    first, second = (drawn["softness"] * min(size)).unbind(1)
    mask = gaussian_blur(mask, first)
    mask = gaussian_blur(torch.where(mask < 1 - _NOTHING, 0.0, mask), second)
    # At its strongest a mask covers everything, however narrow the face: the ratio says how much it does in the end.
    peak = mask.amax((1, 2, 3), keepdim=True)
    return torch.where(peak > _NOTHING, mask / peak.clamp(min=_NOTHING), 0.0).clamp(0, 1)


def areas(corners: torch.Tensor) -> torch.Tensor:
    """The signed areas of polygons (..., K, 2), (...,): above 0 where the corners go clockwise as seen in a picture."""
    x, y = corners.unbind(-1)
    return (x * y.roll(-1, -1) - x.roll(-1, -1) * y).sum(-1) / 2


def are_faces(outlines: torch.Tensor) -> torch.Tensor:
    """Of outlines (B, 2, K, 2), as for `self_blend`, which a mask can be made of, (B,) bool."""
    return (areas(outlines).abs() >= _LEAST_AREA).all(1)  # NaN is not


def filled(corners: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Convex polygons as pictures, smooth at their edges over a pixel.

    Args:
        corners: (B, K, 2) x, y as shares of the picture's edges, one way round or the other.
        size: height and width.

    Returns:
        (B, 1, H, W) float32, 1 inside; 0 everywhere of a polygon without an area, or whose corners are no numbers.
    """
    height, width = size
    points = corners * corners.new_tensor([width, height])
    along = points.roll(-1, 1) - points  # (B, K, 2)
    # The distance of each pixel's middle from each edge, positive on the right of it: inside, it is so for all.
    turn = areas(points).sign()[:, None, None]
    normals = turn * torch.stack([-along[..., 1], along[..., 0]], -1) / along.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    offsets = (normals * points).sum(-1)
    x = torch.arange(width, device=corners.device) + 0.5
    y = torch.arange(height, device=corners.device) + 0.5
    nearest = corners.new_full((len(corners), height, width), float("inf"))
    for edge in range(corners.shape[1]):
        across = normals[:, edge, 0, None] * x - offsets[:, edge, None]  # (B, W)
        down = normals[:, edge, 1, None] * y  # (B, H)
        nearest = torch.minimum(nearest, across[:, None, :] + down[:, :, None])
    inside = torch.where(turn == 0, 0.0, (nearest + 0.5).clamp(0, 1))
    return torch.nan_to_num(inside)[:, None]


def _source_places(drawn: Draw) -> torch.Tensor:
    """From each place of the moved source to where it is taken from, in units of half an edge, (B, 2, 3)."""
    zoom, (x, y) = 1 / drawn["scale"], (2 * drawn["move"]).unbind(1)
    none = torch.zeros_like(zoom)
    return torch.stack([torch.stack([zoom, none, x], 1), torch.stack([none, zoom, y], 1)], 1)


def _column(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """(B,) as (B, 1, 1, 1) beside `like`."""
    return values.to(like.device, torch.float32)[:, None, None, None]
