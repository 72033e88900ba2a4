package keep_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/secret"
	"dorado/modules/keep"
)

func sealedColumns() []secret.Column {
	return []secret.Column{
		{Table: "project_parameter", Column: "value", Key: "id", Only: "is_secret", Purpose: "project_parameter.value"},
		{Table: "datasource", Column: "secrets", Key: "id", Purpose: "datasource.secrets"},
	}
}

// withSecrets puts secret and other rows into a database.
func withSecrets(t *testing.T, d *db.DB, s *secret.Sealer, n int) {
	t.Helper()
	now := time.Now()
	exec(t, d, `INSERT INTO users (name, password_hash, user_type, created_at, updated_at) VALUES ('gwen', 'x', 'ADMIN_USER', ?, ?)`, now, now)
	user := get[int64](t, d, `SELECT id FROM users WHERE name = 'gwen'`)
	exec(t, d, `INSERT INTO project (code, name, owner_id, created_at, updated_at) VALUES (7, 'p', ?, ?, ?)`, user, now, now)
	for i := range n {
		exec(t, d, `INSERT INTO project_parameter (code, project_code, name, value, data_type, creator_id, modifier_id, is_secret, created_at, updated_at)
			VALUES (?, 7, ?, ?, 'VARCHAR', 1, 1, ?, ?, ?)`, i+1, fmt.Sprint("p", i), s.Seal(fmt.Sprint("value ", i), "project_parameter.value"), true, now, now)
		exec(t, d, `INSERT INTO datasource (name, type, params, secrets, user_id, created_at, updated_at) VALUES (?, 'MYSQL', '{}', ?, ?, ?, ?)`,
			fmt.Sprint("d", i), s.Seal(fmt.Sprint("secret ", i), "datasource.secrets"), user, now, now)
	}
	exec(t, d, `INSERT INTO project_parameter (code, project_code, name, value, data_type, creator_id, modifier_id, is_secret, created_at, updated_at)
		VALUES (9999, 7, 'plain', 's1:looks:sealed', 'VARCHAR', 1, 1, ?, ?, ?)`, false, now, now)
	exec(t, d, `INSERT INTO datasource (name, type, params, secrets, user_id, created_at, updated_at) VALUES ('none', 'MYSQL', '{}', '', ?, ?, ?)`, user, now, now)
}

func TestEverythingIsSealedAgainWithTheNewKey(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		path := filepath.Join(t.TempDir(), "seal.key")
		s, err := secret.OpenSealer(path)
		require.NoError(t, err)
		require.NoError(t, keep.CheckSealer(ctx, d, s))
		old := s.Newest()
		withSecrets(t, d, s, 25)
		uses, err := keep.KeyUses(ctx, d, sealedColumns())
		require.NoError(t, err)
		require.Equal(t, map[string]int{old: 50}, uses)

		fresh, err := secret.AddKey(path)
		require.NoError(t, err)
		broken, cancel := context.WithCancel(ctx)
		r := keep.Reseal{DB: d, Sealer: s, Columns: sealedColumns(), Batch: 10, Progress: func(string, int64) { cancel() }}
		_, err = r.Run(broken)
		require.Error(t, err)
		uses, err = keep.KeyUses(ctx, d, sealedColumns())
		require.NoError(t, err)
		require.NotZero(t, uses[old])
		require.NotZero(t, uses[fresh], "it broke off in the middle")

		exec(t, d, `UPDATE datasource SET secrets = ? WHERE name = 'd24'`, "s1:00000000:AAAA") // of a key that is gone
		r.Progress = nil
		n, err := r.Run(ctx)
		require.ErrorIs(t, err, secret.ErrSealed)
		require.ErrorContains(t, err, "datasource ")
		require.Positive(t, n)
		uses, err = keep.KeyUses(ctx, d, sealedColumns())
		require.NoError(t, err)
		require.Equal(t, map[string]int{fresh: 49, "00000000": 1}, uses, "the others are done all the same")
		plain, err := s.Open(get[string](t, d, `SELECT value FROM project_parameter WHERE name = 'p13'`), "project_parameter.value")
		require.NoError(t, err)
		require.Equal(t, "value 13", plain.Reveal())
		require.Equal(t, "s1:looks:sealed", get[string](t, d, `SELECT value FROM project_parameter WHERE name = 'plain'`))
		n, err = r.Run(ctx)
		require.Error(t, err)
		require.Zero(t, n)

		require.NoError(t, keep.ForgetKeys(ctx, d, old))
		require.NoError(t, secret.RetireKeys(path, old))
		again, err := secret.OpenSealer(path)
		require.NoError(t, err)
		require.NoError(t, keep.CheckSealer(ctx, d, again))
		keys, err := keep.SealedWith(ctx, d)
		require.NoError(t, err)
		require.Equal(t, fresh, keys)
	})
}

