"""Orders out of exports (CSV, XLSX, Parquet, JSON Lines), after a mapping has named their columns.

The mapping gives flat rows, one per order line; `group_rows` makes one record per order of them, since an order's paid
amount is the sum of its lines. Keys of a row, all optional but `order_id`; amounts are decimals of the currency, times
epoch ms, RFC 3339, local texts or days of Asia/Shanghai:

- `order_id`, `line_id` (default: the row's position in its order), `shop_id`, `platform` (default: the source's);
- the buyer: `customer` in `customer_namespace` (default: option `customer_namespace`, `member_id`) and `customer_scope`
  (default: option `customer_scope`, else the context's brand); beside it `phone`, the buyer's own; `receiver_phone`
  counts in the role of option `order_phone_role`, its mask as a check only;
- `status` (as in shop orders), `created_at`, `paid_at` (absent: not paid), `shipped_at`, `finished_at`, `closed_at`,
  `updated_at` (default: the latest of them), `currency` (default CNY);
- `product_id`, `sku_id`, `brand_sku`, `name`, `quantity`, `price` (of one piece), `amount` (paid for the line without
  freight; default `line_total` less `line_freight`, else price x quantity less `discount`), `gift`, `refund_state`
  (none, open, success, closed), `talent_id`, `room_id`, `video_id`, `origin`;
- of the order, the first row that has it counts: `freight` (default: the sum of `line_freight`), `order_paid` (default:
  the sum of `line_total`, else lines and freight), `order_list`, `order_discount`, `subsidy`, `province`, `city`,
  `internal`.

A row with a negative quantity is a return: a successful refund of its amount, of the order `refund_of`, else of its own
(`refund_id`, `refund_line`, `refunded_at` where known). An order of returns alone is an unpaid, closed order that its
refunds belong to. A `refund_amount` beside a sold line is a refund of that line, successful unless `refund_status` says
otherwise. An amount between two fen is refused, never rounded.

What is not known counts as nothing and is said: a paid order whose amount nothing tells is refused, a line without one
has none and the order's rest, and a line called refunded without a `refund_amount` is a signal and takes nothing off.
Orders and lines of Douyin and Tmall need their shop: under another or none they would stand beside the pulled ones.

A record whose export `holds` orders alone names no lines, one that holds lines alone no order: the other file does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipelines.sources.amounts import mask_tail, plain_phone
from pipelines.sources.base import Context, FeedParser, Parsed, Record, RecordRefusedError, version_key
from pipelines.sources.categories import as_object, category, refuse_stated
from pipelines.sources.evidence import first_known, named, observe
from pipelines.sources.fields import flag, identifier, items, mapping, objects, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.refunds import NUMBERED_BY_PLATFORM, REFUNDS, made_number
from pipelines.sources.scopes import product_scope
from pipelines.sources.shape import Shape
from pipelines.sources.shop_orders import LINES, ORDERS, RANK, add_refund, line_amounts, order_amounts, order_facts
from pipelines.sources.sightings import Id
from pipelines.sources.table_values import in_bounds, quantity_of, signed_fen, table_fen, table_time

_FIELDS = (
    "order_id line_id shop_id platform customer customer_namespace customer_scope phone receiver_phone status "
    "created_at paid_at shipped_at finished_at closed_at updated_at currency product_id sku_id brand_sku name quantity "
    "price amount discount line_total line_freight gift refund_state talent_id room_id video_id origin freight "
    "order_paid order_list order_discount subsidy province city internal refund_of refund_id refund_line refunded_at "
    "refund_amount refund_status"
)
ROW_FIELDS: tuple[str, ...] = (*_FIELDS.split(), "address")
"""Fields of a row that a mapping may fill; of an `address` only province and city are kept."""
REST = "rest"
"""What stands in columns that a mapping neither uses nor leaves out, by heading."""

ID_FIELDS = (
    *("order_id", "line_id", "shop_id", "product_id", "sku_id", "brand_sku", "customer", "talent_id", "room_id"),
    *("video_id", "refund_of", "refund_id", "refund_line"),
)
"""Fields that a spreadsheet may have rounded."""
SHAPE = Shape("order", ("order_id", "holds", *(f"rows[].{name}" for name in _FIELDS.split() if name != "order_id")))

_COUNTED = ("order_paid", "order_list", "amount", "price", "line_total", "quantity", "refund_amount")
_OF_ORDER = ("shop_id", "status", "currency", "province", "city", "internal")
_COPIED = ("product_id", "sku_id", "brand_sku", "name", "gift")
_SHOWN = ("talent_id", "room_id", "video_id")
_TIMES = ("created_at", "paid_at", "shipped_at", "finished_at", "closed_at")
_TELLING = (*_TIMES, "updated_at", "status", *_COUNTED)
_PAID_STATUS = frozenset({"paid", "part_shipped", "shipped", "signed", "finished"})

NEEDS_SHOP = "an order of {} without its shop would stand beside the pulled one"
ADD_SHOP = "name the shop as its pulled orders do, for the whole export with --context shop_id=SHOP"

_REFUND_RANK = {"none": 0, "open": 1, "closed": 2, "success": 3}
"""Of two exports in which nothing but a refund moved, the one that is further counts."""

Row = Mapping[str, Any]


def group_rows(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """One record per order, in the order of their first rows; rows without an order number stay alone and are refused.

    Where the platform numbers lines, a row that stands twice is one: exports were put together, or sheets overlap.

    >>> list(group_rows([{"order_id": "A", "price": 1}, {"order_id": "B"}, {"order_id": "A", "price": 2}]))[0]
    {'order_id': 'A', 'rows': [{'order_id': 'A', 'price': 1}, {'order_id': 'A', 'price': 2}]}
    """
    orders: dict[tuple[str, ...], dict[str, Any]] = {}
    for position, row in enumerate(rows):
        order_id = text(row.get("order_id"))
        key = (text(row.get("platform")) or "", text(row.get("shop_id")) or "", order_id or f"\x00{position}")
        record = orders.setdefault(key, {"order_id": order_id, "rows": []})
        numbered = key[0] in NUMBERED_BY_PLATFORM and text(row.get("line_id")) is not None
        if not numbered or row not in record["rows"]:
            record["rows"].append(dict(row))
    yield from orders.values()


def split_orders(payload: bytes, context: Context) -> Sequence[bytes]:
    """The single order, or the orders of a list."""
    return split_pages(payload, [("orders",)])


def parse_orders(record: Record) -> Parsed:
    """An order of a file with its lines and returns; a flat row is an order of one line."""
    value = as_object(record.value, "order")
    refuse_stated(value)
    if "rows" not in value:
        value = {"order_id": value.get("order_id"), "rows": [value]}
    rows = objects(value["rows"], "rows")
    unknown = SHAPE.unknown(value, record.settings.ignored)
    if unknown.pop(f"rows[].{REST}", None) is not None:
        unknown |= _beside_fields(rows)
    parsed = Parsed(unknown=unknown)
    order_id = required(identifier(value.get("order_id")), "order_id")
    if all(row.get(name) in (None, "") for row in rows for name in _TELLING):
        raise RecordRefusedError("missing_field", "the order says nothing: no time, amount, quantity or state")
    holds = list(items(value.get("holds"), "holds")) or ["orders", "lines"]
    sold, returned = _lines(rows, record, parsed), _returns(rows, order_id)
    order = _order(rows, order_id, record)
    own = [refund for target, refund in returned if target == order_id]
    if sold or own:
        made = _as_order(order, rows, (sold, own))
        if "orders" in holds and made["paid_at"] is not None and made["paid_fen"] is None:
            raise RecordRefusedError(
                "missing_field", "amount: the order is paid, and neither order_paid nor all of its lines say how much"
            )
        _add(parsed, record, made, rows, holds)
    for target, refund in returned:
        if target != order_id:
            shared = {"platform": order["platform"], "shop_id": order["shop_id"], "order_id": target}
            add_refund(parsed, record, refund, shared, growing=refund["growing"])
    return parsed


def _beside_fields(rows: Sequence[Row]) -> dict[str, Any]:
    """What columns that nobody named say in the first row that has them, by path."""
    found: dict[str, Any] = {}
    for row in rows:
        for heading, cell in mapping(row.get(REST), REST).items():
            found.setdefault(f"rows[].{heading}", cell)
    return found


def _order(rows: Sequence[Row], order_id: str, record: Record) -> dict[str, Any]:
    """What the rows say of their order, its times read in whatever form the table has them."""
    context = record.context
    order: dict[str, Any] = {"order_id": order_id} | {name: _first(rows, name) for name in _OF_ORDER}
    for name in (*_TIMES, "updated_at"):
        order[name] = next((at for row in rows if (at := table_time(row.get(name), name)) is not None), None)
    order["updated_at"] = order["updated_at"] or max((order[name] for name in _TIMES if order[name]), default=None)
    order["platform"] = (
        _first(rows, "platform") or context.platform or str(record.settings.options.get("platform", "file"))
    )
    order["shop_id"] = identifier(order["shop_id"]) or context.shop_id or context.seller_nick
    if order["platform"] in NUMBERED_BY_PLATFORM and not order["shop_id"]:
        told = f"shop_id: {NEEDS_SHOP.format(order['platform'])}; {ADD_SHOP}"
        raise RecordRefusedError("missing_field", told)
    return order


def _add(parsed: Parsed, record: Record, order: dict[str, Any], rows: Sequence[Row], holds: Sequence[str]) -> None:
    """The rows of an order in silver, of its lines or of both, and who bought it."""
    settings = record.settings
    ids = _buyer(rows, record)
    origins = [
        category(parsed, settings, "channel_origin", row.get("origin"), path="rows[].origin") or "file" for row in rows
    ]
    shared, facts = order_facts(parsed, record, order, place=(order["platform"], origins[0]), ids=ids)
    paid = order["paid_at"] is not None
    if "orders" in holds:
        parsed.rows.append((ORDERS, shared | facts | order_amounts(order, paid=paid) | _beside(rows, order)))
        at = first_known(record.context, order["created_at"], order["paid_at"])
        about = f"order:{shared['platform']}:{shared['shop_id']}:{shared['order_id']}"
        observe(parsed, record.context, about, ids=ids, at=at)
    if "lines" in holds:
        for line, origin in zip(order["lines"], origins, strict=False):
            counts = paid or (len(holds) == 1 and facts["status"] in _PAID_STATUS)
            own = {"channel_origin": origin, "is_paid": counts, "refund_state": line["refund_state"]}
            own["product_scope"] = product_scope(order["platform"], record.context)
            if counts and _unknown(line):
                own["paid_fen"] = None
                parsed.unknown_values.append(("rows[].amount", "paid, without an amount"))
            if line["refund_state"] == "success" and not line["refunded"]:
                parsed.unknown_values.append(("rows[].refund_amount", "refunded, without an amount"))
            own["version_key"] = version_key(
                facts["updated_at"],
                record.digest,
                rank=RANK.get(facts["status"], 0),
                refund_rank=_REFUND_RANK.get(line["refund_state"], 0),
            )
            shown = {name: identifier(line[name]) for name in _SHOWN}
            parsed.rows.append((LINES, shared | facts | line_amounts(line, paid=counts) | own | shown))
    for refund in order["refunds"]:
        add_refund(parsed, record, refund, shared, growing=refund["growing"])


def _unknown(line: Row) -> bool:
    """Whether nothing says what was paid for the line; gifts count nothing."""
    return line["paid_fen"] is None and not flag(line["gift"], "gift")


def _beside(rows: Sequence[Row], order: Row) -> dict[str, Any]:
    """Columns that only tables of platforms have."""
    return {
        "platform_subsidy_fen": _summed(rows, "subsidy") or 0,
        "discount_fen": order["discount_fen"],
        "phone_tail": mask_tail(_first(rows, "receiver_phone")),
    }


def _as_order(order: Row, rows: Sequence[Row], facts: tuple[list[Row], list[Row]]) -> dict[str, Any]:
    """The order in the form of the brand's own orders; `paid_fen` is None where nothing tells it."""
    sold, own = facts
    freight = table_fen(_first(rows, "freight"), "freight")
    if freight is None:
        freight = _summed(rows, "line_freight") or 0
    stated = table_fen(_first(rows, "order_paid"), "order_paid")
    listed = table_fen(_first(rows, "order_list"), "order_list")
    made = {
        "lines": sold,
        "refunds": own,
        "list_fen": listed if listed is not None else sum(line["list_fen"] or 0 for line in sold),
        "discount_fen": _summed(rows, "order_discount"),
        "freight_fen": freight,
        "paid_fen": _paid(sold, freight) if stated is None else stated,
    }
    if sold:
        paid = order["paid_at"] is not None
        return {**order, **made, "status": order["status"] or ("paid" if paid else "created")}
    return {**order, **made, "status": "closed", "paid_at": None, "created_at": order["created_at"] or order["paid_at"]}


