"""scikit-learn: a forest as a teacher that answers with probabilities, and tables of pandas. Prints TAP."""
import pickle

import pandas
from models import PYTHON, accuracy, check, column, numpy, pathlib, pipe, pipestill, pool, read, run, same_answers, script
from sklearn.ensemble import RandomForestClassifier

TEACHER = """
import pickle, pipestill
with open("forest.pickle", "rb") as file:
    forest = pickle.load(file)

@pipestill.teacher(classes=10, name="forest", probabilities=True, shape=(784,), model="forest.pickle")
def answer(x):
    return forest.predict_proba(x)

answer.main()
"""
trained = pipe("loader digits --samples 1500")
forest = RandomForestClassifier(30, random_state=1).fit(column(trained, "x").reshape(-1, 784).astype("f4") / 255, column(trained, "y"))
pathlib.Path("forest.pickle").write_bytes(pickle.dumps(forest))
script("forest.py", TEACHER)

tested = pipe("loader digits --samples 300 --split test --batch 64")
answers = pipe(f"{PYTHON} forest.py", tested)
x = numpy.concatenate([batch.numbers("x") for batch in read(tested)[1]]).reshape(-1, 784)
check("its probabilities in a pipe are scikit-learn's", numpy.allclose(column(answers, "soft/forest"), forest.predict_proba(x), atol=1e-6))
check("a forest recognises digits", accuracy(answers, "soft/forest") > 0.8, accuracy(answers, "soft/forest"))
check("behind a dispatcher its answers are the same", same_answers(answers, pool(tested, PYTHON, "forest.py"), "soft/forest"))
check("a forest's soft targets are at temperature 1", read(answers)[0]["soft/forest"].temperature == 1)

SOFTEN = "temperature-softmax --from-probs | stream-select --drop soft/forest | temperature-softmax -T 4"
softer = pipe(SOFTEN, answers)
logits = numpy.log(numpy.maximum(forest.predict_proba(x), 2.0**-126)) / 4
expected = numpy.exp(logits - logits.max(axis=1, keepdims=True))
expected /= expected.sum(axis=1, keepdims=True)
away = abs(column(softer, "soft/forest") - expected).max()
check("a forest's probabilities are softened by way of logits", away < 1e-5, away)
check("all softened tensors keep an origin", all(tensor.origin for tensor in read(softer)[0].tensors))
pipe(f"loader digits --samples 1500 --epochs 6 | {PYTHON} forest.py | {SOFTEN} | "
     "student-trainer --arch 784-40-10 --learning-rate 0.05 --seed 1 -q -o student.safetensors")
answers = pipe("teacher-forward student.safetensors --name s", tested)
check("a student learns from the forest", accuracy(answers, "logits/s") > 0.75, accuracy(answers, "logits/s"))

# ---- a table -----------------------------------------------------------------------------------------------------------

random = numpy.random.default_rng(1)
table = pandas.DataFrame({"long": random.normal(0, 1, 600), "wide": random.normal(0, 1, 600)})
table["kind"] = numpy.where(table["long"] + table["wide"] > 0, "large", "small")
kinds = table["kind"].astype("category")
with pipestill.write("table.pst", classes=2, class_names=list(kinds.cat.categories), epochs=5, samples=600) as writer:
    for epoch in range(5):
        for begin in range(0, 600, 100):
            rows = slice(begin, begin + 100)
            writer.write({"x": table[["long", "wide"]][rows], "y": kinds.cat.codes[rows], "id": numpy.arange(600)[rows]}, epoch)
check("a table of pandas becomes a recording", run("stream-inspect", "--check", "table.pst")[0] == 0)
pipe("student-trainer --hidden 8 --learning-rate 0.1 --seed 1 -q -i table.pst -o table.safetensors")
answers = pipe("teacher-forward table.safetensors --name s -i table.pst")
check("a student learns from it", accuracy(answers, "logits/s") > 0.95, accuracy(answers, "logits/s"))
check("the classes of a table keep their names", read(answers)[0].class_names == ["large", "small"])

# ---- the models of the experiments with munge ------------------------------------------------------------------------------

SCIKIT = f"{PYTHON} {pathlib.Path(__file__).resolve().parents[2]}/pipelines/munge/scikit.py"
for kind in ("forest-leaf-3", "svm-10-1", "neighbours-3"):
    pipe(f"{SCIKIT} train {kind} 1 table.pst p-scikit-{kind}.joblib")
    answers = pipe(f"{SCIKIT} ask p-scikit-{kind}.joblib <table.pst | temperature-softmax")
    check(f"{kind} of the experiments with munge answers", accuracy(answers, f"soft/p-scikit-{kind}") > 0.95)
