"""What a trial's parameters mean: the contract of spaces, samplers and storages together."""

import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import MedianPruner
from optuna.samplers import PartialFixedSampler, RandomSampler, TPESampler
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FixedTrial, TrialState, create_trial
from search_problems import loss, small_search
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_motifs import SPACES
from test_proposers import network

from sk_petridish.metrics import kendall_tau_score
from sk_petridish.motifs import (
    ActivationFunction,
    ConvCell,
    ModuleMotif,
    ProductSpace,
    RecurrentCell,
    RecurrentGraph,
    SigmoidSlope,
)
from sk_petridish.search import PetriDishSampler, PetriDishSearch
from sk_petridish.search._family import Family
from sk_petridish.search._reclaim import is_reclaimed
from sk_petridish.search.proposers import GeneticAlgorithm, RandomSearch

pytestmark = [
    pytest.mark.usefixtures("quiet_optuna"),
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
    pytest.mark.filterwarnings("ignore:n_trials="),
]
NAMES = [f"{type(space).__name__}-{number}" for number, space in enumerate(SPACES)]
EVERY_SPACE = pytest.mark.parametrize("space", SPACES, ids=NAMES)
# The same names of parameters, and another meaning.
LOOKALIKES = [
    (RecurrentCell(n_nodes=4), RecurrentCell(n_nodes=8)),
    (RecurrentCell(n_nodes=4), RecurrentCell(n_nodes=4, gated=False)),
    (RecurrentCell(n_nodes=4), RecurrentCell(n_nodes=4, average="loose_ends")),
    (RecurrentCell(), RecurrentCell(activations=("tanh", "sigmoid", "relu", "identity"))),
    (ConvCell(), ConvCell(n_cells=1)),
    (RecurrentGraph(max_nodes=4), RecurrentGraph(max_nodes=6)),
    (ActivationFunction(max_nodes=4), ActivationFunction(max_nodes=6)),
    (SigmoidSlope(2), SigmoidSlope(3)),
]


class Asked(KNeighborsRegressor):
    """Counts how often it is asked, and what it learned last."""

    n_times = 0
    learned = None

    def __init__(self, n_neighbors=3):
        super().__init__(n_neighbors)

    def fit(self, X, y):
        """Learn."""
        Asked.learned = (np.array(X), np.array(y))
        return super().fit(X, y)

    def predict(self, X):
        """Predict."""
        Asked.n_times += 1
        return super().predict(X)


def small_sampler(space, **changes):
    """Return a sampler that costs nothing."""
    Asked.n_times, Asked.learned = 0, None
    defaults = {"surrogate": Asked(), "n_startup_trials": 5, "n_candidates": 30, "refit_every": 5}
    return PetriDishSampler(space, **({"seed": 0} | defaults | changes))


def value_of(row):
    """Return a loss that differs from motif to motif."""
    row = np.asarray(row)
    return float(np.sin(row * np.arange(1, row.size + 1)).sum())


def study_of(space, n_trials=6, storage=None, sampler=None):
    """Return a study with the rows that its objective got."""
    rows = []

    def objective(trial):
        rows.append(space.suggest(trial))
        return value_of(rows[-1])

    study = optuna.create_study(sampler=sampler or RandomSampler(seed=0), storage=storage)
    study.optimize(objective, n_trials=n_trials)
    return study, rows


# Identity


@pytest.fixture(params=["memory", "journal", "sqlite", "postgresql"])
def storage(request, tmp_path):
    """Every storage that users have."""
    if request.param == "memory":
        return InMemoryStorage()
    if request.param == "journal":
        return JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/study.db"
    return request.getfixturevalue("postgresql")


@EVERY_SPACE
def test_a_study_returns_the_rows_that_its_objective_got(space, storage):
    study, rows = study_of(space, 4, storage)
    again = optuna.load_study(study_name=study.study_name, storage=study._storage)
    for trial, row in zip(again.trials, rows, strict=True):
        np.testing.assert_array_equal(Family(clone(space)).motif_of(trial), row)
        assert Family(space, "a_").motif_of(trial) is None


@pytest.mark.parametrize(("one", "other"), LOOKALIKES)
def test_a_motif_of_another_space_is_none_of_this_one(one, other):
    for ours, theirs in ((one, other), (other, one)):
        study, rows = study_of(theirs)
        assert [Family(ours).motif_of(trial) for trial in study.trials] == [None] * 6
        for trial, row in zip(study.trials, rows, strict=True):
            np.testing.assert_array_equal(Family(theirs).motif_of(trial), row)


# Optuna itself refuses other choices under the same name.
@pytest.mark.parametrize(
    ("one", "other"), [pair for pair in LOOKALIKES if not isinstance(pair[0], RecurrentGraph)]
)
def test_a_sampler_does_not_learn_from_another_space(one, other):
    study, _ = study_of(other, 6)
    study.sampler = small_sampler(one)
    study.optimize(lambda trial: value_of(one.suggest(trial)), n_trials=9)
    X, y = Asked.learned
    assert len(y) == 5
    np.testing.assert_allclose([value_of(row) for row in X], y)


