"""Which node is asked next and after what pause; what errors become; channels and keys."""
import datetime
import socket
import unittest

from support import refusal, status_details

from leasemap import channels, errors, retry
from leasemap import entry as entries
from leasemap.core import default_holder
from leasemap.retry import Backoff, Endpoints


class BackoffTest(unittest.TestCase):
    def test_pauses_double_up_to_a_bound(self):
        backoff = Backoff(lambda: 1.0)
        self.assertEqual([backoff.next() for _ in range(7)], [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0])
        for _ in range(2000):  # no overflow, however long it goes on
            self.assertEqual(backoff.next(), 2.0)
        backoff.reset()
        self.assertEqual(backoff.next(), 0.05)

    def test_chance_cuts_off_up_to_a_half(self):
        self.assertEqual(Backoff(lambda: 0.0).next(), 0.025)


class EndpointsTest(unittest.TestCase):
    def test_it_stays_at_home(self):
        endpoints = Endpoints(["a:1", "b:1", "c:1"], lambda: 0.5)
        self.assertEqual([endpoints.pick(t) for t in range(3)], ["b:1"] * 3)

    def test_programs_start_at_different_nodes(self):
        homes = [Endpoints(["a:1", "b:1", "c:1"], lambda c=c: c).home for c in (0.0, 0.34, 0.99)]
        self.assertEqual(homes, ["a:1", "b:1", "c:1"])

    def test_it_goes_round_when_nodes_fail_and_does_not_come_back_by_itself(self):
        endpoints = Endpoints(["a:1", "b:1", "c:1"], lambda: 0.0)
        seen = []
        for _ in range(3):
            seen.append(endpoints.pick(0.0))
            endpoints.failed(seen[-1], 0.0)
        self.assertEqual(seen, ["a:1", "b:1", "c:1"])
        self.assertAlmostEqual(endpoints.pause(0.0), 0.025)
        self.assertEqual(endpoints.pick(1.0), "c:1", "all may be asked again: it stays where it is")
        endpoints.failed("c:1", 1.0)
        endpoints.failed("a:1", 1.0)
        self.assertEqual(endpoints.pick(1.0), "b:1")
        self.assertEqual(endpoints.pick(9.0), "b:1")

    def test_of_those_that_failed_the_one_whose_pause_ends_first_is_next(self):
        endpoints = Endpoints(["a:1", "b:1"], lambda: 0.0)
        for _ in range(3):
            endpoints.failed("a:1", 0.0)
        endpoints.failed("b:1", 0.0)
        self.assertEqual(endpoints.pick(0.0), "b:1")
        endpoints.worked("a:1")
        self.assertEqual((endpoints.pick(0.0), endpoints.pause(0.0)), ("a:1", 0.0))

    def test_what_names_stand_for_changes(self):
        endpoints = Endpoints(["a:1", "b:1"], lambda: 0.0)
        endpoints.failed("a:1", 0.0)
        endpoints.replace(["b:1", "c:1", "b:1"])
        self.assertEqual((endpoints.targets, endpoints.home), (["b:1", "c:1"], "b:1"))
        endpoints.failed("a:1", 0.0)  # an answer that was on its way
        self.assertEqual(endpoints.pause(0.0), 0.0)

    def test_endpoints_are_checked(self):
        self.assertEqual(retry.split(" a:1, [::1]:2 ,"), ["a:1", "[::1]:2"])
        for bad in ("", "a", "a:", ":7", "a:b", []):
            with self.assertRaises(ValueError, msg=bad):
                retry.split(bad)


class RetryTest(unittest.TestCase):
    def test_what_is_tried_elsewhere(self):
        for code, reason in (("UNAVAILABLE", "SYNCING"), ("UNAVAILABLE", "DRAINING"), ("UNAVAILABLE", "CLOCK_UNSAFE"),
                             ("UNAVAILABLE", ""), ("DEADLINE_EXCEEDED", ""), ("UNKNOWN", ""),
                             ("RESOURCE_EXHAUSTED", "WAIT_LIMIT")):
            self.assertTrue(retry.elsewhere(refusal(code, reason)), (code, reason))

    def test_what_is_not(self):
        for code, reason in (("FAILED_PRECONDITION", "LEASE_HELD"), ("DEADLINE_EXCEEDED", "ACK_INCOMPLETE"),
                             ("ABORTED", "SUPERSEDED"), ("NOT_FOUND", "KEY_NOT_FOUND"), ("INVALID_ARGUMENT", ""),
                             ("RESOURCE_EXHAUSTED", "BYTES_LIMIT"), ("UNIMPLEMENTED", "UNSUPPORTED")):
            self.assertFalse(retry.elsewhere(refusal(code, reason)), (code, reason))


