"""Rooms of the package, and which of them each may import from.

``python tests/rooms.py`` draws them: ``docs/figures/rooms.svg``.
"""

from __future__ import annotations

from pathlib import Path

PICTURE = Path(__file__).parents[1] / "docs" / "figures" / "rooms.svg"

# From the highest floor to the lowest.
ROOMS: dict[str, set[str]] = {
    "search": {"metrics", "motifs", "estimators", "blueprints", "datasets", "inspection"},
    "inspection": {"metrics", "motifs", "dish", "estimators"},
    "model_selection": {"metrics", "motifs", "estimators"},
    "estimators": {"motifs", "dish", "blueprints", "tasks", "metrics"},
    "metrics": {"dish"},
    "dish": {"blueprints", "tasks"},
    "motifs": {"blueprints", "tasks"},
    "tasks": {"blueprints"},
    "blueprints": set(),
    "datasets": set(),
    "baselines": set(),
    "_compat": set(),
}
"""What a room may import from, beside itself and ``_compat``. Each stands above what it
imports from, so that there is no circle."""

_CELL, _LEFT, _TOP = 34, 150, 128


def draw() -> str:
    """Return a matrix as SVG: a dot where the room of the row may import that of the column."""
    rooms = list(ROOMS)
    size = len(rooms) * _CELL
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + size + 90}'
        f' {_TOP + size + 8}" role="img" font-family="sans-serif" font-size="15"'
        ' fill="currentColor">',
        "<title>Rooms of the package: a dot where the room of the row may import from the room"
        " of the column</title>",
    ]
    for row, room in enumerate(rooms):
        y = _TOP + row * _CELL
        x = _LEFT + row * _CELL
        lines += [
            f'<text x="{_LEFT - 10}" y="{y + 22}" text-anchor="end">{room}</text>',
            f'<text transform="translate({x + 20} {_TOP - 10}) rotate(-50)">{room}</text>',
            f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill-opacity="0.25"/>',
        ]
        for column, other in enumerate(rooms):
            left = _LEFT + column * _CELL
            lines.append(
                f'<rect x="{left}" y="{y}" width="{_CELL}" height="{_CELL}" fill="none"'
                ' stroke="currentColor" stroke-opacity="0.25"/>'
            )
            if other in ROOMS[room] | {"_compat"} - {room}:
                lines.append(f'<circle cx="{left + _CELL / 2}" cy="{y + _CELL / 2}" r="7"/>')
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(draw())
