"""What a search survives: failures, kills, clusters, and other workers on its study."""

import runpy
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import optuna
import pytest
from search_problems import (
    SPACE,
    Given,
    Logged,
    Prices,
    check_exits,
    die_at_none,
    exits_search,
    facts,
    hang_at_none,
    journal,
    loss,
    slow_loss,
    small_search,
)

from sk_petridish.search import PetriDishSearch, reclaim_trials
from sk_petridish.search._step import Ranked
from sk_petridish.search._study import SearchStudy
from sk_petridish.search._subprocess import call_in_subprocess

pytestmark = pytest.mark.usefixtures("quiet_optuna")


# What costs a trial only


def test_an_evaluator_that_raises_or_is_not_a_number_costs_that_trial_only():
    def moody(row):
        if row[0] == 0:
            raise RuntimeError("no first edge")
        return float("nan") if row[0] == 1 else loss(row)

    result = small_search(moody, n_init=20).run()
    assert len(result.history) == 28
    for one in result.history:
        assert (one.state == "fail") == (one.motif[0] in (0, 1))
        assert np.isnan(one.loss) == (one.state == "fail")
    failed = [t for t in result.study.trials if t.state == optuna.trial.TrialState.FAIL]
    errors = {trial.user_attrs["error"] for trial in failed}
    assert errors == {"RuntimeError('no first edge')", "The loss is nan."}
    assert len(set(SPACE.canonical_keys([one.motif for one in result.history]))) == 28


def test_a_search_of_which_everything_fails_says_so():
    def broken(row):
        raise OSError("disk full")

    with pytest.raises(RuntimeError, match=r"None of the 8 evaluations .*disk full"):
        small_search(broken).run()


def test_an_evaluation_that_hangs_is_ended():
    start = time.monotonic()
    X = np.array([[0.0, 1, 1, 1, 1, 1], [2.0, 2, 2, 2, 2, 2], [3.0, 3, 3, 3, 1, 1]])
    search = PetriDishSearch(
        SPACE, hang_at_none, proposer=Given(SPACE, X), n_init=0, evaluation_timeout=20.0,
        n_candidates=3, n_select=3, n_iterations=1,
    )  # fmt: skip
    result = search.run()
    assert [one.state for one in result.history] == ["fail", "complete", "complete"]
    assert [one.loss for one in result.history[1:]] == [loss(row) for row in X[1:]]
    assert "TimeoutError" in result.study.trials[0].user_attrs["error"]
    assert time.monotonic() - start < 120


def test_a_process_that_dies_costs_that_trial_only():
    X = np.array([[0.0, 1, 1, 1, 1, 1], [2.0, 2, 2, 2, 2, 2]])
    search = PetriDishSearch(
        SPACE, die_at_none, proposer=Given(SPACE, X), n_init=0, evaluation_timeout=60.0,
        n_candidates=2, n_select=2, n_iterations=1,
    )  # fmt: skip
    result = search.run()
    assert [one.state for one in result.history] == ["fail", "complete"]
    assert "ended with code 7" in result.study.trials[0].user_attrs["error"]


def test_workers_that_die_cost_their_trial_only():
    """Without time limits evaluations share processes; a dead one is replaced."""
    X = np.array([[0.0, 1, 1, 1, 1, 1], [2.0, 2, 2, 2, 2, 2], [3.0, 3, 3, 3, 1, 1]])
    search = PetriDishSearch(
        SPACE, die_at_none, proposer=Given(SPACE, X), n_init=0, n_jobs=2,
        n_candidates=3, n_select=3, n_iterations=1,
    )  # fmt: skip
    result = search.run()
    assert [one.state for one in result.history] == ["fail", "complete", "complete"]
    errors = [t.user_attrs["error"] for t in result.study.trials if "error" in t.user_attrs]
    assert len(errors) == 1
    assert "ended with code 7" in errors[0]


