"""Leasemap from Python with nothing but the generated protos: set, get, watch, and a write that is refused.

example.py HOST:PORT [HOST:PORT]     the first node takes the write, the second shows it and refuses another

LEASEMAP_TLS_CA (TLS), LEASEMAP_TLS_CERT and LEASEMAP_TLS_KEY (a certificate of one's own) name PEM files; LEASEMAP_TOKEN
is a token.
"""
import os
import sys

import grpc
from google.rpc import error_details_pb2, status_pb2
from leasemap.v1 import key_value_pb2 as pb
from leasemap.v1 import key_value_pb2_grpc


def contents(variable):
    """Of the file that the variable names; None if it names none."""
    path = os.environ.get(variable)
    if not path:
        return None
    with open(path, "rb") as file:
        return file.read()


CA, CERT, KEY = map(contents, ("LEASEMAP_TLS_CA", "LEASEMAP_TLS_CERT", "LEASEMAP_TLS_KEY"))
TOKEN = os.environ.get("LEASEMAP_TOKEN")
SHOWN = [("authorization", f"Bearer {TOKEN}")] if TOKEN else []  # with each call


def connect(target):
    if TOKEN and not CA and not target.startswith(("127.", "localhost:", "[::1]:")):
        sys.exit("a token in plain text stays on this machine; set LEASEMAP_TLS_CA")
    # Without these a channel whose first attempt is refused may wait 5 to 10 s for the next.
    options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500),
               ("grpc.enable_http_proxy", 0)]  # nodes are next door: http_proxy is for the web
    if not CA:
        return key_value_pb2_grpc.KeyValueStub(grpc.insecure_channel(target, options))
    return key_value_pb2_grpc.KeyValueStub(
        grpc.secure_channel(target, grpc.ssl_channel_credentials(CA, KEY, CERT), options))


def reason(error):
    """Every error of Leasemap's own carries an ErrorInfo with a reason."""
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return info.reason
    return ""


def main(first, second):
    watch = second.Watch(pb.WatchRequest(keys=["color"]), metadata=SHOWN)
    next(watch)  # the first message comes at once: now it listens

    first.Set(pb.SetRequest(key="color", value="blue"), timeout=5, metadata=SHOWN)
    print("set color=blue")

    entry = first.Get(pb.GetRequest(key="color"), timeout=5, metadata=SHOWN).entry
    print(f"get color={entry.value}, leased by {entry.lease.holder}")

    event = next(event for message in watch for event in message.events)
    print(f"watch saw color={event.entry.value}")
    watch.cancel()

    try:
        second.Set(pb.SetRequest(key="color", value="red", holder="someone-else"), timeout=5, metadata=SHOWN)
    except grpc.RpcError as error:
        print(f"refused: {reason(error)}: {error.details()}")
    else:
        sys.exit("the write of another holder was not refused")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(connect(sys.argv[1]), connect(sys.argv[-1]))
