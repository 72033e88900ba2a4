package builtin

import (
	"crypto/tls"
	"database/sql"
	"errors"
	"net"
	"strconv"
	"strings"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/verticadb"
)

func openVertica(s datasource.Settings) (*sql.DB, error) {
	host, _, err := net.SplitHostPort(hostPort(s))
	if err != nil {
		return nil, errors.New("the host is not understood")
	}
	c := verticadb.Config{Dial: s.Dial, User: s.User, Password: s.Password, Database: s.Database}
	switch mode := strings.ToLower(s.Get("TLSmode")); {
	case mode == "require", mode == "prefer":
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // what the parameter asks for
	case mode == "verify-ca", mode == "verify-full", mode == "" && strings.EqualFold(s.Get("SSL"), "true"):
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	}
	return sql.OpenDB(verticadb.NewConnector(c)), nil
}

func verticaStep(err error) datasource.Step {
	if errors.Is(err, verticadb.ErrTLS) {
		return datasource.Secure
	}
	e, ok := errors.AsType[*verticadb.Error](err)
	if !ok {
		return ""
	}
	switch e.State {
	case "28000", "28P01":
		return datasource.SignIn
	case "3D000":
		return datasource.Missing
	}
	return datasource.Ask
}

func verticaSpot(statement string, err error) datasource.Spot {
	e, ok := errors.AsType[*verticadb.Error](err)
	if !ok {
		return datasource.Spot{}
	}
	n, err := strconv.Atoi(e.Position)
	if err != nil {
		return datasource.Spot{}
	}
	return datasource.SpotOf(statement, n)
}

func vertica() datasource.Plugin {
	p := plain("VERTICA", 21, "Vertica", 5433, "jdbc:vertica://", "?", "&", "com.vertica.jdbc.Driver", "select 1", "")
	p.Open, p.Step, p.Spot = openVertica, verticaStep, verticaSpot
	p.Lists = datasource.Lists{
		Connect: true, Databases: "SELECT database_name FROM v_catalog.databases ORDER BY 1",
		Tables: `SELECT CASE WHEN table_schema = 'public' THEN table_name ELSE table_schema || '.' || table_name END FROM v_catalog.all_tables
			WHERE table_schema NOT IN ('v_catalog', 'v_monitor', 'v_internal') ORDER BY 1`,
		Columns: `SELECT column_name, data_type FROM (
				SELECT table_schema, table_name, column_name, data_type, ordinal_position FROM v_catalog.columns
				UNION ALL SELECT table_schema, table_name, column_name, data_type, ordinal_position FROM v_catalog.view_columns
			) c WHERE ? IN (CASE WHEN table_schema = 'public' THEN table_name ELSE '' END, table_schema || '.' || table_name) ORDER BY table_schema, ordinal_position`,
	}
	return p
}
