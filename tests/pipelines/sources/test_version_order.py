"""Versions of one record: the same one wins in whatever order they arrive."""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.base import FeedParser
from pipelines.sources.douyin_orders import PARSERS as DOUYIN
from pipelines.sources.tmall_trades import PARSERS as TMALL
from tests.pipelines.sources.private_domain import one_row
from tests.pipelines.sources.public_domain import douyin_line, douyin_order, parse, tmall_line, tmall_trade

DOUYIN_STATES = ((1, 1), (1, 103), (105, 105), (2, 2), (101, 101), (3, 3), (5, 5), (4, 4), (4, 21), (4, 22), (5, 39))
TMALL_STATES = (
    "WAIT_BUYER_PAY",
    "PAY_PENDING",
    "WAIT_SELLER_SEND_GOODS",
    "SELLER_CONSIGNED_PART",
    "WAIT_BUYER_CONFIRM_GOODS",
    "TRADE_BUYER_SIGNED",
    "TRADE_FINISHED",
    "TRADE_CLOSED_BY_TAOBAO",
    "TRADE_CLOSED",
)
LATE = 1735700731


def douyin_version(state: tuple[int, int], after_sale: int, second: int) -> tuple[FeedParser, dict[str, Any]]:
    """A version of a Douyin order."""
    codes = {"order_status": state[0], "main_status": state[1]}
    line = douyin_line(**codes, update_time=second, after_sale_info={"after_sale_status": after_sale})
    return DOUYIN[0], douyin_order(line, **codes, update_time=second)


def tmall_version(state: str, refund: str, second: int) -> tuple[FeedParser, dict[str, Any]]:
    """A version of a Tmall trade."""
    line = tmall_line(status=state, refund_status=refund)
    return TMALL[0], tmall_trade(line, status=state, modified=f"2025-01-01 11:05:{second % 60:02d}")


DOUYIN_VERSIONS = st.builds(
    douyin_version, st.sampled_from(DOUYIN_STATES), st.sampled_from((0, 6, 12, 28)), st.integers(LATE, LATE + 2)
)
TMALL_VERSIONS = st.builds(
    tmall_version, st.sampled_from(TMALL_STATES), st.sampled_from(("NO_REFUND", "CLOSED", "SUCCESS")), st.integers(0, 2)
)


def winner(versions: list[tuple[FeedParser, dict[str, Any], str]], table: str) -> dict[str, Any]:
    """The row that stays when the versions are read one after the other, greatest version key first."""
    kept: dict[str, Any] = {}
    for parser, value, digest in versions:
        row = one_row(parse(parser, value, digest=digest), table)
        if not kept or row["version_key"] > kept["version_key"]:
            kept = row
    return kept


@given(
    st.lists(DOUYIN_VERSIONS | TMALL_VERSIONS, min_size=2, max_size=4),
    st.lists(st.integers(0, 16**32 - 1), min_size=4, max_size=4, unique=True),
)
def test_any_arrival_order_of_an_orders_versions_ends_in_the_same_row(
    versions: list[tuple[FeedParser, dict[str, Any]]], digests: list[int]
) -> None:
    parser = versions[0][0]
    told = [(p, value, f"{d:032x}") for (p, value), d in zip(versions, digests, strict=False) if p is parser]
    for table in ("orders", "order_lines"):
        ends = {str(sorted(winner(list(order), table).items(), key=str)) for order in permutations(told)}
        assert len(ends) == 1


@pytest.mark.parametrize("digests", [("0" * 32, "f" * 32), ("f" * 32, "0" * 32)])
def test_the_further_state_wins_inside_one_second(digests: tuple[str, str]) -> None:
    for earlier, later in pairwise(DOUYIN_STATES[:-2]):
        keys = [
            one_row(parse(*douyin_version(state, 0, LATE), digest=digest), "orders")["version_key"]
            for state, digest in zip((earlier, later), digests, strict=True)
        ]
        assert keys[0] < keys[1], (earlier, later)


@pytest.mark.parametrize("digests", [("0" * 32, "f" * 32), ("f" * 32, "0" * 32)])
def test_the_further_trade_state_wins_inside_one_second(digests: tuple[str, str]) -> None:
    for earlier, later in pairwise(TMALL_STATES):
        keys = [
            one_row(parse(*tmall_version(state, "NO_REFUND", 1), digest=digest), "orders")["version_key"]
            for state, digest in zip((earlier, later), digests, strict=True)
        ]
        assert keys[0] < keys[1], (earlier, later)


def test_a_lines_own_update_decides_although_the_order_did_not_change() -> None:
    applied = douyin_line(update_time=LATE + 5, after_sale_info={"after_sale_status": 6, "refund_status": 1})
    withdrawn = douyin_line(update_time=LATE + 9, after_sale_info={"after_sale_status": 0})
    keys = [
        one_row(parse(DOUYIN[0], douyin_order(line)), "order_lines")["version_key"] for line in (applied, withdrawn)
    ]
    assert keys[0] < keys[1]


def test_the_refund_decides_inside_one_second_and_state() -> None:
    keys = [
        one_row(parse(*douyin_version((4, 22), after_sale, LATE)), "order_lines")["version_key"]
        for after_sale in (0, 6, 28, 12)
    ]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("digests", [("0" * 32, "f" * 32), ("f" * 32, "0" * 32)])
def test_a_line_is_as_its_order_last_changed_it_though_its_own_time_stands_still(digests: tuple[str, str]) -> None:
    told = [
        (DOUYIN[0], douyin_order(douyin_line(pay_amount=fen, update_time=LATE), update_time=second), digest)
        for fen, second, digest in zip((900, 800), (LATE, LATE + 1), digests, strict=True)
    ]
    assert winner(told, "order_lines")["paid_fen"] == 800