class ErrorsTest(unittest.TestCase):
    def test_a_held_lease_names_holder_and_time(self):
        error = refusal("FAILED_PRECONDITION", "LEASE_HELD", 2.5, holder="node-1",
                        expire_time="2026-01-02T03:04:05.250Z")
        self.assertIsInstance(error, errors.LeaseHeldError)
        self.assertEqual((error.holder, error.retry_after, error.code), ("node-1", 2.5, "FAILED_PRECONDITION"))
        self.assertEqual(error.expires, datetime.datetime(2026, 1, 2, 3, 4, 5, 250_000, datetime.timezone.utc))

    def test_each_reason_has_its_class(self):
        for code, reason, kind in (
                ("NOT_FOUND", "KEY_NOT_FOUND", errors.KeyNotFoundError), ("NOT_FOUND", "KEY_NOT_FOUND", KeyError),
                ("ABORTED", "VERSION_MISMATCH", errors.VersionMismatchError),
                ("ABORTED", "SUPERSEDED", errors.SupersededError),
                ("DEADLINE_EXCEEDED", "ACK_INCOMPLETE", errors.AckIncompleteError),
                ("OUT_OF_RANGE", "CURSOR_EXPIRED", errors.CursorError),
                ("INVALID_ARGUMENT", "KEY_INVALID", errors.InvalidError),
                ("INVALID_ARGUMENT", "KEY_INVALID", ValueError),
                ("RESOURCE_EXHAUSTED", "BYTES_LIMIT", errors.LimitError),
                ("UNAVAILABLE", "SYNCING", errors.UnavailableError), ("UNAVAILABLE", "", errors.UnavailableError),
                ("UNIMPLEMENTED", "UNSUPPORTED", errors.UnsupportedError)):
            error = refusal(code, reason)
            self.assertIsInstance(error, kind)
            self.assertEqual(error.reason, reason)

    def test_a_superseded_write_names_the_winner(self):
        error = refusal("ABORTED", "SUPERSEDED", version="v1", winner_version="v2", winner_holder="other")
        self.assertEqual((error.version, error.winner_version, error.winner_holder), ("v1", "v2", "other"))

    def test_spoilt_or_foreign_details_are_no_trouble(self):
        for details in (b"\xff\xff\xff", b"", status_details("X")[:-3]):
            error = errors.decode("UNAVAILABLE", "gone", details)
            self.assertIsInstance(error, errors.UnavailableError)
            self.assertEqual(error.message, "gone")
        self.assertIsNone(refusal("FAILED_PRECONDITION", "LEASE_HELD", expire_time="soon").expires)

    def test_an_item_of_a_batch(self):
        error = errors.decode_item(9, "held", "LEASE_HELD")
        self.assertIsInstance(error, errors.LeaseHeldError)
        self.assertEqual((error.code, error.expires), ("FAILED_PRECONDITION", None))
        self.assertEqual(errors.decode_item(99, "?", "").code, "UNKNOWN")


class NamesTest(unittest.TestCase):
    def test_keys_are_text_or_bytes(self):
        self.assertEqual(entries.key_fields("测试"), {"key": "测试"})
        self.assertEqual(entries.key_fields(bytearray(b"\xff")), {"key_bytes": b"\xff"})
        self.assertEqual((entries.shown("测试".encode()), entries.shown(b"\xff")), ("测试", b"\xff"))
        with self.assertRaises(TypeError):
            entries.to_bytes(7)

    def test_default_holders_differ(self):
        self.assertNotEqual(default_holder(), default_holder())
        self.assertLessEqual(len(default_holder().encode()), 255)

    def test_addresses_are_not_looked_up(self):
        self.assertEqual(channels.uri("10.0.0.1:7400"), "ipv4:10.0.0.1:7400")
        self.assertEqual(channels.uri("[::1]:7400"), "ipv6:[::1]:7400")
        self.assertEqual(channels.uri("node.example:7400"), "dns:///node.example:7400")

    def test_a_name_stands_for_all_its_addresses(self):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 7400)),
                 (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 7400, 0, 0)),
                 (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 7400))]
        self.assertEqual(channels.addresses("n:7400", found), ["10.0.0.1:7400", "[fe80::1]:7400"])
        self.assertEqual(channels.addresses("n:7400", []), ["n:7400"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
