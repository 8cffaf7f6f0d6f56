"""How good a model is on held-out conversations, turn by turn.

Every assistant turn is written anew behind the reference history, and compared with the reference: did it call when it
should and not when it should not, which tool, which arguments. The loss of the reference text is measured too, for
words and for calls apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from core.config import EvalConfig, GenerationOptions
from core.conversation import Conversation, JsonObject, Message, ToolCall
from core.encode import prepare
from core.errors import UserError
from core.generate import prompt_ids, write_texts
from core.label import IGNORED, Example
from core.model import LoadedModel
from core.template.reader import call_syntax, describe, read
from core.template.spans import KINDS, trained_turns

# Calls as the reference has them; the right tools with other arguments; other tools, or another number of calls; none
# where there should be; some where there should be none; and rightly none.
Outcome = Literal["exact", "arguments", "tools", "missed", "needless", "silent"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A turn that the model is to write: the tokens before it, the tools that it may call, and the reference."""

    conversation: int
    message: int
    prompt: list[int]
    tools: tuple[JsonObject, ...]
    reference: Message


@dataclass(frozen=True, slots=True)
class Turn:
    """One judged turn: what stood before it, the reference, and what the model wrote."""

    conversation: int
    message: int
    reference: Message
    written: Message
    raw: str

    @property
    def exact_calls(self) -> bool:
        """Whether the calls are the reference's, in any order."""
        return len(self.reference.tool_calls) == len(self.written.tool_calls) == len(_matched(self)["exact"])

    @property
    def outcome(self) -> Outcome:
        """What became of the turn's calls."""
        if not self.reference.tool_calls:
            return "needless" if self.written.tool_calls else "silent"
        if not self.written.tool_calls:
            return "missed"
        named = len(_matched(self)["named"])
        right_tools = len(self.reference.tool_calls) == len(self.written.tool_calls) == named
        return "exact" if self.exact_calls else "arguments" if right_tools else "tools"


@dataclass(slots=True)
class Evaluation:
    """The figures (shares from 0 to 1, losses in nats per token), and the turns that they were taken from."""

    metrics: dict[str, float]
    turns: list[Turn] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        turns = [
            {
                "conversation": turn.conversation,
                "message": turn.message,
                "reference": describe(turn.reference),
                "written": describe(turn.written),
                "raw": turn.raw,
                "exact_calls": turn.exact_calls,
                "outcome": turn.outcome,
                "pairs": pairs(turn),
            }
            for turn in self.turns
        ]
        return {"metrics": self.metrics, "turns": turns}


