package sqoop

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"dorado/plugins/task/launch"
)

// text is a member that clients write as a string, a number or a boolean.
type text string

func (t *text) UnmarshalJSON(raw []byte) error {
	switch {
	case string(raw) == "null":
		return nil
	case raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		*t = text(s)
		return err
	case raw[0] == '{' || raw[0] == '[':
		return errors.New("sqoop: a text is expected")
	}
	*t = text(raw)
	return nil
}

func (t text) id() int64 {
	id, err := strconv.ParseInt(strings.TrimSpace(string(t)), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

func (t text) blank() bool { return launch.Blank(string(t)) }

// on reads a switch; standard counts where nothing is said.
func (t text) on(standard bool) bool {
	on, err := strconv.ParseBool(string(t))
	if err != nil {
		return standard
	}
	return on
}

// pair is a column and its type.
type pair struct {
	Prop  text `json:"prop"`
	Value text `json:"value"`
}

// side is what sourceParams or targetParams hold: the members of all kinds of both, of which each kind uses some.
type side struct {
	SrcDatasource  text   `json:"srcDatasource"`
	SrcQueryType   text   `json:"srcQueryType"`
	SrcTable       text   `json:"srcTable"`
	SrcColumnType  text   `json:"srcColumnType"`
	SrcColumns     text   `json:"srcColumns"`
	SrcQuery       text   `json:"srcQuerySql"`
	MapColumnHive  []pair `json:"mapColumnHive"`
	MapColumnJava  []pair `json:"mapColumnJava"`
	HiveDatabase   text   `json:"hiveDatabase"`
	HiveTable      text   `json:"hiveTable"`
	PartitionKey   text   `json:"hivePartitionKey"`
	PartitionValue text   `json:"hivePartitionValue"`
	ExportDir      text   `json:"exportDir"`

	CreateHiveTable  text `json:"createHiveTable"`
	DropDelimiter    text `json:"dropDelimiter"`
	HiveOverWrite    text `json:"hiveOverWrite"`
	HiveTargetDir    text `json:"hiveTargetDir"`
	ReplaceDelimiter text `json:"replaceDelimiter"`
	TargetPath       text `json:"targetPath"`
	DeleteTargetDir  text `json:"deleteTargetDir"`
	Codec            text `json:"compressionCodec"`
	FileType         text `json:"fileType"`
	FieldsTerminated text `json:"fieldsTerminated"`
	LinesTerminated  text `json:"linesTerminated"`
	TargetDatasource text `json:"targetDatasource"`
	TargetTable      text `json:"targetTable"`
	TargetColumns    text `json:"targetColumns"`
	IsUpdate         text `json:"isUpdate"`
	UpdateKey        text `json:"targetUpdateKey"`
	UpdateMode       text `json:"targetUpdateMode"`
}

func read(raw string) (side, error) {
	s := side{SrcQueryType: queryOfRows, FileType: "--as-avrodatafile"}
	err := json.Unmarshal([]byte(raw), &s)
	return s, err
}

// texts are all members, for what is done with each of them.
func (s *side) texts() []*text {
	all := []*text{
		&s.SrcTable, &s.SrcColumns, &s.SrcQuery, &s.HiveDatabase, &s.HiveTable, &s.PartitionKey, &s.PartitionValue, &s.ExportDir,
		&s.HiveTargetDir, &s.ReplaceDelimiter, &s.TargetPath, &s.FieldsTerminated, &s.LinesTerminated, &s.TargetTable, &s.TargetColumns,
		&s.UpdateKey,
	}
	for _, list := range [][]pair{s.MapColumnHive, s.MapColumnJava} {
		for i := range list {
			all = append(all, &list[i].Prop, &list[i].Value)
		}
	}
	return all
}

// expand puts parameters into each member. It is done here and not to the JSON as a whole, which a quote in a value would
// break.
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

// lacksAsSource names the member without which nothing can be read; "" when there is enough.
func (s *side) lacksAsSource(kind string) string {
	switch {
	case slices.Contains(databases(), kind) && s.SrcDatasource.id() <= 0:
		return "srcDatasource"
	case slices.Contains(databases(), kind) && s.SrcQueryType == queryOfRows && s.SrcQuery.blank():
		return "srcQuerySql"
	case slices.Contains(databases(), kind) && s.SrcQueryType != queryOfRows && s.SrcTable.blank():
		return "srcTable"
	case kind == storeHive && s.HiveDatabase.blank():
		return "hiveDatabase"
	case kind == storeHive && s.HiveTable.blank():
		return "hiveTable"
	case kind == storeHDFS && s.ExportDir.blank():
		return "exportDir"
	}
	return ""
}

func (s *side) lacksAsTarget(kind string) string {
	switch {
	case slices.Contains(databases(), kind) && s.TargetDatasource.id() <= 0:
		return "targetDatasource"
	case slices.Contains(databases(), kind) && s.TargetTable.blank():
		return "targetTable"
	case kind == storeHive && s.HiveDatabase.blank():
		return "hiveDatabase"
	case kind == storeHive && s.HiveTable.blank():
		return "hiveTable"
	case kind == storeHDFS && s.TargetPath.blank():
		return "targetPath"
	}
	return ""
}
