"""What mini-programs send: log-in and phone answers, and behaviour events in the analytics SDK's form."""

from typing import Any

from pipelines.simulate.brand import MINI_PROGRAMS
from pipelines.simulate.visits import Step, Visit

Json = dict[str, Any]

REDACTED = "<redacted>"  # what the landing puts in the place of session keys
LIB = {"$lib": "MiniProgram", "$lib_method": "code", "$lib_version": "1.22.8"}
PAGES = {
    "$MPViewScreen": ("pages/goods/detail", "商品详情"),
    "$MPPageLeave": ("pages/goods/detail", "商品详情"),
    "$MPClick": ("pages/goods/detail", "商品详情"),
    "addToCart": ("pages/goods/detail", "商品详情"),
    "$MPAddFavorites": ("pages/goods/detail", "商品详情"),
    "$MPShare": ("pages/activity/share", "邀请有礼"),
}
HOME = ("pages/index/index", "首页")
MODELS = ("iPhone 14", "iPhone 12", "HUAWEI P60", "Xiaomi 13", "OPPO Find X6")


def session(openid: str, unionid: str | None) -> Json:
    """A successful jscode2session answer: no errcode, and a unionid only where one is bound."""
    answer = {"openid": openid, "session_key": REDACTED}
    if unionid is not None:
        answer["unionid"] = unionid
    return answer


def failed_session() -> Json:
    """A log-in code that was used before."""
    return {"errcode": 40029, "errmsg": "invalid code"}


def phone_number(number: str, moment: int, app_id: str, *, country_as_text: bool) -> Json:
    """A getuserphonenumber answer; a foreign number carries its area code, the country comes as number or text."""
    country, pure = ("852", number[4:]) if number.startswith("+852") else ("86", number)
    return {
        "errcode": 0,
        "errmsg": "ok",
        "phone_info": {
            "phoneNumber": number,
            "purePhoneNumber": pure,
            "countryCode": country if country_as_text else int(country),
            "watermark": {"timestamp": moment, "appid": app_id},
        },
    }


def douyin_session(openid: str, unionid: str | None, anonymous: str) -> Json:
    """A Douyin jscode2session (version 2) answer."""
    return {
        "err_no": 0,
        "err_tips": "success",
        "data": {
            "session_key": REDACTED,
            "openid": openid,
            "anonymous_openid": anonymous,
            "unionid": unionid or "",
        },
    }


def identities(visit: Visit, *, openid: str | None, unionid: str | None, login: str | None) -> Json:
    """The identities object of an event; unknown ones are left out."""
    known = {
        "$identity_mp_id": visit.person.devices[visit.app],
        "$identity_mp_openid": openid,
        "$identity_mp_unionid": unionid,
        "$identity_login_id": login,
    }
    return {key: value for key, value in known.items() if value is not None}


def event(visit: Visit, step: Step, ids: Json) -> Json:
    """One behaviour event; times are the device's own milliseconds."""
    moment = visit.start * 1000 + step.after_ms + visit.clock_error_ms
    login, openid = ids.get("$identity_login_id"), ids.get("$identity_mp_openid")
    record: Json = {
        "distinct_id": login or openid or ids["$identity_mp_id"],
        "anonymous_id": ids["$identity_mp_id"],
        "identities": ids,
        "lib": LIB,
        "type": "track",
        "event": step.name,
        "time": moment,
        "_track_id": track_id(moment),
        "_flush_time": moment + 900,
        "properties": _properties(visit, step),
    }
    if login is not None:
        record["login_id"] = login
    return record


def track_id(moment: int) -> int:
    """At most nine digits ending in the clock's last four: collides now and then, as the SDK's own does."""
    return (moment * 7919 % 89_999 + 10_000) * 10_000 + moment % 10_000


def _properties(visit: Visit, step: Step) -> Json:
    path, title = PAGES.get(step.name, HOME)
    properties: Json = {
        "$url_path": path,
        "$title": title,
        "$referrer": HOME[0] if step.product else "",
        "$scene": visit.scene,
        "$latest_scene": visit.scene,
        "$is_first_day": visit.first,
        "$app_id": MINI_PROGRAMS[visit.app].app_id,
        "$network_type": "wifi" if visit.start % 3 else "5g",
        "$os": "iOS" if visit.person.index % 2 else "Android",
        "$model": MODELS[visit.person.index % len(MODELS)],
        "$timezone_offset": -480,
    }
    if step.product is not None:
        properties["$url_query"] = f"id={step.product.brand_sku}"
        properties["goods_id"] = step.product.brand_sku
    if step.name == "$MPLaunch":
        properties["$is_first_time"] = visit.first
        properties |= _campaign(visit)
    if step.name in ("$MPHide", "$MPPageLeave"):
        properties["$event_duration"] = round(1 + visit.start % 97 / 2, 1)
    if step.name == "$MPShare":
        properties |= {"$share_depth": 1, "$share_method": "转发消息卡片"}
    return properties


def _campaign(visit: Visit) -> Json:
    referrer = visit.person.referrer
    if visit.first and referrer is not None and visit.app in referrer.openids:
        # An id inside a property tells who invited whom; it never says that the two are one.
        shared = referrer.openids[visit.app]
        return {"$share_distinct_id": shared, "$share_depth": 2, "$latest_utm_source": "share"}
    if visit.start % 5 == 0:
        return {"$latest_utm_source": "wecom", "$latest_utm_campaign": f"c{visit.start // 86_400 % 12:02d}"}
    return {}


def sign_up(visit: Visit, ids: Json, original: str, after_ms: int) -> Json:
    """`$SignUp`: the log-in takes over from the openid."""
    moment = visit.start * 1000 + after_ms + visit.clock_error_ms
    login = ids["$identity_login_id"]
    return {
        "distinct_id": login,
        "original_id": original,
        "anonymous_id": ids["$identity_mp_id"],
        "login_id": login,
        "identities": ids,
        "lib": LIB,
        "type": "track_signup",
        "event": "$SignUp",
        "time": moment,
        "_track_id": track_id(moment),
        "_flush_time": moment + 900,
        "properties": {"$app_id": MINI_PROGRAMS[visit.app].app_id},
    }


def bind_mobile(visit: Visit, ids: Json, mobile: str, after_ms: int) -> Json:
    """`$BindID` with a verified number, the only event whose number counts as verified."""
    moment = visit.start * 1000 + after_ms + visit.clock_error_ms
    return {
        "distinct_id": ids["$identity_login_id"],
        "anonymous_id": ids["$identity_mp_id"],
        "login_id": ids["$identity_login_id"],
        "identities": {**ids, "$identity_mobile": mobile},
        "lib": LIB,
        "type": "track_id_bind",
        "event": "$BindID",
        "time": moment,
        "_track_id": track_id(moment),
        "_flush_time": moment + 900,
        "properties": {},
    }


def profile_set(visit: Visit, ids: Json, after_ms: int) -> Json:
    """A profile write; profile types carry no track id and no event."""
    moment = visit.start * 1000 + after_ms + visit.clock_error_ms
    return {
        "distinct_id": ids.get("$identity_login_id") or ids["$identity_mp_openid"],
        "anonymous_id": ids["$identity_mp_id"],
        "identities": ids,
        "lib": LIB,
        "type": "profile_set",
        "time": moment,
        "_flush_time": moment + 900,
        "properties": {"city": visit.person.place.city},
    }
