"""A recall trace drawn: columns of places from left to right, ribbons as wide as the quantities that went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stocktwin.faces.web.trace_graph import Edge, Graph, Key, Node, graph_of
from stocktwin.faces.web.wording import calendar_day, quantity

WIDTH: Final = 1080
COLUMNS: Final = (150, 250)
"""Width of the whole in pixels, and the least and largest width of a column: more is scrolled."""
NODE: Final = 12
FULL: Final = 300
"""Height of the whole quantity of an item."""
ROOMY, CLOSE = (36, 12), (18, 3)
"""Least height of a node with its label, and the gap below it; where a column is full, labels have one line."""
TALL: Final = 560
"""Height above which a column is full."""
THIN: Final = 5
"""Ribbons thinner than this are not hatched."""
MARGIN: Final = 14
CHARACTER: Final = 6.7
"""Width of a character of a label."""
NAMES: Final = {
    "customer": "Customers, not named",
    "supplier": "Suppliers, not named",
    "scrap": "Scrapped",
    "loss": "Lost",
    "gain": "Found, or opening stock",
    "unknown": "Before the records",
}


@dataclass(frozen=True)
class Box:
    """A node on the page."""

    x: float
    y: float
    height: float
    role: str
    label: str
    note: str
    title: str
    item: str
    place: str
    """Id of the place where it may be looked at, else empty."""
    close: bool
    """Whether the label has one line."""


@dataclass(frozen=True)
class Ribbon:
    """An edge on the page."""

    path: str
    role: str
    title: str
    inferred: bool
    back: bool


@dataclass(frozen=True)
class Picture:
    """Everything to draw, in pixels."""

    width: float
    height: float
    boxes: list[Box]
    ribbons: list[Ribbon]


def picture(answer: Mapping[str, Any]) -> Picture:
    """The drawing of an answer of `trace`."""
    return _Drawing(answer, graph_of(answer)).draw()


class _Drawing:
    def __init__(self, answer: Mapping[str, Any], graph: Graph) -> None:
        self.graph = graph
        self.names = {row["location_id"]: row["name"] for row in answer["places"]}
        self.units = {row["item_id"]: row["unit"] for row in answer["lots"]}
        self.several = len(answer["lots"]) > 1
        self.whole = self._whole()
        self.top: dict[Key, float] = {}
        self.close: set[int] = set()
        self.column = self.bottom = 0.0

    def _whole(self) -> dict[str, float]:
        """The largest quantity of each item at any node: drawn in full height."""
        found: dict[str, float] = defaultdict(float)
        for key in self.graph.nodes:
            for edges, side in ((self.graph.edges_in(key), "right"), (self.graph.edges_out(key), "left")):
                total: dict[str, float] = defaultdict(float)
                for edge in edges:
                    total[getattr(edge, f"{side}_item")] += getattr(edge, side)
                for item, amount in total.items():
                    found[item] = max(found[item], amount)
        return found

    def _left(self, edge: Edge) -> float:
        return FULL * edge.left / (self.whole[edge.left_item] or 1)

    def _right(self, edge: Edge) -> float:
        return FULL * edge.right / (self.whole[edge.right_item] or 1)

    def _height(self, key: Key) -> float:
        into = sum(self._right(edge) for edge in self.graph.edges_in(key))
        out = sum(self._left(edge) for edge in self.graph.edges_out(key))
        return max(into, out, 3.0)

    def draw(self) -> Picture:
        """Columns, boxes, ribbons."""
        columns: dict[int, list[Node]] = defaultdict(list)
        for node in self.graph.nodes.values():
            columns[node.column].append(node)
        self.column = min(max(WIDTH / max(len(columns), 1), COLUMNS[0]), COLUMNS[1])
        height = max((self._stack(number, columns[number]) for number in sorted(columns)), default=0.0)
        self.bottom = height
        boxes, ribbons = [self._box(node) for node in self.graph.nodes.values()], self._ribbons()
        return Picture(MARGIN * 2 + self.column * len(columns), self.bottom + MARGIN, boxes, ribbons)

    def _stack(self, number: int, nodes: list[Node]) -> float:
        """Puts the nodes of a column below each other; where the last one ends."""
        row, gap = ROOMY
        if sum(max(self._height(node.key), row) + gap for node in nodes) > TALL:
            self.close.add(number)
            row, gap = CLOSE
        y = float(MARGIN)
        for node in sorted(nodes, key=self._rank):
            self.top[node.key] = y
            y += max(self._height(node.key), row) + gap
        return y

    def _rank(self, node: Node) -> tuple[Any, ...]:
        """By where its goods come from, then the larger first; what is left over and what is gone last."""
        edges = self.graph.edges_in(node.key)
        come = [self.top.get(edge.source, 0.0) for edge in edges]
        middle = sum(come) / len(come) if come else 0.0
        gone = node.role in ("scrap", "loss", "gain", "unknown")
        return gone, node.members > 1, round(middle), -self._height(node.key), node.key

    def _x(self, key: Key) -> float:
        return MARGIN + self.column * self.graph.nodes[key].column

    # ---- boxes

    def _box(self, node: Node) -> Box:
        close = node.column in self.close
        label, note = self._label(node), self._note(node)
        lot = f"{node.item} {node.lot}".strip()
        title = ", ".join(text for text in (label, lot, note) if text)
        place = node.place if node.role == "stock" and node.members == 1 else ""
        room = int((self.column - NODE - 14) / CHARACTER)
        short = note.partition(",")[0].replace("nothing left", "") if close else _cut(note, room + 2)
        cut = _cut(label, room - len(short) if close else room)
        x, y, height = self._x(node.key), self.top[node.key], self._height(node.key)
        return Box(x, y, height, node.role, cut, short, title, node.item, place, close)

    def _label(self, node: Node) -> str:
        if node.members > 1:
            return node.place
        if node.role == "transform":
            return "Made into"
        if node.role == "transit":
            return node.place.replace("→", " → ")
        named = NAMES.get(node.place) or self.names.get(node.place) or node.place
        return f"{named} · {node.lot}" if node.role == "stock" and self.several else named

    def _note(self, node: Node) -> str:
        came = self.graph.edges_in(node.key)
        went = self.graph.edges_out(node.key)
        unit = self.units.get(node.item, "")
        if node.role == "transform":
            return f"at {self.names.get(node.place) or node.place}, {_days(came + went)}"
        if node.role == "transit":
            return f"{quantity(node.here)} on the way since {calendar_day(min(e.first for e in came), year=False)}"
        if node.role == "stock":
            here = f"{quantity(node.here)} {unit} here" if node.here else "nothing left"
            return f"{here}, {_days(came or went)}"
        amount = node.here if node.here > 0 else sum(e.left for e in went) or sum(e.right for e in came)
        return f"{quantity(amount)}, {_days(came or went)}"

    # ---- ribbons

    def _ribbons(self) -> list[Ribbon]:
        out: dict[Key, float] = defaultdict(float)
        into: dict[Key, float] = defaultdict(float)
        placed: dict[int, tuple[float, float]] = {}
        forward = [edge for edge in self.graph.edges if not edge.back]
        for edge in sorted(forward, key=lambda edge: self.top[edge.target]):
            placed[id(edge)] = (self.top[edge.source] + out[edge.source], 0.0)
            out[edge.source] += self._left(edge)
        for edge in sorted(forward, key=lambda edge: self.top[edge.source]):
            placed[id(edge)] = (placed[id(edge)][0], self.top[edge.target] + into[edge.target])
            into[edge.target] += self._right(edge)
        ribbons = [self._ribbon(edge, *placed[id(edge)], self._lane(edge, *placed[id(edge)])) for edge in forward]
        return ribbons + [self._return(edge) for edge in self.graph.edges if edge.back]

    def _lane(self, edge: Edge, left: float, right: float) -> float | None:
        """How far down a ribbon goes that else would lie across nodes of columns between; None where it would not."""
        first, last = (self.graph.nodes[key].column for key in (edge.source, edge.target))
        wide, crossed = max(self._left(edge), self._right(edge), 1.0), False
        for key, top in self.top.items():
            at = self.graph.nodes[key].column
            if first < at < last:
                y = left + (right - left) * (at - first) / (last - first)
                crossed |= y < top + self._height(key) and top < y + wide
        if not crossed:
            return None
        lane = self.bottom
        self.bottom += wide + ROOMY[1]
        return lane

    def _ribbon(self, edge: Edge, left: float, right: float, lane: float | None) -> Ribbon:
        x0, x1 = self._x(edge.source) + NODE, self._x(edge.target)
        low, high = left + max(self._left(edge), 1.0), right + max(self._right(edge), 1.0)
        gap = self.column - NODE
        if lane is None:
            over = _bend(x0, left, x1, right)
            under = _bend(x1, high, x0, low)
        else:
            wide = max(self._left(edge), self._right(edge), 1.0)
            over = _bend(x0, left, x0 + gap, lane) + f"L{x1 - gap:.1f},{lane:.1f}" + _bend(x1 - gap, lane, x1, right)
            floor = lane + wide
            under = _bend(x1, high, x1 - gap, floor) + f"L{x0 + gap:.1f},{floor:.1f}" + _bend(x0 + gap, floor, x0, low)
        path = f"M{x0:.1f},{left:.1f}{over}L{x1:.1f},{high:.1f}{under}Z"
        hatched = edge.inferred and max(low - left, high - right) >= THIN
        return Ribbon(path, self.graph.nodes[edge.target].role, self._title(edge), hatched, back=False)

    def _return(self, edge: Edge) -> Ribbon:
        x0, x1 = self._x(edge.source), self._x(edge.target) + NODE
        y0 = self.top[edge.source] + self._height(edge.source) - 1
        y1 = self.top[edge.target] + self._height(edge.target) - 1
        middle = (x0 + x1) / 2
        path = f"M{x0:.1f},{y0:.1f}C{middle:.1f},{y0 + 16:.1f} {middle:.1f},{y1 + 16:.1f} {x1:.1f},{y1:.1f}"
        return Ribbon(path, self.graph.nodes[edge.target].role, self._title(edge), edge.inferred, back=True)

    def _title(self, edge: Edge) -> str:
        source, target = (self._label(self.graph.nodes[key]) for key in (edge.source, edge.target))
        unit = self.units.get(edge.left_item, "")
        guess = ", lots not named" if edge.inferred else ""
        return f"{source} → {target}: {quantity(edge.left)} {unit} of {edge.left_item}, {_days([edge])}{guess}"


def _bend(x0: float, y0: float, x1: float, y1: float) -> str:
    """A curve that leaves and arrives level."""
    middle = (x0 + x1) / 2
    return f"C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"


def _cut(text: str, room: int) -> str:
    """A text in so many characters.

    >>> _cut("Warehouse 12", 9), _cut("Reno", 9)
    ('Warehous…', 'Reno')
    """
    return text if len(text) <= room else text[: max(room - 1, 3)] + "…"


def _days(edges: list[Edge]) -> str:
    """When goods moved, in days."""
    if not edges:
        return "no movement"
    first, last = min(edge.first for edge in edges), max(edge.last for edge in edges)
    if first[:10] == last[:10]:
        return calendar_day(first)
    same = first[:4] == last[:4]
    return f"{calendar_day(first, year=not same)} – {calendar_day(last)}"
