"""Ground truth of experiment 4.1, as this project measured it."""

from __future__ import annotations

from importlib import resources

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

COLUMNS = ("slope", "run", "validation_loss", "validation_accuracy")
_N_RESAMPLES = 1000
# Width of the kernel that smooths errors along log(slope), to find the peak.
_BANDWIDTH = 0.25

_DESCRIPTION = """\
Sigmoid slopes on MNIST
-----------------------
Final validation loss and accuracy of a 2-layer, 100-wide perceptron with activation
1 / (1 + exp(-c x)), for {n_slopes} slopes c from {low} to {high}, {n_runs} training runs in
all; the number of a run is its seed. Table 1 of the paper: 50,000 training and 10,000 validation
images, 50 epochs, batches of 50, Adam with rate 0.01, L2 penalty 1e-5. Pixels from 0 to 1,
initial weights from N(0, 1), of which the paper says nothing. Measured by
benchmarks/measure_sigmoid_slopes.py of this project.

The error is lowest at c = {peak:.2f} (90 % bootstrap interval {interval[0]:.2f} to
{interval[1]:.2f}), after smoothing along log(c).
"""


def load_sigmoid_slopes() -> Bunch:
    """Load the ground truth of the sigmoid slope experiment.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        Dictionary-like, with

        data : ndarray of shape (n_slopes, 1)
            Slopes, ascending: motifs of
            :class:`~sk_petridish.motifs.SigmoidSlope`.
        target : ndarray of shape (n_slopes,)
            1 - validation accuracy, mean over the runs of a slope.
        target_stderr : ndarray of shape (n_slopes,)
            Standard error of ``target``.
        loss : ndarray of shape (n_slopes,)
            Validation cross-entropy in nats, mean over the runs.
        runs : dict of str to ndarray of shape (n_runs,)
            The table itself: slope, run, validation_loss, validation_accuracy.
        peak : float
            The slope of lowest error, after smoothing.
        peak_interval : ndarray of shape (2,)
            Its 90 % bootstrap interval over runs.
        feature_names : list of str
            ``["slope"]``.
        DESCR : str
            How it was measured.

    See Also
    --------
    sk_petridish.search.ground_truth.MLPGroundTruth : What measured it.

    References
    ----------
    .. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic
       Petri Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020,
       section 4.1 and appendix A.2.1.

    Examples
    --------
    >>> from sk_petridish.datasets import load_sigmoid_slopes
    >>> slopes = load_sigmoid_slopes()
    >>> slopes.data.shape == (len(slopes.target), 1)
    True
    """
    table = resources.files("sk_petridish.datasets") / "data" / "sigmoid_slopes.csv"
    values = np.array(
        [line.split(",") for line in table.read_text().splitlines()[1:]], dtype=np.float64
    )
    runs = dict(zip(COLUMNS, values.T, strict=True))
    slopes, index = np.unique(runs["slope"], return_inverse=True)
    errors = [1 - runs["validation_accuracy"][index == i] for i in range(len(slopes))]
    losses = [runs["validation_loss"][index == i] for i in range(len(slopes))]
    peak, interval = _peak(slopes, errors)
    return Bunch(
        data=slopes[:, None],
        target=np.array([error.mean() for error in errors]),
        target_stderr=np.array([error.std(ddof=1) / np.sqrt(len(error)) for error in errors]),
        loss=np.array([loss.mean() for loss in losses]),
        runs=runs,
        peak=peak,
        peak_interval=interval,
        feature_names=["slope"],
        DESCR=_DESCRIPTION.format(
            n_slopes=len(slopes),
            low=slopes[0],
            high=slopes[-1],
            n_runs=len(values),
            peak=peak,
            interval=interval,
        ),
    )


def _peak(
    slopes: NDArray[np.float64], errors: list[NDArray[np.float64]]
) -> tuple[float, NDArray[np.float64]]:
    """Find the slope of lowest smoothed error, with a bootstrap interval over runs."""
    grid = np.geomspace(slopes[0], slopes[-1], 400)
    smoother = local_linear(np.log(slopes), np.log(grid))
    generator = np.random.default_rng(0)
    means = np.array([error.mean() for error in errors])
    best = grid[(smoother @ means).argmin()]
    # A resample of n values varies less than the values do, by (n - 1) / n.
    noise = np.array(
        [
            generator.choice(error - mean, size=(_N_RESAMPLES, len(error))).mean(axis=1)
            * np.sqrt(len(error) / (len(error) - 1))
            for error, mean in zip(errors, means, strict=True)
        ]
    )
    peaks = grid[(smoother @ (means[:, None] + noise)).argmin(axis=0)]
    return float(best), np.quantile(peaks, [0.05, 0.95])


def local_linear(x: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth along one axis: weights of a local linear regression with a Gaussian kernel.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Where values are known.
    at : ndarray of shape (m,)
        Where they are wanted.

    Returns
    -------
    ndarray of shape (m, n)
        Weights; their product with the values is the smoothed curve.
    """
    distance = x - at[:, None]
    kernel = np.exp(-0.5 * (distance / _BANDWIDTH) ** 2)
    first = (kernel * distance).sum(axis=1, keepdims=True)
    second = (kernel * distance**2).sum(axis=1, keepdims=True)
    weights = kernel * (second - distance * first)
    normalised: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return normalised
