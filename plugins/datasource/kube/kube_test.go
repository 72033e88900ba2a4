package kube_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource/kube"
)

// cluster answers as an API server does to those who bring the token or the password.
func cluster(t *testing.T) *httptest.Server {
	t.Helper()
	status := func(w http.ResponseWriter, code int, text string) {
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"code":%d}`, text, code)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.Header.Get("Authorization") != "Bearer t0ken" && (user != "ann" || password != "hunter2") && len(r.TLS.PeerCertificates) == 0 {
			status(w, 401, "Unauthorized")
			return
		}
		switch r.URL.Path {
		case "/base/version":
			fmt.Fprint(w, `{"major":"1","minor":"36","gitVersion":"v1.36.3"}`)
		case "/base/api/v1/namespaces/jobs":
			fmt.Fprint(w, `{"kind":"Namespace","metadata":{"name":"jobs"}}`)
		case "/base/api/v1/namespaces/narrow":
			status(w, 403, `namespaces "narrow" is forbidden`)
		case "/base/api/v1/namespaces/narrow/pods":
			fmt.Fprint(w, `{"kind":"PodList","items":[]}`)
		case "/base/api/v1/namespaces/closed", "/base/api/v1/namespaces/closed/pods":
			status(w, 403, `namespaces "closed" is forbidden`)
		case "/base/api/v1/namespaces/elsewhere":
			http.Redirect(w, r, "https://evil.example/", http.StatusFound)
		default:
			status(w, 404, strings.Repeat("long ", 200))
		}
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func config(server, clusterMore, user string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: here
contexts:
- name: here
  context: {cluster: c, user: u, namespace: jobs}
clusters:
- name: c
  cluster: {server: "%s"%s}
users:
- name: u
  user: {%s}
`, server, clusterMore, user)
}

func authority(s *httptest.Server) string {
	return `, certificate-authority-data: ` + base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// clientCertificate is a pair in Base64.
func clientCertificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ann"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return fmt.Sprintf("client-certificate-data: %s, client-key-data: %s",
		base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})))
}

func open(t *testing.T, text string) *kube.Client {
	t.Helper()
	c, err := kube.New(text)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestEveryKindOfCredentialSignsIn(t *testing.T) {
	t.Parallel()
	s := cluster(t)
	for name, user := range map[string]string{
		"token": "token: t0ken", "password": "username: ann, password: hunter2", "certificate": clientCertificate(t),
	} {
		c := open(t, config(s.URL+"/base/", authority(s), user))
		version, err := c.Version(t.Context())
		require.NoError(t, err, name)
		require.Equal(t, "v1.36.3", version)
		require.Equal(t, "jobs", c.DefaultNamespace)
		require.NoError(t, c.Namespace(t.Context(), "jobs"))
	}
	c := open(t, config(s.URL+"/base", authority(s), "token: another"))
	_, err := c.Version(t.Context())
	require.Equal(t, 401, kube.Status(err))
	require.NotContains(t, err.Error(), "another")
}

func TestANamespaceMustBeThereAndUsable(t *testing.T) {
	t.Parallel()
	s := cluster(t)
	c := open(t, config(s.URL+"/base", authority(s), "token: t0ken"))
	require.NoError(t, c.Namespace(t.Context(), "narrow"), "who may list pods there may use it")
	require.Equal(t, 403, kube.Status(c.Namespace(t.Context(), "closed")))
	err := c.Namespace(t.Context(), "gone")
	require.Equal(t, 404, kube.Status(err))
	require.Less(t, len(err.Error()), 400, "what a server says is cut")
	require.Equal(t, 302, kube.Status(c.Namespace(t.Context(), "elsewhere")), "no redirect is followed")
	for _, name := range []string{"", "a/b", "..", "UPPER", "a?x", strings.Repeat("a", 64)} {
		require.ErrorContains(t, c.Namespace(t.Context(), name), "not the name of a namespace")
	}
}

func TestAClusterWithAnUnknownCertificateIsNotTrusted(t *testing.T) {
	t.Parallel()
	s := cluster(t)
	_, err := open(t, config(s.URL+"/base", "", "token: t0ken")).Version(t.Context())
	require.ErrorContains(t, err, "x509")
	_, err = open(t, config(s.URL+"/base", ", insecure-skip-tls-verify: true", "token: t0ken")).Version(t.Context())
	require.NoError(t, err)
	_, err = open(t, config("https://169.254.169.254", "", "token: t0ken")).Version(t.Context())
	require.ErrorContains(t, err, "not allowed", "metadata of the cloud is out of reach")
}

func TestWhatWouldReadFilesOrRunProgramsIsRefusedByName(t *testing.T) {
	t.Parallel()
	for entry, word := range map[string]string{
		"exec: {apiVersion: v1, command: aws}": "exec", "auth-provider: {name: gcp}": "auth-provider", "tokenFile: /etc/passwd": "tokenFile",
		"client-certificate: /a, client-key: /b": "client-certificate-data", "client-key-data: QQ==": "belong together",
		"client-certificate-data: QQ==, client-key-data: QQ==": "no certificate", "client-certificate-data: '%', client-key-data: QQ==": "Base64",
		"token: t, as: root, as-uid: 7": "as-uid", `token: "a\nb"`: "control characters",
	} {
		_, err := kube.New(config("https://h", "", entry))
		require.ErrorIs(t, err, kube.ErrConfig, entry)
		require.ErrorContains(t, err, word, entry)
	}
	for entry, word := range map[string]string{
		", certificate-authority: /etc/x": "certificate-authority-data", ", proxy-url: http://x": "proxy-url", ", certificate-authority-data: QQ==": "no certificate",
		", certificate-authority-data: '%'": "Base64", ", insecure-skip-tls-verify: true, certificate-authority-data: QQ==": "exclude",
	} {
		_, err := kube.New(config("https://h", entry, "token: t"))
		require.ErrorIs(t, err, kube.ErrConfig, entry)
		require.ErrorContains(t, err, word, entry)
	}
}

func TestATextThatIsNoKubeconfigIsRefusedWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	good := config("https://h", "", "token: hunter2")
	for _, text := range []string{
		"", "hunter2", "{", "- a", "\x00", "clusters: hunter2", "current-context: x", strings.Repeat(" ", 1<<20) + "a: b",
		strings.Replace(good, "cluster: c,", "cluster: d,", 1), strings.Replace(good, "user: u,", "user: v,", 1), strings.Replace(good, "t: here", "t: there", 1),
		config("file:///etc/passwd", "", "token: hunter2"), config("https://u:hunter2@h", "", ""), config("h:6443", "", ""), config("", "", ""),
		"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ncontexts: [*d,*d,*d,*d,*d,*d,*d,*d]",
	} {
		_, err := kube.New(text)
		require.ErrorIs(t, err, kube.ErrConfig, "%.40q", text)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := kube.New(strings.Replace(good, "current-context: here\n", "", 1))
	require.NoError(t, err, "the only context is meant")
}

func TestWhatIsNoClusterIsTold(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "<html>", "[]", "{}", "null", `{"gitVersion":7}`} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		_, err := open(t, config(s.URL, "", "token: t")).Version(t.Context())
		require.Error(t, err, body)
		s.Close()
	}
}
