"""Random changes of training crops: batches at a time, on whatever device the batch is on.

`draw` decides what happens to each crop, `augment` does it. The two are apart so that a picture of what augmentation
does can be made at any strength, and so that several processes can draw the same numbers and each do its own part.

By hand, for kornia draws from torch's global generator alone, takes up to twice as long on a CPU, and its JPEG lies
further from libjpeg's; torchvision changes all crops of a batch alike, and its JPEG, libjpeg itself, knows no GPU.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch.nn import functional as F

from torchfakes_utils.errors import InputError


@dataclass(frozen=True)
class Augmentation:
    """How far crops are changed; zeros change nothing."""

    flip: float = 0.0  # share of crops that are mirrored
    rotation: float = 0.0  # largest turn to either side, degrees
    shift: float = 0.0  # largest move, as a share of the edge, in each direction
    zoom: float = 0.0  # largest change of scale, as a share
    brightness: float = 0.0  # largest change, as a share; of contrast and saturation, too
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0  # largest turn of the colour circle to either side, as a share of a full turn
    rescale: float = 1.0  # largest factor by which a crop is scaled down and up again
    blur: float = 0.0  # largest standard deviation of a Gaussian blur, pixels
    noise: float = 0.0  # largest standard deviation of added noise, in steps of 0…255
    jpeg: int = 0  # lowest quality of a JPEG compression, 1 to 100; 0 for none
    cutout: float = 0.0  # largest edge of a grey square, as a share of the crop's
    share: float = 0.3  # how many crops each of rescale, blur, noise, jpeg and cutout happens to
    blur_share: float | None = None  # how many blur happens to, where that is another share
    jpeg_share: float | None = None  # the same of jpeg


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": Augmentation(),
    "mirror": Augmentation(flip=0.5),
    # The first TorchFakes project's report names mirroring, rotation and colour jitter, but not their strengths, so
    # these numbers are ours.
    "first-project": Augmentation(flip=0.5, rotation=10, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.02),
    # What happens to a film between the camera and the viewer, beside a little of everything else.
    "modern": Augmentation(
        flip=0.5, rotation=5, shift=0.04, zoom=0.06, brightness=0.15, contrast=0.15, saturation=0.15, hue=0.02,
        rescale=2.0, blur=1.0, noise=5.0, jpeg=50, cutout=0.3,
    ),
    # A little of what every shared picture has gone through, and rarely, so that most of what a forger leaves behind is
    # still there to be learned: blur by less than a pixel, and JPEG as photos are usually saved. The numbers are ours.
    "mild": Augmentation(flip=0.5, blur=0.8, blur_share=0.2, jpeg=60, jpeg_share=0.3),
    # All of it, harder: what keeps a small network from learning a few thousand crops by heart in twenty passes. A blur
    # of a pixel at most, and seldom, for a forgery is itself often a blur. The numbers are ours, chosen on DFDC crops
    # (docs/benchmarks/dfdc.md).
    "strong": Augmentation(
        flip=0.5, rotation=10, shift=0.1, zoom=0.15, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.03, blur=0.8,
        blur_share=0.2, jpeg=60, jpeg_share=0.3, cutout=0.4,
    ),
    # GenD (Yermakov et al., "Deepfake Detection that Generalizes Across Benchmarks", WACV 2026, arXiv 2508.06248), as
    # its program has it (github.com/yermandy/GenD, src/config.py): JPEG always, blur for one crop in ten. There, blur
    # is cut off at 3 px and comes before colour, and what turns in from outside is black; here it is mirrored.
    "gend": Augmentation(
        flip=0.5, rotation=10, shift=0.1, zoom=0.1, brightness=0.1, contrast=0.1, blur=2.0, blur_share=0.1, jpeg=40,
        jpeg_share=1.0,
    ),
}  # fmt: skip

# The colour of a cut-out square: the middle of the range, which normalisation takes to zero.
_GREY = 127.0

# JPEG with colour at half resolution works on squares of so many pixels: four blocks of luma, one of each colour.
_BLOCK = 16

Draw = dict[str, torch.Tensor]


def augmentation(name: str) -> Augmentation:
    """Look a recipe up by name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in AUGMENTATIONS:
        raise InputError(f"no augmentation {name!r}; choose one of {', '.join(AUGMENTATIONS)}")
    return AUGMENTATIONS[name]


