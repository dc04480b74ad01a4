"""Evaluation: scores that can be recognised, metrics that can be worked out by hand, and what must be refused."""

import json
import shutil

import msgspec
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation import evaluate as module
from torchfakes_utils.evaluation.config import EvaluationConfig, RobustnessConfig, Scoring
from torchfakes_utils.evaluation.doubts import FEWEST_CLIPS
from torchfakes_utils.evaluation.evaluate import evaluate
from torchfakes_utils.evaluation.results import Confusion, Curves
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.evaluation.summary import summarise
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.tables import FACE_COLUMNS, SCORED_COLUMNS, read_table, write_table
from torchfakes_utils.metrics.binary import binary_metrics
from torchfakes_utils.models.decision import NOT_FIXED, Decision
from torchfakes_utils.models.detector import DetectorConfig, load_detector, save
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.decisions import Answering
from helpers.detectors import opinionated


class BrightnessDetector(Answering, torch.nn.Module):
    """Takes bright crops for fakes: quick, and its score is known beforehand."""

    preprocessing = Preprocessing(size=16)

    def __init__(self):
        super().__init__()
        self.decision = Decision()
        self.sha256 = "0123456789abcdef"
        self.slope = torch.nn.Parameter(torch.tensor(4.0))

    def forward(self, images):
        return self.slope * images.mean(dim=(1, 2, 3))


CLIPS = [
    # clip, method, label, split, brightness of its two crops
    ("000", "youtube", 0, "test", (20, 40)),
    ("003", "youtube", 0, "test", (60, 140)),
    ("000_003", "Deepfakes", 1, "test", (200, 220)),
    ("003_000", "Deepfakes", 1, "test", (240, 180)),
    ("000_003", "FaceSwap", 1, "test", (30, 50)),
    ("003_000", "FaceSwap", 1, "test", (150, 250)),
    ("007", "youtube", 0, "val", (10, 10)),
    ("007_009", "Deepfakes", 1, "val", (160, 150)),
]


@pytest.fixture
def faces_csv(tmp_path):
    rows = []
    for clip, method, label, split, levels in CLIPS:
        for frame, level in enumerate(levels):
            path = f"crops/{method}/c23/{clip}/{frame}.png"
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 20), (level,) * 3).save(tmp_path / path)
            # Blurred beyond any threshold: the test split is never filtered.
            rows.append(
                dict.fromkeys(FACE_COLUMNS, "")
                | {"clip_id": clip, "path": path, "label": label, "method": method, "compression": "c23"}
                | {"split": split, "frame": frame, "probability": 1.0, "sharpness": 0.0, "target_id": clip[:3]}
            )
    return write_table(pd.DataFrame(rows), tmp_path / "faces.csv", FACE_COLUMNS)


@pytest.fixture
def bright_run(tmp_path, monkeypatch):
    """A run folder whose detector is a `BrightnessDetector`."""
    detector = BrightnessDetector()
    detector.decision = Decision(notes=("set by hand",))
    monkeypatch.setattr(module, "load_detector", lambda run: detector)
    run = tmp_path / "run"
    run.mkdir()
    return run, detector


def expected_probability(level):
    return 1 / (1 + np.exp(-4 * (level - 127.5) / 128))


def test_scores_are_those_of_the_detector_row_by_row(faces_csv):
    scores = score(BrightnessDetector(), load_faces(faces_csv, "test"), Scoring(batch=5))
    assert list(scores.columns) == SCORED_COLUMNS
    levels = [level for *_, split, pair in CLIPS if split == "test" for level in pair]
    assert scores["probability_fake"].to_numpy() == pytest.approx([expected_probability(level) for level in levels])
    assert 1 / (1 + np.exp(-scores["logit"].to_numpy())) == pytest.approx(scores["probability_fake"].to_numpy())


def test_scores_do_not_depend_on_the_batch_nor_change_the_mode(faces_csv):
    faces, detector = load_faces(faces_csv), BrightnessDetector().train()
    one_by_one = score(detector, faces, Scoring(batch=1))
    pd.testing.assert_frame_equal(one_by_one, score(detector, faces, Scoring(batch=64)))
    assert detector.training


