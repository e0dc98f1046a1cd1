"""The page of a report in a real browser: its controls, its colours, its widths, and that it asks for nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_drawing import ands_and_ors, five_modules

from analysis import Candidate, Hierarchy, LayeredGraph, detect_modules, lesions, significance
from analysis.layout import collapsing

playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested in a browser; needs `pip install playwright`")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="the page is tested in a browser; needs Chromium, such as Debian's `chromium`")

WIDTHS = (400, 800, 1400)
LOWEST = 4.5  # contrast of texts
VISIBLE = """selector => [...document.querySelectorAll(selector)].filter(each => each.checkVisibility({visibilityProperty: true})).length"""
SLIDE = """([place, value]) => {
  const slider = document.querySelectorAll('input[type=range]')[place];
  slider.value = value;
  slider.dispatchEvent(new Event('input'));
}"""
# For each visible text: its colour and the colour behind it, found by laying the fills and backgrounds of all it stands on above
# one another, of the page and of the shapes of the picture that are drawn before it.
CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (front, back) => front.slice(0, 3).map((c, i) => c * front[3] + back[i] * (1 - front[3]));
  const share = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = (c) => 0.2126 * share(c[0]) + 0.7152 * share(c[1]) + 0.0722 * share(c[2]);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.textContent.trim() || parent.closest('script, style, noscript, title, button:disabled')) continue;
    if (!parent.checkVisibility({visibilityProperty: true})) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (!box.width || box.width < 2) continue;
    const svg = parent.closest('svg');
    let back = [255, 255, 255];
    const around = [];
    for (let each = parent; each; each = each.parentElement) around.unshift(each);
    for (const each of around) if (!(each instanceof SVGElement)) back = over(rgba(getComputedStyle(each).backgroundColor), back);
    if (svg) {
      const x = box.x + box.width / 2, y = box.y + box.height / 2;
      for (const shape of svg.querySelectorAll('rect, circle')) {
        if (!(shape.compareDocumentPosition(parent) & Node.DOCUMENT_POSITION_FOLLOWING)) continue;
        const area = shape.getBoundingClientRect(), style = getComputedStyle(shape);
        if (style.visibility !== 'visible' || x < area.left || x > area.right || y < area.top || y > area.bottom) continue;
        const fill = rgba(style.fill === 'none' ? 'transparent' : style.fill);
        fill[3] *= Number(style.fillOpacity);
        back = over(fill, back);
      }
    }
    const style = getComputedStyle(parent), ink = over(rgba(svg ? style.fill : style.color), back);
    const [high, low] = [light(ink), light(back)].sort((a, b) => b - a);
    found.push([(high + 0.05) / (low + 0.05), node.textContent.trim().slice(0, 40), parent.tagName + '.' + parent.getAttribute('class')]);
  }
  return found;
}"""


def rounds_of(hierarchy: Hierarchy, rounds: int = 5) -> SimpleNamespace:
    """Rounds in which the edges that are not there went one after another, in rounds 1, 2, ..., 4, 1, 2, ..."""
    assert isinstance(hierarchy.graph, LayeredGraph)
    removed_in, total = [], 0
    for weights in hierarchy.graph.weights:
        gone = (np.arange(weights.size) % (rounds - 1) + 1).reshape(weights.T.shape)
        removed_in.append(np.where(weights.T != 0, rounds, gone))
        total += weights.size
    left = [sum(int((part > r).sum()) for part in removed_in) for r in range(rounds)]
    phases = ["dense", "units", "units", "edges", "edges"]
    attempts = [
        SimpleNamespace(phase=p, density=n / total, accuracy=1 - r / 100) for r, (p, n) in enumerate(zip(phases, left, strict=True))
    ]
    return SimpleNamespace(attempts=tuple(attempts), removed_in=tuple(removed_in), left=left)


@pytest.fixture(scope="module")
def shown() -> Hierarchy:
    return ands_and_ors(support=0.75, support_interval=(0.5, 0.9))


