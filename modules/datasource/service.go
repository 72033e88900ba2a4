package datasource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
	"dorado/modules/security/crud"
	"dorado/plugins/catalog"
	"dorado/plugins/datasource"
	"dorado/plugins/form"
)

// purpose binds sealed texts to their column.
const purpose = flow.SealedDataSource

// patience is how long a connection is waited for.
const patience = 5 * time.Second

// Service holds the rules about data sources; it is the only door for other modules. Page, Get, Create, Update, Uses and
// Delete are those of crud.Keeper.
type Service struct {
	crud.Keeper[DataSource, Draft]
	store     store
	access    *access.Service
	audit     *audit.Service
	types     *catalog.DataSources
	sealer    *secret.Sealer
	referrers []Referrer
	drawing   Drawing // nil until it is set
	turns     turns
}

// SetDrawing lets statements become tasks. It must not be called once requests are served.
func (s *Service) SetDrawing(d Drawing) { s.drawing = d }

// AddReferrer lets r object to deleting a data source. It must not be called once requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

func (s *Service) referring(ctx context.Context, d DataSource, limit int) ([]Use, error) {
	return crud.Gather(s.referrers, limit, func(r Referrer, limit int) ([]Use, error) { return r.DataSourceUses(ctx, d.ID, limit) })
}

// may makes the rule of a permission: about a data source it also asks whose it is and whom it is granted.
func (s *Service) may(p access.Permission, perm int) func(context.Context, *DataSource) error {
	return func(ctx context.Context, of *DataSource) error {
		if err := s.access.Require(ctx, p); err != nil || of == nil {
			return err
		}
		who, err := access.Must(ctx)
		if err != nil {
			return err
		}
		if of.UserID == who.UserID && who.UserID != 0 || s.access.MayUse(ctx, access.DataSource, of.key(), perm) {
			return nil
		}
		return access.ErrDenied.With("permission", string(p))
	}
}

// mine reports whether whoever acts owns the data source, or is an administrator.
func (s *Service) mine(ctx context.Context, d DataSource) bool {
	who, _ := access.From(ctx)
	_, all := s.access.ObjectsOf(ctx, access.DataSource)
	return all || d.UserID == who.UserID
}

// All lists the data sources that whoever acts may use by name, of one type or of all when kind is empty.
func (s *Service) All(ctx context.Context, kind string) ([]DataSource, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	return s.store.all(ctx, kind)
}

// Fitting returns the youngest limit data sources that whoever acts may use and whose name fits, the one changed last first. It asks only
// about names that hold more than ASCII characters, and about no more than db.MaxFitting of them.
func (s *Service) Fitting(ctx context.Context, fits func(name string) bool, limit int) ([]DataSource, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	ids, err := s.store.fitting(ctx, fits, limit)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	page, err := s.Page(ctx, listing.New(Spec(), 1, limit, "").Among(ids))
	return page.Items, err
}

// Usable returns the types of those of the data sources that whoever acts may use, by id, and the names of those that exist
// and that he may not use.
func (s *Service) Usable(ctx context.Context, ids []int64) (types, denied map[int64]string, err error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, nil, err
	}
	types, denied = map[int64]string{}, map[int64]string{}
	for _, id := range ids {
		d, err := s.store.ByID(ctx, id)
		switch {
		case errors.Is(err, ErrNotFound):
			continue
		case err != nil:
			return nil, nil, err
		}
		if s.MayView(ctx, &d) == nil {
			types[id] = d.Type
		} else {
			denied[id] = d.Name
		}
	}
	return types, denied, nil
}

// Named returns the data source with this name, when whoever acts may use it.
func (s *Service) Named(ctx context.Context, name string) (DataSource, error) {
	d, err := s.store.named(ctx, name)
	if err != nil {
		return d, err
	}
	err = s.MayView(ctx, &d)
	return d, err
}

// CheckName returns ErrNameTaken when there is a data source with this name.
func (s *Service) CheckName(ctx context.Context, name string) error {
	if err := s.access.Require(ctx, View); err != nil {
		return err
	}
	_, err := s.store.named(ctx, Draft{Name: name}.Clean().Name)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		return ErrNameTaken.With("name", name)
	}
	return err
}

// stored reads the settings of a data source.
func (s *Service) stored(d DataSource) (open, secrets form.Flat, err error) {
	if open, err = form.ReadFlat([]byte(d.Params)); err != nil {
		return nil, nil, fmt.Errorf("settings of data source %d: %w", d.ID, err)
	}
	if d.Secrets == "" {
		return open, form.Flat{}, nil
	}
	text, err := s.sealer.Open(d.Secrets.Reveal(), purpose)
	if err != nil {
		return nil, nil, fmt.Errorf("secrets of data source %d: %w", d.ID, err)
	}
	secrets, err = form.ReadFlat([]byte(text.Reveal()))
	return open, secrets, err
}

