# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a report, on the control node. PRIVATE to the collection."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import formats, html_page, metrics

# By the end of a file's name: what renders it, and its media type
_KINDS: dict[str, tuple[t.Callable[[t.Mapping[str, t.Any]], str], str]] = {
    "html": (html_page.render, "text/html; charset=utf-8"),
    "json": (formats.format_json, "application/json"),
    "csv": (formats.format_csv, "text/csv; charset=utf-8"),
    "junit.xml": (formats.format_junit, "application/xml"),
    "vex.cdx.json": (formats.format_vex, "application/vnd.cyclonedx+json"),
}


def render_files(document: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The text of each file by its name, the HTML page first."""
    at = re.sub(r"[-:]|\+.*", "", document["created"])
    stem = f"livepatch-{document['kind']}-{_format_scope(document)}-{at}Z"
    return {f"{stem}.{ending}": render(document) for ending, (render, _type) in _KINDS.items()}


def get_media_type(name: str) -> str:
    """The media type of a file that ``render_files`` has named."""
    # The longer ending first: a VEX is JSON too.
    return next(_KINDS[ending][1] for ending in sorted(_KINDS, key=len, reverse=True) if name.endswith(f".{ending}"))


def write_files(folder: str, texts: t.Mapping[str, str]) -> list[str]:
    """Write the files, each completely or not at all, and return their paths.

    :raises PlanError: a file cannot be written.
    """
    path = Path(folder).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _replace_file(path / name, text)
    except OSError as exc:
        reason = exc.strerror or exc
        raise PlanError(f"livepatch_report_dir: the report cannot be written to {path}: {reason}") from None
    return [str(path / name) for name in texts]


def write_metrics(folder: str, document: t.Mapping[str, t.Any]) -> str:
    """Write the metrics of a rollout for node_exporter's textfile collector, and return the path.

    :param folder: the collector's folder.
    :raises PlanError: the file cannot be written.
    """
    path = Path(folder).expanduser() / f"livepatch_rollout_{_format_scope(document)}.prom"
    try:
        _replace_file(path, metrics.format_rollout(document))
    except OSError as exc:
        raise PlanError(f"livepatch_metrics_dir: {path} cannot be written: {exc.strerror or exc}") from None
    return str(path)


def _format_scope(document: t.Mapping[str, t.Any]) -> str:
    return re.sub(r"[^\w.-]", "_", str(document["scope"]))


def _replace_file(path: Path, text: str) -> None:
    # The permissions that the umask allows; tempfile's are for the owner only
    mask = os.umask(0)
    os.umask(mask)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
