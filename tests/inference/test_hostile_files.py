"""A thousand damaged photos and two hundred damaged videos, always the same ones: no crash, no mess, bounded memory.

The fuzzing runs in a process of its own, so that a crash of a decoder is a failed test, and so that its memory is its
own. Real faces are in the files, so that whatever still decodes goes all the way to a verdict.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PHOTOS, VIDEOS = 1000, 200
MOST_MEMORY = 1.5e9  # bytes beyond what the process had before the first file

FUZZ = r'''
import faulthandler, io, json, os, resource, sys, tempfile
from pathlib import Path
import numpy as np
import torch
from PIL import Image
from skimage import data
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.io.limits import Limits
from torchfakes_utils.io.video import write_video

sys.path.insert(0, "tests")
from helpers.decisions import answering

faulthandler.enable()
torch.set_num_threads(1)
folder, photos, videos = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
face = Image.fromarray(data.astronaut()[:192, 128:320])
rng = np.random.default_rng(20261125)


def encoded(form, image=face, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def seeds():
    yield encoded("JPEG", quality=85)
    yield encoded("JPEG", face.convert("CMYK"), quality=85)
    turned = Image.Exif()
    turned[0x0112] = 3
    yield encoded("JPEG", face.rotate(180), quality=85, progressive=True, exif=turned)
    yield encoded("PNG")
    yield encoded("PNG", face.convert("LA"))
    yield encoded("PNG", Image.fromarray(np.asarray(face.convert("L")).astype(np.uint16) * 257))
    yield encoded("WEBP", quality=80)
    yield encoded("GIF", face.convert("P"), save_all=True, append_images=[face.rotate(3).convert("P")] * 3)
    yield encoded("TIFF", compression="tiff_lzw")
    yield encoded("TIFF", Image.fromarray(np.asarray(face.convert("L"), np.float32)))
    yield encoded("BMP")
    yield encoded("PPM")
    yield encoded("JPEG2000")
    yield encoded("AVIF", quality=60)


def mutated(content):
    """Bytes changed, numbers blown up, parts cut out or doubled; mostly near the beginning, where the headers are."""
    content = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        at = int(len(content) * rng.random() ** 3)
        kind = int(rng.integers(6))
        if kind == 0:
            content[at : at + 1] = bytes([int(rng.integers(256))])
        elif kind == 1:
            content[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\0\0\xff\xff"])
        elif kind == 2:
            content[at : at + int(rng.integers(1, 200))] = b""
        elif kind == 3:
            part = content[at : at + int(rng.integers(1, 400))]
            content[at:at] = part
        elif kind == 4 and len(content) > 64:
            del content[max(32, int(len(content) * rng.random())) :]
        else:
            content[at : at + 16] = rng.bytes(16)
    return bytes(content)


torch.manual_seed(0)
detector = Detector(DetectorConfig("Meso4", pretrained=None, preprocessing=Preprocessing(size=64, crop_size=64)))
detector.classifier.reset_parameters()  # a new one says 0.5 to everything
detector.decision = answering()
predictor = Predictor(detector, "cpu", Limits(memory=2**28, seconds=600))
films = []
for name, options in (("a.mp4", {}), ("b.mp4", {"crf": 40})):
    frames = [np.roll(np.asarray(face), i, axis=1) for i in range(16)]
    films.append(write_video(folder / name, frames, fps=8, **options).read_bytes())
    (folder / name).unlink()
import av
for form, codec in (("matroska", "libx264"), ("avi", "mpeg4"), ("mpegts", "mpeg2video"), ("webm", "libvpx")):
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 192, 192, "yuv420p"
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    films.append(file.getvalue())
for content in [*seeds(), *films]:  # all of them are good before they are damaged
    assert predictor.predict(content, 3).verdict != "cannot tell", predictor.predict(content, 3).reason
there = set(os.listdir(tempfile.gettempdir()))  # torch leaves something when it is imported
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
kinds, worst = {}, 0
originals = list(seeds())
todo = [originals[i % len(originals)] for i in range(photos)] + [films[i % len(films)] for i in range(videos)]
path = folder / "file"
for number, original in enumerate(todo):
    content = mutated(original)
    path.write_bytes(content)
    for source in ((path, content) if number % 10 == 0 else (path,)):
        answer = predictor.predict(source, 3)
        text = json.dumps(answer.to_json(), allow_nan=False)
        assert answer.reason and "\n" not in answer.reason and len(answer.reason) < 400, answer.reason
        assert (answer.probability_fake is None) == (answer.verdict == "cannot tell")
    kinds[answer.verdict == "cannot tell"] = kinds.get(answer.verdict == "cannot tell", 0) + 1
path.unlink()
unit = 1 if sys.platform == "darwin" else 1024
used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
left = sorted(set(os.listdir(tempfile.gettempdir())) - there)
print(json.dumps({"judged": kinds.get(False, 0), "refused": kinds.get(True, 0), "memory": used, "left": left}))
'''


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="measures memory as POSIX has it")
def test_damaged_files_are_refused_in_one_line_or_judged(tmp_path):
    own = tmp_path / "temporary"
    own.mkdir()
    environment = os.environ | {"TMPDIR": str(own), "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-c", FUZZ, str(tmp_path), str(PHOTOS), str(VIDEOS)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=Path(__file__).parents[2])
    assert result.returncode == 0, result.stderr[-3000:]
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["judged"] + found["refused"] == PHOTOS + VIDEOS
    # Both kinds in number: neither is every damaged file refused, nor does damage go unnoticed.
    assert found["judged"] > 100 and found["refused"] > 100, found
    assert found["memory"] < MOST_MEMORY, found
    assert found["left"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["temporary"]
