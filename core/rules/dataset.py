"""Rules about a dataset as a whole: duplicates, conflicts, overlap, one answer everywhere, too few rows, secrets.

`DatasetFacts` takes conversations one at a time and keeps forty-eight bytes for each, so that a file of any size can be
looked at as a stream.
"""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from core.conversation import Conversation, Finding, JsonObject, Message
from core.errors import counted
from core.shared import Shared, function_texts

FEW, DOMINANT = 50, 0.3
# Questions shorter than this are everybody's.
_TELLING = 12
# Fewer answers than this say nothing about one of them being everywhere.
_ENOUGH_ANSWERS = 10
_SECRETS = {
    "keys": re.compile(r"\b(?:sk-[A-Za-z0-9_-]{20,}|AKIA[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{30,}|hf_[A-Za-z]{30,})\b"),
    "private keys": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "mail addresses": re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,24})+\b"),
    "card numbers": re.compile(r"\b(?:\d[ -]?){13,18}\d\b"),
}

# Placeholders, and what models say when they refuse; none of it is an answer that somebody wants to train.
_BOILERPLATE = (
    "as an AI language model",
    "as a large language model",
    "I cannot assist with that",
    "I can't assist with that",
    "I'm sorry, but I can't",
    "TODO",
    "lorem ipsum",
    "[insert ",
    "[your name]",
)


def _numbers() -> array[int]:
    return array("Q")


