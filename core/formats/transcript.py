"""A whole chat as one text: ChatML and the ways of other models, `User: … Assistant: …`, `### Human: …`.

Such text is only cut into turns where a person asks for it, or where the column says that it holds a conversation.
Where names stand for the turns, user and assistant must take turns: a name in the middle of an answer would be cut too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from core.conversation import Conversation, Message, Row, snippet
from core.formats.layout import Layout, reads
from core.formats.roles import role_of

# A style is looked for in so many characters: what a text is shows at its beginning.
_HEAD = 4096
_TRANSCRIPT = "transcript"


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a text: who speaks (empty: nobody, it stands around the turns), and what is said."""

    role: str
    text: str


def style_of(text: str) -> str:
    """The way in which a text holds a chat, in words; empty when it looks like none."""
    head = text[:_HEAD]
    if not any(mark in head for mark in _MARKS):
        return ""
    return next((name for name, cut in _STYLES if _is_chat(list(cut(head)))), "")


def _is_chat(turns: list[Turn]) -> bool:
    roles = [turn.role for turn in turns if turn.role not in ("", "system", "developer", "input")]
    return len(roles) > 1 and _ROLES.get(roles[0], roles[0]) == "user" and _ROLES.get(roles[1]) == "assistant"


@reads(_TRANSCRIPT, "text", "system", "id")
def read_transcript(row: Row, layout: Layout) -> Conversation:
    """`{"text"}` with a whole chat in it, as ChatML, Llama, Gemma, Zephyr and others write it, or with names."""
    column = next((layout.columns[word] for word in ("text", "messages", "prompt") if word in layout.columns), "text")
    text = row.data.get(column)
    if not isinstance(text, str) or not text.strip():
        raise row.refuse("SH111", column, f'column "{column}" is empty')
    name = style_of(text)
    if not name:
        raise row.refuse("SH102", column, f"no turns of user and assistant in the text: {snippet(text)}")
    row.kept("SH115", column, f"text read as a conversation: {name}")
    messages: list[Message] = []
    for turn in dict(_STYLES)[name](text):
        said = _without_end(turn.text)
        if turn.role == "input" and messages and messages[-1].role == "user":
            # Alpaca's input belongs to the instruction before it.
            messages[-1] = Message("user", f"{messages[-1].content}\n{said}" if said else messages[-1].content)
        elif turn.role:
            role = role_of(row, column, _ROLES.get(turn.role, turn.role), layout)
            messages.append(Message(role, said))
        elif said and not messages:
            messages.append(Message("system", said))
        elif said:
            row.repaired("IO012", column, "text around the turns removed", said)
    if name in _NAMED:
        _take_turns(row, column, messages)
    return Conversation(tuple(messages), (), row.file, row.line)


def _take_turns(row: Row, column: str, messages: list[Message]) -> None:
    said = [message.role for message in messages if message.role != "system"]
    wrong = next((i for i, role in enumerate(said) if role != ("user", "assistant")[i % 2]), None)
    if wrong is not None:
        why = f"turn {wrong + 1} is not the {('user', 'assistant')[wrong % 2]}'s: one cannot tell where the turns end"
        raise row.refuse("SH102", column, why)


# Tokens that begin a text or end a turn.
_BEGIN = re.compile(r"\A\s*(?:<s>|<bos>|<\|begin_of_text\|>|<\|startoftext\|>|\[gMASK\]<sop>)")
_ENDS = ("</s>", "<eos>", "<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>")
# Without one of these a text is no chat.
_MARKS = (
    *(
        "<|im_start|>",
        "<|start_header_id|>",
        "<start_of_turn>",
        "<|assistant|>",
        "[/INST]",
        "\nA:",
        "bot>:",
        "assistant>:",
    ),
    *(
        "ssistant:",
        "SSISTANT:",
        "AI:",
        "Bot:",
        "BOT:",
        "GPT:",
        "Response:",
        "Answer:",
        "t:**",
        "t**:",
        "T:**",
        "T**:",
        "I:**",
        "I**:",
    ),
)


