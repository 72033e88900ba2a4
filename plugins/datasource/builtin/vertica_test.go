package builtin_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
)

// The driver itself is tested in plugins/datasource/verticadb.
func TestVerticasFailuresTellTheStep(t *testing.T) {
	t.Parallel()
	e := func(state string) string {
		body := "SFATAL\x00Mhunter2 is wrong\x00C" + state + "\x00\x00"
		return "E\x00\x00\x00" + string(rune(len(body)+4)) + body
	}
	for answer, want := range map[string]datasource.Step{
		e("28000"): datasource.SignIn, e("3D000"): datasource.Missing, e("57V03"): datasource.Ask, "N": datasource.Secure, "HTTP/1.1 400 Bad Request\r\n\r\n": datasource.Connect,
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					_, _ = c.Read(make([]byte, 1))
					_, _ = io.WriteString(c, answer)
					_, _ = io.Copy(io.Discard, c)
					c.Close()
				}()
			}
		}()
		flat := base()
		host, port, err := net.SplitHostPort(l.Addr().String())
		require.NoError(t, err)
		flat["host"], flat["port"], flat["other"] = host, port, ""
		if want == datasource.Secure {
			flat["other"] = `{"TLSmode":"verify-full"}`
		}
		require.Equal(t, want, step(t, kind(t, "VERTICA"), flat), answer)
	}
}
