"""Trainings that tell trials how they get on."""

from __future__ import annotations

import math
from collections.abc import Iterable

import optuna


def train_on(losses: Iterable[float], n_epochs: int, trial: optuna.trial.BaseTrial | None) -> float:
    """Train as long as a trial's pruner lets it.

    Parameters
    ----------
    losses : iterable of float
        The loss after each epoch; to ask for the next one is to train for an epoch.
    n_epochs : int
        How many there are. After the last one there is nothing to save, so that the pruner
        is not asked.
    trial : optuna.trial.BaseTrial or None
        What is told the loss after every epoch.

    Returns
    -------
    float
        The loss after the last epoch.

    Raises
    ------
    optuna.TrialPruned
        If the trial's pruner ends the training early.
    """
    loss = math.nan
    for epoch, loss in enumerate(losses):
        if trial is not None:
            trial.report(loss, epoch)
            if epoch + 1 < n_epochs and trial.should_prune():
                raise optuna.TrialPruned
    return loss
