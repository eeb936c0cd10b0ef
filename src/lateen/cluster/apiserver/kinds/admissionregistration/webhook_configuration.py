"""Webhook configurations.

Source: k8s.io/kubernetes `pkg/apis/admissionregistration/{v1,validation}`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import fill, indexed, mapping, number, objects, section, strings, text
from lateen.cluster.apiserver.kinds.label_selectors import validate_label_selector
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import Cause, duplicate, invalid_value, not_supported, required

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_REVIEWS = ("v1", "v1beta1")
_VERSION_ERROR = f"must include at least one of {', '.join(_REVIEWS)}"


class ValidatingWebhookConfiguration(BuiltinKind):
    counts_generations = True

    def default(self, obj: Obj) -> None:
        for webhook in objects(obj, "webhooks"):
            fill(webhook, failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10)
            section(webhook, "namespaceSelector")
            section(webhook, "objectSelector")
            service = mapping(webhook, "clientConfig").get("service")
            if isinstance(service, dict):
                fill(service, port=443)
            for rule in objects(webhook, "rules"):
                fill(rule, scope="*")

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        found: list[Cause] = []
        seen: set[str] = set()
        for i, webhook in enumerate(objects(obj, "webhooks")):
            path, name = f"webhooks[{i}]", text(webhook, "name")
            found += _validate_name(name, f"{path}.name")
            if name in seen:
                found.append(duplicate(f"{path}.name", name))
            seen.add(name)
            found += _validate_webhook(webhook, path)
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate_create(obj, ctx)

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Webhooks", "integer"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [name_of(obj), len(objects(obj, "webhooks")), age_of(obj, now)]


class MutatingWebhookConfiguration(ValidatingWebhookConfiguration):
    def default(self, obj: Obj) -> None:
        super().default(obj)
        for webhook in objects(obj, "webhooks"):
            fill(webhook, reinvocationPolicy="Never")

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        found = [*super().validate_create(obj, ctx)]
        for i, webhook in enumerate(objects(obj, "webhooks")):
            policy = webhook.get("reinvocationPolicy")
            if policy not in ("Never", "IfNeeded"):
                path = f"webhooks[{i}].reinvocationPolicy"
                found.append(not_supported(path, policy, ["IfNeeded", "Never"]))
        return found


def _validate_name(name: str, path: str) -> list[Cause]:
    if not name:
        return [required(path)]
    found = [invalid_value(path, name, e) for e in names.dns_subdomain(name)]
    if not found and name.count(".") < 2:
        detail = "should be a domain with at least three segments separated by dots"
        found.append(invalid_value(path, name, detail))
    return found


def _validate_webhook(webhook: Obj, path: str) -> list[Cause]:
    found: list[Cause] = []
    versions = strings(webhook, "admissionReviewVersions")
    if not versions:
        detail = f"must specify one of {', '.join(_REVIEWS)}"
        found.append(required(f"{path}.admissionReviewVersions", detail))
    elif not set(versions) & set(_REVIEWS):
        found.append(invalid_value(f"{path}.admissionReviewVersions", versions, _VERSION_ERROR))
    for field, allowed in (("failurePolicy", ("Fail", "Ignore")), ("matchPolicy", ("Equivalent", "Exact"))):
        if webhook.get(field) not in allowed:
            found.append(not_supported(f"{path}.{field}", webhook.get(field), allowed))
    effects = webhook.get("sideEffects")
    if effects is None:
        found.append(required(f"{path}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}"))
    elif effects not in _SIDE_EFFECTS:
        found.append(not_supported(f"{path}.sideEffects", effects, _SIDE_EFFECTS))
    seconds = number(webhook, "timeoutSeconds")
    if not 1 <= seconds <= 30:
        detail = "the timeout value must be between 1 and 30 seconds"
        found.append(invalid_value(f"{path}.timeoutSeconds", seconds, detail))
    for field in ("namespaceSelector", "objectSelector"):
        found += validate_label_selector(mapping(webhook, field), f"{path}.{field}")
    for at, rule in indexed(webhook, "rules", path):
        found += _validate_rule(rule, at)
    found += _validate_conditions(webhook, path)
    return found + _validate_client(mapping(webhook, "clientConfig"), f"{path}.clientConfig")


def _validate_rule(rule: Obj, path: str) -> list[Cause]:
    found = []
    for field in ("operations", "apiGroups", "apiVersions", "resources"):
        values = strings(rule, field)
        if not values:
            found.append(required(f"{path}.{field}"))
        elif "*" in values and len(values) > 1 and field != "resources":
            detail = (
                "if '*' is present, must not specify other "
                + {
                    "operations": "operations",
                    "apiGroups": "API groups",
                    "apiVersions": "API versions",
                }[field]
            )
            found.append(invalid_value(f"{path}.{field}", values, detail))
    for i, operation in enumerate(strings(rule, "operations")):
        if operation not in _OPERATIONS:
            found.append(not_supported(f"{path}.operations[{i}]", operation, _OPERATIONS))
    if rule.get("scope") not in ("*", "Cluster", "Namespaced"):
        found.append(not_supported(f"{path}.scope", rule.get("scope"), ["*", "Cluster", "Namespaced"]))
    return found


def _validate_conditions(webhook: Obj, path: str) -> list[Cause]:
    found = []
    seen: set[str] = set()
    for at, condition in indexed(webhook, "matchConditions", path):
        name = text(condition, "name")
        if not name:
            found.append(required(f"{at}.name"))
        else:
            found += [invalid_value(f"{at}.name", name, e) for e in names.qualified_name(name)]
        if name in seen:
            found.append(duplicate(f"{at}.name", name))
        seen.add(name)
        if not text(condition, "expression").strip():
            found.append(required(f"{at}.expression"))
    return found


def _validate_client(client: Obj, path: str) -> list[Cause]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [required(path, "exactly one of url or service is required")]
    if isinstance(service, dict):
        found = [
            required(f"{path}.service.{field}", f"service {field} is required")
            for field in ("name", "namespace")
            if not text(service, field)
        ]
        port = number(service, "port")
        found += [
            invalid_value(f"{path}.service.port", port, "port is not valid: " + e) for e in names.port_number(port)
        ]
        where = service.get("path")
        if where is not None and not str(where).startswith("/"):
            found.append(invalid_value(f"{path}.service.path", where, "must start with a '/'"))
        return found
    return _validate_url(str(url), f"{path}.url")


def _validate_url(url: str, path: str) -> list[Cause]:
    try:
        parts = urlsplit(url)
        username = parts.username
    except ValueError as error:
        return [required(path, f"url must be a valid URL: {error}; desired format: https://host[/path]")]
    found = []
    form = "; desired format: https://host[/path]"
    if parts.scheme != "https":
        found.append(invalid_value(path, parts.scheme, f"'https' is the only allowed URL scheme{form}"))
    if not parts.hostname:
        found.append(invalid_value(path, url, f"host must be specified{form}"))
    if username is not None:
        found.append(invalid_value(path, username, "user information is not permitted in the URL"))
    if re.search(r"[?]", url):
        found.append(invalid_value(path, parts.query, "query parameters are not permitted in the URL"))
    if parts.fragment:
        found.append(invalid_value(path, parts.fragment, "fragments are not permitted in the URL"))
    return found
