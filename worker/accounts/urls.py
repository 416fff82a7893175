"""
The URLs of an account, checked and brought into one form.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

#: What to tell of an API on an open wire.
OPEN_API_WORDS = "is http: whoever listens on the way reads tokens and signatures, and can use them; use https"


def is_endpoint(url: str) -> bool:
    """
    Whether it is http(s) with a host, and without user, query or fragment.
    """
    try:
        read = urlsplit(url)
        _ = read.port  # raises when it is no number
    except ValueError:
        return False
    if any(sign in url for sign in "?#@") or any(letter.isspace() for letter in url):
        return False
    return read.scheme in {"http", "https"} and bool(read.hostname)


def api_root(url: str) -> str:
    """
    The VPN service API without the version that our calls add: catalogs and overrides often end in `/v2.0`.
    """
    return url.rstrip("/").removesuffix("/v2.0").rstrip("/")


def iam_root(url: str) -> str:
    """
    The identity service with its version, `/v3`, which many leave out (keystoneauth finds it by asking).
    """
    root = url.rstrip("/").removesuffix("/auth/tokens").rstrip("/")
    return root if root.endswith("/v3") else f"{root}/v3"


def is_old_iam(url: str) -> bool:
    """
    Whether it is Identity API v2.0, which OpenStack removed in 2018 (Keystone, release Queens).
    """
    return url.rstrip("/").endswith("/v2.0")


def is_open_wire(url: str) -> bool:
    """
    Whether what proves who we are would leave this machine unencrypted.
    """
    read = urlsplit(url)
    if read.scheme != "http" or read.hostname in {None, "localhost"}:
        return False
    try:
        return not ipaddress.ip_address(read.hostname or "").is_loopback
    except ValueError:
        return True