def _without_end(text: str) -> str:
    """What is said in a turn, without the tokens that end it."""
    said = text.strip()
    while end := next((end for end in _ENDS if said.endswith(end)), ""):
        said = said.removesuffix(end).rstrip()
    return said


def _marked(mark: str) -> Callable[[str], Iterator[Turn]]:
    """Turns that begin with a mark that names the role and end at the next one."""
    pattern = re.compile(mark)

    def cut(text: str) -> Iterator[Turn]:
        text = _BEGIN.sub("", text)
        marks = list(pattern.finditer(text))
        ends = [found.start() for found in marks[1:]] + [len(text)]
        yield Turn("", text[: marks[0].start()] if marks else text)
        for found, end in zip(marks, ends, strict=False):
            yield Turn(found.group(1).lower(), text[found.end() : end])

    return cut


def _llama2(text: str) -> Iterator[Turn]:
    begun = text.find("[INST]")
    yield Turn("", _BEGIN.sub("", text[:begun]) if begun >= 0 else text)
    while begun >= 0 and (closed := text.find("[/INST]", begun)) >= 0:
        asked, behind = text[begun + len("[INST]") : closed], closed + len("[/INST]")
        begun = text.find("[INST]", behind)
        system, question = llama2_question(asked)
        if system is not None:
            yield Turn("system", system)
        yield Turn("user", question)
        answered = text[behind:] if begun < 0 else text[behind:begun].rstrip().removesuffix("<s>")
        yield Turn("assistant", answered)


def llama2_question(asked: str) -> tuple[str | None, str]:
    """The system prompt, if one is marked, and the question in what stands between `[INST]` and `[/INST]`."""
    system, end, question = asked.strip().partition("<</SYS>>")
    if end and system.startswith("<<SYS>>"):
        return system.removeprefix("<<SYS>>").strip(), question.strip()
    return None, asked.strip()


_NAMES = "System|User|Human|Assistant|AI|Bot|ChatGPT|GPT"
_NAMES = f"{_NAMES}|{_NAMES.upper()}"
_ROLES = {
    **dict.fromkeys(("user", "human", "prompter", "instruction", "input", "question", "q", "u"), "user"),
    **dict.fromkeys(("assistant", "ai", "bot", "gpt", "chatgpt", "model", "response", "answer", "a"), "assistant"),
    "system": "system",
}
_NAMED_STYLES: tuple[tuple[str, Callable[[str], Iterator[Turn]]], ...] = (
    ("### Instruction: and ### Response:", _marked(r"(?:^|(?<=\n))### ?(System|Instruction|Input|Response):")),
    ("### Human: and ### Assistant:", _marked(r"### ?(System|Human|User|Assistant|SYSTEM|HUMAN|USER|ASSISTANT):")),
    ("<human>: and <bot>:", _marked(r"(?:^|(?<=\n))<(system|human|user|bot|assistant)>:")),
    ("User: and Assistant:", _marked(rf"(?:^|(?<=\n))[ \t]*(?:\*\*)?({_NAMES})(?:\*\*)?:(?:\*\*)?")),
    ("USER: and ASSISTANT:", _marked(r"(?:^|(?<=\s)|(?<=</s>))(USER|ASSISTANT|SYSTEM):")),
    ("Question: and Answer:", _marked(r"(?:^|(?<=\n))(Question|Answer|Q|A):")),
)
_NAMED = frozenset(name for name, _ in _NAMED_STYLES)
_STYLES: tuple[tuple[str, Callable[[str], Iterator[Turn]]], ...] = (
    ("ChatML (<|im_start|>)", _marked(r"<\|im_start\|>[ \t]*(\w+)[ \t]*\n?")),
    ("Llama 3 (<|start_header_id|>)", _marked(r"<\|start_header_id\|>[ \t]*(\w+)[ \t]*<\|end_header_id\|>")),
    ("Gemma (<start_of_turn>)", _marked(r"<start_of_turn>[ \t]*(\w+)[ \t]*\n?")),
    ("Zephyr or Phi (<|user|>)", _marked(r"<\|(system|user|assistant|tool)\|>")),
    ("Llama 2 or Mistral ([INST])", _llama2),
    *_NAMED_STYLES,
)
