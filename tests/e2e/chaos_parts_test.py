#!/usr/bin/env python3
"""The parts of the chaos test itself: a judge that finds nothing, or a proxy that spoils nothing, would prove nothing."""
import pathlib
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "chaos"))
from basics import BOUND, BUILD  # noqa: E402
from ledger import Loss, Seen, Write  # noqa: E402
from schedule import MENU, Field, Planner  # noqa: E402
from verdict import Judge  # noqa: E402


def entry(version, token=1, holder="h1", update=1000, deleted=False, start=1, expire=9000):
    return Seen(version, f"{token:032x}", holder, update, deleted, start, expire)


def write(version, key="k", node="n1", sent=10.0, level="local", operation="set", **more):
    made = entry(version, deleted=operation == "delete", **more)
    return Write(operation, key, node, sent, sent + 0.1, level, made.holder, made)


class JudgeTest(unittest.TestCase):
    def setUp(self):
        self.judge = Judge(5)

    def round(self, writes=(), present=None, graves=(), kills=(), losses=(), conflicts=None):
        return self.judge.round(list(writes), present or {}, graves, kills, losses, conflicts)

    def test_what_is_present_or_outranked_is_right(self):
        self.assertFalse(self.round([write("a")], {"k": entry("a")}))
        self.assertFalse(self.round([write("b")], {"k": entry("c", token=2)}))
        self.assertFalse(self.round([write("d", token=2)], {"k": entry("e", token=2, update=1001)}))
        self.assertFalse(self.round([write("f", token=3)], {"k": entry("g", token=3, holder="h0", update=1)}))

    def test_a_lost_write_is_found(self):
        self.assertIn("k version a is gone", self.round([write("a")], {})[0])
        self.assertEqual(len(self.round([write("a", token=2)], {"k": entry("b")})), 1)
        self.assertEqual(len(self.round([write("a", holder="h0")], {"k": entry("b")})), 1)
        self.assertEqual(len(self.round([write("a", update=1001)], {"k": entry("b")})), 1)

    def test_only_a_kill_later_in_the_round_excuses(self):
        self.assertEqual(len(self.round([write("a")], {}, kills=[("n1", 9.0)])), 1)
        self.assertEqual(len(self.round([write("a")], {}, kills=[("n2", 11.0)])), 1)
        self.assertFalse(self.round([write("a")], {}, kills=[("n1", 11.0)]))
        self.assertEqual(self.judge.excused["local"], 1)

    def test_a_majority_is_only_excused_when_it_could_have_died(self):
        two, three = [("n1", 11.0), ("n2", 11.0)], [("n1", 11.0), ("n2", 11.0), ("n3", 11.0)]
        self.assertEqual(len(self.round([write("a", level="majority")], {}, kills=two)), 1)
        self.assertFalse(self.round([write("a", level="majority")], {}, kills=three))

    def test_what_stood_before_has_no_excuse(self):
        self.assertFalse(self.round([write("a")], {"k": entry("a")}))
        self.assertEqual(len(self.round([], {}, kills=[("n1", 11.0)])), 1)

    def test_deletes(self):
        delete = write("b", operation="delete", update=1001)
        self.assertFalse(self.round([write("a"), delete], {}))
        self.assertFalse(self.round([], {}), "the key was gone already")
        self.assertEqual(len(self.round([], {"k": entry("a")})), 1, "a delete came back")
        self.assertFalse(self.round([write("c", key="j")], {}, graves=[("j", entry("d", update=1001, deleted=True))]))
        self.assertEqual(len(self.round([write("e", key="i")], {}, graves=[("i", entry("f", update=999))])), 1)

    def test_a_loss_that_was_not_told(self):
        lost = [write("a", token=1, start=5, expire=9000)]
        present = {"k": entry("b", token=2, holder="h2", start=6)}
        self.assertEqual(len(self.round(lost, present, conflicts=[])), 1)
        told = Loss("n1", "k", entry("a"), entry("b", token=2, holder="h2"))
        self.assertFalse(self.round(lost, present, conflicts=[told]))
        self.assertFalse(self.round(lost, present, losses=[told], conflicts=[]))
        self.assertFalse(self.round(lost, present, kills=[("n1", 11.0)], conflicts=[]), "the process died")
        later = {"k": entry("b", token=2, holder="h2", start=9)}
        self.assertFalse(self.round(lost, later, conflicts=[]), "its lease had run out")
        again = write("c", operation="renew", sent=11.0)
        self.assertFalse(self.round([*lost, again], present, conflicts=[]), "another write may have lost in its place")
        before = write("d", token=1, sent=9.0, update=999, start=5)
        self.assertEqual(len(self.round([*lost, before], present, conflicts=[])), 1)
        ahead = write("d", token=1, sent=9.0, update=1001, start=5)
        self.assertFalse(self.round([*lost, ahead], present, conflicts=[]), "its holder's own replaced it")

    def test_losses_told_wrongly(self):
        told = Loss("n1", "k", entry("a"), entry("b", token=2, holder="h2"))
        self.assertEqual(len(self.round([], {"k": entry("a")}, losses=[told])), 1)
        self.assertEqual(len(self.round([], {"k": entry("b", token=2)}, losses=[told])), 1, "told twice")

    def test_what_a_loss_was_to_may_die_with_its_teller(self):
        died = Loss("n1", "k", entry("e"), entry("f", token=2, holder="h2"), 12.0)
        self.assertEqual(len(self.round([], {"k": entry("e")}, kills=[("n1", 11.0)], losses=[died])), 1)
        self.judge.told.clear()
        self.assertFalse(self.round([], {"k": entry("e")}, kills=[("n1", 13.0)], losses=[died]))

    def test_a_loss_to_a_lower_rank(self):
        upside_down = Loss("n1", "j", entry("c", token=2), entry("d", holder="h2"))
        self.assertEqual(len(self.round([], {"k": entry("b", token=2)}, losses=[upside_down])), 1)


