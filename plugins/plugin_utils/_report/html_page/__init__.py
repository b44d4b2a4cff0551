# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as one HTML file that needs nothing else: no network, no server. PRIVATE to the collection. Pure, but for
its own parts, which it reads.

What changes with the reader's choice, the table of hosts, is drawn by page.js from the data; the rest is drawn here, so
that it is there without JavaScript too.
"""

from __future__ import annotations

import collections
import functools
import html
import json
import typing as t
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import (
    NOTHING,
    abbreviate,
    format_count,
    format_time,
    shorten_build_id,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import status
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
    meta = [document["made"].replace("T", " ").replace("+00:00", " UTC"), f"scope {document['scope']}"]
    if rollout:
        meta += [f"rollout {rollout['id']}", f"plan {rollout['plan']}"]
    if plan:
        meta += [f"plan {plan['hash']}"]
    sections = [_tiles(document)]
    if rollout:
        sections += [_waves(rollout), _migrations(document), _gates(rollout), _cohorts(rollout, document["hosts"])]
    if plan:
        sections += [_planned_waves(plan), _changes(plan["before"]), _cohorts(plan, [])]
    sections += [_problems(document), _domains(document), _cves(document), _calendar(document)]
    parts = {
        "title": _text(f"Live patches: {document['of']}, {document['made'][:10]}"),
        "class": "well" if document["well"] else "ill",
        "kind": _text(_KINDS[document["of"]]),
        "verdict": _text(document["verdict"]),
        "meta": _text(" · ".join(meta)),
        "body": "\n".join(section for section in sections if section),
        # What would end the element that it is in
        "data": json.dumps(document, separators=(",", ":")).replace("<", "\\u003c"),
        "style": _part("page.css"),
        "script": _part("page.js"),
    }
    page = _part("page.html")
    # One pass: what is put in is not looked at again.
    head, *rest = page.split("{{")
    return head + "".join(parts[name] + after for name, _end, after in (piece.partition("}}") for piece in rest))


@functools.lru_cache(maxsize=3)
def _part(name: str) -> str:
    """Without the licence, which is that of the part and not of what is reported."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8").partition("\n\n")[2]


def _text(value: t.Any) -> str:
    return html.escape(str(value))


def _section(title: str, body: str) -> str:
    name = title.lower().replace(" ", "-")
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{_text(title)}</h2>\n{body}\n</section>'


def _table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[str]], label: str) -> str:
    """Cells are HTML. The first of a row is its head."""
    lines = ["".join(f'<th scope="col">{_text(title)}</th>' for title in head)]
    for first, *others in rows:
        cells = "".join(f"<td>{one}</td>" for one in others)
        lines.append(f'<th scope="row">{first}</th>{cells}')
    body = "\n".join(f"<tr>{line}</tr>" for line in lines[1:])
    region = f'<div class="wide" tabindex="0" role="region" aria-label="{_text(label)}, as a table">'
    return f"{region}<table><thead><tr>{lines[0]}</tr></thead><tbody>\n{body}\n</tbody></table></div>"


def _mood(value: str) -> str:
    return f'<span class="{_MOODS.get(value, "bad")}">{_text(value)}</span>'


def _kernel(release: str) -> str:
    """It has hyphens at which browsers would break it into three lines."""
    return f'<span class="kernel">{_text(release)}</span>'


def _show(filter_: str, value: str, text: str) -> str:
    """A button that shows just these hosts."""
    return f'<button type="button" class="link" data-show="{filter_}={_text(value)}">{_text(text)}</button>'


def _tiles(document: Document) -> str:
    key, order = ("outcome", ()) if document["rollout"] else ("state", status.STATES)
    counts = collections.Counter(host[key] for host in document["hosts"])
    names = sorted(counts, key=lambda name: (order.index(name) if name in order else -1, -counts[name], name))
    tiles = "".join(f"<li><b>{counts[name]}</b>{_show(key, name, name)}</li>" for name in names)
    return f'<ul class="tiles" aria-label="Hosts by {key}">{tiles}</ul>'


def _waves(rollout: Document) -> str:
    rows = [
        (
            _text(wave["name"]),
            str(wave["hosts"]),
            _mood(wave["verdict"]) if wave["verdict"] else '<span class="none">not judged</span>',
            ", ".join(f"{count} {_text(kind)}" for kind, count in sorted(wave["outcomes"].items())),
            _text(wave["text"] or ""),
        )
        for wave in rollout["waves"]
    ]
    table = _table(("Wave", "Hosts", "Gate", "Outcomes", "What was said"), rows, "Waves")
    return _section("Waves", charts.timeline(rollout["waves"]) + table)


def _migrations(document: Document) -> str:
    timed = [(host["seconds"], host["name"]) for host in document["hosts"] if host["seconds"] is not None]
    if not timed:
        return ""
    slow = ", ".join(f"{_text(name)} {seconds} s" for seconds, name in sorted(timed, reverse=True)[:_SLOWEST])
    body = charts.histogram([seconds for seconds, _name in timed]) + f"<p>Slowest: {slow}</p>"
    return _section("Seconds that kernels took to migrate", body)


def _gates(rollout: Document) -> str:
    rows = [
        (
            _text(charts.clock(gate["at"])),
            _text(rollout["waves"][gate["wave"]]["name"] if gate["wave"] is not None else "-"),
            _text(gate["name"] or "hosts"),
            _mood("skipped" if gate["skipped"] else gate["verdict"]),
            _text(gate["skipped"] or gate["text"]) + _measurements(gate["measurements"]),
        )
        for gate in rollout["gates"]
        if gate["of"] != "wave"
    ]
    return _section("Gates", _table(("Time", "Wave", "Gate", "Verdict", "Why"), rows, "Gates")) if rows else ""


