package web

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/klauspost/compress/gzhttp"

	"dorado/app/kit/fault"
)

type requestKey struct{}

// RequestID is the id under which the log knows the request of ctx. It is shown
// with every error, so that a reader can quote it to the operator.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

type arrivalKey struct{}

// Arrived is when the request of ctx came in; the zero time outside requests.
func Arrived(ctx context.Context) time.Time {
	at, _ := ctx.Value(arrivalKey{}).(time.Time)
	return at
}

// Middleware is what every request passes, outermost first: request id, client
// address, language, access log, panics, security headers, compression.
func (s *Site) Middleware() func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		var h http.Handler = s.compress(middleware.GetHead(next)) // a page answers HEAD like GET
		h = s.secure(h)
		h = s.recover(h)
		h = s.access(h)
		h = localize(flash(h))
		h = identifyClient(s.trusted)(h)
		return identify(h)
	}
}

// compression packs what is text and longer than a packet: to set the packer up costs more than a short answer is worth.
func compression() (func(http.Handler) http.HandlerFunc, error) {
	return gzhttp.NewWrapper(gzhttp.MinSize(1024), gzhttp.CompressionLevel(5), gzhttp.EnableZstd(false), gzhttp.ContentTypes([]string{
		"text/html", "text/css", "text/plain", "text/javascript", "application/javascript", "application/json", "image/svg+xml",
	}))
}

func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := randomHex(8)
		w.Header().Set("X-Request-Id", id)
		ctx := context.WithValue(context.WithValue(r.Context(), requestKey{}, id), arrivalKey{}, time.Now())
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// access writes one line a request. Pages and API calls that change something or
// fail are worth a line; assets, probes and reads are for the debug level.
func (s *Site) access(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(ww, r)
		level := slog.LevelDebug
		switch {
		case ww.Status() >= http.StatusInternalServerError:
			level = slog.LevelWarn
		case !safe(r.Method):
			level = slog.LevelInfo
		}
		s.log.LogAttrs(r.Context(), level, "request",
			slog.String("request_id", RequestID(r.Context())),
			slog.String("method", r.Method),
			slog.String("path", r.URL.Path),
			slog.Int("status", ww.Status()),
			slog.Int("bytes", ww.BytesWritten()),
			slog.Duration("took", time.Since(start)),
			slog.String("client", ClientAddress(r.Context())),
		)
	})
}

// recover turns a panic into an internal error, so that one broken page neither
// ends the process nor shows its stack to the reader.
func (s *Site) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v) // the server's own way to drop a connection
			}
			s.log.ErrorContext(r.Context(), "panic in a request",
				"request_id", RequestID(r.Context()), "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
			s.show(w, r, failure{status: http.StatusInternalServerError, key: internalKey})
		}()
		next.ServeHTTP(w, r)
	})
}

// secure sets the headers that limit what a page may do. Scripts and styles come
// from us alone; the nonce is for the style element that the code editor adds.
func (s *Site) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nonce := randomNonce()
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; script-src 'self' 'nonce-"+nonce+"'; style-src 'self' 'nonce-"+nonce+
			"'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors "+s.ancestors)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()")
		if Secure(r) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r.WithContext(templ.WithNonce(r.Context(), nonce)))
	})
}

// Pages is what requests for pages pass after Middleware: other sites cannot send
// forms with our cookie, and bodies have a limit.
func (s *Site) Pages(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := guard.Check(r); err != nil {
			s.Fail(w, r, fault.New(fault.Forbidden, "web.cross_origin").Because(err))
			return
		}
		if err := limit(w, r); err != nil {
			s.Fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Bodies larger than these are refused: forms hold at most a script, JSON a whole
// workflow.
const (
	FormLimit = 5_000_000
	JSONLimit = 32 << 20
)

// limit refuses a body that says it is too large, and cuts one that does not say.
func limit(w http.ResponseWriter, r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	most, kind := int64(FormLimit), r.Header.Get("Content-Type")
	switch {
	case strings.HasPrefix(kind, "application/json"):
		most = JSONLimit
	case strings.HasPrefix(kind, upload):
		*r = *r.WithContext(context.WithValue(r.Context(), wholeKey{}, r.Body))
	}
	if r.ContentLength > most && !strings.HasPrefix(kind, upload) {
		return &http.MaxBytesError{Limit: most}
	}
	r.Body = http.MaxBytesReader(w, r.Body, most)
	return nil
}

// upload is the type of bodies that are a file.
const upload = "application/octet-stream"

type wholeKey struct{}

// WholeBody is the body of a request that sends a file, however long it is: whoever reads it must know when to stop. Of any
// other request it is the body as far as it is accepted.
func WholeBody(r *http.Request) io.Reader {
	if whole, ok := r.Context().Value(wholeKey{}).(io.Reader); ok {
		return whole
	}
	return r.Body
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func randomNonce() string {
	b := make([]byte, 16)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}
