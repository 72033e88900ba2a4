package resource_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/resource"
)

func TestAnUploadGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newCenter(t, d, nil)
		ref := resource.Ref{Tenant: "etl", Path: "data/big.bin"}
		u, err := c.BeginUpload(c.gwen, ref, 10, 77, resource.Create)
		require.NoError(t, err)
		u, err = c.AddPart(c.gwen, u.ID, 0, strings.NewReader("0123"), 4)
		require.NoError(t, err)
		require.EqualValues(t, 4, u.Received)
		_, err = c.AddPart(c.gwen, u.ID, 4, io.MultiReader(strings.NewReader("45"), &broken{}), 6)
		require.Error(t, err, "the connection broke")
		_, err = c.FinishUpload(c.gwen, u.ID, ref, resource.Create)
		require.ErrorIs(t, err, resource.ErrUploadStep)

		again, err := c.BeginUpload(c.gwen, ref, 10, 77, resource.Create) // the page was loaded anew
		require.NoError(t, err)
		require.Equal(t, u.ID, again.ID)
		require.EqualValues(t, 4, again.Received, "half a part is none")
		other, err := c.BeginUpload(c.gwen, ref, 10, 78, resource.Create)
		require.NoError(t, err)
		require.NotEqual(t, u.ID, other.ID, "the file was changed since")
		require.NoError(t, c.DropUpload(c.gwen, other.ID))

		at, err := c.AddPart(c.gwen, u.ID, 0, strings.NewReader("0123"), 4)
		require.ErrorIs(t, err, resource.ErrUploadStep)
		require.EqualValues(t, 4, at.Received, "whoever is at another place is told where to go on")
		_, err = c.AddPart(c.gwen, u.ID, 4, strings.NewReader("456789+"), -1)
		require.ErrorIs(t, err, resource.ErrTooLarge)
		_, err = c.AddPart(c.gwen, u.ID, 4, strings.NewReader("456789"), -1)
		require.NoError(t, err)
		f, err := c.FinishUpload(c.gwen, u.ID, ref, resource.Create)
		require.NoError(t, err)
		require.EqualValues(t, 10, f.Size)
		require.Equal(t, "0123456789", c.read(t, "data/big.bin", 0))

		_, err = c.FinishUpload(c.gwen, u.ID, ref, resource.Create)
		require.ErrorIs(t, err, resource.ErrNoUpload)
		blobs := 0
		for info, err := range c.Storage.List(t.Context(), "", true) {
			require.NoError(t, err)
			if !info.Dir() {
				blobs++
			}
		}
		require.Equal(t, 1, blobs, "the parts are gone")
	})
}

func TestUploadsThatAreNotCompleteCountAndExpire(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newCenter(t, d, func(cfg *resource.Config) { cfg.Quota = 10 })
		begin := func(name string, size int64) (resource.Upload, error) {
			return c.BeginUpload(c.gwen, resource.Ref{Tenant: "etl", Path: name}, size, 1, resource.Create)
		}
		_, err := begin("a", 11)
		require.ErrorIs(t, err, resource.ErrQuota)
		u, err := begin("a", 8)
		require.NoError(t, err)
		u, err = c.AddPart(c.gwen, u.ID, 0, strings.NewReader("1234"), 4)
		require.NoError(t, err)
		_, err = begin("b", 7)
		require.ErrorIs(t, err, resource.ErrQuota)
		v, err := begin("b", 6)
		require.NoError(t, err)
		_, err = c.AddPart(c.gwen, v.ID, 0, strings.NewReader("123456"), 6)
		require.NoError(t, err)
		_, err = c.AddPart(c.gwen, u.ID, 4, strings.NewReader("5678"), 4)
		require.ErrorIs(t, err, resource.ErrQuota)
		_, err = c.FinishUpload(c.gwen, v.ID, resource.Ref{Tenant: "etl", Path: "b"}, resource.Create)
		require.NoError(t, err, "its parts do not count twice")

		c.clock.ahead.Store(int64(25 * time.Hour))
		require.NoError(t, c.Sweep(t.Context()))
		usage, err := c.Usage(c.gwen, "etl")
		require.NoError(t, err)
		require.EqualValues(t, 6, usage.Bytes)
		_, err = c.AddPart(c.gwen, u.ID, 4, strings.NewReader("5678"), 4)
		require.ErrorIs(t, err, resource.ErrNoUpload)
		require.Equal(t, "123456", c.read(t, "b", 0))
	})
}

