"""Everything that a search writes into a study besides parameters and values.

A trial's life in a :class:`PetriDishSearch`::

                  create_trials              set RUNNING, lease
    batch written ------------> WAITING ------------------------> RUNNING
                                                                     |
         +--------------+-------------+--------------+---------------+
         | finite loss  | pruned      | error, nan   | duplicate     | lease expired,
         v              v             v              v               v worker or user stopped it
      COMPLETE        PRUNED        FAIL           FAIL            FAIL
                                    error          superfluous     reclaimed = lost | interrupted
                                                   (counts for     |
                                                    nothing)       | replace_lost: at most
                                                                   | three times lost
                                                                   v
                                                        WAITING, a new trial of the same slot

A trial of a :class:`PetriDishSampler` is RUNNING from the beginning (Optuna asks, evaluates and
tells). The first parameter of a motif that it asks for chooses all of them; before they are
parameters they are a claim::

    RUNNING -- claim --> RUNNING + claim -- nobody else has it --> RUNNING + parameters -- ...
                  ^            |
                  +-- taken ---+   the next candidate overwrites the claim

=======================  ======  =============================  ==============  ==================
System attribute         Of      Holds                          Written by      Read by
=======================  ======  =============================  ==============  ==================
sk_petridish:batch       trial   iteration that chose it        SearchStudy     SearchStudy
sk_petridish:place       trial   its slot in the batch          SearchStudy     SearchStudy
sk_petridish:predicted   trial   loss that was predicted        SearchStudy     SearchStudy
sk_petridish:superfluous trial   True: its slot was taken       fail_duplicate  SearchStudy
sk_petridish:lease       trial   {until: seconds, run: name}    lease           reclaim, expiry
sk_petridish:reclaimed   trial   "lost" or "interrupted"        reclaim         both kinds of search
sk_petridish:claim       trial   {prefix: space, row, ...}      Claims          Claims
sk_petridish:motifs      trial   {prefix: identity of a space}  space.suggest   Family
sk_petridish:told        trial   False until its worker ends it sampler         reclaim
fixed_params             trial   parameters (Optuna's own key)  SearchStudy     Trial.suggest, both
=======================  ======  =============================  ==============  ==================

=======================  ======  =============================  ==============  ==================
User attribute           Of      Holds                          Written by      Read by
=======================  ======  =============================  ==============  ==================
iteration                trial   iteration that chose it        SearchStudy     people
predicted                trial   value that was predicted       both            people, the sampler
predicted_rank           trial   its rank, from 1               both            people
surrogate_kendall_tau    trial   agreement until now            sampler         people
error                    trial   what an evaluation failed of   Evaluator       people, SearchRun
sk_petridish:batch:N     study   {X, predicted} of iteration N  write_batch     read_batch
sk_petridish:settings    study   what workers must agree on     SearchRun       SearchRun
sk_petridish:test        study   {motif, loss, test}             SearchRun       SearchRun
=======================  ======  =============================  ==============  ==================
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from sk_petridish._compat._optuna import FIXED_PARAMS, id_of, storage_of
from sk_petridish.motifs import Motifs

from ._step import Ranked

# Stored studies have these strings: they never change.
_BATCH, _SLOT = "sk_petridish:batch", "sk_petridish:place"
_PREDICTED = "sk_petridish:predicted"
_SUPERFLUOUS = "sk_petridish:superfluous"
_LEASE = "sk_petridish:lease"
_RECLAIMED = "sk_petridish:reclaimed"
_CLAIM = "sk_petridish:claim"
_TOLD = "sk_petridish:told"
_SETTINGS, _TEST = "sk_petridish:settings", "sk_petridish:test"
_ERROR = "error"

Why = Literal["lost", "interrupted"]


class Slot(NamedTuple):
    """Where a trial belongs: the iteration whose batch it is of, and its number there."""

    iteration: int
    number: int


class Lease(NamedTuple):
    """Until when a worker is alive, in seconds since the epoch, and its run of the search."""

    until: float
    run: str


class Claim(NamedTuple):
    """A motif that a trial is going to have.

    Parameters
    ----------
    space : dict
        Identity of its motif space.
    row : ndarray of shape (n_features,)
        The motif.
    predicted : float
        What is predicted, in the study's direction; NaN where nothing was learned yet.
    rank : int
        Its rank among the candidates, from 1.
    tau : float or None
        How well predictions until then have ordered what was measured.
    """

    space: dict[str, Any]
    row: Motifs
    predicted: float
    rank: int
    tau: float | None


# Attributes of trials, by who writes them.


def slot_attributes(
    slot: Slot, predicted: float, fixed: dict[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the system and user attributes with which a trial of a batch begins.

    ``predicted`` is NaN where nothing was predicted, ``fixed`` the parameters of a trial
    that is to be evaluated.
    """
    # What user attributes repeat is for people: a ground truth may overwrite them.
    system: dict[str, Any] = {_BATCH: slot.iteration, _SLOT: slot.number}
    user: dict[str, Any] = {"iteration": slot.iteration}
    if math.isfinite(predicted):
        system[_PREDICTED] = float(predicted)
        user |= {"predicted": system[_PREDICTED], "predicted_rank": slot.number + 1}
    if fixed is not None:
        system[FIXED_PARAMS] = fixed
    return system, user


