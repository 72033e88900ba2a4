//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// said waits until a process has printed something.
func said(t *testing.T, p *harness.Process, what string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(p.Log(), what) }, 30*time.Second, 20*time.Millisecond, "%q in the log", what)
}

func get(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

func TestWithoutZooKeeperPagesAnswerAndWorkBeginsWhenItIsBack(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	zk, err := harness.StartZooKeeper(ctx, 1) // its own, because the other tests' must stay
	if err != nil {
		missing(t, err)
	}
	t.Cleanup(func() { require.NoError(t, zk.Close()) })
	require.NoError(t, zk.Kill(ctx, 0))
	o := overPostgres(t)
	o.Masters, o.Workers, o.ZooKeeper = 1, 1, zk.Servers()
	f := enlist(t, o)
	m, w := f.Masters[0], f.Workers[0]
	ready(t, m.Process)
	for _, p := range []*harness.Process{m.Process, w.Process} {
		said(t, p, "no ZooKeeper server answers; trying again until one does")
	}
	require.Equal(t, http.StatusOK, get(t, m.URL+"/healthz/live"))
	require.Equal(t, http.StatusServiceUnavailable, get(t, m.URL+"/healthz/ready"))
	require.Equal(t, http.StatusOK, get(t, w.URL+"/healthz/live"))
	require.Equal(t, http.StatusServiceUnavailable, get(t, w.URL+"/healthz/ready"))

	admin := signIn(t, m.URL, "admin", password)
	p := project(t, admin, "early")
	d, err := admin.Publish(ctx, p, harness.Workflow{Name: "w", Tasks: []harness.Task{{Name: "a", Script: "true"}}})
	require.NoError(t, err)
	id, err := admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
	require.NoError(t, err, "a click is a row; it waits")

	require.NoError(t, zk.Restart(ctx, 0))
	require.NoError(t, f.WaitReady(ctx))
	_, err = admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
}

func TestTwoClustersDoNotShareANamespace(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	o := overZooKeeper(t)
	o.Masters, o.Workers = 1, 0
	first := enlist(t, o)
	require.NoError(t, first.WaitReady(ctx))
	o.Database = database(t)
	second := enlist(t, o).Masters[0]
	said(t, second.Process, "the namespace belongs to another cluster")
	said(t, second.Process, "cluster.namespace")
	select {
	case <-second.Done():
	case <-ctx.Done():
		t.Fatal("the second cluster's master goes on")
	}
	require.NotZero(t, second.ExitCode())
	require.True(t, first.Masters[0].Running())
}

func TestAWorkerWithAnotherSecretGetsNoWork(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, o harness.FleetOptions) {
		ctx := within(t, 2*time.Minute)
		o.Masters, o.Workers = 1, 2
		o.WorkerEnv = func(i int) []string {
			if i == 1 {
				return []string{"DORADO_CLUSTER_SECRET=something-else"}
			}
			return nil
		}
		f := enlist(t, o)
		require.NoError(t, f.Masters[0].WaitFit(ctx))
		said(t, f.Masters[0].Process, "refuse worker stream")
		said(t, f.Workers[1].Process, "secret")
		admin := signIn(t, f.Masters[0].URL, "admin", password)
		p := project(t, admin, "secret")
		var w harness.Workflow
		w.Name = "many"
		for i := range 20 {
			w.Tasks = append(w.Tasks, harness.Task{Name: "t" + itoa(int64(i)), Script: "true"})
		}
		d, err := admin.Publish(ctx, p, w)
		require.NoError(t, err)
		id, err := admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
		require.NoError(t, err)
		_, err = admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "SUCCESS")
		require.NoError(t, err)
		tasks, err := admin.Tasks(ctx, p, id)
		require.NoError(t, err)
		for _, task := range tasks {
			require.Equal(t, f.Workers[0].Name, task.Host)
		}
		require.True(t, f.Workers[1].Running(), "it keeps trying: the secret may be corrected on the masters")
	})
}

// A cluster whose streams are encrypted lets nobody in who has no certificate, secret or not.
func TestStreamsAreEncryptedWhenCertificatesAreSet(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	o := overPostgres(t)
	o.Masters, o.Workers = 1, 3
	ours, theirs := authority(t), authority(t)
	tls := func(dir string) []string {
		return []string{
			"DORADO_CLUSTER_TLS_CA=" + filepath.Join(dir, "ca.pem"), "DORADO_CLUSTER_TLS_CERT=" + filepath.Join(dir, "cert.pem"),
			"DORADO_CLUSTER_TLS_KEY=" + filepath.Join(dir, "key.pem"),
		}
	}
	o.MasterEnv = func(int) []string { return tls(ours) }
	o.WorkerEnv = func(i int) []string { return [][]string{tls(ours), tls(theirs), nil}[i] }
	f := enlist(t, o)
	require.NoError(t, f.Masters[0].WaitFit(ctx))
	said(t, f.Workers[0].Process, "connected to master")
	said(t, f.Masters[0].Process, "refuse worker stream")
	admin := signIn(t, f.Masters[0].URL, "admin", password)
	p := project(t, admin, "tls")
	d, err := admin.Publish(ctx, p, harness.Workflow{Name: "w", Tasks: []harness.Task{{Name: "a", Script: "true"}}})
	require.NoError(t, err)
	id, err := admin.StartWorkflow(ctx, p, d.Code, harness.StartOptions{})
	require.NoError(t, err)
	_, err = admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "SUCCESS")
	require.NoError(t, err)
	known, err := admin.WorkerAddresses(ctx)
	require.NoError(t, err)
	require.Len(t, known, 1)
	for _, stranger := range f.Workers[1:] {
		require.NotContains(t, stranger.Log(), "connected to master")
	}
}

// authority writes a certificate authority and a certificate of it into a folder.
func authority(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the cluster's authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	require.NoError(t, err)
	write("ca.pem", "CERTIFICATE", der)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	member := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "a member"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err = x509.CreateCertificate(rand.Reader, member, ca, &key.PublicKey, caKey)
	require.NoError(t, err)
	write("cert.pem", "CERTIFICATE", der)
	der, err = x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	write("key.pem", "EC PRIVATE KEY", der)
	return dir
}
