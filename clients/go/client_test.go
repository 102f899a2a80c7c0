package leasemap

// Calls against a fake cluster, and the client's end.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"leasemap.dev/leasemap/leasemappb"
)

var background = context.Background()

// refusing refuses calls of the method with this error.
func refusing(method string, err error) func(context.Context, string, proto.Message) error {
	return func(_ context.Context, called string, _ proto.Message) error {
		if called == method {
			return err
		}
		return nil
	}
}

func TestTheNextNodeIsAskedAtOnceWithTheSameRequestID(t *testing.T) {
	nodes := startFakeNodes(t, 3)
	c := client(t, nodes)
	nodes[0].onFail(refusing("Set", failure(codes.Unavailable, "DRAINING", nil)))
	entry, err := c.Set(background, "k", "1")
	if err != nil || entry.Value != "1" || entry.Holder != "me" {
		t.Fatal(entry, err)
	}
	equal(t, c.Node(), nodes[1].target, "the client moved")
	first := nodes[0].requests[0].(*leasemappb.SetRequest)
	second := nodes[1].requests[0].(*leasemappb.SetRequest)
	equal(t, first.GetRequestId() != "" && first.GetRequestId() == second.GetRequestId(), true, "one request ID")
	if _, err = c.Set(background, "k", "2"); err != nil {
		t.Fatal(err)
	}
	equal(t, nodes[0].count("Set"), 1, "it stays with the second")
	equal(t, nodes[1].requests[1].(*leasemappb.SetRequest).GetRequestId() != first.GetRequestId(), true, "another write")
}

func TestARefusalIsNotTriedAgain(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes)
	nodes[0].store.by("other", "k", "theirs", time.Hour)
	_, err := c.Set(background, "k", "mine")
	var held *LeaseHeldError
	if !errors.As(err, &held) || held.Holder != "other" {
		t.Fatal(err)
	}
	equal(t, nodes[1].count("Set"), 0, "tries at the second")
	_, err = c.Get(background, "missing")
	equal(t, errors.Is(err, ErrKeyNotFound), true, fmt.Sprint(err))
	equal(t, c.Node(), nodes[0].target, "home")
}

func TestPausesAndTheDeadlineEndIt(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes, WithTimeout(700*time.Millisecond))
	for _, node := range nodes {
		node.onFail(refusing("Get", failure(codes.Unavailable, "SYNCING", nil)))
	}
	begin := time.Now()
	_, err := c.Get(background, "k")
	equal(t, errors.Is(err, ErrUnavailable), true, fmt.Sprint(err))
	if took := time.Since(begin); took > 5*time.Second {
		t.Fatalf("took %v", took)
	}
	if tries := nodes[0].count("Get") + nodes[1].count("Get"); tries < 4 || tries > 16 {
		t.Fatalf("%d tries", tries)
	}
}

func TestANodeThatHangsIsLeftInTime(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes)
	nodes[0].onFail(func(ctx context.Context, _ string, _ proto.Message) error {
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, cancel := context.WithTimeout(background, 4*time.Second)
	defer cancel()
	if _, err := c.Set(ctx, "k", "1"); err != nil {
		t.Fatal(err)
	}
	equal(t, c.Node(), nodes[1].target, "home")
}

func TestTheCallersContextEndsACallAndBlamesNoNode(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes)
	nodes[0].onFail(func(ctx context.Context, _ string, _ proto.Message) error {
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, cancel := context.WithCancel(background)
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := c.Get(ctx, "k")
	equal(t, errors.Is(err, context.Canceled), true, fmt.Sprint(err))
	equal(t, c.Node(), nodes[0].target, "home")
	equal(t, nodes[1].count("Get"), 0, "calls at the second")
}

func TestWhatTheProgramEndsBlamesNoNode(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes)
	for i := range 5 {
		ctx, cancel := context.WithCancel(background)
		m := newMap(t, c)
		for event, err := range c.Watch(ctx, Bookmarks()) {
			if err == nil && event.Kind == KindBookmark {
				cancel()
			}
		}
		m.Close()
		lease, err := c.Lease(background, fmt.Sprint(i)) // for which the watch of leases is opened again
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "its key is watched", func() bool {
			return nodes[0].count("Watch") > 3*i+2 || c.Node() != nodes[0].target
		})
		lease.Release()
		cancel()
	}
	equal(t, c.Node(), nodes[0].target, "home")
	equal(t, nodes[1].count(""), 0, "calls at the second")
}

