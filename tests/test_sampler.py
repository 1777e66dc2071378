"""The sampler within Optuna studies: Optuna's own suite, and what its users count on."""

import pickle
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)
from optuna.trial import TrialState
from search_problems import SPACE, Prices, epochs, loss
from sklearn.linear_model import LinearRegression
from test_proposers import network

from sk_petridish import PetriDishRegressor
from sk_petridish.motifs import ModuleMotif, RecurrentCell, SigmoidSlope
from sk_petridish.search import PetriDishSampler, reclaim_trials
from sk_petridish.search._claims import Claims
from sk_petridish.search._family import Family
from sk_petridish.search._motif_index import MotifIndex
from sk_petridish.search._schedule import Schedule, last_fit
from sk_petridish.search.proposers import GeneticAlgorithm, RandomSearch

pytestmark = [
    pytest.mark.usefixtures("quiet_optuna"),
    # Short studies, many of which only begin.
    pytest.mark.filterwarnings("ignore:n_trials="),
]


def small_sampler(**changes):
    """Return a sampler that learns prices of operations."""
    settings = {
        "surrogate": Prices(),
        "proposer": GeneticAlgorithm(SPACE, n_parents=6),
        "n_startup_trials": 8,
        "n_candidates": 20,
        "refit_every": 4,
        "seed": 0,
    }
    return PetriDishSampler(SPACE, **(settings | changes))


def objective(trial):
    return loss(SPACE.suggest(trial))


# Optuna's own suite, for motifs of one's own and for none at all.


def suite_sampler(space):
    return PetriDishSampler(
        space, surrogate=LinearRegression(), n_startup_trials=3, refit_every=1, seed=0
    )


class OurSampler:
    @pytest.fixture
    def sampler(self):
        return lambda: suite_sampler(SigmoidSlope())


class TestBasic(OurSampler, BasicSamplerTestCase):
    pass


class TestRelative(OurSampler, RelativeSamplerTestCase):
    pass


class TestSingleOnly(OurSampler, SingleOnlySamplerTestCase):
    pass


# Some of the suite's spaces have fewer motifs than it asks for.
@pytest.mark.filterwarnings("ignore:Every motif of the space")
class TestRelativeOfOurMotif(RelativeSamplerTestCase):
    """The same, where the parameters under test are those of the motif."""

    @pytest.fixture
    def sampler(self, request):
        given = getattr(request.node, "callspec", None)
        params = {} if given is None else given.params
        choices = {"x": CategoricalDistribution([1, 10, 100])}
        choices["y"] = CategoricalDistribution([-1, -10, -100])
        if "n_jobs" in params:
            choices = {name: FloatDistribution(-10, 10) for name in "xy"}
        ours = {name: params.get(f"{name}_distribution", choices[name]) for name in "xy"}
        return lambda: suite_sampler(ModuleMotif(network, ours))


# What users count on


def rows(study):
    return [
        SPACE.repair([[trial.params[name] for name in SPACE.search_space()]])[0]
        for trial in study.trials
    ]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_it_finds_better_motifs_than_it_began_with(direction):
    sign = 1 if direction == "minimize" else -1
    study = optuna.create_study(sampler=small_sampler(), direction=direction)
    study.optimize(lambda trial: sign * objective(trial), n_trials=24)
    losses = sign * np.array([trial.value for trial in study.trials])
    assert losses[8:].mean() < losses[:8].mean()
    assert losses[12:].min() < losses[:8].min()
    assert len(set(SPACE.canonical_keys(rows(study)))) == 24
    for number, trial in enumerate(study.trials):
        assert ("predicted" in trial.user_attrs) == (number >= 8)
        assert ("surrogate_kendall_tau" in trial.user_attrs) == (number >= 10)
    predicted = sign * np.array([trial.user_attrs["predicted"] for trial in study.trials[12:]])
    assert np.corrcoef(predicted, losses[12:])[0, 1] > 0.5
    assert [trial.user_attrs["predicted_rank"] for trial in study.trials[8:12]] == [1, 2, 3, 4]


def test_the_surrogate_learns_again_when_there_are_new_results():
    known = []

    class Spy(Prices):
        def fit(self, X, y):
            known.append(len(y))
            return super().fit(X, y)

    study = optuna.create_study(sampler=small_sampler(surrogate=Spy()))
    study.optimize(objective, n_trials=17)
    assert known == [8, 12, 16]


