"""The `webui` command: the board's pages, one a language, behind a guard, on an address that only this machine reaches.

`--help` and every refusal to start answer without loading Gradio.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from core.errors import UserError
from core.paths import runs_dir_of
from core.queue import look_after
from core.quiet import quiet_libraries
from core.threads import share_cores
from webui.guard import LOOPBACK, Guard, Hosts
from webui.login import make_door
from webui.roots import Roots
from webui.texts import Texts, languages, load_texts, preferred

if TYPE_CHECKING:
    from collections.abc import Callable

    import gradio as gr
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.models import Models

# The tabs, in order: each is a module in webui/tabs with a `build(board)`.
TABS = ("data", "template", "train", "evaluate", "chat", "export", "runs")
# Uploads that nothing took: looked for each hour, removed when they are an hour old.
LEFT_OVERS = (3600, 3600)
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0d9488"/>'
    '<path d="M8 11h16M8 16h16M8 21h16" stroke="#fff" stroke-width="2" opacity=".5"/>'
    '<circle cx="20" cy="11" r="3" fill="#fff"/><circle cx="12" cy="16" r="3" fill="#fff"/>'
    '<circle cx="17" cy="21" r="3" fill="#fff"/></svg>'
)


def main(argv: list[str] | None = None) -> int:
    """Start the board. Returns the exit code: 2 when it cannot start."""
    arguments = _parser().parse_args(argv)
    share_cores()
    quiet_libraries()
    # Taken out of the environment, so that no worker inherits it.
    password = os.environ.pop("TUNEBOARD_PASSWORD", "")
    try:
        roots = Roots.of(arguments.runs_dir, arguments.root)
        serve(arguments.host, arguments.port, arguments.runs_dir, roots, password, arguments.allowed_host)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def serve(host: str, port: int, runs_dir: str, roots: Roots, password: str, allowed_hosts: list[str]) -> None:
    """Serve until a signal comes. Raises `UserError` when the address is not free, or open without a password."""
    if host not in LOOPBACK and not password:
        raise UserError(
            f"--host {host} lets other machines in, and there is no password",
            remedy="set TUNEBOARD_PASSWORD, or leave out --host",
        )
    listener = listen(host, port)
    port = listener.getsockname()[1]
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import uvicorn

    from core.model import auto_tokenizer

    door = make_door(port, password)
    token = "" if password else f"/?token={door.word}"

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            # Whoever looks at data first would wait for it.
            threading.Thread(target=auto_tokenizer, daemon=True).start()
            print(f"Tuneboard is at {address(host, port)}{token} (Ctrl-C ends it)", flush=True)

    threading.Thread(target=tend, args=(runs_dir,), daemon=True).start()
    app = Guard(site(runs_dir, roots), door, own_names(host, allowed_hosts))
    # Open pages hold a connection; without a limit a Ctrl-C would wait for them.
    settings = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    Server(settings).run(sockets=[listener])


def own_names(host: str, allowed: list[str]) -> Hosts:
    """The names under which a board on this address answers."""
    names = LOOPBACK | {name.lower() for name in allowed}
    if host in LOOPBACK:
        return Hosts(names)
    machine = {socket.gethostname().lower(), socket.getfqdn().lower()}
    return Hosts(names | machine | {host.lower()}, addresses=True)


def tend(runs_dir: str, every_s: float = 2.0) -> None:
    """As long as the board serves, start the run whose turn it is and see how runs ended, with or without a page."""
    while True:
        # A folder that cannot be written is said on the page, by whoever wants to use it.
        with contextlib.suppress(UserError, OSError):
            look_after(runs_dir_of(runs_dir))
        time.sleep(every_s)


def site(runs_dir: str, roots: Roots) -> Any:
    """The ASGI app: a page a language under `/en/`, `/zh/`, …; `/` leads to the one that the browser asks for."""
    import gradio as gr
    from fastapi import FastAPI

    from webui.look import STYLE, theme
    from webui.models import Models
    from webui.uploads import INCOMING, MOST_BYTES

    os.environ["GRADIO_TEMP_DIR"] = str(roots.uploads / INCOMING)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    app.add_route("/", home)
    app.add_route("/favicon.ico", icon)
    app.add_route("/exports/{key}/{name}", export)
    app.add_route("/changes", changes_of(runs_dir))
    models = Models()
    for language in languages():
        gr.mount_gradio_app(
            app,
            build(load_texts(language), runs_dir, models, roots),
            f"/{language}",
            theme=theme(),
            css_paths=[STYLE],
            footer_links=[],
            run_history=False,
            show_error=True,
            allowed_paths=[],
            max_file_size=MOST_BYTES,
            ssr_mode=False,
            enable_monitoring=False,
            mcp_server=False,
            pwa=False,
        )
    return app


def home(request: Request) -> Response:
    """Lead to the page in the language that the browser asks for."""
    from starlette.responses import RedirectResponse

    language = preferred(request.headers.get("accept-language", ""))
    return RedirectResponse(f"/{language}/" + (f"?{request.url.query}" if request.url.query else ""))


def icon(request: Request) -> Response:
    """The icon in the browser's tab."""
    from starlette.responses import Response

    return Response(ICON, media_type="image/svg+xml")


