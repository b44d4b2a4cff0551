# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's data, and what is written of them."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import math
import os
import re
import stat
import typing as t
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import document, files, formats, html_page
from tests.unit.plugins.plugin_utils._report import reported

_SCHEMA = json.loads((Path(__file__).parents[5] / "docs/report.schema.json").read_text())
EACH = pytest.mark.parametrize(
    "report", [reported.status(), reported.planned(), reported.rollout()], ids=["status", "plan", "rollout"]
)
Report = dict[str, t.Any]


@EACH
def test_the_data_are_as_the_schema_in_the_docs_says(report: Report) -> None:
    told = json.loads(formats.format_json(report))
    jsonschema.Draft202012Validator.check_schema(_SCHEMA)
    jsonschema.Draft202012Validator(_SCHEMA).validate(told)
    assert told["schema"] == document.SCHEMA


def test_the_verdict_says_who_is_behind() -> None:
    assert reported.status()["summary"] == "2 of 3 hosts are not compliant"
    well = document.build_status([reported.row("web1")], reported.MADE, "default", None)
    assert (well["success"], well["summary"]) == (True, "1 host, all compliant")
    assert (reported.rollout()["success"], reported.rollout()["summary"]) == (False, "1 host failed")


def test_a_plan_tells_who_goes_when_and_what_has_changed() -> None:
    told = reported.planned()
    assert told["summary"] == "5 hosts in 3 waves; 1 left out"
    assert [(wave["name"], len(wave["hosts"])) for wave in told["plan"]["waves"]] == [
        ("canaries", 1),
        ("wave 1", 1),
        ("wave 2", 3),
    ]
    in_wave = {host["name"]: host["wave"] for host in told["hosts"]}
    assert {name: in_wave[name] for name in told["plan"]["waves"][1]["hosts"]}.popitem()[1] == 1
    assert in_wave[reported.HOSTILE] is None
    shown = html_page.render(told)
    assert "Since plan" in shown
    assert "new in the plan" in shown


def test_what_a_host_told_before_it_failed_is_not_told_of_it() -> None:
    (failed,) = [host for host in reported.rollout()["hosts"] if host["outcome"] == "failed"]
    assert (failed["state"], failed["kmp"], failed["cves_fixed"], failed["up_to_date"]) == (
        "unpatched",
        None,
        None,
        None,
    )
    assert (failed["release"], failed["domains"]) == ("6.4.0-default", ("rack=r1",))


def test_waves_have_their_times_and_outcomes() -> None:
    first, second, *others = reported.rollout()["rollout"]["waves"]
    assert (first["name"], first["verdict"], first["outcomes"]) == ("canaries", "pass", {"done": 1})
    assert (first["ended"] - first["started"], second["ended"] - second["started"]) == (55, 60)
    assert (second["name"], second["verdict"], second["outcomes"]) == ("wave 1", "fail", {"failed": 1})
    assert [wave["started"] for wave in others] == [None]


@EACH
def test_a_line_of_csv_per_host_and_no_formula(report: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(formats.format_csv(report), newline="")))
    assert len(rows) == len(report["hosts"])
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_junit_has_a_case_per_host() -> None:
    (suite,) = ElementTree.fromstring(formats.format_junit(reported.status()))
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
        "skipped": "0",
    }
    assert {case.get("name"): [child.tag for child in case] for case in suite} == {
        "web1": [],
        "=web2": ["failure"],
        reported.HOSTILE: ["error"],
    }
    (suite,) = ElementTree.fromstring(formats.format_junit(reported.rollout()))
    assert (suite.get("tests"), suite.get("failures")) == ("5", "1")


@EACH
def test_vex_is_valid(report: Report) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(formats.format_vex(report)) is None


def test_vex_tells_what_is_fixed_where() -> None:
    told = json.loads(formats.format_vex(reported.status()))["vulnerabilities"]
    assert {(one["id"], one["analysis"]["state"]): [each["ref"] for each in one["affects"]] for one in told} == {
        ("CVE-2099-0002", "resolved"): ["host:=web2", "host:web1"],
        ("CVE-2099-0003", "exploitable"): ["host:=web2"],
    }


