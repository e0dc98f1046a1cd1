"""The study of nonlocality in pictures: accuracies by sparsity, scores of units, and networks before and after a group lasso."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...models.network import SparseNetwork
from ...store import Row
from ...study import Read
from ..common.agreement import agreement_scatter
from ..common.networks import network_file, network_from
from .cells import SIZES, cell_name
from .published import CHANCE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLUMNS",
    "NAMES",
    "accuracy_figure",
    "attribution_figure",
    "draw_network",
    "network_figure",
    "rows_of",
    "score_figure",
]

NAMES = {"plain": "as trained", "subgradient": "group lasso, subgradient", "proximal": "group lasso, proximal"}
COLUMNS = {"a_pruned": "A, pruned", "a_recovered": "A, recovered", "b_pruned": "B, pruned", "b_revived": "B, revived"}
DRAWN: dict[str, dict[str, Any]] = {
    "a_pruned": {"color": "#0072B2", "linestyle": (0, (4, 1.5))},
    "a_recovered": {"color": "#0072B2", "linestyle": "-"},
    "b_revived": {"color": "#D55E00", "linestyle": (0, (1, 1))},
}
STRONG = 0.3  # size of the weights that are drawn, as published
FULL = 1.0  # size from which on they are as dark as they get


def rows_of(rows: Sequence[Row], width: int, network: str) -> list[Row]:
    """Those of one width and kind of network."""
    return [row for row in rows if (row["width"], row["network"]) == (width, network)]


def accuracy_figure(rows: Sequence[Row]) -> Figure:
    """Mean accuracies by sparsity, with a band from the worst to the best seed."""
    from matplotlib.patches import Patch

    from analysis.drawing import FAINT, FONT, SMALL
    from analysis.figures import letter

    figure, panels = _panels(rows, 2.1)
    for width, network, ax in panels:
        part = rows_of(rows, width, network)
        sparsities = sorted({row["sparsity"] for row in part})
        ax.axhline(CHANCE, color=FAINT, linewidth=0.6)
        for name, style in DRAWN.items():
            values = [[row[name] for row in part if row["sparsity"] == sparsity] for sparsity in sparsities]
            ax.plot(sparsities, [statistics.mean(some) for some in values], **style, linewidth=1.4, label=COLUMNS[name], gid=name)
            ax.fill_between(sparsities, list(map(min, values)), list(map(max, values)), color=style["color"], alpha=0.15, linewidth=0)
        ax.set(xlim=(0, 1), ylim=(0.35, 1.03), xticks=(0.0, 0.5, 1.0), yticks=(0.5, 0.75, 1.0))
        ax.spines[["top", "right"]].set_visible(False)
        letter(ax, f"{NAMES[network]}, {width} wide", "sparsity asked for", "accuracy" if _leads(ax) else "")
    handles = [
        *(line for line in figure.axes[0].lines if line.get_gid()),
        Patch(color=FAINT, alpha=0.25, linewidth=0, label="worst to best seed"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, prop={"family": FONT, "size": SMALL})
    return figure


def attribution_figure(rows: Sequence[Row]) -> Figure:
    """The first seed's attributions of A against its ablation scores, a point for each hidden unit."""
    figure, panels = _panels(rows, 2.7)
    for width, network, ax in panels:
        first = _first(rows, width, network)
        title, up = f"{NAMES[network]}, {width} wide", "ablation, nats" if _leads(ax) else ""
        agreement_scatter(first["attributions"], first["scores"][-2], title=title, ylabel=up, ax=ax)
    return figure


