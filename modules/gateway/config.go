package gateway

import (
	"errors"
	"fmt"
	"net"

	"dorado/app/kit/secret"
)

// DefaultToken is what an SDK shows that nobody configured. It is no secret: it stands in every copy of the SDK.
const DefaultToken secret.String = "jwUDzpLsNKEFER4*a8gruBH_GsAurNxU7A@Xc"

// Config is the gateway's part of the configuration.
type Config struct {
	Enabled bool          `koanf:"enabled"`
	Listen  string        `koanf:"listen"`  // host:port
	Token   secret.String `koanf:"token"`   // what clients show; "" = nothing, which old SDKs need
	Version string        `koanf:"version"` // of DolphinScheduler that clients are told
}

// DefaultConfig returns the defaults: off.
func DefaultConfig() Config {
	return Config{Listen: "127.0.0.1:25333", Token: DefaultToken, Version: "3.2.2"}
}

// Validate returns everything that is wrong, joined; each message begins with its key.
func (c Config) Validate() error {
	var problems []error
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		problems = append(problems, fmt.Errorf("python-gateway.listen: %q is not host:port", c.Listen))
	}
	if c.Version == "" {
		problems = append(problems, errors.New("python-gateway.version: must not be empty"))
	}
	if c.Enabled && err == nil && !loopback(host) {
		switch c.Token {
		case "":
			problems = append(problems, fmt.Errorf("python-gateway.token: must not be empty when other machines can reach %s", c.Listen))
		case DefaultToken:
			problems = append(problems, fmt.Errorf("python-gateway.token: set one of your own, since other machines can reach %s and know the default", c.Listen))
		}
	}
	return errors.Join(problems...)
}

// loopback reports whether only this machine reaches a host to listen on.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