def test_a_subprocess_leaves_no_child_behind(tmp_path):
    """What an evaluation has started is ended with it."""
    script = tmp_path / "script.py"
    script.write_text(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(3600)\n"
    )
    with pytest.raises(TimeoutError, match="longer than 10 s"):
        call_in_subprocess(partial(runpy.run_path, str(script)), 10.0)
    pid = int((tmp_path / "pid").read_text())
    for _ in range(50):
        if not is_alive(pid):
            break
        time.sleep(0.1)
    assert not is_alive(pid)


def is_alive(pid):
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_subprocess_gives_back_errors_that_cannot_be_pickled():
    def local():
        class Odd(Exception):
            def __reduce__(self):
                raise TypeError

        raise Odd("so it is")

    with pytest.raises(RuntimeError, match="so it is"):
        call_in_subprocess(local, 60.0)


# What it survives


def test_ctrl_c_returns_what_there_is_and_a_new_run_goes_on(tmp_path):
    calls = []

    def interrupted(row):
        calls.append(row)
        if len(calls) == 11:
            raise KeyboardInterrupt
        return loss(row)

    storage = journal(tmp_path / "journal")
    result = small_search(interrupted, storage=storage).run()
    assert result.interrupted
    assert [one.state for one in result.history] == ["complete"] * 10 + ["fail", "waiting"]
    assert result.best_loss == min(loss(one.motif) for one in result.history[:10])
    result = small_search(interrupted, storage=storage).run()
    assert not result.interrupted
    assert facts(result) == facts(small_search().run())
    assert len(calls) == 17  # the interrupted one twice


def test_a_user_may_interrupt_as_often_as_they_like(tmp_path):
    """Only what takes its worker along is given up."""
    calls = []

    def interrupted(row):
        calls.append(row)
        if len(calls) < 6:
            raise KeyboardInterrupt
        return loss(row)

    storage = journal(tmp_path / "journal")
    for _ in range(5):
        assert small_search(interrupted, storage=storage).run().interrupted
    assert facts(small_search(interrupted, storage=storage).run()) == facts(small_search().run())


def test_an_evaluation_that_others_have_reclaimed_ends_quietly(tmp_path):
    """As of a machine that slept: the evaluation is done again, and nothing is raised."""
    storage = journal(tmp_path / "journal")
    calls = []

    def reclaimed(row, trial):
        calls.append(row)
        if len(calls) == 2:
            reclaim_trials(optuna.load_study(study_name="petri-dish-search", storage=storage))
            trial.report(1.0, 0)
        return loss(row)

    result = small_search(reclaimed, storage=storage).run()
    assert facts(result) == facts(small_search().run())
    assert len(calls) == 17


def test_a_ground_truth_may_write_whatever_attributes():
    def chatty(row, trial):
        for name in ("iteration", "predicted", "error"):
            trial.set_user_attr(name, 500)
        return loss(row)

    assert facts(small_search(chatty).run()) == facts(small_search().run())


def test_a_surrogate_without_a_seed_chooses_once(tmp_path):
    """A batch that was written in part is completed as it was chosen."""

    class Moody(Prices):
        def predict(self, X):
            return np.random.default_rng().random(len(X))

    storage = journal(tmp_path / "journal")
    small_search(surrogate=Moody(), storage=storage, n_iterations=0).run()
    create_trials = SearchStudy.create_trials

    def half(self, iteration, batch, losses=None):
        create_trials(self, iteration, Ranked(batch.X[:2], batch.predicted[:2]), losses)
        if iteration == 1:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SearchStudy, "create_trials", half)
        assert small_search(surrogate=Moody(), storage=storage).run().interrupted
    result = small_search(surrogate=Moody(), storage=storage).run()
    assert len(result.history) == 16
    assert len(set(SPACE.canonical_keys([one.motif for one in result.history]))) == 16


def test_a_final_test_that_fails_costs_the_test_only():
    def broken(row, trial):
        raise OSError("disk full")

    result = small_search(test_ground_truth=broken).run()
    assert result.test_loss is None
    assert len(result.history) == 16


