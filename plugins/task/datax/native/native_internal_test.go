package native

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
	"dorado/plugins/task/statement"
)

const minimal = `{"job":{"content":[{"reader":{"name":"mysqlreader","parameter":{"username":"u","password":"p","column":["id"],"connection":[{"table":["t"],"jdbcUrl":["jdbc:mysql://h/d"]}]}},
	"writer":{"name":"postgresqlwriter","parameter":{"username":"u","password":"p","column":["id"],"connection":[{"table":["t"],"jdbcUrl":"jdbc:postgresql://h/d"}]}}}],"setting":{"speed":{"channel":2}}}}`

func TestAJobIsReadAsDataXReadsIt(t *testing.T) {
	t.Parallel()
	j, err := Parse([]byte(minimal))
	require.NoError(t, err)
	require.Equal(t, 2, j.Channels)
	require.Nil(t, j.Limit.Records)
	require.Equal(t, []string{"p", "p"}, j.secrets())
	for setting, want := range map[string]int{
		`"speed":{}`:                                     1,
		`"speed":{"channel":"3"}`:                        3,
		`"speed":{"byte":3000},"x":{}`:                   1,
		`"speed":{"channel":999}`:                        64,
		`"speed":{"channel":5,"byte":0,"record":"1000"}`: 5,
	} {
		j, err := Parse([]byte(strings.Replace(minimal, `"speed":{"channel":2}`, setting, 1)))
		require.NoError(t, err, setting)
		require.Equal(t, want, j.Channels, setting)
	}
	// The total divided by the speed of one channel.
	j, err = Parse([]byte(strings.Replace(strings.TrimSuffix(minimal, "}"), `"speed":{"channel":2}`, `"speed":{"channel":2,"record":4000,"byte":"9000"}`, 1) +
		`,"core":{"transport":{"channel":{"speed":{"record":1000,"byte":3000}}}}}`))
	require.NoError(t, err)
	require.Equal(t, 3, j.Channels)
	require.Equal(t, int64(4000), j.Records)
	require.Equal(t, int64(9000), j.Bytes)
	j, err = Parse([]byte(strings.Replace(minimal, `"speed":{"channel":2}`, `"errorLimit":{"record":5,"percentage":0.5}`, 1)))
	require.NoError(t, err)
	require.Equal(t, int64(5), *j.Limit.Records)
	require.Nil(t, j.Limit.Share, "the number counts, and the share does not")
}

func TestAJobThatCannotBeDoneIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{minimal, "", "line 1, character 0"},
		{`"name":"mysqlreader"`, `"name" "mysqlreader"`, "line 1, character 38"},
		{`"content":[{`, `"content":[],"x":[{`, "job.content: there is nothing to do"},
		{"mysqlreader", "hdfsreader", `job.content[0].reader.name: "hdfsreader" needs an installation of DataX`},
		{"postgresqlwriter", "hbase11xwriter", `job.content[0].writer.name: "hbase11xwriter" needs an installation of DataX`},
		{`"mysqlreader"`, `""`, "job.content[0].reader.name: is missing"},
		{`}}}],"setting"`, `}},"transformer":[{"name":"dx_substr"}]}],"setting"`, "transformers need an installation of DataX"},
		{`"column":["id"],"connection":[{"table":["t"],"jdbcUrl":["`, `"connection":[{"table":["t"],"jdbcUrl":["`, "reader.parameter.column: is missing"},
		{`"column":["id"],"connection":[{"table":["t"],"jdbcUrl":"`, `"column":["*","a"],"connection":[{"table":["t"],"jdbcUrl":"`, `"*" stands alone`},
		{`"column":["id"],"connection":[{"table":["t"],"jdbcUrl":"`, `"column":[7],"connection":[{"table":["t"],"jdbcUrl":"`, "writer.parameter.column: has to be a list of names"},
		{`[{"table":["t"],"jdbcUrl":["jdbc:mysql://h/d"]}]`, `[]`, "reader.parameter.connection: is missing"},
		{`"table":["t"],"jdbcUrl":["`, `"jdbcUrl":["`, "reader.parameter.connection[0]: needs table or querySql"},
		{`"table":["t"],"jdbcUrl":"jdbc:postgresql`, `"jdbcUrl":"jdbc:postgresql`, "writer.parameter.connection[0].table: is missing"},
		{`["jdbc:mysql://h/d"]`, `[]`, "reader.parameter.connection[0].jdbcUrl: is missing"},
		{`["jdbc:mysql://h/d"]`, `7`, "has to be a text or a list of texts"},
		{`"speed":{"channel":2}`, `"speed":{"channel":"many"}`, "is not a number"},
		{`"speed":{"channel":2}`, `"errorLimit":{"percentage":2}`, "has to be between 0 and 1"},
		{`"speed":{"channel":2}`, `"errorLimit":{"record":-1}`, "has to be 0 or more"},
		{`{"job"`, `{"common":{"column":{"timeZone":"Moon/Base"}},"job"`, `there is no time zone "Moon/Base"`},
	} {
		_, err := Parse([]byte(strings.Replace(minimal, c[0], c[1], 1)))
		require.ErrorContains(t, err, c[2])
		require.NotContains(t, err.Error(), `"p"`)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(minimal)
	f.Fuzz(func(_ *testing.T, text string) { _, _ = Parse([]byte(text)) })
}

