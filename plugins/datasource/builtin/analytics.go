package builtin

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/trinodb/trino-go-client/trino"

	"dorado/plugins/datasource"
)

func openClickHouse(s datasource.Settings) (*sql.DB, error) {
	o := &clickhouse.Options{
		Addr: []string{hostPort(s)}, Auth: clickhouse.Auth{Database: s.Database, Username: s.User, Password: s.Password.Reveal()},
		Protocol:    clickhouse.HTTP,
		DialContext: func(ctx context.Context, _ string) (net.Conn, error) { return s.Dial(ctx) },
	}
	if s.Port == 9000 || s.Port == 9440 {
		o.Protocol = clickhouse.Native
	}
	if s.Get("ssl") == "true" || s.Port == 9440 || s.Port == 8443 {
		host, _, _ := net.SplitHostPort(hostPort(s))
		o.TLS = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: strings.EqualFold(s.Get("sslmode"), "none")} //nolint:gosec // what the parameter asks for
	}
	return clickhouse.OpenDB(o), nil
}

func clickHouseStep(err error) datasource.Step {
	e, ok := errors.AsType[*clickhouse.Exception](err)
	if !ok {
		switch text := err.Error(); { // over HTTP some errors are texts
		case strings.Contains(text, "AUTHENTICATION_FAILED"), strings.Contains(text, "code: 516"):
			return datasource.SignIn
		case strings.Contains(text, "UNKNOWN_DATABASE"), strings.Contains(text, "code: 81"):
			return datasource.Missing
		}
		return ""
	}
	switch e.Code {
	case 516, 192, 193, 194:
		return datasource.SignIn
	case 81:
		return datasource.Missing
	}
	return datasource.Ask
}

func clickHouse() datasource.Plugin {
	return datasource.Plugin{
		Type: "CLICKHOUSE", Code: 4, Label: "ClickHouse", Schema: jdbc(8123), Class: "com.clickhouse.jdbc.ClickHouseDriver", Query: "select 1",
		Address: address("jdbc:clickhouse://"), URL: slashed("jdbc:clickhouse://", "?", "&"), Open: openClickHouse, Step: clickHouseStep,
		Lists: datasource.Lists{
			Databases: "SELECT name FROM system.databases ORDER BY name",
			Tables:    "SELECT name FROM system.tables WHERE database = ? ORDER BY name",
			Columns:   "SELECT name, type FROM system.columns WHERE database = ? AND table = ? ORDER BY position",
		},
	}
}

func openTrino(s datasource.Settings) (*sql.DB, error) {
	catalog, schema, _ := strings.Cut(s.Database, "/")
	scheme := "http"
	if s.Get("SSL") == "true" || s.Port == 443 || s.Port == 8443 {
		scheme = "https"
	}
	user := url.User(s.User)
	if s.Password != "" {
		if scheme == "http" {
			return nil, errors.New("Trino takes passwords over HTTPS only: set the parameter SSL to true") //nolint:staticcheck // a name
		}
		user = url.UserPassword(s.User, s.Password.Reveal())
	}
	client := &http.Client{
		Transport:     &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.Dial(ctx) }},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c, err := trino.NewConnector(&trino.Config{
		ServerURI: (&url.URL{Scheme: scheme, User: user, Host: hostPort(s)}).String(), Source: "dorado", Catalog: catalog, Schema: schema, HTTPClient: client,
	})
	if err != nil {
		return nil, errors.New("the settings are not understood") // the error may quote them
	}
	return sql.OpenDB(c), nil
}

func trinoStep(err error) datasource.Step {
	text := err.Error()
	switch {
	case strings.Contains(text, "401"), strings.Contains(text, "Unauthorized"):
		return datasource.SignIn
	case strings.Contains(text, "CATALOG_NOT_FOUND"), strings.Contains(text, "Catalog '"), strings.Contains(text, "SCHEMA_NOT_FOUND"):
		return datasource.Missing
	}
	return ""
}

func trinoType() datasource.Plugin {
	return datasource.Plugin{
		Type: "TRINO", Code: 12, Label: "Trino", Schema: jdbc(8080), Class: "io.trino.jdbc.TrinoDriver", Query: "select 1", Slashes: true,
		Address: address("jdbc:trino://"), URL: slashed("jdbc:trino://", "?", "&"), Open: openTrino, Step: trinoStep,
		Lists: datasource.Lists{
			Databases: "SELECT schema_name FROM information_schema.schemata ORDER BY 1",
			Tables:    "SELECT table_name FROM information_schema.tables WHERE table_schema = ? ORDER BY 1",
			Columns:   "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
		},
	}
}
