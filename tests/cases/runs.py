"""Runs of strangers: a detector, its report and its examples, some words of which are meant for other places."""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cases.people import portrait
from cases.photos import saved
from cases.registry import add, case

RUN, MARKUP = "a stranger's run", "markup from a run"
SECRET = "secret.txt"  # beside the run; nothing of it may come to light
WORD = "nobody-else-may-read-this"

PREDICT = "predict {path} {folder}/photo.png"
REFUSED = r"^torchfakes: .*(detector\.json|model\.safetensors|not a detector|no detector)"

Change = Callable[[dict[str, Any]], object]


def run(folder: Path, change: Change | None = None, weights: Callable[[dict], dict] | None = None) -> Path:
    """A small detector, a photo to judge and a secret beside it.

    Args:
        folder: for all three.
        change: of `detector.json`, in place.
        weights: others than the detector's own, of whose digest `detector.json` speaks.
    """
    import torch

    from torchfakes_utils.models.detector import DetectorConfig, save
    from torchfakes_utils.models.preprocessing import Preprocessing

    from helpers.decisions import answering
    from helpers.detectors import opinionated

    (folder / SECRET).write_text(WORD + "\n")
    saved(portrait(0), folder / "photo.png")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(16)
        detector = opinionated(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=64, crop_size=64)))
        detector.decision = answering(0.5)
    best = save(detector, folder / "run" / "best")
    description = json.loads((best / "detector.json").read_text())
    if weights is not None:
        import safetensors.torch

        numbers = safetensors.torch.load((best / "model.safetensors").read_bytes())
        content = safetensors.torch.save(weights(numbers))
        (best / "model.safetensors").write_bytes(content)
        description["sha256"] = hashlib.sha256(content).hexdigest()
    if change is not None:
        change(description)
    (best / "detector.json").write_text(json.dumps(description, indent=2) + "\n")
    return folder / "run"


def of(*names: str, value: object) -> Change:
    def change(description: dict[str, Any]) -> None:
        for name in names[:-1]:
            description = description[name]
        description[names[-1]] = value

    return change


_CHANGES: dict[str, tuple[Change, bool]] = {
    "crops of 20,000 pixels": (of("config", "preprocessing", "crop_size", value=20_000), True),
    "an input of 20,000 pixels": (of("config", "preprocessing", "size", value=20_000), True),
    "crops of no pixel": (of("config", "preprocessing", "crop_size", value=0), False),
    "crops of -160 pixels": (of("config", "preprocessing", "crop_size", value=-160), False),
    "crops of half pixels": (of("config", "preprocessing", "crop_size", value=64.5), False),
    "crops of 1,000 faces": (of("config", "preprocessing", "crop_scale", value=1000.0), True),
    "crops of no face": (of("config", "preprocessing", "crop_scale", value=0.0), False),
    "a spread of zero": (of("config", "preprocessing", "std", value=0.0), False),
    "four means": (of("config", "preprocessing", "mean", value=[1.0, 2.0, 3.0, 4.0]), False),
    "a word for a mean": (of("config", "preprocessing", "mean", value="127"), False),
    "a giant network": (of("config", "architecture", value="timm:eva_giant_patch14_336"), True),
    "a network of the Hub": (of("config", "architecture", value="timm:hf-hub:somebody/network"), False),
    "another network": (of("config", "architecture", value="InceptionResnetV1"), True),
    "no network": (of("config", "architecture", value="../../network"), False),
    "a list for a network": (of("config", "architecture", value=["Meso4"]), False),
    "a dropout of 7": (of("config", "dropout", value=7.0), False),
    "a threshold of 7": (of("decision", "threshold", value=7.0), False),
    "a temperature of next to nothing": (of("decision", "temperature", value=1e-320), False),
    "ranges of words": (of("decision", "ranges", value={"face": ["small", "large"]}), False),
    "ranges of three": (of("decision", "ranges", value={"face": [1.0, 2.0, 3.0]}), False),
    "a note of a megabyte": (of("decision", "notes", value=["note " * 200_000]), False),
    "another digest": (of("sha256", value="0" * 64), False),
    "a number for a digest": (of("sha256", value=7), False),
    "a later format": (of("format", value=99), False),
}
# A range that is odd, but can be lived with, is no reason to refuse; all else is.
_LIVES = {"a dropout of 7", "a note of a megabyte", "a temperature of next to nothing"}
for _name, (_change, _hungry) in _CHANGES.items():
    add(f"a run with {_name}", RUN, f"a detector.json that asks for {_name}", partial(run, change=_change),
        command=PREDICT, answer=None if _name in _LIVES else REFUSED, hungry=_hungry)  # fmt: skip


