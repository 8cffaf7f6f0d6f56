"""Small bad files, each with the answer it must get. One `Bad` is one file; the test writes it and reads it.

`rows` is what becomes of the rows, in order: k kept, r repaired, d dropped, and the codes are what must be found
(and nothing else, besides those in `EXPECTED_ANYWAY`). `stops` is the code with which the file as a whole is refused.
"""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import dataclass
from typing import Any

import zstandard

# Findings about sets of so few and such like rows say nothing about the file at hand.
EXPECTED_ANYWAY = {"DS901", "DS902", "DS905", "DS908", "IO008", "TL411", "RS607", "TC501", "SH108"}


@dataclass(frozen=True)
class Bad:
    """A file: its name, its bytes, and the answer."""

    name: str
    data: bytes
    rows: str = ""
    codes: str = ""
    stops: str = ""


def text(name: str, content: str, rows: str = "", codes: str = "", stops: str = "") -> Bad:
    return Bad(name, content.encode("utf-8", "surrogatepass"), rows, codes, stops)


def lines(label: str, *values: Any, rows: str, codes: str = "") -> Bad:
    return text(f"{label}.jsonl", "".join(json.dumps(value) + "\n" for value in values), rows, codes)


def m(role: str, content: Any = "", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def talk(*messages: Any, **columns: Any) -> dict[str, Any]:
    return {"messages": list(messages), **columns}


def called(arguments: Any = "{}", name: Any = "f", **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{"function": {"name": name, "arguments": arguments}, **more}]}


U, A, R = m("user", "hi"), m("assistant", "yo"), m("tool", "1")
OK = talk(U, A)
GOOD = json.dumps(OK)
F = {"name": "f", "description": "", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}
T = {"tools": [{"type": "function", "function": F}]}
GLAIVE_CALL = """<functioncall> {"name": %s, "arguments": '{}'}"""
DEEP = "[" * 100_000 + "]" * 100_000

ENCODING = [
    Bad("bom.jsonl", b"\xef\xbb\xbf" + GOOD.encode(), "k", "IO002"),
    Bad("bom_array.json", b"\xef\xbb\xbf[" + GOOD.encode() + b"]", "k", "IO002"),
    Bad("utf16.jsonl", (GOOD + "\n" + GOOD).encode("utf-16"), "kk", "IO002"),
    Bad("utf16be.json", b"\xfe\xff" + ("[" + GOOD + "]").encode("utf-16-be"), "k", "IO002"),
    Bad("utf32.jsonl", GOOD.encode("utf-32"), "k", "IO002"),
    Bad("latin1_line.jsonl", (GOOD + "\n").encode() + GOOD.replace("yo", "caf\u00e9").encode("unicode_escape")
        .replace(b"\\xe9", b"\xe9") + b"\n" + GOOD.encode(), "kdk", "IO002"),
    Bad("latin1_array.json", b'[{"instruction": "caf\xe9", "output": "b"}]', stops="IO002"),
    Bad("cut_utf8.json", b'[{"instruction": "a", "output": "caf\xc3', stops="IO002"),
    Bad("latin1.csv", b"prompt,response\ncaf\xe9,b\n", stops="IO002"),
    text("nul_in_string.jsonl", '{"instruction": "a\0", "output": "b"}', "d", "IO001"),
    text("nul_escaped.jsonl", '{"instruction": "a\\u0000", "output": "b"}', "k"),
    text("lone_surrogate.jsonl", '{"instruction": "a\\ud800", "output": "b"}', "r", "CT308"),
    text("surrogate_in_key.jsonl", json.dumps(talk(U, called('{"\\udfff": 1}'), **T)), "r", "CT308 TC508"),
    text("surrogate_pair_split.jsonl", '{"instruction": "\\ud83d\\ude00", "output": "b"}', "k"),
    text("raw_surrogate.jsonl", '{"instruction": "\ud800", "output": "b"}', "d", "IO002"),
    text("replacement.jsonl", '{"instruction": "a\ufffdb", "output": "b"}', "k", "CT308"),
    text("mojibake.jsonl", json.dumps({"instruction": "cafÃ© Ã¼ber Ã¤hnlich", "output": "b"}), "k", "CT308"),
    Bad("random_bytes.json", bytes(range(128, 256)), stops="IO001"),
    Bad("control_bytes.jsonl", b"\x01\x02\x03\n" + GOOD.encode(), "dk", "IO001"),
    text("line_separators.jsonl", json.dumps({"instruction": "a\u2028b\x85c", "output": "d"}, ensure_ascii=False), "k"),
    text("windows_lines.jsonl", GOOD + "\r\n" + GOOD + "\r\n", "kk"),
]  # fmt: skip

