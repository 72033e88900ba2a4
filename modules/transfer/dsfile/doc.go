// Package dsfile reads and writes the files by which installations of DolphinScheduler exchange workflows.
//
// It reads what 1.3 exports (processDefinitionJson), what 2.0 to 3.2 (processDefinition) and 3.3 (workflowDefinition)
// export, single objects and lists of them, answers of the REST API that hold such an object, what clients post to create
// a workflow, and archives of SQL files. It writes what 3.2 and 3.3 read, in their order of members and their layout, so
// that files can be compared line by line.
package dsfile
