"""Which lessons there are, and where their inputs live."""

import hashlib
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from torchfakes_utils.errors import InputError

# In a folder that `torchfakes course init` has made: what of it is ours.
LAID_DOWN = "torchfakes-lessons.json"


@dataclass(frozen=True)
class Paths:
    """Where the lessons' inputs live.

    Args:
        home: `TORCHFAKES_HOME`, or the checkout around the working directory, or the folder of lessons around it, or
            the working directory itself.
        data: the data set in the layout of FaceForensics++: `TORCHFAKES_DATA`, or data/mini below home.
        faces: the folder of the face crops and of faces.csv.
        run: the run folder of the course's detector.
    """

    home: Path
    data: Path
    faces: Path
    run: Path

    @property
    def is_mini(self) -> bool:
        """Whether the data set is the course's own, Mini-FF++."""
        return self.data == self.home / "data" / "mini"

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
    def starts(self) -> Path:
        """The folder of what lesson 05's runs said, one for each way to begin."""
        return self.run.with_name(f"{self.run.name}-starts")

    @property
    def control(self) -> Path:
        """The run folder of the detector that cannot have learned anything."""
        return self.run.with_name(f"{self.run.name}-control")

    @property
    def films(self) -> Path:
        """The data set that only time betrays, of lesson 10."""
        return self.home / "data" / "mini-temporal"

    @property
    def films_faces_csv(self) -> Path:
        """The table of their faces."""
        return self.films / "faces" / "faces.csv"

    @property
    def film_run(self) -> Path:
        """The run folder of lesson 10's detector of films."""
        return self.home / "runs" / "mini-films"

    @property
    def voices(self) -> Path:
        """The folder of the practice recordings, whatever the films are."""
        return self.home / "data" / "voices"

    @property
    def listener(self) -> Path:
        """The run folder of the course's detector of made voices."""
        return self.home / "runs" / "voices"

    @property
    def capstone(self) -> Path:
        """The folder of the last task's clips and of its board."""
        return self.home / "data" / "capstone"


def paths() -> Paths:
    """Where data and runs live; asked anew each time, so that a change of directory or environment counts.

    Raises:
        InputError: `TORCHFAKES_DATA` names something that is no folder.
    """
    here = Path.cwd()
    home = Path(os.environ.get("TORCHFAKES_HOME") or _checkout(here) or _laid_down(here) or here).expanduser().resolve()
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


def lessons(modules: Path = Path(__file__).parent) -> list[str]:
    """The lessons by their numbers, in order: those that have a module of that name. "06b" is a second notebook of 06.

    A module such as lesson_06_costs.py is a part of lesson 06, and no lesson.

    Args:
        modules: the folder of the modules.
    """
    found = (re.fullmatch(r"lesson_(\d\d[a-z]?)", path.stem) for path in modules.glob("lesson_*.py"))
    return sorted(each[1] for each in found if each)


def _laid_down(folder: Path) -> Path | None:
    """The folder of lessons that `folder` lies in."""
    return next((one for one in (folder, *folder.parents) if (one / LAID_DOWN).is_file()), None)


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
