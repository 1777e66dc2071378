"""Motifs of several spaces in one row, and their networks one behind another."""

import pickle

import numpy as np
import optuna
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution
from random_blueprints import blueprints
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from small_regressors import FAST
from test_fused_engine import agree, dishes
from test_module_motif import SPACE as MODULES
from torch import nn

from sk_petridish import PetriDishRegressor, PetriDishTransformer, make_surrogate
from sk_petridish.blueprints import (
    Blueprint,
    BlueprintBuilder,
    ModuleBlueprint,
    ModuleNetwork,
    Node,
    Widths,
    chain,
)
from sk_petridish.inspection import MotifDisplay
from sk_petridish.model_selection import select_hyperparameters
from sk_petridish.motifs import (
    ActivationFunction,
    ConvCell,
    ModuleMotif,
    MotifSpace,
    ProductSpace,
    RecurrentCell,
    RecurrentGraph,
    SigmoidSlope,
)
from sk_petridish.search import PetriDishSampler, PetriDishSearch

CELL = RecurrentCell(n_nodes=2)
OF_KIND = {
    "images": [ConvCell(n_cells=1), ConvCell(n_cells=2)],
    "sequences": [CELL, RecurrentCell(3, gated=False), RecurrentGraph(6)],
    "vectors": [SigmoidSlope(), SigmoidSlope(2), ActivationFunction(8), MODULES],
}
TWO_CELLS = ProductSpace({"normal": ConvCell(), "reduce": ConvCell()})


@st.composite
def products(draw, kinds=tuple(OF_KIND)):
    """One to three parts of one kind, which may be products themselves."""
    parts = st.sampled_from(OF_KIND[draw(st.sampled_from(kinds))])
    inner = st.builds(lambda part: ProductSpace({"inner": part}), parts)
    names = st.sampled_from(["a", "a_b", "Zelle 2", "c.d", "train", "%"])
    return ProductSpace(draw(st.dictionaries(names, parts | inner, min_size=1, max_size=3)))


seeds = st.integers(0, 2**31 - 1)


# Rows


@given(products(), seeds)
def test_rows_are_those_of_the_parts_side_by_side(space, seed):
    own = {name: part.sample(3, seed) for name, part in space.spaces.items()}
    X = np.hstack(list(own.values()))
    np.testing.assert_array_equal(space.validate(X), X)
    notations = {name: part.decode(own[name]) for name, part in space.spaces.items()}
    decoded = [{name: motifs[i] for name, motifs in notations.items()} for i in range(3)]
    assert space.decode(X) == decoded
    np.testing.assert_array_equal(space.encode(decoded), X)
    names = [f"{name}_{one}" for name, part in space.spaces.items() for one in part.search_space()]
    assert list(space.search_space()) == names
    wild = np.random.RandomState(seed).normal(scale=9, size=X.shape)
    repaired, start = [], 0
    for part in space.spaces.values():
        stop = start + len(part.search_space())
        repaired.append(part.repair(wild[:, start:stop]))
        start = stop
    np.testing.assert_array_equal(space.repair(wild), np.hstack(repaired))


@given(products(), seeds)
def test_products_are_one_network_where_all_their_parts_are(space, seed):
    X = np.vstack([space.sample(4, seed), space.sample(1, seed + 1 - 2 * (seed > 0))])
    # Neighbours have many parts in common, and some mean the same by other numbers.
    X = np.vstack([X, space.mutate(X, 0.2, seed)])
    keys = space.canonical_keys(X)
    start, own = 0, []
    for part in space.spaces.values():
        stop = start + len(part.search_space())
        own.append(part.canonical_keys(X[:, start:stop]))
        start = stop
    parts = list(zip(*own, strict=True))
    for i in range(len(X)):
        assert [key == keys[i] for key in keys] == [part == parts[i] for part in parts]


def test_one_part_draws_what_the_part_draws():
    space = ProductSpace({"only": ActivationFunction()})
    np.testing.assert_array_equal(space.sample(5, 0), ActivationFunction().sample(5, 0))


