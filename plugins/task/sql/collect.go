package sql

import (
	"bytes"
	"encoding/json"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task/statement"
)

const (
	maxContent = 4 << 20  // bytes of an alert: more is no mail
	maxLists   = 1 << 20  // bytes of all lists that are handed on, which every task behind carries
	maxLine    = 64 << 10 // bytes of a row in the log
)

// collector looks at each row once and keeps what is asked for: rows for an alert, values for OUT parameters. All else is
// dropped at once.
type collector struct {
	log     *statement.Session
	display int
	outs    []out
	lists   int // bytes of all lists
	rows    int
	alert   bool
	table   bytes.Buffer
	blank   []byte
	cut     bool
}

// out is an OUT parameter with the column it takes its value from.
type out struct {
	name   string
	list   bool
	column int // -1: there is none
	first  string
	all    []*string
	cut    bool
}

func newCollector(s *statement.Session, p params, outs []form.Param) *collector {
	c := &collector{log: s, display: p.display, alert: p.alert != nil}
	for _, o := range outs {
		c.outs = append(c.outs, out{name: o.Prop, list: o.Type == "LIST", column: -1})
	}
	return c
}

func (c *collector) begin(r *statement.Row) error {
	c.blank = r.Blank()
	for i := range c.outs {
		o := &c.outs[i]
		if o.column = r.Find(o.name); o.column < 0 {
			c.log.Logf("the result has no column for the OUT parameter %q", o.name)
		}
	}
	return nil
}

func (c *collector) visit(r *statement.Row) error {
	c.rows++
	if c.rows <= c.display {
		c.log.Logf("row %d : %s", c.rows, statement.Shorten(string(r.JSON()), maxLine))
	}
	if c.alert && !c.cut {
		row := r.JSON()
		if c.cut = c.table.Len()+len(row) > maxContent; c.cut {
			c.log.Logf("the alert is cut: it holds the first %d rows, which are %d bytes", c.rows-1, c.table.Len())
		} else {
			if c.rows > 1 {
				c.table.WriteByte(',')
			}
			c.table.Write(row)
		}
	}
	for i := range c.outs {
		c.keep(&c.outs[i], r)
	}
	return nil
}

func (c *collector) keep(o *out, r *statement.Row) {
	if o.column < 0 || o.cut || (c.rows > 1 && !o.list) {
		return
	}
	cell := r.Cell(o.column)
	if c.rows == 1 {
		o.first = cell.Text
	}
	if !o.list {
		return
	}
	if c.lists += len(cell.Text) + 24; c.lists > maxLists {
		o.cut = true
		c.log.Logf("the OUT parameter %q is cut: it holds the values of the first %d rows", o.name, c.rows-1)
		return
	}
	if cell.Null {
		o.all = append(o.all, nil)
		return
	}
	o.all = append(o.all, &cell.Text)
}

// values are the OUT parameters. Of several rows only lists get something; no row counts as one of empty texts.
func (c *collector) values() map[string]string {
	values := map[string]string{}
	for _, o := range c.outs {
		switch {
		case o.column < 0:
			continue
		case c.rows <= 1:
			values[o.name] = o.first
		case o.list:
			values[o.name] = encode(o.all)
		default:
			c.log.Logf("the OUT parameter %q gets no value, because there are several rows and it is no LIST", o.name)
			continue
		}
		c.log.Logf("%s = %s", o.name, statement.Shorten(values[o.name], 500))
	}
	return values
}

// encode writes a list of texts as DolphinScheduler does: numbers are texts, too.
func encode(list []*string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(list); err != nil { // texts can always be written
		return "[]"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// content is the rows for an alert. No row is shown as one of empty values, so that the columns are seen.
func (c *collector) content() string {
	if c.rows == 0 {
		return "[" + string(c.blank) + "]"
	}
	return "[" + c.table.String() + "]"
}
