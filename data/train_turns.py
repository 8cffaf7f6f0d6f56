"""Sentences for the less direct turns of the tool samples, for the training sets, in both languages.

Missing values when they are given, calls that depend on an earlier result, joined requests, tool errors and words
around a request. No sentence is also in `heldout_turns`.
"""

from __future__ import annotations

# How the missing value {v} is then given
SUPPLY = {
    "en": """
{v}
{v}, please.
It is {v}.
{v}.
Sorry, I forgot: {v}.
I mean {v}.
Make it {v}.
Ah, {v}.
Right, {v}.
Well, {v}.
Let us say {v}.
{v}, I think.
Of course: {v}.
It should be {v}.
{v}, sorry.
I would say {v}.
Take {v}.
Hmm, {v}.
Good question. {v}.
Yes: {v}.
{v} it is.
Please use {v}.
""",
    "zh": """
{v}
是{v}。
{v},谢谢。
不好意思,{v}。
我说的是{v}。
就{v}吧。
嗯,{v}。
那就{v}。
对了,{v}。
{v}就行。
啊,是{v}。
可以{v}吗?
用{v}。
就是{v}。
{v}。
好的,{v}。
抱歉忘了说,{v}。
写{v}吧。
改成{v}好了。
应当用{v}。
""",
}

