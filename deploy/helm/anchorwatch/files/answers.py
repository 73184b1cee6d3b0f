# ruff: noqa: INP001, T201 - the program of a pod that helm test starts, no package
"""Whether an installed Anchorwatch is alive, ready and serves metrics: exit code 0, or 1 and
why.
"""

import http.client
import ssl
import sys
import time
import urllib.error
import urllib.request

WAIT_SECONDS = 120.0
"""How long it may take to become ready: it reads its state first."""

ANY_CERTIFICATE = ssl.create_default_context()
"""Whether it answers is asked, not who it is: nothing is sent that others must not see."""
ANY_CERTIFICATE.check_hostname = False
ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE

OPENER = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ANY_CERTIFICATE)
)


def main(url: str, wait_seconds: float = WAIT_SECONDS) -> int:
    """Ask until all is well, or the time is over."""
    end = time.monotonic() + wait_seconds
    while True:
        wrong = complaint(url)
        if not wrong:
            print(f"{url} is alive and ready, and serves metrics")
            return 0
        if time.monotonic() >= end:
            print(wrong)
            return 1
        time.sleep(1.0)


def complaint(url: str) -> str:
    """What is wrong; empty when nothing is."""
    for path, expected in (
        ("/livez", "alive"),
        ("/readyz", "ready"),
        ("/metrics", "\nanchorwatch_build_info{"),
    ):
        try:
            with OPENER.open(url + path, timeout=5) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            if error.code == http.client.UNAUTHORIZED:
                continue  # it serves those who log in
            return f"{url}{path} says {error.code}: {error.read().decode(errors='replace')}"
        except OSError as error:
            return f"{url}{path} does not answer: {error}"
        if expected not in text:
            return f"{url}{path} says something else than {expected.strip()!r}: {text[:200]}"
    return ""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
