"""The truth says who is who, and what the records themselves can prove: no more and no less."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import orjson

from pipelines.simulate.brand import Brand
from pipelines.simulate.clock import Clock
from pipelines.simulate.names import PLACES
from pipelines.simulate.orders import Order, Promotions, Receiver, Refund, RefundKind, Stage
from pipelines.simulate.people import Person, PhonePeriod
from pipelines.simulate.truth import Evidence, book

Node = tuple[str, str, str]
Row = list[Node]
BRAND = "demo_brand"


def phone(number: str) -> Node:
    return ("phone", "", number.replace("+86 ", "").replace("-", ""))


def mixed(mobile: str) -> str:
    inner = hashlib.md5(f"tmall{mobile}demo_key".encode()).hexdigest()
    return hashlib.md5(inner.encode()).hexdigest()


class Reader:
    """Reads the evidence out of the records of a world, in the words of the documentation only."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._phones = {
            mixed(row["value"]): phone(row["value"])
            for row in world.truth("identifiers")
            if row["namespace"] == "phone"
        }

    def rows(self) -> Iterator[Row]:
        yield from self._douyin()
        yield from self._tmall()
        yield from self._wecom()
        yield from self._mini_programs()
        yield from self._events()
        yield from self._brand()
        yield from self._conversions()

    def _douyin(self) -> Iterator[Row]:
        buyers: dict[str, Node] = {}
        for context, order in self._world.elements("douyin_orders", "order.searchList"):
            buyers[order["order_id"]] = ("doudian_open_id", context["app_key"], order["doudian_open_id"])
        for line in self._world.lines("douyin_orders"):
            if line.context["method"] == "order.orderDetail":
                order = line.payload["data"]["shop_order_detail"]
                buyers[order["order_id"]] = ("doudian_open_id", line.context["app_key"], order["doudian_open_id"])
        yield from ([node] for node in buyers.values())
        for _, info in self._world.elements("douyin_orders", "order.batchDecrypt"):
            if info["data_type"] == 3 and info["err_no"] == 0 and not info["is_virtual_tel"]:
                yield [buyers[info["auth_id"]], phone(info["decrypt_text"])]
        for context, member in self._world.elements("douyin_members", "member.searchList"):
            yield [("doudian_open_id", context["app_key"], member["open_id"])]
        self._buyers = buyers

    def _tmall(self) -> Iterator[Row]:
        for context, trade in self._world.elements("tmall_trades", "taobao.trades.sold.increment.get"):
            node = ("tmall_open_uid", context["app_key"], trade["buyer_open_uid"])
            self._buyers[trade["tid_str"]] = node
            yield [node]
        for context, refund in self._world.elements("tmall_refunds", "taobao.refunds.receive.get"):
            buyer = ("tmall_open_uid", context["app_key"], refund["buyer_open_uid"])
            yield [buyer, ("tmall_ouid", context["seller_nick"], refund["ouid"])]
        for context, member in self._world.elements("tmall_members", "taobao.crm.members.increment.get"):
            yield [("tmall_ouid", context["seller_nick"], member["ouid"])]
        for line in self._world.lines("tmall_members"):
            if line.context["method"].startswith("tmall.mei"):
                yield self._member(line.payload, with_phone=line.payload["type"] == 1)
        for line in self._world.lines("points_events"):
            if line.context.get("method") == "tmc":
                yield self._member(orjson.loads(line.payload["content"]), with_phone=True)

    def _member(self, record: Any, *, with_phone: bool) -> Row:
        row = [("tmall_ouid", record["seller_name"], record["ouid"]), ("tmall_omid", BRAND, record["omid"])]
        return [*row, self._phones[record["mix_mobile"]]] if with_phone else row

    def _wecom(self) -> Iterator[Row]:
        for context, element in self._world.elements("wecom_contacts", "externalcontact/batch/get_by_user"):
            yield self._contact(context, element["external_contact"])
        for line in self._world.lines("wecom_contacts"):
            if line.context["method"] == "externalcontact/get":
                yield self._contact(line.context, line.payload["external_contact"])
        for line in self._world.lines("wecom_group_chats"):
            for member in line.payload["group_chat"]["member_list"]:
                if member["type"] == 2:
                    yield self._contact(line.context, {"external_userid": member["userid"], **member})
        for feed in ("unassigned_list", "transfer_customer", "transfer_result"):
            method = f"externalcontact/{'get_' if feed == 'unassigned_list' else ''}{feed}"
            for context, row in self._world.elements("wecom_transfers", method):
                yield self._contact(context, row)
        yield from self._wecom_events()

    def _wecom_events(self) -> Iterator[Row]:
        for line in self._world.lines("wecom_events"):
            if line.context["method"] == "msgaudit":
                yield self._contact(line.context, {"external_userid": line.payload["from"]})
                continue
            root = ElementTree.fromstring(line.payload)
            external = root.findtext("ExternalUserID") or root.findtext("MemChangeList/Item")
            if external and root.findtext("SuiteId"):
                yield [("wecom_isv_external_userid", root.findtext("SuiteId") or "", external)]
            elif external:
                yield self._contact(line.context, {"external_userid": external})

    @staticmethod
    def _contact(context: Any, customer: Any) -> Row:
        row: Row = [("wecom_external_userid", context["corp_id"], customer["external_userid"])]
        if "unionid" in customer:
            row.append(("wx_unionid", context["open_platform_id"], customer["unionid"]))
        return row

    def _mini_programs(self) -> Iterator[Row]:
        for line in self._world.lines("miniprogram_users"):
            context, payload = line.context, line.payload
            if context["method"] == "getuserphonenumber":
                number = phone(payload["phone_info"]["phoneNumber"])
                yield [("wx_openid", context["app_id"], context["openid"]), number]
            elif context["method"] == "jscode2session" and "openid" in payload:
                row = [("wx_openid", context["app_id"], payload["openid"])]
                if "unionid" in payload:
                    row.append(("wx_unionid", context["open_platform_id"], payload["unionid"]))
                yield row
            elif context["method"] == "douyin.jscode2session":
                row = [("douyin_mp_open_id", context["app_id"], payload["data"]["openid"])]
                row.append(("mp_anonymous_id", context["app_id"], payload["data"]["anonymous_openid"]))
                if payload["data"]["unionid"]:
                    row.append(("douyin_union_id", context["open_platform_id"], payload["data"]["unionid"]))
                yield row

    def _events(self) -> Iterator[Row]:
        for line in self._world.lines("miniprogram_events"):
            context, ids = line.context, line.payload["identities"]
            app, platform = context["app_id"], context["open_platform_id"]
            known = {
                "$identity_mp_id": ("mp_anonymous_id", app),
                "$identity_mp_openid": ("wx_openid", app),
                "$identity_mp_unionid": ("wx_unionid", platform),
                "$identity_login_id": ("login_id", BRAND),
                "$identity_mobile": ("phone", ""),
            }
            yield [(*known[key], value) for key, value in ids.items()]

    def _brand(self) -> Iterator[Row]:
        for line in self._world.lines("observations"):
            yield [
                phone(i["value"]) if i["namespace"] == "phone" else (i["namespace"], i["scope"], i["value"])
                for i in line.payload["ids"]
            ]
        for line in self._world.lines("shop_orders"):
            order, context, row = line.payload, line.context, Row()
            if "openid" in order:
                row.append(("wx_openid", context["app_id"], order["openid"]))
            if "unionid" in order:
                row.append(("wx_unionid", context["open_platform_id"], order["unionid"]))
            if "member_id" in order:
                row.append(("member_id", BRAND, order["member_id"]))
            if "phone" in order:
                row.append(phone(order["phone"]))
            yield row
        for feed in ("points_events", "consents"):
            for line in self._world.lines(feed):
                if "subject" in line.payload:
                    yield [tuple(line.payload["subject"][key] for key in ("namespace", "scope", "value"))]
                elif "openid" in line.payload:
                    yield [("wx_openid", line.payload["appid"], line.payload["openid"])]
        yield from self._claims()

    def _claims(self) -> Iterator[Row]:
        for line in self._world.lines("order_claims"):
            claim, row = line.payload, Row()
            row.append(("wx_openid", line.context["app_id"], claim["openid"]))
            if "unionid" in claim:
                row.append(("wx_unionid", line.context["open_platform_id"], claim["unionid"]))
            if claim["status"] == "approved":
                yield [*row, self._buyers[claim["platform_order_id"]]]
            else:
                yield from ([node] for node in row)

    def _conversions(self) -> Iterator[Row]:
        for line in self._world.lines("id_conversions"):
            context, payload, params = line.context, line.payload, line.context.get("params", {})
            if context["method"] == "user.getDoudianOpenID":
                own = ("douyin_mp_open_id", context["client_key"], params["dy_open_id"])
                yield [own, ("doudian_open_id", context["app_key"], payload["data"]["doudian_open_id"])]
                continue
            row = [("wx_openid", context["app_id"], params["openid"])] if params else Row()
            row += [("wx_unionid", context["open_platform_id"], params["unionid"])] if params else []
            for found in payload.get("result", [payload]):
                corp = ("wecom_isv_external_userid", context["suite_id"]) if "suite_id" in context else None
                corp = corp or ("wecom_external_userid", context["corp_id"])
                row += [(*corp, found["external_userid"])] if found.get("external_userid") else []
                pending = ("wecom_pending_id", context.get("suite_id", ""), found.get("pending_id", ""))
                row += [pending] if found.get("pending_id") else []
            yield row


