"""Encoded rows on the disk: written as a stream, and mapped into memory when they are read, however many there are.

A file of rows is an Arrow stream. A row is one sample; `row` is the number of its conversation among those of its
dataset that are kept, so that conversations can be chosen, mixed and split afterwards without encoding them again.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from core.label import IGNORED, Example

ROWS = "rows.arrow"


def schema() -> Any:
    """The columns: four lists of one length, that length, and the number of the conversation."""
    import pyarrow as pa

    lists = {"input_ids": pa.int32(), "labels": pa.int32(), "kinds": pa.int8(), "weights": pa.float32()}
    return pa.schema({name: pa.list_(kind) for name, kind in lists.items()} | {"length": pa.int32(), "row": pa.int32()})


def packed(conversations: Iterable[Sequence[Example]]) -> bytes:
    """The examples of some conversations as bytes that `Writer` takes; `row` counts from 0 here."""
    import numpy
    import pyarrow as pa

    pairs = [(row, example) for row, examples in enumerate(conversations) for example in examples]
    lengths = [len(example.input_ids) for _, example in pairs]
    offsets = pa.array(itertools.accumulate(lengths, initial=0), pa.int32())
    flat = array("i")
    for _, example in pairs:
        flat.extend(example.input_ids)
    ids = numpy.frombuffer(flat, numpy.int32)
    labels = numpy.full(len(ids), IGNORED, numpy.int32)
    kinds, weights = numpy.zeros(len(ids), numpy.int8), numpy.zeros(len(ids), numpy.float32)
    for begin, (_, example) in zip(itertools.accumulate(lengths, initial=0), pairs, strict=False):
        for run in example.runs:
            trained = slice(begin + run.first, begin + run.end)
            labels[trained], kinds[trained], weights[trained] = ids[trained], run.kind, run.weight
    columns = [pa.ListArray.from_arrays(offsets, pa.array(values)) for values in (ids, labels, kinds, weights)]
    columns += [pa.array(lengths, pa.int32()), pa.array([row for row, _ in pairs], pa.int32())]
    return pa.record_batch(columns, schema=schema()).serialize().to_pybytes()


class Writer:
    """Writes packed rows one after the other into a file; to be closed."""

    def __init__(self, file: Path) -> None:
        import pyarrow as pa

        self._schema = schema()
        self._stream = pa.OSFile(str(file), "wb")
        self._writer = pa.ipc.new_stream(self._stream, self._schema)
        self._conversations = 0

    def add(self, data: bytes, conversations: int) -> None:
        """The examples of so many conversations."""
        import pyarrow as pa

        batch = pa.ipc.read_record_batch(pa.py_buffer(data), self._schema)
        numbers = pa.array(batch.column("row").to_numpy() + self._conversations, pa.int32())
        at = batch.schema.get_field_index("row")
        self._writer.write_batch(batch.set_column(at, self._schema.field(at), numbers))
        self._conversations += conversations

    def close(self) -> None:
        """The end of the file."""
        self._writer.close()
        self._stream.close()
