package procedure

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task/statement"
)

const method = "method"

// call is what the text of a task asks for.
type call struct {
	name   string
	result *form.Param // takes what a function returns; nil: nobody asks
	args   []arg
	asks   bool // the text has the form of a function: ? = call …
}

// arg is one argument.
type arg struct {
	text  string      // as typed
	label string      // what names it: @a =, a =>
	param string      // its name when the argument is nothing but a parameter
	out   *form.Param // takes the value that comes back; nil for IN
	// An OUT parameter goes in with a value, too, when it is declared with one, or as IN besides.
	initial string
	both    bool
}

var (
	callForm  = regexp.MustCompile(`(?is)^(?:(\?|'?\$\{([^{}]*)\}'?)\s*:?=\s*)?(?:call|exec|execute)\s+(.+)$`)
	execForm  = regexp.MustCompile(`(?is)^(?:exec|execute|call)\s+(\?|'?\$\{([^{}]*)\}'?)\s*=\s*(.+)$`)
	labelForm = regexp.MustCompile(`^(@[\p{L}_][\p{L}\p{N}_@$#]*\s*=|[\p{L}_][\p{L}\p{N}_$#]*\s*(?:=>|:=))\s*`)
	paramForm = regexp.MustCompile(`^['"]?\$\{([^{}]+)\}['"]?$`)
)

// parse reads the text of a task. Every OUT parameter that the text does not name is a candidate for what a ? stands for.
func parse(d statement.Dialect, text string, local, outs []form.Param) (call, error) {
	text = strings.TrimSpace(strings.TrimRight(strings.TrimSpace(text), "; \t\r\n"))
	if strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") {
		text = strings.TrimSpace(text[1 : len(text)-1])
	}
	m := callForm.FindStringSubmatch(text)
	if m == nil {
		return call{}, errors.New("the text is no call: write call name(…), {call name(…)} or {? = call name(…)}")
	}
	if e := execForm.FindStringSubmatch(text); e != nil && m[1] == "" {
		m = e
	}
	head, args, err := d.Arguments(m[3])
	if err != nil {
		return call{}, err
	}
	if head == "" || strings.ContainsAny(head, ";{}") {
		return call{}, errors.New("the name of the procedure is missing")
	}
	c := call{name: head, asks: m[1] != ""}
	named := map[string]bool{}
	for _, text := range args {
		a := arg{label: labelForm.FindString(text)}
		a.text = text[len(a.label):]
		if p := paramForm.FindStringSubmatch(a.text); p != nil {
			a.param = strings.TrimSpace(p[1])
			a.direct(local, outs)
			named[a.param] = true
		}
		c.args = append(c.args, a)
	}
	if !c.asks {
		return c, nil
	}
	if name := strings.TrimSpace(m[2]); name != "" {
		i := slices.IndexFunc(outs, func(p form.Param) bool { return p.Prop == name })
		if i < 0 {
			return c, fmt.Errorf("parameter %q takes what the function returns, so its direction has to be OUT", name)
		}
		c.result = &outs[i]
		return c, nil
	}
	if i := slices.IndexFunc(outs, func(p form.Param) bool { return !named[p.Prop] }); i >= 0 {
		c.result = &outs[i]
	}
	return c, nil
}

// direct finds out which way the argument goes.
func (a *arg) direct(local, outs []form.Param) {
	i := slices.IndexFunc(outs, func(p form.Param) bool { return p.Prop == a.param })
	if i < 0 {
		return
	}
	a.out, a.initial = &outs[i], outs[i].Value
	a.both = slices.ContainsFunc(local, func(p form.Param) bool { return p.Prop == a.param && p.Direct != "OUT" })
}

// taking are the parameters that take a value, what a function returns first.
func (c call) taking() []form.Param {
	var all []form.Param
	if c.result != nil {
		all = append(all, *c.result)
	}
	for _, a := range c.args {
		if a.out != nil {
			all = append(all, *a.out)
		}
	}
	return all
}

// input is the value that an argument goes in with; ok is false for one that only comes back.
func (a arg) input(b statement.Binder) (value string, ok bool) {
	if a.both {
		value, _, ok = b.Value(a.param)
		return value, ok
	}
	return a.initial, a.initial != ""
}
