package project

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/modules/flow"
	"dorado/modules/security/crud"
)

// Parameter is a named value that every task of the project can use as ${name}. A global parameter of a workflow, what
// came out of a task before, a local parameter and a startup parameter of the same name go before it.
type Parameter struct {
	ID          int64          `db:"id"`
	Code        int64          `db:"code"`
	ProjectCode int64          `db:"project_code"`
	Name        string         `db:"name"`
	Value       string         `db:"value"` // always empty for a secret one
	Type        flow.ParamType `db:"data_type"`
	Secret      bool           `db:"is_secret"`
	Set         bool           `db:"has_value"` // a secret one has none after a restore without its key
	CreatorID   int64          `db:"creator_id"`
	ModifierID  int64          `db:"modifier_id"`
	Creator     string         `db:"creator"` // names, empty when the user is gone
	Modifier    string         `db:"modifier"`
	CreatedAt   time.Time      `db:"created_at"`
	UpdatedAt   time.Time      `db:"updated_at"`
}

// Ref is what every list shows of a parameter.
func (p Parameter) Ref() crud.Ref {
	return crud.Ref{ID: p.ID, Name: p.Name, UpdatedAt: p.UpdatedAt, Project: p.ProjectCode}
}

// Shown is the value as everybody may see it.
func (p Parameter) Shown() string {
	if p.Secret && p.Set {
		return MaskedValue
	}
	return p.Value
}

// MaskedValue stands for the value of a secret parameter wherever it is shown. Saving it keeps the value that is there.
const MaskedValue = "******"

// ParameterDraft is what a form may set. Nobody ever reads the value of a secret parameter again: a draft without a value,
// or with MaskedValue, keeps it.
type ParameterDraft struct {
	Name   string
	Value  string
	Type   flow.ParamType
	Secret bool
	// AsBefore leaves it as it is whether the parameter is secret; a new one is not.
	AsBefore bool

	keep bool // the value that is there
}

// completed says what a draft means for a parameter that is there already; was is nil for a new one.
func (d ParameterDraft) completed(was *Parameter) ParameterDraft {
	if d.AsBefore {
		d.Secret, d.AsBefore = was != nil && was.Secret, false
	}
	if was == nil {
		return d
	}
	unchanged := d.Value == "" || d.Value == MaskedValue
	switch {
	case d.Secret && was.Secret && was.Set && unchanged:
		d.Value, d.keep = "", true
	case d.Secret && !was.Secret && unchanged: // from now on it is a secret
		d.Value = was.Value
	}
	return d
}

const (
	maxParameterName  = 255
	maxParameterValue = 65_535 // bytes
)

// Clean returns the draft without white space around the name; white space in a value may be meant.
func (d ParameterDraft) Clean() ParameterDraft {
	d.Name = strings.TrimSpace(d.Name)
	if d.Type == "" {
		d.Type = flow.Varchar
	}
	if d.Type != flow.Varchar && !d.Secret {
		d.Value = strings.TrimSpace(d.Value)
	}
	return d
}

// Validate returns a fault with a message for each field that breaks a rule.
func (d ParameterDraft) Validate() error {
	var c fault.Collector
	switch {
	case d.Name == "":
		c.Add("name", "security.required")
	case utf8.RuneCountInString(d.Name) > maxParameterName:
		c.Add("name", "security.too_long", "max", maxParameterName)
	case strings.ContainsFunc(d.Name, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("${}[]'\"\\", r)
	}):
		c.Add("name", "parameter.error.name_form")
	}
	switch {
	case d.keep:
	case d.Value == "" || d.Secret && d.Value == MaskedValue:
		c.Add("value", "security.required")
	case d.Secret && strings.Contains(d.Value, "$["):
		c.Add("value", "parameter.error.secret_time")
	case len(d.Value) > maxParameterValue:
		c.Add("value", "security.too_long", "max", maxParameterValue)
	case !Fits(d.Type, d.Value):
		c.Add("value", ErrParameterValue.Key, "type", string(d.Type))
	}
	if !slices.Contains(flow.ParamTypes(), d.Type) {
		c.Add("type", "parameter.error.type")
	}
	return c.Err()
}

// Fits reports whether a value can be of a type. One with a reference or a time expression in it is known only when a
// task begins, so it fits every type.
func Fits(t flow.ParamType, value string) bool {
	if strings.Contains(value, "${") || strings.Contains(value, "$[") {
		return true
	}
	var err error
	switch t {
	case flow.Integer:
		_, err = strconv.ParseInt(value, 10, 32)
	case flow.Long:
		_, err = strconv.ParseInt(value, 10, 64)
	case flow.Float:
		_, err = strconv.ParseFloat(value, 32)
	case flow.Double:
		var f float64
		f, err = strconv.ParseFloat(value, 64)
		return err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
	case flow.Date:
		_, err = time.Parse(time.DateOnly, value)
	case flow.Time:
		_, err = time.Parse(time.TimeOnly, value)
	case flow.Timestamp:
		_, err = time.Parse(time.DateTime, value)
	case flow.Boolean:
		return strings.EqualFold(value, "true") || strings.EqualFold(value, "false")
	case flow.List:
		var list []any
		err = json.Unmarshal([]byte(value), &list)
	case flow.Varchar, flow.File:
		return true
	}
	return err == nil
}

// Faults about parameters.
var (
	ErrParameterNotFound = fault.New(fault.NotFound, "parameter.error.not_found")
	ErrParameterTaken    = fault.New(fault.Conflict, "parameter.error.name_taken")
	ErrParameterValue    = fault.New(fault.Invalid, "parameter.error.value")
	ErrParameterReveal   = fault.New(fault.Invalid, "parameter.error.reveal")
	ErrParameterNone     = fault.New(fault.Invalid, "parameter.error.none_chosen")
)

// ParameterSpec is what the list of parameters can be asked for.
func ParameterSpec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"name": "p.name", "type": "p.data_type", "created": "p.created_at", "updated": "p.updated_at"},
		Search:  []string{"p.name"},
		Filters: map[string]string{"type": "p.data_type"},
		Default: "-updated",
		ID:      "p.id",
	}
}
