"""Where the Hub does not answer that is said at once, and known again when it answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from huggingface_hub import constants

from core import hub
from core.config import TrainConfig
from core.errors import UserError
from core.model import load_tokenizer
from core.sources import require_datasets


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of the Hub, and nobody has switched it off."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_found", None)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> str:
    """A Hub at a port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    return address


class _Answers(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.asked.append(self.path)
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing in the log of the tests."""


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A Hub that answers; the paths that were asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    _Answers.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield _Answers.asked
    server.shutdown()
    server.server_close()


def test_any_answer_counts_and_holds_for_a_while(answering: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert [hub.hub_fault(), hub.hub_fault()] == ["", ""]
    assert len(answering) == 1
    monkeypatch.setattr(hub, "_HOLDS", -1.0)
    assert hub.hub_fault() == ""
    assert len(answering) == 2
    assert not constants.HF_HUB_OFFLINE


def test_silence_is_said_and_nothing_more_is_asked(silent: str) -> None:
    assert hub.hub_fault().startswith(f"{silent} does not answer (")
    assert constants.HF_HUB_OFFLINE
    with pytest.raises(UserError, match=r'tokenizer of "nobody/nothing": it is neither .* does not answer'):
        load_tokenizer("nobody/nothing")
    with pytest.raises(UserError, match=r'dataset "hf:nobody/rows" is on the Hub, and .* does not answer'):
        require_datasets(TrainConfig(dataset=["hf:nobody/rows"]))


def test_a_hub_that_answers_again_is_used_again(
    silent: str, answering: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = constants.ENDPOINT
    monkeypatch.setattr(constants, "ENDPOINT", silent)
    assert hub.hub_fault()
    monkeypatch.setattr(constants, "ENDPOINT", answers)
    assert hub.hub_fault()
    monkeypatch.setattr(hub, "_HOLDS", -1.0)
    assert hub.hub_fault() == ""
    assert not constants.HF_HUB_OFFLINE


def test_a_hub_that_a_person_has_switched_off_is_not_asked(
    answering: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub.hub_fault() == "HF_HUB_OFFLINE is set"
    assert not answering
    assert hub.asked_for("data") == "data"
