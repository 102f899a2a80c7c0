// A cron job that runs once, however many machines start it: once HOST:PORT,HOST:PORT NAME WHEN COMMAND…
//
// Start it from every machine's cron with the same NAME, and a WHEN that says which run it is, as `date +%F`. The one
// that gets the lease runs the command and leaves WHEN as the key's value; the others find it there and do nothing. If
// a machine dies while it runs the command its lease lapses, and another one that waits runs it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"time"

	"leasemap.dev/leasemap"
)

func main() {
	endpoints, name, when, command := os.Args[1], os.Args[2], os.Args[3], os.Args[4:]
	client, err := leasemap.New(endpoints, leasemap.FromEnvironment())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	key, ctx := "cron/"+name, context.Background()
	wait, cancel := context.WithTimeout(ctx, time.Minute) // for a machine that runs it, or died
	defer cancel()
	lease, err := client.Lease(wait, key, leasemap.Persistent(), leasemap.Wait(), leasemap.WithAck(leasemap.AckAll))
	var held *leasemap.LeaseHeldError
	if errors.As(err, &held) {
		fmt.Printf("%s of %s is being run by %s\n", name, when, held.Holder)
		return
	} else if err != nil {
		log.Fatal(err)
	}
	defer lease.Release()
	entry, err := client.GetAtLeast(ctx, key, lease.Entry().Version)
	if err != nil {
		log.Fatal(err)
	}
	if entry.Value == when {
		fmt.Printf("%s of %s was run already\n", name, when)
		return
	}
	run := exec.CommandContext(lease.Context(ctx), command[0], command[1:]...) // killed when another machine may run it
	run.Stdout, run.Stderr = os.Stdout, os.Stderr
	if err = run.Run(); err == nil {
		_, err = lease.Set(ctx, when, leasemap.WithAck(leasemap.AckMajority))
	}
	if err != nil {
		client.Close() // log.Fatal runs no deferred calls
		log.Fatal(err)
	}
}
