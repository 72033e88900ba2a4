package sqoop

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// process builds the command line in the order of DolphinScheduler.
func process(v form.Values, env task.Env) (task.Command, error) {
	job := launch.Job{Remote: launch.Yarn()}
	if v.Text(jobType) == custom {
		job.Lines = []string{launch.Script(v.Text(customShell))}
		return job.Command(env), nil
	}
	from, err := read(v.Text(sourceParams))
	if err != nil {
		return task.Command{}, fmt.Errorf("%s: %w", sourceParams, err)
	}
	to, err := read(v.Text(targetParams))
	if err != nil {
		return task.Command{}, fmt.Errorf("%s: %w", targetParams, err)
	}
	for _, s := range []*side{&from, &to} {
		if err := s.expand(env.Expand); err != nil {
			return task.Command{}, err
		}
	}
	b := builder{env: env, job: &job, line: launch.NewLine("sqoop")}
	if v.Text(modelType) == modeExport {
		b.line.Words(modeExport)
	} else {
		b.line.Words(modeImport)
	}
	b.common(v)
	if err := b.source(v.Text(sourceType), &from); err != nil {
		return task.Command{}, err
	}
	if err := b.target(v.Text(targetType), &to); err != nil {
		return task.Command{}, err
	}
	job.Lines = []string{b.line.String()}
	return job.Command(env), nil
}

// builder writes the command line of one job.
type builder struct {
	env  task.Env
	job  *launch.Job
	line *launch.Line
}

func (b builder) common(v form.Values) {
	b.line.Words("-D", "sqoop.export.records.per.statement=1")
	b.line.Conf("-D", "mapred.job.name", v.Text(jobName))
	for _, row := range v.Rows(hadoopParams) {
		if name := strings.TrimSpace(row["prop"]); name != "" {
			b.line.Words("-D", name+"="+row["value"])
		}
	}
	for _, row := range v.Rows(advancedParams) {
		if name := strings.TrimSpace(row["prop"]); name != "" {
			b.line.Words(name)
			if row["value"] != "" {
				b.line.Words(row["value"])
			}
		}
	}
	n := max(v.Number(concurrency), 1)
	b.line.Words("-m", launch.Number(n))
	if n > 1 {
		b.line.Option("--split-by", v.Text(splitBy))
	}
}

// connect names the database. The password is in a file, because a command line can be read by every user of the machine.
func (b builder) connect(kind string, id int64) error {
	s, err := b.env.Source(id)
	if err != nil {
		return err
	}
	if s.Plugin.URL == nil {
		return fmt.Errorf("data source %q has no address for JDBC", s.Name)
	}
	b.line.Words("--connect", s.Plugin.URL(s.Settings))
	if kind == "SQLSERVER" || kind == "HANA" { // Sqoop knows the drivers of the others by their addresses
		b.line.Option("--driver", s.Plugin.Class)
	}
	b.line.Option("--username", s.Settings.User)
	if password := s.Settings.Password.Reveal(); password != "" {
		file, path := launch.Text(b.env, "_password", password)
		b.job.Files = append(b.job.Files, file)
		b.line.Words("--password-file", "file://"+filepath.ToSlash(path)) // without a scheme it would be looked for in HDFS
	}
	return nil
}

func (b builder) source(kind string, s *side) error {
	switch kind {
	case storeHive:
		b.line.Option("--hcatalog-database", string(s.HiveDatabase)).Option("--hcatalog-table", string(s.HiveTable))
		if !s.PartitionKey.blank() && !s.PartitionValue.blank() {
			b.line.Option("--hcatalog-partition-keys", string(s.PartitionKey)).Option("--hcatalog-partition-values", string(s.PartitionValue))
		}
		return nil
	case storeHDFS:
		b.line.Option("--export-dir", string(s.ExportDir))
		return nil
	}
	if err := b.connect(kind, s.SrcDatasource.id()); err != nil {
		return err
	}
	if s.SrcQueryType == queryOfRows {
		b.line.Words("--query", conditions(string(s.SrcQuery)))
	} else {
		b.line.Option("--table", string(s.SrcTable))
		if s.SrcColumnType == "1" {
			b.line.Option("--columns", string(s.SrcColumns))
		}
	}
	b.line.Option("--map-column-hive", mapping(s.MapColumnHive)).Option("--map-column-java", mapping(s.MapColumnJava))
	return nil
}

