"""Proposers and surrogates of users, whatever they answer."""

import itertools

import numpy as np
import optuna
import pandas as pd
import pytest
import torch
from search_problems import SPACE, Prices, loss, small_search
from sklearn.base import BaseEstimator, RegressorMixin

from sk_petridish.motifs import SigmoidSlope
from sk_petridish.search import PetriDishSampler
from sk_petridish.search._acquisition import acquire
from sk_petridish.search.proposers import History, Proposer, RandomSearch

pytestmark = pytest.mark.usefixtures("quiet_optuna")
N_COLUMNS = len(SPACE.search_space())


class Asked:
    """Anything with a method ``ask``."""

    def __init__(self, answer):
        self.answer = answer
        self.n_asked = 0

    def ask(self, n, history, random_state=None, surrogate=None):
        self.n_asked += 1
        return self.answer(n, history, random_state)


class Proposed(Proposer):
    """A proposer that yields one batch after another."""

    def __init__(self, motif_space, answer):
        super().__init__(motif_space)
        self.answer = answer

    def propose(self, n, history, generator, surrogate):
        while True:
            yield self.answer(n, history, generator)


def searched(proposer, surrogate=None):
    """Search; return motifs and predictions."""
    changes = {} if surrogate is None else {"surrogate": surrogate}
    result = small_search(proposer=proposer, **changes).run()
    return [(one.motif, one.predicted) for one in result.history]


def sampled(proposer, surrogate=None, n_trials=20):
    """Optimise; return motifs and predictions."""
    sampler = PetriDishSampler(
        SPACE, surrogate=surrogate or Prices(), proposer=proposer, n_startup_trials=8,
        n_candidates=12, refit_every=4, seed=0,
    )  # fmt: skip
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: loss(SPACE.suggest(trial)), n_trials=n_trials)
    return [
        (np.array(list(trial.params.values())), trial.user_attrs.get("predicted", np.nan))
        for trial in study.trials
    ]


RUNS = pytest.mark.parametrize("run", [searched, sampled])
KINDS = pytest.mark.parametrize("kind", ["ask", "propose"])


def proposer_of(kind, answer):
    return Asked(answer) if kind == "ask" else Proposed(SPACE, answer)


def random_rows(n, history, generator):
    return SPACE.sample(n, generator)


def check_predictions(evaluated):
    """A prediction is that of the motif that was evaluated, and no network was twice."""
    X = np.array([motif for motif, _ in evaluated])
    assert len(set(SPACE.canonical_keys(X))) == len(X)
    predicted = np.array([prediction for _, prediction in evaluated])
    assert np.isfinite(predicted[8:]).all()
    return X, predicted


# Proposers


@RUNS
@KINDS
@pytest.mark.filterwarnings("ignore:Every motif that")
def test_one_that_repeats_itself_comes_to_an_end(run, kind):
    always = SPACE.sample(6, random_state=1)
    evaluated = run(proposer_of(kind, lambda n, history, generator: always))
    motifs = [tuple(motif) for motif, _ in evaluated]
    assert len(set(motifs)) == len(motifs)
    if kind == "ask":  # without others, drawn at random
        assert {tuple(row) for row in always} <= set(motifs)


def test_one_that_repeats_itself_is_warned_of():
    always = SPACE.sample(6, random_state=1)
    with pytest.warns(UserWarning, match="Every motif that Asked proposes seems to have a trial"):
        evaluated = sampled(Asked(lambda n, history, generator: always))
    assert len(evaluated) == 20


@RUNS
@KINDS
@pytest.mark.parametrize(
    "wrong",
    [
        lambda X: X + 100,
        lambda X: X - 0.5,
        lambda X: np.where(np.arange(N_COLUMNS) == 3, -7.0, X),
    ],
)
def test_rows_that_are_no_motifs_are_repaired_and_predicted_so(run, kind, wrong):
    def answer(n, history, generator):
        X = SPACE.sample(n, generator)
        return np.concatenate([wrong(X), X])

    with pytest.warns(UserWarning, match=r"(Asked|Proposed) proposed \d+ rows that are no motifs"):
        evaluated = run(proposer_of(kind, answer), Exact())
    X, predicted = check_predictions(evaluated)
    np.testing.assert_allclose(predicted[8:], [loss(row) for row in X[8:]])


