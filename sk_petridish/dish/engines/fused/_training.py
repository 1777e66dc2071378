"""The kernels: training motif-networks, and the gradient through their training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._compile import compiled, inlined
from ._instructions import Code, Layout, backward, backward_jvp, forward, forward_jvp
from ._losses import loss, loss_jvp
from ._structures import (
    N_KEPT,
    AdjointWorkspace,
    Data,
    Floats,
    Integers,
    Motif,
    Workspace,
    lay_out,
)
from ._updates import update, update_back
from ._vectors import address, broadcast, load, n_lanes, offset, store


@inlined
def _workspace(layout: Any, base: Any) -> Any:
    """Find the regions that training needs."""
    return Workspace(
        offset(base, layout.theta),
        offset(base, layout.first),
        offset(base, layout.second),
        offset(base, layout.values),
        offset(base, layout.adjoints),
        offset(base, layout.trajectory),
    )


@inlined
def _adjoint_workspace(layout: Any, base: Any) -> Any:
    """Find the regions that the reverse sweep needs."""
    return AdjointWorkspace(
        offset(base, layout.theta_adjoint),
        offset(base, layout.first_adjoint),
        offset(base, layout.second_adjoint),
        offset(base, layout.direction),
        offset(base, layout.tangents),
        offset(base, layout.adjoint_tangents),
    )


@inlined
def _lengths(plan: Any, samples: Any) -> Any:
    """Return how many numbers a dish's inputs and labels are."""
    n_rows = samples.n_batches * len(samples.sample_weight)
    n_x, n_y = samples.n_time_steps * plan.n_inputs, samples.n_scored * plan.n_outputs
    return n_rows * n_x, n_rows * n_y


@inlined
def _data(plan: Any, samples: Any, d: int) -> Any:
    """Find the data of a dish."""
    n_x, n_y = _lengths(plan, samples)
    return Data(
        offset(address(samples.x), d * n_x),
        offset(address(samples.y), d * n_y),
        address(samples.sample_weight),
    )


@inlined
def _data_adjoints(plan: Any, samples: Any, base: Any) -> Any:
    """Find the adjoints of a dish's data; those of other samples may follow."""
    n_x, n_y = _lengths(plan, samples)
    adjoints = Data(base, offset(base, n_x), address(samples.sample_weight))
    return adjoints, offset(base, n_x + n_y)


@inlined
def _layout(plan: Any, n_rows: int, samples: Any) -> Any:
    row = len(samples.sample_weight)
    return Layout(plan.start, n_rows * row, row, samples.n_time_steps, samples.n_scored)


@inlined
def _motif(programs: Any, plan: Any, m: int, train: Any, valid: Any) -> Any:
    """Find what belongs to a motif."""
    code = Code(
        address(programs.instructions),
        address(programs.parameters),
        programs.first_instruction[m],
        programs.first_instruction[m + 1],
        plan.n_inputs,
        programs.out[m],
    )
    # Weights are padded to whole vectors. The padding starts at 0 and stays there: its
    # gradient is 0, and so are Adam's means and the step.
    n_rows, lanes = programs.n_rows[m], n_lanes(address(programs.parameters))
    n_weights = programs.first_weight[m + 1] - programs.first_weight[m]
    return Motif(
        code,
        _layout(plan, n_rows, train),
        _layout(plan, n_rows, valid),
        (n_weights + lanes - 1) // lanes * lanes,
    )


@inlined
def _kept(plan: Any, gradients: Any, network: int, step: int, otherwise: Any) -> Any:
    """Find where the gradient of a step is kept, if it is."""
    # Of all that training computes, the gradient alone takes a forward and a backward pass;
    # it is a quarter of a trajectory, and theta, m and v follow from it by updates.
    if network < len(gradients):
        return offset(address(gradients), (network * plan.steps + step) * plan.n_weights)
    return otherwise


@inlined
def _clear(pointer: Any, n: int) -> None:
    zero = broadcast(pointer, 0.0)
    for s in range(0, n, n_lanes(pointer)):
        store(pointer, s, zero)


@inlined
def _move(into: Any, out_of: Any, n: int) -> None:
    for s in range(0, n, n_lanes(into)):
        store(into, s, load(out_of, s))


