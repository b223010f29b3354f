"""Which staged keys may have been seen before: all others are certainly new and need no judging."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import duckdb
    import numpy.typing as npt

    from stocktwin.ledger.layout import Form

PRINT = "CAST(key & CAST(18446744073709551615 AS UHUGEINT) AS UBIGINT)"
"""SQL expression: the fingerprint of a key, its lower 64 bits."""


def suspects(con: duckdb.DuckDBPyConnection, form: Form) -> bool:
    """Fills `suspect` with the staged keys that stand in several staged rows or in a fact already. Whether there are
    any, or rows with faults."""
    staged = con.sql(f"SELECT {PRINT} AS print, fault IS NOT NULL AS faulty FROM stage").to_arrow_table()
    repeated = _repeated(np.sort(staged.column("print").to_numpy()))
    con.register("repeated_print", pa.table({"print": repeated}))
    con.execute(f"""CREATE OR REPLACE TEMP TABLE suspect AS
        SELECT DISTINCT key FROM stage WHERE {PRINT} IN (SELECT print FROM repeated_print)
        UNION SELECT key FROM fact_{form.name} SEMI JOIN stage USING (key)""")
    con.unregister("repeated_print")
    any_suspect = con.execute("SELECT 1 FROM suspect LIMIT 1").fetchall()
    return bool(any_suspect) or bool(pa.compute.any(staged.column("faulty")).as_py())


def _repeated(prints: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Values that stand more than once in a sorted array, each of them once.

    >>> _repeated(np.array([1, 2, 2, 2, 5, 5], np.uint64)).tolist()
    [2, 5]
    """
    return np.unique(prints[1:][prints[1:] == prints[:-1]])
