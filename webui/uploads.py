"""Files that a person uploads: looked at, named safely, and kept in a folder of ours where runs find them."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.datasets import Source, iterate_rows
from core.datasets.archives import ARCHIVES
from core.datasets.files import COMPRESSED, SUFFIXES, inner_suffix
from core.errors import UserError
from core.toolbox import offered
from webui.roots import Roots

MIB = 1 << 20
MOST_BYTES = 256 * MIB
MOST_KEPT_BYTES = 4096 * MIB
LONGEST_NAME = 80
# Gradio writes what comes in here first; same file system, so that keeping a file is a rename.
INCOMING = ".incoming"
# Files of Python tools lie apart from data.
CODE = "tools"


def accepted() -> list[str]:
    """The endings of files that a browser offers to upload."""
    return [*SUFFIXES, *COMPRESSED, *ARCHIVES]


def uploaded(roots: Roots) -> list[str]:
    """The uploaded files as names of datasets, the newest first."""
    try:
        files = [path for path in roots.uploads.iterdir() if path.is_file() and not path.name.startswith(".")]
        files.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return []
    return [dataset_name(path) for path in files]


def dataset_name(path: Path) -> str:
    """A file as a person would type it: from the working folder where it lies below that."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def keep(temporary: str, roots: Roots) -> str:
    """Keep an uploaded file and give its name as a dataset. Raises `UserError` when it is no data, or too much."""
    with _taken(temporary, roots) as file:
        _check(file, roots)
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        place = _place(file, digest, roots.uploads)
        shutil.move(file, place)
    return dataset_name(place)


def keep_code(temporary: str, roots: Roots) -> str:
    """Keep an uploaded file of Python tools and give its path. Runs nothing of it. Raises `UserError` for another."""
    with _taken(temporary, roots) as file:
        if file.suffix != ".py":
            raise UserError(f"{file.name}: not a Python file", remedy="its name ends with .py")
        try:
            digest = offered(file).digest
        except UserError as error:
            raise UserError(str(error).replace(str(file), file.name)) from None
        folder = roots.uploads / CODE
        folder.mkdir(parents=True, exist_ok=True)
        place = _place(file, digest, folder)
        shutil.move(file, place)
    return dataset_name(place)


@contextmanager
def _taken(temporary: str, roots: Roots) -> Iterator[Path]:
    """An uploaded file while it is moved to its place: what is left of it then goes. Raises `UserError`."""
    file = Path(temporary)
    try:
        yield file
    except OSError as error:
        raise UserError(f"the upload cannot be kept: {error.strerror}", file=roots.uploads) from None
    finally:
        file.unlink(missing_ok=True)


def code_files(roots: Roots) -> list[str]:
    """The uploaded files of Python tools, by name."""
    return [dataset_name(path) for path in sorted((roots.uploads / CODE).glob("*.py"))]


def _check(file: Path, roots: Roots) -> None:
    """Raises `UserError` for what is too large, or holds no row that could be read."""
    size = file.stat().st_size
    if inner_suffix(file) not in (*SUFFIXES, *ARCHIVES):
        remedy = ", ".join(SUFFIXES) + ", also with .gz or .zst, or in a .zip or .tar"
        raise UserError(f"{file.name}: not a data file", remedy=remedy)
    if size > MOST_BYTES:
        raise UserError(f"{file.name} is larger than {MOST_BYTES // MIB} MiB", remedy="put it in the working folder")
    roots.uploads.mkdir(parents=True, exist_ok=True)
    kept = sum(path.stat().st_size for path in roots.uploads.iterdir() if path.is_file())
    if kept + size > MOST_KEPT_BYTES:
        raise UserError(f"uploads fill {kept // MIB} MiB", file=roots.uploads, remedy="delete some of them")
    try:
        next(iterate_rows(Source(file.stem, file)), None)
    except UserError as error:
        # The person knows the file by its name, not by where it lies now.
        raise UserError(str(error).replace(str(file), file.name)) from None


def _place(file: Path, digest: str, folder: Path) -> Path:
    """Where the file goes: its own name made safe, with a part of its digest when another file has that name."""
    name = re.sub(r"[^\w.\-]+", "_", file.name).lstrip(".")[-LONGEST_NAME:] or "upload"
    plain = folder / name
    if not plain.exists():
        return plain
    with plain.open("rb") as opened:
        same = hashlib.file_digest(opened, "sha256").hexdigest() == digest
    return plain if same else folder / f"{digest[:8]}-{name}"
