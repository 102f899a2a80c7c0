"""What the test of attacks sends: sockets in threads, HTTP/2 by hand, as no client library would write it."""
import contextlib
import multiprocessing
import os
import socket
import ssl
import struct
import sys
import threading
import time
import zlib

from basics import grpc, kv_grpc, pb

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE = 0, 1, 3, 4, 8
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def headers(path, *more):
    """A header block of literals without an index (RFC 7541, section 6.2.2)."""
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "n1"), ("te", "trailers"),
              ("content-type", "application/grpc"), *more]
    return b"".join(b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
                    for name, value in fields)


def settings(**values):
    numbers = {"initial_window": 4}
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", numbers[name], value) for name, value in values.items()))


def call(stream, path, message=b"", end=True, length=None, packed=False, more=()):
    """A call: headers, and a message that may say that it is longer than it is."""
    body = bytes([packed]) + struct.pack(">I", len(message) if length is None else length) + message
    blocks = [body[i:i + 16384] for i in range(0, len(body), 16384)]
    data = b"".join(frame(DATA, END_STREAM if end and i == len(blocks) - 1 else 0, stream, block)
                    for i, block in enumerate(blocks))
    return frame(HEADERS, END_HEADERS, stream, headers(path, *more)) + data


SPAWN = multiprocessing.get_context("spawn")


