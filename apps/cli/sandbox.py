"""`tidemill sandbox serve`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.output import Json, line, print_json
from trading.errors import FixConfiguration

if TYPE_CHECKING:
    from apps.sandbox.settings import SandboxSettings
    from apps.sandbox.trading.settings import Deposit, TradingFaults

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """The sandbox exchange: Binance's protocol, trading included, over a simulated or replayed market."""


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8090,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated market.")] = 42,
    symbols: Annotated[str, typer.Option(help="How many pairs, or their names: BTCUSDT,ETHUSDT.")] = "20",
    replay: Annotated[
        Path | None, typer.Option(help="Replay the one-minute Parquet klines of this folder instead.")
    ] = None,
    now: Annotated[str, typer.Option(help="What the clock shows at the start, ISO 8601 UTC.")] = "",
    speed: Annotated[
        float, typer.Option(min=0, help="Market seconds per real second; 0 stands still.")
    ] = 1.0,
    deposit: Annotated[
        str, typer.Option(help="What the paper account starts with: 10000 (USDT), or USDT:5000,BTC:0.5.")
    ] = "10000",
    journal: Annotated[
        Path | None, typer.Option(help="Keep the paper account in this file over restarts.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="A planned fault of trading, such as drop_after=0.1, or seed=7; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Serve the sandbox exchange until interrupted."""
    from apps.sandbox.server import serve as serve_exchange
    from apps.sandbox.trading.keys import paper_keys

    settings = sandbox_settings(
        seed=seed,
        symbols=symbols,
        replay=replay,
        now=now,
        speed=speed,
        deposit=deposit,
        journal=journal,
        faults=fault or (),
    )
    url = f"http://127.0.0.1:{port}"
    what = f"a replay of {replay}" if replay else f"a simulated market, seed {seed}"
    keys = [paper_keys(settings.market.seed, name) for name in settings.trading.accounts]
    if as_json:
        shown = [{"account": it.account, "api_key": it.api_key, "secret": it.secret} for it in keys]
        print_json({"url": url, "settings": settings, "paper_accounts": shown})
    else:
        line(f"Sandbox exchange on {url}: {what}. Ctrl-C stops it.")
        line(f"Point Tidemill at it: market_data.sandbox.base_url: {url}. Try {url}/api/v3/time")
        for it in keys:
            line(f"Paper account {it.account}: key {it.api_key}, secret {it.secret}")
    serve_exchange(settings, port=port)


def sandbox_settings(
    *,
    seed: int,
    symbols: str,
    replay: Path | None,
    now: str,
    speed: float,
    deposit: str = "10000",
    journal: Path | None = None,
    faults: Sequence[str] = (),
) -> SandboxSettings:
    """Settings of the exchange from the command's options."""
    from apps.sandbox.settings import ClockSettings, SandboxSettings
    from apps.sandbox.trading.settings import TradingSettings
    from trading.simulation.settings import MarketSettings

    deposits = _deposits(deposit)
    wanted = symbols.strip()
    if wanted.isdigit():
        market = MarketSettings(seed=seed, count=int(wanted))
    else:
        names = tuple(name.strip().upper() for name in wanted.split(",") if name.strip())
        market = MarketSettings(seed=seed, symbols=names)
    return SandboxSettings(
        backing="simulation" if replay is None else "replay",
        market=market,
        replay_folder="" if replay is None else str(replay),
        clock=ClockSettings(start=now, speed=speed),
        trading=TradingSettings(
            spot_deposits=deposits,
            futures_deposit_usdt=sum((item.amount for item in deposits if item.asset == "USDT"), Decimal(0)),
            journal="" if journal is None else str(journal),
            faults=_faults(faults),
        ),
    )


def _faults(texts: Sequence[str]) -> TradingFaults:
    from pydantic import TypeAdapter, ValidationError

    from apps.sandbox.trading.settings import TradingFaults

    known = {item.name for item in fields(TradingFaults)}
    values = {}
    for text in texts:
        name, _, value = text.partition("=")
        name = f"{name}_fraction" if f"{name}_fraction" in known else name
        if name not in known:
            names = ", ".join(sorted(item.removesuffix("_fraction") for item in known))
            raise FixConfiguration(f"--fault {text!r} names no fault; choose one of {names}")
        values[name] = value
    try:
        return TypeAdapter(TradingFaults).validate_python(values)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0]).removesuffix("_fraction")
        raise FixConfiguration(f"--fault {name}={problem['input']}: {problem['msg']}") from error


def _deposits(text: str) -> tuple[Deposit, ...]:
    from apps.sandbox.trading.settings import Deposit

    found = []
    for part in text.split(","):
        asset, _, amount = part.strip().rpartition(":")
        try:
            value = Decimal(amount)
        except InvalidOperation:
            value = Decimal(0)
        if not value.is_finite() or value <= 0:
            raise FixConfiguration(
                f"--deposit has {part.strip()!r}; write an amount above 0 in USDT, or CURRENCY:AMOUNT"
            )
        found.append(Deposit(asset.upper() or "USDT", value))
    return tuple(found)
