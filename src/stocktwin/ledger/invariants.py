"""The ledger's laws, each a small function that says whether it holds and by what it knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from stocktwin.domain.calendar import format_instant
from stocktwin.domain.errors import JournalDamaged
from stocktwin.ledger import balances as balance_query
from stocktwin.ledger import replay
from stocktwin.ledger.balances import movements, summed
from stocktwin.ledger.books import legs_sql, make_view
from stocktwin.ledger.currents import exchange_sql
from stocktwin.ledger.dense import codes
from stocktwin.ledger.digest import content_digest, hex_hash
from stocktwin.ledger.journal.protocol import GENESIS, Journal, chain_hash, digest
from stocktwin.ledger.layout import FORMS, Form
from stocktwin.ledger.status_query import counts

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.projection import Projection

SAMPLE: Final = 2_000
"""Facts per table whose digest is computed again in plain Python."""


@dataclass(frozen=True)
class LawResult:
    """Verdict on one law."""

    law: str
    ok: bool
    detail: str


class Case:
    """What the laws look at: the journal and the live projection."""

    def __init__(self, journal: Journal, projection: Projection) -> None:
        self.journal = journal
        self.projection = projection
        self.con = projection.cursor()

    @property
    def state(self) -> int:
        """The live state hash."""
        return self.projection.watermark()[3]

    @cached_property
    def replayed(self) -> replay.Replayed:
        """The journal folded from nothing."""
        return replay.replay(self.journal, self.con)


Verdict = tuple[bool, str]


def verify(journal: Journal, projection: Projection) -> list[LawResult]:
    """Every law with its verdict. A journal too damaged to read breaks the laws that need it, and is named."""
    case = Case(journal, projection)
    return [judge(name, case) for name in LAWS]


def judge(name: str, case: Case) -> LawResult:
    """The verdict on the law of a name."""
    try:
        return LawResult(name, *LAWS[name](case))
    except JournalDamaged as error:
        return LawResult(name, False, str(error))


def law_conservation(case: Case) -> Verdict:
    """Every movement leaves one account and enters another: per item all accounts add up to zero, in every book."""
    residual = conservation_residual(case.con)
    return residual == 0, f"largest residual of any item in the record and every book: {residual}"


def conservation_residual(con: duckdb.DuckDBPyConnection) -> int:
    """The largest |sum over all accounts| of an item, over the record and every system's book, from named accounts."""
    systems = [code for (code,) in con.execute("SELECT DISTINCT system FROM reporter").fetchall()]
    record = make_view(con)
    books = [record] if record.authority is not None and record.authority.everything and len(systems) == 1 else [
        record, *(make_view(con, system=code) for code in systems)]  # fmt: skip
    return max(int(con.execute(_residual_sql(legs_sql(view))).fetchall()[0][0]) for view in books)


def residual_at_a_glance(con: duckdb.DuckDBPyConnection) -> int:
    """The same where there are many movements, without adding them up: each has two postings of one size, so an item
    can only leak where one of them names no account. `verify` adds up."""
    if movements(con) < balance_query.MANY_MOVEMENTS or not all(_gapless(con, kind) for kind in ("item", "place")):
        return conservation_residual(con)
    items, places = codes(con, "item"), codes(con, "place")
    ends = " OR ".join(f"{end} IS NULL OR {end} < 0 OR {end} >= {places}" for end in ("out_place", "into_place"))
    lost = f"SELECT 1 FROM fact_movements WHERE item < 0 OR item >= {items} OR {ends} LIMIT 1"
    return conservation_residual(con) if con.execute(lost).fetchall() else 0


def _gapless(con: duckdb.DuckDBPyConnection, kind: str) -> bool:
    """Whether the codes of items or places are 0, 1, 2 …, each once."""
    told = con.execute(f"SELECT count(*), count(DISTINCT code), min(code), max(code) + 1 FROM {kind}").fetchall()[0]
    return bool(told[0] == 0 or (told[0] == told[1] == told[3] and told[2] == 0))


def _residual_sql(legs: str) -> str:
    return f"""WITH {legs} SELECT coalesce(max(abs(total)), 0) FROM (
        SELECT sum(quantity) AS total FROM leg JOIN item ON item.code = leg.item JOIN place ON place.code = leg.place
        GROUP BY item.item_id)"""


def law_idempotence(case: Case) -> Verdict:
    """A key has its effect once, however often it is delivered."""
    twice = [name for name, form in FORMS.items() if _keys_twice(case.con, form)]
    rows, accepted = case.replayed.repeated
    same = case.replayed.repeated_state == case.replayed.state
    detail = f"{rows} rows delivered again: {accepted} accepted" + (
        f"; keys twice in {', '.join(twice)}" if twice else ""
    )
    return not twice and not accepted and same, detail


def _keys_twice(con: duckdb.DuckDBPyConnection, form: Form) -> bool:
    same = "key, digest" if form.table.versioned else "key"
    sql = f"SELECT 1 FROM fact_{form.name} GROUP BY {same} HAVING count(*) > 1 LIMIT 1"
    return bool(con.execute(sql).fetchall())


def law_order_independence(case: Case) -> Verdict:
    """Any order of the batches gives the same balances and the same state hash."""
    state, accounts = replay.permuted(case.journal, case.con)
    same = replay.everything(case.con).equals(accounts)
    detail = f"permuted {hex_hash(state)}, live {hex_hash(case.state)}; balances {'equal' if same else 'differ'}"
    return same and state == case.state, detail


