"""A scenario beside its baseline, in words: which figure moved, by how much, and whether that is more than luck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stocktwin.faces.web.wording import DASH, money, percent, quantity, words

ORDER = (
    "fill_rate",
    "cycle_service_level",
    "ready_rate",
    "lost_sales_units",
    "lost_sales_value",
    "backlog_units",
    "stockout_days",
    "on_hand_units",
    "on_hand_value",
    "in_transit_units",
    "average_cost_per_day",
    "total_cost",
)
SHARES = frozenset({"fill_rate", "cycle_service_level", "ready_rate"})
HIGHER_IS_BETTER = SHARES
LOWER_IS_BETTER = frozenset(
    {"lost_sales_units", "lost_sales_value", "backlog_units", "stockout_days", "total_cost", "average_cost_per_day"}
)


@dataclass(frozen=True)
class Line:
    """One figure of the comparison, ready to be shown."""

    name: str
    baseline: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Cell:
    """One scenario's value of a figure. `tone`: good, bad, neutral (it moved) or none (no clear difference)."""

    value: str
    difference: str
    interval: str
    tone: str
    verdict: str


def lines(result: dict[str, Any], currency: str) -> list[Line]:
    """Figures of a simulation in reading order; one that is unknown everywhere is left out."""
    baseline = result["baseline"]["kpis"]
    names = [name for name in ORDER if name in baseline] + sorted(name for name in baseline if name not in ORDER)
    shown = []
    for name in names:
        cells = tuple(
            _cell(name, one["kpis"].get(name), one["difference"].get(name), currency) for one in result["scenarios"]
        )
        value = figure(name, _mean(baseline[name]), currency)
        if value != DASH or any(cell.value != DASH for cell in cells):
            shown.append(Line(label(name), value, cells))
    return shown


def label(name: str) -> str:
    """A figure's name in words."""
    return words(name)


def _mean(estimate: dict[str, Any] | None) -> float | None:
    return None if estimate is None else estimate.get("mean")


def _cell(name: str, value: dict[str, Any] | None, difference: dict[str, Any] | None, currency: str) -> Cell:
    shown = figure(name, _mean(value), currency)
    mean = _mean(difference)
    if difference is None or mean is None:
        return Cell(shown, DASH, "", "none", "not known")
    lo, hi = difference.get("lo"), difference.get("hi")
    tone, verdict = _judge(name, mean, lo, hi)
    interval = "" if lo is None or hi is None else between(name, lo, hi, currency)
    return Cell(shown, change(name, mean, currency), interval, tone, verdict)


def _judge(name: str, mean: float, lo: float | None, hi: float | None) -> tuple[str, str]:
    if mean == 0 and (lo or 0) == 0 and (hi or 0) == 0:
        return "none", "unchanged"
    if lo is None or hi is None or lo <= 0 <= hi:
        return "none", "no clear difference"
    way = "higher" if mean > 0 else "lower"
    if name in HIGHER_IS_BETTER:
        return ("good", f"better: {way}") if mean > 0 else ("bad", f"worse: {way}")
    if name in LOWER_IS_BETTER:
        return ("good", f"better: {way}") if mean < 0 else ("bad", f"worse: {way}")
    return "neutral", way


def figure(name: str, value: float | None, currency: str) -> str:
    """A figure as it is written: a share in percent, an amount with its currency, else a number.

    >>> figure("fill_rate", 0.9632, "USD"), figure("total_cost", 1200.4, "USD"), figure("orders", None, "USD")
    ('96.32 %', '$1,200', '–')
    """
    if name in SHARES:
        return percent(value, 2)
    if _is_money(name):
        return money(value, currency)
    return quantity(value)


def change(name: str, value: float | None, currency: str) -> str:
    """A difference of a figure, with its sign; shares differ in percentage points.

    >>> change("fill_rate", -0.012, "USD"), change("total_cost", 95.0, "USD"), change("orders", 0, "USD")
    ('−1.20 pts', '+$95', '0')
    """
    if value is None:
        return DASH
    if name in SHARES:
        return quantity(value * 100, 2, signed=True) + " pts"
    if _is_money(name):
        return money(value, currency, signed=True)
    return quantity(value, signed=True)


def between(name: str, lo: float | None, hi: float | None, currency: str) -> str:
    """An interval of differences; the unit of shares stands once.

    >>> between("fill_rate", -0.02, -0.01, "USD"), between("total_cost", -95.0, 12.5, "USD")
    ('−2.00 to −1.00 pts', '−$95 to +$12.50')
    """
    return f"{change(name, lo, currency).removesuffix(' pts')} to {change(name, hi, currency)}"


def _is_money(name: str) -> bool:
    return name.endswith(("_value", "_cost", "_cost_per_day")) or name.startswith("cost") or name == "cost"
