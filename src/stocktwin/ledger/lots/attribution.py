"""Which lots an issue that names none has drawn: derived from all facts of an item, never posted.

A movement that names its lot moves that lot. One that names none is *attributed*, in canonical order of the facts:

- it draws the lots that stand in the account it leaves (place, condition, owner) in the order of the rule: `fefo`, the
  earliest expiry first, then `fifo`, the lot that has stood there longest; stock without a lot comes last in `fefo` and
  in the place of its arrival in `fifo`;
- of a lot, only what later movements that name it leave over;
- what exceeds that waits for the next stock to arrive in the account, first come, first served; what arrives nowhere is
  booked without a lot, as it was told;
- goods keep their lot on the way, and a correction brings back the lots that the movement it corrects had drawn;
- at the end, a lot of which more was issued than ever came is taken out of the stock without a lot that is left there:
  it was in it (`identified`).

`as_told` leaves everything as it was told. Decision 0008 says why.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from stocktwin.ledger.lots.flow import Flow

Account = tuple[int, str, str | None]
"""Place, condition, owner."""
Lot = str | None
NEVER: Final = date.max
AS_TOLD, FEFO, FIFO = "as_told", "fefo", "fifo"
OPEN_END: Final = 2**62


class Piece(NamedTuple):
    """A part of a movement that is of one lot."""

    row: int
    lot: Lot
    """Lot that left."""
    to_lot: Lot
    """Lot that entered: another one where goods were repacked, or identified."""
    quantity: int
    inferred: bool
    """Whether the movement did not name it."""


@dataclass
class Shelf:
    """What stands in one account while the facts are gone through."""

    quantity: dict[Lot, int] = field(default_factory=dict)
    since: dict[Lot, int] = field(default_factory=dict)
    """Lot → running number of the arrival since which it has been there."""
    waiting: deque[list[int]] = field(default_factory=deque)
    """[row, quantity] of what could not be drawn yet."""
    reserved: dict[str, _Reserved] = field(default_factory=dict)

    def put(self, lot: Lot, quantity: int, arrival: int) -> None:
        """Stock arrives."""
        before = self.quantity.get(lot, 0)
        self.quantity[lot] = before + quantity
        if before <= 0:
            self.since[lot] = arrival

    def free(self, lot: Lot, row: int) -> int:
        """What may be drawn of a lot once the facts up to `row` have happened."""
        kept = self.reserved.get(lot) if lot is not None else None
        return self.quantity[lot] - (0 if kept is None else kept.needed(row))


class _Reserved:
    """What movements that name a lot will take out of an account beyond what such movements bring, from a row on."""

    def __init__(self, rows: list[int], deltas: list[int]) -> None:
        self._rows, self._need, self._at = rows, [0] * (len(rows) + 1), 0
        for k in range(len(rows) - 1, -1, -1):
            self._need[k] = max(0, self._need[k + 1] - deltas[k])

    def needed(self, row: int) -> int:
        """The largest net outflow of any stretch of facts that begins behind `row`; rows must not fall."""
        while self._at < len(self._rows) and self._rows[self._at] <= row:
            self._at += 1
        return self._need[self._at]


class Attribution:
    """One pass over the facts of an item. `attribute` is the way in."""

    def __init__(
        self, flow: Flow, pooled: frozenset[int], expiry: Mapping[str, date], rule: Callable[[int], str]
    ) -> None:
        self.flow, self.pooled, self.expiry, self.rule = flow, pooled, expiry, rule
        self.pieces: list[Piece] = []
        self.shelves: dict[Account, Shelf] = defaultdict(Shelf)
        self.of_row: dict[int, list[int]] = defaultdict(list)
        """Row → its pieces, for rows that something corrects."""
        self.taken_back: dict[int, int] = defaultdict(int)
        self._corrected = {row for row in flow.corrected if row >= 0}
        self._arrivals = 0
        self._now = -1
        self._stirred: deque[Account] = deque()
        self._reserve()

    def source(self, row: int) -> Account:
        """The account that a movement leaves."""
        return self.flow.left[row], self.flow.condition[row], self.flow.owner[row]

    def target(self, row: int) -> Account:
        """The account that it enters."""
        return self.flow.into[row], self.flow.to_condition[row], self.flow.to_owner[row]

    def _reserve(self) -> None:
        """Notes, for each account, what movements that name a lot bring and take of it."""
        told: dict[tuple[Account, str], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        flow = self.flow
        if all(lot is not None for lot in flow.lot):
            return
        for row in range(len(flow)):
            lot, to_lot = flow.lot[row], flow.to_lot[row]
            for account, of, sign in ((self.source(row), lot, -1), (self.target(row), to_lot, 1)):
                if of is not None and (lot is not None or sign > 0) and account[0] in self.pooled:
                    rows, deltas = told[account, of]
                    rows.append(row)
                    deltas.append(sign * flow.quantity[row])
        for (account, of), (rows, deltas) in told.items():
            self.shelves[account].reserved[of] = _Reserved(rows, deltas)

    # ---- the pass

    def run(self) -> list[Piece]:
        """Goes through the facts; the pieces in the order in which goods moved."""
        for row in range(len(self.flow)):
            self._now = row
            self._move(row)
            self._serve()
        self._give_up()
        self._identify()
        return self.pieces

    def _move(self, row: int) -> None:
        flow = self.flow
        quantity = flow.quantity[row]
        if flow.lot[row] is not None:
            self._emit(row, flow.lot[row], quantity, inferred=False)
            return
        if flow.corrected[row] >= 0:
            quantity -= self._bring_back(row, flow.corrected[row], quantity)
        if quantity > 0:
            self._draw(row, quantity)

    def _bring_back(self, row: int, corrected: int, quantity: int) -> int:
        """Gives a correction the lots of what it corrects; how much it could."""
        if self.source(row) != self.target(corrected):
            return 0
        done, shelf = 0, self.shelves[self.source(row)]
        skip = self.taken_back[corrected]
        for at in list(self.of_row[corrected]):
            piece = self.pieces[at]
            part = min(quantity - done, max(0, piece.quantity - skip))
            skip = max(0, skip - piece.quantity)
            if piece.to_lot is not None and self.flow.left[row] in self.pooled:
                part = min(part, max(0, shelf.quantity.get(piece.to_lot, 0)))
            if part > 0 and piece.to_lot is not None:
                self._emit(row, piece.to_lot, part, inferred=True)
                done += part
        self.taken_back[corrected] += done
        return done

    def _draw(self, row: int, quantity: int) -> None:
        """Takes what stands in the account, in order; the rest waits."""
        account = self.source(row)
        rule = self.rule(account[0])
        if account[0] not in self.pooled or rule == AS_TOLD:
            self._emit(row, None, quantity, inferred=False)
            return
        shelf = self.shelves[account]
        for lot in self._order(shelf, rule):
            part = min(quantity, shelf.free(lot, self._now))
            if part > 0:
                self._emit(row, lot, part, inferred=lot is not None)
                quantity -= part
            if not quantity:
                return
        shelf.waiting.append([row, quantity])

    def _order(self, shelf: Shelf, rule: str) -> list[Lot]:
        standing = [lot for lot, quantity in shelf.quantity.items() if quantity > 0]
        if len(standing) < 2:
            return standing
        if rule == FIFO:
            return sorted(standing, key=lambda lot: (shelf.since[lot], lot or ""))
        return sorted(
            standing,
            key=lambda lot: (lot is None, self.expiry.get(lot or "", NEVER), shelf.since[lot], lot or ""),
        )

    def _emit(self, row: int, lot: Lot, quantity: int, *, inferred: bool) -> None:
        """A part of a movement happens: it leaves one account and enters the other."""
        told = self.flow.to_lot[row]
        to_lot = lot if told is None else told
        if row in self._corrected:
            self.of_row[row].append(len(self.pieces))
        self.pieces.append(Piece(row, lot, to_lot, quantity, inferred))
        out, into = self.source(row), self.target(row)
        if out[0] in self.pooled:
            shelf = self.shelves[out]
            shelf.quantity[lot] = shelf.quantity.get(lot, 0) - quantity
        if into[0] in self.pooled:
            self._arrivals += 1
            self.shelves[into].put(to_lot, quantity, self._arrivals)
            if self.shelves[into].waiting:
                self._stirred.append(into)

    def _serve(self) -> None:
        """What waits draws from what has arrived, until nothing stirs."""
        while self._stirred:
            shelf = self.shelves[self._stirred.popleft()]
            for _ in range(len(shelf.waiting)):
                row, quantity = shelf.waiting[0]
                served = self._serve_one(shelf, row, quantity)
                if served < quantity:
                    shelf.waiting[0][1] -= served
                    break
                shelf.waiting.popleft()

    def _serve_one(self, shelf: Shelf, row: int, quantity: int) -> int:
        left = quantity
        for lot in self._order(shelf, self.rule(self.flow.left[row])):
            part = min(left, shelf.free(lot, self._now))
            if part > 0:
                left -= part
                self._emit(row, lot, part, inferred=lot is not None)
            if not left:
                break
        return quantity - left

    # ---- the end

    def _give_up(self) -> None:
        """What still waits has drawn what nobody told of: it leaves without a lot. What that brings elsewhere may
        serve others."""
        self._now = OPEN_END
        shelves = [shelf for shelf in self.shelves.values() if shelf.waiting]
        first = [(shelf.waiting[0][0], number) for number, shelf in enumerate(shelves)]
        heapify(first)
        while first:
            row, number = heappop(first)
            waiting = shelves[number].waiting
            if waiting and waiting[0][0] == row:
                self._emit(row, None, waiting.popleft()[1], inferred=False)
                self._serve()
            if waiting:
                heappush(first, (waiting[0][0], number))

    def _identify(self) -> None:
        """Lots of which more left than came are taken out of the stock without a lot that is left."""
        owing: dict[tuple[Account, Lot], int] = {}
        for account, shelf in self.shelves.items():
            spare = shelf.quantity.get(None, 0)
            for lot in sorted(lot for lot, quantity in shelf.quantity.items() if lot is not None and quantity < 0):
                part = min(spare, -shelf.quantity[lot])
                if part > 0 and self.rule(account[0]) != AS_TOLD:
                    owing[account, lot] = part
                    spare -= part
        for at in range(len(self.pieces) - 1, -1, -1) if owing else ():
            piece = self.pieces[at]
            key = (self.source(piece.row), piece.lot)
            part = min(owing.get(key, 0), piece.quantity)
            if part > 0:
                owing[key] -= part
                self.pieces[at] = piece._replace(lot=None, quantity=part, inferred=True)
                if part < piece.quantity:
                    self.pieces.append(piece._replace(quantity=piece.quantity - part))


def attribute(
    flow: Flow, pooled: frozenset[int], expiry: Mapping[str, date], rule: Callable[[int], str]
) -> list[Piece]:
    """The pieces of all movements of an item; those of a movement add up to its quantity.

    `pooled`: places whose stock can be drawn; `expiry`: lot → its date; `rule`: place → one of
    `domain.rules.ISSUE_RULES`.
    """
    if all(lot is None for lot in flow.lot) and all(lot is None for lot in flow.to_lot):
        return [Piece(row, None, None, quantity, False) for row, quantity in enumerate(flow.quantity)]
    return Attribution(flow, pooled, expiry, rule).run()
