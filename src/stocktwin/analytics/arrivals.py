"""When every open order line and every shipment under way arrives, given how long it has been waiting.

Order lines wait from order to receipt, shipments from departure to arrival; both are pooled by `hazard`. Lines on one
note are one event: what was ordered on one day from one place for another, of one group of items, and came on one day,
is counted once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.analytics.hazard import DAYS, Waits, pooled_cdf, recency, remaining_mean, remaining_quantiles
from stocktwin.analytics.leadtime import LeadTimeModel, line_keys
from stocktwin.analytics.replenishment import Declared, codes_of, replenishment_lines
from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.tables.snapshot import Snapshot

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ARRIVALS_SCHEMA = pa.schema(
    [
        ("order_id", pa.string()),  # null: a shipment of no open order line
        ("line", pa.string()),
        ("shipment_id", pa.string()),  # null: nothing of the line is known to have left
        ("q10", pa.int64()),  # instants, µs
        ("q50", pa.int64()),
        ("q90", pa.int64()),
        ("mean", pa.int64()),
        ("item_id", pa.string()),
        ("from_id", pa.string()),
        ("to_id", pa.string()),
        ("open_quantity", pa.int64()),  # atomic units; null: the shipment does not say
        ("ordered_at", pa.int64()),
        ("departed_at", pa.int64()),
        ("overdue", pa.bool_()),  # older than 99 % of its like
        ("basis", pa.string()),
    ]
)
"""Arrival windows of open purchase and transfer lines and of shipments under way."""
WINDOW = ("q10", "q50", "q90", "mean")

MODE, TO, FROM, GROUP, SEASON, DECLARED = range(6)
LEVELS: Final = ((DECLARED,), (MODE,), (TO,), (TO, MODE), (FROM,), (FROM, MODE), (FROM, TO), (FROM, TO, GROUP),
                 (FROM, TO, SEASON))  # fmt: skip
"""Lead times: what is declared alike, mode, destination, supplier, lane, item group of the lane, season of the lane."""
TRANSIT_LEVELS: Final = ((MODE,), (TO,), (FROM,), (FROM, MODE), (FROM, TO), (FROM, TO, GROUP), (FROM, TO, SEASON))
"""Times in transit; the group is the carrier."""
PROBABILITIES: Final = (0.1, 0.5, 0.9, 0.99)
LEAST_EVENTS: Final = 10
"""Fewer arrivals seen than this: the lane's declared lead time speaks."""
BLOCK: Final = 4_096


def arrivals_table(snapshot: Snapshot, lead_times: LeadTimeModel) -> pa.Table:
    """`ARRIVALS_SCHEMA`: a row per shipment of an open line, else one for the line; and per other shipment."""
    lines, shipments = replenishment_lines(snapshot), snapshot.shipments
    by_order = _order_windows(snapshot, lead_times, lines)
    by_shipment = _shipment_windows(snapshot, shipments)
    at_line, at_shipment = _matched(lines, shipments)
    loose = np.setdiff1d(np.arange(len(shipments)), at_shipment)
    line = np.concatenate([at_line, np.full(len(loose), -1)]).astype(np.int64)
    shipment = np.concatenate([at_shipment, loose]).astype(np.int64)
    return _table(snapshot, (lines, line, by_order), (shipments, shipment, by_shipment))


@dataclass(frozen=True)
class _Windows:
    """Arrival instants of m things, NaN where nothing can be said."""

    instants: Floats
    """[m, 4]: 10 %, 50 %, 90 % and mean, µs."""
    age: Floats
    overdue: npt.NDArray[np.bool_]
    basis: npt.NDArray[np.object_]


def _order_windows(snapshot: Snapshot, lead_times: LeadTimeModel, lines: pa.Table) -> _Windows:
    began = _instants(lines, "ordered_at", snapshot.as_of)
    seen, wanted = _order_factors(snapshot, lines)
    declared = line_keys(snapshot, lead_times, lines)
    alone = [lead_times.basis[key] in ("declared", "assumed") for key in declared]
    silent = _unheard(seen, wanted) & np.array(alone, bool)
    if seen.done.sum() < LEAST_EVENTS:
        silent[:] = True
    said = np.array([_table_cdf(lead_times.table[key]) for key in np.unique(declared)]).reshape(-1, DAYS + 1)
    of_said = np.searchsorted(np.unique(declared), declared)
    basis = np.where(silent, np.array([lead_times.basis[key] for key in declared], object), "history")
    return _windows(snapshot.as_of, began, seen, wanted, (silent, said, of_said), basis, LEVELS)


