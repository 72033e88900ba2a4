package flow

// TaskKind tells apart how tasks are carried out: physical ones by workers, the others by the engine itself.
type TaskKind uint8

// The kinds.
const (
	KindPhysical    TaskKind = iota // a plugin on a worker
	KindConditions                  // CONDITIONS: chooses successors by the ends of other tasks
	KindSwitch                      // SWITCH: chooses successors by expressions
	KindSubWorkflow                 // SUB_WORKFLOW, SUB_PROCESS: one run of another workflow
	KindDependent                   // DEPENDENT: waits for runs of other workflows
	KindDynamic                     // DYNAMIC: runs of another workflow, one for each combination of lists
	KindForEach                     // FOR_EACH: runs of another workflow, one for each element of a list
	KindApproval                    // APPROVAL: waits for a person
)

// Types of logic tasks as definitions name them.
const (
	TypeConditions  = "CONDITIONS"
	TypeSwitch      = "SWITCH"
	TypeSubWorkflow = "SUB_WORKFLOW"
	TypeSubProcess  = "SUB_PROCESS" // the older name of SUB_WORKFLOW
	TypeDependent   = "DEPENDENT"
	TypeDynamic     = "DYNAMIC"
	TypeForEach     = "FOR_EACH"
	TypeApproval    = "APPROVAL"
)

// KindOf tells the kind of a task type. Every type it does not know is physical.
func KindOf(taskType string) TaskKind {
	switch taskType {
	case TypeConditions:
		return KindConditions
	case TypeSwitch:
		return KindSwitch
	case TypeSubWorkflow, TypeSubProcess:
		return KindSubWorkflow
	case TypeDependent:
		return KindDependent
	case TypeDynamic:
		return KindDynamic
	case TypeForEach:
		return KindForEach
	case TypeApproval:
		return KindApproval
	}
	return KindPhysical
}

// Logic reports whether the engine carries the task out itself.
func (k TaskKind) Logic() bool { return k != KindPhysical }

// Branches reports whether the task chooses among its successors. Such a task is over in the moment in which it begins.
func (k TaskKind) Branches() bool { return k == KindConditions || k == KindSwitch }

// Children reports whether the task starts runs of other workflows. A recovery continues these runs instead of starting
// new ones.
func (k TaskKind) Children() bool {
	return k == KindSubWorkflow || k == KindDynamic || k == KindForEach
}
