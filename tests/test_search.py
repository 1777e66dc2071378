"""Algorithm 1: what it evaluates, when it stops, and what it says."""

import json
import math
from copy import copy
from functools import partial

import numpy as np
import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.samplers import RandomSampler, TPESampler
from search_problems import (
    SPACE,
    Logged,
    Prices,
    epochs,
    facts,
    journal,
    loss,
    slow_loss,
    small_search,
)
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_petridish import PetriDishRegressor
from sk_petridish.inspection import SearchDisplay
from sk_petridish.inspection._search import ResultLike
from sk_petridish.motifs import ConvCell, ModuleMotif, RecurrentCell, SigmoidSlope
from sk_petridish.motifs._identity import plain
from sk_petridish.search import PetriDishSearch
from sk_petridish.search._acquisition import acquire
from sk_petridish.search._settings import different, settings_of
from sk_petridish.search.proposers import (
    NAO,
    GeneticAlgorithm,
    RandomSearch,
    ReinforceController,
    SamplerProposer,
)

pytestmark = pytest.mark.usefixtures("quiet_optuna")


# What it does


def test_it_makes_as_many_evaluations_as_it_was_told_and_finds_better_motifs():
    result = small_search().run()
    assert [one.iteration for one in result.history] == [0] * 8 + [1] * 4 + [2] * 4
    keys = SPACE.canonical_keys([one.motif for one in result.history])
    assert len(set(keys)) == 16
    assert [one.loss for one in result.history] == [loss(one.motif) for one in result.history]
    assert result.best_loss == min(one.loss for one in result.history)
    assert isinstance(result, ResultLike)
    best = result.best_so_far()
    assert best[-1] < best[7]
    assert (np.diff(best) <= 0).all()
    assert not result.interrupted
    assert result.test_loss is None


def test_what_is_evaluated_is_what_was_predicted_to_be_best():
    """The surrogate knows the truth after the initial motifs: the best candidates it is."""
    asked = []

    class Spy(RandomSearch):
        def ask(self, n, history, random_state=None, surrogate=None):
            X = super().ask(n, history, random_state, surrogate)
            asked.append(X)
            return X

    search = small_search(proposer=Spy(SPACE), n_init=60, n_iterations=1)
    result = search.run()
    candidates = sorted(loss(row) for row in asked[0])
    chosen = [one.loss for one in result.history if one.iteration == 1]
    np.testing.assert_allclose(chosen, candidates[:4], atol=1e-9)
    predicted = [one.predicted for one in result.history if one.iteration == 1]
    np.testing.assert_allclose(predicted, chosen, atol=1e-8)
    assert np.isnan([one.predicted for one in result.history if one.iteration == 0]).all()


def test_iterations_learn_from_earlier_ones_only():
    known = []

    class Spy(Prices):
        def fit(self, X, y):
            known.append(len(y))
            return super().fit(X, y)

    small_search(surrogate=Spy()).run()
    assert known == [8, 12]


def test_as_many_candidates_as_evaluations_need_no_surrogate():
    class Untouchable(Prices):
        def fit(self, X, y):
            raise AssertionError

    result = small_search(surrogate=Untouchable(), n_candidates=4).run()
    assert len(result.history) == 16
    assert np.isnan([one.predicted for one in result.history]).all()


@pytest.mark.parametrize(
    "proposer",
    [
        RandomSearch(SPACE),
        NAO(SPACE, max_iter=5, n_hidden=8, n_predictor=8),
        ReinforceController(SPACE),
        SamplerProposer(SPACE),
    ],
    ids=lambda proposer: type(proposer).__name__,
)
def test_any_proposer_will_do(proposer):
    first, second = (small_search(proposer=proposer).run() for _ in range(2))
    assert facts(first) == facts(second)
    assert len(first.history) == 16


def test_the_seed_decides():
    assert facts(small_search().run()) == facts(small_search().run())
    assert facts(small_search().run()) != facts(small_search(random_state=1).run())


def test_known_results_are_used_and_not_evaluated_again(tmp_path):
    X = SPACE.sample(6, random_state=5)
    log = Logged(tmp_path / "log")
    result = small_search(log, X_init=X, y_init=[loss(row) for row in X]).run()
    assert [one.iteration for one in result.history] == [-1] * 6 + [0] * 2 + [1] * 4 + [2] * 4
    assert len(log.motifs()) == 10
    assert not set(SPACE.canonical_keys(X)) & set(SPACE.canonical_keys(SPACE.encode(log.motifs())))
    more = small_search(log, X_init=X, y_init=[loss(row) for row in X], n_init=6).run()
    assert [one.iteration for one in more.history] == [-1] * 6 + [1] * 4 + [2] * 4


