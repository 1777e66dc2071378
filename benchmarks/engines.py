"""How fast the gradient through the inner loop is, beside other ways to compute it.

Every implementation runs in a process of its own, on one core, several times in turn::

    python benchmarks/engines.py

asserts that all gradients agree, prints times, compile times and peak memory, sweeps
the fused engine over motifs, inner steps, hidden units, samples and threads, times whole
fits, and writes all of it to ``benchmarks/results/engines_*.txt``. It needs the extra
``benchmarks``, and half an hour; ``--parts compare sweeps fits`` chooses.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
# The module of each in opponents/, and what its function is given besides the problem.
IMPLEMENTATIONS: dict[str, tuple[str, dict[str, str]]] = {
    "fused engine": ("ours", {"name": "numba"}),
    "fused engine, float64": ("ours", {"name": "numba", "dtype": "float64"}),
    "torch engine": ("ours", {"name": "torch"}),
    "torch engine, float64": ("ours", {"name": "torch", "dtype": "float64"}),
    "plain autograd": ("plain_torch", {}),
    "torchopt": ("with_torchopt", {}),
    "higher": ("with_higher", {}),
    "JAX": ("with_jax", {}),
}
SIZES = (15, 150, 1500)


def prepare(name: str, n_motifs: int) -> Callable[[], tuple]:
    """Return the implementation's function."""
    from importlib import import_module

    from opponents import problem

    module, options = IMPLEMENTATIONS[name]
    return import_module(f"opponents.{module}").prepare(problem.make(n_motifs), **options)


def work(name: str, n_motifs: int, budget: float) -> None:
    """Measure one implementation, in a process of its own; print what was found."""
    # One core, where the system can say so: Linux.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    if "JAX" not in name:
        import torch

        torch.set_num_threads(1)
    step = prepare(name, n_motifs)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    gradients = step()
    first = time.perf_counter() - start
    seconds = []
    while sum(seconds) < budget or len(seconds) < 3:
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "seconds": seconds,
                "first": first,
                "peak": peak / 1024,
                "imports": before / 1024,
                "gradients": [gradient.tolist() for gradient in gradients],
            }
        )
    )


