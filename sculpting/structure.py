"""What ``analysis`` says of networks: the only door from the library to it, opened when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis import Hierarchy as Hierarchy

__all__ = ["card_of", "modules_of"]


def modules_of(network: Any) -> Hierarchy:
    """The hierarchy of a network: see :func:`analysis.detect_modules`."""
    from analysis import detect_modules

    return detect_modules(network)


def card_of(what: Any, network: Any = None) -> str:
    """HTML for notebooks: the text of an object, and the modules of a network where it is small enough to be drawn."""
    from analysis.report.card import MOST_EDGES, report_card

    text = report_card(what)
    # Of a larger network not even the modules are looked for: a notebook shows what it has at once.
    return text if network is None or network.edge_count > MOST_EDGES else text + report_card(modules_of(network))
