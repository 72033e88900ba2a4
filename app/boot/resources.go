package boot

import (
	"log/slog"
	"strings"
	"time"

	"dorado/app/config"
	"dorado/app/kit/db"
	"dorado/modules/audit"
	"dorado/modules/resource"
	"dorado/plugins/catalog"
	"dorado/plugins/storage"
)

// resourceLock names the one that removes contents nobody needs.
const resourceLock = "master-resources"

// openFiles returns where files of the resource center are kept: the configured storage, and without one a folder below the
// data folder when this is an installation on one machine, which SQLite tells. nil: nowhere.
func openFiles(cfg config.Config, configured storage.Storage, logger *slog.Logger) (storage.Storage, error) {
	if configured != nil || db.IsPostgres(cfg.DatabaseURL()) {
		return configured, nil
	}
	own := cfg.Storage
	own.Type = catalog.StorageLocal
	s, err := catalog.OpenStorage(own)
	if err == nil {
		logger.Debug("files are kept on this machine", "dir", own.Local.Dir)
	}
	return s, err
}

// closeFiles closes what openFiles made by itself.
func (c *core) closeFiles() error {
	if c.files == c.storage {
		return nil
	}
	return closeStorage(c.files)
}

// fileNames spells the names of files as clients of DolphinScheduler know them.
func fileNames(cfg config.Config) resource.Names {
	n := resource.Names{Prefix: "file:", Base: cfg.Resource.Base}
	switch strings.ToLower(cfg.Storage.Type) {
	case catalog.StorageS3:
		n.Prefix = ""
	case catalog.StorageHDFS:
		n.Prefix = cfg.Storage.HDFS.Prefix()
	}
	return n
}

func newResources(c *core, m *modules, log *audit.Service) *resource.Module {
	return resource.New(resource.Deps{
		Services: resource.Services{
			DB: c.db, Storage: c.files, Names: fileNames(c.cfg), Config: c.cfg.Resource, Access: m.access, Audit: log, Tenants: m.tenant.Service,
			Now: time.Now, Logger: c.logger,
		},
		Site: m.site, API: m.api, Frame: m.frame,
	})
}