def test_summary_by_frame_clip_and_method(faces_csv):
    scores = score(BrightnessDetector(), load_faces(faces_csv))
    summary = summarise(scores, "test")
    assert summary.split == "test"
    assert (summary.frame.n, summary.clip.n) == (12, 6)
    # By clip, mean brightness: reals 30, 100; fakes 210, 210, 40, 200. Seven of the eight pairs are in order.
    assert summary.clip.auc == pytest.approx(7 / 8)
    low, high = summary.clip.auc_interval
    assert 0 <= low <= 7 / 8 <= high <= 1
    assert summary.clip.confusion == Confusion(tn=2, fp=0, fn=1, tp=3)
    assert len(summary.clip.balanced_accuracy_interval) == 2
    assert list(summary.methods) == ["Deepfakes", "FaceSwap"]
    assert summary.methods["Deepfakes"].auc == 1
    assert summary.methods["FaceSwap"].auc == pytest.approx(3 / 4)
    assert summary.methods["FaceSwap"].recall == 0.5
    assert (summary.methods["FaceSwap"].clips, summary.methods["FaceSwap"].frames) == (2, 4)


def test_one_class_is_null_with_a_reason(faces_csv):
    scores = score(BrightnessDetector(), load_faces(faces_csv))
    reals = summarise(scores[scores["label"] == 0], "val")
    assert reals.clip.auc is None
    assert reals.clip.auc_interval is None
    assert "only real" in reals.clip.reasons["auc"]
    assert "only real" in reals.clip.reasons["auc_interval"]
    assert reals.methods == {}
    fakes = summarise(scores[scores["label"] == 1], "test")
    assert fakes.methods["Deepfakes"].auc is None
    assert "only fake" in fakes.methods["Deepfakes"].reasons["auc"]
    levels = [*fakes.methods.values(), fakes.clip, fakes.frame, reals.clip]
    assert all(getattr(level, name) is None and getattr(level, f"{name}_interval") is None for level in levels
               for name in ("auc", "average_precision", "eer", "balanced_accuracy"))  # fmt: skip
    assert fakes.curves == Curves(None, None)
    assert fakes.aggregations["median"].auc is None and fakes.calibration.clip.ece_balanced is None
    json.dumps(msgspec.to_builtins([reals, fakes]), allow_nan=False)


def test_a_single_real_clip_has_an_auc_but_no_interval(faces_csv):
    scores = score(BrightnessDetector(), load_faces(faces_csv))
    summary = summarise(scores[scores["clip_id"] != "003"], "test")
    assert summary.clip.auc is not None
    assert summary.clip.auc_interval is None
    assert "fewer than two" in summary.clip.reasons["auc_interval"]


def two_sources():
    """Scores of two sources: films whose reals look fake, and fakes of both that lie between."""
    rows = [(f"{n:03}", "youtube", 0, f"{n:03}", "", 0.1 + n / 100) for n in range(4)]
    rows += [(f"0{n}__talking", "actors", 0, f"0{n}", "", 0.7 + n / 100) for n in range(4)]
    rows += [(f"{n:03}_{n ^ 1:03}", "Deepfakes", 1, f"{n:03}", f"{n ^ 1:03}", 0.5 + n / 100) for n in range(4)]
    rows += [(f"0{n}_0{n ^ 1}__talking__X", "DeepFakeDetection", 1, f"0{n}", f"0{n ^ 1}", 0.5 + n / 100)
             for n in range(4)]  # fmt: skip
    names = ["clip_id", "method", "label", "target_id", "source_id", "probability_fake"]
    table = pd.DataFrame(rows, columns=names).assign(compression="c23", split="test", frame=0, cannot_tell="")
    return table.assign(logit=np.log(table["probability_fake"] / (1 - table["probability_fake"])))


def test_each_method_is_measured_against_the_reals_of_its_own_source():
    summary = summarise(two_sources(), "test", replicates=50)
    films, actors = summary.methods["Deepfakes"], summary.methods["DeepFakeDetection"]
    assert films.auc == 1 and films.reals == ("youtube",) and films.n_real == 4
    assert actors.auc == 0 and actors.reals == ("actors",) and actors.n_real == 4
    assert films.drawn_by == "person" and films.units == 2


