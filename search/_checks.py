"""Checks of a search before its first evaluation."""

from __future__ import annotations

from typing import Any, get_args

import cloudpickle
from optuna.pruners import BasePruner, NopPruner
from optuna.storages import InMemoryStorage
from sklearn.base import is_classifier

from sk_petridish.metrics import has_spread
from sk_petridish.motifs import MotifSpace
from sk_petridish.motifs._identity import differences

from ._acquisition import Acquisition, without_spread
from ._evaluator import GroundTruthFunction, takes_trial
from .proposers import Proposer


def check_ranking(
    motif_space: MotifSpace,
    surrogate: Any,
    proposer: Proposer,
    acquisition: str,
    exploration: float,
) -> None:
    """Raise ValueError unless candidates can be drawn and ranked so.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row means.
    surrogate : regressor or None
        Predicts losses; ``None`` is the recommended one.
    proposer : Proposer
        Draws candidates.
    acquisition : str
        By what they are ranked.
    exploration : float
        Share of any candidates.
    """
    if acquisition not in get_args(Acquisition):
        raise ValueError(
            f"acquisition must be one of {get_args(Acquisition)}, got {acquisition!r}."
        )
    if not 0 <= exploration <= 1:
        raise ValueError(f"exploration must be between 0 and 1, got {exploration}.")
    for method in ("fit", "predict"):
        if surrogate is not None and not _has_method(surrogate, method):
            raise ValueError(f"surrogate must be a regressor with {method}(), got {surrogate!r}.")
    if surrogate is not None and is_classifier(surrogate):
        raise ValueError(f"surrogate must be a regressor, got the classifier {surrogate!r}.")
    if not isinstance(proposer, Proposer) and not _has_method(proposer, "ask"):
        raise ValueError(f"proposer must be a Proposer, got {proposer!r}.")
    if acquisition != "mean" and surrogate is not None and not has_spread(surrogate):
        raise without_spread(acquisition, surrogate)
    for what, owner in (("surrogate", surrogate), ("proposer", proposer)):
        _check_same_space(what, owner, motif_space)


def _has_method(owner: Any, name: str) -> bool:
    """Whether an object, and no class, has a method."""
    return not isinstance(owner, type) and callable(getattr(owner, name, None))


def _check_same_space(what: str, owner: Any, motif_space: MotifSpace) -> None:
    """Raise ValueError if something was made for motifs of another space."""
    theirs = getattr(owner, "motif_space", None)
    if not isinstance(theirs, MotifSpace):
        return
    for name, given, searched in differences(theirs.identity(), motif_space.identity()):
        raise ValueError(
            f"The {what} is for another motif space: its {name} is {given!r}, that of what is "
            f"searched {searched!r}."
        )


def check_evaluation(
    ground_truth: GroundTruthFunction,
    pruner: BasePruner,
    timeout: float | None,
    evaluation_timeout: float | None,
    storage: object,
) -> None:
    """Raise ValueError unless evaluations can be begun, pruned and ended so.

    Parameters
    ----------
    ground_truth : callable
        Evaluates motifs.
    pruner : optuna.pruners.BasePruner
        What may end evaluations early.
    timeout, evaluation_timeout : float or None
        Seconds for the search, and for each evaluation.
    storage : object
        Where the study is.
    """
    if timeout is not None and not timeout >= 0:
        raise ValueError(f"timeout must be at least 0 seconds, got {timeout}.")
    if evaluation_timeout is not None and not evaluation_timeout > 0:
        raise ValueError(f"evaluation_timeout must be positive, got {evaluation_timeout}.")
    prunes = not isinstance(pruner, NopPruner)
    if prunes and not takes_trial(ground_truth):
        raise ValueError(
            f"{type(pruner).__name__} cannot end evaluations of a ground truth that takes no "
            "trial to report to: ground_truth(row, trial)."
        )
    if evaluation_timeout is None:
        return
    if prunes and isinstance(storage, InMemoryStorage):
        raise ValueError(
            "evaluation_timeout gives each evaluation a process of its own, whose reports do not "
            f"reach a storage in memory: {type(pruner).__name__} would never see them."
        )
    try:
        cloudpickle.dumps(ground_truth)
    except Exception as error:  # whatever its parts raise
        raise ValueError(
            "evaluation_timeout gives each evaluation a process of its own, and the ground truth "
            f"cannot be sent there: {error!r}."
        ) from error
