package leasemap

// Leases, locks, elections and the registry against a fake cluster.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"leasemap.dev/leasemap/leasemappb"
)

func take(t *testing.T, c *Client, options ...LeaseOption) *Lease {
	t.Helper()
	lease, err := c.Lease(background, "job", options...)
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

// lost waits until the lease is lost, and returns why.
func lost(t *testing.T, lease *Lease) string {
	t.Helper()
	select {
	case <-lease.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the lease is not lost")
	}
	var why *LeaseLostError
	if !errors.As(lease.Err(), &why) {
		t.Fatalf("it ended with %v", lease.Err())
	}
	equal(t, lease.Held(), false, "held")
	equal(t, lease.Left(), 0, "left")
	return why.Why
}

func (s *fakeStore) get(key string) *leasemappb.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[key]
}

func TestALeaseIsRenewedUntilItIsReleased(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	lease := take(t, c, Duration(600*time.Millisecond))
	first := lease.Expires()
	eventually(t, "it is renewed past its duration", func() bool {
		return lease.Expires().Sub(first) > 600*time.Millisecond
	})
	equal(t, lease.Held() && lease.Err() == nil, true, "held")
	ctx := lease.Context(background)
	equal(t, lease.Release(), nil, "released")
	<-ctx.Done()
	equal(t, errors.Is(context.Cause(ctx), ErrLeaseLost), false, "no loss")
	equal(t, nodes[0].store.get("job").GetLease().GetExpireTime().AsTime().After(time.Now()), false, "free at the cluster")
	equal(t, lease.Release(), nil, "again")
	equal(t, len(c.leases), 0, "leases")
}

func TestAMissingKeyIsMadeAndOneThatExistsKeepsItsValue(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	lease := take(t, c)
	set := nodes[0].lastSet()
	equal(t, set.GetIfAbsent() && set.GetOnLapse() == leasemappb.OnLapse_ON_LAPSE_DELETE, true, "made, to vanish")
	equal(t, set.GetValue(), "me", "value")
	lease.Release()
	nodes[0].store.by("other", "job", "theirs", 0)
	lease = take(t, c)
	equal(t, nodes[0].store.get("job").GetValue(), "theirs", "value")
	if _, err := lease.Set(background, "new", WithAck(AckMajority)); err != nil {
		t.Fatal(err)
	}
	last := nodes[0].lastSet()
	equal(t, last.GetLeaseDuration().AsDuration(), defaultDuration, "the lease's own duration")
	equal(t, last.GetOnLapse(), leasemappb.OnLapse_ON_LAPSE_UNSPECIFIED, "the key was there before: it stays")
	equal(t, lease.Entry().Value, "new", "value")
	if _, err := c.Set(background, "job", "x", LeaseFor(time.Minute)); !errors.Is(err, ErrInvalid) {
		t.Fatal("its duration is the lease's", err)
	}
	lease.Release()
	take(t, c, Value("mine"), Persistent(), WithAck(AckAll)).Release()
	equal(t, nodes[0].store.get("job").GetValue(), "mine", "value")
	take(t, c, WithAck(AckAll)).Release()
	equal(t, nodes[0].store.get("job").GetValue(), "mine", "with acks it is written again")
}

func TestAnotherHolderIsAnErrorAtOnceByDefault(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	nodes[0].store.by("other", "job", "", time.Hour)
	_, err := c.Lease(background, "job")
	var held *LeaseHeldError
	equal(t, errors.As(err, &held) && held.Holder == "other", true, fmt.Sprint(err))
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	_, err = c.Lease(ctx, "job", Wait())
	equal(t, errors.Is(err, ErrLeaseHeld) && errors.Is(err, context.DeadlineExceeded), true, fmt.Sprint(err))
	equal(t, len(c.keys.wanted), 0, "nobody waits any more")
	for _, bad := range []time.Duration{0, -time.Second, 200 * 365 * 24 * time.Hour} {
		_, err = c.Lease(background, "job", Duration(bad))
		equal(t, errors.Is(err, ErrInvalid), true, fmt.Sprint(err))
	}
}

func TestWhoWaitsIsWokenByTheWatch(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	nodes[0].store.by("other", "job", "", time.Hour)
	got := make(chan *Lease, 1)
	go func() {
		lease, _ := c.Lease(background, "job", Wait())
		got <- lease
	}()
	eventually(t, "the key is watched", func() bool { return nodes[0].count("Watch") > 0 })
	tries := nodes[0].count("Renew")
	nodes[0].store.by("other", "job", "", 0)
	lease := <-got
	equal(t, lease.Held(), true, "held")
	if now := nodes[0].count("Renew"); now > tries+2 {
		t.Fatalf("%d tries after %d", now, tries)
	}
}

