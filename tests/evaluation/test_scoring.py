"""What is measured of a crop while it is scored."""

import numpy as np
import pytest
import torch

from torchfakes_utils.crops.table import load_faces, read_crop
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.io import machine
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.folding import for_scoring
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.crops import make_faces
from helpers.export import build


@pytest.mark.parametrize("change", [None, lambda crops, number: crops], ids=["as stored", "changed"])
def test_light_is_measured_on_the_stored_crop_and_not_at_the_networks_size(tmp_path, change):
    """Noise of 160 px has a contrast of 35 to 45; of what is left of it at 32 px, less than 20."""
    faces = load_faces(make_faces(tmp_path, {"test": 1}, frames=2, size=160))
    detector = Detector(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=32, crop_size=160))).eval()
    for least, said in ((30.0, ""), (60.0, "too little contrast (contrast ")):
        detector.decision = Decision(ranges={"contrast": (least, None)})
        with torch.inference_mode():
            told = score(detector, faces, Scoring(device="cpu", progress=False), change)["cannot_tell"]
        assert all(text.startswith(said) and bool(text) == bool(said) for text in told)


def test_scores_are_the_networks_own_and_memory_is_kept_meanwhile(tmp_path):
    """Scored is a folded copy (`models.folding`); what reads and changes crops sees whether memory is kept."""
    faces = load_faces(make_faces(tmp_path, {"test": 2}, frames=3, size=64))
    detector = build("timm:test_efficientnet", 64)
    kept = []

    def change(crops, number):
        kept.append(machine._KEPT.locked())
        return crops

    assert for_scoring(detector) is not detector
    found = score(detector, faces, Scoring(device="cpu", progress=False), change)
    crops = torch.stack([read_crop(file) for file in faces["file"]])
    with torch.inference_mode():
        both = [detector(detector.preprocessing.apply(some)) for some in (crops, crops.flip(3))]
        expected = ((both[0] + both[1]) / 2).numpy()
    assert np.allclose(found["logit"], expected, rtol=0, atol=1e-4) and len(found) == len(faces) > 2
    assert all(kept) and kept and not machine._KEPT.locked()
