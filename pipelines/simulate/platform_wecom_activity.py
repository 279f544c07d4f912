"""What the simulated WeCom tells beside relations: posts, people served, customers of links, figures of groups.

As strict about spans, pages, owners and rounds as the pages of the platform are (document/path/93333, 99434, 97297,
92133). How hand-overs ended is told in `platform_wecom_hand_overs.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipelines.simulate import wire_wecom
from pipelines.simulate.brand import CORPS, Guide
from pipelines.simulate.chance import stream
from pipelines.simulate.clock import DAY, HOUR
from pipelines.simulate.platform_data import PlatformData
from pipelines.simulate.platform_wecom_pages import Refusal, page
from pipelines.simulate.relations import Contact, Group

Json = dict[str, Any]

LONGEST_SPAN = 30 * DAY
HISTORY = 180 * DAY
CURSOR_SECONDS = 4 * HOUR
BY_LINK = 16
"""The `add_way` of a customer who came by an acquisition link."""

MOST_MOMENTS, MOST_LINKS, MOST_ROWS, MOST_OWNERS = 20, 100, 1000, 100


@dataclass
class WecomActivityCalls:
    """`staff`, `groups`: the guides who are there and the groups of a corp, as the other calls tell them."""

    data: PlatformData
    staff: Callable[[int], list[Guide]]
    groups: Callable[[int], list[Group]]
    _rounds: dict[str, int] = field(default_factory=dict)

    def methods(self) -> dict[str, Callable[[int, Json], Json]]:
        """The calls by method."""
        return {
            "externalcontact/get_moment_list": self._moments,
            "externalcontact/contact_list": self._served,
            "externalcontact/customer_acquisition/list_link": self._links,
            "externalcontact/customer_acquisition/customer": self._acquired,
            "externalcontact/groupchat/statistic": self._group_figures,
        }

    def posts(self, corp: int, start: int, end: int) -> list[Json]:
        """The corp's posts of the span that stand now, the leavers' too, the newest first."""
        mine = [guide for guide in self.data.brand.guides if guide.corp == corp]
        found = [(at, guide.userid, wire_wecom.post(guide, at)) for guide in mine for at in self._posted(guide)]
        return [post for at, _, post in sorted(found, key=lambda one: (-one[0], one[1])) if start <= at <= end]

    def _posted(self, guide: Guide) -> Iterator[int]:
        return (at for at in self.data.brand.posts_of(guide) if at <= self.data.now)

    def _moments(self, corp: int, params: Json) -> Json:
        start, end = whole(params, "start_time"), whole(params, "end_time")
        if not 0 <= end - start <= LONGEST_SPAN or params.get("filter_type", 2) not in (0, 1, 2):
            raise Refusal(40058)
        posts = [] if params.get("filter_type", 2) == 0 else self.posts(corp, start, end)
        creator = params.get("creator")
        asked = params.get("limit", MOST_MOMENTS)
        rows, cursor = page(
            [post for post in posts if creator in (None, post["creator"])],
            params,
            asked if 1 <= asked <= MOST_MOMENTS else MOST_MOMENTS,
        )
        return wire_wecom.moment_page(rows, cursor)

    def served(self, corp: int, nth: str) -> list[Json]:
        """Everyone the corp's guides ever added, and everyone in its groups: customers by id, a stranger by none."""
        rows = [self._row(corp, contact, nth) for contact in self._ever(corp)]
        for group in self.groups(corp):
            there = {"follow_userid": group.owner.userid, "chat_id": group.chat_id}
            rows += [
                {**self._customer(corp, member.person.index, nth), **there, "add_time": member.joined}
                for member in group.members_at(self.data.now)
            ]
            stranger = {"is_customer": False, "tmp_openid": f"tmp{nth}{group.chat_id}", "name": "***友"}
            rows.append({**stranger, **there, "add_time": group.created})
        return rows

    def _ever(self, corp: int) -> list[Contact]:
        return [each for each in self.data.contacts if each.corp == corp and each.added <= self.data.now]

    def _row(self, corp: int, contact: Contact, nth: str) -> Json:
        customer = self._customer(corp, contact.person.index, nth)
        return {**customer, "follow_userid": contact.guide.userid, "add_time": contact.added}

    def _customer(self, corp: int, person: int, nth: str) -> Json:
        ids, corp_id = self.data.brand.ids, CORPS[corp].corp_id
        temporary = ids.alphanumeric("tmp_openid", f"{corp_id}:{nth}", person, 24)
        return {"is_customer": True, "tmp_openid": temporary, "external_userid": ids.external_userid(corp_id, person)}

    def _served(self, corp: int, params: Json) -> Json:
        """A page of a round; a first page begins a new one, in which ids and cursors are others."""
        cursor = str(params.get("cursor", ""))
        nth, _, place = cursor.rpartition("/")
        if not cursor:
            nth = f"round-{corp}-{len(self._rounds)}"
            self._rounds[nth] = self.data.now
        if not nth.startswith(f"round-{corp}-") or self.data.now - self._rounds.get(nth, 0) > CURSOR_SECONDS:
            raise Refusal(40058)
        rows, cursor = page(self.served(corp, nth), {"cursor": place}, limit_of(params, MOST_ROWS))
        return wire_wecom.ok(info_list=rows, next_cursor=f"{nth}/{cursor}" if cursor else "")

    def links(self, corp: int) -> dict[str, Guide]:
        """The valid links: one for each guide who is there."""
        return {f"ca{guide.userid}": guide for guide in self.staff(corp)}

    def _links(self, corp: int, params: Json) -> Json:
        rows, cursor = page(list(self.links(corp)), params, limit_of(params, MOST_LINKS))
        return wire_wecom.ok(link_id_list=rows, next_cursor=cursor)

    def acquired(self, corp: int, guide: Guide) -> list[Json]:
        """Who came by the guide's link; when, the platform does not tell."""
        ids, corp_id = self.data.brand.ids, CORPS[corp].corp_id
        return [
            {
                "external_userid": ids.external_userid(corp_id, contact.person.index),
                "userid": guide.userid,
                "chat_status": contact.person.index % 2,
                "state": f"link_{guide.index:02d}",
            }
            for contact in self._ever(corp)
            if contact.guide is guide and contact.add_way == BY_LINK
        ]

    def _acquired(self, corp: int, params: Json) -> Json:
        guide = self.links(corp).get(str(params.get("link_id")))
        if guide is None:
            raise Refusal(40058)
        rows, cursor = page(self.acquired(corp, guide), params, limit_of(params, MOST_ROWS))
        return wire_wecom.ok(customer_list=rows, next_cursor=cursor)

    def _group_figures(self, corp: int, params: Json) -> Json:
        begin = whole(params, "day_begin_time")
        end = whole(params, "day_end_time") if "day_end_time" in params else begin
        chosen = params.get("owner_filter")
        owners = chosen.get("userid_list") if isinstance(chosen, dict) else None
        if not 0 <= end - begin <= LONGEST_SPAN or begin < self.data.now - HISTORY:
            raise Refusal(40058)
        if not isinstance(owners, list) or not 1 <= len(owners) <= MOST_OWNERS:
            raise Refusal(40058)
        if not {str(one) for one in owners} <= {guide.userid for guide in self.staff(corp)}:
            raise Refusal(60111)
        limit = limit_of(params, MOST_ROWS, default=500)
        offset = whole({"offset": 0, **params}, "offset")
        items = [one for userid in owners if (one := self.group_figures(corp, userid, (begin, end)))]
        rows = items[offset : offset + limit]
        return wire_wecom.ok(items=rows, total=len(items), next_offset=offset + len(rows))

    def group_figures(self, corp: int, userid: str, span: tuple[int, int]) -> Json | None:
        """An owner's groups over whole days, both ends counted; None without a group."""
        begin, after = span[0], span[1] + DAY
        mine = [group for group in self.groups(corp) if group.owner.userid == userid and group.created < after]
        if not mine:
            return None
        rng = stream(self.data.config.seed, "group_figures", userid, *span)
        joined = [member.joined for group in mine for member in group.members]
        members = sum(len(group.members_at(after - 1)) for group in mine)
        active = int(rng.random() * (members + 1))
        data = {
            "new_chat_cnt": sum(begin <= group.created for group in mine),
            "chat_total": len(mine),
            "chat_has_msg": min(len(mine), active),
            "new_member_cnt": sum(begin <= moment < after for moment in joined),
            "member_total": members + len(mine),
            "member_has_msg": active,
            "msg_total": active * 2,
            "migrate_trainee_chat_cnt": 0,
        }
        return {"owner": userid, "data": data}


def whole(params: Json, name: str) -> int:
    """A required whole number."""
    value = params.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refusal(40058)
    return value


def limit_of(params: Json, most: int, default: int | None = None) -> int:
    """How many rows are asked for; more than there may be is refused."""
    limit = params.get("limit", most if default is None else default)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= most:
        raise Refusal(40058)
    return limit
