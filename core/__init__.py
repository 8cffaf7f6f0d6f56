"""Tuneboard's core: conversations in, a tuned model that calls tools out. A library; it knows nothing of the board.

    from core import Chat, TrainConfig, load_conversations, load_tokenizer, render, train

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Chat": "core.chat",
    "ChatConfig": "core.config",
    "Conversation": "core.conversation",
    "EvalConfig": "core.config",
    "ExportConfig": "core.config",
    "Message": "core.conversation",
    "Run": "core.run",
    "ToolCall": "core.conversation",
    "TrainConfig": "core.config",
    "UserError": "core.errors",
    "encode": "core.label",
    "evaluate": "core.evaluate",
    "export": "core.export",
    "load_conversations": "core.datasets",
    "load_for_chat": "core.model",
    "load_template": "core.model",
    "load_tokenizer": "core.model",
    "render": "core.template.spans",
    "train": "core.launch",
}
__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'core' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
