"""Several settings of a widget in one picture: what a saved notebook shows in its place.

One picture, since that is all that every reader shows. Buttons of HTML alone, without a kernel, work in few places:
GitHub takes forms and styles out of HTML; JupyterLab takes out styles and disables forms until the cell is run.
"""

import io
from collections.abc import Sequence
from functools import cache

from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from torchfakes_utils.language import tr

WIDE = 720  # pixels; pictures stand side by side as long as all of them fit into this, and can be read on any page
GAP = 12  # pixels between pictures
BAND = 26  # pixels for the setting above each
GREY, INK = (238, 238, 238), (34, 34, 34)


def sheet(pictures: Sequence[tuple[str, bytes]]) -> bytes:
    """Pictures, each under its heading, side by side where that stays readable and one below the other elsewhere.

    Args:
        pictures: heading and PNG of each, of any size.

    Returns:
        One PNG, RGB on white; a single picture without a heading as it is.
    """
    if len(pictures) == 1 and not pictures[0][0]:
        return pictures[0][1]
    opened = [_on_white(png) for _, png in pictures]
    width, height = (max(getattr(picture, side) for picture in opened) for side in ("width", "height"))
    columns = max(1, min(len(opened), (WIDE + GAP) // (width + GAP)))
    rows = -(-len(opened) // columns)
    if len(opened) > 1:
        note = tr("{count} settings of this widget. Run the cell to move its controls yourself.", count=len(opened))
    else:
        note = tr("1 setting of this widget. Run the cell to move its controls yourself.")
    page = Image.new("RGB", (columns * (width + GAP) - GAP, BAND + rows * (BAND + height + GAP) - GAP), "white")
    pen = ImageDraw.Draw(page)
    pen.text((0, 4), _fitting(note, page.width, "DejaVu Sans:italic"), INK, _font("DejaVu Sans:italic"))
    for index, ((heading, _), picture) in enumerate(zip(pictures, opened, strict=True)):
        x, y = index % columns * (width + GAP), BAND + index // columns * (BAND + height + GAP)
        pen.rectangle((x, y, x + width - 1, y + BAND - 3), GREY)
        pen.text((x + 8, y + 3), _fitting(heading, width - 16), INK, _font())
        page.paste(picture, (x, y + BAND))
    buffer = io.BytesIO()
    page.save(buffer, "png", compress_level=1)  # in haste: published notebooks are packed again
    return buffer.getvalue()


def _on_white(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as file:
        image = file.convert("RGBA")
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A"))
    return ground


@cache
def _font(name: str = "DejaVu Sans:bold") -> ImageFont.FreeTypeFont:
    """The font of the figures, which comes with matplotlib."""
    return ImageFont.truetype(font_manager.findfont(name), 14)


def _fitting(text: str, width: int, font: str = "DejaVu Sans:bold") -> str:
    """As much of a text as fits into a width."""
    if _font(font).getlength(text) <= width:
        return text
    while text and _font(font).getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"