@EVERY_SPACE
def test_trials_that_no_space_has_noted_belong_by_their_distributions(space):
    X = space.sample(3, random_state=0)
    distributions = space.search_space()
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    for row in X:
        params = dict(zip(distributions, row.tolist(), strict=True))
        params = {
            name: int(value)
            if value == round(value) and not _is_float(distributions[name])
            else value
            for name, value in params.items()
        }
        study.add_trial(create_trial(params=params, distributions=distributions, value=1.0))
    asked = study.ask(distributions | {"learning_rate": FloatDistribution(0.1, 1.0)})
    for trial, row in zip(study.trials[:3], X, strict=True):
        np.testing.assert_array_equal(Family(space).motif_of(trial), row)
    np.testing.assert_array_equal(Family(space).motif_of(study.trials[3]), space.suggest(asked))


def _is_float(distribution):
    return isinstance(distribution, FloatDistribution)


def test_a_trial_of_a_larger_space_belongs_to_it_alone_though_nothing_is_noted():
    small, large = RecurrentCell(n_nodes=2), RecurrentCell(n_nodes=3)
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    study.ask(large.search_space())
    study.enqueue_trial(dict.fromkeys(large.search_space(), 0))
    for trial in study.trials:
        assert Family(small).motif_of(trial) is None
        assert Family(large).motif_of(trial) is not None


def test_other_choices_under_the_same_names_are_another_space():
    ours, theirs = (
        ModuleMotif(network, {"kernel": CategoricalDistribution(choices)})
        for choices in ((1, 3), (3, 5))
    )
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    for kernel in (3, 5):
        params = {"kernel": kernel}
        study.add_trial(create_trial(params=params, distributions=theirs.search_space(), value=1.0))
    assert [Family(ours).motif_of(trial) for trial in study.trials] == [None, None]


def test_a_wider_range_keeps_the_trials_inside_and_a_narrower_one_leaves_some_out():
    narrow, wide = SigmoidSlope(low=0.5, high=1.0), SigmoidSlope(low=0.01, high=2.0)
    study, rows = study_of(wide, 12)
    inside = [row.tolist() for row in rows if 0.5 <= row[0] <= 1.0]
    assert 0 < len(inside) < 12
    found = [Family(narrow).motif_of(trial) for trial in study.trials]
    assert [row.tolist() for row in found if row is not None] == inside
    study, rows = study_of(narrow, 12)
    np.testing.assert_array_equal([Family(wide).motif_of(trial) for trial in study.trials], rows)


def test_a_range_elsewhere_does_not_end_a_study():
    study, _ = study_of(SigmoidSlope(low=0.01, high=1.0), 8)
    space = SigmoidSlope(low=1.5, high=2.0)
    study.sampler = small_sampler(space)
    study.optimize(lambda trial: value_of(space.suggest(trial)), n_trials=8)
    assert (Asked.learned[0] >= 1.5).all()


# Prefixes


@EVERY_SPACE
def test_a_prefix_makes_another_motif_of_the_same_trial(space):
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    trial = study.ask()
    one, other = (space.suggest(trial, prefix=prefix) for prefix in ("normal_", "reduce_"))
    assert not np.array_equal(one, other)
    assert set(trial.params) == {
        f"{prefix}{name}" for prefix in ("normal_", "reduce_") for name in space.search_space()
    }
    frozen = study.trials[0]
    np.testing.assert_array_equal(Family(space, "normal_").motif_of(frozen), one)
    np.testing.assert_array_equal(Family(space, "reduce_").motif_of(frozen), other)
    assert Family(space).motif_of(frozen) is None


@EVERY_SPACE
def test_a_second_motif_under_the_same_names_is_an_error(space):
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    trials = [study.ask(), study.ask(space.search_space())]
    trials.append(FixedTrial(study.trials[1].params))
    for trial in trials:
        first = space.suggest(trial)
        with pytest.raises(ValueError, match="suggested before"):
            space.suggest(trial)
        with pytest.raises(ValueError, match="suggested before"):
            clone(space).suggest(trial)
        assert space.validate([first]).shape == (1, len(first))
    # What has ended may be read as often as one likes.
    ended = study.trials[0]
    np.testing.assert_array_equal(space.suggest(ended), space.suggest(ended))


def test_motifs_of_two_spaces_with_a_name_in_common_are_an_error():
    trial = optuna.create_study().ask()
    RecurrentCell(n_nodes=2).suggest(trial)
    with pytest.raises(ValueError, match="activation_1"):
        RecurrentCell(n_nodes=3).suggest(trial)


@EVERY_SPACE
def test_a_sampler_serves_any_prefix(space):
    rows = []

    def objective(trial):
        rows.append(space.suggest(trial, prefix="cell_"))
        return value_of(rows[-1])

    study = optuna.create_study(sampler=small_sampler(space))
    study.optimize(objective, n_trials=12)
    assert len(set(space.canonical_keys(rows))) == 12
    assert all("predicted" in trial.user_attrs for trial in study.trials[5:])


@pytest.mark.parametrize("nested", [False, True])
def test_parts_that_suggest_one_by_one_are_a_motif_of_their_product(nested):
    parts = {"normal": ConvCell(), "reduce": ConvCell()}
    space = ProductSpace({"net": ProductSpace(parts)} if nested else parts)
    before = "net_" if nested else ""
    rows = []

    def objective(trial):
        rows.append(
            np.hstack([part.suggest(trial, f"{before}{name}_") for name, part in parts.items()])
        )
        return value_of(rows[-1])

    study = optuna.create_study(sampler=small_sampler(space))
    study.optimize(objective, n_trials=12)
    assert all("predicted" in trial.user_attrs for trial in study.trials[5:])
    assert len(set(space.canonical_keys(rows))) == 12
    for trial, row in zip(study.trials, rows, strict=True):
        np.testing.assert_array_equal(Family(space).motif_of(trial), row)
    swapped = ProductSpace(dict(reversed(parts.items())))
    whole, _ = study_of(ProductSpace(parts), 3)
    assert [Family(swapped).motif_of(trial) for trial in whole.trials] == [None] * 3


