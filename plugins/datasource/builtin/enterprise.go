package builtin

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/url"
	"strings"

	mssql "github.com/microsoft/go-mssqldb"
	ora "github.com/sijms/go-ora/v2"
	"github.com/sijms/go-ora/v2/network"

	"dorado/plugins/datasource"
	"dorado/plugins/form"
)

// anyDialer is the connection of the settings for drivers that ask for a dialer.
type anyDialer struct{ s datasource.Settings }

// DialContext connects while ctx lasts.
func (d anyDialer) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	return d.s.Dial(ctx)
}

func openSQLServer(s datasource.Settings) (*sql.DB, error) {
	query := url.Values{"database": {s.Database}, "app name": {"dorado"}, "encrypt": {"false"}}
	switch strings.ToLower(s.Get("encrypt")) {
	case "true", "mandatory", "yes":
		query.Set("encrypt", "true")
	case "strict":
		query.Set("encrypt", "strict")
	case "disable":
		query.Set("encrypt", "disable")
	}
	if s.Get("trustServerCertificate") == "true" {
		query.Set("TrustServerCertificate", "true")
	}
	dsn := url.URL{Scheme: "sqlserver", User: url.UserPassword(s.User, s.Password.Reveal()), Host: hostPort(s), RawQuery: query.Encode()}
	c, err := mssql.NewConnector(dsn.String())
	if err != nil {
		return nil, errors.New("the settings are not understood") // the error may quote them
	}
	c.Dialer = anyDialer{s}
	return sql.OpenDB(c), nil
}

func sqlServerStep(err error) datasource.Step {
	e, ok := errors.AsType[mssql.Error](err)
	if !ok {
		return ""
	}
	switch e.Number {
	case 18456, 18452, 18470:
		return datasource.SignIn
	case 4060:
		return datasource.Missing
	}
	return datasource.Ask
}

func sqlServerSpot(_ string, err error) datasource.Spot {
	if e, ok := errors.AsType[mssql.Error](err); ok {
		return datasource.Spot{Line: int(e.LineNo)}
	}
	return datasource.Spot{}
}

func sqlServer() datasource.Plugin {
	named := func(s datasource.Settings) string {
		return address("jdbc:sqlserver://")(s) + ";databaseName=" + s.Database
	}
	return datasource.Plugin{
		Type: "SQLSERVER", Code: 6, Label: "SQL Server", Schema: jdbc(1433), Class: "com.microsoft.sqlserver.jdbc.SQLServerDriver", Query: "select 1",
		Address: address("jdbc:sqlserver://"), URL: func(s datasource.Settings) string { return named(s) + parameters(s, ";", ";") },
		Open: openSQLServer, Step: sqlServerStep, Spot: sqlServerSpot,
		Lists: datasource.Lists{
			Connect: true, Databases: "SELECT name FROM sys.databases ORDER BY 1",
			Tables:  "SELECT CASE WHEN TABLE_SCHEMA = 'dbo' THEN TABLE_NAME ELSE TABLE_SCHEMA + '.' + TABLE_NAME END FROM INFORMATION_SCHEMA.TABLES ORDER BY 1",
			Columns: `SELECT COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE @p1 IN (CASE WHEN TABLE_SCHEMA = 'dbo' THEN TABLE_NAME ELSE '' END, TABLE_SCHEMA + '.' + TABLE_NAME) ORDER BY ORDINAL_POSITION`,
		},
	}
}

