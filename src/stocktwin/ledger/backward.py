"""Accounts of a past moment from the live state: what came after it is taken back.

That is cheaper than adding up from nothing where less than half came after. Facts that do more than add are told apart
as in `live`: the items of shipments after the moment that route receipts before it are added up anew. Where accounts
open with levels, or other rules held, it is left to the fold from nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from stocktwin.ledger import dense
from stocktwin.ledger.books import ROUTABLE, View, member_sql

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.accounts import Accounts, Codes
    from stocktwin.ledger.live import Live

HALF: Final = 0.5
FEW: Final = 0.05
"""Share of the items up to which adding some up anew is cheap."""


def as_of(con: duckdb.DuckDBPyConnection, live: Live, view: View) -> Accounts | None:
    """The accounts of a past view; None where adding up from nothing is right, or cheaper. `live` stands."""
    if view.openings or replace(view, at=None, known_at=None, rules=live.view.rules) != live.view:
        return None
    later = _later(view)
    after, all_of = con.execute(f"SELECT count(*) FILTER ({later}), count(*) FROM fact_movements").fetchall()[0]
    items = _rerouted(con, live.view, later) if after <= HALF * all_of else None
    if items is None or len(items) > FEW * len(live.accounts.columns.start):
        return None
    accounts = live.accounts.copy()
    for side in dense.legs(accounts, con, live.view, member_sql(live.view), wheres=later):
        side.take_back(accounts)
    if len(items):
        accounts.clear(items)
        dense.fold_into(accounts, con, replace(view, items=tuple(items.tolist())))
    return accounts


def _later(view: View) -> str:
    """SQL condition: what the view does not see."""
    bounds = (("event_time", view.at), ("known_at", view.known_at))
    return "(" + " OR ".join(f"{name} > {bound}" for name, bound in bounds if bound is not None) + ")"


def _rerouted(con: duckdb.DuckDBPyConnection, view: View, later: str) -> Codes:
    """Items of receipts that the view sees, of shipments that it does not."""
    if not view.routed:
        return np.zeros(0, np.int32)
    members, key = f"({member_sql(view)})", "shipment_id, item, to_place"
    found = con.execute(f"""SELECT DISTINCT item FROM (SELECT {key} FROM {members} WHERE {ROUTABLE} AND NOT {later})
        SEMI JOIN (SELECT {key} FROM {members} WHERE kind = 'shipment' AND shipment_id IS NOT NULL AND {later})
        USING ({key}) ORDER BY item""").fetchall()
    return np.array([item for (item,) in found], np.int32)
