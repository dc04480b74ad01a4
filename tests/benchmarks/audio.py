"""What hears a made voice: front ends and networks on known and unknown speakers, vocoders and channels.

`python tests/benchmarks/audio.py` makes the practice voices where they are missing, trains with the commands' own
settings, and writes docs/benchmarks/audio.md and .json. What is done is kept beside the runs, so that it can be stopped
and gone on with.

- seen: other passages of the training speakers, all vocoders known.
- unseen speakers: four folds, each with two speakers left out; every clip is tested once, by a detector that has never
  heard its speaker.
- unseen vocoder: the speakers of the table's split, one vocoder left out of training and tested alone.
- unseen voice: the same detectors on the VITS voice, against the real clips of the test speakers.
- channels: the same clips through codecs.
"""

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from torchfakes_utils.audio.config import AudioTrainingConfig, OwnVoices, VoicesConfig
from torchfakes_utils.audio.cues import cues, single_cues
from torchfakes_utils.audio.detector import load_voice_detector
from torchfakes_utils.audio.hearing import Recordings
from torchfakes_utils.audio.learning import train_voice
from torchfakes_utils.audio.neural_voice import VITS
from torchfakes_utils.audio.scoring import scored
from torchfakes_utils.audio.voices import build_voices, read_recordings
from torchfakes_utils.io.sound import read_sound
from torchfakes_utils.io.tables import INDEX_COLUMNS
from torchfakes_utils.metrics.binary import binary_metrics
from torchfakes_utils.metrics.intervals import with_intervals

import common