def law_replay(case: Case) -> Verdict:
    """The live projection is what folding the journal from nothing gives, in every row of every table."""
    live = replay.fingerprints(case.con)
    differing = sorted(name for name in live if live[name] != case.replayed.tables.get(name))
    rows = sum(count for count, _ in live.values())
    detail = f"{rows} rows in {len(live)} tables" + (f"; different: {', '.join(differing)}" if differing else " equal")
    return not differing and case.replayed.state == case.state, detail


def law_two_clocks(case: Case) -> Verdict:
    """What was known at D is what a twin stopped at D would have said."""
    instants = case.replayed.instants
    wrong = [format_instant(known_at) for known_at, same in instants if not same]
    return not wrong, f"{len(instants)} record times compared" + (f"; different at {', '.join(wrong)}" if wrong else "")


def law_exactly_once(case: Case) -> Verdict:
    """Batches are numbered without a gap, cursors are those of their batches, and all of them are folded in."""
    expected, last = {}, 0
    for batch in case.journal.batches():
        if batch.seq != last + 1:
            return False, f"batch {batch.seq} follows batch {last}"
        last = batch.seq
        if batch.header.cursor:
            expected[batch.header.source, batch.header.file] = batch.header.cursor
    if expected != case.journal.cursors():
        return False, "a cursor is not the one of its last batch"
    folded = case.con.execute("SELECT count(*), coalesce(max(seq), 0) FROM batch").fetchall()[0]
    return folded == (last, last), f"{last} batches, {len(expected)} cursors; {folded[0]} folded"


def law_nothing_lost(case: Case) -> Verdict:
    """Accepted + duplicates + quarantined = delivered, per system and in all, against the journal's own counts."""
    told = sum(batch.header.delivered for batch in case.journal.batches())
    counted, accepted = case.con.execute("""SELECT coalesce(sum(delivered) FILTER (delivered > 0), 0),
        coalesce(sum(accepted), 0) FROM tally""").fetchall()[0]
    kept = sum(case.con.execute(f"SELECT count(*) FROM fact_{name}").fetchall()[0][0] for name in FORMS)
    off = [
        s["system"] for s in counts(case.con) if s["delivered"] != s["accepted"] + s["duplicates"] + s["quarantined"]
    ]
    detail = f"{told} rows delivered, {counted} counted; {accepted} accepted, {kept} kept"
    return told == counted and accepted == kept and not off, detail + (
        f"; does not add up: {', '.join(off)}" if off else ""
    )


def law_chain(case: Case) -> Verdict:
    """Every batch is sealed by the hash of the one before and by the digest of its blob."""
    previous, number = GENESIS, 0
    for batch in case.journal.batches():
        number += 1
        if batch.prev_hash != previous or batch.hash != chain_hash(previous, batch.text):
            return False, f"batch {batch.seq} does not continue the chain"
        if not batch.header.same_as:
            data = case.journal.blob(batch.seq)
            if data is None or digest(data) != batch.header.blob:
                return (
                    False,
                    f"batch {batch.seq}: its blob is {'missing' if data is None else 'not the one it was sealed with'}",
                )
        previous = batch.hash
    damage = case.journal.damage()
    if damage:
        return False, f"the journal's file is damaged: {damage}"
    mark = case.projection.watermark()
    return mark[1] == previous, f"{number} batches, head {previous[:16]}"


def law_state_hash(case: Case) -> Verdict:
    """The state hash is the XOR of the digests of all accepted facts, and those are what plain Python makes of them."""
    state = 0
    for name in FORMS:
        state ^= case.con.execute(f"SELECT coalesce(bit_xor(digest), 0) FROM fact_{name}").fetchall()[0][0]
    wrong, looked = [], 0
    for name, form in FORMS.items():
        facts = f"SELECT * FROM fact_{name} ORDER BY digest LIMIT {SAMPLE}"
        for row in case.con.sql(exchange_sql(form, facts, atomic=True)).to_arrow_table().to_pylist():
            looked += 1
            if content_digest(form, row) != int(row["digest"]) % 2**128:  # Arrow reads it as signed
                wrong.append(name)
    detail = f"{hex_hash(state)}; {looked} digests computed again" + (
        f", wrong in {sorted(set(wrong))}" if wrong else ""
    )
    return state == case.state and not wrong, detail


def law_live_state(case: Case) -> Verdict:
    """The balances held as dense columns, and kept beside the projection, are what SQL adds up from all postings."""
    states, names = case.projection.live, dict(case.con.execute("SELECT code, name FROM system").fetchall())
    held = states.held(case.con)
    wrong = [
        "the record" if system is None else names[system]
        for system in held
        if (told := states.balances(case.con, system, None)) is not None and not told.equals(summed(case.con, system))
    ]
    detail = f"{len(held)} of them compared" if held else "none is held"
    return not wrong, detail + (f"; different: {', '.join(wrong)}" if wrong else "")


LAWS: Final[dict[str, Callable[[Case], Verdict]]] = {
    "conservation": law_conservation,
    "idempotence": law_idempotence,
    "order_independence": law_order_independence,
    "replay": law_replay,
    "two_clocks": law_two_clocks,
    "exactly_once": law_exactly_once,
    "nothing_lost": law_nothing_lost,
    "chain": law_chain,
    "state_hash": law_state_hash,
    "live_state": law_live_state,
}
"""The laws of the design, in its order, and three that guard the means (chain, state hash, live state)."""
