"""The Hub, through its real client and a stand-in server: what is published and what is not, what is fetched and what
is refused, and one clear line for everything that can go wrong on the way."""

import base64
import errno
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants

from torchfakes_utils.cli import main
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.evaluate import EvaluationConfig, evaluate
from torchfakes_utils.hub import package, transfer
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import CONFIG_FILE, WEIGHTS_FILE, Detector, DetectorConfig, load, save
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.report import write

from helpers.hub_server import GUEST, OWNER, TOKEN, Fault, serving

NAME = f"{OWNER}/mini-detector"
INFO = f"GET /api/models/{NAME}"


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def client(server, tmp_path, monkeypatch):
    """The real client, on its way to the stand-in, with an empty cache and its owner's token; what it read from the
    environment when it was imported is set as if it read it now. Its pauses between attempts are left out."""
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def small(folder, seed=0):
    torch.manual_seed(seed)
    detector = Detector(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=64, crop_size=64))).eval()
    detector.decision = Decision(0.4, 1.3, {"brightness": (100.0, None)}, ("made by hand",))
    return save(detector, folder / "best").parent


@pytest.fixture
def bare(tmp_path):
    """A run that was trained and never evaluated, with things in its folder that are nobody's business."""
    run = small(tmp_path / "runs" / "bare")
    for name in ("last.safetensors", "history.csv", "config.json", "best/notes.txt", ".env"):
        (run / name).write_text("private")
    return run


@pytest.fixture(scope="module")
def evaluated(tiny_faces, tmp_path_factory):
    run = small(tmp_path_factory.mktemp("runs") / "mine", seed=1)
    write.write(run, evaluate(run, tiny_faces / "faces.csv", EvaluationConfig(replicates=20)))
    return run


def contents(run):
    """The files of a detector, as a repository would hold them."""
    return {path.name: path.read_bytes() for path in (run / "best").iterdir() if path.suffix != ".txt"}


def published(server, branch="main"):
    repository = server.repositories[NAME]
    files = dict(repository.commits[repository.branches[branch]])
    files.pop(".gitattributes", None)
    return files


def probabilities(folder):
    crops = torch.randint(0, 256, (4, 3, 64, 64), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    return load(folder).probability(crops)


def fails(call, *arguments, **options):
    """The one line that a call ends with."""
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def cached_files(tmp_path):
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and ".locks" not in path.parts]


# --- there and back


def test_what_is_pushed_comes_back_the_same(evaluated, server):
    pushed = transfer.push(evaluated, NAME, message="first")
    assert set(published(server)) == set(package.FILES) == set(pushed.files)
    assert (pushed.url, pushed.notes, pushed.private) == (f"{server.url}/{NAME}", [], True)
    assert server.repositories[NAME].private and server.repositories[NAME].titles[-1] == "first"
    folder = transfer.pull(NAME)
    assert folder.name == pushed.commit == server.repositories[NAME].branches["main"]
    assert {path.name for path in folder.iterdir()} == set(transfer.PULLED) == set(package.FILES) - {"report.html"}
    assert (folder / WEIGHTS_FILE).read_bytes() == (evaluated / "best" / WEIGHTS_FILE).read_bytes()
    assert (folder / "README.md").read_bytes() == (evaluated / "best" / "README.md").read_bytes()
    assert load(folder).decision == load(evaluated).decision
    assert torch.equal(probabilities(folder), probabilities(evaluated))


def test_nothing_but_the_listed_files_leaves_the_machine(bare, server):
    pushed = transfer.push(bare, NAME)
    assert set(published(server)) == {CONFIG_FILE, WEIGHTS_FILE, "README.md"} == set(pushed.files)
    assert b"private" not in b"".join(published(server).values())
    assert (bare / "best" / "README.md").exists() is False, "the run is as it was"


