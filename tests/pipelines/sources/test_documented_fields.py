"""Every field that the platforms' documentation names is used or left out for a reason: none is unknown.

The lists restate the documentation and are independent of the parsers; `[]` marks lists, a dot an object inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pipelines.sources import FEED_PARSERS
from tests.pipelines.sources.private_domain import SUITE
from tests.pipelines.sources.private_domain import read as read_private
from tests.pipelines.sources.public_domain import parse

DOUYIN_ORDER = (
    "order_id order_level shop_id shop_name open_id doudian_open_id open_address_id order_status order_status_desc "
    "main_status main_status_desc order_type biz b_type sub_b_type app_id create_time update_time pay_time ship_time "
    "finish_time exp_ship_time appointment_ship_time order_expire_time pay_type order_amount pay_amount post_amount "
    "post_origin_amount post_promotion_amount post_insurance_amount packing_amount tax_amount modify_amount "
    "modify_post_amount promotion_amount promotion_shop_amount promotion_platform_amount promotion_talent_amount "
    "promotion_pay_amount promotion_redpack_amount promotion_redpack_platform_amount promotion_redpack_talent_amount "
    "shop_cost_amount platform_cost_amount only_platform_cost_amount author_cost_amount post_tel post_receiver "
    "encrypt_post_tel encrypt_post_receiver mask_post_tel mask_post_receiver mask_post_addr post_addr.province.name "
    "post_addr.province.id post_addr.city.name post_addr.city.id post_addr.town.name post_addr.town.id "
    "post_addr.street.name post_addr.street.id post_addr.detail post_addr.encrypt_detail cancel_reason buyer_words "
    "seller_words seller_remark_stars logistics_info[].tracking_no logistics_info[].company "
    "logistics_info[].company_name logistics_info[].ship_time logistics_info[].delivery_id "
    "logistics_info[].product_info[].product_id order_phase_list[].phase_order_id order_phase_list[].current_phase "
    "order_phase_list[].pay_success order_phase_list[].phase_pay_time order_phase_list[].phase_payable_price "
    "order_phase_list[].phase_pay_amount user_tag_ui[].key shop_order_tag_ui[].key order_tag.a"
)
DOUYIN_LINE = (
    "order_id parent_order_id order_level order_status main_status pay_time ship_time finish_time update_time "
    "confirm_receipt_time logistics_receipt_time product_id product_id_str sku_id out_product_id out_sku_id code "
    "first_cid second_cid third_cid fourth_cid spec[].name spec[].value product_name product_pic item_num "
    "origin_amount sum_amount order_amount pay_amount promotion_amount promotion_shop_amount "
    "promotion_platform_amount promotion_talent_amount goods_type pre_sale_type trade_type given_product_type "
    "master_sku_order_id_list[] author_id author_name room_id room_id_str video_id content_id origin_id page_id "
    "theme_type cid c_biz ad_env_type after_sale_info.after_sale_status after_sale_info.after_sale_type "
    "after_sale_info.refund_status encrypt_post_tel encrypt_post_receiver mask_post_tel mask_post_receiver "
    "mask_post_addr post_addr.province.name receive_type"
)
DECRYPTED = "auth_id cipher_text decrypt_text is_virtual_tel expire_time phone_no_a phone_no_b data_type err_no err_msg"
AFTERSALE = (
    "aftersale_info.aftersale_id aftersale_info.aftersale_type aftersale_info.aftersale_status "
    "aftersale_info.related_id aftersale_info.apply_time aftersale_info.update_time aftersale_info.refund_amount "
    "aftersale_info.refund_post_amount aftersale_info.refund_status order_info.shop_order_id "
    "order_info.related_order_info[].sku_order_id order_info.related_order_info[].pay_amount "
    "order_info.related_order_info[].aftersale_pay_amount text_part.aftersale_status_text seller_logs[].content"
)
PUSH = (
    "p_id s_ids[] shop_id store_id order_status order_type biz create_time pay_time cancel_time complete_time "
    "update_time pay_amount pay_type cancel_reason logistics_msg.express_company_id receiver_msg.name s_id "
    "aftersale_id aftersale_status aftersale_type refund_amount refund_post_amount reason_code apply_time"
)
TRADE = (
    "tid tid_str sid status type trade_from payment total_fee discount_fee adjust_fee post_fee received_payment price "
    "platform_subsidy_fee step_paid_fee alipay_point pcc_af coupon_fee tmall_coupon_fee created modified pay_time "
    "consign_time end_time timeout_action_time buyer_nick buyer_open_uid ouid omid oaid aid buyer_alipay_no "
    "receiver_name receiver_mobile receiver_phone receiver_address receiver_state receiver_city receiver_district "
    "receiver_town receiver_zip buyer_message seller_memo seller_flag num num_iid title step_trade_status "
    "outer_partner_member_id o2o_guide_id shop_code seller_nick"
)
TRADE_LINE = (
    "oid oid_str num_iid sku_id outer_iid outer_sku_id title price num total_fee payment divide_order_fee "
    "part_mjz_discount discount_fee refund_status refund_id status consign_time end_time cid sku_properties_name "
    "seller_type is_free_gift"
)
REFUND = (
    "refund_id tid oid status refund_fee total_fee payment created modified order_status good_status refund_phase "
    "dispute_type has_good_return refund_version ouid buyer_open_uid buyer_nick reason sid"
)
MEMBER_CALL = (
    "seller_name mix_mobile ouid omid extend.alipay_user_id extend.flightMode extend.flightJoinTime mobile nick type"
)
MEMBER_SYNC = "mobile ouid point level level_type level_point level_expire_time version extend.a"
POINT_CHANGE = "biz_type mix_mobile mix_nick mobile nick ouid omid point type record_id seller_name ext_info"
CONTACT = (
    "external_contact.external_userid external_contact.name external_contact.avatar external_contact.position "
    "external_contact.type external_contact.gender external_contact.unionid external_contact.corp_name "
    "external_contact.corp_full_name external_contact.external_profile.external_attr[].type"
)
FOLLOW = (
    "userid oper_userid remark description remark_corp_name remark_mobiles[] createtime add_way state "
    "wechat_channels.nickname wechat_channels.source"
)
GROUP = (
    "chat_id name owner create_time notice member_list[].userid member_list[].type member_list[].unionid "
    "member_list[].join_time member_list[].join_scene member_list[].invitor.userid member_list[].state "
    "member_list[].group_nickname member_list[].name admin_list[].userid member_version"
)
BEHAVIOUR = (
    "stat_time chat_cnt message_cnt reply_percentage avg_reply_time negative_feedback_cnt new_apply_cnt new_contact_cnt"
)
GROUP_STATISTIC = (
    "owner data.new_chat_cnt data.chat_total data.chat_has_msg data.new_member_cnt data.member_total "
    "data.member_has_msg data.msg_total data.migrate_trainee_chat_cnt"
)

TEXT_FIELDS: Mapping[str, Any] = {
    "modified": "2025-01-01 11:05:31", "created": "2025-01-01 11:02:00", "pay_time": "2025-01-01 11:02:10",
    "consign_time": "2025-01-01 11:02:10", "end_time": "2025-01-01 11:02:10", "status": "TRADE_FINISHED",
    "dispute_type": "REFUND", "step_trade_status": "FRONT_PAID_FINAL_PAID", "seller_nick": "示例旗舰店",
    "refund_status": "NO_REFUND", "has_good_return": True, "is_free_gift": "false", "order_status": "TRADE_FINISHED",
}  # fmt: skip
"""Values of fields that are no numbers on Tmall."""


def built(fields: str, values: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A record with every listed field; a number unless `values` says otherwise."""
    made: dict[str, Any] = {}
    for path in fields.split():
        holder = made
        *above, leaf = path.split(".")
        for part in above:
            inner: Any = holder.setdefault(part.removesuffix("[]"), [{}] if part.endswith("[]") else {})
            holder = inner[0] if isinstance(inner, list) else inner
        name = leaf.removesuffix("[]")
        holder[name] = [1] if leaf.endswith("[]") else values.get(name, 1)
    return made | more


