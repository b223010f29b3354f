"""What `status` and `quarantine` say: counts that add up, lags, warnings, and the rows that could not be taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.ledger import balances as balance_query
from stocktwin.ledger.balances import movements
from stocktwin.ledger.books import legs_sql, make_view, reporters, rules_in_force
from stocktwin.ledger.journal.blob import POSITIONS
from stocktwin.tables.schema import SENSED

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.live import LiveStates

QUARANTINE_SCHEMA = pa.schema(
    [
        ("quarantine_id", pa.int64()),
        ("state", pa.string()),  # rejected, parked, conflict or future
        ("canonical", pa.bool_()),  # whether `raw` holds canonical columns (found by the ledger) or the source's own
        ("source", pa.string()),
        ("system", pa.string()),
        ("table", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("line", pa.int64()),
        ("column", pa.string()),
        ("value", pa.string()),
        ("reason", pa.string()),
        ("raw", pa.string()),
        ("recorded_at", pa.int64()),
    ]
)


def counts(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Per system: delivered, accepted, duplicates, quarantined (rows now in quarantine)."""
    rows = con.execute("""
        SELECT coalesce(t.system, q.system) AS name, coalesce(delivered, 0), coalesce(accepted, 0),
            coalesce(duplicates, 0), coalesce(quarantined, 0)
        FROM (SELECT system, CAST(sum(delivered) AS BIGINT) AS delivered, CAST(sum(accepted) AS BIGINT) AS accepted,
                CAST(sum(duplicates) AS BIGINT) AS duplicates FROM tally GROUP BY system) t
        FULL JOIN (SELECT system, count(*) AS quarantined FROM quarantine WHERE counted GROUP BY system) q
            ON q.system = t.system ORDER BY name""").fetchall()
    names = ("system", "delivered", "accepted", "duplicates", "quarantined")
    return [dict(zip(names, row, strict=True)) for row in rows]


