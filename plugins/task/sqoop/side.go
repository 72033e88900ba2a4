package sqoop

import (
	"dorado/plugins/form"
	"dorado/plugins/task/launch"
)

// What the names of the fields of each side begin with.
const (
	source = "sourceParams."
	target = "targetParams."
)

// text is a member that is written to the command line.
type text string

func (t text) blank() bool { return launch.Blank(string(t)) }

// pair is a column and its type.
type pair struct{ prop, value text }

// side is what sourceParams or targetParams hold: the members of all kinds of both, of which each kind uses some.
type side struct {
	datasource     int64
	query          bool // instead of a table
	table          text
	columns        text // "": all
	sql            text
	mapHive        []pair
	mapJava        []pair
	hiveDatabase   text
	hiveTable      text
	partitionKey   text
	partitionValue text
	exportDir      text

	createTable      bool
	dropDelimiter    bool
	overwrite        bool
	hiveDir          text
	replaceDelimiter text
	path             text
	deleteDir        bool
	codec            text
	fileType         text
	fieldsEnd        text
	linesEnd         text
	update           bool
	updateKey        text
	updateMode       text
}

// sideOf reads a side; object is source or target.
func sideOf(v form.Values, object string) side {
	t := func(name string) text { return text(v.Text(object + name)) }
	pairs := func(name string) []pair {
		var out []pair
		for _, row := range v.Rows(object + name) {
			out = append(out, pair{text(row["prop"]), text(row["value"])})
		}
		return out
	}
	s := side{
		hiveDatabase: t("hiveDatabase"), hiveTable: t("hiveTable"), partitionKey: t("hivePartitionKey"), partitionValue: t("hivePartitionValue"),
	}
	if object == source {
		s.datasource, s.query, s.table, s.sql = v.ID(source+"srcDatasource"), t("srcQueryType") == ofQuery, t("srcTable"), t("srcQuerySql")
		s.mapHive, s.mapJava, s.exportDir = pairs("mapColumnHive"), pairs("mapColumnJava"), t("exportDir")
		if t("srcColumnType") == someColumns {
			s.columns = t("srcColumns")
		}
		return s
	}
	on := func(name string) bool { return v.Bool(target + name) }
	s.datasource, s.table, s.columns = v.ID(target+"targetDatasource"), t("targetTable"), t("targetColumns")
	s.createTable, s.dropDelimiter, s.overwrite, s.deleteDir, s.update = on("createHiveTable"), on("dropDelimiter"), on("hiveOverWrite"), on("deleteTargetDir"), on("isUpdate")
	s.hiveDir, s.replaceDelimiter, s.path, s.codec, s.fileType = t("hiveTargetDir"), t("replaceDelimiter"), t("targetPath"), t("compressionCodec"), t("fileType")
	s.fieldsEnd, s.linesEnd, s.updateKey, s.updateMode = t("fieldsTerminated"), t("linesTerminated"), t("targetUpdateKey"), t("targetUpdateMode")
	return s
}

// texts are all members that may hold parameters.
func (s *side) texts() []*text {
	all := []*text{
		&s.table, &s.columns, &s.sql, &s.hiveDatabase, &s.hiveTable, &s.partitionKey, &s.partitionValue, &s.exportDir, &s.hiveDir,
		&s.replaceDelimiter, &s.path, &s.fieldsEnd, &s.linesEnd, &s.updateKey,
	}
	for _, list := range [][]pair{s.mapHive, s.mapJava} {
		for i := range list {
			all = append(all, &list[i].prop, &list[i].value)
		}
	}
	return all
}

// expand puts parameters into each member.
func (s *side) expand(replace func(string) (string, error)) error {
	if replace == nil {
		return nil
	}
	for _, t := range s.texts() {
		out, err := replace(string(*t))
		if err != nil {
			return err
		}
		*t = text(out)
	}
	return nil
}
