package builtin

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"dorado/app/kit/dial"
	"dorado/plugins/datasource"
	"dorado/plugins/datasource/hive2"
	"dorado/plugins/form"
)

// hive is what speaks HiveServer2's protocol.
func hive(name string, code int, label string, port float64) datasource.Plugin {
	p := plain(name, code, label, port, "jdbc:hive2://", ";", ";", "org.apache.hive.jdbc.HiveDriver", "select 1", "")
	p.Open, p.Step = openHive, hiveStep
	p.Lists = datasource.Lists{Databases: hive2.ListDatabases, Tables: hive2.ListTables, Columns: hive2.ListColumns}
	if name == "KYUUBI" {
		p.Class, p.Address, p.URL = "org.apache.kyuubi.jdbc.KyuubiHiveDriver", address("jdbc:kyuubi://"), slashed("jdbc:kyuubi://", "?", ";")
		return p
	}
	p.Schema = jdbc(port,
		form.Field{Name: "principal", Type: form.Text, Label: "datasource.principal", Advanced: true},
		form.Field{Name: "javaSecurityKrb5Conf", Type: form.Text, Label: "datasource.krb5", Advanced: true},
		form.Field{Name: "loginUserKeytabUsername", Type: form.Text, Label: "datasource.keytab_user", Advanced: true},
		form.Field{Name: "loginUserKeytabPath", Type: form.Text, Label: "datasource.keytab", Advanced: true},
	)
	return p
}

// openHive understands what matters here of the parameters of Hive's JDBC driver: auth, ssl, transportMode, httpPath,
// serviceDiscoveryMode and zooKeeperNamespace. Nothing else is sent to the server.
func openHive(s datasource.Settings) (*sql.DB, error) {
	auth := strings.ToLower(s.Get("auth"))
	switch {
	case s.All["principal"] != "" || s.Get("principal") != "" || auth == "kerberos" || auth == "delegationtoken":
		return nil, errors.New("sign-in by Kerberos is not supported in this version")
	case auth != "" && auth != "nosasl" && auth != "none" && auth != "plain" && auth != "ldap" && auth != "custom":
		return nil, errors.New("this way to sign in is not supported: auth must be noSasl, or be left out for none, LDAP and custom")
	case len(s.Hosts) == 0:
		return nil, errors.New("there is no host")
	}
	c := hive2.Config{
		Dial: s.Dial, Host: hostPort(s), Database: s.Database, User: s.User, Password: s.Password, Plain: auth == "nosasl",
	}
	if s.Get("ssl") == "true" {
		host, _, _ := net.SplitHostPort(c.Host)
		c.TLS = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	switch strings.ToLower(s.Get("transportMode")) {
	case "", "binary":
	case "http":
		c.HTTPPath = strings.Trim(s.Get("httpPath"), "/")
		if c.HTTPPath == "" {
			c.HTTPPath = "cliservice"
		}
	default:
		return nil, errors.New("transportMode must be binary or http")
	}
	switch strings.ToLower(s.Get("serviceDiscoveryMode")) {
	case "", "none":
	case "zookeeper":
		if c.TLS != nil || c.HTTPPath != "" {
			return nil, errors.New("servers found by ZooKeeper are reached without TLS and without HTTP in this version")
		}
		c.Dial = func(ctx context.Context) (net.Conn, error) { return dialRegistered(ctx, s) }
	default:
		return nil, errors.New("serviceDiscoveryMode must be zooKeeper")
	}
	return sql.OpenDB(hive2.NewConnector(c)), nil
}

// registered is the name of a node that a server makes in ZooKeeper: serverUri=host:port;version=…
var registered = regexp.MustCompile(`^serverUri=([A-Za-z0-9_.-]{1,253}):([0-9]{1,5})(;|$)`)

// dialRegistered connects to one of the servers that ZooKeeper knows.
func dialRegistered(ctx context.Context, s datasource.Settings) (net.Conn, error) {
	const patience = 4 * time.Second
	conn, _, err := zk.Connect(strings.Split(s.HostList(true), ","), patience, zk.WithLogger(mute{}), zk.WithDialer(func(network, address string, timeout time.Duration) (net.Conn, error) {
		return dial.New(timeout).DialContext(ctx, network, address)
	}))
	if err != nil {
		return nil, fmt.Errorf("ask ZooKeeper: %w", err)
	}
	type answer struct {
		names []string
		err   error
	}
	asked := make(chan answer, 1)
	namespace := s.Get("zooKeeperNamespace")
	if namespace == "" {
		namespace = "hiveserver2"
	}
	go func() {
		names, _, err := conn.Children(path.Join("/", namespace))
		asked <- answer{names, err}
	}()
	var got answer
	select {
	case got = <-asked:
	case <-ctx.Done():
		got.err = ctx.Err()
	case <-time.After(patience):
		got.err = errors.New("it does not answer")
	}
	conn.Close()
	if got.err != nil {
		return nil, fmt.Errorf("ask ZooKeeper: %w", got.err)
	}
	var hosts []string
	for _, name := range got.names {
		if m := registered.FindStringSubmatch(name); m != nil {
			hosts = append(hosts, net.JoinHostPort(m[1], m[2]))
		}
	}
	if len(hosts) == 0 {
		return nil, fmt.Errorf("ZooKeeper knows no server below /%s", namespace)
	}
	rand.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	return dial.Hosts(ctx, hosts, s.Port, patience)
}

// Printf lets mute be the logger of the client of ZooKeeper.
func (mute) Printf(string, ...any) {}

func hiveStep(err error) datasource.Step {
	if _, ok := errors.AsType[*hive2.SignInError](err); ok {
		return datasource.SignIn
	}
	e, ok := errors.AsType[*hive2.Error](err)
	if !ok {
		return ""
	}
	text := strings.ToLower(e.Text)
	switch {
	case strings.Contains(text, "schema_not_found"), strings.Contains(text, "nosuchdatabase"), strings.Contains(text, "no such database"),
		strings.Contains(text, "database") && (strings.Contains(text, "not found") || strings.Contains(text, "does not exist")):
		return datasource.Missing
	case strings.Contains(text, "authenticat"):
		return datasource.SignIn
	}
	return datasource.Ask
}
