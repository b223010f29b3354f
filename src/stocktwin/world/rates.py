"""How often things go wrong: every rate of the world in one place, each with what it counts and where it comes from.

Defaults are those of a decent distributor, not of a shop: published shrink and record-inaccuracy figures are mostly
about shops, where they are several times higher. `rates.toml` overrides any of them, by the same names.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from stocktwin.domain.errors import UsageError

YEARLY: Final = "an item-location and year"
RECEIPT: Final = "receipt line posted by the WMS"
SALE: Final = "sale posted by the ERP"
KEYED: Final = "receipt line posted by the ERP: an error of its own, when it is keyed from the delivery note"
SITE: Final = "DC and year"

NRF: Final = (
    "NRF National Retail Security Survey 2023 (data of 2022): shrink 1.6 % of sales, of it 36 % theft from outside, "
    "29 % by employees, 27 % process and control failures"
)
RETAIL: Final = (
    "negative adjustments of UCI Online Retail: 3.7 % of the units sold in 1,336 lines, of them 183 damage and "
    "write-off, 20 lost or missing"
)
IRI: Final = (
    "DeHoratius and Raman 2008: 65 % of 370,000 shop records wrong; ECR Retail Loss: too high about as often as too low"
)
PACKS: Final = "UCI Online Retail: 32 of 1,336 negative adjustments name sets that were taken for pieces or the reverse"
KEYING: Final = "1 wrong key in 300 (Gilb and Weinberg 1977: 1 in 400), part of it caught by the screen"
DOUBLE: Final = "Online Retail: a documented double posting, two huge keying errors in 540,000 lines; judgement"
READS: Final = (
    "University of Arkansas 2008: 99.4 % of 97 tags read on a full rail, 89.9 % of 180; RFID Journal 2009–2012: 98 % "
    "to 99.8 % at portals"
)
SCMS: Final = "USAID SCMS deliveries: 18.5 % recorded after the day of delivery, 2.9 days on average, at most 546"
AUBURN: Final = (
    "Auburn University/GS1: 69 % of inbound orders without tags had an error; few reach the books: judgement"
)
SCALES: Final = (
    "class III scales (EN 45501): 1/1,000 to 1/3,000 of the maximum, more in bins that are never quite still"
)
INTERFACE: Final = (
    "judgement, no published figure was found: most warehouses post into the ERP by interface, what the others post is "
    "keyed once more"
)
HALF: Final = "judgement: half of what the WMS gets wrong, since only a part of the lines is keyed"
JUDGED: Final = "judgement: no published figure was found"


def rate(default: float, per: str, source: str, most: float = 1.0) -> Any:
    """A field of `Rates`: what it is counted by, its source, and the most that makes sense."""
    return field(default=default, metadata={"per": per, "source": source, "most": most})


@dataclass(frozen=True)
class Rates:
    """Chances and counts by cause. A rate of 0 switches its cause off.

    >>> Rates().schema_change
    0.0
    >>> replace(Rates(), theft=0.0).theft
    0.0
    """

    theft: float = rate(0.04, YEARLY + ": thieves who take a little at a time", NRF, 50)
    bulk_theft: float = rate(0.006, YEARLY, NRF, 50)
    damage: float = rate(0.05, YEARLY + ": breakage that nobody writes down", RETAIL, 50)
    unexplained_loss: float = rate(0.03, YEARLY, RETAIL, 50)
    misplacement: float = rate(0.03, YEARLY + ": goods put where nobody looks for them", IRI, 50)

    receipt_missing_post: float = rate(0.002, RECEIPT, AUBURN, 0.5)
    receipt_duplicate_post: float = rate(0.002, RECEIPT, DOUBLE, 0.5)
    receipt_late_post: float = rate(0.01, RECEIPT, SCMS, 0.5)
    receipt_pack_factor: float = rate(0.0008, RECEIPT, PACKS, 0.5)
    receipt_wrong_unit: float = rate(0.0008, RECEIPT, PACKS, 0.5)
    receipt_digit_swap: float = rate(0.002, RECEIPT, KEYING, 0.5)
    receipt_decimal_slip: float = rate(0.0006, RECEIPT, KEYING, 0.5)
    receipt_wrong_item: float = rate(0.001, RECEIPT, KEYING, 0.5)
    receipt_wrong_location: float = rate(0.0008, RECEIPT, JUDGED, 0.5)
    receipt_wrong_lot: float = rate(0.002, RECEIPT + " of an item with lots", KEYING, 0.5)
    interfaced_receipt_error: float = rate(
        0.7, "such error, in a receipt line posted by the WMS: the chance that the ERP takes it over", INTERFACE
    )
    erp_receipt_missing_post: float = rate(0.001, KEYED, HALF, 0.5)
    erp_receipt_duplicate_post: float = rate(0.001, KEYED, HALF, 0.5)
    erp_receipt_late_post: float = rate(0.005, KEYED, HALF, 0.5)
    erp_receipt_pack_factor: float = rate(0.0004, KEYED, HALF, 0.5)
    erp_receipt_digit_swap: float = rate(0.001, KEYED, HALF, 0.5)
    erp_receipt_wrong_item: float = rate(0.0005, KEYED, HALF, 0.5)
    sale_missing_post: float = rate(0.0002, SALE, IRI, 0.5)
    sale_duplicate_post: float = rate(0.0002, SALE, DOUBLE, 0.5)
    sale_late_post: float = rate(0.0005, SALE, SCMS, 0.5)
    sale_wrong_item: float = rate(
        0.00015, SALE, "picking errors of 0.1 % to 1 % of lines, most found before dispatch", 0.5
    )

    silent_system: float = rate(1.5, SITE + ": the WMS, the readers and the sensors fall silent together", JUDGED, 100)
    clock_skew: float = rate(0.7, SITE + ": a week in which the clock of the WMS is wrong", JUDGED, 50)
    duplicate_delivery: float = rate(
        6.0, "year, for the movements of ERP and WMS each: some hours are sent twice", JUDGED, 365
    )
    reordered_delivery: float = rate(
        6.0, "year, for the movements of ERP and WMS each: some hours come in another order", JUDGED, 365
    )
    schema_change: float = rate(
        0.0, "year: from then on the movements of the WMS have other column names; off by default", JUDGED, 50
    )

    alias_codes: float = rate(
        0.02, YEARLY + ": a repacked article comes in under a new code for some weeks", JUDGED, 10
    )
    missing_crossref: float = rate(0.12, "such code: nobody enters it", JUDGED)
    wrong_crossref: float = rate(0.04, "such code: it is entered for the neighbouring item", JUDGED)

    read_rate: float = rate(0.985, "tag at a dock door: the chance that it is read", READS)
    shelf_read_rate: float = rate(0.994, "tag on a shelf, in one walk", READS)
    duplicate_read: float = rate(0.01, "document at a dock door: read again at the next door", JUDGED)
    stray_read: float = rate(0.004, "document at a dock door: tags that only pass by are read too", JUDGED)
    scale_noise: float = rate(0.004, "reading: standard deviation as a share of the level", SCALES, 0.5)
    scale_drift: float = rate(0.02, "scale and year: standard deviation as a share of the level", JUDGED, 0.5)
    dead_sensor: float = rate(0.3, "sensor and year: it stops and is replaced weeks later", JUDGED, 50)
    lost_ping: float = rate(0.06, "position ping: no reception", JUDGED)
    dark_shipment: float = rate(0.03, "shipment: its tracker is dead", JUDGED)


POSTED: Final = ("receipt_", "erp_receipt_", "sale_")
"""Rates that share one posting begin with these."""
PHYSICAL: Final = ("theft", "bulk_theft", "damage", "unexplained_loss", "misplacement")


@dataclass(frozen=True)
class Coverage:
    """How much of the network carries instruments: tags, scales, thermometers, trackers."""

    tagged_share: float
    """Share of the items (counted by the piece) whose cases carry RFID tags."""
    shelf_read_days: int
    """Days between two readings of the tagged shelves."""
    scales_per_dc: int
    scale_hours: int
    """Hours between two readings of a scale."""
    bins_per_dc: int
    """Bins with a sensor."""
    tracked_share: float
    """Share of the shipments with a tracker."""

    @classmethod
    def of(cls, items: int, blocks: int = 1) -> Coverage:
        """The usual coverage of a firm of this size: the larger, the smaller the share that is worth it.

        >>> Coverage.of(500).tagged_share, Coverage.of(100_000).tagged_share
        (0.2, 0.02)
        """
        return cls(
            min(0.2, 2000 / items),
            7,
            max(1, 12 // blocks),
            6,
            max(1, 8 // blocks),
            1.0 if blocks == 1 else min(1.0, 4 / blocks**1.5),
        )


def read_rates(path: Path) -> Rates:
    """The rates with what a `rates.toml` says otherwise; UsageError names an unknown key or an absurd value."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the rates of {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    return parse_rates(raw, str(path))


