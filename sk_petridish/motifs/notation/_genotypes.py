"""Recurrent cells as DARTS and ENAS write them: genotypes and arcs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ._integers import integer
from ._python_text import literal, parse_expression

# More than any cell has, so that a range without an end can be refused.
_MOST = 10_000
_NUMBERS = re.compile(r"\s*[\[(]?[\d\s,]+[\])]?\s*", re.ASCII)
# Where a genotype begins in a line of a log, or behind the name that it is assigned to.
_BEGINNING = re.compile(
    r"\b\w+\s*\(\s*(?:recurrent|concat)\s*=|\{\s*['\"](?:recurrent|concat)['\"]\s*:"
)
# What tells where it ends: brackets, outside of quotes.
_BRACKETS = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|[(\[{]|[)\]}]")
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
        Something with an attribute ``recurrent`` and perhaps ``concat``, or a dictionary of
        both; a sequence of pairs of an activation and a previous node; a sequence of integers;
        or the text of one. Genotypes may have other text around theirs.

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
    if isinstance(motif, Mapping):
        motif = _of_parts(motif)
    if hasattr(motif, "recurrent"):
        concat = getattr(motif, "concat", None)
        return Genotype(_pairs(motif.recurrent), None if concat is None else _ends(concat))
    items = _listed(motif, "a recurrent cell")
    numbers = [integer(item) for item in items]
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
    written = _genotype_in(text)
    try:
        match parse_expression(written):
            case ast.Call(args=args, keywords=keywords):
                parts = dict(zip(Genotype._fields, args, strict=False))
                parts |= {str(keyword.arg): keyword.value for keyword in keywords}
                return Genotype(**{name: _literal(part) for name, part in parts.items()})
            case node:
                return _literal(node)
    except (ValueError, TypeError):
        raise ValueError(
            f"{text!r:.200} is no text of a recurrent genotype, of pairs or of numbers."
        ) from None


def _genotype_in(text: str) -> str:
    """Return the genotype in a line of a log, and text without one as it is."""
    beginnings = [found.start() for found in _BEGINNING.finditer(text)]
    if not beginnings:
        return text
    if len(beginnings) > 1:
        raise ValueError(f"{text!r:.200} has {len(beginnings)} genotypes.")
    depth = 0
    for found in _BRACKETS.finditer(text, beginnings[0]):
        depth += (found[0] in "([{") - (found[0] in ")]}")
        if depth == 0:
            return text[beginnings[0] : found.end()]
    return text


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Call(func=ast.Name(id="range"), args=args, keywords=[]):
            return range(*map(literal, args))
        case ast.Call(func=ast.Name(id="list" | "tuple" | "sorted"), args=[items], keywords=[]):
            return _literal(items)
        case ast.Dict(keys=keys, values=values):
            names = [literal(key) for key in keys if key is not None]
            return dict(zip(names, map(_literal, values), strict=True))
    return literal(node)


def _of_parts(parts: Mapping[Any, Any]) -> Genotype:
    """Read a dictionary of what a genotype has."""
    unknown = [name for name in parts if name not in Genotype._fields]
    if unknown or "recurrent" not in parts:
        raise ValueError(
            f"a dictionary of a genotype has 'recurrent' and perhaps 'concat', got {parts!r:.200}."
        )
    return Genotype(**parts)


def _pairs(value: Any) -> list[tuple[str, int]]:
    """Check pairs of an activation and a previous node."""
    pairs = []
    for node, item in enumerate(_listed(value, "a recurrent cell"), start=1):
        match _listed(item, f"Node {node}"):
            case [str(name), read]:
                previous = integer(read)
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
    numbers = [number for number in map(integer, items) if number is not None]
    if len(numbers) < len(items):
        raise ValueError(f"a concat is a list of integers, got {items!r:.100}.")
    return numbers


def _listed(value: Any, name: str) -> list[Any]:
    # Bytes are a sequence of integers, but not of anybody's.
    if not isinstance(value, Iterable) or isinstance(value, Mapping | bytes | bytearray):
        raise ValueError(f"{name} must be a list, got {value!r:.100}.")
    items = list(islice(value, _MOST + 1))
    if len(items) > _MOST:
        raise ValueError(f"{name} has more than {_MOST} items.")
    return items
