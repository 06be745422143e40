"""The simulated futures market: perpetuals over the pairs of the simulated spot market."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from trading.errors import FixConfiguration
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.series import Series
from trading.simulation import candles, funding, positioning
from trading.simulation.contracts import Contract, contracts
from trading.simulation.daily import Floats, stream
from trading.simulation.intraday import MINUTES, SEASON
from trading.simulation.market import Market
from trading.simulation.moments import midnight_ms
from trading.simulation.premium import PREMIUM, Premiums
from trading.simulation.reverting import Reversion, within_day

#: Distance of the traded price from index and premium (fraction).
_TRADING_NOISE = Reversion(0.0, 0.0, 0.0, 0.00004, 0.7)
_WICK = 0.00003
#: Share of the turnover that does not follow the spot market, and how much it scatters.
_OWN_SHARE, _OWN_NOISE = 0.3, 0.5
#: Prices that the venue takes in a minute to compute a bar.
_SAMPLES = {Series.MARK: 60, Series.INDEX: 60, Series.PREMIUM: 12}
_PRICES = ("open", "high", "low", "close")


class FuturesMarket:
    """Perpetuals of one simulated market; every answer is a pure function of its settings.

    The index is the spot price (times the multiplier) without the spot market's outages, the mark price
    is ``index * (1 + premium)``, and trades happen a little beside it.
    """

    def __init__(self, market: Market) -> None:
        self.market = market
        self.contracts = contracts(market)
        self._premiums = Premiums(market)

    def minutes(self, symbol: str, day: date, series: Series = Series.USDM) -> pl.DataFrame:
        """One-minute bars of a contract on a UTC day.

        Returns
        -------
        polars.DataFrame
            In the columns of `Market.minutes`. The computed series have volumes of zero, and count the
            prices behind a bar as ``trades``. Minutes before the listing, after the delisting or in an
            outage of the futures market are absent.

        Raises
        ------
        FixConfiguration
            If the contract is not simulated, or the series is no futures series.
        """
        contract = self._contract(symbol)
        if series is Series.SPOT:
            raise FixConfiguration("series 'spot' is no futures series; choose usdm, mark, index or premium")
        start_ms = midnight_ms(day)
        index = self.market.index(day)
        ended = contract.delisted_at_ms is not None and contract.delisted_at_ms <= start_ms
        if index is None or ended or contract.listed_at_ms >= start_ms + DAY_MS:
            return candles.empty()
        present = self.market.calendar.present(
            "usdm", symbol, start_ms, contract.listed_at_ms, contract.delisted_at_ms
        )
        if series is Series.USDM:
            return self._traded(contract, day, index, start_ms).filter(pl.Series(present))
        bars = self._computed(contract, day, index, series)
        return bars.filter(pl.Series(present))

    def premiums(self, symbol: str, start_ms: int, end_ms: int) -> Floats:
        """Premium (fraction) at the end of each minute from ``start_ms`` to ``end_ms``, within the history.

        Both bounds are whole minutes; the shape is (minutes,).
        """
        contract, origin_ms = self._contract(symbol), self.market.origin_ms
        first, last = max(start_ms, origin_ms) - origin_ms, min(end_ms, self.market.end_ms) - origin_ms
        if last <= first:
            return np.empty(0)
        days = range(first // DAY_MS, (last - 1) // DAY_MS + 1)
        path = np.concatenate([self._premiums.minutes(contract, day)[1:] for day in days])
        skipped = days[0] * DAY_MS
        return path[(first - skipped) // MINUTE_MS : (last - skipped) // MINUTE_MS]

    def funding(self, symbol: str, day: date) -> pl.DataFrame:
        """Payments of a UTC day: columns ``funding_time``, ``funding_rate``, ``interval_hours``."""
        contract = self._contract(symbol)
        rows = []
        if self.market.index(day) is not None:
            for at_ms, hours in funding.settlements(contract, midnight_ms(day)):
                start_ms = max(at_ms - hours * funding.HOUR_MS, contract.listed_at_ms)
                paid_for = self.premiums(symbol, start_ms, at_ms)
                if paid_for.size:
                    rows.append((at_ms, funding.funding_rate(paid_for, hours), hours))
        schema = {"funding_time": pl.Int64, "funding_rate": pl.Float64, "interval_hours": pl.Int64}
        return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
            pl.col("funding_time").cast(pl.Datetime("ms", "UTC"))
        )

    def positions(self, symbol: str, day: date) -> pl.DataFrame:
        """Open interest and long-short ratios of a UTC day, every five minutes from midnight.

        Columns as in `positioning.positions`; rows before the listing or after the delisting are absent.
        """
        contract = self._contract(symbol)
        index = self.market.index(day)
        if index is None:
            return positioning.empty()
        marks = self._computed(contract, day, index, Series.MARK)["open"].to_numpy()
        rows = positioning.positions(
            self.market.settings, contract, index, midnight_ms(day), marks[:: positioning.STEP_MINUTES]
        )
        times = pl.col("time").dt.epoch("ms")
        rows = rows.filter(times >= contract.listed_at_ms)
        return rows if contract.delisted_at_ms is None else rows.filter(times < contract.delisted_at_ms)

    def _contract(self, symbol: str) -> Contract:
        if symbol not in self.contracts:
            raise FixConfiguration(
                f"contract {symbol!r} is not simulated; there are {', '.join(self.contracts)}"
            )
        return self.contracts[symbol]

    def _traded(self, contract: Contract, day: date, index: int, start_ms: int) -> pl.DataFrame:
        spot = self.market.unbroken(contract.spot.symbol, day)
        prices = np.append(spot.minutes["open"][0], spot.minutes["close"].to_numpy()) * contract.multiplier
        random = stream(self.market.settings, "contract", contract.symbol, index)
        noise = within_day(random, _TRADING_NOISE, 0.0, 0.0, MINUTES)
        premium = self._premiums.minutes(contract, index)
        activity = candles.usual_activity(contract.spot, spot.minutes["trades"].to_numpy())
        own = SEASON * np.exp(_OWN_NOISE * random.standard_normal(MINUTES))
        return candles.candles(
            random,
            contract.listing,
            start_ms=start_ms,
            log_prices=np.log(prices) + np.log1p(premium + noise),
            sigma=spot.sigma,
            usual_sigma=spot.usual_sigma,
            present=np.ones(MINUTES, dtype=np.bool_),
            activity=_OWN_SHARE * own + (1.0 - _OWN_SHARE) * activity,
        )

    def _computed(self, contract: Contract, day: date, index: int, series: Series) -> pl.DataFrame:
        spot = self.market.unbroken(contract.spot.symbol, day).minutes
        premium = self._premiums.minutes(contract, index)
        if series is Series.PREMIUM:
            bars = self._premium_bars(contract, index, premium)
        else:
            bars = spot.select(_PRICES).to_numpy().T * contract.multiplier
        if series is Series.MARK:
            bars = _marked(bars, premium)
        zeros = ("volume", "quote_volume", "taker_buy_base", "taker_buy_quote")
        return spot.with_columns(
            pl.lit(contract.symbol).alias("symbol"),
            pl.lit(_SAMPLES[series], dtype=pl.Int64).alias("trades"),
            *(pl.lit(0.0).alias(name) for name in zeros),
            *(pl.Series(name, np.round(values, 8) + 0.0) for name, values in zip(_PRICES, bars, strict=True)),
        )

    def _premium_bars(self, contract: Contract, index: int, premium: Floats) -> Floats:
        random = stream(self.market.settings, "premium wicks", contract.symbol, index)
        opens, closes = premium[:-1], premium[1:]
        reach = np.abs(random.standard_normal((2, MINUTES))) * _WICK
        bound = PREMIUM.bound
        highs = np.minimum(np.maximum(opens, closes) + reach[0], bound)
        lows = np.maximum(np.minimum(opens, closes) - reach[1], -bound)
        return np.stack([opens, highs, lows, closes])


def _marked(index_bars: Floats, premium: Floats) -> Floats:
    """Mark bars, shape (4, 1440), from the index's open, high, low and close."""
    opens, closes = index_bars[0] * (1.0 + premium[:-1]), index_bars[3] * (1.0 + premium[1:])
    middle = 1.0 + (premium[:-1] + premium[1:]) / 2.0
    highs = np.maximum.reduce([index_bars[1] * middle, opens, closes])
    lows = np.minimum.reduce([index_bars[2] * middle, opens, closes])
    return np.stack([opens, highs, lows, closes])
