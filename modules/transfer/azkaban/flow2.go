package azkaban

import (
	"bytes"
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"

	"dorado/modules/transfer/crontab"
	"dorado/modules/transfer/neutral"
)

// Limits of a flow: YAML can say a lot in few bytes.
const (
	maxNodes = 20_000
	maxDepth = 20
)

// flow reads a flow of version 2.0.
func (p *project) flow(f neutral.Entry) error {
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(f.Data)).Decode(&doc); err != nil {
		return neutral.Refuse(f.Path, 0, err.Error())
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return neutral.Refuse(f.Path, 1, "no mapping")
	}
	count := 0
	if err := plain(&doc, &count); err != nil {
		return neutral.Refuse(f.Path, doc.Line, err.Error())
	}
	name := strings.TrimSuffix(f.Base(), ".flow")
	made, err := p.nodes(f.Path, name, doc.Content[0], p.inherited(f.Dir()), 0)
	if err != nil {
		return err
	}
	p.trigger(made, doc.Content[0])
	p.flows = append(p.flows, made)
	return nil
}

// plain refuses what makes a small text large.
func plain(n *yaml.Node, count *int) error {
	if *count++; *count > maxNodes {
		return errors.New("too many values")
	}
	if n.Kind == yaml.AliasNode {
		return errors.New("aliases are not read")
	}
	for _, c := range n.Content {
		if err := plain(c, count); err != nil {
			return err
		}
	}
	return nil
}

// member returns a value of a mapping, nil when it has none of the name.
func member(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return n.Value
}

// config reads a mapping of settings into p.
func config(p *props, n *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if v := n.Content[i+1]; v.Kind == yaml.ScalarNode {
			p.set(n.Content[i].Value, text(v), n.Content[i].Line)
		}
	}
}

func (p *project) nodes(file, name string, n *yaml.Node, params *props, depth int) (*azFlow, error) {
	if depth > maxDepth {
		return nil, neutral.Refuse(file, n.Line, "flows within flows too deep")
	}
	config(params, member(n, "config"))
	f := &azFlow{name: name, file: file, params: params}
	list := member(n, "nodes")
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, neutral.Refuse(file, n.Line, "no nodes")
	}
	for _, item := range list.Content {
		j := &job{name: text(member(item, "name")), kind: strings.ToLower(text(member(item, "type"))), file: file, line: item.Line, props: newProps(), condition: text(member(item, "condition"))}
		if j.name == "" {
			return nil, neutral.Refuse(file, item.Line, "a node without a name")
		}
		config(j.props, member(item, "config"))
		if before := member(item, "dependsOn"); before != nil {
			for _, b := range before.Content {
				j.after = append(j.after, text(b))
			}
		}
		if member(item, "nodes") != nil {
			inner := newProps()
			for _, key := range params.keys {
				inner.set(key, params.values[key], params.lines[key])
			}
			var err error
			if j.inner, err = p.nodes(file, name+"_"+j.name, item, inner, depth+1); err != nil {
				return nil, err
			}
		}
		f.jobs = append(f.jobs, j)
	}
	return f, nil
}

// trigger reads when a flow starts.
func (p *project) trigger(f *azFlow, root *yaml.Node) {
	n := member(root, "trigger")
	if n == nil {
		return
	}
	if deps := member(n, "triggerDependencies"); deps != nil && len(deps.Content) > 0 {
		p.note(neutral.Impossible, f.file, deps.Line, f.name, "", "transfer.note.azkaban_trigger")
	}
	value := member(member(n, "schedule"), "value")
	cron := strings.Join(strings.Fields(text(value)), " ")
	if cron == "" {
		return
	}
	expressions := []string{cron}
	switch fields := strings.Fields(cron); {
	case len(fields) == 5 && strings.Contains(cron, "?"):
		expressions = []string{"0 " + cron}
	case len(fields) == 5:
		var err error
		if expressions, err = crontab.Quartz(cron); err != nil {
			p.note(neutral.Impossible, f.file, value.Line, f.name, "", "transfer.note.cron_time", "text", cron, "reason", err.Error())
			return
		}
	}
	for _, e := range expressions {
		f.schedules = append(f.schedules, neutral.Schedule{Crontab: e})
	}
	p.note(neutral.Translated, f.file, value.Line, f.name, "", "transfer.note.schedule", "text", cron)
}
