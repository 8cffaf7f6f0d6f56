"""The Template tab: what a chat template can express, what it makes of conversations, and how answers are read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr

from core.chat import parse_tools
from core.conversation import Finding, RowRefusedError
from core.errors import UserError
from core.formats import read_conversation
from core.model import load_tokenizer
from core.paths import resolve_file
from core.template.choose import bare_template, choose_template, library_names, text_template, token_pairs
from core.template.dialect import rewritten
from core.template.limits import MOST_SOURCE
from core.template.probe import card, example
from core.template.reader import describe, read_answer
from core.template.sandbox import Template
from core.template.spans import Rendered, render
from webui.board import LIGHT, QUIET, Board
from webui.card import card_html, spans_html
from webui.live import findings_html
from webui.markup import empty, note, pretty, title
from webui.talk import chat_html
from webui.told import wrong

# Templates tried at the same time: one that loops holds its place for two seconds.
TRIALS = 4
SAMPLE = {
    "messages": [
        {"role": "system", "content": "You help."},
        {"role": "user", "content": "What is the weather in Rome?"},
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": "abcdefghi",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": {"city": "Rome"}},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "abcdefghi", "name": "get_weather", "content": '{"sky": "sunny"}'},
        {"role": "assistant", "content": "It is sunny."},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "The weather now.",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            },
        }
    ],
}


def build(board: Board) -> None:
    """Put the tab here."""
    tab = TemplateTab(board)
    tab.put_choice()
    with gr.Row(equal_height=False, elem_classes="tb-two"):
        with gr.Column(scale=5, min_width=320, elem_classes="tb-card"):
            gr.HTML(title(board.t("What it can express")))
            tab.card = gr.HTML(elem_id="template-card")
        with gr.Column(scale=6, min_width=320):
            tab.put_trials()
    tab.listen()


class TemplateTab:
    """The components of the tab, and what happens to them."""

    card: gr.HTML

    def __init__(self, board: Board) -> None:
        self.board, self.t = board, board.t

    def put_choice(self) -> None:
        """Which template: a model's, one of the library, a file, or text."""
        t = self.t
        with gr.Column(elem_classes="tb-card"):
            with gr.Row(equal_height=False, elem_classes="tb-choose"):
                self.name = gr.Dropdown(
                    self.choices(),
                    value="starter",
                    allow_custom_value=True,
                    label=t("Template of"),
                    info=t("A model or a run, a name from the library, or the path of a .jinja file."),
                    scale=6,
                    min_width=280,
                    elem_id="template-name",
                )
                self.upload = gr.UploadButton(
                    t("Upload a .jinja file"), scale=1, min_width=180, elem_id="template-upload"
                )
            with gr.Accordion(t("Paste a template"), open=False, elem_id="template-paste"):
                self.source = gr.Textbox(
                    label=t("Jinja source"),
                    info=t("While something stands here, it is used instead of the choice above."),
                    lines=8,
                    max_lines=20,
                    elem_id="template-source",
                    elem_classes="tb-mono",
                )
                self.tokens = gr.Textbox(
                    label=t("Special tokens"),
                    info=t("What a pasted or library template may print, for instance bos_token=<s> eos_token=</s>."),
                    max_lines=1,
                    elem_id="template-tokens",
                )
            self.problem = gr.HTML(elem_id="template-problem")

    def put_trials(self) -> None:
        """An example, a conversation of one's own, and a text to read back."""
        t = self.t
        gr.HTML(title(t("An example: the marked parts are what a model learns to write")))
        self.example = gr.HTML(elem_id="template-example")
        with gr.Accordion(t("Try your own conversation"), open=False, elem_id="template-own"):
            self.conversation = gr.Textbox(
                json.dumps(SAMPLE, indent=2, ensure_ascii=False),
                label=t("Conversation (JSON, messages and tools)"),
                lines=12,
                max_lines=24,
                elem_id="template-conversation",
                elem_classes="tb-mono",
            )
            self.rendered = gr.HTML(elem_id="template-rendered")
        with gr.Accordion(t("Read an answer back"), open=False, elem_id="template-back"):
            self.answer = gr.Textbox(
                label=t("What a model wrote"),
                info=t("Its words, reasoning and calls are found by how this template writes them."),
                lines=5,
                max_lines=16,
                elem_id="template-answer",
                elem_classes="tb-mono",
            )
            self.fill = gr.Button(t("Take a call from the example"), size="md", elem_id="template-fill")
            self.read_back = gr.HTML(elem_id="template-read")

    def listen(self) -> None:
        """Tie the components to the functions below."""
        chosen = {self.name, self.source, self.tokens}
        asked = {*chosen, self.conversation, self.answer}
        settings: dict[str, Any] = {"concurrency_limit": TRIALS, "trigger_mode": "always_last", **QUIET}
        changes = [self.board.page.load, *(part.change for part in (self.name, self.source, self.tokens))]
        gr.on(changes, self.shown, chosen, [self.problem, self.card, self.example], **settings)
        gr.on([*changes, self.conversation.change], self.tried, asked, self.rendered, **settings)
        gr.on([*changes, self.answer.change], self.read, asked, self.read_back, **settings)
        self.fill.click(self.filled, chosen, self.answer, **settings)
        self.upload.upload(self.uploaded, self.upload, [self.source, self.problem], **settings)
        self.name.focus(lambda: gr.update(choices=self.choices()), None, self.name, concurrency_limit=LIGHT, **QUIET)

    def choices(self) -> list[tuple[str, str]]:
        """The starter, the runs that have a model, and the library."""
        runs = self.board.with_model()
        library = [(self.t("{name} (library)", name=name), name) for name in library_names()]
        return [(self.t("starter (the embedded model)"), "starter"), *((name, name) for name in runs), *library]

    def template(self, values: Mapping[Any, Any]) -> Template:
        """The template that was chosen. Raises `UserError`."""
        source, tokens = str(values[self.source] or ""), token_pairs(str(values[self.tokens] or "").split())
        if source.strip():
            return text_template(source, self.t("the pasted template"), tokens)
        name = str(values[self.name] or "").strip()
        if not name:
            raise UserError(self.t("Choose a template, or paste one."))
        if name in library_names():
            return bare_template(name, tokens)
        run = self.board.run(name)
        if run is not None:
            return choose_template("auto", load_tokenizer(str(run.model_dir)))
        self.board.roots.check_model(name, "template")
        path = resolve_file(name)
        if path.is_file():
            self.board.roots.check("template", path)
            return bare_template(str(path), tokens)
        return choose_template("auto", load_tokenizer(name))

    def trained(self, values: Mapping[Any, Any]) -> Template:
        """The same as training and chat use it: what it lacks is written another way. Raises `UserError`."""
        return rewritten(self.template(values))

    def shown(self, values: Mapping[Any, Any]) -> tuple[str, str, str]:
        """The card and the example, or what is wrong with the template."""
        t = self.t
        try:
            template = self.template(values)
            found = card(template)
            trained = rewritten(template)
            sample = example(trained)
        except UserError as error:
            return wrong(error, t), empty("–"), empty("–")
        made = spans_html(sample, t) if sample.text else empty(t("It takes none of the small conversations."))
        return "", card_html(found, trained.rewrites, t), made

    def tried(self, values: Mapping[Any, Any]) -> str:
        """What the template makes of the person's own conversation."""
        try:
            row, conversation = read_conversation(str(values[self.conversation] or ""), self.t("conversation"))
            samples = render(conversation, self.trained(values))
        except UserError as error:
            return wrong(error, self.t)
        except RowRefusedError as refused:
            return note(str(refused.finding), "bad")
        findings = [*row.findings, *(found for sample in samples for found in sample.notes)]
        return self.found(findings) + "".join(spans_html(sample, self.t) for sample in samples)

    def read(self, values: Mapping[Any, Any]) -> str:
        """What the reader finds in a text."""
        text = str(values[self.answer] or "")
        if not text.strip():
            return empty(self.t("Paste an answer above, or take one from the example."))
        try:
            answer = read_answer(text, self.trained(values), self.tools(values))
        except UserError as error:
            return wrong(error, self.t)
        message = f'<pre class="tb-raw">{pretty(describe(answer.message))}</pre>'
        return self.found(answer.findings) + chat_html([answer.message], self.t) + message

    def tools(self, values: Mapping[Any, Any]) -> Any:
        """The tools of the person's own conversation; none while it cannot be read."""
        try:
            given = json.loads(str(values[self.conversation] or "")).get("tools")
            return parse_tools(json.dumps(given)) if given else ()
        except (UserError, ValueError, AttributeError, RecursionError):
            return ()

    def filled(self, values: Mapping[Any, Any]) -> Any:
        """The first turn of the example as the model would have written it."""
        try:
            return first_turn(example(self.trained(values)))
        except UserError:
            return gr.skip()

    def uploaded(self, file: str) -> tuple[Any, str]:
        """A template's source has come."""
        path = Path(file)
        try:
            if path.stat().st_size > MOST_SOURCE:
                raise UserError(f"{path.name} is longer than {MOST_SOURCE} bytes")
            return path.read_text(encoding="utf-8"), ""
        except UserError as error:
            return gr.skip(), wrong(error, self.t)
        except (OSError, UnicodeDecodeError):
            return gr.skip(), wrong(UserError("not a text in UTF-8", file=path.name), self.t)
        finally:
            path.unlink(missing_ok=True)

    def found(self, findings: list[Finding]) -> str:
        """Findings as a list."""
        return findings_html([asdict(finding) for finding in findings], self.t)


def first_turn(sample: Rendered) -> str:
    """The trained text of the first message that is trained."""
    spans = [span for span in sample.spans if span.message == sample.spans[0].message]
    return sample.text[spans[0].start : spans[-1].end] if spans else ""