def test_a_detector_that_was_never_evaluated_says_so_in_its_card(bare, server):
    (note,) = transfer.push(bare, NAME).notes
    assert "never evaluated" in note and "torchfakes evaluate" in note
    card = huggingface_hub.ModelCard(published(server)["README.md"].decode())
    assert "never evaluated" in card.text and "Meso4 at 64 px" in card.text and "0.400" in card.text
    assert card.data.library_name == "torchfakes" and card.data.eval_results is None


def test_no_face_and_no_clips_name_is_published(evaluated, tiny_faces, server):
    transfer.push(evaluated, NAME)
    files = published(server)
    own = json.loads((evaluated / "report.json").read_text())
    theirs = json.loads(files["report.json"])
    assert own["mistakes"] and "data:image/jpeg" in (evaluated / "report.html").read_text(), "else nothing is tested"
    assert [one["probability_fake"] for one in theirs["mistakes"]] == [
        one["probability_fake"] for one in own["mistakes"]
    ]
    assert {one["clip_id"] for one in theirs["mistakes"]} == {""}
    assert theirs | {"mistakes": []} == own | {"mistakes": []}
    page = files["report.html"].decode()
    figures = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    assert figures and "image/jpeg" not in page and "Left out" in page and "By manipulation" in page
    text = re.sub(r"data:[^\"]+", "", page) + "".join(base64.b64decode(figure).decode() for figure in figures)
    for clip in {one["clip_id"] for one in own["mistakes"] if "_" in one["clip_id"]}:
        assert clip not in text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("at /home/ada/data/faces.csv, twice", "at faces.csv, twice"),
        ('{"weights": "/mnt/big disk/x.pt"}', '{"weights": "/mnt/big disk/x.pt"}'.replace("/mnt/big", "big")),
        (r'{"weights": "C:\\Users\\ada\\x.pt"}', '{"weights": "x.pt"}'),
        (r"C:\Users\ada\x.pt or \\server\share\x.pt", "x.pt or x.pt"),
        ("file:///Users/ada/x.mp4", "x.mp4"),
        ("read=/root/x.mp4;/tmp/y", "read=x.mp4;y"),
        ("<td>0.5</td><br/> 3/4, AUC / loss, mistakes/01.jpg", None),
        ("see https://example.org/a/b/c or ../docs/x.md or ~/x", None),
        ("data:image/svg+xml;base64,AA+/b/c/d==", None),
    ],
)
def test_paths_of_a_machine_are_shortened_and_nothing_else(text, clean):
    found, count = package.without_paths(text)
    assert found == (text if clean is None else clean)
    assert (count == 0) == (clean is None)


def test_paths_in_a_description_are_not_published(bare, server):
    path = bare / "best" / CONFIG_FILE
    described = json.loads(path.read_text())
    described["extra"] = {"run": {"weights": "/home/ada/secret project/vgg.pt", "data": str(bare)}}
    path.write_text(json.dumps(described))
    notes = transfer.push(bare, NAME).notes
    assert any(CONFIG_FILE in note and "2 paths" in note for note in notes)
    everything = b"".join(published(server).values())
    assert b"/home/ada" not in everything and str(bare.parent).encode() not in everything
    assert torch.equal(probabilities(transfer.pull(NAME)), probabilities(bare))


def test_a_report_about_other_weights_is_refused(evaluated, tmp_path, server):
    run = tmp_path / "run"
    shutil.copytree(evaluated, run)
    small(run, seed=5)
    assert "measured with other weights" in fails(transfer.push, run, NAME)
    assert server.requests == [], "found out before anything was sent"


def test_a_second_push_replaces_the_first_and_takes_back_its_report(evaluated, bare, server):
    first = transfer.push(evaluated, NAME)
    again = transfer.push(evaluated, NAME)
    assert published(server)["report.json"]
    second = transfer.push(bare, NAME)
    assert len({first.commit, again.commit, second.commit}) == 3
    assert set(published(server)) == {CONFIG_FILE, WEIGHTS_FILE, "README.md"}
    assert torch.equal(probabilities(transfer.pull(NAME)), probabilities(bare))
    pinned = transfer.pull(NAME, first.commit)
    assert torch.equal(probabilities(pinned), probabilities(evaluated))


