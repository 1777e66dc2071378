"""Displays: what they draw, and what they say when they cannot."""

import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_regressors import fast

from sk_petridish.dish import draw_dish
from sk_petridish.inspection import (
    OuterLoopDisplay,
    ParameterDisplay,
    SurrogateDisplay,
    SyntheticDataDisplay,
)

SLOPES = np.linspace(0.4, 1.5, 8)[:, None]
LOSSES = 0.02 + 0.01 * SLOPES.ravel()


@pytest.fixture(autouse=True)
def no_window():
    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def dish():
    return fast(n_dishes=3).fit(SLOPES, LOSSES)


def test_predicted_against_measured(dish):
    X = np.array([[0.3], [0.8], [1.8]])
    display = SurrogateDisplay.from_estimator(dish, X, [0.021, 0.028, 0.04], color="red")
    line, _, (bars,) = display.points_
    predicted, std = dish.predict(X, return_std=True)
    np.testing.assert_allclose(line.get_ydata(), predicted)
    np.testing.assert_allclose(line.get_xdata(), [0.021, 0.028, 0.04])
    assert line.get_color() == "red"
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends, np.c_[predicted - std, predicted + std])
    assert display.statistics_["spearman"] == 1.0
    assert "regret at 1 0" in display.ax_.get_title()
    assert display.figure_ is display.ax_.figure


def test_any_regressor_is_drawn_on_axes_of_the_users():
    surrogate = make_pipeline(StandardScaler(), LinearRegression()).fit(SLOPES, LOSSES)
    _, axes = plt.subplots(1, 2)
    display = SurrogateDisplay.from_estimator(surrogate, SLOPES, LOSSES, ax=axes[1])
    assert display.ax_ is axes[1]
    assert display.y_std is None
    assert not display.points_.has_yerr


def test_a_regressor_inside_a_pipeline_keeps_its_error_bars(dish):
    surrogate = make_pipeline("passthrough", dish)
    assert SurrogateDisplay.from_estimator(surrogate, SLOPES, LOSSES).points_.has_yerr


def test_with_metadata_routing_a_pipeline_is_drawn_without_its_spread(dish):
    with sklearn.config_context(enable_metadata_routing=True):
        display = SurrogateDisplay.from_estimator(make_pipeline(dish), SLOPES, LOSSES)
    assert display.y_std is None


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="inconsistent numbers"):
        SurrogateDisplay.from_predictions([0.1, 0.2], [0.1, 0.2], y_std=[0.1])


def test_figure_1_is_one_call(dish):
    X = np.array([[0.1], [2.0]])
    display = ParameterDisplay.from_estimator(dish, X, [0.03, 0.05], y_stderr=[0.01, 0.02])
    x, predicted = display.line_.get_data()
    assert (x[0], x[-1], len(x)) == (0.1, 2.0, 100)
    np.testing.assert_array_equal(predicted, dish.predict(x[:, None]))
    assert display.best_ == x[np.argmin(predicted)]
    labels = display.ax_.get_legend_handles_labels()[1]
    assert sorted(labels) == ["PetriDishRegressor", "learned from", "measured"]
    shaded = display.ax_.patches[0]
    assert (shaded.get_x(), shaded.get_width()) == pytest.approx((0.4, 1.1))
    # The band of one standard deviation.
    std = dish.predict(x[:, None], return_std=True)[1]
    vertices = display.ax_.collections[-1].get_paths()[0].vertices[:, 1]
    assert vertices.max() == pytest.approx((predicted + std).max())


def test_a_surrogate_that_knows_the_name_of_its_column_is_drawn_quietly():
    frame = pd.DataFrame({"slope": SLOPES.ravel()})
    dish = fast(n_dishes=1).fit(frame, LOSSES)
    assert len(ParameterDisplay.from_estimator(dish, frame, pd.Series(LOSSES)).x) == 100
    SurrogateDisplay.from_estimator(dish, frame, pd.Series(LOSSES, index=range(5, 13)))


def test_several_surrogates_share_axes(dish):
    first = ParameterDisplay.from_estimator(dish, SLOPES, LOSSES, label="dish")
    line = LinearRegression().fit(SLOPES, LOSSES)
    second = ParameterDisplay.from_estimator(line, SLOPES, LOSSES, ax=first.ax_, label="line")
    labels = second.ax_.get_legend_handles_labels()[1]
    assert sorted(labels) == ["dish", "learned from", "line", "measured"]
    again = ParameterDisplay.from_estimator(dish, x_range=(0.0, 3.0), n_points=7, ax=first.ax_)
    assert len(again.ax_.patches) == 1
    np.testing.assert_allclose(again.x, np.linspace(0, 3, 7))


