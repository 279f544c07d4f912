"""Every kind of record has exactly the fields and types that the platforms' documentation gives it.

The tables below restate the documentation and are independent of the simulator: a name ending in `?` may be absent,
a set lists allowed values, a list holds the form of its elements, `...` allows anything of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest

Json = dict[str, Any]
NULL = type(None)


def differences(value: Any, form: Any, path: str) -> Iterator[str]:
    """Where the value is not of the form."""
    if form is ...:
        return
    if isinstance(form, dict):
        yield from dict_differences(value, form, path)
    elif isinstance(form, list):
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for number, element in enumerate(value):
            yield from differences(element, form[0], f"{path}[{number}]")
    elif isinstance(form, set | frozenset):
        if value not in form:
            yield f"{path} is {value!r}"
    elif isinstance(form, re.Pattern):
        if not isinstance(value, str) or not form.fullmatch(value):
            yield f"{path} is {value!r}"
    elif type(value) not in (form if isinstance(form, tuple) else (form,)):
        yield f"{path} is a {type(value).__name__}"


def dict_differences(value: Any, form: Json, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} is no object"
        return
    allowed = {name.removesuffix("?"): (name.endswith("?"), inner) for name, inner in form.items()}
    for name in value.keys() - allowed.keys():
        yield f"{path}.{name} is unknown"
    for name, (optional, inner) in allowed.items():
        if name in value:
            yield from differences(value[name], inner, f"{path}.{name}")
        elif not optional:
            yield f"{path}.{name} is missing"


NUMBER = re.compile(r"\d{15,19}")
FEN_TEXT = re.compile(r"-?\d+")
YUAN = re.compile(r"-?\d+\.\d{2}")
LOCAL = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
OFFSET = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00")
PHONE_CIPHER = re.compile(r"\$\$[A-Za-z0-9+/=]+\$1\$\$")
TEXT_CIPHER = re.compile(r"##[A-Za-z0-9+/=]+#1##")
PHONE_MASK = re.compile(r"1\*{8}\d\d")
TAIL_MASK = re.compile(r"\*{7}\d{4}")
MD5 = re.compile(r"[0-9a-f]{32}")
ORDER_STATUS = {1, 105, 2, 101, 3, 4, 5}
MAIN_STATUS = ORDER_STATUS | {103, 21, 22, 39}
NAMED = {"name": str, "id": str}

DOUYIN_CHILD = {
    **{"order_id": NUMBER, "parent_order_id": NUMBER, "order_level": {3}, "order_status": ORDER_STATUS},
    **{"main_status": MAIN_STATUS, "trade_type": {0, 2}, "pay_time": int, "ship_time": int, "finish_time": int},
    **{"update_time": int, "product_id": int, "product_id_str": NUMBER, "sku_id": int, "code": str},
    **{"product_name": str, "item_num": int, "origin_amount": int, "sum_amount": int, "order_amount": int},
    **{"pay_amount": int, "promotion_amount": int, "goods_type": int, "author_id": int, "author_name": str},
    **{"room_id": int, "room_id_str": str, "video_id": str, "theme_type": {"0", "1"}, "cid": int, "c_biz": {2, 8}},
    **{"given_product_type": {"MASTER", "FREE"}, "master_sku_order_id_list": [NUMBER]},
    "after_sale_info": {
        "after_sale_status": {0, 6, 7, 11, 12, 13, 14, 27, 28, 29, 51, 53},
        "after_sale_type": {0, 1, 2, 3, 4, 5},
        "refund_status": {0, 1, 3, 4},
    },
    "encrypt_post_tel": PHONE_CIPHER,
}
DOUYIN_ORDER = {
    **{"order_id": NUMBER, "order_level": {2}, "shop_id": int, "shop_name": str, "open_id": {""}},
    **{"doudian_open_id": re.compile(r"(1@)?#[A-Za-z0-9+/=]+"), "open_address_id": re.compile(r"#[A-Za-z0-9+/]+=")},
    **{"biz": {2}, "b_type": {2}, "sub_b_type": {1, 2, 3}, "app_id": {1128}, "order_type": {0}},
    **{"order_status": ORDER_STATUS, "order_status_desc": str, "main_status": MAIN_STATUS, "main_status_desc": str},
    **{"pay_type": {0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16}, "create_time": int, "pay_time": int, "update_time": int},
    **{"ship_time": int, "finish_time": int, "exp_ship_time": int, "order_expire_time": {1800}},
    **{"order_amount": int, "pay_amount": int, "post_amount": int, "modify_amount": int, "promotion_amount": int},
    **{"promotion_shop_amount": int, "promotion_platform_amount": int, "promotion_talent_amount": int},
    **{"shop_cost_amount": int, "platform_cost_amount": int, "only_platform_cost_amount": int},
    **{"author_cost_amount": int, "post_tel": {""}, "post_receiver": {""}, "encrypt_post_tel": PHONE_CIPHER},
    **{"mask_post_tel": PHONE_MASK, "encrypt_post_receiver": TEXT_CIPHER, "mask_post_receiver": re.compile(r".\*{3}")},
    "post_addr": {
        **{"province": NAMED, "city": NAMED, "town": NAMED, "street": NAMED},
        **{"detail": {""}, "encrypt_detail": TEXT_CIPHER},
    },
    **{"cancel_reason": str, "buyer_words": str, "seller_remark_stars": {0, 1, 2, 3, 4, 5}},
    "logistics_info?": [
        {
            **{"tracking_no": str, "company": str, "company_name": str, "ship_time": int},
            **{"delivery_id": str, "product_info": [...]},
        }
    ],
    "order_phase_list?": [
        {
            **{"phase_order_id": str, "current_phase": {1, 2}, "pay_success": bool, "phase_pay_time": int},
            **{"phase_payable_price": int, "phase_pay_amount": int},
        }
    ],
    "sku_order_list": [DOUYIN_CHILD],
}
MAYBE_QUOTED = re.compile(r"\d+")
AFTER_SALE = {
    "aftersale_info": {
        **{"aftersale_id": NUMBER, "related_id": NUMBER, "apply_time": int, "update_time": int},
        **{"aftersale_type": ..., "aftersale_status": ..., "refund_amount": ..., "refund_post_amount": ...},
        "refund_status": ...,
    },
    "order_info": {
        "shop_order_id": NUMBER,
        "related_order_info": [{"sku_order_id": NUMBER, "pay_amount": ..., "aftersale_pay_amount": ...}],
    },
    "text_part": {"reason_text": str},
    "seller_logs": [...],
}
DECRYPTED = {
    **{"auth_id": NUMBER, "cipher_text": str, "decrypt_text": str, "data_type": {2, 3}, "is_virtual_tel": bool},
    **{"expire_time": int, "phone_no_a": str, "phone_no_b": str, "err_no": int, "err_msg": str},
}
DOUYIN_TRADE_PUSH = {
    **{"p_id": int, "s_ids": [int], "shop_id": int, "order_status": ORDER_STATUS, "order_type": {0}, "biz": {2}},
    **{"create_time?": int, "pay_time?": int, "update_time?": int, "complete_time?": int, "cancel_time?": int},
    **{"pay_amount?": int, "pay_type?": int, "cancel_reason?": str},
}
DOUYIN_REFUND_PUSH = {
    **{"aftersale_id": int, "s_id": int, "p_id": int, "shop_id": int, "aftersale_status": int},
    **{"aftersale_type": {0, 1, 2, 3}, "refund_amount": int, "refund_post_amount": int, "reason_code": int},
    **{"apply_time": int, "update_time": OFFSET},
}
TRADE_STATUS = {
    *("WAIT_BUYER_PAY", "WAIT_SELLER_SEND_GOODS", "SELLER_CONSIGNED_PART", "WAIT_BUYER_CONFIRM_GOODS"),
    *("TRADE_BUYER_SIGNED", "TRADE_FINISHED", "TRADE_CLOSED", "TRADE_CLOSED_BY_TAOBAO"),
}
REFUND_STATUS = {
    *("WAIT_SELLER_AGREE", "WAIT_BUYER_RETURN_GOODS", "WAIT_SELLER_CONFIRM_GOODS", "SELLER_REFUSE_BUYER"),
    *("CLOSED", "SUCCESS"),
}
TMALL_LINE = {
    **{"oid": int, "oid_str": NUMBER, "num_iid": int, "sku_id": str, "outer_sku_id": str, "title": str},
    **{"price": YUAN, "num": int, "total_fee": YUAN, "payment": YUAN, "divide_order_fee": YUAN},
    **{"part_mjz_discount": YUAN, "discount_fee": YUAN, "refund_status": REFUND_STATUS | {"NO_REFUND"}},
    **{
        "refund_id?": str,
        "status": TRADE_STATUS,
        "seller_type": {"B"},
        "is_free_gift?": {True},
        "consign_time?": LOCAL,
    },
}
TMALL_TRADE = {
    **{"tid": int, "tid_str": NUMBER, "status": TRADE_STATUS, "type": {"fixed", "step", "cod"}, "seller_nick": str},
    **{"buyer_nick": re.compile(r".\*\*."), "buyer_open_uid": re.compile(r"AAH[\w-]{21}"), "oaid": str},
    **{"created": LOCAL, "modified": LOCAL, "pay_time?": LOCAL, "consign_time?": LOCAL, "end_time?": LOCAL},
    **{"payment": YUAN, "total_fee": YUAN, "discount_fee": YUAN, "adjust_fee": YUAN, "post_fee": YUAN},
    **{"received_payment": YUAN, "platform_subsidy_fee?": YUAN, "step_paid_fee?": YUAN, "num": int},
    "step_trade_status?": {"FRONT_NOPAID_FINAL_NOPAID", "FRONT_PAID_FINAL_NOPAID", "FRONT_PAID_FINAL_PAID"},
    **{"receiver_name": re.compile(r".\*{1,2}"), "receiver_mobile": TAIL_MASK, "receiver_state": str},
    **{"receiver_city?": str, "receiver_district": str, "receiver_address": str, "trade_from": str},
    **{"seller_flag": {1, 2, 3, 4, 5}, "alipay_point": int, "coupon_fee": int, "orders": {"order": [TMALL_LINE]}},
}
TMALL_REFUND = {
    **{"refund_id": str, "tid": int, "oid": int, "status": REFUND_STATUS, "refund_fee": YUAN, "total_fee": YUAN},
    **{"payment": YUAN, "created": LOCAL, "modified": LOCAL, "order_status": TRADE_STATUS},
    "good_status": {"BUYER_NOT_RECEIVED", "BUYER_RECEIVED", "BUYER_RETURNED_GOODS"},
    **{"refund_phase": {"onsale", "aftersale"}, "dispute_type": str, "has_good_return": bool, "refund_version": int},
    **{"ouid": str, "buyer_open_uid": str, "buyer_nick": str, "seller_nick": str, "reason": str},
}
TMALL_BIND = {
    **{"seller_name": str, "mix_mobile": MD5, "ouid": str, "omid": str, "extend": str, "nick": str},
    **{"type": {1, 2}, "mobile?": re.compile(r"1\d{10}")},
}
CRM_MEMBER = {
    **{"buyer_nick": str, "ouid": str, "grade": int, "trade_count": int, "trade_amount": YUAN},
    **{"relation_source": {1, 2, 3}, "status": {"normal"}},
}
TMC_FRAME = {
    **{"id": NUMBER, "topic": re.compile(r"(taobao|tmall)_\w+"), "userid": str, "publisher": str},
    **{"outtime": LOCAL, "dataid": str, "content": str},
}
EXTERNAL_CONTACT = {
    "external_userid": re.compile(r"wm[\w-]{30}"),
    **{"name": str, "type": {1}, "gender": {0, 1, 2}, "unionid?": re.compile(r"o[\w-]{27}")},
}
FOLLOW = {
    **{"userid": str, "remark": str, "description": str, "createtime": int, "oper_userid": str, "add_way": int},
    **{"remark_mobiles?": [str], "state?": str, "wechat_channels?": {"nickname": str, "source": {0, 1, 2, 3}}},
}
OK = {"errcode": {0}, "errmsg": {"ok"}}
CONTACT = {"external_contact": EXTERNAL_CONTACT, "follow_info": {**FOLLOW, "tag_id": [str]}}
TAG = {"group_name": str, "tag_name": str, "tag_id": str, "type": {1, 2, 3}}
CONTACT_GET = {
    **OK,
    **{"external_contact": EXTERNAL_CONTACT, "follow_user": [{**FOLLOW, "tags": [TAG]}], "next_cursor": str},
}
GROUP = {
    **OK,
    "group_chat": {
        **{"chat_id": re.compile(r"wr\w{30}"), "name": str, "owner": str, "create_time": int, "notice": str},
        "member_list": [
            {
                **{"userid": str, "type": {1, 2}, "join_time": int, "join_scene": {1, 2, 3}, "group_nickname": str},
                **{"name": str, "unionid?": str, "invitor?": {"userid": str}, "state?": str},
            }
        ],
        **{"admin_list": [{"userid": str}], "member_version": str},
    },
}
BEHAVIOUR = {
    **OK,
    "behavior_data": [
        {
            **{"stat_time": int, "chat_cnt": int, "message_cnt": int, "negative_feedback_cnt": int},
            **{"new_apply_cnt": int, "new_contact_cnt": int, "reply_percentage?": float, "avg_reply_time?": int},
        }
    ],
}
GROUP_STATISTIC = {
    **OK,
    "items": [
        {
            "owner": str,
            "data": {
                **{"new_chat_cnt": int, "chat_total": int, "chat_has_msg": int, "new_member_cnt": int},
                **{"member_total": int, "member_has_msg": int, "msg_total": int, "migrate_trainee_chat_cnt": int},
            },
        }
    ],
    **{"total": int, "next_offset": int},
}
SESSION = {"openid": re.compile(r"o[\w-]{27}"), "session_key": {"<redacted>"}, "unionid?": str}
PHONE = {
    **OK,
    "phone_info": {
        **{"phoneNumber": str, "purePhoneNumber": str, "countryCode": (int, str)},
        "watermark": {"timestamp": int, "appid": str},
    },
}
DOUYIN_SESSION = {
    **{"err_no": {0}, "err_tips": str},
    "data": {"session_key": {"<redacted>"}, "openid": str, "anonymous_openid": str, "unionid": str},
}
IDENTITIES = {
    **{"$identity_mp_id": str, "$identity_mp_openid?": str, "$identity_mp_unionid?": str, "$identity_login_id?": str},
    "$identity_mobile?": str,
}
LIB = {"$lib": {"MiniProgram"}, "$lib_method": {"code"}, "$lib_version": {"1.22.8"}}
EVENT = {
    **{"distinct_id": str, "anonymous_id": str, "login_id?": str, "identities": IDENTITIES, "lib": LIB, "time": int},
    **{"_flush_time": int, "properties": ...},
}
TRACKED = {**EVENT, "event": str, "_track_id": int}
EVENTS = {
    "track": {**TRACKED, "type": {"track"}},
    "track_signup": {**TRACKED, "type": {"track_signup"}, "event": {"$SignUp"}, "original_id": str},
    "track_id_bind": {**TRACKED, "type": {"track_id_bind"}, "event": {"$BindID"}},
    "profile_set": {**EVENT, "type": {"profile_set"}},
}
SUBJECT = {"namespace": str, "scope": str, "value": str}
CLAIM = {
    **{"event": {"order_claim"}, "claim_id": str, "platform": {"douyin", "tmall"}, "platform_order_id": NUMBER},
    **{"openid": str, "unionid?": str, "phone": str, "claimed_at_ms": int},
    "status": {"pending", "approved", "rejected"},
}
CONSENT = {
    **{"consent_id": str, "subject": SUBJECT, "purpose": {"marketing", "profiling"}},
    **{"status": {"granted", "withdrawn"}, "at": OFFSET, "source": str},
}
LEDGER = {
    **{"record_id": str, "subject": SUBJECT, "points": int, "reason": str, "at": OFFSET, "expires_at": (str, NULL)},
}
POINT_CHANGE = {
    **{"biz_type": {"gift_exchange", "cancel_exchange"}, "mix_mobile": MD5, "mobile": str, "ouid": str, "omid": str},
    **{"point": int, "type": {1, 2}, "record_id": str, "seller_name": str},
}
MALL = {
    **{"mchid": str, "merchant_name": str, "shop_name": str, "shop_number": str, "appid": str, "openid": str},
    **{"amount": int, "time_end": OFFSET, "transaction_id": str, "code": str, "auth_type": str},
}
MALL_REFUND = {
    **{name: form for name, form in MALL.items() if name not in ("amount", "time_end", "code", "auth_type")},
    **{"pay_amount": int, "refund_amount": int, "refund_id": str, "refund_time": OFFSET},
}
SHOP_ORDER = {
    **{"order_id": str, "channel": {"mall", "pos"}, "shop_id": str, "member_id?": str, "openid?": str},
    **{"unionid?": str, "phone?": str, "status": {"created", "paid", "shipped", "finished", "cancelled", "closed"}},
    **{"list_fen": int, "discount_fen": int, "freight_fen": int, "payable_fen": int, "paid_fen": int},
    "lines": [
        {"line_id": str, "brand_sku": str, "quantity": int, "list_fen": int, "paid_fen": int, "gift": bool},
    ],
    **{"created_at": int, "paid_at": (int, NULL), "updated_at": int},
    "refunds": [
        {
            **{"refund_id": str, "line_id": str, "amount_fen": int, "at": int},
            "status": {"applied", "refused", "closed", "success"},
        }
    ],
}
PRODUCT = {
    **{"platform": {"douyin", "tmall", "mall"}, "product_id": str, "sku_id": str, "brand_sku": str, "name": str},
    **{"category": str, "price_fen": int},
}
STAFF = {
    **{"corp_id": str, "userid": str, "name": str, "store_id": str, "store_name": str, "region": str},
    **{"status": {"active", "left"}, "hired_at": int, "left_at": (int, NULL)},
}
REGISTRATION = {
    **{"observation_id": str, "source": {"crm"}, "kind": {"link"}, "event_time": int, "attributes?": {"name": str}},
    "ids": [{"namespace": {"member_id", "phone"}, "scope?": str, "value": str, "role?": {"verified"}}],
}
TAG_LIST = {
    **OK,
    "tag_group": [
        {
            **{"group_id": str, "group_name": str, "create_time": int, "order": int},
            "tag": [{"id": str, "name": str, "create_time": int, "order": int}],
        }
    ],
}
PAGED = {
    ("douyin_orders", "order.searchList"): DOUYIN_ORDER,
    ("douyin_orders", "order.batchDecrypt"): DECRYPTED,
    ("douyin_refunds", "afterSale.List"): AFTER_SALE,
    ("douyin_members", "member.searchList"): {"open_id": str, "order_id": NUMBER},
    ("tmall_trades", "taobao.trades.sold.increment.get"): TMALL_TRADE,
    ("tmall_refunds", "taobao.refunds.receive.get"): TMALL_REFUND,
    ("tmall_members", "taobao.crm.members.increment.get"): CRM_MEMBER,
    ("wecom_contacts", "externalcontact/batch/get_by_user"): CONTACT,
    ("wecom_transfers", "externalcontact/get_unassigned_list"): {
        **{"handover_userid": str, "external_userid": str, "dimission_time": int},
    },
    ("wecom_transfers", "externalcontact/transfer_customer"): {"external_userid": str, "errcode": {0}},
    ("wecom_transfers", "externalcontact/transfer_result"): {
        **{"external_userid": str, "status": {1, 2, 3, 4, 5}, "takeover_time": int},
    },
}
ACQUIRED = {
    **OK,
    "next_cursor": {""},
    "customer_list": [
        {"external_userid": str, "userid": str, "chat_status": {0, 1, 2}, "state": str, "create_time": int},
    ],
}
SERVED = {
    **OK,
    "next_cursor": {""},
    "info_list": [
        {
            **{"is_customer": bool, "tmp_openid": str, "external_userid": str, "follow_userid": str},
            **{"chat_id?": str, "add_time": int},
        }
    ],
}
AUDITED = {
    **{"msgid": str, "action": {"send", "recall", "switch"}, "from": str, "tolist": [str], "roomid": str},
    **{"msgtime": int, "msgtype": str, "text": {"content": str}},
}
MOMENTS = {
    **OK,
    "next_cursor": {""},
    "moment_list": [
        {
            **{"moment_id": str, "creator": str, "create_time": int, "create_type": {0, 1}, "visible_type": {0, 1}},
            "text": {"content": str},
        }
    ],
}
SINGLE = {
    ("wecom_contacts", "externalcontact/customer_acquisition/customer"): ACQUIRED,
    ("wecom_contacts", "externalcontact/contact_list"): SERVED,
    ("wecom_contacts", "externalcontact/get_follow_user_list"): {**OK, "follow_user": [str]},
    ("wecom_events", "msgaudit"): AUDITED,
    ("wecom_staff_stats", "externalcontact/get_moment_list"): MOMENTS,
    ("tmall_members", "tmall.mei.crm.bind"): TMALL_BIND,
    ("tmall_members", "tmall.mei.crm.member.bind.query"): TMALL_BIND,
    ("tmall_messages", "tmc"): TMC_FRAME,
    ("wecom_contacts", "externalcontact/get"): CONTACT_GET,
    ("wecom_group_chats", "externalcontact/groupchat/get"): GROUP,
    ("wecom_staff_stats", "externalcontact/get_user_behavior_data"): BEHAVIOUR,
    ("wecom_staff_stats", "externalcontact/groupchat/statistic"): GROUP_STATISTIC,
    ("wecom_tags", "externalcontact/get_corp_tag_list"): TAG_LIST,
    ("miniprogram_users", "getuserphonenumber"): PHONE,
    ("miniprogram_users", "douyin.jscode2session"): DOUYIN_SESSION,
    ("points_events", "tmc"): TMC_FRAME,
    ("points_events", "mall.transaction"): MALL,
    ("points_events", "mall.refund"): MALL_REFUND,
    ("points_events", None): LEDGER,
    ("order_claims", None): CLAIM,
    ("consents", None): CONSENT,
    ("shop_orders", None): SHOP_ORDER,
    ("products", None): PRODUCT,
    ("staff", None): STAFF,
    ("observations", None): REGISTRATION,
    ("id_conversions", "user.getDoudianOpenID"): {
        **{"code": {10000}, "msg": str, "sub_code": str, "sub_msg": str, "log_id": str},
        "data": {"doudian_open_id": str},
    },
    ("id_conversions", "externalcontact/unionid_to_external_userid"): {**OK, "external_userid": str},
    ("id_conversions", "idconvert/unionid_to_external_userid"): {**OK, "external_userid": str, "pending_id": str},
    ("id_conversions", "idconvert/batch/external_userid_to_pending_id"): {
        **OK,
        "result": [{"external_userid": str, "pending_id": str}],
    },
}


TMC_CONTENTS = {
    "taobao_trade": {
        **{"buyer_open_uid": str, "buyer_nick": str, "payment": YUAN, "tid": int, "oid": int, "type": str},
        "seller_nick": str,
    },
    "taobao_refund": {
        **{"refund_id": int, "refund_fee": YUAN, "tid": int, "oid": int, "modified": LOCAL},
        **{"bill_type": {"refund_bill", "return_bill"}, "refund_phase": {"onsale", "aftersale"}},
    },
    "tmall_mei": POINT_CHANGE,
}
CALLBACK = {"ToUserName", "FromUserName", "CreateTime", "MsgType", "Event"}
CALLBACKS = {
    "add_external_contact": {"ChangeType", "UserID", "ExternalUserID", "State?", "WelcomeCode"},
    "add_half_external_contact": {"ChangeType", "UserID", "ExternalUserID", "State?", "WelcomeCode"},
    "edit_external_contact": {"ChangeType", "UserID", "ExternalUserID"},
    "del_external_contact": {"ChangeType", "UserID", "ExternalUserID"},
    "del_follow_user": {"ChangeType", "UserID", "ExternalUserID"},
    "transfer_fail": {"ChangeType", "UserID", "ExternalUserID", "FailReason"},
    "update": {
        *("ChangeType", "ChatId", "UpdateDetail", "JoinScene?", "QuitScene?", "MemChangeCnt", "MemChangeList"),
    },
}


def found_differences(values: list[Any], form: Any) -> list[str]:
    assert values
    return sorted({difference for value in values for difference in differences(value, form, "$")})


def payloads(world: Any, feed: str, method: str | None) -> list[Any]:
    return [line.payload for line in world.lines(feed) if line.context.get("method") == method]


@pytest.mark.parametrize(("feed", "method"), sorted(PAGED))
def test_elements_of_pages_have_their_platforms_fields(whole_world: Any, feed: str, method: str) -> None:
    values = [element for _, element in whole_world.elements(feed, method)]
    assert found_differences(values, PAGED[feed, method]) == []


@pytest.mark.parametrize(("feed", "method"), sorted(SINGLE, key=str))
def test_single_answers_have_their_platforms_fields(whole_world: Any, feed: str, method: str | None) -> None:
    assert found_differences(payloads(whole_world, feed, method), SINGLE[feed, method]) == []


def test_no_answer_of_a_method_without_a_table_is_written(whole_world: Any) -> None:
    found = {
        (feed, line.context.get("method")) for feed in whole_world.report.records for line in whole_world.lines(feed)
    }
    tested = {
        *(("douyin_orders", "order.orderDetail"), ("douyin_messages", "push"), ("wecom_events", "callback")),
        *(("miniprogram_users", "jscode2session"), ("miniprogram_events", None)),
    }
    assert found == {*PAGED, *SINGLE, *tested}


def test_an_order_detail_holds_the_order_of_the_list(whole_world: Any) -> None:
    details = payloads(whole_world, "douyin_orders", "order.orderDetail")
    assert found_differences([answer["data"]["shop_order_detail"] for answer in details], DOUYIN_ORDER) == []


def test_douyin_pages_carry_code_message_and_log_id(whole_world: Any) -> None:
    form = {"code": {10000}, "msg": str, "sub_code": str, "sub_msg": str, "log_id": str, "data": ...}
    assert found_differences(payloads(whole_world, "douyin_orders", "order.searchList"), form) == []
    assert found_differences(payloads(whole_world, "douyin_refunds", "afterSale.List"), form) == []


def test_older_douyin_answers_carry_err_no(whole_world: Any) -> None:
    form = {"err_no": {0}, "message": {"success"}, "log_id": str, "data": ...}
    assert found_differences(payloads(whole_world, "douyin_orders", "order.batchDecrypt"), form) == []


def test_douyin_pages_count_their_elements_and_start_at_zero(whole_world: Any) -> None:
    for answer in payloads(whole_world, "douyin_orders", "order.searchList"):
        data = answer["data"]
        assert (data["page"], data["total"]) == (0, len(data["shop_order_list"]))
        assert data["total"] <= data["size"] <= 100


def test_after_sale_numbers_are_all_numbers_or_all_quoted(whole_world: Any) -> None:
    kinds = set()
    for _, item in whole_world.elements("douyin_refunds", "afterSale.List"):
        info = item["aftersale_info"]
        named = ("aftersale_type", "aftersale_status", "refund_amount", "refund_post_amount", "refund_status")
        types = {type(info[name]) for name in named}
        assert len(types) == 1
        assert all(str(info[name]).isdigit() for name in named)
        kinds |= types
    assert kinds == {int, str}


def test_after_sale_values_are_those_of_the_documentation(whole_world: Any) -> None:
    infos = [item["aftersale_info"] for _, item in whole_world.elements("douyin_refunds", "afterSale.List")]
    assert {int(info["aftersale_type"]) for info in infos} <= {0, 1, 2, 3, 6, 7, 8}
    assert {int(info["aftersale_status"]) for info in infos} <= {6, 7, 8, 11, 12, 13, 14, 27, 28, 29}
    assert {int(info["refund_status"]) for info in infos} <= {0, 1, 2, 3, 4, 5}


def test_pushes_are_arrays_with_text_or_object_data(whole_world: Any) -> None:
    forms = set()
    for payload in payloads(whole_world, "douyin_messages", "push"):
        (message,) = payload
        as_text = {"tag": re.compile(r"\d{3}"), "msg_id": str, "data": str}
        as_object = {"tag": int, "msgId": str, "data": dict}
        textual = "msg_id" in message
        assert not list(differences(message, as_text if textual else as_object, "$"))
        data = orjson.loads(message["data"]) if textual else message["data"]
        form = DOUYIN_REFUND_PUSH if int(message["tag"]) >= 200 else DOUYIN_TRADE_PUSH
        assert list(differences(data, form, "$")) == []
        forms.add((textual, int(message["tag"]) >= 200))
    assert forms == {(True, True), (True, False), (False, True), (False, False)}


@pytest.mark.parametrize(("feed", "start"), [("tmall_messages", "taobao"), ("points_events", "tmall_mei")])
def test_message_contents_have_their_topics_fields(whole_world: Any, feed: str, start: str) -> None:
    frames = payloads(whole_world, feed, "tmc")
    assert frames
    for frame in frames:
        form = TMC_CONTENTS["_".join(frame["topic"].split("_")[:2])]
        assert frame["topic"].startswith(start)
        assert list(differences(orjson.loads(frame["content"]), form, "$")) == []


def test_sessions_name_openid_and_no_errcode(whole_world: Any) -> None:
    answers = payloads(whole_world, "miniprogram_users", "jscode2session")
    failed = [answer for answer in answers if "errcode" in answer]
    assert found_differences([answer for answer in answers if answer not in failed], SESSION) == []
    assert all(answer == {"errcode": 40029, "errmsg": "invalid code"} for answer in failed)


def test_events_have_the_fields_of_their_type(whole_world: Any) -> None:
    found = set()
    for record in payloads(whole_world, "miniprogram_events", None):
        assert list(differences(record, EVENTS[record["type"]], "$")) == []
        assert "_track_id" not in record or 0 < record["_track_id"] < 10**9
        found.add(record["type"])
    assert found == EVENTS.keys()


def test_event_properties_are_plain_values(whole_world: Any) -> None:
    for record in payloads(whole_world, "miniprogram_events", None):
        for name, value in record["properties"].items():
            assert isinstance(value, str | int | float | bool), name
        scene = record["properties"].get("$scene", "wx-1")
        assert re.fullmatch(r"wx-\d+|未取到值", scene)


def test_flight_mode_joins_carry_their_time(whole_world: Any) -> None:
    binds = payloads(whole_world, "tmall_members", "tmall.mei.crm.bind")
    extends = [orjson.loads(bind["extend"]) for bind in binds]
    form = {"alipay_user_id": str, "flightMode?": {"1"}, "flightJoinTime?": LOCAL}
    assert found_differences(extends, form) == []
    assert {"flightJoinTime" in extend for extend in extends} == {True, False}


def test_callbacks_have_the_fields_of_their_change(whole_world: Any) -> None:
    found = set()
    for payload in payloads(whole_world, "wecom_events", "callback"):
        root = ElementTree.fromstring(payload)
        names = {child.tag for child in root}
        change = root.findtext("ChangeType") or ""
        if root.findtext("SuiteId") is not None or root.findtext("Event") == "change_external_tag":
            continue
        optional = {name.rstrip("?") for name in CALLBACKS.get(change, ()) if name.endswith("?")}
        needed = {name for name in CALLBACKS.get(change, ()) if not name.endswith("?")}
        if change in CALLBACKS:
            assert names - optional == CALLBACK | needed
            found.add(change)
        else:
            assert (change, names) == ("create", CALLBACK | {"ChangeType", "ChatId"})
    assert found == CALLBACKS.keys()


def test_welcome_codes_and_session_keys_are_never_written(whole_world: Any) -> None:
    events = payloads(whole_world, "wecom_events", "callback")
    codes = {code for payload in events for code in re.findall(r"<WelcomeCode><!\[CDATA\[(.*?)\]\]>", payload)}
    assert codes == {"<redacted>"}


def test_provider_callbacks_have_the_third_party_form(whole_world: Any) -> None:
    roots = [ElementTree.fromstring(p) for p in payloads(whole_world, "wecom_events", "callback")]
    theirs = [root for root in roots if root.findtext("SuiteId") is not None]
    fields = {"SuiteId", "AuthCorpId", "InfoType", "TimeStamp", "ChangeType", "UserID", "ExternalUserID", "WelcomeCode"}
    assert theirs
    assert all({child.tag for child in root} == fields for root in theirs)
