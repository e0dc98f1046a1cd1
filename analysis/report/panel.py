"""The part of the page that shows one network: picture, slider, charts, hierarchy and tables."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import isfinite
from typing import Any, NamedTuple

from ..drawing.colours import FAINT, NEGATIVE, POSITIVE
from ..drawing.images import pixel_maps
from ..drawing.names import one_line
from ..drawing.page_layout import map_legend
from ..drawing.style import PALE
from ..hierarchy import Hierarchy, module_graph
from ..layout.collapsing import MOST_APART, TooLarge
from .chart import charts
from .facts import COLUMNS, NOTHING, facts_of, headline_of, metric_of, rows_of
from .fading import gone_elements
from .findings import columns_of, facts_from
from .flow import flow_svg
from .markup import definitions, tag
from .picture import network_svg
from .rounds import MOST_EDGES, Rounds, checked_rounds, edges_left, first_shown, has_slider, is_followed
from .scene import Scene, scene_of
from .tables import modules_table, pixels_section

__all__ = ["Candidate", "Panel", "panel_of"]

ALONE = "The rounds of pruning are not shown: the report was made from the network alone."
LAST_COLOURS = "in earlier rounds, too, colours are those of the modules of the last; what it has lost is grey"
CROWDED = f"The picture has no slider: even the last network has more than {MOST_EDGES:,} edges."
UNFOLLOWED = "The picture has no slider: which edges each round removed is known for chains of layers alone."
HINT = (
    "Point at a unit, or move through them with the arrow keys, to see its weights. "
    "Click a module, or press Enter, to see it and its paths alone; Escape shows all."
)
VOTES = (
    "Support: each seed has a vote for the structure of its sparsest networks, "
    "and a smaller one where these are larger than the sparsest of all seeds."
)
KEYS = {POSITIVE: "positive", NEGATIVE: "negative", PALE: "rail", FAINT: ""}


class Candidate(NamedTuple):
    """A network that a report can switch to.

    Attributes
    ----------
    name : str
        Such as ``"seed 2"``.
    hierarchy : Hierarchy
    rounds : Rounds or str, optional
        The rounds of pruning that led to it: any object with ``attempts`` and ``removed_in``, such as ``result.trail(network)``. A text
        says why there are none.
    metric : str, optional
        What the page calls the accuracy of the network and of its rounds, such as ``"validation accuracy"``; the ``metric`` of the
        network on the validation rows when left out.
    facts : mapping of str to object, optional
        What else is known of it, such as ``{"test accuracy": "0.981 (95 % interval 0.964 to 0.990, 360 rows)"}``.
    """

    name: str
    hierarchy: Hierarchy
    rounds: Any = None
    metric: str | None = None
    facts: Mapping[str, Any] = NOTHING


class Panel(NamedTuple):
    """The section of a network, and the facts that the script reads."""

    html: str
    data: dict[str, Any]


def panel_of(
    candidate: Candidate, place: int, image: tuple[int, int] | None, collapse: bool | None, evidence: Mapping[str, Any], several: bool
) -> Panel:
    """The panel of the network at a place in the choice of networks; that of the first is the one that is shown at first."""
    hierarchy, metric = candidate.hierarchy, metric_of(candidate.hierarchy, candidate.metric)
    rounds = checked_rounds(candidate.rounds, hierarchy)
    maps = () if image is None else pixel_maps(hierarchy, image)
    columns = columns_of(hierarchy, evidence)
    rows = [(*row, *extra) for row, *extra in zip(rows_of(hierarchy), *columns.values(), strict=True)]
    heads = (*COLUMNS, *columns)
    try:
        scene, lack = scene_of(hierarchy, maps, collapse), ""
    except TooLarge as error:
        scene, lack = None, str(error)
    parts = [
        tag("h2", escape(f"Network: {one_line(candidate.name)}" if several else "Network")),
        tag("p", escape(headline_of(hierarchy)), class_="headline"),
        _stage(scene, rounds, lack, headline_of(hierarchy)),
        _controls(rounds, scene),
        _legend(scene, rounds),
        definitions([*facts_of(hierarchy, metric, candidate.facts), *facts_from(evidence.values())]),
        "" if hierarchy.support is None else tag("p", VOTES, class_="hint"),
        _rounds_section(metric, rounds),
        _hierarchy_section(hierarchy),
        tag("h2", "Modules"),
        modules_table(heads, [(module.index, row, "") for module, row in zip(hierarchy.modules, rows, strict=True)]),
        "" if image is None else pixels_section(maps, image),
    ]
    look = {"class_": "network", "aria_label": one_line(candidate.name), "hidden": place > 0}
    modules = {row[0][1:]: [(head, cell) for head, cell in zip(heads[1:], row[1:], strict=True) if cell] for row in rows}
    return Panel(tag("section", "\n".join(filter(None, parts)), **look), _data(scene, rounds, hierarchy, metric) | {"modules": modules})


def _data(scene: Scene | None, rounds: Rounds | str, hierarchy: Hierarchy, metric: str) -> dict[str, Any]:
    """What the script reads; units and edges are in the order of their elements."""
    units = [] if scene is None else [(mark.name, mark.layer, mark.module) for mark in scene.marks]
    edges = [] if scene is None else [(line.source, line.target, float(f"{line.weight:.6g}"), line.kind) for line in scene.lines]
    steps = []
    if has_slider(rounds):
        for attempt, count in zip(rounds.attempts, edges_left(rounds), strict=True):
            accuracy = float(attempt.accuracy)
            steps.append((one_line(str(attempt.phase)), count, float(attempt.density), accuracy if isfinite(accuracy) else None))
    modules = {"drawn": {} if scene is None else scene.drawn_as, "flow": sorted(module_graph(hierarchy).edges)}
    return {"units": units, "edges": edges, "rounds": steps, "metric": metric, **modules}


def _stage(scene: Scene | None, rounds: Rounds | str, lack: str, name: str) -> str:
    if scene is None:
        return tag("div", tag("p", escape(lack), class_="note") + tag("div", "", class_="details", aria_live="polite"), class_="stage")
    gone = gone_elements(scene, rounds, first_shown(rounds)) if has_slider(rounds) else ""
    picture = tag("div", network_svg(scene, gone, name), class_="scroll", role="region", tabindex=0, aria_label="Picture of the network")
    return tag("div", picture + tag("div", tag("p", HINT), class_="details", aria_live="polite"), class_="stage")


def _controls(rounds: Rounds | str, scene: Scene | None) -> str:
    button = tag("button", "Show all", type="button", class_="show-all", disabled=True)
    if not has_slider(rounds):
        why = _lack_of_slider(rounds)
        return tag("div", button, class_="controls") + tag("p", escape(why), class_="note")
    last, first = len(rounds.attempts) - 1, first_shown(rounds)
    slider = f'<input type="range" min="{first}" max="{last}" step="1" value="{last}">'
    label = tag("label", f"<span>Rounds of pruning, from dense to sparse</span> {slider}")
    notes = [
        f"The slider begins with round {first + 1}, the first with at most {MOST_EDGES:,} edges." if first else "",
        "Removed units are not drawn, since units are drawn in groups." if scene is not None and scene.in_groups else "",
        "Edges of removed pixels are counted, and not drawn." if scene is not None and scene.page.frames.maps else "",
    ]
    note = " ".join(filter(None, notes))
    controls = tag("div", label + button + tag("output"), class_="controls")
    return controls + (tag("p", note, class_="note") if note else "")


def _lack_of_slider(rounds: Rounds | str) -> str:
    if isinstance(rounds, str):
        return f"The rounds of pruning are not shown: {rounds}" if rounds else ALONE
    return CROWDED if is_followed(rounds) else UNFOLLOWED


def _legend(scene: Scene | None, rounds: Rounds | str) -> str:
    if scene is None:
        return ""
    legend, frames = scene.page.legend, scene.page.frames
    symbols = {"line": "", "dashes": "dashes", "gate": "gate", "kernel": "kernel"}
    keys = [(f"{symbols[entry.symbol]} {KEYS.get(entry.color, '')}".strip(), entry.text) for entry in (*legend.lines, *legend.marks)]
    keys += zip(("shades", ""), map_legend(frames, legend.of_groups), strict=False)
    if has_slider(rounds):
        keys.append(("gone", "edge that pruning removes later"))
    notes = (*legend.notes, frames.note, LAST_COLOURS if has_slider(rounds) else "")
    items = [tag("li", tag("span", class_=f"key {key}".strip()) + escape(text)) for key, text in keys]
    items += [tag("li", escape(note)) for note in notes if note]
    return tag("ul", "".join(items), class_="legend", aria_label="Legend")


def _rounds_section(metric: str, rounds: Rounds | str) -> str:
    if isinstance(rounds, str):
        return ""
    look = "charts" if has_slider(rounds) else "charts still"
    return tag("h2", "Rounds of pruning") + tag("div", charts(rounds, metric), class_=look)


def _hierarchy_section(hierarchy: Hierarchy) -> str:
    count = len(hierarchy.modules)
    if not count:
        return ""
    if count > MOST_APART:
        return tag("h2", "Hierarchy") + tag("p", f"Not drawn: it has {count} modules, and at most {MOST_APART} can be read.", class_="note")
    hint = tag("p", "What reads others is above them; a line is the wider the more edges it stands for.", class_="hint")
    graph = tag("div", flow_svg(hierarchy), class_="scroll", role="region", tabindex=0, aria_label="Graph of the modules")
    return tag("h2", "Hierarchy") + hint + graph