JSON = [
    text("empty.jsonl", "", stops="IO005"),
    text("empty.json", "", stops="IO005"),
    text("only_space.jsonl", " \n\t\n", stops="IO005"),
    text("empty_list.json", "[]", stops="IO005"),
    text("list_of_nothing.json", "[,]", stops="IO001"),
    text("word.json", "hello", stops="IO001"),
    text("number.json", "42", stops="IO001"),
    text("html.json", "<html><body>404</body></html>", stops="IO001"),
    text("yaml.jsonl", "instruction: a\noutput: b\n", "dd", "IO001"),
    text("null_line.jsonl", "null\n" + GOOD, "dk", "SH101"),
    text("string_line.jsonl", '"a"\n' + GOOD, "dk", "SH101"),
    text("list_line.jsonl", "[1]\n" + GOOD, "dk", "SH101"),
    text("broken_line.jsonl", GOOD + "\n{oops\n" + GOOD, "kdk", "IO001"),
    text("single_quotes.jsonl", "{'instruction': 'a', 'output': 'b'}\n" + GOOD, "dk", "IO001"),
    text("truncated.jsonl", GOOD + "\n" + GOOD[:20], "kd", "IO012"),
    text("truncated_in_string.jsonl", GOOD + '\n{"instruction": "abc', "kd", "IO012"),
    text("trailing_comma.jsonl", GOOD + ",\n" + GOOD, "rk", "IO012"),
    text("comma_inside.jsonl", '{"instruction": "a, }", "output": "b",}', "r", "IO012"),
    text("two_on_a_line.jsonl", GOOD + GOOD + "\n" + GOOD, "rrk", "IO012"),
    text("two_with_comma.jsonl", GOOD + ", " + GOOD, "rr", "IO012"),
    text("one_and_a_half.jsonl", GOOD + GOOD[:9] + "\n" + GOOD, "dk", "IO001"),
    text("word_after.jsonl", GOOD + " x\n" + GOOD, "dk", "IO001"),
    text("nan.jsonl", '{"instruction": NaN, "output": "b"}', "d", "IO004"),
    text("infinity.jsonl", '{"instruction": "a", "output": -Infinity}', "d", "IO004"),
    text("repeated_key.jsonl", '{"instruction": "a", "instruction": "c", "output": "b"}', "k", "IO003"),
    text("repeated_inside.jsonl", '{"messages": [{"role": "user", "content": "a", "content": "b"}, '
         '{"role": "assistant", "content": "c"}]}', "k", "IO003"),
    text("deep_line.jsonl", DEEP + "\n" + GOOD, "dk", "SH114"),
    text("deep_value.jsonl", '{"instruction": "a", "output": ' + "[" * 70 + "]" * 70 + "}\n" + GOOD, "dk", "SH114"),
    text("deep.json", "[" + DEEP + "]", stops="SH114"),
    text("deep_objects.jsonl", '{"a":' * 50_000 + "1" + "}" * 50_000 + "\n" + GOOD, "dk", "SH114"),
    text("big_integer.jsonl", '{"instruction": ' + "9" * 400 + ', "output": "b"}', "r", "SH110"),
    text("huge_integer.jsonl", '{"instruction": ' + "9" * 5000 + ', "output": "b"}\n' + GOOD, "dk", "IO001"),
    text("big_float.jsonl", '{"instruction": "a", "output": 1e999}', "d", "IO004"),
    text("array_cut.json", "[" + GOOD + ",\n" + GOOD[:30], "kd", "IO012"),
    text("array_not_closed.json", "[" + GOOD + ",\n" + GOOD + "\n", "kk", "IO012"),
    text("array_trailing_comma.json", "[" + GOOD + ",]", "k", "IO012"),
    text("array_missing_comma.json", "[" + GOOD + "\n" + GOOD + "]", "kk", "IO012"),
    text("array_broken_middle.json", "[" + GOOD + ",\n{oops},\n" + GOOD + "]", stops="IO001"),
    text("array_of_scalars.json", '[1, "a", null]', "ddd", "SH101", stops="DS905"),
    text("array_nan.json", '[{"instruction": NaN, "output": "b"}]', stops="IO004"),
    text("lines_in_json.json", GOOD + "\n" + GOOD, "kk", "IO013"),
    text("array_in_jsonl.jsonl", "[\n" + GOOD + ",\n" + GOOD + "\n]", "kk", "IO013"),
    text("pretty_objects.json", json.dumps(OK, indent=1) + "\n" + json.dumps(OK, indent=1), "kk"),
    text("pretty_broken.json", '{\n "instruction": "a",\n "output": \n', "d", "IO012", stops="DS905"),
    text("json_in_csv.csv", "[" + GOOD + "]", "k", "IO013"),
    text("no_suffix", GOOD, "k"),
    text("blank_lines.jsonl", "\n\n" + GOOD + "\n\n \n" + GOOD + "\n\n", "kk"),
    text("long_line.jsonl", '{"instruction": "' + "x" * (16 * 1024 * 1024) + '"}\n' + GOOD, "dk", "SH114"),
]  # fmt: skip

