"""What stands in front of Gradio on every route: whose page is asking, is it a person who may, what may it load.

The first attacker is a web page in the user's own browser, then a neighbour on the network. So a foreign `Host` is
refused (DNS rebinding), a request that another site's page sends is refused, a password is asked for where one is set,
and the page itself may load nothing from elsewhere, whatever a model or a dataset writes.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
READS = ("GET", "HEAD", "OPTIONS")
WRONG_PASSWORD_S = 1.0
# Gradio's page has inline scripts and compiles templates; it needs no other host than this one.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


@dataclass(frozen=True)
class Guard:
    """An ASGI app around another one. `password` empty: only this machine is served, under its own names."""

    app: AsgiApp
    password: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on with the page's policy added to the answer."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status, reason = refusal(scope["method"], headers, self.password)
        if status:
            if status == 401 and "authorization" in headers:
                await asyncio.sleep(WRONG_PASSWORD_S)
            await _refuse(send, status, reason)
            return

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        await self.app(scope, receive, guarded)


def refusal(method: str, headers: dict[str, str], password: str) -> tuple[int, str]:
    """`(status, reason)` when a request is refused, else `(0, "")`."""
    host = headers.get("host", "")
    # With a password a rebound name helps nobody: the browser has no password for that name.
    if not password and _name(host) not in LOOPBACK:
        return 421, "this board answers under localhost only"
    if method not in READS and _from_elsewhere(headers, host):
        return 403, "a page of another site sent this request"
    if password and not _knows(headers.get("authorization", ""), password):
        return 401, "a password is needed (any user name)"
    return 0, ""


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _from_elsewhere(headers: dict[str, str], host: str) -> bool:
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != host


def _knows(authorization: str, password: str) -> bool:
    scheme, _, encoded = authorization.partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(given.encode(), password.encode())


async def _refuse(send: Send, status: int, reason: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="Tuneboard", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})
