"""`/healthz`, `/livez`, `/readyz`: named checks, each alone or all together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from lateen.cluster.status import path_not_found

Check = Callable[[], bool]
PATHS = ("/healthz", "/livez", "/readyz")


def answer(http: web.Request, checks: Mapping[str, Check]) -> web.Response:
    """200 with `ok`, or 500 with what failed; `?verbose` lists every check, `?exclude=NAME` leaves one out."""
    _, endpoint, *rest = http.path.split("/")
    if rest and rest != [""]:
        name = "/".join(rest)
        if name not in checks:
            raise path_not_found()
        good = checks[name]()
        return web.Response(text="ok" if good else "not ok", status=200 if good else 500)
    excluded = set(http.query.getall("exclude", []))
    lines, failed = [], False
    for name, check in checks.items():
        if name in excluded:
            lines.append(f"[+]{name} excluded: ok")
        elif check():
            lines.append(f"[+]{name} ok")
        else:
            failed = True
            lines.append(f"[-]{name} failed: reason withheld")
    if failed:
        return web.Response(text="\n".join([*lines, f"{endpoint} check failed", ""]), status=500)
    if "verbose" in http.query:
        return web.Response(text="\n".join([*lines, f"{endpoint} check passed", ""]))
    return web.Response(text="ok")
