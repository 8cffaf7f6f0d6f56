"""Evaluations on the page: the figures before and after, and the turns with what was expected and what was written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.evaluate import Outcome, same_value
from core.evaluations import Kept, figure_text, kept
from core.run import Run
from webui.markup import empty, escape, note, pager, table
from webui.texts import Texts

PAGE = 20
ALL, WRONG = "all", "wrong"
RIGHT: tuple[Outcome, ...] = ("exact", "silent")
# Less is better for these.
LOSSES = ("loss_tool_call", "loss_text", "loss")
Turn = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of the turns: those of one outcome (or all, or all wrong ones), and which page of them."""

    only: str = WRONG
    page: int = 0


def outcome_words(t: Texts) -> dict[Outcome, str]:
    """What became of a turn's calls, in words."""
    return {
        "exact": t("calls right"),
        "arguments": t("wrong arguments"),
        "tools": t("wrong tool or number of calls"),
        "missed": t("did not call"),
        "needless": t("called needlessly"),
        "silent": t("rightly no call"),
    }


def label_words(t: Texts) -> dict[str, str]:
    """The models of an evaluation, in words."""
    return {"base": t("before"), "tuned": t("after")}


def results_of(run: Run, data: str = "") -> dict[str, list[Kept]]:
    """The evaluations of a run by data sets, `base` first; of one, when `data` is given."""
    found: dict[str, list[Kept]] = {}
    for one in kept(run):
        if not data or one.data == data:
            found.setdefault(one.data, []).append(one)
    return found


def evals_html(run: Run, t: Texts) -> str:
    """The figures of all of the run's evaluations, a table for each data set."""
    tables = [figures_html(run, data, results, t) for data, results in results_of(run).items()]
    return "".join(tables) or empty(
        t("No evaluation yet: the Evaluate tab measures the run on held-out conversations.")
    )


def figures_html(run: Run, data: str, results: Sequence[Kept], t: Texts) -> str:
    """The figures on one data set, before and after side by side."""
    read = [(one, one.read().get("metrics")) for one in results]
    measured = [(one, metrics) for one, metrics in read if metrics]
    if not measured:
        return note(t("The files of this evaluation cannot be read: evaluate again."), "bad")
    names = {
        "tool_call_exact": t("calls exactly right"),
        "argument_exact": t("arguments exactly right"),
        "tool_call_name": t("calls of the right tool"),
        "called_when_needed": t("called when it should"),
        "silent_when_not_needed": t("silent when it should be"),
        "loss_tool_call": t("loss on calls"),
        "loss_text": t("loss on text"),
        "loss": t("Loss"),
        "reference_calls": t("calls in the data"),
        "turns": t("assistant turns"),
    }
    rows = [
        [escape(name), *_cells(key, [metrics.get(key) for _, metrics in measured])]
        for key, name in names.items()
        if any(key in metrics for _, metrics in measured)
    ]
    old = any(one.is_older_than(run) for one, _ in measured)
    words = label_words(t)
    heads = [data, *(words.get(one.label, one.label) for one, _ in measured)]
    warning = t("The model has been written anew since these figures were taken.") if old else ""
    return f'{note(warning, "warn")}<div class="tb-scroll">{table(heads, rows, "tb-numbers")}</div>'


def _cells(key: str, values: Sequence[Any]) -> list[str]:
    """The figures of a row; the best of several stands out."""
    shown = [escape(figure_text(key, value)) for value in values]
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) < 2 or len(set(numbers)) < 2 or key in ("turns", "reference_calls"):
        return shown
    best = (min if key in LOSSES else max)(numbers)
    return [f"<b>{cell}</b>" if value == best else cell for cell, value in zip(shown, values, strict=True)]


