package datasource

import (
	"bytes"
	"encoding/json"

	"dorado/plugins/form"
)

// jdbcParams is connectionParams of the types that JDBC reaches, in the order of DolphinScheduler.
type jdbcParams struct {
	User       string            `json:"user"`
	Password   string            `json:"password"`
	Address    string            `json:"address"`
	Database   string            `json:"database"`
	URL        string            `json:"jdbcUrl"`
	Location   *string           `json:"driverLocation"`
	Class      string            `json:"driverClassName"`
	Query      string            `json:"validationQuery"`
	Compatible string            `json:"compatibleMode,omitempty"`
	Other      map[string]string `json:"other,omitempty"`
}

// ConnectionParams is the text that clients and tasks know a data source by. password stands in it for the secret ones:
// a mask, or the secret itself when it is for a task.
func (p Plugin) ConnectionParams(s Settings, password string) string {
	if p.URL == nil {
		all := form.Flat(s.All).Clone()
		for _, f := range p.Schema {
			if f.Type == form.Secret && all[f.Name] != "" {
				all[f.Name] = password
			}
		}
		if user, ok := all[User]; ok && p.Type == "SSH" {
			delete(all, User)
			all["user"] = user
			if all["hostKey"] == "" {
				delete(all, "hostKey") // DolphinScheduler does not know it
			}
		}
		return string(all.JSON())
	}
	params := jdbcParams{
		User: s.User, Password: password, Address: p.Address(s), Database: s.Database, URL: p.URL(s), Class: p.Class, Query: p.Query,
		Compatible: s.All["compatibleMode"],
	}
	if s.Password == "" {
		params.Password = ""
	}
	for _, o := range s.Other {
		if params.Other == nil {
			params.Other = map[string]string{}
		}
		params.Other[o.Name] = o.Value
	}
	raw, err := encode(params)
	if err != nil {
		return "{}"
	}
	var more [][]byte // what the type has besides
	for _, f := range p.Schema {
		switch f.Name {
		case Host, Port, Database, User, Password, Other, "compatibleMode":
			continue
		}
		value := s.All[f.Name]
		if f.Type == form.Secret && value != "" {
			value = password
		}
		name, err1 := encode(f.Name)
		text, err2 := encode(value)
		if err1 == nil && err2 == nil && value != "" {
			more = append(more, append(append(name, ':'), text...))
		}
	}
	if len(more) > 0 {
		raw = append(append(raw[:len(raw)-1], ','), append(bytes.Join(more, []byte{','}), '}')...)
	}
	return string(raw)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
