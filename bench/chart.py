"""The chart for the documentation: SVG, one panel per operation, a bar per contestant."""

from __future__ import annotations

from html import escape

from bench.calls import OPERATIONS
from bench.report import entrants, title_of
from bench.results import Results

_WIDTH, _BAR, _GAP, _LEFT, _RIGHT = 860, 16, 4, 230, 130
# Readable on white and on black.
_COLOURS = {
    "quarry": "#2f7ed8", "prototype": "#7fb3e6", "orm_rls": "#d9822b", "orm": "#e8b07a",
    "bare": "#6aa84f", "limit": "#8a8a8a", "limit_guarded": "#b0b0b0",
}  # fmt: skip


def svg(results: Results) -> str:
    """The chart's text."""
    parts: list[str] = []
    top = 8
    for operation in results.closed:
        top = _panel(parts, results, operation, top)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#777">'
        "<title>Requests per second by operation and contestant</title>"
    )
    return "\n".join((head, *parts, "</svg>")) + "\n"


def _panel(parts: list[str], results: Results, operation: str, top: int) -> int:
    """One operation's bars; where the next panel begins."""
    names = [name for name in entrants(results) if name in results.closed[operation]]
    rates = {name: results.middle(operation, name, "rate") or 0.0 for name in names}
    title = f"{OPERATIONS[operation].title}, requests/s"
    parts.append(f'<text x="8" y="{top + 12}" font-weight="bold">{escape(title)}</text>')
    top += 20
    for name in names:
        width = (_WIDTH - _LEFT - _RIGHT) * rates[name] / max(rates.values())
        middle = top + _BAR - 4
        parts += [
            f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(title_of(name))}</text>',
            f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="2" '
            f'fill="{_COLOURS[name]}"/>',
            f'<text x="{_LEFT + width + 6:.1f}" y="{middle}">{rates[name]:,.0f}</text>',
        ]
        top += _BAR + _GAP
    return top + 12
