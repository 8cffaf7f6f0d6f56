"""Who speaks: the names that files give to roles, and the lists of messages that they are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from core.conversation import JsonObject, Message, Role, Row, snippet
from core.errors import did_you_mean
from core.formats.layout import Layout
from core.formats.names import MESSAGE_KEYS
from core.formats.text import parse_object_text, text_of, type_name

ROLE_ALIASES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "chatbot": "assistant",
    "claude": "assistant",
    "gemini": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
    "tool_response": "tool",
    "tool_result": "tool",
    "function_response": "tool",
    "environment": "tool",
    # The names of classes and of what comes from an interface.
    "systemmessage": "system",
    "usermessage": "user",
    "humanmessage": "user",
    "aimessage": "assistant",
    "assistantmessage": "assistant",
    "apimessage": "assistant",
    "toolmessage": "tool",
}
_HINTS = frozenset(ROLE_ALIASES)
# The same in other languages.
_TRANSLATED: dict[Role, str] = {
    "system": "系统 система",
    "user": "用户 人类 ユーザー 사용자 benutzer nutzer usuario usuário utilisateur utente пользователь",
    "assistant": "助手 助理 机器人 アシスタント 어시스턴트 assistent asistente assistente ассистент",
    "tool": "工具 werkzeug herramienta",
}
ROLE_ALIASES |= {word: role for role, words in _TRANSLATED.items() for word in words.split()}
# Roles whose content is a call.
CALL_NAMES = frozenset({"function_call", "tool_call"})
# The names that each way of writing declares itself; any other alias is noted as a repair.
OWN_NAMES = frozenset({"system", "user", "assistant", "tool"})
SHAREGPT_NAMES = OWN_NAMES | {"human", "gpt", "function_call", "observation"}
_TAGS: dict[str, Role] = {
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "tool",
    "function_tag": "assistant",
    "system_tag": "system",
}
MOST_MESSAGES = 10_000


def role_word(named: str) -> Role | None:
    """The role that a name stands for everywhere; None for the names of people and the like."""
    return ROLE_ALIASES.get(named) or ROLE_ALIASES.get(named.strip().lower().replace("-", "_"))


def role_of(row: Row, path: str, named: Any, layout: Layout, own: frozenset[str] = OWN_NAMES) -> Role:
    """The role that a file's name stands for: the layout's map, its tags, then the aliases that everybody uses."""
    if not isinstance(named, str):
        raise row.refuse("RO202", path, f"unknown role {snippet(named)}")
    if named in own and not layout.roles and not layout.tags:
        return ROLE_ALIASES[named]
    declared = layout.roles.get(named) or next((r for tag, r in _TAGS.items() if layout.tags.get(tag) == named), None)
    if declared is not None:
        return declared
    role = role_word(named)
    if role is None:
        hint = did_you_mean(named, {*_HINTS, *layout.roles})
        raise row.refuse("RO202", path, f"unknown role {snippet(named)}; {hint} Or map it with --roles")
    if named not in own:
        row.repaired(*_alias_finding(path, named, role))
    return role


def _alias_finding(path: str, named: str, role: Role) -> tuple[str, str, str, str, str]:
    if named == "developer":
        return "RO213", path, "developer read as system", named, role
    return "RO201", path, f'role "{snippet(named)}" read as "{role}"', named, role


def message_list(row: Row, column: str) -> list[JsonObject]:
    """The list of message objects in a column. Raises `RowRefusedError` when it is missing, empty or misshapen."""
    value = row.data.get(column)
    if isinstance(value, str) and isinstance(parsed := parse_object_text(value), list):
        value = parsed
        row.repaired("SH103", column, f"{column} was a JSON string; parsed")
    if column in row.data and not isinstance(value, list):
        raise row.refuse("SH102", column, f'"{column}" is {type_name(value)}, expected a list of messages')
    if not isinstance(value, list):
        raise row.refuse("SH102", column, f'no "{column}" list; keys seen: {snippet(", ".join(map(str, row.data)))}')
    if not value:
        raise row.refuse("SH104", column, "conversation has no messages")
    if len(value) > MOST_MESSAGES:
        raise row.refuse("SH114", column, f"{len(value)} messages are more than {MOST_MESSAGES}")
    messages = []
    for index, message in enumerate(value):
        if isinstance(message, dict):
            messages.append(message)
        else:
            row.mend(
                "SH105",
                f"{column}[{index}]",
                f"message is {type_name(message)}, expected an object",
                "left out",
                message,
            )
    if len(messages) > 1 and _newest_first(messages):
        row.kept("SH115", column, "the messages stand newest first; read in the order of their times")
        messages.reverse()
    return messages


def not_read(row: Row, path: str, kinds: Iterable[str]) -> None:
    """Note what of a list has no place in a conversation, by its kinds, each as often as there are of it."""
    counts = Counter(kinds)
    if counts:
        shown = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        row.kept("SH107", path, f"items that are not read: {shown}")


def _newest_first(messages: list[JsonObject]) -> bool:
    """Whether messages begin with an answer, end with a question, and have times that fall all the way."""
    key = next((key for key in ("created_at", "timestamp", "create_time") if key in messages[0]), "")
    if not key or role_word(str(messages[0].get("role"))) != "assistant":
        return False
    times: list[Any] = [message.get(key) for message in messages]
    if not (all(isinstance(time, int | float) for time in times) or all(isinstance(time, str) for time in times)):
        return False
    falls = all(later > earlier for later, earlier in pairwise(times))
    return falls and role_word(str(messages[-1].get("role"))) == "user"


def answering_system(listed: list[Any]) -> str:
    """The name of the system that answers the user, as in sets of task dialogues; empty where others speak, too."""
    first, second = (one if isinstance(one, dict) else {} for one in [*listed[:2], {}][:2])
    key = "role" if "role" in first else "from"
    if str(first.get(key)).lower() != "user" or str(second.get(key)).lower() != "system":
        return ""
    names = {str(one.get(key)).lower() if isinstance(one, dict) else "" for one in listed}
    return str(second[key]) if names == {"user", "system"} else ""


def messages_in_text(value: Any) -> list[JsonObject]:
    """The messages (one, or a list of them) that a text is the JSON of; none when it is anything else."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{") or '"role"' not in value.replace("'", '"'):
        return []
    parsed = parse_object_text(value)
    listed = parsed if isinstance(parsed, list) else [parsed]
    return listed if all(map(_is_message, listed)) else []