func TestAddressesOfJDBCAreUnderstood(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"jdbc:mysql://h:3307/shop?useSSL=false&characterEncoding=UTF-8":          {"MYSQL", "h:3307", "shop", `{"characterEncoding":"UTF-8","useSSL":"false"}`},
		"jdbc:mysql:loadbalance://a:1,b/shop":                                    {"MYSQL", "a:1,b", "shop", `{}`},
		"JDBC:postgresql://[::1]:5432/d?user=ann&password=a%26b&sslmode=disable": {"POSTGRESQL", "[::1]:5432", "d", `{"sslmode":"disable"}`, "ann", "a&b"},
		"jdbc:oracle:thin:@//h:1521/svc":                                         {"ORACLE", "h:1521", "svc", `{}`, "", "", "ORACLE_SERVICE_NAME"},
		"jdbc:oracle:thin:@h:1521:sid":                                           {"ORACLE", "h:1521", "sid", `{}`, "", "", "ORACLE_SID"},
		`jdbc:sqlserver://h\one:1433;DatabaseName=d;encrypt=false`:               {"SQLSERVER", "h", "d", `{"encrypt":"false"}`},
		"jdbc:clickhouse://h:8123":                                               {"CLICKHOUSE", "h:8123", "default", `{}`},
		"jdbc:oceanbase://h:2881/d":                                              {"OCEANBASE", "h:2881", "d", `{}`},
	} {
		kind, flat, err := address(text)
		require.NoError(t, err, text)
		got := []string{kind, flat["host"], flat["database"], flat["other"]}
		for i, name := range []string{"userName", "password", "connectType"} {
			if len(want) > 4+i {
				got = append(got, flat[name])
			}
		}
		require.Equal(t, want, got, text)
	}
	for text, want := range map[string]string{
		"jdbc:hive2://h/d": `begin with "jdbc:hive2:"`, "": "no driver", "jdbc:oracle:thin:@tns": "neither host:port/service",
	} {
		_, _, err := address(text)
		require.ErrorContains(t, err, want)
	}
	for text, want := range map[string]string{
		"jdbc:postgresql://h/d":                          "mysqlreader does not work on an address of POSTGRESQL",
		"jdbc:mysql://h/d?autoDeserialize=true":          "autoDeserialize",
		"jdbc:mysql://h h/d":                             "host",
		"jdbc:mysql://h/d?allowLoadLocalInfile=true&a=b": "allowLoadLocalInfile",
	} {
		_, err := end{name: "mysqlreader", params: parameters{Username: "u"}}.open(t.Context(), text)
		require.ErrorContains(t, err, want)
	}
}

