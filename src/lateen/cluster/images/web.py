"""A static web server standing in for nginx and httpd: a welcome page, files of a document root, an access log."""

from __future__ import annotations

import argparse
import asyncio
import mimetypes
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lateen.cluster.images.http_server import Request, Response, serve

_WELCOME = b"""<!DOCTYPE html>
<html>
<head><title>Welcome to nginx!</title></head>
<body>
<h1>Welcome to nginx!</h1>
<p>This page is served by lateen's stand-in for a web server image.</p>
</body>
</html>
"""
_NOT_FOUND = b"<html>\n<head><title>404 Not Found</title></head>\n<body><h1>404 Not Found</h1></body>\n</html>\n"
_MAX_FILE = 64 << 20


def respond(request: Request, root: Path) -> Response:
    """A file below `root` (an index.html for a directory), the welcome page for `/`, or not found."""
    html = "text/html"
    if request.method not in ("GET", "HEAD"):
        return Response(b"<html><body><h1>405 Not Allowed</h1></body></html>\n", 405, html)
    path = unquote(urlsplit(request.target).path)
    file = (root / path.lstrip("/")).resolve()
    if file.is_dir():
        file = file / "index.html"
    if file.is_relative_to(root.resolve()) and file.is_file() and file.stat().st_size <= _MAX_FILE:
        try:
            return Response(file.read_bytes(), 200, mimetypes.guess_type(file.name)[0] or "application/octet-stream")
        except OSError:
            return Response(b"<html><body><h1>403 Forbidden</h1></body></html>\n", 403, html)
    if path in ("/", "/index.html"):
        return Response(_WELCOME, 200, html)
    return Response(_NOT_FOUND, 404, html)


def _log(request: Request, response: Response) -> None:
    at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    size = 0 if request.method == "HEAD" else len(response.body)
    print(
        f'{request.peer} - - [{at}] "{request.method} {request.target} HTTP/1.1" {response.status} {size} '
        f'"{request.header("referer") or "-"}" "{request.header("user-agent") or "-"}" '
        f'"{request.header("x-forwarded-for") or "-"}"',
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="web", description=__doc__)
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--root", type=Path, default=Path("/usr/share/nginx/html"))
    options = parser.parse_args()
    asyncio.run(serve(lambda request: respond(request, options.root), options.port, server="nginx", log=_log))


if __name__ == "__main__":
    main()
