"""What an order was at any moment follows from its life, refunds included."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.simulate.brand import Brand
from pipelines.simulate.config import SimulationConfig
from pipelines.simulate.names import PLACES
from pipelines.simulate.orders import Line, Order, Phase, Promotions, Receiver, Refund, RefundKind, Stage
from pipelines.simulate.people import Person, PhonePeriod
from pipelines.simulate.shopping import spread_discount

BRAND = Brand(SimulationConfig(people=10, days=30))
PERSON = Person(1, "示例", "小鱼", 1, PLACES[0], [PhonePeriod("13912345678", 0)], 0, 10**9, 1.0)


def order(lines: int = 1, **life: Any) -> Order:
    goods = [Line(BRAND.products[nth], 1, 1_000, 1_000) for nth in range(lines)]
    receiver = Receiver("self", "示例", "13912345678", PERSON)
    return Order("douyin", 1, 0, PERSON, receiver, goods, Promotions(), 0, created=100, **life)


def refund(line: int, kind: RefundKind, success: int) -> Refund:
    return Refund(line + 1, line, kind, 1_000, 0, [(success - 10, Stage.APPLIED), (success, Stage.SUCCESS)])


@pytest.mark.parametrize(
    ("moment", "phase"),
    [
        (100, Phase.CREATED),
        (199, Phase.CREATED),
        (200, Phase.RISK),
        (250, Phase.PAID),
        (300, Phase.PART_SHIPPED),
        (400, Phase.SHIPPED),
        (500, Phase.FINISHED),
    ],
)
def test_an_order_passes_through_its_phases(moment: int, phase: Phase) -> None:
    life = order(paid=200, risk_until=250, part_shipped=300, shipped=400, finished=500)
    assert life.phase_at(moment) is phase


def test_an_unpaid_order_is_cancelled() -> None:
    assert order(cancelled=300).phase_at(300) is Phase.CANCELLED


def test_a_deposit_waits_for_the_final_payment() -> None:
    life = order(deposit_fen=100, deposit_paid=150, paid=300)
    assert (life.phase_at(200), life.phase_at(300)) == (Phase.DEPOSIT, Phase.PAID)


def test_cash_on_delivery_is_under_way_unpaid() -> None:
    life = order(cash_on_delivery=True, paid=400, signed=400, shipped=300)
    assert (life.phase_at(150), life.phase_at(400)) == (Phase.PAID, Phase.SIGNED)


def test_a_refund_of_one_line_leaves_the_order_as_it_is() -> None:
    life = order(2, paid=200, shipped=300, finished=400)
    life.refunds = [refund(0, RefundKind.RETURN, 500)]
    assert life.phase_at(600) is Phase.FINISHED
    assert (life.line_phase_at(0, 600), life.line_phase_at(1, 600)) == (Phase.CLOSED, Phase.FINISHED)


def test_refunds_of_all_lines_close_the_order_with_the_last() -> None:
    life = order(2, paid=200, shipped=300, finished=400)
    life.refunds = [refund(0, RefundKind.RETURN, 500), refund(1, RefundKind.MONEY_ONLY, 700)]
    assert (life.phase_at(699), life.phase_at(700)) == (Phase.FINISHED, Phase.CLOSED)


def test_gifts_need_no_refund_to_close_an_order() -> None:
    life = order(2, paid=200)
    life.lines[1].gift = True
    life.refunds = [refund(0, RefundKind.BEFORE_SHIPPING, 500)]
    assert life.closed_at == 500


@pytest.mark.parametrize("kind", [RefundKind.EXCHANGE, RefundKind.PRICE_PROTECTION, RefundKind.RESEND])
def test_exchanges_and_price_protection_close_nothing(kind: RefundKind) -> None:
    life = order(paid=200, shipped=300)
    life.refunds = [refund(0, kind, 500)]
    assert life.closed_at == 0


def test_a_part_shipment_ships_the_first_line() -> None:
    life = order(2, paid=200, part_shipped=300, shipped=400)
    assert (life.line_phase_at(0, 350), life.line_phase_at(1, 350)) == (Phase.SHIPPED, Phase.PAID)


def test_a_refused_refund_never_gives_money_back() -> None:
    case = Refund(1, 0, RefundKind.RETURN, 1_000, 0, [(10, Stage.APPLIED), (20, Stage.REFUSED)])
    assert (case.success_at, case.stage_at(9), case.stage_at(20)) == (0, None, Stage.REFUSED)


def test_versions_are_the_moments_of_change_inside_the_window() -> None:
    life = order(paid=200, shipped=300, finished=900)
    life.refunds = [refund(0, RefundKind.MONEY_ONLY, 500)]
    assert life.moments(400) == [100, 200, 300]
    assert life.moments(10_000) == [100, 200, 300, 490, 500]


@pytest.mark.parametrize("discount", [0, 1, 100, 541])
def test_shares_of_a_discount_add_up_to_the_fen(discount: int) -> None:
    lines = [Line(BRAND.products[0], 1, amount, amount) for amount in (999, 1_000, 1_001)]
    spread_discount(lines, discount)
    assert sum(line.discount_fen for line in lines) == discount
    assert all(0 <= line.paid_fen <= line.sum_fen for line in lines)
