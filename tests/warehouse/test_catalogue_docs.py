"""docs/datasets.md says what the declarations say."""

from __future__ import annotations

from warehouse.catalogue_docs import PAGE, render
from warehouse.datasets.catalogue import ALL


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == render(), "run `python -m warehouse.catalogue_docs`"


def test_every_column_is_documented():
    page = render()
    for dataset in ALL:
        section = page.split(f"\n## {dataset.name}\n")[1].split("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        assert len(rows) == len(dataset.columns)
        assert all(line.replace("\\|", "").count("|") == 7 for line in rows)
