package zk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"dorado/modules/cluster"
)

// maxEntries bounds what is read of a tree that somebody else fills.
const maxEntries = 10_000

// Tree implements cluster.Registry.
func (r *Registry) Tree(ctx context.Context) ([]cluster.Entry, error) {
	return retry(ctx, r, r.root, func(s *session) ([]cluster.Entry, error) {
		var out []cluster.Entry
		err := walk(ctx, s, r.root, &out)
		return out, err
	})
}

func walk(ctx context.Context, s *session, path string, out *[]cluster.Entry) error {
	if len(*out) >= maxEntries {
		return nil
	}
	value, stat, err := get(ctx, s, path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return err
	}
	e := cluster.Entry{
		Path: path, Value: value, Ephemeral: stat.EphemeralOwner != 0,
		Created: time.UnixMilli(stat.Ctime).UTC(), Updated: time.UnixMilli(stat.Mtime).UTC(),
	}
	if e.Ephemeral {
		e.Owner = fmt.Sprintf("%#x", stat.EphemeralOwner)
	}
	*out = append(*out, e)
	if stat.NumChildren == 0 {
		return nil
	}
	names, err := children(ctx, s, path)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := walk(ctx, s, path+"/"+name, out); err != nil {
			return err
		}
	}
	return nil
}
