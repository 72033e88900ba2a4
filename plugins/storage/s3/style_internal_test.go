package s3

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheBucketStandsInThePathOrInTheHost(t *testing.T) {
	t.Parallel()
	var host, path string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { host, path = r.Host, r.URL.Path }))
	t.Cleanup(server.Close)
	for _, want := range []struct {
		style      Style
		host, path string
	}{
		{StyleAuto, "store.example", "/logs/"}, {StylePath, "store.example", "/logs/"}, {StyleHost, "logs.store.example", "/"},
	} {
		c := DefaultConfig()
		c.Endpoint, c.Bucket, c.AccessKey, c.SecretKey, c.Style = "http://store.example", "logs", "someone", "secret", want.style
		s, err := Open(c)
		require.NoError(t, err)
		s.transport.Proxy = nil
		s.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, strings.TrimPrefix(server.URL, "http://"))
		}
		require.NoError(t, s.Check(t.Context()))
		require.Equal(t, want.host, host, want.style)
		require.Equal(t, want.path, path, want.style)
		require.NoError(t, s.Close())
	}
}
