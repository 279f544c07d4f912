"""Tags: declared values over a person's features, with labels and the reason why."""

from __future__ import annotations

from collections.abc import Callable

from features import rules
from features.channels import LAYERS, SALES_CHANNELS, TOUCH_CHANNELS
from features.parameters import Parameters
from features.relations import PROGRAMMES
from features.spec import Tag

_SINCE_LAST = "datediff(as_of, last_purchase_date)"
_SINCE_FIRST = "datediff(as_of, first_purchase_date)"
_SPENT = "净消费 {net_revenue_fen:yuan} 元（{orders} 单）"
_PURCHASES = "首购 {first_purchase_date}，最近购买 {last_purchase_date}，" + _SPENT


def relation_tags(parameters: Parameters) -> tuple[Tag, ...]:
    """Tags of how the brand knows the person."""
    return (
        Tag(
            name="relation_layer",
            label="关系分层",
            doc="Highest relation the person stands in",
            value="relation_layer",
            reason="公域始于 {public_since}，私域始于 {private_since}，好友始于 {friend_since}，现有导购 {guides} 位",
            labels=LAYERS,
            profiling=False,
        ),
        Tag(
            name="group_member",
            label="社群成员",
            doc="In a customer group now",
            value="CASE WHEN is_group_member THEN 'yes' END",
            reason="现在 {groups} 个社群中，首次入群 {first_group_at:day}",
            labels={"yes": "是"},
            profiling=False,
        ),
        Tag(
            name="member_level",
            label="会员等级",
            doc="Level in the brand's own programme, else a platform's",
            value="member_level",
            reason="来自会员体系 {member_level_programme}，入会 {member_since:day}",
            profiling=False,
        ),
        Tag(
            name="member",
            label="会员",
            doc="Member of a programme; the value names the programme whose level counts",
            value="CASE WHEN is_member THEN coalesce(member_programme, 'yes') END",
            reason="入会 {member_since:day}",
            labels={**PROGRAMMES, "yes": "是"},
            profiling=False,
        ),
        Tag(
            name="points_holder",
            label="积分持有",
            doc="Holds points",
            value="CASE WHEN points_balance > 0 THEN 'yes' END",
            reason="积分余额 {points_balance}，累计获得 {points_earned}，累计使用 {points_used}",
            labels={"yes": "是"},
            profiling=False,
        ),
        Tag(
            name="internal",
            label="内部人员",
            doc="Staff, tester or reseller",
            value="CASE WHEN is_internal THEN 'yes' END",
            reason="内部、测试或经销订单 {internal_orders} 单",
            labels={"yes": "是"},
            profiling=False,
        ),
    )


def purchase_tags(parameters: Parameters) -> tuple[Tag, ...]:
    """Tags of what the person bought."""
    return (*_spending_tags(parameters), *_habit_tags(parameters))


def _spending_tags(parameters: Parameters) -> tuple[Tag, ...]:
    orders = parameters.orders
    return (
        Tag(
            name="spending_level",
            label="消费力",
            doc="Band of the net revenue over the whole history",
            value=rules.band_sql(orders.spending_level, "CASE WHEN orders > 0 THEN net_revenue_fen END"),
            reason=_SPENT,
            labels=rules.band_labels(orders.spending_level),
        ),
        Tag(
            name="price_band",
            label="客单价带",
            doc="Band of the average order value",
            value=rules.band_sql(orders.price_band, "average_order_fen"),
            reason="客单价 {average_order_fen:yuan} 元，" + _SPENT,
            labels=rules.band_labels(orders.price_band),
        ),
        Tag(
            name="favourite_category",
            label="偏好品类",
            doc="Category with the greatest payment",
            value="favourite_category",
            reason="购买金额最高的品类，共 {pieces} 件商品",
        ),
    )


def _habit_tags(parameters: Parameters) -> tuple[Tag, ...]:
    orders = parameters.orders
    return (
        Tag(
            name="main_channel",
            label="主要购买渠道",
            doc="Sales channel with the greatest net revenue",
            value=_main_channel(),
            reason="购买渠道 {sales_channels} 个，" + _SPENT,
            labels=SALES_CHANNELS,
        ),
        Tag(
            name="cross_channel",
            label="跨渠道购买",
            doc="Bought in more than one sales channel; the value is their number",
            value="CASE WHEN sales_channels > 1 THEN CAST(sales_channels AS STRING) END",
            reason="在 {sales_channels} 个渠道购买，共 {orders} 单",
        ),
        Tag(
            name="repeat_buyer",
            label="复购",
            doc="At least two purchases kept",
            value="CASE WHEN orders > 1 THEN 'yes' END",
            reason=_PURCHASES,
            labels={"yes": "是"},
        ),
        Tag(
            name="refund_prone",
            label="高退款",
            doc="Great share of the paid orders refunded",
            value=(
                f"CASE WHEN paid_orders >= {orders.refund_prone_orders} "
                f"AND refunded_orders * 100 >= paid_orders * {orders.refund_prone_percent} THEN 'yes' END"
            ),
            reason="{paid_orders} 单中 {refunded_orders} 单有退款，退款 {refunded_fen:yuan} 元",
            labels={"yes": "是"},
        ),
    )


