"""What the documentation of every platform gives each kind of record: fields and types, by feed and method.

The tables restate the documentation and are independent of the simulator: a name ending in `?` may be absent, a set
lists allowed values, a list holds the form of its elements, `...` allows anything of JSON.
"""

from __future__ import annotations

import re

from tests.pipelines.simulate.documented_shops import (
    AFTER_SALE,
    CRM_MEMBER,
    DECRYPTED,
    DOUYIN_ORDER,
    LOCAL,
    MD5,
    NUMBER,
    OFFSET,
    TMALL_BIND,
    TMALL_REFUND,
    TMALL_TRADE,
    TMC_FRAME,
    YUAN,
)

NULL = type(None)
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
