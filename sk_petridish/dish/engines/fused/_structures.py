"""What kernels are given, and how the room that they work in is divided."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]
Integers = NDArray[np.int64]


class Programs(NamedTuple):
    """Programs of several motif-networks, one after another.

    Parameters
    ----------
    instructions : ndarray of shape (n_instructions * N_COLUMNS,), int64
        All instructions.
    parameters : ndarray of shape (n_instructions,)
        A number for each.
    first_instruction : ndarray of shape (n_motifs + 1,), int64
        Where each motif's instructions begin.
    n_rows, out : ndarray of shape (n_motifs,), int64
        Rows of a frame, and the first of them that is output.
    weights : ndarray of shape (n_weights,), int64
        Where in theta_init each weight of each motif-network starts.
    first_weight : ndarray of shape (n_motifs + 1,), int64
        Where each motif's weights begin.
    """

    instructions: Integers
    parameters: Floats
    first_instruction: Integers
    n_rows: Integers
    out: Integers
    weights: Integers
    first_weight: Integers


class Samples(NamedTuple):
    """Synthetic data of all dishes, in rows of samples.

    Parameters
    ----------
    x : ndarray of shape (n_dishes * n_batches * n_time_steps * n_inputs * row,)
        Inputs.
    y : ndarray of shape (n_dishes * n_batches * n_scored * n_outputs * row,)
        Labels, of every time step or of the last.
    share : ndarray of shape (row,)
        What a number that is compared contributes to the mean loss; zero for padding.
    n_batches : int
        Mini-batches.
    n_time_steps, n_scored : int
        Length of the sequences, and for how many of their last steps there are labels.
    """

    x: Floats
    y: Floats
    share: Floats
    n_batches: int
    n_time_steps: int
    n_scored: int


class Plan(NamedTuple):
    """Sizes and settings that all motif-networks have in common.

    Parameters
    ----------
    n_motifs : int
        Motif-networks a dish.
    n_initial : int
        Initial weights a dish.
    n_inputs, n_outputs : int
        Widths.
    start : int
        Where the first frame begins: behind one of zeros, carried from nowhere.
    n_values, n_weights : int
        The most numbers in all frames, and the most weights, that a motif-network has;
        weights are padded to whole vectors.
    steps : int
        Inner steps.
    lr, l2 : float
        Learning rate and penalty.
    adam : bool
        Whether the optimiser is Adam.
    loss : int
        Which loss.
    """

    n_motifs: int
    n_initial: int
    n_inputs: int
    n_outputs: int
    start: int
    n_values: int
    n_weights: int
    steps: int
    lr: float
    l2: float
    adam: bool
    loss: int


class Work(NamedTuple):
    """Room for one motif-network at a time.

    Parameters
    ----------
    theta, first, second : pointer to n_weights numbers
        Weights and Adam's means.
    values, adjoints : pointer to n_values numbers
        Frames.
    path : pointer to 4 * n_weights numbers for every step that is kept
        What the way back needs of the updates.
    """

    theta: Any
    first: Any
    second: Any
    values: Any
    adjoints: Any
    path: Any


class Back(NamedTuple):
    """Room for the way back.

    Parameters
    ----------
    theta, first, second : pointer to n_weights numbers
        Adjoints of the weights and of Adam's means.
    direction : pointer to n_weights numbers
        Adjoint of the gradient.
    tangents, adjoint_tangents : pointer to n_values numbers
        Derivatives of values and adjoints along it.
    """

    theta: Any
    first: Any
    second: Any
    direction: Any
    tangents: Any
    adjoint_tangents: Any


class Motif(NamedTuple):
    """A motif-network.

    Parameters
    ----------
    code : Code
        Its program.
    train, valid : Layout
        Its frames, for training and for validation samples.
    n_weights : int
        Its weights, padded.
    """

    code: Any
    train: Any
    valid: Any
    n_weights: int


class Data(NamedTuple):
    """Samples as the kernels read them, or their adjoints.

    Parameters
    ----------
    x, y : pointer
        Inputs and labels of one dish.
    share : pointer
        As in :class:`Samples`.
    """

    x: Any
    y: Any
    share: Any


def room_to_measure(plan: Plan) -> int:
    """Give how many numbers of room :func:`measure` needs.

    Parameters
    ----------
    plan : Plan
        Sizes.

    Returns
    -------
    int
        Numbers.
    """
    # Weights, Adam's means and the gradient; the path of one step.
    return (4 + 4) * plan.n_weights + 2 * plan.n_values


def room_to_differentiate(plan: Plan, n_data: int) -> int:
    """Give how many numbers of room :func:`differentiate` needs.

    Parameters
    ----------
    plan : Plan
        Sizes.
    n_data : int
        Numbers of a dish's data, training and validation, inputs and labels.

    Returns
    -------
    int
        Numbers.
    """
    # As many again on the way back, the gradient's adjoint for the gradient.
    return (8 + 4 * plan.steps) * plan.n_weights + 4 * plan.n_values + n_data
