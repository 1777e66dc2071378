"""Measurements of motifs by a bank of dishes, as features."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, ClassVar

import joblib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin, clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sk_petridish._compat._constraints import (
    ChoicesOf,
    Implements,
    NamedParts,
    SequenceOf,
    integers,
    random_states,
)
from sk_petridish._compat._losses import validate_weights
from sk_petridish._compat._sklearn import (
    BaseComposition,
    VisualBlock,
    check_feature_names_in,
    fit_context,
)
from sk_petridish._compat._torch import one_torch_thread
from sk_petridish._compat._validation import Constraints
from sk_petridish.blueprints import NetworkSpec
from sk_petridish.dish import ZERO_COST, Curves, DishEnsemble
from sk_petridish.motifs import Motifs, MotifSpace, SigmoidSlope

from ._callbacks import FitHooks
from ._fitted_checks import check_columns, check_dishes, check_type
from ._parameters import draw_ensemble, engine_options, shared_space
from ._persistence import SavedEstimator
from ._regressor import PetriDishRegressor
from ._row_cache import cached_rows

# Losses outside of this range are rounding, or have diverged.
_SMALLEST, _LARGEST = 1e-8, 1e6


class PetriDishTransformer(CallbackSupportMixin, TransformerMixin, BaseComposition, SavedEstimator):
    """Turn motifs into what a bank of dishes measures about them.

    Every motif is trained in every dish of the bank. Its features are the logarithms of
    the losses on the way, for any regressor to learn from: where a
    :class:`~sk_petridish.PetriDishRegressor` reads one number off each of its dishes, a
    regressor on these features can weigh all of them. Dishes need not be learned for that.

    Parameters
    ----------
    motif_space : MotifSpace, default=None
        What a row of ``X`` means. ``None`` is that of the dishes, or else
        :class:`~sk_petridish.motifs.SigmoidSlope` with as many slopes as ``X`` has columns.
    dishes : list of (str, PetriDishRegressor) tuples, default=None
        The bank: names, and regressors that describe a sort of dish each, ``n_dishes`` of
        them. ``None`` is the bank that the motif space recommends,
        :meth:`~sk_petridish.motifs.MotifSpace.recommended`.
    learn : bool, default=False
        Whether each regressor is fitted first. Otherwise its dishes are as drawn, nothing
        is learned from ``y``, and ``fit`` takes no time.
    curves : sequence of {"train", "valid", "mean_train"}, default=("train", "valid")
        Which losses are features: on training data, on validation data, and the mean of
        the former over the steps made so far.
    zero_cost : bool, default=False
        Whether to add, behind all losses, what each dish shows before any training:
        gradients, their likeness between samples, the rank of features and so on, the
        measures named in ``sk_petridish.dish.ZERO_COST``. With ``curves=()`` there is nothing
        else, and nothing is trained.
    average : bool, default=False
        Whether features are means over the dishes of a sort. With few motifs to learn
        from, fewer and less noisy features are worth more than many.
    checkpoints : sequence of int, default=None
        Inner steps at which losses are taken. ``None``: 0, 1, 2, 4, 8 and so on, and the
        last one, of each dish's ``inner_steps``.
    memory : str or joblib.Memory, default=None
        A folder that keeps what was measured, motif by motif, for other estimators with the
        same dishes, in other processes and after a restart. In a search the same motifs are
        asked for again with every fit.
    random_state : int, RandomState instance or None, default=None
        Determines the dishes of regressors that have no ``random_state`` of their own.

    Attributes
    ----------
    dishes_ : list of (str, DishEnsemble) tuples
        The bank: names, and the dishes of each sort.
    motif_space_ : MotifSpace
        The motif space in use.
    n_features_in_ : int
        Columns of ``X``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where ``X`` had names that are all strings.

    See Also
    --------
    PetriDishRegressor : Predicts losses itself.

    Notes
    -----
    Losses are clipped to 1e-8 at the lower end and 1e6 at the upper; an inner loop that
    diverged counts as 1e6. There are ``len(curves)`` times the number of checkpoints
    features for each single dish.

    Losses of a motif do not depend on the other rows. Zero-cost measures are taken of many
    networks at once, and their last digits depend on which these are: by some 1e-14 in
    ``dtype="float64"``, by some 1e-5 in ``"float32"``. With ``memory``, motifs that are kept are
    not measured again, so that the batches of a search that goes on are others.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sk_petridish import PetriDishRegressor, PetriDishTransformer
    >>> bank = PetriDishTransformer(
    ...     dishes=[("dish", PetriDishRegressor(n_dishes=2, inner_steps=20))],
    ...     checkpoints=[0, 20],
    ...     random_state=0,
    ... )
    >>> surrogate = make_pipeline(bank, StandardScaler(), RidgeCV())
    >>> slopes = np.linspace(0.4, 1.5, 8)[:, None]
    >>> predictions = surrogate.fit(slopes, 0.02 + 0.01 * slopes.ravel()).predict(slopes)
    >>> bool(predictions[0] < predictions[-1])
    True
    >>> surrogate[0].get_feature_names_out()[:3]
    array(['dish_0_train_0', 'dish_0_train_20', 'dish_0_valid_0'],
          dtype=object)
    """

    _fitted: ClassVar[tuple[str, ...]] = (
        "n_features_in_",
        "feature_names_in_",
        "motif_space_",
        "dishes_",
    )
    _parameter_constraints: ClassVar[Constraints] = {
        "motif_space": [MotifSpace, None],
        "dishes": [NamedParts(), None],
        "learn": ["boolean"],
        "curves": [ChoicesOf(Curves._fields, min_length=0)],
        "zero_cost": ["boolean"],
        "average": ["boolean"],
        "checkpoints": [SequenceOf(integers(0)), None],
        "memory": [str, Implements("cache"), None],
        "random_state": random_states(),
    }

    def __init__(
        self,
        motif_space: MotifSpace | None = None,
        *,
        dishes: list[tuple[str, PetriDishRegressor]] | None = None,
        learn: bool = False,
        curves: Sequence[str] = ("train", "valid"),
        zero_cost: bool = False,
        average: bool = False,
        checkpoints: Sequence[int] | None = None,
        memory: str | joblib.Memory | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.motif_space = motif_space
        self.dishes = dishes
        self.learn = learn
        self.curves = curves
        self.zero_cost = zero_cost
        self.average = average
        self.checkpoints = checkpoints
        self.memory = memory
        self.random_state = random_state

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> PetriDishTransformer:
        """Draw the bank's dishes, and learn them if ``learn`` says so.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs, one a row.
        y : array-like of shape (n_motifs,), default=None
            Their ground-truth losses; needed and used only with ``learn``.
        sample_weight : array-like of shape (n_motifs,), default=None
            How often each row counts; used only with ``learn``.

        Returns
        -------
        PetriDishTransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            If a row is no motif, ``curves`` or ``checkpoints`` are none, or learning fails.
        """
        self._check_curves()
        rows = validate_data(self, X, dtype=np.float64)
        validate_weights(sample_weight, rows)
        self.motif_space_ = self._space(rows.shape[1])
        self.motif_space_.validate(rows)
        (blueprint,) = self.motif_space_.blueprints(rows[:1])
        prototypes = self._prototypes()
        context = self._init_callback_context(max_subtasks=len(prototypes))
        hooks = FitHooks(self, X=X, y=y)
        hooks.begin(context)
        bank = []
        for name, prototype in prototypes:
            task = context.subcontext(task_name=f"dish {name}")
            # A regressor that learns tells callbacks of its own steps.
            with task.propagate_callback_context(prototype) if self.learn else nullcontext():
                hooks.begin(task)
                if self.learn:
                    learned = prototype.fit(X, y, sample_weight=sample_weight).dishes_
                    ensemble = DishEnsemble(learned, engine_options(prototype))
                else:
                    ensemble = draw_ensemble(prototype, self.motif_space_, blueprint)
                hooks.end(task)
            self._steps(ensemble)  # before anything takes long in transform
            bank.append((name, ensemble))
        self.dishes_ = bank
        hooks.end(context)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Measure motifs.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs, one a row.

        Returns
        -------
        ndarray of shape (n_motifs, n_features_out)
            Logarithms of losses; :meth:`get_feature_names_out` says of which.

        Raises
        ------
        ValueError
            If a row is no motif.
        """
        check_is_fitted(self, "dishes_")
        rows = self.motif_space_.validate(validate_data(self, X, dtype=np.float64, reset=False))
        return cached_rows(self.memory, self._described(), rows, self._measure)

    def _measure(self, rows: Motifs) -> NDArray[np.float64]:
        blueprints = self.motif_space_.blueprints(rows)
        with one_torch_thread():
            blocks = [
                self._losses(ensemble, blueprints) for _, ensemble in self.dishes_ if self.curves
            ]
            if self.zero_cost:
                blocks += [
                    ensemble.zero_cost(blueprints).transpose(1, 0, 2)
                    for _, ensemble in self.dishes_
                ]
        return np.hstack([self._flat(block) for block in blocks])

    def _described(self) -> tuple[Any, ...]:
        """Return all that features depend on beside the rows."""
        bank = [
            (ensemble.dishes, self._steps(ensemble), replace(ensemble.engine, n_jobs=None))
            for _, ensemble in self.dishes_
        ]
        # Hashes do not know the order of a space's dictionaries, which is that of the columns.
        space = self.motif_space_, list(self.motif_space_.search_space())
        return bank, *space, tuple(self.curves), self.zero_cost, self.average

    def _losses(
        self, ensemble: DishEnsemble, blueprints: Sequence[NetworkSpec]
    ) -> NDArray[np.float64]:
        """Return logarithms of losses, (n_motifs, n_dishes, n_curves, n_checkpoints)."""
        kept = [Curves._fields.index(curve) for curve in self.curves]
        curves = ensemble.curves(blueprints, self._steps(ensemble))
        losses = curves[..., kept].transpose(1, 0, 3, 2)
        losses = np.nan_to_num(losses, nan=_LARGEST, posinf=_LARGEST)
        return np.log(np.clip(losses, _SMALLEST, _LARGEST))

    def _flat(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the features of a sort of dish, (n_motifs, n_dishes, ...), in a row."""
        if self.average:
            block = block.mean(axis=1)
        return block.reshape(len(block), -1)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Name the features: dish, loss and inner step.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of ``X``, checked and not used.

        Returns
        -------
        ndarray of shape (n_features_out,), dtype=object
            Names such as ``"dish_0_valid_100"``, or ``"dish_avg_valid_100"`` with ``average``.
        """
        check_is_fitted(self, "dishes_")
        check_feature_names_in(self, input_features, generate_names=False)
        # As the blocks come: all losses, and behind them what is seen before training.
        names = [
            f"{dish}_{curve}_{step}"
            for name, ensemble in self.dishes_
            for dish in self._names(name, ensemble)
            for curve in self.curves
            for step in self._steps(ensemble)
        ]
        if self.zero_cost:
            names += [
                f"{dish}_{measure}"
                for name, ensemble in self.dishes_
                for dish in self._names(name, ensemble)
                for measure in ZERO_COST
            ]
        return np.array(names, dtype=object)

    def _names(self, name: str, ensemble: DishEnsemble) -> list[str]:
        """Return names of the dishes of a sort, or of what is their mean.

        A number or ``avg`` stands before the name of a loss or measure, which never begins
        with either: whatever dishes are called, no two features have the same name.
        """
        if self.average:
            return [f"{name}_avg"]
        return [f"{name}_{dish}" for dish in range(len(ensemble.dishes))]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, those of named dishes too.

        Parameters
        ----------
        deep : bool, default=True
            Whether to go into dishes and the motif space.

        Returns
        -------
        dict
            Values by names.
        """
        params: dict[str, Any] = self._get_params("dishes", deep=deep)
        return params

    def set_params(self, **kwargs: Any) -> PetriDishTransformer:
        """Set parameters, those of named dishes too.

        Parameters
        ----------
        **kwargs : dict
            Values by names; ``name__inner_steps`` is a parameter of the dish ``name``.

        Returns
        -------
        PetriDishTransformer
            The transformer.
        """
        self._set_params("dishes", **kwargs)
        return self

    def __sklearn_tags__(self) -> Tags:
        """Return tags: losses are needed for learning only."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.learn
        return tags

    def _sk_visual_block_(self) -> VisualBlock:
        names, members = zip(*(self.dishes or self._recommended()), strict=True)
        return VisualBlock("parallel", list(members), names=list(names))

    def _recommended(self) -> list[tuple[str, PetriDishRegressor]]:
        space = SigmoidSlope() if self.motif_space is None else self.motif_space
        return [
            (name, PetriDishRegressor(**settings))
            for name, settings in space.recommended("bank").items()
        ]

    def _check_fitted(self) -> None:
        """Raise ValueError unless fitted attributes, from a file, fit together."""
        check_columns(vars(self))
        self._check_curves()
        check_type("dishes_", self.dishes_, list)
        self._validate_names([name for name, _ in self.dishes_])
        for name, ensemble in self.dishes_:
            check_type("A name in dishes_", name, str)
            check_type(f"dishes_[{name!r}]", ensemble, DishEnsemble)
            check_dishes(ensemble, self.motif_space_, np.empty((0, self.n_features_in_)))
            self._steps(ensemble)
        if not self.dishes_:
            raise ValueError("dishes_ is empty.")
        if self.dishes is not None:
            self._named()

    def _space(self, n_features: int) -> MotifSpace:
        """Return the motif space: the one that was given, or that of the dishes."""
        spaces = [member.motif_space for _, member in self._named() if member.motif_space]
        if self.motif_space is not None:
            spaces = [self.motif_space]
        return shared_space(spaces, n_features, "dishes")

    def _named(self) -> list[tuple[str, PetriDishRegressor]]:
        """Return the regressors that describe the bank, with their names, checked."""
        dishes = self._recommended() if self.dishes is None else self.dishes
        if not dishes:
            raise ValueError("dishes is empty; None is the bank that the motif space recommends.")
        self._validate_names([name for name, _ in dishes])
        for name, prototype in dishes:
            if not isinstance(prototype, PetriDishRegressor):
                raise TypeError(f"dishes[{name!r}] is no PetriDishRegressor: {prototype!r}.")
        return dishes

    def _prototypes(self) -> list[tuple[str, PetriDishRegressor]]:
        """Return unfitted regressors that share this one's motif space and randomness."""
        generator = check_random_state(self.random_state)
        prototypes = []
        for name, described in self._named():
            prototype = clone(described).set_params(motif_space=clone(self.motif_space_))
            # Drawn for all, so that a random_state of one does not change the others' dishes.
            seed = generator.randint(2**31 - 1)
            if prototype.random_state is None:
                prototype.set_params(random_state=seed)
            prototypes.append((name, prototype))
        return prototypes

    def _check_curves(self) -> None:
        if not (len(self.curves) or self.zero_cost):
            raise ValueError(
                f"curves must name some of {Curves._fields}, or none with zero_cost, got "
                f"{self.curves!r}."
            )

    def _steps(self, ensemble: DishEnsemble) -> list[int]:
        """Return the checkpoints in one sort of dish."""
        last = ensemble.settings.inner.steps
        if self.checkpoints is None:
            powers = (2**power for power in range(last.bit_length()))
            return sorted({0, last, *(step for step in powers if step < last)})
        steps = sorted(set(self.checkpoints))
        if steps[-1] > last:
            raise ValueError(
                f"checkpoints must be inner steps, from 0 to inner_steps={last}, got "
                f"{self.checkpoints!r}."
            )
        return [int(step) for step in steps]
