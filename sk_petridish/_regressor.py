"""The Synthetic Petri Dish as a scikit-learn regressor."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ._targets import Losses, average_repeats, check_ordering, validate_losses
from ._threads import one_torch_thread
from ._validation import Interval, StrOptions, fit_context
from .blueprints import Blueprint, Widths
from .dish import (
    INNER_LOSSES,
    OUTER_LOSSES,
    STATISTICS,
    Dish,
    DishSettings,
    Engine,
    InitialWeights,
    InnerLoop,
    Known,
    OuterLoop,
    calibrate,
    choose_engine,
    draw_dish,
    learn,
    measure_motifs,
)
from .motifs import Motifs, MotifSpace, SigmoidSlope
from .motifs._settings import PAPER
from .tasks import Task


class PetriDishRegressor(RegressorMixin, BaseEstimator):
    """Predict ground-truth losses of motifs by running them in learned dishes.

    A Synthetic Petri Dish [1]_ puts each motif into a tiny network, trains that
    on a handful of synthetic samples, and reads the motif's promise off the
    result. Fitting learns the samples, through the unrolled inner training, so
    that the tiny losses order the motifs as their true losses do. Several dishes
    are learned together, and the median of their predictions is the estimator's: it is
    measured to be better than the mean, which a single bad dish can spoil.

    Settings that are ``None`` take the value that the motif space recommends.

    Parameters
    ----------
    motif_space : MotifSpace, default=None
        What a row of ``X`` means. ``None`` is
        :class:`~sk_petridish.motifs.SigmoidSlope` with as many slopes as ``X`` has
        columns.
    n_dishes : int, default=24
        Dishes that predict together. Each has initial weights and data of its own.
    n_inputs, n_hidden, n_outputs : int, default=None
        Widths of the motif-networks.
    n_synthetic : int, default=None
        Synthetic training samples, and as many for validation.
    n_batches : int, default=None
        Equal mini-batches that the training samples are cut into; inner steps
        cycle through them. It must divide ``n_synthetic``.
    task : Task, default=None
        Where the first synthetic data and the labels come from.
    validation_data : {"copy", "separate"}, default=None
        Whether validation data starts as a copy of the training data, or is drawn
        separately.
    learn_labels : bool, default=None
        Whether the outer loop learns the labels too. The paper keeps them fixed.
    init : {"normal", "fan_in"}, default=None
        Initial weights from N(0, 1), or divided by sqrt(fan-in).
    init_scale : float, default=None
        Factor on the initial weights.
    inner_steps : int, default=None
        Updates of the inner loop.
    inner_lr : float, default=None
        Its learning rate.
    inner_l2 : float, default=None
        Its L2 penalty on weights and biases.
    inner_optimizer : {"adam", "sgd"}, default=None
        Its optimiser.
    inner_loss : {"bce", "cross_entropy", "mse"}, default=None
        Its loss.
    statistic : {"final_valid", "mean_train", "mean_valid"}, default=None
        What is read off a motif-network: the validation loss after training, or
        the mean training or validation loss over the inner loop, before each
        update.
    max_iter : int, default=None
        Outer steps at most. 0 leaves the data as the task drew it; all dishes count
        as converged then.
    outer_lr : float, default=None
        Learning rate of the outer loop's Adam.
    outer_lr_decay : float, default=None
        Factor on ``outer_lr`` after each of ``outer_lr_steps``.
    outer_lr_steps : sequence of int, default=None
        Outer steps after which the learning rate decays.
    outer_l2 : float, default=None
        L2 penalty on synthetic data.
    outer_loss : {"mse", "rank"}, default=None
        Mean squared difference of normalised losses, or pairwise rank loss.
    max_outer_loss : float, default=0.5
        A dish whose normalised mean squared error over the training motifs ends
        above this did not converge, and is left out of predictions.
    batch_size : int, default=40
        Motif-networks in an outer step, drawn without replacement where there are
        more.
    tol : float, default=1e-4
        Smallest fall of the outer loss that counts as an improvement.
    n_iter_no_change : int, default=None
        Outer steps without improvement after which learning stops.
    early_stopping : bool, default=False
        Whether to hold motifs out, stop when predictions of their losses no longer
        improve by ``tol``, and keep the state in which they were best.
    validation_fraction : float, default=0.2
        Share of the motifs held out by ``early_stopping``.
    engine : {"auto", "numba", "torch"}, default="auto"
        What runs the inner loop. ``"numba"``: compiled kernels, on the CPU only, for
        motifs whose operations have one; they are compiled at the first use, in well
        under a minute for each precision, and kept on disk. ``"torch"``: plain PyTorch,
        for every motif and device, five to fifty times slower on the CPU. ``"auto"``:
        kernels where they can.
    device : str, default="cpu"
        A torch device.
    n_jobs : int, default=None
        Threads over which ``engine="numba"`` spreads motif-networks; results do not
        depend on it. ``None`` is 1 unless a :func:`joblib.parallel_config` says
        otherwise, -1 all processors.
    dtype : {"float64", "float32"}, default="float64"
        Precision of the inner loop.
    random_state : int, RandomState instance or None, default=None
        Determines the dishes and the batches of motifs.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    dishes_ : list of Dish
        Learned dishes, those that did not converge too; see ``Dish.converged``.
    n_converged_ : int
        Number of dishes that converged.
    loss_curve_ : ndarray of shape (n_iter_,)
        Outer loss before each update, mean over the dishes.
    validation_scores_ : ndarray of shape (n_iter_,) or None
        Negative normalised mean squared error on held-out motifs after each
        update; None without ``early_stopping``.
    n_iter_ : int
        Outer steps made.
    engine_ : {"numba", "torch"}
        The engine that learned; with ``engine="auto"``, every motif is predicted by the
        one that can run it.
    motif_space_ : MotifSpace
        The motif space in use.
    n_features_in_ : int
        Columns of ``X``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where ``X`` had names that are all strings.

    See Also
    --------
    sk_petridish.baselines.NeuralSurrogate : The paper's control, which sees a
        motif's description only.

    Notes
    -----
    This is not the Petridish of Hu et al. (2019), which grows a network; the
    method here learns a surrogate of training.

    A motif-network 10 -> 1 -> 1 -> 10 has 33 parameters with its biases; the paper
    counts 22.

    On top of what it computes with, ``engine="numba"`` keeps at most 128 MB from the inner
    loop until its gradient, besides each thread's path of one motif-network: its weights
    at every inner step, four times over.

    Where the inner training of a motif diverges, the dish predicts a loss above the
    worst training loss by ten times the range of the training losses.

    References
    ----------
    .. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic
       Petri Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020,
       https://arxiv.org/abs/2005.13092

    Examples
    --------
    >>> import numpy as np
    >>> from sk_petridish import PetriDishRegressor
    >>> slopes = np.linspace(0.4, 1.5, 8)[:, None]
    >>> losses = 0.02 + 0.01 * slopes.ravel()
    >>> dish = PetriDishRegressor(n_dishes=2, max_iter=5, random_state=0)
    >>> predictions, spread = dish.fit(slopes, losses).predict([[0.5], [1.4]], return_std=True)
    >>> bool(predictions[0] < predictions[1])
    True
    """

    motif_space_: MotifSpace

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "motif_space": [MotifSpace, None],
        "n_dishes": [Interval(Integral, 1, None, closed="left")],
        "n_inputs": [Interval(Integral, 1, None, closed="left"), None],
        "n_hidden": [Interval(Integral, 1, None, closed="left"), None],
        "n_outputs": [Interval(Integral, 1, None, closed="left"), None],
        "n_synthetic": [Interval(Integral, 1, None, closed="left"), None],
        "n_batches": [Interval(Integral, 1, None, closed="left"), None],
        "task": [Task, None],
        "validation_data": [StrOptions({"copy", "separate"}), None],
        "learn_labels": ["boolean", None],
        "init": [StrOptions({"normal", "fan_in"}), None],
        "init_scale": [Interval(Real, 0, None, closed="neither"), None],
        "inner_steps": [Interval(Integral, 0, None, closed="left"), None],
        "inner_lr": [Interval(Real, 0, None, closed="neither"), None],
        "inner_l2": [Interval(Real, 0, None, closed="left"), None],
        "inner_optimizer": [StrOptions({"adam", "sgd"}), None],
        "inner_loss": [StrOptions(set(INNER_LOSSES)), None],
        "statistic": [StrOptions(set(STATISTICS)), None],
        "max_iter": [Interval(Integral, 0, None, closed="left"), None],
        "outer_lr": [Interval(Real, 0, None, closed="neither"), None],
        "outer_lr_decay": [Interval(Real, 0, None, closed="neither"), None],
        "outer_lr_steps": ["array-like", None],
        "outer_l2": [Interval(Real, 0, None, closed="left"), None],
        "outer_loss": [StrOptions(set(OUTER_LOSSES)), None],
        "max_outer_loss": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "engine": [StrOptions({"auto", "numba", "torch"})],
        "device": [str],
        "n_jobs": [Integral, None],
        "dtype": [StrOptions({"float64", "float32"})],
        "random_state": ["random_state"],
        "verbose": ["boolean"],
    }

    def __init__(
        self,
        motif_space: MotifSpace | None = None,
        *,
        n_dishes: int = 24,
        n_inputs: int | None = None,
        n_hidden: int | None = None,
        n_outputs: int | None = None,
        n_synthetic: int | None = None,
        n_batches: int | None = None,
        task: Task | None = None,
        validation_data: Literal["copy", "separate"] | None = None,
        learn_labels: bool | None = None,
        init: Literal["normal", "fan_in"] | None = None,
        init_scale: float | None = None,
        inner_steps: int | None = None,
        inner_lr: float | None = None,
        inner_l2: float | None = None,
        inner_optimizer: Literal["adam", "sgd"] | None = None,
        inner_loss: Literal["bce", "cross_entropy", "mse"] | None = None,
        statistic: Literal["final_valid", "mean_train", "mean_valid"] | None = None,
        max_iter: int | None = None,
        outer_lr: float | None = None,
        outer_lr_decay: float | None = None,
        outer_lr_steps: Sequence[int] | None = None,
        outer_l2: float | None = None,
        outer_loss: Literal["mse", "rank"] | None = None,
        max_outer_loss: float = 0.5,
        batch_size: int = 40,
        tol: float = 1e-4,
        n_iter_no_change: int | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.2,
        engine: Literal["auto", "numba", "torch"] = "auto",
        device: str = "cpu",
        n_jobs: int | None = None,
        dtype: Literal["float64", "float32"] = "float64",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.motif_space = motif_space
        self.n_dishes = n_dishes
        self.n_inputs = n_inputs
        self.n_hidden = n_hidden
        self.n_outputs = n_outputs
        self.n_synthetic = n_synthetic
        self.n_batches = n_batches
        self.task = task
        self.validation_data = validation_data
        self.learn_labels = learn_labels
        self.init = init
        self.init_scale = init_scale
        self.inner_steps = inner_steps
        self.inner_lr = inner_lr
        self.inner_l2 = inner_l2
        self.inner_optimizer = inner_optimizer
        self.inner_loss = inner_loss
        self.statistic = statistic
        self.max_iter = max_iter
        self.outer_lr = outer_lr
        self.outer_lr_decay = outer_lr_decay
        self.outer_lr_steps = outer_lr_steps
        self.outer_l2 = outer_l2
        self.outer_loss = outer_loss
        self.max_outer_loss = max_outer_loss
        self.batch_size = batch_size
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.engine = engine
        self.device = device
        self.n_jobs = n_jobs
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike) -> PetriDishRegressor:
        """Learn dishes that order motifs as their ground truth does.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs, one a row.
        y : array-like of shape (n_motifs,)
            Their ground-truth losses, lower is better, on any scale. Losses of
            rows that are the same motif are averaged.

        Returns
        -------
        PetriDishRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a row is no motif, a loss is not finite, there are fewer than two
            different motifs, all have the same loss, ``n_batches`` does not divide
            ``n_synthetic``, or ``early_stopping`` leaves too few motifs.

        Warns
        -----
        ConvergenceWarning
            If no dish converged; predictions use all of them then.
        RuntimeWarning
            If the inner training of a motif diverged.
        """
        # A fit that fails leaves no half of the one before.
        if hasattr(self, "dishes_"):
            delattr(self, "dishes_")
        X = self._validate_motifs(X, fitting=True)
        X, y = average_repeats(self.motif_space_, X, validate_losses(y, len(X)))
        check_ordering(y)
        settings, loop = self._dish_settings(), self._outer_loop()
        random_state = check_random_state(self.random_state)
        known, held_out = self._split(X, y, random_state)
        batch_seed, *seeds = random_state.randint(2**31 - 1, size=self.n_dishes + 1).tolist()
        both = known.blueprints + (held_out.blueprints if held_out else [])
        engine = self._choose_engine(both)
        self.engine_ = engine.name
        with one_torch_thread():
            learned = learn(
                [draw_dish(settings, seed) for seed in seeds],
                known,
                loop,
                held_out=held_out,
                seed=batch_seed,
                engine=engine,
            )
            statistic = measure_motifs(known.blueprints, learned.dishes, engine)
        self.loss_curve_ = learned.loss_curve.mean(axis=1)
        self.n_iter_ = len(self.loss_curve_)
        self.validation_scores_ = -learned.held_out_curve if self.early_stopping else None
        # Dishes that were not to learn are not judged by whether they did.
        limit = self.max_outer_loss if loop.max_iter else np.inf
        self.dishes_ = calibrate(learned.dishes, statistic, known.losses, limit)
        self.n_converged_ = sum(dish.converged for dish in self.dishes_)
        # Through the public method that the user called and scikit-learn's wrapper.
        _warn_of_divergence(statistic, stacklevel=4)
        self._warn_unless_converged(stacklevel=4)
        return self

    def predict(self, X: ArrayLike, return_std: bool = False) -> Losses | tuple[Losses, Losses]:
        """Predict the ground-truth losses of motifs.

        Each motif gets a motif-network of its own in every dish, is trained on the
        learned data and validated (section 3.2). Predictions do not depend on the
        other rows.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs, one a row.
        return_std : bool, default=False
            Whether to return the spread over dishes too.

        Returns
        -------
        y_mean : ndarray of shape (n_motifs,)
            Predicted losses in the units of ``y``, median over the dishes that
            converged.
        y_std : ndarray of shape (n_motifs,)
            Standard deviation over these dishes; only with ``return_std``.

        Raises
        ------
        ValueError
            If a row is no motif.

        Warns
        -----
        RuntimeWarning
            If the inner training of a motif diverged.
        """
        check_is_fitted(self, "dishes_")
        X = self._validate_motifs(X, fitting=False)
        dishes = [dish for dish in self.dishes_ if dish.converged] or self.dishes_
        blueprints = self._blueprints(X)
        with one_torch_thread():
            statistic = self._measure(blueprints, dishes)
        _warn_of_divergence(statistic, stacklevel=3)
        means = np.array([[dish.statistic_mean] for dish in dishes])
        stds = np.array([[dish.statistic_std] for dish in dishes])
        losses = (statistic - means) / stds * self._loss_std + self._loss_mean
        losses = np.where(np.isfinite(losses), losses, self._diverged_loss)
        median = np.median(losses, axis=0)
        return (median, losses.std(axis=0)) if return_std else median

    def __sklearn_tags__(self) -> Tags:
        """Say that a dish is no function approximator for arbitrary columns."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags

    def _validate_motifs(self, X: ArrayLike, *, fitting: bool) -> Motifs:
        """Check motifs; errors say what a row is."""
        space: MotifSpace | None = self.motif_space if fitting else self.motif_space_
        try:
            checked: Motifs = validate_data(self, X, dtype=np.float64, reset=fitting)
        except ValueError as error:
            description = (SigmoidSlope() if space is None else space).row_description
            raise ValueError(f"{error}\n{description}") from error
        if fitting:
            # A slope for each column: the default space takes any number of them.
            n_slopes = checked.shape[1]
            self.motif_space_ = SigmoidSlope(n_slopes) if space is None else clone(space)
        return self.motif_space_.validate(checked)

    def _blueprints(self, X: Motifs) -> list[Blueprint]:
        return [self.motif_space_.blueprint(row) for row in X]

    def _split(
        self, X: Motifs, y: Losses, random_state: np.random.RandomState
    ) -> tuple[Known, Known | None]:
        """Normalise the losses, and set motifs aside if ``early_stopping`` wants some."""
        order = np.arange(len(y))
        n_held_out = 0
        if self.early_stopping:
            order = random_state.permutation(len(y))
            n_held_out = round(self.validation_fraction * len(y))
            if not 1 <= n_held_out <= len(y) - 2 or np.ptp(y[order[n_held_out:]]) == 0:
                raise ValueError(
                    f"early_stopping with validation_fraction={self.validation_fraction} would "
                    f"hold out {n_held_out} of {len(y)} motifs; it needs at least one held out, "
                    "and two of different loss to learn from. Change validation_fraction or "
                    "switch early_stopping off."
                )
        held_out, known = order[:n_held_out], order[n_held_out:]
        self._loss_mean, self._loss_std = y[known].mean(), y[known].std()
        self._diverged_loss = y[known].max() + 10 * np.ptp(y[known])
        normalised = (y - self._loss_mean) / self._loss_std
        return Known(self._blueprints(X[known]), normalised[known]), (
            Known(self._blueprints(X[held_out]), normalised[held_out]) if n_held_out else None
        )

    def _setting(self, name: str) -> Any:
        """Give a parameter's value; for ``None`` the motif space's, or else the paper's."""
        value = getattr(self, name)
        return (PAPER | self.motif_space_.recommended())[name] if value is None else value

    def _dish_settings(self) -> DishSettings:
        n_synthetic, n_batches = self._setting("n_synthetic"), self._setting("n_batches")
        if n_synthetic % n_batches:
            raise ValueError(
                f"n_batches={n_batches} does not divide n_synthetic={n_synthetic}; mini-batches "
                "have equal size."
            )
        return DishSettings(
            widths=Widths(
                self._setting("n_inputs"), self._setting("n_hidden"), self._setting("n_outputs")
            ),
            n_synthetic=n_synthetic,
            task=clone(self._setting("task")),
            validation_data=self._setting("validation_data"),
            learn_labels=self._setting("learn_labels"),
            initial_weights=InitialWeights(self._setting("init"), self._setting("init_scale")),
            inner=InnerLoop(
                steps=self._setting("inner_steps"),
                lr=self._setting("inner_lr"),
                l2=self._setting("inner_l2"),
                optimizer=self._setting("inner_optimizer"),
                loss=self._setting("inner_loss"),
                n_batches=n_batches,
            ),
            statistic=self._setting("statistic"),
        )

    def _outer_loop(self) -> OuterLoop:
        lr_steps = tuple(self._setting("outer_lr_steps"))
        if not all(isinstance(step, Integral) and int(step) > 0 for step in lr_steps):
            raise ValueError(
                f"outer_lr_steps must be positive integers, outer steps, got {lr_steps}."
            )
        return OuterLoop(
            max_iter=self._setting("max_iter"),
            lr=self._setting("outer_lr"),
            lr_decay=self._setting("outer_lr_decay"),
            lr_steps=lr_steps,
            l2=self._setting("outer_l2"),
            loss=self._setting("outer_loss"),
            batch_size=self.batch_size,
            tol=self.tol,
            n_iter_no_change=self._setting("n_iter_no_change"),
            verbose=self.verbose,
        )

    def _measure(self, blueprints: list[Blueprint], dishes: list[Dish]) -> Losses:
        """Measure every motif by the engine that it would get alone."""
        chosen = [self._choose_engine([blueprint]) for blueprint in blueprints]
        statistic = np.empty((len(dishes), len(blueprints)))
        for engine in set(chosen):
            ours = [index for index, one in enumerate(chosen) if one == engine]
            statistic[:, ours] = measure_motifs([blueprints[i] for i in ours], dishes, engine)
        return statistic

    def _choose_engine(self, blueprints: Sequence[Blueprint]) -> Engine:
        return choose_engine(
            self.engine,
            blueprints,
            dtype=getattr(torch, self.dtype),
            device=self.device,
            n_jobs=effective_n_jobs(self.n_jobs),
        )

    def _warn_unless_converged(self, stacklevel: int) -> None:
        if not self.n_converged_:
            best = min(dish.outer_loss for dish in self.dishes_)
            warnings.warn(
                f"None of the {self.n_dishes} dishes converged: the smallest outer loss is "
                f"{best:.3g}, above max_outer_loss={self.max_outer_loss}. Predictions use all of "
                "them. More outer steps (max_iter), synthetic samples (n_synthetic) or hidden "
                "units (n_hidden) may help.",
                ConvergenceWarning,
                stacklevel,
            )


def _warn_of_divergence(statistic: Losses, stacklevel: int) -> None:
    """Count motifs, columns of (n_dishes, n_motifs), whose inner loop diverged."""
    n_diverged = int(np.isnan(statistic).any(axis=0).sum())
    if n_diverged:
        warnings.warn(
            f"The inner loop of {n_diverged} of {statistic.shape[1]} motifs diverged in at least "
            "one dish; there, their predicted loss is worse than that of any training motif. A "
            "smaller inner_lr or init_scale may help.",
            RuntimeWarning,
            stacklevel,
        )
