"""How values are written on a page: numbers with separators, money, dates in plain words, times in the twin's zone.

Every function takes what `app` answers and returns text; what is unknown (null) is shown as a dash, never as zero.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from stocktwin.domain.calendar import zone

DASH = "–"
MINUS = "−"
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CNY": "CN¥", "INR": "₹", "CHF": "CHF "}
COMPACT = ((1e9, "bn"), (1e6, "m"), (1e4, "k"))

LABELS = {
    "dc": "Warehouse",
    "each": "each",
    "fill_rate": "Fill rate",
    "cycle_service_level": "Cycle service level",
    "ready_rate": "Ready rate",
    "lost_sales_units": "Lost sales, units",
    "lost_sales_value": "Lost sales, value",
    "backlog_units": "Backlog, units",
    "on_hand_units": "On hand, units",
    "on_hand_value": "On hand, value",
    "in_transit_units": "In transit, units",
    "total_cost": "Total cost",
    "average_cost_per_day": "Average cost a day",
    "cost_holding": "Holding cost",
    "cost_holding_in_transit": "Holding cost in transit",
    "cost_ordering": "Ordering cost",
    "cost_transport": "Transport cost",
    "cost_backlog_cost": "Backlog cost",
    "cost_lost_sales_cost": "Lost sales cost",
    "demand_units": "Demand, units",
    "ordered_units": "Ordered, units",
    "stockout_days": "Stock-out days",
    "stockout": "Stock-out",
    "below_reorder_point": "Below reorder point",
    "transfer": "Transfer",
    "safety_stock": "Safety stock",
    "advance_order": "Advance order",
    "erp_book": "ERP book",
    "wms_book": "WMS book",
    "rfid": "RFID",
    "ok": "In order",
}


def words(name: object) -> str:
    """A snake_case name in plain words.

    >>> words("min_max"), words("stockout"), words(None)
    ('Min max', 'Stock-out', '–')
    """
    if name is None or name == "":
        return DASH
    text = str(name)
    return LABELS.get(text, text.replace("_", " ").capitalize())


def parameter(key: str) -> str:
    """The name of a scenario's parameter in plain words; of one that several parts have, which part.

    >>> parameter("extra_days"), parameter("disruption[1].factor"), parameter("change.quantity")
    ('Extra days', 'Factor, part 2', 'Quantity')
    """
    owner, _, field = key.rpartition(".")
    part = owner.partition("[")[2].rstrip("]")
    return words(field) + (f", part {int(part) + 1}" if part.isdigit() else "")


def quantity(value: object, digits: int | None = None, signed: bool = False) -> str:
    """A number with thousands separators; exact strings keep their decimals.

    >>> quantity(12345), quantity("1234.50"), quantity(0.123456), quantity(None), quantity(-3, signed=True)
    ('12,345', '1,234.50', '0.12', '–', '−3')
    """
    number = _decimal(value)
    if number is None:
        return DASH
    if digits is None:
        digits = _digits(value, number)
    text = f"{number:{'+' if signed and number else ''},.{digits}f}"
    return text.replace("-", MINUS)


def _decimal(value: object) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _digits(value: object, number: Decimal) -> int:
    if isinstance(value, str):
        return max(0, -int(number.as_tuple().exponent))
    if number == number.to_integral_value():
        return 0
    size = abs(number)
    return 0 if size >= 100 else 1 if size >= 10 else 2


def money(value: float | None, currency: str, signed: bool = False) -> str:
    """An amount in full.

    >>> money(4812390.5, "USD"), money(-240, "EUR"), money(3.5, "SEK"), money(None, "USD")
    ('$4,812,390', '−€240', 'SEK 3.50', '–')
    """
    if value is None:
        return DASH
    digits = 0 if abs(value) >= 100 or value == int(value) else 2
    return _sign(value, signed) + _symbol(currency) + f"{abs(value):,.{digits}f}"


def short_money(value: float | None, currency: str) -> str:
    """An amount for a headline.

    >>> short_money(4812390.5, "USD"), short_money(950, "USD")
    ('$4.81m', '$950')
    """
    if value is None:
        return DASH
    for size, letter in COMPACT:
        if abs(value) >= size:
            shown = abs(value) / (1e3 if letter == "k" else size)
            return _sign(value, False) + _symbol(currency) + f"{shown:,.{2 if shown < 10 else 1}f}{letter}"
    return money(value, currency)


def _symbol(currency: str) -> str:
    return SYMBOLS.get(currency, f"{currency} ")


def _sign(value: float, signed: bool) -> str:
    return MINUS if value < 0 else "+" if signed and value > 0 else ""


def percent(value: float | None, digits: int = 1, signed: bool = False) -> str:
    """A share of one as percent.

    >>> percent(0.9632), percent(None), percent(1.0), percent(0.0004, 0)
    ('96.3 %', '–', '100 %', '<1 %')
    """
    if value is None:
        return DASH
    if 0 < value < 0.5 * 10 ** (-2 - digits):
        return f"<{10**-digits:.{digits}f} %"
    text = f"{value * 100:{'+' if signed else ''}.{digits}f}"
    whole = value in (0, 1) and digits
    return (text.removesuffix("." + "0" * digits) if whole else text).replace("-", MINUS) + " %"


def size(count: float | None) -> str:
    """A number of bytes.

    >>> size(512), size(61_915_136), size(2_500_000_000), size(None)
    ('512 B', '61.9 MB', '2.5 GB', '–')
    """
    if count is None:
        return DASH
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:,.1f} {name}"
    return f"{count:,.0f} B"


def duration(seconds: float | None) -> str:
    """A length of time in its two largest units.

    >>> duration(42), duration(5400), duration(200_000), duration(None)
    ('42 s', '1 h 30 min', '2 d 7 h', '–')
    """
    if seconds is None:
        return DASH
    rest = max(0, int(seconds))
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts[:2]) or "0 s"


def calendar_day(value: str | None, year: bool = True) -> str:
    """A date, or the date part of an instant, in words.

    >>> calendar_day("2025-12-14"), calendar_day(None), calendar_day("2025-12-14T10:00:00Z", year=False)
    ('14 Dec 2025', '–', '14 Dec')
    """
    if not value:
        return DASH
    try:
        moment = date.fromisoformat(value[:10])
    except ValueError:
        return value
    return f"{moment.day} {moment:%b %Y}" if year else f"{moment.day} {moment:%b}"


def instant(value: str | None, timezone: str) -> Markup:
    """An instant as a `<time>` in the twin's zone, with UTC in its title.

    >>> str(instant("2025-11-30T22:15:00Z", "America/New_York"))
    '<time datetime="2025-11-30T22:15:00Z" title="2025-11-30 22:15:00 UTC">30 Nov 2025, 17:15</time>'
    """
    if not value:
        return Markup(DASH)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return escape(value)
    if moment.tzinfo is None:
        return escape(calendar_day(value))
    local = moment.astimezone(_zone(timezone))
    utc = moment.astimezone(ZoneInfo("UTC"))
    return Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S} UTC">{} {:%b %Y, %H:%M}</time>').format(
        value, utc, local.day, local
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return zone(name)
    except ValueError:
        return ZoneInfo("UTC")


def filters(currency: str, timezone: str) -> dict[str, Any]:
    """The functions above under the names that templates use, bound to one twin."""
    return {
        "words": words,
        "parameter": parameter,
        "qty": quantity,
        "money": lambda value, signed=False: money(value, currency, signed),
        "short_money": lambda value: short_money(value, currency),
        "pct": percent,
        "duration": duration,
        "bytes": size,
        "day": calendar_day,
        "when": lambda value: instant(value, timezone),
    }
