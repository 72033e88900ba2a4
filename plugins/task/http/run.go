package httptask

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"dorado/app/kit/dial"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

const (
	maxBody      = 10 << 20 // bytes of an answer, unpacked
	maxHeader    = 1 << 20
	maxRedirects = 10
	maxHandedOn  = 1 << 20 // bytes of the value for the tasks behind
)

// Why a request failed.
var (
	errSilent    = errors.New("the server said nothing for longer than socketTimeout")
	errTooLarge  = errors.New("the answer is larger than 10 MiB")
	errRedirects = errors.New("more than 10 redirects")
)

// answer is what the server said, whatever it was.
type answer struct {
	status int
	line   string // such as "HTTP/1.1 200 OK"
	header http.Header
	body   string
}

func run(ctx context.Context, v form.Values, env task.Env) (task.Outcome, error) {
	s, err := read(v)
	if err != nil {
		return task.Outcome{}, err
	}
	begin := time.Now()
	a, err := s.ask(ctx, env.Log)
	took := time.Since(begin).Round(time.Millisecond)
	if err != nil {
		err = fmt.Errorf("%s %s failed after %s: %w", s.method, shown(s.url), took, err)
		fmt.Fprintln(env.Log, err)
		return task.Outcome{}, err
	}
	fmt.Fprintf(env.Log, "%s after %s, %d bytes %s\n", a.line, took, len(a.body), a.header.Get(contentType))
	if a.body != "" {
		fmt.Fprintln(env.Log, excerpt(a.body))
	}
	out, err := outcome(a, env)
	if err != nil {
		return out, err
	}
	return out, s.judge(a)
}

// outcome is what the tasks behind get to know.
func outcome(a answer, env task.Env) (task.Outcome, error) {
	var out task.Outcome
	raw, err := encode(struct {
		Body   string `json:"body"`
		Status int    `json:"statusCode"`
	}{a.body, a.status})
	if err != nil {
		return out, err
	}
	if len(raw) <= maxHandedOn {
		out.Extra = []form.Param{{Prop: env.TaskName + ".response", Direct: "OUT", Type: "VARCHAR", Value: string(raw)}}
	} else {
		fmt.Fprintf(env.Log, "the answer is not handed on as %s.response: it is larger than 1 MiB\n", env.TaskName)
	}
	var document any
	var bad error
	parsed := false
	for _, p := range env.Out {
		if !isPath(p.Value) {
			continue
		}
		if !parsed {
			document, bad = parseJSON(a.body)
			parsed = true
		}
		if bad != nil {
			fmt.Fprintf(env.Log, "parameter %s stays empty: %v\n", p.Prop, bad)
			continue
		}
		text, found, err := pick(p.Value, document)
		switch {
		case err != nil:
			return out, fmt.Errorf("parameter %s: %w", p.Prop, err)
		case !found:
			fmt.Fprintf(env.Log, "parameter %s stays empty: the body has no %s\n", p.Prop, p.Value)
		default:
			if out.Out == nil {
				out.Out = map[string]string{}
			}
			out.Out[p.Prop] = text
		}
	}
	return out, nil
}

// judge says whether the answer is a success.
func (s settings) judge(a answer) error {
	switch s.check {
	case statusCustom:
		if !s.statuses.has(a.status) {
			return fmt.Errorf("the status is %d, expected was %s", a.status, strings.TrimSpace(s.text))
		}
	case bodyContains:
		if !strings.Contains(a.body, s.text) || a.body == "" {
			return fmt.Errorf("the body does not contain %q", s.text)
		}
	case bodyContainsNot:
		if a.body == "" {
			return errors.New("the body is empty")
		}
		if strings.Contains(a.body, s.text) {
			return fmt.Errorf("the body contains %q", s.text)
		}
	default:
		if a.status != http.StatusOK {
			return fmt.Errorf("the status is %d, expected was 200", a.status)
		}
	}
	return nil
}