WAYS = {
    "LFCC, logistic": ("lfcc", "logistic"),
    "log-mel 8 ms, logistic": ("log-mel", "logistic"),
    "LFCC, CNN": ("lfcc", "cnn"),
    "log-mel 32 ms, CNN": ("log-mel-long", "cnn"),
    "log-mel 8 ms, CNN": ("log-mel", "cnn"),
    "waveform, RawNet2": ("waveform", "rawnet2"),
}
FOLDS = (("reader", "awb"), ("maintainer", "slt"), ("channel", "cards"), ("forever", "telephone"))
CHANNELS = ("amr-nb", "opus", "g722", "mp3")
# These go through the table's split alone: the recurrent network takes ten times as long as the others, and the two
# other front ends of the small network are there to compare windows.
SLOW = ("waveform, RawNet2", "LFCC, CNN", "log-mel 32 ms, CNN")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data/voices"))
    parser.add_argument("--work", type=Path, default=Path("build/audio"))
    parser.add_argument("--held", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    table = build_voices(args.data, VoicesConfig(), OwnVoices(held=args.held))
    rows = read_recordings(table)
    bench = _Bench(rows, args.work, args.seeds)
    results = {
        "machine": common.machine(),
        "command": common.command("audio.py", args.out),
        "clips": _counts(rows),
        "cues": _cues(rows),
        "seen": bench.seen(),
        "speakers": bench.speakers(),
        "vocoders": bench.vocoders(),
        "split": bench.split(),
        "seconds": bench.seconds(),
    }
    common.write_page(args.out, "audio", _page(results), results)


class _Bench:
    """Trains what is not trained yet, and measures."""

    def __init__(self, rows: pd.DataFrame, work: Path, seeds: int) -> None:
        self.rows, self.work, self.seeds = rows, work, seeds
        self.fakes = [one for one in rows.loc[rows["label"] == 1, "method"].unique() if one != VITS]
        self.known = rows[rows["method"] != VITS].reset_index(drop=True)
        work.mkdir(parents=True, exist_ok=True)

    def trained(self, name: str, way: str, seed: int, rows: pd.DataFrame) -> Path:
        """The run of a way on rows that have their split."""
        folder = self.work / f"{name}-{'-'.join(WAYS[way])}-{seed}"
        table = folder.with_suffix(".csv")
        rows.assign(path=[str(Path(one).resolve()) for one in rows["file"]])[INDEX_COLUMNS].to_csv(table, index=False)
        front_end, network = WAYS[way]
        train_voice(table, folder, AudioTrainingConfig(front_end=front_end, network=network, seed=seed))
        return folder

    def scores(self, run: Path, rows: pd.DataFrame, name: str, through: str = "none") -> pd.DataFrame:
        """Of rows, kept beside the run."""
        path = run / f"{name}-{through}.csv"
        if not path.is_file():
            rows = rows.reset_index(drop=True)
            scored(load_voice_detector(run), rows, Recordings(list(rows["file"])), through).to_csv(path, index=False)
        return pd.read_csv(path, keep_default_na=False)

    def each(self, ways: Any = WAYS) -> Any:
        """Ways and seeds; what is fitted at once has a seed by its augmentation alone, and is run thrice, too."""
        return itertools.product(ways, range(self.seeds))

    def seen(self) -> dict[str, Any]:
        """Test: the last passage of each training speaker with more than one; the others are for training."""
        passages = (
            self.known["clip_id"]
            .str.rsplit("-", n=2)
            .str[0]
            .where(self.known["label"] == 0, self.known["original_id"].str.rsplit("-", n=2).str[0])
        )
        last = passages.groupby(self.known["target_id"]).transform("max")
        several = passages.groupby(self.known["target_id"]).transform("nunique") > 1
        held = (passages == last) & several
        rows = self.known.assign(split=np.where(held, "test", "train"))
        rows.loc[(~several), "split"] = "val"
        return {way: _seeds(self.scores(self.trained("seen", way, seed, rows), rows[held], "seen")
                            for seed in range(self.seeds)) for way in WAYS if way not in SLOW}  # fmt: skip

    def speakers(self) -> dict[str, Any]:
        """Every clip, by a detector that has never heard its speaker."""
        found: dict[str, list[pd.DataFrame]] = {}
        for way, seed in self.each([way for way in WAYS if way not in SLOW]):
            parts = []
            for at, test in enumerate(FOLDS):
                val = FOLDS[(at + 1) % len(FOLDS)]
                split = self.known["target_id"].map(lambda who, t=test, v=val: "test" if who in t else
                                                    "val" if who in v else "train")  # fmt: skip
                run = self.trained(f"fold{at}", way, seed, self.known.assign(split=split))
                parts.append(self.scores(run, self.known[split == "test"], "test"))
            found.setdefault(way, []).append(pd.concat(parts))
        return {way: _seeds(scores) | {"methods": self._by_method(scores)} for way, scores in found.items()}

    def vocoders(self) -> dict[str, Any]:
        """A vocoder that was left out, on the test speakers."""
        found: dict[str, Any] = {}
        for way in [way for way in WAYS if way not in SLOW]:
            for left_out in self.fakes:
                rows = self.known[self.known["method"] != left_out].reset_index(drop=True)
                test = self.known[(self.known["split"] == "test") & self.known["method"].isin([left_out, "speech"])]
                name = f"without-{left_out.lower().replace(' ', '-')}"
                found.setdefault(way, {})[left_out] = _seeds(
                    self.scores(self.trained(name, way, seed, rows), test, "test") for seed in range(self.seeds)
                )
        return found

    def split(self) -> dict[str, Any]:
        """The table's own split: known vocoders, the unseen voice, and both known and real through channels."""
        found: dict[str, Any] = {}
        test = self.known[self.known["split"] == "test"]
        real = test[test["label"] == 0]
        voice = pd.concat([real, self.rows[self.rows["method"] == VITS]])
        for way in WAYS:
            runs = [self.trained("split", way, seed, self.known) for seed in range(self.seeds)]
            one = {"known": _seeds(self.scores(run, test, "test") for run in runs)}
            one["methods"] = self._by_method([self.scores(run, test, "test") for run in runs])
            if (voice["label"] == 1).any():
                one["voice"] = _seeds(self.scores(run, voice, "voice") for run in runs)
            for name in CHANNELS:
                one[name] = _seeds(self.scores(run, test, "test", name) for run in runs)
            found[way] = one
        return found

    def _by_method(self, scores: list[pd.DataFrame]) -> dict[str, Any]:
        return {one: _seeds(part[part["method"].isin([one, "speech"])] for part in scores) for one in self.fakes}

    def seconds(self) -> dict[str, float]:
        """Of judging a minute of sound, the least of three."""
        minute = np.tile(read_sound(self.rows["file"].iloc[0]).samples, 40)[: 60 * 16_000]
        found = {}
        for way in WAYS:
            detector = load_voice_detector(self.trained("split", way, 0, self.known))
            taken = []
            for _ in range(3):
                started = time.perf_counter()
                detector.logits(minute)
                taken.append(time.perf_counter() - started)
            found[way] = min(taken)
        return found


def _seeds(scores: Any) -> dict[str, Any]:
    """The mean over seeds of AUC and EER, the least and most AUC, and the interval by speaker of the mean logit... of
    the first seed: three runs are no ensemble, and their scores are not averaged.
    """
    scores = [one.astype({"target_id": str}) for one in scores]
    each = [binary_metrics(one["label"], one["probability_fake"]) for one in scores]
    ends = [with_intervals(one, replicates=2000) for one in scores]
    known = [one["auc_interval"] for one in ends if one["auc_interval"]]
    return {
        "auc": float(np.mean([one["auc"] for one in each])), "aucs": [one["auc"] for one in each],
        "eer": float(np.mean([one["eer"] for one in each])),
        "interval": [float(np.mean([one[at] for one in known])) for at in (0, 1)] if known else None,
        "real": int((scores[0]["label"] == 0).sum()), "fake": int((scores[0]["label"] == 1).sum()),
        "speakers": int(scores[0]["target_id"].nunique()),
    }  # fmt: skip


def _counts(rows: pd.DataFrame) -> dict[str, Any]:
    real = rows[rows["label"] == 0]
    return {"real": len(real), "by_speaker": real["target_id"].value_counts().to_dict(),
            "by_method": rows["method"].value_counts().to_dict()}  # fmt: skip


def _cues(rows: pd.DataFrame) -> list[dict[str, Any]]:
    found = pd.DataFrame([cues(read_sound(one).samples) for one in rows["file"]])
    table = single_cues(pd.concat([rows.reset_index(drop=True), found], axis=1))
    worst = table.assign(most=table[["pooled", "pairs"]].max(axis=1)).sort_values("most", ascending=False)
    return worst.groupby("method", sort=False).head(3).drop(columns="most").astype(object).where(
        lambda part: part.notna(), None).to_dict("records")  # fmt: skip


def _cell(one: dict[str, Any]) -> str:
    ends = "" if one["interval"] is None else f" [{one['interval'][0]:.2f}, {one['interval'][1]:.2f}]"
    return f"{one['auc']:.2f}{ends}"


def _page(results: dict[str, Any]) -> str:
    split, speakers, vocoders = results["split"], results["speakers"], results["vocoders"]
    ways = list(split)
    lines = [
        "# Who hears a made voice?", "",
        f"`{results['command']}` on {results['machine']}.", "",
        f"{results['clips']['real']} real clips of {len(results['clips']['by_speaker'])} speakers, two seconds each, "
        "and their copies by each vocoder. Numbers are AUCs, the mean of the seeds; in brackets the mean of their 95 % "
        "intervals by speaker. With two to eight speakers an interval is a rough guess, and none of this is a claim "
        "about people.", "",
        "| | seen speakers | unseen speakers | " + " | ".join(f"unseen: {one}" for one in next(iter(vocoders.values())))
        + " | unseen VITS voice |",
        "|---|" + "---|" * (3 + len(next(iter(vocoders.values())))),
    ]  # fmt: skip
    for way in ways:
        cells = [_cell(results["seen"][way]) if way in results["seen"] else "-",
                 _cell(speakers[way]) if way in speakers else f"{_cell(split[way]['known'])} (one split)"]  # fmt: skip
        cells += [_cell(one) for one in vocoders[way].values()] if way in vocoders else ["-"] * len(
            next(iter(vocoders.values())))  # fmt: skip
        cells.append(_cell(split[way]["voice"]) if "voice" in split[way] else "-")
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    lines += ["", "Unseen speakers, by vocoder (all of them known):", "",
              "| | " + " | ".join(next(iter(speakers.values()))["methods"]) + " |",
              "|---|" + "---|" * len(next(iter(speakers.values()))["methods"])]  # fmt: skip
    lines += [f"| {way} | " + " | ".join(_cell(one) for one in found["methods"].values()) + " |"
              for way, found in speakers.items()]  # fmt: skip
    lines += ["", "Through channels (the table's own split: two speakers, known vocoders; trained without any codec):",
              "", "| | none | " + " | ".join(CHANNELS) + " |", "|---|" + "---|" * (1 + len(CHANNELS))]  # fmt: skip
    lines += [f"| {way} | " + " | ".join(_cell(split[way][one]) for one in ("known", *CHANNELS)) + " |" for way in ways]
    lines += ["", "Seconds to judge a minute of sound, read already: "
              + ", ".join(f"{way} {value:.2f}" for way, value in results["seconds"].items()) + ".", "",
              "Single cues that tell most (AUC over all clips, and share of pairs; both from 0.5 up):", "",
              "| vocoder | cue | pooled | within pairs |", "|---|---|---|---|"]  # fmt: skip
    lines += [f"| {one['method']} | {one['cue']} | {one['pooled']:.2f} | "
              + ("-" if one["pairs"] is None else f"{one['pairs']:.2f}") + " |" for one in results["cues"]]  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
