"""Mini-FF++: FF++'s layout, the same files for the same seed, nothing lost on the way, and no trivial clue."""

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import psutil
import pytest

from torchfakes_utils.datasets import faceforensics
from torchfakes_utils.datasets.mini import build, detail, render
from torchfakes_utils.datasets.mini import fakes as mini_fakes
from torchfakes_utils.datasets.mini.config import MiniConfig
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.video import probe, read_frames

from helpers import cues
from helpers.processes import all_end

pytestmark = pytest.mark.slow

SMALL = MiniConfig(identities=8, size=96, seconds=0.4)
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """Eight people, some ten frames each, small."""
    return build.build_mini(tmp_path_factory.mktemp("mini") / "set", SMALL, workers=1, progress=False)


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> Path:
    """The default people at full size, in shorter clips, to measure what a clue is worth."""
    config = MiniConfig(seconds=0.5)
    return build.build_mini(tmp_path_factory.mktemp("mini") / "wide", config, progress=False)


@pytest.fixture(scope="module")
def table(wide) -> pd.DataFrame:
    """What each clue is worth, by compression and method."""
    return cues.verdicts(cues.measured(wide))


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_layout_and_names_are_those_of_ffpp(small):
    for compression in ("c23", "c40"):
        reals = {path.stem for path in (small / f"original_sequences/youtube/{compression}/videos").iterdir()}
        assert reals == {f"{number:03d}" for number in range(8)}
        for method in METHODS:
            fakes = {p.stem for p in (small / f"manipulated_sequences/{method}/{compression}/videos").iterdir()}
            assert len(fakes) == 8
            assert {"_".join(reversed(name.split("_"))) for name in fakes} == fakes, "both directions of a pair exist"
    for method in METHODS:
        assert len(list((small / f"manipulated_sequences/{method}/masks/videos").iterdir())) == 8
    assert not [path for path in small.rglob(".*") if path.is_file()], "no temporary file is left"


def test_the_index_reads_it_with_its_official_form_splits(small):
    clips = faceforensics.index(small)
    clips = faceforensics.assign_splits(clips, faceforensics.splits_of(small))
    assert len(clips) == 8 * 5 * 2
    assert set(clips["split"]) == {"train", "val", "test"}
    people = clips.assign(person=clips["target_id"]).groupby("person")["split"].nunique()
    assert (people == 1).all()


def test_an_original_its_fakes_and_their_masks_are_frame_for_frame(small):
    name = next((small / "manipulated_sequences/FaceSwap/c23/videos").iterdir()).name
    lengths = {probe(small / f"manipulated_sequences/{method}/{kind}/videos/{name}").frames
               for method in METHODS for kind in ("c23", "c40", "masks")}  # fmt: skip
    lengths.add(probe(small / f"original_sequences/youtube/c23/videos/{name[:3]}.mp4").frames)
    assert len(lengths) == 1


@pytest.mark.parametrize("method", METHODS)
def test_an_edit_changes_the_face_inside_its_mask_and_little_outside(small, method):
    path = next((small / f"manipulated_sequences/{method}/c23/videos").iterdir())
    real = read_frames(small / f"original_sequences/youtube/c23/videos/{path.name[:3]}.mp4")[1].astype(float)
    fake = read_frames(path)[1].astype(float)
    mask = read_frames(small / f"manipulated_sequences/{method}/masks/videos/{path.name}")[1][..., 0] > 128
    change = np.abs(real - fake).mean(axis=-1)
    assert 0.01 < mask.mean() < 0.3
    assert change[mask].mean() > 2 * change[~mask].mean()


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_processes(small, tmp_path):
    again = build.build_mini(tmp_path / "again", SMALL, workers=2, progress=False)
    assert digests(again) == digests(small)


def test_another_seed_gives_other_people():
    one, other = (render.make_identity("hopper", np.random.default_rng(seed)) for seed in (1, 2))
    assert np.abs(one.image.astype(float) - other.image).mean() > 8


def test_a_second_call_makes_only_what_is_missing(small, tmp_path):
    folder = build.build_mini(tmp_path / "set", SMALL, workers=1, progress=False)
    wanted = digests(folder)
    lost = folder / "manipulated_sequences/FaceSwap/c40/videos"
    lost = next(lost.iterdir())
    lost.unlink()
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*.mp4")}
    build.build_mini(folder, SMALL, workers=1, progress=False)
    assert digests(folder) == wanted
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_an_interrupted_build_resumes(tmp_path, monkeypatch):
    made = []

    def stop_after_two(*arguments):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(film(*arguments))

    film = build._film_and_forge
    monkeypatch.setattr(build, "_film_and_forge", stop_after_two)
    config = MiniConfig(identities=6, size=96, seconds=0.4)
    with pytest.raises(KeyboardInterrupt):
        build.build_mini(tmp_path / "set", config, workers=1, progress=False)
    monkeypatch.setattr(build, "_film_and_forge", film)
    build.build_mini(tmp_path / "set", config, workers=1, progress=False)
    assert len(list((tmp_path / "set").rglob("*.mp4"))) == 6 * (2 + 4 * 3)


