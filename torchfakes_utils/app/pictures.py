"""Pictures for the app: faces framed and numbered, and how a picture gets into a page without becoming a file."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from torchfakes_utils.models.decision import CANNOT_TELL, FAKE, REAL
from torchfakes_utils.report.figures import FAKE as VERMILION
from torchfakes_utils.report.figures import NEUTRAL
from torchfakes_utils.report.figures import REAL as BLUE

COLOURS = {FAKE: VERMILION, REAL: BLUE, CANNOT_TELL: NEUTRAL}

# Of a side of the frame: drawn, left out; in tenths of the face's width. Solid for real, as everywhere in the course.
_DASHES = {FAKE: (0.6, 0.4), REAL: (1.0, 0.0), CANNOT_TELL: (0.25, 0.25)}

# Pixels of the longer side: of the main picture, and of one among several.
LARGE, SMALL = 1200, 480


@dataclass(frozen=True)
class Box:
    """A face to be drawn on a picture: its number (from 1), its box in pixels, and what was said of it."""

    number: int
    corners: tuple[float, float, float, float]
    verdict: str


def boxed(picture: np.ndarray, boxes: Sequence[Box], longest: int = LARGE) -> np.ndarray:
    """A picture with every face framed and labelled: solid for real, dashed for fake, dotted for cannot tell.

    Args:
        picture: (H, W, 3) uint8 RGB, as is what is returned.
        boxes: in its pixels.
        longest: the result's longer side at most, pixels.
    """
    image = Image.fromarray(picture)
    scale = min(1.0, longest / max(image.size))
    if scale < 1:
        image = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BOX)
    draw = ImageDraw.Draw(image)
    line = max(2, round(max(image.size) / 240))
    for box in boxes:
        corners = tuple(edge * scale for edge in box.corners)
        draw.rectangle(corners, outline="white", width=line + 2)  # so that dashes show on any picture
        _frame(draw, corners, box.verdict, line)
    for box in boxes:  # after all frames, so that none crosses a label
        _label(draw, box, scale, line)
    return np.asarray(image)


def _frame(draw: ImageDraw.ImageDraw, corners: Sequence[float], verdict: str, line: int) -> None:
    """The four sides of a box, just inside it, in dashes."""
    left, top, right, bottom = corners
    drawn, left_out = _DASHES[verdict]
    unit = max((right - left) / 10, 4 * line)
    for length, other, flat in ((right - left, bottom - top, True), (bottom - top, right - left, False)):
        step = (drawn + left_out) * unit if left_out else length
        for start in np.arange(0, max(length, 1), max(step, 1)):
            end = min(start + drawn * unit, length) if left_out else length
            for across in (0, other - line + 1):
                if flat:
                    place = [left + start, top + across, left + end, top + across + line - 1]
                else:
                    place = [left + across, top + start, left + across + line - 1, top + end]
                draw.rectangle(place, fill=COLOURS[verdict])


def _label(draw: ImageDraw.ImageDraw, box: Box, scale: float, line: int) -> None:
    """A tag above the box, below it, or inside it, wherever the picture has room."""
    width, height = draw.im.size
    font: Any = ImageFont.load_default(max(13, round(max(width, height) / 36)))
    text = f"{box.number} {box.verdict}"
    long, high = draw.textlength(text, font=font) + 2 * line + 4, font.size * 1.35
    left, top, _, bottom = (edge * scale for edge in box.corners)
    x = min(max(0, left), max(0, width - long))
    y = top - high - line
    if y < 0:
        y = bottom + line if bottom + line + high <= height else max(0, top) + line
    draw.rectangle([x, y, x + long, y + high], fill=COLOURS[box.verdict])
    draw.text((x + line + 2, y + high / 2), text, fill="white", font=font, anchor="lm")


def encoded(picture: np.ndarray, kind: str = "jpeg") -> bytes:
    """A picture (H, W, 3) or (H, W), uint8 RGB, as a "jpeg" or "png" file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, quality=88)
    return buffer.getvalue()


def data_url(picture: np.ndarray, kind: str = "jpeg") -> str:
    """A picture as an address that holds it; see `encoded`."""
    return f"data:image/{kind};base64,{base64.b64encode(encoded(picture, kind)).decode()}"


def favicon(folder: Path) -> Path:
    """A picture for the browser's tab, written into `folder`: half a blue dot, half a vermilion cross."""
    image = Image.new("RGBA", (64, 64))
    draw = ImageDraw.Draw(image)
    draw.pieslice([4, 8, 52, 56], 90, 270, fill=BLUE)
    for y in (12, 52):
        draw.line([34, 32, 56, y], fill=VERMILION, width=11)
    image.save(folder / "favicon.png")
    return folder / "favicon.png"
