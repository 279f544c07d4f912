"""How each platform's push is checked and read: first the signature over the bytes as they came, then the content.

Whatever is wrong with a push (forged, old, for another receiver, of another form) raises the same RefusedPush: a
sender learns nothing from it. The reason it carries is for the log of the API: whoever sets a receiver up needs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import ParseError

import orjson
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from serving.contract.decoding import object_of
from serving.contract.platforms import DouyinApp, DouyinOpenApp, WecomCorp
from serving.contract.pull_queue import Hint
from serving.contract.signatures import douyin_event_sign, douyin_webhook_signature, is_signed
from serving.contract.wecom_crypto import WRONG_SIGNATURE, CallbackKeys, CallbackRefusedError
from serving.inbox import Delivery

FRESH_SECONDS = 600
"""How far a signed timestamp may lie from now; WeCom repeats a call within seconds."""

FORGED = "the signature is wrong: compare the token or secret of the account in platforms.yaml with the platform's"
OLD = "its timestamp is not within 10 minutes of now: look at the clock of this machine"
NO_CALLBACKS = "the app takes no callbacks"
CALLBACK_HELP = "; look at encoding_aes_key, corp_id and suite_id of the app in platforms.yaml"
SHAPELESS = "the signature is right, the content is not of the documented form"

_WELCOME = re.compile(r"(<WelcomeCode>\s*<!\[CDATA\[).*?(\]\]>)", re.DOTALL)
_WELCOME_PLAIN = re.compile(r"(<WelcomeCode>)(?!\s*<!\[CDATA\[)[^<]*(</WelcomeCode>)")
_ENDED = frozenset({"del_external_contact", "del_follow_user"})


class RefusedPush(Exception):  # noqa: N818 - an answer, not a failure
    """The push is not the platform's, not for us, or too old; which of them is `reason`, and not told to the sender.

    The reason is one of a few fixed sentences: it repeats nothing of the push.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def wecom_echo(apps: Sequence[WecomCorp], query: Mapping[str, str], *, now_ms: int) -> str:
    """The text WeCom wants back when the address is set up for one of the apps."""
    return _opened(apps, query, query.get("echostr", ""), now_ms=now_ms)[1]


def wecom_delivery(apps: Sequence[WecomCorp], query: Mapping[str, str], body: bytes, *, now_ms: int) -> Delivery:
    """The decrypted callback to one of the apps as a JSON text, its welcome code left out."""
    fields = xml_fields(body)
    corp, message = _opened(apps, query, fields.get("Encrypt", "").strip(), now_ms=now_ms)
    message = _WELCOME_PLAIN.sub(r"\1&lt;redacted&gt;\2", _WELCOME.sub(r"\1<redacted>\2", message))
    context = {
        "platform": "wecom",
        "corp_id": corp.corp_id,
        "suite_id": corp.suite_id,
        "open_platform_id": corp.open_platform_id,
        "method": "callback",
    }
    return Delivery("wecom_events", context, orjson.dumps(message), tuple(_wecom_hints(corp, message)))


def douyin_shop_delivery(app: DouyinApp, signature: str, body: bytes) -> Delivery:
    """The pushed messages as they came: an array, or one object."""
    if not is_signed(douyin_event_sign(app.app_key, body, app.app_secret.get_secret_value()), signature):
        raise RefusedPush(FORGED)
    messages = _json(body)
    context = {"platform": "douyin", "app_key": app.app_key, "method": "push"}
    return Delivery("douyin_messages", context, body, tuple(_douyin_hints(app, messages)))


def douyin_open_delivery(app: DouyinOpenApp, signature: str, body: bytes, *, message_id: str) -> Delivery | Any:
    """The webhook as it came, or the challenge to answer when the platform checks the address."""
    if not is_signed(douyin_webhook_signature(app.client_secret.get_secret_value(), body), signature):
        raise RefusedPush(FORGED)
    event = _json(body)
    if isinstance(event, dict) and event.get("event") == "verify_webhook":
        return {"challenge": _challenge(event.get("content"))}
    context: dict[str, object] = {
        "platform": "douyin",
        "client_key": app.client_key,
        "app_id": app.app_id,
        "open_platform_id": app.open_platform_id,
        "method": "webhook",
    }
    if message_id:
        context["params"] = {"msg_id": message_id}
    return Delivery("douyin_messages", context, body)