func TestTheKeysOfLeasesShareWatchesUpToABound(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	c.mu.Lock()
	const many = watchesMost*watchedKeys + 10
	for i := range many {
		c.keys.addLocked(fmt.Sprint(i))
	}
	watched := 0
	equal(t, len(c.keys.watches), watchesMost, "watches")
	for _, watch := range c.keys.watches {
		equal(t, len(watch.keys), watchedKeys, "keys of one")
		watched += len(watch.keys)
	}
	c.mu.Unlock()
	equal(t, watched, watchesMost*watchedKeys, "keys")
	eventually(t, "all are opened", func() bool { return nodes[0].count("Watch") >= watchesMost })
	for i := range many {
		c.keys.remove(fmt.Sprint(i))
	}
	c.mu.Lock()
	equal(t, len(c.keys.wanted), 0, "keys wanted")
	watch := c.keys.watches[0]
	c.mu.Unlock()
	request := watch.request()
	equal(t, len(request.GetKeysBytes()), 1, "without keys it would be the whole map")
}

func TestOnlyWhatMayFreeAKeyWakesWhoWaits(t *testing.T) {
	c := client(t, startFakeNodes(t, 1))
	woken, forget := c.keys.listen("k")
	defer forget()
	now := float64(time.Now().Unix())
	for what, each := range map[string]struct {
		kind  Kind
		entry *Entry
		want  int
	}{
		"a live lease":   {KindSet, entryOf("k", "", made{written: now, expire: now + 3600}), 0},
		"a lapsed lease": {KindSet, entryOf("k", "", made{written: now - 10, expire: now - 5}), 1},
		"a release":      {KindSet, entryOf("k", "", made{written: now + 60, expire: now + 60}), 1},
		"a delete":       {KindDeleted, entryOf("k", "", made{written: now, deleted: true}), 1},
		"a lapse":        {KindExpired, entryOf("k", "", made{written: now, expire: now + 3600}), 1},
		"another key's":  {KindDeleted, entryOf("other", "", made{written: now, deleted: true}), 0},
	} {
		c.leaseSaw(each.kind, each.entry)
		equal(t, len(woken), each.want, what)
		for len(woken) > 0 {
			<-woken
		}
	}
}

func TestOneClientDoesNotHoldAKeyTwice(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	var inside, most, times int
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 5 {
				lease, err := c.Lock(background, "lock")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				inside++
				most, times = max(most, inside), times+1
				mu.Unlock()
				mu.Lock()
				inside--
				mu.Unlock()
				lease.Release()
			}
		}()
	}
	group.Wait()
	equal(t, most, 1, "at once")
	equal(t, times, 40, "times")
	first := take(t, c)
	_, err := c.TryLock(background, "job")
	equal(t, errors.Is(err, ErrLeaseHeld), true, fmt.Sprint(err))
	first.Release()
}

func TestTheWatchTellsALossAtOnce(t *testing.T) {
	for what, do := range map[string]func(*fakeStore, *Client){
		"other has the key":              func(s *fakeStore, _ *Client) { s.by("other", "job", "x", time.Hour) },
		"other deleted the key":          func(s *fakeStore, _ *Client) { s.drop("job") },
		"another program of this holder": func(s *fakeStore, _ *Client) { s.by("me", "job", "x", 0) },
	} {
		nodes := startFakeNodes(t, 1)
		c := client(t, nodes)
		lease := take(t, c, Duration(time.Hour))
		ctx := lease.Context(background)
		eventually(t, "the key is watched", func() bool { return nodes[0].count("Watch") == 1 })
		do(nodes[0].store, c)
		if why := lost(t, lease); !strings.Contains(why, what) {
			t.Fatalf("%q, not %q", why, what)
		}
		<-ctx.Done()
		equal(t, errors.Is(context.Cause(ctx), ErrLeaseLost), true, "the context's cause")
		_, err := lease.Set(background, "too late")
		equal(t, errors.Is(err, ErrLeaseLost), true, fmt.Sprint(err))
		equal(t, errors.Is(lease.Release(), ErrLeaseLost), true, "release tells it")
	}
}

func TestALeaseIsLostAtTheDeadlineWhenNoNodeAnswers(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes)
	lease := take(t, c, Duration(time.Second))
	expires := lease.Expires()
	for _, node := range nodes {
		node.onFail(refusing("BatchRenew", failure(codes.Unavailable, "SYNCING", nil)))
	}
	equal(t, lost(t, lease), "it could not be renewed in time", "why")
	equal(t, time.Now().Before(expires), true, "before the cluster's end")
	if tries := nodes[0].count("BatchRenew") + nodes[1].count("BatchRenew"); tries < 2 {
		t.Fatalf("%d tries", tries)
	}
}

