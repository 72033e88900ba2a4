package main

import (
	"context"
	"fmt"
	"time"

	"dorado/e2e/harness"
)

// chains and length are the shape of the workflow that is started again and again: something is always in the middle of
// its work.
const (
	chains = 6
	length = 5
)

// keepBusy starts a workflow every so often, at whichever master answers.
func (d *demo) keepBusy(ctx context.Context, every time.Duration) {
	w := harness.Workflow{Name: "chains", Description: "Six chains of five tasks, of one to three seconds each"}
	for c := range chains {
		for i := range length {
			task := harness.Task{Name: fmt.Sprintf("chain %d step %d", c+1, i+1), Script: fmt.Sprintf("echo I am process $$; sleep %d; echo done", 1+(c+i)%3)}
			if i > 0 {
				task.After = []string{fmt.Sprintf("chain %d step %d", c+1, i)}
			}
			w.Tasks = append(w.Tasks, task)
		}
	}
	var project, code int64
	for ctx.Err() == nil {
		err := d.anywhere(ctx, func(c *harness.Client) error {
			if code == 0 {
				p, err := c.CreateProject(ctx, "demo", "What the demonstration keeps running")
				if err != nil {
					return err
				}
				flow, err := c.Publish(ctx, p.Code, w)
				if err != nil {
					return err
				}
				project, code = p.Code, flow.Code
			}
			_, err := c.StartWorkflow(ctx, project, code, harness.StartOptions{})
			return err
		})
		if err != nil && ctx.Err() == nil {
			fmt.Fprintln(d.out, "   no workflow was started:", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

// anywhere asks one master after the other until one does it.
func (d *demo) anywhere(ctx context.Context, do func(*harness.Client) error) error {
	var last error
	for _, m := range d.fleet.Masters {
		c := harness.NewClient(m.URL)
		last = c.Login(ctx, user, password)
		if last == nil {
			last = do(c)
		}
		c.Close()
		if last == nil {
			return nil
		}
	}
	return last
}
