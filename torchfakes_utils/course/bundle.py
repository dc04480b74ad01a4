"""A room without a network: wheels, lessons, practice data and what was trained on it, in one archive.

    torchfakes bundle torchfakes-bundle.tar          # needs a network, and `make course` before it
    python3 torchfakes-bundle/install.py             # needs neither

Where its lessons ask for an input that is in it, `course.ensure` takes that instead of an hour of computing.
"""

import hashlib
import io
import json
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torchfakes_utils import __version__
from torchfakes_utils.course import folders, laid_down, state
from torchfakes_utils.course.steps import STEPS
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write, check_no_link, check_writable, sha256_of

NAME = "torchfakes-bundle"  # the folder that the archive unpacks to
INSTALLER = Path(__file__).with_name("templates") / "install.py"
EXTRAS = ("course", "app", "timm")
# Published as source alone, and pure Python: built here, it is a wheel for every machine.
_SOURCES = ("grad-cam",)
# Of an input, what no lesson asks for: where training would go on, decoded crops, and locks.
_LEFT_OUT = re.compile(r"(^|/)(last\.safetensors$|\.cache/|\.lock$|__pycache__/)")


@dataclass(frozen=True)
class BundleConfig:
    """What goes into a bundle.

    Attributes:
        platforms: for which the wheels are, as pip names them (manylinux_2_28_x86_64, macosx_14_0_arm64, win_amd64);
            this machine's where none is named. Several names may stand for one system that takes wheels of all of them.
        python: for which Python, such as 3.12; this one where none is named.
        extras: of the package, whose wheels go along.
        wheels: put them in; without, the bundle is for machines that are set up.
    """

    platforms: tuple[str, ...] = ()
    python: str | None = None
    extras: tuple[str, ...] = EXTRAS
    wheels: bool = True

    def __post_init__(self) -> None:
        """Refuse what pip would refuse after minutes.

        Raises:
            InputError: a Python that this package does not run on.
        """
        if self.python is not None and not re.fullmatch(r"3\.1[123]", self.python):
            raise InputError(f"--python {self.python}: TorchFakes runs on 3.11, 3.12 and 3.13")


@dataclass(frozen=True)
class Bundle:
    """What was made: the archive, its SHA-256, and the inputs in it and not in it."""

    path: Path
    sha256: str
    size: int
    inputs: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass
class _Archive:
    """A tar file that is being written, and the sums of what is in it."""

    tar: tarfile.TarFile
    sums: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, source: Path) -> None:
        """One file."""
        self.tar.add(source, f"{NAME}/{name}", recursive=False, filter=_nobody)
        self.sums[name] = sha256_of(source)

    def write(self, name: str, content: bytes) -> None:
        """One file, from memory."""
        entry = tarfile.TarInfo(f"{NAME}/{name}")
        entry.size, entry.mode = len(content), 0o644
        self.tar.addfile(entry, io.BytesIO(content))
        self.sums[name] = hashlib.sha256(content).hexdigest()


