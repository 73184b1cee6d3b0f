"""A figure, its target, and how a table of figures reads."""

from typing import NamedTuple


class Target(NamedTuple):
    """What a figure should be: at least or at most `value`."""

    value: float
    at_least: bool = False

    def met_by(self, value: float) -> bool:
        return value >= self.value if self.at_least else value <= self.value

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {number(self.value)}"


class Figure(NamedTuple):
    """One line of the table."""

    name: str
    value: float
    unit: str
    target: Target | None = None

    @property
    def missed(self) -> bool:
        """Whether it has a target and does not meet it."""
        return self.target is not None and not self.target.met_by(self.value)

    def __str__(self) -> str:
        target = "" if self.target is None else str(self.target)
        met = "" if self.target is None else "NO" if self.missed else "yes"
        line = f"  {self.name:<64.64} {number(self.value):>12} {self.unit:<14} {target:>10}  {met}"
        return line.rstrip()


HEADER = f"  {'figure':<64} {'value':>12} {'unit':<14} {'target':>10}  met?"


def at_least(value: float) -> Target:
    """The more, the better."""
    return Target(value, at_least=True)


def at_most(value: float) -> Target:
    """The less, the better."""
    return Target(value)


def number(value: float) -> str:
    """Three significant digits, whole from a hundred on."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
