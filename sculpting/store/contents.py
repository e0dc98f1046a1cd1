"""What the files of a study hold, checked as they are read: study.json and the cells, each with the SHA-256 of its content."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..plain import brief, content_digest, read_plain

__all__ = ["FILE", "NAME", "Cell", "cell_bytes", "manifest_bytes", "read_cell", "read_manifest"]

FORMAT = "neural-sculpting study"
VERSION = 1
NAME = re.compile(r"[A-Za-z0-9_+=-][A-Za-z0-9._+=-]{0,99}")
FILE = re.compile(rf"(?!cells/)[A-Za-z0-9_-]{{1,100}}/{NAME.pattern}\.(safetensors|safetensors\.xz|json)")  # what a cell makes beside rows
DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Cell:
    """The content of a cell's file.

    Attributes
    ----------
    arguments : dict
    rows : list of dict
    files : dict of str to str, or None
        The SHA-256 of each file that the cell made, by its name, ``""`` where it is not known; None where the files are not.
    digest : str or None
        What the file says of its content; None where it says nothing.
    got : str
        That of the content that is there.
    """

    arguments: dict[str, Any]
    rows: list[dict[str, Any]]
    files: dict[str, str] | None
    digest: str | None
    got: str


def cell_bytes(cell: str, arguments: Mapping[str, Any], rows: list[dict[str, Any]], files: Mapping[str, str]) -> bytes:
    """The file of a cell, with plain arguments and rows."""
    facts = {"arguments": arguments, "rows": rows, "files": files}
    return _bytes({**facts, "digest": _cell_digest(cell, facts)})


def read_cell(path: Path, cell: str) -> Cell | None:
    """The content of a cell's file, None when there is none.

    Raises
    ------
    ValueError
        When the file is not whole. Whether its digest is right is not checked here.
    """
    try:
        found = read_plain(path)
        arguments, rows, files = _checked(found)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise ValueError(f"{path} is not a whole cell: {error}. Delete this file; the cell is then run again") from error
    return Cell(arguments, rows, files, found.get("digest"), _cell_digest(cell, _unsigned(found)))


def manifest_bytes(settings: Mapping[str, Any]) -> bytes:
    """The content of study.json, with plain settings."""
    facts = {"format": FORMAT, "version": VERSION, "settings": settings}
    return _bytes({**facts, "digest": content_digest(facts)})


def read_manifest(path: Path) -> tuple[dict[str, Any], str | None, str]:
    """The settings in study.json; what it says of its content, None where it says nothing; and the digest of the content that is there.

    Raises
    ------
    ValueError
        When the file is not of a study, or of another version.
    """
    try:
        found = read_plain(path)
        if not isinstance(found, dict):
            raise ValueError(f"expected a dict; got {brief(found)}")
        missing = [name for name in ("format", "version", "settings") if name not in found]
        if missing:
            raise ValueError(f"expected format, version and settings; got no {missing[0]}")
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"{path} is not of a study: {error}. Give another folder") from error
    form, version, settings = found["format"], found["version"], found["settings"]
    if (form, version) != (FORMAT, VERSION) or type(version) is not int:
        got = f"{brief(form)}, version {brief(version)}"
        raise ValueError(f"{path} must be of format {FORMAT!r}, version {VERSION}; got {got}. Give another folder")
    unknown = found.keys() - {"format", "version", "settings", "digest"}
    if unknown or not isinstance(settings, dict):
        got = f"also {brief(min(unknown))}" if unknown else f"settings {brief(settings)}"
        raise ValueError(f"{path} is not of a study: expected format, version, settings and digest; got {got}. Give another folder")
    digest = str(found["digest"])[:100] if "digest" in found else None
    return settings, digest, content_digest(_unsigned(found))


def _checked(found: Any) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, str] | None]:
    known = ("arguments", "rows", "files", "digest")
    if not isinstance(found, dict) or not set(known[:2]) <= found.keys() <= set(known):
        raise ValueError(f"expected {', '.join(known)}; got {brief(list(found) if isinstance(found, dict) else found)}")
    arguments, rows, digest = found["arguments"], found["rows"], found.get("digest", "0" * 64)
    if not isinstance(arguments, dict):
        raise ValueError(f"arguments must be a dict; got {brief(arguments)}")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"rows must be a list of dicts; got {brief(rows)}")
    if not _is_digest(digest):
        raise ValueError(f"digest must be 64 hexadecimal digits; got {brief(digest)}")
    return arguments, rows, _checked_files(found)


def _checked_files(found: dict[str, Any]) -> dict[str, str] | None:
    """The files of a cell; earlier versions wrote their names alone, and the earliest nothing."""
    if "files" not in found and "digest" not in found:
        return None
    files = found.get("files")
    if not isinstance(files, dict if "digest" in found else list):
        raise ValueError(f"files must be a dict of digests beside a digest, and a list of names without one; got {brief(files)}")
    if not all(isinstance(name, str) and FILE.fullmatch(name) for name in files):
        raise ValueError(f"files must be named folder/name.safetensors, .safetensors.xz or .json; got {brief(list(files))}")
    if not isinstance(files, dict):
        return dict.fromkeys(files, "")
    if not all(map(_is_digest, files.values())):
        raise ValueError(f"files must have digests of 64 hexadecimal digits; got {brief(files)}")
    return files


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and DIGEST.fullmatch(value) is not None


def _unsigned(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "digest"}


def _cell_digest(cell: str, facts: Mapping[str, Any]) -> str:
    """The digest of a cell, to which its name belongs: a copy under another name is another cell."""
    return content_digest({"cell": cell, **facts})


def _bytes(facts: Mapping[str, Any]) -> bytes:
    return (json.dumps(facts, indent=1, allow_nan=False) + "\n").encode()
