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

# By how a file's name ends: what writes it, and what it is to a web server
_KINDS: dict[str, tuple[t.Callable[[t.Mapping[str, t.Any]], str], str]] = {
    "html": (html_page.render, "text/html; charset=utf-8"),
    "json": (formats.format_json, "application/json"),
    "csv": (formats.format_csv, "text/csv; charset=utf-8"),
    "junit.xml": (formats.format_junit, "application/xml"),
    "vex.cdx.json": (formats.format_vex, "application/vnd.cyclonedx+json"),
}


def render_files(document: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The files' texts by their names, that for people first."""
    at = re.sub(r"[-:]|\+.*", "", document["made"])
    stem = f"livepatch-{document['of']}-{_scope(document)}-{at}Z"
    return {f"{stem}.{ending}": renders(document) for ending, (renders, _type) in _KINDS.items()}


def get_media_type(name: str) -> str:
    """The media type of a file that ``render`` has named."""
    # The longer ending first: a VEX is JSON too.
    return next(_KINDS[ending][1] for ending in sorted(_KINDS, key=len, reverse=True) if name.endswith(f".{ending}"))


def write_files(folder: str, named: t.Mapping[str, str]) -> list[str]:
    """Writes files, each whole or not at all; their paths.

    :raises PlanError: that cannot be done.
    """
    where = Path(folder).expanduser()
    try:
        where.mkdir(parents=True, exist_ok=True)
        for name, text in named.items():
            _replace(where / name, text)
    except OSError as exc:
        why = exc.strerror or exc
        raise PlanError(f"livepatch_report_dir: the report cannot be written to {where}: {why}") from exc
    return [str(where / name) for name in named]


def write_metrics(folder: str, document: t.Mapping[str, t.Any]) -> str:
    """Writes a rollout's metrics for node_exporter's textfile collector, whose folder it is; their path.

    :raises PlanError: that cannot be done.
    """
    path = Path(folder).expanduser() / f"livepatch_rollout_{_scope(document)}.prom"
    try:
        _replace(path, metrics.format_rollout(document))
    except OSError as exc:
        raise PlanError(f"livepatch_metrics_dir: {path} cannot be written: {exc.strerror or exc}") from exc
    return str(path)


def _scope(document: t.Mapping[str, t.Any]) -> str:
    return re.sub(r"[^\w.-]", "_", str(document["scope"]))


def _replace(path: Path, text: str) -> None:
    # As files of the user's are otherwise; those of tempfile are for the owner only.
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
