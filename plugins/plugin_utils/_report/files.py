# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a report, on the control node. PRIVATE to the collection."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import typing as t
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import clean
from ansible_collections.fleet.livepatch.plugins.plugin_utils._options import parse_file_mode
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import formats, html_page, metrics

# By the end of a file's name: what renders it, and its media type
_KINDS: dict[str, tuple[t.Callable[[t.Mapping[str, t.Any]], str], str]] = {
    "html": (html_page.render, "text/html; charset=utf-8"),
    "json": (formats.format_json, "application/json"),
    "csv": (formats.format_csv, "text/csv; charset=utf-8"),
    "junit.xml": (formats.format_junit, "application/xml"),
    "vex.cdx.json": (formats.format_vex, "application/vnd.cyclonedx+json"),
}

# A report lists open CVEs
_MODE = 0o640
_FOLDER_MODE = 0o750


def render_files(document: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The text of each file by its name, the HTML page first."""
    document = clean(document)
    at = re.sub(r"[-:]|\+.*", "", document["created"])
    stem = f"livepatch-{document['kind']}-{_format_scope(document)}-{at}Z"
    return {f"{stem}.{ending}": render(document) for ending, (render, _type) in _KINDS.items()}


def get_media_type(name: str) -> str:
    """The media type of a file that ``render_files`` has named."""
    # The longer ending first: a VEX is JSON too.
    return next(_KINDS[ending][1] for ending in sorted(_KINDS, key=len, reverse=True) if name.endswith(f".{ending}"))


def write_files(folder: str, texts: t.Mapping[str, str], mode: str | None = None) -> list[str]:
    """Write the files, each completely or not at all, and return their paths.

    :param mode: their permissions in octal; by default those of ``_MODE`` that the umask leaves.
    :raises PlanError: a file cannot be written.
    """
    path = Path(folder).expanduser()
    bits = _MODE & ~_get_umask() if mode is None else parse_file_mode("livepatch_report_mode", mode)
    try:
        path.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        for name, text in texts.items():
            _replace_file(path / name, text, bits)
    except OSError as exc:
        raise PlanError(f"livepatch_report_dir: the report cannot be written to {path}: {_explain(exc)}") from None
    return [str(path / name) for name in texts]


def write_metrics(folder: str, document: t.Mapping[str, t.Any]) -> str:
    """Write the metrics of a rollout for node_exporter's textfile collector, and return the path.

    :param folder: the collector's folder.
    :raises PlanError: the file cannot be written.
    """
    path = Path(folder).expanduser() / f"livepatch_rollout_{_format_scope(document)}.prom"
    try:
        # The collector runs as another user, and there are only counts in it.
        _replace_file(path, metrics.format_rollout(clean(document)), 0o666 & ~_get_umask())
    except OSError as exc:
        raise PlanError(f"livepatch_metrics_dir: {path} cannot be written: {_explain(exc)}") from None
    return str(path)


def _format_scope(document: t.Mapping[str, t.Any]) -> str:
    return re.sub(r"[^\w.-]", "_", str(document["scope"]))


def _replace_file(path: Path, text: str, mode: int) -> None:
    """Writes a file beside the path and renames it, in the folder as it is now: the path may be a link to anything by
    then, and is replaced.
    """
    folder = os.open(path.parent, os.O_DIRECTORY | os.O_NOFOLLOW)
    name = f".{path.name}.{os.getpid()}"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)  # of a process that had this number and was killed
        try:
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                os.fchmod(file.fileno(), mode)
            os.replace(name, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)
            raise
    finally:
        os.close(folder)


def _explain(exc: OSError) -> str:
    if exc.errno in (errno.ELOOP, errno.ENOTDIR) and Path(exc.filename or "").is_symlink():
        return "it is a symbolic link: set the folder that it leads to"
    return exc.strerror or str(exc)


def _get_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
