// One leader among many programs: leader HOST:PORT,HOST:PORT [ROUNDS]
//
// Start it several times, kill the one that leads, or its node: another goes on, and its writes carry a greater fencing
// token. The ledger here stands for any resource outside: it refuses tokens that are smaller than one it saw.
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

type ledger struct{ greatest string }

func (l *ledger) write(token, line string) error {
	if token < l.greatest {
		return errors.New("a leader of the past")
	}
	l.greatest = token
	fmt.Println(line)
	return nil
}

func main() {
	rounds, book := -1, ledger{} // for ever
	if len(os.Args) > 2 {
		rounds, _ = strconv.Atoi(os.Args[2])
	}
	client, err := leasemap.New(os.Args[1], leasemap.FromEnvironment())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	me, err := client.Identify(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	err = client.Elect(context.Background(), "example/leader", me, func(ctx context.Context, lease *leasemap.Lease) error {
		for fmt.Println("leading as", me); rounds != 0 && lease.Held(); rounds-- {
			if err := book.write(lease.FencingToken(), "work done by "+me); err != nil {
				return err
			}
			select { // in place of time.Sleep: it ends when the lead is lost
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		return nil
	}, leasemap.Duration(4*time.Second))
	if err != nil {
		log.Fatal(err)
	}
}
