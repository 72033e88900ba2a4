// Package quality shows what DATA_QUALITY tasks can measure and what they found: the rules, which are built in, and the results,
// which the engine writes into task_result with the end of each attempt. Nothing here is ever changed.
//
// Everybody signed in may read the rules. A result is seen by who may see the runs of its project.
package quality
