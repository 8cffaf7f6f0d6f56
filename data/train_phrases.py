"""The answers about the results of the sample tools, for the training sets, with the requests of both languages.

Every entry is a block of sentences, one a line; slots such as {city} are filled with
argument values. No sentence is in both `train_phrases` and `heldout_phrases`.
"""

from __future__ import annotations

import train_asks_en
import train_asks_zh

Blocks = dict[str, dict[str, str]]

ASK: Blocks = {tool: {"en": ask, "zh": train_asks_zh.ASK[tool]} for tool, ask in train_asks_en.ASK.items()}

REPLY: Blocks = {
    "get_weather": {
        "en": """
On {date} it will be {sky} in {city}, with {degrees} degrees.
{city} on {date}: {sky}, {degrees} degrees.
The forecast for {city} says {sky} and {degrees} degrees.
""",
        "zh": """
{city}{date}天气{sky},气温{degrees}度。
{date}{city}是{sky},{degrees}度。
天气预报说{city}{sky},{degrees}度。
""",
    },
    "convert_currency": {
        "en": """
{amount} {source} is {result} {target}.
You get {result} {target} for {amount} {source}.
That is {result} {target}.
""",
        "zh": """
{amount}{source}等于{result}{target}。
可以换{result}{target}。
一共是{result}{target}。
""",
    },
    "set_reminder": {
        "en": """
Done, I will remind you at {time} to {text}.
The reminder for {time} is set.
Ok, at {time}: {text}.
""",
        "zh": """
好的,{time}会提醒你{text}。
{time}的提醒设好了。
已经记下:{time}{text}。
""",
    },
    "track_order": {
        "en": """
Order {order_id} is {status}; it is now in {place}.
Your order {order_id} is {status} and will arrive on {arrives}.
It is {status}, in {place}, and arrives on {arrives}.
""",
        "zh": """
订单{order_id}{status},现在在{place}。
您的订单{status},预计{arrives}到达。
{order_id}{status},目前在{place},{arrives}送到。
""",
    },
    "search_trains": {
        "en": """
Train {train} leaves {origin} at {departs} and reaches {destination} at {arrives}.
There is train {train}, from {departs} to {arrives}.
You can take {train} at {departs}; it arrives at {arrives}.
""",
        "zh": """
有{train}次列车,{departs}从{origin}出发,{arrives}到{destination}。
可以坐{train},{departs}开,{arrives}到。
{train}次,{departs}出发,{arrives}到达。
""",
    },
    "send_message": {
        "en": """
I sent your message to {recipient}.
Done, {recipient} has your message.
Your message is on its way to {recipient}.
""",
        "zh": """
消息已经发给{recipient}了。
好了,{recipient}会收到消息。
已发送给{recipient}。
""",
    },
    "book_room": {
        "en": """
{room} is booked for {people} people on {date}. The booking code is {code}.
Done: {room} on {date}, code {code}.
Your booking of {room} has the code {code}.
""",
        "zh": """
{room}已订好,{date},{people}人,预订号{code}。
订好了,{date}的{room},预订号是{code}。
{room}的预订号是{code}。
""",
    },
    "get_stock_price": {
        "en": """
{symbol} is at {price} {currency}.
One share of {symbol} costs {price} {currency}.
The price of {symbol} is {price} {currency}.
""",
        "zh": """
{symbol}现在是{price}{currency}。
{symbol}每股{price}{currency}。
{symbol}的价格是{price}{currency}。
""",
    },
}
