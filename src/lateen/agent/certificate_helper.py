"""What needs cryptography, in a process of its own: `python -m lateen.agent.certificate_helper ACTION SETTINGS`.

`cryptography` and `ssl` would cost an agent more memory than all the rest of it. The key is made here and goes into
the file that Envoy watches, and nowhere else. Actions:

- `request`: make a key, have it certified, write the files.
- `mounted`: take the key and the certificate from mounted files, write the files.
- `roots`: write the file of the roots anew, from what is known of them.
- `current`: look at the certificate that is there, from before this agent.

Prints one line of JSON: `{"begin": s, "end": s}` of the certificate that is in force (seconds since 1970), or
`{"error": "...", "retry_after": s}`.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from types import FrameType

from lateen.agent import credentials, signing_request
from lateen.agent.certificate_request import NotCertified, request
from lateen.agent.credentials import BadCredentials
from lateen.agent.settings import CertificateSettings, KeyKind

__all__ = ["main"]

_SECONDS = 30
"""How long an action may take."""


def main(action: str, settings: CertificateSettings) -> dict[str, float | str]:
    """What is printed."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(_SECONDS)
    try:
        if action == "request":
            _request(settings)
        elif action == "mounted":
            credentials.take_mounted(settings)
        elif action == "roots":
            credentials.write_roots(settings)
        elif action == "current" and settings.source == "authority":
            credentials.check_root(settings)
        begin, end = credentials.validity(settings)
    except NotCertified as problem:
        return {"error": str(problem), "retry_after": problem.retry_after}
    except (BadCredentials, OSError) as problem:
        return {"error": str(problem), "retry_after": 0.0}
    finally:
        signal.alarm(0)
    return {"begin": begin, "end": end}


def _request(settings: CertificateSettings) -> None:
    key, csr = signing_request.make(settings.key)
    shown = credentials.presentable(settings, time.time())
    answer = request(settings, csr, shown)
    credentials.take(settings, key, answer.chain, answer.roots)


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"no certificate within {_SECONDS} s")


def _settings(text: str) -> CertificateSettings:
    found = json.loads(text)
    return CertificateSettings(**{**found, "key": KeyKind(**found["key"])})


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], _settings(sys.argv[2]))))
