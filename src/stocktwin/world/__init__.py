"""The reference world: a physical truth, the feeds its systems would emit, faults included, and the labels to judge by.

    places, network, profile               where, and in which sizes
    settings, decisions, rates, script     all that a world follows from
    catalogue → design                     what is carried, how much is asked for, what people planned
    signals, regional → circumstances      what surrounds the firm
    demand, leadtimes, replenishment, lots, mishaps, missing, steering → state → physics
                                           what really happens, day by day (no system, no feed)
    postings, posting_faults, troubles     what each system says about it
    words, delivery, *_feed → feeds        how it says so; truth, labels: what was so
    life → blocks, parts → build           one block's life, all of them, a world; advance: it lives on
    play, score                            told as it happens; held against what a twin answered

It shares no code with `simulation` or `kernels`: otherwise the twin would be judged by itself.
"""

from stocktwin.world.advance import advance, fork
from stocktwin.world.build import build

__all__ = ["advance", "build", "fork"]
