"""Composed names and places: common characters put together by chance, nobody's data."""

from random import Random
from typing import NamedTuple

from pipelines.simulate.chance import pick

SURNAMES = tuple("李王张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧")
GIVEN = tuple("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉兰红梅建国文慧晨雨欣怡梓涵子轩宇航")
NICK_HEADS = ("小", "阿", "一只", "快乐的", "大", "爱吃的", "晚风", "星河", "北岛", "江南")
NICK_TAILS = ("鱼", "鹿", "橘子", "桃子", "猫", "同学", "木木", "豆豆", "月亮", "云朵")


class Place(NamedTuple):
    """A district with its city and province, and the codes the platforms give them."""

    province: str
    province_id: str
    city: str
    city_id: str
    district: str
    district_id: str


PLACES = (
    Place("浙江省", "33", "杭州市", "330100", "余杭区", "330110"),
    Place("浙江省", "33", "宁波市", "330200", "鄞州区", "330212"),
    Place("上海市", "31", "上海市", "310100", "浦东新区", "310115"),
    Place("北京市", "11", "北京市", "110100", "朝阳区", "110105"),
    Place("广东省", "44", "广州市", "440100", "天河区", "440106"),
    Place("广东省", "44", "深圳市", "440300", "南山区", "440305"),
    Place("江苏省", "32", "南京市", "320100", "鼓楼区", "320106"),
    Place("江苏省", "32", "苏州市", "320500", "吴中区", "320506"),
    Place("四川省", "51", "成都市", "510100", "武侯区", "510107"),
    Place("湖北省", "42", "武汉市", "420100", "洪山区", "420111"),
    Place("陕西省", "61", "西安市", "610100", "雁塔区", "610113"),
    Place("山东省", "37", "青岛市", "370200", "市南区", "370202"),
)


def full_name(rng: Random, surname: str) -> str:
    """A surname with one or two given characters."""
    return surname + pick(rng, GIVEN) + (pick(rng, GIVEN) if rng.random() < 0.7 else "")


def nickname(rng: Random) -> str:
    """A name as people choose it in WeChat."""
    return pick(rng, NICK_HEADS) + pick(rng, NICK_TAILS)
