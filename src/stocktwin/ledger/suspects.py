"""Which staged keys may have been seen before: all others are certainly new and need no judging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.ledger.seen import PRINT

if TYPE_CHECKING:
    import duckdb
    import numpy.typing as npt

    from stocktwin.ledger.layout import Form
    from stocktwin.ledger.seen import KeyIndex, Seen

    Prints = npt.NDArray[np.uint64]

FEW_BATCHES: Final = 200
"""Up to so many batches are named one by one where facts are looked at; of more, the first and the last."""


def suspects(con: duckdb.DuckDBPyConnection, form: Form, seen: Seen) -> str | None:
    """Fills `suspect` with the staged keys that stand in several staged rows or, perhaps, in a fact. The SQL condition
    of the facts that may have them; None where there are no suspects and no faults either."""
    staged = con.sql(f"SELECT {PRINT} AS print, fault IS NOT NULL AS faulty FROM stage").to_arrow_table()
    prints = np.sort(staged.column("print").to_numpy())
    repeated = prints[1:][prints[1:] == prints[:-1]]
    index = seen.index(con, form.name, len(prints))
    if index is None:
        where = "true"
        known = f"UNION SELECT key FROM fact_{form.name} SEMI JOIN stage USING (key)"
    else:
        old, where = _looked_up(index, prints)
        repeated, known = np.concatenate([repeated, old]), ""
    con.register("suspect_print", pa.table({"print": np.unique(repeated)}))
    con.execute(f"""CREATE OR REPLACE TEMP TABLE suspect AS SELECT DISTINCT key FROM stage
        WHERE {PRINT} IN (SELECT print FROM suspect_print) {known}""")
    con.unregister("suspect_print")
    some = con.execute("SELECT 1 FROM suspect LIMIT 1").fetchall() or pc.any(staged.column("faulty")).as_py()
    return where if some else None


def _looked_up(index: KeyIndex, prints: Prints) -> tuple[Prints, str]:
    """Fingerprints that the index has, and the condition of the facts they may belong to."""
    from stocktwin.kernels.keyset import UNSURE

    found = index.find(prints)
    batches = np.unique(found[found > 0])
    if not len(batches):
        return prints[:0], "false"
    if batches[-1] == UNSURE:
        return prints[found > 0], "true"
    if len(batches) <= FEW_BATCHES:
        return prints[found > 0], f"seq IN ({', '.join(map(str, batches))})"
    return prints[found > 0], f"seq BETWEEN {batches[0]} AND {batches[-1]}"
