package resource_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/resource"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
	"dorado/plugins/storage"
	"dorado/plugins/storage/local"
)

// center is a resource center with two tenants: gwen is of etl, nobody of ops.
type center struct {
	*resource.Module
	app   *crudtest.App
	clock *clock
	used  *naming
	admin context.Context
	gwen  context.Context
}

type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// naming knows one task that names a file.
type naming struct{ name string }

func (n *naming) ResourceUses(_ context.Context, name string, _ int) ([]resource.Use, error) {
	if n.name == name || n.name != "" && strings.HasPrefix(n.name, name+"/") {
		return []resource.Use{{Name: n.name, Workflow: "daily", Task: "load"}}, nil
	}
	return nil, nil
}

func newCenter(t *testing.T, d *db.DB, change func(*resource.Config)) *center {
	t.Helper()
	app := crudtest.NewApp(t, d, tenant.Rules(), queue.Rules(), resource.Rules())
	queues := queue.New(queue.Deps{DB: d, Access: app.Access, Audit: app.Audit, Site: app.Site, API: app.API, Frame: app.Frame})
	tenants := tenant.New(tenant.Deps{DB: d, Access: app.Access, Audit: app.Audit, Queues: queues.Service, Site: app.Site, API: app.API, Frame: app.Frame})
	files, err := local.Open(local.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, files.Close()) })
	c := &center{app: app, clock: &clock{}, used: &naming{}}
	cfg := resource.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	c.Module = resource.New(resource.Deps{
		Services: resource.Services{
			DB: d, Storage: files, Names: resource.Names{Prefix: "file:", Base: cfg.Base}, Config: cfg, Access: app.Access, Audit: app.Audit,
			Tenants: tenants.Service, Now: c.clock.now, Logger: slog.New(slog.DiscardHandler),
		},
		Site: app.Site, API: app.API, Frame: app.Frame,
	})
	c.AddReferrer(c.used)
	c.admin, c.gwen = crudtest.As(app.Admin)(t.Context()), crudtest.As(app.General)(t.Context())
	q, err := queues.Create(c.admin, queue.Draft{Name: "q", Value: "q"})
	require.NoError(t, err)
	for _, code := range []string{"etl", "ops"} {
		tn, err := tenants.Create(c.admin, tenant.Draft{Code: code, QueueID: q.ID})
		require.NoError(t, err)
		if code == "etl" {
			_, err = d.Exec(t.Context(), `UPDATE users SET tenant_id = ? WHERE id = ?`, tn.ID, app.General.UserID)
			require.NoError(t, err)
		}
	}
	return c
}

func etl(path string) resource.Ref { return resource.Ref{Tenant: "etl", Path: path} }

func (c *center) write(t *testing.T, path, text string, when resource.When) resource.File {
	t.Helper()
	f, err := c.Write(c.gwen, etl(path), resource.Content{Reader: strings.NewReader(text), Size: int64(len(text)), When: when})
	require.NoError(t, err)
	return f
}

func (c *center) read(t *testing.T, path string, revision int) string {
	t.Helper()
	_, r, err := c.Open(c.gwen, etl(path), revision, 0)
	require.NoError(t, err)
	raw, err := io.ReadAll(r)
	require.NoError(t, errors.Join(err, r.Close()))
	return string(raw)
}

func (c *center) names(t *testing.T, folder, search string) []string {
	t.Helper()
	page, err := c.Page(c.gwen, etl(folder), listing.New(resource.Spec(), 1, 100, search))
	require.NoError(t, err)
	out := []string{}
	for _, f := range page.Items {
		out = append(out, f.Path)
	}
	return out
}

func each(t *testing.T, test func(t *testing.T, c *center)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { test(t, newCenter(t, d, nil)) })
}

func TestAFileIsWrittenWithTheFoldersAboveAndReadBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *center) {
		f := c.write(t, "jobs/2026/报表 v1.2.sql", "select 1", resource.Create)
		sum := sha256.Sum256([]byte("select 1"))
		require.Equal(t, hex.EncodeToString(sum[:]), f.SHA256)
		require.Equal(t, 1, f.Revision)
		require.Equal(t, "select 1", c.read(t, "jobs/2026/报表 v1.2.sql", 0))
		require.Equal(t, []string{"jobs"}, c.names(t, "", ""))
		require.Equal(t, []string{"jobs/2026"}, c.names(t, "jobs", ""))
		require.Equal(t, []string{"jobs/2026/报表 v1.2.sql"}, c.names(t, "", "报表"), "a search looks below, too")
		u, err := c.Usage(c.gwen, "etl")
		require.NoError(t, err)
		require.EqualValues(t, 1, u.Files)
		require.EqualValues(t, 8, u.Bytes)
		_, err = c.Write(c.gwen, etl("jobs"), resource.Content{Reader: strings.NewReader("x"), Size: 1, When: resource.Put})
		require.ErrorIs(t, err, resource.ErrIsFolder)
		_, err = c.Write(c.gwen, etl("jobs/2026/报表 v1.2.sql/below"), resource.Content{Reader: strings.NewReader("x"), Size: 1})
		require.ErrorIs(t, err, resource.ErrNotFolder)
	})
}

func TestEachContentIsARevisionThatCanComeBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *center) {
		c.write(t, "a.sh", "one", resource.Create)
		_, err := c.Write(c.gwen, etl("a.sh"), resource.Content{Reader: strings.NewReader("x"), Size: 1, When: resource.Create})
		require.ErrorIs(t, err, resource.ErrExists)
		require.Equal(t, 2, c.write(t, "a.sh", "two", resource.Replace).Revision)
		require.Equal(t, 2, c.write(t, "a.sh", "two", resource.Put).Revision, "what it holds already is no new revision")
		_, err = c.Write(c.gwen, etl("a.sh"), resource.Content{Reader: strings.NewReader("late"), Size: 4, When: resource.Replace, Seen: 1})
		require.ErrorIs(t, err, resource.ErrChanged)
		require.Equal(t, "one", c.read(t, "a.sh", 1))
		f, err := c.Restore(c.gwen, etl("a.sh"), 1, "back")
		require.NoError(t, err)
		require.Equal(t, 3, f.Revision)
		require.Equal(t, "one", c.read(t, "a.sh", 0))
		_, all, err := c.Revisions(c.gwen, etl("a.sh"))
		require.NoError(t, err)
		require.Len(t, all, 3)
		require.Equal(t, "back", all[0].Message)
		require.Equal(t, "gwen", all[0].UserName)
	})
}

func TestMovingAFolderMovesWhatLiesBelow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *center) {
		c.write(t, "日本/x/a.txt", "a", resource.Create)
		c.write(t, "日本x/b.txt", "b", resource.Create)
		_, err := c.Move(c.gwen, etl("日本"), etl("new/place"))
		require.NoError(t, err)
		tree, err := c.Tree(c.gwen, etl(""))
		require.NoError(t, err)
		var paths []string
		for _, f := range tree {
			paths = append(paths, f.Path)
		}
		require.ElementsMatch(t, []string{"new", "new/place", "new/place/x", "new/place/x/a.txt", "日本x", "日本x/b.txt"}, paths)
		require.Equal(t, []string{"new/place/x/a.txt"}, c.names(t, "new/place/x", ""))
		require.Equal(t, "a", c.read(t, "new/place/x/a.txt", 0))
		_, err = c.Move(c.gwen, etl("new"), etl("new/place/deeper"))
		require.ErrorIs(t, err, resource.ErrIntoItself)
		_, err = c.Move(c.gwen, etl("new/place"), etl("日本x/b.txt"))
		require.ErrorIs(t, err, resource.ErrExists)
	})
}

func TestWhatATaskNamesIsNeitherDeletedNorRenamed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *center) {
		c.write(t, "lib/used.sh", "x", resource.Create)
		c.used.name = "etl/lib/used.sh"
		for _, name := range []string{"lib/used.sh", "lib"} {
			require.ErrorIs(t, c.Delete(c.gwen, etl(name)), resource.ErrInUse)
			_, err := c.Move(c.gwen, etl(name), etl("elsewhere"))
			require.ErrorIs(t, err, resource.ErrInUse)
		}
		require.Equal(t, 2, c.write(t, "lib/used.sh", "y", resource.Replace).Revision, "its content may change")
		c.used.name = ""
		require.NoError(t, c.Delete(c.gwen, etl("lib")))
		require.Empty(t, c.names(t, "", ""))
		_, err := c.Get(c.gwen, etl("lib/used.sh"))
		require.ErrorIs(t, err, resource.ErrNotFound)
	})
}

func TestContentsOfDeletedFilesLeaveTheStorageADayLater(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *center) {
		f := c.write(t, "a.txt", "x", resource.Create)
		require.NoError(t, c.Delete(c.gwen, etl("a.txt")))
		require.NoError(t, c.Sweep(t.Context()))
		_, err := c.Storage.Stat(t.Context(), f.Blob)
		require.NoError(t, err, "somebody may be reading it")
		c.clock.ahead.Store(int64(25 * time.Hour))
		require.NoError(t, c.Sweep(t.Context()))
		_, err = c.Storage.Stat(t.Context(), f.Blob)
		require.Error(t, err)
	})
}

func TestAnUploadThatBreaksOffLeavesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *center) {
		_, err := c.Write(c.gwen, etl("half.bin"), resource.Content{Reader: strings.NewReader("half"), Size: 8})
		require.ErrorIs(t, err, resource.ErrShort)
		_, err = c.Write(c.gwen, etl("half.bin"), resource.Content{Reader: io.MultiReader(strings.NewReader("half"), broken{}), Size: 8})
		require.ErrorIs(t, err, errBroken)
		require.Empty(t, c.names(t, "", ""))
		c.clock.ahead.Store(int64(25 * time.Hour))
		require.NoError(t, c.Sweep(t.Context()))
		for info, err := range c.Storage.List(t.Context(), "resources/", true) {
			require.NoError(t, err)
			require.True(t, info.Dir(), info.Key)
		}
	})
}

var errBroken = errors.New("the line is cut")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

func TestLimitsAreKept(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newCenter(t, d, func(cfg *resource.Config) { cfg.MaxFile, cfg.Quota, cfg.Revisions = 10, 25, 2 })
		for _, size := range []int64{11, -1} { // whether or not the size is told before
			_, err := c.Write(c.gwen, etl("a"), resource.Content{Reader: strings.NewReader("12345678901"), Size: size, When: resource.Put})
			require.ErrorIs(t, err, resource.ErrTooLarge)
		}
		c.write(t, "a", "1234567890", resource.Create)
		c.write(t, "a", "0987654321", resource.Replace)
		_, err := c.Write(c.gwen, etl("b"), resource.Content{Reader: strings.NewReader("123456"), Size: 6})
		require.ErrorIs(t, err, resource.ErrQuota)
		c.write(t, "a", "1", resource.Replace)
		_, all, err := c.Revisions(c.gwen, etl("a"))
		require.NoError(t, err)
		require.Len(t, all, 2, "older ones go")
	})
}

func TestOneWorksInTheTreeOfOnesTenantOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *center) {
		ops := resource.Ref{Tenant: "ops", Path: "secret.txt"}
		_, err := c.Write(c.admin, ops, resource.Content{Reader: strings.NewReader("x"), Size: 1})
		require.NoError(t, err)
		_, err = c.Get(c.gwen, ops)
		require.ErrorIs(t, err, resource.ErrForeign)
		require.ErrorIs(t, c.Delete(c.gwen, ops), resource.ErrForeign)
		c.write(t, "mine", "x", resource.Create)
		_, err = c.Move(c.gwen, etl("mine"), resource.Ref{Tenant: "ops", Path: "mine"})
		require.ErrorIs(t, err, resource.ErrForeign)
		trees, err := c.Trees(c.gwen)
		require.NoError(t, err)
		require.Equal(t, []string{"etl"}, trees)
		trees, err = c.Trees(c.admin)
		require.NoError(t, err)
		require.Equal(t, []string{"default", "etl", "ops"}, trees)
		_, err = c.Get(c.admin, resource.Ref{Tenant: "nobody", Path: "x"})
		require.ErrorIs(t, err, resource.ErrNotFound)
		_, err = c.Get(t.Context(), etl("mine"))
		require.ErrorIs(t, err, access.ErrUnauthenticated)
	})
}

func TestBadNamesAreRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	c := newCenter(t, dbtest.SQLite(t), nil)
	for _, path := range []string{
		"../x", "a/../b", "./x", "a//b", "/abs", "a/", " a", "a ", "a\x00b", "a\nb", `a\b`, "e\u0301", "a\u202etxt.exe", "a\u200bb", "\xff",
		strings.Repeat("x", 256), strings.Repeat("x/", 600) + "x",
	} {
		_, err := c.Write(c.gwen, etl(path), resource.Content{Reader: strings.NewReader("x"), Size: 1})
		require.ErrorIs(t, err, resource.ErrBadPath, "%q", path)
	}
}

func TestWhatTasksHandedOnLongAgoIsDroppedByAdministratorsOnly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newCenter(t, d, nil)
		key := func(ago int) string {
			return "DATA_TRANSFER/" + c.clock.now().UTC().AddDate(0, 0, -ago).Format("20060102") + "/7/1_2/a_3_x"
		}
		for _, ago := range []int{0, 3, 9} {
			for _, key := range []string{key(ago), key(ago) + ".crc"} {
				_, err := c.Storage.Put(t.Context(), key, strings.NewReader("1"), 1)
				require.NoError(t, err)
			}
		}
		gone, err := c.DropHandedOn(c.gwen, 0)
		require.NoError(t, err)
		require.Empty(t, gone)
		gone, err = c.DropHandedOn(c.admin, 5)
		require.NoError(t, err)
		require.Equal(t, []string{key(9)}, gone)
		_, err = c.Storage.Stat(t.Context(), key(9)+".crc")
		require.ErrorIs(t, err, storage.ErrNotFound)
		_, err = c.Storage.Stat(t.Context(), key(3)+".crc")
		require.NoError(t, err)
	})
}
