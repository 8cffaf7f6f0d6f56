"""The Chat tab: talk to a run. The model really calls: functions of a Python file that may run are run, the results of
other calls are given by the person, and the model goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from core.chat import MOST_ROUNDS, Chat, parse_tools
from core.config import ChatConfig, extra
from core.conversation import Message, ToolCall
from core.datasets import find_source, load_dataset, registry
from core.errors import UserError
from core.run import Run
from core.toolbox import Toolbox
from webui.board import LIGHT, QUIET, Board
from webui.form import Form
from webui.markup import empty, escape, note
from webui.talk import chat_html
from webui.told import told
from webui.toolfile import ToolFile

# Calls whose results can be given at once; of more, these come first and then the rest.
BOXES = 6
# Chat updates per second; more of them only make the page slow.
UPDATES_HZ = 5
# Answers written at the same time; a model's threads share the processor anyway.
WRITERS = 4
MONOSPACED = {"elem_classes": "tb-mono"}
SAMPLE_TOOLS = ("tools_heldout", "tools")


@dataclass
class Talk:
    """One person's conversation. `stopping` is set from another event while an answer is being written; `toolbox` is
    the process of its Python tools, and what they keep in memory lasts as long as the conversation."""

    messages: list[Message] = field(default_factory=list)
    waiting: list[ToolCall] = field(default_factory=list)
    busy: bool = False
    stopping: bool = False
    toolbox: Toolbox | None = None

    def end(self) -> None:
        """Give up what is being written, and forget everything."""
        self.stopping, self.messages, self.waiting = True, [], []
        if self.toolbox is not None:
            self.toolbox.close()
        self.toolbox = None


def build(board: Board) -> None:
    """Put the tab here."""
    tab = ChatTab(board)
    with gr.Row(equal_height=False):
        with gr.Column(scale=8, min_width=400, elem_classes="tb-card"):
            tab.put_talk()
        with gr.Column(scale=4, min_width=320, elem_classes="tb-card"):
            tab.put_settings()
    tab.listen()


class ChatTab:
    """The components of the tab, and what happens to them."""

    def __init__(self, board: Board) -> None:
        self.board, self.t = board, board.t
        self.form = Form(ChatConfig, board.t, fixed={"tools": "", "allow_tools": []}, prefix="chat")
        self.talk = gr.State(Talk())
        # By the page that they are held on: what is closed ends its conversation.
        self.talks: dict[str, Talk] = {}
        self.python = ToolFile(board)
        self.nothing = empty(board.t("Write something below. The answer appears here."))

    def put_talk(self) -> None:
        """The conversation, the results that the model waits for, and the line to write in."""
        t = self.t
        self.view = gr.HTML(self.nothing, elem_id="chat-view", elem_classes="tb-talk", autoscroll=True)
        self.status = gr.HTML(elem_id="chat-status")
        with gr.Column(visible=False, elem_id="chat-results", elem_classes="tb-card") as self.results:
            gr.HTML(f"<b>{escape(t('The model waits for these results:'))}</b>")
            self.boxes = [
                gr.Textbox(visible=False, lines=2, max_lines=10, elem_classes="tb-result-box") for _ in range(BOXES)
            ]
            with gr.Row():
                self.simulate = gr.Button(t("Simulate"), elem_id="chat-simulate")
                self.give = gr.Button(t("Send results"), variant="primary", elem_id="chat-give")
        with gr.Row(equal_height=True, elem_classes="tb-entry"):
            self.text = gr.Textbox(
                show_label=False,
                placeholder=t("Your message"),
                max_lines=8,
                scale=8,
                min_width=160,
                container=False,
                elem_id="chat-text",
            )
            self.send = gr.Button(t("Send"), variant="primary", scale=0, min_width=88, elem_id="chat-send")
            self.stop = gr.Button(t("Stop"), scale=0, min_width=80, interactive=False, elem_id="chat-stop")
            self.clear = gr.Button(t("Clear"), scale=0, min_width=80, elem_id="chat-clear")

    def put_settings(self) -> None:
        """Whom to talk to, and how."""
        t, form = self.t, self.form
        self.board.chat_target.render()
        form.add("system", lines=2, max_lines=8)
        self.tools = gr.Textbox(label=t("Tools (JSON)"), lines=5, max_lines=14, elem_id="chat-tools", **MONOSPACED)
        self.sample = gr.Button(t("Load sample tools"), size="md", elem_id="chat-sample")
        self.python.put()
        groups = {"generation": _generation_fields(), "model": ["template", "device", "dtype"]}
        for group, names in groups.items():
            with gr.Accordion(t.group(group), open=False):
                for name in names:
                    form.add(name)

    def listen(self) -> None:
        """Tie the components to the functions below."""
        board, talk = self.board, self.talk
        outputs = [self.view, self.status, self.text, self.results, *self.boxes, self.send, self.stop]
        heard = {
            self.text,
            talk,
            self.tools,
            board.chat_target,
            *self.form.components.values(),
            *self.boxes,
            *self.python.asked,
        }
        settings: dict[str, Any] = {"concurrency_limit": WRITERS, "trigger_mode": "once", **QUIET}
        gr.on([self.send.click, self.text.submit], self.say, heard, outputs, **settings)
        self.give.click(self.send_results, heard, outputs, **settings)
        self.simulate.click(simulated, talk, self.boxes, concurrency_limit=LIGHT, **QUIET)
        self.stop.click(halt, talk, None, concurrency_limit=LIGHT, queue=False, **QUIET)
        self.clear.click(self.cleared, talk, outputs, concurrency_limit=LIGHT, queue=False, **QUIET)
        self.sample.click(
            lambda: sample(self.t.language), None, [self.tools, self.text], concurrency_limit=LIGHT, **QUIET
        )
        self.python.listen()
        board.page.load(self.opened, talk, None, concurrency_limit=LIGHT, **QUIET)
        board.page.unload(self.left)
        fresh = [board.page.load, board.chat_target.focus]
        gr.on(fresh, board.chat_choices, None, board.chat_target, concurrency_limit=LIGHT, **QUIET)

    def page(
        self, talk: Talk, *, writing: str | None = None, text: Any = None, message: str = "", tone: str = ""
    ) -> Any:
        """Everything that an event of this tab shows; `text` is what stands in the entry line, None leaves it."""
        shown = [] if talk.busy else talk.waiting[:BOXES]
        boxes = [gr.update(visible=True, label=_call_label(call), value="") for call in shown]
        boxes += [gr.update(visible=False, value="")] * (BOXES - len(shown))
        return [
            chat_html(talk.messages, self.t, writing=writing) if talk.messages else self.nothing,
            note(message, tone),
            gr.skip() if text is None else text,
            gr.update(visible=bool(shown)),
            *boxes,
            gr.update(interactive=not talk.busy and not talk.waiting),
            gr.update(interactive=talk.busy),
        ]

    def say(self, values: Mapping[Any, Any]) -> Iterator[Any]:
        """The person's message."""
        talk, said = values[self.talk], str(values[self.text] or "").strip()
        if talk.waiting:
            yield self.page(talk, message=self.t("Give the results first."))
        elif talk.busy or not said:
            yield gr.skip()
        else:
            yield from self.answer(values, [Message("user", said)], said)

    def send_results(self, values: Mapping[Any, Any]) -> Iterator[Any]:
        """The results in the boxes; the model goes on when it has all of them."""
        talk: Talk = values[self.talk]
        pairs = zip(talk.waiting, self.boxes, strict=False)
        given = [Message("tool", str(values[box] or ""), tool_call_id=c.id, name=c.name) for c, box in pairs]
        if talk.busy or not given:
            yield gr.skip()
        elif len(talk.waiting) > BOXES:
            talk.messages, talk.waiting = [*talk.messages, *given], talk.waiting[BOXES:]
            yield self.page(talk)
        else:
            yield from self.answer(values, given, "")

    def answer(self, values: Mapping[Any, Any], added: list[Message], typed: str) -> Iterator[Any]:
        """Say `added`, and show the answer while it is written. What fails leaves the conversation as it was."""
        talk: Talk = values[self.talk]
        before, waited = talk.messages, talk.waiting
        talk.messages, talk.waiting, talk.busy, talk.stopping = [*before, *added], [], True, False
        try:
            yield self.page(talk, writing="", message=self.t("Preparing the model …"), text="")
            chat = self.chat(values)
            yield from self.rounds(chat, talk)
            if talk.messages:
                talk.messages, talk.waiting = said_in(chat), chat.waiting
        except UserError as error:
            talk.messages, talk.waiting, talk.busy = before, waited, False
            yield self.page(talk, message=told(error, self.t), text=typed, tone="bad")
            return
        finally:
            talk.busy = False
        left_out = self.t("Too long for the model: it did not see the oldest {n} exchanges.", n=chat.forgotten)
        yield self.page(talk, message=left_out if chat.forgotten else "")

    def rounds(self, chat: Chat, talk: Talk) -> Iterator[Any]:
        """Let the model write, and run what it calls and may run, until it waits for somebody or is done."""
        for _ in range(MOST_ROUNDS):
            for written in pieces(chat, talk):
                yield self.page(talk, writing=written)
            if talk.stopping or not talk.messages or not chat.functions:
                return
            talk.messages = said_in(chat)
            yield self.page(talk, message=self.t("Running {names} …", names=", ".join(c.name for c in chat.waiting)))
            # The conversation may have been ended meanwhile.
            if not chat.run_calls() or not talk.messages:
                return
            talk.messages = said_in(chat)
            if talk.stopping:
                return

    def chat(self, values: Mapping[Any, Any]) -> Chat:
        """The conversation so far with the chosen model. Raises `UserError`."""
        config = self.form.read(values)
        self.board.roots.check_template(config)
        chat = Chat(self.board.models.get(self.target(values[self.board.chat_target]), config), config)
        chat.tools = parse_tools(values[self.tools] or "")
        talk: Talk = values[self.talk]
        chat.messages += talk.messages
        talk.toolbox = self.python.toolbox(values, talk.toolbox)
        if talk.toolbox is not None:
            chat.use(talk.toolbox)
        return chat

    def target(self, name: str | None) -> Run | str:
        """What to chat with: the starter or a run of ours, whatever the browser sends. Raises `UserError`."""
        return "starter" if name == "starter" else self.board.need_run(name)

    def cleared(self, talk: Talk) -> Any:
        """Start over; an answer that is being written is given up."""
        talk.end()
        return self.page(talk, text="")

    def opened(self, talk: Talk, request: gr.Request) -> None:
        """A page was opened."""
        self.talks[str(request.session_hash)] = talk

    def left(self, request: gr.Request) -> None:
        """A page was closed, or loaded anew as another one."""
        talk = self.talks.pop(str(request.session_hash), None)
        if talk is not None:
            talk.end()


