"""What is done with sound: `voices`, `recordings`, `train-audio`, `evaluate-audio`."""

from dataclasses import dataclass
from pathlib import Path

from torchfakes_utils.audio.config import AudioEvaluationConfig, AudioTrainingConfig, OwnVoices, VoicesConfig
from torchfakes_utils.cli.command import Command, argument, option, options_of
from torchfakes_utils.cli.output import DONE, SOME_UNUSABLE, Output, say

_CONSENT = (
    "recordings of people's own were copied by vocoders: keep to what these people agreed to, and delete the folder "
    "when it has done its work"
)


@dataclass(frozen=True)
class Voices(Command):
    """Make practice recordings: free speech, and the same by vocoders."""

    out: Path = argument("FOLDER", "the data set's folder, such as data/voices")
    config: VoicesConfig = options_of()
    own: OwnVoices = options_of()

    def run(self, output: Output) -> None:
        """Make them; how many there are of what is the record."""
        from torchfakes_utils.audio import voices

        table = voices.build_voices(self.out, self.config, self.own)
        rows = voices.read_recordings(table)
        counts = {name: rows[name].value_counts().sort_index().to_dict() for name in ("method", "target_id", "split")}
        output.record({"path": str(table), "recordings": len(rows), **counts})
        output.line(f"{len(rows)} recordings are listed in {table}")
        for name, values in counts.items():
            shown = "speaker" if name == "target_id" else name
            output.line(f"  by {shown}: " + ", ".join(f"{value} {count}" for value, count in values.items()))
        if self.own.own:
            say(_CONSENT)


@dataclass(frozen=True)
class Recordings(Command):
    """List a data set's recordings (ASVspoof, WaveFake, folders) in recordings.csv."""

    root: Path = argument("FOLDER", "the data set; a partial download will do")
    layout: str = option("auto, asvspoof-2019, asvspoof-2021, asvspoof-5, wavefake, labelled (real/ and fake/)", "auto")
    out: Path | None = option("the table; None is recordings.csv in FOLDER", None)

    def run(self, output: Output) -> None:
        """Write the table; how many there are of what is the record."""
        from torchfakes_utils.audio import protocols, voices

        table = protocols.index_recordings(self.root, self.out, self.layout)
        rows = voices.read_recordings(table)
        fake = int(rows["label"].sum())
        counts = {name: rows[name].value_counts().sort_index().to_dict() for name in ("method", "split")}
        summary = {"path": str(table), "recordings": len(rows), "real": len(rows) - fake, "fake": fake}
        output.record({**summary, "speakers": int(rows["target_id"].nunique()), **counts})
        output.line(f"{len(rows)} recordings ({len(rows) - fake} real, {fake} fake) are listed in {table}")
        for name, values in counts.items():
            output.line(f"  by {name}: " + ", ".join(f"{value or '(none)'} {count}" for value, count in values.items()))


@dataclass(frozen=True)
class TrainAudio(Command):
    """Train a detector of made voices; the same command again goes on."""

    recordings: Path = argument("RECORDINGS.CSV", "the table that `voices` or `recordings` wrote")
    out: Path = option("the run's folder, such as runs/voices", metavar="RUN")
    config: AudioTrainingConfig = options_of(flags={"learning_rate": ("--learning-rate", "--lr")})

    def run(self, output: Output) -> int:
        """Train; every epoch is a record, the best one the last."""
        from torchfakes_utils.audio.learning import train_voice
        from torchfakes_utils.models.run_files import BEST_FOLDER

        trained = train_voice(self.recordings, self.out, self.config, output.record)
        output.record({"best": trained.best, "run": str(trained.run), "unreadable": trained.unreadable})
        auc = trained.best["val_auc"]
        output.line(f"the detector of epoch {trained.best['epoch']} (validation AUC {auc:.3f}) is in "
                    f"{trained.run / BEST_FOLDER}")  # fmt: skip
        return SOME_UNUSABLE if trained.unreadable else DONE


@dataclass(frozen=True)
class EvaluateAudio(Command):
    """Measure a detector of made voices: AUC, EER, cost, by vocoder and channel."""

    run_folder: Path = argument("RUN", "the folder that `train-audio` wrote")
    recordings: Path = argument("RECORDINGS.CSV", "the table that `voices` or `recordings` wrote")
    config: AudioEvaluationConfig = options_of()

    def run(self, output: Output) -> int:
        """Measure; recordings that could not be read were named when they were met."""
        from torchfakes_utils.audio.scoring import REPORT, evaluate_voice, lines

        found = evaluate_voice(self.run_folder, self.recordings, self.config)
        output.record(found.report)
        output.line(*lines(found.report), f"the scores and {REPORT} are in {self.run_folder}")
        return SOME_UNUSABLE if found.unreadable else DONE
