"""Features of sound against kaldi-native-fbank, which computes Kaldi's. Prints TAP.

tests/tools/sound_dump.c runs the library on WAV files that are written here.
"""
import itertools
import os
import pathlib
import sys
import tempfile
import wave

import kaldi_native_fbank as kaldi
import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "python"))  # at the end, as in models.py, because of safetensors
from tap import check, run  # noqa: E402 (its place is known only now)

DUMP = os.path.join(os.environ.get("BUILD", "build"), "tests", "sound_dump")
WINDOWS = "hamming", "povey"


def make_sound(random, rate):
    """Two seconds: tones that rise, in noise, with an offset, louder and softer."""
    t = np.arange(2 * rate) / rate
    sound = 6000 * np.sin(2 * np.pi * (150 * t + 500 * t**2)) + 1000 * np.sin(2 * np.pi * 1777 * t) + random.normal(size=len(t)) * 200
    return np.rint(sound * np.exp(-3 * np.abs(t - 0.7)) + 250)


def compute(samples, rate, bands, window, cepstra):
    """What kaldi-native-fbank makes of a wave."""
    options = kaldi.MfccOptions() if cepstra else kaldi.FbankOptions()
    options.frame_opts.samp_freq, options.frame_opts.window_type, options.frame_opts.dither = rate, WINDOWS[window], 0
    options.mel_opts.num_bins, options.use_energy = bands, False
    made = (kaldi.OnlineMfcc if cepstra else kaldi.OnlineFbank)(options)
    made.accept_waveform(rate, samples.tolist())
    made.input_finished()
    return np.stack([made.get_frame(i) for i in range(made.num_frames_ready)])


with tempfile.TemporaryDirectory() as folder:
    numbers = np.random.default_rng(8)
    path = os.path.join(folder, "sound.wav")
    for (rate, bands), window, cepstra in itertools.product(((16000, 40), (16000, 23), (8000, 23)), (0, 1), (0, 1)):
        samples = make_sound(numbers, rate)
        with wave.open(path, "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(samples.astype("<i2").tobytes())
        expected = compute(samples, rate, bands, window, cepstra)
        code, out, said = run(DUMP, path, f"rate={rate}", f"bands={bands}", f"window={window}", f"kind={cepstra}")
        made = np.frombuffer(out, "<f4")
        away = np.abs(made.reshape(expected.shape) - expected).max() if made.size == expected.size else said or "another size"
        check(f"{('log-mel energies', 'cepstra')[cepstra]} of {bands} bands at {rate} Hz, {WINDOWS[window]}, are Kaldi's",
              code == 0 and made.size == expected.size and away < 1e-3, away)