def _paid(sold: Sequence[Row], freight: int) -> int | None:
    """What the lines come to with their freight; None where one does not say. Gifts count what the file says alone."""
    if any(map(_unknown, sold)):
        return None
    totals: list[int | None] = [line["total_fen"] for line in sold]
    goods: list[int] = [0 if flag(line["gift"], "gift") else line["paid_fen"] for line in sold]
    if all(total is None for total in totals):
        return sum(goods) + freight
    own: list[int] = [line["freight_fen"] for line in sold]
    return sum(goods[n] + own[n] if total is None else total for n, total in enumerate(totals))


def _lines(rows: Sequence[Row], record: Record, parsed: Parsed) -> list[Row]:
    """The sold lines; a line number used twice in an order gets its occurrence added, so that no line is lost."""
    seen: dict[str, int] = {}
    lines: list[Row] = []
    for position, row in enumerate(rows, start=1):
        quantity = quantity_of(row.get("quantity"))
        if quantity < 0:
            continue
        line_id = identifier(row.get("line_id")) or str(position)
        seen[line_id] = seen.get(line_id, 0) + 1
        price = table_fen(row.get("price"), "price")
        paid = _amount(row, quantity)
        state = category(parsed, record.settings, "refund_state", row.get("refund_state"), path="rows[].refund_state")
        lines.append(
            {name: row.get(name) for name in (*_COPIED, *_SHOWN)}
            | {
                "line_id": line_id if seen[line_id] == 1 else f"{line_id}#{seen[line_id]}",
                "quantity": quantity,
                "unit_price_fen": price,
                "list_fen": paid if price is None else in_bounds(price * quantity, "price"),
                "paid_fen": paid,
                "total_fen": table_fen(row.get("line_total"), "line_total"),
                "freight_fen": table_fen(row.get("line_freight"), "line_freight") or 0,
                "refund_state": state,
                "refunded": table_fen(row.get("refund_amount"), "refund_amount"),
            }
        )
    return lines


