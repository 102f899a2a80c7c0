#!/usr/bin/env python3
"""The C++ client as a package: `cmake --install` into a folder of its own, then a project that knows nothing but that folder
finds it, is compiled, and runs against a node."""
import subprocess
import unittest

from basics import BUILD, ENVIRONMENT, SCRATCH
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
PROGRAM = """#include <leasemap/leasemap.h>

#include <iostream>

int main(int, char** argv) {
  leasemap::Client client({argv[1]}, {.lease = absl::ZeroDuration()});
  leasemap::SyncMap map(client);
  if (!map.WaitSynced().ok() || !map.Set("color", "blue", {.if_absent = true}).ok()) return 1;
  std::cout << map.Get("color").value_or("none") << "\\n";
}
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
        (source / "user.cc").write_text(PROGRAM)
        flags = [line.partition("=")[2] for line in (BUILD / "CMakeCache.txt").read_text().splitlines()
                 if line.startswith("CMAKE_CXX_FLAGS:")]  # as of a build with sanitizers
        run("cmake", "-S", source, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
            f"-DCMAKE_CXX_FLAGS={flags[0]}")
        run("cmake", "--build", build)
        for header in prefix.rglob("leasemap/*.h"):
            self.assertNotIn("clients/cpp", header.read_text(), f"{header} needs the sources")
        node = self.cluster(1).nodes[0]
        self.assertEqual(run(build / "user", node.target), "blue\n")
        self.assertEqual(node.get("color"), "blue")


if __name__ == "__main__":
    unittest.main(verbosity=2)
