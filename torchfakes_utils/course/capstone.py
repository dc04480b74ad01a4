"""The capstone: clips that nobody has seen, scored with whatever a learner built, handed in once, and graded.

The clips are rendered from a seed that is drawn for the purpose, so that neither the course's detector nor its author
has met these people; half of them are real. Which half lies sealed in the folder's stamp, or in a file of the
teacher's. Sealed is not secret: it keeps an honest learner from reading the answers by accident, and nobody else.
"""

import base64
import hashlib
import json
import secrets
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

from torchfakes_utils.course.comparison import describe
from torchfakes_utils.datasets.mini.config import MiniConfig
from torchfakes_utils.errors import InputError
from torchfakes_utils.io import files
from torchfakes_utils.io.folders import Stamp, owned, replaced_folder
from torchfakes_utils.io.tables import check_table, labels_of, read_table, write_table
from torchfakes_utils.io.text import printable

CLIPS, STAMP_FILE, BOARD = "clips", "capstone.json", "board.csv"
VERSION, KEY_VERSION = 1, 1
_RENDERED = ".rendered"  # what the clips are taken from, while they are made
PEOPLE = 24  # each is seen in one real and in one forged clip
ANSWERS = {"fake": 1.0, "real": 0.0, "cannot tell": np.nan}
_ANSWERS = ("label", "method", "compression", "target_id", "source_id")
_BOARD_COLUMNS = (
    "name", "hand_in", "cost", "auc", "auc_low", "auc_high", "ece", "balanced_accuracy", "answered", "digest",
)  # fmt: skip