// Shown returns the settings of a data source with a mask for each secret.
func (s *Service) Shown(d DataSource) form.Flat {
	open, secrets, err := s.stored(d)
	if err != nil { // a key that is gone: what was secret has to be typed again
		open, _ = form.ReadFlat([]byte(d.Params))
	}
	for name := range secrets {
		open[name] = form.Mask
	}
	return open
}

// ConnectionParams is the text that clients know the data source by, without its secrets.
func (s *Service) ConnectionParams(d DataSource) string {
	p, ok := s.types.Type(d.Type)
	if !ok {
		return "{}"
	}
	settings, _ := p.Read(s.Shown(d))
	return p.ConnectionParams(settings, form.Mask)
}

// Opened returns the type and the settings of a data source, secrets included, for whoever connects. Whoever acts must be
// allowed to use it.
func (s *Service) Opened(ctx context.Context, id int64) (datasource.Plugin, datasource.Settings, error) {
	d, err := s.Get(ctx, id)
	if err != nil {
		return datasource.Plugin{}, datasource.Settings{}, err
	}
	p, ok := s.types.Type(d.Type)
	if !ok {
		return p, datasource.Settings{}, ErrType
	}
	open, secrets, err := s.stored(d)
	if err != nil {
		return p, datasource.Settings{}, err
	}
	maps.Copy(open, secrets)
	settings, problems := p.Read(open)
	if len(problems) > 0 {
		return p, settings, wrong(problems)
	}
	return p, settings, nil
}

// Prefix stands before the names of a type's fields in forms and in faults.
const Prefix = "p."

func wrong(problems []form.Problem) error {
	err := ErrSettings
	for _, p := range problems {
		err = err.OnField(Prefix+p.Field, p.Key, p.Args...)
	}
	return err
}

// whole returns the settings of a draft with the secrets that are kept in place of masks and of nothing, checked.
func (s *Service) whole(ctx context.Context, was *DataSource, d Draft) (datasource.Plugin, datasource.Settings, form.Flat, error) {
	kept := form.Flat{}
	var open form.Flat
	if was != nil {
		d.Type = was.Type
		var err error
		if open, kept, err = s.stored(*was); err != nil {
			return datasource.Plugin{}, datasource.Settings{}, nil, err
		}
	}
	p, ok := s.types.Type(d.Type)
	if !ok {
		return p, datasource.Settings{}, nil, ErrType.OnField("type", ErrType.Key)
	}
	given := form.Flat{} // fields of the type alone: nothing else is kept
	uses := false
	for _, f := range p.Schema {
		text, sent := d.Settings[f.Name]
		if f.Type == form.Secret && was != nil && (text == "" || text == form.Mask) {
			if text = kept[f.Name]; text != "" {
				uses, sent = true, true
			}
		} else if f.Type == form.Secret && text == form.Mask {
			text = ""
		}
		if sent {
			given[f.Name] = text
		}
	}
	if uses && !s.mine(ctx, *was) && elsewhere(p, open, given) {
		return p, datasource.Settings{}, nil, ErrPassword.OnField(Prefix+datasource.Password, ErrPassword.Key)
	}
	settings, problems := p.Read(given)
	if len(problems) > 0 {
		return p, settings, nil, wrong(problems)
	}
	return p, settings, given, nil
}

// elsewhere reports whether a secret would be sent to another place, or in another way.
func elsewhere(p datasource.Plugin, was, now form.Flat) bool {
	for _, f := range p.Schema {
		if f.Type != form.Secret && f.Name != datasource.Database && was[f.Name] != now[f.Name] {
			return true
		}
	}
	return false
}

// complete checks the settings of a draft and makes what is stored.
func (s *Service) complete(ctx context.Context, was *DataSource, d Draft) (Draft, error) {
	p, _, all, err := s.whole(ctx, was, d)
	if err != nil {
		return d, err
	}
	d.Type = p.Type
	open, secrets := p.Schema.Split(all)
	d.params, d.secrets = string(open.JSON()), ""
	if len(secrets) > 0 {
		d.secrets = s.sealer.Seal(string(secrets.JSON()), purpose)
	}
	return d, nil
}

