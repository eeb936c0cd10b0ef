"""What the query (and a DELETE's body) asks of a verb, checked.

Sources: `metav1.ListOptions`, `CreateOptions`, `UpdateOptions`, `PatchOptions`, `DeleteOptions` and their validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lateen.cluster.objects import Obj
from lateen.cluster.selectors import EVERYTHING, FieldRequirement, Selector, parse_fields, parse_labels
from lateen.cluster.status import (
    Cause,
    StatusError,
    bad_request,
    forbidden_field,
    invalid,
    invalid_value,
    not_supported,
)

Query = Mapping[str, str]
_META = "meta.k8s.io"
_VALIDATIONS = ("Ignore", "Strict", "Warn")
PROPAGATION = ("Background", "Foreground", "Orphan")


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Options of list and watch."""

    labels: Selector = EVERYTHING
    fields: tuple[FieldRequirement, ...] = ()
    resource_version: str = ""
    match: str = ""
    """`resourceVersionMatch`: empty, `Exact` or `NotOlderThan`."""
    limit: int = 0
    continue_token: str = ""
    watch: bool = False
    bookmarks: bool = False
    send_initial_events: bool | None = None
    timeout_seconds: int | None = None

    @property
    def revision(self) -> int | None:
        """The resourceVersion as a number; None when it is not given."""
        return int(self.resource_version) if self.resource_version else None


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """Options of delete and deletecollection."""

    grace_seconds: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: str = ""
    orphan_dependents: bool | None = None
    dry_run: bool = False


def flag(query: Query, name: str) -> bool:
    """A boolean parameter; present without a value means true."""
    return name in query and query[name].lower() not in ("false", "0", "f")


def whole_number(query: Query, name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text[:100]}": invalid syntax') from None


def list_options(query: Query) -> ListOptions:
    """Raises StatusError 400, 422."""
    options = ListOptions(
        labels=parse_labels(query.get("labelSelector", "")),
        fields=parse_fields(query.get("fieldSelector", "")),
        resource_version=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
        limit=whole_number(query, "limit") or 0,
        continue_token=query.get("continue", ""),
        watch=flag(query, "watch"),
        bookmarks=flag(query, "allowWatchBookmarks"),
        send_initial_events=flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None,
        timeout_seconds=whole_number(query, "timeoutSeconds"),
    )
    causes = _watch_faults(options) if options.watch else _list_faults(options)
    if causes:
        raise invalid(_META, "ListOptions", "", causes)
    text = options.resource_version
    if text and not (text.isascii() and text.isdigit() and len(text) < 20):
        raise bad_request(f'Invalid value: "{text[:100]}": strconv.ParseUint: parsing "{text[:100]}": invalid syntax')
    return options


