"""The inputs of the lessons: where they live, and one call that builds whatever is missing.

A lesson says `course.ensure("faces")` and goes on; it never matters which lessons were opened before. Everything is
made by the pipeline's own functions, with the settings below: fewer frames and fewer crops than the commands take by
default, so that nobody waits for long.
"""

import hashlib
import json
import os
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchfakes_utils.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from torchfakes_utils.course.lab import Patient
    from torchfakes_utils.models.detector import Detector

# What the course sets differently from the pipeline's defaults when it works on Mini-FF++. Change it here only:
# what was built with other settings is built again.
MINI: dict[str, Any] = {}
# A dozen frames of a two-second clip show all it has; neighbouring frames are almost the same picture.
EXTRACTION: dict[str, Any] = {"frames": 12}
# From random weights: the same lesson for everybody, with a network connection or without.
TRAINING: dict[str, Any] = {"pretrained": None, "crops_per_epoch": 448}

# Smaller still, for what is trained only to be compared: four detectors of one manipulation each, and one that is
# trained on random labels.
MATRIX: dict[str, Any] = {"pretrained": None, "epochs": 3, "crops_per_epoch": 320, "image_size": 112}
CONTROL: dict[str, Any] = {"pretrained": None, "epochs": 3, "crops_per_epoch": 448, "random_labels": True}
# Crops of a clip: 36 passes over them for robustness, and what each of the four is tested on.
PERTURBED_FRAMES, MATRIX_FRAMES = 2, 4

# Raised when a step makes something else out of the same settings; what an earlier version made is then made anew.
VERSIONS = {"clips": 2, "faces": 2, "run": 3, "scores": 2}

# What the learner is told when the step has to be done, and which steps have to be done before it.
STEPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "mini": ("Making the practice clips, Mini-FF++", ()),
    "clips": ("Listing the clips", ("mini",)),
    "faces": ("Cutting out the faces", ("clips",)),
    "run": ("Training the detector", ("faces",)),
    "scores": ("Scoring the test faces", ("run",)),
    "robustness": ("Changing the test faces, and scoring them again", ("scores",)),
    "export": ("Exporting the detector, and checking the export", ("run",)),
    "matrix": ("Training on each manipulation alone", ("faces",)),
    "control": ("Training on random labels", ("faces",)),
    "lab": ("Training the teams of lesson 08", ("faces",)),
}

# In a stamp: the learner made this with settings of their own, and it is used as it is.
_THEIRS = "made by hand\n"


@dataclass(frozen=True)
class Paths:
    """Where the lessons' inputs live.

    Args:
        home: `TORCHFAKES_HOME`, or the checkout around the working directory, or the working directory itself.
        data: the data set in the layout of FaceForensics++: `TORCHFAKES_DATA`, or data/mini below home.
        faces: the folder of the face crops and of faces.csv.
        run: the run folder of the course's detector.
    """

    home: Path
    data: Path
    faces: Path
    run: Path

    @property
    def clips_csv(self) -> Path:
        """The table of clips."""
        return self.data / "clips.csv"

    @property
    def faces_csv(self) -> Path:
        """The table of face crops."""
        return self.faces / "faces.csv"

    @property
    def lab(self) -> Path:
        """The folder of lesson 08's detectors."""
        return self.run.with_name(f"{self.run.name}-lab")

    @property
    def matrix(self) -> Path:
        """The folder of the detectors that know one manipulation each."""
        return self.run.with_name(f"{self.run.name}-matrix")

    @property
    def control(self) -> Path:
        """The run folder of the detector that cannot have learned anything."""
        return self.run.with_name(f"{self.run.name}-control")


def paths() -> Paths:
    """Where data and runs live; asked anew each time, so that a change of directory or environment counts.

    Raises:
        InputError: `TORCHFAKES_DATA` names something that is no folder.
    """
    home = Path(os.environ.get("TORCHFAKES_HOME") or _checkout(Path.cwd()) or Path.cwd()).expanduser().resolve()
    own = os.environ.get("TORCHFAKES_DATA")
    if not own:
        return Paths(home, home / "data" / "mini", home / "data" / "mini" / "faces", home / "runs" / "mini")
    # From home, not from the working directory: a notebook's kernel starts in the notebook's folder.
    data = (home / Path(own).expanduser()).resolve()
    if not data.is_dir():
        raise InputError(f"{data}: TORCHFAKES_DATA names no folder; unset it to work on Mini-FF++")
    # Crops and runs stay out of a data set that may be shared or read-only. Its full path is part of the name:
    # two data sets in folders of one name must not meet.
    name = f"{data.name}-{hashlib.sha256(str(data).encode()).hexdigest()[:6]}"
    return Paths(home, data, home / "data" / name / "faces", home / "runs" / name)


def short(path: Path | str) -> str:
    """`path` relative to the course's home where it lies below it: what a lesson prints, the same on every machine."""
    path = Path(path).resolve()
    home = paths().home
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else path.name


