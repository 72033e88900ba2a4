package builtin

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"dorado/app/kit/dial"
	"dorado/app/kit/secret"
	"dorado/plugins/datasource"
	"dorado/plugins/datasource/athena"
	"dorado/plugins/datasource/databend"
	"dorado/plugins/datasource/restsql"
	"dorado/plugins/datasource/snowflake"
	"dorado/plugins/form"
)

// restClient sends requests to the host of the settings.
func restClient(s datasource.Settings, scheme string) *restsql.Client {
	return restsql.NewClient(&url.URL{Scheme: scheme, Host: hostPort(s)}, s.Dial)
}

// restStep tells where a request failed that was not answered as the protocol says.
func restStep(err error) datasource.Step {
	e, ok := errors.AsType[*restsql.HTTPError](err)
	switch {
	case !ok:
		return ""
	case e.Code == http.StatusUnauthorized, e.Code == http.StatusForbidden:
		return datasource.SignIn
	}
	return datasource.Connect
}

// How somebody signs in to Snowflake, and the field of a private key.
const (
	snowflakeMode = "mode"
	byToken       = "TOKEN"
	byOAuth       = "OAUTH"
	byKey         = "KEY_PAIR"
	keyField      = "privateKey"
)

func openSnowflake(s datasource.Settings) (*sql.DB, error) {
	scheme := "https"
	if strings.EqualFold(s.Get("ssl"), "off") {
		scheme = "http"
	}
	host, _, err := net.SplitHostPort(hostPort(s))
	if err != nil {
		return nil, errors.New("the host is not understood")
	}
	c := snowflake.Config{
		Client: restClient(s, scheme), Database: s.Database, Schema: s.Get("schema"), Warehouse: s.All["datawarehouse"], Role: s.Get("role"),
		Credentials: snowflake.Credentials{Kind: snowflake.Token, Token: s.Password, Account: host, User: s.User},
	}
	switch s.All[snowflakeMode] {
	case byOAuth:
		c.Credentials.Kind = snowflake.OAuth
	case byKey:
		c.Credentials.Kind = snowflake.KeyPair
		if c.Credentials.Key, err = snowflake.ParseKey(secret.String(s.All[keyField])); err != nil {
			return nil, err
		}
	}
	if s.Password == "" && c.Credentials.Kind != snowflake.KeyPair {
		return nil, errors.New("Snowflake needs a token in place of a password") //nolint:staticcheck // a name
	}
	return sql.OpenDB(restsql.NewConnector(func() restsql.Server { return snowflake.New(c) })), nil
}

func snowflakeStep(err error) datasource.Step {
	e, ok := errors.AsType[*snowflake.Error](err)
	switch {
	case !ok:
		return restStep(err)
	case e.Code == "390201", e.Code == "002003" && strings.Contains(e.Text, "Database"):
		return datasource.Missing
	case strings.HasPrefix(e.Code, "39"):
		return datasource.SignIn
	}
	return datasource.Ask
}

func snowflakeType() datasource.Plugin {
	p := plain("SNOWFLAKE", 20, "Snowflake", 443, "jdbc:snowflake://", "", "", "net.snowflake.client.jdbc.SnowflakeDriver", "select 1", "")
	p.Schema = jdbc(443,
		form.Field{Name: "datawarehouse", Type: form.Text, Label: "datasource.warehouse"},
		form.Field{Name: snowflakeMode, Type: form.Select, Label: "datasource.mode", Help: "datasource.snowflake.help", Default: byToken, Options: []form.Option{
			{Value: byToken, Label: "datasource.mode.pat"}, {Value: byOAuth, Label: "datasource.mode.oauth"}, {Value: byKey, Label: "datasource.mode.key"},
		}},
		form.Field{Name: keyField, Type: form.Secret, Label: "datasource.private_key", Help: "datasource.snowflake.key", VisibleWhen: &form.Condition{Field: snowflakeMode, In: []string{byKey}}},
	)
	p.URL = func(s datasource.Settings) string {
		out := "jdbc:snowflake://" + s.HostList(true) + "/?db=" + s.Database
		if w := s.All["datawarehouse"]; w != "" {
			out += "&warehouse=" + url.QueryEscape(w)
		}
		return out + parameters(s, "&", "&")
	}
	p.Open, p.Step = openSnowflake, snowflakeStep
	p.Lists = datasource.Lists{
		Connect: true, Databases: "SELECT database_name FROM information_schema.databases ORDER BY 1",
		Tables: `SELECT CASE WHEN table_schema = 'PUBLIC' THEN table_name ELSE table_schema || '.' || table_name END FROM information_schema.tables
			WHERE table_schema <> 'INFORMATION_SCHEMA' ORDER BY 1`,
		Columns: `SELECT column_name, data_type FROM information_schema.columns WHERE table_schema <> 'INFORMATION_SCHEMA'
			AND ? IN (CASE WHEN table_schema = 'PUBLIC' THEN table_name ELSE '' END, table_schema || '.' || table_name) ORDER BY table_schema, ordinal_position`,
	}
	return p
}