def test_where_no_real_clip_is_of_a_methods_source_none_is_borrowed():
    scores = two_sources()
    summary = summarise(scores[scores["method"] != "actors"], "test", replicates=50)
    left = summary.methods["DeepFakeDetection"]
    assert left.auc is None and left.fpr is None and left.reals == () and left.recall == 1
    assert left.reasons["auc"] == "no real clip of its own data source is in the split (there are youtube)"
    assert left.reasons["auc_interval"] == left.reasons["auc"]
    assert summary.methods["Deepfakes"].auc == 1


def test_people_are_drawn_and_scores_that_know_nobody_are_drawn_by_clip():
    scores = two_sources()
    summary = summarise(scores, "test", replicates=50)
    assert (summary.clip.drawn_by, summary.clip.units) == ("person", 4)
    nobody = summarise(scores.assign(target_id="", source_id=""), "test", replicates=50)
    assert (nobody.clip.drawn_by, nobody.clip.units) == ("clip", 16)


def test_the_calibration_error_has_an_interval_and_its_share_of_chance():
    for found in vars(summarise(two_sources(), "test", replicates=200).calibration).values():
        for kind in ("ece", "ece_balanced"):
            low, high = getattr(found, f"{kind}_interval")
            assert low <= getattr(found, kind) <= high
            assert 0 < getattr(found, f"{kind}_if_calibrated") < 0.5


def test_a_split_without_scores_is_refused(faces_csv):
    scores = score(BrightnessDetector(), load_faces(faces_csv))
    with pytest.raises(InputError, match="train"):
        summarise(scores, "train")


def test_evaluate_leaves_scores_and_metrics_in_the_run(faces_csv, bright_run):
    run, _ = bright_run
    found = evaluate(run, faces_csv)
    summary = found.results
    json.dumps(msgspec.to_builtins(summary), allow_nan=False)
    assert summary.data.unreadable == 0 and len(found.faces) == 12
    scores = read_table(run / "scores.csv", SCORED_COLUMNS)
    assert len(scores) == summary.frame.n == 12
    assert set(scores["split"]) == {"test"}
    assert scores["clip_id"].tolist()[0] == "000"


def test_a_stored_threshold_is_used(faces_csv, bright_run):
    run, detector = bright_run
    detector.decision = Decision(threshold=0.99)
    summary = evaluate(run, faces_csv).results
    assert summary.clip.threshold == 0.99
    assert summary.clip.predicted_fake_rate == 0


def test_crops_cut_in_another_way_are_refused(faces_csv, bright_run):
    run, _ = bright_run
    (faces_csv.parent / "extraction.json").write_text(json.dumps({"format": 2, "crop_scale": 2.0, "size": 160}))
    with pytest.raises(InputError, match="crop"):
        evaluate(run, faces_csv)
    assert not (run / "scores.csv").exists()


def test_missing_crops_and_splits_are_refused(faces_csv, bright_run):
    run, _ = bright_run
    with pytest.raises(InputError, match="train"):
        evaluate(run, faces_csv, EvaluationConfig(split="train"))
    (faces_csv.parent / "crops/FaceSwap/c23/003_000/1.png").unlink()
    with pytest.raises(InputError, match="003_000/1.png"):
        evaluate(run, faces_csv)


def test_a_run_folder_without_a_detector_is_refused(faces_csv, tmp_path):
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InputError, match="torchfakes train") as caught:
            evaluate(folder, faces_csv)
        assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_to_is_named(faces_csv, bright_run):
    run, _ = bright_run
    run.rmdir()
    run.write_text("a file where the folder should be")
    with pytest.raises(InputError, match="cannot write"):
        evaluate(run, faces_csv)