def test_a_study_that_maximises_is_refused(tmp_path):
    storage = journal(tmp_path / "journal")
    optuna.create_study(study_name="petri-dish-search", storage=storage, direction="maximize")
    with pytest.raises(ValueError, match="does not minimise"):
        small_search(storage=storage).run()


def test_evaluations_end_with_the_search_that_waits_for_them(tmp_path):
    program = (
        "import sys, time; sys.path.insert(0, {tests!r})\n"
        "from functools import partial\n"
        "from search_problems import note_and_sleep\n"
        "from sk_petridish.search._subprocess import call_in_subprocess\n"
        "call_in_subprocess(partial(note_and_sleep, {path!r}), 600.0)\n"
    ).format(tests=str(Path(__file__).parent), path=str(tmp_path / "pid"))
    parent = subprocess.Popen([sys.executable, "-c", program])
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert parent.poll() is None
        time.sleep(0.05)
    pid = int((tmp_path / "pid").read_text())
    parent.kill()
    parent.wait()
    for _ in range(100):
        if not is_alive(pid):
            break
        time.sleep(0.1)
    assert not is_alive(pid)


SCRIPT = """
import optuna, sys
sys.path.insert(0, {tests!r})
from search_problems import Logged, small_search
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
storage = {storage}
small_search(Logged({log!r}, 0.3), storage=storage, lease={lease}).run({run})
"""


def start_search(folder, storage=None, lease=60.0, run=""):
    storage = storage or f"JournalStorage(JournalFileBackend({str(folder / 'journal')!r}))"
    script = SCRIPT.format(
        tests=str(Path(__file__).parent),
        storage=storage,
        log=str(folder / "log"),
        lease=lease,
        run=run,
    )
    # Errors go where a failing test shows them: a race is hard to see twice.
    with (folder / "errors").open("ab") as errors:
        return subprocess.Popen([sys.executable, "-c", script], stderr=errors)


def kill_within_evaluation(process, log, n_done):
    """Kill -9 while the next motif is evaluated, and nothing is being written."""
    while len(log.motifs()) < n_done:
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(log.motifs()) < 16


@pytest.mark.parametrize("n_done", [3, 10])
def test_a_killed_search_goes_on_to_the_same_result(n_done, tmp_path):
    log = Logged(tmp_path / "log")
    process = start_search(tmp_path)
    kill_within_evaluation(process, log, n_done)
    result = small_search(log, storage=journal(tmp_path / "journal")).run(reclaim=True)
    assert facts(result) == facts(small_search().run())
    # No evaluation is lost or repeated; but the one that was just ending when the process died.
    assert set(log.motifs()) == {fact[1] for fact in facts(result)}
    assert len(log.motifs()) <= 17


def test_without_being_told_it_waits_for_the_lease_of_the_dead(tmp_path):
    log = Logged(tmp_path / "log")
    process = start_search(tmp_path, lease=3.0)
    kill_within_evaluation(process, log, 2)
    start = time.monotonic()
    result = small_search(log, storage=journal(tmp_path / "journal"), lease=3.0).run()
    assert time.monotonic() - start > 1.0
    assert facts(result) == facts(small_search().run())


def test_what_takes_its_worker_along_again_and_again_is_given_up(tmp_path):
    """Three dead workers on one motif are enough."""
    storage = journal(tmp_path / "journal")
    for _ in range(3):
        study = optuna.create_study(
            study_name="petri-dish-search", storage=storage, load_if_exists=True
        )
        if not study.trials:
            small_search(slow_loss, storage=storage, n_init=1, n_iterations=0, timeout=0.0).run()
        else:
            small_search(storage=storage, n_init=1, n_iterations=0, timeout=0.0).run(reclaim=True)
        waiting = [t for t in study.get_trials(deepcopy=False) if t.state.name == "WAITING"]
        assert len(waiting) == 1
        study._storage.set_trial_state_values(waiting[0]._trial_id, optuna.trial.TrialState.RUNNING)
    with pytest.raises(RuntimeError, match="None of the 1 evaluations"):
        small_search(storage=storage, n_init=1, n_iterations=0).run(reclaim=True)