def _returns(rows: Sequence[Row], order_id: str) -> list[tuple[str, Row]]:
    """The returns and the refunds beside sold lines, each with the order it belongs to."""
    found: list[tuple[str, Row]] = []
    for position, row in enumerate(rows, start=1):
        quantity = quantity_of(row.get("quantity"))
        line_id = identifier(row.get("line_id")) or str(position)
        given_back = table_fen(row.get("refund_amount"), "refund_amount")
        if quantity >= 0 and not given_back:
            continue
        if quantity < 0:
            given_back = _amount(row, -quantity)
            if given_back is None:
                raise RecordRefusedError("missing_field", "amount: a return says neither its amount nor its price")
        times = ("refunded_at", *reversed(_TIMES)) if quantity >= 0 else ("refunded_at", "paid_at", "created_at")
        refund = {
            "refund_id": identifier(row.get("refund_id")) or made_number(order_id, line_id),
            "line_id": identifier(row.get("refund_line")) or (line_id if quantity >= 0 else None),
            "type": "return_refund" if quantity < 0 else None,
            "status": text(row.get("refund_status")) or "success",
            "amount_fen": given_back,
            "growing": identifier(row.get("refund_id")) is None,
            "at": next((at for name in times if (at := table_time(row.get(name), name)) is not None), None),
        }
        found.append((identifier(row.get("refund_of")) or order_id, refund))
    return found


