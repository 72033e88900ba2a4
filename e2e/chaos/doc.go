// Command chaos breaks a cluster in every way it can, while it works, and lets an independent checker judge what came of
// it. The same program, shorter, is a test of CI (e2e/chaos_test.go).
//
//	go run ./e2e/chaos -faults 200 -tasks 20000 -seed 1 -report docs/chaos.md
//
// The seed is printed and replays the same faults at the same times. See packages storm and check.
package main