LMFLOW = [
    text("lmflow_no_type.json", json.dumps({"instances": [OK]}), stops="IO009"),
    text("lmflow_type_last.json", json.dumps({"instances": [OK], "type": "conversation"}), "k"),
    text("lmflow_unknown.json", json.dumps({"type": "chat", "instances": [OK]}), stops="IO009"),
    text("lmflow_floats.json", json.dumps({"type": "float_only", "instances": [{"value": 1.0}]}), stops="IO011"),
    text("lmflow_images.json", json.dumps({"type": "image_text", "instances": []}), stops="IO011"),
    text("lmflow_not_a_list.json", json.dumps({"type": "conversation", "instances": {"a": 1}}), stops="IO010"),
    text("lmflow_no_instances.json", json.dumps({"type": "conversation"}), stops="IO010"),
    text("lmflow_other_rows.json", json.dumps({"type": "text2text", "instances": [OK]}), "k", "IO009"),
    text("lmflow_empty.json", json.dumps({"type": "conversation", "instances": []}), stops="IO005"),
    text("lmflow_trailing_user.json", json.dumps({"type": "conversation", "instances": [talk(U, A, U)]}), "r", "RO209"),
    text("lmflow_empty_system.json",
         json.dumps({"type": "conversation", "instances": [{"system": "", "tools": [], **OK}]}), "k"),
    text("lmflow_text_only.json", json.dumps({"type": "text_only", "instances": [{"text": "a"}]}), "k"),
    text("lmflow_text2text.json", json.dumps({"type": "text2text", "instances": [{"input": "a", "output": "b"}]}), "k"),
    text("lmflow_llama2.json", json.dumps({"type": "conversation", "instances": [
        talk(m("user", "[INST] <<SYS>>s<</SYS>> hi [/INST]"), A)]}), "r", "CT306"),
]  # fmt: skip

TALKS = [[U, A], [U, m("assistant", "ya")]]
ROWS = [talk(*messages) for messages in TALKS]
PAIR = {"question": "a", "answer": "b"}

WRAPPED = json.dumps({"type": "text_only", "instances": [{"text": "a"}]})


