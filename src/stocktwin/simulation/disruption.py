"""What a scenario does to a run: closed sources and ports, slower lanes, scaled and noisier demand, changed policies.

Every draw (whether a disruption happens, when, for how long) is keyed by the disruption and the replication, so it is
the same whatever else the scenario holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stocktwin.domain.errors import ScenarioError
from stocktwin.domain.identity import stable_hash64
from stocktwin.kernels.network import Losses, unharmed
from stocktwin.kernels.period import ONE
from stocktwin.kernels.streams import DISRUPTION, uniforms
from stocktwin.simulation.compile import Compiled
from stocktwin.simulation.parameters import UP_TO_LEVEL
from stocktwin.simulation.routes import Route
from stocktwin.simulation.scenario import DC_LARGEST, PORT_BUSIEST, PRIMARY_LARGEST, Change, Disruption, Scenario

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
    switch: dict[str, Matrix] = field(default_factory=dict)
    """Source → [day, replication] 1 while new orders go to the next priority though it is open."""
    quiet: dict[str, Flags] = field(default_factory=dict)
    """Location → [day, replication] nothing is ordered."""
    delay: dict[int, Matrix] = field(default_factory=dict)
    """Route → [day, replication] extra days of what leaves that day."""
    factor: npt.NDArray[np.float64] | None = None
    """[k, day, replication] multipliers of demand."""
    factor_row: Ints | None = None
    """[i] row of `factor`, −1 none."""
    left: npt.NDArray[np.float64] | None = None
    """[k, 2, day, replication] share that is left: of the stock at the start of the day, of what arrives."""
    left_row: Ints | None = None
    """[i] row of `left`, −1 none."""
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

    def losses(self, places: int) -> tuple[Losses, Ints]:
        """What is destroyed, for the kernels, and each place's row of it."""
        if self.left is None or self.left_row is None:
            return unharmed(), np.full(places, -1, np.int64)
        gone = ONE - fixed_point(self.left)
        return Losses(*(np.ascontiguousarray(gone[:, at]) for at in range(2))), self.left_row


@dataclass(frozen=True)
class Course:
    """When a disruption acts, per replication; of length 0 where it does not happen."""

    start: Ints
    length: Ints

    def acting(self, days: int) -> Flags:
        """[day, replication] whether it acts."""
        day = np.arange(days)[:, None]
        return np.asarray((day >= self.start) & (day < self.start + self.length))

    def begins(self, days: int) -> Flags:
        """[day, replication] its first day."""
        return np.asarray((np.arange(days)[:, None] == self.start) & (self.length > 0))


def effects_of(scenario: Scenario, compiled: Compiled, days: int, replications: int, seed: int) -> Effects:
    """The arrays of a scenario on a compiled twin; ScenarioError names what is not there."""
    made = Effects()
    courses: list[Course] = []
    seen: Counter[tuple[str, str]] = Counter()
    for at, disruption in enumerate(scenario.disruptions):
        thing = (disruption.kind, disruption.location or "")
        before = None if disruption.after is None else courses[disruption.after]
        courses.append(_course(disruption, compiled, replications, seed, seen[thing], before))
        seen[thing] += 1
        first = int(courses[-1].start.min(initial=days))
        end = int(min((courses[-1].start + courses[-1].length).max(initial=0), days))
        made.window = (min(first, made.window[0]), max(end, made.window[1])) if made.window else (first, end)
        _apply(made, scenario.name, f"disruption[{at}]", disruption, compiled, courses[-1], days)
    for at, change in enumerate(scenario.changes):
        _change(made, scenario.name, f"change[{at}]", change, compiled)
    return made


def _course(
    disruption: Disruption, compiled: Compiled, replications: int, seed: int, repeated: int, before: Course | None
) -> Course:
    """Draws whether, when and for how long it happens: keyed by its kind, its place and how many such came before it in
    the scenario, so that other disruptions beside it change nothing."""
    thing = stable_hash64("disruption", str(repeated), disruption.kind, disruption.location or "")
    happens, begins, lasts = (uniforms(seed, thing, DISRUPTION, n, replications) for n in range(3))
    start = disruption.first_day(compiled.first_day) + np.floor(begins * (disruption.start_window + 1)).astype(np.int64)
    if disruption.days_low is not None and disruption.days_high is not None:
        span = disruption.days_high - disruption.days_low + 1
        length = disruption.days_low + np.floor(lasts * span).astype(np.int64)
    else:
        length = np.full(replications, NEVER if disruption.days is None else disruption.days, np.int64)
    length = np.where(happens < disruption.probability, length, 0)
    if before is None:
        return Course(start, length)
    return Course(before.start + before.length + start, np.where(before.length > 0, length, 0))


def _apply(
    made: Effects, name: str, where: str, one: Disruption, compiled: Compiled, course: Course, days: int
) -> None:
    """Writes into `made` what one disruption does."""
    acting = course.acting(days)
    if one.kind in ("destroy", "recall", "yield"):
        _destroy(made, name, where, one, compiled, acting, course.begins(days))
    elif one.kind == "lane_delay":
        _slow(made, name, where, one, compiled, acting)
    elif one.kind == "demand_scale":
        mine = _chosen(name, where, compiled, one)
        made.factor, made.factor_row = _times(made.factor, made.factor_row, np.where(acting, one.factor, 1.0), mine)
    elif one.kind == "demand_variability":
        _vary(made, name, where, one, compiled, acting)
    else:
        for place in _places(made, name, where, one, compiled):
            _stop(made, where, one, compiled, acting, place)


