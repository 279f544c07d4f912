from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.errors import IdentifierError
from identity.identifier import Identifier, format_identifier, parse_identifier


def test_a_value_may_hold_colons() -> None:
    assert parse_identifier("member_id:brandA:K:1:2") == Identifier("member_id", "brandA", "K:1:2")


def test_a_global_identifier_has_an_empty_scope() -> None:
    assert parse_identifier("phone::13912345678") == Identifier("phone", "", "13912345678")


@pytest.mark.parametrize(("text", "colons"), [("phone", 0), ("phone:13912345678", 1)])
def test_a_text_with_fewer_than_two_colons_is_refused(text: str, colons: int) -> None:
    with pytest.raises(IdentifierError, match=rf"received a text with {colons} colon\(s\).*empty scope"):
        parse_identifier(text)


def test_the_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(IdentifierError) as caught:
        parse_identifier("13912345678")
    assert "139" not in str(caught.value).replace("phone::13912345678", "")


@given(st.text(st.characters(exclude_characters=":")), st.text(st.characters(exclude_characters=":")), st.text())
def test_format_and_parse_are_inverse(namespace: str, scope: str, value: str) -> None:
    identifier = Identifier(namespace, scope, value)
    assert parse_identifier(format_identifier(identifier)) == identifier
    assert str(identifier) == format_identifier(identifier)