func TestStatementsOfEachFamily(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	say := func(text string) { out.WriteString(text + "\n") }
	for _, f := range []statement.Family{statement.Postgres, statement.MySQL, statement.Oracle, statement.SQLServer} {
		names := []string{quote(f, "id"), quote(f, "a \"`]"), "plain"}
		for _, rows := range []int{1, 2} {
			say(insert(f, "s.t", names, modeInsert, nil, rows))
		}
		if f == statement.Postgres || f == statement.MySQL {
			say(insert(f, "t", names, modeUpdate, []string{"id"}, 1))
			say(insert(f, "t", names, modeReplace, []string{"id"}, 1))
			say(insert(f, "t", names[:1], modeUpdate, []string{"id"}, 1))
		}
	}
	say(literals("t", []string{"`a`", "b"}, [][]any{{"it's \\ \n\x00", nil}, {[]byte{0, 0xff}, "1.5"}, {true, int64(7)}}))
	testkit.Golden(t, "statements.txt", out.String())
	require.Equal(t, 333, most(statement.Oracle, 3, 2048))
	require.Equal(t, 666, most(statement.SQLServer, 3, 2048))
	require.Equal(t, 1, most(statement.Postgres, 100_000, 2048))
	for text, want := range map[string]string{"": "insert ", "UPDATE (a , `b`)": "update a,`b`", " replace": "replace "} {
		name, keys, err := mode(text)
		require.NoError(t, err)
		require.Equal(t, want, name+" "+strings.Join(keys, ","))
	}
	for _, text := range []string{"upsert", "update (a"} {
		_, _, err := mode(text)
		require.ErrorContains(t, err, "writeMode")
	}
}

func TestRangesCoverEveryKeyOnce(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"k < 5", "k >= 5 AND k < 9", "k >= 9", "k IS NULL"}, ranges("k", 1, 13, 3))
	require.Equal(t, []string{"k < 2", "k >= 2", "k IS NULL"}, ranges("k", 1, 3, 20))
	all := ranges("k", math.MinInt64, math.MaxInt64, 4)
	require.Len(t, all, 6)
	require.Equal(t, "k < -4611686018427387905", all[0])
	require.Equal(t, "k >= 9223372036854775804", all[4])
}

func TestKindsOfColumns(t *testing.T) {
	t.Parallel()
	for typ, want := range map[string]kind{
		"postgres INT4": integer, "postgres NUMERIC": decimal, "postgres BIT": text, "postgres MONEY": text, "postgres TIMESTAMPTZ": instant, "postgres UUID": text, "postgres INTERVAL": text,
		"postgres BYTEA": binary, "postgres _INT4": text, "postgres POINT": text, "mysql BIGINT": integer, "mysql UNSIGNED INT": integer, "mysql BIT": bits, "mysql TIMESTAMP": instant,
		"mysql DATETIME": stamp, "mysql YEAR": integer, "mysql JSON": text, "oracle DATE": stamp, "oracle NUMBER": decimal, "oracle TimeStampDTY": stamp, "oracle TimeStampTZ_DTY": instant,
		"sqlserver BIT": boolean, "sqlserver MONEY": decimal, "sqlserver DATETIMEOFFSET": instant, "sqlserver UNIQUEIDENTIFIER": guid, "sqlserver TIMESTAMP": binary,
		"clickhouse Nullable(Int32)": integer, "clickhouse LowCardinality(Nullable(String))": text, "clickhouse UInt64": integer, "clickhouse Decimal(10, 2)": decimal, "clickhouse DateTime64(3, 'UTC')": instant,
		"clickhouse Array(Int32)": text, "clickhouse Date32": date, "clickhouse Float64": float, "clickhouse Bool": boolean,
	} {
		family, name, _ := strings.Cut(typ, " ")
		require.Equal(t, want, kindOf(statement.Family(family), name), typ)
	}
}

