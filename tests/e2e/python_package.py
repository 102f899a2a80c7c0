"""The Python client, installed as a user does it: by pip, offline, into a folder of this test's own. Imported before
`basics`, so that `leasemap` is the package and not the bare stubs."""
import atexit
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRATCH = pathlib.Path(tempfile.mkdtemp(prefix="leasemap-python-"))
atexit.register(shutil.rmtree, SCRATCH, True)


def install():
    """Installs a copy of the tree, since pip leaves folders beside what it builds; returns where the package is. With
    --prefix pip looks whether Debian's grpcio and protobuf will do."""
    tree = SCRATCH / "tree"
    shutil.copytree(ROOT / "clients/python", tree / "clients/python",
                    ignore=shutil.ignore_patterns("__pycache__", "*_pb2*", "build", "*.egg-info"))
    shutil.copytree(ROOT / "protos", tree / "protos")
    done = subprocess.run(
        ["/usr/bin/python3", "-m", "pip", "install", "--no-index", "--no-build-isolation", "--quiet",
         "--prefix", SCRATCH / "prefix", tree / "clients/python"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"pip install failed: {done.stdout}{done.stderr}"
    return next((SCRATCH / "prefix").rglob("leasemap/py.typed")).parents[1]


SITE = install()
sys.path.insert(0, str(SITE))
