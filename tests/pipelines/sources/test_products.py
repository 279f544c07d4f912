"""The brand's product list."""

from __future__ import annotations

import pytest

from pipelines.sources.base import RecordRefusedError
from pipelines.sources.products import PARSERS
from tests.pipelines.sources.private_domain import one_row
from tests.pipelines.sources.public_domain import changed, parse, read

(PRODUCTS,) = PARSERS
PRODUCT = {
    "platform": "douyin",
    "product_id": "3660207428038974001",
    "sku_id": "1751234567890123",
    "brand_sku": "SKU-01",
    "name": "示例商品",
    "category": "护肤",
    "price_fen": 19900,
}


def test_a_platform_sku_is_the_brands_sku() -> None:
    row = one_row(parse(PRODUCTS, PRODUCT), "products")
    assert (row["brand_sku"], row["category"], row["price_fen"]) == ("SKU-01", "护肤", 19900)


def test_a_product_without_sku_is_the_product_itself() -> None:
    assert one_row(parse(PRODUCTS, changed(PRODUCT, sku_id=...)), "products")["sku_id"] == ""


def test_numbers_of_own_channels_count_within_the_brand() -> None:
    own = changed(PRODUCT, platform="mall")
    made = [parse(PRODUCTS, one, brand=brand) for one in (PRODUCT, own) for brand in ("brandA", "")]
    assert [one_row(parsed, "products")["product_scope"] for parsed in made] == ["", "", "brandA", ""]


def test_a_list_of_products_is_one_record_each() -> None:
    assert len(read(PRODUCTS, {"products": [PRODUCT, PRODUCT]})) == 2


def test_the_later_list_wins() -> None:
    old = one_row(parse(PRODUCTS, changed(PRODUCT, updated_at="2025-01-01T00:00:00+08:00")), "products")
    new = one_row(parse(PRODUCTS, changed(PRODUCT, updated_at=1735800000000)), "products")
    assert old["version_key"] < new["version_key"]


@pytest.mark.parametrize("name", ["platform", "product_id"])
def test_a_product_without_its_key_is_refused(name: str) -> None:
    with pytest.raises(RecordRefusedError, match=name):
        parse(PRODUCTS, changed(PRODUCT, **{name: ...}))
