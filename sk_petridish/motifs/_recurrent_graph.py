"""General recurrent graphs with several states: the space of NAS-Bench-NLP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from sk_petridish._compat._constraints import integers
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.blueprints import Blueprint, BlueprintBuilder, canonical

from ._base import DataKind, Motifs, map_numbered
from ._discrete import DiscreteSpace
from ._graph import MotifEdge, MotifGraph
from .notation._recipes import (
    INPUT_REF,
    KINDS,
    N_INPUTS,
    N_STATES,
    Recipe,
    RecurrentSteps,
    Ref,
    Step,
    read_recipe,
    write_recipe,
)
from .recommended._paper import RECURRENT_PAPER
from .recommended._recurrent import RECURRENT, RECURRENT_BANK

_NAMES = (None, *KINDS)  # by the numbers of rows
# Shares of graphs of one, two and three states in NAS-Bench-NLP, rounded.
_STATE_SHARES = (0.45, 0.45, 0.1)
_ACTIVATIONS = ("activation_tanh", "activation_sigm", "activation_leaky_relu")
# Operations of several inputs, and how often they are drawn.
_MIXING = {"linear": 1 / 2, "elementwise_sum": 1 / 6, "elementwise_prod": 1 / 6, "blend": 1 / 6}
# What a row reads: 0 nothing, 1 x, then the states, then nodes.
_SOURCES = (None, INPUT_REF, *(Ref("state", state) for state in range(N_STATES)))
_FIRST_STATE = Ref("state", 0)


class RecurrentGraph(DiscreteSpace):
    """Recurrent graphs with up to three states, as in NAS-Bench-NLP.

    Nodes are linear maps of two or three inputs, with a bias; sums and products of two
    nodes; blends ``a * b + (1 - a) * c``; and tanh, sigmoid and leaky relu. They read the
    input, the states before, and nodes before them [1]_. State 0 is the output.

    A row has four numbers for each of ``max_nodes`` nodes, its operation and its inputs, and
    then the numbers of the nodes that become the states. Its notation is a recipe, a
    dictionary or the JSON of one: under the name of every node its operation ``"op"`` and the
    names that it reads, ``"input"``: nodes, ``"x"`` and ``"h_prev_0"`` and so on. Nodes
    ``"h_new_0"`` and so on become the states; ``"h_new_0_act"`` is a name as any other.

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

    Random graphs grow node by node from a linear map of input and state. What nothing reads
    yet is read first, linear maps are most frequent among the operations of several inputs,
    and one, two or three states as frequent as in the benchmark.

    Repair closes absent nodes up; what was read from them, or from an absent state, becomes
    state 0; missing inputs too, and superfluous ones go. Where the output does not depend on
    the input, its node becomes a linear map that reads it.

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

    _parameter_constraints: ClassVar[Constraints] = {
        "max_nodes": [integers(1)],
    }

    @validated
    def __init__(self, max_nodes: int = 24) -> None:
        self.max_nodes = max_nodes

    @property
    def row_description(self) -> str:
        """One sentence that says what a row of ``X`` is."""
        operations = ", ".join(f"{number}: {name}" for number, name in enumerate(KINDS, 1))
        return (
            f"A row of X is one motif: for each of {self.max_nodes} nodes of a recurrent graph "
            f"its operation (0: no node; {operations}) and "
            "three inputs (0: none, 1: x, 2 to 4: the states before, from 5 on: nodes), and then "
            "the nodes that become the three states, plus 1 (0: no such state)."
        )

    def _columns(self) -> dict[str, int]:
        columns = {}
        for node in range(self.max_nodes):
            columns[f"operation_{node}"] = len(_NAMES)
            columns |= {f"input_{node}_{i}": len(_SOURCES) + node for i in range(N_INPUTS)}
        return columns | {f"state_{i}": self.max_nodes + 1 for i in range(N_STATES)}

    def _check(self, rows: Motifs) -> None:
        super()._check(rows)
        map_numbered("Row", lambda row: _read_row(row).check(), rows)

    def _sample(self, n: int, generator: np.random.RandomState) -> Motifs:
        rows = [_write_row(_grow(self.max_nodes, generator), self.max_nodes) for _ in range(n)]
        return np.reshape(rows, (n, self._n_columns()))

    def _repair(self, rows: Motifs) -> Motifs:
        legal = super()._repair(rows)
        mended = [_write_row(_mended(row), self.max_nodes) for row in legal]
        return np.array(mended, dtype=np.float64).reshape(rows.shape)

    def _blueprint(self, row: Motifs) -> Blueprint:
        graph = _read_row(row)
        # What the output does not depend on has no place in a network.
        used, used_states = graph.used()
        network = BlueprintBuilder()
        places = {INPUT_REF: network.input}
        for state in used_states:
            places[Ref("state", state)] = network.carry()
        for number in used:
            step = graph.steps[number]
            inputs = [places[source] for source in step.inputs]
            if step.name == "linear":
                # [x | h | ...] W + b, as a sum of one product for each source.
                products = [network.add("project", source, units="n_hidden") for source in inputs]
                place = network.add("bias", network.add("sum", *products), units="n_hidden")
            else:
                kind = KINDS[step.name]
                place = network.add(kind.operation, *inputs, parameters=kind.parameters)
            places[Ref("node", number)] = place
        for state in used_states:
            network.fill(places[Ref("state", state)], places[Ref("node", graph.states[state])])
        network.add("linear", places[Ref("node", graph.states[0])], units="n_outputs")
        return canonical(network.build())

    def _graph(self, row: Motifs) -> MotifGraph:
        recipe = self._decode(row)
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

    def _encode(self, motif: Recipe | str) -> list[int]:
        try:
            graph = read_recipe(json.loads(motif) if isinstance(motif, str) else motif)
        except RecursionError:
            raise ValueError("a recipe is no deeper than a node's inputs.") from None
        if len(graph.steps) > self.max_nodes:
            raise ValueError(
                f"it has {len(graph.steps)} nodes, more than max_nodes={self.max_nodes}."
            )
        return _write_row(graph, self.max_nodes)

    def _decode(self, row: Motifs) -> dict[str, dict[str, Any]]:
        return write_recipe(_read_row(row))


