"""Elements of HTML and SVG as text: attributes are escaped, contents are markup."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

from ..drawing.colours import region_colours

__all__ = ["definitions", "number", "path", "script_data", "tag", "tints"]


def tag(name: str, content: str = "", **attributes: Any) -> str:
    """An element. Underscores of names are hyphens, a last one is left out; ``True`` is an attribute without a value, ``None`` none.

    Examples
    --------
    >>> tag("g", tag("title", "a"), class_="unit", aria_label='"a"', hidden=True, id=None)
    '<g class="unit" aria-label="&quot;a&quot;" hidden><title>a</title></g>'
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return f"<{name}{written}>{content}</{name}>"


def number(value: float) -> str:
    """A length with at most two decimals.

    Examples
    --------
    >>> number(2.0), number(-0.001), number(1.234)
    ('2', '0', '1.23')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def path(points: Iterable[tuple[float, float]]) -> str:
    """A line through points, as the attribute ``d`` of a path.

    Examples
    --------
    >>> path([(0, 1), (2.5, 3)])
    'M0 1L2.5 3'
    """
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


def tints(module: int | None) -> str | None:
    """The style that gives an element the two colours of a module, greys for the module None; none for -1, which is no module."""
    return "--tint:{};--rim:{}".format(*region_colours(module)) if module is None or module >= 0 else None


def definitions(facts: Iterable[tuple[str, Any]]) -> str:
    """A list of names with texts."""
    return tag("dl", "".join(tag("div", tag("dt", escape(name)) + tag("dd", escape(str(value)))) for name, value in facts))


def script_data(value: Any) -> str:
    """Data as JSON that can stand in a page: ``<`` never begins a tag.

    Examples
    --------
    >>> script_data(["</script>", 0.5])
    '["\\\\u003c/script>",0.5]'
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