@pytest.fixture(scope="module")
def path(shown: Hierarchy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    other = five_modules()
    bits = np.array(np.meshgrid(*[[0, 1]] * 6)).reshape(6, -1).T
    evidence = {"Chance": significance(shown, nulls=19), "Lesions": lesions(shown, bits, random_sets=100)}
    candidates = [Candidate("seed 0", shown, rounds_of(shown)), Candidate("seed 1", other, rounds_of(other)), Candidate("seed 2", other)]
    return shown.report(tmp_path_factory.mktemp("report") / "report.html", title="A report", evidence=evidence, candidates=candidates)


@pytest.fixture(scope="module")
def window() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_context(viewport={"width": 1400, "height": 900})
        browser.close()


@pytest.fixture
def page(window: Any, path: Path) -> Iterator[Any]:
    """The page in a new tab; whatever it says, and whatever else it asks for, is an error."""
    said: list[str] = []
    page = window.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith(("data:", path.as_uri())) else None)
    page.goto(path.as_uri())
    yield page
    page.close()
    assert said == []


def edges_shown(page: Any) -> int:
    """Edges of the picture that can be seen; a path of removed ones says how many it holds."""
    gone = page.evaluate(
        "() => [...document.querySelectorAll('.network:not([hidden]) .gone path')]"
        ".filter(each => each.checkVisibility({visibilityProperty: true})).reduce((sum, each) => sum + Number(each.dataset.count), 0)"
    )
    return int(gone) + int(page.evaluate(VISIBLE, ".picture .edge"))


def test_the_slider_shows_the_edges_of_every_round(page: Any, shown: Hierarchy) -> None:
    left = rounds_of(shown).left
    assert edges_shown(page) == left[-1] == shown.graph.edge_count
    for round_, count in enumerate(left):
        page.evaluate(SLIDE, [0, round_])
        assert edges_shown(page) == count
        assert page.locator("output").first.inner_text().startswith(f"Round {round_ + 1} of 5, phase ")
        assert f": {count} edges, density " in page.locator("output").first.inner_text()
    assert len(set(left)) == 5
    page.locator("input[type=range]").first.focus()
    page.keyboard.press("ArrowLeft")
    assert edges_shown(page) == left[-2]


def test_a_module_alone_hides_what_is_on_none_of_its_paths(page: Any) -> None:
    whole = [page.evaluate(VISIBLE, selector) for selector in (".picture .unit", ".picture .edge", ".region", ".node")]
    assert whole == [15, 15, 6, 6]
    page.locator(".region[data-module='0'] rect").first.click(position={"x": 3, "y": 40})
    # M0 has two inputs and a unit, which M3 and M5 read, each a unit with its output
    assert [page.evaluate(VISIBLE, selector) for selector in (".picture .unit", ".picture .edge", ".region", ".node")] == [7, 6, 3, 3]
    assert page.locator("tr.chosen th").first.inner_text() == "M0"
    page.evaluate(SLIDE, [0, 0])
    assert edges_shown(page) == 6  # those that pruning removed belong to no module
    page.locator(".show-all").first.click()
    assert page.evaluate(VISIBLE, ".picture .unit") == 15
    assert edges_shown(page) == 36


def with_many_modules() -> Hierarchy:
    """Thirty modules of an input and a unit, of which each of two outputs, modules too, reads two; M1 is read by both.

    In groups 24 of the 32 are shown: those that are read, and the first of the others. M23 to M28 and the outputs are the rest.
    """
    second = np.zeros((2, 30))
    second[0, [0, 1]] = second[1, [1, 29]] = 1.0
    labels = [*map(np.array, (range(30), range(30), (30, 31)))]
    return Hierarchy(LayeredGraph.from_weights([np.eye(30), second]), tuple(labels), tuple(labels))


SEEN = "(selector, said) => [...document.querySelectorAll(selector)].filter(e => e.checkVisibility({visibilityProperty: true})).map(said)"
NODES = f"() => ({SEEN})('.node', each => each.dataset.module)"
REGIONS = f"() => ({SEEN})('.region', each => each.dataset.module)"
FLOWS = f"() => ({SEEN})('.flow', each => each.querySelector('title').textContent)"