func TestADatabaseIsNotOpenedWithTheKeyOfAnother(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		mine, err := secret.OpenSealer(filepath.Join(t.TempDir(), "seal.key"))
		require.NoError(t, err)
		other, err := secret.OpenSealer(filepath.Join(t.TempDir(), "seal.key"))
		require.NoError(t, err)
		require.NoError(t, keep.CheckSealer(t.Context(), d, mine))
		require.NoError(t, keep.CheckSealer(t.Context(), d, mine))
		err = keep.CheckSealer(t.Context(), d, other)
		require.ErrorIs(t, err, keep.ErrOtherKey)
		require.ErrorContains(t, err, mine.Newest())
		keys, err := keep.SealedWith(t.Context(), d)
		require.NoError(t, err)
		require.Equal(t, mine.Newest(), keys, "what was refused leaves nothing")
	})
}

func TestABackupHoldsSecretsSealedAndIsRestoredWhereTheirKeyIs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		raw := bytes.Repeat([]byte{9}, 32)
		s, err := secret.NewSealer(secret.String(base64.StdEncoding.EncodeToString(raw)))
		require.NoError(t, err)
		require.NoError(t, keep.CheckSealer(ctx, d, s))
		withSecrets(t, d, s, 2)
		var file bytes.Buffer
		_, _, err = keep.Backup(ctx, keep.BackupDeps{DB: d, Out: &file, Program: "test", Now: time.Now})
		require.NoError(t, err)

		restore := func(sealer *secret.Sealer, without bool) (*db.DB, keep.Restored, error) {
			to := lite(t)
			done, err := keep.Restore(ctx, keep.RestoreDeps{
				DB: to, In: bytes.NewReader(file.Bytes()), Program: "test", Now: time.Now, Sealer: sealer, WithoutSecrets: without, Sealed: sealedColumns(),
			})
			return to, done, err
		}
		_, _, err = restore(nil, false)
		require.ErrorIs(t, err, keep.ErrOtherKey)
		other, err := secret.NewSealer(secret.String(base64.StdEncoding.EncodeToString(make([]byte, 32))))
		require.NoError(t, err)
		to, _, err := restore(other, false)
		require.ErrorIs(t, err, keep.ErrOtherKey)
		require.Zero(t, get[int](t, to, `SELECT COUNT(*) FROM project_parameter`), "nothing was restored")

		to, done, err := restore(s, false)
		require.NoError(t, err)
		require.Zero(t, done.Settled.Secrets)
		plain, err := s.Open(get[string](t, to, `SELECT secrets FROM datasource WHERE name = 'd1'`), "datasource.secrets")
		require.NoError(t, err)
		require.Equal(t, "secret 1", plain.Reveal())
		require.NoError(t, keep.CheckSealer(ctx, to, s))

		to, done, err = restore(nil, true)
		require.NoError(t, err)
		require.EqualValues(t, 4, done.Settled.Secrets)
		require.Zero(t, get[int](t, to, `SELECT COUNT(*) FROM datasource WHERE secrets <> ''`))
		require.Equal(t, "s1:looks:sealed", get[string](t, to, `SELECT value FROM project_parameter WHERE name = 'plain'`))
		require.NoError(t, keep.CheckSealer(ctx, to, other), "a new key may begin")
	})
}
