package leasemap

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"leasemap.dev/leasemap/leasemappb"
)

type token struct{}

func (token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer secret"}, nil
}
func (token) RequireTransportSecurity() bool { return true }

// A certificate is of a name, though the client dials the addresses that the name stands for.
func TestCredentialsArePassedOn(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)

	seen := make(chan []string, 1)
	node := &fakeNode{store: newFakeStore()}
	node.onFail(func(ctx context.Context, _ string, _ proto.Message) error {
		found, _ := metadata.FromIncomingContext(ctx)
		seen <- found["authorization"]
		return nil
	})
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(
		&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})))
	leasemappb.RegisterKeyValueServer(server, node)
	go server.Serve(listener)
	defer server.Stop()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	c, err := New("localhost:"+port, WithLogger(quiet), WithDialOptions(
		grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(pool, "")), grpc.WithPerRPCCredentials(token{})))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Set(background, "k", "v"); err != nil {
		t.Fatal(err)
	}
	equal(t, (<-seen)[0], "Bearer secret", "token")
}