def _measurements(measured: t.Sequence[t.Mapping[str, t.Any]] | None) -> str:
    if not measured:
        return ""
    lines = "<br>".join(
        _text(" ".join(f"{key}={value}" for key, value in one.items() if value is not None)) for one in measured
    )
    return f"<details><summary>{format_count(measured, 'measurement')}</summary><code>{lines}</code></details>"


def _planned_waves(plan: Document) -> str:
    rows = [(_text(wave["name"]), str(len(wave["hosts"])), _text(abbreviate(wave["hosts"]))) for wave in plan["waves"]]
    return _section("Waves", _table(("Wave", "Hosts", "Which"), rows, "Waves"))


def _changes(before: Document | None) -> str:
    if before is None:
        return ""
    since = f"<p>Since the plan <code>{_text(before['hash'])}</code> of {_text(format_time(before['saved']))}"
    if not before["changes"]:
        return _section("Changes", f"{since} nothing has changed.</p>")
    rows = [
        (_text(one["text"]), str(len(one["hosts"]) or NOTHING), _text(abbreviate(one["hosts"])))
        for one in before["changes"]
    ]
    return _section("Changes", f"{since}</p>" + _table(("What", "Hosts", "Which"), rows, "Changes"))


def _cohorts(followed: Document, hosts: t.Sequence[Document]) -> str:
    """:param followed: the plan, or the rollout of one; ``hosts``: with their outcomes, if they have some."""
    kinds = sorted({host["outcome"] for host in hosts if host["cohort"]})
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for host in hosts:
        counts[host["cohort"]][host["outcome"]] += 1
    rows = [
        (
            f"<code>{_text(one['id'])}</code>",
            _kernel(one["release"]),
            f"<code>{_text(shorten_build_id(one['build_id']))}</code>",
            _text(f"{NOTHING if one['level'] is None else one['level']} → {one['kmp']}"),
            str(one["hosts"]),
            _text(abbreviate(one["canaries"], 3) or NOTHING),
            *(str(counts[one["id"]][kind]) for kind in kinds),
        )
        for one in followed["cohorts"]
    ]
    head = ("Cohort", "Kernel", "Build ID", "From level to KMP", "Hosts", "Canaries", *kinds)
    return _section("Cohorts", _table(head, rows, "Cohorts"))


def _problems(document: Document) -> str:
    alike: dict[str, list[str]] = {}
    # What went wrong before who has only not had their turn
    for host in sorted(document["hosts"], key=lambda host: host["outcome"] in ("pending", "skipped")):
        for problem in host["problems"]:
            alike.setdefault(problem, []).append(host["name"])
    rows = [(_text(problem), str(len(names)), _text(abbreviate(names, 5))) for problem, names in alike.items()]
    return _section("Problems", _table(("What to look at", "Hosts", "Which"), rows, "Problems")) if rows else ""


def _domains(document: Document) -> str:
    """Where in the data centres something went wrong, and where hosts are that have only not had their turn."""
    key = "outcome" if document["rollout"] else "state"
    moods: dict[str, set[str]] = collections.defaultdict(set)
    well: collections.Counter[str] = collections.Counter()
    whole: collections.Counter[str] = collections.Counter()
    for host in document["hosts"]:
        good = host["up_to_date"] is True
        for domain in host["domains"]:
            whole[domain] += 1
            well[domain] += good
            moods[domain].add("good" if good else _MOODS.get(host[key], "bad"))
    tiles = "".join(
        f'<li class="{_worst(moods[name])}">{_text(name)}: {well[name]} of {count} well</li>'
        for name, count in sorted(whole.items())
    )
    return _section("Failure domains", f'<ul class="map">{tiles}</ul>') if tiles else ""


def _worst(moods: t.Collection[str]) -> str:
    return "bad" if "bad" in moods else "good" if set(moods) == {"good"} else "warn"


def _cves(document: Document) -> str:
    open_ = collections.Counter(cve for host in document["hosts"] for cve in host["cves_open"] or ())
    fixed = collections.Counter(cve for host in document["hosts"] for cve in host["cves_fixed"] or ())
    # Of what else is open on these nobody knows; what is fixed there is.
    silent = [host["cves_fixed"] or () for host in document["hosts"] if host["cves_open"] is None]
    rows = [
        (_show("cve", cve, cve), _number(open_[cve]), str(fixed[cve]), str(sum(cve not in known for known in silent)))
        for cve in sorted({*open_, *fixed}, key=lambda cve: (-open_[cve], cve))
    ]
    head = ("CVE", "Hosts where it is open", "Hosts where it is fixed", "Hosts of which it is not known")
    return _section("CVEs", _table(head, rows, "CVEs")) if rows else ""


def _number(count: int) -> str:
    return f'<span class="bad">{count}</span>' if count else "0"


def _calendar(document: Document) -> str:
    days: dict[str, list[str]] = {}
    for host in document["hosts"]:
        if host["covered_until"]:
            days.setdefault(host["covered_until"], []).append(host["name"])
    rows = [(_text(day), str(len(names)), _text(abbreviate(names, 5))) for day, names in sorted(days.items())]
    head = ("Live patches end", "Hosts", "Which")
    return _section("Reboots into a newer kernel that are due", _table(head, rows, "Reboots")) if rows else ""
