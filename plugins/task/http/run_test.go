package httptask_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/form"
	"dorado/plugins/task"
	httptask "dorado/plugins/task/http"
)

// call runs one task named "call".
func call(t *testing.T, settings map[string]any, out ...form.Param) (task.Outcome, string, error) {
	t.Helper()
	raw, err := json.Marshal(settings)
	require.NoError(t, err)
	p := httptask.Plugin()
	values, problems := p.Decode(raw)
	require.Empty(t, problems)
	var log bytes.Buffer
	outcome, err := p.Run(t.Context(), values, task.Env{TaskName: "call", Out: out, Log: &log, Dir: t.TempDir()})
	return outcome, log.String(), err
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func header(name, value string) map[string]any {
	return map[string]any{"prop": name, "httpParametersType": "HEADERS", "value": value}
}

func TestTheAnswerIsHandedOn(t *testing.T) {
	t.Parallel()
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data":{"id":12345678901234567,"name":"a<b","list":[{"n":1,"ok":true},{"n":2.50}],"none":null},"weird key":"k"}`)
	})
	var out []form.Param
	for name, path := range map[string]string{
		"id": "$.data.id", "name": "$.data.name", "first": "$.data.list[0].ok", "all": "$.data.list[*].n", "object": "$.data.list[0]",
		"none": "$.data.none", "missing": "$.data.nothing", "deep": "$..ok", "found": "$.data.list[?(@.n > 1)].n", "key": "$['weird key']",
		"other": "fixed", "time": "$[yyyyMMdd]",
	} {
		out = append(out, form.Param{Prop: name, Direct: "OUT", Type: "VARCHAR", Value: path})
	}
	o, log, err := call(t, map[string]any{"url": at}, out...)
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"id": "12345678901234567", "name": "a<b", "first": "true", "all": "[1,2.5]", "object": `{"n":1,"ok":true}`, "none": "", "deep": "true", "found": "2.5", "key": "k",
	}, o.Out)
	require.Contains(t, log, "parameter missing stays empty")
	require.Len(t, o.Extra, 1)
	require.Equal(t, "call.response", o.Extra[0].Prop)
	require.Equal(t, "VARCHAR", o.Extra[0].Type)
	var response struct {
		Body       string
		StatusCode int
	}
	require.NoError(t, json.Unmarshal([]byte(o.Extra[0].Value), &response))
	require.Equal(t, 200, response.StatusCode)
	require.Contains(t, response.Body, `"a<b"`)
	require.Contains(t, o.Extra[0].Value, "a<b", "as it came")
}

func TestAnAnswerThatIsNoJSONLeavesParametersEmpty(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "<html>", "{", `{} {}`, strings.Repeat("[", 100_000), "\xff\xfe"} {
		at := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		o, log, err := call(t, map[string]any{"url": at}, form.Param{Prop: "x", Value: "$.a"})
		require.NoError(t, err)
		require.Empty(t, o.Out)
		require.Contains(t, log, "parameter x stays empty: the body is no JSON")
	}
}

func TestSecretsStayOutOfTheLog(t *testing.T) {
	t.Parallel()
	var got http.Header
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/next?access_token=hunter2", http.StatusFound)
			return
		}
		fmt.Fprint(w, `{"access_token":"hunter2","expires":60,"refresh_token" : "hunter2\"x","plain":"seen","cut":"${setValue(x=1)}"}`)
	})
	u, err := url.Parse(at)
	require.NoError(t, err)
	u.User = url.UserPassword("ann", "hunter2")
	_, log, err := call(t, map[string]any{"url": u.String() + "/?apikey=hunter2&page=7", "httpParams": []any{
		header("Authorization", "Bearer hunter2"), header("cookie", "a=hunter2"), header("X-Auth", "hunter2"), header("X-Api-Key", "hunter2"),
		header("X-Page", "three"), map[string]any{"prop": "client_secret", "httpParametersType": "PARAMETER", "value": "hunter2"},
	}})
	require.NoError(t, err)
	require.NotContains(t, log, "hunter2")
	require.Contains(t, log, "apikey=***&page=7")
	require.Contains(t, log, "X-Page: three")
	require.Contains(t, log, `"plain":"seen"`)
	require.NotContains(t, log, "{setValue(", "a server sets no parameters")
	require.Equal(t, "Bearer hunter2", got.Get("Authorization"), "the same host still gets them")
}

func TestSecretHeadersDoNotFollowToAnotherHost(t *testing.T) {
	t.Parallel()
	var got http.Header
	other := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() })
	at := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusTemporaryRedirect) })
	_, _, err := call(t, map[string]any{"url": at, "httpParams": []any{header("X-Api-Key", "hunter2"), header("Authorization", "hunter2"), header("X-Page", "three")}})
	require.NoError(t, err)
	require.Empty(t, got.Get("X-Api-Key"))
	require.Empty(t, got.Get("Authorization"))
	require.Equal(t, "three", got.Get("X-Page"))
}

func TestRedirectsEnd(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		if r.URL.Path == "/twice" && n > 2 {
			return
		}
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	})
	_, log, err := call(t, map[string]any{"url": at + "/loop"})
	require.ErrorContains(t, err, "more than 10 redirects")
	require.EqualValues(t, 11, asked.Load())
	require.Equal(t, 10, strings.Count(log, "redirected to"))

	asked.Store(0)
	_, _, err = call(t, map[string]any{"url": at + "/twice"})
	require.NoError(t, err)

	asked.Store(0)
	_, log, err = call(t, map[string]any{"url": at + "/twice", "followRedirects": false})
	require.ErrorContains(t, err, "the status is 302")
	require.EqualValues(t, 1, asked.Load(), log)
}

