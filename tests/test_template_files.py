"""Templates are read out of tokenizers' configurations and folders, with the tokens beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.cli import main
from core.errors import UserError
from core.template.choose import bare_template
from core.template.files import read_template

SOURCE = "{% for m in messages %}{{ m.content + eos_token }}{% endfor %}"


def config(folder: Path, **values: Any) -> Path:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "template", [SOURCE, [{"name": "default", "template": "x"}, {"name": "tool_use", "template": SOURCE}]]
)
def test_a_tokenizers_configuration(template: Any, tmp_path: Path) -> None:
    path = config(tmp_path, chat_template=template, eos_token={"content": "<end>"}, bos_token=None, model_max_length=9)
    assert read_template(path) == (SOURCE, {"eos_token": "<end>"})
    assert bare_template(str(path)).stop == ("<end>",)
    assert bare_template(str(path), {"eos_token": "<stop>"}).stop == ("<stop>",)


def test_a_folder_with_a_template_and_tokens_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "chat_template.jinja").write_text(SOURCE, encoding="utf-8")
    assert read_template(tmp_path) == (SOURCE, {})
    config(tmp_path, eos_token="<end>")
    assert read_template(tmp_path) == (SOURCE, {"eos_token": "<end>"})
    assert main(["template", "card", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stop_tokens"] == ["<end>"]


@pytest.mark.parametrize("text", ["{", "[1]", '{"chat_template": 7}', '{"eos_token": "</s>"}', "[" * 100_000])
def test_what_holds_no_template_is_one_line(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tokenizer_config.json"
    path.write_text(text, encoding="utf-8")
    for name in (path, tmp_path):
        assert main(["template", "card", str(name)]) == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1
        assert str(tmp_path) in said[0]


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no chat template in this folder"):
        read_template(tmp_path)
