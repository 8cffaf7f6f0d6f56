"""Python functions of a file as tools of a chat. Their code runs in a process of its own with limits, and only there.

What a file offers is read without running it, so that a person can look before they allow anything.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.conversation import JsonObject
from core.errors import UserError, did_you_mean
from core.run import import_path

CALL_S, START_S = 30, 60
LARGEST_FILE = 1 << 20
LONGEST_ANSWER = 1 << 22
# A tool may be anybody's code: what these hold is not its business.
SECRETS = re.compile(r"TOKEN|KEY|SECRET|PASSW|CREDENTIAL|COOKIE|AUTH", re.IGNORECASE)


@dataclass(frozen=True)
class Offer:
    """What a file of tools holds, by its source: each function's name and the first line of its docstring."""

    file: Path
    functions: dict[str, str]
    digest: str


def offered(file: Path) -> Offer:
    """The public functions of a Python file. Runs nothing of it. Raises `UserError`."""
    try:
        source = file.read_bytes()
        if len(source) > LARGEST_FILE:
            raise UserError(f"is larger than {LARGEST_FILE >> 20} MiB, which is no file of tools", file=file)
        tree = ast.parse(source)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", file=file) from None
    except SyntaxError as error:
        raise UserError(f"is no valid Python: {error.msg}", file=file, line=error.lineno) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise UserError(f"is no valid Python: {error}", file=file) from None
    found = {
        node.name: (ast.get_docstring(node) or "").strip().split("\n")[0]
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    }
    if not found:
        raise UserError(
            "holds no public functions", file=file, remedy="write `def name(…)` with type hints and a docstring"
        )
    return Offer(file, found, hashlib.sha256(source).hexdigest())


class Toolbox:
    """Functions of a file that may be called: `tools` are their JSON schemas. Close it, or use it in a `with`.

    It stands for a process that is started at once and anew after it has died; what the functions keep in memory
    lasts as long as that. Once closed, also by another thread, it runs nothing any more.
    """

    def __init__(self, offer: Offer, allowed: Sequence[str], call_s: int = CALL_S) -> None:
        """Raises `UserError` for a name that the file has not, and when the file cannot be loaded."""
        unknown = next((name for name in allowed if name not in offer.functions), None)
        if unknown is not None:
            raise UserError(f'no function "{unknown}"', file=offer.file, remedy=did_you_mean(unknown, offer.functions))
        self.offer, self.allowed, self.call_s = offer, tuple(allowed), call_s
        self.process: subprocess.Popen[bytes] | None = None
        self.closed = False
        self.tools: tuple[JsonObject, ...] = ()
        self._start()

    def __enter__(self) -> Toolbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, name: str, arguments: JsonObject) -> str:
        """The result of a call as text; whatever goes wrong is a result too, for the model to read."""
        if name not in self.allowed or self.closed:
            return _failure(f"{name} may not be called")
        if self.process is None:
            try:
                self._start()
            except UserError as error:
                return _failure(str(error))
        answer = self._asked({"call": name, "arguments": arguments, "seconds": self.call_s + 1}, self.call_s)
        if answer is None:
            return _failure(f"{name} gave no result within {self.call_s} s, or its process died")
        return str(answer["result"])

    def close(self) -> None:
        """End the process, and what it has started, for good."""
        self.closed = True
        self._end()

    def _end(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def _start(self) -> None:
        file = self.offer.file.resolve()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "core.toolrun", str(file), self.offer.digest, *self.allowed],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=file.parent,
            start_new_session=True,
            env={**{k: v for k, v in os.environ.items() if not SECRETS.search(k)}, "PYTHONPATH": import_path()},
        )
        answer = self._asked(None, START_S)
        if answer is None or "error" in answer or self.closed:
            self._end()
            raise UserError(f"cannot be loaded: {(answer or {}).get('error', 'its process died')}", file=file)
        self.tools = tuple(answer["tools"])

    def _asked(self, question: JsonObject | None, seconds: float) -> Any:
        """The next answer, or None when there is none in time; the process is ended then."""
        process = self.process
        if process is None or process.stdin is None or process.stdout is None:
            return None
        answer = b""
        deadline = time.monotonic() + seconds
        try:
            if question is not None:
                process.stdin.write(json.dumps(question).encode() + b"\n")
                process.stdin.flush()
            while not answer.endswith(b"\n") and len(answer) < LONGEST_ANSWER:
                left = deadline - time.monotonic()
                ready = left > 0 and select.select([process.stdout], [], [], left)[0]
                piece = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
                if not piece:
                    raise EOFError
                answer += piece
            return json.loads(answer)
        except (OSError, EOFError, ValueError):
            self._end()
            return None


def _failure(said: str) -> str:
    return json.dumps({"error": said}, ensure_ascii=False)
