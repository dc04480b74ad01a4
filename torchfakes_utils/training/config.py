"""How to train: every choice of a run, its default, and the reason for it."""

import math
from dataclasses import dataclass

from torchfakes_utils.errors import InputError
from torchfakes_utils.metrics.config import RATE, check_rate

# Where and how fast a run is computed, and who watches: these may differ when a run is taken up again.
FREE_FIELDS = (
    "device", "mixed_precision", "compile", "cache", "checkpoint_minutes", "tracker", "log_every", "processes",
)  # fmt: skip

# The least that each can be; batch norm has nothing to average over one crop.
_LEAST = {
    "epochs": 1, "batch_size": 2, "accumulate": 1, "patience": 1, "crops_per_epoch": 2, "image_size": 1,
    "val_frames_per_clip": 1, "seed": 0, "checkpoint_minutes": 0, "log_every": 1, "processes": 1,
}  # fmt: skip
SCHEDULES = ("one-cycle", "cosine", "plateau", "constant")
_POSITIVE = ("learning_rate", "head_learning_rate", "clip_norm")

_TAKES = {
    "warmup_epochs": "the schedule cosine and more epochs than it; --warmup-epochs 0 has none",
    "min_sharpness": "0, which keeps all crops, or more (30 was the first project's)",
    "weight_decay": "0 or more",
    "average": "0 or more, and less than 1",
    "dropout": "0 or more, and less than 1",
    "self_blended": "shares, from 0 to 1, of which no more than 0 with random labels",
}