def test_two_motifs_in_a_trial_are_warned_of():
    space = ConvCell()
    study = optuna.create_study(sampler=small_sampler(space))
    with pytest.warns(UserWarning, match="ProductSpace"):
        study.optimize(
            lambda trial: value_of(np.r_[space.suggest(trial, "a_"), space.suggest(trial, "b_")]),
            n_trials=1,
        )


# Fixed, enqueued, partial


def small_spaces():
    """Return a space of every kind, with few columns."""
    return [
        SigmoidSlope(2),
        ActivationFunction(max_nodes=4),
        RecurrentCell(n_nodes=4),
        RecurrentGraph(max_nodes=4),
        ConvCell(),
        ModuleMotif(
            network,
            {"units": IntDistribution(4, 64, step=4), "share": FloatDistribution(0.0, 1.0)},
        ),
    ]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(small_spaces()), st.data())
def test_what_is_fixed_is_what_all_candidates_have(space, data):
    names = list(space.search_space())
    motif = space.sample(1, random_state=data.draw(st.integers(0, 99)))[0]
    column = data.draw(st.integers(0, len(names) - 1))
    distribution = space.search_space()[names[column]]
    value = motif[column] if _is_float(distribution) else int(motif[column])
    fixed = {names[column]: value}
    sampler = small_sampler(space)
    wrapped = PartialFixedSampler(fixed, sampler)
    rows = []

    def objective(trial):
        rows.append(space.suggest(trial))
        return value_of(rows[-1])

    with warnings.catch_warnings():
        # Some numbers leave few motifs, or none.
        warnings.filterwarnings("ignore", "Every motif|No motif")
        study = optuna.create_study(sampler=wrapped)
        study.optimize(objective, n_trials=8)
        study.sampler = sampler
        for _ in range(3):
            study.enqueue_trial(fixed)
        study.optimize(objective, n_trials=3)
    assert all(trial.params[names[column]] == value for trial in study.trials)
    keys = space.canonical_keys(rows)
    again = [trial for trial in study.trials if "predicted" not in trial.user_attrs]
    # Only where nothing else was left is a network given twice.
    assert len(set(keys)) == 11 or len(again) > 5
    for trial, row in zip(study.trials, rows, strict=True):
        np.testing.assert_array_equal(Family(space).motif_of(trial), row)


@pytest.mark.parametrize("how", ["wrapped", "enqueued", "asked", "both"])
def test_the_surrogate_ranks_what_has_the_fixed_column(how):
    space = ConvCell()
    sampler = small_sampler(space, n_startup_trials=10, n_candidates=50)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: value_of(space.suggest(trial)), n_trials=12)
    if how in ("wrapped", "both"):
        study.sampler = PartialFixedSampler({"edge_1_2": 3}, sampler)
    Asked.n_times, rows = 0, []
    for _ in range(10):
        if how in ("enqueued", "both"):
            study.enqueue_trial({"edge_0_1": 3})
        asked = {"edge_0_1": CategoricalDistribution(range(5))} if how == "asked" else None
        trial = study.ask(asked)
        rows.append(space.suggest(trial))
        study.tell(trial, value_of(rows[-1]))
    assert Asked.n_times > 0
    assert all("predicted" in trial.user_attrs for trial in study.trials[12:])
    motifs = [Family(space).motif_of(trial) for trial in study.trials]
    assert len(set(space.canonical_keys(motifs))) == 22
    if how in ("enqueued", "both"):
        assert {row[0] for row in rows} == {3}
    if how in ("wrapped", "both"):
        assert {row[2] for row in rows} == {3}


SEEDED = """
import optuna
from sklearn.neighbors import KNeighborsRegressor
from sk_petridish.motifs import ConvCell
from sk_petridish.search import PetriDishSampler
optuna.logging.set_verbosity(optuna.logging.ERROR)
space = ConvCell()
sampler = PetriDishSampler(
    space, surrogate=KNeighborsRegressor(3), n_startup_trials=6, n_candidates=20, seed=0
)
study = optuna.create_study(sampler=sampler)
for column in ("edge_0_1", "edge_1_2", "edge_2_3") * 3:
    study.enqueue_trial({column: 3})
study.optimize(
    lambda trial: float(space.suggest(trial).sum()) * trial.suggest_float("rate", 0, 1), n_trials=12
)
print([trial.params for trial in study.trials])
"""


def test_the_seed_decides_and_not_the_order_of_a_set():
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SEEDED],
            env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert "edge_0_1" in outputs[0]
    assert outputs[0] == outputs[1]


def test_numbers_that_fit_no_motif_are_said():
    space = RecurrentGraph(max_nodes=3)
    # Node 0 is absent, the others are not: repair closes the gap.
    fixed = {"operation_0": 0, "operation_1": 1, "operation_2": 1}
    study = optuna.create_study(sampler=small_sampler(space))
    study.enqueue_trial(fixed)
    with pytest.warns(UserWarning, match="No motif of the space has the fixed numbers"):
        study.optimize(lambda trial: value_of(space.suggest(trial)), n_trials=1)


