"""The folder for Hugging Face Spaces starts by itself, with its own copy of the program, and says what it holds."""

import contextlib
import itertools
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from torchfakes_utils.app import examples
from torchfakes_utils.app import space as app_space
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.video import frame_times
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import DetectorConfig, load_detector, save
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.stored import store_decision

from helpers.app import client, free_port, started
from helpers.decisions import answering
from helpers.detectors import opinionated

pytestmark = pytest.mark.slow

# What the Hub puts into a new one.
NEW_SPACE = """---
title: Mine
emoji: 🐢
sdk: gradio
app_file: app.py
---

Check out the configuration reference at https://huggingface.co/docs/hub/spaces-config-reference
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    torch.manual_seed(0)
    detector = opinionated(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=64, crop_size=64)))
    detector.decision = answering(0.05)
    return save(detector, tmp_path_factory.mktemp("run") / "best").parent


@pytest.fixture(scope="module")
def mini(tmp_path_factory, tiny_ffpp):
    """What of a Mini-FF++ folder the examples are made from."""
    root = tmp_path_factory.mktemp("mini") / "mini"
    shutil.copytree(tiny_ffpp, root)
    shutil.copytree(root / "manipulated_sequences/FaceSwap", root / "manipulated_sequences/NeuralTextures")
    people = [{"id": f"00{one}", "partner": f"00{one ^ 1}", "split": "test" if one > 3 else "train", "blur": ""}
              for one in range(6)]  # fmt: skip
    (root / "mini.json").write_text(json.dumps({"people": people}))
    return root


@pytest.fixture(scope="module")
def space(run, mini, tmp_path_factory):
    out = tmp_path_factory.mktemp("spaces") / "space"
    app_space.build(run, out, mini)
    return out


def test_it_starts_from_within_its_folder_and_answers(space, tmp_path, monkeypatch):
    from gradio_client import handle_file

    port = free_port()
    monkeypatch.setenv("GRADIO_SERVER_PORT", str(port))
    monkeypatch.delenv("SPACE_ID", raising=False)
    where = [sys.executable, "-c", "import torchfakes_utils; print(torchfakes_utils.__file__)"]
    found = subprocess.run(where, cwd=space, capture_output=True, text=True, check=True).stdout.strip()
    assert found == str(space / "torchfakes_utils" / "__init__.py"), "its own copy of the program"
    with started([sys.executable, "app.py"], tmp_path, cwd=space) as served:
        assert served.url == f"http://127.0.0.1:{port}/"
        connection = client(served.url)
        photo = connection.predict(handle_file(str(space / "examples/photo-0.jpg")), api_name="/judge_photo")
        clip = connection.predict(handle_file(str(space / "examples/video-1.mp4")), 4, api_name="/judge_video")
        assert (photo["verdict"], photo["kind"], clip["verdict"], clip["kind"]) == ("fake", "photo", "fake", "video")
        assert len(clip["faces"][0]["frames"]) == 4
    assert list((tmp_path / "tmp").iterdir()) == []


def test_its_readme_says_what_speaks_against_the_detector(space, mini, tmp_path):
    detector = Path(shutil.copytree(space / "detector", tmp_path / "detector"))
    assert "Caution" not in (space / "README.md").read_text(encoding="utf-8")
    store_decision(detector, Decision(caution="it is a coin"))
    app_space.build(detector, tmp_path / "space", mini)
    assert "\n**Caution**: it is a coin.\n" in (tmp_path / "space/README.md").read_text(encoding="utf-8")


def test_its_face_is_what_spaces_ask_for(space, run):
    from huggingface_hub import SpaceCard

    card = SpaceCard.load(space / "README.md")
    front, text = card.data.to_dict(), card.text
    assert front["sdk"] == "gradio" and front["app_file"] == "app.py" and (space / front["app_file"]).is_file()
    assert len(front["short_description"]) <= 60 and front["license"] == "other" and front["license_name"]
    pins = dict(line.split("==") for line in (space / "requirements.txt").read_text().splitlines())
    assert front["sdk_version"] == pins["gradio"] and front["python_version"] == "{}.{}".format(*sys.version_info)
    assert load_detector(run).sha256[:12] in text and "Meso4 at 64 px" in text
    assert "safetensors filter=lfs" in (space / ".gitattributes").read_text()
    assert "MIT License" in (space / "LICENSE").read_text()


def test_behind_the_proxy_of_spaces_it_is_reached_by_its_own_name(space, tmp_path, monkeypatch):
    def page(**headers):
        asked = urllib.request.Request(served.url, headers={name.replace("_", "-"): of for name, of in headers.items()})
        try:
            with urllib.request.urlopen(asked, timeout=60) as reply:
                return reply.status, reply.read().decode(), reply.headers["content-security-policy"]
        except urllib.error.HTTPError as error:
            return error.code, "", ""

    port = free_port()
    monkeypatch.setenv("GRADIO_SERVER_PORT", str(port))
    monkeypatch.setenv("SPACE_ID", "me/it")
    with started([sys.executable, "app.py"], tmp_path, cwd=space) as served:
        asking = {"Host": "me-it.hf.space", "Origin": "https://me-it.hf.space", "X_Forwarded_Proto": "https"}
        status, text, policy = page(**asking)
        assert status == 200 and '"root":"https://me-it.hf.space"' in text
        assert "https://huggingface.co" in policy.partition("frame-ancestors")[2]
        assert page(**asking | {"Origin": "https://evil.example"})[0] == 403
        assert page(Host="evil.example")[0] == 403


def test_it_asks_for_what_the_app_needs_in_the_versions_that_are_here():
    import gradio

    lines = app_space.requirements()
    names = [line.partition("==")[0].lower() for line in lines]
    assert {"torch", "gradio", "facenet-pytorch", "av", "jinja2"} <= set(names) and len(names) == len(set(names))
    assert not {"pytest", "jupyterlab", "onnx", "executorch", "dask", "wandb"} & set(names)
    assert f"gradio=={gradio.__version__}" in lines and not [line for line in lines if "+" in line]


def test_nothing_of_the_course_or_of_this_machine_goes_along(space, run):
    assert {path.name for path in space.iterdir()} == {
        ".gitattributes", "LICENSE", "README.md", "app.py", "detector", "examples", "requirements.txt",
        "torchfakes.json", "torchfakes_utils",
    }  # fmt: skip
    names = {path.name for path in space.rglob("*")}
    assert not {"course", "__pycache__", "scores.csv", "mistakes"} & names
    for path in space.rglob("*"):
        if path.suffix in (".json", ".md", ".txt") or path.name == "app.py":
            assert str(run) not in path.read_text() and str(space) not in path.read_text()


def test_again_takes_its_own_place_and_leaves_what_is_not_its_own(run, mini, tmp_path):
    out = tmp_path / "space"
    out.mkdir()
    (out / ".git").mkdir()
    (out / "README.md").write_text(NEW_SPACE)
    (out / ".gitattributes").write_text("*.7z filter=lfs diff=lfs merge=lfs -text\n" * 3)
    app_space.build(run, out, mini)
    (out / "examples" / "old.jpg").touch()
    (out / "notes.txt").write_text("mine")
    (out / "requirements.txt").write_text("changed")
    app_space.build(run, out, mini)
    assert (out / "examples" / "old.jpg").exists() and "torch==" in (out / "requirements.txt").read_text()
    assert (out / ".git").is_dir() and (out / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["space"], "nothing is left beside it"


def test_a_folder_of_something_else_is_left_alone(run, mini, tmp_path):
    (tmp_path / "thesis.tex").write_text("all my work")
    with pytest.raises(InputError, match="holds other things than a Space"):
        app_space.build(run, tmp_path, mini)
    with pytest.raises(InputError, match="a file; choose another folder"):
        app_space.build(run, tmp_path / "thesis.tex", mini)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    (tmp_path / "repository").mkdir()
    for name in ("README.md", ".gitattributes"):
        (tmp_path / "repository" / name).write_text("all my words")
        with pytest.raises(InputError, match="holds other things than a Space"):
            app_space.build(run, tmp_path / "repository", mini)
        assert (tmp_path / "repository" / name).read_text() == "all my words"


@pytest.mark.parametrize(
    ("run_name", "data", "words"), [("nothing", None, "no detector"), (None, "nothing", "no Mini-FF")]
)
def test_what_is_missing_is_said_and_nothing_is_left(run, tmp_path, run_name, data, words):
    out = tmp_path / "out" / "space"
    with pytest.raises(InputError, match=words) as caught:
        app_space.build(tmp_path / run_name if run_name else run, out, data and tmp_path / data)
    assert "\n" not in str(caught.value) and not list(tmp_path.rglob("*.safetensors")) and not out.exists()


# The examples


FIRST = ("Real", "Fake (Deepfakes)")


def test_ten_people_are_ten_even_where_there_are_six(mini, tmp_path):
    examples.make_examples(mini, tmp_path)
    crowd = np.asarray(Image.open(tmp_path / "photo-4.jpg")).astype(int)
    assert crowd.shape == (2 * 192, 5 * 192, 3)
    parts = [crowd[top : top + 192, left : left + 192] for top in (0, 192) for left in range(0, 960, 192)]
    apart = [np.abs(one - other).mean() for one, other in itertools.combinations(parts, 2)]
    assert len(parts) == 10 and min(apart) > 2, "no picture twice"


def test_examples_are_what_their_labels_say(mini, tmp_path):
    listed = examples.make_examples(mini, tmp_path / "examples")
    assert [(one.kind, one.label) for one in listed] == [
        ("photo", "Real"), ("photo", "Fake (Deepfakes)"), ("photo", "Fake (NeuralTextures)"),
        ("photo", "Real, but too dark"), ("photo", "Ten people, all real"), ("photo", "Real, at 80% of its size"),
        ("photo", "Real, at 100% of its size"), ("photo", "Real, at 125% of its size"), ("video", "Real"),
        ("video", "Fake (Deepfakes)"), ("video", "Fake (NeuralTextures)"),
        ("video", "One minute, real and fake by turns"),
    ]  # fmt: skip
    folder = tmp_path / "examples"
    real, deepfake = (folder / one.file for one in listed if one.kind == "video" and one.label in FIRST)
    # Of the test split, which the detector was not trained on, and of two people.
    assert real.read_bytes() == (mini / "original_sequences/youtube/c23/videos/004.mp4").read_bytes()
    assert deepfake.read_bytes() == (mini / "manipulated_sequences/Deepfakes/c23/videos/005_004.mp4").read_bytes()
    light = {one.label: np.asarray(Image.open(folder / one.file)).mean() for one in listed if one.kind == "photo"}
    assert light["Real, but too dark"] < 0.2 * light["Real"]
    assert [Image.open(folder / f"photo-{number}.jpg").size[0] for number in (5, 6, 7)] == [154, 192, 240]
    assert frame_times(folder / "video-3.mp4")[-1] == pytest.approx(60, abs=1)
    for one in listed:
        assert max(Image.open(folder / one.thumbnail).size) <= 160


def test_examples_are_copied_by_their_list(mini, tmp_path):
    listed = examples.make_examples(mini, tmp_path / "one")
    (tmp_path / "one" / "secret.txt").write_text("not an example")
    (tmp_path / "two").mkdir()
    assert examples.put_examples(tmp_path / "one", tmp_path / "two") == listed
    names = {path.name for path in (tmp_path / "two").iterdir()}
    assert names == {name for one in listed for name in (one.file, one.thumbnail)}


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "below/secret.txt", "..", ".", "", "link.jpg", 3])
@pytest.mark.parametrize("field", ["file", "thumbnail"])
def test_a_strangers_list_shows_nobody_what_lies_elsewhere(tmp_path, name, field):
    (tmp_path / "secret.txt").write_text("secret")
    source, out = tmp_path / "run" / "examples", tmp_path / "out"
    (source / "below").mkdir(parents=True)
    out.mkdir()
    (source / "below" / "secret.txt").write_text("secret")
    Image.new("RGB", (8, 8)).save(source / "fine.jpg")
    (source / "link.jpg").symlink_to(tmp_path / "secret.txt")
    one = {"kind": "photo", "label": "x", "file": "fine.jpg", "thumbnail": "fine.jpg"} | {field: name}
    (source / "examples.json").write_text(json.dumps([one]))
    with pytest.raises(InputError, match="examples that cannot be read") as caught:
        examples.put_examples(source, out)
    assert "\n" not in str(caught.value)
    assert b"secret" not in b"".join(path.read_bytes() for path in out.iterdir())


@pytest.mark.parametrize("change", [{"kind": "sound"}, {"file": "text.jpg"}, {"thumbnail": "text.jpg"}])
def test_an_example_is_what_it_is_called(tmp_path, change):
    (tmp_path / "text.jpg").write_text("no picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "fine.jpg")
    one = {"kind": "photo", "label": "x", "file": "fine.jpg", "thumbnail": "fine.jpg"}
    (tmp_path / "out").mkdir()
    for given, right in ((one, True), (one | change, False)):
        (tmp_path / "examples.json").write_text(json.dumps([given]))
        with contextlib.nullcontext() if right else pytest.raises(InputError, match="neither a photo|is no picture"):
            examples.put_examples(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    "listed", ["no json", '[{"kind": "photo"}]', '[{"kind":"photo","label":"x","file":"a","thumbnail":"b"}]']
)
def test_a_list_of_examples_that_is_wrong(tmp_path, listed):
    (tmp_path / "examples.json").write_text(listed)
    with pytest.raises(InputError, match="make the folder again"):
        examples.put_examples(tmp_path, tmp_path)


def test_examples_come_from_the_usual_place_once_it_is_whole(mini, tmp_path):
    assert examples.usual_examples(None, tmp_path) is None
    assert examples.usual_examples(None, mini) == mini
    shutil.copy(mini / "mini.json", tmp_path)  # written before the first film
    assert examples.usual_examples(None, tmp_path) is None
    assert examples.usual_examples(Path("mine"), mini) == Path("mine")
