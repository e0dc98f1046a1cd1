"""Reports: as text, and as a page of HTML."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from test_drawing import CASES, ands_and_ors, five_modules, hierarchy, with_removed_units

from analysis import report_html, report_text, write_report

REPORT = """\
6 modules in a network of widths 6-3-3-3
edges: 15 of 36 (density 0.417)
units: 6 of 6 inputs, 3 of 3 in hidden 1, 3 of 3 in hidden 2, 3 of 3 outputs
accuracy on the validation rows: 0.9988
support: 0.750 of the votes

M0: inputs x0, x1; hidden units 1 in layer 1; reads from no module
M1: inputs x2, x3; hidden units 1 in layer 1; reads from no module
M2: inputs x4, x5; hidden units 1 in layer 1; reads from no module
M3: outputs y0; hidden units 1 in layer 2; reads from M0, M1
M4: outputs y1; hidden units 1 in layer 2; reads from M1, M2
M5: outputs y2; hidden units 1 in layer 2; reads from M0, M2"""


def test_report_text_word_for_word():
    case = ands_and_ors(network=SimpleNamespace(accuracy=0.99875), support=0.75)
    assert report_text(case) == REPORT
    assert str(case) == REPORT
    assert report_text(case, Verdict(True)) == REPORT + "\n\nfound <all> & more"
    assert report_text(case, evidence={"Chance": "p < 1"}) == REPORT + "\n\nChance:\np < 1"


def test_report_names_edges_that_are_not_drawn_and_cuts_long_lists():
    assert "edges: 6 of 36 (density 0.167); 1 of them at removed units, not drawn" in report_text(with_removed_units())
    wide = hierarchy([np.ones((1, 30))], ([0] * 30, [0]))
    assert "x22, x23, … (30 in all); outputs y0" in report_text(wide)


def test_a_module_of_inputs_alone_is_explained():
    case = hierarchy([np.ones((2, 2)), np.eye(2)], ([0, 0], [1, 2], [1, 2]))
    line = "M0: inputs x0, x1; hidden units none, since its inputs are read by units of other modules; reads from no module"
    assert line in report_text(case).splitlines()
    assert ">none, since its inputs are read by units of other modules</td>" in report_html(case)


def test_html_is_self_contained_and_escapes_names():
    case = CASES["long names"]
    page = report_html(case, Verdict(False), title="<script>alert(1)</script>", evidence={"Chance & more": "p < 1"})
    assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(https?:)?//", page)
    outside = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert "http://" not in outside
    assert "https://" not in outside
    assert "<script>alert" not in page
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;" in page
    assert "found &lt;all&gt; &amp; more" in page
    assert "Against the truth: not exact" in page
    assert '<h2>Chance &amp; more</h2>\n<pre tabindex="0">p &lt; 1</pre>' in page
    assert "Against the truth: another valid decomposition" in report_html(case, Verdict(False, valid=True))
    assert page.count("<script") == page.count("</script>") == 2  # the data and the code


def test_the_picture_has_an_element_for_each_unit_edge_and_module_in_the_order_of_the_data():
    case = five_modules()
    page = report_html(case)
    svg = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + len("</svg>")])
    kinds = [(element.get("class") or "").split() for element in svg.iter()]
    [data] = page_data(page)
    assert sum("unit" in kind for kind in kinds) == len(data["units"]) == sum((labels >= 0).sum() for labels in case.labels)
    assert sum("edge" in kind for kind in kinds) == len(data["edges"]) == case.graph.edge_count
    assert re.findall(r'class="region"[^>]*data-module="(\d+)"', page) == [str(m) for m in range(5)]
    assert re.findall(r'<tr data-module="(\d+)"', page) == [str(m) for m in range(5)]
    signs = [kind[1] for kind in kinds if "edge" in kind]
    assert signs == ["negative" if weight < 0 else "positive" for _, _, weight, _ in data["edges"]]
    assert "Against" not in page


def page_data(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_only_hierarchies_have_a_report(tmp_path):
    for report in (report_text, report_html, lambda network: write_report(network, tmp_path / "a.html")):
        with pytest.raises(TypeError, match=r"expected a Hierarchy, such as detect_modules\(network\); got LayeredGraph"):
            report(ands_and_ors().graph)


def test_write_report(tmp_path):
    case = ands_and_ors()
    assert write_report(case, tmp_path / "a.txt").read_text() == report_text(case) + "\n"
    assert write_report(case, tmp_path / "a.html", title="T").read_text() == report_html(case, title="T")


@pytest.mark.parametrize("suffix", ["html", "txt"])
def test_unknown_options_are_refused_for_both_kinds_of_file(tmp_path, suffix):
    with pytest.raises(TypeError, match="unexpected keyword argument 'titel'"):
        write_report(ands_and_ors(), tmp_path / f"a.{suffix}", titel="T")
    with pytest.raises(TypeError, match="unexpected keyword argument 'titel'"):
        ands_and_ors().report(tmp_path / f"a.{suffix}", titel="T")
    assert list(tmp_path.iterdir()) == []


class Verdict:
    """Stands for a comparison."""

    def __init__(self, exact, valid=None):
        self.exact, self.valid = exact, valid

    def __str__(self):
        return "found <all> & more"