def test_two_cells_of_a_trial_have_parameters_of_their_own():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [study.ask() for _ in range(5)]
    rows = np.array([TWO_CELLS.suggest(trial) for trial in trials])
    assert (rows[:, :6] != rows[:, 6:]).any()
    for trial, motif in zip(trials, TWO_CELLS.decode(rows), strict=True):
        normal = [trial.params[f"normal_edge_{i}"] for i in ("0_1", "0_2", "1_2")]
        assert motif["normal"] == ConvCell().decode([[*normal, *rows[trial.number, 3:6]]])[0]
        assert len(trial.params) == 12


@pytest.mark.filterwarnings("ignore:Fixed parameter")
def test_a_part_beyond_the_range_is_kept_beside_parts_that_are_drawn():
    functions = ActivationFunction()
    space = ProductSpace({"a": functions, "b": functions})
    columns, relu6 = functions.search_space(), functions.encode(["relu6"])[0]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(5):
        study.enqueue_trial({f"a_{name}": float(x) for name, x in zip(columns, relu6, strict=True)})
    X = np.array([space.suggest(study.ask()) for _ in range(5)])
    np.testing.assert_array_equal(X[:, : len(relu6)], np.tile(relu6, (5, 1)))
    assert len(set(space.canonical_keys(X))) > 1
    mutants = space.mutate(np.repeat(X[:1], 400, axis=0), 0.02, random_state=0)
    same = [functions.decode([row[: len(relu6)]])[0] == "min(relu(x), 6.0)" for row in mutants]
    changed = (mutants[:, len(relu6) :] != X[0, len(relu6) :]).any(axis=1)
    assert (np.array(same) & changed).any()
    study.enqueue_trial({"b_function_0": 1, "b_constant_0": 9.0})
    with pytest.raises(ValueError, match="Part 'b': constant_0=9 is none of"):
        space.suggest(study.ask())


# Errors


NO_CELL = RecurrentCell().set_params(n_nodes=0)


@pytest.mark.parametrize(
    ("spaces", "message"),
    [
        ({}, "'spaces' parameter of ProductSpace must be a non-empty dict"),
        ([("a", CELL)], "'spaces' parameter of ProductSpace must be a non-empty dict"),
        (None, "'spaces' parameter of ProductSpace must be a non-empty dict"),
        ({"a": CELL, "": CELL}, "must not be empty, got ''"),
        ({1: CELL}, "dict of str"),
        ({"a__b": CELL}, "'a__b' must neither have '__'"),
        ({"a_": CELL}, "'a_' must neither have '__'"),
        ({"spaces": CELL}, "No part can be called 'spaces'"),
        ({"a": CELL, "b": RecurrentCell}, "an instance of .*MotifSpace'. Got .*'b': <class"),
        ({"a": CELL, "b": None}, "an instance of .*MotifSpace'. Got .*'b': None"),
        ({"a": CELL, "b": NO_CELL}, "The 'n_nodes' parameter of RecurrentCell must be"),
        ({"a": CELL, "b": ConvCell()}, "one kind, got {'a': 'sequences', 'b': 'images'}"),
        (
            {"cell": ProductSpace({"b": SigmoidSlope()}), "cell_b": SigmoidSlope()},
            r"Parts 'cell' and 'cell_b' both have columns called \['cell_b_slope'\]",
        ),
    ],
)
def test_what_is_no_product_is_refused_when_made_and_when_used(spaces, message):
    with pytest.raises(ValueError, match=message):
        ProductSpace(spaces)
    space = ProductSpace({"a": CELL})
    space.set_params(spaces=spaces)
    assert repr(space).startswith("ProductSpace(")
    for use in (
        lambda: space.sample(1, 0),
        space.search_space,
        lambda: space.validate([[0.0]]),
        lambda: space.encode([{}]),
        space.recommended,
        space.hyperparameters,
        lambda: space.data_kind,
        lambda: PetriDishRegressor(space).fit([[0.0], [1.0]], [0.0, 1.0]),
    ):
        with pytest.raises(ValueError, match=message):
            use()


def test_names_that_go_on_like_others_are_fine_where_columns_differ():
    space = ProductSpace({"a": CELL, "a_b": CELL})
    assert len(space.search_space()) == 8


