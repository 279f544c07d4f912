"""WeCom statistics: `get_user_behavior_data` of a guide, `groupchat/statistic` by owner and by day; and the posts of
`get_moment_list`.

The answers name neither guide nor period: both are in the parameters of the request. Figures of several guides, of a
department or of several days in one are no figures of anybody's day and fill no row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.sources.base import Context, FeedParser, Parsed, Record, RecordRefusedError, version_key
from pipelines.sources.categories import as_object
from pipelines.sources.fields import epoch_s, identifier, integer, items, mapping, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import day_of, seen_ms
from pipelines.sources.wecom_activity import is_moment, parse_moment
from pipelines.sources.wecom_scope import scope_of, wecom_error

FEED = "wecom_staff_stats"
ALL_OWNERS = "*"
COUNTS = ("chat_cnt", "message_cnt", "negative_feedback_cnt", "new_apply_cnt", "new_contact_cnt")
RATES = ("reply_percentage", "avg_reply_time")
GROUP_COUNTS = (
    *("new_chat_cnt", "chat_total", "chat_has_msg", "new_member_cnt", "member_total", "member_has_msg", "msg_total"),
    "migrate_trainee_chat_cnt",
)
BEHAVIOUR = Shape("behaviour", ["stat_time", *COUNTS, *RATES])
GROUP_STATS = Shape("group_stats", ["owner", "stat_time", *(f"data.{name}" for name in GROUP_COUNTS)])


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """The days of a guide, the owners or days of group figures, or the posts."""
    return split_pages(payload, [("behavior_data",), ("items",), ("moment_list",)], wecom_error)


def parse(record: Record) -> Parsed:
    """One day's figures of one guide or one group owner; nothing where the request does not tell whose day it is."""
    value = as_object(record.value, "statistics")
    if is_moment(value):
        return parse_moment(value, record)
    if "data" in value or "owner" in value:
        return _parse_groups(record, value)
    return _parse_behaviour(record, value)


def _parse_behaviour(record: Record, value: dict[str, Any]) -> Parsed:
    parsed = Parsed(unknown=BEHAVIOUR.unknown(value, record.settings.ignored))
    stat_ms = epoch_s(value.get("stat_time"), "stat_time")
    day = required(None if stat_ms is None else day_of(stat_ms), "stat_time")
    figures: dict[str, Any] = {name: integer(value.get(name), name) for name in COUNTS}
    figures |= {name: rate(value.get(name), name) for name in RATES}
    userid = sole_userid(record.context.params)
    if userid is not None:
        parsed.row("silver.staff_daily", userid=userid, stat_date=day, **figures, **_common(record))
    return parsed


def _parse_groups(record: Record, value: dict[str, Any]) -> Parsed:
    parsed = Parsed(unknown=GROUP_STATS.unknown(value, record.settings.ignored))
    data = mapping(value.get("data"), "data")
    figures = {name: integer(data.get(name), f"data.{name}") for name in GROUP_COUNTS}
    stat_ms = epoch_s(value.get("stat_time"), "stat_time")
    owner = identifier(value.get("owner"))
    if stat_ms is not None:
        day: str | None = day_of(stat_ms)
        owner = owner or _sole_owner(record.context.params)
    else:
        owner = required(owner, "owner")
        day = _single_day(record.context.params)
    if owner is not None and day is not None:
        parsed.row("silver.group_daily", owner_userid=owner, stat_date=day, **figures, **_common(record))
    return parsed


def _common(record: Record) -> dict[str, Any]:
    seen = seen_ms(record.context)
    return {
        "corp_id": scope_of(record.context).tenant,
        "updated_at": seen,
        "version_key": version_key(seen, record.digest),
    }


def rate(value: Any, name: str) -> float | None:
    """A share or duration with decimals; None when the platform leaves it out, as it does without chats.

    >>> rate(60.25, "r"), rate("100", "r"), rate(None, "r")
    (60.25, 100.0, None)
    """
    raw = text(value)
    if raw is None:
        return None
    try:
        return float(raw)
    except ValueError:
        raise RecordRefusedError("bad_value", f"{name}: not a number") from None


def sole_userid(params: Mapping[str, Any]) -> str | None:
    """The one guide a request was about; None where it was about several, a department or nobody.

    >>> sole_userid({"userid": ["lisi"]}), sole_userid({"userid": ["lisi", "wang"]}), sole_userid({"userid": "lisi"})
    ('lisi', None, 'lisi')
    """
    if params.get("partyid"):
        return None
    return _sole(params.get("userid"), "context.params.userid")


def _sole_owner(params: Mapping[str, Any]) -> str | None:
    """Whose a day's total is: everybody's without a filter, the owner's of a filter of one, nobody's of a wider one."""
    filtered = mapping(params.get("owner_filter"), "context.params.owner_filter")
    if filtered.get("partyid_list"):
        return None
    owners = filtered.get("userid_list")
    return _sole(owners, "context.params.owner_filter.userid_list") if owners else ALL_OWNERS


def _single_day(params: Mapping[str, Any]) -> str | None:
    """The day of figures by owner: the request's, if it was about one day; both ends of its span count."""
    begin = epoch_s(params.get("day_begin_time"), "context.params.day_begin_time")
    end = epoch_s(params.get("day_end_time"), "context.params.day_end_time")
    if begin is None or (end is not None and day_of(end) != day_of(begin)):
        return None
    return day_of(begin)


def _sole(value: Any, name: str) -> str | None:
    named = sorted({found for one in items(value, name) if (found := identifier(one))})
    return named[0] if len(named) == 1 else None


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed=FEED,
        source="wecom",
        split=split,
        parse=parse,
        tables=("silver.staff_daily", "silver.group_daily", "silver.events"),
        hash_context=(
            "corp_id",
            "suite_id",
            "params.userid",
            "params.partyid",
            "params.owner_filter",
            "params.day_begin_time",
        ),
    ),
)
