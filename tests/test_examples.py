"""Examples and benchmarks run as they are, with small dishes."""

import csv
import functools
import importlib.util
import runpy
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

import sk_petridish
from sk_petridish import PetriDishRegressor
from sk_petridish.motifs import (
    ActivationFunction,
    ConvCell,
    RecurrentCell,
    RecurrentGraph,
    SigmoidSlope,
)
from sk_petridish.search import proposers
from sk_petridish.search.ground_truth import LanguageModelGroundTruth, TabularGroundTruth
from sk_petridish.search.proposers import NAO

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"


@pytest.fixture
def small_dishes(monkeypatch):
    small = functools.partial(
        PetriDishRegressor, n_dishes=1, n_hidden=2, inner_steps=5, max_outer_loss=4.0
    )
    monkeypatch.setattr(sk_petridish, "PetriDishRegressor", small)
    few = {"small": {"n_dishes": 1, "inner_steps": 5, "n_synthetic": 8, "n_batches": 2}}
    monkeypatch.setattr(RecurrentCell, "_bank", few)
    monkeypatch.setattr(ActivationFunction, "_bank", few)


# What each example is about to print, at least.
SAYS = {
    "plot_cross_validation": "folds of neighbours dish",
    "plot_grid_search": "tuned on 30 other slopes",
    "plot_motifs": "one network: True blocks: dishes, zero_cost",
    "plot_optuna_study": "dish: 0.",
    "plot_search_recurrent_cells": "random, partial:",
    "plot_sigmoid_slope": "rank correlation outside the interval",
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "example", sorted((ROOT / "examples").glob("plot_*.py")), ids=lambda path: path.stem
)
def test_examples_run_and_draw(example, small_dishes, monkeypatch, tmp_path, capsys):
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(example))
    drawn = list(tmp_path.rglob("*.png"))
    assert drawn
    assert all(path.stat().st_size > 10_000 for path in drawn)
    assert SAYS[example.stem] in " ".join(capsys.readouterr().out.split())
    # What the examples drew is what the repository shows.
    assert {path.name for path in drawn} <= {path.name for path in FIGURES.glob("*.png")}


def sentences(n, seed):
    """Lines of a small language."""
    words = np.random.default_rng(seed)
    return "\n".join(
        f"{words.choice(['cats', 'dogs'])} {words.choice(['see', 'hear'])} mice" for _ in range(n)
    )


@pytest.fixture
def small_treebank(monkeypatch, tmp_path):
    """Another text in the place of the Penn Treebank, and a model that learns it in a moment."""
    folder = tmp_path / "data" / "ptb"
    folder.mkdir(parents=True)
    for part, n in (("train", 60), ("valid", 20), ("test", 20)):
        (folder / f"ptb.{part}.txt").write_text(sentences(n, n))
    monkeypatch.setenv("SK_PETRIDISH_DATA", str(tmp_path / "data"))
    laptop = LanguageModelGroundTruth.presets["laptop"]
    quick = {"n_hidden": 4, "batch_size": 5, "valid_batch_size": 5, "test_batch_size": 5}
    monkeypatch.setitem(LanguageModelGroundTruth.presets, "laptop", laptop | quick)


