"""ExecuTorch programs, run by ExecuTorch: the same answers, any number of crops, and files that are none."""

import json

import numpy as np
import pytest
import torch

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.export.config import ExportConfig
from torchfakes_utils.export.executorch_format import BATCH, ExecutorchRuntime
from torchfakes_utils.export.export import export_run
from torchfakes_utils.export.face_networks import FACE_NETWORKS, face_example, face_networks
from torchfakes_utils.export.mtcnn_numpy import FaceNetworks
from torchfakes_utils.export.runtimes import load_face_detector, load_network
from torchfakes_utils.models.detector import load_detector

from helpers.browser import require_package
from helpers.export import SIZE, crops_of, logits_of, noise

pytestmark = pytest.mark.slow  # an export takes some twenty seconds


@pytest.fixture(scope="module")
def programs(run, tmp_path_factory):
    require_package("executorch")
    return export_run(run, ExportConfig("executorch", out=tmp_path_factory.mktemp("programs") / "out"))


def test_programs_run_and_answer_as_the_detector_does(run, table, programs):
    from executorch.runtime import Runtime

    folder, detector = programs.folder, load_detector(run)
    assert {path.suffix for path in folder.iterdir()} == {".pte", ".json", ".md"}
    fp32, int8 = programs.files
    assert fp32.max_logit_difference <= 1e-3 < int8.max_logit_difference and int8.points["crop"] >= -0.5
    program = Runtime.get().load_program(folder / "detector.fp32.pte")
    assert program.load_method("threshold").execute([]) == [0.4] and program.load_method("size").execute([]) == [SIZE]
    described = json.loads(program.load_method("torchfakes").execute([])[0])
    assert described["source"]["weights_sha256"] == detector.sha256 and "executorch" in described["made_with"]
    forward = program.load_method("forward")
    for count in (1, 3, BATCH):
        crops = noise(count)
        logit, probability = forward.execute([torch.from_numpy(crops)])
        assert np.allclose(logit.numpy(), logits_of(detector, crops), rtol=0, atol=1e-4)
        assert np.allclose(probability.numpy(), 1 / (1 + np.exp(-logit.numpy() / 1.7)), rtol=0, atol=1e-6)
    test = crops_of(load_faces(table, "test"))
    network = load_network(folder / "detector.int8.pte")
    assert len(test) > BATCH
    assert np.abs(network(test) - logits_of(detector, test)).max() == pytest.approx(int8.max_logit_difference, abs=1e-4)


def test_programs_find_the_faces_that_the_original_finds(programs, portraits):
    from torchfakes_utils.faces.detection import FaceDetector

    ours, original = load_face_detector(programs.folder), FaceDetector("cpu")
    for portrait in portraits:
        (found,), (expected,) = ours.detect([portrait]), original.detect(portrait[None])
        assert len(found) == len(expected) == 1 and np.allclose(found.boxes, expected.boxes, rtol=0, atol=0.01)


@pytest.mark.parametrize("count", [1, 2, 3, 64, 65])
def test_programs_of_face_networks_take_any_number_of_patches(programs, count):
    callables = FaceNetworks(*(ExecutorchRuntime().open_face_network(programs.folder / f"{name}.pte") for name in
                               FACE_NETWORKS))  # fmt: skip
    networks = face_networks()
    for name in ("rnet", "onet"):
        pixels = face_example(name, count)
        with torch.inference_mode():
            expected = networks[name](pixels)
        for value, own in zip(getattr(callables, name)(pixels.numpy()), expected, strict=True):
            assert np.allclose(value, own.numpy(), rtol=0, atol=1e-4)
    for shape in ((13, 13), (14, 40), (81, 640)):
        pixels = np.random.default_rng(0).uniform(-1, 1, (1, 3, *shape)).astype(np.float32)
        with torch.inference_mode():
            expected = networks["pnet"](torch.from_numpy(pixels))
        assert np.allclose(callables.pnet(pixels)[0], expected[0].numpy(), rtol=0, atol=1e-4)
    with pytest.raises(InputError, match="up to 640 px"):
        callables.pnet(np.zeros((1, 3, 20, 641), np.float32))


def test_foreign_programs_are_refused_in_one_line(programs, tmp_path):
    (tmp_path / "noise.pte").write_bytes(b"no program" * 100)
    cut = (programs.folder / "detector.fp32.pte").read_bytes()
    (tmp_path / "cut.pte").write_bytes(cut[: len(cut) // 2])
    cases = {"noise.pte": "not an ExecuTorch program", "cut.pte": "not an ExecuTorch program", "no.pte": "no such file"}
    for name, words in cases.items():
        with pytest.raises(InputError, match=words):
            load_network(tmp_path / name)
    with pytest.raises(InputError, match="not a torchfakes detector"):
        load_network(programs.folder / "rnet.pte")