def parse_rates(raw: Mapping[str, Any], where: str = "rates") -> Rates:
    """The rates with those of a mapping in place of the defaults.

    >>> parse_rates({"theft": 0.5}).theft
    0.5
    """
    known: dict[str, Field[Any]] = {one.name: one for one in fields(Rates)}
    for name, value in raw.items():
        if name not in known:
            close = difflib.get_close_matches(name, list(known), 1)
            raise UsageError(
                f"{where}: no rate is called {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")
            )
        most = known[name].metadata["most"]
        usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not usable or not 0 <= value <= most:
            raise UsageError(
                f"{where}: {name} must be between 0 and {most:g} per {known[name].metadata['per']}, not {value!r}"
            )
    rates = replace(Rates(), **{name: float(value) for name, value in raw.items()})
    for group in POSTED:
        total = math.fsum(getattr(rates, name) for name in known if name.startswith(group))
        if total > 1:
            raise UsageError(f"{where}: a posting has one fault at most, but the rates {group}… add up to {total:g}")
    return rates


def rates_toml() -> str:
    """A `rates.toml` of the defaults, each with what it counts and its source."""
    lines = [
        f"# per {one.metadata['per']}; source: {one.metadata['source']}\n{one.name} = {one.default}"
        for one in fields(Rates)
    ]
    return "\n".join(lines) + "\n"
