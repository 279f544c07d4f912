"""Amounts in bounds, tails of masks, phones in clear, times in every form."""

from __future__ import annotations

import pytest

from pipelines.sources.amounts import MOST, any_time, fen, mask_tail, plain_phone, stated_phone, yuan
from pipelines.sources.base import RecordRefusedError


@pytest.mark.parametrize("amount", [-1, "-1", MOST + 1])
def test_an_amount_out_of_bounds_is_refused_without_being_repeated(amount: object) -> None:
    with pytest.raises(RecordRefusedError, match="amount_out_of_bounds: pay") as refusal:
        fen(amount, "pay")
    assert str(amount) not in refusal.value.detail.replace(str(MOST), "")


def test_yuan_are_bounded_like_fen() -> None:
    with pytest.raises(RecordRefusedError, match="amount_out_of_bounds"):
        yuan("-0.01", "payment")


@pytest.mark.parametrize(
    ("mask", "tail"),
    [("13*******64", "64"), ("*******1035", "1035"), ("生***", None), ("", None), (None, None), ("1**-12*34", None)],
)
def test_the_tail_is_what_the_mask_shows_at_its_end(mask: object, tail: str | None) -> None:
    assert mask_tail(mask) == tail


@pytest.mark.parametrize("said", ["18400913965-7576", "18877771111转123", "184 0091 3965", "+86 139-1234-5670"])
def test_a_number_with_extension_is_no_plain_phone(said: str) -> None:
    assert (plain_phone(said) is None) is ("-7576" in said or "转" in said)


def test_a_full_width_number_is_a_plain_phone() -> None:
    assert plain_phone("１３９１２３４５６７０") == "13912345670"


def test_a_mask_is_stated_and_a_cipher_is_not() -> None:
    assert (stated_phone("139****5670"), stated_phone("$x$"), stated_phone(None)) == ("139****5670", None, None)


@pytest.mark.parametrize(
    "said",
    [1735700530, "1735700530", 1735700530000, "2025-01-01 11:02:10", "2025-01-01T03:02:10Z", "2025-01-01T11:02:10"],
)
def test_one_moment_in_every_form(said: object) -> None:
    assert any_time(said, "t") == 1735700530000


def test_a_day_begins_in_shanghai() -> None:
    assert any_time("2025-01-01", "t") == 1735660800000


@pytest.mark.parametrize("said", ["yesterday", "2025-13-01", "01/02/2025"])
def test_what_is_no_time_is_refused(said: str) -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: t"):
        any_time(said, "t")