// ask sends the request and reads the answer. Its errors do not repeat the address, which may hold secrets.
func (s settings) ask(ctx context.Context, log io.Writer) (answer, error) {
	s.announce(log)
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w := s.watch(stop)
	defer w.end()
	var content io.Reader
	if s.hasBody {
		content = strings.NewReader(s.body)
	}
	request, err := http.NewRequestWithContext(w.trace(work), s.method, s.url.String(), content)
	if err != nil {
		return answer{}, plainError(work, err)
	}
	request.Header = s.header
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", "Dorado")
	}
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
		request.Header.Del("Host")
	}
	if err := s.allowed(s.url); err != nil {
		return answer{}, err
	}
	client := s.client(log)
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return answer{}, plainError(work, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(&reading{response.Body, w}, maxBody+1))
	if err != nil {
		return answer{}, plainError(work, err)
	}
	if len(raw) > maxBody {
		return answer{}, errTooLarge
	}
	return answer{
		status: response.StatusCode, line: response.Proto + " " + response.Status, header: response.Header,
		body: decode(raw, response.Header.Get(contentType)),
	}, nil
}

// announce writes the request into the log, without what is nobody's business.
func (s settings) announce(log io.Writer) {
	fmt.Fprintf(log, "%s %s\n", s.method, shown(s.url))
	for _, name := range slices.Sorted(maps.Keys(s.header)) {
		for _, text := range s.header[name] {
			if secretName(name) {
				text = hidden
			}
			fmt.Fprintf(log, "%s: %s\n", name, excerpt(text))
		}
	}
	if s.hasBody {
		fmt.Fprintf(log, "body of %d bytes\n", len(s.body))
	}
	if s.ignored {
		fmt.Fprintln(log, "rows of type BODY are left out, because the task has a body")
	}
	if s.insecure {
		fmt.Fprintln(log, "the certificate of the server is not checked")
	}
}

func (s settings) client(log io.Writer) *http.Client {
	transport := &http.Transport{
		DialContext:            dial.New(s.connect).DialContext,
		TLSHandshakeTimeout:    s.connect,
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: s.insecure, RootCAs: s.roots, MinVersion: tls.VersionTLS12}, //nolint:gosec // the user asks for it
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxHeader,
	}
	if s.proxy != nil {
		transport.Proxy = http.ProxyURL(s.proxy)
	}
	return &http.Client{Transport: transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		switch {
		case !s.follow:
			return http.ErrUseLastResponse
		case len(via) > maxRedirects:
			return errRedirects
		}
		fmt.Fprintf(log, "redirected to %s %s\n", next.Method, shown(next.URL))
		if first := via[0].URL; first.Host != next.URL.Host || first.Scheme == "https" && next.URL.Scheme != "https" {
			for name := range next.Header {
				if secretName(name) { // they were meant for the first one
					next.Header.Del(name)
				}
			}
		}
		return s.allowed(next.URL)
	}}
}

// allowed refuses addresses that the dialer would refuse, for requests that a proxy sends on.
func (s settings) allowed(u *url.URL) error {
	if s.proxy == nil {
		return nil
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		return dial.Check(ip)
	}
	return nil
}

// plainError is an error without the address of the request, and with the reason why the context ended.
func plainError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// watch ends a request during which nothing happens for too long.
type watch struct {
	timer *time.Timer // nil: never
	after time.Duration
}

func (s settings) watch(stop context.CancelCauseFunc) *watch {
	if s.silence <= 0 {
		return &watch{}
	}
	w := &watch{after: s.silence}
	// Connecting has a limit of its own; the time runs from the connection on.
	w.timer = time.AfterFunc(s.silence, func() { stop(errSilent) })
	w.timer.Stop()
	return w
}

func (w *watch) alive() {
	if w.timer != nil {
		w.timer.Reset(w.after)
	}
}

func (w *watch) end() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

func (w *watch) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(string) { w.end() }, // also for each redirect
		GotConn:              func(httptrace.GotConnInfo) { w.alive() },
		WroteRequest:         func(httptrace.WroteRequestInfo) { w.alive() },
		GotFirstResponseByte: func() { w.alive() },
	})
}

// reading notes that something arrives.
type reading struct {
	io.Reader
	watch *watch
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.watch.alive()
	}
	return n, err
}
