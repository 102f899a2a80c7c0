"""The near cache: what a watch and own writes make of the map."""
import unittest

from support import event, entry, message, snapshot

from leasemap import entry as entries
from leasemap import fold
from leasemap.fold import NearCache


def told(changes):
    return [(change.kind, entries.shown(change.key)) for change in changes if change.told]


class CacheTest(unittest.TestCase):
    def setUp(self):
        self.cache = NearCache("me")

    def start(self, *events):
        self.cache.request()
        return self.cache.take(snapshot(*events))

    def wrote(self, *arguments, now=0.0, before=(), **keywords):
        keywords = {"holder": "me", **keywords}
        self.cache.wrote(entries.from_proto(entry(*arguments, **keywords)), now, frozenset(before))


class FoldTest(CacheTest):
    def test_a_snapshot_is_seen_whole_or_not_at_all(self):
        request = self.cache.request()
        self.assertTrue(request.include_snapshot)
        self.assertEqual(self.cache.take(message(event("SET", "a", "1"))), [])
        self.assertEqual((self.cache.values, self.cache.synced), ({}, False))
        changes = self.cache.take(snapshot(event("SET", "b", b"2")))
        self.assertEqual(self.cache.values, {b"a": "1", b"b": b"2"})
        self.assertTrue(self.cache.synced)
        self.assertEqual(told(changes), [], "what was there at the start is not told")

    def test_events_change_it_and_are_told(self):
        self.start(event("SET", "a", "1"), event("SET", "gone", "1"), event("SET", "brief", "1"))
        changes = self.cache.take(message(
            event("SET", "a", "2", version="v2", written=1_700_000_001),
            event("DELETED", "gone", version="v2", written=1_700_000_001, deleted=True),
            event("EXPIRED", "brief", "1")))
        self.assertEqual(self.cache.values, {b"a": "2"})
        self.assertEqual(told(changes), [("update", "a"), ("delete", "gone"), ("expired", "brief")])

    def test_a_resumed_stream_tells_nothing_twice(self):
        self.start(event("SET", "a", "1"))
        self.cache.take(message(event("SET", "a", "2", version="v2", written=1_700_000_001)))
        self.cache.take(message(event("DELETED", "a", version="v3", written=1_700_000_002, deleted=True)))
        self.cache.broke()
        self.assertFalse(self.cache.synced)
        request = self.cache.request()
        self.assertEqual((request.cursor, request.include_snapshot), ("c1", False))
        again = self.cache.take(message(event("SET", "a", "2", version="v2", written=1_700_000_001),
                                        event("DELETED", "a", version="v3", written=1_700_000_002, deleted=True)))
        self.assertEqual(again, [])
        self.assertEqual(self.cache.values, {})
        self.cache.take(message(cursor="c2"))
        self.assertTrue(self.cache.synced)
        self.assertEqual(self.cache.request().cursor, "c2")

    def test_the_lapse_of_a_version_is_told_once(self):
        self.start(event("SET", "a", "1"))
        self.assertEqual(told(self.cache.take(message(event("EXPIRED", "a", "1")))), [("expired", "a")])
        self.assertEqual(self.cache.take(message(event("EXPIRED", "a", "1"))), [])

    def test_a_snapshot_after_a_lost_cursor_is_the_truth(self):
        self.start(event("SET", "stays", "1"), event("SET", "gone", "1"), event("SET", "back", "new", version="v9",
                                                                              written=1_700_000_009))
        self.cache.broke()
        self.cache.forget_cursor()
        self.assertTrue(self.cache.request().include_snapshot)
        self.cache.take(message(event("SET", "stays", "1")))
        self.assertEqual(self.cache.values[b"gone"], "1", "readers keep the old map until the new one is whole")
        # The write v9 died with its node: the older one that the others have is what stands.
        changes = self.cache.take(snapshot(event("SET", "back", "old", version="v8")))
        self.assertEqual(self.cache.values, {b"stays": "1", b"back": "old"})
        self.assertEqual(told(changes), [("delete", "gone"), ("update", "back")])

    def test_a_broken_snapshot_leaves_nothing(self):
        self.cache.request()
        self.cache.take(message(event("SET", "a", "1")))
        self.cache.broke()
        self.start(event("SET", "b", "1"))
        self.assertEqual(self.cache.values, {b"b": "1"})

    def test_a_renewal_is_not_told_and_a_new_holder_is(self):
        self.start(event("SET", "a", "1"))
        renewal = self.cache.take(message(event("SET", "a", "1", version="v2", written=1_700_000_001)))
        self.assertEqual(([c.kind for c in renewal], told(renewal)), (["update"], []))
        other = self.cache.take(message(event("SET", "a", "1", version="v3", holder="third", start=1_700_009_000,
                                              written=1_700_009_000, epoch=1 << 41)))
        self.assertEqual(told(other), [("update", "a")])


