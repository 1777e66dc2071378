"""Edits of saved files with the checksum made right, as a faulty or a hostile writer makes them.

``python tests/saved_edits.py --edits 5000`` applies as many at random. Each must be refused by a
``ValueError`` that names the file, or leave an estimator that predicts finite numbers, in bounded
time and memory. The table at the end counts both, and shows the slowest and largest.
"""

from __future__ import annotations

import argparse
import copy
import faulthandler
import json
import os
import random
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from sk_petridish import (
    PetriDishBankRegressor,
    PetriDishRegressor,
    PetriDishTransformer,
)
from sk_petridish.estimators import _persistence
from sk_petridish.estimators._recommended_banks import make_zero_cost
from sk_petridish.motifs import (
    ActivationFunction,
    ConvCell,
    ProductSpace,
    RecurrentCell,
    RecurrentGraph,
    SigmoidSlope,
)
from sk_petridish.tasks import SampleTask, TeacherTask

# Beyond what any honest use of these small dishes takes, by far.
MAX_SECONDS, MAX_MEGABYTES = 60.0, 1500.0
# Of JSON that is edited once more.
MAX_PLACES = 20_000
# Of an array that an edit makes larger.
MAX_NUMBERS = 100_000

TINY = {
    "n_dishes": 2,
    "n_inputs": 3,
    "n_hidden": 2,
    "n_outputs": 3,
    "n_synthetic": 4,
    "n_batches": 2,
    "n_time_steps": 3,
    "image_size": 4,
    "inner_steps": 3,
    "max_iter": 1,
    "max_outer_loss": 4.0,
    "random_state": 0,
}


class Saved(NamedTuple):
    """A kind of saved file."""

    name: str
    path: Path
    kind: type
    rows: np.ndarray


def estimators():
    """Return fitted estimators of all kinds that are saved, by name, with motifs."""
    spaces = {
        "slope": SigmoidSlope(),
        "function": ActivationFunction(max_nodes=5),
        "cell": RecurrentCell(n_nodes=2),
        "graph": RecurrentGraph(max_nodes=3),
        "conv": ConvCell(n_cells=1),
        "product": ProductSpace({"one": SigmoidSlope(), "two": SigmoidSlope(2)}),
    }
    for name, space in spaces.items():
        X = space.sample(7, random_state=0)
        y = np.linspace(1, 2, len(X)) ** 2
        for engine in ("numba", "torch"):
            if not (engine == "numba" and name in ("conv", "function")):
                dish = PetriDishRegressor(space, engine=engine, **TINY)
                yield f"{name}, {engine}", dish.fit(X, y), X
    X = spaces["slope"].sample(7, random_state=0)
    y = np.linspace(1, 2, len(X)) ** 2
    samples = SampleTask(np.eye(8)[:, :3], np.arange(8) % 3)
    calibrated = TINY | {"n_dishes": 10, "task": samples, "early_stopping": True}
    yield "calibrated", PetriDishRegressor(**calibrated).fit(X, y), X
    bank = PetriDishTransformer(
        dishes=[("a", PetriDishRegressor(**TINY)), ("b", PetriDishRegressor(**TINY))],
        zero_cost=True,
        memory=None,
    )
    yield "transformer", bank.fit(X, y), X
    start = PetriDishRegressor(task=TeacherTask(dense=True), **TINY)
    zero_cost = make_zero_cost(spaces["conv"], start, 0)
    X = spaces["conv"].sample(7, random_state=0)
    yield "zero cost", zero_cost.fit(X, y), X
    X = spaces["cell"].sample(7, random_state=0)
    banks = [("dishes", PetriDishTransformer(dishes=[("a", PetriDishRegressor(**TINY))]))]
    regressor = PetriDishBankRegressor(spaces["cell"], banks=banks, random_state=0)
    yield "bank regressor", regressor.fit(X, y), X


def write_all(folder: Path) -> list[Saved]:
    """Save estimators of all kinds."""
    saved = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, estimator, X in estimators():
            path = folder / f"{name.replace(', ', '_').replace(' ', '_')}.safetensors"
            estimator.save(path)
            saved.append(Saved(name, path, type(estimator), X))
    return saved


