"""`data_download.sh` against servers that refuse, stall, cut off and recover; a stand-in plays the authors' script."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from torchfakes_utils.cli.download import NO_SPACE, STATUSES
from torchfakes_utils.io.video import write_video

from helpers.scenes import moving
from helpers.web_server import Server

ROOT = Path(__file__).parents[2]
STAND_IN = ROOT / "tests" / "helpers" / "official_script.py"
NAMES = {"original": ["000", "001", "002"], "Deepfakes": ["000_001", "001_000", "002_000"]}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")]


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory, portraits: list) -> bytes:
    path = write_video(tmp_path_factory.mktemp("v") / "a.mp4", moving(portraits[0], 3), preset="ultrafast")
    return path.read_bytes()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the script in a folder whose .venv is this environment."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / "data_download.sh", folder)
    (folder / ".venv/bin").mkdir(parents=True)
    script = folder / ".venv/bin/python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    return folder


def patch(checkout: Path, code: str) -> None:
    """Let a checkout's Python run some code of the test's first."""
    with (checkout / "sitecustomize.py").open("a") as file:
        file.write(code)
    script = checkout / ".venv/bin/python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{checkout}:$PYTHONPATH" exec "{sys.executable}" "$@"\n')


def start(checkout: Path, *arguments: object, **environment: str) -> subprocess.Popen:
    quick = {"TORCHFAKES_BACKOFF": "0", "TORCHFAKES_POLL": "0.1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        ["bash", str(checkout / "data_download.sh"), *map(str, arguments)], env=os.environ | quick | environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def call(checkout: Path, *arguments: object, **environment: str) -> tuple[int, str, str]:
    process = start(checkout, *arguments, **environment)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


# --- by itself


def test_help_names_every_exit_status(checkout: Path) -> None:
    status, text, _ = call(checkout, "--help")
    assert status == 0
    told = set(
        re.findall(r"(?:^|; |status: )(\d+) ", text.replace("\n", " ").split("Exit status")[1].replace(": 0", "; 0"))
    )
    assert told == {str(status) for status in (0, 1, NO_SPACE, 130, *STATUSES.values())}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "there is no 'nonsense' to get"),
        (["ffpp", "--methods", "Deepfake"], "there is no method 'Deepfake'"),
        (["ffpp", "--compression", "c24"], "there is no compression 'c24'"),
        (["ffpp", "--compression", "raw"], "about 500 GB.*--yes-raw"),
        (["ffpp", "--servers", "EU US"], "there is no server 'US'"),
        (["ffpp", "--num-videos", "many"], "--num-videos needs a whole number"),
        (["ffpp", "--retries", "0"], "--retries needs a whole number"),
        (["ffpp", "--script"], "--script needs a value"),
        (["ffpp", "--fast"], "has no option '--fast'"),
        (["ffpp", "a", "b"], "takes one folder"),
        (["weights", "imagenet"], "there are no weights 'imagenet'"),
        (["verify"], "verify needs a folder"),
    ],
)
def test_wrong_usage(checkout: Path, arguments: list[str], message: str) -> None:
    status, _, err = call(checkout, *arguments)
    assert status == 2
    assert re.search(message, err)
    assert len(err.strip().splitlines()) == 1


def test_shellcheck_is_content() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    result = subprocess.run(["shellcheck", str(ROOT / "data_download.sh")], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_nothing_that_the_bash_of_macos_lacks() -> None:
    code = re.sub(r"(?m)(^|\s)#.*$", "", (ROOT / "data_download.sh").read_text())
    newer = [r"declare -A", r"local -A", r"\bmapfile\b", r"\breadarray\b", r"wait -n", r"\$\{\w+,,\}", r"\$\{\w+\^\^\}",
             r"&>>", r"\bcoproc\b", r"\$\{!\w+@", r"local -n", r"sed -i", r"readlink -f", r"\bstat -c"]  # fmt: skip
    assert not [pattern for pattern in newer if re.search(pattern, code)]


# --- split files


SHA256 = {
    "train.json": "e59386911255e6fb0a79a7808ec2210536b8c0474268342694c4bca766d1b347",
    "val.json": "b48cc511f66938e05356aaa9c67e150b1e3638c355db3d745225b0022884b36e",
    "test.json": "886f5a0da623c25820692e0d8dc33d197ddb1db527a7f1cfcb9bcbca60fe4f40",
    "conversion_dict.json": "2d5e03a3d4bd47ef0e8c84881f595ca1e1ba191928fa50dcd30a470a7173612f",
}


def test_split_files_are_those_of_the_authors(checkout: Path, tmp_path: Path) -> None:
    for _ in range(2):
        status, out, _ = call(checkout, "splits", tmp_path / "ff")
        assert (status, out) == (0, f"the official split files are in {tmp_path / 'ff/splits'}\n")
    written = (tmp_path / "ff/splits").iterdir()
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in written} == SHA256


def test_split_file_of_ones_own_is_not_overwritten(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "ff/splits").mkdir(parents=True)
    (tmp_path / "ff/splits/val.json").write_text("mine")
    status, _, err = call(checkout, "splits", tmp_path / "ff")
    assert status == 7
    assert "val.json: is there, and is not the official file" in err
    assert (tmp_path / "ff/splits/val.json").read_text() == "mine"


# --- FaceForensics++


@pytest.fixture
def ff(checkout: Path, server: Server, video: bytes, tmp_path: Path) -> tuple[Path, Server]:
    """The script and a server with three originals and three Deepfakes."""
    folder = tmp_path / "checkout"
    shutil.copytree(checkout, folder)

    def answer(path: str, times: int) -> tuple[int, bytes]:
        if "/list/" in path:
            return 200, json.dumps(NAMES[path.rsplit("/", 1)[-1]]).encode()
        return 200, video

    server.answer = answer
    return folder, server


def download(ff: tuple, folder: Path, *options: object, **environment: str) -> tuple[int, str, str]:
    checkout, server = ff
    arguments = ["--methods", "original Deepfakes", "--num-videos", 3, "--script", STAND_IN, *options]
    where = {"STAND_IN_SERVER": server.url}
    return call(checkout, "ffpp", folder, *arguments, **where | environment)


def videos(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.mp4"))


EVERY = sorted(f"{name}.mp4" for names in NAMES.values() for name in names)


def test_the_whole_way(ff: tuple, tmp_path: Path) -> None:
    folder = tmp_path / "data with blanks"
    status, _out, err = download(ff, folder, "--accept-terms", "--masks")
    assert status == 0, err
    assert videos(folder) == sorted([*EVERY, *(f"{name}.mp4" for name in NAMES["Deepfakes"])])  # masks, too
    assert sorted(path.name for path in (folder / "splits").iterdir())[0] == "conversion_dict.json"
    manifest = (folder / "manifest.csv").read_text().splitlines()
    assert len(manifest) == 10
    assert not (folder / ".download.lock").exists()
    assert {path.split("/")[1] for path in ff[1].asked if "/list/" in path} == {"EU"}
    # Again: nothing is fetched twice, and the terms are remembered.
    before = len([path for path in ff[1].asked if path.endswith(".mp4")])
    assert download(ff, folder, "--masks")[0] == 0
    assert len([path for path in ff[1].asked if path.endswith(".mp4")]) == before


def test_terms_are_not_accepted_for_anybody(ff: tuple, tmp_path: Path) -> None:
    status, _, err = download(ff, tmp_path / "ff")
    assert status == 6
    assert "if you accept them: --accept-terms" in err
    assert ff[1].asked == []


def test_terms_asked_on_a_terminal(ff: tuple, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    checkout, server = ff
    for answer, expected in (("no", 6), ("yes", 0)):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            ["bash", str(checkout / "data_download.sh"), "ffpp", str(tmp_path / "ff"), "--script", str(STAND_IN),
             "--methods", "original", "--num-videos", "1"],
            stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"TORCHFAKES_POLL": "0.1", "PYTHONPATH": str(ROOT), "STAND_IN_SERVER": server.url},
        )  # fmt: skip
        os.write(ours, f"{answer}\n".encode())
        _, err = process.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
        assert process.returncode == expected, err
    assert "were accepted on 2" in (tmp_path / "ff/.terms-accepted").read_text()


@pytest.mark.parametrize("trouble", [(404, b""), (503, b""), "cut", "stall"])
def test_next_server_where_one_fails(ff: tuple, tmp_path: Path, trouble: object) -> None:
    _checkout, server = ff
    sound = server.answer
    server.answer = lambda path, times: (
        trouble if path.startswith("/EU/") and path.endswith(("001.mp4", "Deepfakes")) else sound(path, times)
    )
    status, _, err = download(ff, tmp_path / "ff", "--accept-terms", "--stall-timeout", 1)
    assert status == 0, err
    assert videos(tmp_path / "ff") == EVERY
    assert "server EU failed" in err
    assert any(path.startswith("/EU2/") for path in server.asked)
    # What EU gave was kept, and not asked for again.
    assert not any(path.startswith("/EU2/") and path.endswith("/000.mp4") for path in server.asked)


def test_no_server_has_it(ff: tuple, tmp_path: Path) -> None:
    _checkout, server = ff
    sound = server.answer
    server.answer = lambda path, times: (503, b"") if path.endswith("002.mp4") else sound(path, times)
    status, _, err = download(ff, tmp_path / "ff", "--accept-terms", "--retries", 2)
    assert status == 3
    assert "original (videos): no server gave all of it in 2 rounds (EU EU2 CA). What came is kept" in err
    assert [path.split("/")[1] for path in server.asked if path.endswith("002.mp4")] == ["EU", "EU2", "CA"] * 2
    assert videos(tmp_path / "ff") == ["000.mp4", "001.mp4"]
    server.answer = sound
    assert download(ff, tmp_path / "ff")[0] == 0
    assert videos(tmp_path / "ff") == EVERY


def test_damaged_video_is_named_and_fetched_again_if_wished(ff: tuple, tmp_path: Path) -> None:
    _checkout, server = ff
    sound = server.answer
    server.answer = lambda path, times: (200, b"<html>") if "001_000" in path and times == 1 else sound(path, times)
    status, _, err = download(ff, tmp_path / "ff", "--accept-terms")
    assert status == 1
    assert "001_000.mp4: not a video that can be read" in err
    assert not (tmp_path / "ff/.download.lock").exists()
    assert download(ff, tmp_path / "ff", "--redo-damaged")[0] == 0
    assert videos(tmp_path / "ff") == EVERY


def test_less_than_was_asked_for(ff: tuple, tmp_path: Path) -> None:
    status, _, err = download(ff, tmp_path / "ff", "--accept-terms", "--num-videos", 5)
    assert status == 1
    assert "missing: Deepfakes c23: 3 of 5 videos" in err


def test_killed_and_started_again(ff: tuple, tmp_path: Path) -> None:
    checkout, server = ff
    sound = server.answer
    server.answer = lambda path, times: "stall" if path.endswith("002.mp4") else sound(path, times)
    options = ["ffpp", tmp_path / "ff", "--methods", "original Deepfakes", "--num-videos", 3, "--script", STAND_IN]
    where = {"STAND_IN_SERVER": server.url}
    for how, expected in ((signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)):
        server.asked.clear()
        process = start(checkout, *options, "--accept-terms", **where)
        deadline = time.monotonic() + 60
        while not any(path.endswith("002.mp4") for path in server.asked) and time.monotonic() < deadline:
            time.sleep(0.05)
        other = call(checkout, *options, **where)
        assert other[0] == 5, other[2]
        assert "another download is at work there" in other[2]
        process.send_signal(how)
        process.wait(60)  # without its pipes: what SIGKILL leaves behind, the script, has them, too
        assert process.returncode == expected
        assert (tmp_path / "ff/.download.lock").exists() == (how == signal.SIGKILL)
    server.released.set()
    server.answer = sound
    status, _, err = download(ff, tmp_path / "ff")
    assert status == 0, err
    assert "taking over from a download that was killed" in err
    assert videos(tmp_path / "ff") == EVERY
    assert not [path for path in (tmp_path / "ff").rglob("tmp*") if path.is_file()]  # no halves left


def test_too_little_room(ff: tuple, tmp_path: Path) -> None:
    full = "import collections, shutil\nshutil.disk_usage = lambda _: collections.namedtuple('Usage', 'free')(1024)\n"
    patch(ff[0], full)
    status, _, err = download(ff, tmp_path / "ff", "--accept-terms", "--num-videos", 1000)
    assert status == 4
    assert "about 3400 MB are needed and 0 MB are free" in err
    assert not (tmp_path / "ff").exists()


def test_no_script(ff: tuple, tmp_path: Path) -> None:
    status, _, err = call(ff[0], "ffpp", tmp_path / "ff", "--accept-terms")
    assert status == 8
    assert "fill in the form" in err
    assert call(ff[0], "ffpp", tmp_path / "ff", "--script", tmp_path / "gone.py")[0] == 8
    assert not (tmp_path / "ff").exists()


def test_dry_run_touches_nothing(ff: tuple, tmp_path: Path) -> None:
    status, out, err = call(ff[0], "ffpp", "--dry-run", tmp_path / "ff", "--num-videos", 100, "--masks")
    assert status == 0
    assert f"{tmp_path / 'ff'} -d Deepfakes -c c23 -t masks --server EU -n 100" in out
    assert len(re.findall(r"-t videos", out)) == 5
    assert len(re.findall(r"-t masks", out)) == 4  # none of the originals
    assert "room needed: about 855 MB" in out
    assert "there is no download script yet" in err
    assert not (tmp_path / "ff").exists()
    out = call(ff[0], "ffpp", "--dry-run", "--methods", "all", "--compression", "raw")[1]
    assert "-d DeepFakeDetection_original -c raw" in out


# --- what the package does, called by the script


def test_mini_is_the_default(checkout: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkout"
    shutil.copytree(checkout, folder)
    patch(
        folder,
        "from torchfakes_utils.cli import main\n"
        "main.main = lambda argv: print(*argv) or (2 if 'broken' in argv else 0)\n",
    )
    assert call(folder)[1].strip() == f"mini {folder}/data/mini"
    assert call(folder, "mini", "x y")[1].strip() == "mini x y"
    assert call(folder, "mini", "broken")[0] == 1
    assert call(folder, "verify", "x", "--complete")[1].strip() == "verify x --complete"


def test_without_an_environment(tmp_path: Path) -> None:
    """Help and split files need Python alone; the rest says what is missing."""
    shutil.copy(ROOT / "data_download.sh", tmp_path)
    (tmp_path / "torchfakes_utils").symlink_to(ROOT / "torchfakes_utils")
    bare, old = f'exec "{sys.executable}" -S "$@"', "exit 1"
    cases = (
        ("bin/python3", bare, ["--help"], 0),
        ("bin/python3", bare, ["splits", tmp_path / "ff"], 0),
        ("bin/python3", bare, ["mini"], 2),
        ("bin/python3", old, ["mini"], 2),
        (".venv/bin/python", bare, ["mini"], 2),  # `make setup` has been stopped half way
    )
    for name, code, arguments, expected in cases:
        python = tmp_path / name
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(f"#!/bin/sh\n{code}\n")
        python.chmod(0o755)
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        status, _, err = call(tmp_path, *arguments, PATH=path, PYTHONPATH="")
        assert status == expected, err
        last = {0: "", 2: "data_download.sh: TorchFakes is not installed; run `make setup` first\n"}
        assert err == last[status]
