package s3

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"dorado/app/kit/secret"
	"dorado/plugins/storage"
)

// Style says where the bucket's name stands in an address.
type Style string

// The styles.
const (
	StyleAuto Style = "auto" // as a path where an endpoint is set, in the host name at Amazon
	StylePath Style = "path" // https://host/bucket/key
	StyleHost Style = "host" // https://bucket.host/key
)

// Config says where the bucket is.
type Config struct {
	Endpoint  string        `koanf:"endpoint"` // URL; "" = Amazon's of the region
	Region    string        `koanf:"region"`
	Bucket    string        `koanf:"bucket"` // must exist
	Prefix    string        `koanf:"prefix"` // folder inside the bucket for everything
	AccessKey string        `koanf:"access-key"`
	SecretKey secret.String `koanf:"secret-key"`
	Style     Style         `koanf:"style"`
	CAFile    string        `koanf:"ca-file"` // PEM of who signed the endpoint's certificate; "" = the system's
}

// DefaultConfig returns the defaults; the bucket has none.
func DefaultConfig() Config { return Config{Region: "us-east-1", Style: StyleAuto, Prefix: "dorado"} }

// Validate returns everything that is wrong, joined.
func (c Config) Validate() error {
	var problems []error
	bad := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("storage.s3.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if c.Bucket == "" {
		bad("bucket", "must not be empty")
	}
	if c.Region == "" {
		bad("region", "must not be empty; servers that have none take us-east-1")
	}
	if _, _, err := c.endpoint(); err != nil {
		bad("endpoint", "%v", err)
	}
	if (c.AccessKey == "") != (c.SecretKey == "") {
		bad("access-key, storage.s3.secret-key", "set both or none")
	}
	if c.Prefix != "" {
		if err := storage.CheckKey(strings.Trim(c.Prefix, "/")); err != nil {
			bad("prefix", "%q is not a folder", c.Prefix)
		}
	}
	switch c.Style {
	case StyleAuto, StylePath, StyleHost:
	default:
		bad("style", "%q is none of auto, path, host", c.Style)
	}
	return errors.Join(problems...)
}

// endpoint returns the host and whether it is reached by TLS.
func (c Config) endpoint() (host string, secure bool, err error) {
	if c.Endpoint == "" {
		return "s3." + c.Region + ".amazonaws.com", true, nil
	}
	text := c.Endpoint
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" {
		return "", false, fmt.Errorf("%q is not an address like https://host:port", c.Endpoint)
	}
	return u.Host, u.Scheme == "https", nil
}

// client builds the client; nothing is sent yet.
func (c Config) client() (*minio.Client, *http.Transport, error) {
	if err := c.Validate(); err != nil {
		return nil, nil, err
	}
	host, secure, err := c.endpoint()
	if err != nil {
		return nil, nil, err
	}
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, nil, err
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, nil, fmt.Errorf("storage.s3.ca-file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, nil, fmt.Errorf("storage.s3.ca-file: %s holds no certificate in PEM", c.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	lookup := minio.BucketLookupPath
	if c.Style == StyleHost || c.Style == StyleAuto && c.Endpoint == "" {
		lookup = minio.BucketLookupDNS
	}
	creds := credentials.NewStaticV4(c.AccessKey, c.SecretKey.Reveal(), "")
	if c.AccessKey == "" {
		creds = credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.IAM{Client: &http.Client{Transport: http.DefaultTransport}}})
	}
	client, err := minio.New(host, &minio.Options{
		Creds: creds, Secure: secure, Transport: transport, Region: c.Region, BucketLookup: lookup, MaxRetries: 3,
	})
	return client, transport, err
}
