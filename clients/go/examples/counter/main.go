// A counter that many programs count up, guarded by a lease: counter HOST:PORT,HOST:PORT [TIMES]
//
// The lease is on the counter's own key, so the node that grants it has the latest value too. With AckAll one program
// at most has it, however many ask for it at the same moment.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"leasemap.dev/leasemap"
)

const key = "example/counter"

func count(ctx context.Context, client *leasemap.Client) (int, error) {
	lease, err := client.Lease(ctx, key, leasemap.Duration(4*time.Second), leasemap.Persistent(), leasemap.Wait(),
		leasemap.WithAck(leasemap.AckAll))
	if err != nil {
		return 0, err
	}
	defer lease.Release()
	ctx = lease.Context(ctx)
	entry, err := client.GetAtLeast(ctx, key, lease.Entry().Version)
	if err != nil {
		return 0, err
	}
	value, _ := strconv.Atoi(entry.Value) // a key that is made for a lease holds its holder's name: 0
	_, err = lease.Set(ctx, strconv.Itoa(value+1), leasemap.WithAck(leasemap.AckMajority))
	return value + 1, err
}

func main() {
	times := 1
	if len(os.Args) > 2 {
		times, _ = strconv.Atoi(os.Args[2])
	}
	client, err := leasemap.New(os.Args[1], leasemap.FromEnvironment())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	for times > 0 {
		switch value, err := count(context.Background(), client); {
		case err == nil:
			fmt.Println(value)
			times--
		case !errors.Is(err, leasemap.ErrLeaseLost): // else it is counted again
			log.Fatal(err)
		}
	}
}
