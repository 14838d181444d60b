#!/usr/bin/python3
"""Features of sound, computed again in double precision from the formulas of docs/sound.md, by a plain Fourier sum. Prints TAP.

tests/tools/sound_dump.c runs the library on WAV files that are written here.
"""
import os
import tempfile
import wave

import numpy as np

from tap import check, run

DUMP = os.path.join(os.environ.get("BUILD", "build"), "tests", "sound_dump")
USUAL = {"rate": 16000, "bands": 40, "coefficients": 13, "deltas": 0, "kind": 0, "window": 0, "length": 0.025, "shift": 0.01,
         "pre-emphasis": 0.97, "low": 20, "high": 0}


def write(path, rate, samples):
    """Writes 16-bit samples as a WAV file."""
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())


def dump(path, **settings):
    """The library's features of a file; in the names of settings _ stands for -."""
    words = [f"{name.replace('_', '-')}={value}" for name, value in settings.items()]
    code, out, said = run(DUMP, path, *words)
    if code != 0:
        raise RuntimeError(said)
    return np.frombuffer(out, "<f4").astype(np.float64)


# ---- the formulas ----

def windows(samples, s):
    """The windows of a wave, as they go into the transform."""
    length, shift = (int(s["rate"] * s[name] + 1e-6) for name in ("length", "shift"))
    frames = np.stack([samples[at:at + length] for at in range(0, len(samples) - length + 1, shift)])
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    cosine = np.cos(2 * np.pi * np.arange(length) / (length - 1))
    factors = 0.54 - 0.46 * cosine if s["window"] == 0 else (0.5 - 0.5 * cosine)**0.85
    return (frames - s["pre-emphasis"] * before) * factors


