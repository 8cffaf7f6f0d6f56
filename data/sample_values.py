"""Argument values of the sample tools, split so that training and held-out rows never share one.

A value belongs to the held-out share when the checksum of its text is divisible
by four; every draw repeats until it finds a value of the wanted share.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from datetime import date, timedelta

from vocabulary import ZH_GIVEN, ZH_SURNAMES, Values, is_heldout, lines, words

CITIES = words("""
Lisbon Oslo Vienna Prague Dublin Athens Helsinki Warsaw Madrid Porto Geneva Zurich Munich Hamburg Bremen
Cologne Lyon Nantes Toulouse Bordeaux Marseille Milan Turin Naples Verona Bologna Palermo Seville Granada
Valencia Bilbao Ghent Bruges Antwerp Utrecht Leiden Delft Aarhus Odense Bergen Malmo Uppsala Tampere Turku
Riga Tallinn Vilnius Krakow Gdansk Poznan Brno Budapest Szeged Zagreb Split Sofia Varna Belgrade Bucharest
Ankara Izmir Cairo Tunis Rabat Nairobi Lagos Accra Dakar Lima Quito Bogota Santiago Cordoba Rosario Montevideo
Recife Salvador Toronto Ottawa Calgary Boston Denver Austin Seattle Portland Chicago Dallas Houston Phoenix
Atlanta Memphis Tokyo Osaka Kyoto Nagoya Seoul Busan Hanoi Manila Jakarta Bangkok Mumbai Delhi Sydney Perth
Hobart Auckland York Leeds Bristol Cardiff Glasgow Dundee Salzburg Graz Linz Basel Lucerne Trieste Pisa Siena
""")
ZH_CITIES = words("""
北京 上海 广州 深圳 成都 重庆 杭州 南京 武汉 西安 天津 苏州 长沙 郑州 青岛 大连 厦门 宁波 昆明 合肥 福州 济南
沈阳 长春 哈尔滨 石家庄 太原 南昌 贵阳 南宁 兰州 银川 西宁 海口 三亚 桂林 洛阳 开封 扬州 无锡 常州 徐州 温州
绍兴 嘉兴 金华 台州 泉州 珠海 佛山 东莞 惠州 中山 汕头 湛江 烟台 威海 潍坊 保定 唐山 秦皇岛 大同 包头 延安
宝鸡 绵阳 乐山 大理 丽江 遵义 柳州 北海 九江 景德镇 黄山 芜湖 宜昌 襄阳 岳阳 张家界
""")
PEOPLE = words("""
Anna Ben Clara David Emma Felix Grace Henry Irene Jack Karen Leo Maria Noah Olivia Paul Quinn Rosa Simon Tina
Ursula Victor Wendy Xavier Yvonne Zoe Adam Bella Carl Diana Erik Fiona George Helen Ivan Julia Kevin Laura
Martin Nina Oscar Petra Ralph Sara Tom Ulla Vera Walter Alice Bruno Cora Dennis Elsa Frank Gina Hugo Ida Jonas
Kate Lucas Mona Nils Olga Peter Rita Sven Tessa Max Lena Theo Mila Finn Lotte Arthur Rosie Edgar Nora Ralf Ivy
Otto Pia Boris Amelia Conrad Daisy Elliot Freya Gavin Hazel
""")
CURRENCIES = words("""
USD EUR JPY GBP CNY CHF CAD AUD NZD SEK NOK DKK PLN CZK HUF RON BGN TRY ILS EGP MAD TND KES NGN GHS ZAR BRL
ARS CLP COP PEN UYU MXN KRW TWD HKD SGD MYR THB IDR PHP VND INR PKR BDT LKR NPR AED SAR QAR KWD BHD OMR JOD
GEL AMD KZT UAH ISK MOP
""")
ROOM_WORDS = words("""
Maple Cedar Birch Willow Orchid Lotus Tulip Harbor Summit Garden Meadow River Falcon Robin Heron Copper Silver
Amber Coral Pearl Comet Orion Saturn Apollo Atlas Ocean Prairie Canyon Lagoon Glacier Ember Violet Indigo
Jasmine
""")
ZH_ROOM_WORDS = words("""
松涛 竹影 梅香 兰亭 荷花 春晖 秋月 海棠 星河 云海 清风 明月 长江 泰山 华山 西湖 牡丹 银杏 丹桂 白鹭 飞燕 青松
紫荆 玉兰
""")
DO = words("""
call buy water clean fetch check repair sell pack visit wash return order paint feed empty print read
""")
DO_WHAT = lines("""
the plants
the doctor
two tickets
my sister
the blue bag
some bread
the report
the old bike
a birthday cake
the kitchen
the cat
the library book
the dentist
a new lamp
the rent papers
my boots
the oven
a train card
the neighbour
the long letter
""")
ZH_DO = words("买 洗 取 送 整理 检查 打印 修理 准备 清点")
ZH_DO_WHAT = words("""
牛奶 衣服 快递 礼物 书桌 邮件 合同 自行车 晚饭 车票 窗户 相册 药品 雨伞 钥匙 花盆
""")
NEWS = lines("""
the meeting
our dinner
the match
the class
the party
the delivery
my flight
the concert
the interview
lunch
the workshop
the tour
the game
my train
the call
""")
NEWS_WHAT = lines("""
starts early today
is moved to friday
will be a bit late
is cancelled
went very well
needs one more chair
was great fun
is in the big hall
begins after lunch
takes two hours
is almost ready
is sold out
""")
ZH_NEWS = words("会议 聚餐 比赛 课程 航班 面试 演出 快递 午饭 培训 电影 体检")
ZH_NEWS_WHAT = words("""
改到周五 已经取消 提前开始 晚点半小时 顺利结束 换了地点 需要报名 马上开始 还没安排 推迟一周
""")
SKIES = {
    "en": words("sunny cloudy rainy windy foggy snowy stormy clear"),
    "zh": words("晴 多云 小雨 大风 有雾 小雪 雷阵雨 阴"),
}
STATES = {
    "en": ["shipped", "packed", "delayed", "on its way", "at customs", "ready for pickup"],
    "zh": words("已发货 已打包 延误 运输中 在海关 待取件"),
}


class SampleValues:
    """Draws argument values of one share (training or held-out)."""

    def __init__(self, rng: random.Random, heldout: bool) -> None:
        self.rng, self.heldout = rng, heldout
        self.values = Values(rng)

    def invented(self) -> bool:
        """Whether to make a value up: often in training rows, so that a small model copies instead of remembering."""
        return not self.heldout and self.rng.random() < 0.6

    def draw(self, make: Callable[[], str]) -> str:
        """Repeat `make` until its value belongs to this share."""
        while True:
            value = make()
            if is_heldout(value) == self.heldout:
                return value

    def pick(self, options: list[str]) -> str:
        """One of a list."""
        return self.draw(lambda: self.rng.choice(options))

    def city(self, zh: bool) -> str:
        """A city; now and then one of the other language."""
        if self.invented():
            return self.draw(self.values.zh_place if zh else self.values.name)
        return self.pick(ZH_CITIES if zh != (self.rng.random() < 0.1) else CITIES)

    def recipient(self, zh: bool) -> str:
        """A person's name."""
        rng = self.rng
        if self.invented():
            return self.draw(self.values.zh_name if zh else self.values.name)
        if zh:
            return self.draw(
                lambda: rng.choice(ZH_SURNAMES) + "".join(rng.choice(ZH_GIVEN) for _ in range(rng.choice((1, 2))))
            )
        return self.pick(PEOPLE)

    def day(self) -> str:
        """A date within three years."""
        return self.draw(lambda: (date(2026, 1, 1) + timedelta(days=self.rng.randrange(1095))).isoformat())

    def clock(self) -> str:
        """A time of the day."""
        return self.draw(lambda: f"{self.rng.randint(5, 23):02d}:{self.rng.randint(0, 59):02d}")

    def amount(self) -> int | float:
        """A sum of money."""
        rng = self.rng

        def make() -> str:
            if rng.random() < 0.7:
                return str(rng.randint(5, 9999))
            return f"{round(rng.uniform(2, 900), rng.choice((1, 2))):g}"

        text = self.draw(make)
        return float(text) if "." in text else int(text)

    def currency(self, other: str = "") -> str:
        """A currency code that differs from `other`."""
        if self.invented():
            return self.draw(lambda: "".join(self.rng.choice(string.ascii_uppercase) for _ in range(3)))
        return self.pick([code for code in CURRENCIES if code != other])

    def people(self) -> int:
        """How many people meet."""
        return int(self.draw(lambda: str(self.rng.randint(2, 60))))

    def room(self, zh: bool) -> str:
        """A room by name or number."""
        rng = self.rng
        if rng.random() < 0.35:
            return self.draw(lambda: f"{rng.choice(string.ascii_uppercase)}-{rng.randint(100, 999)}")
        if self.invented():
            made = self.values.zh_place if zh else self.values.name
            return self.draw(lambda: made() + rng.choice(("厅", "室", "阁") if zh else (" Room", " Hall", "")))
        return self.draw(
            lambda: (
                rng.choice(ZH_ROOM_WORDS) + rng.choice("厅室阁")
                if zh
                else rng.choice(ROOM_WORDS) + rng.choice((" Room", " Hall", ""))
            )
        )

    def order_id(self) -> str:
        """An order number."""
        rng = self.rng

        def make() -> str:
            letters = "".join(rng.choice(string.ascii_uppercase) for _ in range(rng.choice((1, 2, 2, 3))))
            return f"{letters}{rng.choice(('-', '-', ''))}{rng.randint(100, 99999)}"

        return self.draw(make)

    def symbol(self) -> str:
        """A made-up stock symbol."""
        return self.draw(
            lambda: "".join(self.rng.choice(string.ascii_uppercase) for _ in range(self.rng.choice((3, 4, 4))))
        )

    def task(self, zh: bool) -> str:
        """Something to be reminded of."""
        rng = self.rng
        if self.invented():
            return self.draw(lambda: rng.choice(ZH_DO if zh else DO) + self.words_after(zh))
        return self.draw(
            lambda: rng.choice(ZH_DO) + rng.choice(ZH_DO_WHAT) if zh else f"{rng.choice(DO)} {rng.choice(DO_WHAT)}"
        )

    def news(self, zh: bool) -> str:
        """The text of a message."""
        rng = self.rng
        if self.invented():
            return self.draw(lambda: rng.choice(ZH_NEWS if zh else NEWS) + self.words_after(zh))
        return self.draw(
            lambda: (
                rng.choice(ZH_NEWS) + rng.choice(ZH_NEWS_WHAT) if zh else f"{rng.choice(NEWS)} {rng.choice(NEWS_WHAT)}"
            )
        )

    def words_after(self, zh: bool) -> str:
        """Some words of no great sense."""
        return self.values.zh_phrase() if zh else f" {self.values.phrase()}"

    def code(self) -> str:
        """A booking code or train number."""
        return self.draw(lambda: f"{self.rng.choice(string.ascii_uppercase)}{self.rng.randint(10, 9999)}")
