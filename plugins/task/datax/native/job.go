package native

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Job is a job file that was read.
type Job struct {
	Channels int
	Records  int64 // per second of all channels together; 0: no limit
	Bytes    int64
	Limit    Limit
	Zone     *time.Location // of times without a zone where the other side has one; nil: not given

	contents []content
}

// Limit says how many dirty rows a job may have; what is nil does not count.
type Limit struct {
	Records *int64
	Share   *float64 // of all rows read, 0 to 1; does not count when Records does
}

type content struct{ reader, writer end }

// end is one side of a job.
type end struct {
	name   string // the plugin of DataX
	params parameters
}

// parameters are those of all readers and writers.
type parameters struct {
	Username      string            `json:"username"`
	Password      string            `json:"password"`
	Column        []json.RawMessage `json:"column"`
	Connection    []connection      `json:"connection"`
	Where         string            `json:"where"`
	SplitPk       string            `json:"splitPk"`
	Session       texts             `json:"session"`
	PreSQL        texts             `json:"preSql"`
	PostSQL       texts             `json:"postSql"`
	WriteMode     string            `json:"writeMode"`
	BatchSize     number            `json:"batchSize"`
	BatchByteSize number            `json:"batchByteSize"`
	EmptyAsNull   *bool             `json:"emptyAsNull"`
	Slice         number            `json:"sliceRecordCount"`
	Print         *bool             `json:"print"`
}

type connection struct {
	Table    texts `json:"table"`
	QuerySQL texts `json:"querySql"`
	URL      texts `json:"jdbcUrl"`
}

// texts is a list that may be written as one text.
type texts []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *texts) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*t = nil
		if strings.TrimSpace(one) != "" {
			*t = texts{one}
		}
		return nil
	}
	var all []string
	if err := json.Unmarshal(raw, &all); err != nil {
		return errors.New("has to be a text or a list of texts")
	}
	*t = slices.DeleteFunc(all, func(s string) bool { return strings.TrimSpace(s) == "" })
	return nil
}

// number is a number that may be written as a text.
type number float64

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(raw []byte) error {
	text := strings.TrimSpace(strings.Trim(string(raw), `"`))
	if text == "null" || text == "" {
		*n = 0
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("%s is not a number", raw)
	}
	*n = number(f)
	return nil
}

// Readers and Writers are the plugins of DataX whose work is done here.
func Readers() []string {
	return []string{"mysqlreader", "postgresqlreader", "oraclereader", "sqlserverreader", "clickhousereader", "oceanbasev10reader", "rdbmsreader", "streamreader"}
}

// Writers are the others.
func Writers() []string {
	return []string{"mysqlwriter", "postgresqlwriter", "oraclewriter", "sqlserverwriter", "clickhousewriter", "oceanbasev10writer", "rdbmswriter", "streamwriter"}
}

// file is the part of a job file that counts here; DataX ignores what it does not know, and so does this.
type file struct {
	Job struct {
		Setting struct {
			Speed speed `json:"speed"`
			Limit struct {
				Record     *number `json:"record"`
				Percentage *number `json:"percentage"`
			} `json:"errorLimit"`
		} `json:"setting"`
		Content []struct {
			Reader      plugin          `json:"reader"`
			Writer      plugin          `json:"writer"`
			Transformer json.RawMessage `json:"transformer"`
		} `json:"content"`
	} `json:"job"`
	Core struct {
		Transport struct {
			Channel struct {
				Speed speed `json:"speed"`
			} `json:"channel"`
		} `json:"transport"`
	} `json:"core"`
	Common struct {
		Column struct {
			Zone string `json:"timeZone"`
		} `json:"column"`
	} `json:"common"`
}

type speed struct {
	Channel number `json:"channel"`
	Byte    number `json:"byte"`
	Record  number `json:"record"`
}

type plugin struct {
	Name      string          `json:"name"`
	Parameter json.RawMessage `json:"parameter"`
}

// Parse reads a job file. Its error names the member and what is wrong with it, and never a value.
func Parse(text []byte) (*Job, error) {
	var f file
	if err := decode(text, &f); err != nil {
		return nil, fmt.Errorf("the job is not understood: %w", err)
	}
	if len(f.Job.Content) == 0 {
		return nil, errors.New("job.content: there is nothing to do")
	}
	j := &Job{Channels: channels(f.Job.Setting.Speed, f.Core.Transport.Channel.Speed)}
	j.Records, j.Bytes = int64(max(f.Job.Setting.Speed.Record, 0)), int64(max(f.Job.Setting.Speed.Byte, 0))
	if r := f.Job.Setting.Limit.Record; r != nil {
		if *r < 0 {
			return nil, errors.New("job.setting.errorLimit.record: has to be 0 or more")
		}
		j.Limit.Records = new(int64(*r))
	} else if p := f.Job.Setting.Limit.Percentage; p != nil {
		if *p < 0 || *p > 1 {
			return nil, errors.New("job.setting.errorLimit.percentage: has to be between 0 and 1")
		}
		j.Limit.Share = new(float64(*p))
	}
	if name := strings.TrimSpace(f.Common.Column.Zone); name != "" {
		var err error
		if j.Zone, err = Zone(name); err != nil {
			return nil, fmt.Errorf("common.column.timeZone: %w", err)
		}
	}
	for i, c := range f.Job.Content {
		at := fmt.Sprintf("job.content[%d]", i)
		if t := bytes.TrimSpace(c.Transformer); len(t) > 0 && !bytes.Equal(t, []byte("null")) && !bytes.Equal(t, []byte("[]")) {
			return nil, fmt.Errorf("%s.transformer: transformers need an installation of DataX", at)
		}
		reader, err := side(c.Reader, at+".reader", Readers())
		if err != nil {
			return nil, err
		}
		writer, err := side(c.Writer, at+".writer", Writers())
		if err != nil {
			return nil, err
		}
		j.contents = append(j.contents, content{reader, writer})
	}
	return j, nil
}