def test_failed_pruned_and_nan_trials_are_not_learned_from_and_not_tried_again():
    seen = []

    class Spy(Prices):
        def fit(self, X, y):
            seen.append((X, y))
            return super().fit(X, y)

    def moody(trial):
        row = SPACE.suggest(trial)
        if trial.number % 4 == 1:
            raise ValueError
        if trial.number % 4 == 2:
            raise optuna.TrialPruned
        return float("nan") if trial.number % 4 == 3 else loss(row)

    study = optuna.create_study(sampler=small_sampler(surrogate=Spy()))
    study.optimize(moody, n_trials=40, catch=ValueError)
    assert [len(y) for _, y in seen] == [8]
    assert np.isfinite(seen[0][1]).all()
    assert len(set(SPACE.canonical_keys(rows(study)))) == 40


def test_it_goes_together_with_any_pruner():
    def with_epochs(trial):
        return epochs(SPACE.suggest(trial), trial)

    for pruner in (
        optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9),
        optuna.pruners.SuccessiveHalvingPruner(),
    ):
        study = optuna.create_study(sampler=small_sampler(n_startup_trials=4), pruner=pruner)
        study.optimize(with_epochs, n_trials=60)
        states = [trial.state for trial in study.trials]
        assert TrialState.PRUNED in states
        assert states.count(TrialState.COMPLETE) > 4
        assert "predicted" in study.trials[-1].user_attrs
        assert len(set(SPACE.canonical_keys(rows(study)))) == 60


def test_other_parameters_go_to_the_independent_sampler():
    def with_rate(trial):
        rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
        return objective(trial) + abs(np.log10(rate) + 2) + trial.suggest_int("layers", 1, 3)

    sampler = small_sampler(independent_sampler=RandomSampler(seed=0))
    study = optuna.create_study(sampler=sampler)
    study.optimize(with_rate, n_trials=14)
    assert len({trial.params["rate"] for trial in study.trials}) == 14
    assert {trial.params["layers"] for trial in study.trials} == {1, 2, 3}


def test_motifs_that_others_have_enqueued_are_not_suggested():
    X = small_first_motifs(3)
    study = optuna.create_study(sampler=small_sampler())
    for row in X:
        study.enqueue_trial(dict(zip(SPACE.search_space(), map(int, row), strict=True)))
    study.optimize(objective, n_trials=8)
    assert len(set(SPACE.canonical_keys(rows(study)))) == 8


def test_an_enqueued_motif_gets_no_prediction_of_another():
    def with_rate(trial):
        return trial.suggest_float("rate", 0.0, 1.0) + objective(trial)

    study = optuna.create_study(sampler=small_sampler())
    study.optimize(with_rate, n_trials=10)
    row = [4] * 6
    study.enqueue_trial(dict(zip(SPACE.search_space(), row, strict=True)))
    study.optimize(with_rate, n_trials=2)
    assert rows(study)[10].tolist() == row
    assert "predicted" not in study.trials[10].user_attrs
    assert "predicted" in study.trials[11].user_attrs


def small_first_motifs(n):
    study = optuna.create_study(sampler=small_sampler())
    study.optimize(objective, n_trials=n)
    return rows(study)


def test_running_trials_are_left_alone():
    study = optuna.create_study(sampler=small_sampler())
    study.optimize(objective, n_trials=8)
    asked = [study.ask() for _ in range(12)]
    X = [SPACE.suggest(trial) for trial in asked]
    assert len(set(SPACE.canonical_keys([*X, *rows(study)[:8]]))) == 20


def test_a_motif_that_a_dead_worker_had_is_suggested_again():
    study = optuna.create_study(sampler=small_sampler())
    study.optimize(objective, n_trials=8)
    lost = SPACE.suggest(study.ask())
    assert reclaim_trials(study) == 1
    np.testing.assert_array_equal(SPACE.suggest(study.ask()), lost)


def test_a_resumed_study_is_what_an_uninterrupted_one_is(tmp_path):
    whole = optuna.create_study(sampler=small_sampler())
    whole.optimize(objective, n_trials=18)
    for stop in (5, 11):
        path = str(tmp_path / f"journal_{stop}")
        for n_trials in (stop, 18 - stop):
            study = optuna.create_study(
                study_name="study",
                storage=JournalStorage(JournalFileBackend(path)),
                sampler=small_sampler(),
                load_if_exists=True,
            )
            study.optimize(objective, n_trials=n_trials)
        np.testing.assert_array_equal(rows(study), rows(whole))


def test_it_travels_and_goes_on():
    sampler = small_sampler()
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=9)
    study.sampler = pickle.loads(pickle.dumps(sampler))
    study.optimize(objective, n_trials=5)
    again = optuna.create_study(sampler=small_sampler())
    again.optimize(objective, n_trials=14)
    np.testing.assert_array_equal(rows(study), rows(again))


