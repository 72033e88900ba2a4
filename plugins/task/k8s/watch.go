package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	firstPause   = 200 * time.Millisecond
	longestPause = 10 * time.Second
	maxWatch     = 64 << 20        // bytes of one watch, which bounds one event, too
	watchTime    = 4 * time.Minute // then the server ends the watch, and it begins anew
)

// pause is the time between attempts, which grows.
type pause time.Duration

// wait waits, unless ctx ends before.
func (p *pause) wait(ctx context.Context) {
	d := max(time.Duration(*p), firstPause)
	*p = pause(min(2*d, longestPause))
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// patience bounds how long an API server may be away.
type patience struct {
	most  time.Duration
	since time.Time // of the first failure in a row
}

// over takes one failure and says whether to give up.
func (p *patience) over(now time.Time) bool {
	if p.since.IsZero() {
		p.since = now
	}
	return now.Sub(p.since) > p.most
}

// errEvent says that a watch told something that is no event.
var errEvent = errors.New("the API server sent something that is no event")

// keyed is an object of a list.
type keyed interface{ key() string }

// observe calls see with all objects of a list, at first and after each change, until see returns true, ctx ends, the server
// refuses, or it is away for longer than most. trouble hears about failures that may pass.
func observe[T keyed](ctx context.Context, c *client, path string, query url.Values, most time.Duration, see func(all []T) bool, trouble func(error)) error {
	var between pause
	limit := patience{most: most}
	for ctx.Err() == nil {
		all, version, err := list[T](ctx, c, path, query)
		if err == nil {
			limit.since = time.Time{}
			if see(slices.Collect(maps.Values(all))) {
				return nil
			}
			began := time.Now()
			var done bool
			done, err = watch(ctx, c, path, query, version, all, see)
			if done {
				return nil
			}
			if time.Since(began) > time.Minute { // a watch that worked for some time
				between = 0
			}
		}
		if ctx.Err() != nil {
			break
		}
		if err != nil && !errors.Is(err, errEvent) {
			if !passing(err) || limit.over(time.Now()) {
				return err
			}
			if !isCode(err, http.StatusGone) {
				trouble(err)
			}
		}
		between.wait(ctx)
	}
	return context.Cause(ctx)
}

func list[T keyed](ctx context.Context, c *client, path string, query url.Values) (all map[string]T, version string, err error) {
	var answer struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
		Items []T `json:"items"`
	}
	if err := c.ask(ctx, http.MethodGet, path, query, nil, &answer); err != nil {
		return nil, "", err
	}
	all = make(map[string]T, len(answer.Items))
	for _, o := range answer.Items {
		all[o.key()] = o
	}
	return all, answer.Metadata.ResourceVersion, nil
}

// watch changes all as the server tells, until see is content or the stream ends, which is no error.
func watch[T keyed](ctx context.Context, c *client, path string, query url.Values, version string, all map[string]T, see func([]T) bool) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, watchTime+time.Minute) // a server that forgets its own limit
	defer cancel()
	q := maps.Clone(query)
	q.Set("watch", "true")
	q.Set("resourceVersion", version)
	q.Set("timeoutSeconds", strconv.Itoa(int(watchTime.Seconds())))
	body, err := c.open(ctx, http.MethodGet, path, q, nil)
	if err != nil {
		return false, err
	}
	defer body.Close()
	events := json.NewDecoder(io.LimitReader(body, maxWatch))
	for {
		var e struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := events.Decode(&e); err != nil {
			if ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return false, nil
			}
			return false, errEvent
		}
		var o T
		switch e.Type {
		case "ADDED", "MODIFIED", "DELETED":
			if err := json.Unmarshal(e.Object, &o); err != nil || o.key() == "" {
				return false, errEvent
			}
			if e.Type == "DELETED" {
				delete(all, o.key())
			} else {
				all[o.key()] = o
			}
			if see(slices.Collect(maps.Values(all))) {
				return true, nil
			}
		case "BOOKMARK":
		default: // ERROR, mostly because the version is too old
			return false, nil
		}
	}
}