// decode says where a text stops to be JSON.
func decode(text []byte, into any) error {
	err := json.Unmarshal(text, into)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		before := text[:min(int(syntax.Offset), len(text))]
		line := bytes.Count(before, []byte("\n")) + 1
		return fmt.Errorf("line %d, character %d: %w", line, len(before)-bytes.LastIndexByte(before, '\n')-1, err)
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s: is a %s, which it cannot be", kind.Field, kind.Value)
	}
	return err
}

// channels is how many channels DataX would open: the total speed divided by that of one channel, else what is asked for.
func channels(job, one speed) int {
	most := math.Inf(1)
	for _, s := range [][2]number{{job.Byte, one.Byte}, {job.Record, one.Record}} {
		if s[0] > 0 && s[1] > 0 {
			most = min(most, float64(s[0]/s[1]))
		}
	}
	if math.IsInf(most, 1) {
		most = float64(job.Channel)
	}
	return int(min(max(most, 1), 64))
}

// Zone reads the name of a time zone as Go or Java write it.
func Zone(name string) (*time.Location, error) {
	if rest, ok := strings.CutPrefix(name, "GMT"); ok && rest != "" {
		name = rest
	}
	if name[0] == '+' || name[0] == '-' {
		for _, layout := range []string{"-07:00", "-0700", "-07"} {
			text := name
			if len(text) == 2 || len(text) > 2 && text[2] == ':' { // +8
				text = text[:1] + "0" + text[1:]
			}
			if t, err := time.Parse(layout, text); err == nil {
				_, offset := t.Zone()
				return time.FixedZone(name, offset), nil
			}
		}
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("there is no time zone %q", name)
	}
	return zone, nil
}

// side reads a reader or a writer.
func side(p plugin, at string, known []string) (end, error) {
	name := strings.ToLower(strings.TrimSpace(p.Name))
	if name == "" {
		return end{}, fmt.Errorf("%s.name: is missing", at)
	}
	if !slices.Contains(known, name) {
		return end{}, fmt.Errorf("%s.name: %q needs an installation of DataX (set DATAX_LAUNCHER in the environment of the task to its datax.py); "+
			"the native engine knows %s", at, p.Name, strings.Join(known, ", "))
	}
	e := end{name: name}
	if len(p.Parameter) == 0 {
		return e, fmt.Errorf("%s.parameter: is missing", at)
	}
	if err := decode(p.Parameter, &e.params); err != nil {
		return e, fmt.Errorf("%s.parameter: %w", at, err)
	}
	if strings.HasPrefix(name, "stream") {
		return e, nil
	}
	return e, e.check(at+".parameter", strings.HasSuffix(name, "reader"))
}

func (e end) check(at string, reads bool) error {
	if len(e.params.Connection) == 0 {
		return fmt.Errorf("%s.connection: is missing", at)
	}
	for i, c := range e.params.Connection {
		here := fmt.Sprintf("%s.connection[%d]", at, i)
		switch {
		case len(c.URL) == 0:
			return fmt.Errorf("%s.jdbcUrl: is missing", here)
		case !reads && len(c.URL) > 1:
			return fmt.Errorf("%s.jdbcUrl: a writer takes one address", here)
		case reads && len(c.QuerySQL) == 0 && len(c.Table) == 0:
			return fmt.Errorf("%s: needs table or querySql", here)
		case !reads && len(c.Table) == 0:
			return fmt.Errorf("%s.table: is missing", here)
		case reads && len(c.QuerySQL) == 0 && len(e.params.Column) == 0:
			return fmt.Errorf("%s.column: is missing; [\"*\"] stands for all", at)
		}
	}
	names, err := e.columns()
	if err != nil {
		return fmt.Errorf("%s.column: %w", at, err)
	}
	if len(names) == 0 && !reads {
		return fmt.Errorf("%s.column: is missing; [\"*\"] stands for all", at)
	}
	if len(names) > 1 && slices.Contains(names, "*") {
		return fmt.Errorf("%s.column: \"*\" stands alone or not at all", at)
	}
	if e.params.BatchSize < 0 || e.params.BatchByteSize < 0 {
		return fmt.Errorf("%s.batchSize, batchByteSize: have to be above 0", at)
	}
	return nil
}

// columns are the columns of a database, as text of statements.
func (e end) columns() ([]string, error) {
	var out []string
	for _, raw := range e.params.Column {
		var name string
		if json.Unmarshal(raw, &name) != nil || strings.TrimSpace(name) == "" {
			return nil, errors.New("has to be a list of names")
		}
		out = append(out, name)
	}
	return out, nil
}

// secrets are what no log may show.
func (j *Job) secrets() []string {
	var out []string
	for _, c := range j.contents {
		out = append(out, c.reader.params.Password, c.writer.params.Password)
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}
