"""Folders: data sets in other people's layouts, and folders that are full of somebody else's things."""

import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from cases.encode import clip
from cases.people import Seen, portrait, scene
from cases.photos import saved
from cases.registry import VERDICT, add, case

LAYOUTS, CASES_OF_NAMES, OTHERS, LINKS, KEPT = (
    "other people's folders", "names that differ in case", "somebody else's files in --out", "linked folders",
    "files that cannot be read",
)  # fmt: skip

CLIPS = "clips {path}"
PEOPLE = 6


def faceforensics(root: Path, suffix: str = ".mp4", splits: bool = True, ids: Sequence[int] = range(PEOPLE)) -> Path:
    """A small FaceForensics++: originals, and Deepfakes of each pair of them."""
    for number in ids:
        partner = ids[(ids.index(number) ^ 1) % len(ids)]
        clip(root / f"original_sequences/youtube/c23/videos/{number:03d}{suffix}", number % PEOPLE)
        name = f"{number:03d}_{partner:03d}{suffix}"
        clip(root / "manipulated_sequences/Deepfakes/c23/videos" / name, number % PEOPLE, True)
    if splits:
        (root / "splits").mkdir()
        for name, first in zip(("train", "val", "test"), range(0, PEOPLE, 2), strict=True):
            pairs = [[f"{ids[first]:03d}", f"{ids[first + 1]:03d}"]]
            (root / f"splits/{name}.json").write_text(json.dumps(pairs))
    return root


_TWELVE = r"^12 clips \(6 real, 6 fake\)"


@case("no split lists", LAYOUTS, "FaceForensics++ copied by hand, real ids, without its splits", command=CLIPS,
      answer=_TWELVE)  # fmt: skip
def no_splits(folder: Path) -> Path:
    return faceforensics(folder / "set", splits=False, ids=[71, 54, 3, 0, 183, 253])


@case("endings in capitals", CASES_OF_NAMES, "FaceForensics++ whose films end in .MP4", command=CLIPS, answer=_TWELVE)
def capitals(folder: Path) -> Path:
    return faceforensics(folder / "set", suffix=".MP4")


@case("some endings in capitals", CASES_OF_NAMES, "FaceForensics++, a third of whose films end in .MP4", command=CLIPS,
      answer=_TWELVE)  # fmt: skip
def some_capitals(folder: Path) -> Path:
    root = faceforensics(folder / "set")
    for number, path in enumerate(sorted(root.rglob("*.mp4"))):
        if number % 3 == 0:
            path.rename(path.with_suffix(".MP4"))
    return root


@case("one name in two cases", CASES_OF_NAMES, "000.mp4 and 000.MP4 in one folder", command=CLIPS, answer=r"000\.mp4")
def both_cases(folder: Path) -> Path:
    root = faceforensics(folder / "set")
    clip(root / "original_sequences/youtube/c23/videos/000.MP4", 0)
    return root


@case("folders in capitals", CASES_OF_NAMES, "FaceForensics++ with C23 and Videos", command=CLIPS,
      answer=rf"{_TWELVE}|c23")  # fmt: skip
def capital_folders(folder: Path) -> Path:
    root = faceforensics(folder / "set")
    for part in ("original_sequences/youtube", "manipulated_sequences/Deepfakes"):
        (root / part / "c23/videos").rename(root / part / "c23/Videos")
        (root / part / "c23").rename(root / part / "C23")
    return root


def celeb_df(folder: Path, suffix: str = ".mp4") -> Path:
    """A small Celeb-DF."""
    root = folder / "set"
    for number in range(3):
        clip(root / f"Celeb-real/id{number}_0000{suffix}", number)
        clip(root / f"Celeb-synthesis/id{number}_id{(number + 1) % 3}_0000{suffix}", number, True)
    clip(root / f"YouTube-real/00000{suffix}", 3)
    (root / "List_of_testing_videos.txt").write_text(
        f"1 YouTube-real/00000{suffix}\n0 Celeb-synthesis/id0_id1_0000{suffix}\n"
    )
    return root


add("Celeb-DF in capitals", CASES_OF_NAMES, "Celeb-DF whose films end in .MP4", partial(celeb_df, suffix=".MP4"),
    command=CLIPS, answer=r"^7 clips \(4 real, 3 fake\)")  # fmt: skip
add("Celeb-DF", LAYOUTS, "Celeb-DF as it is", celeb_df, command=CLIPS, answer=r"^7 clips \(4 real, 3 fake\)")

# Either the layout is known, or the way out is named, with an example.
_KNOWN = r"^\d+ clips \([1-9]\d* real, [1-9]\d* fake\)|--from-csv"


