"""Speed and size of the data layer, as ratios that mean the same on any machine.

    python -m tests.benchmarks.data [encoding | large | peer] [--mb 32] [--peer-python /path/to/bin/python]

`encoding` compares reading, checking, rendering and encoding with the tokenizer alone on the same texts; `large` checks
a file as a stream and shows its first page (--mb 1000 is the file of a gigabyte); `peer` prepares the same file with
LLaMA-Factory, by the Python that has it (or $TUNEBOARD_PEER_PYTHON), and is skipped where there is none.

Measured on two idle cores: `encoding` at 32 MB 0.84 for tool conversations (0.88 by the clock), 1.13 for long chats,
and 0.68 to 0.72 where no two rows have a tool in common; a file of 8 MB gives 0.66, for the start of the helpers takes
0.7 s. Rows are prepared at 2.1 times LLaMA-Factory 0.9.5's pace from 4 MB (2,309 rows) and at 2.7 times from 16 MB,
both sides' start included. A file of 1,045 MB (562,861 rows) is checked in 68 s by a process that takes 159 MB at its
peak and two helpers that take 63 MB each, and a second time in 1.3 s; checked and encoded in 153 s (259 MB, and 138 MB
each), a second time in 3.0 s. Its first row shows after 0.93 s, imports counted.

CPU seconds are of the process and its helpers, all threads; a busy neighbour changes them less than it changes the
clock.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from core.check import check
from core.config import TrainConfig
from core.conversation import Conversation
from core.datasets import Source, find_source, iterate_rows, load_dataset
from core.examine import Job
from core.model import load_template, load_tokenizer
from core.template.sandbox import Template
from core.template.spans import Rendered, render

ROOT = Path(__file__).parent.parent.parent
SAMPLES = ("tools", "tools_openai", "chat")
# The name of a tool in a row, in JSON or in JSON text.
_NAME = re.compile(r'name\\?": \\?"([a-z]\w+)\\?"')


def cpu_s() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Clock seconds, CPU seconds and the result."""
    clock, cpu = time.perf_counter(), cpu_s()
    result = work()
    return time.perf_counter() - clock, cpu_s() - cpu, result


def write_rows(
    path: Path, megabytes: float, names: tuple[str, ...] = SAMPLES, wanted: Callable[[Any], bool] = bool
) -> int:
    """The shipped conversations that are `wanted`, again and again, each with its own number; returns the bytes."""
    rows = [row.data for name in names for row, _ in iterate_rows(find_source(name)) if wanted(row.data)]
    written = number = 0
    with path.open("w", encoding="utf-8") as file:
        while written < megabytes * 1_000_000:
            row = {"id": number, **rows[number % len(rows)]}
            written += file.write(json.dumps(row, ensure_ascii=False) + "\n")
            number += 1
    return path.stat().st_size


def write_own_tools(path: Path, megabytes: float) -> int:
    """As `write_rows`, each row with tools that no other row has: their names carry its number."""
    shared = path.with_suffix(".shared")
    write_rows(shared, megabytes)
    with shared.open(encoding="utf-8") as lines, path.open("w", encoding="utf-8") as file:
        for number, line in enumerate(lines):
            names = sorted(set(_NAME.findall(line)), key=len, reverse=True)
            file.write(re.sub("|".join(names), partial(_numbered, number), line) if names else line)
    shared.unlink()
    return path.stat().st_size


def _numbered(number: int, found: re.Match[str]) -> str:
    return f"{found.group()}_{number}"


def write_talks(path: Path, megabytes: float) -> int:
    """Long chats without tools: the words of the shipped ones, in turns of the length that people's chats have."""
    texts = [
        message.content
        for name in SAMPLES
        for conversation in load_dataset(find_source(name)).conversations
        for message in conversation.messages
        if message.role in ("user", "assistant") and message.content
    ]
    written = number = 0
    with path.open("w", encoding="utf-8") as file:
        while written < megabytes * 1_000_000:
            turns = []
            for turn in range(6):
                begin = (number * 6 + turn) * 7 % (len(texts) - 12)
                content = f"{number} " + " ".join(texts[begin : begin + (2, 12)[turn % 2]])
                turns.append({"role": ("user", "assistant")[turn % 2], "content": content})
            written += file.write(json.dumps({"messages": turns}, ensure_ascii=False) + "\n")
            number += 1
    return path.stat().st_size


def encoding(megabytes: float) -> Iterator[tuple[str, float]]:
    """Reading, checking, rendering and encoding against the tokenizer alone on the same texts, both on every core."""
    tokenizer = load_tokenizer("starter")
    template = load_template(TrainConfig(), tokenizer)
    for label, write in _FILES.items():
        with tempfile.TemporaryDirectory() as folder:
            path, rows = Path(folder) / "rows.jsonl", Path(folder) / "rows.arrow"
            yield f"{label}: MB", write(path, megabytes) / 1e6
            source = Source("x", path)
            conversations = load_dataset(source).conversations
            yield f"{label}: conversations", len(conversations)
            _, drawn_cpu, samples = timed(partial(render_all, conversations, template))
            texts = [sample.text for sample in samples]
            alone, alone_cpu, _ = timed(partial(tokenizer, texts, add_special_tokens=False))
            _, read_cpu, _ = timed(partial(check, source))
            whole, whole_cpu, done = timed(partial(check, source, Job(TrainConfig(), template), tokenizer, rows=rows))
            assert done.report.rows["in"] == len(conversations)
            yield f"{label}: the tokenizer alone, CPU s", alone_cpu
            yield f"{label}: everything, CPU s", whole_cpu
            yield f"{label}: everything against the tokenizer alone, CPU", alone_cpu / whole_cpu
            yield f"{label}: the same, by the clock", alone / whole
            yield f"{label}: reading and checking against it, CPU", alone_cpu / read_cpu
            yield f"{label}: rendering against it, CPU", alone_cpu / drawn_cpu


