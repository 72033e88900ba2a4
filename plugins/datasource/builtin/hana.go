package builtin

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"net"
	"strings"

	hdb "github.com/SAP/go-hdb/driver"
	hdbdial "github.com/SAP/go-hdb/driver/dial"

	"dorado/plugins/datasource"
)

// hanaDialer is the connection of the settings for the driver of HANA.
type hanaDialer struct{ s datasource.Settings }

// DialContext connects while ctx lasts.
func (d hanaDialer) DialContext(ctx context.Context, _ string, _ hdbdial.DialerOptions) (net.Conn, error) {
	return d.s.Dial(ctx)
}

func openHANA(s datasource.Settings) (*sql.DB, error) {
	c := hdb.NewBasicAuthConnector(hostPort(s), s.User, s.Password.Reveal())
	c.SetDialer(hanaDialer{s})
	c.SetApplicationName("dorado")
	c.SetDefaultSchema(s.Database)
	if s.Get("encrypt") == "true" {
		host, _, _ := net.SplitHostPort(hostPort(s))
		c.SetTLSConfig(&tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.Get("validateCertificate") == "false"}) //nolint:gosec // what the parameter asks for
	}
	return sql.OpenDB(c), nil
}

func hanaStep(err error) datasource.Step {
	if strings.Contains(err.Error(), "authentication failed") {
		return datasource.SignIn
	}
	e, ok := errors.AsType[hdb.Error](err)
	if !ok {
		return ""
	}
	switch e.Code() {
	case 10, 332, 414:
		return datasource.SignIn
	case 362: // there is no such schema
		return datasource.Missing
	}
	return datasource.Ask
}

func hana() datasource.Plugin {
	p := plain("HANA", 22, "SAP HANA", 30015, "jdbc:sap://", "", "", "com.sap.db.jdbc.Driver", "select 1 from DUMMY", "")
	p.URL = func(s datasource.Settings) string {
		return "jdbc:sap://" + s.HostList(true) + "?currentschema=" + s.Database + "&reconnect=true" + parameters(s, "&", "&")
	}
	p.Open, p.Step = openHANA, hanaStep
	p.Lists = datasource.Lists{
		Databases: "SELECT SCHEMA_NAME FROM SYS.SCHEMAS ORDER BY 1",
		Tables:    "SELECT OBJECT_NAME FROM SYS.OBJECTS WHERE SCHEMA_NAME = ? AND OBJECT_TYPE IN ('TABLE', 'VIEW') ORDER BY 1",
		Columns:   "SELECT COLUMN_NAME, DATA_TYPE_NAME FROM SYS.TABLE_COLUMNS WHERE SCHEMA_NAME = ? AND TABLE_NAME = ? ORDER BY POSITION",
	}
	return p
}
