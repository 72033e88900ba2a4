package executor

// Handover is what a worker leaves to the program that replaces it.
type Handover struct{}
