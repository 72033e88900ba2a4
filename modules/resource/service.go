package resource

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
	"dorado/modules/security/tenant"
	"dorado/plugins/storage"
)

// Config is what can be set.
type Config struct {
	Base      string `koanf:"base"`      // what absolute names begin with, as DolphinScheduler's clients see them
	MaxFile   int64  `koanf:"max-file"`  // bytes of one file
	Quota     int64  `koanf:"quota"`     // bytes of all revisions of a tenant's files; 0 = no limit
	Revisions int    `koanf:"revisions"` // how many of a file are kept
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Base: "/dolphinscheduler", MaxFile: 1 << 30, Revisions: 20}
}

// Validate returns everything that is wrong, joined; each message begins with its key.
func (c Config) Validate() error {
	var problems []error
	if len(c.Base) < 2 || c.Base[0] != '/' {
		problems = append(problems, errors.New("resource.base: must be an absolute path"))
	}
	if c.MaxFile < 1 {
		problems = append(problems, errors.New("resource.max-file: must be at least 1"))
	}
	if c.Quota < 0 {
		problems = append(problems, errors.New("resource.quota: must not be negative"))
	}
	if c.Revisions < 1 {
		problems = append(problems, errors.New("resource.revisions: must be at least 1"))
	}
	return errors.Join(problems...)
}

// Referrer knows which tasks name files.
type Referrer interface {
	// ResourceUses lists tasks that name a file or anything below a folder, at most limit of them. name is as Ref.String
	// makes it.
	ResourceUses(ctx context.Context, name string, limit int) ([]Use, error)
}

// Services are what the rules need.
type Services struct {
	DB      *db.DB
	Storage storage.Storage // nil: nothing can be kept
	Names   Names
	Config  Config
	Access  *access.Service
	Audit   *audit.Service
	Tenants *tenant.Service
	Now     func() time.Time
	Logger  *slog.Logger
}

// Service holds the rules about files; it is the only door for other modules.
type Service struct {
	Services
	store     store
	referrers []Referrer
	searching chan struct{} // bounds how many searches read files at once
}

// NewService returns the service.
func NewService(s Services) *Service {
	return &Service{Services: s, store: store{s.DB}, searching: make(chan struct{}, searchAtOnce)}
}

// AddReferrer lets r object to deleting and renaming. It must not be called once requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

// Ready reports whether files can be kept.
func (s *Service) Ready() bool { return s.Storage != nil }

// Configured returns ErrNotConfigured when files cannot be kept.
func (s *Service) Configured() error {
	if s.Storage == nil {
		return ErrNotConfigured
	}
	return nil
}

// Home is the tenant whose tree whoever acts in ctx works in.
func (s *Service) Home(ctx context.Context) (string, error) {
	who, err := access.Must(ctx)
	if err != nil {
		return "", err
	}
	code, err := db.Get[string](ctx, s.DB, `SELECT COALESCE(t.code, '') FROM users u LEFT JOIN tenant t ON t.id = u.tenant_id WHERE u.id = ?`, who.UserID)
	if errors.Is(err, db.ErrNoRows) || err == nil && code == "" {
		return tenant.Default, nil
	}
	return code, err
}

// Trees lists the tenants whose files whoever acts in ctx may see: one's own, for administrators all.
func (s *Service) Trees(ctx context.Context) ([]string, error) {
	if err := s.Access.Require(ctx, View); err != nil {
		return nil, err
	}
	home, err := s.Home(ctx)
	if err != nil {
		return nil, err
	}
	trees := []string{home}
	if p, _ := access.From(ctx); !p.Admin {
		return trees, nil
	}
	all, err := s.Tenants.All(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		trees = append(trees, t.Code)
	}
	more, err := s.store.tenants(ctx)
	if err != nil {
		return nil, err
	}
	trees = append(append(trees, more...), tenant.Default)
	slices.Sort(trees[1:])
	return slices.Compact(append(trees[:1:1], slices.DeleteFunc(trees[1:], func(t string) bool { return t == home })...)), nil
}

// may asks whether whoever acts in ctx has a permission in the tree of ref, and whether the name can be.
func (s *Service) may(ctx context.Context, ref Ref, p access.Permission) error {
	if err := s.Access.Require(ctx, p); err != nil {
		return err
	}
	if err := s.Configured(); err != nil {
		return err
	}
	if err := ref.Check(); err != nil {
		return err
	}
	if who, _ := access.From(ctx); who.Admin || who.IsSystem() {
		known, err := s.Tenants.Exists(ctx, ref.Tenant)
		if err == nil && !known {
			err = ErrNotFound.With("name", ref.String())
		}
		return err
	}
	home, err := s.Home(ctx)
	if err != nil {
		return err
	}
	if ref.Tenant != home {
		return ErrForeign.With("tenant", ref.Tenant)
	}
	return nil
}

