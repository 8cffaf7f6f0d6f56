"""Where the shipped data lies and where runs are written.

In a checkout the samples, recipes and the starter model are in `data/` beside `core/`; in an installed wheel they are
inside the package. Nothing else in the project knows the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

STARTER = "starter"


def data_dir() -> Path:
    """The folder with `dataset_info.json`, `samples/`, `recipes/` and `starter/`."""
    packaged = Path(__file__).parent / "_data"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "data"


def starter_dir() -> Path:
    """The embedded starter model, a transformers checkpoint; its name on every command line is `starter`."""
    return data_dir() / "starter"


def default_runs_dir() -> Path:
    """The folder of run directories: `$TUNEBOARD_RUNS`, else `runs` in the working directory."""
    return Path(os.environ.get("TUNEBOARD_RUNS", "runs"))


def typed(name: str | Path) -> Path:
    """A path as a person types it: `~` is a home folder, and stays what it is where there is none of that name.

    Whether it is there is for os.path to say: its answer is no for a name that is too long to be one, too.
    """
    return Path(os.path.expanduser(name))


def runs_dir_of(name: str) -> Path:
    """The folder of the runs that an option names; the default one where it is empty."""
    return typed(name) if name else default_runs_dir()


def resolve_file(name: str) -> Path:
    """`name` as a path; what does not exist here but ships with us (`data/recipes/…`) is found there."""
    path = typed(name)
    if os.path.exists(path):
        return path
    parts = path.parts[1:] if path.parts[:1] == ("data",) else path.parts
    shipped = data_dir().joinpath(*parts)
    return shipped if parts and not path.is_absolute() and os.path.exists(shipped) else path
