package builtin

import (
	"slices"
	"strings"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/sqlitefile"
	"dorado/plugins/form"
)

// Types are the types, in the order in which they are offered. No file of SQLite may be opened.
func Types() []datasource.Plugin { return TypesWith(sqlitefile.Guard{}) }

// TypesWith are the types for a machine on which files of SQLite may be opened.
func TypesWith(files sqlitefile.Guard) []datasource.Plugin {
	return []datasource.Plugin{
		mysqlType("MYSQL", 0, "MySQL / MariaDB", 3306, "jdbc:mysql://"), postgresType("POSTGRESQL", 1, "PostgreSQL", 5432),
		hive("HIVE", 2, "Hive / Impala", 10000), hive("SPARK", 3, "Spark", 10015), clickHouse(), oracle(), sqlServer(), azureSQL(),
		plain("DB2", 7, "DB2", 50000, "jdbc:db2://", ":", ";", "com.ibm.db2.jcc.DB2Driver", "select 1 from sysibm.sysdummy1", "datasource.missing.vendor"),
		presto(), trinoType(), redshift(), athenaType(), mysqlType("STARROCKS", 13, "StarRocks", 9030, "jdbc:mysql://"),
		mysqlType("DORIS", 23, "Doris", 9030, "jdbc:mysql:loadbalance://"), oceanBase(),
		plain("DAMENG", 15, "Dameng", 5236, "jdbc:dm://", "?", "&", "dm.jdbc.driver.DmDriver", "select 1", "datasource.missing.vendor"),
		hive("KYUUBI", 18, "Kyuubi", 10000),
		databendType(), snowflakeType(),
		vertica(), hana(), sqliteType(files), ssh(), k8s(), zeppelin(), sageMaker(), aliyunSpark(),
	}
}

// jdbc are the fields that types for JDBC share; more stand before the further parameters.
func jdbc(port float64, more ...form.Field) form.Schema {
	return slices.Concat(form.Schema{
		{Name: datasource.Host, Type: form.Text, Label: "datasource.host", Required: true},
		{Name: datasource.Port, Type: form.Number, Label: "datasource.port", Default: port, Required: true, Min: new(1.0), Max: new(65535.0)},
		{Name: datasource.Database, Type: form.Text, Label: "datasource.database", Required: true},
		{Name: datasource.User, Type: form.Text, Label: "datasource.user", Required: true},
		{Name: datasource.Password, Type: form.Secret, Label: "datasource.password"},
	}, more, form.Schema{
		{Name: datasource.Other, Type: form.TextArea, Label: "datasource.other", Help: "datasource.other.help"},
	})
}

// address is what stands before the database: prefix and hosts with ports.
func address(prefix string) func(datasource.Settings) string {
	return func(s datasource.Settings) string { return prefix + s.HostList(true) }
}

// slashed is the usual address: prefix, hosts, a slash, the database, then parameters after first, separated by sep.
func slashed(prefix, first, sep string) func(datasource.Settings) string {
	return func(s datasource.Settings) string {
		return prefix + s.HostList(true) + "/" + s.Database + parameters(s, first, sep)
	}
}

func parameters(s datasource.Settings, first, sep string) string {
	var b strings.Builder
	for i, o := range s.Other {
		if i == 0 {
			b.WriteString(first)
		} else {
			b.WriteString(sep)
		}
		b.WriteString(o.Name + "=" + o.Value)
	}
	return b.String()
}

// plain is a type for JDBC without a driver here.
func plain(name string, code int, label string, port float64, prefix, first, sep, class, query, missing string) datasource.Plugin {
	return datasource.Plugin{
		Type: name, Code: code, Label: label, Schema: jdbc(port), Class: class, Query: query, Missing: missing,
		Address: address(prefix), URL: slashed(prefix, first, sep),
	}
}
