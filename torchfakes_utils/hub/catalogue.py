"""What others have published in a form of their own: what each detector is, where it lies, what may be done with it."""

from dataclasses import dataclass

from torchfakes_utils.models.deepfakebench import EFFICIENTNET_B4, XCEPTION
from torchfakes_utils.models.deepfakebench import SIZE as BENCH_SIZE
from torchfakes_utils.models.run_files import WEIGHTS_FILE
from torchfakes_utils.models.scope import Scope

HUB = "https://huggingface.co"
# What all of them were trained on, as their authors say. Of FaceForensics++ GenD's repository lists films of these four
# kinds of forgery; DeepfakeBench names FaceShifter, which came later, as a data set of its own.
FACEFORENSICS = Scope("FaceForensics++", ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"), ("c23",))


@dataclass(frozen=True)
class Published:
    """Somebody's detector.

    Attributes:
        title: what it is and who made it.
        architecture: by which it is computed here.
        repository: on the Hub; "" of one whose file its user has to have.
        licence: what may be done with it.
        trained_on: what it has learned from.
        scope: the same, for the line beside a verdict.
        revision: the commit that is taken; None: the one that the Hub names when it is first asked.
        sha256: of the weights in that commit, where it is known.
        size: edge of its crops, pixels; None is the architecture's own.
        release: the page of its file, where it is not on the Hub.
        file: what that is called there.
    """

    title: str
    architecture: str
    repository: str
    licence: str
    trained_on: str
    revision: str | None = None
    sha256: str | None = None
    size: int | None = None
    release: str = ""
    file: str = WEIGHTS_FILE
    scope: Scope = FACEFORENSICS

    @property
    def page(self) -> str:
        """Where its files are listed, for people."""
        if self.release:
            return self.release
        return f"{HUB}/{self.repository}/tree/{self.revision or 'main'}"


_GEND = "by Yermakov, Cech, Matas and Fritz (WACV 2026, arXiv 2508.06248)"
_FFPP = "FaceForensics++ (c23), whose terms allow research alone; its faces were turned upright, ours are not"
_BENCH = "by Yan, Zhang, Yuan, Lyu and Wu (DeepfakeBench, NeurIPS 2023)"
_NC = "CC BY-NC 4.0: nothing commercial, and its authors have to be named"
_RELEASE = "https://github.com/SCLBD/DeepfakeBench/releases/tag/v1.0.1"
PUBLISHED = {
    "gend-clip-l14": Published(
        f"GenD on CLIP ViT-L/14, {_GEND}",
        "GenD-CLIP-L14",
        "yermandy/GenD_CLIP_L_14",
        "MIT; its encoder is OpenAI's CLIP, MIT",
        _FFPP,
        # Not looked up by us, who have no way to the Hub: as several public projects give them that have loaded it.
        "891ce014a0308386c4d7d25b3dcf436a22db5504",
        "d76f0bdfd74a29fe1b1c1b84a80ac92486993e426878e8c7a3944281fbb96833",
    ),
    "gend-pe-l": Published(
        f"GenD on Perception Encoder L/14, {_GEND}",
        "GenD-PE-L",
        "yermandy/GenD_PE_L",
        "MIT; its encoder is Meta's Perception Encoder, Apache 2.0",
        _FFPP,
    ),
    "gend-dinov3-l": Published(
        f"GenD on DINOv3 ViT-L/16, {_GEND}",
        "GenD-DINOv3-L",
        "yermandy/GenD_DINOv3_L",
        "MIT, say its authors; its encoder is Meta's DINOv3, under the DINOv3 Licence, which is not MIT "
        "(https://ai.meta.com/resources/models-and-libraries/dinov3-license)",
        _FFPP,
    ),
    "deepfakebench-xception": Published(
        f"Xception, {_BENCH}", XCEPTION, "", _NC, _FFPP, size=BENCH_SIZE, release=_RELEASE, file="xception_best.pth"
    ),
    "deepfakebench-effnb4": Published(
        f"EfficientNet-B4, {_BENCH}",
        EFFICIENTNET_B4,
        "",
        _NC,
        _FFPP,
        size=BENCH_SIZE,
        release=_RELEASE,
        file="effnb4_best.pth",
    ),
}
