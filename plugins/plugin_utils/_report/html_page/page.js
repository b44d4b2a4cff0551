/*
Copyright (c) 2026 fleet.livepatch contributors
GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
*/

"use strict";
(() => {
  const report = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const PAGE = 200;
  let limit = PAGE;
  const opened = new Set();

  const rollout = report.rollout !== null;
  const columns = [
    ["Host", (h) => h.name],
    ["State", (h) => h.state],
    ...(rollout ? [["Outcome", (h) => h.outcome], ["Wave", (h) => h.wave], ["Seconds", (h) => h.seconds]] : []),
    ["Kernel", (h) => h.release],
    ["Build ID", (h) => h.build_id && h.build_id.slice(0, 12)],
    ["Level", (h) => (h.wanted !== null && h.wanted !== h.level ? `${h.level ?? "-"} → ${h.wanted}` : h.level)],
    ["Open CVEs", (h) => h.cves_open && h.cves_open.length],
    ["Next boot", (h) => (h.persistent === null ? null : h.persistent ? "keeps it" : "loses it")],
    ["Covered until", (h) => h.covered_until],
  ];
  const mood = {
    patched: "good", baseline: "good", done: "good", unchanged: "good",
    outdated: "warn", unpatched: "warn", installed: "warn", transitioning: "warn", skipped: "idle", pending: "warn",
    not_covered: "idle", "loses it": "warn",
  };

  // Worst first, then by name, the order of the data
  const rankValue = (value) => (value === null ? 2 : ["warn", "idle", "good"].indexOf(mood[value]));
  const rank = (h) => Math.min(rankValue(h.outcome), rankValue(h.state));
  report.hosts.sort((left, right) => rank(left) - rank(right));

  // The searchable text, built once: thousands of hosts are filtered at each key press.
  const text = new Map(report.hosts.map((h) => [h, [
    h.name, h.state, h.outcome, h.release, h.build_id, h.kmp, h.cohort, ...h.domains, ...h.problems,
    ...(h.cves_open || []), ...(h.cves_fixed || []),
  ].join("\n").toLowerCase()]));

  const element = (name, options = {}, ...children) => {
    const node = Object.assign(document.createElement(name), options);
    node.append(...children);
    return node;
  };

  const addChoices = (select, values) => select.append(...values.map((value) => element("option", { value }, value)));
  const collect = (key) => [...new Set(report.hosts.flatMap((h) => h[key] || []))].sort();
  addChoices(at("state"), collect("state"));
  addChoices(at("outcome"), collect("outcome"));
  at("outcome-label").hidden = !rollout;
  addChoices(at("cve"), [...new Set([...collect("cves_open"), ...collect("cves_fixed")])].sort());

  at("table").querySelector("thead").append(
    element("tr", {}, ...columns.map(([title]) => element("th", { scope: "col" }, title))));

  const filterHosts = () => {
    const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [state, outcome, cve] = ["state", "outcome", "cve"].map((id) => at(id).value);
    return report.hosts.filter((h) => (!state || h.state === state) && (!outcome || h.outcome === outcome)
      && (!cve || (h.cves_open || []).includes(cve) || (h.cves_fixed || []).includes(cve))
      && words.every((word) => text.get(h).includes(word)));
  };

  const buildDetail = (h) => {
    const rows = [];
    const row = (title, value) => {
      if (value !== null && value !== undefined && value !== "" && !(Array.isArray(value) && !value.length)) {
        rows.push(element("dt", {}, title), element("dd", {}, Array.isArray(value) ? value.join(", ") : String(value)));
      }
    };
    row("reason", h.reason);
    for (const problem of h.problems) row("problem", problem);
    row("address", h.address);
    row("build ID", h.build_id);
    row("KMP", h.kmp);
    row("drift", h.drift && `no rollout of scope ${report.scope} has put ${h.drift.kmp} there`);
    row("open CVEs", h.cves_open);
    row("fixed CVEs", h.cves_fixed);
    row("days overdue", h.overdue_days);
    row("cohort", h.cohort);
    row("canary", h.canary);
    row("failure domains", h.domains);
    for (const [key, value] of Object.entries(h.evidence)) row(key.replaceAll("_", " "), value);
    return element("dl", {}, ...rows);
  };

  const buildLines = (h, number) => {
    const id = `detail-${number}`;
    const open = opened.has(h.name);
    const cells = columns.map(([title, getValue], place) => {
      const value = getValue(h);
      const cell = element(place ? "td" : "th", place ? {} : { scope: "row" });
      if (!place) {
        const button = element("button", { type: "button", className: "link" }, h.name);
        button.setAttribute("aria-expanded", String(open));
        button.setAttribute("aria-controls", id);
        button.dataset.host = h.name;
        cell.append(button);
      } else if (value === null || value === undefined) {
        cell.append(element("span", { className: "none" }, "-"));
      } else {
        const kernel = title === "Kernel" && "kernel";
        const named = ["State", "Outcome", "Next boot"].includes(title) && value !== "keeps it";
        const className = kernel || (named && (mood[value] || "bad"));
        cell.append(className ? element("span", { className }, value) : String(value));
      }
      return cell;
    });
    const more = element("tr", { id, className: "detail", hidden: !open },
      element("td", { colSpan: columns.length }, ...(open ? [buildDetail(h)] : [])));
    return [element("tr", {}, ...cells), more];
  };

  const draw = () => {
    const hosts = filterHosts();
    at("table").querySelector("tbody").replaceChildren(...hosts.slice(0, limit).flatMap(buildLines));
    at("count").textContent = `${hosts.length} of ${report.hosts.length} hosts`;
    at("more").hidden = hosts.length <= limit;
  };

  at("table").addEventListener("click", (event) => {
    const name = event.target.dataset && event.target.dataset.host;
    if (!name) return;
    if (!opened.delete(name)) opened.add(name);
    draw();
    at("table").querySelector(`button[data-host="${CSS.escape(name)}"]`).focus();
  });
  const redraw = () => { limit = PAGE; draw(); };
  at("filters").addEventListener("input", redraw);
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("filters").addEventListener("reset", () => setTimeout(redraw));
  at("more").addEventListener("click", () => { limit += PAGE; draw(); });
  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("[data-show]") : null;
    if (!button) return;
    at("filters").reset();
    const [id, value] = button.dataset.show.split("=");
    at(id).value = value;
    setTimeout(() => { redraw(); at("hosts").scrollIntoView(); at(id).focus(); });
  });
  // Paper has no buttons.
  addEventListener("beforeprint", () => { limit = Infinity; draw(); });
  addEventListener("afterprint", redraw);
  draw();
})();
