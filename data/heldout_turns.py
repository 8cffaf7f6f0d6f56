"""Sentences for the less direct turns of the tool samples, for the held-out set, in English and Chinese.

Missing arguments (requests and questions back, then the value), calls that depend on an earlier result, joined
requests, tool errors and turns without any call. No sentence is also in `train_turns`.
"""

from __future__ import annotations

# tool -> language -> (requests that leave out one argument, questions back)
MISSING: dict[str, dict[str, tuple[str, str]]] = {
    "get_weather": {
        "en": (
            """
How does the weather look in {city}?
Tell me about the weather in {city}.
""",
            """
On what day?
""",
        ),
        "zh": (
            """
请看看{city}的天气。
{city}那边热不热?
""",
            """
您想知道哪天的?
""",
        ),
    },
    "convert_currency": {
        "en": (
            """
Please convert my {amount} {source}.
I would like to change {amount} {source}.
""",
            """
What currency should it become?
""",
        ),
        "zh": (
            """
请把{amount}{source}兑一下。
我有{amount}{source}要换。
""",
            """
您要兑成什么?
""",
        ),
    },
    "set_reminder": {
        "en": (
            """
Could you remind me to {text}?
Please make sure that I {text}.
""",
            """
What time suits you?
""",
        ),
        "zh": (
            """
你能提醒我{text}吗?
请记着叫我{text}。
""",
            """
想在几点?
""",
        ),
    },
    "track_order": {
        "en": (
            """
Can you find my order?
My package is late, please check.
""",
            """
Could you tell me its number?
""",
        ),
        "zh": (
            """
能看看我的包裹吗?
我的快递晚了,请查。
""",
            """
您的单号是?
""",
        ),
    },
    "search_trains": {
        "en": (
            """
Please look for trains, I leave {origin} on {date}.
I am taking a train from {origin} on {date}, which one?
""",
            """
Which town are you going to?
""",
        ),
        "zh": (
            """
请找{date}在{origin}上车的列车。
{date}我从{origin}坐车,有票吗?
""",
            """
您到哪一站?
""",
        ),
    },
    "send_message": {
        "en": (
            """
I have something to tell {recipient}.
Please contact {recipient} for me.
""",
            """
What is the text?
""",
        ),
        "zh": (
            """
请替我联系{recipient}。
我有话跟{recipient}说。
""",
            """
您想说什么?
""",
        ),
    },
    "book_room": {
        "en": (
            """
Could you get us {room} on {date}?
We want {room} for our meeting on {date}.
""",
            """
What is the number of people?
""",
        ),
        "zh": (
            """
请留{room}给我们,{date}。
{date}我们要在{room}开会。
""",
            """
多少人参加?
""",
        ),
    },
    "get_stock_price": {
        "en": (
            """
Please see what my shares are worth.
I have a question about a stock.
""",
            """
Please name the stock.
""",
        ),
        "zh": (
            """
请看看我的股份值多少。
想问一只股票。
""",
            """
代码是哪个?
""",
        ),
    },
}

# How the missing value {v} is then given
SUPPLY = {
    "en": """
{v}, thank you.
Oh yes, {v}.
That would be {v}.
""",
    "zh": """
哦,{v}。
应该是{v}。
{v},麻烦了。
""",
}

# chain -> language -> requests; the second call takes its values from the first result
CHAIN: dict[str, dict[str, str]] = {
    "order_weather": {
        "en": """
I wonder about order {order_id}: where is it, and how is the weather there when it comes in?
See where {order_id} is and give me the weather there for its arrival date.
""",
        "zh": """
帮我看{order_id}在哪,再看那里到货日期的天气。
想知道{order_id}的位置,以及到达那天当地的天气。
""",
    },
    "train_reminder": {
        "en": """
Look for the train {origin} to {destination} on {date}; when it leaves, I want a reminder to {text}.
Please check the train on {date} from {origin} to {destination}, then have me reminded to {text} then.
""",
        "zh": """
帮我找{date}{origin}去{destination}的车,开车时间提醒我{text}。
请看{origin}到{destination}的火车,{date},开车的时候叫我{text}。
""",
    },
    "stock_convert": {
        "en": """
I would like the price of {symbol}, but in {target}.
Please quote {symbol} and give me the sum in {target}.
""",
        "zh": """
我要{symbol}的价格,用{target}表示。
看看{symbol}多少钱,折成{target}。
""",
    },
    "room_message": {
        "en": """
Get us {room} on {date}, we are {people}, and let {recipient} have the booking code.
Arrange {room} for {people} people on {date} and pass the code to {recipient}.
""",
        "zh": """
帮忙安排{room},{date},{people}位,预订号给{recipient}发过去。
请把{date}的{room}订给{people}人,再给{recipient}发预订号。
""",
    },
}

JOIN = {
    "en": """
{a} Besides, {b}
First, {a} Second, {b}
""",
    "zh": """
{a}同时,{b}
第一,{a}第二,{b}
""",
}

ERRORS = {
    "get_weather": "weather station does not answer",
    "convert_currency": "rate service is down",
    "set_reminder": "time has passed",
    "track_order": "order system is closed",
    "search_trains": "line is under repair",
    "send_message": "phone is switched off",
    "book_room": "room is being painted",
    "get_stock_price": "symbol is not listed",
}

SORRY = {
    "en": """
My apologies, I got an error: {error}.
""",
    "zh": """
不好意思,出错了:{error}。
""",
}

# Small talk and the answers
PLAIN: dict[str, list[tuple[str, str]]] = {
    "en": [
        ("Hey, nice to meet you!", "Nice to meet you too!"),
        ("Many thanks for this.", "It was a pleasure."),
        ("Perfect, you saved my day.", "I am glad about that!"),
        ("See you later!", "See you!"),
        ("Do you ever get tired?", "No, I do not get tired."),
        ("I like rainy evenings.", "Rain can be very calming."),
        ("What is your favourite colour?", "I have none, but blue sounds good."),
        ("Sing a song for me.", "I cannot sing, but I can wish you a nice day."),
        ("I am learning to paint.", "That is a lovely hobby."),
        ("My team is very kind.", "That is good to hear."),
        ("Fine, nothing else today.", "Good, have a pleasant day."),
        ("Do you read books?", "I have read some text, but not like you do."),
        ("My sister has a birthday soon.", "I hope she has a wonderful day."),
    ],
    "zh": [
        ("很高兴认识你!", "我也很高兴认识你!"),
        ("非常感谢你的帮忙。", "这是我应该做的。"),
        ("完美,帮了大忙。", "那就好!"),
        ("回头见!", "回头见!"),
        ("你会累吗?", "我不会累。"),
        ("我喜欢下雨的晚上。", "雨声让人平静。"),
        ("你喜欢什么颜色?", "我没有喜好,不过蓝色不错。"),
        ("唱首歌吧。", "我不会唱歌,祝你今天开心。"),
        ("我在学画画。", "真是个好爱好。"),
        ("同事们都很好。", "真好。"),
        ("行,今天没事了。", "好的,再会。"),
        ("我妹妹快过生日了。", "祝她生日快乐!"),
    ],
}

# Words around a request: none in the held-out rows
FRAME = {"en": "{a}", "zh": "{a}"}