def _nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """An entry without the name of whoever made it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def make_bundle(out: Path, config: BundleConfig = BundleConfig(), cache: Path = Path("build/wheels")) -> Bundle:
    """Make the archive, whole or not at all; a second call fetches no wheel twice.

    Args:
        out: the archive, a `.tar`; wheels, films and weights are compressed already.
        config: what goes into it.
        cache: where wheels are kept.

    Raises:
        InputError: something else is at `out`, it cannot be written to, no input was made yet, this is no checkout,
            pip finds no wheel, or the disk is full.
    """
    _check_out(out)
    made = state.made()
    if not made:
        raise InputError(f"{folders.paths().home}: no input of the lessons is there yet; run make course first")
    wheels = fetch_wheels(config, cache) if config.wheels else []
    with atomic_write(out) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
        archive = _Archive(tar)
        for wheel in wheels:
            archive.add(f"wheels/{wheel.name}", wheel)
        with tempfile.TemporaryDirectory() as scratch:
            for path in _files(laid_down.lay_down(Path(scratch) / "lessons").folder):
                archive.add(f"lessons/{path.relative_to(Path(scratch) / 'lessons').as_posix()}", path)
        home = folders.paths().home
        for path in input_files(made):
            archive.add(f"lessons/{path.relative_to(home).as_posix()}", path)
        about = {
            "version": __version__, "python": config.python or f"{sys.version_info[0]}.{sys.version_info[1]}",
            "platforms": list(config.platforms) or [sysconfig.get_platform()], "extras": list(config.extras),
            "wheels": bool(wheels), "inputs": made,
        }  # fmt: skip
        archive.write("bundle.json", (json.dumps(about, indent=1) + "\n").encode())
        archive.write("install.py", INSTALLER.read_bytes())
        sums = "".join(f"{digest}  {name}\n" for name, digest in archive.sums.items())
        archive.write("SHA256SUMS", sums.encode())
    digest = sha256_of(out)
    with atomic_write(_sum_of(out)) as temporary:
        temporary.write_text(_line(digest, out), encoding="utf-8")
    missing = tuple(name for name in STEPS if name not in made)
    return Bundle(out, digest, out.stat().st_size, tuple(made), missing)


def _check_out(out: Path) -> None:
    """Refuse to write over what is no bundle of ours: that, the sum beside it tells."""
    beside = _sum_of(out)
    check_writable(out.parent)
    for path in (out, beside):
        check_no_link(path)
    if not (out.exists() or beside.exists()):
        return
    whole = out.is_file() and beside.is_file()
    if not whole or beside.read_bytes() != _line(sha256_of(out), out).encode():
        raise InputError(f"{out if out.exists() else beside}: is there, and is no bundle of ours; give another name")


def _sum_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.sha256")


def _line(digest: str, out: Path) -> str:
    """In the form that `sha256sum -c` takes."""
    return f"{digest}  {out.name}\n"


def input_files(names: Sequence[str]) -> Iterator[Path]:
    """Every file of some inputs that a lesson may ask for, once.

    Raises:
        InputError: an input lies outside of the home, where a bundle could not be unpacked to.
    """
    where, seen = folders.paths(), set[Path]()
    roots = sorted({STEPS[name].folder(where) for name in names} | {STEPS[name].makes(where) for name in names})
    roots += sorted(where.run.parent.glob(f"{where.run.name}-first-*"))  # lesson 00's own, which is no step
    for root in roots:
        if not root.is_relative_to(where.home):
            raise InputError(
                f"{root}: lies outside of {where.home}; a bundle is made of Mini-FF++: unset TORCHFAKES_DATA"
            )
        for path in _files(root) if root.is_dir() else [root]:
            if path not in seen and not _LEFT_OUT.search(path.relative_to(where.home).as_posix()):
                seen.add(path)
                yield path


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def fetch_wheels(config: BundleConfig, cache: Path) -> list[Path]:
    """This package's own wheel and all that it needs, from the index that pip knows.

    Raises:
        InputError: this is no checkout, or pip cannot get them.
    """
    root = Path(__file__).parents[2]
    if not (root / "pyproject.toml").is_file():
        raise InputError("a bundle with wheels is made in a checkout; or make one --no-wheels")
    folder = cache / "-".join([config.python or "here", *config.platforms])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("torchfakes-*.whl"):
        old.unlink()
    pinned = ("--constraint", str(root / "constraints.txt"))
    _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(root))
    _pip("wheel", "--no-deps", *pinned, "--wheel-dir", str(folder), *_SOURCES)
    own = next(folder.glob("torchfakes-*.whl"))
    only = [f"--platform={one}" for one in config.platforms]
    only += [f"--python-version={config.python}"] if config.python else []
    wanted = f"{own}[{','.join(config.extras)}]"
    there = ("--dest", str(folder), "--find-links", str(folder))
    _pip("download", *only, "--only-binary=:all:", *pinned, *there, wanted, "pip")
    return sorted(folder.glob("*.whl"))


def _pip(*words: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        words[0],
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        *words[1:],
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip has failed"]
        raise InputError(f"{lines[0].removeprefix('ERROR: ')}; is there a network, and a wheel for that platform?")