@dataclass(slots=True)
class DatasetFacts:
    """What is known of the conversations so far; `scans` are the searches of `SCANS` that were asked for.

    For each conversation in order, `prompts` and `answers` stand for what is asked and answered last, `wholes` for all
    of it, and `places` and `lines` for where it came from (`files` are the names of places); `ids` are those of the raw
    rows, `inner` stand for the conversations that others begin with. The facts of two parts can be merged into those
    of both.
    """

    scans: frozenset[str] = frozenset()
    counts: Counter[str] = field(default_factory=Counter)
    prompts: array[int] = field(default_factory=_numbers)
    answers: array[int] = field(default_factory=_numbers)
    lines: array[int] = field(default_factory=_numbers)
    wholes: array[int] = field(default_factory=_numbers)
    places: array[int] = field(default_factory=_numbers)
    ids: array[int] = field(default_factory=_numbers)
    inner: array[int] = field(default_factory=_numbers)
    files: dict[int, str] = field(default_factory=dict)

    def add_id(self, data: Any) -> None:
        """The id of a raw row, if it has one."""
        name = (data.get("id") or data.get("conversation_id")) if isinstance(data, dict) else None
        if isinstance(name, str | int):
            self.ids.append(_hash(str(name)))

    def add(
        self, conversation: Conversation, said: tuple[int, int] | None = None, answers: list[int] | None = None
    ) -> None:
        """One conversation that is kept; `said` is its `said_hashes`, `answers` its `answer_hashes`, if known."""
        self._count(conversation)
        prompt, answer = said or said_hashes(conversation)
        self.prompts.append(prompt)
        self.answers.append(answer)
        self.lines.append(conversation.line)
        *inner, whole = answers or answer_hashes(conversation)
        self.inner.extend(inner)
        self.wholes.append(whole)
        self.places.append(self._place(conversation.file))
        for scan in self.scans:
            self.counts.update(SCANS[scan](conversation))

    def merge(self, later: DatasetFacts) -> None:
        """Add what is known of the conversations that follow."""
        self.counts.update(later.counts)
        self.files |= later.files
        for mine, more in zip(self._arrays(), later._arrays(), strict=True):
            mine.extend(more)

    def _place(self, file: str) -> int:
        """The number of a file, which is mostly that of the conversation before."""
        last = self.places[-1] if self.places else 0
        if self.files.get(last) == file:
            return last
        place = _hash(file)
        self.files[place] = file
        return place

    def _arrays(self) -> tuple[array[int], ...]:
        return self.prompts, self.answers, self.lines, self.wholes, self.places, self.ids, self.inner

    def _count(self, conversation: Conversation) -> None:
        counts, messages = self.counts, conversation.messages
        answers = [message for message in messages if message.role == "assistant"]
        calls = [len(message.tool_calls) for message in answers if message.tool_calls]
        counts["conversations"] += 1
        counts["messages"] += len(messages)
        counts["rows with tools"] += bool(conversation.tools)
        counts["weighted"] += sum([message.weight != 1.0 for message in messages])
        counts["assistant turns"] += len(answers)
        counts["parallel turns"] += sum([count > 1 for count in calls])
        counts["answers with reasoning"] += sum([bool(message.reasoning) for message in answers])
        counts["characters trained"] += sum([len(message.content) for message in answers if message.train is not False])
        counts["characters"] += sum([len(message.content) for message in messages])
        counts["calls"] += sum(calls)
        counts["tool rows without a call"] += bool(conversation.tools) and not calls

    def stats(self) -> dict[str, int]:
        """The figures, by name."""
        return {**{key: self.counts[key] for key in _FIGURES}, "duplicates": self._repeated()["duplicates"]}

    def findings(self, file: str, *, each_answer: bool = True) -> Iterator[Finding]:
        """What is wrong with the dataset as a whole; with `each_answer` all answers of a conversation are trained."""
        for code, text in self._texts():
            if code != "DS910" or each_answer:
                yield Finding(code, "kept", text, file)
        if not self.counts["conversations"]:
            yield Finding("DS905", "stopped", "no usable row", file)

    def _repeated(self) -> dict[str, int]:
        """How many ids, conversations and prompts (with another answer) were there before; the most frequent answer."""
        import numpy

        of = (self.prompts, self.answers, self.ids, self.wholes, self.inner)
        prompts, answers, ids, wholes, inner = (numpy.asarray(numbers, dtype=numpy.uint64) for numbers in of)
        _, first, group = numpy.unique(prompts, return_index=True, return_inverse=True)
        return {
            "doubled ids": len(ids) - len(numpy.unique(ids)),
            "duplicates": len(wholes) - len(numpy.unique(wholes)),
            "beginnings": int(numpy.isin(wholes, inner).sum()),
            "conflicts": int((answers != answers[first][group]).sum()) if len(prompts) else 0,
            "most": int(numpy.unique(answers, return_counts=True)[1].max(initial=0)),
        }

    def firsts_of_copies(self) -> dict[int, tuple[str, int]]:
        """The file and the line of the first of several like conversations, by its `whole_hash`."""
        import numpy

        wholes = numpy.asarray(self.wholes, dtype=numpy.uint64)
        names, first, counts = numpy.unique(wholes, return_index=True, return_counts=True)
        several = counts > 1
        pairs = zip(names[several].tolist(), first[several].tolist(), strict=True)
        return {name: (self.files[self.places[at]], self.lines[at]) for name, at in pairs}

    def _texts(self) -> Iterator[tuple[str, str]]:
        counts, total = self.counts + Counter(self._repeated()), self.counts["conversations"]
        yield from ((code, counted(counts[what], one, many)) for code, what, one, many in _SAID if counts[what])
        if counts["SH108"]:
            yield "SH108", f"the content of {counted(counts['SH108'], 'message')} is a list of parts; joined in order"
        if counts["TC501"]:
            yield "TC501", f"the arguments of {counted(counts['TC501'], 'call')} are JSON text; parsed"
        for phrase in _BOILERPLATE:
            if counts[phrase]:
                yield "CT309", f'{counted(counts[phrase], "answer contains", "answers contain")} "{phrase}"'
        if 0 < total < FEW:
            yield "DS905", f"only {counted(total, 'usable row')}"
        if total >= _ENOUGH_ANSWERS and counts["most"] > DOMINANT * total:
            yield "DS906", f"one answer is {100 * counts['most'] / total:.0f} % of the data"
        yield from self._tool_texts()

    def _tool_texts(self) -> Iterator[tuple[str, str]]:
        counts = self.counts
        with_tools = counts["rows with tools"]
        if with_tools and counts["tool rows without a call"]:
            yield "TL411", f"{_percent(counts['tool rows without a call'], with_tools)} % of tool rows contain no call"
        if counts["calls"]:
            each = counts["calls"] / counts["conversations"]
            several = (
                f"{_percent(counts['parallel turns'], counts['assistant turns'])} % of answers make several at once"
            )
            a_row = f"{each:.1f}" if each >= 0.1 else f"{each:.1g}"
            yield "DS908", f"{counted(counts['calls'], 'call')}, {a_row} a row; {several}"
        reasoned = counts["answers with reasoning"]
        if 0 < reasoned < counts["assistant turns"]:
            yield "RS607", f"{_percent(reasoned, counts['assistant turns'])} % of answers have reasoning"


def _percent(part: int, whole: int) -> str:
    """A share in whole percents, where only nothing is 0 and only all is 100."""
    share = 100 * part / whole
    return "< 1" if 0 < share < 0.5 else "> 99" if 99.5 <= share < 100 else f"{share:.0f}"


