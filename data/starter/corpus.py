"""Dialogues that the starter checkpoint is trained on: small talk, copying, look-ups and form filling.

No dialogue here calls a tool. What the starter learns is to follow the chat
format and to find names, numbers, dates and phrases in its context and write
them down again, in English and in Chinese. All sentences are our own.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from corpus_tables import (
    CLOSERS,
    GROUPS,
    JOINTS,
    LINKS,
    NAME_KINDS,
    OPENERS,
    PLAIN_KINDS,
    SLOTS,
    SYSTEM_LINES,
    TALK,
    ZH_CLOSERS,
    ZH_JOINTS,
    ZH_LINKS,
    ZH_OPENERS,
    ZH_TALK,
)
from vocabulary import COMMON_WORDS, Values, is_heldout, widen

Turns = list[tuple[str, str]]
Json = dict[str, object]
# name, schema, kind of each key, number of the group or -1
Form = tuple[str, Json, dict[str, str], int]


def dump(value: object) -> str:
    """One line of JSON with Chinese left as it is."""
    return json.dumps(value, ensure_ascii=False)


class Corpus:
    """Makes dialogues of many kinds from one seeded generator."""

    def __init__(self, rng: random.Random, pieces: list[str] | None = None) -> None:
        self.rng = rng
        self.make = Values(rng, pieces or [])

    def value(self, kind: str, zh: bool) -> object:
        """A random value for a slot of this kind, and none that the samples keep for held-out rows."""
        while True:
            value = self.draw(kind, zh)
            if not is_heldout(str(value)):
                return value

    def draw(self, kind: str, zh: bool) -> object:
        """A random value of this kind."""
        make, rng = self.make, self.rng
        if rng.random() < 0.12:
            zh = not zh
        plain: dict[str, Callable[[], object]] = {
            "person": make.zh_name if zh else make.name,
            "place": make.zh_place if zh else make.name,
            "hall": lambda: rng.choice((make.code(), make.zh_place() if zh else make.name())),
            "text": make.zh_phrase if zh else make.phrase,
            "word": make.zh_name if zh else make.pseudo,
            "price": lambda: make.decimal() if rng.random() < 0.6 else make.integer(),
            "date": make.date,
            "time": make.time,
            "count": make.integer,
            "code": make.code,
            "letters": make.letters,
            "email": make.email,
        }
        return plain[kind]()

    def any_value(self, zh: bool) -> str:
        """A random value of any kind, as text."""
        return str(self.value(self.rng.choice(list(SLOTS)), zh))

    def key(self, kind: str) -> str:
        """A field name: usually one that fits the kind, sometimes a made-up one."""
        rng = self.rng
        base = rng.choice(SLOTS[kind][1])
        if rng.random() < 0.25:
            other = rng.choice((self.make.pseudo(), rng.choice(COMMON_WORDS)))
            base = rng.choice((f"{other}_{base}", f"{base}_{other}"))
        return base

    def repeat(self, zh: bool) -> Turns:
        """Say something back."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.5:
            text = " ".join(self.any_value(zh) for _ in range(rng.randint(1, 5)))
        elif kind < 0.75:
            text = ", ".join(self.any_value(zh) for _ in range(rng.randint(2, 5)))
        else:
            text = f"{self.value('text', zh)}{'' if zh else ' '}{self.value('text', zh)}"
        ask = rng.choice(
            ("重复:{}", "请跟我说:{}", "再说一遍:{}", "读一下:{}", "照着写:{}")
            if zh
            else ("Repeat: {}", "Say this: {}", "Please say {}", "Copy: {}", "Read this back: {}", "Write {} again.")
        )
        return [("user", ask.format(text)), ("assistant", text)]

    def lookup(self, zh: bool) -> Turns:
        """Find values in a list or a JSON record, over one or more questions."""
        rng = self.rng
        record: dict[str, object] = {}
        for kind in rng.sample(list(SLOTS), rng.randint(2, 5)):
            key = rng.choice(SLOTS[kind][2]) if zh and rng.random() < 0.6 else self.key(kind)
            record[key] = self.value(kind, zh)
        listing = "\n".join(f"{k}: {v}" for k, v in record.items())
        if rng.random() < 0.5:
            listing = dump(record)
        turns: Turns = []
        for number in range(rng.randint(1, 3)):
            key = rng.choice(list(record))
            question = rng.choice(
                (f"{key}是什么?", f"请问{key}是多少?", f"告诉我{key}。")
                if zh
                else (f"What is the {key}?", f"Tell me the {key}.", f"And the {key}?", f"{key}?")
            )
            style = rng.random()
            answer = (
                str(record[key])
                if style < 0.4
                else (f"{key}是{record[key]}。" if zh else f"The {key} is {record[key]}.")
            )
            turns += [("user", f"{listing}\n{question}" if number == 0 else question), ("assistant", answer)]
        return turns

    def report(self, zh: bool) -> Turns:
        """Turn a JSON record into a sentence that names all of its values."""
        rng = self.rng
        kinds = rng.sample(list(SLOTS), rng.randint(2, 4))
        record = {self.key(kind): self.value(kind, zh) for kind in kinds}
        if zh:
            ask, parts = (
                rng.choice(("说明一下:", "用一句话说:", "读一读这个:")),
                [f"{k}是{v}" for k, v in record.items()],
            )
            return [("user", ask + dump(record)), ("assistant", ",".join(parts) + "。")]
        ask = rng.choice(("Put this into words: ", "Say in one sentence: ", "Explain: "))
        parts = [f"the {k} is {v}" for k, v in record.items()]
        text = ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
        return [("user", ask + dump(record)), ("assistant", text[0].upper() + text[1:] + ".")]

    def remember(self, zh: bool) -> Turns:
        """Keep the user's name, or another fact, over a turn or two."""
        rng = self.rng
        if zh:
            fact, ask = rng.choice((("名字", "我叫什么名字?"), ("城市", "我住在哪里?"), ("号码", "我的号码是多少?")))
            value = self.value({"名字": "person", "城市": "place", "号码": "code"}[fact], zh)
            tell = {"名字": "你好,我叫{}。", "城市": "我住在{}。", "号码": "我的号码是{}。"}[fact].format(value)
            hello = {"名字": "你好,{}!很高兴认识你。", "城市": "{},我记住了。", "号码": "好的,{},我记住了。"}[
                fact
            ].format(value)
            reply = {"名字": "你叫{}。", "城市": "你住在{}。", "号码": "你的号码是{}。"}[fact].format(value)
        else:
            fact, ask = rng.choice(
                (("name", "What is my name?"), ("town", "Where do I live?"), ("number", "What is my number?"))
            )
            value = self.value({"name": "person", "town": "place", "number": "code"}[fact], zh)
            tell = {
                "name": rng.choice(("My name is {}.", "Hi, I'm {}.", "Call me {}.")),
                "town": "I live in {}.",
                "number": "My number is {}.",
            }[fact].format(value)
            hello = {
                "name": "Nice to meet you, {}!",
                "town": "{} it is, I will remember that.",
                "number": "Got it, {}.",
            }[fact].format(value)
            reply = {"name": "Your name is {}.", "town": "You live in {}.", "number": "Your number is {}."}[
                fact
            ].format(value)
        middle = self.small_talk(zh) if rng.random() < 0.6 else self.repeat(zh)
        return [("user", tell), ("assistant", hello), *middle, ("user", ask), ("assistant", reply)]

    def small_talk(self, zh: bool) -> Turns:
        """A greeting, thanks or a line about something the user likes."""
        rng = self.rng
        thing = rng.choice(COMMON_WORDS) if not zh and rng.random() < 0.5 else self.value("word", zh)
        pairs = ZH_TALK if zh else TALK
        ask, answer = rng.choice(pairs)
        return [("user", ask.format(thing)), ("assistant", answer.format(thing))]

    def form(self, schema_name: str) -> tuple[Json, dict[str, str], int]:
        """A JSON-schema description of a form, the kind of each key and the number of its group (or -1)."""
        rng = self.rng
        group = rng.randrange(len(GROUPS)) if rng.random() < 0.5 else -1
        keys: dict[str, str] = {}
        if group >= 0:
            keys = dict(rng.choice(GROUPS[group][0]))
        for _ in range(rng.choice((0, 0, 1)) if keys else rng.choice((1, 1, 2, 2, 3))):
            kind = rng.choice(list(SLOTS))
            keys.setdefault(self.key(kind), kind)
        properties: Json = {}
        for key, kind in keys.items():
            entry: dict[str, str] = {"type": SLOTS[kind][0]}
            if rng.random() < 0.08:
                entry["description"] = self.make.pseudo().capitalize()
            properties[key] = entry
        about = " ".join(rng.choice(COMMON_WORDS) for _ in range(rng.randint(1, 4))).capitalize() + "."
        schema: Json = {
            "name": schema_name,
            "description": about,
            "parameters": {"type": "object", "properties": properties, "required": list(keys)},
        }
        return schema, keys, group

    def mention(self, keys: dict[str, str], values: Json, zh: bool, group: int = -1) -> str:
        """A sentence that mentions every value, in any order; the keys of a group mostly together."""
        rng = self.rng
        parts = []
        kinds = list(keys.values())
        single = list(keys)
        names = sum(kind in NAME_KINDS for kind in kinds)
        if group >= 0 and rng.random() < 0.85:
            size = len(GROUPS[group][0][0])
            parts.append(rng.choice(GROUPS[group][2 if zh else 1]).format(*(values[key] for key in single[:size])))
            single = single[size:]
        for key in rng.sample(single, len(single)):
            kind = keys[key]
            phrases = SLOTS[kind][4 if zh else 3]
            if rng.random() < 0.3 or kinds.count(kind) > 1:
                phrase = rng.choice(
                    ("{k}是{v}", "{k}: {v}", "{k} {v}")
                    if zh
                    else ("{k} {v}", "the {k} is {v}", "{k}: {v}", "{v} as {k}")
                )
            elif rng.random() < 0.25 and (kind in PLAIN_KINDS or (kind in NAME_KINDS and not zh and names == 1)):
                words = (self.make.zh_phrase()[:3], self.make.zh_phrase()[:2]) if zh else (self.make.phrase(), "now")
                phrase = rng.choice((words[0] + ("" if zh else " ") + "{v}", "{v}" + ("" if zh else " ") + words[0]))
            else:
                phrase = rng.choice(phrases)
            parts.append(phrase.format(v=values[key], k=key))
        rng.shuffle(parts)
        if zh:
            return rng.choice(ZH_OPENERS) + rng.choice(("", ",", "")).join(parts) + rng.choice(ZH_CLOSERS)
        return (rng.choice(OPENERS) + " " + rng.choice((" ", " ", ", ")).join(parts) + rng.choice(CLOSERS)).strip()

    def fill(self, zh: bool, count: int) -> tuple[str, Turns]:
        """A system message with `count` forms and a talk that fills some of them."""
        rng = self.rng
        forms: list[Form] = []
        for _ in range(count):
            name = "_".join(
                rng.choice((self.make.pseudo(), rng.choice(COMMON_WORDS))) for _ in range(rng.choice((1, 2, 2)))
            )
            forms.append((name, *self.form(name)))
        listing = "\n".join(dump(schema) for _, schema, _, _ in forms)
        how = 'To fill in a form, write {"form": ..., "values": {...}}'
        lead = rng.choice(("表格:", "Forms:", "填写表格:", "Fill in these forms:"))
        system = rng.choice((f"Forms, one per line:\n<forms>\n{listing}\n</forms>\n{how}", f"{lead}\n{listing}\n{how}"))
        turns: Turns = []
        for _ in range(rng.choice((2, 3, 3, 4))):
            turns += self.relay(forms, zh) if rng.random() < 0.15 else self.fill_once(forms, zh)
            if rng.random() < 0.2:
                turns += rng.choice((self.small_talk, self.remember, self.repeat))(zh)
        return system, turns

    def fill_once(self, forms: list[Form], zh: bool) -> Turns:
        """Ask for one form or two and answer with JSON, asking back where a value is missing."""
        rng = self.rng
        form = rng.choice(forms)
        name, _, keys, group = form
        if len(keys) > 1 and rng.random() < 0.2:
            return self.ask_back(form, forms, zh)
        values = {key: self.value(kind, zh) for key, kind in keys.items()}
        answers: list[Json] = [{"form": name, "values": values}]
        text = self.lead(form, forms, zh) + self.mention(keys, values, zh, group)
        if rng.random() < 0.08:
            renamed = {rng.choice(SLOTS[kind][1]): values[key] for key, kind in keys.items()}
            if len(renamed) == len(keys) == len(set(keys.values())):
                text = f"{name}: {dump(renamed)}"
        elif rng.random() < 0.25:
            other = rng.choice(forms)
            more = {key: self.value(kind, zh) for key, kind in other[2].items()}
            answers.append({"form": other[0], "values": more})
            second = self.lead(other, forms, zh) + self.mention(other[2], more, zh, other[3])
            text = rng.choice(ZH_JOINTS if zh else JOINTS).format(text, second)
        turns: Turns = [("user", text), ("assistant", "\n".join(dump(answer) for answer in answers))]
        if rng.random() < 0.25:
            key = rng.choice(list(keys))
            turns.append(("user", f"{key}是什么?" if zh else f"Which {key} did you write?"))
            turns.append(("assistant", f"{key}是{values[key]}。" if zh else f"The {key} is {values[key]}."))
            if len(answers) > 1:
                turns = turns[:2]
        return turns

    def relay(self, forms: list[Form], zh: bool) -> Turns:
        """A request for two forms where the second takes values from the record that comes back for the first."""
        rng = self.rng
        first, second = rng.choice(forms), rng.choice(forms)
        values: Json = {key: self.value(kind, zh) for key, kind in first[2].items()}
        later: Json = {key: self.value(kind, zh) for key, kind in second[2].items()}
        passed = rng.sample(list(later), rng.randint(1, len(later)))
        record: Json = {}
        for key in passed:
            kind = second[2][key]
            names = [name for name in (key, *SLOTS[kind][1]) if name not in record]
            record[rng.choice(names)] = later[key]
        for kind in rng.sample(list(SLOTS), rng.choice((0, 1))):
            if kind not in second[2].values():
                record.setdefault(self.key(kind), self.value(kind, zh))
        entries = list(record.items())
        rng.shuffle(entries)
        rest = {key: kind for key, kind in second[2].items() if key not in passed}
        wanted = rng.choice(passed).replace("_", " ")
        link = rng.choice(ZH_LINKS if zh else LINKS).format(second[0].replace("_", " "), wanted)
        request = self.lead(first, forms, zh) + self.mention(first[2], values, zh, first[3])
        extra = self.mention(rest, later, zh) if rest else ""
        return [
            ("user", f"{request}{'' if zh else ' '}{link}{'' if zh else ' '}{extra}".strip()),
            ("assistant", dump({"form": first[0], "values": values})),
            ("tool", dump(dict(entries))),
            ("assistant", dump({"form": second[0], "values": later})),
        ]

    def lead(self, form: Form, forms: list[Form], zh: bool) -> str:
        """Words that say which form is meant; often none where the values alone tell."""
        rng = self.rng
        name, schema, keys, _ = form
        alike = sum(sorted(other.values()) == sorted(keys.values()) for _, _, other, _ in forms)
        if alike == 1 and rng.random() < 0.6:
            return ""
        about = str(schema["description"])[:-1].lower()
        clue = rng.choice((name, name.replace("_", " "), rng.choice(name.split("_")), about, about))
        if zh:
            return rng.choice((f"{clue}:", f"{clue},", f"填{clue}。"))
        return rng.choice((f"{clue}: ", f"{clue}, ", f"For the {clue}: ", f"{clue} form. "))

    def ask_back(self, form: Form, forms: list[Form], zh: bool) -> Turns:
        """A request that leaves one value out, the question for it, the value and the filled form."""
        rng = self.rng
        name, _, keys, _ = form
        values: Json = {key: self.value(kind, zh) for key, kind in keys.items()}
        missing = rng.choice(list(keys))
        rest = {key: kind for key, kind in keys.items() if key != missing}
        word = rng.choice(COMMON_WORDS)
        supplies = ("{}", "{}", "是{}。", "哦,{}。", "{}吧。", "那就{}。", "{},谢谢。")
        if not zh:
            supplies = (
                "{}",
                "{}",
                "{}, please.",
                "It is {}.",
                "Oh, {}.",
                f"{word.capitalize()}, {{}}.",
                f"{{}}, {word}.",
            )
        return [
            ("user", self.lead(form, forms, zh) + self.mention(rest, values, zh)),
            ("assistant", f"{missing}是什么?" if zh else f"What is the {missing}?"),
            ("user", rng.choice(supplies).format(values[missing])),
            ("assistant", dump({"form": name, "values": values})),
        ]

    def dialogue(self, stage: int = 1) -> list[dict[str, str]]:
        """One dialogue; stage 0 is short copying only, stage 1 is the full mix."""
        rng = self.rng
        zh = rng.random() < 0.4
        system = None
        pick = rng.random()
        if stage == 0:
            turns = rng.choice((self.repeat, self.repeat, self.lookup, self.report))(zh)
        elif pick < 0.72:
            system, turns = self.fill(zh, rng.choice((1, 2, 2, 3)))
        else:
            turns = []
            tasks = (self.repeat, self.lookup, self.lookup, self.report, self.remember, self.small_talk)
            for _ in range(rng.choice((1, 2, 2, 3))):
                turns += rng.choice(tasks)(zh)
            if rng.random() < 0.3:
                system = rng.choice(SYSTEM_LINES)
        messages = [{"role": "system", "content": system}] if system else []
        messages += [{"role": role, "content": text} for role, text in turns]
        if rng.random() < 0.85:
            messages = [{"role": turn["role"], "content": widen(turn["content"])} for turn in messages]
        return messages
