"""Control tokens in anybody's content are broken, wherever they stand; the rest stays as it is."""

from __future__ import annotations

from typing import Any

import pytest

from core.conversation import Conversation, Message, RowRefusedError, ToolCall
from core.template.protect import protect
from core.template.sandbox import BREAK


@pytest.mark.parametrize("token", ["<|im_end|>", '<|"|>', "<a\\b>", "<\n>", "<é🙂>"])
def test_tokens_are_broken_wherever_they_stand(token: str) -> None:
    text, broken = f'a "{token}" \\ b', f'a "{token[0]}{BREAK}{token[1:]}" \\ b'

    def holding(text: str) -> Conversation:
        tool = {"type": "function", "function": {"name": "f", "parameters": {"enum": ["x", text], text: [{"k": text}]}}}
        call = ToolCall("f", {"k": [1, None, {"deep": text}], text: True})
        return Conversation((Message("user", text), Message("assistant", tool_calls=(call,))), (tool,))

    assert protect(holding(text), {token}) == holding(broken)


@pytest.mark.parametrize("value", [{"a": [{}, "b"]}, {"a": '": "'}, {"x": "\\n"}, {"a": float("nan")}])
def test_what_only_json_makes_look_like_a_token_stays_the_same(value: Any) -> None:
    talk = Conversation((Message("assistant", tool_calls=(ToolCall("f", value),)),), ({"function": value},))
    assert protect(talk, {": [", "{}", "\n", "Na"}) == talk


def test_the_marks_of_rendering_are_refused_in_arguments() -> None:
    call = ToolCall("f", {"a": ["\U000f1000"]})
    with pytest.raises(RowRefusedError):
        protect(Conversation((Message("assistant", tool_calls=(call,)),)), ())
