package storagetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/storage"
)

// Run checks a store. open returns an empty one; it is called once for each test.
func Run(t *testing.T, open func(t *testing.T) storage.Storage) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, storage.Storage){
		"what is stored is read again, whatever its name":            roundTrip,
		"content is replaced as a whole":                             replace,
		"content that is shorter than announced changes nothing":     short,
		"reading begins where it is asked to":                        offsets,
		"a stream of unknown length is stored in parts":              stream,
		"what is not there is not found":                             missing,
		"a key that leads elsewhere is refused":                      traversal,
		"folders list their children, or all that lies below":        list,
		"a list is as long as the folder":                            longList,
		"a folder that was made stays until it is removed":           folders,
		"a folder in which something lies is not removed":            fullFolder,
		"a copy is independent of what it was made from":             copies,
		"a tree is copied, moved and removed with all that is in it": trees,
		"writers of one key do not mix":                              concurrent,
		"a cancelled request ends":                                   cancelled,
		"a store that can be used says so":                           check,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			test(t, s)
		})
	}
}

func put(t *testing.T, s storage.Storage, key, content string) storage.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, strings.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	return info
}

func get(t *testing.T, s storage.Storage, key string, offset int64) (string, storage.Info) {
	t.Helper()
	r, info, err := s.Get(t.Context(), key, offset)
	require.NoError(t, err)
	content, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(content), info
}

func keys(t *testing.T, s storage.Storage, folder string, deep bool) []string {
	t.Helper()
	found := []string{}
	for info, err := range s.List(t.Context(), folder, deep) {
		require.NoError(t, err)
		found = append(found, info.Key)
	}
	slices.Sort(found)
	return found
}

// files leaves out folders: stores differ in which of them a deep list names.
func files(all []string) []string {
	return slices.DeleteFunc(all, func(k string) bool { return strings.HasSuffix(k, "/") })
}

func roundTrip(t *testing.T, s storage.Storage) {
	for _, key := range []string{
		"a", "a b/c d.log", "数据/日志 1.log", "x/y/z/0.log", "quote'\"&<>?#%+=@:;,~()[]{}!$^`|.txt", "é/ü", "dots/..a/.hidden/a..b", "v1.2/name",
	} {
		content := "content of " + key
		put(t, s, key, content)
		got, info := get(t, s, key, 0)
		require.Equal(t, content, got, key)
		require.Equal(t, key, info.Key)
		require.EqualValues(t, len(content), info.Size)
		require.NotEmpty(t, info.Version)
		stat, err := s.Stat(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, info.Version, stat.Version)
		require.Equal(t, info.Size, stat.Size)
		require.False(t, stat.Modified.IsZero())
	}
	put(t, s, "empty", "")
	got, info := get(t, s, "empty", 0)
	require.Empty(t, got)
	require.Zero(t, info.Size)
	require.Len(t, files(keys(t, s, "", true)), 9)
}

func replace(t *testing.T, s storage.Storage) {
	put(t, s, "k/v", "a longer first content")
	first, err := s.Stat(t.Context(), "k/v")
	require.NoError(t, err)
	put(t, s, "k/v", "second")
	got, info := get(t, s, "k/v", 0)
	require.Equal(t, "second", got)
	require.NotEqual(t, first.Version, info.Version)
	require.Equal(t, []string{"k/v"}, files(keys(t, s, "", true)))
}

func short(t *testing.T, s storage.Storage) {
	put(t, s, "k/v", "first")
	_, err := s.Put(t.Context(), "k/v", onlyReader{strings.NewReader("sec")}, 6)
	require.Error(t, err)
	broken := errors.New("the disk is broken")
	_, err = s.Put(t.Context(), "k/v", io.MultiReader(strings.NewReader("sec"), failing{broken}), storage.Unknown)
	require.ErrorIs(t, err, broken)
	got, _ := get(t, s, "k/v", 0)
	require.Equal(t, "first", got)
	_, err = s.Put(t.Context(), "k/more", onlyReader{strings.NewReader("announced, and more")}, 9)
	require.NoError(t, err)
	got, _ = get(t, s, "k/more", 0)
	require.Equal(t, "announced", got)
	require.Equal(t, []string{"k/more", "k/v"}, files(keys(t, s, "", true)))
}

