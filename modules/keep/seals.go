package keep

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"dorado/app/kit/db"
	"dorado/app/kit/secret"
)

// ErrOtherKey says that a database holds secrets which the keys at hand do not open.
var ErrOtherKey = errors.New("the secrets of this database are sealed with another key")

// For every key that something may be sealed with, the table setting has a row that only this key opens.
const (
	checkSetting = "secret_check."
	checkPurpose = "setting.secret_check"
	checkText    = "dorado"
)

type checkRow struct {
	Name  string `db:"name"`
	Value string `db:"value"`
}

const selectChecks = `SELECT name, value FROM setting WHERE name LIKE 'secret_check.%' ORDER BY name`

// CheckSealer makes sure that a sealer opens what a database holds, and notes that its newest key is used from now on.
// It returns ErrOtherKey.
func CheckSealer(ctx context.Context, d *db.DB, s *secret.Sealer) error {
	rows, err := db.Select[checkRow](ctx, d, selectChecks)
	if err != nil {
		return fmt.Errorf("read with which keys the database is sealed: %w", err)
	}
	if err := opens(s, rows); err != nil {
		return err
	}
	return noteKey(ctx, d, s)
}

// opens returns ErrOtherKey unless a sealer, which may be nil, has the keys of all rows.
func opens(s *secret.Sealer, rows []checkRow) error {
	for _, row := range rows {
		key := strings.TrimPrefix(row.Name, checkSetting)
		if s == nil {
			return fmt.Errorf("%w: it has key %s", ErrOtherKey, key)
		}
		if text, err := s.Open(row.Value, checkPurpose); err != nil || !text.Equal(checkText) {
			return fmt.Errorf("%w: it has key %s", ErrOtherKey, key)
		}
	}
	return nil
}

func noteKey(ctx context.Context, d *db.DB, s *secret.Sealer) error {
	sealed := s.Seal(checkText, checkPurpose)
	key, _ := secret.KeyOf(sealed)
	_, err := d.Exec(ctx, `INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`, checkSetting+key, sealed)
	if err != nil {
		return fmt.Errorf("note the key of the database: %w", err)
	}
	return nil
}

// SealedWith returns the ids of the keys that a database may hold secrets of, separated by commas, "" for none.
func SealedWith(ctx context.Context, d *db.DB) (string, error) {
	keys, err := KeysOf(ctx, d)
	return strings.Join(keys, ", "), err
}

// KeysOf returns the ids of the keys that a database may hold secrets of.
func KeysOf(ctx context.Context, d *db.DB) ([]string, error) {
	rows, err := db.Select[checkRow](ctx, d, selectChecks)
	keys := make([]string, len(rows))
	for i, row := range rows {
		keys[i] = strings.TrimPrefix(row.Name, checkSetting)
	}
	return keys, err
}

// Reseal seals secrets again with the newest key.
type Reseal struct {
	DB       *db.DB
	Sealer   *secret.Sealer
	Columns  []secret.Column
	Batch    int      // rows in one transaction
	Progress Progress // nil = nobody listens
}

type sealedRow struct {
	Key   any    `db:"row_key"`
	Value string `db:"sealed"`
}

func condition(c secret.Column) string {
	only := c.Column + " <> ''"
	if c.Only != "" {
		only += " AND " + c.Only
	}
	return only
}

// Run seals everything again that has another key than the newest, while the program works, and returns how many texts
// that were. Running it again after it broke off does what is left. A text that nobody can open stays as it is and is
// named in the error.
func (r *Reseal) Run(ctx context.Context) (int, error) {
	if r.Progress == nil {
		r.Progress = func(string, int64) {}
	}
	if err := noteKey(ctx, r.DB, r.Sealer); err != nil {
		return 0, err
	}
	done := 0
	var lost []error
	for _, c := range r.Columns {
		n, unopened, err := r.column(ctx, c)
		if done += n; err != nil {
			return done, fmt.Errorf("seal %s.%s again: %w", c.Table, c.Column, err)
		}
		lost = append(lost, unopened...)
	}
	return done, errors.Join(lost...)
}

