"""From blueprints to programs for the interpreter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from sk_petridish.blueprints import (
    CARRIED,
    INPUT,
    Blueprint,
    Node,
    SampleShape,
    Widths,
    data_kind,
    get_operation,
)

from ._opcodes import (
    ADD,
    BIAS,
    BLEND,
    ELU,
    EXP,
    LEAKY_RELU,
    LINEAR,
    MULTIPLY,
    PROJECT,
    RECIPROCAL,
    SHIFT,
    SIGMOID,
    SOFTPLUS,
    SQRT,
    TANH,
)
from ._structures import Floats, Integers, Programs

# torch's.
_LEAK = 0.01
# A leaky relu that leaks all.
_COPY = 1.0


class Block(NamedTuple):
    """One weight of a node, as theta_init is drawn for it.

    Parameters
    ----------
    key : int
        The node's key in its blueprint.
    role : str
        Which of the node's weights.
    shape : tuple of int
        Its shape.
    fan_in : int
        How many numbers an output of the node is a weighted sum of.
    """

    key: int
    role: str
    shape: tuple[int, ...]
    fan_in: int

    @property
    def size(self) -> int:
        """Its numbers."""
        return math.prod(self.shape)


class Program:
    """The program of one motif-network.

    Every node owns rows of a frame, one a unit; instructions name rows by number.

    Parameters
    ----------
    blueprint : Blueprint
        The motif. All of its operations have a kernel.
    widths : Widths
        Widths of the motif-network.

    Attributes
    ----------
    instructions : list of tuple of int
        One row of the interpreter's table each.
    parameters : list of float
        A number for each.
    blocks : list of Block
        The weights, in the order in which instructions count them.
    n_rows, out : int
        Rows of a frame, and the first of them that is output.
    """

    def __init__(self, blueprint: Blueprint, widths: Widths) -> None:
        self._widths = [width.units(widths) for width in blueprint.widths()]
        self._keys = blueprint.weight_keys()
        self._rows = [0, *itertools.accumulate(self._widths)]
        self.out, self.n_rows = self._rows[-2:]
        self.instructions: list[tuple[int, ...]] = []
        self.parameters: list[float] = []
        self.blocks: list[Block] = []
        self._n_weights = 0
        carried = []
        for position, node in enumerate(blueprint.nodes):
            if node.operation == CARRIED:
                carried.append(len(self.instructions))
            if node.operation != INPUT:
                _WRITERS[node.operation](self, position, node)
        for index in carried:
            # A row of the frame before lies n_rows above, and only now is n_rows known, since
            # writing adds rows of intermediate results.
            code, out, n_out, first, *rest = self.instructions[index]
            self.instructions[index] = (code, out, n_out, first - self.n_rows, *rest)

    def emit(
        self,
        code: int,
        position: int,
        operands: Iterable[int],
        number: float = 0.0,
        *,
        out: int | None = None,
        n_in: int = 0,
        weight: int = 0,
    ) -> None:
        """Write an instruction.

        Parameters
        ----------
        code : int
            Which one.
        position : int
            The node that it serves; its result is as wide.
        operands : iterable of int
            First rows of what it reads.
        number : float, default=0.0
            Its parameter.
        out : int, default=None
            First row of the result; ``None`` is the node's own.
        n_in : int, default=0
            How many rows the first operand has, where that differs from the result.
        weight : int, default=0
            Its first weight.
        """
        first, second, third = [*operands, 0, 0][:3]
        out = self._rows[position] if out is None else out
        self.instructions.append(
            (code, out, self._widths[position], first, second, third, n_in, weight)
        )
        self.parameters.append(number)

    def operands(self, node: Node) -> list[int]:
        """Return the first rows of what a node reads.

        Parameters
        ----------
        node : Node
            A node of the blueprint.

        Returns
        -------
        list of int
            One an input.
        """
        return [self._rows[source] for source in node.inputs]

    def scratch(self, position: int) -> int:
        """Make room for an intermediate result.

        Parameters
        ----------
        position : int
            The node as wide as which it is.

        Returns
        -------
        int
            Its first row.
        """
        self.n_rows += self._widths[position]
        return self.n_rows - self._widths[position]

    def weights(self, position: int, node: Node) -> dict[str, int]:
        """Lay out the weights of a node.

        Parameters
        ----------
        position : int
            Its position.
        node : Node
            The node.

        Returns
        -------
        dict
            ``n_in``, the width of its input, and ``weight``, the first weight.
        """
        n_in, weight = self._widths[node.inputs[0]], self._n_weights
        operation = get_operation(node.operation)
        attributes = operation.named(node.attributes)
        shapes = operation.weight_shapes(n_in, self._widths[position], **attributes)
        fan_in = operation.fan_in(n_in, **attributes)
        for role, shape in shapes.items():
            self.blocks.append(Block(self._keys[position], role, shape, fan_in))
            self._n_weights += self.blocks[-1].size
        return {"n_in": n_in, "weight": weight}


_Writer = Callable[[Program, int, Node], None]


def _weighted(code: int) -> _Writer:
    """Write an operation that owns weights."""

    def write(program: Program, position: int, node: Node) -> None:
        weights = program.weights(position, node)
        program.emit(code, position, program.operands(node), **weights)

    return write


def _activation(code: int, number: float | None = None) -> _Writer:
    """Write an activation, whose number is given, or else the node's parameter."""

    def write(program: Program, position: int, node: Node) -> None:
        parameter = node.parameters[0] if number is None else number
        program.emit(code, position, program.operands(node), parameter)

    return write


