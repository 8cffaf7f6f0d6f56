"""What the board says, in the language of the page.

English is what stands in the code and in the config's help; `locales/<language>.yaml` overrides it: `ui` by the English
text, `groups`, `presets` and `fields` by their names; what is wrong stands in `locales/told/<language>.yaml`. What the
rules mean stands beside their table, in `core/rules/<language>.yaml`. A page is built once per language, so every text
is made in Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from core import rules
from core.config import Config, bounds_of, extra
from core.presets import PRESETS

LOCALES = Path(__file__).parent / "locales"
RULE_BOOKS = Path(rules.__file__).parent
# Between thousands.
NARROW_SPACE = "\u202f"
# Where a line must not end: a space, and the sides of a dash.
FIXED_SPACE, JOINED = "\u00a0", "\u2060"


@dataclass(frozen=True)
class Texts:
    """The texts of one language; an empty catalogue is English."""

    language: str = "en"
    catalogue: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __call__(self, english: str, **values: Any) -> str:
        """The text in this language, with `{name}` filled in from `values`."""
        text = str(self.catalogue.get("ui", {}).get(english, english))
        return text.format(**values) if values else text

    def group(self, name: str) -> str:
        """The title of a group of options."""
        return str(self.catalogue.get("groups", {}).get(name, name.capitalize()))

    def label(self, cls: type[Config], name: str) -> str:
        """The label of an option."""
        own = self._field(cls, name).get("label") or extra(cls.model_fields[name]).get("label")
        return str(own or plain_label(name))

    def help(self, cls: type[Config], name: str) -> str:
        """The help of an option, with its bounds."""
        of = cls.model_fields[name]
        text = str(self._field(cls, name).get("help") or of.description or "")
        return f"{text} {limits(of)}".strip()

    def preset(self, name: str) -> str:
        """What a preset is for, and what it changes."""
        changes = yaml.safe_dump(dict(PRESETS[name].changes), default_flow_style=True, sort_keys=False, width=10**6)
        about = str(self.catalogue.get("presets", {}).get(name) or PRESETS[name].help)
        return f"{about} {changes.strip()}" if PRESETS[name].changes else about

    def rule(self, code: str, part: str, english: str) -> str:
        """A part of a rule: `what` it means or its `remedy`."""
        return str(self.catalogue.get("rules", {}).get(code, {}).get(part) or english)

    def _field(self, cls: type[Config], name: str) -> Mapping[str, str]:
        """What is said of an option: of this config's own, where its name means something else elsewhere."""
        fields = self.catalogue.get("fields", {})
        found: Mapping[str, str] = fields.get(f"{cls.__name__}.{name}") or fields.get(name, {})
        return found


SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def limits(of: FieldInfo) -> str:
    """`(1–1024)`, `(≥ 1)`, or nothing; it is not broken into lines."""
    bounds = {key: f"{value:,}".replace(",", NARROW_SPACE) for key, value in bounds_of(of).items()}
    if bounds.keys() == {"ge", "le"}:
        return f"({bounds['ge']}{JOINED}–{JOINED}{bounds['le']})"
    shown = f",{FIXED_SPACE}".join(f"{SIGNS[key]}{FIXED_SPACE}{value}" for key, value in bounds.items())
    return f"({shown})" if bounds else ""


WORDS = {"lora": "LoRA", "lr": "LR", "num": "number of", "eval": "evaluation", "dir": "folder", "optim": "optimiser"}


def plain_label(name: str) -> str:
    """`lora_alpha` as `LoRA alpha`: an option's own name, so that it is found again in flags and YAML."""
    words = " ".join(WORDS.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def languages() -> list[str]:
    """English, and every language that has a file."""
    return ["en", *sorted(path.stem for path in LOCALES.glob("*.yaml"))]


def load_texts(language: str) -> Texts:
    """The texts of a language that `languages()` names."""
    if language == "en":
        return Texts()
    book = RULE_BOOKS / f"{language}.yaml"
    meanings = yaml.safe_load(book.read_text(encoding="utf-8")) if book.is_file() else {}
    catalogue = yaml.safe_load((LOCALES / f"{language}.yaml").read_text(encoding="utf-8"))
    wrong = yaml.safe_load((LOCALES / "told" / f"{language}.yaml").read_text(encoding="utf-8"))
    found = wrong["findings"] | wrong["parts"]
    # Values of errors may all be messages; those of findings are data, but for some.
    errors = {
        english: re.sub(r"\{(\d?)\}", r"{\1:s}", said) for english, said in (wrong["code"] | wrong["others"]).items()
    }
    return Texts(language, catalogue | {"rules": meanings, "told": found | errors, "found": found})


def preferred(accept_language: str) -> str:
    """The language of ours that a browser's `Accept-Language` header asks for first, else English."""
    known = languages()
    for part in accept_language.split(","):
        code = part.split(";")[0].strip().lower().split("-")[0]
        if code in known:
            return code
    return "en"