@pytest.mark.parametrize(
    ("motif", "message"),
    [
        ({"normal": "x"}, r"Motif 1: .*missing are \['reduce'\], unknown \[\]"),
        ({"normal": 0, "reduce": 0, "more": 0}, r"Motif 1: .*missing are \[\], unknown \['more'\]"),
        ("|none~0|", "Motif 1: it must be a dictionary with the parts"),
        (None, "Motif 1: it must be a dictionary with the parts"),
        ({"normal": "|none~0|", "reduce": "|none~0|"}, "Motif 1: Part 'normal': .*no cell"),
    ],
)
def test_bad_notations_are_errors_that_name_motif_and_part(motif, message):
    good = TWO_CELLS.decode([[0] * 12])[0]
    with pytest.raises(ValueError, match=message):
        TWO_CELLS.encode([good, motif])


def test_a_row_that_is_too_long_does_not_run_into_the_next_part():
    space = ProductSpace({"first": MODULES, "second": MODULES})
    with pytest.raises(ValueError, match=r"Motif 0: Part 'first': .* shape \(2,\), not \(3,\)"):
        space.encode([{"first": [1, 0.5], "second": [1, 1, 0.5, 1]}])


def test_bad_rows_are_errors_that_name_the_part():
    with pytest.raises(ValueError, match="Part 'reduce': Row 1 has edge_0_2=7") as caught:
        TWO_CELLS.validate([[0] * 12, [0] * 7 + [7] + [0] * 4])
    assert "'reduce', 6 columns: A row of X" in str(caught.value)


# Parameters


def test_parts_and_their_parameters_are_parameters():
    cell = ConvCell()
    given = {"normal": cell, "reduce": cell}
    space = ProductSpace(given)
    assert space.get_params(deep=False) == {"spaces": given}
    assert space.get_params()["reduce"] is cell
    assert space.get_params()["reduce__n_cells"] == 3
    # One object stands for both parts, and only one of them is changed.
    space.set_params(reduce__n_cells=1)
    assert space.get_params()["normal__n_cells"] == 3
    assert space.get_params()["reduce__n_cells"] == 1
    space.set_params(normal=ConvCell(5), normal__n_cells=4)
    assert space.get_params()["normal__n_cells"] == 4
    assert given == {"normal": cell, "reduce": cell}
    assert cell.n_cells == 3
    space.set_params(spaces={"one": ProductSpace({"two": CELL})}, one__two__gated=False)
    assert space.get_params()["one__two__gated"] is False
    assert CELL.gated
    for wrong in ("three", "three__gated"):
        with pytest.raises(ValueError, match=r"no parameter 'three', but 'spaces' and.*'one'"):
            space.set_params(**{wrong: 1})
    with pytest.raises(ValueError, match="Invalid parameter 'three'"):
        space.set_params(one__two__three=1)


def test_a_copy_is_independent_and_means_the_same():
    space = ProductSpace({"a": CELL, "b": ProductSpace({"c": CELL})})
    for copy in (clone(space), pickle.loads(pickle.dumps(space))):
        X = space.sample(3, 0)
        assert copy.canonical_keys(X) == space.canonical_keys(X)
        copy.set_params(b__c__gated=False)
        assert copy.canonical_keys(X) != space.canonical_keys(X)
        assert space.get_params()["b__c__gated"]


def test_the_order_of_the_parts_counts():
    ab, ba = (ProductSpace({name: SigmoidSlope() for name in names}) for names in ("ab", "ba"))
    assert list(ab.search_space()) == ["a_slope", "b_slope"]
    assert list(ba.search_space()) == ["b_slope", "a_slope"]
    assert ab.blueprint([0.1, 0.2]) != ba.blueprint([0.1, 0.2])


def test_parameters_of_parts_are_searched_through_an_estimator():
    space = ProductSpace({"a": CELL, "b": CELL})
    X = space.sample(8, 0)
    grid = {"motif_space__a__gated": [True, False], "n_hidden": [2]}
    dish = PetriDishRegressor(space, **FAST | {"n_time_steps": 3, "n_hidden": 1})
    search = GridSearchCV(dish, grid, cv=2, error_score="raise").fit(X, np.arange(8.0))
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] != scores[1]
    best = search.best_estimator_.motif_space_
    assert best.spaces["a"].gated == search.best_params_["motif_space__a__gated"]
    assert best.spaces["b"].gated
    assert space.spaces["a"].gated


