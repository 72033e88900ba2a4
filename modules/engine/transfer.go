package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/storage"
)

// handed are the files that an attempt gets from tasks before it: each of its own parameters of the type FILE names one as
// task.parameter. A name that nothing has handed on fails the attempt.
func (l *live) handed(node int32, params flow.Params) ([]*doradov1.File, error) {
	if l.run.DryRun { // nothing was executed, so nothing was handed on
		return nil, nil
	}
	var files []*doradov1.File
	for _, p := range l.program.locals[node] {
		if p.Type != flow.File || p.Direct == flow.Out {
			continue
		}
		path, ok := flow.WorkPath(p.Prop)
		if !ok {
			return nil, fmt.Errorf("parameter %q: its name is to be the path of the file below the working directory", p.Prop)
		}
		name := strings.TrimSpace(params.Values[p.Prop])
		from, ok := l.handedOn(node, name)
		if !ok {
			return nil, fmt.Errorf("parameter %q: no task before this one handed on a file %q; the value is to be <task>.<parameter> of an OUT parameter of the type FILE", p.Prop, name)
		}
		files = append(files, &doradov1.File{
			Path: path, Blob: from.Value, Size: from.Size, Sha256: from.SHA256, Unpack: strings.HasSuffix(from.Value, flow.PackSuffix),
		})
	}
	return files, nil
}

// handedOn finds a file that reaches a node under a name. What a worker stored has a checksum; a text that only says that it
// is a file has none.
func (l *live) handedOn(node int32, name string) (flow.Property, bool) {
	entries := l.inherited(node).Entries()
	for i := range entries {
		if e := &entries[i]; e.Prop == name && isHandedOn(e.Property) {
			return e.Property, true
		}
	}
	return flow.Property{}, false
}

func isHandedOn(p flow.Property) bool {
	return p.Type == flow.File && p.SHA256 != "" && strings.HasPrefix(p.Value, flow.TransferFolder+"/")
}

// sumOf is what stands for a file among the inputs of a task: its content, wherever it lies.
func (l *live) sumOf(a *core.Attempt, name string) (string, bool) {
	p, ok := l.handedOn(a.Node, strings.TrimSpace(name))
	return "sha256:" + p.SHA256, ok
}

// filesThere reports whether all files that an earlier result names can still be fetched.
func (e *Engine) filesThere(ctx context.Context, pool []flow.Property) bool {
	for _, p := range pool {
		if !isHandedOn(p) {
			continue
		}
		if e.files == nil {
			return false
		}
		if _, err := e.files.Stat(ctx, p.Value); err != nil {
			return false
		}
	}
	return true
}

// removeHandedOn removes what the runs handed on that wrote these logs.
func (e *Engine) removeHandedOn(ctx context.Context, logs []string) error {
	if e.files == nil {
		return nil
	}
	var problems []error
	seen := map[string]bool{}
	for _, path := range logs {
		folder, ok := flow.TransferRunOfLog(path)
		if !ok || seen[folder] {
			continue
		}
		seen[folder] = true
		err := storage.DeleteTree(ctx, e.files, folder)
		if err == nil {
			err = storage.Prune(ctx, e.files, folder)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("files that a run handed on stay in the storage: %w", err))
		}
	}
	return errors.Join(problems...)
}
