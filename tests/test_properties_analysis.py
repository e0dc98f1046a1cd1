"""Every public function of analysis returns or raises what it documents, and leaves the process as it was."""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import analysis
from analysis import Hierarchy, LayeredGraph, UnitGraph, detect_modules

WEIGHTS = [[[1.0, -2.0, 0.0, 1.0], [0.0, 1.0, 3.0, 0.0], [1.0, 0.0, 0.0, 1.0]], [[1.0, 0.0, 1.0], [0.5, 1.0, 0.0]]]
ROWS = np.random.default_rng(0).normal(size=(12, 4))
TARGETS = (ROWS[:, :2] > 0).astype(float)
NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.integers(-(10**20), 10**20), st.booleans(), st.none(), st.text(max_size=3)
)
ARRAYS: st.SearchStrategy[Any] = st.one_of(
    st.lists(NUMBERS, max_size=3),
    st.lists(st.lists(NUMBERS, max_size=3), max_size=3),
    st.lists(st.lists(st.lists(st.floats(-3, 3), max_size=3), max_size=3), max_size=3),
    st.text(max_size=5),
    st.sampled_from([
        None, 3, np.zeros((0, 4)), np.full((2, 4), np.nan), np.ones((2, 4), dtype=object), np.ma.masked_all((2, 4)), np.zeros((2, 2, 2)),
        np.full((2, 4), 1e308), np.array(["a"]), 1j, {}, {1}, b"x", nx.DiGraph(), nx.Graph([(0, 1)]), [np.ones((2, 4)), np.ones((1, 2))],
    ]),
)  # fmt: skip
FOUND = detect_modules(WEIGHTS)


def few(count: Any) -> bool:
    """Not a large number, which asks for as much work."""
    return not isinstance(count, int) or count < 100


