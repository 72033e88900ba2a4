package builtin_test

import (
	"context"
	"encoding/json"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db/dbtest"
	"dorado/plugins/datasource"
	"dorado/plugins/datasource/builtin"
	"dorado/plugins/form"
)

func kind(t *testing.T, name string) datasource.Plugin {
	t.Helper()
	types := builtin.Types()
	i := slices.IndexFunc(types, func(p datasource.Plugin) bool { return p.Type == name })
	require.GreaterOrEqual(t, i, 0, name)
	require.NoError(t, types[i].Validate())
	return types[i]
}

func base() form.Flat {
	return form.Flat{"host": "h", "port": "1", "database": "db", "userName": "u", "password": "hunter2", "other": `{"b":"2","a":"1"}`}
}

func TestEveryTypeOfDolphinSchedulerIsThere(t *testing.T) {
	t.Parallel()
	codes := map[int]string{}
	for _, p := range builtin.Types() {
		require.NoError(t, p.Validate())
		codes[p.Code] = p.Type
	}
	require.Equal(t, map[int]string{
		0: "MYSQL", 1: "POSTGRESQL", 2: "HIVE", 3: "SPARK", 4: "CLICKHOUSE", 5: "ORACLE", 6: "SQLSERVER", 7: "DB2", 8: "PRESTO", 10: "REDSHIFT", 11: "ATHENA",
		12: "TRINO", 13: "STARROCKS", 14: "AZURESQL", 15: "DAMENG", 16: "OCEANBASE", 17: "SSH", 18: "KYUUBI", 19: "DATABEND", 20: "SNOWFLAKE", 21: "VERTICA",
		22: "HANA", 23: "DORIS", 24: "ZEPPELIN", 25: "SAGEMAKER", 26: "K8S", 27: "ALIYUN_SERVERLESS_SPARK", 1001: "SQLITE",
	}, codes)
}

func TestAddressesAreThoseOfDolphinScheduler(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"MYSQL": "jdbc:mysql://h:1/db?a=1&b=2", "POSTGRESQL": "jdbc:postgresql://h:1/db?a=1&b=2", "HIVE": "jdbc:hive2://h:1/db;a=1;b=2",
		"SPARK": "jdbc:hive2://h:1/db;a=1;b=2", "CLICKHOUSE": "jdbc:clickhouse://h:1/db?a=1&b=2", "ORACLE": "jdbc:oracle:thin:@//h:1/db?a=1&b=2",
		"SQLSERVER": "jdbc:sqlserver://h:1;databaseName=db;a=1;b=2", "DB2": "jdbc:db2://h:1/db:a=1;b=2", "PRESTO": "jdbc:presto://h:1/db",
		"REDSHIFT": "jdbc:redshift://h:1/db?a=1&b=2", "TRINO": "jdbc:trino://h:1/db?a=1&b=2", "STARROCKS": "jdbc:mysql://h:1/db?a=1&b=2",
		"AZURESQL": "jdbc:sqlserver://h:1;databaseName=db;authentication=SqlPassword;trustServerCertificate=true;a=1;b=2",
		"DAMENG":   "jdbc:dm://h:1/db?a=1&b=2", "OCEANBASE": "jdbc:oceanbase://h:1/db?a=1&b=2", "KYUUBI": "jdbc:kyuubi://h:1/db?a=1;b=2",
		"DATABEND": "jdbc:databend://h:1/db?a=1&b=2", "SNOWFLAKE": "jdbc:snowflake://h:1/?db=db&a=1&b=2", "VERTICA": "jdbc:vertica://h:1/db?a=1&b=2",
		"HANA": "jdbc:sap://h:1?currentschema=db&reconnect=true&a=1&b=2", "DORIS": "jdbc:mysql:loadbalance://h:1/db?a=1&b=2",
	} {
		p := kind(t, name)
		s, problems := p.Read(base())
		require.Empty(t, problems, name)
		require.Equal(t, want, p.URL(s), name)
		params := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(p.ConnectionParams(s, form.Mask)), &params), name)
		require.Equal(t, []any{"u", form.Mask, "db", want}, []any{params["user"], params["password"], params["database"], params["jdbcUrl"]}, name)
		require.NotContains(t, p.ConnectionParams(s, form.Mask), "hunter2", name)
	}
	sid := base()
	sid["connectType"] = "ORACLE_SID"
	s, _ := kind(t, "ORACLE").Read(sid)
	require.Equal(t, "jdbc:oracle:thin:@h:1:db?a=1&b=2", kind(t, "ORACLE").URL(s))
	many := base()
	many["host"], many["other"] = "h1, h2:9,[::1],fd00::1", ""
	s, problems := kind(t, "DORIS").Read(many)
	require.Empty(t, problems)
	require.Equal(t, "jdbc:mysql:loadbalance://h1:1,h2:9,[::1]:1,[fd00::1]:1/db", kind(t, "DORIS").URL(s))
	athena := form.Flat{"awsRegion": "eu-west-1", "database": "d", "userName": "k", "password": "s", "other": `{"S3OutputLocation":"s3://x"}`}
	s, problems = kind(t, "ATHENA").Read(athena)
	require.Empty(t, problems)
	require.Equal(t, "jdbc:awsathena://AwsRegion=eu-west-1;S3OutputLocation=s3://x", kind(t, "ATHENA").URL(s))
}

