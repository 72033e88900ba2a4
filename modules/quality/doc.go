// Package quality shows what DATA_QUALITY tasks can measure and what they found: the rules, which are built in, and the results,
// which the engine writes into task_result with the end of each attempt. The page of a result shows the rows that break the
// rule, as far as they were kept, and the values that the same task measured before (task_measure). Nothing here is ever changed.
//
// Everybody signed in may read the rules. A result is seen by who may see the runs of its project.
package quality
