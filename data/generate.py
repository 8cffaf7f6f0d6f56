"""Write Tuneboard's sample datasets and register them.

    python data/generate.py [--output data]

The samples are small, made from templates of our own with a fixed seed, and come
out byte for byte the same on every run: `identity` (Alpaca), `chat` (LMFlow),
`tools` (ShareGPT with function calls), `tools_openai` and `tools_heldout` (OpenAI
messages). The tool sets share their tools, while the held-out set has other
argument values and other sentences than the training sets.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from talk import CHAT, CHAT_SLOTS, CHAT_SYSTEM, GREETING, IDENTITY, IDENTITY_SYSTEM, MAKER, NAME
from tool_samples import Conversation, ToolSamples, tool_schema
from vocabulary import widen, widen_template

Row = dict[str, object]

SHAREGPT_ROWS = 780
OPENAI_ROWS = 220
CHAT_ROWS = 200
HELDOUT_ROWS = 60
EXAMPLE_TOOLS = ("get_weather", "set_reminder", "track_order")

MESSAGE_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "tool",
    "function_tag": "function_call",
    "system_tag": "system",
}
SHAREGPT_TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}
MESSAGE_COLUMNS = {"messages": "messages", "tools": "tools"}
DATASET_INFO: dict[str, Row] = {
    "identity": {
        "file_name": "samples/identity.json",
        "formatting": "alpaca",
        "columns": {
            "prompt": "instruction",
            "query": "input",
            "response": "output",
            "system": "system",
            "history": "history",
        },
        "description": "Who the assistant is: Tuneboard Starter, made by the Tuneboard project (English and Chinese).",
    },
    "chat": {
        "file_name": "samples/chat.json",
        "formatting": "lmflow",
        "columns": {"messages": "messages", "system": "system", "tools": "tools"},
        "tags": MESSAGE_TAGS,
        "description": "Small multi-turn talks in LMFlow's conversation format (English and Chinese).",
    },
    "tools": {
        "file_name": "samples/tools.json",
        "formatting": "sharegpt",
        "columns": {"messages": "conversations", "system": "system", "tools": "tools"},
        "tags": SHAREGPT_TAGS,
        "description": "Tool calling with eight sample tools: one call, several, parallel, none, asking back, errors.",
    },
    "tools_openai": {
        "file_name": "samples/tools_openai.json",
        "formatting": "openai",
        "columns": MESSAGE_COLUMNS,
        "tags": MESSAGE_TAGS,
        "description": "More tool calling with the same tools, as OpenAI messages.",
    },
    "tools_heldout": {
        "file_name": "samples/tools_heldout.json",
        "formatting": "openai",
        "columns": MESSAGE_COLUMNS,
        "tags": MESSAGE_TAGS,
        "description": "Tool calling for evaluation: the same tools, other sentences and other argument values.",
    },
}


def identity_rows() -> list[Row]:
    """Questions about the assistant itself; some rows have a system message or history."""
    rows: list[Row] = []
    for lang, groups in IDENTITY.items():
        for questions, answers in groups:
            for number, question in enumerate(questions):
                for answer in answers[: 2 if number % 2 else 1]:
                    maker = MAKER[lang]
                    text = answer.format(name=NAME[lang], maker=maker, maker_cap=maker[0].upper() + maker[1:])
                    row: Row = {"instruction": question, "input": "", "output": text}
                    if len(rows) % 7 == 3:
                        row["system"] = IDENTITY_SYSTEM[lang]
                    if len(rows) % 9 == 5:
                        row["history"] = [[widen(line) for line in GREETING[lang]]]
                    rows.append(row)
    inputs = [
        ("Answer this question about yourself.", "What is your name?", f"My name is {NAME['en']}."),
        ("Answer in one sentence.", "Who made you?", f"I was made by {MAKER['en']}."),
        ("请回答下面的问题。", "你叫什么名字?", f"我叫{NAME['zh']}。"),
        ("用一句话回答。", "谁做的你?", f"我是{MAKER['zh']}做的。"),
    ]
    rows += [{"instruction": ask, "input": given, "output": answer} for ask, given, answer in inputs]
    return [{key: widen(value) if isinstance(value, str) else value for key, value in row.items()} for row in rows]


def chat_rows(seed: int) -> list[Row]:
    """One LMFlow document with small talks."""
    rng = random.Random(seed)
    instances: list[Row] = []
    seen: set[str] = set()
    while len(instances) < CHAT_ROWS:
        lang = "zh" if rng.random() < 0.4 else "en"
        filling = {slot: rng.choice(options) for slot, options in CHAT_SLOTS[lang].items()}
        talks = rng.sample(CHAT[lang], rng.choice((1, 1, 2)))
        lines = [(widen_template(line) if lang == "zh" else line).format(**filling) for talk in talks for line in talk]
        if lines[0] + lines[-1] + str(len(lines)) + str(filling) in seen:
            continue
        seen.add(lines[0] + lines[-1] + str(len(lines)) + str(filling))
        messages = [
            {"role": "assistant" if number % 2 else "user", "content": line[0].upper() + line[1:]}
            for number, line in enumerate(lines)
        ]
        number = f"chat-{len(instances) + 1:03d}"
        instances.append(
            {
                "conversation_id": number,
                "system": widen(rng.choice(CHAT_SYSTEM[lang])),
                "tools": [],
                "messages": messages,
            }
        )
    return instances


def to_sharegpt(talk: Conversation) -> Row:
    """A conversation as a ShareGPT row with function_call and observation turns."""
    turns: list[Row] = []
    for kind, value in talk.events:
        if kind == "calls":
            calls = value[0] if len(value) == 1 else value
            turns.append({"from": "function_call", "value": json.dumps(calls, ensure_ascii=False)})
        elif kind == "results":
            turns += [{"from": "observation", "value": text} for text in value]
        else:
            turns.append({"from": "human" if kind == "user" else "gpt", "value": value})
    row: Row = {"conversations": turns}
    if talk.system:
        row["system"] = talk.system
    row["tools"] = json.dumps([tool_schema(name) for name in talk.tools], ensure_ascii=False)
    return row


def to_openai(talk: Conversation, prefix: str) -> Row:
    """A conversation as OpenAI messages with tool_calls and tool results."""
    messages: list[Row] = [{"role": "system", "content": talk.system}] if talk.system else []
    ids: list[str] = []
    count = 0
    for kind, value in talk.events:
        if kind == "calls":
            ids = [f"call_{prefix}_{count + number}" for number in range(len(value))]
            count += len(value)
            calls = [
                {
                    "id": key,
                    "type": "function",
                    "function": {"name": call["name"], "arguments": json.dumps(call["arguments"], ensure_ascii=False)},
                }
                for key, call in zip(ids, value, strict=True)
            ]
            messages.append({"role": "assistant", "content": "", "tool_calls": calls})
        elif kind == "results":
            messages += [
                {"role": "tool", "tool_call_id": key, "content": text} for key, text in zip(ids, value, strict=True)
            ]
        else:
            messages.append({"role": kind, "content": value})
    return {"messages": messages, "tools": [{"type": "function", "function": tool_schema(name)} for name in talk.tools]}


def write_rows(path: Path, rows: list[Row]) -> None:
    """A JSON list with one row a line."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8", newline="\n")