@pytest.mark.slow
def test_a_saved_network_end_to_end(faces_csv, tmp_path):
    torch.manual_seed(0)
    preprocessing = Preprocessing(size=80)
    detector = opinionated(DetectorConfig(pretrained=None, preprocessing=preprocessing))
    detector.decision = Decision(threshold=0.25, temperature=2.0)
    save(detector, tmp_path / "run" / "best")
    summary = evaluate(tmp_path / "run", faces_csv, EvaluationConfig(split="val")).results
    scores = read_table(tmp_path / "run" / "scores.csv", SCORED_COLUMNS)
    crops = torch.stack([torch.full((3, 20, 20), level, dtype=torch.uint8) for level in (10, 10, 160, 150)])
    assert scores["probability_fake"].to_numpy() == pytest.approx(detector.probability(crops).numpy(), abs=1e-5)
    again = binary_metrics(scores["label"], scores["probability_fake"], 0.25)
    assert summary.frame.loss == pytest.approx(again["loss"])
    assert summary.frame.threshold == 0.25
    assert summary.decision.threshold == 0.25 and summary.decision.temperature == 2


# --- scoring


def test_crops_that_cannot_be_read_are_left_out_and_said(faces_csv, bright_run, caplog):
    run, _ = bright_run
    (faces_csv.parent / "crops/FaceSwap/c23/003_000/1.png").write_bytes(b"no picture")
    found = evaluate(run, faces_csv)
    assert len(found.scores) == 11
    assert found.results.frame.n == 11 and found.results.data.unreadable == 1
    assert "003_000/1.png" in caplog.text and "\n" not in caplog.messages[0]


def test_nothing_that_can_be_read_is_an_error(faces_csv, bright_run):
    run, _ = bright_run
    for path in (faces_csv.parent / "crops").rglob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(InputError, match="not one crop can be read"):
        evaluate(run, faces_csv)


def test_changed_crops_are_scored_in_the_order_of_the_table(faces_csv):
    faces, detector = load_faces(faces_csv).sample(frac=1, random_state=3), BrightnessDetector()
    brighter = lambda crops, clip: [np.clip(crop.astype(int) + 30, 0, 255).astype(np.uint8) for crop in crops]  # noqa: E731
    scores = score(detector, faces, Scoring(batch=4), brighter)
    assert scores["path"].tolist() == faces["path"].tolist()
    plain = score(detector, faces)
    assert plain["path"].tolist() == faces["path"].tolist()
    assert (scores["probability_fake"] > plain["probability_fake"]).all()


def test_crops_unlike_those_of_training_are_marked(faces_csv):
    detector = BrightnessDetector()
    detector.decision = Decision(ranges={"brightness": (35.0, 230.0)})
    scores = score(detector, load_faces(faces_csv, "test"))
    dark = scores["cannot_tell"].str.startswith("too dark")
    assert scores.loc[dark, "path"].tolist() == ["crops/youtube/c23/000/0.png", "crops/FaceSwap/c23/000_003/0.png"]
    assert (scores["cannot_tell"].str.startswith("too bright")).sum() == 2
    # A change makes other crops: they are measured again.
    black = score(detector, load_faces(faces_csv, "test"), change=lambda crops, clip: [0 * crop for crop in crops])
    assert black["cannot_tell"].str.startswith("too dark").all()


def test_the_scores_know_whose_they_are(faces_csv):
    assert set(score(BrightnessDetector(), load_faces(faces_csv))["detector"]) == {"0123456789ab"}


# --- what is not answered


def test_abstaining_counts_clips_crops_and_those_without_a_face(faces_csv):
    detector = BrightnessDetector()
    detector.decision = Decision(ranges={"brightness": (55.0, None)})
    found = summarise(
        score(detector, load_faces(faces_csv, "test")), "test", detector.decision, 50, faceless=2
    ).abstention
    # Both crops of real 000 and of FaceSwap's 000_003 are too dark; the latter was the one fake that was missed.
    assert (found.clips, found.judged, found.no_face, found.crops_judged) == (8, 4, 2, 8)
    assert found.coverage == 0.5 and found.reasons == {"too dark": 4}
    assert found.accuracy == 1 and found.balanced_accuracy == 1
    assert found.risk_coverage.coverage[-1] == 1 and found.risk_coverage.risk[-1] == pytest.approx(1 / 6, abs=1e-5)


def test_clips_without_a_face_come_from_the_extraction(faces_csv, bright_run):
    run, _ = bright_run
    rows = ["clip_id,path,label,method,compression,split,reason", "9,9.mp4,0,youtube,c23,test,no face",
            "8,8.mp4,0,youtube,c23,train,no face"]  # fmt: skip
    (faces_csv.parent / "failures.csv").write_text("\n".join(rows) + "\n")
    found = evaluate(run, faces_csv).results.abstention
    assert found.no_face == 1 and found.clips == 7


