"""The table of operators: for each the rule by which units are followed through it."""

from __future__ import annotations

from collections.abc import Mapping

from .contraction import CONTRACTION
from .convolution import CONVOLUTION, POOLING
from .elementwise import ELEMENTWISE
from .movement import MOVEMENT
from .norms import NORMS, REDUCTIONS
from .trace import Rule

__all__ = ["OF_UNITS", "RULES", "rules_in_words"]

GROUPS: Mapping[str, Mapping[str, Rule]] = {
    "layers and attention": CONTRACTION,
    "convolutions and tables": CONVOLUTION,
    "pooling and resizing": POOLING,
    "norms and softmax": NORMS,
    "entry by entry": ELEMENTWISE,
    "movements of data": MOVEMENT,
    "sums over axes": REDUCTIONS,
}
RULES: dict[str, Rule] = {name: rule for group in GROUPS.values() for name, rule in group.items()}
OF_UNITS = {*POOLING, *NORMS, *REDUCTIONS, "scaled_dot_product_attention"}  # elsewhere than in units, parameters in them are not followed


def rules_in_words() -> list[str]:
    """The table as lines of Markdown: for each rule its operators and what happens to units.

    Examples
    --------
    >>> rules_in_words()[2]
    '| layers and attention | `linear` | New units, which read those of the input: `x W^T + b`. |'
    """
    lines = ["| kind | operators of PyTorch | what happens to units |", "|---|---|---|"]
    for title, group in GROUPS.items():
        for rule in dict.fromkeys(group.values()):
            names = ", ".join(f"`{name}`" for name in group if group[name] is rule and not name.startswith("_"))
            text = " ".join((rule.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")
            lines.append(f"| {title} | {names} | {text} |")
    return [line for line in lines if "|  |" not in line]