def unknown(feed: str, record: Mapping[str, Any], **known: Any) -> dict[str, Any]:
    return parse(FEED_PARSERS[feed], record, **known).unknown


def test_every_field_of_a_douyin_order_is_known() -> None:
    values = {"given_product_type": "MASTER", "order_tag": {"a": 1}}
    assert unknown("douyin_orders", built(DOUYIN_ORDER, values, sku_order_list=[built(DOUYIN_LINE, values)])) == {}


@pytest.mark.parametrize(
    ("feed", "fields"),
    [
        ("douyin_orders", DECRYPTED),
        ("douyin_refunds", AFTERSALE),
        ("tmall_refunds", REFUND),
        ("tmall_members", MEMBER_CALL),
        ("tmall_members", MEMBER_SYNC),
        ("points_events", POINT_CHANGE),
    ],
)
def test_every_field_of_a_record_of_the_shops_is_known(feed: str, fields: str) -> None:
    assert unknown(feed, built(fields, TEXT_FIELDS if feed == "tmall_refunds" else {})) == {}


def test_every_field_of_a_douyin_push_is_known() -> None:
    for tag in ("101", "206"):
        record = {"tag": tag, "msg_id": "1:0:101:1735700530:4463798:1", "data": built(PUSH, {})}
        assert unknown("douyin_messages", record) == {}