def _is_message(value: Any) -> bool:
    speaks = isinstance(value, dict) and isinstance(value.get("role"), str) and role_word(value["role"])
    return bool(speaks) and not {"content", "tool_calls", "parts"}.isdisjoint(value)


def require(row: Row, path: str, message: JsonObject, key: str) -> Any:
    """The value at a key that a message must have."""
    if key not in message:
        raise row.refuse("SH106", path, f'message has no "{key}"')
    return message[key]


def in_keys_of(row: Row, path: str, message: JsonObject, role: str, content: str) -> JsonObject:
    """The message under the keys `role` and `content` of its format, where it alone has those of another (`from`)."""
    other = {}
    for key, known in ((role, _ROLE_KEYS), (content, _CONTENT_KEYS)):
        found = [name for name in known if name in message and name not in (role, content)]
        if key not in message and len(found) == 1 and isinstance(message[found[0]], str | list):
            other[found[0]] = key
    if not other:
        return message
    said = ", ".join(f"{name} as {key}" for name, key in other.items())
    row.kept("SH115", path, f"the message has keys of another format: {said}")
    return {other.get(name, name): value for name, value in message.items()}


_ROLE_KEYS = tuple(dict.fromkeys(role for role, _ in MESSAGE_KEYS))
_CONTENT_KEYS = tuple(dict.fromkeys(content for _, content in MESSAGE_KEYS))


def leading_system(row: Row, column: str, messages: list[Message]) -> list[Message]:
    """The messages with the system prompt of a column before them, unless they bring one themselves."""
    system = row.data.get(column) if column else None
    if system in (None, "", []):
        return messages
    text = text_of(row, column, system)
    own = [message.content for message in messages if message.role == "system"]
    if not own:
        return [Message("system", text, place=column), *messages]
    if any(turn.strip() == text.strip() for turn in own):
        row.repaired("RO208", column, "the same system prompt twice; one is used")
    else:
        row.kept("RO208", column, "two system prompts; the one in the messages is used")
    return messages