def _stop(made: Effects, where: str, one: Disruption, compiled: Compiled, acting: Flags, place: str) -> None:
    """Closes a place, keeps it from ordering, or sends the orders on it elsewhere."""
    if one.kind == "supplier_switch":
        made.switch[place] = made.switch.get(place, np.zeros(acting.shape, np.int64)) | acting
        first = zip(compiled.route.tolist(), compiled.alternate.tolist(), strict=True)
        if not any(compiled.routes[route].origin == place and other >= 0 for route, other in first):
            made.warnings.append(f"{where}: nothing from {place} has a second source: nothing is switched")
        return
    flags = {"orders_stopped": [made.quiet], "location_closed": [made.closed, made.shut]}.get(one.kind, [made.closed])
    for stopped in flags:
        stopped[place] = stopped[place] | acting if place in stopped else acting
    if one.failover_after_days is not None:
        made.failover[place] = one.failover_after_days


def _destroy(
    made: Effects, name: str, where: str, one: Disruption, compiled: Compiled, acting: Flags, begins: Flags
) -> None:
    """Takes a share of the stock on its first day (`destroy`, `recall`) and of what arrives (`recall`, `yield`)."""
    lost = 1.0 - one.share if one.kind == "yield" else one.share
    stock = begins & (one.kind != "yield")
    arriving = acting & (one.kind != "destroy")
    left = np.asarray(1.0 - lost * np.stack([stock, arriving]), np.float64)
    made.left, made.left_row = _times(made.left, made.left_row, left, _chosen(name, where, compiled, one))


def _slow(made: Effects, name: str, where: str, one: Disruption, compiled: Compiled, acting: Flags) -> None:
    routes = [at for at, route in enumerate(compiled.routes) if _on_lane(route, one)]
    if not routes:
        raise ScenarioError(name, where, f"no lane {one.origin or '*'} → {one.destination or '*'} ({one.mode or '*'})")
    for at in routes:
        made.delay[at] = made.delay.get(at, np.zeros(acting.shape, np.int64)) + acting * one.extra_days


def _vary(made: Effects, name: str, where: str, one: Disruption, compiled: Compiled, acting: Flags) -> None:
    if made.noisy is not None:
        raise ScenarioError(name, where, "a scenario has one demand_variability; another one came before")
    if one.probability < 1 or one.start_window or one.days_low is not None or one.after is not None:
        raise ScenarioError(name, where, "demand_variability acts in every replication on the same days")
    made.noise, made.noisy = one.factor, acting[:, 0]
    made.noisy_rows = _chosen(name, where, compiled, one)


def _places(made: Effects, name: str, where: str, one: Disruption, compiled: Compiled) -> list[str]:
    """Sources, ports or places of our own that a disruption acts on."""
    end, what, ours = {
        "supplier_offline": ("origin", "is sourced from", False),
        "supplier_switch": ("origin", "is sourced from", False),
        "port_closed": ("via", "passes the port", False),
        "location_closed": ("destination", "goes to, comes from or passes", True),
        "orders_stopped": ("destination", "goes to", True),
    }[one.kind]
    volume = (compiled.demand if ours else compiled.flow).per_day / compiled.unit
    volume = volume if ours else np.where(compiled.source < 0, volume, 0.0)  # what own places pass on counts once
    known = _volume_by([getattr(compiled.routes[route], end) for route in compiled.route], volume)
    wanted = one.location or {"supplier_offline": PRIMARY_LARGEST, "port_closed": PORT_BUSIEST}.get(one.kind)
    if one.kind == "port_closed" and not known:
        made.warnings.append(f"{where}: no lane passes a port (column `via` of lanes): nothing is closed")
        return []
    if wanted is None or (wanted == PRIMARY and one.kind == "supplier_offline"):
        return sorted(known)
    if wanted in (PRIMARY_LARGEST, PORT_BUSIEST, DC_LARGEST):
        return [max(sorted(known), key=known.__getitem__)] if known else []
    ends = ("origin", "via", "destination") if one.kind == "location_closed" else (end,)
    if wanted not in {getattr(route, end) for route in compiled.routes for end in ends}:
        raise ScenarioError(name, f"{where}.location", f"nothing {what} {wanted!r}")
    return [wanted]


def _volume_by(names: Iterable[str], volume: npt.NDArray[np.float64]) -> dict[str, float]:
    total: dict[str, float] = {}
    for place, amount in zip(names, volume.tolist(), strict=True):
        if place:
            total[place] = total.get(place, 0.0) + amount
    return total


def _on_lane(route: Route, one: Disruption) -> bool:
    wanted = ((one.origin, route.origin), (one.destination, route.destination), (one.mode, route.mode))
    return all(asked is None or asked == is_ for asked, is_ in wanted) and route.role != "assumed"


def _times(
    old: npt.NDArray[np.float64] | None, old_row: Ints | None, new: npt.NDArray[np.float64], mine: Flags
) -> tuple[npt.NDArray[np.float64], Ints]:
    """Factors [k, …] and each place's row of them once `new` [ …] multiplies those of the places that are `mine`."""
    row = np.full(len(mine), -1, np.int64) if old_row is None else old_row
    before = np.ones((1, *new.shape)) if old is None else np.concatenate([old, np.ones((1, *new.shape))])
    base = len(before) - 1
    both = np.concatenate([before[:-1], before * new])
    return both, np.where(mine, base + np.where(row >= 0, row, base), row)


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