def _shipment_windows(snapshot: Snapshot, shipments: pa.Table) -> _Windows:
    transits = snapshot.transits
    began = _instants(shipments, "departed_at", -1)
    both = _codes(transits, shipments, ("mode", "destination_id", "origin_id", "carrier"))
    seasons = [_season(_instants(table, "departed_at", 0)) for table in (transits, shipments)]
    factors = [
        np.column_stack([part, season, np.full(len(part), -1)]) for part, season in zip(both, seasons, strict=True)
    ]
    left, arrived = _instants(transits, "departed_at", 0), _instants(transits, "arrived_at", -1)
    seen = _waits(factors[0], left, arrived, snapshot.as_of)
    silent = (began < 0) | (seen.done.sum() < LEAST_EVENTS)
    nothing = np.full((1, DAYS + 1), np.nan)
    at = np.zeros(len(shipments), np.int64)
    basis = np.where(silent, "", "transit").astype(object)
    return _windows(snapshot.as_of, began, seen, factors[1], (silent, nothing, at), basis, TRANSIT_LEVELS)


def _windows(
    as_of: int,
    began: Ints,
    seen: Waits,
    wanted: Ints,
    otherwise: tuple[npt.NDArray[np.bool_], Floats, Ints],
    basis: npt.NDArray[np.object_],
    levels: tuple[tuple[int, ...], ...],
) -> _Windows:
    """Windows from the pooled hazards, or where `otherwise[0]` from row `otherwise[2]` of the CDFs `otherwise[1]`."""
    silent, said, of_said = otherwise
    age = np.maximum((as_of - began) / MICROSECONDS_PER_DAY, 0.0)
    instants, late = np.empty((len(began), 4)), np.zeros(len(began))
    distinct, at = np.unique(wanted, axis=0, return_inverse=True) if len(wanted) else (wanted, np.zeros(0, np.int64))
    speaks = len(seen) > 0 and not silent.all()
    pooled = pooled_cdf(seen, distinct, levels) if speaks else np.empty((0, DAYS + 1))
    for begin in range(0, len(began), BLOCK):
        block = slice(begin, begin + BLOCK)
        cdf = said[of_said[block]]
        if speaks:
            cdf = np.where(silent[block, None], cdf, pooled[at.ravel()[block]])
        days = remaining_quantiles(cdf, age[block], PROBABILITIES[:3])
        late[block] = remaining_quantiles(cdf, np.zeros(len(cdf)), PROBABILITIES[3:])[:, 0]
        wait = np.column_stack([days, remaining_mean(cdf, age[block])])
        known = ~np.isnan(cdf[:, 0])
        instants[block] = np.where(known[:, None], began[block, None] + wait * MICROSECONDS_PER_DAY, np.nan)
    return _Windows(np.maximum(instants, as_of + 1), age, age > late, basis)


def _order_factors(snapshot: Snapshot, lines: pa.Table) -> tuple[Waits, Ints]:
    """Waits of all order lines of ours so far, and the factors of the open ones."""
    past = snapshot.lead_times
    lines = lines.rename_columns(
        [{"from_id": "origin_id", "to_id": "destination_id"}.get(n, n) for n in lines.column_names]
    )
    lines = lines.append_column("mode", _modes(past, lines))
    parts = [
        table.append_column("group", _categories(snapshot, table)).append_column("declared", _declared(snapshot, table))
        for table in (past, lines)
    ]
    codes = _codes(parts[0], parts[1], ("mode", "destination_id", "origin_id", "group", "declared"))
    ordered = [_instants(table, "ordered_at", snapshot.as_of) for table in parts]
    factors = [
        np.column_stack([code[:, :4], _season(when), code[:, 4]]) for code, when in zip(codes, ordered, strict=True)
    ]
    return _waits(factors[0], ordered[0], _instants(past, "received_at", -1), snapshot.as_of), factors[1]


