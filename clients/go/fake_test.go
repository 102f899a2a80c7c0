package leasemap

// A cluster without nodes: enough of the API for the client's tests.

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"leasemap.dev/leasemap/leasemappb"
)

// fakeStore is a cluster's map as far as the client's tests need it: its nodes share it, and all writes are seen at
// once.
type fakeStore struct {
	mu      sync.Mutex
	entries map[string]*leasemappb.Entry
	done    map[string]*leasemappb.Entry // what a request ID was answered with
	log     []*leasemappb.Event          // its length is the cursor
	changed chan struct{}                // closed, and made again, with each change
}

// fakeNode is a node on loopback. `fail` may refuse a call before it is done, `after` when it is; both may block.
type fakeNode struct {
	leasemappb.UnimplementedKeyValueServer
	store       *fakeStore
	target      string
	server      *grpc.Server
	health      *health.Server
	mu          sync.Mutex
	fail, after func(ctx context.Context, method string, request proto.Message) error
	calls       []string // method and key, in order
	requests    []proto.Message
}

func newFakeStore() *fakeStore {
	return &fakeStore{entries: map[string]*leasemappb.Entry{}, done: map[string]*leasemappb.Entry{},
		changed: make(chan struct{})}
}

func startFakeNodes(t *testing.T, n int) []*fakeNode {
	store, nodes := newFakeStore(), []*fakeNode{}
	for range n {
		node := &fakeNode{store: store}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		node.target, node.server = listener.Addr().String(), grpc.NewServer()
		leasemappb.RegisterKeyValueServer(node.server, node)
		node.health = health.NewServer()
		healthpb.RegisterHealthServer(node.server, node.health)
		go node.server.Serve(listener)
		t.Cleanup(node.server.Stop)
		nodes = append(nodes, node)
	}
	return nodes
}