# Networks


def hand_over(part, x):
    """Compute what the readout of a network reads."""
    read, _ = part.unroll(x)
    return read[0]


@given(st.data())
def test_a_part_reads_what_the_part_before_has_before_its_readout(data):
    recurrent = data.draw(st.booleans())
    first, second = (data.draw(blueprints(recurrent=recurrent)) for _ in range(2))
    whole = chain({"first": first, "second": second})
    assert len(whole.nodes) == len(first.nodes) + len(second.nodes) - 2
    start = first.build(3, 2, 4)
    end = second.build(2, 2, 4)
    network = whole.build(3, 2, 4)
    offset = len(first.nodes) - 2
    with torch.no_grad():
        for key, weight in network.weights.items():
            position, role = key.split("_", 1)
            is_first = int(position) <= offset
            part, place = (start, int(position)) if is_first else (end, int(position) - offset)
            weight.copy_(part.weights[f"{place}_{role}"])
        x = torch.randn(5, 3, 3) if recurrent else torch.randn(5, 3)
        expected = end(hand_over(start, x))
        torch.testing.assert_close(network(x), expected, equal_nan=True, rtol=1e-4, atol=1e-4)


def test_images_and_reductions_in_a_row():
    halved = Blueprint(
        (
            Node("input"),
            Node("conv", (0,), attributes=(3, 2), units="n_hidden"),
            Node("linear", (1,), units="n_outputs"),
        )
    )
    cell = ConvCell(1).blueprint([3, 0, 0, 1, 0, 4])
    whole = chain({"a": cell, "b": halved, "c": cell, "d": halved})
    assert whole.shapes((8, 8))[-1] == (2, 2)
    assert whole.build(3, 4, 10)(torch.randn(2, 8, 8, 3)).shape == (2, 2, 2, 10)


def outputs_that_stay():
    """Return networks that end in something else than a linear readout of hidden units."""
    direct, summed, wide, returned = (BlueprintBuilder() for _ in range(4))
    direct.add("linear", direct.input, units="n_outputs")
    terms = [summed.add("linear", summed.input, units="n_outputs") for _ in range(2)]
    summed.add("sum", *terms)
    double = wide.add("linear", wide.input, units="n_hidden", factor=2)
    wide.add("linear", double, units="n_outputs")
    before = returned.carry(units="n_outputs")
    hidden = [returned.add("linear", one, units="n_hidden") for one in (before, returned.input)]
    returned.fill(before, returned.add("linear", returned.add("sum", *hidden), units="n_outputs"))
    return [direct.build(), summed.build(), wide.build(), returned.build()]


@pytest.mark.parametrize("first", outputs_that_stay(), ids=["direct", "sum", "wide", "carried"])
def test_any_other_output_stays_and_is_as_wide_as_hidden_layers(first):
    second = SigmoidSlope().blueprint([0.3])
    whole = chain({"first": first, "second": second})
    assert len(whole.nodes) == len(first.nodes) + len(second.nodes) - 1
    widths = list(map(str, whole.widths()))
    assert widths[len(first.nodes) - 1] == "n_hidden"
    assert widths.count("n_outputs") == 1
    assert whole.build(3, 2, 4)(torch.randn(5, 6, 3)).shape == (5, 6, 4)


def test_a_chain_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one part"):
        chain({})


def weights_names(blueprint, part):
    return [
        one.weights_name for one in blueprint.nodes if (one.weights_name or "").startswith(part)
    ]


@given(products(("images", "sequences")), seeds)
def test_parts_start_alike_whatever_stands_beside_them(space, seed):
    one, other = space.sample(2, seed)
    name, part = list(space.spaces.items())[-1]
    n_own = len(part.search_space())
    # The last part is the same, all before it may differ.
    other[-n_own:] = one[-n_own:]
    first, second = space.blueprints([one, other])
    prefix = repr(name) + " "
    assert weights_names(first, prefix) == weights_names(second, prefix)
    keys = [
        key
        for key, node in zip(first.weight_keys(), first.nodes, strict=True)
        if node.registered is not None and node.registered.owns_weights
    ]
    assert len(set(keys)) == len(keys)  # no two weights of a network start alike


