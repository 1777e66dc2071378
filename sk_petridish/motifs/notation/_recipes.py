"""Recipes of recurrent graphs, as NAS-Bench-NLP publishes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

Recipe = Mapping[str, Mapping[str, Any]]
N_INPUTS, N_STATES = 3, 3
"""The most inputs of a node, and the most states of a graph."""
# All other names, "h_new_1_act" among them, are those of inner nodes.
_STATE = re.compile(r"h_new_[0-9]+")


class Kind(NamedTuple):
    """An operation of recipes, and how a blueprint writes it.

    Parameters
    ----------
    operation : str
        The blueprint's name of it.
    fewest, most : int
        Inputs that it takes.
    parameters : tuple of float
        The blueprint's numbers.
    """

    operation: str
    fewest: int
    most: int
    parameters: tuple[float, ...] = ()


# Rows number these from 1 in this order: new ones go to the end. A blueprint's names of
# operations are part of its canonical order, and so of the names of its weights and of the
# values that they start from: other names would change every prediction.
KINDS = {
    "linear": Kind("linear", 2, 3),
    "elementwise_sum": Kind("sum", 2, 2),
    "elementwise_prod": Kind("product", 2, 2),
    "blend": Kind("blend", 3, 3),
    "activation_tanh": Kind("tanh", 1, 1),
    "activation_sigm": Kind("sigmoid", 1, 1, (1.0,)),
    "activation_leaky_relu": Kind("leaky_relu", 1, 1),
}


class Ref(NamedTuple):
    """A source of a step: the input, a state of the time step before, or another step.

    Parameters
    ----------
    kind : {"x", "state", "node"}
        Which of the three.
    number : int
        Number of the state, or position of the step.
    """

    kind: Literal["x", "state", "node"]
    number: int = 0


INPUT_REF = Ref("x")


class Step(NamedTuple):
    """An operation with what it reads.

    Parameters
    ----------
    name : str
        Name of a kind.
    inputs : tuple of Ref
        The input, states, and steps before it.
    """

    name: str
    inputs: tuple[Ref, ...]


class RecurrentSteps(NamedTuple):
    """A recurrent graph, as steps in the order in which they are computed.

    Parameters
    ----------
    steps : list of Step
        The graph.
    states : list of int
        Positions of the steps that become state 0, 1 and so on; state 0 is the output.
    """

    steps: list[Step]
    states: list[int]

    def used(self) -> tuple[list[int], list[int]]:
        """Find what the output depends on, at any time step.

        Returns
        -------
        steps, states : list of int
            Positions of steps and numbers of states, in order.
        """
        pending, used = [Ref("node", self.states[0])], set()
        while pending:
            source = pending.pop()
            if source == INPUT_REF or source in used:
                continue
            used.add(source)
            if source.kind == "state":
                # What was carried over is what a step gave before.
                pending.append(Ref("node", self.states[source.number]))
            else:
                pending.extend(self.steps[source.number].inputs)
        steps = sorted(source.number for source in used if source.kind == "node")
        return steps, sorted(source.number for source in used if source.kind == "state")

    def reads_x(self) -> bool:
        """Return whether the output depends on the input.

        Returns
        -------
        bool
            Whether a step that is used reads x.
        """
        return any(INPUT_REF in self.steps[number].inputs for number in self.used()[0])

    def check(self) -> None:
        """Refuse what is no graph.

        Raises
        ------
        ValueError
            If a step has too few or too many inputs, reads what is not there, or reads x
            and is not linear; if states are not different steps; or if the output does not
            depend on x.
        """
        if not self.states:
            raise ValueError("there is no h_new_0, the output.")
        if max(self.states) >= len(self.steps) or len(set(self.states)) < len(self.states):
            raise ValueError("states are different nodes that are there.")
        for number, step in enumerate(self.steps):
            _check_step(f"node {number} ({step.name})", step, len(self.states))
        if not self.reads_x():
            raise ValueError(
                "the output h_new_0 does not depend on x: it cannot be reached from it."
            )


def _check_step(where: str, step: Step, n_states: int) -> None:
    kind = KINDS[step.name]
    if not kind.fewest <= len(step.inputs) <= kind.most:
        raise ValueError(
            f"{where} has {len(step.inputs)} inputs, but takes {kind.fewest}"
            + (f" to {kind.most}." if kind.most > kind.fewest else ".")
        )
    for source in step.inputs:
        if source == INPUT_REF and step.name != "linear":
            raise ValueError(f"{where} reads x, which may be of another width; only linear may.")
        if source.kind == "state" and source.number >= n_states:
            raise ValueError(
                f"{where} reads h_prev_{source.number}, but there is no h_new_{source.number}."
            )


def read_recipe(recipe: Recipe) -> RecurrentSteps:
    """Read a recipe, and put its nodes into an order in which they can be computed.

    Parameters
    ----------
    recipe : dict
        Under the name of every node its operation ``"op"`` and the names that it reads,
        ``"input"``.

    Returns
    -------
    RecurrentSteps
        The graph, of which only names were checked.

    Raises
    ------
    ValueError
        If nodes are incomplete, names are unknown, there is a cycle, or states are
        missing.
    """
    _check_form(recipe)
    names = _in_order(recipe)
    refs = _outer_names() | {name: Ref("node", number) for number, name in enumerate(names)}
    steps = []
    for name in names:
        operation = recipe[name]["op"]
        if operation not in KINDS:
            raise ValueError(f"{name} has an unknown op {operation!r}; known are {list(KINDS)}.")
        steps.append(Step(operation, tuple(refs[source] for source in recipe[name]["input"])))
        if len(steps[-1].inputs) > N_INPUTS:
            raise ValueError(f"{name} has more than {N_INPUTS} inputs.")
    return RecurrentSteps(steps, [names.index(name) for name in _states_of(names)])


def _check_form(recipe: Any) -> None:
    """Raise ValueError unless it is a dictionary of nodes with names of their own."""
    if not isinstance(recipe, Mapping):
        raise ValueError(f"a recipe is a dictionary of nodes, got {recipe!r:.100}.")
    for name, node in recipe.items():
        if name in _outer_names():
            raise ValueError(f"a node has the name {name!r} of what recipes only read.")
        match node:
            case {"op": str(), "input": list() | tuple() as sources} if all(
                isinstance(one, str) for one in (name, *sources)
            ):
                continue
        raise ValueError(
            f"node {name!r} must have its operation as 'op' and a list of names as 'input', "
            f"got {node!r:.100}."
        )


def _outer_names() -> dict[str, Ref]:
    """Return what a recipe may read besides its nodes."""
    return {"x": INPUT_REF} | {f"h_prev_{state}": Ref("state", state) for state in range(N_STATES)}


def _states_of(names: Sequence[str]) -> list[str]:
    """Return the names of the states, in order."""
    states = [name for name in names if _STATE.fullmatch(name)]
    wanted = [f"h_new_{state}" for state in range(len(states))]
    if not states or sorted(states) != wanted or len(states) > N_STATES:
        raise ValueError(
            f"its states must be called h_new_0 to h_new_{N_STATES - 1} at most, without a gap, "
            f"got {sorted(states)}."
        )
    return wanted


def _in_order(recipe: Recipe) -> list[str]:
    """Order the names of a recipe, as given where possible."""
    known = set(_outer_names())
    for name, node in recipe.items():
        missing = [source for source in node["input"] if source not in known | recipe.keys()]
        if missing:
            raise ValueError(f"{name} reads {missing}, which the recipe does not have.")
    order: list[str] = []
    waiting = list(recipe)
    while waiting:
        # The first that can be computed: a recipe in order stays as it is.
        for name in waiting:
            if all(source in known for source in recipe[name]["input"]):
                break
        else:
            raise ValueError(f"there is a cycle among the nodes {sorted(waiting)}.")
        waiting.remove(name)
        order.append(name)
        known.add(name)
    return order


def write_recipe(graph: RecurrentSteps) -> dict[str, dict[str, Any]]:
    """Write a graph as a recipe.

    Parameters
    ----------
    graph : RecurrentSteps
        A legal graph.

    Returns
    -------
    dict
        Its recipe; nodes that become no state are called by their position.
    """
    news = {node: f"h_new_{state}" for state, node in enumerate(graph.states)}
    names = {ref: name for name, ref in _outer_names().items()}
    for number in range(len(graph.steps)):
        names[Ref("node", number)] = news.get(number, f"node_{number}")
    return {
        names[Ref("node", number)]: {
            "op": step.name,
            "input": [names[source] for source in step.inputs],
        }
        for number, step in enumerate(graph.steps)
    }
