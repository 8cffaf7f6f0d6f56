"""What to do about a row that no format fits: the options that would read it, with the row's own names in them."""

from __future__ import annotations

import re
from typing import Any

from core.conversation import JsonObject, json_text
from core.formats.detect import recognise
from core.formats.layout import Layout
from core.formats.names import PAIRS, our_name
from core.formats.roles import role_word
from core.formats.text import parse_object_text

# What a person could do, and the options that do it: none where a person must say more first.
Hint = tuple[str, dict[str, Any]]

_NEEDS = {
    "openai": {"messages"},
    "sharegpt": {"conversations"},
    "alpaca": {"instruction", "output"},
    "prompt_completion": {"prompt", "completion"},
    "xlam": {"query", "tools", "answers"},
    "text": {"text"},
}
# Columns of words that are neither asked nor answered.
_ABOUT = (
    "id",
    "uuid",
    "type",
    "model",
    "source",
    "url",
    "timestamp",
    "time",
    "date",
    "category",
    "language",
    "lang",
    "role",
    "split",
    "name",
)
_MOST_NAMED = 6
# How deep rows are looked for, and which names jq takes as they are.
_DEEPEST = 3
_PLAIN = re.compile(r"[A-Za-z_]\w*")


def nearest(record: Any) -> str:
    """What a person could do, for the message that nothing fits: columns to map, or the format that comes closest."""
    return _hint(record)[0]


def nearest_options(record: Any) -> dict[str, Any]:
    """The options (`formatting`, `columns`, `tags`, `roles`) with which the row is read as `nearest` says, or none."""
    return _hint(record)[1]


def _hint(record: Any) -> Hint:
    if not isinstance(record, dict) or not record:
        return "A row is an object with columns, for instance " + '{"messages": [{"role": …, "content": …}, …]}', {}
    found = _of_a_list(record) or _of_texts(record) or _deeper(record)
    if found:
        return found
    if closest := _closest(record):
        return closest, {}
    return _of_a_text(record) or ("No format has these keys", {})


def lacking(record: JsonObject) -> Layout | None:
    """The format whose columns a row has without what that format holds in them; its reader says what is wrong."""
    for column, formatting in (("messages", "openai"), ("conversations", "sharegpt")):
        if column in record and not (isinstance(record[column], list) and record[column]):
            return Layout(formatting, {"messages": column})
    if {"prompt", "completion"} <= record.keys():
        return Layout("prompt_completion")
    if "text" in record and record["text"] is None:
        return Layout("text")
    pair = next((pair for pair in PAIRS if record.keys() >= set(pair) and _may_be_pair(*map(record.get, pair))), None)
    return Layout("alpaca", {"prompt": pair[0], "query": "", "response": pair[1]}) if pair else None


def _may_be_pair(prompt: Any, response: Any) -> bool:
    """Whether two columns hold a question and an answer to it, several of them, or nothing."""
    answers = response if isinstance(response, list) else [response]
    return isinstance(prompt, str | None) and all(isinstance(answer, str | None) for answer in answers)


def _of_a_list(record: JsonObject) -> Hint | None:
    """A column with a list of objects: messages, if one knows under which keys they have what."""
    for column, value in record.items():
        listed = parse_object_text(value) if isinstance(value, str) and value.lstrip()[:1] == "[" else value
        if not isinstance(listed, list) or not listed or not all(isinstance(item, dict) and item for item in listed):
            continue
        texts = [key for key, inner in listed[0].items() if isinstance(inner, str) and not _is_about(key)]
        if len(texts) == 2:
            role, content = texts
            said = f"If column {column} holds the messages: --formatting openai --columns '{{messages: {column}}}'"
            said = f"{said} --tags '{{role_tag: {role}, content_tag: {content}}}' (and --roles for its names)"
            tags = {"role_tag": role, "content_tag": content}
            roles = _speakers([item.get(role) for item in listed])
            return said, {"formatting": "openai", "columns": {"messages": column}, "tags": tags, "roles": roles}
        keys = ", ".join(map(str, list(listed[0])[:_MOST_NAMED]))
        return f"Column {column} is a list of objects with {keys}; messages need a role and a content each", {}
    return None


def _speakers(named: list[Any]) -> dict[str, str]:
    """The roles of two who talk under names that say nothing: who begins asks. None where there are more, or fewer."""
    names = list(dict.fromkeys(name for name in named if isinstance(name, str)))
    known = [role_word(name) for name in names]
    if len(names) != 2 or any(role in ("system", "tool") for role in known) or None not in known:
        return {}
    first = "assistant" if known[0] == "assistant" or known[1] == "user" else "user"
    return dict(zip(names, (first, "user" if first == "assistant" else "assistant"), strict=True))


def _of_texts(record: JsonObject) -> Hint | None:
    """Two columns of words or more, one of which may be the question and another the answer to it."""
    texts = [str(key) for key, value in record.items() if isinstance(value, str) and value and not _is_about(str(key))]
    if len(texts) < 2:
        return None
    asked = next((name for name in texts if our_name(name) in ("prompt", "instruction", "question", "input")), "")
    answered = next((n for n in texts if our_name(n) in ("completion", "response", "answer", "output")), "")
    if len(texts) == 2 and not (asked and answered):
        asked = asked or next(name for name in texts if name != answered)
        answered = next(name for name in texts if name != asked)
        answered = "" if our_name(answered) in ("context", "input") else answered
    mapped = f"--columns '{{prompt: {asked or 'QUESTION'}, response: {answered or 'ANSWER'}}}'"
    if asked and answered:
        said = f"If {asked} is asked and {answered} is the answer to learn: {mapped}"
        return said, {"columns": {"prompt": asked, "response": answered}}
    return f"Say which column is asked and which is the answer: {mapped} (texts: {', '.join(texts[:_MOST_NAMED])})", {}


def _of_a_text(record: JsonObject) -> Hint | None:
    """The only column of words, which may be all that there is to learn."""
    texts = [str(key) for key, value in record.items() if isinstance(value, str) and value and not _is_about(str(key))]
    if len(texts) != 1 or any(isinstance(value, dict | list) and value for value in record.values()):
        return None
    # No options: whether such words are a text to train on is for a person to say.
    return f"If {texts[0]} is text to train on as it is: --formatting text --columns '{{text: {texts[0]}}}'", {}


def _deeper(record: JsonObject, path: str = "", depth: int = 0) -> Hint | None:
    """Rows in a list that lies in objects within objects: how to take them out."""
    for key, value in record.items():
        here = f"{path}.{key}" if _PLAIN.fullmatch(str(key)) else f"{path or '.'}[{json_text(key)}]"
        if isinstance(value, dict) and depth < _DEEPEST and (found := _deeper(value, here, depth + 1)):
            return found
        first = value[0] if depth and isinstance(value, list) and value else None
        if isinstance(first, dict) and recognise(first).layout is not None:
            return f"Its rows lie deeper; write each of them on a line of its own: jq -c '{here}[]'", {}
    return None


def _is_about(name: str) -> bool:
    return name.lower() in _ABOUT or name.endswith(("_id", "_at", "_type", "Id", "ID"))


def _closest(record: JsonObject) -> str:
    """The format that at least half of the keys are there for, and what is missing."""
    partly = {name: need - record.keys() for name, need in _NEEDS.items() if 2 * len(need & record.keys()) >= len(need)}
    if not partly:
        return ""
    name = min(partly, key=lambda name: len(partly[name]))
    missing = ", ".join(sorted(partly[name]))
    return f"Closest: {name} (missing {missing})" if missing else f"Closest: {name}, but its value is of another type"
