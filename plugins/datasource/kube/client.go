package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"dorado/app/kit/dial"
)

const (
	connectTimeout = 4 * time.Second
	maxAnswer      = 1 << 20
	maxMessage     = 300
)

// namespaceForm is what Kubernetes allows; it needs no escaping in an address.
var namespaceForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Client talks to one cluster as one user.
type Client struct {
	// DefaultNamespace is that of the context; often empty.
	DefaultNamespace string

	http   *http.Client
	access Access
}

// New reads a kubeconfig. Nothing is sent yet. It returns ErrConfig.
func New(kubeconfig string) (*Client, error) {
	a, err := Read(kubeconfig)
	if err != nil {
		return nil, err
	}
	return &Client{
		DefaultNamespace: a.Namespace, access: a,
		http: &http.Client{
			Transport: &http.Transport{
				DialContext: dial.New(connectTimeout).DialContext, TLSClientConfig: a.TLS, TLSHandshakeTimeout: connectTimeout, ForceAttemptHTTP2: true,
				MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // credentials go nowhere else
		},
	}, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// StatusError is an answer that is no success.
type StatusError struct {
	Code    int
	Message string // what the cluster says about it; may be empty
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("the cluster answers %d %s", e.Code, http.StatusText(e.Code))
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Version asks for the version of the cluster.
func (c *Client) Version(ctx context.Context) (string, error) {
	var answer struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := c.get(ctx, "/version", nil, &answer); err != nil {
		return "", err
	}
	if answer.GitVersion == "" {
		return "", fmt.Errorf("the server at %s is no Kubernetes cluster", c.access.Base.Host)
	}
	return answer.GitVersion, nil
}

// Namespace reports whether there is a namespace, or, where nobody may ask that, whether pods in it may be listed.
func (c *Client) Namespace(ctx context.Context, name string) error {
	if !namespaceForm.MatchString(name) {
		return fmt.Errorf("%.80q is not the name of a namespace", name)
	}
	err := c.get(ctx, "/api/v1/namespaces/"+name, nil, nil)
	if Status(err) == http.StatusForbidden {
		if c.get(ctx, "/api/v1/namespaces/"+name+"/pods", url.Values{"limit": {"1"}}, nil) == nil {
			return nil
		}
	}
	return err
}

// get asks for path; out, when not nil, takes the answer.
func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	at := *c.access.Base
	at.Path, at.RawPath, at.RawQuery = strings.TrimRight(at.Path, "/")+path, "", query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return refused("the server of the cluster is no address")
	}
	req.Header = c.access.Header.Clone()
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &StatusError{resp.StatusCode, message(body)}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("the server at %s does not answer as Kubernetes does", c.access.Base.Host)
	}
	return nil
}

// message reads what a cluster says about a failure; anything else that answers is not quoted.
func message(body []byte) string {
	var status struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &status) != nil || status.Kind != "Status" {
		return ""
	}
	if len(status.Message) > maxMessage {
		return strings.ToValidUTF8(status.Message[:maxMessage], "") + "…"
	}
	return status.Message
}

// Status is the number of a StatusError, 0 for anything else.
func Status(err error) int {
	if e, ok := errors.AsType[*StatusError](err); ok {
		return e.Code
	}
	return 0
}
