"""The model writes: one answer as a stream of text, or many answers at once. Both return what was written, raw."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from core.config import GenerationOptions
from core.conversation import Conversation, Message, RowRefusedError
from core.errors import UserError
from core.model import LoadedModel
from core.template.ends import asked
from core.tokens import tokenise
from core.window import exchanges, system_messages, without_oldest


def stream_text(loaded: LoadedModel, conversation: Conversation, options: GenerationOptions) -> Iterator[str]:
    """Pieces of the answer as they are written, without the stop token. Closing the iterator ends the writing."""
    import torch
    from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

    ids = prompt_ids(loaded, conversation, options)
    closed = threading.Event()

    class Closed(StoppingCriteria):
        def __call__(self, input_ids: Any, scores: Any, **others: Any) -> Any:
            return torch.full((input_ids.shape[0],), closed.is_set(), device=input_ids.device, dtype=torch.bool)

    streamer = TextIteratorStreamer(loaded.tokenizer, skip_prompt=True, timeout=600)
    failure: list[BaseException] = []

    def write() -> None:
        try:
            loaded.model.generate(
                torch.tensor([ids], device=loaded.model.device),
                attention_mask=torch.ones((1, len(ids)), dtype=torch.long, device=loaded.model.device),
                streamer=streamer,
                stopping_criteria=StoppingCriteriaList([Closed()]),
                **_settings(loaded, options),
            )
        except BaseException as error:  # noqa: BLE001  raised again below, in the reading thread
            failure.append(error)
            streamer.end()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield from _without_stop(streamer, loaded.template.stop)
    finally:
        closed.set()
        writer.join(timeout=60)
    if failure:
        raise failure[0]


def write_texts(
    loaded: LoadedModel,
    prompts: Sequence[list[int]],
    options: GenerationOptions,
    batch_size: int,
    *,
    in_step: int | None = None,
) -> Iterator[tuple[int, str]]:
    """`(index, text)` for every prompt, batched by length; the text has no stop token.

    Processes that hold one model in parts must call it equally often, or they wait for each other without end:
    `in_step` is how many batches the one with the most has, and all go on writing until the last is done.
    """
    import torch

    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    pad = loaded.tokenizer.pad_token_id
    pad = next(iter(loaded.stop_ids), 0) if pad is None else pad
    settings = _settings(loaded, options) | ({"synced_gpus": True} if in_step is not None else {})
    for first in range(0, len(order), batch_size):
        batch = order[first : first + batch_size]
        width = max(len(prompts[index]) for index in batch)
        ids = torch.tensor([[pad] * (width - len(prompts[i])) + prompts[i] for i in batch])
        mask = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in batch])
        device = loaded.model.device
        out = loaded.model.generate(ids.to(device), attention_mask=mask.to(device), **settings)
        for index, row in zip(batch, out[:, width:].tolist(), strict=True):
            text = loaded.tokenizer.decode(_until_stop(row, {*loaded.stop_ids, pad}))
            yield index, "".join(_without_stop([text], loaded.stop_texts))
    for _ in range(-(-len(order) // batch_size), in_step or 0):
        nothing = torch.tensor([[pad]], device=loaded.model.device)
        loaded.model.generate(nothing, attention_mask=torch.ones_like(nothing), **settings | {"max_new_tokens": 1})


def prompt_ids(loaded: LoadedModel, conversation: Conversation, options: GenerationOptions) -> list[int]:
    """The tokens that the model is given. Raises `UserError` when they and the answer do not fit its context."""
    ids, _ = tokenise(asked(conversation, loaded.template), loaded.tokenizer)
    context = context_tokens(loaded)
    if len(ids) + options.max_new_tokens > context:
        what, remedy = _too_long(loaded, conversation, context - options.max_new_tokens)
        raise UserError(
            f"{what} {len(ids)} tokens; with {options.max_new_tokens} new ones it exceeds the model's "
            f"context of {context}",
            remedy=remedy,
        )
    return ids


def _too_long(loaded: LoadedModel, conversation: Conversation, room: int) -> tuple[str, str]:
    """What of a conversation is too long, and what can be done about it."""
    head = conversation.messages[: system_messages(conversation)]
    bare = replace(conversation, messages=(*head, Message("user", "?")))
    try:
        ids, _ = tokenise(asked(bare, loaded.template), loaded.tokenizer)
    except RowRefusedError:
        ids = []
    if len(ids) > room:
        return "the system prompt and the tools alone are too long: the conversation has", (
            "shorten the system prompt, offer fewer tools or lower max_new_tokens"
        )
    if len(exchanges(conversation)) == 1:
        return "what was said since the last question is too long by itself: it has", (
            "ask again with less text or shorter results, or lower max_new_tokens"
        )
    return "the conversation has", "start a new chat or lower max_new_tokens"


def exchanges_to_drop(loaded: LoadedModel, conversation: Conversation, options: GenerationOptions) -> int:
    """How many of the oldest exchanges must go, as in training, for the prompt and an answer to fit the context.

    As many as there are but one when even that one is too long; then `prompt_ids` says so.
    """
    most = len(exchanges(conversation)) - 1
    for dropped in range(max(most, 0)):
        ids, _ = tokenise(asked(without_oldest(conversation, dropped), loaded.template), loaded.tokenizer)
        if len(ids) + options.max_new_tokens <= context_tokens(loaded):
            return dropped
    return max(most, 0)


def context_tokens(loaded: LoadedModel) -> int:
    """The length of the model's context."""
    return int(loaded.model.config.get_text_config().max_position_embeddings)


def _settings(loaded: LoadedModel, options: GenerationOptions) -> dict[str, Any]:
    pad = loaded.tokenizer.pad_token_id
    settings: dict[str, Any] = {
        "max_new_tokens": options.max_new_tokens,
        "eos_token_id": list(loaded.stop_ids) or None,
        "pad_token_id": loaded.stop_ids[0] if pad is None and loaded.stop_ids else pad,
        "do_sample": options.temperature > 0,
    }
    if loaded.stop_texts:
        settings |= {"stop_strings": list(loaded.stop_texts), "tokenizer": loaded.tokenizer}
    if options.temperature > 0:
        settings |= {"temperature": options.temperature, "top_p": options.top_p}
    return settings


def _without_stop(pieces: Iterable[str], stops: Sequence[str]) -> Iterator[str]:
    """The pieces up to the first stop text; what may be the beginning of one is held back until that is known."""
    text = ""
    shown = 0
    for piece in pieces:
        text += piece
        cut = min((at for stop in stops if (at := text.find(stop)) >= 0), default=-1)
        end = cut if cut >= 0 else len(text) - _begun(text, stops)
        if end > shown:
            yield text[shown:end]
            shown = end
        if cut >= 0:
            return
    if text[shown:]:
        yield text[shown:]


def _begun(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end of the text are the beginning of a stop text."""
    most = min(len(text), max(map(len, stops), default=0))
    return next((n for n in range(most, 0, -1) if any(stop.startswith(text[-n:]) for stop in stops)), 0)


def _until_stop(ids: list[int], stops: set[int | None]) -> list[int]:
    return ids[: next((place for place, token in enumerate(ids) if token in stops), len(ids))]
