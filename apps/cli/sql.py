"""`tidemill sql "select …"`."""

from __future__ import annotations

from typing import Annotated

import typer

from apps.cli.output import Json, line, print_json, table

app = typer.Typer()


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="A query over the lake; every dataset is a view.")],
    limit: Annotated[int, typer.Option(min=1, help="Most rows to print.")] = 200,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Json = False,
) -> None:
    """Query the lake with SQL (DuckDB): one view per dataset, such as klines or screener_ratings."""
    from resources.platform import open_platform
    from warehouse.views import query as run_query

    if as_csv and as_json:
        raise typer.BadParameter("choose one of --csv and --json")
    rows = run_query(open_platform().lake, query, limit)
    if as_json:
        print_json(rows.to_dicts())
    elif as_csv:
        print(rows.write_csv(), end="")
    else:
        numeric = [name for name, dtype in rows.schema.items() if dtype.is_numeric()]
        table("", rows.columns, rows.iter_rows(), right=numeric)
        if rows.height == limit:
            line(f"The first {limit} rows; --limit shows more.", stderr=True)
