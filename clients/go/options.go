package leasemap

// The choices that programs have.

import (
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"leasemap.dev/leasemap/leasemappb"
)

// Option is a choice for the whole client, for New.
type Option func(*config)

type config struct {
	holder  string
	lease   *time.Duration
	timeout time.Duration
	access  access
	dial    []grpc.DialOption
	log     *slog.Logger
}

// WithHolder sets the holder of the client's writes and leases: 1 to 255 bytes of printable UTF-8. The default has the
// host, the process and random bits, and stays the same while the client moves between nodes. Where the nodes know the
// client by a name P it begins with P/ (Client.Holder). Give a name of its own, P or P/name, to each program that must
// keep its leases over a restart. Two clients of one holder do not keep each other out.
func WithHolder(holder string) Option { return func(c *config) { c.holder = holder } }

// WithLease sets the default duration of the lease of a Set, during which other holders are refused: 0 for no lease, else
// four times the cluster's clock bound at least (2 s). Without this option it is the cluster's default, an hour. Such
// leases are not renewed, and not given up when the client is closed; use Client.Lease for that.
func WithLease(duration time.Duration) Option { return func(c *config) { c.lease = &duration } }

// WithTimeout sets how long a call may take, with all tries at all nodes, if the caller's context has no deadline.
// The default is 5 s.
func WithTimeout(timeout time.Duration) Option { return func(c *config) { c.timeout = timeout } }

// WithDialOptions passes options on to gRPC, after the client's own, as grpc.WithTransportCredentials and
// grpc.WithPerRPCCredentials for what WithTLS and WithToken do not offer.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(c *config) { c.dial = append(c.dial, options...) }
}

// WithLogger sets the log for faults that no call returns: leases that could not be renewed or given up at the first
// try, events that were skipped. The default is slog.Default().
func WithLogger(log *slog.Logger) Option { return func(c *config) { c.log = log } }

// Ack sets which nodes must have a write before it is answered. A positive number is a number of nodes, the one that
// takes the write included.
type Ack int

const (
	// AckLocal waits for the node that takes the write alone. If that node dies before it sent the write on, the write
	// is gone.
	AckLocal Ack = 0
	// AckMajority waits for more than half of the remembered members.
	AckMajority Ack = -1
	// AckAll waits for all remembered members: of several racing writers of a key at most one gets this.
	AckAll Ack = -2
)

// fields are those of a request.
func (a Ack) fields() (leasemappb.Ack, uint32, error) {
	switch {
	case a == AckLocal:
		return leasemappb.Ack_ACK_UNSPECIFIED, 0, nil
	case a == AckMajority:
		return leasemappb.Ack_ACK_MAJORITY, 0, nil
	case a == AckAll:
		return leasemappb.Ack_ACK_ALL, 0, nil
	case a > 0 && a <= 129: // as many members as a cluster may have
		return leasemappb.Ack_ACK_UNSPECIFIED, uint32(a), nil
	}
	return 0, 0, invalid("ack %d is none of AckLocal, AckMajority, AckAll or 1 to 129 nodes", a)
}

// SetOption is a choice for one Set, or for each Set of a batch.
type SetOption interface{ applySet(*setArgs) }

// DeleteOption is a choice for one Delete.
type DeleteOption interface{ applyDelete(*deleteArgs) }

// LeaseOption is a choice for a lease that is kept: Lease, Lock, Elect, Register.
type LeaseOption interface{ applyLease(*leaseArgs) }

type setArgs struct {
	lease     *time.Duration
	ephemeral bool
	ifVersion string
	ifAbsent  bool
	binary    bool
	ack       Ack
}

type deleteArgs struct {
	ifVersion string
	missingOK bool
	ack       Ack
}

type leaseArgs struct {
	duration   time.Duration
	value      *string
	persistent bool
	wait       bool
	overwrite  bool
	ack        Ack
}

// AckOption is made by WithAck.
type AckOption struct{ ack Ack }

// WithAck sets which nodes must have the write before it is answered. For a lease it is the write that takes it; see
// Client.Lease.
func WithAck(ack Ack) AckOption { return AckOption{ack} }

func (o AckOption) applySet(a *setArgs)       { a.ack = o.ack }
func (o AckOption) applyDelete(a *deleteArgs) { a.ack = o.ack }
func (o AckOption) applyLease(a *leaseArgs)   { a.ack = o.ack }

// VersionOption is made by IfVersion.
type VersionOption struct{ version string }

// IfVersion writes only if the key's present version is this one: ErrVersionMismatch otherwise, and for a missing key.
func IfVersion(version string) VersionOption { return VersionOption{version} }

func (o VersionOption) applySet(a *setArgs)       { a.ifVersion = o.version }
func (o VersionOption) applyDelete(a *deleteArgs) { a.ifVersion = o.version }

type setOption func(*setArgs)

func (o setOption) applySet(a *setArgs) { o(a) }

// IfAbsent writes only if the key does not exist: ErrVersionMismatch otherwise.
func IfAbsent() SetOption { return setOption(func(a *setArgs) { a.ifAbsent = true }) }

// LeaseFor sets the duration of the lease of this Set (WithLease has the rules).
func LeaseFor(duration time.Duration) SetOption {
	return setOption(func(a *setArgs) { a.lease = &duration })
}

