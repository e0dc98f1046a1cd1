"""What a hierarchy says, in words: as text, and as one HTML file with the picture."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from ..drawing.encoding import picture_bytes
from ..drawing.images import PixelMap, largest_weight, picture_of, pixel_maps
from ..drawing.native import paint
from ..drawing.sheet import captions_of
from ..files import write_file
from ..hierarchy import Hierarchy, check_hierarchy
from ..layout.ordering import drawn_edges
from ..texts import checked_title, clean

__all__ = ["report_html", "report_text", "write_report"]

TITLE = "Modules and hierarchy"
COLUMNS = ("module", "inputs", "outputs", "hidden units", "reads from")
PIXEL_COLUMNS = ("module", "pixels", "rows", "columns", "left half", "right half")
MAP_WIDTH, MAP_HEIGHT = 14.0, 10.0  # of a map in the table of pixels at most, in rem
LISTED = 24  # names; longer lists are cut
NOTHING: Mapping[str, Any] = {}


def report_text(
    hierarchy: Hierarchy, comparison: Any = None, evidence: Mapping[str, Any] = NOTHING, *, image: tuple[int, int] | None = None
) -> str:
    """The facts of a network and one line for each of its modules.

    Parameters
    ----------
    hierarchy : Hierarchy
        Accuracy is told where ``hierarchy.network`` has an ``accuracy``.
    comparison : Comparison, optional
    evidence : mapping of heading to anything that prints, optional
        Such as ``{"Chance": significance(hierarchy)}``; their texts end the report.
    image : (int, int), optional
        Height and width of the image whose pixels the inputs are, row by row from the top left; adds a section on the pixels of each
        module: how many are read, the first and last row and column from 0, and the fractions in the left and right half.

    Raises
    ------
    TypeError
        When ``hierarchy`` is none.
    ValueError
        When ``image`` has more or fewer pixels than the network has inputs.

    Examples
    --------
    >>> from analysis import LayeredGraph
    >>> graph = LayeredGraph.from_weights([[[1.0, 1.0]], [[1.0]]])
    >>> labels = (np.array([0, 0]), np.array([0]), np.array([1]))
    >>> print(report_text(Hierarchy(graph, labels, labels)))
    2 modules in a network of widths 2-1-1
    edges: 3 of 3 (density 1.000)
    units: 2 of 2 inputs, 1 of 1 in hidden 1, 1 of 1 outputs
    <BLANKLINE>
    M0: inputs x0, x1; hidden units 1 in layer 1; reads from no module
    M1: outputs y0; hidden units none; reads from M0
    >>> print(report_text(Hierarchy(graph, labels, labels), image=(1, 2)).splitlines()[-1])
    M0: pixels 2; rows 0 to 0; columns 0 to 1; left half 0.50; right half 0.50
    """
    check_hierarchy(hierarchy)
    maps = () if image is None else pixel_maps(hierarchy, image)
    lines = [_headline(hierarchy), *(f"{name}: {value}" for name, value in _facts(hierarchy)), ""]
    lines += [_line(COLUMNS, row) for row in _rows(hierarchy)]
    if image is not None:
        lines += ["", f"Pixels: {_pixel_headline(maps, image)}", *(_line(PIXEL_COLUMNS, _pixel_row(one)) for one in maps)]
    if comparison is not None:
        lines += ["", str(comparison)]
    for heading, what in evidence.items():
        lines += ["", f"{heading}:", str(what)]
    return clean("\n".join(lines))


def report_html(
    hierarchy: Hierarchy,
    comparison: Any = None,
    title: str = TITLE,
    evidence: Mapping[str, Any] = NOTHING,
    *,
    image: tuple[int, int] | None = None,
) -> str:
    """The report as one self-contained HTML page: picture, facts, table of modules; pointing at a module shows its units and edges.

    Parameters
    ----------
    hierarchy : Hierarchy
    comparison : Comparison, optional
        Its text, and whether it is ``exact``.
    title : str
        Of the page.
    evidence : mapping of heading to anything that prints, optional
        A section for each.
    image : (int, int), optional
        As for :func:`report_text`; the section shows the maps of all modules, and the picture those of the biggest, as in
        :func:`~analysis.drawing.draw`.

    Raises
    ------
    TypeError
        When ``hierarchy`` is none, or ``title`` no string.
    ValueError
        When ``image`` has more or fewer pixels than the network has inputs.

    Examples
    --------
    >>> from analysis import LayeredGraph
    >>> labels = (np.array([0, 0]), np.array([0]))
    >>> page = report_html(Hierarchy(LayeredGraph.from_weights([[[1.0, 1.0]]]), labels, labels), title="a < b")
    >>> "<h1>a &lt; b</h1>" in page, "http://" in page.split("<svg")[0]
    (True, False)
    """
    check_hierarchy(hierarchy)
    maps = () if image is None else pixel_maps(hierarchy, image)
    fields = {
        "title": escape(checked_title(title) or ""),
        "headline": escape(_headline(hierarchy)),
        "picture": _picture(hierarchy, maps),
        "facts": "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _facts(hierarchy)),
        "head": _html_head(COLUMNS),
        "rows": "\n".join(_html_row(m.index, row) for m, row in zip(hierarchy.modules, _rows(hierarchy), strict=True)),
        "pixels": "" if image is None else _html_pixels(maps, image),
        "comparison": "" if comparison is None else _html_comparison(comparison),
        "evidence": "\n".join(_section(heading, what) for heading, what in evidence.items()),
    }
    return clean(PAGE.substitute(fields))


def write_report(
    hierarchy: Hierarchy,
    path: str | Path,
    comparison: Any = None,
    title: str = TITLE,
    evidence: Mapping[str, Any] = NOTHING,
    *,
    image: tuple[int, int] | None = None,
) -> Path:
    """Write the report to ``path``, whose suffix is ``.html`` or ``.txt``; returns the path.

    The other parameters are those of :func:`report_html`.

    Raises
    ------
    TypeError
        When ``hierarchy`` is none, or ``title`` no string.
    ValueError
        When the suffix is another, or ``image`` has more or fewer pixels than the network has inputs.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from analysis import LayeredGraph
    >>> labels = (np.array([0, 0]), np.array([0]))
    >>> with TemporaryDirectory() as folder:
    ...     write_report(Hierarchy(LayeredGraph.from_weights([[[1.0, 1.0]]]), labels, labels), f"{folder}/report.txt").name
    'report.txt'
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".html", ".txt"):
        raise ValueError(f"path must end in .html or .txt; got {str(path)!r}")
    if suffix == ".html":
        return write_file(path, report_html(hierarchy, comparison, title, evidence, image=image).encode())
    return write_file(path, f"{report_text(hierarchy, comparison, evidence, image=image)}\n".encode())


