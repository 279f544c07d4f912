"""What the documentation of Douyin and Tmall gives the records of their shops: fields and types.

The tables restate the documentation and are independent of the simulator: a name ending in `?` may be absent, a set
lists allowed values, a list holds the form of its elements, `...` allows anything of JSON.
"""

from __future__ import annotations

import re

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
