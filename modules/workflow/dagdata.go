package workflow

import "dorado/modules/flow"

// DagData is a version of a workflow as REST clients read it with a run of it.
func DagData(w Workflow, def *flow.Definition) (any, error) { return toDAG(w, def) }
