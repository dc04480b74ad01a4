"""What a case is, and the list of all."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

VERDICT = r"^(fake|real) "
NO_VERDICT = r"^cannot tell "


@dataclass(frozen=True)
class Case:
    """An input that somebody has given, or might.

    Whatever a command answers, it neither changes nor removes a file that `make` has written, writes nowhere but where
    it was told to (mostly below `{folder}/out`), and ends with one line rather than a traceback. The app serves until
    it is stopped where it has nothing to refuse.

    Attributes:
        name: what it is called, in small letters.
        row: the kind of fault that it may meet.
        what: what it is, in one line.
        make: writes it into a folder that is there, and returns the path that a command is given.
        command: what is run, without the program's name; several have " && " between them. In braces: path (what
            `make` returned), folder (what `make` was given), run (a detector), data and faces (a small FaceForensics++
            folder with its clips.csv; the faces.csv made from it).
        answer: a regular expression (by lines, whatever the case) that is found in what the command says where it is
            right; None where it need only end well.
        slow: to make it takes more than a second.
        steady: it is made of the same bytes each time.
        hungry: whoever believes what it claims takes gigabytes or minutes: never to be opened without bounds on memory,
            time and the length of files.
    """

    name: str
    row: str
    what: str
    make: Callable[[Path], Path]
    command: str = "predict {run} {path}"
    answer: str | None = None
    slow: bool = False
    steady: bool = True
    hungry: bool = False

    def commands(self, **places: Path | str) -> list[list[str]]:
        """The words of each command, one after the other; a path stays one word, whatever is in it."""
        return [[word.format(**places) for word in one.split()] for one in self.command.split(" && ")]

    def answered(self, text: str) -> bool:
        """Whether a command that said this was right."""
        return self.answer is None or re.search(self.answer, text, re.MULTILINE | re.IGNORECASE) is not None


CASES: dict[str, Case] = {}


def add(name: str, row: str, what: str, make: Callable[[Path], Path], **more) -> None:
    """List a case; its name is its own."""
    if name in CASES:
        raise ValueError(f"{name!r} is there already")
    CASES[name] = Case(name, row, what, make, **more)


def case(name: str, row: str, what: str, **more) -> Callable:
    """List the function below as a case."""

    def listed(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
        add(name, row, what, make, **more)
        return make

    return listed


def digests(folder: Path) -> dict[str, str]:
    """What lies in a folder, to be compared with what lies there later: files by content, links by where they lead."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink()).replace(str(folder), "")
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
