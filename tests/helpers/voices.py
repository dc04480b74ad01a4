"""Stand-ins for speech: syllables of a buzzing source through three formants, and as a crude vocoder makes them."""

from pathlib import Path

import av
import numpy as np
import pandas as pd
from scipy.signal import lfilter

RATE = 16_000


def spoken(seconds: float = 2.0, hertz: float = 120.0, seed: int = 0) -> np.ndarray:
    """(N,) float32 samples at 16 kHz that swing and swell as speech does."""
    generator = np.random.default_rng(seed)
    count = round(seconds * RATE)
    time = np.arange(count) / RATE
    melody = hertz * (1 + 0.08 * np.sin(2 * np.pi * 1.3 * time + generator.uniform(0, 6)))
    turns = np.floor(np.cumsum(melody) / RATE)
    source = np.diff(turns, prepend=0.0) + 0.02 * generator.standard_normal(count)
    made = np.zeros(count)
    for formant, width in ((generator.uniform(400, 800), 90), (generator.uniform(1000, 2000), 120), (2700, 180)):
        radius = np.exp(-np.pi * width / RATE)
        made += lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2], source)
    swelling = np.clip(np.sin(2 * np.pi * 1.7 * time + generator.uniform(0, 6)), 0.0, None) ** 0.5
    made = made / np.abs(made).max() * swelling + 0.001 * generator.standard_normal(count)
    return (0.5 * made / np.abs(made).max()).astype(np.float32)


def buzzed(samples: np.ndarray, seed: int = 0) -> np.ndarray:
    """The same with its phases thrown away frame by frame: what a bad vocoder does, and every detector should hear."""
    generator = np.random.default_rng(seed)
    frames = samples[: len(samples) // 256 * 256].reshape(-1, 256)
    spectrum = np.abs(np.fft.rfft(frames, axis=1))
    phases = np.exp(2j * np.pi * generator.random(spectrum.shape))
    made = np.fft.irfft(spectrum * phases, axis=1).reshape(-1)
    return np.pad(made, (0, len(samples) - len(made))).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = RATE, codec: str = "pcm_s16le", layout: str = "mono") -> Path:
    """A file of (N,) or (C, N) samples of full scale 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.atleast_2d(samples).astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(values), format="fltp", layout=layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate,
                                      frame_size=stream.codec_context.frame_size or None)  # fmt: skip
        for part in (frame, None):
            for one in resampler.resample(part):
                container.mux(stream.encode(one))
        container.mux(stream.encode(None))
    return path


def data_set(folder: Path, speakers: int = 6, clips: int = 3, seconds: float = 1.0) -> Path:
    """recordings.csv of a stand-in data set: each speaker's clips, real and buzzed; a third of them for each split."""
    rows = []
    for speaker in range(speakers):
        split = ("train", "val", "test")[speaker * 3 // speakers]
        for clip in range(clips):
            real = spoken(seconds, 90 + 25 * speaker, seed=100 * speaker + clip)
            for method, samples in (("speech", real), ("buzz", buzzed(real, clip))):
                name = f"s{speaker}-{clip}-{method}"
                write(folder / f"{name}.wav", samples)
                rows.append({
                    "clip_id": name, "path": f"{name}.wav", "label": int(method != "speech"), "method": method,
                    "compression": "pcm", "target_id": f"s{speaker}", "source_id": "", "split": split,
                    "original_id": "" if method == "speech" else f"s{speaker}-{clip}-speech",
                })  # fmt: skip
    path = folder / "recordings.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path
