package db_test

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
)

// BenchmarkWriter measures one small transaction on the dedicated connection: what a group committer pays at least.
func BenchmarkWriter(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *db.DB{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			d := open(b)
			w, err := d.Writer(b.Context())
			require.NoError(b, err)
			defer func() { require.NoError(b, w.Close()) }()
			i := 0
			for b.Loop() {
				i++
				require.NoError(b, w.Tx(b.Context(), func(*sql.Conn) error {
					s, err := w.Stmt(b.Context(), insertBlock)
					if err != nil {
						return err
					}
					_, err = s.ExecContext(b.Context(), fmt.Sprint("b", i), i)
					return err
				}))
			}
		})
	}
}
