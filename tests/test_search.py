"""Algorithm 1: what it evaluates, what it survives, and what it says."""

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
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from search_problems import (
    SPACE,
    Logged,
    Prices,
    die_at_none,
    epochs,
    facts,
    hang_at_none,
    loss,
    slow_loss,
    small_search,
)

from sk_petridish import PetriDishRegressor
from sk_petridish.inspection import SearchDisplay
from sk_petridish.motifs import RecurrentCell, SigmoidSlope
from sk_petridish.search import PetriDishSearch, reclaim_trials
from sk_petridish.search._acquisition import acquire
from sk_petridish.search._batches import SearchStudy
from sk_petridish.search._step import Ranked
from sk_petridish.search._subprocess import call_in_subprocess
from sk_petridish.search.proposers import NAO, RandomSearch, ReinforceController, SamplerProposer

pytestmark = pytest.mark.usefixtures("quiet_optuna")


def journal(path):
    return JournalStorage(JournalFileBackend(str(path)))


# What it does


def test_it_makes_as_many_evaluations_as_it_was_told_and_finds_better_motifs():
    result = small_search().run()
    assert [one.iteration for one in result.history] == [0] * 8 + [1] * 4 + [2] * 4
    keys = SPACE.canonical([one.motif for one in result.history])
    assert len(set(keys)) == 16
    assert [one.loss for one in result.history] == [loss(one.motif) for one in result.history]
    assert result.best_loss == min(one.loss for one in result.history)
    best = result.best_so_far()
    assert best[-1] < best[7]
    assert (np.diff(best) <= 0).all()
    assert not result.interrupted
    assert result.test_loss is None


def test_what_is_evaluated_is_what_was_predicted_to_be_best():
    """The surrogate knows the truth after the initial motifs: the best candidates it is."""
    asked = []

    class Spy(RandomSearch):
        def ask(self, n, history, random_state=None):
            X = super().ask(n, history, random_state)
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
    assert not set(SPACE.canonical(X)) & set(SPACE.canonical(SPACE.encode(log.motifs())))
    more = small_search(log, X_init=X, y_init=[loss(row) for row in X], n_init=6).run()
    assert [one.iteration for one in more.history] == [-1] * 6 + [1] * 4 + [2] * 4


def test_it_stops_when_it_has_converged():
    def best_at_once(row):
        return 1.0 + loss(row) / 1000

    result = small_search(best_at_once, n_iterations=30, n_iter_no_change=2, tol=0.5).run()
    assert len(result.history) == 8 + 2 * 4


def test_it_stops_when_nothing_is_left():
    space = RecurrentCell(n_nodes=2, activations=("tanh", "relu"))
    n_networks = len(set(space.canonical(space.sample(500, random_state=0))))
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
        ({"n_init": -1}, "at least 0"),
        ({"acquisition": "luck"}, "acquisition must be one of"),
        ({"n_iter_no_change": 0}, "at least 1"),
        ({"lease": 0}, "positive"),
        ({"exploration": 2}, "between 0 and 1"),
        ({"X_init": [[0.0] * 6]}, "go together"),
        ({"X_init": [[0.0] * 6], "y_init": [np.nan]}, "finite loss for each"),
        ({"X_init": [[9.0] * 6], "y_init": [1.0]}, "whole number from 0 to 4"),
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(wrong, message):
    with pytest.raises(ValueError, match=message):
        small_search(**wrong)


def test_given_slopes_must_be_in_range():
    with pytest.raises(ValueError, match="out of the range"):
        PetriDishSearch(SigmoidSlope(), loss, X_init=[[5.0]], y_init=[1.0])


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
    assert len(set(SPACE.canonical([one.motif for one in result.history]))) == 28


def test_a_search_of_which_everything_fails_says_so():
    def broken(row):
        raise OSError("disk full")

    with pytest.raises(RuntimeError, match=r"None of the 8 evaluations .*disk full"):
        small_search(broken).run()


def test_an_evaluation_that_hangs_is_ended():
    start = time.monotonic()
    X = np.array([[0.0, 1, 1, 1, 1, 1], [2.0, 2, 2, 2, 2, 2], [3.0, 3, 3, 3, 1, 1]])
    search = PetriDishSearch(
        SPACE, hang_at_none, proposer=_These(SPACE, X), n_init=0, evaluation_timeout=20.0,
        n_candidates=3, n_select=3, n_iterations=1,
    )  # fmt: skip
    result = search.run()
    assert [one.state for one in result.history] == ["fail", "complete", "complete"]
    assert [one.loss for one in result.history[1:]] == [loss(row) for row in X[1:]]
    assert "TimeoutError" in result.study.trials[0].user_attrs["error"]
    assert time.monotonic() - start < 120


class _These(RandomSearch):
    """Propose known motifs."""

    def __init__(self, motif_space, rows=None):
        super().__init__(motif_space)
        self.rows = rows

    def ask(self, n, history, random_state=None):
        return self.rows


def test_a_process_that_dies_costs_that_trial_only():
    X = np.array([[0.0, 1, 1, 1, 1, 1], [2.0, 2, 2, 2, 2, 2]])
    search = PetriDishSearch(
        SPACE, die_at_none, proposer=_These(SPACE, X), n_init=0, evaluation_timeout=60.0,
        n_candidates=2, n_select=2, n_iterations=1,
    )  # fmt: skip
    result = search.run()
    assert [one.state for one in result.history] == ["fail", "complete"]
    assert "ended with code 7" in result.study.trials[0].user_attrs["error"]


def test_workers_that_die_cost_their_trial_only():
    """Without time limits evaluations share processes; a dead one is replaced."""
    X = np.array([[0.0, 1, 1, 1, 1, 1], [2.0, 2, 2, 2, 2, 2], [3.0, 3, 3, 3, 1, 1]])
    search = PetriDishSearch(
        SPACE, die_at_none, proposer=_These(SPACE, X), n_init=0, n_jobs=2,
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
    assert len(set(SPACE.canonical([one.motif for one in result.history]))) == 28


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
        "iteration", "loss", "predicted", "state", *SPACE.distributions()
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
    with pytest.raises(ValueError, match="kind must be"):
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
    fill = SearchStudy.fill

    def half(self, iteration, batch, losses=None):
        fill(self, iteration, Ranked(batch.X[:2], batch.predicted[:2]), losses)
        if iteration == 1:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SearchStudy, "fill", half)
        assert small_search(surrogate=Moody(), storage=storage).run().interrupted
    result = small_search(surrogate=Moody(), storage=storage).run()
    assert len(result.history) == 16
    assert len(set(SPACE.canonical([one.motif for one in result.history]))) == 16


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
    return subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)


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
    assert [process.wait(120) for process in processes] == [0, 0]
    assert len(log.motifs()) == len(set(log.motifs())) == 16
    assert len(log.workers()) == 2
    result = small_search(log, storage=make_storage).run()
    assert len(log.motifs()) == 16
    assert facts(result) == facts(small_search().run())


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
    assert facts(result) == facts(small_search().run())
    assert len(log.workers()) > 2  # two of the cluster, and one for each timed evaluation
    assert [one.state for one in timed.history] == ["complete"] * 2