def _headline(hierarchy: Hierarchy) -> str:
    count = len(hierarchy.modules)
    return f"{count} module{'' if count == 1 else 's'} in a network of widths {'-'.join(map(str, hierarchy.graph.widths))}"


def _facts(hierarchy: Hierarchy) -> list[tuple[str, str]]:
    graph = hierarchy.graph
    undrawn = graph.edge_count - sum(int(edge.sum()) for edge in drawn_edges(hierarchy))
    lost = f"; {undrawn} of them at removed units, not drawn" if undrawn else ""
    captions = captions_of(len(graph.weights))
    units = [
        f"{(a >= 0).sum()} of {len(a)} {'in ' if caption.startswith('hidden') else ''}{caption}"
        for a, caption in zip(hierarchy.labels, captions, strict=True)
    ]
    facts = [
        ("edges", f"{graph.edge_count} of {sum(w.size for w in graph.weights)} (density {graph.density:.3f}){lost}"),
        ("units", ", ".join(units)),
    ]
    accuracy = getattr(hierarchy.network, "accuracy", None)
    if accuracy is not None:
        facts.append(("accuracy", f"{float(accuracy):.4f}"))
    if hierarchy.support is not None:
        interval = "" if hierarchy.support_interval is None else " (95 % interval {:.2f} to {:.2f})".format(*hierarchy.support_interval)
        facts.append(("support", f"{hierarchy.support:.3f} of the votes{interval}"))
    return facts


def _rows(hierarchy: Hierarchy) -> list[tuple[str, ...]]:
    """A row for each module, in the order of ``COLUMNS``; empty where there is nothing."""
    graph, flow = hierarchy.graph, hierarchy.to_networkx()
    rows: list[tuple[str, ...]] = []
    for module in hierarchy.modules:
        layers = np.bincount([layer for layer, _ in module.units], minlength=len(graph.weights) + 1)
        hidden = [f"{count} in layer {layer}" for layer, count in enumerate(layers) if count and 0 < layer < len(graph.weights)]
        inputs = _list([graph.input_names[i] for i in module.inputs])
        outputs = _list([graph.output_names[i] for i in module.outputs])
        sources = _list([f"M{index}" for index in sorted(flow.predecessors(module.index))])
        rows.append((f"M{module.index}", inputs, outputs, ", ".join(hidden), sources))
    return rows


def _pixel_headline(maps: Sequence[PixelMap], image: tuple[int, int]) -> str:
    height, width = image
    return f"{sum(one.count for one in maps)} of {height * width} read, of an image {height} high and {width} wide"


def _pixel_row(pixels: PixelMap) -> tuple[str, ...]:
    """In the order of ``PIXEL_COLUMNS``."""
    spans = ("{} to {}".format(*span) for span in (pixels.rows, pixels.columns))
    return f"M{pixels.module}", str(pixels.count), *spans, *(f"{share:.2f}" for share in pixels.halves)


