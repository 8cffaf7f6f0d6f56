"""What sets runs apart, as HTML: options against their defaults, two runs side by side, and where a run was made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.compare import LABELS, comparison, from_defaults
from core.config import dump_yaml
from core.disk import read_json
from core.environment import STARTS
from core.errors import UserError
from core.run import Run
from webui.curve import Line, chart, lines_of
from webui.markup import amount, empty, escape, note, table
from webui.texts import Texts
from webui.told import wrong

# Figures are written out between these, shorter or with powers of ten otherwise.
MANY, TOO_MANY = 1e4, 1e9
# Where both runs are long, these say most; the rest is in the table below.
CURVES = ("loss", "eval_loss", "loss_tool_call", "eval_loss_tool_call")


def options_html(run: Run, t: Texts) -> str:
    """The options that are not at their default, and all of them folded."""
    try:
        changed = from_defaults(run.config)
        everything = dump_yaml(run.config)
    except UserError as error:
        return wrong(error, t)
    rows = [
        [escape(name), _cell(pair["value"]), _cell(pair["default"])]
        for name, pair in changed.items()
        if name not in LABELS
    ]
    return (
        f'<div class="tb-scroll">{table([t("Option"), t("Value"), t("Default")], rows)}</div>'
        f'<details class="tb-tools"><summary>{escape(t("All options"))}</summary>'
        f'<pre class="tb-raw">{escape(everything)}</pre></details>'
    )


def origin_html(run: Run, t: Texts) -> str:
    """The command, the commit, and the device and versions of each start."""
    facts = run.facts
    rows = [[escape(t("Command")), f"<code>{escape(facts.get('command', ''))}</code>"]]
    rows.append([escape(t("Commit")), escape(facts.get("commit") or "–")])
    starts = read_json(run.path / STARTS)
    for start in starts if isinstance(starts, list) else []:
        device = ", ".join(start["gpus"]) if "gpus" in start else f"{start['device']}: {start.get('processor')}"
        packages = ", ".join(f"{name} {version}" for name, version in start["packages"].items())
        after = f" ({t('from {name}', name=start['resumed_from'])})" if start["resumed_from"] else ""
        rows.append([escape(start["started"]) + escape(after), f"{escape(device)}<br>{escape(packages)}"])
    rows.append([escape(t("Folder")), f"<code>{escape(run.path)}</code>"])
    return f'<div class="tb-wrap">{table(["", ""], rows)}</div>'


def compared_html(runs: Sequence[Run], t: Texts) -> str:
    """Two runs side by side: curves in one chart, the options that differ, and the figures."""
    try:
        compared = comparison(runs)
    except UserError as error:
        return wrong(error, t)
    names = [run.name if run.name != runs[0].name or run is runs[0] else run.path.name for run in runs]
    parts = [_curves(runs, names)]
    if compared["options"]:
        parts.append(_rows(t("Options that differ"), names, compared["options"]))
    else:
        parts.append(empty(t("All options are the same.")))
    if compared["figures"]:
        parts.append(_rows(t("Figures at the end"), names, compared["figures"]))
        parts.append(note(t("Held-out figures are the last ones, others the mean of the last tenth.")))
    parts += [_rows(data, names, values) for data, values in compared["evaluations"].items()]
    return "".join(parts)


def _curves(runs: Sequence[Run], names: Sequence[str]) -> str:
    """A chart for each loss that all of them have, a line a run."""
    lines = [lines_of(run.metrics()) for run in runs]
    charts = [
        chart([Line(name, found[key].points) for name, found in zip(names, lines, strict=True)], key)
        for key in CURVES
        if all(key in found for found in lines)
    ]
    return f'<div class="tb-charts">{"".join(charts)}</div>' if charts else ""


def _rows(title: str, names: Sequence[str], values: dict[str, list[Any]]) -> str:
    rows = [[escape(name), *(_cell(value) for value in found)] for name, found in values.items()]
    return f'<div class="tb-scroll tb-apart">{table([title, *names], rows, "tb-numbers")}</div>'


def _cell(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, list):
        return escape(", ".join(map(str, value)))
    if isinstance(value, dict):
        return escape(", ".join(f"{key}: {one}" for key, one in value.items()))
    if isinstance(value, float):
        return escape(amount(round(value)) if MANY <= abs(value) < TOO_MANY else f"{value:.5g}")
    return escape(value)
