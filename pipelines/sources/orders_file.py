"""Orders out of exports (CSV, XLSX, Parquet, JSON Lines), after a mapping has named their columns.

The mapping gives flat rows, one per order line; `group_rows` makes one record per order of them, since an order's paid
amount is the sum of its lines. Keys of a row, all optional but `order_id`; amounts are decimals of the currency, times
epoch ms, RFC 3339, local texts or days of Asia/Shanghai:

- `order_id`, `line_id` (default: the row's position in its order), `shop_id`, `platform` (default: the source's);
- the buyer: `customer` in `customer_namespace` (default: option `customer_namespace`, `member_id`) and `customer_scope`
  (default: option `customer_scope`, else the context's brand); beside it `phone`, the buyer's own;
- `status` (as in shop orders), `created_at`, `paid_at` (absent: not paid), `updated_at`, `currency` (default CNY);
- `product_id`, `sku_id`, `brand_sku`, `name`, `quantity`, `price` (of one piece), `amount` (paid for the line without
  freight; default price x quantity less `discount`), `gift`;
- of the order, the first row that has it counts: `freight`, `order_paid` (default: lines and freight), `province`,
  `city`, `internal`.

A row with a negative quantity is a return: a successful refund of its amount, of the order `refund_of`, else of its own
(`refund_id`, `refund_line`, `refunded_at` where known). An order of returns alone is an unpaid, closed order that its
refunds belong to. An amount between two fen is rounded half up and counted as a signal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from pipelines.sources.amounts import MOST
from pipelines.sources.base import Context, FeedParser, Parsed, Record, RecordRefusedError
from pipelines.sources.categories import as_object
from pipelines.sources.evidence import named
from pipelines.sources.fields import identifier, integer, objects, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.shape import Shape
from pipelines.sources.shop_orders import LINES, ORDERS, REFUNDS, add_order, add_refund
from pipelines.sources.sightings import Id

_FIELDS = (
    "order_id line_id shop_id platform customer customer_namespace customer_scope phone status created_at paid_at "
    "updated_at currency product_id sku_id brand_sku name quantity price amount discount gift freight order_paid "
    "province city internal refund_of refund_id refund_line refunded_at"
)
ROW_FIELDS: tuple[str, ...] = tuple(_FIELDS.split())
"""Fields of a row that a mapping may fill."""
SHAPE = Shape("order", ("order_id", *(f"rows[].{name}" for name in _FIELDS.split())))

_COPIED = ("product_id", "sku_id", "brand_sku", "name", "gift")
_OF_ORDER = ("shop_id", "status", "created_at", "paid_at", "updated_at", "currency", "province", "city", "internal")

Row = Mapping[str, Any]


def group_rows(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """One record per order, in the order of their first rows; rows without an order number stay alone and are refused.

    >>> list(group_rows([{"order_id": "A", "price": 1}, {"order_id": "B"}, {"order_id": "A", "price": 2}]))[0]
    {'order_id': 'A', 'rows': [{'order_id': 'A', 'price': 1}, {'order_id': 'A', 'price': 2}]}
    """
    orders: dict[tuple[str, ...], dict[str, Any]] = {}
    for position, row in enumerate(rows):
        order_id = text(row.get("order_id"))
        key = (text(row.get("platform")) or "", text(row.get("shop_id")) or "", order_id or f"\x00{position}")
        record = orders.setdefault(key, {"order_id": order_id, "rows": []})
        record["rows"].append(dict(row))
    yield from orders.values()


def split_orders(payload: bytes, context: Context) -> Sequence[bytes]:
    """The single order, or the orders of a list."""
    return split_pages(payload, [("orders",)])


def parse_orders(record: Record) -> Parsed:
    """An order of a file with its lines and returns; a flat row is an order of one line."""
    value = as_object(record.value, "order")
    if "refused" in value:
        raise RecordRefusedError(str(value["refused"]), f"line {value.get('line')} of the file: {value.get('detail')}")
    if "rows" not in value:
        value = {"order_id": value.get("order_id"), "rows": [value]}
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    order_id = required(identifier(value.get("order_id")), "order_id")
    rows = objects(value["rows"], "rows")
    platform = (
        _first(rows, "platform") or record.context.platform or str(record.settings.options.get("platform", "file"))
    )
    order = {"order_id": order_id} | {name: _first(rows, name) for name in _OF_ORDER}
    ids = _buyer(rows, record)
    sold, returned = _lines(rows, parsed), _returns(rows, order_id, parsed)
    if sold or any(target == order_id for target, _ in returned):
        own = [refund for target, refund in returned if target == order_id]
        add_order(parsed, record, _as_order(order, rows, (sold, own), parsed), place=(platform, "file"), ids=ids)
    shop = identifier(order["shop_id"]) or record.context.shop_id
    for target, refund in returned:
        if target != order_id:
            add_refund(parsed, record, refund, {"platform": platform, "shop_id": shop, "order_id": target})
    return parsed


def _as_order(order: Row, rows: Sequence[Row], facts: tuple[list[Row], list[Row]], parsed: Parsed) -> dict[str, Any]:
    """The order in the form of the brand's own orders."""
    sold, own = facts
    freight = _fen(_first(rows, "freight"), "freight", parsed) or 0
    stated = _fen(_first(rows, "order_paid"), "order_paid", parsed)
    made = {
        "lines": sold,
        "refunds": own,
        "list_fen": sum(line["list_fen"] or 0 for line in sold),
        "freight_fen": freight,
        "paid_fen": stated if stated is not None else sum(line["paid_fen"] or 0 for line in sold) + freight,
    }
    if sold:
        paid = _first(rows, "paid_at") is not None
        return {**order, **made, "status": order["status"] or ("paid" if paid else "created")}
    return {**order, **made, "status": "closed", "paid_at": None, "created_at": order["created_at"] or order["paid_at"]}


