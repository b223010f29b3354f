"""From staged rows to facts: which are new, which repeat, which contradict; then facts and the names they create."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stocktwin.domain.identity import TRANSIT_SEPARATOR
from stocktwin.ledger import booking
from stocktwin.ledger.layout import Form

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.journal.protocol import BatchHeader


def name_lanes(con: duckdb.DuckDBPyConnection, relation: str) -> None:
    """Makes lane accounts for ends written as `A→B` whose two places are known, so that they resolve."""
    ends = " UNION ".join(
        f"SELECT {side} AS id FROM {relation} WHERE contains({side}, '{TRANSIT_SEPARATOR}')"
        for side in ("from_id", "to_id")
    )
    found = con.execute(f"SELECT id FROM ({ends}) WHERE id NOT IN (SELECT place_id FROM place) ORDER BY id").fetchall()
    pairs = [id.split(TRANSIT_SEPARATOR) for (id,) in found if id.count(TRANSIT_SEPARATOR) == 1]
    for origin, destination in pairs:
        con.execute(_INSERT_LANES.format(pairs=_PAIR), [origin, destination])


_PAIR = """SELECT a.code AS origin, b.code AS destination, a.place_id AS o, b.place_id AS d
FROM place a, place b WHERE a.place_id = ? AND b.place_id = ? AND a.origin IS NULL AND b.origin IS NULL"""
_INSERT_LANES = (
    """INSERT INTO place SELECT (SELECT max(code) FROM place) + row_number() OVER (ORDER BY o, d),
o || '"""
    + TRANSIT_SEPARATOR
    + """' || d, false, origin, destination FROM ({pairs})"""
)


def all_new(con: duckdb.DuckDBPyConnection, form: Form) -> bool:
    """Whether every staged row is sound and has a key that was never seen: the common case, which needs no judging."""
    faulty, rows, keys = con.execute("SELECT count(fault), count(*), count(DISTINCT key) FROM stage").fetchall()[0]
    if faulty or keys < rows:
        return False
    seen = con.execute(f"SELECT 1 FROM fact_{form.name} SEMI JOIN stage USING (key) LIMIT 1").fetchall()
    if seen:
        return False
    con.execute("CREATE OR REPLACE TEMP VIEW accepted AS SELECT * FROM stage")
    con.execute("CREATE OR REPLACE TEMP VIEW verdict AS SELECT *, 'accepted' AS verdict FROM stage")
    return True


def judge(con: duckdb.DuckDBPyConnection, form: Form) -> None:
    """Gives every staged row a verdict: `accepted`, `duplicate`, `conflict` or `fault`.

    An event's key is taken once: the same content again is a duplicate, other content a conflict. Where versions are
    allowed, a key and content is taken once. The first in (batch, position) wins.
    """
    same = "key, digest" if form.table.versioned else "key"
    con.execute(f"""
CREATE OR REPLACE TEMP TABLE judged AS
WITH sound AS (SELECT seq, pos, key, digest FROM stage WHERE fault IS NULL),
known AS (SELECT {same}, any_value(digest) AS content, true AS known
          FROM fact_{form.name} SEMI JOIN sound USING ({same}) GROUP BY {same}),
first AS (SELECT {same}, arg_min(digest, (seq, pos)) AS content, min((seq, pos)) AS earliest FROM sound GROUP BY {same})
SELECT stage.*, CASE WHEN fault IS NOT NULL THEN 'fault'
                     WHEN known IS NULL AND (seq, pos) = first.earliest THEN 'accepted'
                     WHEN stage.digest = coalesce(known.content, first.content) THEN 'duplicate'
                     ELSE 'conflict' END AS verdict
FROM stage LEFT JOIN first USING ({same}) LEFT JOIN known USING ({same})""")
    con.execute("CREATE OR REPLACE TEMP VIEW accepted AS SELECT * FROM judged WHERE verdict = 'accepted'")
    con.execute("CREATE OR REPLACE TEMP VIEW verdict AS SELECT * FROM judged")


def book(con: duckdb.DuckDBPyConnection, form: Form, relation: str, header: BatchHeader) -> int:
    """Writes accepted rows as facts known since the batch's record time, and counts; the number accepted."""
    retried = relation == "retried"
    tallied = con.execute(
        f"""INSERT INTO tally SELECT {header.seq}, '{form.name}', system_name, {"0" if retried else "count(*)"},
        count(*) FILTER (verdict = 'accepted'), count(*) FILTER (verdict = 'duplicate') FROM verdict
        GROUP BY system_name RETURNING accepted"""
    ).fetchall()
    accepted = sum(int(count) for (count,) in tallied)
    if accepted:
        _make_names(con, form, relation)
        con.execute(_insert_sql(form, relation, header.record_time))
        if form.name == "movements":
            _note_reporters(con, header.record_time)
        con.execute("UPDATE watermark SET state = xor(state, (SELECT bit_xor(digest) FROM accepted))")
    if form.table.versioned and not form.clocked:
        _touch(con, form)
    return accepted


