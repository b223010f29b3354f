"""The exchange format as data: name, type, unit, missing rule and meaning of every column, stated once.

Validation, the importer's help, the digests of facts and the documentation are all driven by `TABLES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

import pyarrow as pa

from stocktwin.domain.identity import CONDITIONS, LOCATION_KINDS

DECIMAL = pa.decimal128(38, 9)
INSTANT = pa.int64()


class ColumnType(Enum):
    """How a column's text is read and how it is kept.

    `ID` and `TEXT` are strings (an id is stripped and never empty), `QUANTITY` a decimal > 0 in a stated unit,
    `LEVEL` a decimal ≥ 0 in a stated unit, `DECIMAL` any decimal, `FACTOR` a rational kept as text,
    `INSTANT` UTC microseconds, `DATE` a calendar date, `INTEGER` an int64, `FLAG` a boolean, `CHOICE` one of a list.
    """

    ID = "id"
    TEXT = "text"
    QUANTITY = "quantity"
    LEVEL = "level"
    DECIMAL = "decimal"
    FACTOR = "factor"
    INSTANT = "instant"
    DATE = "date"
    INTEGER = "integer"
    FLAG = "flag"
    CHOICE = "choice"


ARROW_TYPES: Final = {
    ColumnType.ID: pa.string(),
    ColumnType.TEXT: pa.string(),
    ColumnType.QUANTITY: DECIMAL,
    ColumnType.LEVEL: DECIMAL,
    ColumnType.DECIMAL: DECIMAL,
    ColumnType.FACTOR: pa.string(),
    ColumnType.INSTANT: INSTANT,
    ColumnType.DATE: pa.date32(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.FLAG: pa.bool_(),
    ColumnType.CHOICE: pa.string(),
}


@dataclass(frozen=True)
class Column:
    """One column of an exchange table. `minimum` and `maximum` bound decimals and integers, both inclusive."""

    name: str
    type: ColumnType
    meaning: str
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    digest: bool = True
    """Whether the column is part of a fact's content (record times, file positions and units are not)."""

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type in which the column is kept."""
        return ARROW_TYPES[self.type]


@dataclass(frozen=True)
class Table:
    """One exchange table: its columns, the key that has its effect once, and whether a key may have versions."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    versioned: bool = True
    """Same key with other content: a new version (master data, orders) or, when False, a finding (events, units)."""

    def column(self, name: str) -> Column | None:
        """The column called `name`, or None."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that must be present and filled."""
        return tuple(column.name for column in self.columns if column.required)

    def arrow_schema(self) -> pa.Schema:
        """The canonical Arrow schema: every column in the stated order, then `attributes` (JSON of unknown columns)
        and `_row` (position in the delivered file, 1 = first row of data)."""
        fields = [pa.field(column.name, column.arrow) for column in self.columns]
        return pa.schema([*fields, pa.field("attributes", pa.string()), pa.field("_row", pa.int64())])


def _id(name: str, meaning: str, required: bool = False) -> Column:
    return Column(name, ColumnType.ID, meaning, required)


def _text(name: str, meaning: str) -> Column:
    return Column(name, ColumnType.TEXT, meaning)


def _decimal(name: str, meaning: str, minimum: float | None = 0, maximum: float | None = None,
             required: bool = False) -> Column:  # fmt: skip
    return Column(name, ColumnType.DECIMAL, meaning, required, minimum=minimum, maximum=maximum)


def _level(name: str, meaning: str, required: bool = False) -> Column:
    return Column(name, ColumnType.LEVEL, meaning, required)


def _instant(name: str, meaning: str, required: bool = False, digest: bool = True) -> Column:
    return Column(name, ColumnType.INSTANT, meaning, required, digest=digest)


def _date(name: str, meaning: str, required: bool = False) -> Column:
    return Column(name, ColumnType.DATE, meaning, required)


def _integer(name: str, meaning: str, minimum: float | None = 0) -> Column:
    return Column(name, ColumnType.INTEGER, meaning, minimum=minimum)


def _choice(name: str, choices: tuple[str, ...], meaning: str, required: bool = False) -> Column:
    return Column(name, ColumnType.CHOICE, meaning, required, choices)


def _quantity(meaning: str) -> Column:
    return Column("quantity", ColumnType.QUANTITY, meaning, required=True)


UNIT: Final = Column("unit", ColumnType.ID, "unit of the quantity; the item's base unit when empty", digest=False)
ITEM: Final = _id("item_id", "the item (SKU)", required=True)
LOCATION: Final = _id("location_id", "the location", required=True)
SYSTEM: Final = _id("system", "the source system; the source's name when empty")
RECORDED: Final = _instant("recorded_at", "when the source recorded it", digest=False)