type onlyReader struct{ io.Reader }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func offsets(t *testing.T, s storage.Storage) {
	put(t, s, "n", "0123456789")
	for offset, want := range map[int64]string{0: "0123456789", 1: "123456789", 9: "9", 10: "", 1000: ""} {
		got, info := get(t, s, "n", offset)
		require.Equal(t, want, got, offset)
		require.EqualValues(t, 10, info.Size, offset)
	}
	r, _, err := s.Get(t.Context(), "n", 2)
	require.NoError(t, err)
	two := make([]byte, 2)
	_, err = io.ReadFull(r, two)
	require.NoError(t, err)
	require.Equal(t, "23", string(two))
	require.NoError(t, r.Close(), "one may stop in the middle")
}

// stream sends more than two parts of a multipart upload.
func stream(t *testing.T, s storage.Storage) {
	const size = 40<<20 + 12345
	sum := sha256.New()
	_, err := s.Put(t.Context(), "big/unknown", onlyReader{io.TeeReader(io.LimitReader(&pattern{}, size), sum)}, storage.Unknown)
	require.NoError(t, err)
	content := make([]byte, size)
	_, err = io.ReadFull(&pattern{}, content)
	require.NoError(t, err)
	_, err = s.Put(t.Context(), "big/known", bytes.NewReader(content), size)
	require.NoError(t, err)
	for _, key := range []string{"big/unknown", "big/known"} {
		r, info, err := s.Get(t.Context(), key, 0)
		require.NoError(t, err)
		require.EqualValues(t, size, info.Size)
		got := sha256.New()
		_, err = io.Copy(got, r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, sum.Sum(nil), got.Sum(nil), key)
	}
	tail, _ := get(t, s, "big/known", size-5)
	require.Equal(t, string(content[size-5:]), tail)
}

// pattern gives bytes that differ from place to place.
type pattern struct{ at uint32 }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(p.at>>3 ^ p.at*2654435761>>24)
		p.at++
	}
	return len(b), nil
}

func missing(t *testing.T, s storage.Storage) {
	put(t, s, "here/a", "a")
	for _, key := range []string{"gone", "here/b", "here/a/b", "here"} {
		_, _, err := s.Get(t.Context(), key, 0)
		require.ErrorIs(t, err, storage.ErrNotFound, key)
		_, err = s.Stat(t.Context(), key)
		require.ErrorIs(t, err, storage.ErrNotFound, key)
		require.ErrorIs(t, s.Copy(t.Context(), key, "copy"), storage.ErrNotFound, key)
	}
	_, err := s.Stat(t.Context(), "gone/")
	require.ErrorIs(t, err, storage.ErrNotFound)
	require.Empty(t, keys(t, s, "gone/", true))
	require.NoError(t, s.Delete(t.Context(), "gone", "gone/too", "gone/"))
	require.NoError(t, s.Delete(t.Context()))
	require.Equal(t, []string{"here/a"}, files(keys(t, s, "", true)))
}

func traversal(t *testing.T, s storage.Storage) {
	for _, key := range []string{
		"", ".", "..", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "a/..", "a\\..\\b", "a\x00b", "a\nb", "\xff",
		storage.Reserved + "/x", strings.Repeat("n", 256), strings.Repeat("d/", 600) + "x",
	} {
		_, err := s.Put(t.Context(), key, strings.NewReader("x"), 1)
		require.ErrorIs(t, err, storage.ErrBadKey, "%q", key)
		_, _, err = s.Get(t.Context(), key, 0)
		require.ErrorIs(t, err, storage.ErrBadKey, "%q", key)
		_, err = s.Stat(t.Context(), key)
		require.ErrorIs(t, err, storage.ErrBadKey, "%q", key)
		require.ErrorIs(t, s.Delete(t.Context(), key), storage.ErrBadKey, "%q", key)
		require.ErrorIs(t, s.Copy(t.Context(), key, "k"), storage.ErrBadKey, "%q", key)
		require.ErrorIs(t, s.Copy(t.Context(), "k", key), storage.ErrBadKey, "%q", key)
		require.ErrorIs(t, s.MakeDir(t.Context(), key+"/"), storage.ErrBadKey, "%q", key)
		if key != "" {
			for _, err := range s.List(t.Context(), key+"/", false) {
				require.ErrorIs(t, err, storage.ErrBadKey, "%q", key)
			}
		}
	}
	_, err := s.Put(t.Context(), "folder/", strings.NewReader("x"), 1)
	require.ErrorIs(t, err, storage.ErrBadKey)
	require.ErrorIs(t, s.MakeDir(t.Context(), "no-folder"), storage.ErrBadKey)
	require.Empty(t, keys(t, s, "", true))
}

