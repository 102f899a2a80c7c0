"""What the end-to-end tests stand on: where the build is, stubs of the protos, waiting, and reading answers.

LEASEMAP_BUILD names the build (build/release by default; an absolute path, or one from the project's root). Nothing
waits for a fixed time: `wait_for` polls a condition up to a bound, and bounds are generous, since builds with
sanitizers on a busy machine are slow.
"""
import atexit
import importlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("LEASEMAP_BUILD", "build/release")).resolve()
LEASEMAPD, LEASEMAP = BUILD / "server/leasemapd", BUILD / "clients/cli/leasemap"
BOUND = 30  # seconds for what takes less than one on an idle machine
# Of a test, and of the processes that it starts with this module in them.
SHARED = os.environ.get("E2E_SCRATCH")
SCRATCH = pathlib.Path(SHARED or tempfile.mkdtemp(prefix="leasemap-e2e-"))
if not SHARED:
    os.environ["E2E_SCRATCH"] = str(SCRATCH)
    atexit.register(shutil.rmtree, SCRATCH, True)
# Nodes and command lines run with the variables of the tests' own choice alone.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("LEASEMAP_")}


def make_stubs():
    """Python stubs of the protos, first on the path."""
    stubs = SCRATCH / "stubs"
    sys.path.insert(0, str(stubs))
    if SHARED:
        return
    stubs.mkdir()
    protos = [proto for folder in ("leasemap/v1", "leasemap/peer/v1", "google/rpc")
              for proto in sorted((ROOT / "protos" / folder).glob("*.proto"))]
    plugin = shutil.which("grpc_python_plugin")
    assert plugin and shutil.which("protoc"), "protoc or grpc_python_plugin is missing: tools/install-deps.sh"
    subprocess.run(["protoc", f"-I{ROOT / 'protos'}", f"--python_out={stubs}", f"--grpc_out={stubs}",
                    f"--plugin=protoc-gen-grpc={plugin}", *map(str, protos)], check=True)


make_stubs()
import grpc  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
pb, kv_grpc, mesh_pb, mesh_grpc = (importlib.import_module(f"leasemap.v1.{module}") for module in (
    "key_value_pb2", "key_value_pb2_grpc", "mesh_pb2", "mesh_pb2_grpc"))


def wait_for(what, condition, seconds=BOUND):
    """Polls until the condition holds, and returns what it gave."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.02)


def sanitized():
    """True for a build with AddressSanitizer, which holds freed memory back and is slow."""
    return b"__asan_init" in LEASEMAPD.read_bytes()


def text(entry, field="value"):
    """Key or value of an entry, as str or bytes, as it came; None if there is none."""
    which = entry.WhichOneof(f"{field}_form")
    return getattr(entry, which) if which else None


def keyed(key, value=None):
    """The fields of a key and a value in a request, as text or as bytes."""
    fields = {"key" if isinstance(key, str) else "key_bytes": key}
    if value is not None:
        fields["value" if isinstance(value, str) else "value_bytes"] = value
    return fields


def error_info(error):
    """The ErrorInfo of an RpcError; an empty one if the error is not of Leasemap's own."""
    info = error_details_pb2.ErrorInfo()
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(info):
                    return info
    return info
