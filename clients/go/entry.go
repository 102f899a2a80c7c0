package leasemap

// Entries and events, as programs see them, and which of two entries replaced the other. Pure.

import (
	"time"
	"unicode/utf8"
	"unique"

	"leasemap.dev/leasemap/leasemappb"
)

// Entry is the latest write of one key. Keys and values are bytes, in Go strings, which need not be UTF-8.
type Entry struct {
	Key string
	// Value is empty where the key is deleted, or where keys alone were asked for (see HasValue).
	Value string
	// HasValue is true if the entry has a value, which may be empty.
	HasValue bool
	// Binary: the value was set as bytes, not as text. Go does not care; Python and JSON do.
	Binary bool
	// Deleted: this write deleted the key.
	Deleted bool
	// Holder has, or had last, the lease.
	Holder string
	// LeaseStart is when the lease was acquired (UTC, whole seconds); a renewal keeps it.
	LeaseStart time.Time
	// Expires is the end of the lease: until then other holders are refused (UTC, milliseconds). Not after Updated if
	// there is no lease.
	Expires time.Time
	// FencingToken is 32 hex digits that order the leases of one key as strings. A resource that keeps the greatest
	// token it has seen, and refuses smaller ones, is safe from holders of the past.
	FencingToken string
	// Version names this write: opaque, the same on every node, never used twice.
	Version string
	// Updated is the time of the write (UTC, milliseconds), by the clock of the node that took it.
	Updated time.Time
	// Origin is the ID of that node.
	Origin string
	// The time of the write that set the value, where a later one kept it; else that of this write.
	valued time.Time
}

// Leased is true if the entry was written with a lease that was not given up. It may have lapsed since.
func (e Entry) Leased() bool { return !e.Deleted && e.Expires.After(e.Updated) }

// Kind is the kind of an event.
type Kind int

const (
	// KindSet: a value was set, or the key changed hands. From Watch also a renewal; a Map makes no event of it.
	KindSet Kind = iota + 1
	// KindDeleted: the key was deleted.
	KindDeleted
	// KindExpired: an ephemeral key vanished, since its lease lapsed or was given up. Entry is its last one.
	KindExpired
	// KindLost: a write lost to the write of another lease: two sides of a partition granted one each. Entry is the lost
	// write, Winner the one that replaced it.
	KindLost
	// KindBookmark: nothing changed; Cursor is new, or the snapshot is complete. Only with the option Bookmarks.
	KindBookmark
)

var kindNames = map[Kind]string{KindSet: "set", KindDeleted: "deleted", KindExpired: "expired", KindLost: "lost",
	KindBookmark: "bookmark"}

// String is the kind in lower case, as "set".
func (k Kind) String() string { return kindNames[k] }

var kindsOfProto = map[leasemappb.Event_Kind]Kind{
	leasemappb.Event_KIND_SET: KindSet, leasemappb.Event_KIND_DELETED: KindDeleted,
	leasemappb.Event_KIND_EXPIRED: KindExpired, leasemappb.Event_KIND_LOST: KindLost}

// Event is a change of one key, or a bookmark.
type Event struct {
	Kind  Kind
	Entry Entry
	// Winner, of KindLost, is the entry that replaced the lost write; its Key is empty if it is not known.
	Winner Entry
	// Cursor, of a bookmark: a watch for the same keys and kinds resumes after it, on any node (FromCursor).
	Cursor string
	// SnapshotEnd, of a bookmark: the loop got all entries from before the watch began.
	SnapshotEnd bool
}

// fromProto is the entry of an answer.
func fromProto(e *leasemappb.Entry) Entry {
	lease := e.GetLease()
	found := Entry{
		Key:     e.GetKey(),
		Deleted: e.GetDeleted(),
		// Few programs and nodes write many keys: one copy of each name will do.
		Holder:       unique.Make(lease.GetHolder()).Value(),
		Origin:       unique.Make(e.GetOrigin()).Value(),
		LeaseStart:   lease.GetStartTime().AsTime(),
		Expires:      lease.GetExpireTime().AsTime().Truncate(time.Millisecond),
		FencingToken: lease.GetFencingToken(),
		Version:      e.GetVersion(),
		Updated:      e.GetUpdateTime().AsTime().Truncate(time.Millisecond),
	}
	found.valued = found.Updated
	if e.GetValueTime() != nil {
		found.valued = e.GetValueTime().AsTime().Truncate(time.Millisecond)
	}
	if form, ok := e.GetKeyForm().(*leasemappb.Entry_KeyBytes); ok {
		found.Key = string(form.KeyBytes)
	}
	switch form := e.GetValueForm().(type) {
	case *leasemappb.Entry_Value:
		found.Value, found.HasValue = form.Value, true
	case *leasemappb.Entry_ValueBytes:
		found.Value, found.HasValue, found.Binary = string(form.ValueBytes), true, true
	}
	return found
}

// withValue is the entry of a write's answer, which has no value, with the one that was written.
func withValue(e Entry, value string, binary bool) Entry {
	e.Value, e.HasValue, e.Binary = value, true, binary
	return e
}

func isText(s string) bool { return utf8.ValidString(s) }

// older is true if a is surely replaced by b: the part of the order of merges that a client can see. The token is epoch
// and inverted start, and the larger one remains; then the smaller holder (bytewise); then the later write.
func older(a, b *Entry) bool {
	if a.FencingToken != b.FencingToken {
		return a.FencingToken < b.FencingToken
	}
	if a.Holder != b.Holder {
		return a.Holder > b.Holder
	}
	if !a.valued.Equal(b.valued) {
		return a.valued.Before(b.valued)
	}
	return a.Updated.Before(b.Updated)
}

// ranksBelow is true if an event is surely of an earlier state of its key than another: its entry is older, or the
// lapse of the same one came before.
func ranksBelow(kind Kind, entry *Entry, thanKind Kind, than *Entry) bool {
	if entry.Version == than.Version {
		return kind == KindSet && thanKind == KindExpired
	}
	return older(entry, than)
}

// sameLease is true if both entries are of one lease.
func sameLease(a, b *Entry) bool { return a.Holder == b.Holder && a.LeaseStart.Equal(b.LeaseStart) }

// conflict is true if winner replaced a lease that still ran when the winner's began: two sides of a partition granted
// one each (the server's rule, Conflict in mesh.proto).
func conflict(loser, winner *Entry) bool {
	return loser.Leased() && !sameLease(loser, winner) && loser.Expires.After(winner.LeaseStart)
}