@inlined
def _add(into: Any, out_of: Any, n: int) -> None:
    for s in range(0, n, n_lanes(into)):
        store(into, s, load(into, s) + load(out_of, s))


@inlined
def _begin(programs: Any, m: int, theta_init: Any, work: Any, n_weights: int) -> None:
    """Set a motif-network to its initial weights."""
    _clear(work.theta, n_weights)
    _clear(work.first, n_weights)
    _clear(work.second, n_weights)
    first = programs.first_weight[m]
    for w in range(programs.first_weight[m + 1] - first):
        work.theta[w] = theta_init[programs.weights[first + w]]


@inlined
def _scored(plan: Any, code: Any, at: Any, batch: int, scored: int) -> Any:
    """Return where the outputs and labels begin of a time step that has labels."""
    t = at.n_frames - at.n_scored + scored
    z = at.start + t * at.frame + code.out * at.row
    return z, (batch * at.n_scored + scored) * plan.n_outputs * at.row


@compiled
def _evaluate(
    plan: Any, code: Any, at: Any, data: Any, batch: int, work: Any, with_value: bool
) -> Any:
    """Compute the loss on a mini-batch, and the adjoints of the outputs."""
    length = plan.n_inputs * at.row
    for t in range(at.n_frames):
        x = (batch * at.n_frames + t) * length
        _move(offset(work.values, at.start + t * at.frame), offset(data.x, x), length)
    forward(code, at, work.theta, work.values)
    # Those of what is carried from before the first frame are added up, but never read.
    _clear(offset(work.adjoints, at.start), at.n_frames * at.frame)
    value = 0.0
    for scored in range(at.n_scored):
        z, y = _scored(plan, code, at, batch, scored)
        value += loss(
            plan.loss,
            plan.n_outputs,
            at.row,
            offset(work.values, z),
            offset(data.y, y),
            data.sample_weight,
            offset(work.adjoints, z),
            with_value,
        )
    return value


@compiled
def _learn(plan: Any, motif: Any, step: int, work: Any, gradient: Any, trajectory: Any) -> None:
    """Update the weights, after the training loss was computed; leave their gradient."""
    _clear(gradient, motif.n_weights)
    backward(motif.code, motif.train, work.theta, work.values, work.adjoints, gradient, True)
    update(plan, step, motif.n_weights, work, gradient, trajectory)


@compiled
def _evaluate_back(
    plan: Any,
    code: Any,
    at: Any,
    weight: Any,
    batch: int,
    work: Any,
    back: Any,
    data: Any,
    adjoints: Any,
) -> None:
    """Add to the adjoints of weights and data, after the loss was computed.

    What is added is ``weight`` times the gradient, and the gradient's derivative along
    ``back.direction``.
    """
    # With L(theta, x) the loss, d the direction and w the weight, these are added:
    #   theta* += w dL/dtheta + (d2L/dtheta dtheta) d
    #   x*     += w dL/dx     + (d2L/dx dtheta) d       and the same for the labels y
    # The second terms are d/de of dL/dtheta and dL/dx at theta + e d, e = 0: the tangents of
    # the backward pass. The first ones ride along from `loss_jvp`, as all after it is linear.
    backward(code, at, work.theta, work.values, work.adjoints, work.theta, False)
    length = plan.n_inputs * at.row
    for t in range(at.n_frames):
        # The input does not move; other frames may have left something here.
        _clear(offset(back.tangents, at.start + t * at.frame), length)
    forward_jvp(code, at, work.theta, back.direction, work.values, back.tangents)
    _clear(offset(back.adjoint_tangents, at.start), at.n_frames * at.frame)
    for scored in range(at.n_scored):
        z, y = _scored(plan, code, at, batch, scored)
        loss_jvp(
            plan.loss,
            plan.n_outputs,
            at.row,
            offset(work.values, z),
            offset(back.tangents, z),
            offset(data.y, y),
            data.sample_weight,
            weight,
            offset(work.adjoints, z),
            offset(back.adjoint_tangents, z),
            offset(adjoints.y, y),
        )
    backward_jvp(
        code,
        at,
        work.theta,
        back.direction,
        work.values,
        back.tangents,
        work.adjoints,
        back.adjoint_tangents,
        back.theta,
    )
    for t in range(at.n_frames):
        x = (batch * at.n_frames + t) * length
        moved = offset(back.adjoint_tangents, at.start + t * at.frame)
        _add(offset(adjoints.x, x), moved, length)


