"""From a score to an answer about a voice: fake, real, or "cannot tell"; fixed on validation, kept with the weights."""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from torchfakes_utils.io.values import checked_text, checked_texts, is_number, is_share
from torchfakes_utils.metrics.band import FEWEST, Band, fit_band
from torchfakes_utils.metrics.binary import binary_metrics
from torchfakes_utils.metrics.calibration import fit_temperature, fit_threshold, probability
from torchfakes_utils.metrics.config import RATE, check_rate
from torchfakes_utils.metrics.intervals import bootstrap_interval
from torchfakes_utils.models.decision import CANNOT_TELL, FAKE, REAL
from torchfakes_utils.models.scope import Scope

# Of the bootstrap that asks whether validation beats chance.
_REPLICATES = 2000


@dataclass(frozen=True)
class VoiceDecision:
    """How the logits of a recording become an answer.

    Attributes:
        threshold: P(fake) from which a recording is called fake where an answer is forced, as measurements do.
        temperature: P(fake) is sigmoid(logit / temperature).
        band: from where on a score is called fake, up to where real.
        notes: what has to be known about how they came about.
        caution: why no answer should be trusted; "" where validation says nothing against the detector.
        false_alarms, misses: shares of reals called fake, and of fakes called real, that the band keeps to.
        scope: what it was trained on.
    """

    threshold: float = 0.5
    temperature: float = 1.0
    band: Band = field(default_factory=Band)
    notes: tuple[str, ...] = ()
    caution: str = ""
    false_alarms: float = RATE
    misses: float = RATE
    scope: Scope = field(default_factory=Scope)

    def __post_init__(self) -> None:
        """Refuse what no answer can be made with; JSON knows lists and dictionaries only.

        Raises:
            ValueError, TypeError: numbers, texts, a band or a scope that are none.
            InputError: rates that are none.
        """
        if not is_share(self.threshold):
            raise ValueError("a threshold that is no number from 0 to 1")
        if not is_number(self.temperature, low=sys.float_info.min):
            raise ValueError("a temperature that is no number above 0")
        checked_text(self.caution, "a caution")
        check_rate(self.false_alarms, "false_alarms")
        check_rate(self.misses, "misses")
        object.__setattr__(self, "notes", checked_texts(self.notes, "notes"))
        for name, kind in (("band", Band), ("scope", Scope)):
            value = getattr(self, name)
            if isinstance(value, dict):
                object.__setattr__(self, name, kind(**value))
            elif not isinstance(value, kind):
                raise TypeError(f"a decision whose {name} is none")

    @property
    def silence(self) -> str:
        """Why no verdict is ever given, and what to do; "" where one may be."""
        if self.scope.practice:
            return (
                "a practice detector: a handful of speakers and vocoders says nothing of other recordings; its score "
                "is for the practice voices alone"
            )
        if not self.band.fake_from and self.band.real_to is None:
            return "; ".join([*self.notes, f"at least {FEWEST} speakers of each class are needed in validation"])
        return ""

    def verdict(self, score: float) -> tuple[str, str]:
        """The answer to a score P(fake), and why: one line."""
        if self.silence:
            return CANNOT_TELL, self.silence
        if score >= self.band.from_of():
            return FAKE, f"P(fake) {score:.2f}, called fake from {self.band.from_of():.2f} on"
        if self.band.real_to is not None and score <= self.band.real_to:
            return REAL, f"P(fake) {score:.2f}, called real up to {self.band.real_to:.2f}"
        return CANNOT_TELL, f"P(fake) {score:.2f} lies between the limits within which either error is kept rare"

    def probability(self, logits: Sequence[float] | np.ndarray) -> np.ndarray:
        """P(fake) of logits (N,), float64."""
        return probability(logits, self.temperature)

    @property
    def scope_line(self) -> str:
        """What a reader of a verdict has to know of it."""
        silent = "it says nothing of other ways to make a voice, and nothing of pictures"
        if not self.scope.data and not self.scope.methods:
            return f"what it was trained on is not known; {silent}"
        practice = ", practice data of a few speakers" if self.scope.practice else ""
        kinds = ", ".join(self.scope.methods) or "no way of making a voice that is named"
        return f"trained on {self.scope.data or 'data without a name'}{practice}: {kinds}; {silent}"

    @property
    def meaning(self) -> str:
        """What a verdict means, in one sentence."""
        return (
            "A verdict compares a voice with recordings that this detector was checked on, of whose real ones at most "
            f"{100 * self.false_alarms:.3g} % are called fake and of whose fakes at most {100 * self.misses:.3g} % "
            "real; how likely this very recording is a forgery, it does not say."
        )


def decide(validation: pd.DataFrame, false_alarms: float, misses: float, scope: Scope) -> VoiceDecision:
    """Fix temperature, threshold and band on validation.

    Args:
        validation: a row a recording, with `CLIP_KEY`, `label`, `logit`, and `target_id`, the speaker.
        false_alarms, misses: what the band keeps to.
        scope: what the detector was trained on.
    """
    temperature, why_not_fitted = fit_temperature(validation["label"], validation["logit"])
    scores = validation.assign(probability_fake=probability(validation["logit"], temperature))
    threshold, why_not_chosen = fit_threshold(scores["label"], scores["probability_fake"])
    band = fit_band(scores, threshold, false_alarms, misses)
    whys = {"temperature 1": why_not_fitted, "threshold 0.5": why_not_chosen}
    notes = tuple(f"{kept}: {why}" for kept, why in whys.items() if why is not None)
    decision = VoiceDecision(threshold, temperature, band, notes, "", false_alarms, misses, scope)
    return dataclasses.replace(decision, caution=_caution(scores))


def _caution(scores: pd.DataFrame) -> str:
    interval = bootstrap_interval(scores, "auc", _REPLICATES)
    if interval is None:
        return "whether this detector tells fake from real is not known: validation has too few speakers of a class"
    if interval[0] > 0.5:
        return ""
    auc = binary_metrics(scores["label"], scores["probability_fake"])["auc"]
    return (
        f"on validation this detector is not known to do better than a coin: AUC {auc:.2f}, 95 % interval "
        f"{interval[0]:.2f} to {interval[1]:.2f}"
    )
