"""The recipes of CONTRIBUTING.md do what they say, in the places that they name."""

import doctest
import importlib.util
import inspect
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import random_blueprints
import test_blueprints
import test_motifs
import test_proposers
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_problems import SPACE, facts, small_search
from small_dishes import make_settings
from test_common import NOT_ASKED, validate
from test_fused_engine import agree, agree_on_any_graph, engine

import sk_petridish.motifs
import sk_petridish.search.proposers
from sk_petridish import PetriDishRegressor
from sk_petridish.blueprints import (
    Blueprint,
    Node,
    _operations,
    get_operation,
    temporary_operations,
)
from sk_petridish.dish import DishBatch, draw_dish
from sk_petridish.dish.engines.fused import _program
from sk_petridish.estimators._saved_values import known_classes
from sk_petridish.motifs import ConvCell
from sk_petridish.search.proposers import History

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
# The last file that is named before a block is where the block belongs.
BLOCKS = [
    (re.findall(r"`([\w/]+\.py)`", TEXT[: block.start()])[-1], block[1])
    for block in re.finditer(r"```python\n(.*?)```", TEXT, re.DOTALL)
]
MOTIF = "sk_petridish/motifs/_layer_stack.py"
PROPOSER = "search/proposers/_local_search.py"


def code_for(path):
    """Return the block of a file; no recipe has two for one."""
    (code,) = [code for where, code in BLOCKS if where == path]
    return code


@pytest.fixture
def new_file(monkeypatch, tmp_path):
    """Import a block as the new file that it is, and its class as its package's own."""

    def load(path, room, public):
        name = f"{room.__name__}.{Path(path).stem}"
        file = tmp_path / Path(path).name
        file.write_text(code_for(path))
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        monkeypatch.setattr(room, public, getattr(module, public), raising=False)
        monkeypatch.setattr(room, "__all__", [*room.__all__, public])
        return module

    return load


@pytest.fixture
def addition(monkeypatch):
    """Run a block within an existing module, whose registry is afterwards what it was."""

    def run(path, module, registry, **more):
        monkeypatch.setattr(module, registry, dict(getattr(module, registry)))
        exec(code_for(path), vars(module) | more)

    return run


def check_docstrings(module, name):
    """Hold a new class to what its package's are held to."""
    examples = doctest.DocTestFinder().find(getattr(module, name), name, module)
    runner = doctest.DocTestRunner()
    assert sum(runner.run(example).attempted for example in examples) > 0
    assert runner.failures == 0
    public = f"{module.__name__.rpartition('.')[0]}.{name}"
    members = [member for member in vars(getattr(module, name)) if not member.startswith("_")]
    for documented in (public, *(f"{public}.{member}" for member in members)):
        errors = validate(documented)["errors"]
        assert [error for error in errors if error[0] not in NOT_ASKED] == [], documented


def test_every_block_has_a_place():
    assert [path for path, _ in BLOCKS] == [
        MOTIF,
        "tests/test_motifs.py",
        "sk_petridish/blueprints/_operations.py",
        "sk_petridish/dish/engines/fused/_program.py",
        PROPOSER,
        "tests/test_proposers.py",
    ]
    new_or_data = {MOTIF, PROPOSER, "mnist/", "ptb/"}
    for path in set(re.findall(r"`((?:[\w.]+/)+[\w.]*)`", TEXT)) - new_or_data:
        assert (ROOT / path).exists() or (ROOT / "sk_petridish" / path).exists(), path


def test_the_commands_are_those_of_the_readme():
    readme = (ROOT / "README.md").read_text().splitlines()
    for words in ("python -m pytest", "sphinx-build -W"):
        command = next(line for line in readme if words in line)
        assert command in TEXT.splitlines()


# The motif space


@pytest.fixture
def layer_stack(new_file, addition):
    known_classes.cache_clear()
    module = new_file(MOTIF, sk_petridish.motifs, "LayerStack")
    addition("tests/test_motifs.py", test_motifs, "EMPTY")
    yield module
    known_classes.cache_clear()


