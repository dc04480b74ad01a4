"""When in a clip it shows: scores of windows laid along time, and how well they point at what is forged."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.temporal.aggregation import longest_run

# Seconds of a place on a map over time: shorter than any window, so that places are no finer than what is known.
PLACE = 0.5


@dataclass(frozen=True)
class Timeline:
    """A clip's scores along time.

    Attributes:
        starts, ends: (P,) seconds of each place.
        scores: (P,) the mean of P(fake) over the windows that hold the middle of a place; NaN where none does.
    """

    starts: np.ndarray
    ends: np.ndarray
    scores: np.ndarray

    def forged(self, spans: np.ndarray) -> np.ndarray:
        """(P,) which places have their middle in one of some spans (S, 2), seconds."""
        middle = (self.starts + self.ends) / 2
        return np.asarray(((middle[:, None] >= spans[:, 0]) & (middle[:, None] < spans[:, 1])).any(axis=1))


def timeline(starts: np.ndarray, ends: np.ndarray, scores: np.ndarray, place: float = PLACE) -> Timeline:
    """A map over time, from windows.

    Args:
        starts, ends: (W,) seconds of each window; W is 1 or more.
        scores: (W,) P(fake).
        place: seconds of each place; the last one is shorter where the clip ends within it.
    """
    seconds = float(np.max(ends))
    edges = np.append(np.arange(0, seconds, place), seconds)
    edges = edges[: len(edges) - 1 + (edges[-1] - edges[-2] > 1e-9)] if len(edges) > 1 else np.array([0.0, place])
    middle = (edges[1:] + edges[:-1]) / 2
    holds = (middle[:, None] >= np.asarray(starts)) & (middle[:, None] < np.asarray(ends))  # (P, W)
    count = holds.sum(axis=1)
    total = holds @ np.asarray(scores, float)
    found = np.divide(total, count, out=np.full(len(middle), np.nan), where=count > 0)
    return Timeline(edges[:-1], edges[1:], found)


def overlap(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Intersection over union of two spans, seconds; 0 where either is empty."""
    shared = min(first[1], second[1]) - max(first[0], second[0])
    union = max(first[1], second[1]) - min(first[0], second[0])
    return max(shared, 0.0) / union if union > 0 and shared > 0 else 0.0


@dataclass(frozen=True)
class Pointing:
    """How well one map points.

    Attributes:
        auc: how often a forged place scores above one that is not, ties as halves; None where all are of one kind.
        hit: whether the highest place is a forged one.
        chance: the share of forged places: how often a place drawn at random is one.
        iou: of the longest run of places at half height or above with the forged span; 0.5 is what a run of twice the
            length reaches.
    """

    auc: float | None
    hit: bool
    chance: float
    iou: float


def pointing(found: Timeline, span: tuple[float, float]) -> Pointing:
    """How well a map points at one forged span, seconds."""
    known = np.isfinite(found.scores)
    forged = found.forged(np.array([span]))[known]
    scores, starts, ends = (values[known] for values in (found.scores, found.starts, found.ends))
    if not len(scores):
        return Pointing(None, False, 0.0, 0.0)
    auc = None
    if forged.any() and not forged.all():
        gaps = scores[forged][:, None] - scores[~forged]
        auc = float((np.sign(gaps).mean() + 1) / 2)
    half = (float(scores.max()) + float(np.median(scores))) / 2
    first, past = longest_run(scores, half)
    run = (float(starts[first]), float(ends[past - 1])) if past > first else (0.0, 0.0)
    return Pointing(auc, bool(forged[int(np.argmax(scores))]), float(forged.mean()), overlap(run, span))


def pointing_table(windows: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """How well windows point, a row a clip of which one forged span is known, and not the whole clip.

    Args:
        windows: a row a window: `CLIP_KEY`, `start`, `end` (seconds), `probability_fake`.
        segments: `SEGMENT_COLUMNS`.

    Returns:
        `CLIP_KEY`, and the fields of `Pointing`.
    """
    spans = segments.groupby(CLIP_KEY)[["start_s", "end_s"]].agg(list)
    rows = []
    for key, own in windows.groupby(CLIP_KEY):
        if key not in spans.index or len(spans.loc[key, "start_s"]) != 1:
            continue
        span = float(spans.loc[key, "start_s"][0]), float(spans.loc[key, "end_s"][0])
        found = pointing(
            timeline(*(own[name].to_numpy(float) for name in ("start_s", "end_s", "probability_fake"))), span
        )
        if found.auc is not None:
            rows.append((*key, found.auc, found.hit, found.chance, found.iou))
    return pd.DataFrame(rows, columns=[*CLIP_KEY, "auc", "hit", "chance", "iou"])
