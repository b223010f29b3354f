"""What is asked about lots."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stocktwin.app.answers.lot_stock import LotList
    from stocktwin.app.settings import Settings
    from stocktwin.ledger.ledger import Ledger
    from stocktwin.tables.snapshot import Snapshot


class LotQuestions:
    """Questions about lots; times are ISO 8601, a bare date means the end of that day."""

    settings: Settings
    ledger: Ledger

    def _snapshot(self) -> Snapshot:
        """The newest snapshot, without what has expired."""
        from stocktwin.ledger.lots.expiry import unexpired

        return unexpired(self.ledger, self.ledger.snapshot(currency=self.settings.currency))

    @cached_property
    def _lots(self) -> LotList:
        from stocktwin.app.answers.lot_stock import LotList

        return LotList(self.ledger, self.settings)

    def lots(self, **query: Any) -> dict[str, Any]:
        """Stock by lot, with expiry and condition; issues that name no lot are attributed (`LotList.answer`)."""
        return self._lots.answer(**query)

    def transforms(
        self,
        item: str | None = None,
        at: str | None = None,
        known_at: str | None = None,
        book: str | None = None,
        faulty: bool = False,
        limit: int | None = None,
        after: str | None = None,
    ) -> dict[str, Any]:
        """What was made of what, document by document, newest first; only what does not add up if `faulty`."""
        from stocktwin.app.answers.transforms import transforms

        return transforms(
            self.ledger,
            self.settings.timezone,
            item=item,
            at=at,
            known_at=known_at,
            book=book,
            faulty=faulty,
            limit=limit,
            after=after,
        )

    def trace(
        self,
        item: str,
        lot: str,
        direction: str = "both",
        at: str | None = None,
        known_at: str | None = None,
        book: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> dict[str, Any]:
        """Where a lot is, where it went and to whom, what it was made from and what was made of it; `limit` and `after`
        page its `documents`. `direction` is `forward`, `back` or `both`."""
        from stocktwin.app.answers.lots import trace_answer

        return trace_answer(
            self.ledger,
            self.settings.timezone,
            item,
            lot,
            direction=direction,
            at=at,
            known_at=known_at,
            book=book,
            limit=limit,
            after=after,
        )

    def trace_csv(self, item: str, lot: str, **asked: Any) -> str:
        """Every movement of a trace as CSV, so that whoever received the lot can be told."""
        from stocktwin.app.answers.lots import documents_csv

        return documents_csv(self.trace(item, lot, **asked)["documents"])

    def trace_file(self, path: Path, item: str, lot: str, **asked: Any) -> dict[str, Any]:
        """A trace whose movements are written to a CSV file; the rest of its answer. EnvironmentFault names a file that
        cannot be written."""
        from stocktwin.app.answers.lots import documents_csv
        from stocktwin.domain.errors import EnvironmentFault

        answer = self.trace(item, lot, **asked)
        try:
            path.write_text(documents_csv(answer.pop("documents")), encoding="utf-8", newline="")
        except OSError as error:
            raise EnvironmentFault(f"cannot write {path}: {error.strerror}") from None
        return answer | {"file": str(path), "rows_written": answer["total"]}
