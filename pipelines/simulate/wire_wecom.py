"""What WeCom answers and calls back: contacts, groups, hand-overs, tags, statistics, and decrypted event XML."""

from typing import Any

from pipelines.simulate.brand import CORPS, Brand, Guide
from pipelines.simulate.ids import IdFactory
from pipelines.simulate.relations import TAG_NAMES, Contact, Group, GroupMember, Transfer

Json = dict[str, Any]

REDACTED = "<redacted>"  # what the landing puts in the place of welcome codes
TRANSFERRED_ADD_WAY = 202
TRANSFER_FAILURES = {3: "customer_refused", 4: "customer_limit_exceed"}


def ok(**answer: Any) -> Json:
    """A successful answer."""
    return {"errcode": 0, "errmsg": "ok", **answer}


def error_answer(_moment: int) -> Json:
    """The answer when the call limit is reached; it holds no page."""
    return {"errcode": 45009, "errmsg": "reach max api daily quota limit"}


def contact_page(contacts: list[Any], _moment: int) -> Json:
    """A page of externalcontact/batch/get_by_user."""
    return ok(external_contact_list=contacts, next_cursor="")


def unassigned_page(rows: list[Any], _moment: int) -> Json:
    """A page of externalcontact/get_unassigned_list."""
    return ok(info=rows, is_last=True, next_cursor="")


def transfer_page(rows: list[Any], _moment: int) -> Json:
    """An answer of externalcontact/transfer_customer."""
    return ok(customer=rows)


def transfer_result_page(rows: list[Any], _moment: int) -> Json:
    """An answer of externalcontact/transfer_result."""
    return ok(customer=rows, next_cursor="")


def contact_record(contact: Contact, moment: int, brand: Brand) -> Json:
    """One element of a batch: the customer and one guide's relation, with the ids of its tags only."""
    return {"external_contact": _customer(contact, moment, brand), "follow_info": _follow(contact, moment, brand)}


def contact_answer(contact: Contact, moment: int, brand: Brand) -> Json:
    """An answer of externalcontact/get: here the relation carries whole tags."""
    follow = _follow(contact, moment, brand)
    del follow["tag_id"]
    names = _tag_names(contact, moment)
    follow["tags"] = [
        {"group_name": "等级", "tag_name": name, "tag_id": tag_id(contact.corp, name, brand.ids), "type": 1}
        for name in names
    ]
    return ok(external_contact=_customer(contact, moment, brand), follow_user=[follow], next_cursor="")


def _customer(contact: Contact, moment: int, brand: Brand) -> Json:
    person, corp = contact.person, CORPS[contact.corp]
    customer: Json = {
        "external_userid": brand.ids.external_userid(corp.corp_id, person.index),
        "name": person.nickname,
        "type": 1,
        "gender": person.gender if person.index % 5 == 0 else 0,
    }
    unionid = person.unionid(corp.open_platform_id, moment)
    if unionid is not None:
        customer["unionid"] = unionid
    return customer


def _follow(contact: Contact, moment: int, brand: Brand) -> Json:
    taken, guide = contact.taken_at(moment), contact.guide_at(moment)
    external = brand.ids.external_userid(CORPS[contact.corp].corp_id, contact.person.index)
    follow: Json = {
        "userid": guide.userid,
        "remark": f"{contact.person.nickname}-{guide.store.name}",
        "description": "",
        "createtime": taken.taken_at if taken else contact.added,
        "tag_id": [tag_id(contact.corp, name, brand.ids) for name in _tag_names(contact, moment)],
        "oper_userid": guide.userid if contact.add_way in (2, 3) else external,
        "add_way": TRANSFERRED_ADD_WAY if taken else contact.add_way,
    }
    if contact.remark_mobile is not None:
        follow["remark_mobiles"] = [contact.remark_mobile]
    if contact.state:
        follow["state"] = contact.state
    if contact.add_way == 10:
        follow["wechat_channels"] = {"nickname": "示例视频号", "source": 2}
    return follow


def _tag_names(contact: Contact, moment: int) -> list[str]:
    return [name for since, name in contact.tags if since <= moment]


