#!/usr/bin/env python3
"""Writes the states of the phones of a corpus of speech, aligned to its known words by pocketsphinx, as NIST's ctm.

usage: align.py CORPUS JOBS

CORPUS is a folder in the layout of Sphinx. A line is "UTTERANCE 1 START DURATION PHONE.STATE", in seconds. An utterance that
cannot be aligned is left out, and reported on stderr. `align` beside this file installs what this one needs.
"""
import multiprocessing
import pathlib
import re
import sys
import tempfile

import pocketsphinx
import soundfile

# Windows of 25 ms every 10 ms, at 16 kHz, that lie wholly within the sound: as many labels are written.
RATE, WINDOW, SHIFT = 16000, 400, 160
STATES = 3
# With the usual beams some utterances end in no final state.
BEAMS = {"beam": 1e-64, "pbeam": 1e-64, "wbeam": 1e-64, "bestpath": False}


class NotAligned(Exception):
    """Why an utterance has no alignment."""


def one_list(corpus, ending):
    """The lines of the files etc/*ENDING, sorted by file."""
    for path in sorted((corpus / "etc").glob("*" + ending)):
        yield from (line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def read_corpus(corpus):
    """[(utterance, path of its sound, its words)], in the order of the training list and then of the test list."""
    said = {}
    for ending in ("_train.transcription", "_test.transcription"):
        for line in one_list(corpus, ending):
            words, name = re.fullmatch(r"(.*)\((\S+)\)", line).groups()
            said[name] = re.sub(r"</?s>", "", words).split()
    files = {}
    for folder in ("audio", "wav"):
        files.update((path.stem, path) for path in sorted((corpus / folder).glob("**/*")) if path.is_file())
    names = [pathlib.PurePath(line).name for part in ("_train", "_test") for line in one_list(corpus, part + ".fileids")]
    return [(name, files.get(name), said.get(name)) for name in names]


def write_dictionary(corpus, file):
    """Writes NAME.dic, which belongs to NAME.phone. Words are in lower case, so they differ from phones, in upper case."""
    for phones in (corpus / "etc").glob("*.phone"):
        for line in filter(str.strip, phones.with_suffix(".dic").read_text(encoding="utf-8").splitlines()):
            word, *said = line.split()
            print(word.lower(), *said, file=file)
    file.flush()


def start(corpus):
    """Prepares this process."""
    global dictionary, phones
    phones = set(one_list(corpus, ".phone"))
    dictionary = tempfile.NamedTemporaryFile(suffix=".dic", mode="w", encoding="utf-8")
    write_dictionary(corpus, dictionary)


def make_decoder():
    """A decoder for one utterance. After other utterances it would align a few frames otherwise, and these depend on JOBS."""
    model = pocketsphinx.get_model_path("en-us/en-us")
    return pocketsphinx.Decoder(hmm=model, dict=dictionary.name, lm=None, loglevel="FATAL", **BEAMS)


def search(decoder, sound):
    decoder.start_utt()
    decoder.process_raw(sound.tobytes(), full_utt=True)
    decoder.end_utt()


def states_of(sound, words):
    """The state of each frame, "AH.0"; pocketsphinx may give one frame more than there are windows."""
    decoder = make_decoder()
    unknown = [word for word in words if decoder.lookup_word(word.lower()) is None]
    if unknown:
        raise NotAligned(f"the dictionary does not have '{unknown[0]}'")
    decoder.set_align_text(" ".join(words).lower())
    search(decoder, sound)
    if decoder.hyp() is None or not list(decoder.seg()):
        raise NotAligned("its words were not found in the sound")
    decoder.set_alignment()
    search(decoder, sound)
    states = []
    for phone in (phone for word in decoder.get_alignment() for phone in word):
        # The model's fillers count as silence, because the corpus has no phones for noise.
        name = phone.name if phone.name in phones else "SIL"
        for place, state in enumerate(phone):
            assert state.start == len(states) and place < STATES
            states += [f"{name}.{place}"] * state.duration
    frames = 1 + (len(sound) - WINDOW) // SHIFT
    if len(states) not in (frames, frames + 1):
        raise NotAligned(f"{len(states)} frames are aligned, but the sound has {frames}")
    return states[:frames]


def runs(states):
    """(start, length, state) of each run of equal states."""
    start = 0
    for end in range(1, len(states) + 1):
        if end == len(states) or states[end] != states[start]:
            yield start, end - start, states[start]
            start = end


def align(utterance):
    """The utterance's lines; or None and the reason."""
    name, path, words = utterance
    try:
        if path is None or not words:
            raise NotAligned("it has no " + ("sound" if path is None else "words"))
        sound, rate = soundfile.read(path, dtype="int16")
        if rate != RATE or sound.ndim != 1 or len(sound) < WINDOW:
            raise NotAligned(f"{path} is not one channel of {RATE} samples a second, or too short")
        lines = runs(states_of(sound, words))
        return "".join(f"{name} 1 {start / 100:.2f} {length / 100:.2f} {state}\n" for start, length, state in lines), None
    except (NotAligned, soundfile.SoundFileError, RuntimeError) as reason:
        return None, f"{name}: {reason}"


def main():
    corpus = pathlib.Path(sys.argv[1])
    utterances = read_corpus(corpus)
    if not utterances:
        sys.exit(f"align: {corpus}/etc holds no list of utterances")
    print(";; aligned by pocketsphinx and its model en-us: UTTERANCE CHANNEL START DURATION PHONE.STATE")
    aligned = 0
    with multiprocessing.Pool(int(sys.argv[2]), start, (corpus,)) as pool:
        for lines, reason in pool.imap(align, utterances, chunksize=8):
            if reason:
                print(f"align: left out: {reason}", file=sys.stderr)
            else:
                aligned += 1
                sys.stdout.write(lines)
    print(f"align: {aligned} of {len(utterances)} utterances are aligned", file=sys.stderr)


if __name__ == "__main__":
    main()
