"""Sentences for the less direct turns of the tool samples.

Missing arguments (ask, question back, supply), calls that depend on an earlier
result, joined requests, tool errors and turns without any call. As in
`train_phrases` and `heldout_phrases`, the training and the held-out sentences are different ones.
"""

from __future__ import annotations

# tool -> argument that is left out
MISSING_ARGUMENT = {
    "get_weather": "date",
    "convert_currency": "target",
    "set_reminder": "time",
    "track_order": "order_id",
    "search_trains": "destination",
    "send_message": "text",
    "book_room": "people",
    "get_stock_price": "symbol",
}
# tool -> language -> (requests, questions back)
TRAIN_MISSING: dict[str, dict[str, tuple[str, str]]] = {
    "get_weather": {
        "en": (
            (
                "What is the weather in {city}?\n"
                "Weather in {city} please.\n"
                "Will it rain in {city}?\n"
                "I am going to {city}, how is the weather?"
            ),
            "For which date?\nWhich day do you mean?",
        ),
        "zh": (
            "{city}天气怎么样?\n查一下{city}的天气。\n{city}会下雨吗?\n我要去{city},天气好吗?",
            "请问是哪一天?\n要查哪天的天气?",
        ),
    },
    "convert_currency": {
        "en": (
            (
                "Convert {amount} {source}.\n"
                "I want to exchange {amount} {source}.\n"
                "What is {amount} {source} worth?\n"
                "Please change {amount} {source}."
            ),
            "Into which currency?\nWhich currency do you want?",
        ),
        "zh": (
            (
                "我想兑换{amount}{source}。\n"
                "把{amount}{source}换一下。\n"
                "{amount}{source}值多少?\n"
                "帮我换{amount}{source}。"
            ),
            "请问换成哪种货币?\n要换成什么货币?",
        ),
    },
    "set_reminder": {
        "en": (
            (
                "Remind me to {text}.\n"
                "Set a reminder: {text}.\n"
                "I have to {text}, please remind me.\n"
                "Do not let me forget to {text}."
            ),
            "At what time?\nWhen shall I remind you?",
        ),
        "zh": (
            "提醒我{text}。\n帮我设个提醒:{text}。\n我要{text},记得提醒我。\n别让我忘了{text}。",
            "几点提醒您?\n请问什么时间?",
        ),
    },
    "track_order": {
        "en": (
            (
                "Where is my order?\n"
                "Track my parcel please.\n"
                "I want to know the status of my order.\n"
                "Has my order been shipped?"
            ),
            "What is the order number?\nPlease give me the order number.",
        ),
        "zh": (
            "我的订单到哪里了?\n帮我查快递。\n我想知道订单的状态。\n我的订单发货了吗?",
            "请问订单号是多少?\n请告诉我订单号。",
        ),
    },
    "search_trains": {
        "en": (
            (
                "I need a train from {origin} on {date}.\n"
                "Which trains leave {origin} on {date}?\n"
                "Find me a train on {date}, I start in {origin}.\n"
                "Trains from {origin}, {date}."
            ),
            "Where do you want to go?\nWhat is your destination?",
        ),
        "zh": (
            (
                "{date}从{origin}出发的火车有哪些?\n"
                "我{date}要从{origin}坐火车。\n"
                "查{date}{origin}出发的车次。\n"
                "帮我找{origin}的火车,{date}。"
            ),
            "请问要去哪里?\n目的地是哪里?",
        ),
    },
    "send_message": {
        "en": (
            (
                "Send a message to {recipient}.\n"
                "I want to write to {recipient}.\n"
                "Message {recipient} please.\n"
                "Can you text {recipient}?"
            ),
            "What should the message say?\nWhat shall I write?",
        ),
        "zh": (
            "给{recipient}发个消息。\n我想联系{recipient}。\n帮我给{recipient}发短信。\n能给{recipient}留言吗?",
            "请问内容是什么?\n要写什么?",
        ),
    },
    "book_room": {
        "en": (
            (
                "Book {room} on {date}.\n"
                "I need {room} for {date}.\n"
                "Please reserve {room}, {date}.\n"
                "Can I have {room} on {date}?"
            ),
            "For how many people?\nHow many of you are there?",
        ),
        "zh": (
            "预订{date}的{room}。\n我要订{room},{date}用。\n请订{room},日期{date}。\n{date}能用{room}吗?帮忙订。",
            "请问有多少人?\n一共几位?",
        ),
    },
    "get_stock_price": {
        "en": (
            (
                "I want to check a stock price.\n"
                "How is my stock doing?\n"
                "Give me a stock quote.\n"
                "Look up a share price please."
            ),
            "Which symbol?\nWhat is the symbol of the stock?",
        ),
        "zh": ("我想查股价。\n我的股票怎么样了?\n报一下股票价格。\n帮忙查个股票。", "请问股票代码是什么?\n哪只股票?"),
    },
}
HELDOUT_MISSING: dict[str, dict[str, tuple[str, str]]] = {
    "get_weather": {
        "en": ("How does the weather look in {city}?\nTell me about the weather in {city}.", "On what day?"),
        "zh": ("请看看{city}的天气。\n{city}那边热不热?", "您想知道哪天的?"),
    },
    "convert_currency": {
        "en": (
            "Please convert my {amount} {source}.\nI would like to change {amount} {source}.",
            "What currency should it become?",
        ),
        "zh": ("请把{amount}{source}兑一下。\n我有{amount}{source}要换。", "您要兑成什么?"),
    },
    "set_reminder": {
        "en": ("Could you remind me to {text}?\nPlease make sure that I {text}.", "What time suits you?"),
        "zh": ("你能提醒我{text}吗?\n请记着叫我{text}。", "想在几点?"),
    },
    "track_order": {
        "en": ("Can you find my order?\nMy package is late, please check.", "Could you tell me its number?"),
        "zh": ("能看看我的包裹吗?\n我的快递晚了,请查。", "您的单号是?"),
    },
    "search_trains": {
        "en": (
            (
                "Please look for trains, I leave {origin} on {date}.\n"
                "I am taking a train from {origin} on {date}, which one?"
            ),
            "Which town are you going to?",
        ),
        "zh": ("请找{date}在{origin}上车的列车。\n{date}我从{origin}坐车,有票吗?", "您到哪一站?"),
    },
    "send_message": {
        "en": ("I have something to tell {recipient}.\nPlease contact {recipient} for me.", "What is the text?"),
        "zh": ("请替我联系{recipient}。\n我有话跟{recipient}说。", "您想说什么?"),
    },
    "book_room": {
        "en": (
            "Could you get us {room} on {date}?\nWe want {room} for our meeting on {date}.",
            "What is the number of people?",
        ),
        "zh": ("请留{room}给我们,{date}。\n{date}我们要在{room}开会。", "多少人参加?"),
    },
    "get_stock_price": {
        "en": ("Please see what my shares are worth.\nI have a question about a stock.", "Please name the stock."),
        "zh": ("请看看我的股份值多少。\n想问一只股票。", "代码是哪个?"),
    },
}
TRAIN_SUPPLY = {
    "en": (
        "{v}\n{v}, please.\nIt is {v}.\n{v}.\nSorry, I forgot: {v}.\nI mean {v}.\nMake it {v}.\n"
        "Ah, {v}.\nRight, {v}.\nWell, {v}.\nLet us say {v}.\n{v}, I think.\nOf course: {v}."
    ),
    "zh": (
        "{v}\n是{v}。\n{v},谢谢。\n不好意思,{v}。\n我说的是{v}。\n就{v}吧。\n嗯,{v}。\n那就{v}。\n"
        "对了,{v}。\n{v}就行。\n啊,是{v}。\n可以{v}吗?"
    ),
}
HELDOUT_SUPPLY = {
    "en": "{v}, thank you.\nOh yes, {v}.\nThat would be {v}.",
    "zh": "哦,{v}。\n应该是{v}。\n{v},麻烦了。",
}