# chain -> language -> requests; the second call takes its values from the first result
CHAIN: dict[str, dict[str, str]] = {
    "order_weather": {
        "en": """
Where is order {order_id}, and what is the weather there on the day it arrives?
Track {order_id} and then check the weather at that place for the arrival date.
Please find order {order_id}. I also want the weather of its place on the arrival day.
Check on {order_id}; after that, the forecast for the place and date it shows.
Look at order {order_id} and see how the weather is there when it arrives.
First track {order_id}, then tell me the weather where it is on its arrival day.
Find {order_id} and the weather of that town for the day of arrival.
I want to know where {order_id} is and if it rains there on the arrival date.
Get the status of {order_id}; then look at the weather for its place and arrival.
When {order_id} arrives, how is the weather there? Track it first.
Tell me the place of order {order_id} and the forecast there when it comes.
I am curious about order {order_id}: where is it now, and what will the weather be there on arrival?
Look up {order_id}, and with its place and arrival date get a forecast.
Can you follow {order_id} and say if it is sunny there when it comes in?
Order {order_id}: find its place, then the weather there for the day it arrives.
See where {order_id} is. Then I need to know if it is cold there on the arrival date.
My parcel {order_id} is travelling. What weather has it at its place on the day of arrival?
Status of {order_id} first, weather of that town on the arrival day second.
Trace {order_id} for me and add the forecast for where it is and when it arrives.
How is the weather at the place of {order_id} on its arrival date?
""",
        "zh": """
查订单{order_id},再看看它所在地到达那天的天气。
{order_id}到哪了?顺便查那里到达日的天气。
先查{order_id},然后查那个地方到货那天的天气。
看一下订单{order_id},也告诉我那里到达当天的天气。
订单{order_id}在哪里,那里到达当天天气如何?
请跟踪{order_id},并查询它到达时当地的天气。
查{order_id}的位置,还要那里到达日的天气预报。
{order_id}到货那天,那个地方天气怎样?先查订单。
告诉我{order_id}在哪,再报那里到达日天气。
包裹{order_id}现在在哪个城市,到达那天那里天气好吗?
查{order_id}物流,再看那个城市到货日的天气。
我想知道{order_id}在哪,以及到达时那边下不下雨。
用订单{order_id}的位置和到达日查天气。
帮我跟踪{order_id},再报当地到达那天的预报。
{order_id}走到哪了,那里到达那天冷不冷?
先看{order_id}的状态,再看那个地方到达日是什么天气。
查一下{order_id},然后告诉我它所在城市到货那天的气温。
""",
    },
    "train_reminder": {
        "en": """
Find a train from {origin} to {destination} on {date} and remind me to {text} when it departs.
Trains from {origin} to {destination} on {date}? Then set a reminder to {text} at the departure time.
Search the {date} train from {origin} to {destination}, and at its departure remind me to {text}.
I go from {origin} to {destination} on {date}. Get the train and remind me to {text} at the time it leaves.
Please find a train on {date} from {origin} to {destination} and set a reminder for its departure: {text}.
{origin} to {destination}, {date}: find the train, and when it departs remind me to {text}.
I take a train from {origin} to {destination} on {date}. Look it up and at departure time remind me to {text}.
Look up trains from {origin} to {destination} for {date}, then add a reminder to {text} at departure.
Which train goes from {origin} to {destination} on {date}? At its departure I have to {text}, remind me.
Please check trains {origin} to {destination}, {date}, and set me a reminder for when it goes: {text}.
On {date} I travel {origin} to {destination} by rail. When the train starts I must {text}; remind me.
Get me the train from {origin} to {destination}, {date}. A reminder at departure too, please: {text}.
Find the train on {date}, {origin} to {destination}. I have to {text} at its departure, so remind me then.
Is there a train {origin} to {destination} on {date}? Add a reminder at the time it departs: {text}.
Going from {origin} to {destination} on {date}; look for a train and remind me at departure to {text}.
See which train goes to {destination} from {origin} on {date}, then ping me at departure to {text}.
I need a train to {destination} on {date}, starting in {origin}, and a reminder to {text} when it starts.
Check the rail from {origin} to {destination} for {date} and remind me to {text} once it departs.
""",
        "zh": """
查{date}从{origin}到{destination}的火车,发车时提醒我{text}。
找{origin}到{destination}{date}的列车,到发车时间提醒我{text}。
{date}我从{origin}去{destination},查车次,并在发车时间提醒我{text}。
先看{date}{origin}到{destination}的车,再设提醒,出发时间{text}。
请查{origin}到{destination}的火车,{date}的,出发时提醒我{text}。
{date}坐火车,{origin}到{destination},查一下并在出发时间提醒我{text}。
找{date}从{origin}去{destination}的车次,然后设一个出发时的提醒:{text}。
{origin}到{destination},{date},查火车,车走的时候提醒我{text}。
帮我看{date}{origin}到{destination}的火车,再加个发车提醒,{text}。
帮我找{date}{origin}去{destination}的火车,开车的时候提醒我{text}。
查火车,{date},从{origin}到{destination},发车那一刻提醒我去{text}。
{date}要从{origin}坐车到{destination},找一班,出发时叫我{text}。
看看{origin}到{destination}有什么车,{date}的,再按发车时间设提醒:{text}。
先查{date}从{origin}开往{destination}的车次,发车时我要{text},请提醒。
我要坐火车从{origin}去{destination},{date},车开时提醒{text}。
{date}{origin}去{destination}的列车帮我查,并在它开的时间提醒我{text}。
找一趟{origin}到{destination}的车,{date}走,发车时间设个提醒,{text}。
""",
    },
    "stock_convert": {
        "en": """
What is {symbol} worth in {target}?
Check the price of {symbol} and convert it to {target}.
How much is a share of {symbol} in {target}?
Get the quote of {symbol}, then change the price into {target}.
Tell me the {symbol} stock price in {target}.
Give me the price of {symbol} in {target}.
How many {target} is one {symbol} share?
Find the {symbol} quote and show it as {target}.
I want to know what {symbol} costs in {target}.
First the stock price of {symbol}, then the same in {target}.
Look up {symbol} and exchange the price for {target}.
Tell me how much one {symbol} is, in {target}.
I pay in {target}. What does a {symbol} share cost me?
Could you get {symbol} from the market and turn its price into {target}?
The value of {symbol}, but in {target}, please.
Show the {symbol} price after conversion to {target}.
If I sell one {symbol}, how many {target} do I get?
Look at {symbol} first; the price should then be changed to {target}.
Quote {symbol} and convert that to {target}.
Price of {symbol} converted into {target}?
One share of {symbol}, counted in {target}.
""",
        "zh": """
{symbol}的股价换成{target}是多少?
查{symbol}的价格,再换算成{target}。
{symbol}一股折合多少{target}?
先看{symbol}的报价,然后兑成{target}。
{symbol}股票等于多少{target}?
请查{symbol}股价并换成{target}。
想知道{symbol}一股是多少{target}。
{symbol}的报价,换算成{target}告诉我。
查到{symbol}的价格后,兑换成{target}。
我用{target}付钱,一股{symbol}要多少?
{symbol}现在的价格用{target}表示是多少?
卖掉一股{symbol}能得多少{target}?
查{symbol},价格要{target}的。
报{symbol}的价,并折成{target}。
{symbol}的价格转成{target}。
请看{symbol}的行情,再换为{target}。
一股{symbol}相当于几{target}?
""",
    },
    "room_message": {
        "en": """
Book {room} on {date} for {people} people and send the booking code to {recipient}.
Reserve {room} for {people} people on {date}, then message {recipient} the code.
Please get {room} on {date}, {people} people, and text {recipient} the booking code.
I need {room} for {people} on {date}. Afterwards send {recipient} the code.
Please book {room}, {date}, {people} people, and tell {recipient} the booking code.
{people} people need {room} on {date}. Book it and send the code to {recipient}.
Book {room} for {people} on {date} and let {recipient} know the code.
Make a booking of {room} on {date} for {people}; {recipient} should get the code in a message.
First book {room} on {date} for {people} people, then write the code to {recipient}.
Get {room} for {people} on {date}, and {recipient} needs the code as a message.
We are {people} and meet on {date}: reserve {room}, then pass the code on to {recipient}.
Reserve {room} on {date} ({people} people). Send the code you get to {recipient}.
Could you book {room} for {date}, {people} people, and message its code to {recipient}?
Take {room} on {date} for {people} people and write {recipient} the booking code.
After you book {room} for {people} people on {date}, text the code to {recipient}.
Arrange for {people} people to have {room} on {date} and inform {recipient} of the code.
{date}, {room}, {people} people: book, then forward the code to {recipient}.
{recipient} waits for the code of {room}; book it on {date} for {people} people and send it.
""",
        "zh": """
订{date}的{room},{people}人,再把预订号发给{recipient}。
预订{room},{date},{people}个人,然后把预订号告诉{recipient}。
请订{room}给{people}人,{date}用,预订号发给{recipient}。
{date}{people}人用{room},订好后把预订号发消息给{recipient}。
先订{room},{date},{people}人,再通知{recipient}预订号。
请预约{date}的{room},{people}位,并把预订号告诉{recipient}。
帮我订{room},{people}人,{date},订好后给{recipient}发预订号。
{room},{date},{people}个人,订完把预订号发给{recipient}。
订{date}的{room}给{people}人用,再把号码发给{recipient}。
{people}个人{date}要用{room},订下来,把预订号转给{recipient}。
订{room},{date}的,我们{people}个人,订完给{recipient}发短信说预订号。
{recipient}在等预订号:请订{date}的{room},{people}人,再发过去。
把{room}订到{date},{people}位,号码发给{recipient}。
先预约{date}{room}给{people}个人,再给{recipient}留言预订号。
麻烦订{people}人的{room},{date}那天,预订号请告知{recipient}。
安排{room}给我们{people}人,{date}用,预订号让{recipient}知道。
订好{date}{people}人的{room}后,预订号用消息发给{recipient}。
""",
    },
}