def write_all(output: Path) -> None:
    """Write every sample file and dataset_info.json."""
    samples = output / "samples"
    samples.mkdir(parents=True, exist_ok=True)
    training = ToolSamples(seed=11, heldout=False).conversations(SHAREGPT_ROWS + OPENAI_ROWS)
    heldout = ToolSamples(seed=12, heldout=True).conversations(HELDOUT_ROWS)
    write_rows(samples / "identity.json", identity_rows())
    chat = ",\n".join(json.dumps(row, ensure_ascii=False) for row in chat_rows(13))
    (samples / "chat.json").write_text(
        f'{{"type": "conversation", "instances": [\n{chat}\n]}}\n', encoding="utf-8", newline="\n"
    )
    write_rows(samples / "tools.json", [to_sharegpt(talk) for talk in training[:SHAREGPT_ROWS]])
    write_rows(
        samples / "tools_openai.json", [to_openai(talk, f"t{n}") for n, talk in enumerate(training[SHAREGPT_ROWS:])]
    )
    write_rows(samples / "tools_heldout.json", [to_openai(talk, f"h{n}") for n, talk in enumerate(heldout)])
    example = [{"type": "function", "function": tool_schema(name)} for name in EXAMPLE_TOOLS]
    write_rows(samples / "tools.example.json", example)
    info = json.dumps(DATASET_INFO, ensure_ascii=False, indent=2)
    (output / "dataset_info.json").write_text(info + "\n", encoding="utf-8", newline="\n")


def main() -> None:
    """Parse the arguments and write the samples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent, help="the data folder")
    write_all(parser.parse_args().output)


if __name__ == "__main__":
    main()
