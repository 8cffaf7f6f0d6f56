"""A conversation in its template's style, rendered up to any message; each text is made once."""

from __future__ import annotations

from dataclasses import replace

from core.conversation import Conversation, Finding, JsonObject, RowRefusedError
from core.template.protect import protect
from core.template.replay import Replay
from core.template.sandbox import Template, TemplateRefusedError
from core.template.style import styled_messages
from core.template.trace import Regions, trace_regions


class History:
    """A conversation, protected and in the template's style, and its texts."""

    def __init__(self, conversation: Conversation, template: Template) -> None:
        self.template = template
        # In text that is already formatted for a model its tokens are meant.
        control = () if template.adds_nothing else template.control_tokens | set(template.stop)
        self.conversation = protect(conversation, control)
        self.messages: list[JsonObject] = styled_messages(template, self.conversation.messages)
        self._replay = Replay(template, self.messages, self.conversation.tools)
        self._texts: dict[tuple[int, bool], str] = {}
        self._asked: dict[tuple[int, bool], str] = {}
        self._regions: dict[int, Regions | None] = {}

    def whole(self) -> str:
        """All messages, as the template plainly renders them; what is replayed must give the same."""
        count = len(self.messages)
        plain = self._replay.whole()
        if self._replay.plain:
            self._texts[count, False] = plain
        elif self.text(count) != plain:
            self._replay.distrust()
            self._texts = {(count, False): plain}
        return plain

    def asked(self, count: int, thinking: bool) -> str:
        """The first `count` messages and the generation prompt with thinking switched on or off."""
        if (count, thinking) not in self._asked:
            self._asked[count, thinking] = self._replay.text(count, ask=True, enable_thinking=thinking)
        return self._asked[count, thinking]

    def text(self, count: int, *, ask: bool = False) -> str:
        """The first `count` messages; with `ask`, and the generation prompt."""
        if (count, ask) not in self._texts:
            self._texts[count, ask] = self._replay.text(count, ask=ask)
        return self._texts[count, ask]

    def regions(self, count: int) -> Regions | None:
        """The part of each message in `text(count)`."""
        if count not in self._regions:
            part, tools, text = self.messages[:count], self.conversation.tools, self.text(count)
            self._regions[count] = trace_regions(self.template, part, tools, text)
        return self._regions[count]

    def imagined(self, index: int, reasoning: str) -> str:
        """The text up to message `index`, as if that had this reasoning; nothing where the template refuses it."""
        messages = list(self.conversation.messages[: index + 1])
        messages[index] = replace(messages[index], reasoning=reasoning)
        try:
            return self.template.render(styled_messages(self.template, messages), self.conversation.tools)
        except TemplateRefusedError:
            return ""

    def region(self, count: int, index: int) -> tuple[int, int]:
        """Where message `index` stands in the text of the first `count`: by the trace, else behind the text without it.

        Raises `RowRefusedError`.
        """
        start, end = (self.regions(count) or {}).get(index, (0, 0))
        if start < end:
            return start, end
        text, before = self.text(count), self.text(index)
        if count == index + 1 and text.startswith(before):
            return len(before), len(text)
        reason = "the template shuffles the messages: the part of this one cannot be found"
        raise self.refusal("MK703", f"messages[{index}]", reason)

    def refusal(self, code: str, path: str, message: str) -> RowRefusedError:
        """What is wrong with the conversation, to be raised."""
        return RowRefusedError(Finding(code, "dropped", message, self.conversation.file, self.conversation.line, path))

    def note(self, code: str, path: str, message: str) -> Finding:
        """What is to be said of the conversation."""
        return Finding(code, "kept", message, self.conversation.file, self.conversation.line, path)
