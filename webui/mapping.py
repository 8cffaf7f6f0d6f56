"""How a file is to be read where recognition is wrong: its format, columns, keys and roles, by choosing among what is
in its first rows. What is chosen are the options `formatting`, `columns`, `tags` and `roles` of the config.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from core.conversation import Row
from core.formats import FORMATS, parse_object_text
from core.formats.names import MESSAGE_KEYS
from webui.texts import Texts

ROLE_KEYS = {keys[0] for keys in MESSAGE_KEYS}
LONGEST_ROLE, MOST_SEEN = 40, 40
OURS = ("user", "assistant", "tool", "system")


@dataclass(frozen=True)
class Seen:
    """What stands in the first rows of a file: columns, keys of messages, names of roles."""

    columns: list[str]
    keys: list[str]
    roles: list[str]


def seen_in(rows: Iterable[Row]) -> Seen:
    """The names in some rows, in the order in which they come."""
    columns: dict[str, None] = {}
    keys: dict[str, None] = {}
    roles: dict[str, None] = {}
    for row in rows:
        if not isinstance(row.data, dict):
            continue
        columns.update(dict.fromkeys(map(str, row.data)))
        for message in _messages(row.data.values()):
            keys.update(dict.fromkeys(map(str, message)))
            roles.update(dict.fromkeys(_role_names(message)))
    return Seen(*(list(names)[:MOST_SEEN] for names in (columns, keys, roles)))


def _messages(values: Iterable[Any]) -> Iterable[Mapping[str, Any]]:
    for value in values:
        listed = parse_object_text(value) if isinstance(value, str) and value.lstrip()[:1] == "[" else value
        if isinstance(listed, list):
            yield from (item for item in listed if isinstance(item, dict))


def _role_names(message: Mapping[str, Any]) -> Iterable[str]:
    named = (message[key] for key in message if key in ROLE_KEYS)
    return [name for name in named if isinstance(name, str) and len(name) <= LONGEST_ROLE]


@dataclass
class MappingForm:
    """The components, by the words of dataset_info.json."""

    t: Texts
    formatting: Any = None
    columns: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, Any] = field(default_factory=dict)

    def put(self) -> None:
        """Put the components here."""
        t = self.t
        self.formatting = gr.Dropdown(
            [(t("recognise it"), ""), *((name, name) for name in sorted(FORMATS))],
            value="",
            label=t("Format"),
            info=t("Leave it to recognition unless it is wrong."),
            elem_id="map-formatting",
        )
        self._put(t("Which column holds"), self.columns, column_labels(t), "map-column")
        self._put(t("In a message, which key holds"), self.tags, tag_labels(t), "map-tag")
        self._put(t("Who speaks under which names"), self.roles, role_labels(t), "map-role", multiselect=True)

    def _put(self, title: str, into: dict[str, Any], labels: Mapping[str, str], prefix: str, **options: Any) -> None:
        with gr.Group(elem_classes="tb-map"):
            gr.HTML(f'<div class="tb-map-title">{title}</div>')
            with gr.Row():
                for word, label in labels.items():
                    settings = {"label": label, "allow_custom_value": True, "min_width": 150, **options}
                    none: list[str] | None = [] if options.get("multiselect") else None
                    into[word] = gr.Dropdown([], value=none, elem_id=f"{prefix}-{word}", **settings)

    @property
    def parts(self) -> list[Any]:
        """All components, in a fixed order."""
        return [self.formatting, *self.columns.values(), *self.tags.values(), *self.roles.values()]

    def read(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        """The options in what Gradio hands a listener."""
        roles = {name: role for role, part in self.roles.items() for name in values[part] or []}
        return {
            "formatting": values[self.formatting] or "",
            "columns": {word: str(values[part]) for word, part in self.columns.items() if values[part]},
            "tags": {word: str(values[part]) for word, part in self.tags.items() if values[part]},
            "roles": roles,
        }

    def fresh(self, seen: Seen) -> list[Any]:
        """Updates for `parts`: nothing mapped, and what there is to choose from."""
        offers: list[tuple[Sequence[Any], list[str]]] = [
            (list(self.columns), seen.columns),
            (list(self.tags), seen.keys),
            (list(self.roles), seen.roles),
        ]
        updates = [gr.update(value="")]
        for words, names in offers:
            many = words is offers[2][0]
            updates += [gr.update(choices=names, value=[] if many else None) for _ in words]
        return updates


def column_labels(t: Texts) -> dict[str, str]:
    """The words for columns, as labels."""
    return {
        "messages": t("the messages"),
        "system": t("the system prompt"),
        "tools": t("the tools"),
        "prompt": t("the question"),
        "query": t("more of the question"),
        "response": t("the answer"),
        "reasoning": t("the reasoning"),
        "history": t("earlier turns"),
        "text": t("plain text"),
    }


def tag_labels(t: Texts) -> dict[str, str]:
    """The words for keys of messages that a person maps; who speaks is mapped by `roles`."""
    return {"role_tag": t("the speaker"), "content_tag": t("the words")}


def role_labels(t: Texts) -> dict[str, str]:
    """Our roles, as labels."""
    return {"user": t("user"), "assistant": t("assistant"), "tool": t("tool result"), "system": t("system prompt")}
