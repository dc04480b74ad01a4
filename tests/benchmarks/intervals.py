"""Intervals of all metrics, by clip and by person, against the plain way: draw, and ask scikit-learn.

python tests/benchmarks/intervals.py --out docs/benchmarks
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from torchfakes_utils.metrics.binary import binary_metrics
from torchfakes_utils.metrics.bootstrap import METRICS, Sampling, replicate_metrics

from common import command, machine, write_page

REPLICATES = 10_000
# Of the plain way, of which one replicate in a hundred is measured.
MEASURED = REPLICATES // 100


def seconds(work: Callable[[], Any]) -> float:
    """How long something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measured(clips: int, people: int | None, rounds: int) -> dict[str, Any]:
    """Both ways in turns, on clips of which a fifth are real; of `people`, in as many clips each, or of strangers."""
    generator = np.random.default_rng(0)
    labels = (np.arange(clips) % 5 > 0).astype(int)
    units = np.arange(clips) % people if people else np.arange(clips)
    scores = 1 / (1 + np.exp(-(2 * labels - 1 + generator.normal(0, 1.2, clips))))
    rows_of = [np.flatnonzero(units == unit) for unit in range(units.max() + 1)]
    strata = [np.arange(len(rows_of))] if people else [np.flatnonzero(labels == label) for label in (0, 1)]

    def plain() -> None:
        for _ in range(MEASURED):
            drawn = np.concatenate([generator.choice(own, len(own)) for own in strata])
            rows = np.concatenate([rows_of[unit] for unit in drawn])
            binary_metrics(labels[rows], scores[rows])

    def ours() -> None:
        sampling = Sampling(units, labels, REPLICATES, 0, by_class=people is None)
        for values in replicate_metrics(labels, scores, 0.5, sampling).values():
            sampling.interval(values)

    took = [(seconds(plain) * REPLICATES / MEASURED, seconds(ours)) for _ in range(rounds)]
    return {
        "clips": clips, "people": people, "replicates": REPLICATES, "metrics": len(METRICS),
        "seconds": round(statistics.median(own for _, own in took), 2),
        "plain_seconds": round(statistics.median(usual for usual, _ in took), 1),
        "times": round(statistics.median(usual / own for usual, own in took)),
    }  # fmt: skip


def report(results: dict[str, Any], arguments: argparse.Namespace) -> str:
    """The table as Markdown."""
    lines = [
        "# Intervals", "",
        f"Measured by `{command('intervals.py', arguments.out)}` on", f"{results['machine']}; one thread.", "",
        "`bootstrap.replicate_metrics` and `Sampling.interval` (BCa) for all metrics, against the plain way: draw",
        "clips, or people with their clips, gather their rows, and ask scikit-learn for the metrics. A hundredth",
        f"of the plain way was measured. The two take turns, {arguments.rounds} rounds; medians.", "",
        "| clips | of people | replicates | metrics | seconds | plain, s | times |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in results["intervals"]:
        lines.append(f"| {row['clips']:,} | {row['people'] or 'not known'} | {row['replicates']:,} | {row['metrics']} "
                     f"| {row['seconds']} | {row['plain_seconds']} | {row['times']} |")  # fmt: skip
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, and write the report where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder for intervals.md and intervals.json")
    arguments = parser.parse_args(argv)
    results: dict[str, Any] = {"machine": machine(), "intervals": []}
    for clips, people in ((100, None), (1000, None), (1000, 250)):
        results["intervals"].append(measured(clips, people, arguments.rounds))
        print(results["intervals"][-1], flush=True)
    print(report(results, arguments))
    if arguments.out:
        write_page(arguments.out, "intervals", report(results, arguments), results)


if __name__ == "__main__":
    main()
