"""Which folder may include which: the arrows of ARCHITECTURE.md as a table, and a check of every C++ file against it.

It also keeps `peer/core` pure (no locks, threads, clocks, sockets, files, logs) and locks in one place: only
`peer/threads` may use the standard library's, which clang's thread safety analysis does not know. The C++ client, which
programs link and which sees nothing of peer/, has Abseil's, which that analysis knows.

Usage: check_includes.py [ROOT]. ctest runs it; tests/tools/check_includes_test.py plants what it must find.
"""
import pathlib
import re
import sys
from typing import NamedTuple


class Folder(NamedTuple):
    includes: str = ""  # folders, with all that those may include
    libraries: str = ""  # keys of LIBRARIES; these are not passed on
    pure: bool = False  # only what PURE_HEADERS has, and none of IMPURE_WORDS


# A folder that is not here may hold no C++ file.
FOLDERS = {
    "protos": Folder(libraries="absl grpc openssl protobuf storage_proto"),
    "text": Folder(libraries="absl utf8", pure=True),
    # The core is pure. Its layers: data <- sync <- mesh <- node.
    "peer/core/data": Folder("text", libraries="absl xxhash", pure=True),
    "peer/core/sync": Folder("peer/core/data", libraries="absl", pure=True),
    "peer/core/mesh": Folder("peer/core/sync", libraries="absl", pure=True),
    "peer/core/node": Folder("peer/core/mesh", libraries="absl", pure=True),
    "peer/wire": Folder("peer/core/sync", libraries="absl peer_proto protobuf", pure=True),
    "peer/threads": Folder(libraries="absl"),
    "peer/tls": Folder(libraries="absl openssl"),
    "peer/net": Folder("peer/wire peer/threads peer/tls", libraries="absl asio openssl system"),
    "server/storage": Folder("peer/core/sync peer/wire", libraries="absl peer_proto protobuf rocksdb spdlog storage_proto system"),
    "server/host": Folder("peer/core/node peer/net server/storage", libraries="absl asio spdlog system"),
    "server/rights": Folder("peer/core/data peer/tls", libraries="absl auth_proto protobuf"),
    "server/rpc": Folder("server/host server/rights peer/tls protos", libraries="absl api grpc protobuf spdlog storage_proto system"),
    "server": Folder("server/rpc", libraries="absl asio cli11 grpc protobuf spdlog system"),
    "clients/cli/core": Folder("protos text", libraries="absl api grpc peer_proto protobuf storage_proto"),
    "clients/cli": Folder("clients/cli/core peer/tls", libraries="absl api cli11 cpp_client grpc protobuf storage_proto system"),
    # The C++ client. Its public headers name each other as programs do ("leasemap/client.h"), and no gRPC.
    "clients/cpp/leasemap": Folder(libraries="absl cpp_client"),
    "clients/cpp/core": Folder("text", libraries="absl api cpp_client protobuf"),
    "clients/cpp/io": Folder("clients/cpp/core protos", libraries="absl api cpp_client grpc protobuf system"),
    "clients/cpp/bench": Folder("clients/cpp/io", libraries="absl cpp_client system"),
    "clients/cpp/examples": Folder(libraries="absl cpp_client system"),
    "clients/examples/cpp": Folder(libraries="api grpc protobuf"),  # what any user of the protos has
    "tests/support": Folder("peer/threads", libraries="absl gtest"),
    "tests/matchers": Folder(libraries="absl gtest"),
    "tests/text": Folder("text", libraries="gtest"),
    "tests/core": Folder("peer/core/node tests/matchers", libraries="absl gtest"),
    "tests/wire": Folder("peer/core/mesh peer/wire tests/matchers", libraries="absl gtest peer_proto"),
    "tests/tls": Folder("peer/tls tests/support tests/matchers", libraries="absl gtest openssl"),
    "tests/rights": Folder("server/rights peer/tls tests/matchers", libraries="absl gtest"),
    "tests/net": Folder("peer/net tests/support tests/matchers", libraries="absl asio gtest"),
    "tests/storage": Folder("peer/threads protos server/storage tests/matchers tests/support", libraries="absl gtest rocksdb storage_proto system"),
    "tests/host": Folder("server/host tests/storage tests/support tests/matchers", libraries="absl gtest rocksdb"),
    "tests/rpc": Folder("server tests/support tests/matchers", libraries="absl api grpc gtest protobuf spdlog system"),
    "tests/clients": Folder("clients/cli/core tests/matchers", libraries="absl api gtest peer_proto"),
    "tests/clients/cpp": Folder("clients/cpp/core tests/matchers", libraries="absl api cpp_client gtest"),
    # The simulator sees the core alone, so that a seed decides everything.
    "tests/sim/checkers": Folder("peer/core/node", libraries="absl"),
    "tests/sim": Folder("tests/sim/checkers tests/core", libraries="absl gtest"),
    "tests/sim/explore": Folder("tests/sim/checkers", libraries="absl gtest"),
    "tests/fuzz": Folder("clients/cli/core peer/core/node peer/tls peer/wire protos server server/rights server/storage tests/wire", libraries="absl api peer_proto system"),
    "tests/clients/cpp/io": Folder("clients/cpp/io tests/support tests/matchers", libraries="absl api cpp_client grpc gtest system"),
    "tests/e2e/cpp_client": Folder(libraries="absl cpp_client protobuf"),
    "tests/e2e/chaos/driver": Folder("protos peer/threads", libraries="absl api grpc gtest protobuf"),
    "tests/e2e/chaos/proxy": Folder(libraries="asio system"),
}