def _without_shape(numbers: dict) -> dict:
    import torch

    return {name: torch.zeros(3) for name in numbers}


def _with_nan(numbers: dict) -> dict:
    return {name: value * float("nan") if value.is_floating_point() else value for name, value in numbers.items()}


add("a run whose weights are NaN", RUN, "weights all of which are NaN", partial(run, weights=_with_nan),
    command=PREDICT, answer=r"nan|finite|no number|cannot tell")  # fmt: skip
add("a run whose weights have other shapes", RUN, "weights none of which fits", partial(run, weights=_without_shape),
    command=PREDICT, answer=REFUSED)  # fmt: skip


@case("a run whose description nests", RUN, "a detector.json of 200,000 brackets", command=PREDICT, answer=REFUSED)
def nested(folder: Path) -> Path:
    path = run(folder)
    (path / "best" / "detector.json").write_text("[" * 200_000 + "]" * 200_000)
    return path


@case("a run whose weights are a link", RUN, "model.safetensors leads to somebody's file", command=PREDICT,
      answer=REFUSED)  # fmt: skip
def linked_weights(folder: Path) -> Path:
    path = run(folder)
    (path / "best" / "model.safetensors").unlink()
    (path / "best" / "model.safetensors").symlink_to(folder / SECRET)
    return path


# Words that come to be shown.
WORDS = {
    "markup": "<img src=x onerror=alert(1)>",
    "a way out of markup": '"></script><script>alert(1)</script>',
    "an escape": "\x1b[2J\x1b]0;title\x07",
    "a formula": '=HYPERLINK("http://127.0.0.1:9")',
    "mathematics": r"$\unknown$",
    "a template": "{{ 7 * 7 }}{% for x in y %}",
    "a link": "[click](javascript:alert(1))",
    "a table of Markdown": "a|b|c\n---\n# heading",
}
for _name, _text in WORDS.items():
    add(f"a caution that is {_name}", MARKUP, "a detector.json whose caution and notes are meant for a page",
        partial(run, change=lambda d, text=_text: d["decision"].update(caution=text, notes=[text])),
        command=PREDICT + " --csv {folder}/answers.csv")  # fmt: skip


def evaluated(folder: Path, text: str) -> Path:
    """A run, and crops to evaluate it on whose methods, clips and compressions have this name; returns the table."""
    from helpers.crops import make_faces

    run(folder)
    table = make_faces(folder / "faces", {"train": 1, "val": 1, "test": 3}, frames=2, methods=("youtube", "swap"))
    quoted = '"' + text.replace('"', '""') + '"'
    table.write_text(table.read_text().replace(",swap,c23,", f",{quoted},{quoted},"))
    return table


for _name, _text in WORDS.items():
    add(f"evaluate: methods called {_name}", MARKUP, f"a faces.csv whose methods are called {_name}",
        partial(evaluated, text=_text), command="evaluate {folder}/run {path} --split test")  # fmt: skip


# Paths in a run.
def reported(folder: Path, picture: str) -> Path:
    """A run whose report says that its worst mistake is in this file; a page is made of it by `explain`."""
    from helpers.report import made_up_report

    path = run(folder)
    report = made_up_report().to_json()
    report["mistakes"] = [
        {"clip_id": "000", "method": "swap", "compression": "c23", "frame": 0, "label": 1, "probability_fake": 0.1,
         "cannot_tell": "", "picture": picture.format(folder=folder)}
    ]  # fmt: skip
    (path / "report.json").write_text(json.dumps(report))
    return path


