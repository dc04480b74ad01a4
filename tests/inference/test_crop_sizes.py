"""Crops stored larger than the network looks at them: one meaning from extraction to the verdict on a film."""

import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.crops.table import load_faces, load_faces_for, read_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.evaluate import evaluate
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.explanation.config import ExplanationConfig
from torchfakes_utils.explanation.explain import explain
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.extraction import extract_faces
from torchfakes_utils.faces.quality import crop_qualities
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.io.tables import CLIP_COLUMNS, CLIP_KEY, read_table
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.run import train

pytestmark = pytest.mark.slow

NETWORK = 96
TRAINED = TrainingConfig(
    architecture="Meso4", pretrained=None, image_size=NETWORK, epochs=2, batch_size=8, device="cpu",
    augmentation="mild", mixed_precision="off",
)  # fmt: skip


@pytest.fixture(scope="module", params=[256, 320, 448])
def stored(request, tiny_ffpp, tiny_faces, tmp_path_factory):
    """The edge of its crops, a table, a run on it, and what evaluation makes of that."""
    folder = tmp_path_factory.mktemp("stored")
    extract_faces(tiny_ffpp, folder / "faces", ExtractionConfig(frames=4, size=request.param), progress=False)
    faces_csv = folder / "faces/faces.csv"
    train(faces_csv, folder / "run", TRAINED, progress=False)
    evaluate(folder / "run", faces_csv)
    return request.param, faces_csv, folder / "run"


def test_the_detector_remembers_how_its_crops_were_cut(stored):
    size, faces_csv, run = stored
    preprocessing = load_detector(run / "best").preprocessing
    assert (preprocessing.size, preprocessing.crop_size) == (NETWORK, size)
    faces = load_faces(faces_csv)
    assert read_crop(faces["file"].iloc[0]).shape == (3, size, size)
    assert (faces["crop_size"] == size).all()
    (array,) = (faces_csv.parent / ".cache").glob("*.npy")
    assert np.load(array, mmap_mode="r").shape == (len(faces), 3, NETWORK, NETWORK)  # of the network's size, not theirs


def test_a_film_is_judged_on_the_very_crops_that_were_stored(stored, tiny_ffpp):
    size, faces_csv, run = stored
    faces = load_faces(faces_csv)
    rows = faces[faces["label"] == 0].groupby(CLIP_KEY).get_group(("youtube", "c23", "000"))
    clips = read_table(tiny_ffpp / "clips.csv", CLIP_COLUMNS).set_index(CLIP_KEY)["path"]
    predictor = Predictor(load_detector(run / "best"), "cpu")
    seen = predictor.examine(tiny_ffpp / clips["youtube", "c23", "000"], frames=4)
    scored = score(predictor.detector, rows.reset_index(drop=True))
    for row, frame, p in zip(
        rows.itertuples(), seen.prediction.faces[0].frames, scored["probability_fake"], strict=True
    ):
        crop = read_crop(row.file)
        assert np.array_equal(seen.crops[0, row.frame], crop.permute(1, 2, 0).numpy())
        assert frame.probability_fake == pytest.approx(p, abs=1e-4)
        # Size of the face in its frame: however large its crop is stored.
        assert max(frame.box[2] - frame.box[0], frame.box[3] - frame.box[1]) < 120 < size


def test_answers_and_ranges_are_of_the_crops_as_they_were_cut(stored):
    _, faces_csv, run = stored
    detector, faces = load_detector(run / "best"), load_faces(faces_csv, "train")
    crops = [read_crop(file).numpy() for file in faces["file"]]
    edges = (faces["x2"] - faces["x1"]).to_numpy() / 1.3
    seen = crop_qualities(crops, faces["outside"].to_numpy(), edges, faces["sharpness"].to_numpy())
    for name, (low, high) in detector.decision.ranges.items():
        assert low is None or low <= seen[name].min() < 2 * low, name
        assert high is None or name == "outside" or high / 2 < seen[name].max() <= high, name
    assert crop_qualities(crops, edges, edges)["sharpness"].to_numpy() == pytest.approx(faces["sharpness"], abs=0.001)
    scores = pd.read_csv(run / "scores.csv", keep_default_na=False)
    assert (scores["cannot_tell"] != "").mean() < 0.3


def test_maps_and_landmarks_fit(stored, tiny_ffpp):
    size, faces_csv, run = stored
    faces = load_faces(faces_csv)
    landmarks = np.array([text.split() for text in faces["landmarks"]], float)
    assert landmarks.min() > 0 and size / 2 < landmarks.max() < size
    out = explain(run, faces_csv, None, ExplanationConfig(limit=2, controls=1, data=tiny_ffpp))
    maps = np.load(out / "maps.npz")["maps"]
    assert maps.shape == (2, NETWORK, NETWORK)
    regions = pd.read_csv(out / "regions.csv")
    areas = regions.groupby("region")["area"].mean()
    # Where landmarks are taken for those of another size, the face leaves the crop, and all of it is outside.
    assert areas["outside"] < 0.8 and areas["eyes"] > 0.01


def test_a_detector_of_other_crops_takes_them_and_refuses_smaller_ones(stored, tiny_faces):
    _, faces_csv, run = stored
    detector = load_detector(run / "best")
    with pytest.raises(
        InputError, match=f"these crops are 64 px, smaller than the {NETWORK} px that the network takes"
    ):
        load_faces_for(detector, tiny_faces / "faces.csv")
    faces = load_faces_for(detector, faces_csv, "test")
    assert torch.isfinite(torch.tensor(score(detector, faces)["logit"].to_numpy())).all()