def click_module(page: Any, module: int) -> None:
    page.locator("tbody th button").get_by_text(f"M{module}", exact=True).press("Enter")


def test_a_module_of_the_rest_is_shown_as_the_rest_with_its_own_relations(window: Any, tmp_path: Path) -> None:
    page = window.new_page()
    page.goto(with_many_modules().report(tmp_path / "a.html", collapse=True).as_uri())
    regions = page.evaluate(REGIONS)
    hidden = {str(m) for m in range(32)} - set(regions)
    assert "-2" in regions
    assert {"25", "30", "31"} <= hidden
    click_module(page, 25)
    assert page.evaluate(REGIONS) == ["-2"]
    assert page.evaluate(NODES) == ["25"]
    assert page.evaluate(VISIBLE, ".picture .unit") == 3  # the rest of each layer
    page.keyboard.press("Escape")
    click_module(page, 31)
    assert page.evaluate(REGIONS) == ["1", "29", "-2"]
    assert page.evaluate(NODES) == ["1", "29", "31"]
    assert page.evaluate(FLOWS) == ["M1 to M31: 1 edge", "M29 to M31: 1 edge"]
    page.keyboard.press("Escape")
    click_module(page, 0)  # read by one of the rest
    assert page.evaluate(REGIONS) == ["0", "-2"]
    assert page.evaluate(NODES) == ["0", "30"]
    assert page.evaluate(FLOWS) == ["M0 to M30: 1 edge"]
    page.keyboard.press("Escape")
    click_module(page, 5)
    assert page.evaluate(REGIONS) == ["5"]
    page.keyboard.press("Escape")
    page.locator(".region[data-module='-2']").press("Enter")
    assert set(page.evaluate(NODES)) == hidden | {"0", "1", "29"}
    page.close()


def test_a_page_without_a_picture_keeps_the_graph_of_modules(window: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collapsing, "LIMITS", (1, 1, 1, 1))
    page = window.new_page()
    page.goto(ands_and_ors().report(tmp_path / "a.html").as_uri())
    assert page.locator(".picture").count() == 0
    page.locator(".node[data-module='0']").press("Enter")
    assert page.evaluate(NODES) == ["0", "3", "5"]
    assert page.evaluate(FLOWS) == ["M0 to M3: 1 edge", "M0 to M5: 1 edge"]
    page.close()


def test_the_keyboard_reaches_units_and_modules(page: Any) -> None:
    page.locator(".picture .region").first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate(VISIBLE, ".picture .unit") == 7
    page.keyboard.press("Escape")
    assert page.evaluate(VISIBLE, ".picture .unit") == 15
    page.locator(".picture .unit[tabindex='0']").first.focus()
    assert page.locator(".details h3").first.inner_text() == "x0"
    page.keyboard.press("ArrowRight")
    assert page.locator(".details h3").first.inner_text() == "x1"
    page.keyboard.press("ArrowUp")
    details = page.locator(".details").first.inner_text().split("\n")
    assert list(filter(None, details))[:8] == ["h1.0", "hidden 1 · Module M0", "In: 2", "x0 (M0)", "1.000", "x1 (M0)", "0.700", "Out: 2"]
    page.keyboard.press("Enter")
    assert page.evaluate(VISIBLE, ".picture .unit") == 7
    page.keyboard.press("Escape")
    page.locator("tbody th button", has_text="M5").first.press("Enter")
    assert page.evaluate(VISIBLE, ".region") == 3
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"


def test_the_pointer_shows_what_a_unit_is(page: Any) -> None:
    page.locator(".picture .unit").first.hover()
    assert page.locator(".details h3").first.inner_text() == "x0"
    assert page.evaluate(VISIBLE, ".edge.lit") == 1
    page.locator("h1").hover()
    assert page.evaluate(VISIBLE, ".edge.lit") == 0