for _name, _picture in {"a way up": f"../{SECRET}", "an absolute path": "{folder}/" + SECRET, "a device": "/dev/zero",
                        "a way up in the middle": f"mistakes/../../{SECRET}", "an address": "http://127.0.0.1:9/x.jpg",
                        "an address of a file": "file:///{folder}/" + SECRET}.items():  # fmt: skip
    add(
        f"a mistake in {_name}",
        RUN,
        f"a report.json whose picture of a mistake is {_name}",
        partial(reported, picture=_picture),
        command="explain {path} {faces}",
        steady="{" not in _picture,
        hungry=_picture.startswith("/dev"),
    )


@case("a mistake behind a link", RUN, "a picture of a mistake that is a link to somebody's file",
      command="explain {path} {faces}", steady=False)  # fmt: skip
def linked_mistake(folder: Path) -> Path:
    path = reported(folder, "mistakes/0.jpg")
    (path / "mistakes").mkdir()
    (path / "mistakes" / "0.jpg").symlink_to(folder / SECRET)
    return path


def examples(folder: Path, **changes: str) -> Path:
    """A folder of examples for the app, whose list names another file."""
    (folder / SECRET).write_text(WORD + "\n")
    place = folder / "examples"
    place.mkdir()
    for name in ("photo-0.jpg", "photo-0-small.jpg"):
        saved(portrait(0), place / name, quality=90)
    one = {"kind": "photo", "label": "Real", "file": "photo-0.jpg", "thumbnail": "photo-0-small.jpg"}
    listed = [one | {name: text.format(folder=folder) for name, text in changes.items()}]
    (place / "examples.json").write_text(json.dumps(listed))
    return place


APP = "app {run} --examples {path}"
SPACE = "space {run} --data {path} --out {folder}/out"
_EXAMPLES = r"examples\.json"
for _name, _file in {
    "a way up": f"../{SECRET}",
    "an absolute path": "{folder}/" + SECRET,
    "a device": "/dev/zero",
    "a NUL": "photo\0.jpg",
    "the folder": ".",
    "an address": "http://127.0.0.1:9/x.jpg",
}.items():
    for _field in ("file", "thumbnail"):
        add(f"an example's {_field} that is {_name}", RUN, f"an examples.json whose {_field} is {_name}",
            partial(examples, **{_field: _file}), command=APP, answer=_EXAMPLES, steady="{" not in _file,
            hungry=_file.startswith("/dev"))  # fmt: skip
add("an example's label that is markup", MARKUP, "an examples.json whose label is markup",
    partial(examples, label=WORDS["markup"]), command=APP)  # fmt: skip
add("an example of another kind", RUN, "an examples.json that names an unknown kind", partial(examples, kind="sound"),
    command=APP, answer=_EXAMPLES)  # fmt: skip


@case("a linked example", RUN, "an example that is a link to somebody's file", command=APP, answer=_EXAMPLES)
def linked_example(folder: Path) -> Path:
    place = examples(folder)
    (place / "photo-0.jpg").unlink()
    (place / "photo-0.jpg").symlink_to(folder / SECRET)
    return place


@case("an example that is no photo", RUN, "an example that holds text", command=APP, answer=_EXAMPLES)
def text_example(folder: Path) -> Path:
    place = examples(folder)
    (place / "photo-0.jpg").write_text(f"{WORD}\n")
    return place


def people(folder: Path, name: str) -> Path:
    """A Mini-FF++ whose list of people leads to somebody's film, from which examples would be made."""
    from cases.encode import clip

    place = folder / "mini"
    clip(folder / "theirs" / "film.mp4", 0)
    for method, fake in (("original_sequences/youtube", "a"), ("manipulated_sequences/Deepfakes", "a_b")):
        clip(place / method / "c23/videos" / f"{fake}.mp4", 0, "_" in fake)
    one = {"id": name.format(folder=folder), "partner": "b", "split": "test", "blur": ""}
    (place / "mini.json").write_text(json.dumps({"people": [one]}))
    return place


for _name, _id in {"a way up": "../../../../../theirs/film", "an absolute path": "{folder}/theirs/film"}.items():
    add(f"a person who is {_name}", RUN, f"a mini.json in which a person's id is {_name}",
        partial(people, name=_id), command=SPACE, answer=r"mini\.json|Mini-FF\+\+", steady="{" not in _id)  # fmt: skip
