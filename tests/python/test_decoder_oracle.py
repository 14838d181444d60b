"""decoder against numpy: language model, search and alignment over the whole graph of a small corpus. Prints TAP."""
import collections
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy

from pipestill_stream import stream

PHONES = ["AA", "B", "K", "SIL", "UW"]
SILENCE = PHONES.index("SIL")
STATES = 3 * len(PHONES)
WORDS = {"do": ["B UW"], "go": ["K UW", "K AA"], "a": ["AA"], "back": ["B AA K"], "ooh": ["UW", "UW K", "UW UW"], "cab": ["K AA B"]}
VOCABULARY = sorted(WORDS)
count = 0
failed = 0


def check(name, good, detail=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


# ---- the corpus ----


def write_corpus(folder, random):
    """Returns names and transcripts: twelve utterances of the training list, then six of the test list."""
    etc = pathlib.Path(folder, "etc")
    etc.mkdir()
    texts = [list(random.choice(VOCABULARY[:-1] if i < 12 else VOCABULARY, size=random.integers(1, 5))) for i in range(18)]
    names = [f"u{i:02}" for i in range(18)]
    for part, chosen in ("train", range(12)), ("test", range(12, 18)):
        (etc / f"tiny_{part}.fileids").write_text("".join(f"all/s{i % 4}/{names[i]}\n" for i in chosen))
        (etc / f"tiny_{part}.transcription").write_text("".join(f"<s> {' '.join(texts[i])} </s> ({names[i]})\n" for i in chosen))
    (etc / "tiny.dic").write_text("".join(f"{word}{f'({i + 1})' if i else ''} {said}\n" for word in VOCABULARY
                                          for i, said in enumerate(WORDS[word])))
    (etc / "tiny.filler").write_text("<s> SIL\n</s> SIL\n<sil> SIL\n")
    (etc / "tiny.phone").write_text("".join(f"{phone}\n" for phone in PHONES))
    pathlib.Path(folder, "wav").mkdir()
    return names, texts


# ---- the language model ----


def discount(counts):
    once, twice = (sum(c == n for c in counts) for n in (1, 2))
    return once / (once + 2 * twice) if once and twice else 0.5


def estimate(texts, order):
    """{(word before, word): p}, with None for the beginning and the end."""
    pairs = collections.Counter(pair for text in texts for pair in zip([None, *text], [*text, None]))
    single = collections.Counter()
    for (_, word), c in pairs.items():
        single[word] += c
    events, total, cut = [*VOCABULARY, None], sum(single.values()), discount(single.values())
    p = {w: max(single[w] - cut, 0) / total + cut * len(single) / total / len(events) for w in events}
    if order == "zerogram":
        p = dict.fromkeys(events, 1 / len(events))
    model, cut = {}, discount(pairs.values())
    for v in events:
        seen = {w: pairs[v, w] for w in events if (v, w) in pairs}
        if order != "bigram" or not seen:
            model |= {(v, w): p[w] for w in events}
            continue
        rest = sum(p[w] for w in events if w not in seen)
        freed = cut * len(seen) / sum(seen.values())
        for w in events:
            model[v, w] = (seen[w] - cut) / sum(seen.values()) if w in seen else freed * p[w] / rest
    return model


# ---- the graph: nodes (state, word or None, mark of the place), arcs with scores ----


class Graph:
    def __init__(self):
        self.states, self.words, self.arcs, self.first, self.last = [], [], [], {}, {}

    def chain(self, said, word):
        begin = len(self.states)
        for phone in said.split():
            for state in range(3):
                self.states.append(3 * PHONES.index(phone) + state)
                self.words.append((word, len(self.states) - 1 == begin))
        end = len(self.states) - 1
        self.arcs += [(n, n, 0.0) for n in range(begin, end + 1)] + [(n, n + 1, 0.0) for n in range(begin, end)]
        return begin, end

    def viterbi(self, scores):
        """The best path: its score and its nodes; -inf and None if there is none."""
        weights = numpy.full((len(self.states),) * 2, -numpy.inf)
        for a, b, weight in self.arcs:
            weights[a, b] = max(weights[a, b], weight)
        emitted = scores[:, self.states]
        best = numpy.full(len(self.states), -numpy.inf)
        for node, weight in self.first.items():
            best[node] = weight
        best = best + emitted[0]
        came = []
        for row in emitted[1:]:
            came.append((best[:, None] + weights).argmax(axis=0))
            best = (best[:, None] + weights).max(axis=0) + row
        ends = numpy.full(len(self.states), -numpy.inf)
        for node, weight in self.last.items():
            ends[node] = weight
        if numpy.isneginf((best + ends).max()):
            return -numpy.inf, None
        path = [int((best + ends).argmax())]
        score = (best + ends).max()
        for row in reversed(came):
            path.append(int(row[path[-1]]))
        return score, path[::-1]


def loop_graph(model, scale, penalty):
    """Every word may follow every word; after each is its own silence."""
    def weight(v, w):
        return scale * numpy.log(model[v, w]) - (penalty if w is not None else 0)

    graph = Graph()
    chains = {word: [graph.chain(said, word) for said in WORDS[word]] for word in VOCABULARY}
    for v in [*VOCABULARY, None]:
        silence = graph.chain("SIL", None)
        leaves = [silence[1]]
        if v is None:
            graph.first[silence[0]] = 0.0
        else:
            leaves += [end for _, end in chains[v]]
            graph.arcs += [(end, silence[0], 0.0) for _, end in chains[v]]
        graph.last |= {node: weight(v, None) for node in leaves}
        for w in VOCABULARY:
            for begin, _ in chains[w]:
                graph.arcs += [(node, begin, weight(v, w)) for node in leaves]
                if v is None:
                    graph.first[begin] = weight(None, w)
    return graph


def text_graph(text):
    """These words, in all their forms, with silence or without."""
    graph = Graph()
    silence = graph.chain("SIL", None)
    graph.first[silence[0]] = 0.0
    leaves = [silence[1]]
    for i, word in enumerate(text):
        chains = [graph.chain(said, word) for said in WORDS[word]]
        for begin, _ in chains:
            graph.arcs += [(node, begin, 0.0) for node in leaves]
            if i == 0:
                graph.first[begin] = 0.0
        silence = graph.chain("SIL", None)
        graph.arcs += [(end, silence[0], 0.0) for _, end in chains]
        leaves = [end for _, end in chains] + [silence[1]]
    graph.last = dict.fromkeys(leaves, 0.0)
    return graph


def words_of(graph, path):
    """The words of a path: (word, first frame, frames). A word begins when its first node is entered."""
    words = []
    for frame, node in enumerate(path):
        word, begins = graph.words[node]
        if begins and word is not None and (frame == 0 or path[frame - 1] != node):
            words.append([word, frame, 0])
        if word is not None:
            words[-1][2] += 1
    return words


# ---- the comparison ----


def distance(a, b):
    table = numpy.arange(len(b) + 1)
    for i, x in enumerate(a):
        row = [i + 1]
        for j, y in enumerate(b):
            row.append(min(table[j] + (x != y), table[j + 1] + 1, row[j] + 1))
        table = numpy.array(row)
    return int(table[-1])


def run(data, *arguments):
    """decoder's answer as JSON."""
    done = subprocess.run(["decoder", "--json", *map(str, arguments)], input=data, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def read_ctm(path):
    """Lines of a ctm by utterance: (word, first frame, frames)."""
    found = collections.defaultdict(list)
    for line in pathlib.Path(path).read_text().splitlines():
        name, _, start, duration, word = line.split()
        found[name].append([word, round(float(start) * 100), round(float(duration) * 100)])
    return found


def make_scores(random, texts):
    """Logits of some length that favour a path of the text."""
    logits = []
    for text in texts:
        said = ["SIL", *itertools.chain.from_iterable(random.choice(WORDS[word]).split() for word in text)]
        states = [3 * PHONES.index(phone) + s for phone in said for s in range(3)]
        labels = numpy.repeat(states, random.integers(1, 4, size=len(states)))
        logits.append((random.normal(size=(len(labels), STATES)) * 1.5 + 2 * numpy.eye(STATES)[labels]).astype("f4"))
    return logits


def log_softmax(logits):
    wide = logits.astype(float)
    return wide - numpy.log(numpy.exp(wide).sum(axis=1, keepdims=True))


def make_stream(logits, numbers):
    ids = [(number << 20) + numpy.arange(len(rows), dtype="u8") for number, rows in zip(numbers, logits)]
    tensors = [{"name": "id", "dtype": "u64", "shape": []}, {"name": "logits", "dtype": "f32", "shape": [STATES]}]
    rows, ids = numpy.concatenate(logits), numpy.concatenate(ids)
    cuts = range(0, len(rows), 7)  # batches end within utterances
    return stream(tensors, [{"id": ids[at:at + 7], "logits": rows[at:at + 7]} for at in cuts])


def main():
    random = numpy.random.default_rng(11)
    with tempfile.TemporaryDirectory() as folder:
        names, texts = write_corpus(folder, random)
        os.environ["AN4_DIR"] = folder
        logits = make_scores(random, texts)
        chosen = list(range(8, 18))
        data = make_stream([logits[i] for i in chosen], chosen)
        ctm, aligned = f"{folder}/words.ctm", f"{folder}/states.ctm"

        priors_path = f"{folder}/priors.ctm"
        run(make_stream(logits[:12], range(12)), "--align", priors_path, "--flat")
        flat = read_ctm(priors_path)
        states = [f"{phone}.{s}" for phone in PHONES for s in range(3)]
        counts = numpy.zeros(STATES)
        for name, text, rows in zip(names[:12], texts[:12], logits[:12]):
            path = [3 * PHONES.index(phone) + s for phone in ["SIL", *" ".join(WORDS[word][0] for word in text).split(), "SIL"]
                    for s in range(3)]
            edges = [k * len(rows) // len(path) for k in range(len(path) + 1)]
            due = [[states[state], a, b - a] for state, a, b in zip(path, edges, edges[1:])]
            if len(rows) < len(path):
                due = []
            check(f"the flat start of {name} has equal shares", flat.get(name, []) == due, flat.get(name))
            for state, _, frames in due:
                counts[states.index(state)] += frames
        counts[counts == 0] = 0.5
        log_prior = numpy.log(counts / counts.sum())

        for order, exponent, scale, penalty in (("bigram", 0, 1, 0), ("bigram", 0.6, 2.5, -1), ("unigram", 1, 3, 0.5),
            ("zerogram", 0, 0, 0)):
            got = run(data, "--ngram", order, "--priors", priors_path, "--prior-exponent", exponent, "--language-model-scale",
                      scale, "--word-penalty", penalty, "--beam", 0, "--ctm", ctm)
            found = read_ctm(ctm)
            graph = loop_graph(estimate(texts[:12], order), scale, penalty)
            whole, errors = 0.0, 0
            for i in chosen:
                score, path = graph.viterbi(log_softmax(logits[i]) - exponent * log_prior)
                words = words_of(graph, path)
                whole += score
                errors += distance(texts[i], [word for word, _, _ in words])
                check(f"{order}, {exponent}, {scale}, {penalty}: the words of {names[i]}", found.get(names[i], []) == words,
                      f"{found.get(names[i])} {words}")
            check(f"{order}: the mean score", abs(got["mean_score"] - whole / got["frames"]) < 1e-5,
                  f"{got['mean_score']} {whole / got['frames']}")
            check(f"{order}: the errors", got["errors"] == errors == sum(row["errors"] for row in got["per_speaker"]), got)
            check(f"{order}: the words", got["words"] == sum(len(texts[i]) for i in chosen), got["words"])

        got = run(data, "--align", aligned, "--priors", priors_path, "--prior-exponent", 0.4)
        found, whole, frames = read_ctm(aligned), 0.0, 0
        for i in chosen:
            graph = text_graph(texts[i])
            score, path = graph.viterbi(log_softmax(logits[i]) - 0.4 * log_prior)
            whole, frames = whole + score, frames + len(logits[i])
            due = [states[graph.states[node]] for node in path]
            labels = [state for state, _, length in found[names[i]] for _ in range(length)]
            check(f"the alignment of {names[i]}", labels == due, f"{labels} {due}")
        check("the mean log-likelihood", abs(got["mean_log_likelihood"] - whole / frames) < 1e-5, got)
    print(f"1..{count}")
    sys.exit(failed > 0)


main()
