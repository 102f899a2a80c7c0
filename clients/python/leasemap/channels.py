"""How a channel to one node is made, and the endpoints that names stand for. Shared by threads and asyncio."""
import json
import socket
from typing import Any, Iterable, Mapping, Optional, Sequence

from leasemap import errors
from leasemap.access import Access
from leasemap.core import PRINCIPAL
from leasemap.v1 import key_value_pb2_grpc

# With this service config gRPC asks the node's health service, and fails calls at once while the node says NOT_SERVING
# (it is not ready, or drains). Only round_robin checks health; the map itself goes round the nodes (retry.py).
SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}})
OPTIONS: list[tuple[str, Any]] = [
    ("grpc.service_config", SERVICE_CONFIG),
    ("grpc.service_config_disable_resolution", 1),
    # Without these three a channel whose first attempt was refused may wait 5 to 10 s for the next. The second bounds
    # how long one attempt to connect may last, the others the pause between two.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A node that vanished without a word is noticed within 13 s. Nodes allow one ping in 5 s. A watch sends nothing for
    # hours, and without the third gRPC would stop after two pings.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.http2.max_pings_without_data", 0),
    # Two maps of one program share no connection: a node counts watches by connection.
    ("grpc.use_local_subchannel_pool", 1),
    # Nodes are next door: http_proxy is for the web.
    ("grpc.enable_http_proxy", 0),
    # A watch may bring a value of 1 MiB with its lease beside it; the server's own bound on a message is 16 MiB.
    ("grpc.max_receive_message_length", 16 << 20),
]


# The trailer of an answer that has the caller's name, and a call that costs a node next to nothing. Of its answer nothing
# is read.
_PRINCIPAL_TRAILER = "leasemap-principal"
_PRINCIPAL_PATH = "/leasemap.v1.Mesh/GetStatus"


class Node:
    """The channel to one node, and its calls."""

    def __init__(self, grpc_module: Any, access: Access, target: str, name: str) -> None:
        """`grpc_module`: grpc or grpc.aio. `name`: the endpoint that the target is an address of."""
        access.check([target])
        credentials, self._files = access.credentials()
        # A node is of the name it was given by, whatever address that stands for: TLS asks for it.
        options = [*OPTIONS, ("grpc.default_authority", name)]
        self.channel: Any = (grpc_module.insecure_channel(uri(target), options) if credentials is None else
                             grpc_module.secure_channel(uri(target), credentials, options))
        self._access = access
        self._stub: Any = key_value_pb2_grpc.KeyValueStub(self.channel)  # type: ignore[no-untyped-call]
        self._principal = self.channel.unary_unary(_PRINCIPAL_PATH)

    def method(self, name: str) -> Any:
        return self._principal if name == PRINCIPAL else getattr(self._stub, name)

    def metadata(self) -> Any:
        """Of each call."""
        return self._access.metadata()

    def outdated(self, error: errors.LeasemapError) -> bool:
        """True if the connection may have failed since it was made with certificates that were replaced."""
        return error.code == "UNAVAILABLE" and not error.reason and self._access.changed(self._files)


def principal(trailers: Any) -> str:
    """The name in the trailers of a call."""
    for name, value in trailers or ():
        if name == _PRINCIPAL_TRAILER:
            return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return ""


def principal_of_error(error: Any) -> Optional[str]:
    """What a node that answered with an error says of the principal; None if it says nothing of it."""
    name = principal(error.trailing_metadata())
    if not name and error.code().name not in ("PERMISSION_DENIED", "UNIMPLEMENTED"):
        return None
    return name


def to_error(error: Any) -> errors.LeasemapError:
    """The typed error of a grpc.RpcError."""
    details = b""
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            details = value
    return errors.decode(error.code().name, error.details() or "", details)


def uri(target: str) -> str:
    """The target as gRPC takes it: an address is never looked up."""
    host = target.rpartition(":")[0].strip("[]")
    for family, scheme in ((socket.AF_INET, "ipv4"), (socket.AF_INET6, "ipv6")):
        try:
            socket.inet_pton(family, host)
            return f"{scheme}:{target}"
        except OSError:
            continue
    return f"dns:///{target}"


def addresses(endpoint: str, found: Iterable[Sequence[Any]]) -> list[str]:
    """host:port of each address that getaddrinfo found."""
    targets = [f"[{info[4][0]}]:{info[4][1]}" if info[0] == socket.AF_INET6 else f"{info[4][0]}:{info[4][1]}"
               for info in found]
    return list(dict.fromkeys(targets)) or [endpoint]


def resolve(endpoints: Iterable[str]) -> Mapping[str, str]:
    """The nodes, each with the endpoint that it comes from: a name stands for all its addresses, each of which is a
    node. A name that can't be resolved now stays one."""
    targets: dict[str, str] = {}
    for endpoint in endpoints:
        host, _, port = endpoint.rpartition(":")
        try:
            found = addresses(endpoint, socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM))
        except OSError:
            found = [endpoint]
        targets.update(dict.fromkeys(found, endpoint))
    return targets