def last_event_times(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Per system the latest event time of its movements and observations."""
    return dict(
        con.execute("""SELECT name, max(latest) FROM (
            SELECT system, max(event_time) AS latest FROM fact_movements GROUP BY system
            UNION ALL SELECT system, max(event_time) FROM fact_observations GROUP BY system
            UNION ALL SELECT system, max(ordered_at) FROM fact_orders GROUP BY system) e
            JOIN system ON code = e.system GROUP BY name""").fetchall()
    )


def sensing(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Systems that read tags or weigh: what they post is what passed them, which is never all of it."""
    methods = ", ".join(f"'{method}'" for method in SENSED)
    found = con.execute(f"""SELECT DISTINCT name FROM fact_observations o JOIN system ON code = o.system
        WHERE CAST(method AS VARCHAR) IN ({methods})""").fetchall()
    return frozenset(name for (name,) in found)


def as_of(con: duckdb.DuckDBPyConnection) -> int | None:
    """The twin's clock: the latest accepted event time that is not after its record time; where there are no
    movements and no observations, the latest time of an order or a shipment; None without any."""
    promised = [("orders", name) for name in ("ordered_at", "shipped_at", "received_at", "updated_at")]
    promised += [("shipments", name) for name in ("departed_at", "arrived_at")]
    latest = last_event(con)
    return _latest(con, promised) if latest is None else latest


def last_event(con: duckdb.DuckDBPyConnection, since: int = 0, known: int | None = None) -> int | None:
    """The latest accepted event time that is not after its record time; `known` is that of batches up to `since`."""
    latest = _latest(con, [("movements", "event_time"), ("observations", "event_time")], since)
    return max((at for at in (latest, known) if at is not None), default=None)


def clock(con: duckdb.DuckDBPyConnection, now: int) -> int:
    """The twin's clock; `now` while there are no facts."""
    told = as_of(con)
    return now if told is None else told


def _latest(con: duckdb.DuckDBPyConnection, columns: list[tuple[str, str]], since: int = 0) -> int | None:
    """The latest of some times that is not after the record time of its batch."""
    told = (_latest_of(con, table, name, since) for table, name in columns)
    return max((at for at in told if at is not None), default=None)


def _latest_of(con: duckdb.DuckDBPyConnection, table: str, name: str, since: int) -> int | None:
    """Nearly every time is before its record time, so the last day of them settles it: the rest is looked at only if
    not."""
    facts = f"fact_{table} WHERE seq > {since}"
    newest = con.execute(f"SELECT max({name}) FROM {facts}").fetchall()[0][0]
    if newest is None:
        return None
    for bound in (newest - MICROSECONDS_PER_DAY, -(2**62)):
        latest = con.execute(f"""SELECT max({name}) FROM (SELECT seq, {name} FROM {facts} AND {name} > {bound})
            JOIN batch USING (seq) WHERE {name} <= record_time""").fetchall()[0][0]
        if latest is not None:
            return int(latest)
    return None


def status(con: duckdb.DuckDBPyConnection, now: int, live: LiveStates | None = None) -> dict[str, Any]:
    """Counts, clock and warnings; `now` (µs) is what lags are measured from. Where there are many movements, `live`
    spares adding them up."""
    systems = counts(con)
    latest = last_event_times(con)
    for system in systems:
        last = latest.get(system["system"])
        system |= {"last_event_time": last, "lag_us": None if last is None else now - last}
    totals = {name: sum(s[name] for s in systems) for name in ("delivered", "accepted", "duplicates", "quarantined")}
    clock = as_of(con)
    return {
        **totals,
        "items": _one(con, "SELECT count(*) FROM item"),
        "locations": _one(con, "SELECT count(DISTINCT location_id) FROM fact_locations"),
        "movements": _one(con, "SELECT count(*) FROM fact_movements"),
        "observations": _one(con, "SELECT count(*) FROM fact_observations"),
        "as_of": now if clock is None else clock,
        "unanchored": unanchored(con, live),
        "warnings": warnings(con),
        "sources": systems,
    }


def unanchored(con: duckdb.DuckDBPyConnection, live: LiveStates | None = None) -> int:
    """Accounts of the record that should open with a snapshot and have none yet."""
    view = make_view(con)
    if not view.openings:
        return 0
    counted = live.unanchored(con) if live is not None and movements(con) >= balance_query.MANY_MOVEMENTS else None
    if counted is not None:
        return counted
    return _one(con, f"""WITH {legs_sql(view)}
        SELECT count(*) FROM fed WHERE (item, place) NOT IN (SELECT (item, place) FROM opening)""")  # fmt: skip


def warnings(con: duckdb.DuckDBPyConnection) -> list[str]:
    """What the rules leave open: several systems report a kind and none is declared, or the declared one is silent."""
    rules, found = rules_in_force(con), []
    for kind, systems in sorted(reporters(con).items()):
        declared = rules.authority.get(kind) or rules.authority.get("default")
        names = ", ".join(systems)
        if declared is None and len(systems) > 1:
            found.append(
                f"{names} all report {kind} movements and none is declared to be the authority; "
                f"{systems[0]} is taken (set [authority] {kind} in twin.toml)"
            )
        elif declared is not None and declared not in systems:
            found.append(
                f"{kind} movements are reported by {names}, but the declared authority {declared} reports none"
            )
    return found


def quarantine(
    con: duckdb.DuckDBPyConnection,
    *,
    source: str | None = None,
    limit: int | None = None,
    after: int | None = None,
    files: bool = False,
) -> pa.Table:
    """Quarantined rows, oldest first. `after` = only rows that came with later batches than that one; `files` =
    only findings about whole files."""
    wheres, values = ["true"], []
    if source is not None:
        wheres.append("b.source = ?")
        values.append(source)
    if files:
        wheres.append("q.row = 0")
    if after is not None:
        wheres.append(f"q.id >= {(after + 1) * POSITIONS}")
    cut = "" if limit is None else f" LIMIT {int(limit)}"
    return (
        con.sql(
            f"""SELECT q.id AS quarantine_id, state, canonical, b.source, q.system, q.table_name AS "table", b.file,
            q.row, q.line, q."column", q.value, q.reason, q.raw, b.record_time AS recorded_at
            FROM quarantine q JOIN batch b USING (seq) WHERE {" AND ".join(wheres)} ORDER BY q.id{cut}""",
            params=values,
        )
        .to_arrow_table()
        .cast(QUARANTINE_SCHEMA)
    )


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    value: int = con.execute(sql).fetchall()[0][0]
    return value