def score_figure(rows: Sequence[Row], size: str) -> Figure:
    """Heat maps of the first seed's ablation scores, a column for each hidden unit and a row for each code."""
    from analysis.drawing import SMALL
    from analysis.figures import LETTERS, letter, shades

    figure, panels = _panels(rows, 1.5)
    names = ["+".join(map(str, code)) for code in SIZES[size].codes]
    for width, network, ax in panels:
        image = ax.pcolormesh(np.log10(np.maximum(_first(rows, width, network)["scores"], 1e-3)), cmap=shades(), vmin=-3, vmax=1.5)
        ax.axvline(width, color="white", linewidth=1.5)
        ax.set(ylim=(len(names), 0), xticks=(width / 2, 1.5 * width), xticklabels=("layer 1", "layer 2"))
        ax.set_yticks(np.arange(len(names)) + 0.5, names if _leads(ax) else [], fontsize=SMALL, **LETTERS)
        ax.tick_params(length=0)
        letter(ax, f"{NAMES[network]}, {width} wide", "", "code" if _leads(ax) else "")
    bar = figure.colorbar(image, ax=figure.axes, ticks=(-3, -1, 1), shrink=0.9)
    bar.set_label("log10 of the change of loss, nats", fontsize=SMALL, **LETTERS)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def network_figure(rows: Sequence[Row], read: Read, size: str) -> Figure:
    """The first seed's networks, not yet pruned."""
    from analysis.drawing import FONT, SMALL
    from analysis.figures import letter

    known = SIZES[size]
    controls = [i < known.m // 2 for i in range(known.m)]
    of_a = [*controls, *(control for control in controls for _ in range(known.k))]
    figure, panels = _panels(rows, 2.4)
    for width, network, ax in panels:
        content = read(network_file(cell_name(width, 0, network)))
        if content is not None:
            draw_network(network_from(content), of_a, ax)
        letter(ax, f"{NAMES[network]}, {width} wide", "", "")
    caption = f"weights beyond {STRONG:g}, positive blue and negative orange; dark inputs at the bottom: control and task bits of A"
    figure.supxlabel(caption, family=FONT, fontsize=SMALL)
    return figure


def _panels(rows: Sequence[Row], height: float) -> tuple[Figure, list[tuple[int, str, Axes]]]:
    """A figure with a panel for each width and network: a column for each network or, where there is one, for each width."""
    from matplotlib.figure import Figure

    widths, networks = (list(dict.fromkeys(row[name] for row in rows)) for name in ("width", "network"))
    down, across = (len(widths), len(networks)) if len(networks) > 1 else (1, len(widths))
    figure = Figure(figsize=(max(4.5, 3.0 * across), 0.6 + height * down), layout="constrained", facecolor="white")
    axes = figure.subplots(down, across, squeeze=False).flatten()
    return figure, [(width, network, axes[i * len(networks) + j]) for i, width in enumerate(widths) for j, network in enumerate(networks)]


def _leads(ax: Axes) -> bool:
    """Whether it is the first in its row."""
    place = ax.get_subplotspec()
    return place is not None and place.is_first_col()


def _first(rows: Sequence[Row], width: int, network: str) -> Row:
    """The row of the first seed that has what each unit scores."""
    return next(row for row in rows_of(rows, width, network) if row["scores"] is not None)


def draw_network(network: SparseNetwork, of_a: Sequence[bool], ax: Axes) -> None:
    """Draw the strong edges of a network, its inputs at the bottom.

    Parameters
    ----------
    network : SparseNetwork
    of_a : sequence of bool of shape (inputs,)
        Which inputs are of A; these stand out.
    ax : matplotlib Axes
    """
    from matplotlib.collections import LineCollection

    from analysis.drawing import FAINT, INK, NEGATIVE, POSITIVE

    weights = network.weights
    places = [_places(layer, width) for layer, width in enumerate((weights[0].shape[1], *map(len, weights)))]
    for layer, weight in enumerate(weights):
        target, source = np.nonzero(np.abs(weight) > STRONG)
        values = weight[target, source]
        lines = np.stack([places[layer][source], places[layer + 1][target]], axis=1)
        style: dict[str, Any] = {"alpha": np.clip(np.abs(values) / FULL, 0, 1) * 0.8, "linewidths": 0.4, "gid": f"edges{layer}"}
        ax.add_collection(LineCollection(list(lines), colors=np.where(values > 0, POSITIVE, NEGATIVE).tolist(), **style))
    for layer, place in enumerate(places):
        colours = np.where(of_a, INK, "#ffffff").tolist() if layer == 0 else FAINT
        ax.scatter(
            place[:, 0], place[:, 1], s=10 if layer == 0 else 2, c=colours, edgecolors=INK, linewidths=0.4, zorder=3, gid=f"units{layer}"
        )
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.15, len(weights) + 0.15))
    ax.set_axis_off()


def _places(layer: int, width: int) -> NDArray[np.float64]:
    """Evenly across, each layer above the one before: ``(width, 2)``."""
    return np.stack([(np.arange(width) + 0.5) / width, np.full(width, float(layer))], axis=1)