JOIN = {
    "en": """
{a} And {b}
{a} Also: {b}
{a} {b}
{a} One more thing: {b}
Two things. {a} {b}
One: {a} Two: {b}
{a} Then {b}
{a} As well: {b}
{a} Next, {b}
{a} Another thing: {b}
{a} Please also do this: {b}
1. {a} 2. {b}
{a} After that, {b}
I need two things. {a} {b}
{a} Oh, and {b}
{a} Finally: {b}
(1) {a} (2) {b}
A) {a} B) {b}
To begin, {a} Then, {b}
{a} In addition, {b}
{a} At the same time, {b}
Number one: {a} Number two: {b}
Do both, please. {a} {b}
Start with this: {a} Go on with this: {b}
{a} When you are done, {b}
On the one hand, {a} On the other hand, {b}
{a} Plus, {b}
- {a} - {b}
{a} ... {b}
I have two questions. {a} {b}
My list: {a} {b}
{a} Not only that, {b}
""",
    "zh": """
{a}还有,{b}
{a}另外,{b}
{a}{b}
两件事:{a}{b}
{a}顺便,{b}
一是{a}二是{b}
先{a}再{b}
{a}以及,{b}
{a}然后{b}
{a}再一个,{b}
{a}对了,{b}
1、{a}2、{b}
{a}接着{b}
帮我做两件事,{a}{b}
{a}此外{b}
{a}最后,{b}
(1){a}(2){b}
首先,{a}其次,{b}
{a}除此之外,{b}
{a}与此相关,{b}
请都办一下,{a}{b}
先做这个,{a}再做那个,{b}
{a}完成以后,{b}
一方面{a}另一方面{b}
{a}加上{b}
甲、{a}乙、{b}
有两个问题,{a}{b}
我的清单:{a}{b}
{a}不光这样,{b}
{a}忘了说,{b}
""",
}

ERRORS = {
    "get_weather": "no forecast for this date",
    "convert_currency": "unknown currency",
    "set_reminder": "reminder list is full",
    "track_order": "order not found",
    "search_trains": "no trains on this day",
    "send_message": "contact is blocked",
    "book_room": "room is already taken",
    "get_stock_price": "market data is offline",
}

SORRY = {
    "en": """
Sorry, that did not work: {error}.
I am sorry, the tool says: {error}.
Unfortunately it failed: {error}.
""",
    "zh": """
抱歉,没有成功:{error}。
对不起,工具返回错误:{error}。
很遗憾,失败了:{error}。
""",
}

# Words around a request, in some of the rows
FRAME = {
    "en": """
Hello! {a}
{a} Thanks!
{a} Thank you.
I need some help. {a}
Quick question: {a}
{a} It is important.
{a} I hope you can help.
Good day. {a}
{a} That would be great.
{a} No hurry.
Sorry, me again. {a}
My boss wants to know. {a}
{a} I have to plan my week.
Ok, now this: {a}
Thanks for that. {a}
{a} Please be quick.
""",
    "zh": """
你好,{a}
{a}谢谢!
{a}麻烦了。
请帮个忙。{a}
问一下,{a}
{a}这很重要。
{a}希望你能帮我。
{a}不急。
又是我。{a}
老板想知道。{a}
{a}我要安排时间。
好,现在这个:{a}
多谢。{a}
{a}快一点。
""",
}