def test_it_stops_when_it_has_converged():
    def best_at_once(row):
        return 1.0 + loss(row) / 1000

    result = small_search(best_at_once, n_iterations=30, n_iter_no_change=2, tol=0.5).run()
    assert len(result.history) == 8 + 2 * 4


def test_it_stops_when_nothing_is_left():
    space = RecurrentCell(n_nodes=2, activations=("tanh", "relu"))
    n_networks = len(set(space.canonical_keys(space.sample(500, random_state=0))))
    search = PetriDishSearch(
        space, lambda row: row.sum(), surrogate=Prices(), n_init=3, n_select=3, random_state=0
    )
    result = search.run()
    assert len(result.history) == n_networks < 3 + 3 * 3


def test_it_stops_when_time_is_over_and_goes_on_later(tmp_path):
    storage = journal(tmp_path / "journal")
    result = small_search(slow_loss, storage=storage, timeout=0.3).run()
    assert result.interrupted
    assert 0 < sum(one.state == "complete" for one in result.history) < 16
    result = small_search(slow_loss, storage=storage).run()
    assert not result.interrupted
    assert facts(result) == facts(small_search().run())


def test_the_best_motif_is_tested_at_the_end(tmp_path):
    tested = []

    def test(row):
        tested.append(row)
        return 100 + loss(row)

    storage = journal(tmp_path / "journal")
    for _ in range(2):  # the second time it is known
        result = small_search(storage=storage, test_ground_truth=test).run()
        assert result.test_loss == 100 + result.best_loss
    assert len(tested) == 1


def test_more_iterations_go_on_with_a_finished_search(tmp_path):
    storage = journal(tmp_path / "journal")
    small_search(storage=storage, n_iterations=1).run()
    result = small_search(storage=storage).run()
    assert facts(result) == facts(small_search().run())


def test_slots_that_two_workers_have_filled_at_once_are_evaluated_once(tmp_path):
    storage = journal(tmp_path / "journal")
    settings = {"storage": storage, "n_init": 4, "n_iterations": 0}
    small_search(timeout=0.0, **settings).run()
    study = optuna.load_study(study_name="petri-dish-search", storage=storage)
    for trial in study.get_trials(deepcopy=False):
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.WAITING, system_attrs=trial.system_attrs
            )
        )
    log = Logged(tmp_path / "log")
    result = small_search(log, **settings).run()
    assert len(result.history) == len(log.motifs()) == 4
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 4 + ["FAIL"] * 4


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"proposer": GeneticAlgorithm(SPACE, n_parents=6, mutation=0.2)}, "proposer__mutation"),
        ({"surrogate": Prices(fit_intercept=False)}, "surrogate__fit_intercept"),
        ({"surrogate": LinearRegression()}, "surrogate"),
    ],
)
def test_a_search_does_not_go_on_with_other_parameters(tmp_path, changes, name):
    storage = journal(tmp_path / "journal")
    small_search(storage=storage).run()
    with pytest.raises(ValueError, match=rf"other \['{name}'\]"):
        small_search(storage=storage, **changes).run()


def test_a_search_goes_on_with_another_number_of_jobs_of_its_surrogate(tmp_path):
    storage = journal(tmp_path / "journal")
    small_search(storage=storage).run()
    assert len(small_search(storage=storage, surrogate=Prices(n_jobs=2)).run().history) == 16


def test_settings_survive_a_storage():
    """Representations of objects may change: names and parameters are written down."""
    ours, theirs = (
        settings_of(PetriDishSearch(space, loss, proposer=RandomSearch(space)))
        for space in (ConvCell(), SPACE)
    )
    assert different(ours, theirs) == {}
    assert json.loads(json.dumps(ours)) == ours
    written = plain([np.float64(0.5), (1, "a"), None, np.inf, SPACE, True, object()])
    space = {"class": "ConvCell", "n_cells": 3, "operations": list(SPACE.operations)}
    assert written == [0.5, [1, "a"], None, "inf", space, True, "<object>"]
    assert json.loads(json.dumps(written)) == written


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TPESampler, RandomSampler),
        (partial(TPESampler, n_startup_trials=3), partial(TPESampler, n_startup_trials=4)),
        (make_pipeline(StandardScaler(), Ridge(1.0)), make_pipeline(StandardScaler(), Ridge(9.0))),
        ({"a": 1, "b": [2]}, {"a": 1, "b": [3]}),
    ],
)
def test_settings_of_every_kind_are_told_apart(one, other):
    ours, same, theirs = ({"setting": plain(value)} for value in (one, copy(one), other))
    assert different(ours, same) == {}
    assert all(path.startswith("setting") for path in different(ours, theirs))
    assert different(ours, theirs)


