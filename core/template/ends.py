"""How samples begin and end: one beginning-of-text token, and a stop token behind the last turn."""

from __future__ import annotations

from dataclasses import replace

from core.conversation import Conversation, Finding
from core.template.parts import Span
from core.template.sandbox import Template
from core.template.spans import Rendered, prompt


def asked(conversation: Conversation, template: Template) -> Rendered:
    """What the model is given when it is to answer, beginning as in training."""
    return with_one_start(prompt(conversation, template), template, conversation)


def with_one_start(sample: Rendered, template: Template, conversation: Conversation) -> Rendered:
    """MK710: the sample without the first of two beginning-of-text tokens."""
    bos = template.special_tokens.get("bos_token", "")
    if not bos or not sample.text.startswith(bos + bos):
        return sample
    size = len(bos)
    spans = tuple(span._replace(start=max(span.start - size, 0), end=span.end - size) for span in sample.spans)
    breaks = tuple(place - size for place in sample.breaks)
    said = f"{bos} stands twice at the beginning; one is removed"
    note = Finding("MK710", "repaired", said, conversation.file, conversation.line, "messages")
    return Rendered(sample.text[size:], spans, breaks, (*sample.notes, note))


def with_stop(sample: Rendered, template: Template) -> Rendered:
    """The sample with a stop token behind its last turn, where the template ends the text without one.

    GLM's way is to write it only with the next message; its second one ends calls.
    """
    last = sample.spans[-1] if sample.spans else None
    if last is None or last.kind == "stop" or not template.stop or sample.text[last.end :].strip():
        return sample
    written = next((stop for stop in template.stop if _ends_with(sample, last, stop)), "")
    if written:
        middle = last.end - len(written)
        parts = (last._replace(end=middle), last._replace(start=middle, kind="stop"))
        return replace(sample, spans=(*sample.spans[:-1], *parts))
    stop = template.stop[min(last.kind == "tool_call", len(template.stop) - 1)]
    end = last.end + len(stop)
    text = sample.text[: last.end] + stop + sample.text[last.end :]
    path = f"messages[{last.message}]"
    notes = [
        replace(note, action="repaired", message=f"the template writes no stop token here; {stop} added")
        if note.code == "MK704" and note.path == path
        else note
        for note in sample.notes
    ]
    return replace(
        sample,
        text=text,
        spans=(*sample.spans, last._replace(start=last.end, end=end, kind="stop")),
        notes=tuple(notes),
    )


def _ends_with(sample: Rendered, last: Span, stop: str) -> bool:
    """Whether text that brings its own stop token (it has no template) ends with it."""
    begin = last.end - len(stop)
    own = begin > last.start and sample.text.endswith(stop, last.start, last.end)
    return own and not any(begin < place < last.end for place in sample.breaks)
