package k8s

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dorado/plugins/task"
)

const (
	keepSeconds = 300 // how long the cluster keeps a finished Job
	labelLayer  = "k8s.cn/layer"
	labelName   = "k8s.cn/name"
	labelTask   = "dolphinscheduler-label" // on Pods: the attempt
	// markName is an annotation by which a Job is known to be the one that this attempt asked for, when the answer to the
	// request was lost.
	markName = "dorado/mark"
	maxLabel = 63
)

var (
	notInName  = regexp.MustCompile(`[^a-z0-9]+`)
	notInLabel = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)
	envName    = regexp.MustCompile(`^[A-Za-z_.-][A-Za-z0-9_.-]*$`)
)

// jobName is the task's name as far as DNS allows it, and the number of the attempt, which is never shortened.
func jobName(env task.Env) string {
	tail := "-" + strconv.FormatInt(env.TaskInstanceID, 10)
	name := strings.Trim(notInName.ReplaceAllString(strings.ToLower(env.TaskName), "-"), "-")
	if len(name) > maxLabel-len(tail) {
		name = strings.TrimRight(name[:maxLabel-len(tail)], "-")
	}
	if name == "" {
		name = "task"
	}
	return name + tail
}

// labelValue is a text as far as a label may hold it.
func labelValue(text string) string {
	text = notInLabel.ReplaceAllString(text, "_")
	return strings.Trim(text[:min(len(text), maxLabel)], "_.-")
}

// object is anything that becomes a JSON object.
type object = map[string]any

// manifest is the Job. left are names of parameters that no environment can hold.
func manifest(p params, env task.Env, namespace, name, mark string) (job object, left []string) {
	container := object{"name": name, "image": p.image, "imagePullPolicy": p.pull}
	if len(p.command) > 0 {
		container["command"] = p.command
	}
	if len(p.args) > 0 {
		container["args"] = p.args
	}
	container["env"], left = environment(p, env)
	if p.cpu > 0 || p.memory > 0 {
		container["resources"] = object{"requests": quantities(p.cpu, p.memory), "limits": quantities(2*p.cpu, 2*p.memory)}
	}
	pod := object{"containers": []object{container}, "restartPolicy": "Never"}
	if p.secret != "" {
		pod["imagePullSecrets"] = []object{{"name": p.secret}}
	}
	if len(p.nodes) > 0 {
		pod["affinity"] = object{"nodeAffinity": object{"requiredDuringSchedulingIgnoredDuringExecution": object{
			"nodeSelectorTerms": []object{{"matchExpressions": p.nodes}},
		}}}
	}
	labels := maps.Clone(p.labels)
	labels[labelTask] = env.ID()
	return object{
		"apiVersion": "batch/v1", "kind": "Job",
		"metadata": object{
			"name": name, "namespace": namespace, "annotations": object{markName: mark},
			"labels": object{labelLayer: "batch", labelName: labelValue(env.TaskName)},
		},
		"spec": object{
			"backoffLimit": 0, "ttlSecondsAfterFinished": keepSeconds,
			"template": object{"metadata": object{"labels": labels}, "spec": pod},
		},
	}, left
}

// quantities leaves out what is 0, which means: as the namespace has it.
func quantities(cpu, memory float64) object {
	out := object{}
	if cpu > 0 {
		out["cpu"] = strconv.FormatFloat(cpu, 'f', -1, 64)
	}
	if memory > 0 {
		out["memory"] = strconv.FormatFloat(memory, 'f', -1, 64) + "Mi"
	}
	return out
}

// environment is the declared IN parameters and the number of the attempt. What else the attempt knows stays here: a
// cluster is another place, and parameters may be secrets of other tasks.
func environment(p params, env task.Env) (all []object, left []string) {
	const id = "taskInstanceId"
	all = []object{{"name": id, "value": strconv.FormatInt(env.TaskInstanceID, 10)}}
	seen := []string{id}
	for _, d := range p.declared {
		switch value, ok := env.Values[d.Prop]; {
		case d.Direct != "IN" || slices.Contains(seen, d.Prop):
		case !envName.MatchString(d.Prop):
			left = append(left, d.Prop)
		default:
			if !ok {
				value = d.Value
			}
			seen = append(seen, d.Prop)
			// Kubernetes reads $(NAME) and $$ in values; a value is a text and nothing else.
			all = append(all, object{"name": d.Prop, "value": strings.ReplaceAll(value, "$", "$$")})
		}
	}
	return all, left
}