// client is a client of the nodes, in this order, that starts at the first.
func client(t *testing.T, nodes []*fakeNode, options ...Option) *Client {
	var targets []string
	for _, node := range nodes {
		targets = append(targets, node.target)
	}
	c, err := New(strings.Join(targets, ","), append([]Option{WithHolder("me"), WithLogger(quiet)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	c.nodes.home = targets[0]
	t.Cleanup(func() { c.Close() })
	return c
}

func (n *fakeNode) onFail(fail func(ctx context.Context, method string, request proto.Message) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fail = fail
}

func (n *fakeNode) count(method string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, call := range n.calls {
		if strings.HasPrefix(call, method) {
			count++
		}
	}
	return count
}

func (n *fakeNode) lastSet() *leasemappb.SetRequest {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := len(n.requests) - 1; i >= 0; i-- {
		if set, ok := n.requests[i].(*leasemappb.SetRequest); ok {
			return set
		}
	}
	return nil
}

func (n *fakeNode) begin(ctx context.Context, method string, request proto.Message) error {
	n.mu.Lock()
	n.calls, n.requests = append(n.calls, method), append(n.requests, request)
	fail := n.fail
	n.mu.Unlock()
	if fail != nil {
		return fail(ctx, method, request)
	}
	return nil
}

func (n *fakeNode) end(ctx context.Context, method string, request proto.Message) error {
	n.mu.Lock()
	after := n.after
	n.mu.Unlock()
	if after != nil {
		return after(ctx, method, request)
	}
	return nil
}

// write is a change of the key by a holder; the caller has the lock.
func (s *fakeStore) write(key, holder string, lease time.Duration, value string,
	hasValue, gone bool) *leasemappb.Entry {
	now, old := time.Now(), s.entries[key]
	entry := protoEntry(key, value, made{holder: holder, version: fmt.Sprintf("v%d", len(s.log)+1),
		written: float64(now.UnixMilli()) / 1000, deleted: gone, noForm: !hasValue})
	entry.Lease.ExpireTime = at(float64(now.Add(lease).UnixMilli()) / 1000)
	// No two leases of a test start in one second, however fast it is.
	start, epoch := now.Unix()+int64(len(s.log)), baseEpoch+uint64(len(s.log))
	if old != nil && old.GetLease().GetHolder() == holder && old.GetLease().GetExpireTime().AsTime().After(now) {
		start, epoch = old.GetLease().GetStartTime().GetSeconds(), old.GetLease().GetEpoch()
	}
	entry.Lease.Epoch, entry.Lease.StartTime = epoch, at(float64(start))
	entry.Lease.FencingToken = fmt.Sprintf("%016x%016x", epoch, ^uint64(0)-uint64(start))
	if !hasValue && old != nil && !gone {
		entry.ValueForm = old.ValueForm
	}
	kind := leasemappb.Event_KIND_SET
	s.entries[key] = entry
	if gone {
		kind = leasemappb.Event_KIND_DELETED
		delete(s.entries, key)
	}
	s.log = append(s.log, &leasemappb.Event{Kind: kind, Entry: entry})
	close(s.changed)
	s.changed = make(chan struct{})
	return entry
}

// by changes the key as another program's write would.
func (s *fakeStore) by(holder, key, value string, lease time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(key, holder, lease, value, true, false)
}

func (s *fakeStore) drop(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(key, "other", 0, "", false, true)
}

// admit refuses what another's live lease is in the way of.
func (s *fakeStore) admit(key, holder string) error {
	old := s.entries[key]
	if old != nil && old.GetLease().GetHolder() != holder && old.GetLease().GetExpireTime().AsTime().After(time.Now()) {
		return failure(codes.FailedPrecondition, "LEASE_HELD", map[string]string{"holder": old.GetLease().GetHolder()})
	}
	return nil
}

// do is one call: refused, or done and answered with an entry.
func (n *fakeNode) do(ctx context.Context, method string, request proto.Message,
	change func() (*leasemappb.Entry, error)) (*leasemappb.Entry, error) {
	if err := n.begin(ctx, method, request); err != nil {
		return nil, err
	}
	n.store.mu.Lock()
	entry, err := change()
	n.store.mu.Unlock()
	if err == nil {
		err = n.end(ctx, method, request)
	}
	return entry, err
}

func notFound() error { return failure(codes.NotFound, "KEY_NOT_FOUND", nil) }

func (n *fakeNode) Get(ctx context.Context, r *leasemappb.GetRequest) (*leasemappb.GetResponse, error) {
	entry, err := n.do(ctx, "Get", r, func() (*leasemappb.Entry, error) {
		if found := n.store.entries[string(r.GetKeyBytes())]; found != nil {
			return found, nil
		}
		return nil, notFound()
	})
	return &leasemappb.GetResponse{Entry: entry}, err
}

func (n *fakeNode) Set(ctx context.Context, r *leasemappb.SetRequest) (*leasemappb.SetResponse, error) {
	entry, err := n.do(ctx, "Set", r, func() (*leasemappb.Entry, error) {
		key := string(r.GetKeyBytes())
		if entry := n.store.done[r.GetRequestId()]; entry != nil {
			return entry, nil
		}
		if err := n.store.admit(key, r.GetHolder()); err != nil {
			return nil, err
		}
		if r.GetIfAbsent() && n.store.entries[key] != nil {
			return nil, failure(codes.Aborted, "VERSION_MISMATCH", nil)
		}
		lease := time.Hour
		if r.GetLeaseDuration() != nil {
			lease = r.GetLeaseDuration().AsDuration()
		}
		entry := withoutValue(n.store.write(key, r.GetHolder(), lease, r.GetValue()+string(r.GetValueBytes()), true, false))
		n.store.done[r.GetRequestId()] = entry
		return entry, nil
	})
	return &leasemappb.SetResponse{Entry: entry}, err
}

func withoutValue(entry *leasemappb.Entry) *leasemappb.Entry {
	bare := proto.Clone(entry).(*leasemappb.Entry)
	bare.ValueForm = nil
	return bare
}

func (n *fakeNode) Renew(ctx context.Context, r *leasemappb.RenewRequest) (*leasemappb.RenewResponse, error) {
	entry, err := n.do(ctx, "Renew", r, func() (*leasemappb.Entry, error) {
		key := string(r.GetKeyBytes())
		if n.store.entries[key] == nil {
			return nil, notFound()
		}
		if err := n.store.admit(key, r.GetHolder()); err != nil {
			return nil, err
		}
		return withoutValue(n.store.write(key, r.GetHolder(), r.GetLeaseDuration().AsDuration(), "", false, false)), nil
	})
	return &leasemappb.RenewResponse{Entry: entry}, err
}

// BatchRenew renews leases that are held. `fail` may refuse an item, as method "RenewItem".
func (n *fakeNode) BatchRenew(ctx context.Context, r *leasemappb.BatchRenewRequest) (*leasemappb.BatchRenewResponse,
	error) {
	answer := &leasemappb.BatchRenewResponse{}
	_, err := n.do(ctx, "BatchRenew", r, func() (*leasemappb.Entry, error) {
		for _, item := range r.GetRequests() {
			entry, err := n.renewItem(ctx, item)
			answer.Results = append(answer.Results, &leasemappb.BatchResult{Status: itemStatus(err), Entry: entry})
		}
		return nil, nil
	})
	return answer, err
}

func (n *fakeNode) renewItem(ctx context.Context, r *leasemappb.RenewRequest) (*leasemappb.Entry, error) {
	key := string(r.GetKeyBytes())
	n.mu.Lock()
	fail := n.fail
	n.mu.Unlock()
	if fail != nil {
		if err := fail(ctx, "RenewItem", r); err != nil {
			return nil, err
		}
	}
	old := n.store.entries[key]
	if old == nil {
		return nil, notFound()
	}
	if err := n.store.admit(key, r.GetHolder()); err != nil {
		return nil, err
	}
	lease := old.GetLease()
	if r.GetOnlyIfHeld() && (lease.GetHolder() != r.GetHolder() || !lease.GetExpireTime().AsTime().After(time.Now())) {
		return nil, failure(codes.FailedPrecondition, "LEASE_NOT_HELD", nil)
	}
	return withoutValue(n.store.write(key, r.GetHolder(), r.GetLeaseDuration().AsDuration(), "", false, false)), nil
}

func itemStatus(err error) *leasemappb.ItemStatus {
	if err == nil {
		return nil
	}
	base := baseOf(fromStatus(status.Convert(err)))
	return &leasemappb.ItemStatus{Code: int32(base.Code), Reason: base.Reason, Message: base.Message}
}

func (n *fakeNode) Release(ctx context.Context, r *leasemappb.ReleaseRequest) (*leasemappb.ReleaseResponse, error) {
	entry, err := n.do(ctx, "Release", r, func() (*leasemappb.Entry, error) {
		key := string(r.GetKeyBytes())
		if n.store.entries[key] == nil {
			return nil, notFound()
		}
		if err := n.store.admit(key, r.GetHolder()); err != nil {
			return nil, err
		}
		return withoutValue(n.store.write(key, r.GetHolder(), 0, "", false, false)), nil
	})
	return &leasemappb.ReleaseResponse{Entry: entry}, err
}

func (n *fakeNode) Watch(r *leasemappb.WatchRequest, stream leasemappb.KeyValue_WatchServer) error {
	if err := n.begin(stream.Context(), "Watch", r); err != nil {
		return err
	}
	wanted := func(key string) bool {
		for _, each := range r.GetKeysBytes() {
			if string(each) == key {
				return true
			}
		}
		return len(r.GetKeysBytes()) == 0
	}
	s, next := n.store, 0
	s.mu.Lock()
	first := &leasemappb.WatchResponse{}
	if r.GetIncludeSnapshot() {
		next, first.SnapshotEnd = len(s.log), true
		for key, entry := range s.entries {
			if wanted(key) {
				first.Events = append(first.Events, &leasemappb.Event{Kind: leasemappb.Event_KIND_SET, Entry: entry})
			}
		}
		first.Cursor = fmt.Sprint(next)
	} else if next = len(s.log); r.GetCursor() != "" {
		next, _ = strconv.Atoi(r.GetCursor())
	}
	s.mu.Unlock()
	if err := stream.Send(first); err != nil {
		return err
	}
	for {
		s.mu.Lock()
		news, changed := s.log[next:], s.changed
		message := &leasemappb.WatchResponse{}
		for _, event := range news {
			if wanted(event.GetEntry().GetKey()) {
				message.Events = append(message.Events, event)
			}
		}
		next = len(s.log)
		s.mu.Unlock()
		message.Cursor = fmt.Sprint(next)
		if err := stream.Send(message); err != nil {
			return err
		}
		if err := n.end(stream.Context(), "Watch", r); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		}
	}
}
