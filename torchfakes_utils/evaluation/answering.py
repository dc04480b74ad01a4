"""The three answers on clips whose truth is known: how many of a class are called fake, real, or neither, and why."""

import numpy as np
import pandas as pd

from torchfakes_utils.evaluation import results
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.band import exact_interval
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.people import units
from torchfakes_utils.models.decision import FAKE, REAL, Decision

# Why a clip gets no answer: its score lies between the limits; no crop of it is like those of training.
BETWEEN, UNLIKE = "between", "unlike"


def answers_by_class(scores: pd.DataFrame, decision: Decision) -> dict[str, results.Answers]:
    """What the clips of each class are called, "real" first, as far as there are any.

    Args:
        scores: `SCORED_COLUMNS` of one split.
        decision: whose limits count: those of a film, or of one picture where a clip has few crops that do.
    """
    clips = by_clip(scores)
    clips = clips.assign(answer=_answer_of_each(scores, clips, decision))
    found = {}
    for label, name in enumerate((REAL, FAKE)):
        if len(own := clips[clips["label"] == label]):
            people = units(own)
            parts = (_share(own["answer"] == answer, people) for answer in (FAKE, REAL, BETWEEN, UNLIKE))
            found[name] = results.Answers(len(own), int(people.max()) + 1, *parts)
    return found


def judged_clips(scores: pd.DataFrame) -> pd.DataFrame:
    """A row a clip, as from `by_clip`, by those of its crops that are like those of training; clips without are out."""
    return by_clip(scores[scores["cannot_tell"] == ""])


def _answer_of_each(scores: pd.DataFrame, clips: pd.DataFrame, decision: Decision) -> np.ndarray:
    """(N,) of `FAKE`, `REAL`, `BETWEEN` and `UNLIKE`."""
    judged = clips[CLIP_KEY].merge(judged_clips(scores), on=CLIP_KEY, how="left")
    answers = []
    for score, frames in zip(judged["probability_fake"], judged["frames"].fillna(0).astype(int), strict=True):
        verdict = decision.band(frames).answers(np.array([score]))[0]
        answers.append(UNLIKE if not frames else BETWEEN if np.isnan(verdict) else FAKE if verdict else REAL)
    return np.array(answers, dtype=object)


def _share(which: pd.Series, people: np.ndarray) -> results.Answered:
    """How many clips, and their share by people, with its interval."""
    by_person = np.bincount(people, which) / np.bincount(people)
    share = float(by_person.mean())
    low, high = exact_interval(float(by_person.sum()), len(by_person))
    return results.Answered(int(which.sum()), share, low, high)
