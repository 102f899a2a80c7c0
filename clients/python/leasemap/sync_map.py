"""SyncMap: the cluster's map as a dict, for programs with threads. leasemap.aio has the same for asyncio."""
import collections.abc
import logging
import threading
from typing import Any, Iterable, Optional, Union

import grpc

from leasemap import channels, flows, handlers, lease_flows
from leasemap.access import Access
from leasemap.core import Core, Flow, T
from leasemap.drive import Shell
from leasemap.entry import Entry, Key, Value, to_bytes
from leasemap.errors import ClosedError, LeasemapError, UnavailableError
from leasemap.flows import MISSING, Ack
from leasemap.lease import Lease
from leasemap.retry import refuses, split
from leasemap.view import View

log = logging.getLogger("leasemap")


class SyncMap(View, collections.abc.MutableMapping[Key, Value]):
    """A dict that many programs share. Keys and values are str or bytes.

    Reading looks into this process's copy, which one watch keeps fresh (`synced`). Writing asks a node, raises an
    error if the node refuses, and all threads read the write here at once. A write that only a dead node had is taken
    back: the handlers of `on` get the present entry.

    endpoints: host:port of nodes, as a list or with commas. One is used at a time; when it fails, the next. A name
        means all its addresses.
    holder: the holder of this map's writes; the default has the host, the process and random bits. With a token,
        certificate or credentials it is P/default, where P is the name by which the nodes know this program, if they
        say one; asked at the start, or, with sync_timeout 0, before the first write. Give a name of its own (P, or
        P/name) to each program that must keep its leases over a restart. Two maps of one holder do not keep each other
        out.
    prefix: only keys that start with this; other keys are not copied here, and cannot be written.
    lease: for how long (s) a write takes the key, so that other holders are refused. None: the cluster's default, an
        hour; 0: no lease.
    timeout: how long (s) a call may take, with all tries at all nodes.
    sync_timeout: how long (s) to wait for the map at the start; UnavailableError then. 0: do not wait.
    tls_ca: connect by TLS, and trust nodes whose certificates these authorities signed (a file in PEM). The name or
        address in the endpoint must be in the node's certificate.
    tls_cert, tls_key: this program's certificate and its key (files in PEM, not encrypted), for nodes that ask for
        one. Without tls_ca the system's authorities are trusted. Files that were replaced count when a connection
        fails and the next one is made.
    credentials: a grpc.ChannelCredentials in place of these files.
    token, token_file: sent with each call as `authorization: Bearer TOKEN`; a file is read again when it changes.
        InvalidError if the token would leave this machine in plain text, unless insecure_token is True.

    Threads may share a map. After fork() the child must make one of its own.
    """

    def __init__(self, endpoints: Union[str, Iterable[str]], holder: str = "", *, prefix: Key = b"",
                 lease: Optional[float] = None, timeout: float = 5.0, sync_timeout: float = 10.0, tls_ca: str = "",
                 tls_cert: str = "", tls_key: str = "", credentials: Any = None, token: str = "", token_file: str = "",
                 insecure_token: bool = False) -> None:
        self._endpoints = split(endpoints)
        self._tell = threading.Event()
        access = Access(tls_ca, tls_cert, tls_key, credentials, token, token_file, insecure_token)
        names = channels.resolve(self._endpoints)
        access.check(names)
        core = Core(names, holder, to_bytes(prefix), lease, timeout, asks_name=access.proves)
        super().__init__(core, self._tell.set)
        self._shell = Shell(self._core, access, names)
        self._stream: Any = None  # the watch's call; the map's lock guards it
        self._closing = threading.Event()
        self._again = threading.Event()  # wakes a watch that was refused
        self._core.cut_watch, self._core.open_again = self._cut, self._again.set
        self._threads = [threading.Thread(target=run, name=name, daemon=True) for run, name in (
            (self._watch, "leasemap-watch"), (self._call_handlers, "leasemap-handlers"))]
        for thread in self._threads:
            thread.start()
        self._shell.worker.start()
        self._shell.worker.spawn(lease_flows.keeper(self._core))
        if sync_timeout:
            try:
                self._run(flows.start(self._core, sync_timeout))
            except BaseException:
                self.close()
                raise

    # Writing.

    def __setitem__(self, key: Key, value: Value) -> None:
        """Writes the key if no other holder's lease on it is live, and takes or renews the lease. LeaseHeldError names
        who holds it and until when."""
        self.set(key, value)

    def __delitem__(self, key: Key) -> None:
        """Deletes the key under the same rule, and gives its lease up. KeyError if there is none."""
        self.delete(key)

    def set(self, key: Key, value: Value, *, lease: Optional[float] = None, ephemeral: bool = False,
            if_version: str = "", if_absent: bool = False, ack: Ack = None, timeout: Optional[float] = None) -> Entry:
        """Writes the key; returns its entry.

        lease: as for the map (s). ephemeral: the key vanishes when the lease lapses.
        if_version, if_absent: only if the key is as it was read, or is missing; else VersionMismatchError.
        ack: the nodes that must have the write before this returns: None (this node), "majority", "all", or a number of
            nodes. AckIncompleteError if they did not have it in time: the write remains. SupersededError if another
            write replaced it.
        Further errors: LeaseHeldError, InvalidError, LimitError, UnavailableError (the write may have been done).
        """
        return self._run(flows.set_(self._core, key, value, timeout, lease=lease, ephemeral=ephemeral,
                                    if_version=if_version, if_absent=if_absent, ack=ack))

    def delete(self, key: Key, *, if_version: str = "", missing_ok: bool = False, ack: Ack = None,
               timeout: Optional[float] = None) -> Optional[Entry]:
        """Deletes the key; returns the new entry, or None if there was no key and `missing_ok`. Errors as for
        `set`, and KeyNotFoundError."""
        return self._run(flows.delete(self._core, key, if_version, missing_ok, ack, timeout))

    def renew(self, key: Key, lease: Optional[float] = None, *, timeout: Optional[float] = None) -> Entry:
        """Renews this holder's lease on a key once, without a new value, for `lease` seconds (None: the
        duration that was last asked for). To keep a lease alive use `lease`."""
        return self._run(flows.renew(self._core, key, lease, timeout))

    def release(self, key: Key, *, timeout: Optional[float] = None) -> Entry:
        """Gives this holder's lease on a key up, so that anyone may write it. The value stays, but an ephemeral key
        vanishes."""
        return self._run(flows.release(self._core, key, timeout))

    def pop(self, key: Key, default: Any = MISSING, *, timeout: Optional[float] = None) -> Any:
        """Deletes the key and returns exactly the value that was deleted, or `default` if there was none."""
        return self._run(flows.pop(self._core, key, default, timeout))

    def popitem(self) -> tuple[Key, Value]:
        """Deletes and returns one of the keys that this holder may write."""
        return self._run(flows.popitem(self._core))

    def setdefault(self, key: Key, default: Value = "") -> Any:  # type: ignore[override]
        """The key's value; writes `default` first if there is none."""
        return self._run(flows.setdefault(self._core, key, default))

    def update(self, other: Any = (), /, *, timeout: Optional[float] = None, **named: Value) -> None:  # type: ignore
        """Writes many keys with few calls. No transaction: BatchError names the keys that were refused (`failed`); the
        others are written. `timeout` (s) is for each call of up to 1,000 keys."""
        pairs = other.items() if isinstance(other, collections.abc.Mapping) else other
        self._run(flows.update(self._core, [*pairs, *named.items()], timeout))

    # Reading past the near cache.

    def fetch(self, key: Key, *, min_version: str = "", timeout: Optional[float] = None) -> Entry:
        """The entry as the node has it now. With `min_version` it first waits until the node has that write, or one
        that replaced it. KeyNotFoundError, UnavailableError."""
        return self._run(flows.fetch(self._core, key, min_version, timeout))

    def wait_synced(self, timeout: float = 10.0) -> None:
        """Waits until `synced`; UnavailableError after `timeout` seconds. A watch that the nodes refused (`refused`) is
        tried once more; PermissionDeniedError or UnauthenticatedError if they refuse it again."""
        self._core.ask_again()
        self._run(flows.wait_synced(self._core, timeout))

    # Leases.

    def lease(self, key: Key, value: Optional[Value] = None, *, duration: float = 10.0, ephemeral: bool = True,
              wait: Optional[float] = 0.0, ack: Ack = None) -> Lease:
        """A lease on the key, for a `with` block: taken at its start, renewed in the background, given up at its end.

        value: written with the lease; None: a key that exists keeps its value, and one that does not is made, with this
            map's holder for a value.
        duration: of the lease and of each renewal (s), 2 s at least. Others wait for this time if this program dies. For
            three quarters of it this program may be cut off without losing the lease.
        ephemeral: a key that is made for the lease vanishes with it.
        wait: how long (s) to wait for another holder; None: for ever. Then LeaseHeldError.
        ack: as for `set`, for taking the lease. None: two holders that ask two nodes in the same moment may both be
            granted it, and one of them loses it within milliseconds. leasemap.patterns explains the others.
        """
        return Lease(self, key, value, duration, ephemeral, wait, ack)

    def close(self) -> None:
        """Gives kept leases up (waits 3 s at most for that) and ends the watch. Leases of plain writes stay."""
        if self._core.closed:
            return
        try:
            self._shell.run(lease_flows.give_up_all(self._core))
        finally:
            self._core.close()
            self._closing.set()
            self._again.set()
            self._tell.set()
            self._shell.worker.stop()
            self._shell.channels.close()
            for thread in self._threads:
                if thread is not threading.current_thread():
                    thread.join(5)  # a handler may be slow; the threads are daemons

    def __enter__(self) -> "SyncMap":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, flow: Flow[T]) -> T:
        self._core.check()
        return self._shell.run(flow)

    # The watch's thread and the handlers'.

    def _cut(self) -> None:
        with self._core.lock:
            stream = self._stream
        if stream:
            stream.cancel()

    def _watch(self) -> None:
        core = self._core
        while not core.closed:
            target, request = core.open_watch()
            error: LeasemapError = UnavailableError("the stream ended", "UNAVAILABLE")
            try:
                node = self._shell.channels.node(target)
                stream = node.method("Watch")(request, metadata=node.metadata())
                with core.lock:
                    self._stream = stream
                if core.closed or core.endpoints.home != target:  # moved before it could be cut
                    stream.cancel()
                for message in stream:
                    core.took(message)
            except grpc.RpcError as broken:
                error = self._shell.failed(node, broken)
            except ClosedError:
                return
            except LeasemapError as refused:  # the map's own refusal, before a node was asked
                error = refused
            except Exception as broken:
                if core.closed:
                    return
                log.exception("the watch of the map failed; it is opened again")
                error = UnavailableError(f"the watch failed: {broken!r}", "UNAVAILABLE")
            pause = core.watch_ended(error)
            if refuses(error):
                self._again.wait()
                self._again.clear()
            elif pause > 0:  # all nodes failed: what names stand for may have changed
                self._closing.wait(pause)
                self._find_nodes()

    def _find_nodes(self) -> None:
        if self._core.closed:
            return
        names = channels.resolve(self._endpoints)
        with self._core.lock:
            self._core.endpoints.replace(names)
        self._shell.channels.keep_only(names)

    def _call_handlers(self) -> None:
        while True:
            self._tell.wait()
            self._tell.clear()
            for handler, event in self._handlers.take():
                if self._core.closed:
                    return
                try:
                    handler(event)
                except Exception:
                    handlers.failed(handler, event)
            if self._core.closed:
                return