@RUNS
@KINDS
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.full((2, N_COLUMNS), np.nan), "not finite"),
        (np.full((2, N_COLUMNS), -np.inf), "not finite"),
        (np.zeros((2, N_COLUMNS + 1)), r"shape \(2, 7\)"),
        (np.zeros(N_COLUMNS), r"shape \(6,\)"),
        ([["a"] * N_COLUMNS], "no array of real numbers"),
        ([[0.0], [0.0, 1.0]], "no array of real numbers"),
        (np.full((2, N_COLUMNS), 1j), "no array of real numbers"),
        ([[10**400] * N_COLUMNS], "no array of real numbers"),
        (np.ma.masked_all((2, N_COLUMNS)), "not finite"),
        (None, "no array of real numbers|not finite|shape"),
    ],
    ids=["nan", "inf", "columns", "row", "strings", "ragged", "complex", "huge", "masked", "none"],
)
def test_what_is_no_array_of_motifs_is_refused(run, kind, answer, message):
    if kind == "propose" and answer is None:
        pytest.skip("the end of an iterator")
    with pytest.raises(ValueError, match=f"(Asked|Proposed) proposed .*({message})"):
        run(proposer_of(kind, lambda n, history, generator: answer))


@RUNS
@KINDS
@pytest.mark.parametrize("n_rows", [1, 3, 500])
def test_fewer_and_more_rows_are_taken(run, kind, n_rows):
    evaluated = run(proposer_of(kind, lambda n, *rest: random_rows(n_rows, *rest)))
    check_predictions(evaluated)


@RUNS
def test_an_iterator_that_ends_within_ask_has_no_more(run):
    rows = iter(SPACE.sample(5, random_state=3))
    evaluated = run(Asked(lambda n, history, generator: next(rows)[None]))
    assert len(evaluated) >= 10


def test_no_more_is_looked_at_than_is_needed(monkeypatch):
    looked_at = []
    blueprints = type(SPACE).blueprints
    monkeypatch.setattr(
        type(SPACE), "blueprints", lambda self, X: looked_at.append(len(X)) or blueprints(self, X)
    )
    answer = SPACE.sample(5000, random_state=2)
    search = small_search(proposer=Asked(lambda n, history, generator: answer), n_iterations=1)
    assert len(search.run().history) == 12
    assert sum(looked_at) < 500


@RUNS
@pytest.mark.parametrize(
    "kind_of", [np.ndarray.tolist, np.float32, np.int64, pd.DataFrame, torch.tensor, np.ma.array]
)
def test_other_kinds_of_arrays_are_taken(run, kind_of):
    def answer(n, history, generator):
        return kind_of(SPACE.sample(n, generator))

    surrogate = Exact(lambda y: kind_of(y) if kind_of is not pd.DataFrame else pd.Series(y))
    plain = run(Asked(lambda n, history, generator: SPACE.sample(n, generator)), Exact())
    for one, other in zip(run(Asked(answer), surrogate), plain, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_equal(one[1], other[1])


def test_fewer_rows_are_not_asked_for_again():
    proposer = Asked(lambda n, *rest: random_rows(3, *rest))
    assert 8 + 2 <= len(searched(proposer)) <= 8 + 3 + 3
    assert proposer.n_asked == 2


@RUNS
@KINDS
def test_nothing_is_lost_where_inputs_are_written_into(run, kind):
    """The history is a copy, and an array that is used again is copied."""
    own = np.empty((12, N_COLUMNS))

    def answer(n, history, generator):
        own[:] = SPACE.sample(12, generator)
        history.X[:] = -1
        history.y[:] = np.nan
        return own

    def clean(n, history, generator):
        return SPACE.sample(12, generator)

    written = run(proposer_of(kind, answer))
    for one, other in zip(written, run(proposer_of(kind, clean)), strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_motifs_known_beyond_the_range_are_not_warned_of():
    """Children of motifs that lie beyond the range may be the same."""
    space = SigmoidSlope()
    X = np.array([[3.0], [4.0], [0.5]])

    class Parents(Proposer):
        def propose(self, n, history, generator, surrogate):
            yield history.X
            yield history.X * 0.9

    with pytest.warns(UserWarning, match=r"proposed 2 rows .* such as \[2.7\]"):
        rows = Parents(space).ask(3, History.of(X, [1.0, 2.0, 3.0]), random_state=0)
    assert rows[:2].ravel().tolist() == [2.01, 0.45]  # both strays are the same motif


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_proposer_may_take_fixed_columns():
    told = []

    class Knowing(RandomSearch):
        def ask(self, n, history, random_state=None, surrogate=None, fixed=None):
            told.append(fixed)
            return super().ask(n, history, random_state, surrogate, fixed)

    def study_with(proposer):
        sampler = PetriDishSampler(
            SPACE, surrogate=Prices(), proposer=proposer, n_startup_trials=4, seed=0
        )
        study = optuna.create_study(
            sampler=optuna.samplers.PartialFixedSampler({"edge_0_1": 3}, sampler)
        )
        study.optimize(lambda trial: loss(SPACE.suggest(trial)), n_trials=10)
        return study

    study = study_with(Knowing(SPACE))
    assert told[-1] == {0: 3}
    assert {trial.params["edge_0_1"] for trial in study.trials} == {3}
    study = study_with(Asked(lambda n, *rest: random_rows(n, *rest)))
    assert {trial.params["edge_0_1"] for trial in study.trials} == {3}
    assert "predicted" in study.trials[-1].user_attrs


# Surrogates


class Exact(RegressorMixin, BaseEstimator):
    """Knows the truth."""

    def __init__(self, change=None):
        self.change = change

    def fit(self, X, y):
        """Learn nothing."""
        return self

    def predict(self, X):
        """Return losses, changed."""
        predicted = np.array([loss(row) for row in X])
        return predicted if self.change is None else self.change(predicted)


@RUNS
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y[:-1], "shape"),
        (lambda y: np.stack([y, y], axis=1), "shape"),
        (lambda y: y[0], "shape"),
        (lambda y: None, "shape|no array"),
        (lambda y: ["a"] * len(y), "no array of real numbers"),
        (lambda y: y + 1j, "no array of real numbers"),
        (lambda y: [10**400] * len(y), "no array of real numbers"),
        (lambda y: torch.tensor(y, requires_grad=True), "no array of real numbers"),
    ],
    ids=["fewer", "columns", "scalar", "none", "strings", "complex", "huge", "gradient"],
)
def test_predictions_of_another_shape_are_refused(run, change, message):
    with pytest.raises(ValueError, match=f"Exact predicted .*({message})"):
        run(RandomSearch(SPACE), Exact(change))