def changes_of(runs_dir: str) -> Callable[[Request], Response]:
    """What says in a few letters whether any run has changed: the open pages ask for it each second."""
    from starlette.responses import PlainTextResponse

    from webui.live import Changes

    changes = Changes(runs_dir)
    return lambda request: PlainTextResponse(changes.mark())


def export(request: Request) -> Response:
    """A file of a dataset's report."""
    from starlette.responses import FileResponse, PlainTextResponse

    from webui.checks import exported

    file = exported(request.path_params["key"], request.path_params["name"])
    if file is None:
        return PlainTextResponse("there is no such file any more; make it again\n", 404)
    return FileResponse(file, filename=file.name, media_type="application/octet-stream")


def build(t: Texts, runs_dir: str, models: Models, roots: Roots) -> gr.Blocks:
    """The page in one language."""
    import gradio as gr

    from webui.board import Board
    from webui.header import put_header

    with gr.Blocks(title="Tuneboard", analytics_enabled=False, fill_width=True, delete_cache=LEFT_OVERS) as page:
        put_header(t)
        titles = {
            "data": t("Data"),
            "template": t("Template"),
            "train": t("Train"),
            "evaluate": t("Evaluate"),
            "chat": t("Chat"),
            "export": t("Export"),
            "runs": t("Runs"),
        }
        picker: dict[str, Any] = {"allow_custom_value": True, "render": False}
        # Before the tabs: within them, what is no tab shifts their labels.
        train_choice = gr.State(None)
        with gr.Tabs(elem_id="tabs") as tabs:
            board = Board(
                t,
                runs_dir,
                page,
                tabs,
                gr.Dropdown(
                    label=t("Chat with"), choices=["starter"], value="starter", elem_id="chat-target", **picker
                ),
                gr.Dropdown(label=t("Run"), choices=[], elem_id="train-run", scale=1, **picker),
                train_choice,
                models,
                roots,
            )
            for name in TABS:
                with gr.Tab(titles[name], id=name, elem_id=f"tab-{name}"):
                    importlib.import_module(f"webui.tabs.{name}").build(board)
    return page


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, taken before anything slow is loaded. Raises `UserError` when the address is not free."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(128)
    except (OSError, OverflowError) as error:
        if is_board(host, port):
            raise UserError(
                f"a board is already running at {address(host, port)}",
                remedy="open that one, or choose another port with --port",
            ) from None
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"cannot listen on {address(host, port)}: {reason}", remedy="choose another one with --port"
        ) from None
    return listener


def is_board(host: str, port: int) -> bool:
    """Whether what listens there is a Tuneboard, whatever it thinks of us: each of its answers says so in a header."""
    try:
        with socket.create_connection((host, port), timeout=2) as asked:
            asked.sendall(f"GET / HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n".encode())
            return b"\r\nx-app: Tuneboard\r\n" in asked.recv(4096)
    except (OSError, OverflowError):
        return False


def address(host: str, port: int) -> str:
    """The address as a browser wants it."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="webui", description="The Tuneboard web board.")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; others than this machine's own need a password in TUNEBOARD_PASSWORD [127.0.0.1]",
    )
    parser.add_argument("--port", type=int, default=7860, help="port; 0 takes a free one [7860]")
    parser.add_argument(
        "--runs-dir", default="", help="folder of the runs, uploads lie beside it [$TUNEBOARD_RUNS or ./runs]"
    )
    parser.add_argument(
        "--root",
        action="append",
        default=[],
        metavar="DIR",
        help="a folder whose models, data and templates may be named in the browser, besides the working folder",
    )
    parser.add_argument(
        "--allowed-host", action="append", default=[], metavar="NAME", help="a further name that the board answers to"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