def test_every_field_of_a_tmall_trade_is_known() -> None:
    line = built(TRADE_LINE, TEXT_FIELDS)
    assert unknown("tmall_trades", built(TRADE, TEXT_FIELDS, orders={"order": [line]})) == {}


def test_every_field_of_a_message_frame_is_known() -> None:
    told = {"tid": 1, "oid": 1, "buyer_nick": "t**1", "buyer_open_uid": "A", "seller_nick": "x", "payment": "1.00"}
    frame = {
        "id": "1",
        "topic": "taobao_trade_TradeBuyerPay",
        "outtime": "2025-01-01 11:02:11",
        "content": told | {"type": "guarantee_trade"},
    } | built("dataid userid publisher retried", {})
    assert unknown("tmall_messages", frame) == {}
    consumed = {"id": 1, "topic": "taobao_refund_RefundSuccess", "user_id": 2, "user_nick": "x", "pub_app_key": "1",
                "pub_time": "2025-01-01 11:02:11"}  # fmt: skip
    about = {"refund_id": 1, "refund_fee": "1.00", "tid": 1, "oid": 1, "bill_type": "refund_bill",
             "refund_phase": "onsale", "modified": "2025-01-01 11:02:11"}  # fmt: skip
    assert unknown("tmall_messages", consumed | {"content": about}) == {}


PRIVATE: tuple[tuple[str, dict[str, Any], Mapping[str, Any]], ...] = (
    (
        "wecom_contacts",
        built(CONTACT, {})
        | {
            "follow_user": [built(FOLLOW, {}) | {"tags": [built("group_name tag_name tag_id type", {})]}],
            "next_cursor": "",
        },
        {},
    ),
    (
        "wecom_contacts",
        {"external_contact_list": [built(CONTACT, {}) | {"follow_info": built(FOLLOW + " tag_id[]", {})}]},
        {},
    ),
    ("wecom_group_chats", {"group_chat": built(GROUP, {})}, {}),
    ("wecom_group_chats", {"group_chat_list": [built("chat_id status", {})]}, {}),
    ("wecom_staff_stats", {"behavior_data": [built(BEHAVIOUR, {})]}, {"params": {"userid": ["lisi"]}}),
    ("wecom_staff_stats", {"items": [built(GROUP_STATISTIC, {})]}, {"params": {"day_begin_time": 1735574400}}),
    ("wecom_transfers", {"customer": [built("external_userid errcode", {})]}, {}),
    (
        "wecom_transfers",
        {"customer": [built("external_userid status takeover_time", {})]},
        {"params": {"handover_userid": "a", "takeover_userid": "b"}},
    ),
    (
        "wecom_transfers",
        {"info": [built("handover_userid external_userid dimission_time", {})], "is_last": False, "next_cursor": ""},
        {},
    ),
    ("id_conversions", built("external_userid pending_id", {}), {"suite_id": SUITE, "params": {"unionid": "o1"}}),
    ("miniprogram_users", built("openid session_key unionid", {}), {}),
    (
        "miniprogram_users",
        {"phone_info": built("phoneNumber purePhoneNumber countryCode watermark.timestamp watermark.appid", {})},
        {},
    ),
    (
        "miniprogram_users",
        {"err_no": 0, "err_tips": "", "data": built("session_key openid anonymous_openid unionid", {})},
        {"platform": "douyin"},
    ),
    (
        "miniprogram_users",
        {"err_no": 0, "data": built("session_key open_id anonymous_open_id union_id", {})},
        {"platform": "douyin"},
    ),
    (
        "points_events",
        built("transaction_id openid earn_points increased_points total_points", {})
        | {"points_update_time": "2025-01-01T11:02:00+08:00"},
        {},
    ),
    (
        "points_events",
        built("mchid merchant_name shop_name shop_number appid openid amount transaction_id code auth_type", {})
        | {"time_end": "2025-01-01T11:02:00+08:00"},
        {},
    ),
    (
        "points_events",
        built(
            "mchid merchant_name shop_name shop_number appid openid pay_amount refund_amount refund_id transaction_id",
            {},
        )
        | {"refund_time": "2025-01-01T11:02:00+08:00"},
        {},
    ),
)


