"""Users by client certificate: read once per connection, judged at every request."""

from __future__ import annotations

import ssl
from asyncio import BaseTransport
from typing import Any

from lateen.cluster.apiserver.auth.client_certificate import ClientCertificates

_FROM, _UNTIL = "Jan  1 00:00:00 2026 GMT", "Jan  1 00:00:00 2027 GMT"
_WITHIN = ssl.cert_time_to_seconds("Jun  1 00:00:00 2026 GMT")


class _Tls:
    def __init__(self, *subject: tuple[str, str]) -> None:
        self.reads = 0
        self._subject = tuple((pair,) for pair in subject)

    def getpeercert(self, *, binary_form: bool = False) -> Any:
        if binary_form:
            return b"der"
        self.reads += 1
        if not self._subject:
            return {}
        return {"subject": self._subject, "notBefore": _FROM, "notAfter": _UNTIL}


class _Transport(BaseTransport):
    def __init__(self, tls: _Tls | None) -> None:
        super().__init__({"ssl_object": tls} if tls is not None else {})


def test_common_name_is_the_user_and_organizations_are_groups() -> None:
    tls = _Tls(("organizationName", "a"), ("commonName", "jane"), ("organizationName", "b"))
    user = ClientCertificates().user(_Transport(tls), _WITHIN)
    assert user is not None
    assert (user.name, user.groups) == ("jane", ("a", "b"))


def test_a_connection_outlives_its_certificate_but_not_its_rights() -> None:
    certificates, tls = ClientCertificates(), _Tls(("commonName", "jane"))
    connection = _Transport(tls)
    assert certificates.user(connection, _WITHIN) is not None
    assert certificates.user(connection, ssl.cert_time_to_seconds(_UNTIL) + 1) is None
    assert certificates.user(connection, ssl.cert_time_to_seconds(_FROM) - 1) is None
    assert tls.reads == 1


def test_no_certificate_no_name_no_tls() -> None:
    certificates = ClientCertificates()
    assert certificates.user(_Transport(_Tls()), _WITHIN) is None
    assert certificates.user(_Transport(_Tls(("organizationName", "a"))), _WITHIN) is None
    assert certificates.user(_Transport(None), _WITHIN) is None
    assert certificates.user(None, _WITHIN) is None


def test_connections_are_told_apart() -> None:
    certificates = ClientCertificates()
    users = [certificates.user(_Transport(_Tls(("commonName", name))), _WITHIN) for name in ("a", "b")]
    assert [user.name for user in users if user] == ["a", "b"]
