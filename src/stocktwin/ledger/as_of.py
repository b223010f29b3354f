"""The twin as its sources knew it at a past moment, whenever the facts were loaded: DESIGN section 5, "As of".

`known_at` of a fact is the twin's own record time. A history loaded in bulk was recorded today, so a question about the
past goes by the source's time: `recorded_at` or `updated_at`, else the event's time plus that system's usual lag (the
median of what it had recorded by then; none stated: no lag). On a connection of its own, temporary relations with the
names of the fact tables hide what was not known; every query above them then sees that past.

Of an order with one row, each field is known from its own date on and the undated rest (promise, state, quantities
received and cancelled) from `updated_at` on. Of one with several rows, each is known from its `updated_at` on. Master
data carries no times of its own and is taken as it stands (sourcing and crossref by `valid_from`, `valid_to`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stocktwin.ledger.healing import healing
from stocktwin.ledger.layout import FORMS

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.ledger import Ledger
    from stocktwin.tables.snapshot import Snapshot

EVENTS = ("movements", "observations")
UNDATED = ("promised_at", "quantity_cancelled", "status")
"""Fields of a lone order row that do not say when they became known."""
DATED = ("shipped_at", "received_at")


@healing
def snapshot_as_of(ledger: Ledger, instant: int, currency: str) -> tuple[Snapshot, list[str]]:
    """The snapshot as it would have been at an instant (µs), its clock standing there, and what had to be assumed."""
    from stocktwin.ledger.days import local_day_number
    from stocktwin.ledger.shipments_query import add_shipments
    from stocktwin.ledger.snapshot_query import snapshot
    from stocktwin.ledger.stockout_query import add_stockouts

    con = ledger._projection.cursor()
    timezone = ledger.rules().timezone
    try:
        assumed = hide_later(con, instant)
        made = snapshot(
            con, currency=currency, as_of=instant, timezone=timezone, state_hash=ledger.state_hash, head=ledger.head
        )
        made = add_stockouts(con, add_shipments(con, made))
        last = con.execute("SELECT max(event_time) FROM fact_movements").fetchall()[0][0]
    finally:
        con.close()
    if last is not None and local_day_number(last, timezone) < made.today - 1:
        idle = made.today - local_day_number(last, timezone)
        assumed.append(f"the last movement known then is {idle} days old; days without a sale count as no demand")
    return made, assumed


def hide_later(con: duckdb.DuckDBPyConnection, instant: int) -> list[str]:
    """Puts what was known at an instant in place of the fact tables, for this connection; what had to be assumed."""
    home = f'"{con.execute("SELECT current_database()").fetchall()[0][0]}".main'
    assumed = [line for name in EVENTS for line in _hide_events(con, home, name, instant)]
    con.execute("""CREATE TEMP VIEW reporter AS SELECT kind, system, min(known_at) AS known_at FROM fact_movements
        GROUP BY kind, system""")
    _hide_orders(con, home, instant)
    _hide_shipments(con, home, instant)
    return assumed


def _hide_events(con: duckdb.DuckDBPyConnection, home: str, name: str, instant: int) -> list[str]:
    told = con.execute(f"""SELECT s.code, s.name,
        CAST(median(recorded_at - event_time) FILTER (recorded_at <= {instant}) AS BIGINT),
        count(*) FILTER (recorded_at IS NULL)
        FROM {home}.fact_{name} f JOIN {home}.system s ON s.code = f.system
        WHERE event_time <= {instant} GROUP BY ALL ORDER BY s.name""").fetchall()
    lags = {code: max(lag or 0, 0) for code, _, lag, _ in told}
    cases = " ".join(f"WHEN {code} THEN {lag}" for code, lag in lags.items() if lag)
    lag = f"CASE system {cases} ELSE 0 END" if cases else "0"
    con.execute(f"""CREATE TEMP VIEW fact_{name} AS SELECT * FROM {home}.fact_{name}
        WHERE event_time <= {instant} AND coalesce(recorded_at, event_time + {lag}) <= {instant}""")
    return [
        f"{missing:,} {name} of {system} do not say when they were recorded: taken as known "
        + (f"{lags[code] / 3_600_000_000:.1f} hours after they happened" if lags[code] else "when they happened")
        for code, system, _, missing in told
        if missing
    ]


def _hide_orders(con: duckdb.DuckDBPyConnection, home: str, instant: int) -> None:
    """Several rows of one line: those updated by then. A lone row: whole once updated, else field by field."""
    whole = f"coalesce(updated_at, {2**62}) <= {instant}"
    fields = [f"CASE WHEN {name} <= {instant} THEN {name} END AS {name}" for name in DATED]
    fields += [f"CASE WHEN {whole} THEN {name} END AS {name}" for name in UNDATED]
    fields.append(
        f"CASE WHEN {whole} AND coalesce(received_at, {instant}) <= {instant} THEN quantity_received END "
        "AS quantity_received"
    )
    line = _identity("orders", "updated_at")
    con.execute(f"""CREATE TEMP TABLE fact_orders AS SELECT * EXCLUDE (versions) REPLACE ({", ".join(fields)})
        FROM (SELECT *, count(*) OVER (PARTITION BY {line}) AS versions FROM {home}.fact_orders)
        WHERE ordered_at <= {instant} AND (versions = 1 OR coalesce(updated_at, ordered_at) <= {instant})""")


def _hide_shipments(con: duckdb.DuckDBPyConnection, home: str, instant: int) -> None:
    """A shipment is known once recorded, else once it departed; its arrival from that date on."""
    left = f"coalesce(departed_at, arrived_at, {2**62})"
    lone = f"versions = 1 AND {left} <= {instant}"
    hidden = f"coalesce(arrived_at, {instant}) > {instant}"
    line = _identity("shipments", "recorded_at")
    con.execute(f"""CREATE TEMP TABLE fact_shipments AS SELECT * EXCLUDE (versions) REPLACE (
            CASE WHEN NOT {hidden} THEN arrived_at END AS arrived_at,
            CASE WHEN coalesce(recorded_at, {2**62}) <= {instant} THEN promised_at END AS promised_at,
            CASE WHEN NOT {hidden} THEN quantity_received END AS quantity_received)
        FROM (SELECT *, count(*) OVER (PARTITION BY {line}) AS versions FROM {home}.fact_shipments)
        WHERE coalesce(recorded_at, {left}) <= {instant} OR ({lone})""")


def _identity(name: str, clock: str) -> str:
    form = FORMS[name]
    columns = [form.table.column(column) for column in form.table.key if column != clock]
    return ", ".join(f'"{form.stored(column)[0]}"' for column in columns if column is not None)
