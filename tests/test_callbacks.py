"""Callbacks of scikit-learn and of skorch, told of outer steps."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import FitCallback, ProgressBar, ScoringMonitor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping
from small_regressors import LOSSES, SLOPES, fast

from sk_petridish import PetriDishTransformer
from sk_petridish.metrics import spearman_scorer


class Recorder:
    """A callback of scikit-learn's protocol that keeps what it is told."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.told = []

    def setup(self, estimator, context):
        self.told.append(("setup", context.task_name, None, {}))

    def teardown(self, estimator, context):
        self.told.append(("teardown", context.task_name, None, {}))

    def on_fit_task_begin(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        kept = {"X": X, "y": y, "metadata": metadata, "fitted": fitted_estimator}
        self.told.append(("begin", context.task_name, context.task_id, kept))

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        kept = {"X": X, "y": y, "metadata": metadata, "fitted": fitted_estimator}
        self.told.append(("end", context.task_name, context.task_id, kept))
        return context.task_name == "outer step" and context.task_id == self.stop_at


def test_every_outer_step_is_told_of():
    recorder = Recorder()
    assert isinstance(recorder, FitCallback)
    dish = fast().set_callbacks(recorder).fit(SLOPES, LOSSES)
    events = [event[:3] for event in recorder.told]
    steps = [(what, "outer step", step) for step in range(4) for what in ("begin", "end")]
    assert events == [
        ("setup", "fit", None),
        ("begin", "fit", 0),
        *steps,
        ("end", "fit", 0),
        ("teardown", "fit", None),
    ]
    ends = [event[3] for event in recorder.told if event[:2] == ("end", "outer step")]
    np.testing.assert_array_equal(ends[0]["X"], SLOPES)
    np.testing.assert_array_equal(ends[0]["y"], LOSSES)
    assert ends[0]["metadata"] is None
    # An estimator as if learning had ended there.
    for step, end in enumerate(ends):
        shorter = fast(max_iter=step + 1).fit(SLOPES, LOSSES)
        for ours, theirs in zip(
            end["fitted"].predict(SLOPES, return_std=True),
            shorter.predict(SLOPES, return_std=True),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    last = recorder.told[-2][3]["fitted"]
    np.testing.assert_array_equal(last.predict(SLOPES), dish.predict(SLOPES))


def test_weights_are_told_of_where_there_are_any():
    recorder = Recorder()
    weights = np.arange(1.0, 9.0)
    fast().set_callbacks(recorder).fit(SLOPES, LOSSES, sample_weight=weights)
    np.testing.assert_array_equal(recorder.told[2][3]["metadata"]["sample_weight"], weights)


def test_a_callback_may_stop_learning():
    dish = fast().set_callbacks(Recorder(stop_at=1)).fit(SLOPES, LOSSES)
    assert dish.n_iter_ == 2
    np.testing.assert_array_equal(
        dish.predict(SLOPES), fast(max_iter=2).fit(SLOPES, LOSSES).predict(SLOPES)
    )


def test_going_on_and_no_learning_are_told_of_too():
    recorder = Recorder()
    dish = fast(max_iter=0).set_callbacks(recorder).fit(SLOPES, LOSSES)
    assert [event[:2] for event in recorder.told[1:3]] == [("begin", "fit"), ("end", "fit")]
    recorder.told.clear()
    dish.set_params(max_iter=3).partial_fit([[0.2]], [0.02])
    assert sum(event[:2] == ("end", "outer step") for event in recorder.told) == 3
    assert recorder.told[-1][0] == "teardown"


def test_a_callback_is_torn_down_when_the_fit_fails():
    recorder = Recorder()
    dish = fast(n_dishes=1, callbacks=[Raising()]).set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="third step"):
        dish.fit(SLOPES, LOSSES)
    assert recorder.told[-1][0] == "teardown"


def test_a_fit_that_is_not_watched_costs_no_measurements(monkeypatch):
    from sk_petridish.estimators import _fit

    calls = []
    judge = _fit.FitData.judge
    monkeypatch.setattr(_fit.FitData, "judge", lambda *given: calls.append(1) or judge(*given))
    fast().fit(SLOPES, LOSSES)
    assert len(calls) == 1


def test_the_scoring_monitor_scores_every_step():
    monitor = ScoringMonitor(scoring={"rho": spearman_scorer, "r2": "r2"})
    dish = fast().set_callbacks(monitor).fit(SLOPES, LOSSES)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "outer step"]
    assert len(rows) == 4
    assert rows[-1]["r2"] == pytest.approx(dish.score(SLOPES, LOSSES))
    assert rows[-1]["rho"] == pytest.approx(spearman_scorer(dish, SLOPES, LOSSES))


