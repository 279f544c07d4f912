"""Rows of a member list as identity observations of a CRM: one registration per row.

Fields of a row: `member_id` (of the context's brand), beside it `phone` (the member's own), `unionid` (of the context's
open platform), `openid` (of its app), `ouid` (of its seller), `omid` (of its brand), `external_userid` (of its corp);
`joined_at`, `updated_at`, `level`, `points`. A list that states no time of change holds for the day of its import, so
that the level of a later list counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.sources.base import RecordRefusedError
from pipelines.sources.fields import iso_utc, text
from pipelines.sources.orders_file import REST
from pipelines.sources.sightings import day_start_ms
from pipelines.sources.table_values import table_number, table_time

MEMBER_FIELDS = (
    "member_id",
    "phone",
    "unionid",
    "openid",
    "ouid",
    "omid",
    "external_userid",
    "joined_at",
    "updated_at",
    "level",
    "points",
)
SOURCE = "crm"

_IDS = (
    ("member_id", "member_id", "brand", ""),
    ("phone", "phone", "", "verified"),
    ("wx_unionid", "unionid", "open_platform_id", ""),
    ("wx_openid", "openid", "app_id", ""),
    ("tmall_ouid", "ouid", "seller_nick", ""),
    ("tmall_omid", "omid", "brand", ""),
    ("wecom_external_userid", "external_userid", "corp_id", ""),
)
"""Namespace, field, the context's key that is its scope, and role."""


def observation(row: Mapping[str, Any], context: Mapping[str, str], *, day: str, place: str) -> dict[str, Any]:
    """The registration that a row states; a row that cannot be read raises RecordRefusedError.

    `place` (the digest of the file and the line) names it: an id made of the member's own data could be reversed.
    """
    joined = table_time(row.get("joined_at"), "joined_at")
    at = table_time(row.get("updated_at"), "updated_at") or day_start_ms(day)
    ids = _ids(row, context)
    attributes: dict[str, Any] = {}
    level, points = text(row.get("level")), table_number(row.get("points"), "points")
    if level is not None:
        attributes["level"] = level
    if points is not None:
        attributes["points"] = points
    if joined is not None:
        attributes["joined_at"] = iso_utc(joined)
    made: dict[str, Any] = {
        "observation_id": f"member_list:{place}",
        "source": SOURCE,
        "kind": "link",
        "event_time": iso_utc(at),
        "ids": ids,
    }
    rest = row.get(REST) or {}
    return made | ({"attributes": attributes} if attributes else {}) | ({REST: rest} if rest else {})


def _ids(row: Mapping[str, Any], context: Mapping[str, str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for namespace, name, scope, role in _IDS:
        value = text(row.get(name))
        if value is None:
            continue
        if scope and not context.get(scope):
            raise RecordRefusedError(
                "missing_field", f"{name} needs the context's {scope}: import the file again with --context {scope}=..."
            )
        stated = {"namespace": namespace, "scope": context[scope] if scope else "", "value": value}
        found.append(stated | ({"role": role} if role else {}))
    if not any(one["namespace"] == "member_id" for one in found):
        raise RecordRefusedError("missing_field", "member_id is required and was absent or empty")
    return found
