"""The pushes a platform would send about the simulated world, signed: some lost, some twice, out of order."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from pipelines.simulate import wire_douyin_calls, wire_wecom
from pipelines.simulate.brand import CORPS, DOUYIN_SHOPS
from pipelines.simulate.chance import stream
from pipelines.simulate.platform_data import PlatformData, secret_of
from serving.contract.signatures import douyin_event_sign
from serving.contract.wecom_crypto import CallbackKeys, signature

MESSAGES_AT_ONCE = 3


@dataclass(frozen=True)
class Push:
    """One request to a receiver: `path` below its address."""

    path: str
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PushRates:
    """Shares of pushes that never leave and that leave twice; the order is drawn anew anyway."""

    lost: float = 0.0
    doubled: float = 0.0


def callback_keys(corp_id: str) -> CallbackKeys:
    """The callback keys of a simulated corp; anyone can know them."""
    digest = hashlib.sha256(f"callbacks {corp_id}".encode()).digest()
    return CallbackKeys(secret_of(f"token {corp_id}"), base64.b64encode(digest).decode()[:43], corp_id)


def pushes(data: PlatformData, since: int, *, rates: PushRates, seed: int) -> list[Push]:
    """The pushes about everything from `since` (epoch seconds) to now, in the order they arrive."""
    rng = stream(seed, "pushes")
    sent: list[Push] = []
    for push in [*_douyin_pushes(data, since), *_wecom_pushes(data, since)]:
        if rng.random() < rates.lost:
            continue
        sent.append(push)
        if rng.random() < rates.doubled:
            sent.append(push)
    rng.shuffle(sent)
    return sent


def _douyin_pushes(data: PlatformData, since: int) -> Iterator[Push]:
    """Messages about orders, a few to a request; every third as the documentation writes them."""
    for shop, place in enumerate(DOUYIN_SHOPS):
        messages = []
        for last, order in data.orders("douyin", shop):
            for moment in order.moments(last + 1):
                told = wire_douyin_calls.trade_message(order, moment) if moment >= since else None
                if told is not None:
                    as_object = order.number % 3 == 0
                    messages += wire_douyin_calls.push(*told, moment, order.number, as_object=as_object)
        for begin in range(0, len(messages), MESSAGES_AT_ONCE):
            body = orjson.dumps(messages[begin : begin + MESSAGES_AT_ONCE])
            sign = douyin_event_sign(place.app_key, body, secret_of(place.app_key))
            yield Push(f"/webhooks/douyin/shop/{place.app_key}", body, headers={"event-sign": sign})


def _wecom_pushes(data: PlatformData, since: int) -> Iterator[Push]:
    """Callbacks about relations that began or ended."""
    for contact in data.contacts:
        ended = "del_follow_user" if contact.deleted_by == "customer" else "del_external_contact"
        for moment, change in ((contact.added, "add_external_contact"), (contact.deleted, ended)):
            if since <= moment <= data.now:
                text = wire_wecom.contact_event(contact, change, moment, data.brand)
                yield _callback(CORPS[contact.corp].corp_id, text, str(data.now))


def _callback(corp_id: str, text: str, timestamp: str) -> Push:
    keys = callback_keys(corp_id)
    digest = hashlib.sha256(text.encode()).digest()
    encrypt, nonce = keys.encrypt(text, digest[:16]), digest.hex()[:10]
    signed = signature(keys.token, timestamp, nonce, encrypt)
    body = f"<xml><ToUserName><![CDATA[{corp_id}]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
    query = {"msg_signature": signed, "timestamp": timestamp, "nonce": nonce}
    return Push(f"/webhooks/wecom/{corp_id}", body.encode(), query=query)
