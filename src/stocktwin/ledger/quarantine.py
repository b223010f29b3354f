"""Rows that are not facts: rejected by the reader, parked until their references are known, future, or in conflict.

Each has a lasting number: batch × 10⁶ + position. The same row again (same content, same state) is a duplicate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from stocktwin.ledger.digest import fingerprint_sql, raw_sql
from stocktwin.ledger.journal.blob import FIRST_REJECTED, POSITIONS
from stocktwin.ledger.layout import SQL_TYPES, Form
from stocktwin.ledger.staging import fault_values_sql, resolved_sql
from stocktwin.tables.batch import endpoint

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.journal.protocol import BatchHeader

COLUMNS = (
    'id, seq, pos, state, canonical, table_name, system, row, line, "column", value, reason, raw, fingerprint, counted'
)
_HELD = f"""INSERT INTO quarantine ({COLUMNS})
SELECT id, seq, pos, state, canonical, table_name, system, row, line, "column", value, reason, raw, fingerprint, counted
FROM held WHERE id NOT IN (SELECT id FROM repeated)"""
_REPEATED = """CREATE OR REPLACE TEMP TABLE repeated AS
SELECT id FROM held WHERE (fingerprint, state) IN (SELECT (fingerprint, state) FROM quarantine)
UNION SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY fingerprint, state ORDER BY id) AS copy FROM held)
WHERE copy > 1"""


def hold(con: duckdb.DuckDBPyConnection, form: Form, relation: str) -> None:
    """Quarantines the judged rows that are faulty or in conflict; repeated ones become duplicates in `judged`."""
    found = con.execute("SELECT 1 FROM judged WHERE verdict IN ('fault', 'conflict') LIMIT 1").fetchall()
    if not found:
        return
    con.execute(f"CREATE OR REPLACE TEMP TABLE held AS {_held_sql(form, _refused_sql(form, relation))}")
    con.execute(_REPEATED)
    con.execute(_HELD)
    con.execute("""UPDATE judged SET verdict = 'duplicate' WHERE verdict IN ('fault', 'conflict')
        AND CAST(seq AS BIGINT) * 1000000 + pos IN (SELECT id FROM repeated)""")
    columns = ", ".join(f'i."{column.name}"' for column in form.table.columns)
    con.execute(f"""INSERT INTO parked_{form.name} SELECT seq, pos, i.source, i._row, i._line,
        held.needs_kind, held.needs, {columns}, i.attributes FROM held JOIN {relation} i USING (seq, pos)
        WHERE held.state = 'parked' AND held.id NOT IN (SELECT id FROM repeated)""")
    _leave_settled(con)


def _refused_sql(form: Form, relation: str) -> str:
    """The delivered rows to tell about; of items all rows, since the first of an item fixes its unit."""
    if form.name == "items":
        return relation
    refused = "SELECT seq, pos FROM judged WHERE verdict IN ('fault', 'conflict')"
    return f"(SELECT * FROM {relation} SEMI JOIN ({refused}) USING (seq, pos))"


def _held_sql(form: Form, relation: str) -> str:
    last_key = next(name for name in reversed(form.table.key) if name in form.table.required)
    told = {name: fault_values_sql(form, name) for name in ("state", "column", "value", "reason", "needs")}
    again = f"'delivered before with other content (' || concat_ws(', ', {_key_text(form)}) || ')'"
    conflict = "verdict = 'conflict'"
    return f"""
SELECT CAST(seq AS BIGINT) * {POSITIONS} + pos AS id, seq, pos, r._row AS row, r._line AS line, system_name AS system,
    CASE WHEN {conflict} THEN 'conflict' ELSE {told["state"]} END AS state, true AS canonical,
    '{form.name}' AS table_name,
    CASE WHEN {conflict} THEN '{last_key}' ELSE {told["column"]} END AS "column",
    CASE WHEN {conflict} THEN CAST("{last_key}" AS VARCHAR) ELSE {told["value"]} END AS value,
    CASE WHEN {conflict} THEN {again} ELSE {told["reason"]} END AS reason,
    {raw_sql(form)} AS raw, {fingerprint_sql(form)} AS fingerprint, true AS counted,
    {told["needs"]} AS needs_kind,
    CASE {told["needs"]} WHEN 'unit' THEN {_unit_needs(form)} ELSE {told["value"]} END AS needs
FROM ({resolved_sql(form, relation)}) r
JOIN (SELECT seq, pos, fault, verdict FROM judged WHERE verdict IN ('fault', 'conflict')) USING (seq, pos)"""


def _unit_needs(form: Form) -> str:
    return "item_id || chr(31) || unit" if form.quantities else "NULL"


def _key_text(form: Form) -> str:
    return ", ".join(f"'{name} ' || CAST(\"{name}\" AS VARCHAR)" for name in form.table.key)


def reject(con: duckdb.DuckDBPyConnection, header: BatchHeader, rejected: pa.Table) -> None:
    """Quarantines the rows that the reader could not read; findings about a whole file (row 0) are no rows."""
    positions = pa.array(np.arange(rejected.num_rows, dtype=np.int64) + FIRST_REJECTED)
    con.register("unread", rejected.append_column("pos", positions))
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE held AS SELECT {header.seq * POSITIONS} + pos AS id, {header.seq} AS seq, pos,
        coalesce(state, 'rejected') AS state, false AS canonical, ? AS table_name, coalesce(system, ?) AS system,
        row, line, "column", value, reason, raw,
        md5_number(concat_ws(chr(31), 'unread', ?, ?, ?, row, coalesce("column", ''), reason, coalesce(raw, '')))
        AS fingerprint, row > 0 AS counted FROM unread""",
        [header.table, header.system or header.source, header.source, header.table, endpoint(header.file)],
    )
    con.unregister("unread")
    con.execute(_REPEATED)
    con.execute(_HELD)
    con.execute(f"""INSERT INTO tally SELECT {header.seq}, table_name, system, count(*), 0,
        count(*) FILTER (id IN (SELECT id FROM repeated)) FROM held WHERE counted GROUP BY table_name, system""")
    _leave_settled(con)


