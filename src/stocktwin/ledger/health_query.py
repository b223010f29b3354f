"""How a ledger is doing: its laws one by one, and what lies in its journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stocktwin.domain.ports import Progress, silent
from stocktwin.ledger.healing import healing
from stocktwin.ledger.layout import FORMS

if TYPE_CHECKING:
    from stocktwin.ledger.invariants import LawResult
    from stocktwin.ledger.ledger import Ledger


@healing
def prove(ledger: Ledger, progress: Progress = silent) -> list[LawResult]:
    """Every law with its verdict, as `Ledger.verify`; `progress` hears of each law before it is looked at."""
    from stocktwin.ledger.invariants import LAWS, Case, judge

    with ledger._writing:
        case = Case(ledger.journal, ledger._projection)
        results = []
        for number, name in enumerate(LAWS):
            progress(number, len(LAWS), name)
            results.append(judge(name, case))
        progress(len(LAWS), len(LAWS), "done")
        return results


@healing
def contents(ledger: Ledger) -> list[dict[str, Any]]:
    """Batches and rows by source and table, with the first and last record time (µs); rules and decisions have no
    source."""
    rows = (
        ledger._projection.cursor()
        .execute("""SELECT nullif(source, ''), kind, nullif(table_name, ''), count(*),
        CAST(coalesce(sum(delivered), 0) AS BIGINT), min(record_time), max(record_time)
        FROM batch GROUP BY source, kind, table_name ORDER BY max(kind = 'facts') DESC, min(source), min(seq)""")
        .fetchall()
    )
    names = ("source", "kind", "table", "batches", "rows", "first", "last")
    return [dict(zip(names, row, strict=True)) for row in rows]


@healing
def held(ledger: Ledger) -> dict[str, int]:
    """How many facts of each exchange table are held; tables without any are left out."""
    con = ledger._projection.cursor()
    counts = {name: int(con.execute(f"SELECT count(*) FROM fact_{name}").fetchall()[0][0]) for name in FORMS}
    return {name: count for name, count in counts.items() if count}
