#!/usr/bin/env python3
"""Writes a small corpus of speech as Sphinx, or Kaldi, has it: each state of a phone is a tone, so that all is known of it.

    make_corpus.py FOLDER [--kaldi] [--speakers N] [--utterances N] [--test-speakers N] [--seed N]

FOLDER/truth.ctm holds the true states of all frames (25 ms every 10 ms), FOLDER/truth.words the words.
"""

import argparse
import array
import math
import pathlib
import random
import wave

RATE, LENGTH, SHIFT, STATES = 16000, 400, 160, 3
PHONES = ["AA", "B", "IY", "N", "SIL", "T"]
WORDS = {"BEE": [["B", "IY"]], "TEA": [["T", "IY"]], "AN": [["AA", "N"], ["N"]], "NOTE": [["N", "AA", "T"]]}


def frequency(phone, state, speaker):
    """Of the tone of a state, in Hz; speakers differ a little."""
    return (300 + 430 * PHONES.index(phone) + 90 * state) * (1 + 0.01 * speaker)


def draw_states(words, chance):
    """The states of an utterance's frames: words with silence at both ends and, at times, between."""
    phones = ["SIL"]
    for number, word in enumerate(words):
        if number > 0 and chance.random() < 0.3:
            phones.append("SIL")
        phones += chance.choice(WORDS[word])
    phones.append("SIL")
    return [(phone, state) for phone in phones for state in range(STATES) for _ in range(chance.randint(2, 6))]


def draw_sound(states, speaker, chance):
    """A tone for each frame's state, around the middle of its window."""
    samples = array.array("h")
    phase = 0.0
    for i in range(LENGTH + SHIFT * (len(states) - 1)):
        frame = min(max((i - LENGTH // 2 + SHIFT // 2) // SHIFT, 0), len(states) - 1)
        phone, state = states[frame]
        phase += 2 * math.pi * frequency(phone, state, speaker) / RATE
        loudness = 30 if phone == "SIL" else 6000
        samples.append(round(loudness * math.sin(phase) + chance.gauss(0, 20)))
    return samples


def write_wave(path, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, len(samples), "NONE", ""))
        file.writeframes(samples.tobytes())


def runs(states):
    """Runs of equal states: first frame, frames, state."""
    first = 0
    for i in range(1, len(states) + 1):
        if i == len(states) or states[i] != states[first]:
            yield first, i - first, states[first]
            first = i


def make_utterances(options):
    """name, speaker, words, states, sound, and whether it is of the test part."""
    chance = random.Random(options.seed)
    for speaker in range(options.speakers + options.test_speakers):
        for number in range(options.utterances):
            words = [chance.choice(sorted(WORDS)) for _ in range(chance.randint(1, 4))]
            states = draw_states(words, chance)
            sound = draw_sound(states, speaker, chance)
            yield f"u{speaker}{number:02}", f"s{speaker}", words, states, sound, speaker >= options.speakers


def dictionary(form):
    """Lines of a dictionary; form(word, number) is what its forms are called."""
    return [
        " ".join([form(word, number), *phones])
        for word, forms in sorted(WORDS.items())
        for number, phones in enumerate(forms, 1)
    ]


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines))


def write_sphinx(folder, utterances):
    for part, test in (("train", False), ("test", True)):
        chosen = [utterance for utterance in utterances if utterance[5] == test]
        write(folder / f"etc/toy_{part}.fileids", [f"{part}/{speaker}/{name}" for name, speaker, *_ in chosen])
        write(
            folder / f"etc/toy_{part}.transcription",
            [f"<s> {' '.join(words)} </s> ({name})" for name, _, words, *_ in chosen],
        )
    write(folder / "etc/toy.phone", PHONES)
    write(folder / "etc/toy.dic", dictionary(lambda word, number: word if number == 1 else f"{word}({number})"))
    write(folder / "etc/toy.filler", ["<s> SIL", "</s> SIL", "<sil> SIL"])
    for name, speaker, _, _, sound, test in utterances:
        write_wave(folder / "wav" / ("test" if test else "train") / speaker / f"{name}.wav", sound)


def write_kaldi(folder, utterances):
    for part, test in (("train", False), ("test", True)):
        chosen = [utterance for utterance in utterances if utterance[5] == test]
        write(folder / part / "wav.scp", [f"{name} ../sound/{name}.wav" for name, *_ in chosen])
        write(folder / part / "text", [f"{name} {' '.join(words)}" for name, _, words, *_ in chosen])
        write(folder / part / "utt2spk", [f"{name} {speaker}" for name, speaker, *_ in chosen])
    write(folder / "phones.txt", ["<eps> 0", *(f"{phone} {number}" for number, phone in enumerate(PHONES, 1))])
    write(folder / "lexicon.txt", dictionary(lambda word, number: word))
    for name, _, _, _, sound, _ in utterances:
        write_wave(folder / "sound" / f"{name}.wav", sound)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--kaldi", action="store_true")
    parser.add_argument("--speakers", type=int, default=3)
    parser.add_argument("--test-speakers", type=int, default=1)
    parser.add_argument("--utterances", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    utterances = list(make_utterances(options))
    (write_kaldi if options.kaldi else write_sphinx)(options.folder, utterances)
    write(
        options.folder / "truth.ctm",
        [
            f"{name} 1 {first / 100:.2f} {count / 100:.2f} {phone}.{state}"
            for name, _, _, states, _, _ in utterances
            for first, count, (phone, state) in runs(states)
        ],
    )
    write(options.folder / "truth.words", [f"{name} {' '.join(words)}" for name, _, words, *_ in utterances])


if __name__ == "__main__":
    main()