def ensure(step: str, progress: bool = True) -> Path:
    """Make sure that an input of the lessons is there, building it and what it needs first; at once if it is.

    Args:
        step: "mini" (the data set), "clips" (clips.csv), "faces" (faces.csv and crops), "run" (a trained detector),
            "scores" (scores.csv and the report of the test split), "robustness" (how the detector bears what happens
            to films), "export" (the detector as ONNX files, checked), "matrix" (a detector for each manipulation,
            tested on all), "control" (a detector trained on random labels) or "lab" (those of lesson 08).
        progress: show progress bars.

    Returns:
        The data set's folder, clips.csv, faces.csv, the run folder, scores.csv, the report, the export's folder,
        matrix.csv, the control's run folder, or the lab's scores.csv.

    Raises:
        InputError: no such step, or what it needs cannot be built.
    """
    if step not in STEPS:
        raise InputError(f"{step!r} is no input of the course; there are {', '.join(STEPS)}")
    from multiprocessing import current_process

    from filelock import FileLock

    # A worker first runs the script that started it; it would wait for ever here, for the lock that its parent holds.
    # multiprocessing itself looks at this attribute to notice the same mistake.
    if getattr(current_process(), "_inheriting", False):
        raise InputError("in a script, put course.ensure(...) and what follows under: if __name__ == '__main__':")

    where = paths()
    lock = FileLock(where.home / "data" / ".lock")
    try:
        (where.home / "data").mkdir(parents=True, exist_ok=True)
        # Two lessons may run at once (the tests do): the second waits for the first instead of building beside it.
        lock.acquire()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{where.home}: cannot write there ({reason}); set TORCHFAKES_HOME to a folder of yours"
        ) from error
    try:
        return _ensure(step, where, progress)
    finally:
        lock.release()


def faces_table(split: str | None = None) -> "pd.DataFrame":
    """The table of face crops, built if need be, with the crops' absolute paths in the column `file`.

    Args:
        split: "train", "val" or "test"; None for all.
    """
    from torchfakes_utils.crops.table import load_faces

    return load_faces(ensure("faces"), split)


def detector() -> "Detector":
    """The course's trained detector, in evaluation mode, trained first if need be."""
    from torchfakes_utils.models.detector import load

    return load(ensure("run") / "best").eval()


def broken_detector(number: int, seed: int = 0) -> "Patient":
    """One of lesson 08's detectors, sick or well: you are not told which. They are trained first if need be.

    Args:
        number: from 1 to 8.
        seed: from which it was trained, 0, 1 or 2.

    Raises:
        InputError: there is no such number or seed.
    """
    from torchfakes_utils.course import lab

    scores = ensure("lab")
    return lab.patient(number, seed, paths().faces_csv, scores.parent)


def closure(steps: set[str]) -> list[str]:
    """`steps` and all they need, in the order in which they are built."""
    wanted, waiting = set(), list(steps)
    while waiting:
        step = waiting.pop()
        wanted.add(step)
        waiting.extend(STEPS[step][1])
    return [step for step in STEPS if step in wanted]


def _ensure(step: str, where: Paths, progress: bool) -> Path:
    for needed in STEPS[step][1]:
        _ensure(needed, where, progress)
    result, folder = _places(step, where)
    if step == "mini" and not _is_mini(where):
        return result
    stamp, settings = folder / f".course-{step}.json", _fingerprint(step, where)
    if stamp.is_file() and result.exists():
        if stamp.read_text() in (settings, _THEIRS):
            return result
        # Built here, with settings that no longer hold. The two other steps just write their tables anew.
        if step in ("mini", "faces", "run", "matrix", "control", "lab"):
            shutil.rmtree(folder)
    print(f"{STEPS[step][0]} (once) …", flush=True)
    try:
        _BUILDERS[step](where, progress)
    except InputError:
        # Where the learner's own crops or run are in the way, the lessons work on those.
        finished = {"faces": where.faces_csv, "run": where.run / "best" / "detector.json"}.get(step)
        if stamp.exists() or finished is None or not finished.is_file():
            raise
        settings = _THEIRS
    if not result.exists():
        raise InputError(f"{STEPS[step][0]} left no {short(result)}; remove {short(folder)} and try again")
    folder.mkdir(parents=True, exist_ok=True)
    stamp.write_text(settings)
    return result


def _is_mini(where: Paths) -> bool:
    return where.data == where.home / "data" / "mini"


def _places(step: str, where: Paths) -> tuple[Path, Path]:
    """What a step makes, and the folder that is its own."""
    return {
        "mini": (where.data, where.data),
        "clips": (where.clips_csv, where.faces.parent),
        "faces": (where.faces_csv, where.faces),
        "run": (where.run, where.run),
        "scores": (where.run / "scores.csv", where.run),
        "robustness": (where.run / "report.json", where.run),
        "export": (where.run / "export" / "onnx", where.run / "export" / "onnx"),
        "matrix": (where.matrix / "matrix.csv", where.matrix),
        "control": (where.control, where.control),
        "lab": (where.lab / "scores.csv", where.lab),
    }[step]