@case("flat folders", LAYOUTS, "original/ and Deepfakes/ with the films in them", command=CLIPS, answer=_KNOWN)
def flat(folder: Path, real: str = "original", fake: str = "Deepfakes") -> Path:
    for number in range(PEOPLE):
        clip(folder / "set" / real / f"{number:03d}.mp4", number)
        clip(folder / "set" / fake / f"{number:03d}_{number ^ 1:03d}.mp4", number, True)
    return folder / "set"


for _real, _fake in (("real", "fake"), ("Real", "Fake"), ("REAL", "FAKE"), ("0", "1"), ("originals", "deepfakes"),
                     ("train/real", "train/fake")):  # fmt: skip
    add(f"flat folders {_real} and {_fake}", LAYOUTS, f"films in {_real}/ and {_fake}/", command=CLIPS, answer=_KNOWN,
        make=partial(flat, real=_real, fake=_fake))  # fmt: skip


@case(
    "frames of DeepfakeBench",
    LAYOUTS,
    "FaceForensics++ as DeepfakeBench leaves it: frames/NAME/000.png",
    command=CLIPS,
    answer=_KNOWN,
)
def deepfakebench(folder: Path) -> Path:
    for number in range(4):
        for frame in (0, 10, 20):
            for part, fake in (
                (f"original_sequences/youtube/c23/frames/{number:03d}", False),
                (f"manipulated_sequences/Deepfakes/c23/frames/{number:03d}_{number ^ 1:03d}", True),
            ):
                path = folder / "FaceForensics++" / part / f"{frame:03d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                saved(portrait(number, fake), path, compress_level=1)
    return folder / "FaceForensics++"


def dfdc_part(root: Path, part: int = 0) -> Path:
    """A part of DFDC's training set."""
    place = root / f"dfdc_train_part_{part}"
    entries = {}
    for number in range(3):
        clip(place / f"real{part}{number}.mp4", number)
        clip(place / f"fake{part}{number}.mp4", number, True)
        entries[f"real{part}{number}.mp4"] = {"label": "REAL", "split": "train"}
        entries[f"fake{part}{number}.mp4"] = {"label": "FAKE", "split": "train", "original": f"real{part}{number}.mp4"}
    (place / "metadata.json").write_text(json.dumps(entries))
    return root


_SIX = r"^6 clips \(3 real, 3 fake\)"
add("DFDC's parent", LAYOUTS, "the folder above that of DFDC's parts", command=CLIPS, answer=rf"{_SIX}|dfdc_train_part",
    make=lambda folder: dfdc_part(folder / "set" / "dfdc").parent)  # fmt: skip
add(
    "DFDC's parts with other names",
    LAYOUTS,
    "DFDC's parts, unpacked under other names",
    command=CLIPS,
    answer=_KNOWN,
    make=lambda folder: (
        (dfdc_part(folder / "set"), (folder / "set/dfdc_train_part_0").rename(folder / "set/00"))[1].parent
    ),
)
add("a part of DFDC", LAYOUTS, "one part of DFDC", command=CLIPS, answer=_SIX,
    make=lambda folder: dfdc_part(folder / "set"))  # fmt: skip


def photos(folder: Path, real: str = "real", fake: str = "fake", suffix: str = ".jpg") -> Path:
    """A folder of photos by label."""
    for number in range(PEOPLE):
        for name, forged in ((real, False), (fake, True)):
            path = folder / "set" / name / f"{number:05d}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            saved(portrait(number, forged), path)
    return folder / "set"


TRAIN_ON_PHOTOS = "clips {path} && extract {path} --out {folder}/out"
add("photos alone", LAYOUTS, "photos in real/ and fake/, nothing else", photos, command=TRAIN_ON_PHOTOS,
    answer=r"faces from 12 clips|--from-csv")  # fmt: skip
add(
    "photos by the thousand names",
    LAYOUTS,
    "photos in training_real/ and training_fake/",
    command=TRAIN_ON_PHOTOS,
    make=partial(photos, real="training_real", fake="training_fake"),
    answer=r"faces from 12 clips|--from-csv",
)


@case(
    "a table of photos",
    LAYOUTS,
    "one's own table, which names photos",
    answer=r"faces from 12 clips",
    command="clips {folder}/set --from-csv {path} --out {folder}/set/clips.csv"
    " && extract {folder}/set --out {folder}/out",
)
def photo_table(folder: Path) -> Path:
    root = photos(folder)
    rows = [
        f"{name}/{number:05d}.jpg,{label},{name}-{number}"
        for label, name in enumerate(("real", "fake"))
        for number in range(PEOPLE)
    ]
    (root / "mine.csv").write_text("\n".join(["path,label,clip_id", *rows]) + "\n")
    return root / "mine.csv"


