package catalog_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/catalog"
)

func TestTheConfiguredStorageIsOpened(t *testing.T) {
	t.Parallel()
	c := catalog.DefaultStorageConfig(filepath.Join(t.TempDir(), "storage"))
	s, err := catalog.OpenStorage(c)
	require.NoError(t, err)
	require.Nil(t, s, "there is none unless somebody asks for it")

	c.Type = "LOCAL" // as DolphinScheduler writes it
	s, err = catalog.OpenStorage(c)
	require.NoError(t, err)
	_, err = s.Put(t.Context(), "k", strings.NewReader("x"), 1)
	require.NoError(t, err)
	require.NoError(t, s.Close())

	c.Type = catalog.StorageS3
	_, err = catalog.OpenStorage(c)
	require.ErrorContains(t, err, "storage.s3.bucket")
	c.S3.Bucket = "logs"
	s, err = catalog.OpenStorage(c)
	require.NoError(t, err)
	require.NoError(t, s.Close())

	c.Type = catalog.StorageHDFS
	_, err = catalog.OpenStorage(c)
	require.ErrorContains(t, err, "storage.hdfs.namenodes")
	c.HDFS.DefaultFS = "hdfs://name:8020"
	s, err = catalog.OpenStorage(c)
	require.NoError(t, err)
	require.NoError(t, s.Close())

	c.Type = "tape"
	_, err = catalog.OpenStorage(c)
	require.ErrorContains(t, err, "storage.type")
}
