"""What `report.json` holds, as classes: the results of an evaluation, and what the report adds to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from torchfakes_utils.evaluation.results import Count, Results, Sha256, Share

FORMAT: Final = 1


@dataclass(frozen=True)
class Mistake:
    """A crop on the wrong side of the threshold.

    Attributes:
        label: 1 fake, 0 real.
        cannot_tell: why it would get no answer; empty where it gets one.
        picture: beside the heat of its wrong answer, in the run's folder.
    """

    clip_id: str
    method: str
    compression: str
    frame: int
    label: Literal[0, 1]
    probability_fake: Share
    cannot_tell: str
    picture: Annotated[str, Meta(pattern=r"^mistakes/[0-9]+\.jpg$")]


@dataclass(frozen=True, kw_only=True)
class RegionAttention:
    """Attention to a region of the face.

    Attributes:
        crops, clips: that were measured, maps that are dark all over left out.
        area: the region's mean share of the crop.
        ratio, low, high: share of heat over share of area, and the ends of its 95 % interval by person.
    """

    kind: Literal["real", "fake"]
    region: str
    crops: Count
    clips: Count
    area: Share
    ratio: float | None
    low: float | None
    high: float | None
    verdict: Literal["more than chance", "less than chance", "cannot tell", "no heat"]


@dataclass(frozen=True, kw_only=True)
class NetworkAttention(RegionAttention):
    """That of the trained network, or of one that knows nothing."""

    network: str


@dataclass(frozen=True, kw_only=True)
class LayerAttention(RegionAttention):
    """That of the trained network at another depth, by another method."""

    layer: str
    method: str


@dataclass(frozen=True)
class MaskAgreement:
    """How maps agree with the mask of the manipulation.

    Attributes:
        method: the manipulation, or "all".
        value, low, high: the measure's mean over clips, and the ends of its 95 % interval.
    """

    method: str
    map: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    crops: Count
    clips: Count


@dataclass(frozen=True)
class MapSimilarity:
    """How alike maps stay when something is changed.

    Attributes:
        rank_correlation, low, high: with the maps as they were, and the ends of its 95 % interval by person.
        dark: share of maps that are dark all over.
    """

    changed: str
    rank_correlation: float | None
    low: float | None
    high: float | None
    structural_similarity: float | None
    dark: Share | None
    crops: Count


@dataclass(frozen=True)
class Removal:
    """How far the logit for the truth falls when a map's hottest fifth is filled in (ROAD), with its 95 % interval."""

    map: str
    fall: float | None
    low: float | None
    high: float | None
    crops: Count


@dataclass(frozen=True)
class Sanity:
    """Whether maps depend on what the network has learned.

    Attributes:
        cascading_randomisation: weights replaced by random ones, stage by stage from the answer down.
        random_labels: against a network that was trained on random labels.
        stability: the crop shifted, and the map shifted back.
        road: what the hottest parts matter to the answer.
    """

    crops: Count
    cascading_randomisation: tuple[MapSimilarity, ...]
    random_labels: tuple[MapSimilarity, ...] | None
    stability: tuple[MapSimilarity, ...]
    road: tuple[Removal, ...]


@dataclass(frozen=True)
class Interpretation:
    """What `torchfakes explain` measured, in its `explanation.json`.

    Attributes:
        layer, method: of the heat maps.
        detector: first digits of the SHA-256 of its weights.
        mask_problems: fakes without a mask, by the reason.
        sanity, layers: null where they were not measured.
    """

    split: str
    layer: str
    method: str
    detector: str
    crops: Count
    regions: tuple[NetworkAttention, ...]
    masks: tuple[MaskAgreement, ...]
    mask_problems: dict[str, int]
    sanity: Sanity | None
    layers: tuple[LayerAttention, ...] | None


@dataclass(frozen=True)
class DetectorDescription:
    """Whose scores they are.

    Attributes:
        size: of its input, px.
        crop_scale: edge of a crop over that of the face.
        training: how the weights came about.
    """

    architecture: str
    size: Count
    crop_scale: float
    parameters: Count
    sha256: Sha256
    epoch: int | None
    training: dict[str, Any]


@dataclass(frozen=True)
class Environment:
    """The programs and the machine that measured."""

    torchfakes: str
    git_revision: str | None
    python: str
    torch: str
    system: str
    device: str


@dataclass(frozen=True)
class Header:
    """What comes first.

    Attributes:
        name: the run's folder.
        created: date and time, UTC.
    """

    format: Literal[1]
    name: str
    created: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


# A dataclass takes the fields of its last base first: the header, the results, then these.
@dataclass(frozen=True)
class Report(Results, Header):
    """What `torchfakes evaluate` writes as report.json and prints with --json. A score is P(fake); label 1 is fake.

    Attributes:
        mistakes: the crops farthest on the wrong side of the threshold, worst first.
        interpretation: what `torchfakes explain` measured for these weights.
    """

    mistakes: Annotated[tuple[Mistake, ...], Meta(max_length=20)]
    interpretation: Interpretation | None
    detector: DetectorDescription
    environment: Environment

    def to_json(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def from_json(cls, value: object) -> "Report":
        """What `to_json` gave.

        Raises:
            ValueError: it is something else, or of another format; says which program made it.
        """
        if not isinstance(value, Mapping):
            raise ValueError("not a report of `torchfakes evaluate`")
        try:
            if value.get("format") == FORMAT:
                return msgspec.convert(value, cls)
            why = f"format {value.get('format')}, not {FORMAT}"
        except msgspec.ValidationError as error:
            why = str(error)
        environment = value.get("environment")
        made = environment.get("torchfakes") if isinstance(environment, Mapping) else None
        raise ValueError(f"a report of torchfakes {made or 'unknown'}, which this version cannot read ({why})")