def components(rows: Iterator[Row]) -> set[frozenset[Node]]:
    graph: nx.Graph = nx.Graph()
    for row in rows:
        graph.add_nodes_from(row)
        graph.add_edges_from((row[0], other) for other in row[1:])
    return {frozenset(part) for part in nx.connected_components(graph)}


def groups(world: Any) -> set[frozenset[Node]]:
    return {frozenset(tuple(node) for node in row["identifiers"]) for row in world.truth("reachable_pairs")}


def test_without_dirt_the_records_prove_exactly_the_reachable_groups(clean_world: Any) -> None:
    found = components(Reader(clean_world).rows())
    assert found == groups(clean_world)


def test_without_dirt_no_evidence_joins_two_people(clean_world: Any) -> None:
    owner = {(row["namespace"], row["scope"], row["value"]): row["person"] for row in clean_world.truth("identifiers")}
    assert all(len({owner[node] for node in part}) == 1 for part in components(Reader(clean_world).rows()))


def test_the_clean_world_joins_channels(clean_world: Any) -> None:
    kinds = Counter(node[0] for part in groups(clean_world) if len(part) > 4 for node in part)
    for namespace in ("phone", "wx_unionid", "doudian_open_id", "tmall_ouid", "member_id", "wecom_external_userid"):
        assert kinds[namespace] > 3, namespace


