"""Any CSV or Parquet file of bars as a table under our column names, its values as they stand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from trading.errors import BadData

NUMBERS = ("open", "high", "low", "close", "volume")
AMOUNTS = ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")
_ALIASES = {
    "open_time": ("opentime", "timestamp", "time", "date", "datetime", "ts", "t"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
    "symbol": ("symbol", "ticker", "pair", "s"),
    "quote_volume": ("quotevolume", "quoteassetvolume"),
    "trades": ("trades", "count", "numberoftrades"),
    "taker_buy_base": ("takerbuybase", "takerbuyvolume", "takerbuybasevolume", "takerbuybaseassetvolume"),
    "taker_buy_quote": ("takerbuyquote", "takerbuyquotevolume", "takerbuyquoteassetvolume"),
}
_BINANCE = ("open_time", *NUMBERS, "close_time", *AMOUNTS, "ignore")


#: Endings of Arrow's file format, version 2 of Feather.
FEATHER = frozenset({".feather", ".arrow", ".ipc"})


class NoBars(BadData):
    """The file is whole, but it holds no table of bars."""


def load_table(path: Path) -> pl.DataFrame:
    """The table in a CSV (with a header or without, gzipped or not), Parquet or Feather file; CSV cells are text.

    Raises
    ------
    BadData
        If the file is absent, cut short or of another form: names the file and the fix.
    """
    if not path.is_file():
        raise BadData(f"{path}: there is no such file; name a CSV, Parquet or Feather file of OHLCV bars")
    suffixes = {suffix.lower() for suffix in path.suffixes[-2:]}
    try:
        if suffixes & {".parquet", ".pq"}:
            return pl.read_parquet(path, hive_partitioning=False)
        if suffixes & FEATHER:
            return pl.read_ipc(path)
        if suffixes & {".csv", ".tsv", ".txt"}:
            return load_csv(path, path, "\t" if ".tsv" in suffixes else ",")
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadData(
            f"{path}: cannot be read ({reason}); is it a whole CSV, Parquet or Feather file?"
        ) from error
    raise BadData(
        f"{path}: the name must end in .csv, .csv.gz, .tsv, .parquet or .feather, to tell what the file is"
    )


def load_csv(source: Path | bytes, path: Path, separator: str = ",") -> pl.DataFrame:
    """The table in a CSV, every cell as text; ``path`` is what errors call it."""
    head = pl.read_csv(source, has_header=False, n_rows=1, infer_schema=False, separator=separator)
    if not all(_is_number(cell) for cell in head.row(0)):
        return pl.read_csv(source, infer_schema=False, separator=separator)
    if head.width not in (6, len(_BINANCE)):
        raise BadData(
            f"{path}: has {head.width} columns and no header; without one, Binance's 12 columns or 6 "
            "(time, open, high, low, close, volume) can be read: add a line with the columns' names"
        )
    names = list(_BINANCE[: head.width])
    return pl.read_csv(source, has_header=False, new_columns=names, infer_schema=False, separator=separator)


def named_columns(
    path: Path, frame: pl.DataFrame, *, symbol: str, optional: Iterable[str] = ()
) -> pl.DataFrame:
    """``symbol``, ``open_time``, the numbers of a bar and what there is of the optional columns.

    Parameters
    ----------
    symbol
        The symbol of a table without a column of symbols.
    optional
        Which columns may be absent; of the amounts, only those named here are looked for.

    Raises
    ------
    NoBars
        If a column is missing.
    """
    plain = {name.lower().strip().replace(" ", "").replace("_", ""): name for name in reversed(frame.columns)}
    optional = list(optional)
    wanted = dict.fromkeys(("open_time", *NUMBERS, *optional))
    chosen = {
        name: next((plain[alias] for alias in _ALIASES[name] if alias in plain), None)
        for name in ("symbol", *wanted)
    }
    named = pl.lit(symbol) if chosen["symbol"] is None else pl.col(chosen.pop("symbol") or "").cast(pl.String)
    chosen.pop("symbol", None)
    if missing := [name for name, column in chosen.items() if column is None and name not in optional]:
        raise NoBars(
            f"{path}: has no column for {', '.join(missing)}; it has {', '.join(frame.columns)}. Needed are "
            "open_time (or timestamp, time, date), open, high, low, close and volume"
        )
    return frame.select(
        named.alias("symbol"), *(pl.col(column).alias(name) for name, column in chosen.items() if column)
    )


def _is_number(cell: str | None) -> bool:
    try:
        float(cell or "")
    except ValueError:
        return False
    return True
