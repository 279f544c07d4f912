"""The brand's accounts on the platforms, as `keys/platforms.yaml` lists them: for the pull clients and the receivers.

A value written `env:NAME` is taken from the environment. A secret never appears in a message or a representation.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, create_model
from pydantic_settings import BaseSettings

from serving.errors import ConfigRefusedError as ConfigRefusedError  # re-exported: what reading the file may raise

FILE = "platforms.yaml"
FROM_ENVIRONMENT = "env:"
HINT = "docs/platforms.md shows the form of the file"

AES_KEY_CHARACTERS = 43
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _is_told(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("the secret is empty")
    return value


def _is_aes_key(value: SecretStr) -> SecretStr:
    """A key of another form would refuse every callback, one by one and without a word."""
    text = value.get_secret_value()
    try:
        whole = len(text) == AES_KEY_CHARACTERS and bool(base64.b64decode(text + "=", validate=True))
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(f"an EncodingAESKey has {AES_KEY_CHARACTERS} letters and digits")
    return value


def _is_address(value: str) -> str:
    """Tokens and secrets travel to it, so it is encrypted or does not leave the machine."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("it is no address") from None
    if not host or (parts.scheme != "https" and (parts.scheme != "http" or host not in LOOPBACK)):
        raise ValueError("an address begins with https://, on this machine also with http://")
    return value.rstrip("/")


Id = Annotated[str, Field(min_length=1, max_length=128)]
Secret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_is_told)]
AesKey = Annotated[Secret, AfterValidator(_is_aes_key)]
Address = Annotated[str, AfterValidator(_is_address)]
CallRate = Annotated[float, Field(gt=0, le=1_000)]
"""Calls per second; the platforms grant each app its own and publish none."""

WecomActivity = Literal["moments", "served", "acquired", "group_figures", "hand_overs"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class DouyinShop(_Entry):
    """One shop that authorised the app."""

    shop_id: Id


class DouyinApp(_Entry):
    """An app of the Douyin shop platform; `decrypt` asks for the receivers' phones of paid orders, `member_app_id` (the
    mini-program that holds the programme) for the orders of members."""

    app_key: Id
    app_secret: Secret
    shops: tuple[DouyinShop, ...] = ()
    decrypt: bool = False
    member_app_id: str = ""
    calls_per_second: CallRate | None = None


class DouyinOpenApp(_Entry):
    """A mini-program or web app of the Douyin open platform that sends webhooks."""

    client_key: Id
    client_secret: Secret
    app_id: str = ""
    open_platform_id: str = ""


class TmallShop(_Entry):
    """One Tmall seller with the session key that the seller granted."""

    seller_nick: Id
    shop_id: str = ""
    session: Secret


class TmallApp(_Entry):
    """An app of the Taobao open platform; messages of `message_group` are pulled, without a group none; `members` asks
    for the sellers' customer lists."""

    app_key: Id
    app_secret: Secret
    brand: str = ""
    message_group: str = ""
    members: bool = False
    calls_per_second: CallRate | None = None
    shops: tuple[TmallShop, ...] = ()


class WecomCorp(_Entry):
    """An app of a WeCom corp: `secret` pulls, `token` and `encoding_aes_key` open callbacks; `activity`: what else is
    pulled. A corp has an entry for each of its apps.

    With `suite_id` it is a service provider's suite, and callbacks are addressed to that.
    """

    corp_id: Id
    open_platform_id: str = ""
    suite_id: str = ""
    secret: Secret | None = None
    token: Secret | None = None
    encoding_aes_key: AesKey | None = None
    activity: tuple[WecomActivity, ...] = ()
    calls_per_second: CallRate | None = None

    @property
    def receive_id(self) -> str:
        """Whom its callbacks are for."""
        return self.suite_id or self.corp_id


class Endpoints(_Entry):
    """Where the platforms answer; other addresses serve trials against a simulated platform."""

    douyin: Address = "https://openapi-fxg.jinritemai.com"
    tmall: Address = "https://eco.taobao.com/router/rest"
    wecom: Address = "https://qyapi.weixin.qq.com/cgi-bin"


class Platforms(_Entry):
    """Every account of the brand."""

    douyin: tuple[DouyinApp, ...] = ()
    douyin_open: tuple[DouyinOpenApp, ...] = ()
    tmall: tuple[TmallApp, ...] = ()
    wecom: tuple[WecomCorp, ...] = ()
    endpoints: Endpoints = Endpoints()


def read_platforms(folder: Path) -> Platforms | None:
    """The accounts of `platforms.yaml` in the folder of the keys; None without the file.

    Raises ConfigRefusedError naming the place of a fault, never a value.
    """
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise ConfigRefusedError("the platform accounts cannot be read", where=str(path), hint=HINT) from None
    try:
        document = yaml.safe_load(text) or {}
    except yaml.YAMLError:
        raise ConfigRefusedError("the platform accounts are no valid YAML", where=str(path), hint=HINT) from None
    try:
        return Platforms.model_validate(_filled(document, path))
    except ValidationError as error:
        # A key that is not known may be another one misspelt, which is then said to be missing: it is named first.
        faults = error.errors(include_input=False, include_url=False)
        fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
        place = ".".join(str(part) for part in fault["loc"])
        said = "unknown key" if fault["type"] == "extra_forbidden" else fault["msg"]
        raise ConfigRefusedError(f"{place}: {said}", where=str(path), hint=HINT) from None


def _filled(value: Any, path: Path) -> Any:
    """The document with its `env:NAME` values in place; numbers that YAML reads from unquoted ids become texts."""
    if isinstance(value, dict):
        return {key: _filled(inner, path) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, path) for inner in value]
    if isinstance(value, str) and value.startswith(FROM_ENVIRONMENT):
        return _from_environment(value.removeprefix(FROM_ENVIRONMENT), path)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _from_environment(name: str, path: Path) -> str:
    field: Any = {name.lower(): (str, "")}
    found = getattr(create_model("_Variable", __base__=BaseSettings, **field)(), name.lower())
    if not found:
        raise ConfigRefusedError(f"the environment variable {name} is not set", where=str(path), hint="export it")
    return str(found)
