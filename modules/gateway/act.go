package gateway

import (
	"context"
	"errors"
	"strings"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/gateway/py4j"
	"dorado/modules/identity"
	"dorado/modules/workflow"
)

// program is ctx with the rights of the program, for what a script may do before its user exists.
func program(ctx context.Context) context.Context { return access.WithPrincipal(ctx, access.System()) }

// instead is ctx with the rights of the program, for what is done for a user who may not do it himself; the audit log
// names the user.
func instead(ctx context.Context, u identity.User) context.Context {
	return audit.WithActor(program(ctx), audit.Actor{UserID: u.ID, Name: u.Name})
}

// as is ctx in which the named user acts. A user who was disabled may nothing.
func (e *entry) as(ctx context.Context, name string) (context.Context, identity.User, error) {
	u, err := e.Identity.Find(program(ctx), name)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return ctx, u, illegal("User " + name + " does not exist")
	case err != nil:
		return ctx, u, err
	case !u.Enabled:
		return ctx, u, py4j.NewException(serviceException, "User "+name+" is disabled")
	}
	return access.WithPrincipal(ctx, access.Principal{
		UserID: u.ID, Name: u.Name, Admin: u.Admin(), Zone: u.Zone, Locale: u.Locale, PageSize: u.PageSize,
	}), u, nil
}

// serviceException is what DolphinScheduler throws when a rule refuses something.
const serviceException = "org.apache.dolphinscheduler.api.exceptions.ServiceException"

func illegal(message string) error { return py4j.NewException(py4j.IllegalArgument, message) }

// told makes an error into what the client is told: the message that a page would show, with all that is wrong. What
// nobody is to know stays an error.
func (e *entry) told(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, py4j.ErrNoMethod) {
		return err
	}
	if _, ok := errors.AsType[*py4j.Exception](err); ok {
		return err
	}
	refused, ok := errors.AsType[*fault.Error](err)
	if !ok || refused.Kind == fault.Internal {
		return err
	}
	lines := []string{web.Message(ctx, err)}
	say := func(line string) {
		if line != lines[0] {
			lines = append(lines, line)
		}
	}
	if invalid, ok := errors.AsType[*workflow.InvalidError](err); ok {
		for _, p := range invalid.Problems {
			text := i18n.T(ctx, p.Key, p.Args...)
			if p.TaskName != "" {
				text = p.TaskName + ": " + text
			}
			say(text)
		}
	} else {
		for _, f := range refused.Fields {
			say(f.Name + ": " + i18n.T(ctx, f.Key, f.Pairs()...))
		}
	}
	class := serviceException
	if refused.Kind == fault.Invalid || refused.Kind == fault.NotFound {
		class = py4j.IllegalArgument
	}
	return py4j.NewException(class, strings.Join(lines, "\n"))
}