// Ephemeral makes the key vanish, on every node, when the lease lapses. It needs a lease.
func Ephemeral() SetOption { return setOption(func(a *setArgs) { a.ephemeral = true }) }

// AsBytes marks the value as bytes. Without this option a value that is UTF-8 is marked as text: clients in Python, and
// JSON, distinguish the two.
func AsBytes() SetOption { return setOption(func(a *setArgs) { a.binary = true }) }

type deleteOption func(*deleteArgs)

func (o deleteOption) applyDelete(a *deleteArgs) { o(a) }

// MissingOK makes a Delete of a key that does not exist no error.
func MissingOK() DeleteOption { return deleteOption(func(a *deleteArgs) { a.missingOK = true }) }

type leaseOption func(*leaseArgs)

func (o leaseOption) applyLease(a *leaseArgs) { o(a) }

// Duration sets the duration of a lease and of each renewal. The default is 10 s, and the least is four times the
// cluster's clock bound (2 s). Others wait for this time if this program dies. For three quarters of it this program may
// be cut off without losing the lease.
func Duration(d time.Duration) LeaseOption { return leaseOption(func(a *leaseArgs) { a.duration = d }) }

// Value is written with the lease. Without it a key that exists keeps its value, and one that does not is made with the
// holder for a value; Lock writes the holder.
func Value(value string) LeaseOption {
	return leaseOption(func(a *leaseArgs) { a.value, a.overwrite = &value, true })
}

// holderValue writes the holder with the lease.
var holderValue = leaseOption(func(a *leaseArgs) { a.value, a.overwrite = nil, true })

// Persistent lets a key that is made for a lease stay when the lease ends. By default it vanishes.
func Persistent() LeaseOption { return leaseOption(func(a *leaseArgs) { a.persistent = true }) }

// Wait waits for another holder's lease to end, and for nodes to answer, until the context ends.
func Wait() LeaseOption { return leaseOption(func(a *leaseArgs) { a.wait = true }) }

// ListOption is a choice for one List.
type ListOption interface{ applyList(*leasemappb.ListRequest) }

// WatchOption is a choice for one Watch.
type WatchOption interface{ applyWatch(*watchArgs) }

type watchArgs struct {
	request   *leasemappb.WatchRequest
	bookmarks bool
}

// ReadOption is made by KeysOnly.
type ReadOption struct{}

// KeysOnly leaves the values out.
func KeysOnly() ReadOption { return ReadOption{} }

func (ReadOption) applyList(r *leasemappb.ListRequest) { r.KeysOnly = true }
func (ReadOption) applyWatch(a *watchArgs)             { a.request.KeysOnly = true }

type listOption func(*leasemappb.ListRequest)

func (o listOption) applyList(r *leasemappb.ListRequest) { o(r) }

// PageSize sets how many entries are asked for at once: 1 to 1,000, which is the default. A page ends at 1 MiB too.
func PageSize(entries int) ListOption {
	return listOption(func(r *leasemappb.ListRequest) { r.PageSize = int32(max(1, min(entries, 1000))) })
}

type watchOption func(*watchArgs)

func (o watchOption) applyWatch(a *watchArgs) { o(a) }

// Prefixes watches the keys that start with one of these: 64 at most. Without Prefixes and Keys it is the whole map.
func Prefixes(prefixes ...string) WatchOption {
	return watchOption(func(a *watchArgs) {
		for _, prefix := range prefixes {
			a.request.PrefixesBytes = append(a.request.PrefixesBytes, []byte(prefix))
		}
	})
}

// Keys watches these keys: 1,000 at most.
func Keys(keys ...string) WatchOption {
	return watchOption(func(a *watchArgs) {
		for _, key := range keys {
			a.request.KeysBytes = append(a.request.KeysBytes, []byte(key))
		}
	})
}

// Kinds watches for these kinds of events alone. Without it they are KindSet, KindDeleted and KindExpired. KindLost
// comes only if it is asked for, from the node that took the write, and no cursor covers it.
func Kinds(kinds ...Kind) WatchOption {
	return watchOption(func(a *watchArgs) {
		for proto, kind := range kindsOfProto {
			for _, wanted := range kinds {
				if kind == wanted {
					a.request.Kinds = append(a.request.Kinds, proto)
				}
			}
		}
	})
}

// Snapshot begins with the present entry of every matching key, as KindSet.
func Snapshot() WatchOption {
	return watchOption(func(a *watchArgs) { a.request.IncludeSnapshot = true })
}

// FromCursor resumes after the cursor of a bookmark, which a watch for the same keys and kinds gave, at any node.
// ErrCursor if that is not possible any more.
func FromCursor(cursor string) WatchOption {
	return watchOption(func(a *watchArgs) { a.request.Cursor = cursor })
}

// Bookmarks asks for events of KindBookmark: one with each cursor, at least every 15 s at the head of the changes,
// and one at the end of a snapshot.
func Bookmarks() WatchOption { return watchOption(func(a *watchArgs) { a.bookmarks = true }) }

// durationProto is a duration as the API has it: milliseconds.
func durationProto(d time.Duration) *durationpb.Duration {
	return durationpb.New(d.Round(time.Millisecond))
}
