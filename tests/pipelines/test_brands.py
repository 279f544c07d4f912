"""Which accounts belong to which brand: read from one file, checked, and equal to what the made-up brand has."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.brands import load_brands
from pipelines.errors import ConfigurationError, ExitCode
from pipelines.simulate import brand as demo

CONF = Path(__file__).resolve().parents[2] / "conf"


def brands(tmp_path: Path, text: str) -> Path:
    (tmp_path / "brands.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_without_a_file_there_are_no_brands(tmp_path: Path) -> None:
    assert load_brands(tmp_path).scope_rows() == load_brands(tmp_path).shop_rows() == []


def test_accounts_are_scopes_of_identifiers_and_shops(tmp_path: Path) -> None:
    file = load_brands(
        brands(tmp_path, "brands: {b: {shops: {tmall: [nick], douyin: [1]}, corps: [WW1], app_keys: [7]}}")
    )
    assert file.shop_rows() == [("b", "douyin", "1"), ("b", "tmall", "nick")]
    assert {("b", "wecom_external_userid", "ww1"), ("b", "tmall_ouid", "nick"), ("b", "doudian_open_id", "7")} <= set(
        file.scope_rows()
    )


@pytest.mark.parametrize(
    ("text", "named"), [("brands: {b: {shop: {}}}", "shop"), ("brands: [b]", "brands"), ("brands: {", "no valid YAML")]
)
def test_a_wrong_file_is_refused_by_its_key(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as refused:
        load_brands(brands(tmp_path, text))
    assert refused.value.code == ExitCode.USAGE


def test_the_shipped_file_lists_the_accounts_of_the_made_up_brand() -> None:
    accounts = load_brands(CONF).brands[demo.BRAND]
    assert accounts.shops["douyin"] == [str(shop.shop_id) for shop in demo.DOUYIN_SHOPS]
    assert accounts.shops["tmall"] == [shop.seller_nick for shop in demo.TMALL_SHOPS]
    assert accounts.corps == [corp.corp_id for corp in demo.CORPS]
    assert accounts.apps == [app.app_id for app in (*demo.MINI_PROGRAMS, demo.DOUYIN_APP)]
    assert accounts.app_keys == [*demo.DOUYIN_APP_KEYS, "21000001"]
