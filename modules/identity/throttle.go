package identity

import (
	"context"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// subject is what attempts are counted for: a name or an address.
type subject struct {
	key     string
	free    int           // failures without a pause
	longest time.Duration // pause
	memory  time.Duration // failures older than this are forgotten

	lockAfter int // failures after which the pause is lockFor; 0 = none
	lockFor   time.Duration
}

func (p Policy) userSubject(name string) subject {
	return subject{
		key: "user:" + strings.ToLower(name), free: p.FreeAttempts, longest: p.LongestPause, memory: max(time.Hour, p.LockFor),
		lockAfter: p.LockAfter, lockFor: p.LockFor,
	}
}

// changeSubject counts wrong current passwords of who is about to choose another one.
func (p Policy) changeSubject(name string) subject { return p.userSubject("change:" + name) }

// clientSubject counts for an address.
func clientSubject(address string) subject {
	return subject{key: "client:" + network(address), free: 20, longest: 15 * time.Minute, memory: time.Hour}
}

// providerSubject counts the sign-ins at the provider that an address began and did not end: each is a row.
func providerSubject(address string) subject {
	return subject{key: "oidc:" + network(address), free: 30, longest: time.Minute, memory: attemptLife}
}

// registerSubject counts the users that an address asked for.
func registerSubject(address string) subject {
	return subject{key: "register:" + network(address), free: 5, longest: 15 * time.Minute, memory: time.Hour}
}

// network is an IPv4 address, or a whole IPv6 network, of which everybody has plenty of addresses.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return cut(address, 64)
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // 64 is always valid here
		return p.String()
	}
	return a.String()
}

// forgiving tells that a success wipes the slate.
func (s subject) forgiving() bool { return strings.HasPrefix(s.key, "user:") }

// pause is how long to wait after so many failures.
func (s subject) pause(failures int) time.Duration {
	if s.lockAfter > 0 && failures >= s.lockAfter {
		return s.lockFor
	}
	over := failures - s.free
	if over <= 0 {
		return 0
	}
	if over > 20 {
		return s.longest
	}
	return min(s.longest, time.Second<<(over-1))
}

// attempt counts a failure for each subject in advance, or returns ErrThrottled and counts nothing when one of them
// has to wait. Counting first means that attempts made at the same time are all counted.
func (s *Service) attempt(ctx context.Context, subjects []subject) error {
	subjects = slices.Clone(subjects)
	slices.SortFunc(subjects, func(a, b subject) int { return strings.Compare(a.key, b.key) }) // one order: no deadlock
	now := s.now()
	var wait time.Duration
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		counted := make([]throttle, len(subjects))
		for i, sub := range subjects {
			var err error
			if counted[i], err = s.store.lockThrottle(ctx, sub.key, now); err != nil {
				return err
			}
			if until := counted[i].BlockedUntil; until != nil && until.After(now) {
				wait = max(wait, until.Sub(now))
			}
		}
		if wait > 0 {
			return nil
		}
		for i, sub := range subjects {
			failures := counted[i].Failures + 1
			if counted[i].UpdatedAt.Before(now.Add(-sub.memory)) {
				failures = 1
			}
			var until *time.Time
			if p := sub.pause(failures); p > 0 {
				t := now.Add(p)
				until = &t
			}
			if err := s.store.saveThrottle(ctx, sub.key, failures, until, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if wait > 0 {
		return ErrThrottled.With("seconds", int(math.Ceil(wait.Seconds())))
	}
	return nil
}

// throttle is a row of login_throttle.
type throttle struct {
	Failures     int        `db:"failures"`
	BlockedUntil *time.Time `db:"blocked_until"`
	UpdatedAt    time.Time  `db:"updated_at"`
}

func cut(text string, runes int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
	if r := []rune(text); len(r) > runes {
		return string(r[:runes])
	}
	return text
}

// Lock is how failed attempts hold a user back.
type Lock struct {
	Failures int
	Until    time.Time // zero: not held back now
}

// LockOf returns how failures hold a user back, over all addresses. It returns ErrNotFound and access errors.
func (s *Service) LockOf(ctx context.Context, userID int64) (Lock, error) {
	if err := s.access.Require(ctx, UserRead); err != nil {
		return Lock{}, err
	}
	u, err := s.store.byID(ctx, userID)
	if err != nil {
		return Lock{}, err
	}
	sub, now := s.policy.userSubject(u.Name), s.now()
	t, err := s.store.throttled(ctx, sub.key)
	if err != nil || t.UpdatedAt.Before(now.Add(-sub.memory)) {
		return Lock{}, err
	}
	lock := Lock{Failures: t.Failures}
	if t.BlockedUntil != nil && t.BlockedUntil.After(now) {
		lock.Until = *t.BlockedUntil
	}
	return lock, nil
}

// Unlock forgets the failures of a user, so that the next attempt is looked at. It returns ErrNotFound and access errors.
func (s *Service) Unlock(ctx context.Context, userID int64) error {
	if err := s.access.Require(ctx, UserEdit); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		u, err := s.store.byID(ctx, userID)
		if err != nil {
			return err
		}
		if err := s.store.absolve(ctx, []subject{s.policy.userSubject(u.Name), s.policy.changeSubject(u.Name)}); err != nil {
			return err
		}
		return s.record(ctx, "user.unlock", u, nil)
	})
}

// clean removes what time made useless. It is called now and then by Run.
func (s *Service) clean(ctx context.Context) error {
	now := s.now()
	return s.db.InTx(ctx, func(ctx context.Context) error {
		return s.store.purge(ctx, now, now.Add(-idleLife), now.Add(-24*time.Hour))
	})
}