def test_a_motif_of_two_parameters_is_no_line(dish):
    rows = np.hstack([SLOPES, SLOPES])
    plane = LinearRegression().fit(rows, LOSSES)
    with pytest.raises(ValueError, match="motifs with one parameter"):
        ParameterDisplay.from_estimator(plane, rows, LOSSES)
    with pytest.raises(ValueError, match="Give x_range, or X"):
        ParameterDisplay.from_estimator(LinearRegression().fit(SLOPES, LOSSES))


def test_learning_curves(dish):
    display = OuterLoopDisplay.from_estimator(dish)
    assert len(display.lines_) == 4
    curves = np.array([line.get_ydata() for line in display.lines_[:3]])
    np.testing.assert_allclose(curves.mean(axis=0), dish.loss_curve_)
    assert display.limit == 4.0


def test_learning_curves_of_a_growing_bank_with_held_out_motifs():
    options = {"warm_start": True, "early_stopping": True, "tol": 0.0}
    dish = fast(n_dishes=1, **options).fit(SLOPES, LOSSES)
    dish.set_params(n_dishes=2).fit(SLOPES, LOSSES)
    display = OuterLoopDisplay.from_estimator(dish)
    assert display.dish_losses.shape == (8, 2)
    assert np.isnan(display.dish_losses[:4, 1]).all()
    held_out = next(line for line in display.ax_.lines if line.get_label() == "held-out motifs")
    np.testing.assert_array_equal(held_out.get_xdata(), [5, 6, 7, 8])


def test_without_learning_there_are_no_curves():
    dish = fast(max_iter=0, n_dishes=1).fit(SLOPES, LOSSES)
    with pytest.raises(ValueError, match="made no outer step"):
        OuterLoopDisplay.from_estimator(dish)


@pytest.mark.parametrize("data", ["train", "valid"])
def test_synthetic_data_before_and_after(dish, data):
    display = SyntheticDataDisplay.from_estimator(dish, dish=1, data=data, cmap="viridis")
    after = dish.dishes_[1]
    before = draw_dish(after.settings, after.seed)
    for row, name in enumerate((f"x_{data}", f"y_{data}")):
        shown = [np.asarray(image.get_array()) for image in display.images_[row]]
        expected = [getattr(before, name), getattr(after, name)]
        np.testing.assert_array_equal(shown[0], expected[0])
        np.testing.assert_array_equal(shown[1], expected[1])
        np.testing.assert_array_equal(shown[2], expected[1] - expected[0])
    # Training data was learned; validation data is not read by the recommended statistic.
    changed = np.abs(display.images_[0, 2].get_array()).max() > 0
    assert changed == (data == "train")
    assert display.images_[0, 0].get_cmap().name == "viridis"


def test_synthetic_data_that_makes_no_sense(dish):
    with pytest.raises(ValueError, match="'data' parameter of SyntheticDataDisplay"):
        SyntheticDataDisplay.from_estimator(dish, data="test")
    with pytest.raises(ValueError, match="dish must be less than"):
        SyntheticDataDisplay.from_estimator(dish, dish=99)
    with pytest.raises(ValueError, match="same kinds of samples"):
        SyntheticDataDisplay.from_predictions({"inputs": [[1.0]]}, {"labels": [[1.0]]})


@pytest.mark.parametrize("display", [OuterLoopDisplay, SyntheticDataDisplay])
def test_only_dishes_have_an_inside(display, dish):
    with pytest.raises(TypeError, match="not a Pipeline; of a pipeline, give that step"):
        display.from_estimator(make_pipeline(dish))
    with pytest.raises(NotFittedError):
        display.from_estimator(fast())


def test_sequences_are_drawn_side_by_side():
    samples = {"inputs": np.arange(24.0).reshape(2, 3, 4)}
    display = SyntheticDataDisplay.from_predictions(samples, samples)
    assert display.images_[0, 0].get_array().shape == (2, 12)


def test_without_matplotlib_the_error_says_what_to_do(dish, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for display in (SurrogateDisplay, ParameterDisplay):
        with pytest.raises(ImportError, match=f"{display.__name__} draws with matplotlib"):
            display.from_estimator(dish, SLOPES, LOSSES)
