"""The capstone: clips that nobody has seen, scored with whatever a learner built, handed in once, and graded.

The clips are rendered from a seed that is drawn for the purpose, so that neither the course's detector nor its author
has met these people; half of them are real. Which half lies sealed in the folder's stamp, or in a file of the
teacher's. Sealed is not secret: it keeps an honest learner from reading the answers by accident, and nobody else.
"""

import base64
import json
import re
import secrets
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from torchfakes_utils.datasets.mini.config import MiniConfig
from torchfakes_utils.errors import InputError
from torchfakes_utils.io import files
from torchfakes_utils.io.folders import Stamp, owned, replaced_folder
from torchfakes_utils.io.tables import check_table, labels_of, read_table, write_table
from torchfakes_utils.io.text import printable

CLIPS, STAMP_FILE, BOARD = "clips", "capstone.json", "board.csv"
VERSION, KEY_VERSION = 1, 1
_RENDERED = ".rendered"  # what the clips are taken from, while they are made
_KEY_BEGINS = re.compile(r'\{\s*"format": \d+,\s*"answers"')
PEOPLE = 24  # each is seen in one real and in one forged clip
ANSWERS = {"fake": 1.0, "real": 0.0, "cannot tell": np.nan}
# What errors cost per 100 clips of which ten are fake, as at the newsroom of lesson 06: a real clip that is called
# fake, a fake that is called real, and a person's look at a clip of which there is no verdict.
FAKES, ALARM, MISS, LOOK = 0.10, 50.0, 5.0, 1.0
_ANSWERS = ("label", "method", "compression", "target_id", "source_id")
_BOARD_COLUMNS = ("name", "hand_in", "cost", "auc", "auc_low", "auc_high", "ece", "balanced_accuracy", "answered")


@dataclass(frozen=True)
class Grade:
    """What a hand-in is worth.

    Attributes:
        auc, auc_low, auc_high: of the scores, by clip, with the 95 % interval from drawing pairs of people.
        ece: expected calibration error, 0 to 1.
        balanced_accuracy: of the verdicts that were given; None where a class has none.
        answered: share of clips with a verdict.
        false_alarms, misses, open: clips: real ones called fake, fakes called real, and those without a verdict.
        cost: points per 100 clips at the newsroom, see `FAKES`.
        without: what the cheapest rule costs that looks at no clip.
        clips: how many there are.
    """

    auc: float
    auc_low: float
    auc_high: float
    ece: float
    balanced_accuracy: float | None
    answered: float
    false_alarms: int
    misses: int
    open: int
    cost: float
    without: float
    clips: int

    def lines(self) -> list[str]:
        """The grade in words."""
        balanced = "-" if self.balanced_accuracy is None else f"{self.balanced_accuracy:.3f}"
        return [
            f"AUC                  {self.auc:.3f} (95 % interval {self.auc_low:.3f} to {self.auc_high:.3f})",
            f"calibration error    {self.ece:.3f}",
            f"balanced accuracy    {balanced} of the {self.answered:.0%} of clips with a verdict",
            f"errors               {self.false_alarms} false alarms, {self.misses} missed fakes, {self.open} left open",
            f"cost at the newsroom {self.cost:.0f} points per 100 clips; without looking at any, {self.without:.0f}",
        ]


# --- making the clips


def make(folder: Path | str, seed: int | None = None, key: Path | str | None = None, progress: bool = True) -> Path:
    """Render the clips of a capstone, unless they are there.

    Args:
        folder: gets `clips/clip_01.mp4` and so on, in no order.
        seed: of the people and of the draw; drawn where None, and then known to nobody.
        key: a teacher's file for the answers; without it they lie sealed in the folder.
        progress: show a progress bar on a terminal.

    Raises:
        InputError: the folder holds something else, or a place cannot be written to.
    """
    folder = Path(folder)
    if owned(folder, _stamp({})) is not None:
        return folder
    seed = secrets.randbits(63) if seed is None else seed
    if seed < 0:
        raise InputError(f"seed {seed}: give a whole number from 0 on")
    files.check_writable(folder)
    if key is not None:
        files.check_replaceable(key, _KEY_BEGINS)
    table = _drawn(seed)
    answers = table.drop(columns="path").to_dict("list")
    settings = {"clips": len(table)} | ({} if key else {"sealed": _sealed(answers)})
    with replaced_folder(folder, _stamp(settings)) as fresh, files.describe_errors(folder):
        rendered = fresh / _RENDERED
        _render(rendered, seed, table, progress)
        (fresh / CLIPS).mkdir()
        for row in table.itertuples():
            (rendered / row.path).rename(fresh / CLIPS / f"{row.clip_id}.mp4")
        shutil.rmtree(rendered)
        if key is not None:
            files.write_record(key, {"format": KEY_VERSION, "answers": answers})
    return folder


