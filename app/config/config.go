package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"dorado/app/kit/secret"
	"dorado/app/kit/trace"
	"dorado/app/kit/vault"
	"dorado/app/kit/web"
	"dorado/modules/engine"
	"dorado/modules/executor"
	"dorado/modules/gateway"
	"dorado/modules/identity"
	"dorado/modules/keep"
	"dorado/modules/resource"
	"dorado/modules/schedule"
	"dorado/plugins/catalog"
)

// The parts that `dorado master` can be narrowed to with roles.
const (
	RoleWeb       = "web"       // pages and REST
	RoleScheduler = "scheduler" // runs workflows and talks to workers
	RoleAlert     = "alert"     // sends alerts, one process at a time
)

// Config is everything that can be set.
type Config struct {
	Listen    string                `koanf:"listen"`     // host:port of pages and REST
	Data      string                `koanf:"data"`       // folder for everything Dorado writes
	Database  string                `koanf:"database"`   // SQLite file or postgres:// URL; "" = dorado.db in the data folder
	PublicURL string                `koanf:"public-url"` // how browsers reach the pages, for links that are printed or mailed
	Roles     []string              `koanf:"roles"`
	Log       Log                   `koanf:"log"`
	Web       web.Config            `koanf:"web"`
	TLS       TLS                   `koanf:"tls"`
	Identity  identity.Config       `koanf:"identity"`
	Secret    Secret                `koanf:"secret"`
	Vault     vault.Config          `koanf:"vault"`
	Cluster   Cluster               `koanf:"cluster"`
	Master    engine.Config         `koanf:"master"`
	Worker    executor.Config       `koanf:"worker"`
	Schedule  schedule.Config       `koanf:"schedule"`
	Retention keep.Config           `koanf:"retention"`
	Resource  resource.Config       `koanf:"resource"`
	Storage   catalog.StorageConfig `koanf:"storage"`
	Trace     trace.Config          `koanf:"trace"`
	Gateway   gateway.Config        `koanf:"python-gateway"`

	DataSource catalog.DataSourceConfig `koanf:"datasource"`
}

// Log says how the service log is written.
type Log struct {
	Level  string `koanf:"level"`  // debug, info, warn, error
	Format string `koanf:"format"` // text, json
}

// TLS makes the listener of pages and REST an HTTPS one.
type TLS struct {
	Cert string `koanf:"cert"` // PEM file
	Key  string `koanf:"key"`  // PEM file
}

// Secret says with which keys secrets of the database are sealed. Masters of one database need the same ones.
type Secret struct {
	KeyFile string        `koanf:"key-file"` // one key a line, the newest last; it is made when there is none
	Key     secret.String `koanf:"key"`      // the keys themselves, base64, separated by commas, the newest last; "" = in the file
}

func roles() []string { return []string{RoleWeb, RoleScheduler, RoleAlert} }

// Default returns the defaults for a data folder.
func Default(data string) Config {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "dorado"
	}
	name := regexp.MustCompile(`[^0-9A-Za-z._:-]`).ReplaceAllString(host, "-")
	c := Config{
		Listen: "127.0.0.1:12345", Data: data, Roles: roles(),
		Log:      Log{Level: "info", Format: "text"},
		Web:      web.Config{Limit: web.DefaultLimits()},
		Secret:   Secret{KeyFile: filepath.Join(data, "keys", "seal.key")},
		Identity: identity.DefaultConfig(),
		Vault:    vault.DefaultConfig(),
		Cluster:  defaultCluster(),
		Master:   engine.DefaultConfig(name, runtime.NumCPU()),
		Worker:   executor.DefaultConfig(data),
		Schedule: schedule.DefaultConfig(), Retention: keep.DefaultConfig(), Resource: resource.DefaultConfig(),
		Storage: catalog.DefaultStorageConfig(filepath.Join(data, "storage")),
		Gateway: gateway.DefaultConfig(), DataSource: catalog.DefaultDataSourceConfig(),
	}
	c.Worker.Name = name
	c.Web.Clients = "3.3"
	return c
}

// DatabaseURL is where the database is, with the default filled in.
func (c Config) DatabaseURL() string {
	if c.Database == "" {
		return filepath.Join(c.Data, "dorado.db")
	}
	return c.Database
}

// Own are the files and folders that hold what belongs to Dorado itself.
func (c Config) Own() []string {
	own := []string{c.Data, c.Secret.KeyFile, c.TLS.Key, c.Worker.ExecDir, c.Storage.Local.Dir}
	if at := c.DatabaseURL(); !strings.Contains(at, "://") {
		own = append(own, strings.TrimPrefix(at, "file:"))
	}
	return slices.DeleteFunc(own, func(path string) bool { return path == "" })
}

// URL is how a browser on this machine, or the public, reaches the pages.
func (c Config) URL() string {
	if c.PublicURL != "" {
		return strings.TrimRight(c.PublicURL, "/")
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "http://" + c.Listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if c.TLS.Cert != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Validate returns everything that is wrong, joined; each message begins with its key.
func (c Config) Validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		bad("listen: %q is not host:port", c.Listen)
	}
	if c.Data == "" {
		bad("data: must not be empty")
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			bad("public-url: %q is not an http or https address", c.PublicURL)
		}
	}
	for _, role := range c.Roles {
		if !slices.Contains(roles(), role) {
			bad("roles: %q is none of %s", role, strings.Join(roles(), ", "))
		}
	}
	if len(c.Roles) == 0 {
		bad("roles: a master needs at least one of %s", strings.Join(roles(), ", "))
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		bad("log.level: %q is none of debug, info, warn, error", c.Log.Level)
	}
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		bad("log.format: %q is none of text, json", c.Log.Format)
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		bad("tls.cert, tls.key: set both or none")
	}
	if c.Secret.Key == "" && c.Secret.KeyFile == "" {
		bad("secret.key-file: set it, or secret.key")
	} else if c.Secret.Key != "" {
		if _, err := secret.NewSealer(c.Secret.Key); err != nil {
			bad("secret.key: %w", err)
		}
	}
	return errors.Join(append(problems, c.Web.Validate(), c.Vault.Validate(), c.Identity.Validate(), c.Cluster.Validate(), c.Master.Validate(), c.Worker.Validate(), c.Schedule.Validate(), c.Retention.Validate(), c.Resource.Validate(), c.Storage.Validate(), c.Trace.Validate(), c.Gateway.Validate(), c.DataSource.Validate())...)
}
