"""The `webui` command: quick help, and one clear line where it cannot or will not start; the guard in front of it."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from webui.guard import refusal
from webui.texts import preferred

ROOT = Path(__file__).parents[2]
OWN = {"host": "localhost:7860"}


def webui(*arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "TUNEBOARD_PASSWORD"}
    command = [sys.executable, "-m", "webui.app", *arguments]
    return subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=120, check=False)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom webui.app import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'gradio', 'torch', 'transformers'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--runs-dir" in done.stdout


def test_other_machines_need_a_password() -> None:
    done = webui("--host", "0.0.0.0")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "password" in done.stderr


def test_an_occupied_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = webui("--port", str(port))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"http://127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", ""])
def test_a_foreign_host_is_refused(host: str) -> None:
    assert refusal("GET", {"host": host}, "")[0] == 421


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860", "localhost"])
def test_this_machine_is_served(host: str) -> None:
    assert refusal("GET", {"host": host}, "") == (0, "")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_page_may_not_send(headers: dict[str, str]) -> None:
    assert refusal("POST", {**OWN, **headers}, "")[0] == 403


def test_the_own_page_may_send() -> None:
    assert refusal("POST", {**OWN, "origin": "http://localhost:7860", "sec-fetch-site": "same-origin"}, "") == (0, "")


def test_a_password_is_asked_for() -> None:
    def sent(text: str) -> dict[str, str]:
        return {"host": "box:7860", "authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    assert refusal("GET", {"host": "box:7860"}, "secret")[0] == 401
    assert refusal("GET", sent("me:wrong"), "secret")[0] == 401
    assert refusal("GET", {"host": "box", "authorization": "Basic %%%"}, "secret")[0] == 401
    assert refusal("GET", sent("me:secret"), "secret") == (0, "")


def test_the_language_is_the_first_that_we_have() -> None:
    assert preferred("zh-CN,zh;q=0.9,en;q=0.8") == "zh"
    assert preferred("fr-FR,fr;q=0.9,en;q=0.8") == "en"
    assert preferred("de") == "en"
    assert preferred("") == "en"