@dataclass(frozen=True)
class Grade:
    """What a hand-in is worth.

    Attributes:
        auc, auc_low, auc_high: of the scores, by clip, with the 95 % interval from drawing pairs of people.
        ece: expected calibration error, 0 to 1.
        balanced_accuracy: of the verdicts that were given; None where a class has none.
        answered: share of clips with a verdict.
        false_alarms, misses, open: clips: real ones called fake, fakes called real, and those without a verdict.
        cost: points per 100 clips at the newsroom of lesson 06, `lesson_06_desks.NEWSROOM`.
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
        if seed is not None or key is not None:
            raise InputError(f"{folder}: its clips are there already, with answers of their own; choose another folder")
        return folder
    seed = secrets.randbits(63) if seed is None else seed
    if seed < 0:
        raise InputError(f"seed {seed}: give a whole number from 0 on")
    files.check_writable(folder)
    if key is not None:
        _check_key(Path(key), folder)
    table, token = _drawn(seed), secrets.token_hex(8)
    answers = table.drop(columns="path").to_dict("list")
    settings = {"clips": len(table), "token": token} | ({} if key else {"sealed": _sealed(answers)})
    with replaced_folder(folder, _stamp(settings)) as fresh, files.describe_errors(folder):
        rendered = fresh / _RENDERED
        _render(rendered, seed, table, progress)
        (fresh / CLIPS).mkdir()
        for row in table.itertuples():
            (rendered / row.path).rename(fresh / CLIPS / f"{row.clip_id}.mp4")
        shutil.rmtree(rendered)
        if key is not None:
            files.write_record(key, {"format": KEY_VERSION, "token": token, "answers": answers})
    return folder


def _check_key(key: Path, folder: Path) -> None:
    """See before the work that the answers can be written, over nobody's file, and where no learner finds them.

    Raises:
        InputError: they cannot.
    """
    if key.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{key}: the answers would lie among the clips; give a place outside of {folder}")
    files.check_no_link(key)
    if key.exists():
        raise InputError(f"{key}: is there, perhaps with another capstone's answers; give another name")
    files.check_writable(key.parent)


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
    table.insert(0, "clip_id", _names(len(table)))
    return table


def _names(count: int) -> list[str]:
    return [f"clip_{number:02d}" for number in range(1, count + 1)]


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
    files.check_format(stamp, Path(folder) / STAMP_FILE, "torchfakes capstone", VERSION)
    if key is not None:
        record = _record(Path(key))
        if record.get("token") != stamp.get("token"):
            raise InputError(f"{key}: the answers of another capstone than {folder}")
        found = record.get("answers")
    elif (sealed := stamp.get("sealed")) is None:
        raise InputError(f"{folder}: its answers are with whoever made it; hand in there, or give --key")
    else:
        found = sealed
    try:
        table = pd.DataFrame(_opened(found) if key is None else found)[["clip_id", *_ANSWERS]]
        table = table.assign(label=labels_of(table["label"]).astype(int))
        for column in ("clip_id", "method", "compression", "target_id", "source_id"):
            if not table[column].map(lambda value: isinstance(value, str)).all():
                raise ValueError(column)
        if set(table["label"]) != {0, 1} or table["clip_id"].tolist() != _names(len(table)):
            raise ValueError("clips")
    except (KeyError, ValueError, TypeError, AttributeError, zlib.error) as error:
        raise InputError(f"{key or folder}: the answers are damaged; make another capstone elsewhere") from error
    return table


def _record(key: Path) -> dict[str, Any]:
    try:
        record = files.read_json(key)
    except (OSError, ValueError) as error:
        raise InputError(f"{key}: no answers can be read there; give the file that --key wrote") from error
    if not isinstance(record, dict) or record.get("format") != KEY_VERSION:
        raise InputError(f"{key}: not what --key wrote; give that file")
    return record


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
    from torchfakes_utils.course.lesson_06_desks import NEWSROOM, bill, without_detector
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
        cost=bill(labels, given, NEWSROOM).total,
        without=without_detector(NEWSROOM)[1].total,
        clips=len(table),
    )


def _checked(scores: Path | str | pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """The hand-in beside the answers, with the column `answer`."""
    name, table = _read(scores)
    # As people write a clip: with its folder, its suffix, in capitals; and rows that a spreadsheet has emptied.
    ids = table["clip_id"].fillna("").astype(str).map(lambda text: PurePath(text.strip().lower()).name)
    ids = ids.str.removesuffix(".mp4")
    empty = (ids == "") & table["probability_fake"].isna()
    table, ids = table[~empty].reset_index(drop=True), ids[~empty].reset_index(drop=True)
    _check_clips(name, ids, set(answers["clip_id"]))
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


def _read(scores: Any) -> tuple[str, pd.DataFrame]:
    """A hand-in's name for messages, and its table; columns in small letters."""
    if isinstance(scores, pd.DataFrame):
        name, table = "the table", scores
    elif isinstance(scores, str | Path):
        name = str(scores)
        if not Path(scores).is_file():
            raise InputError(
                f"{name}: no such file; a hand-in is a CSV table with a clip_id and a probability_fake a row"
            )
        table = read_table(scores, ["clip_id", "probability_fake"])
    else:
        raise InputError(f"a hand-in is a table (a DataFrame) or the name of its file, not {describe(scores)}")
    names = [str(column).strip().lower() for column in table.columns]
    table = table.set_axis(names, axis=1)
    for column in ("clip_id", "probability_fake"):
        if names.count(column) != 1:
            what = "is missing" if column not in names else "is there twice"
            raise InputError(f"{name}: the column {column} {what}; a row is a clip_id and a probability_fake")
    # A verdict that is not seen would be decided by one half, without a word.
    others = [column for column in names if column != "verdict" and _holds_verdicts(table[column])]
    if others or names.count("verdict") > 1:
        raise InputError(f"{name}: {', '.join(others) or 'verdict, twice,'} holds verdicts; call one column verdict")
    return name, table


def _holds_verdicts(column: Any) -> bool:
    if isinstance(column, pd.DataFrame):  # of several columns of one name
        return False
    words = column.dropna().astype(str).str.strip().str.lower()
    return bool(len(words)) and bool(words.isin(ANSWERS).all())


def _check_clips(name: str, ids: pd.Series, wanted: set[str]) -> None:
    """Refuse a hand-in that lacks a clip, has one twice, or one that is not there."""
    for found, what, remedy in (
        (sorted(set(ids) - wanted), "no such clip", "clips are called as their files, clip_01 and so on"),
        (sorted(wanted - set(ids)), "missing", "every clip needs a score; .5 says nothing"),
        (sorted(ids[ids.duplicated()].unique()), "there twice", "a row is a clip: take the mean of its frames"),
    ):
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            raise InputError(f"{name}: {printable(found[0])[:80] or 'a row without a name'}{more} {what}; {remedy}")


