"""How a report page looks: its style sheet and the frames that `assistant.report` fills.

The frames expect text that is already escaped. The page's policy admits this style sheet and no other, by its
hash, so no frame carries a style attribute or a script.
"""

from string import Template

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c2127; --soft: #5b6570; --line: #dde1e6;
  --card: #f5f6f8; --link: #1557b0; --good: #00725c; --review: #f0b414; --defect: #be1928; --error: #5b6570; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --ink: #e8ebef; --soft: #9aa5b1;
  --line: #30363d; --card: #1c2127; --link: #8ab4f8; --defect: #d93544; --good: #0a8a70; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 78rem; padding: 1.5rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.6rem; overflow-wrap: anywhere; }
a { color: var(--link); }
.counts { display: flex; flex-wrap: wrap; gap: .5rem 1rem; margin: .75rem 0; font-size: 1.05rem; }
.badge { display: inline-block; padding: .05rem .6rem; border-radius: .3rem; color: #fff; font-weight: 600; }
.good { background: var(--good); } .defect { background: var(--defect); } .error { background: var(--error); }
.review { background: var(--review); color: #000; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 1rem 0;
  padding: 1rem; background: var(--card); border-radius: .5rem; }
.facts dt { color: var(--soft); } .facts dd { margin: 0; overflow-wrap: anywhere; }
.notes { margin: 1rem 0; padding-left: 1.2rem; }
table { width: 100%; border-collapse: collapse; }
thead th { color: var(--soft); font-weight: 500; text-align: left; }
th, td { padding: .75rem .75rem .75rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody th { width: 17rem; font-weight: 600; text-align: left; overflow-wrap: anywhere; }
tbody img { display: block; width: 100%; max-height: 17rem; margin-top: .4rem; object-fit: contain;
  object-position: left top; border-radius: .3rem; }
.numbers { width: 13rem; }
.numbers svg { display: block; width: 11rem; height: 1.6rem; margin: .4rem 0 .2rem; }
.regions { width: 15rem; } .regions ul { margin: 0; padding: 0; list-style: none; }
.regions li { margin-bottom: .4rem; }
.soft { color: var(--soft); font-size: .875rem; }
.words { white-space: pre-line; overflow-wrap: anywhere; } .words p { margin: 0 0 .5rem; }
.track { stroke: var(--line); stroke-width: 4; } .limit { stroke: var(--ink); stroke-width: 2; }
.near { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 2 2; }
.dot-good { fill: var(--good); } .dot-review { fill: var(--review); } .dot-defect { fill: var(--defect); }
@media (max-width: 56rem) { thead { position: absolute; left: -99rem; }
  tbody tr { display: block; padding: .75rem 0; border-bottom: 1px solid var(--line); }
  tbody th, td, .numbers, .regions { display: block; width: 100%; padding: .25rem 0; border: 0; }
  .facts { grid-template-columns: 1fr; } .facts dd { margin-bottom: .4rem; } }
@media print { tr { break-inside: avoid; } }
"""

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src '$style_hash'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>$title</title>
<style>$style</style>
</head>
<body>
<h1>$title</h1>
<p class="counts">$counts</p>
$notes
<dl class="facts">$facts</dl>
<table>
<thead><tr><th scope="col">Picture</th><th scope="col">Verdict, score and limit</th>
<th scope="col">Regions</th><th scope="col">Explanation</th></tr></thead>
<tbody>
$rows
</tbody>
</table>
</body>
</html>
""")

ROW = Template("""<tr>
<th scope="row"><bdi>$name</bdi>$picture</th>
<td class="numbers">$numbers</td>
<td class="regions">$regions</td>
<td class="words">$words</td>
</tr>""")

BAR = Template("""<svg viewBox="0 0 176 26" role="img" aria-label="$label"><title>$label</title>
<line class="track" x1="4" x2="172" y1="13" y2="13"/><line class="near" x1="$near" x2="$near" y1="4" y2="22"/>
<line class="limit" x1="$limit" x2="$limit" y1="2" y2="24"/>
<circle class="dot-$verdict" cx="$score" cy="13" r="5"/></svg>""")
