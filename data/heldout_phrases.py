"""Requests to the sample tools and the answers, for the held-out set, in English and Chinese.

Every entry is a block of sentences, one a line; slots such as {city} are filled with
argument values. No sentence is in both `train_phrases` and `heldout_phrases`.
"""

from __future__ import annotations

Blocks = dict[str, dict[str, str]]

ASK: Blocks = {
    "get_weather": {
        "en": """
Do you know if it will be nice outside in {city} on {date}?
I fly to {city} on {date}; what is the weather there?
How hot does it get in {city} on {date}?
Any rain expected on {date} in {city}?
My sister visits {city} on {date}. What weather can she count on?
Weather on {date} in {city}?
Kindly look at the sky over {city} for {date}.
""",
        "zh": """
{date}去{city}玩,天气好吗?
请问{city}{date}热不热?
{city}那边{date}天气怎样,帮查。
我想了解一下{date}{city}的天气情况。
{date}{city}出门要不要雨伞?
打算{date}到{city},那天气温多少?
""",
    },
    "convert_currency": {
        "en": """
Would you convert {amount} {source} into {target} for me?
What are {amount} {source} in {target} today?
I earned {amount} {source}, and I would like to know the sum in {target}.
How many {target} are {amount} {source}?
Please calculate {amount} {source} in {target}.
A ticket is {amount} {source}. How much {target} is this?
""",
        "zh": """
请把{amount}{source}换算为{target}。
{amount}{source}现在合多少{target}?
我赚了{amount}{source},换成{target}有多少?
你帮我看看{amount}{source}可以换多少{target}。
门票{amount}{source},是多少{target}?
需要将{amount}{source}兑成{target}。
""",
    },
    "set_reminder": {
        "en": """
Can you set up a reminder at {time} to {text}?
I tend to forget things: at {time} I should {text}.
Give me a reminder to {text} when it is {time}.
Reminder, {time}, {text}.
Would you please remind me that at {time} I want to {text}?
Today I have to {text} at {time}, please remind me then.
""",
        "zh": """
你可以在{time}提醒我{text}吗?
{time}记得叫我{text}。
我想设提醒:{text},{time}。
今天{time}我需要{text},到时提醒我。
请添加提醒,{time}去{text}。
别忘了{time}提醒我要{text}。
""",
    },
    "track_order": {
        "en": """
Any update on order {order_id}?
Could you see whether {order_id} has left the shop?
I bought a lamp under order {order_id}. Where is it now?
Give me the delivery status of {order_id}.
How long until order {order_id} arrives?
Please find my order, it is {order_id}.
""",
        "zh": """
请问{order_id}这个订单送到哪了?
想查一下我的包裹,订单{order_id}。
订单{order_id}有更新吗?
我买的灯单号是{order_id},现在在哪?
看一下{order_id}什么时候送达。
{order_id}的快递走到哪一步了?
""",
    },
    "search_trains": {
        "en": """
Can I take a train from {origin} to {destination} on {date}?
I have to travel to {destination} on {date}, starting from {origin}. What trains are there?
Show trains on {date} between {origin} and {destination}, leaving from {origin}.
What is the best train from {origin} to {destination} on {date}?
We would like to ride the train from {origin} to {destination}. The day is {date}.
Please get me train times, {origin} to {destination}, {date}.
""",
        "zh": """
请帮忙找{date}从{origin}去{destination}的火车。
{origin}到{destination}{date}有火车吗?
我打算{date}坐火车,从{origin}到{destination}。
{date}我要去{destination},从{origin}上车,有什么车次?
看看从{origin}开到{destination}的列车,{date}出发。
想买{date}{origin}到{destination}的火车票。
""",
    },
    "send_message": {
        "en": """
Would you message {recipient}: {text}?
Please inform {recipient} that {text}.
I have news for {recipient}: {text}. Send it, please.
Send a text to {recipient} that says {text}.
Get a message to {recipient}: {text}.
Could {recipient} be told that {text}?
""",
        "zh": """
请告知{recipient}:{text}。
帮忙发个短信给{recipient}:{text}。
我要给{recipient}发消息,说{text}。
你替我跟{recipient}说{text}。
发消息告诉{recipient},{text}。
麻烦给{recipient}发一条:{text}。
""",
    },
    "book_room": {
        "en": """
Would {room} be possible on {date} for {people} people? Then book it.
Please arrange {room} for {people} guests on {date}.
We are {people} and would like {room} on {date}.
Room booking: {room}, {people} people, {date}.
Could we get {room} on {date}? We will be {people}.
My team of {people} needs {room} on {date}.
""",
        "zh": """
请安排{room},{date}有{people}个人。
我们想预约{room},{date},共{people}位。
{people}人的会议,{date},订{room}可以吗?
帮我们预订{date}{room},人数是{people}。
{date}要用{room},{people}人,请预订。
可以订{room}吗?{date},{people}个人。
""",
    },
    "get_stock_price": {
        "en": """
Where does {symbol} stand right now?
Could you quote {symbol} for me?
I want to know the price of {symbol} stock.
Please check how much {symbol} shares are.
What would a share of {symbol} cost me?
Any idea what {symbol} trades at?
""",
        "zh": """
请查询{symbol}的股票价格。
{symbol}一股要多少钱?
想知道{symbol}现在的价格。
股票{symbol}现在行情如何?
帮忙报一下{symbol}的股价。
你看看{symbol}现在值多少?
""",
    },
}

REPLY: Blocks = {
    "get_weather": {
        "en": (
            "Expect {sky} weather and {degrees} degrees in {city} on {date}.\n"
            "In {city} it looks {sky}, {degrees} degrees."
        ),
        "zh": "预计{city}{date}{sky},大约{degrees}度。\n{city}那天{sky},{degrees}度左右。",
    },
    "convert_currency": {
        "en": "It comes to {result} {target}.\nFor {amount} {source} you would have {result} {target}.",
        "zh": "换算下来是{result}{target}。\n{amount}{source}合{result}{target}。",
    },
    "set_reminder": {
        "en": "All set: {text} at {time}.\nI have noted a reminder for {time}.",
        "zh": "没问题,{time}叫你{text}。\n提醒已添加,时间{time}。",
    },
    "track_order": {
        "en": "{order_id} is {status}. Place: {place}.\nIt is {status} and should come on {arrives}.",
        "zh": "{order_id}目前{status},位置在{place}。\n状态是{status},{arrives}能到。",
    },
    "search_trains": {
        "en": "{train} departs at {departs} and arrives at {arrives}.\nI found {train}: {departs} to {arrives}.",
        "zh": "找到{train},{departs}发车,{arrives}到站。\n{departs}有{train},{arrives}到{destination}。",
    },
    "send_message": {
        "en": "{recipient} will get your message right away.\nThe message went to {recipient}.",
        "zh": "给{recipient}的消息发出去了。\n已经告诉{recipient}。",
    },
    "book_room": {
        "en": "You have {room} on {date}; keep the code {code}.\n{room} is yours, code {code}.",
        "zh": "{date}的{room}留好了,号码{code}。\n{room}预订成功,编号{code}。",
    },
    "get_stock_price": {
        "en": "{symbol} trades at {price} {currency}.\nRight now {symbol} is {price} {currency}.",
        "zh": "{symbol}目前报{price}{currency}。\n{symbol}一股{price}{currency}。",
    },
}
