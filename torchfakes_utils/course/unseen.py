"""The runs of lesson 11: each family of forgery left out in turn, and one that has met none of them.

Every run is a short one of the package's own loop. What it says of the validation clips is kept when it ends, so that
an interrupted course goes on with the runs that are missing.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from torchfakes_utils.crops.store import open_store
from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.io.machine import process_map, thread_limit
from torchfakes_utils.io.tables import CLIP_KEY, read_table, write_table
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.people import PERSON_COLUMNS
from torchfakes_utils.models.run_files import SCORES_FILE
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import load_crops
from torchfakes_utils.training.trainer import Trainer

FORGERIES, BLENDED = "forgeries", "self-blended"
NONE = "all"  # in the place of a family: what has met no forgery at all has left out all of them

# Small and short, so that all runs together take a minute and a half. In float32 and in one thread, so that it matters
# little which processor they work on. Nothing is chosen on validation: the budget is one pass.
TRAINING: dict[str, Any] = {
    "architecture": "EfficientNet-Lite0", "pretrained": "imagenet", "image_size": 96, "epochs": 1, "batch_size": 16,
    "crops_per_epoch": 16 * 60, "learning_rate": 1e-3, "augmentation": "mild", "val_frames_per_clip": 1,
    "mixed_precision": "off", "device": "cpu", "seed": 1,
}  # fmt: skip
FRAMES = 4  # crops of a clip that are scored

UNSEEN_COLUMNS = ["way", "left_out", *CLIP_KEY, *PERSON_COLUMNS, "label", "probability_fake"]


@dataclass(frozen=True)
class _Task:
    way: str
    left_out: str
    methods: tuple[str, ...]
    faces_csv: Path
    out: Path

    @property
    def part(self) -> Path:
        """Where the run's table is kept; runs with other settings, or tables of other columns, are others."""
        made_of = [TRAINING, FRAMES, self.way, self.left_out, self.methods, UNSEEN_COLUMNS]
        digest = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:8]
        return self.out / "parts" / f"{digest}.csv"


def build(faces_csv: Path, out: Path, workers: int = 2, progress: bool = True) -> Path:
    """Make all runs that are not there yet, and one table of what they say of the validation clips.

    Args:
        faces_csv: the table of crops, with two families of forgery at least.
        out: the folder of the runs' tables.
        workers: processes; 1 works in this one.
        progress: show a bar on a terminal.

    Returns:
        `out / scores.csv`, `UNSEEN_COLUMNS`: a row for each validation clip of each run.

    Raises:
        InputError: fewer than two families.
    """
    faces, preprocessing = load_crops(faces_csv, _config(FORGERIES, ()))
    families = sorted(faces.loc[faces["label"] == 1, "method"].unique())
    if len(families) < 2:
        raise InputError(f"{faces_csv}: one family is left out in turn, and there are {', '.join(families) or 'none'}")
    open_store(faces, preprocessing)  # decoded once, before several processes ask for it
    others = {left_out: tuple(name for name in families if name != left_out) for left_out in families}
    tasks = [_Task(FORGERIES, left_out, methods, faces_csv, out) for left_out, methods in others.items()]
    tasks.append(_Task(BLENDED, NONE, (), faces_csv, out))
    missing = [task for task in tasks if not task.part.is_file()]
    with process_map(workers) as spread_out:
        done = spread_out(_run, missing)
        list(tqdm(done, "runs", len(missing), leave=False, disable=None if progress else True))
    tables = [read_table(task.part, UNSEEN_COLUMNS) for task in tasks]
    write_table(pd.concat(tables, ignore_index=True), out / SCORES_FILE, UNSEEN_COLUMNS)
    return out / SCORES_FILE


def read_runs(scores_csv: Path) -> pd.DataFrame:
    """What `build` wrote."""
    return read_table(scores_csv, UNSEEN_COLUMNS)


def settings() -> dict[str, Any]:
    """All that the runs depend on, ready for JSON."""
    return {"training": TRAINING, "frames": FRAMES}


def _config(way: str, methods: tuple[str, ...]) -> TrainingConfig:
    return TrainingConfig(**TRAINING, self_blended=float(way == BLENDED), methods=methods)


def _run(task: _Task) -> None:
    config = _config(task.way, task.methods)
    faces, preprocessing = load_crops(task.faces_csv, config)
    with thread_limit(1):
        trainer = Trainer(faces, preprocessing, config)
        for _ in range(config.epochs):
            trainer.epoch()
        scores = score(trainer.detector.eval(), load_faces(task.faces_csv, "val"), Scoring(frames=FRAMES))
    table = by_clip(scores).assign(way=task.way, left_out=task.left_out)
    write_table(table[UNSEEN_COLUMNS], task.part, UNSEEN_COLUMNS)
