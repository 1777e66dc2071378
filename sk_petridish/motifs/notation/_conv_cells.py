"""Cells of six edges, as NAS-Bench-201, TransNAS-Bench-101, AutoDL and NASLib write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from ._integers import integer
from ._python_text import literal, parse_expression

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""All operations, in the order of NAS-Bench-201; its first four are TransNAS-Bench-101's."""
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""From and to which of the four feature maps, in the order of both benchmarks' strings."""
# NASLib's own orders of operations and of edges.
_OF_NASLIB = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_EDGES_OF_NASLIB = sorted(EDGES)
# Of each edge the name of the operation, and all else as the benchmark writes it.
_CELL = re.compile(
    r"\s*\+\s*".join(
        r"\|" + "".join(rf"\s*(\w+)\s*~\s*{start}\s*\|" for start in range(end))
        for end in range(1, 4)
    )
)
# What AutoDL's object prints around the cell.
_STRUCTURE = re.compile(r"Structure\(4 nodes with (.*)\)", re.DOTALL)
# Perhaps width and macro skeleton, and the digits of the edges that lead to maps 1, 2 and 3.
_MICRO = re.compile(r"(?:\d+-\d+-)?(\d)_(\d\d)_(\d\d\d)", re.ASCII)
_MACRO = re.compile(r"\d+-\d+-[a-z]+", re.ASCII)
# As NumPy prints integers.
_ARRAY = re.compile(r"\[[\d\s]+\]", re.ASCII)

Names = Sequence[str]


def read_conv_cell(motif: Any) -> Names:
    """Read a cell.

    Parameters
    ----------
    motif : object
        A string of NAS-Bench-201 or of TransNAS-Bench-101; AutoDL's list of the pairs
        (operation, map) that lead to maps 1, 2 and 3; NASLib's six integers; the text of a
        list, tuple or array; or AutoDL's object, whose ``tostr()`` is the string. White space
        between the parts of a string is ignored.

    Returns
    -------
    sequence of str
        The name of the operation on each of ``EDGES``.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if hasattr(motif, "tostr"):
        motif = motif.tostr()
    return _of_text(motif.strip()) if isinstance(motif, str) else _of_items(motif)


def write_conv_cell(names: Names) -> str:
    """Write a cell as NAS-Bench-201 does.

    Parameters
    ----------
    names : sequence of str
        The name of the operation on each of ``EDGES``.

    Returns
    -------
    str
        The string.
    """
    edges = dict(zip(EDGES, names, strict=True))
    return "+".join(
        "|" + "".join(f"{edges[start, end]}~{start}|" for start in range(end))
        for end in range(1, 4)
    )


def _of_text(text: str) -> Names:
    structure = _STRUCTURE.fullmatch(text)
    if cell := _CELL.fullmatch(structure[1].strip() if structure else text):
        if not set(cell.groups()) <= set(OPERATIONS):
            raise _unreadable(text)
        return cell.groups()
    if micro := _MICRO.fullmatch(text):
        digits = [int(digit) for digit in "".join(micro.groups())]
        if max(digits) > 3:
            raise ValueError(f"{text!r:.200} has other digits than 0 to 3 for its edges.")
        return [OPERATIONS[digit] for digit in digits]
    if _MACRO.fullmatch(text):
        raise ValueError(
            f"{text!r:.200} is a macro network of TransNAS-Bench-101, which has no cell to search."
        )
    written = f"[{', '.join(text[1:-1].split())}]" if _ARRAY.fullmatch(text) else text
    try:
        value = literal(parse_expression(written))
    except ValueError:
        raise _unreadable(text) from None
    # Of what Python reads, only lists are a cell; the number 1_02 is no longer the text.
    if not isinstance(value, list | tuple):
        raise _unreadable(text)
    return _of_items(value)


def _of_items(value: Any) -> Names:
    """Read what is no text."""
    if isinstance(value, bytes | bytearray):
        raise ValueError(
            f"a cell is text, lists or integers, got {type(value).__name__} {value!r:.200}."
        )
    items = list(islice(value, len(EDGES) + 1)) if isinstance(value, Iterable) else []
    if len(items) == 3:
        return _of_lists(items)
    if len(items) == len(EDGES):
        return _of_integers(items)
    raise _unreadable(value)


def _of_lists(maps: Sequence[Any]) -> Names:
    edges = {}
    for end, pairs in enumerate(maps, start=1):
        for pair in pairs if isinstance(pairs, list | tuple) else [pairs]:
            match pair:
                case [str(name), number] if (
                    name in OPERATIONS
                    and (start := integer(number)) is not None
                    and (start, end) not in edges
                ):
                    edges[start, end] = name
                case _:
                    raise _unreadable(maps)
    if edges.keys() != set(EDGES):
        raise _unreadable(maps)
    return [edges[edge] for edge in EDGES]


def _of_integers(items: Sequence[Any]) -> Names:
    numbers = [number for item in items if (number := integer(item)) is not None]
    if len(numbers) < len(items):
        raise ValueError(
            f"{items!r:.200} are not the integers that NASLib writes. Rows of X are motifs "
            "already: they are not encoded."
        )
    if not all(0 <= number < len(_OF_NASLIB) for number in numbers):
        raise ValueError(f"{numbers} has other numbers than 0 to 4, by which NASLib counts.")
    edges = dict(zip(_EDGES_OF_NASLIB, numbers, strict=True))
    return [_OF_NASLIB[edges[edge]] for edge in EDGES]


def _unreadable(motif: Any) -> ValueError:
    """Return the error for what is no cell."""
    example = write_conv_cell(("none",) * len(EDGES))
    return ValueError(
        f"{motif!r:.200} is no cell of NAS-Bench-201: it names one of {OPERATIONS} for each "
        f"edge, as in {example!r}. NASLib's six integers, AutoDL's lists and strings of "
        "TransNAS-Bench-101 such as '64-41414-1_02_333' are read too."
    )