def whole(label: str, value: Any, rows: str, codes: str = "SH115", stops: str = "") -> Bad:
    return text(f"{label}.json", json.dumps(value, indent=1), rows, codes, stops)


# One object around the rows.
AROUND = [
    whole("under_data", {"version": 1, "data": ROWS}, "kk"),
    whole("pairs_under_data", {"data": [PAIR, {"question": "c", "answer": "d"}]}, "kk"),
    whole("talks_under_a_key", {"conversations": TALKS}, "rr", "SH101 SH115"),
    whole("rows_under_conversations", {"conversations": ROWS}, "kk"),
    whole("viewer", {"features": [], "rows": [{"row_idx": i, "row": row} for i, row in enumerate(ROWS)]}, "kk",
          "SH107 SH115"),
    whole("by_id", {"one": ROWS[0], "two": ROWS[1]}, "kk"),
    whole("talks_by_id", {"one": TALKS[0], "two": TALKS[1]}, "rr", "SH101 SH115"),
    whole("columns", {"question": ["a", "c"], "answer": ["b", "d"]}, "kk"),
    whole("columns_of_pandas", {"question": {"0": "a", "1": "c"}, "answer": {"0": "b", "1": "d"}}, "kk"),
    whole("columns_of_other_lengths", {"question": ["a", "c"], "answer": ["b"]}, "d", "IO006", stops="DS905"),
    whole("splits", {"train": ROWS, "test": ROWS}, "", "", stops="IO006"),
    whole("one_row", {"id": 1, **ROWS[0]}, "k", ""),
    whole("one_row_of_pairs", {"conversation": [{"input": "a", "output": "b"}]}, "k", ""),
    whole("one_pair_of_talks", {"chosen": TALKS[0], "rejected": TALKS[1]}, "d", "IO006", stops="DS905"),
    text("under_data_cut.json", json.dumps({"data": ROWS})[:-2], "d", "IO012", stops="DS905"),
    text("cut_after_a_mega.json", json.dumps({"data": [*ROWS, talk(U, m("assistant", "x" * (1 << 20)))]})[:-2], "kkk",
         "SH115 IO012"),
    text("behind_the_object.json", WRAPPED + "{}", "k", stops="IO001"),
    text("wrappers_in_lines.jsonl", WRAPPED + "\n" + WRAPPED + "\n", "k", stops="IO001"),
]  # fmt: skip

