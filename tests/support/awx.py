# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for the API of AWX 24.6.1 that keeps objects.

It knows the names, types and required fields of that version's serializers (``awx/api/serializers.py``) as far as the
role ``awx`` uses them, and refuses what AWX refuses. What AWX only leaves out of account, a field that it does
not know, is refused too.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import typing as t
import urllib.parse
from collections.abc import Callable, Collection, Iterable

from tests.support.web import Asked

Object = dict[str, t.Any]
_ROOT = "/api/v2/"
_HIDDEN = "$encrypted$"


@dataclasses.dataclass(frozen=True)
class Field:
    """``type``: a Python type, or the endpoint of the object that is meant by its ID."""

    type: t.Any
    default: t.Any = None
    required: bool = False
    choices: Collection[str] = ()


def _text(*choices: str, required: bool = False) -> Field:
    return Field(str, choices[0] if choices else "", required, choices)


_NAMED = {"name": _text(required=True), "description": _text()}
_FLAG, _NUMBER, _DATA = Field(bool, False), Field(int, 0), Field(dict, {})
_IN_ORGANIZATION = {**_NAMED, "organization": Field("organizations")}
_ASKED_FOR = ("variables", "limit", "inventory", "credential", "scm_branch", "job_slice_count", "timeout")

FIELDS: dict[str, dict[str, Field]] = {
    "organizations": _NAMED,
    "teams": {**_NAMED, "organization": Field("organizations", required=True)},
    "inventories": {**_NAMED, "organization": Field("organizations", required=True)},
    "execution_environments": {
        **_IN_ORGANIZATION,
        "image": _text(required=True),
        "pull": _text("", "always", "missing", "never"),
        "credential": Field("credentials"),
    },
    "credential_types": {
        **_NAMED,
        "kind": _text("", "net", "cloud", "ssh"),
        "managed": _FLAG,
        "inputs": _DATA,
        "injectors": _DATA,
    },
    "credentials": {
        **_IN_ORGANIZATION,
        "credential_type": Field("credential_types", required=True),
        "inputs": _DATA,
    },
    "projects": {
        **_IN_ORGANIZATION,
        "scm_type": _text("", "git", "svn", "insights", "archive"),
        "scm_url": _text(),
        "scm_branch": _text(),
        "credential": Field("credentials"),
        "scm_update_on_launch": _FLAG,
        "default_environment": Field("execution_environments"),
    },
    "notification_templates": {
        **_NAMED,
        "organization": Field("organizations", required=True),
        "notification_type": _text("email", "slack", "webhook", required=True),
        "notification_configuration": _DATA,
    },
    "job_templates": {
        **_IN_ORGANIZATION,
        "job_type": _text("run", "check"),
        "project": Field("projects", required=True),
        "playbook": _text(required=True),
        "inventory": Field("inventories"),
        "execution_environment": Field("execution_environments"),
        "extra_vars": _text(),
        **{f"ask_{name}_on_launch": _FLAG for name in _ASKED_FOR},
        "survey_enabled": _FLAG,
        "use_fact_cache": _FLAG,
        "job_slice_count": Field(int, 1),
        "allow_simultaneous": _FLAG,
        "forks": _NUMBER,
        "timeout": _NUMBER,
        "limit": _text(),
        "verbosity": _NUMBER,
    },
    "workflow_job_templates": {
        **_IN_ORGANIZATION,
        "extra_vars": _text(),
        "inventory": Field("inventories"),
        "allow_simultaneous": _FLAG,
        "survey_enabled": _FLAG,
    },
    "workflow_job_template_nodes": {
        "workflow_job_template": Field("workflow_job_templates", required=True),
        "identifier": _text(required=True),
        "unified_job_template": Field("unified_job_templates"),
    },
    "workflow_approval_templates": {**_NAMED, "timeout": _NUMBER},
    "schedules": {
        **_NAMED,
        "rrule": _text(required=True),
        "unified_job_template": Field("unified_job_templates", required=True),
        "enabled": Field(bool, True),
        "extra_data": _DATA,
    },
}
_UNIFIED = ("job_templates", "workflow_job_templates", "projects", "workflow_approval_templates")
_NOTICES = tuple(f"notification_templates_{event}" for event in ("started", "success", "error"))
_FOLLOWING = ("success_nodes", "failure_nodes", "always_nodes")
_ASSOCIATIONS = {
    "job_templates": ("credentials", *_NOTICES),
    "workflow_job_templates": (*_NOTICES, "notification_templates_approvals"),
    "projects": _NOTICES,
    "workflow_job_template_nodes": ("credentials", *_FOLLOWING),
}
_ROLES = {
    "job_templates": ("admin_role", "execute_role", "read_role"),
    "workflow_job_templates": ("admin_role", "execute_role", "read_role", "approval_role"),
}
# What a notification of this type has to be told (awx/main/notifications)
_CONFIGURATION = {
    "webhook": {"url", "http_method", "headers"},
    "slack": {"token", "channels"},
    "email": {"host", "port", "username", "password", "use_tls", "use_ssl", "sender", "recipients", "timeout"},
}
_SECRET = {"token", "password"}
_QUESTIONS = ("text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float")