// Get describes a file or folder. The root of a tree is a folder that is always there. It returns ErrNotFound.
func (s *Service) Get(ctx context.Context, ref Ref) (File, error) {
	if err := s.may(ctx, ref, View); err != nil {
		return File{}, err
	}
	if ref.Root() {
		return File{Tenant: ref.Tenant, Dir: true}, nil
	}
	return s.store.get(ctx, ref)
}

// Page lists a folder; with a search everything below it whose name holds the text. It returns ErrNotFound.
func (s *Service) Page(ctx context.Context, folder Ref, q listing.Query) (listing.Page[File], error) {
	if err := s.folder(ctx, folder); err != nil {
		return listing.Page[File]{}, err
	}
	return s.store.page(ctx, folder, q)
}

// Fitting returns the youngest limit files and folders of trees whose name fits, by their names. It asks only about names that hold more than
// ASCII characters, and about no more than db.MaxFitting of them.
func (s *Service) Fitting(ctx context.Context, trees []string, fits func(name string) bool, limit int) ([]File, error) {
	for _, tree := range trees {
		if err := s.may(ctx, Ref{Tenant: tree}, View); err != nil {
			return nil, err
		}
	}
	return s.store.fitting(ctx, trees, fits, limit)
}

// MaxTree is how many entries Tree returns at most.
const MaxTree = 20_000

// Tree lists everything below a folder in the order of paths, at most MaxTree of it.
func (s *Service) Tree(ctx context.Context, folder Ref) ([]File, error) {
	if err := s.folder(ctx, folder); err != nil {
		return nil, err
	}
	return s.store.tree(ctx, folder, MaxTree)
}

func (s *Service) folder(ctx context.Context, folder Ref) error {
	f, err := s.Get(ctx, folder)
	if err == nil && !f.Dir {
		err = ErrNotFolder.With("name", folder.Path)
	}
	return err
}

// Usage is how much a tenant keeps.
func (s *Service) Usage(ctx context.Context, tree string) (Usage, error) {
	if err := s.may(ctx, Ref{Tenant: tree}, View); err != nil {
		return Usage{}, err
	}
	u, err := s.store.usage(ctx, tree)
	u.Quota = s.Config.Quota
	return u, err
}

// MakeFolder makes a folder, and those above it that are missing. It returns ErrExists, ErrNotFolder.
func (s *Service) MakeFolder(ctx context.Context, ref Ref) (File, error) {
	var f File
	if err := s.may(ctx, ref, Edit); err != nil {
		return f, err
	}
	if ref.Root() {
		return f, ErrExists.With("name", "/")
	}
	err := s.DB.InTx(ctx, func(ctx context.Context) (err error) {
		if err := s.parents(ctx, ref.Parent()); err != nil {
			return err
		}
		if f, err = s.makeFolder(ctx, ref); err != nil {
			return err
		}
		return s.record(ctx, "create", f, nil)
	})
	return f, err
}

func (s *Service) makeFolder(ctx context.Context, ref Ref) (File, error) {
	who, err := access.Must(ctx)
	if err != nil {
		return File{}, err
	}
	now := db.Now(s.Now)
	f := File{Tenant: ref.Tenant, Path: ref.Path, Name: ref.Name(), Dir: true, UserID: who.UserID, UserName: who.Name, CreatedAt: now, UpdatedAt: now}
	f.ID, err = s.store.insert(ctx, f)
	return f, err
}

// parents makes the folders down to ref that are missing.
func (s *Service) parents(ctx context.Context, ref Ref) error {
	if ref.Root() {
		return nil
	}
	f, err := s.store.get(ctx, ref)
	switch {
	case err == nil && !f.Dir:
		return ErrNotFolder.With("name", ref.Path).OnField("name", ErrNotFolder.Key, "name", ref.Path)
	case err == nil:
		return nil
	case !errors.Is(err, ErrNotFound):
		return err
	}
	if err := s.parents(ctx, ref.Parent()); err != nil {
		return err
	}
	_, err = s.makeFolder(ctx, ref)
	return err
}

// Uses lists tasks that name a file or what lies below a folder, at most limit of them.
func (s *Service) Uses(ctx context.Context, ref Ref, limit int) ([]Use, error) {
	if err := s.may(ctx, ref, View); err != nil {
		return nil, err
	}
	return s.uses(ctx, ref, limit)
}

func (s *Service) uses(ctx context.Context, ref Ref, limit int) ([]Use, error) {
	var all []Use
	for _, r := range s.referrers {
		uses, err := r.ResourceUses(ctx, ref.String(), limit-len(all))
		if err != nil {
			return nil, err
		}
		if all = append(all, uses...); len(all) >= limit {
			break
		}
	}
	return all, nil
}

func (s *Service) unused(ctx context.Context, f File) error {
	uses, err := s.uses(ctx, f.Ref(), 1)
	if err != nil || len(uses) == 0 {
		return err
	}
	return ErrInUse.With("name", f.Path, "workflow", uses[0].Workflow, "task", uses[0].Task)
}

