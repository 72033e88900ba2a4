package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"dorado/app/config"
	"dorado/modules/keep"
	"dorado/plugins/storage"
)

// contents is where the storage keeps the contents of files of the resource center.
const contents = "resources/"

// storedContents are the contents of files of the resource center, for a backup.
type storedContents struct {
	store      storage.Storage
	unreadable func(path string, err error)
}

// Kind implements keep.Source.
func (storedContents) Kind() string { return keep.KindResources }

// Each implements keep.Source.
func (s storedContents) Each(ctx context.Context, fn func(keep.File) error) error {
	for info, err := range s.store.List(ctx, contents, true) {
		if err != nil {
			return fmt.Errorf("files of the resource center: %w", err)
		}
		if info.Dir() {
			continue
		}
		if err := s.one(ctx, info.Key, fn); err != nil {
			return err
		}
	}
	return nil
}

func (s storedContents) one(ctx context.Context, key string, fn func(keep.File) error) error {
	r, info, err := s.store.Get(ctx, key, 0)
	if errors.Is(err, storage.ErrNotFound) { // it was deleted meanwhile
		return nil
	}
	if err != nil {
		s.unreadable(key, err)
		return ctx.Err()
	}
	return errors.Join(fn(keep.File{Name: strings.TrimPrefix(key, contents), Size: info.Size, Modified: info.Modified, Content: r}), r.Close())
}

// intoStorage keeps contents of files of the resource center where this installation has them.
type intoStorage struct{ store storage.Storage }

// Put implements keep.Target.
func (i intoStorage) Put(ctx context.Context, name string, size int64, from io.Reader) error {
	key := contents + name
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	if _, err := i.store.Stat(ctx, key); err == nil {
		return fmt.Errorf("file %s: it is there already", key)
	}
	_, err := i.store.Put(ctx, key, from, size)
	return err
}

// filesAlone opens where files of the resource center are kept, for commands that are no server; nil when nowhere.
func filesAlone(ctx context.Context, cfg config.Config, logger *slog.Logger) (storage.Storage, error) {
	configured, err := openStorage(ctx, cfg, logger)
	if err != nil {
		return nil, err
	}
	return openFiles(cfg, configured, logger)
}
