"""Makes the Python code of the protos: generate.py OUT writes OUT/leasemap/v1 and OUT/leasemap/internal.

Needs protoc 3.20 or later and grpc_python_plugin (Debian: protobuf-compiler, protobuf-compiler-grpc). Debian's
grpc-tools are too old for these protos, so the build calls protoc itself; setup.py uses this file.
"""
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
API = ("leasemap/v1/key_value.proto", "leasemap/v1/mesh.proto")
# mesh.proto gets no .pyi: it has a field named `self`, and protoc makes a type stub of it that is no Python.
TYPED = API[:1]
INTERNAL = ("leasemap/internal/status.proto",)


def roots():
    """The folders of the protos: the client's own, and the public API's, which a source archive has beside it."""
    own = HERE / "protos"
    for public in (own, HERE.parents[1] / "protos"):
        if (public / API[0]).exists():
            return own, public
    sys.exit(f"generate.py: {API[0]} is neither below {own} nor below {HERE.parents[1] / 'protos'}; "
             "build from the project's tree or from a source archive of this package")


def generate(out):
    """Writes the code below `out`."""
    protoc, plugin = shutil.which("protoc"), shutil.which("grpc_python_plugin")
    if not protoc or not plugin:
        sys.exit("generate.py: protoc or grpc_python_plugin is missing; on Debian: "
                 "apt-get install protobuf-compiler protobuf-compiler-grpc")
    own, public = roots()
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    path = list(dict.fromkeys([f"-I{own}", f"-I{public}"]))
    subprocess.run([protoc, *path, f"--python_out={out}", *INTERNAL, *API], check=True)
    subprocess.run([protoc, *path, f"--pyi_out={out}", *INTERNAL, *TYPED], check=True)
    subprocess.run([protoc, *path, f"--grpc_out={out}", f"--plugin=protoc-gen-grpc={plugin}", *API], check=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    generate(sys.argv[1])
