package zk

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// Config says which ZooKeeper, and how to get in.
type Config struct {
	Servers        []string      // host or host:port, 2181 when none
	Namespace      string        // without slashes at its ends; "" = cluster.Namespace
	SessionTimeout time.Duration // asked for; the servers bound it to 2 to 20 of their ticks. 0 = 4 s
	// ClusterID is written into the namespace by whoever comes first, and compared by all others. Empty (a worker does
	// not know it): not compared.
	ClusterID string
	// User and Password are ZooKeeper's digest scheme. With them, all that is created belongs to this user alone.
	User, Password string
	// TLS encrypts when its CA is set.
	TLS TLS
	// SASL asks for a SASL mechanism such as GSSAPI (Kerberos). No mechanism is supported: New refuses.
	SASL string
}

// TLS names files in PEM.
type TLS struct {
	CA        string // of the servers' certificates
	Cert, Key string // of this client, when the servers ask for one
}

// ErrSASL is the refusal of Kerberos and other SASL mechanisms.
var ErrSASL = errors.New("ZooKeeper with SASL (Kerberos) is not supported: the client library cannot authenticate that " +
	"way. Use TLS with client certificates, or a user and a password (digest), and leave sasl empty")

// check completes the configuration.
func (c *Config) check() error {
	if c.SASL != "" && c.SASL != "none" {
		return fmt.Errorf("sasl is %q: %w", c.SASL, ErrSASL)
	}
	if len(c.Servers) == 0 {
		return errors.New("ZooKeeper: no servers are named")
	}
	servers := make([]string, 0, len(c.Servers))
	for _, s := range c.Servers {
		s = strings.TrimSpace(s)
		if strings.ContainsAny(s, "/, \t") || s == "" {
			return fmt.Errorf("ZooKeeper: %q is no host:port", s)
		}
		if _, _, err := net.SplitHostPort(s); err != nil {
			s = net.JoinHostPort(strings.Trim(s, "[]"), "2181")
		}
		servers = append(servers, s)
	}
	c.Servers = servers
	if (c.User == "") != (c.Password == "") {
		return errors.New("ZooKeeper: a user and a password belong together, and one of them is missing")
	}
	if strings.Contains(c.User, ":") {
		return errors.New("ZooKeeper: a user's name has no colon")
	}
	c.Namespace = strings.Trim(c.Namespace, "/")
	if c.Namespace == "" {
		c.Namespace = defaultNamespace
	}
	for part := range strings.SplitSeq(c.Namespace, "/") {
		if part == "" || part == "." || part == ".." || part == "zookeeper" {
			return fmt.Errorf("ZooKeeper: %q is no namespace", c.Namespace)
		}
	}
	if c.SessionTimeout == 0 {
		c.SessionTimeout = 4 * time.Second
	}
	if c.SessionTimeout < time.Second || c.SessionTimeout > 10*time.Minute {
		return fmt.Errorf("ZooKeeper: a session timeout of %s is not between a second and ten minutes", c.SessionTimeout)
	}
	return nil
}

// load reads the files; nil means no encryption.
func (t TLS) load() (*tls.Config, error) {
	if t.CA == "" {
		if t.Cert != "" || t.Key != "" {
			return nil, errors.New("ZooKeeper over TLS: a certificate is named, but not the CA of the servers")
		}
		return nil, nil //nolint:nilnil // no encryption is a valid answer
	}
	raw, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("ZooKeeper over TLS: the CA: %w", err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if !c.RootCAs.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("ZooKeeper over TLS: there is no certificate in %s", t.CA)
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, errors.New("ZooKeeper over TLS: a certificate and its key belong together, and one of them is missing")
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("ZooKeeper over TLS: the client's certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