def measure(name: str, n_motifs: int, budget: float, **environment: str) -> dict:
    """Run :func:`work` and read what it found."""
    command = [sys.executable, __file__, "--work", name, str(n_motifs), str(budget)]
    single = {"OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | single | environment, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def distance(found: dict, reference: dict) -> float:
    """Compare gradients, relative to their norm."""
    import numpy as np

    pairs = zip(found["gradients"], reference["gradients"], strict=True)
    return max(np.linalg.norm(np.subtract(a, b)) / np.linalg.norm(b) for a, b in pairs)


def compare(rounds: int, budget: float) -> Iterator[str]:
    """Compare all implementations, in turn, and check that they agree."""
    compiling = {}
    for name in IMPLEMENTATIONS:
        with tempfile.TemporaryDirectory() as empty:
            run = measure(name, SIZES[0], 0.0, NUMBA_CACHE_DIR=empty)
        compiling[name] = run["first"] - statistics.median(run["seconds"])
    for n_motifs in SIZES:
        found: dict[str, list[dict]] = {name: [] for name in IMPLEMENTATIONS}
        for _ in range(rounds):
            for name in IMPLEMENTATIONS:
                found[name].append(measure(name, n_motifs, budget))
        reference = found["torch engine, float64"][0]
        apart = {name: distance(runs[0], reference) for name, runs in found.items()}
        for name, off in apart.items():
            # Sums of float32 over motifs cancel, in everybody's gradients.
            if not off < (1e-6 if "float64" in name else 5e-2):
                raise AssertionError(f"{name} is off by {off:.1e}; all: {apart}")
        # One number a process, so that one disturbed by the machine counts once.
        times = {
            name: [1e3 * statistics.median(run["seconds"]) for run in runs]
            for name, runs in found.items()
        }
        ours = statistics.median(times["fused engine"])
        yield f"\nM = {n_motifs}, one thread, float32 unless said: milliseconds a gradient, median"
        yield (
            f"{'':24}{'ms':>9} {'[least, most]':>19}{'/ fused':>9}{'to compile, s':>15}"
            f"{'peak, MB':>10}{'imports':>9}{'off by':>10}"
        )
        for name, runs in found.items():
            spread = f"[{min(times[name]):.1f}, {max(times[name]):.1f}]"
            middle = statistics.median(times[name])
            yield (
                f"{name:24}{middle:9.1f} {spread:>19}{middle / ours:9.2f}"
                f"{compiling[name]:15.1f}{max(run['peak'] for run in runs):10.0f}"
                f"{runs[0]['imports']:9.0f}{apart[name]:10.0e}"
            )


def median_time(step: Callable[[], object], budget: float = 1.0) -> float:
    """Time a function that has been called before, in seconds."""
    seconds = []
    while sum(seconds) < budget:
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def sweeps() -> Iterator[str]:
    """Show how the fused engine's time grows, and what a second thread gives."""
    from opponents import ours, problem

    def milliseconds(n_motifs: int = 150, n_jobs: int = 1, **sizes: int) -> float:
        step = ours.prepare(problem.make(n_motifs, **sizes), "numba", n_jobs=n_jobs)
        step()
        return 1e3 * median_time(step)

    yield "\nfused engine, float32, one thread, milliseconds a gradient; else as above with M = 150"
    for name, values in (
        ("n_motifs", (15, 50, 150, 500, 1500)),
        ("steps", (50, 100, 250, 500, 1000)),
        ("n_samples", (10, 20, 40, 80, 160)),
        ("n_hidden", (1, 2, 4, 8, 16)),
    ):
        found = [milliseconds(**{name: value}) for value in values]
        yield f"{name:12}" + "".join(f"{value:>10}" for value in values)
        yield f"{'ms':12}" + "".join(f"{value:10.1f}" for value in found)
    alone, shared = milliseconds(1500), milliseconds(1500, n_jobs=2)
    yield f"\nM = 1500: one thread {alone:.0f} ms, two {shared:.0f} ms, {alone / shared:.2f} times"


def fits() -> Iterator[str]:
    """Time what a user calls."""
    import numpy as np
    from sklearn.model_selection import cross_val_score

    from sk_petridish import PetriDishRegressor
    from sk_petridish.datasets import load_sigmoid_slopes
    from sk_petridish.motifs import SigmoidSlope

    table = load_sigmoid_slopes()
    inside = np.flatnonzero((table.data.ravel() >= 0.37) & (table.data.ravel() <= 1.5))
    X, y = table.data[inside[::2]][:15], table.target[inside[::2]][:15]
    many = np.linspace(0.01, 2.01, 10_000)[:, None]
    paper = SigmoidSlope().recommended("paper")
    yield f"\nestimator, {len(X)} motifs, seconds: with one thread, and with two"

    def line(what: str, run: Callable[[int], object]) -> str:
        return f"{what:64}" + "".join(f"{median_time(lambda n=n: run(n)):8.2f}" for n in (1, 2))

    for name, settings in (
        ("defaults, 24 dishes", {}),
        ("defaults, float32", {"dtype": "float32"}),
        ("paper's settings, 8 dishes", {**paper, "n_dishes": 8}),
        ("paper's settings, 8 dishes, float32", {**paper, "n_dishes": 8, "dtype": "float32"}),
    ):

        def estimator(n_jobs: int, settings: dict = settings) -> PetriDishRegressor:
            return PetriDishRegressor(**settings, random_state=0, n_jobs=n_jobs)

        fitted = {n: estimator(n).fit(X, y) for n in (1, 2)}
        yield line(f"fit: {name}", lambda n, new=estimator: new(n).fit(X, y))
        yield line(
            f"5-fold cross-validation: {name}",
            lambda n, new=estimator: cross_val_score(
                new(n), X, y, cv=5, scoring="neg_mean_squared_error"
            ),
        )
        yield line(f"10,000 motifs: {name}", lambda n, fitted=fitted: fitted[n].predict(many))
    script = (
        "import sys, time; start = time.perf_counter(); import numpy as np;"
        "from sk_petridish import PetriDishRegressor; from sk_petridish.motifs import SigmoidSlope;"
        "loaded = time.perf_counter(); X = np.linspace(0.4, 1.5, 15)[:, None];"
        "PetriDishRegressor(**SigmoidSlope().recommended('paper') | {'n_dishes': 8},"
        "dtype=sys.argv[1], n_jobs=int(sys.argv[2]), random_state=0).fit(X, X.ravel());"
        "print(loaded - start, time.perf_counter() - loaded)"
    )
    for dtype in ("float64", "float32"):
        for n_jobs in ("1", "2"):
            command = [sys.executable, "-c", script, dtype, n_jobs]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            imports, fit = map(float, done.stdout.split())
            yield (
                f"paper's settings, 8 dishes, {dtype}, {n_jobs} thread(s), new process, kernels "
                f"kept: imports {imports:.1f} s, first fit {fit:.1f} s"
            )


def machine() -> str:
    """Name the machine and the libraries."""
    model = platform.processor() or platform.machine()
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        names = [line for line in cpu_info.read_text().splitlines() if "model name" in line]
        model = names[0].split(":")[1].strip() if names else model
    packages = ("numba", "torch", "jax", "torchopt", "higher")
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, " + ", ".join(
        f"{name} {version(name)}" for name in packages
    )


def main() -> None:
    """Print all tables and keep them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", default=["compare", "sweeps", "fits"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=2.0, help="seconds an implementation runs")
    parser.add_argument("--work", nargs=3, metavar=("NAME", "MOTIFS", "BUDGET"))
    options = parser.parse_args()
    if options.work:
        name, n_motifs, budget = options.work
        work(name, int(n_motifs), float(budget))
        return
    import torch

    torch.set_num_threads(1)
    parts = {
        "compare": lambda: compare(options.rounds, options.budget),
        "sweeps": sweeps,
        "fits": fits,
    }
    RESULTS.mkdir(exist_ok=True)
    for name in options.parts:
        lines = [machine()]
        for line in parts[name]():
            print(line, flush=True)
            lines.append(line)
        (RESULTS / f"engines_{name}.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