def _source_of(number: int) -> Ref | None:
    """Return what a number of a row reads."""
    n_outer = len(_SOURCES)
    return _SOURCES[number] if number < n_outer else Ref("node", number - n_outer)


def _number_of(source: Ref) -> int:
    return len(_SOURCES) + source.number if source.kind == "node" else _SOURCES.index(source)


def _table(row: Motifs) -> tuple[list[list[int]], list[int]]:
    """Split a row into the numbers of each node, and those of the states."""
    numbers = row.astype(int).tolist()
    nodes, states = numbers[:-N_STATES], numbers[-N_STATES:]
    width = 1 + N_INPUTS
    return [nodes[i : i + width] for i in range(0, len(nodes), width)], states


def _read_row(row: Motifs) -> RecurrentSteps:
    """Read a graph off a row in range, which must have no gaps."""
    table, states = _table(row)
    while table and not table[-1][0]:
        if any(table.pop()):
            raise ValueError("an absent node has inputs.")
    steps = []
    for position, (operation, *inputs) in enumerate(table):
        name = _NAMES[operation]
        if name is None:
            raise ValueError(f"node {position} is absent, but later ones are not.")
        given = [source for source in map(_source_of, inputs) if source is not None]
        if not all(inputs[: len(given)]):
            raise ValueError(f"node {position} has a gap between its inputs.")
        steps.append(Step(name, tuple(given)))
    present = [state - 1 for state in states if state]
    if not all(states[: len(present)]):
        raise ValueError("a state is absent, but a later one is not.")
    return RecurrentSteps(steps, present)


def _write_row(graph: RecurrentSteps, max_nodes: int) -> list[int]:
    """Write a graph as a row."""
    row = []
    for step in graph.steps:
        inputs = [_number_of(source) for source in step.inputs]
        row += [_NAMES.index(step.name), *inputs, *[0] * (N_INPUTS - len(inputs))]
    row += [0] * (max_nodes - len(graph.steps)) * (1 + N_INPUTS)
    return row + [node + 1 for node in graph.states] + [0] * (N_STATES - len(graph.states))


