"""What is said in another language: English where a text is missing, and files that are none are refused."""

import json

import pytest

from torchfakes_utils import language
from torchfakes_utils.errors import InputError


@pytest.fixture
def xx(tmp_path, monkeypatch):
    """A language with two texts, spoken until the test ends."""
    (tmp_path / "xx.json").write_text(json.dumps({"{count} pictures": "imaj {count}", "yes": "wi"}))
    monkeypatch.setattr(language, "FOLDER", tmp_path)
    language.catalogue.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    language.use("en")
    language.catalogue.cache_clear()


def test_english_is_the_default_and_what_a_language_lacks_is_said_in_it(xx):
    assert language.languages() == ["en", "xx"] and language.current() == "en"
    assert language.tr("yes") == "yes"
    language.use("xx")
    assert language.tr("yes") == "wi" and language.tr("no") == "no"
    assert language.tr("{count} pictures", count=3) == "imaj 3"
    assert language.tr("{count:.1f} films", count=3) == "3.0 films"


def test_braces_stay_where_nothing_is_filled_in(xx):
    assert language.tr("a dict {1: 2}") == "a dict {1: 2}"
    assert language.tr("{count} pictures", count="{0}") == "{0} pictures"


def test_a_language_that_is_none_is_refused(xx):
    with pytest.raises(InputError, match="language 'fr': there are en, xx"):
        language.use("fr")
    assert language.current() == "en"


@pytest.mark.parametrize("text", ["", "[]", '{"yes": 1}', "{", "\udcff"])
def test_a_file_that_is_no_list_of_texts_is_refused(xx, text):
    (xx / "yy.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    language.use("yy")
    with pytest.raises(InputError, match=r"yy\.json: ") as caught:
        language.tr("yes")
    assert "\n" not in str(caught.value)
