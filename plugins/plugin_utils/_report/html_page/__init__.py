# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as one self-contained HTML file: no network, no server. PRIVATE to the collection. Pure, except that it
reads its own parts.

The table of hosts, which changes with the reader's filters, is drawn by page.js from the data. The rest is drawn here,
so that it does not need JavaScript.
"""

from __future__ import annotations

import collections
import functools
import html
import json
import typing as t
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.states import STATES
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import (
    NOTHING,
    abbreviate,
    format_count,
    format_time,
    shorten_build_id,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report.html_page import charts

Document = t.Mapping[str, t.Any]
_MOODS = {
    **dict.fromkeys(("patched", "baseline", "done", "unchanged", "pass"), "good"),
    **dict.fromkeys(("outdated", "unpatched", "installed", "transitioning", "pending", "inconclusive"), "warn"),
    **dict.fromkeys(("not_covered", "skipped"), "idle"),
}
_SLOWEST = 10
_KINDS = {
    "status": "Status of the fleet",
    "plan": "Plan of a rollout of live patches",
    "rollout": "Rollout of live patches",
}


def render(document: Document) -> str:
    rollout, plan = document["rollout"], document["plan"]
    meta = [document["created"].replace("T", " ").replace("+00:00", " UTC"), f"scope {document['scope']}"]
    if rollout:
        meta += [f"rollout {rollout['id']}", f"plan {rollout['plan']}"]
    if plan:
        meta += [f"plan {plan['hash']}"]
    meta += filter(None, (document["open_rollout"], document["halt"]))
    sections = [_build_tiles(document)]
    if rollout:
        sections += [
            _build_waves(rollout),
            _build_migrations(document),
            _build_gates(rollout),
            _build_changed_settings(rollout),
            _build_cohorts(rollout, document["hosts"]),
        ]
    if plan:
        sections += [_build_planned_waves(plan), _build_changes(plan["before"]), _build_cohorts(plan, [])]
    sections += [_build_problems(document), _build_domains(document), _build_cves(document), _build_calendar(document)]
    parts = {
        "title": _escape(f"Live patches: {document['kind']}, {document['created'][:10]}"),
        "class": "success" if document["success"] else "failure",
        "kind": _escape(_KINDS[document["kind"]]),
        "summary": _escape(document["summary"]),
        "meta": _escape(" · ".join(meta)),
        "body": "\n".join(section for section in sections if section),
        # Escaped, since </script> would end the element
        "data": json.dumps(document, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        "style": _read_part("page.css"),
        "script": _read_part("page.js"),
    }
    page = _read_part("page.html")
    # One pass, so that braces in what is inserted are left alone
    head, *rest = page.split("{{")
    return head + "".join(parts[name] + after for name, _end, after in (piece.partition("}}") for piece in rest))


@functools.lru_cache(maxsize=3)
def _read_part(name: str) -> str:
    """Without the licence, which is that of the part and not of the report."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8").partition("\n\n")[2]


def _escape(value: t.Any) -> str:
    return html.escape(str(value))


def _build_section(title: str, body: str) -> str:
    name = title.lower().replace(" ", "-")
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{_escape(title)}</h2>\n{body}\n</section>'


def _build_table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[str]], label: str) -> str:
    """Build a table. Cells are HTML; the first of a row is its head."""
    lines = ["".join(f'<th scope="col">{_escape(title)}</th>' for title in head)]
    for first, *others in rows:
        cells = "".join(f"<td>{cell}</td>" for cell in others)
        lines.append(f'<th scope="row">{first}</th>{cells}')
    body = "\n".join(f"<tr>{line}</tr>" for line in lines[1:])
    region = f'<div class="wide" tabindex="0" role="region" aria-label="{_escape(label)}, as a table">'
    return f"{region}<table><thead><tr>{lines[0]}</tr></thead><tbody>\n{body}\n</tbody></table></div>"


def _build_label(value: str) -> str:
    return f'<span class="{_MOODS.get(value, "bad")}">{_escape(value)}</span>'


def _build_release(release: str) -> str:
    """Mark a release, which browsers would otherwise break into three lines at its hyphens."""
    return f'<span class="kernel">{_escape(release)}</span>'


def _build_filter_button(filter_: str, value: str, text: str) -> str:
    """A button that filters the table of hosts."""
    return f'<button type="button" class="link" data-show="{filter_}={_escape(value)}">{_escape(text)}</button>'


