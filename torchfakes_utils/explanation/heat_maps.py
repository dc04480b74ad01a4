"""Heat maps: which places of a crop pointed to an answer, by Grad-CAM and its kin, and pictures of them.

A heat map says which pixels moved the answer, not that the answer is right, and not that the fake is there.
Sources: Grad-CAM: Selvaraju et al., ICCV 2017. Grad-CAM++: Chattopadhay et al., WACV 2018. LayerCAM: Jiang et al., IEEE
Transactions on Image Processing 2021.
"""

import contextlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pandas as pd
import torch

from torchfakes_utils.crops.table import read_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.models.detector import Detector

# 8×8 positions of a 160 px crop: fine enough to tell an eye from a mouth, deep enough to know what they are. The last
# block, Grad-CAM's usual choice, sees 3×3.
DEFAULT_LAYER = "repeat_2"
METHODS = ("grad-cam", "grad-cam++", "layer-cam")
TARGETS = ("fake", "real", "own")
NAMES = ("real", "fake")  # by label

_BATCH = 32


def usual_layer(detector: Detector) -> str:
    """The layer that heat maps are made of unless another is asked for: `DEFAULT_LAYER`, or the last but one."""
    names = list(detector.feature_layers)
    return DEFAULT_LAYER if DEFAULT_LAYER in names else names[max(0, len(names) - 2)]


def check_choice(detector: Detector, layer: str | None = None, method: str = "grad-cam") -> str:
    """The layer's name, `usual_layer` for None; an unknown layer or method raises an `InputError`."""
    layer = layer or usual_layer(detector)
    for what, value, known in (("layer", layer, detector.feature_layers), ("method", method, METHODS)):
        if value not in known:
            raise InputError(f"no {what} {value!r}; choose one of {', '.join(known)}")
    return layer


def grad_cam(
    detector: Detector,
    images: torch.Tensor,
    layer: str | None = None,
    target: str | Sequence[str] = "fake",
    method: str = "grad-cam",
    batch: int = _BATCH,
) -> np.ndarray:
    """What speaks for an answer, as a map over each crop.

    A frozen detector will do. Neither its parameters, their gradients nor its mode are changed.

    Args:
        detector: the network.
        images: (N, 3, S, S) float32, normalised by the detector's own preprocessing.
        layer: a name from `Detector.feature_layers`; None is `usual_layer`.
        target: "fake" for what raises P(fake), "real" for what lowers it, "own" for what makes the detector surer of
            its own answer; one for all, or one a crop.
        method: "grad-cam" weighs whole channels by their mean gradient; "grad-cam++" by their positive gradients, more
            where a channel is active in few places; "layer-cam" weighs every position, which is sharper on shallow
            layers.
        batch: crops at a time.

    Returns:
        (N, S, S) float32 in [0, 1]. Each map is stretched to its own maximum: compare places within a map, never the
        heat of two maps. A map of zeros says that nothing at that layer speaks for the target.

    Raises:
        InputError: an unknown layer, target or method.
    """
    layer = check_choice(detector, layer, method)
    wanted = _targets(target, len(images))
    # Here and not above: this import alone takes seconds.
    from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, LayerCAM
    from pytorch_grad_cam.utils.model_targets import BinaryClassifierOutputTarget

    asked = {"fake": BinaryClassifierOutputTarget(1), "real": BinaryClassifierOutputTarget(0), "own": torch.abs}
    cam_class = {"grad-cam": GradCAM, "grad-cam++": GradCAMPlusPlus, "layer-cam": LayerCAM}[method]
    module = detector.feature_layers[layer]
    maps = [np.empty((0, *images.shape[-2:]), np.float32)]
    # It puts the detector into eval mode.
    with _gradient_from(detector, module), cam_class(detector, [module], reshape_transform=detector.as_map) as cam:
        for first in range(0, len(images), batch):
            chunk = images[first : first + batch].detach().to(detector.device)
            maps.append(cam(input_tensor=chunk, targets=[asked[name] for name in wanted[first : first + batch]]))
    return np.clip(np.concatenate(maps).astype(np.float32), 0, 1)


