"""The lab of lesson 08: every team trains and tests, some at a time; what is there already is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from torchfakes_utils.course import teams
from torchfakes_utils.course.patients import TRAINED_AS, Patient, detector_folder
from torchfakes_utils.course.teams import CANDIDATES, SEEDS
from torchfakes_utils.crops.store import open_store
from torchfakes_utils.io.machine import process_map, thread_limit
from torchfakes_utils.io.tables import CLIP_KEY, write_table
from torchfakes_utils.models.detector import save
from torchfakes_utils.models.run_files import DETECTOR_FILE, SCORES_FILE

LAB_COLUMNS = ["candidate", "seed", "stage", *CLIP_KEY, "frame", "label", "probability_fake"]


@dataclass(frozen=True)
class _Task:
    candidate: str
    seed: int
    faces_csv: Path
    out: Path


def build(faces_csv: Path, out: Path, seeds: Sequence[int] = SEEDS, workers: int = 2, progress: bool = True) -> Path:
    """Let every team train and test; detectors and `scores.csv` go to `out`. What is there already is kept.

    Args:
        faces_csv: the table of crops.
        out: the lab's folder.
        seeds: each team trains once from each.
        workers: processes; 1 works in this one.
        progress: show a bar on a terminal.

    Returns:
        `out / scores.csv`, `LAB_COLUMNS`: a row for each crop that a team scored in validation and at test.
    """
    faces, preprocessing = teams.load_team_crops(faces_csv)
    open_store(faces, preprocessing)  # decoded once, before several processes ask for it
    trained = [name for name in CANDIDATES if name not in TRAINED_AS]
    training, scoring = (
        [_Task(name, seed, faces_csv, out) for seed in seeds for name in names] for names in (trained, CANDIDATES)
    )
    with process_map(workers) as spread_out:
        done = spread_out(_train, training)
        list(tqdm(done, "teams", len(training), leave=False, disable=None if progress else True))
        tables = list(spread_out(_score, scoring))
    write_table(pd.concat(tables, ignore_index=True), out / SCORES_FILE, LAB_COLUMNS)
    return out / SCORES_FILE


def _train(task: _Task) -> None:
    folder = detector_folder(task.out, task.candidate, task.seed)
    if (folder / DETECTOR_FILE).is_file():
        return
    faces, preprocessing = teams.load_team_crops(task.faces_csv)
    way = CANDIDATES[task.candidate]
    with thread_limit(1):
        detector = teams.train_team(way, teams.rows_of(way, faces, task.seed), preprocessing, task.seed)
    save(detector, folder, {"candidate": task.candidate, "seed": task.seed})


def _score(task: _Task) -> pd.DataFrame:
    patient = Patient(task.candidate, task.seed, task.faces_csv, task.out)
    with thread_limit(1):
        tables = [getattr(patient, stage).assign(stage=stage) for stage in teams.STAGES[1:]]
    return pd.concat(tables).assign(candidate=task.candidate, seed=task.seed)[LAB_COLUMNS]
