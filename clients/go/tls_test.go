package leasemap

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
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

// selfSigned is a certificate for localhost, which is its own authority.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
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
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// putFiles writes the certificate and its key in place of those that are there.
func putFiles(t *testing.T, certificate tls.Certificate, cert, key string) {
	der, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: certificate.Certificate[0]},
		key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(path+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
}

// startTLS serves the node as localhost, by TLS.
func startTLS(t *testing.T, node *fakeNode, config *tls.Config) (target string) {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	leasemappb.RegisterKeyValueServer(server, node)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return "localhost:" + port
}

// A certificate is of a name, though the client dials the addresses that the name stands for.
func TestCredentialsArePassedOn(t *testing.T) {
	certificate, pool := selfSigned(t)
	seen := make(chan []string, 1)
	node := &fakeNode{store: newFakeStore()}
	node.onFail(func(ctx context.Context, _ string, _ proto.Message) error {
		found, _ := metadata.FromIncomingContext(ctx)
		seen <- found["authorization"]
		return nil
	})
	c, err := New(startTLS(t, node, &tls.Config{Certificates: []tls.Certificate{certificate}}), WithLogger(quiet),
		WithDialOptions(grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(pool, "")),
			grpc.WithPerRPCCredentials(token{})))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Set(background, "k", "v"); err != nil {
		t.Fatal(err)
	}
	equal(t, (<-seen)[0], "Bearer secret", "token")
}

// The files of the authority, certificate and key are those of the moment at which a connection is made.
func TestCertificatesThatWereReplacedCountForTheNextConnection(t *testing.T) {
	old, trusts := selfSigned(t)
	folder := t.TempDir()
	cert, key := filepath.Join(folder, "cert"), filepath.Join(folder, "key")
	putFiles(t, old, cert, key)
	var mu sync.Mutex // guards these two, which the server asks for at each handshake
	shows := old
	config := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		return &tls.Config{Certificates: []tls.Certificate{shows}, ClientCAs: trusts, NextProtos: []string{"h2"},
			ClientAuth: tls.RequireAndVerifyClientCert}, nil
	}}
	target := startTLS(t, &fakeNode{store: newFakeStore()}, config)
	set := func(options ...Option) error {
		c, err := New(target, append([]Option{WithLogger(quiet), WithTimeout(20 * second)}, options...)...)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Set(background, "k", "v")
		return err
	}
	if err := set(WithTLS(cert, cert, key), WithToken("secret")); err != nil {
		t.Fatal(err)
	}
	if err := set(WithTLS(cert, "", ""), WithTimeout(second)); !errors.Is(err, ErrUnavailable) {
		t.Fatal("without a certificate:", err)
	}
	files := &fileTLS{paths: [3]string{cert, cert, key}, log: quiet}
	if err := files.load(); err != nil {
		t.Fatal(err)
	}
	handshake := func() error {
		conn, err := net.Dial("tcp", target)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		done, _, err := files.ClientHandshake(background, target, conn)
		if err == nil { // a client learns that it was refused when it reads
			done.SetReadDeadline(time.Now().Add(20 * second))
			_, err = done.Read(make([]byte, 1))
		}
		return err
	}
	if err := handshake(); err != nil {
		t.Fatal(err)
	}
	made, pool := selfSigned(t)
	mu.Lock()
	shows, trusts = made, pool
	mu.Unlock()
	if err := handshake(); err == nil {
		t.Fatal("the client trusts another authority")
	}
	putFiles(t, made, cert, key)
	if err := handshake(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cert, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := handshake(); err != nil {
		t.Fatal("a bad file leaves what was read before:", err)
	}
}