def _list_faults(options: ListOptions) -> list[Cause]:
    found = []
    if options.limit < 0:
        found.append(invalid_value("limit", options.limit, "must be greater than or equal to 0"))
    if options.send_initial_events is not None:
        found.append(forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if not options.match:
        return found
    if not options.resource_version:
        detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        found.append(forbidden_field("resourceVersionMatch", detail))
    if options.continue_token:
        detail = "resourceVersionMatch is forbidden when continue is provided"
        found.append(forbidden_field("resourceVersionMatch", detail))
    if options.match not in ("Exact", "NotOlderThan"):
        found.append(not_supported("resourceVersionMatch", options.match, ("Exact", "NotOlderThan", "")))
    if options.match == "Exact" and options.resource_version == "0":
        detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        found.append(forbidden_field("resourceVersionMatch", detail))
    return found


def _watch_faults(options: ListOptions) -> list[Cause]:
    found = []
    if options.send_initial_events is None:
        if options.match:
            detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            found.append(forbidden_field("resourceVersionMatch", detail))
    elif options.match != "NotOlderThan":
        detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        found.append(forbidden_field("resourceVersionMatch", detail))
    return found


def dry_run(query: Query, kind: str) -> bool:
    """Reads `dryRun`. `kind` names the options for the error."""
    value = query.get("dryRun", "")
    if value not in ("", "All"):
        raise invalid(_META, kind, "", [not_supported("dryRun", value, ("All",))])
    return value == "All"


def field_validation(query: Query, kind: str) -> str:
    value = query.get("fieldValidation", "")
    if value and value not in _VALIDATIONS:
        raise invalid(_META, kind, "", [not_supported("fieldValidation", value, ("", *_VALIDATIONS))])
    return value or "Warn"


def field_manager(query: Query, kind: str) -> str:
    value = query.get("fieldManager", "")
    if len(value) > 128:
        raise invalid(
            _META, kind, "", [Cause("FieldValueTooLong", "Too long: may not be more than 128 bytes", "fieldManager")]
        )
    if not value.isprintable():
        raise invalid(
            _META, kind, "", [invalid_value("fieldManager", value, "should only contain printable characters")]
        )
    return value


def delete_options(query: Query, body: Obj | None) -> DeleteOptions:
    """The body's options; those of the query where there is no body. Raises StatusError 400, 422."""
    if body:
        preconditions = body.get("preconditions") or {}
        given = {
            "gracePeriodSeconds": body.get("gracePeriodSeconds"),
            "propagationPolicy": body.get("propagationPolicy"),
            "orphanDependents": body.get("orphanDependents"),
        }
        run = body.get("dryRun") or []
        if not isinstance(preconditions, dict) or not isinstance(run, list):
            raise bad_request("DeleteOptions cannot be decoded")
        uid, version = str(preconditions.get("uid") or ""), str(preconditions.get("resourceVersion") or "")
        dry = dry_run({"dryRun": str(run[0])} if run else {}, "DeleteOptions")
    else:
        orphan = flag(query, "orphanDependents") if "orphanDependents" in query else None
        given = {
            "gracePeriodSeconds": whole_number(query, "gracePeriodSeconds"),
            "propagationPolicy": query.get("propagationPolicy"),
            "orphanDependents": orphan,
        }
        uid, version = query.get("uid", ""), query.get("resourceVersion", "")
        dry = dry_run(query, "DeleteOptions")
    grace, policy, orphan = given["gracePeriodSeconds"], given["propagationPolicy"], given["orphanDependents"]
    if grace is not None and (isinstance(grace, bool) or not isinstance(grace, int)):
        raise bad_request("json: cannot unmarshal into Go struct field DeleteOptions.gracePeriodSeconds of type int64")
    causes = []
    if policy and orphan is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(invalid_value("propagationPolicy", policy, detail))
    if policy and policy not in PROPAGATION:
        causes.append(not_supported("propagationPolicy", policy, (*PROPAGATION, "nil")))
    if causes:
        raise invalid(_META, "DeleteOptions", "", causes)
    # A negative grace period means the shortest there is.
    bounded = 1 if grace is not None and grace < 0 else grace
    return DeleteOptions(bounded, uid, version, str(policy or ""), None if orphan is None else bool(orphan), dry)


def apply_force(query: Query, *, is_apply: bool) -> bool:
    """Reads `force`, which only server-side apply takes."""
    if "force" in query and not is_apply:
        raise invalid(_META, "PatchOptions", "", [forbidden_field("force", "may not be specified for non-apply patch")])
    return flag(query, "force")


def require_field_manager(manager: str) -> None:
    """Server-side apply has no default manager."""
    if not manager:
        cause = Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")
        raise invalid(_META, "PatchOptions", "", [cause])


def too_large_resource_version(requested: int, current: int) -> StatusError:
    """A list asked for a state that is not there yet."""
    cause = Cause("ResourceVersionTooLarge", "Too large resource version", "")
    message = f"Too large resource version: {requested}, current: {current}"
    return StatusError(504, "Timeout", message, causes=[cause], retry_after=1)
