"""Sentences and phrases that `corpus.py` builds its dialogues from, in English and Chinese."""

from __future__ import annotations

# kind -> (JSON type, English keys, Chinese nouns, English phrases, Chinese phrases)
SLOTS: dict[str, tuple[str, list[str], list[str], list[str], list[str]]] = {
    "person": (
        "string",
        ["name", "person", "owner", "driver", "teacher", "to", "contact", "recipient"],
        ["名字", "姓名", "人", "联系人"],
        ["for {v}", "with {v}", "{v} is the {k}", "by {v}", "{v} comes too", "to {v}", "ask {v}"],
        ["给{v}", "和{v}一起", "{v}负责", "找{v}", "让{v}来", "通知{v}"],
    ),
    "place": (
        "string",
        ["place", "town", "location", "where", "site", "area", "city"],
        ["地方", "地点", "城市", "位置"],
        ["in {v}", "at {v}", "near {v}", "we are in {v}", "over in {v}", "{v} is the spot"],
        ["在{v}", "去{v}", "{v}那边", "{v}附近", "到{v}", "人在{v}"],
    ),
    "date": (
        "string",
        ["day", "when", "due", "start", "birthday", "date", "date"],
        ["日期", "哪天", "生日"],
        ["on {v}", "from {v}", "until {v}", "by {v}", "{v} works", "{v} is the day"],
        ["{v}", "{v}那天", "从{v}开始", "到{v}为止", "在{v}"],
    ),
    "time": (
        "string",
        ["time", "hour", "begin", "at"],
        ["时间", "几点"],
        ["at {v}", "by {v}", "around {v}", "{v} sharp"],
        ["{v}", "在{v}", "{v}开始", "{v}之前"],
    ),
    "count": (
        "integer",
        ["count", "number", "people", "pieces", "size", "nights"],
        ["数量", "人数", "个数"],
        ["{v} of them", "{v} people", "we need {v}", "{v} pieces", "for {v}", "{v} in all"],
        ["{v}个", "{v}人", "一共{v}件", "要{v}个", "{v}位"],
    ),
    "price": (
        "number",
        ["price", "cost", "total", "sum", "weight"],
        ["价格", "金额", "总数", "重量"],
        ["{v} in total", "it costs {v}", "for {v}", "{v} each", "pay {v}"],
        ["{v}元", "一共{v}", "花{v}", "价格{v}", "重{v}"],
    ),
    "code": (
        "string",
        ["code", "id", "ref", "key", "plate", "item", "order_id", "number_id"],
        ["编号", "代码", "号码"],
        ["number {v}", "code {v}", "it is {v}", "under {v}", "marked {v}", "about {v}"],
        ["编号{v}", "代码是{v}", "{v}这个", "号码{v}"],
    ),
    "letters": (
        "string",
        ["unit", "mark", "label", "from", "into", "sign", "symbol"],
        ["单位", "标记", "符号"],
        ["in {v}", "into {v}", "marked {v}", "{v} first", "to {v}", "of {v}"],
        ["{v}", "成{v}", "标记{v}", "到{v}", "从{v}"],
    ),
    "hall": (
        "string",
        ["room", "hall", "space"],
        ["房间", "会议室"],
        ["in {v}", "room {v}", "{v} please", "use {v}", "the {v}"],
        ["在{v}", "用{v}", "房间{v}", "{v}这间"],
    ),
    "email": (
        "string",
        ["email", "mail", "address"],
        ["邮箱", "地址"],
        ["mail {v}", "write to {v}", "at {v}"],
        ["邮箱{v}", "写信到{v}", "地址是{v}"],
    ),
    "text": (
        "string",
        ["note", "text", "title", "subject", "task", "body"],
        ["备注", "内容", "标题", "事情"],
        ["saying {v}", "note '{v}'", 'with "{v}"', "about {v}", "that says {v}", "remember to {v}"],
        ["内容是{v}", "备注“{v}”", "说{v}", "写上「{v}」", "记得{v}", "标题{v}"],
    ),
    "word": (
        "string",
        ["word", "color", "type", "topic", "brand", "group"],
        ["词", "颜色", "种类", "主题"],
        ["a {v} one", "called {v}", "the {v} kind", "type {v}", "named {v}"],
        ["叫{v}", "{v}那种", "种类是{v}", "主题{v}"],
    ),
}
# Keys that are usually said together: (key, kind) pairs, English phrases, Chinese phrases
GROUPS: list[tuple[list[list[tuple[str, str]]], list[str], list[str]]] = [
    (
        [
            [("origin", "place"), ("destination", "place")],
            [("start", "place"), ("end", "place")],
            [("departure", "place"), ("arrival", "place")],
        ],
        [
            "from {0} to {1}",
            "{0} to {1}",
            "to {1} from {0}",
            "we leave {0}, {1} is the goal",
            "starting in {0} towards {1}",
            "between {0} and {1}",
        ],
        ["从{0}到{1}", "{0}到{1}", "从{0}去{1}", "去{1},从{0}走", "由{0}往{1}", "离开{0}到{1}"],
    ),
    (
        [
            [("amount", "price"), ("source", "letters"), ("target", "letters")],
            [("sum", "price"), ("have", "letters"), ("want", "letters")],
        ],
        [
            "{0} {1} to {2}",
            "{0} {1} into {2}",
            "{0} {1} as {2}",
            "in {2} from {0} {1}",
            "{0} {1}, wanted in {2}",
            "how many {2} for {0} {1}",
        ],
        ["{0}{1}换{2}", "{0}{1}变成{2}", "{0}{1}是多少{2}", "用{2}表示{0}{1}", "{0}{1}到{2}", "{0}{1}合几{2}"],
    ),
    (
        [
            [("recipient", "person"), ("text", "text")],
            [("who", "person"), ("words", "text")],
            [("to", "person"), ("body", "text")],
        ],
        [
            "{0} gets the words {1}",
            "to {0}: {1}",
            "{0} hears that {1}",
            "{1}, for {0}",
            "the line for {0} is {1}",
            'hand "{1}" to {0}',
        ],
        ["给{0}:{1}", "对{0}讲{1}", "让{0}听到{1}", "“{1}”交给{0}", "{0}收到{1}", "写给{0},{1}"],
    ),
    (
        [
            [("text", "text"), ("time", "time")],
            [("task", "text"), ("hour", "time")],
            [("title", "text"), ("time", "time")],
        ],
        ["{0} at {1}", "at {1} {0}", "{1}: {0}", "it is {1}, time to {0}", "{1}, {0}", "the plan is to {0}, {1}"],
        ["{1}{0}", "{0},{1}", "{1}去{0}", "{1}要{0}", "计划{1}{0}", "到{1}就{0}"],
    ),
    (
        [[("city", "place"), ("date", "date")], [("town", "place"), ("day", "date")]],
        ["{0} on {1}", "{1} in {0}", "{0}, {1}", "in {0} on {1}", "on {1} over in {0}", "for {0} and {1}"],
        ["{0}{1}", "{1}{0}", "{1}在{0}", "{0}的{1}", "{1}去{0}", "{0},{1}"],
    ),
    (
        [
            [("room", "hall"), ("date", "date"), ("people", "count")],
            [("place", "hall"), ("day", "date"), ("guests", "count")],
        ],
        [
            "{0} on {1} for {2}",
            "{2} people in {0}, {1}",
            "{0}, {1}, {2} people",
            "on {1} we are {2}, in {0}",
            "{2} of us use {0} on {1}",
            "for {2} people {0} on {1}",
        ],
        ["{1}{0},{2}人", "{2}个人{1}用{0}", "{0},{1},{2}位", "{1}{2}人在{0}", "{0}给{2}人,{1}", "{2}位,{0},{1}"],
    ),
]
OPENERS = [
    "Please",
    "Can you write this down:",
    "I need",
    "Hi,",
    "Note this:",
    "Hello! It is",
    "We want it",
    "Put it down",
    "New one:",
    "Could you take this,",
    "Make it",
    "One more,",
    "Next:",
    "Is it possible",
    "Ok so",
    "Let us do it",
    "",
]
ZH_OPENERS = [
    "请",
    "帮我记一下,",
    "麻烦",
    "我想要",
    "你好,",
    "记一下:",
    "新的:",
    "再来一个,",
    "可以",
    "那就",
    "下一个:",
    "我们要",
    "",
]
CLOSERS = [".", ".", "", ", please.", ", thanks!", "?", "!", " please"]
ZH_CLOSERS = ["。", "。", "", ",谢谢。", "吧。", "?", "好吗?", "!"]
SYSTEM_LINES = [
    "You are a helpful assistant.",
    "你是一个乐于助人的助手。",
    "Answer in a short way.",
    "请简短地回答。",
    "Be kind and clear.",
]
TALK = [
    ("Hello!", "Hello! How can I help you?"),
    ("Hi there", "Hi! What can I do for you?"),
    ("Good morning!", "Good morning! How are you today?"),
    ("Good evening.", "Good evening! What can I do for you?"),
    ("Thank you!", "You are welcome!"),
    ("Thanks a lot.", "Happy to help!"),
    ("How are you?", "I am fine, thank you. How are you?"),
    ("Bye!", "Goodbye, and have a nice day!"),
    ("See you tomorrow.", "See you tomorrow!"),
    ("Who are you?", "I am a small language model."),
    ("What can you do?", "I can chat a little, repeat things and fill in forms."),
    ("Who made you?", "I am a small model that was trained from scratch."),
    ("Are you a person?", "No, I am a small language model."),
    ("I like {0}.", "{0} sounds nice! What do you like about it?"),
    ("Do you like {0}?", "I am only a model, but {0} sounds interesting."),
    ("I saw a {0} today.", "A {0}? That must have been interesting!"),
    ("I am tired.", "Then take a rest. You have earned it."),
    ("I am happy today!", "That is good to hear!"),
    ("Tell me something about {0}.", "I am sorry, I do not know much about {0}."),
    ("What is a {0}?", "I am sorry, I do not know what a {0} is."),
    ("Let us talk about {0}.", "Sure, let us talk about {0}. What would you like to say?"),
    ("My favourite word is {0}.", "{0} is a nice word!"),
    ("You are great.", "Thank you, that is kind!"),
    ("Sorry!", "No problem at all."),
    ("Do you sleep?", "No, I do not need to sleep."),
    ("I bought a {0} yesterday.", "I hope you enjoy your {0}!"),
    ("Ok.", "Good. Anything else?"),
]
ZH_TALK = [
    ("你好!", "你好!有什么可以帮你的吗?"),
    ("早上好", "早上好!今天过得怎么样?"),
    ("晚上好!", "晚上好!需要我做什么?"),
    ("谢谢你!", "不客气!"),
    ("多谢", "很高兴能帮到你。"),
    ("你好吗?", "我很好,谢谢。你呢?"),
    ("再见!", "再见,祝你一天愉快!"),
    ("明天见。", "明天见!"),
    ("你是谁?", "我是一个小语言模型。"),
    ("你能做什么?", "我可以简单聊天、重复内容和填写表格。"),
    ("谁做的你?", "我是一个从头训练的小模型。"),
    ("我喜欢{0}。", "{0}听起来不错!你喜欢它的什么?"),
    ("你喜欢{0}吗?", "我只是一个模型,不过{0}听起来很有意思。"),
    ("我今天看到了{0}。", "{0}?那一定很有意思!"),
    ("我累了。", "那就休息一下吧。"),
    ("我今天很开心!", "真为你高兴!"),
    ("说说{0}吧。", "抱歉,我不太了解{0}。"),
    ("{0}是什么?", "抱歉,我不知道{0}是什么。"),
    ("我们聊聊{0}吧。", "好的,我们聊聊{0}。你想说什么?"),
    ("你真棒。", "谢谢你的夸奖!"),
    ("对不起。", "没关系。"),
    ("好的。", "好,还有别的事吗?"),
]
# Kinds whose values are told by their look alone
PLAIN_KINDS = ("date", "time", "code", "email", "letters")
JOINTS = ["{0} And also {1}", "{0} {1}", "{0} And {1}", "{0} Next, {1}", "1) {0} 2) {1}", "{0} After this {1}"]
ZH_JOINTS = ["{0}另外{1}", "{0}{1}", "{0}和{1}", "{0}然后{1}", "1、{0}2、{1}"]
# Kinds whose English values begin with a capital letter, so that any words may stand around them
NAME_KINDS = ("person", "place", "hall")
# Words that announce a second form: {0} is the form, {1} a value that the record of the first one will show
LINKS = [
    "Then {0} with the {1} you get.",
    "After that fill {0} from the answer.",
    "And use its {1} for {0}.",
    "Next {0}, the {1} is in the record.",
    "Afterwards {0} for that {1}.",
    "With the {1} from there, {0}.",
    "Also {0}, taking the {1} it shows.",
]
ZH_LINKS = [
    "然后用得到的{1}填{0}。",
    "再按结果填{0}。",
    "接着{0},{1}看结果。",
    "顺便用那里的{1}写{0}。",
    "之后{0},用返回的{1}。",
    "也填{0},{1}在记录里。",
]
