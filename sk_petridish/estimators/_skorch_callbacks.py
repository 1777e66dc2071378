"""skorch's callbacks as parameters of an estimator: their names, and what they may ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

from skorch.callbacks import (
    BatchScoring,
    Callback,
    EpochScoring,
    InputShapeSetter,
    PassthroughScoring,
)

from sk_petridish.dish import HELD_OUT_KEYS, HISTORY_KEYS

Entry: TypeAlias = "Callback | tuple[str, Callback | None]"
Named: TypeAlias = "list[tuple[str, Callback | None]]"


def name_callbacks(callbacks: Sequence[Entry]) -> Named:
    """Name callbacks as skorch does: those without a name by their class, numbered if several.

    Parameters
    ----------
    callbacks : sequence of skorch callbacks
        Instances or ``(name, instance)`` tuples; an instance may be None, which is none.

    Returns
    -------
    list of (str, callback) tuples
        In the same order.

    Raises
    ------
    TypeError
        If an entry is none of skorch's.
    ValueError
        If two have the same name.
    """
    pairs = [_pair(entry) for entry in callbacks]
    automatic = Counter(type(callback).__name__ for name, callback in pairs if not name)
    seen: Counter[str] = Counter()
    named: Named = []
    for name, callback in pairs:
        if not name:
            name = type(callback).__name__
            seen[name] += 1
            name = f"{name}_{seen[name]}" if automatic[name] > 1 else name
        named.append((name, callback))
    names = Counter(name for name, _ in named)
    if repeated := [name for name, number in names.items() if number > 1]:
        raise ValueError(f"Names of callbacks must be unique, but {repeated} occur more than once.")
    return named


def _pair(entry: Any) -> tuple[str, Callback | None]:
    """Return a name, empty where there is none, and a callback."""
    named = isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)
    name, callback = entry if named and entry[0] else ("", entry)
    if not isinstance(callback, Callback) and not (name and callback is None):
        raise TypeError(
            f"callbacks must be skorch callbacks or (name, callback) tuples, got "
            f"{entry!r}; scikit-learn's callbacks go to set_callbacks()."
        )
    return name, callback


def check_callbacks(named: Named, *, holds_out: bool) -> None:
    """Raise ValueError where a callback of skorch's cannot work in an outer loop.

    Parameters
    ----------
    named : list of (str, callback) tuples
        The callbacks.
    holds_out : bool
        Whether motifs are held out.
    """
    keys = HISTORY_KEYS | (HELD_OUT_KEYS if holds_out else set())
    for name, callback in named:
        reason = _obstacle(callback)
        if reason:
            raise ValueError(f"callbacks: {name!r} cannot work in an outer loop: {reason}")
        keys = keys | _recorded(callback)
    # Classes of the user's own may record anything.
    if all(type(callback).__module__.startswith("skorch.") for _, callback in named):
        for name, callback in named:
            monitor = getattr(callback, "monitor", None)
            if isinstance(monitor, str) and monitor not in keys:
                raise ValueError(
                    f"callbacks: {name!r} monitors {monitor!r}, but the outer loop's history has "
                    f"{sorted(keys)}."
                )


def _obstacle(callback: Callback | None) -> str:
    """Return why a callback cannot work; empty where it can."""
    match callback:
        case InputShapeSetter():
            return "synthetic data has its shape from the dishes."
        case BatchScoring() | EpochScoring() | PassthroughScoring() if not callback.on_train:
            return "there is no validation set to score; set on_train=True."
        case BatchScoring() | EpochScoring() if not _is_function(callback.scoring):
            return (
                f"scoring={callback.scoring!r} needs predictions of targets, which the net does "
                "not make; give a function scoring(net, X, y)."
            )
        case _ if getattr(callback, "f_pickle", None) is not None:
            return "its net cannot be pickled; leave f_pickle out, and pickle the estimator."
    return ""


def _is_function(scoring: Any) -> bool:
    """Whether a score is a function of the net, and no metric or scorer of scikit-learn."""
    module = getattr(scoring, "__module__", None) or ""
    return callable(scoring) and not module.startswith("sklearn.metrics")


def _recorded(callback: Callback | None) -> set[str]:
    """Return what a callback of skorch's adds to the history."""
    match callback:
        case BatchScoring() | EpochScoring() | PassthroughScoring():
            scoring = getattr(callback, "scoring", None)
            scoring = getattr(scoring, "func", scoring)  # of a partial
            name = callback.name or getattr(scoring, "__name__", "score")
            return {name, f"{name}_best"}
    event = getattr(callback, "event_name", None)
    return {event} if isinstance(event, str) else set()