def test_what_needs_films_is_missed_aloud_where_there_are_none(faces_csv, bright_run, caplog):
    run, _ = bright_run
    results = evaluate(run, faces_csv, EvaluationConfig(replicates=20, stability=True)).results
    assert results.own_boxes.reason == results.stability.reason
    (said,) = [message for message in caplog.messages if "nothing could be measured" in message]
    assert said.startswith("--stability:") and "name the data set's folder with --films" in said


def test_a_table_of_films_that_cannot_be_read_stops_only_who_needs_it(faces_csv, bright_run):
    run, _ = bright_run
    (faces_csv.parent / "clips.csv").write_text("who,knows\n1,2\n")
    found = evaluate(run, faces_csv, EvaluationConfig(replicates=20)).results.own_boxes
    assert "clips.csv" in found.reason
    assert evaluate(run, faces_csv, EvaluationConfig(replicates=20, own_boxes=False)).results.own_boxes is None
    with pytest.raises(InputError, match=r"clips\.csv"):
        evaluate(run, faces_csv, EvaluationConfig(replicates=20, stability=True))


# --- the threshold


def small(tmp_path, seed=0, decision=None):
    torch.manual_seed(seed)
    detector = opinionated(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=32)))
    detector.decision = decision or Decision()
    return save(detector, tmp_path / f"run{seed}" / "best").parent


def with_validation(faces_csv, clips=FEWEST_CLIPS):
    """The table with so many validation clips of either class, of somebody each."""
    rows = pd.read_csv(faces_csv, dtype=str, keep_default_na=False)
    more = []
    for number, row in enumerate(rows[rows["split"] == "val"].drop_duplicates("clip_id").to_dict("records")):
        for clip in range(clips - 1):
            path = f"crops/val/{number}_{clip}.png"
            (faces_csv.parent / "crops/val").mkdir(exist_ok=True)
            Image.new("RGB", (20, 20), (10 * clip + 40 * number,) * 3).save(faces_csv.parent / path)
            more.append(row | {"path": path, "clip_id": f"{number}_{clip}", "target_id": f"{number}_{clip}"})
    write_table(pd.concat([rows, pd.DataFrame(more)]), faces_csv, FACE_COLUMNS)


