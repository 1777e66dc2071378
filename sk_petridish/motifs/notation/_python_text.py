"""Text that is written as Python, and never run."""

from __future__ import annotations

import ast
from typing import Any

# Python's parser takes a minute for a million.
_MOST_CHARACTERS = 50_000


def parse_expression(text: str) -> ast.expr:
    """Parse an expression of which nothing is evaluated.

    Parameters
    ----------
    text : str
        One expression.

    Returns
    -------
    ast.expr
        Its tree.

    Raises
    ------
    ValueError
        If it is none, too long, or nested too deeply.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"it has {len(text)} characters, more than {_MOST_CHARACTERS}.")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{error.msg}.") from None
    except (RecursionError, MemoryError):
        raise ValueError("it is nested too deeply.") from None


def literal(node: ast.expr) -> Any:
    """Return the value of a literal.

    Parameters
    ----------
    node : ast.expr
        Numbers, text, lists and the like.

    Returns
    -------
    object
        Their value.

    Raises
    ------
    ValueError
        If there is anything else.
    """
    try:
        return ast.literal_eval(node)
    except (TypeError, RecursionError, MemoryError):
        raise ValueError("it is no literal.") from None
