"""The engines that there are, and which one is chosen for motifs."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sk_petridish.blueprints import NetworkSpec, SampleShape

from ._base import Engine

AUTO = "auto"
"""The name that leaves the choice to :func:`choose_engine`."""

ENGINE_NAMES: set[str] = {AUTO}
"""Values of an estimator's ``engine``: a live set, which grows as engines are registered."""

_ENGINES: dict[str, type[Engine]] = {}
# Names of the engines that AUTO tries, the preferred one first.
_AUTOMATIC: list[str] = []


def register_engine(engine: type[Engine], *, automatic: bool = False) -> None:
    """Offer an engine to estimators, by its name.

    Parameters
    ----------
    engine : type
        A class that fulfils :class:`Engine`. Other processes, such as those of joblib, do not
        know it until it is registered there: do so in a module that they import.
    automatic : bool, default=False
        Whether ``"auto"`` may choose it: it is tried before those registered earlier.

    Raises
    ------
    ValueError
        If there is an engine of that name.
    """
    name = engine.name
    if name in ENGINE_NAMES:
        raise ValueError(f"There is an engine called {name!r} already.")
    _ENGINES[name] = engine
    ENGINE_NAMES.add(name)
    if automatic:
        _AUTOMATIC.insert(0, name)


def unregister_engine(name: str) -> None:
    """Take an engine back.

    Parameters
    ----------
    name : str
        Name of a registered engine.

    Raises
    ------
    KeyError
        If there is no engine of that name.
    """
    del _ENGINES[name]
    ENGINE_NAMES.remove(name)
    if name in _AUTOMATIC:
        _AUTOMATIC.remove(name)


def choose_engine(
    name: str,
    blueprints: Sequence[NetworkSpec],
    *,
    dtype: torch.dtype,
    device: str,
    n_jobs: int,
    sample_shape: SampleShape = (),
) -> Engine:
    """Choose an engine for motifs.

    Parameters
    ----------
    name : str
        Name of a registered engine. ``"auto"`` is the first that can run all motifs:
        ``"numba"`` on the CPU, where all operations have a kernel, and ``"torch"``
        otherwise.
    blueprints : sequence of Blueprint or ModuleBlueprint
        The motifs.
    dtype : torch.dtype
        Precision.
    device : str
        Torch device.
    n_jobs : int
        Threads of the fused engine.
    sample_shape : tuple of int, default=()
        Axes of the motifs' samples beside the features: time, or height and width.

    Returns
    -------
    Engine
        The engine.

    Raises
    ------
    ValueError
        If there is no such engine, or it is asked for what it cannot run.
    """
    if name not in ENGINE_NAMES:
        raise ValueError(f"engine must be one of {sorted(ENGINE_NAMES)}, got {name!r}.")
    candidates = list(_AUTOMATIC) if name == AUTO else [name]
    reasons = {one: _ENGINES[one].supports(blueprints, sample_shape, device) for one in candidates}
    for one, reason in reasons.items():
        if reason is None:
            return _ENGINES[one].create(dtype=dtype, device=device, n_jobs=n_jobs)
    if name == AUTO:
        refused = "; ".join(f"{one!r} {reason}" for one, reason in reasons.items())
        raise ValueError(f"No engine can run all motifs: {refused}.")
    able = [
        one
        for one in _AUTOMATIC
        if one != name and not _ENGINES[one].supports(blueprints, sample_shape, device)
    ]
    others = " or ".join(f"engine={one!r}" for one in [*able, AUTO])
    raise ValueError(f"engine={name!r} {reasons[name]}; use {others}.")
