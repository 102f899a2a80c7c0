#!/usr/bin/env python3
"""The C++ client as a package: `cmake --install` into a folder of its own, then a project that knows nothing but that folder
finds it, is compiled, and runs against a node. Its program is the first one of the client's README."""
import re
import subprocess
import unittest

from basics import BUILD, ENVIRONMENT, ROOT, SCRATCH
from cluster import ClusterTest

COMPILED_S = 300  # a compiler on a busy machine
LISTS = """cmake_minimum_required(VERSION 3.25)
project(user CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(leasemap 0.1 REQUIRED)
add_executable(user user.cc)
target_compile_options(user PRIVATE -Wall -Wextra -Werror)
target_link_libraries(user PRIVATE leasemap::client)
"""

def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=COMPILED_S, check=False,
                          env=ENVIRONMENT)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


class InstallTest(ClusterTest):
    def test_a_project_finds_it(self):
        prefix, source, build = (SCRATCH / name for name in ("prefix", "user", "user-build"))
        run("cmake", "--install", BUILD, "--prefix", prefix)
        source.mkdir()
        (source / "CMakeLists.txt").write_text(LISTS)
        node = self.cluster(1).nodes[0]
        readme = (ROOT / "clients/cpp/README.md").read_text()
        program = re.search(r"```cpp\n(#include.*?SyncMap.*?)```", readme, re.DOTALL)[1]
        self.assertIn("127.0.0.1:7400,127.0.0.1:7410", program)
        (source / "user.cc").write_text(program.replace("127.0.0.1:7400,127.0.0.1:7410", node.target))
        flags = [line.partition("=")[2] for line in (BUILD / "CMakeCache.txt").read_text().splitlines()
                 if line.startswith("CMAKE_CXX_FLAGS:")]  # as of a build with sanitizers
        run("cmake", "-S", source, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
            f"-DCMAKE_CXX_FLAGS={flags[0]}")
        run("cmake", "--build", build)
        for header in prefix.rglob("leasemap/*.h"):
            self.assertNotIn("clients/cpp", header.read_text(), f"{header} needs the sources")
        self.assertEqual(run(build / "user").strip(), re.search(r'// .*prints "(.*)"', program)[1])
        self.assertEqual(node.get("color"), "blue")


if __name__ == "__main__":
    unittest.main(verbosity=2)
