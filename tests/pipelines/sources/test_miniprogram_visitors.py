"""A visitor kept at hand changes nothing: each event says what it would say alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from pipelines.sources.base import FeedParser, Parsed, Record, RecordRefusedError
from pipelines.sources.miniprogram_events import PARSERS
from tests.pipelines.sources.private_domain import records
from tests.properties import property_of

PARSER: FeedParser = PARSERS[0]
IDS = st.sampled_from(
    ["oExampleOpenid00000000000001", "1735700000000-1234567-0abc-example", "1", 1, True, "13912345678", "", None]
)
KEYS = ("$identity_mp_id", "$identity_mp_openid", "$identity_mp_unionid", "$identity_mobile", "$identity_novel")
EVENTS = st.fixed_dictionaries(
    {
        "distinct_id": st.sampled_from(
            ["oExampleOpenid00000000000001", "d-1", "$identity_login_id+u88", "13912345678"]
        ),
        "type": st.sampled_from(["track", "track", "profile_set", "track_signup", "track_id_bind", "track_id_unbind"]),
        "event": st.sampled_from(["$MPViewScreen", "pay"]),
        "time": st.sampled_from([1735700800000, 1735700800000 + 86_400_000, 1735614400000]),
        "properties": st.just({}),
    },
    optional={
        "anonymous_id": IDS,
        "login_id": st.sampled_from(["u88", "$identity_novel+u1", "$identity_mobile+13912345678", 7]),
        "identities": st.dictionaries(st.sampled_from(KEYS), IDS, max_size=3),
    },
)
APPS = st.sampled_from([("wx0000000000000001", "2025-01-01"), ("tt0000000000000001", "2025-01-03")])


def told(record: Record) -> tuple[object, ...]:
    """What an event says, or why it was refused."""
    try:
        parsed: Parsed = PARSER.parse(record)
    except RecordRefusedError as refusal:
        return refusal.reason, refusal.detail
    return parsed.rows, [dict(one) for one in parsed.observations], parsed.unknown, parsed.unknown_values


@property_of(st.lists(st.tuples(EVENTS, APPS), min_size=1, max_size=10), few=60, many=300)
def test_an_event_says_the_same_whatever_was_read_before_it(
    events: list[tuple[dict[str, Any], tuple[str, str]]],
) -> None:
    read = [records(PARSER, event, app_id=app, interval=day)[0] for event, (app, day) in events]
    together = [told(record) for record in read]
    # Other settings, though equal ones, begin with nothing at hand.
    alone = [told(Record(one.value, one.context, replace(one.settings), one.digest)) for one in read]
    assert together == alone
