// Package environment keeps environments: shell text that stands before the script of every task that asks for it, such
// as "export JAVA_HOME=/opt/java".
//
// Tasks, instances and schedules refer to an environment by its code, which never changes; the text that counts is the
// one at the moment an attempt begins. The worker groups of an environment say for which groups forms offer it; nothing
// enforces them at run time, and an environment without any is offered for all. One in use is not deleted, and keeps a
// group for which a task uses it.
//
// Masters are told of every change over the channel "dorado_config".
package environment
