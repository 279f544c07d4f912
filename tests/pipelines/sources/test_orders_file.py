"""Orders out of mapped exports: rows grouped, amounts exact, returns told apart."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources.base import Parsed, RecordRefusedError
from pipelines.sources.orders_file import PARSERS, group_rows
from tests.pipelines.sources.private_domain import ids_of, one_row, rows
from tests.pipelines.sources.public_domain import parse

(ORDERS,) = PARSERS
ROW: dict[str, Any] = {
    "order_id": "A1",
    "customer": "17850",
    "product_id": "85123A",
    "quantity": 6,
    "price": "2.55",
    "paid_at": "2025-01-01 08:26:00",
}


def said(*given: dict[str, Any], **known: Any) -> Parsed:
    """What the one order of these rows says."""
    (record,) = group_rows([{**ROW, **row} for row in given] or [ROW])
    return parse(ORDERS, record, **known)


def test_the_rows_of_an_order_are_one_order_wherever_they_stand() -> None:
    grouped = list(group_rows([{"order_id": "A"}, {"order_id": "B"}, {"order_id": "A"}]))
    assert [(record["order_id"], len(record["rows"])) for record in grouped] == [("A", 2), ("B", 1)]


def test_orders_of_two_shops_stay_apart() -> None:
    assert len(list(group_rows([{"order_id": "A", "shop_id": "1"}, {"order_id": "A", "shop_id": "2"}]))) == 2


def test_an_orders_payment_is_the_sum_of_its_lines_and_freight() -> None:
    parsed = said({}, {"product_id": "71053", "price": "3.39", "freight": "8"}, {"quantity": 1, "price": 1})
    order = one_row(parsed, "orders")
    assert (order["paid_fen"], order["freight_fen"], order["list_fen"]) == (1530 + 2034 + 100 + 800, 800, 3664)
    assert [line["paid_fen"] for line in rows(parsed, "order_lines")] == [1530, 2034, 100]


def test_a_stated_order_amount_counts() -> None:
    assert one_row(said({"order_paid": "14.00"}), "orders")["paid_fen"] == 1400


def test_a_stated_line_amount_and_a_discount_count() -> None:
    lines = rows(said({"amount": "14.10"}, {"discount": "1.30"}), "order_lines")
    assert [line["paid_fen"] for line in lines] == [1410, 1400]


def test_a_number_with_a_fraction_is_read_exactly() -> None:
    assert one_row(said({"price": 0.29, "quantity": 100}), "orders")["paid_fen"] == 2900


AMOUNTS = (
    *("price", "amount", "line_total", "line_freight", "discount", "refund_amount"),
    *("freight", "order_paid", "order_list", "order_discount", "subsidy"),
)


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize("written", ["12.345", 0.001, "1,299.999", "¥ 3.1415元"])
def test_an_amount_between_two_fen_is_refused(name: str, written: object) -> None:
    with pytest.raises(RecordRefusedError, match=f"bad_value: {name}: not an amount with at most two decimals"):
        said({"price": "2000", name: written})


def test_zeros_behind_the_second_decimal_and_the_noise_of_a_spreadsheet_say_nothing() -> None:
    for written in ("12.500", "12.5000元", 12.5, 0.1 + 12.4, 12.499999999999998):
        assert one_row(said({"amount": written}), "order_lines")["paid_fen"] == 1250


def test_a_paid_order_whose_amount_nothing_tells_is_refused() -> None:
    rests: list[list[dict[str, Any]]] = [[{"price": ""}], [{}, {"price": None}], [{"line_total": "9"}, {"price": None}]]
    for rest in rests:
        with pytest.raises(RecordRefusedError, match="missing_field: amount: the order is paid, and neither"):
            said(*rest)


def test_a_line_without_an_amount_of_an_order_that_says_its_own_has_none() -> None:
    parsed = said({}, {"price": None}, {"price": None, "gift": "1"}, {"order_paid": "20"})
    assert one_row(parsed, "orders")["paid_fen"] == 2000
    assert [line["paid_fen"] for line in rows(parsed, "order_lines")] == [1530, None, 0, 1530]
    assert parsed.unknown_values == [("rows[].amount", "paid, without an amount")]


def test_a_gift_is_no_part_of_the_payment_whatever_its_price() -> None:
    parsed = said({}, {"gift": "1", "price": "9.90"})
    assert one_row(parsed, "orders")["paid_fen"] == 1530
    assert [line["paid_fen"] for line in rows(parsed, "order_lines")] == [1530, 0]


def test_an_unpaid_order_needs_no_amount() -> None:
    parsed = said({"price": "", "paid_at": None})
    assert one_row(parsed, "orders")["paid_fen"] == one_row(parsed, "order_lines")["paid_fen"] == 0
    assert parsed.unknown_values == []


def test_a_line_of_a_report_of_lines_may_lack_its_amount() -> None:
    record = {"order_id": "A1", "rows": [{**ROW, "price": ""}], "holds": ["lines"]}
    parsed = parse(ORDERS, record)
    assert one_row(parsed, "order_lines")["paid_fen"] is None
    assert parsed.unknown_values == [("rows[].amount", "paid, without an amount")]


def test_lines_with_and_without_a_total_come_to_what_all_of_them_say() -> None:
    parsed = said({"line_total": "20", "line_freight": "2"}, {"line_freight": "3"}, {"amount": "4"})
    order = one_row(parsed, "orders")
    assert (order["paid_fen"], order["freight_fen"]) == (2000 + 1530 + 300 + 400, 500)


def test_a_return_is_of_its_amount_whatever_sign_an_export_gives_it() -> None:
    for name in ("amount", "line_total"):
        parsed = said({}, {"quantity": -1, name: "-5"})
        assert one_row(parsed, "refunds")["amount_fen"] == 500
        assert one_row(parsed, "orders")["paid_fen"] == 1530


def test_a_return_without_an_amount_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: amount: a return says neither"):
        said({}, {"quantity": -1, "price": None})


def test_of_two_exports_the_one_in_which_more_went_back_counts() -> None:
    known = [{"digest": digest * 32, "refund_amount": fen} for digest, fen in (("f", "20"), ("0", "100"))]
    few, more = (one_row(said({"refund_amount": k["refund_amount"]}, digest=k["digest"]), "refunds") for k in known)
    assert few["version_key"] < more["version_key"]
    own = one_row(said({"refund_amount": "20", "refund_id": "R1"}, digest="f" * 32), "refunds")
    assert own["version_key"].endswith(f"|{'f' * 32}")


def test_a_line_called_refunded_without_an_amount_takes_nothing_off_and_is_a_signal() -> None:
    done = {"refund_state": "success"}
    parsed = said(done, {**done, "refund_amount": "5"}, {"refund_state": "open"})
    assert [line["refund_state"] for line in rows(parsed, "order_lines")] == ["success", "success", "open"]
    assert [row["amount_fen"] for row in rows(parsed, "refunds")] == [500]
    assert parsed.unknown_values == [("rows[].refund_amount", "refunded, without an amount")]


@pytest.mark.parametrize("platform", ["douyin", "tmall"])
@pytest.mark.parametrize("row", [{}, {"quantity": -1, "refund_of": "A2"}], ids=["an order", "a return of another"])
def test_an_order_of_a_platform_needs_its_shop(platform: str, row: dict[str, Any]) -> None:
    told = f"missing_field: shop_id: an order of {platform} without its shop .* --context shop_id="
    with pytest.raises(RecordRefusedError, match=told):
        said({"platform": platform, **row}, shop_id="", seller_nick="")


def test_the_shop_is_the_rows_else_the_contexts_and_other_sources_need_none() -> None:
    nowhere = {"shop_id": "", "seller_nick": ""}
    assert one_row(said({"platform": "tmall", "shop_id": "s"}, **nowhere), "orders")["shop_id"] == "s"
    assert one_row(said({"platform": "tmall"}, shop_id="", seller_nick="n"), "orders")["shop_id"] == "n"
    assert one_row(said({"platform": "till"}, **nowhere), "orders")["shop_id"] == ""


def test_equal_rows_are_lines_of_their_own() -> None:
    assert [line["line_id"] for line in rows(said({}, {}), "order_lines")] == ["1", "2"]


def test_a_line_number_used_twice_loses_no_line() -> None:
    lines = rows(said({"line_id": "S"}, {"line_id": "S"}, {"line_id": "S"}), "order_lines")
    assert [line["line_id"] for line in lines] == ["S", "S#2", "S#3"]


def test_an_unpaid_row_counts_nothing() -> None:
    order = one_row(said({"paid_at": None, "created_at": "2025-01-01"}), "orders")
    assert (order["is_paid"], order["paid_fen"], order["status"]) == (False, 0, "created")
    assert order["business_date"] == "2025-01-01"


def test_a_return_is_a_refund_of_its_amount() -> None:
    parsed = said({}, {"quantity": -2, "paid_at": "2025-01-03 10:00:00"})
    row = one_row(parsed, "refunds")
    assert (row["status"], row["amount_fen"], row["order_id"], row["business_date"]) == (
        "success",
        510,
        "A1",
        "2025-01-03",
    )
    assert one_row(parsed, "orders")["paid_fen"] == 1530


def test_a_return_that_names_its_order_is_a_refund_of_that_order() -> None:
    parsed = said({"order_id": "C1", "quantity": -1, "refund_of": "A1", "refund_id": "R1"})
    assert [table for table, _ in parsed.rows] == ["silver.refunds"]
    assert (one_row(parsed, "refunds")["order_id"], one_row(parsed, "refunds")["refund_id"]) == ("A1", "R1")


def test_an_order_of_returns_alone_is_closed_and_unpaid_and_holds_its_refund() -> None:
    parsed = said({"quantity": -1})
    order = one_row(parsed, "orders")
    assert (order["status"], order["is_paid"], order["paid_fen"]) == ("closed", False, 0)
    assert one_row(parsed, "refunds")["order_id"] == order["order_id"]
    assert order["subject"].value == "17850"


def test_the_customer_is_of_the_brand_unless_the_row_says_otherwise() -> None:
    assert ids_of(said().observations[0]) == [("member_id", "brandA", "17850")]
    told = {"customer_namespace": "login_id", "customer_scope": "erp", "phone": "13912345670"}
    assert ids_of(said(told).observations[0]) == [("login_id", "erp", "17850"), ("phone", "", "13912345670")]


def test_a_customer_that_is_a_phone_is_the_buyers() -> None:
    (seen,) = said({"customer_namespace": "phone", "customer": "13912345670"}).observations
    assert seen["ids"] == [{"namespace": "phone", "scope": "", "value": "13912345670", "role": "buyer"}]


def test_the_platform_is_the_files_name_for_itself() -> None:
    assert one_row(said({"platform": "erp"}), "orders")["platform"] == "erp"
    assert one_row(said(), "orders")["platform"] == "file"
    assert one_row(said(platform="till"), "orders")["platform"] == "till"


def test_a_flat_row_is_an_order_of_one_line() -> None:
    assert parse(ORDERS, ROW).rows == said().rows


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"order_id": ""}, "order_id"),
        ({"price": "12.x"}, "price: not a decimal"),
        ({"price": "NaN"}, "price: not a decimal"),
        ({"price": "-3"}, "price: outside 0"),
        ({"quantity": "2.5"}, "quantity"),
        ({"paid_at": "01/02/2025"}, "paid_at"),
    ],
)
def test_a_broken_row_is_refused(row: dict[str, Any], rule: str) -> None:
    with pytest.raises(RecordRefusedError, match=rule):
        said(row)


@pytest.mark.reference
@pytest.mark.e2e
def test_a_public_retailers_orders_lose_no_line_and_no_penny(shared_data: Path) -> None:
    retail = pytest.importorskip("pyarrow.parquet").read_table(shared_data / "orders" / "online_retail.parquet")
    names = ("InvoiceNo", "StockCode", "Quantity", "UnitPrice", "CustomerID")
    columns = [retail.column(name).to_pylist() for name in names]
    sold = [row for row in zip(*columns, strict=True) if row[4] is not None and row[2] > 0 and row[3] > 0]
    assert (len(sold), len({row[4] for row in sold})) == (397_884, 4_338)
    sample, refused = [row for row in sold if int(row[0]) % 25 == 0], list[str]()
    mapped = (
        {"order_id": o, "product_id": p, "quantity": q, "price": price, "customer": str(c), "paid_at": "2011-01-01"}
        for o, p, q, price, c in sample
    )
    parsed = []
    for record in group_rows(mapped):
        try:
            parsed.append(parse(ORDERS, record))
        except RecordRefusedError:
            refused.append(record["order_id"])
    assert refused == [row[0] for row in sample if row[3] == 0.001]
    sample = [row for row in sample if row[0] not in refused]
    pennies = sum(round(Decimal(repr(row[3])) * row[2] * 100) for row in sample)
    assert sum(len(rows(one, "order_lines")) for one in parsed) == len(sample) > 10_000
    assert sum(one_row(one, "orders")["paid_fen"] for one in parsed) == pennies
    assert len({one_row(one, "orders")["subject"].value for one in parsed}) == len({row[4] for row in sample})


@pytest.mark.parametrize("record", [{"order_id": "A1"}, {"order_id": "A1", "rows": [{"order_id": "A1", "price": ""}]}])
def test_an_order_that_says_nothing_but_its_number_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(RecordRefusedError, match="says nothing: no time, amount, quantity or state"):
        parse(ORDERS, record)
