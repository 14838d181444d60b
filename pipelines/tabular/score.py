#!/usr/bin/env python3
"""Scores exported predictions again, by scikit-learn, and compares with evaluator's figures.

usage: score.py FOLDER      with NAME.csv and NAME.json of each model, as the scripts beside this one leave them

Needs pandas and scikit-learn. Ends with 1 if a figure differs by more than rounding.
"""
import json
import pathlib
import sys

import pandas
from scipy.special import log_softmax
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

different = 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.csv")):
    if not path.with_suffix(".json").exists():
        continue  # rows of the set itself
    said = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    table = pandas.read_csv(path)
    y, predicted = table["y"], table["argmax"]
    logits = table[[name for name in table.columns if name.startswith("logits/it.")]].to_numpy("f8")
    scores = {
        "accuracy": accuracy_score(y, predicted),
        "balanced_accuracy": balanced_accuracy_score(y, predicted),
        "macro_f1": f1_score(y, predicted, average="macro"),
        # Not by log_loss, which cuts probabilities off at 2e-16.
        "negative_log_likelihood": -log_softmax(logits, axis=1)[range(len(y)), y].mean(),
    }
    wrong = [key for key, score in scores.items() if abs(score - said[key]) > 1e-5]
    different += len(wrong)
    print(f"{path.stem:<12} {100 * (1 - scores['accuracy']):6.2f} % wrong, {scores['negative_log_likelihood']:.4f}", *wrong)
sys.exit(different > 0)
