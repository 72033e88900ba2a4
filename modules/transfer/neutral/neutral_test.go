package neutral_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
	"dorado/modules/transfer/neutral"
)

func TestNamesLookLikeWhatTheyAre(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"daily":                         "daily",
		"  two\t\nwords ":               "two words",
		"日报 订单":                         "日报 订单",
		"évènement":                     "évènement",
		"pay\u202eexe.gpj":              "payexe.gpj", // turns what follows around
		"a\u200bb\u200dc\ufeff":         "abc",
		"soft\u00adhyphen":              "softhyphen",
		"nul\x00and\x1bescape":          "nulandescape",
		"hangul\u3164filler\u115f":      "hangulfiller",
		"braille\u2800blank":            "braille blank",
		"tag\U000e0041s":                "tags",
		"private\ue000use":              "privateuse",
		"no\u00a0break\u3000wide":       "no break wide",
		"broken\xff\xfeutf8":            "brokenutf8",
		"\u2066\u2069\u200b":            "",
		"variation\ufe0f":               "variation",
		strings.Repeat("长", 300):        strings.Repeat("长", 255),
		strings.Repeat("x", 254) + " y": strings.Repeat("x", 254),
	} {
		require.Equal(t, want, neutral.CleanName(in, 255), "%q", in)
	}
}

