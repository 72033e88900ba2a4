package datasource

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"dorado/app/kit/secret"
	"dorado/plugins/form"
)

// Names of the fields that most types share.
const (
	Host     = "host"
	Port     = "port"
	Database = "database"
	User     = "userName"
	Password = "password"
	Other    = "other" // a JSON object of further parameters
)

// Plugin describes one type of data source.
type Plugin struct {
	Type   string // stored, and what clients send; never changed
	Code   int    // the number that old clients send
	Label  string // what the product is called; the same in every language
	Schema form.Schema
	Class  string // name of the JDBC driver
	Query  string // a statement that only asks whether the connection works
	// Address and URL are where JDBC finds it: the server, and the database with its parameters. nil: it is nothing for JDBC.
	Address func(Settings) string
	URL     func(Settings) string
	// Slashes allows a database to be "catalog/schema".
	Slashes bool
	// Forms are what texts of single fields have to look like; Complaint is the message key of those that do not.
	Forms     map[string]*regexp.Regexp
	Complaint string

	// A type has exactly one of these three.
	//
	// Open returns a pool for the settings, without connecting.
	Open func(Settings) (*sql.DB, error)
	// Ping signs in to what is no database. It ends with its context; At gives an error its step.
	Ping func(context.Context, Settings) error
	// Missing is the message key of why this program can do neither.
	Missing string

	// Lists says how to find databases, tables and columns.
	Lists Lists
	// Step tells at which step a failure of this driver happened; "" when it does not know.
	Step func(error) Step
	// Session is a statement that asks what the server calls the connection, and Kill the one that stops what runs there, with
	// %d for that number. They are for drivers that only hang up when their context ends; "" where the driver stops the server.
	Session, Kill string
	// Spot tells where in a statement a failure lies; nil: this driver does not say, or only in the text of the failure.
	Spot func(statement string, err error) Spot
}

// Lists are statements that list names, in the first column; the second column of Columns, if any, is the type.
type Lists struct {
	// Connect says that tables of another database are found by connecting to it; otherwise the database is the first argument.
	Connect   bool
	Databases string
	Tables    string
	Columns   string // the table is the last argument
}

// Settings are checked settings, secrets included.
type Settings struct {
	Hosts    []string // as typed; each may have a port of its own
	Port     int
	Database string
	User     string
	Password secret.String
	Other    []Pair            // by name
	All      map[string]string // every field of the type
}

// Pair is a further parameter.
type Pair struct{ Name, Value string }

// Get returns a further parameter, whatever the case of its name; "" when it is not there.
func (s Settings) Get(name string) string {
	for _, p := range s.Other {
		if strings.EqualFold(p.Name, name) {
			return p.Value
		}
	}
	return ""
}

// HostList is the hosts as typed, separated by commas, each with its port when ports is true.
func (s Settings) HostList(ports bool) string {
	out := make([]string, len(s.Hosts))
	for i, h := range s.Hosts {
		out[i] = h
		if ports && !strings.Contains(strings.TrimSuffix(h[strings.LastIndexByte(h, ']')+1:], ":"), ":") {
			out[i] = fmt.Sprintf("%s:%d", h, s.Port)
		}
	}
	return strings.Join(out, ",")
}

// Validate reports what makes p unusable as a plugin.
func (p Plugin) Validate() error {
	var problems []error
	if p.Type == "" || p.Label == "" || len(p.Schema) == 0 {
		problems = append(problems, fmt.Errorf("datasource: type %q needs a label and fields", p.Type))
	}
	ways := 0
	for _, has := range []bool{p.Open != nil, p.Ping != nil, p.Missing != ""} {
		if has {
			ways++
		}
	}
	if ways != 1 {
		problems = append(problems, fmt.Errorf("datasource: type %q needs a driver, a ping, or a reason why it has neither", p.Type))
	}
	if p.Ping != nil && (p.Lists != Lists{} || p.URL != nil) {
		problems = append(problems, fmt.Errorf("datasource: type %q is no database and has statements or an address of JDBC", p.Type))
	}
	if p.Open != nil && (p.Lists.Databases == "" || p.Lists.Tables == "" || p.Lists.Columns == "" || p.Query == "") {
		problems = append(problems, fmt.Errorf("datasource: type %q needs statements for lists", p.Type))
	}
	if (p.Address == nil) != (p.URL == nil) {
		problems = append(problems, fmt.Errorf("datasource: type %q needs both addresses of JDBC or none", p.Type))
	}
	if (len(p.Forms) > 0) != (p.Complaint != "") {
		problems = append(problems, fmt.Errorf("datasource: type %q needs both forms of fields and a message, or none", p.Type))
	}
	for _, f := range p.Schema {
		if f.VisibleWhen != nil {
			if _, ok := p.Schema.Field(f.VisibleWhen.Field); !ok {
				problems = append(problems, fmt.Errorf("datasource: type %q: field %q depends on unknown %q", p.Type, f.Name, f.VisibleWhen.Field))
			}
		}
	}
	return errors.Join(problems...)
}

// Keys lists every message key that p mentions.
func (p Plugin) Keys() []string {
	keys := p.Schema.Keys()
	for _, key := range []string{p.Missing, p.Complaint} {
		if key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}