@pytest.mark.parametrize("why", ["few clips", "training clips", "practice data"])
def test_what_calibrate_refuses_fixes_no_threshold_either(faces_csv, tmp_path, caplog, why):
    run = small(tmp_path)
    if why != "few clips":
        with_validation(faces_csv)
    words = {"few clips": "a threshold takes 10 of each", "training clips": "was trained on 20 of these 20 clips",
             "practice data": "these are practice data"}[why]  # fmt: skip
    if why == "practice data":
        (faces_csv.parent / MINI_FILE).write_text("{}")
    if why == "training clips":
        rows = pd.read_csv(faces_csv, dtype=str, keep_default_na=False)
        learned = write_table(rows[rows["split"] == "val"].assign(split="train"), tmp_path / "a" / "faces.csv")
        for path in rows["path"]:
            (learned.parent / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(faces_csv.parent / path, learned.parent / path)
        (run / "config.json").write_text(json.dumps({"faces_sha256": sha256_of(learned)}))
    before = (run / "best" / "detector.json").read_bytes()
    results = evaluate(run, faces_csv, EvaluationConfig(replicates=20)).results
    assert words in caplog.text and "it is 0.5, for none can be fixed here" in caplog.text
    assert (run / "best" / "detector.json").read_bytes() == before and results.clip.threshold == 0.5


def test_what_is_in_doubt_is_kept_with_the_threshold(faces_csv, tmp_path, caplog):
    run = small(tmp_path)
    with_validation(faces_csv)
    evaluate(run, faces_csv, EvaluationConfig(replicates=20))
    first, *others = load_detector(run).decision.notes
    assert "fixed by `torchfakes evaluate` on split 'val' of faces.csv" in first and "10 real and 10 fake" in first
    assert any("crops of 20 px, and the network takes 32 px" in note for note in others)
    assert "crops of 20 px" in caplog.text


def test_a_detector_without_a_threshold_gets_one_from_validation_once(faces_csv, tmp_path, caplog):
    run = small(tmp_path)
    with_validation(faces_csv)
    before = (run / "best" / "model.safetensors").read_bytes()
    evaluate(run, faces_csv)
    assert "fixed on the validation split" in caplog.text
    decision = load_detector(run).decision
    assert decision != Decision() and (run / "best" / "model.safetensors").read_bytes() == before
    caplog.clear()
    summary = evaluate(run, faces_csv).results
    assert not caplog.text and summary.clip.threshold == decision.threshold


def test_without_validation_it_stays_at_one_half_and_that_is_said(faces_csv, tmp_path, caplog):
    run = small(tmp_path)
    table = pd.read_csv(faces_csv, dtype=str)
    write_table(table[table["split"] == "test"], faces_csv, FACE_COLUMNS)
    results = evaluate(run, faces_csv).results
    assert results.clip.threshold == 0.5 and results.decision.caution == NOT_FIXED, "the report warns of it"
    assert "it is 0.5" in caplog.text and not load_detector(run).decision.is_fixed


def without(faces_csv, split):
    table = pd.read_csv(faces_csv, dtype=str)
    write_table(table[table["split"] != split], faces_csv, FACE_COLUMNS)


def elsewhere(folder, lacks):
    """A table of another data set that cannot be evaluated on."""
    (folder / "other").mkdir()
    (folder / "other" / "faces.csv").write_text(lacks)
    return folder / "other" / "faces.csv"


@pytest.mark.parametrize(
    ("lacks", "more", "words"),
    [
        (["test"], lambda folder: {}, "no crops in split 'test'"),
        ([], lambda folder: {"cross": (elsewhere(folder, "clip_id"),)}, "other/faces.csv"),
        ([], lambda folder: {"scores": elsewhere(folder, "clip_id")}, "other/faces.csv"),
    ],
    ids=["no such split", "another data set", "scores"],
)
@pytest.mark.parametrize("validation", [True, False])
def test_a_refusal_stands_alone_and_fixes_no_threshold(faces_csv, tmp_path, caplog, lacks, more, words, validation):
    run = small(tmp_path)
    for split in [*lacks, *([] if validation else ["val"])]:
        without(faces_csv, split)
    with pytest.raises(InputError, match=words):
        evaluate(run, faces_csv, EvaluationConfig(**more(tmp_path)))
    assert not caplog.messages and not load_detector(run).decision.is_fixed


# --- scores that were made before


@pytest.mark.slow
def test_scores_are_taken_only_of_this_detector_and_these_crops(faces_csv, tmp_path):
    run, other = small(tmp_path), small(tmp_path, seed=1)
    first = evaluate(run, faces_csv).results
    again = evaluate(run, faces_csv, EvaluationConfig(scores=run / "scores.csv")).results
    assert again.clip == first.clip
    evaluate(other, faces_csv)
    with pytest.raises(InputError, match="scores of another detector"):
        evaluate(run, faces_csv, EvaluationConfig(scores=other / "scores.csv"))
    scores = read_table(run / "scores.csv", SCORED_COLUMNS)
    for changed, message in (
        (scores.iloc[1:], "scores of other crops"),
        (scores.iloc[[0, *range(len(scores) - 1)]], "scores of other crops"),
        (scores.assign(label=1 - scores["label"]), "scores of other crops"),
        (scores.assign(logit=[np.nan, *scores["logit"][1:]]), "1 scores are not numbers"),
        (scores.drop(columns="detector"), "lacks the column detector"),
    ):
        changed.to_csv(tmp_path / "changed.csv", index=False)
        with pytest.raises(InputError, match=message) as caught:
            evaluate(run, faces_csv, EvaluationConfig(scores=tmp_path / "changed.csv"))
        assert "\n" not in str(caught.value)


# --- beside others


def test_seeds_and_a_comparison(faces_csv, tmp_path):
    runs = [small(tmp_path, seed, Decision(0.4, notes=("by hand",))) for seed in range(3)]
    config = EvaluationConfig(seeds=(runs[1],), against=(runs[2],), replicates=50)
    summary = evaluate(runs[0], faces_csv, config).results
    assert summary.seeds.runs == 2 and len(summary.seeds.metrics["auc"].values) == 2
    assert summary.seeds.metrics["auc"].values[0] == pytest.approx(summary.clip.auc)
    beside = summary.comparison.metrics["auc"]
    assert summary.comparison.runs == (2, 1)
    assert beside.difference == pytest.approx(beside.first - beside.second)
    json.dumps(msgspec.to_builtins(summary), allow_nan=False)


def test_other_data_sets_are_measured_at_the_same_threshold(faces_csv, bright_run, tmp_path):
    run, _ = bright_run
    table = pd.read_csv(faces_csv, dtype=str)
    other = tmp_path / "celeb" / "faces"
    other.mkdir(parents=True)
    table["path"] = [f"../../{path}" for path in table["path"]]
    write_table(table[table["method"] != "FaceSwap"], other / "faces.csv", FACE_COLUMNS)
    found = evaluate(run, faces_csv, EvaluationConfig(cross=(other / "faces.csv",), replicates=50)).results.cross_data
    assert list(found) == ["celeb"] and found["celeb"].clip.auc == 1 and found["celeb"].clip.n == 4
    assert found["celeb"].data.fake_clips == {"Deepfakes": 2}


def test_frames_of_a_clip_can_be_limited(faces_csv, bright_run):
    run, _ = bright_run
    summary = evaluate(run, faces_csv, EvaluationConfig(scoring=Scoring(frames=1))).results
    assert summary.frame.n == summary.clip.n == 6


def test_the_summary_tells_methods_compressions_ways_and_calibration(faces_csv):
    summary = summarise(score(BrightnessDetector(), load_faces(faces_csv)), "test")
    assert list(summary.compressions) == ["c23"] and summary.compressions["c23"].n == 6
    assert set(summary.aggregations) == {"mean", "median", "top quarter", "mean logit"}
    assert summary.aggregations["mean"].auc == summary.clip.auc
    assert summary.aggregations["mean"].auc_minus_mean == 0
    assert summary.methods["Deepfakes"].balanced_accuracy == 1
    assert summary.calibration.frame.ece == pytest.approx(summary.calibration.frame.ece_uncalibrated)
    assert summary.curves.roc.tpr[-1] == 1


def test_not_a_number_is_never_summarised(faces_csv):
    scores = score(BrightnessDetector(), load_faces(faces_csv))
    scores.loc[3, "probability_fake"] = np.nan
    with pytest.raises(InputError, match="not"):
        summarise(scores, "test")


def test_comparisons_that_would_say_nothing_are_refused_in_a_line(faces_csv, tmp_path):
    runs = [small(tmp_path, seed, Decision(0.4, notes=("by hand",))) for seed in range(3)]
    for seed, (run, epochs) in enumerate(zip(runs, (5, 5, 3), strict=True)):
        (run / "config.json").write_text(json.dumps({"epochs": epochs, "seed": seed, "device": "cpu"}))
    for config, message in (
        (EvaluationConfig(cross=(faces_csv,)), "other data sets"),
        (EvaluationConfig(against=(runs[0],)), "the same weights"),
        (EvaluationConfig(seeds=(runs[1],), against=(runs[1],)), "name each run once"),
        (EvaluationConfig(seeds=(runs[2],)), "another recipe .* differs in epochs"),
        (EvaluationConfig(perturb=True, robustness=RobustnessConfig(("fog",))), "no perturbation 'fog'"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            evaluate(runs[0], faces_csv, config)
        assert "\n" not in str(caught.value) and not (runs[0] / "scores.csv").exists()
    assert evaluate(runs[0], faces_csv, EvaluationConfig(seeds=(runs[1],), replicates=20)).results.seeds.runs == 2


def test_a_split_of_one_class_is_measured_and_said(faces_csv, tmp_path, caplog):
    run = small(tmp_path, decision=Decision(0.4, notes=("by hand",)))
    table = pd.read_csv(faces_csv, dtype=str)
    write_table(table[table["label"] == "1"], faces_csv, FACE_COLUMNS)
    assert evaluate(run, faces_csv).results.clip.auc is None
    assert "only fake ones are given" in caplog.text and len(caplog.messages) == 1
