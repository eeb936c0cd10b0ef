"""`nodeSelector` and node affinity: whether a node is one that a pod asks for."""

from __future__ import annotations

from collections.abc import Iterable

from lateen.cluster.objects import Obj, labels_of, name_of


def _matches_expression(expression: Obj, values: dict[str, str]) -> bool:
    key, operator = expression.get("key", ""), expression.get("operator")
    wanted = expression.get("values") or []
    present = key in values
    match operator:
        case "In":
            return present and values[key] in wanted
        case "NotIn":
            return not present or values[key] not in wanted
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
    try:
        actual, bound = int(values[key]), int(wanted[0])
    except (KeyError, ValueError, IndexError):
        return False
    return (operator == "Gt" and actual > bound) or (operator == "Lt" and actual < bound)


def matches_term(term: Obj, node: Obj) -> bool:
    """A `NodeSelectorTerm`: all its expressions hold; an empty one matches nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(_matches_expression(e, labels_of(node)) for e in expressions) and all(
        _matches_expression(e, {"metadata.name": name_of(node)}) for e in fields
    )


def matches_selector(selector: Obj | None, node: Obj) -> bool:
    """A `NodeSelector`: one of its terms matches. None matches everything."""
    if selector is None:
        return True
    return any(matches_term(term, node) for term in selector.get("nodeSelectorTerms") or ())


def matches(spec: Obj, node: Obj) -> bool:
    """Whether the node is one that the pod's spec requires."""
    if not (spec.get("nodeSelector") or {}).items() <= labels_of(node).items():
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return matches_selector(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"), node)


def preference(spec: Obj, node: Obj) -> int:
    """The sum of the weights of the preferred terms that the node matches."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms: Iterable[Obj] = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return sum(int(t.get("weight") or 0) for t in terms if matches_term(t.get("preference") or {}, node))