class _Read(html.parser.HTMLParser):
    """A page's elements, and the data in it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text: dict[str, str] = {}
        self._open = ["document"]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "input", "br"):  # which have no end
            self._open.append(str(dict(attrs).get("id") or tag))
        for name, value in attrs:
            assert name not in ("src", "href") or str(value).startswith("#"), "it needs nothing else"

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self.text[self._open[-1]] = self.text.get(self._open[-1], "") + data


@EACH
def test_the_page_holds_the_data_and_obeys_none_of_them(report: Report) -> None:
    read = _Read(html_page.render(report))
    assert json.loads(read.text["data"]) == json.loads(formats.format_json(report))
    assert read.tags.count("script") == 2
    assert read.text["h1"] == report["summary"]
    assert "SPDX" not in html_page.render(report), "the licence of the page's parts is not that of the report"


def test_each_host_is_counted_once_for_a_cve() -> None:
    """Of a host that went wrong it is known what is fixed there, and not what else is open."""
    rows = [
        reported.row("web1"),
        reported.row("web2", cves_open=None),
        reported.row("web3", cves_open=None, cves_fixed=None),
    ]
    drawn = html_page.render(document.build_status(rows, reported.MADE, "default", None))
    cells = drawn.partition("Unknown on hosts")[2].partition("</tbody>")[0]
    assert "<td>0</td><td>2</td><td>1</td>" in cells


def test_the_page_of_a_rollout_has_its_drawings() -> None:
    text = html_page.render(reported.rollout())
    assert text.count("<svg ") == 2
    assert "5 migrations" not in text and "4 migrations: the longest took 4.0 s" in text
    assert "closed at night" in text and "sum(rate(errors[5m]))" in text
    assert "rack=r1: 4 of 5 compliant" in text


def test_files_are_whole_and_named_by_what_they_tell(tmp_path: Path) -> None:
    paths = files.write_files(str(tmp_path / "new"), files.render_files(reported.status()))
    assert [Path(path).name for path in paths] == [
        f"livepatch-status-default-20270115T080000Z.{ending}"
        for ending in ("html", "json", "csv", "junit.xml", "vex.cdx.json")
    ]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(Path(path).name for path in paths)


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlanError, match=r"livepatch_report_dir: the report cannot be written to .*/file: File exists"):
        files.write_files(str(tmp_path / "file"), files.render_files(reported.status()))


# What the control node says itself
_OWN = {"created", "kind", "outcome", "state", "verdict", "at", "started", "started_by", "ended", "saved"}


def _spoil(value: t.Any, text: str) -> t.Any:
    """The same document, as hosts may have it: the text in each of theirs, and no number is one."""
    if isinstance(value, dict):
        return {key: value[key] if key in _OWN else _spoil(value[key], text) for key in value}
    if isinstance(value, list | tuple):
        return [_spoil(part, text) for part in value]
    if isinstance(value, float):
        return math.nan
    return f"{value}{text}" if isinstance(value, str) else value


def _parse_json(text: str) -> t.Any:
    return json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))


@EACH
@pytest.mark.parametrize(
    "text",
    [
        "\x00\x1b[2J",
        "\ud800",
        "\ufffe",
        "a\nb\r\n",
        "</script><script>alert(1)</script>",
        "]]>&<\"'",
        "\u202e",
        "\x85\u2028",
    ],
)
def test_files_are_valid_whatever_a_host_says(report: Report, text: str) -> None:
    for name, made in files.render_files(_spoil(report, text)).items():
        made.encode("utf-8")
        assert not [letter for letter in made if not letter.isprintable() and letter not in "\r\n"], name
        if name.endswith(".json"):
            _parse_json(made)
        elif name.endswith(".xml"):
            ElementTree.fromstring(made)
        elif name.endswith(".csv"):
            rows = list(csv.reader(io.StringIO(made), strict=True))
            assert len(rows) == 1 + len(report["hosts"])
            assert not [cell for row in rows for cell in row if cell.strip()[:1] in tuple("=+-@")]
        else:
            assert "<script>alert" not in made
            (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', made, re.DOTALL)
            _parse_json(data)


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@a", "\t=1", " \r=1", "\uff1d1"])
def test_no_cell_of_csv_is_a_formula(formula: str) -> None:
    report = reported.status()
    report["hosts"][0]["release"] = formula
    text = next(text for name, text in files.render_files(report).items() if name.endswith(".csv"))
    assert any("'" + formula.strip() in cell.replace("' ", "'").replace("' ", "'") for cell in text.split(","))


@pytest.mark.parametrize(
    ("mask", "mode", "expected"),
    [(0o022, None, 0o640), (0o077, None, 0o600), (0, None, 0o640), (0o077, "0644", 0o644), (0o022, "600", 0o600)],
)
def test_files_are_not_for_everybody(tmp_path: Path, mask: int, mode: str | None, expected: int) -> None:
    before = os.umask(mask)
    try:
        (place,) = files.write_files(str(tmp_path / "new"), {"a": "x"}, mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path(place).stat().st_mode) == expected
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o750 & ~mask


@pytest.mark.parametrize("mode", ["640 ", "0o640", "888", "u=rw", "10777"])
def test_a_mode_that_is_none_is_told(tmp_path: Path, mode: str) -> None:
    with pytest.raises(PlanError, match=r"livepatch_report_mode is .*: set permissions in octal such as '0640'"):
        files.write_files(str(tmp_path), {"a": "x"}, mode)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("keep")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/a").symlink_to(tmp_path / "other")
    (tmp_path / f"reports/.a.{os.getpid()}").symlink_to(tmp_path / "other")
    files.write_files(str(tmp_path / "reports"), {"a": "x"})
    assert (tmp_path / "other").read_text() == "keep"
    assert not (tmp_path / "reports/a").is_symlink()
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["a"]
    (tmp_path / "link").symlink_to(tmp_path / "reports")
    with pytest.raises(PlanError, match="it is a symbolic link: set the folder that it leads to"):
        files.write_files(str(tmp_path / "link"), {"b": "x"})