def xml_fields(document: bytes) -> dict[str, str]:
    """The texts below the root of an XML document; one with a document type or of another encoding is refused."""
    try:
        text = document.decode("utf-8")
        if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
            raise RefusedPush("it has a document type or entities")
        root = fromstring(text.strip(), forbid_dtd=True)
    except (UnicodeDecodeError, DefusedXmlException, ParseError, ValueError):
        raise RefusedPush("it is no XML document in UTF-8") from None
    return {child.tag: child.text or "" for child in root}


def _opened(apps: Sequence[WecomCorp], query: Mapping[str, str], encrypt: str, *, now_ms: int) -> tuple[WecomCorp, str]:
    """The app that the callback is for, and its message.

    The apps of a corp share its address, and a callback names its app outside the signature only: so it is for the app
    whose token signed it and whose key opens it.
    """
    timestamp = query.get("timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise RefusedPush(OLD)
    if abs(int(timestamp) - now_ms // 1000) > FRESH_SECONDS:
        raise RefusedPush(OLD)
    reasons: list[str] = []
    for app in apps:
        try:
            message = _keys_of(app).open(
                timestamp=timestamp,
                nonce=query.get("nonce", ""),
                encrypt=encrypt,
                msg_signature=query.get("msg_signature", ""),
            )
        except CallbackRefusedError as error:
            reasons.append(error.reason)
            continue
        return app, message
    # Of several apps of a corp the one whose token fits is meant: its own fault is the telling one.
    others = [reason for reason in reasons if reason not in (WRONG_SIGNATURE, NO_CALLBACKS)]
    raise RefusedPush(others[0] + CALLBACK_HELP if others else FORGED)


def _keys_of(app: WecomCorp) -> CallbackKeys:
    if app.token is None or app.encoding_aes_key is None:
        raise CallbackRefusedError(NO_CALLBACKS)
    return CallbackKeys(app.token.get_secret_value(), app.encoding_aes_key.get_secret_value(), app.receive_id)


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RefusedPush(SHAPELESS) from None


def _challenge(content: Any) -> Any:
    """What the platform wants back: named in the content, which is an object or its text, or the content itself."""
    if isinstance(content, str):
        try:
            content = orjson.loads(content)
        except orjson.JSONDecodeError:
            return content
    challenge = content.get("challenge") if isinstance(content, dict) else content
    if challenge is None:
        raise RefusedPush(SHAPELESS)
    return challenge


def _douyin_hints(app: DouyinApp, messages: Any) -> Iterator[Hint]:
    """Messages name no buyer: the order they are about is worth pulling."""
    for message in messages if isinstance(messages, list) else [messages]:
        data = object_of(message.get("data") if isinstance(message, dict) else None)
        order, shop = _digits(data.get("p_id")), _digits(data.get("shop_id"))
        if order:
            yield Hint("douyin", app.app_key, "order", order, shop)


def _digits(value: Any) -> str:
    text = str(value).strip().strip('"') if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return text if text.isascii() and text.isdigit() and text.strip("0") and len(text) <= 32 else ""


def _wecom_hints(corp: WecomCorp, message: str) -> Iterator[Hint]:
    """A callback names ids only: the contact or group it is about is worth pulling."""
    try:
        fields = xml_fields(message.encode())
    except RefusedPush:
        return  # stored all the same, and refused with its reason when it is read
    if corp.suite_id:
        return
    event = fields.get("Event")
    contact, group = fields.get("ExternalUserID", ""), fields.get("ChatId", "")
    if event == "change_external_contact" and contact and fields.get("ChangeType") not in _ENDED:
        yield Hint("wecom", corp.corp_id, "contact", contact)
    if event == "change_external_chat" and group and fields.get("ChangeType") != "dismiss":
        yield Hint("wecom", corp.corp_id, "group", group)
