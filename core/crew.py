"""Pieces of a dataset, looked at by several processes at once, and handed back in their order.

`python -m core.crew FD` is a helper: it is sent the job and the tokenizer once, then a piece at a time, and sends back
what became of it. It imports neither torch nor transformers, so it is at work in less than a second. A few pieces are
looked at here before helpers are started, so that small data never waits for them.
"""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from core.datasets.pieces import Piece
from core.errors import UserError
from core.examine import Job, Part, examine
from core.tokens import Pieces

# With fewer pieces than this, helpers cost more time than they save.
WORTH_HELPERS = 3
AHEAD = 2


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
            yield examine(piece, job, known)
    else:
        with _helpers(count, job, tokenizer) as idle, ThreadPoolExecutor(count) as threads:
            waiting: deque[Future[Part]] = deque()
            for piece in itertools.chain(first, stream):
                waiting.append(threads.submit(_asked, idle, piece))
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
def _helpers(count: int, job: Job, tokenizer: Any) -> Iterator[SimpleQueue[Connection]]:
    """So many helpers that know the job, as the connections of those that are idle; all are gone afterwards."""
    idle: SimpleQueue[Connection] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(count):
            mine, theirs = Pipe()
            stack.callback(mine.close)
            helper = _started(theirs)
            theirs.close()
            stack.callback(helper.wait)
            stack.callback(helper.kill)
            mine.send((job, tokenizer.backend_tokenizer.to_str() if tokenizer is not None else ""))
            idle.put(mine)
        yield idle


def _started(connection: Connection) -> subprocess.Popen[bytes]:
    path = [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, "-m", "core.crew", str(connection.fileno())],
        stdin=subprocess.DEVNULL,
        pass_fds=(connection.fileno(),),
        # Each helper has a core to itself; its tokenizer must not want all of them.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path)), "TOKENIZERS_PARALLELISM": "false"},
    )


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
    # What rows leave behind holds little; looking for it at every turn took an eighth of the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    connection = Connection(int(sys.argv[1]))
    job, tokenizer = connection.recv()
    known = Pieces(_tokenizer(tokenizer)) if tokenizer else None
    while True:
        try:
            piece = connection.recv()
        except EOFError:
            return
        connection.send(_answer(piece, job, known))


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
