"""The Synthetic Petri Dish as a scikit-learn regressor."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sk_petridish._compat._losses import limit_outliers, validate_losses, validate_weights
from sk_petridish._compat._sklearn import VisualBlock, fit_context
from sk_petridish._compat._torch import one_torch_thread
from sk_petridish.dish import (
    Dish,
    DishEnsemble,
    OuterLoopResult,
    predict_losses,
)
from sk_petridish.motifs import Motifs, SigmoidSlope

from ._callbacks import FitHooks, OuterSteps
from ._evaluated_motifs import (
    EvaluatedMotifs,
    Losses,
    LossScale,
    check_ordering,
    join_repeats,
)
from ._fit import FitData, FitResult
from ._fitted_checks import (
    check_array,
    check_columns,
    check_curve,
    check_dishes,
    check_scale,
    check_spread,
    check_truth,
    check_type,
)
from ._parameters import (
    DishParameters,
    dish_settings,
    draw_seeds,
    engine_options,
    outer_loop,
)
from ._persistence import SavedEstimator
from ._splits import Mask, draw_held_out, draw_left_out
from ._uncertainty import SpreadCalibration, spread_over_dishes


class PetriDishRegressor(CallbackSupportMixin, RegressorMixin, DishParameters, SavedEstimator):
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
    n_time_steps : int, default=None
        Length of the synthetic sequences, where motifs need sequences.
    image_size : int, default=None
        Height and width of the synthetic images, where motifs need images.
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
    oob_fraction : float, default=0.2
        Share of the motifs that each dish does not see, at most; every motif is left out
        by as many dishes, whose predictions of it calibrate the spread. 0 leaves none out,
        and the spread as it is; so do fewer than ``2 / oob_fraction`` dishes or
        ``1 / oob_fraction`` motifs.
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
    engine : str, default="auto"
        What runs the inner loop. ``"numba"``: compiled kernels, on the CPU only, for
        motifs whose operations have one; they are compiled at the first use, in well
        under a minute for each precision, and kept on disk. ``"torch"``: plain PyTorch,
        for every motif and device, five to fifty times slower on the CPU. ``"auto"``:
        kernels where they can. Or the name of another engine, after
        :func:`~sk_petridish.dish.register_engine`.
    device : str, default="cpu"
        A torch device.
    n_jobs : int, default=None
        Threads over which ``engine="numba"`` spreads motif-networks; results do not
        depend on it. ``None`` is 1 unless a :func:`joblib.parallel_config` says
        otherwise, -1 all processors.
    dtype : {"float64", "float32"}, default="float64"
        Precision of the inner loop.
    callbacks : list of skorch callbacks, default=None
        Told of every outer step, as instances or ``(name, instance)`` tuples. Their
        ``net.history`` records ``"outer_loss"``, ``"dish_losses"`` and, with
        ``early_stopping``, ``"held_out_loss"``; ``"train_loss"`` is the outer loss,
        ``"valid_loss"`` the held-out loss where there is one and else the outer loss, and
        ``"valid_loss_best"`` whether it is the smallest so far. ``net.module_.dishes()`` are
        the dishes as learned so far. ``callbacks__name__patience`` is a parameter of the
        callback ``name``; one without a name is called by its class, as in skorch. To end
        learning, raise :class:`~sk_petridish.dish.StopLearning` at the end of a step;
        skorch's ``EarlyStopping`` works too, but any other KeyboardInterrupt ends the fit in
        an error. scikit-learn's own callbacks go to :meth:`set_callbacks`.
    warm_start : bool, default=False
        Whether another ``fit`` goes on from the dishes of the last one, as
        :meth:`partial_fit` does, with the motifs that it is given and the same motif
        space. With more ``n_dishes`` than before, the further ones start anew.
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
    history_ : list of dict
        What skorch and its callbacks recorded of each outer step.
    validation_scores_ : ndarray of shape (n_iter_,) or None
        Negative normalised mean squared error on held-out motifs after each
        update; None without ``early_stopping``.
    n_iter_ : int
        Outer steps made; going on adds to these three.
    X_train_ : ndarray of shape (n_motifs, n_features)
        Different motifs that dishes learned from.
    y_train_ : ndarray of shape (n_motifs,)
        Their losses, those far off brought nearer.
    sample_weight_train_ : ndarray of shape (n_motifs,)
        How often each counted.
    left_out_ : ndarray of shape (n_dishes, n_motifs), bool
        Which motifs each dish has not seen.
    oob_prediction_ : ndarray of shape (n_motifs,) or None
        Predictions of ``X_train_`` by dishes that have not seen them ("out of bag"); NaN
        for motifs that fewer than two dishes left out, None where that is so for all.
    engine_ : str
        The name of the engine that learned; with ``engine="auto"``, every motif is predicted by the
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
    at every inner step, four times over. ``engine="torch"`` learns from as many motifs at
    once as have their tape of all inner steps in 4 GiB, on a GPU in half of its memory, and
    from one at least; where there are more, their inner loops are run twice.

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

    _fitted: ClassVar[tuple[str, ...]] = (
        "n_features_in_",
        "feature_names_in_",
        "motif_space_",
        "dishes_",
        "n_converged_",
        "oob_prediction_",
        "_loss_scale",
        "_spread",
        "X_train_",
        "y_train_",
        "sample_weight_train_",
        "left_out_",
        "engine_",
        "loss_curve_",
        "history_",
        "n_iter_",
        "validation_scores_",
    )

    dishes_: list[Dish]
    n_converged_: int
    left_out_: Mask
    loss_curve_: Losses
    validation_scores_: Losses | None
    history_: list[dict[str, Any]]
    X_train_: Motifs
    y_train_: Losses
    sample_weight_train_: Losses
    _loss_scale: LossScale
    _spread: SpreadCalibration

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> PetriDishRegressor:
        """Learn dishes that order motifs as their ground truth does.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs, one a row.
        y : array-like of shape (n_motifs,)
            Their ground-truth losses, lower is better, on any scale. Losses of
            rows that are the same motif are averaged.
        sample_weight : array-like of shape (n_motifs,), default=None
            How often each row counts; 2 is as good as giving it twice, 0 as leaving it
            out, and so is less than 1e-20 of the largest.

        Returns
        -------
        PetriDishRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a row is no motif, a loss is not finite or beyond 1e303, losses differ by less
            than 1e-303, a weight cannot be, there are fewer than two different motifs, all have
            the same loss, ``n_batches`` does not divide ``n_synthetic``, ``early_stopping``
            leaves too few motifs, ``warm_start`` meets dishes of another shape, or a callback
            cannot work in an outer loop.
        KeyboardInterrupt
            If the user presses Ctrl-C.

        Warns
        -----
        ConvergenceWarning
            If no dish converged; predictions use all of them then.
        RuntimeWarning
            If the inner training of a motif diverged, or losses are so far off that floats
            cannot tell the others apart beside them; they are learned as nearer ones, in the
            same order.
        """
        goes_on = self.warm_start and hasattr(self, "dishes_")
        if hasattr(self, "dishes_") and not goes_on:
            # A fit that fails leaves no half of the one before.
            delattr(self, "dishes_")
        evaluated = self._validate(X, y, sample_weight, goes_on=goes_on)
        return self._learn(evaluated, goes_on=goes_on)

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> PetriDishRegressor:
        """Add evaluated motifs to those known, and go on learning from all of them.

        The dishes are learned for another ``max_iter`` outer steps at most, from the data
        that they have now. The first call is a :meth:`fit`. If it fails or is interrupted,
        everything is as before.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs, one a row.
        y : array-like of shape (n_motifs,)
            Their ground-truth losses. A motif known before gets the mean of all its
            losses.
        sample_weight : array-like of shape (n_motifs,), default=None
            How often each row counts.

        Returns
        -------
        PetriDishRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            As for :meth:`fit`.
        KeyboardInterrupt
            If the user presses Ctrl-C.

        Warns
        -----
        ConvergenceWarning
            If no dish converged; predictions use all of them then.
        RuntimeWarning
            If the inner training of a motif diverged, or losses are so far off that floats
            cannot tell the others apart beside them; they are learned as nearer ones, in the
            same order.
        """
        goes_on = hasattr(self, "dishes_")
        evaluated = self._validate(X, y, sample_weight, goes_on=goes_on)
        if goes_on:
            before = (self.X_train_, self.y_train_, self.sample_weight_train_)
            both = zip(before, evaluated, strict=True)
            evaluated = EvaluatedMotifs(*(np.concatenate(parts) for parts in both))
        return self._learn(evaluated, goes_on=goes_on)

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
            Whether to return a standard deviation too.

        Returns
        -------
        y_mean : ndarray of shape (n_motifs,)
            Predicted losses in the units of ``y``, median over the dishes that
            converged.
        y_std : ndarray of shape (n_motifs,)
            How far the measured loss is likely to be from that: the spread over these
            dishes, calibrated on the motifs that each did not see; see ``oob_fraction``.
            Only with ``return_std``.

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
        blueprints = self.motif_space_.blueprints(self._validate_columns(X, fitting=False))
        dishes = [dish for dish in self.dishes_ if dish.converged] or self.dishes_
        with one_torch_thread():
            statistic = DishEnsemble(dishes, engine_options(self)).statistics(blueprints)
        _warn_of_divergence(statistic, stacklevel=3)
        losses = self._loss_scale.inverse_transform(predict_losses(dishes, statistic))
        median: Losses = np.median(losses, axis=0)
        return (median, self._spread.std(spread_over_dishes(losses))) if return_std else median

    def __sklearn_tags__(self) -> Tags:
        """Return the tags of a regressor that is no function approximator for any columns."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags

    def _sk_visual_block_(self) -> VisualBlock:
        """Show the motif space below the parameters."""
        space = getattr(self, "motif_space_", self.motif_space) or SigmoidSlope()
        return VisualBlock("serial", [space], names=["motif space"])

    def _check_fitted(self) -> None:
        """Raise ValueError unless fitted attributes, from a file, fit together."""
        check_columns(vars(self))
        truth = EvaluatedMotifs(self.X_train_, self.y_train_, self.sample_weight_train_)
        check_truth(self.motif_space_, truth)
        ensemble = DishEnsemble(self.dishes_, engine_options(self))
        check_dishes(ensemble, self.motif_space_, truth.X)
        n_dishes, n_motifs = len(self.dishes_), len(truth.y)
        check_array("left_out_", self.left_out_, (n_dishes, n_motifs), np.bool_)
        check_scale(self._loss_scale, truth, self.left_out_)
        check_spread(self._spread, self._loss_scale)
        if self.oob_prediction_ is not None:
            check_array("oob_prediction_", self.oob_prediction_, (n_motifs,), finite=False)
        check_curve("loss_curve_", self.loss_curve_)
        if self.validation_scores_ is not None:
            check_curve("validation_scores_", self.validation_scores_)
        check_type("engine_", self.engine_, str)
        n_converged = sum(dish.converged for dish in self.dishes_)
        if (self.n_converged_, self.n_iter_) != (n_converged, len(self.loss_curve_)):
            raise ValueError(
                f"n_converged_={self.n_converged_} and n_iter_={self.n_iter_} are not those of "
                f"dishes_, {n_converged}, and loss_curve_, {len(self.loss_curve_)}."
            )

    def _validate(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, goes_on: bool
    ) -> EvaluatedMotifs:
        """Check what a user gave."""
        rows = self._validate_columns(X, fitting=not goes_on)
        motifs = self.motif_space_.validate(rows)
        return EvaluatedMotifs(
            motifs, validate_losses(y, len(motifs), self), validate_weights(sample_weight, motifs)
        )

    def _learn(self, evaluated: EvaluatedMotifs, *, goes_on: bool) -> PetriDishRegressor:
        """Learn from motifs with losses, anew or from the dishes that there are."""
        truth = join_repeats(self.motif_space_, evaluated)
        truth = truth._replace(y=limit_outliers(truth.y))
        check_ordering(truth.y)
        blueprints = self.motif_space_.blueprints(truth.X)
        settings = dish_settings(self, self.motif_space_, blueprints[0])
        loop, callbacks = outer_loop(self, self.motif_space_), self._callbacks()
        batch_seed, split_seed, *seeds = draw_seeds(self)
        engine = engine_options(self)
        ensemble = (
            DishEnsemble(self.dishes_, engine).go_on(settings, seeds)
            if goes_on
            else DishEnsemble.draw(settings, seeds, engine)
        )
        data = FitData(
            blueprints,
            truth,
            self._draw_left_out(truth, np.random.RandomState(split_seed), goes_on=goes_on),
            ensemble,
            # Dishes that were not to learn are not judged by whether they did.
            self.max_outer_loss if loop.max_iter else np.inf,
        )
        context = self._init_callback_context(max_subtasks=loop.max_iter)
        X, y, weights = evaluated
        metadata = None if (weights == 1).all() else {"sample_weight": weights}
        hooks = FitHooks(self, X=X, y=y, metadata=metadata)
        hooks.begin(context)
        steps = OuterSteps(context, hooks, lambda dishes: data.judge(dishes).attributes())
        with one_torch_thread():
            learned = data.learn(loop, batch_seed, [("sk_petridish_steps", steps), *callbacks])
            result = data.judge(learned.dishes)
        hooks.end(context, result.attributes)
        self._keep(data, learned, result, goes_on=goes_on)
        # Through the public method that the user called and scikit-learn's two wrappers.
        _warn_of_divergence(result.statistic, stacklevel=6)
        self._warn_unless_converged(stacklevel=6)
        return self

    def _keep(
        self, data: FitData, learned: OuterLoopResult, result: FitResult, *, goes_on: bool
    ) -> None:
        """Set fitted attributes, all at once, when nothing can fail any more."""
        for name, value in result.attributes().items():
            setattr(self, name, value)
        self.X_train_, self.y_train_, self.sample_weight_train_ = data.truth
        self.left_out_ = data.left_out
        self.engine_ = data.engine.name
        curve, history = learned.loss_curve.mean(axis=1), learned.history
        if goes_on:
            curve, history = np.r_[self.loss_curve_, curve], self.history_ + history
        self.loss_curve_, self.history_, self.n_iter_ = curve, history, len(curve)
        self.validation_scores_ = -learned.held_out_curve if self.early_stopping else None

    def _draw_left_out(
        self, truth: EvaluatedMotifs, random_state: np.random.RandomState, *, goes_on: bool
    ) -> Mask:
        """Draw the motifs that each dish must not see: those that judge it, or all of them.

        A motif that a dish has seen stays seen, and one that it left out stays left out.
        """
        n_motifs = len(truth.y)
        left_out = np.zeros((self.n_dishes, n_motifs), dtype=bool)
        fresh = np.ones(n_motifs, dtype=bool)
        if goes_on:
            columns = {
                key: i for i, key in enumerate(self.motif_space_.canonical_keys(self.X_train_))
            }
            keys = self.motif_space_.canonical_keys(truth.X)
            fresh = np.array([key not in columns for key in keys])
            before = self.left_out_[:, [columns[key] for key in keys if key in columns]]
            left_out[: len(before), ~fresh] = before
            left_out[len(before) :, ~fresh] = before.all(axis=0)
        held_out = np.asarray(left_out.all(axis=0))
        if self.early_stopping:
            held_out[fresh] = draw_held_out(fresh.sum(), self.validation_fraction, random_state)
            self._check_held_out(truth.y, held_out)
        left_out[:, held_out] = self.early_stopping
        fresh &= ~held_out
        left_out[:, fresh] = draw_left_out(
            self.n_dishes, fresh.sum(), self.oob_fraction, random_state
        )
        return left_out

    def _check_held_out(self, y: Losses, held_out: Mask) -> None:
        n_held_out = held_out.sum()
        if not 1 <= n_held_out <= len(y) - 2 or np.ptp(y[~held_out]) == 0:
            raise ValueError(
                f"early_stopping with validation_fraction={self.validation_fraction} would "
                f"hold out {n_held_out} of {len(y)} motifs; it needs at least one held out, "
                "and two of different loss to learn from. Change validation_fraction or "
                "switch early_stopping off."
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
