"""A detector's opinion of films: of windows, and through them of clips."""

import numpy as np
import pandas as pd

from torchfakes_utils.io.tables import CLIP_COLUMNS
from torchfakes_utils.models.decision import DISTANCE
from torchfakes_utils.temporal.config import WINDOWS
from torchfakes_utils.temporal.data import Clips, judged_windows
from torchfakes_utils.temporal.detector import VideoDetector
from torchfakes_utils.temporal.store import Described

# A row a window; `frame` is its place among those of the clip, by which tables of scores are ordered.
WINDOW_COLUMNS = [
    *CLIP_COLUMNS,
    "original_id",
    "frame",
    "start_s",
    "end_s",
    "logit",
    "probability_fake",
    DISTANCE,
    "cannot_tell",
]


def window_scores(
    detector: VideoDetector, clips: Clips, most: int | None = WINDOWS, shuffled: int | None = None
) -> pd.DataFrame:
    """The windows by which clips are judged, a row each: `WINDOW_COLUMNS`.

    Args:
        detector: of films.
        clips: that were described for it.
        most: windows of a clip; None takes all that can be judged, of which neighbours share three quarters.
        shuffled: put the ticks of every window into a random order, drawn from this seed: what is then left of a score
            needs no order. None leaves them.
    """
    generator = None if shuffled is None else np.random.default_rng(shuffled)
    rows = []
    for place, (one, starts) in enumerate(zip(clips.described, clips.starts, strict=True)):
        own = starts if most is None else judged_windows(one, starts, detector.view.ticks, most)
        answers = detector.answers(one, own) if generator is None else shuffled_answers(detector, one, own, generator)
        about = clips.table.iloc[place]
        for number, (start, (logit, distance)) in enumerate(zip(own.tolist(), answers.tolist(), strict=True)):
            rows.append({
                **{name: about.get(name, "") for name in (*CLIP_COLUMNS, "original_id")}, "frame": number,
                "start_s": float(one.times[start]), "end_s": float(one.times[start] + detector.view.seconds),
                "logit": logit, DISTANCE: distance,
            })  # fmt: skip
    table = pd.DataFrame(rows)
    outside = [detector.decision.outside({DISTANCE: far}) for far in table[DISTANCE]]
    return table.assign(probability_fake=detector.decision.probability(table["logit"]), cannot_tell=outside)[
        WINDOW_COLUMNS
    ]


def shuffled_answers(
    detector: VideoDetector, clip: Described, starts: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """As `VideoDetector.answers`, of windows whose ticks were put into a random order, each into another."""
    ticks, found = detector.view.ticks, []
    for start in starts.tolist():
        order = start + generator.permutation(ticks)
        mixed = Described(clip.times[:ticks], clip.shots[order], np.asarray(clip.values[order]))
        found.append(detector.answers(mixed, np.zeros(1, int)))
    return np.concatenate(found)
