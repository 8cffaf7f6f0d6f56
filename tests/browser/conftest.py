"""A chromium, and the board as a process of its own: what the browser tests drive."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# Nothing of the browser's own goes out to the network, and it runs without a display, a GPU or a user namespace.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A shared machine with a training in the background is slow.
PATIENCE_S = 120
MISSING = "no chromium: install one (apt install chromium, or `playwright install chromium`) to run the browser tests"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="DIR", help="write a picture of each tab there")
    parser.addoption("--showcase", metavar="RUN", help="with --screenshots: the finished run that they show")


@dataclass
class Server:
    """The board as a process; `stop` kills it without mercy."""

    runs_dir: Path
    folder: Path
    port: int
    process: subprocess.Popen[str] | None = None
    said: list[str] = field(default_factory=list)
    stops: int = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address that was printed last, with its token."""
        line = next(line for line in reversed(self.said) if "Tuneboard is at" in line)
        return line.split()[3]

    def start(self) -> None:
        command = [sys.executable, "-m", "webui.app", "--port", str(self.port), "--runs-dir", self.runs_dir.name]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "XDG_STATE_HOME": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = []
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()
        deadline = time.monotonic() + PATIENCE_S
        while not any("Tuneboard is at" in line for line in self.said):
            assert self.process.poll() is None, "".join(self.said)
            assert time.monotonic() < deadline, "the board did not come up:\n" + "".join(self.said)
            time.sleep(0.1)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.said.append(line)

    def stop(self) -> None:
        self.stops += 1
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=30)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser; a loud skip where there is none, and a failure on CI."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        path = found or (str(own) if own.is_file() else None)
        if path is None:
            if os.environ.get("CI") == "true":
                pytest.fail(MISSING)
            warnings.warn(MISSING, stacklevel=1)
            pytest.skip(MISSING)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The board on a free port, with its own runs and working folder; afterwards its runs are stopped too."""
    folder = tmp_path_factory.mktemp("board")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    board = Server(folder / "runs", folder, port)
    try:
        board.start()
        yield board
    finally:
        board.stop()
        _end_workers(board.runs_dir)


@pytest.fixture
def page(chromium: Any, server: Server) -> Iterator[Any]:
    """A page of 1400 px, light, English. What it asks of other hosts, and what fails in its scripts, fails the test."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900}, locale="en-GB", color_scheme="light")
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE_S * 1000)
    foreign: list[str] = []
    broken: list[str] = []
    tab.on("request", lambda request: foreign.append(request.url) if _is_foreign(request.url, server) else None)
    tab.on("pageerror", lambda error: broken.append(str(error)))
    tab.on("console", lambda said: broken.append(said.text) if said.type == "error" else None)
    before = server.stops
    yield tab
    context.close()
    assert not foreign, f"the page asked other hosts: {foreign}"
    # A board that the test stopped could not be reached for a while; that is no fault of the page.
    assert not broken or server.stops > before, f"the page's scripts failed: {broken}"


@pytest.fixture
def shoot(request: pytest.FixtureRequest) -> Any:
    """`shoot(page, name)` writes a picture of 1400 × 1100 px when `--screenshots DIR` is given."""
    folder = request.config.getoption("--screenshots", default=None)

    def write(page: Any, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            path = Path(folder) / f"{name}.png"
            page.set_viewport_size({"width": 1400, "height": 1100})
            page.mouse.move(0, 0)
            # Bars and buttons move to their places.
            page.wait_for_timeout(1500)
            page.screenshot(path=path)
            _shrink(path)

    return write


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Any]:
    """What the tabs share, inside of an open page: a test puts its tab there and calls the handlers itself."""
    import gradio as gr

    from webui.board import Board
    from webui.models import Models
    from webui.roots import Roots
    from webui.texts import Texts

    with gr.Blocks() as page:
        with gr.Tabs() as tabs:
            pass
        chat_target, train_run = gr.Dropdown(render=False), gr.Dropdown(render=False)
        roots = Roots.of(str(tmp_path / "runs"))
        yield Board(Texts(), str(tmp_path), page, tabs, chat_target, train_run, gr.State(None), Models(), roots)


def _is_foreign(url: str, server: Server) -> bool:
    return not url.startswith((server.base, "data:", "blob:"))


def _shrink(path: Path) -> None:
    """A palette picture is a third of the size; without Pillow the picture stays as it is."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        return
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256)
    small.save(path, optimize=True)


def _end_workers(runs_dir: Path) -> None:
    """End the workers whose command line names a run of this test, and no others."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if {"core.keeper", "core.lead", "core.train"} & set(words) and any(
            re.match(re.escape(str(runs_dir.resolve())), word) for word in words
        ):
            os.kill(int(entry.name), signal.SIGKILL)
