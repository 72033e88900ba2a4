package builtin

import (
	"context"
	"database/sql"
	"errors"
	"net"

	"github.com/go-sql-driver/mysql"

	"dorado/app/kit/dial"
	"dorado/plugins/datasource"
	"dorado/plugins/form"
)

// hostPort is the first host with its port.
func hostPort(s datasource.Settings) string {
	if len(s.Hosts) == 0 {
		return ""
	}
	return dial.Join(s.Hosts[0], s.Port)
}

// openMySQL opens what speaks the language of MySQL. inText says that arguments are written into statements, because the
// server knows prepared ones only in part.
func openMySQL(inText bool) func(datasource.Settings) (*sql.DB, error) {
	return func(s datasource.Settings) (*sql.DB, error) {
		c := mysql.NewConfig()
		c.User, c.Passwd, c.Net, c.Addr, c.DBName = s.User, s.Password.Reveal(), "tcp", hostPort(s), s.Database
		c.Timeout, c.ParseTime, c.InterpolateParams = 0, true, inText
		c.AllowAllFiles, c.MultiStatements, c.AllowCleartextPasswords = false, false, false
		c.Logger = mute{}
		c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return s.Dial(ctx) }
		switch mode := s.Get("sslMode"); {
		case mode == "DISABLED", s.Get("useSSL") == "false":
		case mode == "VERIFY_CA", mode == "VERIFY_IDENTITY", s.Get("verifyServerCertificate") == "true":
			c.TLSConfig = "true"
		case mode == "REQUIRED", s.Get("requireSSL") == "true", s.Get("useSSL") == "true":
			c.TLSConfig = "skip-verify"
		default:
			c.TLSConfig, c.AllowFallbackToPlaintext = "preferred", true
		}
		connector, err := mysql.NewConnector(c)
		if err != nil {
			return nil, errors.New("the settings are not understood") // the error may quote them
		}
		return sql.OpenDB(connector), nil
	}
}

// mute keeps the driver from writing to the standard error.
type mute struct{}

// Print drops what the driver says.
func (mute) Print(...any) {}

func mysqlStep(err error) datasource.Step {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		if errors.Is(err, mysql.ErrNoTLS) {
			return datasource.Secure
		}
		return ""
	}
	switch e.Number {
	case 1045, 1698:
		return datasource.SignIn
	case 1049, 1044: // it is not there, or not for this user
		return datasource.Missing
	}
	return datasource.Ask
}

func mysqlType(name string, code int, label string, port float64, prefix string) datasource.Plugin {
	return datasource.Plugin{
		Type: name, Code: code, Label: label, Schema: jdbc(port), Class: "com.mysql.cj.jdbc.Driver", Query: "select 1",
		Address: address(prefix), URL: slashed(prefix, "?", "&"), Open: openMySQL(name != "MYSQL"), Step: mysqlStep,
		Session: "SELECT connection_id()", Kill: "KILL QUERY %d",
		Lists: datasource.Lists{
			Databases: "SELECT schema_name FROM information_schema.schemata ORDER BY 1",
			Tables:    "SELECT table_name FROM information_schema.tables WHERE table_schema = ? ORDER BY 1",
			Columns:   "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
		},
	}
}

func oceanBase() datasource.Plugin {
	p := mysqlType("OCEANBASE", 16, "OceanBase", 2881, "jdbc:oceanbase://")
	p.Class = "com.oceanbase.jdbc.Driver"
	p.Schema = jdbc(2881, form.Field{
		Name: "compatibleMode", Type: form.Select, Label: "datasource.compatible", Required: true, Default: "mysql", Options: []form.Option{{Value: "mysql", Label: "datasource.compatible.mysql"}, {Value: "oracle", Label: "datasource.compatible.oracle"}},
	})
	open := p.Open
	p.Open = func(s datasource.Settings) (*sql.DB, error) {
		if s.All["compatibleMode"] == "oracle" {
			return nil, errors.New("the Oracle mode of OceanBase is not supported in this version")
		}
		return open(s)
	}
	return p
}
