"""Reading of a study, trial by trial."""

import itertools
from collections import Counter

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from search_problems import SPACE, Prices, loss

from sk_petridish.search import PetriDishSampler, reclaim_trials
from sk_petridish.search._claims import Claims
from sk_petridish.search._family import Family
from sk_petridish.search._motif_index import MotifIndex
from sk_petridish.search._schedule import Schedule

pytestmark = pytest.mark.usefixtures("quiet_optuna")
SCHEDULE = Schedule(3, 2)
ACTIONS = ("ask", "half", "tell", "fail", "prune", "enqueue", "add", "reclaim", "foreign")


def index_of(study, schedule=SCHEDULE):
    index = MotifIndex(Claims(Family(SPACE)), schedule, 1.0)
    index.update(study.get_trials(deepcopy=False))
    return index


def facts(index, number):
    """Return all that an index answers."""
    fit = index.last_fit()
    return (
        [motif.tolist() for motif in index.taken(number)],
        index.n_known,
        index.tau(),
        fit.number,
        fit.history.X.tolist(),
        str(fit.history.y.tolist()),
        fit.history.iteration.tolist(),
        fit.key,
    )


def act(study, action, running, number):
    """Let something happen in a study."""
    row = SPACE.sample(1, number)[0]
    params = dict(zip(SPACE.search_space(), row.astype(int).tolist(), strict=True))
    match action:
        case "ask":
            trial = study.ask()
            SPACE.suggest(trial)
            running.append(trial)
        case "half":  # of a motif's parameters
            trial = study.ask()
            trial.suggest_categorical("edge_0_1", (0, 1, 2, 3, 4))
            running.append(trial)
        case "tell" | "fail" | "prune" if running:
            trial = running.pop(number % len(running))
            state = {"fail": TrialState.FAIL, "prune": TrialState.PRUNED}.get(action)
            study.tell(trial, None if state else float(number), state=state)
        case "enqueue":
            study.enqueue_trial(params)
        case "add":
            study.add_trial(
                optuna.trial.create_trial(
                    params=params, distributions=SPACE.search_space(), value=loss(row)
                )
            )
        case "reclaim":
            reclaim_trials(study)
            running.clear()
        case "foreign":
            study.tell(study.ask({"width": optuna.distributions.IntDistribution(1, 9)}), 1.0)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.booleans()), max_size=25))
def test_what_is_read_bit_by_bit_is_what_is_read_at_once(happens):
    sampler = PetriDishSampler(
        SPACE, surrogate=Prices(), n_startup_trials=3, refit_every=2, n_candidates=8, seed=0
    )
    study = optuna.create_study(sampler=sampler)
    index, running = index_of(study), []
    for number, (action, looks) in enumerate(happens):
        act(study, action, running, number)
        if looks:
            index.update(study.get_trials(deepcopy=False))
    index.update(study.get_trials(deepcopy=False))
    for number in (-1, len(study.trials) - 1):
        assert facts(index, number) == facts(index_of(study), number)
    for trial in study.trials:
        if (motif := Family(SPACE).motif_of(trial)) is not None:
            key = Claims(Family(SPACE)).key(motif)
            for number in (-1, trial.number):
                assert index.is_taken(key, number) == index_of(study).is_taken(key, number)


def test_a_trial_that_ended_before_the_last_fit_is_learned_from_when_it_is_seen():
    """Clocks of machines differ."""
    study = optuna.create_study()
    for number in range(3):
        act(study, "add", [], number)
    index = index_of(study)
    before = index.last_fit()
    act(study, "add", [], 3)
    late = study.get_trials(deepcopy=False)[-1]
    late.datetime_complete = study.get_trials(deepcopy=False)[0].datetime_complete
    index.update(study.get_trials(deepcopy=False))
    assert index.last_fit().number == before.number
    assert facts(index, -1) == facts(index_of(study), -1)
    assert index.last_fit().key != before.key


def test_a_study_that_takes_the_place_of_a_deleted_one_is_read_anew(tmp_path):
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'studies.db'}")
    index, found = MotifIndex(Claims(Family(SPACE)), SCHEDULE, 1.0), []
    for numbers in (range(3), range(3, 9)):
        study = optuna.create_study(storage=storage, study_name="study")
        for number in numbers:
            act(study, "add", [], number)
        index.update(study.get_trials(deepcopy=False))
        found.append(study._study_id)
        assert facts(index, -1) == facts(index_of(study), -1)
        optuna.delete_study(study_name="study", storage=storage)
    assert found[0] == found[1]


def test_finished_trials_are_read_once(monkeypatch):
    """What a suggestion costs does not depend on how many trials there are."""
    read = Counter()
    motif_of = Family.motif_of

    def counted(self, trial):
        read[trial.number] += trial.state.is_finished()
        return motif_of(self, trial)

    monkeypatch.setattr(Family, "motif_of", counted)
    sampler = PetriDishSampler(SPACE, surrogate=Prices(), n_candidates=60, seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: loss(SPACE.suggest(trial)), n_trials=60)
    assert max(read.values()) == 1
    # Waiting ones are read when they are new.
    for number in range(30):
        act(study, "enqueue", [], number)
    study.optimize(lambda trial: loss(SPACE.suggest(trial)), n_trials=30)
    assert max(read.values()) == 1


def test_two_studies_in_one_storage_are_read_apart():
    sampler = PetriDishSampler(SPACE, surrogate=Prices(), n_startup_trials=5, seed=0)
    storages = [optuna.storages.InMemoryStorage()] * 2 + [optuna.storages.InMemoryStorage()]
    studies = [optuna.create_study(storage=one, sampler=sampler) for one in storages]
    alone = optuna.create_study(
        sampler=PetriDishSampler(SPACE, surrogate=Prices(), n_startup_trials=5, seed=0)
    )
    for study in itertools.chain(*[studies] * 12, [alone] * 12):
        study.optimize(lambda trial: loss(SPACE.suggest(trial)), n_trials=1)
    for study in studies:
        assert [t.params for t in study.trials] == [t.params for t in alone.trials]
        assert [t.user_attrs for t in study.trials] == [t.user_attrs for t in alone.trials]
    assert np.isfinite([t.user_attrs["predicted"] for t in alone.trials[5:]]).all()