CALLS: dict[str, Callable[[Any], Any]] = {
    "detect_modules": detect_modules,
    "detect_baseline": lambda v: analysis.detect_baseline(v, "leiden"),
    "consensus": analysis.consensus,
    "consensus-x": lambda v: analysis.consensus([WEIGHTS], x=v),
    "from_weights": LayeredGraph.from_weights,
    "from_adjacency": LayeredGraph.from_adjacency,
    "from_adjacency-widths": lambda v: UnitGraph.from_adjacency(np.triu(np.ones((3, 3)), 1), v),
    "units": lambda v: UnitGraph([("x", "input", 2), ("y", "output", 1)], [(0, 1, v)]),
    "evaluate": lambda v: LayeredGraph.from_weights(WEIGHTS).evaluate(v),
    "needed_levels": lambda v: analysis.needed_levels(WEIGHTS, v),
    "path_products": analysis.path_products,
    "carrying_units": analysis.carrying_units,
    "compare": lambda v: analysis.compare(detect_modules(WEIGHTS), v),
    "lesions": lambda v: analysis.lesions(FOUND, v, random_sets=3),
    "lesions-hierarchy": lambda v: analysis.lesions(v, ROWS, random_sets=3),
    "lesions-y": lambda v: analysis.lesions(FOUND, ROWS, y=v, random_sets=3),
    "lesions-sets": lambda v: analysis.lesions(FOUND, ROWS, random_sets=v if few(v) else 3, seed=v),
    "importance": lambda v: analysis.importance(v, ROWS, repeats=2, samples=20),
    "importance-x": lambda v: analysis.importance(WEIGHTS, v, repeats=2, samples=20),
    "importance-y": lambda v: analysis.importance(WEIGHTS, ROWS, y=v, repeats=2, samples=20),
    "importance-counts": lambda v: analysis.importance(WEIGHTS, ROWS, repeats=v if few(v) else 2, samples=v if few(v) else 20, seed=v),
    "significance": lambda v: analysis.significance(v, nulls=3),
    "significance-nulls": lambda v: analysis.significance(FOUND, nulls=v if few(v) else 3, null=v),
    "stability": analysis.stability,
    "stability-one": lambda v: analysis.stability([FOUND, v]),
    "function_map": lambda v: analysis.function_map(FOUND, v),
    "function_map-table": lambda v: analysis.function_map(FOUND, nx.DiGraph(x=v, y=TARGETS, gates={"p": v}, users={"p": v})),
    "planted_hierarchy": lambda v: analysis.planted_hierarchy(v, units=30),
    "planted_hierarchy-numbers": lambda v: analysis.planted_hierarchy([3, 2], units=v if few(v) else 30, cross_edges=v, skips=v, seed=v),
    "rewired": analysis.rewired,
    "rewired-seed": lambda v: analysis.rewired(WEIGHTS, seed=v),
    "shuffled": analysis.shuffled,
    "shuffled-seed": lambda v: analysis.shuffled(WEIGHTS, seed=v),
    "bit_shares": lambda v: analysis.bit_shares(v, v),
    "path_separation": lambda v: analysis.path_separation(WEIGHTS, v, v),
    "draw": lambda v: analysis.draw(v),
    "draw-title": lambda v: analysis.draw(FOUND, title=v, image=v, engine=v),
    "success_bars": lambda v: analysis.success_bars({"a": {"b": v}}),
    "success_bars-grid": analysis.success_bars,
    "success_map": lambda v: analysis.success_map({"a": {"b": v}}),
    "success_map-grid": analysis.success_map,
    "success_lines": lambda v: analysis.success_lines({"a": v}, default=v),
    "success_lines-values": analysis.success_lines,
    "series_panels": lambda v: analysis.series_panels(v, defaults={}),
    "series_panels-one": lambda v: analysis.series_panels({"a": v}, defaults={}),
    "series_panels-rates": lambda v: analysis.series_panels({"a": {"b": v}}, defaults={}),
    "series_panels-texts": lambda v: analysis.series_panels({"a": {"b": {"c": None}}}, defaults=v, notes=v),
    "series_panels-text": lambda v: analysis.series_panels({"a": {"b": {"c": None}}}, defaults={"b": v}, notes={"b": v}),
    "score_scatter": lambda v: analysis.score_scatter({"a": (v, v)}),
    "score_scatter-scores": analysis.score_scatter,
    "rate": lambda v: analysis.Rate(v, v),
}


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(value=ARRAYS)
def test_odd_values_are_taken_or_refused_as_documented(name: str, value: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            CALLS[name](value)
        except (ValueError, TypeError):
            pass
        finally:
            plt.close("all")


@st.composite
def hierarchies(draw: st.DrawFn) -> Hierarchy:
    """Any partition of any small chain: units that nothing reads, modules of one unit, labels that do not follow the edges."""
    widths = draw(st.lists(st.integers(1, 5), min_size=2, max_size=4))
    numbers = st.sampled_from([0.0, 0.0, 1.0, -2.5, 1e-30, 1e30])
    weights = [draw(arrays.arrays("f8", (b, a), elements=numbers)) for a, b in pairwise(widths)]
    graph = LayeredGraph.from_weights(weights)
    if draw(st.booleans()):
        return detect_modules(graph)
    labels = tuple(np.where(alive, draw(arrays.arrays("i8", len(alive), elements=st.integers(0, 3))), -1) for alive in graph.alive())
    return Hierarchy(graph, labels, labels)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(found=hierarchies(), title=st.one_of(st.none(), st.text(max_size=20)), collapse=st.sampled_from([None, False, True]))
def test_any_hierarchy_is_drawn_or_refused_as_documented(found: Hierarchy, title: str | None, collapse: bool | None) -> None:
    with contextlib.suppress(ValueError):
        ax = analysis.draw(found, title=title, collapse=collapse)
        assert ax is not None
        ax.figure.canvas.draw()  # texts are laid out only now
        assert collapse or ax.patches or ax.collections or not any(alive.any() for alive in found.graph.alive())
    plt.close("all")
    assert str(found.to_networkx())
    assert analysis.report_text(found)


PLAIN: dict[str, Callable[[], Any]] = {
    "detect_modules": lambda: detect_modules(WEIGHTS),
    "leiden": lambda: analysis.detect_baseline(WEIGHTS, "leiden"),
    "infomap": lambda: analysis.detect_baseline(WEIGHTS, "infomap"),
    "louvain": lambda: analysis.detect_baseline(WEIGHTS, "louvain"),
    "spectral": lambda: analysis.detect_baseline(WEIGHTS, "spectral"),
    "consensus": lambda: analysis.consensus([WEIGHTS], x=ROWS),
    "draw": lambda: detect_modules(WEIGHTS).draw(),
    "report_html": lambda: analysis.report_html(detect_modules(WEIGHTS)),
    "report_text": lambda: analysis.report_text(detect_modules(WEIGHTS)),
    "significance": lambda: analysis.significance(detect_modules(WEIGHTS), nulls=19),
    "stability": lambda: analysis.stability([detect_modules(WEIGHTS)] * 2),
    "planted_hierarchy": lambda: analysis.planted_hierarchy([3, 3], units=40),
    "path_products": lambda: analysis.path_products(WEIGHTS),
    "importance": lambda: analysis.importance(LayeredGraph.from_weights(WEIGHTS), ROWS, y=TARGETS),
    "lesions": lambda: analysis.lesions(detect_modules(WEIGHTS), x=ROWS, y=TARGETS),
    "score_scatter": lambda: analysis.score_scatter({"a": ([0.1], [0.2])}),
    "success_map": lambda: analysis.success_map({"a": {"b": analysis.Rate(1, 2)}}),
}


def state() -> tuple[Any, ...]:
    """What a call must not change."""
    return (
        dict(matplotlib.rcParams), np.geterr(), list(warnings.filters), random.getstate(), str(np.random.get_state()),  # noqa: NPY002
    )  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_a_call_leaves_the_process_as_it_was(name: str) -> None:
    matplotlib.use("agg")
    PLAIN[name]()  # the first call may import
    before = state()
    PLAIN[name]()
    assert state() == before
