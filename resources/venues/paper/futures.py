"""The paper venue as a futures account: positions both ways, a wallet that has not paid for them, no funding."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext

from resources.venues.paper.client import read_fills
from resources.venues.paper.resource import PaperVenue
from trading.errors import BadData
from trading.ledger.accounting import EXACT, apply_fill, cost_basis
from trading.model.account import VenueBalance, VenuePosition
from trading.model.order import Order, Side
from trading.model.series import Market
from trading.model.snapshot import Position
from trading.reconciliation.state import MANUAL_DESK


class PaperFuturesVenue(PaperVenue):
    """Implements `trading.ports.Venue` and `Account` on contracts: what is sold need not be held.

    Positions are one-way and unleveraged, so nothing is liquidated. Funding is neither paid nor received.
    ``bars`` must be the contracts' own.
    """

    derivatives = True

    def balances(self) -> list[VenueBalance]:
        """The wallet: what was paid in and what was realised, less fees."""
        spot = {item.currency: item.free for item in super().balances()}
        with localcontext(EXACT):
            entered = sum((cost_basis(held) for held in self._holdings().values()), Decimal(0))
            wallet = spot.get(self._currency, Decimal(0)) + entered
        return [VenueBalance(self._currency, wallet, Decimal(0))] if wallet else []

    def positions(self) -> list[VenuePosition]:
        """Every open position. Nobody is liquidated here, so the price at entry stands for the mark price."""
        return [
            VenuePosition(symbol, held.quantity, held.average_cost, held.average_cost)
            for symbol, held in self._holdings().items()
        ]

    def _holdings(self) -> dict[str, Position]:
        """What the book's fills make of each symbol, at average price without fees."""
        with self._ledger.read() as transaction:
            done = read_fills(transaction)
        held: dict[str, Position] = {}
        for fill in done:
            bare = replace(fill, fee=Decimal(0))
            held[fill.symbol], _ = apply_fill(
                held.get(fill.symbol),
                bare,
                desk=MANUAL_DESK,
                strategy_id="",
                currency=self._currency,
                shorts=True,
            )
        return {symbol: item for symbol, item in sorted(held.items()) if item.quantity}

    def _require_held(self, symbol: str, side: Side, quantity: Decimal) -> None:
        held = self._holdings().get(symbol)
        net = Decimal(0) if held is None else held.quantity
        if quantity > (net if side is Side.SELL else -net):
            raise BadData(f"{side} {quantity} {symbol} reduces nothing: the paper account holds {net}")

    def _reducing(
        self, symbol: str, side: Side, quantity: Decimal, price: Decimal, client_order_id: str
    ) -> Order:
        order = super()._reducing(symbol, side, quantity, price, client_order_id)
        return replace(order, market=Market.USDM)

    def _refusal(self, order: Order) -> str:
        if order.market is not Market.USDM:
            return f"order is for the {order.market} market, this account trades {Market.USDM}"
        return super()._refusal(order)
