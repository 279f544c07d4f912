"""The world is made of facts: cells can be made again, in any order, and what people do makes sense."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pipelines.simulate import Dirt, SimulationConfig
from pipelines.simulate.relations import TRANSFER_DONE
from pipelines.simulate.scopes import scopes, yaml_text
from pipelines.simulate.world import Cell, World

CONFIG = SimulationConfig(people=1_500, days=40, seed=9)


@pytest.fixture(scope="module")
def made() -> World:
    return World(CONFIG)


@pytest.fixture(scope="module")
def cells(made: World) -> list[Cell]:
    return [made.cell(number) for number in range(CONFIG.cells)]


def test_a_cell_is_the_same_whichever_is_made_first(cells: list[Cell]) -> None:
    again = World(CONFIG)
    assert [person.name for person in again.cell(2).people] == [person.name for person in cells[2].people]
    assert [order.number for order in again.cell(0).orders] == [order.number for order in cells[0].orders]


def test_dirt_of_the_transport_leaves_the_world_as_it_is(cells: list[Cell]) -> None:
    quiet = SimulationConfig(people=1_500, days=40, seed=9, dirt=Dirt(duplicates=0, broken=0, out_of_order=0))
    assert [o.pay_fen for o in World(quiet).cell(1).orders] == [o.pay_fen for o in cells[1].orders]


def test_every_person_lives_in_one_cell(cells: list[Cell]) -> None:
    assert [person.index for cell in cells for person in cell.people] == list(range(1_500))


def test_order_numbers_are_unique(cells: list[Cell]) -> None:
    numbers = [(order.platform, order.number) for cell in cells for order in cell.orders]
    assert len(set(numbers)) == len(numbers)


def test_people_shop_on_several_platforms(cells: list[Cell]) -> None:
    platforms = Counter(order.platform for cell in cells for order in cell.orders)
    assert min(platforms[name] for name in ("douyin", "tmall", "mall", "pos")) > 100


def test_some_people_never_come_back_and_some_come_often(cells: list[Cell]) -> None:
    orders = Counter(order.buyer.index for cell in cells for order in cell.orders)
    assert orders.most_common(1)[0][1] > 20
    assert sum(1 for person in range(1_500) if not orders[person]) > 100


def test_nothing_happens_after_somebody_went_quiet(cells: list[Cell]) -> None:
    day = 86_400
    assert all(visit.start <= visit.person.until + day for cell in cells for visit in cell.visits)


def test_referrers_came_first(cells: list[Cell]) -> None:
    invited = [person for cell in cells for person in cell.people if person.referrer is not None]
    assert invited
    assert all(person.referrer.since < person.since for person in invited if person.referrer is not None)


def test_leavers_customers_go_to_somebody_who_stays(made: World, cells: list[Cell]) -> None:
    transfers = [contact for cell in cells for contact in cell.contacts if contact.transfer is not None]
    assert transfers
    for contact in transfers:
        assert contact.transfer is not None
        assert contact.guide.left_day is not None
        assert contact.transfer.taker.left_day is None
        assert contact.transfer.taker.corp == contact.guide.corp
        assert bool(contact.transfer.taken_at) == (contact.transfer.status == TRANSFER_DONE)
        assert contact.transfer.asked_at > made.brand.clock.midnight(contact.guide.left_day)


def test_nobody_befriends_a_guide_who_has_left(made: World, cells: list[Cell]) -> None:
    clock = made.brand.clock
    for cell in cells:
        for contact in cell.contacts:
            assert contact.guide.left_day is None or contact.added < clock.midnight(contact.guide.left_day)


def test_group_members_come_and_go(cells: list[Cell]) -> None:
    groups = [group for cell in cells for group in cell.groups]
    stays = [member for group in groups for member in group.members]
    assert {member.left > 0 for member in stays} == {True, False}
    for group in groups:
        for member in group.members:
            assert member.joined > group.created
            if member.left:
                assert member in group.members_at(member.left - 1)
                assert member not in group.members_at(member.left)


def test_points_are_taken_back_with_the_money(cells: list[Cell]) -> None:
    moves = [move for cell in cells for move in cell.points]
    assert {move.reason for move in moves} == {"order", "refund", "gift_exchange", "expired"}
    assert all((move.points > 0) == (move.reason == "order") for move in moves if move.points)


def test_consents_are_withdrawn_after_they_were_given(cells: list[Cell]) -> None:
    given: dict[tuple[int, str], int] = {}
    withdrawn = 0
    for cell in cells:
        for consent in cell.consents:
            key = (consent.person.index, consent.purpose)
            if consent.status == "granted":
                given[key] = consent.moment
            else:
                withdrawn += 1
                assert consent.moment > given[key]
    assert withdrawn


def test_sign_ups_happen_once_and_after_the_registration(cells: list[Cell]) -> None:
    ups = [visit for cell in cells for visit in cell.visits if visit.signs_up]
    assert ups
    assert max(Counter(visit.person.index for visit in ups).values()) == 1
    assert all(visit.start >= visit.person.member_since for visit in ups)


def test_every_store_keeps_a_guide_in_each_corp(made: World) -> None:
    for cell in range(CONFIG.cells):
        for corp in (0, 1):
            assert any(guide.left_day is None for guide in made.brand.guides_of(cell, corp))


def test_the_scopes_name_every_key_a_reader_needs() -> None:
    text = yaml_text(scopes())
    for key in ("7000002", "示例家居专营店", "wx0000000000000002", "wpDemoEncryptedCorpAAAA0001", "demo_key"):
        assert f'"{key}"' in text


def test_the_scopes_are_written_beside_the_landing(clean_world: Any) -> None:
    import yaml

    assert yaml.safe_load((clean_world.out / "scopes.yaml").read_text()) == scopes()
