"""A report of made-up scores, without a network."""

from dataclasses import replace

import numpy as np
import pandas as pd

from torchfakes_utils.evaluation.results import DataDescription
from torchfakes_utils.evaluation.summary import summarise
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.report.contents import DetectorDescription, Environment, Report

REALS, FAKES = (0.1, 0.2, 0.3, 0.6), (0.4, 0.7, 0.8, 0.9)


def clip_scores(reals=REALS, fakes=FAKES):
    """Scores of one crop a clip: the reals', and the fakes' in turn by two methods."""
    rows = [(f"{i:03}", "youtube", 0, p) for i, p in enumerate(reals)]
    rows += [(f"{i:03}", ("Deepfakes", "FaceSwap")[i % 2], 1, p) for i, p in enumerate(fakes)]
    table = pd.DataFrame(rows, columns=["clip_id", "method", "label", "probability_fake"])
    logit = np.log(table["probability_fake"]) - np.log1p(-table["probability_fake"])
    return table.assign(compression="c23", split="test", frame=0, logit=logit, cannot_tell="")


def made_up_report(scores=None, clip=None, decision=Decision(), **parts):
    """A report of some scores; `clip` changes metrics by clip, `parts` whole parts."""
    summary = summarise(clip_scores() if scores is None else scores, "test", decision, 50)
    whole = Report(
        format=1,
        name="mine",
        created="2026-01-01T00:00:00+00:00",
        **vars(summary),
        seeds=None,
        comparison=None,
        cross_data=None,
        robustness=None,
        own_boxes=None,
        stability=None,
        data=DataDescription(
            "faces.csv", "mini", "0" * 64, 8, 0, 8, 4, {"Deepfakes": 2, "FaceSwap": 2}, ("c23",), 8, {}
        ),
        mistakes=(),
        interpretation=None,
        detector=DetectorDescription("Meso4", 64, 1.3, 27_977, "a" * 64, 3, {}),
        environment=Environment("0.1", None, "3.11", "2.6", "Linux", "cpu"),
    )
    return replace(whole, clip=replace(whole.clip, **(clip or {})), **parts)
