"""The calls in which Tmall asks the merchant about members: may this account be bound, bind it, register it.

`SUC` done, possible or so already; `E01` nobody by this phone or account is a member; `E02` not bound: the phone is
bound to another account, or there is nothing to unbind; `E04` cannot tell now, ask again (any code beyond these the
platform takes for a failure for good). Joins out of the platform's "flight mode" are replayed for a day: a call again
gives the same answer and changes nothing, also when the member has left since.

The platform would take the member's phone in clear with `SUC`; this API holds no clear phones and never answers one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson

from identity.business_time import SHANGHAI
from identity.identifier import Identifier
from identity.namespace import PHONE
from identity.phone import normalise_phone
from identity.token import pii_token
from serving.callbacks import FORGED, FRESH_SECONDS, OLD, SHAPELESS, RefusedPush
from serving.contract.decoding import object_of
from serving.contract.platforms import TmallApp
from serving.contract.signatures import is_signed, top_spi_sign
from serving.contract.trade_hints import messages_of, trade_hints
from serving.errors import ServingError
from serving.holder import SnapshotHolder
from serving.inbox import Delivery
from serving.lookup import Finder
from serving.member_store import LEFT, MEMBER, Binding, MemberStore
from serving.store import Snapshot

QUERY, BIND = "tmall.mei.crm.member.bind.query", "tmall.mei.crm.bind"
REGISTER, ACTIVATE = "tmall.mei.crm.member.register", "qimen.alibaba.member.activate"
METHODS: Mapping[str, str] = {"query": QUERY, "bind": BIND, "register": REGISTER, "activate": ACTIVATE}
"""The calls by the last part of their address; a `method` parameter says it too."""

DONE, NOBODY, NOT_BOUND, BUSY = "SUC", "E01", "E02", "E04"
SIGN_LIST = "top-sign-list"
MIX, OUID, MEMBER_ID = "tmall_mix_mobile", "tmall_ouid", "member_id"
SYSTEM = frozenset(
    {"method", "app_key", "target_app_key", "session", "timestamp", "format", "v", "sign", "sign_method", "partner_id"}
)
"""Parameters of every call, which say nothing of the member."""

_UNBIND = "2"


@dataclass(frozen=True)
class Request:
    """What came over HTTP: the parameters of the address, the headers by lower-case name, the body as it came."""

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class MemberCall:
    """One call: its method, the member as the platform names them, and when they joined if it says so."""

    method: str
    seller: str
    ouid: str
    mix_mobile: str
    unbind: bool
    payload: Mapping[str, Any]
    stated_ms: int | None = None


def require_signed(app: TmallApp, request: Request, form: Mapping[str, str], *, now_ms: int) -> Mapping[str, str]:
    """What was signed, of the address, the listed headers and the form; RefusedPush when it is forged or old."""
    named = [name.strip().lower() for name in request.headers.get(SIGN_LIST, "").split(",") if name.strip()]
    signed = {**{name: request.headers.get(name, "") for name in named}, **request.query, **form}
    expected = top_spi_sign(app.app_secret.get_secret_value(), signed, b"" if form else request.body)
    if not is_signed(expected, signed.get("sign", "")):
        raise RefusedPush(FORGED)
    if not _is_fresh(signed.get("timestamp", ""), now_ms):
        raise RefusedPush(OLD)
    return signed


def read_call(app: TmallApp, request: Request, action: str, *, now_ms: int) -> MemberCall:
    """The call, its signature checked over the bytes as they came; RefusedPush for whatever is wrong with it."""
    # Values that are empty take part in the sign, as those of the address do.
    text = request.body.decode("utf-8", "replace")
    form = dict(parse_qsl(text, keep_blank_values=True)) if _is_form(request) else {}
    signed = require_signed(app, request, form, now_ms=now_ms)
    payload = {name: value for name, value in form.items() if name not in SYSTEM} if form else _object(request.body)
    method = signed.get("method") or METHODS.get(action, "")
    if method not in METHODS.values():
        raise RefusedPush(f"it names none of the calls that are answered: {', '.join(METHODS.values())}")
    seller, ouid = _text(payload.get("seller_name")), _text(payload.get("ouid"))
    if not ouid or (app.shops and seller not in {shop.seller_nick for shop in app.shops}):
        raise RefusedPush("it names no account (ouid), or a seller that is no shop of the app in platforms.yaml")
    mixed = _text(payload.get("mix_mobile")).lower()
    unbind = method == BIND and _text(payload.get("type")) == _UNBIND
    # An unbind repeats when the member joined; it happens now.
    stated = None if unbind else joined_ms(payload.get("extend"))
    return MemberCall(method, seller, ouid, mixed, unbind, payload, stated)


def message_delivery(app: TmallApp, request: Request, *, now_ms: int) -> Delivery:
    """Messages (TMC) passed on, signed as a call is: a frame, a list of them, or an answer that holds some."""
    require_signed(app, request, {}, now_ms=now_ms)
    try:
        document = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise RefusedPush(SHAPELESS) from None
    if not isinstance(document, (dict, list)):
        raise RefusedPush(SHAPELESS)
    context = {"platform": "tmall", "app_key": app.app_key, "brand": app.brand, "method": "push"}
    sellers = [shop.seller_nick for shop in app.shops]
    hints = trade_hints(app.app_key, messages_of(document), sellers)
    return Delivery("tmall_messages", context, request.body, tuple(hints))


class MemberDesk:
    """Answers calls from the snapshot that is served and from what it has answered since."""

    def __init__(self, holder: SnapshotHolder, store: MemberStore, identity_key: str | None) -> None:
        self._holder = holder
        self._store = store
        self._identity_key = identity_key

    def answer(self, call: MemberCall, *, now_ms: int) -> str:
        """The code for the call; what it changes is on disk when this returns."""
        try:
            with self._holder.lease() as snapshot:
                return self._answer(call, snapshot, now_ms)
        except (ServingError, sqlite3.Error, OSError):
            return BUSY

    def _answer(self, call: MemberCall, snapshot: Snapshot, now_ms: int) -> str:
        token = self._token(call)
        held = self._store.of_account(call.seller, call.ouid)
        bound = held is not None and held.state == MEMBER
        at_ms = now_ms if call.stated_ms is None else min(call.stated_ms, now_ms)
        if call.unbind:
            return self._unbind(call, held, snapshot, at_ms)
        if call.method in (QUERY, BIND):
            # Whoever became a member since the snapshot is in the store alone: taken goes before nobody.
            with_phone = self._store.of_phone(call.seller, token)
            if with_phone is not None and with_phone.ouid != call.ouid:
                return NOT_BOUND
        if call.method == QUERY:
            return DONE if bound or self._is_member(call, snapshot) else NOBODY
        if call.method == BIND and held is None and not self._is_member(call, snapshot):
            return NOBODY
        return DONE if self._store.bind(Binding(call.seller, call.ouid, MEMBER, token, at_ms)) else NOT_BOUND

    def _token(self, call: MemberCall) -> str:
        """What stands for the phone in the store: that of its hash, or of the number where only that was sent."""
        if call.mix_mobile:
            return pii_token(self._identity_key or "", MIX, call.mix_mobile)
        number = normalise_phone(_text(call.payload.get("mobile"))).number
        return pii_token(self._identity_key or "", PHONE, number) if number else ""

    def _unbind(self, call: MemberCall, held: Binding | None, snapshot: Snapshot, at_ms: int) -> str:
        if held is not None and held.state == LEFT:
            return NOT_BOUND
        if held is None and self._person(snapshot, OUID, call.seller, call.ouid) is None:
            return NOBODY
        self._store.keep(Binding(call.seller, call.ouid, LEFT, "", at_ms))
        return DONE

    def _is_member(self, call: MemberCall, snapshot: Snapshot) -> bool:
        """Whether the brand has a member with this phone, or behind this account."""
        found = [self._person(snapshot, OUID, call.seller, call.ouid)]
        if call.mix_mobile:
            found.insert(0, self._person(snapshot, MIX, "", call.mix_mobile))
        if number := normalise_phone(_text(call.payload.get("mobile"))).number:
            found.insert(0, self._person(snapshot, PHONE, "", number))
        return any(one_id is not None and _has_member_id(snapshot, one_id) for one_id in found)

    def _person(self, snapshot: Snapshot, namespace: str, scope: str, value: str) -> str | None:
        found = Finder(snapshot, self._identity_key).find(Identifier(namespace, scope, value))
        return found.one_id if found.status == "active" else None


def delivery(app: TmallApp, call: MemberCall, code: str) -> Delivery:
    """The call as the landing keeps it, with how it was answered: only what was done makes a member."""
    context: dict[str, object] = {
        "platform": "tmall",
        "app_key": app.app_key,
        "seller_nick": call.seller,
        "brand": app.brand,
        "method": call.method,
        "params": {"answer": code},
    }
    return Delivery("tmall_members", context, orjson.dumps(dict(call.payload)))


def document(call: MemberCall, code: str) -> dict[str, object]:
    """The answer as the platform reads it."""
    if call.method == QUERY:
        return {"bind_code": code, "bindable": code == DONE}
    name = "bind_code" if call.method == BIND else "register_code"
    return {name: code, "success": code == DONE}


def _has_member_id(snapshot: Snapshot, one_id: str) -> bool:
    profile = snapshot.profile(one_id)
    if profile is None:
        return False
    held = snapshot.identities(profile.person)
    return any(one.namespace == MEMBER_ID and one.valid_to_ms is None for one in held)


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded")


def _is_fresh(timestamp: str, now_ms: int) -> bool:
    try:
        stated = datetime.strptime(timestamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI)
    except ValueError:
        return False
    return abs(stated.timestamp() - now_ms // 1000) <= FRESH_SECONDS


def joined_ms(extend: object) -> int | None:
    """When a member joined in "flight mode", as a call states it: epoch seconds or ms, or Shanghai time as text.

    >>> joined_ms('{"flightJoinTime":"2025-01-01 11:02:00"}'), joined_ms({"flightJoinTime": 1735700520}), joined_ms("x")
    (1735700520000, 1735700520000, None)
    """
    stated = _text(object_of(extend).get("flightJoinTime"))
    if stated.isascii() and stated.isdigit() and len(stated) in (10, 13):
        return int(stated) * (1000 if len(stated) == 10 else 1)
    try:
        return int(datetime.strptime(stated, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI).timestamp()) * 1000
    except ValueError:
        return None


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RefusedPush(SHAPELESS) from None
    if not isinstance(found, dict):
        raise RefusedPush(SHAPELESS)
    return found


def _text(value: object) -> str:
    return str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
