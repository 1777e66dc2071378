"""Which motif space has suggested which parameters of a trial."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from optuna.trial import BaseTrial, FrozenTrial, Trial

from sk_petridish._compat._optuna import read_system_attrs, write_system_attr

# Stored studies have this string: it never changes.
SUGGESTED = "sk_petridish:motifs"

# Names that were suggested to each trial of this process. Parameters in the study do not
# tell whether a space has suggested them: ``study.ask(space.search_space())`` comes before.
_SUGGESTED_NAMES: WeakKeyDictionary[BaseTrial, set[str]] = WeakKeyDictionary()


def check_first_suggestion(trial: BaseTrial, names: Iterable[str]) -> None:
    """Raise ValueError if a motif was suggested under such names before in a trial.

    Optuna gives one value per name and trial: a second motif under the same names would
    silently be the first.

    Parameters
    ----------
    trial : optuna.trial.BaseTrial
        A trial. A finished one may be read again and again.
    names : iterable of str
        Parameters of a motif.
    """
    if isinstance(trial, FrozenTrial):
        return
    before = _SUGGESTED_NAMES.setdefault(trial, set())
    if twice := sorted(before.intersection(names)):
        raise ValueError(
            f"The parameters {twice} of this trial were suggested before, and would be the same "
            'motif again. Give further motifs names of their own, suggest(trial, prefix="..."), '
            "or search a ProductSpace."
        )
    before.update(names)


def note_suggestion(trial: BaseTrial, prefix: str, identity: dict[str, Any]) -> None:
    """Write into a trial's study which space is about to suggest a motif to it.

    Parameters
    ----------
    trial : optuna.trial.BaseTrial
        Of a study; for others nothing is written.
    prefix : str
        What the motif's parameters begin with.
    identity : dict
        The space's.
    """
    if not isinstance(trial, Trial):
        return
    spaces = read_system_attrs(trial).get(SUGGESTED, {})
    if spaces.get(prefix) != identity:
        write_system_attr(trial, SUGGESTED, spaces | {prefix: identity})


def suggested(trial: FrozenTrial) -> dict[str, dict[str, Any]]:
    """Return the identities of spaces that have suggested motifs to a trial, by prefix.

    Parameters
    ----------
    trial : optuna.trial.FrozenTrial
        A trial of a study.

    Returns
    -------
    dict of str to dict
        Empty where :meth:`MotifSpace.suggest` was not called.
    """
    spaces: dict[str, dict[str, Any]] = trial.system_attrs.get(SUGGESTED, {})
    return spaces
