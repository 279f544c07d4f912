"""Identifiers have their platforms' shapes, are unique, and depend on the seed alone."""

from __future__ import annotations

import re
from random import Random

from pipelines.simulate.ids import IdFactory, long_id, mask_douyin, mask_tmall, mix_mobile, virtual_number

IDS = IdFactory(7)


def test_numbers_are_mainland_mobiles_and_never_two_alike() -> None:
    numbers = [IDS.mobile_of(person, nth) for person in range(5_000) for nth in range(4)]
    assert len(set(numbers)) == len(numbers)
    assert all(re.fullmatch(r"1[3-9]\d{9}", number) for number in numbers)


def test_no_number_is_the_well_known_test_number_or_a_privacy_one() -> None:
    heads = {IDS.mobile(slot)[:3] for slot in range(20_000)}
    assert not heads & {"138", "184"}


def test_staff_numbers_are_nobody_elses() -> None:
    assert not {IDS.staff_mobile(n) for n in range(100)} & {IDS.mobile(slot) for slot in range(20_000)}


def test_accounts_differ_by_scope() -> None:
    assert IDS.openid("wx1", 5) != IDS.openid("wx2", 5)
    assert IDS.external_userid("ww1", 5) != IDS.external_userid("ww2", 5)
    assert IDS.doudian_open_id("7000001", 5) != IDS.doudian_open_id("7000002", 5)


def test_both_forms_of_buyer_ids_occur() -> None:
    forms = {IDS.doudian_open_id("7000001", person)[0] for person in range(10)}
    assert forms == {"1", "#"}


def test_another_seed_gives_other_ids() -> None:
    assert IdFactory(8).openid("wx1", 5) != IDS.openid("wx1", 5)
    assert IdFactory(8).mobile(5) != IDS.mobile(5)


def test_long_ids_are_unique_and_lose_digits_in_a_double() -> None:
    ids = [long_id("douyin_order", number) for number in range(10_000)]
    assert len(set(ids)) == len(ids)
    assert max(ids) < 2**63
    assert any(int(float(number)) != number for number in ids)


def test_the_keyed_member_form_follows_the_published_formula() -> None:
    assert mix_mobile("13912345678", "demo_key") == "52164cc782f7af83d62d2cfe07a910bb"


def test_masks_show_what_the_platforms_show() -> None:
    assert mask_douyin("13912345678") == "1********78"
    assert mask_tmall("13912345678") == "*******5678"


def test_privacy_numbers_carry_an_extension() -> None:
    assert re.fullmatch(r"184\d{8}-\d{4}", virtual_number(Random(1)))
