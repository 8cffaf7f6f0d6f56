"""May training begin? What stops is said before anything is started, and the loss of many rows needs somebody's word.

Whoever starts a run looks here first, so that a wrong model, template or dataset is known before there is a run; the
worker looks again, for the data may be large, or may have changed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.config import TrainConfig
from core.conversation import Finding
from core.datasets import find_source
from core.datasets.folders import files_to_read
from core.datasets.mix import held_lines, require_weights
from core.errors import UserError, counted
from core.report import Report, by_code
from core.run import runs_folder
from core.sources import is_small, require_datasets
from core.template.sandbox import Template


class ConsentNeededError(UserError):
    """Nothing is wrong with the data that remains, but much would be dropped, `share` of the rows, as `report` says.

    A share of 1: rows are also asked in a set that is kept for measuring, and whoever agrees to that is asked no more.
    """

    def __init__(
        self, message: str, share: float, report: Report, remedy: str = "mend the data, or train on the rest of it"
    ) -> None:
        super().__init__(message, remedy=f"{remedy} with --yes (max_dropped: 1)")
        self.share, self.report = share, report


def look_first(config: TrainConfig) -> list[Report]:
    """The reports of the config's datasets, as far as they are small. Raises `UserError`, or `ConsentNeededError`."""
    from core.checked import checked, held_out_sets, job_of

    tokenizer, template = require_possible(config)
    if not is_small(config):
        return []
    held_out = held_out_sets(config, template, tokenizer)
    job = job_of(config, template, held_out)
    reports = [checked(name, config, job, tokenizer).report for name in config.dataset]
    require_consent(reports, config)
    require_no_stop(entry.report for entry in held_out.values())
    return reports


def require_mixture(config: TrainConfig) -> None:
    """The datasets can be mixed and split as the config says. Raises `UserError`."""
    if config.mix_strategy != "concat" and len(config.dataset) > 1:
        require_weights(config.interleave_probs, len(config.dataset))
    if not config.split_file:
        return
    if len(config.dataset) > 1:
        raise UserError("split_file: its lines are those of one dataset, and there are several", remedy="use val_size")
    if config.eval_dataset:
        raise UserError("split_file and eval_dataset both say what is held out", remedy="give one of them")
    held_lines(Path(config.split_file))
    source = find_source(config.dataset[0], config.dataset_dir) if config.dataset else None
    if source is not None and not source.hub and not source.refused and len(files_to_read(source, [])) > 1:
        raise UserError(
            "split_file: its lines are those of one file, and the dataset has several", remedy="use val_size"
        )


def require_possible(config: TrainConfig, refused: UserError | None = None) -> tuple[Any, Template]:
    """Data, template, model, options, this machine and several processes fit together. Raises one `UserError` for all.

    Returns the training's tokenizer and template. `refused` is what is known to be wrong with these.
    """
    from core.checks import check_training
    from core.model import load_vocabulary
    from core.plan import plan

    found: dict[Any, Any] = {}
    faults = []
    for look in (require_datasets, require_mixture, require_writable, load_vocabulary, check_training, plan):
        if refused is not None and look is load_vocabulary:
            faults.append(str(refused))
            continue
        try:
            found[look] = look(config)
        except UserError as error:
            faults.append(str(error))
    if faults:
        raise UserError("; ".join(dict.fromkeys(faults)))
    vocabulary: tuple[Any, Template] = found[load_vocabulary]
    return vocabulary


def require_writable(config: TrainConfig) -> None:
    """A run can be made in the folder of the runs. Raises `UserError`; nothing is left behind."""
    folder = runs_folder(config).absolute()
    there = next(place for place in (folder, *folder.parents) if os.path.exists(place))
    try:
        tempfile.TemporaryDirectory(dir=there, prefix=".tuneboard-").cleanup()
    except OSError as error:
        remedy = "choose a folder that can be written"
        raise UserError(f"runs_dir: {folder} cannot be written: {error.strerror}", remedy=remedy) from None


def require_consent(reports: Iterable[Report], config: TrainConfig) -> None:
    """Nothing stops, and no dataset loses more of its rows than was agreed to. Raises `ConsentNeededError`."""
    reports = list(reports)
    require_no_stop(reports)
    for report in reports:
        rows = report.rows
        # Copies are dropped because somebody asked for it.
        lost = rows["dropped"] - report.counts["DS901", "dropped"]
        share = lost / rows["in"] if rows["in"] else 0.0
        if share > config.max_dropped:
            codes = [f"{code} × {count}" for code, action, count, _ in by_code(report) if action == "dropped"]
            said = f"{lost} of {rows['in']} rows ({100 * share:.0f} %) would be dropped: {', '.join(codes)}"
            raise ConsentNeededError(f"{report.name}: {said}", share, report)
        known = report.counts["DS904", "kept"]
        if known and config.max_dropped < 1:
            said = f"{report.name}: {counted(known, 'row asks', 'rows ask')} what a set asks that is kept for measuring"
            raise ConsentNeededError(said, 1.0, report, "drop them with --profile strict, or train on them")


def require_no_stop(reports: Iterable[Report]) -> None:
    """No finding says that the dataset must not be used as it is. Raises `UserError`."""
    for report in reports:
        stops = [finding for finding in report.findings if finding.action == "stopped"]
        if stops:
            raise UserError(_why(report, stops), remedy="core-cli data check shows all findings")


def _why(report: Report, stops: list[Finding]) -> str:
    """The finding that says most: that no row is left is the consequence of others."""
    others = [finding for finding in stops if finding.code != "DS905"]
    if not others:
        lost = next((finding for finding in report.findings if finding.action == "dropped"), stops[0])
        return f"no row can be trained on; the first finding: {lost}"
    count = sum(number for (code, action), number in report.counts.items() if action == "stopped" and code != "DS905")
    return f"{others[0]} (and {count - 1} more that stop)" if count > 1 else str(others[0])
