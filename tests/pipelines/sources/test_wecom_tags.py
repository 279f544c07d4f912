"""WeCom corporate tags."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.sources.base import Parsed, RecordRefusedError
from pipelines.sources.wecom_tags import PARSERS
from tests.pipelines.sources.private_domain import CORP, read_one, rows

PARSER = PARSERS[0]


def parse(*tags: dict[str, Any], **known: Any) -> Parsed:
    group = {"group_id": "etGroup01", "group_name": "等级", "create_time": 1735700530, "order": 1, "tag": list(tags)}
    return read_one(PARSER, {"errcode": 0, "tag_group": [group | known]})


def test_each_tag_of_a_group_is_a_row_with_the_groups_name() -> None:
    parsed = parse({"id": "et1", "name": "VIP", "create_time": 1735700530, "order": 0}, {"id": "et2", "name": "新客"})
    first, second = rows(parsed, "tags")
    assert (first["corp_id"], first["tag_id"], first["name"], first["group_name"]) == (CORP, "et1", "VIP", "等级")
    assert (first["status"], first["created_at"]) == ("active", 1735700530000)
    assert second["created_at"] is None
    assert parsed.unknown == {}


@pytest.mark.parametrize(("group", "tag"), [({"deleted": True}, {}), ({}, {"deleted": True})])
def test_a_deleted_tag_or_group_is_deleted(group: dict[str, Any], tag: dict[str, Any]) -> None:
    (row,) = rows(parse({"id": "et1", "name": "VIP"} | tag, **group), "tags")
    assert row["status"] == "deleted"


def test_a_tag_without_id_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match=r"missing_field: tag\[\].id"):
        parse({"name": "VIP"})
