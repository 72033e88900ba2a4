package flow_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
)

func scan(t testing.TB, output string, piece int) map[string]string {
	t.Helper()
	s := flow.NewOutScanner()
	for at := 0; at < len(output); at += piece {
		n, err := s.Write([]byte(output[at:min(len(output), at+piece)]))
		require.NoError(t, err)
		require.Positive(t, n)
	}
	return s.Values()
}

func TestOutValuesAreFoundHoweverTheOutputIsCut(t *testing.T) {
	t.Parallel()
	lines := func(n int) string { return strings.Repeat("x\n", n-1) + "x" }
	for output, want := range map[string]map[string]string{
		"":                                          {},
		"plain\ntext {setValue(a=1)}":               {},
		"${setValue(a=1)}":                          {"a": "1"},
		"#{setValue(a=1)}":                          {"a": "1"},
		"${setValue(a=b=c)}":                        {"a": "b=c"},
		"${setValue(a=f(x))}":                       {"a": "f(x)"},
		"${setValue(a={\"k\":[1,2]})}":              {"a": `{"k":[1,2]}`},
		"${setValue(a= b )}":                        {"a": " b "},
		"${setValue( a =1)}":                        {"a": "1"},
		"${setValue(a=line 1\nline 2\r\n)}!":        {"a": "line 1\nline 2\n"},
		"${setValue(a)}${setValue(=1)}":             {},
		"${setValue(a=1":                            {},
		"${setValue(a=1)":                           {},
		"$${setValue(a=1)}":                         {"a": "1"},
		"${setValue${setValue(a=1)}":                {"a": "1"},
		"use ${setValue( to emit\n${setValue(a=1)}": {"a": "1"},
		"${setValue(a=${setValue(b=2)})}":           {"b": "2"},
		"x ${setValue(a=1)} y #{setValue(b=2)} ${setValue(c=)}\n":            {"a": "1", "b": "2", "c": ""},
		"${setValue(a=1)}\nmore\n${setValue(a=2)}\n":                         {"a": "2"},
		"${setValue(a=" + lines(1024) + ")}":                                 {"a": lines(1024)},
		"${setValue(a=" + lines(1025) + ")}":                                 {},
		"${setValue(a=" + lines(1025) + ")}${setValue(b=2)}":                 {"b": "2"},
		"${setValue(a=" + lines(1000) + "${setValue(b=" + lines(1000) + ")}": {"b": lines(1000)},
		"\x1b[32m${setValue(a=\x1b[1mv\x1b[0m)}\x1b[0m":                      {"a": "\x1b[1mv\x1b[0m"},
		"\xff\xfe${setValue(a=\xffx\x00)}\xff":                               {"a": "\uFFFDx\uFFFD"},
		"${setValue(键=值)}":                                                   {"键": "值"},
	} {
		for _, piece := range []int{1, 2, 3, 7, 10, 11, 12, 64, 1 << 20} {
			got := scan(t, output, piece)
			require.Equal(t, want, got, "in pieces of %d: %.80q", piece, output)
		}
	}
}

func TestOnlyDeclaredKeysAreKept(t *testing.T) {
	t.Parallel()
	s := flow.NewOutScanner(flow.Property{Prop: "a", Direct: flow.Out}, flow.Property{Prop: "b", Direct: flow.In})
	_, err := s.Write([]byte("${setValue(a=1)}${setValue(b=2)}${setValue(c=" + strings.Repeat("x", 900<<10) + ")}${setValue(d=" + strings.Repeat("x", 900<<10) + ")}"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "1"}, s.Values())
}

func TestMoreThanAMegabyteOfOutValuesIsAnError(t *testing.T) {
	t.Parallel()
	for _, output := range []string{
		"${setValue(a=" + strings.Repeat("x", 1<<20) + ")}",
		"${setValue(a=" + strings.Repeat("x", 3<<20) + ")}",
		"${setValue(a=" + strings.Repeat("x", 600<<10) + ")}${setValue(b=" + strings.Repeat("x", 600<<10) + ")}",
	} {
		s := flow.NewOutScanner()
		_, err := s.Write([]byte(output))
		require.ErrorIs(t, err, flow.ErrOutTooLarge)
		_, err = s.Write([]byte("more"))
		require.ErrorIs(t, err, flow.ErrOutTooLarge)
	}
	for name, output := range map[string]string{
		"replaced values do not add up": strings.Repeat("${setValue(a="+strings.Repeat("x", 600<<10)+")}", 4),
		"a marker that is never closed": "${setValue(a=" + strings.Repeat("x", 3<<20),
		"a value after such a marker":   "${setValue(a=" + strings.Repeat("x", 3<<20) + "${setValue(b=1)}",
	} {
		_, err := flow.NewOutScanner().Write([]byte(output))
		require.NoError(t, err, name)
	}
	require.Equal(t, map[string]string{"b": "1"}, scan(t, "${setValue(a="+strings.Repeat("x", 3<<20)+"${setValue(b=1)}", 4096))
}

func TestCollectOutListsDeclaredParametersOnly(t *testing.T) {
	t.Parallel()
	got := flow.CollectOut([]flow.Property{
		{Prop: "in", Direct: flow.In, Type: flow.Varchar, Value: "1"},
		{Prop: "out", Direct: flow.Out, Type: flow.Integer, Value: "2"},
		{Prop: "silent", Direct: flow.Out, Type: flow.Date, Value: "default"},
		{Prop: "unset", Value: "3"},
	}, map[string]string{"in": "x", "out": "7", "other": "y", "unset": "z"})
	require.Equal(t, []flow.Property{
		{Prop: "out", Direct: flow.Out, Type: flow.Integer, Value: "7"},
		{Prop: "silent", Direct: flow.Out, Type: flow.Date, Value: "default"},
	}, got)
}

func FuzzOutScanner(f *testing.F) {
	f.Add([]byte("a ${setValue(k=v)} #{setValue(k=w\n)}"), 3)
	f.Add([]byte("${setValue(a=${setValue(b=2)})}"), 1)
	f.Add([]byte("\xff${setValue(\x00=)"), 2)
	f.Fuzz(func(t *testing.T, output []byte, piece int) {
		whole := flow.NewOutScanner()
		_, err := whole.Write(output)
		require.NoError(t, err) // the fuzzer does not reach a megabyte
		require.Equal(t, whole.Values(), scan(t, string(output), 1+int(uint(piece)%64)))
	})
}

func BenchmarkOutScanner(b *testing.B) {
	line := []byte("2024-02-29 13:05:09 INFO a line of ${HOME} ordinary output #{x} with some length to it\n")
	log := bytes.Repeat(line, (1<<20)/len(line))
	log = append(log, "${setValue(rows=42)}\n"...)
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		s := flow.NewOutScanner()
		_, _ = s.Write(log)
		if s.Values()["rows"] != "42" {
			b.Fatal(fmt.Sprint(s.Values()))
		}
	}
}
