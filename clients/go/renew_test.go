package leasemap

// How leases are renewed, against a fake cluster.

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"leasemap.dev/leasemap/leasemappb"
)

func TestALeaseIsRenewedThroughAnotherNodeOnceThatOneHasIt(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes)
	lease := take(t, c, Duration(900*time.Millisecond))
	version := lease.Entry().Version
	nodes[0].server.Stop()
	eventually(t, "it is renewed there", func() bool { return nodes[1].count("BatchRenew") > 1 })
	equal(t, lease.Held(), true, "held")
	asked, then := nodes[1].renewalOf(0).GetMinVersion(), nodes[1].renewalOf(1).GetMinVersion()
	equal(t, then, "", "now that node granted it")
	equal(t, asked >= version && asked != "", true, "first it was asked for the version: "+asked)
}

func TestALeaseThatLapsedIsLostAndNotAcquiredAgain(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	nodes[0].onFail(refusing("Watch", failure(codes.Unavailable, "DRAINING", nil)))
	lease := take(t, c, Duration(2*time.Second))
	s := nodes[0].store
	s.mu.Lock()
	s.entries["job"].Lease.ExpireTime = at(t0) // it lapsed, unseen
	s.entries["job"].Lease.Holder = "before"
	s.mu.Unlock()
	equal(t, lost(t, lease) != "", true, "why")
	equal(t, s.get("job").GetLease().GetHolder(), "before", "holder")
}

func TestAnotherLeaseOfThisHolderIsALossAndStays(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	nodes[0].onFail(refusing("Watch", failure(codes.Unavailable, "DRAINING", nil)))
	lease := take(t, c, Duration(2*time.Second))
	s := nodes[0].store
	s.mu.Lock()
	s.entries["job"].Lease.StartTime = at(t0 + 99) // another program of this name acquired it, unseen
	s.mu.Unlock()
	equal(t, lost(t, lease), "it lapsed before it was renewed", "why")
	equal(t, s.get("job").GetLease().GetHolder(), "me", "holder")
	equal(t, nodes[0].count("Release"), 0, "it is the other program's")
}

// renewalOf is the first item of the n-th BatchRenew.
func (n *fakeNode) renewalOf(nth int) *leasemappb.RenewRequest {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, request := range n.requests {
		if batch, ok := request.(*leasemappb.BatchRenewRequest); ok {
			if nth--; nth < 0 {
				return batch.GetRequests()[0]
			}
		}
	}
	return nil
}

// hold takes this many leases of 6 s.
func hold(t *testing.T, c *Client, many int) (leases []*Lease) {
	t.Helper()
	for i := range many {
		lease, err := c.Lease(background, fmt.Sprint("many/", i), Duration(6*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		leases = append(leases, lease)
	}
	return leases
}

// renewNow makes the leases due.
func renewNow(c *Client, leases []*Lease) {
	c.mu.Lock()
	for _, lease := range leases {
		lease.state.renewAt = c.now()
	}
	c.mu.Unlock()
	c.wakeKeeper()
}

func TestManyLeasesAreRenewedByOneCall(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	const many = 300
	leases := hold(t, c, many)
	eventually(t, "the keys are watched, and nothing is due", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.renewals == 0 && nodes[0].count("Watch") > 0
	})
	nodes[0].mu.Lock()
	nodes[0].requests = nil
	nodes[0].mu.Unlock()
	renewNow(c, leases)
	eventually(t, "one call has them all", func() bool {
		nodes[0].mu.Lock()
		defer nodes[0].mu.Unlock()
		for _, request := range nodes[0].requests {
			if batch, ok := request.(*leasemappb.BatchRenewRequest); ok && len(batch.GetRequests()) == many {
				return batch.GetRequests()[0].GetOnlyIfHeld()
			}
		}
		return false
	})
	equal(t, nodes[0].count("Renew"), many, "one for each acquisition, and no more")
	for _, lease := range leases {
		equal(t, lease.Held(), true, "held")
	}
	if watches := nodes[0].count("Watch"); watches > 100 {
		t.Fatalf("%d watches for %d keys", watches, many)
	}
	c.Close()
	equal(t, nodes[0].count("Release"), many, "all are given up at the end")
}

func TestTheItemsOfARenewalDecideOneByOne(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes)
	leases := hold(t, c, 4)
	refusals := map[string]error{"many/1": notFound(), "many/2": failure(codes.Unavailable, "NOT_CAUGHT_UP", nil),
		"many/3": failure(codes.PermissionDenied, "PERMISSION_DENIED", nil)}
	nodes[0].onFail(func(_ context.Context, method string, request proto.Message) error {
		if method == "RenewItem" {
			return refusals[string(request.(*leasemappb.RenewRequest).GetKeyBytes())]
		}
		return nil
	})
	var before []string
	for _, lease := range leases {
		before = append(before, lease.Entry().Version)
	}
	renewNow(c, leases)
	equal(t, lost(t, leases[1]), "the key is gone", "why")
	for _, i := range []int{0, 2, 3} {
		equal(t, leases[i].Held(), true, fmt.Sprint(i, " is held"))
	}
	equal(t, leases[0].Entry().Version != before[0], true, "renewed beside those that were refused")
	eventually(t, "the next node renews the rest", func() bool {
		return leases[2].Entry().Version != before[2] && leases[3].Entry().Version != before[3]
	})
}