@case("DFD alone", "hints", "the DeepFakeDetection part alone, with the official split: all of it is in none",
      command=f"{CLIPS} --split official",
      answer=r"(?s)\A(?=.*4 clips).*(official|strict|no split|\(none\))")  # fmt: skip
def dfd(folder: Path) -> Path:
    root = folder / "set"
    for number in (1, 2):
        clip(root / f"original_sequences/actors/c23/videos/{number:02d}__walking_outside.mp4", number)
        name = f"{number:02d}_{3 - number:02d}__walking_outside__YVGY8LOK.mp4"
        clip(root / "manipulated_sequences/DeepFakeDetection/c23/videos" / name, number, True)
    return root


# Links.
@case(
    "a linked subfolder",
    LINKS,
    "a folder in which another one is linked: its film is judged, or named",
    command="predict {run} {path}",
    answer=r"here/film\.mp4[\s\S]*linked|linked[\s\S]*here/film\.mp4",
)
def linked_subfolder(folder: Path) -> Path:
    clip(folder / "photos/here/film.mp4", 0)
    clip(folder / "elsewhere/other.mp4", 1)
    (folder / "photos/linked").symlink_to(folder / "elsewhere")
    return folder / "photos"


@case(
    "a folder that holds itself",
    LINKS,
    "a folder with a link to itself",
    command="predict {run} {path}",
    answer=VERDICT,
)
def holds_itself(folder: Path) -> Path:
    clip(folder / "photos/film.mp4", 0)
    (folder / "photos/again").symlink_to(folder / "photos")
    return folder / "photos"


@case("a link to nothing", LINKS, "a folder with a link that leads nowhere", command="predict {run} {path}",
      answer=r"^cannot tell .*link")  # fmt: skip
def link_to_nothing(folder: Path) -> Path:
    clip(folder / "photos/film.mp4", 0)
    (folder / "photos/gone.mp4").symlink_to(folder / "nowhere.mp4")
    return folder / "photos"


@case("a pipe among photos", LINKS, "a folder with a pipe that nobody writes to", command="predict {run} {path}",
      answer=r"^cannot tell .*pipe")  # fmt: skip
def pipe(folder: Path) -> Path:
    clip(folder / "photos/film.mp4", 0)
    os.mkfifo(folder / "photos/pipe.mp4")
    return folder / "photos"


# What cannot be read, but is sound.
def unreadable(folder: Path) -> Path:
    """A small FaceForensics++, one film of which only others may read."""
    root = faceforensics(folder / "set")
    (root / "original_sequences/youtube/c23/videos/000.mp4").chmod(0)
    return root


add("a sound film without permission", KEPT, "a sound film that may not be read (by root it may): it is not damaged",
    unreadable, command="verify {path} --delete-damaged", answer=r"permission|12 files|18 files")  # fmt: skip


@case("a folder instead of a film", KEPT, "a folder that is called 000.mp4", command="verify {path} --delete-damaged")
def folder_for_film(folder: Path) -> Path:
    root = faceforensics(folder / "set")
    path = root / "original_sequences/youtube/c23/videos/000.mp4"
    path.unlink()
    (path / "inside").mkdir(parents=True)
    (path / "inside/notes.txt").write_text("mine\n")
    return root


@case(
    "a linked film",
    KEPT,
    "a link to a cut-off film elsewhere: the link may go, the film not",
    command="verify {path} --delete-damaged",
)
def linked_film(folder: Path) -> Path:
    root = faceforensics(folder / "set")
    path = root / "original_sequences/youtube/c23/videos/000.mp4"
    (folder / "elsewhere.mp4").write_bytes(path.read_bytes()[:2000])
    path.unlink()
    path.symlink_to(folder / "elsewhere.mp4")
    return root


# Folders full of somebody else's things. Their names are those that our commands write, too.
THEIRS = (
    "config.json", "history.csv", "steps.csv", "last.safetensors", "best/model.safetensors", "best/detector.json",
    "faces.csv", "failures.csv", "clips.csv", "scores.csv", "matrix.csv", "manifest.csv", "extraction.json",
    "crops/swap/c23/000_001/0.png", "crops/holiday.png", ".parts/swap/000.json", "report.json", "report.html",
    "explanation.json", "overlays/0.png", "detector.json", "parity.json", "parity.md", "package.json", "README.md",
    "app.py", "requirements.txt", "index.html", "examples/photo.png", "mini.json", "splits/train.json", "notes.txt",
    ".git/HEAD", ".git/config", ".gitignore", "0001-photo-face1.png", "original_sequences/youtube/c23/videos/000.mp4",
    "tensorboard/events", "mistakes/0.jpg", "export/onnx/detector.onnx",
)  # fmt: skip
# Beside a folder X, what we may want to call our own for a while.
SIBLINGS = ("{}.old", "{}.fresh", ".{}.old", ".{}.fresh", ".{}.torchfakes-old", ".{}.torchfakes-fresh", "{}.bak")


