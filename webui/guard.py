"""What stands in front of Gradio on every route: whose page is asking, is it a person who may, what may it load.

The first attacker is a web page in the user's own browser, then a neighbour on the network. So a foreign `Host` is
refused (DNS rebinding), a request that another site's page sends is refused, nobody comes in who has not logged in, and
the page itself may load nothing from elsewhere, whatever a model or a dataset writes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from webui.login import Door, Entry, login_page

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
READS = ("GET", "HEAD", "OPTIONS")
LONGEST_LOGIN = 4096
# Gradio's page has inline scripts and compiles templates; it needs no other host than this one.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    # Not no-referrer: with it a browser sends `Origin: null` with the login form.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    # By which a second board on the same port knows the first.
    (b"x-app", b"Tuneboard"),
)


@dataclass(frozen=True)
class Hosts:
    """The names under which the board answers; `addresses`: also under any IP address, which no name can be rebound to.

    A board that only this machine reaches answers under the machine's own names alone.
    """

    names: frozenset[str] = LOOPBACK
    addresses: bool = False

    def has(self, host: str) -> bool:
        """Whether a `Host` header names this board."""
        name = _name(host)
        return name in self.names or (self.addresses and _is_address(name))


@dataclass(frozen=True)
class Guard:
    """An ASGI app around another one: whoever is not at the `door` as a guest gets no further, on any route."""

    app: AsgiApp
    door: Door
    hosts: Hosts = Hosts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, let somebody log in, or hand on with the page's policy added to the answer."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status, reason = refusal(scope["method"], headers, self.hosts)
        if status:
            await _answer(send, status, f"{reason}\n")
            return
        entry = await self._entry(scope, headers, receive)
        if entry == Entry.GUEST:
            await self.app(scope, receive, _with_policy(send))
        elif entry == Entry.WELCOME:
            cookie = (b"set-cookie", self.door.cookie().encode())
            await _answer(send, 303, "", ((b"location", _without_token(scope).encode()), cookie))
        else:
            await self._ask(send, headers, entry)

    async def _entry(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Entry:
        """What this request is to the door. `/login` and `?token=` are words said at it."""
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if scope["method"] == "POST" and scope["path"] == "/login":
            return self.door.said(await _login_word(receive))
        if scope["method"] == "GET" and "token" in query:
            return self.door.said(query["token"])
        return self.door.met(headers)

    async def _ask(self, send: Send, headers: dict[str, str], entry: Entry) -> None:
        """The login page for a browser, a line for a program."""
        status = 429 if entry == Entry.TOO_MANY else 401
        more = ((b"retry-after", b"60"),) if status == 429 else ()
        if "text/html" in headers.get("accept", ""):
            page = login_page(entry, headers.get("accept-language", ""))
            await _answer(send, status, page, more, "text/html")
        else:
            await _answer(send, status, "log in first: the token is in the address that webui printed\n", more)


def refusal(method: str, headers: dict[str, str], hosts: Hosts) -> tuple[int, str]:
    """`(status, reason)` when a request is refused whoever sends it, else `(0, "")`."""
    host = headers.get("host", "")
    if not hosts.has(host):
        return 421, "this board does not answer under that name; webui --allowed-host NAME lets it"
    if method not in READS and _from_elsewhere(headers, host):
        return 403, "a page of another site sent this request"
    return 0, ""


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _from_elsewhere(headers: dict[str, str], host: str) -> bool:
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != host


async def _login_word(receive: Receive) -> str:
    """The word in the login form; a body that is too long holds none."""
    body = b""
    while len(body) <= LONGEST_LOGIN:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return dict(parse_qsl(body.decode("utf-8", "replace"))).get("word", "")
    return ""


def _without_token(scope: Scope) -> str:
    """Where to go on after a login: the same page, without the token in its address."""
    query = [pair for pair in parse_qsl(scope["query_string"].decode("latin-1")) if pair[0] != "token"]
    path = "" if scope["path"] == "/login" else quote(scope["path"].lstrip("/"))
    return f"/{path}" + (f"?{urlencode(query)}" if query else "")


def _with_policy(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *HEADERS]
        await send(message)

    return guarded


async def _answer(
    send: Send, status: int, body: str, more: tuple[tuple[bytes, bytes], ...] = (), kind: str = "text/plain"
) -> None:
    content = (b"content-type", f"{kind}; charset=utf-8".encode())
    kept_nowhere = (b"cache-control", b"no-store")
    headers = [content, kept_nowhere, *HEADERS, *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