def settle(con: duckdb.DuckDBPyConnection, header: BatchHeader) -> None:
    """Rows that this batch replays leave the quarantine; they were counted as delivered once and are not again."""
    if header.replays:
        con.register("replayed", pa.table({"id": pa.array(header.replays, pa.int64())}))
        con.execute("INSERT INTO settled SELECT DISTINCT id FROM replayed")
        con.unregister("replayed")
        _leave_settled(con)


def _leave_settled(con: duckdb.DuckDBPyConnection) -> None:
    leaving = con.execute("""SELECT DISTINCT table_name FROM quarantine SEMI JOIN settled USING (id)
        WHERE state = 'parked'""").fetchall()
    for (name,) in leaving:
        con.execute(
            f"""DELETE FROM parked_{name} WHERE CAST(seq AS BIGINT) * {POSITIONS} + pos IN (SELECT id FROM settled)"""
        )
    con.execute("""INSERT INTO tally SELECT (SELECT max(seq) FROM batch), table_name, system, -count(*), 0, 0
        FROM quarantine SEMI JOIN settled USING (id) WHERE counted GROUP BY table_name, system""")
    con.execute("DELETE FROM quarantine WHERE id IN (SELECT id FROM settled)")


def count_again(con: duckdb.DuckDBPyConnection, header: BatchHeader) -> None:
    """Counts a batch that brought the very bytes of an earlier one: all of it duplicates, under the same systems."""
    con.execute(
        """INSERT INTO tally SELECT ?, table_name, system, sum(delivered), 0, sum(delivered) FROM tally
        WHERE seq = ? AND delivered > 0 GROUP BY table_name, system""",
        [header.seq, header.same_as],
    )


def holds_future(con: duckdb.DuckDBPyConnection, seq: int) -> bool:
    """Whether rows of a batch are held because they lay in the future when delivered."""
    return bool(con.execute("SELECT 1 FROM quarantine WHERE seq = ? AND state = 'future' LIMIT 1", [seq]).fetchall())


def parked_tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Tables with parked rows, in the order in which a folder is read (units before what is measured in them)."""
    from stocktwin.tables.schema import TABLES

    found = {
        name for (name,) in con.execute("SELECT DISTINCT table_name FROM quarantine WHERE state = 'parked'").fetchall()
    }
    return [name for name in TABLES if name in found]


def take_resolvable(con: duckdb.DuckDBPyConnection, form: Form) -> bool:
    """Moves the parked rows whose want is met into `retried`; False when there are none."""
    units = "SELECT item_id || chr(31) || unit FROM unit_factor"
    factors = ", num BIGINT, den BIGINT" if form.name == "units" else ""
    columns = ", ".join(f'"{column.name}" {SQL_TYPES[column.type]}' for column in form.table.columns)
    con.execute(f"""CREATE OR REPLACE TEMP TABLE retried (seq INTEGER, pos INTEGER, recorded BIGINT, whose VARCHAR,
        source INTEGER, _row BIGINT, _line BIGINT, {columns}, attributes VARCHAR{factors})""")
    con.execute(f"""INSERT INTO retried BY NAME SELECT p.* EXCLUDE (needs_kind, needs), b.record_time AS recorded,
        b.system AS whose FROM parked_{form.name} p JOIN (SELECT seq, record_time, system FROM batch) b USING (seq)
        WHERE CASE needs_kind WHEN 'item' THEN needs IN (SELECT item_id FROM item)
        WHEN 'place' THEN needs IN (SELECT place_id FROM place) OR contains(needs, '→')
        ELSE needs IN ({units}) END""")
    if not con.execute("SELECT 1 FROM retried LIMIT 1").fetchall():
        return False
    if form.name == "units":
        _reduce_factors(con)
    con.execute(f"DELETE FROM parked_{form.name} WHERE (seq, pos) IN (SELECT (seq, pos) FROM retried)")
    con.execute("DELETE FROM quarantine WHERE (seq, pos) IN (SELECT (seq, pos) FROM retried)")
    return True


def _reduce_factors(con: duckdb.DuckDBPyConnection) -> None:
    from stocktwin.domain.quantity import parse_factor

    for (text,) in con.execute("SELECT DISTINCT factor FROM retried").fetchall():
        factor = parse_factor(text)
        con.execute(
            "UPDATE retried SET num = ?, den = ? WHERE factor = ?", [factor.numerator, factor.denominator, text]
        )
