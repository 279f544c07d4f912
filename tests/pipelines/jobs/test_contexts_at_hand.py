"""What is worked out once for many lines is what each line would give alone: contexts, and digests without volatile
pairs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import strategies as st

from pipelines.jobs.records import record_digest, records_of_line
from pipelines.jobs.wrapper import make_context
from pipelines.sources.base import FeedParser, Parsed, RecordRefusedError, Settings
from pipelines.sources.fields import rfc3339
from tests.properties import property_of

DAY = "2025-03-01"
SETTINGS = Settings("things", context_defaults={"shop_id": "default"})
PARSER = FeedParser("staff", "things", lambda payload, context: [payload], lambda record: Parsed(), tables=())
STAMPS = (
    *(
        "2025-03-01T10:00:00+08:00",
        "2025-03-01T10:00:59+08:00",
        "2025-03-01T10:00:07Z",
        "2025-03-01T10:00:07.250+08:00",
    ),
    *("1740794407", "1740794407123", "2025-03-01T10:00:61+08:00", "2025-03-01T10:00:07", "soon", ""),
)
CONTEXTS = st.one_of(
    st.fixed_dictionaries(
        {"received_at": st.sampled_from(STAMPS)},
        optional={
            "shop_id": st.sampled_from(["s1", "s2"]),
            "params": st.sampled_from([{"received_at": STAMPS[0]}, {"userid": "u1"}]),
            "novelty": st.sampled_from(['"received_at":"2025-03-01T10:00:00+08:00"', "x"]),
        },
    ),
    st.fixed_dictionaries({"params": st.fixed_dictionaries({"received_at": st.sampled_from(STAMPS)})}),
    st.fixed_dictionaries({"received_at": st.sampled_from([1740794407, None, [STAMPS[0]]])}),
)


def read(raw: bytes) -> tuple[object, ...]:
    """The context of a line, its text, and why it was refused."""
    (found,) = records_of_line(1, raw, parser=PARSER, settings=SETTINGS, interval=DAY)
    refusal = found.refusal
    return found.context, found.context_json, refusal and (refusal.reason, refusal.detail)


def alone(context: Any) -> tuple[object, ...]:
    """The same by the context alone, as it is read where nothing is kept at hand."""
    try:
        made = make_context(context, "staff", SETTINGS, DAY)
    except RecordRefusedError as refusal:
        return None, None, (refusal.reason, refusal.detail)
    return made, orjson.dumps(context, option=orjson.OPT_SORT_KEYS).decode(), None


@property_of(st.lists(CONTEXTS, min_size=1, max_size=12), few=60, many=300)
def test_a_context_is_the_same_whatever_was_read_before_it(contexts: list[dict[str, Any]]) -> None:
    for context in contexts:
        assert read(orjson.dumps({"context": context, "payload": {}})) == alone(context)


@pytest.mark.parametrize(
    "form",
    ['{"received_at":"%s","received_at":"2025-03-01T00:00:00Z"}', '{"params":{"received_at":"%s"},"received_at":"%s"}'],
)
def test_of_two_times_of_arrival_that_of_the_line_counts(form: str) -> None:
    last = "2025-03-01T00:00:00Z"
    for stamp in (last, *STAMPS[:3]):
        context = form.replace("%s", stamp, 1).replace("%s", last)
        assert read(f'{{"context":{context},"payload":{{}}}}'.encode()) == alone(orjson.loads(context))


def test_contexts_of_other_settings_feeds_and_days_are_their_own() -> None:
    raw = orjson.dumps({"context": {"received_at": STAMPS[0]}, "payload": {}})
    for feed in ("staff", "products"):
        for day in (DAY, "2025-03-02"):
            for shop in ("default", "other"):
                own = Settings("things", context_defaults={"shop_id": shop})
                parser = replace(PARSER, feed=feed)
                (found,) = records_of_line(1, raw, parser=parser, settings=own, interval=day)
                assert found.context is not None
                assert (found.context.feed, found.context.interval, found.context.shop_id) == (feed, day, shop)


@pytest.mark.parametrize("stamp", STAMPS[:3])
def test_arrival_to_the_second_is_its_rfc_3339_time(stamp: str) -> None:
    context, _, _ = read(orjson.dumps({"context": {"received_at": stamp}, "payload": {}}))
    assert getattr(context, "received_ms", None) == rfc3339(stamp, "t")


NAMES = ("a", "_flush_time", "encrypt_x", "encrypt_", "plain")
VALUES = st.recursive(
    st.one_of(
        st.none(), st.integers(-5, 5), st.sampled_from(["", '"a":1', ",}", '{"a":1,"b":2}', "_flush_time", "\\"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)),
    max_leaves=8,
)
VOLATILE = ("_flush_time", "encrypt_*")


def without(value: Any) -> Any:
    """The value without volatile pairs whose values are plain, at any depth outside of texts."""
    if isinstance(value, list):
        return [without(one) for one in value]
    if not isinstance(value, dict):
        return value
    gone = re.compile("_flush_time|encrypt_.*")
    plain = (str, int, type(None))
    kept = {name: one for name, one in value.items() if not (gone.fullmatch(name) and isinstance(one, plain))}
    return {name: without(one) for name, one in kept.items()}


@property_of(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5), few=80, many=500)
def test_a_digest_is_that_of_the_record_without_its_volatile_pairs(value: dict[str, Any]) -> None:
    texts = [text for text in _texts(value) if text.lstrip()[:1] in ("{", "[") or ",}" in text]
    if not texts:  # JSON texts are cleaned too, and a comma before a brace goes
        assert (
            record_digest(value, VOLATILE)
            == record_digest(without(value), VOLATILE)
            == record_digest(without(value), ())
        )


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []
