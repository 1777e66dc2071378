"""Checks of a search before its first evaluation."""

from __future__ import annotations

from typing import Any

import cloudpickle
from optuna.pruners import BasePruner, NopPruner
from optuna.storages import InMemoryStorage
from sklearn.base import is_classifier
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from sk_petridish.metrics import has_spread
from sk_petridish.motifs import MotifSpace
from sk_petridish.motifs._identity import differences

from ._acquisition import without_spread
from ._evaluator import GroundTruthFunction, takes_trial
from .proposers import Proposer


def check_ranking(
    motif_space: MotifSpace,
    surrogate: Any,
    proposer: Proposer,
    acquisition: str,
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
    """
    if surrogate is not None and is_classifier(surrogate):
        raise ValueError(f"surrogate must be a regressor, got the classifier {surrogate!r}.")
    if acquisition != "mean" and surrogate is not None and not has_spread(surrogate):
        raise without_spread(acquisition, surrogate)
    for what, owner in (("surrogate", surrogate), ("proposer", proposer)):
        _check_same_space(what, owner, motif_space)


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


def check_storage(storage: object) -> None:
    """Raise ValueError where a storage is the address of no database."""
    if not isinstance(storage, str):
        return
    try:
        make_url(storage).get_dialect()
    except ArgumentError as error:
        raise ValueError(
            f"storage must be an address such as 'sqlite:///study.db' or an Optuna storage, got "
            f"{storage!r}."
        ) from error


def check_evaluation(
    ground_truth: GroundTruthFunction,
    pruner: BasePruner,
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
    evaluation_timeout : float or None
        Seconds for each evaluation.
    storage : object
        Where the study is.
    """
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