def _note_reporters(con: duckdb.DuckDBPyConnection, known_at: int) -> None:
    """Which systems report which kinds, and since when that is known: authority where none is declared."""
    con.execute(f"""INSERT INTO reporter SELECT DISTINCT kind, system_code, CAST({known_at} AS BIGINT) FROM accepted
        WHERE (CAST(kind AS movement_kind), system_code) NOT IN (SELECT (kind, system) FROM reporter)""")


def _make_names(con: duckdb.DuckDBPyConnection, form: Form, relation: str) -> None:
    """Items, places, units and lanes that accepted rows bring into being, coded in order of delivery."""
    rows = f"accepted JOIN {relation} i USING (seq, pos)"
    if form.name == "items":
        con.execute(f"""INSERT INTO item
            SELECT (SELECT coalesce(max(code), -1) FROM item) + row_number() OVER (ORDER BY earliest), item_id,
                unit, scale, CAST(pow(10, scale) AS BIGINT) FROM (
            SELECT i.item_id, min((seq, pos)) AS earliest, arg_min(coalesce(i.unit, 'each'), (seq, pos)) AS unit,
            arg_min(coalesce(i.scale, 0), (seq, pos)) AS scale FROM {rows}
            WHERE i.item_id NOT IN (SELECT item_id FROM item) GROUP BY i.item_id)""")
    elif form.name == "locations":
        con.execute(f"""INSERT INTO place SELECT (SELECT max(code) FROM place) + row_number() OVER (ORDER BY earliest),
            location_id, false, NULL, NULL FROM (SELECT i.location_id, min((seq, pos)) AS earliest FROM {rows}
            WHERE i.location_id NOT IN (SELECT place_id FROM place) GROUP BY i.location_id)""")
    elif form.name == "units":
        con.execute(f"INSERT INTO unit_factor SELECT i.item_id, i.unit, accepted.num, accepted.den FROM {rows}")
    elif form.name == "movements":
        pairs = f"""SELECT a.code AS origin, b.code AS destination, a.place_id AS o, b.place_id AS d FROM (
            SELECT DISTINCT from_place, to_place FROM accepted WHERE kind IN ({booking.lane_kinds_sql()}))
            JOIN place a ON a.code = from_place JOIN place b ON b.code = to_place
            LEFT JOIN place lane ON lane.origin = a.code AND lane.destination = b.code
            WHERE lane.code IS NULL AND a.origin IS NULL AND b.origin IS NULL"""
        con.execute(_INSERT_LANES.format(pairs=pairs))


def _insert_sql(form: Form, relation: str, known_at: int) -> str:
    meta = "accepted.key, accepted.digest, seq, pos, CAST(? AS BIGINT), accepted.source, seq, pos".replace(
        "?", str(known_at)
    )
    columns = [_stored_sql(form, column.name) for column in form.table.columns]
    joins = f"accepted JOIN {relation} i USING (seq, pos)"
    booked = ""
    if form.name == "movements":
        joins = f"""(SELECT accepted.*, {booking.out_sql()} AS out_place, {booking.into_sql()} AS into_place,
            {booking.site_sql()} AS site FROM accepted
            LEFT JOIN place lane ON lane.origin = from_place AND lane.destination = to_place) AS accepted
            JOIN {relation} i USING (seq, pos)"""
        booked = "accepted.out_place, accepted.into_place, accepted.site, "
    return f"INSERT INTO fact_{form.name} SELECT {meta}, {booked}{', '.join(columns)}, i.attributes FROM {joins}"


def _stored_sql(form: Form, name: str) -> str:
    column = form.table.column(name)
    assert column is not None
    stored, _ = form.stored(column)
    if form.coded and name == "system":
        return "accepted.system_code"
    if stored != name:
        return f"accepted.{stored}"
    return f"accepted.atomic_{name}" if name in form.quantities else f'i."{name}"'


def _touch(con: duckdb.DuckDBPyConnection, form: Form) -> None:
    """Master data said again is current again: the latest statement counts, also when it returns to an earlier one."""
    con.execute(f"""UPDATE fact_{form.name} AS f SET last_seq = said.seq, last_pos = said.pos FROM (
        SELECT key, digest, arg_max(seq, (seq, pos)) AS seq, arg_max(pos, (seq, pos)) AS pos FROM verdict
        WHERE verdict = 'duplicate' GROUP BY key, digest) AS said
        WHERE f.key = said.key AND f.digest = said.digest AND (f.last_seq, f.last_pos) < (said.seq, said.pos)""")