def _stamp(settings: Mapping[str, Any]) -> Stamp:
    return Stamp("a capstone", "torchfakes capstone", VERSION, STAMP_FILE, settings)


def _drawn(seed: int) -> pd.DataFrame:
    """Which clips there are, in a random order: of everybody the original and one fake, methods alike often.

    Half of the pairs come in c40, heavily compressed: what the course's detector has never seen, and what films that
    people send each other look like.
    """
    from torchfakes_utils.datasets.mini import build, fakes

    generator = np.random.default_rng([seed, 1])
    people = build.plan(_config(seed))
    methods = generator.permutation(np.resize(list(fakes.MANIPULATIONS), len(people)))
    pairs = sorted({min(one.id, one.partner) for one in people})
    heavy = set(generator.permutation(pairs)[: len(pairs) // 2])
    rows = []
    for one, method in zip(people, methods, strict=True):
        codec = "c40" if min(one.id, one.partner) in heavy else "c23"
        real = f"original_sequences/youtube/{codec}/videos/{one.id}.mp4"
        fake = f"manipulated_sequences/{method}/{codec}/videos/{one.id}_{one.partner}.mp4"
        rows += [(real, 0, "youtube", codec, one.id, ""), (fake, 1, str(method), codec, one.id, one.partner)]
    table = pd.DataFrame(rows, columns=["path", *_ANSWERS])
    table = table.iloc[generator.permutation(len(table))].reset_index(drop=True)
    table.insert(0, "clip_id", [f"clip_{number:02d}" for number in range(1, len(table) + 1)])
    return table


def _config(seed: int) -> MiniConfig:
    return MiniConfig(identities=PEOPLE, seed=seed)


def _render(place: Path, seed: int, table: pd.DataFrame, progress: bool) -> None:
    from torchfakes_utils.datasets.mini import build

    fakes = table[table["label"] == 1]
    build.film(place, _config(seed), {row.target_id: [row.method] for row in fakes.itertuples()}, progress=progress)


def _sealed(answers: Mapping[str, Any]) -> str:
    """The answers as text that says nothing to an eye that falls on it."""
    return base64.b85encode(zlib.compress(json.dumps(answers).encode())).decode()


def _opened(text: Any) -> Any:
    return files.parse_json(zlib.decompress(base64.b85decode(text)))


def answers_of(folder: Path | str, key: Path | str | None = None) -> pd.DataFrame:
    """The answers to a capstone's clips: `clip_id, label, method, compression, target_id, source_id`.

    Args:
        folder: as `make` left it.
        key: the teacher's file, where the answers lie there.

    Raises:
        InputError: the folder is no capstone, or its answers are elsewhere or damaged.
    """
    stamp = owned(folder, _stamp({})) if Path(folder).is_dir() else None
    if stamp is None:
        raise InputError(f"{folder}: no capstone there; `torchfakes capstone {folder}` makes one")
    try:
        if key is not None:
            answers = files.read_record(Path(key), "torchfakes capstone", KEY_VERSION)["answers"]
        elif (sealed := stamp.get("sealed")) is None:
            raise InputError(f"{folder}: its answers are with whoever made it; hand in there, or give --key")
        else:
            answers = _opened(sealed)
        table = pd.DataFrame(answers)
        table["label"] = labels_of(table["label"])
        return table[["clip_id", *_ANSWERS]]
    except (KeyError, ValueError, TypeError, zlib.error) as error:
        raise InputError(f"{key or folder}: the answers are damaged; make the capstone again elsewhere") from error


# --- grading a hand-in


def grade(scores: Path | str | pd.DataFrame, answers: pd.DataFrame) -> Grade:
    """What a hand-in is worth.

    Args:
        scores: a table, or its file, with a row a clip: `clip_id`, `probability_fake` from 0 to 1 and, if the learner
            decides otherwise than by .5, `verdict`: fake, real or cannot tell.
        answers: from `answers_of`.

    Raises:
        InputError: clips are missing, unknown or there twice, or a score or verdict is none.
    """
    from torchfakes_utils.metrics import binary, calibration, intervals

    table = _checked(scores, answers)
    low, high = intervals.bootstrap_interval(table) or (np.nan, np.nan)
    labels, given = table["label"].to_numpy(), table["answer"].to_numpy()
    alarms, misses, left = (labels == 0) & (given == 1), (labels == 1) & (given == 0), np.isnan(given)
    said = [given[(labels == kind) & ~left] == kind for kind in (0, 1)]
    return Grade(
        auc=float(binary.binary_metrics(labels, table["probability_fake"])["auc"]),
        auc_low=float(low),
        auc_high=float(high),
        ece=float(calibration.reliability(labels, table["probability_fake"]).ece or 0.0),
        balanced_accuracy=float(np.mean([right.mean() for right in said])) if all(map(len, said)) else None,
        answered=float((~left).mean()),
        false_alarms=int(alarms.sum()),
        misses=int(misses.sum()),
        open=int(left.sum()),
        cost=cost(labels, given),
        without=min(cost(labels, np.full(len(labels), answer)) for answer in ANSWERS.values()),
        clips=len(table),
    )


def cost(labels: np.ndarray, answers: np.ndarray) -> float:
    """What answers cost the newsroom per 100 clips, on average, in points.

    Args:
        labels: (N,) of 0 and 1, both there.
        answers: (N,) 1 for fake, 0 for real, NaN for no verdict.
    """
    share = np.where(labels == 1, FAKES / (labels == 1).sum(), (1 - FAKES) / (labels == 0).sum())
    price = np.where(np.isnan(answers), LOOK, np.where(labels == 1, MISS * (answers == 0), ALARM * (answers == 1)))
    return float(100 * (share * price).sum())


def _checked(scores: Path | str | pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """The hand-in beside the answers, with the column `answer`."""
    name = "the table" if isinstance(scores, pd.DataFrame) else str(scores)
    if not isinstance(scores, pd.DataFrame) and not Path(scores).is_file():
        raise InputError(f"{name}: no such file; a hand-in is a CSV table with a clip_id and a probability_fake a row")
    table = scores if isinstance(scores, pd.DataFrame) else read_table(scores, ["clip_id", "probability_fake"])
    if missing := [column for column in ("clip_id", "probability_fake") if column not in table]:
        raise InputError(f"{name}: the column {missing[0]} is missing; a row is a clip_id and a probability_fake")
    ids = table["clip_id"].astype(str).str.removesuffix(".mp4")
    wanted = set(answers["clip_id"])
    for found, what, remedy in (
        (sorted(set(ids) - wanted), "no such clip", "clips are called as their files, clip_01 and so on"),
        (sorted(wanted - set(ids)), "missing", "every clip needs a score; .5 says nothing"),
        (sorted(ids[ids.duplicated()].unique()), "there twice", "a row is a clip: take the mean of its frames"),
    ):
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            raise InputError(f"{name}: {printable(found[0])}{more} {what}; {remedy}")
    values = pd.to_numeric(table["probability_fake"], errors="coerce")
    if not values.between(0, 1).all():
        row = ids[~values.between(0, 1)].iloc[0]
        raise InputError(f"{name}: {row} has no probability; probability_fake is a number from 0 to 1")
    own = table["verdict"].astype(str).str.strip().str.lower() if "verdict" in table else None
    if own is not None and not own.isin(ANSWERS).all():
        row = ids[~own.isin(ANSWERS)].iloc[0]
        raise InputError(f"{name}: the verdict on {row} is none of {', '.join(ANSWERS)}")
    answer = own.map(ANSWERS) if own is not None else (values >= 0.5).astype(float)
    given = pd.DataFrame({"clip_id": ids, "probability_fake": values.astype(float), "answer": answer})
    return answers.merge(given, on="clip_id")


# --- the board


def hand_in(
    folder: Path | str, scores: Path | str | pd.DataFrame, name: str, key: Path | str | None = None
) -> tuple[Grade, int, pd.DataFrame]:
    """Grade a hand-in and enter it on the folder's board.

    Everybody is on it as often as they handed in, in the order of cost, then of AUC: who chose by it can be seen.

    Args:
        folder, key: see `answers_of`.
        scores: see `grade`.
        name: whose it is.

    Returns:
        The grade, its place on the board from 1 on, and the board.

    Raises:
        InputError: see `answers_of` and `grade`; or there is no name.
    """
    if not (name := printable(" ".join(name.split()))[:60]):
        raise InputError("a hand-in needs a name for the board")
    found = grade(scores, answers_of(folder, key))
    place = Path(folder) / BOARD
    check_table(place, _BOARD_COLUMNS)
    board = read_table(place, _BOARD_COLUMNS) if place.is_file() else pd.DataFrame(columns=list(_BOARD_COLUMNS))
    entry = {"name": name, "hand_in": int((board["name"].astype(str) == name).sum()) + 1} | {
        column: value for column, value in asdict(found).items() if column in _BOARD_COLUMNS
    }
    board = pd.DataFrame([*board.to_dict("records"), entry])
    board = board.sort_values(["cost", "auc"], ascending=[True, False], kind="stable")
    rank = 1 + board.index.get_loc(len(board) - 1)
    write_table(board, place, _BOARD_COLUMNS)
    return found, rank, board.reset_index(drop=True)