class OwnWritesTest(CacheTest):
    def test_they_are_read_at_once_and_told_when_the_watch_brings_them(self):
        self.start()
        self.wrote("a", "1")
        self.assertEqual(self.cache.values, {b"a": "1"})
        self.assertEqual(told(self.cache.take(message(event("SET", "a", "1", holder="me")))), [("update", "a")])
        self.cache.expire(1e9)
        self.assertEqual(self.cache.values, {b"a": "1"}, "the watch has it: it stays")

    def test_an_older_event_does_not_hide_them(self):
        self.start(event("SET", "a", "1", holder="me"))
        self.wrote("a", "3", version="v3", written=1_700_000_003)
        self.cache.take(message(event("SET", "a", "2", holder="me", version="v2", written=1_700_000_002)))
        self.assertEqual(self.cache.values, {b"a": "3"})

    def test_a_newer_event_does(self):
        self.start()
        self.wrote("a", "1")
        self.cache.take(message(event("SET", "a", "9", version="v9", epoch=1 << 41, written=1_700_000_009)))
        self.assertEqual(self.cache.values, {b"a": "9"})

    def test_one_that_the_watch_never_brings_goes_after_its_time(self):
        self.start(event("SET", "a", "1", holder="me"))
        self.wrote("a", "2", now=10.0, version="v2", written=1_700_000_001)
        self.cache.expire(10.0 + fold.OWN_S - 0.1)
        self.assertEqual(self.cache.values, {b"a": "2"})
        self.cache.expire(10.0 + fold.OWN_S)
        self.assertEqual(self.cache.values, {b"a": "1"})

    def test_one_that_died_with_its_node_goes_soon_after_the_watch_moved(self):
        self.start(event("SET", "a", "1", holder="me"))
        self.wrote("a", "2", now=10.0, version="v2", written=1_700_000_001)
        self.cache.take(message(cursor="c2"), 11.0)
        self.cache.broke()
        self.cache.request()
        self.cache.expire(15.0)
        self.assertEqual(self.cache.values, {b"a": "2"})
        self.cache.take(message(cursor="c3"), 15.0)
        self.cache.expire(15.0 + fold.DOUBT_S)
        self.assertEqual(self.cache.values, {b"a": "1"})

    def test_a_delete_is_seen_at_once(self):
        self.start(event("SET", "a", "1", holder="me"))
        self.wrote("a", version="v2", written=1_700_000_001, deleted=True)
        self.assertEqual(self.cache.values, {})

    def test_an_answer_that_comes_after_its_events_changes_nothing(self):
        self.start()
        self.cache.take(message(event("SET", "a", "1", holder="me"),
                                event("DELETED", "a", holder="me", version="v2", written=1_700_000_001, deleted=True),
                                cursor="c2"))
        self.wrote("a", "1")
        self.assertEqual(self.cache.values, {})

    def test_of_one_millisecond_the_watch_knows_the_order(self):
        self.start(event("SET", "a", "1", holder="me", version="v1"))
        self.wrote("a", "2", before={"v1"}, version="v2")
        self.assertEqual(self.cache.values, {b"a": "2"}, "nothing came since it was sent: it is the later one")
        self.cache.take(message(event("SET", "a", "2", holder="me", version="v2"),
                                event("SET", "a", "3", holder="me", version="v3")))
        self.wrote("a", "2", before={"v1"}, version="v2")  # the answer to another thread, late
        self.assertEqual(self.cache.values, {b"a": "3"})

    def test_what_the_watch_brings_of_earlier_writes_of_the_same_millisecond_hides_nothing(self):
        self.start(event("SET", "a", "1", holder="me", version="v1"))
        for i in (2, 3):
            self.wrote("a", f"{i}", before=self.cache.versions(b"a"), version=f"v{i}")
        sent = self.cache.versions(b"a")  # v4 is under way
        self.cache.take(message(event("SET", "a", "2", holder="me", version="v2")))
        self.assertEqual(self.cache.values, {b"a": "3"})
        self.wrote("a", "4", before=sent, version="v4")
        self.cache.take(message(event("SET", "a", "3", holder="me", version="v3")))
        self.assertEqual(self.cache.values, {b"a": "4"})
        self.cache.take(message(event("SET", "a", "5", holder="me", version="v5")))
        self.assertEqual(self.cache.values, {b"a": "5"}, "what this program did not write before is later")

    def test_of_two_under_way_together_the_last_answer_is_shown(self):
        self.start()
        for i in (2, 3):
            self.wrote("a", f"{i}", version=f"v{i}")
            self.assertEqual(self.cache.values, {b"a": f"{i}"})
        self.cache.take(message(event("SET", "a", "2", holder="me", version="v2")))
        self.assertEqual(self.cache.values, {b"a": "2"}, "the watch knows the order")

    def test_a_renewal_keeps_the_value(self):
        self.start(event("SET", "a", "1", holder="me"))
        self.wrote("a", None, version="v2", written=1_700_000_001)
        self.assertEqual(self.cache.values, {b"a": "1"})
        self.assertEqual(self.cache.entry(b"a").version, "v2")
        self.wrote("never-seen", None)
        self.assertNotIn(b"never-seen", self.cache.values)

    def test_they_outlast_a_snapshot(self):
        self.start()
        self.wrote("a", "1")
        self.wrote("b", version="v2", deleted=True)
        self.cache.broke()
        self.cache.forget_cursor()
        self.start(event("SET", "b", "old", holder="me", written=1_699_999_999))
        self.assertEqual(self.cache.values, {b"a": "1"})

    def test_keys_of_others_prefixes_are_not_kept(self):
        self.cache = NearCache("me", b"app/")
        self.assertEqual(list(self.cache.request().prefixes_bytes), [b"app/"])
        self.wrote("elsewhere", "1")
        self.assertEqual(self.cache.values, {})


