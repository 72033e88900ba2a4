package hdfs_test

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/storage"
	"dorado/plugins/storage/hdfs"
	"dorado/plugins/storage/storagetest"
)

// namenode is that of the extended test: docs/extended-tests-datasources.md.
func namenode(t *testing.T) string {
	t.Helper()
	address := os.Getenv("DORADO_TEST_HDFS")
	if address == "" {
		t.Skip("extended test: set DORADO_TEST_HDFS to host:port of a name node with a folder /dorado that anybody may write to, see docs/extended-tests-datasources.md")
	}
	return address
}

func TestHDFSIsAStorage(t *testing.T) {
	t.Parallel()
	address := namenode(t)
	var n atomic.Int64
	begin := time.Now().Format("150405.000")
	storagetest.Run(t, func(t *testing.T) storage.Storage {
		t.Helper()
		c := hdfs.DefaultConfig()
		c.Namenodes, c.User = []string{address}, "ann"
		c.Base = "/dorado/" + begin + "/" + string(rune('a'+n.Add(1)))
		s, err := hdfs.Open(c)
		require.NoError(t, err)
		return s
	})
}

func TestNamesThatHDFSDoesNotAllowAreKept(t *testing.T) {
	t.Parallel()
	c := hdfs.DefaultConfig()
	c.Namenodes, c.User, c.Base = []string{namenode(t)}, "ann", "/dorado/names"+time.Now().Format("150405.000")
	s, err := hdfs.Open(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	for _, key := range []string{"10:30.log", "100%.txt", "%3A", "a/.snapshot", ".reserved/x", "%2Esnapshot"} {
		_, err := s.Put(t.Context(), key, strings.NewReader(key), int64(len(key)))
		require.NoError(t, err, key)
	}
	found := map[string]bool{}
	for info, err := range s.List(t.Context(), "", true) {
		require.NoError(t, err)
		found[info.Key] = true
	}
	require.Equal(t, map[string]bool{
		"10:30.log": true, "100%.txt": true, "%3A": true, "a/": true, "a/.snapshot": true, ".reserved/": true, ".reserved/x": true, "%2Esnapshot": true,
	}, found)
	require.Error(t, func() error { _, err := s.Put(t.Context(), "a", strings.NewReader("x"), 1); return err }(), "a folder is not replaced by a file")
}

func TestANameNodeThatIsAwayIsToldSo(t *testing.T) {
	t.Parallel()
	c := hdfs.DefaultConfig()
	c.Namenodes = []string{"127.0.0.1:1"}
	s, err := hdfs.Open(c)
	require.NoError(t, err, "nothing is sent yet")
	require.ErrorIs(t, s.Check(t.Context()), storage.ErrAway)
	require.NoError(t, s.Close())
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for key, change := range map[string]func(*hdfs.Config){
		"storage.hdfs.namenodes":  func(c *hdfs.Config) { c.Namenodes = nil },
		"is not host:port":        func(c *hdfs.Config) { c.Namenodes = []string{"name"} },
		"storage.hdfs.default-fs": func(c *hdfs.Config) { c.DefaultFS = "file:///" },
		"storage.hdfs.base":       func(c *hdfs.Config) { c.Base = "../x" },
		"storage.hdfs.user":       func(c *hdfs.Config) { c.User = "" },
		"storage.hdfs.protection": func(c *hdfs.Config) { c.Protection = "much" },
		"storage.hdfs.principal":  func(c *hdfs.Config) { c.Principal = "ann"; c.Keytab = "k" },
		"storage.hdfs.krb5-conf":  func(c *hdfs.Config) { c.Principal = "ann@X" },
	} {
		c := hdfs.DefaultConfig()
		c.Namenodes = []string{"name:8020"}
		require.NoError(t, c.Validate())
		change(&c)
		require.ErrorContains(t, c.Validate(), key)
	}
	c := hdfs.DefaultConfig()
	c.DefaultFS = "hdfs://name:8020/"
	require.NoError(t, c.Validate(), "it names the name node")
	require.Equal(t, "hdfs://name:8020", c.Prefix())
	c.DefaultFS = "hdfs://cluster"
	require.ErrorContains(t, c.Validate(), "set at least one")
}