class ScheduleTest(unittest.TestCase):
    def test_the_seed_makes_the_schedule(self):
        def plan(seed):
            return Planner(Field(5), seed).rounds(20, 25)
        self.assertEqual(plan(7), plan(7))
        self.assertNotEqual(plan(7), plan(8))
        faults = [fault for one in plan(7) for fault in one]
        self.assertEqual({fault.kind for fault in faults}, {*MENU, "massacre"})
        self.assertTrue(all(fault.at + fault.lasts <= 25 or fault.kind == "massacre" for fault in faults))

    def test_a_majority_lives_in_a_usual_round(self):
        for size in (3, 5, 30):
            for one in Planner(Field(size), 1).rounds(40, 25):
                dead = {fault.who for fault in one if fault.kind in ("kill", "term")}
                self.assertLessEqual(len(dead), max(1, (size - 1) // 2))


class ProxyTest(unittest.TestCase):
    def setUp(self):
        self.node = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.node.close)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.proxy = subprocess.Popen([BUILD / "tests/e2e/chaos/chaos_proxy", "127.0.0.1", str(port), "127.0.0.1",
                                       str(self.node.getsockname()[1])], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True)
        self.addCleanup(self.end)
        self.assertEqual(self.proxy.stdout.readline(), "listening\n")
        self.peer = socket.create_connection(("127.0.0.1", port), BOUND)
        self.node.settimeout(BOUND)
        self.far, _ = self.node.accept()
        for end in (self.peer, self.far):
            end.settimeout(BOUND)
            self.addCleanup(end.close)
        self.assertEqual(self.through(self.peer, self.far, b"hello"), b"hello")

    def end(self):
        self.proxy.communicate()
        self.assertEqual(self.proxy.returncode, 0)

    def tell(self, line):
        self.proxy.stdin.write(line + "\n")
        self.proxy.stdin.flush()
        return self.proxy.stdout.readline().strip()

    @staticmethod
    def through(sender, receiver, data):
        sender.sendall(data)
        return ProxyTest.read(receiver, len(data))

    @staticmethod
    def read(receiver, size):
        got = b""
        while len(got) < size:
            piece = receiver.recv(size - len(got))
            if not piece:
                break
            got += piece
        return got

    def test_a_stall_holds_one_way_and_loses_nothing(self):
        self.assertEqual(self.tell("in * stall"), "ok 1")
        self.peer.sendall(b"held")
        self.assertEqual(self.through(self.far, self.peer, b"back"), b"back")
        self.far.settimeout(0.2)
        self.assertRaises(TimeoutError, self.far.recv, 1)
        self.far.settimeout(BOUND)
        self.tell("in 127.0.0.1 pass")
        self.assertEqual(self.read(self.far, 4), b"held")

    def test_a_cut_comes_after_so_many_bytes(self):
        self.assertEqual(self.tell("out 127.0.0.1 cut 3"), "ok 1")
        self.far.sendall(b"12345")
        got = b""
        with self.assertRaises(ConnectionResetError):
            while piece := self.peer.recv(10):
                got += piece
            self.fail("the link was closed, not reset")
        self.assertLessEqual(len(got), 3)
        self.assertEqual(self.tell("out 127.0.0.1 pass"), "ok 0")

    def test_slices_and_speed(self):
        self.tell("both * slice")
        data = bytes(range(256)) * 40
        self.assertEqual(self.through(self.peer, self.far, data), data)
        self.tell("both * slow")
        begin = time.monotonic()
        data *= 100
        self.peer.sendall(data[:300_000])
        self.assertEqual(self.read(self.far, 300_000), data[:300_000])
        self.assertGreater(time.monotonic() - begin, 0.25, "1 MB/s was asked for")

    def test_wrong_lines(self):
        for line in ("", "in", "up * pass", "in * melt", "in * cut", "in * cut -1"):
            self.assertTrue(self.tell(line).startswith("wrong"), line)

    def test_an_end_passes_through(self):
        self.peer.shutdown(socket.SHUT_WR)
        self.assertEqual(self.far.recv(1), b"")
        self.assertEqual(self.through(self.far, self.peer, b"still"), b"still")
        self.far.close()
        self.assertEqual(self.peer.recv(1), b"")


if __name__ == "__main__":
    unittest.main(verbosity=2)
