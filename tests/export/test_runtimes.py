"""Files of an export in the place of the detector, whatever made them; and files that are none."""

import pytest
from PIL import Image

from torchfakes_utils.cli import main
from torchfakes_utils.errors import InputError
from torchfakes_utils.export.onnx_format import OnnxRuntime
from torchfakes_utils.export.runtimes import load_face_detector, load_network
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.models.detector import save

from helpers.export import build

pytestmark = pytest.mark.slow  # an export takes some twenty seconds


def test_a_file_runs_in_the_place_of_the_detector(run, exported, portraits, tmp_path):
    folder, _ = exported
    Image.fromarray(portraits[0]).save(tmp_path / "photo.png")
    predictor = Predictor.from_run(run, "cpu")
    expected = predictor.predict(tmp_path / "photo.png")
    other = Predictor.from_run(run, "cpu", network=load_network(folder / "detector.fp32.onnx", 1))
    # Not one step of PyTorch's is left.
    other.face_detectors = [load_face_detector(folder, one.config) for one in predictor.face_detectors]
    other.detector.forward = None
    found = other.predict(tmp_path / "photo.png")
    assert (found.verdict, len(found.faces)) == (expected.verdict, 1) and found.verdict != "cannot tell"
    assert found.probability_fake == pytest.approx(expected.probability_fake, abs=1e-3)
    assert found.faces[0].frames[0].box == pytest.approx(expected.faces[0].frames[0].box, abs=0.11)  # in tenths


def test_foreign_files_are_refused_in_one_line(exported, tmp_path, run):
    folder, _ = exported
    (tmp_path / "noise.onnx").write_bytes(b"no model")
    (tmp_path / "detector.txt").write_text("")
    cases = [
        (folder / "pnet.onnx", "not a torchfakes detector"),
        (tmp_path / "noise.onnx", "not an ONNX model"),
        (tmp_path / "gone.onnx", "no such file"),
        (tmp_path / "detector.txt", "neither .onnx nor .pte"),
    ]
    for path, words in cases:
        with pytest.raises(InputError, match=words) as caught:
            load_network(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="not a torchfakes face network"):
        OnnxRuntime().open_face_network(folder / "detector.fp32.onnx")


def test_the_command_refuses_a_network_of_other_weights(exported, tmp_path, portraits, capsys):
    save(build(seed=1), tmp_path / "other/best")
    Image.fromarray(portraits[0]).save(tmp_path / "photo.png")
    network = str(exported[0] / "detector.fp32.onnx")
    assert main.main(["predict", str(tmp_path / "other"), str(tmp_path / "photo.png"), "--network", network]) == 2
    shown = capsys.readouterr()
    assert "made from other weights" in shown.err and shown.out == ""
