package kube

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ErrConfig says that a kubeconfig cannot be used.
var ErrConfig = errors.New("the kubeconfig cannot be used")

// maxConfig bounds what is parsed, in bytes.
const maxConfig = 1 << 20

func refused(why string) error { return fmt.Errorf("%w: %s", ErrConfig, why) }

// file is the part of a kubeconfig that is known here.
type file struct {
	Current  string `yaml:"current-context"`
	Contexts []struct {
		Name    string    `yaml:"name"`
		Context selection `yaml:"context"`
	} `yaml:"contexts"`
	Clusters []struct {
		Name    string  `yaml:"name"`
		Cluster cluster `yaml:"cluster"`
	} `yaml:"clusters"`
	Users []struct {
		Name string `yaml:"name"`
		User user   `yaml:"user"`
	} `yaml:"users"`
}

type selection struct {
	Cluster   string `yaml:"cluster"`
	User      string `yaml:"user"`
	Namespace string `yaml:"namespace"`
}

type cluster struct {
	Server     string `yaml:"server"`
	CAFile     string `yaml:"certificate-authority"`
	CA         string `yaml:"certificate-authority-data"`
	Insecure   bool   `yaml:"insecure-skip-tls-verify"`
	ServerName string `yaml:"tls-server-name"`
	Proxy      string `yaml:"proxy-url"`
}

type user struct {
	Token     string   `yaml:"token"`
	TokenFile string   `yaml:"tokenFile"`
	Name      string   `yaml:"username"`
	Password  string   `yaml:"password"`
	CertFile  string   `yaml:"client-certificate"`
	Cert      string   `yaml:"client-certificate-data"`
	KeyFile   string   `yaml:"client-key"`
	Key       string   `yaml:"client-key-data"`
	Exec      any      `yaml:"exec"`
	Provider  any      `yaml:"auth-provider"`
	As        string   `yaml:"as"`
	AsGroups  []string `yaml:"as-groups"`
	AsUID     string   `yaml:"as-uid"`
	AsExtra   any      `yaml:"as-user-extra"`
}

// Access is what a kubeconfig says of one cluster and one user.
type Access struct {
	Base      *url.URL    // of the API
	TLS       *tls.Config // certificates of both sides
	Header    http.Header // of every request: who asks
	Namespace string      // of the context; often empty
}

// Read returns what the current context of a kubeconfig says, or its only one. What would read files of this machine or start
// programs on it is refused by name: a kubeconfig is written by whoever may edit a data source, and that is not who owns the
// machine. It returns ErrConfig, and no error quotes a secret.
func Read(kubeconfig string) (Access, error) {
	of, c, u, err := parse(kubeconfig)
	if err != nil {
		return Access{}, err
	}
	if err := c.check(); err != nil {
		return Access{}, err
	}
	if err := u.check(); err != nil {
		return Access{}, err
	}
	base, err := c.address()
	if err != nil {
		return Access{}, err
	}
	t, err := encryption(c, u)
	if err != nil {
		return Access{}, err
	}
	return Access{Base: base, TLS: t, Header: u.header(), Namespace: of.Namespace}, nil
}

func (u user) header() http.Header {
	h := http.Header{"User-Agent": {"dorado"}, "Accept": {"application/json"}}
	switch {
	case u.Token != "":
		h.Set("Authorization", "Bearer "+strings.TrimSpace(u.Token))
	case u.Name != "":
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Name+":"+u.Password)))
	}
	if u.As != "" {
		h.Set("Impersonate-User", u.As)
		for _, g := range u.AsGroups {
			h.Add("Impersonate-Group", g)
		}
	}
	return h
}

// parse returns the entries that the current context names. No error quotes the text: it holds secrets.
func parse(kubeconfig string) (selection, cluster, user, error) {
	var f file
	if len(kubeconfig) > maxConfig {
		return selection{}, cluster{}, user{}, refused("it is longer than 1 MiB")
	}
	if err := yaml.Unmarshal([]byte(kubeconfig), &f); err != nil {
		return selection{}, cluster{}, user{}, refused("it is no YAML of a kubeconfig")
	}
	if f.Current == "" && len(f.Contexts) == 1 {
		f.Current = f.Contexts[0].Name
	}
	var of selection
	found := false
	for _, c := range f.Contexts {
		if c.Name == f.Current {
			of, found = c.Context, true
			break
		}
	}
	if !found {
		return of, cluster{}, user{}, refused("there is no context named by current-context")
	}
	for _, c := range f.Clusters {
		if c.Name != of.Cluster {
			continue
		}
		for _, u := range f.Users {
			if u.Name == of.User {
				return of, c.Cluster, u.User, nil
			}
		}
		if of.User == "" {
			return of, c.Cluster, user{}, nil
		}
		return of, c.Cluster, user{}, refused("there is no user named by the context")
	}
	return of, cluster{}, user{}, refused("there is no cluster named by the context")
}

// check names the first entry that is not allowed or not known how to do.
func (c cluster) check() error {
	switch {
	case c.CAFile != "":
		return refused("certificate-authority names a file of another machine; use certificate-authority-data")
	case c.Proxy != "":
		return refused("proxy-url is not supported")
	case c.Insecure && c.CA != "":
		return refused("insecure-skip-tls-verify and certificate-authority-data exclude each other")
	}
	return nil
}

func (u user) check() error {
	switch {
	case u.Exec != nil:
		return refused("a user with exec would run a program on the server; use a token or a certificate, such as that of a service account")
	case u.Provider != nil:
		return refused("a user with auth-provider is not supported; use a token or a certificate, such as that of a service account")
	case u.TokenFile != "":
		return refused("tokenFile names a file of another machine; use token")
	case u.CertFile != "" || u.KeyFile != "":
		return refused("client-certificate and client-key name files of another machine; use client-certificate-data and client-key-data")
	case (u.Cert == "") != (u.Key == ""):
		return refused("client-certificate-data and client-key-data belong together")
	case u.AsUID != "" || u.AsExtra != nil:
		return refused("as-uid and as-user-extra are not supported; as and as-groups are")
	case strings.ContainsFunc(strings.TrimSpace(u.Token)+u.Name+u.Password+u.As+strings.Join(u.AsGroups, ""), func(r rune) bool { return r < ' ' }):
		return refused("a token, user name or password holds control characters")
	}
	return nil
}

func (c cluster) address() (*url.URL, error) {
	u, err := url.Parse(c.Server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, refused("the server of the cluster is no address like https://host:port")
	}
	return u, nil
}

func encryption(c cluster, u user) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName, InsecureSkipVerify: c.Insecure} //nolint:gosec // what the entry asks for
	if c.CA != "" {
		pem, err := decode(c.CA)
		if err != nil {
			return nil, refused("certificate-authority-data is not Base64")
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, refused("certificate-authority-data holds no certificate")
		}
	}
	if u.Cert != "" {
		cert, err1 := decode(u.Cert)
		key, err2 := decode(u.Key)
		if err1 != nil || err2 != nil {
			return nil, refused("client-certificate-data or client-key-data is not Base64")
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, refused("client-certificate-data and client-key-data are no certificate with its key")
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// decode reads Base64 that may be folded into lines.
func decode(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
}
