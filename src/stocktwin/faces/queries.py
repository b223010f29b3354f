"""Parameters that many addresses take: what may stand behind the `?` of a path or a page."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

QueryId = Annotated[str, Query(min_length=1, max_length=500)]
OptionalId = Annotated[str | None, Query(max_length=500)]
Moment = Annotated[str | None, Query(max_length=40, description="ISO 8601 date or time")]
Learned = Annotated[
    str | None, Query(max_length=40, description="as known then to the twin, or, of loaded history, to its sources")
]
AsOf = Annotated[str | None, Query(max_length=40, description="with what the sources knew then; ISO 8601 date or time")]
PageSize = Annotated[int, Query(ge=1, le=1_000)]
Limit = Annotated[int | None, Query(ge=1, le=10_000_000, description="most rows returned; all without it")]
After = Annotated[str | None, Query(max_length=4_000, description="`next` of the page before")]