def test_the_choice_of_networks_changes_picture_and_table(page: Any) -> None:
    seen = []
    for name in ("seed 0", "seed 1", "seed 2"):
        page.get_by_role("radio", name=name).check()
        assert page.locator(".network:visible").count() == 1
        seen.append(
            (page.evaluate(VISIBLE, ".picture .unit"), page.evaluate(VISIBLE, "tbody tr"), page.evaluate(VISIBLE, "input[type=range]"))
        )
    assert seen == [(15, 6, 1), (34, 5, 1), (34, 5, 0)]
    assert "the report was made from the network alone" in page.locator(".network:visible .note").inner_text()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for name in ("seed 0", "seed 1"):
        page.get_by_role("radio", name=name).check()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        beyond = page.evaluate(
            "() => [...document.querySelectorAll('body *')].filter(each => !each.closest('.scroll, pre, thead, script') "
            "&& each.getBoundingClientRect().right > innerWidth + 0.5).map(each => each.outerHTML.slice(0, 80))"
        )
        assert beyond == []
        # Texts of a picture stay inside it, and are not smaller than 8 pixels.
        outside = page.evaluate(
            "() => [...document.querySelectorAll('.network:not([hidden]) svg')].flatMap(svg => { const a = svg.getBoundingClientRect(); "
            "return [...svg.querySelectorAll('text')].filter(text => { const b = text.getBoundingClientRect(); return b.left < a.left - 1 "
            "|| b.right > a.right + 1 || b.top < a.top - 1 || b.bottom > a.bottom + 1 || b.height < 8; }).map(t => t.textContent) })"
        )
        assert outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    for name in ("seed 0", "seed 1"):
        page.get_by_role("radio", name=name).check()
        page.locator(".network:visible").get_by_role("img", name="h2.1, hidden 2").focus()  # has weights of both signs
        assert page.locator(".details:visible .negative").count() > 0
        assert page.locator(".details:visible .positive").count() > 0
        found = page.evaluate(CONTRAST)
        assert len(found) > 60
        assert [each for each in found if each[0] < LOWEST] == []


def test_the_button_switches_the_colours(page: Any) -> None:
    page.emulate_media(color_scheme="light")
    colours = [page.evaluate("getComputedStyle(document.body).backgroundColor")]
    for label in ("Dark colours", "Light colours"):
        page.get_by_role("button", name=label).click()
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(255, 255, 255)", "rgb(21, 23, 26)", "rgb(255, 255, 255)"]


def test_a_reader_hears_names(page: Any) -> None:
    nameless = page.evaluate(
        "() => [...document.querySelectorAll('button, [role=button], [role=img], svg, input, section, [role=region]')]"
        ".filter(each => !(each.getAttribute('aria-label') || each.textContent.trim() || each.closest('label')?.textContent.trim()))"
        ".map(each => each.outerHTML.slice(0, 80))"
    )
    assert nameless == []
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.get_by_role("img", name="x0, inputs, module M0").count() >= 1
    assert page.get_by_role("slider", name="Rounds of pruning, from dense to sparse").count() == 1


def test_names_stay_text_in_the_browser(window: Any, tmp_path: Path) -> None:
    bad = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
    graph = LayeredGraph.from_weights([[[1.0, 1.0]], [[1.0]]], input_names=(bad, "b"), output_names=("</text>&quot;",))
    found = detect_modules(graph)
    path = found.report(
        tmp_path / "a.html", title=bad, evidence={bad: bad}, candidates=[(bad, found, bad), ("other", detect_modules(graph))]
    )
    page = window.new_page()
    shown: list[Any] = []
    page.on("dialog", lambda dialog: shown.append(dialog))
    page.on("pageerror", lambda error: shown.append(error))
    page.goto(path.as_uri())
    page.locator(".picture .unit").first.focus()
    assert page.locator(".details h3").first.inner_text() == bad
    assert page.evaluate("document.scripts.length") == 2
    page.close()
    assert shown == []
