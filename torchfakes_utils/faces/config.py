"""How faces are found and cut, and from which sharpness on a crop counts as sharp. Imports nothing heavy."""

from dataclasses import dataclass

from torchfakes_utils.errors import InputError

# Variance of the Laplacian at 160 x 160 px; below it a crop counts as blurred. It is the first TorchFakes project's
# choice, a convention and no law: other cameras and codecs have other levels, so look at the histogram before you
# trust it. Lesson 03 and the course's runs use it; `torchfakes train` filters nothing unless it is told to.
SHARPNESS_THRESHOLD = 30.0

# Beside faces.csv: how its crops were cut.
EXTRACTION_FILE, EXTRACTION_FORMAT = "extraction.json", 2
DATA_KEY = "data"  # under which it says which data set the crops are of


@dataclass(frozen=True)
class ExtractionConfig:
    """How faces are found and cut.

    Attributes:
        frames: frames a clip, evenly spread: neighbouring ones are nearly alike, so more add time, not knowledge.
        crop_scale: edge of the crop over the longer edge of the face box; 1.3 is the field's habit since FF++.
        size: edge of a stored crop, pixels; 160 is what InceptionResnetV1 was made for. Networks of larger input want
            224 to 448, which takes more room on the disk; faces that are smaller in their frames are enlarged, which
            adds no detail, and said where it is most of them.
        min_face: smallest face looked for, as a share of the frame's shorter side; smaller is slower.
        face_pixels: frames are scaled down to show the smallest face so large; time goes with the square.
        min_probability: confidence from which on something is a face. MTCNN is sure of real ones; below 0.9 it mostly
            sees faces in curtains.
        compression: raw, c23 or c40; None is the only one there is, or c23, on which most results are published.
        methods: only these manipulations; None is all there are.
        image_format: of the crops: png, jpg or webp. PNG is lossless; the others add traces of their own to the ones
            that are looked for.
        quality: of jpg and webp, 1 to 100.
        reuse: take a fake's face from the place of its original's, where the frames correspond.
        device: auto, cpu, cuda or cuda:1; "auto" takes a CUDA GPU where there is one.
        batch: frames looked at together; 32 is no faster on a CPU.
    """

    frames: int = 32
    crop_scale: float = 1.3
    size: int = 160
    min_face: float = 0.15
    face_pixels: int = 36
    min_probability: float = 0.9
    compression: str | None = None
    methods: tuple[str, ...] | None = None
    image_format: str = "png"
    quality: int = 95
    reuse: bool = True
    device: str = "auto"
    batch: int = 16

    def __post_init__(self) -> None:
        """Refuse what cannot work, before a long run starts.

        Raises:
            InputError: a value is out of its range.
        """
        checks = {
            "frames must be at least 1": self.frames >= 1,
            "crop_scale must be from 1 to 4": 1 <= self.crop_scale <= 4,
            "size must be from 32 to 1024": 32 <= self.size <= 1024,
            "min_face must be over 0 and at most 1": 0 < self.min_face <= 1,
            "face_pixels must be from 20 to 1000": 20 <= self.face_pixels <= 1000,
            "min_probability must be from 0 to 1": 0 <= self.min_probability <= 1,
            "image_format must be png, jpg or webp": self.image_format in ("png", "jpg", "webp"),
            "quality must be from 1 to 100": 1 <= self.quality <= 100,
            "batch must be at least 1": self.batch >= 1,
        }
        for rule, holds in checks.items():
            if not holds:
                raise InputError(f"{rule}; got {getattr(self, rule.split()[0])}")

    @property
    def detect_lines(self) -> float:
        """Shorter side, in pixels, of the frames that the face detector is shown (of smaller frames, their own)."""
        return self.face_pixels / self.min_face


DEFAULTS = ExtractionConfig()
