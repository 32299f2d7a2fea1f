"""The languages of the page: one for each of the catalogues, at an address of its own, and the choice among them.

The first page is at "/", in the language of the browser where nobody has chosen one: a script leads to the page of
that language before anything is loaded, and has Gradio's own words follow. A chosen language is remembered by the
browser alone.
"""

from __future__ import annotations

import json

import gradio as gr

from assistant.face.shared import QUIET
from assistant.language.catalogue import ENGLISH, LANGUAGES, Wording, message

TITLES = {
    "Inspect": message("Inspect"),
    "Teach": message("Teach"),
    "Batch": message("Batch"),
    "History": message("History"),
}
"""The names of the places."""

HEADING = message("Finds defects, shows where, and talks about the evidence.")

BROWSER = "browser"
"""The choice of who leaves the language to the browser."""

_KEPT = "looktwice-language"


def path_of(language: str, first: str = ENGLISH) -> str:
    """Where the page of a language is, below the address of the server; that of `first` is "" itself."""
    return "" if language == first else language


def lay_out_choice(w: Wording) -> gr.Dropdown:
    """Lay out the choice of a language, which leads to its page."""
    choices = [(w("the browser's language"), BROWSER), *((name, code) for code, name in LANGUAGES.items())]
    chosen = gr.Dropdown(
        choices,
        value=w.language,
        label=w("Language"),
        show_label=False,
        container=False,
        scale=0,
        min_width=190,
        elem_id="language",
    )
    chosen.input(None, chosen, None, js="(language) => window.looktwiceSpeak(language)", **QUIET)
    return chosen


def script(first: str = ENGLISH, *, follow: bool = True) -> str:
    """What stands in the head of every page, as HTML; `follow`: the first one gives way to the browser's language.

    What is chosen goes before that.
    """
    pages = json.dumps({language: path_of(language, first) for language in LANGUAGES})
    return f"""<script>
(() => {{
  const pages = {pages}, first = "{first}", kept = "{_KEPT}", follow = {json.dumps(follow)};
  const root = location.pathname.replace(/[^/]*$/, "");
  const here = location.pathname.slice(root.length).replace(/\\/$/, "");
  const own = (navigator.languages || [navigator.language]).map((name) => name.toLowerCase().split("-")[0]);
  const read = () => {{ try {{ return localStorage.getItem(kept) || ""; }} catch (refused) {{ return ""; }} }};
  const wanted = (choice) => choice in pages ? choice : (follow && own.find((name) => name in pages)) || first;
  const go = (language) => location.replace(root + pages[language] + location.search + location.hash);
  window.looktwiceSpeak = (choice) => {{
    try {{ localStorage.setItem(kept, choice in pages ? choice : ""); }} catch (refused) {{ /* once, then */ }}
    go(wanted(choice));
  }};
  const language = Object.keys(pages).find((name) => pages[name] === here) || first;
  if (here === "" && wanted(read()) !== first) return go(wanted(read()));
  document.documentElement.lang = language;
  Object.defineProperty(navigator, "language", {{ get: () => language === "zh" ? "zh-CN" : language }});
}})();
</script>"""
