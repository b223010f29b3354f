"""Damage that DuckDB notices only when it reads a block: the projection is folded anew and the question asked again."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import Ledger

Given = ParamSpec("Given")
Answer = TypeVar("Answer")
DAMAGE: Final = ("Corrupt database file", "database has been invalidated", "is being folded")
"""How DuckDB says that a block's checksum is wrong; its errors have no class of their own for it."""


class Unfinished(RuntimeError):
    """A projection that is being folded anew, or whose folding failed: it has no answers yet."""

    def __init__(self) -> None:
        super().__init__("the projection is being folded anew")


def is_damage(error: Exception) -> bool:
    """Whether an error says that the database file is damaged.

    >>> is_damage(RuntimeError("Corrupt database file: computed checksum 1 does not match")), is_damage(KeyError("x"))
    (True, False)
    """
    return any(words in str(error) for words in DAMAGE)


def healing(
    ask: Callable[Concatenate[Ledger, Given], Answer],
) -> Callable[Concatenate[Ledger, Given], Answer]:
    """A question to the ledger that heals a damaged projection and asks once more."""

    @wraps(ask)
    def asked(self: Ledger, /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        projection = self._projection
        try:
            return ask(self, *args, **kwargs)
        except Exception as error:
            if not is_damage(error):
                raise
            self._heal(projection, unfinished=isinstance(error, Unfinished))
        return ask(self, *args, **kwargs)

    return asked
