package executor

import (
	"fmt"
	"io"
	"maps"
	"os"

	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/form"
)

// declaredOut lists the OUT parameters of a task; their own values are what they have when the task prints none.
func declaredOut(params []form.Param, expand func(string) (string, error)) ([]flow.Property, error) {
	var outs []flow.Property
	for _, p := range params {
		if p.Direct != string(flow.Out) {
			continue
		}
		value, err := expand(p.Value)
		if err != nil {
			return nil, fmt.Errorf("parameter %q: %w", p.Prop, err)
		}
		outs = append(outs, flow.Property{Prop: p.Prop, Direct: flow.Out, Type: flow.ParamType(p.Type), Value: value})
	}
	return outs, nil
}

// readOut reads the child's part of a log once and returns the OUT parameters. Values in given win over printed ones.
func readOut(path string, from int64, outs []flow.Property, given map[string]string) ([]*doradov1.Param, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read output parameters: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read output parameters: %w", err)
	}
	scanner := flow.NewOutScanner(outs...)
	// A background process of the task may still be writing; what counts is what is there now.
	part := io.NewSectionReader(f, from, max(0, info.Size()-from))
	if _, err := io.CopyBuffer(struct{ io.Writer }{scanner}, struct{ io.Reader }{part}, make([]byte, 256<<10)); err != nil {
		return nil, fmt.Errorf("cannot read output parameters: %w", err)
	}
	values := scanner.Values()
	maps.Copy(values, given)
	params := make([]*doradov1.Param, 0, len(outs))
	for _, p := range flow.CollectOut(outs, values) {
		params = append(params, &doradov1.Param{Name: p.Prop, Value: p.Value, Type: string(p.Type), Direct: string(p.Direct)})
	}
	return params, nil
}