func openDatabend(s datasource.Settings) (*sql.DB, error) {
	scheme := "http"
	if s.Port == 443 || strings.EqualFold(s.Get("sslmode"), "enable") || s.Get("ssl") == "true" {
		scheme = "https"
	}
	c := databend.Config{Client: restClient(s, scheme), User: s.User, Password: s.Password, Database: s.Database}
	return sql.OpenDB(restsql.NewConnector(func() restsql.Server { return databend.New(c) })), nil
}

func databendStep(err error) datasource.Step {
	e, ok := errors.AsType[*databend.Error](err)
	if !ok {
		return restStep(err)
	}
	switch e.Code {
	case 5100, 5101, 2201, 2202: // authentication, and users that are not there
		return datasource.SignIn
	case 1003: // no such database
		return datasource.Missing
	}
	return datasource.Ask
}

func databendType() datasource.Plugin {
	p := plain("DATABEND", 19, "Databend", 8000, "jdbc:databend://", "?", "&", "com.databend.jdbc.DatabendDriver", "select 1", "")
	p.Open, p.Step = openDatabend, databendStep
	p.Lists = datasource.Lists{
		Databases: "SELECT name FROM system.databases ORDER BY 1",
		Tables:    "SELECT name FROM system.tables WHERE database = ? ORDER BY 1",
		Columns:   "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
	}
	return p
}

// regions are how AWS names them: the name becomes part of a host and of the address of JDBC.
var regions = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}$`)

// athenaBase is the address of a region, or the one that the parameter EndpointOverride gives.
func athenaBase(s datasource.Settings) (*url.URL, error) {
	region := s.All["awsRegion"]
	if text := s.Get("EndpointOverride"); text != "" {
		if !strings.Contains(text, "://") {
			text = "https://" + text
		}
		base, err := url.Parse(text)
		if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || strings.Trim(base.Path, "/") != "" {
			return nil, errors.New("the parameter EndpointOverride is no address like https://host:443")
		}
		return base, nil
	}
	host := "athena." + region + ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		host += ".cn"
	}
	return &url.URL{Scheme: "https", Host: host}, nil
}

func openAthena(s datasource.Settings) (*sql.DB, error) {
	base, err := athenaBase(s)
	if err != nil {
		return nil, err
	}
	output := s.Get("S3OutputLocation")
	if output != "" && !strings.HasPrefix(output, "s3://") {
		return nil, errors.New("the parameter S3OutputLocation does not begin with s3://")
	}
	port := base.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[base.Scheme]
	}
	at := net.JoinHostPort(base.Hostname(), port)
	c := athena.Config{
		Client: restsql.NewClient(base, func(ctx context.Context) (net.Conn, error) {
			return dial.New(4*time.Second).DialContext(ctx, "tcp", at)
		}),
		Keys: athena.Keys{ID: s.User, Secret: s.Password, Region: s.All["awsRegion"]}, Database: s.Database, Catalog: s.Get("Catalog"), WorkGroup: s.Get("Workgroup"), Output: output,
	}
	return sql.OpenDB(restsql.NewConnector(func() restsql.Server { return athena.New(c) })), nil
}

func athenaStep(err error) datasource.Step {
	e, ok := errors.AsType[*athena.Error](err)
	switch {
	case !ok:
		return restStep(err)
	case slices.Contains([]string{
		"UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch", "AccessDeniedException", "ExpiredTokenException", "InvalidClientTokenId",
		"IncompleteSignatureException", "MissingAuthenticationTokenException", "IncompleteSignature",
	}, e.Type):
		return datasource.SignIn
	case strings.Contains(e.Text, "SCHEMA_NOT_FOUND"), strings.Contains(e.Text, "CATALOG_NOT_FOUND"), e.Type == "MetadataException":
		return datasource.Missing
	}
	return datasource.Ask
}

func athenaType() datasource.Plugin {
	region := func(s datasource.Settings) string { return "jdbc:awsathena://AwsRegion=" + s.All["awsRegion"] + ";" }
	return datasource.Plugin{
		Forms: map[string]*regexp.Regexp{"awsRegion": regions}, Complaint: "datasource.error.region",
		Type: "ATHENA", Code: 11, Label: "Athena", Class: "com.simba.athena.jdbc.Driver", Query: "select 1",
		Schema: form.Schema{
			{Name: "awsRegion", Type: form.Text, Label: "datasource.aws_region", Required: true},
			{Name: datasource.Database, Type: form.Text, Label: "datasource.database", Required: true},
			{Name: datasource.User, Type: form.Text, Label: "datasource.access_key", Required: true},
			{Name: datasource.Password, Type: form.Secret, Label: "datasource.access_secret"},
			{Name: datasource.Other, Type: form.TextArea, Label: "datasource.other", Help: "datasource.athena.help"},
		},
		Address: region,
		URL:     func(s datasource.Settings) string { return region(s) + parameters(s, "", ";") },
		Open:    openAthena, Step: athenaStep,
		Lists: datasource.Lists{
			Databases: "SELECT schema_name FROM information_schema.schemata ORDER BY 1",
			Tables:    "SELECT table_name FROM information_schema.tables WHERE table_schema = ? ORDER BY 1",
			Columns:   "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
		},
	}
}