func TestARedirectToCredentialsOfTheCloudIsRefused(t *testing.T) {
	t.Parallel()
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	_, _, err := call(t, map[string]any{"url": at})
	require.ErrorContains(t, err, "not allowed")
}

func TestAnAnswerHasALargestSize(t *testing.T) {
	t.Parallel()
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		line := bytes.Repeat([]byte("x"), 1<<16)
		switch r.URL.Path {
		case "/bomb": // 64 MiB in a few kB
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for range 1024 {
				_, _ = z.Write(line)
			}
			_ = z.Close()
		case "/endless":
			for {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		case "/large":
			for range 32 {
				_, _ = w.Write(line)
			}
		}
	})
	for _, path := range []string{"/bomb", "/endless"} {
		_, log, err := call(t, map[string]any{"url": at + path})
		require.ErrorContains(t, err, "larger than 10 MiB", path)
		require.Less(t, len(log), 1000)
	}
	o, log, err := call(t, map[string]any{"url": at + "/large"})
	require.NoError(t, err)
	require.Empty(t, o.Extra, "other tasks could not carry it")
	require.Contains(t, log, "larger than 1 MiB")
	require.Less(t, len(log), 4000)
}

func TestTheBodyMayNotStallEither(t *testing.T) {
	t.Parallel()
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "beginning")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	_, _, err := call(t, map[string]any{"url": at, "socketTimeout": 100})
	require.ErrorContains(t, err, "said nothing")

	drip := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 10 {
			fmt.Fprint(w, ".")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	})
	_, _, err = call(t, map[string]any{"url": drip, "socketTimeout": 300})
	require.NoError(t, err, "slow is not silent")
}

func TestServersThatSpeakSomethingElse(t *testing.T) {
	t.Parallel()
	for _, said := range []string{
		"", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 999999 x\r\n\r\n", "\x00\x01\x02\xff\xfe", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
		"HTTP/1.1 302 Found\r\nLocation: gopher://x/\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: http://%zz\r\n\r\n", "HTTP/1.1 302 Found\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxxx", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2<<20),
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					_, _ = c.Read(make([]byte, 4096))
					_, _ = c.Write([]byte(said))
					_ = c.Close()
				}()
			}
		}()
		_, _, err = call(t, map[string]any{"url": "http://" + l.Addr().String() + "/?token=hunter2", "socketTimeout": 5000})
		require.Error(t, err, "%.60q", said)
		require.NotContains(t, err.Error(), "hunter2")
		require.NoError(t, l.Close())
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	_, _, err := call(t, map[string]any{"url": s.URL})
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown)
	_, log, err := call(t, map[string]any{"url": s.URL, "insecureSkipVerify": true})
	require.NoError(t, err)
	require.Contains(t, log, "is not checked")
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	_, _, err = call(t, map[string]any{"url": s.URL, "caCertificate": string(authority)})
	require.NoError(t, err)
}

func TestAProxyIsAsked(t *testing.T) {
	t.Parallel()
	target := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "behind") })
	var asked atomic.Int32
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.Out.URL = r.URL }}).ServeHTTP(w, r)
	})
	_, log, err := call(t, map[string]any{"url": target, "proxy": proxy})
	require.NoError(t, err)
	require.EqualValues(t, 1, asked.Load())
	require.Contains(t, log, "behind")
	_, _, err = call(t, map[string]any{"url": "http://169.254.169.254/", "proxy": proxy})
	require.ErrorContains(t, err, "not allowed")
	require.EqualValues(t, 1, asked.Load())
}

func TestTextInOtherEncodingsIsRead(t *testing.T) {
	t.Parallel()
	for kind, sent := range map[string]string{
		"text/plain; charset=GBK": "\xc4\xe3\xba\xc3", "text/plain; charset=utf-8": "你好", "text/plain": "你好", "text/plain; charset=nonsense": "你好", ";;": "你好",
	} {
		at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			fmt.Fprint(w, sent)
		})
		_, _, err := call(t, map[string]any{"url": at, "httpCheckCondition": "BODY_CONTAINS", "condition": "你好"})
		require.NoError(t, err, kind)
	}
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "\xff\x00\x1b[31m") })
	o, log, err := call(t, map[string]any{"url": at})
	require.NoError(t, err)
	require.NotContains(t, log, "\x1b")
	require.NotContains(t, o.Extra[0].Value, "\x00")
}

func TestACancelledRequestEndsAtOnce(t *testing.T) {
	t.Parallel()
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "beginning")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	p := httptask.Plugin()
	values, problems := p.Decode([]byte(`{"url":"` + at + `"}`))
	require.Empty(t, problems)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	begin := time.Now()
	_, err := p.Run(ctx, values, task.Env{Log: &bytes.Buffer{}})
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(begin), 2*time.Second)
}

func TestPlaceholdersAreNotJudgedBeforeTheyAreReplaced(t *testing.T) {
	t.Parallel()
	_, problems := httptask.Plugin().Decode([]byte(`{"url":"${base}/x","httpCheckCondition":"STATUS_CODE_CUSTOM","condition":"${ok}","proxy":"${proxy}","caCertificate":"${ca}",
		"httpParams":[{"prop":"${name}","httpParametersType":"HEADERS","value":"1"},{"prop":"x","value":"no type is a query parameter"}],
		"localParams":[{"prop":"t","direct":"OUT","type":"VARCHAR","value":"$[yyyyMMdd-1]"},{"prop":"u","direct":"OUT","type":"VARCHAR","value":"${x}"}]}`))
	require.Empty(t, problems)
	_, _, err := call(t, map[string]any{"url": "${base}/x"})
	require.ErrorContains(t, err, "must begin with http://", "nobody replaced it")
}