def test_parameters_that_another_version_lacks_are_no_difference():
    ours = {"surrogate": {"class": "Ridge", "alpha": 1.0, "solver": "auto"}}
    assert different(ours, {"surrogate": {"class": "Ridge", "alpha": 1.0}}) == {}
    found = different(ours, {"surrogate": {"class": "Ridge", "alpha": 2.0}})
    assert found == {"surrogate.alpha": (1.0, 2.0)}


def test_a_study_of_an_earlier_version_goes_on(tmp_path):
    """It has none of the settings that were not written down then."""
    storage = journal(tmp_path / "journal")
    half = small_search(storage=storage, n_iterations=1).run()
    study = optuna.load_study(study_name="petri-dish-search", storage=storage)
    kept = {
        name: value
        for name, value in study.user_attrs["sk_petridish:settings"].items()
        if "__" not in name and name not in ("motif_space", "surrogate")
    }
    study.set_user_attr("sk_petridish:settings", kept)
    whole = small_search(storage=storage).run()
    assert facts(whole)[:12] == facts(half)
    assert facts(whole) == facts(small_search().run())


def test_another_search_on_the_same_study_is_refused(tmp_path):
    storage = journal(tmp_path / "journal")
    small_search(storage=storage, n_iterations=0).run()
    with pytest.raises(ValueError, match=r"other \['n_select'\]: \[4\], not \[5\]"):
        small_search(storage=storage, n_select=5).run()
    small_search(storage=storage, n_select=5, study_name="another", n_iterations=0).run()


def test_an_unseeded_search_goes_on_with_its_own_seed(tmp_path):
    storage = journal(tmp_path / "journal")
    half = small_search(storage=storage, n_iterations=1, random_state=None).run()
    whole = small_search(storage=storage, random_state=None).run()
    assert facts(whole)[:12] == facts(half)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_select": 30}, "at most n_candidates"),
        ({"n_init": -1}, "'n_init' parameter of PetriDishSearch"),
        ({"acquisition": "luck"}, "'acquisition' parameter of PetriDishSearch"),
        ({"n_iter_no_change": 0}, "'n_iter_no_change' parameter of PetriDishSearch"),
        ({"lease": 0}, "'lease' parameter of PetriDishSearch"),
        ({"exploration": 2}, "'exploration' parameter of PetriDishSearch"),
        ({"X_init": [[0.0] * 6]}, "go together"),
        ({"X_init": [[0.0] * 6], "y_init": [np.nan]}, "finite loss for each"),
        ({"X_init": [[9.0] * 6], "y_init": [1.0]}, "whole number from 0 to 4"),
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(wrong, message):
    with pytest.raises(ValueError, match=message):
        small_search(**wrong)


def test_given_motifs_may_lie_beyond_the_range_that_is_searched():
    space = SigmoidSlope()
    search = PetriDishSearch(
        space,
        lambda row: abs(row[0] - 0.3),
        surrogate=LinearRegression(),
        X_init=[[5.0], [0.2]],
        y_init=[4.7, 0.1],
        n_init=6,
        n_select=2,
        n_iterations=1,
        random_state=0,
    )
    result = search.run()
    assert [one.motif.tolist() for one in result.history[:2]] == [[5.0], [0.2]]
    assert all(0.01 <= one.motif[0] <= 2.01 for one in result.history[2:])


def test_given_motifs_that_no_trial_can_say_are_refused_by_name():
    space = ModuleMotif(
        print, {"a": IntDistribution(0, 9), "kernel": IntDistribution(1, 7, step=2)}
    )
    with pytest.raises(ValueError, match=r"Row 1 of X_init has kernel=4, which is none of Int"):
        PetriDishSearch(space, loss, X_init=[[0, 1], [0, 4]], y_init=[1.0, 1.0])


class Known:
    """A surrogate with a spread: the column, and the column after it."""

    def predict(self, X, return_std=False):
        return (X[:, 0], X[:, 1]) if return_std else X[:, 0]


def test_acquisition_weighs_the_spread():
    """Known answers: means 1, 2, 3 with spreads of 0.1, 2 and 0; the best known is 1.5."""
    X = np.array([[1.0, 0.1], [2.0, 2.0], [3.0, 0.0]])
    scores = {
        name: acquire(Known(), X, 1.5, name)
        for name in ("mean", "lower_confidence_bound", "expected_improvement")
    }
    for predicted, _ in scores.values():
        np.testing.assert_array_equal(predicted, [1, 2, 3])
    np.testing.assert_allclose(scores["lower_confidence_bound"][1], [0.9, 0.0, 3.0])
    # Means of what normally distributed losses are below 1.5, by numerical integration.
    draws = np.random.default_rng(0).normal(size=1_000_000)
    gains = [np.maximum(1.5 - (mean + std * draws), 0).mean() for mean, std in X]
    np.testing.assert_allclose(scores["expected_improvement"][1], np.negative(gains), atol=3e-3)


