"""The short way of plain records gives what the whole way gives, and only plain records take it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st

from pipelines.jobs import worker as worker_module
from pipelines.jobs.landing import chunks, find_files, make_batch
from pipelines.jobs.plain_records import PlainRecords
from pipelines.jobs.worker import Result, Worker
from pipelines.simulate import Dirt, SimulationConfig, simulate
from pipelines.sources import FEED_PARSERS
from tests.pipelines.jobs.composed import worker_setup
from tests.properties import property_of

FEED = "miniprogram_events"
DAY = "2025-03-01"
CONTEXT = {"app_id": "wxapp0000000000001", "brand": "brandA", "received_at": f"{DAY}T10:00:05+08:00"}
Event = dict[str, Any]


def event(**changes: Any) -> Event:
    """A visitor's usual event."""
    usual = {
        "distinct_id": "oExampleOpenid000000000001",
        "anonymous_id": "1740794400000-1000001-0abc-example",
        "identities": {"$identity_mp_openid": "oExampleOpenid000000000001"},
        "lib": {"$lib": "MiniProgram"},
        "type": "track",
        "event": "$MPViewScreen",
        "time": 1740794400000,
        "_track_id": 12345,
        "_flush_time": 1740794400900,
        "properties": {"$url_path": "pages/goods/detail", "$scene": "wx-1047", "goods_id": "SKU-1"},
    }
    return {key: value for key, value in {**usual, **changes}.items() if value is not ...}


def line(payload: bytes | Event, context: bytes | Event = CONTEXT) -> bytes:
    texts = [one if isinstance(one, bytes) else orjson.dumps(one) for one in (context, payload)]
    return b'{"context":%b,"payload":%b}' % tuple(texts)


