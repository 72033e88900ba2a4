package web

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

type clientKey struct{}

// client is what the connection says about the other side.
type client struct {
	address string
	secure  bool
}

// ClientAddress is the IP address of the caller. Behind a trusted proxy it is the
// address the proxy reports, else the peer of the connection.
func ClientAddress(ctx context.Context) string {
	c, _ := ctx.Value(clientKey{}).(client)
	return c.address
}

// Secure reports whether the caller uses TLS, to us or to a trusted proxy.
func Secure(r *http.Request) bool {
	c, _ := r.Context().Value(clientKey{}).(client)
	return r.TLS != nil || c.secure
}

// identifyClient finds the caller's address. X-Forwarded-For is read from the
// right, because everything left of the first address that is not one of our
// proxies can be invented by the caller.
func identifyClient(trusted []netip.Prefix) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := client{address: peer(r)}
			if contains(trusted, c.address) {
				c.secure = strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
				c.address = forwarded(r, trusted, c.address)
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, c)))
		})
	}
}

func forwarded(r *http.Request, trusted []netip.Prefix, fallback string) string {
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		if _, err := netip.ParseAddr(hop); err != nil {
			return fallback
		}
		if !contains(trusted, hop) {
			return hop
		}
		fallback = hop
	}
	return fallback
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func contains(prefixes []netip.Prefix, address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	for _, p := range prefixes {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}
