"""The mutation tester itself (tools/mutants.py): where it changes code and where not, and that it tells a change that
breaks the core from one that can't be noticed. Usage: mutants_test.py BUILD, a release build."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import mutator  # noqa: E402

SOURCE = '''
#include <a> // a < b
namespace n {
constexpr int kLimit = 5;
struct S {
  int size() const { return size_ + 1; }
  bool operator==(const S&) const = default;
  int size_ = 0;
};
int F(const std::vector<int>& v, int* out) {
  static_assert(kLimit > 3);
  LEASEMAP_CHECK(v.size() < 9, "text");
  const std::map<int, int> m = Make();
  if (v.empty()) return 7;
  for (int i = 0; i < 3; ++i) {
    if (m.contains(i) && v[i] == 2) continue;
    out->total += i;
    Call(i);
  }
  Log(true, absl::StrCat("a", 1 + 2));
  return v.size() > 4 ? *out : std::max(2, *out);
}
}  // namespace n
'''

# The first changes what every test relies on. The second asks the same two questions in another order.
DEAD = """peer/core/data/version_vector.cc
-if (seq <= prefix) return true;
+if (seq <= prefix) return false;
"""
EQUIVALENT = """peer/core/data/version_vector.cc
-if (last <= prefix || first > last) return;
+if (first > last || last <= prefix) return;
"""
NOT_COMPILED = """peer/core/data/version_vector.cc
-if (seq <= prefix) return true;
+if (seq <= no_such_name) return true;
"""
GONE = """peer/core/data/version_vector.cc
-this line was never there
+nor this one
"""


class Mutator(unittest.TestCase):
    def test_changes_what_it_should_and_nothing_else(self):
        found = {(m.line(SOURCE), SOURCE[m.at:m.end], m.new) for m in mutator.mutants_of("f.cc", SOURCE)}
        expected = {
            (6, "+", "-"), (6, "1", "2"),
            (14, "v.empty()", "!(v.empty())"), (14, "return 7;", ";"), (14, "7", "8"), (14, "7", "6"),
            (15, "0", "1"), (15, "<", "<="), (15, "<", ">="), (15, "3", "4"), (15, "3", "2"),
            (16, "&&", "||"), (16, "==", "!="), (16, "2", "3"), (16, "2", "1"), (16, "continue", "break"),
            (16, "m.contains(i) && v[i] == 2", "!(m.contains(i) && v[i] == 2)"),
            (17, "+=", "-="), (17, "out->total += i;", ";"), (18, "Call(i);", ";"),
            (21, ">", ">="), (21, ">", "<="), (21, "4", "5"), (21, "4", "3"), (21, "max", "min"),
            (21, "2", "3"), (21, "2", "1"), (21, "*out : std::max(2, *out)", "std::max(2, *out) : *out"),
        }
        self.assertEqual(found, expected)

    def test_every_mutant_is_another_program(self):
        for path in sorted((ROOT / "peer/core").rglob("*.cc")):
            text = path.read_text()
            mutants = mutator.mutants_of(str(path), text)
            self.assertTrue(mutants, path)
            for mutant in mutants:
                self.assertNotEqual(mutant.apply(text), text)
            self.assertEqual(len({m.apply(text) for m in mutants}), len(mutants), path)

    def test_marks_each_function_of_a_header(self):
        marked = mutator.mark_functions(SOURCE, "MARK")
        self.assertIn("  MARK int size() const {", marked)
        self.assertIn("\nMARK int F(", marked)
        self.assertEqual(marked.count("MARK"), 2)
        only = mutator.mark_functions(SOURCE, "MARK", only=SOURCE.index("size_ + 1"))
        self.assertEqual(only, SOURCE.replace("int size()", "MARK int size()"))


class Tool(unittest.TestCase):
    build = None

    def play(self, mutants, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "mutants.txt")
            path.write_text("\n".join(mutants))
            done = subprocess.run(
                [sys.executable, ROOT / "tools/mutants.py", "--base", self.build, "--out", folder, "--jobs", "1",
                 "--list", path, *arguments], capture_output=True, text=True)
            results = pathlib.Path(folder, "results.jsonl")
            lines = results.read_text().splitlines() if results.exists() else []
            return [json.loads(line)["verdict"] for line in lines], done.stdout + done.stderr, done.returncode

    def test_the_dead_is_killed_and_the_equivalent_survives(self):
        verdicts, said, code = self.play([DEAD, EQUIVALENT, NOT_COMPILED, GONE])
        self.assertEqual(verdicts, ["killed", "survived", "broken"], said)
        self.assertEqual(code, 0, said)
        self.assertIn("no longer there: peer/core/data/version_vector.cc: this line was never there", said)
        self.assertIn("1 killed, 1 survived (50.0 % killed), 1 don't compile", said)
        self.assertIn("`+if (first > last \\|\\| last <= prefix) return;`", said)


if __name__ == "__main__":
    Tool.build = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