def _fold(code: int, program: Program, position: int, node: Node, number: float) -> None:
    """Combine any number of operands two at a time; the number goes to the last pair."""
    # ((a b) c) d: only the last pair is scaled, so that a mean is one sum and one factor.
    result, *others = program.operands(node)
    if not others:
        program.emit(LEAKY_RELU, position, [result], _COPY)
        return
    for operand in others[:-1]:
        out = program.scratch(position)
        program.emit(code, position, [result, operand], 1.0, out=out)
        result = out
    program.emit(code, position, [result, others[-1]], number)


def _sum(program: Program, position: int, node: Node) -> None:
    _fold(ADD, program, position, node, 1.0)


def _mean(program: Program, position: int, node: Node) -> None:
    _fold(ADD, program, position, node, 1 / len(node.inputs))


def _product(program: Program, position: int, node: Node) -> None:
    _fold(MULTIPLY, program, position, node, 1.0)


def _scale(program: Program, position: int, node: Node) -> None:
    _scaled(program, position, program.operands(node)[0], node.parameters[0])


# Few instructions make many operations: each kernel has four versions (forward, adjoint and
# the tangents of both), all of which must be right.
def _scaled(
    program: Program, position: int, operand: int, factor: float, *, out: int | None = None
) -> int:
    """Write a multiple of an operand, as half of it twice."""
    # ADD computes r (a + b): with a = b and r = factor / 2 that is factor a, exactly.
    program.emit(ADD, position, [operand, operand], factor / 2, out=out)
    return operand if out is None else out


def _maximum(program: Program, position: int, node: Node) -> None:
    _extreme(program, position, node, 1.0)


def _minimum(program: Program, position: int, node: Node) -> None:
    _extreme(program, position, node, -1.0)


def _extreme(program: Program, position: int, node: Node, sign: float) -> None:
    """Write the larger (or smaller) of two: one of them, plus what the other has more."""
    # max(a, b) = a + relu(b - a) and min(a, b) = a - relu(a - b), with sign 1 and -1.
    first, second = program.operands(node)
    less, more, kept = (program.scratch(position) for _ in range(3))
    _scaled(program, position, first, -1.0, out=less)
    program.emit(ADD, position, [second, less], sign, out=more)
    program.emit(LEAKY_RELU, position, [more], 0.0, out=kept)
    signed = _scaled(program, position, kept, sign, out=program.scratch(position))
    program.emit(ADD, position, [first, signed], 1.0)


def _blend(program: Program, position: int, node: Node) -> None:
    program.emit(BLEND, position, program.operands(node))


def _highway(program: Program, position: int, node: Node) -> None:
    # carry + sigmoid(gate) (candidate - carry).
    carry, gate, candidate = program.operands(node)
    opened = program.scratch(position)
    program.emit(SIGMOID, position, [gate], 1.0, out=opened)
    program.emit(BLEND, position, [opened, candidate, carry])