def _mended(row: Motifs) -> RecurrentSteps:
    """Make a legal graph of a row in range."""
    table, ends = _table(row)
    there = [position for position, (operation, *_) in enumerate(table) if operation]
    if not there:
        return RecurrentSteps([Step("linear", (INPUT_REF, _FIRST_STATE))], [0])
    places = {old: new for new, old in enumerate(there)}
    # A dictionary keeps the first of states that are the same node.
    states = list(dict.fromkeys(places[end - 1] for end in ends if end - 1 in places))
    states = states or [len(there) - 1]
    steps = [_mended_step(table[old], places, len(states)) for old in there]
    graph = RecurrentSteps(steps, states)
    if not graph.reads_x():
        # The shortest way to make a graph of it: the output's step reads x itself.
        output = states[0]
        steps[output] = Step("linear", (INPUT_REF, steps[output].inputs[0]))
    return graph


def _mended_step(numbers: Sequence[int], places: dict[int, int], n_states: int) -> Step:
    """Make a legal step of a node's numbers; nodes now stand at ``places``."""
    operation, *inputs = numbers
    name = str(_NAMES[operation])
    kind = KINDS[name]

    def legal(source: Ref) -> Ref:
        match source.kind:
            case "node" if source.number in places:
                return Ref("node", places[source.number])
            case "state" if source.number < n_states:
                return source
            case "x" if name == "linear":
                return source
        return _FIRST_STATE

    read = [legal(source) for source in map(_source_of, inputs) if source is not None][: kind.most]
    return Step(name, tuple(read + [_FIRST_STATE] * (kind.fewest - len(read))))


def _grow(max_nodes: int, generator: np.random.RandomState) -> RecurrentSteps:
    """Draw a graph, node by node."""
    n_states = min(1 + generator.choice(N_STATES, p=_STATE_SHARES), max_nodes)
    n_nodes = generator.randint(min(2 * n_states, max_nodes), min(15, max_nodes) + 1)
    steps = [Step("linear", (INPUT_REF, _FIRST_STATE))]
    states = [Ref("state", state) for state in range(n_states)]
    loose = [Ref("node", 0), *states[1:]]  # read by nothing yet
    for number in range(1, n_nodes):
        # Half of the nodes are activations of a linear map, the others mix what is there.
        if generator.random_sample() < 0.5:
            step = _drawn_activation(steps, loose, generator)
        else:
            step = _drawn_mixing(steps, states, loose, generator)
        steps.append(step)
        loose = [one for one in loose if one not in step.inputs] + [Ref("node", number)]
    # The latest nodes that nothing reads become the states, so that few are left over.
    ends = [one.number for one in reversed(loose) if one.kind == "node"]
    ends += [number for number in reversed(range(n_nodes)) if number not in ends]
    return RecurrentSteps(steps, ends[:n_states])


def _drawn_activation(
    steps: Sequence[Step], loose: Sequence[Ref], generator: np.random.RandomState
) -> Step:
    name = _ACTIVATIONS[generator.randint(len(_ACTIVATIONS))]
    linear = [Ref("node", i) for i, step in enumerate(steps) if step.name == "linear"]
    return Step(name, (_drawn_source(linear, loose, generator),))


def _drawn_mixing(
    steps: Sequence[Step],
    states: Sequence[Ref],
    loose: Sequence[Ref],
    generator: np.random.RandomState,
) -> Step:
    name = tuple(_MIXING)[generator.choice(len(_MIXING), p=tuple(_MIXING.values()))]
    kind = KINDS[name]
    hidden = [*states, *(Ref("node", number) for number in range(len(steps)))]
    choices = [INPUT_REF, *hidden] if name == "linear" else hidden
    n_inputs = min(generator.randint(kind.fewest, kind.most + 1), len(choices))
    first = _drawn_source(choices, loose, generator)
    others = [one for one in choices if one != first]
    read = generator.choice(len(others), n_inputs - 1, replace=False)
    return Step(name, (first, *(others[i] for i in read)))


def _drawn_source(
    choices: Sequence[Ref], loose: Sequence[Ref], generator: np.random.RandomState
) -> Ref:
    """Draw one of what nothing reads yet, if there is any."""
    preferred = [one for one in loose if one in choices] or choices
    return preferred[generator.randint(len(preferred))]
