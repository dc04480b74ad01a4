"""Is a value that was read from JSON what it should be? Python takes True for 1, and a text for a list of letters."""

import sys
from numbers import Integral, Real

# Letters of a text that people read beside an answer; and how many texts belong together, at most.
MOST_LETTERS, MOST_TEXTS = 10_000, 300
# Of whatever is counted.
_MOST = 10**12


def is_number(value: object, low: float = -sys.float_info.max, high: float = sys.float_info.max) -> bool:
    """Whether it is a finite number from `low` to `high`, and no truth value."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return low <= float(value) <= high
    except OverflowError:  # a whole number beyond all floats
        return False


def is_share(value: object) -> bool:
    """Whether it is a number from 0 to 1."""
    return is_number(value, 0, 1)


def is_count(value: object) -> bool:
    """Whether it is a whole number, 0 or more."""
    return isinstance(value, Integral) and is_number(value, 0, _MOST)


def checked_text(value: object, what: str, most: int = MOST_LETTERS) -> str:
    """The text itself.

    Raises:
        TypeError: it is none.
        ValueError: it has more than `most` letters.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} that is no text")
    if len(value) > most:
        raise ValueError(f"{what} of {len(value):,} letters, more than {most:,}")
    return value


def checked_texts(values: object, what: str, most: int = MOST_LETTERS) -> tuple[str, ...]:
    """A list of texts, each of which has at most `most` letters.

    Raises:
        TypeError: it is no list, such as a single text, or one of something else.
        ValueError: there are more than `MOST_TEXTS`, or one is too long.
    """
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"{what} that are no list")
    if len(values) > MOST_TEXTS:
        raise ValueError(f"{len(values):,} {what}, more than {MOST_TEXTS}")
    return tuple(checked_text(value, f"one of {what}", most) for value in values)
