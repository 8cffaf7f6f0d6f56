"""How a file is to be read where recognition is wrong: its format, columns, keys and roles, by choosing among what is
in its first rows. What is chosen are the options `formatting`, `columns`, `tags` and `roles` of the config. Where no
row is recognised the form opens by itself, and a button fills it in as the findings say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from core.conversation import Row
from core.formats import FORMATS, nearest_options, parse_object_text
from core.formats.names import MESSAGE_KEYS
from webui.board import LIGHT, QUIET
from webui.texts import Texts

ROLE_KEYS = frozenset(keys[0] for keys in MESSAGE_KEYS)
LONGEST_ROLE, MOST_SEEN, LONGEST_ON_BUTTON = 40, 40, 32
OURS = ("user", "assistant", "tool", "system")


@dataclass(frozen=True)
class Seen:
    """What stands in the first rows of a file: columns, keys of messages, names of roles."""

    columns: list[str]
    keys: list[str]
    roles: list[str]


def seen_in(rows: Iterable[Row], role_keys: Collection[str] = ROLE_KEYS) -> Seen:
    """The names in some rows, in the order in which they come; those of roles stand under `role_keys`."""
    columns: dict[str, None] = {}
    keys: dict[str, None] = {}
    roles: dict[str, None] = {}
    for row in rows:
        if not isinstance(row.data, dict):
            continue
        columns.update(dict.fromkeys(map(str, row.data)))
        for message in _messages(row.data.values()):
            keys.update(dict.fromkeys(map(str, message)))
            roles.update(dict.fromkeys(_role_names(message, role_keys)))
    return Seen(*(list(names)[:MOST_SEEN] for names in (columns, keys, roles)))


def _messages(values: Iterable[Any]) -> Iterable[Mapping[str, Any]]:
    for value in values:
        listed = parse_object_text(value) if isinstance(value, str) and value.lstrip()[:1] == "[" else value
        if isinstance(listed, list):
            yield from (item for item in listed if isinstance(item, dict))


def _role_names(message: Mapping[str, Any], keys: Collection[str]) -> Iterable[str]:
    named = (message[key] for key in message if key in keys)
    return [name for name in named if isinstance(name, str) and len(name) <= LONGEST_ROLE]


@dataclass
class Fold:
    """Whether the form is open, and the dataset for which it opened by itself; none where a person opened it."""

    open: bool = False
    opened_for: str = ""

    def expanded(self) -> None:
        """It is open, whoever opened it."""
        self.open = True

    def collapsed(self) -> None:
        """It is closed; when it opens again, that is for another reason."""
        self.open, self.opened_for = False, ""


@dataclass
class MappingForm:
    """The components, by the words of dataset_info.json."""

    t: Texts
    panel: Any = None
    fold: Any = None
    offer: Any = None
    offered: Any = None
    formatting: Any = None
    columns: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, Any] = field(default_factory=dict)

    def put_offer(self) -> None:
        """Put the button here that fills in the form as the findings say, hidden until they say something."""
        self.offer, self.offered = gr.Button(visible=False, size="md", elem_id="data-offer"), gr.State({})

    def put(self) -> None:
        """Put the form here, folded."""
        t = self.t
        way = t("Read it another way: format, columns, roles")
        self.panel, self.fold = gr.Accordion(way, open=False, elem_id="data-mapping"), gr.State(Fold())
        with self.panel:
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

    def listen(self) -> None:
        """Tie the components to the functions below."""
        # One after the other: what was told last is how it is.
        in_order: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "fold", **QUIET}
        self.panel.expand(Fold.expanded, self.fold, None, **in_order)
        self.panel.collapse(Fold.collapsed, self.fold, None, **in_order)
        self.offer.click(self.filled, self.offered, self.parts, concurrency_limit=LIGHT, **QUIET)

    @property
    def parts(self) -> list[Any]:
        """All components, in a fixed order."""
        return [self.formatting, *self.columns.values(), *self.tags.values(), *self.roles.values()]

    @property
    def told(self) -> list[Any]:
        """The outputs that `tell` fills, in their order."""
        return [self.panel, self.offer, self.offered]

    def tell(self, name: str, fold: Fold, strange: Sequence[Row]) -> tuple[Any, ...]:
        """Of a dataset without a row that is recognised (`strange` are its first ones) the form opens, and what the
        findings say is offered; with the next dataset it closes again, unless a person opened it."""
        options = next(filter(None, (nearest_options(row.data) for row in strange)), {})
        panel = gr.skip()
        if strange and (fold.opened_for or not fold.open):
            panel, fold.opened_for = gr.update(open=True), name
        elif not strange and fold.opened_for not in ("", name):
            panel = gr.update(open=False)
        return panel, gr.update(visible=bool(options), value=offer_words(options, self.t)), options

    def filled(self, options: Mapping[str, Any]) -> list[Any]:
        """Updates for `parts`: exactly these options."""
        names: dict[str, list[str]] = {word: [] for word in self.roles}
        for name, role in options.get("roles", {}).items():
            names[role].append(name)
        return [
            options.get("formatting", ""),
            *(options.get("columns", {}).get(word) for word in self.columns),
            *(options.get("tags", {}).get(word) for word in self.tags),
            *(gr.update(choices=list(options.get("roles", {})), value=names[word]) for word in self.roles),
        ]

    def read(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        """The options in what Gradio hands a listener."""
        # An Enter in an empty field makes a name of no letters.
        roles = {name: role for role, part in self.roles.items() for name in values[part] or [] if name}
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


def offer_words(options: Mapping[str, Any], t: Texts) -> str:
    """What the button says that it does."""
    columns, tags = options.get("columns", {}), options.get("tags", {})
    named = {word: _short(name) for word, name in {**columns, **tags}.items()}
    if "prompt" in named:
        return t("Read “{prompt}” as the question, “{response}” as the answer", **named)
    if "messages" not in named:
        return ""
    said = t("Read “{messages}” as the messages: “{role_tag}” is the speaker, “{content_tag}” the words", **named)
    labels = role_labels(t)
    return " · ".join([said, *(f"{_short(name)} = {labels[role]}" for name, role in options["roles"].items())])


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_ON_BUTTON else name[: LONGEST_ON_BUTTON - 1] + "…"


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
