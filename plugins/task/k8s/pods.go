package k8s

import (
	"fmt"
	"strings"
)

// pod is what is read of a Pod.
type pod struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		NodeName string `json:"nodeName"`
	} `json:"spec"`
	Status struct {
		Phase      string            `json:"phase"`
		Reason     string            `json:"reason"`
		Message    string            `json:"message"`
		Conditions []condition       `json:"conditions"`
		Containers []containerStatus `json:"containerStatuses"`
	} `json:"status"`
}

// containerStatus tells about one container; at most one of the three states is there.
type containerStatus struct {
	Name  string `json:"name"`
	State struct {
		Waiting *struct {
			Reason  string `json:"reason"`
			Message string `json:"message"`
		} `json:"waiting"`
		Running    *struct{}   `json:"running"`
		Terminated *terminated `json:"terminated"`
	} `json:"state"`
}

// terminated is how a container ended.
type terminated struct {
	ExitCode int    `json:"exitCode"`
	Signal   int    `json:"signal"`
	Reason   string `json:"reason"`
	Message  string `json:"message"`
}

func (p pod) key() string { return p.Metadata.Name }

// container is the first one that has a log, started says whether it has one already, ended whether it is complete.
func (p pod) container() (name string, started, ended bool) {
	for _, c := range p.Status.Containers {
		if c.State.Running != nil || c.State.Terminated != nil {
			return c.Name, true, c.State.Terminated != nil
		}
	}
	return "", false, false
}

// obstacles are what keeps a Pod from starting, in the cluster's words.
func (p pod) obstacles() []string {
	var all []string
	for _, c := range p.Status.Conditions {
		if c.Type == "PodScheduled" && c.Status == "False" && c.Reason != "" {
			all = append(all, sentence(c.Reason, c.Message))
		}
	}
	for _, c := range p.Status.Containers {
		// These two are how each Pod begins.
		if w := c.State.Waiting; w != nil && w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			all = append(all, sentence(w.Reason, w.Message))
		}
	}
	return all
}

// failure is why a Pod did not succeed; "" when it does not say.
func (p pod) failure() string {
	for _, c := range p.Status.Containers {
		t := c.State.Terminated
		if t == nil || t.ExitCode == 0 {
			continue
		}
		text := fmt.Sprintf("the container ended with exit code %d", t.ExitCode)
		switch {
		case t.Reason == "OOMKilled":
			text = fmt.Sprintf("the container was killed because it used more memory than its limit (OOMKilled, exit code %d)", t.ExitCode)
		case t.Signal > 0:
			text = fmt.Sprintf("the container was killed by signal %d (exit code %d)", t.Signal, t.ExitCode)
		case t.Reason != "" && t.Reason != "Error":
			text += " (" + t.Reason + ")"
		}
		return sentence(text, t.Message)
	}
	if p.Status.Reason != "" { // Evicted, NodeLost, DeadlineExceeded, …
		return sentence("the pod ended as "+p.Status.Reason, p.Status.Message)
	}
	return ""
}

// sentence is a reason with its message, if there is one, in one line and not too long.
func sentence(reason, message string) string {
	if message = strings.Join(strings.Fields(message), " "); message == "" {
		return reason
	}
	if len(message) > 1000 {
		message = strings.ToValidUTF8(message[:1000], "") + "…"
	}
	return reason + ": " + message
}
