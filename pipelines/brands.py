"""Which accounts belong to which brand (`conf/brands.yaml`): whose people a brand's restricted API keys may see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import ConfigurationError
from pipelines.sources.wecom_scope import corp_key

FILE = "brands.yaml"
OWN_SCOPE = ("member_id", "login_id", "tmall_omid")
"""Namespaces whose scope is the brand itself."""

_CORPS = ("wecom_external_userid", "wecom_isv_external_userid", "wecom_pending_id")
_APPS = ("wx_openid", "douyin_mp_open_id", "mp_anonymous_id")
_APP_KEYS = ("doudian_open_id", "tmall_open_uid")


class BrandAccounts(BaseModel):
    """The accounts that one brand has; an account of two brands is listed with both."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    shops: dict[str, list[str]] = Field(default_factory=dict, description="Shop ids (Tmall: seller_nick) by platform")
    corps: list[str] = Field(default_factory=list, description="WeCom corps, or suites of a service provider")
    apps: list[str] = Field(default_factory=list, description="Mini-program app ids")
    app_keys: list[str] = Field(default_factory=list, description="App keys that serve this brand's shops alone")

    def scopes(self) -> Iterator[tuple[str, str]]:
        """(namespace, scope) of identifiers that make somebody known to the brand."""
        for namespaces, scopes in (
            (_CORPS, [corp_key(corp) for corp in self.corps]),
            (_APPS, self.apps),
            (_APP_KEYS, self.app_keys),
            (("tmall_ouid",), self.shops.get("tmall", [])),
        ):
            yield from ((namespace, scope) for namespace in namespaces for scope in scopes)


class BrandsFile(BaseModel):
    """The brands of a lake by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brands: dict[str, BrandAccounts] = Field(default_factory=dict)

    def scope_rows(self) -> list[tuple[str, str, str]]:
        """(brand, namespace, scope), sorted."""
        return sorted({(name, *one) for name, accounts in self.brands.items() for one in accounts.scopes()})

    def shop_rows(self) -> list[tuple[str, str, str]]:
        """(brand, platform, shop id), sorted."""
        shops = ((name, accounts.shops) for name, accounts in self.brands.items())
        return sorted({(name, platform, shop) for name, by in shops for platform, ids in by.items() for shop in ids})


def load_brands(conf: Path) -> BrandsFile:
    """The brands of a configuration folder; without a file there are none. ConfigurationError names a wrong key."""
    path = conf / FILE
    if not path.is_file():
        return BrandsFile()
    try:
        return BrandsFile.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {})
    except yaml.YAMLError:
        raise ConfigurationError("the brands file is no valid YAML", where=str(path), hint="correct the file") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"{key!r}: {first['msg']}", where=str(path), hint="a brand has shops, corps, apps and app_keys"
        ) from None