func TestANodeThatIsNotServingIsLeftAtOnce(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes)
	nodes[0].health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	if _, err := c.Set(background, "k", "1"); err != nil {
		t.Fatal(err)
	}
	equal(t, nodes[0].count("Set"), 0, "calls at the first")
}

func TestOptionsAreInTheRequest(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes, WithLease(0))
	for i, options := range [][]SetOption{
		{},
		{LeaseFor(3 * time.Second), Ephemeral(), AsBytes(), WithAck(AckMajority)},
		{IfVersion("v7"), WithAck(Ack(2))},
		{IfAbsent()},
	} {
		if _, err := c.Set(background, fmt.Sprint(i), "x", options...); err != nil {
			t.Fatal(err)
		}
	}
	at := func(i int) *leasemappb.SetRequest { return nodes[0].requests[i].(*leasemappb.SetRequest) }
	equal(t, at(0).GetLeaseDuration() != nil && at(0).GetLeaseDuration().AsDuration() == 0, true, "the client's lease")
	equal(t, at(0).GetValue(), "x", "text")
	equal(t, at(1).GetLeaseDuration().AsDuration(), 3*time.Second, "this write's")
	equal(t, at(1).GetOnLapse(), leasemappb.OnLapse_ON_LAPSE_DELETE, "ephemeral")
	equal(t, string(at(1).GetValueBytes()), "x", "bytes")
	equal(t, at(1).GetAck(), leasemappb.Ack_ACK_MAJORITY, "ack")
	equal(t, at(2).GetIfVersion(), "v7", "version")
	equal(t, at(2).GetAckNodes(), 2, "nodes")
	equal(t, at(3).GetIfAbsent(), true, "absent")
	if _, err := c.Set(background, "k", "\xff"); err != nil || string(at(4).GetValueBytes()) != "\xff" {
		t.Fatal("what is not UTF-8 goes as bytes", err)
	}
	for _, bad := range []Ack{-3, 130} {
		if _, err := c.Set(background, "k", "x", WithAck(bad)); !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
	}
}

func (n *fakeNode) BatchSet(ctx context.Context, r *leasemappb.BatchSetRequest) (*leasemappb.BatchSetResponse, error) {
	answer := &leasemappb.BatchSetResponse{}
	if err := n.begin(ctx, "BatchSet", r); err != nil {
		return nil, err
	}
	for _, each := range r.GetRequests() {
		result := &leasemappb.BatchResult{Status: &leasemappb.ItemStatus{}}
		set, err := n.Set(ctx, each)
		if result.Entry = set.GetEntry(); err != nil {
			result.Status = &leasemappb.ItemStatus{Code: int32(status.Code(err)), Reason: "LEASE_HELD", Message: "held"}
		}
		answer.Results = append(answer.Results, result)
	}
	return answer, nil
}

func (n *fakeNode) BatchGet(ctx context.Context, r *leasemappb.BatchGetRequest) (*leasemappb.BatchGetResponse, error) {
	answer := &leasemappb.BatchGetResponse{}
	if err := n.begin(ctx, "BatchGet", r); err != nil {
		return nil, err
	}
	for i, each := range r.GetRequests() {
		result := &leasemappb.BatchResult{Status: &leasemappb.ItemStatus{}}
		get, err := n.Get(ctx, each)
		switch result.Entry = get.GetEntry(); {
		case err != nil:
			result.Status = &leasemappb.ItemStatus{Code: int32(codes.NotFound), Reason: "KEY_NOT_FOUND"}
		case i >= 700: // as if the answer were full
			result.Entry = nil
			result.Status = &leasemappb.ItemStatus{Code: int32(codes.ResourceExhausted), Reason: "BYTES_LIMIT"}
		}
		answer.Results = append(answer.Results, result)
	}
	return answer, nil
}

