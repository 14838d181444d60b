#!/usr/bin/env python3
"""Models of scikit-learn, as teachers: forests, boosted trees, support vector machines, nearest neighbours.

usage: scikit.py train KIND SEED RECORDING MODEL     writes a model
       scikit.py ask MODEL                           a stage: adds its probabilities to the stream

Kinds are those of KINDS.
"""
import pathlib
import sys

import joblib
import numpy
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
import pipestill  # noqa: E402 (its place is known only now)


# How a model is made, by its seed and the number of columns.

def boosted(trees, depth, rate):
    return lambda seed, _: GradientBoostingClassifier(n_estimators=trees, max_depth=depth, learning_rate=rate, subsample=0.5,
                                                      max_features="sqrt", random_state=seed)


def forest(make, leaf):
    return lambda seed, _: make(n_estimators=300, min_samples_leaf=leaf, random_state=seed)


def bagged():
    return lambda seed, _: BaggingClassifier(DecisionTreeClassifier(), n_estimators=200, random_state=seed)


def machine(cost, width):
    """A support vector machine with the kernel exp(-width |a - b|^2 / columns). Columns have variance 1. A sigmoid, fitted over five
    folds, makes probabilities of its distances (Platt 1999)."""
    return lambda _, columns: CalibratedClassifierCV(SVC(C=cost, gamma=width / columns), ensemble=False)


def neighbours(count):
    return lambda *_: KNeighborsClassifier(count, weights="distance")


KINDS = {
    "forest": forest(RandomForestClassifier, 1), "forest-leaf-3": forest(RandomForestClassifier, 3),
    "extra": forest(ExtraTreesClassifier, 1), "extra-leaf-3": forest(ExtraTreesClassifier, 3), "bagged": bagged(),
    "boosted-2": boosted(600, 2, 0.1), "boosted-4": boosted(300, 4, 0.1), "boosted-4-slow": boosted(600, 4, 0.03),
    "boosted-6": boosted(300, 6, 0.05), "boosted-8": boosted(300, 8, 0.05),
    **{f"svm-{cost}-{width}": machine(cost, width) for cost in (1, 10, 100) for width in (0.5, 1, 2, 4)},
    "neighbours-3": neighbours(3), "neighbours-10": neighbours(10),
}


def train(kind, seed, recording, model):
    with pipestill.read(recording) as stream:
        batches = [(batch.numbers("x"), batch["y"].copy()) for batch in stream]
    x, y = map(numpy.concatenate, zip(*batches))
    joblib.dump(KINDS[kind](int(seed), x.shape[1]).fit(x, y), model)


def ask(path):
    model = joblib.load(path)
    stage = pipestill.teacher(classes=len(model.classes_), name=pathlib.Path(path).stem, model=path)
    # A probability of 0 counts as the smallest normal f32, as in all stages.
    return stage(lambda x: numpy.log(numpy.maximum(model.predict_proba(x), 2.0**-126)))


if sys.argv[1] == "train":
    train(*sys.argv[2:])
else:
    model = sys.argv.pop(2)
    del sys.argv[1]
    ask(model).main()
