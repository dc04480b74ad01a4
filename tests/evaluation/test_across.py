"""One detector on several data sets: each as it comes, each row measured, and one that fails keeps no other back."""

import json

import pandas as pd
import pytest

from torchfakes_utils.cli.main import main
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.across import across, lines
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.io.video import write_video
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.models.detector import DetectorConfig, save
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.detectors import opinionated
from helpers.scenes import moving, person

SCORING = Scoring(frames=2)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    detector = opinionated(DetectorConfig("Meso4", None, None, Preprocessing(size=64, crop_size=64)))
    save(detector, folder / "best", {})
    return folder


@pytest.fixture(scope="module")
def celeb(tmp_path_factory, portraits):
    """Celeb-DF v2 in small: two celebrities, their fakes, somebody else's film, and which clips are the test."""
    root = tmp_path_factory.mktemp("sets") / "Celeb-DF-v2"
    listed = []
    films = {f"Celeb-real/id{n}_000{take}": n for n in range(2) for take in range(2)}
    films |= {f"Celeb-synthesis/id{n}_id{1 - n}_000{take}": n for n in range(2) for take in range(2)}
    films |= {"YouTube-real/00000": 1}
    for name, who in films.items():
        write_video(root / f"{name}.mp4", moving(person(portraits, who))[:4], preset="ultrafast")
        listed.append(f"{int('real' in name)} {name}.mp4")
    (root / "List_of_testing_videos.txt").write_text("\n".join(line for line in listed if "0001" not in line) + "\n")
    return root


def test_a_table_and_a_folder_are_measured_side_by_side(run, tiny_faces, celeb, tmp_path):
    found = across(run, [tiny_faces / "faces.csv", celeb], tmp_path, scoring=SCORING)
    names = [(row.data, row.method) for row in found.rows]
    own = names[0][0]
    assert names == [(own, "all"), (own, "Deepfakes"), (own, "FaceSwap"), ("Celeb-DF-v2", "all")] and not found.left_out
    assert [(row.real_clips, row.fake_clips) for row in found.rows] == [(2, 4), (2, 2), (2, 2), (3, 2)]
    # The numbers are those of the scores that lie beside them.
    scores = pd.read_csv(tmp_path / "Celeb-DF-v2/scores.csv", dtype={"clip_id": str})
    row = found.rows[-1]
    clips = by_clip(scores)
    assert row.auc == binary_metrics(clips["label"], clips["probability_fake"])["auc"]
    assert row.frame_auc == binary_metrics(scores["label"], scores["probability_fake"])["auc"]
    assert row.always_fake == 2 / 5 and 0 <= row.auc <= 1
    table = pd.read_csv(tmp_path / "across.csv")
    assert table["auc"].tolist() == [one.auc for one in found.rows]
    assert json.loads((tmp_path / "across.json").read_text())["rows"][0]["data"] == own
    assert any("Celeb-DF-v2" in line for line in lines(found)) and len(lines(found)) == 5
    crops = pd.read_csv(tmp_path / "Celeb-DF-v2/test/faces/faces.csv", dtype=str)
    assert set(crops["split"]) == {"test"}, "no more is cut than is asked for"
    assert (crops["crop_size"] == "64").all(), "as the detector was trained"


def test_what_was_cut_is_not_cut_again(run, celeb, tmp_path, monkeypatch):
    from torchfakes_utils.faces import clip

    once = across(run, [celeb], tmp_path, scoring=SCORING)
    monkeypatch.setattr(clip, "_find", lambda *words: pytest.fail("it was cut before"))
    assert across(run, [celeb], tmp_path, scoring=SCORING) == once


def test_all_clips_or_those_of_a_split(run, celeb, tmp_path):
    whole = across(run, [celeb], tmp_path / "all", split="all", scoring=SCORING)
    assert (whole.rows[0].real_clips, whole.rows[0].fake_clips) == (5, 4)
    with pytest.raises(InputError, match=r"no clips in split 'dev' \(it holds: .*test 5.*--split all takes every one"):
        across(run, [celeb], tmp_path / "dev", split="dev", scoring=SCORING)


def test_a_set_that_cannot_be_used_is_named_and_the_others_are_measured(run, celeb, tiny_faces, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    sets = [tmp_path / "gone", tmp_path / "empty", celeb]
    found = across(run, sets, tmp_path / "out", scoring=SCORING)
    assert set(found.left_out) == {"gone", "empty"} and {row.data for row in found.rows} == {"Celeb-DF-v2"}
    assert "no such folder" in found.left_out["gone"] and "no videos found" in found.left_out["empty"]
    with pytest.raises(InputError, match="none of the data sets can be used: .*no such folder"):
        across(run, [tmp_path / "gone", tmp_path / "empty"], tmp_path / "none", scoring=SCORING)
    words = ["across", str(run), *map(str, sets), "--out", str(tmp_path / "out"), "--frames", "2", "--json"]
    assert main(words) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["rows"][0]["data"] == "Celeb-DF-v2" and "gone: " in said.err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/across.csv").write_text("mine")
    with pytest.raises(InputError, match="holds other things than a table across data sets"):
        across(run, [celeb], tmp_path / "mine", scoring=SCORING)
    assert (tmp_path / "mine/across.csv").read_text() == "mine"


def test_two_sets_of_one_name_do_not_meet(run, tiny_faces, tmp_path):
    for place in ("a", "b"):
        (tmp_path / place / "faces").mkdir(parents=True)
        (tmp_path / place / "faces/crops").symlink_to(tiny_faces / "crops")
        for name in ("faces.csv", "extraction.json"):
            (tmp_path / place / "faces" / name).write_text((tiny_faces / name).read_text())
    first, second = (tmp_path / place / "faces/faces.csv" for place in ("a", "b"))
    found = across(run, [first, second, first], tmp_path / "out", scoring=SCORING)
    assert len({row.data for row in found.rows}) == 3
    assert len(list((tmp_path / "out").glob("*/scores.csv"))) == 3