def pieces(chat: Chat, talk: Talk) -> Iterator[str]:
    """What has been written so far, a few times a second; a stopped answer is kept as far as it came."""
    written, shown_at = "", 0.0
    answer = chat.answer()
    for piece in answer:
        written += piece
        if talk.stopping:
            answer.close()  # type: ignore[attr-defined]
            chat.messages.append(Message("assistant", written))
            return
        if time.monotonic() - shown_at > 1 / UPDATES_HZ:
            shown_at = time.monotonic()
            yield written


def said_in(chat: Chat) -> list[Message]:
    """The conversation without the system prompt, which the page holds apart."""
    return [message for message in chat.messages if message.role != "system"]


def simulated(talk: Talk) -> list[Any]:
    """Plausible results for the boxes: it worked, with these arguments."""
    shown = talk.waiting[:BOXES]
    filled = [json.dumps({"status": "ok", **call.arguments}, ensure_ascii=False, default=str) for call in shown]
    return [*filled, *([gr.skip()] * (BOXES - len(shown)))]


def halt(talk: Talk) -> None:
    """Stop writing after this piece."""
    talk.stopping = True


def sample(language: str) -> tuple[Any, Any]:
    """Tools and a question from the sample data: the first that is in this language and leads to a call."""
    name = next((name for name in SAMPLE_TOOLS if name in registry()), None)
    for conversation in load_dataset(find_source(name), 60).conversations if name else []:
        first = [message for message in conversation.messages if message.role != "system"][:2]
        if [bool(message.tool_calls) for message in first] == [False, True] and first[0].content.isascii() == (
            language == "en"
        ):
            return json.dumps(list(conversation.tools), ensure_ascii=False, indent=2), first[0].content
    return gr.skip(), gr.skip()


def _generation_fields() -> list[str]:
    fields = ChatConfig.model_fields.items()
    return [
        name
        for name, info in fields
        if extra(info)["group"] == "generation" and name not in ("system", "tools", "allow_tools")
    ]


def _call_label(call: ToolCall) -> str:
    return f"{call.name}({', '.join(f'{key}={value!r}' for key, value in call.arguments.items())})"
