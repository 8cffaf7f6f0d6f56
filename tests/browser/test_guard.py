"""Who gets in: names, other sites, the token and the password, wrong words; and that this holds on every route."""

from __future__ import annotations

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from webui.app import own_names
from webui.guard import Guard, Hosts, refusal
from webui.login import MOST_WRONG, Entry, make_door, secret_file

OWN = {"host": "localhost:7860"}
HTML = {**OWN, "accept": "text/html,*/*"}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


async def _page(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the board"})


def ask(
    guard: Guard, path: str, headers: dict[str, str], method: str = "GET", body: bytes = b""
) -> tuple[int, dict[str, str], str]:
    """(status, headers, body) of a request through the guard."""
    bare, _, query = path.partition("?")
    scope = {"type": "http", "method": method, "path": bare, "query_string": query.encode()}
    scope["headers"] = [(key.encode(), value.encode()) for key, value in headers.items()]
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    # In a thread of its own: the browser's tests leave a running event loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, guard(scope, receive, send)).result()
    answered = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return sent[0]["status"], answered, sent[1]["body"].decode()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "10.0.0.1", "[::"])
def test_a_foreign_host_is_refused(host: str) -> None:
    assert refusal("GET", {"host": host}, Hosts())[0] == 421


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860", "LOCALHOST"])
def test_this_machine_is_served(host: str) -> None:
    assert refusal("GET", {"host": host}, Hosts()) == (0, "")


def test_on_another_address_a_rebound_name_is_refused_and_own_names_are_not() -> None:
    hosts = own_names("0.0.0.0", ["Board.Lab.Example"])
    assert refusal("GET", {"host": "evil.example:7860"}, hosts)[0] == 421
    for host in ("192.168.1.5:7860", "board.lab.example", "[fe80::1]:7860", "localhost"):
        assert refusal("GET", {"host": host}, hosts) == (0, "")


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
def test_another_page_may_not_send_even_with_the_cookie(headers: dict[str, str]) -> None:
    door = make_door(7860)
    cookie = {"cookie": door.cookie().partition(";")[0]}
    assert ask(Guard(_page, door), "/en/gradio_api/queue/join", {**OWN, **cookie, **headers}, "POST")[0] == 403


def test_the_token_lets_in_once_and_the_cookie_from_then_on() -> None:
    door = make_door(7860)
    guard = Guard(_page, door)
    status, headers, _ = ask(guard, f"/zh/?token={door.word}&x=1", HTML)
    assert (status, headers["location"]) == (303, "/zh/?x=1")
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=Lax" in headers["set-cookie"]
    cookie = {"cookie": "other=1; " + headers["set-cookie"].partition(";")[0]}
    status, headers, body = ask(guard, "/zh/", {**HTML, **cookie})
    assert (status, body) == (200, "the board")
    assert "default-src 'self'" in headers["content-security-policy"]
    # The board is started again: another token, and the browser is still known.
    again = make_door(7860)
    assert again.word != door.word
    assert ask(Guard(_page, again), "/zh/", {**HTML, **cookie})[0] == 200
    # A board on another port, or with a password, is another door.
    assert again.met({"cookie": cookie["cookie"].replace("7860", "7861")}) == Entry.STRANGER
    assert make_door(7860, "pass").met(cookie) == Entry.STRANGER
    assert secret_file().stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/en/", "/en/config", "/en/gradio_api/upload", "/favicon.ico", "/anything"])
def test_without_a_login_every_route_is_closed(method: str, path: str) -> None:
    door = make_door(7860)
    for headers in (OWN, {**OWN, "cookie": f"{door.cookie_name}=wrong"}, {**OWN, "cookie": "\x7f;;="}):
        status, _, body = ask(Guard(_page, door), path, headers, method)
        assert (status, "the board" in body) == (401, False)


def test_a_token_never_leads_to_another_site() -> None:
    door = make_door(7860)
    for path in ("//evil.example/x", "/\\evil.example"):
        location = ask(Guard(_page, door), f"{path}?token={door.word}", HTML)[1]["location"]
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))


def test_the_password_by_the_form_and_by_a_program() -> None:
    guard = Guard(_page, make_door(7860, "päss"), own_names("0.0.0.0", []))
    status, headers, page = ask(guard, "/en/", {**HTML, "accept-language": "zh-CN"})
    assert status == 401
    assert "令牌或密码" in page
    status, headers, _ = ask(guard, "/login", HTML, "POST", b"word=p%C3%A4ss")
    assert (status, headers["location"]) == (303, "/")
    assert ask(guard, "/login", HTML, "POST", b"word=wrong")[0] == 401
    basic = "Basic " + base64.b64encode("me:päss".encode()).decode()
    assert ask(guard, "/en/", {**OWN, "authorization": basic})[0] == 200
    for wrong in ("Basic %%%", "Basic " + base64.b64encode(b"me:wrong").decode(), "Bearer x"):
        assert ask(guard, "/en/", {**OWN, "authorization": wrong})[0] == 401


def test_guessing_is_stopped_and_who_is_inside_stays() -> None:
    door = make_door(7860, "secret")
    guard = Guard(_page, door)
    for _ in range(MOST_WRONG):
        assert ask(guard, "/login", HTML, "POST", b"word=guess")[0] == 401
    status, headers, page = ask(guard, "/login", HTML, "POST", b"word=secret")
    assert (status, headers["retry-after"]) == (429, "60")
    assert "Wait a minute" in page
    assert ask(guard, "/en/", {**HTML, "cookie": door.cookie().partition(";")[0]})[0] == 200
    door.wrong_at[0] -= 61
    assert ask(guard, "/login", HTML, "POST", b"word=secret")[0] == 303


def test_a_secret_that_others_could_read_is_not_used() -> None:
    kept = make_door(7860).secret
    assert make_door(7860).secret == kept
    secret_file().chmod(0o644)
    assert make_door(7860).secret != kept