def _settings(step: str, where: Paths) -> dict[str, Any]:
    """What the course sets for a step; a data set of the learner's own gets the pipeline's defaults."""
    fixed = {
        "robustness": {"frames": PERTURBED_FRAMES},
        "matrix": MATRIX | {"frames": MATRIX_FRAMES},
        "control": CONTROL,
    }
    if step in fixed:
        return fixed[step]
    return {"mini": MINI, "faces": EXTRACTION, "run": TRAINING}.get(step, {}) if _is_mini(where) else {}


def _fingerprint(step: str, where: Paths) -> str:
    """The settings that a step and those before it are built with, as text."""
    steps = closure({step})
    versions = {name: VERSIONS[name] for name in steps if name in VERSIONS}
    settings = {name: _settings(name, where) for name in steps}
    if step == "lab":
        from torchfakes_utils.course import lab

        settings["lab"] = lab.settings()
    return json.dumps(settings | {"versions": versions}, sort_keys=True) + "\n"


def _mini(where: Paths, progress: bool) -> None:
    from torchfakes_utils.datasets.mini import build

    build.build(where.data, build.MiniConfig(**_settings("mini", where)), progress=progress)


def _clips(where: Paths, progress: bool) -> None:  # noqa: ARG001
    from torchfakes_utils.datasets import faceforensics

    faceforensics.write_clips(where.data)


def _faces(where: Paths, progress: bool) -> None:
    from torchfakes_utils.faces import extraction
    from torchfakes_utils.faces.config import ExtractionConfig

    config = ExtractionConfig(**_settings("faces", where))
    extraction.extract(where.data, where.faces, config, progress=progress)


def _run(where: Paths, progress: bool) -> None:
    from torchfakes_utils.training.config import TrainingConfig
    from torchfakes_utils.training.run import train

    train(where.faces_csv, where.run, TrainingConfig(**_settings("run", where)), progress=progress)


def _scores(where: Paths, progress: bool) -> None:  # noqa: ARG001
    from torchfakes_utils.evaluation import evaluate
    from torchfakes_utils.report import write

    write.write(where.run, evaluate.evaluate(where.run, where.faces_csv))
    # The new report knows nothing of robustness; measured anew, which costs nothing where it is kept.
    (where.run / ".course-robustness.json").unlink(missing_ok=True)


def _robustness(where: Paths, progress: bool) -> None:
    from torchfakes_utils.evaluation import evaluate
    from torchfakes_utils.evaluation.config import EvaluationConfig, RobustnessConfig, Scoring
    from torchfakes_utils.report import write

    config = EvaluationConfig(
        scoring=Scoring(progress=progress),
        scores=where.run / "scores.csv",
        perturb=True,
        robustness=RobustnessConfig(**_settings("robustness", where)),
    )
    write.write(where.run, evaluate.evaluate(where.run, where.faces_csv, config))


def _export(where: Paths, progress: bool) -> None:  # noqa: ARG001
    from torchfakes_utils.export import exporter
    from torchfakes_utils.export.config import ExportConfig

    exporter.export(where.run, ExportConfig("onnx", faces=where.faces_csv))


def _matrix(where: Paths, progress: bool) -> None:
    from torchfakes_utils.evaluation import cross_manipulation
    from torchfakes_utils.evaluation.config import Scoring
    from torchfakes_utils.training.config import TrainingConfig

    scoring = Scoring(frames=MATRIX_FRAMES, progress=progress)
    cross_manipulation.matrix(where.faces_csv, where.matrix, TrainingConfig(**MATRIX), scoring=scoring)


def _control(where: Paths, progress: bool) -> None:
    from torchfakes_utils.training.config import TrainingConfig
    from torchfakes_utils.training.run import train

    train(where.faces_csv, where.control, TrainingConfig(**CONTROL), progress=progress)


def _lab(where: Paths, progress: bool) -> None:
    from torchfakes_utils.course import lab

    lab.build(where.faces_csv, where.lab, progress=progress)


_BUILDERS: dict[str, Callable[[Paths, bool], None]] = {
    "mini": _mini,
    "clips": _clips,
    "faces": _faces,
    "run": _run,
    "scores": _scores,
    "robustness": _robustness,
    "export": _export,
    "matrix": _matrix,
    "control": _control,
    "lab": _lab,
}


def _checkout(folder: Path) -> Path | None:
    """The checkout of this project that `folder` lies in."""
    for candidate in (folder, *folder.parents):
        project = candidate / "pyproject.toml"
        if project.is_file():
            try:
                if tomllib.loads(project.read_text()).get("project", {}).get("name") == "torchfakes":
                    return candidate
            except (tomllib.TOMLDecodeError, OSError):
                continue
    return None
