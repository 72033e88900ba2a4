// Package launch is what the tasks have in common that start a program which in turn drives a cluster: SPARK, FLINK, MR and
// their like.
//
// A plugin builds a command line out of words (Line). A word that comes from a field is quoted, so that it reaches the
// program as it was typed, whatever is in it. Fields that hold text for the shell (arguments, further options) are put in
// as they are, for the shell to split: that is what they are for, and whoever fills them may run any script as this tenant
// anyway. Variables such as ${SPARK_HOME} stay for the shell, too, because the chosen environment sets them.
//
// A Job adds what surrounds the line: variables that have to be set, files, and the work on the cluster. When the worker of
// an earlier attempt was lost, the script first ends what that attempt left on the cluster, and only then submits.
//
// Secrets never become a word. They go into files of the working directory, which the tenant alone can read.
package launch
