"""Measure the ground truth of experiment 4.1 and write the table that we ship.

Trains the 2-layer, 100-wide perceptron of Table 1 on MNIST for every slope,
three times, and appends a line a run to the table. Slopes that the table has are not
measured again, so the measurement resumes where it stopped::

    python benchmarks/measure_sigmoid_slopes.py --n-jobs 2
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import joblib
import numpy as np
import torch
from tqdm import tqdm

from sk_petridish.datasets import _sigmoid_slopes
from sk_petridish.search.ground_truth import MLPGroundTruth

TABLE = Path(_sigmoid_slopes.__file__).parent / "data" / "sigmoid_slopes.csv"
N_RUNS = 3


def slopes() -> list[float]:
    """Slopes from 0.01 to 2.01, evenly spaced on each side of the training interval and in it."""
    left, inside, right = (0.01, 0.36, 21), (0.37, 1.5, 30), (1.55, 2.01, 9)
    grids = [np.linspace(*part) for part in (left, inside, right)]
    return np.concatenate(grids).round(4).tolist()


def measure(slope: float) -> list[tuple[float, int, float, float]]:
    """Train one slope's network ``N_RUNS`` times; one row of the table a run."""
    torch.set_num_threads(1)
    *_, last = MLPGroundTruth(n_runs=N_RUNS).train([slope])
    return [
        (slope, run, round(evaluation.loss, 6), round(evaluation.accuracy, 4))
        for run, evaluation in enumerate(last)
    ]


def measured() -> set[float]:
    """Slopes that the table has already."""
    if not TABLE.exists():
        return set()
    with TABLE.open(newline="") as file:
        return {float(row["slope"]) for row in csv.DictReader(file)}


def missing() -> list[float]:
    """Slopes still to measure, in an order that covers the range early."""
    shuffled, done = np.random.default_rng(0).permutation(slopes()).tolist(), measured()
    return [slope for slope in shuffled if slope not in done]


def main() -> None:
    """Measure what is missing and keep the table sorted at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-jobs", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    tasks = missing()
    parallel = joblib.Parallel(arguments.n_jobs, return_as="generator_unordered")
    results = parallel(joblib.delayed(measure)(slope) for slope in tasks)
    if not TABLE.exists():
        TABLE.write_text(",".join(_sigmoid_slopes.COLUMNS) + "\n")
    for rows in tqdm(results, total=len(tasks), unit="slope"):
        with TABLE.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    header, *lines = TABLE.read_text().splitlines()
    lines.sort(key=lambda line: tuple(map(float, line.split(",")[:2])))
    TABLE.write_text("\n".join([header, *lines, ""]))


if __name__ == "__main__":
    main()
