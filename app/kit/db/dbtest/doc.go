// Package dbtest gives each test a fresh migrated database of each kind.
//
//	dbtest.Each(t, func(t *testing.T, d *db.DB) { … })
//
// runs the subtests "sqlite" and "postgres". SQLite databases are copies of one
// template file. PostgreSQL databases are clones of one template in a server
// that the test process starts on first use and that dies with it, however it
// ends. The server's programs are looked for in PATH and in
// /usr/lib/postgresql; as root it runs as the user postgres.
//
// DORADO_TEST_POSTGRES=postgres://… uses a running server instead: its user
// must be allowed to create databases. Without PostgreSQL the subtest is
// skipped, or fails when CI=true.
package dbtest
