"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const networks = [...document.querySelectorAll(".network")].map((root, i) => network(root, data[i]));

  for (const input of document.querySelectorAll(".choice input")) {
    input.addEventListener("change", () => networks.forEach((one, i) => { one.root.hidden = i !== Number(input.value); }));
    if (input.checked) input.dispatchEvent(new Event("change"));
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const one of networks) one.isolate(null);
  });

  const theme = document.getElementById("theme");
  const isDark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light colours" : "Dark colours"; };
  theme.addEventListener("click", () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });
  nameTheme();

  function element(name, text, className) {
    const made = document.createElement(name);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function network(root, facts) {
    const all = (selector) => [...root.querySelectorAll(selector)];
    const picture = root.querySelector(".picture"), details = root.querySelector(".details"), showAll = root.querySelector(".show-all");
    const units = all(".picture .unit"), edges = all(".picture .edge"), gone = all(".gone [data-until]");
    const modules = all("[data-module]"), buttons = modules.filter((each) => each.hasAttribute("aria-pressed"));
    let alone = null;

    const nameOf = (module) => (module >= 0 ? `Module M${module}` : module === -1 ? "No module" : "Smaller modules, drawn together");

    // What a unit or a module is, beside the picture.
    function describe(heading, lines, lists) {
      details.replaceChildren(element("h3", heading), ...lines.map((line) => element("p", line)));
      for (const [title, items] of lists) {
        const list = document.createElement("ul");
        for (const [name, value, sign] of items.slice(0, 12)) {
          const item = document.createElement("li");
          item.append(element("span", name), element("span", value, sign));
          list.append(item);
        }
        if (items.length > 12) list.append(element("li", `and ${items.length - 12} more`));
        details.append(element("p", title), list);
      }
    }
    function ends(unit, from, to) {
      const found = facts.edges.filter((edge) => edge[from] === unit).sort((a, b) => Math.abs(b[2]) - Math.abs(a[2]));
      return found.map((edge) => {
        const [name, , module] = facts.units[edge[to]];
        const value = edge[3] === "weight" ? edge[2].toFixed(3) : edge[3] === "sum" || edge[3] === "pixels" ? `sum ${edge[2].toFixed(2)}` : edge[3];
        return [module < 0 ? name : `${name} (M${module})`, value, edge[3] !== "weight" ? "" : edge[2] < 0 ? "negative" : "positive"];
      });
    }
    function showUnit(i) {
      const [name, layer, module] = facts.units[i], inward = ends(i, 1, 0), outward = ends(i, 0, 1);
      const where = nameOf(module);
      describe(name, [`${layer} · ${where}`], [[`In: ${inward.length}`, inward], [`Out: ${outward.length}`, outward]]);
      trace((edge) => edge[0] === i || edge[1] === i);
      mark(module);
    }
    function showModule(module) {
      const shown = drawnAs(module);
      describe(nameOf(module), (facts.modules[module] ?? []).map(([name, value]) => `${name}: ${value}`), []);
      trace((edge) => facts.units[edge[0]][2] === shown || facts.units[edge[1]][2] === shown);
      mark(module);
    }
    function trace(chosen) {
      if (!picture) return;
      picture.classList.toggle("tracing", chosen !== null);
      edges.forEach((path, k) => path.classList.toggle("lit", chosen !== null && chosen(facts.edges[k])));
    }
    function mark(module) {
      for (const row of all("tr[data-module]")) row.classList.toggle("chosen", Number(row.dataset.module) === module);
    }
    function release() { trace(null); mark(alone); }

    // A module alone: modules from which it is reached and that it reaches, of them the units on its paths, and the edges between them.
    // Small modules of a large network are drawn as one, -2, so what is related is told by the graph of the modules, not by the picture.
    const drawnAs = (module) => facts.drawn[module] ?? module;
    function reached(start, pairs, from, to, may) {
      const found = new Set(start);
      for (let size = -1; size !== found.size;) {
        size = found.size;
        for (const pair of pairs) if (found.has(pair[from]) && may(pair[to])) found.add(pair[to]);
      }
      return found;
    }
    function paths(module, from, to) {
      const members = module === -2 ? Object.keys(facts.drawn).map(Number).filter((each) => drawnAs(each) === -2) : [module];
      const related = reached(members, facts.flow, from, to, () => true);
      const shown = new Set([...related].map(drawnAs)), own = drawnAs(module);
      const start = facts.units.flatMap((unit, i) => (unit[2] === own ? [i] : []));
      return [related, reached(start, facts.edges, from, to, (i) => facts.units[i][2] === -1 || shown.has(facts.units[i][2]))];
    }
    function isolate(module) {
      alone = module;
      const [[under, below], [over, above]] = module === null ? [[], []] : [paths(module, 1, 0), paths(module, 0, 1)];
      const stays = (i) => module === null || below.has(i) || above.has(i);
      const joins = (low, high, a, b) => (low.has(a) && low.has(b)) || (high.has(a) && high.has(b));
      const kept = new Set(facts.units.flatMap((unit, i) => (stays(i) ? [unit[2]] : [])));
      units.forEach((unit, i) => unit.classList.toggle("out", !stays(i)));
      edges.forEach((path, k) => path.classList.toggle("out", module !== null && !joins(below, above, facts.edges[k][0], facts.edges[k][1])));
      for (const name of all(".name")) name.classList.toggle("out", !stays(Number(name.dataset.unit)));
      for (const each of all(".region, .label")) each.classList.toggle("out", module !== null && !kept.has(Number(each.dataset.module ?? each.dataset.label)));
      for (const node of all(".node")) node.classList.toggle("out", module !== null && !under.has(Number(node.dataset.module)) && !over.has(Number(node.dataset.module)));
      for (const line of all(".flow")) line.classList.toggle("out", module !== null && !joins(under, over, Number(line.dataset.from), Number(line.dataset.to)));
      for (const button of buttons) button.setAttribute("aria-pressed", String(module !== null && Number(button.dataset.module) === module));
      showAll.disabled = module === null;
      mark(module);
      toRound();
    }

    // The rounds of pruning.
    const slider = root.querySelector("input[type=range]"), output = root.querySelector("output");
    function toRound() {
      const round = slider ? Number(slider.value) : Infinity;
      for (const each of gone) each.classList.toggle("out", alone !== null || Number(each.dataset.until) <= round);
      if (!slider) return;
      const [phase, count, density, accuracy] = facts.rounds[round];
      const figures = [`${count} edge${count === 1 ? "" : "s"}`, `density ${density.toFixed(4)}`, `${facts.metric} ${accuracy === null ? "unknown" : accuracy.toFixed(4)}`];
      const text = `Round ${round + 1} of ${facts.rounds.length}, phase ${phase}: ${figures.join(", ")}`;
      output.textContent = text;
      slider.setAttribute("aria-valuetext", text);
      for (const chart of all(".chart")) {
        const left = Number(chart.dataset.left), right = Number(chart.dataset.right), now = chart.querySelector(".now");
        const x = left + (right - left) * round / Math.max(1, facts.rounds.length - 1);
        now.setAttribute("x1", x);
        now.setAttribute("x2", x);
      }
    }
    slider?.addEventListener("input", toRound);

    // Pointer and keyboard.
    function step(i, key) {
      const centre = (unit) => { const box = unit.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; };
      const [x, y] = centre(units[i]), along = key === "ArrowLeft" || key === "ArrowRight" ? 0 : 1;
      const sign = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
      let best = i, least = Infinity;
      units.forEach((unit, k) => {
        if (k === i || unit.classList.contains("out")) return;
        const [u, v] = centre(unit), move = [u - x, v - y], ahead = sign * move[along], aside = Math.abs(move[1 - along]);
        const cost = ahead + 3 * aside;
        if (ahead > 1 && cost < least) { least = cost; best = k; }
      });
      return best;
    }
    units.forEach((unit, i) => {
      unit.addEventListener("mouseenter", () => showUnit(i));
      unit.addEventListener("mouseleave", release);
      unit.addEventListener("focus", () => showUnit(i));
      unit.addEventListener("blur", release);
      const module = facts.units[i][2];
      unit.addEventListener("click", () => { if (module !== -1) isolate(alone === module ? null : module); });
      unit.addEventListener("keydown", (event) => {
        if (event.key.startsWith("Arrow")) {
          const next = step(i, event.key);
          unit.tabIndex = -1;
          units[next].tabIndex = 0;
          units[next].focus();
          event.preventDefault();
        } else if ((event.key === "Enter" || event.key === " ") && module !== -1) {
          isolate(alone === module ? null : module);
          event.preventDefault();
        }
      });
    });
    for (const each of modules) {
      const module = Number(each.dataset.module);
      for (const on of ["mouseenter", "focusin"]) each.addEventListener(on, () => showModule(module));
      for (const off of ["mouseleave", "focusout"]) each.addEventListener(off, release);
    }
    for (const button of buttons) {
      const module = Number(button.dataset.module), toggle = () => isolate(alone === module ? null : module);
      button.addEventListener("click", toggle);
      if (button.tagName === "BUTTON") continue;
      button.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { toggle(); event.preventDefault(); }
      });
    }
    showAll.addEventListener("click", () => isolate(null));
    toRound();
    return { root, isolate };
  }
})();
