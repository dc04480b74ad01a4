"""What is said to people, in their language: English in the code, other languages in `texts/<code>.json`.

    tr("{given} of {all} answered", given=3, all=10)

The English text is the key, as in gettext; a language is a JSON object from English to its own text, which needs no
compiler, no network, and is read as it is by a page in a browser. What a language lacks is said in English. A process
speaks one language: a lesson's first cell says which (`course.begin("es")`), and `torchfakes app --language es`.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from torchfakes_utils.errors import InputError

FOLDER = Path(__file__).with_name("texts")
ENGLISH = "en"

_current = ENGLISH


def languages() -> list[str]:
    """The codes of the languages there are, English first."""
    return [ENGLISH, *sorted(file.stem for file in FOLDER.glob("*.json"))]


def use(language: str) -> None:
    """Speak this language from now on, in this process.

    Args:
        language: a code such as "es".

    Raises:
        InputError: there is no such language.
    """
    global _current
    if language not in languages():
        raise InputError(f"language {language!r}: there are {', '.join(languages())}")
    _current = language


def current() -> str:
    """The code of the language that is spoken."""
    return _current


@cache
def catalogue(language: str) -> dict[str, str]:
    """The texts of a language by their English; none of English.

    Raises:
        InputError: the file is no JSON object of texts.
    """
    if language == ENGLISH:
        return {}
    file = FOLDER / f"{language}.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file.name}: cannot be read as a list of texts") from error
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise InputError(f"{file.name}: a JSON object from English texts to texts is expected")
    return found


def tr(english: str, /, **values: Any) -> str:
    """A text in the current language, its `{names}` filled in by Python's format.

    Args:
        english: the text in English; what no language has stays as it is.
        values: by their names in the text; without any, braces are left alone.
    """
    text = catalogue(_current).get(english, english)
    return text.format(**values) if values else text


def mark(english: str) -> str:
    """The same text: says to the test of the catalogues that `tr` will be asked for it, where it stands as data."""
    return english
