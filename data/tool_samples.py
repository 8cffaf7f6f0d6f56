"""Builds the tool-calling sample conversations as lists of neutral events.

An event is `("user", text)`, `("assistant", text)`, `("calls", [call, ...])` or
`("results", [json text, ...])`; `generate.py` writes them in the file formats.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

import heldout_phrases
import heldout_turns
import train_missing
import train_phrases
import train_plain
import train_turns
from sample_values import SKIES, STATES, SampleValues
from vocabulary import widen, widen_template

Call = dict[str, object]
Event = tuple[str, object]
Arguments = dict[str, object]

# name -> (description, argument -> (JSON type, description))
TOOLS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "get_weather": ("Weather forecast of a city.", {"city": ("string", ""), "date": ("string", "")}),
    "convert_currency": (
        "Convert money.",
        {"amount": ("number", ""), "source": ("string", ""), "target": ("string", "")},
    ),
    "set_reminder": ("Set a reminder.", {"text": ("string", ""), "time": ("string", "")}),
    "track_order": ("Status of an order.", {"order_id": ("string", "")}),
    "search_trains": (
        "Find a train.",
        {"origin": ("string", ""), "destination": ("string", ""), "date": ("string", "")},
    ),
    "send_message": ("Send a message to a person.", {"recipient": ("string", ""), "text": ("string", "")}),
    "book_room": ("Book a meeting room.", {"room": ("string", ""), "date": ("string", ""), "people": ("integer", "")}),
    "get_stock_price": ("Price of a stock.", {"symbol": ("string", "")}),
}
# tool -> argument that is left out where the assistant has to ask back
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
CHAINS = {
    "order_weather": ("track_order", "get_weather"),
    "train_reminder": ("search_trains", "set_reminder"),
    "stock_convert": ("get_stock_price", "convert_currency"),
    "room_message": ("book_room", "send_message"),
}
# What may follow in a training conversation
FOLLOWERS = ("single", "single", "single", "parallel", "parallel", "plain", "missing")
SYSTEMS = {
    "en": ["You are a helpful assistant.", "You are a friendly assistant. Use tools when they help.", "Be brief."],
    "zh": ["你是一个乐于助人的助手。", "你是友好的助手,需要时使用工具。", "请简洁回答。"],
}


def tool_schema(name: str) -> Call:
    """The bare {name, description, parameters} description of a tool."""
    description, arguments = TOOLS[name]
    properties = {
        key: {"type": kind, "description": note} if note else {"type": kind} for key, (kind, note) in arguments.items()
    }
    return {
        "name": name,
        "description": description,
        "parameters": {"type": "object", "properties": properties, "required": list(arguments)},
    }


@dataclass
class Conversation:
    """One conversation with the tools it offers."""

    tools: list[str]
    events: list[Event]
    system: str
    kinds: list[str]


class ToolSamples:
    """Makes conversations of the training or of the held-out share."""

    def __init__(self, seed: int, heldout: bool) -> None:
        self.rng = random.Random(seed)
        self.values = SampleValues(self.rng, heldout)
        self.heldout = heldout
        turns = heldout_turns if heldout else train_turns
        phrases = heldout_phrases if heldout else train_phrases
        self.ask_block, self.reply_block = phrases.ASK, phrases.REPLY
        self.missing = heldout_turns.MISSING if heldout else train_missing.MISSING
        self.supply = turns.SUPPLY
        self.chain, self.join = turns.CHAIN, turns.JOIN
        self.sorry, self.errors = turns.SORRY, turns.ERRORS
        self.plain = heldout_turns.PLAIN if heldout else train_plain.PLAIN
        self.frame = turns.FRAME
        self.framed = 0.0 if heldout else 0.3
        self.decks: dict[str, list[str]] = {}

    def say(self, block: str, lang: str, /, **values: object) -> str:
        """A sentence of the block with the values filled in; every sentence comes up before one is used again."""
        deck = self.decks.setdefault(block, [])
        if not deck:
            deck += block.strip().split("\n")
            self.rng.shuffle(deck)
        template = deck.pop()
        template = widen_template(template) if lang == "zh" else template
        return re.sub(r"\{(\w+)\}", lambda match: str(values[match.group(1)]), template)

    def arguments(self, tool: str, zh: bool) -> Arguments:
        """Fresh arguments for a tool."""
        draw = self.values
        if tool == "convert_currency":
            source = draw.currency()
            return {"amount": draw.amount(), "source": source, "target": draw.currency(source)}
        if tool == "search_trains":
            origin = destination = draw.city(zh)
            while destination == origin:
                destination = draw.city(zh)
            return {"origin": origin, "destination": destination, "date": draw.day()}
        made: dict[str, Callable[[], Arguments]] = {
            "get_weather": lambda: {"city": draw.city(zh), "date": draw.day()},
            "set_reminder": lambda: {"text": draw.task(zh), "time": draw.clock()},
            "track_order": lambda: {"order_id": draw.order_id()},
            "send_message": lambda: {"recipient": draw.recipient(zh), "text": draw.news(zh)},
            "book_room": lambda: {"room": draw.room(zh), "date": draw.day(), "people": draw.people()},
            "get_stock_price": lambda: {"symbol": draw.symbol()},
        }
        return made[tool]()

    def result(self, tool: str, arguments: Arguments, zh: bool) -> dict[str, object]:
        """What the tool gives back."""
        rng, draw, lang = self.rng, self.values, "zh" if zh else "en"
        made: dict[str, dict[str, object]] = {
            "get_weather": {"sky": rng.choice(SKIES[lang]), "degrees": rng.randint(-9, 38)},
            "convert_currency": {"result": round(rng.uniform(3, 9000), 2)},
            "set_reminder": {"status": "ok"},
            "track_order": {"status": rng.choice(STATES[lang]), "place": draw.city(zh), "arrives": draw.day()},
            "search_trains": {"train": draw.code(), "departs": draw.clock(), "arrives": draw.clock()},
            "send_message": {"status": "sent"},
            "book_room": {"status": "booked", "code": draw.code()},
            "get_stock_price": {"price": draw.amount(), "currency": draw.currency()},
        }
        return made[tool]

    def reply(self, tool: str, arguments: Arguments, result: dict[str, object], lang: str) -> str:
        """The assistant's sentence about a result."""
        return self.say(self.reply_block[tool][lang], lang, **{**arguments, **result})

    def request(self, tool: str, arguments: Arguments, lang: str) -> str:
        """The user's words for one call, sometimes with other words around them."""
        words = self.say(self.ask_block[tool][lang], lang, **arguments)
        return self.say(self.frame[lang], lang, a=words) if self.framed and self.rng.random() < self.framed else words

    def single(self, tools: list[str], lang: str) -> list[Event]:
        """A request, one call, an answer."""
        tool = self.rng.choice(tools)
        arguments = self.arguments(tool, lang == "zh")
        return [("user", self.request(tool, arguments, lang)), *self.answered([tool], [arguments], lang)]

    def answered(self, names: list[str], arguments: list[Arguments], lang: str) -> list[Event]:
        """Calls, their results and one answer about all of them."""
        results = [self.result(name, given, lang == "zh") for name, given in zip(names, arguments, strict=True)]
        replies = [
            self.reply(name, given, got, lang) for name, given, got in zip(names, arguments, results, strict=True)
        ]
        return [
            ("calls", [{"name": name, "arguments": given} for name, given in zip(names, arguments, strict=True)]),
            ("results", [json.dumps(got, ensure_ascii=False) for got in results]),
            ("assistant", ("" if lang == "zh" else " ").join(replies)),
        ]

    def parallel(self, tools: list[str], lang: str) -> list[Event]:
        """Two requests in one sentence, two calls in one turn."""
        names = [self.rng.choice(tools)] * 2 if self.rng.random() < 0.4 else self.rng.sample(tools, 2)
        arguments = [self.arguments(name, lang == "zh") for name in names]
        first, second = (
            self.say(self.ask_block[name][lang], lang, **given) for name, given in zip(names, arguments, strict=True)
        )
        return [("user", self.say(self.join[lang], lang, a=first, b=second)), *self.answered(names, arguments, lang)]

    def missing_turn(self, tools: list[str], lang: str) -> list[Event]:
        """A request without one argument, a question back, the argument, the call."""
        tool = self.rng.choice(tools)
        arguments = self.arguments(tool, lang == "zh")
        asks, questions = self.missing[tool][lang]
        value = arguments[MISSING_ARGUMENT[tool]]
        return [
            ("user", self.say(asks, lang, **arguments)),
            ("assistant", self.say(questions, lang)),
            ("user", self.say(self.supply[lang], lang, v=value)),
            *self.answered([tool], [arguments], lang),
        ]

    def error(self, tools: list[str], lang: str) -> list[Event]:
        """A call that fails."""
        tool = self.rng.choice(tools)
        arguments = self.arguments(tool, lang == "zh")
        problem = self.errors[tool]
        return [
            ("user", self.request(tool, arguments, lang)),
            ("calls", [{"name": tool, "arguments": arguments}]),
            ("results", [json.dumps({"error": problem})]),
            ("assistant", self.say(self.sorry[lang], lang, error=problem)),
        ]

    def plain_turn(self, lang: str) -> list[Event]:
        """Small talk, no call."""
        lines = "\n".join(f"{ask}\t{answer}" for ask, answer in self.plain[lang])
        ask, answer = self.say(lines, lang).split("\t")
        return [("user", ask), ("assistant", answer)]

    def chained(self, chain: str, lang: str) -> list[Event]:
        """Two calls; the second takes values from the first result."""
        zh = lang == "zh"
        first, second = CHAINS[chain]
        start, extra = self.arguments(first, zh), self.arguments(second, zh)
        request = self.say(self.chain[chain][lang], lang, **{**extra, **start})
        got = self.result(first, start, zh)
        linked: dict[str, Arguments] = {
            "order_weather": {"city": got.get("place"), "date": got.get("arrives")},
            "train_reminder": {"text": extra.get("text"), "time": got.get("departs")},
            "stock_convert": {"amount": got.get("price"), "source": got.get("currency"), "target": extra.get("target")},
            "room_message": {"recipient": extra.get("recipient"), "text": got.get("code")},
        }
        if linked["stock_convert"]["source"] == extra.get("target") and chain == "stock_convert":
            return self.chained(chain, lang)
        return [
            ("user", request),
            ("calls", [{"name": first, "arguments": start}]),
            ("results", [json.dumps(got, ensure_ascii=False)]),
            *self.answered([second], [linked[chain]], lang),
        ]

    def conversation(self, main: str, followers: int) -> Conversation:
        """A conversation around one main kind, followed by further turns."""
        rng = self.rng
        lang = "zh" if rng.random() < 0.4 else "en"
        chain = rng.choice(list(CHAINS))
        needed = list(CHAINS[chain]) if main == "chain" else []
        tools = needed + rng.sample(
            [name for name in TOOLS if name not in needed], rng.choice((2, 2, 3, 4) if not needed else (0, 0, 1, 2))
        )
        rng.shuffle(tools)
        later = ("single", "single", "plain", "missing") if self.heldout else FOLLOWERS
        kinds = [main] + [rng.choice(later) for _ in range(followers)]
        if main != "plain" and len(kinds) > 1:
            rng.shuffle(kinds)
        events: list[Event] = []
        for kind in kinds:
            events += {
                "single": lambda: self.single(tools, lang),
                "parallel": lambda: self.parallel(tools, lang),
                "missing": lambda: self.missing_turn(tools, lang),
                "error": lambda: self.error(tools, lang),
                "plain": lambda: self.plain_turn(lang),
                "chain": lambda: self.chained(chain, lang),
            }[kind]()
        system = widen(rng.choice(SYSTEMS[lang])) if rng.random() < 0.3 else ""
        return Conversation(tools, events, system, kinds)

    def conversations(self, count: int) -> list[Conversation]:
        """`count` conversations with the kinds in fixed shares."""
        mains = [
            "single",
            "single",
            "single",
            "parallel",
            "parallel",
            "chain",
            "chain",
            "missing",
            "missing",
            "error",
            "plain",
        ]
        followers = (0, 0, 0, 1) if self.heldout else (1, 2, 2, 3)
        return [self.conversation(mains[number % len(mains)], self.rng.choice(followers)) for number in range(count)]
