// Package httptask is the HTTP task: one request, and a condition that its answer has to meet.
package httptask