@RUNS
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_candidates_without_a_prediction_come_last(run, value):
    """Every second one has none; those that have are taken in their order."""

    def gappy(y):
        return np.where(np.arange(len(y)) % 2, value, y)

    evaluated = run(RandomSearch(SPACE), Exact(gappy))
    X, predicted = check_predictions(evaluated)
    np.testing.assert_allclose(predicted[8:], [loss(row) for row in X[8:]])


@RUNS
def test_a_surrogate_that_predicts_nothing_is_warned_of(run):
    with pytest.warns(UserWarning, match="Exact predicted nothing finite for any of"):
        evaluated = run(RandomSearch(SPACE), Exact(lambda y: y * np.nan))
    assert len({tuple(motif) for motif, _ in evaluated}) == len(evaluated)
    assert np.isnan([predicted for _, predicted in evaluated]).all()


@RUNS
def test_a_column_of_predictions_is_taken(run):
    column = run(RandomSearch(SPACE), Exact(lambda y: y[:, None]))
    for one, other in zip(column, run(RandomSearch(SPACE), Exact()), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_equal(one[1], other[1])


class Scribbler(Prices):
    """Writes into all that it is given."""

    def fit(self, X, y):
        """Learn, and write."""
        super().fit(X.copy(), y.copy())
        X[:], y[:] = 0, 0
        return self

    def predict(self, X):
        """Predict, and write."""
        predicted = super().predict(X.copy())
        X[:] = 0
        return predicted


@RUNS
def test_a_surrogate_may_write_into_what_it_is_given(run):
    written = run(RandomSearch(SPACE), Scribbler())
    for one, other in zip(written, run(RandomSearch(SPACE), Prices()), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_equal(one[1], other[1])


class Spread(Exact):
    """Predicts a spread, too."""

    def predict(self, X, return_std=False):
        """Return losses and their spread."""
        predicted = np.array([loss(row) for row in X])
        spread = np.resize([1.0, *self.change], len(X))
        return (predicted, spread) if return_std else predicted


@pytest.mark.parametrize("acquisition", ["lower_confidence_bound", "expected_improvement"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0])
def test_candidates_without_a_spread_come_last(acquisition, wrong):
    candidates = SPACE.sample(20, random_state=0)
    predicted, score = acquire(Spread((wrong,)), candidates, 3.0, acquisition)
    ranks = np.argsort(score, kind="stable")
    assert set(ranks[:10]) == set(range(0, 20, 2))
    assert np.isfinite(predicted).all()


def test_batches_of_all_sizes_are_the_same_motifs():
    """However a proposer cuts what it yields, what is new stays the same."""
    X = SPACE.sample(40, random_state=3)

    class Cut(Proposer):
        def __init__(self, motif_space, size):
            super().__init__(motif_space)
            self.size = size

        def propose(self, n, history, generator, surrogate):
            return (X[start : start + self.size] for start in itertools.count(0, self.size))

    answers = [
        Cut(SPACE, size).ask(20, History.of(X[:5], np.zeros(5)), random_state=0)
        for size in (1, 7, 40)
    ]
    for answer in answers:
        np.testing.assert_array_equal(answer, answers[0])