func azureSQL() datasource.Plugin {
	p := sqlServer()
	p.Type, p.Code, p.Label = "AZURESQL", 14, "Azure SQL"
	token := &form.Condition{Field: "mode", In: []string{"ACCESSTOKEN"}}
	p.Schema = jdbc(1433,
		form.Field{Name: "mode", Type: form.Select, Label: "datasource.mode", Default: "SQL_PASSWORD", Options: []form.Option{
			{Value: "SQL_PASSWORD", Label: "datasource.mode.password"},
			{Value: "AD_PASSWORD", Label: "datasource.mode.ad_password"},
			{Value: "AD_MSI", Label: "datasource.mode.ad_msi"},
			{Value: "AD_SERVICE_PRINCIPAL", Label: "datasource.mode.ad_service"},
			{Value: "ACCESSTOKEN", Label: "datasource.mode.token"},
		}},
		form.Field{Name: "MSIClientId", Type: form.Text, Label: "datasource.msi", VisibleWhen: &form.Condition{Field: "mode", In: []string{"AD_MSI"}}},
		form.Field{Name: "endpoint", Type: form.Text, Label: "datasource.endpoint", VisibleWhen: token},
	)
	words := map[string]string{
		"SQL_PASSWORD": "SqlPassword", "AD_PASSWORD": "ActiveDirectoryPassword", "AD_MSI": "ActiveDirectoryMSI",
		"AD_SERVICE_PRINCIPAL": "ActiveDirectoryServicePrincipal", "ACCESSTOKEN": "accessToken",
	}
	p.URL = func(s datasource.Settings) string {
		return address("jdbc:sqlserver://")(s) + ";databaseName=" + s.Database + ";authentication=" + words[s.All["mode"]] + ";trustServerCertificate=true" + parameters(s, ";", ";")
	}
	p.Open = func(s datasource.Settings) (*sql.DB, error) {
		if s.All["mode"] != "SQL_PASSWORD" {
			return nil, errors.New("only sign-in by an SQL password is supported in this version")
		}
		s.Other = append([]datasource.Pair{{Name: "encrypt", Value: "true"}}, s.Other...)
		return openSQLServer(s)
	}
	return p
}

func openOracle(s datasource.Settings) (*sql.DB, error) {
	host, _, err := net.SplitHostPort(hostPort(s))
	if err != nil {
		return nil, errors.New("the host is not understood")
	}
	options, service := map[string]string{}, s.Database
	if s.All["connectType"] == oracleSID {
		options["SID"], service = s.Database, ""
	}
	connector, ok := ora.NewConnector(ora.BuildUrl(host, s.Port, service, s.User, s.Password.Reveal(), options)).(*ora.OracleConnector)
	if !ok {
		return nil, errors.New("the driver has changed")
	}
	connector.Dialer(anyDialer{s})
	return sql.OpenDB(connector), nil
}

func oracleStep(err error) datasource.Step {
	e, ok := errors.AsType[*network.OracleError](err)
	if !ok {
		return ""
	}
	switch e.ErrCode {
	case 1017, 1005, 28000, 28001:
		return datasource.SignIn
	case 12514, 12505:
		return datasource.Missing
	}
	return datasource.Ask
}

const (
	oracleService = "ORACLE_SERVICE_NAME"
	oracleSID     = "ORACLE_SID"
)

func oracle() datasource.Plugin {
	return datasource.Plugin{
		Type: "ORACLE", Code: 5, Label: "Oracle", Class: "oracle.jdbc.OracleDriver", Query: "select 1 from dual",
		Schema: jdbc(1521, form.Field{Name: "connectType", Type: form.Select, Label: "datasource.oracle", Required: true, Default: oracleService, Options: []form.Option{
			{Value: oracleService, Label: "datasource.oracle.service"}, {Value: oracleSID, Label: "datasource.oracle.sid"},
		}}),
		Address: func(s datasource.Settings) string {
			if s.All["connectType"] == oracleSID {
				return address("jdbc:oracle:thin:@")(s)
			}
			return address("jdbc:oracle:thin:@//")(s)
		},
		URL: func(s datasource.Settings) string {
			if s.All["connectType"] == oracleSID {
				return address("jdbc:oracle:thin:@")(s) + ":" + s.Database + parameters(s, "?", "&")
			}
			return slashed("jdbc:oracle:thin:@//", "?", "&")(s)
		},
		Open: openOracle, Step: oracleStep,
		Lists: datasource.Lists{
			Connect:   true, // to the same database: what is listed belongs to the user
			Databases: "SELECT username FROM all_users ORDER BY 1",
			Tables:    "SELECT table_name FROM user_tables UNION SELECT view_name FROM user_views ORDER BY 1",
			Columns:   "SELECT column_name, data_type FROM user_tab_columns WHERE table_name = :1 ORDER BY column_id",
		},
	}
}
