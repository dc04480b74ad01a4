"""Does what is learned from one manipulation help against another? Train on each alone, test each on all of them.

The runs stay in their folders: a second call trains what is missing, and goes on where a run was stopped.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from torchfakes_utils.crops.table import limit_frames, load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.io.tables import write_table
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.intervals import with_intervals
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.run import train

logger = logging.getLogger(__name__)

MATRIX_COLUMNS = ["trained_on", "tested_on", "auc", "low", "high", "balanced_accuracy", "real_clips", "fake_clips"]


def matrix(
    faces_csv: Path | str,
    out: Path | str,
    config: TrainingConfig = TrainingConfig(),
    split: str = "test",
    scoring: Scoring = Scoring(),
) -> dict[str, Any]:
    """Train on each manipulation of a table alone, and measure every detector on every manipulation.

    Args:
        faces_csv: the table of crops.
        out: a run folder for each manipulation, `matrix.csv` and `matrix.json`.
        config: how to train; its `methods` choose the manipulations, None takes all of the table.
        split: which rows are tested on.
        scoring: how they are scored.

    Returns:
        {"split", "methods", "rows"}; a row a pair, `MATRIX_COLUMNS`: the AUC by clip of the detector of one
        manipulation on another's clips against all real ones, and its 95 % interval.

    Raises:
        InputError: fewer than two manipulations, or what `training.train` and `scoring.score` raise.
    """
    faces_csv, out = Path(faces_csv), Path(out)
    table = load_faces(faces_csv)
    methods = config.methods or tuple(sorted(table.loc[table["label"] == 1, "method"].unique()))
    if len(methods) < 2:
        raise InputError(
            f"{faces_csv}: a matrix takes two manipulations or more; there are {', '.join(methods) or 'none'}"
        )
    faces = load_faces(faces_csv, split)
    faces = faces[(faces["label"] == 0) | faces["method"].isin(methods)].reset_index(drop=True)
    faces = faces if scoring.frames is None else limit_frames(faces, scoring.frames)
    rows = []
    for method in methods:
        logger.info("training on %s", method)
        run = train(faces_csv, out / method, replace(config, methods=(method,)), progress=scoring.progress).run
        detector = load_detector(run)
        clips = by_clip(score(detector, faces, scoring))
        rows += [_row(method, tested, clips, detector.decision.threshold) for tested in methods]
    found = {"split": split, "methods": list(methods), "rows": rows}
    write_table(pd.DataFrame(rows), out / "matrix.csv", MATRIX_COLUMNS)
    with atomic_write(out / "matrix.json") as temporary:
        temporary.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return found


def _row(trained: str, tested: str, clips: pd.DataFrame, threshold: float) -> dict[str, Any]:
    own = clips[(clips["label"] == 0) | (clips["method"] == tested)]
    measured = with_intervals(own, threshold)
    low, high = measured["auc_interval"] or (None, None)
    return {
        "trained_on": trained, "tested_on": tested, "auc": measured["auc"], "low": low, "high": high,
        "balanced_accuracy": measured["balanced_accuracy"], "real_clips": measured["n_real"],
        "fake_clips": measured["n_fake"],
    }  # fmt: skip


def lines(found: Mapping[str, Any]) -> list[str]:
    """The matrix for people: a line a detector, a column a manipulation."""
    cells = {(row["trained_on"], row["tested_on"]): row["auc"] for row in found["rows"]}
    width = max(len(name) for name in found["methods"]) + 2
    result = ["AUC by clip; rows: trained on, columns: tested on"]
    result.append(" " * width + "".join(f"{name:>{width}}" for name in found["methods"]))
    for trained in found["methods"]:
        values = [cells[trained, tested] for tested in found["methods"]]
        text = "".join(f"{'–' if value is None else f'{value:.3f}':>{width}}" for value in values)
        result.append(f"{trained:<{width}}{text}")
    return result