// Delete removes a file, or a folder with everything below. It returns ErrNotFound, ErrInUse.
func (s *Service) Delete(ctx context.Context, ref Ref) error {
	if err := s.may(ctx, ref, Edit); err != nil {
		return err
	}
	if ref.Root() {
		return badPath("/", "empty")
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		f, err := s.store.lock(ctx, ref)
		if err != nil {
			return err
		}
		if err := s.unused(ctx, f); err != nil {
			return err
		}
		if err := s.store.remove(ctx, f, db.Now(s.Now)); err != nil {
			return err
		}
		return s.record(ctx, "delete", f, nil)
	})
}

// Move gives a file, or a folder with everything below, another name or place; both must be one's own. It returns
// ErrNotFound, ErrInUse, ErrExists, ErrIntoItself.
func (s *Service) Move(ctx context.Context, from, to Ref) (File, error) {
	var f File
	if err := s.may(ctx, from, Edit); err != nil {
		return f, err
	}
	if err := s.may(ctx, to, Edit); err != nil {
		return f, err
	}
	if from.Root() || to.Root() {
		return f, badPath("/", "empty")
	}
	err := s.DB.InTx(ctx, func(ctx context.Context) (err error) {
		if f, err = s.store.lock(ctx, from); err != nil {
			return err
		}
		if from == to {
			return nil
		}
		if f.Dir && to.within(from) {
			return ErrIntoItself.With("name", from.Path)
		}
		if err := s.unused(ctx, f); err != nil {
			return err
		}
		if err := s.parents(ctx, to.Parent()); err != nil {
			return err
		}
		if err := s.store.move(ctx, f, to, db.Now(s.Now)); err != nil {
			return err
		}
		if f.Dir && len(to.Path) > len(from.Path) {
			if err := s.fits(ctx, to); err != nil {
				return err
			}
		}
		if f, err = s.store.get(ctx, to); err != nil {
			return err
		}
		return s.record(ctx, "move", f, map[string]string{"from": from.String(), "to": to.String()})
	})
	return f, err
}

// fits refuses a folder below which names have become too long.
func (s *Service) fits(ctx context.Context, folder Ref) error {
	where, args := below(folder)
	long, err := db.Get[int](ctx, s.DB, `SELECT count(*) FROM resource r WHERE `+where+` AND length(r.path) > ?`, append(args, MaxPath)...)
	if err == nil && long > 0 {
		err = badPath(folder.Path, "long")
	}
	return err
}

// DropBefore deletes the files below a folder that nobody changed for some days, and returns their names.
func (s *Service) DropBefore(ctx context.Context, folder Ref, days int) ([]Ref, error) {
	if err := s.may(ctx, folder, Edit); err != nil {
		return nil, err
	}
	files, err := s.store.tree(ctx, folder, MaxTree)
	if err != nil {
		return nil, err
	}
	before := s.Now().AddDate(0, 0, -max(days, 0))
	var gone []Ref
	for _, f := range files {
		if f.Dir || !f.UpdatedAt.Before(before) {
			continue
		}
		if err := s.Delete(ctx, f.Ref()); err != nil {
			return gone, err
		}
		gone = append(gone, f.Ref())
	}
	return gone, nil
}

// DropHandedOn deletes what tasks handed on in runs that were submitted more than some days ago, of all tenants, and returns
// the keys. Such files belong to no tree, so only administrators may do it; for others there are none.
func (s *Service) DropHandedOn(ctx context.Context, days int) ([]string, error) {
	if err := s.Configured(); err != nil {
		return nil, err
	}
	if who, _ := access.From(ctx); !who.Admin {
		return nil, nil
	}
	before := s.Now().UTC().AddDate(0, 0, -max(days, 0)).Format("20060102")
	var old []string
	for info, err := range s.Storage.List(ctx, flow.TransferFolder+"/", false) {
		if err != nil {
			return nil, err
		}
		if day := strings.Trim(strings.TrimPrefix(info.Key, flow.TransferFolder), "/"); info.Dir() && len(day) == 8 && day < before {
			old = append(old, info.Key)
		}
	}
	var gone []string
	for _, folder := range old {
		for info, err := range s.Storage.List(ctx, folder, true) {
			if err != nil {
				return gone, err
			}
			if !info.Dir() && !strings.HasSuffix(info.Key, ".crc") {
				gone = append(gone, info.Key)
			}
		}
		if err := storage.DeleteTree(ctx, s.Storage, folder); err != nil {
			return gone, err
		}
	}
	if len(gone) > 0 {
		err := s.Audit.Record(ctx, audit.Entry{
			Action: "resource.delete", ObjectType: "resource", ObjectName: flow.TransferFolder, Detail: map[string]any{"days": days, "files": len(gone)},
		})
		return gone, err
	}
	return gone, nil
}

func (s *Service) record(ctx context.Context, verb string, f File, detail any) error {
	return s.Audit.Record(ctx, audit.Entry{
		Action: "resource." + verb, ObjectType: "resource", ObjectID: strconv.FormatInt(f.ID, 10), ObjectName: f.Ref().String(), Detail: detail,
	})
}