def measure(
    first: int,
    last: int,
    programs: Any,
    plan: Any,
    theta_init: Floats,
    train: Any,
    valid: Any,
    checkpoints: Integers,
    workspace: Floats,
    gradients: Floats,
    curves: NDArray[np.float64],
) -> None:
    """Train motif-networks and record their losses.

    Parameters
    ----------
    first, last : int
        Which of the n_dishes * n_motifs motif-networks, dish by dish.
    programs : Programs
        The motifs.
    plan : Plan
        Sizes and settings.
    theta_init : ndarray of shape (n_dishes * n_initial,)
        Initial weights.
    train, valid : Samples
        Data.
    checkpoints : ndarray of shape (n_checkpoints,), int64
        Steps at which to record, ascending; the last is the number of steps.
    workspace : ndarray of shape (size,)
        As large as :func:`lay_out` says for one step that is kept; zero at first, so that
        what is carried from before the first time step is.
    gradients : ndarray of shape (n_kept, steps * n_weights)
        Where the gradients of the weights go, for the first n_kept motif-networks.
    curves : ndarray of shape (n_dishes, n_motifs, n_checkpoints, 3), float64
        Where training loss, validation loss and mean training loss go.
    """
    layout, base = lay_out(plan, 1, 0, 0), address(workspace)
    work, scratch = _workspace(layout, base), offset(base, layout.gradient)
    for network in range(first, last):
        d, m = network // plan.n_motifs, network % plan.n_motifs
        motif = _motif(programs, plan, m, train, valid)
        seen, unseen = _data(plan, train, d), _data(plan, valid, d)
        theta = offset(address(theta_init), d * plan.n_initial)
        _begin(programs, m, theta, work, motif.n_weights)
        summed, recorded = 0.0, 0
        # Losses are those before a step, and one round more gives those after the last;
        # that is the last checkpoint, so that ``recorded`` is never past the end here.
        for step in range(plan.steps + 1):
            now = step == checkpoints[recorded]
            if now:
                value = _evaluate(plan, motif.code, motif.valid, unseen, 0, work, True)
                curves[d, m, recorded, 1] = value
            batch = step % train.n_batches
            value = _evaluate(plan, motif.code, motif.train, seen, batch, work, True)
            if now:
                curves[d, m, recorded, 0] = value
                curves[d, m, recorded, 2] = summed / step if step > 0 else value
                recorded += 1
            summed += value
            if step < plan.steps:
                gradient = _kept(plan, gradients, network, step, scratch)
                _learn(plan, motif, step, work, gradient, work.trajectory)


@inlined
def _replay_training(
    plan: Any,
    motif: Any,
    network: int,
    seen: Any,
    n_batches: int,
    gradients: Any,
    scratch: Any,
    work: Any,
) -> None:
    """Repeat the training of a motif-network, and note its trajectory down."""
    for step in range(plan.steps):
        trajectory = offset(work.trajectory, N_KEPT * motif.n_weights * step)
        gradient = _kept(plan, gradients, network, step, scratch)
        if network < len(gradients):
            update(plan, step, motif.n_weights, work, gradient, trajectory)
        else:
            _evaluate(plan, motif.code, motif.train, seen, step % n_batches, work, False)
            _learn(plan, motif, step, work, gradient, trajectory)