def _main_channel() -> str:
    names = list(SALES_CHANNELS)[::-1]
    channels = ", ".join(f"struct(net_revenue_fen_{name} AS net, '{name}' AS name)" for name in names)
    return f"CASE WHEN orders > 0 THEN array_max(array({channels})).name END"


def value_tags(parameters: Parameters) -> tuple[Tag, ...]:
    """Tags that also depend on the business day: RFM and lifecycle."""
    rfm, lifecycle = parameters.rfm, parameters.lifecycle
    recency, frequency, monetary = rules.rfm_score_sql(rfm, _SINCE_LAST, "orders", "net_revenue_fen")
    group = rules.rfm_group_sql(rfm, _SINCE_LAST, "orders", "net_revenue_fen")
    return (
        Tag(
            name="rfm",
            label="RFM 分组",
            doc="Named group of the RFM cube",
            value=f"CASE WHEN orders > 0 THEN {group} END",
            reason="最近购买 {last_purchase_date}，" + _SPENT,
            labels=dict(rules.RFM_GROUPS.values()),
            timed=True,
        ),
        Tag(
            name="rfm_score",
            label="RFM 得分",
            doc="Scores 1 to 5 of recency, frequency and monetary value",
            value=f"CASE WHEN orders > 0 THEN concat('R', {recency}, 'F', {frequency}, 'M', {monetary}) END",
            reason="最近购买 {last_purchase_date}，" + _SPENT,
            timed=True,
        ),
        Tag(
            name="lifecycle",
            label="生命周期",
            doc="Stage of the buyer: prospect, new, growing, mature, dormant, lost",
            value=rules.lifecycle_sql(lifecycle, "orders", _SINCE_FIRST, _SINCE_LAST),
            reason=(
                f"{_PURCHASES}；新客 {lifecycle.new_days} 天内，"
                f"沉睡超过 {lifecycle.dormant_days} 天，流失超过 {lifecycle.lost_days} 天"
            ),
            labels=rules.LIFECYCLE_LABELS,
            timed=True,
        ),
    )


def behaviour_tags(parameters: Parameters) -> tuple[Tag, ...]:
    """Tags of what the person does and where the person was met last."""
    return (
        Tag(
            name="last_touch_channel",
            label="最近触点渠道",
            doc="Channel of the last touch",
            value="last_touch_channel",
            reason="最近触点 {last_touch_at:day}，触点渠道 {touch_channels} 个",
            labels=TOUCH_CHANNELS,
        ),
        Tag(
            name="aarrr",
            label="AARRR 阶段",
            doc="Furthest stage of acquired, active, retained, paying, referring",
            value=(
                "CASE WHEN shares > 0 AND orders > 0 THEN 'referring' WHEN orders > 0 THEN 'paying' "
                "WHEN visit_days > 1 THEN 'retained' WHEN visit_days = 1 THEN 'active' ELSE 'acquired' END"
            ),
            reason="首次出现 {first_seen_date}，访问 {visit_days} 天，购买 {orders} 单，分享 {shares} 次",
            labels={"acquired": "获取", "active": "激活", "retained": "留存", "paying": "变现", "referring": "传播"},
        ),
    )


def consent_tags(parameters: Parameters) -> tuple[Tag, ...]:
    """Tags of what the person agreed to."""
    labels = {"granted": "已同意", "withdrawn": "已撤回"}
    return (
        Tag(
            name="marketing_consent",
            label="营销授权",
            doc="Consent for marketing; the most restrictive statement of the person's identifiers holds",
            value="consent_marketing",
            reason="最近一次表态 {consent_marketing_at:day}，标识间冲突 {consent_marketing_conflict}",
            labels=labels,
            profiling=False,
        ),
        Tag(
            name="profiling_consent",
            label="画像授权",
            doc="Consent for profiling; the most restrictive statement of the person's identifiers holds",
            value="consent_profiling",
            reason="最近一次表态 {consent_profiling_at:day}，标识间冲突 {consent_profiling_conflict}",
            labels=labels,
            profiling=False,
        ),
        Tag(
            name="consent_conflict",
            label="授权冲突",
            doc="Identifiers of the person disagree on a purpose; the withdrawal holds",
            value="CASE WHEN consent_conflict THEN 'yes' END",
            reason="同一人的标识表态不一致，按最严格的执行：营销 {consent_marketing}，画像 {consent_profiling}",
            labels={"yes": "是"},
            profiling=False,
        ),
    )


TAG_THEMES: tuple[Callable[[Parameters], tuple[Tag, ...]], ...] = (
    relation_tags,
    purchase_tags,
    value_tags,
    behaviour_tags,
    consent_tags,
)
"""All tag themes; a tag is one more entry in one of them."""

CAUSES = ("facts", "time", "merge", "split", "move")
"""Why a tag changed: new facts, the calendar, or a change of identity."""
