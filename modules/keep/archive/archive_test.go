package archive_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"dorado/modules/keep/archive"
)

func header() archive.Header {
	return archive.Header{Program: "1.0.0", Schema: 6, Dialect: "sqlite", CreatedAt: time.Unix(1_700_000_000, 0).UTC(), Tables: []archive.Table{
		{Name: "parent", Columns: []archive.Column{{Name: "id", Type: archive.Int}, {Name: "name", Type: archive.Text}}},
		{Name: "child", Columns: []archive.Column{{Name: "id", Type: archive.Int}}},
	}}
}

// sample is a valid backup with rows in several pieces and a list of checksums in the middle.
func sample(t testing.TB, passphrase string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, passphrase, header())
	require.NoError(t, err)
	long := strings.Repeat("x", 3<<20)
	for i := range 4 {
		require.NoError(t, w.Row("parent", fmt.Appendf(nil, `[%d,"%s"]`, i, long)))
	}
	require.NoError(t, w.Row("child", []byte(`[7]`)))
	for i := range 1500 {
		require.NoError(t, w.File(fmt.Sprintf("logs/20260101/1/1/%d/%d.log", i, i), 5, time.Now(), strings.NewReader("hello and more")))
	}
	require.NoError(t, w.File("logs/short.log", 4, time.Now(), strings.NewReader("ab")), "a file that was cut meanwhile")
	m, err := w.Close()
	require.NoError(t, err)
	require.EqualValues(t, 5, m.AllRows())
	require.EqualValues(t, 1501, m.Files)
	return out.Bytes()
}

func read(data []byte, o archive.Options) (rows []string, files map[string]string, err error) {
	files = map[string]string{}
	_, _, err = archive.Read(context.Background(), bytes.NewReader(data), o, archive.Visitor{
		Row: func(table string, row []byte) error {
			rows = append(rows, table+string(row[:min(len(row), 3)]))
			return nil
		},
		File: func(name string, size int64, from io.Reader) error {
			text, err := io.ReadAll(from)
			if int64(len(text)) != size {
				return errors.New("the size is wrong")
			}
			files[name] = string(text)
			return err
		},
	})
	return rows, files, err
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, passphrase := range []string{"", "correct horse"} {
		rows, files, err := read(sample(t, passphrase), archive.Options{Passphrase: passphrase})
		require.NoError(t, err)
		require.Equal(t, []string{"parent[0,", "parent[1,", "parent[2,", "parent[3,", "child[7]"}, rows)
		require.Len(t, files, 1501)
		require.Equal(t, "hello", files["logs/20260101/1/1/1234/1234.log"])
		require.Equal(t, "ab\n\n", files["logs/short.log"])
	}
}

func TestAnEncryptedBackupNeedsItsPassphrase(t *testing.T) {
	t.Parallel()
	data := sample(t, "correct horse")
	for _, wrong := range []string{"", "battery staple"} {
		_, _, err := read(data, archive.Options{Passphrase: wrong})
		require.ErrorIs(t, err, archive.ErrPassphrase)
	}
	_, _, err := read(data[:len(data)-1], archive.Options{Passphrase: "correct horse"})
	require.ErrorIs(t, err, archive.ErrDamaged)
}

func TestEveryCutAndManyFlippedBitsAreNoticed(t *testing.T) {
	t.Parallel()
	data := sample(t, "")
	for _, cut := range []int{0, 1, 3, 100, len(data) / 4, len(data) / 2, len(data) - 100, len(data) - 1} {
		_, _, err := read(data[:cut], archive.Options{})
		require.Error(t, err, "%d of %d bytes", cut, len(data))
	}
	rows, files, err := read(data, archive.Options{})
	require.NoError(t, err)
	for at := 4; at < len(data); at += len(data)/40 + 1 {
		bad := bytes.Clone(data)
		bad[at] ^= 0x10
		r, f, err := read(bad, archive.Options{})
		if err == nil { // some bits of the packing mean nothing
			require.Equal(t, rows, r, "byte %d", at)
			require.Equal(t, files, f, "byte %d", at)
		}
	}
	for _, more := range []string{"x", string(data)} {
		_, _, err := read(append(bytes.Clone(data), more...), archive.Options{})
		require.Error(t, err, "something behind the end")
	}
	_, _, err = read([]byte("PK\x03\x04 is another kind of file"), archive.Options{})
	require.ErrorIs(t, err, archive.ErrNoBackup)
}

// member is one of a tar stream that somebody made by hand.
type member struct {
	name, body string
	kind       byte
	size       int64 // 0 = that of the body
}

func handmade(t testing.TB, members ...member) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	require.NoError(t, err)
	w := tar.NewWriter(z)
	for _, m := range members {
		if m.kind == 0 {
			m.kind = tar.TypeReg
		}
		if m.size == 0 {
			m.size = int64(len(m.body))
		}
		h := &tar.Header{Name: m.name, Typeflag: m.kind, Size: m.size, Mode: 0o644, Format: tar.FormatPAX}
		if m.kind == tar.TypeSymlink || m.kind == tar.TypeLink {
			h.Linkname, h.Size, m.body = "/etc/passwd", 0, ""
		}
		require.NoError(t, w.WriteHeader(h))
		_, err := io.WriteString(w, m.body)
		require.NoError(t, err)
	}
	_ = w.Close() // fails when a size was a lie; what is there is enough
	require.NoError(t, z.Close())
	return out.Bytes()
}

