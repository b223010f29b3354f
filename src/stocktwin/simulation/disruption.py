"""What a scenario does to a run: closed sources and ports, slower lanes, scaled and noisier demand, changed policies.

Every draw (whether a disruption happens, when, for how long) is keyed by the disruption and the replication, so it is
the same whatever else the scenario holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stocktwin.domain.errors import ScenarioError
from stocktwin.domain.identity import stable_hash64
from stocktwin.kernels.period import ONE
from stocktwin.kernels.streams import DISRUPTION, uniforms
from stocktwin.simulation.compile import Compiled
from stocktwin.simulation.parameters import UP_TO_LEVEL
from stocktwin.simulation.routes import Route
from stocktwin.simulation.scenario import PORT_BUSIEST, PRIMARY_LARGEST, Change, Disruption, Scenario

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.int64]
NEVER = 2**31 - 1
SELECTORS = (
    ("item", "items", "item_id"),
    ("category", "items", "category"),
    ("criticality", "items", "criticality"),
    ("location", "locations", "location_id"),
    ("region", "locations", "region"),
)
"""Key of a disruption or change → the table and column in which it looks."""
PRIMARY = "primary"
"""Every item's source of first priority."""


@dataclass
class Effects:
    """A scenario as arrays over days and replications."""

    closed: dict[str, Flags] = field(default_factory=dict)
    """Source or port → [day, replication] closed."""
    shut: dict[str, Flags] = field(default_factory=dict)
    """Location → [day, replication] closed: it receives and serves nothing."""
    failover: dict[str, int] = field(default_factory=dict)
    """Source → days of closure after which new orders go to the next priority."""
    delay: dict[int, Matrix] = field(default_factory=dict)
    """Route → [day, replication] extra days of what leaves that day."""
    factor: npt.NDArray[np.float64] | None = None
    """[k, day, replication] multipliers of demand."""
    factor_row: Ints | None = None
    """[i] row of `factor`, −1 none."""
    noise: float = 1.0
    """Multiplier of the standard deviation of demand inside `noisy` days."""
    noisy: Flags | None = None
    """[day]."""
    noisy_rows: Flags | None = None
    """[i]."""
    shift: Ints | None = None
    """[i, 2] added to reorder point and to order-up-to from `shift_day` on."""
    shift_day: int = 0
    window: tuple[int, int] | None = None
    """First day and the day after the last on which a disruption can act."""
    warnings: list[str] = field(default_factory=list)


def effects_of(scenario: Scenario, compiled: Compiled, days: int, replications: int, seed: int) -> Effects:
    """The arrays of a scenario on a compiled twin; ScenarioError names what is not there."""
    made = Effects()
    for at, disruption in enumerate(scenario.disruptions):
        where = f"disruption[{at}]"
        acting, first, end = _acting(disruption, compiled, days, replications, seed, at)
        made.window = (min(first, made.window[0]), max(end, made.window[1])) if made.window else (first, end)
        _apply(made, scenario.name, where, disruption, compiled, acting)
    for at, change in enumerate(scenario.changes):
        _change(made, scenario.name, f"change[{at}]", change, compiled)
    return made


def _acting(
    disruption: Disruption, compiled: Compiled, days: int, replications: int, seed: int, at: int
) -> tuple[Flags, int, int]:
    """[day, replication] whether it acts, its first possible day and the day after its last."""
    first = disruption.first_day(compiled.first_day)
    thing = stable_hash64("disruption", str(at), disruption.kind, disruption.location or "")
    happens, begins, lasts = (uniforms(seed, thing, DISRUPTION, n, replications) for n in range(3))
    start = first + np.floor(begins * (disruption.start_window + 1)).astype(np.int64)
    if disruption.days_low is not None and disruption.days_high is not None:
        span = disruption.days_high - disruption.days_low + 1
        length = disruption.days_low + np.floor(lasts * span).astype(np.int64)
    else:
        length = np.full(replications, NEVER if disruption.days is None else disruption.days, np.int64)
    length = np.where(happens < disruption.probability, length, 0)
    day = np.arange(days)[:, None]
    acting = (day >= start) & (day < start + length)
    return acting, first, int(min((start + length).max(initial=0), days))


