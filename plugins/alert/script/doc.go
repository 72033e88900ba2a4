// Package script runs a program of the operator's for each alert.
//
// DolphinScheduler lets whoever may edit an alert instance run any file of the server. Here the file must lie in one folder,
// which only the operator of the machine can write to, and it is started without a shell: title, content and parameters are
// arguments, whatever they hold. The content comes on the standard input, too, where its length has no limit.
package script
