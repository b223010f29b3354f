"""The exchange format as data: name, type, unit, missing rule and meaning of every column, stated once.

Validation, the importer's help, the digests of facts and the documentation are all driven by `TABLES`.
"""

from __future__ import annotations

from typing import Final

from stocktwin.domain.identity import CONDITIONS, LOCATION_KINDS
from stocktwin.tables.columns import (
    ARROW_TYPES,
    DECIMAL,
    INSTANT,
    Column,
    ColumnType,
    Table,
    choice_column,
    date_column,
    decimal_column,
    id_column,
    instant_column,
    integer_column,
    level_column,
    quantity_column,
    text_column,
)

__all__ = [
    "ARROW_TYPES",
    "DECIMAL",
    "FACT_TABLES",
    "INSTANT",
    "MASTER_TABLES",
    "TABLES",
    "Column",
    "ColumnType",
    "Table",
]

UNIT: Final = Column("unit", ColumnType.ID, "unit of the quantity; the item's base unit when empty", digest=False)
ITEM: Final = id_column("item_id", "the item (SKU)", required=True)
LOCATION: Final = id_column("location_id", "the location", required=True)
SYSTEM: Final = id_column("system", "the source system; the source's name when empty")
RECORDED: Final = instant_column("recorded_at", "when the source recorded it", digest=False)