class LostTest(CacheTest):
    def test_a_lease_that_another_replaced_while_it_ran_is_lost(self):
        self.start(event("SET", "a", "mine", holder="me", expire=1_700_003_600))
        changes = self.cache.take(message(event("SET", "a", "theirs", version="v9", start=1_700_000_010,
                                                written=1_700_000_010, epoch=1 << 41)))
        self.assertEqual(told(changes), [("lost", "a"), ("update", "a")])
        self.assertEqual((changes[0].entry.value, changes[0].winner.value), ("mine", "theirs"))

    def test_a_takeover_after_the_lapse_or_a_release_is_no_loss(self):
        for expire, written in ((1_700_000_005, 1_700_000_000), (1_700_000_000, 1_700_000_000)):
            self.cache = NearCache("me")
            self.start(event("SET", "a", "mine", holder="me", expire=expire, written=written))
            changes = self.cache.take(message(event("SET", "a", "theirs", version="v9", start=1_700_000_010,
                                                    written=1_700_000_010, epoch=1 << 41)))
            self.assertEqual(told(changes), [("update", "a")])

    def test_the_loss_of_others_is_theirs(self):
        self.start(event("SET", "a", "1", holder="third"))
        changes = self.cache.take(message(event("SET", "a", "2", version="v9", start=1_700_000_010, epoch=1 << 41)))
        self.assertEqual(told(changes), [("update", "a")])

    def test_an_older_write_of_the_holder_before_is_no_loss(self):
        self.start()
        self.wrote("a", "mine", version="v9", epoch=1 << 41, start=1_700_000_010, written=1_700_000_010)
        self.assertEqual(told(self.cache.take(message(event("SET", "a", "theirs")))), [("update", "a")])
        self.assertEqual(self.cache.values, {b"a": "mine"})

    def test_the_servers_word_is_told_once(self):
        self.start(event("SET", "a", "1"))
        lost = event("LOST", "a", "mine", holder="me", version="v7")
        lost.winner.CopyFrom(entry("a", "1"))
        self.assertEqual(told(self.cache.take(message(lost))), [("lost", "a")])
        self.assertEqual(self.cache.take(message(lost)), [])
        self.assertEqual(self.cache.values, {b"a": "1"}, "what is lost is not in the map")


if __name__ == "__main__":
    unittest.main(verbosity=2)
