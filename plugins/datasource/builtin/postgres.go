package builtin

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/lib/pq"

	"dorado/plugins/datasource"
	"dorado/plugins/form"
)

// pgDialer lets lib/pq use our connections: the address it asks for is one of the settings' hosts.
type pgDialer struct{ s datasource.Settings }

// Dial connects.
func (d pgDialer) Dial(_, _ string) (net.Conn, error) { return d.s.Dial(context.Background()) } //nolint:forbidigo // lib/pq calls DialContext; this satisfies its interface

// DialTimeout connects within a time.
func (d pgDialer) DialTimeout(_, _ string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout) //nolint:forbidigo // as above
	defer cancel()
	return d.s.Dial(ctx)
}

// DialContext connects while ctx lasts.
func (d pgDialer) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	return d.s.Dial(ctx)
}

func openPostgres(s datasource.Settings) (*sql.DB, error) {
	query := url.Values{"sslmode": {"prefer"}, "application_name": {"dorado"}}
	switch mode := s.Get("sslmode"); mode {
	case "disable", "require", "verify-ca", "verify-full", "allow", "prefer":
		query.Set("sslmode", mode)
	case "":
		if s.Get("ssl") == "true" {
			query.Set("sslmode", "verify-full")
		}
	}
	if schema := s.Get("currentSchema"); schema != "" {
		query.Set("search_path", schema)
	}
	if name := s.Get("ApplicationName"); name != "" {
		query.Set("application_name", name)
	}
	host := "localhost"
	if len(s.Hosts) > 0 {
		host, _, _ = net.SplitHostPort(hostPort(s))
	}
	dsn := url.URL{
		Scheme: "postgres", User: url.UserPassword(s.User, s.Password.Reveal()), Host: net.JoinHostPort(host, "5432"), Path: "/" + s.Database,
		RawQuery: query.Encode(),
	}
	c, err := pq.NewConnector(dsn.String())
	if err != nil {
		return nil, errors.New("the settings are not understood") // the error may quote them
	}
	c.Dialer(pgDialer{s})
	return sql.OpenDB(c), nil
}

func postgresStep(err error) datasource.Step {
	e, ok := errors.AsType[*pq.Error](err)
	if !ok {
		if errors.Is(err, pq.ErrSSLNotSupported) {
			return datasource.Secure
		}
		return ""
	}
	switch e.Code {
	case "28P01", "28000":
		return datasource.SignIn
	case "3D000":
		return datasource.Missing
	}
	return datasource.Ask
}

func postgresSpot(statement string, err error) datasource.Spot {
	e, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return datasource.Spot{}
	}
	n, err := strconv.Atoi(e.Position)
	if err != nil {
		return datasource.Spot{}
	}
	return datasource.SpotOf(statement, n)
}

const (
	pgTables = `SELECT CASE WHEN table_schema = 'public' THEN table_name ELSE table_schema || '.' || table_name END FROM information_schema.tables
		WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`
	pgColumns = `SELECT column_name, data_type FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
		AND $1::text IN (CASE WHEN table_schema = 'public' THEN table_name ELSE '' END, table_schema || '.' || table_name) ORDER BY table_schema, ordinal_position`
)

func postgresType(name string, code int, label string, port float64) datasource.Plugin {
	return datasource.Plugin{
		Type: name, Code: code, Label: label, Schema: jdbc(port), Class: "org.postgresql.Driver", Query: "select version()",
		Address: address("jdbc:postgresql://"), URL: slashed("jdbc:postgresql://", "?", "&"), Open: openPostgres, Step: postgresStep, Spot: postgresSpot,
		Lists: datasource.Lists{
			Connect: true, Databases: "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1", Tables: pgTables, Columns: pgColumns,
		},
	}
}

// redshift speaks the language of PostgreSQL.
func redshift() datasource.Plugin {
	p := postgresType("REDSHIFT", 10, "Redshift", 5439)
	p.Class, p.Query = "com.amazon.redshift.jdbc42.Driver", "select 1"
	p.Schema = jdbc(5439,
		form.Field{Name: "mode", Type: form.Select, Label: "datasource.mode", Default: "PASSWORD", Options: []form.Option{
			{Value: "PASSWORD", Label: "datasource.mode.password"}, {Value: "IAM_ACCESS_KEY", Label: "datasource.mode.iam"},
		}},
		form.Field{Name: "dbUser", Type: form.Text, Label: "datasource.db_user", VisibleWhen: &form.Condition{Field: "mode", In: []string{"IAM_ACCESS_KEY"}}},
	)
	prefix := func(s datasource.Settings) string {
		if s.All["mode"] == "IAM_ACCESS_KEY" {
			return "jdbc:redshift:iam://"
		}
		return "jdbc:redshift://"
	}
	p.Address = func(s datasource.Settings) string { return address(prefix(s))(s) }
	p.URL = func(s datasource.Settings) string { return slashed(prefix(s), "?", "&")(s) }
	p.Open = func(s datasource.Settings) (*sql.DB, error) {
		if s.All["mode"] == "IAM_ACCESS_KEY" {
			return nil, errors.New("sign-in by IAM is not supported in this version")
		}
		return openPostgres(s)
	}
	return p
}