def _lines(rows: Sequence[Row], parsed: Parsed) -> list[Row]:
    """The sold lines; a line number used twice in an order gets its occurrence added, so that no line is lost."""
    seen: dict[str, int] = {}
    lines: list[Row] = []
    for position, row in enumerate(rows, start=1):
        quantity = _quantity(row)
        if quantity < 0:
            continue
        line_id = identifier(row.get("line_id")) or str(position)
        seen[line_id] = seen.get(line_id, 0) + 1
        price = _decimal(row.get("price"), "price")
        paid = _amount(row, quantity, parsed)
        lines.append(
            {name: row.get(name) for name in _COPIED}
            | {
                "line_id": line_id if seen[line_id] == 1 else f"{line_id}#{seen[line_id]}",
                "quantity": quantity,
                "unit_price_fen": None if price is None else _rounded(price, "price", parsed),
                "list_fen": paid if price is None else _rounded(price * quantity, "price", parsed),
                "paid_fen": paid,
            }
        )
    return lines


def _returns(rows: Sequence[Row], order_id: str, parsed: Parsed) -> list[tuple[str, Row]]:
    """The returns, each with the order it belongs to."""
    found: list[tuple[str, Row]] = []
    for position, row in enumerate(rows, start=1):
        quantity = _quantity(row)
        if quantity >= 0:
            continue
        line_id = identifier(row.get("line_id")) or str(position)
        at = row.get("refunded_at") or row.get("paid_at") or row.get("created_at")
        refund = {
            "refund_id": identifier(row.get("refund_id")) or f"{order_id}:{line_id}",
            "line_id": identifier(row.get("refund_line")),
            "type": "return_refund",
            "status": "success",
            "amount_fen": _amount(row, -quantity, parsed),
            "at": at,
        }
        found.append((identifier(row.get("refund_of")) or order_id, refund))
    return found


def _amount(row: Row, quantity: int, parsed: Parsed) -> int | None:
    """What was paid for the row, or for a return given back: never below zero."""
    stated = _decimal(row.get("amount"), "amount")
    if stated is None:
        price = _decimal(row.get("price"), "price")
        if price is None:
            return None
        return _rounded(price * quantity - (_decimal(row.get("discount"), "discount") or 0), "price", parsed)
    return _rounded(abs(stated) if _quantity(row) < 0 else stated, "amount", parsed)


def _quantity(row: Row) -> int:
    value = row.get("quantity")
    quantity = integer(value, "quantity")
    return 1 if quantity is None else quantity


def _fen(value: Any, name: str, parsed: Parsed) -> int | None:
    amount = _decimal(value, name)
    return None if amount is None else _rounded(amount, name, parsed)


def _decimal(value: Any, name: str) -> Decimal | None:
    raw = text(value)
    if raw is None:
        return None
    try:
        amount = Decimal(raw.replace(",", ""))
    except InvalidOperation:
        raise RecordRefusedError("bad_value", f"{name}: not a decimal amount") from None
    if not amount.is_finite():
        raise RecordRefusedError("bad_value", f"{name}: not a decimal amount")
    return amount


def _rounded(amount: Decimal, name: str, parsed: Parsed) -> int:
    fen = (amount * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    if fen != amount * 100:
        parsed.unknown_values.append((name, "between two fen, rounded half up"))
    if not 0 <= fen <= MOST:
        raise RecordRefusedError("amount_out_of_bounds", f"{name}: outside 0 to {MOST}")
    return int(fen)


def _first(rows: Sequence[Row], name: str) -> str | None:
    return next((found for row in rows if (found := text(row.get(name))) is not None), None)


def _buyer(rows: Sequence[Row], record: Record) -> list[Id]:
    options, context = record.settings.options, record.context
    namespace = _first(rows, "customer_namespace") or str(options.get("customer_namespace", "member_id"))
    scope = _first(rows, "customer_scope") or str(options.get("customer_scope") or context.brand)
    role = "buyer" if namespace == "phone" else ""
    customer = named(namespace, "" if namespace == "phone" else scope, _first(rows, "customer"), role)
    return customer + named("phone", "", _first(rows, "phone"), "buyer")


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed="orders_file",
        source="orders_file",
        split=split_orders,
        parse=parse_orders,
        tables=(ORDERS, LINES, REFUNDS),
    ),
)
