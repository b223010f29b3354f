"""The reference world: a physical truth, the feeds its systems would emit, faults included, and the labels to judge by.

    places, catalogue → design      where, what, how much is asked for, what people planned
    demand, physics                 what really happens, day by day (no system, no feed)
    postings, posting_faults        what each system says about it
    feeds, truth, encoding          what is written down

It shares no code with `simulation` or `kernels`: otherwise the twin would be judged by itself.
"""

from stocktwin.world.advance import advance, fork
from stocktwin.world.build import build

__all__ = ["advance", "build", "fork"]