def _line(columns: Sequence[str], row: Sequence[str]) -> str:
    told = [(column, cell or _nothing(column)) for column, cell in zip(columns[1:], row[1:], strict=True)]
    return f"{row[0]}: " + "; ".join(f"{column} {text}" for column, text in told if text)


def _list(names: Sequence[str]) -> str:
    shown = [*names[:LISTED], f"… ({len(names)} in all)"] if len(names) > LISTED else names
    return ", ".join(shown)


def _nothing(column: str) -> str:
    return {"hidden units": "none", "reads from": "no module"}.get(column, "")


def _picture(hierarchy: Hierarchy, maps: Sequence[PixelMap]) -> str:
    svg = picture_bytes(paint(hierarchy, None, None, maps), "svg").decode()
    return svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{escape(_headline(hierarchy))}"', 1)


def _html_head(columns: Sequence[str]) -> str:
    return "".join(f'<th scope="col">{column}</th>' for column in columns)


def _html_row(module: int, cells: Sequence[str], last: str = "") -> str:
    head, *rest = map(escape, cells)
    row = "".join(f"<td>{c or '–'}</td>" for c in rest)
    return f'<tr data-module="{module}" tabindex="0"><th scope="row">{head}</th>{row}{last}</tr>'


def _html_pixels(maps: Sequence[PixelMap], image: tuple[int, int]) -> str:
    width = min(MAP_WIDTH, MAP_HEIGHT * image[1] / image[0])
    rows = []
    for one in maps:
        data = b64encode(picture_of(one, largest_weight(maps))).decode()
        alt = f"Where the pixels of M{one.module} are"
        picture = f'<td><img class="map" style="width: {width:.3g}rem" alt="{alt}" src="data:image/png;base64,{data}"></td>'
        rows.append(_html_row(one.module, _pixel_row(one), picture))
    return PIXELS.substitute(
        headline=_pixel_headline(maps, image), head=_html_head((*PIXEL_COLUMNS, "summed |weight|")), rows="\n".join(rows)
    )


def _html_comparison(comparison: Any) -> str:
    verdict = "exact" if comparison.exact else "another valid decomposition" if comparison.valid else "not exact"
    return _section(f"Against the truth: {verdict}", comparison)


def _section(heading: str, what: Any) -> str:
    return f"<h2>{escape(heading)}</h2>\n<pre>{escape(str(what))}</pre>"


PIXELS = Template("""<h2>Pixels</h2>
<p class="headline">$headline</p>
<div class="wide"><table>
<thead><tr>$head</tr></thead>
<tbody>
$rows
</tbody>
</table></div>""")

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --line: #c9c9c9; --faint: #5f5f5f; --chosen: #fff3c4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --paper: #16181b; --line: #44484d; --faint: #a8a8a8; --chosen: #4a4214; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; }
h2 { font-size: 1.15rem; margin-top: 2rem; }
.headline { color: var(--faint); margin-top: 0; }
figure { margin: 1.5rem 0; padding: 0.5rem; background: #ffffff; border: 1px solid var(--line); border-radius: 8px; text-align: center; }
figure svg { width: 100%; max-width: 60rem; max-height: 85vh; height: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; }
dt { color: var(--faint); }
dd { margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.7rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
thead th { color: var(--faint); font-weight: normal; white-space: nowrap; }
.map { max-width: 100%; image-rendering: pixelated; border: 1px solid var(--line); vertical-align: top; }
tr.chosen { background: var(--chosen); }
pre { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; padding: 0.8rem; }
.faded { opacity: 0.12; }
@media print { :root { --ink: #000000; --paper: #ffffff; } body { margin: 0; max-width: none; } figure, tr, pre { break-inside: avoid; } }
</style>
</head>
<body>
<h1>$title</h1>
<p class="headline">$headline</p>
<figure>
$picture
</figure>
<h2>Facts</h2>
<dl>$facts</dl>
<h2>Modules</h2>
<div class="wide"><table>
<thead><tr>$head</tr></thead>
<tbody>
$rows
</tbody>
</table></div>
$pixels
$comparison
$evidence
<script>
const parts = [...document.querySelectorAll("svg [id]")].filter(e => /^(module|label|units|pixels|edges)-/.test(e.id));
const rows = [...document.querySelectorAll("tr[data-module]")];
function choose(module) {
  for (const e of parts) e.classList.toggle("faded", module !== null && !e.id.split("-").slice(1).includes(module));
  for (const row of rows) row.classList.toggle("chosen", row.dataset.module === module);
}
for (const e of [...rows, ...parts.filter(e => !e.id.startsWith("edges"))]) {
  const module = e.dataset.module ?? e.id.split("-")[1];
  for (const on of ["mouseenter", "focus"]) e.addEventListener(on, () => choose(module));
  for (const off of ["mouseleave", "blur"]) e.addEventListener(off, () => choose(null));
}
</script>
</body>
</html>
""")
