"""The `webui` command: quick help, and one clear line where it cannot or will not start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from webui.guard import HEADERS
from webui.texts import preferred

ROOT = Path(__file__).parents[2]


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


def test_a_root_that_is_not_there_is_one_clear_line() -> None:
    done = webui("--root", "/nowhere/at/all")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: /nowhere/at/all: no such folder — --root names a folder that there is",
    ]


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


def test_a_second_board_names_the_first() -> None:
    with socket.socket() as first:
        first.bind(("127.0.0.1", 0))
        first.listen()
        port = first.getsockname()[1]

        def answers() -> None:
            asked, _ = first.accept()
            asked.recv(4096)
            head = "".join(f"{name.decode()}: {value.decode()}\r\n" for name, value in HEADERS)
            asked.sendall(f"HTTP/1.1 401 Unauthorized\r\n{head}\r\n".encode())
            asked.close()

        threading.Thread(target=answers, daemon=True).start()
        done = webui("--port", str(port))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"error: a board is already running at http://127.0.0.1:{port} — "
        "open that one, or choose another port with --port"
    ]


def test_the_language_is_the_first_that_we_have() -> None:
    assert preferred("zh-CN,zh;q=0.9,en;q=0.8") == "zh"
    assert preferred("fr-FR,fr;q=0.9,en;q=0.8") == "en"
    assert preferred("de") == "en"
    assert preferred("") == "en"