def _amount(row: Row, quantity: int) -> int | None:
    """What was paid for the pieces without freight, or for a return given back; None where the row does not say."""
    amount, total = _size(row, "amount"), _size(row, "line_total")
    if amount is not None:
        return amount
    if total is not None:
        return max(total - (_size(row, "line_freight") or 0), 0)
    price = table_fen(row.get("price"), "price")
    if price is None:
        return None
    return in_bounds(price * quantity - (signed_fen(row.get("discount"), "discount") or 0), "price")


def _size(row: Row, name: str) -> int | None:
    """An amount of the row; exports write those of a return with either sign."""
    if quantity_of(row.get("quantity")) >= 0:
        return table_fen(row.get(name), name)
    fen = signed_fen(row.get(name), name)
    return None if fen is None else abs(fen)


def _summed(rows: Sequence[Row], name: str) -> int | None:
    """The sum over the rows that state the amount; None when none does."""
    stated = [amount for row in rows if (amount := table_fen(row.get(name), name)) is not None]
    return sum(stated) if stated else None


def _first(rows: Sequence[Row], name: str) -> str | None:
    return next((found for row in rows if (found := text(row.get(name))) is not None), None)


def _buyer(rows: Sequence[Row], record: Record) -> list[Id]:
    """The buyer's identifiers; a receiver's phone alone says nothing unless the settings take it for the buyer's."""
    options, context = record.settings.options, record.context
    namespace = _first(rows, "customer_namespace") or str(options.get("customer_namespace", "member_id"))
    scope = _first(rows, "customer_scope") or str(options.get("customer_scope") or context.brand)
    role = "buyer" if namespace == "phone" else ""
    customer = named(namespace, "" if namespace == "phone" else scope, _first(rows, "customer"), role)
    known = customer + named("phone", "", _first(rows, "phone"), "buyer")
    receiver_role = str(options.get("order_phone_role", "recipient"))
    receiver = named("phone", "", plain_phone(_first(rows, "receiver_phone")), receiver_role)
    return known + (receiver if known or receiver_role == "buyer" else [])


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed="orders_file",
        source="orders_file",
        split=split_orders,
        parse=parse_orders,
        tables=(ORDERS, LINES, REFUNDS),
        hash_context=("platform", "shop_id", "seller_nick", "brand"),
    ),
)
