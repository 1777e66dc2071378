"""A regressor on what banks of dishes measure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from sk_petridish._compat._constraints import Implements, NamedParts, integers, random_states
from sk_petridish._compat._losses import validate_losses, validate_weights
from sk_petridish._compat._sklearn import BaseComposition, VisualBlock, fit_context
from sk_petridish._compat._validation import Constraints
from sk_petridish.motifs import Motifs, MotifSpace

from ._evaluated_motifs import (
    EvaluatedMotifs,
    Losses,
    LossScale,
    check_several,
    join_equal_rows,
)
from ._fitted_checks import check_array, check_columns, check_truth, check_type
from ._parameters import shared_space
from ._persistence import SavedEstimator
from ._readers import Reader, ReaderSeeds, make_readers
from ._reading import Reading
from ._recommended_banks import Bank, make_banks
from ._saved_blocks import check_blocks
from ._splits import Mask
from ._transformer import PetriDishTransformer
from ._uncertainty import OutOfBag, SpreadCalibration, calibrate_spread


class PetriDishBankRegressor(RegressorMixin, BaseComposition, SavedEstimator):
    """Predict losses of motifs from what banks of dishes measure about them.

    Each bank turns motifs into features. Several regressors, the readers, predict normal
    scores of the losses from them; the mean over readers, and over banks, is turned back
    into a loss. :func:`~sk_petridish.make_surrogate` makes the one that was measured to be
    best for a family of motifs.

    Parameters
    ----------
    motif_space : MotifSpace, default=None
        What a row of ``X`` means; banks get it. ``None`` is that of the banks, or else
        :class:`~sk_petridish.motifs.SigmoidSlope` with as many slopes as ``X`` has columns.
    banks : list of (str, PetriDishTransformer) tuples, default=None
        What measures motifs. ``None`` is what the motif space recommends.
    readers : list of (str, regressor) tuples, default=None
        What predicts from measurements, a clone for each bank. ``None`` is ridge
        regression, extremely randomised trees and a Gaussian process. With sample weights,
        ``fit`` of each must take ``sample_weight``.
    n_folds : int, default=5
        Folds of motifs that readers do not see when errors are taken to calibrate the
        spread; as many as there are motifs at most.
    random_state : int, RandomState instance or None, default=None
        Determines the folds, and banks and readers that have no ``random_state`` of their
        own.

    Attributes
    ----------
    banks_ : list of (str, PetriDishTransformer) tuples
        Fitted banks.
    readers_ : dict of str to list of (str, regressor) tuples
        Fitted readers of each bank.
    normal_scores_ : NormalScores
        Losses and the scores that readers predict.
    motif_space_ : MotifSpace
        The motif space in use.
    X_train_ : ndarray of shape (n_motifs, n_features)
        Different rows that were learned from.
    y_train_ : ndarray of shape (n_motifs,)
        Their losses.
    sample_weight_train_ : ndarray of shape (n_motifs,)
        How often each counted.
    oob_prediction_ : ndarray of shape (n_motifs,)
        Predictions of ``X_train_`` by readers that have not seen them. They are computed
        when first asked for, and NaN where there are fewer than three motifs.
    n_features_in_ : int
        Columns of ``X``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where ``X`` had names that are all strings.

    See Also
    --------
    make_surrogate : The best-known one of a motif space.
    PetriDishTransformer : A bank of dishes.
    PetriDishRegressor : Learned dishes, each of which predicts by itself.

    Notes
    -----
    Rows that are equal are joined: their loss is averaged, their weights are added. The order
    of rows does not matter. Of the weights only the ratios count, so that they may be inverse
    variances. Rows that are the same motif in another notation are measured alike and stay
    apart, but are always in the same fold.

    A prediction's standard deviation is the spread over readers, in units of the loss,
    calibrated on out-of-fold errors. For these the readers are fitted ``n_folds`` times
    more when a standard deviation is first asked for, and not before; banks are not, but
    for those that ``learn``.

    :meth:`save` writes the readers that are recommended and no others, and banks that do not
    ``learn``; anything else is pickled. A file has the measurements from which readers
    predict, and :meth:`load` fits them again, in as long as that took in :meth:`fit`.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sk_petridish import PetriDishBankRegressor, PetriDishRegressor, PetriDishTransformer
    >>> from sk_petridish.motifs import SigmoidSlope
    >>> space = SigmoidSlope(n_slopes=2)
    >>> dishes = [("dish", PetriDishRegressor(n_dishes=2, inner_steps=20))]
    >>> surrogate = PetriDishBankRegressor(
    ...     space,
    ...     banks=[("bank", PetriDishTransformer(dishes=dishes))],
    ...     readers=[("ridge", Ridge())],
    ...     random_state=0,
    ... )
    >>> X = space.sample(12, random_state=0)
    >>> losses, std = surrogate.fit(X, X.sum(axis=1)).predict(X[:2], return_std=True)
    >>> losses.shape, bool((std > 0).all())
    ((2,), True)
    """

    _fitted: ClassVar[tuple[str, ...]] = (
        "n_features_in_",
        "feature_names_in_",
        "motif_space_",
        "banks_",
        "X_train_",
        "y_train_",
        "sample_weight_train_",
        "_blocks",
        "_fold",
        "_seeds",
    )
    _last_fitted: ClassVar[str] = "readers_"

    motif_space_: MotifSpace
    banks_: list[Bank]
    readers_: dict[str, list[Reader]]
    X_train_: Motifs
    y_train_: Losses
    sample_weight_train_: Losses
    _reading: Reading
    _blocks: list[NDArray[np.float64]]
    _fold: NDArray[np.int64]
    # There from a file only, until readers are fitted.
    _seeds: ReaderSeeds

    _parameter_constraints: ClassVar[Constraints] = {
        "motif_space": [MotifSpace, None],
        "banks": [NamedParts(), None],
        "readers": [NamedParts(Implements("fit", "predict")), None],
        "n_folds": [integers(2)],
        "random_state": random_states(),
    }

    def __init__(
        self,
        motif_space: MotifSpace | None = None,
        *,
        banks: list[Bank] | None = None,
        readers: list[Reader] | None = None,
        n_folds: int = 5,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.motif_space = motif_space
        self.banks = banks
        self.readers = readers
        self.n_folds = n_folds
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> PetriDishBankRegressor:
        """Measure motifs, and fit the readers.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs, one a row.
        y : array-like of shape (n_motifs,)
            Their ground-truth losses, lower is better, on any scale. Losses of
            equal rows are averaged.
        sample_weight : array-like of shape (n_motifs,), default=None
            How often each row counts; 2 is as good as giving it twice, 0 as leaving it
            out.

        Returns
        -------
        PetriDishBankRegressor
            The fitted regressor.

        Raises
        ------
        ValueError
            If a row is no motif, a loss is not finite or beyond 1e303, losses differ by less
            than 1e-303, a weight is negative or not finite, or all are zero, there are
            fewer than two different motifs, names are not unique, or a reader takes no
            weights and there are some.
        TypeError
            If a bank is no :class:`PetriDishTransformer`.
        """
        if hasattr(self, "readers_"):
            # A fit that fails leaves no half of the one before.
            del self.readers_
        evaluated = self._validate(X, y, sample_weight)
        truth = join_equal_rows(evaluated)
        check_several(truth.y)
        banks, readers = self._seeded(*self._parts())
        _check_readers(readers, truth.weights)
        self.banks_ = [(name, bank.fit(*truth)) for name, bank in banks]
        self._blocks = [bank.transform(truth.X) for _, bank in self.banks_]
        self._draw_folds(truth.X)
        self.X_train_, self.y_train_, self.sample_weight_train_ = truth
        self._fit_readers(readers)
        return self

    def predict(self, X: ArrayLike, return_std: bool = False) -> Losses | tuple[Losses, Losses]:
        """Predict the ground-truth losses of motifs.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs, one a row.
        return_std : bool, default=False
            Whether to return a standard deviation too.

        Returns
        -------
        y_mean : ndarray of shape (n_motifs,)
            Predicted losses in the units of ``y``, between the losses seen.
        y_std : ndarray of shape (n_motifs,)
            How far the measured loss is likely to be from that: the spread over readers,
            calibrated on motifs that they did not see. Only with ``return_std``.

        Raises
        ------
        ValueError
            If a row is no motif.
        """
        check_is_fitted(self, "readers_")
        rows: Motifs = validate_data(self, X, dtype=np.float64, reset=False)
        prediction, spread = self._reading.predict(
            [bank.transform(rows) for _, bank in self.banks_]
        )
        return (prediction, self._spread.std(spread)) if return_std else prediction

    @property
    def oob_prediction_(self) -> Losses:
        """Return predictions of the training motifs by readers that have not seen them."""
        return self._out_of_fold.prediction

    @cached_property
    def _out_of_fold(self) -> OutOfBag:
        """Predict each motif by readers fitted on the other folds."""
        check_is_fitted(self, "readers_")
        prediction, spread = np.full((2, len(self.y_train_)), np.nan)
        for fold in range(self._fold.max() + 1):
            seen = self._fold != fold
            blocks = self._blocks_without(seen)
            # Those that were fitted: parameters may have been set since.
            reading = Reading.fit(
                next(iter(self.readers_.values())),
                [block[seen] for block in blocks],
                self.y_train_[seen],
                self.sample_weight_train_[seen],
            )
            prediction[~seen], spread[~seen] = reading.predict([block[~seen] for block in blocks])
        return OutOfBag(prediction, spread)

    @cached_property
    def _spread(self) -> SpreadCalibration:
        """Calibrate the spread over readers."""
        weights = self.sample_weight_train_ / self.sample_weight_train_.mean()
        scale = LossScale.of(self.y_train_, weights).std if np.ptp(self.y_train_) else 0.0
        prediction, spread = self._out_of_fold
        if scale == 0 or np.isnan(prediction).all():
            # Nothing to judge predictions by: they may be as far off as losses are apart.
            return SpreadCalibration(1.0, scale)
        return calibrate_spread(prediction - self.y_train_, spread, weights, scale)

    def _fit_readers(self, readers: list[Reader]) -> None:
        """Fit the readers on what the banks have measured."""
        truth = self.y_train_, self.sample_weight_train_
        self._reading = Reading.fit(readers, self._blocks, *truth)
        self.normal_scores_ = self._reading.scores
        self.readers_ = {
            name: [(reader, fitted) for (reader, _), fitted in zip(readers, block, strict=True)]
            for (name, _), block in zip(self.banks_, self._reading.readers, strict=True)
        }

    def _saved_fields(self) -> dict[str, Any]:
        """Return what is saved: in place of readers the seeds that make them."""
        fields = super()._saved_fields()
        if self.readers is not None:
            fields["readers"] = ReaderSeeds.of(self.readers)
        if hasattr(self, self._last_fitted):
            fields["_seeds"] = ReaderSeeds.of(next(iter(self.readers_.values())))
            for name, bank in self.banks_:
                if bank.learn:
                    raise TypeError(f"banks_[{name!r}] learns, which cannot be saved; pickle it.")
        return fields

    @classmethod
    def _of_saved_fields(cls, values: dict[str, Any]) -> Self:
        """Return the regressor, with readers in place of seeds."""
        if (seeds := values.get("readers")) is not None:
            check_type("readers", seeds, ReaderSeeds)
            values = values | {"readers": seeds.make()}
        return super()._of_saved_fields(values)

    def _check_fitted(self) -> None:
        """Raise ValueError unless fitted attributes, from a file, fit together."""
        check_columns(vars(self))
        truth = EvaluatedMotifs(self.X_train_, self.y_train_, self.sample_weight_train_)
        check_truth(self.motif_space_, truth)
        check_blocks(self.motif_space_, self.banks_, self._blocks, len(truth.y))
        check_array("_fold", self._fold, (len(truth.y),), np.int64)
        if self._fold.min() < -1 or self._fold.max() >= len(truth.y):
            raise ValueError("_fold has other folds than motifs can be in.")
        seeds = self._seeds
        del self._seeds
        check_type("_seeds", seeds, ReaderSeeds)
        self._validate_names([name for name, _ in [*self.banks_, *seeds.make()]])
        self._fit_readers(seeds.make())

    def _blocks_without(self, seen: Mask) -> list[NDArray[np.float64]]:
        """Return features of all motifs that depend on no other losses than those seen."""
        truth = self.X_train_[seen], self.y_train_[seen], self.sample_weight_train_[seen]
        return [
            clone(bank).fit(*truth).transform(self.X_train_) if bank.learn else block
            for (_, bank), block in zip(self.banks_, self._blocks, strict=True)
        ]

    def _draw_folds(self, motifs: Motifs) -> None:
        """Draw who is left out with whom, now, so that asking later changes nothing."""
        for computed in ("_out_of_fold", "_spread"):
            if computed in vars(self):
                delattr(self, computed)
        numbers: dict[Hashable, int] = {}
        keys = self.motif_space_.canonical_keys(motifs)
        networks = np.array([numbers.setdefault(key, len(numbers)) for key in keys])
        order = check_random_state(self.random_state).permutation(len(numbers))
        # Readers need two to learn from.
        folds = order % self.n_folds if len(numbers) > 2 else np.full(len(numbers), -1)
        self._fold = folds[networks]

    def _validate(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> EvaluatedMotifs:
        """Check what a user gave."""
        rows = validate_data(self, X, dtype=np.float64)
        self.motif_space_ = self._space(rows.shape[1])
        motifs = self.motif_space_.validate(rows)
        losses = validate_losses(y, len(motifs), self)
        return EvaluatedMotifs(motifs, losses, validate_weights(sample_weight, motifs))

    def _space(self, n_features: int) -> MotifSpace:
        """Return the motif space: the one that was given, or that of the banks."""
        if self.motif_space is not None:
            return shared_space([self.motif_space], n_features, "banks")
        params = [value for _, bank in self.banks or () for value in bank.get_params().values()]
        spaces = [value for value in params if isinstance(value, MotifSpace)]
        return shared_space(spaces, n_features, "banks")

    def _parts(self) -> tuple[list[Bank], list[Reader]]:
        """Return banks and readers, the recommended ones where there are none, checked."""
        seed = self.random_state
        banks = make_banks(self.motif_space_, seed) if self.banks is None else self.banks
        readers = make_readers(seed) if self.readers is None else self.readers
        if not banks or not readers:
            raise ValueError("banks and readers must not be empty; None is what is recommended.")
        self._validate_names([name for name, _ in [*banks, *readers]])
        for name, bank in banks:
            if not isinstance(bank, PetriDishTransformer):
                raise TypeError(f"banks[{name!r}] is no PetriDishTransformer: {bank!r}.")
        return banks, readers

    def _seeded(self, banks: list[Bank], readers: list[Reader]) -> tuple[list[Bank], list[Reader]]:
        """Return clones that share this one's motif space and randomness."""
        generator = check_random_state(self.random_state)
        space = clone(self.motif_space_)
        banks = [(name, clone(bank).set_params(motif_space=space)) for name, bank in banks]
        readers = [(name, clone(reader)) for name, reader in readers]
        for _, bank in banks:
            # Drawn for all, so that a random_state of one does not change the others.
            _seed(bank, ["random_state"], generator.randint(2**31 - 1))
        for _, reader in readers:
            names = [name for name in sorted(reader.get_params()) if name.endswith("random_state")]
            _seed(reader, names, generator.randint(2**31 - 1))
        return banks, readers

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, those of named banks and readers too.

        Parameters
        ----------
        deep : bool, default=True
            Whether to go into banks, readers and the motif space.

        Returns
        -------
        dict
            Values by names.
        """
        params: dict[str, Any] = self._get_params("banks", deep=deep)
        params |= self._get_params("readers", deep=deep)
        return params

    def set_params(self, **kwargs: Any) -> PetriDishBankRegressor:
        """Set parameters, those of named banks and readers too.

        Parameters
        ----------
        **kwargs : dict
            Values by names; ``name__average`` is a parameter of the bank ``name``.

        Returns
        -------
        PetriDishBankRegressor
            The regressor.
        """
        if "readers" in kwargs:
            self.readers = kwargs.pop("readers")
        # Whatever was given is checked by fit.
        readers = self.readers if isinstance(self.readers, list) else []
        names = {pair[0] for pair in readers if isinstance(pair, tuple)}
        named = {name: kwargs.pop(name) for name in names & kwargs.keys()}
        self._set_params("readers", **named)
        self._set_params("banks", **kwargs)
        return self

    def __sklearn_tags__(self) -> Tags:
        """Return the tags of a regressor that is no function approximator for any columns."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags

    def _sk_visual_block_(self) -> VisualBlock:
        space = self.motif_space or self._space(1)
        names, banks = zip(*(self.banks or make_banks(space, None)), strict=True)
        return VisualBlock("parallel", list(banks), names=list(names))


def _seed(part: BaseEstimator, names: Sequence[str], seed: int) -> None:
    """Set those of a part's random states that are None."""
    params = part.get_params()
    part.set_params(**{name: seed for name in names if params[name] is None})


def _check_readers(readers: Sequence[Reader], weights: Losses) -> None:
    """Raise ValueError where a reader cannot take weights, and some are needed."""
    if np.ptp(weights) == 0:
        return
    for name, reader in readers:
        if not has_fit_parameter(reader, "sample_weight"):
            raise ValueError(
                f"readers[{name!r}] takes no sample_weight in fit: {reader!r}. Motifs with "
                "different weights, or given more often than others, need readers that do."
            )