def tag_id(corp: int, name: str, ids: IdFactory) -> str:
    """The corp's id of a tag."""
    return "et" + ids.alphanumeric("tag", CORPS[corp].corp_id, TAG_NAMES.index(name), 28)


def tag_list(corp: int, created: int, ids: IdFactory) -> Json:
    """An answer of externalcontact/get_corp_tag_list."""
    tags = [
        {"id": tag_id(corp, name, ids), "name": name, "create_time": created, "order": order}
        for order, name in enumerate(TAG_NAMES)
    ]
    group = {"group_id": f"etGroup{corp:02d}", "group_name": "等级", "create_time": created, "order": 0, "tag": tags}
    return ok(tag_group=[group])


def unassigned(contact: Contact, left: int, brand: Brand) -> Json:
    """One leaver's customer who waits for a successor."""
    external = brand.ids.external_userid(CORPS[contact.corp].corp_id, contact.person.index)
    return {"handover_userid": contact.guide.userid, "external_userid": external, "dimission_time": left}


def transfer_asked(contact: Contact, brand: Brand) -> Json:
    """One accepted hand-over request."""
    return {
        "external_userid": brand.ids.external_userid(CORPS[contact.corp].corp_id, contact.person.index),
        "errcode": 0,
    }


def transfer_result(contact: Contact, transfer: Transfer, brand: Brand) -> Json:
    """How one hand-over ended."""
    external = brand.ids.external_userid(CORPS[contact.corp].corp_id, contact.person.index)
    return {"external_userid": external, "status": transfer.status, "takeover_time": transfer.taken_at}


def group_answer(group: Group, moment: int, brand: Brand) -> Json:
    """An answer of externalcontact/groupchat/get."""
    owner: Json = {
        "userid": group.owner.userid,
        "type": 1,
        "join_time": group.created,
        "join_scene": 1,
        "invitor": {"userid": group.owner.userid},
        "group_nickname": "",
        "name": group.owner.name,
    }
    members = [_group_member(group, member, moment, brand) for member in group.members_at(moment)]
    return ok(
        group_chat={
            "chat_id": group.chat_id,
            "name": group.name,
            "owner": group.owner.userid,
            "create_time": group.created,
            "notice": "文明沟通",
            "member_list": [owner, *members],
            "admin_list": [{"userid": group.owner.userid}],
            "member_version": brand.ids.alphanumeric("version", group.chat_id, len(members) * 1000 + moment % 1000, 32),
        }
    )


def _group_member(group: Group, member: GroupMember, moment: int, brand: Brand) -> Json:
    corp = CORPS[group.corp]
    record: Json = {
        "userid": brand.ids.external_userid(corp.corp_id, member.person.index),
        "type": 2,
        "join_time": member.joined,
        "join_scene": member.scene,
        "group_nickname": "",
        "name": member.person.nickname,
    }
    unionid = member.person.unionid(corp.open_platform_id, moment)
    if unionid is not None:
        record["unionid"] = unionid
    if member.scene == 1:
        record["invitor"] = {"userid": group.owner.userid}
    if member.scene == 3:
        record["state"] = f"group_{group.owner.store.store_id}"
    return record


def behaviour(stat_time: int, counts: dict[str, int], reply: tuple[float, int] | None) -> Json:
    """One day of get_user_behavior_data; the two reply figures are absent on a day without chats."""
    row: Json = {"stat_time": stat_time, **counts}
    if reply is not None:
        row |= {"reply_percentage": reply[0], "avg_reply_time": reply[1]}
    return ok(behavior_data=[row])


def group_statistic(items: list[Json]) -> Json:
    """An answer of groupchat/statistic."""
    return ok(items=items, total=len(items), next_offset=len(items))


def _xml(corp_id: str, moment: int, body: str) -> str:
    return (
        f"<xml><ToUserName><![CDATA[{corp_id}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
        f"<CreateTime>{moment}</CreateTime><MsgType><![CDATA[event]]></MsgType>{body}</xml>"
    )


def _tag(name: str, value: str) -> str:
    return f"<{name}><![CDATA[{value}]]></{name}>"


