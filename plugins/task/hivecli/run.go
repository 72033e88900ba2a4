package hivecli

import (
	"fmt"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// process gives beeline its password in a file: options of a program can be read by every user of the machine.
func process(v form.Values, env task.Env) (task.Command, error) {
	job := launch.Job{Remote: launch.Yarn()}
	line := launch.NewLine("hive")
	if v.Text(client) == beeline {
		s, err := env.Source(v.ID(source))
		if err != nil {
			return task.Command{}, err
		}
		if s.Plugin.URL == nil {
			return task.Command{}, fmt.Errorf("data source %q has no address for JDBC", s.Name)
		}
		line = launch.NewLine(beeline).Words("-u", s.Plugin.URL(s.Settings)).Option("-n", s.Settings.User)
		if password := s.Settings.Password.Reveal(); password != "" {
			file, path := launch.Text(env, "_password", password)
			job.Files = append(job.Files, file)
			line.Words("-w", path)
		}
	}
	if v.Text(executionType) == typeFile {
		path, err := launch.OneFile(v, env)
		if err != nil {
			return task.Command{}, err
		}
		line.Words("-f", path)
	} else {
		file, path := launch.Text(env, "_node.sql", launch.Script(v.Text(script)))
		job.Files = append(job.Files, file)
		line.Words("-f", path)
	}
	job.Lines = append(job.Lines, line.Shell(v.Text(options)).String())
	return job.Command(env), nil
}