def test_every_shown_identifier_is_in_exactly_the_groups_of_its_owners(world: Any) -> None:
    listed = {((r["namespace"], r["scope"], r["value"]), r["person"]) for r in world.truth("identifiers")}
    grouped: set[tuple[Node, str]] = set()
    for row in world.truth("reachable_pairs"):
        grouped |= {(tuple(node), row["person"]) for node in row["identifiers"] + row["ambiguous"]}
    outside = {pair for pair in listed if pair[1][0] in "xs"}
    assert listed - outside == grouped


def test_only_phones_belong_to_several_people(world: Any) -> None:
    owners: defaultdict[Node, set[str]] = defaultdict(set)
    for row in world.truth("identifiers"):
        owners[row["namespace"], row["scope"], row["value"]].add(row["person"])
    several = {node for node, people in owners.items() if len(people) > 1}
    assert several
    assert {node[0] for node in several} == {"phone"}


def test_a_number_of_two_people_is_shared_or_has_periods(world: Any) -> None:
    rows: defaultdict[str, list[Any]] = defaultdict(list)
    for row in world.truth("identifiers"):
        if row["namespace"] == "phone" and row["person"].startswith("p"):
            rows[row["value"]].append(row)
    kinds = set()
    for held in rows.values():
        if len(held) == 2 and not held[0]["shared"]:
            former, holder = sorted(held, key=lambda row: row["from"])
            assert former["to"] is not None
            assert former["to"] < holder["from"]
            kinds.add("reissued")
        elif len(held) == 2:
            kinds.add("shared")
    assert kinds == {"reissued", "shared"}