def test_threads_never_get_the_same_motif():
    study = optuna.create_study(sampler=small_sampler())
    study.optimize(objective, n_trials=30, n_jobs=4)
    assert len(set(SPACE.canonical_keys(rows(study)))) == 30


def test_workers_that_choose_in_the_same_instant_choose_differently():
    """Two samplers with one seed, made to look at the study before either has written."""
    storage = InMemoryStorage()
    barrier = threading.Barrier(2)

    class Patient(Claims):
        waited = False

        def claim(self, study, trial, claim):
            if not self.waited:
                self.waited = True
                barrier.wait(10)
            return super().claim(study, trial, claim)

    chosen = []

    def work():
        sampler = PetriDishSampler(SPACE, surrogate=Prices(), n_startup_trials=8, seed=0)
        sampler._chooser_of("", "")._claims = Patient(Family(SPACE))
        study = optuna.create_study(
            study_name="study", storage=storage, sampler=sampler, load_if_exists=True
        )
        chosen.append(SPACE.suggest(study.ask()))

    optuna.create_study(study_name="study", storage=storage)
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(SPACE.canonical_keys(chosen))) == 2


class CountingStorage(InMemoryStorage):
    """Counts how often the whole study is read."""

    n_reads = 0

    def get_all_trials(self, *args, **kwargs):
        self.n_reads += 1
        return super().get_all_trials(*args, **kwargs)


def test_a_decision_reads_the_study_once_and_again_after_its_claim():
    storage = CountingStorage()
    study = optuna.create_study(sampler=small_sampler(), storage=storage)
    study.optimize(objective, n_trials=9)
    trial = study.ask({})
    frozen, storage.n_reads = storage.get_trial(trial._trial_id), 0
    study.sampler.sample_relative(study, frozen, SPACE.search_space())
    assert storage.n_reads == 2


# Which results a fit knew


SCHEDULES = st.builds(Schedule, st.integers(0, 6), st.integers(1, 4))


@st.composite
def studies(draw):
    """Draw trials that end at times of their own, most with a loss; and their motifs."""
    trials = []
    for number in range(draw(st.integers(0, 25))):
        state = draw(st.sampled_from([TrialState.COMPLETE] * 3 + [TrialState.FAIL]))
        trial = optuna.trial.create_trial(
            state=state, value=float(number) if state == TrialState.COMPLETE else None
        )
        trial.number = number
        trial.datetime_complete = datetime(2026, 1, 1, minute=draw(st.integers(0, 9)))
        trials.append((trial, np.array([float(number)])))
    return trials


def facts_of(fit):
    n_fits, history = fit
    return n_fits, history.X.tolist(), str(history.y.tolist()), history.iteration.tolist()


@given(studies(), SCHEDULES, st.randoms())
def test_what_a_fit_knew_does_not_depend_on_how_trials_are_listed(trials, schedule, random):
    shuffled = random.sample(trials, len(trials))
    before = facts_of(last_fit(trials, schedule, 1, 1.0))
    assert facts_of(last_fit(shuffled, schedule, 1, 1.0)) == before
    running = optuna.trial.create_trial(state=TrialState.WAITING)
    lost = optuna.trial.create_trial(
        state=TrialState.FAIL, system_attrs={"sk_petridish:reclaimed": "lost"}
    )
    more = [*trials, (running, np.zeros(1)), (lost, np.zeros(1))]
    assert facts_of(last_fit(more, schedule, 1, 1.0)) == before


@given(studies(), SCHEDULES)
def test_results_are_added_to_what_earlier_fits_knew(trials, schedule):
    in_order = sorted(trials, key=lambda pair: (pair[0].datetime_complete, pair[0].number))
    before, known = 0, np.empty((0, 1))
    for n in range(len(trials) + 1):
        n_fits, history = last_fit(in_order[:n], schedule, 1, 1.0)
        assert n_fits >= before
        np.testing.assert_array_equal(history.X[: len(known)], known)
        if n_fits == before:
            assert len(history.X) == len(known)
        else:
            assert len(history.known().y) == max(
                schedule.n_startup + (n_fits - 1) * schedule.refit_every, 1
            )
        assert (np.diff(history.iteration) >= 0).all()
        assert (history.iteration < max(n_fits, 1)).all()
        before, known = n_fits, history.X


