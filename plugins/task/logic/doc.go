// Package logic describes the task types that the master itself carries out: CONDITIONS and SWITCH choose branches,
// SUB_WORKFLOW, DYNAMIC and FOR_EACH start other workflows, DEPENDENT waits for them, APPROVAL waits for a person.
//
// Only their settings are here. What they do is in modules/flow, which decodes the same JSON, and in the engine; no
// worker ever gets one.
package logic
