"""What a mean hides: how long a network survives a disruption, how long it needs to recover, how bad the worst is."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
NOTICED: Final = 0.01
"""Fill rate below the baseline's of the same day from which a loss of service counts."""
WORST: Final = 0.05


def time_to_survive(fill: Floats, base: Floats, start: int) -> int | None:
    """Days from the start of the disruption until the fill rate of a day has fallen by `NOTICED` against the baseline;
    None where it never does. Days without demand are nan.

    >>> time_to_survive(np.array([1, 1, 1, 0.5, 1]), np.ones(5), 1)
    2
    """
    worse = np.flatnonzero((base - fill)[start:] >= NOTICED)
    return int(worse[0]) if len(worse) else None


def time_to_recover(fill: Floats, base: Floats, end: int) -> int | None:
    """Days from the end of the disruption until the fill rate stays within `NOTICED` of the baseline's.

    0 where it never falls, None where the horizon ends first.

    >>> time_to_recover(np.array([1, 0.5, 0.5, 0.5, 1]), np.ones(5), 2)
    2
    """
    worse = np.flatnonzero(base - fill >= NOTICED)
    if not len(worse):
        return 0
    back = int(worse[-1]) + 1
    return None if back >= len(fill) else max(back - end, 0)


def cvar(values: Floats, share: float = WORST) -> float:
    """Mean of the largest share of the replications, at least one (conditional value at risk).

    >>> cvar(np.arange(40.0))
    38.5
    """
    count = max(int(np.ceil(share * len(values))), 1)
    return float(np.sort(values)[-count:].mean())


def risk(
    fill: list[float | None], base: list[float | None], window: tuple[int, int] | None, cost: Floats | None,
    base_cost: Floats | None,
) -> dict[str, Any]:  # fmt: skip
    """Time to survive and to recover, from the mean fill rate of days, and the tail of the extra cost."""
    found: dict[str, Any] = {"time_to_survive": None, "time_to_recover": None, "extra_cost_cvar_95": None}
    mine, usual = (np.array([np.nan if one is None else one for one in days], np.float64) for days in (fill, base))
    if window is not None:
        found["time_to_survive"] = time_to_survive(mine, usual, max(window[0], 0))
        found["time_to_recover"] = time_to_recover(mine, usual, window[1])
    if cost is not None and base_cost is not None:
        found["extra_cost_cvar_95"] = cvar(cost - base_cost)
    return found
