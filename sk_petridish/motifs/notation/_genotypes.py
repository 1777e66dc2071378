"""Recurrent cells as DARTS and ENAS write them: genotypes and arcs."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ._python_text import literal, parse_expression

# More than any cell has, so that a range without an end can be refused.
_MOST = 10_000
_NUMBERS = re.compile(r"\s*[\[(]?[\d\s,]+[\])]?\s*", re.ASCII)
# Where a genotype begins in a line of a log, or behind the name that it is assigned to.
_BEGINNING = re.compile(r"\b\w+\s*\(\s*recurrent\s*=")
_ROOT = "tanh"


class Genotype(NamedTuple):
    """A recurrent cell as DARTS publishes it.

    Parameters
    ----------
    recurrent : list of (str, int)
        The activation and the previous node of nodes 1, 2 and so on.
    concat : list of int or None
        Nodes of which the new state is the mean; ``None`` where nothing is said about it.
    """

    recurrent: list[tuple[str, int]]
    concat: list[int] | None = None


def read_cell(motif: Any) -> Genotype | list[int]:
    """Read a genotype, pairs, or the numbers of an arc.

    Parameters
    ----------
    motif : object
        Something with an attribute ``recurrent`` and perhaps ``concat``; a sequence of pairs
        of an activation and a previous node; a sequence of integers; or the text of one.

    Returns
    -------
    Genotype or list of int
        The same, checked; integers remain as they are.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if isinstance(motif, str):
        motif = _of_text(motif)
    if hasattr(motif, "recurrent"):
        concat = getattr(motif, "concat", None)
        return Genotype(_pairs(motif.recurrent), None if concat is None else _ends(concat))
    items = _listed(motif, "a recurrent cell")
    numbers = [_integer(item) for item in items]
    if items and None not in numbers:
        return [number for number in numbers if number is not None]
    return Genotype(_pairs(items))


def read_arc(numbers: Sequence[int], names: Sequence[str]) -> list[tuple[str, int]]:
    """Read an arc: for every node the previous one and the number of its activation.

    Parameters
    ----------
    numbers : sequence of int
        In turn, both of every node from 1 on. If their number is odd, the first is that of
        node 0's activation, as in ENAS.
    names : sequence of str
        Names of the activations by their numbers.

    Returns
    -------
    list of (str, int)
        The activation and the previous node of every node.

    Raises
    ------
    ValueError
        If a number is illegal at its place, or the activation of node 0 is not tanh.
    """
    n_root = len(numbers) % 2
    root, previous, activations = numbers[:n_root], numbers[n_root::2], numbers[n_root + 1 :: 2]
    wrong = [number for number in (*root, *activations) if not 0 <= number < len(names)]
    if wrong:
        raise ValueError(
            f"Activations have the numbers 0 to {len(names) - 1} in {names}, got {wrong}."
        )
    for number in root:
        if names[number] != _ROOT:
            raise ValueError(
                f"The activation of node 0 is {names[number]}, and in this space always {_ROOT}."
            )
    return _pairs(zip((names[number] for number in activations), previous, strict=True))


def _of_text(text: str) -> Any:
    """Parse text; nothing of it is ever evaluated."""
    if _NUMBERS.fullmatch(text):
        return [int(number) for number in re.findall(r"[0-9]+", text)]
    beginning = _BEGINNING.search(text)
    written = text[beginning.start() :] if beginning else text
    try:
        match parse_expression(written):
            case ast.Call(args=args, keywords=keywords):
                parts = dict(zip(Genotype._fields, args, strict=False))
                parts |= {str(keyword.arg): keyword.value for keyword in keywords}
                return Genotype(**{name: _literal(part) for name, part in parts.items()})
            case node:
                return literal(node)
    except (ValueError, TypeError):
        raise ValueError(
            f"{text!r:.200} is no text of a recurrent genotype, of pairs or of numbers."
        ) from None


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Call(func=ast.Name(id="range"), args=args, keywords=[]):
            return range(*map(literal, args))
    return literal(node)


def _pairs(value: Any) -> list[tuple[str, int]]:
    """Check pairs of an activation and a previous node."""
    pairs = []
    for node, item in enumerate(_listed(value, "a recurrent cell"), start=1):
        match _listed(item, f"Node {node}"):
            case [str(name), read]:
                previous = _integer(read)
                if previous is not None and 0 <= previous < node:
                    pairs.append((name, previous))
                    continue
        raise ValueError(
            f"Node {node} is {item!r:.100}, which must be a pair of its activation and of the "
            f"node that it reads, a number from 0 to {node - 1}."
        )
    return pairs


def _ends(value: Any) -> list[int]:
    """Check the nodes that a concat names."""
    items = _listed(value, "a concat")
    numbers = [number for number in map(_integer, items) if number is not None]
    if len(numbers) < len(items):
        raise ValueError(f"a concat is a list of integers, got {items!r:.100}.")
    return numbers


def _integer(value: Any) -> int | None:
    """Return an integer of any type, and ``None`` for everything else."""
    try:
        return operator.index(value)
    except TypeError:
        return None


def _listed(value: Any, name: str) -> list[Any]:
    if not isinstance(value, Iterable) or isinstance(value, Mapping):
        raise ValueError(f"{name} must be a list, got {value!r:.100}.")
    items = list(islice(value, _MOST + 1))
    if len(items) > _MOST:
        raise ValueError(f"{name} has more than {_MOST} items.")
    return items
