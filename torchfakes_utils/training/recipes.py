"""Recipes: settings of a run that belong together, each with its reason, and what was measured with them.

A recipe is a starting point. `torchfakes train FACES.CSV --recipe cpu --epochs 20` takes all of it but the epochs; what
a recipe does not name is as `TrainingConfig` has it. To add one, add it here.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torchfakes_utils.errors import InputError
from torchfakes_utils.training.config import TrainingConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """A field of `TrainingConfig`: what it is set to, and why."""

    value: Any
    why: str


@dataclass(frozen=True)
class Measured:
    """What was measured with a recipe.

    Attributes:
        data: on what; and by whom, if not by us.
        result: the figures, with their intervals.
        page: where they stand with the command, or the paper.
    """

    data: str
    result: str
    page: str

    def __str__(self) -> str:
        return f"{self.data}: {self.result} ({self.page})"


@dataclass(frozen=True)
class Recipe:
    """Settings that belong together.

    Attributes:
        about: what it is for, in a line.
        choices: by the field's name.
        measured: what was measured with it.
        not_measured: what was not.
    """

    about: str
    choices: Mapping[str, Choice]
    measured: tuple[Measured, ...]
    not_measured: str


_DFDC = "docs/benchmarks/dfdc.md"

# GenD: Yermakov, Cech, Matas and Fritz, Deepfake Detection that Generalizes Across Benchmarks, WACV 2026
# (arXiv 2508.06248). Where a reason says "their program", it is what github.com/yermandy/GenD trains with
# (`get_default_train_config` in src/exp/wacv_rebuttal.py and the defaults of src/config.py).
RECIPES: Mapping[str, Recipe] = {
    "course": Recipe(
        "the network of the course and of the first TorchFakes project, from nothing: what lesson 05 looks into",
        {
            "architecture": Choice("InceptionResnetV1", "a face recogniser, as the first project had it"),
            "pretrained": Choice(None, "the same start for everybody; vggface2, where it can be had, knows faces"),
            "image_size": Choice(160, "what it was designed for"),
            "epochs": Choice(10, "on Mini-FF++, validation rises no more by then"),
            "batch_size": Choice(16, "the first project's; fits a GPU of 8 GB"),
            "learning_rate": Choice(4e-4, "at AdamW's usual 1e-3 it had hardly begun to learn after six epochs, twice"),
            "schedule": Choice("one-cycle", "from random weights, a high rate in the middle and a low one at the end"),
            "sampling": Choice("paired", "a crop beside its own forgery: nothing else is left to tell them apart by"),
            "augmentation": Choice("mirror", "twice the faces for nothing; validation was higher with it, both times"),
            "min_sharpness": Choice(30.0, "the first project's blur filter, which lesson 03 is about"),
        },
        (
            Measured("Mini-FF++, test clips, one seed", "AUC by clip 0.98 (0.94 to 1.00)", "README.md"),
            Measured("DFDC crops, test, five passes at 1e-3, one seed", "AUC 0.570 (0.550 to 0.590)", _DFDC),
        ),
        "FaceForensics++, films off the internet",
    ),
    "cpu": Recipe(
        "a small network that knows ImageNet: what two cores train in a quarter of an hour, and a phone can carry",
        {
            "architecture": Choice("EfficientNet-Lite0", "a seventh of InceptionResnetV1's weights; good in 8 bits"),
            "pretrained": Choice("imagenet", "comes with the package; from random weights it learns little"),
            "tune": Choice("all", "forgeries lie in textures, which ImageNet's early layers were not made for"),
            "image_size": Choice(128, "time goes with its square, and faces stay as large in it"),
            "epochs": Choice(20, "a real crop comes in every other one: ten passes over the pairs; more gained none"),
            "batch_size": Choice(16, "eight pairs; more steps an epoch than larger batches give"),
            "learning_rate": Choice(3e-4, "more would wash away what ImageNet taught"),
            "schedule": Choice("one-cycle", "ends at a low rate, and begins at one"),
            "sampling": Choice("paired", "a crop beside its own forgery: nothing else is left to tell them apart by"),
            "augmentation": Choice("strong", "learned by heart more slowly; whether it gains, 178 videos do not tell"),
            "min_sharpness": Choice(0.0, "blur is a forger's trace; filtered out, fakes go before reals"),
        },
        (
            Measured("Mini-FF++, an earlier one of 32 people", "AUC by clip 0.996 (0.977 to 1.000)", "README.md"),
            Measured("DFDC crops, test, three seeds", "AUC 0.853 (0.833 to 0.873), pairs 90.3%", _DFDC),
        ),
        "FaceForensics++, films off the internet",
    ),
    "best": Recipe(
        "for a GPU: a large image encoder of which only the layer norms are tuned, after GenD (arXiv 2508.06248)",
        {
            "architecture": Choice("GenD-PE-L", "Perception Encoder; GenD-CLIP-L14 and GenD-DINOv3-L are the others"),
            "pretrained": Choice("timm", "the encoder's own weights (1.3 GB); from random ones nothing is learned"),
            "tune": Choice("norms", "0.03 % of its weights, as in the paper: the encoder keeps what it knows"),
            "image_size": Choice(224, "as in their program; crops are stored at 160 by default: extract --size 224"),
            "epochs": Choice(51, "one of warm-up and fifty, as in their program; there an epoch is all crops"),
            "batch_size": Choice(128, "as in their program; --batch-size 32 --accumulate 4 where memory is short"),
            "learning_rate": Choice(3e-4, "as in the paper, with AdamW and its usual betas of 0.9 and 0.999"),
            "weight_decay": Choice(0.0, "as in their program: scales at zero would switch channels off"),
            "schedule": Choice("cosine", "as in the paper; theirs ends at 1e-5, ours at zero"),
            "warmup_epochs": Choice(1.0, "as in their program: the answer begins knowing nothing"),
            "sampling": Choice("paired", "a crop beside its own forgery: essential against shortcuts, the paper finds"),
            "augmentation": Choice("gend", "mirror, turn, shift and scale, blur, light, JPEG of 40 to 100: theirs"),
            "min_sharpness": Choice(0.0, "blur is a forger's trace; filtered out, fakes go before reals"),
        },
        (
            Measured(
                "Celeb-DF v2 and DFDC, by GenD's authors, who trained on FaceForensics++ with losses of uniformity and "
                "alignment that are not here", "AUC 0.96 and 0.87", "arXiv 2508.06248",
            ),
        ),
        "anything, by us: it takes a GPU, and weights from a network",
    ),
}  # fmt: skip


def from_recipe(recipe: str | None = None, **changes: Any) -> TrainingConfig:
    """A recipe as a configuration, with some of its fields changed; without a name, `TrainingConfig`'s own defaults.

    Args:
        recipe: "course", "cpu" or "best".
        changes: fields of `TrainingConfig`, which override the recipe's. A warm-up that does not fit them gives way,
            and so do weights that nobody has published for another architecture; either is said.

    Raises:
        InputError: no such recipe, or a value out of range.
    """
    if recipe is None:
        return TrainingConfig(**changes)
    if recipe not in RECIPES:
        raise InputError(f"no recipe {recipe!r}; there are {', '.join(RECIPES)}: `torchfakes recipes` shows them")
    chosen = {name: choice.value for name, choice in RECIPES[recipe].choices.items()}
    if "pretrained" not in changes and changes.get("architecture", chosen["architecture"]) != chosen["architecture"]:
        chosen["pretrained"] = _fitting_weights(recipe, chosen["pretrained"], changes["architecture"])
    if "warmup_epochs" in chosen and "warmup_epochs" not in changes:
        chosen["warmup_epochs"] = _fitting_warmup(recipe, chosen | changes)
    return TrainingConfig(recipe=recipe, **chosen | changes)


def _fitting_weights(recipe: str, usual: str | None, name: str) -> str | None:
    """The recipe's weights, if there are such of another architecture; else that one's default."""
    from torchfakes_utils.models.architectures import architecture  # here, for options need no torch

    if usual is None or usual in architecture(name).pretrained:
        return usual
    logger.warning("recipe %s begins with %s weights, which %s has not: with its default", recipe, usual, name)
    return "default"


def _fitting_warmup(recipe: str, settings: Mapping[str, Any]) -> float:
    """The recipe's warm-up, as much of it as beside other settings than its own makes sense."""
    usual: float = settings["warmup_epochs"]
    epochs = settings["epochs"]
    if settings["schedule"] != "cosine":
        logger.warning("the warm-up of recipe %s is left out: the schedule is %s", recipe, settings["schedule"])
        return 0.0
    if usual < epochs or epochs < 1:  # which is refused by its own name
        return usual
    logger.warning(
        "the warm-up of recipe %s is shortened from %g epochs to %g: the run has %d", recipe, usual, epochs / 2, epochs
    )
    return float(epochs / 2)


def lines(name: str) -> list[str]:
    """A recipe for people: what it is for, each setting with its reason, what was measured, and what was not."""
    recipe = RECIPES[name]
    rows = [(f"--{field.replace('_', '-')} {_word(one.value)}", one.why) for field, one in recipe.choices.items()]
    width = max(len(option) for option, _ in rows)
    settings = [f"  {option:<{width}}  {why}" for option, why in rows]
    measured = [f"  Measured on {one}" for one in recipe.measured]
    return [f"{name}: {recipe.about}", *settings, *measured, f"  Not measured: {recipe.not_measured}"]


def _word(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
