"""What learners write in lesson 13: mel filters, a round of Griffin and Lim, and the equal error rate."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from torchfakes_utils.course.practice import Exercise

RATE = 16_000

# --- mel filters


def mel_filters(corners: Any, hertz: Any) -> np.ndarray:
    """Triangular filters over the frequencies of a spectrum.

    Args:
        corners: (M + 2,) Hz, rising: filter m begins at corners[m], peaks at corners[m + 1], ends at corners[m + 2].
        hertz: (K,) frequencies of the bins.

    Returns:
        (M, K) float64.
    """
    corners, hertz = np.asarray(corners, float), np.asarray(hertz, float)
    left, peak, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    return np.asarray(np.maximum(0, np.minimum((hertz - left) / (peak - left), (right - hertz) / (right - peak))))


def _boxes(corners: Any, hertz: Any) -> np.ndarray:
    return (mel_filters(corners, hertz) > 0).astype(float)


def _by_area(corners: Any, hertz: Any) -> np.ndarray:
    corners = np.asarray(corners, float)
    return np.asarray(mel_filters(corners, hertz) * 2 / (corners[2:] - corners[:-2])[:, None])


def _unbounded(corners: Any, hertz: Any) -> np.ndarray:
    corners, hertz = np.asarray(corners, float), np.asarray(hertz, float)
    left, peak, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    return np.asarray(np.minimum((hertz - left) / (peak - left), (right - hertz) / (right - peak)))


def _rising(corners: Any, hertz: Any) -> np.ndarray:
    corners, hertz = np.asarray(corners, float), np.asarray(hertz, float)
    left, peak = corners[:-2, None], corners[1:-1, None]
    rising = (hertz - left) / (peak - left)
    return np.where((rising >= 0) & (rising <= 1), rising, 0.0)


def _corners(generator: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for count, bins in ((3, 17), (5, 33), (8, 65)):
        corners = np.sort(generator.uniform(50, 7900, count + 2)) + 20 * np.arange(count + 2)
        yield corners, np.linspace(0, 8200, bins)


FILTERS = Exercise(
    "mel_filters",
    "Filters over a spectrum",
    minutes=8,
    difficulty=2,
    reference=mel_filters,
    cases=_corners,
    wrong={
        "Outside of its two ends a filter is 0, and yours goes on below it. Cut it off at 0.": _unbounded,
        "Your filters are boxes: 1 between their ends. A triangle rises to its peak and falls again.": _boxes,
        "Your filters rise to the peak and stop there. The way down, from peak to end, is missing.": _rising,
        "Yours have one area each; here they all rise to 1 at their peak.": _by_area,
        "(K, M) came out, and (M, K) is asked for: a row a filter.": lambda corners, hertz: (
            mel_filters(corners, hertz).T
        ),
    },
)

# --- Griffin and Lim


def new_phases(magnitude: Any, again: Any) -> np.ndarray:
    """A round of Griffin and Lim: the wanted magnitudes with the phases that came back.

    Args:
        magnitude: (K, F) wanted, from 0 up.
        again: (K, F) complex, the transform of the signal so far; nowhere 0.

    Returns:
        (K, F) complex.
    """
    again = np.asarray(again, complex)
    return np.asarray(np.asarray(magnitude, float) * again / np.abs(again))


def _spectra(generator: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for shape in ((4, 3), (9, 5)):
        again = generator.standard_normal(shape) + 1j * generator.standard_normal(shape)
        yield generator.uniform(0.2, 3, shape), again


ROUND = Exercise(
    "new_phases",
    "A round of guessing",
    minutes=8,
    difficulty=2,
    reference=new_phases,
    cases=_spectra,
    wrong={
        "Your magnitudes are those that came back times the wanted ones. Divide by what came back, first.": (
            lambda magnitude, again: np.asarray(magnitude) * np.asarray(again)
        ),
        "That is what came back, unchanged. Keep its phases alone, and take the wanted magnitudes.": (
            lambda magnitude, again: np.asarray(again, complex)
        ),
        "Your result has no phases: it is real. exp(i·angle), or again divided by its size, keeps them.": (
            lambda magnitude, again: np.asarray(magnitude, complex) + 0 * np.asarray(again)
        ),
        "Your phases run backwards: it is exp(+i·angle).": (
            lambda magnitude, again: np.asarray(magnitude) * np.conj(again) / np.abs(again)
        ),
    },
)

# --- equal error rate


def equal_error_rate(real: Any, fake: Any) -> float:
    """Where the share of reals called fake and of fakes called real come nearest: the mean of the two there.

    Args:
        real: (R,) scores of real recordings.
        fake: (F,) scores of fakes; a score at or above the threshold is called fake.

    Returns:
        At the score, among all that occur, at which the two shares differ least (the lowest of several).
    """
    real, fake = np.asarray(real, float), np.asarray(fake, float)
    at = np.unique(np.concatenate([real, fake]))
    alarms, missed = (real[:, None] >= at).mean(0), (fake[:, None] < at).mean(0)
    best = int(np.abs(alarms - missed).argmin())
    return float((alarms[best] + missed[best]) / 2)


def _with(alarm: Any, miss: Any) -> Any:
    def answer(real: Any, fake: Any) -> float:
        real, fake = np.asarray(real, float), np.asarray(fake, float)
        at = np.unique(np.concatenate([real, fake]))
        alarms, missed = alarm(real, at), miss(fake, at)
        best = int(np.abs(alarms - missed).argmin())
        return float((alarms[best] + missed[best]) / 2)

    return answer


def _scores(generator: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for reals, fakes in ((7, 5), (20, 31), (60, 23)):
        yield generator.normal(0, 1, reals), generator.normal(1.2, 1, fakes)


EER = Exercise(
    "equal_error_rate",
    "The equal error rate",
    minutes=10,
    difficulty=3,
    reference=equal_error_rate,
    cases=_scores,
    wrong={
        "You count errors, not shares: of twice as many fakes twice as many are missed.": _with(
            lambda real, at: (real[:, None] >= at).sum(0).astype(float),
            lambda fake, at: (fake[:, None] < at).sum(0).astype(float),
        ),
        "That is the share that is right: a high score is called fake, and the rate is of errors.": _with(
            lambda real, at: (real[:, None] < at).mean(0), lambda fake, at: (fake[:, None] >= at).mean(0)
        ),
        "That is the share of all that are wrong, at one half. Move the threshold until both shares meet.": (
            lambda real, fake: float((np.mean(np.asarray(real) >= 0.5) + np.mean(np.asarray(fake) < 0.5)) / 2)
        ),
    },
)
