"""The style of the page: its fonts, and the CSS of what Gradio does not style itself."""

from __future__ import annotations

from assistant.face.verdicts import style_bars, style_outcomes

FONT = ("system-ui", "sans-serif")
CSS = (
    """
.nav-holder { display: none; }
.verdict { padding: 2px 4px; font-size: 15px; line-height: 1.5; overflow-wrap: anywhere; }
.verdict .html-container, .notes .html-container, .legend .html-container { padding: 0; }
.verdict p { margin: 0 0 2px; }
.verdict .badge { padding: 2px 10px; border-radius: 6px; margin-right: 8px; font-weight: 600; }
.verdict .subject, .verdict small { opacity: 0.8; font-size: 13px; }
.verdict small { display: block; margin-top: 2px; }
.verdict .score { position: relative; height: 52px; margin: 6px 8px 0; font-size: 12px; }
.verdict .score i { position: absolute; top: 14px; height: 10px; }
.verdict .score i.good { border-radius: 5px 0 0 5px; }
.verdict .score i.defect { border-radius: 0 5px 5px 0; }
.verdict .score b { position: absolute; top: 6px; width: 4px; height: 26px; margin-left: -2px; border-radius: 2px;
  background: var(--body-text-color); box-shadow: 0 0 0 2px var(--background-fill-primary); }
.verdict .score span { position: absolute; top: 32px; white-space: nowrap; padding: 0 4px; }
.legend .scale { display: flex; align-items: center; gap: 6px; font-size: 12px; }
.legend .scale i { flex: 0 1 160px; height: 10px; border-radius: 5px; }
.legend .scale span { opacity: 0.75; }
#pictures .upload-wrapper { height: calc(100% - 40px); }
#pictures .upload-container .wrap { min-height: 0; }
#pictures .gallery-item { min-width: 0; overflow: hidden; }
#pictures .grid-container { padding-top: 22px; }
.overlay img { max-height: 460px; object-fit: contain; }
.regions .cell-wrap { padding: 4px 2px !important; }
.regions .cell-wrap, .regions .cell-wrap * { font-size: 12px !important; }
.actions { align-items: center; }
.actions > button { flex: 0 0 auto; }
.notes { flex: 1 1 200px; font-size: 13px; overflow-wrap: anywhere; }
.notes p { margin: 0; }
.chat button[aria-label=Clear] { display: none; }
.chat .own-look { margin-top: 8px; padding: 6px 10px; border: 1px dashed var(--border-color-accent, currentColor);
  border-radius: 6px; font-style: italic; }
.chat .own-look b { font-size: 12px; font-style: normal; }
.chat .own-look ul { margin: 2px 0 0 18px; list-style: disc; }
.chat .second-look { margin-bottom: 8px; padding: 6px 10px; border-left: 4px solid #d99a00; font-weight: 600; }
.chat .more { margin-top: 4px; font-size: 13px; }
.chat .told { margin-top: 6px; font-size: 12px; opacity: 0.8; white-space: pre-line; }
.questions { gap: 6px; flex-wrap: wrap; }
.questions button { flex: 1 1 auto; min-width: 0; }
.sign-off .html-container { padding: 0 0 4px; font-size: 14px; }
.sign-off p { margin: 0 0 2px; overflow-wrap: anywhere; }
#what-if table, #check-told table { border: 0; border-collapse: collapse; font-size: 14px; }
#what-if tr, #check-told tr { border: 0; }
#what-if th, #what-if td, #check-told th, #check-told td { padding: 3px 12px 3px 0; text-align: left;
  font-weight: 400; border: 0; border-bottom: 1px solid var(--border-color-primary); }
#what-if thead th, #check-told thead th { opacity: 0.75; font-size: 12px; }
#check-told td { white-space: nowrap; }
#check-told tbody th { min-width: 9em; }
.wide { overflow-x: auto; }
#check-told p, #production-told p, #what-if p { margin: 0 0 6px; overflow-wrap: anywhere; }
.fetch { display: none !important; }
footer { opacity: 0.6; }
#teach-said { padding: 2px 4px; font-size: 15px; line-height: 1.5; overflow-wrap: anywhere; }
#teach-said .badge { padding: 2px 10px; border-radius: 6px; margin-right: 8px; font-weight: 600; color: #fff; }
#teach-said .done { background: #00725c; }
#teach-said .trouble { background: #be1928; }
#teach-said ol { margin: 8px 0 8px 22px; list-style: decimal; }
#teach-facts h3 { margin: 0 0 6px; overflow-wrap: anywhere; }
#teach-facts dl { display: flex; flex-wrap: wrap; gap: 6px 22px; margin: 0; }
#teach-facts dt { font-size: 12px; opacity: 0.75; }
#teach-facts dd { margin: 0; font-size: 17px; font-weight: 600; font-variant-numeric: tabular-nums; }
#teach-facts p { margin: 6px 0 0; font-size: 13px; opacity: 0.8; }
#teach-effect { font-size: 14px; line-height: 1.45; }
.scores { display: block; max-width: 640px; overflow: visible; font-size: 12px; }
.scores text {
  fill: currentColor; font-variant-numeric: tabular-nums;
  paint-order: stroke; stroke: var(--body-background-fill); stroke-width: 4px;
}
.scores .count { opacity: 0.7; }
.scores line { stroke: currentColor; stroke-opacity: 0.5; }
.scores .threshold line { stroke: #dc3545; stroke-opacity: 1; stroke-width: 2; }
.scores .review line { stroke: #d99a00; stroke-opacity: 1; stroke-width: 2; stroke-dasharray: 5 3; }
"""
    + style_outcomes(".verdict .badge")
    + style_outcomes(".verdict .score i")
    + style_bars(".scores .bar")
)
"""The style of the page, what an outcome looks like among it."""
