// Package e2e holds the end-to-end tests: the binary, HTTP and a browser, seen from outside. They run with the build tag
// e2e (`task e2e`), need Chromium and a PostgreSQL server program, and are told as journeys of the people in them:
//
//	journey_test.go   a stranger draws a workflow, runs it and reads its logs
//	rest_test.go      a script that knows only the published REST interface
//	restart_test.go   the process is killed in the middle, again and again
//	cluster_test.go   master and worker as processes of their own
//	process_test.go   start, refusal, drain
//	security_test.go  what must be refused, and what must stay inert
//	pages_test.go     every page in both languages and themes under axe
//	scale_test.go     five thousand tasks in the editor, a million lines in the log
//
// Screenshots and logs stay in e2e/artifacts, or $DORADO_ARTIFACTS.
package e2e
