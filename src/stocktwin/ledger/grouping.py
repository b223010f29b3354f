"""Group commit: what several callers deliver at once shares one durable commit and one transaction of the fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stocktwin.ledger.following import writing
from stocktwin.ledger.healing import healing
from stocktwin.ledger.journal.blob import split

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import AppendResult, Ledger
    from stocktwin.tables.batch import Delivery

Counts = dict[int, tuple[int, int, int]]


def append_each(ledger: Ledger, requests: Sequence[Sequence[Delivery]]) -> list[AppendResult]:
    """Journals the deliveries of several callers, all of them or none, then folds them in; the receipt of each caller.

    A receipt's `head` is the caller's own last batch. UsageError names a table that does not exist.
    """
    from stocktwin.ledger.ledger import AppendResult, _canonical

    pieces = [[piece for delivery in request for piece in split(_canonical(delivery))] for request in requests]
    with writing(ledger):
        last = journal_head(ledger)
        if any(pieces):
            ledger._append_group([piece for request in pieces for piece in request])
        counts, recorded = _tallied(ledger, last)
        receipts = []
        for request in pieces:
            own = [counts.get(seq, (0, 0, 0)) for seq in range(last + 1, last + 1 + len(request))]
            delivered, accepted, duplicates = (sum(one[at] for one in own) for at in range(3))
            last += len(request)
            held = delivered - accepted - duplicates
            receipts.append(AppendResult(delivered, accepted, duplicates, held, last, recorded))
        return receipts


def journal_head(ledger: Ledger) -> int:
    """Number of the last batch of the journal; 0 when it is empty. What was folded in may end before it."""
    head = ledger.journal.head()
    return head.seq if head else 0


@healing
def _tallied(ledger: Ledger, after: int) -> tuple[Counts, int]:
    """Batch → delivered, accepted, duplicates of the batches after one; and the record time of the last of them."""
    con = ledger._projection.cursor()
    rows = con.execute(f"""SELECT seq, sum(delivered), sum(accepted), sum(duplicates) FROM tally WHERE seq > {after}
        GROUP BY seq""").fetchall()
    ((recorded,),) = con.execute("SELECT coalesce(max(record_time), 0) FROM batch").fetchall()
    return {int(seq): (int(a), int(b), int(c)) for seq, a, b, c in rows}, int(recorded)