def theirs(place: Path, names: Sequence[str] = THEIRS, siblings: bool = True) -> Path:
    """Fill a folder with somebody else's files, and its neighbours, too."""
    for name in names:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"mine": true}\n' if path.suffix == ".json" else f"mine: {name}\n")
    for pattern in SIBLINGS if siblings else ():
        path = place.with_name(pattern.format(place.name))
        path.mkdir(parents=True)
        (path / "notes.txt").write_text("mine\n")
    return place


# How every command is told where its results go.
OUT = {
    "mini": "mini {path} --identities 6",
    "clips": "clips {data} --out {path}/clips.csv",
    "extract": "extract {data} --out {path} --frames 2",
    "extract --overwrite": "extract {data} --out {path} --frames 2 --overwrite",
    "train": "train {faces} --out {path} --architecture Meso4 --image-size 64 --epochs 1",
    "matrix": "matrix {faces} --out {path} --architecture Meso4 --image-size 64 --epochs 1",
    "explain": "explain {run} {faces} --out {path}",
    "export": "export {run} --out {path} --format onnx",
    "export web": "export {run} --out {path} --format web",
    "space": "space {run} --out {path}",
    "predict --csv": "predict {run} {data} --csv {path}/faces.csv",
    "predict --heat-maps": "predict {run} {folder}/photo.png --heat-maps {path}",
    "course": "course 00 --out {path}",
    "pull": "pull owner/name --out {path}",
}
_ELSEWHERE = r"another (output )?(folder|file|name|place)|holds other|not empty|is there|somebody"


def _with_photo(folder: Path) -> None:
    saved(scene((Seen(0),), 320, 320), folder / "photo.png")


def project(folder: Path, names: Sequence[str] = THEIRS, siblings: bool = True) -> Path:
    """Somebody's folder, and a photo beside it."""
    _with_photo(folder)
    return theirs(folder / "project", names, siblings)


for _name, _command in OUT.items():
    add(f"{_name} into somebody's folder", OTHERS, f"a folder full of somebody else's files, for {_name}", project,
        command=_command, answer=_ELSEWHERE)  # fmt: skip
    add(f"{_name} beside a README", OTHERS, f"a folder with nothing but a README.md, for {_name}", command=_command,
        make=partial(project, names=("README.md",), siblings=False))  # fmt: skip
    add(f"{_name} into a repository", OTHERS, f"a folder with nothing but a .git, for {_name}", command=_command,
        make=partial(project, names=(".git/HEAD", ".git/config"), siblings=False))  # fmt: skip
    add(f"{_name} between neighbours", OTHERS, f"an empty place between X.old, X.fresh and such, for {_name}",
        command=_command, make=partial(project, names=()))  # fmt: skip


@case("a link for --out", OTHERS, "a folder for results that is a link to somebody's", command=OUT["extract"],
      answer=_ELSEWHERE)  # fmt: skip
def linked_out(folder: Path) -> Path:
    theirs(folder / "project")
    (folder / "out").symlink_to(folder / "project")
    return folder / "out"


@case("crops that lead elsewhere", OTHERS, "an empty folder but for crops, a link to somebody's pictures",
      command=OUT["extract"], answer=_ELSEWHERE)  # fmt: skip
def linked_crops(folder: Path) -> Path:
    theirs(folder / "project")
    (folder / "out").mkdir()
    (folder / "out/crops").symlink_to(folder / "project/crops")
    return folder / "out"


@case("a stamp that is copied", OTHERS, "somebody's folder with a stamp of ours that claims everything in it",
      command="space {run} --out {path}", steady=False)  # fmt: skip
def copied_stamp(folder: Path) -> Path:
    place = theirs(folder / "project")
    stamp = {"made_by": "torchfakes space", "format": 1, "made": ["README.md", "../project.bak", str(folder), ".."]}
    (place / "torchfakes.json").write_text(json.dumps(stamp))
    return place


@case("a run that may not be written to", "folders found unwritable late", "a finished run, read-only (but for root)",
      command="evaluate {path} {faces}", answer=r"cannot be written|cannot write|the report is")  # fmt: skip
def read_only(folder: Path) -> Path:
    from cases.runs import run

    path = run(folder)
    for place in (path / "best", path):
        place.chmod(0o555)
    return path
