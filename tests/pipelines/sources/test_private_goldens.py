"""Golden files of the private domain: composed answers and what they become (`make golden` rewrites them)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources import (
    claims,
    consents,
    id_conversions,
    miniprogram_events,
    miniprogram_users,
    observations,
    points,
    staff,
    wecom_contacts,
    wecom_events,
    wecom_group_chats,
    wecom_staff_stats,
    wecom_tags,
    wecom_transfers,
)
from pipelines.sources.base import FeedParser
from pipelines.tables import ALL
from tests.pipelines.sources.private_domain import FIXTURES, SUITE, as_text, fixture, read

STATS = wecom_staff_stats.PARSERS[0]
CONVERSIONS = id_conversions.PARSERS[0]
PAIR = {"handover_userid": "lisi", "takeover_userid": "wangwu"}
DOUYIN = {"platform": "douyin", "app_id": "tt01", "open_platform_id": "dy_01"}
DOUDIAN = {"app_key": "7000001", "app_id": "tt01", "params": {"dy_open_id": "dyExample01", "dy_client_key": "tt01"}}

CASES: tuple[tuple[str, FeedParser, Mapping[str, Any]], ...] = (
    ("wecom/contact_get.json", wecom_contacts.PARSERS[0], {}),
    ("wecom/contact_batch.json", wecom_contacts.PARSERS[0], {}),
    ("wecom/group_get.json", wecom_group_chats.PARSERS[0], {}),
    ("wecom/group_list.json", wecom_group_chats.PARSERS[0], {}),
    ("wecom/behaviour.json", STATS, {"params": {"userid": ["lisi"]}}),
    ("wecom/group_statistic.json", STATS, {"params": {"day_begin_time": 1735574400, "day_end_time": 1735574400}}),
    ("wecom/tag_list.json", wecom_tags.PARSERS[0], {}),
    ("wecom/transfer_result.json", wecom_transfers.PARSERS[0], {"params": PAIR}),
    ("wecom/unassigned.json", wecom_transfers.PARSERS[0], {}),
    ("wecom/callback_added.xml", wecom_events.PARSERS[0], {}),
    ("wecom/callback_joined.xml", wecom_events.PARSERS[0], {}),
    ("miniprogram/session.json", miniprogram_users.PARSERS[0], {}),
    ("miniprogram/douyin_session.json", miniprogram_users.PARSERS[0], DOUYIN),
    ("miniprogram/phone.json", miniprogram_users.PARSERS[0], {"openid": "oExampleOpenid000000000001"}),
    ("miniprogram/sensors_events.json", miniprogram_events.PARSERS[0], {}),
    ("miniprogram/youshu_order.json", miniprogram_events.PARSERS[0], {}),
    ("own/points_ledger.json", points.PARSERS[0], {}),
    ("own/point_change.json", points.PARSERS[0], {}),
    ("own/mall_payment.json", points.PARSERS[0], {}),
    ("own/claim.json", claims.PARSERS[0], {}),
    ("own/consent.json", consents.PARSERS[0], {}),
    ("own/staff.json", staff.PARSERS[0], {}),
    ("own/registration.json", observations.PARSERS[0], {}),
    ("own/doudian_conversion.json", CONVERSIONS, DOUDIAN),
    ("own/pending_conversion.json", CONVERSIONS, {"suite_id": SUITE}),
    ("own/openid_replacement.json", CONVERSIONS, {"params": {"from_appid": "wx0000000000000009"}}),
)
LINEAGE = frozenset({"feed", "interval", "record_hash", "rescued"})
SUBJECT = frozenset({"subject_namespace", "subject_scope", "subject_value", "subject_key"})

each = pytest.mark.parametrize(("name", "parser", "context"), CASES, ids=[row[0] for row in CASES])


@each
def test_an_answer_becomes_what_its_golden_file_says(
    name: str, parser: FeedParser, context: Mapping[str, Any], golden: Callable[[str, Path], None]
) -> None:
    text = as_text(read(parser, fixture(name), **context))
    golden(text, FIXTURES / f"{name.rpartition('.')[0]}.golden.json")


@each
def test_rows_fill_declared_columns_and_all_that_are_required(
    name: str, parser: FeedParser, context: Mapping[str, Any]
) -> None:
    for parsed in read(parser, fixture(name), **context):
        for table, row in parsed.rows:
            declared = ALL[table]
            required = {column.name for column in declared.columns if column.required} - LINEAGE
            assert table in parser.tables
            assert set(row) - {"subject"} <= set(declared.column_names) - LINEAGE - SUBJECT
            assert {column for column in required if row.get(column) is None} == set()


@each
def test_nothing_in_an_answer_is_unknown(name: str, parser: FeedParser, context: Mapping[str, Any]) -> None:
    for parsed in read(parser, fixture(name), **context):
        assert (parsed.unknown, parsed.unknown_values) == ({}, [])


@each
def test_reading_an_answer_again_says_the_same(name: str, parser: FeedParser, context: Mapping[str, Any]) -> None:
    assert as_text(read(parser, fixture(name), **context)) == as_text(read(parser, fixture(name), **context))


@each
def test_personal_values_stand_in_no_column_in_clear(name: str, parser: FeedParser, context: Mapping[str, Any]) -> None:
    for parsed in read(parser, fixture(name), **context):
        clear = [value for _, row in parsed.rows for value in row.values() if isinstance(value, str)]
        assert [
            value for value in clear for secret in ("13912345678", "小李", "李思", "李-杭州店") if secret in value
        ] == []
