package k8scluster

import (
	"errors"
	"io"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"
)

// kubeconfig is as much of the format as must be right for anybody to use it.
type kubeconfig struct {
	Kind           string `yaml:"kind"`
	CurrentContext string `yaml:"current-context"`
	Clusters       []struct {
		Name    string `yaml:"name"`
		Cluster struct {
			Server string `yaml:"server"`
		} `yaml:"cluster"`
	} `yaml:"clusters"`
	Contexts []struct {
		Name    string `yaml:"name"`
		Context struct {
			Cluster string `yaml:"cluster"`
			User    string `yaml:"user"`
		} `yaml:"context"`
	} `yaml:"contexts"`
	Users []struct {
		Name string `yaml:"name"`
	} `yaml:"users"`
}

// checkKubeconfig returns the message key, with its arguments, of what is wrong with a text as a kubeconfig; "" when nothing
// is. It looks at the text alone and asks no server. No message repeats what may be a secret.
func checkKubeconfig(text string) (key string, args []any) {
	var k kubeconfig
	decoder := yaml.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&k); err != nil {
		return "cluster.error.config_yaml", nil
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return "cluster.error.config_yaml", nil // a second document would silently not count
	}
	if k.Kind != "" && k.Kind != "Config" {
		return "cluster.error.config_kind", []any{"kind", k.Kind}
	}
	if len(k.Clusters) == 0 {
		return "cluster.error.config_clusters", nil
	}
	clusters, users, contexts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range k.Clusters {
		server, err := url.Parse(c.Cluster.Server)
		if err != nil || server.Host == "" || server.Scheme != "https" && server.Scheme != "http" || server.User != nil {
			return "cluster.error.config_server", []any{"name", c.Name}
		}
		clusters[c.Name] = true
	}
	for _, u := range k.Users {
		users[u.Name] = true
	}
	for _, c := range k.Contexts {
		contexts[c.Name] = true
		if !clusters[c.Context.Cluster] {
			return "cluster.error.config_context", []any{"name", c.Name, "missing", c.Context.Cluster}
		}
		if c.Context.User != "" && !users[c.Context.User] {
			return "cluster.error.config_context", []any{"name", c.Name, "missing", c.Context.User}
		}
	}
	if k.CurrentContext != "" && !contexts[k.CurrentContext] {
		return "cluster.error.config_current", []any{"name", k.CurrentContext}
	}
	return "", nil
}
