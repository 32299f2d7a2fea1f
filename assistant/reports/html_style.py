"""How a report page looks: its style sheet and the frames that `assistant.reports.html_report` fills.

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
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0 0 .25rem; font-size: 1.6rem; } h2 { margin: 2rem 0 .5rem; font-size: 1.2rem; }
h3 { margin: 0 0 .6rem; font-size: 1rem; } h4 { margin: .6rem 0 .2rem; font-size: .875rem; color: var(--soft);
  font-weight: 500; }
a { color: var(--link); }
.counts { display: flex; flex-wrap: wrap; gap: .5rem 1rem; margin: .75rem 0; font-size: 1.05rem; }
.badge { display: inline-block; padding: .05rem .6rem; border-radius: .3rem; color: #fff; font-weight: 600;
  white-space: nowrap; }
.badge.good { background: var(--good); } .badge.defect { background: var(--defect); }
.badge.unrated, .badge.error { background: var(--error); }
.badge.review { background: var(--review); color: #000; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; }
.facts { margin: 1rem 0; padding: 1rem; background: var(--card); border-radius: .5rem; }
.notes { margin: 1rem 0; padding-left: 1.2rem; }
.histogram { display: block; width: 100%; max-width: 46rem; height: auto; margin: .5rem 0; }
.histogram text { fill: var(--soft); font-size: 11px; }
.bar-unrated { fill: var(--error); }
.bar-good { fill: var(--good); } .bar-review { fill: var(--review); } .bar-defect { fill: var(--defect); }
article { display: grid; grid-template-columns: 20rem 17rem 1fr; gap: 0 1.5rem; padding: 1rem 0;
  border-top: 1px solid var(--line); }
article h3 { grid-column: 1 / -1; }
article img { display: block; width: 100%; max-height: 20rem; object-fit: contain; object-position: left top;
  border-radius: .3rem; }
.single { grid-template-columns: 19rem 1fr; } .single .figures { grid-column: 1 / -1; display: flex; gap: 1rem;
  margin-bottom: 1rem; } .single .figures > * { flex: 1 1 0; min-width: 0; }
.single img { max-height: 34rem; }
.pairs { grid-column: 1 / -1; order: 1; display: flex; flex-wrap: wrap; gap: .75rem; margin-top: .75rem; }
.pairs > * { flex: 0 1 28rem; } .pairs img { max-height: none; }
.single .pairs { order: 0; margin: 0 0 1rem; }
.numbers svg { display: block; width: 11rem; height: 1.6rem; margin: .4rem 0 .2rem; }
.numbers ul { margin: 0; padding: 0; list-style: none; } .numbers li { margin-bottom: .4rem; }
.soft { color: var(--soft); font-size: .875rem; }
.words p { margin: 0 0 .5rem; white-space: pre-line; }
.asked { margin: .75rem 0 .1rem; font-weight: 600; white-space: pre-line; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
th { color: var(--soft); font-weight: 500; text-align: left; white-space: nowrap; overflow-wrap: normal; }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.track { stroke: var(--line); stroke-width: 4; } .limit { stroke: var(--ink); stroke-width: 2; }
.near { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 2 2; }
.dot-unrated { fill: var(--error); }
.dot-good { fill: var(--good); } .dot-review { fill: var(--review); } .dot-defect { fill: var(--defect); }
@media (max-width: 60rem) { article, .single { grid-template-columns: 1fr; gap: .75rem; }
  .single .figures { flex-direction: column; margin: 0; } article img { max-height: none; }
  .facts { grid-template-columns: 1fr; gap: 0; } .facts dd { margin-bottom: .4rem; } }
@media print { article { break-inside: avoid; } }
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
<h1><bdi>$title</bdi></h1>
<div class="counts">$counts</div>
$notes
<dl class="facts">$facts</dl>
$summary
$entries
$rest
$unread
</body>
</html>
""")

ENTRY = Template("""<article class="$kind">
<h3><span class="badge $verdict">$label</span> <bdi>$name</bdi></h3>
<div class="figures">$figures</div>
$pairs
<div class="numbers">$bar<dl>$numbers</dl>$doubt<h4>Regions</h4>$regions</div>
<div class="words">$words</div>
</article>""")

BAR = Template("""<svg viewBox="0 0 176 26" role="img" aria-label="$label"><title>$label</title>
<line class="track" x1="4" x2="172" y1="13" y2="13"/>$limits
<circle class="dot-$verdict" cx="$score" cy="13" r="5"/></svg>""")

BAR_LIMITS = Template("""<line class="near" x1="$near" x2="$near" y1="4" y2="22"/>
<line class="limit" x1="$limit" x2="$limit" y1="2" y2="24"/>""")

HISTOGRAM = Template("""<svg class="histogram" viewBox="0 0 640 150" role="img" aria-label="$label">
<title>$label</title>
$bars
<line class="track" x1="0" x2="640" y1="128" y2="128"/>
$limits
<text x="0" y="146">$low</text><text x="640" y="146" text-anchor="end">$high</text>
<text x="0" y="10">$most</text>
</svg>""")
