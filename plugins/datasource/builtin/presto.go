package builtin

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/prestodb"
)

func openPresto(s datasource.Settings) (*sql.DB, error) {
	c := prestodb.Config{Base: &url.URL{Scheme: "http", Host: hostPort(s)}, User: s.User, Password: s.Password}
	c.Catalog, c.Schema, _ = strings.Cut(s.Database, "/")
	if s.Get("SSL") == "true" || s.Port == 443 || s.Port == 8443 {
		c.Base.Scheme = "https"
	} else if s.Password != "" {
		return nil, errors.New("Presto takes passwords over HTTPS only: set the parameter SSL to true") //nolint:staticcheck // a name
	}
	c.Client = &http.Client{
		Transport:     &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.Dial(ctx) }},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return sql.OpenDB(prestodb.NewConnector(c)), nil
}

func prestoStep(err error) datasource.Step {
	if e, ok := errors.AsType[*prestodb.HTTPError](err); ok {
		if e.Code == http.StatusUnauthorized || e.Code == http.StatusForbidden {
			return datasource.SignIn
		}
		return datasource.Connect
	}
	e, ok := errors.AsType[*prestodb.Error](err)
	if !ok {
		return ""
	}
	switch e.Name {
	case "CATALOG_NOT_FOUND", "SCHEMA_NOT_FOUND", "MISSING_CATALOG", "MISSING_SCHEMA":
		return datasource.Missing
	}
	if strings.HasPrefix(e.Text, "Catalog ") && strings.Contains(e.Text, "does not exist") {
		return datasource.Missing
	}
	return datasource.Ask
}

func presto() datasource.Plugin {
	p := trinoType()
	p.Type, p.Code, p.Label, p.Class, p.Address = "PRESTO", 8, "Presto", "com.facebook.presto.jdbc.PrestoDriver", address("jdbc:presto://")
	p.URL = func(s datasource.Settings) string { return "jdbc:presto://" + s.HostList(true) + "/" + s.Database }
	p.Open, p.Step = openPresto, prestoStep
	return p
}