@settings(max_examples=20)
@given(st.data())
def test_both_engines_agree_on_chains(data):
    recurrent = data.draw(st.booleans())
    parts = st.lists(blueprints(3, recurrent=recurrent), min_size=2, max_size=3)
    motifs = [chain({str(i): one for i, one in enumerate(data.draw(parts))}) for _ in range(2)]
    batch = data.draw(dishes(recurrent=recurrent, max_steps=4))
    steps = batch.settings.inner.steps
    # Products of products explode; there, nothing can be computed to so many digits.
    agree(motifs, batch, [steps], 0, lambda moderate: assume(bool(moderate)))


@pytest.mark.parametrize("kind", OF_KIND)
def test_a_prediction_does_not_depend_on_its_company(kind):
    first, second, *_ = OF_KIND[kind]
    space = ProductSpace({"first": first, "second": second})
    X = space.sample(6, 0)
    few = {"n_time_steps": 3, "image_size": 4, "inner_steps": 3, "max_iter": 1}
    dish = PetriDishRegressor(space, **FAST | few).fit(X, np.arange(6.0))
    alone = [dish.predict(row[None])[0] for row in X]
    np.testing.assert_allclose(dish.predict(X), alone, rtol=1e-7)


# Networks with modules


MIXED = ProductSpace({"graph": SigmoidSlope(), "module.1": MODULES, "train": MODULES})


def test_with_a_module_the_whole_is_a_module_of_modules():
    (row,) = MIXED.sample(1, 0)
    blueprint = MIXED.blueprint(row)
    assert isinstance(blueprint, ModuleBlueprint)
    network = blueprint.build(3, 2, 4)
    assert isinstance(network, nn.Sequential)
    widths = []
    for part in network:
        part.register_forward_hook(lambda _, inputs, output: widths.append(output.shape[-1]))
    assert network(torch.randn(5, 3)).shape == (5, 4)
    assert widths == [2, 2, 4]
    sizes = [
        sum(weight.numel() for weight in one.build(*ends).parameters())
        for one, ends in zip(parts_of(row), ((3, 2, 2), (2, 2, 2), (2, 2, 4)), strict=True)
    ]
    assert [sum(weight.numel() for weight in part.parameters()) for part in network] == sizes


def test_chains_of_modules_are_compared_and_pickled_by_value():
    one, same, other = MIXED.sample(2, 0)[[0, 0, 1]]
    assert MIXED.blueprint(one) == chain(dict(zip(MIXED.spaces, parts_of(same), strict=True)))
    assert MIXED.blueprint(one) != MIXED.blueprint(other)
    assert len({MIXED.blueprint(row) for row in (one, same, other)}) == 2
    assert pickle.loads(pickle.dumps(MIXED.blueprint(one))) == MIXED.blueprint(one)


def parts_of(row):
    places = ([0], [1, 2, 3], [4, 5, 6])
    return [
        part.blueprint(row[place])
        for part, place in zip(MIXED.spaces.values(), places, strict=True)
    ]