_WRITERS: dict[str, _Writer] = {
    CARRIED: _activation(LEAKY_RELU, _COPY),
    "linear": _weighted(LINEAR),
    "project": _weighted(PROJECT),
    "bias": _weighted(BIAS),
    "identity": _activation(LEAKY_RELU, _COPY),
    "sigmoid": _activation(SIGMOID),
    "tanh": _activation(TANH, 0.0),
    "relu": _activation(LEAKY_RELU, 0.0),
    "leaky_relu": _activation(LEAKY_RELU, _LEAK),
    "elu": _activation(ELU, 0.0),
    "softplus": _activation(SOFTPLUS, 0.0),
    "exp": _activation(EXP, 0.0),
    "sqrt": _activation(SQRT, 0.0),
    "reciprocal": _activation(RECIPROCAL, 0.0),
    "abs": _activation(LEAKY_RELU, -1.0),
    "shift": _activation(SHIFT),
    "scale": _scale,
    "sum": _sum,
    "mean": _mean,
    "product": _product,
    "maximum": _maximum,
    "minimum": _minimum,
    "blend": _blend,
    "highway": _highway,
}


def without_kernel(blueprints: Iterable[Blueprint]) -> list[str]:
    """Name the operations that the fused engine cannot run.

    Parameters
    ----------
    blueprints : iterable of Blueprint
        Motifs.

    Returns
    -------
    list of str
        Names of their operations that have no kernel, sorted.
    """
    used = {node.operation for blueprint in blueprints for node in blueprint.nodes}
    return sorted(used - {INPUT, *_WRITERS})


class FusedNetwork:
    """Motif-networks as the fused engine runs them.

    Parameters
    ----------
    blueprints : sequence of Blueprint
        One a motif-network.
    widths : Widths
        The widths of every motif-network.
    sample_shape : tuple of int
        Axes of a sample beside its features.
    dtype : numpy.dtype
        Of the blueprints' parameters.

    Attributes
    ----------
    n_motifs : int
        Number of motif-networks.
    widths : Widths
        Their widths.
    programs : Programs
        What the kernels read.

    Raises
    ------
    ValueError
        If samples are images, or a motif is recurrent and they are no sequences.
    """

    def __init__(
        self,
        blueprints: Sequence[Blueprint],
        widths: Widths,
        sample_shape: SampleShape,
        dtype: Any,
    ) -> None:
        if data_kind(sample_shape) == "images":
            raise ValueError("The kernels read vectors and sequences, not images.")
        for blueprint in blueprints:
            blueprint.shapes(sample_shape)  # refuses samples that the motif has no meaning on
        self.n_motifs = len(blueprints)
        self.widths = widths
        written = [Program(blueprint, widths) for blueprint in blueprints]
        # Where each weight's initial values begin: those of one key, role and shape
        # are the same for all motifs (section 3.1).
        self._blocks: dict[Block, int] = {}
        self._n_initial = 0
        weights = [self._places(program.blocks) for program in written]
        self.programs = Programs(
            instructions=np.array(
                [row for program in written for row in program.instructions], np.int64
            ).ravel(),
            parameters=np.array([x for program in written for x in program.parameters], dtype),
            first_instruction=_ends([len(program.instructions) for program in written]),
            n_rows=np.array([program.n_rows for program in written], np.int64),
            out=np.array([program.out for program in written], np.int64),
            weights=np.concatenate(weights),
            first_weight=_ends([len(places) for places in weights]),
        )

    def _places(self, blocks: Iterable[Block]) -> Integers:
        """Return where in theta_init the weights of a motif-network start from."""
        places = []
        for block in blocks:
            if block not in self._blocks:
                self._blocks[block] = self._n_initial
                self._n_initial += block.size
            places.append(np.arange(self._blocks[block], self._blocks[block] + block.size))
        return np.concatenate(places)

    def initial_weights(self, draw: Callable[..., Any]) -> Floats:
        """Lay out theta_init.

        Parameters
        ----------
        draw : callable
            ``draw(key, role, shape, fan_in) -> Tensor`` of shape
            ``(n_dishes, *shape)``: the initial values of one weight in every dish.

        Returns
        -------
        ndarray of shape (n_dishes, n_initial)
            Initial values.
        """
        drawn = [draw(*block).flatten(1).numpy() for block in self._blocks]
        return np.concatenate(drawn, axis=1)


def _ends(lengths: Sequence[int]) -> Integers:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
