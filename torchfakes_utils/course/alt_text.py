"""What a figure shows, in a sentence: for those who hear a notebook, and wherever a picture does not load.

`plots.finish(figure, alt="…")` keeps what an author says; any other figure is described by its own words: title, axes,
names of lines, bars and pictures. In a notebook the sentence is the figure's `text/plain` and stands in the output's
metadata, where IPython and nbconvert's classic template look for it; `pages` takes it from there.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from torchfakes_utils.language import tr

MOST = 12  # names that are listed; a listener cannot skip
KEY = "alt"  # in the metadata of an output, by MIME type

_given: "WeakKeyDictionary[Figure, str]" = WeakKeyDictionary()


def give(figure: Figure, alt: str) -> None:
    """Keep what somebody says of a figure; an empty text leaves it to `describe`."""
    if alt.strip():
        _given[figure] = _one_line(alt)


def of(figure: Figure) -> str:
    """The alt text of a figure: what was given, or what it says itself."""
    return _given.get(figure) or describe(figure)


def describe(figure: Figure) -> str:
    """A sentence from a figure's title, axes and names.

    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> _ = ax.plot([1, 2], [3, 1], label="training")
    >>> _ = ax.set(title="Loss falls", xlabel="epoch", ylabel="loss")
    >>> describe(ax.figure)
    'Loss falls: chart of loss against epoch (training).'
    """
    panels = [ax for ax in figure.axes if ax.get_visible() and ax.get_label() != "<colorbar>"]
    title = _one_line(figure.get_suptitle())
    if not title and len(panels) == 1:
        title = _title(panels[0])
    pictures = [ax for ax in panels if ax.images and not (ax.get_xlabel() or ax.get_ylabel())]
    parts = [_chart(ax, title) for ax in panels if ax not in pictures]
    if pictures:
        titles = [name for name in map(_title, pictures) if name != title]
        number = tr("{count} pictures", count=len(pictures)) if len(pictures) > 1 else tr("a picture")
        parts.append(number + _listed([*titles, *(text for ax in pictures for text in _texts(ax))]))
    parts.append(_listed(text.get_text() for text in figure.texts if text.get_text() != figure.get_suptitle())[2:-1])
    said = "; ".join(dict.fromkeys(filter(None, parts)))
    if not (title and said):
        said = title or (said[:1].upper() + said[1:]) or tr("A figure without words")
    elif title[-1] in ".?!:":
        said = f"{title} {said[:1].upper() + said[1:]}"
    else:
        said = f"{title}: {said}"
    return said if said[-1] in ".?!" else f"{said}."


def _chart(ax: Axes, title: str) -> str:
    own = _title(ax)
    x, y = _one_line(ax.get_xlabel()), _one_line(ax.get_ylabel())
    drawn = ax.axison and (ax.lines or ax.patches or ax.collections or ax.images)
    kind = _of_axes(tr("chart") if drawn else tr("drawing"), x, y)
    said = (f"{own}, " if own and own != title else "") + kind + _listed(_names(ax))
    return "" if said == tr("drawing") else said


def _of_axes(kind: str, x: str, y: str) -> str:
    """A chart or drawing with the names of its axes."""
    if x and y:
        return tr("{kind} of {y} against {x}", kind=kind, x=x, y=y)
    if x:
        return tr("{kind} over {x}", kind=kind, x=x)
    return tr("{kind} of {y}", kind=kind, y=y) if y else kind


def _names(ax: Axes) -> Iterator[str]:
    """What lines, bars and places in a chart are called."""
    legend = ax.get_legend()
    yield from (text.get_text() for text in (legend.get_texts() if legend else ()))
    for drawn in [*ax.lines, *ax.collections, *ax.containers]:
        label = str(drawn.get_label())  # type: ignore[attr-defined]
        yield "" if label.startswith("_") else label
    if ax.axison:
        yield from (label.get_text() for label in [*ax.get_xticklabels(), *ax.get_yticklabels()])
    yield from _texts(ax)


def _texts(ax: Axes) -> Iterator[str]:
    return (text.get_text() for text in ax.texts if text.get_visible())


def _title(ax: Axes) -> str:
    return _one_line(" ".join(filter(None, (ax.get_title(place) for place in ("left", "center", "right")))))


def _listed(names: Iterable[str]) -> str:
    """Names in brackets, each once; numbers alone say nothing to those who do not see where they stand."""
    lines = [_one_line(name) for name in names]
    kept = list(dict.fromkeys(line for line in lines if re.search(r"[^\W\d_]", line)))
    more = [tr("and {count} more", count=len(kept) - MOST)] if len(kept) > MOST else []
    between = "; " if any("," in name for name in kept) else ", "
    return f" ({between.join([*kept[:MOST], *more])})" if kept else ""


def _one_line(text: str) -> str:
    """Without the marks of mathematics, and with single blanks."""
    plain = re.sub(r"\$([^$]*)\$", lambda found: re.sub(r"\\[a-z]+|[{}]", "", found[1]), text)
    return " ".join(plain.split())


def bundle(figure: Figure) -> tuple[dict[str, str], dict[str, Any]]:
    """What IPython shows of a figure beside its picture, and what it keeps with the picture."""
    alt = of(figure)
    return {"text/plain": alt}, {"image/png": {KEY: alt}}


def speak() -> None:
    """Have every figure of this notebook say what it shows; nothing happens outside of one."""
    try:
        from IPython import get_ipython
    except ImportError:
        return
    if (shell := get_ipython()) is not None:
        shell.display_formatter.mimebundle_formatter.for_type(Figure, bundle)
