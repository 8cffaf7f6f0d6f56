"""Every format of the table, one hand-made row each: recognised, with evidence, and read into what it means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.conversation import Conversation, Message, Row, RowRefusedError, ToolCall
from core.datasets import converted
from core.errors import UserError
from core.formats import FORMATS, Layout, detect, read_row, read_tools, reader, recognise
from core.formats.detect import Recognition
from core.formats.textcalls import find_calls
from core.rules import apply_rules

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
BARE = WEATHER["function"]
CALL = ToolCall("get_weather", {"city": "Oslo"})
RESULT = '{"sky": "clear"}'


def read(data: dict[str, Any], layout: Layout | None = None) -> tuple[Conversation, Row]:
    row = Row(data, "x.jsonl", 7)
    return read_row(row, layout or detect(data) or Layout("none")), row


def spoken(conversation: Conversation) -> list[Any]:
    """Messages as short tuples: role and text, or role and the calls."""
    return [
        (
            m.role,
            *([m.content] if m.content or not m.tool_calls else []),
            *((c.name, c.arguments) for c in m.tool_calls),
        )
        for m in conversation.messages
    ]


TOOL_TALK = [
    ("user", "Weather in Oslo?"),
    ("assistant", ("get_weather", {"city": "Oslo"})),
    ("tool", RESULT),
    ("assistant", "Clear."),
]

ROWS: dict[str, tuple[str, dict[str, Any], list[Any]]] = {
    "alpaca": (
        "alpaca",
        {"instruction": "Add.", "input": "1 2", "output": "3", "system": "Be brief.", "history": [["Hi", "Hello"]]},
        [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Add.\n1 2"), ("assistant", "3")],
    ),
    "two columns": ("alpaca", {"question": "Why?", "answer": "So."}, [("user", "Why?"), ("assistant", "So.")]),
    "text2text": ("alpaca", {"input": "a", "output": "b"}, [("user", "a"), ("assistant", "b")]),
    "sharegpt": (
        "sharegpt",
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}], "system": "S"},
        [("system", "S"), ("user", "Hi"), ("assistant", "Yo")],
    ),
    "sharegpt with calls": (
        "sharegpt",
        {
            "conversations": [
                {"from": "human", "value": "Weather in Oslo?"},
                {"from": "function_call", "value": json.dumps({"name": "get_weather", "arguments": {"city": "Oslo"}})},
                {"from": "observation", "value": RESULT},
                {"from": "gpt", "value": "Clear."},
            ],
            "tools": json.dumps([BARE]),
        },
        TOOL_TALK,
    ),
    "sharegpt parallel": (
        "sharegpt",
        {
            "conversations": [
                {"from": "human", "value": "Both?"},
                {"from": "function_call", "value": '<think>two</think>[{"name": "a", "arguments": {}}, {"name": "b"}]'},
            ]
        },
        [("user", "Both?"), ("assistant", ("a", {}), ("b", {}))],
    ),
    "list of texts": (
        "turns",
        {"conversations": ["Hi", "Yo", "So?"]},
        [("user", "Hi"), ("assistant", "Yo"), ("user", "So?")],
    ),
    "openai": (
        "openai",
        {
            "messages": [
                {"role": "user", "content": "Weather in Oslo?"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "1",
                            "type": "function",
                            "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "1", "content": RESULT},
                {"role": "assistant", "content": "Clear."},
            ],
            "tools": [WEATHER],
        },
        TOOL_TALK,
    ),
    "openai, legacy functions": (
        "openai",
        {
            "messages": [
                {"role": "user", "content": "Weather in Oslo?"},
                {"role": "assistant", "function_call": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}},
                {"role": "function", "name": "get_weather", "content": RESULT},
                {"role": "assistant", "content": "Clear."},
            ],
            "functions": [BARE],
        },
        TOOL_TALK,
    ),
    "messages as text": (
        "openai",
        {"messages": json.dumps([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}])},
        [("user", "Hi"), ("assistant", "Yo")],
    ),
    "mistral's interactions": (
        "openai",
        {"interactions": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]},
        [("user", "Hi"), ("assistant", "Yo")],
    ),
    "speaker and text": (
        "openai",
        {"dialog": [{"speaker": "human", "text": "Hi"}, {"speaker": "bot", "text": "Yo"}]},
        [("user", "Hi"), ("assistant", "Yo")],
    ),
    "torchtune": (
        "openai",
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "content": "Hi"}], "masked": True},
                {"role": "assistant", "content": "Yo", "masked": False, "eot": True},
                {"role": "ipython", "content": "4"},
            ]
        },
        [("user", "Hi"), ("assistant", "Yo"), ("tool", "4")],
    ),
    "llama-factory v1": (
        "openai",
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "value": "Weather in Oslo?"}], "loss_weight": 0.0},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "reasoning", "value": "look"},
                        {"type": "tool_call", "value": '{"name": "get_weather", "arguments": {"city": "Oslo"}}'},
                    ],
                    "loss_weight": 1.0,
                },
            ],
            "tools": json.dumps([WEATHER]),
        },
        TOOL_TALK[:2],
    ),
    "nanochat": (
        "openai",
        {
            "messages": [
                {"role": "user", "content": "6*7?"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": "Let me see. "},
                        {"type": "python", "text": "6*7"},
                        {"type": "python_output", "text": "42"},
                        {"type": "text", "text": "42."},
                    ],
                },
            ]
        },
        [
            ("user", "6*7?"),
            ("assistant", "Let me see. ", ("python", {"code": "6*7"})),
            ("tool", "42"),
            ("assistant", "42."),
        ],
    ),
    "prompt and completion, messages": (
        "prompt_completion",
        {
            "prompt": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "Yo"},
                {"role": "user", "content": "So?"},
            ],
            "completion": [{"role": "assistant", "content": "Well."}],
        },
        [("user", "Hi"), ("assistant", "Yo"), ("user", "So?"), ("assistant", "Well.")],
    ),
    "prompt and completion, texts": (
        "prompt_completion",
        {"prompt": "Hi", "completion": "Yo"},
        [("user", "Hi"), ("assistant", "Yo")],
    ),
    "text": ("text", {"text": "Once."}, [("assistant", "Once.")]),
    "segments": (
        "segments",
        {"segments": [{"label": False, "text": "<s>Q"}, {"label": True, "text": "A</s>"}]},
        [("assistant", "<s>Q"), ("assistant", "A</s>")],
    ),
    "anthropic": (
        "anthropic",
        {
            "system": "S",
            "tools": [{"name": "get_weather", "description": "Weather.", "input_schema": BARE["parameters"]}],
            "messages": [
                {"role": "user", "content": "Weather in Oslo?"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "look", "signature": "x"},
                        {"type": "redacted_thinking", "data": "x"},
                        {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Oslo"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": RESULT}]},
                        {"type": "text", "text": "And?"},
                    ],
                },
                {"role": "assistant", "content": "Clear."},
            ],
        },
        [("system", "S"), *TOOL_TALK[:3], ("user", "And?"), TOOL_TALK[3]],
    ),
    "gemini": (
        "gemini",
        {
            "systemInstruction": {"parts": [{"text": "S"}]},
            "tools": [
                {
                    "functionDeclarations": [
                        {**BARE, "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}
                    ]
                }
            ],
            "contents": [
                {"role": "user", "parts": [{"text": "Weather in Oslo?"}]},
                {
                    "role": "model",
                    "parts": [
                        {"text": "look", "thought": True},
                        {"functionCall": {"name": "get_weather", "args": {"city": "Oslo"}}},
                    ],
                },
                {
                    "role": "user",
                    "parts": [{"functionResponse": {"name": "get_weather", "response": {"sky": "clear"}}}],
                },
                {"role": "model", "parts": [{"text": "Clear."}]},
            ],
        },
        [("system", "S"), *TOOL_TALK],
    ),
    "responses": (
        "responses",
        {
            "instructions": "S",
            "tools": [{"type": "function", **BARE}],
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Weather in Oslo?"}]},
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "look"}]},
                {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": '{"city": "Oslo"}'},
                {"type": "function_call_output", "call_id": "c", "output": RESULT},
                {"role": "assistant", "content": [{"type": "output_text", "text": "Clear."}]},
            ],
        },
        [("system", "S"), *TOOL_TALK],
    ),
    "harmony": (
        "harmony",
        {
            "messages": [
                {"role": "developer", "content": "S"},
                {"role": "user", "content": "Weather in Oslo?"},
                {"role": "assistant", "channel": "analysis", "content": "look"},
                {
                    "role": "assistant",
                    "channel": "commentary",
                    "recipient": "functions.get_weather",
                    "content": '{"city": "Oslo"}',
                },
                {"role": "tool", "content": RESULT},
                {"role": "assistant", "channel": "final", "content": "Clear."},
            ],
            "tools": [WEATHER],
        },
        [("system", "S"), *TOOL_TALK],
    ),
    "xlam": (
        "xlam",
        {
            "query": "Weather in Oslo?",
            "tools": json.dumps([{**BARE, "parameters": {"city": {"type": "str", "description": "Where."}}}]),
            "answers": json.dumps([{"name": "get_weather", "arguments": {"city": "Oslo"}}]),
        },
        TOOL_TALK[:2],
    ),
    "glaive": (
        "glaive",
        {
            "system": "SYSTEM: Help, with these functions -\n" + json.dumps(BARE, indent=1),
            "chat": 'USER: Weather in Oslo?\n\n\nASSISTANT: <functioncall> {"name": "get_weather", '
            '"arguments": \'{"city": "Oslo"}\'} <|endoftext|>\n\n\nFUNCTION RESPONSE: ' + RESULT + "\n\n\n"
            "ASSISTANT: Clear. <|endoftext|>",
        },
        [("system", "Help, with these functions -"), *TOOL_TALK],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_recognised_and_read(name: str) -> None:
    formatting, data, messages = ROWS[name]
    found = recognise(data)
    assert found.layout is not None
    assert found.layout.formatting == formatting
    assert found.evidence.startswith("column"), found
    assert spoken(read(data)[0]) == messages


@pytest.mark.parametrize(
    "name", [name for name, (_, data, _) in ROWS.items() if "tools" in data or "functions" in data]
)
def test_tools_come_out_in_one_shape(name: str) -> None:
    tools = read(ROWS[name][1])[0].tools
    assert [tool["function"]["name"] for tool in tools] == ["get_weather"]
    assert tools[0]["type"] == "function"
    assert tools[0]["function"]["parameters"]["type"] == "object"
    assert tools[0]["function"]["parameters"]["properties"]["city"]["type"] == "string"


def test_every_reader_has_a_row_here_or_below() -> None:
    read_elsewhere = {
        "lmflow",
        "lmflow_text2text",
        "h2o",
        "langchain",
        "bedrock",
        "request_log",
        "turn_pairs",
        "chatgpt_export",
        "app_messages",
        "transcript",
        "span",
        "deepseek_export",
        "open_webui_export",
        "librechat_export",
        "session",
        # tests/test_programs.py
        "lm_studio",
        "opencode",
        "ai_studio",
        "copilot_chat",
        "atif",
        "claude_export",
        "autogen_chat",
    }
    assert {formatting for formatting, _, _ in ROWS.values()} | read_elsewhere == set(FORMATS)


@pytest.mark.parametrize("name", ["llama-factory v1", "anthropic", "gemini", "responses", "harmony"])
def test_reasoning_stays_apart(name: str) -> None:
    assert "look" in [message.reasoning for message in read(ROWS[name][1])[0].messages]


HERMES = {
    "conversations": [
        {"from": "system", "value": "Call functions. <tools>\n[" + str(WEATHER) + "]\n</tools> Good luck."},
        {"from": "human", "value": "Weather in Oslo?"},
        {"from": "gpt", "value": "<tool_call>\n{'arguments': {'city': 'Oslo'}, 'name': 'get_weather'}\n</tool_call>"},
        {"from": "tool", "value": "<tool_response>\n" + RESULT + "\n</tool_response>"},
        {"from": "gpt", "value": "Clear."},
    ]
}
TOOLACE = {
    "system": 'You may call these: [{"name": "Get Weather", "description": "W.", "parameters": {"type": "dict", '
    '"properties": {"city": {"type": "string"}}, "required": ["city"]}}]',
    "conversations": [
        {"from": "user", "value": "Weather in Oslo?"},
        {"from": "assistant", "value": '[Get Weather(city="Oslo (centre)")]'},
        {"from": "tool", "value": RESULT},
        {"from": "assistant", "value": "Clear."},
    ],
}


def test_hermes_calls_results_and_tools_are_found_in_text() -> None:
    conversation, row = read(HERMES)
    conversation = apply_rules(row, conversation)
    assert spoken(conversation)[1:] == TOOL_TALK
    assert conversation.messages[0].content == "Call functions.  Good luck."
    assert conversation.tools == (WEATHER,)
    assert {finding.code for finding in row.findings} >= {"TC519", "TL401"}


def test_toolace_names_may_have_spaces_and_strings_parentheses() -> None:
    conversation, row = read(TOOLACE)
    conversation = apply_rules(row, conversation)
    assert spoken(conversation)[2] == ("assistant", ("Get Weather", {"city": "Oslo (centre)"}))
    assert conversation.tools[0]["function"]["parameters"]["type"] == "object"
    assert "TL407" in {finding.code for finding in row.findings}


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>', [("f", {"a": 1})]),
        (
            'Sure.\n<tool_call>\n{"name": "f"}\n</tool_call>\n<tool_call>{"name": "g"}</tool_call>',
            [("f", {}), ("g", {})],
        ),
        ('<TOOLCALL>[{"name": "f", "arguments": {}}]</TOOLCALL>', [("f", {})]),
        ('<functioncall> {"name": "f", "arguments": \'{"a": "it\\\'s"}\'}', [("f", {"a": "it's"})]),
        ('<function=f>{"a": 1}</function>', [("f", {"a": 1})]),
        ("<tool_call><function=f><parameter=a>\nx\n</parameter></function></tool_call>", [("f", {"a": "x"})]),
        ('[TOOL_CALLS] [{"name": "f", "arguments": {"a": 1}}]', [("f", {"a": 1})]),
        ('<|action_start|><|plugin|>\n{"name": "f", "parameters": {"a": 1}}<|action_end|>', [("f", {"a": 1})]),
        ('Thought.\nAction: f\nAction Input: {"a": 1}', [("f", {"a": 1})]),
        ("<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n</tool_call>", [("f", {"a": 1})]),
        ('<function_call>{"name": "f", "arguments": {"a": 1}}</function_call>', [("f", {"a": 1})]),
        (
            '<function_calls>\n<invoke name="f">\n<parameter name="a">1</parameter>\n</invoke>\n</function_calls>',
            [("f", {"a": 1})],
        ),
        ('[TOOL_CALLS]f[ARGS]{"a": 1}[TOOL_CALLS]g[CALL_ID]x1[ARGS]{}', [("f", {"a": 1}), ("g", {})]),
        (
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n"
            '{"a": 1}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
            [("f", {"a": 1})],
        ),
        ('<｜tool▁call▁begin｜>f<｜tool▁sep｜>{"a": 1}<｜tool▁call▁end｜>', [("f", {"a": 1})]),
        (
            '<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{"a": 1}<|tool_call_end|>',
            [("f", {"a": 1})],
        ),
        ('<|tool_call|>[{"name": "f", "arguments": {"a": 1}}]<|/tool_call|>', [("f", {"a": 1})]),
        ("<|tool_call_start|>[f(a=1)]<|tool_call_end|>", [("f", {"a": 1})]),
        (
            '<|python_tag|>{"name": "f", "parameters": {"a": 1}}; {"name": "g", "parameters": {}}<|eom_id|>',
            [("f", {"a": 1}), ("g", {})],
        ),
        ('functools[{"name": "f", "arguments": {"a": 1}}]', [("f", {"a": 1})]),
        ("```tool_code\nf(a=1)\n```", [("f", {"a": 1})]),
        ("Call: f(a=1); g()<bot_end>", [("f", {"a": 1}), ("g", {})]),
        ("API-Request: [f(a=1)]", [("f", {"a": 1})]),
        ("[f(a=1), g.h(b='x)', c=[1, {'k': None}])]", [("f", {"a": 1}), ("g.h", {"b": "x)", "c": [1, {"k": None}]})]),
    ],
)
def test_calls_in_text(text: str, calls: list[Any]) -> None:
    found = find_calls(text)
    assert found is not None
    assert [(call.name, call.arguments) for call in found.calls] == calls


@pytest.mark.parametrize("text", ["[f(1)]", "[f(a=__import__('os'))]", "<tool_call>{oops</tool_call>"])
def test_what_is_no_literal_stays_text(text: str) -> None:
    found = find_calls(text)
    assert found is not None
    assert found.failed
    assert found.text == text


_NO_CALLS = (
    "",
    "plain [1] text",
    "[1, 2]",
    "A [link](x)",
    "f(x)",
    "f(a=1)",
    '{"name": "f", "arguments": {}}',
    "Call: me",
)


@pytest.mark.parametrize("text", _NO_CALLS)
def test_plain_text_holds_no_calls(text: str) -> None:
    assert find_calls(text) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "f", "arguments": {"a": 1}}',
        '[{"name": "f", "parameters": {"a": 1}}]',
        '{"tool_calls": [{"function": {"name": "f", "arguments": "{\\"a\\": 1}"}}]}',
        '```json\n{"name": "f", "arguments": {"a": 1}}\n```',
        "f(a=1)",
    ],
)
def test_a_bare_call_is_one_where_its_tool_is_known_or_a_result_follows(text: str) -> None:
    assert find_calls(text) is None
    assert find_calls(text, frozenset({"g"})) is None
    for known in (frozenset({"f", "g"}), None):
        found = find_calls(text, known)
        assert found is not None
        assert [(call.name, call.arguments) for call in found.calls] == [("f", {"a": 1})]


@pytest.mark.parametrize(
    "said",
    ["Observation: 7", "<tool_response>\n7\n</tool_response>", "```tool_output\n7\n```", "EXECUTION RESULT of [f]:\n7"],
)
def test_results_that_the_user_says_are_results(said: str) -> None:
    talk = [
        {"role": "user", "content": "Sum?"},
        {"role": "assistant", "content": 'Action: f\nAction Input: {"a": 1}'},
        {"role": "user", "content": said},
        {"role": "assistant", "content": "7."},
    ]
    conversation, row = read({"messages": talk})
    conversation = apply_rules(row, conversation)
    assert [(m.role, m.content) for m in conversation.messages][2:] == [("tool", "7"), ("assistant", "7.")]


@pytest.mark.parametrize("key", ["arguments", "parameters", "args", "input", "tool_input"])
def test_no_key_for_arguments_loses_them(key: str) -> None:
    talk = [
        {"role": "user", "content": "Sum?"},
        {"role": "assistant", "tool_calls": [{"tool_name": "f", key: {"a": 1}}]},
    ]
    [call] = read({"messages": talk})[0].messages[1].tool_calls
    assert (call.name, call.arguments) == ("f", {"a": 1})


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "preference"),
        ({"prompt": "a", "completion": "b", "label": True}, "KTO"),
        ({"messages": [{"role": "user", "content": "a"}], "images": ["x.png"]}, "vision or audio"),
        ({"question": [[{"role": "user", "content": "a"}]], "function": [], "ground_truth": []}, "benchmark"),
    ],
)
def test_other_kinds_are_refused_by_name(data: dict[str, Any], word: str) -> None:
    found = recognise(data)
    assert word in found.refused
    assert detect(data) is None


@pytest.mark.parametrize("name", ["input", "context", "passage", "story", "article", "paragraph", "schema"])
def test_what_a_question_is_about_belongs_to_it(name: str) -> None:
    conversation = read({name: "The tide comes at 06:12.", "question": "When?", "answer": "At 06:12."})[0]
    assert spoken(conversation)[0] == ("user", "When?\nThe tide comes at 06:12.")


def test_numbers_in_a_column_are_no_question_and_answer() -> None:
    assert recognise({"id": "e3", "model": "m", "tokens": {"input": 12, "output": 3}}).layout is None
    assert recognise({}) == Recognition(None)
    assert recognise({"id": "e3", "told": {"input": "Tide at Ely?", "output": 6}}).layout is not None


def test_bedrocks_lists_that_are_none_are_no_exception() -> None:
    call = {"toolUse": {"toolUseId": "t", "name": "tide", "input": {"port": "Ely"}}}
    talk: list[dict[str, Any]] = [{"role": "user", "content": [{"text": "Tide?"}]}]
    talk += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [{"toolResult": {"content": True}}]}]
    done = converted(Row({"messages": talk, "toolConfig": {"tools": 7}}), None)
    assert done.layout == Layout("bedrock")
    assert done.row.findings[-1].code == "SH109"


def test_two_lists_of_messages_are_ambiguous() -> None:
    data = {"messages": [{"role": "user", "content": "a"}], "conversations": [{"from": "human", "value": "a"}]}
    assert [layout.formatting for layout in recognise(data).also] == ["sharegpt"]


def test_columns_tags_and_roles_can_be_mapped() -> None:
    data = {"talk": [{"who": "customer", "what": "Hi"}, {"who": "agent", "what": "Yo"}]}
    layout = Layout(
        "sharegpt",
        {"messages": "talk"},
        {"role_tag": "who", "content_tag": "what", "user_tag": "customer"},
        {"agent": "assistant"},
    )
    conversation, row = read(data, layout)
    assert spoken(conversation) == [("user", "Hi"), ("assistant", "Yo")]
    assert not row.findings


def test_weights_and_flags() -> None:
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "weight": 0},
        {"role": "assistant", "content": "c", "weight": 0.5},
        {"role": "assistant", "content": "d", "train": False},
        {"role": "assistant", "content": "e", "masked": True},
        {"role": "assistant", "content": "f"},
    ]
    read_messages = read({"messages": messages})[0].messages
    assert [(m.train, m.weight) for m in read_messages[1:]] == [
        (False, 1.0),
        (None, 0.5),
        (False, 1.0),
        (False, 1.0),
        (None, 1.0),
    ]


def test_only_the_completion_is_trained() -> None:
    conversation = read(ROWS["prompt and completion, messages"][1])[0]
    assert [m.train for m in conversation.messages if m.role == "assistant"] == [False, None]


def test_a_chain_of_table_rows() -> None:
    chain = [{"instruction": "Hi", "output": "Yo", "system": "S"}, {"instruction": "So?", "output": "Well."}]
    conversation = read({"chain": chain})[0]
    assert spoken(conversation) == [
        ("system", "S"), ("user", "Hi"), ("assistant", "Yo"), ("user", "So?"), ("assistant", "Well."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "expected", "code"),
    [
        (None, {"type": "object", "properties": {}}, "TL405"),
        ("nonsense", {"type": "object", "properties": {}}, "TL405"),
        ({"type": "dict", "properties": {"x": {"type": "float"}}}, {"x": {"type": "number"}}, "TL404"),
        ({"type": "object", "properties": {"x": {"type": "List[int]"}}},
         {"x": {"type": "array", "items": {"type": "integer"}}}, "TL404"),
        ({"x": {"type": "str, optional", "default": "a"}}, {"x": {"type": "string", "default": "a"}}, "TL404"),
        ({"type": "OBJECT", "properties": {"x": {"type": "STRING"}}}, {"x": {"type": "string"}}, "TL404"),
    ],
)  # fmt: skip
def test_parameters_become_json_schema(parameters: Any, expected: Any, code: str) -> None:
    row = Row({"tools": [{"name": "f", "parameters": parameters}]})
    schema = read_tools(row)[0]["function"]["parameters"]
    assert schema == expected or schema["properties"] == expected
    assert [finding.code for finding in row.findings] == [code]


_SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}}


@pytest.mark.parametrize(
    "tools",
    [
        [{"toolSpec": {"name": "f", "inputSchema": {"json": _SCHEMA}}}],
        [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": _SCHEMA}]}],
        [{"name": "f", "parameters": [{"name": "x", "type": "integer", "required": False}]}],
        [{"name": "f", "parameter_definitions": {"x": {"type": "int", "required": False}}}],
        [{"name": "f", "input_parameters": _SCHEMA}],
        [{"name": "f", "arguments": _SCHEMA}],
        [{"name": "f", "args": {"x": {"type": "integer", "default": 1}}}],
        [{"api_name": "f", "required_parameters": [], "optional_parameters": [{"name": "x", "type": "NUMBER"}]}],
        {"f": {"description": "F.", "parameters": _SCHEMA}},
    ],
)
def test_no_way_to_describe_a_tool_loses_its_parameters(tools: Any) -> None:
    row = Row({"tools": tools})
    function = read_tools(row)[0]["function"]
    assert function["name"] == "f"
    assert function["parameters"]["properties"]["x"]["type"] in ("integer", "number")
    assert function["parameters"].get("required", []) == []
    assert function.keys() == {"name", "description", "parameters"}
    assert not any(finding.code == "TL405" for finding in row.findings)


def test_a_flat_map_requires_what_has_no_default() -> None:
    row = Row({"tools": [{"name": "f", "parameters": {"a": {"type": "int"}, "b": {"type": "str, optional"}}}]})
    assert read_tools(row)[0]["function"]["parameters"]["required"] == ["a"]


def test_unreadable_tools_cost_the_row_only_with_calls() -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    conversation, row = read({"messages": talk, "tools": "{oops"})
    assert conversation.tools == ()
    assert [finding.code for finding in row.findings] == ["TL402"]
    talk[1] = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    with pytest.raises(RowRefusedError, match="TL402"):
        read({"messages": talk, "tools": "{oops"})


def test_tools_from_text_are_noted_on_each_row_that_has_them() -> None:
    for line in (1, 2):
        row = Row({"tools": "[{'name': 'f', 'parameters': {'type': 'object'}}]"}, "x", line)
        assert read_tools(row)
        assert [(finding.code, finding.line) for finding in row.findings] == [("TL401", line)]


def test_unknown_format_names_the_nearest() -> None:
    with pytest.raises(UserError, match='did you mean "alpaca"'):
        reader("alpacca")


def test_a_row_cannot_replace_the_labels() -> None:
    with pytest.raises(RowRefusedError) as caught:
        read({"messages": [{"role": "user", "content": "a"}], "labels": [1]}, Layout("openai"))
    assert (caught.value.finding.code, caught.value.finding.action) == ("SH113", "stopped")


def test_messages_are_messages() -> None:
    assert read({"text": "a"})[0] == Conversation((Message("assistant", "a"),), (), "x.jsonl", 7, plain=True)


@pytest.mark.parametrize("written", [json.dumps, lambda tools: tools])
def test_the_same_definitions_are_read_once(written: Any) -> None:
    def read(default: Any) -> Any:
        tools = [{"name": "f", "parameters": {"type": "object", "properties": {"a": {"default": default}}}}]
        return read_tools(Row({"tools": written(tools)}))

    assert read(1) is read(1)
    assert [repr(read(default)[0]["function"]["parameters"]["properties"]["a"]) for default in (1, 1.0, True)] == [
        *("{'default': 1}", "{'default': 1.0}", "{'default': True}"),
    ]


def test_keys_with_many_dots_do_not_end_the_process() -> None:
    attributes = {"." * 100_000: 1, "llm." + "a." * 5_000: "x", "gen_ai.prompt": 3, "gen_ai.prompt.0.role": "user"}
    row = Row({"name": "chat", "attributes": attributes})
    assert converted(row, None).fate == "dropped"
    assert "a span without the messages" in row.findings[0].message


def test_what_is_not_kept_of_a_result_is_named() -> None:
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "no", "is_error": True}
    answer = {"role": "assistant", "content": "It failed."}
    _, row = read(
        {"messages": [{"role": "user", "content": "go"}, call, {"role": "user", "content": [result]}, answer]}
    )
    assert [(f.code, f.message) for f in row.findings] == [("SH107", "ignored keys: is_error")]


def test_an_analysis_that_nothing_follows_is_not_lost() -> None:
    def said(text: str, channel: str) -> dict[str, Any]:
        return {"role": "assistant", "channel": channel, "content": text}

    user = {"role": "user", "content": "hi"}
    conversation, _ = read(
        {"messages": [user, said("one", "analysis"), user, said("yo", "final"), user, said("two", "analysis")]}
    )
    assert [(m.role, m.content, m.reasoning) for m in conversation.messages if m.role == "assistant"] == [
        ("assistant", "", "one"),
        ("assistant", "yo", ""),
        ("assistant", "", "two"),
    ]


def test_reasoning_itself_goes_before_its_summary() -> None:
    summary, whole = (
        {"type": "summary_text", "text": "Greets."},
        {"type": "reasoning_text", "text": "I greet the user."},
    )
    thought = {"type": "reasoning", "summary": [summary], "content": [whole]}
    answer = {"type": "message", "role": "assistant", "content": "yo"}
    conversation, row = read({"input": [{"role": "user", "content": "hi"}, thought, answer]})
    assert conversation.messages[1].reasoning == "I greet the user."
    assert [finding.code for finding in row.findings] == ["RS603"]