func TestValuesAreWrittenAsTheColumnWantsThem(t *testing.T) {
	t.Parallel()
	shanghai := time.FixedZone("", 8*3600)
	at := time.Date(2024, 2, 1, 8, 5, 6, 123456789, time.UTC)
	for name, c := range map[string]struct {
		family   statement.Family
		from, to column
		v, want  any
	}{
		"null":                              {statement.Postgres, column{}, column{kind: integer}, nil, nil},
		"null of bytes for SQL Server":      {statement.SQLServer, column{}, column{kind: binary}, nil, []byte(nil)},
		"a blank for a number":              {statement.Postgres, column{}, column{kind: decimal}, "", nil},
		"a blank for a text":                {statement.Postgres, column{}, column{kind: text}, "", ""},
		"a whole decimal for an integer":    {statement.Postgres, column{kind: decimal}, column{kind: integer}, "5.00", "5"},
		"a long decimal":                    {statement.Postgres, column{kind: decimal}, column{kind: decimal}, "12345678901234567890.123456789", "12345678901234567890.123456789"},
		"a float":                           {statement.Postgres, column{kind: float}, column{kind: float}, 0.1, "0.1"},
		"a small float":                     {statement.MySQL, column{kind: float}, column{kind: float}, 1e-300, "1e-300"},
		"a boolean as a number":             {statement.MySQL, column{kind: boolean}, column{kind: integer}, true, "1"},
		"a number as a boolean":             {statement.Postgres, column{kind: integer}, column{kind: boolean}, int64(2), "true"},
		"a text as a boolean":               {statement.SQLServer, column{}, column{kind: boolean}, "No", false},
		"bits":                              {statement.MySQL, column{kind: integer}, column{kind: bits}, int64(5), uint64(5)},
		"bytes that are text":               {statement.Postgres, column{kind: binary}, column{}, []byte("中"), "中"},
		"text as bytes":                     {statement.Postgres, column{}, column{kind: binary}, "中", []byte("中")},
		"a day as a text":                   {statement.Postgres, column{kind: date}, column{}, at, "2024-02-01"},
		"a stamp for a stamp":               {statement.MySQL, column{kind: stamp}, column{kind: stamp}, at, "2024-02-01 08:05:06.123456"},
		"a stamp for a day":                 {statement.MySQL, column{kind: stamp}, column{kind: date}, at, "2024-02-01"},
		"an instant for a stamp":            {statement.Postgres, column{kind: instant}, column{kind: stamp}, at, "2024-02-01 16:05:06.123456"},
		"a stamp for an instant":            {statement.Postgres, column{kind: stamp}, column{kind: instant}, at, "2024-02-01 08:05:06.123456+08:00"},
		"an instant of MySQL":               {statement.MySQL, column{kind: instant}, column{kind: instant}, at, "2024-02-01 10:05:06.123456"},
		"an instant for Oracle":             {statement.Oracle, column{kind: instant}, column{kind: stamp}, at, time.Date(2024, 2, 1, 16, 5, 6, 123456789, time.UTC)},
		"an instant for SQL Server":         {statement.SQLServer, column{kind: instant}, column{kind: instant}, at, "2024-02-01T08:05:06.1234567+00:00"},
		"the old type of SQL Server":        {statement.SQLServer, column{kind: stamp}, column{kind: stamp, typ: "DATETIME"}, at, "2024-02-01T08:05:06.123"},
		"seconds for ClickHouse":            {statement.ClickHouse, column{kind: instant}, column{kind: instant, typ: "DateTime"}, at, "1706774706"},
		"parts of seconds for ClickHouse":   {statement.ClickHouse, column{kind: instant}, column{kind: instant, typ: "DateTime64(3)"}, at, "1706774706.123456789"},
		"a text that is a stamp":            {statement.Postgres, column{}, column{kind: stamp}, "2024-02-01T08:05:06.5", "2024-02-01 08:05:06.5"},
		"a text with its zone":              {statement.Postgres, column{}, column{kind: stamp}, "2024-02-01 08:05:06+02", "2024-02-01 14:05:06"},
		"a text that only the server knows": {statement.Postgres, column{}, column{kind: stamp}, "infinity", "infinity"},
		"a time of day":                     {statement.MySQL, column{kind: clock}, column{kind: clock}, "838:59:59", "838:59:59"},
	} {
		got, err := converter{family: c.family, zone: shanghai, shown: time.FixedZone("", 2*3600), blanks: true}.write(c.from, c.to, c.v)
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
	for name, c := range map[string]struct {
		from, to column
		v        any
		want     string
	}{
		"a word for a number":        {column{}, column{name: "n", kind: integer, typ: "INT4"}, "secret", `column "n" (INT4): it is no number`},
		"a fraction for an integer":  {column{}, column{kind: integer}, "1.5", "fraction"},
		"a time for a number":        {column{kind: stamp}, column{kind: decimal}, at, "a time is no number"},
		"bytes that are no text":     {column{kind: binary}, column{}, []byte{0xff}, "no text in UTF-8"},
		"a word for a boolean":       {column{}, column{kind: boolean}, "maybe", "neither true nor false"},
		"a word for a time":          {column{}, column{kind: stamp}, "maybe", "it is no time"},
		"a number for a time":        {column{kind: integer}, column{kind: stamp}, int64(7), "it is no time"},
		"a time of day for a moment": {column{kind: clock}, column{kind: stamp}, at, "a time of day is no day"},
	} {
		_, err := converter{family: statement.Oracle, zone: shanghai}.write(c.from, c.to, c.v)
		require.ErrorContains(t, err, c.want, name)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestWhatDriversReturnIsRead(t *testing.T) {
	t.Parallel()
	seven, none := int32(7), (*int32)(nil)
	for _, c := range []struct {
		family statement.Family
		kind   kind
		v      any
		want   any
	}{
		{statement.ClickHouse, integer, &seven, int64(7)},
		{statement.ClickHouse, integer, none, nil},
		{statement.ClickHouse, integer, uint64(math.MaxUint64), "18446744073709551615"},
		{statement.ClickHouse, text, []string{"a", "b"}, `["a","b"]`},
		{statement.MySQL, bits, []byte{2, 1}, int64(513)},
		{statement.MySQL, float, float32(0.1), "0.1"},
		{statement.Oracle, decimal, "-.5", "-0.5"},
		{statement.Oracle, decimal, ".5", "0.5"},
		{statement.SQLServer, guid, []byte{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}, "00010203-0405-0607-0809-0a0b0c0d0e0f"},
	} {
		got, err := (&database{family: c.family}).read(column{kind: c.kind}, c.v)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	_, err := (&database{family: statement.MySQL}).read(column{name: "d", kind: stamp}, time.Time{})
	require.ErrorContains(t, err, `column "d": the date 0000-00-00`)
	got, err := (&database{family: statement.MySQL, nulls: true}).read(column{kind: stamp}, time.Time{})
	require.NoError(t, err)
	require.Nil(t, got)
	_, err = (&database{}).read(column{name: "c"}, make(chan int))
	require.ErrorContains(t, err, `column "c": a value of type chan int`)
}

func TestZonesOfSessions(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)
	for name, want := range map[string]int{"+08:00": 8, "GMT+8": 8, "UTC": 0, "-0530": -5, "Europe/Berlin": 2, "GMT": 0} {
		zone, err := Zone(name)
		require.NoError(t, err, name)
		_, offset := at.In(zone).Zone()
		require.Equal(t, want, offset/3600, name)
	}
	for _, c := range []struct {
		session, system string
		want            int
	}{{"SYSTEM", "CST", 8}, {"SYSTEM", "UTC", 0}, {"SYSTEM", "Europe/Berlin", 2}, {"+09:00", "CST", 9}, {"", "", 0}, {"odd", "", 8}} {
		_, offset := at.In(sessionZone(c.session, c.system, 8*3600)).Zone()
		require.Equal(t, c.want*3600, offset, c.session+" "+c.system)
	}
}

func TestASummaryIsReadByPeople(t *testing.T) {
	t.Parallel()
	total := Total{Read: 1_234_567, Written: 1_234_560, Dirty: 7, Bytes: 99_000_000, Duration: 12345 * time.Millisecond}
	require.Equal(t, "rows read      1,234,567\nrows written   1,234,560\ndirty rows     7\nduration       12.35s\nspeed          100,005 rows/s, 8.0 MB/s\n", total.String())
	require.Equal(t, "12.0 kB/s", rate(12_000))
	require.Equal(t, "12 B/s", rate(12))
	require.False(t, hopeless(errors.New("x")) || temporary(errors.New("x")))
}