func TestConnectionParamsAreWrittenLikeThoseOfDolphinScheduler(t *testing.T) {
	t.Parallel()
	p := kind(t, "MYSQL")
	s, _ := p.Read(form.Flat{"host": "127.0.0.1", "port": "3306", "database": "test", "userName": "root", "password": "x", "other": `{"useSSL":"false"}`})
	want := `{"user":"root","password":"***","address":"jdbc:mysql://127.0.0.1:3306","database":"test","jdbcUrl":"jdbc:mysql://127.0.0.1:3306/test?useSSL=false",` +
		`"driverLocation":null,"driverClassName":"com.mysql.cj.jdbc.Driver","validationQuery":"select 1","other":{"useSSL":"false"}}`
	require.Equal(t, want, p.ConnectionParams(s, "***"), "in this order")
	ssh := kind(t, "SSH")
	s, problems := ssh.Read(form.Flat{"host": "h", "port": "22", "userName": "ann", "password": "hunter2"})
	require.Empty(t, problems)
	require.JSONEq(t, `{"host":"h","port":"22","user":"ann","password":"***","publicKey":""}`, ssh.ConnectionParams(s, "***"))
}

func TestDangerousParametersAreRefusedForEveryType(t *testing.T) {
	t.Parallel()
	for _, p := range builtin.Types() {
		if _, ok := p.Schema.Field("other"); !ok {
			continue
		}
		for _, name := range []string{
			"allowLoadLocalInfile", "ALLOWLOADLOCALINFILE", "allowLoadLocalInfileInPath", "autoDeserialize", "allowUrlInLocalInfile", "socketFactory", "socketFactoryArg",
			"sslfactory", "loggerFile", "loggerLevel", "INIT", "java.naming.provider.url", "krbJAASFile", "queryInterceptors", "statementInterceptors",
			"propertiesTransform", "connectionLifecycleInterceptors", "authenticationPluginClassName", "sslrootcert", "trustStore", "clientRerouteServerListJNDIName",
		} {
			flat := base()
			flat["awsRegion"] = "eu-west-1"
			flat["other"] = `{"` + name + `":"true"}`
			_, problems := p.Read(flat)
			require.Len(t, problems, 1, "%s %s", p.Type, name)
			require.Equal(t, "datasource.error.forbidden", problems[0].Key)
		}
	}
}

func TestNothingTypedEndsOneParameterAndBeginsAnother(t *testing.T) {
	t.Parallel()
	p := kind(t, "MYSQL")
	for field, values := range map[string][]string{
		"host":     {"h/db?allowLoadLocalInfile=true", "h:1:2", "a b", "h;x", "h#", "(host=x)", "h@evil", "h\n", "", "h,,g"},
		"database": {"db?x=1", "a/b", "d b", "db;x", "../x", "db&x", "db\x00"},
		"port":     {"0", "65536", "x", "-1"},
		"other": {
			`{"a":"1&allowLoadLocalInfile=true"}`, `{"a&b":"1"}`, `{"a=b":"1"}`, `{"a":"1;b"}`, `{"a":"1#"}`, `{"a":"x\ny"}`, `[]`, `"x"`, `{`, `{"a b":"1"}`, `{"":"1"}`,
		},
	} {
		for _, v := range values {
			flat := base()
			flat[field] = v
			_, problems := p.Read(flat)
			require.NotEmpty(t, problems, "%s %q", field, v)
			require.Equal(t, field, problems[0].Field, "%s %q", field, v)
		}
	}
	trino := base()
	trino["database"] = "hive/default"
	_, problems := kind(t, "TRINO").Read(trino)
	require.Empty(t, problems)
}

