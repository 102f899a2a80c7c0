package leasemap

// Entries and events for tests, and waiting with a bound.

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"leasemap.dev/leasemap/leasemappb"
)

// Entries as a server sends them.

const (
	t0        = 1_700_000_000 // the servers' time at which the tests begin, in seconds
	baseEpoch = uint64(1) << 40
)

// made says how an entry differs from the usual one. Times are seconds; 0 is the usual.
type made struct {
	holder          string
	start, expire   float64
	written         float64
	version         string
	epoch           uint64
	deleted, noForm bool
}

func at(seconds float64) *timestamppb.Timestamp {
	return timestamppb.New(time.UnixMilli(int64(seconds * 1000)))
}

func protoEntry(key, value string, m made) *leasemappb.Entry {
	usual := func(value *float64, otherwise float64) {
		if *value == 0 {
			*value = otherwise
		}
	}
	usual(&m.start, t0)
	usual(&m.expire, t0+3600)
	usual(&m.written, t0)
	if m.holder == "" {
		m.holder = "other"
	}
	if m.version == "" {
		m.version = "v1"
	}
	if m.epoch == 0 {
		m.epoch = baseEpoch
	}
	entry := &leasemappb.Entry{Version: m.version, Origin: "n1", Deleted: m.deleted, UpdateTime: at(m.written),
		KeyForm: &leasemappb.Entry_Key{Key: key},
		Lease: &leasemappb.Lease{Holder: m.holder, Epoch: m.epoch, StartTime: at(m.start), ExpireTime: at(m.expire),
			FencingToken: fmt.Sprintf("%016x%016x", m.epoch, ^uint64(0)-uint64(m.start))}}
	if !m.deleted && !m.noForm {
		entry.ValueForm = &leasemappb.Entry_Value{Value: value}
	}
	return entry
}

func entryOf(key, value string, m made) *Entry {
	entry := fromProto(protoEntry(key, value, m))
	return &entry
}

func set(key, value string, m made) *leasemappb.Event {
	return &leasemappb.Event{Kind: leasemappb.Event_KIND_SET, Entry: protoEntry(key, value, m)}
}

func deleted(key string, m made) *leasemappb.Event {
	m.deleted = true
	return &leasemappb.Event{Kind: leasemappb.Event_KIND_DELETED, Entry: protoEntry(key, "", m)}
}

func expired(key, value string, m made) *leasemappb.Event {
	return &leasemappb.Event{Kind: leasemappb.Event_KIND_EXPIRED, Entry: protoEntry(key, value, m)}
}

func message(cursor string, end bool, events ...*leasemappb.Event) *leasemappb.WatchResponse {
	return &leasemappb.WatchResponse{Events: events, Cursor: cursor, SnapshotEnd: end}
}

func equal[T comparable](t *testing.T, got, want T, what string) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// eventually polls until the condition holds, with a bound that is far above what it takes.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
