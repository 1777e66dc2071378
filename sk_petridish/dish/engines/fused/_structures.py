"""What kernels are given, and how the workspace that they write to is laid out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._compile import inlined

Floats = NDArray[Any]
Integers = NDArray[np.int64]

# Numbers kept of each weight's update, one block of n_weights after another: the weight
# theta, the gradient g, -dtheta/dm and dtheta/dv, by which the step depends on Adam's means.
# They are kept since running Adam backwards would divide m and v by b1 and b2 at every step,
# which magnifies rounding errors exponentially.
N_KEPT = 4


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
    sample_weight : ndarray of shape (row,)
        What a number that is compared contributes to the mean loss; zero for padding.
    n_batches : int
        Mini-batches.
    n_time_steps, n_scored : int
        Length of the sequences, and for how many of their last steps there are labels.
    """

    x: Floats
    y: Floats
    sample_weight: Floats
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
    n_guard : int
        Numbers left alone between the regions of a workspace: none, but in a test that
        looks whether kernels leave them alone.
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
    n_guard: int


class Workspace(NamedTuple):
    """Where kernels work on one motif-network at a time.

    Parameters
    ----------
    theta, first, second : pointer to n_weights numbers
        Weights and Adam's means.
    values, adjoints : pointer to n_values numbers
        Frames.
    trajectory : pointer to 4 * n_weights numbers for every step that is kept
        What the reverse sweep needs of the updates.
    """

    theta: Any
    first: Any
    second: Any
    values: Any
    adjoints: Any
    trajectory: Any


class AdjointWorkspace(NamedTuple):
    """Where the reverse sweep works.

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
    sample_weight : pointer
        As in :class:`Samples`.
    """

    x: Any
    y: Any
    sample_weight: Any


class WorkspaceLayout(NamedTuple):
    """Where each region of a workspace begins, in numbers from the workspace's own start.

    Parameters
    ----------
    theta, first, second, values, adjoints, trajectory : int
        The regions of :class:`Workspace`.
    gradient : int
        Gradient of the weights, where it is not kept.
    theta_adjoint, first_adjoint, second_adjoint, direction, tangents, adjoint_tangents : int
        The regions of :class:`AdjointWorkspace`.
    data : int
        Adjoints of a dish's data, of one motif-network.
    size : int
        Numbers of the whole workspace.
    """

    theta: int
    first: int
    second: int
    values: int
    adjoints: int
    trajectory: int
    gradient: int
    theta_adjoint: int
    first_adjoint: int
    second_adjoint: int
    direction: int
    tangents: int
    adjoint_tangents: int
    data: int
    size: int


@inlined
def lay_out(plan: Any, n_steps: int, n_adjoint: int, n_data: int) -> Any:
    """Lay out a workspace, and so count its numbers.

    Kernels take the regions' places from here, and Python the size to allocate, so that
    the two cannot differ: kernels write through pointers, which nothing else checks. In
    front of each region, and behind the last, ``plan.n_guard`` numbers are left alone.

    Parameters
    ----------
    plan : Plan
        Sizes.
    n_steps : int
        Inner steps whose updates are kept.
    n_adjoint : int
        1 where training is differentiated, 0 where losses are only measured.
    n_data : int
        Numbers of a dish's data, training and validation, inputs and labels, whose
        adjoints are added up; 0 where there are none.

    Returns
    -------
    WorkspaceLayout
        Where everything lies.
    """
    # As wide as the widest motif-network needs: all of a call work in the same regions, one
    # after the other. Sizes are whole vectors, so that none is read across a border.
    weights, frames, guard = plan.n_weights, plan.n_values, plan.n_guard
    # Training: theta, Adam's m and v; values and adjoints of one mini-batch.
    theta = guard
    first = theta + weights + guard
    second = first + weights + guard
    values = second + weights + guard
    adjoints = values + frames + guard
    # N_KEPT blocks of weights a step: of one step, overwritten by the next, while losses are
    # only measured.
    trajectory = adjoints + frames + guard
    gradient = trajectory + N_KEPT * weights * n_steps + guard
    # The reverse sweep: adjoints of theta, m, v and g, and tangents of values and adjoints.
    # With n_adjoint = 0 they are empty, so that both kernels have the same layout.
    theta_adjoint = gradient + weights + guard
    first_adjoint = theta_adjoint + n_adjoint * weights + guard
    second_adjoint = first_adjoint + n_adjoint * weights + guard
    direction = second_adjoint + n_adjoint * weights + guard
    tangents = direction + n_adjoint * weights + guard
    adjoint_tangents = tangents + n_adjoint * frames + guard
    data = adjoint_tangents + n_adjoint * frames + guard
    # Places ascend in the order of the fields: a guard ends where the next region begins.
    return WorkspaceLayout(
        theta,
        first,
        second,
        values,
        adjoints,
        trajectory,
        gradient,
        theta_adjoint,
        first_adjoint,
        second_adjoint,
        direction,
        tangents,
        adjoint_tangents,
        data,
        data + n_data + guard,
    )


def plan_workspace(
    plan: Plan, n_steps: int, *, differentiates: bool = False, n_data: int = 0
) -> WorkspaceLayout:
    """Return the layout of a workspace, for Python.

    Parameters
    ----------
    plan : Plan
        Sizes.
    n_steps : int
        Inner steps whose updates are kept.
    differentiates : bool, default=False
        Whether training is differentiated.
    n_data : int, default=0
        Numbers of a dish's data.

    Returns
    -------
    WorkspaceLayout
        What :func:`lay_out` returns in kernels.
    """
    layout: WorkspaceLayout = lay_out.py_func(plan, n_steps, int(differentiates), n_data)
    return layout
