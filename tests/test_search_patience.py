"""Storages that are away for a while: servers that restart, disks that are full."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cloudpickle
import numpy as np
import optuna
import pytest
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.testing.pytest_storages import StorageTestCase
from optuna.trial import TrialState
from search_problems import SPACE, Logged, Prices, facts, journal, loss, small_search
from sqlalchemy.exc import OperationalError

from sk_petridish._compat._optuna import has_heartbeat
from sk_petridish.search import PetriDishSampler, patient_storage
from sk_petridish.search._lease import LeaseWatch
from sk_petridish.search._trial_attributes import Lease, write_lease

pytestmark = pytest.mark.usefixtures("quiet_optuna")


class TestPatientStorage(StorageTestCase):
    """Optuna's own tests of storages."""

    @pytest.fixture
    def storage(self, tmp_path):
        return patient_storage(journal(tmp_path / "journal"))


class Flaky(InMemoryStorage):
    """A storage that fails now and then, before or after it has done what was asked."""

    def __init__(self, share, seed=0):
        super().__init__()
        self.share, self.random, self.n_failed = share, np.random.RandomState(seed), 0
        self.kinds = [OSError(28, "No space left on device"), _closed()]


def _closed():
    error = optuna.exceptions.StorageInternalError("This typically happens due to invalid data")
    error.__cause__ = OperationalError("select 1", {}, Exception("server closed the connection"))
    return error


def _flaky(name):
    def method(self, *args, **kwargs):
        early, late = self.random.random_sample(2) < self.share
        # A trial that was set running and whose answer was lost waits for its lease.
        late = late and TrialState.RUNNING not in args
        if early:
            self._fail()
        answer = getattr(InMemoryStorage, name)(self, *args, **kwargs)
        if late:
            self._fail()
        return answer

    return method


def _fail(self):
    self.n_failed += 1
    raise self.kinds[self.random.randint(len(self.kinds))]


