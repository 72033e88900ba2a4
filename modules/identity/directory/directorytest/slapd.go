package directorytest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed" // the people
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
	"dorado/modules/identity/directory"
)

// Password is that of everybody in the directory.
const Password = "horse-battery-7"

// The groups and the account that searches.
const (
	Base     = "dc=example,dc=org"
	Admins   = "cn=admins,ou=groups," + Base
	Searcher = "cn=searcher," + Base
)

//go:embed people.ldif
var people string

// Server is a running directory.
type Server struct {
	Plain  string // ldap://…
	Secure string // ldaps://…
	CAFile string // who signed its certificate, for 127.0.0.1

	dir string
}

// Config asks the server over TLS, as the account that searches.
func (s Server) Config() directory.Config {
	c := directory.DefaultConfig()
	c.URLs, c.CAFile, c.BaseDN, c.BindDN, c.BindPassword = []string{s.Secure}, s.CAFile, "ou=people,"+Base, Searcher, Password
	return c
}

// Start runs slapd until the test ends. Without slapd the test is skipped, but not in CI.
func Start(t testing.TB) Server {
	t.Helper()
	slapd, err := program("slapd")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("CI must have slapd: .ci/run installs it")
		}
		t.Skip("slapd is not here; on Debian: apt-get install --no-install-recommends slapd")
	}
	s := Server{dir: t.TempDir()}
	s.CAFile = filepath.Join(s.dir, "ca.pem")
	certificates(t, s.dir)
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "data"), 0o700))
	s.write(t, "slapd.conf", s.settings())
	s.write(t, "people.ldif", people)
	slapd = s.unconfined(t, slapd)
	out, err := exec.CommandContext(t.Context(), slapd, "-T", "add", "-f", filepath.Join(s.dir, "slapd.conf"), "-l", filepath.Join(s.dir, "people.ldif")).CombinedOutput()
	require.NoError(t, err, string(out))

	var ports [2]int
	for i := range ports {
		ports[i], err = testkit.FreePort(t.Context())
		require.NoError(t, err)
	}
	s.Plain, s.Secure = "ldap://127.0.0.1:"+strconv.Itoa(ports[0]), "ldaps://127.0.0.1:"+strconv.Itoa(ports[1])
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), slapd, "-d", "0", "-h", s.Plain+" "+s.Secure, "-f", filepath.Join(s.dir, "slapd.conf"))
	process := testkit.Start(t, cmd)
	testkit.Eventually(t, func() error {
		for _, port := range ports {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(port))
			if err != nil {
				return errors.Join(err, errors.New(process.Output()))
			}
			conn.Close()
		}
		return nil
	})
	return s
}

// unconfined copies slapd, because AppArmor on Debian lets the one in its place read no other folders than its own. Another
// program does it: a file that this one had open for writing may not be executed while a child still has it open, too.
func (s Server) unconfined(t testing.TB, slapd string) string {
	t.Helper()
	path := filepath.Join(s.dir, "slapd")
	out, err := exec.CommandContext(t.Context(), "cp", slapd, path).CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// program finds what Debian keeps out of the PATH of ordinary users.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

func (s Server) settings() string {
	return fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/slapd.pid
argsfile %[1]s/slapd.args
TLSCACertificateFile %[1]s/ca.pem
TLSCertificateFile %[1]s/server.pem
TLSCertificateKeyFile %[1]s/server.key
TLSVerifyClient never
database mdb
suffix "%[2]s"
directory %[1]s/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="%[3]s" read by users none by * none
`, s.dir, Base, Searcher)
}

func (s Server) write(t testing.TB, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
}

// certificates writes an authority and what it signed for 127.0.0.1.
func certificates(t testing.TB, dir string) {
	t.Helper()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	signed, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	require.NoError(t, err)
	save(t, dir, "ca.pem", "CERTIFICATE", signed)

	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	signed, err = x509.CreateCertificate(rand.Reader, server, authority, &key.PublicKey, authorityKey)
	require.NoError(t, err)
	save(t, dir, "server.pem", "CERTIFICATE", signed)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	save(t, dir, "server.key", "PRIVATE KEY", raw)
}

func save(t testing.TB, dir, name, kind string, raw []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600))
}
