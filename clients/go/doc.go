// Package leasemap is the Go client of Leasemap, a map that many machines share, with leases.
//
// A [Client] speaks with one node of a cluster, and with the next one when that fails. It gets, sets and deletes keys,
// lists them, and watches their changes. A [Map] is a copy in this process, which a watch keeps fresh: its reads ask
// no node. A [Lease] is renewed in the background until it is released or lost. Lock, Elect and Registry are built on
// leases.
//
//	client, err := leasemap.New("127.0.0.1:7400,127.0.0.1:7410")
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	lease, err := client.Lock(ctx, "job")
//	if err != nil {
//		return err
//	}
//	defer lease.Release()
//	return work(lease.Context(ctx), lease.FencingToken())
//
// # Writes and leases
//
// By default a Set takes a lease of the cluster's duration, an hour. Until it ends no other holder may change the key,
// and the next run of the same program is another holder ([WithHolder]). Use [WithLease](0) for keys that others may
// change. A node answers a write when it has the write itself; [WithAck] waits for more nodes.
//
// # Limits
//
// A key is 1 to 4,096 bytes, a value at most 1 MiB, a holder 1 to 255 bytes of printable UTF-8. A node takes at most a
// tenth of its watches from one connection, 1,000 by default; a Map and a Watch are one each, and the keys of leases one
// for each thousand. docs/limits.md has all bounds of a node.
//
// # Time
//
// Durations are Go's; the API takes whole milliseconds. Deadlines of leases are of a clock that runs while the
// machine sleeps (on Linux), and count from before a request was sent, so they come before the cluster's.
//
// # Errors
//
// Each error has a kind, as [ErrLeaseHeld], for errors.Is; [CallError] and the types beside it have the facts.
package leasemap
