package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"time"

	"dorado/app/kit/secret"
)

// The registries that masters and workers can find each other by.
const (
	RegistryAuto      = "auto"      // zookeeper when its servers are named, none otherwise
	RegistryNone      = "none"      // exactly one master; workers find it by cluster.masters
	RegistryPostgres  = "postgres"  // many masters over one PostgreSQL database; workers find them by cluster.masters
	RegistryZookeeper = "zookeeper" // many masters, found in the tree
)

// Cluster is how masters and workers find and trust each other.
type Cluster struct {
	Secret  secret.String `koanf:"secret"`  // the same text on every master and worker
	Listen  string        `koanf:"listen"`  // host:port where a master expects workers
	Masters []string      `koanf:"masters"` // host:port of each master, for workers that have no registry to ask

	Registry       string        `koanf:"registry"`
	Namespace      string        `koanf:"namespace"`       // root of the tree
	SessionTimeout time.Duration `koanf:"session-timeout"` // how long a process that died counts as alive
	// Advertise is the host:port under which others reach this process, and its name in the tree. "" = Listen, with the
	// machine's address where Listen names none.
	Advertise string    `koanf:"advertise"`
	Zookeeper Zookeeper `koanf:"zookeeper"`
	TLS       MutualTLS `koanf:"tls"`
}

// Zookeeper is where the tree is.
type Zookeeper struct {
	Servers  []string      `koanf:"servers"` // host:port
	User     string        `koanf:"user"`    // digest; "" = nodes that everybody may change
	Password secret.String `koanf:"password"`
	SASL     string        `koanf:"sasl"`     // "" = none; anything else is refused, with the reason
	TLSCA    string        `koanf:"tls-ca"`   // PEM file; "" = plain TCP
	TLSCert  string        `koanf:"tls-cert"` // PEM file of this client; "" = none
	TLSKey   string        `koanf:"tls-key"`
}

// MutualTLS protects the streams between masters and workers, each of whom shows a certificate of one authority.
type MutualTLS struct {
	CA   string `koanf:"ca"`   // PEM file
	Cert string `koanf:"cert"` // PEM file
	Key  string `koanf:"key"`  // PEM file
}

func defaultCluster() Cluster {
	return Cluster{
		Listen: "127.0.0.1:5678", Masters: []string{"127.0.0.1:5678"}, Registry: RegistryAuto, Namespace: "dolphinscheduler",
		SessionTimeout: 4 * time.Second,
	}
}

// Kind is the registry that is meant: one of RegistryNone, RegistryPostgres, RegistryZookeeper.
func (c Cluster) Kind() string {
	switch {
	case c.Registry != RegistryAuto:
		return c.Registry
	case len(c.Zookeeper.Servers) > 0:
		return RegistryZookeeper
	default:
		return RegistryNone
	}
}

// sasl is why none of its mechanisms can be had.
const sasl = "the ZooKeeper client of Dorado speaks digest and TLS, not SASL (Kerberos, DIGEST-MD5); use cluster.zookeeper.user with cluster.zookeeper.password, or TLS with a client certificate"

// Validate returns everything that is wrong, joined; each message begins with its key.
func (c Cluster) Validate() error {
	var problems []error
	bad := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("cluster.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	addresses := func(key string, list ...string) {
		for _, a := range list {
			if _, _, err := net.SplitHostPort(a); err != nil {
				bad(key, "%q is not host:port", a)
			}
		}
	}
	addresses("listen", c.Listen)
	addresses("masters", c.Masters...)
	addresses("zookeeper.servers", c.Zookeeper.Servers...)
	if c.Advertise != "" {
		addresses("advertise", c.Advertise)
	}
	if known := []string{RegistryAuto, RegistryNone, RegistryPostgres, RegistryZookeeper}; !slices.Contains(known, c.Registry) {
		bad("registry", "%q is none of auto, none, postgres, zookeeper", c.Registry)
	}
	if c.Registry == RegistryZookeeper && len(c.Zookeeper.Servers) == 0 {
		bad("zookeeper.servers", "registry zookeeper needs at least one host:port; set it or --zookeeper")
	}
	if !regexp.MustCompile(`^[0-9A-Za-z._-]+(/[0-9A-Za-z._-]+)*$`).MatchString(c.Namespace) {
		bad("namespace", "%q is not a path of letters, digits, dot, dash and underscore, without a leading slash", c.Namespace)
	}
	if c.SessionTimeout < time.Second || c.SessionTimeout > 5*time.Minute {
		bad("session-timeout", "%s is not between 1s and 5m", c.SessionTimeout)
	}
	if (c.Zookeeper.User == "") != (c.Zookeeper.Password == "") {
		bad("zookeeper.user, cluster.zookeeper.password", "set both or none")
	}
	if c.Zookeeper.SASL != "" {
		bad("zookeeper.sasl", "%s", sasl)
	}
	if (c.Zookeeper.TLSCert == "") != (c.Zookeeper.TLSKey == "") {
		bad("zookeeper.tls-cert, cluster.zookeeper.tls-key", "set both or none")
	}
	if c.Zookeeper.TLSCA == "" && c.Zookeeper.TLSCert != "" {
		bad("zookeeper.tls-ca", "a certificate is named, but not the authority of the servers")
	}
	if set := []bool{c.TLS.CA != "", c.TLS.Cert != "", c.TLS.Key != ""}; slices.Contains(set, true) && slices.Contains(set, false) {
		bad("tls.ca, cluster.tls.cert, cluster.tls.key", "set all three or none")
	}
	return errors.Join(problems...)
}

// Load reads the files and returns what both ends of a stream use, nil when there is to be no TLS. Each end must show a
// certificate that the authority signed; names in it do not matter, because workers dial the addresses that masters
// publish, and those change.
func (m MutualTLS) Load() (*tls.Config, error) {
	if m.CA == "" {
		return nil, nil //nolint:nilnil // no TLS is not an error
	}
	pool, err := authority("cluster.tls.ca", m.CA)
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(m.Cert, m.Key)
	if err != nil {
		return nil, fmt.Errorf("cluster.tls.cert, cluster.tls.key: %w", err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, ClientCAs: pool, RootCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert,
		// The name is not compared, so Go's own check is off; this is the rest of it.
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection checks the chain
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return errors.New("the other side shows no certificate")
			}
			chain := x509.NewCertPool()
			for _, c := range s.PeerCertificates[1:] {
				chain.AddCert(c)
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
				Roots: pool, Intermediates: chain, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
			})
			return err
		},
	}, nil
}

func authority(key, file string) (*x509.CertPool, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s: %s holds no certificate in PEM form", key, file)
	}
	return pool, nil
}

// Address is the host:port under which others reach what listens on listen: the configured one, or listen with the
// machine's address in place of "all addresses".
func (c Cluster) Address(listen string) string {
	if c.Advertise != "" {
		return c.Advertise
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = machine()
	}
	return net.JoinHostPort(host, port)
}

// machine is an address of this machine that others can reach, its name when it has none.
func machine() string {
	addresses, err := net.InterfaceAddrs()
	if err == nil {
		for _, a := range addresses {
			if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
				return ip.IP.String()
			}
		}
	}
	if name, err := os.Hostname(); err == nil {
		return name
	}
	return "127.0.0.1"
}
