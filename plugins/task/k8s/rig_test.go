package k8s_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rig is a real control plane: etcd, kube-apiserver, and of kube-controller-manager what Jobs need. Its one node is the
// kubelet of kubelet_test.go. See docs/extended-tests-k8s.md.
type rig struct {
	t      *testing.T
	bin    string
	dir    string
	url    string
	port   string
	etcd   string
	server *exec.Cmd
	http   *http.Client
}

// newRig starts the programs in the directory that DORADO_K8S_BIN names; without it the test is skipped.
func newRig(t *testing.T) *rig {
	t.Helper()
	bin := os.Getenv("DORADO_K8S_BIN")
	if bin == "" {
		t.Skip("DORADO_K8S_BIN names no directory with etcd, kube-apiserver and kube-controller-manager")
	}
	r := &rig{t: t, bin: bin, dir: t.TempDir(), port: freePort(t), http: &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // its certificate is of this minute
	}}
	r.url = "https://127.0.0.1:" + r.port
	r.etcd = "http://127.0.0.1:" + freePort(t)
	peer := "http://127.0.0.1:" + freePort(t)
	r.write("tokens.csv", "t0ken,admin,admin,system:masters\n")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	r.write("sa.key", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	r.write("sa.pub", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
	r.write("kubeconfig", r.kubeconfig())
	r.start("etcd", "--data-dir="+filepath.Join(r.dir, "etcd"), "--listen-client-urls="+r.etcd, "--advertise-client-urls="+r.etcd,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer, "--unsafe-no-fsync", "--log-level=error")
	r.startServer()
	r.start("kube-controller-manager", "--kubeconfig="+filepath.Join(r.dir, "kubeconfig"), "--service-account-private-key-file="+filepath.Join(r.dir, "sa.key"),
		"--controllers=job-controller,ttl-after-finished-controller,garbage-collector-controller,namespace-controller", "--leader-elect=false",
		"--bind-address=127.0.0.1", "--secure-port="+freePort(t), "--cert-dir="+filepath.Join(r.dir, "cm"), "--authentication-skip-lookup")
	r.must(http.MethodPost, "/api/v1/namespaces", obj{"metadata": obj{"name": "lab"}})
	return r
}

func (r *rig) write(name, text string) {
	require.NoError(r.t, os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600))
}

func (r *rig) kubeconfig() string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"m","clusters":[{"name":"c","cluster":{"server":%q,"insecure-skip-tls-verify":true}}],
		"contexts":[{"name":"m","context":{"cluster":"c","user":"u"}}],"users":[{"name":"u","user":{"token":"t0ken"}}]}`, r.url)
}

// start runs a program until the test ends.
func (r *rig) start(name string, args ...string) *exec.Cmd {
	r.t.Helper()
	log, err := os.OpenFile(filepath.Join(r.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(r.t, err)
	cmd := exec.Command(filepath.Join(r.bin, name), args...)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(r.t, cmd.Start())
	r.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
		if r.t.Failed() {
			raw, _ := os.ReadFile(filepath.Join(r.dir, name+".log"))
			r.t.Logf("%s: %s", name, raw[max(0, len(raw)-3000):])
		}
	})
	return cmd
}

func (r *rig) startServer() {
	r.t.Helper()
	at := func(name string) string { return filepath.Join(r.dir, name) }
	r.server = r.start("kube-apiserver", "--etcd-servers="+r.etcd, "--bind-address=127.0.0.1", "--secure-port="+r.port, "--cert-dir="+at("certs"),
		"--token-auth-file="+at("tokens.csv"), "--authorization-mode=AlwaysAllow", "--service-account-key-file="+at("sa.pub"), "--service-account-signing-key-file="+at("sa.key"),
		"--service-account-issuer=https://kubernetes.default.svc", "--disable-admission-plugins=ServiceAccount", "--service-cluster-ip-range=10.0.0.0/24",
		"--kubelet-preferred-address-types=InternalIP")
	require.Eventually(r.t, func() bool { return r.call(http.MethodGet, "/readyz", nil, nil) == nil }, 2*time.Minute, 200*time.Millisecond)
}

// call sends a request to the API server.
func (r *rig) call(method, path string, body, out any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, r.url+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer t0ken")
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	answer, err := r.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	raw, err = io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %d %s %w", method, path, answer.StatusCode, raw, err)
	}
	if out != nil {
		return json.Unmarshal(raw, out)
	}
	return nil
}

func (r *rig) must(method, path string, body any) {
	r.t.Helper()
	require.NoError(r.t, r.call(method, path, body, nil))
}

// jobs are the names of the Jobs there are.
func (r *rig) jobs() string {
	var list struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	if err := r.call(http.MethodGet, "/apis/batch/v1/namespaces/lab/jobs", nil, &list); err != nil {
		return err.Error()
	}
	var names []string
	for _, j := range list.Items {
		names = append(names, j.Metadata.Name)
	}
	return strings.Join(names, " ")
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}
