package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"dorado/app/kit/secret"
)

// Failures. ErrUnreachable is for what may be over in a moment: no connection, a sealed vault, too many calls. With all
// others asking again is of no use until somebody changes something.
var (
	ErrUnreachable = errors.New("the vault cannot be asked")
	ErrReference   = errors.New("this is no reference to a secret of the vault")
	ErrRefused     = errors.New("the vault refuses it")
	ErrMissing     = errors.New("the vault has no such secret")
)

// scheme is what a reference begins with.
const scheme = "vault/"

// mostAnswer bounds an answer, in bytes.
const mostAnswer = 1 << 20

// Client asks one vault. It is safe for concurrent use.
type Client struct {
	cfg  Config
	http *http.Client
	now  func() time.Time

	mu     sync.Mutex
	known  map[string]entry // by path
	calls  map[string]*call // under way, by path
	token  secret.String    // of AppRole
	renews time.Time        // when that is asked for again
}

type entry struct {
	fields map[string]secret.String
	until  time.Time
}

type call struct {
	done chan struct{}
	err  error
}

// New returns a client, nil when there is no vault. It does not ask anything yet.
func New(cfg Config, now func() time.Time) (*Client, error) {
	if cfg.Address == "" {
		return nil, nil //nolint:nilnil // no vault is an ordinary installation
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: cfg.Timeout, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if cfg.CA != "" {
		pem, err := os.ReadFile(cfg.CA)
		if err != nil {
			return nil, fmt.Errorf("vault.ca: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("vault.ca: %s holds no certificate", cfg.CA)
		}
	}
	return &Client{
		cfg: cfg, now: now, known: map[string]entry{}, calls: map[string]*call{},
		http: &http.Client{Transport: transport, Timeout: cfg.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a token is not sent elsewhere
		}},
	}, nil
}

// Close ends idle connections.
func (c *Client) Close() {
	if c != nil {
		c.http.CloseIdleConnections()
	}
}

// parse splits a reference of a project into the path below the mount and a field.
func (c *Client) parse(project int64, ref string) (path, field string, err error) {
	rest, ok := strings.CutPrefix(ref, scheme)
	path, field, hasField := strings.Cut(rest, "#")
	if !ok || !hasField || field == "" || !clean(path) {
		return "", "", fmt.Errorf("%w: %q; write secret:vault/<path>#<field>", ErrReference, ref)
	}
	if folder := strings.ReplaceAll(c.cfg.Path, "{code}", strconv.FormatInt(project, 10)); folder != "" {
		path = folder + "/" + path
	}
	return path, field, nil
}

// Cached returns a secret that is known and fresh. It returns ErrReference, and ErrMissing for a field that a known secret
// does not have.
func (c *Client) Cached(project int64, ref string) (value secret.String, known bool, err error) {
	path, field, err := c.parse(project, ref)
	if err != nil {
		return "", false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.known[path]
	if !ok || !c.now().Before(e.until) {
		return "", false, nil
	}
	if value, ok = e.fields[field]; !ok || value == "" {
		return "", false, fmt.Errorf("%w: %s has no field %q", ErrMissing, c.shown(path), field)
	}
	return value, true, nil
}

// Fetch asks for a secret, so that Cached knows it. It returns ErrReference, ErrMissing, ErrRefused, ErrUnreachable.
func (c *Client) Fetch(ctx context.Context, project int64, ref string) error {
	path, _, err := c.parse(project, ref)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if running := c.calls[path]; running != nil {
		c.mu.Unlock()
		select {
		case <-running.done:
			return running.err
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
		}
	}
	mine := &call{done: make(chan struct{})}
	c.calls[path] = mine
	c.mu.Unlock()
	fields, err := c.read(ctx, path)
	c.mu.Lock()
	if err == nil {
		now := c.now()
		for old, e := range c.known { // few: each was used within the last minutes
			if !now.Before(e.until) {
				delete(c.known, old)
			}
		}
		c.known[path] = entry{fields, now.Add(c.cfg.CacheFor)}
	}
	delete(c.calls, path)
	mine.err = err
	c.mu.Unlock()
	close(mine.done)
	return err
}

func (c *Client) shown(path string) string { return c.cfg.Mount + "/" + path }

// read reads all fields of a secret. When the token is no longer good it gets another one, once.
func (c *Client) read(ctx context.Context, path string) (map[string]secret.String, error) {
	for attempt := 0; ; attempt++ {
		token, err := c.authorize(ctx, attempt > 0)
		if err != nil {
			return nil, err
		}
		var answer struct {
			Data struct {
				Data map[string]any `json:"data"`
			} `json:"data"`
		}
		status, err := c.call(ctx, http.MethodGet, "/v1/"+escape(c.cfg.Mount)+"/data/"+escape(path), token, nil, &answer)
		switch {
		case status == http.StatusForbidden && attempt == 0 && c.cfg.RoleID != "":
			continue
		case status == http.StatusForbidden || status == http.StatusUnauthorized:
			return nil, fmt.Errorf("%w: %s (permission denied)", ErrRefused, c.shown(path))
		case status == http.StatusNotFound || err == nil && answer.Data.Data == nil:
			return nil, fmt.Errorf("%w: %s", ErrMissing, c.shown(path))
		case err != nil:
			return nil, err
		}
		fields := make(map[string]secret.String, len(answer.Data.Data))
		for name, value := range answer.Data.Data {
			switch v := value.(type) {
			case nil:
			case string:
				fields[name] = secret.String(v)
			default:
				text, err := json.Marshal(v)
				if err != nil {
					return nil, fmt.Errorf("%w: %s: field %q", ErrMissing, c.shown(path), name)
				}
				fields[name] = secret.String(text)
			}
		}
		return fields, nil
	}
}

// authorize returns a token to ask with; fresh says that the last one was refused.
func (c *Client) authorize(ctx context.Context, fresh bool) (secret.String, error) {
	switch {
	case c.cfg.Token != "":
		return c.cfg.Token, nil
	case c.cfg.TokenFile != "":
		text, err := os.ReadFile(c.cfg.TokenFile)
		if err != nil { // an agent that begins has not written it yet
			return "", fmt.Errorf("%w: vault.token-file: %w", ErrUnreachable, err)
		}
		return secret.String(strings.TrimSpace(string(text))), nil
	}
	c.mu.Lock()
	token, good := c.token, c.token != "" && c.now().Before(c.renews)
	c.mu.Unlock()
	if good && !fresh {
		return token, nil
	}
	var answer struct {
		Auth struct {
			ClientToken   string `json:"client_token"`
			LeaseDuration int64  `json:"lease_duration"`
		} `json:"auth"`
	}
	body := map[string]string{"role_id": c.cfg.RoleID, "secret_id": c.cfg.SecretID.Reveal()}
	status, err := c.call(ctx, http.MethodPost, "/v1/auth/"+escape(c.cfg.AppRole)+"/login", "", body, &answer)
	switch {
	case status == http.StatusBadRequest || status == http.StatusForbidden || status == http.StatusUnauthorized || status == http.StatusNotFound:
		return "", fmt.Errorf("%w: sign-in by AppRole (status %d)", ErrRefused, status)
	case err != nil:
		return "", err
	case answer.Auth.ClientToken == "":
		return "", fmt.Errorf("%w: sign-in by AppRole gave no token", ErrUnreachable)
	}
	lease := time.Duration(answer.Auth.LeaseDuration) * time.Second
	if lease <= 0 {
		lease = time.Hour
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token, c.renews = secret.String(answer.Auth.ClientToken), c.now().Add(lease*2/3)
	return c.token, nil
}

// call makes one call. The status is 0 when there was no answer. No error holds a token, or what an answer said.
func (c *Client) call(ctx context.Context, method, path string, token secret.String, body, into any) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		sent = strings.NewReader(string(text))
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.cfg.Address, "/")+path, sent)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	r.Header.Set("X-Vault-Request", "true")
	if token != "" {
		r.Header.Set("X-Vault-Token", token.Reveal())
	}
	if c.cfg.Namespace != "" {
		r.Header.Set("X-Vault-Namespace", c.cfg.Namespace)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return 0, fmt.Errorf("%w: %s: %w", ErrUnreachable, c.cfg.Address, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, mostAnswer))
		return answer.StatusCode, fmt.Errorf("%w: %s answers with status %d%s", ErrUnreachable, c.cfg.Address, answer.StatusCode, meaning(answer.StatusCode))
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, mostAnswer)).Decode(into); err != nil {
		return answer.StatusCode, fmt.Errorf("%w: %s does not answer as a vault does", ErrUnreachable, c.cfg.Address)
	}
	return answer.StatusCode, nil
}

func meaning(status int) string {
	switch status {
	case http.StatusServiceUnavailable:
		return " (it is sealed, or in maintenance)"
	case http.StatusTooManyRequests:
		return " (it is a standby, or too many calls)"
	case 472, 473:
		return " (it is a standby)"
	}
	return ""
}

func escape(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