PROMISES = [thing for name, thing in vars(test_motifs).items() if name.startswith("test_")]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_the_space_keeps_the_contract_of_spaces(promise, layer_stack, tmp_path):
    given = {"space": layer_stack.LayerStack(), "tmp_path": tmp_path}
    promise(**{name: given[name] for name in inspect.signature(promise).parameters})


def test_the_space_is_documented(layer_stack):
    check_docstrings(layer_stack, "LayerStack")


def test_the_spaces_networks_are_those_written_by_hand(layer_stack):
    space = layer_stack.LayerStack()
    blueprint = space.blueprint(space.encode(["tanh-plain relu-skip elu-highway"])[0])
    motif_of_weight = [node for node in blueprint.nodes if node.units]
    assert len({node.weights_name for node in motif_of_weight}) == len(motif_of_weight)
    module = blueprint.build(4, 3, 2, generator=torch.Generator().manual_seed(0)).double()
    weight = iter(module.weights.values())

    def linear(x):
        return x @ next(weight) + next(weight)

    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    hidden = torch.tanh(linear(linear(x)))
    hidden = hidden + torch.relu(linear(hidden))
    output = torch.nn.functional.elu(linear(hidden))
    gate = torch.sigmoid(linear(hidden))
    expected = linear(gate * output + (1 - gate) * hidden)
    torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match=r"No layers are \['sine-plain'\]. A row of X is"):
        space.encode(["tanh-plain sine-plain"])


def test_both_engines_learn_from_the_space(layer_stack):
    space = layer_stack.LayerStack()
    X = space.sample(8, random_state=0)
    few = {"n_dishes": 2, "n_hidden": 3, "inner_steps": 5, "max_iter": 2, "max_outer_loss": 10.0}
    dishes = {
        name: PetriDishRegressor(space, engine=name, random_state=0, **few).fit(X, X.sum(axis=1))
        for name in ("auto", "torch")
    }
    assert dishes["auto"].engine_ == "numba"
    predictions = [dish.predict(X) for dish in dishes.values()]
    assert np.ptp(predictions[0]) > 0
    np.testing.assert_allclose(*predictions, rtol=1e-7)


# The operation


@pytest.fixture
def swish():
    """Register the operation; gives a network with it, twice."""
    nodes = [Node("input")]
    for slope in (0.7, -1.3):
        nodes.append(Node("linear", (len(nodes) - 1,), units="n_hidden"))
        nodes.append(Node("swish", (len(nodes) - 1,), (slope,)))
    with temporary_operations():
        exec(code_for("sk_petridish/blueprints/_operations.py"), vars(_operations))
        yield Blueprint((*nodes, Node("linear", (len(nodes) - 1,), units="n_outputs")))


@pytest.fixture
def kernel(addition):
    addition("sk_petridish/dish/engines/fused/_program.py", _program, "_WRITERS")


def test_the_operation_computes_what_it_should(swish):
    x = torch.linspace(-4, 4, 9, dtype=torch.float64, requires_grad=True)
    slope = torch.tensor([1.7], dtype=torch.float64, requires_grad=True)
    function = get_operation("swish").function
    torch.testing.assert_close(function(x, 1.7), x / (1 + torch.exp(-1.7 * x)))
    torch.testing.assert_close(function(x, 1.0), torch.nn.functional.silu(x))
    assert torch.autograd.gradcheck(function, (x, slope))
    assert torch.autograd.gradgradcheck(function, (x, slope))


def test_the_operation_works_behind_batch_axes_and_in_the_super_network(swish, monkeypatch):
    monkeypatch.setattr(test_blueprints, "FEED_FORWARD", ("swish",))
    test_blueprints.test_every_operation_works_behind_any_batch_axes()
    monkeypatch.setattr(
        random_blueprints, "FEED_FORWARD", (*random_blueprints.FEED_FORWARD[:3], "swish", "sum")
    )
    settings(max_examples=10)(
        test_blueprints.test_the_super_network_runs_recurrent_networks_as_modules_do
    )()