def draw(recipe: Augmentation, count: int, generator: torch.Generator | None = None) -> Draw:
    """Decide what happens to each of `count` crops; a generator, of the CPU, makes the draw repeatable.

    Returns:
        By name of the change, a value for each crop, (count,) or (count, 2), on the CPU.
    """

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    def sometimes(values: torch.Tensor, otherwise: float, share: float | None = None) -> torch.Tensor:
        chosen = uniform(0, 1) < (recipe.share if share is None else share)
        return torch.where(chosen, values, torch.tensor(float(otherwise)))

    def jpeg_quality() -> torch.Tensor:
        if not recipe.jpeg:
            return torch.zeros(count)
        return sometimes(uniform(recipe.jpeg, 100).round(), 0, recipe.jpeg_share)

    return {
        "flip": uniform(0, 1) < recipe.flip,
        "rotation": uniform(-recipe.rotation, recipe.rotation),
        "shift": uniform(-recipe.shift, recipe.shift, 2),
        "zoom": uniform(1 - recipe.zoom, 1 + recipe.zoom),
        "brightness": uniform(1 - recipe.brightness, 1 + recipe.brightness),
        "contrast": uniform(1 - recipe.contrast, 1 + recipe.contrast),
        "saturation": uniform(1 - recipe.saturation, 1 + recipe.saturation),
        "hue": uniform(-recipe.hue, recipe.hue),
        "rescale": sometimes(uniform(1, recipe.rescale), 1),
        "blur": sometimes(uniform(0, recipe.blur), 0, recipe.blur_share),
        "noise": sometimes(uniform(0, recipe.noise), 0),
        "noise_seed": torch.randint(2**31, (count,), generator=generator),
        "jpeg": jpeg_quality(),
        "cutout": sometimes(uniform(0, recipe.cutout), 0),
        "cutout_at": uniform(0, 1, 2),
        "jpeg_at": torch.randint(_BLOCK, (count, 2), generator=generator),
    }


def part(drawn: Draw, rows: slice | torch.Tensor) -> Draw:
    """What was drawn for some of the crops."""
    return {name: values[rows] for name, values in drawn.items()}


def joined(*drawn: Draw) -> Draw:
    """What was drawn for the crops of one batch, then for those of another."""
    return {name: torch.cat([one[name] for one in drawn]) for name in drawn[0]}


def augment(images: torch.Tensor, drawn: Draw) -> torch.Tensor:
    """Change crops (B, 3, H, W) uint8 RGB as `draw` decided, in the order of what happens to a film: scene to codec.

    Returns:
        (B, 3, H, W) uint8 on the same device; the very same crops where nothing was drawn.
    """
    flipped = drawn["flip"]
    if flipped.any():
        images = torch.where(flipped.to(images.device)[:, None, None, None], images.flip(-1), images)
    for name, change in _CHANGES.items():
        rows = _changed(name, drawn).nonzero()[:, 0]
        if len(rows):
            some = change(images[rows.to(images.device)].float(), part(drawn, rows)).round().clamp(0, 255)
            images = images.index_copy(0, rows.to(images.device), some.to(torch.uint8))
    return images


def _changed(name: str, drawn: Draw) -> torch.Tensor:
    """Which crops something has to be done to, (B,)."""
    if name == "geometry":
        return (drawn["rotation"] != 0) | (drawn["shift"] != 0).any(1) | (drawn["zoom"] != 1)
    if name == "colour":
        factors = (drawn[factor] != 1 for factor in ("brightness", "contrast", "saturation"))
        return torch.stack([*factors, drawn["hue"] != 0]).any(0)
    return drawn[name] > (1 if name == "rescale" else 0)