def _build_tiles(document: Document) -> str:
    key, order = ("outcome", ()) if document["rollout"] else ("state", STATES)
    counts = collections.Counter(host[key] for host in document["hosts"])
    names = sorted(counts, key=lambda name: (order.index(name) if name in order else -1, -counts[name], name))
    tiles = "".join(f"<li><b>{counts[name]}</b>{_build_filter_button(key, name, name)}</li>" for name in names)
    return f'<ul class="tiles" aria-label="Hosts by {key}">{tiles}</ul>'


def _build_waves(rollout: Document) -> str:
    rows = [
        (
            _escape(wave["name"]),
            str(wave["hosts"]),
            _build_label(wave["verdict"]) if wave["verdict"] else '<span class="none">not assessed</span>',
            ", ".join(f"{count} {_escape(kind)}" for kind, count in sorted(wave["outcomes"].items())),
            _escape(wave["text"] or ""),
        )
        for wave in rollout["waves"]
    ]
    table = _build_table(("Wave", "Hosts", "Gate", "Outcomes", "Result"), rows, "Waves")
    return _build_section("Waves", charts.draw_timeline(rollout["waves"]) + table)


def _build_migrations(document: Document) -> str:
    timed = [(host["seconds"], host["name"]) for host in document["hosts"] if host["seconds"] is not None]
    if not timed:
        return ""
    slow = ", ".join(f"{_escape(name)} {seconds} s" for seconds, name in sorted(timed, reverse=True)[:_SLOWEST])
    body = charts.draw_histogram([seconds for seconds, _name in timed]) + f"<p>Slowest: {slow}</p>"
    return _build_section("Migration time in seconds", body)


def _build_gates(rollout: Document) -> str:
    rows = [
        (
            _escape(charts.format_clock(gate["at"])),
            _escape(rollout["waves"][gate["wave"]]["name"] if gate["wave"] is not None else "-"),
            _escape(gate["name"] or "hosts"),
            _build_label("skipped" if gate["skipped"] else gate["verdict"]),
            _escape(gate["skipped"] or gate["text"]) + _build_measurements(gate["measurements"]),
        )
        for gate in rollout["gates"]
        if gate["of"] != "wave"
    ]
    return (
        _build_section("Gates", _build_table(("Time", "Wave", "Gate", "Verdict", "Why"), rows, "Gates")) if rows else ""
    )


def _build_changed_settings(rollout: Document) -> str:
    rows = [
        (
            _escape(charts.format_clock(change["at"])),
            _escape(change["setting"]),
            _escape(f"{change['recorded']} → {change['given']}"),
            _escape(abbreviate(change["hosts"]) if change["hosts"] else "all"),
            _escape(change["by"]),
            _escape(change["reason"] or change["relation"]),
        )
        for change in rollout["changes"]
    ]
    columns = ("Time", "Setting", "Change", "Hosts", "By", "Why")
    return _build_section("Changed settings", _build_table(columns, rows, "Changed settings")) if rows else ""


def _build_measurements(measured: t.Sequence[t.Mapping[str, t.Any]] | None) -> str:
    if not measured:
        return ""
    lines = "<br>".join(
        _escape(" ".join(f"{key}={value}" for key, value in measurement.items() if value is not None))
        for measurement in measured
    )
    return f"<details><summary>{format_count(measured, 'measurement')}</summary><code>{lines}</code></details>"


def _build_planned_waves(plan: Document) -> str:
    rows = [
        (_escape(wave["name"]), str(len(wave["hosts"])), _escape(abbreviate(wave["hosts"]))) for wave in plan["waves"]
    ]
    return _build_section("Waves", _build_table(("Wave", "Hosts", "Which"), rows, "Waves"))


def _build_changes(before: Document | None) -> str:
    if before is None:
        return ""
    since = f"<p>Since plan <code>{_escape(before['hash'])}</code> of {_escape(format_time(before['saved']))}"
    if not before["changes"]:
        return _build_section("Changes", f"{since}: no changes.</p>")
    rows = [
        (_escape(change["text"]), str(len(change["hosts"]) or NOTHING), _escape(abbreviate(change["hosts"])))
        for change in before["changes"]
    ]
    return _build_section("Changes", f"{since}</p>" + _build_table(("What", "Hosts", "Which"), rows, "Changes"))


