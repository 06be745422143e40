"""What an order says of the position that it is for, in one-way and in hedge mode."""

from __future__ import annotations

from typing import Literal

from trading.model.order import Side

Mode = Literal["one_way", "hedge"]


def position_parameters(mode: Mode, side: Side, *, reducing: bool) -> dict[str, str]:
    """Parameters that keep an order to its position.

    In hedge mode the side names the position, the venue takes no ``reduceOnly``, and an order that closes
    never turns a position round. In one-way mode ``reduceOnly`` says that.
    """
    if mode == "hedge":
        long = (side is Side.BUY) != reducing
        return {"positionSide": "LONG" if long else "SHORT"}
    return {"reduceOnly": "true"} if reducing else {}