MOVEMENT_KINDS: Final = (
    "receipt", "shipment", "transfer_out", "transfer_in", "sale", "return", "adjustment", "scrap", "transform",
    "status",
)  # fmt: skip
OBSERVATION_METHODS: Final = ("cycle_count", "rfid", "weight", "erp_book", "wms_book")
SENSED: Final = ("rfid", "weight")  # methods that are never exact
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
            text_column("description", "what it is, in words"),
            text_column("category", "family or group"),
            id_column("gtin", "GS1 trade item number"),
            id_column("unit", "base unit; `each` when empty"),
            Column(
                "scale",
                ColumnType.INTEGER,
                "decimal places of the base unit; fixed when the item is created",
                minimum=0,
                maximum=6,
            ),
            decimal_column("unit_cost", "cost of one base unit"),
            decimal_column("unit_price", "selling price of one base unit"),
            id_column("currency", "currency of cost and price; the twin's when empty"),
            decimal_column("volume_m3", "volume of one base unit, m³"),
            decimal_column("weight_kg", "weight of one base unit, kg"),
            integer_column("shelf_life_days", "days from production to expiry"),
            Column("lot_controlled", ColumnType.FLAG, "whether lots are tracked"),
            text_column("criticality", "how bad a stock-out is, e.g. `critical`"),
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
            id_column("gtin", "GS1 trade item number of the pack"),
        ),
        key=("item_id", "unit"),
        versioned=False,
    ),
    Table(
        "locations",
        "where stock can be",
        (
            LOCATION,
            text_column("name", "what people call it"),
            choice_column("kind", LOCATION_KINDS, "what sort of place it is", required=True),
            id_column("gln", "GS1 location number"),
            decimal_column("latitude", "degrees north", -90, 90),
            decimal_column("longitude", "degrees east", -180, 180),
            id_column("timezone", "IANA time zone of its local day; the twin's when empty"),
            text_column("region", "sales region"),
            decimal_column("storage_capacity_m3", "storage, m³"),
            decimal_column("receiving_capacity_per_day", "units that can be received a day"),
            id_column("receiving_calendar", "calendar of days on which goods are received"),
            id_column("cutoff", "HH:MM at which its day ends; midnight when empty"),
            decimal_column("receipt_to_stock_days", "days from the dock to the shelf"),
        ),
        key=("location_id",),
    ),
    Table(
        "lanes",
        "how goods travel from one place to another",
        (
            id_column("origin_id", "where the lane starts", required=True),
            id_column("destination_id", "where it ends", required=True),
            id_column("mode", "road, sea, air …"),
            decimal_column("lead_time_days", "declared mean, order to receipt, days", required=True),
            decimal_column("lead_time_sd_days", "declared standard deviation, days"),
            decimal_column("cost_per_unit", "transport cost of one base unit"),
            decimal_column("cost_per_shipment", "transport cost of one shipment"),
            decimal_column("capacity_per_day", "units a day"),
            id_column("departure_calendar", "calendar of departures"),
            id_column("via", "port it passes"),
            decimal_column("days_to_via", "days from origin to that port"),
        ),
        key=("origin_id", "destination_id", "mode"),
    ),
    Table(
        "sourcing",
        "where an item-location is replenished from",
        (
            ITEM,
            LOCATION,
            id_column("source_id", "supplier or location it is ordered from", required=True),
            integer_column("priority", "1 = primary (also when empty)", 1),
            decimal_column("share", "share of the orders, 0 to 1", 0, 1),
            id_column("mode", "lane mode"),
            decimal_column("lead_time_days", "declared mean, days; the lane's when empty"),
            decimal_column("lead_time_sd_days", "declared standard deviation, days"),
            level_column("moq", "minimum order quantity, base units"),
            level_column("order_multiple", "orders are multiples of this many base units"),
            integer_column("review_days", "days between reviews; 1 when empty", 1),
            id_column("order_calendar", "calendar of ordering days"),
            decimal_column("unit_cost", "cost of one base unit from this source"),
            date_column("valid_from", "first day it holds"),
            date_column("valid_to", "last day it holds"),
        ),
        key=("item_id", "location_id", "source_id", "valid_from"),
    ),
    Table(
        "policies",
        "when and how much is ordered",
        (
            ITEM,
            LOCATION,
            choice_column("policy", POLICIES, "how orders are decided", required=True),
            decimal_column("reorder_point", "order when the inventory position is at or below it (s)", None),
            decimal_column("order_up_to", "order up to it (S); the base-stock level", None),
            level_column("order_quantity", "fixed order quantity (Q)"),
            integer_column("review_days", "days between reviews (R); 1 when empty", 1),
            decimal_column("safety_stock", "stock kept against uncertainty", None),
            choice_column("parameter_unit", ("units", "days"), "unit of s, S, Q and safety stock; `units` when empty"),
            decimal_column("service_target", "target, 0 to 1", 0, 1),
            id_column("service_type", "which service measure the target is of"),
            choice_column("shortage", ("backlog", "lost"), "what happens to demand that cannot be served"),
            decimal_column("holding_cost", "per base unit and day"),
            decimal_column("backlog_cost", "per base unit and day"),
            decimal_column("lost_sale_cost", "per base unit"),
            decimal_column("order_cost", "per order"),
        ),
        key=("item_id", "location_id"),
    ),
    Table(
        "demand",
        "a declared demand distribution; overrides the forecast",
        (
            ITEM,
            LOCATION,
            choice_column("distribution", DISTRIBUTIONS, "shape", required=True),
            decimal_column("mean", "mean, base units a day", required=True),
            decimal_column("sd", "standard deviation, base units a day"),
        ),
        key=("item_id", "location_id"),
    ),
    Table(
        "movements",
        "a quantity leaving one account and entering another",
        (
            id_column("event_id", "the source's own id of the event", required=True),
            instant_column("event_time", "when it happened", required=True),
            choice_column("kind", MOVEMENT_KINDS, "what happened", required=True),
            ITEM,
            quantity_column("how much moved, > 0"),
            UNIT,
            id_column("from_id", "where it left; defaults by kind"),
            id_column("to_id", "where it went; defaults by kind"),
            id_column("lot", "batch"),
            id_column("to_lot", "batch it became (transforms)"),
            date_column("expiry", "expiry date of the lot"),
            choice_column("condition", CONDITIONS, "condition it left; `unrestricted` when empty"),
            choice_column("to_condition", CONDITIONS, "condition it entered; as it left when empty"),
            id_column("owner", "whose it was; ours when empty"),
            id_column("to_owner", "whose it became"),
            id_column("document", "delivery note, invoice …"),
            id_column("order_id", "order it belongs to"),
            id_column("line", "line of that order"),
            id_column("shipment_id", "shipment it travelled with"),
            text_column("reason", "why, in the source's words"),
            SYSTEM,
            id_column("corrects", "event id of the movement it corrects (a link only)"),
            RECORDED,
        ),
        key=("system", "event_id"),
        versioned=False,
    ),
    Table(
        "observations",
        "an absolute claim about a level",
        (
            id_column("event_id", "the source's own id of the event", required=True),
            instant_column("event_time", "cut-off of the claim", required=True),
            choice_column("method", OBSERVATION_METHODS, "how it was seen", required=True),
            ITEM,
            LOCATION,
            Column("quantity", ColumnType.LEVEL, "level seen, ≥ 0", required=True),
            UNIT,
            id_column("lot", "batch"),
            id_column("scope", "what the claim covers, e.g. `complete`"),
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
            id_column("order_id", "order number", required=True),
            id_column("line", "line number", required=True),
            choice_column("kind", ORDER_KINDS, "purchase, transfer or sales", required=True),
            ITEM,
            quantity_column("ordered quantity"),
            UNIT,
            id_column("from_id", "who delivers"),
            id_column("to_id", "who receives"),
            instant_column("ordered_at", "when it was ordered", required=True),
            instant_column("requested_at", "when it was asked for"),
            instant_column("promised_at", "when it was promised for"),
            instant_column("shipped_at", "when it left"),
            instant_column("received_at", "when it arrived"),
            level_column("quantity_received", "received so far, in the same unit"),
            level_column("quantity_cancelled", "cancelled, in the same unit"),
            integer_column("customer_priority", "1 = first", None),
            choice_column("status", ORDER_STATUSES, "state of the line; `open` when empty"),
            SYSTEM,
            instant_column("updated_at", "when the source last changed the line"),
        ),
        key=("system", "order_id", "line", "updated_at"),
    ),
    Table(
        "shipments",
        "goods on a lane",
        (
            id_column("shipment_id", "shipment number", required=True),
            id_column("origin_id", "where it left", required=True),
            id_column("destination_id", "where it goes", required=True),
            instant_column("departed_at", "when it left"),
            instant_column("promised_at", "when it was promised for"),
            instant_column("arrived_at", "when it arrived"),
            id_column("order_id", "order it belongs to"),
            id_column("line", "line of that order"),
            id_column("item_id", "what it carries"),
            id_column("lot", "batch"),
            level_column("quantity", "how much, base units"),
            level_column("quantity_received", "how much of it was received"),
            id_column("mode", "lane mode"),
            text_column("carrier", "who carries it"),
            RECORDED,
        ),
        key=("shipment_id", "order_id", "line", "item_id", "lot", "recorded_at"),
    ),
    Table(
        "positions",
        "where a shipment was",
        (
            id_column("shipment_id", "shipment number", required=True),
            instant_column("event_time", "when it was there", required=True),
            decimal_column("latitude", "degrees north", -90, 90, required=True),
            decimal_column("longitude", "degrees east", -180, 180, required=True),
            text_column("milestone", "what happened there"),
        ),
        key=("shipment_id", "event_time"),
    ),
    Table(
        "signals",
        "an external demand driver as a dated series",
        (
            id_column("name", "which series", required=True),
            date_column("date", "the day", required=True),
            decimal_column("value", "its value that day", None, required=True),
            id_column("item_id", "item it concerns"),
            text_column("category", "category it concerns"),
            id_column("location_id", "location it concerns"),
            text_column("region", "region it concerns"),
        ),
        key=("name", "date", "item_id", "category", "location_id", "region"),
    ),
    Table(
        "crossref",
        "other systems' names for our things",
        (
            Column("system", ColumnType.ID, "the system that uses the name", required=True),
            choice_column("kind", ("item", "location", "unit", "party"), "what it names", required=True),
            id_column("external_id", "the system's name", required=True),
            id_column("internal_id", "our name", required=True),
            date_column("valid_from", "first day it holds"),
            date_column("valid_to", "last day it holds"),
        ),
        key=("system", "kind", "external_id", "valid_from"),
    ),
    Table(
        "calendars",
        "open and closed days",
        (
            id_column("calendar_id", "which calendar", required=True),
            date_column("date", "the day", required=True),
            Column("open", ColumnType.FLAG, "whether it is open", required=True),
        ),
        key=("calendar_id", "date"),
    ),
    Table(
        "shelf_life_rules",
        "remaining shelf life a customer or region asks for",
        (
            id_column("customer", "customer it holds for"),
            text_column("region", "region it holds for"),
            id_column("item_id", "item it holds for"),
            text_column("category", "category it holds for"),
            Column("min_remaining_days", ColumnType.INTEGER, "days left at least", required=True, minimum=0),
        ),
        key=("customer", "region", "item_id", "category"),
    ),
    Table(
        "bom",
        "what an item is made of",
        (
            id_column("parent", "item made", required=True),
            id_column("component", "item used", required=True),
            quantity_column("base units of the component in one base unit of the parent"),
        ),
        key=("parent", "component"),
    ),
    Table(
        "substitutes",
        "what can be given instead",
        (
            ITEM,
            id_column("substitute", "item given instead", required=True),
            decimal_column("ratio", "base units of the substitute for one", required=True),
        ),
        key=("item_id", "substitute"),
    ),
    Table(
        "price_breaks",
        "cheaper from a quantity on",
        (
            ITEM,
            id_column("source_id", "supplier", required=True),
            level_column("from_quantity", "from this many base units on", required=True),
            decimal_column("unit_cost", "cost of one base unit", required=True),
        ),
        key=("item_id", "source_id", "from_quantity"),
    ),
    Table(
        "fx",
        "exchange rates; amounts in different currencies are never added without one",
        (
            date_column("date", "the day", required=True),
            id_column("currency", "the currency", required=True),
            decimal_column("rate", "twin currency for one of it", required=True),
        ),
        key=("date", "currency"),
    ),
)

TABLES: Final[dict[str, Table]] = {table.name: table for table in _TABLES}
"""The exchange tables by name, in the order in which a folder is read (master data first)."""

FACT_TABLES: Final = ("movements", "observations", "orders", "shipments", "positions", "signals")
MASTER_TABLES: Final = tuple(name for name in TABLES if name not in FACT_TABLES)
