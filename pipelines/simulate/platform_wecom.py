"""WeCom over the simulated world: strict about tokens, cursors, spans and numbers of staff."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from pipelines.simulate import wire_wecom
from pipelines.simulate.brand import CORPS, Guide
from pipelines.simulate.chance import stream
from pipelines.simulate.chaos import Chaos
from pipelines.simulate.clock import DAY
from pipelines.simulate.platform_data import PlatformData, corp_number, secret_of
from pipelines.simulate.platform_wecom_activity import WecomActivityCalls, limit_of, whole
from pipelines.simulate.platform_wecom_hand_overs import WecomHandOverCalls
from pipelines.simulate.platform_wecom_pages import Refusal, page
from pipelines.simulate.relations import Contact, Group

Json = dict[str, Any]
Query = Mapping[str, str]

TOKEN_SECONDS = 7_200
MINUTE = 60
SHANGHAI_SECONDS = 8 * 3_600
MOST_OWNERS = 100
HISTORY = 180 * DAY
LONGEST_SPAN = 30 * DAY
FIGURES = ("chat_cnt", "message_cnt", "negative_feedback_cnt", "new_apply_cnt", "new_contact_cnt")


@dataclass
class WecomPlatform:
    """`token_calls`: after so many calls a token ends, as if it had expired. A corp that calls one method more than
    `calls_per_minute` times may not call it for a minute."""

    data: PlatformData
    chaos: Chaos
    token_calls: int = 10_000
    calls_per_minute: int = 10_000
    calls: list[tuple[str, Json]] = field(default_factory=list)
    _counted: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    _tokens: dict[str, list[int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _activity: WecomActivityCalls = field(init=False)
    _hand_overs: WecomHandOverCalls = field(init=False)

    def __post_init__(self) -> None:
        self._activity = WecomActivityCalls(self.data, self.staff, self.groups)
        self._hand_overs = WecomHandOverCalls(self.data, self.staff)

    def answer(self, method: str, query: Query, body: bytes) -> Json:
        """The answer to a call, whether good or an error."""
        try:
            with self._lock:
                if method == "gettoken":
                    return self._new_token(query)
                corp = self._corp_of(query.get("access_token", ""))
                self._count(corp, method)
            params = _object(body) if body else dict(query)
            self.calls.append((method, params))
            methods = self._methods()
            if method not in methods:
                raise Refusal(48002)
            return methods[method](corp, params)
        except Refusal as refusal:
            return error(refusal.errcode)

    def _methods(self) -> dict[str, Callable[[int, Json], Json]]:
        return {
            "externalcontact/get_follow_user_list": self._staff,
            "externalcontact/batch/get_by_user": self._contacts,
            "externalcontact/get": self._contact,
            "externalcontact/groupchat/list": self._groups,
            "externalcontact/groupchat/get": self._group,
            "externalcontact/get_user_behavior_data": self._figures,
            "externalcontact/get_unassigned_list": self._unassigned,
            "externalcontact/get_corp_tag_list": self._tags,
            **self._activity.methods(),
            **self._hand_overs.methods(),
        }

    def _new_token(self, query: Query) -> Json:
        corp_id = query.get("corpid", "")
        number = corp_number(corp_id)
        if number is None:
            raise Refusal(40013)
        if query.get("corpsecret") != secret_of(corp_id):
            raise Refusal(40001)
        token = f"token-{corp_id}-{len(self._tokens)}"
        self._tokens[token] = [number, self.token_calls, self.data.now + TOKEN_SECONDS]
        return wire_wecom.ok(access_token=token, expires_in=TOKEN_SECONDS)

    def _corp_of(self, token: str) -> int:
        known = self._tokens.get(token)
        if known is None:
            raise Refusal(40014)
        if known[1] <= 0 or known[2] <= self.data.now:
            raise Refusal(42001)
        known[1] -= 1
        return known[0]

    def _count(self, corp: int, method: str) -> None:
        """A corp's calls of one method in this minute of the clock; one too many blocks it for sixty seconds."""
        begun, count = self._counted.get((corp, method), (self.data.now, 0))
        if self.data.now - begun >= MINUTE:
            begun, count = self.data.now, 0
        if count == self.calls_per_minute:
            begun = self.data.now
        self._counted[corp, method] = (begun, min(count + 1, self.calls_per_minute + 1))
        if count >= self.calls_per_minute:
            raise Refusal(45009)

    def staff(self, corp: int) -> list[Guide]:
        """The corp's guides who have not left."""
        brand, now = self.data.brand, self.data.now
        return [guide for guide in brand.guides if guide.corp == corp and brand.is_there(guide, now)]

    def contacts(self, corp: int) -> list[Contact]:
        """Every relation of the corp that stands now, the leavers' too."""
        now = self.data.now
        return [contact for contact in self.data.contacts if contact.corp == corp and contact.stands_at(now)]

    def groups(self, corp: int) -> list[Group]:
        """The corp's groups."""
        return [group for group in self.data.groups if group.corp == corp and group.created <= self.data.now]

    def _staff(self, corp: int, _: Json) -> Json:
        return wire_wecom.ok(follow_user=[guide.userid for guide in self.staff(corp)])

    def _contacts(self, corp: int, params: Json) -> Json:
        wanted = params.get("userid_list")
        limit = limit_of(params, 100, default=50)
        if not isinstance(wanted, list) or not 1 <= len(wanted) <= 100:
            raise Refusal(40058)
        if not {str(one) for one in wanted} <= {guide.userid for guide in self.staff(corp)}:
            raise Refusal(60111)
        records = [wire_wecom.contact_record(each, self.data.now, self.data.brand) for each in self.contacts(corp)]
        mine = [record for record in records if record["follow_info"]["userid"] in wanted]
        rows, cursor = page(mine, params, limit)
        if rows and self.chaos.doubles():
            rows = [*rows, rows[0]]
        return wire_wecom.ok(external_contact_list=rows, next_cursor=cursor)

    def _contact(self, corp: int, params: Json) -> Json:
        wanted = params.get("external_userid")
        corp_id, ids = CORPS[corp].corp_id, self.data.brand.ids
        mine = [each for each in self.contacts(corp) if ids.external_userid(corp_id, each.person.index) == wanted]
        if not mine:
            raise Refusal(84061)
        answers = [wire_wecom.contact_answer(each, self.data.now, self.data.brand) for each in mine]
        answers[0]["follow_user"] = [follow for answer in answers for follow in answer["follow_user"]]
        return answers[0]

    def _groups(self, corp: int, params: Json) -> Json:
        if "limit" not in params:
            raise Refusal(40058)
        limit, chosen = limit_of(params, 1_000), params.get("owner_filter") or {}
        owners = chosen.get("userid_list") if isinstance(chosen, dict) else None
        if owners is not None and not (isinstance(owners, list) and len(owners) <= MOST_OWNERS):
            raise Refusal(40058)
        mine = [group for group in self.groups(corp) if not owners or group.owner.userid in owners]
        rows, cursor = page([{"chat_id": group.chat_id, "status": 0} for group in mine], params, limit)
        return wire_wecom.ok(group_chat_list=rows, next_cursor=cursor)

    def _group(self, corp: int, params: Json) -> Json:
        for group in self.groups(corp):
            if group.chat_id == params.get("chat_id"):
                return wire_wecom.group_answer(group, self.data.now, self.data.brand)
        raise Refusal(40050)

    def _figures(self, corp: int, params: Json) -> Json:
        userids = params.get("userid")
        # Whole days: a time within a day stands for its midnight.
        start, end = _midnight(whole(params, "start_time")), _midnight(whole(params, "end_time"))
        if not isinstance(userids, list):
            raise Refusal(40058)
        if not 0 <= end - start <= LONGEST_SPAN or start < _midnight(self.data.now - HISTORY):
            raise Refusal(40058)
        known = {guide.userid for guide in self.staff(corp)}
        if not 1 <= len(userids) <= 100 or not {str(one) for one in userids} <= known:
            raise Refusal(60111)
        return wire_wecom.ok(behavior_data=[self.figures(userids, day) for day in range(start, end + 1, DAY)])

    def figures(self, userids: list[str], day: int) -> Json:
        """One day's figures: the sum over the guides; the two rates are absent without chats."""
        row: Json = dict.fromkeys(FIGURES, 0)
        for userid in userids:
            rng = stream(self.data.config.seed, "figures", userid, day)
            for name in FIGURES:
                row[name] += int(rng.random() * 5)
        rates = {"reply_percentage": 87.5, "avg_reply_time": 4} if row["chat_cnt"] else {}
        return {"stat_time": day, **row, **rates}

    def _unassigned(self, corp: int, params: Json) -> Json:
        rows = [
            wire_wecom.unassigned(each, left, self.data.brand)
            for each in self.contacts(corp)
            if (left := self.data.brand.left_at(each.guide)) is not None
            and left <= self.data.now
            and not (each.transfer and each.transfer.asked_at <= self.data.now)
        ]
        waiting, cursor = page(rows, params, limit_of({"limit": params.get("page_size", 1_000)}, 1_000))
        return wire_wecom.ok(info=waiting, is_last=not cursor, next_cursor=cursor)

    def _tags(self, corp: int, _: Json) -> Json:
        return wire_wecom.tag_list(corp, self.data.brand.clock.start, self.data.brand.ids)


def error(errcode: int) -> Json:
    """An error answer."""
    return {"errcode": errcode, "errmsg": "error, hint: [simulated]"}


def _midnight(second: int) -> int:
    return second - (second + SHANGHAI_SECONDS) % DAY


def _object(body: bytes) -> Json:
    try:
        params = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal(47001) from None
    if not isinstance(params, dict):
        raise Refusal(47001)
    return params