func TestHostileFilesAreRefused(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(func() archive.Header { h := header(); h.Format = archive.Format; return h }())
	require.NoError(t, err)
	head := member{name: "dorado-backup.json", body: string(text)}
	many := `{"format":1,"tables":[` + strings.Repeat(`{"name":"a","columns":[]},`, 2000) + `{"name":"b"}]}`
	for what, list := range map[string][]member{
		"no header":               {{name: "tables/parent/000001.jsonl", body: "[1]\n"}},
		"two headers":             {head, head},
		"a way out":               {head, {name: "files/../../etc/cron.d/x", body: "x"}},
		"a hidden way out":        {head, {name: "files/logs/a/../../../x", body: "x"}},
		"an absolute name":        {head, {name: "/etc/passwd", body: "x"}},
		"an absolute file":        {head, {name: "files//etc/passwd", body: "x"}},
		"a backslash":             {head, {name: `files/logs\..\x`, body: "x"}},
		"a symbolic link":         {head, {name: "files/logs/x", kind: tar.TypeSymlink}},
		"a hard link":             {head, {name: "files/logs/x", kind: tar.TypeLink}},
		"a device":                {head, {name: "files/logs/x", kind: tar.TypeChar}},
		"a folder":                {head, {name: "files/logs/", kind: tar.TypeDir}},
		"a long name":             {head, {name: "files/" + strings.Repeat("a/", 3000) + "x", body: "x"}},
		"an unknown member":       {head, {name: "install.sh", body: "x"}},
		"an unknown table":        {head, {name: "tables/users/000001.jsonl", body: "[1]\n"}},
		"a piece out of order":    {head, {name: "tables/parent/000002.jsonl", body: "[1]\n"}},
		"tables out of order":     {head, {name: "tables/child/000001.jsonl", body: "[1]\n"}, {name: "tables/parent/000001.jsonl", body: "[1]\n"}},
		"rows after files":        {head, {name: "files/logs/x", body: "x"}, {name: "tables/child/000001.jsonl", body: "[1]\n"}},
		"a row without end":       {head, {name: "tables/child/000001.jsonl", body: "[1]"}},
		"false checksums":         {head, {name: "checksums/000001.jsonl", body: `{"name":"dorado-backup.json","size":1,"sha256":"00"}` + "\n"}},
		"no checksums":            {head, {name: "manifest.json", body: `{"rows":{"parent":0,"child":0},"checksums":[]}`}},
		"too many tables":         {{name: "dorado-backup.json", body: many}},
		"a table of another kind": {{name: "dorado-backup.json", body: `{"format":1,"tables":[{"name":"a; DROP TABLE users","columns":[{"name":"id","type":"int"}]}]}`}},
		"a format of the future":  {{name: "dorado-backup.json", body: `{"format":99}`}},
		"a huge header":           {{name: "dorado-backup.json", size: 1 << 40}},
		"a huge list":             {head, {name: "checksums/000001.jsonl", size: 1 << 40}},
		"nothing":                 {},
	} {
		_, _, err := read(handmade(t, list...), archive.Options{})
		require.Error(t, err, what)
		require.True(t, errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrNoBackup) || errors.Is(err, archive.ErrNewer), "%s: %v", what, err)
	}
}

func TestAStreamThatUnpacksToTooMuchIsGivenUp(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, "", header())
	require.NoError(t, err)
	require.NoError(t, w.File("logs/zeros", 64<<20, time.Now(), strings.NewReader("")))
	_, err = w.Close()
	require.NoError(t, err)
	require.Less(t, out.Len(), 64<<10, "it is small")
	_, _, err = archive.Read(t.Context(), bytes.NewReader(out.Bytes()), archive.Options{MaxUnpacked: 32 << 20}, archive.Visitor{})
	require.ErrorIs(t, err, archive.ErrTooLarge)
	_, _, err = archive.Read(t.Context(), bytes.NewReader(out.Bytes()), archive.Options{MaxUnpacked: 65 << 20}, archive.Visitor{})
	require.NoError(t, err)
}

func TestReadingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := archive.Read(ctx, bytes.NewReader(sample(t, "")), archive.Options{}, archive.Visitor{})
	require.ErrorIs(t, err, context.Canceled)
}

// FuzzRead looks for input that makes the reader panic, hang, or accept what the writer would not have written.
func FuzzRead(f *testing.F) {
	h := header()
	h.Format = archive.Format
	text, err := json.Marshal(h)
	require.NoError(f, err)
	f.Add("dorado-backup.json", string(text), "tables/parent/000001.jsonl", "[1,\"a\"]\n", "manifest.json", "{}")
	f.Add("dorado-backup.json", string(text), "files/logs/../x", "x", "checksums/000001.jsonl", "{}")
	f.Add("dorado-backup.json", `{"format":1,"tables":null}`, "checksums/000001.jsonl", "\n", "manifest.json", `{"rows":{},"checksums":[]}`)
	f.Fuzz(func(t *testing.T, n1, b1, n2, b2, n3, b3 string) {
		var out bytes.Buffer
		z, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedFastest))
		require.NoError(t, err)
		w := tar.NewWriter(z)
		for _, m := range [][2]string{{n1, b1}, {n2, b2}, {n3, b3}} {
			if w.WriteHeader(&tar.Header{Name: m[0], Typeflag: tar.TypeReg, Size: int64(len(m[1]))}) != nil {
				return // no name for a tar
			}
			if _, err := io.WriteString(w, m[1]); err != nil {
				return
			}
		}
		require.NoError(t, w.Close())
		require.NoError(t, z.Close())
		_, _, err = read(out.Bytes(), archive.Options{})
		if err == nil {
			require.Equal(t, "manifest.json", n3, "three members are accepted only as header, checksums and manifest")
		}
		_, _, err = read([]byte(b1), archive.Options{}) // bytes as they come
		require.Error(t, err)
	})
}