# How the names of a library's headers begin. "system": the rest of those that end in .h.
LIBRARIES = {
    "absl": ["absl/"],
    "api": ["leasemap/v1/", "grpc/health/v1/", "google/rpc/"],
    "asio": ["asio/", "asio.hpp"],
    "auth_proto": ["leasemap/auth/v1/"],
    "cli11": ["CLI/"],
    "cpp_client": ["leasemap/"],
    "grpc": ["grpc/", "grpcpp/"],
    "gtest": ["gtest/", "gmock/"],
    "peer_proto": ["leasemap/peer/v1/"],
    "openssl": ["openssl/"],
    "protobuf": ["google/protobuf/"],
    "rocksdb": ["rocksdb/"],
    "spdlog": ["spdlog/"],
    "storage_proto": ["leasemap/storage/v1/"],
    "system": [],
    "utf8": ["utf8cpp/"],
    "xxhash": ["xxhash.h"],
}

# What a pure folder may use of others: values, containers and texts.
PURE_HEADERS = re.compile(
    r"algorithm|array|bit|bitset|charconv|cmath|compare|concepts|cstddef|cstdint|cstdlib|cstring|deque|functional|initializer_list|"
    r"iterator|limits|list|map|memory|numeric|optional|queue|set|span|string|string_view|tuple|type_traits|utility|variant|"
    r"vector|absl/(base/(attributes|macros|optimization)|container/(btree_.*|fixed_array|inlined_vector)|functional/.*|"
    r"numeric/.*|status/.*|strings/.*|time/time|types/.*)\.h|google/protobuf/(arena|message|repeated_field)\.h|"
    r"leasemap/peer/v1/.*|utf8cpp/.*|xxhash\.h")
# What those headers bring along nevertheless, or no header is needed for.
IMPURE_WORDS = re.compile(
    r"\bstd::(atomic|call_once|cerr|chrono|clog|condition_variable\w*|cout|filesystem|jthread|[io]?fstream|mutex|random_device|"
    r"thread|this_thread|unordered_\w+)\b|\babsl::(BitGen|flat_hash_\w+|GetCurrentTimeNanos|Mutex|node_hash_\w+|Now|SleepFor)\b|"
    r"\bthread_local\b|\b(clock_gettime|fopen|fprintf|getenv|gettimeofday|printf|rand|setenv|srand|usleep)\s*\(")

