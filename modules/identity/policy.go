package identity

import (
	"context"
	_ "embed" // the list of common passwords
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/secret"
)

// MaxPassword is the most characters a password can have.
const MaxPassword = 72

// Policy is the rule for passwords, and what wrong ones lead to.
type Policy struct {
	MinLength  int           `koanf:"min-length"`  // characters
	MinClasses int           `koanf:"min-classes"` // of letters, digits and other signs
	MixedCase  bool          `koanf:"mixed-case"`  // upper and lower case letters are both needed
	History    int           `koanf:"history"`     // as many earlier passwords are not chosen again
	MaxAge     time.Duration `koanf:"max-age"`     // afterwards another one must be chosen; 0 = never

	FreeAttempts int           `koanf:"free-attempts"` // failures before each further one is followed by a pause, twice as long as the last
	LongestPause time.Duration `koanf:"longest-pause"`
	LockAfter    int           `koanf:"lock-after"` // failures that lock a user; 0 = none does
	LockFor      time.Duration `koanf:"lock-for"`
}

// DefaultPolicy returns the defaults.
func DefaultPolicy() Policy {
	return Policy{
		MinLength: 8, MinClasses: 2, History: 3, FreeAttempts: 5, LongestPause: time.Minute, LockFor: 15 * time.Minute,
	}
}

// Validate returns everything that is wrong, joined.
func (p Policy) Validate() error {
	var problems []error
	bad := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("identity.password.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	within := func(key string, n, least, most int) {
		if n < least || n > most {
			bad(key, "%d is not within %d and %d", n, least, most)
		}
	}
	within("min-length", p.MinLength, 6, MaxPassword)
	within("min-classes", p.MinClasses, 1, 3)
	within("history", p.History, 0, 24)
	within("free-attempts", p.FreeAttempts, 1, 100)
	if p.LockAfter != 0 {
		within("lock-after", p.LockAfter, p.FreeAttempts, 1000)
	}
	if p.MaxAge < 0 || p.MaxAge > 0 && p.MaxAge < 24*time.Hour {
		bad("max-age", "%s is neither 0 nor at least 24h", p.MaxAge)
	}
	if p.LongestPause < time.Second || p.LongestPause > time.Hour {
		bad("longest-pause", "%s is not within 1s and 1h", p.LongestPause)
	}
	if p.LockFor < time.Minute || p.LockFor > 24*time.Hour {
		bad("lock-for", "%s is not within 1m and 24h", p.LockFor)
	}
	return errors.Join(problems...)
}

// Describe is the rule as a sentence for people.
func (p Policy) Describe(ctx context.Context) string {
	text := i18n.T(ctx, "identity.password.rule_length", "min", p.MinLength, "max", MaxPassword)
	switch p.MinClasses {
	case 2:
		text += i18n.T(ctx, "identity.password.rule_two")
	case 3:
		text += i18n.T(ctx, "identity.password.rule_three")
	}
	if p.MixedCase {
		text += i18n.T(ctx, "identity.password.rule_case")
	}
	return text + i18n.T(ctx, "identity.password.rule_end")
}

// Check returns an Invalid fault on the field password when a user of this name may not have the password.
func (p Policy) Check(password secret.String, userName string) error {
	var c fault.Collector
	p.check(&c, "password", password, userName)
	return c.Err()
}

//go:embed common_passwords.txt
var commonPasswords string

func (p Policy) check(c *fault.Collector, field string, password secret.String, userName string) {
	text := password.Reveal()
	length := utf8.RuneCountInString(text)
	switch {
	case text == "":
		c.Add(field, "identity.password.required")
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		c.Add(field, "identity.password.characters")
	case length < p.MinLength || length > MaxPassword:
		c.Add(field, "identity.password.length", "min", p.MinLength, "max", MaxPassword)
	case classes(text) < p.MinClasses:
		c.Add(field, "identity.password.classes", "number", p.MinClasses)
	case p.MixedCase && (strings.ToLower(text) == text || strings.ToUpper(text) == text):
		c.Add(field, "identity.password.case")
	case isCommon(text) || strings.EqualFold(text, userName):
		c.Add(field, "identity.password.common")
	}
}

// classes counts which of letters, digits and symbols a password has.
func classes(text string) int {
	var letter, digit, symbol int
	for _, r := range text {
		switch {
		case unicode.IsLetter(r):
			letter = 1
		case unicode.IsDigit(r):
			digit = 1
		default:
			symbol = 1
		}
	}
	return letter + digit + symbol
}

func isCommon(text string) bool {
	text = strings.ToLower(text)
	for line := range strings.Lines(commonPasswords) {
		if strings.TrimSpace(line) == text {
			return true
		}
	}
	return false
}
