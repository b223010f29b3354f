"""What the ERP's order lines show as received: what was posted there, right or wrong, late or not yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.clock import MINUTE
from stocktwin.world.posting_faults import ERP, MOVED, Cause, error_units
from stocktwin.world.postings import FOREVER, Office
from stocktwin.world.records import Event, Lines

Ints = npt.NDArray[np.int64]

CLOSING: Final = 60 * MINUTE
"""From the arrival, or a late posting of it, to the line being closed."""
ELSEWHERE: Final = (*MOVED, Cause.wrong_lot)
"""Errors that a line does not show: what was posted, was posted against it."""


@dataclass(frozen=True)
class GoodsReceipts:
    """Per order line: when it is closed (`FOREVER`: never), how much it then shows as received, in atomic units, and
    when that is put right (−1: it was right, or stays wrong)."""

    closed_us: Ints
    posted: Ints
    right_us: Ints

    @classmethod
    def of(cls, office: Office, lines: Lines, received_us: Ints) -> GoodsReceipts:
        """As the ERP has posted what arrived at these instants."""
        whole = cls(received_us + CLOSING, lines.received.copy(), np.full(len(received_us), -1, np.int64))
        faults, events = office.faults, office.events
        at = np.flatnonzero((faults.system == ERP) & (events.kind[faults.event] == Event.RECEIPT))
        at = at[~np.isin(faults.cause[at], ELSEWHERE)]
        line, cause = events.line[faults.event[at]], faults.cause[at]
        found = faults.corrected_day[at] < office.days
        corrected = np.full(len(at), FOREVER)
        corrected[found] = office.correction_us(at[found])
        missing, late = cause == Cause.missing_post, cause == Cause.late_post
        whole.closed_us[line[missing]] = corrected[missing] + CLOSING
        whole.closed_us[line[late]] = office.late_us(at[late]) + CLOSING
        wrong = ~missing & ~late
        np.add.at(whole.posted, line[wrong], error_units(events, faults)[at[wrong]])
        whole.right_us[line[wrong & found]] = corrected[wrong & found]
        return whole
