"""Declarations: complete, consistent, and refused when they contradict themselves."""

from __future__ import annotations

import re

import pytest

from features.catalog import CATALOG, declared_tags, definition
from features.parameters import Parameters
from features.spec import Catalog, DeclarationError, Derived, Fact, Feature, Tag, Theme
from features.tagging import reason_sql

FACT = Fact("orders", "Orders", {"paid_fen": "Paid"})
PAID = Feature("paid", "bigint", "Paid", "orders", "sum(paid_fen)", "0")


def test_every_feature_says_what_it_means() -> None:
    assert [item.name for item in CATALOG.columns if len(item.doc) < 10] == []


def test_every_declared_tag_says_what_it_means_and_why() -> None:
    assert [tag.name for tag in declared_tags() if len(tag.doc) < 5 or not re.search(r"\{[a-z_]+", tag.reason)] == []


def test_reasons_speak_of_declared_features_only() -> None:
    known = {item.name for item in CATALOG.columns}
    named = {name for tag in declared_tags() for name in re.findall(r"\{([a-z_][a-z0-9_]*)", tag.reason)}
    assert named - known == set()


def test_a_feature_declared_twice_is_refused_naming_both_themes() -> None:
    with pytest.raises(DeclarationError, match="'paid' is declared in 'a' and in 'b'"):
        Catalog((Theme("a", (FACT,), (PAID,)), Theme("b", derived=(Derived("paid", "int", "Again", "1"),))))


def test_a_feature_of_an_unknown_fact_is_refused() -> None:
    with pytest.raises(DeclarationError, match="names fact 'orders'; declared are"):
        Catalog((Theme("a", (), (PAID,)),))


def test_a_name_that_is_no_column_name_is_refused() -> None:
    with pytest.raises(DeclarationError, match="'Net Revenue'"):
        Feature("Net Revenue", "bigint", "Net", "orders", "1")


def test_a_tag_without_reason_is_refused() -> None:
    with pytest.raises(DeclarationError, match="'vip' has no reason"):
        Tag("vip", "贵宾", "Very important", "'yes'", " ")


def test_a_tag_that_uses_the_day_must_say_so() -> None:
    with pytest.raises(DeclarationError, match="timed=False but its value uses as_of"):
        Tag("vip", "贵宾", "Very important", "datediff(as_of, last_purchase_date)", "最近 {last_purchase_date}")


def test_a_tag_declared_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tag = Tag("vip", "贵宾", "Very important", "'yes'", "共 {orders} 单")
    monkeypatch.setattr("features.catalog.TAG_THEMES", (lambda _: (tag, tag),))
    with pytest.raises(DeclarationError, match="'vip' is declared twice"):
        declared_tags()


def test_a_changed_threshold_changes_the_definition() -> None:
    assert definition(Parameters.from_dict({"rfm": {"high_from": 4}})) != definition()


def test_an_unknown_format_in_a_reason_is_refused() -> None:
    with pytest.raises(DeclarationError, match="unknown format 'euro'; allowed are yuan, day"):
        reason_sql("共 {orders:euro}")


def test_a_quote_in_a_reason_is_refused() -> None:
    with pytest.raises(DeclarationError, match="quotes and backslashes"):
        reason_sql("it's {orders}")