# --- the board


def hand_in(
    folder: Path | str, scores: Path | str | pd.DataFrame, name: str, key: Path | str | None = None
) -> tuple[Grade, int, pd.DataFrame]:
    """Grade a hand-in and enter it on the folder's board.

    Everybody is on it as often as they handed in, in the order of cost, then of AUC: who chose by it can be seen. The
    same table by the same name counts once.

    Args:
        folder, key: see `answers_of`.
        scores: see `grade`.
        name: whose it is.

    Returns:
        The grade, its place on the board from 1 on, and the board.

    Raises:
        InputError: see `answers_of` and `grade`; there is no name; or the board is damaged.
    """
    # What a spreadsheet would take for a formula does not begin a name.
    if not isinstance(name, str) or not (name := printable(" ".join(name.split()))[:60].lstrip("=+-@ ")):
        raise InputError("a hand-in needs a name for the board")
    answers = answers_of(folder, key)
    table, found = _checked(scores, answers), grade(scores, answers)
    given = table[["clip_id", "probability_fake", "answer"]].to_csv(index=False)
    digest = hashlib.sha256(given.encode()).hexdigest()[:12]
    with files.describe_errors(Path(folder)), FileLock(Path(folder) / ".board.lock"):
        return found, *_entered(Path(folder) / BOARD, name, digest, found)


def _entered(place: Path, name: str, digest: str, found: Grade) -> tuple[int, pd.DataFrame]:
    """Enter a grade on a board; its place, and the board."""
    board = _board(place)
    own = board[board["name"] == name]
    if digest not in set(own["digest"]):
        entry = {"name": name, "hand_in": len(own) + 1, "digest": digest} | {
            column: value for column, value in asdict(found).items() if column in _BOARD_COLUMNS
        }
        board = pd.DataFrame([*board.to_dict("records"), entry])
        board = board.sort_values(["cost", "auc"], ascending=[True, False], kind="stable").reset_index(drop=True)
        write_table(board, place, _BOARD_COLUMNS)
    row = board.index[(board["name"] == name) & (board["digest"] == digest)][0]
    return 1 + int(row), board


def _board(place: Path) -> pd.DataFrame:
    """The board as it is; names are text, whatever they look like.

    Raises:
        InputError: it is not what this program wrote.
    """
    check_table(place, _BOARD_COLUMNS)
    if not place.is_file():
        return pd.DataFrame(columns=list(_BOARD_COLUMNS))
    try:
        board = pd.read_csv(place, dtype={"name": str, "digest": str}, keep_default_na=False, on_bad_lines="error")
        numbers = [column for column in _BOARD_COLUMNS if column not in ("name", "digest", "balanced_accuracy")]
        values = board[numbers].apply(pd.to_numeric, errors="coerce")
        bad = ~np.isfinite(values).all(axis=1) | (board["name"] == "") | (board["digest"].str.len() != 12)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{place}: the board is damaged; move it away to begin another") from error
    if bad.any():
        line = 2 + int(np.flatnonzero(bad)[0])
        raise InputError(f"{place}: line {line} is damaged; mend it, or move the board away to begin another")
    return board.assign(**values)


def errors(folder: Path | str, scores: Path | str | pd.DataFrame, key: Path | str | None = None) -> pd.DataFrame:
    """A hand-in beside the answers, the worst first: for after it was handed in, and not before.

    Args:
        folder, key: see `answers_of`.
        scores: see `grade`.

    Returns:
        The columns of the answers, `probability_fake`, and `distance` from the label, 0 to 1.
    """
    table = _checked(scores, answers_of(folder, key)).drop(columns="answer")
    table["distance"] = (table["label"] - table["probability_fake"]).abs().round(3)
    return table.sort_values("distance", ascending=False, kind="stable").reset_index(drop=True)
