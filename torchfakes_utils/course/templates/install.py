"""Set the course up from this folder, without a network: python3 install.py

It needs Python alone. What is here is checked first, then an environment is made beside it and filled from `wheels/`.
The same call again goes on where it was broken off.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def damaged(folder: Path) -> list[str]:
    """Which files lack or are not what they should be."""
    listed = folder / "SHA256SUMS"
    if not listed.is_file():
        return ["SHA256SUMS"]
    wrong = []
    for line in listed.read_text(encoding="utf-8").splitlines():
        expected, name = line.split("  ", 1)
        digest = hashlib.sha256()
        try:
            with (folder / name).open("rb") as file:
                while True:
                    block = file.read(1 << 20)
                    if not block:
                        break
                    digest.update(block)
        except OSError:
            wrong.append(name)
            continue
        # A lesson is there to be written in.
        if digest.hexdigest() != expected and not name.startswith("lessons/notebooks/"):
            wrong.append(name)
    return wrong


def unfit(about: dict[str, Any]) -> str:
    """Why these wheels are none for this machine; "" where they are."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if not about["wheels"]:
        return ""
    if version != about["python"]:
        return (
            f"its wheels are for Python {about['python']}, and this is {version}: call it with python{about['python']}"
        )
    here = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    system = {"Linux": "linux", "Darwin": "macosx", "Windows": "win"}.get(platform.system(), platform.system().lower())
    machine = here.rsplit("_", 2)[-1] if not here.endswith("x86_64") else "x86_64"
    for one in about["platforms"]:
        name = one.replace("-", "_").replace(".", "_")
        if system in name and name.endswith((machine, "universal2")):
            return ""
    theirs = ", ".join(about["platforms"])
    return f"its wheels are for {theirs}, and this is {sysconfig.get_platform()}: get a bundle for that"


def main() -> None:
    """Check, install, say how to begin."""
    wrong = damaged(HERE)
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        sys.exit(f"install: {wrong[0]}{more} is missing or damaged: the bundle was cut short; copy and unpack it again")
    about = json.loads((HERE / "bundle.json").read_text(encoding="utf-8"))
    reason = unfit(about)
    if reason:
        sys.exit(f"install: {reason}")
    if not about["wheels"]:
        print(f"no wheels in this bundle; where TorchFakes is installed: jupyter lab {HERE / 'lessons'}")
        return
    environment = HERE / ".venv"
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    try:
        if not python.is_file():
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
        pip = next((HERE / "wheels").glob("pip-*.whl"))
        own = next((HERE / "wheels").glob("torchfakes-*.whl"))
        print("installing, some minutes; nothing is fetched", flush=True)
        subprocess.run(
            [str(python), str(pip / "pip"), "install", "--quiet", "--no-index", "--find-links", str(HERE / "wheels"),
             f"{own}[{','.join(about['extras'])}]"],
            check=True,
        )  # fmt: skip
    except (OSError, StopIteration, subprocess.CalledProcessError) as error:
        sys.exit(f"install: {error}; is there room on the disk, and may you write to {HERE}? Then call it again")
    bin_folder = python.parent
    print(f"done; begin with:\n  {bin_folder / 'jupyter'} lab {HERE / 'lessons'}\n  {bin_folder / 'torchfakes'} doctor")


if __name__ == "__main__":
    main()
