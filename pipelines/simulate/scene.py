"""What every player of the world writes with: the brand, the landing folder, the truth and a stream of chance."""

from dataclasses import dataclass
from random import Random

from pipelines.simulate.brand import BRAND, CORPS, DOUYIN_APP, DOUYIN_SHOPS, MINI_PROGRAMS, SUITE_ID, TMALL_SHOPS, Brand
from pipelines.simulate.landing import Json, Landing
from pipelines.simulate.people import Person
from pipelines.simulate.truth import Node, Truth
from pipelines.simulate.wire_tmall import omid, ouid


@dataclass(slots=True)
class Scene:
    """The means of one writer, and of one cell at a time."""

    brand: Brand
    landing: Landing
    truth: Truth
    rng: Random
    cell: int = 0

    def see(self, person: Person, node: Node) -> None:
        """The identifier was shown, alone."""
        self.truth.of(person).see(node)

    def link(self, person: Person, *nodes: Node) -> None:
        """Allowed evidence of one record joined the identifiers."""
        self.truth.of(person).link(*nodes)

    def link_phone(self, person: Person, node: Node, moment: int) -> None:
        """Allowed evidence joined the identifier and the number the person held at the moment."""
        period = person.phone_at(moment)
        self.truth.of(person).link_phone(node, period.number, shared=period.shared)

    @property
    def end(self) -> int:
        """The first second after the window."""
        return self.brand.clock.end


def member_node(person: Person) -> Node:
    """The membership number, one per brand."""
    return ("member_id", BRAND, person.member_id or "")


def login_node(person: Person) -> Node:
    """The brand's own log-in."""
    return ("login_id", BRAND, person.login_id or "")


def openid_node(person: Person, app: int) -> Node:
    """The openid in one mini-program."""
    return ("wx_openid", MINI_PROGRAMS[app].app_id, person.openids[app])


def unionid_node(person: Person, open_platform_id: str) -> Node:
    """The unionid under one open-platform account."""
    return ("wx_unionid", open_platform_id, person.unionids[open_platform_id])


def device_node(person: Person, app: int) -> Node:
    """The anonymous id of the person's device in one mini-program."""
    return ("mp_anonymous_id", MINI_PROGRAMS[app].app_id, person.devices[app])


def external_node(person: Person, corp: int, brand: Brand) -> Node:
    """The contact id in one corp; plain corp ids are written in lower case, encrypted ones as they are."""
    corp_id = CORPS[corp].corp_id
    scope = corp_id if corp_id.startswith("wp") else corp_id.lower()
    return ("wecom_external_userid", scope, brand.ids.external_userid(corp_id, person.index))


def doudian_node(person: Person, app_key: str, brand: Brand) -> Node:
    """The buyer id of one Douyin app key."""
    return ("doudian_open_id", app_key, brand.ids.doudian_open_id(app_key, person.index))


def open_uid_node(person: Person, app_key: str, brand: Brand) -> Node:
    """The buyer id of one Taobao app key."""
    return ("tmall_open_uid", app_key, brand.ids.open_uid(app_key, person.index))


def ouid_node(person: Person, shop: int, brand: Brand) -> Node:
    """The buyer id of one Tmall shop."""
    return ("tmall_ouid", TMALL_SHOPS[shop].seller_nick, ouid(person, shop, brand))


def omid_node(person: Person, brand: Brand) -> Node:
    """The buyer id of the brand on Tmall."""
    return ("tmall_omid", BRAND, omid(person, brand))


def douyin_openid_node(person: Person, brand: Brand) -> Node:
    """The openid in the Douyin mini-program."""
    return (
        "douyin_mp_open_id",
        DOUYIN_APP.app_id,
        "_000" + brand.ids.text("dy_openid", DOUYIN_APP.app_id, person.index, 32),
    )


def douyin_device_node(person: Person, brand: Brand) -> Node:
    """The anonymous openid of the person's device in the Douyin mini-program."""
    app_id = DOUYIN_APP.app_id
    return ("mp_anonymous_id", app_id, brand.ids.text("dy_anonymous", app_id, person.index, 30))


def douyin_unionid_node(person: Person, brand: Brand) -> Node:
    """The unionid under the Douyin developer account."""
    platform = DOUYIN_APP.open_platform_id
    return ("douyin_union_id", platform, brand.ids.text("dy_unionid", platform, person.index, 36))


def suite_external_node(person: Person, brand: Brand) -> Node:
    """The contact id as the service provider's suite sees it, unlike the corp's own."""
    return ("wecom_isv_external_userid", SUITE_ID, brand.ids.external_userid(SUITE_ID, person.index))


def pending_node(person: Person, brand: Brand) -> Node:
    """The provisional id of somebody who is nobody's contact yet."""
    return ("wecom_pending_id", SUITE_ID, "p" + brand.ids.text("pending", SUITE_ID, person.index, 30))


def douyin_context(shop: int, method: str) -> Json:
    """Context of an answer to one Douyin shop's credentials."""
    place = DOUYIN_SHOPS[shop]
    return {"platform": "douyin", "app_key": place.app_key, "shop_id": str(place.shop_id), "method": method}


def tmall_context(shop: int, method: str) -> Json:
    """Context of an answer to one Tmall shop's credentials."""
    place = TMALL_SHOPS[shop]
    return {
        "platform": "tmall",
        "app_key": place.app_key,
        "seller_nick": place.seller_nick,
        "shop_id": place.shop_id,
        "brand": BRAND,
        "method": method,
    }


def app_context(app: int, **more: str) -> Json:
    """Context of what one WeChat mini-program sent."""
    program = MINI_PROGRAMS[app]
    context = {"platform": "wechat", "app_id": program.app_id, "open_platform_id": program.open_platform_id}
    return {**context, "brand": BRAND, **more}


def corp_context(corp: int, method: str, **params: str | bool) -> Json:
    """Context of an answer to one WeCom corp."""
    place = CORPS[corp]
    context: Json = {"corp_id": place.corp_id, "open_platform_id": place.open_platform_id, "method": method}
    return {"platform": "wecom", **context, "params": params} if params else {"platform": "wecom", **context}