def contact_event(contact: Contact, change: str, moment: int, brand: Brand, *, guide: Guide | None = None) -> str:
    """A decrypted change_external_contact callback."""
    corp_id = CORPS[contact.corp].corp_id
    body = (
        _tag("Event", "change_external_contact")
        + _tag("ChangeType", change)
        + _tag("UserID", (guide or contact.guide).userid)
        + _tag("ExternalUserID", brand.ids.external_userid(corp_id, contact.person.index))
    )
    if change in ("add_external_contact", "add_half_external_contact"):
        body += _tag("State", contact.state) if contact.state else ""
        body += _tag("WelcomeCode", REDACTED)
    if change == "transfer_fail" and contact.transfer is not None:
        body += _tag("FailReason", TRANSFER_FAILURES[contact.transfer.status])
    return _xml(corp_id, moment, body)


def suite_contact_event(external_userid: str, guide: Guide, moment: int, scope: tuple[str, str]) -> str:
    """The same callback as a service provider gets it; `scope` is suite id and corp id."""
    suite_id, corp_id = scope
    return (
        f"<xml>{_tag('SuiteId', suite_id)}{_tag('AuthCorpId', corp_id)}{_tag('InfoType', 'change_external_contact')}"
        f"<TimeStamp>{moment}</TimeStamp>{_tag('ChangeType', 'add_external_contact')}{_tag('UserID', guide.userid)}"
        f"{_tag('ExternalUserID', external_userid)}{_tag('WelcomeCode', REDACTED)}</xml>"
    )


def chat_event(group: Group, detail: tuple[str, str], moment: int, member: tuple[str, int] | None) -> str:
    """A decrypted change_external_chat callback; `detail` is change type and update detail, `member` id and scene."""
    change, update = detail
    body = _tag("Event", "change_external_chat") + _tag("ChatId", group.chat_id) + _tag("ChangeType", change)
    if update:
        body += _tag("UpdateDetail", update)
    if member is not None:
        scene = "JoinScene" if update == "add_member" else "QuitScene"
        body += f"<{scene}>{member[1]}</{scene}><MemChangeCnt>1</MemChangeCnt>"
        body += f"<MemChangeList>{_tag('Item', member[0])}</MemChangeList>"
    return _xml(CORPS[group.corp].corp_id, moment, body)


def tag_event(corp: int, name: str, moment: int, ids: IdFactory) -> str:
    """A decrypted change_external_tag callback."""
    body = _tag("Event", "change_external_tag") + _tag("Id", tag_id(corp, name, ids))
    return _xml(CORPS[corp].corp_id, moment, body + _tag("TagType", "tag") + _tag("ChangeType", "create"))


def acquired_page(contact: Contact, external: str) -> Json:
    """An answer of customer_acquisition/customer: who came by a link of the guide's."""
    row = {"external_userid": external, "userid": contact.guide.userid, "chat_status": contact.person.index % 2}
    return ok(customer_list=[{**row, "state": "link_01", "create_time": contact.added}], next_cursor="")


def served_page(contact: Contact, external: str) -> Json:
    """An answer of contact_list: who was served; the temporary id is another each time."""
    row = {"is_customer": True, "tmp_openid": f"tmp{contact.added}", "external_userid": external}
    return ok(info_list=[{**row, "follow_userid": contact.guide.userid, "add_time": contact.added}], next_cursor="")


def audited_message(contact: Contact, external: str, moment: int) -> Json:
    """A decrypted message of a customer who agreed to the audit."""
    return {
        "msgid": f"{moment}{contact.person.index}_external",
        "action": "send",
        "from": external,
        "tolist": [contact.guide.userid],
        "roomid": "",
        "msgtime": moment * 1000 + contact.person.index % 1000,
        "msgtype": "text",
        "text": {"content": "请问什么时候发货"},
    }


def post(guide: Guide, moment: int) -> Json:
    """A guide's post."""
    told = {"moment_id": f"mom{guide.index}{moment}", "creator": guide.userid, "create_time": moment, "create_type": 1}
    return {**told, "visible_type": 1, "text": {"content": "本周新品"}}


def moment_page(posts: list[Json], cursor: str = "") -> Json:
    """An answer of get_moment_list."""
    return ok(next_cursor=cursor, moment_list=posts)
