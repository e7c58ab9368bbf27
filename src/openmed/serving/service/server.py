"""The application behind a socket, until Ctrl-C: requests in hand are answered first.

with listen("127.0.0.1", 8000) as place:
    run(make_app(tagger, facts_of(tagger), limits), place, limits)
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import os
import socket

import uvicorn
from fastapi import FastAPI

from openmed.errors import ConfigError
from openmed.serving.service.limits import Limits


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address; port 0 takes any that is free. Bound before a model is loaded, since that is slow.

    Raises:
        ConfigError: the address is unknown, in use or not allowed.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError) as error:  # UnicodeError: a name that no host can have
        raise ConfigError(f"no host is called {host!r}", mend="give --host an address of this machine") from error
    try:
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        mend = "choose another --port (0 takes a free one) or --host"
        raise ConfigError(f"cannot listen on {host}, port {port} ({reason})", mend=mend) from error


def is_loopback(place: socket.socket) -> bool:
    """Can only this machine reach it?"""
    return ipaddress.ip_address(place.getsockname()[0]).is_loopback


def url_of(place: socket.socket) -> str:
    """Its address, for a browser."""
    host, port = place.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def run(app: FastAPI, place: socket.socket, limits: Limits) -> None:
    """Serve until Ctrl-C or SIGTERM. Requests in hand are answered first; a second Ctrl-C does not wait for them."""
    patience = math.ceil(limits.max_seconds) + 1
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=patience)
    with contextlib.suppress(KeyboardInterrupt):  # raised again by uvicorn, once all is answered
        uvicorn.Server(config).run(sockets=[place])
