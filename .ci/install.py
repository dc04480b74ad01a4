"""Install the project with pip, and say how far it is: called by `make setup`, with the extras to be installed.

pip's own bar moves a file at a time and is silent where nobody looks at a terminal; --quiet says nothing for minutes.
Here stand megabytes fetched so far, and what comes next. The standard library is all there is yet.
"""

import re
import subprocess
import sys
import time

# Measured on Linux with Python 3.11, where PyTorch brings CUDA: what pip fetches, and what lies on the disk afterwards.
ABOUT, ALL = {"course,timm": (3.1, 6.5)}, (3.2, 7.6)
EVERY = 10.0  # seconds between two lines

_FETCHED = re.compile(r"^\s*Downloading \S+ \(([\d.]+) (kB|MB|GB)\)")
_USED = re.compile(r"^\s*Using cached \S+")
_UNITS = {"kB": 1e-3, "MB": 1.0, "GB": 1e3}


def main(extras: str) -> int:
    """Install `.[extras]`; the exit status is pip's."""
    fetch, disk = ABOUT.get(extras, ALL)
    print(f"Installing torchfakes[{extras}]. On Linux that fetches {fetch} GB or more, most of it PyTorch with CUDA,")
    print(f"and takes {disk} GB of disk; what pip has in its cache is not fetched again.", flush=True)
    command = [
        sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off",
        "--editable", f".[{extras}]", "--constraint", "constraints.txt",
    ]  # fmt: skip
    began = told = time.monotonic()
    megabytes, files, cached = 0.0, 0, 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            if found := _FETCHED.match(line):
                megabytes, files = megabytes + float(found[1]) * _UNITS[found[2]], files + 1
            cached += _USED.match(line) is not None
            if line.startswith("Installing collected packages"):
                count = line.count(",") + 1
                print(f"  {_since(began)}: all is here; installing {count} packages, some minutes", flush=True)
            elif time.monotonic() - told >= EVERY:
                told = time.monotonic()
                print(
                    f"  {_since(began)}: {files} files fetched, {megabytes:,.0f} MB; {cached} from the cache",
                    flush=True,
                )
    if pip.returncode == 0:
        print(f"  {_since(began)}: done", flush=True)
    else:
        print(f"  {_since(began)}: pip failed, as it says above; `make setup` again goes on", file=sys.stderr)
    return pip.returncode


def _since(began: float) -> str:
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    return f"{minutes}:{seconds:02d}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
