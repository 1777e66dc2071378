"""Tables of results to which an interrupted benchmark adds what is missing."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

Row = dict[str, str]


def read_rows(path: Path) -> list[Row]:
    """Read a table, an empty one where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append_rows(path: Path, columns: Sequence[str], made: Iterable[Row]) -> list[Row]:
    """Write every row as soon as it is made, behind those that are there; give all."""
    rows = read_rows(path)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, columns)
        if not rows:
            writer.writeheader()
        for row in made:
            writer.writerow(row)
            file.flush()
            rows.append(row)
    return rows