def test_the_progress_bar_shows_outer_steps_within_a_search(capsys):
    search = GridSearchCV(fast(), {"n_hidden": [1, 2]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=2)).fit(SLOPES, LOSSES)
    shown = capsys.readouterr().out
    assert "GridSearchCV" in shown
    assert "PetriDishRegressor" in shown


def test_the_progress_bar_in_a_pipeline(capsys):
    pipeline = make_pipeline(StandardScaler(with_mean=False), fast())
    pipeline.set_callbacks(ProgressBar()).fit(SLOPES, LOSSES)
    assert "PetriDishRegressor" in capsys.readouterr().out


@pytest.mark.parametrize("learn", [False, True])
def test_the_progress_of_a_bank_is_shown(capsys, learn):
    bank = PetriDishTransformer(dishes=[("one", fast()), ("other", fast())], learn=learn)
    pipeline = make_pipeline(bank, StandardScaler(), RidgeCV())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The estimator RidgeCV does not support callbacks")
        pipeline.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(SLOPES, LOSSES)
    shown = capsys.readouterr().out
    assert "PetriDishTransformer" in shown
    # Drawing dishes takes no time and has no bar.
    assert [name in shown for name in ("dish one", "dish other", "PetriDishRegressor")] == (
        [learn] * 3
    )


def test_a_recorder_on_a_bank_is_told_of_its_dishes():
    recorder = Recorder()
    bank = PetriDishTransformer(dishes=[("one", fast()), ("other", fast())], learn=True)
    bank.set_callbacks(recorder).fit(SLOPES, LOSSES)
    begun = [name for what, name, *_ in recorder.told if what == "begin"]
    assert begun == ["fit", "dish one", "dish other"]
    assert recorder.told[-1][0] == "teardown"


class Raising(Callback):
    """A skorch callback with a bug."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            raise RuntimeError("third step")


class Watching(Callback):
    """A skorch callback that looks at the dishes."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("spread", float(np.std(net.module_.dishes()[0].x_train)))


def test_skorch_callbacks_see_the_net():
    dish = fast(callbacks=[("watching", Watching())]).fit(SLOPES, LOSSES)
    spreads = [row["spread"] for row in dish.history_]
    assert spreads[-1] == pytest.approx(dish.dishes_[0].x_train.std())
    assert len(set(spreads)) == 4
    np.testing.assert_allclose([row["outer_loss"] for row in dish.history_], dish.loss_curve_)
    plain = fast().fit(SLOPES, LOSSES)
    np.testing.assert_array_equal(dish.predict(SLOPES), plain.predict(SLOPES))


def test_skorch_callbacks_stop_learning():
    stopping = EarlyStopping(monitor="outer_loss", patience=2, threshold=10.0, threshold_mode="abs")
    stopping.set_params(sink=lambda message: None)
    dish = fast(max_iter=10, callbacks=[stopping]).fit(SLOPES, LOSSES)
    assert dish.n_iter_ == 3


def test_a_dish_with_skorch_callbacks_is_cloned_with_them():
    dish = fast(callbacks=[Watching()])
    copy = clone(dish)
    assert isinstance(copy.callbacks[0], Watching)
    assert copy.callbacks[0] is not dish.callbacks[0]


def test_other_callbacks_are_told_where_to_go():
    with pytest.raises(TypeError, match=r"scikit-learn's callbacks go to set_callbacks\(\)"):
        fast(callbacks=[Recorder()]).fit(SLOPES, LOSSES)
