"""How a map proves itself to nodes and knows them: TLS, and a token that goes with each call. Shared by threads and
asyncio.

Files are read again when they change. A token goes with the next call; certificates count for the next connection.
"""
import ipaddress
import logging
import os
import pathlib
import re
import ssl
from typing import Any, Iterable, Optional

import grpc

from leasemap.errors import InvalidError

log = logging.getLogger("leasemap")

# The options of a map, and the variables that `from_environment` reads for them.
VARIABLES = {"tls_ca": "LEASEMAP_TLS_CA", "tls_cert": "LEASEMAP_TLS_CERT", "tls_key": "LEASEMAP_TLS_KEY",
             "token": "LEASEMAP_TOKEN", "token_file": "LEASEMAP_TOKEN_FILE"}
# The lower-case name under which gRPC takes it.
AUTHORIZATION = "authorization"


def from_environment() -> dict[str, str]:
    """The options of a map that the environment sets, for `SyncMap(endpoints, **from_environment())`: `tls_ca`,
    `tls_cert`, `tls_key`, `token` and `token_file`, of LEASEMAP_TLS_CA, LEASEMAP_TLS_CERT, LEASEMAP_TLS_KEY,
    LEASEMAP_TOKEN and LEASEMAP_TOKEN_FILE. A variable that is empty or missing sets none, and a file wins over a token, as
    for the command line. Nothing else in this library reads the environment."""
    found = {option: os.environ[name] for option, name in VARIABLES.items() if os.environ.get(name)}
    if "token_file" in found:
        found.pop("token", None)
    return found


class Access:
    """What one map shows to nodes, and whom it trusts. The arguments are those of SyncMap."""

    def __init__(self, tls_ca: str = "", tls_cert: str = "", tls_key: str = "", credentials: Any = None,
                 token: str = "", token_file: str = "", insecure_token: bool = False) -> None:
        if bool(tls_cert) != bool(tls_key):
            raise ValueError("tls_cert and tls_key are given together")
        if credentials is not None and (tls_ca or tls_cert):
            raise ValueError("give either credentials or tls_ca, tls_cert and tls_key")
        if token and token_file:
            raise ValueError("give either token or token_file")
        self._files = _Files(tls_ca, tls_cert, tls_key) if tls_ca or tls_cert else None
        self._ready, self._insecure_token = credentials, insecure_token
        self._token = _TokenFile(token_file) if token_file else None
        self._metadata = _metadata(token, "token") if token else None
        # Nodes may know this map by a name, of its token or certificate.
        self.proves = bool(token or token_file or tls_cert or credentials is not None)

    def check(self, targets: Iterable[str]) -> None:
        """InvalidError if the token would go to one of these (host:port) in plain text, beyond this machine."""
        if self._files or self._ready is not None or self._insecure_token or not (self._token or self._metadata):
            return
        for target in targets:
            if not _is_loopback(target):
                raise InvalidError(
                    f"the token is not sent to {target} in plain text, where others could read it: give tls_ca (or "
                    "credentials), or insecure_token=True if the way there is safe by itself", "INVALID_ARGUMENT")

    def credentials(self) -> tuple[Any, Any]:
        """The credentials of a new channel, or None for plain text; and of which state of the files they are."""
        return self._files.read() if self._files else (self._ready, None)

    def changed(self, state: Any) -> bool:
        """True if the files are no longer in the state that `credentials` gave."""
        return self._files is not None and self._files.state() != state

    def metadata(self) -> Any:
        """The metadata of a call."""
        return self._token.metadata() if self._token else self._metadata


class _Files:
    """Certificates and key, in PEM."""

    def __init__(self, ca: str, cert: str, key: str) -> None:
        self._paths = [ca, cert, key]
        self._credentials, self._state = self._load()

    def state(self) -> Any:
        return [_state(path) for path in self._paths]

    def read(self) -> tuple[Any, Any]:
        """Files that are bad now, as while they are being replaced, leave what was read before."""
        state = self.state()
        if state != self._state:
            self._state = state  # a bad file is looked at again when it has changed
            try:
                self._credentials, self._state = self._load()
            except (OSError, ValueError) as error:
                log.warning("the certificates were not read again; those that were read before count on: %s", error)
        return self._credentials, self._state

    def _load(self) -> tuple[Any, Any]:
        state = self.state()
        ca, cert, key = self._paths
        # gRPC itself says of a bad file only that the connection failed.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if ca:
                context.load_verify_locations(cafile=_existing(ca))
        except ssl.SSLError as error:
            raise ValueError(f"tls_ca {ca!r} holds no certificate in PEM: {error}") from None
        try:
            if cert:
                context.load_cert_chain(_existing(cert), _existing(key), password=lambda: "")
        except ssl.SSLError as error:
            raise ValueError(f"tls_cert {cert!r} and tls_key {key!r} are no certificate with its key in PEM, not "
                             f"encrypted: {error}") from None
        ca_bytes, cert_bytes, key_bytes = [pathlib.Path(path).read_bytes() if path else None for path in self._paths]
        return grpc.ssl_channel_credentials(ca_bytes, key_bytes, cert_bytes), state


class _TokenFile:
    """A token in a file, with white space around it or without. A file that cannot be read any more, or holds no
    token, leaves the one that was read before."""

    def __init__(self, path: str) -> None:
        self._path, self._state = path, _state(path)
        self._metadata = self._load()

    def metadata(self) -> Any:
        state = _state(self._path)
        if state != self._state:
            self._state = state
            try:
                self._metadata = self._load()
            except (OSError, ValueError) as error:
                log.warning("the token was not read again; the one that was read before counts on: %s", error)
        return self._metadata

    def _load(self) -> Any:
        text = pathlib.Path(self._path).read_text(encoding="utf-8").strip()
        return _metadata(text, f"token_file {self._path!r}")


def _metadata(token: str, source: str) -> Any:
    """The error names the source, and not the token."""
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ValueError(f"{source} is no token: a token is one word of printable ASCII")
    return ((AUTHORIZATION, f"Bearer {token}"),)


def _state(path: str) -> Any:
    try:
        found = os.stat(path) if path else None
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found else None


def _existing(path: str) -> str:
    with open(path, "rb"):  # the error of ssl does not name the file
        return path


def _is_loopback(target: str) -> bool:
    host = target.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name that could not be looked up