SHAPE = [
    lines("no_messages", {"messages": []}, OK, rows="dk", codes="SH104"),
    lines("unknown_keys", {"foo": 1, "bar": 2}, OK, rows="dk", codes="IO006"),
    lines("message_is_text", talk(U, "yo"), OK, rows="dk", codes="SH105"),
    lines("message_is_null", talk(U, None), OK, rows="dk", codes="SH105"),
    lines("no_role", talk(U, {"content": "a"}), OK, rows="dk", codes="SH106"),
    lines("no_content", talk(U, {"role": "assistant"}), OK, rows="dk", codes="SH106"),
    lines("null_content", talk(m("user", None), A), OK, rows="dk", codes="CT301"),
    lines("extra_keys", talk(U, m("assistant", "a", likes=3)), rows="k", codes="SH107"),
    lines("extra_column", {**OK, "score": 1}, rows="k", codes="SH107"),
    lines("image_part", talk(m("user", [{"type": "image_url", "image_url": {}}]), A), OK, rows="dk", codes="SH109"),
    lines("audio_part", talk(m("user", [{"type": "input_audio"}]), A), OK, rows="dk", codes="SH109"),
    lines("number_content", talk(m("user", 5), A), rows="r", codes="SH110"),
    lines("null_answer", {"instruction": "a", "output": None}, OK, rows="dk", codes="SH111"),
    lines("empty_answer", {"instruction": "a", "output": ""}, OK, rows="dk", codes="SH111"),
    lines("bad_history", {"instruction": "a", "output": "b", "history": [["x"]]}, OK, rows="dk", codes="SH105"),
    lines("history_text", {"instruction": "a", "output": "b", "history": "x"}, OK, rows="dk", codes="SH105"),
    lines("labels_column", {**OK, "labels": [1]}, rows="d", codes="SH113 DS905"),
    lines("template_column", {**OK, "chat_template": "{{ x }}"}, rows="d", codes="SH113 DS905"),
    lines("doubled_id", {"id": 1, **OK}, {"id": 1, **talk(U, m("assistant", "b"))}, rows="kk", codes="SH112 DS902"),
    lines("too_many_messages", talk(*[U, A] * 5001), OK, rows="dk", codes="SH114"),
    lines("preference", {"prompt": "a", "chosen": "b", "rejected": "c"}, OK, rows="dk", codes="IO006"),
    lines("kto", {"prompt": "a", "completion": "b", "label": False}, OK, rows="dk", codes="IO006"),
    lines("images_column", {**OK, "images": ["a.png"]}, OK, rows="dk", codes="IO006"),
    lines("two_lists", {**OK, "conversations": [{"from": "human", "value": "a"}]}, OK, rows="dk", codes="IO007"),
    lines("mixed_formats", OK, {"instruction": "a", "output": "b"}, rows="kk", codes="IO008"),
    lines("messages_text", {"messages": json.dumps([U, A])}, rows="r", codes="SH103"),
    lines("messages_bad_text", {"messages": "[oops"}, OK, rows="dk", codes="SH102"),
    lines("segments_label", {"segments": [{"label": "yes", "text": "a"}]}, OK, rows="dk", codes="SH106"),
    lines("gemini_no_parts", {"contents": [{"role": "user", "parts": "x"}]}, OK, rows="dk", codes="SH106"),
    lines("list_as_type", {"messages": [{"type": [], "data": {}}]}, OK, rows="dk", codes="IO006"),
    lines("same_rows", OK, OK, rows="kk", codes="DS901"),
]  # fmt: skip

ROLES = [
    lines("unknown_role", talk(m("narrator", "a"), A), OK, rows="dk", codes="RO202"),
    lines("role_number", talk(m(3, "a"), A), OK, rows="dk", codes="RO202"),
    lines("role_list", talk(m([], "a"), A), OK, rows="dk", codes="RO202"),
    lines("alias", talk(U, m("bot", "a")), rows="r", codes="RO201"),
    lines("capitals", talk(m("User", "a"), m("ASSISTANT ", "b")), rows="r", codes="RO201"),
    lines("greeting", talk(A, U, A), rows="r", codes="RO203"),
    lines("only_assistant", talk(A), OK, rows="dk", codes="RO203"),
    lines("two_users", talk(U, U, A), rows="r", codes="RO204"),
    lines("two_assistants", talk(U, A, A), rows="r", codes="RO205"),
    lines("late_system", talk(U, m("system", "s"), A), rows="r", codes="RO206"),
    lines("blank_system", talk(m("system", " "), U, A), rows="r", codes="RO207"),
    lines("two_systems", talk(m("system", "s"), U, A, system="t"), rows="k", codes="RO208"),
    lines("ends_with_user", talk(U, A, U), rows="r", codes="RO209"),
    lines("ends_with_result", talk(U, called(), R, **T), rows="r", codes="RO210"),
    lines("only_user", talk(U), OK, rows="dk", codes="RO211"),
    lines("only_system", talk(m("system", "s")), OK, rows="dk", codes="RO211"),
    lines("developer", talk(m("developer", "s"), U, A), rows="r", codes="RO213"),
    lines("empty_user", talk(m("user", ""), A), OK, rows="dk", codes="CT301"),
    lines("space_user", talk(m("user", " \n\u200b"), A), OK, rows="dk", codes="CT304"),
    lines("empty_answers", talk(U, m("assistant", "")), OK, rows="dk", codes="CT303 MK701"),
    lines("leaked_stop", talk(U, m("assistant", "a</s>")), rows="r", codes="CT307"),
    lines("untrained", talk(U, m("assistant", "a", weight=0)), OK, rows="dk", codes="MK701"),
    lines("bad_weight", talk(U, m("assistant", "a", weight="heavy")), OK, rows="dk", codes="MK707"),
    lines("flags_fight", talk(U, m("assistant", "a", weight=0, train=True), U, A), rows="k", codes="MK707"),
    lines("open_think", talk(U, m("assistant", "<think>a")), rows="k", codes="RS602"),
]  # fmt: skip

