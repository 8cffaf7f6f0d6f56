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
Can you see what the weather does in {city}?
What should I wear in {city}?
Temperature in {city}, please.
Sun or clouds in {city}?
I want to visit {city}. Will it be warm?
Please find out if {city} gets snow.
My parents are in {city}. Is it raining there?
Give me the weather for {city}.
Look up {city} in the forecast.
Is there a storm over {city}?
How windy is {city}?
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
{city}热吗?
{city}气温多少?
{city}有雪吗?
去{city}穿什么好?
我爸妈在{city},那里下雨吗?
报一下{city}天气。
{city}晴天吗?
看看{city}有没有风。
我想去{city}旅游,天气好不好?
{city}的天气预报,谢谢。
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
How much money is {amount} {source}?
I brought {amount} {source} home and need other money.
Turn {amount} {source} into something else.
Work out {amount} {source} for me.
Currency exchange: {amount} {source}.
There are {amount} {source} in my wallet. Change them, please.
Let me trade {amount} {source}.
Do a conversion of {amount} {source}.
What would {amount} {source} be abroad?
They paid me {amount} {source}, please convert.
Could I exchange {amount} {source}?
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
{amount}{source}是多少钱?
手上有{amount}{source},想换掉。
算一下{amount}{source}。
换汇:{amount}{source}。
{amount}{source}折合多少?
公司付了{amount}{source},帮我换算。
能换{amount}{source}吗?
把这{amount}{source}兑换一下。
想知道{amount}{source}相当于多少。
{amount}{source},换成外币。
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
I keep forgetting to {text}. Remind me.
Please note: {text}.
Later I have to {text}, remind me of it.
Put {text} on my reminders.
Help me not to forget to {text}.
An alarm, please: {text}.
Would be good if you remind me to {text}.
Add a reminder that I must {text}.
I should {text} today. Ping me.
Create a reminder to {text}.
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
我老忘记{text},提醒我吧。
记一下:{text}。
待会要{text},提醒我。
新建提醒,内容是{text}。
定个闹钟,我要{text}。
麻烦提醒我{text}。
今天得{text},到时叫我。
可以提醒我去{text}吗?
{text}这事别让我忘。
创建提醒:{text}。
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
Is my delivery on the way?
I ordered something days ago. Where is it?
Find out where my things are.
My order has not come yet.
When will my delivery arrive?
Please trace my shipment.
Give me the status of my purchase.
Did the shop send my order?
Look for my parcel, please.
I would like to follow my delivery.
The courier did not come. Check my order.
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
我买的东西到哪了?
几天前下的单,还没收到。
帮我跟踪包裹。
快递员没来,查查订单。
我的货在路上吗?
想看看订单状态。
什么时候送到?查下订单。
商店发货没有?
找一下我的快递。
我要查物流。
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
My journey begins in {origin} on {date}. Which train?
I will be in {origin} on {date} and need a train.
Show the trains that depart {origin} on {date}.
Get me out of {origin} by rail on {date}.
Train on {date}, departure {origin}.
I have to leave {origin} on {date}. Look for trains, please.
Check the {date} trains that start in {origin}.
We go by rail from {origin}, {date}.
Are there trains on {date}? I am in {origin}.
Book list of trains from {origin} for {date}, please.
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
{date}我在{origin},要坐火车。
我要离开{origin},{date}的火车。
看看{date}{origin}发车的列车。
坐火车,{origin}出发,{date}走。
{date}有从{origin}开的车吗?
帮忙看{origin}{date}的车次。
我们{date}从{origin}坐火车去旅行。
想查火车,{origin}上车,{date}。
{origin},{date},有火车吗?
请看看{date}离开{origin}的车。
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
I must tell {recipient} something.
{recipient} should hear from me. Send a message.
Get in touch with {recipient}.
Drop {recipient} a line for me.
Start a message to {recipient}.
I owe {recipient} a message.
Let me send {recipient} a text.
Could you reach {recipient}?
Say something to {recipient} from me.
New text for {recipient}, please.
Pass a note to {recipient}.
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
我有话要告诉{recipient}。
替我跟{recipient}说一声。
和{recipient}联系一下。
开一条给{recipient}的消息。
{recipient}在等我的消息,发一条。
我欠{recipient}一条信息。
请转告{recipient}。
新短信,收件人{recipient}。
帮忙告诉{recipient}一件事。
能联系上{recipient}吗?
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
Our meeting is on {date}, in {room}. Please book.
Make a booking of {room}, {date}.
Keep {room} for us on {date}.
We meet on {date}, so reserve {room}.
I want to use {room} on {date}.
Schedule {room} for {date}.
Please block {room} on {date}.
There is a workshop on {date}. Take {room}.
Could I reserve {room} on {date}?
Room wanted: {room}, {date}.
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
我们{date}开会,订{room}。
{room}留给我们,{date}。
{date}有活动,请安排{room}。
把{room}订下来,{date}用。
能预订{room}吗?{date}的。
{date}的{room}还空着吗?订一下。
需要会议室{room},{date}。
给我们留{date}的{room}。
想预定{room},{date}那天。
{room},{date},请预订。
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
What is the price of my stock?
I hold some shares. How much are they?
Market price of a share, please.
Show me a quote.
Is my share going up?
Please get me a stock price.
Should I sell my stock? Check its price.
How much does a share cost?
Let me see the price of one stock.
I am curious about a stock.
Find a quote for my shares.
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
我有些股票,现在多少钱?
给我看看行情。
查一下我那只股票的价格。
股票涨了吗?
要不要卖股票?先查价格。
一股多少钱?
报个价吧,股票的。
请查股票行情。
我关心一只股票。
想看看股票报价。
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
