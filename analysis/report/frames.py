"""The modules or the units of a hierarchy as a data frame of pandas."""

from __future__ import annotations

from typing import Any

from ..hierarchy import Hierarchy, check_hierarchy, module_graph

__all__ = ["records_of", "report_frame"]


def report_frame(hierarchy: Hierarchy, rows: str = "modules") -> Any:
    """The modules or the units as a ``pandas.DataFrame``: see :meth:`Hierarchy.frame`."""
    records = records_of(hierarchy, rows)
    try:
        import pandas
    except ImportError as error:
        raise ImportError("a data frame needs pandas; got none installed. Install it with `pip install pandas`") from error
    return pandas.DataFrame(records)


def records_of(hierarchy: Hierarchy, rows: str = "modules") -> list[dict[str, Any]]:
    """The rows of :meth:`Hierarchy.frame`.

    Examples
    --------
    >>> from analysis import detect_modules
    >>> for row in records_of(detect_modules([[[1.0, 1.0]], [[1.0]]])):
    ...     print(row)
    {'module': 0, 'inputs': ('x0', 'x1'), 'outputs': ('y0',), 'hidden': 1, 'reads': ()}
    """
    check_hierarchy(hierarchy)
    if rows not in ROWS:
        raise ValueError(f"rows must be one of {list(ROWS)}; got {rows!r}")
    return ROWS[rows](hierarchy)


def _modules(hierarchy: Hierarchy) -> list[dict[str, Any]]:
    names, flow = hierarchy.graph, module_graph(hierarchy)
    return [
        {
            "module": module.index,
            "inputs": tuple(names.input_names[i] for i in module.inputs),
            "outputs": tuple(names.output_names[i] for i in module.outputs),
            "hidden": len(module.units) - len(module.inputs) - len(module.outputs),
            "reads": tuple(sorted(flow.predecessors(module.index))),
        }
        for module in hierarchy.modules
    ]


def _units(hierarchy: Hierarchy) -> list[dict[str, Any]]:
    return [
        {"layer": layer, "index": index, "name": hierarchy.graph.unit_name(layer, index), "module": int(module), "cluster": int(cluster)}
        for layer, parts in enumerate(zip(hierarchy.labels, hierarchy.clusters, strict=True))
        for index, (module, cluster) in enumerate(zip(*parts, strict=True))
    ]


ROWS = {"modules": _modules, "units": _units}