def filterbank(frames, s):
    """Log energies of the bands."""
    size = 1 << (frames.shape[1] - 1).bit_length()
    bins = np.arange(size // 2)
    spectrum = frames @ np.exp(-2j * np.pi * np.outer(np.arange(frames.shape[1]), bins) / size)

    def mel(hertz):
        return 1127 * np.log(1 + np.asarray(hertz) / 700)
    high = s["high"] if s["high"] > 0 else s["rate"] / 2 + s["high"]
    edges = np.linspace(mel(s["low"]), mel(high), s["bands"] + 2)
    place = mel(bins * s["rate"] / size)
    weights = np.stack([np.interp(place, edges[i:i + 3], (0, 1, 0)) for i in range(s["bands"])])
    return np.log(np.maximum(np.abs(spectrum)**2 @ weights.T, 2.0**-23))


def cepstra(energies, s):
    """The cosine transform, liftered."""
    k, bands = np.arange(s["coefficients"]), s["bands"]
    matrix = np.sqrt(2 / bands) * np.cos(np.pi / bands * np.outer(k, np.arange(bands) + 0.5))
    matrix[0] = np.sqrt(1 / bands)
    return energies @ matrix.T * (1 + 11 * np.sin(np.pi * k / 22))


def differences(frames, orders):
    """The frames with their differences: slopes of lines through five frames, and slopes of those; the end frames are repeated."""
    padded = np.concatenate([frames[:1]] * 4 + [frames] + [frames[-1:]] * 4)
    columns = [frames]
    for order in range(1, orders + 1):
        padded = sum(d * padded[2 + d:len(padded) - 2 + d] for d in range(-2, 3)) / 10
        extra = 4 - 2 * order
        columns.append(padded[extra:len(padded) - extra])
    return np.concatenate(columns, axis=1)


def oracle(samples, s):
    """All of it."""
    energies = filterbank(windows(samples, s), s)
    return differences(cepstra(energies, s) if s["kind"] == 1 else energies, s["deltas"])


# ---- the checks ----

CASES = {
    "log-mel energies as they are usually": {},
    "a Povey window": {"window": 1},
    "other bands": {"bands": 23, "low": 64, "high": 7000},
    "a high edge from above": {"bands": 30, "high": -400},
    "8000 samples a second": {"rate": 8000, "bands": 23},
    "44100 samples a second": {"rate": 44100, "bands": 64},
    "longer windows, further apart, without pre-emphasis": {"length": 0.032, "shift": 0.0125, "pre-emphasis": 0},
    "differences": {"deltas": 1},
    "differences of differences": {"deltas": 2},
    "cepstra": {"kind": 1},
    "as many cepstra as bands, by a Povey window": {"kind": 1, "window": 1, "bands": 23, "coefficients": 23},
    "cepstra with both differences": {"kind": 1, "deltas": 2},
}


def make_sound(random, rate, samples):
    """Tones that rise, in noise, on a slope, with silence in the middle."""
    t = np.arange(samples) / rate
    sound = 4000 * np.sin(2 * np.pi * (200 * t + 400 * t**2)) + 2000 * np.sin(2 * np.pi * 1333 * t) + 300 * t
    sound += random.normal(size=samples) * 100
    sound[samples // 2:samples // 2 + rate // 10] = 0
    return np.rint(sound)


def test_features(folder, random):
    """Every kind of features is what the formulas say."""
    path = os.path.join(folder, "sound.wav")
    for name, changes in CASES.items():
        s = {**USUAL, **changes}
        samples = make_sound(random, s["rate"], s["rate"] + 77)
        write(path, s["rate"], samples)
        expected = oracle(samples, s)
        made = dump(path, **changes)
        good = made.size == expected.size
        away = np.abs(made.reshape(expected.shape) - expected).max() if good else "another number of frames"
        check(f"{name}: the frames are those of the formulas", good and away < 1e-3, away)


def test_short(folder, random):
    """Differences of waves that are shorter than their span."""
    path = os.path.join(folder, "sound.wav")
    s = {**USUAL, "kind": 1, "deltas": 2}
    for frames in range(1, 7):
        samples = make_sound(random, 16000, 400 + 160 * (frames - 1) + 159)
        write(path, 16000, samples)
        away = np.abs(dump(path, kind=1, deltas=2).reshape(frames, 39) - oracle(samples, s)).max()
        check(f"a wave of {frames} frames has its differences, which span 9 frames", away < 1e-3, away)
    write(path, 16000, samples[:399])
    code, _, said = run(DUMP, path)
    check("a wave shorter than one window is refused", code == 65 and "399 samples, fewer than the 400" in said, said)


def test_perturbed(folder, random):
    """Waves that are read, resampled and perturbed."""
    path = os.path.join(folder, "sound.wav")
    samples = make_sound(random, 16000, 16000)
    write(path, 16000, samples)
    check("a wave is its 16-bit samples", (dump(path, wave=1) == samples).all())
    louder = dump(path, wave=1, gain=-6)
    check("gain is in dB", np.allclose(louder, samples * 10**-0.3, rtol=1e-6))
    noise = dump(path, wave=1, noise=15) - samples
    ratio = 10 * np.log10(samples.var() / noise.var())
    check("noise has the ratio asked for", abs(ratio - 15) < 0.2, ratio)
    check("noise is white", np.abs(np.correlate(noise, noise, "same")[7950:8000]).max() < 0.04 * (noise**2).sum())
    # Below the filter's edge resampling keeps tones: their height and phase are the same.
    tones = sum(np.sin(2 * np.pi * f * np.arange(16000) / 16000 + f) for f in (300, 1200, 3000)) * 3000
    write(path, 16000, tones)
    for rate in (8000, 11025, 22050, 48000):
        made = dump(path, wave=1, rate=rate, resample=1)
        t = np.arange(len(made)) / rate
        expected = sum(np.sin(2 * np.pi * f * t + f) for f in (300, 1200, 3000)) * 3000
        away = np.abs(made - expected)[rate // 20:-rate // 20].max()
        check(f"tones at {rate} samples a second are the same tones", abs(len(made) - rate) < 2 and away < 10, away)
    faster = dump(path, wave=1, speed=1.1)
    t = np.arange(len(faster)) * 1.1 / 16000
    away = np.abs(faster - sum(np.sin(2 * np.pi * f * t + f) for f in (300, 1200, 3000)) * 3000)[800:-800].max()
    check("speed 1.1 makes tones shorter and higher", abs(len(faster) - 16000 / 1.1) < 2 and away < 10, away)
    again = dump(path, speed=0.9, noise=20, gain=3, deltas=2)
    check("the same perturbations give the same bits", (again == dump(path, speed=0.9, noise=20, gain=3, deltas=2)).all())


with tempfile.TemporaryDirectory() as place:
    test_features(place, np.random.default_rng(4))
    test_short(place, np.random.default_rng(5))
    test_perturbed(place, np.random.default_rng(6))
