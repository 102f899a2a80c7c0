"""What tools/check_includes.py must find, each planted into a tree of its own, and what it must let pass."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools"))
import check_includes as checker


class CheckIncludes(unittest.TestCase):
    def problems(self, name, text, others=()):
        """What is found in one file, beside some empty ones."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, content in ((name, text), *((other, "") for other in others)):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(content)
            return checker.check(root)[1]

    def finds(self, what, name, text, others=()):
        found = self.problems(name, text, others)
        self.assertEqual(len(found), 1, found)
        self.assertIn(what, found[0])
        self.assertTrue(found[0].startswith(name), found[0])

    def test_an_include_against_the_arrows(self):
        self.finds("peer/core/node may not include peer/net", "peer/core/node/a.cc", '#include "peer/net/b.h"\n', ["peer/net/b.h"])
        self.finds("peer/core/data may not include peer/core/sync", "peer/core/data/a.h", '#include "peer/core/sync/b.h"\n',
                   ["peer/core/sync/b.h"])
        self.finds("peer/wire may not include server/host", "peer/wire/a.cc", "#  include <server/host/b.h>\n",
                   ["server/host/b.h"])
        self.finds("clients/cli may not include peer/core", "clients/cli/a.cc", '#include "peer/core/node/b.h"\n', ["peer/core/node/b.h"])

    def test_the_line_is_named(self):
        found = self.problems("peer/core/mesh/a.h", "#pragma once\n\n#include <mutex>\n")
        self.assertTrue(found[0].startswith("peer/core/mesh/a.h:3: "), found)

    def test_the_core_is_pure(self):
        for header in ("mutex", "thread", "chrono", "atomic", "condition_variable", "future", "random", "fstream", "filesystem",
                       "iostream", "cstdio", "ctime", "unordered_map", "sys/socket.h", "time.h", "unistd.h", "asio.hpp",
                       "spdlog/spdlog.h", "grpcpp/grpcpp.h", "absl/synchronization/mutex.h", "absl/time/clock.h",
                       "absl/random/random.h", "absl/container/flat_hash_map.h"):
            for folder in ("text", "peer/core/data", "peer/core/node", "peer/wire"):
                with self.subTest(header=header, folder=folder):
                    self.finds("pure", f"{folder}/a.cc", f"#include <{header}>\n")

    def test_the_core_is_pure_whatever_its_headers_bring_along(self):
        for code in ("auto now = absl::Now();", "std::this_thread::yield();", "const char* home = std::getenv(\"HOME\");",
                     "std::unordered_map<int, int> map;", "thread_local int x;", "int r = rand();", "std::atomic<int> n;"):
            with self.subTest(code=code):
                self.finds("pure", "peer/core/sync/a.cc", f"{code}\n")

    def test_comments_may_name_what_is_not_pure(self):
        self.assertEqual(self.problems("peer/core/sync/a.cc", "int n = 0;  // no std::mutex here\n// absl::Now() neither\n"), [])

    def test_the_one_file_that_ends_the_program(self):
        self.assertEqual(self.problems("peer/core/data/check.cc", "#include <cstdio>\n"), [])

    def test_a_library_that_a_folder_does_not_use(self):
        self.finds("peer/net may not use grpc", "peer/net/a.cc", "#include <grpcpp/grpcpp.h>\n")
        self.finds("peer/net may not use spdlog", "peer/net/a.cc", '#include "spdlog/spdlog.h"\n')
        self.finds("server/host may not use api", "server/host/a.cc", '#include "leasemap/v1/key_value.pb.h"\n')
        self.finds("clients/cli/core may not use system", "clients/cli/core/a.cc", "#include <unistd.h>\n")

    def test_locks_are_those_that_are_checked(self):
        for header in ("mutex", "shared_mutex", "condition_variable"):
            self.finds("locks are those of peer/threads", "server/rpc/a.cc", f"#include <{header}>\n")
            self.assertEqual(self.problems("peer/threads/a.h", f"#include <{header}>\n"), [])

    def test_an_include_begins_at_the_root(self):
        self.finds("begins at the root", "server/rpc/a.cc", '#include "b.h"\n', ["server/rpc/b.h"])
        self.finds("is no file", "server/rpc/a.cc", '#include "server/rpc/gone.h"\n')

    def test_a_folder_that_is_not_in_the_table(self):
        self.finds("no folder peer/new", "peer/new/a.cc", "")
        self.finds("no folder peer/core/data/deep", "peer/core/data/deep/a.h", "")

    def test_what_follows_the_arrows(self):
        text = '#include "server/rpc/a.h"\n\n#include <atomic>\n#include <sys/socket.h>\n\n#include "peer/core/data/b.h"\n' \
               '#include "peer/core/node/c.h"\n#include "grpcpp/grpcpp.h"\n#include "leasemap/v1/key_value.pb.h"\n'
        self.assertEqual(self.problems("server/rpc/a.cc", text, ["server/rpc/a.h", "peer/core/data/b.h", "peer/core/node/c.h"]), [])

    def test_a_circle_in_the_table(self):
        folders = {"a": checker.Folder("b"), "b": checker.Folder("c"), "c": checker.Folder("a")}
        with self.assertRaisesRegex(ValueError, "a -> b -> c -> a"):
            checker.reach("a", folders)

    def test_the_layers_of_the_core_are_in_one_order(self):
        self.assertEqual(checker.reach("peer/core/mesh"), {"peer/core/mesh", "peer/core/sync", "peer/core/data", "text"})


if __name__ == "__main__":
    unittest.main()
