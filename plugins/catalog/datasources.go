package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/builtin"
	"dorado/plugins/datasource/sqlitefile"
)

// DataSources finds types of data sources. It never changes and may be used from everywhere at once.
type DataSources struct {
	all    []datasource.Plugin
	byType map[string]datasource.Plugin
}

// DataSourceConfig is what administrators say about data sources.
type DataSourceConfig struct {
	SQLite sqlitefile.Config `koanf:"sqlite"`
}

// DefaultDataSourceConfig returns the defaults: no file of this machine is opened.
func DefaultDataSourceConfig() DataSourceConfig {
	return DataSourceConfig{SQLite: sqlitefile.Config{Folders: []string{}}}
}

// Validate returns everything that is wrong, joined.
func (c DataSourceConfig) Validate() error { return c.SQLite.Validate() }

// ConfiguredDataSources returns the types of data sources for a machine whose files and folders own belong to this program.
func ConfiguredDataSources(c DataSourceConfig, own []string) (*DataSources, error) {
	return NewDataSources(builtin.TypesWith(sqlitefile.Guard{Config: c.SQLite, Own: own}))
}

// BuiltinDataSources returns the types of data sources of this program.
func BuiltinDataSources() (*DataSources, error) { return NewDataSources(builtin.Types()) }

// NewDataSources returns a catalogue of types. It refuses one that is incomplete or listed twice.
func NewDataSources(types []datasource.Plugin) (*DataSources, error) {
	d := &DataSources{all: slices.Clone(types), byType: map[string]datasource.Plugin{}}
	var problems []error
	codes := map[int]bool{}
	for _, p := range types {
		if err := p.Validate(); err != nil {
			problems = append(problems, err)
		}
		if _, twice := d.byType[p.Type]; twice || codes[p.Code] {
			problems = append(problems, fmt.Errorf("catalog: data source type %q is listed twice", p.Type))
		}
		d.byType[p.Type], codes[p.Code] = p, true
	}
	return d, errors.Join(problems...)
}

// All returns every type in the order in which they are offered.
func (d *DataSources) All() []datasource.Plugin { return slices.Clone(d.all) }

// Type returns a type by its name, whatever the case, or by the number that old clients send.
func (d *DataSources) Type(name string) (datasource.Plugin, bool) {
	name = strings.ToUpper(strings.TrimSpace(name))
	if p, ok := d.byType[name]; ok {
		return p, true
	}
	i := slices.IndexFunc(d.all, func(p datasource.Plugin) bool { return name == fmt.Sprint(p.Code) })
	if i < 0 {
		return datasource.Plugin{}, false
	}
	return d.all[i], true
}