def test_a_reissued_number_was_out_of_use_for_ninety_days(world: Any) -> None:
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for line in world.lines("observations"):
        if line.payload is not None and "observation_id" in line.payload:
            rows[phone(line.payload["ids"][1]["value"])[2]].append(line.payload["event_time"])
    reissued = Counter(
        row["value"] for row in world.truth("identifiers") if row["namespace"] == "phone" and not row.get("shared")
    )
    gaps = [max(rows[value]) - min(rows[value]) for value, people in reissued.items() if people == 2]
    assert gaps
    assert min(gaps) > 90 * 86_400_000


def test_shared_numbers_join_nothing() -> None:
    evidence = Evidence()
    evidence.link_phone(("member_id", BRAND, "K1"), "13912345678", shared=True)
    evidence.link(("member_id", BRAND, "K1"), ("login_id", BRAND, "u1"))
    assert evidence.groups() == [[("member_id", BRAND, "K1"), ("login_id", BRAND, "u1")]]
    assert evidence.ambiguous == [("phone", "", "13912345678")]


def test_evidence_of_one_row_joins_all_of_it() -> None:
    evidence = Evidence()
    evidence.link(("a", "", "1"), ("b", "", "2"))
    evidence.link(("c", "", "3"), ("d", "", "4"))
    evidence.link(("d", "", "4"), ("a", "", "1"))
    assert [sorted(group) for group in evidence.groups()] == [
        [("a", "", "1"), ("b", "", "2"), ("c", "", "3"), ("d", "", "4")]
    ]


def an_order(brand: Brand) -> Order:
    clock = brand.clock
    person = Person(3, "示例", "小鱼", 1, PLACES[0], [PhonePeriod("13912345678", 0)], clock.start, clock.end, 1.0)
    receiver = Receiver("self", "示例", "13912345678", person)
    from pipelines.simulate.orders import Line

    line = Line(brand.products[0], 1, 10_000, 9_000)
    return Order("tmall", 1, 1, person, receiver, [line], Promotions(1_000), 800, clock.start + 10)


def test_books_hold_what_happened_inside_the_window_only(whole_world: Any) -> None:
    brand = Brand(whole_world.config)
    clock: Clock = brand.clock
    order = an_order(brand)
    order.paid = clock.start + 20
    late = Refund(1, 0, RefundKind.RETURN, 9_000, 0, [(clock.end - 5, Stage.APPLIED), (clock.end, Stage.SUCCESS)])
    order.refunds = [late]
    assert book([order], clock) == {("tmall", "示例家居专营店", "2025-01-01", "p00000003"): [1, 9_800, 0, 0]}


def test_books_keep_a_deposit_apart_until_the_final_payment(whole_world: Any) -> None:
    brand = Brand(whole_world.config)
    order = an_order(brand)
    order.deposit_fen, order.deposit_paid, order.paid = 900, brand.clock.start + 86_400, brand.clock.end + 1
    assert book([order], brand.clock) == {("tmall", "示例家居专营店", "2025-01-02", "p00000003"): [0, 0, 0, 900]}
    order.paid = brand.clock.start + 2 * 86_400
    assert book([order], brand.clock) == {("tmall", "示例家居专营店", "2025-01-03", "p00000003"): [1, 9_800, 0, 0]}