# What is counted, and what is said of one and of several.
_SAID = (
    ("SH112", "doubled ids", "row has an id that another row has too", "rows have an id that another row has too"),
    ("DS901", "duplicates", "row is an exact copy of an earlier one", "rows are exact copies of earlier ones"),
    (
        "DS902",
        "conflicts",
        "row asks what another row asks and answers something else",
        "rows ask what another row asks and answer something else",
    ),
    (
        "DS910",
        "beginnings",
        "row is the beginning of a longer one, which trains its answers once more",
        "rows are the beginnings of longer ones, which train their answers once more",
    ),
    (
        "DS907",
        "secrets",
        "row looks like it holds secrets or addresses",
        "rows look like they hold secrets or addresses",
    ),
    (
        "MK708",
        "weighted",
        "message has a weight other than 0 and 1; its loss is multiplied by it",
        "messages have a weight other than 0 and 1; their loss is multiplied by it",
    ),
)
_FIGURES = (
    *("conversations", "messages", "assistant turns", "calls", "parallel turns", "rows with tools"),
    *("tool rows without a call", "answers with reasoning", "characters", "characters trained"),
)


def _secrets(conversation: Conversation) -> Counter[str]:
    """DS907: whether a row holds what looks like keys, cards or addresses."""
    text = "\n".join(message.content for message in conversation.messages)
    return Counter(secrets=any(_holds(name, pattern, text) for name, pattern in _SECRETS.items()))


def _boilerplate(conversation: Conversation) -> Counter[str]:
    """CT309: the phrases in a row's answers."""
    answers = [message.content.lower() for message in conversation.messages if message.role == "assistant"]
    return Counter(phrase for answer in answers for phrase in _BOILERPLATE if phrase.lower() in answer)


# Searches that are made when they are asked for, by name.
SCANS: dict[str, Callable[[Conversation], Counter[str]]] = {"secrets": _secrets, "boilerplate": _boilerplate}


def said_hashes(conversation: Conversation) -> tuple[int, int]:
    """Numbers for what is asked (all but the last message) and answered, whatever the case, the spacing and the ids.

    Plain text is question and answer in one.
    """
    parts = [_normal(message) for message in conversation.messages]
    return _hash("\x1e".join(parts if conversation.plain else parts[:-1])), _hash("".join(parts[-1:]))


def whole_hash(conversation: Conversation) -> int:
    """A number for all of a conversation, to the letter; only the names of its calls' ids do not count."""
    return answer_hashes(conversation)[-1]


def answer_hashes(conversation: Conversation) -> list[int]:
    """The `whole_hash` of each conversation that ends with an answer of this one, and of all of it."""
    hasher = hashlib.blake2b(_tools_text(conversation.tools).encode("utf-8", "replace"), digest_size=8)
    found, last = [], len(conversation.messages) - 1
    for index, m in enumerate(conversation.messages):
        flags = _NO_FLAGS if m.train is None and m.weight == 1.0 else f"{m.train}\x1f{m.weight}"
        part = f"\x1e{m.role}\x1f{m.content}\x1f{m.reasoning}\x1f{flags}"
        if m.tool_calls:
            part += "".join([f"\x1f{call.name}{call.arguments!r}" for call in m.tool_calls])
        hasher.update(part.encode("utf-8", "replace"))
        if index == last or (m.role == "assistant" and not conversation.plain):
            found.append(int.from_bytes(hasher.digest(), "big"))
    return found or [int.from_bytes(hasher.digest(), "big")]


def _tools_text(tools: tuple[JsonObject, ...]) -> str:
    texts = function_texts(Shared(tools)) if tools else ()
    return "\x1e".join(texts) if all(texts) else repr(tools)


def copied(conversation: Conversation, first: tuple[str, int]) -> Finding:
    """DS901 for a row like the `first` (file and line), where copies are to be dropped; in every profile."""
    file, line = first
    here = file == conversation.file
    said = f"an exact copy of the row on line {line}" if here else f"an exact copy of the row on line {line} of {file}"
    return Finding("DS901", "dropped", said, conversation.file, conversation.line)


def asked_hash(text: str) -> int:
    """A number for a question, whatever the case and the spacing; 0 for what is too short to be told from others."""
    normal = " ".join(text.lower().split())
    return _hash(normal) if len(normal) >= _TELLING else 0


_NO_FLAGS = "None\x1f1.0"
_SORTED = json.JSONEncoder(sort_keys=True)


def _normal(message: Message) -> str:
    parts = [message.role, " ".join(message.content.lower().split()), message.reasoning]
    parts += [call.name + _SORTED.encode(call.arguments) for call in message.tool_calls]
    return "\x1f".join(parts)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def _holds(name: str, pattern: re.Pattern[str], text: str) -> bool:
    if name != "card numbers":
        return pattern.search(text) is not None
    return any(_luhn(found.group()) for found in pattern.finditer(text))


def _luhn(text: str) -> bool:
    """Whether digits have the check digit of a card number (ISO/IEC 7812)."""
    digits = [int(character) for character in text if character.isdigit()][::-1]
    doubled = [
        digit if index % 2 == 0 else (2 * digit - 9 if digit > 4 else 2 * digit) for index, digit in enumerate(digits)
    ]
    return sum(doubled) % 10 == 0 and any(digits)
