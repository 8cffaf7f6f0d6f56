"""The process in which the functions of a tool file run: `python -m core.toolrun FILE SHA256 NAME …`, by
`core.toolbox` alone.

Lines of JSON: first `{"tools": […]}` or `{"error": …}`, then for each `{"call", "arguments", "seconds"}` that comes in
a `{"result": …}`. What the functions print goes to stderr. Limits: memory, processor, size of files; time by an alarm
that ends the process, so that it is gone even when nobody waits any more.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import os
import resource
import signal
import sys
import types
from pathlib import Path
from typing import IO, Any

from core.signature import Function, as_tool

GIB = 1 << 30
# Of each limit: the most that a process of tools may take.
LIMITS = {
    resource.RLIMIT_AS: 4 * GIB,
    resource.RLIMIT_CPU: 600,
    resource.RLIMIT_FSIZE: GIB,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_NOFILE: 256,
}
LOADING_S = 60
LONGEST_RESULT = 100_000


def main(file: str, digest: str, names: list[str]) -> int:
    """Load the file, if it is still what was looked at, say its tools, and answer calls until nobody asks any more."""
    asked, answers = _pipes()
    for limit, most in LIMITS.items():
        hard = resource.getrlimit(limit)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (value, value))
    signal.alarm(LOADING_S)
    try:
        tools = {name: as_tool(name, function) for name, function in _functions(Path(file), digest, names).items()}
    except (Exception, SystemExit) as error:  # noqa: BLE001  the file is the user's code: all it may raise is said
        _say(answers, {"error": str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"})
        return 1
    signal.alarm(0)
    _say(answers, {"tools": [tool.schema for tool in tools.values()]})
    for line in asked:
        call = json.loads(line)
        signal.alarm(call["seconds"])
        result = result_of(tools[call["call"]], call["arguments"])
        signal.alarm(0)
        _say(answers, {"result": result})
    return 0


def result_of(tool: Function, arguments: dict[str, Any]) -> str:
    """What a function gives, as text; what it raises is the result that the model sees."""
    try:
        value = tool.call(arguments)
        if inspect.isawaitable(value):
            value = asyncio.run(_awaited(value))
    except (Exception, SystemExit) as error:  # noqa: BLE001  its failure belongs to the model
        value = {"error": f"{type(error).__name__}: {error}"}
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    cut = len(text) - LONGEST_RESULT
    return text if cut <= 0 else f"{text[:LONGEST_RESULT]} … ({cut} characters more)"


async def _awaited(value: Any) -> Any:
    return await value


def _pipes() -> tuple[IO[str], IO[str]]:
    """Our own ends of stdin and stdout; the functions read nothing and print to stderr."""
    asked, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return asked, answers


def _functions(file: Path, digest: str, names: list[str]) -> dict[str, Any]:
    source = file.read_bytes()
    if hashlib.sha256(source).hexdigest() != digest:
        raise ValueError("it has changed since it was looked at; look at it again")
    # What lies beside it can be imported, after what is installed.
    sys.path.append(str(file.parent))
    module = types.ModuleType("tuneboard_tools")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102  what this process is for
    return {name: getattr(module, name) for name in names}


def _say(answers: IO[str], what: dict[str, Any]) -> None:
    answers.write(json.dumps(what, ensure_ascii=True, default=str) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
