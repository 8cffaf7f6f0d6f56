"""The models that the Chat tab has loaded: at most two, shared by everybody who looks at the board."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from core.config import ChatConfig
from core.model import LoadedModel, load_for_chat
from core.run import Run

MOST = 2
Key = tuple[str, float, str, str, str]


@dataclass
class Models:
    """Loaded models, the least recently used one goes first. Generating needs no lock: it only reads the weights."""

    _loaded: OrderedDict[Key, LoadedModel] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, target: Run | str, config: ChatConfig) -> LoadedModel:
        """The model behind a run or a name, loaded when it is not yet there. Raises `UserError`."""
        key = _key(target, config)
        with self._lock:
            if key not in self._loaded:
                while len(self._loaded) >= MOST:
                    self._loaded.popitem(last=False)
                self._loaded[key] = load_for_chat(target, config)
            self._loaded.move_to_end(key)
            return self._loaded[key]

    def has(self, target: Run | str, config: ChatConfig) -> bool:
        """Whether the model is loaded already."""
        return _key(target, config) in self._loaded


def _key(target: Run | str, config: ChatConfig) -> Key:
    """A run that was trained further is another model: its folder has another time."""
    written = target.model_dir.stat().st_mtime if isinstance(target, Run) and target.has_model else 0.0
    name = str(target.path) if isinstance(target, Run) else target
    return name, written, config.template, config.device, config.dtype