def test_acquisition_needs_a_spread():
    with pytest.raises(ValueError, match="needs a surrogate that predicts a spread"):
        small_search(acquisition="expected_improvement").run()


def test_a_dish_has_a_spread():
    settings = {"n_dishes": 5, "max_iter": 1, "inner_steps": 3, "max_outer_loss": 9.0}
    result = PetriDishSearch(
        SigmoidSlope(),
        lambda row: abs(row[0] - 0.3),
        surrogate=PetriDishRegressor(random_state=0, **settings),
        n_init=6,
        n_candidates=12,
        n_select=3,
        n_iterations=1,
        acquisition="lower_confidence_bound",
        random_state=0,
    ).run()
    assert np.isfinite([one.predicted for one in result.history[6:]]).all()


def test_exploration_gives_some_places_to_any_candidate():
    def mean_rank(exploration):
        search = small_search(
            proposer=RandomSearch(SPACE),
            n_init=60,
            n_candidates=100,
            n_select=50,
            n_iterations=1,
            exploration=exploration,
        )
        return np.mean([one.loss for one in search.run().history[60:]])

    assert mean_rank(0.0) < mean_rank(0.5) < mean_rank(1.0)


# Partial evaluations


def test_a_pruner_ends_evaluations_early():
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
    result = small_search(epochs, pruner=pruner, n_init=20).run()
    states = [one.state for one in result.history]
    assert set(states) == {"complete", "pruned"}
    assert states.count("pruned") >= 10
    cut = [trial for trial in result.study.trials if trial.state.name == "PRUNED"]
    assert all(len(trial.intermediate_values) < 9 for trial in cut)
    good = np.mean([loss(one.motif) for one in result.history if one.state == "complete"])
    bad = np.mean([loss(one.motif) for one in result.history if one.state == "pruned"])
    assert good < bad
    assert len(set(SPACE.canonical_keys([one.motif for one in result.history]))) == 28


def test_pruning_works_in_other_processes():
    pruner = optuna.pruners.ThresholdPruner(upper=25.0)
    settings = {"pruner": pruner, "n_iterations": 0, "n_init": 8}
    here = small_search(epochs, **settings).run()
    there = small_search(epochs, n_jobs=2, **settings).run()
    apart = small_search(epochs, evaluation_timeout=100.0, **(settings | {"n_init": 3})).run()
    states = [one.state for one in here.history]
    assert set(states) == {"complete", "pruned"}
    assert [one.state for one in there.history] == states
    assert [one.state for one in apart.history] == [
        "pruned" if loss(one.motif) + 1 > 25 else "complete" for one in apart.history
    ]


# Results


def test_the_result_can_be_looked_at():
    import pandas as pd

    result = small_search().run()
    frame = result.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == [
        "iteration", "loss", "predicted", "state", *SPACE.search_space()
    ]  # fmt: skip
    assert len(frame) == 16
    assert frame.loss.min() == result.best_loss
    assert len(result.study.trials) == 16
    assert result.study.best_value == result.best_loss
    display = SearchDisplay.from_results(result)
    np.testing.assert_array_equal(display.lines_["search"].get_ydata(), result.best_so_far())
    several = SearchDisplay.from_results({"one": result, "two": [result, result]})
    assert set(several.lines_) == {"one", "two"}
    predictions = SearchDisplay.from_results(result, kind="predictions")
    assert set(predictions.lines_) == {"iteration 1", "iteration 2"}
    x, y = predictions.lines_["iteration 1"].get_data()
    np.testing.assert_array_equal(x, [one.loss for one in result.history[8:12]])
    np.testing.assert_array_equal(y, [one.predicted for one in result.history[8:12]])
    with pytest.raises(ValueError, match="of one result"):
        SearchDisplay.from_results({"one": result, "two": result}, kind="predictions")
    with pytest.raises(ValueError, match="'kind' parameter of"):
        SearchDisplay.from_results(result, kind="pie")


def test_a_failed_first_evaluation_has_no_best_yet():
    def moody(row):
        if loss(row) > 15:
            raise RuntimeError
        return loss(row)

    result = small_search(moody).run()
    best = result.best_so_far()
    assert np.isfinite(best[-1])
    complete = [one.state == "complete" for one in result.history]
    np.testing.assert_array_equal(np.isfinite(best), np.maximum.accumulate(complete))


def test_a_progress_bar_is_shown_on_request(capsys):
    small_search(verbose=True).run()
    shown = capsys.readouterr().err
    assert "16/16" in shown
    assert "best=" in shown
    small_search().run()
    assert capsys.readouterr() == ("", "")


def test_limits_may_be_infinite():
    limits = {"timeout": math.inf, "evaluation_timeout": None, "lease": math.inf, "verbose": 0}
    result = small_search(**limits, tol=np.float64("inf"), n_iter_no_change=1).run()
    assert len(result.history) == 12  # nothing is better by so much
