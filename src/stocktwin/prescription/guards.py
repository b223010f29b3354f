"""What may not be proposed: reversals of recent transfers, what was decided lately, what awaits approved goods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from stocktwin.domain.identity import TRANSIT_SEPARATOR
from stocktwin.prescription.governance import Commitment
from stocktwin.prescription.outlook import Ints
from stocktwin.prescription.recommendation import SAFETY_STOCK, TRANSFER, Subject
from stocktwin.prescription.situation import Candidate

if TYPE_CHECKING:
    from stocktwin.tables.snapshot import Snapshot

Way = tuple[int, int, int]
"""(item, origin, destination) codes."""


@dataclass(frozen=True)
class Guards:
    """What the generators and the choice must respect."""

    forbidden: frozenset[Way]
    """Transfers that would send back what came lately, or is on its way."""
    promised: Ints
    """Per row: what approved transfers will still take from it, atomic units."""
    decided: frozenset[Subject]
    """Subjects decided within the quiet days."""
    waiting: frozenset[int]
    """Rows where an approved transfer or order is still to arrive."""

    def allow(self, candidate: Candidate) -> bool:
        """Whether a candidate may be proposed."""
        return candidate.subject not in self.decided and candidate.row not in self.waiting


def guards(snapshot: Snapshot, recent_transfers: pa.Table | None, commitments: Iterable[Commitment]) -> Guards:
    """Guards from the transfers of the last 30 days (`item_id, from_id, to_id`), open transfer orders and decisions.

    An approved transfer that has since moved (it is among the recent ones, or on order) no longer counts as promised:
    the stock it took has left the donor, or is kept aside for the order.
    """
    moved = {*_moved(snapshot, recent_transfers), *_on_order(snapshot)}
    promised = np.zeros(len(snapshot), np.int64)
    decided: set[Subject] = set()
    waiting: set[int] = set()
    for one in commitments:
        decided.add(one.subject)
        if not one.approved or one.subject.kind == SAFETY_STOCK:
            continue
        if one.subject.kind == TRANSFER:
            if _way(snapshot, one.subject.item_id, one.subject.from_id, one.subject.to_id) in moved:
                continue
            donor = snapshot.row(one.subject.item_id, one.subject.from_id or "")
            if donor >= 0:
                promised[donor] += one.quantity
        waiting.add(snapshot.row(one.subject.item_id, one.subject.location_id))
    reversed_ways = frozenset((item, destination, origin) for item, origin, destination in moved)
    return Guards(reversed_ways, promised, frozenset(decided), frozenset(waiting - {-1}))


def _moved(snapshot: Snapshot, recent: pa.Table | None) -> set[Way]:
    """Ways of recent transfers; an end may be a lane's account (`A→B`)."""
    found: set[Way] = set()
    for line in recent.select(["item_id", "from_id", "to_id"]).to_pylist() if recent is not None else ():
        origin = (line["from_id"] or "").split(TRANSIT_SEPARATOR)[0]
        destination = (line["to_id"] or "").split(TRANSIT_SEPARATOR)[-1]
        found.add(_way(snapshot, line["item_id"], origin, destination))
    return {way for way in found if min(way) >= 0 and way[1] != way[2]}


def _on_order(snapshot: Snapshot) -> set[Way]:
    """Ways of open orders between our own places."""
    orders = snapshot.open_orders.select(["item", "from_id", "to_id"])
    code = snapshot.location_codes.code
    ways = {(line["item"], code(line["from_id"]), code(line["to_id"])) for line in orders.to_pylist()}
    return {way for way in ways if min(way) >= 0}


def _way(snapshot: Snapshot, item_id: str, from_id: str | None, to_id: str | None) -> Way:
    code = snapshot.location_codes.code
    return snapshot.item_codes.code(item_id), code(from_id), code(to_id)
