package boot

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/lifecycle"
	"dorado/app/kit/secret"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/modules/identity"
	"dorado/modules/security/account"
	"dorado/static"
)

// apiPath is DolphinScheduler's context path; its clients have it built in.
const apiPath = "/dolphinscheduler"

// adminPasswordVariable holds the first administrator's password, for installations without a terminal.
const adminPasswordVariable = "DORADO_ADMIN_PASSWORD" //nolint:gosec // a name, not a credential

// webServer prepares pages and REST: the listener is open when it returns, so a port in use is said at once.
func webServer(ctx context.Context, c *core, m *modules, terminal io.Writer) (lifecycle.Service, error) {
	link, err := firstAdmin(ctx, m)
	if err != nil {
		return lifecycle.Service{}, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.cfg.Listen)
	if err != nil {
		return lifecycle.Service{}, fmt.Errorf("listen: %w", err)
	}
	if c.cfg.TLS.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.cfg.TLS.Cert, c.cfg.TLS.Key)
		if err != nil {
			listener.Close()
			return lifecycle.Service{}, fmt.Errorf("tls: %w", err)
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	}
	server := &http.Server{
		Handler:           m.handler(c),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          nil,
	}
	return lifecycle.Service{
		Name: "web", Drain: 10 * time.Second,
		Start: func(context.Context) error {
			fmt.Fprintf(terminal, "Dorado is ready at %s\n", c.cfg.URL())
			if link != "" {
				fmt.Fprintf(terminal, "Sign in as %s, once, with this link: %s%s\n", identity.AdminName, c.cfg.URL(), account.LinkPath(link.Reveal()))
			}
			return nil
		},
		Run: func(ctx context.Context) error {
			work, stop := context.WithCancel(context.WithoutCancel(ctx))
			defer stop()
			go m.background(work, c.logger)
			done := make(chan error, 1)
			go func() { done <- server.Serve(listener) }()
			select {
			case err := <-done:
				return fmt.Errorf("serve pages: %w", err)
			case <-ctx.Done():
			}
			m.closing() // event streams end, so that Shutdown need not wait for them
			drain, cancel := context.WithTimeout(work, 8*time.Second)
			defer cancel()
			if err := server.Shutdown(drain); err != nil {
				return errors.Join(fmt.Errorf("shut pages down: %w", err), server.Close())
			}
			return nil
		},
	}, nil
}

// firstAdmin makes sure that somebody can sign in.
func firstAdmin(ctx context.Context, m *modules) (secret.String, error) {
	_, link, err := m.identity.EnsureAdmin(ctx, secret.String(os.Getenv(adminPasswordVariable)))
	if err != nil {
		return "", fmt.Errorf("first administrator: %w", err)
	}
	return link, nil
}

// handler is everything behind the listener, in the order in which a request meets it.
func (m *modules) handler(c *core) http.Handler {
	r := chi.NewRouter()
	r.Use(m.site.Middleware())
	r.Handle(static.Prefix+"*", static.Handler())
	c.probes.routes(r)
	for _, base := range []string{"", apiPath} {
		r.Get(base+healthPath, c.health)
		r.Get(base+metricsPath, c.metrics.Handler().ServeHTTP)
	}
	rest := m.api.Router(m.account.AuthenticateREST, m.calls()...)
	m.docs.SetServed(served(rest))
	m.docs.Documents(r)
	r.Mount(apiPath, c.restMeter(m.limits.rest(restHeaders(rest))))
	r.Group(func(r chi.Router) {
		r.Use(m.site.Pages, m.limits.pages, m.account.Authenticate, m.onlySignedIn, m.search.Remember)
		r.NotFound(m.site.NotFound)
		r.MethodNotAllowed(m.site.MethodNotAllowed)
		r.Get("/", m.site.Handle(func(*http.Request) (web.Response, error) { return web.Redirect(frame.HomePath), nil }))
		for _, routes := range m.pages() {
			routes(r)
		}
	})
	r.NotFound(m.site.NotFound)
	r.MethodNotAllowed(m.site.MethodNotAllowed)
	return r
}

// onlySignedIn lets nobody past who is not signed in, but to the pages for signing in. Every service checks on its own;
// this is the net under them.
func (m *modules) onlySignedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := access.From(r.Context()); !ok && !publicPage(r.URL.Path) {
			m.site.Fail(w, r, access.ErrUnauthenticated)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// publicPage lists the addresses for those who are not signed in.
func publicPage(path string) bool {
	switch path {
	case frame.LoginPath, frame.LoginPath + "/link", frame.LogoutPath, frame.ThemePath, frame.LanguagePath,
		account.ProviderPath, account.ProviderReturnPath:
		return true
	default:
		return false
	}
}
