package flow

// CommandParam is what a trigger says beyond the columns of its instance; it is stored as JSON in
// workflow_instance.command_param.
type CommandParam struct {
	StartNodes    []int64    `json:"startNodes,omitempty"`    // task codes; empty = the whole graph
	CommandParams []Property `json:"commandParams,omitempty"` // startup parameters
	TimeZone      string     `json:"timeZone,omitempty"`
}