def turns_html(contents: Mapping[str, Mapping[str, Any]], view: View, t: Texts) -> str:
    """The turns of an evaluation, those of the view. `contents`: by label, what its file holds; the last one judges."""
    judged = list(contents.values())[-1] if contents else {}
    turns: list[Turn] = sorted(judged.get("turns", []), key=lambda turn: (turn["conversation"], turn["message"]))
    if not turns or "outcome" not in turns[0]:
        return empty(t("This evaluation kept no outcomes: evaluate again to see turn by turn what was written."))
    chosen = [turn for turn in turns if _is_in(turn, view.only)]
    pages = max(1, -(-len(chosen) // PAGE))
    page = min(max(view.page, 0), pages - 1)
    written = {
        label: {(u["conversation"], u["message"]): u for u in c.get("turns", [])} for label, c in contents.items()
    }
    shown = "".join(
        _turn(turn, written, judged.get("conversations", []), t) for turn in chosen[page * PAGE : (page + 1) * PAGE]
    )
    body = shown or empty(t("No turn of this kind."))
    return f"{_filters(turns, view.only, t)}{body}{pager('only', view.only, page, pages, t)}"


def _is_in(turn: Turn, only: str) -> bool:
    return only == ALL or (turn["outcome"] not in RIGHT if only == WRONG else turn["outcome"] == only)


def _filters(turns: Sequence[Turn], only: str, t: Texts) -> str:
    counts = Counter(turn["outcome"] for turn in turns)
    wrong = sum(count for outcome, count in counts.items() if outcome not in RIGHT)
    choices: list[tuple[str, str, int]] = [(WRONG, t("all wrong ones"), wrong), (ALL, t("all"), len(turns))]
    choices += [(outcome, word, counts[outcome]) for outcome, word in outcome_words(t).items() if counts[outcome]]
    buttons = "".join(
        f'<button type="button" class="tb-button" data-only="{key}" aria-pressed="{str(key == only).lower()}">'
        f'{escape(word)} <span class="tb-dim">{count}</span></button>'
        for key, word, count in choices
    )
    return f'<div class="tb-filters" role="group" aria-label="{escape(t("Which turns"))}">{buttons}</div>'


def _turn(turn: Turn, written: Mapping[str, Mapping[Any, Turn]], conversations: Sequence[Any], t: Texts) -> str:
    place = (turn["conversation"], turn["message"])
    row = conversations[place[0]] if place[0] < len(conversations) else {}
    before = row.get("messages", [])[: place[1]]
    where = f"{Path(str(row.get('file', ''))).name}:{row.get('line', 0)}" if row else str(place[0] + 1)
    labels = label_words(t)
    sides = [_side(t("Expected"), turn["reference"], [], "tb-expected")]
    for label, turns in reversed(list(written.items())):
        other = turns.get(place)
        if other is not None:
            title = labels.get(label, label) if len(written) > 1 else t("Written")
            sides.append(_side(title, other["written"], _wrongs(other), _tone(other), _badge(other, t)))
    asked = "".join(_line(message, t) for message in _last(before))
    earlier = "".join(_line(message, t) for message in before[: len(before) - len(_last(before))])
    if earlier:
        asked = (
            f'<details class="tb-tools"><summary>{escape(t("What came before"))}</summary>{earlier}</details>{asked}'
        )
    return (
        f'<article class="tb-turn"><header><code title="{escape(row.get("file", ""))}">{escape(where)}</code>'
        f"{_badge(turn, t)}</header>"
        f'<div class="tb-asked">{asked}</div><div class="tb-sides">{"".join(sides)}</div></article>'
    )


def _last(messages: Sequence[Any]) -> Sequence[Any]:
    """What the model answers: the messages after its last turn."""
    own = [place for place, message in enumerate(messages) if message.get("role") == "assistant"]
    return messages[own[-1] + 1 if own else max(0, len(messages) - 1) :]


def _line(message: Mapping[str, Any], t: Texts) -> str:
    names = {"system": t("System"), "user": t("User"), "assistant": t("Assistant"), "tool": t("Result")}
    role = str(message.get("role", ""))
    return (
        f'<div class="tb-line"><span class="tb-who">{escape(names.get(role, role))}</span> {_said(message, [])}</div>'
    )


def _tone(turn: Turn) -> str:
    return "tb-right" if turn["outcome"] in RIGHT else "tb-wrong"


def _badge(turn: Turn, t: Texts) -> str:
    word = outcome_words(t).get(turn["outcome"], turn["outcome"])
    sign = "✓" if turn["outcome"] in RIGHT else "✗"
    return f'<span class="tb-verdict {_tone(turn)}">{sign} {escape(word)}</span>'


def _side(title: str, message: Mapping[str, Any], wrongs: Sequence[set[str] | None], tone: str, badge: str = "") -> str:
    head = f'<div class="tb-side-head"><span class="tb-who">{escape(title)}</span>{badge}</div>'
    return f'<div class="tb-side {tone}">{head}{_said(message, wrongs)}</div>'


def _wrongs(turn: Turn) -> list[set[str] | None]:
    """For each written call the names of the arguments that are not the reference's; None: no call of the reference."""
    expected = turn["reference"].get("tool_calls", [])
    twins = {written: reference for reference, written in turn.get("pairs", [])}
    found: list[set[str] | None] = []
    for place, call in enumerate(turn["written"].get("tool_calls", [])):
        if place not in twins:
            found.append(None)
            continue
        wanted, given = _arguments(expected[twins[place]]), _arguments(call)
        found.append({key for key in {*wanted, *given} if not same_value(wanted.get(key), given.get(key))})
    return found


def _said(message: Mapping[str, Any], wrongs: Sequence[set[str] | None]) -> str:
    """The words and calls of a message; `wrongs` as `_wrongs` gives them, none: nothing is marked."""
    content = message.get("content")
    words = f'<div class="tb-text">{escape(content)}</div>' if content else ""
    calls = [
        _call(call, wrongs[place] if place < len(wrongs) else set())
        for place, call in enumerate(message.get("tool_calls") or [])
    ]
    return words + "".join(calls) or '<span class="tb-dim">∅</span>'


def _call(call: Mapping[str, Any], wrong: set[str] | None) -> str:
    """`name(key=value, …)`; what is wrong is marked, by colour and by a wavy line."""
    given = _arguments(call)
    missing = sorted((wrong or set()) - given.keys())
    shown = [
        f'<span class="{"tb-off" if key in (wrong or ()) else ""}">{escape(key)}=<b>{escape(_value(value))}</b></span>'
        for key, value in given.items()
    ]
    shown += [f'<del class="tb-off">{escape(key)}</del>' for key in missing]
    name = f'<b class="{"tb-off" if wrong is None else ""}">{escape(call["function"]["name"])}</b>'
    return f'<code class="tb-said-call">{name}({", ".join(shown)})</code>'


def _arguments(call: Mapping[str, Any]) -> dict[str, Any]:
    try:
        found = json.loads(call["function"]["arguments"])
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
