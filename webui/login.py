"""Who may come in: whoever knows the password or, where none is set, the token in the address that `webui` prints.

The token is new with every start. A browser that has shown it gets a cookie, and keeps its way in when the board is
started again: the cookie is made from a secret that only this user's account can read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from webui.markup import escape
from webui.texts import load_texts, preferred

DAYS = 30
# Wrong words in a minute, from anybody; who has the cookie is not touched by it.
MOST_WRONG, MINUTE_S = 10, 60.0


class Entry(Enum):
    """What becomes of somebody at the door."""

    GUEST = "has the cookie, or said the word with the request"
    WELCOME = "said the word now"
    STRANGER = "said nothing"
    WRONG = "said the wrong word"
    TOO_MANY = "there were too many wrong words"


@dataclass(frozen=True)
class Door:
    """The word that lets in (password or token), the cookie for those whom it let in, and when it was wrong lately."""

    word: str
    cookie_name: str
    secret: bytes
    wrong_at: deque[float] = field(default_factory=deque)

    def said(self, word: str) -> Entry:
        """Somebody says a word."""
        now = time.monotonic()
        while self.wrong_at and now - self.wrong_at[0] > MINUTE_S:
            self.wrong_at.popleft()
        if len(self.wrong_at) >= MOST_WRONG:
            return Entry.TOO_MANY
        if hmac.compare_digest(word.encode(), self.word.encode()):
            return Entry.WELCOME
        self.wrong_at.append(now)
        return Entry.WRONG

    def met(self, headers: dict[str, str]) -> Entry:
        """A request comes: with the cookie, with the word (`Authorization`), or with nothing."""
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            cookies = SimpleCookie()
        shown = cookies.get(self.cookie_name)
        if shown is not None and hmac.compare_digest(shown.value.encode(), self._badge().encode()):
            return Entry.GUEST
        word = _authorised(headers.get("authorization", ""))
        if word is None:
            return Entry.STRANGER
        entry = self.said(word)
        return Entry.GUEST if entry == Entry.WELCOME else entry

    def cookie(self) -> str:
        """The cookie as a header's value. Lax: a link to the board works, another site's request has no cookie."""
        return f"{self.cookie_name}={self._badge()}; Path=/; Max-Age={DAYS * 86400}; HttpOnly; SameSite=Lax"

    def _badge(self) -> str:
        """Another password makes every old cookie worthless; a token, which is new each time, does not."""
        return hmac.new(self.secret, self.cookie_name.encode(), hashlib.sha256).hexdigest()


def make_door(port: int, password: str = "") -> Door:
    """The door of the board on a port, with its password, else with a new token."""
    secret = hmac.new(_kept_secret(), password.encode(), hashlib.sha256).digest()
    return Door(password or secrets.token_urlsafe(24), f"tuneboard-{port}", secret)


def _authorised(header: str) -> str | None:
    """The word of a `Bearer` or `Basic` header (of the latter the password, whoever the user is)."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(given, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def secret_file() -> Path:
    """`tuneboard/cookie_secret` in the user's folder for state."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "tuneboard" / "cookie_secret"


def _kept_secret() -> bytes:
    """The secret of this account, made when there is none; where it cannot be kept, one for this start."""
    file, made = secret_file(), secrets.token_bytes(32)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(made)
    except FileExistsError:
        return _read_secret(file) or made
    except OSError:
        pass
    return made


def _read_secret(file: Path) -> bytes:
    """What is kept; nothing when others could have read or written it."""
    try:
        ours = file.stat().st_uid == os.getuid() and not file.stat().st_mode & 0o077
        return file.read_bytes() if ours else b""
    except OSError:
        return b""


def login_page(entry: Entry, accept_language: str) -> str:
    """The page that asks for the word: no script, nothing from elsewhere."""
    t = load_texts(preferred(accept_language))
    said = {
        Entry.WRONG: t("That was not it."),
        Entry.TOO_MANY: t("Too many wrong attempts. Wait a minute."),
    }.get(entry, "")
    problem = f'<p class="bad" role="alert">{escape(said)}</p>' if said else ""
    return (
        f'<!doctype html><html lang="{t.language}"><head><meta charset="utf-8"><title>Tuneboard</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_LOGIN_STYLE}</style></head><body><main>'
        f"<h1>Tuneboard</h1><p>{escape(t('Open the address that webui printed in the terminal: it holds a token.'))} "
        f"{escape(t('Or type the token, or the password, here.'))}</p>{problem}"
        f'<form method="post" action="/login"><label for="word">{escape(t("Token or password"))}</label>'
        f'<input id="word" name="word" type="password" autocomplete="current-password" autofocus required>'
        f"<button>{escape(t('Log in'))}</button></form></main></body></html>"
    )


_LOGIN_STYLE = """
:root{color-scheme:light dark;font-family:system-ui,sans-serif;background:light-dark(#f8fafc,#020617)}
body{margin:0;min-height:100vh;display:grid;place-items:center;color:light-dark(#1e293b,#e2e8f0)}
main{width:min(26rem,86vw);padding:2rem;border-radius:12px;border:1px solid light-dark(#e2e8f0,#1e293b);
background:light-dark(#fff,#0f172a)}
h1{margin:0 0 .5rem;font-size:1.35rem;color:light-dark(#0d9488,#2dd4bf)}p{line-height:1.5;margin:.5rem 0 1rem}
label{display:block;font-weight:500;margin-bottom:.35rem}input,button{font:inherit;width:100%;box-sizing:border-box;
padding:.6rem .8rem;border-radius:8px}input{border:1px solid light-dark(#cbd5e1,#334155);background:transparent;
color:inherit}button{margin-top:1rem;border:0;background:#0d9488;color:#fff;font-weight:500;cursor:pointer}
input:focus-visible,button:focus-visible{outline:2px solid #14b8a6;outline-offset:2px}
.bad{color:light-dark(#dc2626,#f87171)}
"""
