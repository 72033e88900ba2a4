package alertinstance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/security/crud"
	"dorado/plugins/alert"
	"dorado/plugins/catalog"
	"dorado/plugins/form"
)

// purpose binds sealed texts to their column.
const purpose = "alert_plugin_instance.secrets"

// testTimeout is how long somebody waits for a test.
const testTimeout = 30 * time.Second

// Service holds the rules about alert instances; it is the only door for other modules. Page, Get, Create, Update, Uses and
// Delete are those of crud.Keeper.
type Service struct {
	crud.Keeper[Instance, Draft]
	store     store
	access    *access.Service
	audit     *audit.Service
	plugins   *catalog.Alerts
	sealer    *secret.Sealer
	now       func() time.Time
	referrers []Referrer
}

// AddReferrer lets r object to deleting an instance. It must not be called once requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

func (s *Service) referring(ctx context.Context, i Instance, limit int) ([]Use, error) {
	return crud.Gather(s.referrers, limit, func(r Referrer, limit int) ([]Use, error) { return r.AlertInstanceUses(ctx, i.ID, limit) })
}

// All lists every instance by name.
func (s *Service) All(ctx context.Context) ([]Instance, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	return s.store.all(ctx)
}

// CheckName returns ErrNameTaken when there is an instance with this name.
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

// Shown returns the settings of an instance with a mask for each secret.
func (s *Service) Shown(i Instance) (form.Flat, error) {
	open, secrets, err := s.settings(i)
	if err != nil {
		return nil, err
	}
	p, ok := s.plugins.Named(i.Plugin)
	if !ok {
		return open, nil
	}
	return p.Schema.Masked(open, secrets), nil
}

// settings reads what is stored.
func (s *Service) settings(i Instance) (open, secrets form.Flat, err error) {
	if open, err = form.ReadFlat([]byte(i.Params)); err != nil {
		return nil, nil, fmt.Errorf("settings of alert instance %d: %w", i.ID, err)
	}
	if i.Secrets == "" {
		return open, form.Flat{}, nil
	}
	text, err := s.sealer.Open(i.Secrets.Reveal(), purpose)
	if err != nil {
		return nil, nil, fmt.Errorf("secrets of alert instance %d: %w", i.ID, err)
	}
	secrets, err = form.ReadFlat([]byte(text.Reveal()))
	return open, secrets, err
}

// complete checks the settings of a draft, with the secrets that are kept in place of masks, and makes what is stored.
func (s *Service) complete(_ context.Context, was *Instance, d Draft) (Draft, error) {
	kept := form.Flat{}
	if was != nil {
		d.Plugin = was.Plugin
		var err error
		if _, kept, err = s.settings(*was); err != nil {
			return d, err
		}
	}
	p, ok := s.plugins.Named(d.Plugin)
	if !ok {
		return d, ErrPlugin.OnField("plugin", ErrPlugin.Key)
	}
	all := p.Schema.Unmasked(d.Settings, kept)
	if _, problems := p.Decode(all); len(problems) > 0 {
		return d, wrong(problems)
	}
	open, secrets := p.Schema.Split(all)
	d.params, d.secrets = string(open.JSON()), ""
	if len(secrets) > 0 {
		d.secrets = s.sealer.Seal(string(secrets.JSON()), purpose)
	}
	return d, nil
}

// Prefix stands before the names of a plugin's fields in forms and in faults.
const Prefix = "p."

func wrong(problems []form.Problem) error {
	err := ErrSettings
	for _, p := range problems {
		err = err.OnField(Prefix+p.Field, p.Key, p.Args...)
	}
	return err
}

// Test sends a test message with these settings; id is the instance that they are to become settings of, 0 for a new one. It
// returns what the receiver answered, or ErrTest with what went wrong, or field faults.
func (s *Service) Test(ctx context.Context, id int64, d Draft) (string, error) {
	if err := s.access.Require(ctx, Manage); err != nil {
		return "", err
	}
	kept := form.Flat{}
	if id != 0 {
		was, err := s.store.ByID(ctx, id)
		if err != nil {
			return "", err
		}
		d.Plugin = was.Plugin
		if _, kept, err = s.settings(was); err != nil {
			return "", err
		}
	}
	p, ok := s.plugins.Named(d.Plugin)
	if !ok {
		return "", ErrPlugin.OnField("plugin", ErrPlugin.Key)
	}
	all := p.Schema.Unmasked(d.Settings, kept)
	if _, problems := p.Decode(all); len(problems) > 0 {
		return "", wrong(problems)
	}
	entry := audit.Entry{Action: "alertinstance.test", ObjectType: "alertinstance", ObjectName: d.Name, Detail: map[string]string{"plugin": d.Plugin}}
	if err := s.audit.Record(ctx, entry); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	answer, err := p.Deliver(ctx, all, testMessage(s.now()))
	if err != nil {
		return "", ErrTest.With("error", err.Error()).Because(err)
	}
	return answer, nil
}

func testMessage(now time.Time) alert.Message {
	content, err := json.Marshal([]map[string]string{{"message": "This is a test alert message from Dorado"}})
	if err != nil {
		content = []byte("[]")
	}
	return alert.Message{Title: "Dorado test alert", Content: string(content), Kind: "TEST", Warning: "NONE", At: now}
}

// Those returns the instances with these ids, in that order; what is gone is left out. It asks no permission: alerts name
// their groups themselves.
func (s *Service) Those(ctx context.Context, ids []int64) ([]Instance, error) {
	all, err := s.store.all(ctx)
	if err != nil {
		return nil, err
	}
	var out []Instance
	for _, id := range ids {
		if i := slices.IndexFunc(all, func(i Instance) bool { return i.ID == id }); i >= 0 {
			out = append(out, all[i])
		}
	}
	return out, nil
}

// Deliver sends m by the instance with this id. It asks no permission: the program itself sends. It returns ErrNotFound, or
// what went wrong, without secrets.
func (s *Service) Deliver(ctx context.Context, id int64, m alert.Message) (answer string, err error) {
	i, err := s.store.ByID(ctx, id)
	if err != nil {
		return "", err
	}
	p, ok := s.plugins.Named(i.Plugin)
	if !ok {
		return "", fmt.Errorf("this program has no alert plugin %q", i.Plugin)
	}
	open, secrets, err := s.settings(i)
	if err != nil {
		return "", err
	}
	maps.Copy(open, secrets)
	return p.Deliver(ctx, open, m)
}