@pytest.mark.parametrize("wrong", [{"identities": 7}, {"identities": 4}, {"size": 95}, {"size": 10**6},
                                   {"seconds": 0.1}, {"seconds": float("nan")}, {"seconds": 1e9}])  # fmt: skip
def test_impossible_configurations_are_refused_in_one_line(wrong):
    with pytest.raises(InputError) as caught:
        MiniConfig(**wrong)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="choose another folder"):
        build.build_mini(tmp_path, SMALL, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_another_configuration_in_the_same_folder_is_refused(small):
    with pytest.raises(InputError, match=r"holds Mini-FF\+\+ with seed 0 \(now 1\); choose another folder, or delete"):
        build.build_mini(small, MiniConfig(identities=8, size=96, seconds=0.4, seed=1), progress=False)


def test_a_damaged_manifest_is_said_so(tmp_path):
    (tmp_path / "mini.json").write_text("{")
    with pytest.raises(InputError, match=r"mini\.json: cannot be read .*; choose another folder"):
        build.build_mini(tmp_path, SMALL, progress=False)


def test_a_file_where_the_folder_should_be_is_said_so(tmp_path):
    (tmp_path / "set").write_text("")
    with pytest.raises(InputError):
        build.build_mini(tmp_path / "set", SMALL, progress=False)


def test_the_plan_balances_portraits_and_conditions():
    people = {person.id: person for person in build.plan(MiniConfig())}
    assert len(people) == 64
    for split in ("train", "val", "test"):
        inside = [person for person in people.values() if person.split == split]
        assert {people[person.partner].split for person in inside} == {split}
        assert sum(person.portrait == "hopper" for person in inside) == len(inside) / 2
        swaps = {(person.portrait, people[person.partner].portrait) for person in inside}
        assert len(swaps) == 4, "swaps within and across the portraits"
        assert {"defocus", "motion"} <= {person.blur for person in inside}
    assert sum(person.second_face for person in people.values()) == 1
    assert sum(person.leaves for person in people.values()) == 1
    sizes = {split: len(pairs) for split, pairs in build.splits(list(people.values())).items()}
    assert sizes == {"train": 16, "val": 8, "test": 8}


def test_landmarks_follow_the_face_through_mirror_and_bend():
    identity = render.make_identity("astronaut", np.random.default_rng(3))
    left, right, nose, mouth_left, mouth_right = identity.landmarks
    assert left[0] < nose[0] < right[0] and mouth_left[0] < mouth_right[0]
    assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


def test_the_head_that_leaves_is_gone_for_a_while_and_comes_back():
    shot = render.make_shot(np.random.default_rng(0), 50, leaves=True)
    away = shot.pose[:, 0] > 200
    assert 4 < away.sum() < 25 and not away[:10].any() and not away[-5:].any()


def test_poisson_blending_at_the_border_of_the_frame_does_not_fail():
    front, behind = np.full((320, 320, 3), 200, np.uint8), np.full((320, 320, 3), 50, np.uint8)
    mask = np.zeros((320, 320), np.uint8)
    assert (mini_fakes.poisson_blend(front, behind, mask) == behind).all()
    mask[100:200, 280:] = 1
    result = mini_fakes.poisson_blend(front, behind, mask)
    assert result.shape == behind.shape and result[150, 310, 0] > 100 and result[150, 100, 0] == 50


# Nothing that needs no look at the face may tell real from fake any better: an AUC, or a share of pairs.
LIMIT = 0.65


def told_alone(table: pd.DataFrame) -> list[str]:
    """The cues that tell some method's fakes from all originals."""
    over = table[cues.sided(table["auc"]) >= LIMIT]
    return [f"{one.cue}: {one.method}, {one.compression}, AUC {one.auc:.2f}" for one in over.itertuples()]


def told_in_pairs(table: pd.DataFrame, cue: str) -> list[str]:
    """The methods whose fakes lie on one side of their own originals by this cue."""
    over = table[(cues.sided(table["pairs"]) >= LIMIT) & (table["cue"] == cue)]
    return [f"{one.method}, {one.compression}: {one.pairs:.0%} above the original" for one in over.itertuples()]


def test_no_trivial_clue_tells_any_method_from_the_originals(table):
    assert told_alone(table) == []


def test_no_method_is_blurrier_or_sharper_than_its_own_originals(table):
    assert told_in_pairs(table, "sharpness, face") == []


def test_a_forgery_that_blurs_is_noticed(tmp_path, monkeypatch):
    def blurring(source, target, rng):
        honest = mini_fakes.deepfakes(source, target, rng)

        def join(layer, frame):
            return render.blend(frame, cv2.GaussianBlur(frame, (0, 0), 2.0), layer.mask), layer.mask

        return mini_fakes.Forgery(honest.draw, join)

    monkeypatch.setattr(mini_fakes, "MANIPULATIONS", {"Deepfakes": blurring})
    folder = build.build_mini(tmp_path / "set", MiniConfig(identities=8, seconds=0.4), workers=1, progress=False)
    table = cues.verdicts(cues.measured(folder))
    assert told_alone(table)
    assert len(told_in_pairs(table, "sharpness, face")) == len(build.CRF)
    assert (table.loc[table["cue"] == "sharpness, face", "pairs"] < 0.2).all()


def test_clues_of_opposite_signs_do_not_cancel():
    """Pooled, these two methods' sharpness has an AUC of 0.5; and between people a step of 1 is lost."""
    names = [*cues.OF_A_FRAME, "file size", "frames"]
    rows = [
        {"set": "a", "label": int(bool(step)), "method": method, "compression": "c23", "target": str(target)}
        | dict.fromkeys(names, 100.0 * target + step)
        for method, step in (("youtube", 0), ("up", 1), ("down", -1), ("far", 1000))
        for target in range(10)
    ]
    table = cues.verdicts(pd.DataFrame(rows))
    found = table[table["cue"] == "sharpness, face"].set_index("method")
    assert found["pairs"].to_dict() == {"up": 1, "down": 0, "far": 1}
    assert found["auc"].round(2).to_dict() == {"up": 0.55, "down": 0.45, "far": 1}
    assert told_alone(table) == [f"{name}: far, c23, AUC 1.00" for name in names]


def test_of_the_two_fakes_of_a_pair_one_has_more_detail_and_one_less():
    people = {person.id: person for person in build.plan(MiniConfig())}
    for method in range(4):
        more = {name: build._factor(MiniConfig(), person, method) > 1 for name, person in people.items()}
        assert all(more[person.id] != more[person.partner] for person in people.values())
        assert {more[person.id] for person in people.values() if person.id < person.partner} == {True, False}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_an_edit_holds_as_much_detail_as_it_was_told_to(method, factor):
    """Of a target that is not richer in detail than any gain could give its source."""
    rng = np.random.default_rng(5)
    target, source = render.make_identity("astronaut", rng), render.make_identity("hopper", rng)
    moments, sensor = a_clip(target, rng, 6)
    forgery = mini_fakes.MANIPULATIONS[method](source, target, rng)
    edited = list(mini_fakes.forge(forgery, moments, factor, sensor))
    before, after = (
        np.mean([detail.energies(frame, mask) for frame, (_, mask) in zip(frames, edited, strict=True)], axis=0)
        for frames in ([moment.frame for moment in moments], [frame for frame, _ in edited])
    )
    assert after / before == pytest.approx(factor * np.array(forgery.allowance), rel=0.3)


def a_clip(target: render.Identity, rng: np.random.Generator, count: int) -> tuple[list, render.Grain]:
    """A few filmed frames of a person, as a manipulation sees them, and their sensor."""
    shot, sensor = render.make_shot(rng, count), render.Grain(rng)
    fields = render.expression_fields(target.landmarks)
    moments = []
    for index in range(count):
        mapping = render.frame_map(shot.pose[index], *fields, shot.mouth[index], shot.brow[index])
        frame = sensor.add(render.light_up(render.render(target, mapping), shot.light[index]), shot.grain)
        moments.append(mini_fakes.Moment(frame, index, shot, shot, fields))
    return moments, sensor


def test_faces_can_be_found_in_it(wide):
    from torchfakes_utils.faces.detection import FaceDetector

    person = json.loads((wide / "mini.json").read_text())["people"][0]
    _, frames = read_frames(wide / f"original_sequences/youtube/c23/videos/{person['id']}.mp4", count=3)
    assert all(len(found) >= 1 and found.probabilities[0] > 0.98 for found in FaceDetector().detect(frames))


def test_the_frame_is_edited_in_place_of_the_target_only():
    """A fake keeps the target's background to the pixel before encoding."""
    rng = np.random.default_rng(0)
    target, source = render.make_identity("hopper", rng), render.make_identity("astronaut", rng)
    moments, sensor = a_clip(target, rng, 3)
    for method, make in mini_fakes.MANIPULATIONS.items():
        for moment, (edited, mask) in zip(
            moments, mini_fakes.forge(make(source, target, rng), moments, 1.0, sensor), strict=True
        ):
            outside = cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0
            assert (edited[outside] == moment.frame[outside]).all(), method
            assert (edited != moment.frame).any(), method


def test_begun_anew_only_its_own_films_go(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "_film_all", lambda *words: iter(()))
    out = tmp_path / "set"
    build.build_mini(out, MiniConfig(identities=6, size=96, seconds=0.4), progress=False)
    mine, ours = (out / "original_sequences/youtube/c23/videos" / name for name in ("me.mp4", "000.mp4"))
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    ours.write_text("an older film")
    build.build_mini(out, MiniConfig(identities=6, size=128, seconds=0.4), progress=False, overwrite=True)
    assert mine.read_text() == "mine" and not ours.exists()


def test_nobody_goes_on_when_it_is_killed(tmp_path):
    words = [sys.executable, "-m", "torchfakes_utils", "mini", str(tmp_path / "set"), "--workers", "2"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as owner:
        while not list(tmp_path.glob("set/original_sequences/youtube/c23/videos/*.mp4")):
            assert owner.poll() is None
            time.sleep(0.05)
        workers = [process.pid for process in psutil.Process(owner.pid).children()]
        owner.kill()
    assert len(workers) >= 2 and all_end(workers)
