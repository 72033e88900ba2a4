package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dorado/app/kit/db"
	"dorado/modules/engine/core"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// maxFiles is how many files one task may bring into its working directory; a folder counts as what lies below it.
const maxFiles = 10_000

// errLater is why a task cannot be sent now, and may be sent soon.
var errLater = errors.New("engine: not now")

// needs is what has to be fetched before a task can be sent.
type needs struct {
	secrets []string // references to secrets of the vault
	files   []string // names of files of the resource center, as the task writes them
	sources []int64  // ids of data sources
	past    bool     // what earlier attempts measured
}

func (n needs) none() bool {
	return len(n.secrets) == 0 && len(n.files) == 0 && len(n.sources) == 0 && !n.past
}

// brought is what was fetched for an attempt that waits to be sent.
type brought struct {
	files   []*doradov1.File
	sources []*doradov1.Source
	secrets []string // of the sources
	past    *doradov1.Past
}

// wanted are the files that an attempt still has to be told.
func (l *live) wanted(a *core.Attempt, params flow.Params) ([]string, error) {
	names := l.program.files[a.Node]
	if len(names) == 0 || l.run.DryRun {
		return nil, nil
	}
	if l.brought[a.ID] != nil {
		return nil, nil
	}
	out := make([]string, len(names))
	for i, name := range names {
		full, err := flow.Substitute(name, func(key string) (string, bool) { v, ok := params.Values[key]; return v, ok })
		if err != nil {
			return nil, fmt.Errorf("resource %q: %w", name, err)
		}
		out[i] = full
	}
	return out, nil
}

// found remembers what was fetched for an attempt until it is sent.
func (l *live) found(attempt int64, b *brought) {
	if l.brought == nil {
		l.brought = map[int64]*brought{}
	}
	if was := l.brought[attempt]; was != nil && b.files == nil && b.sources == nil && b.past == nil {
		return // what was asked for now are secrets of the vault
	}
	l.brought[attempt] = b
}

// fileRow is one file of the resource center.
type fileRow struct {
	Path   string `db:"path"`
	Blob   string `db:"blob"`
	Size   int64  `db:"size"`
	SHA256 string `db:"sha256"`
}

// files finds what a task names: files, and everything below folders. A run may use the files of its tenant and those of
// the tenant of whoever started it; administrators use all. The contents are those of now, whatever happens to the files
// before the task starts.
func (s *store) files(ctx context.Context, run int64, tenant string, names []string) ([]*doradov1.File, error) {
	type who struct {
		Tenant string `db:"tenant"`
		Admin  bool   `db:"admin"`
	}
	by, err := db.Get[who](ctx, s.db, `SELECT COALESCE(t.code, ?) AS tenant, u.user_type = 'ADMIN_USER' AS admin
		FROM workflow_instance w JOIN users u ON u.id = w.executor_id LEFT JOIN tenant t ON t.id = u.tenant_id WHERE w.id = ?`, defaultTenant, run)
	if errors.Is(err, db.ErrNoRows) { // the user is gone
		by, err = who{Tenant: tenant}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLater, err)
	}
	var out []*doradov1.File
	seen := map[string]bool{}
	for _, name := range names {
		owner, path := flow.ParseResource(name)
		owners := []string{owner}
		if owner == "" {
			owners = []string{tenant, by.Tenant}
		}
		var rows []fileRow
		for _, owner := range owners {
			if owner != tenant && owner != by.Tenant && !by.Admin {
				return nil, fmt.Errorf("resource %q belongs to tenant %q: neither the tenant of this run nor that of whoever started it", name, owner)
			}
			if rows, err = s.fileRows(ctx, owner, path); err != nil {
				return nil, fmt.Errorf("%w: %w", errLater, err)
			}
			if len(rows) > 0 {
				break
			}
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("resource %q does not exist", name)
		}
		for _, r := range rows {
			as := ""
			if r.Path == strings.Trim(path, "/") {
				as = name
			}
			if seen[r.Path] {
				continue
			}
			if seen[r.Path] = true; len(seen) > maxFiles {
				return nil, fmt.Errorf("resource %q: more than %d files for one task", name, maxFiles)
			}
			out = append(out, &doradov1.File{Path: r.Path, Blob: r.Blob, Size: r.Size, Sha256: r.SHA256, Name: as})
		}
	}
	return out, nil
}

// defaultTenant is what users without a tenant have.
const defaultTenant = "default"

func (s *store) fileRows(ctx context.Context, tenant, path string) ([]fileRow, error) {
	path = strings.Trim(path, "/")
	prefix := path + "/"
	return db.Select[fileRow](ctx, s.db, `SELECT path, blob, size, sha256 FROM resource
		WHERE tenant = ? AND is_dir = ? AND (path = ? OR substr(path, 1, ?) = ?) ORDER BY path LIMIT ?`,
		tenant, false, path, len([]rune(prefix)), prefix, maxFiles+1)
}
