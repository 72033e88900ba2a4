package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
)

// Handler answers a request, or fails. What it returns as an error is shown by
// Site: a fault as its own message, everything else as an internal error.
type Handler func(r *http.Request) (Response, error)

// Config is what an operator may set.
type Config struct {
	// TrustedProxies are addresses or networks whose X-Forwarded-For and
	// X-Forwarded-Proto are believed.
	TrustedProxies []string `koanf:"trusted_proxies"`
	// FrameAncestors are the sites that may show pages in a frame, besides ourselves.
	FrameAncestors []string `koanf:"frame_ancestors"`
	// Clients are those that REST answers are made for: "3.2" for strict ones of DolphinScheduler 3.2.0, which stumble over
	// keys that came later; "3.3" or empty for all others.
	Clients string `koanf:"clients"`
	// Limit says how many requests are answered.
	Limit LimitConfig `koanf:"limit"`
}

// Validate names what is wrong with the configuration.
func (c Config) Validate() error {
	if _, err := c.proxies(); err != nil {
		return err
	}
	for _, a := range c.FrameAncestors {
		if a == "" || strings.ContainsAny(a, "; ,\r\n\t") {
			return fmt.Errorf("web.frame_ancestors: %q is not a site", a)
		}
	}
	if c.Clients != "" && c.Clients != "3.2" && c.Clients != "3.3" {
		return fmt.Errorf("web.clients: %q is neither 3.2 nor 3.3", c.Clients)
	}
	return c.Limit.Validate()
}

func (c Config) proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range c.TrustedProxies {
		if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("web.trusted_proxies: %q is neither an address nor a network", text)
		}
		out = append(out, p)
	}
	return out, nil
}

// ErrorView is what an error page or an error notice shows.
type ErrorView struct {
	Status    int
	Message   string
	RequestID string
	Retry     bool // the same request may succeed later
}

// Options are what a Site is made of.
type Options struct {
	Config Config
	Logger *slog.Logger
	// Closing ends when the server begins to shut down; event streams end with it.
	Closing context.Context //nolint:containedctx // a signal, not a request's context
	// ErrorPage is the whole page for an error; ErrorNotice is the same as a part.
	// Without them errors are plain text.
	ErrorPage   func(*http.Request, ErrorView) templ.Component
	ErrorNotice func(*http.Request, ErrorView) templ.Component
}

// Site turns handlers into HTTP handlers: it renders, maps faults to answers and
// logs what went wrong, once.
type Site struct {
	log       *slog.Logger
	closing   context.Context //nolint:containedctx // see Options.Closing
	page      func(*http.Request, ErrorView) templ.Component
	notice    func(*http.Request, ErrorView) templ.Component
	trusted   []netip.Prefix
	ancestors string
	streams   streamCount
	refused   func(*http.Request, error)
	compress  func(http.Handler) http.HandlerFunc
}

// OnRefused has fn told of every request that is refused because whoever asks may not. It must not be called once requests
// are served.
func (s *Site) OnRefused(fn func(r *http.Request, err error)) { s.refused = fn }

// NewSite makes a Site. It fails when the configuration is not valid.
func NewSite(o Options) (*Site, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	trusted, err := o.Config.proxies()
	if err != nil {
		return nil, err
	}
	compress, err := compression()
	if err != nil {
		return nil, err
	}
	s := &Site{
		log: o.Logger, closing: o.Closing, page: o.ErrorPage, notice: o.ErrorNotice, trusted: trusted, compress: compress,
		ancestors: strings.Join(append([]string{"'self'"}, o.Config.FrameAncestors...), " "),
		streams:   streamCount{open: map[string]int{}},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.closing == nil {
		s.closing = context.Background() //nolint:forbidigo // nobody says when the server closes: never
	}
	return s, nil
}

// Handle makes an HTTP handler of h.
func (s *Site) Handle(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := h(r)
		if err == nil && answer == nil {
			err = errors.New("web: a handler returned neither answer nor error")
		}
		if err == nil {
			err = answer.respond(s, w, r)
		}
		if err != nil {
			s.Fail(w, r, err)
		}
	}
}

// NotFound answers addresses that do not exist.
func (s *Site) NotFound(w http.ResponseWriter, r *http.Request) {
	s.Fail(w, r, fault.New(fault.NotFound, "web.not_found"))
}

// MethodNotAllowed answers a method an address does not have.
func (s *Site) MethodNotAllowed(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, failure{status: http.StatusMethodNotAllowed, key: "web.method"})
}

// ID is the number named id in the address. Anything that is not a positive
// number is an address that does not exist.
func ID(r *http.Request) (int64, error) { return Number(r, "id") }

// Number is the positive number with this name in the address, else a NotFound
// fault.
func Number(r *http.Request, name string) (int64, error) {
	n, err := strconv.ParseInt(chi.URLParam(r, name), 10, 64)
	if err != nil || n <= 0 {
		return 0, fault.New(fault.NotFound, "web.not_found")
	}
	return n, nil
}

// Message is the text of err for a reader in the language of ctx: a fault's own
// message, else the internal error's. Causes are never in it.
func Message(ctx context.Context, err error) string {
	f := classify(err)
	return i18n.T(ctx, f.key, f.args...)
}