def read(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the JSON and the arrays of a file."""
    with safe_open(path, framework="np") as file:
        return json.loads(file.metadata()["sk_petridish"]), load_file(path)


def write(path: Path, described: dict, arrays: dict[str, np.ndarray]) -> None:
    """Write them again, under a checksum that is right."""
    text = json.dumps(described)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata = {
        "sk_petridish": text,
        "format": str(described["format"]),
        "version": described["version"],
        "sha256": _persistence._digest(text, arrays),
    }
    save_file(arrays, path, metadata)


# Edits of JSON. A place is a list or a dictionary, and a key in it.

EXTREMES = [
    None, True, False, 0, 1, -1, 2, 3, 7, 100, 1000, 10**4, 10**5, 10**6, 10**9, 2**63, 10**40,
    0.5, -0.0, 1e-320, 1e-30, 1e30, 1e100, 1e300, -1e300, 1.5, "", "x", "cuda", "meta", "nan", "0",
    "torch", "numba", "mean_valid", "final_valid", "float32", "separate", "cross_entropy", "mse",
    [], {}, {"list": []}, {"tuple": []}, {"dict": {}}, {"float": "nan"}, {"float": "inf"},
    {"float": "x"}, {"array": "0"}, {"array": "x"}, {"strings": []}, {"strings": [1]},
    {"foreign": "task", "name": "x"}, {"class": "Popen", "fields": {}},
    {"class": "SigmoidSlope", "kind": "motif_space", "fields": {}},
    {"class": "GaussianTask", "kind": "task", "fields": {}}, {"tuple": [10**6, 10**6]},
    {"tuple": [10**5]}, {"list": [10**9]}, {"list": [{"float": "nan"}]},
]  # fmt: skip

LEFT_BEHIND = {
    "memory": "archive",
    "callbacks": {"list": [{"class": "Popen", "fields": {}}]},
    "history_": {"list": [1]},
    "_validate_params": 1,
    "__class__": "x",
    "__dict__": {"dict": {}},
    "predict": 1,
    "base_estimator": None,
}


def places(node, found=None):
    """List all places in JSON."""
    found = [] if found is None else found
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, item in items:
        found.append((node, key))
        if isinstance(item, (dict, list)):
            places(item, found)
    return found


def leaves(described):
    """List the places at which there is no list and no dictionary."""
    return [
        (node, key) for node, key in places(described) if not isinstance(node[key], (dict, list))
    ]


def objects(described):
    """List the places of the fields of objects."""
    return [node for node, key in places(described) if key == "class" and "fields" in node]


def replace_leaf(described, arrays, draw):
    node, key = draw.choice(leaves(described))
    node[key] = copy.deepcopy(draw.choice(EXTREMES))


def replace_everywhere(described, arrays, draw):
    """Set a field of all objects of a class, so that they agree with each other."""
    kind = draw.choice(objects(described))["class"]
    ours = [node["fields"] for node in objects(described) if node["class"] == kind]
    name = draw.choice([name for fields in ours for name in fields])
    number = draw.choice([5, 17, 100, 1000, 9999, 10**4, 10**5, 10**6, 10**9])
    value = draw.choice([number, number, copy.deepcopy(draw.choice(EXTREMES))])
    for fields in ours:
        fields[name] = copy.deepcopy(value)


def grow_everywhere(described, arrays, draw):
    """Add samples or units to all dishes, in arrays and settings."""
    name, unit = draw.choice([("n_synthetic", ""), ("n_inputs", "x"), ("n_outputs", "y")])
    many = draw.choice([2, 10, 100])
    grown = set()
    for node in objects(described):
        if name in node["fields"] and node["class"] in ("Widths", "DishSettings"):
            node["fields"][name] *= many
        if node["class"] == "Dish":
            for array, place in node["fields"].items():
                if array.endswith(("_train", "_valid")) and array.startswith(unit):
                    old = arrays[place["array"]]
                    if place["array"] in grown or old.size * many > MAX_NUMBERS:
                        continue
                    grown.add(place["array"])
                    arrays[place["array"]] = np.repeat(old, many, axis=-1 if unit else 0)


def scale_number(described, arrays, draw):
    numbers = [(node, key) for node, key in leaves(described) if type(node[key]) in (int, float)]
    node, key = draw.choice(numbers)
    node[key] = draw.choice([node[key] * factor for factor in (-1, 0, 2, 10, 1000, 10**6)] + [
        node[key] + 1, node[key] - 1, float(node[key]), str(node[key])])  # fmt: skip


def replace_anything(described, arrays, draw):
    node, key = draw.choice(places(described))
    node[key] = copy.deepcopy(draw.choice(EXTREMES))


def delete(described, arrays, draw):
    node, key = draw.choice(places(described))
    del node[key]


def duplicate(described, arrays, draw):
    node, key = draw.choice(places(described))
    if isinstance(node, list):
        node[key:key] = [copy.deepcopy(node[key]) for _ in range(draw.choice([1, 2, 100]))]
    else:
        node[draw.choice(["x", "memory", f"{key}_", "fields", "class", "dishes_"])] = copy.deepcopy(
            node[key]
        )


def swap(described, arrays, draw):
    (one, key), (other, name) = draw.sample(places(described), 2)
    one[key], other[name] = copy.deepcopy(other[name]), copy.deepcopy(one[key])


def move(described, arrays, draw):
    (one, key), (other, name) = draw.sample(places(described), 2)
    one[key] = copy.deepcopy(other[name])


def change_class(described, arrays, draw):
    node = draw.choice(objects(described))
    from sk_petridish.estimators._saved_values import known_classes

    node["class"] = draw.choice([*known_classes(), "Popen", "object", "SavedEstimator"])


def insert(described, arrays, draw):
    node = draw.choice(objects(described))
    name = draw.choice(list(LEFT_BEHIND))
    node["fields"][name] = copy.deepcopy(LEFT_BEHIND[name])


def shuffle_names(described, arrays, draw):
    named = [(node, key) for node, key in places(described) if key == "array"]
    (one, key), (other, name) = draw.sample(named, 2)
    one[key], other[name] = other[name], one[key]


def same_array(described, arrays, draw):
    named = [(node, key) for node, key in places(described) if key == "array"]
    (one, key), (other, name) = draw.sample(named, 2)
    one[key] = other[name]


def nest(described, arrays, draw):
    node, key = draw.choice(places(described))
    for _ in range(draw.choice([1, 10, 150, 900])):
        node[key] = {draw.choice(["list", "tuple"]): [node[key]]}


def repeat_dish(described, arrays, draw):
    lists = [node["list"] for node, key in places(described) if key == "list" and node["list"]]
    one = draw.choice(lists)
    one.extend(copy.deepcopy(one) * draw.choice([1, 100]))


def reshape(described, arrays, draw):
    name = draw.choice(list(arrays))
    array = arrays[name]
    arrays[name] = draw.choice([
        array.ravel(), array[None], array[..., None], array.T, array[:1], array[:0], array[..., :1],
        array[:-1], np.concatenate([array, array]), array.reshape(-1, 1), np.float64(1.0),
        np.zeros((0, 10**12)), np.zeros(10**5), array[::-1], np.repeat(array, 3, axis=-1),
    ])  # fmt: skip


def retype(described, arrays, draw):
    name = draw.choice(list(arrays))
    dtype = draw.choice(["float32", "int64", "bool", "uint8", "float16", "complex64"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arrays[name] = np.asarray(arrays[name]).astype(dtype)


def fill(described, arrays, draw):
    name = draw.choice(list(arrays))
    array = np.array(arrays[name])
    value = draw.choice([np.nan, np.inf, -np.inf, 0, 1, -1, 1e300, -1e300, 1e-300, 1e20, 1e5])
    if array.size:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if draw.random() < 0.5:
                array.flat[draw.randrange(array.size)] = value
            else:
                array[...] = value
    arrays[name] = array


def rename_array(described, arrays, draw):
    name = draw.choice(list(arrays))
    arrays[draw.choice(["x", "", "0", "99"])] = arrays.pop(name)


EDITS = (
    replace_leaf, replace_everywhere, replace_everywhere, grow_everywhere, scale_number,
    replace_anything, delete, duplicate, swap, move, change_class, insert, shuffle_names,
    same_array, nest, repeat_dish, reshape, retype, fill, fill, rename_array,
)  # fmt: skip


def edited(described, arrays, draw: random.Random) -> list[str]:
    """Edit JSON and arrays in place, once or more often; return what was done."""
    done = []
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        edit = draw.choice(EDITS)
        try:
            if len(places(described)) > MAX_PLACES:
                break
            edit(described, arrays, draw)
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ):
            # There is nothing to edit in this way.
            continue
        done.append(edit.__name__)
    return done


# What becomes of an edit


class Outcome(NamedTuple):
    """Outcome of loading an edited file."""

    word: str
    seconds: float
    megabytes: float


def peak() -> float:
    """Return the most memory that this process has taken, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def motifs(estimator, rows):
    """Return rows, or motifs of the space that there is after an edit."""
    try:
        return estimator.motif_space_.validate(rows)
    except ValueError:
        return estimator.motif_space_.sample(len(rows), random_state=0)


def predictions(estimator, rows):
    """Return all that an estimator says of motifs."""
    if isinstance(estimator, PetriDishTransformer):
        return [estimator.transform(rows)]
    return list(estimator.predict(rows, return_std=True))


def outcome(saved: Saved, path: Path) -> Outcome:
    """Load an edited file and predict; raise AssertionError where it should not be so."""
    start, before = time.perf_counter(), peak()
    word = "refused"
    try:
        estimator = saved.kind.load(path)
    except ValueError as error:
        if str(path) not in str(error):
            raise RuntimeError(f"{error} does not name the file.") from error
    else:
        for name, kept in {"memory": None, "callbacks": None, "history_": []}.items():
            assert getattr(estimator, name, kept) == kept, f"{name} was read"
        if hasattr(estimator, estimator._last_fitted):
            word = "loaded"
            for output in predictions(estimator, motifs(estimator, saved.rows)):
                assert np.isfinite(output).all(), f"predicts {output}"
        else:
            word = "unfitted"
    return Outcome(word, time.perf_counter() - start, peak() - before)


def run(n_edits: int, seed: int, folder: Path) -> list[tuple[str, Outcome]]:
    """Apply edits, one file after the other; raise at the first that goes wrong."""
    saved = write_all(folder)
    contents = [read(one.path) for one in saved]
    outcomes = []
    path = folder / "edited.safetensors"
    for number in range(n_edits):
        draw = random.Random(f"{seed} {number}")
        which = number % len(saved)
        described, arrays = copy.deepcopy(contents[which])
        label = (
            f"edit {number} of {saved[which].name}: {edited(described['estimator'], arrays, draw)}"
        )
        try:
            write(path, described, arrays)
        except Exception:
            continue  # what safetensors or JSON cannot write, nobody reads
        # A crash or an endless loop shows where it was.
        print(label, file=sys.stderr)
        faulthandler.dump_traceback_later(2 * MAX_SECONDS, exit=True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = outcome(saved[which], path)
            faulthandler.cancel_dump_traceback_later()
            assert found.seconds < MAX_SECONDS, f"took {found.seconds:.0f} s"
            assert found.megabytes < MAX_MEGABYTES, f"took {found.megabytes:.0f} MB"
        except Exception as error:
            if os.environ.get("KEEP_GOING"):
                print(f"WRONG {label}: {type(error).__name__} {str(error)[:300]}")
                continue
            raise AssertionError(f"{label}: {type(error).__name__}: {error}") from error
        outcomes.append((label, found))
    return outcomes


def main() -> None:
    """Apply edits and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run(options.edits, options.seed, Path(folder))
    print(json.dumps(Counter(found.word for _, found in outcomes)))
    for what in ("seconds", "megabytes"):
        label, found = max(outcomes, key=lambda one: getattr(one[1], what))
        print(f"most {what}: {getattr(found, what):.2f} ({found.word}, {label})")


if __name__ == "__main__":
    main()
