package workflow

import (
	"context"
	"errors"
	"strconv"

	"dorado/modules/access"
	"dorado/modules/flow"
)

// Versions returns the versions of a workflow, newest first: limit of them after offset, and how many there are.
func (s *Service) Versions(ctx context.Context, code int64, limit, offset int) ([]Version, int, error) {
	if _, err := s.need(ctx, code, Read); err != nil {
		return nil, 0, err
	}
	return s.store.versions(ctx, code, limit, offset)
}

// Version returns one version with what it says. It returns ErrNotFound, ErrVersionNotFound.
func (s *Service) Version(ctx context.Context, code int64, version int) (Version, *flow.Definition, error) {
	if _, err := s.need(ctx, code, Read); err != nil {
		return Version{}, nil, err
	}
	v, err := s.store.version(ctx, code, version)
	if err != nil {
		return v, nil, err
	}
	def, err := s.store.body(ctx, code, version)
	return v, def, err
}

// DeleteVersion removes a version that is not the current one. It returns ErrNotFound, ErrVersionNotFound,
// ErrCurrentVersion, ErrInUse.
func (s *Service) DeleteVersion(ctx context.Context, code int64, version int) error {
	if _, err := s.need(ctx, code, Edit); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		w, err := s.store.lock(ctx, code)
		if err != nil {
			return err
		}
		if w.Version == version {
			return ErrCurrentVersion.With("version", version)
		}
		return s.dropVersion(ctx, w, version, map[string]any{"version": version})
	})
}

// dropVersion removes a version of a locked workflow that is not the current one and that no run needs.
func (s *Service) dropVersion(ctx context.Context, w Workflow, version int, detail map[string]any) error {
	if _, err := s.store.version(ctx, w.Code, version); err != nil {
		return err
	}
	for _, r := range s.referrers {
		keeper, ok := r.(VersionKeeper)
		if !ok {
			continue
		}
		used, err := keeper.VersionInUse(ctx, w.Code, version)
		if err != nil {
			return err
		}
		if used {
			return ErrVersionInUse.With("version", version)
		}
	}
	if err := s.store.removeVersion(ctx, w.Code, version); err != nil {
		return err
	}
	return s.record(ctx, w, "workflow.delete_version", detail)
}

// Draft returns what whoever acts has not saved of a workflow. It returns ErrNoDraft.
func (s *Service) Draft(ctx context.Context, projectCode, code int64) (Draft, error) {
	if err := s.permitted(ctx, projectCode, code, Read); err != nil {
		return Draft{}, err
	}
	d, err := s.store.draft(ctx, actor(ctx), code)
	if err == nil && d.ProjectCode != projectCode {
		return Draft{}, ErrNoDraft
	}
	return d, err
}

// Drafts lists what whoever acts has not saved in a project, newest first, without the bodies.
func (s *Service) Drafts(ctx context.Context, projectCode int64) ([]Draft, error) {
	if _, err := s.Projects.Require(ctx, projectCode, Read); err != nil {
		return nil, err
	}
	return s.store.drafts(ctx, actor(ctx), projectCode)
}

// SaveDraft keeps an edit of a workflow, or of one that does not exist yet, for whoever acts. d.Revision is the one that
// the edit was made from, 0 for the first; the result carries the new one. It returns a DraftStaleError when another tab
// was faster, ErrCodeTaken when the workflow belongs to another project.
func (s *Service) SaveDraft(ctx context.Context, d Draft) (Draft, error) {
	if err := s.permitted(ctx, d.ProjectCode, d.WorkflowCode, Edit); err != nil {
		return d, err
	}
	if len(d.Body) > maxBody {
		return d, tooBig()
	}
	d.UserID, d.UpdatedAt, d.Name = actor(ctx), now(s.Now), cut(d.Name, maxName)
	d.Revision++
	err := s.DB.InTx(ctx, func(ctx context.Context) error {
		w, err := s.store.byCode(ctx, d.WorkflowCode)
		switch {
		case err == nil && w.ProjectCode != d.ProjectCode:
			return ErrCodeTaken.With("code", strconv.FormatInt(d.WorkflowCode, 10))
		case err != nil && !errors.Is(err, ErrNotFound):
			return err
		}
		written, err := s.store.putDraft(ctx, d)
		if err != nil || written {
			return err
		}
		there, err := s.store.draft(ctx, d.UserID, d.WorkflowCode)
		switch {
		case errors.Is(err, ErrNoDraft):
			return &DraftStaleError{Revision: 0} // discarded, or published, in another tab
		case err != nil:
			return err
		}
		return &DraftStaleError{Revision: there.Revision}
	})
	return d, err
}

// DiscardDraft forgets what whoever acts has not saved of a workflow. It does nothing when there is nothing.
func (s *Service) DiscardDraft(ctx context.Context, projectCode, code int64) error {
	if _, err := s.Projects.Require(ctx, projectCode, Read); err != nil {
		return err
	}
	return s.store.removeDraft(ctx, actor(ctx), code)
}

func actor(ctx context.Context) int64 {
	p, _ := access.From(ctx)
	return p.UserID
}