TOOLS = [
    lines("tools_text_broken", talk(U, called(), tools="[{"), OK, rows="dk", codes="TL402"),
    lines("tools_broken_no_calls", talk(U, A, tools="[{"), rows="r", codes="TL402"),
    lines("tools_number", talk(U, called(), tools=7), OK, rows="dk", codes="TL402"),
    lines("tool_without_name", talk(U, called(), tools=[{"description": "x"}]), OK, rows="dk", codes="TL402"),
    lines("tools_literal", talk(U, called(), tools=str([F])), rows="r", codes="TL401 TL403"),
    lines("tool_without_parameters", talk(U, called(), tools=[{"name": "f"}]), rows="r", codes="TL405 TL403"),
    lines("tool_twice", talk(U, called(), tools=[F, F]), rows="r", codes="TL406 TL403"),
    lines("tool_twice_unlike", talk(U, called(), tools=[F, {**F, "description": "x"}]), OK, rows="dk",
          codes="TL406 TL403"),
    lines("tool_name_with_space", talk(U, called(name="f g"), tools=[{**F, "name": "f g"}]), rows="r",
          codes="TL407 TL403"),
    lines("too_many_tools", talk(U, called(), tools=[{**F, "name": f"t{i}"} for i in range(129)]), OK, rows="dk",
          codes="SH114 TL403"),
    lines("no_tools", talk(U, called()), rows="k", codes="TL410"),
    lines("unknown_tool", talk(U, called(name="ff"), **T), rows="k", codes="TC507"),
    lines("arguments_twice", talk(U, called(json.dumps('{"a": 1}')), **T), rows="r", codes="TC502"),
    lines("arguments_literal", talk(U, called("{'a': 1}"), **T), rows="r", codes="TC503"),
    lines("arguments_code", talk(U, called("__import__('os').getcwd()"), **T), OK, rows="dk", codes="TC504"),
    lines("arguments_broken", talk(U, called('{"a": '), **T), OK, rows="dk", codes="TC504"),
    lines("arguments_deep", talk(U, called("[" * 100_000), **T), OK, rows="dk", codes="TC504"),
    lines("arguments_minus", talk(U, called("{" + "-" * 100_000 + "1}"), **T), OK, rows="dk", codes="TC504"),
    lines("arguments_nul", talk(U, called("{'a\0': 1}"), **T), OK, rows="dk", codes="TC504"),
    lines("arguments_list", talk(U, called("[1]"), **T), OK, rows="dk", codes="TC505"),
    lines("arguments_null", talk(U, called(None), **T), rows="k"),
    lines("call_without_name", talk(U, called(name=None), **T), OK, rows="dk", codes="TC506"),
    lines("calls_not_a_list", talk(U, {"role": "assistant", "tool_calls": 5}, **T), OK, rows="dk", codes="TC505"),
    lines("call_is_null", talk(U, {"role": "assistant", "tool_calls": [None]}, **T), OK, rows="dk", codes="TC504"),
    lines("wrong_type", talk(U, called('{"a": "x"}'), **T), rows="k", codes="TC508"),
    lines("extra_argument", talk(U, called('{"b": 1}'), **T), rows="k", codes="TC508"),
    lines("result_without_call", talk(U, R, A, **T), OK, rows="dk", codes="TC511"),
    lines("result_for_another", talk(U, called(id="i"), m("tool", "1", tool_call_id="j"), A, **T), rows="r",
          codes="TC512"),
    lines("same_id_twice", talk(U, called(id="i"), R, called(id="i"), R, A, **T), rows="r", codes="TC510"),
    lines("no_result", talk(U, called(), U, A, **T), rows="k", codes="TC513"),
    lines("result_is_null", talk(U, called(), m("tool", None), A, **T), rows="r", codes="TC515"),
    lines("call_in_text", talk(U, m("assistant", '<tool_call>{"name": "f"}'), **T), rows="r", codes="TC519"),
    lines("half_a_call_in_text", talk(U, m("assistant", "<tool_call>{"), **T), rows="k", codes="TC520"),
    lines("null_filled", talk(U, called({"a": 1, "zz": None}), **T), rows="r", codes="TC521"),
    lines("self_reference", talk(U, called('{"a": 1}'), tools=[{"name": "f", "parameters": {
        "type": "object", "properties": {"a": {"$ref": "#/properties/a"}}}}]), rows="r", codes="TL403"),
    lines("xlam_no_answers", {"query": "a", "tools": "[]", "answers": "[]"}, OK, rows="dk", codes="SH111"),
    lines("xlam_bad_answers", {"query": "a", "tools": "[]", "answers": "oops"}, OK, rows="dk", codes="TC504"),
    lines("glaive_bad_call", {"system": "", "chat": "USER: a\n\n\nASSISTANT: <functioncall> {oops"}, OK, rows="dk",
          codes="TC504"),
    lines("sharegpt_bad_call", {"conversations": [{"from": "human", "value": "a"},
          {"from": "function_call", "value": "oops"}]}, OK, rows="dk", codes="TC504"),
    lines("endless_hexadecimal", talk(U, called("{'a': 0x" + "f" * 5000 + "}"), **T), rows="d", codes="TC504"),
    *(
        lines(f"called_with_{name}", talk(U, m("assistant", f"[f(a={value})]"), **T), rows="k", codes="TC520")
        for name, value in {
            "a_set": "[{1, 2}]",
            "bytes": "[b'x']",
            "infinity": "1e999",
            "an_ellipsis": "...",
            "no_name": "1)(a=2",
            "endless_digits": "0x" + "f" * 5000,
        }.items()
    ),
    *(
        lines(f"glaive_name_{label}", talk(U, m("assistant", GLAIVE_CALL % name)), rows="k", codes="TC520")
        for label, name in {"of_nothing": '""', "with_a_bad_escape": r'"\x"', "of_two_lines": '"a\nb"'}.items()
    ),
    lines("called_with_too_large_a_number", talk(U, m("assistant", '<function=f>{"a": 1e999}</function>'), **T),
          rows="k", codes="TC520"),
    lines("tools_with_nan", {**OK, "tools": '{"name": "f", "parameters": {"a": NaN}}'}, rows="r", codes="TL402"),
    lines("called_with_keys_that_are_numbers", talk(U, m("assistant", "[f(a={1: 2})]"), **T), rows="r",
          codes="TC519 TC508"),
]  # fmt: skip

