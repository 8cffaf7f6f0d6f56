"""Encoded rows on the disk: written as a stream, and mapped into memory when they are read, however many there are.

A file of rows is an Arrow stream. A row is one sample; `row` is the number of its conversation among those of its
dataset that are kept, so that conversations can be chosen, mixed and split afterwards without encoding them again.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from core.label import IGNORED, Example, Run

ROWS = "rows.arrow"
_WEIGHT = struct.Struct("f").pack
_NO_LABEL, _NO_WEIGHT, _ONE = struct.pack("i", IGNORED), _WEIGHT(0.0), _WEIGHT(1.0)
_KINDS = [bytes((kind,)) for kind in range(256)]


def schema() -> Any:
    """The columns: four lists of one length, that length, and the number of the conversation."""
    import pyarrow as pa

    lists = {"input_ids": pa.int32(), "labels": pa.int32(), "kinds": pa.int8(), "weights": pa.float32()}
    return pa.schema({name: pa.list_(kind) for name, kind in lists.items()} | {"length": pa.int32(), "row": pa.int32()})


class Packed(NamedTuple):
    """Rows as bytes: the lists of each column one behind the other, the length of each row, and its conversation.

    Conversations count from 0 here.
    """

    input_ids: bytes = b""
    labels: bytes = b""
    kinds: bytes = b""
    weights: bytes = b""
    lengths: array[int] = array("i")
    rows: array[int] = array("i")


def packed(conversations: Iterable[Sequence[Example]]) -> Packed:
    """The examples of some conversations, as `Writer` takes them."""
    pairs = [(row, example) for row, examples in enumerate(conversations) for example in examples]
    ids = [example.ids for _, example in pairs]
    labels: list[bytes | array[int]] = []
    kinds: list[bytes] = []
    weights: list[bytes] = []
    for _, example in pairs:
        at = 0
        for first, end, kind, weight in (*example.runs, Run(len(example.ids), len(example.ids), 0, 0.0)):
            if first > at:
                labels.append(_NO_LABEL * (first - at))
                kinds.append(bytes(first - at))
                weights.append(_NO_WEIGHT * (first - at))
            labels.append(example.ids[first:end])
            kinds.append(_KINDS[kind] * (end - first))
            weights.append((_ONE if weight == 1.0 else _WEIGHT(weight)) * (end - first))
            at = end
    lengths, rows = array("i", map(len, ids)), array("i", [row for row, _ in pairs])
    return Packed(b"".join(ids), b"".join(labels), b"".join(kinds), b"".join(weights), lengths, rows)


class Writer:
    """Writes packed rows one after the other into a file; to be closed."""

    def __init__(self, file: Path) -> None:
        import pyarrow as pa

        self._schema = schema()
        self._stream = pa.OSFile(str(file), "wb")
        self._writer = pa.ipc.new_stream(self._stream, self._schema)
        self._conversations = 0

    def add(self, data: Packed, conversations: int) -> None:
        """The examples of so many conversations."""
        import pyarrow as pa

        offsets = _numbers(pa.int32(), array("i", accumulate(data.lengths, initial=0)))
        columns = [
            pa.ListArray.from_arrays(offsets, _numbers(field.type.value_type, column))
            for field, column in zip(self._schema, data[:4], strict=False)
        ]
        rows = array("i", [self._conversations + row for row in data.rows])
        columns += [_numbers(pa.int32(), data.lengths), _numbers(pa.int32(), rows)]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))
        self._conversations += conversations

    def close(self) -> None:
        """The end of the file."""
        self._writer.close()
        self._stream.close()


def _numbers(kind: Any, data: bytes | array[int]) -> Any:
    """Bytes as an Arrow array. (`pyarrow.array` imports pandas, which takes longer than thousands of rows.)"""
    import pyarrow as pa

    buffer = pa.py_buffer(data)
    return pa.Array.from_buffers(kind, buffer.size * 8 // kind.bit_width, [None, buffer])
