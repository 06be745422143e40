"""Data Docs that need no network: the rendered pages without anything of other hosts, under an index of our own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date
from html import escape
from html.parser import HTMLParser
from itertools import groupby
from pathlib import Path

from resources.warehouse_suite.result import Outcome

#: Elements that are left out with all that is in them: scripts, which need libraries of other hosts, and advertising.
_DROPPED = frozenset({"script", "style", "footer"})
#: Elements without content that are left out: they load something.
_DROPPED_VOID = frozenset({"link", "img"})
#: Classes of the card of buttons, which need the scripts.
_BUTTONS = frozenset({"card", "mb-3"})
_ELSEWHERE = ("http:", "https:", "//")

_STYLES = """
:root { color-scheme: light dark; --line: #8885; --soft: #8881; }
* { box-sizing: border-box; }
[data-toggle="collapse"] { display: none; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; }
nav ol { list-style: none; display: flex; gap: .5rem; margin: 0; padding: 0; }
nav ul { list-style: none; padding-left: .5rem; }
nav a, td a { text-decoration: none; }
.navbar { padding: .5rem 1.5rem; }
body > .navbar { border-bottom: 1px solid var(--line); }
.container-fluid { padding: .25rem 1.5rem; }
body > .container-fluid > .row { display: grid; grid-template-columns: minmax(10rem, 15rem) minmax(0, 1fr); }
h4, h5, h6, p { margin: .4rem 0; }
.alert { background: var(--soft); padding: .3rem .8rem; border-radius: .3rem; }
table { border-collapse: collapse; margin: .5rem 0 1rem; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .8rem; text-align: left; vertical-align: top; }
.badge { background: var(--soft); border-radius: .3rem; padding: 0 .3rem; }
.fas { font-style: normal; font-weight: bold; }
.fa-check-circle::before, .met::before { content: "\\2713"; color: #2a8a3e; }
.fa-times::before, .failed::before { content: "\\2717"; color: #c62f2f; }
.fa-exclamation-triangle::before { content: "!"; color: #b07500; }
"""


def make_offline(site: Path, day: date, outcomes: Sequence[Outcome], left_out: Sequence[str]) -> None:
    """Take out of a rendered site whatever comes from other hosts, and write its index.

    Great Expectations styles its pages, and fills its index, by what public servers send.
    """
    for page in site.rglob("*.html"):
        page.write_text(_offline(page.read_text(encoding="utf-8")), encoding="utf-8")
    shutil.rmtree(site / "static", ignore_errors=True)
    (site / "index.html").write_text(_index(site, day, outcomes, left_out), encoding="utf-8")


def _offline(text: str) -> str:
    page = _Page()
    page.feed(text)
    page.close()
    return "".join(page.kept)


class _Page(HTMLParser):
    """Copies a page as it is, but for what is left out; links to other hosts keep their words."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.kept: list[str] = []
        self._dropping: list[str] = []
        self._anchors: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if self._dropping:
            if tag == self._dropping[0]:
                self._dropping.append(tag)
            return
        if tag in _DROPPED or (named.get("class") or "").split() == sorted(_BUTTONS):
            self._dropping.append(tag)
            return
        if tag in _DROPPED_VOID:
            return
        if tag == "a":
            self._anchors.append(not (named.get("href") or "").startswith(_ELSEWHERE))
            if not self._anchors[-1]:
                return
        self.kept.append(self.get_starttag_text() or "")
        if tag == "head":
            self.kept.append(f"<style>{_STYLES}</style>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._dropping and tag not in _DROPPED_VOID:
            self.kept.append(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if self._dropping:
            if tag == self._dropping[0]:
                self._dropping.pop()
            return
        if tag == "a" and self._anchors and not self._anchors.pop():
            return
        self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self._keep(data)

    def handle_entityref(self, name: str) -> None:
        self._keep(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._keep(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self._keep(f"<!{decl}>")

    def _keep(self, text: str) -> None:
        if not self._dropping:
            self.kept.append(text)


def _index(site: Path, day: date, outcomes: Sequence[Outcome], left_out: Sequence[str]) -> str:
    """Every table with its page, what was not met, and what was not asked."""
    tables = "".join(_table_row(site, name, list(of)) for name, of in groupby(outcomes, lambda o: o.table))
    failed = "".join(
        f"<tr><td>{escape(o.table)}</td><td>{escape(o.about)}</td><td>{escape(o.observed)}</td>"
        f"<td>{escape(o.limits)}</td></tr>"
        for o in outcomes
        if not o.succeeded
    )
    head = "<tr><th>Table</th><th>What</th><th>Observed</th><th>Expected</th></tr>"
    missing = "".join(f"<li>{escape(reason)}</li>" for reason in left_out)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="UTF-8"><title>Warehouse suite {day}</title>'
        f'<style>{_STYLES}</style></head><body><div class="container-fluid"><h4>Warehouse suite of {day}</h4>'
        f"<table><tr><th></th><th>Table</th><th>Met</th></tr>{tables}</table>"
        + (
            f"<h5>Not met</h5><table>{head}{failed}</table>"
            if failed
            else "<p>Every expectation was met.</p>"
        )
        + (f"<h5>Not asked</h5><ul>{missing}</ul>" if missing else "")
        + "</div></body></html>"
    )


def _table_row(site: Path, name: str, outcomes: Sequence[Outcome]) -> str:
    met = sum(outcome.succeeded for outcome in outcomes)
    page = next(iter(sorted((site / "validations" / name).rglob("*.html"))), None)
    shown = escape(name)
    if page is not None:
        shown = f'<a href="{escape(page.relative_to(site).as_posix())}">{shown}</a>'
    mark = "met" if met == len(outcomes) else "failed"
    return f'<tr><td class="{mark}"></td><td>{shown}</td><td>{met} of {len(outcomes)}</td></tr>'
