"""Pictures and crops through the web page's JavaScript, in node or in a browser, against OpenCV's and ours."""

import base64

import cv2
import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as F

from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.faces.quality import brightness_and_contrast, variance_of_laplacian

PIXELS = """async (jobs) => {
  const pixels = await load("pixels.js");
  return jobs.map(({ name, image, args }) => {
    const data = Uint8Array.from(atob(image.data), (character) => character.charCodeAt(0));
    const result = pixels[name]({ ...image, data }, ...args);
    if (!result.data) return result;
    let text = "";
    for (const byte of result.data) text += String.fromCharCode(byte);
    return { ...result, data: btoa(text) };
  });
}"""


def encoded(picture: np.ndarray) -> dict:
    """A picture as the modules have it; its bytes in base64."""
    height, width, step = picture.shape
    return {"data": base64.b64encode(picture.tobytes()).decode(), "width": width, "height": height, "step": step}


def decoded(image: dict) -> np.ndarray:
    shape = (image["height"], image["width"], image["step"])
    return np.frombuffer(base64.b64decode(image["data"]), np.uint8).reshape(shape)


def noisy(picture: np.ndarray, height: int, width: int, seed: int) -> np.ndarray:
    """A picture of any size with everything from flat parts to noise in it."""
    large = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR).astype(float)
    return np.clip(large + np.random.default_rng(seed).normal(0, 20, large.shape), 0, 255).astype(np.uint8)


def resized_jobs(portraits) -> list[tuple[str, np.ndarray, list, np.ndarray]]:
    """Of random sizes: a function of pixels.js, a picture, further arguments, and what OpenCV or torchvision gives."""
    rng, jobs = np.random.default_rng(0), []
    sizes = [(240, 320, 120, 160), (240, 320, 80, 160), (160, 160, 159, 159), (97, 13, 1, 1)]
    sizes += [
        (h, w, int(rng.integers(1, h + 1)), int(rng.integers(1, w + 1))) for h, w in rng.integers(8, 500, (12, 2))
    ]
    for seed, (height, width, high, wide) in enumerate(sizes):
        picture = noisy(portraits[seed % 2], int(height), int(width), seed)
        shrunk = cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA)
        jobs.append(("resizeArea", picture, [wide, high], shrunk))
    for seed, edge in enumerate([1, 2, 159, *rng.integers(3, 160, 6)]):
        picture = noisy(portraits[seed % 2], int(edge), int(edge), seed)
        jobs.append(
            ("resizeCubic", picture, [160, 160], cv2.resize(picture, (160, 160), interpolation=cv2.INTER_CUBIC))
        )
    for seed, (before, after) in enumerate([(160, 128), (160, 80), (80, 160), *rng.integers(24, 256, (5, 2)).tolist()]):
        picture = noisy(portraits[seed % 2], before, before, seed)
        channels = F.resize(torch.from_numpy(picture).permute(2, 0, 1), [after, after], antialias=True)
        jobs.append(("resizeSmooth", picture, [after, after], channels.permute(1, 2, 0).contiguous().numpy()))
    return jobs


def crop_jobs(portraits) -> list[tuple[str, np.ndarray, list, np.ndarray]]:
    """Crops of boxes inside, across and beyond the edges of a picture, smaller and larger than the result."""
    rng, jobs = np.random.default_rng(1), []
    for seed in range(16):
        picture = noisy(portraits[seed % 2], 300, 400, seed)
        left, top = rng.uniform(-80, 380, 2)
        edge = float(rng.uniform(4, 350))
        box = np.array([left, top, left + edge, top + edge * rng.uniform(0.7, 1.4)], np.float32).tolist()
        size = [160, 96, 224][seed % 3]
        jobs.append(("squareCrop", picture, [box, 1.3, size], square_crop(picture, box, 1.3, size)[0]))
    return jobs


def check_pixels(run, portraits) -> None:
    jobs = resized_jobs(portraits) + crop_jobs(portraits)
    given = [{"name": name, "image": encoded(picture), "args": args} for name, picture, args, _ in jobs]
    off = {}
    for (name, _, args, expected), result in zip(jobs, run(PIXELS, given), strict=True):
        difference = np.abs(decoded(result).astype(int) - expected.astype(int))
        assert difference.max() <= 2, (name, args)
        off.setdefault(name, []).append((difference > 0).mean())
    # Two levels are the worst of single pixels; nearly all are the very same.
    assert all(np.mean(shares) < 0.06 for shares in off.values()), off


def check_measures(run, portraits) -> None:
    pictures = [noisy(portraits[seed % 2], edge, edge, seed) for seed, edge in enumerate([160, 160, 224, 301, 96])]
    jobs = [
        {"name": name, "image": encoded(one), "args": []}
        for one in pictures
        for name in ("varianceOfLaplacian", "light")
    ]
    results = iter(run(PIXELS, jobs))
    for picture in pictures:
        assert next(results) == pytest.approx(variance_of_laplacian(picture), rel=5e-3)
        brightness, contrast = brightness_and_contrast(picture.transpose(2, 0, 1)[None])
        # Where it is brought to size first, single pixels are a level off.
        off = 1e-5 if len(picture) == 160 else 1e-3
        assert next(results) == pytest.approx({"brightness": brightness[0], "contrast": contrast[0]}, rel=off)
