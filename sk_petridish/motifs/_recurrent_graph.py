"""General recurrent graphs with several states: the space of NAS-Bench-NLP."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from sk_petridish.blueprints import Blueprint, Node, canonical

from ._base import DataKind, Motifs
from ._discrete import DiscreteSpace
from ._graph import MotifEdge, MotifGraph
from ._settings import RECURRENT, RECURRENT_BANK, RECURRENT_PAPER

Recipe = Mapping[str, Mapping[str, Any]]


class _Kind(NamedTuple):
    """An operation of a recipe: which one of a blueprint, and how many inputs at least and most."""

    operation: str
    fewest: int
    most: int


# Numbered from 1; 0 is no node.
_KINDS = {
    "linear": _Kind("linear", 2, 3),
    "elementwise_sum": _Kind("sum", 2, 2),
    "elementwise_prod": _Kind("product", 2, 2),
    "blend": _Kind("blend", 3, 3),
    "activation_tanh": _Kind("tanh", 1, 1),
    "activation_sigm": _Kind("sigmoid", 1, 1),
    "activation_leaky_relu": _Kind("leaky_relu", 1, 1),
}
_NAMES = (None, *_KINDS)
_N_INPUTS, _N_STATES = 3, 3
# References: nothing, the input, the states before, the nodes.
_NOTHING, _X, _STATE, _NODE = 0, 1, 2, 2 + _N_STATES


class _Step(NamedTuple):
    """A node of a row."""

    name: str
    inputs: tuple[int, ...]


class RecurrentGraph(DiscreteSpace):
    """Recurrent graphs with up to three states, as in NAS-Bench-NLP.

    Nodes are linear maps of two or three inputs, with a bias; sums and products of two
    nodes; blends ``a * b + (1 - a) * c``; and tanh, sigmoid and leaky relu. They read the
    input, the states before, and nodes before them [1]_. State 0 is the output.

    A row has four numbers for each of ``max_nodes`` nodes, its operation and its inputs, and
    then the numbers of the nodes that become the states.

    Parameters
    ----------
    max_nodes : int, default=24
        The most nodes of a graph.

    See Also
    --------
    RecurrentCell : Cells in which every node reads one other.

    Notes
    -----
    Nodes that the output does not depend on belong to a row, but not to its network.

    References
    ----------
    .. [1] N. Klyuchnikov, I. Trofimov, E. Artemova, M. Salnikov, M. Fedorov and E.
       Burnaev, "NAS-Bench-NLP: Neural Architecture Search Benchmark for Natural Language
       Processing", 2020, https://arxiv.org/abs/2006.07116

    Examples
    --------
    A recipe, as the benchmark publishes them:

    >>> from sk_petridish.motifs import RecurrentGraph
    >>> space = RecurrentGraph()
    >>> elman = {
    ...     "node_0": {"op": "linear", "input": ["x", "h_prev_0"]},
    ...     "h_new_0": {"op": "activation_tanh", "input": ["node_0"]},
    ... }
    >>> X = space.encode([elman])
    >>> X.shape
    (1, 99)
    >>> space.decode(X)[0] == elman
    True
    """

    _settings: ClassVar[dict[str, dict[str, Any]]] = {
        "best": RECURRENT,
        "paper": RECURRENT_PAPER,
    }
    _bank: ClassVar[dict[str, dict[str, Any]]] = RECURRENT_BANK
    data_kind: DataKind = "sequences"

    def __init__(self, max_nodes: int = 24) -> None:
        self.max_nodes = max_nodes

    @property
    def row_description(self) -> str:
        """One sentence that says what a row of ``X`` is."""
        operations = ", ".join(f"{number}: {name}" for number, name in enumerate(_KINDS, 1))
        return (
            f"A row of X is one motif: for each of {self.max_nodes} nodes of a recurrent graph "
            f"its operation (0: no node; {operations}) and "
            "three inputs (0: none, 1: x, 2 to 4: the states before, from 5 on: nodes), and then "
            "the nodes that become the three states, plus 1 (0: no such state)."
        )

    def _columns(self) -> dict[str, int]:
        if self.max_nodes < 1:
            raise ValueError(f"{self!r} is empty: it needs max_nodes >= 1.")
        columns = {}
        for node in range(self.max_nodes):
            columns[f"operation_{node}"] = len(_NAMES)
            columns |= {f"input_{node}_{i}": _NODE + node for i in range(_N_INPUTS)}
        return columns | {f"state_{i}": self.max_nodes + 1 for i in range(_N_STATES)}

    def validate(self, X: ArrayLike) -> Motifs:
        """Check motifs and return them as an array.

        Parameters
        ----------
        X : array-like of shape (n_motifs, 4 * max_nodes + 3)
            Motifs, one a row.

        Returns
        -------
        ndarray of shape (n_motifs, 4 * max_nodes + 3)
            The same, in float64.

        Raises
        ------
        ValueError
            If a row is no graph: a node reads what is not there, or has too few or too
            many inputs, an operation that is not linear reads the input, there is no state
            0, or it does not depend on the input; the message says which.
        """
        rows = super().validate(X)
        for number, row in enumerate(rows):
            try:
                _check(*_steps(row))
            except ValueError as error:
                raise ValueError(f"Row {number}: {error}\n{self.row_description}") from None
        return rows

    def sample(self, n: int, random_state: int | np.random.RandomState | None = None) -> Motifs:
        """Draw random graphs.

        They grow node by node from a linear map of input and state. What nothing reads yet
        is read first, linear maps are most frequent among the operations of several inputs,
        and one, two or three states as frequent as in NAS-Bench-NLP.

        Parameters
        ----------
        n : int
            How many motifs.
        random_state : int, RandomState instance or None, default=None
            Where randomness comes from.

        Returns
        -------
        ndarray of shape (n, 4 * max_nodes + 3)
            Motifs.
        """
        self._columns()  # refuses an empty space
        generator = check_random_state(random_state)
        rows = [_row(*_grow(self.max_nodes, generator), self.max_nodes) for _ in range(n)]
        return self.repair(np.reshape(rows, (n, -1)))

    def repair(self, X: ArrayLike) -> Motifs:
        """Make rows that mutation or crossover produced legal.

        Numbers are rounded and clipped. Absent nodes are closed up; what was read from them,
        or from an absent state, becomes state 0; missing inputs too, and superfluous ones
        go. Where the output does not depend on the input, its node becomes a linear map
        that reads it.

        Parameters
        ----------
        X : array-like of shape (n_motifs, 4 * max_nodes + 3)
            Finite rows.

        Returns
        -------
        ndarray of shape (n_motifs, 4 * max_nodes + 3)
            Motifs; legal ones are returned as they are.
        """
        rows = super().repair(X)
        return np.reshape([_row(*_mended(row), self.max_nodes) for row in rows], rows.shape).astype(
            np.float64
        )

    def blueprint(self, row: ArrayLike) -> Blueprint:
        """Describe the recurrent network with this graph.

        Parameters
        ----------
        row : array-like of shape (4 * max_nodes + 3,)
            One motif.

        Returns
        -------
        Blueprint
            The graph, in canonical form, and a linear readout at every time step.

        Raises
        ------
        ValueError
            If the row is not a motif of this space.
        """
        steps, states = _steps(self.validate(np.asarray(row)[None])[0])
        used, used_states = _used(steps, states)
        nodes = [Node("input")]
        places = {_X: 0}
        for state in used_states:
            places[_STATE + state] = len(nodes)
            nodes.append(Node("carried", (0,), units="n_hidden"))

        def add(operation: str, *inputs: int, weights: bool = False) -> int:
            parameters = (1.0,) if operation == "sigmoid" else ()
            nodes.append(Node(operation, inputs, parameters, "n_hidden" if weights else None))
            return len(nodes) - 1

        for number in used:
            step = steps[number]
            inputs = [places[source] for source in step.inputs]
            if step.name == "linear":
                products = [add("project", source, weights=True) for source in inputs]
                places[_NODE + number] = add("bias", add("sum", *products), weights=True)
            else:
                places[_NODE + number] = add(_KINDS[step.name].operation, *inputs)
        for state in used_states:
            source = places[_NODE + states[state]]
            nodes[places[_STATE + state]] = Node("carried", (source,), units="n_hidden")
        nodes.append(Node("linear", (places[_NODE + states[0]],), units="n_outputs"))
        return canonical(Blueprint(tuple(nodes)))

    def graph(self, row: ArrayLike) -> MotifGraph:
        """Give the graph as it is looked at.

        Parameters
        ----------
        row : array-like of shape (4 * max_nodes + 3,)
            One motif.

        Returns
        -------
        MotifGraph
            Input, states before, and the nodes of the recipe.
        """
        (recipe,) = self.decode(np.asarray(row)[None])
        read = {source for node in recipe.values() for source in node["input"]}
        names = [*sorted(read - recipe.keys() - {"x"}), *recipe]
        places = {name: place for place, name in enumerate(["x", *names])}
        labels = ["x"]
        for name in names:
            operation = recipe[name]["op"].split("_", 1)[-1] if name in recipe else ""
            shown = "" if name.startswith("node_") else f"{name} "
            labels.append(f"{shown}{operation}".strip())
        edges = [
            MotifEdge(places[source], places[name])
            for name, node in recipe.items()
            for source in node["input"]
        ]
        return MotifGraph(labels, edges)

    def encode(self, objects: Sequence[Recipe | str]) -> Motifs:
        """Turn recipes into rows.

        Parameters
        ----------
        objects : sequence of dict or str
            Recipes, or JSON of them: under the name of every node its operation ``"op"``
            and the names that it reads, ``"input"``: nodes, ``"x"`` and ``"h_prev_0"`` and
            so on. Nodes ``"h_new_0"`` and so on become the states.

        Returns
        -------
        ndarray of shape (n_motifs, 4 * max_nodes + 3)
            Their rows.

        Raises
        ------
        ValueError
            If a recipe is no graph of this space; the message says why.
        """
        rows = []
        for number, recipe in enumerate(objects):
            try:
                given = json.loads(recipe) if isinstance(recipe, str) else recipe
                rows.append(_row(*_read(given, self.max_nodes), self.max_nodes))
            except ValueError as error:
                raise ValueError(f"Recipe {number}: {error}") from None
        return self.validate(np.array(rows, dtype=np.float64))

    def decode(self, X: ArrayLike) -> list[Any]:
        """Turn rows into recipes.

        Parameters
        ----------
        X : array-like of shape (n_motifs, 4 * max_nodes + 3)
            Motifs.

        Returns
        -------
        list of dict
            Recipes, as :meth:`encode` takes them; nodes have names of their own.
        """
        recipes = []
        for row in self.validate(X):
            steps, states = _steps(row)
            news = {node: f"h_new_{state}" for state, node in enumerate(states)}
            names = {_X: "x"} | {_STATE + state: f"h_prev_{state}" for state in range(_N_STATES)}
            for number in range(len(steps)):
                names[_NODE + number] = news.get(number, f"node_{number}")
            recipes.append(
                {
                    names[_NODE + number]: {
                        "op": step.name,
                        "input": [names[source] for source in step.inputs],
                    }
                    for number, step in enumerate(steps)
                }
            )
        return recipes


def _steps(row: Motifs) -> tuple[list[_Step], list[int]]:
    """Read the nodes and the states off a row, whether legal or not."""
    (*numbers,) = row.astype(int).tolist()
    table = [numbers[i : i + 1 + _N_INPUTS] for i in range(0, len(numbers) - _N_STATES, 4)]
    while table and not table[-1][0]:
        if any(table.pop()):
            raise ValueError("an absent node has inputs.")
    steps = []
    for position, (operation, *inputs) in enumerate(table):
        name = _NAMES[operation]
        if name is None:
            raise ValueError(f"node {position} is absent, but later ones are not.")
        given = tuple(source for source in inputs if source != _NOTHING)
        if inputs[: len(given)] != list(given):
            raise ValueError(f"node {position} has a gap between its inputs.")
        steps.append(_Step(name, given))
    states = numbers[-_N_STATES:]
    present = [state - 1 for state in states if state]
    if [state + 1 for state in present] != states[: len(present)]:
        raise ValueError("a state is absent, but a later one is not.")
    return steps, present


def _row(steps: Sequence[_Step], states: Sequence[int], max_nodes: int) -> list[int]:
    """Write nodes and states as a row."""
    row = []
    for step in steps:
        row += [_NAMES.index(step.name), *step.inputs, *[_NOTHING] * (_N_INPUTS - len(step.inputs))]
    row += [0] * (max_nodes - len(steps)) * (1 + _N_INPUTS)
    return row + [node + 1 for node in states] + [0] * (_N_STATES - len(states))


def _check(steps: Sequence[_Step], states: Sequence[int]) -> None:
    """Raise ValueError unless nodes and states are a graph."""
    if not states:
        raise ValueError("there is no h_new_0, the output.")
    if max(states) >= len(steps) or len(set(states)) < len(states):
        raise ValueError("states are different nodes that are there.")
    for number, step in enumerate(steps):
        kind = _KINDS[step.name]
        if not kind.fewest <= len(step.inputs) <= kind.most:
            raise ValueError(
                f"node {number} ({step.name}) has {len(step.inputs)} inputs, but takes "
                f"{kind.fewest}" + (f" to {kind.most}." if kind.most > kind.fewest else ".")
            )
        for source in step.inputs:
            if source == _X and step.name != "linear":
                raise ValueError(
                    f"node {number} ({step.name}) reads x, which may be of another width; only "
                    "linear may."
                )
            if _STATE <= source < _NODE and source - _STATE >= len(states):
                raise ValueError(
                    f"node {number} reads h_prev_{source - _STATE}, but there is no "
                    f"h_new_{source - _STATE}."
                )
    used, _ = _used(steps, states)
    if not any(_X in steps[number].inputs for number in used):
        raise ValueError("the output h_new_0 does not depend on x: it cannot be reached from it.")


def _used(steps: Sequence[_Step], states: Sequence[int]) -> tuple[list[int], list[int]]:
    """Find the nodes and the states that the output depends on, at any time step."""
    pending, used, used_states = [_NODE + states[0]], set(), set()
    while pending:
        source = pending.pop()
        if _STATE <= source < _NODE and source not in used_states:
            used_states.add(source)
            pending.append(_NODE + states[source - _STATE])
        elif source >= _NODE and source not in used:
            used.add(source)
            pending.extend(steps[source - _NODE].inputs)
    return (
        sorted(source - _NODE for source in used),
        sorted(source - _STATE for source in used_states),
    )


def _read(recipe: Recipe, max_nodes: int) -> tuple[list[_Step], list[int]]:
    """Read a recipe, and put its nodes into an order in which they can be computed."""
    names = _in_order(recipe)
    if len(names) > max_nodes:
        raise ValueError(f"it has {len(names)} nodes, more than max_nodes={max_nodes}.")
    references = {"x": _X} | {f"h_prev_{state}": _STATE + state for state in range(_N_STATES)}
    references |= {name: _NODE + number for number, name in enumerate(names)}
    steps = []
    for name in names:
        operation = recipe[name]["op"]
        if operation not in _KINDS:
            raise ValueError(f"{name} has an unknown op {operation!r}; known are {list(_KINDS)}.")
        steps.append(
            _Step(operation, tuple(references[source] for source in recipe[name]["input"]))
        )
        if len(steps[-1].inputs) > _N_INPUTS:
            raise ValueError(f"{name} has more than {_N_INPUTS} inputs.")
    states = [name for name in names if name.startswith("h_new_")]
    wanted = [f"h_new_{state}" for state in range(len(states))]
    if not states or sorted(states) != wanted or len(states) > _N_STATES:
        raise ValueError(
            f"its states must be called h_new_0 to h_new_{_N_STATES - 1} at most, without a gap, "
            f"got {sorted(states)}."
        )
    return steps, [names.index(name) for name in wanted]


def _in_order(recipe: Recipe) -> list[str]:
    """Order the names of a recipe, as given where possible."""
    known = {"x"} | {f"h_prev_{state}" for state in range(_N_STATES)}
    for name, node in recipe.items():
        missing = [source for source in node["input"] if source not in known | recipe.keys()]
        if missing:
            raise ValueError(f"{name} reads {missing}, which the recipe does not have.")
    order: list[str] = []
    waiting = list(recipe)
    while waiting:
        for name in waiting:
            if all(source in known for source in recipe[name]["input"]):
                break
        else:
            raise ValueError(f"there is a cycle among the nodes {sorted(waiting)}.")
        waiting.remove(name)
        order.append(name)
        known.add(name)
    return order


def _mended(row: Motifs) -> tuple[list[_Step], list[int]]:
    """Make a legal graph of a row in range."""
    (*numbers,) = row.astype(int).tolist()
    table = [numbers[i : i + 1 + _N_INPUTS] for i in range(0, len(numbers) - _N_STATES, 4)]
    there = [position for position, (operation, *_) in enumerate(table) if operation]
    places = {old: new for new, old in enumerate(there)}
    ends = [places[state - 1] for state in numbers[-_N_STATES:] if state - 1 in places]
    if not there:
        return [_Step("linear", (_X, _STATE))], [0]
    states = list(dict.fromkeys(ends)) or [len(there) - 1]

    def reference(source: int) -> int:
        if source >= _NODE:
            return _NODE + places[source - _NODE] if source - _NODE in places else _STATE
        return source if source == _X or source - _STATE < len(states) else _STATE

    steps = []
    for old in there:
        operation, *inputs = table[old]
        name = str(_NAMES[operation])
        kind = _KINDS[name]
        read = [reference(source) for source in inputs if source != _NOTHING][: kind.most]
        if name != "linear":
            read = [_STATE if source == _X else source for source in read]
        steps.append(_Step(name, tuple(read + [_STATE] * (kind.fewest - len(read)))))
    used, _ = _used(steps, states)
    if not any(_X in steps[number].inputs for number in used):
        output = states[0]
        steps[output] = _Step("linear", (_X, steps[output].inputs[0]))
    return steps, states


def _grow(max_nodes: int, generator: np.random.RandomState) -> tuple[list[_Step], list[int]]:
    """Draw a graph."""
    n_states = min(1 + generator.choice(_N_STATES, p=[0.45, 0.45, 0.1]), max_nodes)
    n_nodes = generator.randint(min(2 * n_states, max_nodes), min(15, max_nodes) + 1)
    steps = [_Step("linear", (_X, _STATE))]
    loose = [_NODE]  # read by nothing yet
    loose += [_STATE + state for state in range(1, n_states)]

    def draw(choices: Sequence[int]) -> int:
        return int(choices[generator.randint(len(choices))])

    for number in range(1, n_nodes):
        hidden = [_STATE + s for s in range(n_states)] + [_NODE + i for i in range(number)]
        if generator.random_sample() < 0.5:
            activations = ("activation_tanh", "activation_sigm", "activation_leaky_relu")
            name = activations[generator.randint(len(activations))]
            linear = [_NODE + i for i in range(number) if steps[i].name == "linear"]
            inputs = [draw([one for one in linear if one in loose] or linear)]
        else:
            mixing = ("linear", "elementwise_sum", "elementwise_prod", "blend")
            name = mixing[generator.choice(len(mixing), p=[1 / 2, 1 / 6, 1 / 6, 1 / 6])]
            kind = _KINDS[name]
            choices = [_X, *hidden] if name == "linear" else hidden
            n_inputs = min(generator.randint(kind.fewest, kind.most + 1), len(choices))
            first = draw([one for one in loose if one in choices] or choices)
            others = [one for one in choices if one != first]
            read = generator.choice(len(others), n_inputs - 1, replace=False)
            inputs = [first, *(others[i] for i in read)]
        steps.append(_Step(name, tuple(inputs)))
        loose = [one for one in loose if one not in inputs] + [_NODE + number]
    ends = [one - _NODE for one in reversed(loose) if one >= _NODE]
    ends += [number for number in reversed(range(n_nodes)) if number not in ends]
    return steps, ends[:n_states]