def test_modules_start_alike_whatever_stands_before_them():
    rows = np.array([[0.1, 1, 0.5, 0, 2, 0.5, 1], [0.1, 3, 0.5, 1, 2, 0.5, 1]])
    networks = ModuleNetwork(MIXED.blueprints(rows), Widths(3, 2, 4))
    drawn = {}

    def draw(key, role, shape, fan_in):
        return drawn.setdefault((key, shape), torch.randn(1, *shape, dtype=torch.float64))

    weights = networks.initial_weights(draw)
    one, other = (weights[0, networks.motif_of_weight == motif] for motif in range(2))
    n_last = sum(weight.numel() for weight in parts_of(rows[0])[2].build(2, 2, 4).parameters())
    assert torch.equal(one[-n_last:], other[-n_last:])
    # And two parts of the same motif do not start alike.
    blueprint = chain({name: parts_of(rows[0])[2] for name in "ab"})
    first, second = blueprint.build(2, 2, 2, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(first.readout.bias, second.readout.bias)


def test_a_picture_has_all_parts_side_by_side():
    (row,) = TWO_CELLS.sample(1, 0)
    graph = TWO_CELLS.graph(row)
    normal, reduce = ConvCell().graph(row[:6]), ConvCell().graph(row[6:])
    assert graph.labels[:2] == ["normal: input", "normal: 1"]
    assert graph.labels[4:6] == ["reduce: input", "reduce: 1"]
    assert graph.edges[: len(normal.edges)] == normal.edges
    moved = [one._replace(source=one.source + 4, target=one.target + 4) for one in reduce.edges]
    assert graph.edges[len(normal.edges) :] == moved
    display = MotifDisplay.from_motif(TWO_CELLS, row)
    places = {text.get_text(): text.get_position() for text in display.ax_.texts}
    assert places["normal: input"][0] < places["reduce: input"][0]
    with pytest.raises(ValueError, match=r"Part 'module\.1': .*is a module"):
        MIXED.graph(MIXED.sample(1, 0)[0])


# What is recommended


def test_the_settings_are_those_of_the_first_part_that_has_measured_ones():
    module = ModuleMotif(MODULES.factory, MODULES.distributions, "sequences")
    for spaces in ({"a": CELL, "b": CELL}, {"m": module, "c": CELL}, {"c": CELL, "m": module}):
        for space in (ProductSpace(spaces), ProductSpace({"inner": ProductSpace(spaces)})):
            for name in ("best", "paper", "bank", "zero_cost"):
                assert repr(space.recommended(name)) == repr(CELL.recommended(name))
            assert space.hyperparameters() == CELL.hyperparameters()
    alone = ProductSpace({"m": MODULES, "n": MODULES})
    assert repr(alone.recommended()) == repr(MODULES.recommended())
    assert repr(TWO_CELLS.recommended("zero_cost")) == repr(ConvCell().recommended("zero_cost"))
    with pytest.raises(ValueError, match="No settings are called 'worst'"):
        TWO_CELLS.recommended("worst")


# Files


class Own(SigmoidSlope):
    """A space of a class that a file cannot name."""


OWN = {"class": Own(), "function": MODULES, "nested": ProductSpace({"inner": Own()})}


@pytest.mark.parametrize("own", OWN.values(), ids=OWN)
def test_a_product_with_a_part_of_ones_own_is_replaced_as_a_whole(own, tmp_path):
    space = ProductSpace({"foreign": own, "name": SigmoidSlope()})
    X = space.sample(6, 0)
    dish = PetriDishRegressor(space, **FAST).fit(X, np.arange(6.0))
    dish.save(tmp_path / "dish")
    with pytest.raises(ValueError, match=r"ProductSpace with .* as its motif_space"):
        PetriDishRegressor.load(tmp_path / "dish")
    loaded = PetriDishRegressor.load(tmp_path / "dish", motif_space=space)
    np.testing.assert_array_equal(loaded.predict(X), dish.predict(X))


def test_a_product_of_known_spaces_comes_back(tmp_path):
    inner = ProductSpace({"name": SigmoidSlope(low=0.5)})
    space = ProductSpace({"foreign": inner, "name": ActivationFunction(8)})
    X = space.sample(6, 0)
    dish = PetriDishRegressor(space, **FAST).fit(X, np.arange(6.0))
    dish.save(tmp_path / "dish")
    loaded = PetriDishRegressor.load(tmp_path / "dish")
    assert loaded.motif_space_.get_params()["foreign__name__low"] == 0.5
    assert list(loaded.motif_space_.search_space()) == list(space.search_space())
    np.testing.assert_array_equal(loaded.predict(X), dish.predict(X))


# Where products are used

MIXED_COLUMNS = ProductSpace(
    {
        "slope": SigmoidSlope(),
        "module": ModuleMotif(
            MODULES.factory,
            {
                "n_layers": IntDistribution(1, 3),
                "share": FloatDistribution(0.0, 1.0),
                "normalised": IntDistribution(0, 1),
            },
        ),
    }
)


def total(row):
    return float(np.sum(row))


@pytest.mark.parametrize("space", [TWO_CELLS, MIXED_COLUMNS], ids=["cells", "mixed"])
def test_a_search_goes_over_all_parts(space):
    search = PetriDishSearch(
        space, total, surrogate=LinearRegression(), n_init=8, n_candidates=20, n_select=4,
        n_iterations=2, random_state=0,
    )  # fmt: skip
    result = search.run()
    assert len(result.history) == 16
    later = [one.loss for one in result.history[8:]]
    assert np.mean(later) < np.mean([one.loss for one in result.history[:8]])
    space.validate([one.motif for one in result.history])


def test_a_sampler_goes_over_all_parts():
    sampler = PetriDishSampler(
        TWO_CELLS, surrogate=LinearRegression(), n_startup_trials=8, n_candidates=30, refit_every=4,
        seed=0,
    )  # fmt: skip
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: total(TWO_CELLS.suggest(trial)), n_trials=20)
    values = [trial.value for trial in study.trials]
    assert np.mean(values[8:]) < np.mean(values[:8])
    rows = [list(trial.params.values()) for trial in study.trials]
    assert len(set(TWO_CELLS.canonical_keys(rows))) == 20