class Refused(Exception):
    """What the API answers with an error."""

    def __init__(self, status: int, **problems: t.Any) -> None:
        super().__init__(problems)
        self.status = status
        self.problems = problems


class Awx:
    """:param playbooks: what is found in each project."""

    def __init__(self, playbooks: Iterable[str]) -> None:
        self.playbooks = set(playbooks)
        self._numbers = itertools.count(1)
        self.objects: dict[str, dict[int, Object]] = {kind: {} for kind in FIELDS}
        # By endpoint and ID, then by association, the IDs of what belongs to it
        self._linked: dict[tuple[str, int], dict[str, set[int]]] = {}
        self._surveys: dict[int, Object] = {}
        self._members: dict[int, set[int]] = {}
        self.changes: list[str] = []

    def add(self, kind: str, /, **fields: t.Any) -> int:
        """An object that was there before."""
        return int(self._create(kind, fields)["id"])

    def named(self, kind: str) -> dict[str, Object]:
        """The objects of a kind."""
        return {_name_of(one): one for one in self.objects[kind].values()}

    def linked(self, kind: str, name: str, association: str) -> list[str]:
        """The names of what belongs to an object."""
        there = self._linked.get((kind, self.named(kind)[name]["id"]), {}).get(association, set())
        where = _kind_of(association)
        return sorted(_name_of(self.objects[where][one]) for one in there)

    def survey(self, name: str) -> Object:
        return self._surveys[self.named("job_templates")[name]["id"]]

    def may(self, kind: str, name: str, role: str) -> list[str]:
        """The teams that have a role."""
        number = _role_id(self.named(kind)[name]["id"], role)
        return sorted(self.objects["teams"][team]["name"] for team in self._members.get(number, ()))

    def answer(self, asked: Asked) -> tuple[int, str]:
        """Of the web server that stands for AWX."""
        if not asked.headers.get("Authorization"):
            return 401, json.dumps({"detail": "Authentication credentials were not provided."})
        try:
            status, told = self._answer(asked)
        except Refused as refusal:
            return refusal.status, json.dumps(refusal.problems)
        return status, "" if told is None else json.dumps(told)

    def _answer(self, asked: Asked) -> tuple[int, t.Any]:
        url = urllib.parse.urlsplit(asked.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        parts = [urllib.parse.unquote(part) for part in url.path.removeprefix(_ROOT).strip("/").split("/")]
        body = json.loads(asked.body) if asked.body else {}
        if asked.method != "GET":
            self.changes.append(f"{asked.method} {url.path}")
        kind, *rest = parts
        if kind == "roles":
            return self._role(asked.method, int(rest[0]), body)
        if kind == "unified_job_templates" and not rest:
            every = [(one, there) for one in _UNIFIED for there in self.objects[one].values()]
            found = [{"organization": None, **self._shown(one, there)} for one, there in every]
            return 200, _page(_matching(found, query))
        if kind not in FIELDS:
            raise Refused(404, detail="Not found.")
        if not rest:
            if asked.method == "POST":
                return 201, self._create(kind, body)
            return 200, _page(_matching([self._shown(kind, one) for one in self.objects[kind].values()], query))
        number = int(rest[0])
        if number not in self.objects[kind]:
            raise Refused(404, detail="Not found.")
        if len(rest) > 1:
            return self._belonging(asked.method, kind, number, rest[1], body)
        if asked.method == "PATCH":
            self._change(kind, self.objects[kind][number], body)
        elif asked.method == "DELETE":
            self._delete(kind, number)
            return 204, None
        return 200, self._shown(kind, self.objects[kind][number])

    def _create(self, kind: str, given: t.Mapping[str, t.Any]) -> Object:
        given = {key: value for key, value in given.items() if key != "type"}
        missing = [name for name, field in FIELDS[kind].items() if field.required and given.get(name) in (None, "")]
        if missing:
            raise Refused(400, **{name: ["This field is required."] for name in missing})
        made: Object = {"id": next(self._numbers), **{name: field.default for name, field in FIELDS[kind].items()}}
        self._change(kind, made, given)
        self.objects[kind][made["id"]] = made
        return self._shown(kind, made)

    def _change(self, kind: str, one: Object, given: t.Mapping[str, t.Any]) -> None:
        changed = {**one, **{key: value for key, value in given.items() if key != "type"}}
        for name, value in changed.items():
            if name != "id":
                self._check(kind, name, value)
        twins = [other for other in self.objects[kind].values() if other["id"] != one["id"] and _same(other, changed)]
        if twins:
            raise Refused(400, __all__=[f"{kind}: one of that name already exists."])
        check = _CHECKS.get(kind)
        if check is not None:
            check(self, changed)
        kept = one.get("inputs") or one.get("notification_configuration") or {}
        for secrets in ("inputs", "notification_configuration"):
            if changed.get(secrets):
                changed[secrets] = {
                    key: kept.get(key) if value == _HIDDEN else value for key, value in changed[secrets].items()
                }
        one.update(changed)

    def _check(self, kind: str, name: str, value: t.Any) -> None:
        field = FIELDS[kind].get(name)
        if field is None:
            raise Refused(400, **{name: ["This field is not known."]})
        if isinstance(field.type, str):
            there = {
                number
                for where in (_UNIFIED if field.type == "unified_job_templates" else (field.type,))
                for number in self.objects[where]
            }
            if value is not None and value not in there:
                raise Refused(400, **{name: [f'Invalid pk "{value}" - object does not exist.']})
        elif not isinstance(value, field.type) or (field.type is int and isinstance(value, bool)):
            raise Refused(400, **{name: [f"Not a valid {field.type.__name__}: {value!r}"]})
        elif field.choices and value not in field.choices:
            raise Refused(400, **{name: [f'"{value}" is not a valid choice.']})

    def _delete(self, kind: str, number: int) -> None:
        if kind == "credential_types" and any(
            one["credential_type"] == number for one in self.objects["credentials"].values()
        ):
            raise Refused(403, detail="Credential types that are in use cannot be deleted")
        del self.objects[kind][number]
        self._surveys.pop(number, None)
        self._linked.pop((kind, number), None)
        for links in self._linked.values():
            for association, there in links.items():
                if _kind_of(association) == kind:
                    there.discard(number)
        for owner in _ROLES.get(kind, ()):
            self._members.pop(_role_id(number, owner), None)
        if kind in _UNIFIED:
            self._cascade("schedules", "unified_job_template", number)
        if kind == "workflow_job_templates":
            self._cascade("workflow_job_template_nodes", "workflow_job_template", number)
        if kind == "workflow_job_template_nodes":
            # What is asked for there exists nowhere else.
            nodes = self.objects[kind].values()
            needed = {one["unified_job_template"] for one in nodes}
            for approval in set(self.objects["workflow_approval_templates"]) - needed:
                del self.objects["workflow_approval_templates"][approval]
        for where, fields in FIELDS.items():
            for name, field in fields.items():
                if field.type == kind or (field.type == "unified_job_templates" and kind in _UNIFIED):
                    for one in self.objects[where].values():
                        one[name] = None if one[name] == number else one[name]

    def _cascade(self, kind: str, field: str, number: int) -> None:
        for one in [one for one in self.objects[kind].values() if one[field] == number]:
            self._delete(kind, one["id"])

    def _belonging(self, method: str, kind: str, number: int, what: str, body: Object) -> tuple[int, t.Any]:
        if what == "survey_spec" and kind == "job_templates":
            if method == "GET":
                return 200, self._surveys.get(number, {})
            self._surveys[number] = {} if method == "DELETE" else _checked_survey(body)
            return 200, None
        if what == "create_approval_template" and kind == "workflow_job_template_nodes":
            made = self._create("workflow_approval_templates", body)
            self.objects[kind][number]["unified_job_template"] = made["id"]
            return 201, made
        if what not in _ASSOCIATIONS.get(kind, ()):
            raise Refused(404, detail="Not found.")
        links = self._linked.setdefault((kind, number), {}).setdefault(what, set())
        where = _kind_of(what)
        if method == "GET":
            return 200, _page([self._shown(where, self.objects[where][one]) for one in sorted(links)])
        _link(links, body, self.objects[where])
        return 204, None

    def _role(self, method: str, number: int, body: Object) -> tuple[int, t.Any]:
        members = self._members.setdefault(number, set())
        if method == "GET":
            return 200, _page([self._shown("teams", self.objects["teams"][one]) for one in sorted(members)])
        _link(members, body, self.objects["teams"])
        return 204, None

    def _shown(self, kind: str, one: Object) -> Object:
        url = f"{_ROOT}{kind}/{one['id']}/"
        shown = {**one, "type": kind[:-1], "url": url, "related": {}, "summary_fields": {}}
        if kind == "job_templates":
            shown["related"]["survey_spec"] = f"{url}survey_spec/"
        if kind == "projects":
            shown["scm_revision"] = "d1de8cc"
        if kind == "workflow_job_template_nodes" and one["unified_job_template"]:
            where = next(kind for kind in _UNIFIED if one["unified_job_template"] in self.objects[kind])
            shown["related"]["unified_job_template"] = f"{_ROOT}{where}/{one['unified_job_template']}/"
        if kind in _ROLES:
            roles = {role: {"id": _role_id(one["id"], role)} for role in _ROLES[kind]}
            shown["summary_fields"]["object_roles"] = roles
        if kind == "credentials":
            fields = self.objects["credential_types"][one["credential_type"]]["inputs"].get("fields", ())
            shown["inputs"] = _masked(one["inputs"], {field["id"] for field in fields if field.get("secret")})
        if kind == "notification_templates":
            shown["notification_configuration"] = _masked(one["notification_configuration"], _SECRET)
        return shown


def _name_of(one: Object) -> str:
    """A node has an identifier instead."""
    return str(one.get("name") or one["identifier"])


def _kind_of(association: str) -> str:
    if association.endswith("_nodes"):
        return "workflow_job_template_nodes"
    return "notification_templates" if association.startswith("notification_templates") else association


def _role_id(number: int, role: str) -> int:
    return number * 10 + sorted({name for roles in _ROLES.values() for name in roles}).index(role)


def _same(one: Object, other: Object) -> bool:
    keys = ["name", "identifier", "organization", "workflow_job_template", "credential_type"]
    # A node is itself by its identifier, whatever it starts.
    keys += [] if "identifier" in one else ["unified_job_template"]
    return all(one.get(key) == other.get(key) for key in keys)


def _link(links: set[int], body: Object, there: Collection[int]) -> None:
    if body["id"] not in there:
        raise Refused(400, msg=f"There is no {body['id']}")
    if body.get("disassociate"):
        links.discard(body["id"])
    else:
        links.add(body["id"])


def _page(results: list[Object]) -> Object:
    return {"count": len(results), "next": None, "previous": None, "results": results}


def _matching(found: list[Object], query: t.Mapping[str, str]) -> list[Object]:
    for key in query:
        if not key.startswith("or__") and any(key not in one for one in found):
            raise Refused(400, detail=f"{key} is not a field")
    return [one for one in found if all(str(one[key]) == value for key, value in query.items())]


def _masked(inputs: Object, secret: Collection[str]) -> Object:
    return {key: _HIDDEN if key in secret and value else value for key, value in inputs.items()}


def _checked_survey(survey: Object) -> Object:
    """What ``awx/api/views/__init__.py`` insists on."""
    for key, type_ in (("name", str), ("description", str), ("spec", list)):
        if not isinstance(survey.get(key), type_):
            raise Refused(400, error=f"'{key}' missing or not a {type_.__name__}")
    for question in survey["spec"]:
        for key in ("type", "question_name", "variable", "required"):
            if key not in question:
                raise Refused(400, error=f"'{key}' missing from survey question {question}")
        if question["type"] not in _QUESTIONS or not isinstance(question["required"], bool):
            raise Refused(400, error=f"survey question {question} is not valid")
        choices = question.get("choices")
        if question["type"].startswith("multi") and not choices:
            raise Refused(400, error=f"choices missing from survey question {question}")
        if choices and question.get("default") and question["default"] not in choices:
            raise Refused(400, error="default choice must be answered from the choices listed")
    return survey


def _schedule(_awx: Awx, schedule: Object) -> None:
    """What ``SchedulePreviewSerializer.validate_rrule`` insists on."""
    rrule = schedule["rrule"]
    problems = [
        problem
        for found, problem in (
            (re.findall(r"DTSTART(?:;TZID=[^:]+)?:\d{8}T\d{6}Z?", rrule), "Valid DTSTART required in rrule."),
            (re.findall(r"RRULE:", rrule), "One or more rule required in rrule."),
        )
        if not found
    ]
    for rule in re.findall(r"(?:EX|R)RULE:([^\s]*)", rrule):
        if "INTERVAL" not in rule:
            problems.append("INTERVAL required in rrule.")
        if "SECONDLY" in rule:
            problems.append("SECONDLY is not supported.")
        if "TZID" in rule:
            problems.append("TZID is not supported in a rule.")
    if problems:
        raise Refused(400, rrule=problems)


def _notification(_awx: Awx, template: Object) -> None:
    kind = template["notification_type"]
    missing = _CONFIGURATION[kind] - set(template["notification_configuration"])
    if missing:
        raise Refused(400, notification_configuration=[f"Missing required fields: {sorted(missing)}"])


def _credential(awx: Awx, credential: Object) -> None:
    fields = awx.objects["credential_types"][credential["credential_type"]]["inputs"].get("fields", ())
    unknown = set(credential["inputs"]) - {field["id"] for field in fields}
    if unknown:
        raise Refused(400, inputs=[f"Additional properties are not allowed ({sorted(unknown)})"])


def _template(awx: Awx, template: Object) -> None:
    json.loads(template["extra_vars"] or "{}")
    if template["playbook"] not in awx.playbooks:
        raise Refused(400, playbook=["Playbook not found for project."])


_CHECKS: dict[str, Callable[[Awx, Object], None]] = {
    "job_templates": _template,
    "credentials": _credential,
    "schedules": _schedule,
    "notification_templates": _notification,
}