def _takes(field: str) -> str:
    """What a number may be."""
    if field in _LEAST:
        return f"{_LEAST[field]} or more"
    return "numbers above 0" if field in _POSITIVE else _TAKES[field]


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    `recipe` is a name that goes into the run's record; it is `recipes.from_recipe` that fills in the other fields.

    Attributes:
        recipe: course, cpu or best: settings that belong together (`torchfakes recipes` shows them with their reasons);
            what is given beside it overrides it.
        architecture: InceptionResnetV1, EfficientNet-Lite0, Meso4, MesoInception4, GenD-CLIP-L14, GenD-PE-L,
            GenD-DINOv3-L (300 million numbers each, for a GPU), or timm:NAME.
        pretrained: weights to start from: vggface2, casia-webface, imagenet or timm; None is random ones. "default" is
            vggface2 for InceptionResnetV1, imagenet for EfficientNet-Lite0, timm's own for its networks where they are
            published, random ones for the others.
        weights: a file with the architecture's weights, instead of downloading them.
        tune: what may change: "all", "head", "norms", or the name of a stage, for it and those after it.
        epochs: passes at most; the one-cycle schedule is stretched over them, so more epochs is another run, not a
            longer one.
        batch_size: crops on the device at once, of all processes together; 16 fits a GPU of 8 GB at 160 px.
        accumulate: batches whose gradients are added up before a step, where more do not fit.
        learning_rate: the peak of the schedule. None is 1e-3, AdamW's usual rate, from random weights, and 3e-4 from
            pretrained ones, which a high rate would wash away.
        head_learning_rate: of the classifier, which begins at zero; None is the same as the body's.
        weight_decay: of the weights of convolutions and linear layers; biases and batch norms are left alone.
        schedule: "one-cycle", "cosine" (from the rate down to zero), "plateau" (smaller when validation AUC stands
            still) or "constant".
        warmup_epochs: of a cosine schedule, in which the rate first rises in a straight line; may be part of one.
        clip_norm: gradients longer than this are shortened to it; None leaves them.
        average: the share of the old average that each step keeps, of an exponential moving average of the weights,
            which is then what is validated and kept; 0 is none.
        dropout: before the last linear layer; None is the architecture's usual.
        patience: epochs without a better validation AUC before stopping. None is 5, but not for one-cycle and cosine
            runs, whose rate has to fall to its end first: they are never stopped on the way.
        sampling: "paired" draws a real crop and a fake that was made from it, one after the other;
            "balanced" draws each class and manipulation independently; "uniform" takes the crops as they come, which
            on FF++ rewards a network for always saying "fake".
        crops_per_epoch: crops drawn in a pass; None is as many as there are real training crops. Half of those drawn
            are fake, so that every real crop comes in every other pass: an epoch short enough to watch.
        methods: train and validate on these manipulations only, beside the reals; None is all of the table, and () is
            none, for self-blended fakes alone.
        self_blended: share of the drawn fakes that are made from their own real crop by blending it with itself
            (Shiohara and Yamasaki, CVPR 2022), instead of taken from the table: what all face swaps share, and nobody's
            method. At 1 no fakes are needed; where validation has none either, it has self-blended ones, and says so.
        min_sharpness: training frames blurrier than this are left out (variance of the Laplacian of the original's
            crop, its fakes with it); 0 keeps all. The first project took 30, which on DFDC's crops takes 29 % of the
            reals and, asked one by one, 42 % of the fakes. Validation crops are never filtered.
        augmentation: "none", "mirror", "first-project", "modern", "mild", "strong" or "gend".
        shared_draws: let augmentation change both crops of a pair alike, so that the forgery remains what they differ
            in; only "paired" sampling has pairs.
        image_size: edge of the network's input, pixels; None is the architecture's own, or that of the stored crops if
            they are smaller, in whole patches of a vision transformer. Time goes with its square.
        val_frames_per_clip: crops of a validation clip that are looked at; None is all. Neighbouring frames say much
            the same, and on a CPU a validation pass is mostly waiting.
        false_alarms, misses: shares of validation's real clips that may be called fake, and of its fakes that may be
            called real, by which the detector's thresholds are fixed; between them it cannot tell.
        random_labels: train on random labels, one a crop: the network that cannot have learned anything, as a
            control (Adebayo et al., NeurIPS 2018). Validation keeps the true ones.
        seed: of everything random.
        device: "auto" takes a CUDA GPU where there is one.
        mixed_precision: "auto" takes bf16 or fp16 where this network is faster in it on this machine, which is timed
            before the first step and kept by the run; or "off", "bf16", "fp16".
        compile: let torch.compile translate the network: minutes at the start, for faster steps on a GPU.
        cache: "auto" decodes all crops once into a file beside them; "off" reads them each time.
        checkpoint_minutes: a run that is killed loses at most so much; it is also kept after every epoch.
        tracker: who else is told: "auto" (trackio, where it is installed), "none", "trackio", "wandb", "tensorboard".
        log_every: steps between rows of `steps.csv`.
        processes: how many there have to be; None takes what `torchrun` started.
    """

    recipe: str | None = None
    architecture: str = "InceptionResnetV1"
    pretrained: str | None = "default"
    weights: str | None = None
    tune: str = "all"
    epochs: int = 5
    batch_size: int = 16
    accumulate: int = 1
    learning_rate: float | None = None
    head_learning_rate: float | None = None
    weight_decay: float = 1e-2
    schedule: str = "one-cycle"
    warmup_epochs: float = 0.0
    clip_norm: float | None = None
    average: float = 0.0
    dropout: float | None = None
    patience: int | None = None
    sampling: str = "paired"
    crops_per_epoch: int | None = None
    methods: tuple[str, ...] | None = None
    self_blended: float = 0.0
    min_sharpness: float = 0.0
    augmentation: str = "none"
    shared_draws: bool = True
    image_size: int | None = None
    val_frames_per_clip: int | None = 4
    false_alarms: float = RATE
    misses: float = RATE
    random_labels: bool = False
    seed: int = 0
    device: str = "auto"
    mixed_precision: str = "auto"
    compile: bool = False
    cache: str = "auto"
    checkpoint_minutes: float = 10.0
    tracker: str = "none"
    log_every: int = 10
    processes: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work, by the name that the user knows it by.

        Raises:
            InputError: a value out of range.
        """
        from torchfakes_utils.crops.augmentation import AUGMENTATIONS  # here, for options need no torch
        from torchfakes_utils.crops.samplers import SAMPLERS
        from torchfakes_utils.crops.store import CACHES
        from torchfakes_utils.training.trackers import TRACKERS

        check_rate(self.false_alarms, "--false-alarms")
        check_rate(self.misses, "--misses")
        choices: dict[str, tuple[str, ...]] = {
            "schedule": SCHEDULES, "mixed_precision": ("auto", "off", "bf16", "fp16"),
            "sampling": tuple(SAMPLERS), "augmentation": tuple(AUGMENTATIONS), "cache": CACHES, "tracker": TRACKERS,
        }  # fmt: skip
        given = vars(self)
        good = {name: given[name] in known for name, known in choices.items()}
        good |= {name: given[name] is None or given[name] >= least for name, least in _LEAST.items()}
        good |= {name: given[name] is None or 0 < given[name] < math.inf for name in _POSITIVE}
        good |= {
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "average": 0 <= self.average < 1,
            "self_blended": 0 <= self.self_blended <= 1 and not (self.self_blended and self.random_labels),
            "min_sharpness": 0 <= self.min_sharpness < math.inf,
            "warmup_epochs": 0 <= self.warmup_epochs < self.epochs
            and (self.schedule == "cosine" or not self.warmup_epochs),
            "dropout": self.dropout is None or 0 <= self.dropout < 1,
        }
        wrong = next((name for name, fits in good.items() if not fits), None)
        if wrong is not None:
            hint = f"; choose one of {', '.join(choices[wrong])}" if wrong in choices else f"; it takes {_takes(wrong)}"
            raise InputError(f"training cannot use {wrong.replace('_', ' ')} {given[wrong]!r}{hint}")

    @property
    def stops_after(self) -> float:
        """Epochs without a better validation AUC after which a run ends."""
        if self.patience is not None:
            return self.patience
        return math.inf if self.schedule in ("one-cycle", "cosine") else 5
