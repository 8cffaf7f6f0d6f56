"""Requests to the sample tools and the answers, for the training sets, in English and Chinese.

Every entry is a block of sentences, one a line; slots such as {city} are filled with
argument values. No sentence is in both `train_phrases` and `heldout_phrases`.
"""

from __future__ import annotations

Blocks = dict[str, dict[str, str]]

ASK: Blocks = {
    "get_weather": {
        "en": """
What will the weather be like in {city} on {date}?
How is the weather in {city} on {date}?
Weather for {city}, {date}.
I am travelling to {city} on {date}. Will it rain?
On {date} I will be in {city}, what weather should I expect?
Could you check the forecast for {city} on {date}?
Please tell me how warm {city} will be on {date}.
{date}: is it sunny in {city}?
Do I need an umbrella in {city} on {date}?
Give me the {date} forecast for {city}.
Is {city} going to be cold on {date}?
We plan a picnic in {city} on {date}. How does the sky look?
forecast {city} {date}
Should I pack a coat for {city} on {date}?
I wonder if it snows in {city} on {date}.
Look up the weather on {date} in {city}, please.
Will {city} be windy on {date}?
""",
        "zh": """
{city}{date}的天气怎么样?
请查一下{city}在{date}的天气。
{date}{city}会下雨吗?
我{date}要去{city},天气如何?
帮我看看{date}那天{city}冷不冷。
{city}{date}需要带伞吗?
想知道{city}{date}的气温。
{date}在{city}适合野餐吗?
查天气:{city},{date}。
告诉我{date}{city}的天气预报。
{city}在{date}是晴天吗?
麻烦看一下{city}{date}有没有雪。
{date}我人在{city},要穿外套吗?
{city}{date}风大吗?
你能查到{city}{date}的天气吗?
""",
    },
    "convert_currency": {
        "en": """
How much is {amount} {source} in {target}?
Convert {amount} {source} to {target}.
Please change {amount} {source} into {target}.
I have {amount} {source}. What is that in {target}?
What do I get in {target} for {amount} {source}?
{amount} {source} to {target}
Can you work out {amount} {source} in {target}?
My hotel costs {amount} {source}; how many {target} is that?
In {target}, what is {amount} {source} worth?
I need {amount} {source} as {target}.
A friend paid {amount} {source}. Tell me the value in {target}.
Exchange {amount} {source} for {target}, how much would I have?
Could you give me the {target} value of {amount} {source}?
The price is {amount} {source}, please show it in {target}.
How many {target} do I need to buy {amount} {source}?
Turn {amount} {source} into {target}, please.
""",
        "zh": """
{amount}{source}等于多少{target}?
把{amount}{source}换成{target}。
请帮我算一下{amount}{source}是多少{target}。
我有{amount}{source},能换多少{target}?
{amount}{source}兑{target}
这本书要{amount}{source},折合{target}是多少?
想把{amount}{source}兑换成{target}。
用{target}来算,{amount}{source}值多少?
酒店收费{amount}{source},合多少{target}?
帮忙换算{amount}{source}到{target}。
{amount}{source}能兑换几{target}?
朋友给了我{amount}{source},请换算成{target}。
要买{amount}{source}需要多少{target}?
麻烦查一下{amount}{source}转{target}的金额。
请告诉我{amount}{source}相当于多少{target}。
""",
    },
    "set_reminder": {
        "en": """
Remind me at {time} to {text}.
Please remind me to {text} at {time}.
Set a reminder for {time}: {text}.
At {time} I have to {text}, do not let me forget.
I must {text} at {time}. Can you remind me?
Make a reminder to {text}, {time}.
Could you remind me at {time} that I should {text}?
{time}: {text}. Please note that as a reminder.
Do not let me forget to {text} at {time}.
I would like a reminder to {text} at {time}.
Ping me at {time} to {text}.
I need to {text} at {time}, so please set a reminder.
Put in a reminder: {text} at {time}.
When it is {time}, tell me to {text}.
A reminder at {time} please, to {text}.
Help me remember to {text} at {time}.
""",
        "zh": """
{time}提醒我{text}。
请在{time}提醒我{text}。
帮我设个提醒,{time}{text}。
我{time}要{text},别让我忘了。
设一个{time}的提醒:{text}。
到{time}的时候叫我{text}。
麻烦{time}提醒一下我{text}。
提醒我{text},时间是{time}。
我怕忘记{text},{time}提醒我吧。
新建提醒:{time},{text}。
能不能{time}提醒我{text}?
记得在{time}提醒我去{text}。
{time}我得{text},请提醒。
加个提醒,内容是{text},时间{time}。
请帮我记着{time}{text}。
""",
    },
    "track_order": {
        "en": """
Where is my order {order_id}?
Track order {order_id}.
What is the status of order {order_id}?
Has {order_id} been shipped yet?
Please check order {order_id} for me.
I ordered something last week, the number is {order_id}. When does it come?
My parcel {order_id} has not arrived. Where is it?
order {order_id} status
Can you look up {order_id}? It is an order of mine.
Is order {order_id} on its way?
Tell me how far order {order_id} has come.
I am waiting for {order_id}, any news?
Could you find out where package {order_id} is?
The order number is {order_id}; is it delivered?
Let me know the state of my order {order_id}.
When will order {order_id} get here?
""",
        "zh": """
我的订单{order_id}到哪里了?
查一下订单{order_id}。
订单{order_id}是什么状态?
{order_id}发货了吗?
请帮我查订单{order_id}的物流。
我上周买的东西,单号{order_id},什么时候到?
包裹{order_id}还没收到,在哪里?
订单号是{order_id},送到了吗?
帮我看看{order_id}这个订单。
{order_id}这一单到了没有?
我在等{order_id},有消息吗?
麻烦跟踪订单{order_id}。
能查到{order_id}的快递吗?
想知道订单{order_id}的进度。
订单{order_id}几时能送到?
""",
    },
    "search_trains": {
        "en": """
Which trains go from {origin} to {destination} on {date}?
Find a train from {origin} to {destination} on {date}.
I want to go from {origin} to {destination} on {date} by train.
Trains {origin} to {destination}, {date}.
On {date} I need a train to {destination} from {origin}.
Is there a train on {date} from {origin} to {destination}?
Please search trains leaving {origin} for {destination} on {date}.
How can I get to {destination} from {origin} by rail on {date}?
We leave {origin} on {date} and want to reach {destination} by train.
Look for train tickets from {origin} to {destination} for {date}.
What train connects {origin} and {destination} on {date}?
Could you check trains to {destination}? I start in {origin} on {date}.
train {origin} {destination} {date}
My trip is {origin} to {destination}, on {date}. Any trains?
For {date}, show me the train from {origin} to {destination}.
I am in {origin} and must be in {destination} on {date}, please find a train.
""",
        "zh": """
{date}从{origin}到{destination}有哪些火车?
帮我查{date}{origin}到{destination}的火车。
我{date}要从{origin}去{destination},有车吗?
找一下{origin}到{destination}的列车,{date}。
请问{date}有{origin}开往{destination}的火车吗?
{date}想坐火车从{origin}到{destination}。
查火车票:{origin}到{destination},{date}。
从{origin}出发,{date}去{destination},坐哪趟车?
我人在{origin},{date}得到{destination},帮我找车次。
麻烦看看{date}由{origin}到{destination}的车次。
{origin}去{destination}的火车,日期{date}。
{date}去{destination}的火车有吗?从{origin}走。
我们{date}离开{origin}去{destination},有什么列车?
能查{date}从{origin}到{destination}的火车吗?
请搜索{origin}到{destination}{date}的火车。
""",
    },
    "send_message": {
        "en": """
Send {recipient} a message: {text}.
Tell {recipient}: {text}.
Please message {recipient} and say {text}.
Write to {recipient} that {text}.
Can you let {recipient} know that {text}?
Message for {recipient}: {text}.
Text {recipient}: {text}.
I want to tell {recipient} that {text}.
Could you send a message to {recipient} saying {text}?
Send "{text}" to {recipient}.
{recipient} should know that {text}, please message them.
Drop {recipient} a line: {text}.
Please pass this on to {recipient}: {text}.
Say {text} to {recipient} in a message.
Let {recipient} know: {text}.
A short message to {recipient} please: {text}.
""",
        "zh": """
给{recipient}发消息:{text}。
告诉{recipient}{text}。
请发短信给{recipient},说{text}。
帮我通知{recipient},{text}。
跟{recipient}说一声{text}。
发给{recipient}:{text}。
麻烦转告{recipient}:{text}。
把“{text}”发给{recipient}。
我想告诉{recipient},{text}。
请给{recipient}留言:{text}。
能帮我给{recipient}发条消息吗?内容是{text}。
写条消息给{recipient}:{text}。
让{recipient}知道{text}。
对{recipient}说:{text}。
给{recipient}发个信息,内容:{text}。
""",
    },
    "book_room": {
        "en": """
Book {room} on {date} for {people} people.
Please reserve {room} for {people} people on {date}.
I need {room} on {date}, we are {people} people.
Can I have {room} for {people} on {date}?
On {date}, book {room} for {people}.
We want to meet in {room} on {date}. There will be {people} of us.
Reserve {room}, {date}, {people} people.
Is {room} free on {date}? If so, book it for {people} people.
There are {people} of us on {date}, please book {room}.
Get me {room} for a meeting of {people} on {date}.
Make a booking for {people} people in {room} on {date}.
{people} people will meet on {date}; reserve {room} please.
Could you book the room {room} for {people} people on {date}?
book {room} {date} {people} people
I would like to reserve {room} on {date} for a group of {people}.
Hold {room} for us on {date}, {people} people.
""",
        "zh": """
预订{room},{date},{people}个人。
帮我订{date}的{room},一共{people}人。
请在{date}预订{room},{people}人使用。
我们{people}个人{date}要用{room}。
{date}有{people}人开会,请订{room}。
想订{room},日期{date},人数{people}。
能预约{date}的{room}吗?我们有{people}位。
麻烦订一下{room},{date},{people}位。
订会议室{room},{people}人,{date}。
{date}{room}有空吗?有的话帮{people}个人订上。
请给{people}个人预订{date}的{room}。
{date}那天我们{people}人想在{room}开会,帮忙订。
需要{room},{people}人,{date}用。
把{room}在{date}留给我们,{people}人。
我要预约{room},{people}个人,时间是{date}。
""",
    },
    "get_stock_price": {
        "en": """
What is the stock price of {symbol}?
How is {symbol} trading now?
Price of {symbol} please.
Check the {symbol} share price.
Tell me what {symbol} stock costs.
How much is one share of {symbol}?
Look up {symbol} on the stock market.
Give me a quote for {symbol}.
I own {symbol} shares, what are they worth?
{symbol} stock?
Can you see the current price of {symbol}?
Is {symbol} up today? What is the price?
I am thinking of buying {symbol}. How much is it?
Please get the latest quote on {symbol}.
What does {symbol} stand at?
Show me the share value of {symbol}.
""",
        "zh": """
{symbol}的股价是多少?
查一下股票{symbol}。
{symbol}现在多少钱一股?
请告诉我{symbol}的最新股价。
帮我看看{symbol}的行情。
我想买{symbol}的股票,现在什么价?
{symbol}股价
{symbol}今天涨了吗?价格多少?
麻烦查{symbol}的报价。
股票{symbol}值多少钱?
我手里有{symbol},现在价格怎样?
能看一下{symbol}的股票价格吗?
给我{symbol}的报价。
{symbol}这只股票现在是什么价格?
想了解{symbol}的当前股价。
""",
    },
}

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
