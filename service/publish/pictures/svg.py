"""The few elements of SVG that the pictures need, escaped, and the frame that makes one readable.

Looks come from classes and presentation attributes alone: style attributes would need a weaker
content security policy.
"""

import math

from markupsafe import Markup, escape
from msgspec import Struct

from service.publish.words import UNKNOWN

Attribute = str | float


class Table(Struct, frozen=True):
    """A picture's twin for those who cannot see it, and for those who want the numbers."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Picture(Struct, frozen=True):
    """An `<svg>` element, and what it shows as a table."""

    svg: Markup
    table: Table


def tag(name: str, *content: Markup | str, **attributes: Attribute) -> Markup:
    """An element. A trailing `_` of an attribute's name is dropped, others become hyphens."""
    told = Markup("").join(
        Markup(' {}="{}"').format(_name(key), _text(value)) for key, value in attributes.items()
    )
    inside = Markup("").join(escape(_printable(part)) for part in content)
    return Markup("<{}{}>{}</{}>").format(Markup(name), told, inside, Markup(name))  # noqa: S704 - names are ours


def label(x: float, y: float, text: str, kind: str = "label", anchor: str = "start") -> Markup:
    """A text at its baseline."""
    return tag("text", text, class_=kind, x=x, y=y, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line."""
    return tag("line", class_=kind, x1=x1, y1=y1, x2=x2, y2=y2)


def bar(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    """A rectangle; nothing where it has no size."""
    if width <= 0 or height <= 0:
        return Markup("")
    return tag("rect", class_=kind, x=x, y=y, width=width, height=height)


def path(commands: str, kind: str) -> Markup:
    """A path of SVG's commands."""
    return tag("path", class_=kind, d=commands) if commands else Markup("")


def frame(size: tuple[float, float], title: str, description: str, *content: Markup) -> Markup:
    """The picture: `title` names it, `description` says in a sentence what it shows."""
    width, height = size
    return tag(
        "svg",
        tag("title", title),
        tag("desc", description),
        *content,
        role="img",
        class_="picture",
        viewBox=f"0 0 {_text(width)} {_text(height)}",
        width=width,
        height=height,
    )


def place(value: float) -> str:
    """A coordinate to a tenth of a pixel: `12`, `3.5`."""
    return f"{value:.1f}".removesuffix(".0")


def shortened(text: str, most: int) -> str:
    """At most so many characters, the last of which then is an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def value_text(value: float) -> str:
    """A value of a feature in few digits: `52,000`, `0.0564`, `1.2e-9`."""
    if not math.isfinite(value):
        return UNKNOWN
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.2g}"
    return f"{float(f'{value:.3g}'):,.10g}" if abs(value) < 1000 else f"{value:,.0f}"


def _name(attribute: str) -> str:
    return attribute.rstrip("_").replace("_", "-")


def _text(value: Attribute) -> str:
    return value if isinstance(value, str) else place(value)


def _printable(part: Markup | str) -> Markup | str:
    """Lone surrogates become question marks: they would keep the page from being encoded."""
    if part.isascii() or isinstance(part, Markup):
        return part
    return part.encode("utf-8", "replace").decode("utf-8")