@inlined
def _reverse_sweep(
    plan: Any,
    motif: Any,
    weights: Any,
    data: Any,
    adjoints: Any,
    n_batches: int,
    work: Any,
    back: Any,
) -> None:
    """Carry the derivatives of a motif-network's losses back through its training."""
    (seen, unseen), (seen_adjoints, unseen_adjoints) = data, adjoints
    n = motif.n_weights
    _clear(back.theta, n)
    _clear(back.first, n)
    _clear(back.second, n)
    _clear(back.direction, n)
    # Training is (theta, m, v)_{t+1} = U(theta_t, m_t, v_t, g_t) with g_t = dL/dtheta(theta_t).
    # Losses at step t were computed from theta_t, before its update: so the update t is
    # undone first, and its gradient's adjoint is the direction of the derivative at theta_t:
    #   m_t*, v_t*, g_t* and a part of theta_t* from theta_{t+1}*, m_{t+1}*, v_{t+1}*;
    #   theta_t* += w_t dL/dtheta + (d2L/dtheta dtheta) g_t*, and likewise for the data.
    for step in range(plan.steps, -1, -1):
        if step < plan.steps:
            trajectory = offset(work.trajectory, N_KEPT * n * step)
            update_back(plan, n, trajectory, back)
            _move(work.theta, trajectory, n)
        weight = weights[step, 0]
        if step < plan.steps or weight != 0.0:
            at, batch = motif.train, step % n_batches
            _evaluate(plan, motif.code, at, seen, batch, work, False)
            _evaluate_back(plan, motif.code, at, weight, batch, work, back, seen, seen_adjoints)
        weight = weights[step, 1]
        if weight != 0.0:
            # Validation follows no update, so that there is nothing to go along.
            _clear(back.direction, n)
            at = motif.valid
            _evaluate(plan, motif.code, at, unseen, 0, work, False)
            _evaluate_back(plan, motif.code, at, weight, 0, work, back, unseen, unseen_adjoints)


def differentiate(
    first: int,
    last: int,
    n_summed: int,
    programs: Any,
    plan: Any,
    theta_init: Floats,
    train: Any,
    valid: Any,
    weights: NDArray[np.float64],
    gradients: Floats,
    workspace: Floats,
    sums: Floats,
) -> None:
    """Carry derivatives with respect to the losses back to the data.

    The training of every motif-network is repeated, by its gradients where they were
    kept, and its trajectory noted down. The reverse sweep takes one step at a time. From the
    adjoints of the weights and of Adam's means after a step follow those before it, weight by
    weight, and the adjoint of the gradient. What that adjoint contributes to the adjoints of
    weights and data is the directional derivative of forward and backward pass along it.

    Parameters
    ----------
    first, last : int
        Which groups of motif-networks, dish by dish.
    n_summed : int
        Motif-networks in a group, all of the same dish; a dish's last may have fewer.
    programs, plan, theta_init, train, valid
        As in :func:`measure`.
    weights : ndarray of shape (last - first, n_summed, steps + 1, 2), float64
        Derivatives with respect to the training and the validation loss before each
        step, and after the last.
    gradients : ndarray of shape (n_kept, steps * n_weights)
        Gradients of the weights, as :func:`measure` left them.
    workspace : ndarray of shape (size,)
        As large as :func:`lay_out` says for all steps; zero at first.
    sums : ndarray of shape (last - first, n_data)
        Where the sums over the motif-networks of a group go, zero at first: derivatives
        with respect to training inputs and labels, and to those for validation, laid out
        as these.
    """
    n_data = sums.shape[1]
    layout, base = lay_out(plan, plan.steps, 1, n_data), address(workspace)
    work, back = _workspace(layout, base), _adjoint_workspace(layout, base)
    scratch, own = offset(base, layout.gradient), offset(base, layout.data)
    n_groups = (plan.n_motifs + n_summed - 1) // n_summed
    for group in range(first, last):
        d, begin = group // n_groups, group % n_groups * n_summed
        seen, unseen = _data(plan, train, d), _data(plan, valid, d)
        seen_adjoints, after = _data_adjoints(plan, train, own)
        unseen_adjoints, _ = _data_adjoints(plan, valid, after)
        data, adjoints = (seen, unseen), (seen_adjoints, unseen_adjoints)
        theta = offset(address(theta_init), d * plan.n_initial)
        for m in range(begin, min(begin + n_summed, plan.n_motifs)):
            motif, network = _motif(programs, plan, m, train, valid), d * plan.n_motifs + m
            # theta_t cannot be computed from theta_(t+1), so training runs again forwards
            # and notes down what the sweep needs of every update.
            _begin(programs, m, theta, work, motif.n_weights)
            _replay_training(plan, motif, network, seen, train.n_batches, gradients, scratch, work)
            # Apart from the sums, which a motif-network that diverged would spoil.
            _clear(own, n_data)
            _reverse_sweep(
                plan,
                motif,
                weights[group - first, m - begin],
                data,
                adjoints,
                train.n_batches,
                work,
                back,
            )
            for i in range(n_data):
                # What diverged has no say. The order of summation is that of the motifs in
                # their group, whatever the thread: sums are the same to the last bit.
                if math.isfinite(own[i]):
                    sums[group - first, i] += own[i]
