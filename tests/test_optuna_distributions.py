"""What motif spaces and searches ask Optuna's distributions."""

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from test_module_motif import make_residual

from sk_petridish.motifs import ModuleMotif
from sk_petridish.motifs._distributions import (
    bin_edges,
    draw,
    draw_between,
    grid,
    nearest,
    suggest,
    to_python,
    values,
)

ALL = [
    CategoricalDistribution((0, 3, 1)),
    IntDistribution(1, 7, step=3),
    IntDistribution(2, 90, log=True),
    FloatDistribution(-1.0, 0.5, step=0.5),
    FloatDistribution(-1.0, 0.5),
    FloatDistribution(1e-4, 0.5, log=True),
]
each = pytest.mark.parametrize("distribution", ALL, ids=str)


def sample(distribution, n):
    return ModuleMotif(make_residual, {"a": distribution}).sample(n, random_state=0)[:, 0]


@pytest.mark.parametrize(
    "distribution",
    [IntDistribution(0, 10, step=5), FloatDistribution(0, 10, step=5)],
    ids=["int", "float"],
)
def test_steps_are_equally_likely(distribution):
    numbers, counts = np.unique(sample(distribution, 3000), return_counts=True)
    np.testing.assert_array_equal(numbers, [0, 5, 10])
    np.testing.assert_allclose(counts / 3000, 1 / 3, atol=0.03)


def test_logarithmic_integers_are_uniform_in_the_logarithm_half_a_step_further():
    drawn = sample(IntDistribution(1, 1000, log=True), 3000)
    assert (drawn == np.round(drawn)).all()
    for low, high in ((1, 1), (2, 3), (4, 31), (32, 1000)):
        expected = np.log((high + 0.5) / (low - 0.5)) / np.log(1000.5 / 0.5)
        share = ((drawn >= low) & (drawn <= high)).mean()
        assert share == pytest.approx(expected, abs=0.03), (low, high)


@each
def test_what_is_drawn_or_suggested_is_in_the_distribution(distribution):
    drawn = draw(distribution, 50, np.random.RandomState(0))
    assert drawn == draw(distribution, 50, np.random.RandomState(0))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn += [suggest(study.ask(), "a", distribution)]
    assert all(distribution._contains(distribution.to_internal_repr(one)) for one in drawn)
    numbers = np.array(drawn, dtype=float)
    np.testing.assert_allclose(nearest(distribution, numbers), numbers, rtol=1e-12)
    python = [to_python(distribution, number) for number in numbers]
    assert [(type(one), one) for one in python] == [(type(one), one) for one in drawn]


@each
def test_numbers_outside_become_the_nearest_inside(distribution):
    ends = nearest(distribution, np.array([-1e3, 1e3]))
    assert sorted(ends) == [min(grid(distribution)), max(grid(distribution))]


def test_values_and_grids():
    assert values(ALL[0]) == grid(ALL[0]) == [0, 3, 1]
    assert values(ALL[1]) == grid(ALL[1]) == [1, 4, 7]
    assert values(ALL[3]) == [-1.0, -0.5, 0.0, 0.5]
    assert grid(CategoricalDistribution(("a", None))) == ["a", None]
    assert values(ALL[4]) is None
    assert grid(ALL[4]) == [-1.0, 0.5]


def test_intervals_share_out_a_range():
    np.testing.assert_allclose(bin_edges(ALL[4], 3), [-1, -0.5, 0, 0.5])
    logarithmic = FloatDistribution(1e-4, 1.0, log=True)
    edges = bin_edges(logarithmic, 2)
    np.testing.assert_allclose(edges, [1e-4, 1e-2, 1])
    low, high = np.full(500, edges[0]), np.full(500, edges[1])
    drawn = draw_between(logarithmic, low, high, np.random.RandomState(0))
    assert ((drawn >= low) & (drawn <= high)).all()
    assert 0.4 < (drawn < 1e-3).mean() < 0.6


def test_an_unknown_distribution_is_refused():
    for ask in (
        lambda: nearest("uniform", np.zeros(1)),
        lambda: values("uniform"),
        lambda: suggest(None, "a", "uniform"),
        lambda: bin_edges(ALL[0], 2),
    ):
        with pytest.raises(TypeError, match="Unknown distribution"):
            ask()
