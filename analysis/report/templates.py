"""The HTML of the page: its style, its parts, and the script that highlights a module."""

from __future__ import annotations

from string import Template

__all__ = ["PAGE", "PIXELS"]

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