def render_all(conversations: Sequence[Conversation], template: Template) -> list[Rendered]:
    """The samples of conversations."""
    return [sample for conversation in conversations for sample in render(conversation, template)]


_FILES: dict[str, Callable[[Path, float], int]] = {
    "tool conversations": write_rows,
    "tool conversations, each with tools of its own": write_own_tools,
    "long chats": write_talks,
}


def large(megabytes: float) -> Iterator[tuple[str, float]]:
    """A large file: its first page, throughput, peak memory of a process of its own, and the cache."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.jsonl"
        size = write_rows(path, megabytes) / 1e6
        yield "file, MB", size
        show = [sys.executable, "-m", "core.cli", "data", "show", str(path)]
        page, page_cpu, _ = timed(lambda: subprocess.run(show, check=True, stdout=subprocess.DEVNULL, cwd=ROOT))
        yield "core-cli data show, first row, s", page
        yield "of that CPU s", page_cpu
        first, first_cpu, _ = timed(lambda: first_page(path))
        yield "first page of 20 rows, s", first
        yield "of that CPU s ", first_cpu
        for label, model in (("check", False), ("check and encode", True)):
            for turn in ("first", "second"):
                for name, value in measured_check(path, model, Path(folder) / "cache", size).items():
                    yield f"{label}, {turn} time: {name}", value


def measured_check(path: Path, model: bool, cache: Path, size: float) -> dict[str, float]:
    """A check in a process of its own: seconds, and the high-water marks of its memory and of its helpers'."""
    # The kernel's own mark of this program; ru_maxrss would begin with that of the parent process.
    code = (
        "import re, resource, time; from pathlib import Path\n"
        "from core.checked import check_dataset; from core.config import TrainConfig\n"
        "start = time.perf_counter()\n"
        f"report = check_dataset({str(path)!r}, TrainConfig(), with_model={model})\n"
        "clock = time.perf_counter() - start\n"
        "used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]\n"
        "mine = int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text()).group(1))\n"
        "print(clock, sum(u.ru_utime + u.ru_stime for u in used), mine, used[1].ru_maxrss, report.rows['in'])"
    )
    environment = {**os.environ, "TUNEBOARD_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    out = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT, env=environment
    ).stdout
    clock, cpu, mine, helper, rows = map(float, out.split())
    peaks = {"its memory at its peak, MB": mine / 1000, "a helper's memory at its peak, MB": helper / 1000}
    return {"s": clock, "CPU s": cpu, "MB per CPU second": size / cpu, "rows": rows, **peaks}


def first_page(path: Path) -> int:
    """Twenty rows, as the board shows them first."""
    from core.preview import first_rows

    return len(first_rows(str(path), TrainConfig()))


def alternates(row: Any) -> bool:
    """Whether a ShareGPT row is question, answer, question, answer: LLaMA-Factory drops others (results of calls made
    at once)."""
    speakers = [turn["from"] for turn in row["conversations"]]
    return {*speakers[::2]} <= {"human", "observation"} and {*speakers[1::2]} <= {"gpt", "function_call"}


def peer(megabytes: float, python: str) -> Iterator[tuple[str, float]]:
    """The same file of tool conversations prepared by us and by LLaMA-Factory, from the file to rows of tokens."""
    if not python or not Path(python).is_file():
        print("skipped: LLaMA-Factory is not installed (--peer-python, or $TUNEBOARD_PEER_PYTHON)")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        yield "file, MB", write_rows(path, megabytes, ("tools",), alternates) / 1e6
        script = Path(__file__).parent / "peer_data.py"
        out = subprocess.run(
            [python, str(script), str(path), str(ROOT / "data" / "starter"), str(len(os.sched_getaffinity(0)))],
            capture_output=True,
            text=True,
            cwd=folder,
        )
        if out.returncode:
            print(f"skipped: the peer failed: {out.stderr.strip().splitlines()[-1:]}")
            return
        theirs = json.loads(out.stdout.strip().splitlines()[-1])
        tokenizer = load_tokenizer("starter")
        job = Job(TrainConfig(dataset_num_proc=theirs["processes"]), load_template(TrainConfig(), tokenizer))
        rows = Path(folder) / "rows.arrow"
        clock, cpu, done = timed(lambda: check(Source("x", path), job, tokenizer, rows=rows))
        count = done.report.rows["in"]
        yield "rows", count
        yield "rows that LLaMA-Factory keeps", theirs["rows"]
        yield "ours, rows per s", count / clock
        yield "LLaMA-Factory, rows per s", theirs["rows"] / theirs["s"]
        yield "ours against LLaMA-Factory, by the clock", (count / clock) / (theirs["rows"] / theirs["s"])
        yield "ours against LLaMA-Factory, CPU", (count / cpu) / (theirs["rows"] / theirs["cpu"])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", nargs="?", choices=["encoding", "large", "peer"], help="one of them; nothing: all")
    parser.add_argument("--mb", type=float, default=32, help="size of the file [32]")
    parser.add_argument("--peer-python", default=os.environ.get("TUNEBOARD_PEER_PYTHON", ""))
    arguments = parser.parse_args()
    modes: dict[str, Callable[[], Iterator[tuple[str, float]]]] = {
        "encoding": lambda: encoding(arguments.mb),
        "large": lambda: large(arguments.mb),
        "peer": lambda: peer(arguments.mb, arguments.peer_python),
    }
    for name, figures in modes.items():
        if arguments.mode in (None, name):
            print(f"── {name} ──")
            for key, value in figures():
                print(f"{key:<72}{value:>12.3f}", flush=True)


if __name__ == "__main__":
    main()