def _build_cohorts(source: Document, hosts: t.Sequence[Document]) -> str:
    """:param source: the plan or the rollout; ``hosts``: with their outcomes, if there are any."""
    kinds = sorted({host["outcome"] for host in hosts if host["cohort"]})
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for host in hosts:
        counts[host["cohort"]][host["outcome"]] += 1
    rows = [
        (
            f"<code>{_escape(cohort['id'])}</code>",
            _build_release(cohort["release"]),
            f"<code>{_escape(shorten_build_id(cohort['build_id']))}</code>",
            _escape(f"{NOTHING if cohort['level'] is None else cohort['level']} → {cohort['kmp']}"),
            str(cohort["hosts"]),
            _escape(abbreviate(cohort["canaries"], 3) or NOTHING),
            _escape(abbreviate(cohort["reserves"], 3) or NOTHING),
            *(str(counts[cohort["id"]][kind]) for kind in kinds),
        )
        for cohort in source["cohorts"]
    ]
    head = ("Cohort", "Kernel", "Build ID", "From level to KMP", "Hosts", "Canaries", "Reserves", *kinds)
    return _build_section("Cohorts", _build_table(head, rows, "Cohorts"))


def _build_problems(document: Document) -> str:
    alike: dict[str, list[str]] = {}
    # Failures first, hosts that are only pending last
    for host in sorted(document["hosts"], key=lambda host: host["outcome"] in ("pending", "skipped")):
        for problem in host["problems"]:
            alike.setdefault(problem, []).append(host["name"])
    rows = [(_escape(problem), str(len(names)), _escape(abbreviate(names, 5))) for problem, names in alike.items()]
    return _build_section("Problems", _build_table(("Problem", "Hosts", "Which"), rows, "Problems")) if rows else ""


def _build_domains(document: Document) -> str:
    """The failure domains in which hosts failed, and those in which hosts are still pending."""
    key = "outcome" if document["rollout"] else "state"
    moods: dict[str, set[str]] = collections.defaultdict(set)
    compliant: collections.Counter[str] = collections.Counter()
    hosts: collections.Counter[str] = collections.Counter()
    for host in document["hosts"]:
        is_compliant = host["up_to_date"] is True
        for domain in host["domains"]:
            hosts[domain] += 1
            compliant[domain] += is_compliant
            moods[domain].add("good" if is_compliant else _MOODS.get(host[key], "bad"))
    tiles = "".join(
        f'<li class="{_find_worst_mood(moods[name])}">{_escape(name)}: {compliant[name]} of {count} compliant</li>'
        for name, count in sorted(hosts.items())
    )
    return _build_section("Failure domains", f'<ul class="map">{tiles}</ul>') if tiles else ""


def _find_worst_mood(moods: t.Collection[str]) -> str:
    return "bad" if "bad" in moods else "good" if set(moods) == {"good"} else "warn"


def _build_cves(document: Document) -> str:
    open_ = collections.Counter(cve for host in document["hosts"] for cve in host["cves_open"] or ())
    fixed = collections.Counter(cve for host in document["hosts"] for cve in host["cves_fixed"] or ())
    # What is open on these hosts is unknown; what is fixed there is known.
    unknown = [host["cves_fixed"] or () for host in document["hosts"] if host["cves_open"] is None]
    rows = [
        (
            _build_filter_button("cve", cve, cve),
            _build_count(open_[cve]),
            str(fixed[cve]),
            str(sum(cve not in known for known in unknown)),
        )
        for cve in sorted({*open_, *fixed}, key=lambda cve: (-open_[cve], cve))
    ]
    head = ("CVE", "Open on hosts", "Fixed on hosts", "Unknown on hosts")
    return _build_section("CVEs", _build_table(head, rows, "CVEs")) if rows else ""


def _build_count(count: int) -> str:
    return f'<span class="bad">{count}</span>' if count else "0"


def _build_calendar(document: Document) -> str:
    days: dict[str, list[str]] = {}
    for host in document["hosts"]:
        if host["covered_until"]:
            days.setdefault(host["covered_until"], []).append(host["name"])
    rows = [(_escape(day), str(len(names)), _escape(abbreviate(names, 5))) for day, names in sorted(days.items())]
    head = ("Live patches end", "Hosts", "Which")
    return _build_section("Reboots into a newer kernel", _build_table(head, rows, "Reboots")) if rows else ""
