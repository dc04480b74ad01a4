"""`voices`, `recordings`, `train-audio`, `evaluate-audio`, and voices beside faces in `predict --audio`."""

import json

import av
import numpy as np
import pandas as pd
import pytest
import torch
from skimage import data

from torchfakes_utils.audio.decision import VoiceDecision
from torchfakes_utils.audio.detector import VoiceConfig, VoiceDetector
from torchfakes_utils.audio.detector import save as save_voice
from torchfakes_utils.cli import main
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.detector import DetectorConfig, save
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.scope import Scope

from helpers import voices
from helpers.decisions import answering
from helpers.detectors import opinionated

FACE = data.astronaut()[:192, 128:320]


@pytest.fixture(scope="module")
def ear(tmp_path_factory):
    """A run that calls every voice fake."""
    folder = tmp_path_factory.mktemp("ear")
    detector = VoiceDetector(VoiceConfig("lfcc", "logistic", 1.0)).eval()
    torch.nn.init.constant_(detector.network.line.bias, 4.0)
    detector.decision = VoiceDecision(band=Band((0.8,), 0.2), scope=Scope("a test", ("LPC",)))
    save_voice(detector, folder / "best")
    return folder


@pytest.fixture(scope="module")
def eye(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("eye")
    detector = opinionated(DetectorConfig("Meso4", pretrained=None, preprocessing=Preprocessing(size=64)))
    detector.decision = answering(0.5)
    save(detector, folder / "best")
    return folder


def film(path, sound):
    """A face for a second, and what is heard with it; None for no sound."""
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=8)
        picture.width, picture.height, picture.pix_fmt = FACE.shape[1], FACE.shape[0], "yuv420p"
        heard = None if sound is None else container.add_stream("aac", rate=16_000, layout="mono")
        for at in range(8):
            container.mux(picture.encode(av.VideoFrame.from_ndarray(np.roll(FACE, at, axis=1), format="rgb24")))
        container.mux(picture.encode(None))
        if heard is not None:
            frame = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), format="fltp", layout="mono")
            frame.sample_rate = 16_000
            fifo = av.AudioResampler("fltp", "mono", 16_000, frame_size=1024)
            for one in (*fifo.resample(frame), *fifo.resample(None)):
                container.mux(heard.encode(one))
            container.mux(heard.encode(None))
    return path


def said(capsys):
    out = capsys.readouterr()
    return [json.loads(line) for line in out.out.splitlines()], out.err


@pytest.mark.slow
def test_a_clip_gets_two_verdicts_side_by_side(eye, ear, tmp_path, capsys):
    film(tmp_path / "a.mp4", voices.spoken(2.0)), film(tmp_path / "b.mp4", None)
    film(tmp_path / "c.mp4", np.zeros(32_000)), voices.write(tmp_path / "d.wav", voices.spoken(2.0))
    words = [
        "predict",
        str(eye),
        "--audio",
        str(ear),
        *(str(tmp_path / one) for one in ("a.mp4", "b.mp4", "c.mp4", "d.wav")),
    ]
    assert main.main([*words, "--json", "--frames", "2", "--device", "cpu", "--csv", str(tmp_path / "t.csv")]) == 0
    (a, b, c, d), _ = said(capsys)
    assert a["voice"]["verdict"] == "fake" and a["voice"]["probability_fake"] == pytest.approx(0.982, abs=0.001)
    assert "trained on a test" in a["voice"]["scope"] and "trained on a test" not in a["scope"]
    faces = [one["probability_fake"] for one in (a, b, c)]
    assert None not in faces and max(faces) - min(faces) < 0.2, "sound moves no verdict on a face"
    assert b["voice"]["verdict"] == "cannot tell" and "no sound in it" in b["voice"]["reason"]
    assert c["voice"]["verdict"] == "cannot tell" and "sil" in c["voice"]["reason"]
    assert d["verdict"] == "cannot tell" and d["voice"]["verdict"] == "fake"
    table = pd.read_csv(tmp_path / "t.csv")
    assert list(table["voice_verdict"]) == ["fake", "cannot tell", "cannot tell", "fake"]


def test_the_voice_alone_is_judged_and_what_is_bad_keeps_nothing_back(ear, tmp_path, capsys):
    (tmp_path / "b.wav").write_text("no sound")
    voices.write(tmp_path / "a.wav", voices.spoken(1.5)), voices.write(tmp_path / "c.wav", voices.spoken(1.5, 200))
    files = [str(tmp_path / f"{name}.wav") for name in "abc"]
    assert main.main(["predict", "--audio", str(ear), *files, "--json"]) == 1
    found, err = said(capsys)
    assert [one["path"] for one in found] == files and [one["voice"]["verdict"] for one in found] == [
        "fake", "cannot tell", "fake"]  # fmt: skip
    assert "1 of 3 got no verdict" in err and "verdict" not in found[0]
    assert main.main(["predict", files[0], "--audio", str(ear)]) == 0
    out = capsys.readouterr().out
    assert "voice: fake" in out and "voice scope: trained on a test" in out
    assert main.main(["predict", files[1], "--audio", str(ear)]) == 2


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["predict", "--audio", "none", "a.wav"], "cannot be read"),
        (["predict", "somewhere"], "no file to judge"),
        (["train-audio", "none.csv", "--out", "run"], "no such table"),
        (["train-audio", "none.csv", "--out", "run", "--network", "rawnet2"], "rawnet2 takes --front-end waveform"),
        (["evaluate-audio", "none", "none.csv"], "cannot be read"),
        (["recordings", "none"], "no such folder"),
        (["voices", "out", "--seconds", "99"], "1 to 10 are possible"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path, monkeypatch, capsys, words, reason):
    monkeypatch.chdir(tmp_path)
    assert main.main(words) == 2
    err = capsys.readouterr().err
    assert reason in err and err.count("\n") == 1


def test_a_detector_of_faces_is_no_detector_of_voices(eye, tmp_path, capsys):
    path = voices.write(tmp_path / "a.wav", voices.spoken(1.0))
    assert main.main(["predict", "--audio", str(eye), str(path)]) == 2
    assert "not a detector of voices" in capsys.readouterr().err


def test_from_a_folder_to_scores(tmp_path, capsys):
    table = voices.data_set(tmp_path / "data", clips=2)
    words = ["--front-end", "log-mel", "--network", "logistic", "--seconds", "0.5"]
    assert main.main(["train-audio", str(table), "--out", str(tmp_path / "run"), *words, "--json"]) == 0
    assert main.main(["evaluate-audio", str(tmp_path / "run"), str(table), "--replicates", "100", "--json"]) == 0
    (*_, trained, measured), _ = said(capsys)
    assert trained["best"]["val_auc"] > 0.5 and measured["split"] == "test" and measured["speakers"] == 2
    assert main.main(["recordings", str(tmp_path / "data"), "--layout", "labelled"]) == 2