# It says which invariant does not hold, and ends the program.
NOT_PURE = {"peer/core/data/check.cc"}

# Locks that no analysis knows; peer/threads/mutex.h has those to use.
UNKNOWN_LOCKS = {"condition_variable", "mutex", "semaphore", "shared_mutex", "absl/synchronization/mutex.h"}
LOCKS_ARE_IN = "peer/threads"
# Clang knows this lock, too, but ThreadSanitizer misreads Debian's; what is linked with gRPC is not run under that. So the
# C++ client and its programs may have it.
KNOWN_LOCK = "absl/synchronization/mutex.h"
KNOWN_LOCK_IN = {"clients/cpp/bench", "clients/cpp/io", "tests/clients/cpp/io", "tests/e2e/cpp_client"}

SOURCES = ["clients", "peer", "protos", "server", "tests", "text"]
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def reach(folder, folders=None, via=()):
    """All folders that one may include, itself too."""
    folders = FOLDERS if folders is None else folders
    if folder in via:
        raise ValueError(f"the table has a circle: {' -> '.join((*via, folder))}")
    found = {folder}
    for name in folders[folder].includes.split():
        found |= reach(name, folders, (*via, folder))
    return found


def library_of(header):
    """The longest beginning counts: grpc/health/v1/ is of the API, not of gRPC. None: the standard library's."""
    found = max(((len(start), name) for name, starts in LIBRARIES.items() for start in starts if header.startswith(start)),
                default=None)
    if found:
        return found[1]
    return "system" if header.endswith(".h") else None


def check_include(folder, header, own, pure):
    """What is wrong with one include of a file in a folder; empty if nothing is. own: it is of this repository."""
    if own:
        target = header.rpartition("/")[0]
        if target not in reach(folder):
            return f"{folder} may not include {target or 'a file without its folder'}"
        return ""
    if pure and not PURE_HEADERS.fullmatch(header):
        return f"{folder} is pure, and <{header}> is not among PURE_HEADERS"
    library = library_of(header)
    if library is not None and library not in FOLDERS[folder].libraries.split():
        return f"{folder} may not use {library}"
    if header in UNKNOWN_LOCKS and folder != LOCKS_ARE_IN and not (header == KNOWN_LOCK and folder in KNOWN_LOCK_IN):
        return f"locks are those of {LOCKS_ARE_IN}/mutex.h, which are checked"
    return ""


def check_file(path, root):
    name = path.relative_to(root)
    folder = str(name.parent)
    if folder not in FOLDERS:
        return [f"{name}: the table in tools/check_includes.py has no folder {folder}"]
    pure = FOLDERS[folder].pure and str(name) not in NOT_PURE
    wrong = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        include = INCLUDE.match(line)
        if include:
            header = include[2]
            ours = (root / header).is_file() or (include[1] == '"' and library_of(header) in (None, "system"))
            if ours and not (root / header).is_file():
                problem = f'"{header}" is no file; an include begins at the root of the sources'
            else:
                problem = check_include(folder, header, ours, pure)
        else:
            code = line.split("//")[0]
            word = IMPURE_WORDS.search(code) if pure else None
            problem = f"{folder} is pure, and {word[0].rstrip('( ')} is not" if word else ""
        if problem:
            wrong.append(f"{name}:{number}: {problem}")
    return wrong


def check(root):
    """(files looked at, what is wrong with them)."""
    files = sorted(path for top in SOURCES for end in ("cc", "h") for path in (root / top).rglob(f"*.{end}"))
    return len(files), [line for path in files for line in check_file(path, root)]


def main():
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    for folder in FOLDERS:
        reach(folder)
    count, wrong = check(root)
    print("\n".join(wrong) if wrong else f"the includes of {count} files follow the arrows")
    sys.exit(1 if wrong or not count else 0)


if __name__ == "__main__":
    main()