func TestAfterTheMachineSleptALeaseIsLost(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	var slept time.Duration
	var mu sync.Mutex
	c.now = func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return bootTime() + slept
	}
	lease := take(t, c, Duration(time.Hour))
	equal(t, lease.Held(), true, "held")
	mu.Lock()
	slept = 50 * time.Minute
	mu.Unlock()
	equal(t, lease.Held(), false, "held after the sleep")
	equal(t, errors.Is(lease.Err(), ErrLeaseLost), true, "error")
	equal(t, lost(t, lease), "it could not be renewed in time", "why")
	equal(t, nodes[0].count("BatchRenew"), 0, "it was not renewed")
}

func TestAGrantInDoubtIsGivenBack(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes, WithTimeout(300*time.Millisecond))
	nodes[0].after = func(ctx context.Context, method string, _ proto.Message) error { // it is done, and the answer lost
		if method == "Set" {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	_, err := c.Lease(background, "job")
	equal(t, errors.Is(err, ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded), true, fmt.Sprint(err))
	eventually(t, "it is given back", func() bool { return nodes[0].count("Release") == 1 })
	eventually(t, "and may be taken again", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.leases) == 0 })
}

func TestAfterAMajorityARivalMayStillTurnUp(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	nodes[0].after = func(_ context.Context, method string, _ proto.Message) error {
		if method == "Set" { // a node of the minority granted it to another, whose entry stands
			nodes[0].store.by("rival", "job", "x", time.Hour)
		}
		return nil
	}
	_, err := c.TryLock(background, "job")
	equal(t, errors.Is(err, ErrLeaseHeld), true, fmt.Sprint(err))
	equal(t, nodes[0].store.get("job").GetLease().GetHolder(), "rival", "holder")
}

func TestAnElectionLeadsUntilTheLeadIsLostAndStandsAgain(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	ctx, cancel := context.WithTimeout(background, 20*time.Second)
	defer cancel()
	var leaders []string
	observed := make(chan struct{})
	go func() {
		defer close(observed)
		for leader, err := range c.Leader(ctx, "leader") {
			if err != nil {
				return
			}
			leaders = append(leaders, leader)
			if len(leaders) > 1 && leader == "" {
				return
			}
		}
	}()
	eventually(t, "it is observed", func() bool { return nodes[0].count("Watch") == 1 })
	led, done := 0, errors.New("enough")
	err := c.Elect(ctx, "leader", "host:1", func(ctx context.Context, lease *Lease) error {
		if led++; led == 2 {
			return done
		}
		eventually(t, "the key is watched", func() bool { return nodes[0].count("Watch") >= 2 })
		nodes[0].store.drop("leader")
		<-ctx.Done()
		return ctx.Err()
	})
	equal(t, err, done, "what lead returned")
	equal(t, led, 2, "times")
	<-observed
	equal(t, leaders[0] == "" && leaders[1] == "host:1", true, fmt.Sprint(leaders))
	cancel()
	equal(t, c.Elect(ctx, "leader", "", nil) != nil, true, "a context that ended")
}

func TestARegistryKeepsItsInstances(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	r, err := c.Registry(background, "web")
	if err != nil {
		t.Fatal(err)
	}
	changes := r.Changes(background)
	for _, name := range []string{"one", "two"} {
		if err := r.Register(background, name, "host:"+name); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, len(r.Instances()), 2, "instances")
	equal(t, errors.Is(r.Register(background, "one", "x"), ErrInvalid), true, "twice")
	nodes[0].store.drop("services/web/one")
	eventually(t, "it is back", func() bool { return nodes[0].store.get("services/web/one") != nil })
	for instances := range changes {
		if len(instances) == 2 {
			break
		}
	}
	nodes[0].store.by("other", "services/web/theirs", "x", time.Hour)
	equal(t, errors.Is(r.Register(background, "theirs", "x"), ErrLeaseHeld), true, "another's")
	equal(t, r.Unregister("one"), nil, "unregister")
	equal(t, errors.Is(r.Unregister("one"), ErrKeyNotFound), true, "again")
	equal(t, r.Close(), nil, "close")
	for _, name := range []string{"one", "two"} {
		entry := nodes[0].store.get("services/web/" + name)
		equal(t, entry.GetLease().GetExpireTime().AsTime().After(time.Now()), false, name+" is given up")
	}
}
