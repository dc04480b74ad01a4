"""One call that builds whatever is missing of the lessons' inputs.

A lesson says `course.ensure("faces")` and goes on; it never matters which lessons were opened before. What there is to
build stands in `steps`; a stamp beside each result says what it was built with.
"""

import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torchfakes_utils.course.folders import Paths, paths, short
from torchfakes_utils.course.steps import STEPS, Order, Step
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.folders import remove_files

# While a notebook is built: its name and the inputs that its header declares, "03_sharp_enough:faces,run".
DECLARED = "TORCHFAKES_DECLARED"

# In a stamp: the learner made this with settings of their own, and it is used as it is.
_THEIRS = "made by hand"


def ensure(name: str, progress: bool = True) -> Path:
    """Make sure that an input of the lessons is there, building it and what it needs first; at once if it is.

    Args:
        name: "mini" (the data set), "clips" (clips.csv), "faces" (faces.csv and crops), "run" (a trained detector),
            "scores" (scores.csv and the report of the test split), "robustness" (how the detector bears what happens
            to films), "export" (the detector as ONNX files, checked), "matrix" (a detector for each manipulation,
            tested on all), "control" (a detector trained on random labels), "starts" (what lesson 05's runs from other
            first weights say of the validation clips) or "lab" (the detectors of lesson 08).
        progress: show progress bars.

    Returns:
        The data set's folder, clips.csv, faces.csv, the run folder, scores.csv, the report, the export's folder,
        matrix.csv, the control's run folder, or scores.csv of the starts or of the lab.

    Raises:
        InputError: no such input, or what it needs cannot be built.
    """
    step = _step(name)
    _refuse_undeclared(name)
    from multiprocessing import current_process

    # A worker first runs the script that started it; it would wait for ever here, for the lock that its parent holds.
    # multiprocessing itself looks at this attribute to notice the same mistake.
    if getattr(current_process(), "_inheriting", False):
        raise InputError("in a script, put course.ensure(...) and what follows under: if __name__ == '__main__':")
    where = paths()
    # A stamp comes last: what has one is whole, and need not wait for another lesson that builds something else.
    if all(_stands(STEPS[one], where) for one in closure([name])):
        return step.makes(where)
    with _alone(where):
        return _done(step, where, progress)


def closure(names: Iterable[str]) -> list[str]:
    """Some inputs and all that they need, in the order in which they are built.

    Raises:
        InputError: one of the names is no input of the course.
    """
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        waiting.extend(_step(name).needs)
    return [name for name in STEPS if name in wanted]


def made() -> list[str]:
    """The inputs that were made here, with whatever settings; nothing is built, and nothing heavy loaded."""
    where = paths()
    return [step.name for step in STEPS.values() if _stamp(step, where).is_file() and step.makes(where).exists()]


def _step(name: str) -> Step:
    if name not in STEPS:
        raise InputError(f"{name!r} is no input of the course; there are {', '.join(STEPS)}")
    return STEPS[name]


def _refuse_undeclared(name: str) -> None:
    lesson, _, declared = os.environ.get(DECLARED, "").partition(":")
    if lesson and name not in closure(filter(None, declared.split(","))):
        raise InputError(f"{lesson} asks for {name!r}, which its header does not declare: add it to `needs` there")


@contextmanager
def _alone(where: Paths) -> Iterator[None]:
    """Two lessons may run at once (the tests do): the second waits for the first instead of building beside it."""
    from filelock import FileLock, Timeout

    lock = FileLock(where.home / "data" / ".lock")
    try:
        (where.home / "data").mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print("Another lesson is building what lessons need: waiting for it (training takes minutes) …", flush=True)
            lock.acquire()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{where.home}: cannot write there ({reason}); set TORCHFAKES_HOME to a folder of yours"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _stands(step: Step, where: Paths) -> bool:
    """Whether there is nothing to build of a step itself."""
    if not step.possible(where):
        return True
    stamp, result = _stamp(step, where), step.makes(where)
    return stamp.is_file() and result.exists() and _first_line(stamp) in (_fingerprint(step, where), _THEIRS)


def _done(step: Step, where: Paths, progress: bool) -> Path:
    """The result of a step, which is built if it is missing or was built otherwise."""
    for need in step.needs:
        _done(STEPS[need], where, progress)
    result = step.makes(where)
    if _stands(step, where):
        return result
    stamp, fingerprint = _stamp(step, where), _fingerprint(step, where)
    stamped, renew = stamp.is_file(), False
    if stamped and result.exists() and step.ours is not None:  # built here, with settings that no longer hold
        remove_files(step.folder(where), step.ours, by_path=True)
        renew = True
    print(f"{step.message} (once) …", flush=True)
    try:
        step.build(Order(where, step.settings(where), progress, renew))
    except InputError:
        # Where the learner's own crops or run are in the way, the lessons work on those.
        if stamped or step.theirs is None or not step.theirs(where).is_file():
            raise
        fingerprint = _THEIRS
    if not result.exists():
        raise InputError(f"{step.message} left no {short(result)}; remove {short(step.folder(where))} and try again")
    stamp.parent.mkdir(parents=True, exist_ok=True)
    # The second line tells two buildings with the same settings apart, for `Step.renewed_with`.
    stamp.write_text(f"{fingerprint}\n{secrets.token_hex(8)}\n")
    return result


def _stamp(step: Step, where: Paths) -> Path:
    return step.folder(where) / f".course-{step.name}.json"


def _first_line(stamp: Path) -> str:
    return stamp.read_text().partition("\n")[0]


def _fingerprint(step: Step, where: Paths) -> str:
    """The settings and versions that a step and those before it are built with, as one line of text."""
    before = [STEPS[name] for name in closure([step.name])]
    built: dict[str, Any] = {one.name: [one.version, one.settings(where)] for one in before}
    # What another step writes anew is part of what this one was built from, though no setting has changed.
    for need in step.renewed_with:
        stamp = _stamp(STEPS[need], where)
        built[need] = [built[need], stamp.read_text() if stamp.is_file() else None]
    return json.dumps(built, sort_keys=True)
