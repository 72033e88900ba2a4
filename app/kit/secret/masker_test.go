package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/secret"
)

func TestSecretsAreMaskedInEveryFormTheyTake(t *testing.T) {
	t.Parallel()
	const value = `p&ss w'rd/"<ö>+`
	m := secret.NewMasker(value, "key-line-one\nkey-line-two\n")
	quoted, err := json.Marshal(value)
	require.NoError(t, err)
	for name, text := range map[string]string{
		"plain": value, "query": url.QueryEscape(value), "path": url.PathEscape(value), "json": string(quoted),
		"base64": base64.StdEncoding.EncodeToString([]byte(value)), "base64 url": base64.URLEncoding.EncodeToString([]byte(value)),
		"shell": `'` + strings.ReplaceAll(value, "'", `'\''`) + `'`, "one line of two": "x key-line-two x",
	} {
		out := m.Text("before " + text + " after")
		require.Contains(t, out, "***", name)
		require.NotContains(t, out, strings.Trim(text, `"'x =`), name)
		require.True(t, strings.HasPrefix(out, "before ") && strings.HasSuffix(out, " after"), "%s: %s", name, out)
	}
	for _, user := range []string{"", "u", "us", "use", "user"} { // as in an Authorization header
		text := base64.StdEncoding.EncodeToString([]byte(user + ":" + value + "?"))
		out := m.Text(text)
		require.Contains(t, out, "***")
		require.Less(t, len(strings.ReplaceAll(out, "***", "")), 14, "%s leaves %s", text, out)
	}
}

func TestShortValuesAreNotMaskedAndOverlapsLeaveNothing(t *testing.T) {
	t.Parallel()
	require.Nil(t, secret.NewMasker("", "abc", "1"))
	require.Equal(t, "text", (*secret.Masker)(nil).Text("text"))
	m := secret.NewMasker("abcdef", "defghi", "abcd")
	require.Equal(t, "***", m.Text("abcdefghi"))
	require.Equal(t, "*** ***x", m.Text("abcd abcdefx"))
	require.Equal(t, "abc def", m.Text("abc def"))
}

func TestMaskingDoesNotDependOnHowTextArrives(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		alphabet := "ab"
		if r.IntN(2) == 0 {
			alphabet = "abc\n"
		}
		random := func(n int) string {
			b := make([]byte, n)
			for i := range b {
				b[i] = alphabet[r.IntN(len(alphabet))]
			}
			return string(b)
		}
		values := []string{random(4 + r.IntN(6)), random(4 + r.IntN(3))}
		text := random(r.IntN(200))
		whole := secret.NewMasker(values...)
		if whole == nil {
			continue
		}
		want := whole.Text(text)
		m := secret.NewMasker(values...)
		var got []byte
		for rest := []byte(text); len(rest) > 0; {
			n := 1 + r.IntN(min(len(rest), 7))
			got = m.Add(got, bytes.Clone(rest[:n]))
			rest = rest[n:]
			if r.IntN(4) == 0 { // another program goes on
				next := secret.NewMasker(values...)
				next.SetPending(bytes.Clone(m.Pending()))
				m = next
			}
		}
		got = m.End(got)
		require.Equal(t, want, string(got), "%q in %q", values, text)
		for _, v := range values {
			if v = strings.TrimSpace(v); len(v) >= secret.MinMasked {
				require.NotContains(t, string(got), v)
			}
		}
	}
}

func TestTextThatCannotBecomeASecretIsNotHeldBack(t *testing.T) {
	t.Parallel()
	m := secret.NewMasker("hunter2")
	require.Equal(t, "progress 10%\n", string(m.Add(nil, []byte("progress 10%\n"))))
	require.Equal(t, "x ", string(m.Add(nil, []byte("x hun"))))
	require.Equal(t, "***!", string(m.Add(nil, []byte("ter2!"))))
	require.Empty(t, m.Add(nil, []byte("hunte")))
	require.Equal(t, "hunte", string(m.End(nil)))
}

func BenchmarkMasker(b *testing.B) {
	line := []byte("2026-05-01 08:00:00.123 INFO [main] com.example.Loader - copied 4096 rows from staging.orders in 12 ms\n")
	chunk := bytes.Repeat(line, 640)
	for name, values := range map[string][]string{
		"one secret": {"correct-horse-battery"},
		"ten secrets": {
			"alpha-1-secret", "bravo-2-secret", "charlie-3-sec", "delta-4-secret", "echo-5-secret", "foxtrot-6-secr", "golf-7-secret", "hotel-8-secret", "india-9-secret", "juliett-10-secret",
		},
	} {
		b.Run(name, func(b *testing.B) {
			m := secret.NewMasker(values...)
			out := make([]byte, 0, 2*len(chunk))
			b.SetBytes(int64(len(chunk)))
			for b.Loop() {
				out = m.Add(out[:0], chunk)
			}
		})
	}
}