TABLES = [
    text("a_message_a_row.csv", "session id,role,content,at\n1,user,hi\n2,user,ho\n1,assistant,yo\n2,assistant,ya\n",
         "kk", "SH107 SH115"),
    text("quoted_semicolons.csv", '"context; as; given","response"\na,b\n', "d", "IO006", "DS905"),
    text("header_only.csv", "prompt,response\n", stops="IO005"),
    text("empty.csv", "", stops="IO005"),
    text("doubled_column.csv", "prompt,prompt\na,b\n", stops="IO003"),
    text("no_header.csv", ",,\na,b,c\n", stops="IO005"),
    text("ragged.csv", "prompt,response\na,b,c\nd,e\n", "dk", "IO001"),
    text("short_row.csv", "prompt,response\na\nd,e\n", "dk", "SH111"),
    text("empty_cell.csv", "instruction,output\na,\nd,e\n", "dk", "SH111"),
    text("open_quote.csv", 'prompt,response\nd,e\n"a,b\n', "kd", "SH111"),
    text("nul.csv", "prompt,response\na\0,b\n", "k", "CT308"),
    text("semicolons.csv", "prompt;response\na;b\n", "k"),
    text("messages.csv", 'id,messages\n1,"[{""role"": ""user"", ""content"": ""a""}, '
         '{""role"": ""assistant"", ""content"": ""b""}]"\n', "k"),
    text("lost_parent.csv", "id,parent_id,prompt,response\n1,,a,b\n2,9,c,d\n", "kd", "SH112"),
    text("circle.csv", "id,parent_id,prompt,response\n1,2,a,b\n2,1,c,d\n3,,e,f\n", "kdd", "SH112"),
    Bad("not.parquet", b"PAR1 but nothing else", stops="IO001"),
    Bad("empty.parquet", b"", stops="IO001"),
    Bad("text.parquet", b"hello", stops="IO001"),
    Bad("not.arrow", b"ARROW1\0\0 and nothing", stops="IO001"),
    Bad("not.xlsx", b"PK\x03\x04 broken", stops="IO001"),
    Bad("text.xlsx", b"hello", stops="IO001"),
]  # fmt: skip


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _many() -> bytes:
    return b"".join(GOOD.replace("yo", f"{i:x}" * 9).encode() + b"\n" for i in range(5000))


