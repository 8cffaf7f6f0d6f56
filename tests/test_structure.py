"""The house: who may import whom, what must stay light, and that the public names are complete."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import core

ROOT = Path(__file__).parent.parent
LIGHT = [
    "config",
    "conversation",
    "errors",
    "formats",
    "rules",
    "run",
    "queue",
    "keeper",
    "launch",
    "outcome",
    "paths",
    "cli",
    "commands",
    "toolbox",
    "toolrun",
]
LIGHT += ["template.trace", "template.spans", "template.reader", "template.choose"]


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_core_knows_nothing_of_the_board() -> None:
    for path in modules("core"):
        bad = {name for name in imports(path) if name.split(".")[0] in ("webui", "gradio")}
        assert not bad, f"{path} imports {bad}"


def test_only_the_trainer_and_its_options_import_trl() -> None:
    users = {path.name for path in modules("core") if any(name.split(".")[0] == "trl" for name in imports(path))}
    assert users == {"sft.py", "trainer.py"}


def test_no_two_modules_import_each_other() -> None:
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in modules("core")
    }
    graph = {name: imports(path) & names.keys() - {name} for name, path in names.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' → '.join((*trail, name))}"
        if name not in done:
            for other in graph[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_nothing_heavy(module: str) -> None:
    heavy = ("torch", "transformers", "datasets", "gradio")
    code = f"import core.{module}, sys; print([name for name in {heavy} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert out.strip() == "[]"


@pytest.mark.parametrize("command", [[], ["train"], ["eval"], ["chat"], ["data", "show"], ["runs", "list"]])
def test_help_is_quick_and_readable(command: list[str]) -> None:
    """No heavy import is what makes it quick."""
    code = "import sys\nfrom core.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "assert not {'torch', 'transformers', 'datasets', 'gradio'} & set(sys.modules)"
    words = [sys.executable, "-c", code, *command, "--help"]
    out = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "usage: core-cli" in out


def test_every_public_name_exists_and_is_documented() -> None:
    for name in core.__all__:
        thing = getattr(core, name)
        assert thing.__doc__, name
    with pytest.raises(AttributeError, match="no attribute"):
        core.nothing  # noqa: B018


def test_every_file_says_what_it_is_for() -> None:
    for path in [*modules("core"), *modules("webui")]:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_importing_every_module_works() -> None:
    for path in modules("core"):
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
