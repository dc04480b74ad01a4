"""The page's section on where the detector looks: attention by region, agreement with masks, sanity checks."""

from collections.abc import Sequence

from torchfakes_utils.report import figures
from torchfakes_utils.report.blocks import Block, Table, Text, drawn
from torchfakes_utils.report.contents import Interpretation, MapSimilarity, MaskAgreement, Sanity
from torchfakes_utils.report.text import bounds, change, ends, number, own_findings, with_ends


def attention_blocks(found: Interpretation | None) -> list[Block]:
    """The blocks of the section."""
    if found is None:
        return [Text("Not measured: torchfakes explain RUN FACES.CSV.")]
    columns = ["network, kind, region", "share of the crop", "share of heat ÷ share of area", "95 % interval",
               "verdict"]  # fmt: skip
    regions = [
        (f"{row.network}, {row.kind}, {row.region}", f"{row.area:.1%}", number(row.ratio, 2),
         ends(bounds(row.low, row.high), 2), row.verdict)
        for row in found.regions
    ]  # fmt: skip
    return [
        Text(f"{found.method} at {found.layer}, {found.crops} crops. Real crops are asked what spoke for "
             "“real”, fakes what spoke for “fake”; networks that know nothing, what spoke for their own answer. "
             + own_findings(found.regions)),
        *drawn(figures.regions(found.regions), "Share of heat over share of area by face region, real and "
               "fake, for each network; the numbers are in the table below.", "The dashed line is an even glow."),
        Table("Attention by region", columns, regions, folded=True),
        *_masks(found.masks),
        *([] if found.sanity is None else _sanity(found.sanity)),
    ]  # fmt: skip


def _masks(found: Sequence[MaskAgreement]) -> list[Block]:
    rows = [
        (f"{row.method}, {row.map}, {row.measure}", number(row.value, 2), ends(bounds(row.low, row.high), 2),
         f"{row.clips}")
        for row in found
    ]  # fmt: skip
    measures = list(dict.fromkeys(row.measure for row in found))
    pooled = {(row.map, row.measure): row for row in found if row.method == "all"}
    whole = [
        (name, *(_pooled(pooled[name, measure]) for measure in measures), f"{pooled[name, measures[0]].clips}")
        for name in dict.fromkeys(name for name, _ in pooled)
    ]
    return [
        Table("Agreement with the mask of the manipulation; the centre prior knows only that faces are in the middle",
              ["map", *measures, "clips"], whole),
        Table("Agreement with the mask, by manipulation", ["method, map, measure", "value", "95 % interval", "clips"],
              rows, folded=True),
    ]  # fmt: skip


def _pooled(row: MaskAgreement) -> str:
    return "– all maps are dark" if row.value is None else with_ends(row.value, bounds(row.low, row.high), 2)


def _sanity(found: Sanity) -> list[Block]:
    columns = ["", "rank correlation", "95 % interval", "structural similarity", "dark maps"]

    def rows(table: Sequence[MapSimilarity]) -> list[tuple[str, ...]]:
        return [
            (row.changed, number(row.rank_correlation, 2), ends(bounds(row.low, row.high), 2),
             number(row.structural_similarity, 2), "–" if row.dark is None else f"{row.dark:.0%}")
            for row in table
        ]  # fmt: skip

    removal = [(row.map, change(row.fall, bounds(row.low, row.high)), f"{row.crops}") for row in found.road]
    return [
        *drawn(figures.cascading_randomisation(found.cascading_randomisation),
               "Rank correlation of the maps with those of the trained "
               "network, by how many stages have random weights; the numbers are in the table below.",
               "Maps that stay alike although the weights are random show the picture, not the network."),
        Table("Weights replaced by random ones, stage by stage", columns, rows(found.cascading_randomisation)),
        Table("Trained on random labels", columns, rows(found.random_labels or [])),
        Table("Stability: the crop shifted, the map shifted back", columns, rows(found.stability)),
        Table("ROAD: how far the logit for the truth falls when a map's hottest fifth is filled in from around it",
              ["map", "fall (95 % interval)", "crops"], removal),
    ]  # fmt: skip