// Try connects with these settings; id is the data source that they are to become settings of, 0 for a new one. It returns how
// long that took, or ErrConnect with the step and the reason, or field faults.
func (s *Service) Try(ctx context.Context, id int64, d Draft) (time.Duration, error) {
	if err := s.access.Require(ctx, Manage); err != nil {
		return 0, err
	}
	var was *DataSource
	if id != 0 {
		found, err := s.store.ByID(ctx, id)
		if err != nil {
			return 0, err
		}
		if err := s.MayChange(ctx, &found); err != nil {
			return 0, err
		}
		was = &found
	}
	p, settings, _, err := s.whole(ctx, was, d.Clean())
	if err != nil {
		return 0, err
	}
	return s.connect(ctx, p, settings, d.Name)
}

// Test connects to a data source. It returns how long that took, or ErrConnect.
func (s *Service) Test(ctx context.Context, id int64) (time.Duration, error) {
	p, settings, err := s.Opened(ctx, id)
	if err != nil {
		return 0, err
	}
	return s.connect(ctx, p, settings, "")
}

func (s *Service) connect(ctx context.Context, p datasource.Plugin, settings datasource.Settings, name string) (time.Duration, error) {
	if err := s.audit.Record(ctx, audit.Entry{
		Action: "datasource.test", ObjectType: "datasource", ObjectName: name, Detail: map[string]string{"type": p.Type, "host": cmp.Or(settings.HostList(true), settings.All["file"])},
	}); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	took, err := p.Test(ctx, settings)
	if err != nil {
		return 0, failed(ctx, p, err)
	}
	return took, nil
}

// failed is ErrConnect with the step at which connecting failed.
func failed(ctx context.Context, p datasource.Plugin, err error) error {
	e, ok := errors.AsType[*datasource.Error](err)
	if !ok {
		return err
	}
	reason := e.Error()
	switch {
	case errors.Is(err, datasource.ErrNoDriver):
		reason = i18n.T(ctx, p.Missing)
	case errors.Is(err, datasource.ErrNoTables):
		return ErrNoTables.Because(err)
	}
	return ErrConnect.With("step", i18n.T(ctx, "datasource.step."+string(e.Step)), "reason", reason).Because(err)
}

// Databases lists the databases of a data source. It returns ErrNoTables or ErrConnect.
func (s *Service) Databases(ctx context.Context, id int64) ([]string, error) {
	return listed(ctx, s, id, func(ctx context.Context, p datasource.Plugin, settings datasource.Settings) ([]string, error) {
		return p.Databases(ctx, settings)
	})
}

// Tables lists the tables and views of a database of a data source. It returns ErrNoTables or
// ErrConnect.
func (s *Service) Tables(ctx context.Context, id int64, database string) ([]string, error) {
	return listed(ctx, s, id, func(ctx context.Context, p datasource.Plugin, settings datasource.Settings) ([]string, error) {
		return p.Tables(ctx, settings, database)
	})
}

// Columns lists the columns of a table. It returns ErrNoTables or ErrConnect.
func (s *Service) Columns(ctx context.Context, id int64, database, table string) ([]datasource.Column, error) {
	return listed(ctx, s, id, func(ctx context.Context, p datasource.Plugin, settings datasource.Settings) ([]datasource.Column, error) {
		return p.Columns(ctx, settings, database, table)
	})
}

func listed[T any](ctx context.Context, s *Service, id int64, list func(context.Context, datasource.Plugin, datasource.Settings) ([]T, error)) ([]T, error) {
	p, settings, err := s.Opened(ctx, id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	out, err := list(ctx, p, settings)
	if err != nil {
		return nil, failed(ctx, p, err)
	}
	return out, nil
}

// Granted lists the data sources that a user is granted; others those that he is not, of what whoever acts may hand on:
// everything for an administrator, his own for anybody else. A user may ask about himself.
func (s *Service) Granted(ctx context.Context, user int64, others bool) ([]DataSource, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	who, err := access.Must(ctx)
	if err != nil {
		return nil, err
	}
	_, all := s.access.ObjectsOf(ctx, access.DataSource)
	if !all && who.UserID != user && !others {
		return nil, access.ErrDenied.With("permission", string(View))
	}
	grants, err := s.access.ObjectsGranted(ctx, user, access.DataSource)
	if err != nil {
		return nil, err
	}
	granted := map[string]bool{}
	for _, g := range grants {
		granted[g.Key] = true
	}
	list, err := s.store.all(ctx, "")
	if err != nil {
		return nil, err
	}
	out := []DataSource{}
	for _, d := range list {
		if granted[d.key()] != others && (!others || s.mine(ctx, d)) {
			out = append(out, d)
		}
	}
	return out, nil
}