// archive makes a zip of files.
func archive(t testing.TB, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		f, err := w.CreateHeader(&zip.FileHeader{Name: files[i], Method: zip.Deflate})
		require.NoError(t, err)
		_, err = f.Write([]byte(files[i+1]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestAnArchiveIsReadInMemory(t *testing.T) {
	t.Parallel()
	entries, err := neutral.Unzip(archive(t, "a/b.json", "{}", "a/", "", "__MACOSX/a/._b.json", "junk", ".DS_Store", "junk", "c.sql", "select 1"))
	require.NoError(t, err)
	require.Equal(t, []neutral.Entry{{Path: "a/b.json", Data: []byte("{}")}, {Path: "c.sql", Data: []byte("select 1")}}, entries)
}

func TestAnArchiveThatLeadsOutOfItselfIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"../x.json", "a/../../x.json", "/etc/passwd", `..\x.json`, `C:\x.json`, "C:/x.json", "a\x00.json", "a\u202e.json", "..", "\xff.json",
		strings.Repeat("a", 600),
	} {
		_, err := neutral.Unzip(archive(t, name, "{}"))
		require.ErrorIs(t, err, neutral.ErrUnsafe, "%q", name)
	}
	_, err := neutral.Unzip(archive(t, "a.json", "{}", "./a.json", "{}"))
	require.ErrorIs(t, err, neutral.ErrUnsafe, "the same file twice")
}

func TestALinkInAnArchiveIsRefused(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	h := &zip.FileHeader{Name: "link.json"}
	h.SetMode(0o777 | 1<<27) // fs.ModeSymlink
	f, err := w.CreateHeader(h)
	require.NoError(t, err)
	_, err = f.Write([]byte("/etc/passwd"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = neutral.Unzip(out.Bytes())
	require.ErrorIs(t, err, neutral.ErrUnsafe)
}

func TestAnArchiveThatGrowsTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	bomb := archive(t, "bomb.json", strings.Repeat(" ", neutral.MaxUnpacked/2))
	require.Less(t, len(bomb), neutral.MaxUnpacked/100)
	_, err := neutral.Unzip(bomb)
	require.ErrorIs(t, err, neutral.ErrTooLarge, "by its ratio")

	var files []string
	for i := range 40 {
		files = append(files, fmt.Sprintf("%d.json", i), strings.Repeat("0123456789abcdef", 1<<16)+strings.Repeat("x", i))
	}
	_, err = neutral.Unzip(archive(t, files...))
	require.ErrorIs(t, err, neutral.ErrTooLarge, "many that are harmless one by one")

	files = nil
	for i := range neutral.MaxEntries + 1 {
		files = append(files, fmt.Sprintf("%d.json", i), "")
	}
	_, err = neutral.Unzip(archive(t, files...))
	require.ErrorIs(t, err, neutral.ErrUnsafe, "too many files")

	_, err = neutral.Unzip(make([]byte, neutral.MaxFile+1))
	require.ErrorIs(t, err, neutral.ErrTooLarge)
}

func TestAnArchiveThatLiesAboutSizesIsRefused(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	content := []byte(strings.Repeat("x", 1000))
	f, err := w.CreateRaw(&zip.FileHeader{Name: "a.json", CRC32: crc32.ChecksumIEEE(content), CompressedSize64: 1000, UncompressedSize64: 10})
	require.NoError(t, err)
	_, err = f.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = neutral.Unzip(out.Bytes())
	require.Error(t, err)
	_, err = neutral.Unzip([]byte("PK\x03\x04 and nothing else"))
	require.ErrorIs(t, err, neutral.ErrArchive)
}

func TestRewritingLeavesEverythingElseAsItIs(t *testing.T) {
	t.Parallel()
	in := `{ "b" : 7,"a":[7,"7", 7.0, "x7", -7],"deep":{"depTaskCode":7,"definitionCode":9},"t":"<&>\u00e9", "n":null,"z":true}`
	same := neutral.Rewrite(json.RawMessage(in), func(_ neutral.Place, n int64) int64 { return n }, func(_ neutral.Place, s string) string { return s })
	require.Equal(t, in, string(same))
	got := neutral.Rewrite(json.RawMessage(in), func(p neutral.Place, n int64) int64 {
		if p.Key == "depTaskCode" {
			return p.Object["definitionCode"]
		}
		if n == 7 {
			return 1234567890123
		}
		return n
	}, func(_ neutral.Place, s string) string { return strings.ReplaceAll(s, "x", "<y>") })
	want := `{ "b" : 1234567890123,"a":[1234567890123,"1234567890123", 7.0, "<y>7", -7],"deep":{"depTaskCode":9,"definitionCode":9},"t":"<&>\u00e9", "n":null,"z":true}`
	require.True(t, bytes.Equal([]byte(want), got), string(got))
	require.Equal(t, "{", string(neutral.Rewrite(json.RawMessage("{"), nil, nil)))
}

func FuzzRewrite(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, `7`, `"x"`, `{"a":{"b":[1,{"c":"2"}]}}`, `{"depTaskCode":"1","definitionCode":2}`, ` [ 1 , "\"" ] `, `{"a":"\\"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		same := neutral.Rewrite(json.RawMessage(s), func(_ neutral.Place, n int64) int64 { return n }, nil)
		require.Equal(t, s, string(same))
		other := neutral.Rewrite(json.RawMessage(s), func(_ neutral.Place, n int64) int64 { return n + 1 }, func(_ neutral.Place, x string) string { return x + "\"" })
		require.Equal(t, json.Valid([]byte(s)), json.Valid(other))
	})
}

func bundle(defs ...*flow.Definition) *neutral.Bundle {
	b := &neutral.Bundle{}
	for _, d := range defs {
		b.Workflows = append(b.Workflows, neutral.Workflow{File: "f", Definition: d})
	}
	return b
}

func keys(b *neutral.Bundle) []string {
	var out []string
	for _, n := range b.Notes {
		out = append(out, n.Key)
	}
	return out
}

func task(code int64, name string) flow.Task {
	t := neutral.DefaultTask()
	t.Code, t.Name, t.Type = code, name, "SHELL"
	return t
}

func TestFinishMakesNamesAndCodesUnique(t *testing.T) {
	t.Parallel()
	b := bundle(
		&flow.Definition{Code: 5, Name: "a\u200b", Tasks: []flow.Task{task(1, "t"), task(2, "t"), task(0, " ")}},
		&flow.Definition{Code: 5, Name: "a", Tasks: []flow.Task{task(1, "t")}},
	)
	require.NoError(t, b.Finish())
	first, second := b.Workflows[0].Definition, b.Workflows[1].Definition
	require.Equal(t, "a", first.Name)
	require.Equal(t, "a(1)", second.Name)
	require.NotEqual(t, first.Code, second.Code)
	require.Equal(t, "t_2", first.Tasks[1].Name)
	require.Equal(t, "task_3", first.Tasks[2].Name)
	require.Positive(t, first.Tasks[2].Code)
	require.Contains(t, keys(b), "transfer.note.name_cleaned")
	require.Contains(t, keys(b), "transfer.note.name_twice")
	require.Contains(t, keys(b), "transfer.note.code_twice")
	require.False(t, b.Workflows[0].Broken)
}

func TestFinishNamesWhatKeepsAWorkflowOut(t *testing.T) {
	t.Parallel()
	ring := bundle(&flow.Definition{Name: "ring", Tasks: []flow.Task{task(1, "a"), task(2, "b"), task(3, "c"), task(4, "d")}, Edges: []flow.Edge{
		{Pre: 1, Post: 2}, {Pre: 2, Post: 3}, {Pre: 3, Post: 2}, {Pre: 3, Post: 4},
	}})
	require.NoError(t, ring.Finish())
	require.True(t, ring.Workflows[0].Broken)
	require.Equal(t, []string{"transfer.note.cycle"}, keys(ring))
	require.Contains(t, []any{"b → c → b", "c → b → c"}, ring.Notes[0].Args[1])

	for want, d := range map[string]*flow.Definition{
		"transfer.note.no_tasks":        {Name: "x"},
		"transfer.note.edge_unknown":    {Name: "x", Tasks: []flow.Task{task(1, "a")}, Edges: []flow.Edge{{Pre: 1, Post: 9}}},
		"transfer.note.task_code_twice": {Name: "x", Tasks: []flow.Task{task(1, "a"), task(1, "b")}},
	} {
		b := bundle(d)
		require.NoError(t, b.Finish())
		require.True(t, b.Workflows[0].Broken, want)
		require.Contains(t, keys(b), want)
	}
	twice := bundle(&flow.Definition{Name: "x", Tasks: []flow.Task{task(1, "a"), task(2, "b")}, Edges: []flow.Edge{{Pre: 1, Post: 2}, {Pre: 1, Post: 2}}})
	require.NoError(t, twice.Finish())
	require.Len(t, twice.Workflows[0].Definition.Edges, 1)
	require.False(t, twice.Workflows[0].Broken)
	require.ErrorIs(t, (&neutral.Bundle{}).Finish(), neutral.ErrEmpty)
}
