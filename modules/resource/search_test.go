package resource_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/resource"
	"dorado/modules/security/crudtest"
)

func TestASearchLooksAtNamesAndLines(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newCenter(t, d, nil)
		c.write(t, "jobs/load.sh", "#!/bin/sh\necho Orders of "+strings.Repeat("x", 300)+"\r\necho ORDERS again\n", resource.Create)
		c.write(t, "jobs/Orders_all.bin", "orders", resource.Create)
		c.write(t, "other/数据.sql", "-- 订单\nselect * from orders_100%", resource.Create)
		c.write(t, "other/image.txt", "orders\x00", resource.Create)
		_, err := c.Write(c.admin, resource.Ref{Tenant: "ops", Path: "secret.sh"}, resource.Content{Reader: strings.NewReader("orders"), Size: 6})
		require.NoError(t, err)
		root := resource.Ref{Tenant: "etl"}

		f, err := c.Search(c.gwen, " oRDERs ", root)
		require.NoError(t, err)
		require.Len(t, f.Names, 1)
		require.Equal(t, "jobs/Orders_all.bin", f.Names[0].Path)
		require.Len(t, f.Hits, 3, "what is no text, and files of others, are left out")
		require.Equal(t, "jobs/load.sh", f.Hits[0].File.Path)
		require.Equal(t, 2, f.Hits[0].Line)
		require.Equal(t, "echo ", f.Hits[0].Before)
		require.Equal(t, "Orders", f.Hits[0].Match)
		require.Equal(t, " of "+strings.Repeat("x", 136)+"…", f.Hits[0].After)
		require.Equal(t, 3, f.Hits[1].Line)
		require.Equal(t, " again", f.Hits[1].After)
		require.Equal(t, "other/数据.sql", f.Hits[2].File.Path)
		require.False(t, f.Partial)

		f, err = c.Search(c.gwen, "订单", root)
		require.NoError(t, err)
		require.Len(t, f.Hits, 1)
		f, err = c.Search(c.gwen, "s_100%", root)
		require.NoError(t, err)
		require.Len(t, f.Hits, 1, "a per cent sign is one")
		require.Empty(t, f.Names)
		f, err = c.Search(c.gwen, "orders", root.Child("other"))
		require.NoError(t, err)
		require.Len(t, f.Hits, 1)
		f, err = c.Search(c.admin, "orders", root, resource.Ref{Tenant: "ops"})
		require.NoError(t, err)
		require.Len(t, f.Hits, 4)

		_, err = c.Search(c.gwen, "orders", resource.Ref{Tenant: "ops"})
		require.ErrorIs(t, err, resource.ErrForeign)
		_, err = c.Search(c.gwen, " ", root)
		require.ErrorIs(t, err, resource.ErrNeedle)
		_, err = c.Search(c.gwen, strings.Repeat("x", 201), root)
		require.ErrorIs(t, err, resource.ErrNeedle)
	})
}

func TestASearchIsBoundedAndSaysSo(t *testing.T) {
	t.Parallel()
	c := newCenter(t, dbtest.SQLite(t), nil)
	for n := range 45 {
		c.write(t, "f"+strconv.Itoa(n)+".txt", strings.Repeat("needle\n", 10)+strings.Repeat("x", 200_000)+"needle", resource.Create)
	}
	f, err := c.Search(c.gwen, "needle", resource.Ref{Tenant: "etl"})
	require.NoError(t, err)
	require.Len(t, f.Hits, 200)
	require.True(t, f.Partial)
	require.Equal(t, 40, f.Read, "five lines of each")
}

func TestThePageOfASearchMarksWhatWasFound(t *testing.T) {
	t.Parallel()
	c := newCenter(t, dbtest.SQLite(t), nil)
	c.write(t, "jobs/load.sh", "echo <b>orders</b>\n", resource.Create)
	b := c.app.Browser(t, c.Routes).As(crudtest.As(c.app.General))
	page := b.Get(resource.Path + "/search" + query("tree", "etl", "q", "ORDERS")).Require(http.StatusOK)
	require.Equal(t, "orders", page.Text(".found mark"))
	require.Contains(t, page.Body, "echo &lt;b&gt;<mark>")
	require.False(t, b.Get(resource.Path+"/search").Require(http.StatusOK).Has(".found"))
	require.True(t, b.Get(resource.Path+"/search"+query("tree", "etl", "q", "none")).Require(http.StatusOK).Has(".empty"))
	b.Get(resource.Path + "/search" + query("tree", "etl", "q", "")).Require(http.StatusUnprocessableEntity)
	b.Get(resource.Path + "/search" + query("tree", "ops", "q", "x")).Require(http.StatusForbidden)
	b.Get(resource.Path + "/search" + query("tree", "etl", "path", "none", "q", "x")).Require(http.StatusNotFound)
}

func TestNamesThatFitAreThoseOfTreesOneMayRead(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newCenter(t, d, nil)
		c.write(t, "数据/订单.sql", "x", resource.Create)
		c.write(t, "plain.sql", "x", resource.Create)
		_, err := c.Write(c.admin, resource.Ref{Tenant: "ops", Path: "秘密.sql"}, resource.Content{Reader: strings.NewReader("x"), Size: 1})
		require.NoError(t, err)
		any := func(name string) bool { require.NotEqual(t, "plain.sql", name); return true }
		found, err := c.Fitting(c.gwen, []string{"etl"}, any, 10)
		require.NoError(t, err)
		require.Len(t, found, 2)
		require.Equal(t, "数据", found[0].Name)
		require.True(t, found[0].Dir)
		require.Equal(t, "数据/订单.sql", found[1].Path)
		found, err = c.Fitting(c.admin, []string{"etl", "ops"}, any, 10)
		require.NoError(t, err)
		require.Len(t, found, 3)
		_, err = c.Fitting(c.gwen, []string{"etl", "ops"}, any, 10)
		require.ErrorIs(t, err, resource.ErrForeign)
		found, err = c.Fitting(c.gwen, nil, any, 10)
		require.NoError(t, err)
		require.Empty(t, found)
	})
}