def inherited_attributes(trial: FrozenTrial) -> dict[str, Any]:
    """Return the system attributes that a lost trial leaves to the one that replaces it."""
    # Neither its lease nor the reason why it was reclaimed: the new trial begins anew.
    kept = (_BATCH, _SLOT, _PREDICTED, FIXED_PARAMS)
    return {key: trial.system_attrs[key] for key in kept if key in trial.system_attrs}


def slot_of(trial: FrozenTrial) -> Slot | None:
    """Return the slot of a trial, None where it is no search's or a superfluous one."""
    written = trial.system_attrs
    # Readers see no superfluous trial at all, so that none can count one by mistake.
    if _SLOT not in written or _SUPERFLUOUS in written:
        return None
    return Slot(written[_BATCH], written[_SLOT])


def prediction_of(trial: FrozenTrial) -> float:
    """Return the loss that was predicted for a trial of a batch; NaN where none was."""
    return float(trial.system_attrs.get(_PREDICTED, math.nan))


def mark_superfluous(storage: BaseStorage, trial_id: int) -> None:
    """Mark a trial whose slot has another one."""
    storage.set_trial_system_attr(trial_id, _SUPERFLUOUS, True)


def write_lease(storage: BaseStorage, trial_id: int, lease: Lease) -> None:
    """Write the lease of a trial over the one that it had."""
    storage.set_trial_system_attr(trial_id, _LEASE, lease._asdict())


def lease_of(trial: FrozenTrial) -> Lease | None:
    """Return the lease of a trial, if it ever had one."""
    written = trial.system_attrs.get(_LEASE)
    return None if written is None else Lease(written["until"], written["run"])


def write_reclaimed(storage: BaseStorage, trial_id: int, why: Why) -> None:
    """Write why a trial is about to fail without having been evaluated."""
    storage.set_trial_system_attr(trial_id, _RECLAIMED, why)


def why_reclaimed(trial: FrozenTrial) -> Why | None:
    """Return why a trial was reclaimed, None where it was not."""
    why: Why | None = trial.system_attrs.get(_RECLAIMED)
    return why


def write_claim(study: Study, trial: FrozenTrial, prefix: str, claim: Claim) -> None:
    """Write which motif a trial is going to have under a prefix."""
    storage, trial_id = storage_of(study), id_of(trial)
    # Read from the storage: the trial at hand may be older than a claim of another family.
    claims = _claims(storage.get_trial_system_attrs(trial_id))
    written = claim._asdict() | {"row": claim.row.tolist(), "predicted": _none(claim.predicted)}
    storage.set_trial_system_attr(trial_id, _CLAIM, claims | {prefix: written})


def claim_of(trial: FrozenTrial, prefix: str) -> Claim | None:
    """Return what a trial has claimed last under a prefix."""
    claims = _claims(trial.system_attrs)
    if prefix not in claims:
        return None
    written = claims[prefix]
    row = np.array(written["row"], dtype=np.float64)
    return Claim(**(written | {"row": row, "predicted": _nan(written["predicted"])}))


