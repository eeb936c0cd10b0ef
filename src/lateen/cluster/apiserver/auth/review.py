"""What all reviews (objects that are answered, never stored) have in common."""

from __future__ import annotations

from typing import Any

from lateen.cluster.apiserver.request import User
from lateen.cluster.objects import Obj
from lateen.cluster.status import bad_request


def spec_of(review: Obj) -> Obj:
    """The review's spec; empty when it has none. Raises StatusError 400 when it is no object."""
    return member(review, "spec")


def member(parent: Obj, name: str) -> Obj:
    """An object below `parent`, empty when absent. Raises StatusError 400 when it is no object."""
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_request(f"{name}: expected an object, got {_type_name(value)}")
    return value


def text(parent: Obj, name: str) -> str:
    """A string below `parent`, empty when absent. Raises StatusError 400 when it is no string."""
    value = parent.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise bad_request(f"{name}: expected a string, got {_type_name(value)}")
    return value


def texts(parent: Obj, name: str) -> list[str]:
    """A list of strings below `parent`. Raises StatusError 400 when it is something else."""
    value = parent.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise bad_request(f"{name}: expected a list of strings")
    return value


def user_from(spec: Obj) -> User:
    """The user that an access review asks about."""
    extra = {key: tuple(texts(member(spec, "extra"), key)) for key in member(spec, "extra")}
    return User(text(spec, "user"), text(spec, "uid"), tuple(texts(spec, "groups")), extra)


def user_info(user: User) -> Obj:
    """`authentication.k8s.io/v1 UserInfo`."""
    info: Obj = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def _type_name(value: Any) -> str:
    return {list: "array", str: "string", bool: "bool", int: "number", float: "number"}.get(type(value), "object")