def _targets(target: str | Sequence[str], crops: int) -> list[str]:
    """One target a crop."""
    for name in [target] if isinstance(target, str) else target:
        if name not in TARGETS:
            raise InputError(f"no target {name!r}; choose one of {', '.join(TARGETS)}")
    wanted = [target] * crops if isinstance(target, str) else list(target)
    if len(wanted) != crops:
        raise InputError(f"{len(wanted)} targets for {crops} crops; give one for each, or one for all")
    return wanted


@contextlib.contextmanager
def _gradient_from(detector: Detector, layer: torch.nn.Module) -> Iterator[None]:
    """Inside the block only what comes after a layer is differentiated; afterwards the detector is as it was."""
    was_training = detector.training
    trainable = [parameter for parameter in detector.parameters() if parameter.requires_grad]
    # Autograd starts at the layer and not at the crop: what lies before it is run once, forwards, and remembers
    # nothing. This hook has to come before the library's, which then see the output that is differentiated. (A clone:
    # some networks go on in place, which autograd forbids where it starts.)
    start = layer.register_forward_hook(lambda layer, inputs, output: output.detach().requires_grad_().clone())
    try:
        # Only the gradient at the layer is wanted: freezing the rest saves time, and leaves no gradients behind.
        for parameter in trainable:
            parameter.requires_grad_(False)
        with torch.enable_grad():
            yield
    finally:
        start.remove()
        for parameter in trainable:
            parameter.requires_grad_(True)
        detector.train(was_training)


def inputs(detector: Detector, faces: pd.DataFrame) -> torch.Tensor:
    """Crops on disk (the column `file`) as the network's input, (N, 3, S, S) float32.

    Raises:
        InputError: a crop cannot be read.
    """
    return torch.stack([detector.preprocessing.apply(read_crop(file)) for file in faces["file"]])


def of_faces(
    detector: Detector,
    faces: pd.DataFrame,
    target: str | Sequence[str],
    layer: str | None = None,
    method: str = "grad-cam",
    batch: int = _BATCH,
) -> list[np.ndarray]:
    """`grad_cam` of crops on disk (the column `file`), a batch at a time, each map brought to its crop's size.

    Returns:
        (H, W) float32 in [0, 1], one a row.

    Raises:
        InputError: a crop cannot be read, or an unknown layer, target or method.
    """
    wanted = _targets(target, len(faces))
    maps: list[np.ndarray] = []
    for start in range(0, len(faces), batch):
        crops = [read_crop(file) for file in faces["file"].iloc[start : start + batch]]
        images = torch.stack([detector.preprocessing.apply(crop) for crop in crops])
        found = grad_cam(detector, images, layer, wanted[start : start + batch], method, batch)
        maps += [fitted(heat, crop.shape[-2:]) for heat, crop in zip(found, crops, strict=True)]
    return maps


def fitted(heat: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """A map (h, w) at the size (H, W) of its crop."""
    if heat.shape == tuple(shape):
        return heat
    return cv2.resize(heat, (int(shape[1]), int(shape[0])), interpolation=cv2.INTER_LINEAR)


def overlay(image: np.ndarray, heat: np.ndarray, alpha: float = 0.45) -> np.ndarray:
    """Lay a heat map over a photo: dark where nothing mattered, glowing where much did.

    The colours (inferno) rise evenly in lightness, so they read the same in grey and for the colour-blind.

    Args:
        image: (H, W, 3) uint8, RGB.
        heat: (h, w) in [0, 1]; brought to the photo's size.
        alpha: how much of the result is heat map, 0 to 1.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    heat = cv2.resize(np.asarray(heat, np.float32), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    levels = np.rint(np.clip(heat, 0, 1) * 255).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return np.rint((1 - alpha) * image + alpha * colours.astype(np.float32)).astype(np.uint8)