# Beyond the range


@EVERY_SPACE
def test_what_was_enqueued_is_evaluated_as_it_is(space):
    X = space.sample(3, random_state=1)
    got = []

    def objective(trial):
        got.append(space.suggest(trial))
        return value_of(got[-1])

    study = optuna.create_study(sampler=small_sampler(space))
    for row in X:
        study.enqueue_trial(
            {
                name: value if _is_float(distribution) else int(value)
                for (name, distribution), value in zip(
                    space.search_space().items(), row.tolist(), strict=True
                )
            }
        )
    study.optimize(objective, n_trials=3)
    np.testing.assert_array_equal(got, X)


@pytest.mark.filterwarnings("ignore:Fixed parameter")
def test_a_constant_beyond_the_range_stays_and_is_learned_from():
    space = ActivationFunction()
    relu6 = space.encode(["relu6"])[0]
    sampler = small_sampler(space, n_startup_trials=4)
    study = optuna.create_study(sampler=sampler)
    params = dict(zip(space.search_space(), relu6.tolist(), strict=True))
    study.enqueue_trial({name: int(v) if name[0] == "f" else v for name, v in params.items()})
    got = []

    def objective(trial):
        got.append(space.suggest(trial))
        return float(len(got))

    study.optimize(objective, n_trials=8)
    np.testing.assert_array_equal(got[0], relu6)
    assert space.activation(got[0], [10.0]) == 6.0
    assert (Asked.learned[0] == relu6).all(axis=1).sum() == 1
    np.testing.assert_array_equal(space.mutate([relu6], 0.0), [relu6])
    search = PetriDishSearch(
        space, lambda row: float(row.sum()), surrogate=Asked(), n_init=6, n_select=2,
        n_iterations=1, X_init=space.encode(["relu", "relu6"]), y_init=[0.1, 0.2], random_state=0,
    )  # fmt: skip
    assert "min(relu(x), 6.0)" in space.decode([search.run().history[1].motif])[0]


@pytest.mark.filterwarnings("ignore:Fixed parameter")
def test_an_enqueued_number_that_makes_no_motif_is_refused_by_name():
    class Strict(ModuleMotif):
        """Evaluates its own numbers only."""

        def _check(self, rows):
            super(ModuleMotif, self)._check(rows)

    space = Strict(
        network, {"units": IntDistribution(4, 64, step=4), "share": FloatDistribution(0, 1)}
    )
    study = optuna.create_study(sampler=small_sampler(space))
    study.enqueue_trial({"units": 6, "share": 0.5})
    with pytest.raises(ValueError, match="units=6 is none of IntDistribution"):
        space.suggest(study.ask())
    loose = ModuleMotif(network, space.distributions)
    study.enqueue_trial({"units": 6, "share": 0.5})
    np.testing.assert_array_equal(loose.suggest(study.ask()), [6, 0.5])


# Conditional spaces


def test_trials_without_a_motif_have_no_prediction_and_do_not_count():
    space = ConvCell()

    def cnn_or_mlp(trial):
        if trial.suggest_categorical("family", ["cnn", "mlp"]) == "mlp":
            return 1000.0 + trial.suggest_int("depth", 1, 5)
        return value_of(space.suggest(trial))

    study = optuna.create_study(
        sampler=small_sampler(space, independent_sampler=RandomSampler(seed=1))
    )
    study.optimize(cnn_or_mlp, n_trials=40)
    cells = [trial for trial in study.trials if trial.params["family"] == "cnn"]
    assert 5 < len(cells) < 35
    for trial in study.trials:
        if trial.params["family"] == "mlp":
            assert trial.user_attrs == {}
    assert all("predicted" in trial.user_attrs for trial in cells[5:])
    assert Asked.learned[1].max() < 1000
    motifs = [Family(space).motif_of(trial) for trial in cells]
    assert len(set(space.canonical_keys(motifs))) == len(cells)
    shown = [trial for trial in cells if "predicted" in trial.user_attrs]
    before = shown[:-1]
    tau = kendall_tau_score(
        [trial.value for trial in before], [trial.user_attrs["predicted"] for trial in before]
    )
    assert shown[-1].user_attrs["surrogate_kendall_tau"] == pytest.approx(tau)


def test_a_motif_of_which_only_a_part_is_suggested_is_none():
    space = ModuleMotif(
        network, {"kernel": IntDistribution(1, 7, step=2), "share": FloatDistribution(0.0, 1.0)}
    )

    def by_hand(trial):
        kernel = trial.suggest_int("kernel", 1, 7, step=2)
        return kernel + (trial.suggest_float("share", 0.0, 1.0) if kernel > 3 else 10)

    study = optuna.create_study(sampler=small_sampler(space, n_startup_trials=3, refit_every=1))
    study.optimize(by_hand, n_trials=20)
    parts = [trial for trial in study.trials if "share" not in trial.params]
    assert parts
    assert all("predicted" not in trial.user_attrs for trial in parts)
    wholes = [trial for trial in study.trials if "share" in trial.params]
    assert "predicted" in wholes[-1].user_attrs


