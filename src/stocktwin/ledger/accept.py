"""From staged rows to facts: which are new, which repeat, which contradict; then facts and the names they create."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stocktwin.domain.identity import TRANSIT_SEPARATOR
from stocktwin.ledger import booking
from stocktwin.ledger.layout import Form
from stocktwin.ledger.staging import stored_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import duckdb

SORTED_ROWS: Final = 200_000
"""From so many rows at once on facts are laid down by item: questions about a few items then skip most of them."""


def name_lanes(con: duckdb.DuckDBPyConnection, arrived: Iterable[tuple[str, Form, Collection[str]]]) -> None:
    """Makes the lane accounts that delivered rows speak of, as `A→B` or, movements, by their two ends, where both
    places are known and no lanes themselves. Coded by the batch that speaks of them first, whatever its table: it makes
    no difference how many batches are folded at once. Given are relations and their columns that are not wholly null.
    """
    spoken = [select for relation, form, filled in arrived for select in _spoken_sql(relation, form, filled)]
    if spoken:
        con.execute(_NEW_LANES.format(spoken=" UNION ALL ".join(spoken)))


def _spoken_sql(relation: str, form: Form, filled: Collection[str]) -> list[str]:
    """SELECTs of `seq, o, d`: the ends of lanes, and the first batch to speak of them."""
    named = [column for column, kind in form.references if kind == "place" and column in filled]
    spoken = [
        f"""SELECT min(seq) AS seq, split_part({column}, '{TRANSIT_SEPARATOR}', 1) AS o,
        split_part({column}, '{TRANSIT_SEPARATOR}', 2) AS d FROM {relation}
        WHERE contains({column}, '{TRANSIT_SEPARATOR}') AND split_part({column}, '{TRANSIT_SEPARATOR}', 3) = ''
        GROUP BY {column}"""
        for column in named
    ]
    if form.name == "movements" and len(named) == 2:
        spoken.append(f"""SELECT min(seq) AS seq, from_id AS o, to_id AS d FROM {relation}
            WHERE {booking.on_lane_sql()} GROUP BY from_id, to_id""")
    return spoken


def has_lanes(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether there are lane accounts."""
    return bool(con.execute("SELECT 1 FROM place WHERE origin IS NOT NULL LIMIT 1").fetchall())


_NEW_LANES = f"""INSERT INTO place
SELECT (SELECT max(code) FROM place) + row_number() OVER (ORDER BY first, o, d), lane_id, false, origin, destination
FROM (SELECT min(spoken.seq) AS first, o, d, o || '{TRANSIT_SEPARATOR}' || d AS lane_id, a.code AS origin,
        b.code AS destination
    FROM ({{spoken}}) spoken JOIN place a ON a.place_id = o JOIN place b ON b.place_id = d
    WHERE a.origin IS NULL AND b.origin IS NULL GROUP BY ALL)
WHERE lane_id NOT IN (SELECT place_id FROM place)"""


def accept_all(con: duckdb.DuckDBPyConnection) -> None:
    """Every staged row is accepted: the common case, which needs no judging."""
    con.execute("CREATE OR REPLACE TEMP VIEW accepted AS SELECT * FROM stage")
    con.execute("CREATE OR REPLACE TEMP VIEW verdict AS SELECT seq, system_name, 'accepted' AS verdict FROM stage")


def judge(con: duckdb.DuckDBPyConnection, form: Form, where: str) -> None:
    """Gives every staged row that is not simply accepted a verdict in `judged`: `duplicate`, `conflict` or `fault`.

    An event's key is taken once: the same content again is a duplicate, other content a conflict. Where versions are
    allowed, a key and content is taken once. The first in (batch, position) wins. Only keys in `suspect` can
    have been taken, by facts of which the condition `where` holds.
    """
    same = "key, digest" if form.table.versioned else "key"
    con.execute(f"""
CREATE OR REPLACE TEMP TABLE judged AS
WITH close AS (SELECT seq, pos, key, digest FROM stage SEMI JOIN suspect USING (key) WHERE fault IS NULL),
known AS (SELECT {same}, any_value(digest) AS content, true AS known
          FROM fact_{form.name} SEMI JOIN close USING ({same}) WHERE {where} GROUP BY {same}),
first AS (SELECT {same}, arg_min(digest, (seq, pos)) AS content, min((seq, pos)) AS earliest
          FROM close GROUP BY {same}),
verdicts AS (SELECT stage.seq, stage.pos, system_name, stage.key, stage.digest, fault,
                CASE WHEN fault IS NOT NULL THEN 'fault' WHEN earliest IS NULL THEN 'accepted'
                     WHEN known IS NULL AND (seq, pos) = earliest THEN 'accepted'
                     WHEN stage.digest = coalesce(known.content, first.content) THEN 'duplicate'
                     ELSE 'conflict' END AS verdict
             FROM stage LEFT JOIN first USING ({same}) LEFT JOIN known USING ({same}))
SELECT * FROM verdicts WHERE verdict <> 'accepted'""")
    con.execute("CREATE OR REPLACE TEMP VIEW accepted AS SELECT * FROM stage ANTI JOIN judged USING (seq, pos)")
    con.execute("""CREATE OR REPLACE TEMP VIEW verdict AS
        SELECT seq, system_name, 'accepted' AS verdict FROM accepted UNION ALL
        SELECT seq, system_name, verdict FROM judged""")


