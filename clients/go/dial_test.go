package leasemap

// Connections over all nodes, against fake ones.

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"leasemap.dev/leasemap/leasemappb"
)

func dial(t *testing.T, endpoints string, options ...Option) *grpc.ClientConn {
	t.Helper()
	conn, err := Dial(endpoints, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// get asks for a key until these nodes, and no others, were asked.
func get(t *testing.T, conn *grpc.ClientConn, nodes []*fakeNode, wanted ...int) {
	t.Helper()
	eventually(t, fmt.Sprint("these are asked: ", wanted), func() bool {
		for _, node := range nodes {
			node.mu.Lock()
			node.calls = nil
			node.mu.Unlock()
		}
		for range 10 {
			request := &leasemappb.GetRequest{KeyForm: &leasemappb.GetRequest_KeyBytes{KeyBytes: []byte("k")}}
			if _, err := leasemappb.NewKeyValueClient(conn).Get(background, request, grpc.WaitForReady(true)); err != nil &&
				reasonOf(fromCall(background, err)) != "KEY_NOT_FOUND" {
				return false
			}
		}
		var asked []int
		for i, node := range nodes {
			if node.count("Get") > 0 {
				asked = append(asked, i)
			}
		}
		return fmt.Sprint(asked) == fmt.Sprint(wanted)
	})
}

func TestACallGoesToEachNodeThatServes(t *testing.T) {
	nodes := startFakeNodes(t, 3)
	conn := dial(t, nodes[0].target+", "+nodes[1].target+","+nodes[2].target)
	get(t, conn, nodes, 0, 1, 2)
	nodes[1].health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	get(t, conn, nodes, 0, 2)
	nodes[0].server.Stop()
	get(t, conn, nodes, 2)
	nodes[1].health.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	get(t, conn, nodes, 1, 2)
}

func TestANameMeansItsAddresses(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	get(t, dial(t, strings.Replace(nodes[0].target, "127.0.0.1", "localhost", 1)), nodes, 0)
	state := stateOfNodes([]string{"10.0.0.1:7400", "10.0.0.2:7400", "10.0.0.1:7400"},
		map[string]string{"10.0.0.1:7400": "n1:7400", "10.0.0.2:7400": "n2:7400"})
	equal(t, len(state.Addresses), 2, "each once")
	equal(t, state.Addresses[1].Addr+" is "+state.Addresses[1].ServerName, "10.0.0.2:7400 is n2:7400", "by its name")
}

func TestWhatADialRefuses(t *testing.T) {
	for what, each := range map[string]struct {
		endpoints string
		options   []Option
	}{
		"no endpoint":               {"", nil},
		"no port":                   {"n1", nil},
		"no such file":              {"127.0.0.1:7400", []Option{WithTLS("/not/there", "", "")}},
		"a token in plain text":     {"127.0.0.1:7400,192.0.2.1:7400", []Option{WithToken("secret")}},
		"a token to any addresses":  {"n1:7400", []Option{WithToken("secret")}},
		"a certificate without key": {"127.0.0.1:7400", []Option{WithTLS("", "cert.pem", "")}},
	} {
		_, err := Dial(each.endpoints, each.options...)
		equal(t, errors.Is(err, ErrInvalid), true, what+": "+fmt.Sprint(err))
	}
}

func TestADialSendsItsToken(t *testing.T) {
	k := startKnowing(t)
	conn := dial(t, k.target, WithToken("secret"))
	request := &leasemappb.GetRequest{KeyForm: &leasemappb.GetRequest_KeyBytes{KeyBytes: []byte("k")}}
	_, err := leasemappb.NewKeyValueClient(conn).Get(background, request, grpc.WaitForReady(true))
	equal(t, reasonOf(fromCall(background, err)), "KEY_NOT_FOUND", "the node knows who asks")
}