def test_surrogates_and_transformers_measure_products():
    space = ProductSpace({"a": CELL, "b": CELL})
    X = space.sample(12, 0)
    surrogate = make_surrogate(space, random_state=0).fit(X, X.sum(axis=1))
    assert surrogate.predict(X[:2]).shape == (2,)
    bank = PetriDishTransformer(
        TWO_CELLS, dishes=[("one", PetriDishRegressor(n_dishes=1, inner_steps=2, image_size=3))],
        zero_cost=True, random_state=0,
    )  # fmt: skip
    measured = bank.fit_transform(TWO_CELLS.sample(3, 0))
    assert np.isfinite(measured).all()
    assert (measured[0] != measured[1]).any()


def test_what_a_bank_keeps_is_of_parts_in_their_order(tmp_path):
    plain = RecurrentCell(n_nodes=2, gated=False)
    (row,) = ProductSpace({"a": CELL, "b": plain}).sample(1, 0)
    kept, fresh = [], []
    for parts in ({"a": CELL, "b": plain}, {"b": plain, "a": CELL}):
        few = [("one", PetriDishRegressor(n_dishes=1, inner_steps=2, n_time_steps=3))]
        bank = PetriDishTransformer(ProductSpace(parts), dishes=few, random_state=0)
        fresh.append(bank.fit_transform([row]))
        kept.append(clone(bank).set_params(memory=str(tmp_path)).fit_transform([row]))
    assert (fresh[0] != fresh[1]).any()
    np.testing.assert_array_equal(kept, fresh)


def test_settings_are_selected_for_products():
    space = ProductSpace({"a": CELL, "b": CELL})
    X = space.sample(8, 0)
    dish = PetriDishRegressor(space, n_dishes=1, random_state=0, max_outer_loss=10.0)
    ranges = {"n_hidden": [1, 2], "max_iter": [1], "inner_steps": [2]}
    search = select_hyperparameters(
        dish, X, np.arange(8.0), method="grid", param_distributions=ranges, random_state=0
    )
    assert len(search.cv_results_["params"]) == 2


def test_a_space_of_ones_own_is_a_part_like_any_other():
    class Negative(MotifSpace):
        row_description = "A row of X is one motif: [c], minus a slope."

        def _search_space(self):
            return {"c": FloatDistribution(-1.0, -0.1)}

        def _repair(self, rows):
            return -np.abs(super()._repair(rows))

        def _blueprint(self, row):
            return SigmoidSlope().blueprint(-row)

        def _encode(self, motif):
            return [-motif]

        def _decode(self, row):
            return -row[0]

    space = ProductSpace({"own": Negative(), "slope": SigmoidSlope()})
    (row,) = space.encode([{"own": 0.5, "slope": 0.2}])
    np.testing.assert_array_equal(row, [-0.5, 0.2])
    both = ProductSpace({"own": SigmoidSlope(), "slope": SigmoidSlope()})
    assert space.blueprint(row) == both.blueprint([0.5, 0.2])