def test_private_unless_said_otherwise(bare, server):
    assert not transfer.push(bare, f"{OWNER}/open", private=False).private
    assert not server.repositories[f"{OWNER}/open"].private
    before = len(server.repositories[f"{OWNER}/open"].commits)
    assert "public; say --public" in fails(transfer.push, bare, f"{OWNER}/open")
    assert len(server.repositories[f"{OWNER}/open"].commits) == before
    assert transfer.push(bare, NAME).private
    pushed = transfer.push(bare, NAME, private=False)
    assert pushed.private and any("stays private" in note for note in pushed.notes)


def test_a_branch_is_made_and_pulled(evaluated, bare, server):
    transfer.push(evaluated, NAME)
    transfer.push(bare, NAME, revision="trial")
    assert torch.equal(probabilities(transfer.pull(NAME, "trial")), probabilities(bare))
    assert torch.equal(probabilities(transfer.pull(NAME)), probabilities(evaluated))
    assert "report.json" not in published(server, "trial")


# --- the cache, copies, addresses


def test_a_commit_in_the_cache_needs_no_hub(bare, server):
    commit = transfer.push(bare, NAME).commit
    folder = transfer.pull(NAME)
    server.requests.clear()
    assert transfer.pull(NAME, commit) == folder
    assert server.requests == []
    server.requests.clear()
    assert transfer.pull(NAME) == folder
    assert server.seen("^GET .*resolve") == [], "asked for news, and fetched nothing again"


