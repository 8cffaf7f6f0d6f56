"""What is wrong is said in the language of the page: which messages have a translation, and how it is found."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from core.check import check
from core.datasets import Source
from core.errors import UserError
from tests.browser.said import CODE, Reader
from tests.corpus.bad_files import BAD_FILES
from webui.texts import LOCALES, Texts, languages, load_texts
from webui.told import told, told_change, told_finding, wrong

TRANSLATED = [language for language in languages() if language != "en"]
# Said on the command line only, before there is a page, or in findings, which are read apart.
NOT_ON_THE_BOARD = ("core/commands/", "core/foreign/", "core/rules/", "core/config/read.py", "webui/app.py")


def texts_of(node: ast.expr | None) -> Iterator[str]:
    """The texts that an expression may be, with `{}` for each value in them."""
    if isinstance(node, ast.IfExp):
        yield from (text for part in (node.body, node.orelse) for text in texts_of(part))
    elif isinstance(node, ast.List | ast.Tuple):
        yield from (text for part in node.elts for text in texts_of(part))
    elif isinstance(node, ast.ListComp):
        yield from texts_of(node.elt)
    elif node is not None:
        yield written(node)


def written(node: ast.expr) -> str:
    """One text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(written(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return written(node.left) + written(node.right)
    return "{}"


def messages(tree: ast.AST) -> Iterator[str]:
    """Every message and remedy of a `UserError`, and every fault that a function lists."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "UserError":
            asked = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "remedy")]
            yield from (text for part in asked for text in texts_of(part))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "faults.append":
            yield from texts_of(node.args[0])
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if {ast.unparse(target) for target in targets} <= {"faults", "remedy", "hint"}:
                yield from texts_of(node.value)
        elif isinstance(node, ast.FunctionDef) and re.search(r"faults?(_of)?$|^_cause|^_remedy|^_why", node.name):
            for one in ast.walk(node):
                if isinstance(one, ast.Return):
                    yield from texts_of(one.value)


def said_in_the_code() -> dict[str, str]:
    """Every message that the board may show, with the file that says it; what is but values says nothing."""
    found: dict[str, str] = {}
    for path in sorted([*(CODE / "core").rglob("*.py"), *(CODE / "webui").rglob("*.py")]):
        place = path.relative_to(CODE).as_posix()
        if not place.startswith(NOT_ON_THE_BOARD):
            for text in messages(ast.parse(path.read_text(encoding="utf-8"))):
                if re.search(r"[a-z]{2}", text.replace("{}", "")):
                    found.setdefault(text.strip("; "), place)
    return found


@pytest.fixture(params=TRANSLATED)
def texts(request: pytest.FixtureRequest) -> dict[str, dict[str, str]]:
    """The translations of a language: of errors in `code` and `others`, of findings in `findings` and `parts`."""
    read: dict[str, dict[str, str]] = yaml.safe_load((LOCALES / "told" / f"{request.param}.yaml").read_text("utf-8"))
    return read


def test_every_message_that_the_board_may_show_is_translated(texts: dict[str, dict[str, str]]) -> None:
    said = said_in_the_code()
    known = texts["code"].keys() | texts["findings"].keys()
    assert {text: place for text, place in said.items() if text not in known} == {}, "not translated"
    assert texts["code"].keys() - said.keys() == set(), "in no code"


def test_every_text_of_a_finding_is_translated(texts: dict[str, dict[str, str]]) -> None:
    said = Reader(CODE / "core").said
    known = set().union(*texts.values())
    assert {text: place for text, place in said.items() if text not in known} == {}, "not translated"
    assert texts["findings"].keys() - said.keys() == set(), "in no code"


def test_a_translation_has_a_place_for_each_value(texts: dict[str, dict[str, str]]) -> None:
    for english, translated in (pair for part in texts.values() for pair in part.items()):
        values = english.count("{}")
        translated.format(*"abcdefgh"[:values])
        numbered, plain = set(re.findall(r"\{\d(?::s)?\}", translated)), re.findall(r"\{(?::s)?\}", translated)
        assert len(numbered) + len(plain) == values, english


@pytest.mark.parametrize("language", TRANSLATED)
def test_what_is_found_in_bad_files_is_said_in_the_language(language: str, tmp_path: Path) -> None:
    t, english = load_texts(language), Texts()
    untold = {}
    for bad in BAD_FILES:
        file = tmp_path / bad.name
        file.write_bytes(bad.data)
        report = check(Source(file.stem, file)).report
        for message in filter(None, [report.evidence, *(finding.message for finding in report.findings)]):
            assert told_change(message, english) == message
            if told_change(message, t) == message:
                untold[message] = bad.name
    assert untold == {}


def test_a_message_is_said_piece_by_piece() -> None:
    t = load_texts("zh")
    plain = UserError("cannot be read: Permission denied", file="a b.jsonl", line=3, remedy="make room")
    assert told(plain, t) == "a b.jsonl:3: 无法读取：没有权限 — 请腾出空间"
    assert told('unknown dataset "x: y" — did you mean "xy"?', t) == "没有名为“x: y”的数据集 — 您是指“xy”吗？"
    two = "lora_r: should be greater than or equal to 1, got 0; load_in_4bit needs a GPU: leave it off here"
    assert told(two, t) == "lora_r: 须 ≥ 1，现为 0；load_in_4bit 需要 GPU：这里请不要启用"
    assert told("/r/1: the run is running: there is nothing to resume", t) == "/r/1: 运行正在进行：没有可以继续的训练"
    stuck = "no progress for 9 s while training: suspended; kill -CONT 7 lets it go on"
    assert told(stuck, t) == "训练时 9 秒没有进展：进程被挂起；kill -CONT 7 可让它继续"
    assert told("3 of 9 rows (33 %) would be dropped: RO202", t) == "9 行中有 3 行（33 %）将被丢弃：RO202"


def test_a_finding_is_said_piece_by_piece_and_its_values_stay() -> None:
    t = load_texts("zh")
    for message, said in {
        'message has no "text"; read as empty': "消息没有“text”；按空读取",
        "message is text, expected an object; left out": "消息是文本，应为对象；已略去",
        'key "a; left out" appears twice; the last value is used': "键“a; left out”出现两次；使用最后一个值",
        "could not read a call: the file is empty": "无法读取一个调用：the file is empty",
        "columns a (question); columns question and answer": "列 a (question)；列 question 与 answer",
        "opened column a, messages of column b as a plain list": "展开了列 a，列 b 中的消息写成普通的列表",
        'unknown tool "f"': "未知的工具“f”",
        'unknown tool "f"; did you mean "g"?': "未知的工具“f”；您是指“g”吗？",
        "longer than 8 tokens (9) — --max-length 9, or --overlong windows": (
            "长于 8 个词元（9） — “最大长度: 9”，或 “过长的会话: windows”"
        ),
    }.items():
        assert told_finding(message, t) == said
    # An error that stops with a finding is an error too.
    stopped = UserError("is a zip archive", file="a.jsonl", remedy="unpack it and give the folder [IO001]")
    assert told(stopped, t) == "a.jsonl: 是 zip 压缩包 — 请解压后给出文件夹 [IO001]"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("drop those (--swallowed drop)", "drop those (“Swallowed: drop”)"),
        ("choose another --template, or wait", "choose another “Template”, or wait"),
        ("--max-length 512, or --overlong windows", "“Max length: 512”, or “Overlong: windows”"),
        ("--formatting openai --columns '{a: b}'", "“Formatting: openai” “Columns” '{a: b}'"),
        ("then core-cli train --resume", "then core-cli train --resume"),
        ("--root names a folder; a--template; `--template`", "--root names a folder; a--template; `--template`"),
    ],
)
def test_options_are_called_what_the_form_calls_them(said: str, shown: str) -> None:
    english, chinese = Texts(), load_texts("zh")
    assert told(said, english) == told_finding(said, english) == shown
    assert told_change(said, english) == said
    assert told("choose another --template", chinese) == "请换一个 “对话模板”"


def test_what_is_not_known_or_too_long_stays_as_it_is() -> None:
    t = load_texts("zh")
    for message in ("CUDA error: something", "{} {0} \\ — ; :", "no such file" + " " * 5000):
        assert told(message, t) == message
    assert told("no such file", load_texts("en")) == "no such file"
    assert "没有这个文件" in wrong(UserError("no such file", file="<b>"), t)