// postgres is the settings of the test's own PostgreSQL.
func postgres(t *testing.T) form.Flat {
	t.Helper()
	u, err := url.Parse(dbtest.PostgresURL(t))
	require.NoError(t, err)
	password, _ := u.User.Password()
	host, port := u.Hostname(), u.Port()
	if host == "" {
		t.Skip("PostgreSQL is reached by a socket only")
	}
	if port == "" {
		port = "5432"
	}
	return form.Flat{"host": host, "port": port, "database": strings.TrimPrefix(u.Path, "/"), "userName": u.User.Username(), "password": password, "other": `{"sslmode":"disable"}`}
}

func TestPostgreSQLIsConnectedToAndBrowsed(t *testing.T) {
	t.Parallel()
	p, flat := kind(t, "POSTGRESQL"), postgres(t)
	s, problems := p.Read(flat)
	require.Empty(t, problems)
	took, err := p.Test(t.Context(), s)
	require.NoError(t, err)
	require.Positive(t, took)
	names, err := p.Databases(t.Context(), s)
	require.NoError(t, err)
	require.Contains(t, names, s.Database)
	tables, err := p.Tables(t.Context(), s, s.Database)
	require.NoError(t, err)
	require.Contains(t, tables, "datasource")
	columns, err := p.Columns(t.Context(), s, "", "datasource")
	require.NoError(t, err)
	require.Equal(t, datasource.Column{Name: "id", Type: "bigint"}, columns[0])
	none, err := p.Columns(t.Context(), s, s.Database, "x' OR '1'='1")
	require.NoError(t, err)
	require.Empty(t, none)
}

func step(t *testing.T, p datasource.Plugin, flat form.Flat) datasource.Step {
	t.Helper()
	s, problems := p.Read(flat)
	require.Empty(t, problems)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := p.Test(ctx, s)
	require.Error(t, err)
	if s.Password != "" {
		require.NotContains(t, err.Error(), s.Password.Reveal())
	}
	var e *datasource.Error
	require.ErrorAs(t, err, &e)
	return e.Step
}

func TestAFailureTellsTheStep(t *testing.T) {
	t.Parallel()
	p, good := kind(t, "POSTGRESQL"), postgres(t)
	with := func(name, value string) form.Flat {
		f := good.Clone()
		f[name] = value
		return f
	}
	require.Equal(t, datasource.Missing, step(t, p, with("database", "no_such_database")))
	require.Equal(t, datasource.SignIn, step(t, p, with("userName", "no_such_user_here")))
	require.Equal(t, datasource.Secure, step(t, p, with("other", `{"sslmode":"require"}`)))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	gone := with("port", port)
	gone["host"] = "127.0.0.1"
	require.Equal(t, datasource.Connect, step(t, p, gone))
	require.Equal(t, datasource.Connect, step(t, p, with("host", "169.254.169.254")), "metadata of the cloud is out of reach")
	require.Equal(t, datasource.Driver, step(t, kind(t, "DB2"), base()))
}

func TestADriverThatHangsIsLeft(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() }) // accepts and says nothing
		}
	}()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	for _, name := range []string{"POSTGRESQL", "MYSQL", "SQLSERVER", "ORACLE", "CLICKHOUSE", "TRINO", "PRESTO", "HIVE", "HANA", "SNOWFLAKE", "DATABEND", "ATHENA", "VERTICA"} {
		flat := base()
		flat["host"], flat["port"], flat["other"] = "127.0.0.1", port, ""
		if name == "ATHENA" {
			flat["awsRegion"], flat["other"] = "eu-west-1", `{"EndpointOverride":"http://127.0.0.1:`+port+`"}`
		}
		if name == "TRINO" || name == "PRESTO" {
			flat["password"] = ""
		}
		p := kind(t, name)
		s, problems := p.Read(flat)
		require.Empty(t, problems)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		begin := time.Now()
		_, err = p.Test(ctx, s)
		cancel()
		require.Error(t, err, name)
		require.Less(t, time.Since(begin), 5*time.Second, name)
	}
}
