"""What timm has published for a network or its body: whether it can be had, found out in seconds, and taken.

timm fetches by the Hub's client, which tries for a minute where there is no network, and says so in words of its own.
So the Hub is asked first, once.
"""

from pathlib import Path
from typing import Any

from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.hub_client import hub_client, one_line, quiet, reason, repository_info
from torchfakes_utils.models.architectures import architecture
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.foreign_weights import UnusableWeightsError

_ENDINGS = (".safetensors", ".bin", ".pth", ".pt")


def check_at_hand(config: DetectorConfig) -> None:
    """See that the weights are in the Hub's cache, or that the Hub has them.

    Raises:
        UnusableWeightsError: neither.
    """
    repository = _repository(config)
    if repository is None or _cached(repository) is not None:
        return
    try:
        with one_line(repository):
            repository_info(hub_client(), repository)
    except InputError as error:
        raise UnusableWeightsError(str(error)) from error


def fetched(config: DetectorConfig) -> nn.Module:
    """The network with the weights that are published for it, from the Hub or its cache.

    Raises:
        UnusableWeightsError: they cannot be had, or what is in the cache is damaged.
    """
    kind, repository = architecture(config.architecture), _repository(config)
    if kind.fetch is None:
        raise UnusableWeightsError(f"timm has published none for {config.architecture}")
    check_at_hand(config)
    dropout = kind.dropout if config.dropout is None else config.dropout
    try:
        with quiet():
            return kind.fetch(config.preprocessing.size, dropout)
    except InputError as error:
        raise UnusableWeightsError(str(error)) from error
    except Exception as error:  # the Hub's client has a dozen of its own, and those of what it is built on
        raise UnusableWeightsError(_why(repository, error)) from error


def _why(repository: str | None, error: Exception) -> str:
    """Why weights that were at hand could not be taken."""
    folder = None if repository is None else _cached(repository)
    why = reason(repository or "", error)
    if folder is None or not why.startswith("that failed"):
        return f"{repository}: {why}" if repository else why
    return f"{folder}: damaged ({type(error).__name__}); delete {folder.parents[1]}, and they are fetched again"


def _repository(config: DetectorConfig) -> str | None:
    """Where on the Hub they are; None where timm takes them from elsewhere."""
    import timm

    published: Any = timm.get_pretrained_cfg(architecture(config.architecture).timm)
    if published is None or published.file or published.state_dict or not published.hf_hub_id:
        return None
    return str(published.hf_hub_id).partition("@")[0]


def _cached(repository: str) -> Path | None:
    """The folder in the Hub's cache with a file of weights from its main branch; None where there is none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found: str | None = snapshot_download(repository, local_files_only=True)
    except LocalEntryNotFoundError as error:
        found = getattr(error, "snapshot_path", None)  # some of its files: timm takes one of them
    folder = None if found is None else Path(found)
    return folder if folder and any(path.name.endswith(_ENDINGS) for path in folder.rglob("*")) else None
