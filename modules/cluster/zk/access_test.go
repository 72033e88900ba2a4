package zk_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	zookeeper "github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"dorado/modules/cluster"
	"dorado/modules/cluster/zk"
	"dorado/modules/cluster/zk/zktest"
)

func TestTwoClustersDoNotShareANamespace(t *testing.T) {
	t.Parallel()
	e := zktest.Start(t, 1)
	one := begin(t, zk.Config{Servers: e.Servers(), SessionTimeout: timeout, ClusterID: "cluster one"}, nil)
	require.NoError(t, one.Ready(t.Context()))
	var log said
	two := begin(t, zk.Config{Servers: e.Servers(), SessionTimeout: timeout, ClusterID: "cluster two"}, log.logger())
	_, err := two.Join(t.Context(), cluster.Master, "m:1", beat("a"))
	require.ErrorIs(t, err, cluster.ErrForeign)
	require.ErrorContains(t, err, "cluster one")
	require.ErrorContains(t, err, "cluster two")
	require.ErrorContains(t, err, "cluster.namespace")
	_, err = two.Nodes(t.Context(), cluster.Master)
	require.ErrorIs(t, err, cluster.ErrForeign)
	_, err = two.Lock(t.Context(), "x")
	require.ErrorIs(t, err, cluster.ErrForeign)
	require.ErrorIs(t, two.Watch(t.Context(), cluster.Master, func([]cluster.Node) {}), cluster.ErrForeign)
	require.Contains(t, log.String(), "cluster one")

	again := begin(t, zk.Config{Servers: e.Servers(), SessionTimeout: timeout, ClusterID: "cluster one"}, nil)
	require.NoError(t, again.Ready(t.Context()))
	elsewhere := begin(t, zk.Config{Servers: e.Servers(), SessionTimeout: timeout, ClusterID: "cluster two", Namespace: "other"}, nil)
	require.NoError(t, elsewhere.Ready(t.Context()))
	worker := begin(t, zk.Config{Servers: e.Servers(), SessionTimeout: timeout}, nil)
	require.NoError(t, worker.Ready(t.Context()), "who knows no cluster compares none")
}

func TestWithAUserAllThatIsCreatedIsHisAlone(t *testing.T) {
	t.Parallel()
	e := zktest.StartWith(t, 1, patient)
	c := zk.Config{Servers: e.Servers(), SessionTimeout: patience, ClusterID: "x", User: "dorado", Password: "se:cret"}
	r := begin(t, c, nil)
	m, err := r.Join(t.Context(), cluster.Master, "m:1", beat("a"))
	require.NoError(t, err)
	l, err := r.Lock(t.Context(), "x")
	require.NoError(t, err)
	require.NotContains(t, r.Name(), "se:cret")

	stranger := client(t, e)
	entries, err := r.Tree(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(entries), 7)
	for _, entry := range entries {
		_, _, err := stranger.Get(entry.Path)
		require.ErrorIs(t, err, zookeeper.ErrNoAuth, entry.Path)
		require.Error(t, stranger.Delete(entry.Path, -1), entry.Path)
	}
	require.NoError(t, stranger.AddAuth("digest", []byte("dorado:se:cret")))
	value, _, err := stranger.Get("/dolphinscheduler/nodes/master/m:1")
	require.NoError(t, err)
	require.Contains(t, string(value), `"incarnation":"a"`)

	c.Password = "wrong"
	var log said
	wrong := begin(t, c, log.logger())
	_, err = wrong.Join(t.Context(), cluster.Master, "m:2", beat("b"))
	require.ErrorIs(t, err, cluster.ErrRefused)
	require.ErrorContains(t, err, `user "dorado"`)
	require.NotContains(t, err.Error()+log.String(), "wrong")
	nobody := begin(t, zk.Config{Servers: e.Servers(), SessionTimeout: timeout}, nil)
	_, err = nobody.Nodes(t.Context(), cluster.Master)
	require.ErrorIs(t, err, cluster.ErrRefused)
	require.ErrorContains(t, err, "no user")

	e.Restart(0) // the user is introduced again with each connection
	e.WaitReady()
	held(t, m.Lost())
	require.NoError(t, l.Unlock(t.Context()))
	require.NoError(t, m.Leave(t.Context()))
}

func TestSASLIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	_, err := zk.New(zk.Config{Servers: []string{"localhost"}, SASL: "GSSAPI"}, nil)
	require.ErrorIs(t, err, zk.ErrSASL)
	require.ErrorContains(t, err, "Kerberos")

	jaas := filepath.Join(t.TempDir(), "jaas.conf")
	write(t, jaas, []byte("Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_a=\"b\"; };\n"))
	e := zktest.StartWith(t, 1, zktest.Options{Java: []string{
		"-Dzookeeper.sessionRequireClientSASLAuth=true", "-Djava.security.auth.login.config=" + jaas,
		"-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
	}})
	r := begin(t, zk.Config{Servers: e.Servers(), SessionTimeout: timeout}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = r.Ready(ctx)
	require.ErrorIs(t, err, cluster.ErrRefused)
	require.ErrorIs(t, err, zk.ErrSASL)
}

func TestConfigurationThatCannotWorkIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	for says, c := range map[string]zk.Config{
		"no servers":        {},
		"no host:port":      {Servers: []string{"a,b"}},
		"belong together":   {Servers: []string{"a"}, User: "u"},
		"no namespace":      {Servers: []string{"a"}, Namespace: "a//b"},
		"is no namespace":   {Servers: []string{"a"}, Namespace: "zookeeper"},
		"session timeout":   {Servers: []string{"a"}, SessionTimeout: time.Millisecond},
		"not the CA":        {Servers: []string{"a"}, TLS: zk.TLS{Cert: "x", Key: "y"}},
		"no such file":      {Servers: []string{"a"}, TLS: zk.TLS{CA: "/nonexistent.pem"}},
		"no certificate in": {Servers: []string{"a"}, TLS: zk.TLS{CA: "/dev/null"}},
		"no colon":          {Servers: []string{"a"}, User: "a:b", Password: "c"},
	} {
		_, err := zk.New(c, nil)
		require.ErrorContains(t, err, says)
	}
}

func TestTLSWithClientCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	ca.issue(t, dir, "server")
	ca.issue(t, dir, "client")
	other := newAuthority(t, dir, "other")
	other.issue(t, dir, "stranger")
	file := func(name string) string { return filepath.Join(dir, name) }
	port := freePort(t)
	zktest.StartWith(t, 1, zktest.Options{Settings: []string{
		fmt.Sprintf("secureClientPort=%d", port), "secureClientPortAddress=127.0.0.1",
		"serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
		"ssl.keyStore.location=" + file("server-both.pem"), "ssl.keyStore.type=PEM",
		"ssl.trustStore.location=" + file("ca.pem"), "ssl.trustStore.type=PEM", "ssl.clientAuth=need",
	}})
	secure := []string{loopback(port)}
	good := zk.TLS{CA: file("ca.pem"), Cert: file("client.pem"), Key: file("client-key.pem")}
	r := begin(t, zk.Config{Servers: secure, SessionTimeout: timeout, ClusterID: "x", TLS: good}, nil)
	m, err := r.Join(t.Context(), cluster.Master, "m:1", beat("a"))
	require.NoError(t, err)
	held(t, m.Lost())

	for _, c := range []struct {
		name string
		tls  zk.TLS
		says string
	}{
		{"a server that nobody vouches for", zk.TLS{CA: file("other.pem")}, "certificate"},
		{"a client without a certificate", zk.TLS{CA: file("ca.pem")}, "no ZooKeeper server answers"},
		{"a client with another's certificate", zk.TLS{CA: file("ca.pem"), Cert: file("stranger.pem"), Key: file("stranger-key.pem")}, "no ZooKeeper server answers"},
		{"a client without encryption", zk.TLS{}, "TLS"},
	} {
		var log said
		r := begin(t, zk.Config{Servers: secure, SessionTimeout: timeout, TLS: c.tls}, log.logger())
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		require.ErrorIs(t, r.Ready(ctx), context.DeadlineExceeded, c.name)
		cancel()
		require.Contains(t, log.String(), c.says, c.name)
	}
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	write(t, filepath.Join(dir, name+".pem"), block("CERTIFICATE", der))
	return &authority{cert: cert, key: key}
}

// issue writes name.pem, name-key.pem, and both in name-both.pem.
func (a *authority) issue(t *testing.T, dir, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	cert, private := block("CERTIFICATE", der), block("PRIVATE KEY", raw)
	write(t, filepath.Join(dir, name+".pem"), cert)
	write(t, filepath.Join(dir, name+"-key.pem"), private)
	write(t, filepath.Join(dir, name+"-both.pem"), append(private, cert...))
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func write(t *testing.T, path string, raw []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, raw, 0o600))
}