@pytest.mark.parametrize("prefixed", [True, False])
def test_each_of_several_spaces_learns_from_its_own(prefixed):
    spaces = {"small": RecurrentCell(n_nodes=4), "large": RecurrentCell(n_nodes=8)}
    seen = {}

    class Noted(KNeighborsRegressor):
        """Remembers which rows it was given."""

        def fit(self, X, y):
            seen.setdefault(X.shape[1], []).append((X, y))
            return super().fit(X, y)

    surrogates = {name: Noted(3) for name in spaces}
    sampler = PetriDishSampler(
        spaces, surrogate=surrogates, n_startup_trials=5, n_candidates=20, refit_every=5, seed=0,
        independent_sampler=RandomSampler(seed=0),
    )  # fmt: skip
    rows = {"small": [], "large": []}

    def objective(trial):
        size = trial.suggest_categorical("size", ["small", "large"])
        row = spaces[size].suggest(trial, prefix=f"{size}_" if prefixed else "")
        rows[size].append(row)
        return value_of(row) + 100 * (size == "large")

    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=40)
    assert set(seen) == {8, 16}
    for n_columns, base in ((8, 0), (16, 100)):
        for X, y in seen[n_columns]:
            np.testing.assert_allclose([value_of(row) + base for row in X], y)
    for size, space in spaces.items():
        assert len(set(space.canonical_keys(rows[size]))) == len(rows[size])
    assert sum("predicted" in trial.user_attrs for trial in study.trials) == 30


def test_equal_spaces_are_told_apart_by_their_prefix():
    spaces = {"first": ConvCell(), "second": ConvCell()}
    sampler = PetriDishSampler(
        spaces, surrogate=Asked(), proposer={"second": RandomSearch(spaces["second"])}, seed=0
    )
    assert sampler._chooser_of("second", "second_").proposer is sampler._proposers["second"]
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: value_of(spaces["second"].suggest(trial, "second_")), n_trials=2)
    assert sampler._choosers["second", "second_"]._lists


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"motif_space": {}}, "'motif_space' parameter of PetriDishSampler must be"),
        ({"surrogate": {"c": LinearRegression()}}, r"surrogate has \['c'\]"),
        ({"proposer": {"c": RandomSearch(ConvCell())}}, r"proposer has \['c'\]"),
        ({"proposer": RandomSearch(ConvCell())}, "proposer is for another motif space"),
        ({"proposer": {"a": RandomSearch(RecurrentCell())}}, "its class is 'RecurrentCell'"),
    ],
)
def test_several_spaces_that_do_not_go_together_are_refused(changes, message):
    spaces = {"a": ConvCell(), "b": RecurrentCell()}
    given = {"motif_space": spaces, "surrogate": LinearRegression()} | changes
    with pytest.raises(ValueError, match=message):
        PetriDishSampler(**given)


def test_another_range_than_the_samplers_is_warned_of():
    ours, theirs = SigmoidSlope(), SigmoidSlope(low=0.1, high=0.2)
    study = optuna.create_study(sampler=small_sampler(ours))
    with pytest.warns(UserWarning, match="the surrogate does not suggest it"):
        study.optimize(lambda trial: value_of(theirs.suggest(trial)), n_trials=4)
    assert all(0.1 <= trial.params["slope"] <= 0.2 for trial in study.trials)


@pytest.mark.filterwarnings("ignore:depth is asked for")
def test_no_parameter_is_suggested_beyond_what_was_asked_for():
    space = ModuleMotif(network, {"width": IntDistribution(1, 64), "depth": IntDistribution(1, 20)})

    def by_hand(trial):
        return float(trial.suggest_int("width", 1, 64) * trial.suggest_int("depth", 1, 4))

    study = optuna.create_study(sampler=small_sampler(space))
    study.optimize(by_hand, n_trials=20)
    assert {trial.params["depth"] for trial in study.trials} <= {1, 2, 3, 4}
    words = CategoricalDistribution(("x", "y"))
    for _ in range(3):
        assert study.ask({"width": IntDistribution(1, 64), "depth": IntDistribution(1, 3)})
    other = optuna.create_study(sampler=small_sampler(space))
    assert other.ask({"width": IntDistribution(1, 64), "depth": words}).params["depth"] in "xy"


def test_motifs_of_a_larger_space_asked_for_take_none_of_a_smaller():
    two, three = (
        ModuleMotif(network, {f"units_{i}": IntDistribution(1, 3) for i in range(n)})
        for n in (2, 3)
    )
    study = optuna.create_study(sampler=small_sampler(two, n_startup_trials=3))
    for _ in range(9):
        trial = study.ask(three.search_space())
        study.tell(trial, 100.0 + sum(trial.params.values()))
    found = set()
    for _ in range(9):
        trial = study.ask(two.search_space())
        found.add(tuple(trial.params.values()))
        study.tell(trial, float(sum(trial.params.values())))
    assert len(found) == 9
    assert not any("predicted" in trial.user_attrs for trial in study.trials[:9])
    assert all("predicted" in trial.user_attrs for trial in study.trials[13:])


class Build:
    """A factory with a setting."""

    def __init__(self, width):
        self.width = width

    def __call__(self, row, n_inputs, n_hidden, n_outputs):
        return network(row, n_inputs, self.width, n_outputs)

    build = __call__