def claimed_prefixes(trial: FrozenTrial) -> set[str]:
    """Return under which prefixes a trial has claimed motifs."""
    return set(_claims(trial.system_attrs))


def _claims(written: Mapping[str, Any]) -> dict[str, Any]:
    claims = written.get(_CLAIM)
    # Before there were prefixes it was a row, of a trial that has its parameters by now.
    return claims if isinstance(claims, dict) else {}


def write_told(study: Study, trial: FrozenTrial, told: bool) -> None:
    """Write whether a worker has told how its trial has ended."""
    storage_of(study).set_trial_system_attr(id_of(trial), _TOLD, told)


def is_untold(trial: FrozenTrial) -> bool:
    """Return whether a trial's worker was to tell how it ends, and has not."""
    return trial.system_attrs.get(_TOLD) is False


# User attributes of trials.


def show_prediction(study: Study, trial: FrozenTrial, claim: Claim) -> None:
    """Show the prediction for a suggested motif, its rank, and how good predictions were."""
    if not math.isfinite(claim.predicted):
        return
    shown: dict[str, float] = {"predicted": claim.predicted, "predicted_rank": claim.rank}
    if claim.tau is not None:
        shown["surrogate_kendall_tau"] = claim.tau
    for name, value in shown.items():
        storage_of(study).set_trial_user_attr(id_of(trial), name, value)


def shown_prediction(trial: FrozenTrial) -> float | None:
    """Return the prediction that a trial shows, in the study's direction."""
    predicted = trial.user_attrs.get("predicted")
    # User attributes are the user's as well.
    return float(predicted) if isinstance(predicted, int | float) else None


def write_error(trial: Trial, error: str) -> None:
    """Write of what an evaluation has failed."""
    trial.set_user_attr(_ERROR, error)


def error_of(trial: FrozenTrial) -> str | None:
    """Return of what an evaluation has failed."""
    error: str | None = trial.user_attrs.get(_ERROR)
    return error


# Attributes of studies.


def write_batch(study: Study, iteration: int, batch: Ranked) -> None:
    """Write down what a batch is to be."""
    losses = [_none(float(loss)) for loss in batch.predicted]
    study.set_user_attr(f"{_BATCH}:{iteration}", {"X": batch.X.tolist(), "predicted": losses})


def read_batch(study: Study, iteration: int, n_columns: int) -> Ranked | None:
    """Return what a batch is to be, None where nobody has written it down."""
    written = study.user_attrs.get(f"{_BATCH}:{iteration}")
    if written is None:
        return None
    X = np.reshape(written["X"], (-1, n_columns))
    return Ranked(X, np.array(written["predicted"], dtype=np.float64))


def write_settings(study: Study, settings: dict[str, Any]) -> None:
    """Write down what all workers of a search must agree on."""
    study.set_user_attr(_SETTINGS, settings)


def read_settings(study: Study) -> dict[str, Any] | None:
    """Return what all workers of a search must agree on, None before the first."""
    settings: dict[str, Any] | None = study.user_attrs.get(_SETTINGS)
    return settings


def write_test(study: Study, motif: Motifs, loss: float, test: Any) -> None:
    """Write down the loss of the best motif in the final test, and which test that was."""
    study.set_user_attr(_TEST, {"motif": motif.tolist(), "loss": loss, "test": test})


def read_test(study: Study, motif: Motifs, test: Any) -> float | None:
    """Return the loss of a motif in a final test, None where it was not tested so."""
    written = study.user_attrs.get(_TEST)
    # Before tests were told apart there was one.
    if written is None or (written["motif"], written.get("test", test)) != (motif.tolist(), test):
        return None
    return float(written["loss"])


def _none(loss: float) -> float | None:
    # JSON has no NaN or infinity that every storage takes.
    return float(loss) if math.isfinite(loss) else None


def _nan(loss: float | None) -> float:
    return math.nan if loss is None else loss
