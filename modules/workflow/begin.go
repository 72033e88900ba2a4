package workflow

import (
	"context"
	"encoding/json"

	"dorado/modules/flow"
)

// Begin keeps a workflow of one task as a draft of whoever acts, who is to name and save it, and returns the address of its
// editor. Errors as of SaveDraft.
func (s *Service) Begin(ctx context.Context, projectCode int64, name, kind string, params json.RawMessage) (string, error) {
	codes := s.Codes.NextN(2)
	body, err := json.Marshal(&flow.Definition{
		Code: codes[0], ProjectCode: projectCode, ExecutionType: flow.Parallel, GlobalParams: []flow.Property{}, Edges: []flow.Edge{},
		Tasks: []flow.Task{{
			Code: codes[1], Name: name, Type: kind, Params: params, Flag: flow.FlagYes, IsCache: flow.FlagNo, Priority: flow.Medium,
			WorkerGroup: "default", EnvironmentCode: -1, RetryInterval: 1, TimeoutFlag: flow.TimeoutClose, CPUQuota: -1, MemoryMax: -1,
			ExecuteType: flow.Batch,
		}},
		Locations: []flow.Location{{TaskCode: codes[1]}},
	})
	if err != nil {
		return "", wrap(err, "encode draft")
	}
	if _, err := s.SaveDraft(ctx, Draft{WorkflowCode: codes[0], ProjectCode: projectCode, Body: string(body)}); err != nil {
		return "", err
	}
	return newAddress(projectCode, codes[0]), nil
}
