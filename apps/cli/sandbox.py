"""`tidemill sandbox serve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.output import Json, line, print_json

if TYPE_CHECKING:
    from apps.sandbox.settings import SandboxSettings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """The sandbox exchange: Binance's REST protocol over a simulated or replayed market."""


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
    as_json: Json = False,
) -> None:
    """Serve the sandbox exchange until interrupted."""
    from apps.sandbox.server import serve as serve_exchange

    settings = sandbox_settings(seed=seed, symbols=symbols, replay=replay, now=now, speed=speed)
    url = f"http://127.0.0.1:{port}"
    what = f"a replay of {replay}" if replay else f"a simulated market, seed {seed}"
    if as_json:
        print_json({"url": url, "settings": settings})
    else:
        line(f"Sandbox exchange on {url}: {what}. Ctrl-C stops it.")
        line(f"Point Tidemill at it: market_data.sandbox.base_url: {url}. Try {url}/api/v3/time")
    serve_exchange(settings, port=port)


def sandbox_settings(
    *, seed: int, symbols: str, replay: Path | None, now: str, speed: float
) -> SandboxSettings:
    """Settings of the exchange from the command's options."""
    from apps.sandbox.settings import ClockSettings, SandboxSettings
    from trading.simulation.settings import MarketSettings

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
    )
