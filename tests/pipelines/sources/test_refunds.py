"""One refund is one row: what pulls and messages say of it comes together, in whatever order and parts it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import polars as pl
import pytest
from hypothesis import strategies as st

from pipelines.sources.base import FeedParser
from pipelines.sources.douyin_messages import PARSERS as PUSHES
from pipelines.sources.douyin_refunds import PARSERS as CASES
from pipelines.sources.shop_orders import PARSERS as OWN
from pipelines.sources.tmall_messages import PARSERS as FRAMES
from pipelines.sources.tmall_refunds import PARSERS as REFUNDS
from pipelines.store.arrow import arrow_table
from pipelines.store.local_latest import changed_rows, latest_rows
from pipelines.tables import ALL
from tests.pipelines.published import complete
from tests.pipelines.sources.private_domain import one_row
from tests.pipelines.sources.public_domain import NICK, SHOP, changed, parse
from tests.pipelines.sources.test_douyin_messages import REFUND as PUSHED
from tests.pipelines.sources.test_douyin_messages import message
from tests.pipelines.sources.test_douyin_refunds import case
from tests.pipelines.sources.test_shop_orders import ORDER
from tests.pipelines.sources.test_tmall_messages import BACK, frame
from tests.pipelines.sources.test_tmall_refunds import REFUND
from tests.properties import property_of

TABLE = ALL["silver.refunds"]
NAMELESS = {"shop_id": "", "seller_nick": ""}
"""A context that names no shop."""

Told = tuple[FeedParser, dict[str, Any], dict[str, str]]
"""A record with what its context knows beside."""


def pushed(second: int, tag: str, shop: str, leaves_out: str) -> Told:
    """A push of Douyin; it names its shop itself, leaves that to the context, or knows none."""
    data = changed(PUSHED, update_time=second, aftersale_status=12 if tag == "206" else 6)
    unsaid = {leaves_out, "" if shop == "itself" else "shop_id"}
    data = {name: value for name, value in data.items() if name not in unsaid}
    return PUSHES[0], message(tag, data), {} if shop == "context" else NAMELESS


def pulled(second: int, code: int, lines: Sequence[str]) -> Told:
    """A pulled case of Douyin, always asked of a shop."""
    return CASES[0], case(*lines, update_time=second, aftersale_status=code), {}


def framed(second: int, topic: str, nick: bool) -> Told:
    """A message of Tmall with or without its seller."""
    content = changed(BACK, modified=f"2025-01-05 00:00:{second:02d}", seller_nick=NICK if nick else ...)
    return FRAMES[0], frame(f"taobao_refund_Refund{topic}", content), NAMELESS


def listed(second: int, status: str) -> Told:
    """A pulled refund of Tmall."""
    return REFUNDS[0], changed(REFUND, status=status, modified=f"2025-01-05 00:00:{second:02d}"), {}


DOUYIN = st.builds(
    pushed,
    st.integers(1735810000, 1735810002),
    st.sampled_from(("200", "206", "207")),
    st.sampled_from(("itself", "context", "nowhere")),
    st.sampled_from(("", "p_id", "s_id", "refund_amount")),
) | st.builds(
    pulled, st.integers(1735810000, 1735810002), st.sampled_from((6, 12, 28)), st.sampled_from(((), ("1", "2")))
)
TMALL = st.builds(
    framed, st.integers(0, 2), st.sampled_from(("Created", "Success", "Closed")), st.booleans()
) | st.builds(listed, st.integers(0, 2), st.sampled_from(("WAIT_SELLER_AGREE", "SUCCESS", "CLOSED")))
DIGESTS = st.lists(st.integers(0, 16**32 - 1), min_size=3, max_size=3, unique=True)


def row_of(told: Told, digest: int) -> dict[str, Any]:
    """The record's row with its lineage; every record arrives on a day of its own."""
    parser, value, known = told
    name = f"{digest:032x}"
    row = one_row(parse(parser, value, digest=name, **known), "refunds")
    return {**row, "feed": parser.feed, "interval": f"2025-01-{digest % 28 + 1:02d}", "record_hash": name}


def frame_of(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    made = pl.from_arrow(arrow_table(TABLE, [complete(TABLE, row) for row in rows]))
    assert isinstance(made, pl.DataFrame)
    return made


def stored(*parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the table holds when the parts come in one after the other."""
    held = frame_of([])
    for part in parts:
        new = changed_rows(TABLE, latest_rows(TABLE, frame_of(part)), held, op="op").drop("op")
        held = pl.concat([held.join(new, on=list(TABLE.key), how="anti"), new])
    return held.to_dicts()


def ends(arrivals: Sequence[Sequence[Sequence[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """What a refund is after each of these arrivals, part by part: each is given a refund of its own in one table."""
    own = arrivals[0][0][0]["refund_id"]
    steps = zip(*arrivals, strict=True)
    parts = [[{**row, "refund_id": str(n)} for n, part in enumerate(step) for row in part] for step in steps]
    found = sorted(stored(*parts), key=lambda row: int(row["refund_id"]))
    assert [row["refund_id"] for row in found] == [str(n) for n in range(len(arrivals))]
    return [{**row, "refund_id": own} for row in found]


VERSIONS = st.lists(DOUYIN, min_size=2, max_size=3) | st.lists(TMALL, min_size=2, max_size=3)


@property_of(VERSIONS, DIGESTS, few=3, many=15)
def test_any_arrival_of_a_refunds_versions_ends_in_the_same_one_row(versions: list[Told], digests: list[int]) -> None:
    rows = [row_of(told, digest) for told, digest in zip(versions, digests, strict=False)]
    (expected,) = stored(rows)
    orders = list(permutations(rows))
    assert ends([[[row] for row in order] for order in orders]) == [expected] * len(orders)
    assert ends([[order[:2], order[2:]] for order in orders]) == [expected] * len(orders)
    named = {row["shop_id"] for row in rows} - {None}
    assert expected["shop_id"] == (named.pop() if named else None)
    assert expected["version_key"] == max(row["version_key"] for row in rows)


@pytest.mark.parametrize("parser", [PUSHES[0], CASES[0], FRAMES[0], REFUNDS[0]], ids=lambda parser: str(parser.feed))
def test_every_feed_of_a_platform_names_a_refund_alike(parser: FeedParser) -> None:
    told = {
        "douyin_messages": pushed(1735810000, "206", "nowhere", ""),
        "douyin_refunds": pulled(1735810000, 12, ()),
        "tmall_messages": framed(0, "Success", nick=False),
        "tmall_refunds": listed(0, "SUCCESS"),
    }[parser.feed]
    row = row_of(told, 1)
    own = "7001" if parser.source == "douyin" else "90123"
    assert [row[name] for name in TABLE.key] == [parser.source, "", own]
    shops = {"douyin_refunds": SHOP, "tmall_refunds": NICK}
    assert row["shop_id"] == shops.get(parser.feed)


def test_refunds_of_own_shops_with_one_number_are_two() -> None:
    back = {"refund_id": "9", "amount_fen": 4000, "status": "success", "at": 1735920000000}
    rows = [
        row_of((OWN[0], changed(ORDER, shop_id=shop, refunds=[back]), {}), digest)
        for digest, shop in enumerate(("mall-01", "mall-02"))
    ]
    places = sorted((row["refund_scope"], row["shop_id"]) for row in stored(rows))
    assert places == [("mall-01", "mall-01"), ("mall-02", "mall-02")]
