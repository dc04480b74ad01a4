"""A detector of films as one file: it answers as PyTorch does, and what is no head is refused."""

import numpy as np
import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.film_head import FILE, WholeHead, export_film
from torchfakes_utils.temporal.config import View
from torchfakes_utils.temporal.detector import VideoDetector, VideoDetectorConfig, load_video, save_video
from torchfakes_utils.temporal.store import Described

pytest.importorskip("onnxruntime")


def a_detector(architecture: str, folder) -> VideoDetector:
    torch.manual_seed(0)
    faces = architecture != "diff3d"
    config = VideoDetectorConfig(architecture, View(0.4, 12.5, 48, faces=faces), 6 if faces else 0)
    detector = VideoDetector(config).eval()
    for layer in [module for module in detector.network.modules() if isinstance(module, torch.nn.Linear)]:
        torch.nn.init.normal_(layer.weight, std=0.5)
    if faces:
        detector.axes.normal_(std=0.05)
    save_video(detector, folder)
    return detector


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["gru", "attention"])
def test_the_file_answers_as_the_detector_does(architecture, tmp_path):
    import onnxruntime

    a_detector(architecture, tmp_path / "best")
    made = export_film(tmp_path)
    detector = load_video(tmp_path)
    pictures = np.random.default_rng(1).integers(0, 256, (5, 48, 48, 3), dtype=np.uint8)
    clip = Described(np.arange(5) / 12.5, np.zeros(5, int), detector.describe(pictures))
    wanted = detector.answers(clip, np.zeros(1, int))[0, 0]
    session = onnxruntime.InferenceSession(str(made.path), providers=["CPUExecutionProvider"])
    logit, probability = session.run(None, {"crops": pictures.transpose(0, 3, 1, 2).copy()})
    # In half precision features are kept between the two.
    assert float(logit[0]) == pytest.approx(wanted, abs=0.02, rel=3e-3)
    assert float(probability[0]) == pytest.approx(1 / (1 + np.exp(-float(logit[0]))), abs=1e-5)
    assert made.difference < 1e-3 and abs(wanted) > 1e-3
    again = export_film(tmp_path)
    assert again.path.name == FILE and sorted(one.name for one in again.path.parent.iterdir())[0] == FILE


def test_a_network_of_frames_is_refused_in_one_line(tmp_path):
    a_detector("diff3d", tmp_path / "best")
    with pytest.raises(InputError, match="diff3d looks at whole frames and is not exported") as caught:
        export_film(tmp_path)
    assert "\n" not in str(caught.value) and not (tmp_path / "export").exists()


def test_a_window_alone_is_centred_as_in_the_detector(tmp_path):
    detector = a_detector("correlation", tmp_path)
    crops = torch.randint(0, 256, (5, 3, 48, 48), dtype=torch.uint8)
    assert WholeHead(detector)(crops)[0].shape == (1,)
