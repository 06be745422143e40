"""The pages of the suite load nothing from other hosts and lead to each other."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from resources.warehouse_suite.pages import make_offline
from resources.warehouse_suite.result import Outcome
from resources.warehouse_suite.suite import run_suite

DAY = date(2026, 1, 12)
PAGE = """<!DOCTYPE html><html><head><link rel="stylesheet" href="https://a.example/x.css"/>
<style>@import url("https://b.example/y.css");</style><script src="//c.example/z.js"></script></head>
<body onload=""><div class="card mb-3"><div><label onclick="go()">Show All</label></div></div>
<p>5 &lt; 6 &#38; <a href="https://d.example">told</a> <a href="other.html">here</a><img src="http://e.example/i.png"></p>
<script>if (1 < 2) { load("https://f.example"); }</script><footer>Subscribe <p>now</p></footer></body></html>"""


class Links(HTMLParser):
    """What a page loads or leads to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.found += re.findall(r"url\\(([^)]*)\\)", text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset")]


def outcome(*, succeeded: bool) -> Outcome:
    return Outcome("klines", "", "rows & <more>", "expect_rows", succeeded, "1", "2 to 3")


def test_what_other_hosts_send_is_taken_out_and_the_words_stay(tmp_path: Path) -> None:
    page = tmp_path / "validations" / "klines" / "run" / "page.html"
    page.parent.mkdir(parents=True)
    page.write_text(PAGE)
    (tmp_path / "static").mkdir()
    make_offline(tmp_path, DAY, [outcome(succeeded=True), outcome(succeeded=False)], ["bars: none < seven"])
    text = page.read_text()
    assert "example" not in text
    assert '<p>5 &lt; 6 &#38; told <a href="other.html">here</a></p>' in text
    assert not {"script", "link", "img", "footer", "label"} & Links(text).tags
    index = (tmp_path / "index.html").read_text()
    assert Links(index).found == ["validations/klines/run/page.html"]
    for words in ("rows &amp; &lt;more&gt;", "2 to 3", "1 of 2", "bars: none &lt; seven"):
        assert words in index
    assert not (tmp_path / "static").exists()


def test_no_page_of_a_day_needs_another_host(lake, tmp_path: Path) -> None:
    result = run_suite(lake, DAY, tmp_path / "docs", today=DAY + timedelta(days=1))
    pages = sorted(result.index.parent.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        found = Links(page.read_text())
        assert "script" not in found.tags
        for link in found.found:
            parts = urlsplit(link)
            assert (parts.scheme, parts.netloc) == ("", ""), f"{page.name} needs {link}"
            assert not parts.path or (page.parent / unquote(parts.path)).resolve().is_file(), link
