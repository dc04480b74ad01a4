"""The last exercise of lesson 06b: what a line that reports a test still lacks."""

import re
from collections.abc import Iterator, Sequence

from torchfakes_utils.course import comparison
from torchfakes_utils.evaluation.results import LevelMetrics

_NUMBER = r"(\d+(?:\.\d+)?)"
_DATA = r"mini\W?ff\s?\+\+"
_REAL = r"real|original|genuine|authentic"
_FAKE = r"fake|forge|manipulat"
_RANGE = re.compile(
    rf"{_NUMBER}\s*%?\s*(?:to|until|[-–—])\s*{_NUMBER}"
    rf"|between\s+{_NUMBER}\s*%?\s*and\s+{_NUMBER}|[(\[]\s*{_NUMBER}\s*%?\s*[,;]\s*{_NUMBER}\s*%?\s*[)\]]",
    re.I,
)
_LEVEL = re.compile(r"\b95\s*%?[\s-]*(?:ci\b|c\.i\.|conf|interval|bootstrap|:)", re.I)
_COUNT = re.compile(rf"\b\d+\s+(?:test\s+)?(?:{_REAL}|{_FAKE}|clip|crop|film|video|people|person|pair|portrait)", re.I)
_AREA = r"(?:\b(?:auc|auroc)\b|\barea under\b)"
_BEHIND_AUC = re.compile(rf"{_AREA}[^\d;]*{_NUMBER}", re.I)
_BEFORE_AUC = re.compile(rf"{_NUMBER}\s*%?\s*(?:(?:is|as|of|for|the|roc|test)[\s-]+)*{_AREA}", re.I)
_CHANCE, _HALF = r"\b(?:coin|chance|guess\w*|random|always)\b", r"(?<![\d.])(?:0?\.50?(?!\d)|50\s*%)"
_BESIDE_CHANCE = re.compile(rf"{_CHANCE}\D{{0,40}}{_HALF}|{_HALF}\D{{0,40}}{_CHANCE}", re.I)
_DENIED = re.compile(rf"(?:\b(?:not|no|never)|n't)\s+(?:(?:on|of|an?|the|auc)\s+)*(?:{_DATA}|{_NUMBER})", re.I)


def check_line(text: object, clip: LevelMetrics) -> None:
    """Say in one line what a report of a test still lacks.

    Args:
        text: the learner's sentence or two.
        clip: what was measured, by clip.
    """
    if text is None or text is ...:
        print("Not attempted yet: put your line in place of None, in quotation marks.")
    elif not isinstance(text, str):
        print(f"Not yet: {comparison.describe(text)} is no text. Put your line in quotation marks.")
    elif question := next(_open_questions(_plain(text), clip), ""):
        print(f"Not yet: {question}")
    else:
        print("Right: somebody who was not there could check every number in it.")


def _plain(text: str) -> str:
    """A text with decimal points where commas stand, and the sign for per cent."""
    text = re.sub(r"(?<![\d.,])(\d+),(\d+)(?![.,]?\d)", r"\1.\2", text)
    return re.sub(r"\s*\bper\s?cent\b", " %", text, flags=re.I)


def _open_questions(text: str, clip: LevelMetrics) -> Iterator[str]:
    """What somebody would ask who was not there, the first question first."""
    numbers = [float(number) for number in re.findall(_NUMBER, text)]
    low, high = clip.auc_interval or (clip.auc or 0, clip.auc or 0)
    if not re.search(_DATA, text, re.I):
        yield "of which data? Name Mini-FF++."
    if _denies(text, clip):
        yield "it says that something is *not* so. Say what is so."
    if not _counted(text, numbers, clip):
        yield f"on how many clips? There are {clip.n_real} real and {clip.n_fake} fake ones."
    if not _told(clip.auc, numbers):
        yield "how good is it? The AUC by clip is in the table above."
    if not _told(clip.auc, _said_of_auc(text)):
        yield f"how good is it? {clip.auc:.2f} is there, but not behind “AUC”. Say which number is the AUC by clip."
    if not (_told(low, numbers) and _told(high, numbers)) or _falls(text, low, high):
        yield "how sure are you? Give both ends of the AUC's interval."
    if not (_told(clip.balanced_accuracy, numbers) or _told(clip.always_fake_accuracy, numbers)
            or _BESIDE_CHANCE.search(text)):  # fmt: skip
        yield "beside what? Give balanced accuracy, or what a coin or always saying “fake” would reach."


def _denies(text: str, clip: LevelMetrics) -> bool:
    """Whether "not" stands before the name of the data, or before a number that was measured."""
    shares = (clip.auc, *(clip.auc_interval or ()), clip.balanced_accuracy, clip.always_fake_accuracy)

    def measured(number: float) -> bool:
        return number in (clip.n_real, clip.n_fake) or any(_told(share, [number]) for share in shares)

    return any(not number or measured(float(number)) for number in _DENIED.findall(text))


def _counted(text: str, numbers: Sequence[float], clip: LevelMetrics) -> bool:
    """Whether it says how many clips are real and how many fake, and not the other way round."""
    named = all(re.search(word, text, re.I) for word in (_REAL, _FAKE))
    swapped = rf"\b{clip.n_fake}\s+real\b|\b{clip.n_real}\s+fakes?\b"
    turned = clip.n_real != clip.n_fake and re.search(swapped, text, re.I)
    return named and {clip.n_real, clip.n_fake} <= set(numbers) and not turned


def _said_of_auc(text: str) -> list[float]:
    """The numbers that stand beside "AUC", where the ends of intervals and the numbers of clips are left out."""
    for others in (_LEVEL, _RANGE, _COUNT):
        text = others.sub(" ", text)
    return [float(number) for each in (_BEHIND_AUC, _BEFORE_AUC) for number in each.findall(text)]


def _falls(text: str, low: float, high: float) -> bool:
    """Whether the interval is told from its upper end to its lower one."""
    pairs = [[float(end) for end in ends if end] for ends in _RANGE.findall(text)]
    return any(first > last and _told(high, [first]) and _told(low, [last]) for first, last in pairs)


def _told(value: float | None, numbers: Sequence[float]) -> bool:
    """Whether a share stands among numbers, to two digits, as it is or in per cent."""
    return value is not None and any(abs(number - each) < 0.0051 * scale for number in numbers
                                     for each, scale in ((value, 1), (100 * value, 100)))  # fmt: skip