WIDTH, DEPTH = IntDistribution(1, 30), IntDistribution(1, 30)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ModuleMotif(Build(8), {"a": WIDTH}), ModuleMotif(Build(64), {"a": WIDTH})),
        (ModuleMotif(Build(8).build, {"a": WIDTH}), ModuleMotif(Build(64).build, {"a": WIDTH})),
        (
            ModuleMotif(partial(network), {"a": WIDTH}),
            ModuleMotif(partial(network, n=1), {"a": WIDTH}),
        ),
        (
            ModuleMotif(network, {"a": WIDTH, "b": DEPTH}),
            ModuleMotif(network, {"b": DEPTH, "a": WIDTH}),
        ),
        (ModuleMotif(network, {"a": WIDTH}), ModuleMotif(network, {"a": WIDTH, "b": DEPTH})),
        (ModuleMotif(network, {"a": WIDTH}), ModuleMotif(network, {"a": WIDTH}, "images")),
    ],
)
def test_the_networks_of_another_function_are_other_motifs(tmp_path, one, other):
    for ours, theirs in ((one, other), (other, one)):
        study, _ = study_of(theirs)
        assert [Family(ours).motif_of(trial) for trial in study.trials] == [None] * 6
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
    settings = {"surrogate": LinearRegression(), "n_init": 2, "n_select": 1, "n_iterations": 0}
    PetriDishSearch(one, value_of, storage=storage, **settings).run()
    with pytest.raises(ValueError, match="of a search with other"):
        PetriDishSearch(other, value_of, storage=storage, **settings).run()


def test_a_sampler_of_another_space_than_the_objectives_says_so():
    study = optuna.create_study(sampler=small_sampler(ConvCell()))
    theirs = ConvCell(n_cells=2)
    with pytest.warns(UserWarning, match="its n_cells is 2, not 3"):
        study.optimize(lambda trial: value_of(theirs.suggest(trial)), n_trials=3)


def test_a_step_is_one_network_however_it_was_rounded():
    space = ModuleMotif(network, {"share": FloatDistribution(0, 0.5, step=0.1)})
    study = optuna.create_study(sampler=small_sampler(space))
    study.enqueue_trial({"share": 0.3})
    study.optimize(lambda trial: value_of(space.suggest(trial)), n_trials=6)
    assert len({round(trial.params["share"], 6) for trial in study.trials}) == 6
    result = PetriDishSearch(
        space, value_of, surrogate=LinearRegression(), X_init=[[0.3], [0.1]], y_init=[1.0, 2.0],
        n_init=6, n_iterations=0, n_select=1, random_state=0,
    ).run()  # fmt: skip
    assert len({round(one.motif[0], 6) for one in result.history}) == 6


@pytest.mark.filterwarnings("ignore:No motif of the space")
def test_a_choice_that_is_none_is_refused_by_name():
    space = ConvCell()
    study = optuna.create_study(sampler=small_sampler(space))
    study.enqueue_trial({"edge_1_2": 7})
    with pytest.raises(ValueError, match="Trial 0, parameter 'edge_1_2'"):
        space.suggest(study.ask())


# Searches that do not go on


def numbers(low, high, step=1):
    return ModuleMotif(network, {"kernel": IntDistribution(low, high, step=step)})


@pytest.mark.parametrize(
    ("first", "then", "named"),
    [
        (SigmoidSlope(low=0.01, high=0.1), SigmoidSlope(low=1, high=2), "search_space.slope.low"),
        (SigmoidSlope(high=1.0), SigmoidSlope(high=2.0), "search_space.slope.high"),
        (
            ModuleMotif(network, {"kernel": CategoricalDistribution((1, 3))}),
            ModuleMotif(network, {"kernel": CategoricalDistribution((5, 7))}),
            "search_space.kernel.choices",
        ),
        (numbers(1, 7), numbers(1, 7, step=2), "search_space.kernel.step"),
        (RecurrentCell(2), RecurrentCell(2, gated=False), "motif_space__gated"),
        (RecurrentCell(2), RecurrentCell(3), "parameters"),
        (ConvCell(), ConvCell(n_cells=5), "motif_space__n_cells"),
        (ActivationFunction(4), ActivationFunction(4, functions=("tanh",)), "choices"),
    ],
)
def test_a_search_refuses_a_study_of_another_space(tmp_path, first, then, named):
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))

    def run(space, **changes):
        return PetriDishSearch(
            space, value_of, surrogate=LinearRegression(), n_init=2, n_select=1, n_iterations=0,
            storage=storage, random_state=0, **changes,
        ).run()  # fmt: skip

    result = run(first)
    with pytest.raises(ValueError, match=named):
        run(then)
    # What was measured stays as it is, and the same search still goes on.
    assert run(first).best_loss == result.best_loss
    # A study of a version that has written down less says in its trials what it has searched.
    study = optuna.load_study(study_name="petri-dish-search", storage=storage)
    study.set_user_attr("sk_petridish:settings", {"random_state": 0})
    if first.search_space() != then.search_space():
        with pytest.raises(ValueError, match="Choose another study_name"):
            run(then)


def test_a_search_refuses_a_study_of_another_task(tmp_path):
    from sk_petridish.search.ground_truth import TabularGroundTruth

    space = ConvCell()
    X = space.sample(60, random_state=0)
    tables = [TabularGroundTruth(space, X, X.sum(axis=1) * factor) for factor in (1.0, 2.0)]
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
    settings = {"X_init": X[:3], "y_init": X[:3].sum(axis=1), "n_init": 3, "n_iterations": 0}
    small_search(tables[0], storage=storage, **settings).run()
    with pytest.raises(ValueError, match="ground_truth__y"):
        small_search(tables[1], storage=storage, **settings).run()
    small_search(tables[0], storage=storage, **settings).run()


@dataclass
class Training:
    """A ground truth with settings, and no get_params."""

    n_epochs: int

    def __call__(self, row):
        return self.n_epochs + loss(row)


