package literals

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

var (
	errArguments = errors.New("the statement has another number of ? than there are arguments")
	errNamed     = errors.New("arguments with names are not supported by this type of data source")
)

// Dialect is how a language writes texts and bytes.
type Dialect struct {
	Backslash bool   // it takes away the meaning of what follows it in a text
	Bytes     string // what makes bytes of two digits each; %x stands for them
}

// Write puts arguments in place of each ? that stands in no text, name or comment.
func (d Dialect) Write(query string, args []driver.NamedValue) (string, error) {
	if len(args) == 0 {
		return query, nil
	}
	var b strings.Builder
	next := 0
	for i := 0; i < len(query); {
		n := d.token(query[i:])
		if query[i] != '?' {
			b.WriteString(query[i : i+n])
			i += n
			continue
		}
		if next == len(args) {
			return "", errArguments
		}
		if args[next].Name != "" {
			return "", errNamed
		}
		text, err := d.literal(args[next].Value)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		next++
		i++
	}
	if next != len(args) {
		return "", errArguments
	}
	return b.String(), nil
}

// token is the length of what begins here: a text, a name, a comment, or one byte of anything else.
func (d Dialect) token(q string) int {
	switch {
	case q[0] == '\'' || q[0] == '"' || q[0] == '`':
		for i := 1; i < len(q); i++ {
			switch {
			case d.Backslash && q[i] == '\\' && q[0] != '`':
				i++
			case q[i] == q[0]:
				return i + 1
			}
		}
		return len(q)
	case strings.HasPrefix(q, "--"):
		if end := strings.IndexByte(q, '\n'); end >= 0 {
			return end + 1
		}
		return len(q)
	case strings.HasPrefix(q, "/*"):
		if end := strings.Index(q[2:], "*/"); end >= 0 {
			return end + 4
		}
		return len(q)
	}
	return 1
}

// text is a text in single quotes.
func (d Dialect) text(text string) string {
	if d.Backslash {
		text = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\x00", `\0`, "\x1a", `\Z`).Replace(text)
	} else {
		text = strings.ReplaceAll(text, "'", "''")
	}
	return "'" + text + "'"
}

func (d Dialect) literal(v driver.Value) (string, error) {
	switch v := v.(type) {
	case nil:
		return "NULL", nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		if v < 0 { // "--" would begin a comment
			return "(" + strconv.FormatInt(v, 10) + ")", nil
		}
		return strconv.FormatInt(v, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "", errors.New("a number that is none cannot be written into a statement")
		}
		return "CAST(" + strconv.FormatFloat(v, 'g', -1, 64) + " AS DOUBLE)", nil
	case string:
		return d.text(v), nil
	case []byte:
		return fmt.Sprintf(d.Bytes, v), nil
	case time.Time:
		return "CAST('" + v.Format("2006-01-02 15:04:05.999999999") + "' AS TIMESTAMP)", nil
	}
	return "", fmt.Errorf("a value of the type %T cannot be written into a statement", v)
}
