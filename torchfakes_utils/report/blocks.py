"""What a section of the page is made of; `templates/report.html` draws each kind."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from torchfakes_utils.report.figures import svg


@dataclass(frozen=True)
class Table:
    """Numbers, the first column their names; folded away where a figure shows them."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    folded: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture inside the page, with a text in its place for those who cannot see it."""

    source: str
    alt: str
    caption: str


# A paragraph, a table, a figure, or pictures of mistakes.
Block = str | Table | Picture | list[Picture]


def drawn(figure: Figure | None, alt: str, caption: str) -> list[Block]:
    """A figure as a block; none of none."""
    return [] if figure is None else [embedded(svg(figure).encode(), "image/svg+xml", alt, caption)]


def embedded(content: bytes, media_type: str, alt: str, caption: str) -> Picture:
    """A picture from what is in its file."""
    return Picture(f"data:{media_type};base64,{base64.b64encode(content).decode()}", alt, caption)