func TestBatchesAreBoundedAndEachRefusalIsNamed(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	nodes[0].store.by("other", "held", "theirs", time.Hour)
	values := map[string]string{"held": "x"}
	keys := []string{"held", "missing"}
	for i := range 1500 {
		values[fmt.Sprint(i)] = "v"
		keys = append(keys, fmt.Sprint(i))
	}
	done, err := c.BatchSet(background, values)
	var batch *BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 1 || !errors.Is(batch.Failed["held"], ErrLeaseHeld) {
		t.Fatal(err)
	}
	equal(t, len(done), 1500, "written")
	equal(t, nodes[0].count("BatchSet"), 2, "calls")
	found, err := c.BatchGet(background, keys)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, len(found), 1501, "read, in as many calls as the answers need")
	equal(t, found["held"].Value, "theirs", "a value")

	large := map[string]string{}
	for i := range 9 {
		large[fmt.Sprint(i)] = strings.Repeat("x", 1<<20)
	}
	if _, err = c.BatchSet(background, large); err != nil {
		t.Fatal(err)
	}
	equal(t, nodes[0].count("BatchSet"), 2+3, "large values make small batches")
}

func (n *fakeNode) List(ctx context.Context, r *leasemappb.ListRequest) (*leasemappb.ListResponse, error) {
	if err := n.begin(ctx, "List", r); err != nil {
		return nil, err
	}
	page := map[string]string{"": "2", "2": "3", "3": ""}
	entry := protoEntry(string(r.GetPrefixBytes())+r.GetPageToken(), "v", made{})
	return &leasemappb.ListResponse{Entries: []*leasemappb.Entry{entry}, NextPageToken: page[r.GetPageToken()]}, nil
}

func TestAListGoesOverAllPages(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	var keys []string
	for entry, err := range c.List(background, "p/", PageSize(7), KeysOnly()) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, entry.Key)
	}
	equal(t, strings.Join(keys, " "), "p/ p/2 p/3", "keys")
	request := nodes[0].requests[0].(*leasemappb.ListRequest)
	equal(t, request.GetPageSize() == 7 && request.GetKeysOnly(), true, "options")
	for range c.List(background, "p/") {
		break
	}
	equal(t, nodes[0].count("List"), 4, "a loop that is left asks no more")
	nodes[0].onFail(refusing("List", failure(codes.InvalidArgument, "REQUEST_INVALID", nil)))
	var last error
	for _, err := range c.List(background, "p/") {
		last = err
	}
	equal(t, errors.Is(last, ErrInvalid), true, fmt.Sprint(last))
}

func TestNoGoroutineOutlivesClose(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	before := runtime.NumGoroutine()
	for range 3 {
		c, err := New(nodes[0].target+","+nodes[1].target, WithLogger(quiet))
		if err != nil {
			t.Fatal(err)
		}
		use(t, c)
		var ended atomic.Bool
		c.spawn(func() { // one that takes its time
			<-c.ctx.Done()
			time.Sleep(20 * time.Millisecond)
			ended.Store(true)
		})
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal("twice:", err)
		}
		equal(t, ended.Load(), true, "the slow one has ended")
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for _, ours := range []string{"(*Client).keepLeases(", "(*Client).follow(", "(*keyWatch).run(", "(*Client).renew(",
			"(*Registry).keep(", "(*Client).release("} {
			if strings.Contains(string(stacks), "leasemap."+ours) {
				t.Fatalf("%s still runs", ours)
			}
		}
		if _, err := c.Set(background, "k", "v"); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
		if _, err := c.Lease(background, "k", Wait()); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
		if _, err := c.Map(background, ""); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
	}
	// The server's own goroutines, of connections that were closed, take a moment.
	eventually(t, fmt.Sprintf("as many goroutines as before, %d", before), func() bool {
		return runtime.NumGoroutine() <= before
	})
}

// use has everything going that a client has.
func use(t *testing.T, c *Client) {
	m, err := c.Map(background, "")
	if err != nil {
		t.Fatal(err)
	}
	m.Events(background) // nobody goes over them
	if _, err := m.Set(background, "k", "v", LeaseFor(0)); err != nil {
		t.Fatal(err)
	}
	lease, err := c.Lease(background, "lease")
	if err != nil {
		t.Fatal(err)
	}
	lease.Context(background)
	registry, err := c.Registry(background, "web")
	if err != nil {
		t.Fatal(err)
	}
	if err := registry.Register(background, "one", "host:1"); err != nil {
		t.Fatal(err)
	}
	for range c.Watch(background, Snapshot()) {
		break
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := c.Lock(background, "lease")
		waiting <- err
	}()
	eventually(t, "somebody waits for the lock", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.keys.wanted["lease"] != nil && len(c.keys.wanted["lease"].waiting) == 1
	})
	t.Cleanup(func() {
		if err := <-waiting; !errors.Is(err, ErrClosed) {
			t.Error("who waited for the lock:", err)
		}
	})
}