class Attack:
    """Workers that each have a socket, again and again, until the attack is over; in a process of their own, so that they
    take no time from the client beside them. `sent` counts bytes, `done` rounds."""

    def __init__(self, workers):
        self.workers, self.begun, self.over, self.process = workers, SPAWN.Event(), SPAWN.Event(), None
        self.counts = SPAWN.Value("Q", 0), SPAWN.Value("Q", 0)

    @property
    def sent(self):
        return self.counts[0].value

    @property
    def done(self):
        return self.counts[1].value

    def __enter__(self):
        self.process = SPAWN.Process(target=self.play, daemon=True)
        self.process.start()
        if not self.begun.wait(30):
            raise AssertionError("the attackers did not begin")
        return self

    def __exit__(self, *_):
        self.over.set()
        self.process.join(30)
        if self.process.exitcode != 0:
            raise AssertionError(f"the attackers ended with {self.process.exitcode}")

    def play(self):
        threading.excepthook = self.fail
        threading.Thread(target=self.end_with_the_test, daemon=True).start()
        self.begun.set()
        threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(self.workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @staticmethod
    def fail(what):
        """An attack that is broken is no attack."""
        sys.excepthook(what.exc_type, what.exc_value, what.exc_traceback)
        os._exit(1)

    @staticmethod
    def end_with_the_test():
        multiprocessing.parent_process().join()
        os._exit(1)

    def run(self, worker):
        while not self.over.is_set():
            with contextlib.suppress(OSError):
                self.round(worker)
            self.count(1, 1)

    def count(self, which, more):
        with self.counts[which].get_lock():
            self.counts[which].value += more

    def round(self, worker):
        raise NotImplementedError

    def connect(self, port):
        sock = socket.create_connection(("127.0.0.1", port), 5)
        sock.settimeout(0.2)
        return contextlib.closing(sock)

    def send(self, sock, data):
        """Some may be taken, and none once the node does not read: then the attack waits as long as a socket does."""
        rest = memoryview(data)
        while rest and not self.over.is_set():
            try:
                taken = sock.send(rest)
            except TimeoutError:
                continue
            rest = rest[taken:]
            self.count(0, taken)

    def hold(self, sock, seconds):
        """Until the node closes it, the time is over, or the attack is; what comes is dropped."""
        end = time.monotonic() + seconds
        while not self.over.is_set() and time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                if not sock.recv(65536):
                    return


class Junk(Attack):
    """Random bytes, without an end."""

    def __init__(self, port, workers=64, begin=b""):
        super().__init__(workers)
        self.port, self.begin, self.junk = port, begin, os.urandom(1 << 20)

    def round(self, worker):
        with self.connect(self.port) as sock:
            self.send(sock, self.begin + self.junk)


class DeclaredLength(Attack):
    """Streams whose message is said to have 1 GiB, and which then stop; or go on as far as they are let."""

    def __init__(self, port, streams=20):
        super().__init__(2)
        self.port, self.streams = port, streams

    def round(self, worker):
        with self.connect(self.port) as sock:
            said = b"".join(call(2 * i + 1, "/leasemap.v1.KeyValue/Set", b"x" * 1000, end=False, length=1 << 30)
                            for i in range(self.streams))
            self.send(sock, PREFACE + settings() + said)
            self.hold(sock, 1)


class RapidReset(Attack):
    """Calls that are reset as soon as they were made (CVE-2023-44487)."""

    def __init__(self, port):
        super().__init__(2)
        self.port = port

    def round(self, worker):
        with self.connect(self.port) as sock:
            self.send(sock, PREFACE + settings())
            for first in range(1, 200_000, 2000):
                if self.over.is_set():
                    return
                self.send(sock, b"".join(
                    frame(HEADERS, END_HEADERS, stream, headers("/leasemap.v1.KeyValue/Get")) +
                    frame(RST_STREAM, 0, stream, struct.pack(">I", 8)) for stream in range(first, first + 2000, 2)))
                with contextlib.suppress(TimeoutError):
                    sock.settimeout(0.001)
                    sock.recv(65536)
                sock.settimeout(0.2)


class SlowReaders(Attack):
    """Watches of the whole map whose client has no window: it takes nothing."""

    def __init__(self, port, connections=20, watches=100):
        super().__init__(connections)
        self.port, self.watches = port, watches

    def round(self, worker):
        snapshot = b"\x10\x01"  # include_snapshot = 2: true
        with self.connect(self.port) as sock:
            self.send(sock, PREFACE + settings(initial_window=0) + b"".join(
                call(2 * i + 1, "/leasemap.v1.KeyValue/Watch", snapshot) for i in range(self.watches)))
            self.hold(sock, 60)


class Connects(Attack):
    """Connections that are closed at once."""

    def __init__(self, port):
        super().__init__(4)
        self.port = port

    def round(self, worker):
        with self.connect(self.port):
            pass


class Silent(Attack):
    """Connections that say nothing until the node ends them."""

    WORKERS = 300

    def __init__(self, port):
        super().__init__(self.WORKERS)
        self.port = port

    def round(self, worker):
        with self.connect(self.port) as sock:
            self.hold(sock, 60)


class HalfHandshakes(Attack):
    """The beginning of a TLS handshake, and nothing more."""

    def __init__(self, port, workers=200):
        super().__init__(workers)
        self.port = port
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            context.wrap_bio(incoming, outgoing, server_hostname="n1").do_handshake()
        self.hello = outgoing.read()

    def round(self, worker):
        with self.connect(self.port) as sock:
            self.send(sock, self.hello[:len(self.hello) // 2 if worker % 2 else len(self.hello)])
            self.hold(sock, 60)


class AlikeKeys(Attack):
    """Keys that differ in their last bytes alone: the dearest there are to compare. A map that hashed its keys would be
    attacked by keys of one hash instead."""

    LENGTH, KEYS, BATCH = 4000, 20_000, 100

    def __init__(self, port):
        super().__init__(2)
        self.port = port

    def round(self, worker):
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            stub = kv_grpc.KeyValueStub(channel)
            for first in range(worker * self.BATCH, self.KEYS, self.workers * self.BATCH):
                if self.over.is_set():
                    return
                keys = ["k" * (self.LENGTH - 8) + f"{number:08}" for number in range(first, first + self.BATCH)]
                results = stub.BatchSet(pb.BatchSetRequest(requests=[pb.SetRequest(key=key, value="v") for key in keys]),
                                        timeout=30).results
                assert all(result.status.code == 0 for result in results), results[0].status
                self.count(0, self.BATCH * self.LENGTH)


class Bombs(Attack):
    """Messages that inflate to a thousand times their size."""

    def __init__(self, port):
        super().__init__(4)
        self.port = port
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        self.bomb = packer.compress(bytes(100 << 20)) + packer.flush()

    def round(self, worker):
        with self.connect(self.port) as sock:
            self.send(sock, PREFACE + settings() + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30)) + b"".join(
                call(2 * i + 1, "/leasemap.v1.KeyValue/Set", self.bomb, packed=True, more=(("grpc-encoding", "gzip"),))
                for i in range(20)))
            self.hold(sock, 1)
