"""What is kept beside a detector's weights: their description, the decision, and the likeness by which it refuses.

All of it can be read and replaced without the weights.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write, parse_json
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.decision import NOT_FIXED, OF_BEFORE, Decision
from torchfakes_utils.models.likeness import Likeness, digest, dump, parse
from torchfakes_utils.models.provenance import remedy
from torchfakes_utils.models.run_files import DETECTOR_FILE, LIKENESS_FILE, MOST_BYTES
from torchfakes_utils.models.scope import Scope

# What gives a decision or a likeness back.
DECIDE_AGAIN = "run `torchfakes calibrate`, or train again in a new folder"


def store_decision(folder: Path | str, decision: Decision, likeness: Likeness | None = None) -> None:
    """Put a decision, and the likeness by which it refuses, beside weights that are there.

    Raises:
        InputError: no detector in `folder`, or it cannot be written to.
    """
    store(Path(folder), description_of(Path(folder)), decision, likeness)


def store(folder: Path, description: Mapping[str, Any], decision: Decision, likeness: Likeness | None) -> None:
    """Write description and likeness; a full disk leaves those that were there, whole."""
    measured = None if likeness is None else dump(likeness)
    text = json.dumps(dict(description) | {"decision": asdict(replace(decision, likeness=digest(likeness)))}, indent=2)
    # Both are written before either takes its place.
    with ExitStack() as files:
        files.enter_context(atomic_write(folder / DETECTOR_FILE)).write_text(text + "\n", encoding="utf-8")
        if measured is not None:
            files.enter_context(atomic_write(folder / LIKENESS_FILE)).write_bytes(measured)
    if measured is None:
        (folder / LIKENESS_FILE).unlink(missing_ok=True)


def stored_decision(folder: Path | str) -> Decision:
    """The decision beside weights, without reading these.

    Raises:
        InputError: no detector in `folder`, or a decision that is none.
    """
    return decision_of(description_of(Path(folder)), Path(folder))


def stored_likeness(folder: Path | str, decision: Decision) -> Likeness | None:
    """The likeness that a decision speaks of, in the folder of its detector; None where it speaks of none.

    Raises:
        InputError: it is gone or changed.
    """
    if not decision.likeness:
        return None
    path = Path(folder) / LIKENESS_FILE
    content = read_part(path, DECIDE_AGAIN)
    if hashlib.sha256(content).hexdigest() != decision.likeness:
        raise InputError(f"{path}: damaged or changed since it was saved; {DECIDE_AGAIN}")
    try:
        return parse(content)
    except InputError as error:
        raise InputError(f"{path}: {error}; {DECIDE_AGAIN}") from error


def description_of(folder: Path) -> dict[str, Any]:
    """What `detector.json` in a folder holds.

    Raises:
        InputError: no such file, or it is no description.
    """
    path = folder / DETECTOR_FILE
    try:
        return dict(parse_json(read_part(path)))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: not a detector's description ({error}); {remedy(folder)}") from error


def decision_of(description: Mapping[str, Any], folder: Path) -> Decision:
    """The decision in a description, with a caution where it was never fixed, or by an older program.

    Raises:
        InputError: it is none; `folder` is named.
    """
    try:
        stored = description["decision"]
        decision = Decision(**stored)
        if decision.is_fixed and not {"photo", "film"} <= stored.keys():
            # Half of one of ours is none: with one band a verdict would stand beside the caution that there is none.
            return replace(decision, photo=Band(), film=Band()).cautioned(OF_BEFORE)
        return decision if decision.is_fixed or decision.caution else decision.cautioned(NOT_FIXED)
    except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{folder / DETECTOR_FILE}: its decision cannot be read ({error}); {DECIDE_AGAIN}") from error


def described_scope(description: Mapping[str, Any]) -> Scope:
    """What a detector was trained on, by a decision that cannot be read otherwise."""
    try:
        return Scope(**description["decision"]["scope"])
    except (KeyError, TypeError):
        return Scope()


def read_part(path: Path, again: str = "run `torchfakes train`, or `torchfakes pull`") -> bytes:
    """A file of a detector, no larger than one can be: a link may lead to a device without an end.

    `again` says what gives it back.
    """
    most = MOST_BYTES[path.name]
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: not a file; copy the folder again")
        with path.open("rb") as file:  # which asks for memory for all that it is to read before it reads
            content = file.read(min(most, os.fstat(file.fileno()).st_size) + 1)
    except OSError as error:
        raise InputError(f"{path.parent}: no detector here ({path.name}: {error.strerror}); {again}") from error
    if len(content) > most:
        raise InputError(f"{path}: more than {most / 1e6:,.0f} MB, as no detector's is; copy the folder again")
    return content
