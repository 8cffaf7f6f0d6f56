"""A dataset's report by name, from the cache when nothing has changed since it was made.

The cache's key covers the bytes of every file, every option, the template's source, the tokenizer's whole state, the
held-out set and our own code, so what comes from it is what a new check would find. Hub datasets are not cached.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import core
from core.config import TrainConfig
from core.datasets import Source, find_source, load_conversations, with_options
from core.datasets.files import data_files, readable
from core.measure import Measure
from core.report import Report, Watch, check, report_from_json
from core.rules.dataset import DatasetFacts, prompt_hash

_CHUNK = 1 << 20


def check_dataset(
    name: str,
    config: TrainConfig,
    *,
    with_model: bool = False,
    secrets: bool = False,
    output: Path | None = None,
    use_cache: bool = True,
    watch: Watch | None = None,
) -> Report:
    """The report of a dataset; with `with_model` through the config's template and tokenizer. Raises `UserError`.

    An `output` folder is written anew each time.
    """
    source = with_options(find_source(name, config.dataset_dir), config)
    measure = _measure(config) if with_model else None
    held_out = _held_out(config)
    place = None
    if use_cache and output is None and not source.hub:
        place = cache_dir() / f"{_key(source, config, measure, held_out, secrets)}.json"
        kept = _read(place)
        if kept is not None:
            return kept
    report = check(
        source,
        profile=config.profile,
        measure=measure,
        facts=DatasetFacts(held_out=held_out, secrets=secrets),
        output=output,
        max_samples=config.max_samples,
        watch=watch,
    )
    if place is not None:
        _write(place, report)
    return report


def cache_dir() -> Path:
    """`$TUNEBOARD_CACHE`, else `tuneboard` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("TUNEBOARD_CACHE") or Path(home) / "tuneboard") / "reports"


def _measure(config: TrainConfig) -> Measure:
    from core.model import load_template, load_tokenizer

    tokenizer = load_tokenizer(config.model_name_or_path)
    return Measure(load_template(config, tokenizer), tokenizer, config)


def _held_out(config: TrainConfig) -> frozenset[int]:
    if not config.eval_dataset:
        return frozenset()
    plain = config.model_copy(update={"profile": "default", "max_samples": None})
    loaded = load_conversations(plain, config.eval_dataset)
    return frozenset(prompt_hash(conversation) for conversation in loaded.conversations)


def _key(source: Source, config: TrainConfig, measure: Measure | None, held_out: frozenset[int], secrets: bool) -> str:
    digest = hashlib.blake2b(digest_size=20)
    facts = [repr(source), config.model_dump_json(), str(secrets), str(sorted(held_out)), str(source.file.absolute())]
    if measure is not None:
        facts += [measure.template.source, repr(measure.template.special_tokens), repr(measure.template.stop)]
        facts += [measure.tokenizer.backend_tokenizer.to_str(), str(measure.tokenizer.model_max_length)]
    digest.update(json.dumps(facts).encode("utf-8", "surrogatepass"))
    code = sorted(Path(core.__file__).parent.rglob("*.py"))
    for file in [*code, *(data_files(source.file) if source.file.is_dir() else [source.file])]:
        digest.update(f"\0{file}\0".encode("utf-8", "surrogateescape"))
        with readable(file), file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _read(place: Path) -> Report | None:
    """The report in the cache; None when there is none, or it is damaged."""
    try:
        return report_from_json(json.loads(place.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(place: Path, report: Report) -> None:
    """Put a report into the cache in one step; a cache that cannot be written costs only time."""
    part = place.with_suffix(f".{os.getpid()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(report.to_json()), encoding="utf-8")
        part.replace(place)
    except OSError:
        return
