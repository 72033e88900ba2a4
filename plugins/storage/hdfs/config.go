package hdfs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"strings"
	"time"

	"github.com/colinmarc/hdfs/v2"
	"github.com/colinmarc/hdfs/v2/hadoopconf"
	krb "github.com/jcmturner/gokrb5/v8/client"
	krbconf "github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

// Config says where the file system is and who asks.
type Config struct {
	DefaultFS        string   `koanf:"default-fs"` // hdfs://host:port or hdfs://name-of-the-cluster; file names begin with it
	Namenodes        []string `koanf:"namenodes"`  // host:port; none: those of conf-dir, or the one of default-fs
	ConfDir          string   `koanf:"conf-dir"`   // core-site.xml and hdfs-site.xml
	User             string   `koanf:"user"`
	Base             string   `koanf:"base"` // folder for everything
	DatanodeHostname bool     `koanf:"datanode-hostname"`

	Principal        string `koanf:"principal"` // Kerberos: name@REALM; empty: no Kerberos
	Keytab           string `koanf:"keytab"`
	Krb5Conf         string `koanf:"krb5-conf"`
	ServicePrincipal string `koanf:"service-principal"` // of the name nodes: nn/_HOST
	Protection       string `koanf:"protection"`        // of data: empty, authentication, integrity or privacy
}

// DefaultConfig returns the defaults; where the name node is has none.
func DefaultConfig() Config {
	return Config{User: "hdfs", Base: "/dorado", Krb5Conf: "/etc/krb5.conf", ServicePrincipal: "nn/_HOST", Namenodes: []string{}}
}

// Validate returns everything that is wrong, joined.
func (c Config) Validate() error {
	var problems []error
	bad := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("storage.hdfs.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if len(c.Namenodes) == 0 && c.ConfDir == "" && c.named() == "" {
		bad("namenodes, storage.hdfs.default-fs, storage.hdfs.conf-dir", "set at least one")
	}
	for _, n := range c.Namenodes {
		if _, _, err := net.SplitHostPort(n); err != nil {
			bad("namenodes", "%q is not host:port", n)
		}
	}
	if c.DefaultFS != "" && !strings.HasPrefix(c.DefaultFS, "hdfs://") {
		bad("default-fs", "%q does not begin with hdfs://", c.DefaultFS)
	}
	if !path.IsAbs(c.Base) || path.Clean(c.Base) != c.Base {
		bad("base", "%q is not the absolute name of a folder", c.Base)
	}
	switch c.Protection {
	case "", hdfs.DataTransferProtectionAuthentication, hdfs.DataTransferProtectionIntegrity, hdfs.DataTransferProtectionPrivacy:
	default:
		bad("protection", "%q is none of authentication, integrity, privacy", c.Protection)
	}
	if c.Principal == "" {
		if c.User == "" {
			bad("user", "must not be empty without Kerberos")
		}
		return errors.Join(problems...)
	}
	if name, realm, ok := strings.Cut(c.Principal, "@"); !ok || name == "" || realm == "" {
		bad("principal", "%q is not like name@REALM", c.Principal)
	}
	if c.Keytab == "" || c.Krb5Conf == "" || c.ServicePrincipal == "" {
		bad("keytab, storage.hdfs.krb5-conf, storage.hdfs.service-principal", "must not be empty with Kerberos")
	}
	return errors.Join(problems...)
}

// named is the name node that default-fs names by host and port.
func (c Config) named() string {
	host := strings.TrimSuffix(strings.TrimPrefix(c.DefaultFS, "hdfs://"), "/")
	if _, _, err := net.SplitHostPort(host); err != nil {
		return ""
	}
	return host
}

// Prefix is what full names of files begin with, as DolphinScheduler writes them: hdfs://host:port.
func (c Config) Prefix() string {
	switch {
	case c.DefaultFS != "":
		return strings.TrimSuffix(c.DefaultFS, "/")
	case len(c.Namenodes) > 0:
		return "hdfs://" + c.Namenodes[0]
	}
	return "hdfs://"
}

const (
	dialTimeout = 10 * time.Second
	idleTimeout = time.Minute
)

// client connects to the first name node that answers.
func (c Config) client() (*hdfs.Client, func(), error) {
	done := func() {}
	o := hdfs.ClientOptions{}
	if c.ConfDir != "" {
		conf, err := hadoopconf.Load(c.ConfDir)
		if err != nil {
			return nil, done, fmt.Errorf("storage.hdfs.conf-dir: %w", err)
		}
		o = hdfs.ClientOptionsFromConf(conf)
	}
	switch {
	case len(c.Namenodes) > 0:
		o.Addresses = c.Namenodes
	case len(o.Addresses) == 0 && c.named() != "":
		o.Addresses = []string{c.named()}
	}
	if len(o.Addresses) == 0 {
		return nil, done, errors.New("storage.hdfs.conf-dir: the files there name no name node")
	}
	o.User = c.User
	o.UseDatanodeHostname = o.UseDatanodeHostname || c.DatanodeHostname
	o.NamenodeDialFunc, o.DatanodeDialFunc = connect, connect
	if c.Protection != "" {
		o.DataTransferProtection = c.Protection
	}
	if c.Principal != "" {
		k, err := c.signIn()
		if err != nil {
			return nil, done, err
		}
		o.KerberosClient, done = k, k.Destroy
		if o.KerberosServicePrincipleName == "" {
			o.KerberosServicePrincipleName = c.ServicePrincipal
		}
	} else if o.KerberosClient != nil {
		return nil, done, errors.New("storage.hdfs.principal: the files of conf-dir ask for Kerberos")
	}
	client, err := hdfs.NewClient(o)
	if err != nil {
		done()
	}
	return client, done, err
}

// signIn gets a ticket, which is renewed from the keytab as long as the client lives.
func (c Config) signIn() (*krb.Client, error) {
	conf, err := krbconf.Load(c.Krb5Conf)
	if err != nil {
		return nil, fmt.Errorf("storage.hdfs.krb5-conf: %w", err)
	}
	keys, err := keytab.Load(c.Keytab)
	if err != nil {
		return nil, fmt.Errorf("storage.hdfs.keytab: %w", err)
	}
	name, realm, _ := strings.Cut(c.Principal, "@")
	k := krb.NewWithKeytab(name, realm, keys, conf, krb.DisablePAFXFAST(true))
	if err := k.Login(); err != nil {
		return nil, fmt.Errorf("storage.hdfs.principal: %w", err)
	}
	return k, nil
}

// connect dials for the library, which knows no deadlines.
func connect(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &impatient{conn}, nil
}

// impatient is a connection on which no byte is waited for longer than idleTimeout. After a failure it is closed, because
// the library would otherwise take the late answer for that of its next request.
type impatient struct{ net.Conn }

// Read reads.
func (i *impatient) Read(p []byte) (int, error) {
	_ = i.SetReadDeadline(time.Now().Add(idleTimeout))
	n, err := i.Conn.Read(p)
	if err != nil {
		i.Close()
	}
	return n, err
}

// Write writes.
func (i *impatient) Write(p []byte) (int, error) {
	_ = i.SetWriteDeadline(time.Now().Add(idleTimeout))
	n, err := i.Conn.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		i.Close()
	}
	return n, err
}