func (r *Reseal) column(ctx context.Context, c secret.Column) (int, []error, error) {
	var lost []error
	var after any
	done, newest := 0, secret.Prefix(r.Sealer.Newest())
	for {
		query := "SELECT " + c.Key + " AS row_key, " + c.Column + " AS sealed FROM " + c.Table + " WHERE " + condition(c) +
			" AND substr(" + c.Column + ", 1, ?) <> ?"
		args := []any{len(newest), newest}
		if after != nil {
			query, args = query+" AND "+c.Key+" > ?", append(args, after)
		}
		rows, err := db.Select[sealedRow](ctx, r.DB, query+" ORDER BY "+c.Key+" LIMIT ?", append(args, r.Batch)...)
		if err != nil || len(rows) == 0 {
			return done, lost, err
		}
		err = r.DB.InTx(ctx, func(ctx context.Context) error {
			for _, row := range rows {
				plain, err := r.Sealer.Open(row.Value, c.Purpose)
				if err != nil {
					lost = append(lost, fmt.Errorf("%s %v: %w", c.Table, row.Key, err))
					continue
				}
				// Whoever changed the text meanwhile has sealed it with the newest key.
				if _, err := r.DB.Exec(ctx, "UPDATE "+c.Table+" SET "+c.Column+" = ? WHERE "+c.Key+" = ? AND "+c.Column+" = ?",
					r.Sealer.Seal(plain.Reveal(), c.Purpose), row.Key, row.Value); err != nil {
					return err
				}
				done++
			}
			return nil
		})
		if err != nil {
			return done, lost, err
		}
		r.Progress(c.Table+"."+c.Column, int64(done))
		after = rows[len(rows)-1].Key
	}
}

// KeyUses counts what is sealed with each key, by its id. What no sealer made counts under "".
func KeyUses(ctx context.Context, d *db.DB, columns []secret.Column) (map[string]int, error) {
	uses := map[string]int{}
	for _, c := range columns {
		heads, err := db.Select[string](ctx, d, "SELECT substr("+c.Column+", 1, 100) FROM "+c.Table+" WHERE "+condition(c))
		if err != nil {
			return nil, fmt.Errorf("look into %s.%s: %w", c.Table, c.Column, err)
		}
		for _, head := range heads {
			key, _ := secret.KeyOf(head)
			uses[key]++
		}
	}
	return uses, nil
}

// ForgetKeys takes back the note that something may be sealed with keys that were retired.
func ForgetKeys(ctx context.Context, d *db.DB, keys ...string) error {
	for _, key := range keys {
		if _, err := d.Exec(ctx, `DELETE FROM setting WHERE name = ?`, checkSetting+key); err != nil {
			return fmt.Errorf("forget key %s: %w", key, err)
		}
	}
	return nil
}

// settleSecrets makes sure that the keys at hand open what was restored, or empties it when that was asked for. Where nothing
// was sealed any key will do. The schema may be an older one, without some of the columns.
func (s *settler) settleSecrets(ctx context.Context) error {
	if s.tables["setting"] == nil {
		return nil
	}
	var rows []checkRow
	if err := sqlx.SelectContext(ctx, s.tx, &rows, selectChecks); err != nil {
		return err
	}
	sealed := 0
	for _, c := range s.d.Sealed {
		if !s.has(c) {
			continue
		}
		var n int
		if err := sqlx.GetContext(ctx, s.tx, &n, "SELECT count(*) FROM "+c.Table+" WHERE "+condition(c)); err != nil {
			return err
		}
		sealed += n
	}
	if sealed > 0 && !s.d.WithoutSecrets {
		if err := opens(s.d.Sealer, rows); err != nil {
			return fmt.Errorf("%w; nothing was restored", err)
		}
		return nil
	}
	for _, c := range s.d.Sealed {
		if !s.has(c) {
			continue
		}
		n, err := s.exec(ctx, c.Table, "UPDATE "+c.Table+" SET "+c.Column+" = '' WHERE "+condition(c))
		if err != nil {
			return err
		}
		s.out.Secrets += n
	}
	_, err := s.exec(ctx, "setting", `DELETE FROM setting WHERE name LIKE 'secret_check.%'`)
	return err
}

func (s *settler) has(c secret.Column) bool {
	t := s.tables[c.Table]
	if t == nil {
		return false
	}
	sealed, only := false, c.Only == ""
	for _, column := range t.Columns {
		sealed = sealed || column.Name == c.Column
		only = only || column.Name == c.Only
	}
	return sealed && only
}
