"""How a channel to one node is made, and the endpoints that names stand for. Shared by threads and asyncio."""
import json
import socket
from typing import Any, Iterable, Sequence

from leasemap import errors

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


def resolve(endpoints: Iterable[str]) -> list[str]:
    """A name stands for all its addresses, each of which is a node. A name that can't be resolved now stays one."""
    targets: list[str] = []
    for endpoint in endpoints:
        host, _, port = endpoint.rpartition(":")
        try:
            targets += addresses(endpoint, socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM))
        except OSError:
            targets.append(endpoint)
    return targets
