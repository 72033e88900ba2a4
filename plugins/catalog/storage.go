package catalog

import (
	"errors"
	"fmt"
	"strings"

	"dorado/plugins/storage"
	"dorado/plugins/storage/hdfs"
	"dorado/plugins/storage/local"
	"dorado/plugins/storage/s3"
)

// The types of storage.
const (
	StorageNone  = "none"
	StorageLocal = "local"
	StorageS3    = "s3"
	StorageHDFS  = "hdfs"
)

// StorageTypes lists the types of storage that keep something.
func StorageTypes() []string { return []string{StorageLocal, StorageS3, StorageHDFS} }

// StorageConfig says which storage there is, and where.
type StorageConfig struct {
	Type  string       `koanf:"type"`
	Local local.Config `koanf:"local"`
	S3    s3.Config    `koanf:"s3"`
	HDFS  hdfs.Config  `koanf:"hdfs"`
}

// DefaultStorageConfig returns the defaults: no storage; dir is the folder of a local one.
func DefaultStorageConfig(dir string) StorageConfig {
	return StorageConfig{Type: StorageNone, Local: local.Config{Dir: dir, Sync: true}, S3: s3.DefaultConfig(), HDFS: hdfs.DefaultConfig()}
}

// Validate returns everything that is wrong with the storage that is used, joined.
func (c StorageConfig) Validate() error {
	switch strings.ToLower(c.Type) {
	case "", StorageNone:
		return nil
	case StorageLocal:
		return c.Local.Validate()
	case StorageS3:
		return c.S3.Validate()
	case StorageHDFS:
		return c.HDFS.Validate()
	default:
		return fmt.Errorf("storage.type: %q is none of none, local, s3, hdfs", c.Type)
	}
}

// OpenStorage returns the configured storage, nil when there is none. Whether it can be used is asked by its Check.
func OpenStorage(c StorageConfig) (storage.Storage, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	switch strings.ToLower(c.Type) {
	case StorageLocal:
		return opened(local.Open(c.Local))
	case StorageS3:
		return opened(s3.Open(c.S3))
	case StorageHDFS:
		return opened(hdfs.Open(c.HDFS))
	case "", StorageNone:
		return nil, nil //nolint:nilnil // no storage is an answer
	default:
		return nil, errors.New("storage.type: unknown")
	}
}

// opened keeps a nil pointer from becoming a storage that is not nil.
func opened[S storage.Storage](s S, err error) (storage.Storage, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}
