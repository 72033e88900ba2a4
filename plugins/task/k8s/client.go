package k8s

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	askTimeout = 30 * time.Second // of a request whose answer is short
	maxAnswer  = 16 << 20
)

// client talks to one API server about one namespace.
type client struct {
	http      *http.Client
	base      *url.URL
	header    http.Header
	namespace string
}

// refusal is an answer that is none of those wished for.
type refusal struct {
	code            int
	reason, message string
}

// Error is what the server said, shortened.
func (r *refusal) Error() string {
	text := r.message
	if text == "" {
		text = http.StatusText(r.code)
	}
	if len(text) > 1000 {
		text = strings.ToValidUTF8(text[:1000], "") + "…"
	}
	return fmt.Sprintf("the API server says %d: %s", r.code, text)
}

// isCode says that err is an answer with one of these codes.
func isCode(err error, codes ...int) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && slices.Contains(codes, r.code)
}

// passing says that the same request may succeed later: the server is away or overloaded. Without this, the upgrade of a
// control plane would fail every task of its cluster.
func passing(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return !ok || r.code == http.StatusTooManyRequests || r.code >= 500 || r.code == http.StatusRequestTimeout || r.code == http.StatusGone
}

// jobs and pods are the addresses of lists; a name makes them that of one object.
func (c *client) jobs(name ...string) string {
	return c.path("/apis/batch/v1/namespaces/", "/jobs", name)
}

func (c *client) pods(name ...string) string { return c.path("/api/v1/namespaces/", "/pods", name) }

func (c *client) path(group, kind string, name []string) string {
	parts := []string{group + url.PathEscape(c.namespace) + kind}
	for _, n := range name {
		parts = append(parts, url.PathEscape(n))
	}
	return strings.Join(parts, "/")
}

// open sends a request and returns the body of a good answer, to be closed by the caller.
func (c *client) open(ctx context.Context, method, path string, query url.Values, body any) (io.ReadCloser, error) {
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("write a request: %w", err)
		}
		content = bytes.NewReader(raw)
	}
	target := strings.TrimSuffix(c.base.String(), "/") + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	r.Header = c.header.Clone()
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // the address says nothing that the reader could use
		}
		return nil, fmt.Errorf("reach the API server at %s: %w", c.base.Host, err)
	}
	if answer.StatusCode/100 == 2 {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	out := &refusal{code: answer.StatusCode}
	if raw, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10)); err == nil {
		var said struct{ Reason, Message string }
		if json.Unmarshal(raw, &said) == nil {
			out.reason, out.message = said.Reason, said.Message
		}
	}
	return nil, out
}

// ask sends a request and reads its answer into out, which may be nil.
func (c *client) ask(ctx context.Context, method, path string, query url.Values, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer, err := c.open(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(answer, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("read the answer of the API server at %s: %w", c.base.Host, err)
	}
	return nil
}

// erase deletes a Job. "Foreground" keeps it until its Pods are gone, "Background" lets them go afterwards. A Job that is
// not there is no error; nor is one with another uid, when uid is given.
func (c *client) erase(ctx context.Context, name, uid, propagation string) error {
	body := object{"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
	if uid != "" {
		body["preconditions"] = object{"uid": uid}
	}
	err := c.ask(ctx, http.MethodDelete, c.jobs(name), nil, body, nil)
	if isCode(err, http.StatusNotFound, http.StatusConflict) {
		return nil
	}
	return err
}

// meta is what every object has.
type meta struct {
	Name        string            `json:"name"`
	UID         string            `json:"uid"`
	Annotations map[string]string `json:"annotations"`
}

// job is what is read of a Job.
type job struct {
	Metadata meta `json:"metadata"`
	Status   struct {
		Succeeded  int         `json:"succeeded"`
		Failed     int         `json:"failed"`
		Conditions []condition `json:"conditions"`
	} `json:"status"`
}

func (j job) key() string { return j.Metadata.Name }

// condition is one thing that is known of an object.
type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// ended says whether a Job is over, and how.
func (j job) ended() (over, good bool, why string) {
	for _, c := range j.Status.Conditions {
		if c.Status != "True" {
			continue
		}
		switch c.Type {
		case "Complete":
			return true, true, ""
		case "Failed":
			return true, false, c.Message
		}
	}
	// The conditions may come much later than the numbers: they wait until every Pod was looked at.
	switch {
	case j.Status.Succeeded > 0:
		return true, true, ""
	case j.Status.Failed > 0:
		return true, false, ""
	}
	return false, false, ""
}
