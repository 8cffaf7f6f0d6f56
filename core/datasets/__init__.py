"""Datasets by name, file, folder or Hub name; their rows as a stream; and the account of what became of each.

Rows are read with our own JSON reader, because table formats give each row the union of all keys and fill tool
arguments with nulls, and because a reader that loads a file whole, or stops at its first bad line, helps nobody.
"""

from core.datasets.files import UnusableError
from core.datasets.load import (
    Converted,
    Loaded,
    convert_row,
    convert_rows,
    converted,
    iterate_rows,
    load_conversations,
    load_dataset,
    mixed_formats,
    with_options,
    without_copies,
)
from core.datasets.mix import interleaved, sampled, split, split_by_file
from core.datasets.registry import REGISTRY, Source, find_source, registry

__all__ = [
    "REGISTRY",
    "Converted",
    "Loaded",
    "Source",
    "UnusableError",
    "convert_row",
    "convert_rows",
    "converted",
    "find_source",
    "interleaved",
    "iterate_rows",
    "load_conversations",
    "load_dataset",
    "mixed_formats",
    "registry",
    "sampled",
    "split",
    "split_by_file",
    "with_options",
    "without_copies",
]