def _waits(factors: Ints, began: Ints, ended: Ints, as_of: int) -> Waits:
    """Waits, those of the same factors, first and last day counted once; none that ended as soon as it began."""
    until = np.where(ended >= 0, ended, as_of)
    days = (until - began) / MICROSECONDS_PER_DAY
    key = np.column_stack(
        [factors, began // MICROSECONDS_PER_DAY, np.where(ended >= 0, ended // MICROSECONDS_PER_DAY, -1)]
    )
    once = np.unique(key, axis=0, return_index=True)[1] if len(key) else np.zeros(0, np.int64)
    once = once[days[once] > 0]
    age = (as_of - began[once]) / MICROSECONDS_PER_DAY
    return Waits(factors[once], days[once], ended[once] >= 0, recency(age))


def _unheard(seen: Waits, wanted: Ints) -> npt.NDArray[np.bool_]:
    """Queries of whose lane, supplier and like-declared lanes nothing has arrived yet."""
    done = seen.factors[seen.done]
    known = np.zeros(len(wanted), bool)
    for factor in (FROM, DECLARED):
        known |= np.isin(wanted[:, factor], np.unique(done[:, factor])) & (wanted[:, factor] >= 0)
    return ~known


def _modes(past: pa.Table, lines: pa.Table) -> pa.Array:
    """Mode of each open line, as the evidence of the same line has it."""
    ends = ["origin_id", "destination_id", "item", "ordered_at"]
    both = pa.concat_tables([past.select(ends), lines.select(ends)])
    code = codes_of(both, ends)
    mode = np.array(past.column("mode").to_pylist(), object)
    found = np.full(int(code.max(initial=-1)) + 1, None, object)
    found[code[: len(past)]] = mode
    return pa.array(found[code[len(past) :]].tolist(), pa.string())


def _categories(snapshot: Snapshot, table: pa.Table) -> pa.Array:
    category = np.array([*snapshot.items.column("category").to_pylist(), None], object)
    item = np.asarray(table.column("item").fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    return pa.array(category[item].tolist(), pa.string())


def _declared(snapshot: Snapshot, table: pa.Table) -> pa.Array:
    """Class of the lane's declared mean (a third of a power of two wide): lanes declared alike are pooled first."""
    declared = Declared.of(snapshot)
    names = ["origin_id", "destination_id", "mode"]
    code = codes_of(table, names)
    _, first = np.unique(code, return_index=True)
    classes = []
    for row in table.select(names).take(pa.array(first, pa.int64())).to_pylist():
        ends = row["origin_id"] or "", row["destination_id"] or ""
        found = declared.of_lane(*ends, declared.mode(*ends, row["mode"] or ""))
        classes.append(f"{np.rint(3 * np.log2(max(found[0], 0.5))):.0f}" if found else None)
    return pa.array(np.array([*classes, None], object)[:-1][code].tolist(), pa.string())


def _codes(past: pa.Table, now: pa.Table, names: tuple[str, ...]) -> tuple[Ints, Ints]:
    """Common codes of some columns of two tables; −1 for null."""
    out = []
    for name in names:
        text = pa.concat_arrays([*_texts(past, name), *_texts(now, name)]).dictionary_encode()
        out.append(np.asarray(text.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64))
    both = np.column_stack(out)
    return both[: len(past)], both[len(past) :]


def _texts(table: pa.Table, name: str) -> list[pa.Array]:
    return [*table.column(name).cast(pa.string()).chunks, pa.array([], pa.string())]


def _season(instants: Ints) -> Ints:
    """Quarter of the year, 0 to 3."""
    month = instants.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    return np.asarray(month % 12 // 3)


def _instants(table: pa.Table, column: str, missing: int) -> Ints:
    return np.asarray(table.column(column).fill_null(missing).to_numpy(zero_copy_only=False), np.int64)


def _table_cdf(days: npt.NDArray[np.int32]) -> Floats:
    """A table of equally likely days as a distribution function by day."""
    return np.asarray(np.bincount(np.minimum(days, DAYS), minlength=DAYS + 1).cumsum() / len(days))


def _matched(lines: pa.Table, shipments: pa.Table) -> tuple[Ints, Ints]:
    """Pairs of an open line and a shipment of it; a line without one is paired with −1."""
    of_line: dict[tuple[str | None, str | None], list[int]] = {}
    items = shipments.column("item").to_pylist()
    pairs = zip(shipments.column("order_id").to_pylist(), shipments.column("line").to_pylist(), strict=True)
    for at, key in enumerate(pairs):
        if key[0] is not None:
            of_line.setdefault(key, []).append(at)
    left, right = [], []
    names = zip(*(lines.column(name).to_pylist() for name in ("order_id", "line", "item")), strict=True)
    for at, (order, line, item) in enumerate(names):
        found = of_line.get((order, line)) or [k for k in of_line.get((order, None), ()) if items[k] in (-1, item)]
        for shipment in found or (-1,):
            left.append(at)
            right.append(shipment)
    return np.array(left, np.int64), np.array(right, np.int64)


def _table(
    snapshot: Snapshot, orders: tuple[pa.Table, Ints, _Windows], shipped: tuple[pa.Table, Ints, _Windows]
) -> pa.Table:
    """Rows of pairs (line, shipment), −1 where there is none; the shipment's window where it has one."""
    (lines, line, ordered), (shipments, shipment, sent) = orders, shipped
    window = np.concatenate([ordered.instants, np.full((1, 4), np.nan)])[line]
    transit = np.concatenate([sent.instants, np.full((1, 4), np.nan)])[shipment]
    under_way = ~np.isnan(transit[:, 0])
    window[under_way] = transit[under_way]
    of_line, of_shipment = _taken(lines, line), _taken(shipments, shipment)
    item = np.where(line >= 0, of_line("item"), of_shipment("item"))
    ids = [None if code is None or code < 0 else snapshot.item_codes.ids[code] for code in item]
    late = np.where(under_way, np.append(sent.overdue, False)[shipment], np.append(ordered.overdue, False)[line])
    basis = np.where(under_way, np.append(sent.basis, "")[shipment], np.append(ordered.basis, "")[line])
    columns = {
        "order_id": np.where(line >= 0, of_line("order_id"), of_shipment("order_id")),
        "line": np.where(line >= 0, of_line("line"), of_shipment("line")),
        "shipment_id": of_shipment("shipment_id"),
        "item_id": np.array(ids, object),
        "from_id": np.where(line >= 0, of_line("from_id"), of_shipment("origin_id")),
        "to_id": np.where(line >= 0, of_line("to_id"), of_shipment("destination_id")),
        "open_quantity": _atomic(snapshot, item, of_line("open_quantity"), of_shipment("quantity")),
        "ordered_at": of_line("ordered_at"),
        "departed_at": of_shipment("departed_at"),
        "overdue": late.astype(bool),
        "basis": np.array([name or None for name in basis], object),
    }
    arrays = {name: pa.array(values.tolist(), ARRIVALS_SCHEMA.field(name).type) for name, values in columns.items()}
    whole = np.nan_to_num(window).astype(np.int64)
    arrays |= {name: pa.array(whole[:, k], mask=np.isnan(window[:, k])) for k, name in enumerate(WINDOW)}
    return pa.table([arrays[name] for name in ARRIVALS_SCHEMA.names], schema=ARRIVALS_SCHEMA)


def _taken(table: pa.Table, rows: Ints) -> Callable[[str], npt.NDArray[np.object_]]:
    """Values of a column at some rows; None at −1."""
    return lambda name: np.array([*table.column(name).to_pylist(), None], object)[rows]


def _atomic(
    snapshot: Snapshot, item: npt.NDArray[np.object_], rest: npt.NDArray[np.object_], sent: npt.NDArray[np.object_]
) -> npt.NDArray[np.object_]:
    """What a shipment carries, else what is open of the line, in atomic units."""
    scale = [*snapshot.scale().tolist(), 0]
    found = [
        left if carried is None else round(carried * 10 ** scale[-1 if code is None else code])
        for code, left, carried in zip(item, rest, sent, strict=True)
    ]
    return np.array([*found, None], object)[:-1]