def test_offline_the_cache_answers(bare, server, monkeypatch, caplog):
    transfer.push(bare, NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in fails(transfer.pull, NAME)
    assert "HF_HUB_OFFLINE" in fails(transfer.push, bare, NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    folder = transfer.pull(NAME)
    for fault in (Fault("^GET /api", 503), Fault("^GET /api", body=b"<html>a captive portal</html>")):
        server.faults[:] = [fault]
        assert transfer.pull(NAME) == folder
        assert f"commit {folder.name} from the cache" in caplog.text
        caplog.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert transfer.pull(NAME) == folder


def test_a_clear_no_is_not_answered_from_the_cache(bare, server):
    transfer.push(bare, NAME)
    transfer.pull(NAME)
    del server.repositories[NAME]
    assert "no such repository" in fails(transfer.pull, NAME)


def test_a_copy_is_whole_or_not_there(evaluated, bare, tmp_path, server, monkeypatch):
    transfer.push(evaluated, NAME)
    out = tmp_path / "copy"
    assert transfer.pull(NAME, out=out) == out
    assert sorted(path.name for path in out.iterdir()) == sorted(transfer.PULLED)
    assert not any(path.is_symlink() for path in out.iterdir())
    assert torch.equal(probabilities(out), probabilities(evaluated))
    assert transfer.pull(NAME, out=out) == out, "again"
    transfer.push(bare, NAME)
    assert "holds another detector" in fails(transfer.pull, NAME, out=out)
    assert "holds a training run" in fails(transfer.pull, NAME, out=bare)
    assert torch.equal(probabilities(out), probabilities(evaluated))

    def full(source, target):
        Path(target).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    assert "No space left" in fails(transfer.pull, NAME, out=tmp_path / "second")
    assert list((tmp_path / "second").iterdir()) == []


def test_an_address_stands_for_a_run(evaluated, tmp_path, server, caplog):
    commit = transfer.push(evaluated, NAME).commit
    folder = transfer.resolve(f"hf://{NAME}")
    assert folder.name == commit
    assert transfer.resolve(f"hf://{NAME}@{commit}") == transfer.resolve(Path(f"hf://{NAME}@main")) == folder
    work = transfer.resolve(f"hf://{NAME}", tmp_path / "work")
    assert work == tmp_path / "work" / f"{OWNER}--mini-detector-{commit[:12]}"
    assert commit in caplog.text
    (work / "report.html").write_text("measured here")
    (work / "README.md").write_text("measured here, too")
    assert transfer.resolve(f"hf://{NAME}", tmp_path / "work") == work
    assert (work / "report.html").read_text() + (work / "README.md").read_text() == "measured heremeasured here, too"


@pytest.mark.parametrize("path", ["runs/mini", "/data/runs/mini", "hf", "runs/hf:x", "run@2"])
def test_a_path_passes_through_untouched(path, server):
    assert transfer.resolve(path) == transfer.resolve(Path(path)) == Path(path)
    assert server.requests == []


def test_a_path_needs_no_client_of_the_hub():
    program = (
        "import sys; from torchfakes_utils.hub import transfer; transfer.resolve('runs/mini'); "
        "sys.exit('huggingface_hub' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    "name",
    ["mini", "", "a/b/c", "../x", "ada/..", "ada/../../x", "ada/x y", "ada/", "/x", "ada/a--b", "ada/x.git", "ada/é",
     "https://huggingface.co/ada/x", "ada/" + "x" * 200, "ada/x\n"],
)  # fmt: skip
def test_wrong_names_are_not_asked_for(name, bare, server):
    for call in (
        lambda: transfer.pull(name),
        lambda: transfer.push(bare, name),
        lambda: transfer.resolve(f"hf://{name}"),
    ):
        assert "owner/name" in fails(call)
    assert server.requests == []


def test_an_address_is_pulled_as_a_name_with_its_revision(monkeypatch, bare):
    asked = []
    monkeypatch.setattr(transfer, "_fetch", lambda *words: asked.append(words) or bare)
    transfer.pull("hf://ada/x@abc"), transfer.pull("hf://ada/x"), transfer.pull("hf://ada/x@abc", "def")
    assert asked == [("ada/x", "abc"), ("ada/x", None), ("ada/x", "def")]


@pytest.mark.parametrize("revision", ["", "../../x", "a b", "/etc/passwd", "-x", "x@y"])
def test_wrong_revisions_are_not_asked_for(revision, server):
    assert "is no revision" in fails(transfer.pull, NAME, revision)
    assert "is no revision" in fails(transfer.resolve, f"hf://{NAME}@{revision}")
    assert server.requests == []


# --- what is not trusted


def test_tampered_weights_are_refused(bare, tmp_path, server):
    files = contents(bare)
    weights = bytearray(files[WEIGHTS_FILE])
    weights[-3] ^= 1
    server.add(NAME, files | {WEIGHTS_FILE: bytes(weights)})
    line = fails(transfer.pull, NAME, out=tmp_path / "out")
    assert "is refused" in line and "SHA-256" in line and "tell its owner" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("description", [b"{}", b"[1]", b"not JSON", b'{"format": 99, "preprocessing_version": 1}'])
def test_a_description_of_something_else_is_refused(description, bare, server):
    server.add(NAME, contents(bare) | {CONFIG_FILE: description})
    assert "is refused" in fails(transfer.pull, NAME)


def test_pickles_are_never_fetched(bare, tmp_path, server):
    bomb = {"pytorch_model.bin": b"\x80\x04cos\nsystem\n", "detector.pkl": b"x", "modeling.py": b"raise SystemExit"}
    server.add(NAME, bomb | {CONFIG_FILE: b"{}"})
    line = fails(transfer.pull, NAME)
    assert "pickled" in line and "run code" in line and WEIGHTS_FILE in line
    # Beside sound weights they are left where they are.
    server.add(NAME, contents(bare) | bomb)
    assert sorted(path.name for path in transfer.pull(NAME).iterdir()) == sorted([CONFIG_FILE, WEIGHTS_FILE])
    assert server.seen(r"\.bin|\.pkl|\.py") == []


@pytest.mark.parametrize("missing", [CONFIG_FILE, WEIGHTS_FILE])
def test_a_repository_of_something_else_is_refused(missing, bare, server):
    files = contents(bare)
    del files[missing]
    server.add(NAME, files)
    assert f"holds no {missing}" in fails(transfer.pull, NAME)
    assert server.seen("resolve") == []


@pytest.mark.parametrize(
    ("file", "size"), [(WEIGHTS_FILE, 10**13), (CONFIG_FILE, 10**8), ("README.md", 10**9), (WEIGHTS_FILE, None)]
)
def test_absurd_sizes_are_refused_before_anything_is_fetched(file, size, bare, server):
    server.add(NAME, contents(bare) | {"README.md": b"---\n---\n"}).claimed_sizes = {file: size}
    line = fails(transfer.pull, NAME)
    assert f"{file} is " in line and "MB" in line
    assert server.seen("resolve|storage") == []


def test_names_that_lead_out_of_the_folder_are_never_written(bare, tmp_path, server):
    up = "../"
    traps = (f"{up * 2}trap", f"{up * 9}tmp/trap", "/trap", f"a/{up * 2}trap", "..\\trap", "best/trap", "trap/x.bin")
    server.add(NAME, contents(bare) | dict.fromkeys(traps, b"caught"))
    folder = transfer.pull(NAME, out=tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir()) == sorted([CONFIG_FILE, WEIGHTS_FILE])
    assert server.seen("trap") == []
    assert not [path for path in tmp_path.rglob("*") if "trap" in path.name]


def test_a_commit_that_is_none_is_not_made_a_path(bare, tmp_path, server):
    repository = server.add(NAME, contents(bare))
    repository.commits["../../../trap"] = repository.commits[repository.branches["main"]]
    repository.branches["main"] = "../../../trap"
    assert "names no commit" in fails(transfer.pull, NAME)
    assert cached_files(tmp_path) == []


def test_a_repository_that_changes_meanwhile_is_looked_at_again(bare, server, monkeypatch):
    transfer.push(bare, NAME)
    real = transfer._wanted

    def changing(name, info):
        server.repositories[NAME].commit(published(server), title="quickly")
        return real(name, info)

    monkeypatch.setattr(transfer, "_wanted", changing)
    assert "changed just now" in fails(transfer.pull, NAME)
    monkeypatch.setattr(transfer, "_wanted", real)
    assert transfer.pull(NAME).name == server.repositories[NAME].branches["main"]


# --- what goes wrong on the way


def test_to_push_takes_a_token(bare, server, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    line = fails(transfer.push, bare, NAME)
    assert "hf auth login" in line and "HF_TOKEN" in line
    assert server.requests == []


def test_a_public_detector_takes_no_token(bare, server, monkeypatch):
    transfer.push(bare, NAME, private=False)
    transfer.push(bare, f"{OWNER}/hidden")
    monkeypatch.delenv("HF_TOKEN")
    assert torch.equal(probabilities(transfer.pull(NAME)), probabilities(bare))
    line = fails(transfer.pull, f"{OWNER}/hidden")
    assert "private one" in line and "hf auth login" in line


def test_a_token_that_is_wrong_or_somebody_elses(bare, server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    for call in (lambda: transfer.push(bare, NAME), lambda: transfer.pull(NAME)):
        line = fails(call)
        assert "does not let you in (401" in line and "hf auth login" in line and "hf_wrong" not in line
    monkeypatch.setenv("HF_TOKEN", GUEST)
    assert "(403: You don't have the rights" in fails(transfer.push, bare, NAME)
    server.add(NAME, contents(bare))
    assert "(403: You need write access" in fails(transfer.push, bare, NAME, private=False)
    assert len(server.repositories[NAME].commits) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(INFO, 401), "does not let you in (401)"),
        (Fault(INFO, 401, "RepoNotFound"), "no such repository on the Hub, or a private one"),
        (Fault(INFO, 403, "GatedRepo", "ask for access"), "forbids it (403: ask for access)"),
        (Fault(INFO, 404, "RepoNotFound"), "no such repository"),
        (Fault(INFO, 404), "(404)"),
        (Fault(INFO, 429), "wait some minutes"),
        (Fault(INFO, 500, message="out of order"), "trouble of its own (500: out of order)"),
        (Fault(INFO, 418, message="a teapot"), "refuses this (418: a teapot)"),
        (Fault(INFO, body=b"<html>"), "that failed"),
        (Fault(INFO, body=b"[]"), "that failed"),
        (Fault(INFO, silent=True), "did not answer in time"),
        (Fault(INFO, keep=0.5), "that failed"),
        (Fault("HEAD .*/resolve/", 503), "(503)"),
        (Fault("HEAD .*safetensors", 404, "EntryNotFound"), "(404"),
        (Fault("GET /storage/", 403), "(403"),
        (Fault("GET /storage/", 500), "(500"),
        (Fault("GET /storage/", keep=0.5), "that failed"),
        (Fault("GET /storage/", body=b"short"), "that failed"),
        (Fault("GET .*detector.json", body=b"{}"), "that failed"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else None,
)
def test_every_fault_of_a_pull_is_one_line_and_leaves_nothing_behind(fault, words, bare, tmp_path, server, monkeypatch):
    monkeypatch.setattr(transfer, "TIMEOUT", 0.3)
    server.add(NAME, contents(bare))
    server.faults.append(fault)
    line = fails(transfer.pull, NAME)
    assert words in line and line.startswith(f"{NAME}: ")
    assert not [path for path in cached_files(tmp_path) if path.name == WEIGHTS_FILE or "incomplete" in path.name]
    server.faults.clear()
    assert torch.equal(probabilities(transfer.pull(NAME)), probabilities(bare)), "again, it goes well"


def test_a_download_that_breaks_off_once_goes_on(bare, server):
    server.add(NAME, contents(bare))
    server.faults.append(Fault("GET /storage/", keep=0.5, times=1))
    assert torch.equal(probabilities(transfer.pull(NAME)), probabilities(bare))
    assert len(server.seen("GET /storage/")) == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(INFO, silent=True), "did not answer in time"),
        (Fault("POST /api/repos/create", 500), "(500)"),
        (Fault("POST /api/repos/create", 402, message="private storage is full"), "402: private storage is full"),
        (Fault("validate-yaml", 400), "refuses this (400: Invalid metadata in README.md"),
        (Fault("preupload", 403, message="read-only token"), "(403: read-only token)"),
        (Fault("preupload", 503), "(503)"),
        (Fault("objects/batch", 500), "(500)"),
        (Fault("PUT /storage/", 500), "(500)"),
        (Fault("PUT /storage/", 403), "(403"),
        (Fault("POST .*/commit/", 409, message="the branch has moved"), "(409: the branch has moved); try again"),
        (Fault("POST .*/commit/", 413), "refuses this (413)"),
        (Fault("POST .*/commit/", 500), "(500)"),
        (Fault("POST .*/commit/", keep=0.3), "that failed"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else None,
)
def test_every_fault_of_a_push_is_one_line(fault, words, bare, server, monkeypatch):
    monkeypatch.setattr(transfer, "TIMEOUT", 0.3)
    server.faults.append(fault)
    line = fails(transfer.push, bare, NAME)
    assert words in line and line.startswith(f"{NAME}: ") and TOKEN not in line
    server.faults.clear()
    assert transfer.push(bare, NAME).private
    assert set(published(server)) == {CONFIG_FILE, WEIGHTS_FILE, "README.md"}


def test_no_connection_is_one_line(bare, monkeypatch):
    with serving() as closed:
        pass  # nobody listens at its port any more
    monkeypatch.setattr(constants, "ENDPOINT", closed.url)
    for call in (lambda: transfer.pull(NAME), lambda: transfer.push(bare, NAME)):
        assert "cannot be reached (Connection refused)" in fails(call)

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(constants, "ENDPOINT", "http://nowhere.invalid")
    assert "cannot be reached (Name or service not known)" in fails(transfer.pull, NAME)


@pytest.mark.parametrize("when", ["makedirs", "write"])
def test_a_full_disk_while_pulling_is_one_line(when, bare, tmp_path, server, monkeypatch):
    server.add(NAME, contents(bare))
    real = Path.open

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def tell(self):
            return 0

        def write(self, data):
            self.file.write(data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")

    def opened(path, mode="r", *rest, **options):
        file = real(path, mode, *rest, **options)
        return Full(file) if mode == "wb" and "incomplete" in path.name else file

    def refused(path, *rest, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        if when == "write":
            patched.setattr(Path, "open", opened)
        else:
            patched.setattr(os, "makedirs", refused)
        line = fails(transfer.pull, NAME)
    assert "cache cannot be written (No space left on device)" in line and "HF_HOME" in line
    assert not [path for path in cached_files(tmp_path) if "incomplete" in path.name]
    assert torch.equal(probabilities(transfer.pull(NAME)), probabilities(bare)), "again, with room"


def test_nothing_to_push(tmp_path, bare, server):
    assert "no detector here" in fails(transfer.push, tmp_path / "nothing", NAME)
    (bare / "best" / WEIGHTS_FILE).write_bytes(b"changed")
    assert "damaged or changed" in fails(transfer.push, bare, NAME)
    assert server.requests == []


# --- the command


@pytest.mark.slow
def test_the_command_pushes_and_pulls_as_a_user_does_it(evaluated, tmp_path, server):
    environment = os.environ | {
        "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
    }  # fmt: skip
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH"):
        environment.pop(variable, None)

    def run(*arguments, **changed):
        command = [sys.executable, "-m", "torchfakes_utils", *map(str, arguments)]
        return subprocess.run(command, env=environment | changed, capture_output=True, text=True, cwd=tmp_path)

    result = run("push", evaluated, NAME, "--message", "by hand", "--json")
    assert result.returncode == 0, result.stderr
    (pushed,) = map(json.loads, result.stdout.splitlines())
    assert pushed["commit"] == server.repositories[NAME].branches["main"] and pushed["private"] is True
    result = run("pull", NAME, "--revision", pushed["commit"], "--out", "mine", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {"name": NAME, "commit": pushed["commit"], "folder": "mine"}
    assert torch.equal(probabilities(tmp_path / "mine"), probabilities(evaluated))
    result = run("push", evaluated, NAME, HF_TOKEN="")
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and "hf auth login" in result.stderr


def test_commands_take_an_address_for_a_run(evaluated, tiny_faces, tmp_path, server, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commit = transfer.push(evaluated, NAME).commit
    asked = []
    monkeypatch.setitem(main._COMMANDS, "predict", lambda args, output: asked.append(args.run_folder) or 0)
    assert main.main(["predict", f"hf://{NAME}@{commit}", "photo.jpg"]) == 0
    assert main.main(["predict", "runs/mini", "photo.jpg"]) == 0
    assert asked[0].name == commit and asked[0].is_relative_to(tmp_path / "cache")
    assert asked[1] == Path("runs/mini")
    transfer.pull(NAME)
    before = {path: path.read_bytes() for path in cached_files(tmp_path)}
    assert main.main(["evaluate", f"hf://{NAME}", str(tiny_faces / "faces.csv"), "--replicates", "20"]) == 0
    work = Path("runs") / f"{OWNER}--mini-detector-{commit[:12]}"
    assert (work / "report.html").is_file() and str(work) in capsys.readouterr().out
    assert {path: path.read_bytes() for path in cached_files(tmp_path)} == before, "nothing is written into the cache"


def test_the_command_says_what_was_pushed_and_pulled(bare, server, capsys):
    assert main.main(["push", str(bare), NAME, "--public"]) == 0
    shown = capsys.readouterr()
    commit = server.repositories[NAME].branches["main"]
    assert f"{server.url}/{NAME} (public)" in shown.out and f"hf://{NAME}@{commit}" in shown.out
    assert "never evaluated" in shown.err
    assert main.main(["pull", NAME]) == 0
    assert f"{NAME} at commit {commit} is in " in capsys.readouterr().out
    assert main.main(["pull", f"{OWNER}/nothing"]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and "no such repository" in shown.err
