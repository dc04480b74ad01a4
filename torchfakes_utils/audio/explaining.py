"""Where in a spectrogram the small network heard it: Grad-CAM over time and frequency.

The maps of `explanation.heat_maps` are of pictures, (3, S, S); here the axes are bands and frames, and are not alike.
Source: Selvaraju et al., Grad-CAM, ICCV 2017, equations 1 and 2.
"""

import numpy as np
import torch
from torch.nn import functional as F

from torchfakes_utils.audio.detector import VoiceDetector, windows_of
from torchfakes_utils.audio.networks import SmallCnn
from torchfakes_utils.errors import InputError

# Of the four blocks: 8 by 13 places of a window of two seconds in 64 bands.
_BLOCK = 2


def spectrogram_heat(
    detector: VoiceDetector, samples: np.ndarray, block: int = _BLOCK
) -> tuple[np.ndarray, np.ndarray]:
    """What the network gets of the first window of a recording, and what in it speaks for "fake".

    Args:
        detector: with a `SmallCnn`; neither its weights nor their gradients are changed.
        samples: (N,) at 16 kHz.
        block: of the network, 0 to 3: the later, the coarser.

    Returns:
        The features (C, F), and a map (C, F) in [0, 1], stretched to its own maximum; zeros where nothing speaks for
        "fake".

    Raises:
        InputError: another network, or no such block.
    """
    network = detector.network
    if not isinstance(network, SmallCnn):
        raise InputError("heat maps are of the cnn: logistic forgets where, and rawnet2 has no spectrogram")
    if block not in range(len(network.blocks)):
        raise InputError(f"no block {block}; 0 to {len(network.blocks) - 1} are there")
    detector.eval()
    windows = torch.from_numpy(windows_of(samples, detector.config.samples)[:1]).to(detector.device)
    kept: list[torch.Tensor] = []

    def keep(_module: object, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[0]

    hook = network.blocks[block].register_forward_hook(keep)
    try:
        with torch.enable_grad():
            features = detector.features(windows).detach()
            (gradient,) = torch.autograd.grad(network(features).sum(), kept[0])
    finally:
        hook.remove()
    weights = gradient.mean((2, 3), keepdim=True)
    heat = F.relu((weights * kept[0].detach()).sum(1, keepdim=True))
    heat = F.interpolate(heat, features.shape[1:], mode="bilinear", align_corners=False)[0, 0]
    return features[0].cpu().numpy(), (heat / heat.max().clamp_min(1e-12)).detach().cpu().numpy()
