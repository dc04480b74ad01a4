"""Mini-FF++'s family that only time betrays: its layout, its bytes, what is forged when, and no trivial clue."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from torchfakes_utils.datasets import faceforensics
from torchfakes_utils.datasets.layouts import index_clips
from torchfakes_utils.datasets.mini import build, temporal
from torchfakes_utils.datasets.mini.config import TemporalConfig
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import CLIP_COLUMNS, SEGMENT_COLUMNS, read_table
from torchfakes_utils.io.video import probe, read_frames

from helpers import cues

pytestmark = pytest.mark.slow

SMALL = TemporalConfig(identities=6, size=96, seconds=2.0, forged_seconds=0.5)
METHODS = (temporal.WHOLE, temporal.PART)
LIMIT = 0.65
# Of pairs: three standard errors of 64 fair coins. In clips of the default length no cue reaches 0.65 there, either.
IN_PAIRS = 0.69


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """Six people, some 25 frames each, small."""
    return temporal.build_temporal(tmp_path_factory.mktemp("films") / "set", SMALL, workers=1, progress=False)


def digests(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_the_index_reads_it_as_it_reads_ffpp(small):
    clips = read_table(index_clips(small), CLIP_COLUMNS)
    assert sorted(set(clips["method"])) == ["Temporal", "TemporalPart", "youtube"]
    assert len(clips) == 18 and set(clips["split"]) == {"train", "val", "test"}
    fakes = clips[clips["label"] == 1]
    assert (fakes["original_id"] == fakes["target_id"]).all()
    assert clips.groupby("target_id")["split"].nunique().max() == 1
    only = read_table(index_clips(small, small / "some.csv", methods=["Temporal"]), CLIP_COLUMNS)
    assert sorted(set(only["method"])) == ["Temporal", "youtube"]
    assert faceforensics.mask_path(fakes.iloc[0].to_dict()) is None


def test_all_three_films_of_a_person_are_frame_for_frame(small):
    for person in build.plan(SMALL):
        lengths = {probe(small / path).frames for path in temporal.clip_paths(person)}
        assert lengths == {temporal.frames_of(person)}


def test_segments_say_what_is_forged_and_the_films_are_so(small):
    table = read_table(small / "segments.csv", SEGMENT_COLUMNS).set_index(["method", "clip_id"])
    people = build.plan(SMALL)
    assert len(table) == 2 * len(people)
    inside, outside = [], []
    for person in people:
        name = f"{person.id}_{person.partner}"
        start, end = table.loc[(temporal.PART, name), ["start_s", "end_s"]]
        assert 0 < start < end < temporal.frames_of(person) / temporal.FPS and end - start == pytest.approx(0.5)
        real, _, part = (read_frames(small / path)[1].astype(float) for path in temporal.clip_paths(person))
        change = np.abs(real - part).mean(axis=(1, 2, 3))
        times = np.arange(len(change)) / temporal.FPS
        forged = (times > start + 0.1) & (times < end - 0.1)
        inside.append(change[forged].max())
        outside.append(change[(times < start - 0.2) | (times > end + 0.2)].mean())
        assert tuple(table.loc[(temporal.WHOLE, name), ["start_s", "end_s"]]) == (0, pytest.approx(len(change) / 12.5))
    assert np.mean(inside) > 1.5 * np.mean(outside)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_processes_and_a_second_call_resumes(small, tmp_path):
    again = temporal.build_temporal(tmp_path / "again", SMALL, workers=2, progress=False)
    assert digests(again) == {
        name: one for name, one in digests(small).items() if "clips" not in name and "some" not in name
    }
    lost = next((again / "manipulated_sequences/Temporal/c23/videos").iterdir())
    content, kept = lost.read_bytes(), {path: path.stat().st_mtime_ns for path in again.rglob("*.mp4") if path != lost}
    lost.unlink()
    temporal.build_temporal(again, SMALL, workers=1, progress=False)
    assert lost.read_bytes() == content and {path: path.stat().st_mtime_ns for path in kept} == kept


@pytest.mark.parametrize("wrong", [{"identities": 7}, {"seconds": 0.5}, {"forged_seconds": 0.1}, {"forged_seconds": 9},
                                   {"seconds": float("nan")}, {"size": 95}])  # fmt: skip
def test_impossible_configurations_are_refused_in_one_line(wrong):
    with pytest.raises(InputError) as caught:
        TemporalConfig(**wrong)
    assert "\n" not in str(caught.value)


def test_a_folder_of_mini_ffpp_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="choose another folder"):
        temporal.build_temporal(tmp_path, SMALL, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_no_trivial_clue_tells_either_method_from_the_originals(tmp_path):
    """The default people and size, in clips of 2 s: one number a clip, alone and within pairs."""
    config = TemporalConfig(seconds=2.0, forged_seconds=0.5)
    folder = temporal.build_temporal(tmp_path / "wide", config, progress=False)
    table = cues.verdicts(cues.measured(folder))
    assert set(table["method"]) == set(METHODS)
    over = table[cues.sided(table["auc"]) >= LIMIT]
    assert over.empty, over.to_string()
    sharp = table[table["cue"].isin(["sharpness, face", "noise, face", "file size"])]
    assert (cues.sided(sharp["pairs"]) < IN_PAIRS).all(), sharp.to_string()


def test_a_forgery_that_is_drawn_otherwise_is_noticed(tmp_path, monkeypatch):
    """Were the fakes' frames less noisy, by a camera of their own, the test above would say so."""
    honest = temporal._Camera.filmed

    def smoother(self, shot, mouth, brow, purpose, wanted=None):
        import cv2

        for frame in honest(self, shot, mouth, brow, purpose, wanted):
            yield frame if purpose == 10 else cv2.GaussianBlur(frame, (0, 0), 0.8)

    monkeypatch.setattr(temporal._Camera, "filmed", smoother)
    config = TemporalConfig(identities=8, seconds=1.6, forged_seconds=0.4)
    folder = temporal.build_temporal(tmp_path / "set", config, workers=1, progress=False)
    table = cues.verdicts(cues.measured(folder))
    whole = table[table["method"] == temporal.WHOLE].set_index("cue")
    assert pd.Series(whole.loc["sharpness, face", "pairs"]).max() < 0.2
