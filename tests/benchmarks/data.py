"""Speed and size of the data layer, as ratios that mean the same on any machine.

    python -m tests.benchmarks.data [--mb 32]

CPU seconds are of the whole process, all threads; a busy neighbour changes them less than it changes the clock.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.check import check
from core.checked import check_dataset
from core.config import TrainConfig
from core.datasets import Source, convert_row, find_source, iterate_rows, load_dataset
from core.examine import Job
from core.model import load_template, load_tokenizer
from core.template.spans import render

ROOT = Path(__file__).parent.parent.parent


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Clock seconds, CPU seconds and the result."""
    clock, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - clock, time.process_time() - cpu, result


def write_rows(path: Path, megabytes: int) -> int:
    """The shipped tool conversations again and again, each with a number of its own; returns the bytes."""
    rows = [row.data for name in ("tools", "tools_openai", "chat") for row, _ in iterate_rows(find_source(name))]
    written = number = 0
    with path.open("w", encoding="utf-8") as file:
        while written < megabytes * 1_000_000:
            row = {"id": number, **rows[number % len(rows)]}
            written += file.write(json.dumps(row, ensure_ascii=False) + "\n")
            number += 1
    return path.stat().st_size


def encoding() -> dict[str, float]:
    """Reading, checking, rendering and encoding against the tokenizer alone on the same texts."""
    tokenizer = load_tokenizer("starter")
    template = load_template(TrainConfig(), tokenizer)
    source = find_source("tools")
    loaded = load_dataset(source)
    texts = [sample.text for conversation in loaded.conversations for sample in render(conversation, template)]
    tokenizer(texts[:50], return_offsets_mapping=True)
    alone, alone_cpu, _ = timed(lambda: tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True))
    reading, reading_cpu, _ = timed(lambda: check(source))
    rendering, rendering_cpu, _ = timed(lambda: [render(c, template) for c in loaded.conversations])
    whole, whole_cpu, _ = timed(lambda: check(source, Job(template=template), tokenizer))
    return {
        "tokenizer alone, s": alone,
        "reading and checking, s": reading,
        "rendering alone, s": rendering,
        "everything, s": whole,
        "speed of everything against the tokenizer alone": alone / whole,
        "the same in CPU seconds": alone_cpu / whole_cpu,
        "reading and checking against the tokenizer alone, CPU": alone_cpu / reading_cpu,
        "rendering against the tokenizer alone, CPU": alone_cpu / rendering_cpu,
    }


def streaming(megabytes: int) -> dict[str, float]:
    """A large file: throughput, peak memory of a process of its own, the first page, and the cache."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.jsonl"
        size = write_rows(path, megabytes) / 1e6
        # The kernel's own high-water mark of this program; ru_maxrss would begin with that of the parent process.
        code = (
            "import re, time; from pathlib import Path\n"
            "from core.datasets import Source; from core.check import check\n"
            "def mark(): return int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text()).group(1))\n"
            "base = mark(); start = time.process_time()\n"
            f"report = check(Source('x', Path({str(path)!r}))).report\n"
            "print(time.process_time() - start, base, mark(), report.rows['in'])"
        )
        out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout
        cpu, base, peak, rows = map(float, out.split())
        page, _, _ = timed(lambda: first_page(path))
        config = TrainConfig(max_samples=2000)
        first, _, _ = timed(lambda: check_dataset(str(path), config, use_cache=True))
        second, _, _ = timed(lambda: check_dataset(str(path), config, use_cache=True))
    return {
        "file, MB": size,
        "rows": rows,
        "read and checked, MB per CPU second": size / cpu,
        "memory before, MB": base / 1000,
        "memory at its peak, MB": peak / 1000,
        "memory per row beyond that, bytes": 1000 * (peak - base) / rows,
        "first page of 20 rows, s": page,
        "first check of 2000 rows, s": first,
        "second check, from the cache, s": second,
    }


def first_page(path: Path) -> int:
    """Twenty rows, as the board shows them first."""
    shown = 0
    for row, layout in iterate_rows(Source("x", path)):
        convert_row(row, layout)
        shown += 1
        if shown == 20:
            break
    return shown


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=32, help="size of the large file [32]")
    arguments = parser.parse_args()
    for name, figures in (("encoding", encoding()), ("streaming", streaming(arguments.mb))):
        print(f"── {name} ──")
        for key, value in figures.items():
            print(f"{key:<56}{value:>12.3f}")


if __name__ == "__main__":
    main()
