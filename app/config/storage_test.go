package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/config"
)

func file(t *testing.T, text string) config.Source {
	t.Helper()
	name := filepath.Join(t.TempDir(), "dorado.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return config.Source{File: name}
}

func TestDolphinSchedulersNamesOfAStorageAreRead(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"properties": "resource.storage.type: S3\nresource.storage.upload.base.path: /dolphin\naws.s3.access.key.id: me\naws.s3.access.key.secret: hush\n" +
			"aws.s3.region: cn-north-1\naws.s3.bucket.name: logs\naws.s3.endpoint: http://minio:9000\n",
		"nested": "resource:\n  storage: {type: S3, upload: {base: {path: /dolphin}}}\n  aws:\n    access.key.id: me\n    secret.access.key: hush\n    region: cn-north-1\n" +
			"    s3: {bucket.name: logs, endpoint: 'http://minio:9000'}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load(file(t, text))
			require.NoError(t, err)
			s := c.Storage.S3
			require.Equal(t, []string{"S3", "/dolphin", "me", "hush", "cn-north-1", "logs", "http://minio:9000"},
				[]string{c.Storage.Type, s.Prefix, s.AccessKey, s.SecretKey.Reveal(), s.Region, s.Bucket, s.Endpoint})
			printed, err := c.Print()
			require.NoError(t, err)
			require.NotContains(t, printed, "hush")
		})
	}
	c, err := config.Load(file(t, "resource.storage.type: LOCAL\nresource.storage.upload.base.path: /mnt/shared\n"))
	require.NoError(t, err)
	require.Equal(t, "/mnt/shared", c.Storage.Local.Dir)
	c, err = config.Load(file(t, "resource.storage.type: HDFS\nresource.storage.upload.base.path: /dolphin\nresource.hdfs.root.user: hadoop\n"+
		"resource.hdfs.fs.defaultFS: hdfs://mycluster:8020\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"/dolphin", "hadoop", "hdfs://mycluster:8020"}, []string{c.Storage.HDFS.Base, c.Storage.HDFS.User, c.Storage.HDFS.DefaultFS})
}

func TestAStorageThatIsNamedTwiceOrUnknownIsRefused(t *testing.T) {
	t.Parallel()
	_, err := config.Load(file(t, "resource.storage.type: LOCAL\nstorage: {type: s3}\n"))
	require.ErrorContains(t, err, "storage.type is also set")
	_, err = config.Load(file(t, "resource.storage.type: HDFS\n"))
	require.ErrorContains(t, err, "storage.hdfs.default-fs")
	_, err = config.Load(file(t, "resource.storage.type: OBS\n"))
	require.ErrorContains(t, err, `storage.type: "OBS"`)
	_, err = config.Load(config.Source{Environ: []string{"DORADO_STORAGE_TYPE=s3"}})
	require.ErrorContains(t, err, "storage.s3.bucket")
}
