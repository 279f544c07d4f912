from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.phone import digit_runs, is_digit_run, is_mobile, normalise_phone

NUMBER = "13912345670"


@pytest.mark.parametrize(
    "written",
    [
        NUMBER,
        " 139 1234 5670 ",
        "139-1234-5670",
        "(139)12345670",
        "+86 139-1234-5670",
        "+8613912345670",
        "008613912345670",
        "8613912345670",
        "１３９１２３４５６７０",
        "＋８６（139）1234－5670",
        "\u202d139 1234 5670\u202c",
        "139\u20131234\u20135670",
        "139\u00a01234\u00a05670\ufeff",
    ],
)
def test_every_way_of_writing_a_mainland_number_gives_its_eleven_digits(written: str) -> None:
    assert normalise_phone(written) == (NUMBER, "")


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+1 300 555 1234", "+13005551234"),
        ("001 300 555 1234", "+13005551234"),
        ("+852 9123 4567", "+85291234567"),
        ("+44 (20) 7946 0018", "+442079460018"),
    ],
)
def test_a_foreign_number_is_e164_and_never_a_mainland_one(written: str, number: str) -> None:
    assert normalise_phone(written) == (number, "")


@pytest.mark.parametrize(
    ("written", "refusal"),
    [
        ("18400913965-7576", "virtual_number"),
        ("18877771111-123", "virtual_number"),
        ("18400913965,7576", "virtual_number"),
        ("18400913965，7576", "virtual_number"),
        ("18400913965 转 7576", "virtual_number"),
        ("+86 18400913965-7576", "virtual_number"),
        ("138****1234", "masked"),
        ("1********35", "masked"),
        ("*******5552", "masked"),
        ("0571-88881234", "landline"),
        ("+86 571 8888 1234", "landline"),
        ("010 88881234", "landline"),
        ("400-800-1234", "landline"),
        ("800 820 1234", "landline"),
        ("95533", "landline"),
        ("10086", "landline"),
        ("88881234", "landline"),
        ("12912345678", "malformed"),
        ("1391234567", "malformed"),
        ("139123456701", "malformed"),
        ("+86 1391234567", "malformed"),
        ("+1", "malformed"),
        ("not a number", "malformed"),
        ("", "malformed"),
        ("٠١٢٣", "malformed"),
    ],
)
def test_what_is_no_personal_number_is_refused_with_its_rule(written: str, refusal: str) -> None:
    assert normalise_phone(written) == ("", refusal)


@pytest.mark.parametrize("prefix", ["162", "165", "167", "170", "171"])
def test_numbers_of_virtual_operators_belong_to_real_people(prefix: str) -> None:
    assert normalise_phone(f"{prefix}12345678").number == f"{prefix}12345678"


@given(st.text())
def test_no_text_breaks_the_reading_and_a_number_reads_as_itself(text: str) -> None:
    reading = normalise_phone(text)
    assert bool(reading.number) != bool(reading.refusal)
    if reading.number:
        assert normalise_phone(reading.number) == reading


@pytest.mark.parametrize("run", ["11111111111", "12345678901", "98765432109", "+86 111-1111-1111", "0000000"])
def test_a_run_over_the_whole_number_is_seen(run: str) -> None:
    assert is_digit_run(run)


@pytest.mark.parametrize("other", ["13911111111", "11111111112", "111111", "abcdefghijk", "13912345678", ""])
def test_a_run_inside_a_number_is_none(other: str) -> None:
    assert not is_digit_run(other)


def test_all_thirty_runs_of_eleven_digits_are_known() -> None:
    assert len(set(digit_runs())) == 30
    assert all(is_digit_run(run) for run in digit_runs())


@pytest.mark.parametrize(
    ("text", "mobile"), [(NUMBER, True), ("+86 " + NUMBER, True), ("K13912345670", False), ("K", False)]
)
def test_an_id_that_is_itself_a_mobile_number_is_seen(text: str, mobile: bool) -> None:
    assert is_mobile(text) is mobile
