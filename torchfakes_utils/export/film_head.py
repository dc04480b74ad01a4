"""A detector of films as one ONNX file: the face crops of a window in, P(fake) out; checked before it is kept."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.onnx_graph import need_onnx, translated, write
from torchfakes_utils.io.folders import Stamp, replaced_folder
from torchfakes_utils.models.run_files import EXPORT_FOLDER
from torchfakes_utils.temporal.detector import VideoDetector, load_video
from torchfakes_utils.temporal.encoder import SPREAD

FILE = "film.onnx"
# Logits of the file and of PyTorch may differ by so much, in float32 on either side.
_TOLERANCE = 1e-2
_WINDOWS = 4  # that both are asked of, beside each other
_STAMP = Stamp("an export of a detector of films", "torchfakes export", 1)


@dataclass(frozen=True)
class ExportedFilm:
    """What was exported.

    Attributes:
        path: of the file.
        ticks, size: of its input `crops`, (ticks, 3, size, size) uint8.
        difference: the largest between its logits and PyTorch's, of windows of noise.
    """

    path: Path
    ticks: int
    size: int
    difference: float


class WholeHead(nn.Module):
    """Crops of a window (T, 3, S, S) uint8 to logit and P(fake), (1,) each: encoder, directions, head, temperature."""

    def __init__(self, detector: VideoDetector) -> None:
        super().__init__()
        self.encoder, self.head = detector.encoder, detector.network
        self.register_buffer("centre", detector.centre.clone())
        self.register_buffer("axes", detector.axes.clone())
        self.temperature = detector.decision.temperature
        self.eval()

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `VideoDetector` computes it."""
        assert self.encoder is not None
        features = self.encoder((crops.float() - SPREAD) / SPREAD)
        given = (features - self.get_buffer("centre")) @ self.get_buffer("axes")
        logit: torch.Tensor = self.head((given - given.mean(dim=0, keepdim=True))[None])
        return logit, (logit / self.temperature).sigmoid()


def export_film(run: Path | str, out: Path | None = None) -> ExportedFilm:
    """Export the head of a run of `train-video` with its encoder, and see that it answers as PyTorch does.

    Args:
        run: its folder.
        out: where `film.onnx` goes; None is RUN/export/onnx.

    Raises:
        InputError: no such run, a network of whole frames, a package is not installed, the file answers otherwise, or
            nothing can be written; what was exported before is then as it was.
    """
    detector = load_video(run)
    if detector.encoder is None:
        name = detector.config.architecture
        raise InputError(f"{run}: {name} looks at whole frames and is not exported; gru, attention and correlation are")
    folder = out or Path(run) / EXPORT_FOLDER / "onnx"
    view, whole = detector.view, WholeHead(detector)
    generator = np.random.default_rng(0)
    windows = [torch.from_numpy(generator.integers(0, 256, (view.ticks, 3, view.size, view.size), dtype=np.uint8))
               for _ in range(_WINDOWS)]  # fmt: skip
    with replaced_folder(folder, _STAMP) as fresh:
        what = f"{detector.config.architecture} with its encoder"
        model = translated(whole, windows[0], "crops", ("logit", "probability_fake"), {}, what, fresh)
        about = {"kind": "film", "view": asdict(view), "sha256": detector.sha256, "scope": detector.decision.scope.line}
        write(model, fresh / FILE, about)
        difference = _difference(whole, fresh / FILE, windows)
        if not difference <= _TOLERANCE:
            raise InputError(f"{what} as ONNX differs from PyTorch by {difference:.2g} in its logits; nothing is kept")
    return ExportedFilm(folder / FILE, view.ticks, view.size, difference)


@torch.inference_mode()
def _difference(whole: WholeHead, path: Path, windows: list[torch.Tensor]) -> float:
    session = need_onnx("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    gaps = [float(np.abs(session.run(["logit"], {"crops": one.numpy()})[0] - whole(one)[0].numpy()).max())
            for one in windows]  # fmt: skip
    return max(gaps)
