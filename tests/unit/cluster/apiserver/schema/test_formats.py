"""String formats."""

from __future__ import annotations

import pytest

from lateen.cluster.apiserver.schema.formats import FORMATS


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", ["2026-01-31T10:00:00Z", "2026-01-31T10:00:00.5+01:00"], ["2026-01-31", "2026-13-01T00:00:00Z"]),
        ("date", ["2026-01-31"], ["2026-1-31", "2026-02-30"]),
        ("ipv4", ["10.0.0.1"], ["10.0.0", "::1", "10.0.0.256"]),
        ("ipv6", ["::1", "fe80::1"], ["10.0.0.1", "fe80::1%eth0", ":::"]),
        ("cidr", ["10.0.0.0/8", "2001:db8::/32", "10.0.0.1/24"], ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/255.0.0.0"]),
        ("uri", ["https://example.com/a?b#c", "/path", "urn:a:b"], ["", "example.com", "http://a b", "http://a:x"]),
        ("email", ["a@example.com"], ["a", "@example.com", "a b@c"]),
        ("hostname", ["example.com", "a-b.c"], ["-a.com", "a..b", "a_b"]),
        ("uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567", "x23e4567-e89b-12d3-a456-426614174000"]),
        ("uuid4", ["123e4567-e89b-42d3-a456-426614174000"], ["123e4567-e89b-12d3-a456-426614174000"]),
        ("byte", ["aGk=", ""], ["aGk", "a b="]),
        ("duration", ["1h30m", "1.5s", "0", "3 days", "-2m"], ["1", "h", "1 fortnight"]),
        ("mac", ["01:02:03:04:05:06"], ["01:02:03:04:05"]),
        ("quantity", ["1", "500m", "1.5Gi", "2e3"], ["1 Gi", "", "Gi"]),
        ("k8s-short-name", ["a-b"], ["A", "a.b", "-a", "a" * 64]),
        ("k8s-long-name", ["a.b-c"], ["a..b", "a" * 254]),
        ("isbn", ["0-306-40615-2", "978-0-306-40615-7"], ["0-306-40615-3"]),
        ("creditcard", ["4111 1111 1111 1111"], ["4111 1111 1111 1112", "abc"]),
        ("hexcolor", ["#fff", "00ff00"], ["#ffff", "red"]),
        ("rgbcolor", ["rgb(0, 255, 1)"], ["rgb(0,256,1)"]),
    ],
)
def test_formats(name: str, good: list[str], bad: list[str]) -> None:
    check = FORMATS[name]
    assert [text for text in good if not check(text)] == []
    assert [text for text in bad if check(text)] == []
