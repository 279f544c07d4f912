"""Real samples and field dictionaries of the public domain: read without loss; each field is used (changing it changes
what the record says), or left out for a reason that the source's YAML states, or this test names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.sources import (
    douyin_members,
    douyin_messages,
    douyin_orders,
    douyin_refunds,
    tmall_members,
    tmall_refunds,
    tmall_trades,
)
from pipelines.sources.base import FeedParser
from tests.pipelines.sources import private_domain
from tests.pipelines.sources.private_domain import FIXTURES, SETTINGS, ignored_reason, leaves, usage
from tests.pipelines.sources.public_domain import PUBLIC, parse, public_context, read

pytestmark = pytest.mark.reference

Variant = Callable[[dict[str, Any]], None]
ORDERS, REFUNDS, MEMBERS = douyin_orders.PARSERS[0], douyin_refunds.PARSERS[0], douyin_members.PARSERS[0]
MESSAGES = douyin_messages.PARSERS[0]


def as_it_is(_record: dict[str, Any]) -> None:
    """The sample itself."""


def unpaid(record: dict[str, Any]) -> None:
    """Without payment the deposit counts."""
    record["pay_time"] = 0


def deposit_without_times(record: dict[str, Any]) -> None:
    """A phase that only says it was paid."""
    record["pay_time"] = 0
    for phase in record["order_phase_list"]:
        phase |= {"phase_pay_time": 0, "phase_pay_amount": 0}


def deposit_by_time(record: dict[str, Any]) -> None:
    """A phase that would only say when it was paid."""
    record["pay_time"] = 0
    for phase in record["order_phase_list"]:
        phase |= {"pay_success": False, "phase_pay_time": 0}


def deposit_by_kind(record: dict[str, Any]) -> None:
    """A deposit order that lists no phases."""
    record["order_phase_list"] = []
    record["sku_order_list"][0]["trade_type"] = 2


def exchanged(record: dict[str, Any]) -> None:
    """A line whose case is told by its kind and its money."""
    record["sku_order_list"][0]["after_sale_info"] = {
        "after_sale_status": 12,
        "after_sale_type": 2,
        "refund_status": 3,
    }


def money_told(record: dict[str, Any]) -> None:
    """A line whose case went well unless its kind or its money says otherwise."""
    record["sku_order_list"][0]["after_sale_info"] = {
        "after_sale_status": 12,
        "after_sale_type": 2,
        "refund_status": 2,
    }


def unshown(record: dict[str, Any]) -> None:
    """A line that no room and no talent sold."""
    for line in record["sku_order_list"]:
        line |= {"room_id": 0, "video_id": "", "author_id": 0, "cid": 0, "theme_type": "0", "code": ""}


def shown_by_theme(record: dict[str, Any]) -> None:
    """A line of a live room that names no room."""
    unshown(record)
    record["sku_order_list"][0]["theme_type"] = "1"


def of_the_whole_order(record: dict[str, Any]) -> None:
    """A case that names no line."""
    record["order_info"]["related_order_info"] = []


def of_two_lines(record: dict[str, Any]) -> None:
    """A case that tells what goes back for which line."""
    (line,) = record["order_info"]["related_order_info"]
    record["order_info"]["related_order_info"] = [line, {"sku_order_id": "2", "aftersale_pay_amount": 5}]


def without_application(record: dict[str, Any]) -> None:
    """A case of which only its creation is known."""
    record["aftersale_info"]["apply_time"] = 0


def without_status(record: dict[str, Any]) -> None:
    """A case that only says what happened to the money."""
    record["aftersale_info"] |= {"aftersale_status": 999, "refund_status": 3}


ORDER_VARIANTS = (
    as_it_is,
    unpaid,
    deposit_without_times,
    deposit_by_time,
    deposit_by_kind,
    exchanged,
    money_told,
    unshown,
    shown_by_theme,
)
ANSWERS: tuple[tuple[str, FeedParser, str, tuple[Variant, ...]], ...] = (
    ("OrderSearchListResponse", ORDERS, "order", ORDER_VARIANTS),
    (
        "AftersaleListResponse",
        REFUNDS,
        "refund",
        (as_it_is, of_the_whole_order, of_two_lines, without_application, without_status),
    ),
    ("MemberSearchListResponse", MEMBERS, "member", (lambda record: record.update(open_id="1@#x"),)),
    (
        "OrderBatchDecryptResponse",
        ORDERS,
        "decrypted",
        (lambda record: record.update(data_type=3, is_virtual_tel=False, decrypt_text="13912345670"),),
    ),
)
"""File, parser, kind of record, and the variants that bring every used field to bear."""

EVENTS = tuple(f"{kind}Event" for kind in ("TradeCreate", "TradePaid", "TradeCanceled", "TradeSuccess"))
REFUND_EVENTS = ("RefundCreatedEvent", "RefundSuccessEvent")


def sample(shared_data: Path, name: str) -> bytes:
    return (shared_data / "payloads" / "douyin_shop" / f"{name}.json").read_bytes()


def verdicts(parser: FeedParser, record: Any, kind: str, variants: Iterable[Variant]) -> dict[str, str]:
    """For each field of a record: used (in one of the variants), or the reason why not, or UNKNOWN."""
    context = public_context(parser.feed)
    found: dict[str, str] = {}
    used: set[str] = set()
    for variant in variants:
        value = orjson.loads(orjson.dumps(record))
        variant(value)
        used |= {path for path, verdict in usage(parser, value, context).items() if verdict == "used"}
    for path, _ in leaves(record):
        reason = ignored_reason(parser, kind, path)
        told = "used" if path in used else "UNKNOWN"
        found[path] = told if reason is None else f"ignored: {reason}"
        assert reason is None or path not in used, f"{path} is used although it is listed as ignored"
    return found


def report(found: Mapping[str, str]) -> str:
    return "".join(f"{path}: {verdict}\n" for path, verdict in sorted(found.items()))


@pytest.mark.parametrize(("name", "parser", "kind", "variants"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_every_field_of_an_answer_is_used_or_left_out_for_a_reason(
    shared_data: Path, name: str, parser: FeedParser, kind: str, variants: tuple[Variant, ...], golden: Any
) -> None:
    records = private_domain.records(parser, sample(shared_data, name), **PUBLIC)
    assert len(records) == 1
    found = verdicts(parser, records[0].value, kind, variants)
    assert [path for path, verdict in found.items() if verdict == "UNKNOWN"] == []
    golden(report(found), FIXTURES / "douyin" / f"{name}.fields.txt")


@pytest.mark.parametrize(("name", "parser", "kind", "variants"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_an_answer_is_read_without_signals(
    shared_data: Path, name: str, parser: FeedParser, kind: str, variants: tuple[Variant, ...]
) -> None:
    (parsed,) = read(parser, sample(shared_data, name))
    assert (parsed.unknown, parsed.unknown_values) == ({}, [])


@pytest.mark.parametrize("name", EVENTS)
def test_a_trade_push_is_one_event_of_its_order(shared_data: Path, name: str) -> None:
    (parsed,) = read(MESSAGES, sample(shared_data, name))
    assert [table for table, _ in parsed.rows] == ["silver.events"]
    assert (parsed.unknown, parsed.unknown_values) == ({}, [])


@pytest.mark.parametrize("name", REFUND_EVENTS)
def test_a_refund_push_is_one_refund(shared_data: Path, name: str) -> None:
    (parsed,) = read(MESSAGES, sample(shared_data, name))
    assert [table for table, _ in parsed.rows] == ["silver.refunds"]
    assert (parsed.unknown, parsed.unknown_values) == ({}, [])


@pytest.mark.parametrize("name", [*EVENTS, *REFUND_EVENTS])
def test_every_field_of_a_push_is_used_or_left_out_for_a_reason(shared_data: Path, name: str, golden: Any) -> None:
    (record,) = private_domain.records(MESSAGES, sample(shared_data, name), **PUBLIC)
    found = verdicts(MESSAGES, record.value, "message", (as_it_is, untold))
    # The numbers of message and shop only name a refund's row where its data does not.
    named = {"msgId"} if name in REFUND_EVENTS else set()
    assert {path for path, verdict in found.items() if verdict == "UNKNOWN"} <= named
    golden(report(found), FIXTURES / "douyin" / f"{name}.fields.txt")


def untold(record: dict[str, Any]) -> None:
    """A push whose state only its tag tells."""
    record["data"] |= (
        {"aftersale_status": 0, "success_time": 0, "update_time": 0} if "aftersale_id" in record["data"] else {}
    )


TRADES = ("tbtrade/taobao_trade_fullinfo_get", "tbtrade/taobao_trades_sold_get", "trade/taobao_trade_get")
LISTED = ("crm/taobao_crm_members_get", "crm/taobao_crm_members_search", "crm/taobao_crm_members_increment_get")
DICTIONARIES: tuple[tuple[str, FeedParser, str, str], ...] = (
    *((name, tmall_trades.PARSERS[0], "trade", "trade") for name in TRADES),
    ("tbtrade/taobao_trades_sold_increment_get", tmall_trades.PARSERS[0], "trade", "trade"),
    ("refund/taobao_refunds_receive_get", tmall_refunds.PARSERS[0], "refund", "refunds"),
    ("tbrefund/taobao_refund_get", tmall_refunds.PARSERS[0], "refund", "refund"),
    *((name, tmall_members.PARSERS[0], "crm_member", "members") for name in LISTED),
)
"""Dictionary, parser, kind of record, and the parameter that describes it."""

SAMPLES = {"Number": 7, "Boolean": True, "Date": "2025-01-01 11:02:00", "Price": "1.00"}
MEANT = {"dispute_type": "REFUND", "status": "TRADE_FINISHED", "is_free_gift": "false"}


def described(parameters: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A record with every field of a dictionary, filled by its type; orders are nested as the platform nests them."""
    made: dict[str, Any] = {}
    for parameter in parameters:
        name, kind = parameter["name"], str(parameter["type"]).replace(" ", "")
        inner = parameter.get("subParams")
        if inner:
            value: Any = described(inner)
            made[name] = {name.rstrip("s"): [value]} if name == "orders" else value
        else:
            made[name] = MEANT.get(name, SAMPLES.get(kind, "1"))
    return made