Flaky._fail = _fail
for _name in ("get_all_trials", "get_trial", "create_new_trial", "set_trial_param",
              "set_trial_state_values", "set_trial_user_attr", "set_trial_system_attr",
              "set_study_user_attr", "get_study_user_attrs"):  # fmt: skip
    setattr(Flaky, _name, _flaky(_name))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_storage_that_fails_now_and_then_changes_nothing(seed, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    calls = []

    def counted(row):
        calls.append(row)
        return loss(row)

    flaky = Flaky(0.1, seed)
    storage = patient_storage(flaky)
    assert storage.get_all_studies() == []  # it has answered
    result = small_search(counted, storage=storage).run()
    assert facts(result) == facts(small_search().run())
    assert len(calls) == 16
    assert flaky.n_failed > 20


def test_a_study_with_a_sampler_waits_as_well(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    storage = patient_storage(Flaky(0.1))
    assert storage.get_all_studies() == []
    sampler = PetriDishSampler(SPACE, surrogate=Prices(), n_startup_trials=3, seed=0)
    study = optuna.create_study(storage=storage, sampler=sampler)
    study.optimize(lambda trial: loss(SPACE.suggest(trial)), n_trials=6)
    done = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    assert len(done) == 6
    assert all("predicted" in trial.user_attrs for trial in done[3:])


def test_what_has_ended_otherwise_is_no_success():
    storage = patient_storage(Flaky(0.0))
    study = optuna.create_study(storage=storage)
    ours, theirs = (study.ask()._trial_id for _ in range(2))
    inner = storage._storage
    for trial, state in ((ours, TrialState.COMPLETE), (theirs, TrialState.FAIL)):
        answers = [OSError("lost")]

        def lost(storage, *args, trial=trial, state=state, answers=answers):
            values = [1.0] if state == TrialState.COMPLETE else None
            if answers:
                InMemoryStorage.set_trial_state_values(storage, trial, state, values)
                raise answers.pop()
            return InMemoryStorage.set_trial_state_values(storage, *args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(inner), "set_trial_state_values", lost)
            if trial == ours:
                assert storage.set_trial_state_values(trial, TrialState.COMPLETE, [1.0])
            else:
                with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
                    storage.set_trial_state_values(trial, TrialState.COMPLETE, [1.0])


def test_an_outage_is_told_once_and_its_end(caplog, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    storage = patient_storage(Flaky(0.0))
    storage.get_all_studies()
    answers = [OSError("away")] * 5
    storage.patiently(lambda storage: answers and _raise(answers.pop()))
    assert caplog.text.count("The storage is out of reach: Flaky (away)") == 1
    assert caplog.text.count("The storage is back: Flaky") == 1


def _raise(error):
    raise error


def test_after_too_long_the_error_says_what_to_do():
    storage = patient_storage(Flaky(0.0), patience=0.3)
    storage.get_all_studies()
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r"Flaky has been out of reach .*full.* run again"):
        storage.patiently(lambda storage: _raise(OSError("disk full")))
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize("patience", [-1, float("nan")])
def test_patience_is_no_such_number(patience):
    with pytest.raises(ValueError, match="patience"):
        patient_storage("sqlite://", patience=patience)


@pytest.mark.parametrize(
    "error",
    [KeyError("no"), ValueError("no"), optuna.exceptions.UpdateFinishedTrialError("no"),
     optuna.exceptions.DuplicatedStudyError("no"), AssertionError("no")],
)  # fmt: skip
def test_answers_are_not_asked_for_again(error):
    storage = patient_storage(Flaky(0.0))
    storage.get_all_studies()
    calls = []
    with pytest.raises(type(error)):
        storage.patiently(lambda storage: calls.append(1) or _raise(error))
    assert len(calls) == 1


def test_bad_statements_are_not_tried_again(tmp_path):
    storage = patient_storage(f"sqlite:///{tmp_path / 'storage'}", patience=600)
    study = optuna.create_study(storage=storage)
    with storage._storage._backend.engine.begin() as connection:
        connection.exec_driver_sql("drop table study_user_attributes")
    with pytest.raises(optuna.exceptions.StorageInternalError):
        study.set_user_attr("a", 1)


def test_a_storage_that_never_answered_is_not_waited_for(tmp_path):
    """A wrong address would only be noticed after a minute."""
    for storage, shown in [
        ("postgresql+psycopg2://me:secret@127.0.0.1:1/db", r"me:\*\*\*@127.0.0.1:1/db"),
        (f"sqlite:///{tmp_path}/no/folder", "no/folder"),
    ]:
        with pytest.raises(RuntimeError, match=shown) as raised:
            small_search(storage=storage, lease=3600.0).run()
        assert "secret" not in str(raised.value)
    path = tmp_path / "gone" / "journal"
    path.parent.mkdir()
    storage = journal(path)
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(RuntimeError, match=str(path)):
        small_search(storage=storage, lease=3600.0).run()


def test_it_travels_while_the_storage_is_away(tmp_path):
    """Workers open a storage when they need it, not when they are sent."""
    url = f"sqlite:///{tmp_path / 'storage'}"
    storage = patient_storage(RDBStorage(url), patience=60)
    optuna.create_study(study_name="study", storage=storage)
    text = cloudpickle.dumps(storage)
    (tmp_path / "storage").rename(tmp_path / "away")
    tmp_path.chmod(0o500)
    if os.geteuid() == 0:  # whom no permission stops
        (tmp_path / "storage").mkdir()
    copy = pickle.loads(text)
    back = threading.Timer(0.5, _put_back, [tmp_path])
    back.start()
    assert [study.study_name for study in copy.get_all_studies()] == ["study"]
    back.join()


def _put_back(folder):
    folder.chmod(0o700)
    if (folder / "storage").exists():
        (folder / "storage").rmdir()
    (folder / "away").rename(folder / "storage")


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_heartbeats_go_through(tmp_path):
    inner = RDBStorage(f"sqlite:///{tmp_path / 'storage'}", heartbeat_interval=1, grace_period=1)
    storage = patient_storage(inner)
    assert has_heartbeat(storage)
    study = optuna.create_study(storage=storage, sampler=PetriDishSampler(SPACE, seed=0))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert study.trials[0].system_attrs["sk_petridish:told"] is True
    trial_id = storage.create_new_trial(study._study_id)
    storage.record_heartbeat(trial_id)
    time.sleep(2.5)
    study.optimize(lambda trial: 0.0, n_trials=1)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL", "COMPLETE"]


# Leases


def test_leases_that_could_not_be_renewed_have_not_expired(monkeypatch):
    """When a storage comes back, all leases are over: their keepers come first."""
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "time", lambda: clock[0])
    study = optuna.create_study()
    trial = study.ask()
    write_lease(study._storage, trial._trial_id, Lease(1060.0, "run"))
    watch = LeaseWatch(60.0)

    def look(until):
        while clock[0] < until:
            assert not watch.abandoned(study.get_trials(deepcopy=False)), clock[0]
            clock[0] += 0.5

    look(1010.0)
    clock[0] = 1100.0  # the storage was away
    look(1105.0)
    write_lease(study._storage, trial._trial_id, Lease(clock[0] + 60.0, "run"))
    # And now the worker dies: a lease later its trial is free.
    look(1165.0)
    clock[0] += 0.5
    assert len(watch.abandoned(study.get_trials(deepcopy=False))) == 1


def test_a_dead_worker_is_noticed_by_who_comes_later(monkeypatch):
    clock = [5000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "time", lambda: clock[0])
    study = optuna.create_study()
    write_lease(study._storage, study.ask()._trial_id, Lease(1000.0, "run"))
    watch = LeaseWatch(60.0)
    while not watch.abandoned(study.get_trials(deepcopy=False)):
        clock[0] += 0.5
    assert 5020.0 < clock[0] <= 5031.0


# With a real server


class Restarts(Logged):
    """Stops the server within an evaluation, and starts it again meanwhile or later."""

    def __init__(self, path, server, by):
        super().__init__(path)
        self.server, self.by = server, by

    def __call__(self, row, trial=None):
        if len(self.motifs()) in (3, 10):
            self.server.stop(self.by)
            threading.Timer(1.0, lambda: self.server.connect().close()).start()
        # Reports are written to the storage, too.
        trial.report(loss(row), 0)
        return super().__call__(row)


@pytest.mark.parametrize("by", ["SIGINT", "SIGKILL"])
def test_a_server_that_restarts_costs_no_evaluation(by, postgresql, postgresql_server, tmp_path,
                                                     caplog):  # fmt: skip
    log = Restarts(tmp_path / "log", postgresql_server, getattr(signal, by))
    result = small_search(log, storage=postgresql).run()
    assert facts(result) == facts(small_search().run())
    assert len(log.motifs()) == 16
    assert caplog.text.count("out of reach: postgresql+psycopg2://") == 2
    assert caplog.text.count("is back: postgresql+psycopg2://") == 2


def test_workers_in_processes_survive_a_restart(postgresql, postgresql_server, tmp_path):
    log = Logged(tmp_path / "log", 0.3)

    def restart():
        while len(log.motifs()) < 4:
            time.sleep(0.05)
        postgresql_server.stop()
        time.sleep(1.0)
        postgresql_server.connect().close()

    restarts = threading.Thread(target=restart)
    restarts.start()
    result = small_search(log, storage=postgresql, n_jobs=2, lease=60.0).run()
    restarts.join()
    assert facts(result) == facts(small_search().run())
    assert len(log.motifs()) == 16


# Full disks

FULL = """
import resource, sys, threading, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from search_problems import Logged, facts, journal, small_search

path, log = Path({path!r}), Logged({log!r})

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def full(row):
    if len(log.motifs()) == 5:
        limit(path.stat().st_size + {room})
        if {again}:
            threading.Timer(1.0, limit, [resource.RLIM_INFINITY]).start()
    return log(row)

result = small_search(full, storage=journal(path), lease={lease}).run()
assert facts(result) == facts(small_search().run())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of files")
@pytest.mark.parametrize("again", [True, False])
def test_a_full_disk_costs_no_evaluation(again, tmp_path):
    """A limit of files tears a line just as a full disk does."""
    path, log = tmp_path / "journal", Logged(tmp_path / "log")
    script = FULL.format(
        tests=str(Path(__file__).parent), path=str(path), log=log.path, again=again,
        room=100, lease=60.0 if again else 0.5,
    )  # fmt: skip
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    if again:
        assert ended.returncode == 0, ended.stderr[-4000:]
        assert len(log.motifs()) == 16
        return
    assert f"The storage {path} has been out of reach" in ended.stderr
    assert "File too large" in ended.stderr
    assert len(log.motifs()) == 6
    result = small_search(log, storage=journal(path)).run(reclaim=True)
    assert facts(result) == facts(small_search().run())
    # That whose result was not acknowledged once more.
    assert len(log.motifs()) == 17
