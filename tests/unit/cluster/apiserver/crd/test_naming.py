from __future__ import annotations

from lateen.cluster.apiserver.crd.naming import accept_names
from lateen.cluster.objects import Obj

NAMES = {"plural": "boats", "singular": "boat", "kind": "Boat", "listKind": "BoatList", "shortNames": ["bo"]}


def definition(accepted: Obj | None = None, **names: object) -> Obj:
    found: Obj = {"spec": {"names": {**NAMES, **names}}}
    if accepted is not None:
        found["status"] = {"acceptedNames": accepted}
    return found


def test_free_names_are_accepted() -> None:
    naming = accept_names(definition(categories=["all"]), [])
    assert naming.accepted == {**NAMES, "categories": ["all"]}
    assert not naming.reason


def test_names_of_others_are_not() -> None:
    other = definition({"plural": "bo", "kind": "Other", "listKind": "BoatList"})
    naming = accept_names(definition(), [other])
    assert (naming.reason, naming.message) == ("ShortNamesConflict", '"bo" is already in use')
    assert naming.accepted == {"plural": "boats", "singular": "boat", "kind": "Boat"}


def test_what_is_ours_stays_ours() -> None:
    assert not accept_names(definition(dict(NAMES)), [definition(dict(NAMES))]).reason


def test_names_given_up_are_dropped() -> None:
    assert "shortNames" not in accept_names(definition(dict(NAMES), shortNames=[]), []).accepted
