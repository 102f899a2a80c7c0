#!/usr/bin/env python3
"""Bytes on their way through the command line: values from files and standard input, get --raw, export and import."""
import json
import os
import pathlib
import unittest

from basics import SCRATCH, sanitized, wait_for
from cli_support import REFUSED, UNREACHABLE, WRONG_USE, CommandLineTest, run_on_terminal


class ValuesTest(CommandLineTest):
    def test_values_from_files_and_standard_input(self):
        for value in (b"", b"\n", b"text", b"text\n", b"a\x00b\xff\r\n", os.urandom(100_000), "值 ✓\n".encode()):
            file = SCRATCH / "value"
            file.write_bytes(value)
            for command, given in ((("set", "v/1", f"@{file}"), None), (("set", "v/1", "-"), value),
                                   (("set", "v/1"), value)):
                self.run_it("set", "v/1", "other")
                self.run_it(*command, given=given)
                self.assertEqual(self.run_it("get", "v/1", "--raw", raw=True)[0], value)

    def test_a_value_that_begins_with_an_at_sign(self):
        for written, value in (("@@home", "@home"), ("@@", "@"), ("@@@", "@@"), ("a@b", "a@b")):
            self.run_it("set", "v/at", written)
            self.assertEqual(self.run_it("get", "v/at", "--raw")[0], value)
        for argument in ("@/no/such/file", "@", f"@{SCRATCH}"):
            self.assertIn("no value from", self.run_it("set", "v/at", argument, code=WRONG_USE)[1])
        self.assertIn("16 MiB", self.run_it("set", "v/at", given=b"x" * ((16 << 20) + 1), code=WRONG_USE)[1])
        self.assertEqual(self.run_it("get", "v/at")[0], "a@b\n")

    def test_nobody_waits_at_a_terminal_that_was_not_asked_for(self):
        for command in (("set", "v/tty"), ("import",)):
            code, shown = run_on_terminal(*command, "--server", self.nodes[0].target)
            self.assertEqual(code, WRONG_USE)
            self.assertRegex(shown, "leasemap:.* (is a terminal|nothing to import)")


class TransferTest(CommandLineTest):
    def exported(self, *options, node=None):
        return [json.loads(line) for line in self.run_it("export", *options, node=node)[0].splitlines()]

    def test_an_export_is_imported_by_another_cluster(self):
        self.run_it("set", "x/leased", "one", "--holder", "job-7", "--lease", "30m")
        self.run_it("set", "x/free", "two\nlines", "--lease", "0")
        self.run_it("set", "x/bytes", "-", given=b"\x00\xff")
        self.nodes[0].set(b"x/\xff", b"was set as bytes")
        entries = self.exported("--prefix", "x/")
        self.assertEqual([*entries[2]], ["key", "value", "holder", "lease", "expire_time", "version", "update_time"])
        self.assertEqual([entry.get("key") or entry["key_bytes"] for entry in entries],
                         ["x/bytes", "x/free", "x/leased", "eC//"])
        lines, _ = self.run_it("export", "--prefix", "x/")
        other = self.cluster(1).nodes[0]
        self.assertEqual(self.run_it("import", given=lines.encode(), node=other)[0], "4 set, 0 failed\n")
        there = self.exported(node=other)
        same = lambda found: [(e.get("key"), e.get("key_bytes"), e.get("value"), e.get("value_bytes"), e["holder"])
                              for e in found]
        self.assertEqual(same(there), same(entries))
        self.assertRegex(there[2]["lease"], r"^29m\d+(\.\d+)?s$")
        self.assertEqual(there[2]["expire_time"][:18], entries[2]["expire_time"][:18])
        self.assertEqual((there[1]["lease"], "expire_time" in there[1]), ("0", False))
        # Once more, from a file: the holders are the same, so nobody refuses. With --if-absent the keys that are there stay.
        file = SCRATCH / "map.jsonl"
        file.write_text(lines)
        self.assertEqual(self.run_it("import", file, node=other)[0], "4 set, 0 failed\n")
        self.assertEqual(self.run_it("import", file, "--if-absent", node=other)[0], "0 set, 0 failed, 4 there already\n")

    def test_import_reports_each_refusal_and_goes_on(self):
        self.run_it("set", "y/held", "1", "--holder", "other")
        lines = ('{"key":"y/1","value":"one"}\n{"key":"y/held","value":"2","holder":"me"}\nno json\n'
                 '{"key":"y/2","value":"two","holder":"me"}\n').encode()
        out, error = self.run_it("import", given=lines, code=REFUSED, quiet=False)
        self.assertEqual(out, "2 set, 2 failed\n")
        said = sorted(error.splitlines())
        self.assertRegex(said[0], 'line 2: key "y/held" is leased by other')
        self.assertRegex(said[1], "line 3: not a JSON object")
        self.assertEqual([(e["key"], e["holder"]) for e in self.exported("--prefix", "y/")],
                         [("y/1", "n1"), ("y/2", "me"), ("y/held", "other")])
        self.run_it("import", "--holder", "other", "--lease", "0",
                    given=b'{"key":"y/held","value":"3","holder":"me","lease":"1h"}\n')
        entry, = self.exported("--prefix", "y/held")
        self.assertEqual((entry["value"], entry["holder"], entry["lease"]), ("3", "other", "0"))
        self.run_it("import", "/no/such/file", code=WRONG_USE)

    def test_many_keys_stream_through(self):
        count = 3000 if sanitized() else 20_000
        self.run_it("batch", "--lease", "0", given="".join(f"z/{i:05d}\t{i}\n" for i in range(count)).encode())
        lines, _ = self.run_it("export", "--prefix", "z/")
        self.assertEqual(len(lines.splitlines()), count)
        self.run_it("del", "--prefix", "z/")
        self.assertEqual(self.run_it("import", given=lines.encode())[0], f"{count} set, 0 failed\n")
        again, _ = self.run_it("export", "--prefix", "z/")
        keep = lambda text: [(e["key"], e["value"], e["holder"]) for e in map(json.loads, text.splitlines())]
        self.assertEqual(keep(again), keep(lines))
        wait_for("all on n2", lambda: len(self.run_it("ls", "z/", node=self.nodes[1])[0].splitlines()) == count)

    def test_progress_is_for_terminals(self):
        self.run_it("set", "t/1", "1")
        file = pathlib.Path(SCRATCH / "t.jsonl")
        file.write_text(self.run_it("export", "--prefix", "t/")[0])
        self.assertIn("1 keys written", run_on_terminal("import", str(file), "--server", self.nodes[0].target)[1])
        self.assertEqual(self.run_it("import", file)[1], "")

    def test_an_import_without_a_node_exits_3(self):
        _, error = self.run_it("import", "--server", "127.0.0.1:9", given=b'{"key":"k","value":"v"}\n',
                               code=UNREACHABLE, quiet=False)
        self.assertIn("lines 1 to 1 may be done or not", error)


if __name__ == "__main__":
    unittest.main(verbosity=2)
