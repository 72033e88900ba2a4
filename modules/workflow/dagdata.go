package workflow

import (
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
)

// DagData is a version of a workflow as REST clients read it with a run of it.
func DagData(w Workflow, def *flow.Definition) (any, error) { return toDAG(w, def) }

// HeadData is a workflow with what one of its versions says, as REST clients read it.
func HeadData(w Workflow, def *flow.Definition) (any, error) { return toDS(w, def) }

// Codes are the numbers by which REST clients know the refusals of this module, for modules above that pass them on.
func Codes() dsapi.Faults { return faults() }
