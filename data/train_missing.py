"""Requests to the sample tools that leave out an argument, and the questions back, for the training sets.

No sentence is also in `heldout_turns`.
"""

from __future__ import annotations

# tool -> language -> (requests that leave out one argument, questions back)
MISSING: dict[str, dict[str, tuple[str, str]]] = {
    "get_weather": {
        "en": (
            """
What is the weather in {city}?
Weather in {city} please.
Will it rain in {city}?
I am going to {city}, how is the weather?
How is the weather in {city}?
Is it cold in {city}?
Check the weather of {city} for me.
Forecast for {city}, please.
I need a forecast for {city}.
Do I need an umbrella in {city}?
We will go to {city}. Is it sunny there?
Weather {city}
""",
            """
For which date?
Which day do you mean?
What day should I look at?
Please tell me the date.
""",
        ),
        "zh": (
            """
{city}天气怎么样?
查一下{city}的天气。
{city}会下雨吗?
我要去{city},天气好吗?
{city}冷吗?
我要{city}的天气预报。
请查{city}天气。
{city}要带伞吗?
想去{city},天气怎样?
{city}天气
帮我看{city}的气温。
""",
            """
请问是哪一天?
要查哪天的天气?
是哪一天呢?
请告诉我日期。
""",
        ),
    },
    "convert_currency": {
        "en": (
            """
Convert {amount} {source}.
I want to exchange {amount} {source}.
What is {amount} {source} worth?
Please change {amount} {source}.
I have {amount} {source} to exchange.
Exchange {amount} {source} for me.
{amount} {source}, how much is that?
I need to convert {amount} {source}.
Can you swap {amount} {source}?
My {amount} {source} should be changed.
""",
            """
Into which currency?
Which currency do you want?
To which currency?
Please name the currency you need.
""",
        ),
        "zh": (
            """
我想兑换{amount}{source}。
把{amount}{source}换一下。
{amount}{source}值多少?
帮我换{amount}{source}。
{amount}{source}能换多少?
请换算{amount}{source}。
{amount}{source}换钱。
我要换{amount}{source}。
帮忙把{amount}{source}兑掉。
""",
            """
请问换成哪种货币?
要换成什么货币?
换成哪国的钱?
请告诉我目标货币。
""",
        ),
    },
    "set_reminder": {
        "en": (
            """
Remind me to {text}.
Set a reminder: {text}.
I have to {text}, please remind me.
Do not let me forget to {text}.
I need a reminder to {text}.
Make a reminder: {text}.
Remember for me: {text}.
Please set an alarm, I have to {text}.
Can you remind me to {text}?
Reminder to {text}, please.
""",
            """
At what time?
When shall I remind you?
What time do you want?
For which time?
""",
        ),
        "zh": (
            """
提醒我{text}。
帮我设个提醒:{text}。
我要{text},记得提醒我。
别让我忘了{text}。
请提醒我去{text}。
设置提醒:{text}。
加一个提醒,{text}。
我得{text},提醒一下。
帮我记住要{text}。
""",
            """
几点提醒您?
请问什么时间?
什么时候提醒?
请说一下时间。
""",
        ),
    },
    "track_order": {
        "en": (
            """
Where is my order?
Track my parcel please.
I want to know the status of my order.
Has my order been shipped?
Track my order.
When does my parcel come?
Please check my order.
I am waiting for my package.
What happened to my order?
Can you tell me where my parcel is?
""",
            """
What is the order number?
Please give me the order number.
Which order is it? Give me the number.
I need the order number.
""",
        ),
        "zh": (
            """
我的订单到哪里了?
帮我查快递。
我想知道订单的状态。
我的订单发货了吗?
查一下我的订单。
我的包裹什么时候到?
我在等快递。
请看看我的订单。
订单怎么还没到?
""",
            """
请问订单号是多少?
请告诉我订单号。
订单号是什么?
请给我订单号。
""",
        ),
    },
    "search_trains": {
        "en": (
            """
I need a train from {origin} on {date}.
Which trains leave {origin} on {date}?
Find me a train on {date}, I start in {origin}.
Trains from {origin}, {date}.
I want a train on {date} from {origin}.
On {date} I leave {origin} by train.
Look up trains from {origin}, the date is {date}.
I go by train from {origin} on {date}.
Is there any train out of {origin} on {date}?
Please find a train for {date}, from {origin}.
""",
            """
Where do you want to go?
What is your destination?
To which place?
Where should the train go?
""",
        ),
        "zh": (
            """
{date}从{origin}出发的火车有哪些?
我{date}要从{origin}坐火车。
查{date}{origin}出发的车次。
帮我找{origin}的火车,{date}。
我{date}从{origin}出发,查火车。
{origin}出发的火车,{date}。
{date}想从{origin}坐车走。
请查{origin}的列车,{date}的。
从{origin}走的车,{date}有吗?
""",
            """
请问要去哪里?
目的地是哪里?
到哪里去?
请告诉我目的地。
""",
        ),
    },
    "send_message": {
        "en": (
            """
Send a message to {recipient}.
I want to write to {recipient}.
Message {recipient} please.
Can you text {recipient}?
Write to {recipient}.
I need to text {recipient}.
Please send something to {recipient}.
Can you message {recipient} for me?
A message to {recipient}, please.
Let us write {recipient} a message.
""",
            """
What should the message say?
What shall I write?
What is the message?
Please tell me the text.
""",
        ),
        "zh": (
            """
给{recipient}发个消息。
我想联系{recipient}。
帮我给{recipient}发短信。
能给{recipient}留言吗?
发消息给{recipient}。
写信息给{recipient}。
请通知{recipient}。
我要给{recipient}发信息。
麻烦发条短信给{recipient}。
""",
            """
请问内容是什么?
要写什么?
消息写什么?
请告诉我内容。
""",
        ),
    },
    "book_room": {
        "en": (
            """
Book {room} on {date}.
I need {room} for {date}.
Please reserve {room}, {date}.
Can I have {room} on {date}?
We need {room}, on {date}.
Get me {room} on {date}.
{room} on {date}, please.
I would like {room} for {date}.
Is {room} free on {date}? I want to book it.
Please hold {room} on {date}.
""",
            """
For how many people?
How many of you are there?
How many people will come?
What is the size of your group?
""",
        ),
        "zh": (
            """
预订{date}的{room}。
我要订{room},{date}用。
请订{room},日期{date}。
{date}能用{room}吗?帮忙订。
帮我订{room},{date}。
{date}要{room}。
请预约{room},{date}的。
想用{room},日子是{date}。
订一下{date}的{room}。
""",
            """
请问有多少人?
一共几位?
有几个人?
请告诉我人数。
""",
        ),
    },
    "get_stock_price": {
        "en": (
            """
I want to check a stock price.
How is my stock doing?
Give me a stock quote.
Look up a share price please.
Check a stock for me.
What is my stock worth?
I need the price of a share.
Tell me a stock price.
Can you look up a stock?
How are shares doing?
""",
            """
Which symbol?
What is the symbol of the stock?
What stock do you mean?
Please give me the symbol.
""",
        ),
        "zh": (
            """
我想查股价。
我的股票怎么样了?
报一下股票价格。
帮忙查个股票。
查一个股票。
看看股票价格。
我要知道股价。
股票现在多少钱?
请帮我看股票。
""",
            """
请问股票代码是什么?
哪只股票?
股票代码是多少?
请给我代码。
""",
        ),
    },
}
