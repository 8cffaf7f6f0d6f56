"""The Data tab without a browser: the report, its filter and jumps, mapping, uploads, checks that are given up."""

from __future__ import annotations

import gzip
import io
import json
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from core.config import TrainConfig
from core.conversation import Row
from core.datasets.registry import COLUMN_WORDS, TAG_WORDS
from core.errors import UserError
from core.preview import Preview
from core.quantile import quantile
from core.report import Report
from webui import checks, uploads
from webui.account import code_html, codes_html, formats_html, summary_html
from webui.checks import Job, exported
from webui.lengths import enough, lengths_html
from webui.mapping import Fold, column_labels, seen_in, tag_labels
from webui.markup import amount
from webui.roots import Roots
from webui.tabs.data import NOTHING, DataTab, stepped
from webui.texts import Texts
from webui.uploads import keep, uploaded

T = Texts()
HOSTILE = "<img src=x> ${1} {{x}}"
ROWS = [
    {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
    {"messages": [{"role": "user", "content": "a"}, {"role": "bot", "content": HOSTILE}]},
    {"messages": [{"role": "user", "content": "a"}, {"role": HOSTILE, "content": "c"}]},
    {"messages": []},
]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file of four rows: one kept, one repaired, two dropped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNEBOARD_CACHE", str(tmp_path / "cache"))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return tmp_path


@pytest.fixture
def tab(work: Path, board: Any) -> DataTab:
    made = DataTab(board)
    made.put_choice()
    made.put_options()
    made.put_row()
    made.put_report()
    made.summary, made.check, made.lengths, made.widen = gr.HTML(), gr.Button(), gr.HTML(), gr.Button()
    made.listen()
    return made


def values_of(tab: Any, name: str = "rows.jsonl", row: int = 1, report: Report | None = None) -> dict[Any, Any]:
    values = {part: part.value for part in [*tab.form.components.values(), *tab.mapping.parts]}
    values |= {tab.dataset: name, tab.number: row, tab.report: report, tab.opened: ("", 0, 0)}
    return values | {tab.job: Job(), tab.making: Job(), tab.mapping.fold: Fold()}


def report_of(tab: Any, name: str = "rows.jsonl") -> Report:
    return list(tab.account(values_of(tab, name)))[-1][0]


def clicked(tab: Any, report: Report, **data: str) -> tuple[Any, Any]:
    return tab.pick(values_of(tab, report=report), SimpleNamespace(_data=data))


def test_the_account_adds_up_and_filters_by_code(tab: Any) -> None:
    shown = list(tab.account(values_of(tab)))[-1]
    report, _, summary, findings = shown[:4]
    assert (report.rows["in"], report.rows["kept"], report.rows["repaired"], report.rows["dropped"]) == (4, 1, 1, 2)
    assert "repaired: 1" in summary
    codes = {code for code, _ in report.counts}
    assert {"RO201", "RO202", "SH104"} <= codes
    assert all(f'data-code="{code}"' in findings for code in codes)
    only = clicked(tab, report, code="RO202")[0]
    assert "unknown role" in only
    assert "SH104" not in only
    assert "rows.jsonl:3" in only
    assert "<del>" in clicked(tab, report, code="RO201")[0]
    assert clicked(tab, report, code="")[0] == findings
    # What a file says is text, and what a browser sends is looked up.
    for html in (only, findings, clicked(tab, report, code="XX999", page="-1")[0]):
        assert "<img" not in html
        assert "${" not in html
    assert clicked(tab, report, finding="99999")[1] == gr.skip()


def test_a_finding_leads_to_its_row_and_the_row_says_what_became_of_it(tab: Any) -> None:
    report = report_of(tab)
    place = next(n for n, finding in enumerate(report.findings) if finding.code == "RO202")
    assert clicked(tab, report, finding=str(place))[1] == 3
    head, talk, text, tokens, raw = tab.show(values_of(tab, row=3, report=report))
    assert "row 3 of 4" in head
    assert "RO202" in head
    assert "dropped" in talk
    assert "Nothing of this row" in text
    assert "Nothing of this row" in tokens
    assert "&lt;img" in raw
    assert "there is no row 9" in tab.show(values_of(tab, row=9))[0]
    assert [stepped(1, 4, report), stepped(-1, 1, report), stepped(1, 4, None)] == [4, 1, 5]


def test_another_dataset_begins_with_its_first_row(tab: Any, work: Path) -> None:
    report = report_of(tab)
    (work / "one.jsonl").write_text(json.dumps(ROWS[0]) + "\n", encoding="utf-8")
    head = tab.show(values_of(tab, "one.jsonl", row=4, report=report))[0]
    assert "row 1 · <code>one.jsonl:1</code>" in head
    assert "row 4 of 4" in tab.show(values_of(tab, row=4, report=report))[0]


def test_tokens_are_marked_one_by_one(tab: Any) -> None:
    _, _, text, tokens, _ = tab.show(values_of(tab))
    assert '<mark class="tb-m-text">b</mark>' in text
    assert text.count("<mark") - 2 == tokens.count("<mark") - 2 == 2
    assert "not trained" in tokens
    assert "stop token" in tokens


def test_names_in_the_first_rows_can_be_mapped(tab: Any, work: Path) -> None:
    row = {"talk": [{"who": "customer", "says": "hi"}, {"speaker": "agent", "text": "yo"}], "n": 1}
    seen = seen_in([Row(row), Row(None), Row({"conversations": '[{"from": "human", "value": "x"}]'})])
    assert seen.columns == ["talk", "n", "conversations"]
    assert seen.keys == ["who", "says", "speaker", "text", "from", "value"]
    assert seen.roles == ["agent", "human"]
    odd = [{"role": "customer", "content": "a"}, {"role": "agent", "content": "b"}]
    (work / "odd.jsonl").write_text(json.dumps({"talk": odd}) + "\n", encoding="utf-8")
    assert report_of(tab, "odd.jsonl").rows["dropped"] == 1
    values = values_of(tab, "odd.jsonl")
    values |= {tab.mapping.columns["messages"]: "talk"}
    values |= {tab.mapping.tags["role_tag"]: "role", tab.mapping.tags["content_tag"]: "content"}
    values |= {tab.mapping.roles["user"]: ["customer", ""], tab.mapping.roles["assistant"]: ["agent"]}
    report = list(tab.account(values))[-1][0]
    assert report.rows["kept"] + report.rows["repaired"] == 1
    _, handed = tab.handed_over(values)
    assert handed["dataset"] == ["odd.jsonl"]
    assert handed["roles"] == {"customer": "user", "agent": "assistant"}
    TrainConfig(**handed)
    # The names that stand under another key are offered as soon as it is said to hold the speakers.
    values |= {tab.mapping.tags["role_tag"]: "content"}
    assert [update["choices"] for update in tab.speakers(values)] == [["a", "b"]] * 4
    assert tab.speakers(values | {tab.mapping.tags["role_tag"]: None}) == [gr.skip()] * 4
    # Another dataset begins with nothing mapped.
    _, formatting, *others = tab.chosen(values)
    assert formatting["value"] == ""
    assert all(update["value"] in (None, []) for update in others)


def test_every_word_of_dataset_info_can_be_mapped() -> None:
    assert column_labels(T).keys() == COLUMN_WORDS
    assert tag_labels(T).keys() <= TAG_WORDS


def test_a_file_outside_or_a_missing_one_is_one_line(tab: Any) -> None:
    for name, said in (("/etc/passwd", "outside"), ("nothing.jsonl", "no such file"), ("", "Choose a dataset")):
        assert said in tab.show(values_of(tab, name))[0]
        last = list(tab.account(values_of(tab, name)))[-1]
        assert last[0] is None
        assert said in last[2]


def test_a_large_dataset_is_checked_when_asked(tab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.tabs.data.AT_ONCE_BYTES", 10)
    (told,) = tab.account(values_of(tab))
    assert told[0] is None
    assert told[7]["visible"] is True
    assert list(tab.account_of_all(values_of(tab)))[-1][0].rows["in"] == 4


def test_a_check_tells_how_far_it_is_and_ends_when_another_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = threading.Event(), threading.Event()

    def endless(name: str, config: TrainConfig, *, watch: Any, **options: Any) -> Report:
        try:
            while True:
                watch(64)
                begun.set()
        finally:
            ended.set()

    monkeypatch.setattr(checks, "check_dataset", endless)
    job = Job()
    first = job.run("a", TrainConfig())
    next(first)
    assert begun.wait(60)
    assert next(first) == 64
    job.number += 1
    assert list(first) == []
    assert ended.wait(60)


def test_a_check_that_is_overtaken_leaves_what_came_after_it(tab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.checks.Job.run", lambda *_: iter([64]))
    waits, last = tab.account(values_of(tab))
    # What is known of another dataset is gone meanwhile.
    assert waits[1] == ""
    assert all("64 rows" in html for html in waits[2:5])
    assert last == NOTHING


def test_the_same_is_not_checked_twice(tab: Any) -> None:
    values = values_of(tab)
    begun = tab.account(values)
    told = [next(begun)]
    assert list(tab.account(values)) == [NOTHING]
    assert [*told, *begun][-1][0].rows["in"] == 4
    assert list(tab.account(values)) == [NOTHING]
    values |= {tab.form.components["max_length"]: 64, tab.form.components["auto_length"]: False}
    assert list(tab.account(values))[-1][0].stats["tokens"]["window"] == 64
    # What failed may be asked for again.
    assert "no such file" in list(tab.account(values | {tab.dataset: "none.jsonl"}))[-1][2]
    assert "no such file" in list(tab.account(values | {tab.dataset: "none.jsonl"}))[-1][2]


def test_the_files_of_a_report(tab: Any) -> None:
    html = list(tab.exports(values_of(tab)))[-1]
    key = html.partition("/exports/")[2].partition("/")[0]
    clean = exported(key, "clean.jsonl")
    assert clean is not None
    assert len(clean.read_text(encoding="utf-8").splitlines()) == 2
    for name in ("dropped.jsonl", "report.json", "report.md"):
        assert f"/exports/{key}/{name}" in html
    for wrong in ((key, "../report.md"), ("..", "clean.jsonl"), ("0" * 32, "clean.jsonl"), (key, "secret")):
        assert exported(*wrong) is None


def test_an_upload_is_looked_at_named_and_kept(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = Roots.of("")

    def come(name: str, content: bytes) -> str:
        (work / "tmp").mkdir(exist_ok=True)
        (work / "tmp" / name).write_bytes(content)
        try:
            return keep(str(work / "tmp" / name), roots)
        finally:
            assert not (work / "tmp" / name).exists()

    good = (work / "rows.jsonl").read_bytes()
    first = come("my data;$(x).jsonl", good)
    assert first == "uploads/my_data_x_.jsonl"
    assert come("my data;$(x).jsonl", good) == first
    other = come("my data;$(x).jsonl", good + b"\n")
    assert other != first
    assert come("..rows.jsonl.gz", gzip.compress(good)).endswith("uploads/rows.jsonl.gz")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("rows.jsonl", good)
    assert come("packed.zip", packed.getvalue()).endswith("uploads/packed.zip")
    assert set(uploaded(roots)) >= {first, other}
    for name, content, said in (
        ("page.html", good, "not a data file"),
        ("model.jsonl.exe", good, "not a data file"),
        ("empty.json", b"", "empty"),
        ("zip.jsonl", b"PK\x03\x04" + bytes(60), "zip"),
    ):
        with pytest.raises(UserError, match=said) as caught:
            come(name, content)
        assert "tmp" not in str(caught.value)
    monkeypatch.setattr(uploads, "MOST_BYTES", 10)
    with pytest.raises(UserError, match="larger than"):
        come("big.jsonl", good)


def test_lengths_in_words_and_as_bars() -> None:
    lengths = [[10, 50], [100, 49], [900, 1]]
    assert [quantile(lengths, part) for part in (0.5, 0.99, 1)] == [10, 100, 900]
    assert enough(lengths) == 256
    html = lengths_html({"lengths": lengths, "window": 512}, T)
    assert "Longer than the window: 1 (1.0 %)" in html
    assert html.count('class="tb-over"') == 1
    assert html.count('class="tb-within"') == 2
    assert "window: 512" in html
    assert "All of them fit" in lengths_html({"lengths": lengths, "window": 1024}, T)
    assert "no lengths" in lengths_html({}, T)


def test_a_few_very_long_samples_leave_the_other_bars_apart() -> None:
    lengths = [[10, 50], [100, 149], [9000, 1]]
    html = lengths_html({"lengths": lengths, "window": 128}, T)
    assert "longer than 204 tokens: 1<" in html
    assert html.count("<rect") == 3
    assert "window: 128" in html
    # Where they are not that few, or all are short, every length has its place.
    for spread in ([[10, 50], [9000, 50]], [[10, 50], [100, 50]]):
        assert "more than" not in lengths_html({"lengths": spread, "window": 128}, T)


def test_a_row_that_is_cut_or_does_not_fit_says_what_the_report_says(tab: Any, work: Path) -> None:
    turns = [{"role": role, "content": "a b c d e f g h " * 4} for _ in range(4) for role in ("user", "assistant")]
    rows = [{"messages": turns}, {"messages": [{"role": "user", "content": "a " * 900}, turns[1]]}]
    (work / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    values = values_of(tab, "long.jsonl") | {
        tab.form.components["max_length"]: 256,
        tab.form.components["auto_length"]: False,
    }
    report = list(tab.account(values))[-1][0]
    assert (report.rows["repaired"], report.rows["dropped"]) == (1, 1)
    for number, fate in ((1, "repaired"), (2, "dropped")):
        assert f'<span class="tb-badge tb-{fate}">' in tab.show(values | {tab.number: number})[0].split("</div>")[0]


def test_a_window_that_is_not_known_yet_is_not_compared_with(tab: Any, work: Path) -> None:
    turns = [{"role": role, "content": "a b c d e f g h " * 99} for _ in range(4) for role in ("user", "assistant")]
    (work / "long.jsonl").write_text(json.dumps({"messages": turns}) + "\n", encoding="utf-8")
    values = values_of(tab, "long.jsonl")
    assert values[tab.form.components["auto_length"]] is True
    assert "more than the window" not in tab.show(values)[0]
    values |= {tab.form.components["max_length"]: 1024, tab.form.components["auto_length"]: False}
    assert f"more than the window of {amount(1024)}; samples that training makes of it: " in tab.show(values)[0]


def test_a_window_is_offered_only_where_it_is_larger(tab: Any, work: Path) -> None:
    report = report_of(tab)
    lengths = [[10, 150], [900, 1]]
    for window, offered in ((256, False), (128, True)):
        report.stats["tokens"] |= {"lengths": lengths, "window": window, "over the window": 1}
        assert tab.accounted(report)[6]["visible"] is offered


def test_where_no_row_is_recognised_the_board_says_what_to_do(tab: Any, work: Path) -> None:
    (work / "strange.jsonl").write_text('{"alpha": 1}\n{"alpha": 2}\n', encoding="utf-8")
    assert "choose below what the columns hold" in formats_html(report_of(tab, "strange.jsonl"), T)
    assert list(tab.account(values_of(tab, "strange.jsonl")))[-1][9]["open"] is True


def test_the_mapping_opens_by_itself_and_closes_again_but_for_what_a_person_opened(tab: Any, work: Path) -> None:
    for name in ("strange.jsonl", "stranger.jsonl"):
        (work / name).write_text('{"alpha": 1}\n{"alpha": 2}\n', encoding="utf-8")
    fold = Fold()

    def panel(name: str) -> Any:
        return list(tab.account(values_of(tab, name) | {tab.mapping.fold: fold}))[-1][9]

    for name in ("strange.jsonl", "stranger.jsonl"):
        assert panel(name)["open"] is True
        fold.expanded()
        # It is read by now: whoever maps it is not disturbed.
        assert tab.mapping.tell(name, fold, [])[0] == gr.skip()
    assert panel("rows.jsonl")["open"] is False
    assert panel("none.jsonl")["open"] is False
    fold.collapsed()
    assert panel("rows.jsonl") == gr.skip()
    fold.expanded()
    assert [panel("strange.jsonl"), panel("rows.jsonl")] == [gr.skip(), gr.skip()]


def test_what_would_read_the_rows_is_a_button(tab: Any, work: Path) -> None:
    talk = [{"who": "customer", "says": "Hi"}, {"who": "agent", "says": HOSTILE}]
    files = {
        "talk.jsonl": ({"log": talk, "id": 1}, "Read “log” as the messages: “who” is the speaker, “says” the words"),
        "pair.jsonl": ({"ask" * 20: "Hi", "reply": "Yes?"}, "askaska…” as the question, “reply” as the answer"),
    }
    for name, (row, said) in files.items():
        (work / name).write_text((json.dumps(row) + "\n") * 2, encoding="utf-8")
        offer, options = list(tab.account(values_of(tab, name)))[-1][10:]
        assert offer["visible"] is True
        assert said in offer["value"]
        updates = tab.mapping.filled(options)
        filled = [update["value"] if isinstance(update, dict) else update for update in updates]
        report = list(tab.account(values_of(tab, name) | dict(zip(tab.mapping.parts, filled, strict=True))))[-1]
        assert report[0].rows["dropped"] == 0
        assert report[10]["visible"] is False
    assert "customer = user · agent = assistant" in tab.mapping.tell("", Fold(), [Row({"log": talk})])[1]["value"]
    # Where some rows are read, or a person must say more, there is none.
    (work / "odd.jsonl").write_text(json.dumps(ROWS[0]) + '\n{"ask": "a", "reply": "b"}\n', encoding="utf-8")
    (work / "three.jsonl").write_text('{"title": "a", "body": "b", "tags": "c"}\n', encoding="utf-8")
    for name in ("odd.jsonl", "three.jsonl"):
        assert list(tab.account(values_of(tab, name)))[-1][10]["visible"] is False


def test_a_report_without_findings_says_so() -> None:
    report = Report("x", "x.jsonl")
    report.stats = {"dataset": {}}
    assert "every row is used" in codes_html(report, T)
    assert code_html(report, "TC508", 0, T) == codes_html(report, T)
    report.rows["in"] = 1
    assert "Training would not start" not in summary_html(report, T)


def test_why_training_would_not_start_stands_above_the_rows(tab: Any, work: Path) -> None:
    (work / "column.jsonl").write_text(json.dumps({**ROWS[0], "labels": [1]}) + "\n", encoding="utf-8")
    report = report_of(tab, "column.jsonl")
    assert "would not start on this data: column &quot;labels&quot; is reserved; rename it" in summary_html(report, T)
    # A file without rows has nothing else to say.
    (work / "none.jsonl").write_bytes(b"")
    report = report_of(tab, "none.jsonl")
    assert "the file is empty" in formats_html(report, T)
    assert "none.jsonl: the file is empty [IO005]" in tab.show(values_of(tab, "none.jsonl"))[0]
    assert summary_html(report, T) == ""


def test_a_code_shows_where_its_first_finding_is_and_what_was_changed(tab: Any) -> None:
    html = codes_html(report_of(tab), T)
    assert "<code>rows.jsonl:2</code> role &quot;bot&quot; read as &quot;assistant&quot;" in html
    assert '<div class="tb-change"><del>bot</del> → <ins>assistant</ins></div>' in html


def test_of_what_is_kept_information_comes_last(tab: Any, work: Path) -> None:
    rows = [ROWS[0], {**ROWS[0], "quality": 1}, {"messages": [{"role": "user", "content": "a"}]}]
    (work / "some.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    html = codes_html(report_of(tab, "some.jsonl"), T)
    assert html.index("RO211") < html.index('data-code="DS905"') < html.index('data-code="SH107"')
    assert html.count("tb-info") > 0
    assert "tb-info" not in html[: html.rindex("tb-warning")]


def test_a_row_says_as_the_report_does_whether_to_look_at_it(tab: Any, work: Path) -> None:
    tool = {"name": "f", "parameters": {"type": "object", "properties": {}}}
    call = {"id": "1", "type": "function", "function": {"name": "g", "arguments": "{}"}}
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [call]}]
    (work / "call.jsonl").write_text(json.dumps({"messages": talk, "tools": [tool]}) + "\n", encoding="utf-8")
    assert "kept, look at it" in tab.show(values_of(tab, "call.jsonl"))[0]


def test_what_is_only_taken_away_needs_no_arrow(tab: Any, work: Path) -> None:
    row = {"messages": [*ROWS[0]["messages"], {"role": "user", "content": "bye"}]}
    (work / "bye.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert '<div class="tb-change"><del>bye</del></div>' in codes_html(report_of(tab, "bye.jsonl"), T)


def test_a_line_that_cannot_be_read_is_shown_as_it_stands(tab: Any, work: Path) -> None:
    (work / "broken.jsonl").write_text(json.dumps(ROWS[0]) + '\n{"messages": [oops\n', encoding="utf-8")
    assert "&quot;messages&quot;: [oops" in tab.show(values_of(tab, "broken.jsonl", row=2))[4]


def test_of_a_very_long_row_the_beginning_is_shown(tab: Any, work: Path) -> None:
    turns = [{"role": "user", "content": "a" * 300_000}, {"role": "assistant", "content": "b " * 150_000}]
    (work / "wide.jsonl").write_text(json.dumps({"messages": turns}) + "\n", encoding="utf-8")
    options = {tab.form.components["max_length"]: 1_000_000, tab.form.components["auto_length"]: False}
    _, talk, text, tokens, raw = tab.show(values_of(tab, "wide.jsonl") | options)
    assert all("more characters" in html for html in (talk, text, raw))
    assert "more</div>" in tokens
    assert max(map(len, (talk, text, raw))) < 210_000


def test_of_many_samples_one_is_open_and_only_its_tokens_are_made(
    tab: Any, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = [{"role": role, "content": "a b c d e f g h " * 4} for _ in range(9) for role in ("user", "assistant")]
    (work / "long.jsonl").write_text(json.dumps({"messages": turns}) + "\n", encoding="utf-8")
    options = {tab.form.components["max_length"]: 256, tab.form.components["auto_length"]: False}
    made: list[int] = []
    tokens = Preview.tokens
    monkeypatch.setattr(Preview, "tokens", lambda shown, place: made.append(place) or tokens(shown, place))
    values = values_of(tab, "long.jsonl") | options
    for place in (0, 1):
        for html in tab.show(values)[2:4]:
            samples = html.split("<details")[1:]
            assert len(samples) > 2
            assert ["<pre" in sample for sample in samples] == [n == place for n in range(len(samples))]
            assert f'data-sample="{1 - place}"' in html
        values |= {tab.opened: tab.open(values, SimpleNamespace(_data={"sample": "1"}))}
    assert made == [0, 1]
    # Of another row its first sample is open, and what a browser sends is looked at.
    assert tab.open(values, SimpleNamespace(_data={"sample": "x"})) == ("long.jsonl", 1, 0)
    assert "<pre" in tab.show(values | {tab.opened: ("rows.jsonl", 1, 1)})[3].split("<details")[1]
    assert "<pre" in tab.show(values | {tab.opened: ("long.jsonl", 1, 99)})[3].split("<details")[1]