@pytest.mark.parametrize("make", [Training, lambda n: partial(Training.__call__, Training(n))])
def test_a_search_refuses_other_settings_of_its_ground_truth(tmp_path, make):
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
    small_search(make(1), storage=storage, n_iterations=0).run()
    with pytest.raises(ValueError, match="n_epochs"):
        small_search(make(2), storage=storage, n_iterations=0).run()
    small_search(make(1), storage=storage, n_iterations=0).run()


def test_a_user_attribute_of_the_users_breaks_nothing():
    space = ConvCell()

    def objective(trial):
        trial.set_user_attr("predicted", "by my own model")
        return value_of(space.suggest(trial))

    study = optuna.create_study(sampler=small_sampler(space))
    study.optimize(objective, n_trials=12)
    assert "surrogate_kendall_tau" in study.trials[-1].user_attrs


def test_a_final_test_is_done_again_where_it_is_another(tmp_path):
    def tested(row, data):
        return {"valid": 1.0, "test": 2.0}[data]

    storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
    losses = [
        small_search(storage=storage, test_ground_truth=partial(tested, data=data)).run().test_loss
        for data in ("valid", "valid", "test")
    ]
    assert losses == [1.0, 1.0, 2.0]


def test_known_results_of_a_search_are_named_where_they_differ(tmp_path):
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
    small_search(storage=storage, n_iterations=0).run()
    with pytest.raises(ValueError, match="X_init, y_init"):
        small_search(storage=storage, n_iterations=0, X_init=[[1.0] * 6], y_init=[1.0]).run()


# What fails early


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"surrogate": "ridge"},
            "'surrogate' parameter of PetriDishSearch must be an object implementing 'fit'",
        ),
        (
            {"surrogate": KNeighborsRegressor},
            "'surrogate' parameter of PetriDishSearch must be an object implementing 'fit'",
        ),
        ({"surrogate": LogisticRegression()}, "got the classifier"),
        (
            {"proposer": "ga"},
            "'proposer' parameter of PetriDishSearch must be an object implementing 'ask'",
        ),
        (
            {
                "surrogate": StackingRegressor([("k", KNeighborsRegressor(2))], Ridge()),
                "acquisition": "expected_improvement",
            },
            "predicts a spread",
        ),
        ({"n_jobs": 0}, "'n_jobs' parameter of PetriDishSearch"),
    ],
)
def test_what_cannot_be_is_refused_before_any_training(changes, message):
    with pytest.raises(ValueError, match=message):
        small_search(**changes)


@pytest.mark.parametrize("acquisition", ["expected_improvement", "lower_confidence_bound"])
@pytest.mark.parametrize(
    "surrogate",
    [
        LinearRegression(),
        make_pipeline(StandardScaler(), LinearRegression()),
        TransformedTargetRegressor(LinearRegression()),
    ],
)
def test_a_surrogate_without_a_spread_is_refused_before_any_training(acquisition, surrogate):
    with pytest.raises(ValueError, match="predicts a spread"):
        PetriDishSearch(ConvCell(), loss, surrogate=surrogate, acquisition=acquisition)
    with pytest.raises(ValueError, match="predicts a spread"):
        PetriDishSampler(ConvCell(), surrogate=surrogate, acquisition=acquisition)


def test_a_surrogate_of_another_space_is_refused():
    from sk_petridish import PetriDishRegressor

    surrogate = PetriDishRegressor(SigmoidSlope())
    for make in (PetriDishSampler, lambda space, **rest: PetriDishSearch(space, loss, **rest)):
        with pytest.raises(ValueError, match="surrogate is for another motif space"):
            make(ConvCell(), surrogate=surrogate)
        with pytest.raises(ValueError, match="proposer is for another motif space"):
            make(ConvCell(), proposer=GeneticAlgorithm(RecurrentCell()))


class Unsendable:
    """Cannot be pickled."""

    def __call__(self, row, trial=None):
        return 0.0

    def __reduce__(self):
        raise TypeError("a lock, perhaps")


@pytest.mark.parametrize(
    ("truth", "changes", "message"),
    [
        (loss, {"pruner": MedianPruner()}, "takes no trial"),
        (loss, {"evaluation_timeout": 0}, "'evaluation_timeout' parameter"),
        (loss, {"evaluation_timeout": float("nan")}, "'evaluation_timeout' parameter"),
        (loss, {"timeout": -1}, "'timeout' parameter"),
        (Unsendable(), {"evaluation_timeout": 9.0}, "a lock, perhaps"),
        (
            lambda row, trial: 0.0,
            {"pruner": MedianPruner(), "evaluation_timeout": 9.0, "storage": InMemoryStorage()},
            "never see them",
        ),
    ],
)
def test_evaluations_that_cannot_work_are_refused_at_once(truth, changes, message):
    with pytest.raises(ValueError, match=message):
        small_search(truth, **changes)


@pytest.mark.filterwarnings("default:n_trials=")
@pytest.mark.parametrize(("n_trials", "warned"), [(20, True), (21, False), (1, False), (7, True)])
def test_a_study_that_ends_before_the_surrogate_is_asked_is_warned_of(n_trials, warned):
    space = ConvCell()
    study = optuna.create_study(sampler=PetriDishSampler(space, surrogate=Asked(), seed=0))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        study.optimize(lambda trial: value_of(space.suggest(trial)), n_trials=n_trials)
    said = [one for one in caught if "the surrogate is never asked" in str(one.message)]
    assert len(said) == warned


