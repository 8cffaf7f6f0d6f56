"""Pieces of a dataset, looked at by several processes at once, and handed back in their order.

`python -m core.crew FD ...` is a helper with a connection for each process that it is to be: it is sent the job and the
tokenizer once, makes itself ready, divides, and then each is sent a piece at a time and sends back what became of it.
It imports neither torch nor transformers, so it is at work in less than a second. Small data is looked at here.
"""

from __future__ import annotations

import gc
import itertools
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from core.conversation import Row
from core.datasets.pieces import Piece, Rows
from core.errors import UserError
from core.examine import Job, Part, examine
from core.tokens import Pieces

# With fewer pieces than this, helpers cost more time than they save.
WORTH_HELPERS = 3
AHEAD = 2
# A row with something of everything.
_FIRST = {
    "messages": [
        {"role": "system", "content": "1"},
        {"role": "user", "content": "2"},
        {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 3}}}]},
        {"role": "tool", "content": "4"},
        {"role": "assistant", "content": "5", "reasoning_content": "6"},
    ],
    "tools": [{"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}],
}


@dataclass(frozen=True, slots=True)
class BareTokenizer:
    """The part of a fast transformers tokenizer that encoding needs, without transformers."""

    backend_tokenizer: Any


def parts(pieces: Iterable[Piece], job: Job, tokenizer: Any = None, processes: int | None = None) -> Iterator[Part]:
    """What becomes of each piece, in order; then what stopped the reading, if anything did, is raised.

    `processes` is how many are at work at once; None: as many as there are cores.
    """
    count = processes or len(os.sched_getaffinity(0))
    failures: list[UserError] = []
    stream = _until_failure(pieces, failures)
    first = list(itertools.islice(stream, WORTH_HELPERS))
    if count == 1 or len(first) < WORTH_HELPERS:
        known = Pieces(tokenizer) if tokenizer is not None else None
        for piece in itertools.chain(first, stream):
            with _collecting_afterwards():
                part = examine(piece, job, known)
            yield part
    else:
        with _helpers(count, job, tokenizer) as asked:
            waiting: deque[Future[Part]] = deque()
            for piece in itertools.chain(first, stream):
                waiting.append(asked(piece))
                if len(waiting) > AHEAD * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    if failures:
        raise failures[0]


def _until_failure(pieces: Iterable[Piece], failures: list[UserError]) -> Iterator[Piece]:
    try:
        yield from pieces
    except UserError as error:
        failures.append(error)


@contextmanager
def _collecting_afterwards() -> Iterator[None]:
    """The cycles that a piece leaves behind hold little; looking for them at every turn took an eighth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _helpers(count: int, job: Job, tokenizer: Any) -> Iterator[Callable[[Piece], Future[Part]]]:
    """A function that has a piece looked at by one of so many helpers; all are gone afterwards."""
    mine, theirs = zip(*(Pipe() for _ in range(count)), strict=True)
    helper = _started(theirs)
    try:
        for connection in theirs:
            connection.close()
        mine[0].send((job, tokenizer.backend_tokenizer.to_str() if tokenizer is not None else ""))
        idle: SimpleQueue[Connection] = SimpleQueue()
        for connection in mine:
            idle.put(connection)
        with ThreadPoolExecutor(count) as threads:
            try:
                yield lambda piece: threads.submit(_asked, idle, piece)
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise
    finally:
        for connection in mine:
            connection.close()
        helper.wait()


def _started(connections: Sequence[Connection]) -> subprocess.Popen[bytes]:
    path = [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    numbers = [connection.fileno() for connection in connections]
    # Ctrl-C reaches every process of a terminal; the helpers leave it to this one, which closes their connections.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "core.crew", *map(str, numbers)],
            stdin=subprocess.DEVNULL,
            pass_fds=numbers,
            # Each helper has a core to itself; its tokenizer must not want all of them.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path)), "TOKENIZERS_PARALLELISM": "false"},
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _asked(idle: SimpleQueue[Connection], piece: Piece) -> Part:
    """What an idle helper makes of a piece."""
    helper = idle.get()
    try:
        helper.send(piece)
        answer = helper.recv()
    except (EOFError, OSError):
        raise UserError(
            "a helper process was killed, probably for want of memory", remedy="--dataset-num-proc 1", exit_code=1
        ) from None
    finally:
        idle.put(helper)
    if isinstance(answer, UserError):
        raise answer
    return answer


def main() -> None:
    """A helper's life: the job, then pieces until the connection is closed."""
    connection, *others = (Connection(int(number)) for number in sys.argv[1:])
    try:
        job, tokenizer = connection.recv()
    except (EOFError, OSError):
        return
    known = Pieces(_tokenizer(tokenizer)) if tokenizer else None
    # What is to be found out about the template, and what is imported on the way, is there before it divides.
    _answer(Rows(((Row(_FIRST), None),)), job, known)
    gc.collect()
    gc.freeze()
    helpers = []
    while others:
        other = others.pop()
        if not (helper := os.fork()):
            connection.close()
            for one in others:
                one.close()
            _work(other, job, known)
            os._exit(0)
        helpers.append(helper)
        other.close()
    _work(connection, job, known)
    for helper in helpers:
        os.waitpid(helper, 0)


def _work(connection: Connection, job: Job, known: Pieces | None) -> None:
    """What becomes of each piece that is sent, until the connection is closed."""
    while True:
        # Whoever asked may have been killed at any time; then nobody waits for an answer.
        try:
            piece = connection.recv()
        except (EOFError, OSError):
            return
        with _collecting_afterwards():
            answer = _answer(piece, job, known)
        try:
            connection.send(answer)
        except OSError:
            return


def _answer(piece: Piece, job: Job, known: Pieces | None) -> Part | UserError:
    try:
        return examine(piece, job, known)
    except UserError as error:
        return error


def _tokenizer(text: str) -> BareTokenizer:
    from tokenizers import Tokenizer

    backend = Tokenizer.from_str(text)
    backend.no_truncation()
    backend.no_padding()
    return BareTokenizer(backend)


if __name__ == "__main__":
    main()
