"""Ground truths that exit, raise what they like, or return what is no loss: failed trials."""

import asyncio
import os
import signal
import sys
from functools import partial

import joblib
import numpy as np
import optuna
import pytest
import torch
from search_problems import Exits, check_exits, exits_search, facts, journal, loss, small_search

from sk_petridish.search._evaluator import evaluate, outcome_of

pytestmark = pytest.mark.usefixtures("quiet_optuna")


def test_whatever_is_raised_costs_that_trial_only():
    check_exits(exits_search().run())


def test_exits_in_threads():
    with joblib.parallel_config(backend="threading", n_jobs=2):
        check_exits(exits_search().run())


def test_exits_in_processes():
    check_exits(exits_search(n_jobs=2).run())


def test_exits_in_processes_of_their_own(caplog):
    """The final test as well."""
    result = exits_search(n=2, evaluation_timeout=120.0, test_ground_truth=_exit).run()
    check_exits(result)
    assert result.test_loss is None
    assert "The final test failed: SystemExit('usage: train.py [-h]')" in caplog.text


def test_a_final_test_that_exits_costs_the_test_only():
    result = small_search(test_ground_truth=_exit).run()
    assert result.test_loss is None
    assert len(result.history) == 16


def _exit(row):
    sys.exit("usage: train.py [-h]")


def test_ctrl_c_is_still_the_users():
    def interrupted(row):
        raise KeyboardInterrupt

    result = small_search(interrupted).run()
    assert result.interrupted


def test_an_exit_on_a_signal_ends_the_search(tmp_path):
    """Clusters end jobs so: the motif is not to blame, and is evaluated again."""
    storage = journal(tmp_path / "journal")

    def ended(row):
        os.kill(os.getpid(), signal.SIGTERM)
        return loss(row)

    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(15))
    try:
        with pytest.raises(SystemExit):
            small_search(ended, storage=storage).run()
    finally:
        signal.signal(signal.SIGTERM, before)
    study = optuna.load_study(study_name="petri-dish-search", storage=storage)
    assert study.trials[0].system_attrs["sk_petridish:reclaimed"] == "interrupted"
    assert facts(small_search(storage=storage).run()) == facts(small_search().run())


def returned(value):
    """Return what comes of a ground truth that returns a value."""
    return outcome_of(partial(evaluate, lambda row: value, np.zeros(6), None))


@pytest.mark.parametrize(
    "value",
    [0.5, np.float32(0.5), np.array(0.5), np.array([0.5]), np.array([[0.5]]), torch.tensor(0.5),
     torch.tensor([0.5], requires_grad=True)],
)  # fmt: skip
def test_one_real_number_is_a_loss(value):
    assert returned(value).loss == 0.5


@pytest.mark.parametrize(
    "value",
    [None, "0.5", b"0.5", "x", [0.5], {"loss": 0.5}, 1j, np.complex64(1), np.array("0.5"),
     np.array([0.5, 0.5]), np.array([]), np.array(None), np.ma.masked, torch.tensor([1.0, 2.0]),
     torch.tensor(1j), 10**400, object(), Exits],
)  # fmt: skip
def test_anything_else_is_refused_by_name(value):
    outcome = returned(value)
    assert outcome.state == optuna.trial.TrialState.FAIL
    assert "which is not one real number" in outcome.error
    assert len(outcome.error) < 3000


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), np.float64("nan")])
def test_losses_are_finite(value):
    assert returned(value).error == f"The loss is {float(value)}."


def test_a_ground_truth_may_write_into_its_row():
    def careless(row):
        value = loss(row)
        row[:] = 0
        return value

    result = small_search(careless, test_ground_truth=careless).run()
    assert facts(result) == facts(small_search().run())
    assert result.test_loss == result.best_loss == loss(result.best_motif)


def test_asyncio_is_no_reason_to_end():
    def cancelled(row):
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match=r"None of the 8 .*CancelledError"):
        small_search(cancelled).run()
