package k8s

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"dorado/app/kit/dial"
)

// kubeconfig is what is used of the format, and what is refused by name.
type kubeconfig struct {
	Current  string           `yaml:"current-context"`
	Clusters []named[cluster] `yaml:"clusters"`
	Contexts []named[usage]   `yaml:"contexts"`
	Users    []named[user]    `yaml:"users"`
}

// named is an entry of one of the three lists, whose content is under a key of its own kind.
type named[T any] struct {
	Name    string `yaml:"name"`
	Cluster T      `yaml:"cluster"`
	Context T      `yaml:"context"`
	User    T      `yaml:"user"`
}

type cluster struct {
	Server     string `yaml:"server"`
	CA         string `yaml:"certificate-authority-data"`
	CAFile     string `yaml:"certificate-authority"`
	ServerName string `yaml:"tls-server-name"`
	Insecure   bool   `yaml:"insecure-skip-tls-verify"`
	Proxy      string `yaml:"proxy-url"`
}

type usage struct {
	Cluster string `yaml:"cluster"`
	User    string `yaml:"user"`
}

type user struct {
	Token     string    `yaml:"token"`
	TokenFile string    `yaml:"tokenFile"`
	Name      string    `yaml:"username"`
	Password  string    `yaml:"password"`
	Cert      string    `yaml:"client-certificate-data"`
	Key       string    `yaml:"client-key-data"`
	CertFile  string    `yaml:"client-certificate"`
	KeyFile   string    `yaml:"client-key"`
	As        string    `yaml:"as"`
	Groups    []string  `yaml:"as-groups"`
	Exec      yaml.Node `yaml:"exec"`
	Provider  yaml.Node `yaml:"auth-provider"`
}

// connect makes a client of a kubeconfig. Errors name what is wrong and quote no secret.
func connect(text, namespace string) (*client, error) {
	var k kubeconfig
	if err := yaml.Unmarshal([]byte(text), &k); err != nil {
		return nil, errors.New("the kubeconfig is no YAML that could be understood") // the error may quote secrets
	}
	current, err := k.context()
	if err != nil {
		return nil, err
	}
	var where cluster
	if !find(k.Clusters, current.Cluster, func(n named[cluster]) { where = n.Cluster }) {
		return nil, fmt.Errorf("the kubeconfig has no cluster %q", current.Cluster)
	}
	var who user
	if current.User != "" && !find(k.Users, current.User, func(n named[user]) { who = n.User }) {
		return nil, fmt.Errorf("the kubeconfig has no user %q", current.User)
	}
	if err := refuse(where, who); err != nil {
		return nil, err
	}
	base, err := url.Parse(where.Server)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || base.RawQuery != "" {
		return nil, errors.New("the kubeconfig has no usable server address")
	}
	secure, err := secrets(where, who)
	if err != nil {
		return nil, err
	}
	dialer := dial.New(10 * time.Second)
	dialer.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3}
	c := &client{base: base, namespace: namespace, header: identity(who), http: &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: secure, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
			// A watch may be silent for minutes. Whether the other side is still there, these ask.
			HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
		},
		// Whoever answers with another address would get the credentials.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return c, nil
}

// context is the current one; where none is named, the only one.
func (k kubeconfig) context() (usage, error) {
	name := k.Current
	if name == "" && len(k.Contexts) == 1 {
		name = k.Contexts[0].Name
	}
	var out usage
	if name == "" {
		return out, errors.New("the kubeconfig has no current-context")
	}
	if !find(k.Contexts, name, func(n named[usage]) { out = n.Context }) {
		return out, fmt.Errorf("the kubeconfig has no context %q", name)
	}
	return out, nil
}

func find[T any](list []named[T], name string, found func(named[T])) bool {
	for _, n := range list {
		if n.Name == name {
			found(n)
			return true
		}
	}
	return false
}

// refuse names what would read files of this machine or start programs on it: a kubeconfig is written by whoever may edit a
// data source, and that is not who owns the machine.
func refuse(where cluster, who user) error {
	for _, no := range []struct {
		set        bool
		what, hint string
	}{
		{!who.Exec.IsZero(), "exec", "programs are not started for a sign-in; use the token of a service account"},
		{!who.Provider.IsZero(), "auth-provider", "it is not supported; use the token of a service account"},
		{who.TokenFile != "", "tokenFile", "files of the worker are not read; put the token itself under token"},
		{who.CertFile != "", "client-certificate", "files of the worker are not read; use client-certificate-data (kubectl config view --raw --flatten)"},
		{who.KeyFile != "", "client-key", "files of the worker are not read; use client-key-data (kubectl config view --raw --flatten)"},
		{where.CAFile != "", "certificate-authority", "files of the worker are not read; use certificate-authority-data (kubectl config view --raw --flatten)"},
		{where.Proxy != "", "proxy-url", "proxies are not supported"},
	} {
		if no.set {
			return fmt.Errorf("the kubeconfig has %s: %s", no.what, no.hint)
		}
	}
	return nil
}

// secrets is what both sides show each other to begin with.
func secrets(where cluster, who user) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: where.ServerName, InsecureSkipVerify: where.Insecure} //nolint:gosec // what the kubeconfig asks for
	if where.CA != "" {
		pem, err := decode(where.CA)
		if err != nil {
			return nil, errors.New("certificate-authority-data of the kubeconfig is not base64")
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("certificate-authority-data of the kubeconfig holds no certificate")
		}
	}
	if who.Cert == "" && who.Key == "" {
		return out, nil
	}
	cert, err := decode(who.Cert)
	key, err2 := decode(who.Key)
	if errors.Join(err, err2) != nil {
		return nil, errors.New("client-certificate-data or client-key-data of the kubeconfig is not base64")
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, errors.New("client-certificate-data and client-key-data of the kubeconfig are no certificate with its key")
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}

func decode(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
}

// identity is what each request says about who sends it.
func identity(who user) http.Header {
	h := http.Header{"User-Agent": {"dorado"}, "Accept": {"application/json"}}
	switch {
	case who.Token != "":
		h.Set("Authorization", "Bearer "+strings.TrimSpace(who.Token))
	case who.Name != "":
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(who.Name+":"+who.Password)))
	}
	if who.As != "" {
		h.Set("Impersonate-User", who.As)
		for _, g := range who.Groups {
			h.Add("Impersonate-Group", g)
		}
	}
	return h
}
