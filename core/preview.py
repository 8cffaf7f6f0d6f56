"""One row on the whole road, every step kept: what the Data tab and `core-cli data show` look at.

Nothing is rendered a second time for the preview: the samples are those that training would be given.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from core.config import TrainConfig
from core.conversation import Conversation, Finding, Row, RowRefusedError
from core.datasets import Source, convert_row, find_source, iterate_rows, with_options
from core.encode import Example, encode
from core.errors import UserError
from core.model import load_template, load_tokenizer
from core.template.spans import Rendered, render


@dataclass(slots=True)
class Preview:
    """A row, the conversation in it (None if it was dropped), and its samples with their examples."""

    source: Source
    row: Row
    conversation: Conversation | None
    samples: list[Rendered] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """What was found in this row."""
        return self.row.findings

    def to_json(self) -> dict[str, Any]:
        """`{"conversation", "samples": [{"text", "spans", "input_ids", "labels"}], "findings"}`."""
        samples = [
            {
                "text": sample.text,
                "spans": [{"start": s.start, "end": s.end, "kind": s.kind, "message": s.message} for s in sample.spans],
                "input_ids": example.input_ids,
                "labels": example.labels,
            }
            for sample, example in zip(self.samples, self.examples, strict=True)
        ]
        conversation = self.conversation.to_openai() if self.conversation else None
        findings = [asdict(finding) for finding in self.findings]
        return {"row": self.row.data, "conversation": conversation, "samples": samples, "findings": findings}


def preview(name: str, number: int, config: TrainConfig) -> Preview:
    """Row `number` (from 1) of a dataset. Raises `UserError` when there is no such row."""
    source = with_options(find_source(name, config.dataset_dir), config)
    count = 0
    for row, layout in iterate_rows(source, lenient=config.profile == "lenient"):
        count += 1
        if count == number:
            return _walk(Preview(source, row, convert_row(row, layout, config.profile)[1]), config)
    raise UserError(f"there is no row {number}: it has {count} rows", file=source.file)


def _walk(shown: Preview, config: TrainConfig) -> Preview:
    if shown.conversation is None:
        return shown
    tokenizer = load_tokenizer(config.model_name_or_path)
    try:
        shown.samples = render(
            shown.conversation, load_template(config, tokenizer), config.train_on, config.unstable_history
        )
    except RowRefusedError as refused:
        shown.row.findings.append(refused.finding)
    shown.examples = [encode(sample, tokenizer) for sample in shown.samples]
    return shown