# chain -> language -> requests; the second call takes its values from the first result
TRAIN_CHAIN: dict[str, dict[str, str]] = {
    "order_weather": {
        "en": """
Where is order {order_id}, and what is the weather there on the day it arrives?
Track {order_id} and then check the weather at that place for the arrival date.
Please find order {order_id}. I also want the weather of its place on the arrival day.
Check on {order_id}; after that, the forecast for the place and date it shows.
Look at order {order_id} and see how the weather is there when it arrives.
""",
        "zh": """
查订单{order_id},再看看它所在地到达那天的天气。
{order_id}到哪了?顺便查那里到达日的天气。
先查{order_id},然后查那个地方到货那天的天气。
看一下订单{order_id},也告诉我那里到达当天的天气。
""",
    },
    "train_reminder": {
        "en": """
Find a train from {origin} to {destination} on {date} and remind me to {text} when it departs.
Trains from {origin} to {destination} on {date}? Then set a reminder to {text} at the departure time.
Search the {date} train from {origin} to {destination}, and at its departure remind me to {text}.
I go from {origin} to {destination} on {date}. Get the train and remind me to {text} at the time it leaves.
""",
        "zh": """
查{date}从{origin}到{destination}的火车,发车时提醒我{text}。
找{origin}到{destination}{date}的列车,到发车时间提醒我{text}。
{date}我从{origin}去{destination},查车次,并在发车时间提醒我{text}。
先看{date}{origin}到{destination}的车,再设提醒,出发时间{text}。
""",
    },
    "stock_convert": {
        "en": """
What is {symbol} worth in {target}?
Check the price of {symbol} and convert it to {target}.
How much is a share of {symbol} in {target}?
Get the quote of {symbol}, then change the price into {target}.
Tell me the {symbol} stock price in {target}.
""",
        "zh": """
{symbol}的股价换成{target}是多少?
查{symbol}的价格,再换算成{target}。
{symbol}一股折合多少{target}?
先看{symbol}的报价,然后兑成{target}。
""",
    },
    "room_message": {
        "en": """
Book {room} on {date} for {people} people and send the booking code to {recipient}.
Reserve {room} for {people} people on {date}, then message {recipient} the code.
Please get {room} on {date}, {people} people, and text {recipient} the booking code.
I need {room} for {people} on {date}. Afterwards send {recipient} the code.
""",
        "zh": """
订{date}的{room},{people}人,再把预订号发给{recipient}。
预订{room},{date},{people}个人,然后把预订号告诉{recipient}。
请订{room}给{people}人,{date}用,预订号发给{recipient}。
{date}{people}人用{room},订好后把预订号发消息给{recipient}。
""",
    },
}
HELDOUT_CHAIN: dict[str, dict[str, str]] = {
    "order_weather": {
        "en": (
            "I wonder about order {order_id}: where is it, and how is the weather there when it comes in?\n"
            "See where {order_id} is and give me the weather there for its arrival date."
        ),
        "zh": "帮我看{order_id}在哪,再看那里到货日期的天气。\n想知道{order_id}的位置,以及到达那天当地的天气。",
    },
    "train_reminder": {
        "en": (
            "Look for the train {origin} to {destination} on {date}; when it leaves, I want a reminder to {text}.\n"
            "Please check the train on {date} from {origin} to {destination}, then have me reminded to {text} then."
        ),
        "zh": (
            "帮我找{date}{origin}去{destination}的车,开车时间提醒我{text}。\n"
            "请看{origin}到{destination}的火车,{date},开车的时候叫我{text}。"
        ),
    },
    "stock_convert": {
        "en": (
            "I would like the price of {symbol}, but in {target}.\n"
            "Please quote {symbol} and give me the sum in {target}."
        ),
        "zh": "我要{symbol}的价格,用{target}表示。\n看看{symbol}多少钱,折成{target}。",
    },
    "room_message": {
        "en": (
            "Get us {room} on {date}, we are {people}, and let {recipient} have the booking code.\n"
            "Arrange {room} for {people} people on {date} and pass the code to {recipient}."
        ),
        "zh": (
            "帮忙安排{room},{date},{people}位,预订号给{recipient}发过去。\n"
            "请把{date}的{room}订给{people}人,再给{recipient}发预订号。"
        ),
    },
}
TRAIN_JOIN = {
    "en": (
        "{a} And {b}\n{a} Also: {b}\n{a} {b}\n{a} One more thing: {b}\nTwo things. {a} {b}\n"
        "One: {a} Two: {b}\n{a} Then {b}\n{a} As well: {b}"
    ),
    "zh": "{a}还有,{b}\n{a}另外,{b}\n{a}{b}\n两件事:{a}{b}\n{a}顺便,{b}\n一是{a}二是{b}\n先{a}再{b}\n{a}以及,{b}",
}
HELDOUT_JOIN = {"en": "{a} Besides, {b}\nFirst, {a} Second, {b}", "zh": "{a}同时,{b}\n第一,{a}第二,{b}"}

