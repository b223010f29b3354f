"""A recall trace as a graph: places as nodes in the order in which goods reach them, quantities as edges.

Lanes become edges between their ends, with what is still on its way as a node of its own; transforms become nodes
between the lots that went in and those that came out. What is too much for one column is put together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Key = tuple[str, ...]
MOST: Final = {"customer": 14, "stock": 24}
MOST_OTHERS: Final = 10
ENDS: Final = ("customer", "scrap", "loss")
MANY: Final = {"customer": "customers", "stock": "places", "transit": "lanes", "supplier": "suppliers"}


@dataclass
class Node:
    """A lot at a place, a customer, a supplier, a transform, or what is on its way."""

    key: Key
    role: str
    place: str
    item: str = ""
    lot: str = ""
    here: float = 0.0
    """What is there now, in the item's unit."""
    inferred: bool = False
    column: int = 0
    members: int = 1
    """How many nodes were put together in it."""


@dataclass
class Edge:
    """Goods that went from one node to another. `left` and `right` are what left and what arrived, each in its unit."""

    source: Key
    target: Key
    left: float
    right: float
    left_item: str
    right_item: str
    first: str
    last: str
    inferred: bool
    back: bool = False
    """Whether it runs against the order of the columns: returns."""


@dataclass
class Graph:
    """Nodes by key, and edges."""

    nodes: dict[Key, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def edges_in(self, key: Key) -> list[Edge]:
        """Edges that end in a node, returns left out."""
        return [edge for edge in self.edges if edge.target == key and not edge.back]

    def edges_out(self, key: Key) -> list[Edge]:
        """Edges that begin in a node, returns left out."""
        return [edge for edge in self.edges if edge.source == key and not edge.back]


def graph_of(answer: Mapping[str, Any]) -> Graph:
    """The graph of an answer of `trace`."""
    graph = _Builder(answer).build()
    _order(graph)
    _place_in_columns(graph)
    _gather(graph)
    return graph


class _Builder:
    """Turns flows into nodes and edges."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.answer = answer
        self.graph = Graph()
        self.roles = {row["location_id"]: row["role"] for row in answer["places"]}
        sign = {"self": 0, "made_into": 1, "made_from": -1}
        self.level = {(row["item_id"], row["lot"]): sign[row["relation"]] * row["level"] for row in answer["lots"]}

    def build(self) -> Graph:
        lanes: dict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
        for flow in self.answer["flows"]:
            ends = [end for end in (flow["from_id"], flow["to_id"]) if self.roles.get(end) == "lane"]
            if ends:
                lanes[flow["item_id"], flow["lot"], ends[0]].append(flow)
            else:
                self._edge(flow, self._node(flow, flow["from_id"], out=True), self._node(flow, flow["to_id"]))
        for (_, _, lane), flows in lanes.items():
            self._lane(lane, flows)
        for row in self.answer["where"]:
            self._here(row)
        return self.graph

    def _lane(self, lane: str, flows: list[Mapping[str, Any]]) -> None:
        """Goods that arrived go from end to end; the rest is on its way."""
        came = [flow for flow in flows if flow["to_id"] == lane]
        origin, _, _ = lane.partition("→")
        source = self._node(flows[0], came[0]["from_id"] if came else origin, out=True)
        arrived = 0.0
        for flow in flows:
            if flow["from_id"] == lane:
                first = min((one["first"] for one in came), default=flow["first"])
                self._edge({**flow, "first": first}, source, self._node(flow, flow["to_id"]))
                arrived += float(flow["quantity"])
        left = sum(float(flow["quantity"]) for flow in came) - arrived
        if left > 0:
            key = ("transit", flows[0]["item_id"], flows[0]["lot"], lane)
            node = self.graph.nodes.setdefault(key, Node(key, "transit", lane, flows[0]["item_id"], flows[0]["lot"]))
            self._edge({**came[-1], "quantity": left}, source, node)

    def _node(self, flow: Mapping[str, Any], place: str, out: bool = False) -> Node:
        role = self.roles.get(place, "stock")
        item, lot = flow["item_id"], flow["lot"]
        if role == "stock":
            key: Key = ("stock", item, lot, place)
        elif role == "transform":
            level = self.level.get((item, lot), 0) - (1 if out else 0)
            other = flow["to_id"] if out else flow["from_id"]
            key, item, lot, place = ("transform", str(level), other), "", "", other
        else:
            key, item, lot = (role, place), "", ""
        return self.graph.nodes.setdefault(key, Node(key, role, place, item, lot))

    def _edge(self, flow: Mapping[str, Any], source: Node, target: Node) -> None:
        quantity = float(flow["quantity"])
        self.graph.edges.append(
            Edge(source.key, target.key, quantity, quantity, flow["item_id"], flow["item_id"],
                 flow["first"], flow["last"], flow["inferred"])
        )  # fmt: skip

    def _here(self, row: Mapping[str, Any]) -> None:
        place, role = row["location_id"], self.roles.get(row["location_id"], "stock")
        key = {
            "stock": ("stock", row["item_id"], row["lot"], place),
            "lane": ("transit", row["item_id"], row["lot"], place),
        }.get(role, (role, place))
        if key in self.graph.nodes and role != "transform":
            self.graph.nodes[key].here += float(row["quantity"])
            self.graph.nodes[key].inferred |= row["inferred"]


def _order(graph: Graph) -> None:
    """Marks what comes back: from where goods end, or in a circle, the latest first. What is left has an order."""
    following: dict[Key, set[Key]] = defaultdict(set)
    for edge in sorted(graph.edges, key=lambda edge: (edge.first, edge.source, edge.target)):
        ended = graph.nodes[edge.source].role in ENDS
        edge.back = ended or edge.source == edge.target or _reaches(following, edge.target, edge.source)
        if not edge.back:
            following[edge.source].add(edge.target)


def _reaches(following: Mapping[Key, Iterable[Key]], start: Key, goal: Key) -> bool:
    seen, edge = {start}, [start]
    while edge:
        here = edge.pop()
        if here == goal:
            return True
        more = [key for key in following.get(here, ()) if key not in seen]
        seen.update(more)
        edge += more
    return False


def _place_in_columns(graph: Graph) -> None:
    """A node stands behind everything that goes to it; sources stand just before what they feed, ends in the last."""
    missing = {key: len(graph.edges_in(key)) for key in graph.nodes}
    ready = [key for key, left in missing.items() if not left]
    while ready:
        key = ready.pop()
        for edge in graph.edges_out(key):
            target = graph.nodes[edge.target]
            target.column = max(target.column, graph.nodes[key].column + 1)
            missing[edge.target] -= 1
            if not missing[edge.target]:
                ready.append(edge.target)
    last = max((node.column for node in graph.nodes.values()), default=0)
    for node in graph.nodes.values():
        node.column = last if node.role in ENDS else node.column
    fed = _fed(graph)
    for node in sorted(graph.nodes.values(), key=lambda node: -node.column):
        out = graph.edges_out(node.key)
        if out and (node.key not in fed or not graph.edges_in(node.key)):
            node.column = min(graph.nodes[edge.target].column for edge in out) - 1
    first = min((node.column for node in graph.nodes.values()), default=0)
    for node in graph.nodes.values():
        node.column -= first


def _fed(graph: Graph) -> set[Key]:
    """Nodes that goods reached from a supplier: others are told of by mistake, and stand as far behind as they can."""
    edge = [key for key, node in graph.nodes.items() if node.role == "supplier"]
    found = set(edge)
    while edge:
        more = {one.target for one in graph.edges_out(edge.pop())} - found
        found |= more
        edge += more
    return found


def _gather(graph: Graph) -> None:
    """Puts the smallest nodes of a crowded column together."""
    crowds: dict[tuple[int, str], list[Node]] = defaultdict(list)
    for node in graph.nodes.values():
        crowds[node.column, node.role].append(node)
    into: dict[Key, Key] = {}
    for (column, role), nodes in crowds.items():
        most = MOST.get(role, MOST_OTHERS)
        if len(nodes) <= most + 1:
            continue
        size = {node.key: sum(edge.right for edge in graph.edges_in(node.key)) for node in nodes}
        few = sorted(nodes, key=lambda node: (-size[node.key], node.key))[most:]
        rest = Node(("rest", role, str(column)), role, f"{len(few)} more {MANY.get(role, 'nodes')}", column=column)
        rest.members = len(few)
        items = {node.item for node in few}
        rest.item = items.pop() if len(items) == 1 else ""
        rest.here, rest.inferred = sum(node.here for node in few), any(node.inferred for node in few)
        graph.nodes[rest.key] = rest
        for node in few:
            into[node.key] = rest.key
            del graph.nodes[node.key]
    if into:
        graph.edges = _merged(graph.edges, into)


def _merged(edges: list[Edge], into: Mapping[Key, Key]) -> list[Edge]:
    found: dict[tuple[Any, ...], Edge] = {}
    for edge in edges:
        source, target = into.get(edge.source, edge.source), into.get(edge.target, edge.target)
        key = (source, target, edge.left_item, edge.right_item, edge.back)
        if key not in found:
            edge.source, edge.target = source, target
            found[key] = edge
            continue
        one = found[key]
        one.left, one.right = one.left + edge.left, one.right + edge.right
        one.first, one.last = min(one.first, edge.first), max(one.last, edge.last)
        one.inferred |= edge.inferred
    return list(found.values())