def test_the_experiment_searches_and_draws_again(
    small_treebank, small_dishes, quiet_optuna, monkeypatch, tmp_path, capsys
):
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(proposers, "NAO", functools.partial(NAO, max_iter=2, n_hidden=4))
    script = str(ROOT / "examples" / "experiment_recurrent_cells.py")
    options = (
        "--init 5 --candidates 4 --select 2 --iterations 1 --seeds 1 --results rows.csv".split()
    )
    monkeypatch.setattr("sys.argv", [script, *options])
    with pytest.raises(SystemExit, match="Nothing is recorded"):
        runpy.run_path(script)
    monkeypatch.setattr("sys.argv", [script, *options, "--search"])
    runpy.run_path(script)
    with open("rows.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    by_method = {}
    for row in rows:
        by_method.setdefault(row["method"], []).append(row)
    assert list(by_method) == [
        "dish + GA",
        "dish + NAO",
        "dish + random search",
        "NAO",
        "random search, partial",
    ]
    first = [row["cell"] for row in rows[:5]]
    space = RecurrentCell()
    for method, ours in by_method.items():
        # All begin alike, and no cell is trained twice.
        assert [row["cell"] for row in ours if row["iteration"] == "0"] == first
        assert len(
            set(space.canonical_keys(space.from_string([row["cell"] for row in ours])))
        ) == len(ours)
        assert len(ours) == 5 + (3 if method == "random search, partial" else 2)
        assert any(row["predicted"] != "nan" for row in ours) == method.startswith("dish")
        best = min(
            (row for row in ours if row["state"] == "complete"), key=lambda row: float(row["loss"])
        )
        assert 0 < float(best["test_loss"]) < 2
        assert all((row["epochs"] == "3") == (row["state"] == "complete") for row in ours)
    # A second run reads what the first has recorded, and draws the same.
    said = capsys.readouterr().out
    monkeypatch.setattr(LanguageModelGroundTruth, "__call__", None)
    monkeypatch.setattr("sys.argv", [script, *options])
    runpy.run_path(script)
    again = capsys.readouterr().out
    assert said.endswith(again)
    assert "best cell: " in again
    drawn = {path.name for path in (tmp_path / "figures").glob("*.png")}
    assert drawn == {"recurrent_cells_figure_3.png", "recurrent_cells_figure_5.png"}
    assert drawn <= {path.name for path in FIGURES.glob("*.png")}


def test_the_preset_benchmark_correlates_trainings(small_treebank, monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmark = load_benchmark("laptop_preset")
    monkeypatch.setattr(benchmark, "RESULTS", tmp_path)
    longer = {"n_tokens": None, "n_hidden": 6, "n_epochs": 2}
    monkeypatch.setitem(benchmark.TRAININGS, "longer", longer)
    monkeypatch.setattr("sys.argv", ["laptop_preset.py", "--n-cells", "3"])
    benchmark.main()
    report = capsys.readouterr().out
    assert "laptop, epoch 3, with longer" in report
    assert "mean of both seeds, with longer" in report
    with (tmp_path / "laptop_preset.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [len(row["losses"].split()) for row in rows] == [3] * 6 + [2] * 3
    # What is there is not trained again.
    monkeypatch.setattr(benchmark, "train", None)
    benchmark.main()
    assert capsys.readouterr().out == report
    rows = [
        {"cell": cell, "training": training, "losses": losses, "seconds": "1"}
        for training, all_losses in (
            ("laptop", ("3 1", "3 2", "2 3")),
            ("longer", ("5", "6", "7")),
        )
        for cell, losses in zip("abc", all_losses, strict=True)
    ]
    # The best of two epochs is 1, 2 and 2; after one it is 3, 3 and 2.
    lines = benchmark.report(rows).splitlines()
    assert lines[-2].split()[-2:] == ["-0.816", "-0.866"]
    assert lines[-1].split()[-2:] == ["0.816", "0.866"]


def test_the_cell_benchmark_trains_winners_again(
    small_treebank, small_dishes, monkeypatch, tmp_path, capsys
):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmark = load_benchmark("recurrent_cells")
    few = {"max_iter": 1, "inner_steps": 5, "n_synthetic": 4, "n_batches": 1}
    monkeypatch.setitem(RecurrentCell._settings, "paper", few | {"max_outer_loss": 10.0})
    monkeypatch.setattr(benchmark, "RESULTS", tmp_path)
    cells = RecurrentCell().sample(10, random_state=0).astype(int)
    columns = ("seed", "method", "iteration", "state", "loss", "predicted", "cell")
    rows = []
    for method, chosen in (("dish + GA", cells[7:]), ("NAO", cells[6:9])):
        for number, cell in enumerate([*cells[:6], *chosen]):
            predicted = number if method == "dish + GA" and number >= 6 else np.nan
            loss = 5 - 0.1 * number
            values = ("0", method, int(number >= 6), "complete", loss, predicted)
            rows.append((*values, " ".join(map(str, cell))))
    with (tmp_path / "recurrent_cells.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    monkeypatch.setattr("sys.argv", ["recurrent_cells.py", "--trainings", "2"])
    benchmark.main()
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert [line.split("  ")[0] for line in lines[2:5]] == ["best random cell", "dish + GA", "NAO"]
    # Six random cells with losses from 4.5 to 5.0; three that were chosen, 4.2 to 4.4.
    assert "4.7500 ± 0.1708" in lines[2]
    assert "4.3000 ± 0.0816       -1.00" in lines[3]
    assert lines[4].endswith("4.3000 ± 0.0816")
    assert "1 searches a method, 2 trainings a winner" in printed
    assert printed.count("s to learn from 9 cells") == 2
    with (tmp_path / "recurrent_cells_retrained.csv").open(newline="") as file:
        again = list(csv.DictReader(file))
    assert {row["cell"] for row in again} == {" ".join(map(str, cells[n])) for n in (5, 9, 8)}
    perplexity = np.exp(np.mean([float(row["test_loss"]) for row in again[::3]]))
    assert f"{perplexity:.2f}" in lines[2]
    monkeypatch.setattr(benchmark, "retrain", None)
    benchmark.main()
    assert capsys.readouterr().out.splitlines()[:6] == lines[:6]


def load_benchmark(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_slope_benchmark_measures_every_method(small_dishes):
    benchmark = load_benchmark("sigmoid_slope")
    rows = [
        benchmark.evaluate(method, seed)
        for method in ("dish", "dish, unlearned", "control")
        for seed in (0, 1)
    ]
    assert all(set(row) == set(benchmark.COLUMNS) for row in rows)
    assert all(-1 <= row["outside"] <= 1 for row in rows)
    report = benchmark.summary(rows)
    assert "dish, unlearned" in report
    assert "all three" in report


def test_the_uncertainty_benchmark_measures_every_method(small_dishes):
    benchmark = load_benchmark("uncertainty")
    results = {
        method: [benchmark.evaluate(method, seed) for seed in (0, 1)]
        for method in ("dish", "Gaussian process", "random forest")
    }
    for runs in results.values():
        assert [values.shape[0] for values in runs[0].values()] == [2, 2]
        assert all((run["inside"][1] > 0).all() for run in runs)
    report = benchmark.summary(results)
    assert "outside: dish" in report
    # The share within the central 90 % of a normal distribution, of errors of exactly one.
    ones = {"dish": [{"inside": np.ones((2, 9)), "outside": np.ones((2, 9))}]}
    assert "0.00 [0.00]   0.00 [0.00]   1.00 [1.00]" in benchmark.summary(ones)


def test_the_hyperparameter_benchmark_compares_what_is_chosen(small_dishes, monkeypatch):
    benchmark = load_benchmark("hyperparameters")
    monkeypatch.setattr(SigmoidSlope, "hyperparameters", lambda self: {"init_scale": [3.0, 4.0]})
    chosen = benchmark.choose("grid", 0)
    assert chosen.init_scale in (3.0, 4.0)
    assert chosen.statistic == "final_valid"  # left open, so as published
    assert chosen.n_dishes == 24
    monkeypatch.setattr(
        benchmark, "choose", lambda method, seed: PetriDishRegressor(n_dishes=1, max_iter=0)
    )
    report = benchmark.quality(1)
    assert all(method in report for method in ("published", "random", "optuna", "recommended"))


def test_the_measurement_resumes_where_the_table_ends(tmp_path, monkeypatch):
    benchmark = load_benchmark("measure_sigmoid_slopes")
    monkeypatch.setattr(benchmark, "TABLE", tmp_path / "table.csv")
    everything = benchmark.missing()
    assert sorted(everything) == benchmark.slopes()
    (tmp_path / "table.csv").write_text(
        ",".join(benchmark._sigmoid_slopes.COLUMNS) + f"\n{everything[0]},0,0.1,0.97\n"
    )
    assert benchmark.missing() == everything[1:]


def test_the_predictor_benchmark_measures_every_method(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmark = load_benchmark("predictors")
    few = {"n_dishes": 1, "inner_steps": 3, "n_synthetic": 4, "n_batches": 1}
    monkeypatch.setattr(RecurrentGraph, "_bank", {"small": few})
    space = RecurrentGraph()
    X = space.sample(14, random_state=0)
    dish = few | {"max_iter": 1, "max_outer_loss": 10.0, "oob_fraction": 0.0}
    table = benchmark.Table(space, X, np.arange(14.0), (8,), None, dish)
    rows = []
    for method, make in benchmark.methods(table, benchmark.Features(table)).items():
        for split, train, test in benchmark.splits(table, 8, 2):
            assert sorted([*train, *test]) == list(range(14))
            measured = benchmark.measure(table, make(split), train, test)
            assert -1 <= measured["tau"] <= 1
            rows.append({"n_train": "8", "method": method} | measured)
    assert len(rows) == 20
    report = benchmark.table_of(rows)
    assert all(row["method"] in report for row in rows)


def test_the_predictor_benchmark_counts_a_network_once(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmark = load_benchmark("predictors")
    # Two rows that are the same cell, and another.
    X = np.array([[0, 0, 0, 1, 0, 0], [3, 0, 0, 1, 0, 0], [0, 0, 0, 3, 0, 0]], dtype=float)
    table = benchmark.TabularGroundTruth(ConvCell(), X, np.array([1.0, 2.0, 5.0]))
    np.testing.assert_array_equal(table.X, X[[0, 2]])
    np.testing.assert_array_equal(table.y, [1.5, 5.0])


@pytest.fixture
def search_benchmark(monkeypatch, tmp_path):
    """The search benchmark on 40 graphs, and a surrogate that needs no dishes."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmark = load_benchmark("search")
    monkeypatch.setattr(benchmark, "MEMORY", tmp_path)
    monkeypatch.setattr(
        benchmark, "make_surrogate", lambda space, **kwargs: ExtraTreesRegressor(10, random_state=0)
    )
    X = RecurrentGraph().sample(60, random_state=0)
    X = TabularGroundTruth(RecurrentGraph(), X, np.zeros(60)).X[:40]  # each network once
    table = TabularGroundTruth(benchmark.TableSpace(X), X, np.arange(40.0))
    nao = {"max_iter": 2, "n_hidden": 4, "n_predictor": 4}
    return benchmark, benchmark.Problem(table, 6, 9, 3, 2, nao)


def test_the_search_benchmark_treats_all_methods_alike(search_benchmark, tmp_path):
    benchmark, problem = search_benchmark
    runs, rates = {}, {}
    for name, method in benchmark.methods(problem).items():
        results = [method(seed) for seed in (0, 1)]
        runs[name] = [losses for losses, _ in results]
        rates[name] = results[0][1]
        for seed, losses in enumerate(runs[name]):
            assert len(losses) == len(set(losses)) == 6 + 2 * 3
            first = [problem.table(row) for row in benchmark.initial(problem, seed)]
            np.testing.assert_array_equal(losses[:6], first)
    assert len(runs) == 10
    report = benchmark.report(problem, runs, rates)
    assert all(name in report for name in runs)
    benchmark.draw(problem, runs, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_the_search_benchmark_asks_again_for_what_a_table_lacks(search_benchmark):
    benchmark, _ = search_benchmark
    space = ConvCell()
    X = space.sample(300, random_state=0)
    table = TabularGroundTruth(space, X, X.sum(axis=1))
    proposer = benchmark.OnTable(benchmark.RandomSearch(space), table)
    known = benchmark.History.of(X[:5], np.zeros(5))
    proposed = proposer.ask(20, known, random_state=1)
    assert len(set(space.canonical_keys(proposed))) == 20
    assert all(row in table for row in proposed)
    assert not set(space.canonical_keys(proposed)) & set(space.canonical_keys(X[:5]))
    assert 0 < proposer.n_hits < proposer.n_asked


def test_the_search_benchmark_counts_evaluations_for_equal_quality(search_benchmark):
    benchmark, _ = search_benchmark
    mean = {"dish + GA": np.array([5.0, 3, 1, 0]), "GA": np.array([5.0, 4, 3, 2])}
    assert benchmark._equal(mean, "dish + GA", "GA") == "3"
    assert benchmark._equal(mean, "GA", "dish + GA") == "never"
    runs = [np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0]), np.array([3.0, 3.0, 3.0])]
    assert benchmark._until(runs, 1.5) == "2 (2 to never)"
