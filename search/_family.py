"""Whether a trial has a motif of a space: the one place that decides it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial

from sk_petridish._compat._optuna import fixed_params
from sk_petridish.motifs import Motifs, MotifSpace, ProductSpace
from sk_petridish.motifs._distributions import holds
from sk_petridish.motifs._identity import differences
from sk_petridish.motifs._suggestions import suggested

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, eq=False)
class Family:
    """The motifs of a space under names of their own.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row means.
    prefix : str, default=""
        What the names of its parameters begin with.
    """

    motif_space: MotifSpace
    prefix: str = ""

    @cached_property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Distributions by the names of parameters in a trial, in the order of columns."""
        columns = self.motif_space.search_space().items()
        return {self.prefix + name: distribution for name, distribution in columns}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Identity that the space notes in trials that it suggests a motif to."""
        return self.motif_space.identity()

    def is_noted(self, trial: FrozenTrial) -> bool | None:
        """Return whether this space has suggested a motif to a trial; None where none has."""
        noted = suggested(trial)
        if not noted:
            return None
        return _is_noted(self.motif_space, self.prefix, noted)

    def motif_of(self, trial: FrozenTrial) -> Motifs | None:
        """Return the motif of a trial, None where it has none of this space.

        A trial has one if it has all of the motif's parameters, with values that the space
        has, and no other space has suggested them. Where no space has noted anything, as in
        ``study.ask(space.search_space())``, names and distributions must be the space's, and
        no further parameter be numbered like its own: that is a motif of a larger space.

        Parameters
        ----------
        trial : FrozenTrial
            A trial in any state. The parameters of a waiting one are those that it was
            enqueued with.

        Returns
        -------
        ndarray of shape (n_features,) or None
            The row, as the trial's objective has got it.
        """
        noted = self.is_noted(trial)
        if noted is False:
            return None
        params = self._params_of(trial)
        if params is None:
            return None
        if noted is None and (self._has_more(params) or self._is_otherwise(trial.distributions)):
            return None
        for name, ours in self.distributions.items():
            # A number beyond its own range was enqueued so. One beyond this range only is
            # of a search in another range.
            theirs = trial.distributions.get(name, ours)
            if not _holds(ours, params[name]) and _holds(theirs, params[name]):
                return None
        return self.row_of(trial)

    def has_all_names(self, trial: FrozenTrial) -> bool:
        """Return whether a trial has parameters of all of the motif's names."""
        return trial.params.keys() >= self.distributions.keys()

    def otherwise(self, trial: FrozenTrial) -> list[tuple[str, Any, Any]]:
        """Return how the space differs from one that has suggested just the same names.

        Parameters
        ----------
        trial : FrozenTrial
            A trial.

        Returns
        -------
        list of (str, object, object)
            Parameters with their values, ours first; empty where there is no such space.
        """
        theirs = suggested(trial).get(self.prefix)
        if theirs is None or not self.has_all_names(trial) or self._has_more(trial.params):
            return []
        return list(differences(self.identity, theirs))

    def row_of(self, trial: FrozenTrial) -> Motifs | None:
        """Return the row of a trial that is known to be the family's.

        Parameters
        ----------
        trial : FrozenTrial
            As for :meth:`motif_of`.

        Returns
        -------
        ndarray of shape (n_features,) or None
            None where parameters are missing, or no motif of the space.
        """
        params = self._params_of(trial)
        if params is None:
            return None
        try:
            return self.motif_space._of_params([params[name] for name in self.distributions])
        except (TypeError, ValueError):
            return None

    def _params_of(self, trial: FrozenTrial) -> Mapping[str, Any] | None:
        """Return what has all of the motif's parameters: the trial, or what it shall have."""
        for params in (trial.params, fixed_params(trial)):
            if params.keys() >= self.distributions.keys():
                return params
        return None

    def _has_more(self, params: Mapping[str, Any]) -> bool:
        """Whether there are parameters that this space could have if it were larger."""
        patterns = {_NUMBER.sub("#", name) for name in self.distributions if _NUMBER.search(name)}
        further = params.keys() - self.distributions.keys()
        return any(_NUMBER.sub("#", name) in patterns for name in further)

    def _is_otherwise(self, theirs: Mapping[str, BaseDistribution]) -> bool:
        """Whether the same names have distributions of another kind, or other choices."""
        for name, ours in self.distributions.items():
            other = theirs.get(name, ours)
            if type(other) is not type(ours):
                return True
            if isinstance(ours, CategoricalDistribution) and other != ours:
                return True
        return False


def prefixes_of(motif_space: MotifSpace, prefix: str, identity: dict[str, Any]) -> Iterator[str]:
    """Yield the prefixes under which a trial may have a motif of a space.

    Parameters
    ----------
    motif_space : MotifSpace
        A space.
    prefix : str
        Under which a space has suggested a motif to the trial.
    identity : dict
        That space's: the same, or of a product one part.

    Yields
    ------
    str
        Prefixes of the space's own parameters; none where another space has suggested.
    """
    if _is_same(motif_space, identity):
        yield prefix
    elif isinstance(motif_space, ProductSpace):
        for name, part in motif_space.spaces.items():
            for before in prefixes_of(part, prefix, identity):
                if before.endswith(f"{name}_"):
                    yield before.removesuffix(f"{name}_")


def _is_noted(motif_space: MotifSpace, prefix: str, noted: Mapping[str, Any]) -> bool:
    """Whether a space has suggested its motif, or each part of a product has its own."""
    if prefix in noted:
        return _is_same(motif_space, noted[prefix])
    return isinstance(motif_space, ProductSpace) and all(
        _is_noted(part, f"{prefix}{name}_", noted) for name, part in motif_space.spaces.items()
    )


def _is_same(motif_space: MotifSpace, identity: dict[str, Any]) -> bool:
    return not any(differences(motif_space.identity(), identity))


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    try:
        return bool(holds(distribution, value))
    except (TypeError, ValueError):  # no number
        return False