@pytest.mark.filterwarnings("default:n_trials=")
def test_trials_that_were_enqueued_do_not_hide_that_a_study_is_too_short():
    space = ConvCell()
    study = optuna.create_study(sampler=PetriDishSampler(space, surrogate=Asked(), seed=0))
    for number in range(3):
        study.enqueue_trial(dict.fromkeys(space.search_space(), number))
    with pytest.warns(UserWarning, match="the surrogate is never asked"):
        study.optimize(lambda trial: value_of(space.suggest(trial)), n_trials=20)


# Dead workers


DYING = """
import os, signal, sys
import optuna
from optuna.storages import RDBStorage
from sklearn.ensemble import StackingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
sys.path.insert(0, {tests!r})
from test_trials import KERNELS
from sk_petridish.search import PetriDishSampler
storage = RDBStorage({url!r}, heartbeat_interval=1, grace_period=2)
sampler = PetriDishSampler(KERNELS, surrogate=LinearRegression(), n_startup_trials=9, seed=0)
study = optuna.create_study(
    study_name="study", storage=storage, sampler=sampler, load_if_exists=True
)
{enqueue}
def objective(trial):
    KERNELS.suggest(trial)
    os.kill(os.getpid(), signal.SIGKILL)
study.optimize(objective, n_trials=1)
"""
KERNELS = ModuleMotif(network, {"kernel": IntDistribution(1, 7, step=2)})


@pytest.mark.parametrize("enqueued", [False, True])
def test_a_worker_killed_under_a_heartbeat_gives_its_motif_back(tmp_path, enqueued):
    url = f"sqlite:///{tmp_path}/study.db"
    script = DYING.format(
        tests=str(Path(__file__).parent), url=url,
        enqueue='study.enqueue_trial({"kernel": 5})' if enqueued else "",
    )  # fmt: skip
    dead = subprocess.run([sys.executable, "-W", "ignore", "-c", script])
    assert dead.returncode == -signal.SIGKILL
    time.sleep(3)
    storage = RDBStorage(url, heartbeat_interval=1, grace_period=2)
    sampler = PetriDishSampler(KERNELS, surrogate=LinearRegression(), n_startup_trials=9, seed=0)
    study = optuna.load_study(study_name="study", storage=storage, sampler=sampler)

    def objective(trial):
        kernel = KERNELS.suggest(trial)[0]
        if trial.number == 2:
            raise ValueError("an error of the objective, whose motif stays taken")
        return kernel

    study.optimize(objective, n_trials=4, catch=ValueError)
    states = [trial.state for trial in study.trials]
    assert (
        states
        == [TrialState.FAIL, TrialState.COMPLETE, TrialState.FAIL] + [TrialState.COMPLETE] * 2
    )
    assert [is_reclaimed(trial) for trial in study.trials] == [True] + [False] * 4
    # Four networks, four trials after the one that was lost: all of them, and none twice.
    assert sorted(trial.params["kernel"] for trial in study.trials[1:]) == [1, 3, 5, 7]


def test_a_retried_trial_has_the_motif_of_the_one_that_was_lost(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    script = DYING.format(tests=str(Path(__file__).parent), url=url, enqueue="")
    subprocess.run([sys.executable, "-W", "ignore", "-c", script])
    time.sleep(3)
    retry = optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=3)
    storage = RDBStorage(
        url, heartbeat_interval=1, grace_period=2, heartbeat_stale_trial_callback=retry
    )
    sampler = PetriDishSampler(KERNELS, surrogate=LinearRegression(), n_startup_trials=9, seed=0)
    study = optuna.load_study(study_name="study", storage=storage, sampler=sampler)
    study.optimize(lambda trial: KERNELS.suggest(trial)[0], n_trials=4)
    kernels = [trial.params["kernel"] for trial in study.trials]
    assert kernels[0] == kernels[1]
    assert sorted(kernels[1:]) == [1, 3, 5, 7]


def test_a_motif_that_fails_again_and_again_is_given_up(tmp_path):
    """Told by a process that has another sampler, which says no more than a dead worker."""
    url = f"sqlite:///{tmp_path}/study.db"
    sampler = PetriDishSampler(KERNELS, surrogate=LinearRegression(), n_startup_trials=9, seed=0)
    storage = RDBStorage(url, heartbeat_interval=60, grace_period=120)
    study = optuna.create_study(study_name="study", storage=storage, sampler=sampler)
    kernels = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for _ in range(8):
            kernels.append(KERNELS.suggest(study.ask())[0])
            elsewhere = optuna.load_study(study_name="study", storage=url)
            elsewhere.tell(len(kernels) - 1, state=TrialState.FAIL)
    assert [kernels.count(kernel) for kernel in dict.fromkeys(kernels)] == [3, 3, 2]


def test_optunas_other_samplers_are_none_of_its_concern():
    """A study that began with another sampler goes on, and back."""
    space = ConvCell()
    study, _ = study_of(space, 6, sampler=TPESampler(seed=0))
    study.sampler = small_sampler(space)
    study.optimize(lambda trial: value_of(space.suggest(trial)), n_trials=6)
    assert len(Asked.learned[1]) == 10
    study.sampler = TPESampler(seed=0)
    study.optimize(lambda trial: value_of(space.suggest(trial)), n_trials=2)
    assert len(study.trials) == 14