def test_trials_of_dead_workers_are_reclaimed_on_request():
    study = optuna.create_study()
    study.ask()
    assert reclaim_trials(study, older_than=100.0) == 0
    study.tell(study.ask(), 1.0)
    assert reclaim_trials(study) == 1
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE"]


# Several at once


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_jobs_change_nothing_but_who_evaluates(n_jobs, tmp_path):
    log = Logged(tmp_path / "log", 0.02)
    result = small_search(log, n_jobs=n_jobs).run()
    assert facts(result) == facts(small_search().run())
    assert len(log.workers()) == n_jobs
    assert len(result.study.trials) == 16


def test_threads_share_memory():
    with joblib.parallel_config(backend="threading", n_jobs=4):
        result = small_search(slow_loss).run()
    assert facts(result) == facts(small_search().run())


def test_processes_cannot_reach_memory():
    search = small_search(storage=optuna.storages.InMemoryStorage(), n_jobs=2)
    with pytest.raises(RuntimeError, match="their storage is not that of the search"):
        search.run()


def check_workers_together(folder, storage=None, make_storage=None):
    """Two searches on one study never evaluate a motif twice, and agree on the result."""
    log = Logged(folder / "log")
    processes = [start_search(folder, storage) for _ in range(2)]
    ended = [process.wait(120) for process in processes]
    assert ended == [0, 0], (folder / "errors").read_text()[-4000:]
    assert len(log.motifs()) == len(set(log.motifs())) == 16
    assert len(log.workers()) == 2
    result = small_search(log, storage=make_storage).run()
    assert len(log.motifs()) == 16
    assert facts(result) == facts(small_search().run())


@pytest.mark.parametrize("state", ["RUNNING", "FAIL"])
def test_a_worker_joins_while_another_writes_parameters(state, tmp_path):
    """Parameters are written one by one, and half of a motif is no other search's."""
    storage = journal(tmp_path / "journal")
    first = small_search(storage=storage, timeout=0.0)
    assert first.run().interrupted
    study = optuna.load_study(study_name="petri-dish-search", storage=storage)
    waiting = study.get_trials(deepcopy=False)[0]
    study._storage.set_trial_state_values(waiting._trial_id, optuna.trial.TrialState.RUNNING)
    name, distribution = next(iter(SPACE.search_space().items()))
    study._storage.set_trial_param(waiting._trial_id, name, 0, distribution)
    if state == "FAIL":  # the other one was killed, and another has reclaimed it
        assert reclaim_trials(study) == 1
    assert facts(small_search(storage=storage).run(reclaim=True)) == facts(small_search().run())


def test_workers_share_a_journal(tmp_path):
    check_workers_together(tmp_path, make_storage=journal(tmp_path / "journal"))


def test_workers_share_a_postgresql_server(tmp_path, postgresql):
    check_workers_together(tmp_path, repr(postgresql), postgresql)


def test_a_killed_worker_of_a_postgresql_server_is_replaced(tmp_path, postgresql):
    log = Logged(tmp_path / "log")
    process = start_search(tmp_path, repr(postgresql))
    kill_within_evaluation(process, log, 5)
    result = small_search(log, storage=postgresql).run(reclaim=True)
    assert facts(result) == facts(small_search().run())
    assert len(log.motifs()) <= 17


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_dask_cluster_evaluates_batches(tmp_path):
    distributed = pytest.importorskip("distributed")
    log = Logged(tmp_path / "log", 0.05)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(sys.path.insert, 0, str(Path(__file__).parent))
        with joblib.parallel_config(backend="dask"):
            result = small_search(log, storage=journal(tmp_path / "journal")).run()
            timed = small_search(log, evaluation_timeout=60.0, n_init=2, n_iterations=0).run()
            check_exits(exits_search().run())
    assert facts(result) == facts(small_search().run())
    assert len(log.workers()) > 2  # two of the cluster, and one for each timed evaluation
    assert [one.state for one in timed.history] == ["complete"] * 2