func (b builder) target(kind string, s *side) error {
	switch kind {
	case storeHive:
		b.hive(s)
		return nil
	case storeHDFS:
		b.line.Option("--target-dir", string(s.TargetPath)).Option("--compression-codec", string(s.Codec))
		if !s.FileType.blank() {
			b.line.Words(strings.TrimSpace(string(s.FileType)))
		}
		if s.DeleteTargetDir.on(true) {
			b.line.Words("--delete-target-dir")
		}
		b.terminators(s)
		b.line.Words("--null-non-string", "NULL", "--null-string", "NULL")
		return nil
	}
	if err := b.connect(kind, s.TargetDatasource.id()); err != nil {
		return err
	}
	b.line.Option("--table", string(s.TargetTable)).Option("--columns", string(s.TargetColumns))
	b.terminators(s)
	if s.IsUpdate.on(false) && !s.UpdateKey.blank() && !s.UpdateMode.blank() {
		b.line.Option("--update-key", string(s.UpdateKey)).Option("--update-mode", string(s.UpdateMode))
	}
	return nil
}

func (b builder) hive(s *side) {
	b.line.Words("--hive-import").Option("--hive-database", string(s.HiveDatabase)).Option("--hive-table", string(s.HiveTable))
	if s.CreateHiveTable.on(false) {
		b.line.Words("--create-hive-table")
	}
	if s.DropDelimiter.on(false) {
		b.line.Words("--hive-drop-import-delims")
	}
	if s.HiveOverWrite.on(true) {
		b.line.Words("--hive-overwrite", "--delete-target-dir")
	}
	if s.ReplaceDelimiter != "" { // often a blank
		b.line.Words("--hive-delims-replacement", string(s.ReplaceDelimiter))
	}
	if !s.PartitionKey.blank() && !s.PartitionValue.blank() {
		b.line.Option("--hive-partition-key", string(s.PartitionKey)).Option("--hive-partition-value", string(s.PartitionValue))
	}
	b.line.Option("--target-dir", string(s.HiveTargetDir))
}

// terminators may be a blank or a tabulator, so they are not trimmed.
func (b builder) terminators(s *side) {
	if s.FieldsTerminated != "" {
		b.line.Words("--fields-terminated-by", string(s.FieldsTerminated))
	}
	if s.LinesTerminated != "" {
		b.line.Words("--lines-terminated-by", string(s.LinesTerminated))
	}
}

func mapping(list []pair) string {
	var out []string
	for _, p := range list {
		if !p.Prop.blank() {
			out = append(out, string(p.Prop)+"="+string(p.Value))
		}
	}
	return strings.Join(out, ",")
}

// hides are the parts of a statement in which WHERE does not begin its condition: texts, names, comments.
var hides = regexp.MustCompile("(?s)'[^']*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\\*.*?\\*/")

var where = regexp.MustCompile(`(?i)\bwhere\b`)

// conditions adds the mark by which Sqoop divides the rows among its workers. What stands in parentheses has conditions of
// its own.
func conditions(sql string) string {
	const mark = "$CONDITIONS"
	sql = strings.TrimRight(launch.Script(sql), "; \t\n")
	if strings.Contains(sql, mark) {
		return sql
	}
	between := " "
	if strings.Contains(sql[strings.LastIndexByte(sql, '\n')+1:], "--") {
		between = "\n" // or the condition would be part of a comment
	}
	depth := 0
	outside := strings.Map(func(r rune) rune {
		switch {
		case r == '(':
			depth++
		case r == ')' && depth > 0:
			depth--
			return ' '
		}
		if depth > 0 {
			return ' '
		}
		return r
	}, hides.ReplaceAllString(sql, " "))
	if where.MatchString(outside) {
		return sql + between + "AND " + mark
	}
	return sql + between + "WHERE " + mark
}
