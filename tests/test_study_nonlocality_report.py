"""The report of the study of nonlocality, on rows made so that every number is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_figures import check_texts
from test_study_nonlocality import NARROWED

from sculpting import SparseNetwork
from sculpting.store import Row
from sculpting.studies.common.networks import network_bytes, network_file
from sculpting.studies.nonlocality import cells as nonlocality_cells
from sculpting.studies.nonlocality import drawing as nonlocality_drawing
from sculpting.studies.nonlocality.cells import SIZES, cell_name
from sculpting.studies.nonlocality.drawing import draw_network
from sculpting.studies.nonlocality.report import nonlocality_summary

EVERY = tuple(nonlocality_cells.NETWORKS)


def fake_nonlocality(width: int, seed: int, network: str, size: str) -> list[Row]:
    """Rows without training; what is asked for is so, but B comes back in seed 3 after the proximal step."""
    rows: list[Row] = []
    for place, sparsity in enumerate(SIZES[size].sparsities):
        if network == "plain":
            values = [0.6, 0.5, 0.99 if sparsity < 0.485 + 0.02 * seed else 0.9, 0.95 if sparsity < 0.3 else 0.6]
        else:
            values = [1.0 if sparsity <= 0.7 else 0.8, 0.5, 0.99, 0.57 if (network, seed, sparsity) == ("proximal", 3, 0.9) else 0.52]
        units = [width, seed, 0.002, network, sparsity, round(2 * width * (1 - sparsity))]
        undefined = (network, seed) == ("proximal", 4)
        correlations = [0.6 + 0.01 * seed, None if undefined else 0.8, 0.9, 3 * seed, 0.7, -0.25, 0.95, 0]
        scores = [[0.1 * (code + 1)] * (2 * width) for code in range(len(SIZES[size].codes))]
        attributions = {"first_order": [0.01] * (2 * width - 1) + [0.0], "activation_gradient": [0.02] * (2 * width)}
        lists = [None, None] if place or seed else [scores, attributions]
        rows.append(dict(zip(NARROWED, [*units, *values, *correlations, *lists, 8.0], strict=True)))
    return rows


def every_narrowed(size: str = "reduced", widths: tuple[int, ...] = (), networks: tuple[str, ...] = EVERY) -> list[Row]:
    widths = widths or SIZES[size].widths
    return [row for network in networks for width in widths for seed in range(5) for row in fake_nonlocality(width, seed, network, size)]


def test_the_summary_has_every_line() -> None:
    summary = nonlocality_summary(every_narrowed(), "reduced")
    for part in (
        "5 networks were trained: m = 4 parities of k = 3 bits, A and B the sums of two.",
        "| 64 | as trained | B comes back to at least 0.9 at sparsity 0.1 | 5/5 | 5/5 (0.57-1.00) | yes |",
        "| 64 | group lasso, subgradient | A is at least 0.97 without recovery up to sparsity 0.7 | 5/5 | 5/5 (0.57-1.00) | yes |",
        "| 64 | group lasso, subgradient | B stays within 0.06 of 0.5, revived, at every sparsity | 5/5 | 5/5 (0.57-1.00) | yes |",
        "| 64 | group lasso, proximal | B stays within 0.06 of 0.5, revived, at every sparsity | 5/5 | 4/5 (0.38-0.96) | no |",
        "| all | all | minutes of two cores at most | 10 | 7.0 | yes |",
        "| 64 | as trained | 0.5 | 64 | 0.60 (0.60) | 0.97 (0.90-0.99) | 0.50 (0.50) | 0.60 (0.60) |",
        "0.23 hours of one core.",
        "| 64 | as trained | first order | 0.62 (0.60-0.64) | 0.80 (0.80) | 0.90 (0.90) | 0-12 of 128 |",
        "| 64 | as trained | activation x gradient | 0.70 (0.70) | -0.25 (-0.25) | 0.95 (0.95) | 0 of 128 |",
        "| 64 | group lasso, proximal | first order | 0.62 (0.60-0.64) | 0.80 (0.80) | 0.90 (0.90) | 0-12 of 128 |",
    ):
        assert part in summary
    assert "| as trained | A is" not in summary
    rows = every_narrowed()
    for change, where, line in (
        ({"b_revived": 0.89}, ("plain", 0.1), "sparsity 0.1 | 5/5 | 0/5"),
        ({"a_pruned": 0.96}, ("subgradient", 0.7), "sparsity 0.7 | 5/5 | 0/5"),
        ({"b_revived": 0.43}, ("subgradient", 0.95), "every sparsity | 5/5 | 0/5"),
    ):
        some = [{**row, **change} if (row["network"], row["sparsity"]) == where else row for row in rows]
        assert line in nonlocality_summary(some, "reduced")
    never = [{**row, "first_order_pearson": None} for row in rows if row["network"] == "subgradient"]
    assert "| subgradient | first order | not defined | 0.80" in nonlocality_summary(never, "reduced").replace("group lasso, ", "")
    assert "sparsity 0.1 | 3/3 | 3/3" in nonlocality_summary([row for row in rows if row["seed"] < 3], "reduced")
    nothing = nonlocality_summary([], "reduced")
    assert nothing.count("| 5/5 | not run | not run |") == 5
    assert nothing.count("| not run | not run |") == 6
    assert nothing.count("| not run |") == 6 + 3 + 3 * 2


def test_the_full_size_is_beside_the_published_sparsities() -> None:
    summary = nonlocality_summary(every_narrowed("full"), "full")
    assert "15 networks were trained: m = 6 parities of k = 3 bits, A and B the sums of three." in summary
    assert "| 64 | 0.48 | 0.45-0.51 | 0.52 | 0.48-0.56 | yes |" in summary
    assert "| 128 | 0.75 | 0.60-0.80 | 0.52 | 0.48-0.56 | no |" in summary
    for shift, verdict in ((0.01, "0.53 | 0.49-0.57 | yes"), (0.02, "0.54 | 0.50-0.58 | no")):
        moved = [{**row, "sparsity": row["sparsity"] + shift} for row in every_narrowed("full")]
        assert f"| 64 | 0.48 | 0.45-0.51 | {verdict} |" in nonlocality_summary(moved, "full")
    assert summary.count("| 256 | as trained |") == 10 + 2
    part = nonlocality_summary(every_narrowed("full", (64, 128), ("plain",)), "full")
    assert "10 networks were trained" in part
    assert "| 256 | 0.89 | 0.81-0.91 | not run |  | not run |" in part
    assert "| 64 | group lasso, proximal | not run |  |  |  |  |  |" in part


def test_figures_have_a_panel_for_every_network_and_width() -> None:
    for size, widths, networks in (("reduced", (64,), EVERY), ("full", (64, 128, 256), EVERY), ("full", (64, 128), EVERY[:1])):
        rows = every_narrowed(size, widths, networks)
        figure = nonlocality_drawing.accuracy_figure(rows)
        check_texts(figure)
        titles = [f"{nonlocality_drawing.NAMES[name]}, {width} wide" for width in widths for name in networks]
        assert [ax.get_title(loc="left") for ax in figure.axes] == titles
        place = figure.axes[0].get_subplotspec()
        assert place is not None
        # Widths of one network stand beside each other; the first in a row has the label.
        down, across = (len(widths), 3) if len(networks) > 1 else (1, len(widths))
        assert place.get_gridspec().get_geometry() == (down, across)
        assert [ax.get_ylabel() for ax in figure.axes] == (["accuracy"] + [""] * (across - 1)) * down
        recovered = next(line for line in figure.axes[0].lines if line.get_gid() == "a_recovered")
        assert recovered.get_xdata()[0] == SIZES[size].sparsities[0]
        assert recovered.get_ydata()[0] == 0.99
        figure = nonlocality_drawing.score_figure(rows, size)
        check_texts(figure)
        assert [ax.get_title(loc="left") for ax in figure.axes[:-1]] == titles
        (mesh,) = figure.axes[0].collections
        codes = len(SIZES[size].codes)
        assert mesh.get_array().shape == (codes, 128)
        assert mesh.get_array()[0, 0] == pytest.approx(-1)
        figure = nonlocality_drawing.attribution_figure(rows)
        check_texts(figure)
        assert [ax.get_title(loc="left") for ax in figure.axes] == titles
        # Of A, the code before the last.
        points = {part.get_gid(): part.get_offsets().tolist() for part in figure.axes[-1].collections}
        of_a, units = pytest.approx(0.1 * (codes - 1)), 2 * widths[-1]
        assert points == {"first order": [[0.01, of_a]] * (units - 1), "activation x gradient": [[0.02, of_a]] * units}


def test_drawings_of_networks_show_their_strong_edges() -> None:
    weights = ([[0.5, -2.0, 0.2], [0.3, 0.0, -0.31]], [[0.4, 0.1]], [[1.0], [-1.0]])
    network = SparseNetwork(weights, ([0.0, 0.0], [0.0], [0.0, 0.0]), ("relu", "relu", "identity"))  # type: ignore[arg-type]
    ax = Figure().add_subplot()
    draw_network(network, [True, False, True], ax)
    edges = {part.get_gid(): part for part in ax.collections}
    assert [len(edges[f"edges{layer}"].get_segments()) for layer in range(3)] == [3, 1, 2]
    first = edges["edges0"]
    assert [segment.round(2).tolist() for segment in first.get_segments()] == [
        [[0.17, 0.0], [0.25, 1.0]], [[0.5, 0.0], [0.25, 1.0]], [[0.83, 0.0], [0.75, 1.0]],
    ]  # fmt: skip
    blue, red, other = first.get_colors()
    assert blue[2] > blue[0]
    assert red[0] > red[2]
    assert other[0] > other[2]
    assert (blue[3], red[3]) == (pytest.approx(0.4), pytest.approx(0.8))
    assert [float(colour[:3].mean()) < 0.5 for colour in edges["units0"].get_facecolors()] == [True, False, True]


def test_the_figure_of_networks_has_dark_inputs_for_a() -> None:
    files: dict[str, Any] = {}
    rows = [row for row in every_narrowed() if row["seed"] == 0]
    for name in nonlocality_drawing.NAMES:
        weights = (np.ones((64, 16)), np.ones((64, 64)), np.ones((2, 64)))
        network = SparseNetwork(weights, tuple(weight[:, 0] for weight in weights), ("relu", "relu", "identity"))
        files[network_file(cell_name(64, 0, name))] = network_bytes(network)
    figure = nonlocality_drawing.network_figure(rows, files.get, "reduced")
    (inputs,) = [part for part in figure.axes[0].collections if part.get_gid() == "units0"]
    dark = [float(colour[:3].mean()) < 0.5 for colour in inputs.get_facecolors()]
    assert dark == [True, True, False, False, *[True] * 6, *[False] * 6]
    assert [ax.get_title(loc="left") for ax in figure.axes] == [f"{name}, 64 wide" for name in nonlocality_drawing.NAMES.values()]
