"""sync_socket as py2p and js2p had it, on top of SyncMap.

What is alike: keys and values are translated to bytes; `get` reads locally; `set` is refused while another holder's
lease is live, for an hour after each change, and each change by the holder renews it; `on("update", …)`.

What is not: the nodes are leasemapd processes, so `addr` and `port` say where one listens, and not where this program
does. Whether leases are kept is the cluster's to decide; with `leasing` False this program takes none, so that anyone
may change what it wrote, and is still refused where others took one.
"""
from typing import Any, Callable, Iterator, Mapping, Union

from leasemap.entry import Event, to_bytes
from leasemap.errors import KeyNotFoundError, LeaseHeldError
from leasemap.sync_map import SyncMap

Text = Union[str, bytes, bytearray]
# What programs gave to listen on every address is no address to connect to.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}


class HeldError(LeaseHeldError, KeyError):
    """Another holder's lease is live. A KeyError too, as the ancestor raised."""


class sync_socket:  # the ancestor's name
    """addr, port: where a node listens. leasing: False takes no leases. Further keywords are SyncMap's, as `holder`."""

    def __init__(self, addr: str, port: int, leasing: bool = True, **options: Any) -> None:
        if not leasing:
            options.setdefault("lease", 0)
        self._map = SyncMap(f"{_ANY.get(addr, addr)}:{port}", **options)

    @property
    def id(self) -> str:
        """In whose name this program writes: leases that start in the same second are settled by comparing these."""
        return self._map.holder

    def get(self, key: Text, fallback: Any = None) -> Any:
        """The value as bytes, or `fallback` if there is nothing at that key. Reads locally."""
        value = self._map.get(to_bytes(key))
        return fallback if value is None else to_bytes(value)

    def set(self, key: Text, value: Text) -> None:
        """Stores a value, and takes or renews the lease on the key. HeldError while another's is live."""
        self._write(lambda: self._map.set(to_bytes(key), to_bytes(value)))

    def update(self, values: Mapping[Any, Text]) -> None:
        """Stores each pair, one after another; the first that is refused ends it, as in the ancestor."""
        for key, value in values.items():
            self.set(key, value)

    def delete(self, key: Text) -> None:
        """Deletes a key. HeldError as for `set`; KeyError if there is nothing."""
        self._write(lambda: self._map.delete(to_bytes(key)))

    def keys(self) -> Iterator[bytes]:
        return iter([to_bytes(key) for key in self._map])

    def values(self) -> Iterator[bytes]:
        return iter([to_bytes(value) for value in self._map.values()])

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return iter([(to_bytes(key), to_bytes(value)) for key, value in self._map.items()])

    def pop(self, key: Text, *fallback: Any) -> Any:
        """Deletes a key and returns its value, or the fallback; KeyError without one."""
        found: list[Any] = []
        try:
            self._write(lambda: found.append(self._map.pop(to_bytes(key))))
        except KeyNotFoundError:
            if fallback:
                return fallback[0]
            raise
        return to_bytes(found[0])

    def on(self, event: str, handler: Callable[..., Any]) -> None:
        """"update": handler(socket, key, value, (holder, seconds)), the last as the ancestor's owner and time of the
        lease. "delete": handler(socket, key), for a key that was deleted or lapsed."""
        if event == "update":
            self._map.on("update", lambda told: handler(self, to_bytes(told.key), to_bytes(told.value or b""),
                                                        (told.entry.holder, told.entry.update_ms // 1000)))
        elif event == "delete":
            def tell(told: Event) -> None:
                handler(self, to_bytes(told.key))
            self._map.on("delete", tell)
            self._map.on("expired", tell)
        else:
            raise ValueError(f'there is no event {event!r} here; give "update" or "delete"')

    def close(self) -> None:
        """Ends the connection. What was written stays, and so do its leases."""
        self._map.close()

    def __getitem__(self, key: Text) -> bytes:
        return to_bytes(self._map[to_bytes(key)])

    def __setitem__(self, key: Text, value: Text) -> None:
        self.set(key, value)

    def __delitem__(self, key: Text) -> None:
        self.delete(key)

    def __contains__(self, key: Text) -> bool:
        return to_bytes(key) in self._map

    def __iter__(self) -> Iterator[bytes]:
        return self.keys()

    def __len__(self) -> int:
        return len(self._map)

    def __enter__(self) -> "sync_socket":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def _write(write: Callable[[], Any]) -> None:
        try:
            write()
        except LeaseHeldError as error:
            raise HeldError(error.message, error.code, error.reason, error.metadata, error.retry_after) from None


# js2p's name; in Python it is reached by getattr(socket, "del"), since `del` is a keyword. `del socket[key]` is the
# same.
setattr(sync_socket, "del", sync_socket.delete)