func TestAnUploadIsItsSendersAlone(t *testing.T) {
	t.Parallel()
	c := newCenter(t, dbtest.SQLite(t), nil)
	u, err := c.BeginUpload(c.gwen, resource.Ref{Tenant: "etl", Path: "a"}, 4, 1, resource.Create)
	require.NoError(t, err)
	_, err = c.AddPart(c.admin, u.ID, 0, strings.NewReader("1234"), 4)
	require.ErrorIs(t, err, resource.ErrNoUpload)
	require.ErrorIs(t, c.DropUpload(c.admin, u.ID), resource.ErrNoUpload)
	_, err = c.BeginUpload(c.gwen, resource.Ref{Tenant: "ops", Path: "a"}, 4, 1, resource.Create)
	require.ErrorIs(t, err, resource.ErrForeign)
	_, err = c.AddPart(c.gwen, u.ID, 0, strings.NewReader("1234"), 4)
	require.NoError(t, err)
	_, err = c.FinishUpload(c.gwen, u.ID, resource.Ref{Tenant: "ops", Path: "a"}, resource.Create)
	require.ErrorIs(t, err, resource.ErrForeign)
	for n := range 105 {
		_, err := c.BeginUpload(c.gwen, resource.Ref{Tenant: "etl", Path: "many" + strconv.Itoa(n)}, 4, 1, resource.Create)
		require.NoError(t, err)
	}
	left, err := db.Get[int](t.Context(), c.DB, `SELECT count(*) FROM resource_upload`)
	require.NoError(t, err)
	require.Equal(t, 100, left, "the oldest ones went")
}

func TestThePageSendsLargeFilesInParts(t *testing.T) {
	t.Parallel()
	c := newCenter(t, dbtest.SQLite(t), func(cfg *resource.Config) { cfg.MaxFile = 64 })
	send := func(as access.Principal, method, page string, body io.Reader, pairs ...string) (int, map[string]any) {
		t.Helper()
		rec := c.request(t, as, method, "/uploads"+page+query(pairs...), body)
		answer := map[string]any{}
		_ = json.Unmarshal(rec.Body.Bytes(), &answer)
		return rec.Code, answer
	}
	at := []string{"tree", "etl", "path", "data/big.bin", "when", "create"}
	code, u := send(c.app.General, http.MethodPost, "", nil, append(at, "size", "65", "modified", "1")...)
	require.Equal(t, http.StatusUnprocessableEntity, code)
	require.Contains(t, u["error"], "larger than 64 bytes")
	code, _ = send(c.app.General, http.MethodPost, "", nil, append(at, "size", "many")...)
	require.Equal(t, http.StatusUnprocessableEntity, code)
	code, u = send(c.app.General, http.MethodPost, "", nil, append(at, "size", "20", "modified", "1")...)
	require.Equal(t, http.StatusOK, code)
	id := u["id"].(string)
	code, u = send(c.app.General, http.MethodPut, "", bytes.NewReader(make([]byte, 12)), "id", id, "offset", "0")
	require.Equal(t, http.StatusOK, code)
	require.EqualValues(t, 12, u["received"])
	code, u = send(c.app.General, http.MethodPut, "", bytes.NewReader(make([]byte, 12)), "id", id, "offset", "0")
	require.Equal(t, http.StatusOK, code)
	require.EqualValues(t, 12, u["received"])
	code, _ = send(c.app.Admin, http.MethodPut, "", bytes.NewReader(make([]byte, 8)), "id", id, "offset", "12")
	require.Equal(t, http.StatusUnprocessableEntity, code)
	code, _ = send(c.app.General, http.MethodPut, "", bytes.NewReader(make([]byte, 8)), "id", id, "offset", "12")
	require.Equal(t, http.StatusOK, code)
	c.write(t, "data/big.bin", "there", resource.Create)
	code, _ = send(c.app.General, http.MethodPost, "/finish", nil, append(at, "id", id)...)
	require.Equal(t, http.StatusConflict, code, "it appeared meanwhile")
	code, u = send(c.app.General, http.MethodPost, "/finish", nil, "tree", "etl", "path", "data/big.bin", "when", "both", "id", id)
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "big (2).bin", u["name"])
	require.Equal(t, string(make([]byte, 20)), c.read(t, "data/big (2).bin", 0))
}