def _apply(made: Effects, name: str, where: str, one: Disruption, compiled: Compiled, acting: Flags) -> None:
    if one.kind in ("supplier_offline", "port_closed", "location_closed"):
        for place in _places(made, name, where, one, compiled):
            for closed in (made.closed, made.shut) if one.kind == "location_closed" else (made.closed,):
                closed[place] = closed[place] | acting if place in closed else acting
            if one.failover_after_days is not None:
                made.failover[place] = one.failover_after_days
    elif one.kind == "lane_delay":
        routes = [at for at, route in enumerate(compiled.routes) if _on_lane(route, one)]
        if not routes:
            raise ScenarioError(
                name, where, f"no lane {one.origin or '*'} → {one.destination or '*'} ({one.mode or '*'})"
            )
        for at in routes:
            made.delay[at] = made.delay.get(at, np.zeros(acting.shape, np.int64)) + acting * one.extra_days
    elif one.kind == "demand_scale":
        _scale(made, name, where, one, compiled, acting)
    elif one.kind == "demand_variability":
        if made.noisy is not None:
            raise ScenarioError(name, where, "a scenario has one demand_variability; another one came before")
        if one.probability < 1 or one.start_window or one.days_low is not None:
            raise ScenarioError(name, where, "demand_variability acts in every replication on the same days")
        made.noise, made.noisy = one.factor, acting[:, 0]
        made.noisy_rows = _chosen(name, where, compiled, one)
    else:
        raise ScenarioError(name, f"{where}.kind", f"{one.kind!r} is not simulated yet")


def _places(made: Effects, name: str, where: str, one: Disruption, compiled: Compiled) -> list[str]:
    """Sources or ports that a disruption closes."""
    volume = compiled.demand.per_day / compiled.unit
    known: dict[str, float] = {}
    wanted = one.location or ""
    if one.kind == "supplier_offline":
        known = _volume_by(compiled, [compiled.routes[route].origin for route in compiled.route], volume)
        wanted = one.location or PRIMARY_LARGEST
    elif one.kind == "port_closed":
        known = _volume_by(compiled, [compiled.routes[route].via for route in compiled.route], volume)
        wanted = one.location or PORT_BUSIEST
        if not known:
            made.warnings.append(f"{where}: no lane passes a port (column `via` of lanes): nothing is closed")
            return []
    if wanted == PRIMARY and one.kind == "supplier_offline":
        return sorted(known)
    if wanted in (PRIMARY_LARGEST, PORT_BUSIEST):
        return [max(sorted(known), key=known.__getitem__)] if known else []
    what, ends = {
        "supplier_offline": ("is sourced from", ("origin",)),
        "port_closed": ("passes the port", ("via",)),
        "location_closed": ("goes to, comes from or passes", ("origin", "via", "destination")),
    }[one.kind]
    if wanted not in {getattr(route, end) for route in compiled.routes for end in ends}:
        raise ScenarioError(name, f"{where}.location", f"nothing {what} {wanted!r}")
    return [wanted]


def _volume_by(compiled: Compiled, names: Iterable[str], volume: npt.NDArray[np.float64]) -> dict[str, float]:
    total: dict[str, float] = {}
    for place, amount in zip(names, volume.tolist(), strict=True):
        if place:
            total[place] = total.get(place, 0.0) + amount
    return total


def _on_lane(route: Route, one: Disruption) -> bool:
    wanted = ((one.origin, route.origin), (one.destination, route.destination), (one.mode, route.mode))
    return all(asked is None or asked == is_ for asked, is_ in wanted) and route.role != "assumed"


def _scale(made: Effects, name: str, where: str, one: Disruption, compiled: Compiled, acting: Flags) -> None:
    """Multiplies demand; overlapping ones multiply each other."""
    mine = _chosen(name, where, compiled, one)
    old_row = np.full(len(compiled), -1, np.int64) if made.factor_row is None else made.factor_row
    plain = np.ones((1, *acting.shape))
    old = plain if made.factor is None else np.concatenate([made.factor, plain])
    new = old * np.where(acting, one.factor, 1.0)
    made.factor = np.concatenate([old[:-1], new])
    base = len(old) - 1
    made.factor_row = np.where(mine, base + np.where(old_row >= 0, old_row, base), old_row)