@pytest.mark.parametrize(("feed", "answer", "known"), PRIVATE, ids=[f"{n}-{row[0]}" for n, row in enumerate(PRIVATE)])
def test_every_field_of_an_answer_of_the_private_domain_is_known(
    feed: str, answer: dict[str, Any], known: Mapping[str, Any]
) -> None:
    parsed = read_private(FEED_PARSERS[feed], answer, **known)
    assert parsed
    assert [one.unknown for one in parsed] == [{}] * len(parsed)


@pytest.mark.parametrize(
    "name",
    [
        *("$MPLaunch", "$MPShow", "$MPHide", "$MPViewScreen", "$MPPageLeave", "$MPShare", "$MPClick"),
        *("$MPAddFavorites", "$SignUp", "$BindID", "$UnbindID", "AddToCart"),
    ],
)
def test_every_field_of_a_behaviour_event_is_known(name: str) -> None:
    types = {"$SignUp": "track_signup", "$BindID": "track_id_bind", "$UnbindID": "track_id_unbind"}
    event = {
        "distinct_id": "d1", "anonymous_id": "a1", "login_id": "$identity_login_id+u1", "original_id": "a1",
        "type": types.get(name, "track"), "event": name, "time": 1735700530123, "_flush_time": 1735700531007,
        "_track_id": 530120123, "time_free": True, "identities": {"$identity_mp_id": "a1"},
        "lib": {"$lib": "MiniProgram", "$lib_method": "code", "$lib_version": "1.22.8"},
        "properties": {"$scene": "wx-1047", "$event_duration": 1.5, "goods_id": "88"},
    }  # fmt: skip
    (parsed,) = read_private(FEED_PARSERS["miniprogram_events"], event)
    assert (parsed.unknown, parsed.unknown_values) == ({}, [])


CALLBACK_FIELDS = {
    "change_external_contact": "UserID ExternalUserID State WelcomeCode Source FailReason",
    "change_external_chat": "ChatId UpdateDetail JoinScene QuitScene MemChangeCnt MemChangeList LastMemVer CurMemVer",
    "change_external_tag": "Id TagType StrategyId",
}
CHANGES = {
    "change_external_contact": (
        *("add_external_contact", "edit_external_contact", "add_half_external_contact", "del_external_contact"),
        *("del_follow_user", "transfer_fail", "msg_audit_approved"),
    ),
    "change_external_chat": ("create", "update", "dismiss"),
    "change_external_tag": ("create", "update", "delete", "shuffle"),
}


@pytest.mark.parametrize("provider", [False, True], ids=["own app", "provider"])
@pytest.mark.parametrize(("event", "change"), [(event, change) for event in CHANGES for change in CHANGES[event]])
def test_every_callback_and_its_fields_are_known(event: str, change: str, provider: bool) -> None:
    values = {"UpdateDetail": "add_member", "TagType": "tag", "Source": "DELETE_BY_TRANSFER", "JoinScene": "1"}
    inner = "".join(f"<{name}>{values.get(name, '1')}</{name}>" for name in CALLBACK_FIELDS[event].split())
    own = f"<ToUserName>ww1</ToUserName><FromUserName>sys</FromUserName><CreateTime>1735700530</CreateTime>" \
          f"<MsgType>event</MsgType><AgentID>1</AgentID><Event>{event}</Event>"  # fmt: skip
    theirs = f"<SuiteId>{SUITE}</SuiteId><AuthCorpId>ww1</AuthCorpId><InfoType>{event}</InfoType>" \
             f"<TimeStamp>1735700530</TimeStamp>"  # fmt: skip
    document = f"<xml>{theirs if provider else own}<ChangeType>{change}</ChangeType>{inner}</xml>"
    (parsed,) = read_private(FEED_PARSERS["wecom_events"], document)
    assert (parsed.unknown, parsed.unknown_values) == ({}, [])