func list(t *testing.T, s storage.Storage) {
	for _, key := range []string{"l/1", "l/2", "l/sub/3", "l/sub/deep/4", "l/sub.txt", "lx/5", "6"} {
		put(t, s, key, key)
	}
	require.Equal(t, []string{"6", "l/", "lx/"}, keys(t, s, "", false))
	require.Equal(t, []string{"l/1", "l/2", "l/sub.txt", "l/sub/"}, keys(t, s, "l/", false))
	require.Equal(t, []string{"l/1", "l/2", "l/sub.txt", "l/sub/3", "l/sub/deep/4"}, files(keys(t, s, "l/", true)))
	require.Equal(t, []string{"l/sub/3", "l/sub/deep/4"}, files(keys(t, s, "l/sub/", true)))
	info, err := s.Stat(t.Context(), "l/sub/")
	require.NoError(t, err)
	require.True(t, info.Dir())
	for info, err := range s.List(t.Context(), "l/", true) {
		require.NoError(t, err)
		if !info.Dir() {
			require.EqualValues(t, len(info.Key), info.Size)
		}
		break // a reader may stop early
	}
}

func longList(t *testing.T, s storage.Storage) {
	const n = 2100 // more than two pages of an object store
	var group sync.WaitGroup
	errs := make(chan error, n)
	for w := range 8 {
		group.Go(func() {
			for i := w; i < n; i += 8 {
				_, err := s.Put(t.Context(), fmt.Sprintf("many/%05d", i), strings.NewReader("x"), 1)
				errs <- err
			}
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Len(t, keys(t, s, "many/", false), n)
	require.NoError(t, storage.DeleteTree(t.Context(), s, "many/"))
	require.Empty(t, keys(t, s, "", true))
}

func folders(t *testing.T, s storage.Storage) {
	require.NoError(t, s.MakeDir(t.Context(), "made/below/"))
	require.NoError(t, s.MakeDir(t.Context(), "made/below/"))
	require.Equal(t, []string{"made/below/"}, keys(t, s, "made/", false))
	require.Contains(t, keys(t, s, "", true), "made/below/")
	put(t, s, "made/below/file", "x")
	require.NoError(t, s.Delete(t.Context(), "made/below/file"))
	require.Equal(t, []string{"made/below/"}, keys(t, s, "made/", false), "it was made, so it stays")
	require.Empty(t, keys(t, s, "made/below/", false))
	require.NoError(t, s.Delete(t.Context(), "made/below/"))
	require.Empty(t, keys(t, s, "made/", false))

	put(t, s, "came/with/file", "x")
	require.NoError(t, s.Delete(t.Context(), "came/with/file"))
	require.NoError(t, storage.Prune(t.Context(), s, "came/with/"))
	require.NotContains(t, keys(t, s, "", false), "came/")
}

func fullFolder(t *testing.T, s storage.Storage) {
	require.NoError(t, s.MakeDir(t.Context(), "full/"))
	put(t, s, "full/file", "x")
	require.NoError(t, s.Delete(t.Context(), "full/"))
	require.NoError(t, s.Delete(t.Context(), "full"), "there is no file of this name")
	require.NoError(t, storage.Prune(t.Context(), s, "full/"))
	require.Equal(t, []string{"full/file"}, keys(t, s, "full/", false))
	require.NoError(t, s.Delete(t.Context(), "full/file"))
	require.Equal(t, []string{"full/"}, keys(t, s, "", false))
}

func copies(t *testing.T, s storage.Storage) {
	put(t, s, "from/一 1", "content")
	require.NoError(t, s.Copy(t.Context(), "from/一 1", "to/二 2"))
	require.NoError(t, s.Copy(t.Context(), "to/二 2", "to/二 2"))
	put(t, s, "from/一 1", "changed")
	got, _ := get(t, s, "to/二 2", 0)
	require.Equal(t, "content", got)
	require.NoError(t, storage.Move(t.Context(), s, "from/一 1", "to/二 2"))
	require.NoError(t, storage.Move(t.Context(), s, "to/二 2", "to/二 2"))
	got, _ = get(t, s, "to/二 2", 0)
	require.Equal(t, "changed", got)
	_, err := s.Stat(t.Context(), "from/一 1")
	require.ErrorIs(t, err, storage.ErrNotFound)
}

func trees(t *testing.T, s storage.Storage) {
	for _, key := range []string{"t/a", "t/b/c", "t/b/d e"} {
		put(t, s, key, key)
	}
	require.NoError(t, s.MakeDir(t.Context(), "t/empty/"))
	require.NoError(t, storage.CopyTree(t.Context(), s, "t/", "copy/of/t/"))
	require.Equal(t, []string{"copy/of/t/a", "copy/of/t/b/", "copy/of/t/empty/"}, keys(t, s, "copy/of/t/", false))
	got, _ := get(t, s, "copy/of/t/b/d e", 0)
	require.Equal(t, "t/b/d e", got)

	require.NoError(t, storage.MoveTree(t.Context(), s, "t/", "moved/t/"))
	require.Equal(t, []string{"moved/t/a", "moved/t/b/c", "moved/t/b/d e"}, files(keys(t, s, "moved/", true)))
	require.Equal(t, []string{"copy/", "moved/"}, keys(t, s, "", false))

	require.NoError(t, storage.DeleteTree(t.Context(), s, "moved/"))
	require.NoError(t, storage.DeleteTree(t.Context(), s, "moved/"))
	require.Equal(t, []string{"copy/"}, keys(t, s, "", false))
	require.ErrorIs(t, storage.CopyTree(t.Context(), s, "copy/", "copy/inside/"), storage.ErrBadKey)
	require.ErrorIs(t, storage.MoveTree(t.Context(), s, "copy/of/", "copy/"), storage.ErrBadKey)
	require.ErrorIs(t, storage.DeleteTree(t.Context(), s, "../"), storage.ErrBadKey)
}

func concurrent(t *testing.T, s storage.Storage) {
	const writers, size = 8, 64 << 10
	var group sync.WaitGroup
	errs := make(chan error, 10*writers)
	for w := range writers {
		group.Go(func() {
			content := bytes.Repeat([]byte{byte('a' + w)}, size)
			for range 5 {
				_, err := s.Put(t.Context(), "shared", bytes.NewReader(content), size)
				errs <- err
			}
		})
		group.Go(func() {
			for range 5 {
				errs <- whole(t.Context(), s, size)
			}
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.NoError(t, whole(t.Context(), s, size))
}

// whole reports whether a reader sees the content of one writer only.
func whole(ctx context.Context, s storage.Storage, size int) error {
	r, _, err := s.Get(ctx, "shared", 0)
	if errors.Is(err, storage.ErrNotFound) {
		return nil // before the first
	}
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if len(content) != size || bytes.Count(content, content[:1]) != size {
		return fmt.Errorf("%d bytes of several writers", len(content))
	}
	return nil
}

func cancelled(t *testing.T, s storage.Storage) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Put(ctx, "k", io.MultiReader(io.LimitReader(&pattern{}, 1<<20), canceller(cancel), &pattern{}), storage.Unknown)
	require.Error(t, err)
	_, err = s.Stat(t.Context(), "k")
	require.ErrorIs(t, err, storage.ErrNotFound)
}

// canceller is an empty reader that cancels.
type canceller context.CancelFunc

func (c canceller) Read([]byte) (int, error) {
	c()
	return 0, io.EOF
}

func check(t *testing.T, s storage.Storage) { require.NoError(t, s.Check(t.Context())) }