def _change(made: Effects, name: str, where: str, change: Change, compiled: Compiled) -> None:
    """Shifts s and S of the item-locations chosen; changes of one scenario add up."""
    mine = _chosen(name, where, compiled, change)
    policy, unit = compiled.policy, compiled.unit
    if change.kind == "order_up_to":
        mine &= policy.Q == 0
        if not mine.any():
            raise ScenarioError(name, f"{where}.kind", "who orders a fixed quantity has no order-up-to")
    now, moves = _lever(change.kind, compiled)
    wanted = now.astype(np.float64) if change.value is None else change.value * unit
    wanted = wanted * (1.0 if change.factor is None else change.factor) + (change.add or 0.0) * unit
    delta = np.where(mine, np.floor(wanted + 0.5).astype(np.int64) - now, 0)
    if made.shift is not None and made.shift_day != change.from_day:
        raise ScenarioError(name, f"{where}.from_day", "all changes of a scenario must begin on the same day")
    shift = delta[:, None] * moves
    made.shift = shift if made.shift is None else shift + made.shift
    made.shift_day = change.from_day
    s, S = policy.s + made.shift[:, 0], policy.S + made.shift[:, 1]
    wrong = np.flatnonzero((policy.Q == 0) & (s >= S))
    if len(wrong):
        at = wrong[0]
        told = f"order-up-to {S[at] / unit[at]:g} would not be above reorder point {s[at] / unit[at]:g}"
        raise ScenarioError(name, where, f"{told} at {len(wrong)} item-locations")


def _lever(kind: str, compiled: Compiled) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """[i] what a change acts on, and [i, 2] whether it moves s and S: a base stock has one level, which moves both."""
    policy = compiled.policy
    one_level = np.array([named in UP_TO_LEVEL for named in policy.kind], bool)
    every = np.ones(len(compiled), bool)
    if kind == "safety_stock":
        return policy.safety_stock, np.column_stack([every, every])
    if kind == "reorder_point":
        return np.where(one_level, policy.S, policy.s), np.column_stack([every, one_level])
    return policy.S, np.column_stack([one_level, every])


def _chosen(name: str, where: str, compiled: Compiled, one: Disruption | Change) -> Flags:
    """[i] the simulated item-locations that selectors name; ScenarioError when they name none."""
    snapshot = compiled.snapshot
    mine = np.ones(len(compiled), bool)
    codes = {"items": snapshot.item[compiled.rows], "locations": snapshot.location[compiled.rows]}
    said = []
    for selector, table, column in SELECTORS:
        wanted = getattr(one, selector, None)
        if wanted is not None:
            values = getattr(snapshot, table).column(column).to_pylist()
            mine &= np.array([value == wanted for value in values], bool)[codes[table]]
            said.append(f"{selector} {wanted!r}")
    if not mine.any() and len(compiled):
        raise ScenarioError(name, where, f"no simulated item-location has {', '.join(said)}")
    return mine


def waits(closed: Flags) -> npt.NDArray[np.int32]:
    """[day, replication] days until it is open again, 0 when open; after the last day everything is open.

    >>> waits(np.array([[False], [True], [True], [False]])).ravel().tolist()
    [0, 2, 1, 0]
    """
    out = np.zeros(closed.shape, np.int32)
    ahead = np.zeros(closed.shape[1], np.int32)
    for day in range(len(closed) - 1, -1, -1):
        ahead = np.where(closed[day], ahead + 1, 0).astype(np.int32)
        out[day] = ahead
    return out


def switched(closed: Flags, after: int) -> npt.NDArray[np.int32]:
    """[day, replication] 1 once a source has been closed for `after` days, until it opens."""
    out = np.zeros(closed.shape, np.int32)
    since = np.zeros(closed.shape[1], np.int64)
    for day in range(len(closed)):
        since = np.where(closed[day], since + 1, 0)
        out[day] = closed[day] & (since > after)
    return out


def fixed_point(factor: npt.NDArray[np.float64]) -> Ints:
    """Factors in the fixed point of the kernels."""
    return np.floor(factor * ONE + 0.5).astype(np.int64)