def book(con: duckdb.DuckDBPyConnection, form: Form, filled: Collection[str], retried_at: int | None = None) -> int:
    """Writes accepted rows as facts and counts, under their batches or, of rows that were counted before, under batch
    `retried_at`; the number accepted."""
    seq, delivered = ("seq", "count(*)") if retried_at is None else (str(retried_at), "0")
    tallied = con.execute(
        f"""INSERT INTO tally SELECT {seq} AS batch, '{form.name}', system_name, {delivered},
        count(*) FILTER (verdict = 'accepted'), count(*) FILTER (verdict = 'duplicate') FROM verdict
        GROUP BY batch, system_name RETURNING accepted"""
    ).fetchall()
    accepted = sum(int(count) for (count,) in tallied)
    if accepted:
        _make_names(con, form)
        con.execute(_insert_sql(form, filled, accepted))
        if form.name == "movements":
            _note_reporters(con)
        con.execute("UPDATE watermark SET state = xor(state, (SELECT bit_xor(digest) FROM accepted))")
    return accepted


def _note_reporters(con: duckdb.DuckDBPyConnection) -> None:
    """Which systems report which kinds, and since when that is known: authority where none is declared."""
    con.execute("""INSERT INTO reporter SELECT kind, system, min(known_at) FROM accepted
        WHERE (kind, system) NOT IN (SELECT (kind, system) FROM reporter) GROUP BY kind, system""")


def _make_names(con: duckdb.DuckDBPyConnection, form: Form) -> None:
    """Items, places and units that accepted rows bring into being, coded in order of delivery."""
    if form.name == "items":
        con.execute("""INSERT INTO item
            SELECT (SELECT coalesce(max(code), -1) FROM item) + row_number() OVER (ORDER BY earliest), item_id,
                unit, scale, CAST(pow(10, scale) AS BIGINT) FROM (
            SELECT item_id, min((seq, pos)) AS earliest, arg_min(coalesce(unit, 'each'), (seq, pos)) AS unit,
            arg_min(coalesce(scale, 0), (seq, pos)) AS scale FROM accepted
            WHERE item_id NOT IN (SELECT item_id FROM item) GROUP BY item_id)""")
    elif form.name == "locations":
        con.execute("""INSERT INTO place SELECT (SELECT max(code) FROM place) + row_number() OVER (ORDER BY earliest),
            location_id, false, NULL, NULL FROM (SELECT location_id, min((seq, pos)) AS earliest FROM accepted
            WHERE location_id NOT IN (SELECT place_id FROM place) GROUP BY location_id)""")
    elif form.name == "units":
        con.execute("INSERT INTO unit_factor SELECT item_id, unit, num, den FROM accepted")


def _insert_sql(form: Form, filled: Collection[str], rows: int) -> str:
    booked = ["out_place", "into_place", "site"] if form.name == "movements" else []
    names = [*booked, *(f'"{name}"' for name in stored_names(form, filled))]
    order = " ORDER BY item" if form.coded and rows >= SORTED_ROWS else ""
    return f"""INSERT INTO fact_{form.name} (key, digest, seq, pos, known_at, source, last_seq, last_pos,
        {", ".join(names)}) SELECT key, digest, seq, pos, known_at, source, seq, pos, {", ".join(names)}
        FROM accepted{order}"""


def touch(con: duckdb.DuckDBPyConnection, form: Form) -> None:
    """Master data said again is current again: the latest statement counts, also when it returns to an earlier one."""
    con.execute(f"""UPDATE fact_{form.name} AS f SET last_seq = said.seq, last_pos = said.pos FROM (
        SELECT key, digest, arg_max(seq, (seq, pos)) AS seq, arg_max(pos, (seq, pos)) AS pos FROM judged
        WHERE verdict = 'duplicate' GROUP BY key, digest) AS said
        WHERE f.key = said.key AND f.digest = said.digest AND (f.last_seq, f.last_pos) < (said.seq, said.pos)""")
