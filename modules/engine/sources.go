package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"dorado/app/kit/db"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// minHidden is the shortest secret of a data source that is masked, in bytes: striking out every "a" hides nothing.
const minHidden = 3

// sourceRow is a data source, and whether a task may use it.
type sourceRow struct {
	ID      int64  `db:"id"`
	Name    string `db:"name"`
	Type    string `db:"type"`
	Params  string `db:"params"`
	Secrets string `db:"secrets"`
	Allowed bool   `db:"allowed"`
}

// sources reads the data sources that a task names, and their secrets. A task may use what somebody put into it who was
// allowed to (task_source), and what the author of the version may use now: that is asked for versions that are not the
// current one. It fails with errLater when the database does not answer.
func (s *store) sources(ctx context.Context, workflow int64, version int, task int64, ids []int64) (out []*doradov1.Source, secrets []string, err error) {
	for _, id := range ids {
		row, err := db.Get[sourceRow](ctx, s.db, `SELECT d.id, d.name, d.type, d.params, d.secrets, (
				EXISTS (SELECT 1 FROM task_source t WHERE t.workflow_code = ? AND t.task_code = ? AND t.source_id = d.id)
				OR EXISTS (SELECT 1 FROM workflow_version v JOIN users u ON u.id = v.operator_id
					WHERE v.workflow_code = ? AND v.version = ? AND (u.id = d.user_id OR u.user_type = 'ADMIN_USER' OR EXISTS (
						SELECT 1 FROM object_grant g WHERE g.user_id = u.id AND g.kind = 'DATASOURCE' AND g.object_key = CAST(d.id AS TEXT))))
			) AS allowed FROM datasource d WHERE d.id = ?`, workflow, task, workflow, version, id)
		switch {
		case errors.Is(err, db.ErrNoRows):
			return nil, nil, fmt.Errorf("data source %d does not exist", id)
		case err != nil:
			return nil, nil, fmt.Errorf("%w: %w", errLater, err)
		case !row.Allowed:
			return nil, nil, fmt.Errorf("data source %q may not be used by this task: whoever saved it has no right to use it; "+
				"somebody who has must save the task", row.Name)
		}
		source, hide, err := s.source(row)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, source)
		for _, text := range hide {
			if !slices.Contains(secrets, text) {
				secrets = append(secrets, text)
			}
		}
	}
	return out, secrets, nil
}

// source opens the secrets of a data source.
func (s *store) source(row sourceRow) (*doradov1.Source, []string, error) {
	settings := map[string]string{}
	if err := json.Unmarshal([]byte(row.Params), &settings); err != nil {
		return nil, nil, fmt.Errorf("the settings of data source %q cannot be read: %w", row.Name, err)
	}
	var hide []string
	if row.Secrets != "" {
		if s.sealer == nil {
			return nil, nil, fmt.Errorf("the secrets of data source %q cannot be opened: this master has no key", row.Name)
		}
		text, err := s.sealer.Open(row.Secrets, flow.SealedDataSource)
		if err != nil {
			return nil, nil, fmt.Errorf("the secrets of data source %q cannot be opened: %w", row.Name, err)
		}
		sealed := map[string]string{}
		if err := json.Unmarshal([]byte(text.Reveal()), &sealed); err != nil {
			return nil, nil, fmt.Errorf("the secrets of data source %q cannot be read", row.Name)
		}
		for name, value := range sealed {
			settings[name] = value
			if len(value) >= minHidden && utf8.ValidString(value) {
				hide = append(hide, value)
			}
		}
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		return nil, nil, fmt.Errorf("data source %q: %w", row.Name, err)
	}
	return &doradov1.Source{Id: row.ID, Name: row.Name, Type: row.Type, Settings: raw}, hide, nil
}