def dictionary(shared_data: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(
        (shared_data / "payloads" / "taobao_field_dictionaries" / f"{name}.json").read_bytes()
    )
    return content


@pytest.mark.parametrize(("name", "parser", "kind", "holder"), DICTIONARIES, ids=[row[0] for row in DICTIONARIES])
def test_every_field_of_a_dictionary_is_known(
    shared_data: Path, name: str, parser: FeedParser, kind: str, holder: str
) -> None:
    answer = described(dictionary(shared_data, name)["responseParams"])
    record = answer.get(holder) or answer["trades"]
    parsed = parse(parser, record)
    assert parsed.unknown == {}
    assert parsed.rows


def test_every_parameter_of_a_member_sync_is_known(shared_data: Path) -> None:
    request = described(dictionary(shared_data, "mei/tmall_mei_crm_member_sync")["requestParams"])
    parsed = parse(tmall_members.PARSERS[0], request | {"mobile": "13912345670", "version": 1735700531000})
    assert parsed.unknown == {}
    assert parsed.rows


def test_every_field_of_a_decrypted_receiver_is_known(shared_data: Path) -> None:
    answer = described(dictionary(shared_data, "tbtrade/taobao_top_oaid_decrypt")["responseParams"])
    receiver = answer["receiver_list"]
    receiver |= {"mobile": "13912345670", "phone": "", "privacy_protection": False, "matched": True}
    receiver["secret_no_expire_time"] = ""
    parsed = parse(tmall_trades.PARSERS[0], receiver, method="taobao.top.oaid.decrypt")
    assert parsed.unknown == {}
    assert parsed.observations or parsed.rows


@pytest.mark.parametrize("source", ["douyin", "tmall", "shop", "products", "orders_file"])
def test_every_reason_is_given(source: str) -> None:
    assert [path for path, reason in SETTINGS[source].ignored.items() if len(reason.split()) < 1] == []