def _column(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """(B,) as (B, 1, 1, 1) beside `like`."""
    return values.to(like.device, torch.float32)[:, None, None, None]


def _geometry(images: torch.Tensor, drawn: Draw) -> torch.Tensor:
    """Turned, moved and scaled about the middle; what comes in from outside is the mirror image of what is inside."""
    angle, zoom = torch.deg2rad(drawn["rotation"]), drawn["zoom"]
    cos, sin, (x, y) = angle.cos() / zoom, angle.sin() / zoom, (2 * drawn["shift"]).unbind(1)
    # (B, 2, 3): from each place of the result to where it is taken from, in units of half an edge.
    matrices = torch.stack([torch.stack([cos, -sin, x], 1), torch.stack([sin, cos, y], 1)], 1)
    grid = F.affine_grid(matrices.to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _colour(images: torch.Tensor, drawn: Draw) -> torch.Tensor:
    """Brightness, contrast about the mean grey, saturation about each pixel's grey, hue about the grey axis."""
    images = images * _column(drawn["brightness"], images)
    middle = _grey(images).mean((2, 3), keepdim=True)
    images = (images - middle) * _column(drawn["contrast"], images) + middle
    grey = _grey(images)
    images = (images - grey) * _column(drawn["saturation"], images) + grey
    return torch.einsum("bij,bjhw->bihw", _hue_matrices(drawn["hue"]).to(images.device), images)


def _grey(images: torch.Tensor) -> torch.Tensor:
    """Luma by ITU-R BT.601, (B, 1, H, W)."""
    return torch.einsum("c,bchw->bhw", images.new_tensor([0.299, 0.587, 0.114]), images)[:, None]


def _hue_matrices(turns: torch.Tensor) -> torch.Tensor:
    """Rotations of RGB about the grey axis by shares of a full turn (Rodrigues' formula), (B, 3, 3)."""
    angle = (2 * math.pi * turns.double())[:, None, None]
    k = 1 / math.sqrt(3)
    cross = torch.tensor([[0, -k, k], [k, 0, -k], [-k, k, 0]], dtype=torch.float64)
    return (torch.eye(3) + angle.sin() * cross + (1 - angle.cos()) * cross @ cross).float()


def _rescale(images: torch.Tensor, drawn: Draw) -> torch.Tensor:
    """Scaled down and up again, each by its own factor: what a small picture shown large has lost."""
    edges = images.shape[-2:]

    def there_and_back(image: torch.Tensor, factor: float) -> torch.Tensor:
        small = [max(1, round(edge / factor)) for edge in edges]
        image = F.interpolate(image[None], small, mode="bilinear", antialias=True)
        return F.interpolate(image, edges, mode="bilinear")[0]

    return torch.stack([there_and_back(*one) for one in zip(images, drawn["rescale"].tolist(), strict=True)])


def gaussian_blur(images: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """A Gaussian, each crop with its own, first along the rows and then along the columns.

    Args:
        images: (B, C, H, W) float32.
        sigma: (B,) standard deviations above 0, pixels.
    """
    batch, channels, height, width = images.shape
    sigma = sigma.to(images.device, torch.float32)
    reach = min(max(1, math.ceil(3 * float(sigma.max()))), height - 1, width - 1)
    at = torch.arange(-reach, reach + 1, device=images.device)
    exponents = -(at**2) / (2 * sigma[:, None] ** 2)  # (B, K)
    # Each is cut off at three of its own deviations, so that it does not matter which crops share the batch.
    kernels = exponents.masked_fill(at.abs() > (3 * sigma[:, None]).ceil(), -math.inf).softmax(dim=1)
    kernels = kernels.repeat_interleave(channels, 0)[:, None, None]  # (B·3, 1, 1, K)
    flat = images.reshape(1, batch * channels, height, width)
    flat = F.conv2d(F.pad(flat, (reach, reach, 0, 0), mode="reflect"), kernels, groups=batch * channels)
    kernels = kernels.transpose(-1, -2)
    flat = F.conv2d(F.pad(flat, (0, 0, reach, reach), mode="reflect"), kernels, groups=batch * channels)
    return flat.reshape(images.shape)


def _noise(images: torch.Tensor, drawn: Draw) -> torch.Tensor:
    """Gaussian noise, drawn on the CPU from each crop's own seed: the same on every device."""
    generators = [torch.Generator().manual_seed(seed) for seed in drawn["noise_seed"].tolist()]
    noise = [torch.randn(images.shape[1:], generator=generator) for generator in generators]
    return images + torch.stack(noise).to(images.device) * _column(drawn["noise"], images)


def _cutout(images: torch.Tensor, drawn: Draw) -> torch.Tensor:
    """A grey square somewhere inside (DeVries and Taylor, Improved Regularization … with Cutout, 2017)."""
    height, width = images.shape[-2:]
    edge = (drawn["cutout"] * min(height, width)).round()
    top, left = ((drawn["cutout_at"] * (torch.tensor([height, width]) - edge[:, None])).floor()).unbind(1)
    rows, columns = torch.arange(height)[None], torch.arange(width)[None]
    inside_rows = (rows >= top[:, None]) & (rows < (top + edge)[:, None])
    inside_columns = (columns >= left[:, None]) & (columns < (left + edge)[:, None])
    inside = inside_rows[:, None, :, None] & inside_columns[:, None, None]
    return images.masked_fill(inside.to(images.device), _GREY)


# --- JPEG

# ITU-T T.81, annex K, tables K.1 (luminance) and K.2 (chrominance).
_LUMINANCE = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
                18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101
                72 92 95 98 112 100 103 99"""
_CHROMINANCE = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
                  99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""
# JFIF's RGB to luma and two colour differences (ITU-T T.871).
_YCBCR = [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]


def jpeg(images: torch.Tensor, quality: torch.Tensor, at: torch.Tensor | None = None) -> torch.Tensor:
    """Crops as they come back from a JPEG file, without writing one: only rounding loses anything, and it is done here.

    Colour at half resolution (4:2:0), the standard's tables scaled by `quality` as libjpeg scales them.

    Args:
        images: (B, 3, H, W) float32 in 0…255, RGB.
        quality: (B,) from 1 to 100.
        at: (B, 2) rows and columns, 0 to 15, that the file has above and left of each crop. A face is cut out of a
            picture that was compressed before, so that the grid of blocks lies anywhere in it; None begins the grid at
            the crop's corner, as a file of the crop alone does.

    Returns:
        The same shape; whole numbers.
    """
    height, width = images.shape[-2:]
    if at is None:
        padded = F.pad(images, (0, -width % _BLOCK, 0, -height % _BLOCK), mode="replicate")
        return _from_file(padded, quality)[..., :height, :width]
    # Large enough for every start, so that it does not matter which crops share the batch.
    rows, columns = (-(-(edge + _BLOCK - 1) // _BLOCK) * _BLOCK for edge in (height, width))
    at = at.to(images.device)
    padded = _taken(images, _places(rows, -at[:, 0], height), _places(columns, -at[:, 1], width))
    return _taken(_from_file(padded, quality), _places(height, at[:, 0], rows), _places(width, at[:, 1], columns))


def _places(count: int, start: torch.Tensor, length: int) -> torch.Tensor:
    """`count` places in a row from each `start` on, (B, count); beyond the ends of `length` the outermost one."""
    return (torch.arange(count, device=start.device) + start[:, None]).clamp(0, length - 1)


def _taken(images: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Of (B, C, H, W) for each picture its own rows (B, R) and columns (B, S): (B, C, R, S)."""
    _, channels, _, width = images.shape
    images = images.gather(2, rows[:, None, :, None].expand(-1, channels, -1, width))
    return images.gather(3, columns[:, None, None, :].expand(-1, channels, rows.shape[1], -1))


def _from_file(padded: torch.Tensor, quality: torch.Tensor) -> torch.Tensor:
    """Pictures whose edges are multiples of `_BLOCK`, compressed and read again."""
    planes = torch.einsum("ij,bjhw->bihw", padded.new_tensor(_YCBCR), padded).round()
    planes[:, :1] -= 128
    luma, colour = _tables(quality.to(padded.device))
    light = _quantised(planes[:, :1], luma)
    # Means of 2×2, rounded as libjpeg rounds them: halves down and up in turn, so that they do not add up.
    turns = torch.tensor([0.25, 0.5], device=planes.device).repeat(planes.shape[-1] // 4)
    small = _quantised((F.avg_pool2d(planes[:, 1:], 2) + turns).floor(), colour)
    planes = torch.cat([light + 128, F.interpolate(small, scale_factor=2, mode="bilinear")], 1)
    inverse = torch.linalg.inv(torch.tensor(_YCBCR, dtype=torch.float64)).to(padded)
    return torch.einsum("ij,bjhw->bihw", inverse, planes).round().clamp(0, 255)


def _tables(quality: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The two tables of divisors for each quality, (B, 1, 8, 1, 8), by libjpeg's rule."""
    quality = quality.double()
    scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)[:, None]

    def scaled(table: str) -> torch.Tensor:
        base = torch.tensor([float(word) for word in table.split()], dtype=torch.float64, device=quality.device)
        return ((base * scale + 50) / 100).floor().clamp(1, 255).float().reshape(-1, 1, 8, 1, 8)

    return scaled(_LUMINANCE), scaled(_CHROMINANCE)


def _quantised(planes: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Cosine transform of 8×8 blocks, division and rounding, and back: (B, C, H, W) to (B, C, H, W), whole numbers."""
    batch, channels, height, width = planes.shape
    cosines = _cosines().to(planes)
    # (B, C·H/8, 8, W/8, 8): block row, row in the block, block column, column in the block.
    blocks = planes.reshape(batch, channels * height // 8, 8, width // 8, 8)
    frequencies = torch.einsum("ui,vj,bricj->brucv", cosines, cosines, blocks)
    quotients = frequencies / table
    # Halves, common in flat areas, go away from zero as in libjpeg; a little more than a half, for float32 misses them.
    frequencies = quotients.sign() * (quotients.abs() + 0.5001).floor() * table
    blocks = torch.einsum("ui,vj,brucv->bricj", cosines, cosines, frequencies)
    return blocks.reshape(planes.shape).round().clamp(-128, 127)


@cache
def _cosines() -> torch.Tensor:
    """The orthonormal discrete cosine transform of eight numbers, (8, 8): row u is frequency u."""
    u, i = torch.arange(8, dtype=torch.float64)[:, None], torch.arange(8, dtype=torch.float64)[None]
    rows = torch.cos((2 * i + 1) * u * math.pi / 16) / 2
    rows[0] /= math.sqrt(2)
    return rows.float()


# Each sees and gives float32 in 0…255.
_CHANGES: dict[str, Callable[[torch.Tensor, Draw], torch.Tensor]] = {
    "geometry": _geometry,
    "colour": _colour,
    "rescale": _rescale,
    "blur": lambda images, drawn: gaussian_blur(images, drawn["blur"]),
    "noise": _noise,
    "jpeg": lambda images, drawn: jpeg(images, drawn["jpeg"], drawn["jpeg_at"]),
    "cutout": _cutout,
}
