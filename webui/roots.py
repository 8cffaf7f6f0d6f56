"""The folders in which a browser may name files: a model's, a template's and a dataset's text is shown on the page.

Without them a page could show any file of the machine. Names of the Hub are no files and pass.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.config import DataOptions, ModelOptions, TrainConfig
from core.datasets import Source, find_source
from core.datasets.folders import data_files
from core.datasets.registry import HUB
from core.errors import UserError
from core.paths import data_dir, resolve_file, runs_dir_of, typed
from core.template.choose import library_names

UPLOADS = "uploads"


@dataclass(frozen=True)
class Roots:
    """The folders, resolved; `uploads` is ours, and one of them."""

    folders: tuple[Path, ...]
    uploads: Path

    @classmethod
    def of(cls, runs_dir: str, more: Sequence[str] = ()) -> Roots:
        """The working folder, the shipped data, the runs, the uploads beside them, and those that a person names."""
        runs = runs_dir_of(runs_dir).resolve()
        uploads = runs.parent / UPLOADS
        given = [typed(name).resolve() for name in more]
        missing = next((folder for folder in given if not folder.is_dir()), None)
        if missing is not None:
            raise UserError("no such folder", file=missing, remedy="--root names a folder that there is")
        return cls((Path.cwd(), data_dir().resolve(), runs, uploads, *given), uploads)

    def check(self, option: str, name: str | Path) -> None:
        """Raises `UserError` when a path, with every link on it followed, lies outside."""
        try:
            path = Path(name).expanduser().resolve()
        except (OSError, RuntimeError, ValueError):
            raise UserError(f"{option}: {str(name)[:200]!r} is no path") from None
        if not any(path.is_relative_to(folder) for folder in self.folders):
            raise UserError(
                f"{option}: {name} lies outside of the folders that the board may read",
                remedy="start `webui` in a folder that holds it, name its folder with --root, or use core-cli",
            )

    def check_config(self, config: TrainConfig) -> None:
        """The same for every file that a config names. Raises `UserError`, also for a dataset that there is not."""
        self.check_data(config, (*config.dataset, *config.eval_dataset))
        self.check_template(config)
        self.check_model(config.model_name_or_path)
        for name in config.adapter_name_or_path:
            self.check_model(name, "adapter_name_or_path")

    def check_model(self, name: str, option: str = "model_name_or_path") -> None:
        """The same for a model or an adapter, where its name is a path."""
        if name.startswith(("/", ".", "~")) or os.path.exists(typed(name)):
            self.check(option, name)

    def check_data(self, config: DataOptions, names: Sequence[str]) -> list[Source]:
        """The same for datasets, registered or not, and for the files in their folders; gives the sources."""
        if config.dataset_dir:
            self.check("dataset_dir", config.dataset_dir)
        for name in names:
            if not name.startswith(HUB):
                # Before it is looked for, so that nobody learns which files there are.
                self.check("dataset", resolve_file(name))
        return [self._checked(find_source(name, config.dataset_dir)) for name in names]

    def check_template(self, config: ModelOptions) -> None:
        """The same for a chat template alone."""
        if config.template not in ("auto", *library_names()):
            self.check("template", config.template)

    def _checked(self, source: Source) -> Source:
        if source.hub:
            return source
        self.check("dataset", source.file)
        for file in data_files(source.file) if source.file.is_dir() else ():
            self.check("dataset", file)
        return source
