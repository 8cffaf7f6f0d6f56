"""The command line: what a person types, and one clear line when it is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli import main
from tests.conftest import small

TINY = [
    "--max-samples",
    "8",
    "--max-steps",
    "2",
    "--lora-r",
    "4",
    "--per-device-train-batch-size",
    "2",
    "--dtype",
    "float32",
]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train"], "no dataset"),
        (["train", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["train", "--dataset", "tols"], 'unknown dataset "tols" — did you mean "tools"?'),
        (["train", "--dataset", "data/none.jsonl"], "data/none.jsonl: no such file"),
        (["train", "--dataset", "tools", "--lora-r", "0"], "lora_r: should be greater than or equal to 1"),
        (["train", "--dataset", "tools", "--template", "chatm"], 'unknown template "chatm" — did you mean "chatml"?'),
        (
            ["train", "--dataset", "tools", "--model-name-or-path", "no/such-model"],
            'cannot load the tokenizer of "no/such-model"',
        ),
        (["train", "--dataset", ""], "no dataset: its name is empty"),
        (["train", "--dataset", "tools", "--model-name-or-path", ""], 'cannot load the tokenizer of ""'),
        (["train", "--dataset", "tools", "--model-name-or-path", "./nowhere"], "there is no such folder"),
        (["train", "--resume", ""], 'no run ""'),
        (["train", "--dataset", "x" * 300], "unknown dataset"),
        (["train", "--dataset", "~nobody-has-this-name/x"], "no such file"),
        (["train", "--dataset", "tools", "--model-name-or-path", "~nobody-has-this-name/x"], "no such folder"),
        (["train", "--dataset", "tools", "--template", "~nobody-has-this-name/x.jinja"], "unknown template"),
        (["train", "--resume", "nothing"], 'no run "nothing"'),
        (["data", "show", "tools", "--row", "99999"], "there is no row 99999"),
        (["data", "show", "tools", "--dataset-dir", "nowhere"], "nowhere/dataset_info.json: no such file"),
        (["eval", "starter"], "no dataset to evaluate on"),
        (["chat", "no-such-run", "--message", "x"], 'cannot load the tokenizer of "no-such-run"'),
        (["runs", "stop", "nothing"], 'no run "nothing"'),
    ],
)
def test_bad_input_gets_one_line(
    words: list[str], message: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) != 0
    captured = capsys.readouterr()
    errors = [line for line in captured.err.splitlines() if not line.startswith("run ")]
    assert len(errors) == 1, captured.err
    assert message in errors[0]
    assert errors[0].startswith("error: ")


def test_unknown_key_in_a_yaml_names_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("dataset: [tools]\nlearning_rte: 1\n", encoding="utf-8")
    assert main(["train", str(path)]) == 2
    assert f'error: {path}: unknown option "learning_rte": did you mean "learning_rate"?' in capsys.readouterr().err


def test_a_key_given_twice_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("dataset: [tools]\nlora_r: 4\nextra: {seed: 1}\nlora_r: 8\n", encoding="utf-8")
    assert main(["train", str(path)]) == 2
    assert f"error: {path}:4: not valid YAML: lora_r is given twice" in capsys.readouterr().err


def test_a_malformed_row_is_named_with_its_line(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": "a"}]}\n{"messages": [}\n', encoding="utf-8")
    assert main(["data", "show", str(path), "--row", "2"]) == 0
    assert "rows.jsonl:2:" in capsys.readouterr().out
    assert main(["train", "--dataset", str(path)]) == 2
    assert "no row can be trained on" in capsys.readouterr().err


def test_train_eval_chat_and_list(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--dataset", "tools", *TINY, "--json"]) == 0
    run = json.loads(capsys.readouterr().out)
    assert (run["state"], run["step"]) == ("finished", 2)
    assert main(["runs", "list", "--json"]) == 0
    assert [row["path"] for row in json.loads(capsys.readouterr().out)] == [run["path"]]
    words = ["eval", run["path"], "--dataset", "tools_heldout", "--max-samples", "2", "--max-new-tokens", "8", "--base"]
    assert main([*words, "--examples", "1"]) == 0
    out = capsys.readouterr().out
    assert "calls exactly right" in out
    assert "base" in out.splitlines()[0]
    assert len(list(Path(run["path"], "evals").glob("*.json"))) == 2
    assert main(["chat", run["path"], "--message", "hi", "--max-new-tokens", "5", "--json"]) == 0
    talk = json.loads(capsys.readouterr().out)
    assert [message["role"] for message in talk["messages"]] == ["user", "assistant"]


def test_underscores_are_welcome(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--lora_r", "0", "--dataset", "tools"]) == 2
    assert "lora_r" in capsys.readouterr().err


def test_data_show_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "tools", "--row", "1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    sample = shown["samples"][0]
    assert {"start", "end", "kind", "message"} == sample["spans"][0].keys()
    assert len(sample["input_ids"]) == len(sample["labels"])


def test_data_show_of_a_row_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jsonl").write_text('{"instruction": "q", "output": "a"}\n{oops\n')
    assert main(["data", "show", str(tmp_path / "a.jsonl"), "--row", "2", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["row"], shown["conversation"], shown["samples"]) == ("{oops", None, [])
    assert [(found["code"], found["severity"]) for found in shown["findings"]] == [("IO001", "error")]


def test_data_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    assert "tools_heldout" in capsys.readouterr().out


def test_small_is_small() -> None:
    assert small().max_steps == 3


def test_ctrl_c_while_modules_are_loaded_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    light = (
        "import sys, core.cli; sys.exit(sum(name in sys.modules for name in ('core.commands', 'pydantic', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", light], check=False).returncode == 0

    def pressed() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("core.cli.parser", pressed)
    assert main(["data", "list"]) == 130


def test_data_show_has_the_reasoning_of_the_conversation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "<think>a greeting</think>yo"}]
    (tmp_path / "a.jsonl").write_text(json.dumps({"messages": talk}))
    assert main(["data", "show", str(tmp_path / "a.jsonl")]) == 0
    assert "     user: hi\nreasoning: a greeting\nassistant: yo\n" in capsys.readouterr().out


def test_data_show_marks_nothing_behind_the_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo " * 100}]
    (tmp_path / "a.jsonl").write_text(json.dumps({"messages": talk}))
    cut = ["data", "show", str(tmp_path / "a.jsonl"), "--max-length", "32", "--overlong", "truncate"]
    assert main([*cut, "--json"]) == 0
    [sample] = json.loads(capsys.readouterr().out)["samples"]
    assert len(sample["input_ids"]) == 32
    [span] = sample["spans"]
    assert span["end"] == len(sample["text"])
    assert span["kind"] == "text", "no stop token is learned there"
    assert main(cut) == 0
    assert capsys.readouterr().out.rstrip().endswith("yo⟧")


def test_no_row_commands_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk = [{"role": "user", "content": "\x1b]0;mine\x07 hi"}, {"role": "assistant", "content": "a\x9b2Jb\tc"}]
    rows = [{"messages": talk, "\x1b[2J": 1}, {"messages": [{**talk[0], "role": "\x1b[1mme"}, talk[1]]}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for words in (["check"], ["show"], ["show", "--row", "2"]):
        main(["data", words[0], str(tmp_path / "a.jsonl"), *words[1:]])
        said = capsys.readouterr().out
        assert not set("\x1b\x07\x9b") & set(said), words
    assert "unknown role \\x1b[1mme" in said
    main(["data", "show", str(tmp_path / "a.jsonl")])
    assert "a\\x9b2Jb\tc" in capsys.readouterr().out