TRAIN_ERRORS = {
    "get_weather": "no forecast for this date",
    "convert_currency": "unknown currency",
    "set_reminder": "reminder list is full",
    "track_order": "order not found",
    "search_trains": "no trains on this day",
    "send_message": "contact is blocked",
    "book_room": "room is already taken",
    "get_stock_price": "market data is offline",
}
HELDOUT_ERRORS = {
    "get_weather": "weather station does not answer",
    "convert_currency": "rate service is down",
    "set_reminder": "time has passed",
    "track_order": "order system is closed",
    "search_trains": "line is under repair",
    "send_message": "phone is switched off",
    "book_room": "room is being painted",
    "get_stock_price": "symbol is not listed",
}
TRAIN_SORRY = {
    "en": (
        "Sorry, that did not work: {error}.\nI am sorry, the tool says: {error}.\nUnfortunately it failed: {error}."
    ),
    "zh": "抱歉,没有成功:{error}。\n对不起,工具返回错误:{error}。\n很遗憾,失败了:{error}。",
}
HELDOUT_SORRY = {"en": "My apologies, I got an error: {error}.", "zh": "不好意思,出错了:{error}。"}

TRAIN_PLAIN: dict[str, list[tuple[str, str]]] = {
    "en": [
        ("Hello!", "Hello! What can I do for you?"),
        ("Hi, are you there?", "Yes, I am here. How can I help?"),
        ("Thank you!", "You are welcome!"),
        ("Thanks, that helps.", "Glad to hear that!"),
        ("Great, thanks.", "Any time!"),
        ("That is all for now.", "Alright. Have a nice day!"),
        ("Goodbye!", "Goodbye!"),
        ("How are you today?", "I am doing well, thank you."),
        ("Tell me a joke.", "Why did the computer sneeze? It had a virus."),
        ("Do you like music?", "I cannot hear it, but I like the idea of music."),
        ("I had a long day.", "I hope you can rest this evening."),
        ("What can you do?", "I can use the tools that I was given and chat a little."),
        ("Are you a robot?", "I am a language model, not a robot."),
        ("I love sunny days.", "Sunny days are lovely indeed."),
        ("Money is not everything.", "True, many good things are free."),
        ("Trains are fun.", "They are! Looking out of the window is the best part."),
        ("Write me a poem.", "A small poem: the lamp is low, the page is white, a quiet word, and then good night."),
        ("Can you cook?", "No, but I can wish you a good meal."),
        ("My phone is new.", "Nice! I hope it serves you well."),
        ("I bought shares once.", "I hope that it went well."),
        ("I do not like waiting for parcels.", "Waiting can be hard. I hope it comes soon."),
        ("Good night.", "Good night, sleep well!"),
        ("You are quick!", "Thank you!"),
        ("Never mind.", "Alright, just ask when you need me."),
        ("Meetings are boring.", "Some of them are. A short break may help."),
        ("Why is the sky blue?", "Air scatters blue light more than red light."),
        ("What is two plus two?", "Two plus two is four."),
        ("Ok.", "Is there anything else?"),
    ],
    "zh": [
        ("你好!", "你好!请问需要什么帮助?"),
        ("在吗?", "在的,请说。"),
        ("谢谢!", "不客气!"),
        ("太好了,谢谢你。", "很高兴能帮到你!"),
        ("好的,没别的事了。", "好的,祝你愉快!"),
        ("再见。", "再见!"),
        ("你今天好吗?", "我很好,谢谢关心。"),
        ("讲个笑话吧。", "电脑为什么打喷嚏?因为它中了病毒。"),
        ("你喜欢音乐吗?", "我听不到,但我觉得音乐很美好。"),
        ("今天好累啊。", "辛苦了,早点休息。"),
        ("你会做什么?", "我可以使用给我的工具,也能聊几句。"),
        ("你是机器人吗?", "我是语言模型,不是机器人。"),
        ("我喜欢晴天。", "晴天确实让人开心。"),
        ("钱不是一切。", "是的,很多美好的东西不用钱。"),
        ("坐火车很有意思。", "是啊,看窗外风景最好了。"),
        ("给我写首诗。", "灯下一页白,窗外月光来,轻声道晚安。"),
        ("你会做饭吗?", "不会,但祝你吃得开心。"),
        ("我换了新手机。", "恭喜,希望用得顺手。"),
        ("等快递真烦。", "希望它早点到。"),
        ("晚安。", "晚安,好梦!"),
        ("你真快!", "谢谢夸奖!"),
        ("算了。", "好的,需要时再叫我。"),
        ("开会好无聊。", "休息一下也许会好些。"),
        ("一加一等于几?", "一加一等于二。"),
        ("嗯。", "还有别的事吗?"),
    ],
}
HELDOUT_PLAIN: dict[str, list[tuple[str, str]]] = {
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