def read(folder: Path, lines: list[bytes], *, plain: bool) -> tuple[list[str], dict[tuple[str, str], int]]:
    """All staged rows and counts; ciphers, which are random, by their length."""
    folder.mkdir(parents=True)
    (folder / "part.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    worker = Worker(worker_setup(folder / "staging"))
    worker.shaper.begin_batch("")
    parsers = FEED_PARSERS if plain else {**FEED_PARSERS, FEED: replace(FEED_PARSERS[FEED], plain=None)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_module, "FEED_PARSERS", parsers)
        for chunk in chunks(make_batch(FEED, DAY, find_files([folder / "part.jsonl"]), "b"), 4096):
            worker.read_chunk(chunk)
    return said(list(worker.stage.finish()))


def said(results: list[Result]) -> tuple[list[str], dict[tuple[str, str], int]]:
    rows: list[str] = []
    for kind, name, file, *_ in results:
        if kind == "staged":
            for row in pq.read_table(file).to_pylist():
                row["cipher"] = len(row.get("cipher") or "")
                rows.append(f"{name} {orjson.dumps(row, default=str, option=orjson.OPT_SORT_KEYS).decode()}")
    return sorted(rows), {(kind, name): count for kind, name, *_, count in results if kind != "staged"}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Counter[bool]:
    """How many lines took the short way and how many did not."""
    taken: Counter[bool] = Counter()
    whole = PlainRecords.read

    def counted(self: PlainRecords, raw: bytes) -> Any:
        found = whole(self, raw)
        taken[found is not None] += 1
        return found

    monkeypatch.setattr(PlainRecords, "read", counted)
    return taken


PROPERTIES = event()["properties"]
PLAIN: dict[str, bytes] = {
    "usual": line(event(time=1740794400001)),
    "another second": line(event(_track_id=2), {**CONTEXT, "received_at": f"{DAY}T10:00:59+08:00"}),
    "another context": line(event(_track_id=3), {**CONTEXT, "shop_id": "s1"}),
    "no time of arrival": line(event(_track_id=4), {"app_id": CONTEXT["app_id"], "brand": "brandA"}),
    "times as text": line(event(_track_id="5", time="1740794400000")),
    "a clock ahead": line(event(_track_id=6, time=1990794400000)),
    "no clock": line(event(_track_id=7, time=0)),
    "properties as text": line(event(_track_id=8, properties=orjson.dumps(PROPERTIES).decode())),
    "a phone in a property": line(event(_track_id=9, properties={**PROPERTIES, "note": "13912345678"})),
    "volatile words in a text": line(event(_track_id=10, properties={"note": '{"_flush_time":1,"a":2}'})),
    "a comma before a brace in a text": line(event(_track_id=11, properties={"note": "a,}b"})),
    "payload in the context": line(event(_track_id=12), {**CONTEXT, "code": 'x,"payload":y'}),
    "fractions": line(event(_track_id=13, properties={"$event_duration": 1.25, "rate": 0.1})),
    "a number too great": line(orjson.dumps(event()).replace(b"12345", b"123456789012345678901234567890")),
    "a phone as login": line(event(login_id="13912345678", identities={})),
    "a profile": line(event(type="profile_set", event=..., properties={"level": 3})),
}
WHOLE: dict[str, bytes] = {
    "bare": orjson.dumps(event()),
    "payload first": b'{"payload":%b,"context":%b}' % (orjson.dumps(event()), orjson.dumps(CONTEXT)),
    "something behind": line(event())[:-1] + b',"more":1}',
    "another payload": line(event())[:-1] + b',"payload":{}}',
    "another context": b'{"context":{},"context":{},"payload":%b}' % orjson.dumps(event()),
    "context of another kind": line(event(), b'"x"'),
    "broken context": line(event(), b'{"app_id":}'),
    "spaces": line(b" " + orjson.dumps(event()) + b" "),
    "a list": line(orjson.dumps([event(), event(_track_id=7)])),
    "no object": line(b"17"),
    "cut": line(event())[:-40],
    "not UTF-8": line(orjson.dumps(event()).replace(b"SKU-1", b"SKU-\xff")),
    "half a surrogate": line(orjson.dumps(event()).replace(b"SKU-1", b"\\ud800")),
    "unknown field": line(event(novelty=1)),
    "unknown identity": line(event(identities={"$identity_novel": "x"})),
    "unknown type": line(event(type="trace")),
    "bind": line(event(type="track_id_bind", event="$BindID", identities={"$identity_mp_openid": "o1", "phone": "1"})),
    "sign-up": line(event(type="track_signup", event="$SignUp", original_id="a1")),
    "no distinct id": line(event(distinct_id=...)),
    "no name": line(event(event=...)),
    "no type": line(event(type=...)),
    "a time that is none": line(event(time="yesterday")),
    "a secret": line(event(properties={"session_key": "abc=="})),
    "a phone alone": line(
        event(distinct_id="13912345678", anonymous_id=..., identities={"$identity_mobile": "13912345678"})
    ),
    "another dialect": line({"type": "page_view", "time": 1740794400000, "wx_user": {"open_id": "o1"}}),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_record_takes_the_short_way_and_gives_the_same(name: str, tmp_path: Path, short: Counter[bool]) -> None:
    lines = [line(event()), PLAIN[name], PLAIN[name]]
    quick = read(tmp_path / "short", lines, plain=True)
    assert short[True] >= 1
    assert quick == read(tmp_path / "whole", lines, plain=False)


@pytest.mark.parametrize("name", WHOLE)
def test_any_other_line_takes_the_whole_way(name: str, tmp_path: Path, short: Counter[bool]) -> None:
    lines = [line(event()), WHOLE[name], WHOLE[name]]
    quick = read(tmp_path / "short", lines, plain=True)
    assert short[True] == 0
    assert quick == read(tmp_path / "whole", lines, plain=False)


def test_the_first_sighting_of_a_day_takes_the_whole_way(tmp_path: Path, short: Counter[bool]) -> None:
    tomorrow = line(event(time=1740794400000 - 86_400_000))
    read(tmp_path / "short", [line(event()), line(event()), tomorrow, tomorrow], plain=True)
    assert short == {False: 2, True: 2}


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["", "未取到值", "track", "$MPShow", "wx-1047", "13912345678", "a?b=1&phone=2", '{"a":1}', ",}", "\\"]
    ),
    st.lists(st.integers(0, 9), max_size=2),
)
KEYS = st.sampled_from([*event(), "login_id", "original_id", "time_free", "novelty"])
INNER = st.sampled_from(["$url_path", "$scene", "goods_id", "$event_duration", "$share_distinct_id", "$url_query", "x"])


EVENTS = st.lists(st.tuples(st.dictionaries(KEYS, VALUES, max_size=2), st.dictionaries(INNER, VALUES)), max_size=4)


@property_of(EVENTS, few=10, many=60)
def test_whatever_an_event_holds_both_ways_agree(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[Event, Event]]
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    made = [line({**event(properties={**PROPERTIES, **inner}), **outer}) for outer, inner in changes]
    lines = [line(event()), *made, *made]
    assert read(folder / "short", lines, plain=True) == read(folder / "whole", lines, plain=False)


def test_most_events_of_a_brand_are_plain(tmp_path: Path, short: Counter[bool]) -> None:
    simulate(SimulationConfig(people=40, days=2, start=DAY, seed=5, dirt=Dirt.default().scaled(3)), tmp_path / "world")
    days = sorted((tmp_path / "world" / "landing" / FEED).rglob("*.jsonl"))
    lines = [one for path in days for one in path.read_bytes().splitlines()]
    quick = read(tmp_path / "short", lines, plain=True)
    assert short[True] > 2 * short[False]
    assert quick == read(tmp_path / "whole", lines, plain=False)
