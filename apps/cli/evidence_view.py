"""How `tidemill explain` prints what stood behind a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.cli.output import MISSING, line, moment, number, table, text

if TYPE_CHECKING:
    from apps.cli.evidence import CertificateRead, Evidence, RatingRead
    from trading.model.snapshot import SymbolView


def print_evidence(evidence: Evidence) -> None:
    """Bars and what vouches for them, indicators, ratings by component, and the model."""
    if evidence.bars:
        table(
            "Bars",
            ("interval", "close time (UTC)", "open", "high", "low", "close", "volume", "partition"),
            [
                (
                    bar.interval,
                    bar.close_time,
                    *map(number, (bar.open, bar.high, bar.low, bar.close, bar.volume)),
                    _state(bar.as_read),
                )
                for bar in evidence.bars
            ],
            right=("open", "high", "low", "close", "volume"),
        )
    if evidence.certificates:
        table(
            "Certificates of its klines",
            ("day", "status", "observed", "missing", "second source"),
            [
                (item.day, item.reason or item.status, f"{item.observed} of {item.expected}", *_doubts(item))
                for item in evidence.certificates
            ],
        )
    if evidence.view is not None:
        _print_view(evidence.view)
    for rating in evidence.ratings:
        _print_rating(rating)
    if evidence.model is not None:
        model = evidence.model
        how = model.calibration
        line(
            f"Confidence model {model.model_name} version {model.model_version} ({model.sha256[:12]}), had seen labels "
            f"through {model.trained_through:%Y-%m-%d %H:%M} UTC; "
            + (
                f"calibrated by {how['method']} on {how['first'][:10]} to {how['last'][:10]}"
                if how
                else "calibration not on record"
            )
        )


def _print_view(view: SymbolView) -> None:
    rows = [
        *((f"indicator {name}", text(value)) for name, value in sorted(view.indicators.items())),
        *((f"fork {name}", text(value)) for name, value in sorted(view.fork_components.items())),
        ("fork score, adjusted", f"{text(view.fork_score)}, {text(view.fork_adjusted)}"),
        ("confidence", _confidence(view)),
        ("spread", f"{text(view.spread_bps)} bps"),
    ]
    if view.spot_symbol:
        rows.append(("price of the contract", text(view.close)))
        rows.append((f"spot pair {view.spot_symbol}, per unit of the contract", text(view.spot_close)))
    table("What the tick knew of the symbol", ("input", "value"), rows)


def _confidence(view: SymbolView) -> str:
    if not view.confidence_model:
        return MISSING
    return f"{text(view.confidence)} from {view.confidence_model}, until {moment(view.confidence_expires_ms)} UTC"


def _print_rating(rating: RatingRead) -> None:
    parts = (
        ("total", rating.rating),
        ("moving averages", rating.moving_averages),
        ("oscillators", rating.oscillators),
    )
    said = ", ".join(f"{name} {MISSING if value is None else f'{value:+.4f}'}" for name, value in parts)
    line(f"Rating {rating.interval}: {rating.label or MISSING} ({said}), partition {_state(rating.as_read)}")
    for vote in ("Buy", "Sell"):
        names = [item.name for item in rating.components if item.vote == vote]
        line(f"  {vote.lower()}: {', '.join(names) or 'none'}")


def _doubts(item: CertificateRead) -> tuple[str, str]:
    missing = ", ".join(f"{minutes} min {kind.replace('_', ' ')}" for kind, minutes in item.missing.items())
    if item.second_source is None:
        return missing or "none", "none asked"
    agreed = MISSING if item.agreement is None else f"{item.agreement:.1%} agree"
    return missing or "none", f"{item.second_source}: {agreed}"


def _state(as_read: bool) -> str:
    return "as the tick read it" if as_read else "written again since"
