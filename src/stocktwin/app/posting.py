"""Facts posted at the same time: whoever comes first takes in what all the others wait with, in one durable commit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from stocktwin.app.answers.intake import Intake, known_names, noted, settle_files, spec_of_lines, take_lines
from stocktwin.app.settings import DEFAULT_SOURCE, Settings
from stocktwin.domain.errors import StocktwinError

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import Ledger
    from stocktwin.tables.batch import Delivery

MOST_POSTS: Final = 64
MOST_BYTES: Final = 16 << 20
"""What shares one commit at most."""


@dataclass(eq=False)
class Post:
    """JSON lines that somebody posted, and what became of them."""

    lines: bytes | str
    table: str | None
    source: str
    answer: dict[str, Any] | None = None
    error: BaseException | None = None
    intake: Intake = field(default_factory=Intake)
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether it has been dealt with."""
        return self.answer is not None or self.error is not None


class Posting:
    """Groups posts. `take` deals with some of them; the caller's answer, or error, is its own."""

    def __init__(self, writing: threading.RLock, take: Callable[[list[Post]], None]) -> None:
        self._writing, self._take = writing, take
        self._waiting: list[Post] = []
        self._queue = threading.Lock()

    def post(self, post: Post) -> dict[str, Any]:
        """Waits for its turn; by then another caller may have taken the post in with its own."""
        with self._queue:
            self._waiting.append(post)
        with self._writing:
            while not post.done:
                self._take_some(self._next())
        if post.error is not None:
            raise post.error
        assert post.answer is not None
        return post.answer

    def _next(self) -> list[Post]:
        """The posts whose turn it is, oldest first."""
        with self._queue:
            size, many = 0, 0
            for post in self._waiting[:MOST_POSTS]:
                size += len(post.lines)
                if many and size > MOST_BYTES:
                    break
                many += 1
            some, self._waiting = self._waiting[:many], self._waiting[many:]
            return some

    def _take_some(self, posts: list[Post]) -> None:
        try:
            self._take(posts)
        except BaseException as error:
            for post in posts:
                post.error = post.error if post.done else error
            if not isinstance(error, Exception):
                raise


class FactPosting:
    """The part of `TwinService` that takes in what is posted."""

    settings: Settings
    ledger: Ledger
    _writing: threading.RLock
    _message: Callable[[], str]
    _changed: Callable[[int], None]
    _intake: Callable[[Callable[[Intake], None]], dict[str, Any]]

    def post_facts(self, lines: bytes | str, table: str | None = None, source: str = DEFAULT_SOURCE) -> dict[str, Any]:
        """Takes in JSON lines: rows of one `table`, or each naming its own in a key `table`. What is posted at the same
        time shares one durable commit."""
        return self._posting.post(Post(lines, table, source))

    @cached_property
    def _posting(self) -> Posting:
        return Posting(self._writing, self._take_posts)

    def _take_posts(self, posts: list[Post]) -> None:
        before, plain = self.ledger.head, self._read_posts(posts) if len(posts) > 1 else []
        if plain:
            take_together(self.ledger, plain)
            self._changed(before)
        for post in posts:
            if not post.done:
                self._take_alone(post)

    def _take_alone(self, post: Post) -> None:
        def take(intake: Intake) -> None:
            take_lines(self.ledger, self.settings, post.lines, post.table, post.source, intake, self._message())

        try:
            post.answer = self._intake(take)
        except StocktwinError as error:
            post.error = error

    def _read_posts(self, posts: list[Post]) -> list[Post]:
        """Reads posts; those that may share a commit. The others bring names that rows in quarantine may wait for, or
        rows that cannot be read, perhaps only until one of the others is in: they are read again in their turn."""
        known: dict[str, dict[str, Any]] = {}
        plain = []
        for post in posts:
            try:
                self._read(post, known)
            except StocktwinError as error:
                post.error = error
                continue
            if not post.intake.names and not any(delivery.rejected.num_rows for delivery in post.deliveries):
                plain.append(post)
        return plain

    def _read(self, post: Post, known: dict[str, dict[str, Any]]) -> None:
        from stocktwin.ingest.rows import read_json_lines

        spec = spec_of_lines(self.settings, post.source, post.table)
        if post.source not in known:
            known[post.source] = known_names(self.ledger, spec)
        read = read_json_lines(post.lines, spec, table=post.table, file=self._message(), **known[post.source])
        post.deliveries = list(noted(read, post.intake))


def take_together(ledger: Ledger, posts: list[Post]) -> None:
    """Takes posts in, in one commit, and gives each its answer."""
    from stocktwin.ledger.grouping import append_each, journal_head

    before = journal_head(ledger)
    for post, receipt in zip(posts, append_each(ledger, [post.deliveries for post in posts]), strict=True):
        post.intake.add(receipt)
        post.answer = post.intake.answer(ledger, before, receipt.head)
        before = receipt.head
    together = Intake()
    together.read = set().union(*(post.intake.read for post in posts))
    settle_files(ledger, together)
