"""What the app accepts."""

import pytest

from torchfakes_utils.app.config import AppConfig, AppLimits
from torchfakes_utils.errors import InputError


def test_limits_are_those_of_whoever_opens_the_files():
    media = AppLimits(megabytes=1.5, seconds=20, megapixels=0.5).media
    assert (media.bytes, media.seconds, media.pixels) == (1_500_000, 20, 500_000)


@pytest.mark.parametrize("wrong", [{"megabytes": 0}, {"seconds": -1}, {"megapixels": float("nan")}, {"queue": 0},
                                   {"files": 0}, {"places": 0}])  # fmt: skip
def test_limits_that_let_nothing_through_are_refused(wrong):
    with pytest.raises(InputError, match="above 0"):
        AppLimits(**wrong)


def test_all_uploads_together_must_hold_one():
    with pytest.raises(InputError, match="--max-gigabytes 0.1 for all uploads is less than --max-megabytes 200"):
        AppLimits(gigabytes=0.1)


def test_nobody_gets_more_than_half_of_the_queue():
    assert (AppLimits(queue=40).places_of_one, AppLimits(queue=1).places_of_one) == (20, 1)
    assert AppLimits(queue=40, places=3).places_of_one == 3


@pytest.mark.parametrize(
    "name", ["https://fakes.example", "fakes.example:8000", "*", "*fakes.example", "a b.c", "", "*.*.c"]
)
def test_hosts_are_names(name):
    with pytest.raises(InputError, match="give a name alone"):
        AppConfig(hosts=("fine.example", name))
    assert AppConfig(hosts=("fakes.example", "*.example.org")).hosts


def test_a_language_is_one_that_there_is():
    assert AppConfig(language="es").language == "es" and AppConfig().language == "en"
    with pytest.raises(InputError, match="--language fr: there are en, es"):
        AppConfig(language="fr")
