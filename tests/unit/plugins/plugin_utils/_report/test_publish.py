# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a report goes."""

from __future__ import annotations

import base64
import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import formats, publish
from tests.support import web
from tests.unit.plugins.plugin_utils._report import reported

NAME = "livepatch-status-default-20270115T080000Z"
TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "junit.xml": "application/xml",
    "vex.cdx.json": "application/vnd.cyclonedx+json",
}


def _deliver(**options: t.Any) -> tuple[list[str], list[str]]:
    said: list[str] = []
    places = publish.deliver_report(
        {"dir": "", "file_mode": None, "url": "", "request": {}, **options}, reported.status, said.append
    )
    return places, said


def test_nothing_is_made_that_nobody_wants() -> None:
    def make() -> t.NoReturn:
        raise AssertionError("it was asked for")

    assert publish.deliver_report({"dir": "", "file_mode": None, "url": "", "request": {}}, make, print) == []


def test_it_is_sent_and_written(tmp_path: Path) -> None:
    taken: list[web.Asked] = []

    def take(asked: web.Asked) -> tuple[int, str]:
        taken.append(asked)
        return 201, ""

    request = {"headers": {"X-Job": "42"}, "url_username": "robot", "url_password": "secret"}
    with web.served(take) as url:
        places, said = _deliver(dir=str(tmp_path), url=f"{url}/reports/", request=request)
    assert places == [*(f"{tmp_path}/{NAME}.{ending}" for ending in TYPES), *(f"{url}{one.path}" for one in taken)]
    assert said == [f"Written: {tmp_path}/{NAME}.html", f"Written: {url}/reports/{NAME}.html"]
    assert {(one.method, one.path): one.headers["content-type"] for one in taken} == {
        ("PUT", f"/reports/{NAME}.{ending}"): kind for ending, kind in TYPES.items()
    }
    who = "Basic " + base64.b64encode(b"robot:secret").decode()
    assert {(one.headers["x-job"], one.headers["authorization"]) for one in taken} == {("42", who)}
    assert {Path(one.path).name: one.body for one in taken} == {
        path.name: path.read_bytes() for path in tmp_path.iterdir()
    }
    assert json.loads(taken[1].body) == json.loads(formats.format_json(reported.status()))


def test_what_is_not_taken_is_told_and_the_rest_is_done(tmp_path: Path) -> None:
    with web.served(lambda _asked: (403, "no\nroom")) as url, pytest.raises(PlanError) as told:
        _deliver(dir=str(tmp_path), url=url.replace("//", "//robot:secret@"))
    assert str(told.value) == (
        "livepatch_report_url: the report was not uploaded: "
        f"PUT {url.replace('//', '//***@')}/{NAME}.html: HTTP 403: no room"
    )
    assert len(list(tmp_path.iterdir())) == len(TYPES)


def test_who_does_not_answer_is_told() -> None:
    with web.served(lambda _asked: (200, "")) as url:
        pass
    with pytest.raises(
        PlanError, match=r"livepatch_report_url: the report was not uploaded: http://\S+ does not answer: "
    ):
        _deliver(url=url)


def test_what_is_not_known_of_a_request_is_refused() -> None:
    with pytest.raises(
        PlanError, match=r"livepatch_report_request: header, token is unknown; valid keys are ca_path, "
    ):
        _deliver(url="http://127.0.0.1:1", request={"header": {}, "token": ""})


def test_both_that_go_wrong_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlanError, match=r"^livepatch_report_dir: .*; livepatch_report_url: "):
        _deliver(dir=str(tmp_path / "file"), url="http://127.0.0.1:1")