MOVEMENT_KINDS: Final = (
    "receipt", "shipment", "transfer_out", "transfer_in", "sale", "return", "adjustment", "scrap", "transform",
    "status",
)  # fmt: skip
OBSERVATION_METHODS: Final = ("cycle_count", "rfid", "weight", "erp_book", "wms_book")
ORDER_KINDS: Final = ("purchase", "transfer", "sales")
ORDER_STATUSES: Final = ("open", "confirmed", "part_shipped", "shipped", "part_received", "closed", "cancelled")
POLICIES: Final = ("min_max", "reorder_quantity", "base_stock", "periodic", "echelon_base_stock")
DISTRIBUTIONS: Final = ("poisson", "normal", "negative_binomial", "gamma", "empirical")

_TABLES: Final = (
    Table(
        "items",
        "what is stocked",
        (
            ITEM,
            _text("description", "what it is, in words"),
            _text("category", "family or group"),
            _id("gtin", "GS1 trade item number"),
            _id("unit", "base unit; `each` when empty"),
            Column(
                "scale",
                ColumnType.INTEGER,
                "decimal places of the base unit; fixed when the item is created",
                minimum=0,
                maximum=6,
            ),
            _decimal("unit_cost", "cost of one base unit"),
            _decimal("unit_price", "selling price of one base unit"),
            _id("currency", "currency of cost and price; the twin's when empty"),
            _decimal("volume_m3", "volume of one base unit, m³"),
            _decimal("weight_kg", "weight of one base unit, kg"),
            _integer("shelf_life_days", "days from production to expiry"),
            Column("lot_controlled", ColumnType.FLAG, "whether lots are tracked"),
            _text("criticality", "how bad a stock-out is, e.g. `critical`"),
        ),
        key=("item_id",),
    ),
    Table(
        "units",
        "packs: how many base units one of another unit holds",
        (
            ITEM,
            Column("unit", ColumnType.ID, "the other unit, e.g. `case`", required=True),
            Column("factor", ColumnType.FACTOR, "base units in one, a rational such as `12` or `1/3`", required=True),
            _id("gtin", "GS1 trade item number of the pack"),
        ),
        key=("item_id", "unit"),
        versioned=False,
    ),
    Table(
        "locations",
        "where stock can be",
        (
            LOCATION,
            _text("name", "what people call it"),
            _choice("kind", LOCATION_KINDS, "what sort of place it is", required=True),
            _id("gln", "GS1 location number"),
            _decimal("latitude", "degrees north", -90, 90),
            _decimal("longitude", "degrees east", -180, 180),
            _id("timezone", "IANA time zone of its local day; the twin's when empty"),
            _text("region", "sales region"),
            _decimal("storage_capacity_m3", "storage, m³"),
            _decimal("receiving_capacity_per_day", "units that can be received a day"),
            _id("receiving_calendar", "calendar of days on which goods are received"),
            _id("cutoff", "HH:MM at which its day ends; midnight when empty"),
            _decimal("receipt_to_stock_days", "days from the dock to the shelf"),
        ),
        key=("location_id",),
    ),
    Table(
        "lanes",
        "how goods travel from one place to another",
        (
            _id("origin_id", "where the lane starts", required=True),
            _id("destination_id", "where it ends", required=True),
            _id("mode", "road, sea, air …"),
            _decimal("lead_time_days", "declared mean, order to receipt, days", required=True),
            _decimal("lead_time_sd_days", "declared standard deviation, days"),
            _decimal("cost_per_unit", "transport cost of one base unit"),
            _decimal("cost_per_shipment", "transport cost of one shipment"),
            _decimal("capacity_per_day", "units a day"),
            _id("departure_calendar", "calendar of departures"),
            _id("via", "port it passes"),
            _decimal("days_to_via", "days from origin to that port"),
        ),
        key=("origin_id", "destination_id", "mode"),
    ),
    Table(
        "sourcing",
        "where an item-location is replenished from",
        (
            ITEM,
            LOCATION,
            _id("source_id", "supplier or location it is ordered from", required=True),
            _integer("priority", "1 = primary (also when empty)", 1),
            _decimal("share", "share of the orders, 0 to 1", 0, 1),
            _id("mode", "lane mode"),
            _decimal("lead_time_days", "declared mean, days; the lane's when empty"),
            _decimal("lead_time_sd_days", "declared standard deviation, days"),
            _level("moq", "minimum order quantity, base units"),
            _level("order_multiple", "orders are multiples of this many base units"),
            _integer("review_days", "days between reviews; 1 when empty", 1),
            _id("order_calendar", "calendar of ordering days"),
            _decimal("unit_cost", "cost of one base unit from this source"),
            _date("valid_from", "first day it holds"),
            _date("valid_to", "last day it holds"),
        ),
        key=("item_id", "location_id", "source_id", "valid_from"),
    ),
    Table(
        "policies",
        "when and how much is ordered",
        (
            ITEM,
            LOCATION,
            _choice("policy", POLICIES, "how orders are decided", required=True),
            _decimal("reorder_point", "order when the inventory position is at or below it (s)", None),
            _decimal("order_up_to", "order up to it (S); the base-stock level", None),
            _level("order_quantity", "fixed order quantity (Q)"),
            _integer("review_days", "days between reviews (R); 1 when empty", 1),
            _decimal("safety_stock", "stock kept against uncertainty", None),
            _choice("parameter_unit", ("units", "days"), "unit of s, S, Q and safety stock; `units` when empty"),
            _decimal("service_target", "target, 0 to 1", 0, 1),
            _id("service_type", "which service measure the target is of"),
            _choice("shortage", ("backlog", "lost"), "what happens to demand that cannot be served"),
            _decimal("holding_cost", "per base unit and day"),
            _decimal("backlog_cost", "per base unit and day"),
            _decimal("lost_sale_cost", "per base unit"),
            _decimal("order_cost", "per order"),
        ),
        key=("item_id", "location_id"),
    ),
    Table(
        "demand",
        "a declared demand distribution; overrides the forecast",
        (
            ITEM,
            LOCATION,
            _choice("distribution", DISTRIBUTIONS, "shape", required=True),
            _decimal("mean", "mean, base units a day", required=True),
            _decimal("sd", "standard deviation, base units a day"),
        ),
        key=("item_id", "location_id"),
    ),
    Table(
        "movements",
        "a quantity leaving one account and entering another",
        (
            _id("event_id", "the source's own id of the event", required=True),
            _instant("event_time", "when it happened", required=True),
            _choice("kind", MOVEMENT_KINDS, "what happened", required=True),
            ITEM,
            _quantity("how much moved, > 0"),
            UNIT,
            _id("from_id", "where it left; defaults by kind"),
            _id("to_id", "where it went; defaults by kind"),
            _id("lot", "batch"),
            _id("to_lot", "batch it became (transforms)"),
            _date("expiry", "expiry date of the lot"),
            _choice("condition", CONDITIONS, "condition it left; `unrestricted` when empty"),
            _choice("to_condition", CONDITIONS, "condition it entered; as it left when empty"),
            _id("owner", "whose it was; ours when empty"),
            _id("to_owner", "whose it became"),
            _id("document", "delivery note, invoice …"),
            _id("order_id", "order it belongs to"),
            _id("line", "line of that order"),
            _id("shipment_id", "shipment it travelled with"),
            _text("reason", "why, in the source's words"),
            SYSTEM,
            _id("corrects", "event id of the movement it corrects (a link only)"),
            RECORDED,
        ),
        key=("system", "event_id"),
        versioned=False,
    ),
    Table(
        "observations",
        "an absolute claim about a level",
        (
            _id("event_id", "the source's own id of the event", required=True),
            _instant("event_time", "cut-off of the claim", required=True),
            _choice("method", OBSERVATION_METHODS, "how it was seen", required=True),
            ITEM,
            LOCATION,
            Column("quantity", ColumnType.LEVEL, "level seen, ≥ 0", required=True),
            UNIT,
            _id("lot", "batch"),
            _id("scope", "what the claim covers, e.g. `complete`"),
            SYSTEM,
            RECORDED,
        ),
        key=("system", "event_id"),
        versioned=False,
    ),
    Table(
        "orders",
        "a promise of future flow; several rows of one line are its versions",
        (
            _id("order_id", "order number", required=True),
            _id("line", "line number", required=True),
            _choice("kind", ORDER_KINDS, "purchase, transfer or sales", required=True),
            ITEM,
            _quantity("ordered quantity"),
            UNIT,
            _id("from_id", "who delivers"),
            _id("to_id", "who receives"),
            _instant("ordered_at", "when it was ordered", required=True),
            _instant("requested_at", "when it was asked for"),
            _instant("promised_at", "when it was promised for"),
            _instant("shipped_at", "when it left"),
            _instant("received_at", "when it arrived"),
            _level("quantity_received", "received so far, in the same unit"),
            _level("quantity_cancelled", "cancelled, in the same unit"),
            _integer("customer_priority", "1 = first", None),
            _choice("status", ORDER_STATUSES, "state of the line; `open` when empty"),
            SYSTEM,
            _instant("updated_at", "when the source last changed the line"),
        ),
        key=("system", "order_id", "line", "updated_at"),
    ),
    Table(
        "shipments",
        "goods on a lane",
        (
            _id("shipment_id", "shipment number", required=True),
            _id("origin_id", "where it left", required=True),
            _id("destination_id", "where it goes", required=True),
            _instant("departed_at", "when it left"),
            _instant("promised_at", "when it was promised for"),
            _instant("arrived_at", "when it arrived"),
            _id("order_id", "order it belongs to"),
            _id("line", "line of that order"),
            _id("item_id", "what it carries"),
            _id("lot", "batch"),
            _level("quantity", "how much, base units"),
            _level("quantity_received", "how much of it was received"),
            _id("mode", "lane mode"),
            _text("carrier", "who carries it"),
            RECORDED,
        ),
        key=("shipment_id", "order_id", "line", "item_id", "lot", "recorded_at"),
    ),
    Table(
        "positions",
        "where a shipment was",
        (
            _id("shipment_id", "shipment number", required=True),
            _instant("event_time", "when it was there", required=True),
            _decimal("latitude", "degrees north", -90, 90, required=True),
            _decimal("longitude", "degrees east", -180, 180, required=True),
            _text("milestone", "what happened there"),
        ),
        key=("shipment_id", "event_time"),
    ),
    Table(
        "signals",
        "an external demand driver as a dated series",
        (
            _id("name", "which series", required=True),
            _date("date", "the day", required=True),
            _decimal("value", "its value that day", None, required=True),
            _id("item_id", "item it concerns"),
            _text("category", "category it concerns"),
            _id("location_id", "location it concerns"),
            _text("region", "region it concerns"),
        ),
        key=("name", "date", "item_id", "category", "location_id", "region"),
    ),
    Table(
        "crossref",
        "other systems' names for our things",
        (
            Column("system", ColumnType.ID, "the system that uses the name", required=True),
            _choice("kind", ("item", "location", "unit", "party"), "what it names", required=True),
            _id("external_id", "the system's name", required=True),
            _id("internal_id", "our name", required=True),
            _date("valid_from", "first day it holds"),
            _date("valid_to", "last day it holds"),
        ),
        key=("system", "kind", "external_id", "valid_from"),
    ),
    Table(
        "calendars",
        "open and closed days",
        (
            _id("calendar_id", "which calendar", required=True),
            _date("date", "the day", required=True),
            Column("open", ColumnType.FLAG, "whether it is open", required=True),
        ),
        key=("calendar_id", "date"),
    ),
    Table(
        "shelf_life_rules",
        "remaining shelf life a customer or region asks for",
        (
            _id("customer", "customer it holds for"),
            _text("region", "region it holds for"),
            _id("item_id", "item it holds for"),
            _text("category", "category it holds for"),
            Column("min_remaining_days", ColumnType.INTEGER, "days left at least", required=True, minimum=0),
        ),
        key=("customer", "region", "item_id", "category"),
    ),
    Table(
        "bom",
        "what an item is made of",
        (
            _id("parent", "item made", required=True),
            _id("component", "item used", required=True),
            _quantity("base units of the component in one base unit of the parent"),
        ),
        key=("parent", "component"),
    ),
    Table(
        "substitutes",
        "what can be given instead",
        (
            ITEM,
            _id("substitute", "item given instead", required=True),
            _decimal("ratio", "base units of the substitute for one", required=True),
        ),
        key=("item_id", "substitute"),
    ),
    Table(
        "price_breaks",
        "cheaper from a quantity on",
        (
            ITEM,
            _id("source_id", "supplier", required=True),
            _level("from_quantity", "from this many base units on", required=True),
            _decimal("unit_cost", "cost of one base unit", required=True),
        ),
        key=("item_id", "source_id", "from_quantity"),
    ),
    Table(
        "fx",
        "exchange rates; amounts in different currencies are never added without one",
        (
            _date("date", "the day", required=True),
            _id("currency", "the currency", required=True),
            _decimal("rate", "twin currency for one of it", required=True),
        ),
        key=("date", "currency"),
    ),
)

TABLES: Final[dict[str, Table]] = {table.name: table for table in _TABLES}
"""The exchange tables by name, in the order in which a folder is read (master data first)."""

FACT_TABLES: Final = ("movements", "observations", "orders", "shipments", "positions", "signals")
MASTER_TABLES: Final = tuple(name for name in TABLES if name not in FACT_TABLES)
EVENT_TABLES: Final = ("movements", "observations")
FLOW_TABLES: Final = ("orders", "shipments", "positions", "signals")