@given(studies(), SCHEDULES)
def test_maximising_studies_have_the_opposite_losses(trials, schedule):
    losses = last_fit(trials, schedule, 1, 1.0)[1].y
    np.testing.assert_array_equal(last_fit(trials, schedule, 1, -1.0)[1].y, -losses)


WORKER = """
import optuna, sys
sys.path.insert(0, {tests!r})
from test_sampler import objective, small_sampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
study = optuna.load_study(study_name="study", storage={storage}, sampler=small_sampler())
study.optimize(objective, n_trials=12)
"""


def check_processes_together(name, storage):
    """Two processes with one seed on one study never evaluate a motif twice."""
    optuna.create_study(study_name="study", storage=storage)
    script = WORKER.format(tests=str(Path(__file__).parent), storage=name)
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    study = optuna.load_study(study_name="study", storage=storage)
    assert len(study.trials) == 24
    assert len(set(SPACE.canonical_keys(rows(study)))) == 24


def test_processes_share_a_journal(tmp_path):
    path = str(tmp_path / "journal")
    name = f"JournalStorage(JournalFileBackend({path!r}))"
    check_processes_together(name, JournalStorage(JournalFileBackend(path)))


def test_processes_share_a_postgresql_server(postgresql):
    check_processes_together(repr(postgresql), postgresql)


def test_an_exhausted_space_is_suggested_again_with_a_warning():
    space = RecurrentCell(n_nodes=2, activations=("tanh",))
    sampler = PetriDishSampler(space, surrogate=Prices(), n_startup_trials=9, seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: space.suggest(trial).sum(), n_trials=2)
    with pytest.warns(UserWarning, match="Every motif of the space"):
        study.optimize(lambda trial: space.suggest(trial).sum(), n_trials=1)


def test_more_candidates_are_drawn_when_they_run_out():
    study = optuna.create_study(sampler=small_sampler(n_candidates=5, refit_every=50))
    study.optimize(objective, n_trials=30)
    assert len(set(SPACE.canonical_keys(rows(study)))) == 30
    assert all("predicted" in trial.user_attrs for trial in study.trials[8:])


def test_losses_that_are_all_equal_teach_nothing_and_break_nothing():
    study = optuna.create_study(sampler=small_sampler())
    study.optimize(lambda trial: 1.0 + 0 * objective(trial), n_trials=14)
    assert "predicted" not in study.trials[-1].user_attrs


def test_it_can_choose_by_expected_improvement():
    space = SigmoidSlope()
    settings = {"n_dishes": 4, "max_iter": 1, "inner_steps": 3, "max_outer_loss": 9.0}
    sampler = PetriDishSampler(
        space,
        surrogate=PetriDishRegressor(random_state=0, **settings),
        proposer=RandomSearch(space),
        acquisition="expected_improvement",
        n_startup_trials=5,
        exploration=0.2,
        seed=0,
    )
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: abs(space.suggest(trial)[0] - 0.3), n_trials=8)
    assert "predicted" in study.trials[-1].user_attrs


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"acquisition": "luck"}, "'acquisition' parameter of PetriDishSampler"),
        ({"exploration": -1}, "'exploration' parameter of PetriDishSampler"),
        ({"refit_every": 0}, "'refit_every' parameter of PetriDishSampler"),
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(wrong, message):
    with pytest.raises(ValueError, match=message):
        small_sampler(**wrong)


def test_the_default_surrogate_measures_a_motif_once():
    """The family's bank keeps what it measures from fit to fit."""
    space = RecurrentCell(n_nodes=2)
    sampler = PetriDishSampler(space, n_startup_trials=6, n_candidates=6, refit_every=2, seed=0)
    study = optuna.create_study(sampler=sampler)
    start = time.monotonic()
    study.optimize(lambda trial: space.suggest(trial).sum(), n_trials=8)
    first = time.monotonic() - start
    start = time.monotonic()
    chooser = sampler._chooser_of("", "")
    index = MotifIndex(chooser._claims, chooser.ranking.schedule, 1.0)
    index.update(study.get_trials(deepcopy=False))
    chooser._fit(index.last_fit())
    assert time.monotonic() - start < max(first, 3.0)
    assert "predicted" in study.trials[-1].user_attrs


def test_integers_and_steps_are_suggested_as_they_are():
    space = ModuleMotif(
        network,
        {"units": IntDistribution(4, 64, step=4), "share": FloatDistribution(0, 1, step=0.1)},
    )
    sampler = PetriDishSampler(space, surrogate=LinearRegression(), n_startup_trials=5, seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: space.suggest(trial).sum(), n_trials=15)
    assert all(isinstance(trial.params["units"], int) for trial in study.trials)
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials)