def _many_in_zstd() -> bytes:
    return zstandard.compress(_many())


ARCHIVES = [
    Bad("good.jsonl.gz", gzip.compress(GOOD.encode()), "k"),
    Bad("named_wrongly.jsonl", gzip.compress(GOOD.encode()), "k"),
    Bad("cut.jsonl.gz", _cut(gzip.compress(io.BytesIO(GOOD.encode() * 50).getvalue())), stops="IO001"),
    Bad("cut_late.jsonl.gz", _cut(gzip.compress(_many())), stops="IO001"),
    Bad("bad_zstd.jsonl.zst", b"\x28\xb5\x2f\xfd" + b"x" * 40, stops="IO001"),
    Bad("cut.jsonl.zst", _cut(_many_in_zstd()), stops="IO001"),
    Bad("cut_before_the_last_byte.jsonl.zst", _many_in_zstd()[:-1], stops="IO001"),
    Bad("two_frames.jsonl.zst", 2 * zstandard.compress(GOOD.encode() + b"\n"), "kk"),
    Bad("zip.json", b"PK\x03\x04" + b"x" * 40, stops="IO001"),
    Bad("bzip2.jsonl.bz2", b"BZh91AY" + b"x" * 40, stops="IO001"),
    Bad("xz.jsonl.xz", b"\xfd7zXZ\0" + b"x" * 40, stops="IO001"),
    Bad("archive.tar", b"a.jsonl".ljust(257, b"\0") + b"ustar" + b"\0" * 250, stops="IO001"),
    Bad("archive.tar.gz", gzip.compress(b"a.jsonl".ljust(257, b"\0") + b"ustar" + b"\0" * 250), stops="IO001"),
    Bad("base.db", b"SQLite format 3\0" + b"\0" * 40, stops="IO001"),
    Bad("old.xls", b"\xd0\xcf\x11\xe0" + b"\0" * 40, stops="IO001"),
    Bad("rows.pkl", b"\x80\x04\x95" + b"\0" * 40, stops="IO001"),
    Bad("pointer.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", stops="IO001"),
    Bad("talk.md", b"**User:** hi\n\n**Assistant:** yo\n", stops="IO001"),
    Bad("chat.txt", b"[12/03/24, 10:15:32] Ann: Hi, is it open?\n", stops="IO001"),
    Bad("rows.yaml", b"- messages:\n  - role: user\n    content: hi\n", stops="IO001"),
    Bad("lines.txt", GOOD.encode(), "k"),
    Bad("pdf.json", b"%PDF-1.7" + b"x" * 40, stops="IO001"),
    Bad("not_gzip.jsonl.gz", GOOD.encode(), "k"),
]

BAD_FILES = [*ENCODING, *JSON, *LMFLOW, *AROUND, *SHAPE, *ROLES, *TOOLS, *TABLES, *ARCHIVES]
