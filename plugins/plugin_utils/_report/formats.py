# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's data as JSON, CSV, JUnit XML and CycloneDX VEX. PRIVATE to the collection. Pure.

Documents are cleaned (``_formatting.clean``): so their texts are legal in XML, and their numbers in JSON.
"""

from __future__ import annotations

import csv
import io
import json
import typing as t
import urllib.parse
import uuid
from xml.etree import ElementTree

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import BAD

Document = t.Mapping[str, t.Any]
# What a formula begins with, in the full width of East Asian keyboards too
_FORMULAS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
_COLUMNS = (
    "name",
    "state",
    "outcome",
    "release",
    "build_id",
    "kmp",
    "drift",
    "level",
    "wanted",
    "up_to_date",
    "overdue_days",
    "cves_open",
    "cves_fixed",
    "persistent",
    "covered_until",
    "seconds",
    "wave",
    "cohort",
    "problems",
)


def format_json(document: Document) -> str:
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def format_csv(document: Document) -> str:
    """A line per host. Lists are separated by spaces, problems by semicolons."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180
    writer.writerow(_COLUMNS)
    for host in document["hosts"]:
        writer.writerow([_format_cell(name, host[name]) for name in _COLUMNS])
    return out.getvalue()


def _format_cell(name: str, value: t.Any) -> t.Any:
    if isinstance(value, dict):
        # Of drift, by what it is counted
        value = value["kmp"]
    if isinstance(value, list | tuple):
        value = ("; " if name == "problems" else " ").join(value)
    # A spreadsheet would run it as a formula (OWASP, CSV injection)
    return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(_FORMULAS) else value


def format_junit(document: Document) -> str:
    """A case per host. Failed and non-compliant hosts are failures, unknown ones errors, those left out skipped."""
    cases = [_build_case(host) for host in document["hosts"]]
    kinds = [child.tag for case in cases for child in case]
    counts = {
        "tests": str(len(cases)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        "time": str(round(sum(float(host["seconds"] or 0) for host in document["hosts"]), 3)),
    }
    suite = ElementTree.Element(
        "testsuite",
        {"name": f"livepatch.{document['kind']}", "timestamp": document["created"].partition("+")[0], **counts},
    )
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _build_case(host: t.Mapping[str, t.Any]) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        {"classname": f"livepatch.{host['state']}", "name": host["name"], "time": str(host["seconds"] or 0)},
    )
    text = "; ".join(host["problems"]) or host["reason"]
    if host["outcome"] in BAD:
        ElementTree.SubElement(case, "failure", message=text, type=host["outcome"])
    elif host["state"] == "unknown":
        ElementTree.SubElement(case, "error", message=text, type="unknown")
    elif host["outcome"] in ("skipped", "pending") or host["state"] == "not_covered":
        ElementTree.SubElement(case, "skipped", message=text)
    elif host["up_to_date"] is not True:
        ElementTree.SubElement(case, "failure", message=text, type=host["state"])
    return case


def format_vex(document: Document) -> str:
    """CycloneDX 1.6: the CVEs that live patches have fixed in each running kernel, and those that are open there, for
    scanners that see only the version of the kernel's package.
    """
    components: list[dict[str, t.Any]] = []
    affected: dict[tuple[str, str], list[str]] = {}
    for host in document["hosts"]:
        if host["build_id"] is None:
            continue
        reference = f"host:{host['name']}"
        properties = [
            {"name": f"fleet.livepatch:{key}", "value": str(host[key])}
            for key in ("build_id", "state", "kmp", "level")
            if host[key] is not None
        ]
        components.append(
            {
                "type": "operating-system",
                "bom-ref": reference,
                "name": f"linux on {host['name']}",
                "version": host["release"],
                "properties": properties,
            }
        )
        for state, key in (("resolved", "cves_fixed"), ("exploitable", "cves_open")):
            for cve in host[key] or ():
                affected.setdefault((cve, state), []).append(reference)
    details = {
        "resolved": "A live patch has replaced the function in the running kernel, and its transition is complete",
        "exploitable": "A live patch that fixes it is available and not active",
    }
    vulnerabilities = [
        {
            "bom-ref": f"{cve}:{state}",
            "id": cve,
            "source": {"name": "NVD", "url": f"https://nvd.nist.gov/vuln/detail/{urllib.parse.quote(cve, safe='')}"},
            "analysis": {"state": state, "detail": details[state]},
            "affects": [{"ref": reference} for reference in references],
        }
        for (cve, state), references in sorted(affected.items())
    ]
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # The same for the same report
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, format_json(document))}",
        "version": 1,
        "metadata": {"timestamp": document["created"]},
        "components": components,
        "vulnerabilities": vulnerabilities,
    }
    return json.dumps(bom, indent=1, allow_nan=False) + "\n"
