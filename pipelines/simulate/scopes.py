"""The credentials and scopes a reader of the landing needs to know, as a YAML file."""

from typing import Any

from pipelines.simulate.brand import (
    BRAND,
    CORPS,
    DOUYIN_APP,
    DOUYIN_SHOPS,
    MALL_SHOP_ID,
    MINI_PROGRAMS,
    MIX_KEY,
    PROVIDER_PLATFORM,
    SUITE_ID,
    TMALL_SHOPS,
)


def scopes() -> dict[str, Any]:
    """Every app key, shop, app, corp and key of the simulated brand."""
    return {
        "brand": BRAND,
        "order_phone_role": "buyer",
        "tmall_mix_keys": [{"merchant": BRAND, "key": MIX_KEY}],
        "douyin_shops": [
            {"app_key": shop.app_key, "shop_id": str(shop.shop_id), "shop_name": shop.name} for shop in DOUYIN_SHOPS
        ],
        "douyin_mini_programs": [{"app_id": DOUYIN_APP.app_id, "open_platform_id": DOUYIN_APP.open_platform_id}],
        "tmall_shops": [
            {"app_key": shop.app_key, "seller_nick": shop.seller_nick, "shop_id": shop.shop_id, "brand": BRAND}
            for shop in TMALL_SHOPS
        ],
        "mini_programs": [
            {"app_id": program.app_id, "open_platform_id": program.open_platform_id} for program in MINI_PROGRAMS
        ],
        "corps": [{"corp_id": corp.corp_id, "open_platform_id": corp.open_platform_id} for corp in CORPS],
        "suites": [{"suite_id": SUITE_ID, "open_platform_id": PROVIDER_PLATFORM, "corp_id": CORPS[1].corp_id}],
        "own_shops": [{"shop_id": MALL_SHOP_ID, "channel": "mall"}, {"shop_id": "pos-0000", "channel": "pos"}],
    }


def yaml_text(document: dict[str, Any]) -> str:
    """The document as block YAML with every text quoted.

    >>> print(yaml_text({"a": "x", "b": [{"c": "1"}]}), end="")
    a: "x"
    b:
      - c: "1"
    """
    lines = []
    for key, value in document.items():
        if isinstance(value, list):
            lines.append(f"{key}:")
            for row in value:
                pairs = [f'{name}: "{text}"' for name, text in row.items()]
                lines += [f"  - {pairs[0]}", *(f"    {pair}" for pair in pairs[1:])]
        else:
            lines.append(f'{key}: "{value}"')
    return "\n".join(lines) + "\n"
