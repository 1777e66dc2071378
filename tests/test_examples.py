"""Examples and benchmarks run as they are, with small dishes."""

import functools
import importlib.util
import runpy
from pathlib import Path

import matplotlib as mpl
import pytest

import sk_petridish
from sk_petridish import PetriDishRegressor

ROOT = Path(__file__).parents[1]


@pytest.fixture
def small_dishes(monkeypatch):
    small = functools.partial(
        PetriDishRegressor, n_dishes=1, n_hidden=2, inner_steps=5, max_outer_loss=4.0
    )
    monkeypatch.setattr(sk_petridish, "PetriDishRegressor", small)


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("plot_*.py")), ids=str)
def test_examples_run_and_draw(example, small_dishes, monkeypatch, tmp_path, capsys):
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(example))
    drawn = list(tmp_path.rglob("*.png"))
    assert drawn
    assert all(path.stat().st_size > 10_000 for path in drawn)
    assert "rank correlation outside the interval" in capsys.readouterr().out


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


def test_the_measurement_resumes_where_the_table_ends(tmp_path, monkeypatch):
    benchmark = load_benchmark("measure_sigmoid_slopes")
    monkeypatch.setattr(benchmark, "TABLE", tmp_path / "table.csv")
    everything = benchmark.missing()
    assert sorted(everything) == benchmark.slopes()
    (tmp_path / "table.csv").write_text(
        ",".join(benchmark._sigmoid_slopes.COLUMNS) + f"\n{everything[0]},0,0.1,0.97\n"
    )
    assert benchmark.missing() == everything[1:]