def test_without_a_kernel_the_operation_runs_in_the_torch_engine(swish):
    assert engine("auto", motifs=[swish]).name == "torch"
    with pytest.raises(ValueError, match=r"no kernel for the operations \['swish'\]"):
        engine("numba", motifs=[swish])


def test_with_a_kernel_both_engines_agree(swish, kernel, monkeypatch):
    assert engine("auto", motifs=[swish]).name == "numba"
    dishes = [draw_dish(make_settings(steps=20), seed) for seed in range(2)]
    agree([swish], DishBatch.stack(dishes, torch.float64, "cpu"), (0, 10, 20), seed=0)
    monkeypatch.setattr(
        random_blueprints, "FEED_FORWARD", (*random_blueprints.FEED_FORWARD[:3], "swish", "sum")
    )

    @settings(max_examples=20)
    @given(st.data())
    def on_any_graph(data):
        agree_on_any_graph(data, max_steps=5)

    on_any_graph()


def test_afterwards_the_operation_is_gone():
    with pytest.raises(ValueError, match="Unknown operation 'swish'"):
        get_operation("swish")
    assert "swish" not in _program._WRITERS


# The proposer


@pytest.fixture
def local_search(new_file, addition):
    module = new_file(PROPOSER, sk_petridish.search.proposers, "LocalSearch")
    addition("tests/test_proposers.py", test_proposers, "QUICK", LocalSearch=module.LocalSearch)
    return module


ASKED = [
    thing
    for name, thing in vars(test_proposers).items()
    if name.startswith("test_") and "kind" in inspect.signature(thing).parameters
]


@pytest.mark.parametrize("promise", ASKED, ids=lambda promise: promise.__name__)
def test_the_proposer_keeps_the_contract_of_proposers(promise, local_search):
    if "space" in inspect.signature(promise).parameters:
        for space in test_proposers.SPACES:
            promise(local_search.LocalSearch, space)
    else:
        promise(local_search.LocalSearch)


def test_the_contract_asks_for_the_proposer(local_search, monkeypatch):
    assert len(ASKED) >= 3
    test_proposers.test_every_proposer_is_held_to_the_contract()
    monkeypatch.delitem(test_proposers.QUICK, local_search.LocalSearch)
    with pytest.raises(AssertionError):
        test_proposers.test_every_proposer_is_held_to_the_contract()


def test_the_proposer_is_documented(local_search):
    check_docstrings(local_search, "LocalSearch")


def test_the_proposer_looks_near_first_and_then_further_away(local_search):
    space = ConvCell()
    test_proposers.test_proposals_follow_what_was_good(local_search.LocalSearch(space))
    X = space.sample(100, random_state=0)
    history = History.of(X, -X.sum(axis=1))  # the best have no edges that are nothing
    proposed = local_search.LocalSearch(space).ask(400, history, random_state=0)
    distance = (proposed != history.best(1)).sum(axis=1)
    assert distance[:50].mean() < 2 < 2.5 < distance[-50:].mean()
    two = local_search.LocalSearch(space, n_centres=2).ask(20, history, random_state=0)
    nearest = (two[:, None] != history.best(2)).sum(axis=2).argmin(axis=1)
    assert set(nearest) == {0, 1}


@pytest.mark.usefixtures("quiet_optuna")
def test_the_proposer_searches(local_search):
    proposer = pickle.loads(pickle.dumps(local_search.LocalSearch(SPACE)))
    result = small_search(proposer=proposer).run()
    assert len(set(SPACE.canonical_keys([one.motif for one in result.history]))) == 16
    best = result.best_so_far()
    assert best[-1] < best[7]
    assert facts(small_search(proposer=proposer).run()) == facts(result)