def evaluate(
    loaded: LoadedModel,
    conversations: Sequence[Conversation],
    config: EvalConfig,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Evaluation:
    """Judge a model on conversations. `progress(done, of)` is told of every turn."""
    asked = ask_turns(loaded, conversations, config)
    turns = []
    for turn in write_turns(loaded, asked, config, config.batch_size):
        turns.append(turn)
        progress(len(turns), len(asked))
    metrics = call_metrics(turns) | token_losses(loaded, conversations, config)
    return Evaluation({key: round(value, 6) for key, value in metrics.items()}, turns)


def ask_turns(loaded: LoadedModel, conversations: Sequence[Conversation], config: EvalConfig) -> list[Asked]:
    """Every assistant turn, behind the reference history. Raises `UserError` when there is none."""
    asked = [
        Asked(
            number,
            turn,
            prompt_ids(loaded, replace(conversation, messages=conversation.messages[:turn]), config),
            conversation.tools,
            conversation.messages[turn],
        )
        for number, conversation in enumerate(conversations)
        for turn in trained_turns(conversation)
    ]
    if not asked:
        raise UserError("the evaluation data holds no assistant turn")
    return asked


def write_turns(
    loaded: LoadedModel,
    asked: Sequence[Asked],
    options: GenerationOptions,
    batch_size: int,
    *,
    in_step: int | None = None,
) -> Iterator[Turn]:
    """Let the model write, the shortest prompts first; `in_step` as for `write_texts`."""
    syntax = call_syntax(loaded.template)
    for index, raw in write_texts(loaded, [turn.prompt for turn in asked], options, batch_size, in_step=in_step):
        turn = asked[index]
        yield Turn(turn.conversation, turn.message, turn.reference, read(raw, syntax, turn.tools), raw)


def call_metrics(turns: Sequence[Turn]) -> dict[str, float]:
    """The shares: `tool_call_*` are per reference call, `argument_exact` per reference argument, others per turn."""
    matches = [_matched(turn) for turn in turns]
    reference = sum(len(turn.reference.tool_calls) for turn in turns)
    arguments = sum(len(call.arguments) for turn in turns for call in turn.reference.tool_calls)
    calling = [turn for turn in turns if turn.reference.tool_calls]
    silent = [turn for turn in turns if not turn.reference.tool_calls]
    decided = sum(bool(turn.reference.tool_calls) == bool(turn.written.tool_calls) for turn in turns)
    shares = {
        "call_decision": _share(decided, len(turns)),
        "called_when_needed": _share(sum(bool(turn.written.tool_calls) for turn in calling), len(calling)),
        "silent_when_not_needed": _share(sum(not turn.written.tool_calls for turn in silent), len(silent)),
        "tool_call_name": _share(sum(len(match["named"]) for match in matches), reference),
        "tool_call_exact": _share(sum(len(match["exact"]) for match in matches), reference),
        "argument_exact": _share(sum(match["arguments"] for match in matches), arguments),
        "turn_exact": _share(sum(turn.exact_calls for turn in calling), len(calling)),
    }
    counts = {"turns": float(len(turns)), "reference_calls": float(reference)}
    return counts | {key: share for key, share in shares.items() if share is not None}


def token_losses(loaded: LoadedModel, conversations: Sequence[Conversation], config: EvalConfig) -> dict[str, float]:
    """`loss` and `loss_<kind>`: the reference's negative log-likelihood, in nats per token, weighted by tokens."""
    import torch

    sums, counts = dict.fromkeys(KINDS, 0.0), dict.fromkeys(KINDS, 0)
    # What the template swallows cannot be measured; whether it may be trained without is training's question.
    config = config.model_copy(update={"swallowed": "ignore"})
    for example in prepare(conversations, loaded.template, loaded.tokenizer, config).examples:
        losses = _losses(loaded, example)
        kinds = torch.tensor(
            [k for k, label in zip(example.kinds[1:], example.labels[1:], strict=True) if label != IGNORED]
        )
        for number, kind in enumerate(KINDS, start=1):
            here = kinds == number
            sums[kind] += float(losses[here].sum())
            counts[kind] += int(here.sum())
    total = sum(counts.values())
    per_kind = {f"loss_{kind}": sums[kind] / counts[kind] for kind in KINDS if counts[kind]}
    return {"loss": sum(sums.values()) / total, **per_kind} if total else {}


def _losses(loaded: LoadedModel, example: Example) -> Any:
    """The loss of every trained token of an example, in order, shape (trained,)."""
    import torch

    ids = torch.tensor([example.input_ids], device=loaded.model.device)
    labels = torch.tensor(example.labels[1:])
    with torch.no_grad():
        logits = loaded.model(input_ids=ids, use_cache=False).logits[0, :-1].float().cpu()
    chosen = labels != IGNORED
    return torch.nn.functional.cross_entropy(logits[chosen], labels[chosen], reduction="none")


def same_value(a: Any, b: Any) -> bool:
    """JSON equality: 1 equals 1.0, but true is not 1; the order of keys does not matter."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_value(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same_value(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def _matched(turn: Turn) -> dict[str, Any]:
    """Each reference call with the written call that fits it best; every written call is used once."""
    left = list(turn.written.tool_calls)
    pairs: list[tuple[ToolCall, ToolCall]] = []
    open_calls = []
    for call in turn.reference.tool_calls:
        twin = next((other for other in left if _same_call(call, other)), None)
        if twin is None:
            open_calls.append(call)
        else:
            left.remove(twin)
            pairs.append((call, twin))
    exact = list(pairs)
    for call in open_calls:
        named = next((other for other in left if other.name == call.name), None)
        if named is not None:
            left.remove(named)
            pairs.append((call, named))
    right = sum(
        key in b.arguments and same_value(a.arguments[key], b.arguments[key]) for a, b in pairs for key in a.arguments
    )
    return {"exact": exact, "named": pairs, "arguments": right}


def pairs(turn: Turn) -> list[list[int]]:
    """`[reference call, written call]` by their places, for those that belong together."""
    places = [{id(call): place for place, call in enumerate(m.tool_calls)} for m in (turn.reference, turn.written)]
    return sorted([places[0][id(a)], places[1][id(b)]] for a, b in _matched(turn)["named"])


def _same_call(a: ToolCall, b: ToolCall) -> bool:
    return a.name == b.name and same_value(a.arguments, b.arguments)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
