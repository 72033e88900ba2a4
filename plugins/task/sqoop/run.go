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
	from, to := sideOf(v, source), sideOf(v, target)
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
		b.line.Option("--hcatalog-database", string(s.hiveDatabase)).Option("--hcatalog-table", string(s.hiveTable))
		if !s.partitionKey.blank() && !s.partitionValue.blank() {
			b.line.Option("--hcatalog-partition-keys", string(s.partitionKey)).Option("--hcatalog-partition-values", string(s.partitionValue))
		}
		return nil
	case storeHDFS:
		b.line.Option("--export-dir", string(s.exportDir))
		return nil
	}
	if err := b.connect(kind, s.datasource); err != nil {
		return err
	}
	if s.query {
		b.line.Words("--query", conditions(string(s.sql)))
	} else {
		b.line.Option("--table", string(s.table)).Option("--columns", string(s.columns))
	}
	b.line.Option("--map-column-hive", mapping(s.mapHive)).Option("--map-column-java", mapping(s.mapJava))
	return nil
}

func (b builder) target(kind string, s *side) error {
	switch kind {
	case storeHive:
		b.hive(s)
		return nil
	case storeHDFS:
		b.line.Option("--target-dir", string(s.path)).Option("--compression-codec", string(s.codec))
		if !s.fileType.blank() {
			b.line.Words(strings.TrimSpace(string(s.fileType)))
		}
		if s.deleteDir {
			b.line.Words("--delete-target-dir")
		}
		b.terminators(s)
		b.line.Words("--null-non-string", "NULL", "--null-string", "NULL")
		return nil
	}
	if err := b.connect(kind, s.datasource); err != nil {
		return err
	}
	b.line.Option("--table", string(s.table)).Option("--columns", string(s.columns))
	b.terminators(s)
	if s.update && !s.updateKey.blank() && !s.updateMode.blank() {
		b.line.Option("--update-key", string(s.updateKey)).Option("--update-mode", string(s.updateMode))
	}
	return nil
}

func (b builder) hive(s *side) {
	b.line.Words("--hive-import").Option("--hive-database", string(s.hiveDatabase)).Option("--hive-table", string(s.hiveTable))
	if s.createTable {
		b.line.Words("--create-hive-table")
	}
	if s.dropDelimiter {
		b.line.Words("--hive-drop-import-delims")
	}
	if s.overwrite {
		b.line.Words("--hive-overwrite", "--delete-target-dir")
	}
	if s.replaceDelimiter != "" { // often a blank
		b.line.Words("--hive-delims-replacement", string(s.replaceDelimiter))
	}
	if !s.partitionKey.blank() && !s.partitionValue.blank() {
		b.line.Option("--hive-partition-key", string(s.partitionKey)).Option("--hive-partition-value", string(s.partitionValue))
	}
	b.line.Option("--target-dir", string(s.hiveDir))
}

// terminators may be a blank or a tabulator, so they are not trimmed.
func (b builder) terminators(s *side) {
	if s.fieldsEnd != "" {
		b.line.Words("--fields-terminated-by", string(s.fieldsEnd))
	}
	if s.linesEnd != "" {
		b.line.Words("--lines-terminated-by", string(s.linesEnd))
	}
}

func mapping(list []pair) string {
	var out []string
	for _, p := range list {
		if !p.prop.blank() {
			out = append(out, string(p.prop)+"="+string(p.value))
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
